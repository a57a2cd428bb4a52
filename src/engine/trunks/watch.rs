//! Every target of a trunk is asked by OPTIONS whether it is there.

use std::time::Duration;

use bytes::Bytes;

use super::super::{Engine, Timer};
use super::{Asked, RETRY, TargetId, host_of, named, server_of, shows_down, sip_uri};
use crate::sip::message::{Headers, Host, Method, Response};
use crate::sip::ua::SingleRequest;
use crate::time::Now;

impl Engine {
    /// Sees to it that a target is asked as often as its trunk wants, or never.
    pub(super) fn watch(&mut self, id: TargetId, now: Now) {
        let timer = Timer::Options(id.clone());
        if self.interval(&id).is_none() {
            self.timers.clear(&timer);
        } else if self.timers.get(&timer).is_none() && !self.trunks.is_asked(&Asked::Options(id)) {
            self.timers.set(timer, now.instant);
        }
    }

    /// Asks a watched target out of its turn.
    pub(super) fn ask_now(&mut self, id: &TargetId, now: Now) {
        if self.interval(id).is_some() && !self.trunks.is_asked(&Asked::Options(id.clone())) {
            self.timers.set(Timer::Options(id.clone()), now.instant);
        }
    }

    /// How often a target is asked; `None` where its trunk is not watched or the target is no longer there.
    fn interval(&mut self, id: &TargetId) -> Option<Duration> {
        self.trunks.target(id)?;
        let interval = self.trunk(&id.server.trunk)?.options_interval;
        (!interval.is_zero()).then_some(interval)
    }

    pub(in super::super) fn ask_options(&mut self, id: TargetId, now: Now) {
        if self.interval(&id).is_none() {
            return;
        }
        let Some(server) = server_of(&self.settings.trunks, &id.server) else { return };
        let there = sip_uri(None, host_of(server), server.port);
        let here = sip_uri(Some("relais"), Host::Name(self.settings.sip.domain.clone()), None);
        let request = SingleRequest {
            method: Method::Options,
            to: id.to,
            request_uri: there.clone(),
            from: named(here),
            to_header: named(there),
            headers: Headers::default(),
            body: Bytes::new(),
            credentials: None,
        };
        let ticket = self.ua.request(request, now.instant);
        self.trunks.asked.insert(ticket, Asked::Options(id));
    }

    pub(super) fn options_answered(&mut self, id: &TargetId, response: &Response, now: Now) {
        let Some(interval) = self.interval(id) else { return };
        let down = shows_down(response.code());
        let next = if down { interval.min(RETRY) } else { interval };
        self.timers.set(Timer::Options(id.clone()), now.instant + next);
        if down {
            self.target_is_down(id, now);
        } else {
            self.target_is_up(id, now);
        }
    }
}
