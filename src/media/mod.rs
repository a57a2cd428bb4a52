//! RTP: threads that execute the engine's bridge commands on sockets, and tell it what they hear.
//!
//! `worker` decides and is tested without sockets; `thread` drives one worker with epoll and the clock; `stock` keeps
//! bound ports ahead of need.

mod crossing;
mod error;
mod io;
mod leg;
mod listening;
mod moving;
mod opus;
mod outgoing;
mod overlay;
mod player;
mod recorder;
mod routes;
mod seam;
mod secure;
mod sockets;
mod source;
mod stock;
mod thread;
mod voice;
mod wheel;
mod worker;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use parking::Handles;

use crate::bridge::{Group, MediaCommand, MediaEvent, RtpStats};
use crate::ids::{Language, LegId};
use crate::outbox::Outbox;
use crate::prompts::{Library, Shelf as PromptShelf};
use crate::settings::Codec;
use crate::vault::Vault;

pub use error::MediaError;
pub use io::{Flow, MediaIo, Watch};
pub use listening::{Deaf, Ears, Listener};
pub use recorder::{Form, Recorder, find as find_recording, named as recording_named};
pub use secure::{Guarded, Identity, Opened, SecureIo};
pub use worker::{Setup, Tally, Worker};

use moving::Order;
use routes::{Load, Routes};
use sockets::{Shelf, SocketIo};
use stock::{Chore, Stock};
use thread::{Bell, Ends, Published, Thread};

/// Commands that may wait for one thread. When it is full the thread has stood still for seconds; see `Media::send`.
const COMMANDS: usize = 16_384;

/// What the operator settles.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    pub address: IpAddr,
    /// Lowest and highest UDP port; RTP takes the even ones, RTCP the next.
    pub ports: (u16, u16),
    /// A leg that should be sending and is silent this long is told `Dead`.
    pub dead_leg: Duration,
    /// The number of cores when `None`.
    pub threads: Option<usize>,
    /// Where recordings go; made with the first.
    pub recordings: PathBuf,
    /// What they are sealed by, where the centre has a key.
    pub vault: Vault,
}

/// Where prompts come from. Called on a media thread between ticks: it may look up, and must not wait.
pub trait PromptSource: Send + Sync {
    /// The prompt's payload, 8 octets a millisecond in every codec of `Codec`; `None` where there is no such prompt.
    fn encoded(&self, name: &str, language: &Language, codec: Codec) -> Option<Bytes>;
}

impl PromptSource for Library {
    fn encoded(&self, name: &str, language: &Language, codec: Codec) -> Option<Bytes> {
        Library::encoded(self, name, language, codec).map(|encoded| encoded.frames.clone())
    }
}

impl PromptSource for PromptShelf {
    fn encoded(&self, name: &str, language: &Language, codec: Codec) -> Option<Bytes> {
        Library::encoded(&self.library(), name, language, codec).map(|encoded| encoded.frames.clone())
    }
}

/// Counts since the start, over all threads; the last two, `legs` and `recordings` are present values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounters {
    pub packets_received: u64,
    pub packets_sent: u64,
    /// Of those sent, forwarded from another leg as they came.
    pub packets_relayed: u64,
    /// From a source that was neither negotiated nor latched: dropped. Once the far end is fixed the kernel drops them
    /// uncounted.
    pub strangers: u64,
    /// For a leg whose offer and answer were not through yet: dropped.
    pub early: u64,
    /// Neither RTP nor RTCP, or of a payload type that was not agreed on: dropped.
    pub malformed: u64,
    /// To a leg with keys: altered, sent before, or by somebody who does not have them: dropped.
    pub not_authentic: u64,
    /// Packets that the kernel did not take.
    pub send_failures: u64,
    /// Ticks more than 2 ms late, and turns of 64 ms that were skipped after a standstill.
    pub late_ticks: u64,
    pub lost_turns: u64,
    /// Keys and other events that found the engine's queue and the backlog full, and commands that found a thread's.
    pub keys_lost: u64,
    pub events_lost: u64,
    pub commands_lost: u64,
    /// Pieces of 20 ms that found the recorder's ring full, and recordings that could not be written.
    pub recording_dropped: u64,
    pub recordings_failed: u64,
    pub recordings: u64,
    pub legs: u64,
    pub ports_bound: u64,
    pub ports_free: u64,
}

/// The media shell. Dropping it without `stop` leaves its threads running.
pub struct Media {
    threads: Vec<Line>,
    routes: Routes,
    events: Outbox<MediaEvent>,
    chores: Sender<Chore>,
    commands_lost: AtomicU64,
    shelf: Arc<Shelf>,
    recorder: Recorder,
    handles: Handles,
}

/// What leads to one thread.
struct Line {
    commands: Sender<Order>,
    bell: Arc<Bell>,
    published: Arc<Published>,
    load: Arc<Load>,
}

impl Media {
    /// Binds the first ports, announces them, and starts the threads.
    pub fn start(
        settings: MediaSettings,
        prompts: Arc<dyn PromptSource>,
        listener: Arc<dyn Listener>,
        events: Outbox<MediaEvent>,
    ) -> Result<Media, MediaError> {
        let shelf = Arc::new(Shelf::new());
        let identity = Arc::new(Identity::new()?);
        let told = MediaEvent::Identity { fingerprint: identity.fingerprint, secret: identity.secret };
        events.try_send(told).map_err(|_| MediaError::Deaf)?;
        let (chores, todo) = unbounded();
        let mut stock = Stock::new(&settings, shelf.clone(), events.clone())?;
        stock.first_batch()?;
        let recorder = Recorder::sealing(Some(settings.recordings.clone()), events.clone(), settings.vault.clone());
        for recording in recorder.recover() {
            tracing::warn!(
                "recording {recording} was cut off when the last process died; it is kept as far as it goes"
            );
        }
        let count = settings.threads.or_else(cores).unwrap_or(1).max(1);
        let common = Common {
            prompts,
            listener,
            events: events.clone(),
            chores: chores.clone(),
            shelf: shelf.clone(),
            recorder: recorder.clone(),
            identity,
            start: std::time::Instant::now(),
        };
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for number in 0..count {
            let line = start_thread(number, &settings, &common, &mut handles)?;
            threads.push(line);
        }
        let bells: Vec<_> = threads.iter().map(|line| (line.commands.clone(), line.bell.clone())).collect();
        let keeper = std::thread::Builder::new()
            .name("rtp-stock".to_owned())
            .spawn(move || stock.run(&todo, &bells))
            .map_err(MediaError::Thread)?;
        handles.push(keeper);
        Ok(Media {
            threads,
            routes: Routes::default(),
            events,
            chores,
            commands_lost: AtomicU64::new(0),
            shelf,
            recorder,
            handles: Handles::new(handles),
        })
    }

    /// Hands a command to the thread of its call; never waits. When that thread's queue is full, which takes a
    /// standstill of seconds, a `Close` is handed in later, an `Open` is answered with `Dead` and `Closed` at once, and
    /// anything else is dropped and counted.
    pub fn send(&self, command: MediaCommand) {
        if let MediaCommand::Move { leg, group } = command
            && let Some((from, to)) = self.routes.move_to(leg, group, self.loads())
            && from != to
        {
            return self.pass_on(leg, group, from, to);
        }
        let Some(number) = self.route(&command) else { return };
        let Some(line) = self.threads.get(number) else { return };
        match line.commands.try_send(Order::Command(command)) {
            Ok(()) => line.bell.ring(),
            Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) => {
                if let Order::Command(command) = order {
                    self.refuse(number, command);
                }
            }
        }
    }

    /// The leg goes from one thread to another.
    fn pass_on(&self, leg: LegId, group: Group, from: usize, to: usize) {
        let (Some(old), Some(new)) = (self.threads.get(from), self.threads.get(to)) else { return };
        let (sender, receiver) = bounded(1);
        let received = new.commands.try_send(Order::Receive { leg, group, from: receiver }).is_ok();
        let released = old.commands.try_send(Order::Release { leg, to: sender, bell: new.bell.clone() }).is_ok();
        if !(received && released) {
            // A thread that stands still: the leg is of no use any more.
            self.commands_lost.fetch_add(1, Ordering::Relaxed);
            let _ = self.events.try_send(MediaEvent::Dead { leg });
        }
        new.bell.ring();
        old.bell.ring();
    }

    fn route(&self, command: &MediaCommand) -> Option<usize> {
        match command {
            MediaCommand::Open { leg, call, .. } => Some(self.routes.open(*leg, Group::Call(*call), self.loads())),
            MediaCommand::Close { leg } => self.routes.close(*leg, self.loads()),
            MediaCommand::Move { leg, .. }
            | MediaCommand::Configure { leg, .. }
            | MediaCommand::Hear { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::Interject { leg, .. }
            | MediaCommand::MixIn { leg, .. }
            | MediaCommand::StopPlay { leg, .. }
            | MediaCommand::Watch { leg, .. }
            | MediaCommand::KeepKeys { leg }
            | MediaCommand::PauseRecord { leg, .. }
            | MediaCommand::StopRecord { leg, .. }
            | MediaCommand::Listen { leg, .. }
            | MediaCommand::Expect { leg, .. }
            | MediaCommand::StopListening { leg }
            | MediaCommand::SendDigit { leg, .. } => self.routes.of(*leg),
            MediaCommand::Record { leg, recording, .. } => {
                let number = self.routes.of(*leg);
                if number.is_none() {
                    self.recorder.fail(*recording, "its leg is closed".to_owned());
                }
                number
            }
            MediaCommand::DiscardRecording(recording) => {
                self.recorder.discard(*recording);
                None
            }
        }
    }

    fn loads(&self) -> impl Iterator<Item = &Load> + Clone {
        self.threads.iter().map(|line| &*line.load)
    }

    fn refuse(&self, number: usize, command: MediaCommand) {
        match command {
            MediaCommand::Close { .. } => {
                let _ = self.chores.send(Chore::HandIn { thread: number, command });
                return;
            }
            MediaCommand::Open { leg, .. } => {
                self.routes.close(leg, self.loads());
                let _ = self.events.try_send(MediaEvent::Dead { leg });
                let _ = self.events.try_send(MediaEvent::Closed { leg, stats: RtpStats::default() });
            }
            MediaCommand::Record { recording, .. } => {
                self.recorder.fail(recording, "an RTP thread stands still".to_owned());
            }
            _ => {}
        }
        if self.commands_lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(thread = number, "an RTP thread stands still; commands to it are dropped");
        }
    }

    /// What has been counted; at most a few milliseconds old.
    pub fn counters(&self) -> MediaCounters {
        let mut sum = MediaCounters {
            commands_lost: self.commands_lost.load(Ordering::Relaxed),
            recording_dropped: self.recorder.counters().dropped.load(Ordering::Relaxed),
            recordings_failed: self.recorder.counters().failed.load(Ordering::Relaxed),
            recordings: self.recorder.counters().active.load(Ordering::Relaxed),
            ports_bound: self.shelf.bound(),
            ports_free: self.shelf.free(),
            ..MediaCounters::default()
        };
        for line in &self.threads {
            let tally = line.published.read();
            sum.packets_received += tally.packets_in;
            sum.packets_sent += tally.packets_out;
            sum.packets_relayed += tally.relayed;
            sum.strangers += tally.strangers;
            sum.early += tally.early;
            sum.malformed += tally.malformed;
            sum.not_authentic += tally.not_authentic;
            sum.send_failures += tally.send_failures;
            sum.late_ticks += tally.late_ticks;
            sum.lost_turns += tally.lost_turns;
            sum.keys_lost += tally.keys_lost;
            sum.events_lost += tally.events_lost;
            sum.legs += tally.legs;
        }
        sum
    }

    /// Ends the threads and waits for them; legs that are still open fall silent. A second call does nothing.
    pub fn stop(&self) {
        for line in &self.threads {
            line.bell.stop();
        }
        let _ = self.chores.send(Chore::Stop);
        self.handles.join();
        self.recorder.stop();
    }
}

fn cores() -> Option<usize> {
    std::thread::available_parallelism().ok().map(usize::from)
}

/// What all threads share.
struct Common {
    prompts: Arc<dyn PromptSource>,
    listener: Arc<dyn Listener>,
    events: Outbox<MediaEvent>,
    chores: Sender<Chore>,
    shelf: Arc<Shelf>,
    recorder: Recorder,
    identity: Arc<Identity>,
    /// Instant zero of every thread.
    start: std::time::Instant,
}

fn start_thread(
    number: usize,
    settings: &MediaSettings,
    common: &Common,
    handles: &mut Vec<JoinHandle<()>>,
) -> Result<Line, MediaError> {
    let Common { prompts, listener, events, chores, shelf, recorder, identity, start } = common;
    let (commands, orders): (_, Receiver<Order>) = bounded(COMMANDS);
    let bell = Arc::new(Bell::new()?);
    let published = Arc::new(Published::default());
    let load = Arc::new(Load::default());
    let io = SecureIo::new(SocketIo::new(shelf.clone(), chores.clone(), &bell)?, identity.clone(), *start);
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|_| MediaError::Entropy)?;
    let setup = Setup {
        dead_leg: settings.dead_leg,
        ntp_at_zero: ntp_now(),
        seed,
        prompts: prompts.clone(),
        listener: listener.clone(),
        recorder: recorder.clone(),
    };
    let ends = Ends {
        commands: orders,
        bell: bell.clone(),
        events: events.clone(),
        chores: chores.clone(),
        published: published.clone(),
        load: load.clone(),
    };
    let thread = Thread::new(io, setup, ends, *start);
    let handle = std::thread::Builder::new()
        .name(format!("rtp-{number}"))
        .spawn(move || thread.run())
        .map_err(MediaError::Thread)?;
    handles.push(handle);
    Ok(Line { commands, bell, published, load })
}

/// The present as NTP time (RFC 3550 §4): seconds since 1900 and their fraction in 32 bits each.
fn ntp_now() -> u64 {
    const UNIX_IN_NTP: u64 = 2_208_988_800;
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    (unix.as_secs().wrapping_add(UNIX_IN_NTP) << 32) | fraction
}

/// Threads to be waited for, once.
mod parking {
    use std::sync::Mutex;
    use std::thread::JoinHandle;

    pub(super) struct Handles(Mutex<Vec<JoinHandle<()>>>);

    impl Handles {
        pub fn new(handles: Vec<JoinHandle<()>>) -> Self {
            Handles(Mutex::new(handles))
        }

        pub fn join(&self) {
            let handles = self.0.lock().map(|mut handles| std::mem::take(&mut *handles)).unwrap_or_default();
            for handle in handles {
                // A thread that panicked has said so on stderr.
                let _ = handle.join();
            }
        }
    }
}

#[cfg(test)]
mod tests;
