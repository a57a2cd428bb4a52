//! Subscriptions of ours (RFC 6665): a SUBSCRIBE outside any dialog, the dialog that the first NOTIFY makes, refreshes
//! before it expires, and its one end, which is told. When to try again is for the engine to decide.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Event;
use super::challenge::{MAX_CHALLENGES, authorize};
use super::context::{ClientUse, Context, ServerUse, user_of};
use crate::settings::Credentials;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Headers, Method, NameAddr, Request, Response, StatusCode, Uri};
use crate::sip::refresh::refresh_after;
use crate::sip::transaction::{TransactionId, Why};
use crate::sip::{Destination, Flow};
use crate::time::{Deadlines, Instant};

/// A notifier that wants a longer interval than this wants nonsense.
const LONGEST: Duration = Duration::from_secs(86_400);
/// A 423 is obeyed so often in a row.
const MAX_RAISED: u8 = 2;
/// A refresh that failed for now is tried again after this, while the subscription lives.
const REFRESH_AGAIN: Duration = Duration::from_secs(5);

/// What we wish to be told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscribe {
    /// First hop.
    pub to: Destination,
    pub request_uri: Uri,
    /// The tag is added by the user agent.
    pub from: NameAddr,
    pub to_header: NameAddr,
    /// The event package: `presence`, `dialog`.
    pub event: String,
    /// The media type that a NOTIFY may have.
    pub accept: String,
    /// Asked for; the notifier may shorten it, or insist on more by 423.
    pub expires: Duration,
    /// Answer a 401 or 407 with these.
    pub credentials: Option<Credentials>,
}

/// A subscription of ours; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriptionId(pub u64);

/// Why a subscription is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubscriptionEnd {
    /// The SUBSCRIBE was refused: by this status, and not before so long is it wise to ask again.
    Refused { status: u16, retry_after: Option<Duration> },
    /// The notifier ended it (RFC 6665 §4.1.3): `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`,
    /// `invariant`, in lower case; empty where it gave no reason.
    Terminated { reason: String, retry_after: Option<Duration> },
    /// No answer, no NOTIFY, or no refresh came through before it expired.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Due {
    Refresh,
    /// §4.1.2.4, Timer N: a NOTIFY has to follow the SUBSCRIBE within 64*T1.
    NotifyMissing,
    Expired,
}

const DUES: [Due; 3] = [Due::Refresh, Due::NotifyMissing, Due::Expired];

#[derive(Serialize, Deserialize)]
struct Subscription {
    wish: Subscribe,
    call_id: String,
    cseq: u32,
    /// Made by the first NOTIFY (§4.4.1).
    dialog: Option<Dialog>,
    /// The SUBSCRIBE that waits for its final response.
    transaction: Option<TransactionId>,
    challenges: u8,
    raised: u8,
    /// We have taken it back; the last NOTIFY is awaited, and nothing is told any more.
    leaving: bool,
}

/// See the module.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Subscriptions {
    last: u64,
    alive: BTreeMap<SubscriptionId, Box<Subscription>>,
    /// By our tag.
    tags: HashMap<String, SubscriptionId>,
    deadlines: Deadlines<(SubscriptionId, Due)>,
}

impl Subscriptions {
    pub fn len(&self) -> usize {
        self.alive.len()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub fn begin(&mut self, cx: &mut Context, mut wish: Subscribe, now: Instant) -> SubscriptionId {
        self.last += 1;
        let id = SubscriptionId(self.last);
        let tag = cx.token();
        wish.from.set_tag(&tag);
        let call_id = format!("{}{}", cx.token(), cx.token());
        let subscription = Subscription {
            wish,
            call_id,
            cseq: 0,
            dialog: None,
            transaction: None,
            challenges: 0,
            raised: 0,
            leaving: false,
        };
        self.tags.insert(tag, id);
        self.alive.insert(id, Box::new(subscription));
        self.ask(cx, id, now);
        id
    }

    /// Asks for the full state anew, which a refresh brings (§4.1.2.2).
    pub fn refresh(&mut self, cx: &mut Context, id: SubscriptionId, now: Instant) {
        if self.alive.get(&id).is_some_and(|known| known.transaction.is_none() && !known.leaving) {
            self.ask(cx, id, now);
        }
    }

    /// Takes a subscription back (§4.1.2.3); nothing is told of it from here on.
    pub fn leave(&mut self, cx: &mut Context, id: SubscriptionId, now: Instant) {
        let Some(subscription) = self.alive.get_mut(&id) else { return };
        subscription.leaving = true;
        if subscription.dialog.is_none() {
            // Without a dialog there is nothing to take back; a NOTIFY that comes yet gets 481, which ends it too.
            return self.bury(id);
        }
        self.ask(cx, id, now);
        self.deadlines.clear(&(id, Due::Refresh));
        self.deadlines.set((id, Due::Expired), now + cx.patience());
    }

    /// Drops a subscription whose notifier is gone; should it live after all, its NOTIFYs get 481.
    pub fn forget(&mut self, id: SubscriptionId) {
        self.bury(id);
    }

    /// Sends SUBSCRIBE: the first, a refresh, or the last.
    fn ask(&mut self, cx: &mut Context, id: SubscriptionId, now: Instant) {
        let Some(subscription) = self.alive.get_mut(&id) else { return };
        subscription.challenges = 0;
        let expires = if subscription.leaving { Duration::ZERO } else { subscription.wish.expires };
        let (mut request, to) = subscription.next_request();
        let wish = &subscription.wish;
        request.headers.push("Event", wish.event.clone());
        request.headers.push("Accept", wish.accept.clone());
        request.headers.push("Expires", expires.as_secs().to_string());
        request.headers.push("Contact", cx.contact(to, user_of(&wish.from.uri)).to_string());
        if subscription.dialog.is_none() {
            self.deadlines.set((id, Due::NotifyMissing), now + cx.patience());
        }
        subscription.transaction = Some(cx.request(request, to, ClientUse::Subscription(id), now));
        self.deadlines.clear(&(id, Due::Refresh));
    }

    pub fn on_response(
        &mut self,
        cx: &mut Context,
        id: SubscriptionId,
        response: &Response,
        transaction: TransactionId,
        now: Instant,
    ) {
        let status = response.code();
        let Some(subscription) = self.alive.get_mut(&id) else { return };
        if status < 200 || subscription.transaction != Some(transaction) {
            return;
        }
        if matches!(status, 401 | 407) && subscription.retry(cx, id, response, transaction, now) {
            return;
        }
        subscription.transaction = None;
        if subscription.leaving {
            if status >= 300 {
                self.bury(id);
            }
            return;
        }
        match status {
            200..=299 => {
                subscription.raised = 0;
                if let Some(dialog) = &mut subscription.dialog {
                    dialog.refresh_target(&response.headers);
                }
                // §4.1.2.1: "the 'Expires' header field […] MUST be present"; what leaves it out gave what was asked.
                let asked = subscription.wish.expires;
                let granted = response.headers.expires().map_or(asked, |s| Duration::from_secs(s.into())).min(LONGEST);
                self.lasts(id, granted, now);
            }
            423 if subscription.raise(&response.headers) => self.ask(cx, id, now),
            // RFC 6665 §4.1.2.2 and RFC 5057 §5.1: what ends neither dialog nor subscription leaves it until its expiry.
            408 | 500 | 502..=599 | 491 if subscription.dialog.is_some() => self.refresh_later(id, now),
            _ => {
                let retry_after = retry_after(response.headers.get("Retry-After"));
                self.end(cx, id, SubscriptionEnd::Refused { status, retry_after });
            }
        }
    }

    /// A client transaction is over; without a final response nobody is there.
    pub fn on_closed(
        &mut self,
        cx: &mut Context,
        id: SubscriptionId,
        transaction: TransactionId,
        why: Why,
        now: Instant,
    ) {
        let Some(subscription) = self.alive.get_mut(&id) else { return };
        if why == Why::Done || subscription.transaction.take_if(|known| *known == transaction).is_none() {
            return;
        }
        if subscription.leaving {
            self.bury(id);
        } else if subscription.dialog.is_some() {
            self.refresh_later(id, now);
        } else {
            self.end(cx, id, SubscriptionEnd::Lost);
        }
    }

    fn refresh_later(&mut self, id: SubscriptionId, now: Instant) {
        self.deadlines.set((id, Due::Refresh), now + REFRESH_AGAIN);
    }

    /// It lives so long from now on, unless it is refreshed.
    fn lasts(&mut self, id: SubscriptionId, granted: Duration, now: Instant) {
        self.deadlines.set((id, Due::Expired), now + granted);
        if self.alive.get(&id).is_some_and(|subscription| subscription.transaction.is_none()) {
            self.deadlines.set((id, Due::Refresh), now + refresh_after(granted));
        }
    }

    /// Runs what is due; `false` when nothing is.
    pub fn handle_timeout(&mut self, cx: &mut Context, now: Instant) -> bool {
        let Some((id, due)) = self.deadlines.expire(now) else { return false };
        match due {
            Due::Refresh => self.refresh(cx, id, now),
            Due::NotifyMissing | Due::Expired => self.end(cx, id, SubscriptionEnd::Lost),
        }
        true
    }

    /// A NOTIFY in one of our dialogs (§4.1.3); `false` where it is none of these.
    pub fn takes(&mut self, cx: &mut Context, request: &Request, flow: Flow, now: Instant) -> bool {
        let tag = request.core.to.tag().unwrap_or_default();
        let Some(id) = self.tags.get(tag).copied() else { return false };
        let Some(subscription) = self.alive.get_mut(&id).filter(|known| known.is_addressed_by(request)) else {
            return false;
        };
        let transaction = cx.transactions.serve(request, Destination::Flow(flow), ServerUse::Other, now);
        let verdict = subscription.judge(request, flow);
        let status = verdict.as_ref().map_or_else(|status| *status, |_| 200);
        let mut response = request.response(StatusCode::from(status), None);
        match status {
            405 => response.headers.push("Allow", "NOTIFY"),
            415 => response.headers.push("Accept", subscription.wish.accept.clone()),
            489 => response.headers.push("Allow-Events", subscription.wish.event.clone()),
            _ => {}
        }
        cx.respond(transaction, response, now);
        if let Ok(state) = verdict {
            self.notified(cx, id, state, request, now);
        }
        true
    }

    fn notified(&mut self, cx: &mut Context, id: SubscriptionId, state: State, request: &Request, now: Instant) {
        self.deadlines.clear(&(id, Due::NotifyMissing));
        let Some(subscription) = self.alive.get(&id) else { return };
        if !subscription.leaving {
            let body = request.body.clone();
            let active = !matches!(state, State::Lives { active: false, .. });
            cx.tell(Event::Notified { subscription: id, active, body });
        }
        match state {
            State::Terminated { reason, retry_after } => {
                self.end(cx, id, SubscriptionEnd::Terminated { reason, retry_after });
            }
            State::Lives { .. } if subscription.leaving => {}
            // §4.1.3: "If the 'expires' parameter is present, the subscriber SHOULD take it as the authoritative
            // subscription duration and adjust accordingly."
            State::Lives { expires: Some(expires), .. } => self.lasts(id, expires, now),
            State::Lives { expires: None, .. } if self.deadlines.get(&(id, Due::Expired)).is_none() => {
                // It came before the response, which may say more.
                let asked = subscription.wish.expires;
                self.lasts(id, asked, now);
            }
            State::Lives { expires: None, .. } => {}
        }
    }

    fn end(&mut self, cx: &mut Context, id: SubscriptionId, why: SubscriptionEnd) {
        if self.alive.get(&id).is_some_and(|subscription| !subscription.leaving) {
            cx.tell(Event::Unsubscribed { subscription: id, why });
        }
        self.bury(id);
    }

    fn bury(&mut self, id: SubscriptionId) {
        DUES.into_iter().for_each(|due| self.deadlines.clear(&(id, due)));
        if let Some(tag) = self.alive.remove(&id).and_then(|gone| gone.wish.from.tag().map(str::to_owned)) {
            self.tags.remove(&tag);
        }
    }
}

/// What a Subscription-State says.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Not `active` where it is `pending`; and how long it lasts, where that is said.
    Lives {
        active: bool,
        expires: Option<Duration>,
    },
    Terminated {
        reason: String,
        retry_after: Option<Duration>,
    },
}

impl State {
    /// `active;expires=3600`, `terminated;reason=probation;retry-after=60`. A state that is not known is taken as one that lives.
    fn parse(value: &str) -> Option<State> {
        let mut parts = value.split(';').map(str::trim);
        let state = parts.next().filter(|state| !state.is_empty())?.to_ascii_lowercase();
        let params: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let of = |wanted: &str| {
            let found = params.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim().to_ascii_lowercase())
        };
        if state == "terminated" {
            let reason = of("reason").unwrap_or_default().chars().take(40).collect();
            return Some(State::Terminated { reason, retry_after: retry_after(of("retry-after").as_deref()) });
        }
        let expires = of("expires").and_then(|seconds| seconds.parse().ok());
        let expires = expires.map(|seconds| Duration::from_secs(seconds).min(LONGEST));
        Some(State::Lives { active: state != "pending", expires })
    }
}

impl Subscription {
    fn next_request(&mut self) -> (Request, Destination) {
        self.cseq = self.cseq.saturating_add(1);
        if let Some(dialog) = &mut self.dialog {
            dialog.local_cseq = self.cseq.saturating_sub(1);
            return (dialog.request(Method::Subscribe), dialog.destination());
        }
        let Subscribe { request_uri, from, to_header, to, .. } = self.wish.clone();
        (Request::new(Method::Subscribe, request_uri, from, to_header, self.call_id.as_str(), self.cseq), to)
    }

    /// The same SUBSCRIBE with credentials.
    fn retry(
        &mut self,
        cx: &mut Context,
        id: SubscriptionId,
        response: &Response,
        transaction: TransactionId,
        now: Instant,
    ) -> bool {
        if self.challenges >= MAX_CHALLENGES {
            return false;
        }
        let Some((to, mut request)) = cx.sent(transaction) else { return false };
        self.cseq = self.cseq.saturating_add(1);
        request.core.cseq.number = self.cseq;
        if !authorize(cx, &mut request, response, self.wish.credentials.as_ref()) {
            return false;
        }
        self.challenges += 1;
        self.transaction = Some(cx.request(request, to, ClientUse::Subscription(id), now));
        true
    }

    /// §4.1.2.1: 423 names the shortest interval in Min-Expires.
    fn raise(&mut self, headers: &Headers) -> bool {
        let least = headers.get("Min-Expires").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        match least.filter(|least| *least > self.wish.expires && *least <= LONGEST && self.raised < MAX_RAISED) {
            Some(least) => {
                self.wish.expires = least;
                self.raised += 1;
                true
            }
            None => false,
        }
    }

    /// Whether a request names our dialog: by Call-ID and, once it is known, the far end's tag. Another fork's has another
    /// tag, and is none of ours (§4.4.1).
    fn is_addressed_by(&self, request: &Request) -> bool {
        let core = &request.core;
        let (known, theirs) = (self.dialog.as_ref().and_then(Dialog::remote_tag), core.from.tag());
        *core.call_id == *self.call_id && theirs.is_some() && (known.is_none() || known == theirs)
    }

    /// Takes a request in our dialog, or says by which status it is refused.
    fn judge(&mut self, request: &Request, flow: Flow) -> Result<State, u16> {
        if request.method != Method::Notify {
            return Err(405);
        }
        let package = request.headers.get("Event").unwrap_or_default().split(';').next().unwrap_or_default();
        if !package.trim().eq_ignore_ascii_case(&self.wish.event) {
            return Err(489);
        }
        let state = request.headers.get("Subscription-State").and_then(State::parse).ok_or(400u16)?;
        let kind = request.headers.content_type();
        if !request.body.is_empty() && kind.as_deref() != Some(self.wish.accept.as_str()) {
            return Err(415);
        }
        match &mut self.dialog {
            Some(dialog) => {
                if !dialog.takes(request.core.cseq.number) {
                    return Err(500);
                }
                dialog.refresh_target(&request.headers);
                dialog.path = Destination::Flow(flow);
            }
            None => self.dialog = Some(Dialog::from_request(request, self.wish.from.clone(), flow)),
        }
        Ok(state)
    }
}

/// `60`, `60 (comment)`, `60;duration=…`: no more than a day.
fn retry_after(value: Option<&str>) -> Option<Duration> {
    let digits = value?.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    Some(Duration::from_secs(digits.parse().ok()?).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_subscription_is_read_leniently() {
        let state =
            |active, seconds: Option<u64>| Some(State::Lives { active, expires: seconds.map(Duration::from_secs) });
        let lives = |seconds| state(true, seconds);
        let ended = |reason: &str, after: Option<u64>| {
            Some(State::Terminated { reason: reason.to_owned(), retry_after: after.map(Duration::from_secs) })
        };
        for (value, wanted) in [
            ("active;expires=3600", lives(Some(3_600))),
            ("Pending ; Expires = 60", state(false, Some(60))),
            ("active", lives(None)),
            ("active;expires=soon", lives(None)),
            ("active;expires=99999999999", lives(Some(86_400))),
            ("active;expires=99999999999999999999999", lives(None)),
            ("waiting-for-approval", lives(None)),
            ("terminated;reason=probation;retry-after=60", ended("probation", Some(60))),
            ("terminated;retry-after=5;reason=GiveUp", ended("giveup", Some(5))),
            ("terminated", ended("", None)),
            ("", None),
            (";expires=1", None),
        ] {
            assert_eq!(State::parse(value), wanted, "{value:?}");
        }
    }
}
