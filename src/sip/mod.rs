//! SIP (RFC 3261) without sockets: messages, transactions, dialogs, the registrar and digest authentication.

pub mod auth;
pub mod dialog;
pub mod message;
pub mod refresh;
pub mod registrar;
pub mod session_timer;
pub mod transaction;
pub mod ua;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::ConnectionId;
pub use crate::settings::Transport;

/// The path a message came by, and by which an answer goes back (RFC 3581, RFC 5626).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    /// Our own bound address.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The stream connection; `None` for UDP.
    pub connection: Option<ConnectionId>,
}

/// Where a message is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// Back by an existing flow. A stream that is gone is opened anew to `remote` where that can be (RFC 3261 §18.2.2).
    Flow(Flow),
    /// To an address; the shell chooses the local socket and opens or re-uses a stream.
    Address { transport: Transport, address: SocketAddr },
}

impl Destination {
    pub fn transport(&self) -> Transport {
        match self {
            Destination::Flow(flow) => flow.transport,
            Destination::Address { transport, .. } => *transport,
        }
    }
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transmit {
    pub to: Destination,
    pub bytes: bytes::Bytes,
}
