"""Holidays and opening hours by published libraries (PyPI holidays, python-dateutil, Python's zoneinfo).

    calendars.py easter            a line a year: Easter Sunday
    calendars.py holidays          a line a day: our country, date
    calendars.py openings SEED     a line a moment: Unix time, open or closed, Unix time of the next opening
"""

import datetime
import random
import sys
import zoneinfo

import holidays
from dateutil.easter import easter

PARIS = zoneinfo.ZoneInfo('Europe/Paris')
# As tests/calendars.rs has it: Monday to Friday but at lunch, Sunday through the change of clocks.
HOURS = {day: [('08:30', '12:00'), ('13:30', '18:15')] for day in range(5)} | {6: [('01:30', '04:00')]}


def easters():
    for year in range(1583, 4100):
        print(easter(year))


def legal():
    # The law has been as it is since 2008.
    years = range(2008, 2100)
    for ours, region in (('fr', None), ('fr-alsace-moselle', '57')):
        for day in sorted(holidays.France(years=years, subdiv=region)):
            print(ours, day, sep='\t')


def is_open(moment, free):
    local = moment.astimezone(PARIS)
    if local.date() in free:
        return False
    return any(begin <= local.strftime('%H:%M') < end for begin, end in HOURS.get(local.weekday(), []))


def openings(seed):
    random.seed(seed)
    free = holidays.France(years=range(2024, 2037))
    step = datetime.timedelta(minutes=5)
    first = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    changes = [datetime.datetime(2026, 3, 29, tzinfo=datetime.timezone.utc), datetime.datetime(2026, 10, 25, tzinfo=datetime.timezone.utc)]
    moments = [first + step * random.randrange(12 * 24 * 365 * 12) for _ in range(1000)]
    moments += [change + step * count for change in changes for count in range(-12, 60)]
    for moment in moments:
        after = moment
        while not is_open(after, free):
            after += step
        state = 'open' if after == moment else 'closed'
        print(int(moment.timestamp()), state, int(after.timestamp()), sep='\t')


if __name__ == '__main__':
    {'easter': easters, 'holidays': legal, 'openings': lambda: openings(int(sys.argv[2]))}[sys.argv[1]]()
