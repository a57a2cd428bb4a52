//! `relais trace`: what would happen to a call, and why. No call is made.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;

use super::{BAD_USAGE, FAILED, TraceArgs, plain, print_findings, warn};
use crate::bench::minds::BotMinds;
use crate::bench::trace::{Call, Told, TraceError, trace};
use crate::config::{self, Loaded, Overrides};
use crate::conversation::{Conversation, Turn};
use crate::dialplan::driver::{Course, End, Scenario};
use crate::ids::PlanId;
use crate::time::Wall;
use crate::trace::{LevelTrace, RuleTrace, Trace, Verdict};

pub fn run(args: &TraceArgs) -> ExitCode {
    let loaded = match config::load(&args.config, &Overrides::default()) {
        Ok(loaded) => loaded,
        Err(findings) => {
            print_findings(&findings);
            return ExitCode::from(BAD_USAGE);
        }
    };
    match traced(args, &loaded) {
        Ok(text) => {
            // Whoever reads may have gone.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err((code, message)) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

fn traced(args: &TraceArgs, loaded: &Loaded) -> Result<String, (u8, String)> {
    let call = Call {
        to: args.to.clone(),
        from: args.from.clone().unwrap_or_default(),
        trunk: args.trunk.clone(),
        language: args.language.clone(),
        digits: args.digits.clone().unwrap_or_default(),
        say: args.say.clone(),
        lookups: args.lookup.iter().cloned().collect(),
        queues: args.queue.iter().cloned().collect(),
        transfers: args.transfer.iter().cloned().collect(),
    };
    let at = args.at.as_ref().map_or_else(Wall::now, |at| at.wall);
    let traced = trace(loaded, &call, at, &BotMinds::new(loaded, warn)).map_err(|error| match error {
        TraceError::UnknownTrunk(message) => (BAD_USAGE, message),
        TraceError::NoPlan(message) => (FAILED, message),
    })?;
    if args.json {
        return Ok(format!("{}\n", json!(Told::from(traced))));
    }
    let when = args.at.as_ref().map_or_else(|| at.to_string(), |at| at.text.clone());
    Ok(as_text(&traced.scenario, &when, &traced.course, &traced.trace))
}

fn as_text(scenario: &Scenario, when: &str, course: &Course, trace: &Trace) -> String {
    let mut out = String::new();
    let from = if scenario.from.is_empty() { "a withheld number".to_owned() } else { plain(&scenario.from) };
    let trunk = scenario.trunk.as_ref().map(|trunk| format!(", by trunk {trunk}")).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ =
        writeln!(out, "{from} dials {} at {}{trunk}: plan {}\n", plain(&scenario.to), plain(when), course.run.plan());
    let columns = Columns::of(trace);
    for level in &trace.levels {
        level_text(&mut out, level, &columns, course.run.plan());
    }
    if trace.omitted > 0 {
        let _ = writeln!(out, "… and {} rules or levels more, not listed", trace.omitted);
    }
    course.conversations.iter().for_each(|conversation| said_text(&mut out, conversation));
    let _ = writeln!(
        out,
        "\nheard   {}",
        if course.heard.is_empty() { "nothing".to_owned() } else { course.heard.join(", ") }
    );
    let _ = writeln!(out, "end     {}", ending(course));
    if !course.digits_left.is_empty() {
        let _ = writeln!(out, "note    nothing asked for the keys {}", course.digits_left);
    }
    for said in &course.not_said {
        let _ = writeln!(out, "note    nobody listened for \"{}\"", plain(said));
    }
    out
}

/// What was said with a bot, and what it was taken for.
fn said_text(out: &mut String, conversation: &Conversation) {
    let _ = writeln!(out, "\nbot {} in {}", conversation.bot, conversation.language);
    for turn in &conversation.transcript {
        let _ = match turn {
            Turn::Bot { prompts, .. } => writeln!(out, "  bot     {}", prompts.join(", ")),
            Turn::Caller { text, intent: Some((intent, sure)), .. } => {
                writeln!(out, "  caller  \"{}\": {intent} ({sure:.2})", plain(text))
            }
            Turn::Caller { text, intent: None, .. } => writeln!(out, "  caller  \"{}\"", plain(text)),
        };
    }
}

/// The widths that make rules stand below each other.
struct Columns {
    module: usize,
    condition: usize,
}

const WIDEST_CONDITION: usize = 48;
const ALWAYS: &str = "always";

impl Columns {
    fn of(trace: &Trace) -> Columns {
        let rules = || trace.levels.iter().flat_map(|level| &level.rules);
        let condition = |rule: &RuleTrace| rule.when.as_deref().unwrap_or(ALWAYS).chars().count();
        Columns {
            module: rules().map(|rule| rule.module.chars().count()).max().unwrap_or(0),
            condition: rules().map(condition).filter(|width| *width <= WIDEST_CONDITION).max().unwrap_or(0),
        }
    }
}

fn level_text(out: &mut String, level: &LevelTrace, columns: &Columns, plan: &PlanId) {
    let of_plan = if level.plan == plan.as_str() { String::new() } else { format!(" of plan {}", level.plan) };
    let passed = if level.taken.is_none() { ": no condition holds, passed over" } else { "" };
    let _ = writeln!(out, "level {}{of_plan}{passed}", plain(&level.level));
    for rule in &level.rules {
        rule_text(out, rule, level.taken == Some(rule.rule), columns);
    }
    for (name, value) in &level.inputs {
        let _ = writeln!(out, "          in   {} = {}", plain(name), shown(value));
    }
    for (name, value) in &level.outputs {
        let _ = writeln!(out, "          out  {} = {}", plain(name), shown(value));
    }
    if let Some(result) = &level.result {
        let _ = writeln!(out, "          end  {}", plain(result));
    }
}

fn rule_text(out: &mut String, rule: &RuleTrace, taken: bool, columns: &Columns) {
    let condition = plain(rule.when.as_deref().unwrap_or(ALWAYS)).split_whitespace().collect::<Vec<_>>().join(" ");
    let verdict = match (rule.verdict, taken, &rule.when) {
        (Verdict::True, true, None) => "taken",
        (Verdict::True, true, Some(_)) => "true, taken",
        (Verdict::True, false, _) => "true",
        (Verdict::False, ..) => "false",
        (Verdict::Error, ..) => "error, counts as false",
    };
    let _ = write!(
        out,
        "  rule {:<3} {:module$}  {condition:width$}  {verdict}",
        rule.rule,
        rule.module,
        module = columns.module,
        width = columns.condition
    );
    if !rule.values.is_empty() {
        let values: Vec<String> =
            rule.values.iter().map(|(name, value)| format!("{} = {}", plain(name), shown(value))).collect();
        let _ = write!(out, "  ({})", values.join(", "));
    }
    if let Some(error) = &rule.error {
        let _ = write!(out, ": {}", plain(error));
    }
    out.push('\n');
}

/// A value as a plan would write it.
fn shown(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "no value".to_owned(),
        Value::String(text) if text == crate::trace::PRIVATE => text.clone(),
        Value::String(text) => format!("'{}'", plain(text)),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, item)| format!("{} = {}", plain(key), shown(item)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn ending(course: &Course) -> String {
    let with = match (&course.queue, &course.target) {
        (_, Some(target)) if course.end == End::Talking => format!("{target} answers"),
        (Some(queue), _) if course.end == End::Talking => format!("an agent of queue {queue} answers"),
        _ => String::new(),
    };
    let outcome = course.outcome().name();
    match course.end {
        End::Talking => format!("{with}; outcome {outcome}"),
        End::HungUp { q850, .. } if course.answered => format!("BYE, Q.850 cause {q850}; outcome {outcome}"),
        End::HungUp { status, q850, .. } => {
            format!("the call is refused with {status}, Q.850 cause {q850}; outcome {outcome}")
        }
        End::CallerLeaves => format!("goes on until the caller hangs up; outcome {outcome} then"),
        End::Endless => "no end: the plan goes round in circles".to_owned(),
    }
}
