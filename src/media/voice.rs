//! What only legs have whose audio must be decoded or encoded: a voice is heard by a mix, an ear hears one.

use crate::audio::{Concealer, Decoder, Downsampler, Encoder, Upsampler, sample_rate_hz};
use crate::rtp::{JitterBuffer, JitterLimits, Taken, View};
use crate::settings::Codec;
use crate::time::Instant;

use super::crossing::Recent;

/// Payload octets of 20 ms, in every codec.
pub(super) const FRAME_OCTETS: usize = 160;

/// Samples of 20 ms at 16 kHz, the most a frame has.
pub(super) const WIDE: usize = 320;

/// Samples of 20 ms at 8 kHz.
pub(super) const NARROW: usize = 160;

/// Longest packet that is sent: 60 ms.
pub(super) const MAX_PTIME_OCTETS: usize = 480;

/// 20 ms of linear audio; a narrow room uses the first half.
pub(super) type Frame = [i16; WIDE];

/// What begins, ends or changes in an ear does so over 5 ms: shorter is heard as a click, longer cuts off consonants.
const FADE_MS: usize = 5;

/// Samples of a fade.
pub(super) fn fade(wide: bool) -> usize {
    FADE_MS * if wide { 16 } else { 8 }
}

/// Goes over from `old` to `new`, in `new`, within the time of a fade. What both hold stays as loud as it is.
pub(super) fn cross_fade(old: &[i16], new: &mut [i16], wide: bool) {
    let steps = fade(wide) as i32;
    for ((at, old), new) in (0..steps).zip(old).zip(new) {
        *new = ((i32::from(*old) * (steps - at) + i32::from(*new) * at) / steps) as i16;
    }
}

/// Whether a codec's audio has 16,000 samples a second.
pub(super) fn is_wide(codec: Codec) -> bool {
    sample_rate_hz(codec) > 8000
}

/// Decodes what a leg's far end sends: put in order, evened out, losses concealed.
pub(super) struct Voice {
    pub codec: Codec,
    /// The rate of the room: a narrow voice in a wide room is resampled.
    pub wide: bool,
    jitter: JitterBuffer,
    decoder: Decoder,
    concealer: Concealer,
    upsampler: Upsampler,
    /// Nothing was heard in the last frame, so that what comes next is faded in.
    silent: bool,
}

impl Voice {
    /// `before`: what came from the far end of late, which its decoder has to have heard.
    pub fn new(codec: Codec, wide: bool, before: Option<&Recent>) -> Self {
        let mut decoder = Decoder::new(codec);
        for octet in before.map(Recent::octets).into_iter().flatten().flatten() {
            decoder.decode(std::slice::from_ref(octet), &mut [0; 2]);
        }
        Voice {
            codec,
            wide,
            jitter: JitterBuffer::new(JitterLimits::default()),
            decoder,
            concealer: Concealer::new(sample_rate_hz(codec)),
            upsampler: Upsampler::new(),
            silent: true,
        }
    }

    /// The room has this rate from now on.
    pub fn set_wide(&mut self, wide: bool) {
        if self.wide != wide {
            self.wide = wide;
            self.upsampler = Upsampler::new();
        }
    }

    pub fn insert(&mut self, packet: &View<'_>, now: Instant) {
        self.jitter.insert(packet, now);
    }

    /// The far end's stream began anew.
    pub fn reset(&mut self) {
        self.jitter.reset();
    }

    /// The jitter buffer's part of the delay.
    pub fn delay(&self) -> std::time::Duration {
        self.jitter.target()
    }

    /// The next 20 ms at the room's rate; `false` if the far end was silent in all of them.
    pub fn frame(&mut self, now: Instant, out: &mut Frame) -> bool {
        let per_octet = if is_wide(self.codec) { 2 } else { 1 };
        let mut decoded: Frame = [0; WIDE];
        let mut payload = [0u8; FRAME_OCTETS];
        let mut octet = 0;
        let mut spoke = false;
        while octet < FRAME_OCTETS {
            let taken = self.jitter.take(&mut payload[octet..], now);
            let (Taken::Audio { octets, .. } | Taken::Lost { octets } | Taken::Idle { octets }) = taken;
            if octets == 0 {
                break;
            }
            let end = (octet + octets).min(FRAME_OCTETS);
            let pcm = &mut decoded[octet * per_octet..end * per_octet];
            match taken {
                Taken::Audio { .. } => {
                    self.decoder.decode(&payload[octet..end], pcm);
                    // Before the concealer, which hands it out a little later.
                    if std::mem::take(&mut self.silent) {
                        cross_fade(&[0; WIDE], pcm, is_wide(self.codec));
                    }
                    self.concealer.received(pcm);
                    spoke = true;
                }
                Taken::Lost { .. } => {
                    self.concealer.lost(pcm);
                    spoke = true;
                }
                Taken::Idle { .. } => {
                    self.concealer.received(pcm);
                    self.silent = true;
                }
            }
            octet = end;
        }
        if self.wide && per_octet == 1 {
            self.upsampler.process(&decoded[..NARROW], out);
        } else {
            out.copy_from_slice(&decoded);
        }
        spoke
    }
}

/// Encodes what a leg hears in a room, and cuts it into packets of its ptime.
pub(super) struct Ear {
    pub codec: Codec,
    /// The rate of the room.
    pub wide: bool,
    encoder: Encoder,
    downsampler: Downsampler,
    pending: [u8; MAX_PTIME_OCTETS + FRAME_OCTETS],
    filled: usize,
}

impl Ear {
    pub fn new(codec: Codec, wide: bool) -> Self {
        Ear {
            codec,
            wide,
            encoder: Encoder::new(codec),
            downsampler: Downsampler::new(),
            pending: [0; MAX_PTIME_OCTETS + FRAME_OCTETS],
            filled: 0,
        }
    }

    /// The room has this rate from now on.
    pub fn set_wide(&mut self, wide: bool) {
        if self.wide != wide {
            self.wide = wide;
            self.downsampler = Downsampler::new();
        }
    }

    /// Adds 20 ms at the room's rate.
    pub fn push(&mut self, frame: &Frame) {
        if self.filled + FRAME_OCTETS > self.pending.len() {
            self.filled = 0;
        }
        let free = &mut self.pending[self.filled..];
        self.filled += match (self.wide, is_wide(self.codec)) {
            (true, false) => {
                let mut narrow = [0i16; NARROW];
                self.downsampler.process(frame, &mut narrow);
                self.encoder.encode(&narrow, free)
            }
            (true, true) => self.encoder.encode(frame, free),
            (false, _) => self.encoder.encode(&frame[..NARROW], free),
        };
    }

    /// Moves a packet of `out`'s length to `out`, if there is that much.
    pub fn pop(&mut self, out: &mut [u8]) -> bool {
        if out.is_empty() || self.filled < out.len() {
            return false;
        }
        out.copy_from_slice(&self.pending[..out.len()]);
        self.pending.copy_within(out.len()..self.filled, 0);
        self.filled -= out.len();
        true
    }

    /// What is left of a packet when everybody has fallen silent is forgotten.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}
