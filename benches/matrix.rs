//! What the routing matrix costs: evaluating it for a call, and loading it.
//!
//! `cargo bench --bench matrix` measures with criterion: a matrix of 50 levels of 20 rules of which every condition is
//! evaluated, the same by shape of condition, one level that is reached, and the loading of 10,000 rules.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use relais::dialplan::{CallerFacts, Facts, Names, Plans, QueueFigures, Queues, Run, RunInput};
use relais::findings::Source;
use relais::ids::{CallId, Language};
use relais::time::{Instant, Now};

/// Conditions as operators write them; none of them holds for the call that is measured.
const SHAPES: [(&str, &str); 8] = [
    ("compare", "tier == 'gold'"),
    ("and", "tier == 'gold' && wish != 'sales'"),
    ("number", "caller.contacts_30d > 10 || caller.value >= 1000"),
    ("prefix", "call.from.startsWith('+44') && tier == 'none'"),
    ("list", "call.from in ['+33155502', '+33155503', '+33155504']"),
    ("queue", "queue('support').waiting > 5 && queue('support').agents_available == 0"),
    ("header", "call.headers['x-tier'] == 'gold'"),
    ("size", "size(call.digits) > 4 || call.attempt_today > 3"),
];

struct Centre;

impl Queues for Centre {
    fn figures(&self, _: &str) -> Option<QueueFigures> {
        Some(QueueFigures { waiting: 2, agents_available: 1, ..QueueFigures::default() })
    }
}

/// A plan of so many levels of so many rules, with conditions in turn; then the call is refused.
fn matrix(name: &str, levels: usize, rules: usize, conditions: &[&str]) -> Source {
    let mut text = format!(
        "name = '{name}'\nnumbers = ['{name}']\n[variables]\ntier = {{ default = 'none', words = ['none', 'gold'] }}\nwish = {{ \
         type = 'text', default = 'sales' }}\n"
    );
    let mut turn = conditions.iter().cycle();
    for level in 0..levels {
        let _ = writeln!(text, "[[level]]\nname = 'level {level}'");
        for _ in 0..rules {
            let condition = turn.next().copied().unwrap_or("true");
            let _ = writeln!(
                text,
                "[[level.rule]]\nwhen = \"{condition}\"\nmodule = 'distribute'\nin = {{ queue = 'support' }}"
            );
        }
    }
    text.push_str("[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n");
    Source { path: format!("{name}.toml"), text }
}

fn names() -> Names {
    Names {
        default_language: Some(Language::from("en")),
        queues: ["support".into()].into(),
        prompts: BTreeMap::from([(Language::from("en"), ["goodbye".to_owned()].into())]),
        ..Names::default()
    }
}

fn load(sources: Vec<Source>) -> Plans {
    Plans::load(sources, names()).unwrap_or_else(|findings| panic!("{}", findings[0]))
}

fn facts(to: &str) -> Facts {
    Facts {
        call_id: CallId(1),
        from: "+33155501".to_owned(),
        to: to.to_owned(),
        trunk: Some("trunk".into()),
        language: Language::from("en"),
        headers: BTreeMap::from([("x-tier".to_owned(), "none".to_owned())]),
        caller: CallerFacts::default(),
        earlier_calls_s: Vec::new(),
    }
}

/// A call through the whole matrix.
fn call(plans: &Plans, number: &str, now: Now) -> Run {
    let mut run = Run::new(plans, &number.into(), facts(number));
    run.handle(plans, RunInput::Start, &Centre, now);
    run
}

fn evaluate(criterion: &mut Criterion) {
    let now = Now { instant: Instant(1), wall: "2026-11-25T11:00:00Z".parse().expect("a time") };
    let mixed: Vec<&str> = SHAPES.iter().map(|(_, condition)| *condition).collect();
    let plans = load(vec![matrix("1", 50, 20, &mixed)]);
    let run = call(&plans, "1", now);
    assert!(run.is_over() && run.path().len() == 1, "a condition held, and not every one was evaluated");
    criterion.bench_function("1000 conditions, mixed", |bench| bench.iter(|| black_box(call(&plans, "1", now))));
    for (shape, condition) in SHAPES {
        let plans = load(vec![matrix("1", 50, 20, &[condition])]);
        criterion.bench_function(&format!("1000 conditions, {shape}"), |bench| {
            bench.iter(|| black_box(call(&plans, "1", now)));
        });
    }
    let levels = matrix("1", 50, 20, &mixed);
    let first =
        levels.text.replacen("[[level]]", "[[level]]\nname = 'first'\n[[level.rule]]\nmodule = 'hangup'\n[[level]]", 1);
    let plans = load(vec![Source { text: first, ..levels }]);
    criterion.bench_function("a level that ends the call, 1000 conditions behind it", |bench| {
        bench.iter(|| black_box(call(&plans, "1", now)));
    });
}

fn loading(criterion: &mut Criterion) {
    let mixed: Vec<&str> = SHAPES.iter().map(|(_, condition)| *condition).collect();
    let one = vec![matrix("1", 500, 20, &mixed)];
    let many: Vec<Source> = (0..100).map(|n| matrix(&n.to_string(), 10, 10, &mixed)).collect();
    // No condition twice.
    let distinct: Vec<String> =
        (0..10_000).map(|n| format!("call.from == '+331{n:05}' && caller.value > {n} || tier == 'gold'")).collect();
    let distinct = vec![matrix("1", 500, 20, &distinct.iter().map(String::as_str).collect::<Vec<_>>())];
    // A mistake in each; all are told, and told where.
    let wrong = vec![matrix("1", 500, 20, &["teir == 'gold'"])];
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("10000 rules in one plan", |bench| bench.iter(|| black_box(load(one.clone()))));
    group.bench_function("10000 rules in 100 plans", |bench| bench.iter(|| black_box(load(many.clone()))));
    group.bench_function("10000 rules, no condition twice", |bench| bench.iter(|| black_box(load(distinct.clone()))));
    group.bench_function("10000 rules, each wrong", |bench| {
        bench.iter(|| black_box(Plans::load(wrong.clone(), names()).err().map(|findings| findings.len())));
    });
    group.finish();
}

criterion_group!(benches, evaluate, loading);
criterion_main!(benches);
