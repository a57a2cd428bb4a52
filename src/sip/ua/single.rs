//! Requests outside any dialog: REGISTER, OPTIONS and the like, ours and theirs.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::challenge::{MAX_CHALLENGES, authorize};
use super::context::{ClientUse, Context, ServerUse, user_of};
use super::{Event, RequestTicket, SingleRequest};
use crate::settings::Credentials;
use crate::sip::message::{CSeq, Core, Message, Method, Request, Response, StatusCode};
use crate::sip::transaction::{TransactionId, Why};
use crate::sip::{Destination, Flow};
use crate::time::Instant;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Singles {
    last: u64,
    ours: BTreeMap<RequestTicket, Ours>,
    theirs: BTreeMap<RequestTicket, TransactionId>,
    /// RFC 3261 §10.2: "All registrations from a UAC SHOULD use the same Call-ID header field value for registrations sent
    /// to a particular registrar", with CSeq going up. One entry an address of record of ours.
    registrations: HashMap<String, (String, u32)>,
}

#[derive(Serialize, Deserialize)]
struct Ours {
    transaction: TransactionId,
    request: Bytes,
    credentials: Option<Credentials>,
    challenges: u8,
}

impl Singles {
    pub fn len(&self) -> usize {
        self.ours.len() + self.theirs.len()
    }

    fn next_ticket(&mut self) -> RequestTicket {
        self.last += 1;
        RequestTicket(self.last)
    }

    /// Sends a request of ours.
    pub fn send(&mut self, cx: &mut Context, single: SingleRequest, now: Instant) -> RequestTicket {
        let ticket = self.next_ticket();
        let (call_id, number) = match single.method {
            Method::Register => self.registration(cx, &single),
            _ => (format!("{}{}", cx.token(), cx.token()), 1),
        };
        let user = user_of(&single.from.uri);
        let mut from = single.from;
        from.set_tag(&cx.token());
        let method = single.method;
        let mut request = Request {
            method,
            uri: single.request_uri,
            core: Core {
                via: Vec::new(),
                from,
                to: single.to_header,
                call_id: call_id.into(),
                cseq: CSeq { number, method },
            },
            max_forwards: Some(70),
            headers: single.headers,
            body: single.body,
        };
        if request.headers.get("Contact").is_none() {
            request.headers.push("Contact", cx.contact(single.to, user).to_string());
        }
        let transaction = cx.request(request, single.to, ClientUse::Single(ticket), now);
        let request = cx.transactions.sent(transaction).map(|(_, bytes)| bytes).unwrap_or_default();
        self.ours.insert(ticket, Ours { transaction, request, credentials: single.credentials, challenges: 0 });
        ticket
    }

    fn registration(&mut self, cx: &mut Context, single: &SingleRequest) -> (String, u32) {
        let key = format!("{} {}", single.request_uri, single.to_header.uri);
        let entry = self.registrations.entry(key).or_insert_with(|| (format!("{}{}", cx.token(), cx.token()), 0));
        entry.1 = entry.1.saturating_add(1);
        entry.clone()
    }

    pub fn on_response(
        &mut self,
        cx: &mut Context,
        ticket: RequestTicket,
        response: Response,
        id: TransactionId,
        now: Instant,
    ) {
        let status = response.status.code();
        let Some(ours) = self.ours.get_mut(&ticket) else { return };
        if status < 200 || ours.transaction != id {
            return;
        }
        if matches!(status, 401 | 407) && ours.challenges < MAX_CHALLENGES && self.retry(cx, ticket, &response, now) {
            return;
        }
        self.ours.remove(&ticket);
        cx.tell(Event::Response { ticket, response: Box::new(response) });
    }

    fn retry(&mut self, cx: &mut Context, ticket: RequestTicket, response: &Response, now: Instant) -> bool {
        let Some(ours) = self.ours.get_mut(&ticket) else { return false };
        let Some((to, mut request)) = cx.sent(ours.transaction) else { return false };
        let number = request.core.cseq.number.saturating_add(1);
        request.core.cseq.number = number;
        if !authorize(cx, &mut request, response, ours.credentials.as_ref()) {
            return false;
        }
        if request.method == Method::Register {
            let key = format!("{} {}", request.uri, request.core.to.uri);
            if let Some(entry) = self.registrations.get_mut(&key) {
                entry.1 = entry.1.max(number);
            }
        }
        ours.challenges += 1;
        ours.transaction = cx.request(request, to, ClientUse::Single(ticket), now);
        true
    }

    /// A client transaction of ours is over; without a final response a 408 or 503 stands for it (§8.1.3.1).
    pub fn on_closed(&mut self, cx: &mut Context, ticket: RequestTicket, id: TransactionId, why: Why) {
        if self.ours.get(&ticket).is_none_or(|ours| ours.transaction != id) {
            return;
        }
        let Some(ours) = self.ours.remove(&ticket) else { return };
        let status = if why == Why::TransportError { 503 } else { 408 };
        if let Ok(Message::Request(request)) = Message::parse(&ours.request) {
            let response = request.response(StatusCode::from(status), None);
            cx.tell(Event::Response { ticket, response: Box::new(response) });
        }
    }

    /// A request that the engine is to decide.
    pub fn take(&mut self, cx: &mut Context, request: Request, flow: Flow, now: Instant) {
        let ticket = self.next_ticket();
        let id = cx.transactions.serve(&request, Destination::Flow(flow), ServerUse::Other, now);
        self.theirs.insert(ticket, id);
        cx.tell(Event::Request { ticket, flow, request: Box::new(request) });
    }

    pub fn respond(&mut self, cx: &mut Context, ticket: RequestTicket, mut response: Response, now: Instant) {
        let id = match response.status.code() {
            100..=199 => self.theirs.get(&ticket).copied(),
            _ => self.theirs.remove(&ticket),
        };
        let Some(id) = id else { return };
        if response.core.to.tag().is_none() && response.status.code() != 100 {
            response.core.to.set_tag(&cx.token());
        }
        cx.respond(id, response, now);
    }
}
