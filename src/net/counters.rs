//! What the sockets count.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    malformed: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    insecure: AtomicU64,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub received: u64,
    pub sent: u64,
    /// Could not be read; answered with a refusal where that was possible.
    pub malformed: u64,
    /// New calls answered 503 because the engine was too busy.
    pub refused: u64,
    /// Messages lost because a queue or a socket buffer was full.
    pub dropped: u64,
    /// Connections over TLS that failed at the hand-shake.
    pub insecure: u64,
    /// Open stream connections, WebSockets among them.
    pub connections: u64,
}

impl Counters {
    pub(super) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn insecure(&self) {
        self.insecure.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn figures(&self, connections: usize) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            received: read(&self.received),
            sent: read(&self.sent),
            malformed: read(&self.malformed),
            refused: read(&self.refused),
            dropped: read(&self.dropped),
            insecure: read(&self.insecure),
            connections: connections as u64,
        }
    }
}
