//! A leg's two sockets, the shelf of those that are bound and free, and a worker's edge to them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;
use dashmap::DashMap;
use rustix::event::epoll;
use socket2::{Domain, Protocol, Socket, Type};

use super::MediaError;
use super::io::{Flow, MediaIo};
use super::stock::{Chore, LOW_WATER};
use super::thread::Bell;
use crate::bridge::MediaPort;

/// Octets of received packets that the kernel keeps for one socket (it doubles the number): about a second of audio.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// RFC 4594: telephony is forwarded expedited (DSCP EF).
const TOS_EXPEDITED: u32 = 46 << 2;

/// Packets that are thrown away at most when a port is emptied.
const MAX_EMPTIED: usize = 256;

/// The bell's number among the epoll events; legs have twice their place, and one more for RTCP.
const BELL: u64 = u64::MAX;

pub(super) struct PortPair {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

impl PortPair {
    /// Binds the port and the next; an error for either is an error for both.
    pub fn bind(address: SocketAddr) -> io::Result<PortPair> {
        let next = SocketAddr::new(address.ip(), address.port() + 1);
        Ok(PortPair { rtp: bind(address)?, rtcp: bind(next)? })
    }

    /// Throws away what has arrived: it was meant for somebody before.
    pub fn empty(&self) {
        let mut octet = [0u8; 1];
        for socket in [&self.rtp, &self.rtcp] {
            for _ in 0..MAX_EMPTIED {
                if socket.recv_from(&mut octet).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                    break;
                }
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(TOS_EXPEDITED)?;
    } else {
        socket.set_tos_v4(TOS_EXPEDITED)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Bound ports that no leg uses. Threads take from it and the stock's keeper adds to it, all at the same time.
pub(super) struct Shelf {
    pairs: DashMap<MediaPort, PortPair>,
    free: AtomicU64,
    bound: AtomicU64,
}

impl Shelf {
    pub fn new() -> Self {
        Shelf { pairs: DashMap::new(), free: AtomicU64::new(0), bound: AtomicU64::new(0) }
    }

    pub fn put(&self, port: MediaPort, pair: PortPair) {
        self.pairs.insert(port, pair);
        self.free.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self, port: MediaPort) -> Option<PortPair> {
        let (_, pair) = self.pairs.remove(&port)?;
        self.free.fetch_sub(1, Ordering::Relaxed);
        Some(pair)
    }

    pub fn note_bound(&self) {
        self.bound.fetch_add(1, Ordering::Relaxed);
    }

    pub fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    pub fn bound(&self) -> u64 {
        self.bound.load(Ordering::Relaxed)
    }
}

/// What an epoll event stands for.
pub(super) enum Ready {
    Bell,
    Datagram { place: u32, flow: Flow },
}

/// A leg's sockets.
pub(super) struct Sockets {
    port: MediaPort,
    pair: PortPair,
    /// Where the RTP socket is connected to: the kernel then looks up the route once and not for every packet, and
    /// throws away what strangers send.
    connected: Option<SocketAddr>,
}

impl Sockets {
    fn connect(&mut self, far_end: Option<SocketAddr>) {
        // A socket bound to every address would be tied to one by this, and not hear what comes to the others.
        let far_end = far_end.filter(|_| !self.port.0.ip().is_unspecified());
        if self.connected == far_end {
            return;
        }
        let done = match far_end {
            Some(far_end) => self.pair.rtp.connect(far_end).is_ok(),
            None => false,
        };
        self.connected = far_end.filter(|_| done);
        if !done {
            let _ = rustix::net::connect_unspec(&self.pair.rtp);
        }
    }
}

/// Sends on a connected socket. An error may be the answer to an earlier packet (the far end's port was closed then);
/// it is told once, and this packet goes out after it.
fn send(socket: &UdpSocket, datagram: &[u8]) -> io::Result<usize> {
    match socket.send(datagram) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => socket.send(datagram),
        sent => sent,
    }
}

/// The sockets of one thread's legs.
pub(super) struct SocketIo {
    epoll: OwnedFd,
    legs: Vec<Option<Sockets>>,
    shelf: Arc<Shelf>,
    chores: Sender<Chore>,
}

impl SocketIo {
    pub fn new(shelf: Arc<Shelf>, chores: Sender<Chore>, bell: &Bell) -> Result<Self, MediaError> {
        let poll = |error: rustix::io::Errno| MediaError::Poll(error.into());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(poll)?;
        epoll::add(&epoll, bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN).map_err(poll)?;
        Ok(SocketIo { epoll, legs: Vec::new(), shelf, chores })
    }

    pub fn epoll(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    pub fn ready(event: &epoll::Event) -> Ready {
        match event.data.u64() {
            BELL => Ready::Bell,
            number => Ready::Datagram {
                place: (number / 2) as u32,
                flow: if number % 2 == 0 { Flow::Rtp } else { Flow::Rtcp },
            },
        }
    }

    /// One datagram, if there is one.
    pub fn receive(&self, place: u32, flow: Flow, into: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.socket(place, flow)?.recv_from(into).ok()
    }

    fn open_at(&self, place: u32) -> Option<&Sockets> {
        self.legs.get(place as usize)?.as_ref()
    }

    fn socket(&self, place: u32, flow: Flow) -> Option<&UdpSocket> {
        let Sockets { pair, .. } = self.open_at(place)?;
        Some(match flow {
            Flow::Rtp => &pair.rtp,
            Flow::Rtcp => &pair.rtcp,
        })
    }

    fn watch(&self, place: u32, pair: &PortPair) -> rustix::io::Result<()> {
        let number = u64::from(place) * 2;
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &pair.rtp, epoll::EventData::new_u64(number), flags)?;
        epoll::add(&self.epoll, &pair.rtcp, epoll::EventData::new_u64(number + 1), flags)
    }

    fn watch_no_longer(&self, pair: &PortPair) {
        for socket in [&pair.rtp, &pair.rtcp] {
            // A socket that was never watched is not there to be removed.
            let _ = epoll::delete(&self.epoll, socket);
        }
    }

    fn give_back(&self, port: MediaPort, pair: PortPair) {
        self.watch_no_longer(&pair);
        let _ = self.chores.send(Chore::Returned { port, pair });
    }
}

impl MediaIo for SocketIo {
    type Sockets = Sockets;

    fn open(&mut self, place: u32, port: MediaPort) -> bool {
        let Some(pair) = self.shelf.take(port) else { return false };
        if self.shelf.free() < LOW_WATER {
            let _ = self.chores.send(Chore::Refill);
        }
        pair.empty();
        self.put(place, Sockets { port, pair, connected: None })
    }

    fn take(&mut self, place: u32) -> Option<Sockets> {
        let sockets = self.legs.get_mut(place as usize).and_then(Option::take)?;
        self.watch_no_longer(&sockets.pair);
        Some(sockets)
    }

    fn put(&mut self, place: u32, sockets: Sockets) -> bool {
        if self.watch(place, &sockets.pair).is_err() {
            self.give_back(sockets.port, sockets.pair);
            return false;
        }
        if self.legs.len() <= place as usize {
            self.legs.resize_with(place as usize + 1, || None);
        }
        if let Some(slot) = self.legs.get_mut(place as usize) {
            *slot = Some(sockets);
        }
        true
    }

    fn fix(&mut self, place: u32, far_end: Option<SocketAddr>) {
        if let Some(open) = self.legs.get_mut(place as usize).and_then(Option::as_mut) {
            open.connect(far_end);
        }
    }

    fn send(&mut self, place: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) -> bool {
        let Some(Sockets { pair, connected, .. }) = self.open_at(place) else { return false };
        let sent = match flow {
            Flow::Rtp if *connected == Some(to) => send(&pair.rtp, datagram),
            Flow::Rtp => pair.rtp.send_to(datagram, to),
            Flow::Rtcp => pair.rtcp.send_to(datagram, to),
        };
        sent.is_ok()
    }

    fn close(&mut self, place: u32) {
        if let Some(mut open) = self.legs.get_mut(place as usize).and_then(Option::take) {
            open.connect(None);
            self.give_back(open.port, open.pair);
        }
    }
}
