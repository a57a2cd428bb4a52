//! The check list (RFC 8445 §6.1.2). We have one socket, so that a pair is an address of the far end's: whatever candidates
//! of ours a check could come from, it comes from there, and all such pairs but one are redundant (§6.1.2.4). Nothing is
//! frozen: there is no second component or stream that could learn from the first.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::super::stun::Role;
use crate::security::{ICE_HOST, ice_priority};
use crate::time::Instant;

/// Pairs at once (RFC 8445 §6.1.2.5 wants a bound, of 100 or less).
pub const PAIRS: usize = 64;

/// Of our candidate that stands first.
const OURS: u32 = ice_priority(ICE_HOST, 65_535);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    InProgress,
    Succeeded,
    Failed,
}

pub struct Pair {
    pub remote: SocketAddr,
    /// Of the far end's candidate.
    candidate: u32,
    priority: u64,
    pub state: State,
    /// The far end wants it used, as soon as it is found to work.
    pub nominated: bool,
    /// When something authentic last came by it.
    pub heard_at: Option<Instant>,
}

/// Pairs, best first.
pub struct Checklist {
    role: Role,
    pairs: Vec<Pair>,
    /// To be checked before all others, in this order (RFC 8445 §6.1.4.1).
    triggered: VecDeque<SocketAddr>,
}

/// RFC 8445 §6.1.2.3.
fn pair_priority(role: Role, ours: u32, theirs: u32) -> u64 {
    let (controlling, controlled) = match role {
        Role::Controlling => (ours, theirs),
        Role::Controlled => (theirs, ours),
    };
    let (low, high) = (u64::from(ours.min(theirs)), u64::from(ours.max(theirs)));
    (low << 32) + 2 * high + u64::from(controlling > controlled)
}

impl Checklist {
    pub fn new(role: Role) -> Checklist {
        Checklist { role, pairs: Vec::new(), triggered: VecDeque::new() }
    }

    /// The far end may be there, as it says itself.
    pub fn add(&mut self, remote: SocketAddr, candidate: u32) {
        self.learn(remote, candidate);
        if let Some(pair) = self.get_mut(remote) {
            // What was learnt from a check has a name now, and the priority that goes with it.
            pair.candidate = candidate;
        }
        self.sort();
    }

    /// The far end is there, by a check of its own; where it was not known to be, this is a candidate (RFC 8445 §7.3.1.3).
    /// `None` where there is no room.
    pub fn learn(&mut self, remote: SocketAddr, candidate: u32) -> Option<&mut Pair> {
        if self.get(remote).is_none() {
            if self.pairs.len() == PAIRS && !self.make_room() {
                return None;
            }
            let priority = pair_priority(self.role, OURS, candidate);
            let state = State::Waiting;
            self.pairs.push(Pair { remote, candidate, priority, state, nominated: false, heard_at: None });
            self.sort();
        }
        self.get_mut(remote)
    }

    /// Forgets the worst of those that came to nothing, or that were never heard of.
    fn make_room(&mut self) -> bool {
        let worst = |wanted: State| {
            self.pairs
                .iter()
                .rposition(|pair| pair.state == wanted && (wanted != State::Waiting || pair.heard_at.is_none()))
        };
        let Some(at) = worst(State::Failed).or_else(|| worst(State::Waiting)) else { return false };
        self.pairs.remove(at);
        true
    }

    pub fn get(&self, remote: SocketAddr) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.remote == remote)
    }

    pub fn get_mut(&mut self, remote: SocketAddr) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.remote == remote)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    pub fn set_state(&mut self, remote: SocketAddr, state: State) {
        if let Some(pair) = self.get_mut(remote) {
            pair.state = state;
        }
    }

    /// To be checked next.
    pub fn trigger(&mut self, remote: SocketAddr) {
        self.set_state(remote, State::Waiting);
        if !self.triggered.contains(&remote) && self.triggered.len() < PAIRS {
            self.triggered.push_back(remote);
        }
    }

    /// What is to be checked next, if anything.
    pub fn next(&self) -> Option<SocketAddr> {
        let waits = |remote: &SocketAddr| self.get(*remote).is_some_and(|pair| pair.state == State::Waiting);
        let triggered = self.triggered.iter().copied().find(waits);
        triggered.or_else(|| self.pairs.iter().find(|pair| pair.state == State::Waiting).map(|pair| pair.remote))
    }

    /// A check of this pair has gone out.
    pub fn begun(&mut self, remote: SocketAddr) {
        self.set_state(remote, State::InProgress);
        self.triggered.retain(|other| *other != remote);
    }

    /// The best pair that works.
    pub fn best(&self) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.state == State::Succeeded)
    }

    /// Whether something better than this pair may still be found to work.
    pub fn hopes_above(&self, remote: SocketAddr) -> bool {
        let mut better = self.pairs.iter().take_while(|pair| pair.remote != remote);
        better.any(|pair| matches!(pair.state, State::Waiting | State::InProgress))
    }

    pub fn is_better(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let priority = |remote| self.get(remote).map(|pair| pair.priority);
        priority(one) > priority(other)
    }

    /// This pair is used: what is worse, or any other where the choice is `last`, is not looked for any more unless the far
    /// end shows itself there (RFC 8445 §8.1.2).
    pub fn settle(&mut self, remote: SocketAddr, last: bool) {
        let Some(at) = self.pairs.iter().position(|pair| pair.remote == remote) else { return };
        for pair in self.pairs.iter_mut().skip(if last { 0 } else { at }) {
            pair.nominated = false;
            if pair.state == State::Waiting && pair.heard_at.is_none() {
                pair.state = State::Failed;
            }
        }
    }

    /// Who controls has changed, and with it what pairs count (RFC 8445 §7.3.1.1).
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
        self.pairs.iter_mut().for_each(|pair| pair.nominated = false);
        self.sort();
    }

    /// Pairs that still may come to something.
    pub fn open(&self) -> usize {
        self.pairs.iter().filter(|pair| matches!(pair.state, State::Waiting | State::InProgress)).count()
    }

    fn sort(&mut self) {
        let role = self.role;
        self.pairs.iter_mut().for_each(|pair| pair.priority = pair_priority(role, OURS, pair.candidate));
        self.pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.priority), pair.remote));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u16) -> SocketAddr {
        ([192, 0, 2, 1], number).into()
    }

    #[test]
    fn a_pair_counts_what_rfc_8445_says() {
        assert_eq!(pair_priority(Role::Controlling, 3, 2), (2 << 32) + 6 + 1);
        assert_eq!(pair_priority(Role::Controlled, 3, 2), (2 << 32) + 6);
        assert_eq!(pair_priority(Role::Controlled, 2, 3), (2 << 32) + 6 + 1);
        let highest = i32::MAX.unsigned_abs();
        assert_eq!(pair_priority(Role::Controlling, highest, highest), 0x7fff_ffff_ffff_fffe);
        // A far end may say anything of itself.
        assert!(pair_priority(Role::Controlled, OURS, u32::MAX) > pair_priority(Role::Controlled, OURS, highest));
        assert_eq!(ice_priority(ICE_HOST, 65_535), 2_130_706_431);
    }

    #[test]
    fn the_best_is_checked_first_and_what_is_triggered_before_it() {
        let mut list = Checklist::new(Role::Controlling);
        for (port, candidate) in [(1, 100), (2, 300), (3, 200)] {
            list.add(at(port), candidate);
        }
        list.trigger(at(1));
        let mut order = Vec::new();
        while let Some(next) = list.next() {
            list.begun(next);
            order.push(next.port());
        }
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(list.open(), 3);
        list.set_state(at(3), State::Succeeded);
        assert!(list.hopes_above(at(3)) && list.best().is_some_and(|pair| pair.remote == at(3)));
        list.set_state(at(2), State::Failed);
        assert!(!list.hopes_above(at(3)));
    }

    #[test]
    fn a_pair_stands_once_whoever_told_of_it() {
        let mut list = Checklist::new(Role::Controlled);
        list.learn(at(1), 10);
        list.add(at(1), 1_000);
        list.add(at(2), 500);
        assert_eq!(list.iter().map(|pair| pair.remote.port()).collect::<Vec<_>>(), [1, 2]);
        assert!(list.is_better(at(1), at(2)) && !list.is_better(at(2), at(1)));
    }

    #[test]
    fn no_more_pairs_are_kept_than_there_is_room_for() {
        let mut list = Checklist::new(Role::Controlled);
        for port in 1..1_000 {
            list.add(at(port), u32::from(port));
        }
        assert_eq!(list.iter().count(), PAIRS);
        for port in 936..1_000 {
            list.set_state(at(port), State::Succeeded);
        }
        let all: Vec<SocketAddr> = list.iter().map(|pair| pair.remote).collect();
        all.iter().for_each(|remote| list.set_state(*remote, State::Succeeded));
        assert!(list.learn(at(2_000), 5).is_none(), "what works is kept");
        list.set_state(all[7], State::Failed);
        assert!(list.learn(at(2_000), 5).is_some() && list.get(all[7]).is_none());
        for remote in all {
            list.trigger(remote);
            list.trigger(remote);
        }
        assert!(list.triggered.len() <= PAIRS);
    }

    #[test]
    fn what_is_used_ends_the_search_for_worse() {
        let mut list = Checklist::new(Role::Controlled);
        for (port, candidate) in [(1, 100), (2, 300), (3, 200)] {
            list.add(at(port), candidate);
        }
        list.set_state(at(3), State::Succeeded);
        list.settle(at(3), false);
        let states = |list: &Checklist| list.iter().map(|pair| pair.state).collect::<Vec<State>>();
        assert_eq!(states(&list), [State::Waiting, State::Succeeded, State::Failed]);
        list.settle(at(3), true);
        assert_eq!(states(&list), [State::Failed, State::Succeeded, State::Failed]);
    }
}
