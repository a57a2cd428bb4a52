//! The non-INVITE server transaction (RFC 3261 §17.2.2).

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
pub(super) struct ServerNonInvite {
    pub(super) state: State,
    pub(super) to: Destination,
    response: Option<Bytes>,
}

impl ServerNonInvite {
    pub(super) fn start(to: Destination) -> Self {
        ServerNonInvite { state: State::Trying, to, response: None }
    }

    /// The request again. §17.2.2: "Once in the 'Trying' state, any further request retransmissions are discarded. […]
    /// If a retransmission of the request is received while in the 'Proceeding' [or 'Completed'] state, the most
    /// recently sent [or the final] response MUST be passed to the transport layer for retransmission."
    pub(super) fn receive_again(&mut self, actions: &mut Actions) {
        if let Some(response) = &self.response {
            actions.send(self.to, response);
        }
    }

    /// "Any other final responses passed by the TU to the server transaction MUST be discarded while in the 'Completed'
    /// state."
    pub(super) fn respond(&mut self, status: u16, response: Bytes, actions: &mut Actions) -> Step {
        if self.state == State::Completed {
            return Step::QUIET;
        }
        actions.send(self.to, &response);
        self.response = Some(response);
        if status < 200 {
            self.state = State::Proceeding;
            return Step::QUIET;
        }
        // "When the server transaction enters the 'Completed' state, it MUST set Timer J to fire in 64*T1 seconds for
        // unreliable transports, and zero seconds for reliable transports."
        self.state = State::Completed;
        if self.to.is_reliable() {
            return Step::TERMINATED;
        }
        actions.start(Timer::J, actions.timing.patience());
        Step::QUIET
    }

    pub(super) fn expire(&mut self, timer: Timer) -> Step {
        match (timer, self.state) {
            (Timer::J, State::Completed) => Step::TERMINATED,
            _ => Step::QUIET,
        }
    }
}
