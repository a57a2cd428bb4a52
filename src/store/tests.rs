//! Death at every byte and at any moment, a full spool, a locked database, readers beside the writer.
//!
//! Faults that were planted and are caught here: an entry applied twice; the spool read from its start whatever was
//! moved; no checksum, or one without the sequence number; a segment overwritten before it is moved; a record shown
//! from spool and database; a wrap-up counted twice by a reader; the database read before the spool; sequence numbers
//! that begin anew; a place regained twice; calls cut off and not closed; a wrap-up wiped by the end of the call; memory
//! not given back; a commit without its sequence number; a batch dropped when the database fails.

mod agents;
mod cut_off;
mod promises;
mod recordings;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::ids::{CallId, LegId};
use crate::record::Disposition;
use crate::record::{LegRecord, Outcome, Party, Progress};

fn record(n: u64) -> CallRecord {
    let started_at = Wall::from_millisecond(1_760_000_000_000 + n as i64 * 10).unwrap();
    CallRecord {
        trunk: Some("acme".into()),
        answered_at: Some(started_at),
        sip_status: Some(200),
        ..CallRecord::new(
            CallId::new(started_at.as_millisecond(), n.into()),
            &format!("+3315550{n}"),
            "610",
            started_at,
        )
    }
}

fn ended(n: u64) -> CallRecord {
    CallRecord {
        ended_at: Some(record(n).started_at),
        outcome: Some(Outcome::Handled),
        ended_by: Some(Party::Caller),
        ..record(n)
    }
}

fn began(n: u64) -> Entry {
    Entry::Began(Box::new(record(n)))
}

fn end(n: u64) -> Entry {
    Entry::Ended(Box::new(ended(n)))
}

fn wrapped_up(n: u64, acw_ms: u64) -> Entry {
    Entry::Completed { call_id: record(n).call_id, acw_ms }
}

fn queued(n: u64) -> Entry {
    Entry::Queued {
        call_id: record(n).call_id,
        queue: "sales".into(),
        from: record(n).from,
        since: record(n).started_at,
    }
}

fn records(data: &Path) -> Vec<CallRecord> {
    let mut all = Vec::new();
    let unreadable = read_records(data, |record| {
        all.push(record);
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(unreadable.unwrap(), 0);
    all
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn all_moved(store: &Store) {
    let counters = store.counters();
    wait_until("everything moved", || counters.waiting.load(Ordering::Relaxed) == 0);
}

/// Another program that keeps the database to itself.
struct Locked {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Locked {
    fn new(data: &Path) -> Locked {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new().filename(data.join("relais.db")).busy_timeout(Duration::from_secs(5));
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await.unwrap();
            sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
            connection
        });
        Locked { runtime, connection }
    }

    fn release(mut self) {
        self.runtime.block_on(sqlx::query("ROLLBACK").execute(&mut self.connection)).unwrap();
    }
}

/// What another program does to the database.
fn execute(data: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = SqliteConnectOptions::new().filename(data.join("relais.db"));
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// The folder as a `kill -9` at this moment leaves it.
fn as_killed_now(data: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("spool")).unwrap();
    for folder in ["", "spool"] {
        for file in std::fs::read_dir(data.join(folder)).unwrap().map(|file| file.unwrap()) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
            }
        }
    }
    copy
}

#[test]
fn a_call_is_one_line_from_its_end_on() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, recovered) = Store::open(data.path()).unwrap();
    assert_eq!(recovered, Recovered::default());
    store.append(began(1));
    store.append(queued(1));
    assert_eq!(records(data.path()), []);
    store.append(end(1));
    assert_eq!(records(data.path()), [ended(1)], "it shows before it is moved");
    store.append(wrapped_up(1, 4_000));
    let complete = CallRecord { acw_ms: Some(4_000), ..ended(1) };
    assert_eq!(records(data.path()), std::slice::from_ref(&complete));
    all_moved(&store);
    assert_eq!(records(data.path()), std::slice::from_ref(&complete), "nor does moving change it");
    store.append(wrapped_up(1, 500));
    let again = CallRecord { acw_ms: Some(4_500), ..ended(1) };
    assert_eq!(records(data.path()), std::slice::from_ref(&again));
    store.close();
    assert_eq!(records(data.path()), [again]);
    let (_, recovered) = Store::open(data.path()).unwrap();
    assert_eq!(recovered, Recovered::default());
}

#[test]
fn a_wrap_up_that_comes_before_the_end_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    store.append(began(1));
    store.append(wrapped_up(1, 3_000));
    all_moved(&store);
    store.append(end(1));
    let complete = [CallRecord { acw_ms: Some(3_000), ..ended(1) }];
    assert_eq!(records(data.path()), complete);
    all_moved(&store);
    assert_eq!(records(data.path()), complete);
}

#[test]
fn records_come_oldest_first_wherever_they_are() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    for n in (0..1_400).rev().filter(|n| n % 2 == 0) {
        store.append(end(n));
    }
    all_moved(&store);
    let locked = Locked::new(data.path());
    for n in (0..1_400).rev().filter(|n| n % 2 == 1) {
        store.append(end(n));
    }
    let found = records(data.path());
    assert!(found.iter().map(|record| record.call_id).eq((0..1_400).map(|n| record(n).call_id)));
    locked.release();
}

/// Frames written into fresh segments, and where each ends.
fn written(data: &Path, sizes: Sizes, entries: &[Entry]) -> Vec<u64> {
    let mut spool = Spool::open(data, sizes, Arc::new(AtomicU64::new(0))).unwrap();
    let mut end = 0;
    let mut ends = Vec::new();
    for entry in entries {
        let (_, written) = spool.append(entry);
        assert_eq!(written, Written::ToSpool);
        end += 16 + serde_json::to_vec(entry).unwrap().len() as u64;
        ends.push(end);
    }
    ends
}

const SMALL: Sizes = Sizes { segments: 2, segment: 8 << 10, memory: 16 << 10 };

#[test]
fn a_spool_cut_off_at_any_byte_gives_every_whole_entry() {
    let data = tempfile::tempdir().unwrap();
    let entries = [began(1), queued(1), began(2), end(1), wrapped_up(1, 5_000), end(2)];
    let ends = written(data.path(), SMALL, &entries);
    let file = data.path().join("spool/segment-0");
    let whole = std::fs::read(&file).unwrap();
    let last = *ends.last().unwrap() as usize;
    assert!(last < whole.len());
    for cut in 0..=last {
        let complete = ends.iter().filter(|end| **end as usize <= cut).count();
        let expected: Vec<Entry> = entries.iter().take(complete).cloned().collect();
        let zeros = vec![0; whole.len() - cut];
        let noise: Vec<u8> = (cut..whole.len()).map(|at| (at * 31 % 251) as u8).collect();
        let old: Vec<u8> = whole.iter().skip(cut).map(|byte| !byte).collect();
        let tails = [("zeros", zeros), ("nothing", vec![]), ("noise", noise), ("other bytes", old)];
        for (what, tail) in tails.into_iter().take(if cut % 8 == 0 { 4 } else { 1 }) {
            std::fs::write(&file, [&whole[..cut], &tail].concat()).unwrap();
            let found: Vec<Entry> = spool::read(data.path(), 0).unwrap().into_iter().map(|(_, entry)| entry).collect();
            assert_eq!(found, expected, "cut at {cut}, then {what}");
        }
    }
}

#[test]
fn one_flipped_bit_is_noticed_wherever_it_is() {
    let data = tempfile::tempdir().unwrap();
    let entries = [began(1), end(1)];
    let ends = written(data.path(), SMALL, &entries);
    let file = data.path().join("spool/segment-0");
    let whole = std::fs::read(&file).unwrap();
    for at in 0..ends[1] as usize {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&file, damaged).unwrap();
        let expected = if at < ends[0] as usize { 0 } else { 1 };
        assert_eq!(spool::read(data.path(), 0).unwrap().len(), expected, "bit of byte {at}");
    }
}

#[test]
fn the_ring_goes_round_and_what_is_not_moved_stays_readable() {
    let data = tempfile::tempdir().unwrap();
    let applied = Arc::new(AtomicU64::new(0));
    let mut spool = Spool::open(data.path(), SMALL, applied.clone()).unwrap();
    let mut written = Vec::new();
    let mut bytes = 0;
    for round in 0..80 {
        // Entries of different lengths, so that old frames stand at odd places.
        for n in 0..=round % 7 {
            let entry = if n % 2 == 0 { end(round * 100 + n) } else { queued(n * 1_000_000) };
            bytes += serde_json::to_vec(&entry).unwrap().len() as u64;
            let (sequence, kept) = spool.append(&entry);
            assert_eq!(kept, Written::ToSpool);
            written.push((sequence, entry));
        }
        assert_eq!(spool::read(data.path(), applied.load(Ordering::Relaxed)).unwrap(), written, "round {round}");
        let half = written.len() / 2;
        applied.store(written.drain(..=half).next_back().unwrap().0, Ordering::Relaxed);
    }
    assert!(bytes > 3 * SMALL.segment * 2, "the ring did not go round");
}

#[test]
fn an_entry_whose_commit_was_not_noticed_is_not_applied_again() {
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut database = Database::open(data.path()).await.unwrap();
        let entries = [(5, end(1)), (6, wrapped_up(1, 700)), (7, wrapped_up(1, 40))];
        for count in [2, 2, 3, 3] {
            database.apply(entries.iter().take(count).map(|(sequence, entry)| (*sequence, entry))).await.unwrap();
        }
        assert_eq!(database.applied().await.unwrap(), 7);
    });
    assert_eq!(records(data.path()), [CallRecord { acw_ms: Some(740), ..ended(1) }]);
}

#[test]
fn a_call_that_is_told_to_have_ended_twice_shows_once_as_last_told() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    store.append(end(1));
    all_moved(&store);
    let locked = Locked::new(data.path());
    let corrected = CallRecord { outcome: Some(Outcome::Abandoned), ..ended(1) };
    store.append(Entry::Ended(Box::new(corrected.clone())));
    assert_eq!(records(data.path()), std::slice::from_ref(&corrected));
    locked.release();
    all_moved(&store);
    assert_eq!(records(data.path()), [corrected]);
}

#[test]
fn a_start_after_death_at_any_byte_gives_each_call_one_record() {
    let entries = [began(1), queued(1), began(2), end(1), wrapped_up(1, 5_000), end(2)];
    let original = tempfile::tempdir().unwrap();
    let ends = written(original.path(), SMALL, &entries);
    let whole = std::fs::read(original.path().join("spool/segment-0")).unwrap();
    let cuts = ends.iter().flat_map(|end| [end - 1, *end, end + 9]).chain([0, 7, 16]);
    for cut in cuts.map(|cut| cut as usize) {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("spool")).unwrap();
        std::fs::write(data.path().join("spool/segment-0"), &whole[..cut.min(whole.len())]).unwrap();
        let complete = ends.iter().filter(|end| **end as usize <= cut).count();
        let (store, recovered) = Store::open_sized(data.path(), SMALL).unwrap();
        let outcomes: Vec<(CallId, Option<Outcome>)> =
            records(data.path()).iter().map(|record| (record.call_id, record.outcome)).collect();
        let (failed, handled) = (Some(Outcome::Failed), Some(Outcome::Handled));
        let (one, two) = (record(1).call_id, record(2).call_id);
        let expected = match complete {
            0 => vec![],
            1 | 2 => vec![(one, failed)],
            3 => vec![(one, failed), (two, failed)],
            4 | 5 => vec![(one, handled), (two, failed)],
            _ => vec![(one, handled), (two, handled)],
        };
        assert_eq!(outcomes, expected, "cut at {cut}");
        let closed = expected.iter().filter(|(_, outcome)| *outcome == failed).count();
        assert_eq!((recovered.cut_off.len(), recovered.replayed), (closed, complete as u64), "cut at {cut}");
        assert_eq!(recovered.lost_places.len(), usize::from(complete == 2 || complete == 3), "cut at {cut}");
        drop(store);
        let (_, again) = Store::open_sized(data.path(), SMALL).unwrap();
        assert_eq!((again.cut_off.len(), again.replayed), (0, 0), "cut at {cut}: recovered twice");
        assert_eq!(records(data.path()).len(), expected.len());
    }
}

#[test]
fn what_was_moved_is_not_applied_again() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_sized(data.path(), SMALL).unwrap();
    store.append(end(1));
    store.append(wrapped_up(1, 2_000));
    all_moved(&store);
    let killed = as_killed_now(data.path());
    let (store, recovered) = Store::open_sized(killed.path(), SMALL).unwrap();
    assert_eq!(recovered.replayed, 0);
    assert_eq!(records(killed.path()), [CallRecord { acw_ms: Some(2_000), ..ended(1) }]);
    // Its writer is done before the files are taken away.
    store.close();
    for file in ["relais.db", "relais.db-wal", "relais.db-shm"] {
        let _ = std::fs::remove_file(killed.path().join(file));
    }
    let (_store, recovered) = Store::open_sized(killed.path(), SMALL).unwrap();
    assert_eq!(recovered.replayed, 2, "without the database the spool still knows");
    assert_eq!(records(killed.path()), [CallRecord { acw_ms: Some(2_000), ..ended(1) }]);
}

#[test]
fn the_database_of_an_older_version_is_named_as_such_and_brought_up_to_date() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_sized(data.path(), SMALL).unwrap();
    store.append(end(1));
    store.close();
    execute(
        data.path(),
        "DROP TABLE recording; ALTER TABLE call DROP COLUMN survey; ALTER TABLE call DROP COLUMN disposition; PRAGMA user_version = 1",
    );
    let refused = read_records(data.path(), |_| std::ops::ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(refused.contains("schema 1, this one reads 3") && refused.contains("relais run"), "{refused}");
    Store::open_sized(data.path(), SMALL).unwrap().0.close();
    assert_eq!(records(data.path()), [ended(1)]);
}

#[test]
fn what_an_agent_says_last_of_a_call_stands_in_its_record_whenever_it_is_said() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_sized(data.path(), SMALL).unwrap();
    let said = |n, code: &str, resolved| Entry::Disposed {
        call_id: record(n).call_id,
        disposition: Disposition { code: code.to_owned(), resolved, note: Some(format!("note of {code}")) },
    };
    store.append(began(1));
    store.append(said(1, "sale", Some(true)));
    all_moved(&store);
    store.append(end(1));
    let noted = |code: &str, resolved| {
        let (disposition, note) = (Some(code.to_owned()), Some(format!("note of {code}")));
        CallRecord { disposition, resolved, note, ..ended(1) }
    };
    let first = noted("sale", Some(true));
    assert_eq!(records(data.path()), std::slice::from_ref(&first));
    all_moved(&store);
    assert_eq!(records(data.path()), [first]);
    store.append(said(1, "complaint", None));
    let last = noted("complaint", None);
    assert_eq!(records(data.path()), std::slice::from_ref(&last));
    all_moved(&store);
    assert_eq!(records(data.path()), [last]);
}

#[test]
fn a_locked_database_stops_nothing_and_gets_everything_later() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let counters = store.counters();
    let locked = Locked::new(data.path());
    let start = Instant::now();
    for n in 0..1_000 {
        store.append(began(n));
        store.append(end(n));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "append waited: {:?}", start.elapsed());
    wait_until("the failure is counted", || counters.database_down.load(Ordering::Relaxed));
    assert_eq!(records(data.path()).len(), 1_000, "cdr shows what the database has not got");
    let killed = as_killed_now(data.path());
    locked.release();
    all_moved(&store);
    assert!(!counters.database_down.load(Ordering::Relaxed));
    assert_eq!(records(data.path()).len(), 1_000);
    assert_eq!(counters.lost.load(Ordering::Relaxed), 0);
    let (_, recovered) = Store::open(killed.path()).unwrap();
    assert_eq!(recovered.replayed, 2_000, "nothing was lost with the process either");
    assert_eq!(records(killed.path()).len(), 1_000);
}

#[test]
fn a_full_spool_keeps_entries_in_memory_and_counts_what_does_not_fit() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_sized(data.path(), SMALL).unwrap();
    let counters = store.counters();
    let locked = Locked::new(data.path());
    let mut appended = 0;
    while counters.memory_bytes.load(Ordering::Relaxed) == 0 {
        store.append(end(appended));
        appended += 1;
        assert!(appended < 1_000, "the spool takes more than it has room for");
    }
    assert!(appended > 20, "the spool took only {appended}");
    while counters.memory_bytes.load(Ordering::Relaxed) <= SMALL.memory / 2 {
        store.append(end(appended));
        appended += 1;
    }
    assert_eq!(counters.lost.load(Ordering::Relaxed), 0);
    // A gap at the end of the spool may still take entries that are smaller than those that filled it.
    let lost = || counters.lost.load(Ordering::Relaxed);
    for n in 0..20 {
        if lost() == 0 {
            store.append(began(9_000 + n));
        }
    }
    assert_eq!(counters.lost.load(Ordering::Relaxed), 1, "what only serves recovery gives way first");
    store.append(end(appended));
    appended += 1;
    assert_eq!(counters.lost.load(Ordering::Relaxed), 1);
    for n in 0..100 {
        store.append(end(10_000 + n));
    }
    let lost = counters.lost.load(Ordering::Relaxed) - 1;
    assert!(lost > 0 && lost < 100, "{lost} of 100 were lost");
    assert!(counters.memory_bytes.load(Ordering::Relaxed) <= SMALL.memory);
    locked.release();
    all_moved(&store);
    assert_eq!(counters.memory_bytes.load(Ordering::Relaxed), 0);
    assert_eq!(records(data.path()).len() as u64, appended + 100 - lost);
    store.append(end(20_000));
    assert_eq!(counters.memory_bytes.load(Ordering::Relaxed), 0, "the spool is used again");
    let calls: Vec<CallId> = records(data.path()).iter().map(|record| record.call_id).collect();
    assert!(calls.contains(&record(20_000).call_id));
}

#[test]
fn readers_beside_the_writer_see_every_ended_call_once() {
    let data = tempfile::tempdir().unwrap();
    let sizes = Sizes { segments: 3, segment: 64 << 10, memory: 64 << 20 };
    let (mut store, _) = Store::open_sized(data.path(), sizes).unwrap();
    let counters = store.counters();
    const CALLS: u64 = 3_000;
    std::thread::scope(|scope| {
        let ended = Arc::new(AtomicU64::new(0));
        let seen = ended.clone();
        let folder = data.path();
        let reader = scope.spawn(move || {
            let mut reads = 0;
            loop {
                let before = seen.load(Ordering::Acquire);
                let found = records(folder);
                let mut times: BTreeMap<CallId, u32> = BTreeMap::new();
                found.iter().for_each(|record| *times.entry(record.call_id).or_default() += 1);
                for n in 0..before {
                    assert_eq!(times.get(&record(n).call_id), Some(&1), "call {n} of {before}");
                }
                assert!(found.iter().all(|record| record.outcome == Some(Outcome::Handled)));
                assert!(found.iter().all(|record| record.acw_ms.is_none_or(|acw_ms| acw_ms == 1_000)), "counted twice");
                assert!(found.is_sorted_by_key(|record| (record.started_at, record.call_id)));
                reads += 1;
                if before == CALLS {
                    return reads;
                }
            }
        });
        for n in 0..CALLS {
            store.append(began(n));
            store.append(end(n));
            store.append(wrapped_up(n, 1_000));
            ended.store(n + 1, Ordering::Release);
            // As fast as the ring is emptied, so that it goes round without filling memory.
            wait_until("room in the ring", || counters.waiting.load(Ordering::Relaxed) < 100);
        }
        assert!(reader.join().unwrap() > 3, "the reader read too seldom to prove anything");
    });
    all_moved(&store);
    assert_eq!(counters.lost.load(Ordering::Relaxed), 0);
}

/// Set for the process that `kill_9_loses_and_doubles_nothing` kills.
const CHILD: &str = "RELAIS_STORE_CHILD";
/// Small, so that it goes round many times.
const RING: Sizes = Sizes { segments: 3, segment: 32 << 10, memory: 1 << 20 };

/// Not a test of its own: what the killed process does.
#[test]
fn the_process_that_is_killed() {
    let Ok(data) = std::env::var(CHILD) else { return };
    let (mut store, recovered) = Store::open_sized(Path::new(&data), RING).unwrap();
    let first = records(Path::new(&data)).len() as u64;
    let counters = store.counters();
    println!("open {} {}", first, recovered.cut_off.len());
    for n in first.. {
        store.append(began(n));
        println!("began {n}");
        store.append(end(n));
        store.append(wrapped_up(n, 1_000));
        println!("ended {n}");
        // As fast as the ring is emptied: what is in memory only is lost with the process.
        wait_until("room in the ring", || counters.waiting.load(Ordering::Relaxed) < 100);
    }
}

#[test]
fn kill_9_loses_and_doubles_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut calls = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::the_process_that_is_killed", "--nocapture"])
            .env(CHILD, data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.contains("open ")).expect("the process starts");
        std::thread::sleep(Duration::from_millis(40 + round * 37));
        child.kill().unwrap();
        child.wait().unwrap();
        let told: Vec<String> = lines.collect();
        let last =
            |word: &str| told.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse::<u64>().ok()).max();
        let (last_began, last_ended) = (last("began"), last("ended"));
        let left_behind = records(data.path());
        let (_store, recovered) = Store::open_sized(data.path(), RING).unwrap();
        let found = records(data.path());
        let cut_off: Vec<CallId> = recovered.cut_off.iter().map(|record| record.call_id).collect();
        let whole: Vec<CallRecord> =
            found.iter().filter(|record| !cut_off.contains(&record.call_id)).cloned().collect();
        assert_eq!(left_behind, whole, "round {round}: read without a server");
        let began_at_least = last_began.map_or(calls, |n| n + 1);
        assert!(
            found.len() as u64 >= began_at_least,
            "round {round}: {} records for {began_at_least} calls",
            found.len()
        );
        assert!(recovered.cut_off.len() <= 1, "round {round}: {} cut off", recovered.cut_off.len());
        for (n, found) in found.iter().enumerate() {
            assert_eq!(found.call_id, record(n as u64).call_id, "round {round}: each call once, in order");
        }
        for found in found
            .iter()
            .skip(calls as usize)
            .take_while(|found| last_ended.is_some_and(|n| found.call_id <= record(n).call_id))
        {
            assert_eq!((found.outcome, found.acw_ms), (Some(Outcome::Handled), Some(1_000)), "round {round}");
        }
        assert!(found.iter().all(|found| found.acw_ms.is_none_or(|acw| acw == 1_000)), "round {round}: applied twice");
        calls = found.len() as u64;
    }
    assert!(calls > 100, "only {calls} calls in all: the test proves little");
}

#[test]
fn one_process_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(data.path()).unwrap();
    let refused = Store::open(data.path()).err().unwrap().to_string();
    assert!(refused.contains("another relais is running with this data folder"), "{refused}");
    drop(store);
    Store::open(data.path()).unwrap();
}

#[test]
fn a_folder_without_records_is_told_apart_from_none() {
    let data = tempfile::tempdir().unwrap();
    let read = |path: &Path| read_records(path, |_| std::ops::ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(read(&data.path().join("nowhere")).contains("no such folder"));
    assert!(read(data.path()).contains("no call records here"));
    drop(Store::open(data.path()).unwrap());
    assert_eq!(records(data.path()), []);
}

#[test]
fn figures_that_are_no_numbers_spoil_no_record() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let mut leg = LegRecord {
        leg_id: LegId(1),
        role: Party::Caller,
        address: "sip:+33155501@127.0.0.1".to_owned(),
        joined_at: None,
        left_at: None,
        rtp: Some(Default::default()),
        talk_ms: 0,
        hold_ms: 0,
        consult_ms: 0,
        conference_ms: 0,
    };
    let finite = CallRecord { legs: vec![leg.clone()], ..ended(1) };
    if let Some(rtp) = &mut leg.rtp {
        rtp.jitter_ms = f64::NAN;
        rtp.mos = Some(f64::INFINITY);
    }
    store.append(Entry::Ended(Box::new(CallRecord { legs: vec![leg], ..ended(1) })));
    assert_eq!(records(data.path()), [finite]);
}

#[test]
fn the_spool_takes_its_space_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let (_store, _) = Store::open(data.path()).unwrap();
    for number in 0..4 {
        let metadata = std::fs::metadata(data.path().join(format!("spool/segment-{number}"))).unwrap();
        assert_eq!(metadata.len(), 16 << 20);
        let blocks = std::os::unix::fs::MetadataExt::blocks(&metadata);
        assert!(blocks * 512 >= 16 << 20, "segment {number} has holes: {blocks} blocks");
    }
}
