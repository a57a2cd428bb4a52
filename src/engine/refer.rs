//! REFER from an agent's phone: a blind transfer, or one that joins two calls of the same agent (Replaces, RFC 3891).
//!
//! A blind one is a consultation without words: it rings at the other while the caller hears that, the agent stays until
//! somebody answers, and has the caller back when nobody does. Only agents may refer, and only to whom they could consult.

use super::calls::EndReason;
use super::consult::{Asking, Guest, Unasked};
use super::protection::Way;
use super::{Engine, LogLevel};
use crate::bridge::{Group, Latch, MediaCommand};
use crate::call::talk::{Event, Member};
use crate::call::{Leg, NewLeg, Phase};
use crate::ids::{AgentId, CallId, LegId, SessionId};
use crate::record::{Outcome, Party};
use crate::sdp::Direction;
use crate::sip::message::{Headers, Host, Request, Uri};
use crate::sip::ua::{Referral, Replaces};
use crate::sip::{Flow, Transport};
use crate::time::Now;
use crate::views::ApiError;

impl Engine {
    pub(super) fn referred(&mut self, session: SessionId, referral: &Referral, now: Now) {
        let status = match self.take_referral(session, referral, now) {
            Ok(()) => return,
            Err(why) => {
                let ApiError { status, message, .. } = why.into();
                self.log(LogLevel::Info, format!("a REFER to {} is refused: {message}", referral.to));
                status
            }
        };
        self.ua.tell_of_referral(session, status, now.instant);
    }

    fn take_referral(&mut self, session: SessionId, referral: &Referral, now: Now) -> Result<(), Unasked> {
        let (id, leg) = self.sessions.get(&session).copied().ok_or(Unasked::NoTalk)?;
        let talk = self.calls.get(&id).and_then(|live| live.call.talking()).ok_or(Unasked::NoTalk)?;
        if talk.agent() != Some(leg) {
            let message = "only the agent who steers a talk may transfer it".to_owned();
            return Err(Unasked::Cannot(403, "not_steering", message));
        }
        match &referral.replaces {
            Some(replaces) => self.join_calls(id, leg, session, replaces, now),
            None => {
                let to = self.referred_to(&referral.to)?;
                self.consult(id, &to, None, now)?;
                self.ua.take_referral(session, now.instant);
                if let Some(live) = self.live(id) {
                    live.referral = Some(session);
                    live.call.handing_blind = true;
                }
                self.wire(id, now);
                Ok(())
            }
        }
    }

    /// Somebody of ours, or a number that an agent may call.
    fn referred_to(&self, to: &Uri) -> Result<Asking, Unasked> {
        let outside =
            || Unasked::Cannot(403, "not_allowed", format!("{to} is none of ours; transfers go to our own people"));
        match to {
            Uri::Tel { number, .. } => self.asking(&format!("tel:{number}")),
            Uri::Sip(uri) => {
                let known = self.settings.experts.iter().find(|expert| expert.address == to.to_string());
                if let Some(expert) = known {
                    return Ok(Asking::Expert(expert.id.clone()));
                }
                let listens = |ip| self.settings.sip.listen.iter().any(|listen| listen.address.ip() == ip);
                let ours = match &uri.host {
                    Host::Name(name) => name.eq_ignore_ascii_case(&self.settings.sip.domain),
                    Host::Address(ip) => {
                        let port = uri.port.unwrap_or(uri.transport().unwrap_or(Transport::Udp).default_port());
                        let here = |listen: &crate::settings::Listen| listen.address.port() == port;
                        (listens(*ip) && self.settings.sip.listen.iter().any(here))
                            || self.settings.sip.public_address == Some(*ip)
                    }
                };
                let user = uri.user.as_deref().filter(|_| ours).ok_or_else(outside)?;
                self.asking(user)
            }
            Uri::Other(_) => Err(outside()),
        }
    }

    /// The agent's other call ends, and whom they talk with there is joined with the caller here.
    fn join_calls(
        &mut self,
        id: CallId,
        leg: LegId,
        session: SessionId,
        replaces: &Replaces,
        now: Now,
    ) -> Result<(), Unasked> {
        let gone = || Unasked::Cannot(481, "unknown_dialog", "the call to be replaced is over".to_owned());
        let replaced = self.ua.replaced(replaces).ok_or_else(gone)?;
        let (other, their_leg) = self.sessions.get(&replaced).copied().ok_or_else(gone)?;
        let agent =
            |id: &CallId, leg: LegId| self.calls.get(id).and_then(|live| live.call.legs.get(&leg)?.agent.clone());
        if other == id || agent(&other, their_leg).is_none() || agent(&other, their_leg) != agent(&id, leg) {
            let message = "only two calls of the same agent can be joined".to_owned();
            return Err(Unasked::Cannot(403, "not_yours", message));
        }
        let live = self.calls.get(&other).ok_or_else(gone)?;
        match &live.call.phase {
            Phase::Dialling => {
                // It still rings there: from now on for the caller.
                let to = self.asking(&live.call.to.clone())?;
                self.try_event(id, Event::Consult)?;
                self.end_call(other, EndReason::normal(Outcome::Failed, Party::Agent), now);
                self.consult(id, &to, None, now)?;
                self.ua.take_referral(session, now.instant);
                if let Some(live) = self.live(id) {
                    live.referral = Some(session);
                }
                Ok(())
            }
            Phase::Talking(talk) => {
                let others: Vec<LegId> = talk.parties().filter(|party| *party != their_leg).collect();
                let [party] = others[..] else {
                    let message = "a call of more than two cannot be joined with another".to_owned();
                    return Err(Unasked::Cannot(409, "several_parties", message));
                };
                let member = Member { leg: party, agent: live.call.is_agent(party) };
                self.try_event(id, Event::Adopt(member))?;
                self.ua.take_referral(session, now.instant);
                self.move_leg(other, id, party, now);
                self.steer(id, Event::Adopt(member), now)?;
                self.end_call(other, EndReason::normal(Outcome::Handled, Party::Agent), now);
                self.ua.tell_of_referral(session, 200, now.instant);
                self.steer(id, Event::Complete, now)
            }
            _ => Err(gone()),
        }
    }

    /// An INVITE with Replaces (RFC 3891): another phone of the agent takes the place of the one that talks. `Err` is the
    /// status to refuse with.
    pub(super) fn replace_leg(
        &mut self,
        session: SessionId,
        flow: Flow,
        request: &Request,
        replaces: &str,
        agent: &AgentId,
        now: Now,
    ) -> Result<(), u16> {
        let replaces = Replaces::parse(replaces).ok_or(400u16)?;
        let replaced = self.ua.replaced(&replaces).ok_or(481u16)?;
        let (id, old) = self.sessions.get(&replaced).copied().ok_or(481u16)?;
        let live = self.calls.get(&id).ok_or(481u16)?;
        let leg = live.call.legs.get(&old).filter(|leg| leg.is_up()).ok_or(481u16)?;
        if leg.agent.as_ref() != Some(agent) || !live.call.is_partner(old) {
            return Err(403);
        }
        if replaces.early_only {
            return Err(486);
        }
        let (role, address) = (leg.role, leg.address.clone());
        let known = self.settings.agents.iter().find(|known| known.id == *agent);
        let (codecs, srtp) = known.map(|known| (known.codecs.clone(), known.srtp)).unwrap_or_default();
        let port = self.ports.pop_front().ok_or(503u16)?;
        let leg_id = self.next_leg_id();
        let mut negotiator = self.negotiator(port, leg_id, &codecs, Way::new(flow.transport, srtp));
        let (answer, agreed) = match (request.body.is_empty(), negotiator.take_offer(&request.body, Direction::BOTH)) {
            (false, Ok(answered)) => answered,
            (empty, failed) => {
                self.ports.push_front(port);
                // A late offer would leave the talk without a voice until the ACK.
                return Err(failed.err().filter(|_| !empty).map_or(488, |error| error.status()));
            }
        };
        let latch = Latch::Address(flow.remote.ip());
        let new = NewLeg { id: leg_id, role, agent: Some(agent.clone()), address, session, port, negotiator, latch };
        let mut leg = Leg::new(new);
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        let configure = leg.configure(&agreed);
        self.media(configure);
        leg.join(now);
        self.sessions.insert(session, (id, leg_id));
        self.legs.insert(leg_id, id);
        let Some(live) = self.live(id) else { return Err(481) };
        live.call.legs.insert(leg_id, Box::new(leg));
        if let Some(talk) = live.call.talking_mut() {
            talk.substitute(old, leg_id);
        }
        live.guests.iter_mut().filter(|guest| guest.leg == old).for_each(|guest| guest.leg = leg_id);
        self.ua.accept(session, answer, Headers::default(), now.instant);
        self.drop_leg(id, old, &EndReason::normal(Outcome::Handled, Party::Agent), now);
        self.keep_keys(id, leg_id, false);
        self.unwritten.insert(id);
        self.wire(id, now);
        Ok(())
    }

    /// The leg goes over to another call. What it did in the first stays in that one's record.
    fn move_leg(&mut self, from: CallId, to: CallId, leg_id: LegId, now: Now) {
        let Some(live) = self.live(from) else { return };
        let Some(leg) = live.call.legs.get_mut(&leg_id) else { return };
        let moved = leg.move_away(now);
        let (session, address, is_agent) = (moved.session, moved.address.clone(), moved.role == Party::Agent);
        let Some(live) = self.live(to) else { return };
        live.consulted = Some(match moved.role {
            Party::Agent => format!("agent:{address}"),
            Party::Expert => format!("expert:{address}"),
            _ => format!("tel:{address}"),
        });
        live.call.consults = live.call.consults.saturating_add(1);
        live.call.legs.insert(leg_id, Box::new(moved));
        if is_agent {
            // The distributor knows their part by the call that they were dialled in.
            live.guests.push(Guest { leg: leg_id, ticket: from });
            self.tickets.insert(from, to);
        }
        self.sessions.insert(session, (to, leg_id));
        self.legs.insert(leg_id, to);
        self.media(MediaCommand::Move { leg: leg_id, group: Group::Call(to) });
        self.unwritten.extend([from, to]);
        self.changed.extend([from, to]);
    }

    /// What became of the transfer that the phone asked for.
    pub(super) fn referral_went(&mut self, id: CallId, status: u16, now: Now) {
        let Some(live) = self.live(id) else { return };
        if let Some(session) = live.referral.take() {
            self.ua.tell_of_referral(session, status, now.instant);
        }
    }
}
