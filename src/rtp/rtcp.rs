//! RTCP: sender and receiver reports, SDES CNAME, BYE (RFC 3550 §6).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Wall;

/// RFC 3550 §6.4.1: a reception report block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Of the last interval, in 256ths.
    pub fraction_lost: u8,
    /// Of the whole session, 24 bits, negative when packets were repeated.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    pub last_sr: u32,
    /// In 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// RFC 3550 §6.4.1: the sender's part of a sender report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderInfo {
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// One compound packet of ours: SR (or RR), SDES with CNAME, and BYE where the stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    pub ssrc: u32,
    pub sender: Option<SenderInfo>,
    pub block: Option<ReportBlock>,
    /// At most 255 octets; the rest is cut off.
    pub cname: &'a str,
    pub bye: bool,
}

impl Compound<'_> {
    /// Octets that any compound fits into.
    pub const MAX_LEN: usize = 360;

    /// Writes it to the front of `out` and returns its length; `None` where `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let _ = out;
        None
    }
}

/// What a compound packet of the peer's tells us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Who reports.
    pub ssrc: u32,
    pub sender: Option<SenderInfo>,
    /// What it says about the stream asked for.
    pub block: Option<ReportBlock>,
    pub bye: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum RtcpError {
    #[error("an RTCP packet does not fit its datagram")]
    Length,
    #[error("a compound RTCP packet must begin with a report of version 2 without padding")]
    First,
}

impl Incoming {
    /// Reads a compound packet (RFC 3550 App. A.2: strict); `own` is the SSRC whose report block we want.
    pub fn parse(datagram: &[u8], own: u32) -> Result<Incoming, RtcpError> {
        let _ = (datagram, own);
        Err(RtcpError::Length)
    }
}

/// When the next report is due (RFC 3550 §6.2, §6.3 and App. A.7 for a session of two).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RtcpTimer {
    average_octets: f64,
}

impl RtcpTimer {
    /// `session_bits_per_second` of the RTP in one direction; 5 % of it are RTCP's.
    pub fn new(session_bits_per_second: u32) -> Self {
        let _ = session_bits_per_second;
        RtcpTimer { average_octets: 0.0 }
    }

    /// A compound packet came or went; its size moves the average.
    pub fn packet(&mut self, octets: usize) {
        let _ = octets;
    }

    /// Time until our next report; `random` is even between 0 and 1.
    pub fn interval(&mut self, random: f64) -> Duration {
        let _ = random;
        Duration::from_secs(5)
    }
}

/// The 64-bit NTP time of a wall-clock time (RFC 3550 §4).
pub fn ntp_time(wall: Wall) -> u64 {
    let _ = wall;
    0
}

/// The middle 32 bits of an NTP time: what LSR carries.
pub fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// RFC 3550 §6.4.1: the round trip that a report block about our stream shows; `None` where it names no report of ours.
pub fn round_trip(block: &ReportBlock, received_at_ntp: u64) -> Option<Duration> {
    let _ = (block, received_at_ntp);
    None
}
