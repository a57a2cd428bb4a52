//! The lite side of ICE (RFC 8445 §2.5): it has its host candidates, answers checks, and goes where the far end points.

use std::net::SocketAddr;
use std::time::Duration;

use smallvec::SmallVec;

use super::stun::{Answer, ROLE_CONFLICT, Request, UNKNOWN_ATTRIBUTE};
use crate::security::{Ice, IceCredentials};
use crate::time::Instant;

/// Addresses that a far end may have at once; one more takes the place of the one that was heard longest ago.
const PATHS: usize = 8;

/// Browsers send a check every 2.5 to 5 s for as long as they agree to be sent to (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(12);

/// How long the first check may take to come.
const FIRST: Duration = Duration::from_secs(15);

/// Where the far end is, by its checks.
pub(super) struct Lite {
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

/// What comes of a check.
pub(super) enum Checked {
    /// To be sent back.
    Answer(Box<Answer>),
    /// Not the far end's.
    Refused,
}

impl Lite {
    pub fn new(ice: Ice, now: Instant) -> Lite {
        Lite { ice, before: None, paths: SmallVec::new(), nominated: None, heard_at: now, checked: false }
    }

    /// What was agreed anew; other credentials are a restart (RFC 8445 §9), during which everything goes on where it is.
    pub fn update(&mut self, ice: Ice, now: Instant) {
        if self.ice != ice {
            self.before = Some(std::mem::replace(&mut self.ice, ice));
            self.heard_at = now;
        }
    }

    pub fn check(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Checked {
        let Some(request) = Request::read(datagram) else { return Checked::Refused };
        let fits = |ice: &Ice| {
            is_named(request.username, ice) && request.is_authentic(datagram, ice.local.password.as_bytes())
        };
        let restarted = fits(&self.ice);
        let Some(ice) = [Some(&self.ice), self.before.as_ref()].into_iter().flatten().find(|ice| fits(ice)) else {
            return Checked::Refused;
        };
        let password = ice.local.password.as_bytes();
        let answer = |answer| Checked::Answer(Box::new(answer));
        if request.unknown.is_some() {
            return answer(Answer::error(&request.transaction, UNKNOWN_ATTRIBUTE, request.unknown, password));
        }
        if request.controlled {
            // A lite side never controls: the far end is to.
            return answer(Answer::error(&request.transaction, ROLE_CONFLICT, None, password));
        }
        let success = Answer::success(&request.transaction, from, password);
        self.came(from, now);
        if request.nominates {
            self.nominated = Some(from);
            if restarted {
                self.before = None;
            }
        }
        answer(success)
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

    /// Whether a check has come from there.
    pub fn knows(&self, address: SocketAddr) -> bool {
        self.paths.iter().any(|path| path.address == address)
    }

    /// Where to send to; before anything is nominated, to where a check came from last.
    pub fn destination(&self) -> Option<SocketAddr> {
        let latest = || self.paths.iter().max_by_key(|path| path.at).map(|path| path.address);
        self.nominated.or_else(latest)
    }

    /// When the far end is taken to be gone.
    pub fn gone_at(&self) -> Instant {
        self.heard_at + if self.checked { CONSENT } else { FIRST }
    }
}

/// RFC 8445 §7.2.2: our name, a colon, the name of who asks.
fn is_named(username: &[u8], Ice { local, remote }: &Ice) -> bool {
    let IceCredentials { ufrag, .. } = local;
    let rest = username.strip_prefix(ufrag.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    rest == Some(remote.ufrag.as_bytes())
}
