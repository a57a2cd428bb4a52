//! Call-backs on the web: a page of the company's asks for one with a key that can do nothing else.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Context;
use super::access::PREFIX;
use super::extract::{ApiJson, Id, Peer};
use super::limit::{Recent, network};
use super::refusal::{Refusal, quoted};
use super::routes::ask;
use super::tokens::{Identity, Role};
use crate::ids::{CallbackId, QueueId};
use crate::time::Wall;
use crate::views::{ApiRequest, CallbackView};

/// Longest number taken, in characters: no country needs so many.
const NUMBER_LIMIT: usize = 40;

/// What a page asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallBackWish {
    /// As people write it: `+33 1 55 50 12 34`.
    number: String,
    #[schema(value_type = String)]
    queue: QueueId,
    /// RFC 3339; at once where it is left out.
    #[serde(default)]
    #[schema(format = DateTime)]
    not_before: Option<String>,
}

/// Asks to be called back. A second wish for the same number and queue is the first.
#[utoipa::path(post, path = "/callbacks", request_body = CallBackWish, responses(
    (status = 201, description = "Promised", body = CallbackView),
    (status = 422, description = "No such queue, or a number that cannot be called", body = super::refusal::ErrorBody),
    (status = 429, description = "Too many wishes for this number or from this address, or the queue takes no more now",
        body = super::refusal::ErrorBody)))]
pub(super) async fn call_back(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Extension(Peer(peer)): Extension<Peer>,
    body: ApiJson<CallBackWish>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wish = body.required(r#"{"number":"+33155501234","queue":"sales"}"#)?;
    if wish.number.chars().count() > NUMBER_LIMIT {
        let message = format!("'number' has more than {NUMBER_LIMIT} characters; write it as +33155501234");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_number", message));
    }
    let not_before = wish.not_before.map(|at| at.parse::<Wall>()).transpose().map_err(|_| {
        let message = "'not_before' is no time; write it as 2026-11-30T14:00:00+01:00";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    })?;
    // Pages are open to everybody; a program with another role answers for itself.
    if who.role == Role::Callback {
        context.wishes.admit(peer, &wish.number, Instant::now()).map_err(too_many)?;
    }
    let request = ApiRequest::CallBack { number: wish.number, queue: wish.queue, not_before };
    ask(&context, request).await.map(|view| (StatusCode::CREATED, Json(view)))
}

fn too_many(wait: Duration) -> Refusal {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1);
    let message = format!("too many call-backs were asked for; ask again in {} minutes", seconds.div_ceil(60));
    Refusal { retry_after: Some(seconds), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_wishes", message) }
}

/// What a browser asks before a page of another host may post (Fetch standard, CORS preflight).
pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Every answer may be read by any page: what it can do, the key decides.
pub(super) const OPEN_TO_PAGES: (HeaderName, HeaderValue) =
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));

/// All call-backs that are promised.
#[derive(Serialize, ToSchema)]
pub struct CallbackList {
    callbacks: Vec<CallbackView>,
    /// Everything up to this event is in the list; `/events?since=SEQ` goes on from here.
    seq: u64,
}

/// The call-backs that are promised and not yet kept, oldest first.
#[utoipa::path(get, path = "/callbacks", responses((status = 200, body = CallbackList)))]
pub(super) async fn callbacks(State(context): State<Arc<Context>>) -> Json<CallbackList> {
    let seq = context.views.latest();
    Json(CallbackList { callbacks: context.views.callbacks(), seq })
}

/// Takes a call-back back.
#[utoipa::path(delete, path = "/callbacks/{id}", operation_id = "cancel_call_back", params(("id" = String, Path, description = "callback_id")), responses(
    (status = 204, description = "Nobody calls back any more"),
    (status = 404, description = "No such call-back is promised", body = super::refusal::ErrorBody)))]
pub(super) async fn cancel(State(context): State<Arc<Context>>, Id(id): Id) -> Result<StatusCode, Refusal> {
    let Ok(known) = id.parse::<CallbackId>() else {
        let message = format!("no call-back '{}' is promised; GET {PREFIX}/callbacks lists them", quoted(&id));
        return Err(Refusal::not_found("unknown_callback", message));
    };
    ask(&context, ApiRequest::CancelCallBack { id: known }).await.map(|_| StatusCode::NO_CONTENT)
}

/// How often call-backs may be asked for with a page's key.
#[derive(Debug)]
pub(super) struct Wishes {
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    by_address: Recent<IpAddr>,
    by_number: Recent<String>,
}

impl Default for Wishes {
    fn default() -> Wishes {
        let seen = Seen {
            by_address: Recent::new(Self::WINDOW, Self::MOST),
            by_number: Recent::new(Self::WINDOW, Self::MOST),
        };
        Wishes { seen: Mutex::new(seen) }
    }
}

impl Wishes {
    const WINDOW: Duration = Duration::from_secs(3_600);
    const OF_ADDRESS: usize = 20;
    const OF_NUMBER: usize = 3;
    /// Addresses and numbers remembered; beyond, everybody waits until the oldest are forgotten.
    const MOST: usize = 50_000;

    /// `Err`: how long to wait.
    fn admit(&self, address: IpAddr, number: &str, now: Instant) -> Result<(), Duration> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let address = network(address);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let waits =
            [seen.by_address.wait(&address, Self::OF_ADDRESS, now), seen.by_number.wait(&digits, Self::OF_NUMBER, now)];
        waits.into_iter().flatten().max().map_or(Ok(()), Err)?;
        seen.by_address.note(address, now);
        seen.by_number.note(digits, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_number_is_asked_for_three_times_an_hour_from_wherever() {
        let wishes = Wishes::default();
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        for n in 0..3 {
            assert_eq!(wishes.admit(host(n), "+33 1 55 50", at(u64::from(n) * 10)), Ok(()));
        }
        assert_eq!(wishes.admit(host(9), "+331-55.50", at(30)), Err(Duration::from_secs(30 * 60)));
        assert_eq!(wishes.admit(host(9), "+3315551", at(30)), Ok(()), "another number");
        assert_eq!(wishes.admit(host(9), "+3315550", at(60)), Ok(()), "the first is an hour ago");
        assert!(wishes.admit(host(9), "+3315550", at(61)).is_err());
    }

    #[test]
    fn an_address_asks_for_twenty_an_hour_and_ipv6_counts_by_network() {
        for network in [[host(1), host(1)], ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()]] {
            let wishes = Wishes::default();
            let now = Instant::now();
            for n in 0..Wishes::OF_ADDRESS {
                assert_eq!(wishes.admit(network[n % 2], &format!("33155{n}"), now), Ok(()));
            }
            assert!(wishes.admit(network[0], "44", now).is_err());
            assert_eq!(wishes.admit(host(200), "44", now), Ok(()));
        }
    }

    #[test]
    fn refused_wishes_do_not_count() {
        let wishes = Wishes::default();
        let now = Instant::now();
        for _ in 0..100 {
            let _ = wishes.admit(host(1), "33155501", now);
        }
        assert_eq!(wishes.admit(host(1), "33155502", now), Ok(()), "the address has room for more");
    }
}
