//! The worker with Whisper (CTranslate2). It takes whole utterances: nothing comes before the end of speech, so the
//! end-pointer is the server's.

mod mel;
mod text;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread::available_parallelism;

use clap::Parser;
use ct2rs::sys::{Config, StorageView, Whisper, WhisperOptions, WhisperTokenAlignment};
use ct2rs::{ComputeType, Device};
use relais::audio::Upsampler;
use relais::heard::Hints;
use relais::speech::serve::{self, Arguments, Engine, Session, Word, Words, mean};

use mel::{HOP, Mel, RATE_HZ};
use text::Alphabet;

/// Whisper was trained on 30 s, and its time is spent on all of them. With so much silence behind the utterance instead it
/// is as good and three times faster. Of 167 words that Piper said through the telephone tiny.en got 5 wrong with 8 s, 4 with
/// 27 s, 7 with 5 s and 57 with 3 s, where it loses the end of a sentence and repeats itself.
const SILENCE: usize = 8 * RATE_HZ;
/// Until it is as long as this.
const WHOLE: usize = 30 * RATE_HZ;
/// What is longer is not listened to: the server cuts utterances long before.
const LONGEST: usize = 28 * RATE_HZ;
/// One state of the encoder is two columns of the spectrogram.
const STATE_MS: u64 = 20;
/// Of those words, in white noise at 15 dB, 11 were wrong with five beams and 13 with one, which saves a third of the time.
const BEAM: usize = 5;
/// A model that repeated itself may say no sequence of so many tokens twice when it tries again. Each digit of a number is a
/// token.
const NO_REPEATS: usize = 5;
/// Tokens of speech are at most so many a second; a model that gives more is repeating itself.
const TOKENS_A_SECOND: usize = 8;

struct Model {
    whisper: Whisper,
    mel: Mel,
    alphabet: Alphabet,
    /// Ids of tokens, which the alignment asks for.
    ids: std::collections::HashMap<String, usize>,
    name: String,
}

/// What an utterance was taken for.
struct Decoded {
    tokens: Vec<String>,
    ids: Vec<usize>,
    /// Tokens of what it may have been instead, likeliest first.
    others: Vec<Vec<String>>,
    /// How likely the tokens are, and how likely it is that nobody spoke.
    sure: f32,
    no_speech: f32,
}

struct Stream {
    model: Arc<Model>,
    language: String,
    upsampler: Option<Upsampler>,
    samples: Vec<f32>,
    /// Of the samples until the last pause, after which nothing more was said.
    early: Option<Words>,
}

struct Engines(Arc<Model>);

impl Engine for Engines {
    fn name(&self) -> String {
        format!("whisper {}", self.0.name)
    }

    /// Hints are not used: a prompt of words makes a small model say them.
    fn open(&self, language: &str, sample_rate_hz: u32, _hints: &Hints) -> Result<Box<dyn Session>, String> {
        let language = language.split('-').next().unwrap_or_default().to_owned();
        if self.0.whisper.is_multilingual() && !self.0.ids.contains_key(&format!("<|{language}|>")) {
            return Err(format!("this model does not know the language '{language}'"));
        }
        let upsampler = (sample_rate_hz == 8_000).then(Upsampler::new);
        Ok(Box::new(Stream { model: self.0.clone(), language, upsampler, samples: Vec::new(), early: None }))
    }
}

impl Session for Stream {
    fn audio(&mut self, pcm: &[i16]) -> Result<Option<String>, String> {
        if self.samples.len() < LONGEST {
            let mut wide = vec![0; pcm.len() * 2];
            let pcm = match &mut self.upsampler {
                Some(upsampler) => {
                    upsampler.process(pcm, &mut wide);
                    &wide
                }
                None => pcm,
            };
            self.samples.extend(pcm.iter().map(|sample| f32::from(*sample) / 32_768.0));
        }
        Ok(None)
    }

    /// The end-pointer waits on to be sure that the speaker has ended, and what is done meanwhile need not be waited for.
    fn pause(&mut self) -> Result<Option<String>, String> {
        let words = self.model.transcribe(&self.samples, &self.language)?;
        let text = (!words.text.is_empty()).then(|| words.text.clone());
        self.early = Some(words);
        Ok(text)
    }

    fn go_on(&mut self) -> Result<(), String> {
        self.early = None;
        Ok(())
    }

    fn finish(&mut self) -> Result<Words, String> {
        let samples = std::mem::take(&mut self.samples);
        match self.early.take() {
            Some(words) => Ok(words),
            None => self.model.transcribe(&samples, &self.language),
        }
    }

    fn discard(&mut self) {
        self.samples.clear();
        self.early = None;
    }

    fn hint(&mut self, _hints: &Hints) -> Result<(), String> {
        Ok(())
    }
}

impl Model {
    fn load(arguments: &Arguments) -> Result<Engines, String> {
        let folder = &arguments.model;
        let vocabulary = folder.join("vocabulary.txt");
        let tokens = std::fs::read_to_string(&vocabulary)
            .map_err(|error| format!("{} cannot be read: {error}", vocabulary.display()))?;
        let ids = tokens.lines().enumerate().map(|(id, token)| (token.to_owned(), id)).collect();
        let streams = arguments.streams as usize;
        let replicas = streams.min(available_parallelism().map_or(1, usize::from));
        let config = Config {
            device: Device::CPU,
            compute_type: ComputeType::INT8,
            device_indices: vec![0; replicas],
            // An utterance on one core; another stream has the other.
            num_threads_per_replica: 1,
            ..Config::default()
        };
        let whisper = Whisper::new(folder, config).map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mel = Mel::new(whisper.n_mels());
        let model = Model { whisper, mel, alphabet: Alphabet::default(), ids, name };
        // The first run fills caches that every later one uses.
        model.transcribe(&[0.0; RATE_HZ], "en")?;
        Ok(Engines(Arc::new(model)))
    }

    fn transcribe(&self, samples: &[f32], language: &str) -> Result<Words, String> {
        let columns = (samples.len() + SILENCE).min(WHOLE).div_ceil(2 * HOP) * 2;
        let mut spectrogram = self.mel.spectrogram(samples, columns)?;
        let features = StorageView::new(&[1, self.whisper.n_mels(), columns], &mut spectrogram, Device::CPU);
        let encoded = self.whisper.encode(&features.map_err(said)?, false).map_err(said)?;
        let prompt = self.prompt(language);
        let seconds = samples.len().div_ceil(RATE_HZ);
        let mut options = WhisperOptions {
            beam_size: BEAM,
            // The other beams are there anyhow, and a wish misheard in one is often heard in another.
            num_hypotheses: BEAM,
            max_length: (16 + TOKENS_A_SECOND * seconds).min(448),
            return_scores: true,
            return_no_speech_prob: true,
            ..WhisperOptions::default()
        };
        let mut result = self.decode(&encoded, &prompt, &options)?;
        if result.as_ref().is_some_and(|Decoded { tokens, .. }| text::repeats_itself(tokens)) {
            options.no_repeat_ngram_size = NO_REPEATS;
            result = self.decode(&encoded, &prompt, &options)?;
        }
        let Some(Decoded { tokens, ids, others, sure, no_speech }) = result else { return Ok(Words::default()) };
        let text = self.alphabet.text(&tokens).trim().to_owned();
        let mut alternatives: Vec<String> = Vec::new();
        for other in others.iter().map(|tokens| self.alphabet.text(tokens).trim().to_owned()) {
            if other != text && !alternatives.contains(&other) {
                alternatives.push(other);
            }
        }
        let start: Vec<usize> = prompt.iter().filter_map(|token| self.ids.get(token).copied()).collect();
        let frames = columns.min(samples.len() / HOP).max(2);
        let aligned = self.whisper.align(&encoded, &start, &[ids], &[frames], 7).map_err(said)?;
        let words = aligned
            .first()
            .map_or_else(Vec::new, |aligned| self.words(&tokens, &aligned.alignments, &aligned.text_token_probs));
        let confidence = if words.is_empty() { sure } else { sure.min(mean(&words)) };
        Ok(Words { utterance: 0, text, alternatives, confidence: confidence * (1.0 - no_speech), words })
    }

    /// The likeliest tokens behind the prompt.
    fn decode(
        &self,
        encoded: &StorageView<'_>,
        prompt: &Vec<String>,
        options: &WhisperOptions,
    ) -> Result<Option<Decoded>, String> {
        let results = self.whisper.generate(encoded, std::slice::from_ref(prompt), options).map_err(said)?;
        let decoded = results.into_iter().next().and_then(|result| {
            let mut sequences = result.sequences.into_iter();
            Some(Decoded {
                tokens: sequences.next()?,
                others: sequences.collect(),
                ids: result.sequences_ids.into_iter().next()?,
                sure: result.scores.first().map_or(0.0, |score| score.exp()),
                no_speech: result.no_speech_prob,
            })
        });
        Ok(decoded)
    }

    fn prompt(&self, language: &str) -> Vec<String> {
        let start = "<|startoftranscript|>".to_owned();
        let none = "<|notimestamps|>".to_owned();
        if self.whisper.is_multilingual() {
            vec![start, format!("<|{language}|>"), "<|transcribe|>".to_owned(), none]
        } else {
            vec![start, none]
        }
    }

    /// Each word from the first state that its tokens look at to the last one.
    fn words(&self, tokens: &[String], alignments: &[WhisperTokenAlignment], sure: &[f32]) -> Vec<Word> {
        let mut words = Vec::new();
        for range in text::words(tokens) {
            let text = self.alphabet.text(tokens.get(range.clone()).unwrap_or_default());
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let states =
                alignments.iter().filter(|pair| usize::try_from(pair.token_x).is_ok_and(|x| range.contains(&x)));
            let states: Vec<u64> = states.filter_map(|pair| u64::try_from(pair.frame_x).ok()).collect();
            let sure = sure.get(range.start..range.end.min(sure.len())).unwrap_or_default();
            words.push(Word {
                word: text.to_owned(),
                confidence: sure.iter().sum::<f32>() / sure.len().max(1) as f32,
                start_ms: states.iter().min().map_or(0, |state| state * STATE_MS),
                end_ms: states.iter().max().map_or(0, |state| (state + 1) * STATE_MS),
            });
        }
        words
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// MKL's integer kernels die of a division by zero on some virtual machines; oneDNN's do not. The library
/// looks for this variable before `main`, so the worker starts itself anew with it.
const WITHOUT_MKL: &str = "CT2_USE_MKL";

fn main() -> ExitCode {
    if std::env::var_os(WITHOUT_MKL).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let fault = Command::new(program).args(std::env::args_os().skip(1)).env(WITHOUT_MKL, "0").exec();
        eprintln!("relais-whisper cannot start itself: {fault}");
        return ExitCode::FAILURE;
    }
    serve::run(&Arguments::parse(), Model::load)
}
