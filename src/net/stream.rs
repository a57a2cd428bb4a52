//! SIP over TCP and TLS: connections that come in, and those opened on demand; both carry messages both ways (RFC 3261
//! §18).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dashmap::DashMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::Secured;
use super::{Inbox, NetError, NetEvent};
use crate::ids::ConnectionId;
use crate::settings::{Listen, Transport};
use crate::sip::message::{Framed, Framer};
use crate::sip::{Destination, Flow};

/// Messages waiting for a slow peer; what comes on top cannot be delivered.
const OUTGOING: usize = 128;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A write that does not get through in this time closes the connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 16_384;
const MOST_FROM_ONE_ADDRESS: usize = 4_096;
/// Read from a connection at once.
const CHUNK: usize = 16 << 10;

/// How long a connection is kept that does not do its part.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the first message that can be read is whole, and from the first byte of every later one to its last. Bytes
    /// that drip in, keep-alives and messages that cannot be read do not prolong it.
    pub patience: Duration,
    /// Between messages (RFC 5626 keep-alives come every 120 s at most).
    pub idle: Duration,
    /// Connections that were accepted and have carried no message that can be read. While there are more, each new one
    /// has only `hurry` for its first, so that idle ones by the thousand keep nobody out for long.
    pub strangers: usize,
    pub hurry: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            patience: Duration::from_secs(30),
            idle: Duration::from_secs(900),
            strangers: 1_024,
            hurry: Duration::from_secs(2),
        }
    }
}

#[derive(Clone)]
pub struct Streams {
    pub(super) shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
}

pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) limits: Limits,
    tls: Secured,
    open: DashMap<ConnectionId, mpsc::Sender<Bytes>>,
    /// Where a request to an address may go without a new connection.
    by_remote: DashMap<(Transport, SocketAddr), ConnectionId>,
    from_address: DashMap<IpAddr, usize>,
    count: AtomicUsize,
    strangers: AtomicUsize,
    next: AtomicU64,
}

/// Counts a connection among the strangers as long as it lives.
pub(super) struct Stranger(Arc<Shared>);

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.strangers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is counted, and found by its id.
pub(super) struct Entry {
    pub id: ConnectionId,
    pub outgoing: mpsc::Receiver<Bytes>,
}

impl Streams {
    pub fn new(inbox: Inbox, limits: Limits, tls: Secured) -> Streams {
        let shared = Shared {
            inbox,
            limits,
            tls,
            open: DashMap::new(),
            by_remote: DashMap::new(),
            from_address: DashMap::new(),
            count: AtomicUsize::new(0),
            strangers: AtomicUsize::new(0),
            next: AtomicU64::new(1),
        };
        Streams { shared: Arc::new(shared), runtime: tokio::runtime::Handle::current() }
    }

    pub fn len(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    pub async fn listen(&self, listen: Listen) -> Result<SocketAddr, NetError> {
        let listener = TcpListener::bind(listen.address).await.map_err(|error| NetError::bind(listen, error))?;
        let local = listener.local_addr().map_err(|error| NetError::bind(listen, error))?;
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => Shared::accept(&shared, stream, listen.transport, local, remote),
                    // Out of descriptors: those that are open go on, and some will close.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(local)
    }

    /// Queues on the connection, on another to the same address, or on a new one. `false`: cannot be delivered.
    pub fn send(&self, to: Destination, bytes: Bytes) -> bool {
        let (transport, connection, remote) = match to {
            Destination::Flow(flow) => (flow.transport, flow.connection, flow.remote),
            Destination::Address { transport, address } => (transport, None, address),
        };
        let known = connection.filter(|id| self.shared.open.contains_key(id));
        let id = known.or_else(|| self.shared.by_remote.get(&(transport, remote)).map(|id| *id));
        match id.and_then(|id| self.shared.open.get(&id).map(|sender| sender.clone())) {
            Some(sender) => sender.try_send(bytes).is_ok(),
            // Nobody can call a browser (RFC 7118 §5): it comes back, or it does not.
            None if transport.is_web_socket() => false,
            None => self.connect(to, transport, remote, bytes),
        }
    }

    fn connect(&self, to: Destination, transport: Transport, remote: SocketAddr, first: Bytes) -> bool {
        if self.len() >= MOST_CONNECTIONS {
            return false;
        }
        let Entry { id, outgoing } = self.shared.enter(remote.ip());
        let queued = self.shared.open.get(&id).is_some_and(|sender| sender.try_send(first).is_ok());
        self.shared.by_remote.insert((transport, remote), id);
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let flow = match timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => {
                    let local = stream.local_addr().unwrap_or(remote);
                    let flow = Flow { transport, local, remote, connection: Some(id) };
                    shared.call(stream, outgoing, flow).await.then_some(Destination::Flow(flow))
                }
                _ => None,
            };
            shared.leave(id, transport, remote);
            shared.lost(transport, remote, flow.unwrap_or(to));
        });
        queued
    }
}

impl Shared {
    fn accept(shared: &Arc<Shared>, stream: TcpStream, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        if !shared.has_room(remote.ip()) {
            return;
        }
        let Entry { id, outgoing } = shared.enter(remote.ip());
        if transport == Transport::Tcp {
            // RFC 5923 §4: one over TLS would have to prove first whose it is.
            shared.by_remote.insert((transport, remote), id);
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            let flow = Flow { transport, local, remote, connection: Some(id) };
            let proven = shared.answer(stream, outgoing, flow).await;
            shared.leave(id, transport, remote);
            // Strangers who come and go are nothing to the engine.
            if proven {
                shared.lost(transport, remote, Destination::Flow(flow));
            }
        });
    }

    /// Within the bounds of all connections and of those from one address.
    pub(super) fn has_room(&self, from: IpAddr) -> bool {
        let from_there = self.from_address.get(&from).map_or(0, |count| *count);
        self.count.load(Ordering::Relaxed) < MOST_CONNECTIONS && from_there < MOST_FROM_ONE_ADDRESS
    }

    /// What went by this connection, or was to go, has no answer to wait for.
    pub(super) fn lost(&self, transport: Transport, remote: SocketAddr, to: Destination) {
        let address = Destination::Address { transport, address: remote };
        self.inbox.tell(NetEvent::TransportError { to });
        if to != address && !transport.is_web_socket() {
            self.inbox.tell(NetEvent::TransportError { to: address });
        }
    }

    pub(super) fn enter(&self, from: IpAddr) -> Entry {
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        self.open.insert(id, sender);
        *self.from_address.entry(from).or_insert(0) += 1;
        self.count.fetch_add(1, Ordering::Relaxed);
        Entry { id, outgoing }
    }

    pub(super) fn leave(&self, id: ConnectionId, transport: Transport, remote: SocketAddr) {
        self.open.remove(&id);
        self.by_remote.remove_if(&(transport, remote), |_, current| *current == id);
        if let Some(mut count) = self.from_address.get_mut(&remote.ip()) {
            *count = count.saturating_sub(1);
        }
        self.from_address.remove_if(&remote.ip(), |_, count| *count == 0);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// A new connection among the strangers, and the time it has for its first message.
    pub(super) fn stranger(self: &Arc<Self>) -> (Stranger, Duration) {
        let before = self.strangers.fetch_add(1, Ordering::Relaxed);
        let patience = if before < self.limits.strangers { self.limits.patience } else { self.limits.hurry };
        (Stranger(self.clone()), patience)
    }

    /// Serves a connection that came in. Whether a message that could be read has come by it.
    async fn answer(self: &Arc<Self>, stream: TcpStream, outgoing: mpsc::Receiver<Bytes>, flow: Flow) -> bool {
        // Messages are whole when they are written: waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        if flow.transport != Transport::Tls {
            return self.serve(stream.into_split(), outgoing, flow, false).await;
        }
        let (stranger, patience) = self.stranger();
        let accepted = self.tls.accept(stream, flow.remote, patience).await;
        drop(stranger);
        match accepted {
            Some(stream) => self.serve(tokio::io::split(stream), outgoing, flow, false).await,
            None => false,
        }
    }

    /// Serves a connection that we opened; `false` where it did not come to one.
    async fn call(self: &Arc<Self>, stream: TcpStream, outgoing: mpsc::Receiver<Bytes>, flow: Flow) -> bool {
        let _ = stream.set_nodelay(true);
        if flow.transport != Transport::Tls {
            return self.serve(stream.into_split(), outgoing, flow, true).await;
        }
        match self.tls.connect(stream, flow.remote).await {
            Some(stream) => self.serve(tokio::io::split(stream), outgoing, flow, true).await,
            None => false,
        }
    }

    /// Carries messages both ways until the connection ends. Whether a message that could be read has come by it, or it
    /// was `ours` from the start.
    async fn serve(
        self: &Arc<Self>,
        (reading, writing): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        outgoing: mpsc::Receiver<Bytes>,
        flow: Flow,
        ours: bool,
    ) -> bool {
        let proven = AtomicBool::new(ours);
        tokio::select! {
            () = self.read(reading, flow, &proven) => {}
            () = write(writing, outgoing) => {}
        }
        proven.into_inner()
    }

    async fn read(self: &Arc<Self>, mut stream: impl AsyncRead + Unpin, flow: Flow, proven: &AtomicBool) {
        let answers = flow.connection.and_then(|id| self.open.get(&id).map(|sender| sender.clone()));
        let Some(answers) = answers else { return };
        let mut framer = Framer::default();
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let (mut stranger, patience) = match proven.load(Ordering::Relaxed) {
            true => (None, self.limits.patience),
            false => {
                let (stranger, patience) = self.stranger();
                (Some(stranger), patience)
            }
        };
        // When the message that is on its way must be whole.
        let mut due = Instant::now() + patience;
        loop {
            let between = proven.load(Ordering::Relaxed) && framer.is_empty();
            let until = if between { Instant::now() + self.limits.idle } else { due };
            chunk.clear();
            match timeout_at(until, stream.read_buf(&mut chunk)).await {
                Ok(Ok(length)) if length > 0 => framer.push(&chunk),
                _ => return,
            }
            if between {
                due = Instant::now() + self.limits.patience;
            }
            for framed in framer.by_ref() {
                let answer = match framed {
                    Framed::Message(bytes) => match self.inbox.admit(&bytes, flow) {
                        Ok(event) => {
                            self.inbox.tell_in_turn(event).await;
                            proven.store(true, Ordering::Relaxed);
                            drop(stranger.take());
                            due = Instant::now() + self.limits.patience;
                            None
                        }
                        Err(turned_away) => {
                            proven.fetch_or(turned_away.readable, Ordering::Relaxed);
                            turned_away.answer
                        }
                    },
                    // RFC 5626 §3.5.1: the double CRLF is answered with one.
                    Framed::Ping => Some(Bytes::from_static(b"\r\n")),
                    Framed::Broken(refusal) => {
                        if refusal.is_some_and(|refusal| answers.try_send(refusal).is_ok()) {
                            // The writer gets a moment to send it before the connection is closed.
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                        return;
                    }
                };
                if answer.is_some_and(|answer| answers.try_send(answer).is_err()) {
                    return;
                }
            }
        }
    }
}

async fn write(mut stream: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = outgoing.recv().await {
        // TLS keeps what it has encrypted until it is flushed.
        let written = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        match timeout(WRITE_TIMEOUT, written).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}
