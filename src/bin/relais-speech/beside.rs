//! Listens for the phrases that are expected beside the recogniser of free speech: it knows a short answer better. What is meant
//! is for others to say.

use std::borrow::Cow;

use relais::heard::Hints;

use crate::Shared;
use crate::faster::Faster;
use crate::grammar::{Grammar, in_parts};
use crate::listener::Listener;
use crate::nearest::{Account, Sentences};
use crate::noise::Noise;
use crate::wide::{NARROW_HZ, WIDE_HZ, Widener};

/// Phrases of one meaning that are so likely are told without what free speech would be.
const SURE: f32 = 0.8;
/// The nearest sentence whose meaning is so likely is believed rather than free speech. What is less likely is asked back.
const BELIEVED: f32 = 0.75;
/// One that is so near leaves nothing that free speech had to be waited for.
const NEAR: f32 = 0.4;
/// How much of what may have been heard is looked at: of phrases word for word, and where the nearest is looked for.
const FEW: u16 = 20;
const MANY: u16 = 12;

pub struct Beside {
    ears: Ears,
}

enum Ears {
    /// The whole answer is one of the phrases, word for word.
    Whole(Grammar, Box<Ear>),
    /// The phrases stand for much that is said in other ways.
    Near(Near),
}

struct Near {
    sentences: Sentences,
    ears: Vec<Ear>,
}

struct Ear {
    sound: Sound,
    listener: Listener,
    /// How much what it hears counts.
    counts: f32,
}

/// The audio as a model wants it.
struct Sound {
    rate: u32,
    made: Made,
    /// For callers by telephone.
    widener: Option<Widener>,
}

/// What is made of it before.
enum Made {
    Nothing,
    Noisy(Noise),
    Faster(Box<Faster>),
}

impl Sound {
    fn of(rate: u32, made: Made) -> Sound {
        Sound { rate, made, widener: (rate == NARROW_HZ).then(Widener::new) }
    }

    /// Nothing of one voice is heard in the next.
    fn forget(&mut self) {
        match &mut self.made {
            Made::Nothing => {}
            Made::Noisy(noise) => noise.forget(),
            Made::Faster(faster) => faster.forget(),
        }
        self.widener = (self.rate == NARROW_HZ).then(Widener::new);
    }

    fn make<'p>(&mut self, pcm: &'p [i16]) -> Cow<'p, [i16]> {
        let pcm = match &mut self.made {
            Made::Nothing => Cow::Borrowed(pcm),
            Made::Noisy(noise) => Cow::Owned(noise.behind(pcm)),
            Made::Faster(faster) => Cow::Owned(faster.play(pcm)),
        };
        match &mut self.widener {
            Some(widener) => Cow::Owned(widener.widen(&pcm)),
            None => pcm,
        }
    }
}

/// A phrase, and how likely it is.
pub struct Phrase {
    pub text: String,
    pub confidence: f32,
    /// It goes before what free speech makes of it.
    pub is_sure: bool,
    /// Free speech need not be waited for.
    pub is_all: bool,
}

impl Near {
    /// Who knows the phrases alone makes one of anything; who knows which parts of all sentences follow each other makes what it
    /// likes of them, and counts more.
    fn new(model: &Shared, rate: u32, hints: &Hints) -> Result<Near, String> {
        let whole = model.grammar(&hints.phrases);
        let parts = model.grammar(&in_parts([hints.phrases.as_slice(), &hints.also].concat()));
        let ear = |grammar: &Grammar, made: Made, counts: f32| {
            let listener = Listener::new(model, rate.max(WIDE_HZ), grammar, MANY);
            listener.map(|listener| Ear { sound: Sound::of(rate, made), listener, counts })
        };
        let ears = vec![
            ear(&parts, Made::Noisy(Noise::new(1)), 2.0)?,
            ear(&parts, Made::Noisy(Noise::new(2)), 2.0)?,
            ear(&whole, Made::Faster(Box::new(Faster::new()?)), 1.0)?,
        ];
        Ok(Near { sentences: Sentences::of(hints), ears })
    }
}

impl Beside {
    /// Where others than the phrases are allowed.
    pub fn new(model: &Shared, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        if hints.only || hints.phrases.is_empty() || !(hints.whole || hints.near) {
            return Ok(None);
        }
        let ears = if hints.whole {
            let phrases = model.grammar(&hints.phrases).in_groups(&hints.groups).of_known_words();
            let listener = Listener::new(model, rate.max(WIDE_HZ), &phrases, FEW)?;
            Ears::Whole(phrases, Box::new(Ear { sound: Sound::of(rate, Made::Nothing), listener, counts: 1.0 }))
        } else {
            Ears::Near(Near::new(model, rate, hints)?)
        };
        Ok(Some(Beside { ears }))
    }

    pub fn audio(&mut self, pcm: &[i16]) {
        self.ears(|ear| ear.listener.audio(&ear.sound.make(pcm)));
    }

    /// The phrase so far, where it is a whole one and may be all that is said.
    pub fn partial(&mut self) -> Option<String> {
        match &mut self.ears {
            Ears::Whole(phrases, ear) => phrases.whole(&ear.listener.so_far()).map(str::to_owned),
            Ears::Near(_) => None,
        }
    }

    /// The phrase that was said until now, which may be all.
    pub fn conclude(&mut self) -> Option<Phrase> {
        match &mut self.ears {
            // What free speech makes of a short answer may say more.
            Ears::Whole(phrases, ear) => {
                let found = phrases.likeliest(&ear.listener.conclude()).filter(|(_, likelihood)| *likelihood >= SURE);
                found.map(|(text, confidence)| Phrase {
                    text: text.to_owned(),
                    confidence,
                    is_sure: false,
                    is_all: true,
                })
            }
            Ears::Near(near) => {
                let ears = near.ears.iter_mut();
                let accounts: Vec<Account> =
                    ears.map(|ear| Account { heard: ear.listener.conclude(), counts: ear.counts }).collect();
                near.sentences.likely(&accounts).map(|found| Phrase {
                    text: found.text.to_owned(),
                    confidence: found.likely,
                    is_sure: found.likely >= BELIEVED,
                    is_all: found.distance <= NEAR,
                })
            }
        }
    }

    pub fn forget(&mut self) {
        self.ears(|ear| ear.listener.forget());
    }

    /// For another caller.
    pub fn rest(&mut self) {
        self.ears(|ear| {
            ear.listener.conclude();
            ear.listener.forget();
            ear.sound.forget();
        });
    }

    pub fn get_ready(&mut self) {
        self.ears(|ear| ear.listener.get_ready());
    }

    fn ears(&mut self, mut all: impl FnMut(&mut Ear)) {
        match &mut self.ears {
            Ears::Whole(_, ear) => all(ear),
            Ears::Near(near) => near.ears.iter_mut().for_each(all),
        }
    }
}
