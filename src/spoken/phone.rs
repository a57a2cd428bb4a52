//! Telephone numbers: in which groups they are said.

use serde::{Deserialize, Serialize};

use super::rule::Part;
use super::table::Table;

/// E.164 has 15 digits; numbers of a centre's own may have a few more.
const LONGEST: usize = 32;

/// How a language says telephone numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The first that fits is taken.
    pub formats: Vec<Format>,
    /// A number that fits none is said in groups of so many digits, the first of them maybe shorter.
    pub group: usize,
    /// What stands between two groups.
    pub between: Vec<Part>,
}

impl Default for Phone {
    fn default() -> Self {
        Phone { formats: Vec::new(), group: 3, between: Vec::new() }
    }
}

/// `+33NNNNNNNNN` is said as `0N NN NN NN NN`: `N` is any digit, blanks part the groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    number: String,
    said: String,
}

impl Format {
    pub fn parse(number: &str, said: &str) -> Result<Format, String> {
        let number: String = number.split_whitespace().collect();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [&number, &said] {
            if text.is_empty() || text.len() > 2 * LONGEST {
                return Err(format!("a telephone number has 1 to {LONGEST} digits"));
            }
            if let Some(bad) = text.chars().find(|c| !matches!(c, '0'..='9' | 'N' | '+' | '*' | '#' | ' ')) {
                return Err(format!("'{bad}' has no meaning here; use digits, N (any digit), + and blanks"));
            }
        }
        let places = |text: &str| text.chars().filter(|c| *c == 'N').count();
        if places(&number) != places(&said) {
            return Err(format!("the number has {} N and what is said has {}", places(&number), places(&said)));
        }
        Ok(Format { number, said })
    }

    /// The number in its groups, if it is of this form.
    fn apply(&self, number: &str) -> Option<String> {
        if number.len() != self.number.len() {
            return None;
        }
        let mut free = Vec::new();
        for (place, digit) in self.number.chars().zip(number.chars()) {
            match place {
                'N' if digit.is_ascii_digit() => free.push(digit),
                place if place == digit => {}
                _ => return None,
            }
        }
        let mut free = free.into_iter();
        self.said.chars().map(|place| if place == 'N' { free.next() } else { Some(place) }).collect()
    }
}

impl Phone {
    /// The groups of a number; blanks, dots, dashes and brackets in it mean nothing. `None` where it is no number.
    pub(super) fn groups(&self, number: &str) -> Option<Vec<String>> {
        let number = number.trim();
        let number = number.strip_prefix("tel:").unwrap_or(number);
        let bare: String = number.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '/' | '(' | ')')).collect();
        let key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+');
        if bare.is_empty() || bare.len() > LONGEST || !bare.chars().all(key) {
            return None;
        }
        if let Some(said) = self.formats.iter().find_map(|format| format.apply(&bare)) {
            return Some(said.split(' ').map(str::to_owned).collect());
        }
        let digits: Vec<char> = bare.chars().collect();
        let group = self.group.clamp(1, LONGEST);
        let (first, rest) = digits.split_at_checked(digits.len() % group)?;
        let groups = std::iter::once(first).chain(rest.chunks(group)).filter(|group| !group.is_empty());
        Some(groups.map(|group| group.iter().collect()).collect())
    }
}

impl Table {
    /// A telephone number, group by group. A group of n digits is said by the rules `group-n` where there are such, as
    /// pairs are in French; else digit by digit.
    pub(super) fn phone_number(&self, number: &str) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for (index, group) in self.phone().groups(number)?.iter().enumerate() {
            if index > 0 {
                out.extend(self.words(&self.phone().between)?);
            }
            let set = format!("group-{}", group.len());
            match group.parse::<u32>() {
                Ok(value) if self.has_set(&set) && !group.starts_with('+') => out.extend(self.say(&set, value.into())?),
                _ => out.extend(self.digits(group)?),
            }
        }
        Some(out)
    }

    /// Digit by digit.
    pub(super) fn digits(&self, text: &str) -> Option<Vec<String>> {
        let keys = text.chars().filter(|c| !c.is_whitespace()).map(|c| self.key(c));
        keys.collect::<Option<Vec<_>>>().map(|keys| keys.concat())
    }
}
