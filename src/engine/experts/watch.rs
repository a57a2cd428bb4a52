//! The far end of an expert is asked by OPTIONS whether it is there: a subscription alone would show its death at its expiry.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::{Engine, LogLevel, Timer};
use super::ExpertWay;
use crate::ids::ExpertId;
use crate::sip::message::{Headers, Method, NameAddr};
use crate::sip::ua::{RequestTicket, SingleRequest};
use crate::time::Now;
use crate::views::Presence;

/// What is not answered by then counts as failed, though an answer is still taken: waiting for the 32 s of a transaction
/// twice would take too long.
const PATIENCE: Duration = Duration::from_secs(8);
/// After the first failure it is asked again this soon.
const AGAIN: Duration = Duration::from_secs(2);
/// Failures in a row by which the far end is gone.
const GONE: u32 = 2;

/// The far end of one expert.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Far {
    asked: Option<RequestTicket>,
    failures: u32,
    /// `None` until it is known.
    pub reachable: Option<bool>,
    /// It has answered OPTIONS at least once.
    answers: bool,
}

impl Engine {
    /// Asks the far end whether it is there. One that has never answered OPTIONS is asked by a refresh as well, which every
    /// notifier has to answer by NOTIFY.
    pub(in super::super) fn ask_expert(&mut self, id: &ExpertId, now: Now) {
        let Some(watched) = self.experts.watched.get(id) else { return };
        let (settings, answers) = (watched.settings.clone(), watched.far.answers);
        let live = [watched.presence.subscription, watched.dialog.subscription].into_iter().flatten().next();
        self.timers.set(Timer::ExpertSilent(id.clone()), now.instant + PATIENCE);
        if let Some(subscription) = live.filter(|_| !answers && watched.far.reachable == Some(true)) {
            self.ua.refresh_subscription(subscription, now.instant);
        }
        let Some(ExpertWay { phone, from, credentials }) = self.expert_way(&settings, now) else { return };
        let request = SingleRequest {
            method: Method::Options,
            to: phone.to,
            to_header: NameAddr::new(phone.uri.clone()),
            request_uri: phone.uri,
            from,
            headers: Headers::default(),
            body: Bytes::new(),
            credentials,
        };
        let ticket = self.ua.request(request, now.instant);
        self.experts.asked.insert(ticket.0, id.clone());
        if let Some(watched) = self.experts.watched.get_mut(id) {
            watched.far.asked = Some(ticket);
        }
    }

    /// The answer to an OPTIONS; `false` where the ticket is none of these.
    pub(in super::super) fn expert_answered(&mut self, ticket: RequestTicket, status: u16, now: Now) -> bool {
        let Some(id) = self.experts.asked_by(ticket) else { return false };
        let Some(watched) = self.experts.watched.get_mut(&id) else { return true };
        let current = watched.far.asked.take_if(|asked| *asked == ticket).is_some();
        if matches!(status, 408 | 503) {
            if current {
                self.expert_silent(&id, now);
            }
            return true;
        }
        watched.far.answers = true;
        watched.known.options = Some(watched.known.word(told_by_options(status), now));
        self.expert_heard(&id, now);
        self.show_expert(&id, now);
        true
    }

    /// It has said something, whatever it was.
    pub(super) fn expert_heard(&mut self, id: &ExpertId, now: Now) {
        let Some(watched) = self.experts.watched.get_mut(id) else { return };
        // It need not answer what it was asked any more.
        (watched.far.failures, watched.far.asked) = (0, None);
        let was = watched.far.reachable.replace(true);
        let interval = watched.settings.options_interval;
        self.timers.clear(&Timer::ExpertSilent(id.clone()));
        if !interval.is_zero() {
            self.timers.set(Timer::ExpertOptions(id.clone()), now.instant + interval);
        }
        if was == Some(false) {
            self.log(LogLevel::Info, format!("expert {id}: their telephony answers again"));
            self.subscribe_to_missing(id, now);
        }
    }

    /// An OPTIONS was not answered, or could not be delivered.
    pub(in super::super) fn expert_silent(&mut self, id: &ExpertId, now: Now) {
        self.timers.clear(&Timer::ExpertSilent(id.clone()));
        let Some(watched) = self.experts.watched.get_mut(id) else { return };
        watched.far.failures = watched.far.failures.saturating_add(1);
        let gone = watched.far.failures >= GONE;
        let next = if gone { watched.settings.options_interval } else { AGAIN };
        self.timers.set(Timer::ExpertOptions(id.clone()), now.instant + next);
        if !gone {
            return;
        }
        watched.known.options = None;
        if watched.far.reachable.replace(false) != Some(false) {
            self.log(LogLevel::Warn, format!("expert {id}: their telephony does not answer; presence is unknown"));
            self.subscriptions_gone(id, now);
        }
        self.show_expert(id, now);
    }
}

/// RFC 3261 §11.2: the response to OPTIONS "MUST be the same that would have been chosen had the request been an INVITE".
/// So a refusal tells something; a 200 tells no more than that the telephony is there.
fn told_by_options(status: u16) -> Presence {
    match status {
        486 | 600 => Presence::Busy,
        404 | 410 | 480 | 604 => Presence::Offline,
        _ => Presence::Unknown,
    }
}
