//! What a bot's examples have taught, in every language it speaks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bot::Bot;
use super::encoder::Encoder;
use super::matching::{Example, Guess, Matcher};
use super::text::{is_hangul, plain};
use super::words;
use crate::ids::Language;

/// What a dialogue asks of a sentence.
pub trait Understand {
    /// What it is taken for; `None` where it has no words or nothing was learnt in this language.
    fn guess(&self, bot: &Bot, language: &Language, text: &str) -> Option<Guess>;

    /// What a sentence is taken for that was heard as `text`, or perhaps as one of the `others`, likeliest first.
    fn guess_heard(&self, bot: &Bot, language: &Language, text: &str, _others: &[String]) -> Option<Guess> {
        self.guess(bot, language, text)
    }

    /// Whether it is an example, word for word.
    fn knows(&self, language: &Language, text: &str) -> bool;

    /// Which of the `others` it was more likely, where `text` by itself means nothing: the first that is an example.
    fn likelier(&self, bot: &Bot, language: &Language, text: &str, others: &[String]) -> Option<String> {
        let other = others.iter().find(|other| self.knows(language, other))?;
        let says_something =
            self.knows(language, text) || self.guess(bot, language, text).is_some_and(|guess| guess.accepted);
        (!says_something).then(|| other.clone())
    }
}

/// Keeps what was learnt, so that the next process need not learn it again. Whoever implements it may lose or refuse
/// anything.
pub trait Notes: Send + Sync + std::fmt::Debug {
    fn read(&self, key: &str) -> Option<Vec<u8>>;
    fn write(&self, key: &str, octets: &[u8]);
}

/// A bot's examples; each language is learnt when it is first needed.
#[derive(Debug)]
pub struct Understanding {
    encoder: Option<Arc<Encoder>>,
    notes: Option<Arc<dyn Notes>>,
    lessons: BTreeMap<Language, Lesson>,
}

/// One language.
#[derive(Debug)]
struct Lesson {
    examples: Vec<Example>,
    intents: usize,
    known: BTreeSet<String>,
    matcher: OnceLock<Option<Matcher>>,
}

impl Understanding {
    /// Without an encoder it understands less.
    pub fn new(bot: &Bot, encoder: Option<Arc<Encoder>>, notes: Option<Arc<dyn Notes>>) -> Understanding {
        let lesson = |language: &Language| {
            let examples = bot.examples.get(language)?.clone();
            let known = examples.iter().map(|(text, _)| plain(text)).collect();
            let lesson = Lesson { examples, intents: bot.intents.len(), known, matcher: OnceLock::new() };
            Some((language.clone(), lesson))
        };
        Understanding { encoder, notes, lessons: bot.languages.iter().filter_map(lesson).collect() }
    }

    /// Learns what has not been learnt yet: a second or two of one core for a thousand sentences of a language, nothing
    /// where the notes have it.
    pub fn learn_all(&self) {
        for lesson in self.lessons.values() {
            self.matcher_of(lesson);
        }
    }

    /// The probability from which on an intent is believed in a language.
    pub fn threshold(&self, bot: &Bot, language: &Language) -> Option<f32> {
        Some(bot.thresholds.accept.unwrap_or(self.matcher(language)?.threshold()))
    }

    fn matcher(&self, language: &Language) -> Option<&Matcher> {
        self.matcher_of(self.lessons.get(language)?)
    }

    fn matcher_of<'l>(&self, lesson: &'l Lesson) -> Option<&'l Matcher> {
        lesson.matcher.get_or_init(|| self.recall(lesson).or_else(|| self.learn(lesson))).as_ref()
    }

    fn recall(&self, lesson: &Lesson) -> Option<Matcher> {
        let octets = self.notes.as_ref()?.read(&self.key(lesson))?;
        Matcher::recall(&lesson.examples, lesson.intents, self.encoder.is_some(), &octets)
    }

    fn learn(&self, lesson: &Lesson) -> Option<Matcher> {
        let matcher = Matcher::learn(&lesson.examples, lesson.intents, self.encoder.as_deref())?;
        if let Some(notes) = &self.notes {
            notes.write(&self.key(lesson), &matcher.noted());
        }
        Some(matcher)
    }

    /// Names all that what was learnt depends on.
    fn key(&self, lesson: &Lesson) -> String {
        let mut hash = Sha256::new();
        hash.update(VERSION.to_le_bytes());
        hash.update(lesson.intents.to_le_bytes());
        if let Some(encoder) = &self.encoder {
            // Other weights say something else of it.
            encoder.encode(&[FINGERPRINT]).iter().for_each(|number| hash.update(number.to_le_bytes()));
        }
        for (text, intent) in &lesson.examples {
            hash.update(text.as_bytes());
            hash.update([0]);
            hash.update(intent.map_or(u64::MAX, |intent| intent as u64).to_le_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// Of the way of learning: another one knows nothing of what this one noted.
const VERSION: u32 = 2;
const FINGERPRINT: &str = "where is my order où est ma commande 제 주문 어디 있어요";

impl Understand for Understanding {
    fn guess(&self, bot: &Bot, language: &Language, text: &str) -> Option<Guess> {
        self.guess_heard(bot, language, text, &[])
    }

    fn guess_heard(&self, bot: &Bot, language: &Language, text: &str, others: &[String]) -> Option<Guess> {
        self.matcher(language)?.guess(text, others, self.encoder.as_deref(), bot.thresholds.accept)
    }

    fn knows(&self, language: &Language, text: &str) -> bool {
        self.lessons.get(language).is_some_and(|lesson| lesson.known.contains(&plain(text)))
    }
}

/// What was found out about one sentence, elsewhere and before: for a dialogue that must not wait for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Understood {
    /// The language that it was taken to be in.
    pub language: Language,
    pub guess: Option<Guess>,
    pub known: bool,
    /// What was heard instead, more likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelier: Option<String>,
}

impl Understood {
    /// Looks at a sentence that was heard while `current` was spoken.
    pub fn find(mind: &dyn Understand, bot: &Bot, current: &Language, text: &str) -> Understood {
        Understood::find_heard(mind, bot, current, text, &[])
    }

    /// One that may have been one of the `others` as well, likeliest first.
    pub fn find_heard(
        mind: &dyn Understand,
        bot: &Bot,
        current: &Language,
        text: &str,
        others: &[String],
    ) -> Understood {
        let language = language_of(text, &bot.languages, current).unwrap_or_else(|| current.clone());
        let guess = mind.guess_heard(bot, &language, text, others);
        let likelier = mind.likelier(bot, &language, text, others);
        Understood { guess, known: mind.knows(&language, text), likelier, language }
    }
}

/// Of the one sentence that is at hand, and of nothing where there is none.
impl Understand for Option<Understood> {
    fn guess(&self, _: &Bot, language: &Language, _: &str) -> Option<Guess> {
        self.as_ref().filter(|understood| understood.language == *language)?.guess
    }

    fn knows(&self, language: &Language, _: &str) -> bool {
        self.as_ref().is_some_and(|understood| understood.language == *language && understood.known)
    }

    fn likelier(&self, _: &Bot, language: &Language, _: &str, _: &[String]) -> Option<String> {
        self.as_ref().filter(|understood| understood.language == *language)?.likelier.clone()
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
    use std::sync::Mutex;

    use super::*;
    use crate::callbot::tests::small_bot;

    #[derive(Debug, Default)]
    struct Pad(Mutex<BTreeMap<String, Vec<u8>>>);

    impl Notes for Pad {
        fn read(&self, key: &str) -> Option<Vec<u8>> {
            self.0.lock().unwrap().get(key).cloned()
        }

        fn write(&self, key: &str, octets: &[u8]) {
            self.0.lock().unwrap().insert(key.to_owned(), octets.to_vec());
        }
    }

    #[test]
    fn what_was_noted_is_not_learnt_again_and_says_the_same() {
        let (bot, english) = (small_bot(), Language::from("en"));
        let pad = Arc::new(Pad::default());
        let learnt = Understanding::new(&bot, None, Some(pad.clone()));
        learnt.learn_all();
        assert_eq!(pad.0.lock().unwrap().len(), 1);
        let recalled = Understanding::new(&bot, None, Some(pad.clone()));
        for text in ["can I pay by card", "when are you open", "zebra"] {
            assert_eq!(recalled.guess(&bot, &english, text), learnt.guess(&bot, &english, text), "{text}");
        }
        assert_eq!(recalled.threshold(&bot, &english), learnt.threshold(&bot, &english));
        assert_eq!(pad.0.lock().unwrap().len(), 1, "nothing new was noted");
        let mut other = bot.clone();
        other.examples.values_mut().for_each(|examples| examples.push(("another one".to_owned(), None)));
        Understanding::new(&other, None, Some(pad.clone())).learn_all();
        assert_eq!(pad.0.lock().unwrap().len(), 2, "other examples are learnt anew");
    }

    #[test]
    fn damaged_notes_are_passed_over() {
        let bot = small_bot();
        let pad = Arc::new(Pad::default());
        Understanding::new(&bot, None, Some(pad.clone())).learn_all();
        let (key, whole) =
            pad.0.lock().unwrap().first_key_value().map(|(key, octets)| (key.clone(), octets.clone())).unwrap();
        for end in [0, 1, 7, 19, whole.len() - 1] {
            pad.write(&key, &whole[..end]);
            let recalled = Understanding::new(&bot, None, Some(pad.clone()));
            assert!(recalled.guess(&bot, &Language::from("en"), "when are you open").is_some(), "cut after {end}");
        }
    }

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
