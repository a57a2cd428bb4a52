//! Sockets for SIP: messages come in parsed, with the flow they came by; bytes go out without waiting.

mod counters;
mod frames;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::TrySendError;

pub use counters::{Counters, Figures};
pub use frames::{Closed, Frames};
pub use resolve::Resolver;

use crate::outbox::Outbox;
use crate::settings::{Listen, Transport};
use crate::sip::message::{Host, Message, Method, Request};
use crate::sip::{Destination, Flow, Transmit};
use crate::tls::Tls;
use stream::{Limits, Streams};
use tls::Secured;
use udp::Datagrams;

/// What the sockets tell the engine.
#[derive(Debug)]
pub enum NetEvent {
    Message {
        flow: Flow,
        message: Box<Message>,
    },
    /// What was sent there could not be delivered, or the connection is gone by which an answer would have come.
    TransportError {
        to: Destination,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error(
        "SIP port {}:{} is in use by another program; stop that one, or take another with --sip {}:ADDR:PORT",
        .0.transport.name(), .0.address, .0.transport.name()
    )]
    InUse(Listen),
    #[error("cannot listen for SIP on {}:{}: {error}; give an address of this machine with --sip", .listen.transport.name(), .listen.address)]
    Bind { listen: Listen, error: io::Error },
    #[error("{}: SIP over {} has no port of its own; it comes by the web's", .0.address, .0.transport.name())]
    WebSocket(Listen),
    #[error("tls:{}: there is no certificate to prove ourselves by; name one in [sip.tls]", .0.address)]
    NoCertificate(Listen),
}

impl NetError {
    fn bind(listen: Listen, error: io::Error) -> NetError {
        match error.kind() {
            io::ErrorKind::AddrInUse => NetError::InUse(listen),
            _ => NetError::Bind { listen, error },
        }
    }
}

/// The way from the sockets to the engine's thread, with its bound.
#[derive(Clone)]
struct Inbox {
    events: Outbox<NetEvent>,
    counters: Arc<Counters>,
}

/// Above this share of the channel new calls are refused, so that running ones keep their messages.
const HIGH_WATER_PERCENT: usize = 75;
/// How often a stream tries again to hand its message to a busy engine.
const TURN: Duration = Duration::from_millis(2);

/// Bytes that are not for the engine.
struct TurnedAway {
    /// It was a message; the engine is only too busy for it.
    readable: bool,
    /// To be sent back at once.
    answer: Option<Bytes>,
}

impl Inbox {
    /// Reads one message. What cannot be read is turned away with its refusal, and a new call with 503 where the engine
    /// is too busy for one.
    fn admit(&self, bytes: &[u8], flow: Flow) -> Result<NetEvent, TurnedAway> {
        let mut message = Message::parse(bytes).map_err(|error| {
            self.counters.malformed();
            TurnedAway { readable: false, answer: error.refusal() }
        })?;
        self.counters.received();
        if let Message::Request(request) = &mut message {
            note_source(request, flow.remote);
            if self.is_busy() && begins_a_call(request) {
                self.counters.refused();
                let mut response = request.response(503.into(), Some("busy"));
                response.headers.push("Retry-After", "5");
                return Err(TurnedAway { readable: true, answer: Some(response.to_bytes()) });
            }
        }
        Ok(NetEvent::Message { flow, message: Box::new(message) })
    }

    fn is_busy(&self) -> bool {
        let capacity = self.events.capacity().unwrap_or(usize::MAX);
        self.events.len().saturating_mul(100) > capacity.saturating_mul(HIGH_WATER_PERCENT)
    }

    /// What does not fit is dropped and counted: over UDP the peer sends it again.
    fn tell(&self, event: NetEvent) {
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            self.counters.dropped();
        }
    }

    /// Waits for room: over a stream nobody sends anything again. While it waits nothing is read, and the peer is held
    /// back by the stream itself.
    async fn tell_in_turn(&self, mut event: NetEvent) {
        while let Err(TrySendError::Full(back)) = self.events.try_send(event) {
            event = back;
            tokio::time::sleep(TURN).await;
        }
    }
}

fn begins_a_call(request: &Request) -> bool {
    request.method == Method::Invite && request.core.to.tag().is_none()
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: the address the request came from is written into its top Via.
fn note_source(request: &mut Request, remote: SocketAddr) {
    let Some(via) = request.core.via.first_mut() else { return };
    let asked = via.params.contains("rport");
    if asked {
        via.params.set("rport", Some(remote.port().to_string()));
    }
    if asked || via.host != Host::Address(remote.ip()) {
        via.params.set("received", Some(remote.ip().to_string()));
    }
}

/// All SIP sockets.
pub struct Net {
    datagrams: Vec<Datagrams>,
    streams: Streams,
    secured: Secured,
    inbox: Inbox,
    listening: Vec<Listen>,
}

impl Net {
    /// Binds every address and starts to receive. Needs a tokio runtime.
    pub async fn bind(listen: &[Listen], tls: Tls, events: Outbox<NetEvent>) -> Result<Net, NetError> {
        Net::bind_with(listen, tls, events, Limits::default()).await
    }

    async fn bind_with(listen: &[Listen], tls: Tls, events: Outbox<NetEvent>, limits: Limits) -> Result<Net, NetError> {
        let inbox = Inbox { events, counters: Arc::new(Counters::default()) };
        let can_prove_itself = tls.server.is_some();
        let secured = Secured::new(tls, inbox.counters.clone());
        let streams = Streams::new(inbox.clone(), limits, secured.clone());
        let mut net = Net { datagrams: Vec::new(), streams, secured, inbox, listening: Vec::new() };
        for wanted in listen {
            let address = match wanted.transport {
                Transport::Udp => {
                    let socket = Datagrams::bind(*wanted, net.inbox.clone())?;
                    let address = socket.local();
                    net.datagrams.push(socket);
                    address
                }
                Transport::Tls if !can_prove_itself => return Err(NetError::NoCertificate(*wanted)),
                Transport::Tcp | Transport::Tls => net.streams.listen(*wanted).await?,
                Transport::Ws | Transport::Wss => return Err(NetError::WebSocket(*wanted)),
            };
            net.listening.push(Listen { transport: wanted.transport, address });
        }
        Ok(net)
    }

    /// The bound addresses, with the port that the system chose where 0 was asked for.
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    pub fn figures(&self) -> Figures {
        self.inbox.counters.figures(self.streams.len())
    }

    /// A browser has opened a WebSocket (RFC 7118), `secure` from its own point of view. `None`: there are too many.
    pub fn web_socket(&self, secure: bool, local: SocketAddr, remote: SocketAddr) -> Option<Frames> {
        self.streams.frames(secure, local, remote)
    }

    /// New connections over TLS prove themselves by these keys, and trust whom these trust.
    pub fn replace_keys(&self, tls: Tls) {
        self.secured.replace(tls);
    }

    /// A trunk's server was found: over TLS, who answers at these addresses has to be `host`.
    pub fn found(&self, host: &str, targets: &[Destination]) {
        for target in targets {
            if let Destination::Address { transport: Transport::Tls, address } = target {
                self.secured.name(*address, host);
            }
        }
    }

    /// Sends, or queues on a stream. Never waits: what cannot go is dropped and reported.
    pub fn send(&self, transmit: Transmit) {
        let Transmit { to, bytes } = transmit;
        let sent = match to {
            Destination::Flow(flow) if flow.transport == Transport::Udp => {
                self.send_datagram(Some(flow.local), flow.remote, &bytes)
            }
            Destination::Address { transport: Transport::Udp, address } => self.send_datagram(None, address, &bytes),
            Destination::Flow(_) | Destination::Address { .. } => self.streams.send(to, bytes),
        };
        if sent {
            self.inbox.counters.sent();
        } else {
            self.inbox.tell(NetEvent::TransportError { to });
        }
    }

    /// From the socket the flow came by, else from the first that can reach the address's family.
    fn send_datagram(&self, local: Option<SocketAddr>, remote: SocketAddr, bytes: &[u8]) -> bool {
        let by_local = self.datagrams.iter().find(|socket| Some(socket.local()) == local);
        let by_family = || self.datagrams.iter().find(|socket| socket.local().is_ipv4() == remote.is_ipv4());
        by_local.or_else(by_family).is_some_and(|socket| socket.send(remote, bytes, &self.inbox.counters))
    }
}
