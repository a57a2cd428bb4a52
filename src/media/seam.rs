//! Where what a leg is sent comes from another source than before: from a voice to music, from a relayed voice to a mix.
//! In G.711 every octet is a sample, so the step between the two can be taken out of the packet as it is. What an octet of
//! G.722 says depends on all that went before: there the far end's decoder is led over from the one stream to the other.

use std::time::Duration;

use crate::audio::{Decoder, Encoder};
use crate::settings::Codec;
use crate::time::Instant;

use super::crossing::{Crossing, Recent};
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

/// Of a leg that speaks G.722.
#[derive(Debug, Default)]
struct Wide {
    sent: Recent,
    crossing: Option<Crossing>,
}

#[derive(Debug, Default)]
pub(super) struct Seam {
    tail: Option<Tail>,
    /// The source is the same and yet goes on elsewhere.
    torn: bool,
    wide: Option<Box<Wide>>,
}

impl Seam {
    /// The codec of the leg from now on.
    pub fn set_codec(&mut self, codec: Codec) {
        if codec != Codec::G722 {
            self.wide = None;
        } else if self.wide.is_none() {
            self.wide = Some(Box::default());
        }
    }

    /// The same source does not go on where it was.
    pub fn tear(&mut self) {
        self.torn = true;
    }

    /// Whether this payload does not go on from the last one, and so is to be given to `close`.
    pub fn is_open(&self, source: Source, codec: Codec, now: Instant) -> bool {
        let Some(tail) = self.tail.filter(|tail| tail.codec == codec) else { return false };
        let parted = self.torn || tail.source != source;
        match codec {
            // A decoder of G.722 is where it was, however long nothing came.
            Codec::G722 => parted || self.wide.as_ref().is_some_and(|wide| wide.crossing.is_some()),
            _ => parted && now.since(tail.at) < PAUSE,
        }
    }

    /// Takes the step out of the beginning of a payload. `before` is what came from its source of late, where that is known.
    pub fn close(&mut self, source: Source, payload: &mut [u8], before: Option<&Recent>, now: Instant) {
        let Some(tail) = self.tail else { return };
        if tail.codec != Codec::G722 {
            return tail.close(payload);
        }
        let Some(wide) = &mut self.wide else { return };
        if self.torn || tail.source != source {
            let silent = now.since(tail.at) >= PAUSE;
            wide.crossing = Some(Crossing::new(&wide.sent, before, silent));
        }
        if wide.crossing.as_mut().is_some_and(|crossing| crossing.lead(payload)) {
            wide.crossing = None;
        }
    }

    /// A payload was sent.
    pub fn sent(&mut self, source: Source, codec: Codec, payload: &[u8], now: Instant) {
        self.torn = false;
        self.tail = payload.last().map(|octet| Tail { source, codec, octet: *octet, at: now });
        if let Some(wide) = &mut self.wide {
            wide.sent.push(payload);
        }
    }
}

impl Tail {
    fn close(self, payload: &mut [u8]) {
        let mut decoder = Decoder::new(self.codec);
        let mut last = [0i16];
        decoder.decode(&[self.octet], &mut last);
        let mut pcm = [0i16; MAX_PTIME_OCTETS];
        let count = payload.len().min(fade(false));
        let Some(pcm) = pcm.get_mut(..count) else { return };
        decoder.decode(payload, pcm);
        let step = i32::from(last[0]) - pcm.first().map_or(0, |first| i32::from(*first));
        for (at, sample) in (0..).zip(pcm.iter_mut()) {
            let sum = i32::from(*sample) + step * (count as i32 - at) / count as i32;
            *sample = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        Encoder::new(self.codec).encode(pcm, payload);
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
            seam.close(Source::Mix, &mut payload, None, Instant(20_000_000));
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
