//! One session: an INVITE, the dialog it makes, what is exchanged in it, and its end.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::calling::Calling;
use super::context::{ALLOW, ClientUse, Context, Purpose, SUPPORTED, Wake, user_of};
use super::ours::Ours;
use super::refer::Referred;
use super::ringing::Ringing;
use super::theirs::Theirs;
use super::{EndCause, Event, Sdp};
use crate::ids::SessionId;
use crate::settings::Credentials;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Headers, Method, Request, Response, StatusCode, Uri};
use crate::sip::session_timer::{self, Terms};
use crate::sip::transaction::TransactionId;
use crate::sip::{Destination, Flow};
use crate::time::Instant;

/// ACKs kept for repeated 2xx of one INVITE: as many as there may be forks.
const MAX_ACKS: usize = 32;

#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    pub id: SessionId,
    /// Our tag, the key by which requests find the session.
    pub tag: String,
    /// We sent the INVITE, so the Call-ID is ours (RFC 3261 §14.1).
    pub we_called: bool,
    pub stage: Stage,
    /// `Failed` or `Ended` has been told; what follows is tidying up.
    pub over: bool,
    /// The dialog that counts; while we call and are not answered the early ones are in `Calling`.
    pub dialog: Option<Dialog>,
    pub peer: Peer,
    /// What we and the peer last described.
    pub local_sdp: Option<Bytes>,
    pub remote_sdp: Option<Bytes>,
    /// Our re-INVITE or UPDATE that waits for its final response.
    pub ours: Option<Ours>,
    /// Their re-INVITE, UPDATE or PRACK that waits for our answer.
    pub theirs: Option<Box<Theirs>>,
    /// Their REFER that is under way.
    pub referred: Option<Box<Referred>>,
    /// An offer that waits for its turn.
    pub queued: Option<Bytes>,
    /// How often a 491 or a 500 with Retry-After put the present offer back.
    pub put_back: u8,
    /// Our 2xx that waits for its ACK.
    pub unacked: Option<Unacked>,
    /// Their 2xx with an offer, to be acknowledged with our answer.
    pub late: Option<Late>,
    sent_acks: Vec<SentAck>,
    /// §15: a BYE that may not be sent before the ACK to our 2xx.
    bye_after_ack: Option<Headers>,
    /// RFC 4028, once agreed.
    pub terms: Option<Terms>,
    /// The interval to ask for: the peer's 422 may have raised it.
    pub session_expires: Duration,
    /// The Min-SE that a 422 told us.
    pub min_se: Option<Duration>,
    pub credentials: Option<Credentials>,
    /// What we proved ourselves with in the last INVITE; §22.1: the ACK carries the same.
    pub proof: Headers,
    /// Challenges answered in a row.
    pub challenges: u8,
    /// The last RSeq we sent, for the PRACK that comes after our final response.
    pub last_rseq: Option<u32>,
    /// Client transactions that are alive.
    pub clients: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Stage {
    /// Our INVITE is unanswered.
    Calling(Box<Calling>),
    /// Their INVITE is unanswered.
    Ringing(Box<Ringing>),
    /// There was a 2xx.
    Up,
    /// Nothing but repetitions.
    Down,
}

/// What the peer said it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Peer {
    pub update: bool,
    pub timer: bool,
    pub reliable: bool,
    /// It answers a call that rings when it is told so by NOTIFY (event package `talk` of BroadWorks, which desk phones know).
    pub talk: bool,
}

impl Peer {
    /// From Allow and Supported (or Require); a message without Allow says nothing about UPDATE.
    pub fn learn(&mut self, headers: &Headers) {
        if headers.get("Allow").is_some() {
            self.update = headers.lists("Allow", "UPDATE");
        }
        self.timer |= headers.lists("Supported", "timer") || headers.lists("Require", "timer");
        self.reliable |= headers.lists("Supported", "100rel") || headers.lists("Require", "100rel");
        self.talk |= headers.lists("Allow-Events", "talk");
    }
}

/// RFC 3261 §13.3.1.4: a 2xx is repeated, over any transport, until its ACK comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Unacked {
    pub cseq: u32,
    to: Destination,
    bytes: Bytes,
    interval: Duration,
    /// It answers the INVITE that made the session.
    pub first: bool,
    /// It carries our offer, so the ACK must carry the answer.
    pub offers: bool,
}

/// The INVITE whose 2xx brought an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Late {
    pub cseq: u32,
    pub transaction: TransactionId,
}

/// §13.2.2.4: the ACK is sent again for each repetition of the 2xx.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentAck {
    transaction: TransactionId,
    cseq: u32,
    tag: Option<String>,
    to: Destination,
    bytes: Bytes,
}

impl Session {
    pub fn new(id: SessionId, tag: String, stage: Stage, cx: &Context) -> Self {
        Session {
            id,
            tag,
            we_called: matches!(stage, Stage::Calling(_)),
            stage,
            over: false,
            dialog: None,
            peer: Peer::default(),
            local_sdp: None,
            remote_sdp: None,
            ours: None,
            theirs: None,
            referred: None,
            queued: None,
            put_back: 0,
            unacked: None,
            late: None,
            sent_acks: Vec::new(),
            bye_after_ack: None,
            terms: None,
            session_expires: cx.settings.session_expires,
            min_se: None,
            credentials: None,
            proof: Headers::default(),
            challenges: 0,
            last_rseq: None,
            clients: 0,
        }
    }

    /// Nothing is left to send or to wait for.
    pub fn is_finished(&self) -> bool {
        self.over && self.clients == 0 && self.unacked.is_none()
    }

    pub fn is_ringing(&self) -> bool {
        matches!(self.stage, Stage::Ringing(_))
    }

    /// Sends a request of this session.
    pub fn send(
        &mut self,
        cx: &mut Context,
        request: Request,
        to: Destination,
        purpose: Purpose,
        now: Instant,
    ) -> TransactionId {
        self.clients += 1;
        cx.request(request, to, ClientUse::Session(self.id, purpose), now)
    }

    /// Adds what every request or 2xx that may refresh the target carries (§12.1.1, §13.2.1).
    pub fn describe_us(&self, cx: &Context, headers: &mut Headers, to: Destination, user: Option<String>) {
        let mut contact = cx.contact(to, user);
        if let Some(dialog) = &self.dialog {
            contact.secure_as(&[&dialog.local.uri, &dialog.target]);
        }
        headers.set("Contact", contact.to_string());
        headers.set("Allow", ALLOW);
        headers.set("Supported", SUPPORTED);
    }

    /// The way by which the peer was last heard, once there is a dialog.
    pub fn path(&self) -> Option<Destination> {
        self.dialog.as_ref().filter(|_| !self.over).map(|dialog| dialog.path)
    }

    pub fn move_to(&mut self, contact: &Uri, flow: Flow) -> bool {
        let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.target.is_place(contact)) else { return false };
        dialog.path = Destination::Flow(flow);
        true
    }

    /// The user part of our Contact.
    pub fn local_user(&self) -> Option<String> {
        self.dialog.as_ref().and_then(|dialog| user_of(&dialog.local.uri))
    }

    /// The last thing the engine hears of the session.
    pub fn end(&mut self, cx: &mut Context, cause: EndCause, now: Instant) {
        let session = self.id;
        self.finish(cx, Event::Ended { session, cause }, now);
    }

    pub fn fail(&mut self, cx: &mut Context, status: u16, reason: String, q850: Option<u8>, now: Instant) {
        let session = self.id;
        self.finish(cx, Event::Failed { session, status, reason, q850 }, now);
    }

    /// §15.1.2: "The UAS MUST still respond to any pending requests received for that dialog. It is RECOMMENDED that a 487
    /// (Request Terminated) response be generated to those pending requests."
    fn finish(&mut self, cx: &mut Context, event: Event, now: Instant) {
        self.refuse_theirs(cx, StatusCode::from(487), now);
        self.hurry_ours(cx, now);
        self.queued = None;
        for wake in [Wake::NoWord, Wake::Glare, Wake::Refresh, Wake::SessionExpired, Wake::InvitationExpired] {
            cx.forget(self.id, wake);
        }
        if !self.over {
            self.over = true;
            cx.tell(event);
        }
    }

    /// Ends the session from our side, as its state demands.
    pub fn hang_up(&mut self, cx: &mut Context, headers: Headers, cause: EndCause, now: Instant) {
        if self.over {
            return;
        }
        match &self.stage {
            Stage::Calling(_) => {
                self.cancel(cx, &headers, now);
                self.end(cx, cause, now);
            }
            Stage::Ringing(_) => {
                self.refuse_invitation(cx, StatusCode::from(603), None, headers, now);
                self.end(cx, cause, now);
            }
            Stage::Up => {
                self.leave(cx, headers, now);
                self.end(cx, cause, now);
            }
            Stage::Down => self.end(cx, cause, now),
        }
    }

    /// BYE, now or when it is allowed. §15: "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has
    /// received an ACK for its 2xx response or until the server transaction times out."
    fn leave(&mut self, cx: &mut Context, headers: Headers, now: Instant) {
        self.stage = Stage::Down;
        if let Some(late) = self.late.take() {
            self.acknowledge(cx, late, None);
        }
        match &self.unacked {
            Some(unacked) if unacked.first => self.bye_after_ack = Some(headers),
            _ => {
                self.stop_repeating(cx);
                self.bye(cx, headers, now);
            }
        }
    }

    pub fn bye(&mut self, cx: &mut Context, headers: Headers, now: Instant) {
        let Some(dialog) = &mut self.dialog else { return };
        let mut bye = dialog.request(Method::Bye);
        let to = dialog.destination();
        bye.headers.extend(headers);
        self.send(cx, bye, to, Purpose::Bye, now);
    }

    /// A BYE of the peer, which has been answered.
    pub fn on_bye(&mut self, cx: &mut Context, request: &Request, now: Instant) {
        let cause = EndCause::Bye { q850: q850(&request.headers) };
        match &self.stage {
            Stage::Calling(_) => self.cancel(cx, &Headers::default(), now),
            Stage::Ringing(_) => {
                self.refuse_invitation(cx, StatusCode::from(487), None, Headers::default(), now);
            }
            Stage::Up | Stage::Down => {
                self.stop_repeating(cx);
                self.late = None;
                self.bye_after_ack = None;
                self.stage = Stage::Down;
            }
        }
        self.end(cx, cause, now);
    }

    /// Sends a 2xx to an INVITE and repeats it until it is acknowledged.
    pub fn send_2xx(
        &mut self,
        cx: &mut Context,
        transaction: TransactionId,
        response: Response,
        unacked: (Destination, bool, bool),
        now: Instant,
    ) {
        let (to, first, offers) = unacked;
        let cseq = response.core.cseq.number;
        let bytes = cx.respond(transaction, response, now);
        let interval = cx.settings.t1;
        self.unacked = Some(Unacked { cseq, to, bytes, interval, first, offers });
        // "The 2xx response is passed to the transport with an interval that starts at T1 seconds and doubles for each
        // retransmission until it reaches T2 seconds […]. If the server retransmits the 2xx response for 64*T1 seconds
        // without receiving an ACK, the dialog is confirmed, but the session SHOULD be terminated."
        cx.wake(self.id, Wake::Repeat2xx, now + interval);
        cx.wake(self.id, Wake::Unacknowledged, now + cx.patience());
    }

    pub fn stop_repeating(&mut self, cx: &mut Context) -> Option<Unacked> {
        cx.forget(self.id, Wake::Repeat2xx);
        cx.forget(self.id, Wake::Unacknowledged);
        self.unacked.take()
    }

    /// An ACK in the dialog: to a 2xx of ours.
    pub fn on_ack(&mut self, cx: &mut Context, request: &Request, now: Instant) {
        if self.unacked.as_ref().is_none_or(|unacked| unacked.cseq != request.core.cseq.number) {
            return;
        }
        let Some(unacked) = self.stop_repeating(cx) else { return };
        if let Some(headers) = self.bye_after_ack.take() {
            self.bye(cx, headers, now);
        }
        if self.over {
            return;
        }
        let answer = match super::body::of(&request.headers, &request.body) {
            super::body::Body::Sdp(sdp) if unacked.offers => Some(sdp),
            _ => None,
        };
        if let Some(sdp) = &answer {
            self.remote_sdp = Some(sdp.clone());
        }
        let session = self.id;
        match (unacked.first, answer) {
            (true, answer) => cx.tell(Event::Confirmed { session, sdp: answer.map(Sdp::Answer) }),
            (false, Some(sdp)) => cx.tell(Event::Reanswered { session, sdp }),
            // The offer of our 2xx to a re-INVITE was not answered; what was agreed before stands.
            (false, None) if unacked.offers => cx.tell(Event::OfferRefused { session, status: 488 }),
            (false, None) => {}
        }
        self.next_offer(cx, now);
    }

    /// A new INVITE of the peer shows that it had our 2xx, though its ACK was lost (RFC 5407 §3.1.4).
    pub fn take_as_acknowledged(&mut self, cx: &mut Context) {
        let session = self.id;
        if self.stop_repeating(cx).is_some_and(|unacked| unacked.first) && !self.over {
            cx.tell(Event::Confirmed { session, sdp: None });
        }
    }

    /// Sends the ACK to a 2xx in our dialog and keeps it for repetitions.
    pub fn acknowledge(&mut self, cx: &mut Context, invite: Late, sdp: Option<Bytes>) {
        let Some(dialog) = self.dialog.clone() else { return };
        self.acknowledge_in(cx, &dialog, invite, sdp);
    }

    /// The same in any dialog the INVITE made.
    pub fn acknowledge_in(&mut self, cx: &mut Context, dialog: &Dialog, invite: Late, sdp: Option<Bytes>) {
        let mut ack = dialog.ack(invite.cseq);
        ack.headers.extend(self.proof.clone());
        if let Some(sdp) = sdp {
            ack.headers.set("Content-Type", "application/sdp");
            ack.body = sdp;
        }
        let to = dialog.destination();
        let bytes = cx.ack(ack, to);
        if self.sent_acks.len() < MAX_ACKS {
            let tag = dialog.remote_tag().map(str::to_owned);
            // Mostly the only one: without the room a growing list would make for four.
            self.sent_acks.reserve_exact(1);
            self.sent_acks.push(SentAck { transaction: invite.transaction, cseq: invite.cseq, tag, to, bytes });
        }
    }

    /// Whether one more fork can be acknowledged and remembered.
    pub fn has_room_for_ack(&self) -> bool {
        self.sent_acks.len() < MAX_ACKS
    }

    /// Sends the ACK again if this 2xx has been acknowledged before.
    pub fn repeat_ack(&mut self, cx: &mut Context, response: &Response) -> bool {
        let cseq = response.core.cseq.number;
        let tag = response.core.to.tag();
        let Some(sent) = self.sent_acks.iter().find(|sent| sent.cseq == cseq && sent.tag.as_deref() == tag) else {
            return false;
        };
        cx.transactions.send(sent.to, sent.bytes.clone());
        true
    }

    /// The time for repetitions of an INVITE's 2xx is past.
    pub fn forget_acks(&mut self, transaction: TransactionId) {
        self.sent_acks.retain(|sent| sent.transaction != transaction);
    }

    /// A timer of the session.
    pub fn on_wake(&mut self, cx: &mut Context, wake: Wake, now: Instant) {
        match wake {
            Wake::Repeat2xx => {
                let Some(unacked) = &mut self.unacked else { return };
                cx.transactions.send(unacked.to, unacked.bytes.clone());
                unacked.interval = unacked.interval.saturating_mul(2).min(cx.settings.t2);
                cx.wake(self.id, Wake::Repeat2xx, now + unacked.interval);
            }
            Wake::Unacknowledged => self.on_unacknowledged(cx, now),
            Wake::RepeatProvisional => self.repeat_provisional(cx, now),
            Wake::KeepRinging => self.keep_ringing(cx, now),
            Wake::Unpracked => self.on_unpracked(cx, now),
            Wake::NoWord => self.on_no_word(cx, now),
            Wake::CancelFruitless => self.on_cancel_fruitless(cx),
            Wake::InvitationExpired => {
                self.refuse_invitation(cx, StatusCode::from(487), None, Headers::default(), now);
                self.end(cx, EndCause::Cancelled, now);
            }
            Wake::ReinviteFruitless => self.on_reinvite_fruitless(cx),
            Wake::Glare => self.next_offer(cx, now),
            Wake::Refresh => self.refresh(cx, now),
            // RFC 4028 §10: "the UA SHOULD send a BYE request to terminate the session".
            Wake::SessionExpired => self.hang_up(cx, Headers::default(), EndCause::Expired, now),
        }
    }

    fn on_unacknowledged(&mut self, cx: &mut Context, now: Instant) {
        self.stop_repeating(cx);
        match self.bye_after_ack.take() {
            Some(headers) => self.bye(cx, headers, now),
            None => self.hang_up(cx, Headers::default(), EndCause::Timeout, now),
        }
    }

    /// RFC 4028: both sides agreed, now or anew.
    pub fn start_timer(&mut self, cx: &mut Context, terms: Terms, now: Instant) {
        self.terms = Some(terms);
        if self.over {
            return;
        }
        cx.wake(self.id, Wake::SessionExpired, now + terms.until_expiry());
        match terms.we_refresh {
            true => cx.wake(self.id, Wake::Refresh, now + terms.until_refresh()),
            false => cx.forget(self.id, Wake::Refresh),
        }
    }

    /// What we ask for in an INVITE or UPDATE (RFC 4028 §7.1, §7.4).
    pub fn ask_for_timer(&self, headers: &mut Headers, cx: &Context) {
        let refresher = self.terms.map(|terms| match terms.we_refresh {
            true => session_timer::Refresher::Uac,
            false => session_timer::Refresher::Uas,
        });
        let interval = self.session_expires.max(cx.settings.min_se);
        headers.set("Session-Expires", session_timer::SessionExpires { interval, refresher }.to_string());
        if let Some(min_se) = self.min_se {
            headers.set("Min-SE", min_se.as_secs().to_string());
        }
    }

    /// RFC 4028 §9: the timer part of our 2xx to a session refresh request. `Err` is the Min-SE of a 422.
    pub fn agree_timer(
        &self,
        cx: &Context,
        request: &Headers,
    ) -> Result<(Terms, Option<session_timer::SessionExpires>), Duration> {
        let supported = request.lists("Supported", "timer") || request.lists("Require", "timer");
        session_timer::answer(request, supported, self.session_expires, cx.settings.min_se)
    }

    /// A client transaction of ours has closed.
    pub fn on_closed(&mut self) {
        self.clients = self.clients.saturating_sub(1);
    }
}

/// Adds the agreed session timer to a 2xx. RFC 4028 §9: "If the refresher parameter is 'uac', the UAS MUST place a
/// Require header field into the response with the value 'timer'."
pub(super) fn write_timer(headers: &mut Headers, expires: Option<session_timer::SessionExpires>) {
    let Some(expires) = expires else { return };
    headers.set("Session-Expires", expires.to_string());
    if expires.refresher == Some(session_timer::Refresher::Uac) {
        headers.push("Require", "timer");
    }
}

/// RFC 3326: `Reason: Q.850;cause=16;text="Terminated"`.
pub(super) fn q850(headers: &Headers) -> Option<u8> {
    headers.get_all("Reason").find_map(|value| {
        let mut parts = value.split(';');
        if !parts.next()?.trim().eq_ignore_ascii_case("Q.850") {
            return None;
        }
        parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("cause").then(|| value.trim().parse::<u8>().ok())?
        })
    })
}
