//! Carrying out what the machine of a talk (`call::talk`) says: an agent asks another, hands over, brings in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::EndReason;
use super::dial_out::Reaching;
use super::direct::DIAL_TIMEOUT;
use super::waiting::WaitTerms;
use super::{Engine, LogLevel, Timer};
use crate::bridge::PlayItem;
use crate::call::talk::{Effect, Effects, Event, Leave, Member, Refused, State};
use crate::call::{Phase, Talk};
use crate::demand::Demand;
use crate::dialplan::{Facts, Run, RunInput, TransferOutcome};
use crate::ids::{AgentId, CallId, ExpertId, LegId, QueueId};
use crate::queue::NoAnswer;
use crate::record::{HandOver, HandOverKind, Outcome, Party};
use crate::time::Now;
use crate::views::{ApiError, Briefing};

/// Q.850: normal clearing.
const NORMAL: u8 = 16;
/// Q.850: no answer from the user.
const NO_ANSWER: u8 = 19;

/// The one who is rung for an agent who asks, or for a caller who is handed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    to: Asking,
    /// One leg for each phone that rings.
    legs: Vec<LegId>,
    /// What the distributor knows a consulted agent's part by.
    ticket: Option<CallId>,
    /// The agent who handed over is rung again.
    recall: bool,
    /// What the one who answers hears first.
    words: Vec<PlayItem>,
}

/// How it rings for somebody.
struct Rings {
    recall: bool,
    words: Vec<PlayItem>,
}

/// Who can be asked, or be given the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asking {
    Expert(ExpertId),
    Agent(AgentId),
    Number(String),
    Queue(QueueId),
}

impl std::fmt::Display for Asking {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Asking::Expert(id) => write!(out, "expert:{id}"),
            Asking::Agent(id) => write!(out, "agent:{id}"),
            Asking::Number(number) => write!(out, "tel:{number}"),
            Asking::Queue(id) => write!(out, "queue:{id}"),
        }
    }
}

/// An agent who was brought in, as the distributor knows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Guest {
    pub leg: LegId,
    pub ticket: CallId,
}

/// Why somebody cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    NoTalk,
    Refused(Refused),
    /// Status, code and a sentence.
    Cannot(u16, &'static str, String),
}

impl From<Refused> for Unasked {
    fn from(refused: Refused) -> Unasked {
        Unasked::Refused(refused)
    }
}

impl From<Unasked> for ApiError {
    fn from(why: Unasked) -> ApiError {
        let (status, code, message) = match why {
            Unasked::NoTalk => (409, "no_talk", "the caller talks with nobody now".to_owned()),
            Unasked::Refused(refused) => {
                let code = match refused {
                    Refused::NobodyAsked => "nobody_asked",
                    Refused::AskedAlready => "asked_already",
                    Refused::StillRings => "still_rings",
                    Refused::IsBriefed => "is_briefed",
                    Refused::NoAgent => "no_agent",
                    Refused::NotHeld => "not_held",
                    Refused::Full => "full",
                    Refused::Unexpected => "unexpected",
                };
                (409, code, refused.to_string())
            }
            Unasked::Cannot(status, code, message) => (status, code, message),
        };
        ApiError { status, code: code.to_owned(), message }
    }
}

impl Engine {
    /// The agent asks somebody: the caller waits with music, the agent hears it ring there.
    pub(super) fn consult(
        &mut self,
        id: CallId,
        to: &Asking,
        briefing: Option<&Briefing>,
        now: Now,
    ) -> Result<(), Unasked> {
        self.may_ask(id, to)?;
        self.try_event(id, Event::Consult)?;
        let words = self.briefing_words(id, to, briefing, now)?;
        self.ring_asked(id, to, Rings { recall: false, words }, now)?;
        self.happens(id, Event::Consult, Party::Agent, now)?;
        if let Some(live) = self.live(id) {
            live.call.consults = live.call.consults.saturating_add(1);
        }
        Ok(())
    }

    /// The agent hands the caller over without a word before.
    pub(super) fn transfer(
        &mut self,
        id: CallId,
        to: &Asking,
        priority: Option<i32>,
        briefing: Option<&Briefing>,
        now: Now,
    ) -> Result<(), Unasked> {
        self.may_ask(id, to)?;
        self.try_event(id, Event::Transfer)?;
        let words = self.briefing_words(id, to, briefing, now)?;
        match to {
            Asking::Queue(queue) => return self.transfer_to_queue(id, queue, priority, now),
            Asking::Number(number) if self.plans.has_number(number) => return self.transfer_to_plan(id, number, now),
            _ => {}
        }
        self.ring_asked(id, to, Rings { recall: false, words }, now)?;
        self.happens(id, Event::Transfer, Party::Agent, now)
    }

    /// The agent goes from the one asked to the caller and back, hands over, lets go, brings in, holds.
    pub(super) fn steer(&mut self, id: CallId, event: Event, now: Now) -> Result<(), Unasked> {
        self.happens(id, event, Party::Agent, now)
    }

    /// Whether the event would be taken, without anything done.
    pub(super) fn try_event(&self, id: CallId, event: Event) -> Result<(), Unasked> {
        let talk = self.calls.get(&id).and_then(|live| live.call.talking()).ok_or(Unasked::NoTalk)?;
        talk.clone().on(event)?;
        Ok(())
    }

    /// Something happens to the talk, and what follows is done.
    pub(super) fn happens(&mut self, id: CallId, event: Event, by: Party, now: Now) -> Result<(), Unasked> {
        let live = self.live(id).ok_or(Unasked::NoTalk)?;
        let blind = live.call.handing_blind;
        let talk = live.call.talking_mut().ok_or(Unasked::NoTalk)?;
        let kind = if blind { HandOverKind::Blind } else { kind_of(talk, event) };
        let effects = talk.on(event)?;
        self.carry_out(id, effects, kind, (by, NORMAL), now);
        Ok(())
    }

    /// A leg that had a part in the talk is gone. `q850` is why, for the record.
    pub(super) fn left_talk(&mut self, id: CallId, leg: LegId, how: Leave, by: Party, q850: u8, now: Now) {
        let Some(talk) = self.live(id).and_then(|live| live.call.talking_mut()) else { return };
        let kind = kind_of(talk, Event::Left(leg, how));
        let steered = talk.agent() == Some(leg);
        let Ok(effects) = talk.on(Event::Left(leg, how)) else { return };
        if !steered {
            self.guest_parts(id, leg, now);
        }
        self.carry_out(id, effects, kind, (by, q850), now);
    }

    fn carry_out(&mut self, id: CallId, effects: Effects, kind: HandOverKind, (by, q850): (Party, u8), now: Now) {
        self.tidy_briefing(id);
        for effect in effects {
            match effect {
                Effect::Silence => self.silence_asked(id, now),
                Effect::End(leg) => {
                    self.drop_leg(id, leg, &EndReason::normal(Outcome::Handled, by), now);
                    self.guest_parts(id, leg, now);
                }
                Effect::HandedOver(leg) => self.note_hand_over(id, leg, kind, now),
                Effect::AgentGone(_) => self.acd.talk_ended(id, now),
                Effect::Joined(_) => self.unwritten.extend([id]),
                Effect::Steers(leg) => self.guest_steers(id, leg, now),
                Effect::Recall => return self.recall(id, now),
                Effect::Alone => return self.partner_left(id, by, q850, false, now),
                Effect::Over(_) => return self.partner_left(id, by, q850, true, now),
            }
        }
        self.wire(id, now);
    }

    fn note_hand_over(&mut self, id: CallId, leg: LegId, kind: HandOverKind, now: Now) {
        if let Some(live) = self.live(id) {
            let by = live.call.legs.get(&leg).and_then(|leg| leg.agent.clone());
            let asked = live.asked.as_ref().map(|asked| asked.to.to_string());
            let to = asked.or_else(|| live.consulted.clone()).filter(|_| kind != HandOverKind::Conference);
            live.call.handed_over.push(HandOver { at: now.wall, kind, by, to });
        }
        self.acd.talk_ended(id, now);
    }

    /// The agent who was brought in has the call from now on.
    fn guest_steers(&mut self, id: CallId, leg: LegId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let queue = live.call.queue.clone();
        let at = live.guests.iter().position(|guest| guest.leg == leg);
        if let Some(guest) = at.map(|at| live.guests.remove(at)) {
            self.acd.take_over(id, guest.ticket, queue.as_ref(), now);
        }
    }

    fn guest_parts(&mut self, id: CallId, leg: LegId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(at) = live.guests.iter().position(|guest| guest.leg == leg) else { return };
        let guest = live.guests.remove(at);
        self.acd.leave(guest.ticket, now);
    }

    /// Everything that is known of consultations is over with the call.
    pub(super) fn consultations_over(&mut self, id: CallId, now: Now) {
        self.timers.clear(&Timer::Consult(id));
        self.timers.clear(&Timer::Briefing(id));
        let Some(live) = self.calls.get_mut(&id) else { return };
        live.briefing = None;
        let asked = live.asked.take().and_then(|asked| asked.ticket);
        let guests = std::mem::take(&mut live.guests);
        for ticket in guests.into_iter().map(|guest| guest.ticket).chain(asked) {
            self.acd.leave(ticket, now);
        }
    }

    /// Whom the call is about, whatever the distributor knows it by.
    pub(super) fn call_of(&self, contact: CallId) -> CallId {
        self.tickets.get(&contact).copied().unwrap_or(contact)
    }

    // Ringing

    /// Rings the one who is asked. Nothing is left of an attempt that cannot be begun.
    fn ring_asked(&mut self, id: CallId, to: &Asking, rings: Rings, now: Now) -> Result<(), Unasked> {
        let Rings { recall, words } = rings;
        let (legs, ticket) = match to {
            Asking::Agent(agent) => self.ring_colleague(id, agent, recall, now)?,
            Asking::Expert(expert) => (vec![self.ring_outside(id, to, expert.as_str(), Party::Expert, now)?], None),
            Asking::Number(number) => (vec![self.ring_outside(id, to, number, Party::Outside, now)?], None),
            Asking::Queue(queue) => {
                let message = format!("a queue cannot be consulted; transfer to queue:{queue} instead");
                return Err(Unasked::Cannot(422, "not_a_person", message));
            }
        };
        let expert = match to {
            Asking::Expert(expert) => self.expert_view(expert, now).map(Box::new),
            _ => None,
        };
        let Some(live) = self.live(id) else { return Err(Unasked::NoTalk) };
        live.asked_expert = expert;
        live.asked = Some(Asked { to: to.clone(), legs, ticket, recall, words });
        live.consulted = Some(to.to_string());
        self.timers.set(Timer::Consult(id), now.instant + DIAL_TIMEOUT);
        self.changed.insert(id);
        Ok(())
    }

    fn ring_outside(&mut self, id: CallId, to: &Asking, number: &str, role: Party, now: Now) -> Result<LegId, Unasked> {
        self.reach(id, number, role, Reaching::ForAgent, now).map_err(|outcome| match outcome {
            TransferOutcome::Refused => {
                let message =
                    format!("{to} may not be called: no trunk offers it to agents; see 'allow' of the trunks");
                Unasked::Cannot(403, "not_allowed", message)
            }
            _ => Unasked::Cannot(409, "unreachable", format!("{to} cannot be reached now; try again, or ask another")),
        })
    }

    fn ring_colleague(
        &mut self,
        id: CallId,
        agent: &AgentId,
        recall: bool,
        now: Now,
    ) -> Result<(Vec<LegId>, Option<CallId>), Unasked> {
        let ticket = CallId::new(now.wall.as_millisecond(), self.random_bits());
        let seized = if recall { self.acd.recall(agent, ticket, now) } else { self.acd.seize(agent, ticket, now) };
        seized.map_err(|error| Unasked::Cannot(error.status(), error.code(), error.to_string()))?;
        self.tickets.insert(ticket, id);
        let legs = self.invite_phones(id, agent, now);
        if legs.is_empty() {
            self.acd.agent_failed(ticket, agent, NoAnswer::Unreachable, now);
            let message = format!("agent {agent} cannot be rung: no phone is registered, or no RTP port is free");
            return Err(Unasked::Cannot(409, "unreachable", message));
        }
        Ok((legs, Some(ticket)))
    }

    /// Stops whatever rings for the one asked.
    fn silence_asked(&mut self, id: CallId, now: Now) {
        self.timers.clear(&Timer::Consult(id));
        let Some(live) = self.live(id) else { return };
        let Some(asked) = live.asked.take() else { return };
        live.outgoing.take_if(|outgoing| asked.legs.contains(&outgoing.leg));
        for leg in asked.legs {
            self.drop_leg(id, leg, &EndReason::normal(Outcome::Abandoned, Party::System), now);
        }
        if let Some(ticket) = asked.ticket {
            self.acd.leave(ticket, now);
        }
    }

    /// A phone of the one asked was picked up; `false` where the leg was none of these.
    pub(super) fn asked_answered(&mut self, id: CallId, leg: LegId, now: Now) -> bool {
        let Some(live) = self.live(id) else { return false };
        let Some(asked) = live.asked.take_if(|asked| asked.legs.contains(&leg)) else { return false };
        live.outgoing.take_if(|outgoing| outgoing.leg == leg);
        self.timers.clear(&Timer::Consult(id));
        for other in asked.legs.iter().filter(|other| **other != leg) {
            self.drop_leg(id, *other, &EndReason::ELSEWHERE, now);
        }
        let agent = match (&asked.to, asked.ticket) {
            (Asking::Agent(agent), Some(ticket)) => {
                if !self.acd.agent_answered(ticket, agent, now) {
                    self.drop_leg(id, leg, &EndReason::normal(Outcome::Handled, Party::System), now);
                    self.asked_failed_whole(id, Some(asked), now);
                    return true;
                }
                if let Some(live) = self.live(id) {
                    live.guests.push(Guest { leg, ticket });
                }
                true
            }
            _ => false,
        };
        self.keep_keys(id, leg, agent);
        let member = Member { leg, agent };
        let told = !asked.words.is_empty();
        let event = if told { Event::Listens(member) } else { Event::Answered(member) };
        if let Err(why) = self.happens(id, event, Party::System, now) {
            self.log(LogLevel::Warn, format!("call {id}: leg {leg} answered for nobody: {why:?}"));
            self.drop_leg(id, leg, &EndReason::normal(Outcome::Handled, Party::System), now);
            self.guest_parts(id, leg, now);
        } else if told {
            self.begin_briefing(id, leg, asked.words, now);
        }
        self.unwritten.insert(id);
        if self.calls.get(&id).is_some_and(|live| live.referral.is_some()) {
            self.referral_went(id, 200, now);
            // Where the phone has hung up already, its agent has handed over by that.
            let _ = self.steer(id, Event::Complete, now);
            self.handing_is_over(id);
        }
        true
    }

    /// A phone of the one asked refused, or cannot be reached; `false` where the leg was none of these.
    pub(super) fn asked_failed(&mut self, id: CallId, leg: LegId, why: NoAnswer, now: Now) -> bool {
        let Some(live) = self.live(id) else { return false };
        let Some(asked) = live.asked.as_mut().filter(|asked| asked.legs.contains(&leg)) else { return false };
        asked.legs.retain(|other| *other != leg);
        if !asked.legs.is_empty() {
            return true;
        }
        live.outgoing.take_if(|outgoing| outgoing.leg == leg);
        let asked = live.asked.take();
        if let Some((Asking::Agent(agent), Some(ticket))) = asked.as_ref().map(|asked| (&asked.to, asked.ticket)) {
            self.acd.agent_failed(ticket, agent, why, now);
        }
        self.asked_failed_whole(id, asked, now);
        true
    }

    /// The distributor takes back the agent who is rung: they have paused, or lost their phone.
    pub(super) fn asked_withdrawn(&mut self, id: CallId, ticket: CallId, now: Now) {
        let rings = self.calls.get(&id).and_then(|live| live.asked.as_ref()?.ticket);
        if rings == Some(ticket) {
            self.asked_timed_out(id, now);
        }
    }

    /// It has rung long enough.
    pub(super) fn asked_timed_out(&mut self, id: CallId, now: Now) {
        let asked = self.live(id).and_then(|live| live.asked.clone());
        self.silence_asked(id, now);
        self.asked_failed_whole(id, asked, now);
    }

    fn asked_failed_whole(&mut self, id: CallId, asked: Option<Asked>, now: Now) {
        self.timers.clear(&Timer::Consult(id));
        let Some(asked) = asked else { return };
        self.log(LogLevel::Info, format!("call {id}: {} could not be had", asked.to));
        self.referral_went(id, 480, now);
        self.handing_is_over(id);
        if asked.recall {
            self.partner_left(id, Party::System, NO_ANSWER, false, now);
        } else if self.happens(id, Event::Failed, Party::System, now).is_err() {
            self.wire(id, now);
        }
    }

    fn handing_is_over(&mut self, id: CallId) {
        if let Some(live) = self.live(id) {
            live.call.handing_blind = false;
        }
    }

    /// Nobody came to the caller who was handed over: the agent who did it is rung again, else the caller gets back the
    /// place that they had.
    fn recall(&mut self, id: CallId, now: Now) {
        let by = self.calls.get(&id).and_then(|live| live.call.handed_over.last()?.by.clone());
        let rung =
            by.map(|agent| self.ring_asked(id, &Asking::Agent(agent), Rings { recall: true, words: Vec::new() }, now));
        if matches!(rung, Some(Ok(()))) {
            return self.wire(id, now);
        }
        self.partner_left(id, Party::System, NO_ANSWER, false, now);
    }

    fn transfer_to_queue(
        &mut self,
        id: CallId,
        queue: &QueueId,
        priority: Option<i32>,
        now: Now,
    ) -> Result<(), Unasked> {
        let agent = self.alone_with(id)?;
        let own = self.calls.get(&id).map_or(0, |live| live.call.demand.priority);
        let demand = Demand { priority: priority.unwrap_or(own), ..Demand::default() };
        self.leave_to(id, agent, &Asking::Queue(queue.clone()), now);
        self.distribute(id, queue, demand, WaitTerms::default(), now);
        Ok(())
    }

    /// The caller goes through a plan of ours, as if they had dialled its number: back to a bot, for instance.
    fn transfer_to_plan(&mut self, id: CallId, number: &str, now: Now) -> Result<(), Unasked> {
        let agent = self.alone_with(id)?;
        let plans = self.plans.clone();
        let Some(plan) = plans.find(number, &[]) else { return Err(Unasked::NoTalk) };
        let call = self.calls.get(&id).map(|live| &live.call).ok_or(Unasked::NoTalk)?;
        let uses = plans.get(&plan).map(|plan| plan.uses).unwrap_or_default();
        let facts = Facts {
            call_id: id,
            from: call.from.clone(),
            to: number.to_owned(),
            trunk: call.trunk.clone(),
            language: call.language.clone(),
            headers: BTreeMap::new(),
            caller: self.stranger(&call.from, uses),
            earlier_calls_s: Vec::new(),
        };
        let run = Run::new(&plans, &plan, facts).behind(call.path.clone());
        self.leave_to(id, agent, &Asking::Number(number.to_owned()), now);
        if let Some(live) = self.live(id) {
            (live.run, live.plans) = (Some(run), plans);
        }
        self.wire(id, now);
        self.run_plan(id, RunInput::Start, now);
        Ok(())
    }

    /// The agent, where nobody but they and the caller talk.
    fn alone_with(&self, id: CallId) -> Result<LegId, Unasked> {
        let talk = self.calls.get(&id).and_then(|live| live.call.talking()).ok_or(Unasked::NoTalk)?;
        match (talk.agent(), talk.state()) {
            (Some(agent), State::Talk | State::Held) if talk.parties().count() <= 2 => Ok(agent),
            _ => {
                let message = "only one caller can go on alone; let the others go first".to_owned();
                Err(Unasked::Cannot(409, "several_parties", message))
            }
        }
    }

    /// The agent is out of the call, and the caller with nobody.
    fn leave_to(&mut self, id: CallId, agent: LegId, to: &Asking, now: Now) {
        if let Some(live) = self.live(id) {
            live.consulted = Some(to.to_string());
        }
        self.note_hand_over(id, agent, HandOverKind::Blind, now);
        if let Some(live) = self.live(id) {
            live.call.phase = Phase::Plan;
            live.call.queued_at = None;
        }
        self.supervision_ends(id, now);
        self.drop_leg(id, agent, &EndReason::normal(Outcome::Handled, Party::Agent), now);
    }

    // Who may be asked

    /// `expert:301`, `agent:205`, `tel:+33…`, `queue:support`; a bare number is an expert's, an agent's, or one outside.
    pub(super) fn asking(&self, to: &str) -> Result<Asking, Unasked> {
        let (kind, rest) = match to.split_once(':') {
            Some((kind, rest)) => (Some(kind), rest.trim()),
            None => (None, to.trim()),
        };
        let experts = || self.settings.experts.iter().map(|expert| expert.id.as_str());
        let agents = || self.settings.agents.iter().map(|agent| agent.id.as_str());
        let queues = || self.settings.queues.iter().map(|queue| queue.id.as_str());
        let unknown = |what: &str, known: Vec<&str>| {
            let hint = crate::findings::suggest(rest, known.iter().copied()).map(|hint| format!(" ({hint})"));
            let message = format!("there is no {what} '{rest}'{}", hint.unwrap_or_default());
            Unasked::Cannot(404, "unknown_party", message)
        };
        match kind {
            Some("expert") if experts().any(|id| id == rest) => Ok(Asking::Expert(ExpertId::from(rest))),
            Some("expert") => Err(unknown("expert", experts().collect())),
            Some("agent") if agents().any(|id| id == rest) => Ok(Asking::Agent(AgentId::from(rest))),
            Some("agent") => Err(unknown("agent", agents().collect())),
            Some("queue") if queues().any(|id| id == rest) => Ok(Asking::Queue(QueueId::from(rest))),
            Some("queue") => Err(unknown("queue", queues().collect())),
            None if experts().any(|id| id == rest) => Ok(Asking::Expert(ExpertId::from(rest))),
            None if agents().any(|id| id == rest) => Ok(Asking::Agent(AgentId::from(rest))),
            Some("tel") | None if is_number(rest) => Ok(Asking::Number(rest.to_owned())),
            _ => {
                let message = "'to' must be expert:ID, agent:ID, queue:ID or tel:NUMBER".to_owned();
                Err(Unasked::Cannot(422, "invalid_party", message))
            }
        }
    }

    /// Nobody is asked who has a part in the call already.
    fn may_ask(&self, id: CallId, to: &Asking) -> Result<(), Unasked> {
        let Some(live) = self.calls.get(&id) else { return Err(Unasked::NoTalk) };
        let there = live.call.legs.values().filter(|leg| leg.is_up()).any(|leg| match to {
            Asking::Agent(agent) => leg.agent.as_ref() == Some(agent),
            Asking::Expert(expert) => leg.role == Party::Expert && leg.address == expert.as_str(),
            Asking::Number(number) => leg.address == *number,
            Asking::Queue(_) => false,
        });
        if there {
            return Err(Unasked::Cannot(409, "there_already", format!("{to} has a part in this call already")));
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=20).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

/// What an agent's leaving would be, by where the talk stands.
fn kind_of(talk: &Talk, event: Event) -> HandOverKind {
    match event {
        Event::Transfer => HandOverKind::Blind,
        Event::Left(..) if talk.asked().is_none() && talk.state() != State::Calling => HandOverKind::Conference,
        _ => HandOverKind::Supervised,
    }
}
