//! Numbers that are dialled for a call: outside, through a trunk that offers them, at the first of its servers that says a
//! word; or, for a call-back, an extension of ours at its own phone.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::agents::Phone;
use super::calls::EndReason;
use super::protection;
use super::trunks::{ServerId, TargetId};
use super::{Engine, LogLevel, Timer};
use crate::bridge::MediaCommand;
use crate::call::{Leg, NewLeg, Phase};
use crate::callback::Origin;
use crate::dialplan::{RunInput, TransferOutcome};
use crate::ids::{CallId, LegId, SessionId, TrunkId};
use crate::queue::NoAnswer;
use crate::record::{Outcome, Party};
use crate::sdp::Direction;
use crate::settings::{Agent, Codec, Srtp, Trunk};
use crate::sip::Destination;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::ua::Invite;
use crate::time::Now;

/// A server that has not said a word by then has had the INVITE four times; the next one is tried (RFC 3263 §4.3).
const FIRST_WORD: Duration = Duration::from_secs(5);

/// A number that is being reached for a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub leg: LegId,
    number: String,
    /// What is tried now, and what is left.
    way: Way,
    others: VecDeque<Way>,
    offer: Bytes,
    /// It rings: what fails from now on is the far end and no server.
    ringing: bool,
}

/// Where a number can be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Way {
    /// A server of a trunk.
    Server(TargetId),
    /// A phone of one of our people, by their id.
    Phone(String, Phone),
    /// An expert's telephony, by a server of its trunk.
    Expert(TargetId, Phone),
}

impl Way {
    fn to(&self) -> Destination {
        match self {
            Way::Server(target) => target.to,
            Way::Phone(_, phone) | Way::Expert(_, phone) => phone.to,
        }
    }
}

/// For whom a number is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaching {
    /// For a caller, by a plan.
    ForPlan,
    /// For an agent, who may also call experts.
    ForAgent,
}

/// The ways to a number, best first, and what is spoken there.
struct Ways {
    codecs: Vec<Codec>,
    srtp: Srtp,
    ways: VecDeque<Way>,
}

impl Ways {
    fn by_trunk(trunk: &Trunk, targets: Vec<TargetId>) -> Ways {
        Ways { codecs: trunk.codecs.clone(), srtp: trunk.srtp, ways: targets.into_iter().map(Way::Server).collect() }
    }
}

/// Why a number may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forbidden {
    NotOffered,
    Expert,
    Ours,
    TooManyHops,
}

impl Forbidden {
    fn reason(self) -> &'static str {
        match self {
            Forbidden::NotOffered => "no trunk offers it; see allow of the trunks",
            Forbidden::Expert => "it is an expert's, and an expert is never called straight from a plan",
            Forbidden::Ours => "it is one of our own, and would come back to us",
            Forbidden::TooManyHops => "the call has passed too many systems and seems to go round (Max-Forwards)",
        }
    }
}

impl Engine {
    /// Rings a number for the caller of a plan, who hears ring-back. What becomes of it is told to the plan.
    pub(super) fn dial_outside(&mut self, id: CallId, number: &str, ring_timeout: Duration, now: Now) {
        self.dial_number(id, number, (Party::Outside, Reaching::ForPlan), ring_timeout, now);
    }

    pub(super) fn dial_number(
        &mut self,
        id: CallId,
        number: &str,
        (role, whom): (Party, Reaching),
        ring_timeout: Duration,
        now: Now,
    ) {
        self.timers.set(Timer::Dial(id), now.instant + ring_timeout);
        if let Err(outcome) = self.reach(id, number, role, whom, now) {
            return self.dial_failed(id, outcome, now);
        }
        let Some(live) = self.live(id) else { return };
        live.call.phase = Phase::Dialling;
        if live.call.answered_at.is_some() {
            self.wire(id, now);
        }
        self.changed.insert(id);
    }

    /// Calls a number for a running call, with a leg of `role`; it is checked here whether it may be called at all. An
    /// answer leads to `outside_answered`, anything else to `outside_failed`.
    pub(super) fn reach(
        &mut self,
        id: CallId,
        number: &str,
        role: Party,
        whom: Reaching,
        now: Now,
    ) -> Result<LegId, TransferOutcome> {
        let Ways { codecs, srtp, ways: mut others } = match self.ways_to(id, number, whom, now) {
            Ok(ways) => ways,
            Err(why) => {
                self.log(LogLevel::Warn, format!("call {id}: {number} is not dialled: {}", why.reason()));
                return Err(TransferOutcome::Refused);
            }
        };
        let protection = protection::Way::weakest(others.iter().map(|way| way.to().transport()), srtp);
        let (Some(way), Some(port)) = (others.pop_front(), self.ports.pop_front()) else {
            let what = "its trunk has no address, its phone is not registered, or no RTP port is free";
            self.log(LogLevel::Warn, format!("call {id}: {number} cannot be dialled: {what}"));
            return Err(TransferOutcome::Unreachable);
        };
        let leg_id = self.next_leg_id();
        let caller = self.calls.get(&id).and_then(|live| live.call.caller());
        let codecs = super::agents::codecs_for(&codecs, caller);
        let mut negotiator = self.negotiator(port, leg_id, &codecs, protection);
        let offer = negotiator.offer(Direction::BOTH);
        let latch = super::agents::latch_of(&way.to());
        let outgoing = Outgoing { leg: leg_id, number: number.to_owned(), way, others, offer, ringing: false };
        let session = self.invite_outside(id, &outgoing, now).ok_or(TransferOutcome::Unreachable)?;
        let address = number.to_owned();
        let leg = Leg::new(NewLeg { id: leg_id, role, agent: None, address, session, port, negotiator, latch });
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        self.sessions.insert(session, (id, leg_id));
        self.legs.insert(leg_id, id);
        if let Some(live) = self.live(id) {
            live.call.legs.insert(leg_id, Box::new(leg));
            live.outgoing = Some(outgoing);
        }
        Ok(leg_id)
    }

    /// By which trunk a number goes out, at which servers, best first.
    fn ways_to(&self, id: CallId, number: &str, whom: Reaching, now: Now) -> Result<Ways, Forbidden> {
        if let Some(ways) = self.expert_ways(number, now).filter(|_| whom == Reaching::ForAgent) {
            return Ok(ways);
        }
        if let Some(agent) = self.extension(number).filter(|_| self.is_calling_back(id)) {
            let phones = self.phones(&agent.id).into_iter();
            let ways = phones.map(|phone| Way::Phone(agent.id.to_string(), phone)).collect();
            return Ok(Ways { codecs: agent.codecs.clone(), srtp: agent.srtp, ways });
        }
        if let Some((trunk, target)) = self.way_back(id, number) {
            self.is_outside(number)?;
            return Ok(Ways::by_trunk(trunk, vec![target]));
        }
        let trunk = self.may_dial(id, number)?;
        Ok(Ways::by_trunk(trunk, self.trunks.ways_out(&trunk.id, now.instant)))
    }

    /// The way to an expert's own telephone.
    fn expert_ways(&self, number: &str, now: Now) -> Option<Ways> {
        let expert = self.settings.experts.iter().find(|expert| expert.id.as_str() == number)?;
        if let Some((trunk, targets)) = self.expert_targets(expert, now) {
            let uri: Uri = expert.address.parse().ok()?;
            let way = |target: TargetId| {
                let phone = Phone { uri: uri.clone(), to: target.to };
                Way::Expert(target, phone)
            };
            let ways = targets.into_iter().map(way).collect();
            return Some(Ways { codecs: trunk.codecs.clone(), srtp: trunk.srtp, ways });
        }
        let phone = super::agents::fixed_phone(&expert.address);
        let ways = phone.map(|phone| Way::Phone(expert.id.to_string(), phone)).into_iter().collect();
        Some(Ways { codecs: vec![Codec::G722, Codec::Pcma, Codec::Pcmu], srtp: Srtp::ByTransport, ways })
    }

    /// Who can be called back in house. Who takes calls of queues cannot: they would be both ends of it.
    fn extension(&self, number: &str) -> Option<&Agent> {
        self.settings.agents.iter().find(|agent| agent.id.as_str() == number && agent.queues.is_empty())
    }

    /// A call-back by a trunk without servers goes where the caller's own call came from.
    fn way_back(&self, id: CallId, number: &str) -> Option<(&Trunk, TargetId)> {
        let call = &self.calls.get(&id)?.call;
        let origin = call.origin.filter(|_| call.outgoing)?;
        let trunk = self.settings.trunks.iter().find(|trunk| Some(&trunk.id) == call.trunk.as_ref())?;
        let to = Destination::Address { transport: origin.transport, address: origin.address };
        let server = ServerId { trunk: trunk.id.clone(), index: 0 };
        (trunk.servers.is_empty() && trunk.allows(number).is_some()).then_some((trunk, TargetId { server, to }))
    }

    /// Whether a number could be called back, if not at this moment: by any trunk that offers it, the way back, or in house.
    pub(super) fn could_call_back(&self, number: &str, trunk: Option<&TrunkId>, origin: Option<Origin>) -> bool {
        let trunks = &self.settings.trunks;
        let back = |known: &Trunk| Some(&known.id) == trunk && known.servers.is_empty() && origin.is_some();
        let offers = |trunk: &Trunk| trunk.offers(number).is_some() || (back(trunk) && trunk.allows(number).is_some());
        self.extension(number).is_some() || (self.is_outside(number).is_ok() && trunks.iter().any(offers))
    }

    /// The number is nobody's whom only agents may call, and none that would come back to us.
    fn is_outside(&self, number: &str) -> Result<(), Forbidden> {
        if self.settings.experts.iter().any(|expert| expert.is_dialled_by(number)) {
            return Err(Forbidden::Expert);
        }
        let agent = self.settings.agents.iter().any(|agent| agent.id.as_str() == number);
        if agent || self.plans.has_number(number) { Err(Forbidden::Ours) } else { Ok(()) }
    }

    /// The trunk a number goes out by: of those that offer it the one with the longest prefix, of equals the first.
    fn may_dial(&self, id: CallId, number: &str) -> Result<&Trunk, Forbidden> {
        let offers = |trunk: &Trunk| trunk.offers(number);
        let best = self.settings.trunks.iter().rev().max_by_key(|trunk| offers(trunk));
        let trunk = best.filter(|trunk| offers(trunk).is_some()).ok_or(Forbidden::NotOffered)?;
        self.is_outside(number)?;
        let Some(live) = self.calls.get(&id) else { return Err(Forbidden::NotOffered) };
        if live.call.to == number {
            return Err(Forbidden::Ours);
        }
        // RFC 7332 §4: a back-to-back user agent goes on counting, or a loop has no end.
        if live.call.hops_left <= 1 { Err(Forbidden::TooManyHops) } else { Ok(trunk) }
    }

    fn invite_outside(&mut self, id: CallId, outgoing: &Outgoing, now: Now) -> Option<SessionId> {
        let call = &self.calls.get(&id)?.call;
        // Who is called back sees the number that they had dialled.
        let caller = if call.outgoing { &call.to } else { &call.from };
        let max_forwards = call.hops_left.saturating_sub(1);
        let (request_uri, to_header, from, credentials) = match &outgoing.way {
            Way::Server(target) => {
                let trunk = self.settings.trunks.iter().find(|trunk| trunk.id == target.server.trunk)?;
                let uri = super::trunks::number_at(trunk, target, &outgoing.number)?;
                let from = self.identity_outside(trunk, caller);
                (uri.clone(), NameAddr::new(uri), from, trunk.register.clone())
            }
            Way::Expert(target, phone) => {
                let trunk = self.settings.trunks.iter().find(|trunk| trunk.id == target.server.trunk)?;
                let from = self.identity_outside(trunk, caller);
                (phone.uri.clone(), NameAddr::new(phone.uri.clone()), from, trunk.register.clone())
            }
            Way::Phone(whose, phone) => {
                (phone.uri.clone(), self.own_address(whose), self.caller_identity(caller), None)
            }
        };
        let invite = Invite {
            to: outgoing.way.to(),
            from,
            to_header,
            request_uri,
            headers: self.while_it_rings(id, now),
            sdp: Some(outgoing.offer.clone()),
            credentials,
            max_forwards,
            first_word_within: Some(FIRST_WORD),
        };
        Some(self.ua.invite(invite, now.instant))
    }

    /// Who calls, as the trunk wants it said: its own `caller_id`, else the caller's number; at the provider's domain
    /// where we are registered.
    fn identity_outside(&self, trunk: &Trunk, from: &str) -> NameAddr {
        let is_number = !from.is_empty() && from.chars().all(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(c));
        let user = trunk.caller_id.as_deref().unwrap_or(if is_number { from } else { "anonymous" });
        let mut identity = self.own_address(user);
        let account = trunk.register.as_ref().and_then(|register| register.aor.parse().ok());
        if let (Uri::Sip(own), Some(Uri::Sip(account))) = (&mut identity.uri, account) {
            own.host = account.host;
        }
        identity
    }

    /// The number rings somewhere.
    pub(super) fn outside_rings(&mut self, id: CallId, leg: LegId) {
        if let Some(outgoing) = self.live(id).and_then(|live| live.outgoing.as_mut()).filter(|out| out.leg == leg) {
            outgoing.ringing = true;
        }
    }

    /// A server that failed is left for the next one, by the same leg. `false` where there is none, or where it was not
    /// the server that failed.
    pub(super) fn tries_elsewhere(&mut self, id: CallId, leg: LegId, status: u16, now: Now) -> bool {
        let Some(mut outgoing) = self.live(id).and_then(|live| live.outgoing.take_if(|out| out.leg == leg)) else {
            return false;
        };
        let server_failed = !outgoing.ringing && (status == 408 || (500..600).contains(&status));
        if let (Way::Server(target) | Way::Expert(target, _), true) =
            (&outgoing.way, server_failed && matches!(status, 408 | 503))
        {
            self.target_is_suspect(target, now);
        }
        let next = outgoing.others.pop_front().filter(|_| server_failed);
        let session = next.and_then(|next| {
            outgoing.way = next;
            self.invite_outside(id, &outgoing, now)
        });
        let Some(live) = self.calls.get_mut(&id) else { return false };
        live.outgoing = Some(outgoing);
        let (Some(session), Some(found)) = (session, live.call.legs.get_mut(&leg)) else {
            self.log(LogLevel::Info, format!("call {id}: the call out was answered {status}"));
            return false;
        };
        let failed = std::mem::replace(&mut found.session, session);
        self.sessions.remove(&failed);
        self.sessions.insert(session, (id, leg));
        true
    }

    /// The number answered; `false` where the leg was none of these.
    pub(super) fn outside_answered(&mut self, id: CallId, leg: LegId, now: Now) -> bool {
        let answered = self.live(id).and_then(|live| live.outgoing.take_if(|out| out.leg == leg)).is_some();
        if answered && self.is_calling_back(id) {
            self.customer_answered(id, now);
        } else if answered {
            self.connect(id, leg, RunInput::Transferred(TransferOutcome::Answered), now);
        }
        answered
    }

    /// The number could not be had; `false` where the leg was none of these.
    pub(super) fn outside_failed(&mut self, id: CallId, leg: LegId, why: NoAnswer, now: Now) -> bool {
        let failed = self.live(id).and_then(|live| live.outgoing.take_if(|out| out.leg == leg)).is_some();
        if failed && self.is_calling_back(id) {
            self.customer_refused(id, why, now);
        } else if failed {
            self.dial_failed(id, super::direct::outcome_of(why), now);
        }
        failed
    }

    /// It has rung long enough.
    pub(super) fn outside_timed_out(&mut self, id: CallId, now: Now) {
        let Some(leg) = self.live(id).and_then(|live| live.outgoing.as_ref()).map(|outgoing| outgoing.leg) else {
            return;
        };
        self.drop_leg(id, leg, &EndReason::normal(Outcome::Abandoned, Party::System), now);
        self.outside_failed(id, leg, NoAnswer::Timeout, now);
    }
}
