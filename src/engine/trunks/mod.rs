//! Trunks to the outside: where their servers are, which of these answer, and where we are registered.

mod register;
mod watch;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Command, Engine, LogLevel, Timer};
use crate::ids::TrunkId;
use crate::settings::{Transport, Trunk, TrunkServer};
use crate::sip::Destination;
use crate::sip::message::{Host, NameAddr, Response, SipUri, Uri};
use crate::sip::ua::RequestTicket;
use crate::time::{Instant, Now};
use register::Registration;

/// A host name is looked up again this often.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(300);
/// A server that is down, or a registration that failed, is tried again after this.
const RETRY: Duration = Duration::from_secs(30);
/// So long a target that did not answer is passed over: until it has been asked again, and 64*T1 were over.
const PASSED_OVER: Duration = Duration::from_secs(70);

/// One server of a trunk, by its place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId {
    pub trunk: TrunkId,
    pub index: usize,
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetId {
    pub server: ServerId,
    pub to: Destination,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    to: Destination,
    /// It did not answer, and is passed over until then.
    down_until: Option<Instant>,
}

impl Target {
    fn is_down(&self, now: Instant) -> bool {
        self.down_until.is_some_and(|until| until > now)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Server {
    /// As it was configured when it was looked up.
    settings: TrunkServer,
    /// Best first; empty as long as the name has no address.
    targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Asked {
    Options(TargetId),
    Register(TargetId),
}

/// What is known of every trunk's servers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trunks {
    #[serde(with = "super::pairs")]
    servers: BTreeMap<ServerId, Server>,
    #[serde(with = "super::pairs")]
    registrations: BTreeMap<TrunkId, Registration>,
    #[serde(with = "super::pairs")]
    asked: BTreeMap<RequestTicket, Asked>,
}

impl Trunks {
    /// The trunk that has a server at this address.
    pub fn at(&self, address: IpAddr) -> Option<&TrunkId> {
        let is_there = |server: &Server| server.targets.iter().any(|target| address_of(&target.to) == address);
        self.servers.iter().find(|(_, server)| is_there(server)).map(|(id, _)| &id.trunk)
    }

    /// The ways out through a trunk, best first: those that are not known to be down in the order of the configuration
    /// and of DNS, then the others, for what seems down may be up.
    pub fn ways_out(&self, trunk: &TrunkId, now: Instant) -> Vec<TargetId> {
        let servers = self.servers.iter().filter(|(id, _)| id.trunk == *trunk);
        let mut ways: Vec<_> = servers
            .flat_map(|(id, server)| server.targets.iter().map(move |target| (target.is_down(now), id, target.to)))
            .collect();
        ways.sort_by_key(|(down, ..)| *down);
        ways.into_iter().map(|(_, server, to)| TargetId { server: server.clone(), to }).collect()
    }

    fn target(&mut self, id: &TargetId) -> Option<&mut Target> {
        self.servers.get_mut(&id.server)?.targets.iter_mut().find(|target| target.to == id.to)
    }

    fn is_down(&self, id: &TargetId, now: Instant) -> bool {
        let targets = self.servers.get(&id.server).into_iter().flat_map(|server| &server.targets);
        targets.into_iter().any(|target| target.to == id.to && target.is_down(now))
    }

    fn targets(&self) -> Vec<TargetId> {
        let all = self.servers.iter().flat_map(|(id, server)| server.targets.iter().map(move |target| (id, target.to)));
        all.map(|(server, to)| TargetId { server: server.clone(), to }).collect()
    }

    fn is_asked(&self, what: &Asked) -> bool {
        self.asked.values().any(|asked| asked == what)
    }
}

impl Engine {
    /// Begins to watch every trunk of the settings, and forgets those that are no longer there. A trunk that has not
    /// changed goes on as it was.
    pub(super) fn watch_trunks(&mut self, now: Now) {
        let settings = self.settings.clone();
        self.trunks.servers.retain(|id, server| server_of(&settings.trunks, id) == Some(&server.settings));
        for trunk in &settings.trunks {
            for index in 0..trunk.servers.len() {
                let id = ServerId { trunk: trunk.id.clone(), index };
                if !self.trunks.servers.contains_key(&id) {
                    self.look_up(id, now);
                }
            }
        }
        for target in self.trunks.targets() {
            self.watch(target, now);
        }
        self.keep_registered(now);
    }

    /// An address stands for itself; a name is asked for outside (RFC 3263).
    pub(super) fn look_up(&mut self, id: ServerId, now: Now) {
        let Some(server) = server_of(&self.settings.trunks, &id).cloned() else { return };
        let unknown = Server { settings: server.clone(), targets: Vec::new() };
        self.trunks.servers.entry(id.clone()).or_insert(unknown);
        match server.host.trim_matches(['[', ']']).parse() {
            Ok(ip) => {
                let transport = server.transport.unwrap_or(Transport::Udp);
                let address = SocketAddr::new(ip, server.port.unwrap_or(transport.default_port()));
                self.trunk_found(id, vec![Destination::Address { transport, address }], now);
            }
            Err(_) => {
                self.timers.set(Timer::LookUp(id.clone()), now.instant + LOOK_UP_AGAIN);
                self.commands.push_back(Command::Resolve { id, server });
            }
        }
    }

    /// The look-up's answer. An empty one keeps what was known before.
    pub(super) fn trunk_found(&mut self, id: ServerId, found: Vec<Destination>, now: Now) {
        let Some(settings) = server_of(&self.settings.trunks, &id).cloned() else { return };
        if found.is_empty() {
            let (trunk, place) = (&id.trunk, id.index + 1);
            let text = format!("trunk {trunk}: server {place} ({}) has no address in DNS", settings.host);
            self.log(LogLevel::Warn, text);
            self.timers.set(Timer::LookUp(id), now.instant + RETRY);
            return;
        }
        let (ours, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|to| self.is_ours(to));
        if !ours.is_empty() {
            let text = format!("trunk {}: server {} is ourselves; it is not used", id.trunk, id.index + 1);
            self.log(LogLevel::Warn, text);
        }
        let known = self.trunks.servers.remove(&id).map(|server| server.targets).unwrap_or_default();
        let again = |to: &Destination| known.iter().find(|target| target.to == *to).cloned();
        let targets: Vec<Target> =
            found.into_iter().map(|to| again(&to).unwrap_or(Target { to, down_until: None })).collect();
        let watched: Vec<_> = targets.iter().map(|target| TargetId { server: id.clone(), to: target.to }).collect();
        self.trunks.servers.insert(id.clone(), Server { settings, targets });
        watched.into_iter().for_each(|target| self.watch(target, now));
        self.register_where_best(&id.trunk, now);
    }

    /// A call was not answered there: the next target is used until it answers OPTIONS.
    pub(super) fn target_is_suspect(&mut self, id: &TargetId, now: Now) {
        self.target_is_down(id, now);
        self.ask_now(id, now);
    }

    /// A request was not answered there: the next target is used.
    fn target_is_down(&mut self, id: &TargetId, now: Now) {
        let Some(target) = self.trunks.target(id) else { return };
        let was_down = target.is_down(now.instant);
        target.down_until = Some(now.instant + PASSED_OVER);
        if !was_down {
            self.log(LogLevel::Warn, format!("{} does not answer; the next one is used", describe(id)));
            self.register_where_best(&id.server.trunk, now);
        }
    }

    fn target_is_up(&mut self, id: &TargetId, now: Now) {
        let Some(target) = self.trunks.target(id) else { return };
        if target.down_until.take().is_some() {
            self.log(LogLevel::Info, format!("{} answers again", describe(id)));
            self.register_where_best(&id.server.trunk, now);
        }
    }

    pub(super) fn trunk_answered(&mut self, ticket: RequestTicket, response: &Response, now: Now) {
        match self.trunks.asked.remove(&ticket) {
            Some(Asked::Options(id)) => self.options_answered(&id, response, now),
            Some(Asked::Register(id)) => self.register_answered(&id, response, now),
            None => {}
        }
    }

    /// Whether what is sent there comes back to us.
    fn is_ours(&self, to: &Destination) -> bool {
        let Destination::Address { address, .. } = to else { return false };
        self.settings.sip.listen.iter().any(|listen| {
            let public = self.settings.sip.public_address.map(|ip| SocketAddr::new(ip, listen.address.port()));
            listen.address == *address || public == Some(*address)
        })
    }

    fn trunk(&self, id: &TrunkId) -> Option<&Trunk> {
        self.settings.trunks.iter().find(|trunk| trunk.id == *id)
    }
}

/// Silence and a broken way (408, 503) show that a server is down; any other answer shows that it is there.
fn shows_down(status: u16) -> bool {
    matches!(status, 408 | 503)
}

/// `trunk acme: server 1 (udp:192.0.2.1:5060)`
fn describe(id: &TargetId) -> String {
    let (transport, address) = match id.to {
        Destination::Flow(flow) => (flow.transport, flow.remote),
        Destination::Address { transport, address } => (transport, address),
    };
    format!("trunk {}: server {} ({}:{address})", id.server.trunk, id.server.index + 1, transport.name())
}

fn server_of<'a>(trunks: &'a [Trunk], id: &ServerId) -> Option<&'a TrunkServer> {
    trunks.iter().find(|trunk| trunk.id == id.trunk)?.servers.get(id.index)
}

fn address_of(to: &Destination) -> IpAddr {
    match to {
        Destination::Flow(flow) => flow.remote.ip(),
        Destination::Address { address, .. } => address.ip(),
    }
}

/// A number as it is dialled at a server.
pub(super) fn number_at(trunk: &Trunk, target: &TargetId, number: &str) -> Option<Uri> {
    match trunk.servers.get(target.server.index) {
        Some(server) => Some(sip_uri(Some(number), host_of(server), server.port)),
        // A trunk that has none is called back at the address of its caller.
        None => match target.to {
            Destination::Address { address, .. } => {
                Some(sip_uri(Some(number), Host::Address(address.ip()), Some(address.port())))
            }
            Destination::Flow(_) => None,
        },
    }
}

/// The server as its provider knows it: by its name where it has one.
fn host_of(server: &TrunkServer) -> Host {
    server.host.trim_matches(['[', ']']).parse().map_or_else(|_| Host::Name(server.host.clone()), Host::Address)
}

fn sip_uri(user: Option<&str>, host: Host, port: Option<u16>) -> Uri {
    Uri::Sip(SipUri {
        secure: false,
        user: user.map(str::to_owned),
        password: None,
        host,
        port,
        params: Default::default(),
        headers: None,
    })
}

fn named(uri: Uri) -> NameAddr {
    NameAddr::new(uri)
}
