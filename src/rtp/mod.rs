//! RTP and RTCP (RFC 3550), telephone-event (RFC 4733), the jitter buffer and the quality estimate.

mod jitter;
mod packet;
mod quality;
mod rtcp;
mod stats;
mod telephone_event;

pub use jitter::{Inserted, JitterBuffer, JitterLimits, Taken};
pub use packet::{Header, View, is_rtcp, rewrite};
pub use quality::{Conditions, mos};
pub use rtcp::{Compound, Incoming, ReportBlock, RtcpError, RtcpTimer, SenderInfo, ntp_middle, ntp_time, round_trip};
pub use stats::{Arrival, ReceiveStats, SendStats};
pub use telephone_event::{EventPacket, EventReceiver, EventSender, OutgoingEvent};
