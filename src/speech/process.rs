//! Whether an engine is there: one task for each, which starts our own workers when they are first wanted, keeps one
//! connection as their pulse, and tries again with growing waits when they fail.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::backoff::Backoff;
use super::connection::Place;
use super::link::{self, Greeting};
use crate::settings::SpeechChild;
use crate::web::metrics::SPEECH_WORKERS_FAILED;

/// A worker reads its model before it listens: half a gigabyte from a slow disk.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const DIAL_EVERY: Duration = Duration::from_millis(50);
const LOOK_AT_MEMORY: Duration = Duration::from_millis(250);

/// What is known of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody has wanted it yet.
    #[default]
    Idle,
    Starting,
    /// With the process id of a worker of ours.
    Ready {
        process: Option<u32>,
    },
    Down {
        reason: String,
    },
}

/// The task's view of its engine.
pub struct Watched {
    pub engine: String,
    pub place: Place,
    /// What to start, for a worker of ours.
    pub child: Option<Startable>,
    pub wanted: Arc<Notify>,
    pub state: watch::Sender<State>,
}

/// A worker's program and its arguments.
pub struct Startable {
    pub settings: SpeechChild,
    pub program: PathBuf,
    pub socket: PathBuf,
    pub languages: Vec<String>,
    pub streams: usize,
}

/// A worker of ours. It dies with this value, and with this process: its standard input closes.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Startable {
    fn start(&self) -> Result<Worker, String> {
        if !self.settings.model.is_dir() {
            return Err(format!("there is no model at {}", self.settings.model.display()));
        }
        // A dead worker leaves its socket behind.
        let _ = std::fs::remove_file(&self.socket);
        let mut command = Command::new(&self.program);
        command.arg("--listen").arg(format!("unix:{}", self.socket.display()));
        command.arg("--model").arg(&self.settings.model).arg("--languages").arg(self.languages.join(","));
        command.arg("--streams").arg(self.streams.to_string());
        command.arg("--memory-bytes").arg(self.settings.memory.to_string());
        command.arg("--nice").arg(self.settings.nice.to_string()).arg("--child");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let started = command.spawn().map(Worker);
        started.map_err(|error| format!("{} cannot be started: {error}", self.program.display()))
    }
}

impl Watched {
    /// Runs until the state has no reader left.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        let mut told = String::new();
        tokio::select! {
            () = self.wanted.notified() => {}
            () = self.state.closed() => return,
        }
        loop {
            self.state.send_replace(State::Starting);
            let reason = tokio::select! {
                reason = self.live(&mut backoff, &mut told) => reason,
                () = self.state.closed() => return,
            };
            let wait = backoff.failed(Instant::now());
            // The same reason over and over is told once.
            if reason != told {
                tracing::warn!(engine = self.engine, "speech recognition is not there: {reason}");
                told.clone_from(&reason);
            }
            metrics::counter!(SPEECH_WORKERS_FAILED, "engine" => self.engine.clone()).increment(1);
            self.state.send_replace(State::Down { reason });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.state.closed() => return,
            }
        }
    }

    /// One life of the worker, from its start to its end; says why it ended.
    async fn live(&self, backoff: &mut Backoff, told: &mut String) -> String {
        let mut worker = match self.child.as_ref().map(Startable::start).transpose() {
            Ok(worker) => worker,
            Err(reason) => return reason,
        };
        let process = worker.as_ref().map(|worker| worker.0.id());
        let limit = self.child.as_ref().map_or(u64::MAX, |child| child.settings.memory);
        let mut too_much = std::pin::pin!(too_much_memory(process, limit));
        let greeted = match &mut worker {
            Some(worker) => tokio::select! {
                greeted = self.until_it_listens(worker) => greeted,
                reason = &mut too_much => Err(reason),
            },
            None => link::greet(&self.place).await,
        };
        let (mut pulse, greeting) = match greeted {
            Ok(greeted) => greeted,
            Err(reason) => return reason,
        };
        let started = greeting.engine;
        tracing::info!(engine = self.engine, "speech recognition is ready: {started}");
        told.clear();
        backoff.ready(Instant::now());
        self.state.send_replace(State::Ready { process });
        tokio::select! {
            reason = link::watch(&mut pulse) => match &mut worker {
                Some(worker) => format!("{reason}{}", ending(&mut worker.0).await),
                None => reason,
            },
            reason = &mut too_much => reason,
        }
    }

    async fn until_it_listens(&self, worker: &mut Worker) -> Result<(link::Framed, Greeting), String> {
        let started = Instant::now();
        loop {
            tokio::time::sleep(DIAL_EVERY).await;
            if let Ok(Some(status)) = worker.0.try_wait() {
                return Err(format!("the worker ended while it started ({status}); its own words stand above"));
            }
            match link::greet(&self.place).await {
                Ok(greeted) => return Ok(greeted),
                Err(fault) if started.elapsed() > STARTS_WITHIN => {
                    return Err(format!("the worker does not listen after {} s: {fault}", STARTS_WITHIN.as_secs()));
                }
                Err(_) => {}
            }
        }
    }
}

/// How a worker ended that is known to have closed its connection. It has a moment to be gone.
async fn ending(child: &mut Child) -> String {
    for _ in 0..10 {
        if let Ok(Some(status)) = child.try_wait() {
            return format!(" ({status})");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    String::new()
}

/// Comes back when the process holds more than it may, and says so.
async fn too_much_memory(process: Option<u32>, limit: u64) -> String {
    let Some(process) = process else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_AT_MEMORY).await;
        if let Some(bytes) = resident(process)
            && bytes > limit
        {
            return format!("the worker takes {} MB of memory; memory_mb allows {}", bytes >> 20, limit >> 20);
        }
    }
}

/// Memory of a process in use, by the kernel's own count (proc(5), status).
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// A folder that nobody else can enter, for the sockets of our workers. It goes with this value.
#[derive(Debug)]
pub struct SocketFolder(PathBuf);

impl SocketFolder {
    pub fn create() -> std::io::Result<SocketFolder> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        // A socket's path has at most 107 bytes, so it is no place below the data.
        let path = std::env::temp_dir().join(format!("relais-speech-{}", hex::encode(random)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(SocketFolder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
