//! Our offers inside a dialog: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311), session timer refreshes (RFC 4028).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::body::{self, Body};
use super::context::{Context, Purpose, Wake, user_of};
use super::session::{Late, Session, Stage};
use super::{EndCause, Event};
use crate::sip::Destination;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Headers, Method, Request, Response};
use crate::sip::session_timer;
use crate::sip::transaction::{TransactionId, Why};
use crate::time::Instant;

/// How often one offer is put back by 491 or by 500 with Retry-After before the engine hears of it.
const MAX_PUT_BACK: u8 = 8;
/// How often a 422 is obeyed within one refresh.
const MAX_INTERVAL_TRIES: u8 = 2;
/// How long a re-INVITE may ring: somebody may have to agree to it. As a proxy's Timer C (RFC 3261 §16.6).
const REINVITE_PATIENCE: Duration = Duration::from_secs(180);
/// A refresh that finds an exchange under way, or was refused, is tried again after this.
const REFRESH_AGAIN: Duration = Duration::from_secs(5);

/// A re-INVITE or UPDATE of ours.
#[derive(Serialize, Deserialize)]
pub(super) struct Ours {
    pub transaction: TransactionId,
    purpose: Purpose,
    pub offer: Option<Bytes>,
    /// RFC 4028: nothing changes, the engine need not know.
    refresh: bool,
    interval_tries: u8,
}

impl Session {
    /// Offers new media now or, when an exchange is running, after it. A newer offer replaces one that waits.
    pub fn offer(&mut self, cx: &mut Context, sdp: Bytes, now: Instant) {
        if self.over {
            return;
        }
        self.queued = Some(sdp);
        self.put_back = 0;
        self.next_offer(cx, now);
    }

    /// Sends the offer that waits, if it may go.
    pub fn next_offer(&mut self, cx: &mut Context, now: Instant) {
        if self.queued.is_none() || cx.deadlines.get(&(self.id, Wake::Glare)).is_some() {
            return;
        }
        let Some(purpose) = self.may_offer() else { return };
        let Some(sdp) = self.queued.take() else { return };
        self.send_offer(cx, purpose, Some(sdp), false, now);
    }

    /// How an offer may be sent at this moment. §14.1: "a UAC MUST NOT initiate a new INVITE transaction within a dialog
    /// while another INVITE transaction is in progress in either direction." RFC 3311 §5.1 has the rules of UPDATE.
    fn may_offer(&self) -> Option<Purpose> {
        if self.over || self.ours.is_some() || self.theirs.is_some() || self.late.is_some() {
            return None;
        }
        match &self.stage {
            Stage::Up if self.unacked.is_none() => Some(Purpose::Reinvite),
            Stage::Ringing(ringing) if ringing.may_update() && self.peer.update => Some(Purpose::Update),
            Stage::Calling(calling) if calling.has_settled_dialog() => Some(Purpose::Update),
            _ => None,
        }
    }

    fn send_offer(&mut self, cx: &mut Context, purpose: Purpose, sdp: Option<Bytes>, refresh: bool, now: Instant) {
        let Some((request, to)) = self.make_offer(cx, purpose, sdp.clone()) else { return };
        if purpose == Purpose::Reinvite {
            self.proof = Headers::default();
        }
        let transaction = self.send(cx, request, to, purpose, now);
        self.ours = Some(Ours { transaction, purpose, offer: sdp, refresh, interval_tries: 0 });
        if purpose == Purpose::Reinvite {
            cx.wake(self.id, Wake::ReinviteFruitless, now + REINVITE_PATIENCE);
        }
    }

    /// Our exchange goes on in another transaction.
    pub fn ours_moved(&mut self, from: TransactionId, to: TransactionId) {
        if let Some(ours) = self.ours.as_mut().filter(|ours| ours.transaction == from) {
            ours.transaction = to;
        }
    }

    /// The session is over: our re-INVITE has no more than 64*T1 left.
    pub fn hurry_ours(&mut self, cx: &mut Context, now: Instant) {
        if self.ours.as_ref().is_some_and(|ours| ours.purpose == Purpose::Reinvite) {
            cx.wake(self.id, Wake::ReinviteFruitless, now + cx.patience());
        }
    }

    /// A transaction in Proceeding has no timer of its own; its end is dealt with as a time-out.
    pub fn on_reinvite_fruitless(&mut self, cx: &mut Context) {
        if let Some(ours) = &self.ours {
            cx.transactions.abandon(ours.transaction);
        }
    }

    fn make_offer(&mut self, cx: &Context, purpose: Purpose, sdp: Option<Bytes>) -> Option<(Request, Destination)> {
        let method = if purpose == Purpose::Update { Method::Update } else { Method::Invite };
        let up = matches!(self.stage, Stage::Up);
        let dialog = match &mut self.stage {
            Stage::Calling(calling) => calling.settled_dialog()?,
            _ => self.dialog.as_mut()?,
        };
        let mut request = dialog.request(method);
        let to = dialog.destination();
        let user = user_of(&dialog.local.uri);
        self.describe_us(cx, &mut request.headers, to, user);
        if method == Method::Invite {
            // Reliable provisional responses inside a dialog help nobody, and cannot be required if we do not offer them.
            request.headers.set("Supported", "timer");
        }
        if up {
            self.ask_for_timer(&mut request.headers, cx);
        }
        if let Some(sdp) = sdp {
            request.headers.set("Content-Type", "application/sdp");
            request.body = sdp;
        }
        Some((request, to))
    }

    /// RFC 4028 §7.4: by UPDATE without a body where the peer allows it, else by a re-INVITE that changes nothing.
    pub fn refresh(&mut self, cx: &mut Context, now: Instant) {
        match (self.may_offer(), self.peer.update, self.local_sdp.clone()) {
            (Some(Purpose::Reinvite), true, _) => self.send_offer(cx, Purpose::Update, None, true, now),
            (Some(Purpose::Reinvite), false, Some(sdp)) => {
                self.send_offer(cx, Purpose::Reinvite, Some(sdp), true, now);
            }
            _ => cx.wake(self.id, Wake::Refresh, now + REFRESH_AGAIN),
        }
    }

    /// A response to our re-INVITE or UPDATE.
    pub fn on_our_exchange(
        &mut self,
        cx: &mut Context,
        response: Response,
        id: TransactionId,
        purpose: Purpose,
        now: Instant,
    ) {
        let status = response.status.code();
        if status < 200 || (status < 300 && purpose == Purpose::Reinvite && self.repeat_ack(cx, &response)) {
            return;
        }
        let Some(ours) = self.ours.take_if(|ours| ours.transaction == id) else { return };
        cx.forget(self.id, Wake::ReinviteFruitless);
        match status {
            200..=299 => self.on_agreed(cx, response, ours, now),
            _ if self.over => {}
            401 | 407 => self.exchange_again_with_credentials(cx, response, ours, now),
            422 => self.exchange_again_with_interval(cx, response, ours, now),
            491 => {
                let delay = self.glare_delay(cx);
                self.put_back(cx, ours, status, delay, now);
            }
            500 if retry_after(&response.headers).is_some() => {
                let delay = retry_after(&response.headers).unwrap_or_default();
                self.put_back(cx, ours, status, delay, now);
            }
            // §12.2.1.2: "If the response for a request within a dialog is a 481 or a 408, the UAC SHOULD terminate the
            // dialog."
            408 | 481 => self.hang_up(cx, Headers::default(), EndCause::Timeout, now),
            _ => self.on_offer_refused(cx, ours, status, now),
        }
    }

    fn on_agreed(&mut self, cx: &mut Context, response: Response, ours: Ours, now: Instant) {
        self.refresh_target(&response);
        if ours.purpose == Purpose::Reinvite {
            let invite = Late { cseq: response.core.cseq.number, transaction: ours.transaction };
            self.acknowledge(cx, invite, None);
        }
        if self.over {
            return;
        }
        self.challenges = 0;
        self.put_back = 0;
        self.peer.learn(&response.headers);
        if matches!(self.stage, Stage::Up) {
            let terms = session_timer::agreed(&response.headers, self.session_expires);
            self.start_timer(cx, terms, now);
        }
        let session = self.id;
        let answer = match body::of(&response.headers, &response.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::None | Body::Unsupported => None,
        };
        match (ours.offer, answer) {
            (Some(offer), Some(sdp)) => {
                self.early_exchange_done(response.core.to.tag());
                let same = self.remote_sdp.as_ref() == Some(&sdp);
                self.local_sdp = Some(offer);
                self.remote_sdp = Some(sdp.clone());
                if !(ours.refresh && same) {
                    cx.tell(Event::Reanswered { session, sdp });
                }
            }
            // A 2xx must answer the offer (RFC 3261 §14.1); what was agreed before stands.
            (Some(_), None) if !ours.refresh => cx.tell(Event::OfferRefused { session, status: 488 }),
            _ => {}
        }
        self.next_offer(cx, now);
        self.ring_on(cx, now);
    }

    /// §12.2.1.2: a 2xx to a target refresh request replaces the remote target.
    fn refresh_target(&mut self, response: &Response) {
        if let Some(dialog) = self.dialog_with(response.core.to.tag()) {
            dialog.refresh_target(&response.headers);
        }
    }

    /// The dialog with the peer of this tag: before a 2xx an early one.
    pub fn dialog_with(&mut self, tag: Option<&str>) -> Option<&mut Dialog> {
        match &mut self.stage {
            Stage::Calling(calling) => calling.early(tag).map(|early| &mut early.dialog),
            _ => self.dialog.as_mut(),
        }
    }

    /// After an UPDATE the first answer of an early dialog is history.
    pub fn early_exchange_done(&mut self, tag: Option<&str>) {
        if let Stage::Calling(calling) = &mut self.stage
            && let Some(early) = calling.early(tag)
        {
            early.forget_answer();
        }
    }

    fn exchange_again_with_credentials(&mut self, cx: &mut Context, response: Response, mut ours: Ours, now: Instant) {
        let cseq = self.next_cseq();
        match self.retry_challenged(cx, ours.transaction, &response, cseq, ours.purpose, now) {
            Some(transaction) => {
                ours.transaction = transaction;
                cx.wake(self.id, Wake::ReinviteFruitless, now + REINVITE_PATIENCE);
                self.ours = Some(ours);
            }
            None => self.on_offer_refused(cx, ours, response.status.code(), now),
        }
    }

    fn exchange_again_with_interval(&mut self, cx: &mut Context, response: Response, mut ours: Ours, now: Instant) {
        let min_se = session_timer::min_se(&response.headers).filter(|_| ours.interval_tries < MAX_INTERVAL_TRIES);
        let again = min_se.and_then(|min_se| {
            self.raise_interval(min_se);
            self.make_offer(cx, ours.purpose, ours.offer.clone())
        });
        match again {
            Some((request, to)) => {
                ours.interval_tries += 1;
                ours.transaction = self.send(cx, request, to, ours.purpose, now);
                cx.wake(self.id, Wake::ReinviteFruitless, now + REINVITE_PATIENCE);
                self.ours = Some(ours);
            }
            None => self.on_offer_refused(cx, ours, 422, now),
        }
    }

    /// RFC 4028 §7.3: never again below the Min-SE we were told.
    pub fn raise_interval(&mut self, min_se: Duration) {
        self.session_expires = self.session_expires.max(min_se);
        self.min_se = Some(min_se.max(self.min_se.unwrap_or_default()));
    }

    /// §14.1: "If a UAC receives a 491 response to a re-INVITE, it SHOULD start a timer with a value T chosen as follows:
    /// […] If the UAC is the owner of the Call-ID of the dialog ID (meaning it generated the value), T has a randomly
    /// chosen value between 2.1 and 4 seconds in units of 10 ms. […] If the UAC is not the owner of the Call-ID of the
    /// dialog ID, T has a randomly chosen value of between 0 and 2 seconds in units of 10 ms."
    fn glare_delay(&self, cx: &mut Context) -> Duration {
        let step = Duration::from_millis(10);
        match self.we_called {
            true => Duration::from_millis(2_100) + cx.random_delay(Duration::from_millis(1_900), step),
            false => cx.random_delay(Duration::from_secs(2), step),
        }
    }

    /// The offer waits and is then tried again, unless a newer one takes its place.
    fn put_back(&mut self, cx: &mut Context, ours: Ours, status: u16, delay: Duration, now: Instant) {
        if ours.refresh {
            cx.wake(self.id, Wake::Refresh, now + delay);
            self.next_offer(cx, now);
            return;
        }
        if self.put_back >= MAX_PUT_BACK {
            self.put_back = 0;
            self.on_offer_refused(cx, ours, status, now);
            return;
        }
        self.put_back += 1;
        self.queued = self.queued.take().or(ours.offer);
        cx.wake(self.id, Wake::Glare, now + delay);
        self.ring_on(cx, now);
    }

    fn on_offer_refused(&mut self, cx: &mut Context, ours: Ours, status: u16, now: Instant) {
        if ours.purpose == Purpose::Update && matches!(status, 405 | 501) {
            self.peer.update = false;
        }
        let session = self.id;
        match ours.refresh {
            // The session lives until it expires; until then the refresh is tried again.
            true => cx.wake(self.id, Wake::Refresh, now + REFRESH_AGAIN),
            false => cx.tell(Event::OfferRefused { session, status }),
        }
        self.next_offer(cx, now);
        self.ring_on(cx, now);
    }

    /// Our re-INVITE or UPDATE brought no final response.
    pub fn on_our_exchange_closed(&mut self, cx: &mut Context, id: TransactionId, why: Why, now: Instant) {
        self.forget_acks(id);
        if self.ours.take_if(|ours| ours.transaction == id).is_none() {
            return;
        }
        cx.forget(self.id, Wake::ReinviteFruitless);
        let cause = match why {
            Why::TransportError => EndCause::TransportError,
            Why::Timeout | Why::Done | Why::Abandoned => EndCause::Timeout,
        };
        self.hang_up(cx, Headers::default(), cause, now);
    }
}

/// `Retry-After: 7 (comment);duration=3600`, where it is short enough to be waited for.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let value = headers.get("Retry-After")?;
    let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    let seconds: u64 = digits.parse().ok()?;
    (seconds <= 10).then(|| Duration::from_secs(seconds))
}
