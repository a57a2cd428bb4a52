//! SIP over WebSocket (RFC 7118): the softphones of browsers, at `/sip`. Each frame is one message, whichever kind of frame
//! it comes in. What the messages say is the engine's; who may connect is decided here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::Context;
use super::access::known_origin;
use super::extract::{Ends, Peer};
use super::refusal::Refusal;

pub(super) const PATH: &str = "/sip";
/// RFC 7118 §4.1: "the client MUST include the value 'sip' in the Sec-WebSocket-Protocol header".
const SUBPROTOCOL: &str = "sip";
/// As long as a SIP message may be.
const LONGEST_FRAME: usize = 65_535;

/// Takes browsers' connections.
pub trait Phones: Send + Sync {
    /// A browser is at `remote`; `secure` says how it sees its own connection. `None`: there are too many.
    fn connect(&self, secure: bool, local: SocketAddr, remote: SocketAddr) -> Option<Box<dyn Line>>;
}

/// One connection. It ends when this is dropped.
#[async_trait]
pub trait Line: Send {
    /// A frame that came, with what is to be sent back at once.
    async fn take(&mut self, frame: &[u8]) -> Result<Option<Bytes>, HungUp>;
    /// The next message to be sent; `None` when there will be none.
    async fn next(&mut self) -> Option<Bytes>;
    /// When it is to be closed, as long as nothing that can be read has come by it.
    fn due(&self) -> Option<std::time::Instant>;
}

/// The connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HungUp;

pub(super) async fn open(
    State(context): State<Arc<Context>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = upgrade.map_err(|_| {
        let message = "this is SIP over WebSocket (RFC 7118); open it with ws:// or wss:// and the headers of RFC 6455";
        Refusal::new(StatusCode::BAD_REQUEST, "not_a_websocket", message)
    })?;
    known_origin(&context, &headers, &context.origins).map_err(|refusal| Refusal {
        message: format!("{}, or add it to origins of [web]", refusal.message),
        ..refusal
    })?;
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let message = "this WebSocket speaks SIP; ask for the subprotocol 'sip' (RFC 7118 §4.1)";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "no_sip", message));
    }
    let remote = SocketAddr::new(peer, ends.remote.port());
    let Some(line) = context.phones.connect(is_secure(&context, &headers), ends.local, remote) else {
        return Err(Refusal::unavailable("too_many_websockets", "too many softphones are connected; close one"));
    };
    Ok(upgrade
        .max_message_size(LONGEST_FRAME)
        .max_frame_size(LONGEST_FRAME)
        .on_upgrade(move |socket| serve(context, line, socket)))
}

/// A proxy that ends TLS says so, and a page that came by TLS can connect by nothing less.
fn is_secure(context: &Context, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes());
    context.is_secure(headers) || origin.is_some_and(|origin| origin.starts_with(b"https://"))
}

async fn serve(context: Arc<Context>, mut line: Box<dyn Line>, mut socket: WebSocket) {
    let patience = context.limits.web_socket_send;
    if let Some((code, reason)) = carry(&context, line.as_mut(), &mut socket).await {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = timeout(patience, socket.send(Message::Close(Some(frame)))).await;
    }
}

/// Carries messages both ways until something ends it: a close frame to send, or `None` where the peer is gone.
async fn carry(context: &Context, line: &mut dyn Line, socket: &mut WebSocket) -> Option<(u16, &'static str)> {
    let patience = context.limits.web_socket_send;
    let mut stopping = context.stopping.clone();
    let beat = context.limits.phone_beat;
    let mut pings = interval_at(Instant::now() + beat, beat);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = true;
    loop {
        let due = line.due().map(Instant::from_std);
        let goes_out = tokio::select! {
            message = socket.recv() => {
                heard = true;
                match message?.ok()? {
                    Message::Text(text) => line.take(text.as_bytes()).await,
                    Message::Binary(bytes) => line.take(&bytes).await,
                    Message::Close(_) => return None,
                    Message::Ping(_) | Message::Pong(_) => Ok(None),
                }
            }
            message = line.next() => Ok(Some(message?)),
            _ = pings.tick() => {
                // RFC 6455 §5.5.2; a browser answers by itself.
                if !std::mem::take(&mut heard) {
                    return None;
                }
                send(socket, Message::Ping(Bytes::new()), patience).await?;
                Ok(None)
            }
            () = reached(due) => return Some((close_code::POLICY, "nothing that can be read has come")),
            _ = stopping.changed() => return Some((close_code::AWAY, "the appliance is stopping")),
        };
        match goes_out {
            Ok(Some(bytes)) => send(socket, in_frame(bytes), patience).await?,
            Ok(None) => {}
            Err(HungUp) => return Some((close_code::PROTOCOL, "a frame is no SIP message")),
        }
    }
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut WebSocket, message: Message, patience: Duration) -> Option<()> {
    timeout(patience, socket.send(message)).await.ok()?.ok()
}

/// RFC 7118 §5: "SIP messages can be carried in both" kinds of frames; a text frame has to be UTF-8.
fn in_frame(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}
