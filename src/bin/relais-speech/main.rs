//! The worker with Vosk: one model, shared by its streams. It follows along, so partial words come while the caller
//! speaks.

mod beside;
mod grammar;
mod said;
mod wide;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Parser;
use relais::heard::Hints;
use relais::speech::serve::{self, Arguments, Engine, Session, Words};
use vosk::{CompleteResult, DecodingState, LogLevel, Model, Recognizer};

use beside::{Beside, Phrase};
use grammar::Grammar;
use said::Said;

/// Partial words are asked for every so many pieces: they cost as much as the decoding of a few frames.
const PIECES: u32 = 5;
/// What a new recogniser hears before its first caller, in ms: it builds the beginning of its graph at the first sound, which
/// takes a large model most of a second.
const WARMING_MS: u32 = 600;

struct Vosk {
    model: Shared,
    name: String,
}

/// Looking a word up is a change of it, to the crate.
#[derive(Clone)]
struct Shared(Arc<Mutex<Model>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Stream {
    model: Shared,
    rate: u32,
    recognizer: Recognizer,
    /// What the recogniser is kept to, where it is.
    grammar: Option<Grammar>,
    /// Samples since the recogniser was made: its clock.
    samples: u64,
    said: Said,
    partial: String,
    pieces: u32,
    beside: Option<Beside>,
    hints: Hints,
    /// The recogniser has heard nothing yet.
    cold: bool,
    /// Taken when the next utterance begins: a recogniser cannot change its grammar.
    next_hints: Option<Hints>,
}

impl Engine for Vosk {
    fn name(&self) -> String {
        format!("vosk {}", self.name)
    }

    fn open(&self, _language: &str, sample_rate_hz: u32, hints: &Hints) -> Result<Box<dyn Session>, String> {
        let mut model = self.model.lock();
        let grammar = only(&mut model, hints);
        Ok(Box::new(Stream {
            model: self.model.clone(),
            rate: sample_rate_hz,
            recognizer: recognizer(&model, sample_rate_hz, grammar.as_ref())?,
            grammar,
            beside: Beside::new(&mut model, sample_rate_hz, hints)?,
            hints: hints.clone(),
            cold: true,
            samples: 0,
            said: Said::default(),
            partial: String::new(),
            pieces: 0,
            next_hints: None,
        }))
    }
}

/// The phrases, where nothing else is listened for.
fn only(model: &mut Model, hints: &Hints) -> Option<Grammar> {
    let wanted = hints.only && !hints.phrases.is_empty();
    wanted.then(|| Grammar::new(&hints.phrases, |word| model.find_word(word).is_some()))
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
            let mut model = self.model.lock();
            if hints.only || self.hints.only {
                self.grammar = only(&mut model, &hints);
                self.recognizer = recognizer(&model, self.rate, self.grammar.as_ref())?;
                self.samples = 0;
                self.cold = true;
            }
            self.beside = Beside::new(&mut model, self.rate, &hints)?;
            drop(model);
            self.hints = hints;
        }
        self.said = Said::starting_at(self.samples as f32 / self.rate as f32);
        self.partial.clear();
        self.pieces = 0;
        Ok(())
    }

    /// A phrase that is all that is listened for, as it was hinted.
    fn as_hinted(&self, text: String) -> String {
        self.grammar.as_ref().and_then(|grammar| grammar.whole(&text)).map(str::to_owned).unwrap_or(text)
    }
}

/// What was heard, and the phrase that it may have been instead.
fn with(words: Words, phrase: Phrase) -> Words {
    let text = if words.text.is_empty() { phrase.text.clone() } else { words.text };
    let confidence = words.confidence.max(phrase.confidence);
    Words { text, alternatives: vec![phrase.text], confidence, ..words }
}

impl Session for Stream {
    fn audio(&mut self, pcm: &[i16]) -> Result<Option<String>, String> {
        if self.said.is_untouched() && self.next_hints.is_some() {
            self.between_utterances()?;
        }
        self.said.touch();
        self.samples += pcm.len() as u64;
        if let Some(beside) = &mut self.beside {
            beside.audio(pcm);
        }
        let state = self.recognizer.accept_waveform(pcm).map_err(|error| error.to_string())?;
        self.pieces += 1;
        match state {
            DecodingState::Failed => return Err("Vosk cannot decode this audio".to_owned()),
            DecodingState::Finalized => add(&mut self.said, self.recognizer.result()),
            DecodingState::Running if !self.pieces.is_multiple_of(PIECES) => return Ok(None),
            DecodingState::Running => {}
        }
        self.pause()
    }

    /// The words so far, when they are others than the last time.
    fn pause(&mut self) -> Result<Option<String>, String> {
        let phrase = self.beside.as_mut().and_then(Beside::partial);
        let text = phrase.unwrap_or_else(|| {
            let text = self.said.so_far(self.recognizer.partial_result().partial);
            self.as_hinted(text)
        });
        if text.is_empty() || text == self.partial {
            return Ok(None);
        }
        self.partial.clone_from(&text);
        Ok(Some(text))
    }

    fn go_on(&mut self) {}

    fn finish(&mut self) -> Result<Words, String> {
        let words = match self.beside.as_mut().and_then(Beside::finish) {
            // What free speech comes to in the end is not waited for: how it stands will do.
            Some(phrase) if phrase.is_all => {
                let text = self.said.so_far(self.recognizer.partial_result().partial);
                self.recognizer.reset();
                with(Words { text, ..Words::default() }, phrase)
            }
            phrase => {
                add(&mut self.said, self.recognizer.final_result());
                let mut words = std::mem::take(&mut self.said).finish();
                words.text = self.as_hinted(words.text);
                phrase.into_iter().fold(words, with)
            }
        };
        self.between_utterances()?;
        Ok(words)
    }

    fn discard(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.discard();
        }
        self.recognizer.reset();
        self.said = Said::starting_at(self.samples as f32 / self.rate as f32);
        self.partial.clear();
    }

    fn hint(&mut self, hints: &Hints) -> Result<(), String> {
        self.next_hints = Some(hints.clone());
        // While the question is asked, rather than when the answer begins.
        if self.said.is_untouched() { self.between_utterances() } else { Ok(()) }
    }

    fn get_ready(&mut self) -> Result<(), String> {
        if !self.said.is_untouched() {
            return Ok(());
        }
        self.beside.iter_mut().for_each(Beside::get_ready);
        if std::mem::take(&mut self.cold) {
            self.samples += warm(&mut self.recognizer, self.rate);
            self.said = Said::starting_at(self.samples as f32 / self.rate as f32);
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
        Ok(Vosk { model: Shared(Arc::new(Mutex::new(model))), name })
    })
}
