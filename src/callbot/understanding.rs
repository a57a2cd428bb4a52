//! What a bot's examples have taught, in every language it speaks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bot::Bot;
use super::encoder::Encoder;
use super::matching::{Guess, Matcher};
use super::text::{is_hangul, plain};
use super::words;
use crate::ids::Language;

/// A bot's examples, learnt.
#[derive(Debug)]
pub struct Understanding {
    encoder: Option<Arc<Encoder>>,
    matchers: BTreeMap<Language, Matcher>,
    known: BTreeMap<Language, BTreeSet<String>>,
}

impl Understanding {
    /// Learns: about a second of one core for a thousand sentences. Without an encoder it understands less.
    pub fn learn(bot: &Bot, encoder: Option<Arc<Encoder>>) -> Understanding {
        let learn = |language: &Language| {
            let examples = bot.examples.get(language)?;
            Some((language.clone(), Matcher::learn(examples, bot.intents.len(), encoder.as_deref())?))
        };
        let matchers = bot.languages.iter().filter_map(learn).collect();
        let known = bot.examples.iter().map(|(language, examples)| {
            let texts = examples.iter().map(|(text, _)| plain(text)).collect();
            (language.clone(), texts)
        });
        let known = known.collect();
        Understanding { encoder, matchers, known }
    }

    /// What a sentence is taken for; `None` where it has no words or nothing was learnt in this language.
    pub fn guess(&self, bot: &Bot, language: &Language, text: &str) -> Option<Guess> {
        self.matchers.get(language)?.guess(text, self.encoder.as_deref(), bot.thresholds.accept)
    }

    /// Whether a sentence is an example, word for word.
    pub fn knows(&self, language: &Language, text: &str) -> bool {
        self.known.get(language).is_some_and(|known| known.contains(&plain(text)))
    }

    /// The probability from which on an intent is believed in a language.
    pub fn threshold(&self, bot: &Bot, language: &Language) -> Option<f32> {
        Some(bot.thresholds.accept.unwrap_or(self.matchers.get(language)?.threshold()))
    }
}

/// So many frequent words of another language, and none of the own one, show that another one is spoken.
const ENOUGH_SIGNS: usize = 2;

/// The language a text is in, where it is clearly another one of `languages` than the `current` one.
pub fn language_of(text: &str, languages: &[Language], current: &Language) -> Option<Language> {
    let plain = plain(text);
    let tokens: Vec<&str> = plain.split(' ').filter(|token| !token.is_empty()).collect();
    let hangul = tokens.iter().filter(|token| token.chars().any(is_hangul)).count();
    let is_korean = |language: &Language| language.as_str().starts_with("ko");
    let signs = |language: &Language| {
        if is_korean(language) {
            return if hangul * 2 > tokens.len() { hangul.max(ENOUGH_SIGNS) } else { 0 };
        }
        let signs = words::of(language).map(|words| words.signs.as_slice()).unwrap_or_default();
        tokens.iter().filter(|token| signs.iter().any(|sign| sign == *token)).count()
    };
    if tokens.is_empty() || signs(current) > 0 {
        return None;
    }
    let others = languages.iter().filter(|language| *language != current).map(|language| (signs(language), language));
    let (count, language) = others.max_by_key(|(count, _)| *count)?;
    (count >= ENOUGH_SIGNS).then(|| language.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_language_is_noticed_and_a_foreign_word_is_not() {
        let languages = ["en", "fr", "ko"].map(Language::from);
        for (current, text, expected) in [
            ("en", "bonjour je voudrais parler à quelqu'un", Some("fr")),
            ("en", "안녕하세요 제 주문 어디 있어요", Some("ko")),
            ("fr", "hello where is my order please", Some("en")),
            ("ko", "I want to speak to you", Some("en")),
            ("en", "where is my café au lait machine", None),
            ("en", "deux", None),
            ("fr", "je voudrais un rendez-vous", None),
            ("en", "", None),
        ] {
            let found = language_of(text, &languages, &Language::from(current));
            assert_eq!(found, expected.map(Language::from), "{text}");
        }
    }
}
