//! Calls as they were recorded, to be played again under other rules or to other numbers of agents.
//!
//! When a call came, how long its talk took and when its caller gave up are in the records, and stay. How long those who
//! were answered would have waited is not, nor how long the talk with those who were not would have taken: these are
//! drawn. Patience is taken as exponential. Of n callers who gave up, and all waits that add up to w, answered or not,
//! its mean is w / n: the estimator for censored times, as in L. Brown, N. Gans, A. Mandelbaum and others, "Statistical
//! Analysis of a Telephone Call Center", Journal of the American Statistical Association 100, 2005. Handle times are
//! drawn from those that were recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;
use serde::Serialize;

use super::callers::{Caller, exponential, seconds, stream};
use super::scenario::Kind;
use crate::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    pub kind: Kind,
    /// When it entered the queue.
    pub entered: Instant,
    /// How long it was there.
    pub waited: Duration,
    pub end: RecordedEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedEnd {
    /// Answered; the agent was busy with it for so long.
    Handled(Duration),
    Abandoned,
    /// Its caller left for something else: a call-back, a message, another plan.
    Elsewhere,
    /// It was turned away or cut off. How long its caller would have waited is not known.
    CutShort,
}

#[derive(Clone, Debug)]
pub struct Recording {
    /// In order, from instant zero on.
    calls: Vec<Call>,
    kinds: Vec<Kind>,
    handlings: Vec<Duration>,
    /// The mean patience in seconds of those of whom it is not known. `None`: they would wait for ever.
    patience: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    kind: usize,
    entered: Instant,
    waited: Duration,
    end: RecordedEnd,
}

/// What was made of the calls when they were recorded. Waits run to the answer, so they have the ringing in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AsRecorded {
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    /// Answered within the time asked for, of all offered.
    pub service_level: f64,
    /// The mean wait of those who were answered.
    pub asa_s: f64,
    pub abandonment: f64,
}

impl Recording {
    /// `None` where no call was answered: then nobody knows how long one takes.
    pub fn new(mut recorded: Vec<RecordedCall>) -> Option<Recording> {
        recorded.sort_by_key(|call| call.entered);
        let first = recorded.first()?.entered;
        let mut places: BTreeMap<Kind, usize> = BTreeMap::new();
        let call = |RecordedCall { kind, entered, waited, end }| {
            let place = places.len();
            let kind = *places.entry(kind).or_insert(place);
            Call { kind, entered: Instant(0) + entered.since(first), waited, end }
        };
        let calls: Vec<Call> = recorded.into_iter().map(call).collect();
        let mut kinds: Vec<(Kind, usize)> = places.into_iter().collect();
        kinds.sort_by_key(|(_, place)| *place);
        let kinds = kinds.into_iter().map(|(kind, _)| kind).collect();
        let handling = |call: &Call| match call.end {
            RecordedEnd::Handled(handling) => Some(handling),
            _ => None,
        };
        let handlings: Vec<Duration> = calls.iter().filter_map(handling).collect();
        let waited: f64 = calls.iter().map(|call| call.waited.as_secs_f64()).sum();
        let abandoned = calls.iter().filter(|call| call.end == RecordedEnd::Abandoned).count();
        let patience = (abandoned > 0).then(|| waited / abandoned as f64);
        (!handlings.is_empty()).then_some(Recording { calls, kinds, handlings, patience })
    }

    /// The mean patience that the waits show; `None` where nobody gave up.
    pub fn patience(&self) -> Option<f64> {
        self.patience
    }

    /// Takes another mean patience for those of whom it is not known.
    #[must_use]
    pub fn with_patience(self, patience: Option<f64>) -> Recording {
        Recording { patience, ..self }
    }

    /// What the calls ask for, each kind once.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// From the first call to the last one.
    pub fn length(&self) -> Duration {
        self.calls.last().map_or(Duration::ZERO, |last| last.entered.since(Instant(0)))
    }

    /// The mean handle time in seconds.
    pub fn aht(&self) -> f64 {
        self.handlings.iter().map(Duration::as_secs_f64).sum::<f64>() / self.handlings.len() as f64
    }

    /// Of the calls of some queues; each has its own time within which an answer is in time.
    pub fn as_recorded(&self, within: impl Fn(usize) -> Option<Duration>) -> AsRecorded {
        let (mut offered, mut handled, mut abandoned, mut in_time, mut waits) = (0, 0, 0, 0_u64, 0.0);
        for call in &self.calls {
            let within = self.kinds.get(call.kind).and_then(|kind| within(kind.queue));
            let Some(within) = within else { continue };
            offered += 1;
            match call.end {
                RecordedEnd::Handled(_) => {
                    handled += 1;
                    in_time += u64::from(call.waited <= within);
                    waits += call.waited.as_secs_f64();
                }
                RecordedEnd::Abandoned => abandoned += 1,
                RecordedEnd::Elsewhere | RecordedEnd::CutShort => {}
            }
        }
        let share = |part: f64, whole: u64| if whole == 0 { 0.0 } else { part / whole as f64 };
        AsRecorded {
            offered,
            handled,
            abandoned,
            overflowed: offered - handled - abandoned,
            service_level: share(in_time as f64, offered),
            asa_s: share(waits, handled),
            abandonment: share(abandoned as f64, offered),
        }
    }

    /// The callers of one replay; what is not known of them is drawn anew for each.
    pub(super) fn callers(&self, seed: u64, replay: u64) -> impl Iterator<Item = Caller> + '_ {
        let [mut handlings, mut patiences] = [1, 2].map(|number| stream(seed, 4 * replay + number));
        self.calls.iter().map(move |call| {
            // Drawn for everyone: what one call was changes nothing for the next.
            let nth = (u128::from(handlings.next_u64()) * self.handlings.len() as u128) >> 64;
            let drawn = self.handlings.get(nth as usize).copied().unwrap_or_default();
            let beyond = self.patience.map(|mean| seconds(exponential(&mut patiences, mean)));
            let longer = beyond.map(|beyond| call.waited.saturating_add(beyond));
            let (handling, patience) = match call.end {
                RecordedEnd::Handled(handling) => (handling, longer),
                RecordedEnd::Abandoned | RecordedEnd::Elsewhere => (drawn, Some(call.waited)),
                RecordedEnd::CutShort => (drawn, longer),
            };
            let goes_elsewhere = call.end == RecordedEnd::Elsewhere;
            Caller { at: call.entered, kind: call.kind, handling, patience, goes_elsewhere }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Demand;

    fn call(entered: u64, waited: u64, end: RecordedEnd) -> RecordedCall {
        let entered = Instant(0) + Duration::from_secs(entered);
        let kind = Kind { queue: 0, demand: Demand::default() };
        RecordedCall { kind, entered, waited: Duration::from_secs(waited), end }
    }

    fn handled(seconds: u64) -> RecordedEnd {
        RecordedEnd::Handled(Duration::from_secs(seconds))
    }

    fn recording() -> Recording {
        let calls = [(130, 40, RecordedEnd::Abandoned), (100, 10, handled(200)), (160, 30, handled(100))];
        let more = [(170, 5, RecordedEnd::Elsewhere), (180, 0, RecordedEnd::CutShort)];
        Recording::new(calls.into_iter().chain(more).map(|(at, waited, end)| call(at, waited, end)).collect()).unwrap()
    }

    #[test]
    fn what_is_known_stays_and_what_is_not_is_drawn() {
        let recording = recording();
        assert_eq!((recording.calls(), recording.length()), (5, Duration::from_secs(80)));
        assert_eq!((recording.aht(), recording.patience()), (150.0, Some(85.0)));
        let first: Vec<Caller> = recording.callers(1, 0).collect();
        let again: Vec<Caller> = recording.callers(1, 1).collect();
        assert_eq!(first, recording.callers(1, 0).collect::<Vec<_>>());
        let at: Vec<u64> = first.iter().map(|caller| caller.at.0 / 1_000_000_000).collect();
        assert_eq!(at, [0, 30, 60, 70, 80]);
        assert_eq!(first[0].handling, Duration::from_secs(200));
        assert!(first[0].patience.unwrap() > Duration::from_secs(10) && first[0].patience != again[0].patience);
        assert_eq!((first[1].patience, first[1].goes_elsewhere), (Some(Duration::from_secs(40)), false));
        assert_eq!((first[3].patience, first[3].goes_elsewhere), (Some(Duration::from_secs(5)), true));
        let known = [100, 200].map(Duration::from_secs);
        assert!((0..50).all(|replay| recording.callers(1, replay).all(|caller| known.contains(&caller.handling))));
        let patient = recording.with_patience(None);
        assert_eq!(
            patient.callers(1, 0).map(|caller| caller.patience.is_some()).collect::<Vec<_>>(),
            [false, true, false, true, false]
        );
    }

    #[test]
    fn what_was_is_counted() {
        let was = recording().as_recorded(|_| Some(Duration::from_secs(20)));
        assert_eq!((was.offered, was.handled, was.abandoned, was.overflowed), (5, 2, 1, 2));
        assert_eq!((was.service_level, was.asa_s, was.abandonment), (0.2, 20.0, 0.2));
        let of_another_queue = recording().as_recorded(|queue| (queue == 1).then_some(Duration::ZERO));
        assert_eq!((of_another_queue.offered, of_another_queue.asa_s), (0, 0.0));
    }

    #[test]
    fn each_kind_is_kept_once_in_the_order_of_its_first_call() {
        let of = |queue, entered| RecordedCall {
            kind: Kind { queue, demand: Demand::default() },
            ..call(entered, 0, handled(60))
        };
        let recording = Recording::new(vec![of(0, 30), of(2, 10), of(0, 20), of(2, 40)]).unwrap();
        assert_eq!(recording.kinds().iter().map(|kind| kind.queue).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(recording.callers(1, 0).map(|caller| caller.kind).collect::<Vec<_>>(), [0, 1, 1, 0]);
    }

    #[test]
    fn without_an_answered_call_there_is_nothing_to_play() {
        assert!(Recording::new(vec![]).is_none());
        assert!(Recording::new(vec![call(0, 5, RecordedEnd::Abandoned)]).is_none());
        assert_eq!(Recording::new(vec![call(0, 5, handled(60))]).unwrap().patience(), None);
    }
}
