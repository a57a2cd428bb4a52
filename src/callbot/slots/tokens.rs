//! A sentence as words and numbers: `forty seven`, `quarante-sept`, `사십칠` and `47` are the same.

use crate::callbot::text::plain;
use crate::callbot::words::Words;

/// The words of a sentence; digits and letters are words apart, so that `15h30` is three.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in plain(text).split(' ').filter(|word| !word.is_empty()) {
        let mut token = String::new();
        let mut digits = false;
        for c in sino_korean(word).chars() {
            if c.is_ascii_digit() != digits && !token.is_empty() {
                tokens.push(std::mem::take(&mut token));
            }
            digits = c.is_ascii_digit();
            token.push(c);
        }
        if !token.is_empty() {
            tokens.push(token);
        }
    }
    tokens
}

/// Korean writes numbers without spaces: the syllables at the beginning of a word that are a number, in digits.
fn sino_korean(word: &str) -> String {
    const DIGITS: [(char, u64); 13] = [
        ('영', 0),
        ('공', 0),
        ('일', 1),
        ('이', 2),
        ('삼', 3),
        ('사', 4),
        ('오', 5),
        ('육', 6),
        ('륙', 6),
        ('칠', 7),
        ('팔', 8),
        ('구', 9),
        ('령', 0),
    ];
    const SCALES: [(char, u64); 4] = [('십', 10), ('백', 100), ('천', 1_000), ('만', 10_000)];
    let digit = |c: char| DIGITS.iter().find(|(digit, _)| *digit == c).map(|(_, value)| *value);
    let scale = |c: char| SCALES.iter().find(|(scale, _)| *scale == c).map(|(_, value)| *value);
    let run: String = word.chars().take_while(|c| digit(*c).is_some() || scale(*c).is_some()).take(24).collect();
    let rest = word.get(run.len()..).unwrap_or_default();
    let (run, ending) = run.split_at(run.len() - ending_of(&run, rest));
    let rest = format!("{ending}{rest}");
    if run.is_empty() {
        return word.to_owned();
    }
    if !run.chars().any(|c| scale(c).is_some()) {
        let digits: String = run.chars().filter_map(digit).map(|value| value.to_string()).collect();
        return digits + &rest;
    }
    let (mut total, mut below, mut last) = (0u64, 0u64, None);
    for c in run.chars() {
        match (digit(c), scale(c)) {
            (Some(value), _) => last = Some(value),
            (None, Some(10_000)) => {
                total = (below + last.unwrap_or(u64::from(below == 0))).saturating_mul(10_000);
                (below, last) = (0, None);
            }
            (None, Some(scale)) => {
                below += last.unwrap_or(1) * scale;
                last = None;
            }
            _ => {}
        }
    }
    format!("{}{rest}", total + below + last.unwrap_or_default())
}

/// How many octets at the end of a run of digits are no digit: `이` of `이요` and `이에요` ends a sentence, and `일` behind
/// few digits is the day of a month.
fn ending_of(run: &str, rest: &str) -> usize {
    let length = run.chars().count();
    // A day is one digit, or has a ten: 오일, 이십일일; more digits are a number that is spelt.
    let few = length == 2 || ((3..=4).contains(&length) && run.contains('십'));
    match run.chars().next_back() {
        Some(last @ '이') if rest.starts_with(['요', '에', '고', '야']) => last.len_utf8(),
        Some(last @ '일') if few && (rest.is_empty() || rest.starts_with(['날', '에', '로', '이'])) => {
            last.len_utf8()
        }
        _ => 0,
    }
}

/// A number among the words: from where to where, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub start: usize,
    pub end: usize,
    pub value: u64,
    /// As it was said: `007` has three.
    pub digits: String,
    pub ordinal: bool,
}

/// The numbers of a sentence, from left to right.
pub(super) fn numbers(tokens: &[String], words: &Words) -> Vec<Number> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let number = written(tokens, at).or_else(|| spelled(tokens, at, words));
        at = number.as_ref().map_or(at + 1, |number| number.end);
        found.extend(number);
    }
    found
}

fn written(tokens: &[String], at: usize) -> Option<Number> {
    let digits = tokens.get(at).filter(|token| token.bytes().all(|octet| octet.is_ascii_digit()))?;
    let value = digits.parse().unwrap_or(u64::MAX);
    let ordinal =
        tokens.get(at + 1).is_some_and(|next| matches!(next.as_str(), "st" | "nd" | "rd" | "th" | "er" | "e"));
    Some(Number { start: at, end: at + 1 + usize::from(ordinal), value, digits: digits.clone(), ordinal })
}

/// A number in words: as many as make one number together.
fn spelled(tokens: &[String], start: usize, words: &Words) -> Option<Number> {
    if let Some(times) = tokens.get(start).and_then(|token| words.times.get(token)) {
        let next = written(tokens, start + 1).or_else(|| spelled(tokens, start + 1, words))?;
        let digits = if next.digits.len() == 1 { next.digits.repeat(*times) } else { return None };
        return Some(Number { start, value: digits.parse().unwrap_or_default(), digits, ..next });
    }
    let (mut total, mut below): (u64, u64) = (0, 0);
    // Millions come before thousands.
    let mut scale = u64::MAX;
    // What may still be added: less than this.
    let mut room = u64::MAX;
    let mut at = start;
    let mut ordinal = false;
    loop {
        let joined = at > start && tokens.get(at).is_some_and(|token| words.joiners.contains(token));
        let from = at + usize::from(joined);
        let Some((value, end, is_ordinal)) = number_word(tokens, from, words) else { break };
        match value {
            100 if at > start && (1..10).contains(&below) => below *= 100,
            // Mille stands alone.
            1_000 | 1_000_000 if (at == start || below > 0) && value < scale => {
                total += below.max(1).saturating_mul(value);
                (below, scale) = (0, value);
            }
            value if at == start || (value < room && fits(value, below)) => below += value,
            _ => break,
        }
        room = match value {
            0 => 0,
            1..=19 => 1,
            // Soixante-dix and quatre-vingt-dix go on with ten to nineteen.
            60 | 80 => 20,
            20..=99 => 10,
            100 => 100,
            _ => value,
        };
        at = end;
        ordinal = is_ordinal;
        // Only a hundred or a thousand may follow a unit.
        if room == 1 && !next_is_scale(tokens, at, words, below) {
            break;
        }
        if room == 0 || is_ordinal {
            break;
        }
    }
    if at == start {
        return None;
    }
    let value = total + below;
    Some(Number { start, end: at, value, digits: value.to_string(), ordinal })
}

/// Whether a part may be added to what is there: seven to twenty, seventeen to sixty (soixante-dix-sept), any to a hundred.
fn fits(value: u64, below: u64) -> bool {
    match value {
        1..=9 => below.is_multiple_of(10),
        10..=19 => matches!(below % 100, 0 | 60 | 80),
        20..=99 => below.is_multiple_of(100),
        _ => below == 0,
    }
}

fn next_is_scale(tokens: &[String], at: usize, words: &Words, below: u64) -> bool {
    number_word(tokens, at, words).is_some_and(|(value, ..)| match value {
        100 => (1..10).contains(&below),
        value => value >= 1_000,
    })
}

/// The longest word, of one or two tokens, that is a number: which one, where it ends, and whether it says which one.
fn number_word(tokens: &[String], at: usize, words: &Words) -> Option<(u64, usize, bool)> {
    for length in [2, 1] {
        let Some(word) = tokens.get(at..at + length).map(|word| word.join(" ")) else { continue };
        if let Some(value) = words.numbers.get(&word) {
            return Some((*value, at + length, false));
        }
        if let Some(value) = words.ordinals.get(&word) {
            return Some((*value, at + length, true));
        }
    }
    None
}

/// Whether one of the phrases stands at this place, and how many tokens it has; the longest counts.
pub(super) fn phrase_at(tokens: &[String], at: usize, phrases: &[String]) -> Option<usize> {
    let length = |phrase: &String| {
        let wanted = self::tokens(phrase);
        let there = tokens.get(at..at + wanted.len())?;
        (!wanted.is_empty() && there == wanted.as_slice()).then_some(wanted.len())
    };
    phrases.iter().filter_map(length).max()
}

/// The first place of any of the phrases, and how many tokens it has.
pub(super) fn find_phrase(tokens: &[String], phrases: &[String]) -> Option<(usize, usize)> {
    (0..tokens.len()).find_map(|at| Some((at, phrase_at(tokens, at, phrases)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbot::words;
    use crate::ids::Language;

    fn digits(language: &str, text: &str) -> Vec<String> {
        let words = words::of(&Language::from(language)).unwrap();
        numbers(&tokens(text), words).into_iter().map(|number| number.digits).collect()
    }

    #[test]
    fn numbers_are_read_in_words_and_digits() {
        for (language, text, expected) in [
            ("en", "four seven one one two", &["4", "7", "1", "1", "2"][..]),
            ("en", "forty seven eleven two", &["47", "11", "2"]),
            ("en", "double four seven", &["44", "7"]),
            ("en", "one hundred and twelve euros", &["112"]),
            ("en", "two thousand three hundred forty five", &["2345"]),
            ("en", "forty seven thousand one hundred and twelve", &["47112"]),
            ("en", "one million two thousand and five", &["1002005"]),
            ("en", "nineteen eighty four", &["19", "84"]),
            ("en", "oh seven", &["0", "7"]),
            ("en", "A47112, 58-213", &["47112", "58", "213"]),
            ("en", "twenty first of May", &["21"]),
            ("fr", "quarante-sept cent douze", &["47", "112"]),
            ("fr", "quarante-sept mille cent douze", &["47112"]),
            ("fr", "soixante-dix-sept", &["77"]),
            ("fr", "quatre-vingt-dix-neuf", &["99"]),
            ("fr", "quatre-vingts euros", &["80"]),
            ("fr", "deux cent vingt et un", &["221"]),
            ("fr", "mille neuf cent", &["1900"]),
            ("fr", "septante-deux", &["72"]),
            ("fr", "soixante et onze", &["71"]),
            ("fr", "cinq huit deux un trois", &["5", "8", "2", "1", "3"]),
            ("ko", "사칠일일이번이요", &["47112"]),
            ("ko", "이십일일", &["21"]),
            ("ko", "십이월 오일", &["12", "5"]),
            ("ko", "사만칠천백십이", &["47112"]),
            ("ko", "열한 시", &["11"]),
        ] {
            assert_eq!(digits(language, text), expected, "{text}");
        }
    }

    #[test]
    fn any_text_is_taken_apart_without_a_panic() {
        for text in [
            "",
            "만만만만만만만만",
            "일일일일일일일일일일일일일일일일일일일일일일일일일일일일",
            "99999999999999999999999999",
            "double",
        ] {
            for language in words::LANGUAGES {
                digits(language, text);
            }
        }
    }
}
