//! Speech recognition's share of a leg: what its far end says, decoded piece by piece as it comes, with the level of what the
//! far end was played meanwhile. Whoever recognises it is behind `Listener`.

use std::time::Duration;

use crate::audio::{Decoder, sample_rate_hz};
use crate::bridge::Listening;
use crate::heard::Hints;
use crate::ids::LegId;
use crate::rtp::View;
use crate::settings::Codec;
use crate::time::Instant;

use super::outgoing::units;
use super::voice::{FRAME_OCTETS, Frame, WIDE};

/// Opens the way to a recogniser. Called on a media thread between ticks: it must not wait.
pub trait Listener: Send + Sync {
    /// `None` where nobody can listen; whoever asked is told so by the listener itself.
    fn open(&self, leg: LegId, listening: &Listening, sample_rate_hz: u32) -> Option<Box<dyn Ears>>;
}

/// One conversation's recogniser. Nothing of it may wait.
pub trait Ears: Send {
    /// Up to 20 ms of the caller's voice, and the mean square of what the caller was played meanwhile.
    fn hear(&self, pcm: &[i16], played: f32);
    fn expect(&self, hints: Hints);
}

/// Where there is no speech recognition.
pub struct Deaf;

impl Listener for Deaf {
    fn open(&self, _: LegId, _: &Listening, _: u32) -> Option<Box<dyn Ears>> {
        None
    }
}

/// A far end that says nothing for longer than this, though its packets should come, is silent to the recogniser.
const GAP: Duration = Duration::from_millis(120);

/// What was played last is not heard any more after this.
const PLAYED_LASTS: Duration = Duration::from_millis(60);

/// Packets that came in a burst may be so far ahead of the clock.
const AHEAD: u64 = 8 * 100;

/// A leg that is listened to.
pub(super) struct Hearer {
    pub listening: Listening,
    pub codec: Codec,
    ears: Box<dyn Ears>,
    decoder: Decoder,
    /// For what is played, to know how loud it is.
    near: Decoder,
    played: f32,
    played_at: Instant,
    began: Instant,
    /// In RTP units since it began: how much the recogniser was given.
    given: u64,
    /// The timestamp that is to come next.
    next: Option<u32>,
}

impl Hearer {
    pub fn new(listening: Listening, codec: Codec, ears: Box<dyn Ears>, now: Instant) -> Hearer {
        Hearer {
            listening,
            codec,
            ears,
            decoder: Decoder::new(codec),
            near: Decoder::new(codec),
            played: 0.0,
            played_at: Instant(0),
            began: now,
            given: 0,
            next: None,
        }
    }

    pub fn expect(&self, hints: Hints) {
        self.ears.expect(hints);
    }

    /// What the far end says. One that comes behind a later one is left out.
    pub fn far(&mut self, packet: &View<'_>, now: Instant) {
        let timestamp = packet.header.timestamp;
        let ahead = self.next.map_or(0, |next| timestamp.wrapping_sub(next) as i32);
        if ahead < 0 && ahead > -(units(Duration::from_secs(2)) as i32) {
            return;
        }
        // What was lost is silence, as far as the clock has gone on meanwhile.
        let lost = u64::from(ahead.unsigned_abs()).min(self.behind(now));
        self.silence(lost, now);
        let mut pcm: Frame = [0; WIDE];
        for piece in packet.payload.chunks(FRAME_OCTETS) {
            let samples = self.decoder.decode(piece, &mut pcm);
            self.give(pcm.get(..samples).unwrap_or_default(), piece.len() as u64, now);
        }
        self.next = Some(timestamp.wrapping_add(packet.payload.len() as u32));
    }

    /// What the far end is sent.
    pub fn near(&mut self, payload: &[u8], now: Instant) {
        let mut pcm: Frame = [0; WIDE];
        let (mut sum, mut count) = (0.0f32, 0usize);
        for piece in payload.chunks(FRAME_OCTETS) {
            let samples = self.near.decode(piece, &mut pcm);
            let heard = pcm.get(..samples).unwrap_or_default();
            sum += heard.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum::<f32>();
            count += samples;
        }
        self.played = sum / count.max(1) as f32;
        self.played_at = now;
    }

    /// Time has passed: a far end that sends nothing is silent. To be called every 100 ms.
    pub fn pass(&mut self, now: Instant) {
        let behind = self.behind(now);
        if behind > u64::from(units(GAP)) {
            self.silence(behind, now);
        }
    }

    fn behind(&self, now: Instant) -> u64 {
        u64::from(units(now.since(self.began))).saturating_sub(self.given)
    }

    fn silence(&mut self, mut octets: u64, now: Instant) {
        let per_octet = sample_rate_hz(self.codec) as usize / 8000;
        let pcm: Frame = [0; WIDE];
        while octets > 0 {
            let piece = octets.min(FRAME_OCTETS as u64);
            self.give(pcm.get(..piece as usize * per_octet).unwrap_or_default(), piece, now);
            octets -= piece;
        }
    }

    fn give(&mut self, pcm: &[i16], octets: u64, now: Instant) {
        let played = if now.since(self.played_at) < PLAYED_LASTS { self.played } else { 0.0 };
        self.ears.hear(pcm, played);
        let most = u64::from(units(now.since(self.began))) + AHEAD;
        self.given = (self.given + octets).min(most);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::rtp::Header;

    /// What was heard, with the level of what was played.
    type Heard = Vec<(Vec<i16>, f32)>;

    #[derive(Clone, Default)]
    struct Tape(Arc<Mutex<Heard>>);

    impl Ears for Tape {
        fn hear(&self, pcm: &[i16], played: f32) {
            self.0.lock().unwrap().push((pcm.to_vec(), played));
        }

        fn expect(&self, _: Hints) {}
    }

    impl Tape {
        fn samples(&self) -> usize {
            self.0.lock().unwrap().iter().map(|(pcm, _)| pcm.len()).sum()
        }
    }

    fn hearer(codec: Codec) -> (Hearer, Tape) {
        let tape = Tape::default();
        let listening = Listening { listen: 1, bot: "b".to_owned(), language: "en".into(), hints: Hints::default() };
        (Hearer::new(listening, codec, Box::new(tape.clone()), at(0)), tape)
    }

    fn at(ms: u64) -> Instant {
        Instant(0) + Duration::from_millis(1_000 + ms)
    }

    fn packet(hearer: &mut Hearer, timestamp: u32, ms: u64) {
        let header = Header { payload_type: 0, marker: false, sequence: 0, timestamp, ssrc: 1 };
        hearer.far(&View { header, payload: &[0x80; 160] }, at(ms));
    }

    #[test]
    fn every_codec_is_given_20_ms_at_its_own_rate() {
        for (codec, samples) in [(Codec::Pcmu, 160), (Codec::Pcma, 160), (Codec::G722, 320)] {
            let (mut hearer, tape) = hearer(codec);
            packet(&mut hearer, 0, 20);
            assert_eq!(tape.samples(), samples, "{codec:?}");
        }
    }

    #[test]
    fn what_is_lost_is_silence_and_what_is_late_is_left_out() {
        let (mut hearer, tape) = hearer(Codec::Pcmu);
        packet(&mut hearer, 0, 20);
        packet(&mut hearer, 480, 80);
        assert_eq!(tape.samples(), 4 * 160);
        packet(&mut hearer, 160, 85);
        assert_eq!(tape.samples(), 4 * 160, "one that was made up for");
        packet(&mut hearer, 640, 100);
        assert_eq!(tape.samples(), 5 * 160);
    }

    #[test]
    fn a_far_end_that_sends_nothing_is_silent_by_the_clock() {
        let (mut hearer, tape) = hearer(Codec::Pcmu);
        packet(&mut hearer, 0, 20);
        for ms in (100..=1_000).step_by(100) {
            hearer.pass(at(ms));
        }
        assert!((7_000..=8_000).contains(&tape.samples()), "{}", tape.samples());
        packet(&mut hearer, 160, 1_010);
        assert!(tape.samples() <= 8_160 + 160);
    }

    #[test]
    fn the_level_of_what_is_played_fades_with_it() {
        let (mut hearer, tape) = hearer(Codec::Pcmu);
        hearer.near(&[0x00; 160], at(10));
        packet(&mut hearer, 0, 20);
        packet(&mut hearer, 160, 120);
        let levels: Vec<f32> = tape.0.lock().unwrap().iter().map(|(_, played)| *played).collect();
        assert!(levels[0] > 1e8, "{levels:?}");
        assert_eq!(levels[1], 0.0);
    }
}
