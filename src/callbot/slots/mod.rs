//! What a bot asks for, and finding it in what was said: numbers, dates, names. A value is a text in one form whatever the
//! words: `47112`, `2026-12-05`, `10:00`, `12.50`, `anna@example.com`.

mod calendar;
mod pattern;
mod spelled;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::text::{has_words, plain};
use super::words::Words;
use crate::ids::Language;

pub use pattern::Pattern;

/// Longest value of a slot that takes any text.
const LONGEST_TEXT: usize = 200;

/// What a slot takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// So many digits.
    Digits {
        least: usize,
        most: usize,
    },
    /// Letters and digits in a form, as `A?NNNNN`.
    Pattern(Pattern),
    /// A whole number within bounds.
    Number {
        least: u64,
        most: u64,
    },
    /// A sum of money, as `12.50`.
    Amount,
    /// A day to come, as `2026-12-05`.
    Date,
    /// A time of day, as `10:00`.
    Time,
    /// `yes` or `no`.
    YesNo,
    /// One of a list, by what callers say for it in each language.
    Choice(BTreeMap<String, BTreeMap<Language, Vec<String>>>),
    Email,
    /// A telephone number.
    Phone,
    /// Whatever is said.
    Text,
}

impl Kind {
    pub const NAMES: [&str; 11] =
        ["amount", "choice", "date", "digits", "email", "number", "pattern", "phone", "text", "time", "yes_no"];

    /// Whether such a value stands out in a sentence, so that it is taken from one that was not asked for it.
    pub fn stands_out(&self) -> bool {
        match self {
            Kind::Digits { least, .. } => *least >= 4,
            Kind::Pattern(pattern) => pattern.shortest() >= 4,
            Kind::Amount | Kind::Date | Kind::Time | Kind::Email | Kind::Choice(_) => true,
            Kind::Number { .. } | Kind::YesNo | Kind::Phone | Kind::Text => false,
        }
    }

    /// Whether it can be given by key.
    pub fn has_keys(&self) -> bool {
        match self {
            Kind::Digits { .. }
            | Kind::Number { .. }
            | Kind::YesNo
            | Kind::Phone
            | Kind::Date
            | Kind::Time
            | Kind::Amount => true,
            Kind::Pattern(pattern) => pattern.has_keys(),
            Kind::Choice(choices) => choices.len() <= 9,
            Kind::Email | Kind::Text => false,
        }
    }

    /// Most keys that a value of it has; the last one completes it.
    pub fn most_keys(&self) -> usize {
        match self {
            Kind::Digits { most, .. } => *most,
            Kind::Pattern(pattern) => pattern.longest(),
            Kind::YesNo | Kind::Choice(_) => 1,
            Kind::Date | Kind::Time => 4,
            _ => 16,
        }
    }

    /// The value in what was said, seen from `today`. `asked` where the bot has just asked for it.
    pub fn find(&self, said: &str, words: &Words, language: &Language, today: Date, asked: bool) -> Option<String> {
        match self {
            Kind::Digits { least, most } => {
                let runs = pattern::symbols(said, words);
                let fits = |run: &String| (*least..=*most).contains(&run.len());
                runs.into_iter().map(|run| run.chars().filter(char::is_ascii_digit).collect()).find(fits)
            }
            Kind::Pattern(form) => form.find(&pattern::symbols(said, words)),
            Kind::Number { least, most } => {
                let tokens = tokens::tokens(said);
                let numbers = tokens::numbers(&tokens, words);
                let value = numbers.iter().map(|number| number.value).find(|value| (*least..=*most).contains(value))?;
                Some(value.to_string())
            }
            Kind::Amount => spelled::amount(said, words, asked),
            Kind::Date => Some(calendar::date(said, words, today)?.to_string()),
            Kind::Time => {
                let minutes = calendar::time(said, words, asked)?;
                Some(format!("{:02}:{:02}", minutes / 60, minutes % 60))
            }
            Kind::YesNo => yes_or_no(said, words).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Kind::Choice(choices) => choice(choices, said, language),
            Kind::Email => spelled::email(said, words),
            Kind::Phone => spelled::phone(said, words),
            Kind::Text => {
                let text: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
                (!plain(&text).is_empty()).then(|| text.chars().take(LONGEST_TEXT).collect())
            }
        }
    }

    /// The value that keys give: 1 is yes and 2 no, a day is `0512`, a time `1430`, a choice its place in the list.
    pub fn of_keys(&self, keys: &str, today: Date) -> Option<String> {
        let number = keys.parse::<u64>().ok();
        let two = |from: usize| keys.get(from..from + 2).and_then(|two| two.parse::<i8>().ok());
        match self {
            Kind::Digits { least, most } => (*least..=*most).contains(&keys.len()).then(|| keys.to_owned()),
            Kind::Pattern(pattern) => pattern.find(&[keys.to_owned()]),
            Kind::Number { least, most } => {
                number.filter(|value| (*least..=*most).contains(value)).map(|value| value.to_string())
            }
            Kind::Amount => number.map(|value| value.to_string()),
            Kind::YesNo => match keys {
                "1" => Some("yes".to_owned()),
                "2" => Some("no".to_owned()),
                _ => None,
            },
            Kind::Choice(choices) => {
                let place = usize::try_from(number?).ok()?.checked_sub(1)?;
                choices.keys().nth(place).cloned()
            }
            Kind::Phone => (6..=15).contains(&keys.len()).then(|| keys.to_owned()),
            Kind::Date if keys.len() == 4 => {
                let (day, month) = (two(0)?, two(2)?);
                let this_year = Date::new(today.year(), month, day).ok().filter(|date| *date >= today);
                Some(this_year.or_else(|| Date::new(today.year() + 1, month, day).ok())?.to_string())
            }
            Kind::Time if keys.len() == 4 => {
                let (hour, minute) = (two(0)?, two(2)?);
                (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
            }
            Kind::Date | Kind::Time | Kind::Email | Kind::Text => None,
        }
    }
}

/// Digits spelt one behind the other, as they were said, and the places of their words; the words of the text beside them.
pub(super) fn number_runs(said: &str, words: &Words) -> (Vec<String>, Vec<(String, Range<usize>)>) {
    let tokens = tokens::tokens(said);
    let mut runs: Vec<(String, Range<usize>)> = Vec::new();
    for number in tokens::numbers(&tokens, words) {
        match runs.last_mut() {
            Some((digits, places)) if places.end == number.start => {
                digits.push_str(&number.digits);
                places.end = number.end;
            }
            _ => runs.push((number.digits, number.start..number.end)),
        }
    }
    (tokens, runs)
}

/// Whether the caller says yes or no; what is said first counts.
pub fn yes_or_no(said: &str, words: &Words) -> Option<bool> {
    let plain = plain(said);
    let first = |list: &[String]| {
        let places = list.iter().filter(|word| has_words(&plain, word)).filter_map(|word| plain.find(word.as_str()));
        places.min()
    };
    match (first(&words.yes), first(&words.no)) {
        (None, None) => None,
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        // "That's right" is in "that's not right", and "no, that's right" denies.
        (Some(yes), Some(no)) => Some(yes < no),
    }
}

/// The value one of whose phrases was said; else the one that is nearest, letter by letter, where it is near enough.
fn choice(
    choices: &BTreeMap<String, BTreeMap<Language, Vec<String>>>,
    said: &str,
    language: &Language,
) -> Option<String> {
    let plain_said = plain(said);
    let phrases = choices.iter().flat_map(|(value, phrases)| {
        phrases.get(language).into_iter().flatten().map(move |phrase| (value, plain(phrase)))
    });
    let phrases: Vec<(&String, String)> = phrases.collect();
    let found = phrases.iter().filter(|(_, phrase)| has_words(&plain_said, phrase));
    if let Some((value, _)) = found.max_by_key(|(_, phrase)| phrase.len()) {
        return Some((*value).clone());
    }
    let said: Vec<&str> = plain_said.split(' ').collect();
    let near = phrases.iter().filter_map(|(value, phrase)| {
        let length = phrase.split(' ').count();
        let windows =
            said.windows(length).map(|window| strsim::normalized_damerau_levenshtein(&window.join(" "), phrase));
        let nearest = windows.max_by(f64::total_cmp)?;
        (nearest >= 0.75 && phrase.chars().count() >= 4).then_some((nearest, *value))
    });
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, value)| value.clone())
}
