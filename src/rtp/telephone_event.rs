//! Keys as RTP events (RFC 4733).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Header;

/// RFC 4733 §2.3: the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPacket {
    /// 0 to 15 are the keys 0–9 * # A–D.
    pub event: u8,
    pub end: bool,
    /// dBm0 with the sign dropped, 0 to 63.
    pub volume: u8,
    /// In timestamp units.
    pub duration: u16,
}

impl EventPacket {
    pub const LEN: usize = 4;

    /// The first event of a payload; `None` where it is no whole number of events.
    pub fn parse(payload: &[u8]) -> Option<EventPacket> {
        let _ = payload;
        None
    }

    pub fn write(&self) -> [u8; EventPacket::LEN] {
        [0; 4]
    }
}

/// Tells keys from the packets of them: each key once, however its packets are repeated, reordered or lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventReceiver {}

impl EventReceiver {
    /// The event code (0 to 15) when this packet is the first sign of a key.
    pub fn receive(&mut self, header: &Header, payload: &[u8]) -> Option<u8> {
        let _ = (header, payload);
        None
    }
}

/// One packet of a key that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    /// On the first packet only.
    pub marker: bool,
    /// The same for all packets of a key: when it began.
    pub timestamp: u32,
    pub payload: [u8; EventPacket::LEN],
}

/// Sends one key: an update every packet time, then the end three times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventSender {}

impl EventSender {
    /// A key that begins at `timestamp`; `duration` is held between 40 ms and 6 s.
    pub fn new(event: u8, timestamp: u32, duration: Duration) -> Self {
        let _ = (event, timestamp, duration);
        EventSender {}
    }

    /// The packet for the next `step` of timestamp units (160 for 20 ms); `None` when all are sent.
    pub fn packet(&mut self, step: u16) -> Option<OutgoingEvent> {
        let _ = step;
        None
    }
}
