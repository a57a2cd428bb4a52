//! The RTP stream that a leg sends: one SSRC, and sequence numbers and timestamps that go on without a break whoever
//! speaks in it.

use std::time::Duration;

use crate::rtp::{Header, SendStats};
use crate::time::Instant;

/// Timestamp units a second of every codec here (G.722 too, RFC 3551 §4.5.2).
pub(super) const CLOCK_HZ: u32 = 8000;

/// How far timestamps may run ahead of time after changes of source, before a packet is left out: 30 ms.
const MAX_AHEAD: u32 = 240;

/// A relayed source whose sequence numbers jump this far has started anew (RFC 3550 App. A.1, with less patience).
const MAX_JUMP: i16 = 1000;

/// Timestamp units in a time.
pub(super) fn units(time: Duration) -> u32 {
    u32::try_from(time.as_micros() * u128::from(CLOCK_HZ) / 1_000_000).unwrap_or(u32::MAX)
}

/// The source whose packets are being relayed, and how its numbers become ours.
#[derive(Clone, Copy)]
struct Origin {
    leg: u32,
    ssrc: u32,
    /// Its first packet that we relayed, and its latest.
    first: u16,
    latest: u16,
    add_sequence: u16,
    add_timestamp: u32,
}

pub(super) struct Outgoing {
    ssrc: u32,
    /// Of the latest packet.
    sequence: u16,
    timestamp: u32,
    /// Units in the packet that began at `timestamp`, and when that was sent.
    span: u32,
    at: Instant,
    started: bool,
    /// By how much `timestamp` is ahead of the time of `at`, in units.
    ahead: u32,
    origin: Option<Origin>,
    pub stats: SendStats,
}

impl Outgoing {
    /// `sequence` and `timestamp` should be random (RFC 3550 §5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Outgoing {
            ssrc,
            sequence,
            timestamp,
            span: 0,
            at: Instant(0),
            started: false,
            ahead: 0,
            origin: None,
            stats: SendStats::new(CLOCK_HZ),
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of what begins at `now`, and how far that is ahead of time then; `None` if it would be too far.
    fn begin(&self, now: Instant) -> Option<(u32, u32)> {
        if !self.started {
            return Some((self.timestamp, 0));
        }
        let on_time = units(now.since(self.at)).saturating_sub(self.ahead);
        let step = on_time.max(self.span);
        let ahead = (step + self.ahead).saturating_sub(units(now.since(self.at)));
        (ahead <= MAX_AHEAD).then_some((self.timestamp.wrapping_add(step), ahead))
    }

    /// The header of a packet of `octets` that we made ourselves and that is due at `due`: of the next timestamp if it
    /// follows the one before, else of the present one with the marker. `None` when the stream is too far ahead.
    pub fn generated(&mut self, payload_type: u8, octets: usize, due: Instant) -> Option<Header> {
        let follows = self.started && self.origin.is_none();
        let (timestamp, ahead) = self.begin(due)?;
        let gap = timestamp.wrapping_sub(self.timestamp) > self.span + MAX_AHEAD;
        self.origin = None;
        self.sequence = self.sequence.wrapping_add(1);
        self.note(timestamp, octets, due);
        self.ahead = ahead;
        self.stats.sent(timestamp, octets, due);
        Some(self.header(payload_type, timestamp, !follows || gap))
    }

    /// The timestamp at which a key begins (RFC 4733 §2.2.1).
    pub fn begin_key(&mut self, now: Instant) -> u32 {
        let (timestamp, ahead) = self.begin(now).unwrap_or((self.timestamp.wrapping_add(self.span), self.ahead));
        self.origin = None;
        self.note(timestamp, 0, now);
        self.ahead = ahead;
        timestamp
    }

    /// The header of one packet of a key that began at `timestamp`.
    pub fn key(&mut self, payload_type: u8, timestamp: u32, marker: bool, octets: usize, now: Instant) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        self.stats.sent(timestamp, octets, now);
        self.header(payload_type, timestamp, marker)
    }

    /// The header that a packet of another leg's far end gets here. The first one after a change of source continues
    /// our stream, with the marker; later ones keep their distances, gaps included, so that the listener can conceal
    /// what was lost. `None` for a packet from before the change, and where the stream is too far ahead.
    pub fn relayed(
        &mut self,
        leg: u32,
        source: &Header,
        payload_type: u8,
        octets: usize,
        now: Instant,
    ) -> Option<Header> {
        let known = self.origin.filter(|origin| {
            let jump = source.sequence.wrapping_sub(origin.latest) as i16;
            origin.leg == leg && origin.ssrc == source.ssrc && jump.unsigned_abs() < MAX_JUMP.unsigned_abs()
        });
        let (mut origin, changed) = match known {
            Some(origin) => (origin, false),
            None => (self.change_to(leg, source, now)?, true),
        };
        if (source.sequence.wrapping_sub(origin.first) as i16) < 0 && !changed && near(origin.first, origin.latest) {
            return None;
        }
        let timestamp = source.timestamp.wrapping_add(origin.add_timestamp);
        let sequence = source.sequence.wrapping_add(origin.add_sequence);
        let newest = changed || source.sequence.wrapping_sub(origin.latest) as i16 > 0;
        if newest {
            origin.latest = source.sequence;
            self.sequence = sequence;
            if timestamp != self.timestamp || changed {
                self.note(timestamp, octets, now);
            }
        }
        self.origin = Some(origin);
        self.stats.sent(timestamp, octets, now);
        let marker = changed || source.marker;
        Some(Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A packet of the source is not relayed on purpose: the next one that is follows ours without a gap.
    pub fn pause_source(&mut self) {
        self.origin = None;
    }

    fn change_to(&mut self, leg: u32, source: &Header, now: Instant) -> Option<Origin> {
        let (timestamp, ahead) = self.begin(now)?;
        self.ahead = ahead;
        Some(Origin {
            leg,
            ssrc: source.ssrc,
            first: source.sequence,
            latest: source.sequence,
            add_sequence: self.sequence.wrapping_add(1).wrapping_sub(source.sequence),
            add_timestamp: timestamp.wrapping_sub(source.timestamp),
        })
    }

    fn note(&mut self, timestamp: u32, octets: usize, now: Instant) {
        self.timestamp = timestamp;
        self.span = u32::try_from(octets).unwrap_or(0);
        self.at = now;
        self.started = true;
    }

    fn header(&self, payload_type: u8, timestamp: u32, marker: bool) -> Header {
        Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }
}

/// Whether the first relayed packet is recent enough to be compared with.
fn near(first: u16, latest: u16) -> bool {
    latest.wrapping_sub(first) < 0x4000
}
