//! The INVITE client transaction (RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Actions, Step, Timer};
use crate::sip::Destination;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Calling,
    Proceeding,
    Accepted,
    Completed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ClientInvite {
    pub(super) state: State,
    pub(super) to: Destination,
    pub(super) request: Bytes,
    /// The ACK to a final response other than 2xx.
    ack: Option<Bytes>,
    /// What Timer A is set to.
    interval: Duration,
}

impl ClientInvite {
    /// §17.1.1.2: "The initial state, 'calling', MUST be entered when the TU initiates a new client transaction with an
    /// INVITE request. […] If an unreliable transport is being used, the client transaction MUST start timer A with a
    /// value of T1. […] For any transport, the client transaction MUST start timer B with a value of 64*T1 seconds."
    pub(super) fn start(to: Destination, request: Bytes, actions: &mut Actions) -> Self {
        actions.send(to, &request);
        if !to.is_reliable() {
            actions.start(Timer::A, actions.timing.t1);
        }
        actions.start(Timer::B, actions.timing.patience());
        ClientInvite { state: State::Calling, to, request, ack: None, interval: actions.timing.t1 }
    }

    /// `ack` makes the ACK of §17.1.1.3 and is asked once, for a final response other than 2xx.
    pub(super) fn receive(&mut self, status: u16, ack: impl FnOnce() -> Option<Bytes>, actions: &mut Actions) -> Step {
        match (self.state, status) {
            // "If the client transaction receives a provisional response while in the 'Calling' state, it transitions to
            // the 'Proceeding' state. […] the provisional response MUST be passed to the TU. Any further provisional
            // responses MUST be passed up to the TU while in the 'Proceeding' state."
            (State::Calling | State::Proceeding, 100..=199) => {
                self.leave_calling(actions);
                self.state = State::Proceeding;
                Step::PASS_UP
            }
            // RFC 6026 §7.2: "When a 2xx response is received while in either the 'Calling' or 'Proceeding' states, the
            // client transaction MUST transition to the 'Accepted' state, and Timer M is started with 64*T1."
            (State::Calling | State::Proceeding, 200..=299) => {
                self.leave_calling(actions);
                self.state = State::Accepted;
                actions.start(Timer::M, actions.timing.patience());
                Step::PASS_UP
            }
            // RFC 6026 §7.2: "A 2xx response received while in the 'Accepted' state MUST be passed to the TU."
            (State::Accepted, 200..=299) => Step::PASS_UP,
            // "When in either the 'Calling' or 'Proceeding' states, reception of a response with status code from
            // 300-699 MUST cause the client transaction to transition to 'Completed'. The client transaction MUST pass
            // the received response up to the TU, and […] generate an ACK request."
            (State::Calling | State::Proceeding, 300..=699) => {
                self.leave_calling(actions);
                self.state = State::Completed;
                self.ack = ack();
                self.send_ack(actions);
                // "Timer D […] zero seconds for reliable transports."
                let linger = if self.to.is_reliable() { Duration::ZERO } else { actions.timing.timer_d() };
                actions.start(Timer::D, linger);
                Step::PASS_UP
            }
            // "Any retransmissions of the final response that are received while in the 'Completed' state MUST cause
            // the ACK to be re-passed to the transport layer for retransmission, but the newly received response MUST
            // NOT be passed up to the TU."
            (State::Completed, 300..=699) => {
                self.send_ack(actions);
                Step::QUIET
            }
            _ => Step::QUIET,
        }
    }

    pub(super) fn expire(&mut self, timer: Timer, actions: &mut Actions) -> Step {
        match (timer, self.state) {
            // "When timer A fires, the client transaction MUST retransmit the request by passing it to the transport
            // layer, and MUST reset the timer with a value of 2*T1. […] 4*T1 […] and so on."
            (Timer::A, State::Calling) => {
                actions.send(self.to, &self.request);
                self.interval = self.interval.saturating_mul(2);
                actions.start(Timer::A, self.interval);
                Step::QUIET
            }
            // "If the client transaction is still in the 'Calling' state when timer B fires, the client transaction
            // SHOULD inform the TU that a timeout has occurred."
            (Timer::B, State::Calling) => Step::TIMED_OUT,
            (Timer::D, State::Completed) | (Timer::M, State::Accepted) => Step::TERMINATED,
            _ => Step::QUIET,
        }
    }

    /// Whether a final response has come.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.state, State::Accepted | State::Completed)
    }

    fn leave_calling(&mut self, actions: &mut Actions) {
        actions.stop(Timer::A);
        actions.stop(Timer::B);
    }

    fn send_ack(&self, actions: &mut Actions) {
        if let Some(ack) = &self.ack {
            actions.send(self.to, ack);
        }
    }
}
