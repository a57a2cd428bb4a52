//! Sentences compared by what they have in common: sequences of one to four letters, within words or across them, or words
//! and pairs of words, each weighed by how rare it is among the examples (tf-idf, Salton & Buckley 1988).

use std::collections::HashMap;

/// What is counted in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequences {
    Letters,
    /// Letters as if nothing were written apart: people and recognisers put spaces differently.
    Across,
    Words,
}

/// The longest sequence of letters, and of words.
const LETTERS: usize = 4;
const WORDS: usize = 2;

/// The examples, ready to be compared with a text.
#[derive(Debug)]
pub(super) struct Ngrams {
    sequences: Sequences,
    /// By a sequence's hash. Only looked up, never gone through, so its order does not matter.
    ids: HashMap<u64, u32>,
    /// How rare each sequence is.
    rarity: Vec<f32>,
    /// For each sequence the examples that have it, and its weight in each.
    postings: Vec<Vec<(u32, f32)>>,
    examples: usize,
}

impl Ngrams {
    pub fn of(texts: &[String], sequences: Sequences) -> Ngrams {
        let mut ids: HashMap<u64, u32> = HashMap::new();
        let counts: Vec<Vec<(u32, f32)>> = texts
            .iter()
            .map(|text| {
                count(text, sequences, |hash| {
                    let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                    Some(*ids.entry(hash).or_insert(next))
                })
            })
            .collect();
        let mut in_texts = vec![0.0f32; ids.len()];
        for (id, _) in counts.iter().flatten() {
            in_texts.iter_mut().skip(*id as usize).take(1).for_each(|texts| *texts += 1.0);
        }
        let all = texts.len() as f32;
        let rarity: Vec<f32> = in_texts.iter().map(|texts| ((1.0 + all) / (1.0 + texts)).ln() + 1.0).collect();
        let mut ngrams =
            Ngrams { sequences, ids, rarity, postings: vec![Vec::new(); in_texts.len()], examples: texts.len() };
        for (example, counts) in (0..).zip(counts) {
            for (id, weight) in ngrams.weigh(counts) {
                if let Some(posting) = ngrams.postings.get_mut(id as usize) {
                    posting.push((example, weight));
                }
            }
        }
        ngrams
    }

    /// The cosine of `text` with each example.
    pub fn cosines(&self, text: &str) -> Vec<f32> {
        let mut cosines = vec![0.0; self.examples];
        for (id, weight) in self.weigh(count(text, self.sequences, |hash| self.ids.get(&hash).copied())) {
            for (example, other) in self.postings.get(id as usize).into_iter().flatten() {
                if let Some(cosine) = cosines.get_mut(*example as usize) {
                    *cosine += weight * other;
                }
            }
        }
        cosines
    }

    /// Counts to weights, together of length 1.
    fn weigh(&self, mut counts: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
        for (id, count) in &mut counts {
            *count = (1.0 + count.ln()) * self.rarity.get(*id as usize).copied().unwrap_or_default();
        }
        let length = counts.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        counts.iter_mut().for_each(|(_, weight)| *weight /= length);
        counts
    }
}

/// How often each sequence that `id` knows stands in `text`, in the order of the ids.
fn count(text: &str, sequences: Sequences, id: impl FnMut(u64) -> Option<u32>) -> Vec<(u32, f32)> {
    let mut hashes = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    match sequences {
        Sequences::Letters => {
            for word in words {
                let padded: Vec<char> = [' '].into_iter().chain(word.chars()).chain([' ']).collect();
                for length in 1..=LETTERS {
                    let windows = padded.windows(length).filter(|window| *window != [' ']);
                    hashes.extend(windows.map(|window| hash(window.iter().copied())));
                }
            }
        }
        Sequences::Across => {
            let joined: Vec<char> = words.iter().flat_map(|word| word.chars()).collect();
            let padded: Vec<char> = [' '].into_iter().chain(joined).chain([' ']).collect();
            for length in 1..=LETTERS {
                hashes.extend(padded.windows(length).map(|window| hash(window.iter().copied())));
            }
        }
        Sequences::Words => {
            for length in 1..=WORDS {
                let joined = |window: &[&str]| hash(window.iter().flat_map(|word| word.chars().chain([' '])));
                hashes.extend(words.windows(length).map(joined));
            }
        }
    }
    let mut found: Vec<u32> = hashes.into_iter().filter_map(id).collect();
    found.sort_unstable();
    let chunks = found.chunk_by(|one, other| one == other);
    chunks.filter_map(|chunk| Some((*chunk.first()?, chunk.len() as f32))).collect()
}

/// FNV-1a over the characters.
fn hash(characters: impl Iterator<Item = char>) -> u64 {
    characters.fold(0xcbf2_9ce4_8422_2325, |hash, c| (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_sentences_are_near() {
        let texts = ["where is my order", "when do you open", "I want to pay"].map(str::to_owned);
        let ngrams = Ngrams::of(&texts, Sequences::Letters);
        let same = ngrams.cosines("where is my order");
        assert!((same[0] - 1.0).abs() < 1e-5 && same[1] < 0.5, "{same:?}");
        let misheard = ngrams.cosines("wear is my oder");
        assert!(misheard[0] > 0.4 && misheard[0] > misheard[1] + 0.2, "{misheard:?}");
        assert!(ngrams.cosines("ㅎㅎ").iter().all(|cosine| *cosine == 0.0));
        assert!(ngrams.cosines("").iter().all(|cosine| *cosine == 0.0));
        let apart = Ngrams::of(&texts, Sequences::Across).cosines("when doyou open");
        assert!((apart[1] - 1.0).abs() < 1e-5, "{apart:?}");
        let words = Ngrams::of(&texts, Sequences::Words).cosines("my order where is");
        assert!(words[0] > 0.6 && words[0] < 0.99 && words[1] == 0.0, "{words:?}");
    }
}
