//! Messages from the network: to the transactions first, then to the session, ticket or refusal they belong to.

use super::body::{self, Body};
use super::checks;
use super::context::{ACCEPT, ALLOW_OUTSIDE, ClientUse, Purpose, SUPPORTED, ServerUse};
use super::session::Session;
use super::{EndCause, Event, MAX_SERVERS, MAX_SESSIONS, UserAgent};
use bytes::Bytes;

use crate::ids::SessionId;
use crate::sip::message::{Headers, Host, Message, Method, Request, Response, StatusCode};
use crate::sip::transaction::{Closed, Received, Why};
use crate::sip::{Destination, Flow};
use crate::time::Instant;

/// RFC 3261 §21.5.4: seconds after which a refused caller may try again.
const RETRY_AFTER: &str = "10";

impl UserAgent {
    pub(super) fn on_response(&mut self, flow: Flow, response: Response, now: Instant) {
        // A response that matches no transaction is dropped (RFC 6026 §6).
        let Some(id) = self.cx.transactions.receive_response(&response, |invite| ack_for(invite, &response), now)
        else {
            return;
        };
        match self.cx.transactions.owner(id).copied() {
            Some(ClientUse::Single(ticket)) => self.singles.on_response(&mut self.cx, ticket, response, id, now),
            Some(ClientUse::Subscription(subscription)) => {
                self.subscriptions.on_response(&mut self.cx, subscription, &response, id, now);
            }
            Some(ClientUse::Watcher(watcher)) => {
                self.watchers.on_response(&mut self.cx, watcher, &response, id, now);
            }
            Some(ClientUse::Session(session, purpose)) => {
                self.with(session, |session, cx| match purpose {
                    Purpose::Invite => session.on_invite_response(cx, response, flow, id, now),
                    Purpose::Reinvite | Purpose::Update => session.on_our_exchange(cx, response, id, purpose, now),
                    Purpose::Prack | Purpose::Info | Purpose::Notify | Purpose::Bye => {
                        session.on_plain_response(cx, response, id, purpose, now);
                    }
                    Purpose::Cancel => {}
                });
            }
            None => {}
        }
    }

    /// Client transactions that are over.
    pub(super) fn drain_closed(&mut self, now: Instant) {
        while let Some(Closed { id, owner, why, request }) = self.cx.transactions.poll_closed() {
            match owner {
                ClientUse::Single(ticket) => self.singles.on_closed(&mut self.cx, ticket, id, why),
                ClientUse::Subscription(subscription) => {
                    self.subscriptions.on_closed(&mut self.cx, subscription, id, why, now);
                }
                ClientUse::Watcher(watcher) => self.watchers.on_closed(&mut self.cx, watcher, id, why),
                ClientUse::Session(session, purpose) => {
                    self.with(session, |session, cx| {
                        session.on_closed();
                        if why == Why::TransportError && session.sends_elsewhere(cx, id, &request, purpose, now) {
                            return;
                        }
                        match purpose {
                            Purpose::Invite => session.on_invite_closed(cx, id, why, now),
                            Purpose::Reinvite | Purpose::Update => session.on_our_exchange_closed(cx, id, why, now),
                            Purpose::Info => session.on_info_closed(cx, why, now),
                            Purpose::Cancel | Purpose::Prack | Purpose::Notify | Purpose::Bye => {}
                        }
                    });
                }
            }
        }
    }

    pub(super) fn on_request(&mut self, flow: Flow, mut request: Request, now: Instant) {
        note_source(&mut request, flow);
        match self.cx.transactions.receive_request(&request, now) {
            Received::Absorbed => {}
            Received::Merged => self.turn_away(&request, StatusCode::from(482), flow),
            Received::Ack => self.on_ack(&request, now),
            Received::New if request.method == Method::Ack => self.on_ack(&request, now),
            Received::New => self.on_new_request(flow, request, now),
        }
    }

    /// The ACK to a 2xx of ours; any other is not for us (RFC 3261 §17.2.3).
    fn on_ack(&mut self, request: &Request, now: Instant) {
        if let Some(session) = self.session_of(request) {
            self.with(session, |session, cx| session.on_ack(cx, request, now));
        }
    }

    fn on_new_request(&mut self, flow: Flow, request: Request, now: Instant) {
        if let Some(refusal) = checks::refusal(&request) {
            self.cx.respond_stateless(&request, refusal, flow);
            return;
        }
        if request.method == Method::Cancel {
            self.on_cancel(flow, &request, now);
            return;
        }
        // What is under way goes before what is new: a BYE is taken even then.
        if self.cx.transactions.servers() >= MAX_SERVERS && request.method != Method::Bye {
            self.refuse_for_now(&request, flow);
            return;
        }
        match (request.core.to.tag().is_some(), request.method) {
            (true, _) => self.on_request_in_dialog(flow, request, now),
            (false, Method::Invite) => self.on_invite(flow, request, now),
            (false, Method::Options) => self.on_options(&request, flow),
            // Without a dialog these mean nothing (RFC 3261 §12.2.2).
            (
                false,
                Method::Bye
                | Method::Update
                | Method::PRack
                | Method::Info
                | Method::Notify
                | Method::Ack
                | Method::Cancel,
            ) => {
                self.turn_away(&request, StatusCode::from(481), flow);
            }
            (false, _) => self.singles.take(&mut self.cx, request, flow, now),
        }
    }

    /// RFC 3261 §12.2.2: "If the UAS wishes to reject the request because it does not wish to recreate the dialog, it MUST
    /// respond to the request with a 481 (Call/Transaction Does Not Exist) status code."
    fn on_request_in_dialog(&mut self, flow: Flow, request: Request, now: Instant) {
        if self.subscriptions.takes(&mut self.cx, &request, flow, now)
            || self.watchers.takes(&mut self.cx, &request, flow, now)
        {
            return;
        }
        match self.session_of(&request) {
            Some(session) => {
                self.with(session, |session, cx| session.on_request(cx, request, flow, now));
            }
            None => self.turn_away(&request, StatusCode::from(481), flow),
        }
    }

    /// §9.2. A CANCEL is answered 200 when its INVITE is found, whether or not it still has an effect; its To tag "and the
    /// To tag in the response to the original request SHOULD be the same".
    fn on_cancel(&mut self, flow: Flow, request: &Request, now: Instant) {
        let Some((owner, unanswered)) = self.cx.transactions.cancelled_by(request).map(|(owner, open)| (*owner, open))
        else {
            self.turn_away(request, StatusCode::from(481), flow);
            return;
        };
        let session = match owner {
            ServerUse::Invite(session) | ServerUse::Reinvite(session) => Some(session),
            ServerUse::Other => None,
        };
        let tag = session.and_then(|session| self.sessions.get(&session)).map(|session| session.tag.clone());
        let response = request.response(StatusCode::OK, tag.as_deref());
        self.cx.respond_stateless(request, response, flow);
        if !unanswered {
            return;
        }
        match owner {
            ServerUse::Invite(session) => {
                self.with(session, |session, cx| {
                    session.refuse_invitation(cx, StatusCode::from(487), None, Headers::default(), now);
                    session.end(cx, EndCause::Cancelled, now);
                });
            }
            ServerUse::Reinvite(session) => {
                self.with(session, |session, cx| session.on_reinvite_cancelled(cx, now));
            }
            ServerUse::Other => {}
        }
    }

    /// A new call.
    fn on_invite(&mut self, flow: Flow, mut request: Request, now: Instant) {
        if self.sessions.len() >= MAX_SESSIONS {
            self.refuse_for_now(&request, flow);
            return;
        }
        match body::of(&request.headers, &request.body) {
            Body::None => {}
            // The engine is given the session description alone, whatever it came wrapped in.
            Body::Sdp(sdp) => {
                request.headers.set("Content-Type", "application/sdp");
                request.body = sdp;
            }
            Body::Unsupported => {
                let mut response = request.response(StatusCode::UnsupportedMediaType, None);
                response.headers.push("Accept", ACCEPT);
                self.cx.respond_stateless(&request, response, flow);
                return;
            }
        }
        let id = self.next_session();
        let tag = self.cx.token();
        let (wish, floor) = (self.cx.settings.session_expires, self.cx.settings.min_se);
        let supported = request.headers.lists("Supported", "timer") || request.headers.lists("Require", "timer");
        let timer = match crate::sip::session_timer::answer(&request.headers, supported, wish, floor) {
            Ok(timer) => timer,
            Err(min_se) => {
                let mut response = request.response(StatusCode::SessionIntervalTooSmall, None);
                response.headers.push("Min-SE", min_se.as_secs().to_string());
                self.cx.respond_stateless(&request, response, flow);
                return;
            }
        };
        let transaction = self.cx.transactions.serve(&request, Destination::Flow(flow), ServerUse::Invite(id), now);
        let event = Event::Incoming { session: id, flow, request: Box::new(request.clone()) };
        let session = Session::ring(id, tag.clone(), (transaction, request, flow), timer, &mut self.cx, now);
        self.tags.insert(tag, id);
        self.sessions.insert(id, Box::new(session));
        self.cx.tell(event);
    }

    /// §11.2: "The response to an OPTIONS […] Allow, Accept, Accept-Encoding, Accept-Language, and Supported header fields
    /// SHOULD be present."
    fn on_options(&mut self, request: &Request, flow: Flow) {
        let full = self.sessions.len() >= MAX_SESSIONS;
        let mut response = request.response(StatusCode::from(if full { 503 } else { 200 }), None);
        response.headers.push("Allow", ALLOW_OUTSIDE);
        response.headers.push("Accept", ACCEPT);
        response.headers.push("Accept-Encoding", "identity");
        response.headers.push("Accept-Language", "en");
        response.headers.push("Supported", SUPPORTED);
        self.cx.respond_stateless(request, response, flow);
    }

    fn turn_away(&mut self, request: &Request, status: StatusCode, flow: Flow) {
        self.cx.respond_stateless(request, request.response(status, None), flow);
    }

    fn refuse_for_now(&mut self, request: &Request, flow: Flow) {
        let mut response = request.response(StatusCode::from(503), None);
        response.headers.push("Retry-After", RETRY_AFTER);
        self.cx.respond_stateless(request, response, flow);
    }

    /// §12: a dialog is known by Call-ID, our tag (To) and the peer's tag (From).
    fn session_of(&mut self, request: &Request) -> Option<SessionId> {
        let id = *self.tags.get(request.core.to.tag()?)?;
        self.sessions.get_mut(&id)?.knows(request).then_some(id)
    }
}

/// The ACK to a refusal of the INVITE that these bytes are.
fn ack_for(invite: &Bytes, response: &Response) -> Option<Bytes> {
    match Message::parse(invite) {
        Ok(Message::Request(invite)) => Some(invite.ack_for(response).to_bytes()),
        _ => None,
    }
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: the top Via learns where the request really came from.
fn note_source(request: &mut Request, flow: Flow) {
    let Some(via) = request.core.via.first_mut() else { return };
    let differs = via.host != Host::Address(flow.remote.ip());
    let asks = via.params.contains("rport");
    if asks {
        via.params.set("rport", Some(flow.remote.port().to_string()));
    }
    if differs || asks {
        via.params.set("received", Some(flow.remote.ip().to_string()));
    }
}
