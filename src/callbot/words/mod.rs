//! Words of a language that a conversation turns on: yes and no, numbers, days, "one moment". One file a language.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::ids::Language;

/// What a language's file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub yes: Vec<String>,
    pub no: Vec<String>,
    /// The caller wants to hear it again.
    pub repeat: Vec<String>,
    /// The caller wants time.
    pub wait: Vec<String>,
    /// Alone, or almost: the caller wants a person.
    pub agent: Vec<String>,
    /// The caller does not have what is asked for.
    pub unknown: Vec<String>,
    /// Of these alone consists what says nothing yet.
    pub greetings: Vec<String>,
    /// Of these alone consists what ends a conversation.
    pub farewells: Vec<String>,
    /// Said around what matters.
    pub fillers: Vec<String>,
    /// Frequent short words, by which a language is told from another one.
    pub signs: Vec<String>,
    /// Stand within a number.
    pub joiners: Vec<String>,
    pub at: Vec<String>,
    pub dot: Vec<String>,
    pub dash: Vec<String>,
    pub underscore: Vec<String>,
    pub plus: Vec<String>,
    pub numbers: BTreeMap<String, u64>,
    /// `double` before a digit says it twice.
    pub times: BTreeMap<String, usize>,
    pub ordinals: BTreeMap<String, u64>,
    /// Names of letters, where they are words.
    pub letters: BTreeMap<String, String>,
    pub dates: Dates,
    pub clock: Clock,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// Monday first.
    pub weekdays: Vec<Vec<String>>,
    pub months: Vec<Vec<String>>,
    /// Today, tomorrow, the day after.
    pub days: Vec<Vec<String>>,
    /// Behind a number: days and weeks from now.
    pub in_days: Vec<String>,
    pub in_weeks: Vec<String>,
    /// Before that number, or behind it, where one is needed.
    pub before_in: Vec<String>,
    pub after_in: Vec<String>,
    /// Before the number of a day.
    pub day_marks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Behind the number of an hour.
    pub hour: Vec<String>,
    /// Before it.
    pub before_hour: Vec<String>,
    pub minute: Vec<String>,
    pub noon: Vec<String>,
    pub midnight: Vec<String>,
    /// Before the hour: half past two.
    pub half_past: Vec<String>,
    pub quarter_past: Vec<String>,
    pub quarter_to: Vec<String>,
    /// Behind the hour: deux heures et demie.
    pub and_half: Vec<String>,
    pub and_quarter: Vec<String>,
    pub less_quarter: Vec<String>,
    pub morning: Vec<String>,
    pub afternoon: Vec<String>,
}

/// The languages that have a file.
pub const LANGUAGES: [&str; 3] = ["en", "fr", "ko"];

const FILES: [&str; 3] = [include_str!("en.toml"), include_str!("fr.toml"), include_str!("ko.toml")];

/// The words of a language; `fr-CA` has those of `fr`.
pub fn of(language: &Language) -> Option<&'static Words> {
    static WORDS: OnceLock<Vec<Option<Words>>> = OnceLock::new();
    let all = WORDS.get_or_init(|| FILES.iter().map(|file| toml::from_str(file).ok()).collect());
    let main = language.as_str().split('-').next().unwrap_or_default();
    let at = LANGUAGES.iter().position(|known| *known == main)?;
    all.get(at)?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbot::text::plain;

    #[test]
    fn every_file_is_whole_and_in_the_form_that_is_compared() {
        for (language, file) in LANGUAGES.into_iter().zip(FILES) {
            let words: Words = toml::from_str(file).unwrap_or_else(|error| panic!("{language}: {error}"));
            assert_eq!((words.dates.weekdays.len(), words.dates.months.len(), words.dates.days.len()), (7, 12, 3));
            let lists = [
                &words.yes,
                &words.no,
                &words.repeat,
                &words.wait,
                &words.agent,
                &words.unknown,
                &words.greetings,
                &words.farewells,
                &words.fillers,
                &words.signs,
            ];
            for word in lists.into_iter().flatten() {
                assert_eq!(plain(word), *word, "{language}");
            }
            assert!(of(&Language::from(language)).is_some());
        }
        assert!(of(&Language::from("fr-CA")).is_some());
        assert!(of(&Language::from("xx")).is_none());
    }
}
