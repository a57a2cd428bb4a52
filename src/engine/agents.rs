//! Ringing agents: an offer of the distributor becomes an INVITE to each phone of the agent; the first to answer talks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calls::EndReason;
use super::protection::Way;
use super::{Engine, LogLevel, Timer};
use crate::bridge::{Latch, MediaCommand};
use crate::call::{Call, Leg, NewLeg, Offer, Phase};
use crate::dialplan::{QueueOutcome, RunInput, TransferOutcome};
use crate::ids::{AgentId, CallId, LegId};
use crate::queue::NoAnswer;
use crate::record::{Outcome, Party};
use crate::sdp::Direction;
use crate::settings::Codec;
use crate::sip::Destination;
use crate::sip::message::{Headers, Host, NameAddr, SipUri, Uri};
use crate::sip::ua::Invite;
use crate::time::Now;
use crate::trace::Decision;

/// A phone of an agent: what to write into the request line, and the way there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Phone {
    pub uri: Uri,
    pub to: Destination,
}

/// Added to the ringing time: in general we take an invitation back ourselves.
const RINGS_ON: Duration = Duration::from_secs(5);

/// Phones of one agent that ring at once.
const MAX_PHONES: usize = 4;

impl Engine {
    /// The distributor has chosen. A customer who is to be called back is rung before the agent is.
    pub(super) fn offered(&mut self, id: CallId, agent: &AgentId, why: Decision, now: Now) {
        let called_back = self.is_call_back(id);
        if called_back {
            self.call_back(id, now);
        }
        if let Some(live) = self.live(id) {
            live.call.decided(why);
        }
        if !called_back {
            self.ring_agent(id, agent, now);
        }
    }

    /// Rings every phone of the agent. When none can be rung the distributor is told at once.
    pub(super) fn ring_agent(&mut self, id: CallId, agent: &AgentId, now: Now) {
        let legs = self.invite_phones(id, agent, now);
        let Some(live) = self.live(id) else { return self.acd.leave(id, now) };
        if legs.is_empty() {
            self.log(
                LogLevel::Warn,
                format!("agent {agent} cannot be rung: no phone is registered, or no RTP port is free"),
            );
            self.acd.agent_failed(id, agent, NoAnswer::Unreachable, now);
            return;
        }
        live.call.offers.push(Offer { agent: agent.clone(), legs });
        self.changed.insert(id);
    }

    /// An INVITE to each phone of the agent; none where there is no phone or no port.
    pub(super) fn invite_phones(&mut self, id: CallId, agent: &AgentId, now: Now) -> Vec<LegId> {
        let phones = self.phones(agent).into_iter().take(MAX_PHONES);
        phones.map_while(|phone| self.invite_agent(id, agent, phone, now)).collect()
    }

    pub(super) fn phones(&self, id: &AgentId) -> Vec<Phone> {
        let Some(agent) = self.settings.agents.iter().find(|agent| agent.id == *id) else { return Vec::new() };
        if let Some(contact) = &agent.contact {
            return fixed_phone(contact).into_iter().collect();
        }
        let bindings = self.registrar.bindings(id.as_str());
        bindings.map(|binding| Phone { uri: binding.contact.clone(), to: Destination::Flow(binding.flow) }).collect()
    }

    /// RFC 3261 §13.2.1: an INVITE says how long it holds. One that has had no answer cannot be cancelled (§9.1), and where
    /// all answers are lost the phone would ring on.
    pub(super) fn while_it_rings(&self, id: CallId, now: Now) -> Headers {
        let dialled = self.timers.get(&Timer::Dial(id)).map(|at| at.since(now.instant));
        let queue = self.calls.get(&id).and_then(|live| live.call.queue.as_ref());
        let queue = queue.and_then(|id| self.settings.queues.iter().find(|queue| queue.id == *id));
        let mut headers = Headers::default();
        if let Some(rings) = dialled.or(queue.map(|queue| queue.ring_timeout)) {
            headers.push("Expires", (rings + RINGS_ON).as_secs().to_string());
        }
        headers
    }

    fn invite_agent(&mut self, id: CallId, agent: &AgentId, phone: Phone, now: Now) -> Option<LegId> {
        let settings = self.settings.agents.iter().find(|known| known.id == *agent)?;
        let caller = self.calls.get(&id)?;
        let codecs = codecs_for(&settings.codecs, caller.call.caller());
        let srtp = settings.srtp;
        let from = self.caller_identity(&caller.call.from);
        let to_header = self.own_address(agent.as_str());
        let latch = latch_of(&phone.to);
        let mut headers = self.while_it_rings(id, now);
        tell_contact(&caller.call, &mut headers);
        let port = self.ports.pop_front()?;
        let leg_id = self.next_leg_id();
        let mut negotiator = self.negotiator(port, leg_id, &codecs, Way::new(phone.to.transport(), srtp));
        let sdp = negotiator.offer(Direction::BOTH);
        let invite = Invite {
            to: phone.to,
            request_uri: phone.uri,
            from,
            to_header,
            headers,
            sdp: Some(sdp),
            credentials: None,
            max_forwards: 70,
            first_word_within: None,
        };
        let session = self.ua.invite(invite, now.instant);
        let leg = Leg::new(NewLeg {
            id: leg_id,
            role: Party::Agent,
            agent: Some(agent.clone()),
            address: agent.to_string(),
            session,
            port,
            negotiator,
            latch,
        });
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        self.sessions.insert(session, (id, leg_id));
        self.legs.insert(leg_id, id);
        self.live(id)?.call.legs.insert(leg_id, Box::new(leg));
        Some(leg_id)
    }

    /// `sip:33155501@our.domain`: what the agent's phone shows.
    pub(super) fn caller_identity(&self, from: &str) -> NameAddr {
        NameAddr { display: Some(from.to_owned()), ..self.own_address(from) }
    }

    pub(super) fn own_address(&self, user: &str) -> NameAddr {
        let uri = SipUri {
            secure: false,
            user: Some(user.to_owned()),
            password: None,
            host: Host::Name(self.settings.sip.domain.clone()),
            port: None,
            params: Default::default(),
            headers: None,
        };
        NameAddr { display: None, uri: Uri::Sip(uri), params: Default::default() }
    }

    /// The distributor takes its offer back.
    pub(super) fn stop_ringing(&mut self, id: CallId, agent: &AgentId, now: Now) {
        let Some(live) = self.live(id) else { return };
        let Some(at) = live.call.offers.iter().position(|offer| offer.agent == *agent) else { return };
        for leg in live.call.offers.remove(at).legs {
            self.drop_leg(id, leg, &EndReason::normal(Outcome::Abandoned, Party::System), now);
        }
        self.changed.insert(id);
    }

    /// One phone of an offer refused, or cannot be reached. The agent has failed when it was the last.
    pub(super) fn phone_failed(&mut self, id: CallId, leg: LegId, why: NoAnswer, now: Now) {
        if self.supervisor_gone(id, leg, now)
            || self.asked_failed(id, leg, why, now)
            || self.outside_failed(id, leg, why, now)
        {
            return;
        }
        let Some(live) = self.live(id) else { return };
        let Some(offer) = live.call.offers.iter_mut().find(|offer| offer.legs.contains(&leg)) else { return };
        if offer.legs.len() > 1 {
            return offer.legs.retain(|other| *other != leg);
        }
        if let Some(offer) = live.call.take_offer(leg) {
            self.changed.insert(id);
            self.agent_failed(id, &offer.agent, why, now);
        }
    }

    /// A phone was picked up: all others that ring for this call stop, caller and agent talk.
    pub(super) fn phone_answered(&mut self, id: CallId, leg: LegId, now: Now) {
        if self.supervisor_answered(id, leg, now)
            || self.asked_answered(id, leg, now)
            || self.outside_answered(id, leg, now)
        {
            return;
        }
        let offer = self.live(id).and_then(|live| live.call.take_offer(leg));
        let valid = offer.as_ref().is_some_and(|offer| self.acd.agent_answered(id, &offer.agent, now));
        let mut offers: Vec<Offer> = offer.into_iter().collect();
        if let Some(live) = self.live(id).filter(|_| valid) {
            offers.append(&mut live.call.offers);
        }
        for other in offers.into_iter().flat_map(|offer| offer.legs).filter(|other| *other != leg) {
            self.drop_leg(id, other, &EndReason::ELSEWHERE, now);
        }
        if !valid {
            self.drop_leg(id, leg, &EndReason::normal(Outcome::Handled, Party::System), now);
            return;
        }
        let Some(live) = self.live(id) else { return };
        let told = match live.call.phase {
            Phase::Dialling => RunInput::Transferred(TransferOutcome::Answered),
            _ => RunInput::Queued(QueueOutcome::Answered),
        };
        self.connect(id, leg, told, now);
    }

    /// The caller and the one on `leg`, who has answered, talk from now on.
    pub(super) fn connect(&mut self, id: CallId, leg: LegId, told: RunInput, now: Now) {
        self.callbacks.kept(id);
        self.recovered(id, now);
        self.answer_caller(id, now);
        let Some(live) = self.live(id) else { return };
        live.call.talk(leg, now);
        self.keep_keys(id, leg, false);
        self.unwritten.insert(id);
        self.timers.clear(&Timer::Dial(id));
        self.wait_no_longer(id);
        self.wire(id, now);
        self.run_plan(id, told, now);
    }

    /// Agents whose phone stands at a fixed address are there from the start.
    pub(super) fn reach_fixed_phones(&mut self, now: Now) {
        let settings = self.settings.clone();
        for agent in settings.agents.iter().filter(|agent| agent.contact.is_some()) {
            self.acd.set_reachable(&agent.id, true, now);
        }
    }
}

/// What ties the agent's phone to the contact: our id of it, which the API knows, and once more as user-to-user information
/// (RFC 7433 §5), which phones and systems in between pass on.
fn tell_contact(call: &Call, headers: &mut Headers) {
    let id = call.id.to_string();
    headers.push("User-to-User", format!("{};encoding=hex;purpose=relais-contact", hex::encode(&id)));
    headers.push("X-Relais-Contact", id);
}

/// The codec that the caller speaks comes first, so that nothing need be transcoded.
pub(super) fn codecs_for(own: &[Codec], caller: Option<&Leg>) -> Vec<Codec> {
    let spoken = caller.and_then(|leg| leg.negotiator.agreed()).map(|agreed| agreed.codec);
    let first = spoken.filter(|codec| own.contains(codec));
    first.into_iter().chain(own.iter().copied().filter(|codec| Some(*codec) != first)).collect()
}

pub(super) fn fixed_phone(contact: &str) -> Option<Phone> {
    let uri: Uri = contact.parse().ok()?;
    let Uri::Sip(sip) = &uri else { return None };
    let Host::Address(address) = sip.host else { return None };
    let transport = sip.transport().unwrap_or(crate::sip::Transport::Udp);
    let port = sip.port.unwrap_or(transport.default_port());
    let to = Destination::Address { transport, address: (address, port).into() };
    Some(Phone { uri, to })
}

pub(super) fn latch_of(to: &Destination) -> Latch {
    match to {
        Destination::Flow(flow) => Latch::Address(flow.remote.ip()),
        Destination::Address { address, .. } => Latch::Address(address.ip()),
    }
}
