//! What holds after every input: what is published, what the media threads were told, what the engine keeps and what
//! the far ends see are one story.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use relais::callback::CallbackState;
use relais::engine::{Counts, Journal};
use relais::ids::{AgentId, CallId, CallbackId, LegId, QueueId};
use relais::record::{CallRecord, LegRecord, Outcome, Party, QueueVisit, VisitEnd};
use relais::time::Instant;
use relais::views::{
    AgentState, AgentView, CallState, CallView, CallbackView, Change, ConsultState, LegView, QueueView,
};

use crate::bots::Bots;
use crate::media::Media;
use crate::people::Side;

/// An agent who is barred for a contact, or rests, is so for the queue's `retry_delay_s`; the demo leaves it at 10.
const MAY_REST: Duration = Duration::from_secs(12);
/// A BYE is sent again for 64*T1, and may itself have waited as long for the ACK before it (RFC 3261 §15).
const TOLD_WITHIN: Duration = Duration::from_secs(70);
/// Then an INVITE has been sent five times.
const RINGS_WITHIN: Duration = Duration::from_secs(10);
/// The media threads of the simulation tell the last figures within 30 ms.
const WRITTEN_WITHIN: Duration = Duration::from_millis(60);
/// A recording may take longer to end, until the engine waits for it no more.
const RECORDED_WITHIN: Duration = Duration::from_millis(300);
/// All transactions and repetitions of the last call are over: 64*T1 twice, and what lingers after.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(150);
/// The shipped bot's longest conversation, and what is said at its end.
const CONVERSES_WITHIN: Duration = Duration::from_secs(450);
/// Nobody can have said a word.
const AT_ONCE_MS: u64 = 500;
/// Two roundings to whole milliseconds.
const ROUNDING_MS: u64 = 2;

/// How good the network of a run is: what must never happen then.
#[derive(Clone, Copy)]
pub struct Line {
    /// So little is lost that no exchange of messages can fail.
    pub sound: bool,
    /// So little is lost that every phone is reached by the first few INVITEs.
    pub clear: bool,
    /// No transport error was told so far: one ends a request that is still being repeated (RFC 3261 §17.1.4), and with it
    /// the last that a phone would have heard.
    pub tells: bool,
}

#[derive(Default)]
pub struct Truth {
    calls: BTreeMap<CallId, CallView>,
    agents: BTreeMap<AgentId, AgentView>,
    queues: BTreeMap<QueueId, QueueView>,
    /// When each call was first shown waiting, and with an agent.
    waits: BTreeMap<CallId, Wait>,
    /// Something that may be so for a while only: since when.
    since: BTreeMap<Passing, Instant>,
    /// Talks that came out of a queue, and wrap-ups that were told.
    talks: BTreeMap<CallId, u32>,
    /// Of those, the ones in which an agent asked another or handed over: who was only asked wraps up nothing.
    shared: BTreeSet<CallId>,
    /// Answers to callers who waited.
    out_of_queues: u64,
    wrapped_up: BTreeMap<CallId, u32>,
    /// What the journal tells of the calls that are up: all that a crash would leave of them.
    journal: BTreeMap<CallId, CallRecord>,
    /// The state of each agent as it was written down last.
    entered: BTreeMap<AgentId, AgentState>,
    /// Call-backs that are not kept yet.
    promised: BTreeMap<CallbackId, CallbackView>,
    /// And as the journal tells them.
    written_promises: BTreeMap<CallbackId, CallbackState>,
}

#[derive(Default)]
struct Wait {
    queued: Option<Instant>,
    over: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Passing {
    IdleWhileWaiting(AgentId, CallId),
    NotRung(AgentId, CallId),
    Orphan(usize, relais::ids::SessionId),
    Ending(CallId),
    EndingRecorded(CallId),
    WithABot(LegId),
    NoCalls,
}

impl Truth {
    pub fn published(&mut self, change: &Change, now: Instant) -> Result<(), String> {
        match change {
            Change::Call(view) => {
                let wait = self.waits.entry(view.call_id).or_default();
                if view.state == CallState::Queued {
                    wait.queued.get_or_insert(now);
                }
                if wait.queued.is_some()
                    && matches!(view.state, CallState::Talking | CallState::Holding | CallState::Ending)
                {
                    wait.over.get_or_insert(now);
                }
                self.calls.insert(view.call_id, (**view).clone());
            }
            Change::Ended(record) => {
                let wait = self.waits.remove(&record.call_id).unwrap_or_default();
                self.calls.remove(&record.call_id);
                self.check_record(record, &wait)?;
            }
            Change::Agent(view) => {
                self.agents.insert(view.id.clone(), view.clone());
            }
            Change::Queue(view) => {
                self.queues.insert(view.id.clone(), view.clone());
            }
            Change::Expert(_)
            | Change::ExpertGone { .. }
            | Change::Voicemail(_)
            | Change::Conversation { .. }
            | Change::RecordingDeleted { .. }
            | Change::RecordingNoted { .. }
            | Change::Survey { .. }
            | Change::Disposition { .. }
            | Change::Reload(_) => {}
            Change::Callback(view) if view.state.is_final() => {
                self.promised.remove(&view.callback_id);
            }
            Change::Callback(view) => {
                self.promised.insert(view.callback_id, view.clone());
            }
        }
        Ok(())
    }

    /// The call in which an agent talks on this leg to a caller who came out of a queue.
    pub fn talk_of_agent(&self, leg: LegId) -> Option<CallId> {
        let talks = |call: &&CallView| matches!(call.state, CallState::Talking | CallState::Holding);
        let call = self.calls.values().filter(talks).find(|call| {
            call.queue.is_some()
                && is_of_two(call)
                && call.legs.iter().any(|known| known.leg_id == leg && known.role == Party::Agent)
        })?;
        Some(call.call_id)
    }

    /// An agent's phone sends nothing any more: that is the end of the agent's leg and not of the call.
    pub fn lost_agent(&self, call: CallId, leg: LegId) -> Result<(), String> {
        let view = self.calls.get(&call);
        let waits =
            view.is_some_and(|view| view.state == CallState::Queued && view.legs.iter().all(|l| l.leg_id != leg));
        waits.then_some(()).ok_or(format!("agent's leg {leg} died, and the caller does not wait again: {view:?}"))
    }

    pub fn written(&mut self, entry: &Journal) -> Result<(), String> {
        match entry {
            Journal::Began(record) => {
                self.journal.insert(record.call_id, (**record).clone());
            }
            Journal::Progress { call, progress } => {
                let known = self.journal.get_mut(call).ok_or(format!("call {call} goes on before it began"))?;
                known.follow((**progress).clone());
            }
            Journal::Queued { call, queue, .. } => {
                let known = self.journal.get_mut(call).ok_or(format!("call {call} is queued before it began"))?;
                known.queue = Some(queue.clone());
            }
            Journal::Ended(record) => {
                self.journal.remove(&record.call_id);
            }
            Journal::WrapUp { call, acw_ms } => self.wrapped_up(*call, *acw_ms)?,
            Journal::Callback(callback) if callback.state.is_final() => {
                self.written_promises.remove(&callback.id);
            }
            Journal::Callback(callback) => {
                self.written_promises.insert(callback.id, callback.state);
            }
            Journal::Agents(changes) => {
                self.entered.extend(changes.iter().map(|change| (change.agent.clone(), change.state)));
            }
            Journal::Recording(_)
            | Journal::RecordingDeleted(_)
            | Journal::RecordingNoted { .. }
            | Journal::LostPlace(_)
            | Journal::Surveyed { .. }
            | Journal::Disposed { .. }
            | Journal::Told(_) => {}
        }
        Ok(())
    }

    pub fn promised(&self) -> impl Iterator<Item = CallbackId> {
        self.promised.keys().copied()
    }

    fn wrapped_up(&mut self, call: CallId, acw_ms: u64) -> Result<(), String> {
        *self.wrapped_up.entry(call).or_default() += 1;
        // The demo's wrap_up_s; after an answer and a hang-up at once its retry_delay_s.
        if acw_ms > 10_000 { Err(format!("call {call} was wrapped up for {acw_ms} ms")) } else { Ok(()) }
    }

    /// Everything, after an input was taken in and all its commands were carried out.
    pub fn check(
        &mut self,
        counts: &Counts,
        (media, bots): (&Media, &Bots),
        sides: &[Side],
        line: Line,
        now: Instant,
    ) -> Result<(), String> {
        self.ears(media)?;
        self.nobody_listens_to_a_talk(bots)?;
        self.what_is_kept(counts, media)?;
        self.agents_and_calls()?;
        self.queues_and_calls()?;
        self.what_is_written()?;
        let mut passing = self.passing(counts, media, sides, line);
        passing.extend(bots.listened_to().map(Passing::WithABot));
        self.since.retain(|what, _| passing.contains(what));
        for what in passing {
            let since = *self.since.entry(what.clone()).or_insert(now);
            let (most, saying) = match &what {
                Passing::IdleWhileWaiting(agent, call) => {
                    (MAY_REST, format!("agent {agent} is free while call {call} waits in their queue"))
                }
                Passing::NotRung(agent, call) => {
                    (RINGS_WITHIN, format!("agent {agent} is reserved for call {call} and no phone of theirs rings"))
                }
                Passing::Orphan(side, session) => {
                    let side = &sides[*side].address;
                    (TOLD_WITHIN, format!("session {session} at {side} has not been told that its leg is gone"))
                }
                Passing::Ending(call) => (WRITTEN_WITHIN, format!("call {call} is over and its record not written")),
                Passing::EndingRecorded(call) => {
                    (RECORDED_WITHIN, format!("recorded call {call} is over and its record not written"))
                }
                Passing::WithABot(leg) => (CONVERSES_WITHIN, format!("leg {leg} does not get away from the bot")),
                Passing::NoCalls => (FORGOTTEN_WITHIN, format!("no call is left, yet the engine keeps {counts:?}")),
            };
            if now.since(since) > most {
                return Err(format!("{saying}, for {:.3} s", now.since(since).as_secs_f64()));
            }
        }
        Ok(())
    }

    fn passing(&self, counts: &Counts, media: &Media, sides: &[Side], line: Line) -> BTreeSet<Passing> {
        let mut found = BTreeSet::new();
        let waiting: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.state == CallState::Queued && call.agent.is_none())
            .filter_map(|call| Some((call.call_id, call.queue.as_ref()?)))
            .collect();
        for agent in self.agents.values() {
            if agent.state == AgentState::Available {
                let theirs = waiting.iter().filter(|(_, queue)| agent.queues.contains(queue));
                found.extend(theirs.map(|(call, _)| Passing::IdleWhileWaiting(agent.id.clone(), *call)));
            }
            if let (true, AgentState::Reserved, Some(call)) = (line.clear, agent.state, agent.call_id)
                && !self.is_called_back(call)
                && !self.is_rung(agent, call, media, sides)
            {
                found.insert(Passing::NotRung(agent.id.clone(), call));
            }
        }
        for (n, side) in sides.iter().enumerate() {
            let gone = side
                .sessions
                .iter()
                .filter(|(_, talk)| line.tells && talk.far_port.is_some_and(|port| !media.is_open(port)));
            found.extend(gone.map(|(session, _)| Passing::Orphan(n, *session)));
        }
        let ending = self.calls.values().filter(|call| call.state == CallState::Ending);
        found.extend(ending.map(|call| match media.has_recorded(call.call_id) {
            true => Passing::EndingRecorded(call.call_id),
            false => Passing::Ending(call.call_id),
        }));
        if counts.calls == 0 && counts.ua.sessions > 0 {
            found.insert(Passing::NoCalls);
        }
        found
    }

    fn is_rung(&self, agent: &AgentView, call: CallId, media: &Media, sides: &[Side]) -> bool {
        let Some(side) = sides.iter().find(|side| side.agent.as_deref() == Some(agent.id.as_str())) else {
            return true;
        };
        let Some(leg) = self.calls.get(&call).and_then(|call| agent_leg(call, &agent.id)) else { return false };
        let port = media.port(leg.leg_id);
        side.sessions.values().any(|talk| talk.far_port == port)
    }

    /// Two who talk hear each other; who is held hears music, who waits hears music; nobody hears anybody else.
    fn ears(&self, media: &Media) -> Result<(), String> {
        for call in self.calls.values() {
            let untold = |leg: &&LegView| media.holds(leg.leg_id).is_some_and(|holds| holds != leg.on_hold);
            if let Some(leg) = call.legs.iter().find(untold) {
                return Err(format!("call {} shows {leg:?}, its far end said otherwise", call.call_id));
            }
            match call.state {
                CallState::Talking | CallState::Holding if is_of_two(call) => match &call.legs[..] {
                    [a, b] if is_held(call) => held(call, a, media).and_then(|()| held(call, b, media))?,
                    // A phone holds as well as the API: nothing shown tells the two apart.
                    [a, b]
                        if call.state == CallState::Holding
                            && [a, b].iter().all(|leg| held(call, leg, media).is_ok()) => {}
                    [a, b] => {
                        hears_partner(call, a, b, media)?;
                        hears_partner(call, b, a, media)?;
                        let holds = a.on_hold || b.on_hold;
                        if holds != (call.state == CallState::Holding) {
                            return Err(format!("call {} is {:?} with legs {:?}", call.call_id, call.state, call.legs));
                        }
                    }
                    legs => return Err(format!("call {} is a talk of {} legs", call.call_id, legs.len())),
                },
                CallState::Talking | CallState::Holding | CallState::Consulting | CallState::Conference => {
                    several(call, media).map_err(|fault| format!("call {}: {fault}: {call:?}", call.call_id))?;
                }
                CallState::Queued => {
                    for leg in &call.legs {
                        if !media.sources(leg.leg_id).is_empty() {
                            return Err(format!("leg {} of waiting call {} hears somebody", leg.leg_id, call.call_id));
                        }
                        if leg.role == Party::Caller && !media.plays(leg.leg_id) {
                            return Err(format!("the caller of waiting call {} hears no music", call.call_id));
                        }
                        if leg.role != Party::Caller && media.plays(leg.leg_id) {
                            return Err(format!("call {} plays to a phone that rings", call.call_id));
                        }
                    }
                }
                CallState::Ringing | CallState::Ivr => {
                    let other = |leg: &&LegView| media.sources(leg.leg_id).iter().any(|source| *source != leg.leg_id);
                    if let Some(leg) = call.legs.iter().find(other) {
                        return Err(format!("leg {} of call {} hears another", leg.leg_id, call.call_id));
                    }
                }
                CallState::Ending if !call.legs.is_empty() => {
                    return Err(format!("call {} has ended with legs {:?}", call.call_id, call.legs));
                }
                CallState::Ending => {}
            }
        }
        Ok(())
    }

    /// A recogniser hears who speaks with a bot, and nobody else.
    fn nobody_listens_to_a_talk(&self, bots: &Bots) -> Result<(), String> {
        let others = self.calls.values().filter(|call| call.state != CallState::Ivr);
        match others.flat_map(|call| &call.legs).find(|leg| bots.listens(leg.leg_id)) {
            Some(leg) => Err(format!("leg {} is listened to, and speaks with no bot", leg.leg_id)),
            None => Ok(()),
        }
    }

    /// The engine keeps exactly what is shown.
    fn what_is_kept(&self, counts: &Counts, media: &Media) -> Result<(), String> {
        let legs: BTreeSet<LegId> = self.calls.values().flat_map(|call| &call.legs).map(|leg| leg.leg_id).collect();
        let open: BTreeSet<LegId> = media.open_legs().collect();
        if legs != open {
            return Err(format!("legs {legs:?} are shown, media is open for {open:?}"));
        }
        if (counts.calls, counts.sessions) != (self.calls.len(), legs.len()) {
            return Err(format!("{} calls with {} legs are shown, kept are {counts:?}", self.calls.len(), legs.len()));
        }
        // The dialplan, and the longest wait or ring or the record's last figures; one who is asked, and keys of an agent.
        if counts.timers > 3 * counts.calls + legs.len() {
            return Err(format!("timers are set for calls that are over: {counts:?}"));
        }
        let contacts = self.calls.values().filter(|call| call.state != CallState::Ending).count();
        let promised = self.promised.values().filter(|view| view.state == CallbackState::Waiting).count();
        // An agent who was asked has a part of their own.
        let agents = self.calls.values().flat_map(|call| &call.legs).filter(|leg| leg.role == Party::Agent).count();
        if counts.acd.contacts > contacts + promised + agents {
            return Err(format!("{contacts} calls run, the distributor knows {:?}", counts.acd));
        }
        // Ring, retry, preferred agent, widening and announcement of a contact; rest or wrap-up of an agent.
        if counts.acd.timers > 5 * counts.acd.contacts + self.agents.len() {
            return Err(format!("the distributor has timers of contacts that are gone: {:?}", counts.acd));
        }
        Ok(())
    }

    /// An agent who rings has an offer and a phone that rings; one who talks has a talk; the others have nothing.
    fn agents_and_calls(&self) -> Result<(), String> {
        for agent in self.agents.values() {
            let call = agent.call_id.and_then(|call| self.calls.get(&call));
            let leg = call.and_then(|call| agent_leg(call, &agent.id));
            let state = call.map(|call| call.state);
            let asked = call.is_some_and(|call| !is_of_two(call));
            let fits = match agent.state {
                // One who is reserved while a customer is rung.
                AgentState::Reserved if agent.call_id.is_some_and(|call| self.is_called_back(call)) => leg.is_none(),
                AgentState::Reserved | AgentState::Ringing => {
                    // Of several who are rung at once the first is shown.
                    let shown = call.and_then(|call| self.agents.get(call.agent.as_ref()?));
                    let offered = shown.is_some_and(|shown| shown.call_id == agent.call_id);
                    let rings = offered && !matches!(state, Some(CallState::Talking | CallState::Holding));
                    leg.is_some() && (rings || asked)
                }
                AgentState::Talking | AgentState::Holding if asked => leg.is_some(),
                AgentState::Talking => leg.is_some() && state == Some(CallState::Talking),
                AgentState::Holding => leg.is_some() && state == Some(CallState::Holding),
                AgentState::WrapUp => leg.is_none() && agent.call_id.is_some(),
                _ => agent.call_id.is_none(),
            };
            if !fits {
                return Err(format!("agent and call do not fit: {agent:?} with {call:?}"));
            }
        }
        for call in self.calls.values() {
            for leg in call.legs.iter().filter(|leg| leg.role == Party::Agent) {
                let agent = self.agents.get(leg.address.as_str()).map(|agent| agent.call_id);
                if agent != Some(Some(call.call_id)) {
                    return Err(format!("call {} rings or has agent {}, who is not its", call.call_id, leg.address));
                }
            }
        }
        Ok(())
    }

    /// We ring the customer, or ask them for a key.
    fn is_called_back(&self, call: CallId) -> bool {
        self.calls
            .get(&call)
            .is_some_and(|call| call.outgoing && matches!(call.state, CallState::Ringing | CallState::Ivr))
    }

    fn queues_and_calls(&self) -> Result<(), String> {
        for queue in self.queues.values() {
            let waiting = self.calls.values().filter(|call| call.queue.as_ref() == Some(&queue.id));
            let waiting = waiting.filter(|call| call.state == CallState::Queued).count() as u64;
            let theirs = || self.agents.values().filter(|agent| agent.queues.contains(&queue.id));
            let available = theirs().filter(|agent| agent.state == AgentState::Available).count() as u64;
            let logged_in = theirs().filter(|agent| agent.state != AgentState::LoggedOut).count() as u64;
            let adds_up = queue.offered == queue.handled + queue.abandoned + queue.overflowed + queue.waiting;
            if (queue.waiting, queue.agents_available, queue.agents_logged_in) != (waiting, available, logged_in)
                || !adds_up
            {
                return Err(format!("{queue:?}, but {waiting} wait, {available} of {logged_in} agents are free"));
            }
        }
        Ok(())
    }

    /// Were the process killed now, the records would tell of each call who is in it, since when, and its queue.
    fn what_is_written(&self) -> Result<(), String> {
        let shown = self.promised.iter().map(|(id, view)| (*id, view.state));
        if !shown.eq(self.written_promises.iter().map(|(id, state)| (*id, *state))) {
            return Err(format!("promised is {:?}, written down {:?}", self.promised, self.written_promises));
        }
        for view in self.agents.values() {
            let written = self.entered.get(&view.id).copied().unwrap_or(AgentState::LoggedOut);
            if written != view.state {
                return Err(format!("agent {} is written down as {written:?}, and shown {view:?}", view.id));
            }
        }
        for (queue, view) in &self.queues {
            let stand = self.promised.values().filter(|promised| {
                promised.queue == *queue && matches!(promised.state, CallbackState::Waiting | CallbackState::Dialling)
            });
            if view.callbacks > stand.count() as u64 {
                return Err(format!("queue {queue} has more call-backs than are promised: {view:?}"));
            }
        }
        for call in self.calls.values().filter(|call| call.state != CallState::Ending) {
            let Some(written) = self.journal.get(&call.call_id) else {
                return Err(format!("call {} is shown and not written down", call.call_id));
            };
            let present = |leg: &LegView| {
                let known = written.legs.iter().find(|known| known.leg_id == leg.leg_id);
                known.is_some_and(|known| known.joined_at.is_some() && known.left_at.is_none())
            };
            let here = |leg: &LegRecord| leg.joined_at.is_none() || leg.left_at.is_some() || shows(call, leg);
            let talks = matches!(call.state, CallState::Talking | CallState::Holding) && is_of_two(call);
            let fits = written.answered_at == call.answered_at
                && written.queue == call.queue
                && (!talks || (written.agent == call.agent && call.legs.iter().all(present)))
                && written.legs.iter().all(here)
                && written.path.is_empty() == call.trunk.is_none();
            if !fits {
                return Err(format!("written down is {written:?}, shown is {call:?}"));
            }
            let left = written.legs.iter().filter(|leg| leg.left_at.is_none() && leg.joined_at.is_some());
            if let Some(leg) = left.into_iter().find(|leg| call.legs.iter().all(|shown| shown.leg_id != leg.leg_id)) {
                return Err(format!("leg {} is gone, and its end is not written down", leg.leg_id));
            }
        }
        Ok(())
    }

    fn check_record(&mut self, record: &CallRecord, wait: &Wait) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{what}: {record:?}"));
        let (Some(ended), Some(outcome)) = (record.ended_at, record.outcome) else { return fault("no end") };
        let between = |from, to: relais::time::Wall| u64::try_from(to.duration_since(from).as_millis()).ok();
        if between(record.started_at, ended).is_none() || record.answered_at.is_some_and(|at| at < record.started_at) {
            return fault("times out of order");
        }
        if record.path.iter().any(|step| step.module == "callback" && step.plan == "callback")
            && !matches!(outcome, Outcome::Handled | Outcome::Failed)
        {
            return fault("a customer who was rung is counted as one who rang");
        }
        let outside = record.legs.iter().any(|leg| leg.role == Party::Outside);
        if (outcome == Outcome::Handled) != (record.agent.is_some() || outside) {
            return fault("outcome and those who talked disagree");
        }
        if outcome == Outcome::Voicemail && record.recording.is_none() {
            return fault("a voicemail without a message");
        }
        if (record.sip_status == Some(200)) != record.answered_at.is_some() {
            return fault("status and answer disagree");
        }
        let over = |visit: &QueueVisit| {
            visit.wait_ms.is_some() && visit.end.is_some_and(|end| (end == VisitEnd::Answered) == visit.agent.is_some())
        };
        if !record.visits.iter().all(over) || (wait.queued.is_some() && record.visits.is_empty()) {
            return fault("the waits in queues are not all told to their end");
        }
        let mut sums = (0, 0);
        for leg in &record.legs {
            let Some(joined) = leg.joined_at else { continue };
            let present = leg.left_at.and_then(|left| between(joined, left));
            let apart = leg.consult_ms + leg.conference_ms;
            let counted = leg.talk_ms + leg.hold_ms + apart;
            let rounding = if apart > 0 { 2 * ROUNDING_MS } else { ROUNDING_MS };
            match leg.role {
                Party::Agent | Party::Expert | Party::Outside
                    if present.is_none_or(|there| there.abs_diff(counted) > rounding) =>
                {
                    return fault("an agent's times are not the time they were there");
                }
                Party::Agent | Party::Outside => {
                    sums = (sums.0 + leg.talk_ms + leg.conference_ms, sums.1 + leg.hold_ms + leg.consult_ms);
                }
                _ if present.is_none_or(|there| there + rounding < counted) => return fault("a caller's times"),
                _ => {}
            }
            if leg.rtp.is_none() {
                return fault("a leg without figures");
            }
        }
        let agents = record.legs.iter().filter(|leg| leg.role == Party::Agent).count();
        if (record.agent.is_some() || outside) && (record.talk_ms, record.hold_ms) != (Some(sums.0), Some(sums.1)) {
            return fault("talk and hold do not add up");
        }
        let seen = wait.queued.map(|queued| wait.over.unwrap_or(queued).since(queued).as_millis() as u64);
        let fits = match (seen, record.wait_ms) {
            (None, None) => true,
            (Some(seen), Some(told)) => seen.abs_diff(told) <= ROUNDING_MS,
            _ => false,
        };
        if !fits {
            return fault(&format!("the caller was seen to wait {seen:?} ms"));
        }
        if record.transfers as usize != record.handed_over.len() {
            return fault("transfers are not those that are told");
        }
        let experts = record.legs.iter().filter(|leg| leg.role == Party::Expert).count();
        if experts > 0 && record.consults == 0 && record.transfers == 0 {
            return fault("an expert whom nobody asked");
        }
        if record.queue.is_some() && agents > 0 {
            self.talks.insert(record.call_id, agents as u32);
        }
        if record.consults > 0 || record.transfers > 0 {
            self.shared.insert(record.call_id);
        }
        let answered = record.visits.iter().filter(|visit| visit.end == Some(VisitEnd::Answered)).count();
        self.out_of_queues += answered as u64;
        Ok(())
    }

    /// At the end of a run: every talk was wrapped up once and counted once.
    pub fn at_the_end(&self) -> Result<(), String> {
        let of_a_talk = |call: &CallId| self.talks.contains_key(call);
        if let Some(call) = self.wrapped_up.keys().find(|call| !of_a_talk(call)) {
            return Err(format!("call {call} is wrapped up, and no agent talked in it"));
        }
        for (call, talks) in &self.talks {
            let wrapped_up = self.wrapped_up.get(call).copied().unwrap_or_default();
            let fits = match self.shared.contains(call) {
                true => (1..=*talks).contains(&wrapped_up),
                false => wrapped_up == *talks,
            };
            if !fits {
                return Err(format!("call {call} has {talks} talks of agents, and {wrapped_up} wrap-ups"));
            }
        }
        let talks: u64 = self.talks.values().map(|talks| u64::from(*talks)).sum();
        let by_agents: u64 = self.agents.values().map(|agent| agent.handled).sum();
        let by_queues: u64 = self.queues.values().map(|queue| queue.handled).sum();
        if (talks, self.out_of_queues) != (by_agents, by_queues) {
            return Err(format!(
                "{talks} talks, {} out of queues; agents count {by_agents}, queues {by_queues}",
                self.out_of_queues
            ));
        }
        Ok(())
    }
}

/// What the network being sound means for a record: nothing ends because nobody answers any more.
pub fn ended_by_people(record: &CallRecord, media: &Media) -> Result<(), String> {
    // A provider's server may go down in the middle of a call.
    if record.legs.iter().any(|leg| media.died(leg.leg_id) || leg.role == Party::Outside) {
        return Ok(());
    }
    // Whoever answers and hangs up at once has not ended the call; all others have.
    let agents = record.legs.iter().filter(|leg| leg.role == Party::Agent);
    let stayed = agents.map(|leg| leg.talk_ms + leg.hold_ms >= AT_ONCE_MS).rev().skip(1).any(|stayed| stayed);
    // Q.850 cause 102: recovery on timer expiry.
    let handed_on = record.consults > 0 || record.transfers > 0;
    if record.q850 == Some(102) || (stayed && !handed_on) {
        return Err(format!("a call was lost though the network loses nothing that matters: {record:?}"));
    }
    Ok(())
}

fn agent_leg<'a>(call: &'a CallView, agent: &AgentId) -> Option<&'a LegView> {
    call.legs.iter().find(|leg| leg.role == Party::Agent && leg.address == agent.as_str())
}

/// Nobody was asked, handed the caller over or was brought in, or all that is over.
fn is_of_two(call: &CallView) -> bool {
    call.consult.is_none() && call.legs.len() == 2
}

/// By the API: no phone says so.
fn is_held(call: &CallView) -> bool {
    call.state == CallState::Holding && call.legs.iter().all(|leg| !leg.on_hold)
}

/// The caller who is held hears music, the agent nothing, or why a key did nothing.
fn held(call: &CallView, leg: &LegView, media: &Media) -> Result<(), String> {
    let plays = media.plays(leg.leg_id) && !hears_a_tone(leg, media);
    let fits = media.sources(leg.leg_id).is_empty() && plays == (leg.role == Party::Caller);
    fits.then_some(()).ok_or(format!("call {} is held, and leg {} hears otherwise", call.call_id, leg.leg_id))
}

/// An agent asks, hands over, has brought in: who hears whom goes by where that stands.
fn several(call: &CallView, media: &Media) -> Result<(), String> {
    let hears = |ear: &LegView, mouth: &LegView| media.sources(ear.leg_id).contains(&mouth.leg_id);
    for leg in &call.legs {
        let sources = media.sources(leg.leg_id);
        if let Some(source) = sources.iter().find(|source| call.legs.iter().all(|known| known.leg_id != **source)) {
            return Err(format!("leg {} hears leg {source}, which is not in it", leg.leg_id));
        }
        if sources.contains(&leg.leg_id) {
            return Err(format!("leg {} hears itself", leg.leg_id));
        }
        if !sources.is_empty() && media.plays(leg.leg_id) && !hears_a_tone(leg, media) {
            return Err(format!("leg {} hears somebody and music", leg.leg_id));
        }
    }
    let open = |leg: &&LegView| !leg.on_hold && !leg.muted;
    for (a, b) in call.legs.iter().filter(open).flat_map(|a| call.legs.iter().filter(open).map(move |b| (a, b))) {
        if hears(a, b) != hears(b, a) {
            return Err(format!("legs {} and {} do not hear each other alike", a.leg_id, b.leg_id));
        }
    }
    let caller = call.legs.iter().find(|leg| leg.role == Party::Caller).ok_or("a talk without a caller")?;
    let silent = media.sources(caller.leg_id).is_empty() && !media.plays(caller.leg_id);
    if silent && call.legs.iter().all(|leg| open(&leg)) {
        return Err("the caller hears nothing".to_owned());
    }
    let Some(consult) = &call.consult else {
        let apart = call.legs.iter().filter(open).flat_map(|a| call.legs.iter().filter(open).map(move |b| (a, b)));
        let apart = apart.into_iter().find(|(a, b)| a.leg_id != b.leg_id && !hears(a, b));
        return match apart.filter(|_| call.state == CallState::Conference) {
            Some((a, b)) => Err(format!("legs {} and {} of a conference do not hear each other", a.leg_id, b.leg_id)),
            None => Ok(()),
        };
    };
    let asked = call.legs.iter().find(|leg| consult.to.split_once(':').is_some_and(|(_, name)| name == leg.address));
    let Some(asked) = asked else { return Ok(()) };
    let heard = media.sources(asked.leg_id);
    let by_agents =
        heard.iter().all(|source| call.legs.iter().any(|leg| leg.leg_id == *source && leg.role == Party::Agent));
    match consult.state {
        ConsultState::Ringing | ConsultState::HandingOver if !heard.is_empty() => {
            Err("one whose phone rings hears somebody".to_owned())
        }
        ConsultState::Swapped if !heard.is_empty() => Err("one who waits apart hears somebody".to_owned()),
        ConsultState::Private if !by_agents || heard.len() > 1 || hears(caller, asked) => {
            Err("one who is asked apart hears others than the agent".to_owned())
        }
        _ => Ok(()),
    }
}

/// An agent whose keys did nothing.
fn hears_a_tone(leg: &LegView, media: &Media) -> bool {
    leg.role == Party::Agent && media.is_told(leg.leg_id)
}

fn hears_partner(call: &CallView, leg: &LegView, partner: &LegView, media: &Media) -> Result<(), String> {
    let (sources, plays) = (media.sources(leg.leg_id), media.plays(leg.leg_id));
    let fits = match partner.on_hold {
        true => sources.is_empty() && plays,
        false => sources == [partner.leg_id] && (!plays || hears_a_tone(leg, media)),
    };
    let id = call.call_id;
    fits.then_some(()).ok_or(format!(
        "call {id}: leg {} hears {sources:?} and {} though it talks with {partner:?}",
        leg.leg_id,
        if plays { "music" } else { "no music" },
    ))
}

fn shows(call: &CallView, leg: &LegRecord) -> bool {
    call.legs.iter().any(|shown| shown.leg_id == leg.leg_id)
}
