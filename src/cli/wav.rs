//! A spoken turn out of a sound file, heard by the recognisers of the configuration as a telephone brings it: 8 kHz, 20 ms at
//! a time.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::heard::{Hearing, Hints, Pauses};
use crate::ids::Language;
use crate::prompts::read_sound;
use crate::settings::Settings;
use crate::speech::{Recognisers, Request, State};

const RATE_HZ: u32 = 8_000;
const PIECE: Duration = Duration::from_millis(20);
const SAMPLES: usize = 160;
/// An engine may load its model first.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Behind the end of the file.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// What was heard in a file.
pub(super) struct Spoken {
    pub text: String,
    /// Of the least certain utterance.
    pub confidence: Option<f32>,
    pub engine: String,
    /// From the end of speech to its words, of the last utterance.
    pub latency: Duration,
}

pub(super) fn hear(file: &Path, language: &Language, settings: &Settings) -> Result<Spoken, String> {
    let pcm = read_sound(file, RATE_HZ).map_err(|error| format!("{}: {error}", file.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads for speech recognition: {error}"))?;
    let recognisers = Recognisers::new(&settings.speech, runtime.handle().clone())
        .map_err(|error| format!("speech recognition cannot be begun: {error}"))?;
    wait_for(&recognisers, language);
    let (tell, told) = mpsc::channel();
    let request = Request {
        language: language.clone(),
        sample_rate_hz: RATE_HZ,
        hints: Hints::default(),
        pauses: Pauses::default(),
    };
    let stream = recognisers
        .open(request, move |hearing| {
            // The receiver lives as long as the stream.
            let _ = tell.send(hearing);
        })
        .map_err(|failure| failure.to_string())?;
    let silence = [0i16; SAMPLES];
    let mut pieces = pcm.chunks(SAMPLES);
    let mut spoken = Spoken { text: String::new(), confidence: None, engine: String::new(), latency: Duration::ZERO };
    let (mut due, mut silent_since, mut owed) = (Instant::now(), None, false);
    loop {
        let piece = pieces.next().unwrap_or_else(|| {
            silent_since.get_or_insert(due);
            silence.as_slice()
        });
        stream.hear(piece, 0.0);
        due += PIECE;
        loop {
            match told.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Hearing::Started) => owed = true,
                Ok(Hearing::Nothing) => owed = false,
                Ok(Hearing::Final(heard)) => {
                    owed = false;
                    spoken.take(heard);
                }
                Ok(Hearing::Failed(failure)) => return Err(failure.to_string()),
                Ok(Hearing::Ready { .. } | Hearing::Partial { .. } | Hearing::Ended) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err("the recogniser has ended".to_owned()),
            }
        }
        match silent_since.map(|since| due.saturating_duration_since(since)) {
            Some(time) if time > ANSWERS_WITHIN => return Err("the recogniser gives no answer".to_owned()),
            // Long enough for the end of speech to be noticed.
            Some(time) if time > Duration::from_secs(1) && !owed => return Ok(spoken),
            _ => {}
        }
    }
}

impl Spoken {
    fn take(&mut self, heard: crate::heard::Heard) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(heard.text.trim());
        self.confidence = Some(self.confidence.map_or(heard.confidence, |least| least.min(heard.confidence)));
        self.engine = heard.engine;
        self.latency = heard.latency;
    }
}

/// Until an engine of the language is ready, or none will be.
fn wait_for(recognisers: &Recognisers, language: &Language) {
    recognisers.prepare(language);
    let end = Instant::now() + STARTS_WITHIN;
    let starting = || {
        let states = recognisers.views().into_iter().map(|view| view.state);
        let states: Vec<State> = states.collect();
        !states.iter().any(|state| matches!(state, State::Ready { .. })) && states.contains(&State::Starting)
    };
    std::thread::sleep(PIECE);
    while starting() && Instant::now() < end {
        std::thread::sleep(PIECE);
    }
}
