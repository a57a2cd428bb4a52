//! The edge between a worker and the sockets: what tests replace.

use std::net::SocketAddr;

use crate::bridge::{Loss, MediaPort, Stream};
use crate::time::Instant;

/// The two flows of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    Rtp,
    Rtcp,
}

/// What became of the way to a leg's far end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// It is gone; told once.
    pub lost: Option<Loss>,
    /// When to look again.
    pub again: Option<Instant>,
}

/// Where a worker's packets go. Legs are named by their place in the worker's table.
pub trait MediaIo {
    /// A leg's open sockets, on their way to another worker.
    type Sockets;
    /// Takes the bound sockets of this port into use for the leg in this place; `false` where there are none.
    fn open(&mut self, place: u32, port: MediaPort) -> bool;
    /// The leg's stream is to be kept from others so from now on.
    fn protect(&mut self, _place: u32, _stream: &Stream, _now: Instant) {}
    /// Whether what is sent now can be heard: what can wait does so until then.
    fn is_ready(&self, _place: u32) -> bool {
        true
    }
    /// Does what the way to the far end needs by the time.
    fn look_after(&mut self, _place: u32, _now: Instant) -> Watch {
        Watch::default()
    }
    /// When `look_after` is to come next for checks of ours, which go out closer to each other than all else that it does;
    /// `None` where there are none.
    fn due(&self, _place: u32) -> Option<Instant> {
        None
    }
    /// The leg's RTP comes from this source and no other from now on; from `None`, from whichever qualifies. Only a help
    /// to the kernel: the worker goes on checking sources.
    fn fix(&mut self, _place: u32, _far_end: Option<SocketAddr>) {}
    /// Sends one datagram without waiting; `false` where the kernel refused it.
    fn send(&mut self, place: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) -> bool;
    /// Takes the leg's sockets out of use here.
    fn take(&mut self, place: u32) -> Option<Self::Sockets>;
    /// Takes another worker's sockets into use; `false` where that cannot be.
    fn put(&mut self, place: u32, sockets: Self::Sockets) -> bool;
    /// Gives the leg's sockets back to the stock.
    fn close(&mut self, place: u32);
}
