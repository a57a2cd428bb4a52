//! The full side of ICE (RFC 8445): what it knows, and what it makes of the far end's checks and answers. `sending` has what
//! it sends, and when.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::super::stun::{Answer, Class, Message, ROLE_CONFLICT, Role, UNKNOWN_ATTRIBUTE};
use super::checklist::{Checklist, State};
use super::flight::{EXPIRES, Flight, Flying, Purpose};
use super::{CONSENT, FIRST, Heard, is_meant};
use crate::security::{Ice, IceChecks, Secret};
use crate::time::Instant;

/// Of a candidate whose check does not say it.
const LOWEST: u32 = 1;

/// A check that is on its way to where one comes from is not followed by another within this time.
const LATELY: Duration = Duration::from_millis(100);

/// How long after its first nomination a far end may be one that nominates whatever works (RFC 5245 §8.1.1.2), of which the
/// best is meant. Later nominations are changes of its mind, and the last one counts.
const SETTLES: Duration = Duration::from_secs(3);

/// Changes of role that a far end can ask for.
const CONFLICTS: u8 = 8;

/// Where the far end is, by its checks and ours.
pub(in super::super) struct Full {
    pub(super) ice: Ice,
    /// Before a restart: good until something else has been agreed on.
    pub(super) before: Option<Before>,
    /// The far end sends no checks.
    lite: bool,
    pub(super) pacing: Duration,
    pub(super) role: Role,
    pub(super) tie_breaker: u64,
    conflicts: u8,
    pub(super) rng: ChaCha12Rng,
    pub(super) list: Checklist,
    pub(super) flight: Flight,
    /// What was nominated last, and found to work.
    pub(super) selected: Option<SocketAddr>,
    /// When a first pair was found to work, and when the far end first nominated one.
    pub(super) found_at: Option<Instant>,
    nominated_at: Option<Instant>,
    pub(super) next_check_at: Instant,
    /// When the far end is asked next whether it agrees, and when it last did.
    pub(super) consent_at: Instant,
    pub(super) agreed_at: Option<Instant>,
    /// When anything of the far end's last came, or was first expected.
    heard_at: Instant,
    checks_come: bool,
    pub(super) gone: bool,
}

/// What went on before a restart.
pub(super) struct Before {
    pub ice: Ice,
    pub path: Option<SocketAddr>,
}

impl Full {
    /// `None` where the other side of ICE was agreed on.
    pub fn new(ice: &Ice, now: Instant) -> Option<Full> {
        let checks = ice.checks.as_ref()?;
        let Secret(seed) = checks.seed;
        let mut rng = ChaCha12Rng::from_seed(seed);
        let role = role_of(checks);
        let mut full = Full {
            ice: ice.clone(),
            before: None,
            lite: checks.lite,
            pacing: checks.pacing,
            role,
            tie_breaker: rng.next_u64(),
            conflicts: 0,
            rng,
            list: Checklist::new(role),
            flight: Flight::default(),
            selected: None,
            found_at: None,
            nominated_at: None,
            next_check_at: now,
            consent_at: now,
            agreed_at: None,
            heard_at: now,
            checks_come: false,
            gone: false,
        };
        full.add_candidates(checks);
        Some(full)
    }

    pub fn update(&mut self, ice: &Ice, checks: &IceChecks, now: Instant) {
        if self.ice.local != ice.local || self.ice.remote != ice.remote {
            self.restart(checks, now);
        }
        self.ice.clone_from(ice);
        self.pacing = checks.pacing;
        self.add_candidates(checks);
    }

    fn add_candidates(&mut self, checks: &IceChecks) {
        for candidate in &checks.candidates {
            self.list.add(candidate.address, candidate.priority);
        }
    }

    /// RFC 8445 §9: all is forgotten but the roles, and the path that goes on until another is nominated. Roles are found
    /// anew only where the far end has become lite, or full.
    fn restart(&mut self, checks: &IceChecks, now: Instant) {
        let path = self.destination();
        if self.found_at.is_some() || self.before.is_none() {
            self.before = Some(Before { ice: self.ice.clone(), path });
        }
        if self.lite != checks.lite {
            self.lite = checks.lite;
            self.role = role_of(checks);
        }
        self.list = Checklist::new(self.role);
        self.flight.clear();
        self.conflicts = 0;
        (self.selected, self.found_at, self.nominated_at) = (None, None, None);
        self.agreed_at = path.map(|_| now);
        self.next_check_at = now;
        self.heard_at = now;
    }

    pub fn hear(&mut self, message: &Message<'_>, datagram: &[u8], from: SocketAddr, now: Instant) -> Heard {
        match message.class {
            Class::Request => self.answer(message, datagram, from, now),
            Class::Success | Class::Error => match self.take_answer(message, datagram, from, now) {
                Some(()) => Heard::Taken,
                None => Heard::Refused,
            },
        }
    }

    fn answer(&mut self, message: &Message<'_>, datagram: &[u8], from: SocketAddr, now: Instant) -> Heard {
        let fits = |ice: &Ice| is_meant(message, datagram, ice);
        let old = !fits(&self.ice);
        if old && !self.before.as_ref().is_some_and(|before| fits(&before.ice)) {
            return Heard::Refused;
        }
        let transaction = &message.transaction;
        if message.unknown.is_some() {
            let error = Answer::error(transaction, UNKNOWN_ATTRIBUTE, message.unknown, self.password(old));
            return Heard::Answer(error);
        }
        if !old && self.is_refused_for_its_role(message) {
            return Heard::Answer(Answer::error(transaction, ROLE_CONFLICT, None, self.password(old)));
        }
        self.heard_at = now;
        self.checks_come = true;
        if !old {
            self.checked(message, from, now);
        }
        Heard::Answer(Answer::success(transaction, from, self.password(old)))
    }

    /// Our own, by which answers are made.
    fn password(&self, old: bool) -> &[u8] {
        let before = self.before.as_ref().filter(|_| old);
        before.map_or(&self.ice, |before| &before.ice).local.password.as_bytes()
    }

    /// RFC 8445 §7.3.1.1: where both take themselves for the same, the higher tie-breaker controls. A far end that is lite
    /// never does.
    fn is_refused_for_its_role(&mut self, message: &Message<'_>) -> bool {
        let Some((role, theirs)) = message.role else { return false };
        if self.lite || role != self.role {
            return false;
        }
        let keeps_role = (self.tie_breaker >= theirs) == (self.role == Role::Controlling);
        if !keeps_role && self.conflicts < CONFLICTS {
            self.change_role();
        }
        keeps_role
    }

    fn change_role(&mut self) {
        self.conflicts += 1;
        self.role = self.role.other();
        self.list.set_role(self.role);
        self.flight.drop_nominations();
        // Whoever controls now chooses anew; meanwhile the best that works is used.
        (self.selected, self.nominated_at) = (None, None);
    }

    /// A check has come from there: what it tells of the far end (RFC 8445 §7.3.1.3 to §7.3.1.5).
    fn checked(&mut self, message: &Message<'_>, from: SocketAddr, now: Instant) {
        let nominates = message.nominates && self.role == Role::Controlled;
        let Some(pair) = self.list.learn(from, message.priority.unwrap_or(LOWEST)) else { return };
        pair.heard_at = Some(now);
        pair.nominated |= nominates;
        match pair.state {
            State::Succeeded if nominates => self.follow_nomination(from, now),
            State::Succeeded => {}
            State::InProgress if self.flight.went_lately(from, LATELY, now) => {}
            State::InProgress | State::Waiting | State::Failed => {
                self.flight.follow(from, now);
                self.list.trigger(from);
            }
        }
    }

    /// An answer counts where it is the far end's, comes from where the check went, and says where it found us.
    fn take_answer(&mut self, message: &Message<'_>, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<()> {
        let check = *self.flight.find(&message.transaction)?;
        let ice = if check.before { &self.before.as_ref()?.ice } else { &self.ice };
        let authentic = message.is_authentic(datagram, ice.remote.password.as_bytes());
        if check.to != from || !authentic || message.unknown.is_some() {
            return None;
        }
        if message.class == Class::Success {
            message.mapped.filter(|mapped| mapped.is_ipv4() == from.is_ipv4())?;
            self.flight.remove(&check.transaction);
            self.succeeded(&check, now);
        } else {
            let error = message.error?;
            self.flight.remove(&check.transaction);
            self.refused(&check, error);
        }
        Some(())
    }

    fn succeeded(&mut self, check: &Flying, now: Instant) {
        self.heard_at = now;
        if !check.before {
            let Some(pair) = self.list.get_mut(check.to) else { return };
            pair.state = State::Succeeded;
            pair.heard_at = Some(now);
            let nominated = pair.nominated;
            if self.found_at.is_none() {
                self.found_at = Some(now);
                self.consent_at = now + self.pause();
            }
            match (self.role, check.purpose) {
                (Role::Controlling, Purpose::Nomination) => self.select(check.to, now),
                (Role::Controlled, _) if nominated => self.follow_nomination(check.to, now),
                _ => {}
            }
        }
        if self.destination() == Some(check.to) {
            self.agreed_at = Some(now);
        }
    }

    /// RFC 8445 §7.2.5.1: who is told of a conflict takes the other role and checks again. Any other error is the end of
    /// the pair.
    fn refused(&mut self, check: &Flying, error: u16) {
        if check.purpose == Purpose::Consent || check.before {
            return;
        }
        if error != ROLE_CONFLICT || self.lite || self.conflicts >= CONFLICTS {
            if !self.flight.has(check.to) {
                self.list.set_state(check.to, State::Failed);
            }
            return;
        }
        if check.role == self.role && check.tie_breaker == self.tie_breaker {
            self.change_role();
            self.tie_breaker = self.rng.next_u64();
        }
        self.list.trigger(check.to);
    }

    /// The far end means this pair, which works.
    fn follow_nomination(&mut self, path: SocketAddr, now: Instant) {
        let settled = *self.nominated_at.get_or_insert(now) + SETTLES <= now;
        let follows = |selected| settled || self.list.is_better(path, selected);
        if self.selected != Some(path) && self.selected.is_none_or(follows) {
            self.select(path, now);
        }
    }

    fn select(&mut self, path: SocketAddr, now: Instant) {
        self.selected = Some(path);
        self.before = None;
        self.agreed_at = Some(now);
        self.consent_at = now + self.pause();
        let final_choice = self.role == Role::Controlling;
        self.list.settle(path, final_choice);
        let list = &self.list;
        self.flight.settle(path, now, |other| final_choice || !list.is_better(other, path));
    }

    pub fn knows(&self, address: SocketAddr) -> bool {
        let was = || self.before.as_ref().is_some_and(|before| before.path == Some(address));
        let heard = || self.list.get(address).is_some_and(|pair| pair.heard_at.is_some());
        self.selected == Some(address) || heard() || was()
    }

    /// Before anything is nominated it is the best that works (RFC 8445 §12.1), and what there was before a restart.
    pub fn destination(&self) -> Option<SocketAddr> {
        let best = || self.list.best().map(|pair| pair.remote);
        let was = || self.before.as_ref()?.path;
        self.selected.or_else(best).or_else(was).filter(|_| !self.gone)
    }

    /// It has not agreed for too long (RFC 7675 §5.1), or nothing has come from it at all: a far end that sends checks is
    /// heard more often than it is asked.
    pub fn gone_at(&self) -> Instant {
        let silence = match (self.checks_come, self.found_at.is_some() || self.before.is_some()) {
            (true, _) => CONSENT,
            (false, true) => EXPIRES,
            (false, false) => FIRST,
        };
        let silent_at = self.heard_at + silence;
        self.agreed_at.map_or(silent_at, |at| silent_at.min(at + EXPIRES))
    }
}

fn role_of(checks: &IceChecks) -> Role {
    if checks.controlling || checks.lite { Role::Controlling } else { Role::Controlled }
}
