//! Sequence numbers, loss and jitter of what is received, and counts of what is sent (RFC 3550 App. A.1, A.3, A.8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Header, ReportBlock, SenderInfo};
use crate::time::Instant;

/// What a packet's sequence number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrival {
    /// The next one, or one after a gap.
    New,
    /// Behind the highest seen; a late or a repeated one.
    Old,
    /// Far off: the source may have started anew. Counted when a second one follows it.
    Suspect,
    /// The source started anew; everything counted before is kept in the totals.
    Restarted,
}

/// Figures of the packets of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiveStats {
    clock_hz: u32,
}

impl ReceiveStats {
    /// `clock_hz` is the RTP clock: 8000 for G.722 too (RFC 3551 §4.5.2).
    pub fn new(clock_hz: u32) -> Self {
        ReceiveStats { clock_hz }
    }

    pub fn receive(&mut self, header: &Header, now: Instant) -> Arrival {
        let _ = (header, now);
        Arrival::New
    }

    /// Packets received, repeated ones included.
    pub fn received(&self) -> u64 {
        0
    }

    /// Packets expected and never received; repeated ones never make it negative.
    pub fn lost(&self) -> u64 {
        0
    }

    pub fn jitter(&self) -> Duration {
        Duration::ZERO
    }

    /// The source has told its time: `ntp` from its sender report.
    pub fn take_sender_report(&mut self, sender: &SenderInfo, now: Instant) {
        let _ = (sender, now);
    }

    /// The block for our next report; `None` before the first packet. Starts the next interval of `fraction_lost`.
    pub fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let _ = now;
        None
    }
}

/// Figures of the packets we send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendStats {
    packets: u64,
}

impl SendStats {
    /// `clock_hz` is the RTP clock.
    pub fn new(clock_hz: u32) -> Self {
        let _ = clock_hz;
        SendStats::default()
    }

    pub fn sent(&mut self, timestamp: u32, payload_octets: usize, now: Instant) {
        let _ = (timestamp, payload_octets, now);
    }

    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// For our next sender report; `None` when nothing was sent since the last but one report (RFC 3550 §6.4).
    pub fn report(&mut self, ntp: u64, now: Instant) -> Option<SenderInfo> {
        let _ = (ntp, now);
        None
    }
}
