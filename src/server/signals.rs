//! SIGTERM and SIGINT drain, the second one stops at once; SIGHUP reloads.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the operator's signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Drain,
    Stop,
    Reload,
}

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    draining: bool,
}

impl Signals {
    pub fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            draining: false,
        })
    }

    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => return Wish::Reload,
        }
        if std::mem::replace(&mut self.draining, true) { Wish::Stop } else { Wish::Drain }
    }
}
