//! The HTTP API: health, figures, live state, the stream of events, and requests to the engine; and the pages that use it.
//! It reads what the engine published and hands requests to it; it decides nothing about calls.

pub mod access;
mod callbacks;
mod consult;
mod events;
mod experts;
mod extract;
mod limit;
pub mod live;
mod login;
pub mod metrics;
mod openapi;
mod operator;
mod pages;
mod people;
mod phones;
mod plans;
mod prompts;
mod recordings;
mod records;
mod refusal;
pub mod reports;
mod routes;
mod secure;
mod softphone;
mod table;
pub mod today;
pub mod tokens;
mod turn;
pub mod users;
mod wrap_up;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

use extract::{Ends, Peer};
pub use live::Views;
pub use openapi::document as description;
pub use phones::{HungUp, Line, Phones};
pub use recordings::{Archive, Audio, AudioFault};
pub use records::RecordQuery;
pub use reports::Archives;
pub use secure::Keys;
pub use today::Today;
pub use tokens::Tokens;
pub use turn::Turn;
pub use users::Users;

use crate::bench::Bench;
use crate::ids::CallId;
use crate::record::CallRecord;
use crate::time::Wall;
use crate::views::{ApiError, ApiRequest, CentreView, ReloadView};

/// A request on its way to the engine. The engine publishes what it changed, then answers; a dropped `reply` tells the
/// client that nothing was done.
#[derive(Debug)]
pub struct Asked {
    pub request: ApiRequest,
    pub reply: oneshot::Sender<Result<serde_json::Value, ApiError>>,
}

/// The engine's queue of requests is full (or closed); the client gets 503 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Puts a request into the engine's bounded queue, without waiting.
pub type Requests = Box<dyn Fn(Asked) -> Result<(), Busy> + Send + Sync>;

/// What the server does for the API besides the engine. Each may wait for the disk, so it is called where that hurts
/// nobody.
pub trait Office: Send + Sync {
    /// The record of a call that is over.
    fn record(&self, call: CallId) -> Result<Option<CallRecord>, String>;
    /// Calls that are over, the latest first.
    fn records(&self, query: &RecordQuery) -> Result<Vec<CallRecord>, String>;
    /// Calls of this caller that are over, the latest first.
    fn contacts(&self, number: &str, limit: usize) -> Result<Vec<CallRecord>, String>;
    /// What people choose among.
    fn centre(&self) -> CentreView;
    /// Reads the configuration anew, and says what became of that.
    fn reload(&self) -> Result<ReloadView, Busy>;
    fn reload_state(&self) -> ReloadView;
}

/// What the web shell shares with the rest of the server.
pub struct Shared {
    pub views: Arc<Views>,
    pub requests: Requests,
    pub office: Arc<dyn Office>,
    /// Whether new calls are taken: false while starting and draining.
    pub ready: Arc<AtomicBool>,
    pub tokens: Arc<Tokens>,
    pub users: Arc<Users>,
    pub metrics: PrometheusHandle,
    pub archive: Arc<dyn Archive>,
    pub archives: Arc<dyn Archives>,
    pub bench: Arc<Bench>,
    pub today: Arc<Today>,
    /// Where SIP of browsers goes.
    pub phones: Arc<dyn Phones>,
    /// Pages of other hosts whose softphones may connect.
    pub origins: Vec<String>,
    /// By which agents' browsers may come.
    pub turn: Option<Turn>,
    /// What it proves itself by; `None`: it speaks HTTP.
    pub keys: Option<Keys>,
}

#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("web address {0} is in use by another program; stop that one, or take another port with --web ADDR:PORT")]
    InUse(SocketAddr),
    #[error("web address {address} cannot be listened on: {error}; give one of this machine's with --web ADDR:PORT")]
    Bind { address: SocketAddr, error: io::Error },
}

/// Listens on `address`; port 0 takes a free one.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => WebError::InUse(address),
        _ => WebError::Bind { address, error },
    })
}

/// Bounds of the web shell.
#[derive(Clone, Debug)]
struct Limits {
    /// Connections at once, WebSockets not counted; the next one gets 503 and is closed.
    connections: usize,
    web_sockets: usize,
    handshakes: secure::Bounds,
    /// The head of a request must be here within this time; also how long a connection may be idle.
    head: Duration,
    /// How long the engine may take for an answer.
    engine: Duration,
    /// How long a WebSocket may take to accept a message before it is dropped.
    web_socket_send: Duration,
    /// A WebSocket is asked for a sign of life this often, and dropped when it gave none.
    web_socket_beat: Duration,
    /// The same of a softphone, which is not to be rung in vain.
    phone_beat: Duration,
    /// How long running requests may take to end when the server stops.
    drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            web_sockets: 256,
            handshakes: secure::Bounds::default(),
            head: Duration::from_secs(20),
            engine: Duration::from_secs(5),
            web_socket_send: Duration::from_secs(5),
            web_socket_beat: Duration::from_secs(20),
            phone_beat: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        }
    }
}

/// What every handler sees.
struct Context {
    views: Arc<Views>,
    requests: Requests,
    office: Arc<dyn Office>,
    ready: Arc<AtomicBool>,
    tokens: Arc<Tokens>,
    users: Arc<Users>,
    attempts: login::Attempts,
    metrics: PrometheusHandle,
    archive: Arc<dyn Archive>,
    archives: Arc<dyn Archives>,
    /// Reports that may be made at once.
    reports: Arc<Semaphore>,
    bench: Arc<Bench>,
    /// Drafts that may be looked at at once.
    drafts: Semaphore,
    today: Arc<Today>,
    phones: Arc<dyn Phones>,
    origins: Vec<String>,
    turn: Option<Turn>,
    /// Where connections become secure; `None`: they do not, or a proxy sees to it.
    door: Option<Arc<secure::Door>>,
    limits: Limits,
    sockets: Arc<Semaphore>,
    wishes: callbacks::Wishes,
    /// Its sender is dropped when the server stops.
    stopping: watch::Receiver<()>,
}

impl Context {
    /// Whether the browser's own connection is one of TLS. Where it is not ours to know, a proxy on this machine says so.
    fn is_secure(&self, headers: &HeaderMap) -> bool {
        self.door.is_some() || login::is_https(headers)
    }
}

/// Serves the API until `shutdown` is done, then lets running requests end and closes the WebSockets.
pub async fn serve(listener: TcpListener, shared: Shared, shutdown: impl Future<Output = ()>) {
    serve_within(Limits::default(), listener, shared, shutdown).await;
}

async fn serve_within(limits: Limits, listener: TcpListener, shared: Shared, shutdown: impl Future<Output = ()>) {
    let (stop, stopping) = watch::channel(());
    let connections = Arc::new(Semaphore::new(limits.connections));
    let drain = limits.drain;
    let context = Arc::new(Context {
        views: shared.views,
        requests: shared.requests,
        office: shared.office,
        ready: shared.ready,
        tokens: shared.tokens,
        users: shared.users,
        attempts: login::Attempts::default(),
        metrics: shared.metrics,
        archive: shared.archive,
        archives: shared.archives,
        reports: Arc::new(Semaphore::new(reports::AT_ONCE)),
        bench: shared.bench,
        drafts: Semaphore::new(plans::AT_ONCE),
        today: shared.today,
        phones: shared.phones,
        origins: shared.origins,
        turn: shared.turn,
        door: shared.keys.map(|keys| Arc::new(secure::Door::new(keys, limits.handshakes.clone()))),
        sockets: Arc::new(Semaphore::new(limits.web_sockets)),
        wishes: callbacks::Wishes::default(),
        limits,
        stopping,
    });
    let router = routes::router(context.clone());
    let mut shutdown = std::pin::pin!(shutdown);
    let mut upkeep = tokio::time::interval(Duration::from_secs(5));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = upkeep.tick() => {
                context.metrics.run_upkeep();
                context.today.settle(Wall::now());
                continue;
            }
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => welcome((stream, peer), &router, &context, &connections),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                // Out of file descriptors: wait for some to come free instead of spinning.
                tracing::error!("web: a connection could not be accepted: {error}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    drop(stop);
    let _ = timeout(drain, connections.acquire_many(context.limits.connections as u32)).await;
    let _ = timeout(drain, context.sockets.acquire_many(context.limits.web_sockets as u32)).await;
}

/// Serves a connection that came in, or closes it where there are too many. Never waits.
fn welcome(
    (stream, peer): (TcpStream, SocketAddr),
    router: &axum::Router,
    context: &Arc<Context>,
    connections: &Arc<Semaphore>,
) {
    let _ = stream.set_nodelay(true);
    // A peer that asks and does not read the answer is cut off by the kernel.
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(context.limits.head));
    let ends = Ends { local: stream.local_addr().unwrap_or(peer), remote: peer };
    let router = router.clone().layer(from_fn_with_state(ends, note_peer));
    match &context.door {
        Some(door) => {
            if let Some(place) = door.enter(peer.ip()) {
                tokio::spawn(behind_the_door(place, stream, router, context.clone(), connections.clone()));
            }
        }
        None => match connections.clone().try_acquire_owned() {
            Ok(permit) => drop(tokio::spawn(connection(stream, router, context.clone(), permit))),
            Err(_) => drop(stream.try_write(turned_away().as_bytes())),
        },
    }
}

/// Who has not come to a secure connection takes nobody's place.
async fn behind_the_door(
    place: secure::Place,
    stream: TcpStream,
    router: axum::Router,
    context: Arc<Context>,
    connections: Arc<Semaphore>,
) {
    let mut stopping = context.stopping.clone();
    let greeted = tokio::select! {
        greeted = place.greet(stream) => greeted,
        _ = stopping.changed() => None,
    };
    let Some(mut stream) = greeted else { return };
    match connections.try_acquire_owned() {
        Ok(permit) => {
            drop(place);
            connection(stream, router, context, permit).await;
        }
        Err(_) => {
            let told = async {
                stream.write_all(turned_away().as_bytes()).await?;
                stream.shutdown().await
            };
            let _ = timeout(place.patience, told).await;
        }
    }
}

/// Says to the handlers who is at the other end.
async fn note_peer(State(ends): State<Ends>, mut request: Request, next: Next) -> Response {
    let peer = Peer::of(ends.remote.ip(), request.headers());
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(ends);
    next.run(request).await
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection (HTTP/1.1, keep-alive).
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    context: Arc<Context>,
    permit: OwnedSemaphorePermit,
) {
    let mut stopping = context.stopping.clone();
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(context.limits.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let done = tokio::select! {
        done = serving.as_mut() => done,
        _ = stopping.changed() => {
            serving.as_mut().graceful_shutdown();
            timeout(context.limits.drain, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = done {
        tracing::debug!("web: a connection broke off: {error}");
    }
    drop(permit);
}

/// Tells a client over the bound to come again.
fn turned_away() -> String {
    const BODY: &str = r#"{"error":{"code":"too_many_connections","message":"too many connections are open; close some or try again in a second"}}"#;
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}
