//! What became of the calls of a simulation.

use std::time::Duration;

use serde::Serialize;

use super::Estimate;

/// What came of all calls, and of those of each queue. The agents are those of all queues.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    pub whole: Outcome,
    /// In the order of the scenario's queues.
    pub queues: Vec<Outcome>,
}

/// A figure is a share of the offered calls, where nothing else is said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
    /// Not let in, because the queue's `max_waiting` were waiting, or gone elsewhere without an answer.
    pub overflowed: u64,
    /// Answered within the queue's `answer_within`.
    pub service_level: Estimate,
    /// The mean wait of those who were answered, in seconds.
    pub asa_s: Estimate,
    /// Not answered at once.
    pub wait_probability: Estimate,
    pub abandonment: Estimate,
    /// Handling time of available time, of all agents.
    pub occupancy: Estimate,
    /// Of those who found no agent free: the share who could be told how long it would take.
    pub ewt_told: Estimate,
    /// Of those who were told and then answered: the share whose wait was within the range they were told.
    pub ewt_right: Estimate,
    /// Of the same: the mean difference between the wait and the middle of the range, in seconds.
    pub ewt_error_s: Estimate,
}

/// What is counted of one batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    pub waited: u64,
    pub in_time: u64,
    /// Of those who were answered.
    pub waits: f64,
    told: Told,
}

/// What agents did in the time of one batch, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub handling: f64,
    pub available: f64,
}

/// How good the announced waits were.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    waited: u64,
    known: u64,
    answered: u64,
    right: u64,
    error: f64,
}

/// What a caller who found no agent free was told.
pub(super) type Promise = Option<(Duration, Duration)>;

impl Batch {
    /// With the calls of another queue.
    pub fn add(&mut self, other: &Batch) {
        self.offered += other.offered;
        self.handled += other.handled;
        self.abandoned += other.abandoned;
        self.overflowed += other.overflowed;
        self.waited += other.waited;
        self.in_time += other.in_time;
        self.waits += other.waits;
        self.told.waited += other.told.waited;
        self.told.known += other.told.known;
        self.told.answered += other.told.answered;
        self.told.right += other.told.right;
        self.told.error += other.told.error;
    }

    pub fn promised(&mut self, promise: Promise) {
        self.told.waited += 1;
        self.told.known += u64::from(promise.is_some());
    }

    pub fn kept(&mut self, (least, most): (Duration, Duration), wait: Duration) {
        self.told.answered += 1;
        self.told.right += u64::from((least..=most).contains(&wait));
        let middle = (least.as_secs_f64() + most.as_secs_f64()) / 2.0;
        self.told.error += (wait.as_secs_f64() - middle).abs();
    }
}

/// What is counted, by batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub queues: Vec<Vec<Batch>>,
    pub work: Vec<Work>,
}

impl Tally {
    pub fn new(queues: usize, batches: usize) -> Tally {
        Tally { queues: vec![vec![Batch::default(); batches]; queues], work: vec![Work::default(); batches] }
    }

    /// The batches of another run follow.
    pub fn append(&mut self, other: Tally) {
        self.queues.resize(other.queues.len(), Vec::new());
        for (batches, more) in self.queues.iter_mut().zip(other.queues) {
            batches.extend(more);
        }
        self.work.extend(other.work);
    }

    /// `least_wait`: who finds all agents busy waits so many seconds on average, at the least.
    pub fn played(&self, least_wait: f64) -> Played {
        let mut whole = vec![Batch::default(); self.work.len()];
        for batches in &self.queues {
            for (sum, batch) in whole.iter_mut().zip(batches) {
                sum.add(batch);
            }
        }
        let outcome = |batches: &Vec<Batch>| Outcome::of(batches, &self.work, least_wait);
        Played { whole: outcome(&whole), queues: self.queues.iter().map(outcome).collect() }
    }
}

impl Outcome {
    fn of(batches: &[Batch], work: &[Work], least_wait: f64) -> Outcome {
        let sum = |of: fn(&Batch) -> u64| batches.iter().map(of).sum::<u64>();
        let offered = sum(|batch| batch.offered);
        let ratio = |scale: f64, of: fn(&Batch) -> (f64, f64)| {
            Estimate::of_ratio(&batches.iter().map(of).collect::<Vec<_>>(), scale, offered)
        };
        let work: Vec<(f64, f64)> = work.iter().map(|work| (work.handling, work.available)).collect();
        Outcome {
            offered,
            handled: sum(|batch| batch.handled),
            abandoned: sum(|batch| batch.abandoned),
            overflowed: sum(|batch| batch.overflowed),
            service_level: ratio(1.0, |batch| (batch.in_time as f64, batch.offered as f64)),
            asa_s: ratio(least_wait, |batch| (batch.waits, batch.handled as f64)),
            wait_probability: ratio(1.0, |batch| (batch.waited as f64, batch.offered as f64)),
            abandonment: ratio(1.0, |batch| (batch.abandoned as f64, batch.offered as f64)),
            occupancy: Estimate::of_ratio(&work, 0.0, offered),
            ewt_told: ratio(1.0, |batch| (batch.told.known as f64, batch.told.waited as f64)),
            ewt_right: ratio(1.0, |batch| (batch.told.right as f64, batch.told.answered as f64)),
            ewt_error_s: ratio(0.0, |batch| (batch.told.error, batch.told.answered as f64)),
        }
    }
}
