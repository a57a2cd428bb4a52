//! Conditions and computed inputs, in CEL: compiled once at load, bounded in length, without side effects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Env, Program};

use super::plan::{Plan, Seen};
use super::run::Facts;
use super::trail::private;
use crate::findings::suggest;
use crate::ids::Language;
use crate::ivr::Value;

/// Longer expressions are refused: nobody reads them, and parsing them costs.
const LONGEST: usize = 2_000;

/// A macro over a list (`exists`, `map`, …) may stand in one other; more would let the work grow without bound.
const DEEPEST_MACRO: usize = 2;

/// The functions of the standard library, for findings.
pub(super) const FUNCTIONS: [&str; 12] =
    ["bool", "bytes", "contains", "double", "dyn", "endsWith", "int", "size", "startsWith", "string", "type", "uint"];

const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// What stands in scope besides a plan's own variables, for findings.
pub(super) const GIVEN: [&str; 4] = ["call", "caller", "params", "result"];

/// The standard library, built once.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression and its text.
#[derive(Debug)]
struct Expression {
    text: String,
    program: Program,
    /// The names it refers to, each once: `open`, `call.from`.
    names: Vec<String>,
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
    /// Macros around the place looked at.
    depth: usize,
    found: Vec<Reference>,
    faults: Vec<Fault>,
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
                let named = call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if named && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    let hint = suggest(&call.func_name, FUNCTIONS).map(|hint| format!("; {hint}")).unwrap_or_default();
                    self.fault(expression.id, format!("there is no function '{}'{hint}", call.func_name));
                }
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
                self.depth += 1;
                if self.depth > DEEPEST_MACRO {
                    self.fault(expression.id, format!("more than {DEEPEST_MACRO} macros stand in one another"));
                }
                self.expression(&comprehension.loop_cond);
                self.expression(&comprehension.loop_step);
                self.expression(&comprehension.result);
                self.depth -= 1;
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

    fn offset(&self, id: u64) -> usize {
        self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize)
    }

    fn fault(&mut self, id: u64, message: String) {
        let offset = self.offset(id);
        self.faults.push(Fault { offset, message });
    }

    fn name(&mut self, name: &str, field: Option<&str>, id: u64) {
        // `type(x) == int` names a type.
        let is_type = field.is_none() && TYPES.contains(&name);
        if !is_type && !self.bound.contains(&name) && !name.starts_with('@') {
            let offset = self.offset(id);
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
            Ok(program) => Expression { text: text.to_owned(), program, names: Vec::new() }.check(),
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

    /// What the parser lets pass and evaluation would stumble over every time.
    fn check(mut self) -> Result<Expression, Vec<Fault>> {
        let walk = self.walk();
        if !walk.faults.is_empty() {
            return Err(walk.faults);
        }
        let mut names: Vec<String> = Vec::new();
        for reference in walk.found {
            let name = match reference.field {
                Some(field) => format!("{}.{field}", reference.name),
                None => reference.name,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        self.names = names;
        Ok(self)
    }

    fn walk(&self) -> Walk<'_> {
        let mut walk =
            Walk { program: &self.program, bound: Vec::new(), depth: 0, found: Vec::new(), faults: Vec::new() };
        walk.expression(self.program.expression());
        walk
    }

    fn references(&self) -> Vec<Reference> {
        self.walk().found
    }
}

impl Condition {
    pub(super) fn compile(text: &str) -> Result<Condition, Vec<Fault>> {
        Expression::compile(text).map(Condition)
    }

    /// Whether it holds, or why that cannot be said: an error at run time, or anything but a boolean.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        match self.0.evaluate(scope) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("is {}, not true or false", other.type_of())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The names it looks at, each once: `open`, `call.from`.
    pub(super) fn seen(&self) -> &[String] {
        &self.0.names
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

    /// Whether it looks at one of these variables.
    pub(super) fn looks_at(&self, variables: &BTreeSet<String>) -> bool {
        self.0.names.iter().any(|name| variables.contains(name.split('.').next().unwrap_or(name)))
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
    /// Variables that no trace shows.
    private: &'a BTreeSet<String>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        plan: Option<&'a Plan>,
        facts: &'a Facts,
        language: &'a Language,
        variables: &'a BTreeMap<String, Value>,
        private: &'a BTreeSet<String>,
    ) -> Scope<'a> {
        Scope { plan, facts, language, variables, private }
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

    fn caller(&self) -> BTreeMap<String, Value> {
        let caller = &self.facts.caller;
        BTreeMap::from([
            ("known".to_owned(), Value::Flag(caller.known)),
            ("last_agent".to_owned(), Value::from(caller.last_agent.as_str())),
            ("contacts_30d".to_owned(), Value::Integer(caller.contacts_30d)),
            ("calls_today".to_owned(), Value::Integer(caller.calls_today)),
            ("value".to_owned(), Value::Integer(caller.value)),
            ("segment".to_owned(), Value::from(caller.segment.as_str())),
        ])
    }

    /// What a name stands for, for the trace.
    pub(super) fn look(&self, seen: &Seen) -> Option<Value> {
        let (name, field) = match seen.name.split_once('.') {
            Some((name, field)) => (name, Some(field)),
            None => (seen.name.as_str(), None),
        };
        if self.private.contains(name) {
            return Some(private());
        }
        match (self.value(name)?, field) {
            (Value::Map(mut entries), Some(field)) => entries.remove(field),
            (_, Some(_)) => None,
            (value, None) => Some(value),
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        match name {
            "call" => Some(Value::Map(self.call())),
            "caller" => Some(Value::Map(self.caller())),
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
