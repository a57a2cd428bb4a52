//! The evaluator against the interpreter of the cel crate: the same value, or both none, on random expressions over
//! random values. `RELAIS_SEED=n` runs one seed and prints its expressions.

use std::collections::BTreeMap;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::evaluate::Node;
use super::expression::{Expression, for_cel, from_cel, interpret};
use super::facts::Facts;
use super::operand::Operand;
use super::scope::Scope;
use crate::caller::CallerFacts;
use crate::ids::{CallId, Language};
use crate::ivr::{Names, QueueFigures, Queues, Value};

const SEEDS: u64 = 400;
const EXPRESSIONS: usize = 50;

struct Centre;

impl Queues for Centre {
    fn figures(&self, queue: &str) -> Option<QueueFigures> {
        (queue == "support").then_some(QueueFigures {
            waiting: 3,
            longest_wait_s: 40,
            agents_available: 0,
            agents_logged_in: 2,
            estimate_s: None,
            service_level: Some(0.75),
        })
    }
}

struct Draw(ChaCha12Rng);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0.next_u32() as usize % bound
    }

    fn of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Flag(self.below(2) == 0),
            1 => Value::Integer([0, 1, -1, 5, 42, i64::MAX, i64::MIN][self.below(7)]),
            2 => Value::Double([0.0, -0.5, 1.0, 5.0, 1e300][self.below(5)]),
            3 => Value::from(self.of(&["", "a", "b", "open", "+33155501", "é"])),
            4 => Value::from(self.of(&["support", "sales"])),
            5 => Value::List((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Map(
                (0..self.below(4)).map(|_| (self.of(&["a", "b", "c"]).to_owned(), self.value(depth - 1))).collect(),
            ),
        }
    }

    fn leaf(&mut self) -> String {
        self.of(&[
            "x",
            "y",
            "z",
            "unset",
            "true",
            "false",
            "0",
            "1",
            "5",
            "-3",
            "9223372036854775807",
            "0.5",
            "1.0",
            "''",
            "'a'",
            "'open'",
            "'+33'",
            "call.from",
            "call.to",
            "call.attempt_today",
            "call.language",
            "call['from']",
            "caller.value",
            "caller.known",
            "now.hour",
            "now.weekday",
            "now.date",
            "queue('support').waiting",
            "queue('support').service_level",
            "queue('support').ewt_s",
            "queue('sales').waiting",
            "queue(x).waiting",
            "call.headers['X-Tier']",
            "call.headers.x_none",
            "result",
            "params.limit",
            "inputs.queue",
            "params.none",
            "x.a",
            "y.b.c",
            "z[0]",
            "x['a']",
            "z[-1]",
            "[]",
            "[1, 2.0, 'a']",
            "[x, y]",
            "{'a': 1}",
            "{'a': x, 'b': 'c'}",
        ])
        .to_owned()
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(6) == 0 {
            return self.leaf();
        }
        let mut part = || self.expression(depth - 1);
        let (one, other, third) = (part(), part(), part());
        match self.below(12) {
            0 | 1 => format!("({one} {} {other})", self.of(&["==", "!="])),
            2 => format!("({one} {} {other})", self.of(&["<", "<=", ">", ">="])),
            3 | 4 => format!("({one} {} {other})", self.of(&["&&", "||"])),
            5 => format!("!({one})"),
            6 => format!("({one} {} {other})", self.of(&["+", "-", "*", "/", "%"])),
            7 => format!("({one} in {other})"),
            8 => format!("({one} ? {other} : {third})"),
            9 => format!("({one}).{}({other})", self.of(&["startsWith", "endsWith", "contains"])),
            10 => format!("size({one})"),
            _ => format!("-({one})"),
        }
    }
}

fn facts() -> Facts {
    Facts {
        call_id: CallId(7),
        from: "+33155501".to_owned(),
        to: "611".to_owned(),
        trunk: None,
        language: Language::from("en"),
        headers: BTreeMap::from([("x-tier".to_owned(), "gold".to_owned())]),
        caller: CallerFacts { known: true, value: 5, ..CallerFacts::default() },
        earlier_calls_s: Vec::new(),
    }
}

/// Equal, where not-a-number equals itself.
fn same(one: &Option<Value>, other: &Option<Value>) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

#[test]
fn the_evaluator_and_cel_agree() {
    let one = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let (facts, language) = (facts(), Language::from("fr"));
    let names = Names { queues: ["support".into(), "sales".into()].into(), ..Names::default() };
    let inputs = BTreeMap::from([("queue".to_owned(), Value::from("support"))]);
    let (mut compiled, mut valued) = (0, 0);
    for seed in one.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let mut draw = Draw(ChaCha12Rng::seed_from_u64(seed));
        let variables: BTreeMap<String, Value> =
            ["x", "y", "z"].into_iter().map(|name| (name.to_owned(), draw.value(2))).collect();
        let scope = Scope {
            plan: None,
            names: &names,
            inputs: &inputs,
            variables: &variables,
            facts: &facts,
            digits: "",
            language: &language,
            queues: &Centre,
            wall: "2026-11-25T11:00:00+01:00".parse().unwrap(),
        };
        for _ in 0..EXPRESSIONS {
            let depth = 1 + draw.below(3);
            let text = draw.expression(depth);
            if one.is_some() {
                println!("{text}");
            }
            let Ok(expression) = Expression::compile(&text) else { continue };
            let Some(node) = Node::compile(expression.ast()) else { continue };
            compiled += 1;
            let ours = node.evaluate(&scope).map(Operand::into_value);
            let theirs = interpret(&for_cel(expression.ast().clone()), &scope);
            let value = theirs.as_ref().ok().and_then(from_cel);
            valued += usize::from(value.is_some());
            assert!(
                same(&ours.clone().ok(), &value),
                "seed {seed}: {text}\n  {variables:?}\n  ours {ours:?}\n  cel {theirs:?}"
            );
        }
    }
    assert!(one.is_some() || (compiled > 10_000 && valued > 3_000), "{compiled} compiled, {valued} with a value");
}
