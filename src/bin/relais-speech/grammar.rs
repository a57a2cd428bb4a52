//! The phrases that are expected, in words that the model has.

use relais::callbot::text::is_hangul;

/// What Vosk calls a word that is not in the grammar.
pub const UNKNOWN: &str = "[unk]";
/// A phrase that differs so little from one that the model cannot hear is heard for it.
const TOO_LIKE: f64 = 0.35;

#[derive(Debug, Default)]
pub struct Grammar {
    phrases: Vec<Phrase>,
}

#[derive(Debug)]
struct Phrase {
    text: String,
    /// In the model's words.
    words: String,
    /// The model has every word as it is.
    is_known: bool,
    letters: Vec<char>,
    /// Phrases of one group mean the same; one of none means something of its own.
    group: Option<usize>,
}

impl Phrase {
    fn means_the_same_as(&self, other: &Phrase) -> bool {
        self.words == other.words || (self.group.is_some() && self.group == other.group)
    }

    fn means_other_than(&self, other: &Phrase) -> bool {
        self.group.is_some() && other.group.is_some() && self.group != other.group
    }
}

impl Grammar {
    /// Korean writes particles and endings together with what they belong to, in more forms than a model has words: a
    /// word that it does not know is cut into words that it knows.
    pub fn new(phrases: &[String], mut knows: impl FnMut(&str) -> bool) -> Grammar {
        let phrases = phrases.iter().map(|phrase| clean(phrase)).filter(|text| !text.is_empty());
        let phrase = |text: String| {
            let words: Vec<String> = text.split(' ').map(|word| cut(word, &mut knows)).collect();
            let is_known = text.split(' ').all(&mut knows);
            Phrase { letters: letters(&text), words: words.join(" "), is_known, group: None, text }
        };
        Grammar { phrases: phrases.map(phrase).collect() }
    }

    /// Of the phrases so many in a row mean the same, then so many; those behind each something of its own.
    pub fn in_groups(mut self, sizes: &[usize]) -> Grammar {
        let groups = sizes.iter().enumerate().flat_map(|(group, size)| std::iter::repeat_n(group, *size));
        self.phrases.iter_mut().zip(groups).for_each(|(phrase, group)| phrase.group = Some(group));
        self
    }

    /// Without the phrases that have words that were cut, where there are others: short pieces are heard in everything. And
    /// without what would be heard instead of these and means something else.
    pub fn of_known_words(self) -> Grammar {
        let (mut known, cut): (Vec<Phrase>, Vec<Phrase>) = self.phrases.into_iter().partition(|phrase| phrase.is_known);
        if known.is_empty() {
            return Grammar { phrases: cut };
        }
        known.retain(|phrase| {
            let misleads = |other: &Phrase| {
                phrase.means_other_than(other) && differing(&phrase.letters, &other.letters) <= TOO_LIKE
            };
            !cut.iter().any(misleads)
        });
        Grammar { phrases: known }
    }

    /// For Vosk, with the way out for other words.
    pub fn lines(&self) -> Vec<String> {
        self.phrases.iter().map(|phrase| phrase.words.clone()).chain([UNKNOWN.to_owned()]).collect()
    }

    /// The phrase that was heard, word for word.
    pub fn whole(&self, heard: &str) -> Option<&str> {
        self.phrase(heard).map(|phrase| phrase.text.as_str())
    }

    fn phrase(&self, heard: &str) -> Option<&Phrase> {
        self.phrases.iter().find(|phrase| phrase.words == heard)
    }

    /// What was said word for word, where it was one of the phrases, and how likely it is that this was meant: phrases of one
    /// group count together.
    pub fn likeliest(&self, heard: &[(String, f32)]) -> Option<(&str, f32)> {
        let (_, likeliest) = heard.first()?;
        let shares: Vec<(Option<&Phrase>, f32)> =
            heard.iter().map(|(text, likelihood)| (self.phrase(text), (likelihood - likeliest).exp())).collect();
        let all: f32 = shares.iter().map(|(_, share)| share).sum();
        let meant = |phrase: &Phrase| {
            let alike = shares.iter().filter(|(other, _)| other.is_some_and(|other| phrase.means_the_same_as(other)));
            alike.map(|(_, share)| share).sum::<f32>() / all
        };
        // The first of equals, which is the likeliest text.
        let phrases = shares.iter().filter_map(|(phrase, _)| phrase.map(|phrase| (phrase, meant(phrase)))).rev();
        let (phrase, likelihood) = phrases.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some((&phrase.text, likelihood))
    }
}

/// The same with each Korean syllable by itself.
pub fn in_parts(mut phrases: Vec<String>) -> Vec<String> {
    for phrase in &mut phrases {
        let parts = phrase.chars().flat_map(|c| [Some(c), is_hangul(c).then_some(' ')]).flatten();
        *phrase = parts.collect();
    }
    phrases
}

/// Small letters, without what would end a JSON text.
pub fn clean(phrase: &str) -> String {
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
    let distance = strsim::generic_levenshtein(&Walk(one), &Walk(other));
    distance as f64 / longer as f64
}

/// What strsim can walk over.
struct Walk<'l>(&'l [char]);

impl<'l> IntoIterator for &Walk<'l> {
    type Item = char;
    type IntoIter = std::iter::Copied<std::slice::Iter<'l, char>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_is_cut_into_syllables_and_other_words_stay_whole() {
        let phrases = ["영업 시간", "TV가 고장", "order 12"].map(str::to_owned).to_vec();
        let parts: Vec<String> = in_parts(phrases).iter().map(|phrase| clean(phrase)).collect();
        assert_eq!(parts, ["영 업 시 간", "tv가 고 장", "order 12"]);
    }

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
    fn what_is_likely_in_several_ways_that_mean_the_same_is_likely() {
        let all = ["네", "맞아", "아니요", "아뇨"];
        let grammar = grammar(&all, &all).in_groups(&[2, 2]);
        let heard = |texts: &[(&str, f32)]| texts.iter().map(|(text, l)| ((*text).to_owned(), *l)).collect::<Vec<_>>();
        let alike = |heard: &[(String, f32)]| {
            grammar.likeliest(heard).map(|(text, likelihood)| (text.to_owned(), (likelihood * 100.0).round() as u32))
        };
        let third = -(2.0_f32.ln());
        assert_eq!(alike(&heard(&[("아뇨", 0.0), ("아니요", third), ("네", third)])), Some(("아뇨".to_owned(), 75)));
        assert_eq!(
            alike(&heard(&[("네", 9.0), ("아뇨", 8.9), ("아니요", 8.9)])).map(|(text, _)| text),
            Some("아뇨".to_owned())
        );
        assert_eq!(
            alike(&heard(&[("네", 50.0), ("네 네", 50.0)])),
            Some(("네".to_owned(), 50)),
            "what else it was counts"
        );
        assert_eq!(alike(&heard(&[("네 네", 50.0)])), None);
        assert_eq!(alike(&[]), None);
    }

    #[test]
    fn where_others_are_known_no_phrase_is_cut() {
        let known = ["네", "맞습", "니다"];
        assert_eq!(grammar(&["네", "맞습니다"], &known).of_known_words().lines(), ["네", "[unk]"]);
        assert_eq!(grammar(&["맞습니다"], &known).of_known_words().lines(), ["맞습 니다", "[unk]"]);
        assert_eq!(grammar(&["네", "예"], &[]).in_groups(&[usize::MAX, 9]).phrases.len(), 2, "as many as there are");
        // "That is right" must not be taken for "that will do".
        let both = ["맞습니다", "네", "됐습니다", "아니요"];
        let of_known =
            |groups: &[usize]| grammar(&both, &["네", "됐습니다", "아니요"]).in_groups(groups).of_known_words();
        assert_eq!(of_known(&[2, 2]).lines(), ["네", "아니요", "[unk]"]);
        assert_eq!(of_known(&[]).lines(), ["네", "됐습니다", "아니요", "[unk]"]);
    }

    #[test]
    fn words_of_other_scripts_are_not_cut() {
        assert_eq!(grammar(&["unknowable"], &["un", "know", "able"]).lines(), ["unknowable", "[unk]"]);
    }

    #[test]
    fn syllables_are_their_letters() {
        assert_eq!(letters("한 가a"), ['\u{1112}', '\u{1161}', '\u{11ab}', '\u{1100}', '\u{1161}', 'a']);
        assert_eq!(letters("\u{d7a3}").len(), 3, "the last syllable");
    }
}
