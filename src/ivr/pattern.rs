//! Number patterns: `610`, `71NNN`, `+331.`.

use serde::{Deserialize, Serialize};

/// Digits, `*`, `#` and `+` stand for themselves; `N` and `X` for any digit, `Z` for 1 to 9, and a `.` at the end for
/// one or more digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
}

impl Pattern {
    pub const LONGEST: usize = 64;

    pub fn parse(text: &str) -> Result<Pattern, String> {
        let body = text.strip_suffix('.').unwrap_or(text);
        if body.is_empty() {
            return Err("a number needs at least one digit or N before anything else".to_owned());
        }
        if text.len() > Self::LONGEST {
            return Err(format!("a number has at most {} characters", Self::LONGEST));
        }
        match body.chars().find(|c| !matches!(c, '0'..='9' | '*' | '#' | '+' | 'N' | 'X' | 'Z')) {
            Some(bad) => {
                Err(format!("'{bad}' has no meaning in a number; use digits, N (any digit), Z (1-9), or . at the end"))
            }
            None => Ok(Pattern { text: text.to_owned() }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stood in the places of `N`, `X`, `Z` and `.`; `None` where `number` is not of this pattern.
    pub fn capture(&self, number: &str) -> Option<String> {
        let mut captured = String::new();
        let mut rest = number.chars();
        for place in self.text.chars() {
            if place == '.' {
                let tail: String = rest.by_ref().collect();
                if tail.is_empty() || !tail.chars().all(|c| c.is_ascii_digit()) {
                    return None;
                }
                captured.push_str(&tail);
                break;
            }
            let c = rest.next()?;
            match place {
                'N' | 'X' if c.is_ascii_digit() => captured.push(c),
                'Z' if matches!(c, '1'..='9') => captured.push(c),
                place if place == c => {}
                _ => return None,
            }
        }
        rest.next().is_none().then_some(captured)
    }

    /// A number of this pattern.
    pub fn example(&self) -> String {
        let places = self.text.chars().map(|place| match place {
            'N' | 'X' | '.' => '0',
            'Z' => '1',
            place => place,
        });
        places.collect()
    }

    /// How many places are fixed: of two patterns that fit a number the one with more is meant.
    pub fn fixed_places(&self) -> usize {
        self.text.chars().filter(|c| !matches!(c, 'N' | 'X' | 'Z' | '.')).count()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Pattern::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_its_numbers_and_no_others() {
        let cases = [
            ("610", "610", Some("")),
            ("610", "6100", None),
            ("610", "61", None),
            ("71NNN", "71042", Some("042")),
            ("71NNN", "7104", None),
            ("71NNN", "7104a", None),
            ("Z", "0", None),
            ("Z", "9", Some("9")),
            ("+331.", "+33155501", Some("55501")),
            ("+331.", "+331", None),
            ("+331.", "+331x", None),
            ("X.", "12", Some("12")),
        ];
        for (pattern, number, expected) in cases {
            let captured = Pattern::parse(pattern).unwrap().capture(number);
            assert_eq!(captured.as_deref(), expected, "{number} against {pattern}");
        }
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        for bad in ["", ".", "6a0", "6.0", "é", "6 10", &"1".repeat(65)] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
