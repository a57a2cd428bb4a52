//! Order numbers and the like: letters and digits in a form, spelt out by voice.

use serde::{Deserialize, Serialize};

use super::tokens::{numbers, tokens};
use crate::callbot::words::Words;

const LONGEST: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    Letter,
    Digit,
    Exactly(char),
}

impl Place {
    fn takes(self, symbol: char) -> bool {
        match self {
            Place::Letter => symbol.is_ascii_alphabetic(),
            Place::Digit => symbol.is_ascii_digit(),
            Place::Exactly(c) => symbol == c,
        }
    }
}

/// A form: `N` is a digit, `L` a letter, any other letter or digit itself; `?` behind one says that it may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    places: Vec<(Place, bool)>,
}

impl Pattern {
    /// Reads a form, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut places: Vec<(Place, bool)> = Vec::new();
        for c in text.chars() {
            match c {
                '?' => match places.last_mut() {
                    Some((_, optional)) if !*optional => *optional = true,
                    _ => return Err("'?' stands behind what may be missing".to_owned()),
                },
                'N' => places.push((Place::Digit, false)),
                'L' => places.push((Place::Letter, false)),
                c if c.is_ascii_alphanumeric() => places.push((Place::Exactly(c.to_ascii_uppercase()), false)),
                ' ' | '-' => {}
                c => return Err(format!("'{c}' cannot stand in a form")),
            }
        }
        let optional = places.iter().filter(|(_, optional)| *optional).count();
        match places.len() {
            0 => Err("the form is empty".to_owned()),
            1..=LONGEST if optional <= 6 => Ok(Pattern { text: text.to_owned(), places }),
            1..=LONGEST => Err("at most 6 places may be missing".to_owned()),
            _ => Err(format!("the form has more than {LONGEST} places")),
        }
    }

    pub fn shortest(&self) -> usize {
        self.places.iter().filter(|(_, optional)| !optional).count()
    }

    pub fn longest(&self) -> usize {
        self.places.len()
    }

    /// Whether digits alone can fit.
    pub fn has_keys(&self) -> bool {
        self.places.iter().all(|(place, optional)| {
            *optional
                || match place {
                    Place::Digit => true,
                    Place::Exactly(c) => c.is_ascii_digit(),
                    Place::Letter => false,
                }
        })
    }

    /// The first run of symbols that fits as a whole; else a part of one at its end, where the rest is letters: an
    /// article, a word that sounds like one.
    pub fn find(&self, runs: &[String]) -> Option<String> {
        let whole = runs.iter().find(|run| fits(&self.places, run));
        let part = || {
            runs.iter().find_map(|run| {
                run.char_indices().map(|(at, _)| run.split_at(at)).find_map(|(before, rest)| {
                    let end = before.ends_with(|c: char| c.is_ascii_digit())
                        && rest.starts_with(|c: char| c.is_ascii_digit());
                    (!end && fits(&self.places, rest)).then(|| rest.to_owned())
                })
            })
        };
        whole.cloned().or_else(part)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        Pattern::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text
    }
}

fn fits(places: &[(Place, bool)], run: &str) -> bool {
    let Some(((place, optional), rest)) = places.split_first() else { return run.is_empty() };
    let taken = run.chars().next().filter(|c| place.takes(*c)).and_then(|c| run.get(c.len_utf8()..));
    taken.is_some_and(|left| fits(rest, left)) || (*optional && fits(rest, run))
}

/// The symbols that were spelt one behind the other, without the words between; each run for itself.
pub(super) fn symbols(said: &str, words: &Words) -> Vec<String> {
    let tokens = tokens(said);
    let numbers = numbers(&tokens, words);
    let mut runs = Vec::new();
    let mut run = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some(number) = numbers.iter().find(|number| number.start == at && !number.ordinal) {
            run.push_str(&number.digits);
            at = number.end;
            continue;
        }
        let letter = words.letters.get(token).map(String::as_str);
        let single =
            Some(token.as_str()).filter(|token| token.len() == 1 && token.bytes().all(|c| c.is_ascii_alphabetic()));
        match letter.or(single) {
            Some(letter) => run.push_str(&letter.to_ascii_uppercase()),
            // Said between groups: "dash", and "and".
            None if words.dash.contains(token) || words.joiners.contains(token) => {}
            None if !run.is_empty() => runs.push(std::mem::take(&mut run)),
            None => {}
        }
        at += 1;
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}
