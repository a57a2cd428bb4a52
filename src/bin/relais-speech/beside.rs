//! Listens for the phrases that are expected, and for nothing else, beside the recogniser of free speech: it knows a short
//! answer better, and makes one of anything. What is meant is for others to say.

use relais::heard::Hints;
use relais::speech::serve::Words;
use vosk::{CompleteResult, DecodingState, Model, Recognizer};

use crate::grammar::Grammar;
use crate::said::Said;
use crate::wide::{NARROW_HZ, WIDE_HZ, Widener};
use crate::{add, recognizer, warm};

/// A phrase that the grammar is so sure of is told beside what free speech would be.
const SURE: f32 = 0.8;
/// What may have been heard, where the nearest phrase is looked for.
const ALTERNATIVES: u16 = 60;

pub struct Beside {
    recognizer: Recognizer,
    cold: bool,
    grammar: Grammar,
    said: Said,
    /// Where the nearest phrase is wanted: the pieces of the utterance so far, each with what it may be and how likely,
    /// likeliest first.
    pieces: Option<Vec<Vec<(String, f32)>>>,
    rate: u32,
    /// Where the nearest phrase is wanted of a caller by telephone.
    widener: Option<Widener>,
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
    pub fn new(model: &mut Model, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        if hints.only || !(hints.whole || hints.near) || hints.phrases.is_empty() {
            return Ok(None);
        }
        let grammar = Grammar::new(&hints.phrases, |word| model.find_word(word).is_some());
        let widener = (hints.near && rate == NARROW_HZ).then(Widener::new);
        let rate = if widener.is_some() { WIDE_HZ } else { rate };
        let mut recognizer = recognizer(model, rate, Some(&grammar))?;
        if hints.near {
            recognizer.set_max_alternatives(ALTERNATIVES);
        }
        let pieces = hints.near.then(Vec::new);
        Ok(Some(Beside { recognizer, cold: true, grammar, said: Said::default(), pieces, rate, widener }))
    }

    pub fn audio(&mut self, pcm: &[i16]) {
        let wide = self.widener.as_mut().map(|widener| widener.widen(pcm));
        let pcm = wide.as_deref().unwrap_or(pcm);
        // Where it fails, free speech is there still.
        if matches!(self.recognizer.accept_waveform(pcm), Ok(DecodingState::Finalized)) {
            let result = self.recognizer.result();
            keep(&mut self.said, &mut self.pieces, result);
        }
    }

    /// The phrase so far, where it is a whole one and may be all that is said.
    pub fn partial(&mut self) -> Option<String> {
        if self.pieces.is_some() {
            return None;
        }
        let text = self.said.so_far(self.recognizer.partial_result().partial);
        self.grammar.whole(&text).map(str::to_owned)
    }

    pub fn finish(&mut self) -> Option<Phrase> {
        keep(&mut self.said, &mut self.pieces, self.recognizer.final_result());
        if let Some(pieces) = &mut self.pieces {
            let heard = joined(std::mem::take(pieces));
            let (text, confidence) = self.grammar.nearest(&heard)?;
            return Some(Phrase { text: text.to_owned(), confidence, is_all: false });
        }
        let Words { text, confidence, .. } = std::mem::take(&mut self.said).finish();
        let text = self.grammar.whole(&text).filter(|_| confidence >= SURE)?;
        Some(Phrase { text: text.to_owned(), confidence: SURE, is_all: true })
    }

    pub fn discard(&mut self) {
        self.recognizer.reset();
        self.said = Said::default();
        self.pieces.iter_mut().for_each(Vec::clear);
    }

    pub fn get_ready(&mut self) {
        if std::mem::take(&mut self.cold) {
            warm(&mut self.recognizer, self.rate);
        }
    }
}

fn keep(said: &mut Said, pieces: &mut Option<Vec<Vec<(String, f32)>>>, result: CompleteResult<'_>) {
    match (result, pieces) {
        (CompleteResult::Multiple(result), Some(pieces)) => {
            let heard = result.alternatives.iter();
            pieces.push(heard.map(|heard| (heard.text.trim().to_owned(), heard.confidence)).collect());
        }
        (result, _) => add(said, result),
    }
}

/// What the pieces of an utterance may come to: each in turn otherwise than is likeliest.
fn joined(pieces: Vec<Vec<(String, f32)>>) -> Vec<(String, f32)> {
    let is_empty = |piece: &Vec<(String, f32)>| piece.first().is_none_or(|(text, _)| text.is_empty());
    pieces.into_iter().filter(|piece| !is_empty(piece)).fold(Vec::new(), |before, piece| {
        let (Some(likeliest), Some(next)) = (before.first(), piece.first()) else { return piece };
        let with = |(text, likelihood): &(String, f32), (next, more): &(String, f32)| {
            (format!("{text} {next}"), likelihood + more)
        };
        let otherwise = before.iter().skip(1).map(|before| with(before, next));
        piece.iter().map(|piece| with(likeliest, piece)).chain(otherwise).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_an_utterance_are_joined_each_otherwise_in_turn() {
        let piece = |texts: &[(&str, f32)]| texts.iter().map(|(text, l)| ((*text).to_owned(), *l)).collect::<Vec<_>>();
        let pieces =
            vec![piece(&[("", 1.0)]), piece(&[("a", 5.0), ("b", 4.0)]), piece(&[("c", 3.0), ("d", 2.0)]), vec![]];
        assert_eq!(joined(pieces), piece(&[("a c", 8.0), ("a d", 7.0), ("b c", 7.0)]));
        assert_eq!(joined(vec![piece(&[("a", 5.0)])]), piece(&[("a", 5.0)]));
        assert_eq!(joined(Vec::new()), []);
    }
}
