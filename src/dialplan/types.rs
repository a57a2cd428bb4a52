//! The types of values in expressions.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::ivr::{OutputKind, Value};

/// More words than these are no longer told apart.
const MOST_WORDS: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Known at run time only.
    Any,
    Flag,
    Integer,
    Double,
    Text,
    /// A text that is one of these.
    Word(Arc<BTreeSet<String>>),
    List(Arc<Type>),
    /// From texts to this.
    Map(Arc<Type>),
    Record(Record),
}

/// What has fields that are known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    Call,
    Caller,
    Now,
    Queue,
    Params,
    Inputs,
}

impl Record {
    pub(super) fn name(self) -> &'static str {
        match self {
            Record::Call => "call",
            Record::Caller => "caller",
            Record::Now => "now",
            Record::Queue => "queue(…)",
            Record::Params => "params",
            Record::Inputs => "inputs",
        }
    }
}

impl Type {
    pub fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Type {
        let words: BTreeSet<String> = words.into_iter().map(str::to_owned).collect();
        if words.len() > MOST_WORDS { Type::Text } else { Type::Word(Arc::new(words)) }
    }

    pub fn list(of: Type) -> Type {
        Type::List(Arc::new(of))
    }

    pub fn map(to: Type) -> Type {
        Type::Map(Arc::new(to))
    }

    pub fn of(value: &Value) -> Type {
        match value {
            Value::Flag(_) => Type::Flag,
            Value::Integer(_) => Type::Integer,
            Value::Double(_) => Type::Double,
            Value::Text(text) => Type::word([text.as_str()]),
            Value::List(items) => Type::list(Type::join_all(items.iter().map(Type::of))),
            Value::Map(entries) => Type::map(Type::join_all(entries.values().map(Type::of))),
        }
    }

    /// The type of a module's output; `Choice` depends on the rule and is told by it.
    pub fn of_output(kind: OutputKind) -> Type {
        match kind {
            OutputKind::Text | OutputKind::Choice(_) => Type::Text,
            OutputKind::Flag => Type::Flag,
            OutputKind::Integer => Type::Integer,
            OutputKind::Double => Type::Double,
            OutputKind::List => Type::list(Type::Any),
            OutputKind::Map => Type::map(Type::Any),
            OutputKind::Word(words) => Type::word(words.iter().copied()),
            OutputKind::Any => Type::Any,
        }
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Type::Text | Type::Word(_))
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Type::Integer | Type::Double)
    }

    pub fn words(&self) -> Option<&BTreeSet<String>> {
        match self {
            Type::Word(words) => Some(words),
            _ => None,
        }
    }

    /// Without the words a text can be.
    pub fn open(self) -> Type {
        match self {
            Type::Word(_) => Type::Text,
            Type::List(of) => Type::list((*of).clone().open()),
            Type::Map(to) => Type::map((*to).clone().open()),
            other => other,
        }
    }

    /// The least type that holds both.
    pub fn join(self, other: Type) -> Type {
        match (self, other) {
            (one, other) if one == other => one,
            (Type::Word(one), Type::Word(other)) => Type::word(one.iter().chain(other.iter()).map(String::as_str)),
            (one, other) if one.is_text() && other.is_text() => Type::Text,
            (Type::List(one), Type::List(other)) => Type::list((*one).clone().join((*other).clone())),
            (Type::Map(one), Type::Map(other)) => Type::map((*one).clone().join((*other).clone())),
            _ => Type::Any,
        }
    }

    pub fn join_all(types: impl IntoIterator<Item = Type>) -> Type {
        types.into_iter().reduce(Type::join).unwrap_or(Type::Any)
    }

    /// Whether values of the two can be equal at all, words not looked at.
    pub fn compares_with(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(one), Type::List(other)) | (Type::Map(one), Type::Map(other)) => one.compares_with(other),
            (one, other) => one == other || one.is_text() && other.is_text() || one.is_number() && other.is_number(),
        }
    }

    /// Whether a value of this type can stand where `wanted` is asked for.
    pub fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Any, _) | (_, Type::Any) | (Type::Word(_), Type::Text) => true,
            (Type::Word(given), Type::Word(wanted)) => given.is_subset(wanted),
            (Type::List(one), Type::List(other)) | (Type::Map(one), Type::Map(other)) => one.fits(other),
            (one, other) => one == other,
        }
    }
}

/// In words, for findings: "a text".
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("a value of any type"),
            Type::Flag => f.write_str("true or false"),
            Type::Integer => f.write_str("a whole number"),
            Type::Double => f.write_str("a number with decimals"),
            Type::Text | Type::Word(_) => f.write_str("a text"),
            Type::List(_) => f.write_str("a list"),
            Type::Map(_) => f.write_str("a table"),
            Type::Record(record) => write!(f, "{}, which has fields", record.name()),
        }
    }
}
