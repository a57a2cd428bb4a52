//! Legs of browsers whose connection is gone: the page was loaded anew, the network was cut, or the browser is no more.
//! While their voice still comes the talk goes on. When it does not, who talks with them hears music for a while, in which
//! the page comes back: by the same phone, which registers by a new connection, or by a new one, whose INVITE takes the
//! place of the old leg (Replaces, RFC 3891).

use std::time::Duration;

use super::{Engine, LogLevel, Timer};
use crate::bridge::MediaCommand;
use crate::ids::{CallId, LegId};
use crate::sip::message::Uri;
use crate::sip::{Destination, Flow};
use crate::time::Now;

/// A voice that has not come for so long, when the connection is gone too, is not late.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a page has to come back from then on: to load, to log in and to register.
const PATIENCE: Duration = Duration::from_secs(15);

impl Engine {
    /// The connection is gone by which these phones were heard.
    pub(super) fn went_astray(&mut self, flow: &Flow) {
        if !flow.transport.is_web_socket() {
            return;
        }
        for session in self.ua.sessions_by(flow) {
            let Some((call, leg)) = self.sessions.get(&session).copied() else { continue };
            if self.leg_is_up(call, leg) {
                self.astray.insert(leg, *flow);
                self.media(MediaCommand::Watch { leg, silence: Some(SILENCE) });
            }
        }
    }

    /// Nothing is heard of the leg: whether its page has time to come back.
    pub(super) fn is_waited_for(&mut self, call: CallId, leg: LegId, now: Now) -> bool {
        let waited_for = self.astray.contains_key(&leg);
        if waited_for && self.set_astray(call, leg, true) {
            self.log(LogLevel::Info, format!("call {call}: the browser of leg {leg} is gone; it may come back"));
            self.timers.set(Timer::Astray(leg), now.instant + PATIENCE);
            self.wire(call, now);
        }
        waited_for
    }

    /// It has not come back.
    pub(super) fn astray_too_long(&mut self, leg: LegId, now: Now) {
        if self.astray.remove(&leg).is_some() {
            self.leg_died(leg, "its page has not come back", now);
        }
    }

    /// A phone of the agent registers by `flow`: what it was in the middle of goes on by that.
    pub(super) fn came_back(&mut self, user: &str, contact: &Uri, flow: Flow, now: Now) {
        for leg in self.astray.keys().copied().collect::<Vec<_>>() {
            let Some(call) = self.legs.get(&leg).copied() else { continue };
            let Some(found) = self.calls.get(&call).and_then(|live| live.call.legs.get(&leg)) else { continue };
            // By its address in what it called with, where it is a caller.
            let is_theirs = found.agent.as_ref().map_or(found.address.as_str(), |agent| agent.as_str()) == user;
            if is_theirs && self.ua.move_to(found.session, contact, flow) {
                self.found_again(call, leg, now);
            }
        }
    }

    /// Looks whether one of them was heard by another connection, or is over.
    pub(super) fn look_for_astray(&mut self, now: Now) {
        for (leg, lost) in self.astray.clone() {
            let call = self.legs.get(&leg).copied();
            let found = call.and_then(|call| self.calls.get(&call)?.call.legs.get(&leg));
            let path = found.filter(|leg| leg.is_up()).and_then(|leg| self.ua.path(leg.session));
            match (call, path) {
                (_, Some(path)) if path == Destination::Flow(lost) => {}
                (Some(call), Some(_)) => self.found_again(call, leg, now),
                _ => {
                    self.astray.remove(&leg);
                    self.timers.clear(&Timer::Astray(leg));
                }
            }
        }
    }

    fn found_again(&mut self, call: CallId, leg: LegId, now: Now) {
        self.astray.remove(&leg);
        self.timers.clear(&Timer::Astray(leg));
        self.media(MediaCommand::Watch { leg, silence: None });
        if self.set_astray(call, leg, false) {
            self.wire(call, now);
        }
    }

    fn leg_is_up(&self, call: CallId, leg: LegId) -> bool {
        self.calls.get(&call).and_then(|live| live.call.legs.get(&leg)).is_some_and(|leg| leg.is_up())
    }

    /// Whether this changed anything.
    fn set_astray(&mut self, call: CallId, leg: LegId, astray: bool) -> bool {
        let leg = self.live(call).and_then(|live| live.call.legs.get_mut(&leg));
        leg.filter(|leg| leg.is_up()).is_some_and(|leg| std::mem::replace(&mut leg.astray, astray) != astray)
    }
}
