//! One media thread: a worker, its sockets and the clock.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::time::{ClockId, Timespec};

use super::MediaError;
use super::moving::{Arrival, Arrivals, Moved, Order};
use super::routes::{Load, WHOLE};
use super::secure::{Opened, SecureIo};
use super::sockets::{Ready, SocketIo};
use super::stock::Chore;
use super::worker::{Setup, Tally, Worker};
use crate::bridge::MediaEvent;
use crate::outbox::Outbox;
use crate::time::Instant;

/// Epoll events taken at once.
const EVENTS: usize = 128;

/// Packets worked off before the clock is looked at again.
const PACKETS: usize = 16;

/// Commands carried out before packets and ticks have their turn again.
const COMMANDS: usize = 64;

/// A datagram longer than this is cut off: no RTP packet of ours is.
const DATAGRAM: usize = 2048;

/// How long events wait while the engine takes none.
const EVENT_RETRY: Duration = Duration::from_millis(5);

/// How often a thread looks at its processor clock.
const MEASURE: Duration = Duration::from_millis(250);

/// Niceness of the media threads.
const PRIORITY: i32 = -15;

/// Wakes a thread that waits for packets.
pub(super) struct Bell {
    fd: OwnedFd,
    rung: AtomicBool,
    stop: AtomicBool,
}

impl Bell {
    pub fn new() -> Result<Self, MediaError> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| MediaError::Poll(error.into()))?;
        Ok(Bell { fd, rung: AtomicBool::new(false), stop: AtomicBool::new(false) })
    }

    /// One system call for however many rings before the thread answers.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        }
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.ring();
    }

    fn answer(&self) {
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&self.fd, &mut count);
        // Before the queue is looked at: whoever puts something in after that rings again.
        self.rung.store(false, Ordering::Release);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A thread's tally where others can read it.
#[derive(Default)]
pub(super) struct Published([AtomicU64; 13]);

impl Published {
    fn write(&self, tally: &Tally) {
        for (to, from) in self.0.iter().zip(tally.to_array()) {
            to.store(from, Ordering::Relaxed);
        }
    }

    pub fn read(&self) -> Tally {
        Tally::from_array(std::array::from_fn(|at| self.0.get(at).map_or(0, |value| value.load(Ordering::Relaxed))))
    }
}

/// What a thread shares with the rest of the program.
pub(super) struct Ends {
    pub commands: Receiver<Order>,
    pub bell: Arc<Bell>,
    pub events: Outbox<MediaEvent>,
    pub chores: Sender<Chore>,
    pub published: Arc<Published>,
    pub load: Arc<Load>,
}

pub(super) struct Thread {
    worker: Worker<SecureIo<SocketIo>>,
    ends: Ends,
    start: std::time::Instant,
    /// Legs on their way here.
    arrivals: Arrivals,
    /// When the processor clock was read last, and what it said.
    measured: (Instant, Duration),
}

impl Thread {
    /// `start` is instant zero, the same for all threads: legs move between them.
    pub fn new(io: SecureIo<SocketIo>, setup: Setup, ends: Ends, start: std::time::Instant) -> Self {
        let worker = Worker::new(io, setup, Instant(0));
        Thread { worker, ends, start, arrivals: Arrivals::default(), measured: (Instant(0), Duration::ZERO) }
    }

    pub fn run(mut self) {
        // A packet that is late is heard: what else the machine does comes second. Where this user may not ask for it,
        // the thread runs like any other.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), PRIORITY);
        let mut events = [MaybeUninit::uninit(); EVENTS];
        let mut datagram = [0u8; DATAGRAM];
        let mut piece_of_it = [0u8; DATAGRAM];
        while !self.ends.bell.stop.load(Ordering::Acquire) {
            self.tick_if_due();
            let more = self.obey();
            self.deliver();
            self.ends.published.write(&self.worker.tally);
            self.measure();
            let timeout = if more { Some(Duration::ZERO) } else { self.timeout() };
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            let Ok((ready, _)) = epoll::wait(self.worker.io.io.epoll(), &mut events, timeout.as_ref()) else {
                continue;
            };
            for (at, event) in ready.iter().enumerate() {
                if at % PACKETS == 0 {
                    self.tick_if_due();
                }
                match SocketIo::ready(event) {
                    Ready::Bell => self.ends.bell.answer(),
                    Ready::Datagram { place, flow } => {
                        let Some((length, from)) = self.worker.io.io.receive(place, flow, &mut datagram) else {
                            continue;
                        };
                        let now = self.now();
                        let datagram = datagram.get_mut(..length).unwrap_or_default();
                        match self.worker.io.open(place, flow, from, datagram, now) {
                            Opened::Media(from, datagram) => self.worker.packet(place, flow, from, datagram, now),
                            Opened::Pieces(from) => {
                                while let Some(piece) = self.worker.io.take_piece(&mut piece_of_it) {
                                    self.worker.packet(place, flow, from, piece, now);
                                }
                            }
                            Opened::Handled => self.worker.pace(place, now),
                            Opened::Refused => self.worker.tally.not_authentic += 1,
                        }
                    }
                }
            }
        }
    }

    fn now(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Tells how much of its core this thread uses, from time to time.
    fn measure(&mut self) {
        let (then, spent_then) = self.measured;
        let now = self.now();
        let stretch = now.since(then);
        if stretch < MEASURE {
            return;
        }
        let spent = Duration::try_from(rustix::time::clock_gettime(ClockId::ThreadCPUTime)).unwrap_or(spent_then);
        let busy = spent.saturating_sub(spent_then).as_nanos() * u128::from(WHOLE) / stretch.as_nanos().max(1);
        self.ends.load.tell(u64::try_from(busy).unwrap_or(WHOLE));
        self.measured = (now, spent);
    }

    fn tick_if_due(&mut self) {
        let now = self.now();
        if self.worker.next_tick().is_some_and(|due| due <= now) {
            self.worker.tick(now);
        }
    }

    /// Carries out some commands; whether more wait.
    fn obey(&mut self) -> bool {
        let now = self.now();
        let mut obeyed = 0;
        while obeyed < COMMANDS
            && let Ok(order) = self.ends.commands.try_recv()
        {
            obeyed += 1;
            let order = if self.arrivals.is_empty() { Some(order) } else { self.arrivals.keep(order) };
            if let Some(order) = order {
                self.carry_out(order, now);
            }
        }
        self.receive_legs(now);
        self.worker.settle();
        if obeyed > 0 {
            for (name, language) in self.worker.take_missing() {
                let _ = self.ends.chores.send(Chore::Missing { name, language });
            }
        }
        obeyed == COMMANDS
    }

    fn carry_out(&mut self, order: Order, now: Instant) {
        match order {
            Order::Command(command) => self.worker.command(command, now),
            Order::Release { leg, to, bell } => {
                // A leg that has ended is not sent; the other thread learns it by the end of the channel.
                if let Some((leg, sockets)) = self.worker.release(leg) {
                    let _ = to.try_send(Moved { leg, sockets });
                }
                drop(to);
                bell.ring();
            }
            Order::Receive { leg, group, from } => self.arrivals.expect(leg, group, from),
        }
    }

    fn receive_legs(&mut self, now: Instant) {
        while let Some(arrival) = self.arrivals.take() {
            let orders = match arrival {
                Arrival::Came { moved, group, orders } => {
                    self.worker.adopt(moved.leg, moved.sockets, group, now);
                    orders
                }
                Arrival::Never { orders } => orders,
            };
            orders.into_iter().for_each(|order| self.carry_out(order, now));
        }
    }

    /// Hands events to the engine, as many as its queue takes.
    fn deliver(&mut self) {
        while let Some(event) = self.worker.events.pop_front() {
            match self.ends.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.worker.events.push_front(event);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// How long to wait for packets; `None` for ever.
    fn timeout(&self) -> Option<Duration> {
        let tick = self.worker.next_tick().map(|due| due.since(self.now()));
        let retry = (!self.worker.events.is_empty()).then_some(EVENT_RETRY);
        [tick, retry].into_iter().flatten().min()
    }
}
