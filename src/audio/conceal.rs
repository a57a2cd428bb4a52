//! Loss concealment after ITU-T G.711 Appendix I: lost audio is bridged with the last pitch periods, faded to silence.

use serde::{Deserialize, Serialize};

/// Lengths in samples at 8000 Hz, as in the Appendix.
const FRAME: usize = 80;
const PITCH_MIN: usize = 40;
const PITCH_MAX: usize = 120;
/// A quarter of the longest pitch: the longest overlap, and the delay that makes it possible.
const DELAY: usize = PITCH_MAX / 4;
const HISTORY: usize = 3 * PITCH_MAX + DELAY;
/// The pitch is searched in so much of the latest audio.
const CORRELATION: usize = 160;
/// The overlap at the end of a loss grows by so much with each lost frame.
const OVERLAP_STEP: usize = 32;
/// The fade begins after the first frame and is complete after this many.
const SILENT_AFTER: usize = 6;

/// Bridges lost audio with the last pitch period (after 10 ms the last two, after 20 ms the last three), fades by a
/// fifth every 10 ms after the first, and is silent after 60 ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Concealer {
    /// Samples for one at 8000 Hz.
    scale: usize,
    /// The latest audio, oldest first; its last `DELAY` samples have not been given out yet.
    history: Vec<i16>,
    loss: Option<Loss>,
    /// The history at the beginning of the loss, its end overlapped with its beginning.
    periods: Vec<i16>,
    /// The end of the history as it was.
    end: Vec<i16>,
    /// The frame that is given out, and room for an overlap.
    frame: Vec<i16>,
    tail: Vec<i16>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Loss {
    pitch: usize,
    /// A quarter of it.
    overlap: usize,
    /// The repeated piece: this many samples from the end of `periods`, and where in it we are.
    length: usize,
    offset: usize,
    /// Frames made, and how much of the last one is given out.
    frames: usize,
    given: usize,
}

impl Concealer {
    /// For 8000 or 16000 samples a second.
    pub fn new(rate_hz: u32) -> Self {
        let scale = (rate_hz as usize / 8000).clamp(1, 2);
        Concealer {
            scale,
            history: vec![0; HISTORY * scale],
            loss: None,
            periods: vec![0; HISTORY * scale],
            end: vec![0; DELAY * scale],
            frame: vec![0; FRAME * scale],
            tail: vec![0; FRAME * scale],
        }
    }

    /// Passes decoded audio through, in place: remembers it, delays it by 3.75 ms, smooths the seam after a loss.
    pub fn received(&mut self, pcm: &mut [i16]) {
        if let Some(loss) = self.loss.take() {
            self.join(loss, pcm);
        }
        for piece in pcm.chunks_mut(FRAME * self.scale) {
            self.delay(piece);
        }
    }

    /// Fills `pcm` in place of audio that was lost.
    pub fn lost(&mut self, pcm: &mut [i16]) {
        let frame = FRAME * self.scale;
        let mut rest = pcm;
        while !rest.is_empty() {
            let mut loss = match self.loss {
                Some(loss) if loss.given < frame => loss,
                Some(loss) => self.next_frame(loss),
                None => self.begin(),
            };
            let (piece, following) = rest.split_at_mut(rest.len().min(frame - loss.given));
            piece.copy_from_slice(&self.frame[loss.given..loss.given + piece.len()]);
            loss.given += piece.len();
            self.loss = Some(loss);
            self.delay(piece);
            rest = following;
        }
    }

    /// Takes a piece of at most a frame into the history, and gives out what is now `DELAY` old.
    fn delay(&mut self, piece: &mut [i16]) {
        let count = piece.len();
        let length = self.history.len();
        self.history.copy_within(count.., 0);
        self.history[length - count..].copy_from_slice(piece);
        let end = length - DELAY * self.scale;
        piece.copy_from_slice(&self.history[end - count..end]);
    }

    /// The first lost frame: the last pitch period over and over.
    fn begin(&mut self) -> Loss {
        let pitch = self.pitch();
        let overlap = pitch / 4;
        self.periods.copy_from_slice(&self.history);
        let length = self.periods.len();
        self.end[..overlap].copy_from_slice(&self.history[length - overlap..]);
        let mut loss = Loss { pitch, overlap, length: pitch, offset: 0, frames: 0, given: 0 };
        self.close_ring(&loss);
        // The very end is not given out yet, so it can lead over into the repetition.
        self.history[length - overlap..].copy_from_slice(&self.periods[length - overlap..]);
        repeat(&self.periods, &mut loss, &mut self.frame);
        loss.frames = 1;
        loss
    }

    /// Overlaps the end of the repeated piece with what stands before its beginning, so that it can be repeated.
    fn close_ring(&mut self, loss: &Loss) {
        let length = self.periods.len();
        let before = length - loss.length - loss.overlap;
        for at in 0..loss.overlap {
            let (old, new) = (self.end[at], self.periods[before + at]);
            self.periods[length - loss.overlap + at] = blend(old, new, at, loss.overlap);
        }
    }

    /// A further lost frame.
    fn next_frame(&mut self, mut loss: Loss) -> Loss {
        if loss.frames >= SILENT_AFTER {
            self.frame.fill(0);
        } else if loss.frames <= 2 {
            // One period more is repeated, lest it buzz; the old repetition leads over into the new.
            let mut old = loss;
            repeat(&self.periods, &mut old, &mut self.tail[..loss.overlap]);
            while loss.offset > loss.pitch {
                loss.offset -= loss.pitch;
            }
            loss.length += loss.pitch;
            self.close_ring(&loss);
            repeat(&self.periods, &mut loss, &mut self.frame);
            for at in 0..loss.overlap {
                self.frame[at] = blend(self.tail[at], self.frame[at], at, loss.overlap);
            }
        } else {
            repeat(&self.periods, &mut loss, &mut self.frame);
        }
        fade(&mut self.frame, loss.frames, FRAME * self.scale);
        loss.frames = (loss.frames + 1).min(SILENT_AFTER + 1);
        loss.given = 0;
        loss
    }

    /// The loss is over: its repetition leads over into the first received samples.
    fn join(&mut self, loss: Loss, pcm: &mut [i16]) {
        let frame = FRAME * self.scale;
        let overlap = (loss.overlap + (loss.frames - 1) * OVERLAP_STEP * self.scale).min(frame).min(pcm.len());
        let left = (frame - loss.given).min(overlap);
        self.tail[..left].copy_from_slice(&self.frame[loss.given..loss.given + left]);
        if left < overlap {
            self.next_frame(loss);
            self.tail[left..overlap].copy_from_slice(&self.frame[..overlap - left]);
        }
        for (at, sample) in pcm[..overlap].iter_mut().enumerate() {
            *sample = blend(self.tail[at], *sample, at, overlap);
        }
    }

    /// The lag at which the latest audio is most like itself, searched coarsely and then finely.
    fn pitch(&self) -> usize {
        let coarse = 2 * self.scale;
        let likeness = |lag: &usize, step: usize| {
            let length = self.history.len();
            let latest = &self.history[length - CORRELATION * self.scale..];
            let earlier = &self.history[length - CORRELATION * self.scale - lag..length - lag];
            let (mut product, mut energy) = (0.0f32, 0.0f32);
            for (latest, earlier) in latest.iter().zip(earlier).step_by(step) {
                let (latest, earlier) = (f32::from(*latest), f32::from(*earlier));
                product += latest * earlier;
                energy += earlier * earlier;
            }
            product / energy.max(1.0).sqrt()
        };
        let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
            let mut best = (f32::MIN, PITCH_MIN * self.scale);
            for lag in lags {
                let alike = likeness(&lag, step);
                if alike > best.0 {
                    best = (alike, lag);
                }
            }
            best.1
        };
        let (least, most) = (PITCH_MIN * self.scale, PITCH_MAX * self.scale);
        let near = best(&mut (least..=most).step_by(coarse), coarse);
        best(&mut (near.saturating_sub(coarse).max(least)..=(near + coarse).min(most)), 1)
    }
}

/// Goes on in the repeated piece and fills `out` with it.
fn repeat(periods: &[i16], loss: &mut Loss, out: &mut [i16]) {
    let piece = &periods[periods.len() - loss.length..];
    for sample in out {
        if loss.offset >= loss.length {
            loss.offset = 0;
        }
        *sample = piece[loss.offset];
        loss.offset += 1;
    }
}

/// From `old` to `new` in `count` steps.
fn blend(old: i16, new: i16, at: usize, count: usize) -> i16 {
    let (at, count) = (at as i32 + 1, count as i32 + 1);
    ((i32::from(old) * (count - at) + i32::from(new) * at) / count) as i16
}

/// Lowers a frame by a fifth from its first to its last sample, from where the frames before it have come to.
fn fade(frame: &mut [i16], frames_before: usize, length: usize) {
    for (at, sample) in frame.iter_mut().enumerate() {
        let faded = (frames_before - 1) as f32 + at as f32 / length as f32;
        *sample = (f32::from(*sample) * (1.0 - 0.2 * faded).max(0.0)) as i16;
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    /// A voice: harmonics of a pitch.
    fn voice(rate: u32, pitch: f64, count: usize) -> Vec<i16> {
        (0..count)
            .map(|at| {
                let angle = at as f64 / f64::from(rate) * pitch * std::f64::consts::TAU;
                let sum: f64 = (1..8).map(|n| (angle * f64::from(n)).sin() / f64::from(n)).sum();
                (sum * 6000.0) as i16
            })
            .collect()
    }

    fn step(pcm: &[i16]) -> u16 {
        pcm.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or(0)
    }

    /// Plays with these 20 ms frames lost.
    fn heard(rate: u32, pcm: &[i16], lost: impl Fn(usize) -> bool) -> Vec<i16> {
        let mut concealer = Concealer::new(rate);
        let mut heard = pcm.to_vec();
        for (number, frame) in heard.chunks_mut(rate as usize / 50).enumerate() {
            if lost(number) {
                frame.fill(0x5555);
                concealer.lost(frame);
            } else {
                concealer.received(frame);
            }
        }
        heard
    }

    #[test]
    fn whole_audio_is_only_delayed() {
        for rate in [8000, 16_000] {
            let pcm = voice(rate, 130.0, rate as usize);
            let heard = heard(rate, &pcm, |_| false);
            let delay = DELAY * rate as usize / 8000;
            assert_eq!(heard[delay..], pcm[..pcm.len() - delay]);
        }
    }

    #[test]
    fn a_lost_frame_of_a_steady_voice_is_hardly_missed() {
        for rate in [8000, 16_000] {
            for pitch in [85.0, 120.0, 160.0, 190.0] {
                let pcm = voice(rate, pitch, rate as usize);
                let heard = heard(rate, &pcm, |frame| frame == 20);
                let delay = DELAY * rate as usize / 8000;
                let lost = rate as usize * 40 / 100..rate as usize * 41 / 100;
                let (mut signal, mut error) = (0.0, 0.0);
                for at in lost {
                    signal += f64::from(pcm[at]).powi(2);
                    error += (f64::from(pcm[at]) - f64::from(heard[at + delay])).powi(2);
                }
                let snr = 10.0 * (signal / error).log10();
                assert!(snr > 10.0, "{rate} Hz, pitch {pitch}: {snr} dB");
            }
        }
    }

    #[test]
    fn losses_do_not_click() {
        for rate in [8000, 16_000] {
            for seed in 0..40 {
                let rng = &mut ChaCha12Rng::seed_from_u64(seed);
                let pitch = 70.0 + f64::from(rng.next_u32() % 180);
                let pcm = voice(rate, pitch, rate as usize * 2);
                let pattern: Vec<bool> = (0..100).map(|_| rng.next_u32() % 100 < 20).collect();
                let heard = heard(rate, &pcm, |frame| pattern[frame]);
                let (sent, got) = (step(&pcm), step(&heard[400..]));
                assert!(got <= sent + sent / 2, "{rate} Hz, seed {seed}, pitch {pitch}: {got} after {sent}");
            }
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_in_sixty_milliseconds() {
        let pcm = voice(8000, 120.0, 8000);
        let heard = heard(8000, &pcm, |frame| (20..30).contains(&frame));
        let from = 20 * 160 + DELAY;
        let peak = |from: usize, to: usize| heard[from..to].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(peak(from, from + 80) > 8000, "full for 10 ms");
        assert!(peak(from + 240, from + 320) < peak(from, from + 80) * 3 / 4);
        assert_eq!(peak(from + 480, 30 * 160), 0, "silent after 60 ms");
        assert!(peak(31 * 160, 32 * 160) > 8000, "and back");
    }

    #[test]
    fn pieces_of_any_length_are_filled() {
        for seed in 0..100 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let mut concealer = Concealer::new(if seed % 2 == 0 { 8000 } else { 16_000 });
            for _ in 0..100 {
                let mut pcm: Vec<i16> = (0..rng.next_u32() % 700).map(|_| rng.next_u32() as i16).collect();
                if rng.next_u32().is_multiple_of(2) { concealer.lost(&mut pcm) } else { concealer.received(&mut pcm) }
            }
        }
    }

    #[test]
    fn a_loss_in_pieces_sounds_like_one_in_whole() {
        let pcm = voice(8000, 110.0, 1600);
        let mut whole = Concealer::new(8000);
        let mut pieces = Concealer::new(8000);
        whole.received(&mut pcm.clone());
        pieces.received(&mut pcm.clone());
        let mut expected = vec![0; 400];
        whole.lost(&mut expected);
        let mut got = vec![0; 400];
        got.chunks_mut(33).for_each(|piece| pieces.lost(piece));
        assert_eq!(got, expected);
    }

    #[test]
    fn loss_before_any_audio_is_silence() {
        let mut pcm = [9; 160];
        Concealer::new(8000).lost(&mut pcm);
        assert_eq!(pcm, [0; 160]);
    }
}
