//! A leg goes to another thread, because its call comes together with one that lives there: sockets, SSRC, sequence and all.
//!
//! The old thread takes the leg out and passes it on; the new one keeps what is commanded of the leg until it is there. What
//! arrives meanwhile waits in the sockets, so nothing is lost and the far end hears no more than a moment's delay.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::leg::Leg;
use super::sockets::Sockets;
use super::thread::Bell;
use crate::bridge::MediaCommand;
use crate::ids::{CallId, LegId};

/// Commands that wait for a leg on its way; more are dropped.
const MOST_WAITING: usize = 64;

/// What a thread is told.
pub(super) enum Order {
    Command(MediaCommand),
    /// The leg goes to the thread of this bell.
    Release {
        leg: LegId,
        to: Sender<Moved>,
        bell: Arc<Bell>,
    },
    /// A leg comes from another thread, into this call.
    Receive {
        leg: LegId,
        call: CallId,
        from: Receiver<Moved>,
    },
}

/// A leg on its way.
pub(super) struct Moved {
    pub leg: Box<Leg>,
    pub sockets: Sockets,
}

/// A leg that is expected.
struct Expected {
    leg: LegId,
    call: CallId,
    from: Receiver<Moved>,
    waiting: Vec<MediaCommand>,
}

/// What comes of looking for a leg.
pub(super) enum Arrival {
    Came {
        moved: Moved,
        call: CallId,
        commands: Vec<MediaCommand>,
    },
    /// It had ended where it was.
    Never,
}

/// The legs that a thread expects.
#[derive(Default)]
pub(super) struct Arrivals(Vec<Expected>);

impl Arrivals {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn expect(&mut self, leg: LegId, call: CallId, from: Receiver<Moved>) {
        self.0.push(Expected { leg, call, from, waiting: Vec::new() });
    }

    /// Keeps a command for a leg on its way; gives back any other.
    pub fn keep(&mut self, command: MediaCommand) -> Option<MediaCommand> {
        let leg = command.leg();
        let Some(expected) = self.0.iter_mut().find(|expected| Some(expected.leg) == leg) else { return Some(command) };
        if expected.waiting.len() < MOST_WAITING {
            expected.waiting.push(command);
        }
        None
    }

    /// The next one that is there, or will never be.
    pub fn take(&mut self) -> Option<Arrival> {
        for at in 0..self.0.len() {
            let expected = self.0.get(at)?;
            let come = match expected.from.try_recv() {
                Ok(moved) => Some(moved),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => continue,
            };
            let Expected { call, waiting, .. } = self.0.swap_remove(at);
            return Some(match come {
                Some(moved) => Arrival::Came { moved, call, commands: waiting },
                None => Arrival::Never,
            });
        }
        None
    }
}
