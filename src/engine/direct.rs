//! One named agent is rung for a caller: dialled by a colleague's phone, or by a plan.

use std::time::Duration;

use super::calls::EndReason;
use super::{Engine, Timer};
use crate::call::Phase;
use crate::dialplan::{RunInput, TransferOutcome};
use crate::ids::{AgentId, CallId};
use crate::queue::NoAnswer;
use crate::record::{Outcome, Party};
use crate::time::Now;

/// How long a colleague's phone rings.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

impl Engine {
    pub(super) fn dial_agent(&mut self, id: CallId, agent: &AgentId, ring_timeout: Duration, now: Now) {
        if self.acd.seize(agent, id, now).is_err() {
            return self.dial_failed(id, TransferOutcome::Busy, now);
        }
        let Some(live) = self.live(id) else { return };
        live.call.phase = Phase::Dialling;
        if live.call.answered_at.is_some() {
            self.wire(id, now);
        }
        self.timers.set(Timer::Dial(id), now.instant + ring_timeout);
        self.ring_agent(id, agent, now);
    }

    pub(super) fn dial_timed_out(&mut self, id: CallId, now: Now) {
        let agent = self.calls.get(&id).and_then(|live| Some(live.call.offers.first()?.agent.clone()));
        let Some(agent) = agent else { return self.outside_timed_out(id, now) };
        self.stop_ringing(id, &agent, now);
        self.agent_failed(id, &agent, NoAnswer::Timeout, now);
    }

    /// The distributor takes an offer back. One who was dialled by name cannot be had, and the caller is told.
    pub(super) fn offer_withdrawn(&mut self, id: CallId, agent: &AgentId, now: Now) {
        if let Some(call) = self.tickets.get(&id).copied() {
            return self.asked_withdrawn(call, id, now);
        }
        self.stop_ringing(id, agent, now);
        if self.calls.get(&id).is_some_and(|live| live.call.phase == Phase::Dialling) {
            self.dial_failed(id, TransferOutcome::Unreachable, now);
        }
    }

    /// An agent could not be had: the distributor looks for the next, or the one who dialled is told.
    pub(super) fn agent_failed(&mut self, id: CallId, agent: &AgentId, why: NoAnswer, now: Now) {
        self.acd.agent_failed(id, agent, why, now);
        if self.calls.get(&id).is_some_and(|live| live.call.phase == Phase::Dialling) {
            self.dial_failed(id, outcome_of(why), now);
        }
    }

    pub(super) fn dial_failed(&mut self, id: CallId, outcome: TransferOutcome, now: Now) {
        self.timers.clear(&Timer::Dial(id));
        let Some(live) = self.live(id) else { return };
        live.call.phase = Phase::Plan;
        if live.run.is_some() {
            self.wire(id, now);
            self.run_plan(id, RunInput::Transferred(outcome), now);
        } else {
            // Q.850: user busy, no answer, temporary failure.
            let (status, q850) = match outcome {
                TransferOutcome::Busy => (486, 17),
                TransferOutcome::NoAnswer => (480, 19),
                _ => (480, 41),
            };
            self.end_call(id, EndReason { outcome: Outcome::Failed, by: Party::System, q850, status }, now);
        }
    }
}

/// What a plan is told of one who could not be had.
pub(super) fn outcome_of(why: NoAnswer) -> TransferOutcome {
    match why {
        NoAnswer::Busy => TransferOutcome::Busy,
        NoAnswer::Timeout => TransferOutcome::NoAnswer,
        NoAnswer::Declined | NoAnswer::HungUpWhileRinging => TransferOutcome::Declined,
        NoAnswer::Unreachable => TransferOutcome::Unreachable,
    }
}
