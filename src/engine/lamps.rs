//! Lamps of our own phones: an agent's phone that subscribes to a colleague's line (RFC 4235) is told when that one is rung,
//! talks, and is idle again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::ids::AgentId;
use crate::sip::Flow;
use crate::sip::auth::Verdict;
use crate::sip::message::{Request, Response, Uri};
use crate::sip::ua::{RequestTicket, Terms, WatcherId};
use crate::time::Now;
use crate::views::AgentState;

const MEDIA_TYPE: &str = "application/dialog-info+xml";

/// Who watches whose line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lamps {
    watchers: BTreeMap<u64, Lamp>,
    by_agent: BTreeMap<AgentId, BTreeSet<u64>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lamp {
    agent: AgentId,
    /// Of the next document.
    version: u32,
    told: Line,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Line {
    Idle,
    Ringing,
    Busy,
}

impl Line {
    fn of(state: AgentState) -> Line {
        match state {
            AgentState::Ringing => Line::Ringing,
            AgentState::Talking | AgentState::Holding => Line::Busy,
            AgentState::LoggedOut
            | AgentState::Available
            | AgentState::Reserved
            | AgentState::WrapUp
            | AgentState::Paused
            | AgentState::NotResponding => Line::Idle,
        }
    }

    /// RFC 4235 §3.7.1.
    fn name(self) -> &'static str {
        match self {
            Line::Idle => "terminated",
            Line::Ringing => "early",
            Line::Busy => "confirmed",
        }
    }
}

#[cfg(test)]
impl Lamps {
    pub fn is_dark(&self) -> bool {
        self.watchers.is_empty() && self.by_agent.is_empty()
    }
}

impl Engine {
    /// SUBSCRIBE outside a dialog. An agent's phone proves who it is, as for a call.
    pub(super) fn subscribed(&mut self, ticket: RequestTicket, flow: Flow, request: &Request, now: Now) {
        match self.admit_watcher(request, now) {
            Ok((agent, terms)) => {
                let Some(watcher) = self.ua.grant(ticket, request, flow, MEDIA_TYPE, terms, now.instant) else {
                    return;
                };
                let lamp = Lamp { agent: agent.clone(), version: 0, told: Line::Idle };
                self.lamps.watchers.insert(watcher.0, lamp);
                self.lamps.by_agent.entry(agent).or_default().insert(watcher.0);
                self.tell_watcher(watcher, now);
            }
            Err(response) => self.ua.respond(ticket, *response, now.instant),
        }
    }

    fn admit_watcher(&mut self, request: &Request, now: Now) -> Result<(AgentId, Terms), Box<Response>> {
        let refusal = |status: u16| Box::new(request.response(status.into(), None));
        let user = user_of(&request.core.from.uri).unwrap_or_default();
        let agents = &self.settings.agents;
        let password = agents.iter().find(|agent| agent.id.as_str() == user).and_then(|agent| agent.password.clone());
        match self.authenticator.verify(request, user, password.as_deref(), now.instant) {
            Verdict::Accepted => {}
            Verdict::Challenge(headers) => {
                let mut response = refusal(401);
                response.headers.extend(headers);
                return Err(response);
            }
            Verdict::Refused => return Err(refusal(403)),
            Verdict::Misdirected => return Err(refusal(400)),
        }
        let event = request.headers.get("Event").unwrap_or_default().split(';').next().unwrap_or_default();
        if !event.trim().eq_ignore_ascii_case("dialog") {
            let mut response = refusal(489);
            response.headers.push("Allow-Events", "dialog");
            return Err(response);
        }
        let accepts = |kind| request.headers.lists("Accept", kind);
        if request.headers.contains("Accept") && !accepts(MEDIA_TYPE) && !accepts("*/*") {
            return Err(refusal(406));
        }
        let watched = user_of(&request.uri).and_then(|user| agents.iter().find(|agent| agent.id.as_str() == user));
        let agent = watched.ok_or_else(|| refusal(404))?.id.clone();
        let terms = Terms { least: self.settings.sip.min_expires, most: self.settings.sip.max_expires };
        Ok((agent, terms))
    }

    /// A watcher asks for the state anew, or has taken its subscription back and gets the last word.
    pub(super) fn watched(&mut self, watcher: WatcherId, now: Now) {
        self.tell_watcher(watcher, now);
    }

    pub(super) fn unwatched(&mut self, watcher: WatcherId) {
        let Some(lamp) = self.lamps.watchers.remove(&watcher.0) else { return };
        if let Some(watchers) = self.lamps.by_agent.get_mut(&lamp.agent) {
            watchers.remove(&watcher.0);
            if watchers.is_empty() {
                self.lamps.by_agent.remove(&lamp.agent);
            }
        }
    }

    /// An agent's state has changed: those who watch are told, where it shows on a lamp.
    pub(super) fn light_lamps(&mut self, agent: &AgentId, now: Now) {
        let Some(watchers) = self.lamps.by_agent.get(agent).cloned() else { return };
        let line = self.line_of(agent);
        for watcher in watchers {
            if self.lamps.watchers.get(&watcher).is_some_and(|lamp| lamp.told != line) {
                self.tell_watcher(WatcherId(watcher), now);
            }
        }
    }

    fn line_of(&self, agent: &AgentId) -> Line {
        self.acd.agent_view(agent).map_or(Line::Idle, |view| Line::of(view.state))
    }

    fn tell_watcher(&mut self, watcher: WatcherId, now: Now) {
        let Some(agent) = self.lamps.watchers.get(&watcher.0).map(|lamp| lamp.agent.clone()) else { return };
        let line = self.line_of(&agent);
        let Some(lamp) = self.lamps.watchers.get_mut(&watcher.0) else { return };
        lamp.told = line;
        // Ids and the domain have letters, digits and `.-_+` alone.
        let document = format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{}\" \
             state=\"full\" entity=\"sip:{agent}@{}\"><dialog id=\"{agent}\" direction=\"recipient\"><state>{}</state>\
             </dialog></dialog-info>\n",
            lamp.version,
            self.settings.sip.domain,
            line.name()
        );
        lamp.version = lamp.version.saturating_add(1);
        self.ua.notify(watcher, Bytes::from(document), now.instant);
    }
}

fn user_of(uri: &Uri) -> Option<&str> {
    match uri {
        Uri::Sip(uri) => uri.user.as_deref(),
        Uri::Tel { .. } | Uri::Other(_) => None,
    }
}
