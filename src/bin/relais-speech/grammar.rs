//! The phrases that are expected, in words that the model has.

use relais::callbot::text::is_hangul;

/// What Vosk calls a word that is not in the grammar.
pub const UNKNOWN: &str = "[unk]";
/// How far what was heard may be from a phrase: the share of letters that differ, and so much more for each unit of
/// likelihood (a natural logarithm) that it is behind the likeliest. Chosen by trial on phrases spoken by two voices of
/// espeak-ng.
const FAR: f64 = 0.3;
const BEHIND: f64 = 0.03;

#[derive(Debug, Default)]
pub struct Grammar {
    phrases: Vec<Phrase>,
}

#[derive(Debug)]
struct Phrase {
    text: String,
    /// In the model's words.
    words: String,
    letters: Vec<char>,
}

impl Grammar {
    /// Korean writes particles and endings together with what they belong to, in more forms than a model has words: a
    /// word that it does not know is cut into words that it knows.
    pub fn new(phrases: &[String], mut knows: impl FnMut(&str) -> bool) -> Grammar {
        let phrases = phrases.iter().map(|phrase| clean(phrase)).filter(|text| !text.is_empty());
        let phrase = |text: String| {
            let words: Vec<String> = text.split(' ').map(|word| cut(word, &mut knows)).collect();
            let words = words.join(" ");
            Phrase { letters: letters(&text), words, text }
        };
        Grammar { phrases: phrases.map(phrase).collect() }
    }

    /// For Vosk, with the way out for other words.
    pub fn lines(&self) -> Vec<String> {
        self.phrases.iter().map(|phrase| phrase.words.clone()).chain([UNKNOWN.to_owned()]).collect()
    }

    /// The phrase that was heard, word for word.
    pub fn whole(&self, heard: &str) -> Option<&str> {
        self.phrases.iter().find(|phrase| phrase.words == heard).map(|phrase| phrase.text.as_str())
    }

    /// The phrase nearest to what may have been heard, with the likelihoods of that, likeliest first; and how near, up
    /// to 1.
    pub fn nearest(&self, heard: &[(String, f32)]) -> Option<(&str, f32)> {
        let (_, likeliest) = heard.first()?;
        let heard: Vec<(Vec<char>, f64)> = heard
            .iter()
            .map(|(text, likelihood)| (letters(text), f64::from(likeliest - likelihood) * BEHIND))
            .collect();
        let distance = |phrase: &Phrase| {
            let distances = heard.iter().map(|(letters, behind)| differing(letters, &phrase.letters) + behind);
            distances.fold(f64::INFINITY, f64::min)
        };
        let distances = self.phrases.iter().map(|phrase| (distance(phrase), phrase.text.as_str()));
        let (distance, text) = distances.min_by(|(one, _), (other, _)| one.total_cmp(other))?;
        (distance <= FAR).then_some((text, 1.0 - distance as f32))
    }
}

/// Small letters, without what would end a JSON text.
fn clean(phrase: &str) -> String {
    let letters = phrase.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\'));
    letters.collect::<String>().to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word in as few words of the model as can be, the first ones as long as can be; as it is where it is known, not Korean,
/// or cannot be cut.
fn cut(word: &str, knows: &mut impl FnMut(&str) -> bool) -> String {
    let syllables: Vec<char> = word.chars().collect();
    if !syllables.iter().copied().all(is_hangul) || syllables.len() > LONGEST_WORD || knows(word) {
        return word.to_owned();
    }
    // The best way to cut what begins at each place, from the last on.
    let mut best: Vec<Option<Vec<String>>> = vec![Some(Vec::new())];
    for start in (0..syllables.len()).rev() {
        let rest = syllables.get(start..).unwrap_or_default();
        let ways = (1..=rest.len()).rev().filter_map(|length| {
            let piece: String = rest.iter().take(length).collect();
            // `best` ends with the way for the whole rest behind this piece.
            let behind = best.get(rest.len() - length)?.as_ref()?;
            let way = || [piece.clone()].into_iter().chain(behind.iter().cloned()).collect::<Vec<_>>();
            knows(&piece).then(way)
        });
        // Of equals the first stays: the one with the longer first piece.
        let way = ways.min_by_key(Vec::len);
        best.push(way);
    }
    best.pop().flatten().map_or_else(|| word.to_owned(), |pieces| pieces.join(" "))
}

/// Cutting takes the square of a word's length.
const LONGEST_WORD: usize = 24;

/// Without spaces; Korean syllables as the letters they consist of.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(parts).collect()
}

/// The letters of a Hangul syllable (Unicode 3.12, "Hangul Syllable Decomposition"); any other character is itself.
fn parts(c: char) -> impl Iterator<Item = char> {
    const FIRST: u32 = 0xac00;
    const VOWELS: u32 = 21;
    const ENDS: u32 = 28;
    let at = u32::from(c).checked_sub(FIRST).filter(|at| *at < 19 * VOWELS * ENDS);
    let Some(at) = at else { return [Some(c), None, None].into_iter().flatten() };
    let part = |base: u32, place: u32| char::from_u32(base + place);
    let end = (at % ENDS > 0).then(|| part(0x11a7, at % ENDS)).flatten();
    [part(0x1100, at / (VOWELS * ENDS)), part(0x1161, at / ENDS % VOWELS), end].into_iter().flatten()
}

/// The share of letters that differ, of the longer one.
fn differing(one: &[char], other: &[char]) -> f64 {
    let longer = one.len().max(other.len()).max(1);
    let distance = strsim::generic_levenshtein(&Letters(one), &Letters(other));
    distance as f64 / longer as f64
}

/// What strsim can walk over.
struct Letters<'l>(&'l [char]);

impl<'l> IntoIterator for &Letters<'l> {
    type Item = char;
    type IntoIter = std::iter::Copied<std::slice::Iter<'l, char>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(phrases: &[&str], known: &[&str]) -> Grammar {
        let phrases: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        Grammar::new(&phrases, |word| known.contains(&word))
    }

    #[test]
    fn a_grammar_is_no_way_into_the_engine() {
        let grammar = grammar(&["Yes  Please", "a\", \"b\\", "\"", "네\n"], &["네"]);
        assert_eq!(grammar.lines(), ["yes please", "a, b", "네", "[unk]"]);
    }

    #[test]
    fn a_word_that_the_model_has_not_is_cut_into_words_that_it_has() {
        let known = ["상담원", "과", "통", "화하고", "통화", "하고", "싶어요", "예약"];
        let grammar = grammar(&["상담원과 통화하고 싶어요", "예약", "없는 말"], &known);
        assert_eq!(grammar.lines(), ["상담원 과 통화 하고 싶어요", "예약", "없는 말", "[unk]"]);
        assert_eq!(grammar.whole("상담원 과 통화 하고 싶어요"), Some("상담원과 통화하고 싶어요"));
        assert_eq!(grammar.whole("통화 하고"), None);
    }

    #[test]
    fn words_of_other_scripts_are_not_cut() {
        assert_eq!(grammar(&["unknowable"], &["un", "know", "able"]).lines(), ["unknowable", "[unk]"]);
    }

    #[test]
    fn the_nearest_phrase_is_found_by_its_letters_and_likelihood() {
        let grammar = grammar(&["예약을 변경하고 싶어요", "예약 취소", "영업 시간"], &[]);
        let heard = |texts: &[(&str, f32)]| texts.iter().map(|(text, l)| ((*text).to_owned(), *l)).collect::<Vec<_>>();
        let found = |texts| grammar.nearest(&heard(texts)).map(|(text, _)| text);
        assert_eq!(found(&[("예약 요 변경 하고 고 싶어요", 160.0)]), Some("예약을 변경하고 싶어요"));
        assert_eq!(found(&[("방문 취소 새 주소", 160.0), ("예약 취소", 157.0)]), Some("예약 취소"));
        assert_eq!(found(&[("방문 취소 새 주소", 160.0), ("예약 취소", 140.0)]), None, "too unlikely");
        assert_eq!(found(&[("바나나 사과 포도", 100.0)]), None);
        assert_eq!(found(&[]), None);
        assert_eq!(grammar.nearest(&heard(&[("영업 시간", 9.0)])), Some(("영업 시간", 1.0)));
    }

    #[test]
    fn syllables_are_their_letters() {
        assert_eq!(letters("한 가a"), ['\u{1112}', '\u{1161}', '\u{11ab}', '\u{1100}', '\u{1161}', 'a']);
        assert_eq!(letters("\u{d7a3}").len(), 3, "the last syllable");
    }
}
