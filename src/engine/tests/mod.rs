//! The whole engine on a virtual clock, with peers whose every message is the test's.

mod api;
mod bots;
mod briefing;
mod consult;
mod decisions;
mod dial_out;
mod experts;
mod lamps;
mod lying;
mod outside;
mod protecting;
mod recovery;
mod rooms;
mod schedules;
mod sessions;
mod softphones;
mod trunks;
mod waiting;
mod walks;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::caller::Numbering;
use crate::findings::Source;
use crate::ids::Language;
use crate::ivr::{Calendar, Hours as Opening, Names};
use crate::record::CallRecord;
use crate::settings::{self, Codec, Credentials, IceSide, Listen, Rtp, Sip, Transport, Trunk, Web};
use crate::sip::message::{Method, Request, Response};
use crate::spoken::{Base, Draft, Set, Table, parse_rule};

const HERE: &str = "127.0.0.1:5060";

const PROMPTS: [&str; 5] = ["greeting", "goodbye", "please-wait", "wait-between", "wait-and"];

/// A language of a few numbers, for minutes and places in a queue.
fn words() -> Table {
    let set = |rules: &[(&str, &str)]| {
        let rule = |(base, text): &(&str, &str)| (Base::parse(base).unwrap(), parse_rule(text).unwrap());
        Set { rules: rules.iter().map(rule).collect(), ..Set::default() }
    };
    let number = set(&[("0", "none"), ("1", "one"), ("2", "two"), ("3", "three"), ("4", "many")]);
    let (minutes, position) = (set(&[("0", "=number minutes")]), set(&[("1", "first"), ("2", "place =number")]));
    let sets = [("number", number), ("minutes", minutes), ("position", position)];
    Draft { sets: sets.map(|(name, set)| (name.to_owned(), set)).into(), ..Draft::default() }.build().unwrap()
}

/// The engine, and what it did that the test has not looked at yet.
struct Bench {
    engine: Engine,
    now: Now,
    sent: VecDeque<(SocketAddr, Message)>,
    logs: Vec<String>,
    resolves: Vec<ServerId>,
    media: Vec<MediaCommand>,
    records: Vec<CallRecord>,
    other: Vec<Command>,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A small centre, to which a test adds its trunks and people.
fn settings() -> Settings {
    let language = Language::from("en");
    Settings {
        sip: Sip {
            listen: vec![Listen { transport: Transport::Udp, address: address(HERE) }],
            domain: "relais.test".to_owned(),
            public_address: None,
            session_expires: Duration::from_secs(1_800),
            max_calls: 100,
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
        },
        rtp: Rtp {
            address: address(HERE).ip(),
            ports: (30_000, 30_099),
            dead_leg: Duration::ZERO,
            threads: None,
            ice: IceSide::Lite,
        },
        web: Web { listen: address("127.0.0.1:0"), tls: false, origins: Vec::new(), turn: None },
        data: "data".into(),
        prompts: "prompts".into(),
        sentence_encoder: None,
        language: language.clone(),
        languages: vec![language],
        pause_reasons: Vec::new(),
        dispositions: Vec::new(),
        trunks: Vec::new(),
        agents: Vec::new(),
        queues: Vec::new(),
        experts: Vec::new(),
        time_zone: "Europe/Paris".to_owned(),
        numbering: Numbering::default(),
        services: Vec::new(),
        speech: Vec::new(),
        customers: None,
        recordings: Default::default(),
        watch: false,
        supervision: Default::default(),
    }
}

/// Open at these hours of these days, in Paris.
fn hours(days: &str, hours: &str) -> Calendar {
    let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
    for day in Calendar::days(days).unwrap() {
        calendar.weekly[day] = vec![Opening::parse(hours).unwrap()];
    }
    calendar
}

fn trunk(id: &str) -> Trunk {
    Trunk {
        id: id.into(),
        addresses: Vec::new(),
        servers: Vec::new(),
        register: None,
        codecs: vec![Codec::Pcmu],
        plans: Vec::new(),
        options_interval: Duration::ZERO,
        allow: Vec::new(),
        caller_id: None,
        srtp: Default::default(),
    }
}

fn server(host: &str) -> TrunkServer {
    TrunkServer { host: host.to_owned(), port: None, transport: None }
}

impl Bench {
    fn new(settings: Settings) -> Bench {
        Bench::with_plan(settings, "")
    }

    /// With one plan file, if any.
    fn with_plan(settings: Settings, plan: &str) -> Bench {
        Bench::begin(settings, plan, &[], "2026-11-25T10:00:00Z")
    }

    /// The same with calendars, at another time.
    fn begin(settings: Settings, plan: &str, calendars: &[(&str, Calendar)], at: &str) -> Bench {
        let names = Names {
            default_language: Some(settings.language.clone()),
            queues: settings.queues.iter().map(|queue| queue.id.clone()).collect(),
            agents: settings.agents.iter().map(|agent| agent.id.clone()).collect(),
            experts: settings.experts.iter().map(|expert| (expert.id.clone(), expert.address.clone())).collect(),
            allowed: settings.trunks.iter().flat_map(|trunk| trunk.allow.clone()).collect(),
            calendars: calendars.iter().map(|(name, calendar)| ((*name).to_owned(), calendar.clone())).collect(),
            prompts: [(settings.language.clone(), PROMPTS.map(str::to_owned).into())].into(),
            spoken: [(settings.language.clone(), words())].into(),
            ..Names::default()
        };
        let source = Source { path: "plans/front.toml".to_owned(), text: plan.to_owned() };
        let sources = if plan.is_empty() { Vec::new() } else { vec![source] };
        let plans = Plans::load(sources, names).unwrap_or_else(|findings| panic!("{findings:?}"));
        let now = Now { instant: Instant(1_000_000_000), wall: at.parse().unwrap() };
        let engine = Engine::new(Arc::new(settings), Arc::new(plans), [7; 32], now);
        let (sent, logs, resolves, media, records, other) = Default::default();
        let mut bench = Bench { engine, now, sent, logs, resolves, media, records, other };
        let ports = (0..8).map(|n| MediaPort(SocketAddr::from(([127, 0, 0, 1], 30_000 + 2 * n)))).collect();
        bench.input(Input::Media(MediaEvent::Ports(ports)));
        bench
    }

    /// An input, and the wake-ups that are due by then.
    fn input(&mut self, input: Input) {
        self.take_in(input);
        while self.engine.poll_timeout().is_some_and(|at| at <= self.now.instant) {
            self.take_in(Input::Time);
        }
    }

    fn take_in(&mut self, input: Input) {
        self.engine.handle_input(input, self.now);
        let mut told = false;
        while let Some(command) = self.engine.poll_command() {
            // Whoever gets a message may ask at once, and finds published what it tells of.
            assert!(!(told && matches!(command, Command::Publish(_))), "after a message: {command:?}");
            match command {
                Command::Send(Transmit { to, bytes }) => {
                    told = true;
                    let to = match to {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { address, .. } => address,
                    };
                    self.sent.push_back((to, Message::parse(&bytes).unwrap()));
                }
                Command::Resolve { id, .. } => self.resolves.push(id),
                Command::Log { text, .. } => self.logs.push(text),
                Command::Media(command) => self.media.push(command),
                Command::Journal(Journal::Ended(record)) => self.records.push(*record),
                other => self.other.push(other),
            }
        }
    }

    /// Lets the time pass, with every wake-up the engine asked for.
    fn wait(&mut self, time: Duration) {
        let end = self.now.instant + time;
        while let Some(next) = self.engine.poll_timeout().filter(|next| *next <= end) {
            self.advance(next);
            self.input(Input::Time);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.since(self.now.instant);
        self.now = Now { instant: self.now.instant + passed, wall: self.now.wall + passed };
    }

    fn receive(&mut self, from: &str, message: Message) {
        let flow = Flow { transport: Transport::Udp, local: address(HERE), remote: address(from), connection: None };
        self.input(Input::Sip { flow, message: Box::new(message) });
    }

    /// What was sent since the last look: `192.0.2.1:5060 REGISTER`, repetitions left out.
    fn lines(&mut self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut seen: Vec<Message> = Vec::new();
        for (to, message) in self.sent.drain(..) {
            if seen.contains(&message) {
                continue;
            }
            lines.push(match &message {
                Message::Request(request) => format!("{to} {}", request.method),
                Message::Response(response) => format!("{to} {} {}", response.code(), response.core.cseq.method),
            });
            seen.push(message);
        }
        lines
    }

    /// The next request of this method, and where it went; requests before it are thrown away.
    fn request(&mut self, method: Method) -> (String, Request) {
        let mut found = None;
        self.sent.retain(|(to, message)| match message {
            Message::Request(request) if found.is_none() => {
                found = (request.method == method).then(|| (to.to_string(), request.clone()));
                false
            }
            _ => true,
        });
        found.unwrap_or_else(|| panic!("no {method} was sent; log: {:?}", self.logs))
    }

    /// A peer's response, by which it was reached.
    fn respond(&mut self, from: &str, request: &Request, status: u16, headers: &[(&str, &str)]) {
        let mut response: Response = request.response(status.into(), Some("peer"));
        headers.iter().for_each(|(name, value)| response.headers.push(name, *value));
        self.receive(from, Message::Response(response));
    }

    /// Serialises the engine and goes on with what was read back.
    fn restore(&mut self) {
        let snapshot = serde_json::to_vec(&self.engine).unwrap();
        self.engine = serde_json::from_slice(&snapshot).unwrap();
    }

    fn reload(&mut self, settings: Settings) {
        let plans = self.engine.plans.clone();
        self.input(Input::Reload { settings: Arc::new(settings), plans });
    }
}
