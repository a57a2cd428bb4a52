//! Where what a leg is sent comes from another source than before: from a voice to music, from a relayed voice to a mix.
//! In G.711 every octet is a sample, so the step between the two can be taken out of the packet as it is.

use std::time::Duration;

use crate::audio::{Decoder, Encoder};
use crate::settings::Codec;
use crate::time::Instant;

use super::voice::{MAX_PTIME_OCTETS, fade};

/// After a longer pause nothing is left to go on from.
const PAUSE: Duration = Duration::from_millis(60);

/// Where the audio of a leg's packets comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The leg in this place, as it comes.
    Relay(u32),
    Mix,
    /// A play, or keys in band.
    Made,
}

/// The end of the last packet that a leg was sent.
#[derive(Clone, Copy, Debug)]
struct Tail {
    source: Source,
    codec: Codec,
    octet: u8,
    at: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seam {
    tail: Option<Tail>,
    /// The source is the same and yet goes on elsewhere.
    torn: bool,
}

impl Seam {
    /// The same source does not go on where it was.
    pub fn tear(&mut self) {
        self.torn = true;
    }

    /// Whether this payload does not go on from the last one, and so is to be given to `close`.
    pub fn is_open(&self, source: Source, codec: Codec, now: Instant) -> bool {
        codec != Codec::G722
            && self.tail.is_some_and(|tail| {
                (self.torn || tail.source != source) && tail.codec == codec && now.since(tail.at) < PAUSE
            })
    }

    /// Takes the step out of the beginning of a payload.
    pub fn close(&self, payload: &mut [u8]) {
        let Some(Tail { codec, octet, .. }) = self.tail else { return };
        let mut decoder = Decoder::new(codec);
        let mut last = [0i16];
        decoder.decode(&[octet], &mut last);
        let mut pcm = [0i16; MAX_PTIME_OCTETS];
        let count = payload.len().min(fade(false));
        let Some(pcm) = pcm.get_mut(..count) else { return };
        decoder.decode(payload, pcm);
        let step = i32::from(last[0]) - pcm.first().map_or(0, |first| i32::from(*first));
        for (at, sample) in (0..).zip(pcm.iter_mut()) {
            let sum = i32::from(*sample) + step * (count as i32 - at) / count as i32;
            *sample = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        Encoder::new(codec).encode(pcm, payload);
    }

    /// A payload was sent.
    pub fn sent(&mut self, source: Source, codec: Codec, payload: &[u8], now: Instant) {
        self.torn = false;
        self.tail = payload.last().map(|octet| Tail { source, codec, octet: *octet, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(codec: Codec, sample: i16) -> Vec<u8> {
        let mut payload = vec![0; 160];
        Encoder::new(codec).encode(&[sample; 160], &mut payload);
        payload
    }

    #[test]
    fn a_step_is_spread_over_five_milliseconds() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut seam = Seam::default();
            seam.sent(Source::Relay(1), codec, &encoded(codec, 8_000), Instant(0));
            assert!(seam.is_open(Source::Mix, codec, Instant(20_000_000)));
            let mut payload = encoded(codec, -8_000);
            seam.close(&mut payload);
            let mut pcm = [0; 160];
            Decoder::new(codec).decode(&payload, &mut pcm);
            assert!((i32::from(pcm[0]) - 8_000).abs() < 300, "{}", pcm[0]);
            let largest = pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
            assert!(largest < Some(1_000), "{largest:?}");
            assert_eq!(payload[40..], encoded(codec, -8_000)[40..], "the rest is as it was");
        }
    }

    #[test]
    fn what_goes_on_or_begins_after_a_pause_is_left_alone() {
        let mut seam = Seam::default();
        assert!(!seam.is_open(Source::Mix, Codec::Pcmu, Instant(0)), "nothing came before");
        seam.sent(Source::Mix, Codec::Pcmu, &[0; 160], Instant(0));
        assert!(!seam.is_open(Source::Mix, Codec::Pcmu, Instant(20_000_000)));
        assert!(!seam.is_open(Source::Made, Codec::Pcmu, Instant(80_000_000)), "long ago");
        assert!(!seam.is_open(Source::Made, Codec::Pcma, Instant(20_000_000)), "another codec");
        seam.tear();
        assert!(seam.is_open(Source::Mix, Codec::Pcmu, Instant(20_000_000)));
        seam.sent(Source::Mix, Codec::Pcmu, &[0; 160], Instant(20_000_000));
        assert!(!seam.is_open(Source::Mix, Codec::Pcmu, Instant(40_000_000)));
    }
}
