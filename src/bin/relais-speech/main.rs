//! The worker with Vosk: one model, shared by its streams. It follows along, so partial words come while the caller
//! speaks.

mod beside;
mod decoder;
mod faster;
mod grammar;
mod listener;
mod nearest;
mod noise;
mod said;
mod sounds;
mod spare;
mod wide;

use std::process::ExitCode;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use clap::Parser;
use relais::heard::Hints;
use relais::speech::serve::{self, Arguments, Engine, Session, Words};
use vosk::{CompleteResult, LogLevel, Model, Recognizer};

use beside::{Beside, Phrase};
use decoder::{Decoder, PIECES};
use grammar::Grammar;
use said::Said;
use spare::Spare;

/// Pieces of a pause after which it is concluded what was said: a quarter of a second before the utterance is over, if that was
/// all. What goes on after so long a pause is decoded by itself.
const LIKELY_ALL: u32 = 5;
/// Where a phrase is likely already, free speech is waited for no longer than that after the utterance: it takes its time where
/// it understands nothing.
const PATIENCE: Duration = Duration::from_millis(40);
/// A pause of more pieces is none of one utterance.
const LONGEST_PAUSE: usize = 1_000;
/// What a new recogniser hears before its first caller, in ms: it builds the beginning of its graph at the first sound, which
/// takes a large model most of a second.
const WARMING_MS: u32 = 600;

struct Vosk {
    model: Shared,
    name: String,
}

/// What all streams have.
#[derive(Clone)]
struct Shared(Arc<Common>);

struct Common {
    model: RwLock<Model>,
    /// Of free speech, by the sample rate.
    decoders: Spare<u32, Warm>,
    besides: Spare<(u32, Hints), Beside>,
}

/// A recogniser that has been used.
struct Warm {
    recognizer: Recognizer,
    /// Samples since it was made: its clock.
    samples: u64,
}

impl Shared {
    fn new(model: Model, streams: usize) -> Shared {
        // A conversation has two sorts of questions at least: what is wanted, and yes or no.
        let (decoders, besides) = (Spare::new(streams), Spare::new(2 * streams));
        Shared(Arc::new(Common { model: RwLock::new(model), decoders, besides }))
    }

    fn read(&self) -> RwLockReadGuard<'_, Model> {
        self.0.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn beside(&self, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        match self.0.besides.take(&(rate, hints.clone())) {
            Some(beside) => Ok(Some(beside)),
            None => Beside::new(self, rate, hints),
        }
    }

    /// The phrases in words of the model. Looking a word up is a change of the model, to the crate.
    fn grammar(&self, phrases: &[String]) -> Grammar {
        let mut model = self.0.model.write().unwrap_or_else(PoisonError::into_inner);
        Grammar::new(phrases, |word| model.find_word(word).is_some())
    }
}

struct Stream {
    model: Shared,
    rate: u32,
    decoder: Decoder,
    beside: Option<Beside>,
    hints: Hints,
    /// Taken when the next utterance begins: a recogniser cannot change its grammar.
    next_hints: Option<Hints>,
    /// Audio of the utterance has come.
    touched: bool,
    partial: String,
    pieces: u32,
    /// Pieces since the speaker paused.
    paused: Option<u32>,
    /// What was said until the pause.
    concluded: Option<Concluded>,
    /// What came after it was concluded: silence, unless the speaker goes on.
    since: Vec<Vec<i16>>,
}

/// What an utterance comes to.
struct Concluded {
    phrase: Option<Phrase>,
    /// By free speech, once it knows.
    free: Receiver<Words>,
    /// How free speech stood then.
    so_far: String,
}

impl Engine for Vosk {
    fn name(&self) -> String {
        format!("vosk {}", self.name)
    }

    fn open(&self, _language: &str, sample_rate_hz: u32, hints: &Hints) -> Result<Box<dyn Session>, String> {
        Ok(Box::new(Stream {
            model: self.model.clone(),
            rate: sample_rate_hz,
            decoder: decoder(&self.model, sample_rate_hz, hints)?,
            beside: self.model.beside(sample_rate_hz, hints)?,
            hints: hints.clone(),
            next_hints: None,
            touched: false,
            partial: String::new(),
            pieces: 0,
            paused: None,
            concluded: None,
            since: Vec::new(),
        }))
    }
}

/// Of the phrases, where nothing else is listened for.
fn decoder(model: &Shared, rate: u32, hints: &Hints) -> Result<Decoder, String> {
    let wanted = hints.only && !hints.phrases.is_empty();
    let grammar = wanted.then(|| model.grammar(&hints.phrases));
    Decoder::new(model, rate, grammar)
}

/// A recogniser of free speech, or of a grammar's phrases and nothing else.
fn recognizer(model: &Model, rate: u32, grammar: Option<&Grammar>) -> Result<Recognizer, String> {
    let rate = rate as f32;
    let made = match grammar {
        Some(grammar) => Recognizer::new_with_grammar(model, rate, &grammar.lines()),
        None => Recognizer::new(model, rate),
    };
    let mut recognizer = made.ok_or("Vosk makes no recogniser of this model and grammar")?;
    recognizer.set_words(true);
    Ok(recognizer)
}

/// Lets a recogniser hear a soft noise, and forget it. Its samples. Only an utterance that is over is forgotten whole: a
/// `reset` keeps what the features have got used to.
fn warm(recognizer: &mut Recognizer, rate: u32) -> u64 {
    let mut bits = 1u32;
    let noise: Vec<i16> = (0..rate * WARMING_MS / 1_000)
        .map(|_| {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (bits >> 26) as i16 - 32
        })
        .collect();
    // Where it cannot decode, the first caller's audio will tell.
    let _ = recognizer.accept_waveform(&noise);
    let _ = recognizer.final_result();
    noise.len() as u64
}

impl Stream {
    /// What a change of hints has put off until the utterance is over.
    fn between_utterances(&mut self) -> Result<(), String> {
        if let Some(hints) = self.next_hints.take().filter(|hints| *hints != self.hints) {
            // Making one takes its time: free speech needs no other than free speech.
            if hints.only || self.hints.only {
                self.decoder = decoder(&self.model, self.rate, &hints)?;
            }
            self.spare_beside();
            self.beside = self.model.beside(self.rate, &hints)?;
            self.hints = hints;
        }
        self.begin_anew();
        Ok(())
    }

    fn spare_beside(&mut self) {
        if let Some(mut beside) = self.beside.take() {
            beside.rest();
            self.model.0.besides.give((self.rate, self.hints.clone()), beside);
        }
    }

    fn forget(&mut self) {
        self.beside.iter_mut().for_each(Beside::forget);
        self.decoder.forget();
    }

    fn begin_anew(&mut self) {
        self.touched = false;
        self.partial.clear();
        self.pieces = 0;
        self.paused = None;
        self.concluded = None;
        self.since.clear();
    }

    fn hear(&mut self, pcm: &[i16]) -> Result<Option<String>, String> {
        self.decoder.audio(pcm)?;
        let Some(beside) = &mut self.beside else {
            let text = self.decoder.so_far();
            return Ok(self.news(text));
        };
        beside.audio(pcm);
        self.pieces += 1;
        if !self.pieces.is_multiple_of(PIECES) {
            return Ok(None);
        }
        let text = beside.partial().unwrap_or_else(|| self.decoder.so_far());
        Ok(self.news(text))
    }

    fn conclude(&mut self) -> Result<Concluded, String> {
        let free = self.decoder.conclude()?;
        let phrase = self.beside.as_mut().and_then(Beside::conclude);
        Ok(Concluded { phrase, free, so_far: self.decoder.so_far() })
    }

    fn words(&mut self, Concluded { phrase, free, so_far }: Concluded) -> Result<Words, String> {
        let words = match &phrase {
            None => Some(self.decoder.answer(&free)?),
            Some(phrase) if phrase.is_all => None,
            Some(_) => self.decoder.answer_within(&free, PATIENCE)?,
        };
        // How it stood will do.
        let words = words.unwrap_or_else(|| Words { text: so_far, ..Words::default() });
        Ok(phrase.into_iter().fold(words, with))
    }

    /// The words so far, when they are others than the last time.
    fn news(&mut self, text: String) -> Option<String> {
        let is_new = !text.is_empty() && text != self.partial;
        is_new.then(|| self.partial.clone_from(&text)).map(|()| text)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.spare_beside();
    }
}

/// What was heard, and the phrase that it may have been instead. Where that is sure, it is the other way round.
fn with(words: Words, phrase: Phrase) -> Words {
    let confidence = words.confidence.max(phrase.confidence);
    let (text, other) = match words.text.is_empty() || phrase.is_sure {
        true => (phrase.text, words.text),
        false => (words.text, phrase.text),
    };
    Words {
        text,
        alternatives: Some(other).filter(|other| !other.is_empty()).into_iter().collect(),
        confidence,
        ..words
    }
}

impl Session for Stream {
    fn audio(&mut self, pcm: &[i16]) -> Result<Option<String>, String> {
        if !self.touched && self.next_hints.is_some() {
            self.between_utterances()?;
        }
        self.touched = true;
        if self.concluded.is_some() {
            if self.since.len() < LONGEST_PAUSE {
                self.since.push(pcm.to_vec());
                return Ok(None);
            }
            self.go_on()?;
        }
        let news = self.hear(pcm)?;
        self.paused.iter_mut().for_each(|pieces| *pieces += 1);
        if self.paused == Some(LIKELY_ALL) {
            self.concluded = Some(self.conclude()?);
        }
        Ok(news)
    }

    fn pause(&mut self) -> Result<Option<String>, String> {
        self.paused = Some(0);
        let text = match self.beside.as_mut().and_then(Beside::partial) {
            Some(phrase) => phrase,
            None => self.decoder.caught_up()?,
        };
        Ok(self.news(text))
    }

    fn go_on(&mut self) -> Result<(), String> {
        self.paused = None;
        self.concluded = None;
        std::mem::take(&mut self.since).iter().try_for_each(|pcm| self.hear(pcm).map(drop))
    }

    fn finish(&mut self) -> Result<Words, String> {
        let concluded = match self.concluded.take() {
            Some(concluded) => concluded,
            None => self.conclude()?,
        };
        let words = self.words(concluded)?;
        self.forget();
        self.between_utterances()?;
        Ok(words)
    }

    fn discard(&mut self) {
        self.forget();
        self.begin_anew();
    }

    fn hint(&mut self, hints: &Hints) -> Result<(), String> {
        self.next_hints = Some(hints.clone());
        // While the question is asked, rather than when the answer begins.
        if self.touched { Ok(()) } else { self.between_utterances() }
    }

    fn get_ready(&mut self) -> Result<(), String> {
        if !self.touched {
            self.beside.iter_mut().for_each(Beside::get_ready);
            self.decoder.get_ready()?;
        }
        Ok(())
    }
}

fn add(said: &mut Said, result: CompleteResult<'_>) {
    if let CompleteResult::Single(result) = result {
        said.add(result.result.iter().map(|word| (word.word, word.conf, word.start, word.end)));
    }
}

fn main() -> ExitCode {
    serve::run(&Arguments::parse(), |arguments| {
        vosk::set_log_level(LogLevel::Error);
        let path = &arguments.model;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = path.to_str().ok_or_else(|| format!("{}: the path is not UTF-8", path.display()))?;
        let model = Model::new(text).ok_or_else(|| format!("{text} holds no Vosk model"))?;
        let streams = usize::try_from(arguments.streams).unwrap_or(usize::MAX);
        Ok(Vosk { model: Shared::new(model, streams), name })
    })
}
