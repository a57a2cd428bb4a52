//! The thread that writes recordings.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TrySendError};

use crate::bridge::{MediaEvent, Recorded, RecordingEvent};
use crate::ids::RecordingId;
use crate::outbox::Outbox;
use crate::vault::Vault;

use super::super::outgoing::units;
use super::take::Take;
use super::{Chunk, Form, Order, RecorderCounters, relative};

/// How often the ring is looked into.
const PERIOD: Duration = Duration::from_millis(20);

pub(super) struct Writer {
    folder: PathBuf,
    vault: Vault,
    orders: Receiver<Order>,
    chunks: Receiver<Chunk>,
    events: Outbox<MediaEvent>,
    /// Events that the engine's queue had no room for: a few a recording.
    waiting: VecDeque<MediaEvent>,
    counters: Arc<RecorderCounters>,
    takes: BTreeMap<u64, Take>,
    /// Ends whose pieces may still be in the ring.
    ends: Vec<(u64, Instant)>,
}

impl Writer {
    pub fn new(
        folder: PathBuf,
        vault: Vault,
        orders: Receiver<Order>,
        chunks: Receiver<Chunk>,
        events: Outbox<MediaEvent>,
        counters: Arc<RecorderCounters>,
    ) -> Writer {
        let (waiting, takes, ends) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        Writer { folder, vault, orders, chunks, events, waiting, counters, takes, ends }
    }

    /// Until everybody who may give orders is gone; then what is under way is ended.
    pub fn run(mut self) {
        loop {
            let idle = self.takes.is_empty() && self.waiting.is_empty();
            let order = match idle {
                true => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.orders.recv_timeout(PERIOD),
            };
            match order {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.turn();
        }
        let now = Instant::now();
        self.ends = self.takes.keys().map(|serial| (*serial, now)).collect();
        self.turn();
    }

    fn turn(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order);
        }
        // What was put into the ring before an order to end is in it now, as is all that came before this moment.
        let now = Instant::now();
        let ends = std::mem::take(&mut self.ends);
        for _ in 0..self.chunks.len() {
            let Ok(chunk) = self.chunks.try_recv() else { break };
            self.put(&chunk);
        }
        for (serial, at) in ends {
            self.end(serial, at);
        }
        self.advance(now);
        self.deliver();
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Begin { serial, recording, terms, codec, at } => {
                let keys = self.vault.keys();
                match Take::begin(&self.folder, keys.as_deref(), recording, terms, codec, at) {
                    Ok(take) => {
                        self.takes.insert(serial, take);
                        self.tell(recording, RecordingEvent::Started);
                    }
                    Err(why) => {
                        self.counters.active.fetch_sub(1, Ordering::AcqRel);
                        self.failed(recording, &why);
                        self.tell(recording, RecordingEvent::Failed { why, recorded: Recorded::default() });
                    }
                }
            }
            Order::End { serial, at } => self.ends.push((serial, at)),
            Order::Discard(recording) => self.discard(recording),
        }
    }

    fn put(&mut self, chunk: &Chunk) {
        if !self.takes.contains_key(&chunk.serial) {
            // A recording that began since the orders were read.
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order);
            }
        }
        if let Some(take) = self.takes.get_mut(&chunk.serial) {
            take.put(chunk);
        }
    }

    fn advance(&mut self, now: Instant) {
        let mut told = Vec::new();
        let mut failed = Vec::new();
        for (serial, take) in &mut self.takes {
            let recording = take.recording;
            take.advance(since(take.began, now), &mut |event| told.push((recording, event)));
            if take.has_failed() {
                failed.push(*serial);
            }
        }
        for (recording, event) in told {
            self.tell(recording, event);
        }
        failed.into_iter().for_each(|serial| self.end(serial, now));
    }

    fn end(&mut self, serial: u64, at: Instant) {
        let Some(take) = self.takes.remove(&serial) else { return };
        self.counters.active.fetch_sub(1, Ordering::AcqRel);
        let (recording, length) = (take.recording, since(take.began, at));
        let event = take.end(&self.folder, length);
        if let RecordingEvent::Failed { why, .. } = &event {
            self.failed(recording, why);
        }
        self.tell(recording, event);
    }

    fn failed(&self, recording: RecordingId, why: &str) {
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("recording {recording}: {why}");
    }

    fn discard(&mut self, recording: RecordingId) {
        for form in Form::ALL {
            let path = self.folder.join(relative(recording, form));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!("recording {recording} cannot be deleted: {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, recording: RecordingId, event: RecordingEvent) {
        self.waiting.push_back(MediaEvent::Recording { recording, event });
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }
}

/// In RTP units.
fn since(began: Instant, now: Instant) -> u64 {
    u64::from(units(now.saturating_duration_since(began)))
}
