//! A leg goes to another thread, because it comes together with legs that live there: sockets, SSRC, sequence and all.
//!
//! The old thread takes the leg out and passes it on; the new one keeps what is commanded of the leg until it is there. What
//! arrives meanwhile waits in the sockets, so nothing is lost and the far end hears no more than a moment's delay.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::leg::Leg;
use super::secure::Guarded;
use super::sockets::Sockets;
use super::thread::Bell;
use crate::bridge::{Group, MediaCommand};
use crate::ids::LegId;

/// Orders that wait for a leg on its way; more are dropped.
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
    /// A leg comes from another thread, into this group.
    Receive {
        leg: LegId,
        group: Group,
        from: Receiver<Moved>,
    },
}

/// A leg on its way.
pub(super) struct Moved {
    pub leg: Box<Leg>,
    pub sockets: Guarded<Sockets>,
}

/// A leg that is expected.
struct Expected {
    leg: LegId,
    group: Group,
    from: Receiver<Moved>,
    waiting: Vec<Order>,
}

/// What comes of looking for a leg.
pub(super) enum Arrival {
    Came {
        moved: Moved,
        group: Group,
        orders: Vec<Order>,
    },
    /// It had ended where it was; so whoever was to have it next waits in vain, which these orders are to tell.
    Never {
        orders: Vec<Order>,
    },
}

/// The legs that a thread expects.
#[derive(Default)]
pub(super) struct Arrivals(Vec<Expected>);

impl Arrivals {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn expect(&mut self, leg: LegId, group: Group, from: Receiver<Moved>) {
        self.0.push(Expected { leg, group, from, waiting: Vec::new() });
    }

    /// Keeps an order for a leg on its way, also the one to send it on at once; gives back any other.
    pub fn keep(&mut self, order: Order) -> Option<Order> {
        let leg = match &order {
            Order::Command(command) => command.leg(),
            Order::Release { leg, .. } => Some(*leg),
            Order::Receive { .. } => None,
        };
        let Some(expected) = self.0.iter_mut().find(|expected| Some(expected.leg) == leg) else { return Some(order) };
        if expected.waiting.len() < MOST_WAITING || matches!(order, Order::Release { .. }) {
            expected.waiting.push(order);
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
            let Expected { group, waiting: orders, .. } = self.0.remove(at);
            return Some(match come {
                Some(moved) => Arrival::Came { moved, group, orders },
                None => Arrival::Never { orders },
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::ids::{CallId, RoomId};

    #[test]
    fn a_leg_that_is_sent_on_before_it_has_come_is_waited_for_in_vain_by_nobody() {
        let mut arrivals = Arrivals::default();
        let (sender, from) = bounded(1);
        arrivals.expect(LegId(1), Group::Room(RoomId(1)), from);
        let (onward, next) = bounded(1);
        let bell = Arc::new(Bell::new().unwrap());
        assert!(arrivals.keep(Order::Release { leg: LegId(1), to: onward, bell }).is_none(), "it waits with the leg");
        let (_, from) = bounded(1);
        let other = Order::Receive { leg: LegId(2), group: Group::Call(CallId(1)), from };
        assert!(arrivals.keep(other).is_some());
        assert!(arrivals.take().is_none());
        assert!(matches!(next.try_recv(), Err(TryRecvError::Empty)), "the next thread waits too");
        drop(sender);
        let Some(Arrival::Never { orders }) = arrivals.take() else { panic!("it had ended") };
        assert!(matches!(orders[..], [Order::Release { .. }]));
        drop(orders);
        assert!(matches!(next.try_recv(), Err(TryRecvError::Disconnected)));
    }
}
