//! A recogniser that knows a grammar and nothing else, and says what else it may have heard.

use vosk::{CompleteResult, DecodingState, Recognizer};

use crate::grammar::Grammar;
use crate::{Shared, recognizer, warm};

/// What may have been heard, each with how likely it is (a natural logarithm), likeliest first.
pub type Heard = Vec<(String, f32)>;

pub struct Listener {
    recognizer: Recognizer,
    rate: u32,
    cold: bool,
    /// It has heard something that no piece holds yet.
    listens: bool,
    /// What each piece of the utterance so far may be.
    pieces: Vec<Heard>,
}

impl Listener {
    pub fn new(model: &Shared, rate: u32, grammar: &Grammar, alternatives: u16) -> Result<Listener, String> {
        let mut recognizer = recognizer(&model.read(), rate, Some(grammar))?;
        recognizer.set_max_alternatives(alternatives);
        Ok(Listener { recognizer, rate, cold: true, listens: false, pieces: Vec::new() })
    }

    pub fn audio(&mut self, pcm: &[i16]) {
        self.listens = true;
        // Where it fails, free speech is there still.
        if matches!(self.recognizer.accept_waveform(pcm), Ok(DecodingState::Finalized)) {
            self.pieces.extend(heard(self.recognizer.result()));
        }
    }

    /// The likeliest words so far.
    pub fn so_far(&mut self) -> String {
        let before = self.pieces.iter().filter_map(|piece| piece.first()).map(|(text, _)| text.as_str());
        let words: Vec<&str> = before.chain([self.recognizer.partial_result().partial]).collect();
        words.join(" ").trim().to_owned()
    }

    /// What was said until now, which may be all.
    pub fn conclude(&mut self) -> Heard {
        if std::mem::take(&mut self.listens) {
            self.pieces.extend(heard(self.recognizer.final_result()));
        }
        joined(&self.pieces)
    }

    /// The next utterance begins.
    pub fn forget(&mut self) {
        if std::mem::take(&mut self.listens) {
            self.recognizer.reset();
        }
        self.pieces.clear();
    }

    pub fn get_ready(&mut self) {
        if std::mem::take(&mut self.cold) {
            warm(&mut self.recognizer, self.rate);
        }
    }
}

fn heard(result: CompleteResult<'_>) -> Option<Heard> {
    let alternatives = result.multiple()?.alternatives;
    Some(alternatives.iter().map(|heard| (heard.text.trim().to_owned(), heard.confidence)).collect())
}

/// What the pieces of an utterance may come to: each in turn otherwise than is likeliest.
fn joined(pieces: &[Heard]) -> Heard {
    let is_empty = |piece: &Heard| piece.first().is_none_or(|(text, _)| text.is_empty());
    pieces.iter().filter(|piece| !is_empty(piece)).fold(Heard::new(), |before, piece| {
        let (Some(likeliest), Some(next)) = (before.first(), piece.first()) else { return piece.clone() };
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
        assert_eq!(joined(&pieces), piece(&[("a c", 8.0), ("a d", 7.0), ("b c", 7.0)]));
        assert_eq!(joined(&[piece(&[("a", 5.0)])]), piece(&[("a", 5.0)]));
        assert_eq!(joined(&[]), []);
    }
}
