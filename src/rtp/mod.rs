//! RTP and RTCP (RFC 3550), telephone-event (RFC 4733), the jitter buffer and the quality estimate.

mod delay;
mod jitter;
mod packet;
mod quality;
mod rtcp;
mod srtp;
mod stats;
mod telephone_event;

use crate::time::Instant;

pub use jitter::{Inserted, JitterBuffer, JitterLimits, Taken};
pub use packet::{Header, View, is_rtcp, rewrite};
pub use quality::{Conditions, mos};
pub use rtcp::{Compound, Incoming, ReportBlock, RtcpError, RtcpTimer, SenderInfo, ntp_middle, ntp_time, round_trip};
pub use srtp::{Context as SrtpContext, MOST_ADDED, SrtpError};
pub use stats::{Arrival, ReceiveStats, SendStats};
pub use telephone_event::{EventPacket, EventReceiver, EventSender, OutgoingEvent};

/// A time in units of an RTP clock, modulo 2^32 as timestamps are.
fn clock_units(at: Instant, clock_hz: u32) -> u32 {
    (u128::from(at.0) * u128::from(clock_hz) / 1_000_000_000) as u32
}
