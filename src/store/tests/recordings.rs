//! Messages and scores: in the spool, in the database, and after a crash.

use super::*;
use crate::ids::RecordingId;
use crate::record::{Recording, RecordingKind, RecordingState, SurveyAnswer};

fn id(n: u64) -> RecordingId {
    RecordingId::new(record(n).started_at.as_millisecond(), n.into())
}

fn recording(n: u64, kind: RecordingKind, state: RecordingState) -> Recording {
    let ended = state != RecordingState::Open;
    Recording {
        recording_id: id(n),
        kind,
        state,
        call_id: record(n).call_id,
        mailbox: (kind == RecordingKind::Voicemail)
            .then(|| if n.is_multiple_of(2) { "even" } else { "odd" }.to_owned()),
        queue: None,
        from: record(n).from,
        to: "620".to_owned(),
        started_at: record(n).started_at,
        duration_ms: ended.then_some(5_000),
        voiced_ms: ended.then_some(4_000),
        octets: ended.then_some(40_000),
        heard: false,
        held: false,
    }
}

fn message(n: u64, state: RecordingState) -> Recording {
    recording(n, RecordingKind::Voicemail, state)
}

fn put(recording: Recording) -> Entry {
    Entry::Recording(Box::new(recording))
}

fn listed(data: &Path, mailbox: Option<&str>, before: Option<u64>, limit: usize) -> Vec<Recording> {
    read_voicemails(data, mailbox, before.map(id), limit).unwrap()
}

#[test]
fn messages_are_listed_newest_first_wherever_they_are() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let complete = |n| message(n, RecordingState::Complete);
    for n in 1..=4 {
        store.append(put(message(n, RecordingState::Open)));
        store.append(put(complete(n)));
    }
    all_moved(&store);
    store.append(put(complete(5)));
    store.append(put(recording(6, RecordingKind::Call, RecordingState::Complete)));
    store.append(Entry::RecordingDeleted { recording_id: id(3) });
    for moved in [false, true] {
        if moved {
            all_moved(&store);
        }
        let all = [5, 4, 2, 1].map(complete);
        assert_eq!(listed(data.path(), None, None, 10), all);
        assert_eq!(listed(data.path(), None, None, 2), all[..2]);
        assert_eq!(listed(data.path(), None, Some(4), 10), all[2..]);
        assert_eq!(listed(data.path(), Some("even"), None, 10), [complete(4), complete(2)]);
        assert_eq!(listed(data.path(), Some("odd"), Some(5), 10), [complete(1)]);
    }
}

#[test]
fn scores_complete_the_record_in_their_order_before_and_after_its_end() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let answer = |n: u64, score| SurveyAnswer {
        name: format!("question {n}"),
        score,
        min: 0,
        max: 10,
        at: record(n).started_at,
    };
    let surveyed = |n| Entry::Surveyed { call_id: record(1).call_id, answer: answer(n, n as i64) };
    store.append(began(1));
    store.append(surveyed(1));
    all_moved(&store);
    store.append(end(1));
    store.append(surveyed(2));
    let complete = CallRecord { survey: Some(vec![answer(1, 1), answer(2, 2)]), ..ended(1) };
    assert_eq!(records(data.path()), std::slice::from_ref(&complete));
    all_moved(&store);
    assert_eq!(records(data.path()), [complete]);
}

#[test]
fn what_a_crash_cuts_off_is_incomplete_and_named_by_its_call() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    for n in 1..=2 {
        store.append(began(n));
        store.append(put(recording(n, RecordingKind::Call, RecordingState::Open)));
    }
    store.append(put(message(3, RecordingState::Open)));
    let killed = as_killed_now(data.path());
    let (_, recovered) = Store::open(killed.path()).unwrap();
    let named: Vec<_> = recovered.cut_off.iter().map(|record| record.recording).collect();
    assert_eq!(named, [Some(id(1)), Some(id(2))]);
    let left = Recording { state: RecordingState::Incomplete, ..message(3, RecordingState::Open) };
    assert_eq!(listed(killed.path(), None, None, 10), [left]);
}

#[test]
fn what_was_heard_and_what_is_held_outlive_the_entry_and_go_with_it() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let note = |n, heard, held| Entry::RecordingNoted { recording_id: id(n), heard, held };
    for n in 1..=3 {
        store.append(put(message(n, RecordingState::Complete)));
    }
    store.append(put(recording(4, RecordingKind::Call, RecordingState::Complete)));
    let noted = |n, heard, held| Recording { heard, held, ..message(n, RecordingState::Complete) };
    store.append(note(1, Some(true), None));
    store.append(note(4, None, Some(true)));
    for moved in [false, true] {
        if moved {
            all_moved(&store);
        }
        assert_eq!(
            listed(data.path(), None, None, 10),
            [noted(3, false, false), noted(2, false, false), noted(1, true, false)]
        );
    }
    // Its figures come once more, and it is held.
    store.append(put(message(1, RecordingState::Complete)));
    store.append(note(1, None, Some(true)));
    store.append(note(2, Some(true), None));
    store.append(note(2, Some(false), None));
    store.append(Entry::RecordingDeleted { recording_id: id(3) });
    for moved in [false, true] {
        if moved {
            all_moved(&store);
        }
        assert_eq!(
            listed(data.path(), None, None, 10),
            [noted(2, false, false), noted(1, true, true)],
            "moved: {moved}"
        );
    }
    let before = record(4).started_at + jiff::SignedDuration::from_hours(1);
    let old = read_old_recordings(data.path(), before, None, 10).unwrap();
    assert_eq!(old.iter().map(|old| old.recording_id).collect::<Vec<_>>(), [id(2)], "what is held does not show");
    assert_eq!(read_old_recordings(data.path(), before, Some(id(2)), 10).unwrap(), []);
    assert_eq!(read_old_recordings(data.path(), record(1).started_at, None, 10).unwrap(), []);
    let killed = as_killed_now(data.path());
    let (_, recovered) = Store::open(killed.path()).unwrap();
    let kept: Vec<_> =
        recovered.kept.iter().map(|kept| (kept.recording_id, kept.mailbox.as_deref(), kept.heard, kept.held)).collect();
    assert_eq!(
        kept,
        [(id(2), Some("even"), false, false), (id(1), Some("odd"), true, true), (id(4), None, false, true)]
    );
}
