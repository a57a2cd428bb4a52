//! The stock of bound ports: a batch at the start, then always some more than are in use, up to the whole range.

use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::moving::Order;
use super::sockets::{PortPair, Shelf};
use super::thread::Bell;
use super::{MediaError, MediaSettings};
use crate::bridge::{MediaCommand, MediaEvent, MediaPort};
use crate::ids::Language;
use crate::outbox::Outbox;

/// Pairs bound before the first call.
const FIRST_BATCH: usize = 64;

/// Pairs bound at once later, before the engine is told.
const BATCH: usize = 64;

/// Free pairs under which more are bound.
pub(super) const LOW_WATER: u64 = 512;

/// A port rests this long after a leg, so that what the old far end still sends is not taken for the new one's.
const REST: Duration = Duration::from_secs(2);

/// It rests only so long while fewer than `SCARCE` pairs are free.
const SHORT_REST: Duration = Duration::from_millis(200);
const SCARCE: u64 = 16;

/// Between two wakings.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the keeper looks whether a port has rested.
const BEAT: Duration = Duration::from_millis(100);

/// After this the ports that other programs held are tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Names of missing prompts that are remembered so as to be logged once.
const MAX_NAMES: usize = 1024;

/// What the threads leave to the keeper. The channel has no bound of its own: `Returned` comes once for each bound
/// port, `HandIn` once for each leg, `Refill` once for each opened leg, `Missing` once for each play.
pub(super) enum Chore {
    Refill,
    Returned {
        port: MediaPort,
        pair: PortPair,
    },
    Missing {
        name: String,
        language: Language,
    },
    /// A command that must not be lost, for a thread whose queue was full.
    HandIn {
        thread: usize,
        command: MediaCommand,
    },
    Stop,
}

pub(super) struct Stock {
    address: IpAddr,
    range: (u16, u16),
    /// Even ports not tried yet, then those that were in use.
    untried: VecDeque<u16>,
    in_use: VecDeque<u16>,
    try_again_at: Instant,
    /// Pairs that the limit of open files allows.
    most: u64,
    /// By the time of their return.
    resting: VecDeque<(Instant, MediaPort, PortPair)>,
    /// Ready, but the engine's queue was full when it was to be told.
    untold: Vec<MediaPort>,
    named: HashSet<(String, Language)>,
    undelivered: VecDeque<(usize, MediaCommand)>,
    shelf: Arc<Shelf>,
    events: Outbox<MediaEvent>,
}

impl Stock {
    pub fn new(settings: &MediaSettings, shelf: Arc<Shelf>, events: Outbox<MediaEvent>) -> Result<Self, MediaError> {
        let (low, high) = settings.ports;
        let untried: VecDeque<u16> = (low..high).filter(|port| port % 2 == 0).collect();
        if untried.is_empty() {
            return Err(MediaError::Range { low, high });
        }
        let files = raise_file_limit();
        // SIP connections, the database and the web need files too.
        let most = files.saturating_sub((files / 8).max(256)) / 2;
        if most < untried.len() as u64 {
            tracing::warn!(
                pairs = most,
                wanted = untried.len(),
                "the limit of open files allows fewer RTP ports than rtp.ports; raise it (ulimit -n)"
            );
        }
        Ok(Stock {
            address: settings.address,
            range: settings.ports,
            untried,
            in_use: VecDeque::new(),
            try_again_at: Instant::now(),
            most: most.max(1),
            resting: VecDeque::new(),
            untold: Vec::new(),
            named: HashSet::new(),
            undelivered: VecDeque::new(),
            shelf,
            events,
        })
    }

    /// Binds and announces the first ports; it is an error if there is not one.
    pub fn first_batch(&mut self) -> Result<(), MediaError> {
        let (low, high) = self.range;
        while self.shelf.free() < FIRST_BATCH as u64 {
            let Some(port) = self.untried.pop_front() else { break };
            match self.bind(port) {
                Ok(()) => {}
                Err(error) => match error.kind() {
                    std::io::ErrorKind::AddrNotAvailable => {
                        return Err(MediaError::Address { address: self.address, source: error });
                    }
                    std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied => {
                        self.in_use.push_back(port);
                    }
                    _ if self.shelf.free() > 0 => break,
                    _ => return Err(MediaError::Socket(error)),
                },
            }
        }
        if self.shelf.free() == 0 {
            return Err(MediaError::InUse { address: self.address, low, high });
        }
        self.announce();
        Ok(())
    }

    /// The keeper's thread.
    pub fn run(mut self, chores: &Receiver<Chore>, threads: &[(Sender<Order>, Arc<Bell>)]) {
        loop {
            match chores.recv_timeout(BEAT) {
                Ok(chore) => {
                    for chore in std::iter::once(chore).chain(chores.try_iter()) {
                        if !self.take(chore) {
                            return;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.hand_in(threads);
            self.put_back();
            self.refill();
            self.announce();
            // None of it is urgent: what comes in the meantime is done at one waking.
            std::thread::sleep(PAUSE);
        }
    }

    /// Notes what is to be done; `false` when it is to stop.
    fn take(&mut self, chore: Chore) -> bool {
        match chore {
            Chore::Stop => return false,
            Chore::Refill => {}
            Chore::Returned { port, pair } => self.resting.push_back((Instant::now(), port, pair)),
            Chore::Missing { name, language } => self.note_missing(name, language),
            Chore::HandIn { thread, command } => self.undelivered.push_back((thread, command)),
        }
        true
    }

    fn hand_in(&mut self, threads: &[(Sender<Order>, Arc<Bell>)]) {
        for _ in 0..self.undelivered.len() {
            let Some((number, command)) = self.undelivered.pop_front() else { return };
            let Some((commands, bell)) = threads.get(number) else { continue };
            match commands.try_send(Order::Command(command)) {
                Ok(()) => bell.ring(),
                Err(TrySendError::Full(Order::Command(command))) => self.undelivered.push_back((number, command)),
                Err(_) => {}
            }
        }
    }

    /// Ports that have rested are free again, emptied of what came meanwhile.
    fn put_back(&mut self) {
        let now = Instant::now();
        let rested = |shelf: &Shelf, since: Instant| {
            let rest = if shelf.free() < SCARCE { SHORT_REST } else { REST };
            now.duration_since(since) >= rest
        };
        while self.resting.front().is_some_and(|(since, ..)| rested(&self.shelf, *since)) {
            let Some((_, port, pair)) = self.resting.pop_front() else { return };
            pair.empty();
            self.shelf.put(port, pair);
            self.untold.push(port);
        }
    }

    /// Binds more when few are free, a batch at a time, so that the engine hears of each batch at once.
    fn refill(&mut self) {
        while self.shelf.free() < LOW_WATER && self.shelf.bound() < self.most {
            if self.untried.is_empty() && !self.in_use.is_empty() && Instant::now() >= self.try_again_at {
                self.try_again_at = Instant::now() + TRY_AGAIN;
                self.untried.append(&mut self.in_use);
            }
            if self.untried.is_empty() {
                return;
            }
            for _ in 0..BATCH {
                let Some(port) = self.untried.pop_front() else { break };
                if self.bind(port).is_err() {
                    self.in_use.push_back(port);
                }
            }
            self.announce();
        }
    }

    fn bind(&mut self, port: u16) -> std::io::Result<()> {
        let pair = PortPair::bind(SocketAddr::new(self.address, port))?;
        let port = MediaPort(SocketAddr::new(self.address, port));
        self.shelf.note_bound();
        self.shelf.put(port, pair);
        self.untold.push(port);
        Ok(())
    }

    /// Tells the engine of free ports; later, if its queue is full.
    fn announce(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        let ports = std::mem::take(&mut self.untold);
        if let Err(TrySendError::Full(MediaEvent::Ports(ports))) = self.events.try_send(MediaEvent::Ports(ports)) {
            self.untold = ports;
        }
    }

    fn note_missing(&mut self, name: String, language: Language) {
        if self.named.len() < MAX_NAMES && self.named.insert((name.clone(), language.clone())) {
            tracing::warn!(prompt = name, %language, "this prompt is missing and is skipped; 'relais check' lists all");
        }
    }
}

/// Raises the limit of open files to what the system allows this process, and returns it.
fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        return limit.current.unwrap_or(u64::MAX);
    }
    limit.maximum.unwrap_or(u64::MAX)
}
