//! From one stream of G.722 to another (ITU-T G.722 §3 to 6): encoder and decoder adapt to what was said, so that the octets of
//! a stream mean something else to a decoder that was listening to another one, and are heard as a click, louder the louder the
//! other one was. For a tenth of a second the new stream is decoded as its own listener would and encoded as the far end's
//! decoder will understand it, band by band and without the filters, so that nothing is delayed; longer where the two do not
//! agree by then, as with a lasting tone, which many predictors fit.

use crate::audio::SubBands;

/// Octets in a millisecond.
const OCTETS_PER_MS: usize = 8;

/// What is kept of a stream. Its adaptation forgets: of the scale 127/128 is left after each octet, of the predictor 255/256, so
/// that what was before this counts for 2 %.
const KEPT: usize = 120 * OCTETS_PER_MS;

/// How long the far end's decoder is led, at least and at most.
const LED: usize = 100 * OCTETS_PER_MS;
const LED_AT_MOST: usize = 5_000 * OCTETS_PER_MS;

/// The two agree when what they make of a packet differs by no more than this, and this part of what is loudest in it.
const FAINT: i32 = 48;
const PART: i32 = 32;

/// In which the step between the two is levelled.
const LEVELLED: usize = 5 * OCTETS_PER_MS;

/// The last octets of a stream.
#[derive(Debug)]
pub(super) struct Recent {
    octets: [u8; KEPT],
    /// Where the next one goes, and how many there are.
    at: usize,
    count: usize,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { octets: [0; KEPT], at: 0, count: 0 }
    }
}

impl Recent {
    pub fn push(&mut self, payload: &[u8]) {
        let payload = payload.get(payload.len().saturating_sub(KEPT)..).unwrap_or_default();
        let (first, rest) = payload.split_at(payload.len().min(KEPT - self.at));
        for (place, part) in [(self.at, first), (0, rest)] {
            if let Some(octets) = self.octets.get_mut(place..place + part.len()) {
                octets.copy_from_slice(part);
            }
        }
        self.at = (self.at + payload.len()) % KEPT;
        self.count = (self.count + payload.len()).min(KEPT);
    }

    /// What is kept, the oldest first, in two parts.
    pub fn octets(&self) -> [&[u8]; 2] {
        let (newer, older) = self.octets.split_at(self.at);
        [if self.count < KEPT { &[] } else { older }, newer]
    }

    /// What a decoder knows that heard all this, and the samples that it gave last.
    fn heard(&self) -> (SubBands, [i32; 2]) {
        let mut bands = SubBands::default();
        let mut last = [0; 2];
        for octet in self.octets().into_iter().flatten() {
            last = bands.decode(*octet);
        }
        (bands, last)
    }
}

/// The way over.
#[derive(Debug)]
pub(super) struct Crossing {
    /// As a decoder would be that heard the new stream from its beginning.
    theirs: SubBands,
    /// As the far end's decoder is.
    ours: SubBands,
    last: [i32; 2],
    /// What is between the end of the old stream and the beginning of the new one; known at its first octet.
    step: Option<[i32; 2]>,
    led: usize,
}

impl Crossing {
    /// From what was `sent` to what goes on from `before`; a new stream begins where that is not known. `silent`: the far end has
    /// heard nothing for a while.
    pub fn new(sent: &Recent, before: Option<&Recent>, silent: bool) -> Crossing {
        let (ours, last) = sent.heard();
        let theirs = before.map_or_else(SubBands::default, |before| before.heard().0);
        Crossing { theirs, ours, last: if silent { [0; 2] } else { last }, step: None, led: 0 }
    }

    /// Rewrites a payload of the new stream, and the next ones until the far end understands them as they are; then `true`.
    pub fn lead(&mut self, payload: &mut [u8]) -> bool {
        if self.led >= LED_AT_MOST || self.led >= LED && self.agree(payload) {
            return true;
        }
        for octet in payload {
            let [low, high] = self.theirs.decode(*octet);
            let [last_low, last_high] = self.last;
            let [step_low, step_high] = *self.step.get_or_insert([last_low - low, last_high - high]);
            let (left, all) = (LEVELLED.saturating_sub(self.led) as i32, LEVELLED as i32);
            *octet = self.ours.encode([low + step_low * left / all, high + step_high * left / all]);
            self.led += 1;
        }
        false
    }

    /// Whether the far end would hear this much as it was said.
    fn agree(&self, payload: &[u8]) -> bool {
        let (mut ours, mut theirs) = (self.ours.clone(), self.theirs.clone());
        let (mut amiss, mut loudest) = (0, 0);
        for octet in payload {
            for (heard, said) in ours.decode(*octet).into_iter().zip(theirs.decode(*octet)) {
                amiss = amiss.max((heard - said).abs());
                loudest = loudest.max(said.abs());
            }
        }
        amiss <= FAINT + loudest / PART
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::audio::{Decoder, Encoder};
    use crate::settings::Codec;

    /// A stream of its own, from its beginning.
    struct Stream {
        encoder: Encoder,
        tones: Vec<(f64, f64)>,
        sample: usize,
    }

    impl Stream {
        fn new(tones: &[(f64, f64)]) -> Stream {
            Stream { encoder: Encoder::new(Codec::G722), tones: tones.to_vec(), sample: 0 }
        }

        fn packet(&mut self) -> Vec<u8> {
            let at = |sample: usize| {
                let turn = TAU * sample as f64 / 16_000.0;
                self.tones.iter().map(|(hz, amplitude)| amplitude * (turn * hz).sin()).sum::<f64>() as i16
            };
            let pcm: Vec<i16> = (self.sample..self.sample + 320).map(at).collect();
            self.sample += 320;
            let mut payload = vec![0; 160];
            self.encoder.encode(&pcm, &mut payload);
            payload
        }
    }

    fn pcm(decoder: &mut Decoder, payload: &[u8]) -> Vec<i32> {
        let mut pcm = [0; 320];
        decoder.decode(payload, &mut pcm);
        pcm.iter().map(|sample| i32::from(*sample)).collect()
    }

    /// The most that a far end which heard `old` hears amiss of `new` from the fade on, with our help and without it.
    fn amiss(old: &[(f64, f64)], new: &[(f64, f64)], turn: usize) -> (i32, i32) {
        let (mut old, mut new) = (Stream::new(old), Stream::new(new));
        let mut far = Decoder::new(Codec::G722);
        let (mut sent, mut came) = (Recent::default(), Recent::default());
        let mut truth = Decoder::new(Codec::G722);
        for _ in 0..turn {
            let payload = old.packet();
            pcm(&mut far, &payload);
            sent.push(&payload);
            let payload = new.packet();
            pcm(&mut truth, &payload);
            came.push(&payload);
        }
        let mut crossing = Some(Crossing::new(&sent, Some(&came), false));
        let mut unhelped = far.clone();
        let mut worst = (0, 0);
        for packet in 0..60 {
            let payload = new.packet();
            let right = pcm(&mut truth, &payload);
            let mut led = payload.clone();
            if crossing.as_mut().is_some_and(|crossing| crossing.lead(&mut led)) {
                crossing = None;
            }
            let skip = if packet == 0 { 2 * LEVELLED + 44 } else { 0 };
            let most = |heard: Vec<i32>| {
                heard.iter().zip(&right).skip(skip).map(|(heard, right)| (heard - right).abs()).max().unwrap_or(0)
            };
            worst = (worst.0.max(most(pcm(&mut far, &led))), worst.1.max(most(pcm(&mut unhelped, &payload))));
        }
        worst
    }

    #[test]
    fn what_a_far_end_hears_of_another_stream_is_as_it_was_said() {
        let loud = [(300.0, 9_000.0), (1_900.0, 5_000.0), (5_200.0, 1_500.0)];
        let soft = [(250.0, 700.0), (900.0, 300.0)];
        let other = [(420.0, 6_000.0), (2_600.0, 2_000.0), (4_700.0, 800.0)];
        for (old, new) in [(&loud[..], &soft[..]), (&soft, &loud), (&loud, &other), (&other, &loud), (&other, &soft)] {
            for turn in [1, 3, 7, 30, 31] {
                let (helped, unhelped) = amiss(old, new, turn);
                // Coded twice, and at first with a scale that is made for what was before.
                let loudest: f64 = new.iter().map(|(_, amplitude)| amplitude).sum();
                let bound = 700 + loudest as i32 / 12;
                assert!(helped < bound, "{old:?} to {new:?} after {turn}: {helped} amiss");
                assert!(helped * 2 < unhelped, "{old:?} to {new:?} after {turn}: {helped}, unhelped {unhelped}");
            }
        }
    }

    #[test]
    fn the_last_octets_are_kept_whatever_the_packets() {
        let octets: Vec<u8> = (0..5_000).map(|at| (at * 7 % 251) as u8).collect();
        for size in [1, 80, 160, 480, 1_000, 1_921] {
            let mut recent = Recent::default();
            octets.chunks(size).for_each(|packet| recent.push(packet));
            assert_eq!(recent.octets().concat(), octets[5_000 - KEPT..], "{size}");
        }
    }
}
