//! What comes in is recorded as the product does it, and replayed: the same decisions, and nothing of a password.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use relais::engine::{Input, Journal};
use relais::inputs::{Bounds, End, InputLog, ReadError, Recorded, Replayed, replay};
use relais::record::CallRecord;
use relais::sip::message::Message;
use serde_json::Value;

use crate::world::World;

const PLENTY: Bounds = Bounds { most: u64::MAX, waiting: 1 << 20 };

/// A file in memory.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A run, and its recording.
fn run(seed: u64, bounds: Bounds) -> (World, Vec<u8>) {
    let mut world = World::recorded(seed);
    world.run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    let text = written(&world, bounds);
    (world, text)
}

fn written(world: &World, bounds: Bounds) -> Vec<u8> {
    let paper = Paper::default();
    let (start, at) = world.began_with.clone();
    let log = InputLog::to(paper.clone(), "paper".to_owned(), bounds, start, at).expect("a thread");
    let told = world.told.as_ref().expect("what was told");
    told.iter().take_while(|(input, at)| log.take(input, *at)).for_each(drop);
    log.close();
    paper.text()
}

fn replayed(text: &[u8]) -> Result<(Replayed, Vec<CallRecord>), ReadError> {
    let mut records = Vec::new();
    let replayed = replay(Recorded::new(Cursor::new(text))?, |record| records.push(*record))?;
    Ok((replayed, records))
}

fn records(world: &World) -> Vec<CallRecord> {
    let ended = world.journal.iter().filter_map(|entry| match entry {
        Journal::Ended(record) => Some((**record).clone()),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_recording_replays_to_the_same_records_with_the_same_reasons() {
    let mut decisions = 0;
    for seed in 0..20 {
        let (world, text) = run(seed, PLENTY);
        let (replayed, again) = replayed(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!((replayed.end, replayed.up.len()), (Some(End::Stopped), 0), "seed {seed}");
        assert_eq!(replayed.inputs as usize, world.told.as_ref().map_or(0, Vec::len), "seed {seed}");
        // Times stand in a record to the millisecond.
        let as_written = |records: &[CallRecord]| serde_json::to_value(records).expect("records");
        assert_eq!(as_written(&again), as_written(&records(&world)), "seed {seed}: the replay went another way");
        decisions += again.iter().map(|record| record.trace.decisions.len()).sum::<usize>();
    }
    assert!(decisions > 200, "only {decisions} decisions were compared");
}

#[test]
fn nothing_of_a_password_is_in_a_recording() {
    let (world, text) = run(3, PLENTY);
    let text = String::from_utf8(text).expect("JSON");
    let mut proofs = 0;
    for (input, _) in world.told.iter().flatten() {
        let Input::Sip { message, .. } = input else { continue };
        let Message::Request(request) = &**message else { continue };
        let Some(value) = request.headers.get("Authorization") else { continue };
        let (_, proof) = value.split_once("response=\"").expect("an answer to a challenge");
        let proof = proof.split('"').next().unwrap_or_default();
        assert!(!text.contains(proof), "what a phone made of its password is in the recording: {proof}");
        proofs += 1;
    }
    assert!(proofs >= 6, "only {proofs} requests had credentials");
    let settings = &world.began_with.0.settings;
    let passwords = settings.agents.iter().filter_map(|agent| agent.password.as_deref());
    let trunks = settings.trunks.iter().filter_map(|trunk| trunk.register.as_ref());
    for password in passwords.chain(trunks.map(|credentials| credentials.password.as_str())) {
        assert!(!text.contains(&format!("\"{password}\"")), "'{password}' is in the recording");
    }
}

#[test]
fn a_recording_ends_at_its_largest_size_and_says_so() {
    let (world, whole) = run(4, PLENTY);
    let most = whole.len() as u64 / 2;
    let text = written(&world, Bounds { most, ..PLENTY });
    let length = text.len() as u64;
    assert!(length >= most && length < most + 10_000, "{length} octets where {most} are allowed");
    let (replayed, half) = replayed(&text).expect("a whole recording");
    assert_eq!(replayed.end, Some(End::Full));
    let all = records(&world);
    assert!(!half.is_empty() && half.len() < all.len(), "{} of {} calls", half.len(), all.len());
    assert_eq!(serde_json::to_value(&half).ok(), serde_json::to_value(&all[..half.len()]).ok());
}

/// Takes the first lines, then nothing until it is told to go on.
struct SlowDisk {
    paper: Paper,
    go_on: mpsc::Receiver<()>,
}

impl Write for SlowDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A sender that is gone lets everything through.
        let _ = self.go_on.recv();
        self.paper.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_too_slow_ends_the_recording_and_never_holds_the_engine_up() {
    let (world, _) = run(5, PLENTY);
    let (brake, go_on) = mpsc::channel();
    let paper = Paper::default();
    let (start, at) = world.began_with.clone();
    let disk = SlowDisk { paper: paper.clone(), go_on };
    let log = InputLog::to(disk, "disk".to_owned(), Bounds { waiting: 100, ..PLENTY }, start, at).expect("a thread");
    let told = world.told.as_ref().expect("what was told");
    // The disk stands still: whatever waited here would wait for ever.
    let taken = told.iter().take_while(|(input, at)| log.take(input, *at)).count();
    assert!(taken < told.len(), "all of {taken} inputs were taken by a disk that stands still");
    drop(brake);
    log.close();
    let (replayed, _) = replayed(&paper.text()).expect("what was taken is whole");
    assert_eq!((replayed.end, replayed.inputs as usize), (Some(End::TooSlow), taken));
}

#[test]
fn a_recording_that_breaks_off_is_replayed_as_far_as_it_goes() {
    let (_, text) = run(6, PLENTY);
    let cut = text.len() - text.len() / 3;
    let (replayed, _) = replayed(&text[..cut]).expect("whole lines");
    assert_eq!(replayed.end, None);
    assert!(replayed.inputs > 100);
}

#[test]
fn a_damaged_recording_is_told_with_its_line() {
    let (_, text) = run(7, PLENTY);
    let lines: Vec<&str> = std::str::from_utf8(&text).expect("JSON").lines().collect();
    let said = |lines: &[&str]| {
        let text = lines.join("\n") + "\n";
        replayed(text.as_bytes()).expect_err("damaged").to_string()
    };
    let mut without = lines.clone();
    without.remove(41);
    assert_eq!(said(&without), "line 42 has the entry 42 where 41 is due; lines are missing, or not in their order");
    let mut torn = lines.clone();
    torn[41] = &torn[41][..10];
    assert!(said(&torn).starts_with("line 42 is not understood"), "{}", said(&torn));
    let mut entry: Value = serde_json::from_str(lines[41]).expect("an entry");
    entry["at"]["instant"] = 0.into();
    let (early, mut changed) = (entry.to_string(), lines.clone());
    changed[41] = &early;
    assert_eq!(said(&changed), "line 42, entry 41: its time is before that of the entry before it");
    let mut no_start = vec![lines[0]];
    no_start.extend(&lines[2..]);
    assert!(said(&no_start).starts_with("line 2 has the entry 2"), "{}", said(&no_start));
    let newer = lines[0].replace("\"relais_inputs\":1", "\"relais_inputs\":2");
    assert!(said(&[&newer]).contains("has format 2"), "{}", said(&[&newer]));
}

#[test]
fn whatever_is_changed_in_a_recording_nothing_panics() {
    let (_, text) = run(8, PLENTY);
    let mut rng = ChaCha12Rng::seed_from_u64(8);
    let mut below = |bound: usize| rng.next_u32() as usize % bound;
    // Enough of it for a few calls.
    let end = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(600).map_or(text.len(), |(at, _)| at + 1);
    let (mut refused, mut played) = (0, 0);
    for _ in 0..400 {
        let mut changed = text[..end].to_vec();
        for _ in 0..=below(3) {
            let at = below(changed.len());
            match below(3) {
                0 => changed[at] = b"0123456789\"{}[],:-"[below(18)],
                1 => drop(changed.remove(at)),
                _ => {
                    // A digit becomes another one: that is still JSON.
                    let digit = (at..changed.len()).find(|at| changed[*at].is_ascii_digit());
                    digit.into_iter().for_each(|at| changed[at] = b"0123456789"[below(10)]);
                }
            }
        }
        match replayed(&changed) {
            Ok(_) => played += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 && played > 20, "{refused} refused, {played} played: the changes hit nothing");
}
