//! Lamps of our own phones. A phone that subscribes to a colleague's line or to a queue (RFC 4235) is told when that one
//! is rung, talks, and is idle again; one that subscribes to a mailbox (RFC 3842) is told how many messages wait in it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::{Deserialize, Serialize};

use super::mailboxes::Waiting;
use super::{Engine, pairs};
use crate::ids::{AgentId, QueueId};
use crate::settings::Agent;
use crate::sip::Flow;
use crate::sip::auth::Verdict;
use crate::sip::message::{Request, Response, Uri};
use crate::sip::ua::{RequestTicket, Terms, WatcherId};
use crate::time::Now;
use crate::views::AgentState;

/// What a user part has as it is (RFC 3261 §25.1, `unreserved`, and `+` of numbers); a mailbox is named as a plan likes.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'+');

/// Who watches what.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lamps {
    watchers: BTreeMap<u64, Lamp>,
    #[serde(with = "pairs")]
    by: BTreeMap<Watched, BTreeSet<u64>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lamp {
    watched: Watched,
    /// What it was asked for by: a queue has more than one name.
    named: String,
    /// Whose phone has it.
    owner: AgentId,
    /// Of the next document.
    version: u32,
    told: Shown,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Watched {
    Agent(AgentId),
    Queue(QueueId),
    Mailbox(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Shown {
    Line(Line),
    Messages(Waiting),
}

/// A subscription that is granted.
struct Admitted {
    owner: AgentId,
    named: String,
    watched: Watched,
    offered: Offered,
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

/// What can be subscribed to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    Dialog,
    MessageSummary,
}

impl Offered {
    const NAMES: &str = "dialog, message-summary";

    fn of(event: &str) -> Option<Offered> {
        let package = event.split(';').next().unwrap_or_default().trim();
        let named = |name: &str| package.eq_ignore_ascii_case(name);
        match () {
            () if named("dialog") => Some(Offered::Dialog),
            () if named("message-summary") => Some(Offered::MessageSummary),
            () => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Offered::Dialog => "application/dialog-info+xml",
            Offered::MessageSummary => "application/simple-message-summary",
        }
    }
}

#[cfg(test)]
impl Lamps {
    pub fn is_dark(&self) -> bool {
        self.watchers.is_empty() && self.by.is_empty()
    }
}

impl Engine {
    /// SUBSCRIBE outside a dialog. An agent's phone proves who it is, as for a call.
    pub(super) fn subscribed(&mut self, ticket: RequestTicket, flow: Flow, request: &Request, now: Now) {
        match self.admit_watcher(request, now) {
            Ok(Admitted { owner, named, watched, offered }) => {
                let terms = Terms { least: self.settings.sip.min_expires, most: self.settings.sip.max_expires };
                let granted = self.ua.grant(ticket, request, flow, offered.media_type(), terms, now.instant);
                let Some(watcher) = granted else { return };
                let told = Shown::Line(Line::Idle);
                let lamp = Lamp { watched: watched.clone(), named, owner, version: 0, told };
                self.lamps.watchers.insert(watcher.0, lamp);
                self.lamps.by.entry(watched).or_default().insert(watcher.0);
                self.tell_watcher(watcher, now);
            }
            Err(response) => self.ua.respond(ticket, *response, now.instant),
        }
    }

    /// Whose phone it is, and what it may watch.
    fn admit_watcher(&mut self, request: &Request, now: Now) -> Result<Admitted, Box<Response>> {
        let refusal = |status: u16| Box::new(request.response(status.into(), None));
        let user = user_of(&request.core.from.uri).unwrap_or_default();
        match self.prove(request, user, now) {
            Verdict::Accepted => {}
            Verdict::Challenge(headers) => {
                let mut response = refusal(401);
                response.headers.extend(headers);
                return Err(response);
            }
            Verdict::Refused => return Err(refusal(403)),
            Verdict::Misdirected => return Err(refusal(400)),
        }
        let Some(offered) = Offered::of(request.headers.get("Event").unwrap_or_default()) else {
            let mut response = refusal(489);
            response.headers.push("Allow-Events", Offered::NAMES);
            return Err(response);
        };
        let accepts = |kind| request.headers.lists("Accept", kind);
        if request.headers.contains("Accept") && !accepts(offered.media_type()) && !accepts("*/*") {
            return Err(refusal(406));
        }
        let named = user_of(&request.uri).unwrap_or_default();
        let watched = self.watched_by_name(named, offered).ok_or_else(|| refusal(404))?;
        let owner = AgentId::from(user);
        if !self.may_watch(&owner, &watched) {
            return Err(refusal(403));
        }
        Ok(Admitted { owner, named: named.to_owned(), watched, offered })
    }

    /// A line by the agent's number; a queue by its name, or by a number by which callers come into it and no other; a
    /// mailbox by the number of an agent, the name of a queue, the number that callers dialled, or any name under which a
    /// message is there.
    fn watched_by_name(&self, name: &str, offered: Offered) -> Option<Watched> {
        let agent = self.settings.agents.iter().find(|agent| agent.id.as_str() == name).map(|agent| agent.id.clone());
        let queue = self.settings.queues.iter().find(|queue| queue.id.as_str() == name).map(|queue| queue.id.clone());
        match offered {
            Offered::Dialog => {
                let dialled = || self.plans.get(&self.plans.find(name, &[])?)?.only_queue();
                agent.map(Watched::Agent).or_else(|| queue.or_else(dialled).map(Watched::Queue))
            }
            Offered::MessageSummary => {
                let known = agent.is_some() || queue.is_some() || self.mailboxes.has(name);
                let dialled = || self.plans.find(name, &[]).is_some();
                (known || dialled()).then(|| Watched::Mailbox(name.to_owned()))
            }
        }
    }

    /// Lines and queues are every colleague's to see. An agent's mailbox is the agent's own, a queue's that of its
    /// members, and any other one the centre's.
    fn may_watch(&self, owner: &AgentId, watched: &Watched) -> bool {
        let agents = &self.settings.agents;
        let Some(agent) = agents.iter().find(|agent| agent.id == *owner) else { return false };
        let is_member = |agent: &Agent, name: &str| agent.queues.iter().any(|queue| queue.as_str() == name);
        match watched {
            Watched::Agent(_) | Watched::Queue(_) => true,
            Watched::Mailbox(name) if agents.iter().any(|agent| agent.id.as_str() == name) => agent.id.as_str() == name,
            Watched::Mailbox(name) if self.settings.queues.iter().any(|queue| queue.id.as_str() == name) => {
                is_member(agent, name)
            }
            Watched::Mailbox(_) => true,
        }
    }

    /// A watcher asks for the state anew, or has taken its subscription back and gets the last word.
    pub(super) fn watched(&mut self, watcher: WatcherId, now: Now) {
        self.tell_watcher(watcher, now);
    }

    pub(super) fn unwatched(&mut self, watcher: WatcherId) {
        let Some(lamp) = self.lamps.watchers.remove(&watcher.0) else { return };
        if let Some(watchers) = self.lamps.by.get_mut(&lamp.watched) {
            watchers.remove(&watcher.0);
            if watchers.is_empty() {
                self.lamps.by.remove(&lamp.watched);
            }
        }
    }

    /// Under other settings somebody may watch no longer; a phone that comes back is told so.
    pub(super) fn look_at_watchers(&mut self, now: Now) {
        let lamps = self.lamps.watchers.iter().filter(|(_, lamp)| !self.may_watch(&lamp.owner, &lamp.watched));
        let gone: Vec<WatcherId> = lamps.map(|(id, _)| WatcherId(*id)).collect();
        for watcher in gone {
            self.unwatched(watcher);
            self.ua.end_watcher(watcher, now.instant);
        }
    }

    /// An agent's state has changed: those who watch are told, where it shows on a lamp. What the agent does may show on
    /// the lamp of a queue as well.
    pub(super) fn light_lamps(&mut self, agent: &AgentId, now: Now) {
        if self.lamps.by.is_empty() {
            return;
        }
        self.light(&Watched::Agent(agent.clone()), now);
        let queues = self.lamps.by.keys().filter(|watched| matches!(watched, Watched::Queue(_)));
        let queues: Vec<Watched> = queues.cloned().collect();
        queues.iter().for_each(|queue| self.light(queue, now));
    }

    pub(super) fn light_queue(&mut self, queue: &QueueId, now: Now) {
        if !self.lamps.by.is_empty() {
            self.light(&Watched::Queue(queue.clone()), now);
        }
    }

    pub(super) fn light_mailbox(&mut self, mailbox: &str, now: Now) {
        if !self.lamps.by.is_empty() {
            self.light(&Watched::Mailbox(mailbox.to_owned()), now);
        }
    }

    fn light(&mut self, watched: &Watched, now: Now) {
        let Some(watchers) = self.lamps.by.get(watched).cloned() else { return };
        let shown = self.shown(watched);
        for watcher in watchers {
            if self.lamps.watchers.get(&watcher).is_some_and(|lamp| lamp.told != shown) {
                self.tell_watcher(WatcherId(watcher), now);
            }
        }
    }

    fn shown(&self, watched: &Watched) -> Shown {
        match watched {
            Watched::Agent(agent) => {
                Shown::Line(self.acd.agent_view(agent).map_or(Line::Idle, |view| Line::of(view.state)))
            }
            // A queue rings while somebody waits in it, and talks while nobody does and agents talk to its callers.
            Watched::Queue(queue) => Shown::Line(match self.acd.queue_view(queue) {
                Some(view) if view.waiting > 0 => Line::Ringing,
                Some(_) if self.acd.is_served(queue) => Line::Busy,
                _ => Line::Idle,
            }),
            Watched::Mailbox(name) => Shown::Messages(self.mailboxes.waiting(name)),
        }
    }

    fn tell_watcher(&mut self, watcher: WatcherId, now: Now) {
        let Some(lamp) = self.lamps.watchers.get(&watcher.0) else { return };
        let shown = self.shown(&lamp.watched);
        let Some(lamp) = self.lamps.watchers.get_mut(&watcher.0) else { return };
        lamp.told = shown;
        let document = document(&lamp.named, shown, lamp.version, &self.settings.sip.domain);
        lamp.version = lamp.version.saturating_add(1);
        self.ua.notify(watcher, Bytes::from(document), now.instant);
    }
}

fn document(name: &str, shown: Shown, version: u32, domain: &str) -> String {
    match shown {
        // Ids, numbers of plans and the domain have letters, digits and `.-_+*#` alone.
        Shown::Line(line) => format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"full\" entity=\"sip:{name}@{domain}\"><dialog id=\"{name}\" direction=\"recipient\"><state>{}</state>\
             </dialog></dialog-info>\n",
            line.name()
        ),
        // RFC 3842 §3.5: `msg-status-line`, then the account, then new and old messages.
        Shown::Messages(Waiting { fresh, heard }) => format!(
            "Messages-Waiting: {}\r\nMessage-Account: sip:{}@{domain}\r\nVoice-Message: {fresh}/{heard}\r\n",
            if fresh > 0 { "yes" } else { "no" },
            percent_encoding::utf8_percent_encode(name, UNRESERVED)
        ),
    }
}

fn user_of(uri: &Uri) -> Option<&str> {
    match uri {
        Uri::Sip(uri) => uri.user.as_deref(),
        Uri::Tel { .. } | Uri::Other(_) => None,
    }
}
