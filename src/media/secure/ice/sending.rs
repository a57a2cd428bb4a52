//! What the full side sends, and when.

use std::net::SocketAddr;
use std::time::Duration;

use rand_core::RngCore;

use super::super::stun::{Asking, Check, Role, Transaction};
use super::checklist::State;
use super::flight::{Flying, Purpose};
use super::full::Full;
use crate::security::{ICE_REFLEXIVE, ice_priority};
use crate::time::Instant;

/// RFC 8445 §14.3: how long an answer is waited for at first, unless there are many checks.
const RTO: Duration = Duration::from_millis(500);

/// How long something better is waited for after a first pair was found to work.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the path in use may be silent before another is nominated that is not: two questions without an answer.
const SILENT: Duration = Duration::from_secs(8);

/// RFC 7675 §5.1: from one question to the next, 5 s, and a fifth of it more or less.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 4_000..=6_000;

/// What our candidate would be, if the far end learnt of it by a check (RFC 8445 §7.1.1).
const PRIORITY: u32 = ice_priority(ICE_REFLEXIVE, 65_535);

impl Full {
    pub fn pass(&mut self, now: Instant) {
        while let Some(check) = self.flight.over(now) {
            self.unanswered(&check);
        }
        self.gone |= self.gone_at() <= now;
    }

    fn unanswered(&mut self, check: &Flying) {
        let open = self.list.get(check.to).is_some_and(|pair| match pair.state {
            State::InProgress => true,
            State::Succeeded => check.purpose == Purpose::Nomination,
            State::Waiting | State::Failed => false,
        });
        if open && check.purpose != Purpose::Consent && !self.flight.has(check.to) {
            self.list.set_state(check.to, State::Failed);
        }
    }

    /// Checks that go again, then one that is new, then the question whether the far end still agrees.
    pub fn poll_check(&mut self, now: Instant) -> Option<(SocketAddr, Check)> {
        if self.gone {
            return None;
        }
        if let Some(check) = self.flight.again(now) {
            return Some((check.to, self.write(&check)));
        }
        let nomination = || self.nomination().filter(|(_, at)| *at <= now).map(|(to, _)| (to, Purpose::Nomination));
        let next = (self.next_check_at <= now)
            .then(|| nomination().or_else(|| Some((self.list.next()?, Purpose::Check))))
            .flatten();
        if let Some((to, purpose)) = next {
            self.next_check_at = now + self.pacing;
            return Some(self.begin(to, purpose, now));
        }
        let path = self.destination().filter(|_| self.consent_at <= now)?;
        self.consent_at = now + self.pause();
        Some(self.begin(path, Purpose::Consent, now))
    }

    /// What is to be nominated, and when: the best that works, once nothing better is to be hoped for or enough time was given
    /// to it. Where the chosen path has fallen silent and the far end has shown itself elsewhere, it has moved: RFC 8445
    /// §8.1.1 would have the session end or restart.
    fn nomination(&self) -> Option<(SocketAddr, Instant)> {
        if self.role != Role::Controlling || self.flight.nominates() {
            return None;
        }
        let Some(selected) = self.selected else {
            let (best, found_at) = (self.list.best()?.remote, self.found_at?);
            let hopes = self.list.hopes_above(best);
            return Some((best, if hopes { found_at + PATIENCE } else { found_at }));
        };
        let agreed_at = self.agreed_at?;
        let lives = self.list.iter().find(|pair| {
            pair.remote != selected
                && pair.state == State::Succeeded
                && pair.heard_at.is_some_and(|heard_at| heard_at > agreed_at)
        });
        lives.map(|pair| (pair.remote, agreed_at + SILENT))
    }

    fn begin(&mut self, to: SocketAddr, purpose: Purpose, now: Instant) -> (SocketAddr, Check) {
        let mut transaction: Transaction = [0; 12];
        self.rng.fill_bytes(&mut transaction);
        let open = u32::try_from(self.list.open()).unwrap_or(u32::MAX);
        let wait = RTO.max(self.pacing.saturating_mul(open));
        let mut check = Flying::new(transaction, to, purpose, wait, now);
        check.role = self.role;
        check.tie_breaker = self.tie_breaker;
        check.before = purpose == Purpose::Consent && self.selected.is_none() && self.list.best().is_none();
        if purpose == Purpose::Check {
            self.list.begun(to);
        }
        let written = self.write(&check);
        self.flight.add(check);
        (to, written)
    }

    /// The same octets whenever it is sent.
    fn write(&self, check: &Flying) -> Check {
        let before = self.before.as_ref().filter(|_| check.before);
        let ice = before.map_or(&self.ice, |before| &before.ice);
        Check::new(&Asking {
            transaction: &check.transaction,
            names: [&ice.remote.ufrag, &ice.local.ufrag],
            priority: PRIORITY,
            role: check.role,
            tie_breaker: check.tie_breaker,
            nominates: check.purpose == Purpose::Nomination,
            password: &ice.remote.password,
        })
    }

    pub(super) fn pause(&mut self) -> Duration {
        let (least, most) = (PAUSE_MS.start(), PAUSE_MS.end());
        Duration::from_millis(least + self.rng.next_u64() % (most - least + 1))
    }

    pub fn due(&self) -> Option<Instant> {
        if self.gone {
            return None;
        }
        let check = self.list.next().map(|_| self.next_check_at);
        let nomination = self.nomination().map(|(_, at)| at.max(self.next_check_at));
        let consent = self.destination().map(|_| self.consent_at);
        [self.flight.due(), check, nomination, consent].into_iter().flatten().min()
    }
}
