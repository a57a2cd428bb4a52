//! Evaluates the common shapes of expressions directly. The interpreter of the `cel` crate takes microseconds for what
//! this does in a tenth of one, and a matrix may hold a thousand conditions. What is not among the shapes is left to cel
//! as a whole; a test compares the two on random expressions.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

pub(super) use super::operand::{Fault, Operand};
use super::scope::{FIGURES, Figure, GIVEN, Given, Scope};
use super::types::Record;
use crate::ivr::Value;

/// An expression, compiled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Variable(String),
    Given(Given),
    Header(String),
    Param(String),
    Input(String),
    Figure { queue: Box<Node>, figure: Figure },
    Field { of: Box<Node>, name: String },
    Index { of: Box<Node>, at: Box<Node> },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<(Node, Node)>),
    Or(Box<(Node, Node)>),
    Conditional(Box<(Node, Node, Node)>),
    Binary(Binary, Box<(Node, Node)>),
    Size(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    StartsWith,
    EndsWith,
    Contains,
}

impl Binary {
    fn of_operator(name: &str) -> Option<Binary> {
        Some(match name {
            operators::EQUALS => Binary::Equal,
            operators::NOT_EQUALS => Binary::NotEqual,
            operators::LESS => Binary::Less,
            operators::LESS_EQUALS => Binary::LessOrEqual,
            operators::GREATER => Binary::Greater,
            operators::GREATER_EQUALS => Binary::GreaterOrEqual,
            operators::IN => Binary::In,
            operators::ADD => Binary::Add,
            operators::SUBSTRACT => Binary::Subtract,
            operators::MULTIPLY => Binary::Multiply,
            operators::DIVIDE => Binary::Divide,
            operators::MODULO => Binary::Modulo,
            _ => return None,
        })
    }

    fn of_member(name: &str) -> Option<Binary> {
        Some(match name {
            "startsWith" => Binary::StartsWith,
            "endsWith" => Binary::EndsWith,
            "contains" => Binary::Contains,
            _ => return None,
        })
    }

    /// As it is written, for findings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::In => "in",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Modulo => "%",
            Binary::StartsWith => "startsWith",
            Binary::EndsWith => "endsWith",
            Binary::Contains => "contains",
        }
    }
}

/// The record of a given name.
pub(super) fn record_of(name: &str) -> Option<Record> {
    [Record::Call, Record::Caller, Record::Now, Record::Params, Record::Inputs]
        .into_iter()
        .find(|record| record.name() == name)
}

/// The name of a header that is asked for by `call.headers['…']` or `call.headers.…`, in lower case.
pub(super) fn header_of(expression: &Expr) -> Option<String> {
    let is_headers = |of: &IdedExpr| match &of.expr {
        Expr::Select(select) => {
            !select.test
                && select.field == "headers"
                && matches!(&select.operand.expr, Expr::Ident(name) if name == "call")
        }
        _ => false,
    };
    match expression {
        Expr::Select(select) if !select.test && is_headers(&select.operand) => Some(select.field.to_ascii_lowercase()),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] if is_headers(of) => {
                Some(name.inner().to_ascii_lowercase())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The queue of `queue(…)`.
pub(super) fn queue_of(expression: &Expr) -> Option<&IdedExpr> {
    match expression {
        Expr::Call(call) if call.func_name == "queue" && call.target.is_none() => match call.args.as_slice() {
            [queue] => Some(queue),
            _ => None,
        },
        _ => None,
    }
}

impl Node {
    /// `None` where something in it is not among the shapes.
    pub(super) fn compile(expression: &IdedExpr) -> Option<Node> {
        if let Some(header) = header_of(&expression.expr) {
            return Some(Node::Header(header));
        }
        Some(match &expression.expr {
            Expr::Literal(literal) => Node::Literal(literal_value(literal)?),
            Expr::Ident(name) if record_of(name).is_some() || name.starts_with('@') || is_type(name) => return None,
            Expr::Ident(name) => Node::Variable(name.clone()),
            // `has(a.b)` is for cel.
            Expr::Select(select) if select.test => return None,
            Expr::Select(select) => field(&select.operand, &select.field)?,
            Expr::Call(call) => Node::call(call)?,
            Expr::List(list) if list.optional_indices.is_empty() => {
                Node::List(list.elements.iter().map(Node::compile).collect::<Option<_>>()?)
            }
            Expr::Map(map) => {
                let entry = |entry: &cel::common::ast::IdedEntryExpr| match &entry.expr {
                    EntryExpr::MapEntry(entry) if !entry.optional => {
                        Some((Node::compile(&entry.key)?, Node::compile(&entry.value)?))
                    }
                    _ => None,
                };
                // A key that comes twice is cel's to refuse.
                let mut keys: Vec<(Node, Node)> = Vec::new();
                for (key, value) in map.entries.iter().map(entry).collect::<Option<Vec<_>>>()? {
                    if !matches!(key, Node::Literal(Value::Text(_))) || keys.iter().any(|(known, _)| *known == key) {
                        return None;
                    }
                    keys.push((key, value));
                }
                Node::Map(keys)
            }
            Expr::List(_) | Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => return None,
        })
    }

    fn call(call: &CallExpr) -> Option<Node> {
        let node = |expression: &IdedExpr| Node::compile(expression).map(Box::new);
        Some(match (&call.target, call.func_name.as_str(), call.args.as_slice()) {
            (None, operators::CONDITIONAL, [when, one, other]) => {
                Node::Conditional(Box::new((Node::compile(when)?, Node::compile(one)?, Node::compile(other)?)))
            }
            (None, operators::LOGICAL_AND, [one, other]) => {
                Node::And(Box::new((Node::compile(one)?, Node::compile(other)?)))
            }
            (None, operators::LOGICAL_OR, [one, other]) => {
                Node::Or(Box::new((Node::compile(one)?, Node::compile(other)?)))
            }
            (None, operators::LOGICAL_NOT, [of]) => Node::Not(node(of)?),
            (None, operators::NEGATE, [of]) => Node::Negate(node(of)?),
            (None, operators::INDEX, [of, at]) => match (&of.expr, &at.expr) {
                (Expr::Ident(_), Expr::Literal(LiteralValue::String(name))) if is_record(of) => {
                    field(of, name.inner())?
                }
                _ => Node::Index { of: node(of)?, at: node(at)? },
            },
            (None, "size", [of]) => Node::Size(node(of)?),
            (Some(of), "size", []) => Node::Size(node(of)?),
            (None, operator, [one, other]) => {
                Node::Binary(Binary::of_operator(operator)?, Box::new((Node::compile(one)?, Node::compile(other)?)))
            }
            (Some(of), member, [other]) => {
                Node::Binary(Binary::of_member(member)?, Box::new((Node::compile(of)?, Node::compile(other)?)))
            }
            _ => return None,
        })
    }

    pub(super) fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Operand<'a>, Fault> {
        match self {
            Node::Literal(value) => Ok(Operand::from(value)),
            Node::Variable(name) => scope.variable(name),
            Node::Given(given) => Ok(scope.given(*given)),
            Node::Header(name) => Ok(Operand::Text(Cow::Borrowed(scope.header(name)))),
            Node::Param(name) => scope.param(name).map(Operand::from),
            Node::Input(name) => scope.input(name).map(Operand::from),
            Node::Figure { queue, figure } => match queue.evaluate(scope)? {
                Operand::Text(queue) => scope.figure(&queue, *figure),
                other => Err(wrong("queue()", &other)),
            },
            Node::Field { of, name } => member(of.evaluate(scope)?, name),
            Node::Index { of, at } => index(of.evaluate(scope)?, &at.evaluate(scope)?),
            Node::List(nodes) => {
                let items: Result<Vec<Value>, Fault> =
                    nodes.iter().map(|node| Ok(node.evaluate(scope)?.into_value())).collect();
                Ok(Operand::List(Cow::Owned(items?)))
            }
            Node::Map(nodes) => {
                let mut entries = BTreeMap::new();
                for (key, value) in nodes {
                    if let Operand::Text(key) = key.evaluate(scope)? {
                        entries.insert(key.into_owned(), value.evaluate(scope)?.into_value());
                    }
                }
                Ok(Operand::Map(Cow::Owned(entries)))
            }
            Node::Not(of) => Ok(Operand::Flag(!flag("!", of.evaluate(scope)?)?)),
            Node::Negate(of) => match of.evaluate(scope)? {
                Operand::Integer(integer) => integer.checked_neg().map(Operand::Integer).ok_or(Fault::Overflow),
                Operand::Double(double) => Ok(Operand::Double(-double)),
                other => Err(wrong("-", &other)),
            },
            Node::And(both) => logic("&&", false, both, scope),
            Node::Or(both) => logic("||", true, both, scope),
            Node::Conditional(parts) => {
                let (when, one, other) = parts.as_ref();
                if flag("?", when.evaluate(scope)?)? { one.evaluate(scope) } else { other.evaluate(scope) }
            }
            Node::Binary(operator, both) => binary(*operator, &both.0.evaluate(scope)?, &both.1.evaluate(scope)?),
            Node::Size(of) => {
                let size = match of.evaluate(scope)? {
                    Operand::Text(text) => text.chars().count(),
                    Operand::List(items) => items.len(),
                    Operand::Map(entries) => entries.len(),
                    other => return Err(wrong("size", &other)),
                };
                Ok(Operand::Integer(i64::try_from(size).unwrap_or(i64::MAX)))
            }
        }
    }
}

/// A field of a record, of a queue, or of a table.
fn field(of: &IdedExpr, name: &str) -> Option<Node> {
    if let Some(queue) = queue_of(&of.expr) {
        let (_, figure, _) = FIGURES.into_iter().find(|(known, ..)| *known == name)?;
        return Some(Node::Figure { queue: Box::new(Node::compile(queue)?), figure });
    }
    let record = match &of.expr {
        Expr::Ident(of) => record_of(of),
        _ => None,
    };
    match record {
        None => Some(Node::Field { of: Box::new(Node::compile(of)?), name: name.to_owned() }),
        Some(Record::Params) => Some(Node::Param(name.to_owned())),
        Some(Record::Inputs) => Some(Node::Input(name.to_owned())),
        Some(record) => GIVEN
            .iter()
            .find(|(of, known, ..)| *of == record && *known == name)
            .map(|(_, _, given, _)| Node::Given(*given)),
    }
}

fn is_record(of: &IdedExpr) -> bool {
    matches!(&of.expr, Expr::Ident(name) if record_of(name).is_some())
}

/// A name that means a type where no variable has it: `type(x) == int`.
pub(super) fn is_type(name: &str) -> bool {
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"].contains(&name)
}

fn literal_value(literal: &LiteralValue) -> Option<Value> {
    Some(match literal {
        LiteralValue::Boolean(flag) => Value::Flag(*flag.inner()),
        LiteralValue::Int(integer) => Value::Integer(*integer.inner()),
        LiteralValue::Double(double) => Value::Double(*double.inner()),
        LiteralValue::String(text) => Value::Text(text.inner().to_owned()),
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => return None,
    })
}

fn wrong(what: &'static str, with: &Operand<'_>) -> Fault {
    Fault::WrongType { what, with: with.describe().to_owned() }
}

fn flag(what: &'static str, operand: Operand<'_>) -> Result<bool, Fault> {
    match operand {
        Operand::Flag(flag) => Ok(flag),
        other => Err(wrong(what, &other)),
    }
}

/// `&&` and `||`: one side that decides does so whatever the other is, an error included (the CEL specification,
/// "Logical Operators").
fn logic<'a>(
    what: &'static str,
    decides: bool,
    (one, other): &'a (Node, Node),
    scope: &Scope<'a>,
) -> Result<Operand<'a>, Fault> {
    let one = one.evaluate(scope).and_then(|operand| flag(what, operand));
    if one == Ok(decides) {
        return Ok(Operand::Flag(decides));
    }
    let other = flag(what, other.evaluate(scope)?)?;
    match one {
        Err(fault) if other != decides => Err(fault),
        _ => Ok(Operand::Flag(other)),
    }
}

fn binary<'a>(operator: Binary, one: &Operand<'_>, other: &Operand<'_>) -> Result<Operand<'a>, Fault> {
    let fault =
        || Fault::WrongType { what: operator.name(), with: format!("{} and {}", one.describe(), other.describe()) };
    let ordered = |accepts: fn(Ordering) -> bool| one.compare(other).map(accepts).ok_or_else(fault);
    let held = match operator {
        Binary::Equal => one.equals(other),
        Binary::NotEqual => !one.equals(other),
        Binary::Less => ordered(Ordering::is_lt)?,
        Binary::LessOrEqual => ordered(Ordering::is_le)?,
        Binary::Greater => ordered(Ordering::is_gt)?,
        Binary::GreaterOrEqual => ordered(Ordering::is_ge)?,
        Binary::In => one.is_in(other)?,
        Binary::StartsWith | Binary::EndsWith | Binary::Contains => match (operator, one, other) {
            (Binary::StartsWith, Operand::Text(text), Operand::Text(part)) => text.starts_with(part.as_ref()),
            (Binary::EndsWith, Operand::Text(text), Operand::Text(part)) => text.ends_with(part.as_ref()),
            (_, Operand::Text(text), Operand::Text(part)) => text.contains(part.as_ref()),
            _ => return Err(fault()),
        },
        operator => return arithmetic(operator, one, other).unwrap_or_else(|| Err(fault())),
    };
    Ok(Operand::Flag(held))
}

/// `None`: the operator is not for these types.
fn arithmetic<'a>(operator: Binary, one: &Operand<'_>, other: &Operand<'_>) -> Option<Result<Operand<'a>, Fault>> {
    Some(match (operator, one, other) {
        (_, Operand::Integer(one), Operand::Integer(other)) => {
            let worked = match operator {
                Binary::Add => one.checked_add(*other),
                Binary::Subtract => one.checked_sub(*other),
                Binary::Multiply => one.checked_mul(*other),
                Binary::Divide | Binary::Modulo if *other == 0 => return Some(Err(Fault::DivisionByZero)),
                Binary::Divide => one.checked_div(*other),
                _ => one.checked_rem(*other),
            };
            worked.map(Operand::Integer).ok_or(Fault::Overflow)
        }
        (Binary::Add, Operand::Double(one), Operand::Double(other)) => Ok(Operand::Double(one + other)),
        (Binary::Subtract, Operand::Double(one), Operand::Double(other)) => Ok(Operand::Double(one - other)),
        (Binary::Multiply, Operand::Double(one), Operand::Double(other)) => Ok(Operand::Double(one * other)),
        (Binary::Divide, Operand::Double(one), Operand::Double(other)) => Ok(Operand::Double(one / other)),
        (Binary::Add, Operand::Text(one), Operand::Text(other)) => {
            Ok(Operand::Text(Cow::Owned(format!("{one}{other}"))))
        }
        (Binary::Add, Operand::List(one), Operand::List(other)) => {
            Ok(Operand::List(Cow::Owned(one.iter().chain(other.iter()).cloned().collect())))
        }
        _ => return None,
    })
}

fn member<'a>(of: Operand<'a>, name: &str) -> Result<Operand<'a>, Fault> {
    let missing = || Fault::NoKey(name.to_owned());
    match of {
        Operand::Map(Cow::Borrowed(entries)) => entries.get(name).map(Operand::from).ok_or_else(missing),
        Operand::Map(Cow::Owned(mut entries)) => entries.remove(name).map(Operand::from).ok_or_else(missing),
        other => Err(wrong("a field", &other)),
    }
}

fn index<'a>(of: Operand<'a>, at: &Operand<'_>) -> Result<Operand<'a>, Fault> {
    match (of, at) {
        (of @ Operand::Map(_), Operand::Text(key)) => member(of, key),
        (Operand::List(items), Operand::Integer(at)) => {
            let missing = || Fault::NoKey(at.to_string());
            let at = usize::try_from(*at).map_err(|_| missing())?;
            match items {
                Cow::Borrowed(items) => items.get(at).map(Operand::from).ok_or_else(missing),
                Cow::Owned(items) => items.into_iter().nth(at).map(Operand::from).ok_or_else(missing),
            }
        }
        (Operand::Map(_), key) => Err(Fault::NoKey(key.to_string())),
        (other, _) => Err(wrong("[…]", &other)),
    }
}
