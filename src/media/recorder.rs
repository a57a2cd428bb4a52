//! Recording: the media threads put payloads into a bounded ring, and one thread decodes, aligns and writes them.
//!
//! ```text
//! media threads -- Chunk --> ring (bounded; full: dropped and counted) --> writer's thread --> FLAC files
//!               -- Order --> orders (begin, end) --------------------->
//! ```
//!
//! A disk that stands still stops the writer's thread alone: the ring fills, what does not fit is dropped and counted,
//! and silence stands for it in the file. A file is written in `recordings/under-way` and moved to its place when it is
//! whole. What a crash leaves there can be played as it is; the next start moves it to its place.

mod take;
mod timeline;
mod writer;

use std::fs;
use std::io;
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
use crate::time::{Instant, Wall};

use super::outgoing::units;
use super::voice::FRAME_OCTETS;

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
        Recorder(Arc::new(Inner {
            folder,
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
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".flac")).and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            match put_in_place(folder, id) {
                Ok(()) => found.push(id),
                Err(error) => tracing::warn!("recording {id}, cut off by a crash, cannot be moved: {error}"),
            }
        }
        found
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
            tracing::error!("recording {recording} cannot be deleted: {why}; delete {}", relative(recording).display());
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
        let writer = writer::Writer::new(folder, received, chunks, self.0.events.clone(), self.0.counters.clone());
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

fn under_way(folder: &Path) -> PathBuf {
    folder.join("under-way")
}

/// Where a recording's file is, below the folder of recordings: a folder a day (UTC), so that none grows too large.
/// The name is our own id, nothing of it comes from outside.
pub fn relative(recording: RecordingId) -> PathBuf {
    let day = Wall::from_millisecond(recording.unix_ms()).unwrap_or_default().strftime("%Y-%m-%d").to_string();
    Path::new(&day).join(file_name(recording))
}

fn file_name(recording: RecordingId) -> String {
    format!("{recording}.flac")
}

fn put_in_place(folder: &Path, recording: RecordingId) -> io::Result<()> {
    let place = folder.join(relative(recording));
    if let Some(day) = place.parent() {
        private_folder(day)?;
    }
    fs::rename(under_way(folder).join(file_name(recording)), place)
}

/// Makes a folder that only this user may look into.
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests;
