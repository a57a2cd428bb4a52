//! Their offers inside a dialog: re-INVITE (RFC 3261 §14.2), UPDATE (RFC 3311 §5.2), offers in PRACK (RFC 3262 §5).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::{self, Body};
use super::context::{Context, ServerUse};
use super::session::{Session, Stage, write_timer};
use super::{EndCause, Event, Sdp};
use crate::sip::message::{Headers, Request, StatusCode};
use crate::sip::session_timer::{SessionExpires, Terms};
use crate::sip::transaction::TransactionId;
use crate::sip::{Destination, Flow};
use crate::time::Instant;

/// A re-INVITE, UPDATE or PRACK of theirs that waits for our answer.
#[derive(Serialize, Deserialize)]
pub(super) struct Theirs {
    pub transaction: TransactionId,
    pub request: Request,
    pub flow: Flow,
    pub kind: Kind,
    /// It carries their offer; else it asks for ours.
    pub offers: bool,
    pub timer: Option<(Terms, Option<SessionExpires>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Invite,
    Update,
    Prack,
}

impl Session {
    /// A re-INVITE of the peer.
    pub fn on_reinvite(&mut self, cx: &mut Context, request: Request, flow: Flow, now: Instant) {
        let to = Destination::Flow(flow);
        let id = cx.transactions.serve(&request, to, ServerUse::Reinvite(self.id), now);
        if let Some(status) = self.refuses_reinvite() {
            self.respond_busy(cx, &request, id, status, now);
            return;
        }
        let Some(offer) = self.read_body(cx, &request, id, now) else { return };
        let Some(timer) = self.read_timer(cx, &request, id, now) else { return };
        self.take_as_acknowledged(cx);
        self.peer.learn(&request.headers);
        cx.respond(id, request.response(StatusCode::Trying, None), now);
        let sdp = offer.map(Sdp::Offer);
        let offers = sdp.is_some();
        let theirs = Theirs { transaction: id, request, flow, kind: Kind::Invite, offers, timer: Some(timer) };
        self.theirs = Some(Box::new(theirs));
        cx.tell(Event::Reoffered { session: self.id, sdp });
    }

    /// §14.2: "A UAS that receives a second INVITE before it sends the final response to a first INVITE with a lower CSeq
    /// sequence number on the same dialog MUST return a 500 (Server Internal Error) response to the second INVITE and
    /// MUST include a Retry-After header field with a randomly chosen value of between 0 and 10 seconds. A UAS that
    /// receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST return a 491."
    fn refuses_reinvite(&self) -> Option<u16> {
        let awaits_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.offers);
        match &self.stage {
            Stage::Ringing(_) => Some(500),
            Stage::Calling(_) => Some(491),
            _ if self.theirs.is_some() => Some(500),
            _ if self.ours.is_some() || self.late.is_some() || awaits_answer => Some(491),
            _ => None,
        }
    }

    /// An UPDATE of the peer, at the point of an early dialog or later.
    pub fn on_update(&mut self, cx: &mut Context, request: Request, flow: Flow, now: Instant) {
        let id = cx.transactions.serve(&request, Destination::Flow(flow), ServerUse::Other, now);
        let Some(offer) = self.read_body(cx, &request, id, now) else { return };
        if let Some(status) = self.refuses_update(offer.is_some(), request.core.from.tag()) {
            self.respond_busy(cx, &request, id, status, now);
            return;
        }
        let Some(timer) = self.read_timer(cx, &request, id, now) else { return };
        self.peer.learn(&request.headers);
        let theirs = Theirs { transaction: id, request, flow, kind: Kind::Update, offers: true, timer: Some(timer) };
        match offer {
            Some(sdp) => {
                self.theirs = Some(Box::new(theirs));
                cx.tell(Event::Reoffered { session: self.id, sdp: Some(Sdp::Offer(sdp)) });
            }
            None => self.agree(cx, theirs, None, now),
        }
    }

    /// RFC 3311 §5.2: "If an UPDATE is received that contains an offer, and the UAS has generated an offer (in an UPDATE,
    /// PRACK or INVITE) to which it has not yet received an answer, the UAS MUST reject the UPDATE with a 491 response. […]
    /// and the UAS has received an offer (in an UPDATE, PRACK, or INVITE) to which it has not yet generated an answer, the
    /// UAS MUST reject the UPDATE with a 500 response, and MUST include a Retry-After." And: "A UAS that receives an
    /// UPDATE before it has generated a final response to a previous UPDATE on the same dialog MUST return a 500."
    fn refuses_update(&mut self, offers: bool, tag: Option<&str>) -> Option<u16> {
        if self.theirs.as_ref().is_some_and(|theirs| offers || theirs.kind == Kind::Update) {
            return Some(500);
        }
        if !offers {
            return None;
        }
        let awaits_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.offers);
        let we_offer = self.ours.as_ref().is_some_and(|ours| ours.offer.is_some());
        let early_unsettled = match &mut self.stage {
            Stage::Calling(calling) => !calling.early(tag).is_some_and(|early| early.settled),
            Stage::Ringing(_) | Stage::Up | Stage::Down => false,
        };
        match &self.stage {
            _ if we_offer || awaits_answer => Some(491),
            _ if self.late.is_some() => Some(500),
            _ if early_unsettled => Some(491),
            Stage::Ringing(ringing) if !ringing.settled => Some(500),
            _ => None,
        }
    }

    /// The offer in a request; `None` when it has been refused with 415.
    fn read_body(&self, cx: &mut Context, request: &Request, id: TransactionId, now: Instant) -> Option<Option<Bytes>> {
        match body::of(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(Some(sdp)),
            Body::None => Some(None),
            Body::Unsupported => {
                self.respond_plain(cx, request, id, StatusCode::UnsupportedMediaType, now);
                None
            }
        }
    }

    /// The session timer of a request; `None` when it has been refused with 422.
    fn read_timer(
        &self,
        cx: &mut Context,
        request: &Request,
        id: TransactionId,
        now: Instant,
    ) -> Option<(Terms, Option<SessionExpires>)> {
        match self.agree_timer(cx, &request.headers) {
            Ok(timer) => Some(timer),
            Err(min_se) => {
                let mut response = request.response(StatusCode::SessionIntervalTooSmall, Some(&self.tag));
                response.headers.push("Min-SE", min_se.as_secs().to_string());
                cx.respond(id, response, now);
                None
            }
        }
    }

    pub fn respond_busy(&self, cx: &mut Context, request: &Request, id: TransactionId, status: u16, now: Instant) {
        let mut response = request.response(StatusCode::from(status), Some(&self.tag));
        if status == 500 {
            let delay = cx.random_delay(Duration::from_secs(10), Duration::from_secs(1));
            response.headers.push("Retry-After", delay.as_secs().to_string());
        }
        cx.respond(id, response, now);
    }

    /// The engine's answer to `Reoffered`, or to an offer in a response to our INVITE.
    pub fn answer(&mut self, cx: &mut Context, sdp: Bytes, now: Instant) {
        if self.over {
            return;
        }
        if let Some(late) = self.late.take() {
            self.local_sdp = Some(sdp.clone());
            self.acknowledge(cx, late, Some(sdp));
            self.next_offer(cx, now);
        } else if let Some(theirs) = self.theirs.take() {
            self.agree(cx, *theirs, Some(sdp), now);
        } else if let Stage::Calling(calling) = &mut self.stage
            && let Some((at, rseq)) = calling.take_offer()
        {
            self.local_sdp = Some(sdp.clone());
            self.prack(cx, at, rseq, Some(sdp), now);
        }
    }

    /// 200 to their re-INVITE, UPDATE or PRACK.
    fn agree(&mut self, cx: &mut Context, theirs: Theirs, sdp: Option<Bytes>, now: Instant) {
        let Theirs { transaction, request, flow, kind, offers, timer } = theirs;
        let mut response = self.dialog_response(cx, &request, flow, StatusCode::OK);
        if kind != Kind::Prack
            && let Some(dialog) = self.dialog_with(request.core.from.tag())
        {
            dialog.refresh_target(&request.headers);
        }
        if let (Some(timer), Stage::Up) = (timer, &self.stage) {
            write_timer(&mut response.headers, timer.1);
            self.start_timer(cx, timer.0, now);
        }
        if let Some(sdp) = sdp {
            response.headers.set("Content-Type", "application/sdp");
            response.body = sdp.clone();
            self.local_sdp = Some(sdp);
            if let Body::Sdp(offer) = body::of(&request.headers, &request.body) {
                self.remote_sdp = Some(offer);
            }
            self.early_exchange_done(request.core.from.tag());
        }
        match kind {
            Kind::Invite => {
                self.send_2xx(cx, transaction, response, (Destination::Flow(flow), false, !offers), now);
            }
            Kind::Update | Kind::Prack => {
                cx.respond(transaction, response, now);
            }
        }
        self.next_offer(cx, now);
        self.ring_on(cx, now);
    }

    /// The engine refuses `Reoffered`; the session goes on as it was. An offer in a 2xx cannot be refused but by ending
    /// the session.
    pub fn refuse(&mut self, cx: &mut Context, status: u16, now: Instant) {
        if self.over {
            return;
        }
        if self.late.is_some() {
            self.hang_up(cx, Headers::default(), EndCause::Local, now);
            return;
        }
        self.refuse_theirs(cx, StatusCode::from(status.clamp(400, 699)), now);
        self.next_offer(cx, now);
        self.ring_on(cx, now);
    }

    pub fn refuse_theirs(&mut self, cx: &mut Context, status: StatusCode, now: Instant) {
        if let Some(theirs) = self.theirs.take() {
            cx.respond(theirs.transaction, theirs.request.response(status, Some(&self.tag)), now);
        }
    }

    /// Their CANCEL of a re-INVITE (§9.2).
    pub fn on_reinvite_cancelled(&mut self, cx: &mut Context, now: Instant) {
        if self.theirs.as_ref().is_some_and(|theirs| theirs.kind == Kind::Invite) {
            self.refuse_theirs(cx, StatusCode::from(487), now);
            self.next_offer(cx, now);
        }
    }
}
