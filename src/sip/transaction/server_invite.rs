//! The INVITE server transaction (RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Actions, Step, Timer};
use crate::sip::Destination;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Proceeding,
    Accepted,
    Completed,
    Confirmed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ServerInvite {
    pub(super) state: State,
    pub(super) to: Destination,
    /// The last provisional or the final response.
    response: Option<Bytes>,
    /// What Timer G is set to.
    interval: Duration,
}

impl ServerInvite {
    pub(super) fn start(to: Destination, actions: &Actions) -> Self {
        ServerInvite { state: State::Proceeding, to, response: None, interval: actions.timing.t1 }
    }

    /// The INVITE again. §17.2.1: "If a request retransmission is received while in the 'Proceeding' state, the most
    /// recent provisional response that was received from the TU MUST be passed to the transport layer for
    /// retransmission. […] Furthermore, while in the 'Completed' state, if a request retransmission is received, the
    /// server SHOULD pass the response to the transport for retransmission." RFC 6026 §7.1: in Accepted "any
    /// retransmissions of the INVITE received will match this transaction state machine and will be absorbed".
    pub(super) fn receive_again(&mut self, actions: &mut Actions) {
        if let (State::Proceeding | State::Completed, Some(response)) = (self.state, &self.response) {
            actions.send(self.to, response);
        }
    }

    pub(super) fn receive_ack(&mut self, actions: &mut Actions) -> Step {
        match self.state {
            // "If an ACK is received while the server transaction is in the 'Completed' state, the server transaction
            // MUST transition to the 'Confirmed' state. As Timer G is ignored in this state, any retransmissions of the
            // response will cease. […] set timer I to fire in T4 seconds for unreliable transports, and zero seconds
            // for reliable transports."
            State::Completed => {
                self.state = State::Confirmed;
                self.response = None;
                actions.stop(Timer::G);
                actions.stop(Timer::H);
                if self.to.is_reliable() {
                    return Step::TERMINATED;
                }
                actions.start(Timer::I, actions.timing.t4);
                Step::QUIET
            }
            // RFC 6026 §7.1: in Accepted "the server transaction MUST pass any received ACK to the TU".
            State::Accepted => Step::PASS_UP,
            State::Proceeding | State::Confirmed => Step::QUIET,
        }
    }

    /// A response of the TU. A second final response is not sent.
    pub(super) fn respond(&mut self, status: u16, response: Bytes, actions: &mut Actions) {
        if self.state != State::Proceeding {
            return;
        }
        actions.send(self.to, &response);
        match status {
            100..=199 => self.response = Some(response),
            // RFC 6026 §7.1: "If, while in the 'Proceeding' state, the TU passes a 2xx response to the server
            // transaction, [it] MUST […] transition to the 'Accepted' state. [Timer L] MUST be set to fire in 64*T1."
            200..=299 => {
                self.state = State::Accepted;
                self.response = None;
                actions.start(Timer::L, actions.timing.patience());
            }
            // "While in the 'Proceeding' state, if the TU passes a response with status code from 300 to 699 to the
            // server transaction, […] the state machine MUST enter the 'Completed' state. For unreliable transports,
            // timer G is set to fire in T1 seconds, and is not set to fire for reliable transports. […] timer H MUST be
            // set to fire in 64*T1 seconds for all transports."
            _ => {
                self.state = State::Completed;
                self.response = Some(response);
                if !self.to.is_reliable() {
                    actions.start(Timer::G, actions.timing.t1);
                }
                actions.start(Timer::H, actions.timing.patience());
            }
        }
    }

    pub(super) fn expire(&mut self, timer: Timer, actions: &mut Actions) -> Step {
        match (timer, self.state) {
            // "If timer G fires, the response is passed to the transport layer once more for retransmission, and timer G
            // is set to fire in MIN(2*T1, T2) seconds."
            (Timer::G, State::Completed) => {
                if let Some(response) = &self.response {
                    actions.send(self.to, response);
                }
                self.interval = self.interval.saturating_mul(2).min(actions.timing.t2);
                actions.start(Timer::G, self.interval);
                Step::QUIET
            }
            // "If timer H fires while in the 'Completed' state, it implies that the ACK was never received."
            (Timer::H, State::Completed) => Step::TIMED_OUT,
            (Timer::I, State::Confirmed) | (Timer::L, State::Accepted) => Step::TERMINATED,
            _ => Step::QUIET,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.state == State::Proceeding && self.response.is_none()
    }

    pub(super) fn is_final(&self) -> bool {
        self.state != State::Proceeding
    }
}
