//! The supervisor's ear: listens to a talk, whispers to its agent, or joins it aloud.
//!
//! A listener's microphone is closed: their leg is among nobody's sources (`call::Listener`), so none of their packets can
//! reach an ear.

use std::time::Duration;

use super::calls::EndReason;
use super::consult::Unasked;
use super::protection::Way;
use super::{Engine, LogLevel};
use crate::bridge::{MediaCommand, PlayItem};
use crate::call::{Call, Leg, Listener, NewLeg, Notice};
use crate::ids::{CallId, LegId, PlayId};
use crate::record::{Outcome, Party};
use crate::sdp::Direction;
use crate::settings::{Codec, Settings, Srtp};
use crate::sip::message::{Headers, Host, Uri};
use crate::sip::ua::Invite;
use crate::time::Now;
use crate::views::SupervisionMode;

/// Supervisors of one call.
const MOST: usize = 4;

/// The beep by which recorders are heard in the United States (FCC docket 6787): 1,400 Hz for a fifth of a second.
const BEEP_HZ: u16 = 1_400;
const BEEP: Duration = Duration::from_millis(200);

/// What those who talk are told while a supervisor is on the line: as the queue says, else the centre.
pub(super) fn notice(settings: &Settings, call: &Call) -> Notice {
    let queue = call.queue.as_ref().and_then(|id| settings.queues.iter().find(|queue| queue.id == *id));
    let terms = queue.and_then(|queue| queue.supervision.as_ref()).unwrap_or(&settings.supervision);
    let off = terms.beep_every.saturating_sub(BEEP);
    let beep = PlayItem::Tone { frequencies_hz: [BEEP_HZ, 0], on: BEEP, off };
    Notice {
        announcement: terms.announcement.as_ref().map(|prompt| PlayItem::prompt(prompt, &call.language)),
        beep: Some(beep).filter(|_| !terms.beep_every.is_zero()),
    }
}

impl Engine {
    /// Rings the supervisor's phone; where it is on the call already, only the mode changes.
    pub(super) fn supervise(
        &mut self,
        id: CallId,
        mode: SupervisionMode,
        phone: &str,
        now: Now,
    ) -> Result<LegId, Unasked> {
        let live = self.live(id).ok_or(Unasked::NoTalk)?;
        if live.call.talking().is_none() {
            return Err(Unasked::NoTalk);
        }
        let known = |leg: &Leg| leg.role == Party::Supervisor && leg.address == phone;
        let there = live
            .call
            .listeners
            .iter_mut()
            .find(|listener| live.call.legs.get(&listener.leg).is_some_and(|leg| known(leg)));
        if let Some(listener) = there {
            let leg = listener.leg;
            listener.mode = mode;
            self.wire(id, now);
            return Ok(leg);
        }
        if live.call.listeners.len() >= MOST {
            let message = format!("{MOST} supervisors are on this call already, the most there may be");
            return Err(Unasked::Cannot(409, "full", message));
        }
        let leg = self.ring_supervisor(id, phone, now)?;
        if let Some(live) = self.live(id) {
            live.call.listeners.push(Listener { leg, mode });
        }
        self.changed.insert(id);
        Ok(leg)
    }

    fn ring_supervisor(&mut self, id: CallId, phone: &str, now: Now) -> Result<LegId, Unasked> {
        let target = self.supervisors_phone(phone)?;
        let Some(port) = self.ports.pop_front() else {
            return Err(Unasked::Cannot(503, "no_port", "no RTP port is free; widen rtp.ports".to_owned()));
        };
        let caller = self.calls.get(&id).map(|live| live.call.from.clone()).unwrap_or_default();
        let (leg_id, session) = {
            let leg_id = self.next_leg_id();
            let mut negotiator = self.negotiator(
                port,
                leg_id,
                &[Codec::G722, Codec::Pcma, Codec::Pcmu],
                Way::new(target.to.transport(), Srtp::ByTransport),
            );
            let mut headers = Headers::default();
            headers.push("X-Relais-Contact", id.to_string());
            let invite = Invite {
                to: target.to,
                to_header: crate::sip::message::NameAddr::new(target.uri.clone()),
                request_uri: target.uri,
                from: self.caller_identity(&caller),
                headers,
                sdp: Some(negotiator.offer(Direction::BOTH)),
                credentials: None,
                max_forwards: 70,
                first_word_within: None,
            };
            let session = self.ua.invite(invite, now.instant);
            let latch = super::agents::latch_of(&target.to);
            let new = NewLeg {
                id: leg_id,
                role: Party::Supervisor,
                agent: None,
                address: phone.to_owned(),
                session,
                port,
                negotiator,
                latch,
            };
            self.live(id).ok_or(Unasked::NoTalk)?.call.legs.insert(leg_id, Box::new(Leg::new(new)));
            (leg_id, session)
        };
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        self.sessions.insert(session, (id, leg_id));
        self.legs.insert(leg_id, id);
        Ok(leg_id)
    }

    /// A phone that is registered here, or stands in the network of a trunk or at an agent's fixed address.
    fn supervisors_phone(&self, phone: &str) -> Result<super::agents::Phone, Unasked> {
        let invalid = |message: String| Unasked::Cannot(422, "invalid_phone", message);
        let uri: Uri = phone.parse().map_err(|_| {
            invalid(format!("'{phone}' is no SIP address; write it as sip:201@{}", self.settings.sip.domain))
        })?;
        let Uri::Sip(sip) = &uri else { return Err(invalid("'leg' must begin with sip:".to_owned())) };
        match &sip.host {
            Host::Name(name) if name.eq_ignore_ascii_case(&self.settings.sip.domain) => {
                let user = sip.user.clone().unwrap_or_default();
                let registered = self.phones(&user.as_str().into()).into_iter().next();
                registered
                    .ok_or_else(|| Unasked::Cannot(409, "unreachable", format!("no phone is registered as {user}")))
            }
            Host::Name(name) => {
                Err(invalid(format!("'{name}' cannot be looked up for a supervisor; give an IP address")))
            }
            Host::Address(ip) => {
                let of_trunk =
                    self.settings.trunks.iter().flat_map(|trunk| &trunk.addresses).any(|net| net.contains(ip));
                let fixed = self
                    .settings
                    .agents
                    .iter()
                    .filter_map(|agent| agent.contact.as_deref())
                    .any(|contact| contact == phone);
                match super::agents::fixed_phone(phone) {
                    Some(target) if of_trunk || fixed => Ok(target),
                    _ => {
                        let message = format!(
                            "{ip} is no address of ours: a supervisor's phone must be registered here or stand in a trunk's network"
                        );
                        Err(Unasked::Cannot(403, "not_allowed", message))
                    }
                }
            }
        }
    }

    /// The supervisor's phone was picked up; `false` where the leg is none of these.
    pub(super) fn supervisor_answered(&mut self, id: CallId, leg: LegId, now: Now) -> bool {
        let listens = self.calls.get(&id).is_some_and(|live| live.call.listens(leg));
        if listens {
            self.unwritten.insert(id);
            self.wire(id, now);
        }
        listens
    }

    /// A supervisor's leg is gone, or could not be reached: nobody else notices. `false` where it was none of these.
    pub(super) fn supervisor_gone(&mut self, id: CallId, leg: LegId, now: Now) -> bool {
        let Some(live) = self.live(id) else { return false };
        if !live.call.listens(leg) {
            return false;
        }
        live.call.listeners.retain(|listener| listener.leg != leg);
        self.log(LogLevel::Info, format!("call {id}: the supervisor on leg {leg} is gone"));
        self.unwritten.insert(id);
        self.wire(id, now);
        true
    }

    /// The announcement has been said; `false` where the play was another.
    pub(super) fn notice_ended(&mut self, id: CallId, leg: LegId, play: PlayId) -> bool {
        let Some(live) = self.calls.get_mut(&id) else { return false };
        let notice = notice(&self.settings, &live.call);
        let mut out = Vec::new();
        let found = live.call.legs.get_mut(&leg);
        let ended = found.is_some_and(|leg| leg.notice_ended(play, &notice, &mut self.next_play, &mut out));
        out.into_iter().for_each(|command| self.media(command));
        ended
    }

    /// The talk is over and the call goes on: there is nothing to listen to.
    pub(super) fn supervision_ends(&mut self, id: CallId, now: Now) {
        let Some(live) = self.live(id) else { return };
        for listener in std::mem::take(&mut live.call.listeners) {
            self.drop_leg(id, listener.leg, &EndReason::normal(Outcome::Handled, Party::System), now);
        }
    }
}
