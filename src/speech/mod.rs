//! Speech recognition: a stream of linear audio in, `heard::Hearing` out. The engines are elsewhere, in processes that
//! may block or die without a call noticing more than that it is not understood; ARCHITECTURE.md has the picture and
//! PROTOCOL.md the way to a worker.

mod backoff;
mod connection;
mod link;
mod message;
mod process;
pub mod serve;
pub mod sounds;
mod stream;
#[cfg(test)]
mod tests;
mod vosk_server;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::heard::{Hearing, Hints, Pauses, SpeechFailure};
use crate::ids::Language;
use crate::settings::{Speech, SpeechEngine, SpeechPlace, SpeechScheme};
use crate::web::metrics::SPEECH_REFUSED;

use connection::Place;
use link::Link;
pub use message::{Ask, Tell};
pub use process::State;
use process::{SocketFolder, Startable, Watched};
use sounds::{Sound, ToTask, sounds};
use stream::{CONTROLS, Control, Ear, Inputs};
pub use wire::{Frame, Wire};

/// A caller waits so long for an engine that is only starting; then the keypad must do.
pub const STARTS_WITHIN: Duration = Duration::from_secs(2);
const PLACE_COMES_BACK: Duration = Duration::from_millis(50);

/// What a conversation asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub language: Language,
    /// 8000 or 16000, signed 16 bit, mono.
    pub sample_rate_hz: u32,
    pub hints: Hints,
    pub pauses: Pauses,
}

/// Every engine of the configuration. Dropping it ends our workers and fails the streams.
pub struct Recognisers {
    engines: Vec<Arc<Engine>>,
    runtime: Handle,
    /// Removed when the last worker is gone.
    _sockets: Option<SocketFolder>,
}

/// One `[[speech]]` table.
struct Engine {
    settings: Speech,
    place: Place,
    permits: Arc<Semaphore>,
    wanted: Arc<Notify>,
    state: watch::Receiver<State>,
}

/// An engine that took a stream.
#[derive(Debug)]
pub struct Ready {
    pub engine: String,
    pub answer_within: Duration,
    /// Goes back when the stream ends.
    _permit: OwnedSemaphorePermit,
}

/// What is seen of an engine from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineView {
    pub id: String,
    pub state: State,
    pub streams: usize,
    pub in_use: usize,
}

/// One conversation's recognition. It ends when this is dropped.
#[derive(Debug)]
pub struct Stream {
    sounds: ToTask,
    controls: mpsc::Sender<Control>,
}

impl Stream {
    /// The next piece of the caller's voice, up to 20 ms, and the level (mean square) of what the caller was played
    /// meanwhile, 0 for nothing. Never waits; false when the piece found no room or the stream is over.
    pub fn hear(&self, pcm: &[i16], played: f32) -> bool {
        self.sounds.give(Sound::new(pcm, played))
    }

    /// What is likely from the next utterance on.
    pub fn hint(&self, hints: Hints) -> bool {
        self.controls.try_send(Control::Hints(hints)).is_ok()
    }

    pub fn set_pauses(&self, pauses: Pauses) -> bool {
        self.controls.try_send(Control::Pauses(pauses)).is_ok()
    }

    /// Forgets what is being said: a key was pressed instead.
    pub fn discard(&self) -> bool {
        self.controls.try_send(Control::Discard).is_ok()
    }
}

impl Recognisers {
    /// Starts nothing yet: a worker of ours is started when a stream first wants it, or by `prepare`.
    pub fn new(settings: &[Speech], runtime: Handle) -> std::io::Result<Recognisers> {
        let ours = settings.iter().any(|speech| matches!(speech.place, SpeechPlace::Child(_)));
        let sockets = ours.then(SocketFolder::create).transpose()?;
        let engines = settings.iter().map(|speech| {
            let socket = sockets.as_ref().map(|folder| folder.path().join(format!("{}.sock", speech.id)));
            Arc::new(Engine::new(speech.clone(), socket, &runtime))
        });
        Ok(Recognisers { engines: engines.collect(), runtime: runtime.clone(), _sockets: sockets })
    }

    /// Starts what understands this language, so that the first caller need not wait for it.
    pub fn prepare(&self, language: &Language) {
        self.engines_for(language).for_each(|engine| engine.wanted.notify_one());
    }

    /// A stream with the first engine of the language that has room, those that are ready before those that must start.
    /// `tell` is called from a task of the runtime and must not wait.
    ///
    /// # Errors
    /// At once where no engine knows the language, all are busy, or all are down.
    pub fn open(&self, request: Request, tell: impl Fn(Hearing) + Send + 'static) -> Result<Stream, SpeechFailure> {
        let language = request.language.clone();
        let mut failure = SpeechFailure::NoEngine { language: language.as_str().to_owned() };
        let mut ready = Vec::new();
        let mut later = Vec::new();
        for engine in self.engines_for(&language) {
            let state = engine.state.borrow().clone();
            let to = match state {
                State::Ready { .. } => &mut ready,
                State::Idle | State::Starting => &mut later,
                State::Down { reason } => {
                    failure = SpeechFailure::Unavailable { engine: engine.settings.id.clone(), reason };
                    continue;
                }
            };
            engine.wanted.notify_one();
            match engine.permits.clone().try_acquire_owned() {
                Ok(permit) => to.push((engine.clone(), permit)),
                Err(_) => failure = engine.busy(),
            }
        }
        ready.append(&mut later);
        if ready.is_empty() {
            metrics::counter!(SPEECH_REFUSED, "reason" => failure.name()).increment(1);
            return Err(failure);
        }
        let (sounds, from_media) = sounds();
        let (controls, from_engine) = mpsc::channel(CONTROLS);
        let connect = connect_in_time(ready, request.clone());
        let ear = Ear::new(request, Box::new(tell));
        self.runtime.spawn(ear.listen(Inputs { sounds: from_media, controls: from_engine }, connect));
        Ok(Stream { sounds, controls })
    }

    pub fn views(&self) -> Vec<EngineView> {
        self.engines.iter().map(|engine| engine.view()).collect()
    }

    fn engines_for(&self, language: &Language) -> impl Iterator<Item = &Arc<Engine>> {
        self.engines.iter().filter(move |engine| engine.understands(language))
    }
}

/// A caller waits no longer than this for all of them.
async fn connect_in_time(
    candidates: Vec<(Arc<Engine>, OwnedSemaphorePermit)>,
    request: Request,
) -> Result<(Ready, Link), SpeechFailure> {
    let engine = candidates.first().map_or_else(String::new, |(engine, _)| engine.settings.id.clone());
    match tokio::time::timeout(STARTS_WITHIN, connect(candidates, request)).await {
        Ok(connected) => connected,
        Err(_) => {
            let reason = format!("no stream within {} ms", STARTS_WITHIN.as_millis());
            Err(SpeechFailure::Unavailable { engine, reason })
        }
    }
}

/// The first of them that takes the stream. The places at the others are given back.
async fn connect(
    candidates: Vec<(Arc<Engine>, OwnedSemaphorePermit)>,
    request: Request,
) -> Result<(Ready, Link), SpeechFailure> {
    let mut failure = SpeechFailure::NoEngine { language: request.language.as_str().to_owned() };
    for (engine, permit) in candidates {
        match engine.link(&request).await {
            Ok(link) => {
                let settings = &engine.settings;
                let ready =
                    Ready { engine: settings.id.clone(), answer_within: settings.answer_within, _permit: permit };
                return Ok((ready, link));
            }
            Err(fault) => failure = fault,
        }
    }
    Err(failure)
}

impl Engine {
    fn new(settings: Speech, socket: Option<PathBuf>, runtime: &Handle) -> Engine {
        let (set_state, state) = watch::channel(State::Idle);
        let wanted = Arc::new(Notify::new());
        let socket = socket.unwrap_or_default();
        let (place, child) = match &settings.place {
            SpeechPlace::Remote(remote) => (Place::Remote(remote.clone()), None),
            SpeechPlace::Child(child) => {
                let startable = Startable {
                    settings: child.clone(),
                    program: child.program.clone().unwrap_or_else(|| beside_us(settings.engine)),
                    socket: socket.clone(),
                    languages: settings.languages.iter().map(|language| language.as_str().to_owned()).collect(),
                    streams: settings.streams,
                };
                (Place::Unix(socket), Some(startable))
            }
        };
        if settings.engine == SpeechEngine::VoskServer {
            // It has no pulse: each stream finds out for itself.
            set_state.send_replace(State::Ready { process: None });
        } else {
            let watched = Watched {
                engine: settings.id.clone(),
                place: place.clone(),
                child,
                wanted: wanted.clone(),
                state: set_state,
            };
            runtime.spawn(watched.run());
        }
        let permits = Arc::new(Semaphore::new(settings.streams));
        Engine { settings, place, permits, wanted, state }
    }

    /// A language of the table, or its base: "fr" understands "fr-CA".
    fn understands(&self, language: &Language) -> bool {
        let base = language.as_str().split('-').next().unwrap_or_default();
        self.settings.languages.iter().any(|known| known == language || known.as_str() == base)
    }

    fn busy(&self) -> SpeechFailure {
        SpeechFailure::Busy { engine: self.settings.id.clone(), streams: self.settings.streams }
    }

    fn view(&self) -> EngineView {
        EngineView {
            id: self.settings.id.clone(),
            state: self.state.borrow().clone(),
            streams: self.settings.streams,
            in_use: self.settings.streams - self.permits.available_permits(),
        }
    }

    async fn link(&self, request: &Request) -> Result<Link, SpeechFailure> {
        self.until_ready().await?;
        let Request { language, sample_rate_hz, hints, .. } = request;
        let id = &self.settings.id;
        loop {
            let linked = match (&self.place, self.settings.engine) {
                (Place::Remote(remote), SpeechEngine::VoskServer) => {
                    vosk_server::open(id, remote, *sample_rate_hz, hints).await
                }
                (place, _) => link::open(id, place, language.as_str(), *sample_rate_hz, hints.clone()).await,
            };
            match (linked, &self.place) {
                // We count its streams, so one that has ended here is about to end there: its engine is at work still.
                (Err(SpeechFailure::Busy { .. }), Place::Unix(_)) => tokio::time::sleep(PLACE_COMES_BACK).await,
                (linked, _) => return linked,
            }
        }
    }

    async fn until_ready(&self) -> Result<(), SpeechFailure> {
        let unavailable = |reason: String| SpeechFailure::Unavailable { engine: self.settings.id.clone(), reason };
        let mut state = self.state.clone();
        match state.wait_for(|state| matches!(state, State::Ready { .. } | State::Down { .. })).await {
            Err(_) => Err(unavailable("the server is ending".to_owned())),
            Ok(state) => match &*state {
                State::Down { reason } => Err(unavailable(reason.clone())),
                _ => Ok(()),
            },
        }
    }
}

/// Workers are installed beside the server.
fn beside_us(engine: SpeechEngine) -> PathBuf {
    let name = engine.program().unwrap_or_default();
    let ours = std::env::current_exe().ok();
    ours.and_then(|path| path.parent().map(|folder| folder.join(name))).unwrap_or_else(|| PathBuf::from(name))
}

/// As it stands in a configuration: `tls:speech.example.com:7400`, `ws://host:2700`.
pub fn written(scheme: SpeechScheme, host: &str, port: u16) -> String {
    match scheme {
        SpeechScheme::Tcp | SpeechScheme::Tls => format!("{}:{host}:{port}", scheme.name()),
        SpeechScheme::Ws | SpeechScheme::Wss => format!("{}://{host}:{port}", scheme.name()),
    }
}
