//! A caller as the whole centre knows them: the number in one form, lists of numbers, and what is remembered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What the centre knows of a caller when the call comes in. Dialplans see it as `caller.last_agent`, …; what is not
/// known has the value of `Default`, and so has everything when history does not answer in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallerFacts {
    /// There was an earlier contact, or the caller stands in the customers' file.
    pub known: bool,
    /// The number in one form (E.164 where it can be told); empty when withheld or no number.
    pub number: String,
    /// The agent who last talked with the caller; empty when none did.
    pub last_agent: String,
    /// The queue of the last contact; empty when it went into none.
    pub last_queue: String,
    /// The outcome of the last contact as records name it: `handled`, `abandoned`, …; empty when there was none.
    pub last_outcome: String,
    /// Whole days since the last contact began; -1 when there was none.
    pub last_contact_days: i64,
    /// Contacts that began within the last 30 days, this one not counted.
    pub contacts_30d: i64,
    /// Of those, the ones that began today by the centre's clock; `call.attempt_today` is one more.
    pub calls_today: i64,
    /// Today's that were abandoned.
    pub abandoned_today: i64,
    /// What the caller is worth, from the customers' file; 0 when not stated.
    pub value: i64,
    /// From the customers' file: a group such as `gold`, a name, a language; empty when not stated.
    pub segment: String,
    pub name: String,
    pub language: String,
}

impl Default for CallerFacts {
    fn default() -> Self {
        CallerFacts {
            known: false,
            number: String::new(),
            last_agent: String::new(),
            last_queue: String::new(),
            last_outcome: String::new(),
            last_contact_days: -1,
            contacts_30d: 0,
            calls_today: 0,
            abandoned_today: 0,
            value: 0,
            segment: String::new(),
            name: String::new(),
            language: String::new(),
        }
    }
}

/// How numbers are dialled where the centre stands, so that `0155501234`, `0033155501234` and `+33155501234` are one
/// caller. Without a country code only international numbers are brought into one form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    /// The country's calling code without `+`: `33`; empty where it is not configured.
    pub country_code: String,
    /// What is dialled before a national number: `0` in most countries, nothing in some.
    pub national_prefix: String,
    /// What is dialled before an international number: `00`, in North America `011`.
    pub international_prefix: String,
}

impl Default for Numbering {
    fn default() -> Self {
        Numbering {
            country_code: String::new(),
            national_prefix: "0".to_owned(),
            international_prefix: "00".to_owned(),
        }
    }
}

/// What a From header says about who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerNumber {
    /// `+33155501234` where the country can be told, else the digits alone (an extension, a short code).
    Known(String),
    /// Withheld (RFC 3323), or nobody says.
    Anonymous,
    /// Something that is no telephone number.
    Malformed,
}

impl CallerNumber {
    /// Empty where there is none.
    pub fn into_text(self) -> String {
        match self {
            CallerNumber::Known(number) => number,
            CallerNumber::Anonymous | CallerNumber::Malformed => String::new(),
        }
    }
}

/// ITU-T E.164 §6.2.1: a number has at most 15 digits with its country code.
const MOST_DIGITS: usize = 15;
/// Shorter numbers are extensions and short codes: they have no country.
const SHORTEST_NATIONAL: usize = 7;
/// A number without `+` that begins with the country code is international when so many digits follow.
const SHORTEST_AFTER_COUNTRY: usize = 8;
/// What networks write in place of a withheld number, besides an empty user part.
const WITHHELD: [&str; 6] = ["anonymous", "private", "restricted", "unavailable", "unknown", "withheld"];

impl Numbering {
    /// Reads the user part of a From header or a `tel:` number. Nothing that comes in is trusted: the result holds
    /// digits and a leading `+` only.
    pub fn read(&self, from: &str) -> CallerNumber {
        let from = from.trim();
        if from.is_empty() || WITHHELD.iter().any(|word| from.eq_ignore_ascii_case(word)) {
            return CallerNumber::Anonymous;
        }
        match self.normalise(from) {
            Some(number) if (2..=MOST_DIGITS + 1).contains(&number.len()) => CallerNumber::Known(number),
            _ => CallerNumber::Malformed,
        }
    }

    /// The same form for a number or the beginning of one; `None` where it holds anything but digits, a leading `+` and
    /// the separators people write (RFC 3966 §5.1.1).
    pub fn normalise(&self, number: &str) -> Option<String> {
        if number.len() > 64 {
            return None;
        }
        let bare: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
        let (plus, digits) = match bare.strip_prefix('+') {
            Some(digits) => (true, digits),
            None => (false, bare.as_str()),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(if plus { format!("+{digits}") } else { self.dialled(digits) })
    }

    /// Digits as they are dialled, with the prefixes of the place.
    fn dialled(&self, digits: &str) -> String {
        let after = |prefix: &str| digits.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && !rest.is_empty());
        if let Some(international) = after(&self.international_prefix) {
            return format!("+{international}");
        }
        let country = &self.country_code;
        if country.is_empty() {
            return digits.to_owned();
        }
        if let Some(national) = after(&self.national_prefix) {
            return format!("+{country}{national}");
        }
        if digits.len() < SHORTEST_NATIONAL {
            return digits.to_owned();
        }
        match after(country) {
            Some(rest) if rest.len() >= SHORTEST_AFTER_COUNTRY => format!("+{digits}"),
            _ => format!("+{country}{digits}"),
        }
    }
}

/// Numbers and beginnings of numbers, all in one form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberList {
    numbers: BTreeSet<String>,
    prefixes: BTreeSet<String>,
}

impl NumberList {
    /// An entry as an operator writes it: a number, or its beginning and `*`. `false` where it is neither.
    pub fn add(&mut self, entry: &str, numbering: &Numbering) -> bool {
        let entry = entry.trim();
        let (text, into) = match entry.strip_suffix('*') {
            Some(prefix) => (prefix, &mut self.prefixes),
            None => (entry, &mut self.numbers),
        };
        let normal = numbering.normalise(text);
        normal.is_some_and(|number| {
            into.insert(number);
            true
        })
    }

    /// Whether a number in one form is in the list, or begins like an entry of it.
    pub fn contains(&self, number: &str) -> bool {
        // Numbers that were read are ASCII, so every length is a boundary.
        self.numbers.contains(number)
            || (1..=number.len())
                .filter_map(|length| number.get(..length))
                .any(|beginning| self.prefixes.contains(beginning))
    }

    pub fn len(&self) -> usize {
        self.numbers.len() + self.prefixes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn france() -> Numbering {
        Numbering { country_code: "33".to_owned(), ..Numbering::default() }
    }

    #[test]
    fn every_way_to_write_a_number_is_one_caller() {
        let france = france();
        let ways =
            ["+33155501234", "0033155501234", "0155501234", "33155501234", "+33 1 55-50.12(34)", "01/55/50/12/34"];
        for from in ways {
            assert_eq!(france.read(from), CallerNumber::Known("+33155501234".to_owned()), "{from}");
        }
    }

    #[test]
    fn other_places_dial_otherwise() {
        let america = Numbering {
            country_code: "1".to_owned(),
            national_prefix: "1".to_owned(),
            international_prefix: "011".to_owned(),
        };
        let denmark = Numbering { country_code: "45".to_owned(), national_prefix: String::new(), ..france() };
        let cases = [
            (&america, "12125550123", "+12125550123"),
            (&america, "2125550123", "+12125550123"),
            (&america, "01133155501234", "+33155501234"),
            (&denmark, "32123456", "+4532123456"),
            (&denmark, "4532123456", "+4532123456"),
            (&denmark, "112", "112"),
        ];
        for (numbering, from, expected) in cases {
            assert_eq!(numbering.read(from), CallerNumber::Known(expected.to_owned()), "{from}");
        }
        let nowhere = Numbering::default();
        assert_eq!(nowhere.read("0155501234"), CallerNumber::Known("0155501234".to_owned()), "no country is guessed");
        assert_eq!(nowhere.read("0033155501234"), CallerNumber::Known("+33155501234".to_owned()));
    }

    #[test]
    fn short_codes_and_extensions_stay() {
        for from in ["201", "3615", "15"] {
            assert_eq!(france().read(from), CallerNumber::Known(from.to_owned()));
        }
    }

    #[test]
    fn a_withheld_number_is_anonymous_and_nonsense_is_malformed() {
        for from in ["", " ", "anonymous", "Anonymous", "Unavailable", "restricted"] {
            assert_eq!(france().read(from), CallerNumber::Anonymous, "{from:?}");
        }
        let long = "1".repeat(65_536);
        let hostile =
            ["alice", "<script>", "+", "7", "12\"34", "12\\34", "12\r\n34", "++33", "33+1", "１２３４５", &long];
        for from in hostile.into_iter().chain(["+1234567890123456"]) {
            assert_eq!(france().read(from), CallerNumber::Malformed, "{:.40}", from);
        }
    }

    #[test]
    fn a_list_holds_numbers_and_beginnings_however_they_are_written() {
        let france = france();
        let mut list = NumberList::default();
        for entry in ["0899*", "+33 1 55 50 12 34", "0044 20*", "3615"] {
            assert!(list.add(entry, &france), "{entry}");
        }
        for entry in ["", "*", "abc", "+"] {
            assert!(!list.add(entry, &france), "{entry}");
        }
        assert_eq!(list.len(), 4);
        for (number, inside) in [
            ("+33899123456", true),
            ("+33155501234", true),
            ("+442071234567", true),
            ("3615", true),
            ("+331555012345", false),
            ("+33898123456", false),
            ("36150", false),
            ("", false),
        ] {
            assert_eq!(list.contains(number), inside, "{number}");
        }
    }
}
