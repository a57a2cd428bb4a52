//! The rules of one language, and how a number goes through them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::phone::Phone;
use super::rule::{Base, Field, FormatPart, Part};
use super::value::Kind;
use super::{MOST_FRAGMENTS, PREFIX};

/// Sets of rules that lead into each other; a language needs about ten.
const DEEPEST: usize = 48;

/// What an operator's file says, before it is put together.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub sets: BTreeMap<String, Set>,
    /// `date`, `day`, `weekday`, `today`, `tomorrow`, `this-week`, `later`.
    pub formats: BTreeMap<String, Vec<FormatPart>>,
    /// What `+`, `*` and `#` are called.
    pub symbols: BTreeMap<char, Vec<Part>>,
    pub phone: Phone,
}

/// A set of rules: `number`, `feminine`, `minutes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The set whose rules hold where this one has none.
    pub like: Option<String>,
    /// By what they hold from, lowest first.
    pub rules: Vec<(Base, Vec<Part>)>,
    pub minus: Option<Vec<Part>>,
}

/// The words of one language: rules that are known to hang together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    sets: BTreeMap<String, Set>,
    formats: BTreeMap<String, Vec<FormatPart>>,
    symbols: BTreeMap<char, Vec<Part>>,
    phone: Phone,
}

/// Why a draft is no table: which rules, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The set or format at fault.
    pub place: String,
    /// The rule of a set.
    pub base: Option<u64>,
    pub message: String,
    /// A name that is not there, so that the nearest can be hinted at.
    pub unknown: Option<String>,
}

impl Set {
    fn rule(&self, number: u64) -> Option<&(Base, Vec<Part>)> {
        let after = self.rules.partition_point(|(base, _)| base.from <= number);
        self.rules.get(after.checked_sub(1)?)
    }

    /// Takes what `other` has and this one has not.
    fn inherit(&mut self, other: &Set) {
        for (base, parts) in &other.rules {
            if let Err(at) = self.rules.binary_search_by_key(&base.from, |(own, _)| own.from) {
                self.rules.insert(at, (*base, parts.clone()));
            }
        }
        if self.minus.is_none() {
            self.minus.clone_from(&other.minus);
        }
    }
}

impl Draft {
    /// Puts the rules together, or says everything that does not fit.
    pub fn build(mut self) -> Result<Table, Vec<Fault>> {
        for set in self.sets.values_mut() {
            set.rules.sort_by_key(|(base, _)| base.from);
        }
        let mut faults = Vec::new();
        self.inherit(&mut faults);
        self.check_names(&mut faults);
        let table = Table { sets: self.sets, formats: self.formats, symbols: self.symbols, phone: self.phone };
        if faults.is_empty() {
            table.check_circles(&mut faults);
        }
        if faults.is_empty() { Ok(table) } else { Err(faults) }
    }

    fn inherit(&mut self, faults: &mut Vec<Fault>) {
        let drafts = self.sets.clone();
        for (name, set) in &mut self.sets {
            let mut seen = BTreeSet::from([name.clone()]);
            let mut next = set.like.clone();
            while let Some(like) = next {
                let Some(other) = drafts.get(&like) else {
                    let message = format!("there are no rules '{like}' to be like");
                    faults.push(Fault { place: name.clone(), base: None, message, unknown: Some(like) });
                    break;
                };
                if !seen.insert(like.clone()) {
                    let message = format!("rules that are like '{like}' are like themselves");
                    faults.push(Fault { place: name.clone(), base: None, message, unknown: None });
                    break;
                }
                set.inherit(other);
                next = other.like.clone();
            }
        }
    }

    fn check_names(&self, faults: &mut Vec<Fault>) {
        let mut named = |place: &str, base: Option<Base>, set: &str| {
            if !self.sets.contains_key(set) {
                let message = format!("there are no rules '{set}'");
                let unknown = Some(set.to_owned());
                faults.push(Fault { place: place.to_owned(), base: base.map(|base| base.from), message, unknown });
            }
        };
        for (name, set) in &self.sets {
            for (base, parts) in &set.rules {
                references(parts).for_each(|set| named(name, Some(*base), set));
            }
            references(set.minus.as_deref().unwrap_or_default()).for_each(|set| named(name, None, set));
        }
        for (name, parts) in &self.formats {
            for part in parts {
                if let FormatPart::Said(_, set) = part {
                    named(name, None, set);
                }
            }
        }
        for (name, set) in self.sets.iter().filter(|(_, set)| set.rules.first().is_none_or(|(base, _)| base.from > 1)) {
            let base = set.rules.first().map(|(base, _)| base.from);
            let message = "the first rule is to be for 0 or 1".to_owned();
            faults.push(Fault { place: name.clone(), base, message, unknown: None });
        }
        for (name, set) in &self.sets {
            for (base, parts) in set.rules.iter().filter(|(base, _)| base.divisor < 2) {
                if flat(parts).any(|part| matches!(part, Part::Quotient(_) | Part::Remainder(_))) {
                    let message =
                        format!("{} is not divided, so < and > mean nothing; write \"{}/10\"", base.from, base.from);
                    faults.push(Fault { place: name.clone(), base: Some(base.from), message, unknown: None });
                }
            }
        }
    }
}

/// Every part, those in brackets too.
fn flat(parts: &[Part]) -> impl Iterator<Item = &Part> {
    parts.iter().flat_map(|part| match part {
        Part::Left { some, none } => some.iter().chain(none).collect::<Vec<_>>(),
        part => vec![part],
    })
}

/// The sets that parts name.
fn references(parts: &[Part]) -> impl Iterator<Item = &str> {
    flat(parts).filter_map(|part| match part {
        Part::Quotient(set) | Part::Remainder(set) => set.as_deref(),
        Part::Whole(set) => Some(set.as_str()),
        _ => None,
    })
}

impl Table {
    /// A remainder and a quotient are smaller than the number, but `=` hands the number itself on. Which rule holds
    /// changes only where some rule begins, so these numbers show every circle.
    fn check_circles(&self, faults: &mut Vec<Fault>) {
        let begins: BTreeSet<u64> =
            self.sets.values().flat_map(|set| set.rules.iter().map(|(base, _)| base.from)).collect();
        for (name, set) in &self.sets {
            let circle = begins.iter().find(|number| self.goes_round(set, **number, 0));
            if let Some(number) = circle {
                let message = format!("the rules for {number} lead back to themselves by =");
                faults.push(Fault { place: name.clone(), base: None, message, unknown: None });
            }
        }
    }

    fn goes_round(&self, set: &Set, number: u64, depth: usize) -> bool {
        if depth > DEEPEST {
            return true;
        }
        let Some((_, parts)) = set.rule(number) else { return false };
        let mut next: Vec<&str> = flat(parts)
            .filter_map(|part| match part {
                Part::Whole(set) => Some(set.as_str()),
                _ => None,
            })
            .collect();
        next.sort_unstable();
        next.dedup();
        next.into_iter().filter_map(|name| self.sets.get(name)).any(|set| self.goes_round(set, number, depth + 1))
    }

    /// Whether there are such rules.
    pub fn has_set(&self, name: &str) -> bool {
        self.sets.contains_key(name)
    }

    pub fn set_names(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str)
    }

    /// What the table would need to say a kind of value: names of rules or formats that are not there.
    pub fn lacks(&self, kind: Kind, set: Option<&str>) -> Vec<String> {
        let mut sets: Vec<&str> = Vec::new();
        let mut formats: Vec<&str> = Vec::new();
        match (kind, set) {
            (Kind::Date, _) => formats.push("date"),
            (Kind::Day, _) => formats.push("day"),
            (Kind::Weekday, _) => formats.push("weekday"),
            (Kind::When, _) => formats.extend(["today", "tomorrow", "this-week", "later"]),
            (Kind::Number | Kind::Ordinal | Kind::Money, Some(set)) => sets.push(set),
            (Kind::Money, None) => {}
            (kind, _) => sets.push(kind.set()),
        }
        let rules = sets.into_iter().filter(|set| !self.sets.contains_key(*set)).map(|set| format!("[rules.{set}]"));
        let formats = formats.into_iter().filter(|format| !self.formats.contains_key(*format));
        rules.chain(formats.map(|format| format!("{format} in [formats]"))).collect()
    }

    /// The fragments of a number by a set of rules; `None` where the set has no rule for it.
    pub(super) fn say(&self, set: &str, number: i64) -> Option<Vec<String>> {
        let mut out = Vec::new();
        let found = self.sets.get(set)?;
        match (number < 0, &found.minus) {
            (false, _) => self.number(found, number.unsigned_abs(), 0, &mut out)?,
            (true, Some(minus)) => {
                let whole =
                    Split { set: found, number: number.unsigned_abs(), quotient: 0, remainder: number.unsigned_abs() };
                self.parts(minus, &whole, 0, &mut out)?;
            }
            (true, None) => return None,
        }
        (out.len() <= MOST_FRAGMENTS).then_some(out)
    }

    fn number(&self, set: &Set, number: u64, depth: usize, out: &mut Vec<String>) -> Option<()> {
        if depth > DEEPEST || out.len() > MOST_FRAGMENTS {
            return None;
        }
        let (base, parts) = set.rule(number)?;
        let split =
            Split { set, number, quotient: number / base.divisor.max(1), remainder: number % base.divisor.max(1) };
        self.parts(parts, &split, depth, out)
    }

    fn parts(&self, parts: &[Part], split: &Split<'_>, depth: usize, out: &mut Vec<String>) -> Option<()> {
        let by = |set: &Option<String>| match set {
            Some(name) => self.sets.get(name),
            None => Some(split.set),
        };
        for part in parts {
            match part {
                Part::Word(word) => out.push(format!("{PREFIX}{word}")),
                Part::Prompt(prompt) => out.push(prompt.clone()),
                Part::Quotient(set) => self.number(by(set)?, split.quotient, depth + 1, out)?,
                Part::Remainder(set) => self.number(by(set)?, split.remainder, depth + 1, out)?,
                Part::Whole(set) => self.number(self.sets.get(set)?, split.number, depth + 1, out)?,
                Part::Left { some, none } => {
                    let chosen = if split.remainder == 0 { none } else { some };
                    self.parts(chosen, split, depth + 1, out)?;
                }
            }
        }
        Some(())
    }

    /// A date or time in one of the formats; `field` gives each part of it.
    pub(super) fn format(&self, format: &str, field: impl Fn(Field) -> Option<i64>) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for part in self.formats.get(format)? {
            match part {
                FormatPart::Word(word) => out.push(format!("{PREFIX}{word}")),
                FormatPart::Prompt(prompt) => out.push(prompt.clone()),
                FormatPart::Said(name, set) => out.extend(self.say(set, field(*name)?)?),
            }
        }
        Some(out)
    }

    /// One key of a telephone, or `+`.
    pub(super) fn key(&self, key: char) -> Option<Vec<String>> {
        match key.to_digit(10) {
            Some(digit) => self.say("digit", i64::from(digit)),
            None => self.words(self.symbols.get(&key)?),
        }
    }

    /// Parts that hold words only.
    pub(super) fn words(&self, parts: &[Part]) -> Option<Vec<String>> {
        let word = |part: &Part| match part {
            Part::Word(word) => Some(format!("{PREFIX}{word}")),
            Part::Prompt(prompt) => Some(prompt.clone()),
            _ => None,
        };
        parts.iter().map(word).collect()
    }

    pub(super) fn phone(&self) -> &Phone {
        &self.phone
    }
}

/// A number taken apart by the rule that holds for it.
struct Split<'t> {
    set: &'t Set,
    number: u64,
    quotient: u64,
    remainder: u64,
}
