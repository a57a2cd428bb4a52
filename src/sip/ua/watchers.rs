//! Subscriptions of others to us (RFC 6665 §4.2): granted by the engine, kept in their dialog, told by NOTIFY one at a time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Event;
use super::context::{ClientUse, Context, ServerUse, user_of};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request, Response, StatusCode};
use crate::sip::transaction::{TransactionId, Why};
use crate::sip::{Destination, Flow};
use crate::time::{Deadlines, Instant};

/// Watchers at once; the next one is refused.
pub(super) const MAX_WATCHERS: usize = 20_000;

/// One who watches us; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatcherId(pub u64);

/// How long subscriptions to us may last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Terms {
    pub least: Duration,
    pub most: Duration,
}

impl Terms {
    /// What is granted to a SUBSCRIBE; `Err` where it asks for less than the least (423). Zero takes a subscription back.
    pub fn grant(&self, request: &Request) -> Result<Duration, Duration> {
        match request.headers.expires().map(|seconds| Duration::from_secs(seconds.into())) {
            Some(Duration::ZERO) => Ok(Duration::ZERO),
            Some(asked) if asked < self.least => Err(self.least),
            Some(asked) => Ok(asked.min(self.most)),
            None => Ok(self.most),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Watcher {
    dialog: Dialog,
    /// As the SUBSCRIBE had it, with its id.
    event: String,
    media_type: String,
    terms: Terms,
    expires_at: Instant,
    /// The NOTIFY that waits for its response.
    transaction: Option<TransactionId>,
    /// What is to be told after it; only the last word counts.
    next: Option<Bytes>,
    /// Its time is over: the next NOTIFY is the last.
    over: bool,
}

/// See the module.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Watchers {
    last: u64,
    alive: BTreeMap<WatcherId, Box<Watcher>>,
    /// By our tag.
    tags: HashMap<String, WatcherId>,
    expiries: Deadlines<WatcherId>,
}

impl Watchers {
    pub fn len(&self) -> usize {
        self.alive.len()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.next()
    }

    /// The watcher that a SUBSCRIBE makes, and the 200 to it. The state is to be told at once (§4.2.1.2).
    pub fn grant(
        &mut self,
        cx: &mut Context,
        request: &Request,
        flow: Flow,
        media_type: &str,
        (terms, granted): (Terms, Duration),
        now: Instant,
    ) -> (WatcherId, Response) {
        self.last += 1;
        let id = WatcherId(self.last);
        let tag = cx.token();
        let mut local = request.core.to.clone();
        local.set_tag(&tag);
        let watcher = Watcher {
            dialog: Dialog::from_request(request, local, flow),
            event: request.headers.get("Event").unwrap_or_default().to_owned(),
            media_type: media_type.to_owned(),
            terms,
            expires_at: now + granted,
            transaction: None,
            next: None,
            over: granted.is_zero(),
        };
        let response = watcher.accepted(cx, request, granted, &tag);
        self.tags.insert(tag, id);
        self.alive.insert(id, Box::new(watcher));
        self.expiries.set(id, now + granted);
        (id, response)
    }

    /// Tells a watcher how things are now.
    pub fn notify(&mut self, cx: &mut Context, id: WatcherId, body: Bytes, now: Instant) {
        let Some(watcher) = self.alive.get_mut(&id) else { return };
        watcher.next = Some(body);
        self.tell_next(cx, id, now);
    }

    fn tell_next(&mut self, cx: &mut Context, id: WatcherId, now: Instant) {
        let Some(watcher) = self.alive.get_mut(&id).filter(|watcher| watcher.transaction.is_none()) else { return };
        let Some(body) = watcher.next.take() else { return };
        let left = watcher.expires_at.since(now).as_secs();
        let state = match watcher.over {
            true => "terminated;reason=timeout".to_owned(),
            false => format!("active;expires={left}"),
        };
        let mut request = watcher.dialog.request(Method::Notify);
        let to = watcher.dialog.destination();
        request.headers.push("Event", watcher.event.clone());
        request.headers.push("Subscription-State", state);
        request.headers.push("Contact", cx.contact(to, user_of(&watcher.dialog.local.uri)).to_string());
        if !body.is_empty() {
            request.headers.push("Content-Type", watcher.media_type.clone());
        }
        request.body = body;
        watcher.transaction = Some(cx.request(request, to, ClientUse::Watcher(id), now));
    }

    pub fn on_response(
        &mut self,
        cx: &mut Context,
        id: WatcherId,
        response: &Response,
        transaction: TransactionId,
        now: Instant,
    ) {
        let known = self.alive.get_mut(&id).filter(|watcher| watcher.transaction == Some(transaction));
        let Some(watcher) = known.filter(|_| response.code() >= 200) else { return };
        watcher.transaction = None;
        // §4.2.2: what refuses a NOTIFY wants no more of them; 401 and 407 cannot be answered here.
        if response.code() >= 300 || (watcher.over && watcher.next.is_none()) {
            return self.gone(cx, id);
        }
        self.tell_next(cx, id, now);
    }

    pub fn on_closed(&mut self, cx: &mut Context, id: WatcherId, transaction: TransactionId, why: Why) {
        let waits = |watcher: &Watcher| watcher.transaction == Some(transaction);
        if why != Why::Done && self.alive.get(&id).is_some_and(|watcher| waits(watcher)) {
            self.gone(cx, id);
        }
    }

    /// A SUBSCRIBE in one of these dialogs: it lasts longer, or is taken back. `false` where it is none of these.
    pub fn takes(&mut self, cx: &mut Context, request: &Request, flow: Flow, now: Instant) -> bool {
        let tag = request.core.to.tag().unwrap_or_default();
        let Some(id) = self.tags.get(tag).copied() else { return false };
        let ours = |watcher: &Watcher| {
            let theirs = request.core.from.tag();
            watcher.dialog.call_id == request.core.call_id && theirs.is_some() && theirs == watcher.dialog.remote_tag()
        };
        let Some(watcher) = self.alive.get_mut(&id).filter(|watcher| ours(watcher)) else { return false };
        let transaction = cx.transactions.serve(request, Destination::Flow(flow), ServerUse::Other, now);
        let refusal = |status: u16| request.response(StatusCode::from(status), None);
        let response = if request.method != Method::Subscribe {
            let mut response = refusal(405);
            response.headers.push("Allow", "SUBSCRIBE");
            response
        } else if !watcher.dialog.takes(request.core.cseq.number) {
            refusal(500)
        } else if watcher.over {
            refusal(481)
        } else {
            match watcher.terms.grant(request) {
                Err(least) => {
                    let mut response = refusal(423);
                    response.headers.push("Min-Expires", least.as_secs().to_string());
                    response
                }
                Ok(granted) => {
                    watcher.dialog.refresh_target(&request.headers);
                    watcher.dialog.path = Destination::Flow(flow);
                    watcher.expires_at = now + granted;
                    watcher.over = granted.is_zero();
                    self.expiries.set(id, now + granted);
                    cx.tell(Event::Watched { watcher: id });
                    watcher.accepted(cx, request, granted, tag)
                }
            }
        };
        cx.respond(transaction, response, now);
        true
    }

    /// Ends the watchers whose time is over; `false` when there is none.
    pub fn handle_timeout(&mut self, cx: &mut Context, now: Instant) -> bool {
        let Some(id) = self.expiries.expire(now) else { return false };
        // What was taken back is told of once more by the engine; what has run out, by an empty last word.
        if self.alive.get(&id).is_some_and(|watcher| !watcher.over) {
            self.end(cx, id, now);
        }
        true
    }

    /// Ends one that may watch no longer, with an empty last word; the subscriber may ask again (§4.2.2).
    pub fn end(&mut self, cx: &mut Context, id: WatcherId, now: Instant) {
        if let Some(watcher) = self.alive.get_mut(&id) {
            watcher.over = true;
            self.notify(cx, id, Bytes::new(), now);
        }
    }

    fn gone(&mut self, cx: &mut Context, id: WatcherId) {
        let Some(watcher) = self.alive.remove(&id) else { return };
        self.expiries.clear(&id);
        if let Some(tag) = watcher.dialog.local.tag() {
            self.tags.remove(tag);
        }
        cx.tell(Event::Unwatched { watcher: id });
    }
}

impl Watcher {
    fn accepted(&self, cx: &Context, request: &Request, granted: Duration, tag: &str) -> Response {
        let mut response = request.response(StatusCode::OK, Some(tag));
        response.headers.push("Expires", granted.as_secs().to_string());
        let contact = cx.contact(self.dialog.path, user_of(&self.dialog.local.uri));
        response.headers.push("Contact", contact.to_string());
        response
    }
}
