//! The user agent: sessions made by INVITE, and single requests, over the transactions of RFC 3261. Sans-IO: it is
//! handed messages and the time, and asked what to send, what happened and when to be called again.

mod body;
mod calling;
mod challenge;
mod checks;
mod context;
mod inbound;
mod indialog;
mod ours;
mod refer;
mod ringing;
mod session;
mod single;
mod subscription;
#[cfg(test)]
mod tests;
mod theirs;
mod watchers;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::context::{Context, Wake};
pub use self::refer::{Referral, Replaces};
use self::session::Session;
use self::single::Singles;
use self::subscription::Subscriptions;
pub use self::subscription::{Subscribe, SubscriptionEnd, SubscriptionId};
use self::watchers::{MAX_WATCHERS, Watchers};
pub use self::watchers::{Terms, WatcherId};
use super::message::{Headers, Message, Method, NameAddr, Request, Response, StatusCode, Uri};
use super::{Destination, Flow, Transmit};
use crate::ids::SessionId;
use crate::settings::{Credentials, Listen};
use crate::time::Instant;

/// Sessions alive at once, the ones that are tidying up among them; the next INVITE gets 503 with Retry-After.
const MAX_SESSIONS: usize = 50_000;
/// Server transactions alive at once; the next request gets 503 with Retry-After, from no memory.
const MAX_SERVERS: usize = 200_000;

/// An INVITE to be sent.
#[derive(Clone, Debug)]
pub struct Invite {
    /// First hop.
    pub to: Destination,
    pub request_uri: Uri,
    /// The tag is added by the user agent.
    pub from: NameAddr,
    pub to_header: NameAddr,
    pub headers: Headers,
    /// The offer; `None` asks the far end for one (late offer).
    pub sdp: Option<Bytes>,
    /// Answer a 401 or 407 with these, at most twice in a row and only for our own realm's peer.
    pub credentials: Option<Credentials>,
    /// RFC 3261 §20.22; 70 for a call that begins here.
    pub max_forwards: u8,
    /// Fails with 408 when nothing at all has come back by then: sooner than Timer B, where there is another server to
    /// try (RFC 3263 §4.3). What comes later is cancelled.
    pub first_word_within: Option<Duration>,
}

/// A request outside any dialog: OPTIONS, REGISTER, …
#[derive(Clone, Debug)]
pub struct SingleRequest {
    pub method: Method,
    pub to: Destination,
    pub request_uri: Uri,
    pub from: NameAddr,
    pub to_header: NameAddr,
    pub headers: Headers,
    pub body: Bytes,
    pub credentials: Option<Credentials>,
}

/// A request of ours, or one of theirs, that waits for its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestTicket(pub u64);

/// How a body with SDP takes part in offer/answer (RFC 3264, RFC 6337).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sdp {
    Offer(Bytes),
    Answer(Bytes),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// The peer sent BYE.
    Bye { q850: Option<u8> },
    /// The peer cancelled its INVITE before we answered.
    Cancelled,
    /// Our 2xx was never acknowledged, or a request in the dialog went unanswered (408, 481).
    Timeout,
    /// RFC 4028: nobody refreshed the session.
    Expired,
    /// The flow broke and there is no other way to the peer.
    TransportError,
    /// We ended it.
    Local,
}

/// What happened. Every session yields exactly one of `Failed` or `Ended` as its last event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A new call. Answer with `progress`, `accept` or `reject`; 100 has been sent.
    Incoming { session: SessionId, flow: Flow, request: Box<Request> },
    /// 101–199 to our INVITE. With `Sdp::Offer` (a reliable response to an INVITE without one) call `answer`.
    Progress { session: SessionId, status: u16, sdp: Option<Sdp> },
    /// 2xx to our INVITE. With `Sdp::Offer` (late offer) call `answer` to send the ACK; else the ACK is sent. An answer that
    /// came in a provisional response of the same fork is told again; without SDP what was agreed by UPDATE stands.
    Answered { session: SessionId, response: Box<Response>, sdp: Option<Sdp> },
    /// The ACK to our first 2xx came; it carries the answer when we made the offer.
    Confirmed { session: SessionId, sdp: Option<Sdp> },
    /// A final refusal, a time-out (408) or an unreachable peer (503) of our INVITE.
    Failed { session: SessionId, status: u16, reason: String, q850: Option<u8> },
    /// re-INVITE or UPDATE from the peer. `None` asks for our offer. Reply with `answer` or `refuse`.
    Reoffered { session: SessionId, sdp: Option<Sdp> },
    /// The peer answered our `offer`, or the one we gave by `progress` or by `answer` to a `Reoffered` without SDP.
    Reanswered { session: SessionId, sdp: Bytes },
    /// The peer refused our `offer`; what was agreed before stands. 491 is re-tried by the user agent itself.
    OfferRefused { session: SessionId, status: u16 },
    /// INFO in the dialog; it has been answered.
    Info { session: SessionId, content_type: String, body: Bytes },
    /// The peer asks us to put the call through to somebody else (REFER). Reply with `take_referral` or `tell_of_referral`.
    Referred { session: SessionId, referral: Box<Referral> },
    /// The session is over; nothing more is sent for it but retransmissions.
    Ended { session: SessionId, cause: EndCause },
    /// A request outside any dialog: REGISTER, OPTIONS, … Reply with `respond`.
    Request { ticket: RequestTicket, flow: Flow, request: Box<Request> },
    /// The final response to a `SingleRequest`; 408 when none came.
    Response { ticket: RequestTicket, response: Box<Response> },
    /// NOTIFY in a subscription of ours; it has been answered. The body is of the type that was asked for, or empty. Not
    /// `active` as long as the subscription waits to be allowed.
    Notified { subscription: SubscriptionId, active: bool, body: Bytes },
    /// A subscription of ours is over, and its last event told.
    Unsubscribed { subscription: SubscriptionId, why: SubscriptionEnd },
    /// Who watches us has refreshed the subscription, or taken it back: `notify` how things are now.
    Watched { watcher: WatcherId },
    /// Nobody is told by this watcher any more.
    Unwatched { watcher: WatcherId },
}

/// How the user agent presents itself, and its timers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UaSettings {
    /// `Server` and `User-Agent`.
    pub product: String,
    /// RFC 4028: the session interval we ask for, and the smallest we accept.
    pub session_expires: Duration,
    pub min_se: Duration,
    /// RFC 3261 table 4: 500 ms, 4 s, 5 s.
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
    /// Stands for the bound address in Contact and Via, except on loopback.
    pub public_address: Option<IpAddr>,
    pub listen: Vec<Listen>,
}

impl UaSettings {
    /// With the timers that RFC 3261 and RFC 4028 recommend.
    pub fn new(product: &str, listen: Vec<Listen>) -> Self {
        UaSettings {
            product: product.to_owned(),
            session_expires: Duration::from_secs(1_800),
            min_se: Duration::from_secs(90),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            public_address: None,
            listen,
        }
    }
}

/// What is alive: all zero when every call is over and its last repetitions are past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UaCounts {
    pub transactions: usize,
    /// Sessions, also those that are over and still tidying up.
    pub sessions: usize,
    /// Single requests without their final response, of both sides.
    pub requests: usize,
    /// Subscriptions of ours, and of others to us.
    pub subscriptions: usize,
    pub timers: usize,
}

/// See the module.
#[derive(Serialize, Deserialize)]
pub struct UserAgent {
    cx: Context,
    last_session: u64,
    /// Boxed, so that the half-empty nodes of a map that grows at its end cost little.
    sessions: BTreeMap<SessionId, Box<Session>>,
    /// Sessions by our tag.
    tags: HashMap<String, SessionId>,
    singles: Singles,
    subscriptions: Subscriptions,
    watchers: Watchers,
}

impl UserAgent {
    pub fn new(settings: UaSettings, seed: [u8; 32]) -> Self {
        UserAgent {
            cx: Context::new(settings, seed),
            last_session: 0,
            sessions: BTreeMap::new(),
            tags: HashMap::new(),
            singles: Singles::default(),
            subscriptions: Subscriptions::default(),
            watchers: Watchers::default(),
        }
    }

    /// A message that came by `flow`.
    pub fn handle_message(&mut self, flow: Flow, message: Message, now: Instant) {
        match message {
            Message::Request(request) => self.on_request(flow, request, now),
            Message::Response(response) => self.on_response(flow, response, now),
        }
        self.drain_closed(now);
    }

    /// What was sent to `to` does not arrive there.
    pub fn handle_transport_error(&mut self, to: &Destination, now: Instant) {
        self.cx.transactions.fail(to);
        self.drain_closed(now);
    }

    /// Runs the timers that are due; call at `poll_timeout`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.cx.transactions.handle_timeout(now);
        self.drain_closed(now);
        while let Some((session, wake)) = self.cx.deadlines.expire(now) {
            self.with(session, |session, cx| session.on_wake(cx, wake, now));
            self.drain_closed(now);
        }
        while self.subscriptions.handle_timeout(&mut self.cx, now) {}
        while self.watchers.handle_timeout(&mut self.cx, now) {}
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let subscriptions = self.subscriptions.poll_timeout().into_iter().chain(self.watchers.poll_timeout()).min();
        [self.cx.transactions.poll_timeout(), self.cx.deadlines.next(), subscriptions].into_iter().flatten().min()
    }

    /// To be asked once every event has been handled: by then a new call may have its answer, and needs no 100.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some((id, at)) = self.cx.unanswered.pop() {
            if let Some(session) = self.sessions.get(&id) {
                session.say_trying(&mut self.cx, at);
            }
        }
        self.cx.transactions.poll_transmit()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.cx.events.pop_front()
    }

    /// Calls. The session ends with `Failed` or `Ended`, whatever happens.
    pub fn invite(&mut self, invite: Invite, now: Instant) -> SessionId {
        let id = self.next_session();
        if self.sessions.len() >= MAX_SESSIONS {
            let reason = "too many sessions".to_owned();
            self.cx.tell(Event::Failed { session: id, status: 503, reason, q850: None });
            return id;
        }
        let tag = self.cx.token();
        let session = Session::call(id, tag.clone(), invite, &mut self.cx, now);
        self.tags.insert(tag, id);
        self.sessions.insert(id, Box::new(session));
        id
    }

    /// 101–199 to an `Incoming`. With SDP it is the answer, or our offer where the INVITE had none; it is sent reliably
    /// (RFC 3262) when the peer requires that, or supports it and there is SDP. An offer can only go reliably, and is
    /// left out of the response otherwise. Its answer comes as `Reanswered`.
    pub fn progress(&mut self, session: SessionId, status: u16, sdp: Option<Bytes>, now: Instant) {
        self.with(session, |session, cx| session.progress(cx, status, sdp, now));
    }

    /// 200 to an `Incoming`: the answer, or our offer when the INVITE had none. What a reliable provisional response has
    /// answered already is not sent again. Waits for the PRACK of such a response.
    pub fn accept(&mut self, session: SessionId, sdp: Bytes, headers: Headers, now: Instant) {
        self.with(session, |session, cx| session.accept(cx, sdp, headers, now));
    }

    /// 3xx–6xx to an `Incoming`; `Ended` follows.
    pub fn reject(&mut self, session: SessionId, status: u16, reason: Option<&str>, headers: Headers, now: Instant) {
        self.with(session, |session, cx| {
            if session.is_ringing() {
                session.refuse_invitation(cx, StatusCode::from(status.clamp(300, 699)), reason, headers, now);
                session.end(cx, EndCause::Local, now);
            }
        });
    }

    /// Offers new media: by re-INVITE, or by UPDATE before the call is answered. While another exchange runs it waits;
    /// a newer offer takes the place of one that waits. Ends in `Reanswered` or `OfferRefused`.
    pub fn offer(&mut self, session: SessionId, sdp: Bytes, now: Instant) {
        self.with(session, |session, cx| session.offer(cx, sdp, now));
    }

    /// Answers `Reoffered`, or the offer in `Answered` or `Progress`. For a `Reoffered` without SDP it is our offer, whose
    /// answer comes as `Reanswered`.
    pub fn answer(&mut self, session: SessionId, sdp: Bytes, now: Instant) {
        self.with(session, |session, cx| session.answer(cx, sdp, now));
    }

    /// Refuses `Reoffered` (488); the session goes on. An offer in `Answered` can only be refused by ending the session.
    pub fn refuse(&mut self, session: SessionId, status: u16, now: Instant) {
        self.with(session, |session, cx| session.refuse(cx, status, now));
    }

    /// Ends the session by CANCEL, BYE or 603. `Ended` comes at once; what the network still needs is done behind it.
    pub fn hang_up(&mut self, session: SessionId, headers: Headers, now: Instant) {
        self.with(session, |session, cx| session.hang_up(cx, headers, EndCause::Local, now));
    }

    /// Asks the phone of a call that rings to answer it. `false` where it does not say that it can.
    pub fn ask_to_answer(&mut self, session: SessionId, now: Instant) -> bool {
        let mut asked = false;
        self.with(session, |session, cx| asked = session.ask_to_answer(cx, now));
        asked
    }

    /// INFO in an answered session; its answer is not told.
    pub fn info(&mut self, session: SessionId, content_type: &str, body: Bytes, now: Instant) {
        self.with(session, |session, cx| session.info(cx, content_type, body, now));
    }

    /// Takes what a `Referred` asks for: 202, and it is being tried.
    pub fn take_referral(&mut self, session: SessionId, now: Instant) {
        self.with(session, |session, cx| session.take_referral(cx, now));
    }

    /// Refuses what a `Referred` asks for; or, once it is taken, tells how it went (RFC 3515 §2.4.5): a status from 200 on is
    /// the last word.
    pub fn tell_of_referral(&mut self, session: SessionId, status: u16, now: Instant) {
        self.with(session, |session, cx| session.tell_of_referral(cx, status, now));
    }

    /// The session whose dialog this is, as its other end names it (RFC 3891 §3): our tag and the peer's, whichever way round.
    pub fn replaced(&self, replaces: &Replaces) -> Option<SessionId> {
        let found = |ours: &str, theirs: &str| {
            let id = self.tags.get(ours)?;
            let dialog = self.sessions.get(id)?.dialog.as_ref()?;
            (*dialog.call_id == *replaces.call_id && dialog.remote_tag() == Some(theirs)).then_some(*id)
        };
        let Replaces { to_tag, from_tag, .. } = replaces;
        found(to_tag, from_tag).or_else(|| found(from_tag, to_tag))
    }

    /// A request outside any dialog; `Response` follows. Contact is added where it is missing. REGISTERs of one address
    /// of record at one registrar share their Call-ID.
    pub fn request(&mut self, request: SingleRequest, now: Instant) -> RequestTicket {
        self.singles.send(&mut self.cx, request, now)
    }

    /// Asks to be told of something (RFC 6665). `Notified` follows any number of times, then `Unsubscribed` once.
    pub fn subscribe(&mut self, wish: Subscribe, now: Instant) -> SubscriptionId {
        self.subscriptions.begin(&mut self.cx, wish, now)
    }

    /// Asks a notifier for the full state out of its turn.
    pub fn refresh_subscription(&mut self, id: SubscriptionId, now: Instant) {
        self.subscriptions.refresh(&mut self.cx, id, now);
    }

    /// Takes a subscription back. Nothing is told of it any more.
    pub fn unsubscribe(&mut self, id: SubscriptionId, now: Instant) {
        self.subscriptions.leave(&mut self.cx, id, now);
    }

    /// Forgets a subscription whose notifier is gone. Nothing is told of it any more.
    pub fn drop_subscription(&mut self, id: SubscriptionId) {
        self.subscriptions.forget(id);
    }

    /// Grants the SUBSCRIBE of an `Event::Request`, which is answered by it; `notify` is to follow at once. `None` where it was
    /// refused: too short (423), or there are too many (503).
    pub fn grant(
        &mut self,
        ticket: RequestTicket,
        request: &Request,
        flow: Flow,
        media_type: &str,
        terms: Terms,
        now: Instant,
    ) -> Option<WatcherId> {
        let granted = match terms.grant(request) {
            Ok(granted) if self.watchers.len() < MAX_WATCHERS => granted,
            full_or_short => {
                let status = if full_or_short.is_ok() { 503 } else { 423 };
                let mut response = request.response(StatusCode::from(status), None);
                match full_or_short {
                    Ok(_) => response.headers.push("Retry-After", "60"),
                    Err(least) => response.headers.push("Min-Expires", least.as_secs().to_string()),
                }
                self.respond(ticket, response, now);
                return None;
            }
        };
        let (id, response) = self.watchers.grant(&mut self.cx, request, flow, media_type, (terms, granted), now);
        self.respond(ticket, response, now);
        Some(id)
    }

    /// Tells a watcher how things are now; while an earlier NOTIFY is under way the last word waits.
    pub fn notify(&mut self, watcher: WatcherId, body: Bytes, now: Instant) {
        self.watchers.notify(&mut self.cx, watcher, body, now);
    }

    /// Takes back what was granted to a watcher.
    pub fn end_watcher(&mut self, watcher: WatcherId, now: Instant) {
        self.watchers.end(&mut self.cx, watcher, now);
    }

    /// Where we can be reached by whom `to` leads to: what our requests there have in Contact.
    pub fn contact(&self, to: Destination, user: Option<String>) -> NameAddr {
        self.cx.contact(to, user)
    }

    /// Answers an `Event::Request`.
    pub fn respond(&mut self, ticket: RequestTicket, response: Response, now: Instant) {
        self.singles.respond(&mut self.cx, ticket, response, now);
    }

    /// The sessions whose far end was last heard by this flow.
    pub fn sessions_by(&self, flow: &Flow) -> Vec<SessionId> {
        let by = |session: &Session| session.path() == Some(Destination::Flow(*flow));
        self.sessions.iter().filter(|(_, session)| by(session)).map(|(id, _)| *id).collect()
    }

    /// The way by which the far end was last heard.
    pub fn path(&self, session: SessionId) -> Option<Destination> {
        self.sessions.get(&session)?.path()
    }

    /// Who has this contact is reached by another flow from now on (RFC 5626 §5.3): whether that is the session's far end.
    pub fn move_to(&mut self, session: SessionId, contact: &Uri, flow: Flow) -> bool {
        self.sessions.get_mut(&session).is_some_and(|session| session.move_to(contact, flow))
    }

    pub fn counts(&self) -> UaCounts {
        let (transactions, timers) = self.cx.transactions.counts();
        UaCounts {
            transactions,
            sessions: self.sessions.len(),
            requests: self.singles.len(),
            subscriptions: self.subscriptions.len() + self.watchers.len(),
            timers: timers + self.cx.deadlines.len(),
        }
    }

    fn next_session(&mut self) -> SessionId {
        self.last_session += 1;
        SessionId(self.last_session)
    }

    /// Lets a session act, and buries it when that was its last act.
    fn with(&mut self, id: SessionId, act: impl FnOnce(&mut Session, &mut Context)) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        act(session, &mut self.cx);
        if session.is_finished() {
            self.tags.remove(&session.tag);
            self.sessions.remove(&id);
            for wake in Wake::ALL {
                self.cx.forget(id, wake);
            }
        }
    }
}
