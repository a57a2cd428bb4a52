//! Conditions and computed inputs: the two places where a plan holds an expression.

use super::evaluate::{Fault, Operand};
use super::expression::{Expression, Misuse};
use super::scope::Scope;
use crate::ivr::Value;

/// `when`: whether a rule is executed.
#[derive(Debug)]
pub struct Condition(Expression);

/// `{ cel = "…" }`: an input worked out when its rule runs.
#[derive(Debug)]
pub struct Computed(Expression);

impl Condition {
    pub(super) fn compile(text: &str) -> Result<Condition, Vec<Misuse>> {
        Expression::compile(text).map(Condition)
    }

    /// Whether it holds, or why that cannot be told: an error at run time, or anything but a boolean.
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<bool, Fault> {
        match self.0.evaluate(scope)? {
            Operand::Flag(flag) => Ok(flag),
            other => Err(Fault::WrongType { what: "a condition", with: other.describe().to_owned() }),
        }
    }

    pub(super) fn expression(&self) -> &Expression {
        &self.0
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl Computed {
    pub(super) fn compile(text: &str) -> Result<Computed, Vec<Misuse>> {
        Expression::compile(text).map(Computed)
    }

    /// `None` where it cannot be worked out, or is of no type a plan knows.
    pub(super) fn value(&self, scope: &Scope<'_>) -> Option<Value> {
        self.0.evaluate(scope).ok().map(Operand::into_value)
    }

    pub(super) fn expression(&self) -> &Expression {
        &self.0
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }
}
