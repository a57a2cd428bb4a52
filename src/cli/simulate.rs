//! `relais simulate`: the distributor on a virtual clock, beside what theory says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::json;

use super::demand::{Rate, parse_rate, parse_time, read_counts};
use super::{BAD_USAGE, FAILED, plain, print_findings};
use crate::config::{self, Overrides};
use crate::findings::suggest;
use crate::settings;
use crate::staffing::{self, Estimate, MOST_AGENTS, Outcome, Performance, Profile, Scenario};

/// A run over a constant rate is cut into so many batches.
const PERIODS: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);
/// Some hours of one core.
const MOST_CALLS: f64 = 2e9;

/// Run the distributor on a virtual clock and print its figures
///
/// Calls enter one queue at random and are distributed by the code that distributes live calls, to agents who are all
/// alike and answer at once. Handle times and patience vary exponentially. Beside each figure stand its 99 % interval
/// and what theory says: Erlang A with --patience, Erlang C without.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("demand").required(true).args(["calls", "poisson"]))]
#[command(after_help = "\
The interval is that of batch means: the run is cut into 30 batches (with --calls: into days, at most 30 batches), after one
of warm-up. More days make it smaller: four times as many halve it. A run that is too short for its batches says so.
The same seed gives the same callers, whatever the number of agents.

service level   answered within the queue's answer_within_s, of all offered; who gives up is not in time
ASA             mean wait of those who are answered
waits           share of the calls that find no agent free
abandoned       share of the calls whose caller gives up
occupancy       handling time of available time

Examples:
  relais simulate --plan deploy/demo --poisson 300/h --aht 240s --agents 25 --patience 90s --days 5
  relais simulate --plan deploy/demo --queue support --calls monday.csv --aht 4m --agents 25 --days 20 --json

A file has a line for each interval of a day, and the expected number of calls in the column 'calls':
  interval,calls
  08:00,62
  08:30,118")]
pub struct SimulateArgs {
    /// The configuration whose queue is used: a file, or a folder that holds relais.toml
    #[arg(long, value_name = "DIR|FILE")]
    pub plan: PathBuf,
    /// The queue that the calls enter; the first one where it is not given
    #[arg(long, value_name = "ID")]
    pub queue: Option<String>,
    /// A CSV file with the calls of each interval of a day, which is repeated
    #[arg(long, value_name = "FILE.csv")]
    pub calls: Option<PathBuf>,
    /// Calls at one rate, day and night
    #[arg(long, value_name = "CALLS/TIME", value_parser = parse_rate)]
    pub poisson: Option<Rate>,
    /// Length of an interval of --calls
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30m")]
    pub interval: Duration,
    /// Mean handle time: talk, hold and wrap-up
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub aht: Duration,
    /// Number of agents
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_AGENTS)))]
    pub agents: u32,
    /// Mean time after which a waiting caller gives up; without it nobody does
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub patience: Option<Duration>,
    /// Days that are counted; one of --calls is as long as its intervals
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub days: u32,
    /// Decides all that is random
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &SimulateArgs) -> ExitCode {
    let scenario = match queue(args).and_then(|queue| scenario(args, queue)) {
        Ok(scenario) => scenario,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    match staffing::run(&scenario) {
        Ok(outcome) => {
            let theory = scenario.theory();
            let text = if args.json {
                as_json(args, &scenario, &outcome, &theory)
            } else {
                as_text(args, &scenario, &outcome, &theory)
            };
            // Whoever reads may have gone.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("the distributor broke its own rules, with --seed {}: {fault}; please report it", args.seed);
            ExitCode::from(FAILED)
        }
    }
}

/// The queue of the configuration.
fn queue(args: &SimulateArgs) -> Result<settings::Queue, String> {
    let file = if args.plan.is_dir() { args.plan.join("relais.toml") } else { args.plan.clone() };
    let loaded = config::load(&file, &Overrides::default()).map_err(|findings| {
        print_findings(&findings);
        format!("{}: refused; see relais check --config {0}", file.display())
    })?;
    pick(loaded.settings.queues, args.queue.as_deref(), &file)
}

fn pick(queues: Vec<settings::Queue>, wanted: Option<&str>, file: &Path) -> Result<settings::Queue, String> {
    let names: Vec<String> = queues.iter().map(|queue| queue.id.to_string()).collect();
    let found = queues.into_iter().find(|queue| wanted.is_none_or(|id| queue.id.as_str() == id));
    found.ok_or_else(|| match wanted {
        None => format!("{}: has no queue; calls need a [[queue]] to enter", file.display()),
        Some(id) => {
            let hint = suggest(id, names.iter().map(String::as_str)).map(|hint| format!(" ({hint})"));
            format!("{}: there is no queue '{}'{}", file.display(), plain(id), hint.unwrap_or_default())
        }
    })
}

fn scenario(args: &SimulateArgs, queue: settings::Queue) -> Result<Scenario, String> {
    let (profile, periods, period) = match (&args.calls, args.poisson) {
        (Some(path), _) => {
            let counts = read_counts(path)?;
            let profile = Profile::new(args.interval.as_secs_f64(), counts.iter().map(|count| count.calls).collect());
            (profile, args.days, args.interval * counts.len() as u32)
        }
        (None, Some(rate)) => {
            (Profile::new(rate.per.as_secs_f64(), vec![rate.calls]), PERIODS, DAY * args.days / PERIODS)
        }
        (None, None) => return Err("no calls: give --poisson 300/h, or --calls FILE.csv".to_owned()),
    };
    let profile = profile.ok_or("no calls: a rate or a file must expect at least one")?;
    let aht = args.aht.as_secs_f64();
    let patience = args.patience.map(|patience| patience.as_secs_f64());
    let calls = profile.rate() * period.as_secs_f64() * f64::from(periods + 1);
    if calls > MOST_CALLS {
        return Err(format!("{calls:.0} calls are too many for one run, at most {MOST_CALLS:.0}; give fewer --days"));
    }
    let load = profile.rate() * aht;
    if patience.is_none() && load >= f64::from(args.agents) {
        return Err(format!(
            "{load:.1} erlangs are more than {} agents can handle, and nobody gives up: the line would grow for ever; \
             give --patience, or more --agents",
            args.agents
        ));
    }
    Ok(Scenario { queue, agents: args.agents, profile, aht, patience, periods, period, seed: args.seed })
}

/// What is printed of both sides, in order: its name in JSON, for people, and what multiplies it there.
type Line<'o> = (&'static str, String, &'o Estimate, f64, Unit);

#[derive(Clone, Copy)]
enum Unit {
    Share,
    Seconds,
}

fn lines<'o>(scenario: &Scenario, outcome: &'o Outcome, theory: &Performance) -> [Line<'o>; 5] {
    let within = scenario.queue.answer_within.as_secs_f64();
    let service_level = format!("service level ({within} s)");
    [
        ("service_level", service_level, &outcome.service_level, theory.service_level, Unit::Share),
        ("asa_s", "ASA".to_owned(), &outcome.asa_s, theory.asa_s, Unit::Seconds),
        ("wait_probability", "waits".to_owned(), &outcome.wait_probability, theory.wait_probability, Unit::Share),
        ("abandonment", "abandoned".to_owned(), &outcome.abandonment, theory.abandonment, Unit::Share),
        ("occupancy", "occupancy".to_owned(), &outcome.occupancy, theory.occupancy, Unit::Share),
    ]
}

fn model(scenario: &Scenario) -> &'static str {
    if scenario.patience.is_some() { "Erlang A" } else { "Erlang C" }
}

fn as_json(args: &SimulateArgs, scenario: &Scenario, outcome: &Outcome, theory: &Performance) -> String {
    let figures: serde_json::Map<String, serde_json::Value> = lines(scenario, outcome, theory)
        .into_iter()
        .map(|(name, _, estimate, theory, _)| {
            let Estimate { value, half_width, batches_too_short } = estimate;
            let figure = json!({
                "value": value,
                "low": half_width.map(|half| value - half),
                "high": half_width.map(|half| value + half),
                "half_width": half_width,
                "batches_too_short": batches_too_short,
                // Infinite is null.
                "theory": theory,
                "theory_inside": half_width.map(|_| estimate.holds(theory)),
            });
            (name.to_owned(), figure)
        })
        .collect();
    let whole = json!({
        "queue": scenario.queue.id,
        "agents": scenario.agents,
        "aht_s": scenario.aht,
        "patience_s": scenario.patience,
        "calls_per_hour": scenario.profile.rate() * 3_600.0,
        "load_erlangs": scenario.profile.rate() * scenario.aht,
        "answer_within_s": scenario.queue.answer_within.as_secs_f64(),
        "days": args.days,
        "seed": args.seed,
        "model": model(scenario),
        "confidence": 0.99,
        "offered": outcome.offered,
        "handled": outcome.handled,
        "abandoned": outcome.abandoned,
        "overflowed": outcome.overflowed,
        "figures": figures,
    });
    format!("{whole}\n")
}

fn as_text(args: &SimulateArgs, scenario: &Scenario, outcome: &Outcome, theory: &Performance) -> String {
    let mut out = String::new();
    let rate = scenario.profile.rate();
    let patience =
        scenario.patience.map_or_else(|| "nobody gives up".to_owned(), |patience| format!("patience {patience} s"));
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "queue {}, {} agents; {:.1} calls/h, AHT {} s, {:.2} erlangs; {patience}; {} days, seed {}\n",
        scenario.queue.id,
        scenario.agents,
        rate * 3_600.0,
        scenario.aht,
        rate * scenario.aht,
        args.days,
        args.seed
    );
    let Outcome { offered, handled, abandoned, overflowed, .. } = outcome;
    for (name, calls) in
        [("offered", offered), ("handled", handled), ("abandoned", abandoned), ("overflowed", overflowed)]
    {
        if *calls > 0 || name != "overflowed" {
            let _ = writeln!(out, "{name:<22}{calls:>11}");
        }
    }
    let _ = writeln!(out, "\n{:<22}{:>11}{:>14}{:>12}", "", "simulated", "99 % ±", model(scenario));
    let (mut outside, mut short) = (false, false);
    for (_, name, estimate, theory, unit) in lines(scenario, outcome, theory) {
        let half_width = estimate.half_width.map_or_else(|| "unknown".to_owned(), |half| shown(half, unit));
        let misses = estimate.half_width.is_some() && !estimate.holds(theory);
        let mark = if misses { "  outside" } else { "" };
        let _ = writeln!(
            out,
            "{name:<22}{:>11}{half_width:>14}{:>12}{mark}",
            shown(estimate.value, unit),
            shown(theory, unit)
        );
        (outside, short) = (outside || misses, short || estimate.batches_too_short);
    }
    for note in notes(scenario, outcome, outside, short) {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

/// Why simulation and theory may differ.
fn notes(scenario: &Scenario, outcome: &Outcome, outside: bool, short: bool) -> Vec<&'static str> {
    let varies = outside && scenario.profile.varies();
    [
        (short, "neighbouring batches are alike, so the true intervals are wider; give more --days"),
        (outcome.overflowed > 0, "the queue's max_waiting turned calls away, which theory knows nothing of"),
        (
            varies,
            "theory takes each interval as if it went on for ever; the simulation carries its line over into the next",
        ),
        (scenario.periods == 1, "one day tells no spread; give more --days for intervals"),
    ]
    .into_iter()
    .filter_map(|(holds, note)| holds.then_some(note))
    .collect()
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::Seconds if value.is_infinite() => "no end".to_owned(),
        Unit::Seconds => format!("{value:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn demo() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo")
    }

    fn args(line: &str) -> Result<SimulateArgs, clap::Error> {
        let demo = demo();
        let words = ["relais", "simulate", "--plan"].map(Into::into);
        let line = words.into_iter().chain([demo.into_os_string()]).chain(line.split_whitespace().map(Into::into));
        match Cli::try_parse_from(line)?.command {
            Command::Simulate(args) => Ok(args),
            _ => panic!("not simulate"),
        }
    }

    fn prepared(line: &str) -> Result<Scenario, String> {
        let args = args(line).unwrap();
        queue(&args).and_then(|queue| scenario(&args, queue))
    }

    #[test]
    fn the_queue_is_the_plans_first_or_the_one_named() {
        let line = "--poisson 300/h --aht 240s --agents 25";
        assert_eq!(prepared(line).unwrap().queue.id.as_str(), "sales");
        assert_eq!(prepared(&format!("{line} --queue support")).unwrap().queue.id.as_str(), "support");
        let refusal = prepared(&format!("{line} --queue suport")).unwrap_err();
        assert!(refusal.ends_with("there is no queue 'suport' (did you mean 'support'?)"), "{refusal}");
    }

    #[test]
    fn a_rate_or_a_file_is_needed_and_not_both() {
        for line in ["--aht 240s --agents 25", "--poisson 300/h --calls a.csv --aht 240s --agents 25"] {
            assert_eq!(args(line).unwrap_err().exit_code(), i32::from(BAD_USAGE), "{line}");
        }
        for line in ["--agents 0", "--agents 20001", "--agents 5 --days 0"] {
            assert!(args(&format!("--poisson 300/h --aht 240s {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let refusal = prepared("--poisson 300/h --aht 240s --agents 20").unwrap_err();
        assert!(refusal.starts_with("20.0 erlangs are more than 20 agents can handle"), "{refusal}");
        assert!(prepared("--poisson 300/h --aht 240s --agents 20 --patience 90s").is_ok());
        let refusal = prepared("--poisson 9000000/h --aht 1s --agents 5000 --days 100000").unwrap_err();
        assert!(refusal.contains("fewer --days"), "{refusal}");
    }

    #[test]
    fn a_day_of_a_file_is_as_long_as_its_intervals() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("day.csv");
        std::fs::write(&file, "interval,calls\n08:00,62\n08:30,118\n09:00,60\n").unwrap();
        let scenario = prepared(&format!("--calls {} --aht 240s --agents 15 --days 7", file.display())).unwrap();
        assert_eq!((scenario.periods, scenario.period), (7, Duration::from_secs(90 * 60)));
        assert_eq!(scenario.profile.rate() * 5_400.0, 240.0);
    }

    #[test]
    fn text_and_json_tell_the_same_run() {
        let args = args("--poisson 60/h --aht 240s --agents 6 --patience 90s --days 5").unwrap();
        let scenario = queue(&args).and_then(|queue| scenario(&args, queue)).unwrap();
        let (outcome, theory) = (staffing::run(&scenario).unwrap(), scenario.theory());
        let text = as_text(&args, &scenario, &outcome, &theory);
        let json: serde_json::Value = serde_json::from_str(&as_json(&args, &scenario, &outcome, &theory)).unwrap();
        let line = |name: &str| text.lines().rfind(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert!(
            line("occupancy").contains(&shown(json["figures"]["occupancy"]["value"].as_f64().unwrap(), Unit::Share))
        );
        assert!(line("ASA").contains(&shown(json["figures"]["asa_s"]["theory"].as_f64().unwrap(), Unit::Seconds)));
        assert!(line("offered").ends_with(&json["offered"].to_string()), "{text}");
        assert!(text.contains("Erlang A") && json["model"] == "Erlang A");
    }
}
