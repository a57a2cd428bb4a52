//! What a running play puts into a leg's ear: encoded pieces, cut into packets as the leg's ptime asks.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use crate::audio::{Encoder, Tone, sample_rate_hz};
use crate::bridge::PlayItem;
use crate::ids::{Language, PlayId};
use crate::settings::Codec;

use super::PromptSource;

/// Payload octets a millisecond of every codec here: PCMU, PCMA and G.722 are all 64 kbit/s.
pub(super) const OCTETS_PER_MS: usize = 8;

/// Encoded tones a thread keeps.
const MAX_TONES: usize = 64;

/// A piece of encoded audio: `octets` of `audio`, which begins again when it is over.
#[derive(Clone, Debug)]
struct Segment {
    audio: Bytes,
    octets: usize,
}

/// A play and how far it has come. All codecs have the same octets a millisecond, so the place in it stays right when
/// the codec changes.
pub(super) struct Playing {
    pub play: PlayId,
    items: Vec<PlayItem>,
    repeat: bool,
    /// Empty until a codec is agreed.
    segments: Vec<Segment>,
    segment: usize,
    octet: usize,
    codec: Option<Codec>,
}

impl Playing {
    pub fn new(play: PlayId, items: Vec<PlayItem>, repeat: bool) -> Self {
        Playing { play, items, repeat, segments: Vec::new(), segment: 0, octet: 0, codec: None }
    }

    /// Looks up the items in this codec, once for each codec; what is missing has no length.
    pub fn encode(&mut self, codec: Codec, studio: &mut Studio, prompts: &dyn PromptSource) {
        if self.codec != Some(codec) {
            self.codec = Some(codec);
            self.segments.clear();
            for item in &self.items {
                studio.segments(item, codec, prompts, &mut self.segments);
            }
        }
    }

    /// Fills the front of `out` with the next octets and returns how many there are: fewer than `out` holds at the
    /// end, none when it is over. A play that repeats has an end only if it has no length.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let mut filled = 0;
        let mut begun_anew = false;
        while filled < out.len() {
            let Some(segment) = self.segments.get(self.segment) else {
                // A turn without a single octet would go on for ever.
                if !self.repeat || begun_anew {
                    break;
                }
                begun_anew = true;
                self.segment = 0;
                self.octet = 0;
                continue;
            };
            let left = segment.octets.saturating_sub(self.octet);
            if left == 0 || segment.audio.is_empty() {
                self.segment += 1;
                self.octet = 0;
                continue;
            }
            let from = self.octet % segment.audio.len();
            let piece = left.min(out.len() - filled).min(segment.audio.len() - from);
            let (Some(to), Some(audio)) = (out.get_mut(filled..filled + piece), segment.audio.get(from..from + piece))
            else {
                break;
            };
            to.copy_from_slice(audio);
            filled += piece;
            self.octet += piece;
            begun_anew = false;
        }
        filled
    }

    pub fn repeats(&self) -> bool {
        self.repeat
    }
}

/// Makes the audio that no file holds, and keeps it encoded.
pub(super) struct Studio {
    silence: [Bytes; 3],
    tones: HashMap<([u16; 2], Codec), Bytes>,
    missing: Vec<(String, Language)>,
}

impl Studio {
    pub fn new() -> Self {
        let silence = [Codec::Pcmu, Codec::Pcma, Codec::G722].map(|codec| encode_second(codec, |pcm| pcm.fill(0)));
        Studio { silence, tones: HashMap::new(), missing: Vec::new() }
    }

    /// One second of silence.
    pub fn silence(&self, codec: Codec) -> &Bytes {
        let [pcmu, pcma, g722] = &self.silence;
        match codec {
            Codec::Pcmu => pcmu,
            Codec::Pcma => pcma,
            Codec::G722 | Codec::Opus => g722,
        }
    }

    /// Prompts that were asked for and not there, since the last call.
    pub fn take_missing(&mut self) -> Vec<(String, Language)> {
        std::mem::take(&mut self.missing)
    }

    fn segments(&mut self, item: &PlayItem, codec: Codec, prompts: &dyn PromptSource, to: &mut Vec<Segment>) {
        match item {
            PlayItem::Prompt { name, language } => match prompts.encoded(name, language, codec) {
                Some(audio) => to.push(Segment { octets: audio.len(), audio }),
                None => self.missing.push((name.clone(), language.clone())),
            },
            PlayItem::Silence(time) => to.push(Segment { audio: self.silence(codec).clone(), octets: octets(*time) }),
            PlayItem::Tone { frequencies_hz, on, off } => {
                to.push(Segment { audio: self.tone(*frequencies_hz, codec), octets: octets(*on) });
                to.push(Segment { audio: self.silence(codec).clone(), octets: octets(*off) });
            }
        }
    }

    /// One second of a tone: a whole number of periods, since frequencies are whole numbers of Hz.
    fn tone(&mut self, frequencies_hz: [u16; 2], codec: Codec) -> Bytes {
        if let Some(audio) = self.tones.get(&(frequencies_hz, codec)) {
            return audio.clone();
        }
        let mut tone = Tone::new(sample_rate_hz(codec), frequencies_hz, Duration::from_secs(1), Duration::ZERO);
        let audio = encode_second(codec, |pcm| tone.fill(pcm));
        if self.tones.len() < MAX_TONES {
            self.tones.insert((frequencies_hz, codec), audio.clone());
        }
        audio
    }
}

/// Whole milliseconds, as octets.
fn octets(time: Duration) -> usize {
    usize::try_from(time.as_millis()).unwrap_or(usize::MAX / OCTETS_PER_MS).saturating_mul(OCTETS_PER_MS)
}

fn encode_second(codec: Codec, mut fill: impl FnMut(&mut [i16])) -> Bytes {
    let mut pcm = vec![0i16; sample_rate_hz(codec) as usize];
    fill(&mut pcm);
    let mut encoded = vec![0u8; 1000 * OCTETS_PER_MS];
    let written = Encoder::new(codec).encode(&pcm, &mut encoded);
    encoded.truncate(written);
    Bytes::from(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf;

    impl PromptSource for Shelf {
        fn encoded(&self, name: &str, _: &Language, _: Codec) -> Option<Bytes> {
            match name {
                "abc" => Some(Bytes::from_static(b"abc")),
                "defgh" => Some(Bytes::from_static(b"defgh")),
                "empty" => Some(Bytes::new()),
                _ => None,
            }
        }
    }

    fn playing(names: &[&str], repeat: bool) -> Playing {
        let items = names.iter().map(|name| prompt(name)).collect();
        let mut playing = Playing::new(PlayId(1), items, repeat);
        playing.encode(Codec::Pcmu, &mut Studio::new(), &Shelf);
        playing
    }

    fn prompt(name: &str) -> PlayItem {
        PlayItem::Prompt { name: name.to_owned(), language: Language::from("en") }
    }

    fn take(playing: &mut Playing, octets: usize) -> String {
        let mut out = vec![0; octets];
        let filled = playing.take(&mut out);
        String::from_utf8(out[..filled].to_vec()).unwrap()
    }

    #[test]
    fn items_follow_each_other_without_a_gap() {
        let mut playing = playing(&["abc", "missing", "empty", "defgh"], false);
        assert_eq!(take(&mut playing, 2), "ab");
        assert_eq!(take(&mut playing, 4), "cdef");
        assert_eq!(take(&mut playing, 4), "gh");
        assert_eq!(take(&mut playing, 4), "");
    }

    #[test]
    fn a_play_that_repeats_goes_on_in_the_middle_of_a_packet() {
        let mut playing = playing(&["abc", "empty"], true);
        assert_eq!(take(&mut playing, 8), "abcabcab");
        assert_eq!(take(&mut playing, 2), "ca");
    }

    #[test]
    fn a_play_of_no_length_ends_even_if_it_repeats() {
        assert_eq!(take(&mut playing(&["missing", "empty"], true), 8), "");
        assert_eq!(take(&mut playing(&[], true), 8), "");
    }

    #[test]
    fn another_codec_goes_on_at_the_same_place() {
        let mut playing = playing(&["abc", "defgh"], false);
        assert_eq!(take(&mut playing, 4), "abcd");
        playing.encode(Codec::Pcma, &mut Studio::new(), &Shelf);
        assert_eq!(take(&mut playing, 4), "efgh");
    }

    #[test]
    fn missing_prompts_are_told_by_name() {
        let mut studio = Studio::new();
        Playing::new(PlayId(1), vec![prompt("abc"), prompt("nothing")], false).encode(Codec::Pcmu, &mut studio, &Shelf);
        assert_eq!(studio.take_missing(), [("nothing".to_owned(), Language::from("en"))]);
        assert_eq!(studio.take_missing(), []);
    }

    #[test]
    fn silence_and_tones_last_as_long_as_asked() {
        let items = vec![
            PlayItem::Silence(Duration::from_millis(1500)),
            PlayItem::Tone {
                frequencies_hz: [425, 0],
                on: Duration::from_millis(2000),
                off: Duration::from_millis(250),
            },
        ];
        let mut playing = Playing::new(PlayId(1), items, false);
        let mut studio = Studio::new();
        playing.encode(Codec::Pcma, &mut studio, &Shelf);
        let mut out = vec![0; 60_000];
        assert_eq!(playing.take(&mut out), 3750 * OCTETS_PER_MS);
        let silence = studio.silence(Codec::Pcma).clone();
        assert_eq!(out[..8000], silence[..]);
        assert_ne!(out[12_000..20_000], silence[..]);
        assert_eq!(out[28_000..30_000], silence[..2000]);
    }
}
