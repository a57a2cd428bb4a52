//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Actions, Step, Timer};
use crate::sip::Destination;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ClientNonInvite {
    pub(super) state: State,
    pub(super) to: Destination,
    pub(super) request: Bytes,
    /// What Timer E is set to.
    interval: Duration,
}

impl ClientNonInvite {
    /// §17.1.2.2: "The 'Trying' state is entered when the TU initiates a new client transaction with a request. When
    /// entering this state, the client transaction SHOULD set timer F to fire in 64*T1 seconds. […] If an unreliable
    /// transport is in use, the client transaction MUST set timer E to fire in T1 seconds."
    pub(super) fn start(to: Destination, request: Bytes, actions: &mut Actions) -> Self {
        actions.send(to, &request);
        if !to.is_reliable() {
            actions.start(Timer::E, actions.timing.t1);
        }
        actions.start(Timer::F, actions.timing.patience());
        ClientNonInvite { state: State::Trying, to, request, interval: actions.timing.t1 }
    }

    pub(super) fn receive(&mut self, status: u16, actions: &mut Actions) -> Step {
        match (self.state, status) {
            // "If a provisional response is received while in the 'Trying' state, the response MUST be passed to the
            // TU, and then the client transaction SHOULD move to the 'Proceeding' state."
            (State::Trying | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                Step::PASS_UP
            }
            // "If a final response (status codes 200-699) is received while in the 'Trying' [or 'Proceeding'] state, the
            // response MUST be passed to the TU, and the client transaction MUST transition to the 'Completed' state.
            // […] it MUST set Timer K to fire in T4 seconds for unreliable transports, and zero seconds for reliable."
            (State::Trying | State::Proceeding, 200..=699) => {
                self.state = State::Completed;
                actions.stop(Timer::E);
                actions.stop(Timer::F);
                let linger = if self.to.is_reliable() { Duration::ZERO } else { actions.timing.t4 };
                actions.start(Timer::K, linger);
                Step::PASS_UP
            }
            _ => Step::QUIET,
        }
    }

    pub(super) fn expire(&mut self, timer: Timer, actions: &mut Actions) -> Step {
        match (timer, self.state) {
            // "When the timer fires again, it is reset to a MIN(4*T1, T2). […] the interval doubles until T2. If Timer E
            // fires while in the 'Proceeding' state, the request MUST be passed to the transport layer for
            // retransmission, and Timer E MUST be reset with a value of T2 seconds."
            (Timer::E, State::Trying | State::Proceeding) => {
                actions.send(self.to, &self.request);
                self.interval = match self.state {
                    State::Trying => self.interval.saturating_mul(2).min(actions.timing.t2),
                    State::Proceeding | State::Completed => actions.timing.t2,
                };
                actions.start(Timer::E, self.interval);
                Step::QUIET
            }
            // "If Timer F fires while the client transaction is still in the 'Trying' [or 'Proceeding'] state, the client
            // transaction SHOULD inform the TU about the timeout, and then it SHOULD enter the 'Terminated' state."
            (Timer::F, State::Trying | State::Proceeding) => Step::TIMED_OUT,
            (Timer::K, State::Completed) => Step::TERMINATED,
            _ => Step::QUIET,
        }
    }
}
