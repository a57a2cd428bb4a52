//! Conditions and computed inputs, in CEL: compiled once at load, bounded in length, without side effects.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Env, Program};

use super::plan::Plan;
use super::run::Facts;
use crate::ids::Language;
use crate::ivr::Value;

/// Longer expressions are refused: nobody reads them, and parsing them costs.
const LONGEST: usize = 2_000;

/// What stands in scope besides a plan's own variables, for findings.
pub(super) const GIVEN: [&str; 3] = ["call", "params", "result"];

/// The standard library, built once.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression and its text.
#[derive(Debug)]
struct Expression {
    text: String,
    program: Program,
}

/// `when`: whether a rule is executed.
#[derive(Debug)]
pub struct Condition(Expression);

/// `{ cel = "…" }`: an input worked out when its rule runs.
#[derive(Debug)]
pub struct Computed(Expression);

/// What is wrong with an expression: where in it, in bytes, and why.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub offset: usize,
    pub message: String,
}

/// A name an expression refers to: `call`, or `call.from` with its field.
#[derive(Debug, PartialEq)]
pub(super) struct Reference {
    pub name: String,
    pub field: Option<String>,
    /// In bytes from the beginning of the expression.
    pub offset: usize,
}

/// Finds the free names of an expression; those a macro binds (`exists(x, …)`) are not among them.
struct Walk<'p> {
    program: &'p Program,
    bound: Vec<&'p str>,
    found: Vec<Reference>,
}

impl<'p> Walk<'p> {
    fn expression(&mut self, expression: &'p IdedExpr) {
        match &expression.expr {
            Expr::Ident(name) => self.name(name, None, expression.id),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) => self.name(name, Some(&select.field), select.operand.id),
                _ => self.expression(&select.operand),
            },
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.expression(target));
                call.args.iter().for_each(|argument| self.expression(argument));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(entry)),
            Expr::Struct(fields) => fields.entries.iter().for_each(|entry| self.entry(entry)),
            Expr::Comprehension(comprehension) => {
                self.expression(&comprehension.iter_range);
                self.expression(&comprehension.accu_init);
                let before = self.bound.len();
                self.bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                self.bound.extend(comprehension.iter_var2.as_deref());
                self.expression(&comprehension.loop_cond);
                self.expression(&comprehension.loop_step);
                self.expression(&comprehension.result);
                self.bound.truncate(before);
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'p IdedEntryExpr) {
        match &entry.expr {
            EntryExpr::StructField(field) => self.expression(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key);
                self.expression(&entry.value);
            }
        }
    }

    fn name(&mut self, name: &str, field: Option<&str>, id: u64) {
        if !self.bound.contains(&name) && !name.starts_with('@') {
            let offset = self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
            self.found.push(Reference { name: name.to_owned(), field: field.map(str::to_owned), offset });
        }
    }
}

impl Expression {
    fn compile(text: &str) -> Result<Expression, Vec<Fault>> {
        if text.len() > LONGEST {
            let message = format!("the expression has {} characters; at most {LONGEST}", text.len());
            return Err(vec![Fault { offset: 0, message }]);
        }
        if text.trim().is_empty() {
            return Err(vec![Fault { offset: 0, message: "the expression is empty".to_owned() }]);
        }
        match ENVIRONMENT.compile(text) {
            Ok(program) => Ok(Expression { text: text.to_owned(), program }),
            Err(errors) => Err(errors
                .errors
                .iter()
                .map(|error| Fault { offset: offset_of(text, error.pos), message: one_line(&error.msg) })
                .collect()),
        }
    }

    fn evaluate(&self, scope: &Scope<'_>) -> Result<cel::Value, cel::ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(scope);
        self.program.execute(&context)
    }

    fn references(&self) -> Vec<Reference> {
        let mut walk = Walk { program: &self.program, bound: Vec::new(), found: Vec::new() };
        walk.expression(self.program.expression());
        walk.found
    }
}

impl Condition {
    pub(super) fn compile(text: &str) -> Result<Condition, Vec<Fault>> {
        Expression::compile(text).map(Condition)
    }

    /// An error at run time, or anything but a boolean, counts as false.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> bool {
        matches!(self.0.evaluate(scope), Ok(cel::Value::Bool(true)))
    }

    pub(super) fn references(&self) -> Vec<Reference> {
        self.0.references()
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl Computed {
    pub(super) fn compile(text: &str) -> Result<Computed, Vec<Fault>> {
        Expression::compile(text).map(Computed)
    }

    /// `None` where it cannot be worked out, or is of no type a plan knows.
    pub(super) fn value(&self, scope: &Scope<'_>) -> Option<Value> {
        self.0.evaluate(scope).ok().as_ref().and_then(from_cel)
    }

    pub(super) fn references(&self) -> Vec<Reference> {
        self.0.references()
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }
}

/// What expressions see: `call`, `params`, `result`, and the plan's variables.
pub(super) struct Scope<'a> {
    plan: Option<&'a Plan>,
    facts: &'a Facts,
    language: &'a Language,
    variables: &'a BTreeMap<String, Value>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        plan: Option<&'a Plan>,
        facts: &'a Facts,
        language: &'a Language,
        variables: &'a BTreeMap<String, Value>,
    ) -> Scope<'a> {
        Scope { plan, facts, language, variables }
    }

    fn call(&self) -> BTreeMap<String, Value> {
        let captured = self.plan.and_then(|plan| plan.numbers.iter().find_map(|number| number.capture(&self.facts.to)));
        BTreeMap::from([
            ("id".to_owned(), Value::Text(self.facts.call_id.to_string())),
            ("from".to_owned(), Value::from(self.facts.from.as_str())),
            ("to".to_owned(), Value::from(self.facts.to.as_str())),
            ("trunk".to_owned(), Value::from(self.facts.trunk.as_ref().map_or("", |trunk| trunk.as_str()))),
            ("language".to_owned(), Value::from(self.language.as_str())),
            // What stood in the places of N, X, Z and . of the plan's number.
            ("digits".to_owned(), Value::Text(captured.unwrap_or_default())),
        ])
    }

    fn value(&self, name: &str) -> Option<Value> {
        match name {
            "call" => Some(Value::Map(self.call())),
            "params" => Some(Value::Map(self.plan.map(|plan| plan.params.clone()).unwrap_or_default())),
            name => match self.variables.get(name) {
                Some(value) => Some(value.clone()),
                None => (name == "result").then(|| Value::from("")),
            },
        }
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = to_cel(&self.value(variable)?);
        value.try_into().ok().map(CowVal::Owned)
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Flag(flag) => cel::Value::Bool(*flag),
        Value::Integer(integer) => cel::Value::Int(*integer),
        Value::Text(text) => cel::Value::from(text.as_str()),
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Map(entries) => {
            let entries: HashMap<Key, cel::Value> =
                entries.iter().map(|(key, item)| (Key::from(key.as_str()), to_cel(item))).collect();
            cel::Value::from(entries)
        }
    }
}

fn from_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Bool(flag) => Value::Flag(*flag),
        cel::Value::Int(integer) => Value::Integer(*integer),
        cel::Value::UInt(integer) => Value::Integer(i64::try_from(*integer).ok()?),
        cel::Value::String(text) => Value::Text(text.as_str().to_owned()),
        cel::Value::List(items) => Value::List(items.iter().map(from_cel).collect::<Option<_>>()?),
        cel::Value::Map(entries) => Value::Map(
            entries.map.iter().map(|(key, item)| Some((key.to_string(), from_cel(item)?))).collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// The parser counts lines from 1 and columns from 1, in characters; either may be out of range.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line_index = usize::try_from(line - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(line_index).map(str::len).sum();
    let rest = text.get(start..).unwrap_or("");
    let characters = usize::try_from(column - 1).unwrap_or(0);
    let within = rest.char_indices().nth(characters).map_or(rest.len(), |(at, _)| at);
    (start + within).min(text.len())
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
