//! What a caller wants, from example sentences alone. [METHODS.md](../METHODS.md) has the methods that were compared.
//!
//! Likenesses are added: that of meaning by the sentence encoder, which sees through other words, and those of letters and of
//! words, which keep to the operator's own vocabulary and see through recognition errors. Kernel ridge regression makes scores
//! of them; how sure a score is, is learnt from how the examples fare when each fifth of them is held back.

mod ngrams;
mod notes;
mod solve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::encoder::Encoder;
use super::text::{is_hangul, plain, without_numbers};
use ngrams::{Ngrams, Sequences};
use solve::solve;

/// How quickly the likeness of meaning fades with the distance of two sentences.
const SHARPNESS: f32 = 2.0;
/// The likenesses of letters within words, of letters across them and of words, beside that of meaning.
const SHARES: [f32; 3] = [0.3, 0.3, 0.3];
/// In Korean, whose words take endings, are written apart or not, and are less well known to the encoder.
const KOREAN_SHARES: [f32; 3] = [0.5, 1.0, 0.0];
const RIDGE: f32 = 0.2;
/// How near the solution is to be: for use, and for seeing how the examples fare.
const EXACT: f32 = 1e-3;
const ROUGH: f32 = 3e-2;
const FOLDS: usize = 5;

/// How likely a further text of an utterance is beside the one before it.
const FADES: f32 = 0.6;

/// Of the examples of `none`, held back, so many may be taken for a wish.
const NONSENSE_TAKEN: f32 = 0.10;

/// A sentence of an example file, and what it stands for: an intent's place, or `None` for what is no wish.
pub type Example = (String, Option<usize>);

/// What a sentence was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// The likeliest intent.
    pub intent: usize,
    /// How likely it is, 0 to 1.
    pub confidence: f32,
    /// The next best one, and how likely it is.
    pub second: Option<(usize, f32)>,
    /// Whether it is likelier than that the caller wants none of them, and likely enough.
    pub accepted: bool,
    /// What was heard says nothing of it by itself: only what it may have been instead does.
    #[serde(default)]
    pub indirect: bool,
}

/// The examples by their letters and words, and the share of each in how like two sentences are.
#[derive(Debug)]
struct Forms(Vec<(f32, Ngrams)>);

impl Forms {
    fn of(texts: &[String]) -> Forms {
        let korean = texts.iter().filter(|text| text.chars().any(is_hangul)).count() * 2 > texts.len();
        let shares = if korean { KOREAN_SHARES } else { SHARES };
        let sequences = [Sequences::Letters, Sequences::Across, Sequences::Words];
        let forms = shares.into_iter().zip(sequences).filter(|(share, _)| *share > 0.0);
        Forms(forms.map(|(share, sequences)| (share, Ngrams::of(texts, sequences))).collect())
    }

    /// How like `text` is to each of `count` examples in form.
    fn likeness(&self, text: &str, count: usize) -> Vec<f32> {
        let mut sum = vec![0.0; count];
        for (share, ngrams) in &self.0 {
            sum.iter_mut().zip(ngrams.cosines(text)).for_each(|(sum, cosine)| *sum += share * cosine);
        }
        sum
    }
}

/// One language's examples, learnt.
#[derive(Debug)]
pub struct Matcher {
    forms: Forms,
    /// A row an example, transposed; `None` without an encoder.
    meanings: Option<Array2<f32>>,
    /// A row an example, a column a class; the last class is `none`.
    weights: Array2<f32>,
    /// By the plain text: what the operator wrote word for word needs no guessing.
    exact: HashMap<String, Option<usize>>,
    /// The scores' scale, so that they make probabilities.
    scale: f32,
    /// From this probability on an intent is believed, by what the examples of `none` show.
    threshold: f32,
}

impl Matcher {
    /// Learns the examples of one language; `None` where there are none.
    pub fn learn(examples: &[Example], intents: usize, encoder: Option<&Encoder>) -> Option<Matcher> {
        if examples.is_empty() || intents == 0 {
            return None;
        }
        let texts = texts(examples);
        let classes: Vec<usize> = examples.iter().map(|(_, intent)| intent.unwrap_or(intents).min(intents)).collect();
        let forms = Forms::of(&texts);
        let meanings = encoder.map(|encoder| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            encoder.encode(&texts).reversed_axes().as_standard_layout().into_owned()
        });
        let kernel = kernel(&forms, meanings.as_ref(), &texts);
        let targets = targets(&classes, intents + 1);
        let held_back = held_back(&kernel, &targets, &classes);
        let scale = scale(&held_back, &classes);
        let threshold = threshold(&held_back, &classes, scale);
        Some(Matcher {
            forms,
            meanings,
            weights: solve(&kernel, RIDGE, &targets, EXACT),
            exact: exact(examples),
            scale,
            threshold,
        })
    }

    /// The probability from which on an intent is believed.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// What `text` is taken for, by `threshold` where the operator has set one; `None` for a text without words. Where it may
    /// have been one of the `others` as well, each counts by how likely it is.
    pub fn guess(
        &self,
        text: &str,
        others: &[String],
        encoder: Option<&Encoder>,
        threshold: Option<f32>,
    ) -> Option<Guess> {
        let plain = plain(text);
        if plain.is_empty() {
            return None;
        }
        let heard = self.of_all(&plain, others, encoder);
        let probabilities = mixed(&heard);
        let (none, intents) = probabilities.split_last()?;
        let best = |except: Option<usize>| {
            let others = intents.iter().copied().enumerate().filter(|(intent, _)| Some(*intent) != except);
            others.max_by(|(_, one), (_, other)| one.total_cmp(other))
        };
        let (intent, confidence) = best(None)?;
        let second = best(Some(intent));
        match self.exact.get(&plain) {
            Some(Some(intent)) => {
                Some(Guess { intent: *intent, confidence: 1.0, second: None, accepted: true, indirect: false })
            }
            Some(None) => Some(Guess { intent, confidence: 0.0, second: None, accepted: false, indirect: false }),
            None => {
                let believed =
                    |confidence: f32, none: f32| confidence > none && confidence >= threshold.unwrap_or(self.threshold);
                let own = heard.first().and_then(|own| own.get(intent).copied().zip(own.last().copied()));
                let indirect = own.is_some_and(|(own, none)| !believed(own, none));
                Some(Guess { intent, confidence, second, accepted: believed(confidence, *none), indirect })
            }
        }
    }

    /// The probabilities of what was heard, then those of what it may have been instead.
    fn of_all(&self, text: &str, others: &[String], encoder: Option<&Encoder>) -> Vec<Vec<f32>> {
        let mut seen = vec![text.to_owned()];
        let mut heard = vec![self.probabilities(text, encoder)];
        for other in others.iter().map(|other| plain(other)) {
            // Texts that differ in capitals and full stops are one.
            if !other.is_empty() && !seen.contains(&other) {
                heard.push(self.probabilities(&other, encoder));
                seen.push(other);
            }
        }
        heard
    }

    fn probabilities(&self, plain: &str, encoder: Option<&Encoder>) -> Vec<f32> {
        let compared = without_numbers(plain);
        let mut likeness = Array2::zeros((1, self.weights.nrows()));
        let count = likeness.len();
        likeness.iter_mut().zip(self.forms.likeness(&compared, count)).for_each(|(place, form)| *place = form);
        if let (Some(meanings), Some(encoder)) = (&self.meanings, encoder) {
            let cosines = encoder.encode(&[&compared]).dot(meanings);
            likeness.iter_mut().zip(&cosines).for_each(|(likeness, cosine)| *likeness += meaning(*cosine));
        }
        let scores = likeness.dot(&self.weights);
        softmax(scores.iter().copied(), self.scale)
    }
}

/// Half of it is what was heard and what it may have been instead, each text `FADES` as likely as the one before; the other half
/// the one text among them that is most clearly a wish, for what is misheard is seldom a wish by chance.
fn mixed(heard: &[Vec<f32>]) -> Vec<f32> {
    let shares = || std::iter::successors(Some(1.0), |share| Some(share * FADES));
    let whole: f32 = shares().take(heard.len()).sum();
    let wish = |probabilities: &Vec<f32>| {
        let intents = probabilities.split_last().map(|(_, intents)| intents).unwrap_or_default();
        intents.iter().copied().fold(0.0, f32::max)
    };
    let mut sum = vec![0.0; heard.first().map_or(0, Vec::len)];
    for (share, probabilities) in shares().zip(heard) {
        sum.iter_mut().zip(probabilities).for_each(|(sum, more)| *sum += share / whole * more / 2.0);
    }
    if let Some(clearest) = heard.iter().max_by(|one, other| wish(one).total_cmp(&wish(other))) {
        sum.iter_mut().zip(clearest).for_each(|(sum, more)| *sum += more / 2.0);
    }
    sum
}

fn texts(examples: &[Example]) -> Vec<String> {
    examples.iter().map(|(text, _)| compared(text)).collect()
}

fn exact(examples: &[Example]) -> HashMap<String, Option<usize>> {
    examples.iter().map(|(text, intent)| (plain(text), *intent)).collect()
}

fn compared(text: &str) -> String {
    without_numbers(&plain(text))
}

fn meaning(cosine: f32) -> f32 {
    (SHARPNESS * (cosine - 1.0)).exp()
}

/// How like each example is to each other one.
fn kernel(forms: &Forms, meanings: Option<&Array2<f32>>, texts: &[String]) -> Array2<f32> {
    let mut kernel = Array2::zeros((texts.len(), texts.len()));
    for (mut row, text) in kernel.rows_mut().into_iter().zip(texts) {
        row.iter_mut().zip(forms.likeness(text, texts.len())).for_each(|(place, form)| *place = form);
    }
    if let Some(meanings) = meanings {
        kernel += &meanings.t().dot(meanings).mapv(meaning);
    }
    kernel
}

fn targets(classes: &[usize], count: usize) -> Array2<f32> {
    Array2::from_shape_fn(
        (classes.len(), count),
        |(example, class)| {
            if classes.get(example) == Some(&class) { 1.0 } else { -1.0 }
        },
    )
}

/// The scores of each example as those give them that do not know it: every fifth of a class is held back in turn.
fn held_back(kernel: &Array2<f32>, targets: &Array2<f32>, classes: &[usize]) -> Array2<f32> {
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    let folds: Vec<usize> = classes
        .iter()
        .map(|class| {
            let count = seen.entry(*class).or_default();
            *count += 1;
            (*count - 1) % FOLDS
        })
        .collect();
    let mut scores = Array2::zeros(targets.raw_dim());
    for fold in 0..FOLDS {
        let (out, kept): (Vec<usize>, Vec<usize>) =
            (0..classes.len()).partition(|example| folds.get(*example) == Some(&fold));
        if out.is_empty() || kept.is_empty() {
            continue;
        }
        let own = kernel.select(Axis(0), &kept).select(Axis(1), &kept);
        let weights = solve(&own, RIDGE, &targets.select(Axis(0), &kept), ROUGH);
        let found = kernel.select(Axis(0), &out).select(Axis(1), &kept).dot(&weights);
        for (example, row) in out.iter().zip(found.rows()) {
            scores.row_mut(*example).assign(&row);
        }
    }
    scores
}

/// The scale at which the scores, as probabilities, fit what the examples are best (temperature scaling, Guo et al. 2017).
fn scale(scores: &Array2<f32>, classes: &[usize]) -> f32 {
    let surprise = |scale: f32| -> f32 {
        let one = |(row, class): (ndarray::ArrayView1<'_, f32>, &usize)| {
            let probabilities = softmax(row.iter().copied(), scale);
            -probabilities.get(*class).copied().unwrap_or_default().max(1e-6).ln()
        };
        scores.rows().into_iter().zip(classes).map(one).sum()
    };
    let candidates = (2..=40).map(|quarter| quarter as f32 * 0.25);
    candidates.min_by(|one, other| surprise(*one).total_cmp(&surprise(*other))).unwrap_or(4.0)
}

/// The lowest probability that keeps all but a few of the examples of `none` out.
fn threshold(scores: &Array2<f32>, classes: &[usize], scale: f32) -> f32 {
    let none = scores.ncols().saturating_sub(1);
    let mut taken: Vec<f32> = scores
        .rows()
        .into_iter()
        .zip(classes)
        .filter(|(_, class)| **class == none)
        .filter_map(|(row, _)| {
            let probabilities = softmax(row.iter().copied(), scale);
            let (none, intents) = probabilities.split_last()?;
            let best = intents.iter().copied().fold(0.0, f32::max);
            Some(if best > *none { best } else { 0.0 })
        })
        .collect();
    taken.sort_by(|one, other| other.total_cmp(one));
    let allowed = (NONSENSE_TAKEN * taken.len() as f32) as usize;
    // Without examples of what is no wish, a wish is to be clear.
    taken.get(allowed).map_or(0.6, |lowest| lowest.clamp(0.3, 0.9))
}

fn softmax(scores: impl Iterator<Item = f32> + Clone, scale: f32) -> Vec<f32> {
    let highest = scores.clone().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f32> = scores.map(|score| (scale * (score - highest)).exp()).collect();
    let sum: f32 = raised.iter().sum();
    raised.into_iter().map(|value| value / sum).collect()
}
