//! Two user agents over a simulated network. Time jumps to the next wake-up; every run is its seed's.

mod caller;
mod early;
mod flows;
mod monkey;
mod random;
mod rules;
mod torture;
mod transports;
mod watching;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::{Event, Invite, UaCounts, UaSettings, UserAgent};
use crate::ids::SessionId;
use crate::settings::{Listen, Transport};
use crate::sip::message::{Headers, Message, Method, NameAddr};
use crate::sip::{Destination, Flow, Transmit};
use crate::time::Instant;

const ALICE: usize = 0;
const BOB: usize = 1;

fn address(side: usize) -> SocketAddr {
    ["127.0.0.1:5060".parse().unwrap(), "127.0.0.2:5060".parse().unwrap()][side]
}

fn settings(side: usize) -> UaSettings {
    let listen = |transport| Listen { transport, address: address(side) };
    UaSettings::new("Relais", vec![listen(Transport::Udp), listen(Transport::Tcp)])
}

fn name_addr(text: &str) -> NameAddr {
    text.parse().unwrap()
}

fn sdp(text: &str) -> Bytes {
    Bytes::from(format!("v=0 {text}\r\n"))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How bad the network is: chances in 256, delay in milliseconds.
#[derive(Clone, Copy, Default)]
struct Weather {
    loss: u32,
    duplicates: u32,
    delay: (u32, u32),
}

struct Pair {
    agents: [UserAgent; 2],
    events: [Vec<Event>; 2],
    now: Instant,
    transport: Transport,
    weather: Weather,
    rng: ChaCha12Rng,
    sequence: u64,
    /// Packets on their way: from whom, and the bytes.
    flying: BTreeMap<(Instant, u64), (usize, Bytes)>,
    /// What arrived, a line each.
    ladder: Vec<String>,
    /// Drops what it says; for single losses.
    drop: Option<fn(&str) -> bool>,
}

impl Pair {
    fn new() -> Self {
        Pair::seeded(0, Weather { delay: (10, 10), ..Weather::default() })
    }

    fn seeded(seed: u64, weather: Weather) -> Self {
        let agents = [ALICE, BOB].map(|side| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            bytes[8] = u8::try_from(side).unwrap();
            UserAgent::new(settings(side), bytes)
        });
        Pair {
            agents,
            events: [Vec::new(), Vec::new()],
            now: Instant(1_000_000_000),
            transport: Transport::Udp,
            weather,
            rng: ChaCha12Rng::seed_from_u64(seed),
            sequence: 0,
            flying: BTreeMap::new(),
            ladder: Vec::new(),
            drop: None,
        }
    }

    fn chance(&mut self, of_256: u32) -> bool {
        self.rng.next_u32() % 256 < of_256
    }

    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.rng.next_u32() % (high - low + 1)
    }

    /// Takes out what the agents send and tell.
    fn collect(&mut self) {
        for side in [ALICE, BOB] {
            while let Some(event) = self.agents[side].poll_event() {
                self.events[side].push(event);
            }
            while let Some(Transmit { to, bytes }) = self.agents[side].poll_transmit() {
                let remote = match to {
                    Destination::Flow(flow) => flow.remote,
                    Destination::Address { address, .. } => address,
                };
                if remote != address(1 - side) {
                    continue;
                }
                let copies = 1 + u32::from(self.chance(self.weather.duplicates));
                for _ in 0..copies {
                    if self.chance(self.weather.loss) {
                        continue;
                    }
                    let (low, high) = self.weather.delay;
                    let arrives = self.now + ms(self.between(low, high).into());
                    self.sequence += 1;
                    self.flying.insert((arrives, self.sequence), (side, bytes.clone()));
                }
            }
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        self.agents.iter().map(UserAgent::poll_timeout).chain([arrival]).flatten().min()
    }

    /// Lets happen what happens next.
    fn step(&mut self) -> bool {
        let Some(next) = self.next() else { return false };
        self.now = self.now.max(next);
        if self.flying.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
            let (_, (from, bytes)) = self.flying.pop_first().unwrap();
            self.deliver(from, bytes);
        } else {
            for agent in &mut self.agents {
                agent.handle_timeout(self.now);
            }
        }
        self.collect();
        true
    }

    fn deliver(&mut self, from: usize, bytes: Bytes) {
        let message = Message::parse(&bytes).unwrap_or_else(|error| panic!("{error:?} in\n{bytes:?}"));
        let line = describe(from, &message);
        if self.drop.is_some_and(|drop| drop(&line)) {
            return;
        }
        self.ladder.push(line);
        let connection = (self.transport != Transport::Udp).then_some(crate::ids::ConnectionId(1));
        let flow = Flow { transport: self.transport, local: address(1 - from), remote: address(from), connection };
        self.agents[1 - from].handle_message(flow, message, self.now);
    }

    /// Runs for a while.
    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.collect();
        while self.next().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Runs until nothing is left to do, session timers apart.
    fn settle(&mut self) {
        self.run_for(Duration::from_secs(200));
    }

    fn invite(&mut self, from: usize, offer: Option<Bytes>) -> SessionId {
        let invite = Invite {
            to: Destination::Address { transport: self.transport, address: address(1 - from) },
            request_uri: format!("sip:100@{}", address(1 - from)).parse().unwrap(),
            from: name_addr("<sip:alice@example.com>"),
            to_header: name_addr("<sip:100@example.com>"),
            headers: Headers::default(),
            sdp: offer,
            credentials: None,
            max_forwards: 70,
            first_word_within: None,
        };
        let session = self.agents[from].invite(invite, self.now);
        self.collect();
        session
    }

    /// The events of one side since the last call, shortly.
    fn told(&mut self, side: usize) -> Vec<String> {
        self.collect();
        std::mem::take(&mut self.events[side]).iter().map(tell).collect()
    }

    fn ladder(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ladder)
    }

    /// A call from Alice that Bob has answered.
    fn established() -> (Pair, SessionId, SessionId) {
        let mut pair = Pair::new();
        let (a, b) = pair.establish();
        (pair, a, b)
    }

    fn establish(&mut self) -> (SessionId, SessionId) {
        let a = self.invite(ALICE, Some(sdp("offer")));
        self.run_for(ms(100));
        let b = self.incoming(BOB);
        self.agents[BOB].accept(b, sdp("answer"), Headers::default(), self.now);
        self.run_for(ms(100));
        assert_eq!(self.told(ALICE), ["answered answer(answer)"]);
        assert_eq!(self.told(BOB), ["incoming", "confirmed"]);
        self.ladder();
        (a, b)
    }

    /// The session of the last incoming call.
    fn incoming(&self, side: usize) -> SessionId {
        let last = self.events[side].iter().rev().find_map(|event| match event {
            Event::Incoming { session, .. } => Some(*session),
            _ => None,
        });
        last.expect("an incoming call")
    }

    fn assert_nothing_left(&self) {
        for side in [ALICE, BOB] {
            assert_eq!(self.agents[side].counts(), UaCounts::default(), "side {side}");
        }
    }
}

fn has_sdp(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    text.strip_prefix("v=0 ").map(|rest| format!(" {}", rest.trim_end())).unwrap_or_default()
}

fn describe(from: usize, message: &Message) -> String {
    let arrow = ["A->B", "B->A"][from];
    match message {
        Message::Request(request) => format!("{arrow} {}{}", request.method, has_sdp(&request.body)),
        Message::Response(response) => {
            let (status, method) = (response.status.code(), response.core.cseq.method);
            format!("{arrow} {status} {method}{}", has_sdp(&response.body))
        }
    }
}

fn tell_sdp(sdp: &Option<super::Sdp>) -> String {
    match sdp {
        None => String::new(),
        Some(super::Sdp::Offer(sdp)) => format!(" offer({})", has_sdp(sdp).trim()),
        Some(super::Sdp::Answer(sdp)) => format!(" answer({})", has_sdp(sdp).trim()),
    }
}

fn tell(event: &Event) -> String {
    match event {
        Event::Incoming { .. } => "incoming".into(),
        Event::Progress { status, sdp, .. } => format!("progress {status}{}", tell_sdp(sdp)),
        Event::Answered { sdp, .. } => format!("answered{}", tell_sdp(sdp)),
        Event::Confirmed { sdp, .. } => format!("confirmed{}", tell_sdp(sdp)),
        Event::Failed { status, .. } => format!("failed {status}"),
        Event::Reoffered { sdp, .. } => format!("reoffered{}", tell_sdp(sdp)),
        Event::Reanswered { sdp, .. } => format!("reanswered({})", has_sdp(sdp).trim()),
        Event::OfferRefused { status, .. } => format!("refused {status}"),
        Event::Info { content_type, .. } => format!("info {content_type}"),
        Event::Referred { referral, .. } => format!("referred {}", referral.to),
        Event::Ended { cause, .. } => format!("ended {cause:?}"),
        Event::Request { request, .. } => format!("request {}", request.method),
        Event::Response { response, .. } => format!("response {}", response.status.code()),
        Event::Notified { body, .. } => format!("notified {}", String::from_utf8_lossy(body)),
        Event::Unsubscribed { why, .. } => format!("unsubscribed {why:?}"),
        Event::Watched { .. } => "watched".into(),
        Event::Unwatched { .. } => "unwatched".into(),
    }
}

fn method_of(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1)
}

fn is(line: &str, method: Method) -> bool {
    method_of(line) == Some(&method.to_string())
}
