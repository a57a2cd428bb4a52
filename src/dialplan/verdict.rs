//! Which rules of a level can run at all: by the words their conditions compare with.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::plan::Level;
use super::types::Type;

/// Levels whose variables can be so many combinations of words are not looked into.
const MOST_WAYS: usize = 2_048;

/// What is known of a level's rules beforehand.
pub(super) struct Verdicts {
    /// The rules that can run, by place.
    pub tried: BTreeSet<usize>,
    /// The rules whose condition can never hold.
    pub never: BTreeSet<usize>,
    /// It can be that no rule runs.
    pub falls_through: bool,
}

/// The word each variable has, on one of the ways looked at.
type Way<'a> = BTreeMap<&'a str, &'a str>;

pub(super) fn verdicts(level: &Level, types: &BTreeMap<String, Type>) -> Verdicts {
    let conditions: Vec<Option<&IdedExpr>> =
        level.rules.iter().map(|rule| rule.when.as_ref().map(|when| when.expression().ast())).collect();
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in &level.rules {
        for name in rule.when.iter().flat_map(|when| when.expression().variables()) {
            if let Some(Type::Word(of)) = types.get(name) {
                words.insert(name, of.iter().map(String::as_str).collect());
            }
        }
    }
    let ways = words.values().try_fold(1usize, |ways, of| ways.checked_mul(of.len()).filter(|ways| *ways <= MOST_WAYS));
    if ways.is_none() {
        words.clear();
    }
    let mut found = Verdicts { tried: BTreeSet::new(), never: (0..level.rules.len()).collect(), falls_through: false };
    let ways = ways.unwrap_or(1);
    for way in 0..ways {
        let mut rest = way;
        let mut assigned = Way::new();
        for (name, of) in &words {
            assigned.extend(of.get(rest % of.len().max(1)).map(|word| (*name, *word)));
            rest /= of.len().max(1);
        }
        found.walk(&conditions, &assigned);
    }
    found
}

impl Verdicts {
    fn walk(&mut self, conditions: &[Option<&IdedExpr>], way: &Way<'_>) {
        let mut decided = false;
        for (at, condition) in conditions.iter().enumerate() {
            let holds = condition.map_or(Some(true), |condition| holds(condition, way));
            if holds != Some(false) {
                self.never.remove(&at);
                if !decided {
                    self.tried.insert(at);
                }
            }
            decided |= holds == Some(true);
        }
        self.falls_through |= !decided;
    }
}

/// Whether a condition holds; `None` where the words do not tell.
fn holds(expression: &IdedExpr, way: &Way<'_>) -> Option<bool> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(flag)) => Some(*flag.inner()),
        Expr::Call(call) if call.target.is_none() => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [of]) => holds(of, way).map(|held| !held),
            (operators::LOGICAL_AND, [one, other]) => match (holds(one, way), holds(other, way)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            (operators::LOGICAL_OR, [one, other]) => match (holds(one, way), holds(other, way)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            (operators::EQUALS, [one, other]) => Some(word(one, way)? == word(other, way)?),
            (operators::NOT_EQUALS, [one, other]) => Some(word(one, way)? != word(other, way)?),
            (operators::IN, [one, IdedExpr { expr: Expr::List(list), .. }]) => {
                let one = word(one, way)?;
                let others: Option<Vec<&str>> = list.elements.iter().map(|element| word(element, way)).collect();
                Some(others?.contains(&one))
            }
            _ => None,
        },
        _ => None,
    }
}

fn word<'a>(expression: &'a IdedExpr, way: &Way<'a>) -> Option<&'a str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        Expr::Ident(name) => way.get(name.as_str()).copied(),
        _ => None,
    }
}
