//! Recorded calls, from a data folder or a file of records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::SimulateArgs;
use crate::cli::demand::Patience;
use crate::cli::{count, plain, progress::Progress};
use crate::demand::Demand;
use crate::ids::QueueId;
use crate::ivr::{Inputs, Module, Value, demand_of};
use crate::record::{CallRecord, Outcome, Party};
use crate::settings;
use crate::staffing::{Calls, Kind, RecordedCall, RecordedEnd, Recording, Scenario};
use crate::store::{StoreError, read_records};
use crate::time::{Instant, Wall};
use crate::trace::LevelTrace;

const MOST_CALLS: usize = 5_000_000;
/// Of one record: longer than any that is written.
const LONGEST_LINE: u64 = 4 << 20;

/// The calls of these queues.
pub(super) fn recording(args: &SimulateArgs, data: &Path, queues: &[settings::Queue]) -> Result<Recording, String> {
    let mut wanted = Wanted {
        queues,
        alike: args.agents.is_some(),
        from: args.from.as_ref().map(|moment| moment.wall),
        to: args.to.as_ref().map(|moment| moment.wall),
        calls: Vec::new(),
        others: BTreeMap::new(),
    };
    let mut progress = Progress::new("reading");
    let (mut read, mut refused) = (0_u64, None);
    let take = |record: CallRecord| {
        read += 1;
        progress.tell_count(read, "records");
        match wanted.take(&record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => {
                refused = Some(message);
                ControlFlow::Break(())
            }
        }
    };
    let unreadable = if data.is_dir() {
        read_records(data, take).map_err(|error| match error {
            StoreError::NoRecords { .. } => {
                format!("{}: holds no call records; give the data folder of relais run", data.display())
            }
            error => error.to_string(),
        })?
    } else {
        read_file(data, take).map(|()| 0)?
    };
    drop(progress);
    let name = data.display();
    if let Some(message) = refused {
        return Err(format!("{name}: {message}"));
    }
    if unreadable > 0 {
        eprintln!("note: {name}: {} not understood and left out", count(unreadable as usize, "record"));
    }
    if args.queue.is_none() && !wanted.alike && !wanted.others.is_empty() && !wanted.calls.is_empty() {
        eprintln!("note: {name}: left out are calls of queues that the plan has not: {}", wanted.others());
    }
    wanted.recording(args.patience).map_err(|message| format!("{name}: {message}"))
}

/// Whether there is somebody for every call: else it would wait as long as its caller does.
pub(super) fn check(scenario: &Scenario) -> Result<(), String> {
    let Calls::Recorded(recording) = &scenario.calls else { return Ok(()) };
    for kind in recording.kinds().iter().filter(|kind| scenario.agents_for(kind).next().is_none()) {
        let queue = scenario.queues.get(kind.queue).map(|queue| queue.id.as_str()).unwrap_or_default();
        let skills: Vec<String> = kind.demand.skills.iter().map(|(skill, least)| format!("{skill} {least}")).collect();
        let asked = if skills.is_empty() { String::new() } else { format!(" that ask for {}", skills.join(", ")) };
        let nobody = format!("no agent can take the calls of queue '{queue}'{asked}");
        if recording.patience().is_none() {
            return Err(format!("{nobody}, and their callers would wait for ever: none gave up; give --patience"));
        }
        eprintln!("note: {nobody}: their callers all give up");
    }
    Ok(())
}

/// One record a line, as `relais cdr --json` writes them.
fn read_file(path: &Path, mut each: impl FnMut(CallRecord) -> ControlFlow<()>) -> Result<(), String> {
    let name = path.display();
    let file = File::open(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| format!("{name}: cannot be read: {error}"))? {
            0 => break,
            _ if line.trim_ascii().is_empty() => continue,
            _ => {}
        }
        let record = serde_json::from_slice(&line).map_err(|error| {
            format!("{name}:{number}: is no call record: {error}; give a data folder, or lines of relais cdr --json")
        })?;
        if each(record).is_break() {
            break;
        }
    }
    Ok(())
}

/// The calls of some queues in some time, as they are gathered.
struct Wanted<'q> {
    queues: &'q [settings::Queue],
    /// Agents have no skills and are nobody in particular, so neither is asked for.
    alike: bool,
    from: Option<Wall>,
    to: Option<Wall>,
    calls: Vec<RecordedCall>,
    /// How many calls other queues had.
    others: BTreeMap<QueueId, u64>,
}

impl Wanted<'_> {
    fn take(&mut self, record: &CallRecord) -> Result<(), String> {
        let Some(id) = &record.queue else { return Ok(()) };
        let found = self.queues.iter().enumerate().find(|(_, queue)| queue.id == *id);
        let wrap_up = found.map(|(_, queue)| queue.wrap_up).unwrap_or_default();
        let Some(Wait { entered, waited, end }) = wait(record, wrap_up) else { return Ok(()) };
        if self.from.is_some_and(|from| entered < from) || self.to.is_some_and(|to| entered >= to) {
            return Ok(());
        }
        let Some((queue, _)) = found else {
            *self.others.entry(id.clone()).or_default() += 1;
            return Ok(());
        };
        let asked = demand(record);
        let demand = if self.alike { Demand { priority: asked.priority, ..Demand::default() } } else { asked };
        let entered = Instant(u64::try_from(entered.as_nanosecond()).unwrap_or_default());
        self.calls.push(RecordedCall { kind: Kind { queue, demand }, entered, waited, end });
        match self.calls.len() {
            0..=MOST_CALLS => Ok(()),
            _ => Err(format!("more than {MOST_CALLS} calls are too many for one run; choose fewer by --from and --to")),
        }
    }

    fn others(&self) -> String {
        let others: Vec<String> =
            self.others.iter().map(|(queue, calls)| format!("{} ({calls})", plain(queue.as_str()))).collect();
        others.join(", ")
    }

    fn recording(self, patience: Option<Patience>) -> Result<Recording, String> {
        let queues: Vec<&str> = self.queues.iter().map(|queue| queue.id.as_str()).collect();
        let queues = queues.join("', '");
        if self.calls.is_empty() {
            let others = match self.others() {
                others if others.is_empty() => "nor any other; check --from and --to".to_owned(),
                others => format!("but others did: {others}; choose one by --queue"),
            };
            return Err(format!("no recorded call entered queue '{queues}', {others}"));
        }
        let calls = self.calls.len();
        let recording = Recording::new(self.calls).ok_or_else(|| {
            format!(
                "of {} of queue '{queues}' none was answered, so nobody knows how long one takes; \
                 take in more by --from and --to, or draw calls by --poisson",
                count(calls, "call")
            )
        })?;
        Ok(match patience {
            None => recording,
            Some(Patience(mean)) => recording.with_patience(mean.map(|mean| mean.as_secs_f64())),
        })
    }
}

/// What was asked for in the last queue.
fn demand(record: &CallRecord) -> Demand {
    let Some(last) = record.trace.levels.iter().rfind(|level| distributes(level)) else { return Demand::default() };
    let given = |(name, value): (&String, &serde_json::Value)| {
        Some((name.clone(), serde_json::from_value::<Value>(value.clone()).ok()?))
    };
    demand_of(&Inputs { module: Module::Distribute, values: last.inputs.iter().filter_map(given).collect() })
}

fn distributes(level: &LevelTrace) -> bool {
    level.module.as_deref() == Some("distribute")
}

struct Wait {
    /// The first queue.
    entered: Wall,
    waited: Duration,
    end: RecordedEnd,
}

/// What came of the caller in queues. `None` for a call that was in none.
fn wait(record: &CallRecord, wrap_up: Duration) -> Option<Wait> {
    let wait = millis(record.wait_ms?);
    let ended_at = record.ended_at?;
    let levels = &record.trace.levels;
    let first = levels.iter().find(|level| distributes(level)).map(|level| level.at);
    let last = levels.iter().rposition(distributes);
    // What the plan did when nobody had answered.
    let next = last.and_then(|last| levels.get(last + 1)).map(|level| level.at);
    let (entered, waited, end) = match (&record.agent, record.talk_ms) {
        (Some(_), Some(talk)) => {
            let agent = record.legs.iter().find(|leg| leg.role == Party::Agent && leg.joined_at.is_some());
            let joined = agent.and_then(|leg| leg.joined_at);
            let handling = millis(talk) + millis(record.hold_ms.unwrap_or_default());
            let handling = handling + record.acw_ms.map_or(wrap_up, millis);
            (first.or_else(|| before(joined?, wait)), wait, RecordedEnd::Handled(handling))
        }
        _ => {
            let entered = first.or_else(|| before(ended_at, wait));
            let waited =
                entered.and_then(|entered| Duration::try_from(next.unwrap_or(ended_at).duration_since(entered)).ok());
            let result = last.and_then(|last| levels.get(last)).and_then(|level| level.result.as_deref());
            let turned_away = matches!(result, Some("full" | "too_long"));
            let end = match record.outcome {
                Some(Outcome::Failed) => RecordedEnd::CutShort,
                _ if turned_away => RecordedEnd::CutShort,
                Some(Outcome::Abandoned) if next.is_none() => RecordedEnd::Abandoned,
                _ => RecordedEnd::Elsewhere,
            };
            (entered, waited.unwrap_or(wait), end)
        }
    };
    Some(Wait { entered: entered.unwrap_or(record.started_at), waited, end })
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn before(at: Wall, wait: Duration) -> Option<Wall> {
    at.checked_sub(jiff::SignedDuration::try_from(wait).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{PreferredAgent, Widening};
    use crate::ids::CallId;
    use crate::store::{Entry, Store};

    fn at(seconds: i64) -> Wall {
        Wall::from_second(1_760_000_000 + seconds).unwrap()
    }

    fn level(seconds: i64, module: &str, result: Option<&str>) -> LevelTrace {
        LevelTrace {
            plan: "main".into(),
            level: module.to_owned(),
            at: at(seconds),
            rules: Vec::new(),
            taken: Some(1),
            module: Some(module.to_owned()),
            inputs: Default::default(),
            outputs: Default::default(),
            result: result.map(str::to_owned),
        }
    }

    /// Ten seconds of a menu, then the queue until second 50.
    fn record(outcome: Outcome) -> CallRecord {
        let mut record = CallRecord {
            answered_at: Some(at(0)),
            ended_at: Some(at(50)),
            outcome: Some(outcome),
            ended_by: Some(Party::Caller),
            queue: Some("sales".into()),
            wait_ms: Some(40_000),
            ..CallRecord::new(CallId::new(at(0).as_millisecond(), 1), "+33155501", "610", at(0))
        };
        record.trace.levels = vec![level(0, "menu", Some("chosen")), level(10, "distribute", None)];
        record
    }

    fn taken(record: &CallRecord) -> (i64, u64, RecordedEnd) {
        let Wait { entered, waited, end } = wait(record, Duration::from_secs(5)).unwrap();
        (entered.as_second() - at(0).as_second(), waited.as_secs(), end)
    }

    fn handled() -> CallRecord {
        let (agent, talk_ms, hold_ms) = (Some("201".into()), Some(100_000), Some(20_000));
        CallRecord { agent, talk_ms, hold_ms, ended_at: Some(at(170)), ..record(Outcome::Handled) }
    }

    #[test]
    fn a_call_enters_with_its_first_distribution_and_is_handled_with_its_wrap_up() {
        let unfinished = handled();
        assert_eq!(taken(&unfinished), (10, 40, RecordedEnd::Handled(Duration::from_secs(125))));
        let complete = CallRecord { acw_ms: Some(30_000), ..unfinished };
        assert_eq!(taken(&complete), (10, 40, RecordedEnd::Handled(Duration::from_secs(150))));
    }

    #[test]
    fn who_was_not_answered_gave_up_or_left_or_was_cut_short() {
        assert_eq!(taken(&record(Outcome::Abandoned)), (10, 40, RecordedEnd::Abandoned));
        assert_eq!(taken(&record(Outcome::Failed)), (10, 40, RecordedEnd::CutShort));
        let mut left = CallRecord { ended_at: Some(at(90)), wait_ms: Some(80_000), ..record(Outcome::Voicemail) };
        left.trace.levels.push(level(35, "voicemail", None));
        assert_eq!(taken(&left), (10, 25, RecordedEnd::Elsewhere));
        left.trace.levels[1].result = Some("full".to_owned());
        assert_eq!(taken(&left).2, RecordedEnd::CutShort);
        left.trace.levels[1].result = Some("too_long".to_owned());
        assert_eq!(taken(&left).2, RecordedEnd::CutShort);
        let untraced = CallRecord { trace: Default::default(), ..record(Outcome::Abandoned) };
        assert_eq!(taken(&untraced), (10, 40, RecordedEnd::Abandoned));
        let never_queued = CallRecord { wait_ms: None, ..record(Outcome::SelfService) };
        assert!(wait(&never_queued, Duration::ZERO).is_none());
    }

    #[test]
    fn a_data_folder_is_read_with_its_wrap_ups() {
        let data = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(data.path()).unwrap();
        let call_id = handled().call_id;
        store.append(Entry::Ended(Box::new(handled())));
        store.append(Entry::Completed { call_id, acw_ms: 60_000 });
        store.close();
        let mut read = Vec::new();
        let take = |record: CallRecord| {
            read.push(taken(&record));
            ControlFlow::Continue(())
        };
        assert_eq!(read_records(data.path(), take).unwrap(), 0);
        assert_eq!(read, [(10, 40, RecordedEnd::Handled(Duration::from_secs(180)))]);
    }

    fn queue(id: &str) -> settings::Queue {
        settings::Queue {
            ring_timeout: Duration::from_secs(15),
            wrap_up: Duration::from_secs(5),
            ..settings::Queue::new(id.into())
        }
    }

    fn wanted(queues: &[settings::Queue]) -> Wanted<'_> {
        Wanted { queues, alike: false, from: None, to: None, calls: Vec::new(), others: BTreeMap::new() }
    }

    #[test]
    fn what_cannot_be_replayed_says_why() {
        let (sales, support) = ([queue("sales")], [queue("support")]);
        let mut other = wanted(&support);
        other.take(&handled()).unwrap();
        let refusal = other.recording(None).unwrap_err();
        assert_eq!(
            refusal,
            "no recorded call entered queue 'support', but others did: sales (1); choose one by --queue"
        );
        let mut late = Wanted { from: Some(at(11)), ..wanted(&sales) };
        late.take(&handled()).unwrap();
        assert!(late.recording(None).unwrap_err().contains("nor any other; check --from"));
        let mut unanswered = wanted(&sales);
        unanswered.take(&record(Outcome::Abandoned)).unwrap();
        assert!(unanswered.recording(None).unwrap_err().starts_with("of 1 call of queue 'sales' none was answered"));
    }

    #[test]
    fn what_was_asked_for_is_that_of_the_last_queue_and_but_for_priority_no_matter_where_agents_are_alike() {
        let queues = [queue("support"), queue("sales")];
        let mut asking = handled();
        let inputs = serde_json::json!({
            "skills": { "french": 3 }, "priority": 2, "prefer_agent": "agent:203", "prefer_skills": ["billing"],
            "widen": [{ "after_s": 30, "level": 0 }],
        });
        asking.trace.levels[1].inputs = serde_json::from_value(inputs).unwrap();
        let prefer_agent = Some(PreferredAgent { agent: "203".into(), wait: Duration::from_secs(30) });
        let whole = Demand {
            skills: [("french".into(), 3)].into(),
            widen: Some(vec![Widening { after: Duration::from_secs(30), level: 0 }]),
            priority: 2,
            prefer_skills: [("billing".into(), 1)].into(),
            prefer_agent,
            counted: Duration::ZERO,
        };
        for (alike, demand) in [(false, whole), (true, Demand { priority: 2, ..Demand::default() })] {
            let mut wanted = Wanted { alike, ..wanted(&queues) };
            wanted.take(&asking).unwrap();
            assert_eq!(wanted.recording(None).unwrap().kinds(), [Kind { queue: 1, demand }]);
        }
    }

    #[test]
    fn calls_that_nobody_can_take_are_told() {
        let queues = [queue("sales")];
        let scenario = |wish| {
            let mut wanted = wanted(&queues);
            let mut skilled = handled();
            skilled.trace.levels[1].inputs.insert("skills".into(), serde_json::json!({ "french": 3 }));
            wanted.take(&skilled).unwrap();
            let calls = Calls::Recorded(wanted.recording(wish).unwrap());
            Scenario::alike(queue("sales"), 3, calls, 1)
        };
        let refusal = check(&scenario(None)).unwrap_err();
        assert!(refusal.starts_with("no agent can take the calls of queue 'sales' that ask for french 3"), "{refusal}");
        assert_eq!(check(&scenario(Some(Patience(Some(Duration::from_secs(90)))))), Ok(()));
    }

    #[test]
    fn the_patience_of_a_recording_is_its_own_or_another() {
        let sales = [queue("sales")];
        let patience = |wish| {
            let mut wanted = wanted(&sales);
            wanted.take(&handled()).unwrap();
            wanted.take(&record(Outcome::Abandoned)).unwrap();
            wanted.recording(wish).unwrap().patience()
        };
        assert_eq!(patience(None), Some(80.0));
        assert_eq!(patience(Some(Patience(None))), None);
        assert_eq!(patience(Some(Patience(Some(Duration::from_secs(9))))), Some(9.0));
    }

    #[test]
    fn a_file_has_a_record_a_line_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.jsonl");
        let line = serde_json::to_string(&handled()).unwrap();
        std::fs::write(&file, format!("{line}\n\n{line}\n")).unwrap();
        let mut read = Vec::new();
        let mut each = |record| {
            read.push(record);
            ControlFlow::Continue(())
        };
        assert_eq!(read_file(&file, &mut each), Ok(()));
        assert_eq!(read, vec![handled(), handled()]);
        std::fs::write(&file, format!("{line}\n{{}}\n")).unwrap();
        let refusal = read_file(&file, |_| ControlFlow::Continue(())).unwrap_err();
        assert!(refusal.contains("calls.jsonl:2: is no call record: missing field"), "{refusal}");
        let refusal = read_file(&folder.path().join("none"), |_| ControlFlow::Continue(())).unwrap_err();
        assert!(refusal.contains("cannot be read"), "{refusal}");
    }
}
