//! Between a worker and its sockets: SRTP, the handshake that makes its keys, ICE's checks, and Opus. The worker sees plain RTP and
//! RTCP, from and to the far end as the session description names it; where that really is, is known here. A leg without
//! protection is handed through.

mod dtls;
mod guard;
mod ice;
mod stun;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use dtls::Identity;
use guard::{Guard, Kind};
use ice::Heard;

use super::io::{Flow, MediaIo, Watch};
use super::opus::Pieces;
use crate::bridge::{MediaPort, Stream};
use crate::rtp::{MOST_ADDED, is_rtcp};
use crate::security::Security;
use crate::settings::Codec;
use crate::time::Instant;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// How long the end of a handshake is kept, for a far end that has not heard it.
const LINGERS: Duration = Duration::from_secs(10);

/// How often a handshake that goes on is looked at.
const SOON: Duration = Duration::from_millis(100);

/// The longest packet of ours, protected.
const LONGEST: usize = 2048 + MOST_ADDED;

/// Instant zero on the clock that the handshake's library counts by.
#[derive(Clone, Copy)]
struct Clock(std::time::Instant);

impl Clock {
    fn at(self, now: Instant) -> std::time::Instant {
        self.0 + Duration::from_nanos(now.0)
    }
}

/// The sockets `Io` of one thread's legs, with a guard before each that needs one.
pub struct SecureIo<Io> {
    pub io: Io,
    guards: Vec<Option<Box<Guard>>>,
    identity: Arc<Identity>,
    clock: Clock,
    /// Where a packet is coded and protected on its way out.
    scratch: Box<[u8; LONGEST]>,
    /// What came of a packet of Opus.
    pieces: Pieces,
}

/// A leg's sockets with its guard.
pub struct Guarded<Sockets> {
    sockets: Sockets,
    guard: Option<Box<Guard>>,
}

/// What a datagram is to the worker.
pub enum Opened<'a> {
    /// RTP or RTCP, and whom it is from.
    Media(SocketAddr, &'a mut [u8]),
    /// The same, in packets that `take_piece` has.
    Pieces(SocketAddr),
    /// It was for us.
    Handled,
    /// Nobody's, altered, or known already.
    Refused,
}

impl<Io: MediaIo> SecureIo<Io> {
    /// `zero`: instant zero of the threads.
    pub fn new(io: Io, identity: Arc<Identity>, zero: std::time::Instant) -> Self {
        SecureIo {
            io,
            guards: Vec::new(),
            identity,
            clock: Clock(zero),
            scratch: Box::new([0; LONGEST]),
            pieces: Pieces::new(),
        }
    }

    /// A datagram has come on a leg's port. What is protected is uncovered where it stands.
    pub fn open<'a>(
        &mut self,
        place: u32,
        flow: Flow,
        from: SocketAddr,
        datagram: &'a mut [u8],
        now: Instant,
    ) -> Opened<'a> {
        let Some(guard) = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return Opened::Media(from, datagram);
        };
        let kind = Kind::of(datagram);
        match kind {
            _ if guard.is_plain() => hand(guard, &mut self.pieces, from, datagram),
            Kind::Stun => {
                match guard.check(datagram, from, now) {
                    Heard::Answer(answer) => {
                        self.io.send(place, flow, from, answer.octets());
                    }
                    Heard::Taken => {}
                    Heard::Refused => return Opened::Refused,
                }
                guard.begin(&self.identity, self.clock, now);
                self.flush(place, now);
                Opened::Handled
            }
            _ if !guard.hears(from, kind) => Opened::Refused,
            Kind::Dtls => {
                guard.read(datagram, from, self.clock, now);
                self.flush(place, now);
                Opened::Handled
            }
            Kind::Media => {
                let Some(receive) = &mut guard.receive else { return Opened::Refused };
                let length =
                    if is_rtcp(datagram) { receive.unprotect_rtcp(datagram) } else { receive.unprotect_rtp(datagram) };
                let from = guard.named.filter(|_| guard.uses_ice()).unwrap_or(from);
                match length.ok().and_then(|length| datagram.get_mut(..length)) {
                    Some(plain) => hand(guard, &mut self.pieces, from, plain),
                    None => Opened::Refused,
                }
            }
            Kind::Unknown => Opened::Refused,
        }
    }

    /// The next packet of `Opened::Pieces`, in `into`.
    pub fn take_piece<'a>(&mut self, into: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.pieces.take(into)
    }

    /// Sends the checks that are due, and what the handshake has to say.
    fn flush(&mut self, place: u32, now: Instant) {
        let Some(guard) = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        while let Some((to, check)) = guard.poll_check(now) {
            self.io.send(place, Flow::Rtp, to, check.octets());
        }
        // What the handshake says before it is known where to waits: the far end may find us before we find it.
        let Some(to) = guard.handshake_goes_to() else { return };
        while let Some(datagram) = guard.poll_transmit() {
            self.io.send(place, Flow::Rtp, to, &datagram);
        }
    }

    fn guard(&self, place: u32) -> Option<&Guard> {
        self.guards.get(place as usize)?.as_deref()
    }

    fn set_guard(&mut self, place: u32, guard: Option<Box<Guard>>) {
        let at = place as usize;
        if guard.is_some() && self.guards.len() <= at {
            self.guards.resize_with(at + 1, || None);
        }
        if let Some(slot) = self.guards.get_mut(at) {
            *slot = guard;
        }
    }
}

/// Media as the worker is to have it.
fn hand<'a>(guard: &mut Guard, pieces: &mut Pieces, from: SocketAddr, plain: &'a mut [u8]) -> Opened<'a> {
    match &mut guard.opus {
        Some(opus) => {
            opus.receive(plain, pieces);
            Opened::Pieces(from)
        }
        None => Opened::Media(from, plain),
    }
}

impl<Io: MediaIo> MediaIo for SecureIo<Io> {
    type Sockets = Guarded<Io::Sockets>;

    fn open(&mut self, place: u32, port: MediaPort) -> bool {
        self.set_guard(place, None);
        self.io.open(place, port)
    }

    fn protect(&mut self, place: u32, stream: &Stream, now: Instant) {
        let known = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut);
        match (known, &stream.security) {
            (_, Security::Plain) if stream.codec != Codec::Opus => self.set_guard(place, None),
            (Some(guard), _) => guard.update(stream, &self.identity, now),
            (None, _) => {
                let guard = Guard::new(stream, &self.identity, now);
                self.set_guard(place, Some(Box::new(guard)));
            }
        }
        if let Some(guard) = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut) {
            guard.begin(&self.identity, self.clock, now);
            self.flush(place, now);
        }
    }

    fn is_ready(&self, place: u32) -> bool {
        self.guard(place).is_none_or(Guard::is_ready)
    }

    fn look_after(&mut self, place: u32, now: Instant) -> Watch {
        let Some(guard) = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return Watch::default();
        };
        let (lost, again) = guard.pass(self.clock, now);
        self.flush(place, now);
        Watch { lost, again }
    }

    fn due(&self, place: u32) -> Option<Instant> {
        self.guard(place)?.checks_due()
    }

    fn fix(&mut self, place: u32, far_end: Option<SocketAddr>) {
        // A far end that is found by its checks may move: the socket is to hear it wherever it is.
        let far_end = far_end.filter(|_| self.guard(place).is_none_or(|guard| !guard.uses_ice()));
        self.io.fix(place, far_end);
    }

    fn send(&mut self, place: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) -> bool {
        let Some(guard) = self.guards.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return self.io.send(place, flow, to, datagram);
        };
        let Some(to) = guard.destination(Some(to)).filter(|_| guard.is_ready()) else {
            // Nobody is there yet who could hear it.
            return true;
        };
        let length = match &mut guard.opus {
            Some(opus) => opus.send(datagram, &mut self.scratch[..]),
            None => self.scratch.get_mut(..datagram.len()).map(|plain| {
                plain.copy_from_slice(datagram);
                datagram.len()
            }),
        };
        let Some(length) = length else { return false };
        let length = match (&mut guard.send, is_rtcp(datagram)) {
            (None, _) => Ok(length),
            (Some(send), true) => send.protect_rtcp(&mut self.scratch[..], length),
            (Some(send), false) => send.protect_rtp(&mut self.scratch[..], length),
        };
        match length.ok().and_then(|length| self.scratch.get(..length)) {
            Some(protected) => self.io.send(place, flow, to, protected),
            None => false,
        }
    }

    fn take(&mut self, place: u32) -> Option<Self::Sockets> {
        let guard = self.guards.get_mut(place as usize).and_then(Option::take);
        Some(Guarded { sockets: self.io.take(place)?, guard })
    }

    fn put(&mut self, place: u32, sockets: Self::Sockets) -> bool {
        let Guarded { sockets, guard } = sockets;
        self.set_guard(place, guard);
        self.io.put(place, sockets)
    }

    fn close(&mut self, place: u32) {
        self.set_guard(place, None);
        self.io.close(place);
    }
}
