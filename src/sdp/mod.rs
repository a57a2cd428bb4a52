//! Offer and answer (RFC 3264) of one audio stream: what each leg of a call announces, takes and agrees on.

mod candidates;
mod error;
mod hide;
mod negotiator;
mod protection;
mod read;
mod stream;
mod write;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::security::{Fingerprint, Secret, Security};
use crate::settings::{Codec, IceSide};

pub use error::SdpError;
pub use hide::hide_keys;
pub use negotiator::Negotiator;

/// What we announce for our side of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalAudio {
    /// Where we want RTP; RTCP is the next port.
    pub address: SocketAddr,
    /// In our order of preference.
    pub codecs: Vec<Codec>,
    /// The `o=` session id: one for the leg's whole life (RFC 4566 §5.2).
    pub session_id: u64,
    /// Our bound address, where `address` is that of a NAT in front of us: whoever is on this side of it finds us so (ICE).
    pub inside: Option<SocketAddr>,
    pub protection: Protection,
}

/// How far the media of a leg is to be kept from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What our own offers ask for.
    pub offers: Offers,
    /// Keys in session descriptions are taken: others cannot read the signalling, or the operator does not mind.
    pub sdes: bool,
    /// Media that is not protected is not agreed to.
    pub required: bool,
    /// Of our certificate; where there is none, DTLS is not spoken.
    pub fingerprint: Option<Fingerprint>,
    /// Which side of ICE we are.
    #[serde(default)]
    pub ice: IceSide,
    /// What the leg's keys and passwords are made of.
    pub secret: Secret,
}

impl Protection {
    /// Plain RTP and nothing else.
    pub const NONE: Protection = Protection {
        offers: Offers::Plain,
        sdes: false,
        required: false,
        fingerprint: None,
        ice: IceSide::Lite,
        secret: Secret([0; 32]),
    };
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offers {
    /// RTP/AVP.
    #[default]
    Plain,
    /// RTP/AVP with keys, which the answer may use or not (RFC 8643).
    Opportunistic,
    /// RTP/SAVP with keys (RFC 4568).
    Sdes,
    /// UDP/TLS/RTP/SAVPF with ICE (RFC 8827): for browsers.
    Dtls,
}

/// A direction seen from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direction {
    pub send: bool,
    pub receive: bool,
}

impl Direction {
    pub const BOTH: Direction = Direction { send: true, receive: true };
    pub const SEND_ONLY: Direction = Direction { send: true, receive: false };
    pub const RECEIVE_ONLY: Direction = Direction { send: false, receive: true };
    pub const INACTIVE: Direction = Direction { send: false, receive: false };

    /// The same direction seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Direction {
        Direction { send: self.receive, receive: self.send }
    }

    /// What both this and `other` allow.
    #[must_use]
    pub fn and(self, other: Direction) -> Direction {
        Direction { send: self.send && other.send, receive: self.receive && other.receive }
    }

    /// The attribute of RFC 4566 §6.
    pub fn attribute(self) -> &'static str {
        match (self.send, self.receive) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }
}

/// What offer and answer settled, from our side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// Where RTP goes; `None` while the peer has no address (`0.0.0.0`, port 0).
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes: `a=rtcp`, else the next port; with rtcp-mux the same as `remote`.
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    pub codec: Codec,
    /// The number the peer gave the codec, and the number we gave it.
    pub send_payload_type: u8,
    pub receive_payload_type: u8,
    /// telephone-event at 8000 Hz, likewise; `None` where the peer does not take part.
    pub send_event_type: Option<u8>,
    pub receive_event_type: Option<u8>,
    /// Length of the packets we send: 10, 20, 30, 40 or 60 ms.
    pub ptime: Duration,
    /// Ours, after the peer's wish.
    pub direction: Direction,
    /// The peer does not want to hear us: `sendonly`, `inactive`, `0.0.0.0` or port 0. Whatever it may still send
    /// (its own music), it is not a sign of life that can be relied on.
    pub held_by_peer: bool,
    pub security: Security,
}
