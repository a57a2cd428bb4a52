//! Tokens of Whisper to text and words, and the sight of a model that repeats itself.

use std::collections::HashMap;
use std::ops::Range;

/// Whisper's tokens are bytes in the disguise of printable characters (GPT-2's `bytes_to_unicode`).
pub struct Alphabet(HashMap<char, u8>);

impl Default for Alphabet {
    fn default() -> Self {
        let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let mut others = 256_u32..;
        let letters = (0..=255_u8).filter_map(|byte| {
            let code = if printable(byte) { u32::from(byte) } else { others.next()? };
            Some((char::from_u32(code)?, byte))
        });
        Alphabet(letters.collect())
    }
}

impl Alphabet {
    /// Without what is no text, as `<|endoftext|>`. Bytes that are no UTF-8 become the mark for that.
    pub fn text(&self, tokens: &[String]) -> String {
        let letters = tokens.iter().filter(|token| !is_special(token)).flat_map(|token| token.chars());
        let bytes: Vec<u8> = letters.filter_map(|letter| self.0.get(&letter).copied()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn is_special(token: &str) -> bool {
    token.starts_with("<|") && token.ends_with("|>")
}

/// The tokens of each word: a word begins with a space (`Ġ`), except the first one.
pub fn words(tokens: &[String]) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if is_special(token) {
            continue;
        }
        match words.last_mut() {
            Some(word) if !token.starts_with('Ġ') && word.end == at => word.end = at + 1,
            _ => words.push(at..at + 1),
        }
    }
    words
}

/// Whether the model has fallen into saying the same over and over, as it does when it is unsure where speech ends.
pub fn repeats_itself(tokens: &[String]) -> bool {
    let length = tokens.len();
    (3..=length / 2).any(|period| {
        // Twice the same sentence, or three times the same few tokens, at the end.
        let times = if period >= 6 { 2 } else { 3 };
        length >= period * times
            && tokens.iter().rev().zip(tokens.iter().rev().skip(period)).take(period * (times - 1)).all(|(a, b)| a == b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &[&str]) -> Vec<String> {
        text.iter().map(|token| (*token).to_owned()).collect()
    }

    #[test]
    fn tokens_become_text_in_any_script() {
        let alphabet = Alphabet::default();
        assert_eq!(
            alphabet.text(&tokens(&["ĠWhere", "'s", "Ġmy", "Ġorder", "?", "<|endoftext|>"])),
            " Where's my order?"
        );
        assert_eq!(alphabet.text(&tokens(&["Ã", "©t", "Ã©"])), "été");
        assert_eq!(alphabet.text(&tokens(&["Ã"])), "\u{fffd}");
    }

    #[test]
    fn words_are_where_the_spaces_are() {
        let tokens = tokens(&["ĠWhere", "'s", "Ġmy", "Ġorder", "?"]);
        assert_eq!(words(&tokens), [0..2, 2..3, 3..5]);
        assert!(words(&[]).is_empty());
    }

    #[test]
    fn a_loop_is_seen_and_a_number_is_none() {
        let sentence = ["ĠI", "Ġwant", "Ġto", "Ġpay", "Ġmy", "Ġbill", "."];
        assert!(repeats_itself(&tokens(&[sentence, sentence].concat())));
        assert!(repeats_itself(&tokens(&["Ġand", "Ġthe", "Ġcart", "Ġand", "Ġthe", "Ġcart", "Ġand", "Ġthe", "Ġcart"])));
        assert!(!repeats_itself(&tokens(&sentence)));
        assert!(!repeats_itself(&tokens(&["Ġ8", "Ġ8", "Ġ8", "Ġ8", "Ġ8"])));
        assert!(!repeats_itself(&tokens(&["Ġyes", "Ġyes", "Ġyes", "Ġplease"])));
    }
}
