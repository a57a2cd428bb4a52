//! The transactions of RFC 3261 §17, a machine a file, and the table that owns them. A machine sees status codes and
//! timers only; what a message says is the user's business.

mod client_invite;
mod client_non_invite;
mod key;
mod server_invite;
mod server_non_invite;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use key::BRANCH_COOKIE;
pub use table::{Closed, Received, Transactions, Why};

use super::{Destination, Transmit};
use crate::time::{Deadlines, Instant};

/// Names one transaction for as long as it lives; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub u64);

/// RFC 3261 §17.1.1.1, §17.1.2.1: the values all timers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Round-trip estimate: 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and INVITE responses: 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network: 5 s.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// `64*T1`: how long anything is tried.
    pub fn patience(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// RFC 3261 §17.1.1.2: Timer D, "at least 32 seconds for unreliable transports".
    fn timer_d(&self) -> Duration {
        self.patience().max(Duration::from_secs(32))
    }
}

/// RFC 3261 table 4 and RFC 6026 §7.1, §8.4. Timer C is a proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE transaction time-out.
    B,
    /// Wait for retransmitted responses to an INVITE.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE transaction time-out.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted non-INVITE responses.
    K,
    /// Wait for retransmitted INVITEs after a 2xx.
    L,
    /// Wait for further 2xx.
    M,
}

/// How far a machine went, and whether its user is to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// The message that came is for the transaction user.
    pass_up: bool,
    /// Nothing more will come of this transaction.
    terminated: bool,
    /// It ends because the far end kept silent.
    timed_out: bool,
}

impl Step {
    const QUIET: Step = Step { pass_up: false, terminated: false, timed_out: false };
    const PASS_UP: Step = Step { pass_up: true, terminated: false, timed_out: false };
    const TERMINATED: Step = Step { pass_up: false, terminated: true, timed_out: false };
    const TIMED_OUT: Step = Step { pass_up: false, terminated: true, timed_out: true };
}

/// What a machine may do to the world: send, and set its timers.
struct Actions<'a> {
    id: TransactionId,
    now: Instant,
    timing: Timing,
    deadlines: &'a mut Deadlines<(TransactionId, Timer)>,
    outbox: &'a mut VecDeque<Transmit>,
}

impl Actions<'_> {
    fn start(&mut self, timer: Timer, after: Duration) {
        self.deadlines.set((self.id, timer), self.now + after);
    }

    fn stop(&mut self, timer: Timer) {
        self.deadlines.clear(&(self.id, timer));
    }

    fn send(&mut self, to: Destination, bytes: &Bytes) {
        self.outbox.push_back(Transmit { to, bytes: bytes.clone() });
    }
}

impl Destination {
    /// RFC 3261 §17: machines retransmit on unreliable transports only.
    pub fn is_reliable(&self) -> bool {
        match self {
            Destination::Flow(flow) => flow.transport.is_reliable(),
            Destination::Address { transport, .. } => transport.is_reliable(),
        }
    }
}
