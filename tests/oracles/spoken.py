"""Numbers as words, by the Unicode locale data (PyICU) and by num2words: spoken.py SEED

A line a number: language, our set of rules, number, what each source says that knows such numbers.
"""

import random
import sys

import icu
from num2words import num2words

FORMATS = {
    language: icu.RuleBasedNumberFormat(icu.URBNFRuleSetTag.SPELLOUT, icu.Locale(language)) for language in ('en', 'fr')
}


def cldr(language, rules):
    return lambda number: FORMATS[language].format(number, '%spellout-' + rules)


def other(language, to='cardinal'):
    def words(number):
        said = num2words(number, lang=language, to=to)
        # It appends the ending to the plural: "quatre-vingtsième".
        for plural in ('vingt', 'cent', 'million', 'milliard'):
            said = said.replace(plural + 'sième', plural + 'ième')
        return said
    return words


def feminine(number):
    said = other('fr')(number)
    return said + 'e' if said.endswith('un') else said


def ordinal_feminine(number):
    return 'première' if number == 1 else other('fr', 'ordinal')(number)


SETS = [
    ('en', 'number', 0, [cldr('en', 'numbering-verbose'), other('en')]),
    ('en', 'ordinal', 1, [cldr('en', 'ordinal-verbose'), other('en', 'ordinal')]),
    ('fr', 'number', 0, [cldr('fr', 'cardinal-masculine'), other('fr')]),
    ('fr', 'feminine', 0, [cldr('fr', 'cardinal-feminine'), feminine]),
    ('fr', 'ordinal', 1, [cldr('fr', 'ordinal-masculine'), other('fr', 'ordinal')]),
    ('fr', 'ordinal-feminine', 1, [cldr('fr', 'ordinal-feminine'), ordinal_feminine]),
    ('en', 'year', 2010, [cldr('en', 'numbering-year')]),
]

random.seed(int(sys.argv[1]))
drawn = [int(10 ** random.uniform(4, 9)) for _ in range(2000)]
drawn += [random.choice((20, 21, 71, 80, 81, 91, 100, 101, 200, 999)) * 10 ** random.randrange(1, 7) for _ in range(500)]
for language, rules, first, sources in SETS:
    numbers = range(first, 10_001) if rules != 'year' else [*range(1100, 2000), *range(2010, 2100)]
    for number in [*numbers, *(drawn if rules != 'year' else [])]:
        # Nobody is the "un millionième".
        if 'ordinal' in rules and number == 10 ** 6:
            continue
        print(language, rules, number, *(source(number) for source in sources), sep='\t')
