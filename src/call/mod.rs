//! A call: one contact with its legs, what it is going through, who hears whom, and the record that remains.

mod clock;
mod leg;
pub mod talk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use clock::{Activity, LegClock, millis};
pub use leg::{Ear, FIRST_ENGINE_PLAY, Leg, LegState, NewLeg, Notice};
pub use talk::Talk;

use std::time::Duration;

use crate::bridge::{Digit, MediaCommand, PlayItem, Sources};
use crate::callback::Origin;
use crate::comfort::Telling;
use crate::conversation::Conversation;
use crate::demand::Demand;
use crate::ids::{AgentId, CallId, Language, LegId, PlayId, QueueId, RecordingId, TrunkId};
use crate::record::{CallRecord, HandOver, Outcome, Party, PathStep, QueueVisit, VisitEnd};
use crate::time::{Instant, Now, Wall};
use crate::trace::{Decision, Trace};
use crate::views::{CallState, CallView, RecordingWish, SupervisionMode};
use talk::{Hears, Member, State};

/// ETSI TR 101 041-2: the ringing tone most European networks use.
const RING_BACK: PlayItem =
    PlayItem::Tone { frequencies_hz: [425, 0], on: Duration::from_millis(1_000), off: Duration::from_millis(4_000) };

/// The last so many decisions of the distributor are kept with a call; those before them are counted.
const MOST_DECISIONS: usize = 20;

/// What the call is going through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// The dialplan has the caller.
    Plan,
    /// The caller waits for an agent; the plan waits for the outcome.
    Queued(Box<Waiting>),
    /// The caller hears ring-back while one named party is rung.
    Dialling,
    /// We ring the customer of a call-back.
    CallingBack,
    /// The customer of a call-back is asked for a key.
    Confirming {
        play: Option<PlayId>,
        asked: u32,
    },
    Talking(Talk),
    /// The caller is in a conference room, with the callers of other calls.
    Meeting(Box<Seat>),
    /// All legs are told; the record waits for their last figures.
    Ending,
}

/// What a caller who waits hears, and what ends the wait besides an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub queue: QueueId,
    pub music: String,
    /// After something was said the music goes on from where it was.
    pub music_resumes: bool,
    /// Keys that leave the queue.
    pub leave: Vec<Digit>,
    pub telling: Telling,
    /// What is said is the plan's, not the queue's.
    pub told_by_plan: bool,
    /// Who would probably wait on for longer goes elsewhere.
    pub max_estimate: Option<Duration>,
    /// Since when the estimate has been well over that.
    pub over_since: Option<Instant>,
}

/// What a caller hears in a conference room, and what ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    pub room: String,
    /// Keys that leave.
    pub leave: Vec<Digit>,
    /// What is played while nobody is heard.
    pub music: PlayItem,
    /// Whether another is there, heard or not.
    pub company: bool,
    /// The legs of other calls that are heard.
    pub others: Sources,
}

/// An agent (or another party) being rung for this call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub agent: AgentId,
    /// One leg for each phone of the agent that rings.
    pub legs: Vec<LegId>,
}

/// A supervisor on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub leg: LegId,
    pub mode: SupervisionMode,
}

/// How the call ended, once it has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub outcome: Outcome,
    pub by: Party,
    pub at: Wall,
    pub sip_status: Option<u16>,
    pub q850: Option<u8>,
}

/// What a new call is made of.
pub struct NewCall {
    pub id: CallId,
    pub trunk: Option<TrunkId>,
    pub from: String,
    pub to: String,
    pub language: Language,
    pub at: Wall,
    /// How many more systems the call may pass (Max-Forwards).
    pub hops_left: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    pub id: CallId,
    pub trunk: Option<TrunkId>,
    /// We rang the caller, not the caller us: a call-back.
    pub outgoing: bool,
    /// Where the caller's INVITE came from.
    pub origin: Option<Origin>,
    /// The caller, whoever rang whom.
    pub from: String,
    pub to: String,
    pub language: Language,
    pub started_at: Wall,
    pub answered_at: Option<Wall>,
    pub caller: LegId,
    /// Boxed: a node of the map has room for eleven, and most calls have two.
    pub legs: BTreeMap<LegId, Box<Leg>>,
    pub phase: Phase,
    /// Several where the queue rings several agents at once.
    pub offers: Vec<Offer>,
    /// The caller of an unanswered call has been sent 180.
    pub ringing_told: bool,
    pub ending: Option<Ending>,
    pub path: Vec<PathStep>,
    /// Why agents were rung, in order.
    pub decisions: Vec<Decision>,
    /// Decisions before those.
    pub decisions_omitted: u64,
    /// The last queue entered, and when the first one was.
    pub queue: Option<QueueId>,
    /// What is asked of that queue.
    pub demand: Demand,
    pub queued_at: Option<Instant>,
    /// Queues that the caller left because of the estimate: it does not count there again.
    pub left_by_estimate: Vec<QueueId>,
    pub wait_ms: Option<u64>,
    /// The queues that the caller waited in; the last one without an end while the caller waits.
    pub visits: Vec<QueueVisit>,
    pub agent: Option<AgentId>,
    /// Whether both sides are being recorded now, for those who look: on, paused, or not.
    pub taped: Option<RecordingWish>,
    /// The recording of both sides, running or ended.
    pub recording: Option<RecordingId>,
    /// What the caller says to the voicemail, or has said.
    pub message: Option<RecordingId>,
    /// What was said with bots.
    pub conversations: Vec<Conversation>,
    /// Somebody, an agent or one outside, has talked with the caller.
    pub handled: bool,
    /// Who handed the caller over, and to whom, in order.
    pub handed_over: Vec<HandOver>,
    /// How often others were asked.
    pub consults: u32,
    /// The agent's phone has asked for a transfer without words: the caller hears it ring there.
    pub handing_blind: bool,
    pub listeners: Vec<Listener>,
    /// How many systems a call that goes on from here may pass (RFC 3261 §20.22).
    pub hops_left: u8,
}

impl Call {
    /// Without a leg: `caller` is to be set with the first.
    pub fn new(new: NewCall) -> Call {
        Call {
            id: new.id,
            trunk: new.trunk,
            outgoing: false,
            origin: None,
            from: new.from,
            to: new.to,
            language: new.language,
            started_at: new.at,
            answered_at: None,
            caller: LegId(0),
            legs: BTreeMap::new(),
            phase: Phase::Plan,
            offers: Vec::new(),
            ringing_told: false,
            ending: None,
            path: Vec::new(),
            decisions: Vec::new(),
            decisions_omitted: 0,
            queue: None,
            demand: Demand::default(),
            queued_at: None,
            left_by_estimate: Vec::new(),
            wait_ms: None,
            visits: Vec::new(),
            agent: None,
            taped: None,
            recording: None,
            message: None,
            conversations: Vec::new(),
            handled: false,
            handed_over: Vec::new(),
            consults: 0,
            handing_blind: false,
            listeners: Vec::new(),
            hops_left: new.hops_left,
        }
    }

    pub fn caller(&self) -> Option<&Leg> {
        self.legs.get(&self.caller).map(Box::as_ref)
    }

    pub fn caller_mut(&mut self) -> Option<&mut Leg> {
        self.legs.get_mut(&self.caller).map(Box::as_mut)
    }

    /// The caller enters a queue. The wait of a caller who is queued twice runs from the first time.
    pub fn enter_queue(&mut self, waiting: Waiting, demand: Demand, now: Now) {
        self.queue = Some(waiting.queue.clone());
        self.demand = demand;
        self.queued_at.get_or_insert(now.instant);
        self.phase = Phase::Queued(Box::new(waiting));
    }

    /// `None` for one who does not wait.
    pub fn waiting_mut(&mut self) -> Option<&mut Waiting> {
        match &mut self.phase {
            Phase::Queued(waiting) => Some(waiting),
            _ => None,
        }
    }

    /// Takes out the offer that this phone rings for.
    pub fn take_offer(&mut self, leg: LegId) -> Option<Offer> {
        let at = self.offers.iter().position(|offer| offer.legs.contains(&leg))?;
        Some(self.offers.remove(at))
    }

    /// An agent is to be rung for this call.
    pub fn decided(&mut self, why: Decision) {
        if self.decisions.len() == MOST_DECISIONS {
            self.decisions.remove(0);
            self.decisions_omitted += 1;
        }
        self.decisions.push(why);
    }

    /// What the plan noted, with the decisions of the distributor.
    pub fn trace(&self, plan: Trace) -> Trace {
        Trace { decisions: self.decisions.clone(), omitted: plan.omitted + self.decisions_omitted, ..plan }
    }

    /// The party on `leg` has answered and talks with the caller from now on.
    pub fn talk(&mut self, leg: LegId, now: Now) {
        self.stop_waiting(now);
        self.agent = self.legs.get(&leg).and_then(|leg| leg.agent.clone());
        self.leave_visit(VisitEnd::Answered, now);
        self.handled = true;
        let other = Member { leg, agent: self.is_agent(leg) };
        self.phase = Phase::Talking(Talk::new(self.caller, other));
    }

    /// Whether the leg is an agent's whom the call was put through to.
    pub fn is_agent(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.role == Party::Agent)
    }

    /// The caller is out of the queue that they waited in, if they did.
    pub fn leave_visit(&mut self, end: VisitEnd, now: Now) {
        let Some(visit) = self.visits.last_mut().filter(|visit| visit.end.is_none()) else { return };
        let waited = now.wall.duration_since(visit.waiting_since).as_millis();
        visit.wait_ms = Some(u64::try_from(waited).unwrap_or(0));
        visit.end = Some(end);
        visit.agent = self.agent.clone().filter(|_| end == VisitEnd::Answered);
    }

    /// The wait of a caller who was queued is over, with an agent or without.
    pub fn stop_waiting(&mut self, now: Now) {
        if let Some(queued_at) = self.queued_at {
            self.wait_ms.get_or_insert(millis(now.instant.since(queued_at)));
        }
    }

    /// Who talks or is rung now; one who was lost is neither.
    fn present_agent(&self) -> Option<&AgentId> {
        match &self.phase {
            Phase::Talking(_) | Phase::Ending => self.agent.as_ref(),
            _ => self.offers.first().map(|offer| &offer.agent),
        }
    }

    /// The talk, while there is one.
    pub fn talking(&self) -> Option<&Talk> {
        match &self.phase {
            Phase::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    pub fn talking_mut(&mut self) -> Option<&mut Talk> {
        match &mut self.phase {
            Phase::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    /// The place in a conference room, while there is one.
    pub fn seat(&self) -> Option<&Seat> {
        match &self.phase {
            Phase::Meeting(seat) => Some(seat),
            _ => None,
        }
    }

    pub fn seat_mut(&mut self) -> Option<&mut Seat> {
        match &mut self.phase {
            Phase::Meeting(seat) => Some(seat),
            _ => None,
        }
    }

    /// Whether others hear the caller, in a conference room.
    pub fn is_heard(&self) -> bool {
        self.caller().is_some_and(|leg| leg.is_up() && !leg.held_by_peer && !leg.muted)
    }

    /// Whether the leg has a part in the talk, other than as the caller.
    pub fn is_partner(&self, leg: LegId) -> bool {
        leg != self.caller && self.talking().is_some_and(|talk| talk.has(leg))
    }

    fn holds(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.held_by_peer || leg.astray)
    }

    /// Whether the caller of a talk hears nobody, by their own doing or another's.
    pub fn on_hold(&self) -> bool {
        self.talking().is_some_and(|talk| talk.on_hold(|leg| self.holds(leg)))
    }

    /// Whether the agent is kept from the caller.
    pub fn agent_holds(&self) -> bool {
        self.talking().is_some_and(|talk| talk.agent_holds(|leg| self.holds(leg)))
    }

    /// Brings every ear and every clock into the state that the phase asks for.
    pub fn wire(&mut self, hold_music: &str, notice: &Notice, next_play: &mut u64, now: Now) -> Vec<MediaCommand> {
        let up: Vec<LegId> = self.legs.values().filter(|leg| leg.is_up()).map(|leg| leg.id).collect();
        let wanted: Vec<(LegId, Ear, Activity)> =
            up.into_iter().map(|leg| (leg, self.ear_of(leg, hold_music), self.activity_of(leg))).collect();
        let mut out = Vec::new();
        for (id, ear, activity) in wanted {
            let noticed = self.is_supervised(id);
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            leg.hear(ear, next_play, &mut out);
            leg.notice(Some(notice).filter(|_| noticed), next_play, &mut out);
            leg.clock.switch(activity, now.instant);
        }
        out
    }

    fn activity_of(&self, leg: LegId) -> Activity {
        if let Some(seat) = self.seat() {
            // Who is alone there waits, which is no time of a talk.
            return match seat.company {
                true if leg != self.caller => Activity::Apart,
                true if self.holds(leg) => Activity::Hold,
                true => Activity::Conference,
                false => Activity::Apart,
            };
        }
        self.talking().map_or(Activity::Apart, |talk| talk.activity(leg, |leg| self.holds(leg)))
    }

    /// Whether a supervisor is on this leg.
    pub fn listens(&self, leg: LegId) -> bool {
        self.listeners.iter().any(|listener| listener.leg == leg)
    }

    /// Whether the leg is one of those who talk while a supervisor is on the line.
    fn is_supervised(&self, leg: LegId) -> bool {
        let up = |listener: &Listener| self.legs.get(&listener.leg).is_some_and(|leg| leg.is_up());
        self.talking().is_some_and(|talk| talk.has(leg)) && self.listeners.iter().any(up)
    }

    /// The supervisors who speak are heard by the agent alone, or by all whom the agent hears.
    fn with_supervisors(&self, talk: &Talk, leg: LegId, mut ear: Ear) -> Ear {
        let is_agent = talk.agent() == Some(leg);
        let speak = |listener: &&Listener| match listener.mode {
            SupervisionMode::Listen => false,
            SupervisionMode::Whisper => is_agent,
            SupervisionMode::Barge => talk.agents_room().contains(&leg),
        };
        let up =
            |listener: &&Listener| self.legs.get(&listener.leg).is_some_and(|leg| leg.is_up() && !leg.held_by_peer);
        let heard: Sources = self.listeners.iter().filter(speak).filter(up).map(|listener| listener.leg).collect();
        if !heard.is_empty() {
            ear.music = None;
            ear.sources.extend(heard);
        }
        ear
    }

    fn unmuted(&self, sources: Sources) -> Sources {
        sources.into_iter().filter(|leg| self.legs.get(leg).is_none_or(|leg| !leg.muted)).collect()
    }

    /// Whoever was put on hold hears music; whoever holds by their phone is sent nothing (RFC 3264 §8.4).
    fn ear_of(&self, leg: LegId, hold_music: &str) -> Ear {
        let music = |name: &str| {
            let item = PlayItem::Prompt { name: name.to_owned(), language: self.language.clone() };
            Ear { music: Some(item), ..Ear::default() }
        };
        let ring_back = || Ear { music: Some(RING_BACK), ..Ear::default() };
        match &self.phase {
            Phase::Talking(talk) if self.listens(leg) => {
                Ear { sources: self.unmuted(talk.agents_room()), ..Ear::default() }
            }
            Phase::Talking(talk) => {
                let ear = match talk.hears(leg, |leg| self.holds(leg)) {
                    Hears::Voices(sources) => Ear { sources: self.unmuted(sources), music: None },
                    Hears::Music if self.handing_blind && talk.state() == State::Calling => ring_back(),
                    Hears::Music => music(hold_music),
                    Hears::RingBack => ring_back(),
                    Hears::Nothing => Ear::default(),
                };
                self.with_supervisors(talk, leg, ear)
            }
            Phase::Queued(waiting) if leg == self.caller => music(&waiting.music),
            Phase::Dialling if leg == self.caller => ring_back(),
            Phase::Meeting(seat) if leg == self.caller && seat.others.is_empty() => {
                Ear { music: Some(seat.music.clone()), ..Ear::default() }
            }
            Phase::Meeting(seat) if leg == self.caller => Ear { sources: seat.others.clone(), music: None },
            _ => Ear::default(),
        }
    }

    /// Whether the last figures of every leg that was up are there.
    pub fn is_complete(&self) -> bool {
        self.legs.values().all(|leg| leg.joined_at.is_none() || leg.rtp.is_some())
    }

    /// What those who answered spent on the call: talking, alone with the caller or with others; and while the caller
    /// was on hold, asking others among it. What experts do counts for their legs alone, so that nobody is credited with a
    /// talk that they have handed over.
    fn handling(&self) -> (u64, u64) {
        let answered = self.legs.values().filter(|leg| matches!(leg.role, Party::Agent | Party::Outside));
        answered.map(|leg| &leg.clock).fold((0, 0), |(talk, hold), clock| {
            (talk + clock.talk_ms() + clock.conference_ms(), hold + clock.hold_ms() + clock.consult_ms())
        })
    }

    pub fn record(&self) -> CallRecord {
        let (talk_ms, hold_ms) = self.handling();
        CallRecord {
            call_id: self.id,
            trunk: self.trunk.clone(),
            outgoing: self.outgoing,
            from: self.from.clone(),
            to: self.to.clone(),
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ending.map(|ending| ending.at),
            outcome: self.ending.map(|ending| ending.outcome),
            ended_by: self.ending.map(|ending| ending.by),
            sip_status: self.ending.and_then(|ending| ending.sip_status),
            q850: self.ending.and_then(|ending| ending.q850),
            queue: self.queue.clone(),
            agent: self.agent.clone(),
            wait_ms: self.wait_ms,
            talk_ms: self.handled.then_some(talk_ms),
            hold_ms: self.handled.then_some(hold_ms),
            acw_ms: None,
            transfers: u32::try_from(self.handed_over.len()).unwrap_or(u32::MAX),
            consults: self.consults,
            handed_over: self.handed_over.clone(),
            recording: self.message.or(self.recording),
            conversations: self.conversations.clone(),
            survey: None,
            disposition: None,
            resolved: None,
            note: None,
            visits: self.visits.clone(),
            path: self.path.clone(),
            trace: Default::default(),
            legs: self
                .legs
                .values()
                .filter(|leg| leg.role == Party::Caller || leg.joined_at.is_some())
                .map(|leg| leg.record())
                .collect(),
        }
    }

    pub fn view(&self, position: Option<usize>) -> CallView {
        let state = match &self.phase {
            Phase::Ending => CallState::Ending,
            _ if self.answered_at.is_none() => CallState::Ringing,
            Phase::Plan | Phase::Dialling | Phase::CallingBack | Phase::Confirming { .. } => CallState::Ivr,
            Phase::Queued(_) => CallState::Queued,
            Phase::Meeting(seat) if seat.company => CallState::Conference,
            Phase::Meeting(_) => CallState::Ivr,
            Phase::Talking(talk) => match talk.state() {
                State::Calling | State::Briefing | State::Private => CallState::Consulting,
                _ if self.on_hold() => CallState::Holding,
                _ if talk.together_count() > 2 => CallState::Conference,
                _ => CallState::Talking,
            },
        };
        CallView {
            call_id: self.id,
            state,
            trunk: self.trunk.clone(),
            outgoing: self.outgoing,
            from: self.from.clone(),
            to: self.to.clone(),
            started_at: self.started_at,
            answered_at: self.answered_at,
            queue: self.queue.clone(),
            waiting_since: self.visits.last().map(|visit| visit.waiting_since),
            wait_ms: self.visits.last().and_then(|visit| visit.wait_ms),
            position: position.map(|position| position as u64),
            agent: self.present_agent().cloned(),
            consult: None,
            recording: self.taped,
            conversations: self.conversations.clone(),
            legs: self.legs.values().filter(|leg| leg.state != LegState::Gone).map(|leg| leg.view()).collect(),
        }
    }
}
