//! The worker with Vosk: one model, shared by its streams. It follows along, so partial words come while the caller
//! speaks.

mod said;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use relais::heard::Hints;
use relais::speech::serve::{self, Arguments, Engine, Session, Words};
use vosk::{CompleteResult, DecodingState, LogLevel, Model, Recognizer};

use said::Said;

/// A phrase that the grammar is so sure of is told beside what free speech would be.
const SURE: f32 = 0.8;
/// Partial words are asked for every so many pieces: they cost as much as the decoding of a few frames.
const PIECES: u32 = 5;
/// What a new recogniser hears before its first caller, in ms: it builds the beginning of its graph at the first sound, which
/// takes a large model most of a second.
const WARMING_MS: u32 = 600;

struct Vosk {
    model: Arc<Model>,
    name: String,
}

struct Stream {
    model: Arc<Model>,
    rate: u32,
    recognizer: Recognizer,
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
        Ok(Box::new(Stream {
            model: self.model.clone(),
            rate: sample_rate_hz,
            recognizer: recognizer(&self.model, sample_rate_hz, hints)?,
            beside: Beside::new(&self.model, sample_rate_hz, hints)?,
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

/// Listens for the phrases that are expected, and for nothing else, beside the recogniser of free speech: it knows a short
/// answer better, and makes one of anything. What is meant is for others to say.
struct Beside {
    recognizer: Recognizer,
    cold: bool,
    said: Said,
    phrases: Vec<String>,
}

impl Beside {
    /// Where single answers are expected and others are allowed.
    fn new(model: &Model, rate: u32, hints: &Hints) -> Result<Option<Beside>, String> {
        if hints.only || !hints.whole || hints.phrases.is_empty() {
            return Ok(None);
        }
        let grammar = Hints { only: true, ..hints.clone() };
        let phrases = said::grammar(&hints.phrases);
        Ok(Some(Beside { recognizer: recognizer(model, rate, &grammar)?, cold: true, said: Said::default(), phrases }))
    }

    fn audio(&mut self, pcm: &[i16]) {
        // Where it fails, free speech is there still.
        if matches!(self.recognizer.accept_waveform(pcm), Ok(DecodingState::Finalized)) {
            add(&mut self.said, self.recognizer.result());
        }
    }

    /// The phrase so far, where it is a whole one.
    fn partial(&mut self) -> Option<String> {
        let text = self.said.so_far(self.recognizer.partial_result().partial);
        self.phrases.contains(&text).then_some(text)
    }

    fn finish(&mut self) -> Option<String> {
        add(&mut self.said, self.recognizer.final_result());
        let Words { text, confidence, .. } = std::mem::take(&mut self.said).finish();
        (confidence >= SURE && self.phrases.contains(&text)).then_some(text)
    }

    fn discard(&mut self) {
        self.recognizer.reset();
        self.said = Said::default();
    }
}

fn recognizer(model: &Model, rate: u32, hints: &Hints) -> Result<Recognizer, String> {
    let made = if hints.only && !hints.phrases.is_empty() {
        Recognizer::new_with_grammar(model, rate as f32, &said::grammar(&hints.phrases))
    } else {
        Recognizer::new(model, rate as f32)
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
                self.recognizer = recognizer(&self.model, self.rate, &hints)?;
                self.samples = 0;
                self.cold = true;
            }
            self.beside = Beside::new(&self.model, self.rate, &hints)?;
            self.hints = hints;
        }
        self.said = Said::starting_at(self.samples as f32 / self.rate as f32);
        self.partial.clear();
        self.pieces = 0;
        Ok(())
    }
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
        let text = phrase.unwrap_or_else(|| self.said.so_far(self.recognizer.partial_result().partial));
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
            Some(phrase) => {
                let text = self.said.so_far(self.recognizer.partial_result().partial);
                self.recognizer.reset();
                let text = if text.is_empty() { phrase.clone() } else { text };
                Words { text, alternatives: vec![phrase], confidence: SURE, ..Words::default() }
            }
            None => {
                add(&mut self.said, self.recognizer.final_result());
                std::mem::take(&mut self.said).finish()
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
        if let Some(beside) = self.beside.as_mut()
            && std::mem::take(&mut beside.cold)
        {
            warm(&mut beside.recognizer, self.rate);
        }
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
        Ok(Vosk { model: Arc::new(model), name })
    })
}
