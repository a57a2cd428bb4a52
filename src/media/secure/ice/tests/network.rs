//! The network: it loses by a seed, takes 20 ms, and has a NAT in front of whoever wants one.

use std::collections::BTreeMap;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

const DELAY: Duration = Duration::from_millis(20);
const STEP_MS: u64 = 10;

/// A NAT as RFC 4787 calls the worst of them: another port for each far end, and nothing let in but its answers; or one that
/// keeps its ports, and lets in whom something was sent to.
#[derive(Default)]
pub struct Nat {
    keeps_ports: bool,
    outside: Option<SocketAddr>,
    /// By far end: our port outside.
    ports: BTreeMap<SocketAddr, u16>,
    next: u16,
}

impl Nat {
    pub fn symmetric(outside: &str) -> Nat {
        Nat { outside: Some(address(outside)), next: 61_000, ..Nat::default() }
    }

    /// One to one, but strict in what it lets in.
    pub fn restricted(outside: &str) -> Nat {
        Nat { keeps_ports: true, ..Nat::symmetric(outside) }
    }

    fn out(&mut self, to: SocketAddr) -> Option<SocketAddr> {
        let mut outside = self.outside?;
        let next = &mut self.next;
        let keeps = self.keeps_ports;
        let port = *self.ports.entry(to).or_insert_with(|| {
            *next += 1;
            if keeps { outside.port() } else { *next }
        });
        outside.set_port(port);
        Some(outside)
    }

    /// Whether a datagram for this port from there is let in.
    fn lets_in(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.outside.is_some_and(|outside| outside.ip() == to.ip()) && self.ports.get(&from) == Some(&to.port())
    }
}

pub struct Host {
    pub side: Side,
    pub address: SocketAddr,
    pub nat: Option<Nat>,
    pub sent: usize,
    pub gone_at: Option<Instant>,
}

impl Host {
    pub fn new(own: &str, ice: Ice) -> Host {
        Host { side: Side::new(ice, at(0)), address: address(own), nat: None, sent: 0, gone_at: None }
    }

    pub fn behind(self, nat: Nat) -> Host {
        Host { nat: Some(nat), ..self }
    }

    fn pass(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.side.pass(now);
        if self.side.gone_at() <= now {
            self.gone_at = self.gone_at.or(Some(now));
        }
        let mut out = Vec::new();
        while let Some((to, check)) = self.side.poll_check(now) {
            out.push((to, check.octets().to_vec()));
        }
        self.sent += out.len();
        out
    }
}

/// Two hosts.
pub struct Net {
    pub hosts: [Host; 2],
    pub now: Instant,
    /// Of 256.
    pub loss: u32,
    /// Nothing that this host sends arrives.
    pub mute: [bool; 2],
    under_way: Vec<(Instant, usize, SocketAddr, SocketAddr, Vec<u8>)>,
    rng: ChaCha12Rng,
}

impl Net {
    pub fn new(a: Host, b: Host) -> Net {
        Net {
            hosts: [a, b],
            now: at(0),
            loss: 0,
            mute: [false; 2],
            under_way: Vec::new(),
            rng: ChaCha12Rng::seed_from_u64(1),
        }
    }

    pub fn with_loss(mut self, loss: u32, seed: u64) -> Net {
        self.loss = loss;
        self.rng = ChaCha12Rng::seed_from_u64(seed);
        self
    }

    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.now = self.now + Duration::from_millis(STEP_MS);
            self.deliver();
            for host in 0..2 {
                // Whoever is called only when it said it would have something to do does all that it has to.
                if self.hosts[host].side.due().is_none_or(|due| due <= self.now) {
                    for (to, datagram) in self.hosts[host].pass(self.now) {
                        self.send(host, to, datagram);
                    }
                }
                if self.hosts[host].side.gone_at() <= self.now {
                    self.hosts[host].pass(self.now);
                }
            }
        }
    }

    /// Until something is true; how many milliseconds that took.
    pub fn until(&mut self, most_ms: u64, probe: impl Fn(&Net) -> bool) -> Option<u64> {
        (0..most_ms / STEP_MS)
            .find(|_| {
                self.run(STEP_MS);
                probe(self)
            })
            .map(|steps| (steps + 1) * STEP_MS)
    }

    fn send(&mut self, host: usize, to: SocketAddr, datagram: Vec<u8>) {
        let own = self.hosts[host].address;
        let from = match &mut self.hosts[host].nat {
            Some(nat) => nat.out(to).unwrap(),
            None => own,
        };
        if !self.mute[host] && self.rng.next_u32() % 256 >= self.loss {
            self.under_way.push((self.now + DELAY, 1 - host, from, to, datagram));
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        let arrived: Vec<_> = self.under_way.extract_if(.., |(when, ..)| *when <= now).collect();
        for (_, host, from, to, datagram) in arrived {
            let there = &mut self.hosts[host];
            let reached = match &there.nat {
                Some(nat) => nat.lets_in(from, to),
                None => there.address == to,
            };
            if !reached {
                continue;
            }
            if let Heard::Answer(answer) = there.side.hear(&datagram, from, now) {
                let answer = answer.octets().to_vec();
                self.send(host, from, answer);
            }
        }
    }

    pub fn destination(&self, host: usize) -> Option<SocketAddr> {
        self.hosts[host].side.destination()
    }

    /// Both sides have settled, by their nomination where they are full.
    pub fn is_settled(&self) -> bool {
        self.hosts.iter().all(|host| match &host.side {
            Side::Full(full) => full.selected.is_some(),
            Side::Lite(lite) => lite.destination().is_some(),
        })
    }
}
