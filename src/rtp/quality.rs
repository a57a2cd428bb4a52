//! What a listener would say of the line: the E-model of ITU-T G.107, with every parameter but loss and delay at its
//! default.
//!
//! R = R0 - Id - Ie,eff, where
//! - R0 = 93.2 is a perfect line,
//! - Id = 0.024 d + 0.11 (d - 177.3) H(d - 177.3) is the delay d in ms (the usual fit to G.107's curve),
//! - Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl) is the loss Ppl in percent (random, BurstR = 1). G.711 has Ie = 0 and,
//!   concealed by its Appendix I, Bpl = 25.1 (G.113 App. I). G.722 is judged on its own wide-band scale as unimpaired;
//!   no Bpl is tabulated for our concealment of it, so it gets the cautious 4.3 of unconcealed G.711.
//!
//! MOS = 1 + 0.035 R + 7e-6 R (R - 60) (100 - R), from 1 to 4.5.

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
    let delay = conditions.delay.as_secs_f64() * 1000.0;
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let loss = if conditions.loss.is_finite() { conditions.loss.clamp(0.0, 1.0) * 100.0 } else { 100.0 };
    let robustness = match conditions.codec {
        Codec::Pcmu | Codec::Pcma => 25.1,
        Codec::G722 | Codec::Opus => 4.3,
    };
    let loss_impairment = 95.0 * loss / (loss + robustness);
    let rating = (93.2 - delay_impairment - loss_impairment).clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating);
    // Between 0 and 6.5 the cubic dips below 1.
    score.clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(codec: Codec, loss: f64, delay_ms: u64) -> f64 {
        mos(&Conditions { codec, loss, delay: Duration::from_millis(delay_ms) })
    }

    #[test]
    fn known_points_of_the_e_model() {
        assert!((score(Codec::Pcmu, 0.0, 0) - 4.41).abs() < 0.01, "R 93.2 is MOS 4.41 (G.107 Annex B)");
        // R = 93.2 - 3.6 - 95 * 5 / 30.1 = 73.8
        assert!((score(Codec::Pcma, 0.05, 150) - 3.78).abs() < 0.02, "{}", score(Codec::Pcma, 0.05, 150));
    }

    #[test]
    fn more_loss_and_more_delay_never_sound_better() {
        for codec in [Codec::Pcmu, Codec::G722] {
            for step in 0..100 {
                let loss = f64::from(step) / 100.0;
                assert!(score(codec, loss + 0.01, 50) <= score(codec, loss, 50));
                assert!(score(codec, 0.01, step as u64 * 10 + 10) <= score(codec, 0.01, step as u64 * 10));
            }
        }
    }

    #[test]
    fn the_score_stays_on_its_scale() {
        for (loss, delay) in [(1.0, 0), (2.0, 5000), (-1.0, 0), (f64::NAN, 0), (0.0, u64::MAX / 1_000_000)] {
            let score = score(Codec::Pcmu, loss, delay);
            assert!((1.0..=4.5).contains(&score), "{loss} {delay}: {score}");
        }
    }
}
