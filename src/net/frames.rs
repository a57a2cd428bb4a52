//! SIP in frames that another shell reads and writes: WebSockets (RFC 7118), where each frame is one message.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::stream::{Entry, Shared, Stranger, Streams};
use crate::settings::Transport;
use crate::sip::{Destination, Flow};

/// One browser's connection, counted among those of TCP and with their bounds. It ends when this is dropped; what was to
/// go by it cannot be delivered any more.
pub struct Frames {
    shared: Arc<Shared>,
    flow: Flow,
    outgoing: mpsc::Receiver<Bytes>,
    /// Until the first message that can be read.
    stranger: Option<Stranger>,
    due: Option<Instant>,
}

/// The connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl Streams {
    /// `None`: there are too many connections.
    pub fn frames(&self, secure: bool, local: SocketAddr, remote: SocketAddr) -> Option<Frames> {
        if !self.shared.has_room(remote.ip()) {
            return None;
        }
        let Entry { id, outgoing } = self.shared.enter(remote.ip());
        let (stranger, patience) = self.shared.stranger();
        let transport = if secure { Transport::Wss } else { Transport::Ws };
        let flow = Flow { transport, local, remote, connection: Some(id) };
        let due = Some(Instant::now() + patience);
        Some(Frames { shared: self.shared.clone(), flow, outgoing, stranger: Some(stranger), due })
    }
}

impl Frames {
    /// A frame that came in, with what is to be sent back at once. Waits while the engine is busy.
    pub async fn take(&mut self, frame: &[u8]) -> Result<Option<Bytes>, Closed> {
        // RFC 5626 §3.5.1, which RFC 7118 §6 leaves to those who cannot send the pings of a WebSocket.
        match frame {
            b"\r\n\r\n" => return Ok(Some(Bytes::from_static(b"\r\n"))),
            b"\r\n" | b"" => return Ok(None),
            _ => {}
        }
        match self.shared.inbox.admit(frame, self.flow) {
            Ok(event) => {
                self.shared.inbox.tell_in_turn(event).await;
                self.known();
                Ok(None)
            }
            Err(turned_away) if turned_away.readable => {
                self.known();
                Ok(turned_away.answer)
            }
            // A frame is a message or it is not: the next one may be.
            Err(turned_away) => turned_away.answer.map(Some).ok_or(Closed),
        }
    }

    fn known(&mut self) {
        self.stranger = None;
        self.due = None;
    }

    /// The next message to be sent.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.outgoing.recv().await
    }

    /// When it is to be closed, as long as nothing that can be read has come by it.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let Flow { transport, remote, connection, .. } = self.flow;
        if let Some(id) = connection {
            self.shared.leave(id, transport, remote);
        }
        // Strangers who come and go are nothing to the engine.
        if self.stranger.is_none() {
            self.shared.lost(transport, remote, Destination::Flow(self.flow));
        }
    }
}
