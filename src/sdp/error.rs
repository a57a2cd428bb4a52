//! What can be wrong with a session description, and the SIP status that says so.

use serde::{Deserialize, Serialize};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum SdpError {
    #[error("the session description is {size} octets long; at most {limit} are read")]
    TooLarge { size: usize, limit: usize },
    #[error("the session description has more than {limit} {what}")]
    TooMany { what: String, limit: usize },
    #[error("line {line} of the session description: {fault}")]
    Malformed { line: usize, fault: String },
    #[error("the answer does not fit our offer: {0}")]
    Answer(String),
    #[error("the session description has no audio stream with a port; offer m=audio")]
    NoAudio,
    #[error("no common codec; offer one of {ours}")]
    NoCommonCodec { ours: String },
    #[error("audio over {0} is not spoken here; offer RTP/AVP, RTP/SAVP or UDP/TLS/RTP/SAVPF")]
    Transport(String),
    #[error("the audio cannot be protected as the description asks: {0}")]
    Protection(String),
    #[error("'{0}' is no address that RTP can be sent to from here; announce a unicast IP address of our own family")]
    Address(String),
    #[error("an answer came without an offer of ours before it")]
    NoOffer,
    #[error("an offer came while our own waits for its answer")]
    OfferPending,
}

impl SdpError {
    /// The status of the refusal: 400 for what cannot be read, 488 for what cannot be agreed (RFC 3261 §21.4.26),
    /// 491 for offers that cross (RFC 3261 §14.2), 500 for a mistake of our own.
    pub fn status(&self) -> u16 {
        match self {
            SdpError::TooLarge { .. } | SdpError::TooMany { .. } | SdpError::Malformed { .. } | SdpError::Answer(_) => {
                400
            }
            SdpError::NoAudio
            | SdpError::NoCommonCodec { .. }
            | SdpError::Transport(_)
            | SdpError::Protection(_)
            | SdpError::Address(_) => 488,
            SdpError::OfferPending => 491,
            SdpError::NoOffer => 500,
        }
    }
}

/// What of the peer's text may stand in an error, and so in a header or a log: a short piece of visible ASCII.
pub(super) fn shown(text: &str) -> String {
    text.trim().chars().take(80).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
