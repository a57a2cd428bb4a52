//! The stream of events over a WebSocket (RFC 6455).

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::live::Following;
use super::refusal::Refusal;
use super::tokens::Identity;
use crate::record::millis;
use crate::time::Wall;

/// Events taken from the ring at once.
const BATCH: usize = 64;
/// Clients have nothing to say but pongs and close.
const LONGEST_MESSAGE: usize = 4096;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// The `seq` of the last event seen; what followed it is sent first. Without it the stream begins now.
    since: Option<u64>,
}

/// Sent instead of events that are no longer kept, as the first message.
#[derive(Serialize, ToSchema)]
pub struct Reset {
    /// The stream goes on after this number.
    seq: u64,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    at: Wall,
    /// `reset`
    r#type: &'static str,
    message: String,
}

/// Every change of the live state as a WebSocket message: JSON with `seq` (rising by one), `at` and `type`: `call`
/// (with the call's view), `ended` (with its record), `agent`, `queue`; or `reset`, where `since` is out of reach: read
/// the lists again and go on. A client that does not read fast enough is closed with 1013 and may come back with
/// `since`.
#[utoipa::path(get, path = "/events", params(Since), responses(
    (status = 101, description = "The WebSocket is open"),
    (status = 400, description = "`since` is not a number, or this is no WebSocket", body = super::refusal::ErrorBody),
    (status = 503, description = "Too many WebSockets", body = super::refusal::ErrorBody)))]
pub(super) async fn open(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    since: Result<Query<Since>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let Ok(Query(Since { since })) = since else {
        let message = "'since' must be the seq of an event, a whole number";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_since", message));
    };
    let upgrade = upgrade.map_err(|_| {
        let message = "this is a WebSocket; open it with ws:// and the headers of RFC 6455";
        Refusal::new(StatusCode::BAD_REQUEST, "not_a_websocket", message)
    })?;
    let Ok(permit) = context.sockets.clone().try_acquire_owned() else {
        let message = format!("{} WebSockets are open, the most there may be; close one", context.limits.web_sockets);
        return Err(Refusal::unavailable("too_many_websockets", message));
    };
    // Taken before the answer goes out: what changes after the client sees the 101 is in its stream.
    let cursor = since.unwrap_or_else(|| context.views.latest());
    Ok(upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .on_upgrade(move |socket| stream(context, who, cursor, socket, permit)))
}

async fn stream(context: Arc<Context>, who: Identity, cursor: u64, socket: WebSocket, permit: OwnedSemaphorePermit) {
    let mut reader = Reader { socket, patience: context.limits.web_socket_send };
    let why = follow(&context, &who, cursor, &mut reader).await;
    if let Some((code, reason)) = why {
        reader.close(code, reason).await;
    }
    drop(permit);
}

struct Reader {
    socket: WebSocket,
    /// A message must be taken within this time.
    patience: Duration,
}

impl Reader {
    async fn send(&mut self, message: Message) -> Option<()> {
        timeout(self.patience, self.socket.send(message)).await.ok()?.ok()
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        if self.send(Message::Close(Some(frame))).await.is_some() {
            // The peer's own close frame ends the hand-shake (RFC 6455 §7.1.1).
            let goodbye = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = timeout(self.patience, goodbye).await;
        }
    }
}

/// Sends events until something ends it: a close frame to send, or `None` where the peer is gone.
async fn follow(
    context: &Context,
    who: &Identity,
    mut cursor: u64,
    reader: &mut Reader,
) -> Option<(u16, &'static str)> {
    let mut published = context.views.watch();
    let mut stopping = context.stopping.clone();
    let beat = context.limits.web_socket_beat;
    let mut pings = interval_at(Instant::now() + beat, beat);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = true;
    if let Following::Lost { oldest, latest } = context.views.after(cursor, 1) {
        reader.send(reset(cursor, oldest, latest)).await?;
        cursor = latest;
    }
    loop {
        published.borrow_and_update();
        match context.views.after(cursor, BATCH) {
            Following::Events(events) => {
                for event in events {
                    reader.send(Message::Text(event.text())).await?;
                    cursor = event.seq;
                }
                continue;
            }
            Following::Lost { .. } => {
                return Some((close_code::AGAIN, "too slow: come back with since= the last seq you saw"));
            }
            Following::None => {}
        }
        tokio::select! {
            changed = published.changed() => changed.ok()?,
            message = reader.socket.recv() => {
                message?.ok()?;
                heard = true;
            }
            _ = pings.tick() => {
                if !context.tokens.is_valid(&who.token_id, Wall::now()) {
                    return Some((close_code::POLICY, "the token was deleted, or the session is over"));
                }
                if !heard {
                    return None;
                }
                heard = false;
                reader.send(Message::Ping(axum::body::Bytes::new())).await?;
            }
            _ = stopping.changed() => {
                return Some((close_code::AWAY, "the appliance is stopping"));
            }
        }
    }
}

fn reset(since: u64, oldest: u64, latest: u64) -> Message {
    let message = format!(
        "what followed {since} is not here (kept is {oldest} to {latest}); read /calls, /queues and /agents again and go on"
    );
    let reset = Reset { seq: latest, at: Wall::now(), r#type: "reset", message };
    // Writing it to memory cannot fail.
    Message::Text(serde_json::to_string(&reset).unwrap_or_default().into())
}
