//! Listens for the phrases that are expected beside the recogniser of free speech: it knows a short answer better. What is meant
//! is for others to say.

use relais::heard::Hints;

use crate::Shared;
use crate::grammar::Grammar;
use crate::listener::Listener;
use crate::nearest::{Distances, Sentences};
use crate::wide::{NARROW_HZ, WIDE_HZ, Widener};

/// Phrases of one meaning that are so likely are told without what free speech would be.
const SURE: f32 = 0.8;
/// The nearest sentence whose meaning is so likely is believed rather than free speech: of other sentences one in fifty.
const BELIEVED: f32 = 0.9;
/// How much of what may have been heard is looked at: of phrases word for word, and where the nearest is looked for.
const FEW: u16 = 20;
const MANY: u16 = 60;

pub struct Beside {
    ears: Ears,
    /// For callers by telephone.
    widener: Option<Widener>,
}

enum Ears {
    /// The whole answer is one of the phrases, word for word.
    Whole(Grammar, Listener),
    /// The phrases stand for much that is said in other ways.
    Near(Box<Near>),
}

/// The one recogniser knows the phrases alone, and makes one of anything; the other knows other sentences besides.
struct Near {
    sentences: Sentences,
    narrow: Listener,
    wide: Listener,
    /// Of the utterance that is over.
    distances: Option<Distances>,
}

/// A phrase, and how likely it is.
pub struct Phrase {
    pub text: String,
    pub confidence: f32,
    /// It goes before what free speech makes of it.
    pub is_sure: bool,
}

impl Beside {
    /// Where others than the phrases are allowed.
    pub fn new(model: &Shared, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        if hints.only || hints.phrases.is_empty() || !(hints.whole || hints.near) {
            return Ok(None);
        }
        let widener = (rate == NARROW_HZ).then(Widener::new);
        let rate = if widener.is_some() { WIDE_HZ } else { rate };
        let ears = if hints.whole {
            let phrases = model.grammar(&hints.phrases).in_groups(&hints.groups).of_known_words();
            let listener = Listener::new(model, rate, &phrases, FEW)?;
            Ears::Whole(phrases, listener)
        } else {
            let listener = |phrases: &[String]| Listener::new(model, rate, &model.grammar(phrases), MANY);
            Ears::Near(Box::new(Near {
                sentences: Sentences::of(hints),
                narrow: listener(&hints.phrases)?,
                wide: listener(&[hints.phrases.as_slice(), &hints.also].concat())?,
                distances: None,
            }))
        };
        Ok(Some(Beside { ears, widener }))
    }

    pub fn audio(&mut self, pcm: &[i16]) {
        let wide = self.widener.as_mut().map(|widener| widener.widen(pcm));
        let pcm = wide.as_deref().unwrap_or(pcm);
        self.listeners(|listener| listener.audio(pcm));
    }

    /// The phrase so far, where it is a whole one and may be all that is said.
    pub fn partial(&mut self) -> Option<String> {
        match &mut self.ears {
            Ears::Whole(phrases, listener) => phrases.whole(&listener.so_far()).map(str::to_owned),
            Ears::Near(..) => None,
        }
    }

    /// Ends the utterance; the phrase, where it is so sure that what free speech comes to in the end need not be waited for.
    pub fn finish(&mut self) -> Option<Phrase> {
        match &mut self.ears {
            // What free speech makes of a short answer may say more.
            Ears::Whole(phrases, listener) => {
                let found = phrases.likeliest(&listener.finish()).filter(|(_, likelihood)| *likelihood >= SURE);
                found.map(|found| Phrase::new(found, false))
            }
            Ears::Near(near) => {
                let Near { sentences, narrow, wide, distances } = near.as_mut();
                let distances = distances.insert(sentences.distances(&narrow.finish(), &wide.finish()));
                sentences.clear(distances).map(|found| Phrase::new(found, true))
            }
        }
    }

    /// What the utterance that is over was, given what free speech has made of it.
    pub fn likely(&mut self, free: &str) -> Option<Phrase> {
        let Ears::Near(near) = &mut self.ears else { return None };
        let distances = near.distances.take()?;
        near.sentences.likely(&distances, free).map(|found| Phrase::new(found, found.1 >= BELIEVED))
    }

    pub fn discard(&mut self) {
        self.listeners(Listener::discard);
    }

    pub fn get_ready(&mut self) {
        self.listeners(Listener::get_ready);
    }

    fn listeners(&mut self, mut all: impl FnMut(&mut Listener)) {
        match &mut self.ears {
            Ears::Whole(_, listener) => all(listener),
            Ears::Near(near) => {
                all(&mut near.narrow);
                all(&mut near.wide);
            }
        }
    }
}

impl Phrase {
    fn new((text, confidence): (&str, f32), is_sure: bool) -> Phrase {
        Phrase { text: text.to_owned(), confidence, is_sure }
    }
}
