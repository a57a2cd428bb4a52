//! The provider of a second trunk: two servers that come and go, at which the centre registers and which it watches.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use relais::settings::{Codec, Settings, Trunk, TrunkServer};
use relais::sip::message::Message;
use relais::time::Instant;

use crate::network::{Network, Packet, below};
use crate::provider::{Provider, credentials};

const SERVERS: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5060),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 5060),
];
const WATCHED: Duration = Duration::from_secs(120);
/// One that is down is noticed within two minutes and 64*T1, one that is back within half a minute and 64*T1; then there
/// are a challenge and some losses.
const REGISTERED_WITHIN: Duration = Duration::from_secs(260);
/// Deadlines of the engine that the trunk has whatever happens: one a server, and the registration's.
pub const TIMERS: usize = 3;
/// REGISTERs in a row, with their challenges, that a refused or lost one may lead to.
const MOST_A_MINUTE: usize = 20;

/// The trunk as the centre is told of it.
pub fn add_to(settings: &mut Settings) {
    settings.trunks.push(Trunk {
        id: "acme".into(),
        addresses: Vec::new(),
        servers: SERVERS
            .map(|at| TrunkServer { host: at.ip().to_string(), port: Some(at.port()), transport: None })
            .into(),
        register: Some(credentials()),
        codecs: vec![Codec::Pcmu],
        plans: Vec::new(),
        options_interval: WATCHED,
        allow: Vec::new(),
        caller_id: None,
    });
}

struct Server {
    provider: Provider,
    /// Since when it answers, or when it will again.
    up: Option<Instant>,
    turns_at: Instant,
    /// When each registration of the last minute came.
    asked: Vec<Instant>,
}

pub struct Providers {
    servers: Vec<Server>,
    /// Since when none of the servers that answer has us.
    lost: Option<Instant>,
    /// The trunk is taken out of the configuration then, and nothing of it may be left.
    pub removed_at: Instant,
    pub removed: bool,
}

impl Providers {
    pub fn new(removed_at: Instant, rng: &mut ChaCha12Rng) -> Providers {
        let servers = SERVERS.map(|address| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            let expires = Duration::from_secs(u64::from(120 + below(rng, 480)));
            let turns_at = Instant(0) + Duration::from_secs(below(rng, 600).into());
            Server {
                provider: Provider::new(address, expires, seed),
                up: Some(Instant(0)),
                turns_at,
                asked: Vec::new(),
            }
        });
        Providers { servers: servers.into(), lost: Some(Instant(0)), removed_at, removed: false }
    }

    pub fn next(&self) -> Option<Instant> {
        let removed = (!self.removed).then_some(self.removed_at);
        let turns = self.servers.iter().map(|server| server.turns_at).filter(|at| *at < self.removed_at);
        turns.chain(self.servers.iter().filter_map(|server| server.provider.ua.poll_timeout())).chain(removed).min()
    }

    /// Servers go down and come back.
    pub fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) {
        let removed_at = self.removed_at;
        for server in &mut self.servers {
            server.provider.ua.handle_timeout(now);
            if server.turns_at <= now && server.turns_at < removed_at {
                server.up = if server.up.is_some() { None } else { Some(now) };
                server.turns_at = now + Duration::from_secs(u64::from(10 + below(rng, 700)));
            }
        }
    }

    /// A packet for one of the servers; `false` where it is for somebody else. One that is down hears nothing.
    pub fn deliver(&mut self, packet: &Packet, message: Message, now: Instant) -> bool {
        let Some(server) = self.servers.iter_mut().find(|server| server.provider.address == packet.to) else {
            return false;
        };
        if server.up.is_none() {
            return true;
        }
        let before = server.provider.challenged + server.provider.taken;
        server.provider.receive(packet.from, message, now);
        while server.provider.poll_event(now).is_some() {}
        let asked = server.provider.challenged + server.provider.taken - before;
        server.asked.extend(std::iter::repeat_n(now, asked));
        true
    }

    /// What the servers say; one that is down says nothing.
    pub fn send(&mut self, network: &mut Network, now: Instant, rng: &mut ChaCha12Rng) {
        for server in &mut self.servers {
            while let Some(transmit) = server.provider.poll_transmit() {
                if server.up.is_none() {
                    continue;
                }
                let to = crate::world::address(&transmit.to);
                network.send(Packet { from: server.provider.address, to, bytes: transmit.bytes }, now, rng);
            }
        }
    }

    /// A server that has been there for long enough has us, or another does; nobody is pestered; no password is wrong.
    pub fn check(&mut self, sound: bool, now: Instant) -> Result<(), String> {
        let registered =
            self.servers.iter().any(|server| server.up.is_some() && server.provider.contact(now).is_some());
        let lost = *self.lost.get_or_insert(now);
        if registered {
            self.lost = None;
        }
        for server in &mut self.servers {
            let address = server.provider.address;
            server.asked.retain(|at| now.since(*at) < Duration::from_secs(60));
            if server.asked.len() > MOST_A_MINUTE {
                return Err(format!("{address} was asked to register {} times in a minute", server.asked.len()));
            }
            if server.provider.refused > 0 {
                return Err(format!("{address} refused a registration"));
            }
            let long = server.up.is_some_and(|up| now.since(up.max(lost)) > REGISTERED_WITHIN);
            if long && sound && !registered && !self.removed {
                return Err(format!("{address} is there for long, and the centre is registered at neither server"));
            }
        }
        Ok(())
    }
}
