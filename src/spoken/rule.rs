//! One rule: what it is for, and what it says.

use serde::{Deserialize, Serialize};

/// From which number on a rule holds, and what it divides by: `100`, `60/60`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Base {
    pub from: u64,
    /// Splits a number into quotient and remainder. Unless given, the largest power of ten that is not above `from`.
    pub divisor: u64,
}

impl Base {
    pub fn parse(text: &str) -> Result<Base, String> {
        let number = |text: &str| -> Result<u64, String> {
            let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|octet| octet.is_ascii_digit());
            let fault = || format!("'{text}' is no whole number");
            if digits { text.parse().map_err(|_| fault()) } else { Err(fault()) }
        };
        match text.split_once('/') {
            None => {
                let from = number(text)?;
                Ok(Base { from, divisor: from.checked_ilog10().map_or(1, |power| 10_u64.pow(power)) })
            }
            Some((from, divisor)) => {
                let (from, divisor) = (number(from)?, number(divisor)?);
                if divisor < 2 {
                    Err("a number is divided by 2 or more".to_owned())
                } else {
                    Ok(Base { from, divisor })
                }
            }
        }
    }
}

/// A piece of what a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// A fragment: `vingt`.
    Word(String),
    /// A prompt of any name: `@please-wait`.
    Prompt(String),
    /// `<` or `<set`: what the number holds of the divisor, said by the same set of rules or by another.
    Quotient(Option<String>),
    /// `>` or `>set`: what is left of the number, likewise. In the rule for negative numbers it is the number without
    /// its sign.
    Remainder(Option<String>),
    /// `=set`: the whole number, by another set.
    Whole(String),
    /// `[some]` or `[some|none]`: the first only where something is left of the number, the second only where not.
    Left { some: Vec<Part>, none: Vec<Part> },
}

/// Reads what a rule says: `< cent [>]`.
pub fn parse_rule(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, after) = rest.split_at(open);
        parts.extend(parse_parts(before)?);
        let Some((inside, behind)) = after.get(1..).and_then(|after| after.split_once(']')) else {
            return Err("a [ is not closed by ]".to_owned());
        };
        let (some, none) = inside.split_once('|').unwrap_or((inside, ""));
        parts.push(Part::Left { some: parse_parts(some)?, none: parse_parts(none)? });
        rest = behind;
    }
    parts.extend(parse_parts(rest)?);
    if parts.is_empty() { Err("it says nothing".to_owned()) } else { Ok(parts) }
}

fn parse_parts(text: &str) -> Result<Vec<Part>, String> {
    text.split_whitespace().map(parse_part).collect()
}

fn parse_part(token: &str) -> Result<Part, String> {
    let set = |name: &str| -> Result<Option<String>, String> {
        if name.is_empty() { Ok(None) } else { set_name(name).map(Some) }
    };
    if let Some(name) = token.strip_prefix('<') {
        Ok(Part::Quotient(set(name)?))
    } else if let Some(name) = token.strip_prefix('>') {
        Ok(Part::Remainder(set(name)?))
    } else if let Some(name) = token.strip_prefix('=') {
        Ok(Part::Whole(set_name(name)?))
    } else if let Some(name) = token.strip_prefix('@') {
        Ok(Part::Prompt(word(name, true)?))
    } else {
        Ok(Part::Word(word(token, false)?))
    }
}

fn set_name(name: &str) -> Result<String, String> {
    word(name, false).map_err(|_| format!("'{name}' is not the name of rules"))
}

/// Fragments become names of files, so they have small letters, digits, `-` and `_` only.
fn word(name: &str, folders: bool) -> Result<String, String> {
    let fit = |octet: u8| {
        octet.is_ascii_lowercase()
            || octet.is_ascii_digit()
            || matches!(octet, b'-' | b'_')
            || (folders && octet == b'/')
    };
    if (1..=48).contains(&name.len()) && name.bytes().all(fit) {
        return Ok(name.to_owned());
    }
    Err(format!("'{name}' is not the name of a fragment; use small letters a to z, digits and '-'"))
}

/// A part of a date that a format says by a set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// Monday is 1.
    Weekday,
    Day,
    Month,
    Year,
    /// Minutes since midnight.
    Time,
}

impl Field {
    const NAMES: [(&'static str, Field); 5] = [
        ("weekday", Field::Weekday),
        ("day", Field::Day),
        ("month", Field::Month),
        ("year", Field::Year),
        ("time", Field::Time),
    ];
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FormatPart {
    Word(String),
    Prompt(String),
    /// `month=months`: this field by that set of rules.
    Said(Field, String),
}

/// Reads a format: `weekday=weekdays day=day-of-month month=months`.
pub fn parse_format(text: &str) -> Result<Vec<FormatPart>, String> {
    let part = |token: &str| match token.split_once('=') {
        Some((field, set)) => {
            let known = Field::NAMES.iter().find(|(name, _)| *name == field);
            let known = known.ok_or_else(|| format!("'{field}' is no field; use weekday, day, month, year or time"))?;
            Ok(FormatPart::Said(known.1, set_name(set)?))
        }
        None => match token.strip_prefix('@') {
            Some(prompt) => word(prompt, true).map(FormatPart::Prompt),
            None => word(token, false).map(FormatPart::Word),
        },
    };
    let parts = text.split_whitespace().map(part).collect::<Result<Vec<_>, String>>()?;
    if parts.is_empty() { Err("it says nothing".to_owned()) } else { Ok(parts) }
}
