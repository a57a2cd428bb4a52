//! Call-backs: promised to a caller or on the web, they stand in the queue for the caller. When their turn comes an agent
//! is reserved, the customer is rung through a trunk and says by a key that a person is there; then the agent is rung as
//! for any caller who waits.
//!
//! Who gives up in a queue whose rules say so (`abandoned`) is promised one as well, unless the number is withheld or no
//! trunk may dial it. It is taken back when they ring again and somebody answers; it gives no place back.

use std::time::Duration;

use super::calls::EndReason;
use super::dial_out::Reaching;
use super::plan::visit;
use super::waiting::WaitTerms;
use super::{Engine, Live, LogLevel, Timer};
use crate::bridge::{Digit, MediaCommand, PlayItem};
use crate::call::{Call, NewCall, Phase};
use crate::callback::{AttemptFailure, Callback, CallbackState, Origin, Wished};
use crate::demand::Demand;
use crate::dialplan::{CallBackOutcome, RunInput};
use crate::ids::{CallId, CallbackId, Language, PlayId, QueueId, TrunkId};
use crate::queue::{Medium, NoAnswer, TakenBack};
use crate::record::{Outcome, Party, PathStep, QueueVisit};
use crate::settings::{CallbackRules, Cold};
use crate::time::{Instant, Now, Wall};

/// One that cannot be kept now, as its queue is closed or its centre is full, is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The customer is asked so often for a key.
const ASKED_AT_MOST: u32 = 2;
/// Silence after the question that counts as no answer.
const KEY_WITHIN: Duration = Duration::from_secs(6);
/// A question that never reports its end is taken as ended after this.
const LONGEST_QUESTION: Duration = Duration::from_secs(60);

/// RFC 3261 §8.1.1.6
const MAX_FORWARDS: u8 = 70;

/// What is asked for.
pub(super) struct Wish {
    pub call: Option<CallId>,
    pub by: Wished,
    /// In one form.
    pub number: String,
    pub queue: QueueId,
    pub demand: Demand,
    pub language: Language,
    pub trunk: Option<TrunkId>,
    pub origin: Option<Origin>,
    pub dialled: Option<String>,
    pub waiting_since: Wall,
    pub not_before: Wall,
}

impl Engine {
    /// A caller wants to be called back, on their own number or another one.
    pub(super) fn plan_promises(&mut self, id: CallId, queue: &QueueId, number: Option<String>, now: Now) {
        let outcome = match self.wish_of(id, queue, number, now) {
            Some(wish) => self.promise(wish, now).map_or_else(|refused| refused, |_| CallBackOutcome::Agreed),
            None => CallBackOutcome::NotAllowed,
        };
        if let Some(live) = self.live(id).filter(|_| outcome == CallBackOutcome::Agreed) {
            // Where the promise stands is what the record names, wherever the caller waited before.
            live.call.queue = Some(queue.clone());
            self.changed.insert(id);
            self.unwritten.insert(id);
        }
        self.run_plan(id, RunInput::CalledBack(outcome), now);
    }

    fn wish_of(&self, id: CallId, queue: &QueueId, number: Option<String>, now: Now) -> Option<Wish> {
        let call = &self.calls.get(&id)?.call;
        let number = self.settings.numbering.read(number.as_deref().unwrap_or(&call.from)).into_text();
        let waited = call.queued_at.map_or(Duration::ZERO, |since| now.instant.since(since) + call.demand.counted);
        Some(Wish {
            call: Some(id),
            by: Wished::InCall,
            number: Some(number).filter(|number| !number.is_empty())?,
            queue: queue.clone(),
            demand: if call.queue.as_ref() == Some(queue) { call.demand.clone() } else { Demand::default() },
            language: call.language.clone(),
            trunk: call.trunk.clone(),
            origin: call.origin,
            dialled: Some(call.to.clone()),
            waiting_since: now.wall - jiff::SignedDuration::try_from(waited).unwrap_or_default(),
            not_before: now.wall,
        })
    }

    pub(super) fn promise(&mut self, wish: Wish, now: Now) -> Result<CallbackId, CallBackOutcome> {
        let rules = self.callback_rules(&wish.queue).ok_or(CallBackOutcome::NoSuchQueue)?;
        if !self.could_call_back(&wish.number, wish.trunk.as_ref(), wish.origin) {
            self.log(
                LogLevel::Warn,
                format!("no call-back to {}: no trunk offers it; see allow of the trunks", wish.number),
            );
            return Err(CallBackOutcome::NotAllowed);
        }
        let callback = Callback {
            id: CallbackId::new(now.wall.as_millisecond(), self.random_bits()),
            call_id: wish.call,
            wished: wish.by,
            number: wish.number,
            queue: wish.queue,
            demand: wish.demand,
            language: wish.language,
            trunk: wish.trunk,
            origin: wish.origin,
            dialled: wish.dialled,
            asked_at: now.wall,
            waiting_since: wish.waiting_since,
            not_before: wish.not_before,
            attempts: 0,
            state: CallbackState::Scheduled,
            last_failure: None,
        };
        self.callbacks.promise(callback, &rules, now).map_err(|error| {
            self.log(LogLevel::Warn, error.to_string());
            CallBackOutcome::Full
        })
    }

    pub(super) fn callback_rules(&self, queue: &QueueId) -> Option<CallbackRules> {
        self.settings.queues.iter().find(|known| known.id == *queue).map(|queue| queue.callback.clone())
    }

    /// Those whose time has come stand in line from now on, at their places.
    pub(super) fn line_up_callbacks(&mut self, now: Now) {
        while let Some(callback) = self.callbacks.due(now.instant) {
            let contact = CallId::new(now.wall.as_millisecond(), self.random_bits());
            let since = since(callback.waiting_since, now);
            let Callback { queue, demand, .. } = &callback;
            let stands = self.may_ring(&callback, now.wall) && {
                let taken = match self.is_cold(&callback) {
                    true => self.acd.enqueue_cold_callback(contact, queue, demand, since, now),
                    false => self.acd.enqueue_callback(contact, queue, demand, since, now),
                };
                taken.is_ok()
            };
            if stands {
                self.callbacks.queued(callback.id, contact);
            } else {
                self.callbacks.defer(callback.id, LOOK_AGAIN, now);
            }
        }
    }

    fn is_cold(&self, callback: &Callback) -> bool {
        match self.callback_rules(&callback.queue).map(|rules| rules.cold).unwrap_or_default() {
            Cold::None => false,
            Cold::Unplaced => callback.wished != Wished::InCall,
            Cold::All => true,
        }
    }

    /// Whether the customer may be rung now: within the hours of the queue's rules, and where nobody asked for it in those
    /// for that; and not while they ring us.
    fn may_ring(&self, callback: &Callback, at: Wall) -> bool {
        let Some(rules) = self.callback_rules(&callback.queue).filter(|_| !self.draining) else { return false };
        let unasked = callback.wished == Wished::Abandoned;
        if unasked && (rules.abandoned.is_none() || self.is_on_the_line(&callback.number)) {
            return false;
        }
        let own = rules.abandoned.and_then(|abandoned| abandoned.calendar).filter(|_| unasked);
        rules.calendar.into_iter().chain(own).all(|name| {
            let calendar = self.plans.names().calendars.get(&name);
            calendar.is_some_and(|calendar| calendar.is_open(at))
        })
    }

    /// A call of theirs is up.
    fn is_on_the_line(&self, number: &str) -> bool {
        let theirs = |call: &Call| !call.outgoing && call.ending.is_none() && self.number_of(call) == number;
        self.calls.values().any(|live| theirs(&live.call))
    }

    /// In one form; empty where it is withheld.
    pub(super) fn number_of(&self, call: &Call) -> String {
        self.settings.numbering.read(&call.from).into_text()
    }

    /// The caller hung up in a queue. Where its rules say so they are called back.
    pub(super) fn recover_abandoned(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get(&id).filter(|live| !live.call.outgoing) else { return };
        let (Some(queue), Some(since)) = (live.call.queue.clone(), live.call.queued_at) else { return };
        let Some(rule) = self.callback_rules(&queue).and_then(|rules| rules.abandoned) else { return };
        if !live.owed && now.instant.since(since) < rule.after {
            return;
        }
        let Some(wish) = self.wish_of(id, &queue, None, now) else { return };
        if self.promise(Wish { by: Wished::Abandoned, ..wish }, now).is_ok() {
            self.log(LogLevel::Info, format!("call {id}: the caller gave up in queue {queue} and is called back"));
        }
    }

    /// A caller has been answered: nobody need ring them because they gave up before.
    pub(super) fn recovered(&mut self, id: CallId, now: Now) {
        let Some(call) = self.calls.get(&id).map(|live| &live.call).filter(|call| !call.outgoing) else { return };
        if self.callbacks.is_empty() {
            return;
        }
        let taken = self.callbacks.take_back_abandoned(&self.number_of(call));
        self.drop_promises(taken, now);
    }

    /// An agent is reserved: the customer is rung, unless that is being done.
    pub(super) fn call_back(&mut self, contact: CallId, now: Now) {
        if self.calls.contains_key(&contact) {
            return;
        }
        let Some(callback) = self.callbacks.of_contact(contact).cloned() else { return self.acd.leave(contact, now) };
        let full = self.calls.len() >= self.settings.sip.max_calls || self.ports.len() < 2;
        if full || !self.may_ring(&callback, now.wall) {
            self.acd.leave(contact, now);
            return self.callbacks.defer(callback.id, LOOK_AGAIN, now);
        }
        self.callbacks.dialling(contact);
        let Some(rules) = self.callback_rules(&callback.queue) else { return self.acd.leave(contact, now) };
        let live = self.live_call_back(contact, &callback, now);
        self.calls.insert(contact, Box::new(live));
        self.changed.insert(contact);
        self.unwritten.insert(contact);
        self.timers.set(Timer::Dial(contact), now.instant + rules.ring_timeout);
        if self.reach(contact, &callback.number, Party::Caller, Reaching::ForPlan, now).is_err() {
            // Q.850 cause 38: network out of order.
            return self.customer_failed(contact, AttemptFailure::Unreachable, 503, 38, now);
        }
        let Some(live) = self.calls.get_mut(&contact) else { return };
        if let Some(outgoing) = &live.outgoing {
            live.call.caller = outgoing.leg;
        }
    }

    /// The call of an attempt, before its first leg. It is the customer's, as if they had rung.
    fn live_call_back(&self, contact: CallId, callback: &Callback, now: Now) -> Live {
        let mut call = Call::new(NewCall {
            id: contact,
            trunk: callback.trunk.clone(),
            from: callback.number.clone(),
            to: callback.dialled.clone().unwrap_or_else(|| callback.queue.to_string()),
            language: callback.language.clone(),
            at: now.wall,
            hops_left: MAX_FORWARDS,
        });
        call.outgoing = true;
        call.origin = callback.origin;
        call.phase = Phase::CallingBack;
        call.queue = Some(callback.queue.clone());
        call.demand.clone_from(&callback.demand);
        call.path.push(step_of(callback));
        Live::new(call, None, self.plans.clone())
    }

    pub(super) fn is_calling_back(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|live| live.call.phase == Phase::CallingBack)
    }

    /// The customer's phone refused, did not answer, or cannot be reached.
    pub(super) fn customer_failed(&mut self, id: CallId, why: AttemptFailure, status: u16, q850: u8, now: Now) {
        let queue = self.callbacks.of_contact(id).map(|callback| callback.queue.clone());
        if let Some(rules) = queue.and_then(|queue| self.callback_rules(&queue)) {
            self.callbacks.failed(id, why, &rules, now);
        }
        self.end_call(id, EndReason { outcome: Outcome::Failed, by: Party::System, q850, status }, now);
    }

    pub(super) fn customer_refused(&mut self, id: CallId, why: NoAnswer, now: Now) {
        // Statuses and causes as in RFC 3398 §8.2.6.1.
        let (failure, status, q850) = match why {
            NoAnswer::Busy => (AttemptFailure::Busy, 486, 17),
            NoAnswer::Timeout | NoAnswer::HungUpWhileRinging => (AttemptFailure::NoAnswer, 408, 19),
            NoAnswer::Declined => (AttemptFailure::Declined, 603, 21),
            NoAnswer::Unreachable => (AttemptFailure::Unreachable, 480, 20),
        };
        self.customer_failed(id, failure, status, q850, now);
    }

    /// Somebody or something has picked up.
    pub(super) fn customer_answered(&mut self, id: CallId, now: Now) {
        self.timers.clear(&Timer::Dial(id));
        let Some(live) = self.live(id) else { return };
        live.call.answered_at = Some(now.wall);
        live.call.phase = Phase::Confirming { play: None, asked: 0 };
        self.unwritten.insert(id);
        self.ask_customer(id, now);
    }

    fn ask_customer(&mut self, id: CallId, now: Now) {
        let play = PlayId(self.next_play);
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Phase::Confirming { play: running, asked } = &mut live.call.phase else { return };
        *asked += 1;
        *running = Some(play);
        self.next_play += 1;
        let (leg, language) = (live.call.caller, live.call.language.clone());
        let items = vec![PlayItem::Prompt { name: "callback-confirm".to_owned(), language }];
        self.media(MediaCommand::Play { leg, play, items, repeat: false });
        self.timers.set(Timer::Plan(id), now.instant + LONGEST_QUESTION);
        self.changed.insert(id);
    }

    /// A play has ended; true where it was the question to a customer.
    pub(super) fn question_ended(&mut self, id: CallId, ended: PlayId, now: Now) -> bool {
        let Some(live) = self.live(id) else { return false };
        let Phase::Confirming { play, .. } = &mut live.call.phase else { return false };
        if play.take_if(|running| *running == ended).is_some() {
            self.timers.set(Timer::Plan(id), now.instant + KEY_WITHIN);
        }
        true
    }

    /// No key came in time; true where a customer was asked for one.
    pub(super) fn question_timed_out(&mut self, id: CallId, now: Now) -> bool {
        match self.calls.get(&id).map(|live| &live.call.phase) {
            Some(Phase::Confirming { asked, .. }) if *asked < ASKED_AT_MOST => self.ask_customer(id, now),
            // Q.850 cause 16: it was answered, by whatever it was.
            Some(Phase::Confirming { .. }) => {
                self.customer_failed(id, AttemptFailure::NotConfirmed, 200, 16, now);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn customer_pressed(&mut self, id: CallId, digit: Digit, now: Now) {
        let Some(live) = self.live(id) else { return };
        let Phase::Confirming { play, .. } = &mut live.call.phase else { return };
        let (play, leg) = (play.take(), live.call.caller);
        if let Some(play) = play {
            self.media(MediaCommand::StopPlay { leg, play });
        }
        if digit.key() == '1' {
            self.customer_confirmed(id, now);
        } else {
            self.question_timed_out(id, now);
        }
    }

    /// A person is there. From now on this is a caller who waits, at the head where the place is.
    fn customer_confirmed(&mut self, id: CallId, now: Now) {
        self.timers.clear(&Timer::Plan(id));
        let Some(queue) = self.calls.get(&id).and_then(|live| live.call.queue.clone()) else { return };
        let waiting = self.waiting(id, &queue, &WaitTerms::default(), now);
        let Some(live) = self.calls.get_mut(&id) else { return };
        let demand = live.call.demand.clone();
        // The estimate was told to a caller who would wait on the line.
        let visit = visit(&self.acd, &self.settings, &queue, &demand, now.instant, now);
        live.call.visits.push(QueueVisit { estimate_ms: None, ..visit });
        live.call.enter_queue(waiting, demand, now);
        self.unwritten.insert(id);
        self.wire(id, now);
        self.watch_wait(id, now);
        if let Some(agent) = self.acd.reached(id, now) {
            self.ring_agent(id, &agent, now);
        }
    }

    /// The end of a call that was a call-back's, for whatever reason.
    pub(super) fn attempt_over(&mut self, id: CallId, phase: &Phase, now: Now) {
        let Some(callback) = self.callbacks.of_contact(id) else { return };
        let rules = self.callback_rules(&callback.queue.clone());
        match (phase, rules) {
            (Phase::CallingBack | Phase::Confirming { .. }, Some(rules)) => {
                self.callbacks.failed(id, AttemptFailure::NotConfirmed, &rules, now);
            }
            _ => self.callbacks.kept(id),
        }
    }

    /// The same caller rang in and goes into the same queue: they get the place, and nobody calls back. Who had given up
    /// gets no place, and is called back after all if they give up again.
    pub(super) fn take_back_promise(&mut self, id: CallId, queue: &QueueId, now: Now) -> Option<Instant> {
        if self.callbacks.is_empty() || self.callbacks.of_contact(id).is_some() {
            return None;
        }
        let number = self.number_of(&self.calls.get(&id)?.call);
        let taken = self.callbacks.take_back(&number, Some(queue));
        let asked = taken.iter().filter(|taken| taken.wished != Wished::Abandoned);
        let place = asked.map(|taken| since(taken.waiting_since, now)).min();
        let owed = taken.iter().any(|taken| taken.wished == Wished::Abandoned);
        if let Some(live) = self.live(id) {
            live.owed |= owed;
        }
        self.drop_promises(taken, now);
        place
    }

    pub(super) fn drop_promises(&mut self, taken: Vec<TakenBack>, now: Now) {
        for contact in taken.into_iter().filter_map(|taken| taken.contact) {
            if self.calls.contains_key(&contact) {
                self.end_call(contact, EndReason::normal(Outcome::Failed, Party::System), now);
            } else {
                self.acd.leave(contact, now);
            }
        }
    }

    pub(super) fn is_call_back(&self, id: CallId) -> bool {
        self.acd.medium(id) == Some(Medium::Callback)
    }
}

/// On this process's clock.
fn since(wall: Wall, now: Now) -> Instant {
    now.instant - now.wall.duration_since(wall).max(jiff::SignedDuration::ZERO).unsigned_abs()
}

fn step_of(callback: &Callback) -> PathStep {
    PathStep {
        plan: "callback".to_owned(),
        level: callback.queue.to_string(),
        rule: 1,
        module: "callback".to_owned(),
        result: Some(format!("attempt {}", callback.attempts + 1)),
    }
}
