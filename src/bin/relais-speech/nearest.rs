//! The sentence, of many that may be said, that what was heard comes nearest to, and how likely it is that this was meant.

use relais::heard::Hints;

use crate::grammar::{UNKNOWN, clean};
use crate::listener::Heard;
use crate::sounds::{Sound, distance, sounds};

/// Of what may have been heard the likeliest are looked at; one that is behind the likeliest by a unit of likelihood (a natural
/// logarithm) is so much farther away.
const LIKELIEST: usize = 10;
const BEHIND: f32 = 0.03;
/// What the recognisers say counts so much: of the phrases alone, of these and others, and of free speech.
const NARROW: f32 = 1.0;
const WIDE: f32 = 2.0;
const FREE: f32 = 1.0;
/// Of two sentences the one that is nearer by 1/30 is e times as likely.
const SHARPNESS: f32 = 30.0;
/// So near to one sentence, it is that one.
const CLEAR: f32 = 0.1;
/// Farther from all of them, it is none.
const FAR: f32 = 0.5;
/// From here on a meaning is likely. These numbers were chosen by trial on wishes and other sentences spoken by two voices of
/// espeak-ng, so that one in six of the others is likely to be a wish, for which whoever hears it had better ask back.
const LIKELY: f32 = 0.5;

pub struct Sentences {
    sentences: Vec<Sentence>,
    meanings: usize,
}

struct Sentence {
    text: String,
    sounds: Vec<Sound>,
    /// Where it has none that anybody asks for, it stands for all else that may be said.
    meaning: Option<usize>,
}

/// How far each sentence is from what was heard.
pub struct Distances(Vec<f32>);

impl Sentences {
    pub fn of(hints: &Hints) -> Sentences {
        let phrases = grouped(&hints.phrases, &hints.groups);
        let all = phrases.chain(grouped(&hints.also, &hints.also_groups));
        let sentences =
            all.map(|(text, meaning)| Sentence { text: clean(text), sounds: sounds(&clean(text)), meaning });
        let meanings = hints.groups.len().max(hints.also_groups.len());
        Sentences { sentences: sentences.filter(|sentence| !sentence.sounds.is_empty()).collect(), meanings }
    }

    /// By who knows the phrases and nothing else, and by who knows other sentences besides.
    pub fn distances(&self, narrow: &Heard, wide: &Heard) -> Distances {
        let both = self.of_one(narrow).zip(self.of_one(wide));
        Distances(both.map(|(narrow, wide)| (NARROW * narrow + WIDE * wide) / (NARROW + WIDE)).collect())
    }

    fn of_one<'s>(&'s self, heard: &Heard) -> impl Iterator<Item = f32> + 's {
        let likeliest = heard.first().map_or(0.0, |(_, likelihood)| *likelihood);
        let heard: Vec<(Vec<Sound>, f32)> = heard
            .iter()
            .take(LIKELIEST)
            .map(|(text, likelihood)| (sounds(&text.replace(UNKNOWN, " ")), (likeliest - likelihood) * BEHIND))
            .filter(|(sounds, _)| !sounds.is_empty())
            .collect();
        self.sentences.iter().map(move |sentence| {
            heard.iter().fold(1.0, |least: f32, (heard, behind)| {
                if *behind < least { distance(heard, &sentence.sounds, least - behind) + behind } else { least }
            })
        })
    }

    /// The sentence that was heard nearly sound by sound, where it means something; and how near that is, up to 1.
    pub fn clear(&self, distances: &Distances) -> Option<(&str, f32)> {
        let all = distances.0.iter().zip(&self.sentences);
        let (distance, sentence) = all.min_by(|(one, _), (other, _)| one.total_cmp(other))?;
        (*distance <= CLEAR && sentence.meaning.is_some()).then_some((&sentence.text, 1.0 - distance))
    }

    /// The nearest of the sentences that mean what is likeliest, given what free speech made of it as well; and how likely
    /// that meaning is against all else and the one that comes after it.
    pub fn likely(&self, distances: &Distances, free: &str) -> Option<(&str, f32)> {
        let free = vec![(free.to_owned(), 0.0)];
        let listeners = NARROW + WIDE;
        let weigh = |(distance, free): (&f32, f32)| (distance * listeners + free * FREE) / (listeners + FREE);
        let distances: Vec<f32> = distances.0.iter().zip(self.of_one(&free)).map(weigh).collect();
        let (nearest, _) = self.nearest(&distances, |_| true).filter(|(nearest, _)| *nearest <= FAR)?;
        let (meaning, likely) = self.likeliest(&distances, nearest)?;
        let (_, sentence) = self.nearest(&distances, |sentence| sentence.meaning == Some(meaning))?;
        (likely >= LIKELY).then_some((&sentence.text, likely))
    }

    /// The likeliest meaning, and how likely it is.
    fn likeliest(&self, distances: &[f32], nearest: f32) -> Option<(usize, f32)> {
        // The last is all else.
        let mut weights = vec![0.0_f32; self.meanings + 1];
        for (sentence, distance) in self.sentences.iter().zip(distances) {
            if let Some(weight) = weights.get_mut(sentence.meaning.unwrap_or(self.meanings)) {
                *weight += ((nearest - distance) * SHARPNESS).exp();
            }
        }
        let rest = weights.pop()?;
        let mut meanings: Vec<(usize, f32)> = weights.into_iter().enumerate().collect();
        meanings.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let (meaning, weight) = *meanings.first()?;
        let second = meanings.get(1).map_or(0.0, |(_, second)| *second);
        Some((meaning, weight / (weight + rest + second)))
    }

    fn nearest(&self, distances: &[f32], is_wanted: impl Fn(&Sentence) -> bool) -> Option<(f32, &Sentence)> {
        let wanted = self.sentences.iter().zip(distances).filter(|(sentence, _)| is_wanted(sentence));
        let nearest = wanted.min_by(|(_, one), (_, other)| one.total_cmp(other));
        nearest.map(|(sentence, distance)| (*distance, sentence))
    }
}

/// So many in a row mean one thing, then so many the next; those behind, nothing that is asked for.
fn grouped<'t>(texts: &'t [String], sizes: &'t [usize]) -> impl Iterator<Item = (&'t str, Option<usize>)> {
    let meanings = sizes.iter().enumerate().flat_map(|(meaning, size)| std::iter::repeat_n(Some(meaning), *size));
    texts.iter().map(String::as_str).zip(meanings.chain(std::iter::repeat(None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences() -> Sentences {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Sentences::of(&Hints {
            phrases: texts(&["예약을 변경하고 싶어요", "예약 취소", "영업 시간", "안녕하세요"]),
            groups: vec![1, 1, 1],
            also: texts(&["예약 변경", "몇 시까지 영업해요", "날씨가 좋네요", "호수 물이 따뜻해요"]),
            also_groups: vec![1, 0, 1],
            near: true,
            ..Hints::default()
        })
    }

    fn heard(texts: &[(&str, f32)]) -> Heard {
        texts.iter().map(|(text, likelihood)| ((*text).to_owned(), *likelihood)).collect()
    }

    fn likely(heard: &Heard, free: &str) -> Option<String> {
        let sentences = sentences();
        sentences.likely(&sentences.distances(heard, heard), free).map(|(text, _)| text.to_owned())
    }

    #[test]
    fn the_nearest_sentence_of_a_likely_meaning_is_found() {
        let found = |texts: &[(&str, f32)]| likely(&heard(texts), "");
        assert_eq!(found(&[("예약 요 변경 하고 고 싶어요", 160.0)]).as_deref(), Some("예약을 변경하고 싶어요"));
        assert_eq!(found(&[("멸 치까지 영어 패요", 1.0)]).as_deref(), Some("몇 시까지 영업해요"), "of the others");
        assert_eq!(found(&[("호소 물리 따뜻해요", 100.0)]), None, "it means nothing");
        assert_eq!(found(&[("바나나 사과 포도", 100.0)]), None);
        assert_eq!(found(&[("[unk]", 100.0)]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn silence_is_no_wish_even_where_there_is_only_one() {
        let phrases = vec!["영업 시간".to_owned()];
        let one = Sentences::of(&Hints { phrases, groups: vec![1], near: true, ..Hints::default() });
        let found = |heard: &Heard| one.likely(&one.distances(heard, heard), "").map(|(text, _)| text);
        assert_eq!(found(&heard(&[])), None);
        assert_eq!(found(&heard(&[("바나나 사과 포도", 1.0)])), None);
        assert_eq!(found(&heard(&[("영어 시간", 1.0)])), Some("영업 시간"));
    }

    #[test]
    fn what_is_less_likely_is_farther_away() {
        let found = |behind: f32| likely(&heard(&[("바나나 사과", 160.0), ("예약 취소", 160.0 - behind)]), "");
        assert_eq!(found(3.0).as_deref(), Some("예약 취소"));
        assert_eq!(found(30.0), None);
    }

    #[test]
    fn who_knows_more_is_believed_and_free_speech_has_its_say() {
        let sentences = sentences();
        let [cancel, warm] = ["예약 취소", "호수 물이 따뜻해요"].map(|text| heard(&[(text, 100.0)]));
        let found = |wide: &Heard, free: &str| {
            sentences.likely(&sentences.distances(&cancel, wide), free).map(|(text, _)| text)
        };
        assert_eq!(found(&warm, ""), None);
        assert_eq!(found(&cancel, ""), Some("예약 취소"));
        let between = heard(&[("예약 시간", 100.0)]);
        let of = |free: &str| sentences.likely(&sentences.distances(&between, &between), free).map(|(text, _)| text);
        assert_eq!(of("예야 치소"), Some("예약 취소"));
    }

    #[test]
    fn what_is_clear_needs_no_free_speech() {
        let sentences = sentences();
        let clear = |text: &str| {
            let heard = heard(&[(text, 9.0)]);
            sentences.clear(&sentences.distances(&heard, &heard)).map(|(text, near)| (text.to_owned(), near))
        };
        assert_eq!(clear("영업 시간"), Some(("영업 시간".to_owned(), 1.0)));
        assert_eq!(clear("영업 치간").map(|(text, _)| text).as_deref(), Some("영업 시간"));
        assert_eq!(clear("호수 물이 따뜻해요"), None);
        assert_eq!(clear("영업 취소"), None);
    }

    #[test]
    fn groups_may_be_larger_than_what_is_there() {
        let texts = ["a", "b", "c"].map(str::to_owned);
        let meanings: Vec<Option<usize>> = grouped(&texts, &[1, usize::MAX]).map(|(_, meaning)| meaning).collect();
        assert_eq!(meanings, [Some(0), Some(1), Some(1)]);
    }
}
