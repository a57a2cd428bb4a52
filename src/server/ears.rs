//! What callers say to bots: the media threads' way to speech recognition, and from there to the engine with what was
//! understood. Sentences are understood on a thread of their own, so that the engine never waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::runtime::Handle;

use crate::bridge::Listening;
use crate::callbot::bot::Bot;
use crate::callbot::encoder::Encoder;
use crate::callbot::understanding::{Understanding, Understood};
use crate::config::bots::{Described, Notebook, read_encoder};
use crate::engine::Input;
use crate::heard::{Hearing, Hints, Pauses, SpeechFailure};
use crate::ids::{Language, LegId};
use crate::media::{Ears, Listener};
use crate::outbox::Outbox;
use crate::settings::{Settings, Speech};
use crate::speech::{Recognisers, Request, Stream};

/// Sentences that wait to be understood; a further one is not understood.
const WAITING: usize = 256;
/// Learning leaves the cores to the calls.
const NICENESS: i32 = 10;

/// A bot and what it has learnt.
struct Mind {
    bot: Bot,
    understanding: Understanding,
}

type Minds = BTreeMap<String, Arc<Mind>>;

/// A sentence to be understood.
struct Sentence {
    bot: String,
    language: Language,
    text: String,
    /// What it may have been instead.
    others: Vec<String>,
    tell: Box<dyn FnOnce(Option<Understood>) + Send>,
}

/// The engines as the configuration names them.
struct Engines {
    settings: Vec<Speech>,
    recognisers: Option<Recognisers>,
}

pub struct Hall {
    minds: Arc<ArcSwap<Minds>>,
    engines: ArcSwap<Engines>,
    sentences: Sender<Sentence>,
    inputs: Outbox<Input>,
    runtime: Handle,
    /// Failures that the log has been told of.
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl Hall {
    /// Learns what the bots must know and starts their recognisers, both in the background.
    pub fn open(
        settings: &Settings,
        bots: Vec<Described>,
        inputs: Outbox<Input>,
        runtime: Handle,
    ) -> std::io::Result<Hall> {
        let minds: Arc<ArcSwap<Minds>> = Arc::default();
        let (sentences, waiting) = bounded(WAITING);
        let own = minds.clone();
        std::thread::Builder::new().name("bots".to_owned()).spawn(move || understand(&waiting, &own))?;
        let engines = ArcSwap::from_pointee(Engines { settings: Vec::new(), recognisers: None });
        let hall = Hall { minds, engines, sentences, inputs, runtime, told: Arc::default() };
        hall.configure(settings, bots);
        Ok(hall)
    }

    /// Takes other settings and bots; those that have not changed are kept as they are.
    pub fn configure(&self, settings: &Settings, bots: Vec<Described>) {
        if self.engines.load().recognisers.is_none() || self.engines.load().settings != settings.speech {
            let recognisers = Recognisers::new(&settings.speech, self.runtime.clone()).inspect_err(|error| {
                tracing::error!("speech recognition cannot be begun: {error}; callers use the keypad")
            });
            self.engines.store(Arc::new(Engines { settings: settings.speech.clone(), recognisers: recognisers.ok() }));
        }
        let languages: BTreeSet<Language> = bots.iter().flat_map(|described| described.bot.languages.clone()).collect();
        if let Some(recognisers) = &self.engines.load().recognisers {
            languages.iter().for_each(|language| recognisers.prepare(language));
        }
        let before = self.minds.load();
        if bots.iter().map(|described| &described.bot).eq(before.values().map(|mind| &mind.bot)) {
            return;
        }
        let encoder = encoder(settings);
        let notes = Arc::new(Notebook::of(settings));
        let mut minds = Minds::new();
        for Described { bot, .. } in bots {
            let kept = before.get(&bot.name).filter(|mind| mind.bot == bot).cloned();
            let new = |bot: Bot| {
                let understanding = Understanding::new(&bot, encoder.clone(), Some(notes.clone()));
                Arc::new(Mind { bot, understanding })
            };
            minds.insert(bot.name.clone(), kept.unwrap_or_else(|| new(bot)));
        }
        let minds = Arc::new(minds);
        self.minds.store(minds.clone());
        let learning = std::thread::Builder::new().name("bots-learn".to_owned()).spawn(move || {
            // Only this thread's.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            minds.values().for_each(|mind| mind.understanding.learn_all());
        });
        if let Err(error) = learning {
            // It is learnt with the first sentence.
            tracing::warn!("bots do not learn in advance: {error}");
        }
    }

    fn say_once(&self, failure: &SpeechFailure) {
        say_once(&self.told, failure);
    }
}

fn encoder(settings: &Settings) -> Option<Arc<Encoder>> {
    let folder = settings.sentence_encoder.as_ref()?;
    read_encoder(folder).map_err(|message| tracing::warn!("{message}")).ok()
}

/// Where a language has no engine the log says so once; what fails at times, each time it is another failure.
fn say_once(told: &Mutex<BTreeSet<String>>, failure: &SpeechFailure) {
    let text = failure.to_string();
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < WAITING && told.insert(text.clone()) {
        tracing::warn!("{text}; callers use the keypad");
    }
}

fn understand(waiting: &Receiver<Sentence>, minds: &ArcSwap<Minds>) {
    while let Ok(Sentence { bot, language, text, others, tell }) = waiting.recv() {
        let minds = minds.load_full();
        let find = |mind: &Arc<Mind>| Understood::find_heard(&mind.understanding, &mind.bot, &language, &text, &others);
        let understood = minds.get(&bot).map(find);
        tell(understood);
    }
}

impl Listener for Hall {
    fn open(&self, leg: LegId, listening: &Listening, sample_rate_hz: u32) -> Option<Box<dyn Ears>> {
        let engines = self.engines.load();
        let Listening { listen, bot, language, hints } = listening.clone();
        let request = Request { language: language.clone(), sample_rate_hz, hints, pauses: Pauses::default() };
        let (inputs, sentences, told) = (self.inputs.clone(), self.sentences.clone(), self.told.clone());
        let told_language = language.clone();
        let tell = move |hearing: Hearing| {
            if let Hearing::Failed(failure) = &hearing {
                say_once(&told, failure);
            }
            let heard = move |hearing, understood| Input::Heard { leg, listen, hearing: Box::new(hearing), understood };
            let Hearing::Final(words) = &hearing else {
                // Where the engine has no room, its own deadlines go on without it.
                let _ = inputs.try_send(heard(hearing, None));
                return;
            };
            let (text, others) = (words.text.clone(), words.alternatives.clone());
            let own = inputs.clone();
            let answer = hearing.clone();
            let tell = Box::new(move |understood| {
                let _ = own.try_send(heard(answer, understood));
            });
            let sentence = Sentence { bot: bot.clone(), language: told_language.clone(), text, others, tell };
            if let Err(refused) = sentences.try_send(sentence) {
                (refused.into_inner().tell)(None);
            }
        };
        let opened = match &engines.recognisers {
            Some(recognisers) => recognisers.open(request, tell),
            None => Err(SpeechFailure::NoEngine { language: language.as_str().to_owned() }),
        };
        match opened {
            Ok(stream) => Some(Box::new(Line(stream))),
            Err(failure) => {
                self.say_once(&failure);
                let hearing = Box::new(Hearing::Failed(failure));
                let _ = self.inputs.try_send(Input::Heard { leg, listen, hearing, understood: None });
                None
            }
        }
    }
}

/// One caller's line to a recogniser.
struct Line(Stream);

impl Ears for Line {
    fn hear(&self, pcm: &[i16], played: f32) {
        // What finds no room is lost; the recogniser says so itself where it cannot keep up.
        self.0.hear(pcm, played);
    }

    fn expect(&self, hints: Hints) {
        self.0.hint(hints);
    }
}
