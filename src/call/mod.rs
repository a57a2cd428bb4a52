//! A call: one contact with its legs, what it is going through, who hears whom, and the record that remains.

mod clock;
mod leg;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use clock::{Activity, LegClock, millis};
pub use leg::{Ear, FIRST_ENGINE_PLAY, Leg, LegState, NewLeg};

use std::time::Duration;

use crate::bridge::{Digit, MediaCommand, PlayItem, Sources};
use crate::callback::Origin;
use crate::comfort::Telling;
use crate::demand::Demand;
use crate::ids::{AgentId, CallId, Language, LegId, PlayId, QueueId, RecordingId, TrunkId};
use crate::record::{CallRecord, Outcome, Party, PathStep, QueueVisit, VisitEnd};
use crate::time::{Instant, Now, Wall};
use crate::trace::{Decision, Trace};
use crate::views::{CallState, CallView};

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
    Talking {
        leg: LegId,
    },
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

/// An agent (or another party) being rung for this call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    pub agent: AgentId,
    /// One leg for each phone of the agent that rings.
    pub legs: Vec<LegId>,
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
    /// The recording of both sides, running or ended.
    pub recording: Option<RecordingId>,
    /// What the caller says to the voicemail, or has said.
    pub message: Option<RecordingId>,
    /// Somebody, an agent or one outside, has talked with the caller.
    pub handled: bool,
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
            recording: None,
            message: None,
            handled: false,
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
        self.phase = Phase::Talking { leg };
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
            Phase::Talking { .. } | Phase::Ending => self.agent.as_ref(),
            _ => self.offers.first().map(|offer| &offer.agent),
        }
    }

    /// The two who talk, when they do.
    fn pair(&self) -> Option<(LegId, LegId)> {
        match self.phase {
            Phase::Talking { leg } => Some((self.caller, leg)),
            _ => None,
        }
    }

    /// The one who talks with `leg`.
    pub fn partner(&self, leg: LegId) -> Option<LegId> {
        match self.pair()? {
            (a, b) if a == leg => Some(b),
            (a, b) if b == leg => Some(a),
            _ => None,
        }
    }

    /// Whether someone of a talk has put the other on hold.
    pub fn on_hold(&self) -> bool {
        let held = |leg: LegId| self.legs.get(&leg).is_some_and(|leg| leg.held_by_peer);
        self.pair().is_some_and(|(a, b)| held(a) || held(b))
    }

    /// Brings every ear and every clock into the state that the phase asks for.
    pub fn wire(&mut self, hold_music: &str, next_play: &mut u64, now: Now) -> Vec<MediaCommand> {
        let mut out = Vec::new();
        let pair = self.pair();
        let language = self.language.clone();
        let prompt = |name: &str| PlayItem::Prompt { name: name.to_owned(), language: language.clone() };
        let held: Vec<LegId> = self.legs.values().filter(|leg| leg.held_by_peer).map(|leg| leg.id).collect();
        let on_hold = self.on_hold();
        for leg in self.legs.values_mut().filter(|leg| leg.is_up()) {
            let partner = match pair {
                Some((a, b)) if a == leg.id => Some(b),
                Some((a, b)) if b == leg.id => Some(a),
                _ => None,
            };
            let ear = match (partner, &self.phase) {
                // Whoever was put on hold hears music; whoever holds hears nothing (RFC 3264 §8.4).
                (Some(partner), _) if held.contains(&partner) => {
                    Ear { music: Some(prompt(hold_music)), ..Ear::default() }
                }
                (Some(partner), _) => Ear { sources: Sources::from_slice(&[partner]), music: None },
                (None, Phase::Queued(waiting)) if leg.id == self.caller => {
                    Ear { music: Some(prompt(&waiting.music)), ..Ear::default() }
                }
                (None, Phase::Dialling) if leg.id == self.caller => Ear { music: Some(RING_BACK), ..Ear::default() },
                (None, _) => Ear::default(),
            };
            leg.hear(ear, next_play, &mut out);
            leg.clock.switch(
                match partner {
                    Some(_) if on_hold => Activity::Hold,
                    Some(_) => Activity::Talk,
                    None => Activity::Apart,
                },
                now.instant,
            );
        }
        out
    }

    /// Whether the last figures of every leg that was up are there.
    pub fn is_complete(&self) -> bool {
        self.legs.values().all(|leg| leg.joined_at.is_none() || leg.rtp.is_some())
    }

    pub fn record(&self) -> CallRecord {
        let talk = self.legs.values().filter(|leg| leg.role != Party::Caller);
        let (talk_ms, hold_ms) =
            talk.fold((0, 0), |(talk, hold), leg| (talk + leg.clock.talk_ms(), hold + leg.clock.hold_ms()));
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
            transfers: 0,
            recording: self.message.or(self.recording),
            survey: None,
            disposition: None,
            resolved: None,
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
            Phase::Talking { .. } if self.on_hold() => CallState::Holding,
            Phase::Talking { .. } => CallState::Talking,
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
            position: position.map(|position| position as u64),
            agent: self.present_agent().cloned(),
            legs: self.legs.values().filter(|leg| leg.state != LegState::Gone).map(|leg| leg.view()).collect(),
        }
    }
}
