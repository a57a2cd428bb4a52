//! What conditions and modules may know of the queues at this moment.

use serde::{Deserialize, Serialize};

/// A queue as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueFigures {
    /// Callers who wait, those being offered to an agent included.
    pub waiting: u64,
    /// How long the caller who has waited longest has, in seconds.
    pub longest_wait_s: u64,
    pub agents_available: u64,
    pub agents_logged_in: u64,
    /// The range in which a caller who came now would probably be answered, in seconds; `None` where it is not known.
    pub estimate_s: Option<(u64, u64)>,
    /// The share of answered callers who were answered within the queue's target, from 0 to 1; `None` where there were none.
    pub service_level: Option<f64>,
}

/// Who answers how the queues are: the distributor, or a test.
pub trait Queues: Sync {
    /// `None` where there is no such queue.
    fn figures(&self, queue: &str) -> Option<QueueFigures>;
}

/// A centre in which nothing is known of any queue.
pub struct NoQueues;

impl Queues for NoQueues {
    fn figures(&self, _: &str) -> Option<QueueFigures> {
        None
    }
}
