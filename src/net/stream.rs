//! SIP over TCP: connections that come in, and those opened on demand; both carry messages both ways (RFC 3261 §18).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dashmap::DashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

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
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { patience: Duration::from_secs(30), idle: Duration::from_secs(900) }
    }
}

#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
}

struct Shared {
    inbox: Inbox,
    limits: Limits,
    open: DashMap<ConnectionId, mpsc::Sender<Bytes>>,
    by_remote: DashMap<SocketAddr, ConnectionId>,
    from_address: DashMap<IpAddr, usize>,
    count: AtomicUsize,
    next: AtomicU64,
}

impl Streams {
    pub fn new(inbox: Inbox, limits: Limits) -> Streams {
        let shared = Shared {
            inbox,
            limits,
            open: DashMap::new(),
            by_remote: DashMap::new(),
            from_address: DashMap::new(),
            count: AtomicUsize::new(0),
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
                    Ok((stream, remote)) => Shared::accept(&shared, stream, local, remote),
                    // Out of descriptors: those that are open go on, and some will close.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(local)
    }

    /// Queues on the connection, on another to the same address, or on a new one. `false`: cannot be delivered.
    pub fn send(&self, to: Destination, connection: Option<ConnectionId>, remote: SocketAddr, bytes: Bytes) -> bool {
        let known = connection.filter(|id| self.shared.open.contains_key(id));
        let id = known.or_else(|| self.shared.by_remote.get(&remote).map(|id| *id));
        match id.and_then(|id| self.shared.open.get(&id).map(|sender| sender.clone())) {
            Some(sender) => sender.try_send(bytes).is_ok(),
            None => self.connect(to, remote, bytes),
        }
    }

    fn connect(&self, to: Destination, remote: SocketAddr, first: Bytes) -> bool {
        if self.len() >= MOST_CONNECTIONS {
            return false;
        }
        let (sender, receiver) = mpsc::channel(OUTGOING);
        let queued = sender.try_send(first).is_ok();
        let id = self.shared.enter(sender, remote);
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let flow = match timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => {
                    let local = stream.local_addr().unwrap_or(remote);
                    let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(id) };
                    shared.serve(stream, receiver, flow, true).await;
                    Some(Destination::Flow(flow))
                }
                _ => None,
            };
            shared.leave(id, remote);
            shared.lost(remote, flow.unwrap_or(to));
        });
        queued
    }
}

impl Shared {
    fn accept(shared: &Arc<Shared>, stream: TcpStream, local: SocketAddr, remote: SocketAddr) {
        let from_here = shared.from_address.get(&remote.ip()).map_or(0, |count| *count);
        if shared.count.load(Ordering::Relaxed) >= MOST_CONNECTIONS || from_here >= MOST_FROM_ONE_ADDRESS {
            return;
        }
        let (sender, receiver) = mpsc::channel(OUTGOING);
        let id = shared.enter(sender, remote);
        let shared = shared.clone();
        tokio::spawn(async move {
            let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(id) };
            let proven = shared.serve(stream, receiver, flow, false).await;
            shared.leave(id, remote);
            // Strangers who come and go are nothing to the engine.
            if proven {
                shared.lost(remote, Destination::Flow(flow));
            }
        });
    }

    /// What went by this connection, or was to go, has no answer to wait for.
    fn lost(&self, remote: SocketAddr, to: Destination) {
        let address = Destination::Address { transport: Transport::Tcp, address: remote };
        self.inbox.tell(NetEvent::TransportError { to });
        if to != address {
            self.inbox.tell(NetEvent::TransportError { to: address });
        }
    }

    fn enter(&self, sender: mpsc::Sender<Bytes>, remote: SocketAddr) -> ConnectionId {
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        self.open.insert(id, sender);
        self.by_remote.insert(remote, id);
        *self.from_address.entry(remote.ip()).or_insert(0) += 1;
        self.count.fetch_add(1, Ordering::Relaxed);
        id
    }

    fn leave(&self, id: ConnectionId, remote: SocketAddr) {
        self.open.remove(&id);
        self.by_remote.remove_if(&remote, |_, current| *current == id);
        if let Some(mut count) = self.from_address.get_mut(&remote.ip()) {
            *count = count.saturating_sub(1);
        }
        self.from_address.remove_if(&remote.ip(), |_, count| *count == 0);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Carries messages both ways until the connection ends. Whether a message that could be read has come by it, or it
    /// was `ours` from the start.
    async fn serve(&self, stream: TcpStream, outgoing: mpsc::Receiver<Bytes>, flow: Flow, ours: bool) -> bool {
        // Messages are whole when they are written: waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        let proven = AtomicBool::new(ours);
        tokio::select! {
            () = self.read(reading, flow, &proven) => {}
            () = write(writing, outgoing) => {}
        }
        proven.into_inner()
    }

    async fn read(&self, mut stream: OwnedReadHalf, flow: Flow, proven: &AtomicBool) {
        let answers = flow.connection.and_then(|id| self.open.get(&id).map(|sender| sender.clone()));
        let Some(answers) = answers else { return };
        let mut framer = Framer::default();
        let mut chunk = BytesMut::with_capacity(CHUNK);
        // When the message that is on its way must be whole.
        let mut due = Instant::now() + self.limits.patience;
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

async fn write(mut stream: OwnedWriteHalf, mut outgoing: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = outgoing.recv().await {
        match timeout(WRITE_TIMEOUT, stream.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}
