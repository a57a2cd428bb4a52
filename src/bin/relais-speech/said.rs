//! The words of one utterance, which Vosk gives in pieces where the speaker paused.

use relais::speech::serve::{Word, Words, mean};

use crate::grammar::UNKNOWN;

#[derive(Clone, Debug, Default)]
pub struct Said {
    /// By the recogniser's clock, in seconds.
    starts: f32,
    words: Vec<Word>,
}

impl Said {
    pub fn starting_at(starts: f32) -> Said {
        Said { starts, ..Said::default() }
    }

    /// Words with their confidences, starts and ends in seconds.
    pub fn add<'w>(&mut self, words: impl Iterator<Item = (&'w str, f32, f32, f32)>) {
        let ms = |seconds: f32| ((seconds - self.starts).max(0.0) * 1_000.0) as u64;
        let words = words.map(|(word, confidence, start, end)| Word {
            word: word.to_owned(),
            confidence: if word == UNKNOWN { 0.0 } else { confidence },
            start_ms: ms(start),
            end_ms: ms(end),
        });
        self.words.extend(words.collect::<Vec<_>>());
    }

    pub fn so_far(&self, partial: &str) -> String {
        let words = self.words.iter().map(|word| word.word.as_str()).chain(partial.split_whitespace());
        words.filter(|word| *word != UNKNOWN).collect::<Vec<_>>().join(" ")
    }

    /// What is outside the grammar lowers the confidence and is no word.
    pub fn finish(mut self) -> Words {
        let confidence = mean(&self.words);
        let text = self.so_far("");
        self.words.retain(|word| word.word != UNKNOWN);
        Words { text, confidence, words: self.words, ..Words::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one_utterance_with_times_from_its_start() {
        let mut said = Said::starting_at(10.0);
        said.add([("good", 0.5, 10.5, 10.75), ("morning", 1.0, 10.75, 11.25)].into_iter());
        assert_eq!(said.so_far("every one"), "good morning every one");
        said.add([("[unk]", 0.9, 12.0, 12.5)].into_iter());
        let words = said.finish();
        assert_eq!(words.text, "good morning");
        assert_eq!(words.confidence, 0.5, "what was not in the grammar counts as nothing sure");
        let times: Vec<_> = words.words.iter().map(|word| (word.start_ms, word.end_ms)).collect();
        assert_eq!(times, [(500, 750), (750, 1_250)]);
    }
}
