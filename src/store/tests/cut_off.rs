//! Calls that the death of the process cut off: what their records still tell.

use super::*;
use crate::record::PathStep;

fn progress(n: u64, progress: Progress) -> Entry {
    Entry::Progress { call_id: record(n).call_id, progress: Box::new(progress) }
}

fn step(level: &str, result: Option<&str>) -> PathStep {
    PathStep {
        plan: "sales".to_owned(),
        level: level.to_owned(),
        rule: 1,
        module: "announce".to_owned(),
        result: result.map(str::to_owned),
    }
}

fn leg(leg_id: u64, role: Party, joined_ms: i64, left_ms: Option<i64>) -> LegRecord {
    let at = |ms| record(1).started_at + jiff::SignedDuration::from_millis(ms);
    LegRecord {
        leg_id: LegId(leg_id),
        role,
        address: leg_id.to_string(),
        joined_at: Some(at(joined_ms)),
        left_at: left_ms.map(at),
        rtp: None,
        talk_ms: 0,
        hold_ms: 0,
        consult_ms: 0,
        conference_ms: 0,
    }
}

/// A call that is answered, hears two prompts, waits, loses its first agent and talks to the second.
fn history() -> Vec<Entry> {
    let began = CallRecord { answered_at: None, path: vec![step("hello", None)], ..record(1) };
    vec![
        Entry::Began(Box::new(began)),
        progress(
            1,
            Progress {
                answered_at: Some(record(1).started_at),
                path_from: 0,
                path: vec![step("hello", Some("played")), step("hours", None)],
                legs: vec![leg(1, Party::Caller, 0, None)],
                ..Progress::default()
            },
        ),
        progress(
            1,
            Progress {
                path_from: 1,
                path: vec![step("hours", Some("open")), step("queue", None)],
                queue: Some("sales".into()),
                ..Progress::default()
            },
        ),
        queued(1),
        progress(
            1,
            Progress {
                queue: Some("sales".into()),
                agent: Some("201".into()),
                wait_ms: Some(4_000),
                legs: vec![leg(2, Party::Agent, 4_000, None)],
                ..Progress::default()
            },
        ),
        progress(
            1,
            Progress {
                queue: Some("sales".into()),
                agent: Some("202".into()),
                legs: vec![leg(2, Party::Agent, 4_000, Some(9_000)), leg(3, Party::Agent, 11_000, None)],
                ..Progress::default()
            },
        ),
    ]
}

/// The record after so many entries of `history`, when the process was last alive at `died`.
fn expected(entries: usize, died: Wall) -> CallRecord {
    let mut expected = CallRecord { answered_at: None, path: vec![step("hello", None)], ..record(1) };
    if entries > 1 {
        expected.answered_at = Some(record(1).started_at);
        expected.path = vec![step("hello", Some("played")), step("hours", None)];
        expected.legs = vec![leg(1, Party::Caller, 0, None)];
    }
    if entries > 2 {
        expected.path = vec![step("hello", Some("played")), step("hours", Some("open")), step("queue", None)];
        expected.queue = Some("sales".into());
    }
    if entries > 3 {
        expected.wait_ms = Some(died.duration_since(record(1).started_at).as_millis() as u64);
    }
    if entries > 4 {
        expected.agent = Some("201".into());
        expected.wait_ms = Some(4_000);
        expected.legs.push(leg(2, Party::Agent, 4_000, None));
    }
    if entries > 5 {
        expected.agent = Some("202".into());
        expected.legs[1] = leg(2, Party::Agent, 4_000, Some(9_000));
        expected.legs.push(leg(3, Party::Agent, 11_000, None));
    }
    expected.cut_off(died);
    expected
}

#[test]
fn a_record_tells_how_far_its_call_had_come_wherever_the_process_died() {
    let history: Vec<(u64, Entry)> = (1..).zip(history()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for entries in 1..=history.len() {
        // In two batches, the first of any size.
        for first in 0..=entries {
            let data = tempfile::tempdir().unwrap();
            let died = record(1).started_at + jiff::SignedDuration::from_secs(20);
            let (cut_off, _) = runtime.block_on(async {
                let mut database = Database::open(data.path()).await.unwrap();
                for batch in [&history[..first], &history[first..entries]] {
                    database.apply(batch.iter().map(|(sequence, entry)| (*sequence, entry))).await.unwrap();
                }
                database.close_cut_off(died).await.unwrap()
            });
            assert_eq!(cut_off, [expected(entries, died)], "{first} of {entries} entries in the first batch");
            assert_eq!(records(data.path()), [expected(entries, died)]);
        }
    }
}

#[test]
fn a_call_that_had_ended_but_for_its_last_figures_keeps_its_outcome() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let began = CallRecord { outcome: Some(Outcome::SelfService), ended_by: Some(Party::Caller), ..ended(1) };
    store.append(Entry::Began(Box::new(began.clone())));
    let killed = as_killed_now(data.path());
    let (_, recovered) = Store::open(killed.path()).unwrap();
    assert_eq!(recovered.cut_off, [began]);
}

#[test]
fn a_cut_off_call_is_closed_when_the_process_was_last_alive_and_its_place_is_told() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    store.append(Entry::Began(Box::new(CallRecord { answered_at: None, ..record(1) })));
    let answered = Progress { answered_at: Some(record(1).started_at), ..Progress::default() };
    store.append(progress(1, answered));
    store.append(queued(1));
    all_moved(&store);
    let killed = as_killed_now(data.path());
    let died = Wall::from_second(Wall::now().as_second() - 60).unwrap();
    let lock = File::options().write(true).open(killed.path().join("relais.lock")).unwrap();
    lock.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(died.as_second() as u64)).unwrap();
    drop(lock);

    let (mut store, recovered) = Store::open(killed.path()).unwrap();
    let expected = CallRecord {
        ended_at: Some(died),
        outcome: Some(Outcome::Failed),
        ended_by: Some(Party::System),
        queue: Some("sales".into()),
        wait_ms: Some(died.duration_since(record(1).started_at).as_millis() as u64),
        ..record(1)
    };
    assert_eq!(recovered.cut_off, [expected]);
    let place =
        LostPlace { from: record(1).from, queue: "sales".into(), waiting_since: record(1).started_at, lost_at: died };
    assert_eq!(recovered.lost_places, std::slice::from_ref(&place));
    store.append(began(2));
    store.close();

    let (mut store, recovered) = Store::open(killed.path()).unwrap();
    assert_eq!(recovered.cut_off.len(), 1, "the call that was up at the end of the second process");
    assert_eq!(recovered.lost_places, [place], "a place is kept through another crash");
    store.append(began(3));
    let Entry::Queued { queue, from, since, .. } = queued(1) else { unreachable!() };
    store.append(Entry::Queued { call_id: record(3).call_id, queue, from, since });
    store.append(end(3));
    store.close();
    let (_, recovered) = Store::open(killed.path()).unwrap();
    assert_eq!(recovered.lost_places, [], "it is regained once");
}

#[test]
fn a_place_lost_when_the_process_was_stopped_is_told_to_the_next() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let now = Wall::from_millisecond(Wall::now().as_millisecond()).unwrap();
    let old = now - jiff::SignedDuration::from_mins(16);
    let lost =
        |from: &str, lost_at| LostPlace { from: from.to_owned(), queue: "sales".into(), waiting_since: old, lost_at };
    store.append(began(1));
    store.append(queued(1));
    for LostPlace { from, queue, waiting_since, lost_at } in [lost("1", now), lost("2", old)] {
        store.append(Entry::LostPlace { from, queue, waiting_since, lost_at });
    }
    store.append(end(1));
    store.close();
    let (_, recovered) = Store::open(data.path()).unwrap();
    assert_eq!((recovered.cut_off, recovered.lost_places), (Vec::new(), vec![lost("1", now)]));
}
