//! Trunks to the outside: their servers are looked up, watched by OPTIONS, registered at where the provider asks for
//! it; when one is down the next is used.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Command, Engine, LogLevel, Timer};
use crate::ids::TrunkId;
use crate::settings::{Transport, Trunk, TrunkServer};
use crate::sip::Destination;
use crate::sip::message::{Headers, Host, Method, NameAddr, Response, SipUri, Uri};
use crate::sip::ua::{RequestTicket, SingleRequest};
use crate::time::Now;

/// A host name is looked up again this often.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(300);
/// A server that is down, or a registration that failed, is tried again this often.
const RETRY: Duration = Duration::from_secs(30);
/// Asked for in REGISTER; refreshed when four fifths of what was granted are over.
const REGISTER_EXPIRES: Duration = Duration::from_secs(3600);

/// One server of a trunk, by its place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId {
    pub trunk: TrunkId,
    pub index: usize,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ServerState {
    targets: Vec<Destination>,
    /// Not answering OPTIONS.
    down: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Asked {
    Options(ServerId),
    Register(ServerId),
}

/// What is known of every trunk's servers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trunks {
    #[serde(with = "super::pairs")]
    servers: BTreeMap<ServerId, ServerState>,
    #[serde(with = "super::pairs")]
    asked: BTreeMap<RequestTicket, Asked>,
}

impl Trunks {
    /// The trunk that has a server at this address.
    pub fn at(&self, address: std::net::IpAddr) -> Option<&TrunkId> {
        let is_there = |state: &ServerState| state.targets.iter().any(|to| address_of(to) == address);
        self.servers.iter().find(|(_, state)| is_there(state)).map(|(server, _)| &server.trunk)
    }

    /// The way out through a trunk: its first server that is not known to be down, else the first with an address.
    pub fn way_out(&self, trunk: &TrunkId) -> Option<(ServerId, Destination)> {
        let known = self.servers.iter().filter(|(server, _)| server.trunk == *trunk);
        let with_target = known.filter_map(|(id, state)| Some((id, state.down, *state.targets.first()?)));
        let best = with_target.min_by_key(|(_, down, _)| *down)?;
        Some((best.0.clone(), best.2))
    }
}

impl Engine {
    /// Begins to watch every trunk of the settings, and forgets those that are no longer there.
    pub(super) fn watch_trunks(&mut self, now: Now) {
        let settings = self.settings.clone();
        self.trunks.servers.retain(|id, _| server_of(&settings.trunks, id).is_some());
        for trunk in &settings.trunks {
            for index in 0..trunk.servers.len() {
                self.look_up(ServerId { trunk: trunk.id.clone(), index }, now);
            }
            if trunk.register.is_some() {
                self.timers.set(Timer::Register(trunk.id.clone()), now.instant);
            }
        }
    }

    /// An address stands for itself; a name is asked for outside (RFC 3263).
    pub(super) fn look_up(&mut self, id: ServerId, now: Now) {
        let Some(server) = server_of(&self.settings.trunks, &id) else { return };
        match server.host.trim_matches(['[', ']']).parse() {
            Ok(ip) => {
                let address = std::net::SocketAddr::new(ip, server.port.unwrap_or(default_port(server.transport)));
                let to = Destination::Address { transport: server.transport, address };
                self.trunk_found(id, vec![to], now);
            }
            Err(_) => {
                let server = server.clone();
                self.timers.set(Timer::LookUp(id.clone()), now.instant + LOOK_UP_AGAIN);
                self.commands.push_back(Command::Resolve { id, server });
            }
        }
    }

    /// The look-up's answer. An empty one keeps what was known before.
    pub(super) fn trunk_found(&mut self, id: ServerId, targets: Vec<Destination>, now: Now) {
        let Some(trunk) = self.settings.trunks.iter().find(|trunk| trunk.id == id.trunk) else { return };
        let watched = !trunk.options_interval.is_zero();
        if targets.is_empty() {
            self.log(LogLevel::Warn, format!("trunk {}: server {} has no address in DNS", id.trunk, id.index + 1));
            self.timers.set(Timer::LookUp(id), now.instant + RETRY);
            return;
        }
        self.trunks.servers.entry(id.clone()).or_default().targets = targets;
        if watched && self.timers.get(&Timer::Options(id.clone())).is_none() {
            self.timers.set(Timer::Options(id), now.instant);
        }
    }

    pub(super) fn ask_options(&mut self, id: ServerId, now: Now) {
        let Some(to) = self.trunks.servers.get(&id).and_then(|state| state.targets.first().copied()) else { return };
        let ticket = self.ask(Method::Options, to, None, now);
        self.trunks.asked.insert(ticket, Asked::Options(id));
    }

    pub(super) fn register_at(&mut self, trunk: &TrunkId, now: Now) {
        self.timers.set(Timer::Register(trunk.clone()), now.instant + RETRY);
        let Some(settings) = self.settings.trunks.iter().find(|known| known.id == *trunk).cloned() else {
            self.timers.clear(&Timer::Register(trunk.clone()));
            return;
        };
        if let Some((server, to)) = self.trunks.way_out(trunk) {
            let ticket = self.ask(Method::Register, to, Some(&settings), now);
            self.trunks.asked.insert(ticket, Asked::Register(server));
        }
    }

    fn ask(&mut self, method: Method, to: Destination, register: Option<&Trunk>, now: Now) -> RequestTicket {
        let host = plain_uri(None, Host::Address(address_of(&to)));
        let credentials = register.and_then(|trunk| trunk.register.clone());
        let mut headers = Headers::default();
        let own = match &credentials {
            Some(credentials) => {
                headers.push("Contact", format!("<sip:{}@{}>", credentials.user, self.contact_host()));
                headers.push("Expires", REGISTER_EXPIRES.as_secs().to_string());
                credentials.aor.parse().unwrap_or_else(|_| host.clone())
            }
            None => plain_uri(Some("relais"), Host::Name(self.settings.sip.domain.clone())),
        };
        let named = |uri| NameAddr { display: None, uri, params: Default::default() };
        let to_header = if credentials.is_some() { named(own.clone()) } else { named(host.clone()) };
        let request = SingleRequest {
            method,
            to,
            request_uri: host,
            from: named(own),
            to_header,
            headers,
            body: Bytes::new(),
            credentials,
        };
        self.ua.request(request, now.instant)
    }

    /// Where a provider sends our calls.
    fn contact_host(&self) -> String {
        let listen = self.settings.sip.listen.first().map(|listen| listen.address);
        let port = listen.map_or(5060, |address| address.port());
        let ip = self.settings.sip.public_address.or(listen.map(|address| address.ip()));
        ip.map_or_else(|| self.settings.sip.domain.clone(), |ip| std::net::SocketAddr::new(ip, port).to_string())
    }

    pub(super) fn trunk_answered(&mut self, ticket: RequestTicket, response: &Response, now: Now) {
        match self.trunks.asked.remove(&ticket) {
            Some(Asked::Options(id)) => self.options_answered(id, u16::from(response.status.clone()), now),
            Some(Asked::Register(id)) => self.register_answered(&id, response, now),
            None => {}
        }
    }

    /// Any answer of the far end shows that it is there; only silence and a broken way (408, 503) do not.
    fn options_answered(&mut self, id: ServerId, status: u16, now: Now) {
        let Some(trunk) = self.settings.trunks.iter().find(|trunk| trunk.id == id.trunk) else { return };
        let interval = trunk.options_interval;
        let Some(state) = self.trunks.servers.get_mut(&id) else { return };
        let down = matches!(status, 408 | 503);
        let changed = std::mem::replace(&mut state.down, down) != down;
        if down {
            // The next address of the name, if it has several.
            state.targets.rotate_left(1);
        }
        self.timers.set(Timer::Options(id.clone()), now.instant + if down { interval.min(RETRY) } else { interval });
        if changed {
            let what = if down { "does not answer OPTIONS; the next server is used" } else { "answers again" };
            self.log(LogLevel::Warn, format!("trunk {}: server {} {what}", id.trunk, id.index + 1));
            if self.settings.trunks.iter().any(|trunk| trunk.id == id.trunk && trunk.register.is_some()) {
                self.timers.set(Timer::Register(id.trunk), now.instant);
            }
        }
    }

    fn register_answered(&mut self, id: &ServerId, response: &Response, now: Now) {
        let status = u16::from(response.status.clone());
        if !(200..300).contains(&status) {
            if let Some(state) = self.trunks.servers.get_mut(id).filter(|_| matches!(status, 408 | 503)) {
                state.down = true;
            }
            self.log(
                LogLevel::Warn,
                format!("trunk {}: REGISTER was answered {status}; next try in {RETRY:?}", id.trunk),
            );
            return;
        }
        let granted = response.headers.contact().and_then(|contact| contact.params.get("expires")?.parse().ok());
        let granted =
            granted.or(response.headers.expires()).map_or(REGISTER_EXPIRES, |s| Duration::from_secs(s.into()));
        let refresh = (granted * 4 / 5).max(Duration::from_secs(30));
        self.timers.set(Timer::Register(id.trunk.clone()), now.instant + refresh);
    }
}

/// RFC 3261 §19.1.2
fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tls | Transport::Wss => 5061,
        _ => 5060,
    }
}

fn server_of<'a>(trunks: &'a [Trunk], id: &ServerId) -> Option<&'a TrunkServer> {
    trunks.iter().find(|trunk| trunk.id == id.trunk)?.servers.get(id.index)
}

pub(super) fn address_of(to: &Destination) -> std::net::IpAddr {
    match to {
        Destination::Flow(flow) => flow.remote.ip(),
        Destination::Address { address, .. } => address.ip(),
    }
}

fn plain_uri(user: Option<&str>, host: Host) -> Uri {
    Uri::Sip(SipUri {
        secure: false,
        user: user.map(str::to_owned),
        password: None,
        host,
        port: None,
        params: Default::default(),
        headers: None,
    })
}
