//! The lite side of ICE (RFC 8445 §2.5): it has its host candidates, answers checks, and goes where the far end points.

use std::net::SocketAddr;

use smallvec::SmallVec;

use super::super::stun::{Answer, Class, Message, ROLE_CONFLICT, Role, UNKNOWN_ATTRIBUTE};
use super::{CONSENT, FIRST, Heard, is_meant};
use crate::security::Ice;
use crate::time::Instant;

/// Addresses that a far end may have at once; one more takes the place of the one that was heard longest ago.
const PATHS: usize = 8;

/// Where the far end is, by its checks.
pub(in super::super) struct Lite {
    ice: Ice,
    /// Before a restart: good until the far end has moved over.
    before: Option<Ice>,
    paths: SmallVec<[Path; 2]>,
    nominated: Option<SocketAddr>,
    /// When a check last came, or was first expected.
    heard_at: Instant,
    checked: bool,
}

/// An address from which a check has come.
#[derive(Clone, Copy)]
struct Path {
    address: SocketAddr,
    at: Instant,
}

impl Lite {
    pub fn new(ice: Ice, now: Instant) -> Lite {
        Lite { ice, before: None, paths: SmallVec::new(), nominated: None, heard_at: now, checked: false }
    }

    pub fn update(&mut self, ice: &Ice, now: Instant) {
        if self.ice != *ice {
            self.before = Some(std::mem::replace(&mut self.ice, ice.clone()));
            self.heard_at = now;
        }
    }

    pub fn hear(&mut self, message: &Message<'_>, datagram: &[u8], from: SocketAddr, now: Instant) -> Heard {
        if message.class != Class::Request {
            return Heard::Refused;
        }
        let restarted = is_meant(message, datagram, &self.ice);
        let Some(ice) =
            [Some(&self.ice), self.before.as_ref()].into_iter().flatten().find(|ice| is_meant(message, datagram, ice))
        else {
            return Heard::Refused;
        };
        let password = ice.local.password.as_bytes();
        if message.unknown.is_some() {
            return Heard::Answer(Answer::error(&message.transaction, UNKNOWN_ATTRIBUTE, message.unknown, password));
        }
        if message.role.is_some_and(|(role, _)| role == Role::Controlled) {
            // A lite side never controls: the far end is to.
            return Heard::Answer(Answer::error(&message.transaction, ROLE_CONFLICT, None, password));
        }
        let success = Answer::success(&message.transaction, from, password);
        self.came(from, now);
        if message.nominates {
            self.nominated = Some(from);
            if restarted {
                self.before = None;
            }
        }
        Heard::Answer(success)
    }

    fn came(&mut self, from: SocketAddr, now: Instant) {
        self.heard_at = now;
        self.checked = true;
        if let Some(path) = self.paths.iter_mut().find(|path| path.address == from) {
            path.at = now;
            return;
        }
        if self.paths.len() == PATHS {
            let oldest = self.paths.iter().enumerate().min_by_key(|(_, path)| path.at).map(|(at, _)| at);
            if let Some(at) = oldest {
                self.paths.swap_remove(at);
            }
        }
        self.paths.push(Path { address: from, at: now });
    }

    pub fn knows(&self, address: SocketAddr) -> bool {
        self.paths.iter().any(|path| path.address == address)
    }

    /// Before anything is nominated, it is where a check came from last.
    pub fn destination(&self) -> Option<SocketAddr> {
        let latest = || self.paths.iter().max_by_key(|path| path.at).map(|path| path.address);
        self.nominated.or_else(latest)
    }

    pub fn gone_at(&self) -> Instant {
        self.heard_at + if self.checked { CONSENT } else { FIRST }
    }
}
