//! The life of a call: it begins, is answered, ends, and leaves its record.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand_core::RngCore;

use super::dial_out::Reaching;
use super::incoming::{Dialled, Source};
use super::protection::Way;
use super::{Engine, FINISH_WAIT, Journal, Live, LostPlace, Timer};
use crate::bridge::{Latch, MediaCommand};
use crate::call::{self, Call, Ending, Leg, LegState, NewLeg, Phase};
use crate::callback::Origin;
use crate::dialplan::{Facts, Run, RunInput};
use crate::ids::{AgentId, CallId, LegId, SessionId, TrunkId};
use crate::record::{Outcome, Party, VisitEnd};
use crate::sdp::Direction;
use crate::settings::{Codec, Srtp};
use crate::sip::Flow;
use crate::sip::message::Headers;
use crate::time::Now;
use crate::views::Change;

/// An INVITE that has been let in.
pub(super) struct NewCall {
    pub session: SessionId,
    pub flow: Flow,
    pub source: Source,
    pub dialled: Dialled,
    pub from: String,
    pub to: String,
    pub headers: Headers,
    /// Empty for a late offer.
    pub sdp: Bytes,
    /// How many systems the call may still pass (RFC 3261 §20.22).
    pub max_forwards: u8,
}

/// What follows from who calls.
struct Begun {
    trunk: Option<TrunkId>,
    role: Party,
    agent: Option<AgentId>,
    codecs: Vec<Codec>,
    srtp: Srtp,
}

const NON_SELECTED: u8 = 26;

/// How a call's end is told to the legs that are still there.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndReason {
    pub outcome: Outcome,
    pub by: Party,
    pub q850: u8,
    /// The refusal a caller gets who has not been answered.
    pub status: u16,
}

impl EndReason {
    /// For a phone that rang until somebody else answered. Q.850 cause 26: non-selected user clearing.
    pub const ELSEWHERE: EndReason =
        EndReason { outcome: Outcome::Handled, by: Party::System, q850: NON_SELECTED, status: 480 };

    /// Q.850 cause 16: normal clearing.
    pub fn normal(outcome: Outcome, by: Party) -> EndReason {
        EndReason { outcome, by, q850: 16, status: 480 }
    }
}

/// How one who still waits came out of the queue. Who was rung by us abandons nothing.
fn visit_end(reason: &EndReason, called_back: bool) -> VisitEnd {
    match reason.by {
        Party::Caller if called_back => VisitEnd::Overflowed,
        Party::Caller => VisitEnd::Abandoned,
        _ => VisitEnd::Failed,
    }
}

impl Engine {
    /// Makes the call and starts what was dialled; `Err` is the status to refuse with.
    pub(super) fn begin_call(&mut self, new: NewCall, now: Now) -> Result<(), u16> {
        let Begun { trunk, role, agent, codecs, srtp } = self.origin(&new.source);
        let port = self.ports.pop_front().ok_or(503u16)?;
        let id = CallId::new(now.wall.as_millisecond(), self.random_bits());
        let leg_id = self.next_leg_id();
        let mut negotiator = self.negotiator(port, leg_id, &codecs, Way::new(new.flow.transport, srtp));
        let agreed = if new.sdp.is_empty() {
            None
        } else {
            match negotiator.take_offer(&new.sdp, Direction::BOTH) {
                Ok(answer) => Some(answer),
                Err(error) => {
                    self.ports.push_back(port);
                    return Err(error.status());
                }
            }
        };
        let mut leg = Leg::new(NewLeg {
            id: leg_id,
            role,
            agent,
            address: new.from.clone(),
            session: new.session,
            port,
            negotiator,
            latch: Latch::Address(new.flow.remote.ip()),
        });
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        if let Some((answer, agreed)) = agreed {
            leg.answer = Some(answer);
            let configure = leg.configure(&agreed);
            self.media(configure);
        }
        self.sessions.insert(new.session, (id, leg_id));
        self.legs.insert(leg_id, id);
        let mut call = Call::new(call::NewCall {
            id,
            trunk,
            from: new.from.clone(),
            to: new.to.clone(),
            language: self.settings.language.clone(),
            at: now.wall,
            hops_left: new.max_forwards,
        });
        call.origin = Some(Origin { transport: new.flow.transport, address: new.flow.remote });
        call.caller = leg_id;
        call.legs.insert(leg_id, Box::new(leg));
        self.changed.insert(id);
        self.unwritten.insert(id);
        self.start(call, &new.dialled, &new.headers, now);
        Ok(())
    }

    fn start(&mut self, mut call: Call, dialled: &Dialled, headers: &Headers, now: Now) {
        let id = call.id;
        let plans = self.plans.clone();
        match dialled {
            Dialled::Plan(plan) => {
                let uses = plans.get(plan).map(|plan| plan.uses).unwrap_or_default();
                let earlier_calls_s = self.note_call(&call.from, uses, now);
                let mut facts = Facts {
                    call_id: id,
                    from: call.from.clone(),
                    to: call.to.clone(),
                    trunk: call.trunk.clone(),
                    language: call.language.clone(),
                    headers: BTreeMap::new(),
                    caller: self.stranger(&call.from, uses),
                    earlier_calls_s,
                };
                if plans.get(plan).is_some_and(|plan| plan.uses.headers) {
                    facts.take_headers(headers.iter());
                }
                let run = Run::new(&plans, plan, facts);
                call.language = run.language().clone();
                let waits = self.ask_history(id, &call.from, uses, now);
                self.calls.insert(id, Box::new(Live::new(call, Some(run), plans)));
                if !waits {
                    self.run_plan(id, RunInput::Start, now);
                }
            }
            Dialled::Agent(agent) => {
                self.calls.insert(id, Box::new(Live::new(call, None, plans)));
                self.dial_agent(id, agent, super::direct::DIAL_TIMEOUT, now);
            }
            Dialled::Expert(expert) => {
                self.calls.insert(id, Box::new(Live::new(call, None, plans)));
                let whom = (Party::Expert, Reaching::ForAgent);
                self.dial_number(id, expert.as_str(), whom, super::direct::DIAL_TIMEOUT, now);
            }
        }
    }

    fn origin(&self, source: &Source) -> Begun {
        match source {
            Source::Trunk(id) => {
                let trunk = self.settings.trunks.iter().find(|trunk| trunk.id == *id);
                let (codecs, srtp) = trunk.map(|trunk| (trunk.codecs.clone(), trunk.srtp)).unwrap_or_default();
                Begun { trunk: Some(id.clone()), role: Party::Caller, agent: None, codecs, srtp }
            }
            Source::Agent(id) => {
                let agent = self.settings.agents.iter().find(|agent| agent.id == *id);
                let (codecs, srtp) = agent.map(|agent| (agent.codecs.clone(), agent.srtp)).unwrap_or_default();
                Begun { trunk: None, role: Party::Caller, agent: Some(id.clone()), codecs, srtp }
            }
        }
    }

    /// For an identifier: 80 bits.
    pub(super) fn random_bits(&mut self) -> u128 {
        u128::from(self.rng.next_u64()) << 16 | u128::from(self.rng.next_u32() as u16)
    }

    pub(super) fn next_leg_id(&mut self) -> LegId {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        id
    }

    /// Answers the caller if that has not been done.
    pub(super) fn answer_caller(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if live.call.answered_at.is_some() {
            return;
        }
        live.call.answered_at = Some(now.wall);
        let Some(leg) = live.call.caller_mut() else { return };
        leg.join(now);
        let sdp = leg.answer.take().unwrap_or_else(|| leg.negotiator.offer(Direction::BOTH));
        let session = leg.session;
        self.ua.accept(session, sdp, Headers::default(), now.instant);
        self.changed.insert(id);
        self.unwritten.insert(id);
    }

    /// Ends the call for everybody. Its record follows as soon as the media threads have told their last figures.
    pub(super) fn end_call(&mut self, id: CallId, reason: EndReason, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if live.call.ending.is_some() {
            return;
        }
        self.conversation_breaks_off(id, now);
        let Some(live) = self.calls.get_mut(&id) else { return };
        let answered = live.call.answered_at.is_some();
        let gave_up = reason.outcome == Outcome::Abandoned && reason.by == Party::Caller;
        let gave_up = gave_up && matches!(live.call.phase, Phase::Queued(_));
        live.call.stop_waiting(now);
        live.call.leave_visit(visit_end(&reason, live.call.outgoing), now);
        live.call.ending = Some(Ending {
            outcome: reason.outcome,
            by: reason.by,
            at: now.wall,
            sip_status: Some(if answered { 200 } else { reason.status }),
            q850: Some(reason.q850),
        });
        let phase = std::mem::replace(&mut live.call.phase, Phase::Ending);
        live.call.offers.clear();
        live.outgoing = None;
        let open: Vec<LegId> =
            live.call.legs.values().filter(|leg| leg.state != LegState::Gone).map(|leg| leg.id).collect();
        for leg in open {
            self.drop_leg(id, leg, &reason, now);
        }
        self.attempt_over(id, &phase, now);
        if let Phase::Meeting(seat) = &phase {
            self.gone_from_room(id, &seat.room, now);
        }
        self.consultations_over(id, now);
        if !self.tickets.contains_key(&id) {
            self.acd.leave(id, now);
        }
        if gave_up {
            self.recover_abandoned(id, now);
        }
        self.timers.clear(&Timer::Plan(id));
        self.timers.clear(&Timer::History(id));
        self.wait_no_longer(id);
        self.timers.clear(&Timer::Dial(id));
        self.timers.set(Timer::Finish(id), now.instant + FINISH_WAIT);
        self.changed.insert(id);
        self.finish_if_complete(id, now);
    }

    /// Tells one leg's far end that it is over, and closes its media.
    pub(super) fn drop_leg(&mut self, id: CallId, leg_id: LegId, reason: &EndReason, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let unanswered_caller = leg_id == live.call.caller && live.call.answered_at.is_none() && !live.call.outgoing;
        let Some(leg) = live.call.legs.get(&leg_id) else { return };
        let session = leg.session;
        let mut headers = Headers::default();
        if unanswered_caller {
            self.ua.reject(session, reason.status, None, headers, now.instant);
        } else {
            // RFC 3326
            headers.push("Reason", format!("Q.850;cause={}", reason.q850));
            if reason.q850 == NON_SELECTED {
                // So that the phone shows no missed call.
                headers.push("Reason", "SIP;cause=200;text=\"Call completed elsewhere\"");
            }
            self.ua.hang_up(session, headers, now.instant);
        }
        self.close_leg(id, leg_id, now);
    }

    /// The leg's SIP side is over: its media closes, its time is counted.
    pub(super) fn close_leg(&mut self, id: CallId, leg_id: LegId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(leg) = live.call.legs.get_mut(&leg_id) else { return };
        if leg.state == LegState::Gone {
            return;
        }
        leg.leave(now);
        let (session, joined) = (leg.session, leg.joined_at.is_some());
        if live.call.caller == leg_id {
            // What a recogniser still tells of it comes too late.
            live.listens = None;
        }
        // Who is gone from a call that goes on is credited with nothing that follows, whatever becomes of this process.
        let went_on = joined && live.call.ending.is_none();
        self.unwritten.extend(went_on.then_some(id));
        self.sessions.remove(&session);
        self.media(MediaCommand::Close { leg: leg_id });
        self.changed.insert(id);
    }

    pub(super) fn finish_if_complete(&mut self, id: CallId, now: Now) {
        let complete = self.calls.get(&id).is_some_and(|live| live.call.ending.is_some() && live.call.is_complete());
        if complete && !self.is_recording(id) {
            self.finish(id, now);
        }
    }

    /// Writes the record, then tells the world.
    pub(super) fn finish(&mut self, id: CallId, now: Now) {
        if self.unwritten.remove(&id) {
            self.write_down(id);
        }
        let message = self.settle_recordings(id, now);
        let Some(live) = self.calls.remove(&id) else { return };
        self.timers.clear(&Timer::Finish(id));
        self.tickets.retain(|_, call| *call != id);
        for leg in live.call.legs.values() {
            self.timers.clear(&Timer::Keys(id, leg.id));
            self.legs.remove(&leg.id);
            self.sessions.remove(&leg.session);
        }
        let told = Box::new(live.call.record());
        let mut record = told.clone();
        record.trace = live.trace();
        self.journal(Journal::Ended(record));
        // Events are kept by the thousand; whoever wants the trace asks for it.
        self.commands.push_back(super::Command::Publish(Change::Ended(told)));
        if let Some(message) = message {
            if let Some(webhook) = message.webhook() {
                self.tell(id, webhook, now);
            }
            self.commands.push_back(super::Command::Publish(Change::Voicemail(message.entry)));
        }
        self.changed.remove(&id);
    }

    /// Second SIGTERM: everybody is told that it is over.
    pub(super) fn stop(&mut self, now: Now) {
        self.draining = true;
        self.leave_experts(now);
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        for id in ids {
            if let Some(place) = self.place_of(id, now) {
                self.journal(Journal::LostPlace(place));
            }
            let handled = self.calls.get(&id).is_some_and(|live| live.call.handled);
            let outcome = if handled { Outcome::Handled } else { Outcome::Failed };
            // Q.850 cause 41: temporary failure.
            self.end_call(id, EndReason { outcome, by: Party::System, q850: 41, status: 503 }, now);
        }
    }

    /// Of a caller who waits in a queue: what they regain when they ring the next process.
    fn place_of(&self, id: CallId, now: Now) -> Option<LostPlace> {
        let call = &self.calls.get(&id)?.call;
        let Phase::Queued(waiting) = &call.phase else { return None };
        let waited = jiff::SignedDuration::try_from(now.instant.since(call.queued_at?)).ok()?;
        let waiting_since = now.wall.checked_sub(waited).ok()?;
        let (from, queue) = (call.from.clone(), waiting.queue.clone());
        Some(LostPlace { from, queue, waiting_since, lost_at: now.wall })
    }

    /// Re-computes who hears whom; of all who are in a room with the caller, too.
    pub(super) fn wire(&mut self, id: CallId, now: Now) {
        let room = self.calls.get(&id).and_then(|live| live.call.seat()).map(|seat| seat.room.clone());
        match room {
            Some(room) => self.wire_room(&room, now),
            None => self.wire_alone(id, now),
        }
    }

    /// Of the legs of one call.
    pub(super) fn wire_alone(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let music = live.call.queue.as_ref().and_then(|queue| self.settings.queues.iter().find(|q| q.id == *queue));
        let music = music.or(self.settings.queues.first()).map_or("music/default", |queue| queue.music.as_str());
        let notice = super::supervise::notice(&self.settings, &live.call);
        for command in live.call.wire(music, &notice, &mut self.next_play, now) {
            self.commands.push_back(super::Command::Media(command));
        }
        self.track_hold(id, now);
        self.changed.insert(id);
    }
}
