//! Their INVITE until we answer it: provisional responses, reliable ones among them (RFC 3262), the answer, the refusal.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::{self, Body};
use super::context::{Context, Wake};

use super::session::{Session, Stage, write_timer};
use super::theirs::{Kind, Theirs};
use super::{EndCause, Event, Sdp};
use crate::ids::SessionId;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Headers, Request, Response, StatusCode};
use crate::sip::session_timer::{SessionExpires, Terms};
use crate::sip::transaction::TransactionId;
use crate::sip::{Destination, Flow};
use crate::time::Instant;

/// RFC 3261 §13.3.1.1: "the UAS MUST send a non-100 provisional response at every minute".
const KEEP_RINGING: Duration = Duration::from_secs(60);
/// Provisional responses that may wait behind an unacknowledged one.
const MAX_WAITING: usize = 4;

#[derive(Serialize, Deserialize)]
pub(super) struct Ringing {
    pub transaction: TransactionId,
    pub request: Request,
    flow: Flow,
    /// The INVITE carries their offer.
    offered: bool,
    /// It requires reliable provisional responses.
    requires_reliable: bool,
    /// The last RSeq used; none yet when zero.
    rseq: u32,
    /// The reliable response that waits for its PRACK: RFC 3262 §3 "The UAS MUST NOT send a second reliable provisional
    /// response until the first is acknowledged."
    outstanding: Option<Outstanding>,
    waiting: VecDeque<(u16, Option<Bytes>)>,
    /// The last provisional response that was not reliable.
    last: Option<Bytes>,
    /// Offer and answer were exchanged reliably.
    pub settled: bool,
    /// The 200 that has to wait, with its SDP and headers.
    accepted: Option<(Bytes, Headers)>,
    timer: (Terms, Option<SessionExpires>),
}

#[derive(Serialize, Deserialize)]
struct Outstanding {
    rseq: u32,
    bytes: Bytes,
    interval: Duration,
    carries: Carries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Carries {
    Nothing,
    Offer,
    Answer,
}

impl Ringing {
    /// RFC 3311 §5.1: an UPDATE of ours may go out once the INVITE's offer is answered reliably.
    pub fn may_update(&self) -> bool {
        self.settled && self.outstanding.is_none() && self.accepted.is_none()
    }
}

impl Session {
    /// A new session from an INVITE that has passed all checks.
    pub fn ring(
        id: SessionId,
        tag: String,
        invite: (TransactionId, Request, Flow),
        timer: (Terms, Option<SessionExpires>),
        cx: &mut Context,
        now: Instant,
    ) -> Self {
        let (transaction, request, flow) = invite;
        let mut local = request.core.to.clone();
        local.set_tag(&tag);
        let dialog = Dialog::from_request(&request, local, flow);
        let sdp = match body::of(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Unsupported => None,
        };
        let ringing = Ringing {
            transaction,
            flow,
            offered: sdp.is_some(),
            requires_reliable: request.headers.lists("Require", "100rel"),
            request,
            rseq: 0,
            outstanding: None,
            waiting: VecDeque::new(),
            last: None,
            settled: false,
            accepted: None,
            timer,
        };
        let mut session = Session::new(id, tag, Stage::Down, cx);
        session.peer.learn(&ringing.request.headers);
        session.dialog = Some(dialog);
        session.remote_sdp = sdp;
        cx.unanswered.push((id, now));
        // RFC 3261 §13.3.1: "If the request is an INVITE that contains an Expires header field, the UAS core sets a timer
        // for the number of seconds indicated in the header field value."
        if let Some(seconds) = ringing.request.headers.get("Expires").and_then(|value| value.trim().parse::<u32>().ok())
        {
            cx.wake(id, Wake::InvitationExpired, now + Duration::from_secs(seconds.into()));
        }
        session.stage = Stage::Ringing(Box::new(ringing));
        session
    }

    /// RFC 3261 §17.2.1: a 100 is for a caller who has not heard anything by now.
    pub fn say_trying(&self, cx: &mut Context, now: Instant) {
        if let Stage::Ringing(ringing) = &self.stage
            && cx.transactions.is_silent(ringing.transaction)
        {
            cx.respond(ringing.transaction, ringing.request.response(StatusCode::Trying, None), now);
        }
    }

    /// 101–199, reliably where the peer requires it, or supports it and there is SDP to carry.
    pub fn progress(&mut self, cx: &mut Context, status: u16, sdp: Option<Bytes>, now: Instant) {
        let supports = self.peer.reliable;
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        if !(101..=199).contains(&status) || ringing.accepted.is_some() {
            return;
        }
        if !ringing.requires_reliable && (!supports || sdp.is_none()) {
            // Without their offer an unreliable response carries no SDP of ours (RFC 3261 §13.2.1).
            let sdp = sdp.filter(|_| ringing.offered && !ringing.settled);
            let bytes = self.send_provisional(cx, status, sdp, None, now);
            if let Stage::Ringing(ringing) = &mut self.stage {
                ringing.last = Some(bytes);
            }
            cx.wake(self.id, Wake::KeepRinging, now + KEEP_RINGING);
        } else if ringing.outstanding.is_none() {
            self.send_reliable(cx, status, sdp, now);
        } else if ringing.waiting.len() < MAX_WAITING {
            ringing.waiting.push_back((status, sdp));
        }
    }

    fn send_provisional(
        &mut self,
        cx: &mut Context,
        status: u16,
        sdp: Option<Bytes>,
        rseq: Option<u32>,
        now: Instant,
    ) -> Bytes {
        let Stage::Ringing(ringing) = &self.stage else { return Bytes::new() };
        let transaction = ringing.transaction;
        let mut response = self.dialog_response(cx, &ringing.request, ringing.flow, StatusCode::from(status));
        if let Some(rseq) = rseq {
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", rseq.to_string());
        }
        if let Some(sdp) = sdp {
            response.headers.set("Content-Type", "application/sdp");
            response.body = sdp.clone();
            self.local_sdp = Some(sdp);
        }
        cx.respond(transaction, response, now)
    }

    /// RFC 3262 §3.
    fn send_reliable(&mut self, cx: &mut Context, status: u16, sdp: Option<Bytes>, now: Instant) {
        let first = cx.random_rseq();
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        ringing.rseq = if ringing.rseq == 0 { first } else { ringing.rseq.saturating_add(1) };
        let rseq = ringing.rseq;
        let sdp = sdp.filter(|_| !ringing.settled);
        let carries = match (&sdp, ringing.offered) {
            (None, _) => Carries::Nothing,
            (Some(_), true) => Carries::Answer,
            (Some(_), false) => Carries::Offer,
        };
        let bytes = self.send_provisional(cx, status, sdp, Some(rseq), now);
        let interval = cx.settings.t1;
        if let Stage::Ringing(ringing) = &mut self.stage {
            ringing.outstanding = Some(Outstanding { rseq, bytes, interval, carries });
        }
        // "The reliable provisional response is passed to the transaction layer periodically with an interval that starts
        // at T1 seconds and doubles for each retransmission […] If a reliable provisional response is retransmitted for
        // 64*T1 seconds without reception of a corresponding PRACK, the UAS SHOULD reject the original request with a 5xx."
        cx.wake(self.id, Wake::RepeatProvisional, now + interval);
        cx.wake(self.id, Wake::Unpracked, now + cx.patience());
    }

    pub fn repeat_provisional(&mut self, cx: &mut Context, now: Instant) {
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        let Some(outstanding) = &mut ringing.outstanding else { return };
        cx.transactions.send(Destination::Flow(ringing.flow), outstanding.bytes.clone());
        outstanding.interval = outstanding.interval.saturating_mul(2);
        cx.wake(self.id, Wake::RepeatProvisional, now + outstanding.interval);
    }

    /// Proxies between give up an INVITE that is silent for three minutes.
    pub fn keep_ringing(&mut self, cx: &mut Context, now: Instant) {
        let Stage::Ringing(ringing) = &self.stage else { return };
        let Some(last) = ringing.last.clone() else { return };
        cx.transactions.send(Destination::Flow(ringing.flow), last);
        cx.wake(self.id, Wake::KeepRinging, now + KEEP_RINGING);
    }

    pub fn on_unpracked(&mut self, cx: &mut Context, now: Instant) {
        self.refuse_invitation(cx, StatusCode::from(504), None, Headers::default(), now);
        self.end(cx, EndCause::Timeout, now);
    }

    /// A PRACK. RFC 3262 §3: "If the PRACK does not match any unacknowledged reliable provisional response, the UAS MUST
    /// respond to the PRACK with a 481 response. If the PRACK does match […], it MUST be responded to with a 2xx."
    pub fn on_prack(&mut self, cx: &mut Context, request: Request, flow: Flow, id: TransactionId, now: Instant) {
        let offered = match body::of(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None => None,
            Body::Unsupported => {
                self.respond_plain(cx, &request, id, StatusCode::UnsupportedMediaType, now);
                return;
            }
        };
        let Some(carried) = self.take_rack(&request) else {
            let status = if self.is_late_prack(&request) { StatusCode::OK } else { StatusCode::from(481) };
            self.respond_plain(cx, &request, id, status, now);
            return;
        };
        cx.forget(self.id, Wake::RepeatProvisional);
        cx.forget(self.id, Wake::Unpracked);
        let session = self.id;
        match (carried, offered) {
            (Carries::Offer, answer) => {
                self.respond_plain(cx, &request, id, StatusCode::OK, now);
                self.settle();
                if let Some(sdp) = answer {
                    self.remote_sdp = Some(sdp.clone());
                    cx.tell(Event::Reanswered { session, sdp });
                }
            }
            (Carries::Answer, None) => {
                self.respond_plain(cx, &request, id, StatusCode::OK, now);
                self.settle();
            }
            (Carries::Nothing, None) => {
                self.respond_plain(cx, &request, id, StatusCode::OK, now);
            }
            // "If the UAC receives a reliable provisional response with an answer, it MAY generate an additional offer in
            // the PRACK. If the UAS receives a PRACK with an offer, it MUST place the answer in the 2xx to the PRACK."
            (Carries::Answer | Carries::Nothing, Some(_)) if self.theirs.is_some() => {
                if carried == Carries::Answer {
                    self.settle();
                }
                self.respond_busy(cx, &request, id, 500, now);
            }
            (Carries::Answer | Carries::Nothing, Some(sdp)) => {
                if carried == Carries::Answer {
                    self.settle();
                }
                let theirs = Theirs { transaction: id, request, flow, kind: Kind::Prack, offers: true, timer: None };
                self.theirs = Some(Box::new(theirs));
                cx.tell(Event::Reoffered { session, sdp: Some(Sdp::Offer(sdp)) });
            }
        }
        self.ring_on(cx, now);
    }

    fn settle(&mut self) {
        if let Stage::Ringing(ringing) = &mut self.stage {
            ringing.settled = true;
        }
    }

    /// RFC 3262 §7.2: `RAck: 776656 1 INVITE`. What the acknowledged response carried.
    fn take_rack(&mut self, request: &Request) -> Option<Carries> {
        let (rseq, cseq) = rack(request)?;
        let Stage::Ringing(ringing) = &mut self.stage else { return None };
        let matches = ringing.request.core.cseq.number == cseq
            && ringing.outstanding.as_ref().is_some_and(|outstanding| outstanding.rseq == rseq);
        if !matches {
            return None;
        }
        self.last_rseq = Some(rseq);
        ringing.outstanding.take().map(|outstanding| outstanding.carries)
    }

    /// The PRACK of a response that our final one overtook.
    fn is_late_prack(&self, request: &Request) -> bool {
        !matches!(self.stage, Stage::Ringing(_)) && rack(request).is_some_and(|(rseq, _)| self.last_rseq == Some(rseq))
    }

    /// Sends what waited for a PRACK or for the end of an early exchange.
    pub fn ring_on(&mut self, cx: &mut Context, now: Instant) {
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        if ringing.outstanding.is_some() || self.theirs.is_some() {
            return;
        }
        if let Some((sdp, headers)) = ringing.accepted.take() {
            self.accept(cx, sdp, headers, now);
        } else if let Some((status, sdp)) = ringing.waiting.pop_front() {
            self.progress(cx, status, sdp, now);
        } else {
            self.next_offer(cx, now);
        }
    }

    /// 200 with the answer, or with our offer when the INVITE had none.
    pub fn accept(&mut self, cx: &mut Context, sdp: Bytes, headers: Headers, now: Instant) {
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        // RFC 3262 §3: not a "2xx [while] any of the unacknowledged reliable provisional responses contained a session
        // description. In that case, it MUST NOT send a final response until those […] are acknowledged."
        let carries = ringing.outstanding.as_ref().is_some_and(|outstanding| outstanding.carries != Carries::Nothing);
        if carries || self.theirs.is_some() {
            ringing.waiting.clear();
            ringing.accepted = Some((sdp, headers));
            return;
        }
        let Stage::Ringing(ringing) = std::mem::replace(&mut self.stage, Stage::Up) else { return };
        self.stop_provisional(cx, ringing.outstanding.as_ref().map(|outstanding| outstanding.rseq));
        let mut response = self.dialog_response(cx, &ringing.request, ringing.flow, StatusCode::OK);
        response.headers.extend(headers);
        write_timer(&mut response.headers, ringing.timer.1);
        if !ringing.settled {
            response.headers.set("Content-Type", "application/sdp");
            response.body = sdp.clone();
            self.local_sdp = Some(sdp);
        }
        let offers = !ringing.offered && !ringing.settled;
        let to = Destination::Flow(ringing.flow);
        self.send_2xx(cx, ringing.transaction, response, (to, true, offers), now);
        self.start_timer(cx, ringing.timer.0, now);
    }

    /// 3xx–6xx to their INVITE.
    pub fn refuse_invitation(
        &mut self,
        cx: &mut Context,
        status: StatusCode,
        reason: Option<&str>,
        headers: Headers,
        now: Instant,
    ) {
        if !matches!(self.stage, Stage::Ringing(_)) {
            return;
        }
        let Stage::Ringing(ringing) = std::mem::replace(&mut self.stage, Stage::Down) else { return };
        self.stop_provisional(cx, ringing.outstanding.as_ref().map(|outstanding| outstanding.rseq));
        let mut response = ringing.request.response(status, Some(&self.tag));
        if let Some(reason) = reason {
            response.reason = reason.to_owned();
        }
        response.headers.extend(headers);
        cx.respond(ringing.transaction, response, now);
    }

    fn stop_provisional(&mut self, cx: &mut Context, outstanding: Option<u32>) {
        for wake in [Wake::RepeatProvisional, Wake::Unpracked, Wake::KeepRinging, Wake::InvitationExpired] {
            cx.forget(self.id, wake);
        }
        self.last_rseq = outstanding.or(self.last_rseq);
    }

    /// A response that makes or refreshes the dialog. §12.1.1: "the UAS MUST copy all Record-Route header field values
    /// from the request into the response […] The UAS MUST add a Contact header field to the response."
    pub fn dialog_response(&self, cx: &Context, request: &Request, flow: Flow, status: StatusCode) -> Response {
        let mut response = request.response(status, Some(&self.tag));
        self.describe_us(cx, &mut response.headers, Destination::Flow(flow), self.local_user());
        response
    }

    /// A response that says nothing but its status.
    pub fn respond_plain(
        &self,
        cx: &mut Context,
        request: &Request,
        id: TransactionId,
        status: StatusCode,
        now: Instant,
    ) {
        let mut response = request.response(status.clone(), Some(&self.tag));
        if status.code() == 415 {
            response.headers.push("Accept", super::context::ACCEPT);
        }
        cx.respond(id, response, now);
    }
}

fn rack(request: &Request) -> Option<(u32, u32)> {
    let mut words = request.headers.get("RAck")?.split_whitespace();
    let rseq = words.next()?.parse().ok()?;
    let cseq = words.next()?.parse().ok()?;
    words.next()?.eq_ignore_ascii_case("INVITE").then_some((rseq, cseq))
}
