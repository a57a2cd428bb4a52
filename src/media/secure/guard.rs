//! What stands between one leg and the network: keys, and where the far end is.

use std::net::SocketAddr;

use super::dtls::{Agreed, Handshake, Identity};
use super::ice::{Heard, Side};
use super::stun::Check;
use super::{Clock, HANDSHAKE, LINGERS};
use crate::bridge::{Latch, Loss, Stream};
use crate::media::opus::Transcoder;
use crate::rtp::SrtpContext;
use crate::security::{Dtls, Sdes, Security};
use crate::settings::Codec;
use crate::time::Instant;

pub(super) struct Guard {
    security: Security,
    /// The far end by the name that the worker has for it.
    pub named: Option<SocketAddr>,
    latch: Latch,
    pub send: Option<SrtpContext>,
    pub receive: Option<SrtpContext>,
    /// Of a leg that speaks Opus.
    pub opus: Option<Box<Transcoder>>,
    /// Where the far end is, if checks tell.
    ice: Option<Side>,
    handshake: Option<Handshake>,
    /// Where the handshake's last datagram came from, where no checks tell.
    heard_from: Option<SocketAddr>,
    /// When the handshake is taken to have failed, and when what is left of it is of no use any more.
    fails_at: Instant,
    over_at: Option<Instant>,
    lost: Option<Loss>,
    told: bool,
}

/// What a datagram turns out to be (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stun,
    Dtls,
    Media,
    Unknown,
}

impl Kind {
    pub fn of(datagram: &[u8]) -> Kind {
        match datagram.first() {
            Some(0..=3) => Kind::Stun,
            Some(20..=63) => Kind::Dtls,
            Some(128..=191) => Kind::Media,
            _ => Kind::Unknown,
        }
    }
}

impl Guard {
    pub fn new(stream: &Stream, identity: &Identity, now: Instant) -> Guard {
        let mut guard = Guard {
            security: Security::Plain,
            named: None,
            latch: stream.latch,
            send: None,
            receive: None,
            opus: None,
            ice: None,
            handshake: None,
            heard_from: None,
            fails_at: now,
            over_at: None,
            lost: None,
            told: false,
        };
        guard.update(stream, identity, now);
        guard
    }

    /// What was agreed, for the first time or anew. Keys that stay keep their counters.
    pub fn update(&mut self, stream: &Stream, identity: &Identity, now: Instant) {
        self.named = stream.remote;
        self.latch = stream.latch;
        match (&mut self.opus, stream.codec) {
            (Some(opus), Codec::Opus) => opus.update(stream),
            (opus, Codec::Opus) => *opus = Transcoder::new(stream).map(Box::new),
            (opus, _) => *opus = None,
        }
        match &stream.security {
            Security::Plain => {
                (self.send, self.receive) = (None, None);
                (self.ice, self.handshake) = (None, None);
            }
            Security::Sdes(sdes) => self.key(sdes),
            Security::Dtls(dtls) => self.shake_hands(dtls, identity, now),
        }
        self.security.clone_from(&stream.security);
    }

    fn key(&mut self, new: &Sdes) {
        self.ice = None;
        self.handshake = None;
        let old = match &self.security {
            Security::Sdes(old) => Some(old),
            _ => None,
        };
        let kept = old.filter(|old| old.profile == new.profile);
        if kept.is_none_or(|old| old.send != new.send) {
            self.send = Some(SrtpContext::new(new.profile, &new.send));
        }
        if kept.is_none_or(|old| old.receive != new.receive) {
            self.receive = Some(SrtpContext::new(new.profile, &new.receive));
        }
    }

    fn shake_hands(&mut self, new: &Dtls, identity: &Identity, now: Instant) {
        match (&mut self.ice, &new.ice) {
            (Some(side), Some(ice)) => side.update(ice, now),
            (side, ice) => *side = ice.clone().map(|ice| Side::new(ice, now)),
        }
        let same = matches!(&self.security, Security::Dtls(old)
            if old.fingerprint == new.fingerprint && old.active == new.active);
        if !same {
            // Another certificate is another far end (RFC 8842 §4).
            (self.send, self.receive) = (None, None);
            self.handshake = Some(Handshake::new(identity, new.active));
            self.fails_at = now + HANDSHAKE;
            self.over_at = None;
        }
    }

    /// Nothing is agreed on but the codec.
    pub fn is_plain(&self) -> bool {
        self.security == Security::Plain
    }

    /// Whether what is sent now can be heard.
    pub fn is_ready(&self) -> bool {
        self.is_plain() || self.send.is_some() && (self.ice.is_none() || self.destination(None).is_some())
    }

    /// Where to send to, of a leg whose far end is at `named` by its description.
    pub fn destination(&self, named: Option<SocketAddr>) -> Option<SocketAddr> {
        match &self.ice {
            Some(side) => side.destination(),
            None => named,
        }
    }

    pub fn uses_ice(&self) -> bool {
        self.ice.is_some()
    }

    /// A check of the far end's, or its answer to one of ours.
    pub fn check(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Heard {
        self.ice.as_mut().map_or(Heard::Refused, |side| side.hear(datagram, from, now))
    }

    /// The next check of ours that is to be sent now.
    pub fn poll_check(&mut self, now: Instant) -> Option<(SocketAddr, Check)> {
        self.ice.as_mut()?.poll_check(now)
    }

    /// When our checks have something to do next.
    pub fn checks_due(&self) -> Option<Instant> {
        self.ice.as_ref()?.due()
    }

    /// Whether media and handshakes are taken from there at all. Without checks the worker looks at the sources of media
    /// itself.
    pub fn hears(&self, from: SocketAddr, kind: Kind) -> bool {
        match &self.ice {
            Some(side) => side.knows(from),
            None => {
                let described = self.named.is_some_and(|named| named.ip() == from.ip());
                kind == Kind::Media || described || matches!(self.latch, Latch::Address(ip) if ip == from.ip())
            }
        }
    }

    /// Begins a handshake that is ours to begin, once there is somewhere to send it.
    pub fn begin(&mut self, identity: &Identity, clock: Clock, now: Instant) {
        if self.handshake_goes_to().is_some()
            && let Some(handshake) = &mut self.handshake
        {
            handshake.begin(identity, clock.at(now));
        }
    }

    /// A piece of the handshake has come.
    pub fn read(&mut self, datagram: &[u8], from: SocketAddr, clock: Clock, now: Instant) {
        let Some(handshake) = &mut self.handshake else { return };
        self.heard_from = Some(from);
        if let Some(agreed) = handshake.read(datagram, clock.at(now)) {
            self.take_keys(&agreed, now);
        }
    }

    fn take_keys(&mut self, agreed: &Agreed, now: Instant) {
        let Security::Dtls(dtls) = &self.security else { return };
        if dtls.fingerprint != agreed.fingerprint {
            // RFC 5763 §5: whoever this is, it is not the one of the session description.
            self.handshake = None;
            self.lost = Some(Loss::Certificate);
            return;
        }
        self.send = Some(SrtpContext::new(agreed.profile, &agreed.send));
        self.receive = Some(SrtpContext::new(agreed.profile, &agreed.receive));
        self.over_at = Some(now + LINGERS);
    }

    /// Where the handshake's datagrams go.
    pub fn handshake_goes_to(&self) -> Option<SocketAddr> {
        match &self.ice {
            Some(side) => side.destination(),
            None => self.heard_from.or(self.named),
        }
    }

    pub fn poll_transmit(&mut self) -> Option<bytes::BytesMut> {
        self.handshake.as_mut()?.poll_transmit()
    }

    /// What has become due; gives out why the leg is lost, once, and when to look again.
    pub fn pass(&mut self, clock: Clock, now: Instant) -> (Option<Loss>, Option<Instant>) {
        if self.over_at.is_some_and(|at| at <= now) {
            self.handshake = None;
            self.over_at = None;
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.pass(clock.at(now));
        }
        let shaking = matches!(self.security, Security::Dtls(_)) && self.send.is_none();
        if shaking && self.fails_at <= now {
            self.lost = self.lost.or(Some(Loss::Handshake));
        }
        let gone_at = self.ice.as_mut().map(|side| {
            side.pass(now);
            side.gone_at()
        });
        if gone_at.is_some_and(|at| at <= now) {
            self.lost = self.lost.or(Some(Loss::Consent));
        }
        let lost = self.lost.filter(|_| !std::mem::replace(&mut self.told, self.lost.is_some()));
        let soon = self.handshake.is_some().then(|| now + super::SOON);
        (lost, [soon, gone_at].into_iter().flatten().filter(|_| !self.told).min())
    }
}
