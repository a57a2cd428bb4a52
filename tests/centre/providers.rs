//! The provider of a second trunk: two servers that come and go, at which the centre registers and which it watches, and
//! by which plans call out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use relais::dialplan::Plans;
use relais::findings::Source;
use relais::ids::SessionId;
use relais::settings::{Codec, Settings, Trunk, TrunkServer};
use relais::sip::message::{Headers, Message};
use relais::sip::ua::Event;
use relais::time::Instant;

use crate::network::{Network, Packet, below};
use crate::people::sdp;
use crate::provider::{Provider, credentials};
use crate::truth::Line;

const SERVERS: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5060),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 5060),
];
const WATCHED: Duration = Duration::from_secs(120);
/// One that is down is noticed within two minutes and 64*T1, one that is back within half a minute and 64*T1; then there
/// are a challenge and some losses.
const REGISTERED_WITHIN: Duration = Duration::from_secs(260);
/// How long the plans of `add_plans` let it ring, and how long anybody does.
const PLANS_RING: Duration = Duration::from_secs(20);
const ANYBODY_RINGS: Duration = Duration::from_secs(30);
/// A CANCEL is sent again for 64*T1 (RFC 3261 §9.1), of which the first few come through where little is lost.
const CANCELLED_WITHIN: Duration = Duration::from_secs(35);
const CANCELLED_WITHIN_WHERE_CLEAR: Duration = Duration::from_secs(5);
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
        allow: vec!["+33".to_owned()],
        caller_id: None,
        srtp: Default::default(),
    });
}

/// What is dialled by those who are to be put through to the outside, at once or after a word; who cannot be reached there
/// waits for an agent.
pub const NUMBERS: [&str; 2] = ["700", "701"];
/// Where they are put through to.
const OUTSIDE: &str = "33155501";

/// The demo's plans, and two that call out.
pub fn add_plans(plans: &Plans) -> Plans {
    let plan = |number: &str, first: &str| Source {
        path: format!("plans/out-{number}.toml"),
        text: format!(
            "name = 'out-{number}'\nnumbers = ['{number}']\n{first}[[level]]\nname = 'out'\n[[level.rule]]\n\
             module = 'transfer'\nin = {{ to = 'tel:+{OUTSIDE}', ring_timeout_s = {} }}\n[[level]]\nname = 'in'\n\
             [[level.rule]]\nmodule = 'distribute'\nin = {{ queue = 'sales' }}\n[[level]]\nname = 'end'\n\
             [[level.rule]]\nmodule = 'hangup'\n",
            PLANS_RING.as_secs()
        ),
    };
    let greets = "[[level]]\nname = 'word'\n[[level.rule]]\nmodule = 'announce'\nin = { prompt = 'greeting' }\n";
    let mut sources = plans.sources().to_vec();
    sources.extend([plan(NUMBERS[0], ""), plan(NUMBERS[1], greets)]);
    let mut names = plans.names().clone();
    names.allowed = vec!["+33".to_owned()];
    Plans::load(sources, names).unwrap_or_else(|findings| panic!("the plans do not load: {findings:?}"))
}

/// What one who is called outside is going to do.
enum Act {
    Answer(SessionId),
    Refuse(SessionId, u16),
    HangUp(SessionId),
}

struct Server {
    provider: Provider,
    agenda: BTreeMap<(Instant, u64), Act>,
    sequence: u64,
    /// Since when it answers, or when it will again.
    up: Option<Instant>,
    turns_at: Instant,
    /// When each registration of the last minute came.
    asked: Vec<Instant>,
    /// Until when it may ring at somebody.
    rings: BTreeMap<SessionId, Instant>,
}

pub struct Providers {
    servers: Vec<Server>,
    /// Since when none of the servers that answer has us.
    lost: Option<Instant>,
    /// The trunk is taken out of the configuration then, and nothing of it may be left.
    pub removed_at: Instant,
    pub removed: bool,
}

impl Server {
    fn plan(&mut self, at: Instant, act: Act) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), act);
    }

    fn listen(&mut self, now: Instant, rng: &mut ChaCha12Rng) {
        while let Some(event) = self.provider.poll_event(now) {
            match event {
                Event::Incoming { session, request, .. } => {
                    let by_plan = request.uri.to_string().contains(&format!("{OUTSIDE}@"));
                    self.rings.insert(session, now + if by_plan { PLANS_RING } else { ANYBODY_RINGS });
                    self.rung(session, now, rng);
                }
                Event::Ended { session, .. } => drop(self.rings.remove(&session)),
                Event::Reoffered { session, .. } => {
                    let answer = self.sdp(2);
                    self.provider.ua.answer(session, answer, now);
                }
                _ => {}
            }
        }
    }

    /// Somebody outside is called: most answer, some are busy, out of reach, or let it ring.
    fn rung(&mut self, session: SessionId, now: Instant, rng: &mut ChaCha12Rng) {
        let soon = |rng: &mut ChaCha12Rng, ms: u32| now + Duration::from_millis(below(rng, ms).into());
        if below(rng, 8) > 0 {
            self.provider.ua.progress(session, [180, 183][below(rng, 2) as usize], None, now);
        }
        // Whoever lets it ring stops by itself, however much of what the centre says is lost.
        self.plan(now + Duration::from_secs(180), Act::Refuse(session, 480));
        match below(rng, 12) {
            0 => self.plan(soon(rng, 100), Act::Refuse(session, 503)),
            1 => self.plan(soon(rng, 5_000), Act::Refuse(session, [486, 480, 404, 603][below(rng, 4) as usize])),
            2 => {}
            _ => {
                let at = soon(rng, 15_000);
                self.plan(at, Act::Answer(session));
                if below(rng, 2) == 0 {
                    self.plan(at + Duration::from_millis(below(rng, 20_000).into()), Act::HangUp(session));
                }
            }
        }
    }

    fn act(&mut self, now: Instant) {
        while self.agenda.keys().next().is_some_and(|(at, _)| *at <= now)
            && let Some((_, act)) = self.agenda.pop_first()
        {
            let answer = self.sdp(1);
            let ua = &mut self.provider.ua;
            let (Act::Answer(session) | Act::Refuse(session, _) | Act::HangUp(session)) = &act;
            self.rings.remove(session);
            match act {
                Act::Answer(session) => ua.accept(session, answer, Headers::default(), now),
                Act::Refuse(session, status) => ua.reject(session, status, None, Headers::default(), now),
                Act::HangUp(session) => ua.hang_up(session, Headers::default(), now),
            }
        }
    }

    fn sdp(&self, version: u32) -> Bytes {
        sdp(self.provider.address, 50_000, version, "sendrecv")
    }
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
                agenda: BTreeMap::new(),
                sequence: 0,
                up: Some(Instant(0)),
                turns_at,
                asked: Vec::new(),
                rings: BTreeMap::new(),
            }
        });
        Providers { servers: servers.into(), lost: Some(Instant(0)), removed_at, removed: false }
    }

    pub fn next(&self) -> Option<Instant> {
        let removed = (!self.removed).then_some(self.removed_at);
        let turns = self.servers.iter().map(|server| server.turns_at).filter(|at| *at < self.removed_at);
        let timers = self.servers.iter().filter_map(|server| server.provider.ua.poll_timeout());
        let acts = self.servers.iter().filter_map(|server| server.agenda.keys().next()).map(|(at, _)| *at);
        turns.chain(timers).chain(acts).chain(removed).min()
    }

    /// Servers go down and come back.
    pub fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) {
        let removed_at = self.removed_at;
        for server in &mut self.servers {
            server.provider.ua.handle_timeout(now);
            server.listen(now, rng);
            server.act(now);
            if server.turns_at <= now && server.turns_at < removed_at {
                server.up = if server.up.is_some() { None } else { Some(now) };
                server.turns_at = now + Duration::from_secs(u64::from(10 + below(rng, 700)));
            }
        }
    }

    /// A packet for one of the servers; `false` where it is for somebody else. One that is down hears nothing.
    pub fn deliver(&mut self, packet: &Packet, message: Message, now: Instant, rng: &mut ChaCha12Rng) -> bool {
        let Some(server) = self.servers.iter_mut().find(|server| server.provider.address == packet.to) else {
            return false;
        };
        if server.up.is_none() {
            return true;
        }
        let before = server.provider.challenged + server.provider.taken;
        server.provider.receive(packet.from, message, now);
        server.listen(now, rng);
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
    pub fn check(&mut self, line: Line, now: Instant) -> Result<(), String> {
        let slack = if line.clear { CANCELLED_WITHIN_WHERE_CLEAR } else { CANCELLED_WITHIN };
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
            let rings = server.rings.values().any(|until| now.since(*until) > slack);
            if rings && line.sound && server.up.is_some_and(|up| now.since(up) > ANYBODY_RINGS + slack) {
                return Err(format!("it rings for too long at {address}"));
            }
            if server.provider.refused > 0 {
                return Err(format!("{address} refused a registration"));
            }
            let long = server.up.is_some_and(|up| now.since(up.max(lost)) > REGISTERED_WITHIN);
            if long && line.sound && !registered && !self.removed {
                return Err(format!("{address} is there for long, and the centre is registered at neither server"));
            }
        }
        Ok(())
    }
}
