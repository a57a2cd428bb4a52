//! What a recogniser heard: value types for the rooms that decide on it and for the shell that listens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One utterance in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// As the engine writes it: Vosk in small letters without punctuation, Whisper with both. Empty when nothing was
    /// understood.
    pub text: String,
    /// What it may have been instead, likeliest first, where the engine says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// How sure the engine is, from 0 to 1. Engines differ in what they call sure: thresholds are an engine's own.
    pub confidence: f32,
    /// Empty where the engine knows no words, only a text.
    pub words: Vec<HeardWord>,
    /// The `id` of the `[[speech]]` table that answered.
    pub engine: String,
    /// Length of the utterance, from the start of speech to its end.
    pub duration: Duration,
    /// From the end of speech, as the end-pointer saw it, to this result.
    pub latency: Duration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeardWord {
    pub word: String,
    pub confidence: f32,
    /// From the start of the utterance.
    pub start: Duration,
    pub end: Duration,
}

/// What a caller is expected to say. Hints never limit what may be heard unless `only` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hints {
    /// Words and phrases that are likely here.
    pub phrases: Vec<String>,
    /// Nothing but these phrases is listened for, where the engine can do that (Vosk: a grammar, a fifth of the work).
    /// What is said besides them comes as `[unk]` or, often, as the most similar phrase with a low confidence.
    pub only: bool,
    /// Whoever has said one of these phrases, and nothing else, has most likely said all: a breath ends the utterance, and
    /// not the whole pause. Not for digits, of which more may come.
    pub whole: bool,
    /// The phrases stand for what is said in many other ways: one that comes near to it, or one of `also`, is told beside it
    /// as an alternative, where its meaning is likely and the engine can do that (Vosk).
    pub near: bool,
    /// Other sentences that may well be said in their place. Only with `near`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// So many of the phrases in a row mean the same, then so many: an answer that is likely to be one of them is likely.
    /// Those behind mean each something of its own; with `near`, nothing that is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<usize>,
    /// So many of `also` mean what the first group of phrases means, then so many what the second. Those behind are none of
    /// it: what is nearer to them is not told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_groups: Vec<usize>,
}

/// When an utterance is over, and what is too little to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Silence after speech that ends the utterance.
    pub end: Duration,
    /// An utterance is cut here and recognised as it is.
    pub longest: Duration,
    /// Less voice than this is a cough or a click.
    pub shortest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses {
            end: Duration::from_millis(600),
            longest: Duration::from_secs(15),
            shortest: Duration::from_millis(160),
        }
    }
}

/// What a stream tells, in the order in which it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Hearing {
    /// An engine has taken the stream. Audio may be sent before.
    Ready { engine: String },
    /// Somebody speaks: time to stop the prompt.
    Started,
    /// The words so far; later ones replace them.
    Partial { text: String },
    /// Speech has ended; its words follow as `Final`.
    Ended,
    /// The utterance in words. The next one may begin.
    Final(Heard),
    /// What had `Started` was no speech after all: too short. The prompt may go on.
    Nothing,
    /// No more will come from this stream.
    Failed(SpeechFailure),
}

/// Why there is no recognition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SpeechFailure {
    #[error("no engine for language '{language}': add a [[speech]] table that names it")]
    NoEngine { language: String },
    #[error("speech '{engine}': all {streams} streams are in use")]
    Busy { engine: String, streams: usize },
    #[error("speech '{engine}': not there: {reason}")]
    Unavailable { engine: String, reason: String },
    #[error("speech '{engine}': the worker went away in the middle of a stream")]
    Died { engine: String },
    #[error("speech '{engine}': nothing was heard of the worker for {silent_ms} ms")]
    Silent { engine: String, silent_ms: u64 },
    #[error("speech '{engine}': no result {after_ms} ms after the end of speech")]
    Late { engine: String, after_ms: u64 },
    #[error("speech '{engine}': the engine cannot keep up with the audio")]
    TooSlow { engine: String },
    #[error("speech '{engine}': {message}")]
    Engine { engine: String, message: String },
}

impl SpeechFailure {
    /// The field's short word for logs, metrics and conditions.
    pub fn name(&self) -> &'static str {
        match self {
            SpeechFailure::NoEngine { .. } => "no_engine",
            SpeechFailure::Busy { .. } => "busy",
            SpeechFailure::Unavailable { .. } => "unavailable",
            SpeechFailure::Died { .. } => "died",
            SpeechFailure::Silent { .. } => "silent",
            SpeechFailure::Late { .. } => "late",
            SpeechFailure::TooSlow { .. } => "too_slow",
            SpeechFailure::Engine { .. } => "engine",
        }
    }
}
