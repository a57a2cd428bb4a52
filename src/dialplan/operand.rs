//! Values while an expression is worked out: borrowed where they can be.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::ivr::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand<'a> {
    Flag(bool),
    Integer(i64),
    Double(f64),
    Text(Cow<'a, str>),
    List(Cow<'a, [Value]>),
    Map(Cow<'a, BTreeMap<String, Value>>),
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("{0} has no value")]
    Unset(String),
    #[error("there is no '{0}'")]
    NoKey(String),
    #[error("there is no queue '{0}'")]
    NoQueue(String),
    #[error("{0} is not known")]
    NotKnown(String),
    #[error("{what} does not work with {with}")]
    WrongType { what: &'static str, with: String },
    #[error("the number is too large")]
    Overflow,
    #[error("division by zero")]
    DivisionByZero,
    /// In the words of the interpreter.
    #[error("{0}")]
    Other(String),
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Flag(flag) => Operand::Flag(*flag),
            Value::Integer(integer) => Operand::Integer(*integer),
            Value::Double(double) => Operand::Double(*double),
            Value::Text(text) => Operand::Text(Cow::Borrowed(text)),
            Value::List(items) => Operand::List(Cow::Borrowed(items)),
            Value::Map(entries) => Operand::Map(Cow::Borrowed(entries)),
        }
    }
}

impl From<Value> for Operand<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Flag(flag) => Operand::Flag(flag),
            Value::Integer(integer) => Operand::Integer(integer),
            Value::Double(double) => Operand::Double(double),
            Value::Text(text) => Operand::Text(Cow::Owned(text)),
            Value::List(items) => Operand::List(Cow::Owned(items)),
            Value::Map(entries) => Operand::Map(Cow::Owned(entries)),
        }
    }
}

impl Operand<'_> {
    pub(super) fn into_value(self) -> Value {
        match self {
            Operand::Flag(flag) => Value::Flag(flag),
            Operand::Integer(integer) => Value::Integer(integer),
            Operand::Double(double) => Value::Double(double),
            Operand::Text(text) => Value::Text(text.into_owned()),
            Operand::List(items) => Value::List(items.into_owned()),
            Operand::Map(entries) => Value::Map(entries.into_owned()),
        }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Operand::Flag(_) => "true or false",
            Operand::Integer(_) => "a whole number",
            Operand::Double(_) => "a number with decimals",
            Operand::Text(_) => "a text",
            Operand::List(_) => "a list",
            Operand::Map(_) => "a table",
        }
    }

    /// Equal as CEL has it: numbers by their value, and values of unlike types never.
    pub(super) fn equals(&self, other: &Operand<'_>) -> bool {
        match (self, other) {
            (Operand::List(one), Operand::List(other)) => {
                one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
            }
            (Operand::Map(one), Operand::Map(other)) => same_entries(one, other),
            (one, other) => one.compare(other) == Some(Ordering::Equal),
        }
    }

    /// `None`: the two have no order.
    pub(super) fn compare(&self, other: &Operand<'_>) -> Option<Ordering> {
        match (self, other) {
            (Operand::Flag(one), Operand::Flag(other)) => Some(one.cmp(other)),
            (Operand::Integer(one), Operand::Integer(other)) => Some(one.cmp(other)),
            (Operand::Integer(one), Operand::Double(other)) => (*one as f64).partial_cmp(other),
            (Operand::Double(one), Operand::Integer(other)) => one.partial_cmp(&(*other as f64)),
            (Operand::Double(one), Operand::Double(other)) => one.partial_cmp(other),
            (Operand::Text(one), Operand::Text(other)) => Some(one.as_ref().cmp(other.as_ref())),
            _ => None,
        }
    }

    /// `self in container`.
    pub(super) fn is_in(&self, container: &Operand<'_>) -> Result<bool, Fault> {
        match (self, container) {
            (item, Operand::List(items)) => Ok(items.iter().any(|other| item.equals(&Operand::from(other)))),
            (Operand::Text(key), Operand::Map(entries)) => Ok(entries.contains_key(key.as_ref())),
            (Operand::Flag(_) | Operand::Integer(_) | Operand::Double(_), Operand::Map(_)) => Ok(false),
            (_, other) => Err(Fault::WrongType { what: "in", with: other.describe().to_owned() }),
        }
    }
}

fn same(one: &Value, other: &Value) -> bool {
    Operand::from(one).equals(&Operand::from(other))
}

fn same_entries(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> bool {
    one.len() == other.len() && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
}

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().into_value().fmt(f)
    }
}
