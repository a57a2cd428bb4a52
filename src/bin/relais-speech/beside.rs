//! Listens for the phrases that are expected beside the recogniser of free speech: it knows a short answer better. What is meant
//! is for others to say.

use relais::heard::Hints;

use crate::Shared;
use crate::grammar::Grammar;
use crate::listener::Listener;
use crate::wide::{NARROW_HZ, WIDE_HZ, Widener};

/// Phrases of one meaning that are so likely are told beside what free speech would be.
const SURE: f32 = 0.8;
/// What is so near to a phrase is that one.
const CLEAR: f32 = 0.9;
/// How much of what may have been heard is looked at: of phrases word for word, and where the nearest is looked for.
const FEW: u16 = 20;
const MANY: u16 = 60;

pub struct Beside {
    phrases: Grammar,
    ears: Ears,
    /// For callers by telephone.
    widener: Option<Widener>,
}

enum Ears {
    /// The whole answer is one of the phrases, word for word.
    Whole(Listener),
    /// The phrases stand for much that is said in other ways. The first knows these alone, and makes one of anything; the
    /// second knows other sentences besides, and its word counts for more.
    Near(Listener, Listener),
}

/// A phrase, and how sure it is.
pub struct Phrase {
    pub text: String,
    pub confidence: f32,
    /// The whole answer: what free speech comes to in the end need not be waited for.
    pub is_all: bool,
}

impl Beside {
    /// Where others than the phrases are allowed.
    pub fn new(model: &Shared, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        if hints.only || hints.phrases.is_empty() || !(hints.whole || hints.near) {
            return Ok(None);
        }
        let widener = (rate == NARROW_HZ).then(Widener::new);
        let rate = if widener.is_some() { WIDE_HZ } else { rate };
        let phrases = model.grammar(&hints.phrases).in_groups(&hints.groups);
        let (phrases, ears) = if hints.whole {
            let phrases = phrases.of_known_words();
            let listener = Listener::new(model, rate, &phrases, FEW)?;
            (phrases, Ears::Whole(listener))
        } else {
            let all = model.grammar(&[hints.phrases.as_slice(), &hints.also].concat());
            let ears = [&phrases, &all].map(|grammar| Listener::new(model, rate, grammar, MANY));
            let [narrow, wide] = ears;
            (phrases, Ears::Near(narrow?, wide?))
        };
        Ok(Some(Beside { phrases, ears, widener }))
    }

    pub fn audio(&mut self, pcm: &[i16]) {
        let wide = self.widener.as_mut().map(|widener| widener.widen(pcm));
        let pcm = wide.as_deref().unwrap_or(pcm);
        self.listeners(|listener| listener.audio(pcm));
    }

    /// The phrase so far, where it is a whole one and may be all that is said.
    pub fn partial(&mut self) -> Option<String> {
        match &mut self.ears {
            Ears::Whole(listener) => self.phrases.whole(&listener.so_far()).map(str::to_owned),
            Ears::Near(..) => None,
        }
    }

    pub fn finish(&mut self) -> Option<Phrase> {
        let (found, least) = match &mut self.ears {
            Ears::Whole(listener) => {
                let sure = self.phrases.likeliest(&listener.finish()).filter(|(_, likelihood)| *likelihood >= SURE);
                (sure, SURE)
            }
            Ears::Near(narrow, wide) => (self.phrases.nearest(&narrow.finish(), &wide.finish()), CLEAR),
        };
        let (text, confidence) = found?;
        Some(Phrase { text: text.to_owned(), confidence, is_all: confidence >= least })
    }

    pub fn discard(&mut self) {
        self.listeners(Listener::discard);
    }

    pub fn get_ready(&mut self) {
        self.listeners(Listener::get_ready);
    }

    fn listeners(&mut self, mut all: impl FnMut(&mut Listener)) {
        match &mut self.ears {
            Ears::Whole(listener) => all(listener),
            Ears::Near(narrow, wide) => {
                all(narrow);
                all(wide);
            }
        }
    }
}
