//! Requests of the peer inside a dialog (RFC 3261 §12.2.2), and the responses to ours that no exchange waits for.

use bytes::Bytes;

use super::context::{ALLOW, Context, Purpose, ServerUse};
use super::session::{Session, Stage};
use super::{EndCause, Event};
use crate::sip::message::{Headers, Message, Method, Request, Response, StatusCode};
use crate::sip::transaction::{TransactionId, Why};
use crate::sip::{Destination, Flow};
use crate::time::Instant;

impl Session {
    /// Whether the request belongs to one of our dialogs: its From tag is the peer's.
    pub fn knows(&mut self, request: &Request) -> bool {
        let call_id = request.core.call_id.clone();
        let tag = request.core.from.tag();
        self.dialog_with(tag).is_some_and(|dialog| dialog.call_id == call_id && dialog.remote_tag() == tag)
    }

    /// A request other than ACK and CANCEL, new to the transactions.
    pub fn on_request(&mut self, cx: &mut Context, request: Request, flow: Flow, now: Instant) {
        let tag = request.core.from.tag().map(str::to_owned);
        let Some(dialog) = self.dialog_with(tag.as_deref()) else { return };
        if !dialog.takes(request.core.cseq.number) {
            let mut response = request.response(StatusCode::from(500), Some(&self.tag));
            response.reason = "CSeq out of order".to_owned();
            cx.respond_stateless(&request, response, flow);
            return;
        }
        dialog.path = Destination::Flow(flow);
        let gone = self.over && request.method != Method::Bye && request.method != Method::PRack;
        match request.method {
            _ if gone => cx.respond_stateless(&request, request.response(StatusCode::from(481), Some(&self.tag)), flow),
            Method::Invite => self.on_reinvite(cx, request, flow, now),
            Method::Update => self.on_update(cx, request, flow, now),
            Method::Refer => self.on_refer(cx, request, flow, now),
            method => {
                let id = cx.transactions.serve(&request, Destination::Flow(flow), ServerUse::Other, now);
                match method {
                    Method::Bye => {
                        self.respond_plain(cx, &request, id, StatusCode::OK, now);
                        self.on_bye(cx, &request, now);
                    }
                    Method::PRack => self.on_prack(cx, request, flow, id, now),
                    Method::Info => self.on_info(cx, request, id, now),
                    Method::Options => {
                        let mut response = self.dialog_response(cx, &request, flow, StatusCode::OK);
                        response.headers.push("Accept", super::context::ACCEPT);
                        cx.respond(id, response, now);
                    }
                    _ => {
                        let mut response = request.response(StatusCode::MethodNotAllowed, Some(&self.tag));
                        response.headers.push("Allow", ALLOW);
                        cx.respond(id, response, now);
                    }
                }
            }
        }
    }

    /// RFC 6086 §4.2.2: the legacy use without Info packages.
    fn on_info(&mut self, cx: &mut Context, request: Request, id: TransactionId, now: Instant) {
        self.respond_plain(cx, &request, id, StatusCode::OK, now);
        let content_type = request.headers.get("Content-Type").unwrap_or_default().trim().to_owned();
        cx.tell(Event::Info { session: self.id, content_type, body: request.body });
    }

    /// Sends an INFO in the confirmed dialog.
    pub fn info(&mut self, cx: &mut Context, content_type: &str, body: Bytes, now: Instant) {
        if self.over || !matches!(self.stage, Stage::Up) {
            return;
        }
        let Some(dialog) = &mut self.dialog else { return };
        let mut request = dialog.request(Method::Info);
        let to = dialog.destination();
        request.headers.set("Content-Type", content_type);
        request.body = body;
        self.send(cx, request, to, Purpose::Info, now);
    }

    /// The final response to our INFO, PRACK or BYE.
    pub fn on_plain_response(
        &mut self,
        cx: &mut Context,
        response: Response,
        id: TransactionId,
        purpose: Purpose,
        now: Instant,
    ) {
        match response.status.code() {
            // Before the answer there is no dialog yet in which to try again.
            401 | 407 if purpose != Purpose::Prack && self.dialog.is_some() => {
                let cseq = self.next_cseq();
                self.retry_challenged(cx, id, &response, cseq, purpose, now);
            }
            200..=299 => self.challenges = 0,
            408 | 481 if purpose == Purpose::Info => self.hang_up(cx, Headers::default(), EndCause::Timeout, now),
            _ => {}
        }
    }

    /// A request in the dialog could not be delivered: the stream the peer used is gone. It is tried once more at the
    /// peer's own address, where that is known and another.
    pub fn sends_elsewhere(
        &mut self,
        cx: &mut Context,
        id: TransactionId,
        request: &Bytes,
        purpose: Purpose,
        now: Instant,
    ) -> bool {
        if !matches!(purpose, Purpose::Reinvite | Purpose::Update | Purpose::Info | Purpose::Notify | Purpose::Bye) {
            return false;
        }
        let Some(dialog) = &mut self.dialog else { return false };
        let streamed = matches!(dialog.path, Destination::Flow(flow) if flow.connection.is_some());
        let (Some(hop), true, Ok(Message::Request(request))) = (dialog.hop(), streamed, Message::parse(request)) else {
            return false;
        };
        dialog.path = hop;
        let again = self.send(cx, request, hop, purpose, now);
        self.ours_moved(id, again);
        true
    }

    /// Our INFO brought no response at all.
    pub fn on_info_closed(&mut self, cx: &mut Context, why: Why, now: Instant) {
        match why {
            Why::Timeout => self.hang_up(cx, Headers::default(), EndCause::Timeout, now),
            Why::TransportError => self.hang_up(cx, Headers::default(), EndCause::TransportError, now),
            Why::Done | Why::Abandoned => {}
        }
    }
}
