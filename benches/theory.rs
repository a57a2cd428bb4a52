//! The distributor against Erlang C and Erlang A, over a wide grid of loads and sizes.
//!
//! `cargo bench --bench theory` runs it on every core, some 700 million calls in all: half an hour of two cores and more;
//! `cargo bench --bench theory -- quick` takes at most 4 million a scenario, and `-- "500 agents 0.95" "Erlang A"` only the
//! scenarios whose name holds one of these. Each line is one figure of a scenario: theory, and the
//! simulated value with its 99 % interval. A first short run says how many calls the interval needs to become as small as
//! is wanted; the second one, with another seed, counts. It fails where more intervals miss theory than chance explains.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use relais::config::{self, Overrides};
use relais::settings::Queue;
use relais::staffing::{Calls, Estimate, Outcome, Performance, Profile, RandomCalls, Scenario, run};

const AGENTS: [u32; 3] = [500, 50, 5];
// The longest runs first, so that no core is left idle at the end.
const LOADS: [f64; 3] = [0.95, 0.8, 0.5];
const PATIENCES: [Option<f64>; 2] = [None, Some(120.0)];
const AHT: f64 = 240.0;
const PERIODS: u32 = 30;
const FIRST_CALLS: f64 = 300_000.0;

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let mut wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let quick = wanted.iter().any(|argument| argument == "quick");
    wanted.retain(|argument| argument != "quick");
    let most_calls = if quick { 4e6 } else { 1e9 };
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml");
    let loaded = config::load(&demo, &Overrides::default()).expect("the demo's configuration");
    let queue = loaded.settings.queues.first().expect("a queue of the demo");
    let mut cells: Vec<(u32, f64, Option<f64>)> = Vec::new();
    for patience in PATIENCES {
        for load in LOADS {
            cells.extend(AGENTS.map(|agents| (agents, load, patience)));
        }
    }
    cells.retain(|cell| wanted.is_empty() || wanted.iter().any(|part| name(*cell).contains(part)));
    if cells.is_empty() {
        eprintln!("no scenario's name holds {wanted:?}; they are named as \"Erlang C 500 agents 0.95\"");
        return ExitCode::FAILURE;
    }
    let (left, tally) = (Mutex::new(cells.into_iter()), Mutex::new(Tally::default()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let Some(cell) = left.lock().expect("no panic").next() else { return };
                    let lines = measure(queue, cell, most_calls);
                    tally.lock().expect("no panic").take(&lines);
                }
            });
        }
    });
    tally.into_inner().expect("no panic").verdict()
}

/// One figure of one scenario, printed.
struct Line {
    text: String,
    inside: bool,
    narrow: bool,
}

#[derive(Default)]
struct Tally {
    intervals: usize,
    misses: usize,
    wide: usize,
}

impl Tally {
    fn take(&mut self, lines: &[Line]) {
        for line in lines {
            println!("{}", line.text);
            self.intervals += 1;
            self.misses += usize::from(!line.inside);
            self.wide += usize::from(!line.narrow);
        }
    }

    /// A sound simulation misses one interval in a hundred; twice the deviation of that many is allowed.
    fn verdict(&self) -> ExitCode {
        let expected = self.intervals as f64 / 100.0;
        let allowed = expected + 2.0 * expected.sqrt() + 1.0;
        println!(
            "{} intervals: {} miss theory (1 % is {expected:.1}, at most {allowed:.0}), {} are wider than wanted",
            self.intervals, self.misses, self.wide
        );
        if self.misses as f64 <= allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn name((agents, load, patience): (u32, f64, Option<f64>)) -> String {
    format!("{} {agents:>3} agents {load:.2}", patience.map_or("Erlang C", |_| "Erlang A"))
}

fn measure(queue: &Queue, (agents, load, patience): (u32, f64, Option<f64>), most_calls: f64) -> Vec<Line> {
    let rate = load * f64::from(agents) / AHT;
    let drawn = |calls: f64| RandomCalls {
        profile: Profile::new(3_600.0, vec![rate * 3_600.0]).expect("calls"),
        aht: AHT,
        patience,
        periods: PERIODS,
        period: Duration::from_secs_f64(calls / rate / f64::from(PERIODS)),
    };
    let play = |calls: f64, seed: u64| {
        let scenario = Scenario::alike(queue.clone(), agents, Calls::Random(drawn(calls)), seed);
        run(&scenario, &mut |_| {}).expect("no fault").whole
    };
    let theory = drawn(FIRST_CALLS).theory(agents, queue.answer_within.as_secs_f64());
    let outcome = play(FIRST_CALLS, 1);
    let missing = figures(&outcome, &theory).into_iter().filter_map(|figure| Some(figure.1.half_width? / figure.3));
    let factor = missing.fold(0.0, f64::max).powi(2) * 1.5;
    let began = Instant::now();
    let outcome = play((FIRST_CALLS * factor.max(1.0)).min(most_calls), 2);
    let micros = began.elapsed().as_secs_f64() * 1e6 / outcome.offered as f64;
    let name = name((agents, load, patience));
    let calls = outcome.offered as f64 / 1e6;
    let line = |(figure, estimate, theory, wanted): (&str, Estimate, f64, f64)| {
        let half_width = estimate.half_width.unwrap_or(f64::INFINITY);
        let (inside, narrow) = (estimate.holds(theory), half_width <= wanted);
        let text = format!(
            "{name}  {figure:<13} theory {theory:<10.6} simulated {:<10.6} ± {half_width:<10.6} {} {} \
             {calls:.1} M calls, {micros:.1} µs each",
            estimate.value,
            if inside { "inside " } else { "OUTSIDE" },
            if narrow { "narrow" } else { "wide  " },
        );
        Line { text, inside, narrow }
    };
    figures(&outcome, &theory).into_iter().map(line).collect()
}

/// Name, simulated, theory, and the half-width that is wanted: 1 % of the probability of wait and of the service level
/// where at least one call in a hundred waits, elsewhere 0.001; 5 % of the ASA, or a millisecond where that is more. The
/// occupancy is held to theory with whatever interval it has.
fn figures(outcome: &Outcome, theory: &Performance) -> Vec<(&'static str, Estimate, f64, f64)> {
    let waits = theory.wait_probability >= 0.01;
    let wanted = |relative: f64, value: f64| if waits { relative * value } else { 0.001 };
    let mut figures = vec![
        ("waits", outcome.wait_probability, theory.wait_probability, wanted(0.01, theory.wait_probability)),
        ("service level", outcome.service_level, theory.service_level, wanted(0.01, theory.service_level)),
        ("ASA", outcome.asa_s, theory.asa_s, (0.05 * theory.asa_s).max(0.001)),
        ("occupancy", outcome.occupancy, theory.occupancy, f64::INFINITY),
    ];
    if theory.abandonment > 0.0 {
        figures.push(("abandonment", outcome.abandonment, theory.abandonment, 0.001));
    }
    figures
}
