//! Checks that were sent and wait for their answers: the client transactions of STUN (RFC 8489 §6.2.1).

use std::net::SocketAddr;
use std::time::Duration;

use super::super::stun::{Role, Transaction};
use crate::time::Instant;

/// Checks at once; one more takes the place of the oldest.
pub const CHECKS: usize = 100;

/// RFC 8489 §6.2.1: a request is sent seven times in all, and waited for as long as 16 times the first wait after the last.
const TIMES: u8 = 7;
const LAST_WAIT: u32 = 16;

/// RFC 7675 §5.1: how long an answer can show that the far end agrees.
pub const EXPIRES: Duration = Duration::from_secs(30);

/// How long the answer to a check that another has followed is still listened for.
const FOLLOWED: Duration = Duration::from_secs(4);

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whether the pair works.
    Check,
    /// That it is to be used.
    Nomination,
    /// Whether the far end still agrees to be sent to; sent once (RFC 7675 §5.1).
    Consent,
}

#[derive(Clone, Copy, Debug)]
pub struct Flying {
    pub transaction: Transaction,
    pub to: SocketAddr,
    pub purpose: Purpose,
    /// As whom we sent it.
    pub role: Role,
    pub tie_breaker: u64,
    /// By the names and passwords from before a restart.
    pub before: bool,
    sent: u8,
    sent_at: Instant,
    wait: Duration,
    first_wait: Duration,
    again_at: Option<Instant>,
    ends_at: Instant,
    /// Another has taken its place: that no answer comes means nothing.
    followed: bool,
}

impl Flying {
    /// One that is sent now. `wait`: until it is sent again.
    pub fn new(transaction: Transaction, to: SocketAddr, purpose: Purpose, wait: Duration, now: Instant) -> Flying {
        let once = purpose == Purpose::Consent;
        Flying {
            transaction,
            to,
            purpose,
            role: Role::Controlled,
            tie_breaker: 0,
            before: false,
            sent: 1,
            sent_at: now,
            wait,
            first_wait: wait,
            again_at: (!once).then(|| now + wait),
            // Until it has been sent for the last time, that is all that is known of its end.
            ends_at: now + EXPIRES,
            followed: false,
        }
    }

    fn send_again(&mut self, now: Instant) {
        self.sent += 1;
        self.sent_at = now;
        self.wait *= 2;
        self.again_at = Some(now + self.wait);
        if self.sent == TIMES {
            self.again_at = None;
        }
        self.ends_at = now + self.first_wait * LAST_WAIT;
    }

    /// What comes next: it is sent again, or given up.
    fn due(&self) -> Instant {
        self.again_at.unwrap_or(self.ends_at)
    }
}

#[derive(Default)]
pub struct Flight(Vec<Flying>);

impl Flight {
    pub fn add(&mut self, check: Flying) {
        if self.0.len() == CHECKS {
            self.0.remove(0);
        }
        self.0.push(check);
    }

    pub fn find(&self, transaction: &Transaction) -> Option<&Flying> {
        self.0.iter().find(|check| check.transaction == *transaction)
    }

    pub fn remove(&mut self, transaction: &Transaction) {
        self.0.retain(|check| check.transaction != *transaction);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The next that is to be sent again now.
    pub fn again(&mut self, now: Instant) -> Option<Flying> {
        let check = self.0.iter_mut().find(|check| check.again_at.is_some_and(|at| at <= now))?;
        check.send_again(now);
        Some(*check)
    }

    /// The next whose time is over.
    pub fn over(&mut self, now: Instant) -> Option<Flying> {
        let at = self.0.iter().position(|check| check.again_at.is_none() && check.ends_at <= now)?;
        Some(self.0.remove(at))
    }

    /// The checks of this address are followed by another.
    pub fn follow(&mut self, to: SocketAddr, now: Instant) {
        for check in self.0.iter_mut().filter(|check| check.to == to && check.purpose != Purpose::Consent) {
            check.followed = true;
            check.again_at = None;
            check.ends_at = check.ends_at.min(now + FOLLOWED);
        }
    }

    /// Those of other addresses than this are not sent any more.
    pub fn settle(&mut self, to: SocketAddr, now: Instant, ends: impl Fn(SocketAddr) -> bool) {
        for check in self.0.iter_mut().filter(|check| check.to != to && ends(check.to)) {
            check.again_at = None;
            check.ends_at = check.ends_at.min(now + FOLLOWED);
        }
    }

    /// Whether one of this address is under way that counts.
    pub fn has(&self, to: SocketAddr) -> bool {
        self.0.iter().any(|check| check.to == to && check.purpose != Purpose::Consent && !check.followed)
    }

    /// Whether one has gone there within this time.
    pub fn went_lately(&self, to: SocketAddr, within: Duration, now: Instant) -> bool {
        self.0.iter().any(|check| check.to == to && !check.followed && now.since(check.sent_at) < within)
    }

    pub fn nominates(&self) -> bool {
        self.0.iter().any(|check| check.purpose == Purpose::Nomination && !check.followed)
    }

    /// Whoever controls now, it is not to be nominated by what was sent before.
    pub fn drop_nominations(&mut self) {
        for check in self.0.iter_mut().filter(|check| check.purpose == Purpose::Nomination) {
            check.purpose = Purpose::Check;
            check.followed = true;
            check.again_at = None;
        }
    }

    pub fn due(&self) -> Option<Instant> {
        self.0.iter().map(Flying::due).min()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
