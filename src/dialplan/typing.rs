//! Types the expressions of a plan over its variables: the `cel` crate does not, and a condition that can never hold is
//! found when the plan is checked, not when a customer rings.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::evaluate::{is_type, queue_of, record_of};
use super::expression::{Expression, Misuse, written};
use super::scope::{FIGURES, GIVEN};
use super::types::{Record, Type};
use crate::findings::suggest;
use crate::ids::QueueId;
use crate::ivr::Names;

/// A macro over a list (`exists`, `map`, …) may stand in one other; more would let the work grow without bound.
const DEEPEST_MACRO: usize = 2;

/// The functions of the standard library, and `queue`.
const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "queue",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// What stands in scope besides a plan's own variables, for findings.
const GIVEN_NAMES: [&str; 6] = ["call", "caller", "inputs", "now", "params", "result"];

/// What the expressions of one plan may name.
pub(super) struct Vocabulary<'a> {
    pub names: &'a Names,
    pub variables: BTreeMap<String, Type>,
    pub params: BTreeMap<String, Type>,
    pub inputs: BTreeMap<String, Type>,
    /// The plan says whose clock `now` is.
    pub has_zone: bool,
}

impl<'a> Vocabulary<'a> {
    /// The same with other variables.
    pub(super) fn with(&self, variables: BTreeMap<String, Type>) -> Vocabulary<'a> {
        let (params, inputs) = (self.params.clone(), self.inputs.clone());
        Vocabulary { names: self.names, variables, params, inputs, has_zone: self.has_zone }
    }
}

/// What an expression is found to be.
pub(super) struct Typed {
    pub of: Type,
    pub misuses: Vec<Misuse>,
}

pub(super) fn typed(expression: &Expression, vocabulary: &Vocabulary<'_>) -> Typed {
    let mut typing = Typing { expression, vocabulary, bound: Vec::new(), depth: 0, misuses: Vec::new() };
    let of = typing.infer(expression.ast());
    Typed { of, misuses: typing.misuses }
}

struct Typing<'a> {
    expression: &'a Expression,
    vocabulary: &'a Vocabulary<'a>,
    /// Names that macros bind.
    bound: Vec<(&'a str, Type)>,
    /// Macros around the place looked at.
    depth: usize,
    misuses: Vec<Misuse>,
}

impl<'a> Typing<'a> {
    fn infer(&mut self, expression: &'a IdedExpr) -> Type {
        match &expression.expr {
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => self.name(name, expression.id),
            Expr::Select(select) => {
                let of = self.infer(&select.operand);
                let field = self.field(&of, &select.field, &select.operand);
                if select.test { Type::Flag } else { field }
            }
            Expr::Call(call) => self.call(call, expression),
            Expr::List(list) => {
                let items: Vec<Type> = list.elements.iter().map(|element| self.infer(element)).collect();
                Type::list(Type::join_all(items))
            }
            Expr::Map(map) => {
                let mut values = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.infer(&entry.key);
                        values.push(self.infer(&entry.value));
                    }
                }
                Type::map(Type::join_all(values))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, expression.id),
            Expr::Struct(_) => {
                self.misuse(begins(expression), "a plan knows no messages of types of their own", None);
                Type::Any
            }
            Expr::Unspecified => Type::Any,
        }
    }

    fn misuse(&mut self, id: u64, message: impl Into<String>, hint: Option<String>) {
        let offset = self.expression.offset(id);
        self.misuses.push(Misuse { offset, message: message.into(), hint });
    }

    fn name(&mut self, name: &str, id: u64) -> Type {
        if let Some((_, of)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return of.clone();
        }
        if let Some(record) = record_of(name) {
            if record == Record::Now && !self.vocabulary.has_zone {
                let hint = "write time_zone = \"Europe/Paris\" at the top of the file".to_owned();
                self.misuse(id, "now is a local time, and the plan names no time zone", Some(hint));
            }
            return Type::Record(record);
        }
        match self.vocabulary.variables.get(name) {
            Some(of) => of.clone(),
            None if is_type(name) => Type::Any,
            None => {
                let known = GIVEN_NAMES.into_iter().chain(self.vocabulary.variables.keys().map(String::as_str));
                let hint = suggest(name, known);
                self.misuse(id, format!("no rule sets '{name}'"), hint);
                Type::Any
            }
        }
    }

    fn field(&mut self, of: &Type, name: &str, operand: &IdedExpr) -> Type {
        let record = match of {
            Type::Record(record) => *record,
            Type::Map(to) => return (**to).clone(),
            Type::Any => return Type::Any,
            other => {
                let shown = shown(operand).unwrap_or_else(|| "this".to_owned());
                self.misuse(begins(operand), format!("{shown} is {other} and has no field '{name}'"), None);
                return Type::Any;
            }
        };
        let own = match record {
            Record::Params => Some(&self.vocabulary.params),
            Record::Inputs => Some(&self.vocabulary.inputs),
            _ => None,
        };
        let found = match (own, record) {
            (Some(own), _) => own.get(name).cloned(),
            (None, Record::Queue) => FIGURES.into_iter().find(|(known, ..)| *known == name).map(|(_, _, of)| of),
            (None, _) => GIVEN.iter().find(|(of, known, ..)| *of == record && *known == name).map(|(.., of)| of()),
        };
        found.unwrap_or_else(|| {
            let known: Vec<&str> = match (own, record) {
                (Some(own), _) => own.keys().map(String::as_str).collect(),
                (None, Record::Queue) => FIGURES.iter().map(|(known, ..)| *known).collect(),
                (None, _) => GIVEN.iter().filter(|(of, ..)| *of == record).map(|(_, known, ..)| *known).collect(),
            };
            let hint = suggest(name, known);
            let message = match record {
                Record::Params | Record::Inputs => format!("[{}] has no '{name}'", record.name()),
                _ => format!("there is no {}.{name}", record.name()),
            };
            self.misuse(begins(operand), message, hint);
            Type::Any
        })
    }

    fn call(&mut self, call: &'a CallExpr, expression: &'a IdedExpr) -> Type {
        let id = expression.id;
        if let Some(queue) = queue_of(&expression.expr) {
            return self.queue(queue);
        }
        let name = call.func_name.as_str();
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return self.function(call, id);
        }
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [one, other]) => {
                self.wants_flag(one, name);
                self.wants_flag(other, name);
                Type::Flag
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [of]) => {
                self.wants_flag(of, name);
                Type::Flag
            }
            (operators::CONDITIONAL, [when, one, other]) => {
                self.wants_flag(when, name);
                self.infer(one).join(self.infer(other))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => {
                let (left, right) = (self.infer(one), self.infer(other));
                self.can_be_equal((one, &left), (other, &right), id);
                Type::Flag
            }
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [one, other],
            ) => {
                let (left, right) = (self.infer(one), self.infer(other));
                let ordered = |of: &Type| !matches!(of, Type::List(_) | Type::Map(_) | Type::Record(_));
                if !left.compares_with(&right) || !ordered(&left) || !ordered(&right) {
                    self.unlike((one, &left), (other, &right), id);
                }
                Type::Flag
            }
            (operators::IN, [one, other]) => self.contained(one, other),
            (operators::NEGATE, [of]) => {
                let inferred = self.infer(of);
                if !inferred.is_number() && inferred != Type::Any {
                    self.misuse(
                        begins(of),
                        format!("{} is {inferred}, and - takes a number", shown_or(of, "this")),
                        None,
                    );
                }
                inferred
            }
            (operators::INDEX, [of, at]) => self.index(of, at),
            (_, [one, other]) => self.arithmetic(name, one, other, id),
            _ => {
                call.args.iter().for_each(|argument| {
                    self.infer(argument);
                });
                Type::Any
            }
        }
    }

    fn wants_flag(&mut self, expression: &'a IdedExpr, operator: &str) {
        let of = self.infer(expression);
        if !matches!(of, Type::Flag | Type::Any) {
            let operator = operator.trim_matches('_').trim_start_matches('@');
            let message = format!("{} is {of}, and {operator} takes true or false", shown_or(expression, "this"));
            self.misuse(begins(expression), message, Some("compare it with something, as in a == 'b'".to_owned()));
        }
    }

    fn unlike(&mut self, (one, left): (&IdedExpr, &Type), (other, right): (&IdedExpr, &Type), id: u64) {
        let (first, second) = (shown_or(one, "this"), shown_or(other, "that"));
        let hint = match (left.is_text(), right.is_text(), left.is_number() || right.is_number()) {
            (true, false, true) => shown(one).map(|shown| format!("write int({shown}) for the number in it")),
            (false, true, true) => shown(other).map(|shown| format!("write int({shown}) for the number in it")),
            _ => None,
        };
        let at = if left.is_text() && matches!(one.expr, Expr::Literal(_)) { id } else { begins(one) };
        let literal = |of: &IdedExpr| matches!(of.expr, Expr::Literal(_));
        let message = match (literal(one), literal(other)) {
            (true, false) => format!("{second} is {right}; compared with {first}, {left}"),
            _ => format!("{first} is {left}; compared with {second}, {right}"),
        };
        self.misuse(at, message, hint.filter(|_| !(literal(one) && literal(other))));
    }

    /// Two that can never be equal are a mistake, and so is a word that is never given.
    fn can_be_equal(&mut self, one: (&IdedExpr, &Type), other: (&IdedExpr, &Type), id: u64) {
        if !one.1.compares_with(other.1) {
            return self.unlike(one, other, id);
        }
        let (Some(left), Some(right)) = (one.1.words(), other.1.words()) else { return };
        if !left.is_disjoint(right) {
            return;
        }
        let literal = |of: &IdedExpr| matches!(of.expr, Expr::Literal(_));
        let (subject, words, never) = if literal(one.0) { (other.0, right, left) } else { (one.0, left, right) };
        let at = begins(if literal(one.0) { one.0 } else { other.0 });
        self.never(subject, words, never, at);
    }

    fn never<'w>(
        &mut self,
        subject: &IdedExpr,
        words: &std::collections::BTreeSet<String>,
        never: impl IntoIterator<Item = &'w String>,
        at: u64,
    ) {
        for word in never {
            let hint = suggest(word, words.iter().map(String::as_str));
            self.misuse(at, format!("{} is never '{word}'", shown_or(subject, "this")), hint);
        }
    }

    fn contained(&mut self, one: &'a IdedExpr, other: &'a IdedExpr) -> Type {
        let (left, right) = (self.infer(one), self.infer(other));
        match &right {
            Type::List(of) if !left.compares_with(of) => {
                let (item, list) = (shown_or(one, "this"), shown_or(other, "the list"));
                self.misuse(begins(one), format!("{item} is {left}, and an item of {list} is {of}"), None);
            }
            Type::List(_) => {
                // Each word of a list that is written here.
                let written = match &other.expr {
                    Expr::List(list) => list.elements.as_slice(),
                    _ => &[],
                };
                for element in written {
                    if let (Some(words), Expr::Literal(LiteralValue::String(word))) = (left.words(), &element.expr)
                        && !words.contains(word.inner())
                    {
                        self.never(one, words, [&word.inner().to_owned()], element.id);
                    }
                }
            }
            Type::Map(_) if !left.is_text() && left != Type::Any => {
                self.misuse(
                    one.id,
                    format!("{} is {left}; the keys of a table are texts", shown_or(one, "this")),
                    None,
                );
            }
            Type::Any | Type::Map(_) => {}
            other_type => {
                let hint = other_type.is_text().then(|| "write text.contains('part')".to_owned());
                let message = format!("{} is {other_type}, and in takes a list or a table", shown_or(other, "this"));
                self.misuse(begins(other), message, hint);
            }
        }
        Type::Flag
    }

    fn index(&mut self, of: &'a IdedExpr, at: &'a IdedExpr) -> Type {
        let (container, key) = (self.infer(of), self.infer(at));
        match (&container, &key) {
            (Type::Record(_), _) => match &at.expr {
                Expr::Literal(LiteralValue::String(name)) => self.field(&container, name.inner(), of),
                _ => Type::Any,
            },
            (Type::Map(to), key) if key.is_text() || *key == Type::Any => (**to).clone(),
            (Type::List(item), Type::Integer | Type::Any) => (**item).clone(),
            (Type::Any, _) => Type::Any,
            (Type::Map(_), key) => {
                self.misuse(begins(at), format!("the keys of a table are texts, and this is {key}"), None);
                Type::Any
            }
            (Type::List(_), key) => {
                self.misuse(begins(at), format!("the places of a list are numbers from 0, and this is {key}"), None);
                Type::Any
            }
            (other, _) => {
                self.misuse(begins(of), format!("{} is {other} and has no parts", shown_or(of, "this")), None);
                Type::Any
            }
        }
    }

    fn arithmetic(&mut self, operator: &str, one: &'a IdedExpr, other: &'a IdedExpr, id: u64) -> Type {
        let (left, right) = (self.infer(one), self.infer(other));
        match (&left, &right) {
            (Type::Any, of) | (of, Type::Any) => of.clone(),
            (Type::Integer, Type::Integer) => Type::Integer,
            (Type::Double, Type::Double) if operator != operators::MODULO => Type::Double,
            (one, other) if operator == operators::ADD && one.is_text() && other.is_text() => Type::Text,
            (Type::List(one), Type::List(other)) if operator == operators::ADD => {
                Type::list((**one).clone().join((**other).clone()))
            }
            (left, right) => {
                let hint = match (left, right) {
                    (Type::Integer, Type::Double) | (Type::Double, Type::Integer) => {
                        Some("write double(…) around the whole number".to_owned())
                    }
                    (left, right) if left.is_text() || right.is_text() => {
                        Some("write string(…) around the other one".to_owned())
                    }
                    _ => None,
                };
                let message = format!(
                    "{} is {left}; {} does not work between it and {}, {right}",
                    shown_or(one, "the first"),
                    operator.trim_matches('_'),
                    shown_or(other, "the second")
                );
                self.misuse(id, message, hint);
                Type::Any
            }
        }
    }

    /// `queue('support')`: of a text that is known, the name is known too.
    fn queue(&mut self, queue: &'a IdedExpr) -> Type {
        let of = self.infer(queue);
        if !of.is_text() && of != Type::Any {
            self.misuse(begins(queue), format!("queue takes the name of a queue, and this is {of}"), None);
        }
        for word in of.words().into_iter().flatten() {
            if !self.vocabulary.names.queues.contains(word.as_str()) {
                let hint = suggest(word, self.vocabulary.names.queues.iter().map(QueueId::as_str));
                self.misuse(begins(queue), format!("there is no queue '{word}'"), hint);
            }
        }
        Type::Record(Record::Queue)
    }

    fn function(&mut self, call: &'a CallExpr, id: u64) -> Type {
        let name = call.func_name.as_str();
        let target = call.target.as_deref().map(|target| (target, self.infer(target)));
        let arguments: Vec<(&IdedExpr, Type)> =
            call.args.iter().map(|argument| (argument, self.infer(argument))).collect();
        if !FUNCTIONS.contains(&name) {
            self.misuse(id, format!("there is no function '{name}'"), suggest(name, FUNCTIONS));
            return Type::Any;
        }
        let one = match (&target, arguments.as_slice()) {
            (None, [one]) => Some(one),
            (Some(target), []) if name == "size" => Some(target),
            _ => None,
        };
        match (name, &target, arguments.as_slice()) {
            ("startsWith" | "endsWith" | "contains", Some(target), [part]) => {
                for (expression, of) in [target, part] {
                    if !of.is_text() && *of != Type::Any {
                        let hint = (name == "contains" && matches!(of, Type::List(_)))
                            .then(|| "write 'item' in list".to_owned());
                        self.misuse(
                            expression.id,
                            format!("{} is {of}, and {name} takes texts", shown_or(expression, "this")),
                            hint,
                        );
                    }
                }
                return Type::Flag;
            }
            ("startsWith" | "endsWith" | "contains", ..) => {
                self.misuse(id, format!("{name} stands behind a text, as in text.{name}('part')"), None);
                return Type::Flag;
            }
            ("queue", ..) => {
                self.misuse(id, "queue takes the name of one queue, as in queue('support').waiting", None);
                return Type::Any;
            }
            _ => {}
        }
        let Some((expression, of)) = one else {
            self.misuse(id, format!("{name} takes one value, as in {name}(a)"), None);
            return Type::Any;
        };
        let takes = |types: &[bool]| *of == Type::Any || types.iter().any(|fits| *fits);
        let (fits, gives) = match name {
            "size" => (takes(&[of.is_text(), matches!(of, Type::List(_) | Type::Map(_))]), Type::Integer),
            "int" => (takes(&[of.is_text(), of.is_number()]), Type::Integer),
            "double" => (takes(&[of.is_text(), of.is_number()]), Type::Double),
            "string" => (takes(&[of.is_text(), of.is_number(), *of == Type::Flag]), Type::Text),
            "bool" => (takes(&[of.is_text(), *of == Type::Flag]), Type::Flag),
            _ => (true, Type::Any),
        };
        if !fits {
            self.misuse(begins(expression), format!("{name} does not take {of}"), None);
        }
        gives
    }

    fn comprehension(&mut self, comprehension: &'a ComprehensionExpr, id: u64) -> Type {
        let range = self.infer(&comprehension.iter_range);
        let item = match &range {
            Type::List(of) => (**of).clone(),
            Type::Map(_) => Type::Text,
            Type::Any => Type::Any,
            other => {
                let shown = shown_or(&comprehension.iter_range, "this");
                self.misuse(comprehension.iter_range.id, format!("{shown} is {other}, and a macro takes a list"), None);
                Type::Any
            }
        };
        let begins = match self.infer(&comprehension.accu_init) {
            Type::List(_) => Type::list(Type::Any),
            other => other,
        };
        let before = self.bound.len();
        self.bound.push((&comprehension.iter_var, item));
        self.bound.push((&comprehension.accu_var, begins));
        if let Some(second) = &comprehension.iter_var2 {
            self.bound.push((second, Type::Any));
        }
        self.depth += 1;
        if self.depth > DEEPEST_MACRO {
            self.misuse(id, format!("more than {DEEPEST_MACRO} macros stand in one another"), None);
        }
        self.infer(&comprehension.loop_cond);
        self.infer(&comprehension.loop_step);
        let of = self.infer(&comprehension.result);
        self.depth -= 1;
        self.bound.truncate(before);
        of
    }
}

fn of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Flag,
        LiteralValue::Int(_) => Type::Integer,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::String(text) => Type::word([text.inner()]),
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => Type::Any,
    }
}

/// The part an expression begins with: `call` of `call.from`.
fn begins(expression: &IdedExpr) -> u64 {
    match &expression.expr {
        Expr::Select(select) => begins(&select.operand),
        Expr::Call(CallExpr { target: Some(target), .. }) => begins(target),
        _ => expression.id,
    }
}

/// A part of an expression as findings name it.
fn shown(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(format!("'{}'", text.inner())),
        Expr::Literal(LiteralValue::Int(integer)) => Some(integer.inner().to_string()),
        Expr::Literal(LiteralValue::Double(double)) => Some(double.inner().to_string()),
        Expr::Literal(LiteralValue::Boolean(flag)) => Some(flag.inner().to_string()),
        _ => written(expression, &[]),
    }
}

fn shown_or(expression: &IdedExpr, other: &str) -> String {
    shown(expression).unwrap_or_else(|| other.to_owned())
}
