//! The sentence, of many that may be said, that what was heard comes nearest to, and how likely it is that this was meant.

use relais::heard::Hints;

use crate::grammar::{UNKNOWN, clean};
use crate::listener::Heard;
use crate::sounds::{Sound, distance, sounds};

/// Of what may have been heard the likeliest are looked at; one that is behind the likeliest by a unit of likelihood (a natural
/// logarithm) is so much farther away.
const LIKELIEST: usize = 10;
const BEHIND: f32 = 0.03;
/// What else may have been heard is looked at for sentences that are farther than the nearest by no more than this.
const WORTH_A_LOOK: f32 = 0.25;
/// Of two sentences the one that is nearer by 1/30 is e times as likely.
const SHARPNESS: f32 = 30.0;
/// Farther from all of them, it is none.
const FAR: f32 = 0.5;
/// Farther by one listener, a sentence is as good as not heard.
const FARTHEST: f32 = 0.75;
/// From here on a meaning is likely. These numbers were chosen by trial on wishes and other sentences spoken by two voices of
/// espeak-ng, so that one in ten of the others is likely to be a wish, for which whoever hears it had better ask back.
const LIKELY: f32 = 0.42;

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

/// What one listener has heard, and how much that counts.
pub struct Account {
    pub heard: Heard,
    pub counts: f32,
}

/// The nearest sentence of the likeliest meaning.
#[derive(Debug)]
pub struct Nearest<'s> {
    pub text: &'s str,
    /// How likely it is that this was meant.
    pub likely: f32,
    /// How far it is from what was heard: 0 is word for word, 1 has nothing of it.
    pub distance: f32,
}

/// What may have been said, with how far behind the likeliest it is.
type Soundings = Vec<(Vec<Sound>, f32)>;

impl Sentences {
    pub fn of(hints: &Hints) -> Sentences {
        let phrases = grouped(&hints.phrases, &hints.groups);
        let all = phrases.chain(grouped(&hints.also, &hints.also_groups));
        let sentences =
            all.map(|(text, meaning)| Sentence { text: clean(text), sounds: sounds(&clean(text)), meaning });
        let meanings = hints.groups.len().max(hints.also_groups.len());
        Sentences { sentences: sentences.filter(|sentence| !sentence.sounds.is_empty()).collect(), meanings }
    }

    pub fn likely(&self, accounts: &[Account]) -> Option<Nearest<'_>> {
        let distances = self.distances(accounts);
        let (nearest, _) = self.nearest(&distances, |_| true).filter(|(nearest, _)| *nearest <= FAR)?;
        let (meaning, likely) = self.likeliest(&distances, nearest)?;
        let (distance, sentence) = self.nearest(&distances, |sentence| sentence.meaning == Some(meaning))?;
        (likely >= LIKELY).then_some(Nearest { text: &sentence.text, likely, distance })
    }

    /// How far each sentence is from what was heard, on average.
    fn distances(&self, accounts: &[Account]) -> Vec<f32> {
        let heard: Vec<(Soundings, f32)> =
            accounts.iter().map(|account| (soundings(&account.heard), account.counts)).collect();
        let all: f32 = heard.iter().map(|(_, counts)| counts).sum();
        let average = |sentence: &Sentence, looked_at: usize| {
            let of_one =
                |(soundings, counts): &(Soundings, f32)| least(soundings, looked_at, &sentence.sounds) * counts;
            heard.iter().map(of_one).sum::<f32>() / all
        };
        let mut distances: Vec<f32> = self.sentences.iter().map(|sentence| average(sentence, 1)).collect();
        let nearest = distances.iter().copied().fold(f32::INFINITY, f32::min);
        for (distance, sentence) in distances.iter_mut().zip(&self.sentences) {
            if *distance <= nearest + WORTH_A_LOOK {
                *distance = average(sentence, LIKELIEST);
            }
        }
        distances
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

fn soundings(heard: &Heard) -> Soundings {
    let likeliest = heard.first().map_or(0.0, |(_, likelihood)| *likelihood);
    let all = heard.iter().take(LIKELIEST);
    let all = all.map(|(text, likelihood)| (sounds(&text.replace(UNKNOWN, " ")), (likeliest - likelihood) * BEHIND));
    let mut soundings = Soundings::new();
    for (sounds, behind) in all.filter(|(sounds, _)| !sounds.is_empty()) {
        // Parted into other words it sounds the same.
        if soundings.iter().all(|(before, _)| *before != sounds) {
            soundings.push((sounds, behind));
        }
    }
    soundings
}

/// From the nearest of the first few.
fn least(soundings: &Soundings, looked_at: usize, sentence: &[Sound]) -> f32 {
    soundings.iter().take(looked_at).fold(FARTHEST, |least: f32, (heard, behind)| {
        if *behind < least { distance(heard, sentence, least - behind) + behind } else { least }
    })
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

    fn account(counts: f32, texts: &[(&str, f32)]) -> Account {
        Account { heard: texts.iter().map(|(text, likelihood)| ((*text).to_owned(), *likelihood)).collect(), counts }
    }

    fn likely(accounts: &[Account]) -> Option<String> {
        sentences().likely(accounts).map(|found| found.text.to_owned())
    }

    #[test]
    fn the_nearest_sentence_of_a_likely_meaning_is_found() {
        let found = |texts: &[(&str, f32)]| likely(&[account(1.0, texts)]);
        assert_eq!(found(&[("예약 요 변경 하고 고 싶어요", 160.0)]).as_deref(), Some("예약을 변경하고 싶어요"));
        assert_eq!(found(&[("멸 치까지 영어 패요", 1.0)]).as_deref(), Some("몇 시까지 영업해요"), "of the others");
        assert_eq!(found(&[("호소 물리 따뜻해요", 100.0)]), None, "it means nothing");
        assert_eq!(found(&[("바나나 사과 포도", 100.0)]), None);
        assert_eq!(found(&[("[unk]", 100.0)]), None);
        assert_eq!(found(&[]), None);
        assert_eq!(likely(&[]), None);
    }

    #[test]
    fn silence_is_no_wish_even_where_there_is_only_one() {
        let phrases = vec!["영업 시간".to_owned()];
        let one = Sentences::of(&Hints { phrases, groups: vec![1], near: true, ..Hints::default() });
        let found = |texts: &[(&str, f32)]| one.likely(&[account(1.0, texts)]).map(|found| found.text);
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("바나나 사과 포도", 1.0)]), None);
        assert_eq!(found(&[("영어 시간", 1.0)]), Some("영업 시간"));
    }

    #[test]
    fn what_is_less_likely_is_farther_away() {
        let found = |behind: f32| likely(&[account(1.0, &[("바나나 사과", 160.0), ("예약 취소", 160.0 - behind)])]);
        assert_eq!(found(3.0).as_deref(), Some("예약 취소"));
        assert_eq!(found(30.0), None);
    }

    #[test]
    fn each_listener_counts_as_much_as_it_is_worth() {
        let (cancel, warm) = ([("예약 취소", 100.0)], [("호수 물이 따뜻해요", 100.0)]);
        assert_eq!(likely(&[account(2.0, &cancel), account(1.0, &warm)]).as_deref(), Some("예약 취소"));
        assert_eq!(likely(&[account(1.0, &cancel), account(2.0, &warm)]), None);
    }

    #[test]
    fn it_is_told_how_near_and_how_likely_it_is() {
        let sentences = sentences();
        let found = |text: &str| sentences.likely(&[account(1.0, &[(text, 9.0)])]).unwrap();
        let (whole, part) = (found("영업 시간"), found("영어 시간 네"));
        assert!(whole.distance == 0.0 && whole.likely > 0.99, "{whole:?}");
        assert!(part.text == "영업 시간" && (0.1..0.5).contains(&part.distance), "{part:?}");
    }

    #[test]
    fn groups_may_be_larger_than_what_is_there() {
        let texts = ["a", "b", "c"].map(str::to_owned);
        let meanings: Vec<Option<usize>> = grouped(&texts, &[1, usize::MAX]).map(|(_, meaning)| meaning).collect();
        assert_eq!(meanings, [Some(0), Some(1), Some(1)]);
    }
}
