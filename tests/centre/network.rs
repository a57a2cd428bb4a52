//! A network that loses, doubles, delays and reorders.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use relais::time::Instant;

pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Bytes,
}

pub struct Network {
    /// Out of a thousand.
    loss: u32,
    duplication: u32,
    jitter_ms: u32,
    under_way: BTreeMap<(Instant, u64), Packet>,
    sequence: u64,
}

impl Network {
    pub fn new(rng: &mut ChaCha12Rng) -> Network {
        let loss = [0, 0, 20, 100, 250][below(rng, 5) as usize];
        let duplication = [0, 30, 150][below(rng, 3) as usize];
        Network {
            loss,
            duplication,
            jitter_ms: [1, 10, 150][below(rng, 3) as usize],
            under_way: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Out of a thousand.
    pub fn loss(&self) -> u32 {
        self.loss
    }

    pub fn send(&mut self, packet: Packet, now: Instant, rng: &mut ChaCha12Rng) {
        let copies = if below(rng, 1_000) < self.duplication { 2 } else { 1 };
        for _ in 0..copies {
            if below(rng, 1_000) < self.loss {
                continue;
            }
            let delay = Duration::from_micros(200 + u64::from(below(rng, self.jitter_ms * 1_000)));
            self.sequence += 1;
            let copy = Packet { from: packet.from, to: packet.to, bytes: packet.bytes.clone() };
            self.under_way.insert((now + delay, self.sequence), copy);
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub fn receive(&mut self, now: Instant) -> Option<Packet> {
        if self.next()? > now {
            return None;
        }
        self.under_way.pop_first().map(|(_, packet)| packet)
    }
}

/// A number below `bound`, which is above zero.
pub fn below(rng: &mut ChaCha12Rng, bound: u32) -> u32 {
    rng.next_u32() % bound
}

/// A number below one of three bounds, each as likely.
pub fn below_one_of(rng: &mut ChaCha12Rng, bounds: [u32; 3]) -> u32 {
    let bound = bounds[below(rng, 3) as usize];
    below(rng, bound)
}
