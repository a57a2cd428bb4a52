//! Where a far end is found by connectivity checks (ICE, RFC 8445), whichever side of it we are.

mod checklist;
mod flight;
mod full;
mod lite;
mod sending;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use full::Full;
use lite::Lite;

use super::stun::{Answer, Check, Message};
use crate::security::{Ice, IceCredentials};
use crate::time::Instant;

/// Browsers send a check every 2.5 to 5 s for as long as they agree to be sent to (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(12);

/// How long the first sign of life may take to come.
const FIRST: Duration = Duration::from_secs(15);

#[expect(clippy::large_enum_variant, reason = "nearly every leg's is the lite one, which needs no second allocation")]
pub(super) enum Side {
    Lite(Lite),
    Full(Box<Full>),
}

/// What comes of a datagram of STUN.
pub(super) enum Heard {
    /// A check; to be sent back.
    Answer(Answer),
    /// The answer to a check of ours.
    Taken,
    /// Not the far end's.
    Refused,
}

impl Side {
    pub fn new(ice: Ice, now: Instant) -> Side {
        match Full::new(&ice, now) {
            Some(full) => Side::Full(Box::new(full)),
            None => Side::Lite(Lite::new(ice, now)),
        }
    }

    /// What was agreed anew; other credentials are a restart (RFC 8445 §9), during which everything goes on where it is.
    pub fn update(&mut self, ice: &Ice, now: Instant) {
        match (self, &ice.checks) {
            (Side::Lite(lite), None) => lite.update(ice, now),
            (Side::Full(full), Some(checks)) => full.update(ice, checks, now),
            (side, _) => *side = Side::new(ice.clone(), now),
        }
    }

    pub fn hear(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Heard {
        let Some(message) = Message::read(datagram) else { return Heard::Refused };
        match self {
            Side::Lite(lite) => lite.hear(&message, datagram, from, now),
            Side::Full(full) => full.hear(&message, datagram, from, now),
        }
    }

    /// Whether the far end has shown itself there.
    pub fn knows(&self, address: SocketAddr) -> bool {
        match self {
            Side::Lite(lite) => lite.knows(address),
            Side::Full(full) => full.knows(address),
        }
    }

    /// Where to send to; `None` while that is not known, and when the far end does not agree to it any more.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self {
            Side::Lite(lite) => lite.destination(),
            Side::Full(full) => full.destination(),
        }
    }

    /// What has become due; checks are to be asked for afterwards.
    pub fn pass(&mut self, now: Instant) {
        if let Side::Full(full) = self {
            full.pass(now);
        }
    }

    /// The next check that is to be sent now. Call until `None`.
    pub fn poll_check(&mut self, now: Instant) -> Option<(SocketAddr, Check)> {
        match self {
            Side::Lite(_) => None,
            Side::Full(full) => full.poll_check(now),
        }
    }

    /// When there is something to do next.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Side::Lite(_) => None,
            Side::Full(full) => full.due(),
        }
    }

    /// When the far end is taken to be gone.
    pub fn gone_at(&self) -> Instant {
        match self {
            Side::Lite(lite) => lite.gone_at(),
            Side::Full(full) => full.gone_at(),
        }
    }
}

/// Whether a check is one of the far end's (RFC 8445 §7.2.2: our name, a colon, the name of who asks), by its names and its
/// password.
fn is_meant(message: &Message<'_>, datagram: &[u8], Ice { local, remote, .. }: &Ice) -> bool {
    let IceCredentials { ufrag, password } = local;
    let rest = message.username.strip_prefix(ufrag.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    rest == Some(remote.ufrag.as_bytes()) && message.is_authentic(datagram, password.as_bytes())
}
