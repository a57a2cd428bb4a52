//! The offer/answer state of one leg.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Agreed, Direction, LocalAudio, SdpError};
use crate::settings::Codec;

/// Offers, answers and what came of them, for one leg's whole life. A refused exchange leaves what was agreed as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Negotiator {
    local: LocalAudio,
    agreed: Option<Agreed>,
}

impl Negotiator {
    pub fn new(local: LocalAudio) -> Self {
        Negotiator { local, agreed: None }
    }

    /// The codecs of the next offer or answer, best first: to match the other leg and spare transcoding.
    pub fn set_codecs(&mut self, codecs: Vec<Codec>) {
        self.local.codecs = codecs;
    }

    /// Our offer. The version in `o=` grows only when the description differs from the last one we sent.
    pub fn offer(&mut self, _wish: Direction) -> Bytes {
        Bytes::new()
    }

    /// The peer's answer to our last offer. May be called again for the same offer (forked responses, RFC 3261 §13.2.2.4).
    pub fn take_answer(&mut self, _sdp: &[u8]) -> Result<Agreed, SdpError> {
        Err(SdpError::NoOffer)
    }

    /// The peer's offer: gives our answer and what it means.
    pub fn take_offer(&mut self, _sdp: &[u8], _wish: Direction) -> Result<(Bytes, Agreed), SdpError> {
        Err(SdpError::NoAudio)
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Our offer was refused or withdrawn: what was agreed before it stands.
    pub fn offer_refused(&mut self) {}
}
