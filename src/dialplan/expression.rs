//! Expressions in CEL: read once at load, bounded in length and depth, without side effects.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::objects::Key;
use cel::{Context, Env, Program};

use super::evaluate::{Fault, Node, Operand, header_of, is_type, queue_of, record_of};
use super::scope::Scope;
use super::types::Record;
use crate::ivr::Value;

/// Longer expressions are refused: nobody reads them, and parsing them costs.
const LONGEST: usize = 2_000;

/// Names that stand for what cel's scope has no words for; no expression can write an `@`.
const HEADER: &str = "@header:";
const QUEUES: &str = "@queues";

/// The standard library, built once.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression and its text.
#[derive(Debug)]
pub(super) struct Expression {
    pub text: String,
    program: Program,
    compiled: Compiled,
    /// The names it looks at, as they are written: `open`, `call.from`, `queue('support').waiting`.
    names: Vec<String>,
    /// The plan's own variables among them.
    variables: Vec<String>,
}

#[derive(Debug)]
enum Compiled {
    Node(Node),
    /// For cel, with headers and queues renamed.
    Cel(IdedExpr),
}

/// What is wrong with an expression: where in it, in bytes, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Misuse {
    pub offset: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Expression {
    pub(super) fn compile(text: &str) -> Result<Expression, Vec<Misuse>> {
        let whole = |message: String| Err(vec![Misuse { offset: 0, message, hint: None }]);
        if text.len() > LONGEST {
            return whole(format!("the expression has {} characters; at most {LONGEST}", text.len()));
        }
        if text.trim().is_empty() {
            return whole("the expression is empty".to_owned());
        }
        match ENVIRONMENT.compile(text) {
            Ok(program) => {
                let expression = program.expression();
                let compiled = match Node::compile(expression) {
                    Some(node) => Compiled::Node(node),
                    None => Compiled::Cel(for_cel(expression.clone())),
                };
                let mut look = Look::default();
                look.at(expression, false);
                let (names, variables) = (look.names, look.variables);
                Ok(Expression { text: text.to_owned(), compiled, names, variables, program })
            }
            Err(errors) => Err(errors
                .errors
                .iter()
                .map(|error| Misuse { offset: offset_of(text, error.pos), message: one_line(&error.msg), hint: None })
                .collect()),
        }
    }

    /// The names it looks at, as written.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The plan's own variables it looks at.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    pub(super) fn ast(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// Where a part of it stands, in bytes from its beginning.
    pub(super) fn offset(&self, id: u64) -> usize {
        self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize)
    }

    pub(super) fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Operand<'a>, Fault> {
        match &self.compiled {
            Compiled::Node(node) => node.evaluate(scope),
            Compiled::Cel(expression) => {
                let value = interpret(expression, scope)?;
                let value =
                    from_cel(&value).ok_or_else(|| Fault::Other("the value is of no type of a plan".to_owned()))?;
                Ok(Operand::from(value))
            }
        }
    }
}

/// An expression evaluated by the interpreter.
pub(super) fn interpret(expression: &IdedExpr, scope: &Scope<'_>) -> Result<cel::Value, Fault> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(scope);
    cel::Value::resolve(expression, &context).map_err(|error| Fault::Other(one_line(&error.to_string())))
}

/// Renames what only this room knows: a header, of which an absent one is an empty text, and `queue(…)`.
pub(super) fn for_cel(mut expression: IdedExpr) -> IdedExpr {
    if let Some(header) = header_of(&expression.expr) {
        expression.expr = Expr::Ident(format!("{HEADER}{header}"));
        return expression;
    }
    if let Some(queue) = queue_of(&expression.expr) {
        let queues = IdedExpr { id: expression.id, expr: Expr::Ident(QUEUES.to_owned()) };
        let args = vec![queues, for_cel(queue.clone())];
        expression.expr = Expr::Call(CallExpr { func_name: operators::INDEX.to_owned(), target: None, args });
        return expression;
    }
    let renew = |part: &mut IdedExpr| *part = for_cel(std::mem::take(part));
    match &mut expression.expr {
        Expr::Select(select) => renew(&mut select.operand),
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| renew(target));
            call.args.iter_mut().for_each(renew);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(renew),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    renew(&mut entry.key);
                    renew(&mut entry.value);
                }
            }
        }
        Expr::Comprehension(comprehension) => {
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                renew(part);
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
    expression
}

/// Gathers the names an expression looks at, and the variables among them; those a macro binds are not.
#[derive(Default)]
struct Look<'e> {
    bound: Vec<&'e str>,
    names: Vec<String>,
    variables: Vec<String>,
}

impl<'e> Look<'e> {
    /// `within` a name: only variables are gathered.
    fn at(&mut self, expression: &'e IdedExpr, within: bool) {
        if let Expr::Ident(name) = &expression.expr {
            let is_own = !self.bound.contains(&name.as_str())
                && !name.starts_with('@')
                && record_of(name).is_none()
                && !is_type(name);
            if is_own && !self.variables.contains(name) {
                self.variables.push(name.clone());
            }
        }
        let name = written(expression, &self.bound).filter(|_| !within);
        let within = within || name.is_some();
        self.names.extend(name.filter(|name| !self.names.contains(name)));
        match &expression.expr {
            Expr::Select(select) => self.at(&select.operand, within),
            Expr::Call(call) => {
                // The name of a queue is not part of a figure's.
                let within = within && queue_of(&expression.expr).is_none();
                call.target.iter().for_each(|target| self.at(target, within));
                call.args.iter().for_each(|argument| self.at(argument, within));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.at(element, within)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.at(&entry.key, within);
                        self.at(&entry.value, within);
                    }
                }
            }
            Expr::Comprehension(comprehension) => {
                self.at(&comprehension.iter_range, within);
                let before = self.bound.len();
                self.bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                self.bound.extend(comprehension.iter_var2.as_deref());
                self.at(&comprehension.loop_step, within);
                self.bound.truncate(before);
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }
}

/// `open`, `call.from`, `queue('support').waiting`, `call.headers['x-tier']` as it is written; `None` for anything else.
pub(super) fn written(expression: &IdedExpr, bound: &[&str]) -> Option<String> {
    if let Some(header) = header_of(&expression.expr) {
        return Some(format!("call.headers['{header}']"));
    }
    match &expression.expr {
        Expr::Ident(name) if bound.contains(&name.as_str()) || name.starts_with('@') => None,
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => match queue_of(&select.operand.expr) {
            Some(queue) => {
                let queue = match &queue.expr {
                    Expr::Literal(cel::common::ast::LiteralValue::String(name)) => format!("'{}'", name.inner()),
                    _ => written(queue, bound)?,
                };
                Some(format!("queue({queue}).{}", select.field))
            }
            None => Some(format!("{}.{}", written(&select.operand, bound)?, select.field)),
        },
        _ => None,
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = match variable.strip_prefix(HEADER) {
            Some(header) => Value::from(self.header(header)),
            None if variable == QUEUES => Value::Map(self.record(Record::Queue)),
            None => match record_of(variable) {
                Some(record) => Value::Map(self.record(record)),
                None => self.variable(variable).ok()?.into_value(),
            },
        };
        to_cel(&value).try_into().ok().map(CowVal::Owned)
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Flag(flag) => cel::Value::Bool(*flag),
        Value::Integer(integer) => cel::Value::Int(*integer),
        Value::Double(double) => cel::Value::Float(*double),
        Value::Text(text) => cel::Value::from(text.as_str()),
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Map(entries) => {
            let entries: HashMap<Key, cel::Value> =
                entries.iter().map(|(key, item)| (Key::from(key.as_str()), to_cel(item))).collect();
            cel::Value::from(entries)
        }
    }
}

pub(super) fn from_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Bool(flag) => Value::Flag(*flag),
        cel::Value::Int(integer) => Value::Integer(*integer),
        cel::Value::UInt(integer) => Value::Integer(i64::try_from(*integer).ok()?),
        cel::Value::Float(double) => Value::Double(*double),
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
