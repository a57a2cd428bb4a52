//! What the user agent tells about the sessions of the legs.

use std::time::Duration;

use bytes::Bytes;

use super::calls::EndReason;
use super::plan::Lost;
use super::protection::Identity;
use super::{Engine, LogLevel};
use crate::bridge::Digit;
use crate::call::talk::{Leave, State};
use crate::call::{LegState, Phase};
use crate::dialplan::{Run, RunInput};
use crate::ids::{CallId, LegId, SessionId};
use crate::queue::NoAnswer;
use crate::record::{Outcome, Party};
use crate::sdp::Direction;
use crate::sip::ua::{EndCause, Sdp};
use crate::time::Now;

/// A phone that answers and hangs up within this time has not given its agent time for a word.
const AT_ONCE: Duration = Duration::from_millis(500);

impl Engine {
    fn leg_of(&self, session: SessionId) -> Option<(CallId, LegId)> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn leg_progress(&mut self, session: SessionId, status: u16, _sdp: Option<Sdp>, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        self.outside_rings(call, leg);
        if status == 180 || status == 183 {
            let agent = self.calls.get(&call).and_then(|live| live.call.legs.get(&leg)?.agent.clone());
            if let Some(agent) = agent {
                self.acd.agent_ringing(call, &agent, now);
            }
            self.ring_back(call, now);
        }
    }

    pub(super) fn leg_answered(&mut self, session: SessionId, sdp: Option<Sdp>, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        let agreed = match sdp {
            Some(Sdp::Answer(answer)) => self.take_answer(call, leg, &answer),
            // Settled before the 200, by an early answer or an UPDATE.
            None if self.has_agreed(call, leg) => Ok(()),
            _ => Err("the 200 has no SDP".to_owned()),
        };
        match agreed {
            Ok(()) => {
                if let Some(leg) = self.live(call).and_then(|live| live.call.legs.get_mut(&leg)) {
                    leg.join(now);
                }
                self.phone_answered(call, leg, now);
            }
            Err(why) => {
                self.log(LogLevel::Warn, format!("call {call}: the phone that answered cannot be used: {why}"));
                self.drop_leg(
                    call,
                    leg,
                    &EndReason { q850: 88, ..EndReason::normal(Outcome::Failed, Party::System) },
                    now,
                );
                self.phone_failed(call, leg, NoAnswer::Unreachable, now);
            }
        }
    }

    fn has_agreed(&self, call: CallId, leg: LegId) -> bool {
        let leg = self.calls.get(&call).and_then(|live| live.call.legs.get(&leg));
        leg.is_some_and(|leg| leg.negotiator.agreed().is_some())
    }

    /// Applies the peer's answer to our offer.
    fn take_answer(&mut self, call: CallId, leg: LegId, sdp: &[u8]) -> Result<(), String> {
        let leg = self.live(call).and_then(|live| live.call.legs.get_mut(&leg)).ok_or("the leg is gone")?;
        let agreed = leg.negotiator.take_answer(sdp).map_err(|error| error.to_string())?;
        let configure = leg.configure(&agreed);
        self.media(configure);
        Ok(())
    }

    pub(super) fn leg_confirmed(&mut self, session: SessionId, sdp: Option<Sdp>, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        let Some(Sdp::Answer(answer)) = sdp else {
            // RFC 3264 §4: an offer in our 200 must be answered in the ACK.
            if !self.has_agreed(call, leg) {
                self.hang_up_leg(call, leg, Party::System, 88, now);
            }
            return;
        };
        if let Err(why) = self.take_answer(call, leg, &answer) {
            self.log(LogLevel::Warn, format!("call {call}: the answer in the ACK cannot be used: {why}"));
            self.hang_up_leg(call, leg, Party::System, 88, now);
            return;
        }
        self.wire(call, now);
    }

    pub(super) fn leg_failed(&mut self, session: SessionId, status: u16, q850: Option<u8>, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        if self.tries_elsewhere(call, leg, status, now) {
            return;
        }
        self.close_leg(call, leg, now);
        self.phone_failed(call, leg, no_answer(status, q850), now);
    }

    pub(super) fn leg_reoffered(&mut self, session: SessionId, sdp: Option<Sdp>, now: Now) {
        let Some((call, leg_id)) = self.leg_of(session) else {
            self.ua.refuse(session, 481, now.instant);
            return;
        };
        let Some(leg) = self.calls.get_mut(&call).and_then(|live| live.call.legs.get_mut(&leg_id)) else { return };
        match sdp {
            Some(Sdp::Offer(offer)) => match leg.negotiator.take_offer(&offer, Direction::BOTH) {
                Ok((answer, agreed)) => {
                    let configure = leg.configure(&agreed);
                    self.ua.answer(session, answer, now.instant);
                    self.media(configure);
                    self.wire(call, now);
                }
                Err(error) => self.ua.refuse(session, error.status(), now.instant),
            },
            _ => {
                let offer = leg.negotiator.offer(Direction::BOTH);
                self.ua.answer(session, offer, now.instant);
            }
        }
    }

    /// The distributor shows an agent who holds, or is held, as holding: also one who is put through to a caller that
    /// holds already.
    pub(super) fn track_hold(&mut self, call: CallId, now: Now) {
        let Some(live) = self.live(call) else { return };
        if matches!(live.call.phase, Phase::Talking(_)) {
            let on_hold = live.call.agent_holds();
            self.acd.hold(call, on_hold, now);
        }
    }

    pub(super) fn leg_reanswered(&mut self, session: SessionId, sdp: &Bytes, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        match self.take_answer(call, leg, sdp) {
            Ok(()) => self.wire(call, now),
            Err(why) => self.log(LogLevel::Warn, format!("call {call}: an answer cannot be used: {why}")),
        }
    }

    pub(super) fn leg_offer_refused(&mut self, session: SessionId) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        if let Some(leg) = self.live(call).and_then(|live| live.call.legs.get_mut(&leg)) {
            leg.negotiator.offer_refused();
        }
    }

    /// Keys by INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`).
    pub(super) fn leg_info(&mut self, session: SessionId, content_type: &str, body: &[u8], now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        if let Some(digit) = info_digit(content_type, body) {
            self.digit(call, leg, digit, now);
        }
    }

    /// A key pressed on a leg, however it was sent.
    pub(super) fn digit(&mut self, call: CallId, leg: LegId, digit: Digit, now: Now) {
        let is_caller = self.calls.get(&call).is_some_and(|live| live.call.caller == leg && live.call.ending.is_none());
        if is_caller {
            self.caller_digit(call, digit, now);
        } else if self.briefing_cut_short(call, leg, now) {
            // The key has done what it is for.
        } else if self.calls.get(&call).is_some_and(|live| live.call.is_agent(leg) && live.call.is_partner(leg)) {
            self.agent_key(call, leg, digit, now);
        }
    }

    pub(super) fn leg_ended(&mut self, session: SessionId, cause: &EndCause, now: Now) {
        let Some((call, leg)) = self.leg_of(session) else { return };
        let q850 = match cause {
            EndCause::Bye { q850 } => q850.unwrap_or(16),
            EndCause::Cancelled | EndCause::Local => 16,
            // Q.850: recovery on timer expiry, network out of order.
            EndCause::Timeout | EndCause::Expired => 102,
            EndCause::TransportError => 38,
        };
        let by_peer = matches!(cause, EndCause::Bye { .. } | EndCause::Cancelled);
        self.close_leg(call, leg, now);
        let Some(live) = self.live(call) else { return };
        let role = live.call.legs.get(&leg).map_or(Party::System, |leg| leg.role);
        let by = if by_peer { role } else { Party::System };
        if leg == live.call.caller {
            self.party_left(call, by, q850, now);
        } else if live.call.is_partner(leg) {
            let alone = live.call.talking().is_some_and(|talk| talk.state() == State::Talk);
            let brief = live.call.legs.get(&leg).is_some_and(|leg| leg.clock.total() < AT_ONCE);
            if by == Party::Agent && alone && brief && self.requeue(call, Lost::AtOnce, now) {
                return;
            }
            let how = if by_peer { Leave::HungUp } else { Leave::Lost };
            self.left_talk(call, leg, how, by, q850, now);
        } else {
            self.phone_failed(call, leg, NoAnswer::HungUpWhileRinging, now);
        }
    }

    /// The one who talked with the caller is gone. A talk that was ended by will is over for both; a caller whose
    /// agent was lost by a fault goes back to the place they had.
    pub(super) fn partner_left(&mut self, call: CallId, by: Party, q850: u8, by_peer: bool, now: Now) {
        if by_peer && by != Party::Supervisor && by != Party::System && self.plan_goes_on(call, now) {
            return;
        }
        if by_peer || !self.requeue(call, Lost::Phone, now) {
            self.party_left(call, by, q850, now);
        }
    }

    /// The other side has ended the talk by will: a plan that has something left for the caller takes over.
    fn plan_goes_on(&mut self, call: CallId, now: Now) -> bool {
        let Some(live) = self.live(call) else { return false };
        let Some(told) = live.run.as_ref().and_then(Run::after_talk) else { return false };
        live.call.phase = Phase::Plan;
        self.supervision_ends(call, now);
        self.acd.talk_ended(call, now);
        self.wire(call, now);
        self.run_plan(call, told, now);
        true
    }

    /// Ends a call whose caller or partner has left, with the outcome that its phase implies.
    fn party_left(&mut self, call: CallId, by: Party, q850: u8, now: Now) {
        let Some(live) = self.live(call) else { return };
        let outcome = if live.call.handled {
            Outcome::Handled
        } else if live.run.as_ref().is_some_and(|run| run.is_self_service()) && live.call.queue.is_none() {
            Outcome::SelfService
        } else if live.run.as_ref().is_some_and(Run::is_deterred) && live.call.queue.is_none() {
            Outcome::Deterred
        } else if by == Party::System || live.call.outgoing {
            // Who was rung by us abandons nothing.
            Outcome::Failed
        } else {
            Outcome::Abandoned
        };
        self.end_call(call, EndReason { outcome, by, q850, status: 487 }, now);
    }

    /// We end one leg of a call on somebody's behalf.
    pub(super) fn hang_up_leg(&mut self, call: CallId, leg: LegId, by: Party, q850: u8, now: Now) {
        let Some(live) = self.live(call) else { return };
        if live.call.legs.get(&leg).is_none_or(|leg| leg.state == LegState::Gone) {
            return;
        }
        if leg == live.call.caller {
            return self.party_left(call, by, q850, now);
        }
        let talks = live.call.is_partner(leg);
        self.drop_leg(call, leg, &EndReason { q850, ..EndReason::normal(Outcome::Handled, by) }, now);
        if talks {
            self.left_talk(call, leg, Leave::HungUp, by, q850, now);
        } else {
            self.phone_failed(call, leg, NoAnswer::HungUpWhileRinging, now);
        }
    }

    /// A leg whose far end is gone without a word is ended. A caller who loses their agent so is not.
    pub(super) fn leg_died(&mut self, leg: LegId, why: &str, now: Now) {
        let Some(call) = self.legs.get(&leg).copied() else { return };
        let Some(live) = self.live(call) else { return };
        if live.call.legs.get(&leg).is_none_or(|leg| leg.state == LegState::Gone) {
            return;
        }
        let is_partner = live.call.is_partner(leg);
        if self.is_waited_for(call, leg, now) {
            return;
        }
        self.log(LogLevel::Warn, format!("call {call}: leg {leg} is ended: {why}"));
        // Q.850: recovery on timer expiry.
        let lost = EndReason { q850: 102, ..EndReason::normal(Outcome::Failed, Party::System) };
        if is_partner {
            self.drop_leg(call, leg, &lost, now);
            self.left_talk(call, leg, Leave::Lost, lost.by, lost.q850, now);
        } else {
            self.hang_up_leg(call, leg, lost.by, lost.q850, now);
        }
    }

    /// The caller hears that it rings, where they have not been answered yet.
    fn ring_back(&mut self, call: CallId, now: Now) {
        let Some(live) = self.calls.get_mut(&call) else { return };
        if live.call.phase != Phase::Dialling || live.call.answered_at.is_some() || live.call.ringing_told {
            return;
        }
        live.call.ringing_told = true;
        if let Some(leg) = live.call.caller() {
            self.ua.progress(leg.session, 180, None, now.instant);
        }
    }

    pub(super) fn handle_media(&mut self, event: crate::bridge::MediaEvent, now: Now) {
        use crate::bridge::MediaEvent;
        match event {
            MediaEvent::Identity { fingerprint, secret } => self.identity = Some(Identity { fingerprint, secret }),
            MediaEvent::Ports(ports) => self.ports.extend(ports),
            MediaEvent::Digit { leg, digit, .. } => {
                if let Some(call) = self.legs.get(&leg).copied() {
                    self.digit(call, leg, digit, now);
                }
            }
            MediaEvent::PlayEnded { leg, play } => self.play_ended(leg, play, now),
            MediaEvent::Recording { recording, event } => self.recording_event(recording, event, now),
            MediaEvent::Dead { leg } => self.leg_died(leg, "it sends no RTP any more", now),
            MediaEvent::Lost { leg, why } => self.leg_lost(leg, why, now),
            MediaEvent::Closed { leg, stats } => {
                let Some(call) = self.legs.get(&leg).copied() else { return };
                if let Some(leg) = self.live(call).and_then(|live| live.call.legs.get_mut(&leg)) {
                    leg.rtp = Some(stats);
                }
                self.finish_if_complete(call, now);
            }
        }
    }

    fn play_ended(&mut self, leg: LegId, play: crate::ids::PlayId, now: Now) {
        let Some(call) = self.legs.get(&leg).copied() else { return };
        let Some(live) = self.calls.get_mut(&call) else { return };
        let Some(found) = live.call.legs.get_mut(&leg) else { return };
        if found.play_ended(play) {
            self.say_next(call, now);
            self.play_music(call, leg);
        } else if self.notice_ended(call, leg, play) {
            // The beep follows.
        } else if !self.briefing_ended(call, leg, play, now) && !self.question_ended(call, play, now) {
            self.run_plan(call, RunInput::PlayEnded(play), now);
        }
    }

    /// Where nothing is said over it any more, and what was heard before has not gone on: it may be other music by now.
    fn play_music(&mut self, call: CallId, leg: LegId) {
        let mut out = Vec::new();
        if let Some(leg) = self.calls.get_mut(&call).and_then(|live| live.call.legs.get_mut(&leg)) {
            leg.play_music(&mut self.next_play, &mut out);
        }
        out.into_iter().for_each(|command| self.media(command));
    }
}

/// What a refusal says about the agent (RFC 3261 §21.4, §21.6).
fn no_answer(status: u16, q850: Option<u8>) -> NoAnswer {
    match (status, q850) {
        (_, Some(17)) | (486 | 600, _) => NoAnswer::Busy,
        (408 | 480, _) => NoAnswer::Unreachable,
        (487, _) => NoAnswer::HungUpWhileRinging,
        (500..=599 | 404 | 410 | 430, _) => NoAnswer::Unreachable,
        _ => NoAnswer::Declined,
    }
}

fn info_digit(content_type: &str, body: &[u8]) -> Option<Digit> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let key = match kind.as_str() {
        "application/dtmf-relay" => {
            let signal = text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
            })?;
            signal_key(signal)?
        }
        "application/dtmf" => signal_key(text.trim())?,
        _ => return None,
    };
    Digit::new(key)
}

/// A key as itself, or as its event number: phones write `*` and `#` also as 10 and 11.
fn signal_key(signal: &str) -> Option<char> {
    match signal {
        "10" => Some('*'),
        "11" => Some('#'),
        "12" => Some('A'),
        "13" => Some('B'),
        "14" => Some('C'),
        "15" => Some('D'),
        _ => {
            let mut chars = signal.chars();
            chars.next().filter(|_| chars.next().is_none())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_by_info_are_read_in_both_forms() {
        let key = |kind: &str, body: &str| info_digit(kind, body.as_bytes()).map(Digit::key);
        assert_eq!(key("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(key("application/dtmf-relay", "Signal= #\r\nDuration= 160"), Some('#'));
        assert_eq!(key("Application/DTMF-Relay; x=y", "signal=10\n"), Some('*'));
        assert_eq!(key("application/dtmf", "7"), Some('7'));
        assert_eq!(key("application/dtmf", "77"), None);
        assert_eq!(key("text/plain", "7"), None);
        assert_eq!(info_digit("application/dtmf", &[0xff]), None);
    }
}
