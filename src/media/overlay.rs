//! A sound that is mixed into what a leg hears: a beep for those who are listened to, a tone for those whom somebody joins.

use crate::audio::Decoder;
use crate::ids::PlayId;
use crate::settings::Codec;

use super::PromptSource;
use super::player::{Playing, Studio};
use super::voice::{FRAME_OCTETS, Frame, WIDE};

/// It is mixed in at half its level, 6 dB down, so that speech stays in front.
const SHARE: i32 = 2;

pub(super) struct Overlay {
    playing: Playing,
    /// What is played is kept encoded; for a narrow room in G.711, for a wide one in G.722.
    decoder: Decoder,
    wide: bool,
    over: bool,
    told: bool,
}

impl Overlay {
    /// Not to be heard before `set_wide`.
    pub fn new(playing: Playing) -> Overlay {
        Overlay { playing, decoder: Decoder::new(Codec::Pcmu), wide: false, over: false, told: false }
    }

    pub fn play(&self) -> PlayId {
        self.playing.play
    }

    /// Whether it has come to its end.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Its play, once it has come to its end and that has not been told.
    pub fn take_end(&mut self) -> Option<PlayId> {
        let untold = self.over && !std::mem::replace(&mut self.told, self.over);
        untold.then_some(self.playing.play)
    }

    /// The room has this rate from now on.
    pub fn set_wide(&mut self, wide: bool, studio: &mut Studio, prompts: &dyn PromptSource) {
        let codec = if wide { Codec::G722 } else { Codec::Pcmu };
        if self.wide != wide {
            self.wide = wide;
            self.decoder = Decoder::new(codec);
        }
        self.playing.encode(codec, studio, prompts);
    }

    /// Adds the next 20 ms to `heard`, at the room's rate.
    pub fn mix_into(&mut self, heard: &mut [i16]) {
        if self.over {
            return;
        }
        let mut octets = [0u8; FRAME_OCTETS];
        let filled = self.playing.take(&mut octets);
        let mut sound: Frame = [0; WIDE];
        let samples = self.decoder.decode(octets.get(..filled).unwrap_or_default(), &mut sound);
        for (heard, sound) in heard.iter_mut().zip(sound).take(samples) {
            let sum = i32::from(*heard) + i32::from(sound) / SHARE;
            *heard = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        // One that repeats and has nothing to say is silent until it is stopped.
        self.over = filled < octets.len() && !self.playing.repeats();
    }
}
