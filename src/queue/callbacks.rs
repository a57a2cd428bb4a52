//! Call-backs that are promised: when each may stand in its queue, and what becomes of an attempt.
//!
//! The caller's place is a time, `waiting_since`; whenever the call-back enters the queue it stands where the caller
//! would. An attempt that reaches nobody takes it out of the queue, for the rules' time, and costs one of its attempts; one
//! that is given up because no agent is reserved any more costs none.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::callback::{AttemptFailure, Callback, CallbackState, Wished};
use crate::ids::{CallId, CallbackId, QueueId};
use crate::settings::CallbackRules;
use crate::time::{Deadlines, Instant, Now, Wall};

/// All queues together; each has its own, smaller bound.
const MOST: usize = 20_000;
/// A promise that could not be kept for so long, because its queue never opens or nobody works there, is given up.
const LONGEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error(
        "queue '{queue}' has {most} call-backs waiting, which is its limit; try again later, or raise callback.most"
    )]
    Full { queue: QueueId, most: usize },
}

/// A call-back that was taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenBack {
    pub waiting_since: Wall,
    pub wished: Wished,
    /// What stands in the queue, or is being dialled.
    pub contact: Option<CallId>,
}

/// What is promised and not yet kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Callbacks {
    open: BTreeMap<CallbackId, Open>,
    contacts: HashMap<CallId, CallbackId>,
    due: Deadlines<CallbackId>,
    changed: VecDeque<Callback>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    callback: Callback,
    contact: Option<CallId>,
}

impl Callbacks {
    /// Takes a promise on. A second one for the same number and queue is the first; but what the customer wishes for
    /// themselves takes the place of what they did not.
    pub fn promise(&mut self, new: Callback, rules: &CallbackRules, now: Now) -> Result<CallbackId, CallbackError> {
        let of_queue = || self.open.values().filter(|open| open.callback.queue == new.queue);
        if let Some(known) = of_queue().find(|open| open.callback.number == new.number) {
            let id = known.callback.id;
            if known.callback.wished == Wished::Abandoned && new.wished != Wished::Abandoned {
                self.wished_for(id, new);
            }
            return Ok(id);
        }
        if of_queue().count() >= rules.most || self.open.len() >= MOST {
            return Err(CallbackError::Full { queue: new.queue, most: rules.most });
        }
        let id = new.id;
        self.take_in(new, now);
        self.note(id);
        Ok(id)
    }

    fn wished_for(&mut self, id: CallbackId, new: Callback) {
        if let Some(open) = self.open.get_mut(&id) {
            let Callback { id, state, attempts, not_before, last_failure, .. } = open.callback;
            let not_before = not_before.max(new.not_before);
            open.callback = Callback { id, state, attempts, not_before, last_failure, ..new };
            self.note(id);
        }
    }

    /// Those that a former process left. What it was dialling is dialled again.
    pub fn restore(&mut self, callbacks: Vec<Callback>, now: Now) {
        for mut callback in callbacks.into_iter().filter(|callback| !callback.state.is_final()).take(MOST) {
            callback.state = CallbackState::Scheduled;
            self.take_in(callback, now);
        }
    }

    fn take_in(&mut self, mut callback: Callback, now: Now) {
        let wait = callback.not_before.duration_since(now.wall).max(jiff::SignedDuration::ZERO);
        self.due.set(callback.id, now.instant + wait.unsigned_abs());
        callback.state = CallbackState::Scheduled;
        self.open.insert(callback.id, Open { callback, contact: None });
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.next()
    }

    /// One whose time has come; ask until `None`. Then `queued` or `defer` it.
    pub fn due(&mut self, now: Instant) -> Option<Callback> {
        let id = self.due.expire(now)?;
        self.open.get(&id).map(|open| open.callback.clone())
    }

    /// It stands in its queue as this contact.
    pub fn queued(&mut self, id: CallbackId, contact: CallId) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.contact = Some(contact);
        open.callback.state = CallbackState::Waiting;
        self.contacts.insert(contact, id);
        self.note(id);
    }

    /// Not now: its queue is closed, or takes nobody.
    pub fn defer(&mut self, id: CallbackId, wait: Duration, now: Now) {
        self.leave_queue(id);
        if let Some(open) = self.open.get_mut(&id) {
            let due_since = open.callback.not_before.max(open.callback.asked_at);
            if now.wall.duration_since(due_since) > LONGEST {
                return self.end(id, CallbackState::Failed);
            }
            self.due.set(id, now.instant + wait);
            if open.callback.state != CallbackState::Scheduled {
                open.callback.state = CallbackState::Scheduled;
                self.note(id);
            }
        }
    }

    /// Whose contact this is.
    pub fn of_contact(&self, contact: CallId) -> Option<&Callback> {
        self.open.get(self.contacts.get(&contact)?).map(|open| &open.callback)
    }

    /// The customer is being rung.
    pub fn dialling(&mut self, contact: CallId) {
        let Some(id) = self.contacts.get(&contact).copied() else { return };
        if let Some(open) = self.open.get_mut(&id) {
            open.callback.attempts = open.callback.attempts.saturating_add(1);
            open.callback.state = CallbackState::Dialling;
            self.note(id);
        }
    }

    /// The attempt reached nobody: again later, or never.
    pub fn failed(&mut self, contact: CallId, why: AttemptFailure, rules: &CallbackRules, now: Now) {
        let Some(id) = self.contacts.get(&contact).copied() else { return };
        self.leave_queue(id);
        let Some(open) = self.open.get_mut(&id) else { return };
        open.callback.last_failure = Some(why);
        if open.callback.attempts >= rules.attempts {
            return self.end(id, CallbackState::Failed);
        }
        let pause = if why == AttemptFailure::Busy { rules.retry_busy } else { rules.retry };
        open.callback.state = CallbackState::Scheduled;
        open.callback.not_before = now.wall + jiff::SignedDuration::try_from(pause).unwrap_or_default();
        self.due.set(id, now.instant + pause);
        self.note(id);
    }

    /// An agent talks to the customer, or the customer was reached and then left: the promise is kept.
    pub fn kept(&mut self, contact: CallId) {
        if let Some(id) = self.contacts.get(&contact).copied() {
            self.end(id, CallbackState::Done);
        }
    }

    /// The customer rang in. Takes back what was promised to the number, in one queue or in all.
    pub fn take_back(&mut self, number: &str, queue: Option<&QueueId>) -> Vec<TakenBack> {
        let theirs =
            |open: &&Open| open.callback.number == number && queue.is_none_or(|queue| open.callback.queue == *queue);
        let ids: Vec<CallbackId> = self.open.values().filter(theirs).map(|open| open.callback.id).collect();
        ids.into_iter().filter_map(|id| self.cancel(id)).collect()
    }

    /// Somebody has answered them: takes back what was promised to the number because its caller gave up, in all queues.
    pub fn take_back_abandoned(&mut self, number: &str) -> Vec<TakenBack> {
        let theirs = |open: &&Open| open.callback.number == number && open.callback.wished == Wished::Abandoned;
        let ids: Vec<CallbackId> = self.open.values().filter(theirs).map(|open| open.callback.id).collect();
        ids.into_iter().filter_map(|id| self.cancel(id)).collect()
    }

    pub fn cancel(&mut self, id: CallbackId) -> Option<TakenBack> {
        let open = self.open.get(&id)?;
        let Callback { waiting_since, wished, .. } = open.callback;
        let taken = TakenBack { waiting_since, wished, contact: open.contact };
        self.end(id, CallbackState::Cancelled);
        Some(taken)
    }

    fn end(&mut self, id: CallbackId, state: CallbackState) {
        self.leave_queue(id);
        self.due.clear(&id);
        if let Some(mut open) = self.open.remove(&id) {
            open.callback.state = state;
            self.changed.push_back(open.callback);
        }
    }

    fn leave_queue(&mut self, id: CallbackId) {
        if let Some(contact) = self.open.get_mut(&id).and_then(|open| open.contact.take()) {
            self.contacts.remove(&contact);
        }
    }

    fn note(&mut self, id: CallbackId) {
        if let Some(open) = self.open.get(&id) {
            self.changed.push_back(open.callback.clone());
        }
    }

    /// What is to be written down and published, in order; ask until `None`.
    pub fn poll_change(&mut self) -> Option<Callback> {
        self.changed.pop_front()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Callback> {
        self.open.values().map(|open| &open.callback)
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Demand;

    fn rules() -> CallbackRules {
        CallbackRules {
            calendar: None,
            attempts: 2,
            retry: Duration::from_secs(600),
            retry_busy: Duration::from_secs(120),
            ring_timeout: Duration::from_secs(30),
            most: 3,
            ..CallbackRules::default()
        }
    }

    fn at(seconds: u64) -> Now {
        let start: Wall = "2026-11-25T10:00:00Z".parse().unwrap();
        Now {
            instant: Instant(0) + Duration::from_secs(100_000 + seconds),
            wall: start + jiff::SignedDuration::from_secs(seconds as i64),
        }
    }

    fn promised(n: u128, number: &str, asked: u64) -> Callback {
        Callback {
            id: CallbackId(n),
            call_id: None,
            wished: Wished::InCall,
            number: number.to_owned(),
            queue: "sales".into(),
            demand: Demand::default(),
            language: "en".into(),
            trunk: None,
            origin: None,
            dialled: None,
            asked_at: at(asked).wall,
            waiting_since: at(asked).wall,
            not_before: at(asked).wall,
            attempts: 0,
            state: CallbackState::Scheduled,
            last_failure: None,
        }
    }

    fn states(callbacks: &mut Callbacks) -> Vec<(u128, CallbackState, u32)> {
        let told = std::iter::from_fn(|| callbacks.poll_change());
        told.map(|callback| (callback.id.0, callback.state, callback.attempts)).collect()
    }

    use CallbackState::*;

    #[test]
    fn a_promise_is_due_at_once_and_told_at_every_step() {
        let mut callbacks = Callbacks::default();
        callbacks.promise(promised(1, "+33155501", 0), &rules(), at(0)).unwrap();
        assert_eq!(callbacks.due(at(0).instant).map(|callback| callback.id), Some(CallbackId(1)));
        assert_eq!(callbacks.due(at(0).instant), None, "once");
        callbacks.queued(CallbackId(1), CallId(11));
        callbacks.dialling(CallId(11));
        callbacks.kept(CallId(11));
        assert_eq!(states(&mut callbacks), [(1, Scheduled, 0), (1, Waiting, 0), (1, Dialling, 1), (1, Done, 1)]);
        assert!(callbacks.is_empty() && callbacks.contacts.is_empty() && callbacks.poll_timeout().is_none());
    }

    #[test]
    fn one_for_later_waits_for_its_time() {
        let mut callbacks = Callbacks::default();
        let later = Callback { not_before: at(3_600).wall, ..promised(1, "+33155501", 0) };
        callbacks.promise(later, &rules(), at(0)).unwrap();
        assert_eq!(callbacks.poll_timeout(), Some(at(3_600).instant));
        assert_eq!(callbacks.due(at(3_599).instant), None);
        assert!(callbacks.due(at(3_600).instant).is_some());
    }

    #[test]
    fn a_busy_line_is_tried_again_sooner_than_a_silent_one_and_the_last_attempt_is_the_last() {
        for (why, pause) in [(AttemptFailure::Busy, 120), (AttemptFailure::NoAnswer, 600)] {
            let mut callbacks = Callbacks::default();
            callbacks.promise(promised(1, "+33155501", 0), &rules(), at(0)).unwrap();
            callbacks.due(at(0).instant).unwrap();
            callbacks.queued(CallbackId(1), CallId(11));
            callbacks.dialling(CallId(11));
            callbacks.failed(CallId(11), why, &rules(), at(40));
            assert_eq!(callbacks.of_contact(CallId(11)), None);
            assert_eq!(callbacks.due(at(40 + pause - 1).instant), None, "{why:?}");
            let again = callbacks.due(at(40 + pause).instant).unwrap();
            assert_eq!(again.waiting_since, at(0).wall, "the place is kept");
            callbacks.queued(CallbackId(1), CallId(12));
            callbacks.dialling(CallId(12));
            callbacks.failed(CallId(12), why, &rules(), at(900));
            assert_eq!(states(&mut callbacks).last(), Some(&(1, Failed, 2)), "{why:?}");
            assert!(callbacks.is_empty());
        }
    }

    #[test]
    fn an_attempt_that_was_not_made_costs_none() {
        let mut callbacks = Callbacks::default();
        callbacks.promise(promised(1, "+33155501", 0), &rules(), at(0)).unwrap();
        for round in 0..5 {
            let now = at(round * 60);
            callbacks.due(now.instant).unwrap();
            callbacks.queued(CallbackId(1), CallId(11 + u128::from(round)));
            callbacks.defer(CallbackId(1), Duration::from_secs(60), now);
        }
        assert_eq!(callbacks.iter().map(|callback| callback.attempts).collect::<Vec<_>>(), [0]);
        assert!(callbacks.contacts.is_empty());
    }

    #[test]
    fn a_queue_that_never_opens_keeps_no_promise_for_ever() {
        let mut callbacks = Callbacks::default();
        callbacks.promise(promised(1, "+33155501", 0), &rules(), at(0)).unwrap();
        for (hours, open) in [(1, 1), (167, 1), (169, 0)] {
            callbacks.due(at(hours * 3_600).instant);
            callbacks.defer(CallbackId(1), Duration::from_secs(60), at(hours * 3_600));
            assert_eq!(callbacks.len(), open, "after {hours} h");
        }
        assert_eq!(states(&mut callbacks).last(), Some(&(1, Failed, 0)));
    }

    #[test]
    fn the_same_number_is_promised_once_a_queue() {
        let mut callbacks = Callbacks::default();
        let first = callbacks.promise(promised(1, "+33155501", 0), &rules(), at(0)).unwrap();
        let again = callbacks.promise(promised(2, "+33155501", 5), &rules(), at(5)).unwrap();
        assert_eq!((first, again, callbacks.len()), (CallbackId(1), CallbackId(1), 1));
        let elsewhere = Callback { queue: "support".into(), ..promised(3, "+33155501", 5) };
        assert_eq!(callbacks.promise(elsewhere, &rules(), at(5)), Ok(CallbackId(3)));
    }

    #[test]
    fn a_queue_takes_no_more_than_its_rules_allow() {
        let mut callbacks = Callbacks::default();
        for n in 0..3 {
            callbacks.promise(promised(n, &format!("+3315550{n}"), 0), &rules(), at(0)).unwrap();
        }
        let refused = callbacks.promise(promised(9, "+33155509", 0), &rules(), at(0));
        assert_eq!(refused, Err(CallbackError::Full { queue: "sales".into(), most: 3 }));
        assert!(callbacks.promise(promised(9, "+33155500", 0), &rules(), at(0)).is_ok(), "it is there already");
    }

    #[test]
    fn who_rings_in_first_gets_the_place_back_in_whatever_state() {
        for stage in 0..3 {
            let mut callbacks = Callbacks::default();
            callbacks.promise(promised(1, "+33155501", 7), &rules(), at(7)).unwrap();
            if stage > 0 {
                callbacks.due(at(7).instant).unwrap();
                callbacks.queued(CallbackId(1), CallId(11));
            }
            if stage > 1 {
                callbacks.dialling(CallId(11));
            }
            assert_eq!(callbacks.take_back("+33155502", None), []);
            assert_eq!(callbacks.take_back("+33155501", Some(&"support".into())), []);
            let taken = callbacks.take_back("+33155501", Some(&"sales".into()));
            let contact = (stage > 0).then_some(CallId(11));
            assert_eq!(
                taken,
                [TakenBack { waiting_since: at(7).wall, wished: Wished::InCall, contact }],
                "stage {stage}"
            );
            assert_eq!(states(&mut callbacks).last().map(|told| told.1), Some(Cancelled));
            assert!(callbacks.is_empty() && callbacks.poll_timeout().is_none());
        }
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let mut callbacks = Callbacks::default();
        let left = vec![
            Callback { state: Dialling, attempts: 1, ..promised(1, "+33155501", 0) },
            Callback { state: Scheduled, not_before: at(900).wall, ..promised(2, "+33155502", 0) },
            Callback { state: Done, ..promised(3, "+33155503", 0) },
        ];
        callbacks.restore(left, at(60));
        assert_eq!(callbacks.len(), 2);
        let first = callbacks.due(at(60).instant).unwrap();
        assert_eq!((first.id, first.attempts, first.waiting_since), (CallbackId(1), 1, at(0).wall));
        assert_eq!(callbacks.poll_timeout(), Some(at(900).instant));
    }
}
