//! Recording: the media threads put payloads into a bounded ring, and one thread decodes, aligns and writes them.
//!
//! ```text
//! media threads -- Chunk --> ring (bounded; full: dropped and counted) --> writer's thread --> FLAC files
//!               -- Order --> orders (begin, end) --------------------->
//! ```
//!
//! A disk that stands still stops the writer's thread alone: the ring fills, what does not fit is dropped and counted,
//! and silence stands for it in the file. A file is written in `recordings/under-way` and moved to its place when it is
//! whole. What a crash leaves there can be played as far as it goes; the next start moves it to its place. Where the centre
//! has a key, files are sealed as they are written.

mod files;
mod sink;
mod take;
mod timeline;
mod writer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::bridge::{MediaEvent, RecordTerms, Recorded, RecordingEvent};
use crate::ids::RecordingId;
use crate::outbox::Outbox;
use crate::settings::Codec;
use crate::time::Instant;
use crate::vault::{self, Vault, VaultError};

use super::outgoing::units;
use super::voice::FRAME_OCTETS;
pub use files::{Form, find, named, relative};
use files::{file_name, put_in_place, under_way};

/// Pieces of 20 ms that may wait for the writer: 1.6 s of 100 recordings of both sides.
const RING: usize = 16_384;

/// Recordings at once; a further one fails.
const MOST: u64 = 2_048;

/// Each recording has at most three orders under way: begin, end, discard.
const ORDERS: usize = 3 * MOST as usize;

/// 20 ms of encoded audio, or less.
pub(super) struct Chunk {
    serial: u64,
    side: Side,
    codec: Codec,
    /// RTP units, on the sender's clock.
    timestamp: u32,
    /// RTP units since the recording began, when it came or went.
    at: u32,
    octets: u8,
    audio: [u8; FRAME_OCTETS],
}

impl Chunk {
    fn payload(&self) -> &[u8] {
        self.audio.get(..usize::from(self.octets)).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// What the far end says.
    Far,
    /// What it is sent.
    Near,
}

enum Order {
    Begin { serial: u64, recording: RecordingId, terms: RecordTerms, codec: Codec, at: std::time::Instant },
    End { serial: u64, at: std::time::Instant },
    Discard(RecordingId),
}

/// Counts since the start; `active` is a present value.
#[derive(Debug, Default)]
pub(super) struct RecorderCounters {
    /// Pieces of 20 ms that found the ring full.
    pub dropped: AtomicU64,
    /// Recordings that could not be begun or not be written to their end.
    pub failed: AtomicU64,
    pub active: AtomicU64,
}

/// The way to the writer's thread, which starts with the first recording. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    folder: Option<PathBuf>,
    vault: Vault,
    events: Outbox<MediaEvent>,
    counters: Arc<RecorderCounters>,
    serial: AtomicU64,
    /// Locked when a recording begins, never on the tick.
    line: Mutex<Option<Line>>,
}

struct Line {
    orders: Sender<Order>,
    ring: Sender<Chunk>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Files go below `folder`; without one every recording fails.
    pub fn new(folder: Option<PathBuf>, events: Outbox<MediaEvent>) -> Recorder {
        Recorder::sealing(folder, events, Vault::default())
    }

    /// The same, with the keys that files are sealed by.
    pub fn sealing(folder: Option<PathBuf>, events: Outbox<MediaEvent>, vault: Vault) -> Recorder {
        Recorder(Arc::new(Inner {
            folder,
            vault,
            events,
            counters: Arc::default(),
            serial: AtomicU64::new(0),
            line: Mutex::new(None),
        }))
    }

    /// Moves what a crash has left to its place; gives what was found.
    pub fn recover(&self) -> Vec<RecordingId> {
        let Some(folder) = &self.0.folder else { return Vec::new() };
        let entries = fs::read_dir(under_way(folder)).into_iter().flatten().flatten();
        let mut found = Vec::new();
        for entry in entries {
            let Some((id, form)) = entry.file_name().to_str().and_then(named) else { continue };
            match self.recover_one(folder, id, form) {
                Ok(true) => found.push(id),
                Ok(false) => {}
                Err(error) => tracing::warn!("recording {id}, cut off by a crash, stays under way: {error}"),
            }
        }
        found
    }

    /// `false`: there was nothing in it.
    fn recover_one(&self, folder: &Path, id: RecordingId, form: Form) -> Result<bool, VaultError> {
        if form == Form::Sealed {
            let path = under_way(folder).join(file_name(id, form));
            let file = File::options().read(true).write(true).open(&path)?;
            match vault::recover(file, self.0.vault.keys().as_deref(), id) {
                Err(VaultError::Unfinished) => return fs::remove_file(path).map(|()| false).map_err(Into::into),
                recovered => recovered?,
            };
        }
        put_in_place(folder, id, form)?;
        Ok(true)
    }

    pub(super) fn counters(&self) -> &RecorderCounters {
        &self.0.counters
    }

    /// What a leg needs to hand its audio over; `None` when no more can be recorded, which is told by an event.
    pub(super) fn begin(&self, recording: RecordingId, terms: RecordTerms, codec: Codec, now: Instant) -> Option<Tap> {
        match self.try_begin(recording, terms, codec, now) {
            Ok(tap) => Some(tap),
            Err(why) => {
                self.fail(recording, why);
                None
            }
        }
    }

    fn try_begin(&self, recording: RecordingId, terms: RecordTerms, codec: Codec, now: Instant) -> Result<Tap, String> {
        let active = &self.0.counters.active;
        if active.fetch_add(1, Ordering::AcqRel) >= MOST {
            active.fetch_sub(1, Ordering::AcqRel);
            return Err(format!("{MOST} recordings run already, the most there may be"));
        }
        let begun = self.with_line(|line| {
            let serial = self.0.serial.fetch_add(1, Ordering::Relaxed);
            let order = Order::Begin { serial, recording, terms, codec, at: std::time::Instant::now() };
            line.orders.try_send(order).map_err(|_| "the recorder stands still".to_owned())?;
            Ok(Tap {
                recording,
                serial,
                both: terms.both,
                paused: false,
                began: now,
                ring: line.ring.clone(),
                orders: line.orders.clone(),
                counters: self.0.counters.clone(),
            })
        });
        begun.inspect_err(|_| {
            active.fetch_sub(1, Ordering::AcqRel);
        })
    }

    pub(super) fn discard(&self, recording: RecordingId) {
        // Only what was recorded can be discarded: the thread is there, or was in an earlier run.
        let sent = self.with_line(|line| {
            line.orders.try_send(Order::Discard(recording)).map_err(|_| "the recorder stands still".to_owned())
        });
        if let Err(why) = sent {
            tracing::error!("recording {recording} cannot be deleted: {why}; delete its file");
        }
    }

    pub(super) fn fail(&self, recording: RecordingId, why: String) {
        self.0.counters.failed.fetch_add(1, Ordering::Relaxed);
        let event = RecordingEvent::Failed { why, recorded: Recorded::default() };
        // A full queue of the engine's: the engine's own time-out goes on without it.
        let _ = self.0.events.try_send(MediaEvent::Recording { recording, event });
    }

    fn with_line<T>(&self, work: impl FnOnce(&Line) -> Result<T, String>) -> Result<T, String> {
        let mut line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner);
        let line = match &mut *line {
            Some(line) => line,
            none => none.insert(self.start()?),
        };
        work(line)
    }

    fn start(&self) -> Result<Line, String> {
        let folder = self.0.folder.clone().ok_or("there is no folder for recordings")?;
        let (orders, received) = bounded(ORDERS);
        let (ring, chunks): (_, Receiver<Chunk>) = bounded(RING);
        let (events, counters) = (self.0.events.clone(), self.0.counters.clone());
        let writer = writer::Writer::new(folder, self.0.vault.clone(), received, chunks, events, counters);
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|error| format!("the recorder's thread cannot be started: {error}"))?;
        Ok(Line { orders, ring, thread })
    }

    /// Ends what is being recorded and waits for it.
    pub(super) fn stop(&self) {
        let line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Line { orders, ring, thread }) = line {
            drop((orders, ring));
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

/// A leg's part in one recording.
pub(super) struct Tap {
    pub recording: RecordingId,
    serial: u64,
    both: bool,
    pub paused: bool,
    began: Instant,
    ring: Sender<Chunk>,
    orders: Sender<Order>,
    counters: Arc<RecorderCounters>,
}

impl Tap {
    /// What the far end says. Allocates nothing, locks nothing, waits for nothing.
    pub fn far(&self, codec: Codec, timestamp: u32, payload: &[u8], now: Instant) {
        self.push(Side::Far, codec, timestamp, payload, now);
    }

    /// What the far end is sent.
    pub fn near(&self, codec: Codec, timestamp: u32, payload: &[u8], now: Instant) {
        if self.both {
            self.push(Side::Near, codec, timestamp, payload, now);
        }
    }

    fn push(&self, side: Side, codec: Codec, timestamp: u32, payload: &[u8], now: Instant) {
        if self.paused {
            return;
        }
        let at = units(now.since(self.began));
        let mut timestamp = timestamp;
        for piece in payload.chunks(FRAME_OCTETS) {
            let mut audio = [0; FRAME_OCTETS];
            let Some(to) = audio.get_mut(..piece.len()) else { return };
            to.copy_from_slice(piece);
            let octets = piece.len() as u8;
            let chunk = Chunk { serial: self.serial, side, codec, timestamp, at, octets, audio };
            // The receiver is asked for by polling, so nobody is to be woken and no lock is taken.
            if self.ring.try_send(chunk).is_err() {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
            timestamp = timestamp.wrapping_add(u32::from(octets));
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // There is room: an order to end was counted in with the one to begin.
        let _ = self.orders.try_send(Order::End { serial: self.serial, at: std::time::Instant::now() });
    }
}

/// A time in RTP units, of which every codec here has 8000 a second.
fn duration_of(units: u64) -> Duration {
    Duration::from_micros(units * 125)
}

#[cfg(test)]
mod tests;
