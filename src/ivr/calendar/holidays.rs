//! Holidays: days that come every year, and what countries have by law.

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::Hours;

/// A day that comes every year, with hours of its own or closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    pub name: String,
    pub day: YearlyDay,
    /// None of them is a day off.
    pub hours: Vec<Hours>,
}

/// Which day of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum YearlyDay {
    /// 25 December. 29 February comes in leap years only.
    Date { month: i8, day: i8 },
    /// So many days after Easter Sunday: 1 is Easter Monday, -2 Good Friday.
    Easter(i16),
    /// The fourth Thursday of November. Counted from the end where `nth` is negative: -1 is the last.
    Weekday { nth: i8, weekday: i8, month: i8 },
}

impl YearlyDay {
    pub fn of_year(self, year: i16) -> Option<Date> {
        match self {
            YearlyDay::Date { month, day } => Date::new(year, month, day).ok(),
            YearlyDay::Easter(days) => easter(year)?.checked_add(jiff::Span::new().days(days)).ok(),
            YearlyDay::Weekday { nth, weekday, month } => {
                let weekday = Weekday::from_monday_one_offset(weekday).ok()?;
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
            }
        }
    }

    pub fn is_on(self, date: Date) -> bool {
        self.of_year(date.year()) == Some(date)
    }
}

/// Easter Sunday of the Gregorian calendar (which began in 1583): the algorithm of Meeus, Jones and Butcher, "Nature" of
/// 20 April 1876.
pub fn easter(year: i16) -> Option<Date> {
    if year < 1583 {
        return None;
    }
    let year_number = i32::from(year);
    let (golden, century, rest) = (year_number % 19, year_number / 100, year_number % 100);
    let (leaps, century_rest) = (century / 4, century % 4);
    let moon = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - leaps - moon + 15) % 30;
    let sunday = (32 + 2 * century_rest + 2 * (rest / 4) - epact - rest % 4) % 7;
    let late = (golden + 11 * epact + 22 * sunday) / 451;
    let day = epact + sunday - 7 * late + 114;
    Date::new(year, i8::try_from(day / 31).ok()?, i8::try_from(day % 31 + 1).ok()?).ok()
}

const fn date(month: i8, day: i8) -> YearlyDay {
    YearlyDay::Date { month, day }
}

/// Code du travail, article L3133-1: the eleven legal holidays.
const FRANCE: [(&str, YearlyDay); 11] = [
    ("new-year", date(1, 1)),
    ("easter-monday", YearlyDay::Easter(1)),
    ("labour-day", date(5, 1)),
    ("victory-1945", date(5, 8)),
    ("ascension", YearlyDay::Easter(39)),
    ("whit-monday", YearlyDay::Easter(50)),
    ("bastille-day", date(7, 14)),
    ("assumption", date(8, 15)),
    ("all-saints", date(11, 1)),
    ("armistice-1918", date(11, 11)),
    ("christmas", date(12, 25)),
];

/// Code du travail, article L3134-13: in the departments Bas-Rhin, Haut-Rhin and Moselle two more.
const ALSACE_MOSELLE: [(&str, YearlyDay); 2] =
    [("good-friday", YearlyDay::Easter(-2)), ("saint-stephen", date(12, 26))];

/// The countries and regions whose holidays are known.
pub const COUNTRIES: [&str; 2] = ["fr", "fr-alsace-moselle"];

/// The legal holidays of a country; closed all day.
pub fn of_country(name: &str) -> Option<Vec<Holiday>> {
    let regional: &[(&str, YearlyDay)] = match name {
        "fr" => &[],
        "fr-alsace-moselle" => &ALSACE_MOSELLE,
        _ => return None,
    };
    let holiday = |(name, day): &(&str, YearlyDay)| Holiday { name: (*name).to_owned(), day: *day, hours: Vec::new() };
    Some(FRANCE.iter().chain(regional).map(holiday).collect())
}
