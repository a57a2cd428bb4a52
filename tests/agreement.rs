//! Every `[[test]]` of the shipped plans, twice: by the driver of `relais trace` and `relais test`, and as a call of a
//! real engine with SIP phones on a virtual clock. Both must decide the same for the same reasons.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use relais::bridge::{
    Digit, DigitSource, Listening, MediaCommand, MediaEvent, MediaPort, Recorded, RecordingEvent, RtpStats,
};
use relais::callbot::bot::Bot;
use relais::callbot::understanding::{Understanding, Understood};
use relais::config::Loaded;
use relais::dialplan::driver::{Minds, Scenario};
use relais::dialplan::{QueueOutcome, TransferOutcome};
use relais::engine::{Command, Engine, Input, Journal};
use relais::heard::{Heard, Hearing};
use relais::ids::{Language, LegId, PlayId, RecordingId, RequestId, SessionId};
use relais::record::CallRecord;
use relais::settings::{Listen, Settings, Transport};
use relais::sip::message::{Headers, Message, NameAddr, Uri};
use relais::sip::ua::{Event, Invite, UaSettings, UserAgent};
use relais::sip::{Destination, Flow};
use relais::time::{Instant, Now};
use relais::trace::Trace;
use relais::views::{ApiRequest, CallState, CallTrace, Change};

/// How long a caller speaks who leaves a message: as the driver has it.
const MESSAGE: Duration = Duration::from_secs(10);

const SERVER: &str = "127.0.0.1:5060";
const PHONES: &str = "127.0.9.9:5060";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address of the test's own")
}

/// One end of the line.
struct Peer {
    address: SocketAddr,
    ua: UserAgent,
}

impl Peer {
    fn new(address: SocketAddr, seed: u8) -> Peer {
        let settings = UaSettings::new("peer", vec![Listen { transport: Transport::Udp, address }]);
        Peer { address, ua: UserAgent::new(settings, [seed; 32]) }
    }

    fn sdp(&self) -> Bytes {
        let ip = self.address.ip();
        Bytes::from(format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        ))
    }
}

struct Stage<'s> {
    scenario: &'s Scenario,
    minds: &'s dyn Minds,
    /// How the caller is listened to, and what they have still to say.
    listening: Option<Listening>,
    says: VecDeque<String>,
    engine: Engine,
    now: Instant,
    caller: Peer,
    phones: Peer,
    session: Option<SessionId>,
    leg: Option<LegId>,
    playing: Option<PlayId>,
    echoes: bool,
    /// A message that is being left.
    message: Option<RecordingId>,
    state: Option<CallState>,
    call: Option<relais::ids::CallId>,
    keys: VecDeque<char>,
    pressed: bool,
    trace: Option<Trace>,
    record: Option<CallRecord>,
    requests: u64,
}

impl<'s> Stage<'s> {
    fn new(loaded: &Loaded, scenario: &'s Scenario, minds: &'s dyn Minds) -> Stage<'s> {
        let settings = settings_for(loaded, scenario);
        let caller = settings.trunks.first().and_then(|trunk| trunk.addresses.first()).expect("a trunk");
        let caller = SocketAddr::new(caller.hosts().nth(1).expect("a host of the trunk"), 5060);
        let now = Now { instant: Instant(0), wall: scenario.at };
        let mut engine = Engine::new(Arc::new(settings), Arc::new(loaded.plans.clone()), [7; 32], now);
        let ports = (0..8u16).map(|n| MediaPort(SocketAddr::from(([127, 0, 0, 1], 10_000 + 2 * n)))).collect();
        engine.handle_input(Input::Media(MediaEvent::Ports(ports)), now);
        Stage {
            scenario,
            minds,
            listening: None,
            says: scenario.say.iter().cloned().collect(),
            engine,
            now: Instant(0),
            caller: Peer::new(caller, 1),
            phones: Peer::new(address(PHONES), 2),
            session: None,
            leg: None,
            playing: None,
            echoes: false,
            message: None,
            state: None,
            call: None,
            keys: scenario.digits.chars().collect(),
            pressed: false,
            trace: None,
            record: None,
            requests: 0,
        }
    }

    fn wall(&self) -> Now {
        let elapsed = jiff::SignedDuration::from_nanos(i64::try_from(self.now.0).expect("a short call"));
        Now { instant: self.now, wall: self.scenario.at + elapsed }
    }

    /// Dials, lives through the call as the scenario says, and gives its record.
    fn run(mut self) -> CallRecord {
        let to = format!("sip:{}@{SERVER}", self.scenario.to);
        let from = match self.scenario.from.contains('@') {
            true => format!("sip:{}", self.scenario.from),
            false => format!("sip:{}@{}", self.scenario.from, self.caller.address.ip()),
        };
        let invite = Invite {
            to: Destination::Address { transport: Transport::Udp, address: address(SERVER) },
            request_uri: uri(&to),
            from: name_addr(&from),
            to_header: name_addr(&to),
            headers: Headers::default(),
            sdp: Some(self.caller.sdp()),
            credentials: None,
            first_word_within: None,
            max_forwards: 70,
        };
        self.session = Some(self.caller.ua.invite(invite, self.now));
        for _ in 0..100_000 {
            self.exchange();
            if let Some(record) = self.record.take() {
                return record;
            }
            self.next();
        }
        panic!("no end: {:?} {:?}", self.state, self.trace);
    }

    /// Whatever comes next once everybody is quiet, in the order in which a driver does it.
    fn next(&mut self) {
        let queued = self.state == Some(CallState::Queued);
        if let (Some(leg), Some(play)) = (self.leg, self.playing.take()) {
            return self.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
        }
        if (self.echoes || self.state == Some(CallState::Talking))
            && let Some(session) = self.session.take()
        {
            return self.caller.ua.hang_up(session, Headers::default(), self.now);
        }
        if let Some(recording) = self.message.take() {
            self.now = self.now + MESSAGE;
            let recorded = Recorded { duration: MESSAGE, voiced: MESSAGE, octets: 1 };
            let event = RecordingEvent::Ended(recorded);
            return self.input(Input::Media(MediaEvent::Recording { recording, event }));
        }
        if queued && let Some(QueueOutcome::Left(key)) = self.queue_outcome() {
            return self.press(key);
        }
        if self.listens()
            && let Some(key) = self.next_key()
        {
            self.pressed = true;
            return self.press(key);
        }
        if let Some(Listening { listen, bot, language, .. }) = self.listening.clone()
            && let Some(text) = self.says.pop_front()
        {
            return self.say(listen, &bot, &language, text);
        }
        let peers = [&self.caller, &self.phones].map(|peer| peer.ua.poll_timeout());
        let due = peers.into_iter().chain([self.engine.poll_timeout()]).flatten().min();
        self.now = due.expect("something to wait for").max(self.now);
        self.caller.ua.handle_timeout(self.now);
        self.phones.ua.handle_timeout(self.now);
        if self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            let plan_waits = self.listens();
            self.input(Input::Time);
            self.pressed &= !plan_waits;
        }
    }

    fn queue_outcome(&mut self) -> Option<QueueOutcome> {
        let queue = self.decided().levels.last()?.inputs.get("queue")?.as_str()?.to_owned();
        self.scenario.queues.get(&queue).copied()
    }

    fn press(&mut self, digit: Digit) {
        let leg = self.leg.expect("the caller's leg");
        self.input(Input::Media(MediaEvent::Digit { leg, digit, source: DigitSource::TelephoneEvent }));
    }

    /// What a recogniser makes of what the caller says.
    fn say(&mut self, listen: u64, bot: &str, language: &Language, text: String) {
        let leg = self.leg.expect("the caller's leg");
        let understood = self.minds.understand(bot, language, &text);
        let hearing = Box::new(Hearing::Final(Heard { text, confidence: 1.0, ..Heard::default() }));
        self.input(Input::Heard { leg, listen, hearing, understood });
    }

    /// As the trace tells: a menu or the like has begun and is not done.
    fn listens(&mut self) -> bool {
        let trace = self.decided();
        let last = trace.levels.last();
        last.is_some_and(|level| {
            level.result.is_none()
                && matches!(
                    level.module.as_deref(),
                    Some("menu" | "gather" | "deter" | "survey" | "callback" | "callbot")
                )
        })
    }

    fn decided(&mut self) -> Trace {
        let Some(call) = self.call else { return Trace::default() };
        self.requests += 1;
        self.trace = None;
        self.input(Input::Api { id: RequestId(self.requests), request: ApiRequest::Trace { call } });
        self.trace.clone().unwrap_or_default()
    }

    fn next_key(&mut self) -> Option<Digit> {
        while let Some(key) = self.keys.pop_front() {
            match Digit::new(key) {
                Some(digit) => return Some(digit),
                None if self.pressed => return None,
                None => {}
            }
        }
        None
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(input, self.wall());
        self.drain();
    }

    /// Carries messages until nobody has any more to say.
    fn exchange(&mut self) {
        loop {
            self.drain();
            self.listen_phones();
            let mut packets = Vec::new();
            for peer in [&mut self.caller, &mut self.phones] {
                while peer.ua.poll_event().is_some() {}
                while let Some(transmit) = peer.ua.poll_transmit() {
                    packets.push((peer.address, transmit.bytes));
                }
            }
            if packets.is_empty() {
                return;
            }
            for (from, bytes) in packets {
                let flow = Flow { transport: Transport::Udp, local: address(SERVER), remote: from, connection: None };
                let message = Box::new(Message::parse(&bytes).expect("a valid message"));
                self.input(Input::Sip { flow, message });
            }
        }
    }

    /// The phones of the agents do as the scenario says.
    fn listen_phones(&mut self) {
        while let Some(event) = self.phones.ua.poll_event() {
            let Event::Incoming { session, .. } = event else { continue };
            match self.phone_does() {
                None => self.phones.ua.accept(session, self.phones.sdp(), Headers::default(), self.now),
                Some(0) => self.phones.ua.progress(session, 180, None, self.now),
                Some(status) => self.phones.ua.reject(session, status, None, Headers::default(), self.now),
            }
        }
    }

    /// `None` where the phone answers; 0 where it rings and rings.
    fn phone_does(&mut self) -> Option<u16> {
        if let Some(QueueOutcome::TimedOut | QueueOutcome::Left(_)) = self.queue_outcome() {
            return Some(0);
        }
        let trace = self.decided();
        let target = trace.levels.last()?.inputs.get("to")?.as_str()?;
        match self.scenario.transfers.get(target)? {
            TransferOutcome::Busy => Some(486),
            TransferOutcome::Declined => Some(603),
            TransferOutcome::Unreachable => Some(480),
            TransferOutcome::NoAnswer => Some(0),
            _ => None,
        }
    }

    fn drain(&mut self) {
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Send(transmit) => {
                    let to = match transmit.to {
                        Destination::Address { address, .. } => address,
                        Destination::Flow(flow) => flow.remote,
                    };
                    let Some(peer) = [&mut self.caller, &mut self.phones].into_iter().find(|peer| peer.address == to)
                    else {
                        continue;
                    };
                    let flow = Flow { transport: Transport::Udp, local: to, remote: address(SERVER), connection: None };
                    let message = Message::parse(&transmit.bytes).expect("a valid message");
                    peer.ua.handle_message(flow, message, self.now);
                }
                Command::Media(command) => self.media(command),
                Command::Publish(Change::Call(view)) => {
                    self.call = Some(view.call_id);
                    self.state = Some(view.state);
                }
                Command::Journal(Journal::Ended(record)) => self.record = Some(*record),
                Command::Reply { result: Ok(value), .. } => {
                    self.trace = serde_json::from_value::<CallTrace>(value).ok().map(|told| told.trace);
                }
                _ => {}
            }
        }
    }

    fn media(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg, .. } => {
                self.leg.get_or_insert(leg);
            }
            // Plays of the plan; those of the engine are music and positions.
            MediaCommand::Play { leg, play, repeat, .. } if Some(leg) == self.leg && play.0 < 1 << 32 => {
                self.pressed = false;
                self.playing = (!repeat).then_some(play);
            }
            MediaCommand::StopPlay { play, .. } => {
                self.playing.take_if(|playing| *playing == play);
            }
            MediaCommand::Hear { leg, sources } if Some(leg) == self.leg => {
                self.echoes = sources.contains(&leg);
            }
            MediaCommand::Listen { leg, listening } if Some(leg) == self.leg => self.listening = Some(*listening),
            MediaCommand::StopListening { leg } if Some(leg) == self.leg => self.listening = None,
            MediaCommand::Record { recording, .. } => self.message = Some(recording),
            MediaCommand::Close { leg } => {
                let closed = MediaEvent::Closed { leg, stats: RtpStats::default() };
                self.engine.handle_input(Input::Media(closed), self.wall());
            }
            _ => {}
        }
    }
}

/// Every agent has a phone that always stands there, and a queue that is to be full takes nobody.
fn settings_for(loaded: &Loaded, scenario: &Scenario) -> Settings {
    let mut settings = loaded.settings.clone();
    for agent in &mut settings.agents {
        agent.password = None;
        agent.contact = Some(format!("sip:{}@{PHONES}", agent.id));
    }
    for queue in &mut settings.queues {
        if scenario.queues.get(queue.id.as_str()) == Some(&QueueOutcome::Full) {
            queue.max_waiting = Some(0);
        }
    }
    settings
}

fn uri(text: &str) -> Uri {
    text.parse().expect("a URI of the test's own")
}

fn name_addr(text: &str) -> NameAddr {
    NameAddr { display: None, uri: uri(text), params: Default::default() }
}

/// What bots understand by every sixth of their examples: what is asked here is that both understand the same.
#[derive(Default)]
struct Understandings(BTreeMap<String, (Bot, Understanding)>);

impl Understandings {
    fn of(loaded: &Loaded) -> Understandings {
        let small = |mut bot: Bot| {
            for examples in bot.examples.values_mut() {
                *examples = examples.iter().step_by(6).cloned().collect();
            }
            let understanding = Understanding::new(&bot, None, None);
            (bot.name.clone(), (bot, understanding))
        };
        Understandings(loaded.bots.iter().map(|described| small(described.bot.clone())).collect())
    }
}

impl Minds for Understandings {
    fn understand(&self, bot: &str, language: &Language, text: &str) -> Option<Understood> {
        let (bot, understanding) = self.0.get(bot)?;
        Some(Understood::find(understanding, bot, language, text))
    }
}

#[test]
fn a_trace_and_a_real_call_agree_for_every_shipped_test() {
    let mut compared = 0;
    for config in ["deploy/demo/relais.toml", "deploy/bench/relais.toml", "dialplans/relais.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(config);
        let loaded = relais::config::load(&path, &Default::default()).unwrap_or_else(|found| panic!("{found:?}"));
        let minds = Understandings::of(&loaded);
        for plan in loaded.plans.iter() {
            for case in plan.cases() {
                let trunk = loaded.settings.trunks.first().map(|trunk| trunk.id.clone());
                let scenario = case.scenario(&loaded.settings.language, trunk);
                let (course, misses) = case.run(&loaded.plans, &plan.id, &scenario, &minds);
                // With all its examples a bot understands what its tests say: `relais test`.
                if scenario.say.is_empty() {
                    assert_eq!(misses, [], "{}: {}", case.file, case.name);
                }
                let record = Stage::new(&loaded, &scenario, &minds).run();
                let what = format!("{}: {}", case.file, case.name);
                // A scenario says whether an agent answers; only the real call comes to the distributor.
                let rung_last = record.trace.decisions.last().map(|decision| &decision.agent);
                let from_queue = record.agent.as_ref().filter(|_| record.queue.is_some());
                assert!(from_queue.is_none_or(|agent| rung_last == Some(agent)), "{what}: {rung_last:?}");
                let told = course.trace(&loaded.plans).without_times();
                let by_plan = Trace { decisions: Vec::new(), omitted: told.omitted, ..record.trace.clone() };
                assert_eq!(by_plan.without_times(), told, "{what}");
                assert_eq!(record.outcome, Some(course.outcome()), "{what}");
                assert_eq!(record.sip_status, Some(course.status()), "{what}");
                assert_eq!(record.queue, course.queue, "{what}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 20, "only {compared} tests compared");
}
