//! Recognisers with real workers, and callers who speak to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use relais::heard::{Heard, Hearing, Hints, Pauses, SpeechFailure};
use relais::settings::{Speech, SpeechChild, SpeechEngine, SpeechPlace};
use relais::speech::{Recognisers, Request, State, Stream};
use tokio::runtime::Runtime;

use crate::audio::silence;
use crate::voices::models;

/// A worker reads its model in so long, also on a busy machine.
const STARTS: Duration = Duration::from_secs(60);

pub struct Centre {
    pub recognisers: Arc<Recognisers>,
    _runtime: Runtime,
}

/// Where deploy/test puts the workers.
pub fn worker(engine: SpeechEngine) -> PathBuf {
    let folder = std::env::var_os("RELAIS_WORKERS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release"));
    folder.join(engine.program().expect("a worker of ours"))
}

/// An engine of the demo, or what of it is missing.
pub fn engine(engine: SpeechEngine, language: &str, model: &str) -> Result<Speech, String> {
    let (program, folder) = (worker(engine), models().join(model));
    for (path, there) in [(&program, program.is_file()), (&folder, folder.is_dir())] {
        if !there {
            return Err(format!("{} is not there", path.display()));
        }
    }
    Ok(Speech {
        id: model.to_owned(),
        engine,
        languages: vec![language.into()],
        streams: 2,
        place: SpeechPlace::Child(SpeechChild { program: Some(program), model: folder, memory: 2_000 << 20, nice: 0 }),
        answer_within: Duration::from_secs(10),
    })
}

pub fn korean() -> Result<Speech, String> {
    engine(SpeechEngine::Vosk, "ko", "vosk-ko")
}

pub fn english() -> Result<Speech, String> {
    engine(SpeechEngine::Whisper, "en", "whisper-tiny.en")
}

pub fn french() -> Result<Speech, String> {
    engine(SpeechEngine::Whisper, "fr", "whisper-base")
}

impl Centre {
    pub fn new(engines: &[Speech]) -> Centre {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let recognisers = Recognisers::new(engines, runtime.handle().clone()).expect("a folder for sockets");
        Centre { recognisers: Arc::new(recognisers), _runtime: runtime }
    }

    /// With the engine of the language ready.
    pub fn ready(engine: Speech) -> Centre {
        let language = engine.languages.first().expect("a language").clone();
        let centre = Centre::new(&[engine]);
        centre.recognisers.prepare(&language);
        centre.until_ready();
        centre
    }

    /// The worker's process id, once it is ready.
    pub fn until_ready(&self) -> u32 {
        self.until_ready_after(None)
    }

    /// That of the next worker: a dead one may count as ready for a moment.
    pub fn until_ready_after(&self, dead: Option<u32>) -> u32 {
        let since = Instant::now();
        loop {
            match self.state() {
                State::Ready { process } if process != dead => return process.expect("a worker of ours"),
                state if since.elapsed() > STARTS => panic!("{state:?} after {STARTS:?}"),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    pub fn state(&self) -> State {
        self.recognisers.views().remove(0).state
    }

    pub fn call(&self, language: &str, hints: Hints) -> Result<Caller, SpeechFailure> {
        let (tell, told) = channel();
        let request = Request { language: language.into(), sample_rate_hz: 8_000, hints, pauses: Pauses::default() };
        let stream = self.recognisers.open(request, move |hearing| {
            let _ = tell.send(hearing);
        })?;
        Ok(Caller { stream, told })
    }
}

pub struct Caller {
    pub stream: Stream,
    pub told: Receiver<Hearing>,
}

impl Caller {
    /// Speaks `times` as fast as people do.
    pub fn say(&self, pcm: &[i16], times: f64) {
        let start = Instant::now();
        for (index, piece) in pcm.chunks(160).enumerate() {
            let due = start + Duration::from_secs_f64(index as f64 * 0.02 / times);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            while !self.stream.hear(piece, 0.0) {
                if start.elapsed() > Duration::from_secs(60) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// What comes next; `None` when nothing does in `within`.
    pub fn next(&self, within: Duration) -> Option<Hearing> {
        self.told.recv_timeout(within).ok()
    }

    /// Says one sentence between silences and gives what was understood.
    pub fn sentence(&self, pcm: &[i16], times: f64) -> Result<Heard, String> {
        self.say(&[silence(0.3), pcm.to_vec(), silence(1.0)].concat(), times);
        let mut seen = Vec::new();
        loop {
            match self.next(Duration::from_secs(20)) {
                Some(Hearing::Final(heard)) => return Ok(heard),
                Some(Hearing::Failed(failure)) => return Err(failure.to_string()),
                Some(other) => seen.push(other),
                None => return Err(format!("nothing more after {seen:?}")),
            }
        }
    }
}
