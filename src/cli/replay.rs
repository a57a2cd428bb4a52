//! `relais replay`: the engine once more on recorded inputs. Prints who got which call and why, or compares it with the
//! call records that the run itself wrote.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::{BAD_USAGE, FAILED, ReplayArgs, count, plain};
use crate::ids::CallId;
use crate::inputs::{self, End, Replayed};
use crate::record::CallRecord;
use crate::store::{StoreError, read_records_between};
use crate::trace::{Candidate, Decision};

/// Exit code 0: replayed, and the same where it is compared; 1: not the same, or the recording is damaged; 2: there is
/// no such recording or folder.
pub fn run(args: &ReplayArgs) -> ExitCode {
    let recorded = match inputs::open(&args.file) {
        Ok(recorded) => recorded,
        Err(error) => return failed(BAD_USAGE, &format!("{}: {error}", args.file.display())),
    };
    if recorded.heading.relais != env!("CARGO_PKG_VERSION") {
        let by = plain(&recorded.heading.relais);
        eprintln!("recorded by relais {by}, replayed by {}: they may decide otherwise", env!("CARGO_PKG_VERSION"));
    }
    match &args.data {
        Some(data) => compare(recorded, data, args),
        None => print(recorded, args),
    }
}

fn failed(code: u8, why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(code)
}

type Entries = inputs::Recorded<io::BufReader<std::fs::File>>;

fn print(recorded: Entries, args: &ReplayArgs) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let (mut calls, mut decisions) = (0, 0);
    let replayed = inputs::replay(recorded, |record| {
        calls += 1;
        decisions += record.trace.decisions.len();
        if written.is_ok() {
            written = if args.json { line(&mut out, &record) } else { out.write_all(as_text(&record).as_bytes()) };
        }
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return failed(FAILED, &format!("cannot write: {error}"));
        }
        // Else the reader of a pipe has seen enough.
        _ => {}
    }
    match replayed {
        Ok(replayed) => {
            eprintln!("{}", summary(&replayed, calls, decisions));
            ExitCode::SUCCESS
        }
        Err(error) => failed(FAILED, &format!("{}: {error}", args.file.display())),
    }
}

fn line(out: &mut impl Write, record: &CallRecord) -> io::Result<()> {
    let call = json!({
        "call_id": record.call_id,
        "from": record.from,
        "to": record.to,
        "outcome": record.outcome,
        "queue": record.queue,
        "agent": record.agent,
        "decisions": record.trace.decisions,
    });
    serde_json::to_writer(&mut *out, &call)?;
    out.write_all(b"\n")
}

fn as_text(record: &CallRecord) -> String {
    let mut text = String::new();
    let outcome = record.outcome.map_or("-", |outcome| outcome.name());
    let agent = record.agent.as_ref().map(|agent| format!(", agent {agent}")).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}  {}  {} -> {}  {outcome}{agent}",
        record.started_at.strftime("%Y-%m-%d %H:%M:%S"),
        record.call_id,
        plain(&record.from),
        plain(&record.to),
    );
    for decision in &record.trace.decisions {
        let _ = writeln!(text, "    {}  {}", decision.at.strftime("%H:%M:%S%.3f"), why(decision));
    }
    text
}

/// The decision in words.
fn why(decision: &Decision) -> String {
    let rule = serde_json::to_value(decision.rule).ok();
    let rule = rule.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut text = format!("queue {}: agent {} by {rule}: {}", decision.queue, decision.agent, of(&decision.chosen));
    for (n, next) in decision.runners_up.iter().enumerate() {
        text.push_str(if n == 0 { "; before " } else { ", " });
        text.push_str(&of(next));
    }
    if decision.off_schedule > 0 {
        let _ = write!(text, "; outside their hours: {}", decision.off_schedule);
    }
    text
}

fn of(candidate: &Candidate) -> String {
    let seconds = |ms: &u64| Duration::from_millis(*ms).as_secs_f64();
    match candidate {
        Candidate::Contact { call_id, queue, priority, ratio, waited_ms } => {
            let waited = seconds(waited_ms);
            format!("{call_id} of {queue} (waited {waited:.1} s, priority {priority}, {ratio} of the target)")
        }
        Candidate::Agent { agent, idle_ms, occupancy, fit, schedule } => {
            let mut text = format!("{agent} (idle {:.1} s", seconds(idle_ms));
            if let Some(occupancy) = occupancy {
                let _ = write!(text, ", occupied {occupancy}");
            }
            if let Some(fit) = fit {
                let _ = write!(text, ", fit {fit}");
            }
            if let Some(schedule) = schedule {
                let _ = write!(text, ", by schedule {schedule}");
            }
            text + ")"
        }
    }
}

fn summary(replayed: &Replayed, calls: usize, decisions: usize) -> String {
    let end = match replayed.end {
        Some(End::Stopped) => "the recording ended with the process",
        Some(End::Full) => "the recording ended at its largest size",
        Some(End::TooSlow) => "the recording ended because the disk was too slow",
        None => "the recording breaks off: the process died, or the disk was full",
    };
    let span = replayed.span.map(|(from, until)| format!(" from {from:.0} to {until:.0}")).unwrap_or_default();
    format!(
        "{}{span}: {} ended, {}, {} still up; {end}",
        count(replayed.inputs as usize, "input"),
        count(calls, "call"),
        count(decisions, "decision"),
        replayed.up.len(),
    )
}

/// What the replay is held against.
struct Comparison {
    /// With the place of each in the order in which they ended.
    replayed: HashMap<CallId, (usize, Box<CallRecord>)>,
    up: BTreeSet<CallId>,
    different: usize,
    first: Option<(usize, String)>,
}

impl Comparison {
    fn hold_against(&mut self, recorded: &CallRecord) {
        match self.replayed.remove(&recorded.call_id) {
            Some((place, replayed)) => {
                if let Some(what) = difference(&replayed, recorded) {
                    self.differs(place, format!("call {}: {what}", recorded.call_id));
                }
            }
            None if self.up.contains(&recorded.call_id) => {}
            None => self.differs(usize::MAX, format!("call {} is in the records alone", recorded.call_id)),
        }
    }

    fn differs(&mut self, place: usize, what: String) {
        self.different += 1;
        if self.first.as_ref().is_none_or(|(first, _)| place < *first) {
            self.first = Some((place, what));
        }
    }

    fn end(&mut self) {
        for (call, (place, _)) in std::mem::take(&mut self.replayed) {
            self.differs(place, format!("call {call} is in the replay alone"));
        }
    }
}

fn compare(entries: Entries, data: &Path, args: &ReplayArgs) -> ExitCode {
    let mut ended = HashMap::new();
    let mut decisions = 0;
    let replayed = match inputs::replay(entries, |record| {
        decisions += record.trace.decisions.len();
        ended.insert(record.call_id, (ended.len(), record));
    }) {
        Ok(replayed) => replayed,
        Err(error) => return failed(FAILED, &format!("{}: {error}", args.file.display())),
    };
    let calls = ended.len();
    let Some((from, until)) = replayed.span else { return failed(FAILED, "the recording is empty") };
    let up = replayed.up.iter().copied().collect();
    let mut comparison = Comparison { replayed: ended, up, different: 0, first: None };
    let until = until.saturating_add(Duration::from_millis(1)).unwrap_or(until);
    let read = read_records_between(data, from, until, |recorded| {
        comparison.hold_against(&recorded);
        ControlFlow::Continue(())
    });
    match read {
        Err(error @ StoreError::NoFolder { .. }) => return failed(BAD_USAGE, &error.to_string()),
        Err(error) => return failed(FAILED, &error.to_string()),
        Ok(0) => {}
        Ok(unreadable) => {
            return failed(FAILED, &format!("{unreadable} records of {} are not understood", data.display()));
        }
    }
    comparison.end();
    let first = comparison.first.map(|(_, what)| what);
    if args.json {
        let outcome = json!({
            "same": first.is_none(),
            "calls": calls,
            "decisions": decisions,
            "different": comparison.different,
            "first_difference": first,
        });
        println!("{outcome}");
    } else {
        match &first {
            None => println!("same: {}, {}", count(calls, "call"), count(decisions, "decision")),
            Some(first) => println!("{} differ; the first: {first}", count(comparison.different, "call")),
        }
        eprintln!("{}", summary(&replayed, calls, decisions));
    }
    if first.is_none() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// What is not the same of one call; `None` where all is that the engine decides.
fn difference(replayed: &CallRecord, recorded: &CallRecord) -> Option<String> {
    let (ours, theirs) = (&replayed.trace.decisions, &recorded.trace.decisions);
    for n in 0..ours.len().max(theirs.len()) {
        let (ours, theirs) = (ours.get(n), theirs.get(n));
        if ours.map(decided) != theirs.map(decided) {
            let says = |decision: Option<&Decision>| decision.map_or_else(|| "nothing".to_owned(), why);
            return Some(format!("decision {}: recorded {}; replayed {}", n + 1, says(theirs), says(ours)));
        }
    }
    let (ours, theirs) = (kept(replayed), kept(recorded));
    let fields = ours.as_object()?.iter();
    fields.zip(theirs.as_object()?.values()).find(|((_, ours), theirs)| ours != theirs).map(|((name, ours), theirs)| {
        let short = |value: &Value| plain(&value.to_string()).chars().take(300).collect::<String>();
        format!("{name}: recorded {}; replayed {}", short(theirs), short(ours))
    })
}

/// As it is written, with times to the millisecond.
fn decided(decision: &Decision) -> Value {
    json!(decision)
}

/// The fields that are written once and for all when the call ends, without the figures of its media.
fn kept(record: &CallRecord) -> Value {
    let mut record =
        CallRecord { acw_ms: None, survey: None, disposition: None, resolved: None, note: None, ..record.clone() };
    record.legs.iter_mut().for_each(|leg| leg.rtp = None);
    json!(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AgentId;
    use crate::inputs::ReadError;
    use crate::trace::Rule;

    fn decision(agent: &str) -> Decision {
        let by = AgentId::from(agent);
        let schedule = Some("mornings".to_owned());
        let chosen = Candidate::Agent { agent: agent.into(), idle_ms: 3_210, occupancy: None, fit: Some(4), schedule };
        let (agent, occupancy) = ("a9".into(), Some(0.5));
        let next = Candidate::Agent { agent, idle_ms: 100, occupancy, fit: None, schedule: None };
        let at = "2026-11-25T10:00:00.1234Z".parse().expect("a time");
        let decision = Decision::new(at, "sales".into(), by, Rule::LongestIdle, [chosen, next]).expect("a decision");
        Decision { off_schedule: 2, ..decision }
    }

    fn record(agent: &str) -> CallRecord {
        let text = r#"{"call_id":"00000000000000000000000000000001","trunk":null,"from":"1","to":"610",
            "started_at":"2026-11-25T10:00:00Z","answered_at":null,"ended_at":null,"outcome":"handled","ended_by":null,
            "sip_status":null,"q850":null,"queue":"sales","agent":null,"wait_ms":5,"talk_ms":null,"hold_ms":null,
            "acw_ms":null,"transfers":0,"recording":null,"path":[],"legs":[]}"#;
        let mut record: CallRecord = serde_json::from_str(text).expect("a record");
        record.trace.decisions.push(decision(agent));
        record
    }

    #[test]
    fn a_decision_is_told_with_its_rule_and_those_who_came_next() {
        assert_eq!(
            why(&decision("a1")),
            "queue sales: agent a1 by longest_idle: a1 (idle 3.2 s, fit 4, by schedule mornings); before a9 (idle 0.1 s, \
             occupied 0.5); outside their hours: 2"
        );
    }

    #[test]
    fn records_are_the_same_whatever_was_completed_after_the_call() {
        let replayed = record("a1");
        let mut recorded: CallRecord = serde_json::from_value(json!(replayed)).expect("as it is stored");
        recorded.acw_ms = Some(5_000);
        recorded.disposition = Some("sale".to_owned());
        assert_eq!(difference(&replayed, &recorded), None);
    }

    #[test]
    fn another_agent_another_reason_and_another_wait_are_told() {
        let replayed = record("a1");
        let other = difference(&replayed, &record("a2")).expect("another agent");
        assert!(other.starts_with("decision 1: recorded queue sales: agent a2"), "{other}");
        let mut recorded = record("a1");
        recorded.trace.decisions[0].runners_up.clear();
        assert!(difference(&replayed, &recorded).is_some_and(|what| what.starts_with("decision 1: ")));
        recorded.trace.decisions.clear();
        let none = difference(&replayed, &recorded).expect("no decision");
        assert!(none.starts_with("decision 1: recorded nothing; replayed queue sales"), "{none}");
        let waited = CallRecord { wait_ms: Some(6), ..record("a1") };
        assert_eq!(difference(&replayed, &waited).as_deref(), Some("wait_ms: recorded 6; replayed 5"));
    }

    #[test]
    fn the_first_difference_is_that_of_the_call_that_ended_first() {
        let id = CallId;
        let with_id = |n, agent| CallRecord { call_id: id(n), ..record(agent) };
        let replayed = (1..=4).map(|n| (id(n), (n as usize, Box::new(with_id(n, "a1"))))).collect();
        let mut comparison = Comparison { replayed, up: BTreeSet::from([id(9)]), different: 0, first: None };
        for recorded in [with_id(4, "a1"), with_id(3, "a2"), with_id(2, "a2"), with_id(9, "a1"), with_id(8, "a1")] {
            comparison.hold_against(&recorded);
        }
        comparison.end();
        assert_eq!(comparison.different, 4, "3, 2, 8 and the missing 1");
        let first = comparison.first.expect("a difference").1;
        assert_eq!(first, format!("call {} is in the replay alone", id(1)));
    }

    #[test]
    fn what_is_no_recording_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("inputs");
        for text in ["", "{}\n", "hello\n", "{\"relais_inputs\":1}\n"] {
            std::fs::write(&file, text).expect("a file");
            assert!(matches!(inputs::open(&file), Err(ReadError::Foreign)), "{text:?}");
        }
    }
}
