//! The live state as the engine published it, and the latest changes in order: written by the engine's thread, read by
//! any number of requests and WebSockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::ws::Utf8Bytes;
use dashmap::DashMap;
use serde::Serialize;
use tokio::sync::watch;

use super::metrics::CallCounters;
use crate::ids::{AgentId, CallId, CallbackId, ExpertId, QueueId};
use crate::record::millis;
use crate::time::Wall;
use crate::views::{AgentView, CallView, CallbackView, Change, ExpertView, QueueView};

/// Changes kept for those who come back with `?since=`: some minutes of a busy centre, about 8 MB.
pub const EVENTS_KEPT: usize = 8192;

/// One published change.
#[derive(Debug)]
pub struct Event {
    pub seq: u64,
    pub at: Wall,
    pub change: Change,
    /// Written by the first WebSocket that needs it, shared by the others.
    text: OnceLock<Utf8Bytes>,
}

impl Event {
    /// `{"seq":…,"at":…,"type":…, …}`; the rest is the view, or the call record for `ended`.
    pub fn text(&self) -> Utf8Bytes {
        #[derive(Serialize)]
        struct Wire<'a> {
            seq: u64,
            #[serde(with = "millis")]
            at: Wall,
            #[serde(flatten)]
            change: &'a Change,
        }
        let write = || {
            let wire = Wire { seq: self.seq, at: self.at, change: &self.change };
            // Writing these types to memory cannot fail; if it did, the reader would still get the number.
            serde_json::to_string(&wire)
                .unwrap_or_else(|_| format!("{{\"seq\":{},\"type\":\"unwritable\"}}", self.seq))
                .into()
        };
        self.text.get_or_init(write).clone()
    }
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The number of the next event.
    next: u64,
}

/// What follows a position in the stream of events.
#[derive(Debug)]
pub enum Following {
    /// In order, at least one.
    Events(Vec<Arc<Event>>),
    /// Nothing yet.
    None,
    /// The position is not in reach: too old, or from another run of the server. The oldest event still kept and the
    /// latest number given.
    Lost { oldest: u64, latest: u64 },
}

/// The published state. The maps are changed before the event is numbered, so a list read after `latest()` holds at
/// least everything up to that number.
pub struct Views {
    calls: DashMap<CallId, CallView>,
    agents: DashMap<AgentId, AgentView>,
    queues: DashMap<QueueId, QueueView>,
    callbacks: DashMap<CallbackId, CallbackView>,
    experts: DashMap<ExpertId, ExpertView>,
    ring: Mutex<Ring>,
    capacity: usize,
    latest: watch::Sender<u64>,
    counters: CallCounters,
}

impl Views {
    /// Numbers go on from the microseconds of `started`: they rise across restarts, stay exact as a JSON number, and a
    /// `since` of an earlier run is known to be out of reach. Calls are counted from here on: `metrics::install` first.
    pub fn new(started: Wall, capacity: usize) -> Views {
        let before = u64::try_from(started.as_microsecond()).unwrap_or(0);
        Views {
            calls: DashMap::new(),
            agents: DashMap::new(),
            queues: DashMap::new(),
            callbacks: DashMap::new(),
            experts: DashMap::new(),
            ring: Mutex::new(Ring { events: VecDeque::with_capacity(capacity.min(EVENTS_KEPT)), next: before + 1 }),
            capacity: capacity.max(1),
            latest: watch::Sender::new(before),
            counters: CallCounters::register(),
        }
    }

    /// Called from the engine's thread at every change, and after every reload. Waits for nobody but a reader's copy of a few pointers.
    pub fn publish(&self, change: Change, at: Wall) {
        self.apply(&change);
        let mut ring = self.ring();
        let seq = ring.next;
        ring.next += 1;
        let dropped = if ring.events.len() >= self.capacity { ring.events.pop_front() } else { None };
        ring.events.push_back(Arc::new(Event { seq, at, change, text: OnceLock::new() }));
        drop(ring);
        drop(dropped);
        self.latest.send_replace(seq);
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Call(view) => {
                let before = self.calls.insert(view.call_id, (**view).clone());
                if before.is_none() {
                    self.counters.offered.increment(1);
                }
                if view.answered_at.is_some() && before.is_none_or(|before| before.answered_at.is_none()) {
                    self.counters.answered.increment(1);
                }
            }
            Change::Ended(record) => {
                self.calls.remove(&record.call_id);
                self.counters.ended(record.outcome);
            }
            Change::Agent(view) => {
                self.agents.insert(view.id.clone(), view.clone());
            }
            Change::Queue(view) => {
                self.queues.insert(view.id.clone(), view.clone());
            }
            Change::Expert(view) => {
                self.experts.insert(view.id.clone(), (**view).clone());
            }
            Change::ExpertGone { id } => {
                self.experts.remove(id);
            }
            Change::Voicemail(_)
            | Change::RecordingDeleted { .. }
            | Change::RecordingNoted { .. }
            | Change::Survey { .. }
            | Change::Conversation { .. }
            | Change::Disposition { .. }
            | Change::Reload(_) => {}
            Change::Callback(view) if view.state.is_final() => {
                self.callbacks.remove(&view.callback_id);
            }
            Change::Callback(view) => {
                self.callbacks.insert(view.callback_id, view.clone());
            }
        }
    }

    /// The number of the latest event.
    pub fn latest(&self) -> u64 {
        *self.latest.borrow()
    }

    /// Wakes when an event is published.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// At most `limit` events after number `since`.
    pub fn after(&self, since: u64, limit: usize) -> Following {
        let ring = self.ring();
        let latest = ring.next - 1;
        let oldest = ring.events.front().map_or(ring.next, |event| event.seq);
        if since == latest {
            return Following::None;
        }
        if since > latest || since + 1 < oldest {
            return Following::Lost { oldest, latest };
        }
        // The ring has no holes: an event's place is its distance from the oldest.
        let skip = usize::try_from(since + 1 - oldest).unwrap_or(usize::MAX);
        Following::Events(ring.events.iter().skip(skip).take(limit).cloned().collect())
    }

    /// A copy of one call.
    pub fn call(&self, id: CallId) -> Option<CallView> {
        self.calls.get(&id).map(|view| view.clone())
    }

    /// A copy of one agent.
    pub fn agent(&self, id: &str) -> Option<AgentView> {
        self.agents.get(id).map(|view| view.clone())
    }

    /// All calls that are up, oldest first.
    pub fn calls(&self) -> Vec<CallView> {
        let mut calls: Vec<_> = self.calls.iter().map(|entry| entry.value().clone()).collect();
        calls.sort_by_key(|call| call.call_id);
        calls
    }

    /// All agents, by number.
    pub fn agents(&self) -> Vec<AgentView> {
        let mut agents: Vec<_> = self.agents.iter().map(|entry| entry.value().clone()).collect();
        agents.sort_by(|a, b| a.id.cmp(&b.id));
        agents
    }

    /// All queues, by name.
    pub fn queues(&self) -> Vec<QueueView> {
        let mut queues: Vec<_> = self.queues.iter().map(|entry| entry.value().clone()).collect();
        queues.sort_by(|a, b| a.id.cmp(&b.id));
        queues
    }

    /// All experts, by number.
    pub fn experts(&self) -> Vec<ExpertView> {
        let mut experts: Vec<_> = self.experts.iter().map(|entry| entry.value().clone()).collect();
        experts.sort_by(|a, b| a.id.cmp(&b.id));
        experts
    }

    /// The call-backs that are promised, oldest first.
    pub fn callbacks(&self) -> Vec<CallbackView> {
        let mut callbacks: Vec<_> = self.callbacks.iter().map(|entry| entry.value().clone()).collect();
        callbacks.sort_by_key(|callback| callback.callback_id);
        callbacks
    }

    /// Calls that are up.
    pub fn calls_active(&self) -> usize {
        self.calls.len()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    fn views(capacity: usize) -> (Views, u64) {
        let started: Wall = "2026-11-23T10:00:00Z".parse().unwrap();
        (Views::new(started, capacity), started.as_microsecond() as u64)
    }

    fn numbers(following: Following) -> Vec<u64> {
        match following {
            Following::Events(events) => events.iter().map(|event| event.seq).collect(),
            other => panic!("no events: {other:?}"),
        }
    }

    #[test]
    fn maps_follow_the_changes() {
        let (views, _) = views(10);
        let call = sample::call(7);
        views.publish(Change::Call(Box::new(call.clone())), sample::at());
        views.publish(Change::Agent(sample::agent("201")), sample::at());
        views.publish(Change::Queue(sample::queue("sales")), sample::at());
        assert_eq!(views.call(call.call_id), Some(call.clone()));
        assert_eq!((views.calls().len(), views.agents().len(), views.queues().len()), (1, 1, 1));
        views.publish(Change::Ended(Box::new(sample::record(&call))), sample::at());
        assert_eq!((views.call(call.call_id), views.calls_active()), (None, 0));
    }

    #[test]
    fn numbers_have_no_holes_and_go_on_from_the_start_time() {
        let (views, before) = views(10);
        assert_eq!(views.latest(), before);
        assert!(matches!(views.after(before, 10), Following::None));
        for _ in 0..3 {
            views.publish(Change::Agent(sample::agent("201")), sample::at());
        }
        assert_eq!(numbers(views.after(before, 10)), [before + 1, before + 2, before + 3]);
        assert_eq!(numbers(views.after(before + 1, 1)), [before + 2]);
        assert!(matches!(views.after(before + 3, 10), Following::None));
        assert_eq!(views.latest(), before + 3);
    }

    #[test]
    fn what_is_out_of_reach_is_lost_and_the_ring_stays_bounded() {
        let (views, before) = views(4);
        for _ in 0..10 {
            views.publish(Change::Agent(sample::agent("201")), sample::at());
        }
        assert_eq!(views.ring().events.len(), 4);
        assert_eq!(numbers(views.after(before + 6, 99)), [before + 7, before + 8, before + 9, before + 10]);
        for since in [0, before + 5, before + 11, u64::MAX] {
            let Following::Lost { oldest, latest } = views.after(since, 99) else { panic!("{since} is in reach") };
            assert_eq!((oldest, latest), (before + 7, before + 10));
        }
    }

    #[test]
    fn an_event_is_one_flat_json_object_whatever_a_caller_calls_himself() {
        let (views, before) = views(4);
        let mut call = sample::call(7);
        call.from = "\"},{\"\u{0}\u{1f}\u{2028}\r\n\\ \u{202e}".to_owned();
        views.publish(Change::Call(Box::new(call.clone())), sample::at());
        let Following::Events(events) = views.after(before, 9) else { panic!("no event") };
        let text = events[0].text();
        assert!(!text.contains(['\r', '\n', '\0']));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["seq"], before + 1);
        assert_eq!(value["at"], "2026-11-23T10:00:00.000Z");
        assert_eq!(value["type"], "call");
        assert_eq!(value["from"], call.from.as_str());
        assert_eq!(value["call_id"], call.call_id.to_string());
        views.publish(Change::Ended(Box::new(sample::record(&call))), sample::at());
        let Following::Events(events) = views.after(before + 1, 9) else { panic!("no event") };
        let value: serde_json::Value = serde_json::from_str(&events[0].text()).unwrap();
        assert_eq!((value["type"].as_str(), value["outcome"].as_str()), (Some("ended"), Some("handled")));
    }
}
