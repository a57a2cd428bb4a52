//! Our INVITE until it is answered: early dialogs, reliable provisional responses, CANCEL, the forks of RFC 3261
//! §13.2.2.4.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::{self, Body};
use super::context::{ALLOW, ClientUse, Context, Purpose, SUPPORTED, Wake, user_of};
use super::session::{Late, Peer, Session, Stage, q850};
use super::{Event, Invite, Sdp};
use crate::ids::SessionId;
use crate::sip::Flow;
use crate::sip::dialog::Dialog;
use crate::sip::message::{CSeq, Core, Headers, Method, Request, Response, Uri};
use crate::sip::session_timer;
use crate::sip::transaction::{TransactionId, Why};
use crate::time::Instant;

/// Early dialogs of one INVITE; those of further forks are not followed.
const MAX_EARLY: usize = 32;
/// How often a 422 is obeyed.
const MAX_INTERVAL_TRIES: u8 = 2;

#[derive(Serialize, Deserialize)]
pub(super) struct Calling {
    pub transaction: TransactionId,
    cseq: u32,
    request_uri: Uri,
    /// The INVITE carries our offer.
    offered: bool,
    early: Vec<Early>,
    /// A provisional response has come, so a CANCEL may go (§9.1).
    provisional: bool,
    cancel: Cancel,
    interval_tries: u8,
}

#[derive(Serialize, Deserialize)]
enum Cancel {
    No,
    /// "If no provisional response has been received, the CANCEL request MUST NOT be sent; rather, the client MUST wait
    /// for the arrival of a provisional response before sending the request."
    Wanted(Headers),
    Sent,
}

/// A dialog that a provisional response made (RFC 3261 §12.1.2).
#[derive(Serialize, Deserialize)]
pub(super) struct Early {
    pub dialog: Dialog,
    pub peer: Peer,
    /// RFC 3262 §4: the last RSeq taken.
    rseq: Option<u32>,
    /// What the peer described, reliably or as a preview of the answer.
    answer: Option<Bytes>,
    /// Offer and answer were exchanged reliably.
    pub settled: bool,
    /// A reliable response brought an offer: its RSeq, to be acknowledged with our answer.
    offer: Option<u32>,
}

impl Session {
    /// Sends the INVITE.
    pub fn call(id: SessionId, tag: String, invite: Invite, cx: &mut Context, now: Instant) -> Self {
        let calling = Calling {
            transaction: TransactionId(0),
            cseq: 1,
            request_uri: invite.request_uri.clone(),
            offered: invite.sdp.is_some(),
            early: Vec::new(),
            provisional: false,
            cancel: Cancel::No,
            interval_tries: 0,
        };
        let mut session = Session::new(id, tag, Stage::Calling(Box::new(calling)), cx);
        session.credentials = invite.credentials;
        session.local_sdp = invite.sdp.clone();
        let mut from = invite.from;
        from.set_tag(&session.tag);
        let user = user_of(&from.uri);
        let call_id = format!("{}{}", cx.token(), cx.token());
        let mut request = Request {
            method: Method::Invite,
            uri: invite.request_uri,
            core: Core {
                via: Vec::new(),
                from,
                to: invite.to_header,
                call_id: call_id.into(),
                cseq: CSeq { number: 1, method: Method::Invite },
            },
            max_forwards: Some(invite.max_forwards),
            headers: invite.headers,
            body: Bytes::new(),
        };
        let mut contact = cx.contact(invite.to, user);
        contact.secure_as(&[&request.uri]);
        request.headers.set("Contact", contact.to_string());
        request.headers.set("Allow", ALLOW);
        request.headers.set("Supported", SUPPORTED);
        session.ask_for_timer(&mut request.headers, cx);
        if let Some(sdp) = invite.sdp {
            request.headers.set("Content-Type", "application/sdp");
            request.body = sdp;
        }
        if let Some(patience) = invite.first_word_within {
            cx.wake(id, Wake::NoWord, now + patience);
        }
        let transaction = session.send(cx, request, invite.to, Purpose::Invite, now);
        if let Stage::Calling(calling) = &mut session.stage {
            calling.transaction = transaction;
        }
        session
    }

    pub fn on_invite_response(
        &mut self,
        cx: &mut Context,
        response: Response,
        flow: Flow,
        id: TransactionId,
        now: Instant,
    ) {
        cx.forget(self.id, Wake::NoWord);
        match response.status.code() {
            0..=199 => self.on_provisional(cx, response, flow, id, now),
            200..=299 => self.on_invite_2xx(cx, response, flow, id, now),
            _ => self.on_invite_refused(cx, response, id, now),
        }
    }

    fn on_provisional(&mut self, cx: &mut Context, response: Response, flow: Flow, id: TransactionId, now: Instant) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if calling.transaction != id {
            return;
        }
        calling.provisional = true;
        self.send_wanted_cancel(cx, now);
        let status = response.status.code();
        if status == 100 {
            return;
        }
        let session = self.id;
        let sdp = match self.take_early(&response, flow) {
            Some(Taken { sdp, acknowledge }) => {
                if let Some((at, rseq)) = acknowledge {
                    self.prack(cx, at, rseq, None, now);
                }
                sdp
            }
            None => return,
        };
        if !self.over {
            cx.tell(Event::Progress { session, status, sdp });
        }
        self.next_offer(cx, now);
    }

    /// Finds or makes the early dialog of a provisional response. `None`: nothing new, or one fork too many.
    fn take_early(&mut self, response: &Response, flow: Flow) -> Option<Taken> {
        let Stage::Calling(calling) = &mut self.stage else { return None };
        let nothing = Taken { sdp: None, acknowledge: None };
        // Without a tag there is no dialog, only the news (RFC 2543).
        let Some(tag) = response.core.to.tag() else { return Some(nothing) };
        let at = match calling.early.iter().position(|early| early.dialog.remote_tag() == Some(tag)) {
            Some(at) => at,
            None if calling.early.len() >= MAX_EARLY => return None,
            None => {
                let dialog = Dialog::from_response(response, &calling.request_uri, calling.cseq, flow);
                let peer = Peer::default();
                calling.early.push(Early { dialog, peer, rseq: None, answer: None, settled: false, offer: None });
                calling.early.len() - 1
            }
        };
        let offered = calling.offered;
        let early = calling.early.get_mut(at)?;
        early.dialog.path = crate::sip::Destination::Flow(flow);
        early.peer.learn(&response.headers);
        let sdp = match body::of(&response.headers, &response.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Unsupported => None,
        };
        let rseq = response.headers.get("RSeq").and_then(|value| value.trim().parse::<u32>().ok());
        match rseq.filter(|_| response.headers.lists("Require", "100rel")) {
            Some(rseq) => early.take_reliable(at, rseq, sdp, offered),
            None if early.settled => Some(nothing),
            // RFC 3261 §13.2.1: only with our offer out can it be an answer, and as yet an unreliable one.
            None => {
                let sdp = sdp.filter(|_| offered);
                early.answer = sdp.clone().or(early.answer.take());
                Some(Taken { sdp: sdp.map(Sdp::Answer), acknowledge: None })
            }
        }
    }

    /// RFC 3262 §4: acknowledges a reliable provisional response, with our answer where it brought an offer.
    pub fn prack(&mut self, cx: &mut Context, at: usize, rseq: u32, sdp: Option<Bytes>, now: Instant) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        let invite_cseq = calling.cseq;
        let Some(early) = calling.early.get_mut(at) else { return };
        let mut prack = early.dialog.request(Method::PRack);
        let to = early.dialog.destination();
        prack.headers.push("RAck", format!("{rseq} {invite_cseq} INVITE"));
        if let Some(sdp) = sdp {
            prack.headers.set("Content-Type", "application/sdp");
            prack.body = sdp;
        }
        self.send(cx, prack, to, Purpose::Prack, now);
    }

    /// Asks the phone that rings to answer. The subscription to `talk` is implied by the INVITE and the phone's Allow-Events
    /// in its 18x, and the NOTIFY has no body (BroadWorks access extensions, §5.6 and §5.7). `false`: none of those that
    /// ring says that it would.
    pub fn ask_to_answer(&mut self, cx: &mut Context, now: Instant) -> bool {
        let user = self.local_user();
        let Stage::Calling(calling) = &mut self.stage else { return false };
        let Some(early) = calling.early.iter_mut().find(|early| early.peer.talk) else { return false };
        let mut notify = early.dialog.request(Method::Notify);
        let to = early.dialog.destination();
        notify.headers.set("Event", "talk");
        notify.headers.set("Subscription-State", "active");
        notify.headers.set("Contact", cx.contact(to, user).to_string());
        self.send(cx, notify, to, Purpose::Notify, now);
        true
    }

    fn on_invite_2xx(&mut self, cx: &mut Context, response: Response, flow: Flow, id: TransactionId, now: Instant) {
        let invite = Late { cseq: response.core.cseq.number, transaction: id };
        let waits = self.late == Some(invite)
            && self.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag() == response.core.to.tag());
        if waits || self.repeat_ack(cx, &response) {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Down) {
            Stage::Calling(calling) if calling.transaction == id => {
                cx.forget(self.id, Wake::CancelFruitless);
                self.on_first_2xx(cx, response, flow, *calling, invite, now);
            }
            stage => {
                self.stage = stage;
                self.drop_fork(cx, &response, flow, invite, now);
            }
        }
    }

    /// §13.2.2.4: "If the dialog identifier in the 2xx response matches the dialog identifier of an existing dialog, the
    /// dialog MUST be transitioned to the 'confirmed' state, and the route set for the dialog MUST be recomputed based on
    /// the 2xx response."
    fn on_first_2xx(
        &mut self,
        cx: &mut Context,
        response: Response,
        flow: Flow,
        mut calling: Calling,
        invite: Late,
        now: Instant,
    ) {
        let mut dialog = Dialog::from_response(&response, &calling.request_uri, invite.cseq, flow);
        let found = calling.early.iter().position(|early| early.dialog.remote_tag() == dialog.remote_tag());
        let early = found.map(|at| calling.early.swap_remove(at));
        if let Some(early) = &early {
            dialog.local_cseq = early.dialog.local_cseq.max(invite.cseq);
            dialog.remote_cseq = early.dialog.remote_cseq;
            self.peer = early.peer;
        }
        self.peer.learn(&response.headers);
        self.dialog = Some(dialog);
        if self.over {
            // The CANCEL came too late, or there was never a provisional response to send it after.
            self.acknowledge(cx, invite, None);
            let headers = match calling.cancel {
                Cancel::Wanted(headers) => headers,
                Cancel::No | Cancel::Sent => Headers::default(),
            };
            self.bye(cx, headers, now);
            return;
        }
        self.stage = Stage::Up;
        self.challenges = 0;
        let sdp = self.sdp_of_2xx(&response, early, calling.offered);
        match &sdp {
            Some(Sdp::Offer(_)) => self.late = Some(invite),
            _ => self.acknowledge(cx, invite, None),
        }
        let terms = session_timer::agreed(&response.headers, self.session_expires);
        self.start_timer(cx, terms, now);
        cx.tell(Event::Answered { session: self.id, response: Box::new(response), sdp });
        self.next_offer(cx, now);
    }

    /// What the 2xx says to the engine: the answer, even where only a provisional response carried it, or the offer.
    /// `None` where the exchange was closed by PRACK or UPDATE.
    fn sdp_of_2xx(&mut self, response: &Response, early: Option<Early>, offered: bool) -> Option<Sdp> {
        let settled = early.as_ref().is_some_and(|early| early.settled);
        let preview = early.and_then(|early| early.answer);
        let own = match body::of(&response.headers, &response.body) {
            Body::Sdp(sdp) if !settled => Some(sdp),
            _ => None,
        };
        let sdp = own.or(if offered { preview } else { None })?;
        self.remote_sdp = Some(sdp.clone());
        Some(if offered { Sdp::Answer(sdp) } else { Sdp::Offer(sdp) })
    }

    /// A further 2xx of the INVITE from another fork: acknowledged, and ended with BYE.
    fn drop_fork(&mut self, cx: &mut Context, response: &Response, flow: Flow, invite: Late, now: Instant) {
        if !self.has_room_for_ack() {
            return;
        }
        let uri = self.dialog.as_ref().map_or_else(|| response.core.to.uri.clone(), |dialog| dialog.target.clone());
        let mut dialog = Dialog::from_response(response, &uri, invite.cseq, flow);
        // PRACKs in this fork's early dialog have used some numbers; a gap is allowed, a repetition is not.
        dialog.local_cseq = dialog.local_cseq.saturating_add(100);
        self.acknowledge_in(cx, &dialog, invite, None);
        let bye = dialog.request(Method::Bye);
        self.send(cx, bye, dialog.destination(), Purpose::Bye, now);
    }

    fn on_invite_refused(&mut self, cx: &mut Context, response: Response, id: TransactionId, now: Instant) {
        let Stage::Calling(calling) = &self.stage else { return };
        if calling.transaction != id {
            return;
        }
        let retried = !self.over
            && match response.status.code() {
                401 | 407 => self.call_again_with_credentials(cx, &response, now),
                422 => self.call_again_with_interval(cx, &response, now),
                _ => false,
            };
        if retried {
            return;
        }
        cx.forget(self.id, Wake::CancelFruitless);
        self.stage = Stage::Down;
        self.fail(cx, response.status.code(), response.reason.clone(), q850(&response.headers), now);
    }

    fn call_again_with_credentials(&mut self, cx: &mut Context, response: &Response, now: Instant) -> bool {
        let Stage::Calling(calling) = &self.stage else { return false };
        let (id, cseq) = (calling.transaction, calling.cseq.saturating_add(1));
        let again = self.retry_challenged(cx, id, response, cseq, Purpose::Invite, now);
        self.call_goes_on(again, cseq)
    }

    /// RFC 4028 §7.3: "the UAC MAY retry […] with a Session-Expires at least as large as the Min-SE of the 422."
    fn call_again_with_interval(&mut self, cx: &mut Context, response: &Response, now: Instant) -> bool {
        let Some(min_se) = session_timer::min_se(&response.headers) else { return false };
        let Stage::Calling(calling) = &mut self.stage else { return false };
        if calling.interval_tries >= MAX_INTERVAL_TRIES {
            return false;
        }
        calling.interval_tries += 1;
        let (id, cseq) = (calling.transaction, calling.cseq.saturating_add(1));
        self.raise_interval(min_se);
        let Some((to, mut request)) = cx.sent(id) else { return false };
        request.core.cseq.number = cseq;
        self.ask_for_timer(&mut request.headers, cx);
        let again = self.send(cx, request, to, Purpose::Invite, now);
        self.call_goes_on(Some(again), cseq)
    }

    fn call_goes_on(&mut self, again: Option<TransactionId>, cseq: u32) -> bool {
        let (Stage::Calling(calling), Some(transaction)) = (&mut self.stage, again) else { return false };
        calling.transaction = transaction;
        calling.cseq = cseq;
        calling.provisional = false;
        calling.early.clear();
        true
    }

    /// The INVITE's transaction is over.
    pub fn on_invite_closed(&mut self, cx: &mut Context, id: TransactionId, why: Why, now: Instant) {
        self.forget_acks(id);
        let Stage::Calling(calling) = &self.stage else { return };
        if calling.transaction != id {
            return;
        }
        cx.forget(self.id, Wake::CancelFruitless);
        self.stage = Stage::Down;
        match why {
            Why::TransportError => self.fail(cx, 503, "Service Unavailable".into(), None, now),
            Why::Timeout | Why::Done | Why::Abandoned => self.fail(cx, 408, "Request Timeout".into(), None, now),
        }
    }

    /// Nothing has come back: the engine tries another server. The transaction goes on, for the INVITE may have arrived
    /// all the same: then it is cancelled.
    pub fn on_no_word(&mut self, cx: &mut Context, now: Instant) {
        self.cancel(cx, &Headers::default(), now);
        self.fail(cx, 408, "Request Timeout".into(), None, now);
    }

    /// §9.1: cancels our INVITE, now or as soon as that is allowed.
    pub fn cancel(&mut self, cx: &mut Context, headers: &Headers, now: Instant) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if matches!(calling.cancel, Cancel::No) {
            calling.cancel = Cancel::Wanted(headers.clone());
        }
        if calling.provisional {
            self.send_wanted_cancel(cx, now);
        }
    }

    fn send_wanted_cancel(&mut self, cx: &mut Context, now: Instant) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if !matches!(calling.cancel, Cancel::Wanted(_)) {
            return;
        }
        let Cancel::Wanted(headers) = std::mem::replace(&mut calling.cancel, Cancel::Sent) else { return };
        let Some((to, invite)) = cx.sent(calling.transaction) else { return };
        // §9.1: "The Request-URI, Call-ID, To, the numeric part of CSeq, and From header fields in the CANCEL request
        // MUST be identical to those in the request being cancelled, including tags. A CANCEL constructed by a client
        // MUST have only a single Via header field value matching the top Via value in the request being cancelled."
        let mut cancel = invite.cancel();
        cancel.headers.extend(headers);
        let branch = cancel.core.via.first().and_then(|via| via.branch()).unwrap_or_default().to_owned();
        self.clients += 1;
        cx.request_on_branch(cancel, &branch, to, ClientUse::Session(self.id, Purpose::Cancel), now);
        // "If there is no final response for the original request in 64*T1 seconds, the client SHOULD then consider the
        // original transaction cancelled and SHOULD destroy the client transaction handling the original request."
        cx.wake(self.id, Wake::CancelFruitless, now + cx.patience());
    }

    pub fn on_cancel_fruitless(&mut self, cx: &mut Context) {
        if let Stage::Calling(calling) = &self.stage {
            cx.transactions.abandon(calling.transaction);
        }
    }
}

impl Calling {
    /// The early dialog an UPDATE of ours may go to: the latest that has offer and answer behind it and knows UPDATE.
    fn settled_at(&self) -> Option<usize> {
        self.early.iter().rposition(|early| early.settled && early.peer.update)
    }

    pub fn has_settled_dialog(&self) -> bool {
        self.settled_at().is_some()
    }

    pub fn settled_dialog(&mut self) -> Option<&mut Dialog> {
        let at = self.settled_at()?;
        self.early.get_mut(at).map(|early| &mut early.dialog)
    }

    pub fn early(&mut self, tag: Option<&str>) -> Option<&mut Early> {
        self.early.iter_mut().find(|early| early.dialog.remote_tag() == tag)
    }

    /// Takes the early dialog whose reliable response made an offer, and that response's RSeq.
    pub fn take_offer(&mut self) -> Option<(usize, u32)> {
        let at = self.early.iter().rposition(|early| early.offer.is_some())?;
        let early = self.early.get_mut(at)?;
        early.settled = true;
        early.offer.take().map(|rseq| (at, rseq))
    }
}

/// What a provisional response brought, and whether it is to be acknowledged: early dialog and RSeq.
struct Taken {
    sdp: Option<Sdp>,
    acknowledge: Option<(usize, u32)>,
}

impl Early {
    /// After a further exchange the first answer is history.
    pub fn forget_answer(&mut self) {
        self.answer = None;
    }

    /// RFC 3262 §4: "If the response […] has an RSeq number that is one higher than the last, it is in order. […]
    /// Otherwise the response MUST NOT be acknowledged with a PRACK, and MUST NOT be processed further."
    fn take_reliable(&mut self, at: usize, rseq: u32, sdp: Option<Bytes>, offered: bool) -> Option<Taken> {
        if self.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
            return None;
        }
        self.rseq = Some(rseq);
        let sdp = sdp.filter(|_| !self.settled);
        match sdp {
            Some(offer) if !offered => {
                self.offer = Some(rseq);
                Some(Taken { sdp: Some(Sdp::Offer(offer)), acknowledge: None })
            }
            Some(answer) => {
                self.settled = true;
                self.answer = Some(answer.clone());
                Some(Taken { sdp: Some(Sdp::Answer(answer)), acknowledge: Some((at, rseq)) })
            }
            None => Some(Taken { sdp: None, acknowledge: Some((at, rseq)) }),
        }
    }
}
