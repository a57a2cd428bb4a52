//! What a listener would say of the line: ITU-T G.107.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::Codec;

/// What is known of one direction of a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    pub codec: Codec,
    /// Packets lost or late, 0 to 1.
    pub loss: f64,
    /// Mouth to ear: half the round trip, the jitter buffer, one packet.
    pub delay: Duration,
}

/// Mean opinion score, 1 (bad) to 4.5.
pub fn mos(conditions: &Conditions) -> f64 {
    let _ = conditions;
    1.0
}
