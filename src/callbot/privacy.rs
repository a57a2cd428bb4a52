//! What must not stand in a transcript.

use super::slots::number_runs;
use super::words::Words;

/// Stands for what is hidden.
pub const HIDDEN: &str = "(hidden)";

/// ISO/IEC 7812-1: a card number has 12 to 19 digits, the last of which checks the others.
const CARD: std::ops::RangeInclusive<usize> = 12..=19;

/// The digits of most cards.
const USUAL: usize = 16;

/// The text without card numbers, whether they were written or spelt out.
pub fn without_cards(text: &str, words: Option<&Words>) -> String {
    let written = without_written_cards(text);
    let Some(words) = words else { return written };
    let (tokens, runs) = number_runs(&written, words);
    let cards: Vec<_> = runs.into_iter().filter(|(digits, _)| holds_card(digits)).map(|(_, places)| places).collect();
    if cards.is_empty() {
        return written;
    }
    let kept =
        tokens.iter().enumerate().filter_map(|(at, token)| match cards.iter().find(|places| places.contains(&at)) {
            Some(places) => (places.start == at).then_some(HIDDEN),
            None => Some(token.as_str()),
        });
    kept.collect::<Vec<_>>().join(" ")
}

/// Digits with spaces, dots or dashes between them.
fn without_written_cards(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        if holds_card(&digits) {
            out.push_str(HIDDEN);
            if run.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        let goes_on = c.is_ascii_digit() || (!run.is_empty() && matches!(c, ' ' | '-' | '.' | ','));
        if goes_on {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

/// Whether a card number is among these digits: more may have been said around it.
pub fn holds_card(digits: &str) -> bool {
    let digits: Vec<u32> = digits.chars().take(64).filter_map(|c| c.to_digit(10)).collect();
    if CARD.contains(&digits.len()) && luhn(&digits) {
        return true;
    }
    // What most cards have, with a date or a check value beside it.
    digits.len() > USUAL && (13..=USUAL).any(|length| digits.windows(length).any(luhn))
}

/// Luhn's check (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbot::words;
    use crate::ids::Language;

    #[test]
    fn card_numbers_are_hidden_and_others_are_not() {
        for (language, text, hidden) in [
            ("en", "my card is 4111 1111 1111 1111 thanks", true),
            ("en", "4111-1111-1111-1111", true),
            ("en", "order 4711 2", false),
            ("en", "4111 1111 1111 1112", false),
            ("en", "four one one one one one one one one one one one one one one one", true),
            ("en", "it's four triple one eleven eleven eleven eleven eleven eleven please", true),
            ("en", "call me on 0155501234", false),
            ("fr", "quatre cent onze onze onze onze onze onze onze un", true),
            ("ko", "사일일일 일일일일 일일일일 일일일일", true),
        ] {
            let words = words::of(&Language::from(language));
            let out = without_cards(text, words);
            assert_eq!(out.contains(HIDDEN), hidden, "{text}: {out}");
            assert_eq!(out.contains("1111"), text.contains("1111") && !hidden, "{text}: {out}");
        }
        assert_eq!(without_cards("my card is 4111 1111 1111 1111 thanks", None), "my card is (hidden) thanks");
    }
}
