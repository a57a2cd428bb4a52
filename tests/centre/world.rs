//! The clock, the agenda and the invariants: everything that holds after every step and at the end of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use relais::bridge::MediaEvent;
use relais::comfort::{Comfort, Words};
use relais::dialplan::Plans;
use relais::engine::{Command, Counts, Engine, Input, Journal};
use relais::ids::{AgentId, CallId, CallbackId, RecordingId, RequestId};
use relais::inputs::Start;
use relais::record::{Party, RecordingState};
use relais::settings::{Choice, Settings, Transport};
use relais::sip::message::Message;
use relais::sip::{Destination, Flow};
use relais::time::{Instant, Now, Wall};
use relais::views::{AgentState, ApiRequest, Briefing, CallState, CallView, Change, Steering};

use crate::bots::Bots;
use crate::media::{Media, PORTS};
use crate::network::{Network, Packet, below, below_one_of};
use crate::people::{Act, SERVER, Side};
use crate::providers::{self, Providers};
use crate::truth::{Line, Truth, ended_by_people};

const CALLS: usize = 50;
/// Where the demo has its first expert.
const EXPERT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5090);
const AGENTS: [&str; 6] = ["201", "202", "203", "204", "205", "206"];
/// All transactions, wrap-ups and registrations are over by then.
const QUIET: Duration = Duration::from_secs(4_000);
/// The trunk that registers is taken away then.
const WITHOUT_PROVIDER: Duration = Duration::from_secs(3_800);

/// The last transactions of calls that are ended then.
const FORGOTTEN: Duration = Duration::from_secs(200);

pub struct World {
    now: Instant,
    start: Wall,
    rng: ChaCha12Rng,
    engine: Engine,
    media: Media,
    bots: Bots,
    network: Network,
    sides: Vec<Side>,
    providers: Providers,
    settings: Settings,
    plans: Arc<Plans>,
    meddling: BTreeMap<Instant, ApiRequest>,
    pub journal: Vec<Journal>,
    began: BTreeSet<CallId>,
    ended: BTreeSet<CallId>,
    /// Which call each agent is part of, as published.
    with: BTreeMap<CallId, BTreeSet<AgentId>>,
    answered: BTreeSet<CallId>,
    /// Whose agent has begun to talk.
    talked: BTreeSet<CallId>,
    /// The index of recordings, as written.
    recordings: BTreeMap<RecordingId, RecordingState>,
    truth: Truth,
    /// What the engine is told that it could not send.
    undelivered: Vec<Destination>,
    error_told: bool,
    /// When no new calls are taken any more, in some runs.
    drain_at: Option<Instant>,
    draining: bool,
    drained: bool,
    steps: u64,
    pub narrate: bool,
    /// Serialise and restore the engine every so many steps.
    pub snapshot_every: Option<u64>,
    /// What the engine began with, and all it was told, where that is wanted.
    pub began_with: (Start, Now),
    pub told: Option<Vec<(Input, Now)>>,
}

/// What is said to those who wait; much of it at one time.
fn comfort() -> Vec<Comfort> {
    let say = |words, after, every: Option<u64>| Comfort {
        words,
        after: Duration::from_secs(after),
        every: every.map(Duration::from_secs),
    };
    let prompts = |names: &[&str]| Words::Prompts(names.iter().map(|name| (*name).to_owned()).collect());
    vec![
        say(prompts(&["please-wait"]), 3, Some(15)),
        say(Words::Estimate, 3, Some(20)),
        say(prompts(&["all-busy", "please-wait"]), 0, None),
        say(Words::Position, 10, Some(30)),
    ]
}

impl World {
    pub fn new(seed: u64) -> World {
        World::made(seed, None)
    }

    /// Keeps all that the engine is told.
    pub fn recorded(seed: u64) -> World {
        World::made(seed, Some(Vec::new()))
    }

    fn made(seed: u64, told: Option<Vec<(Input, Now)>>) -> World {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let start: Wall = "2026-11-25T10:00:00Z".parse().expect("a time");
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml");
        let mut loaded = relais::config::load(&config, &Default::default())
            .unwrap_or_else(|findings| panic!("the demo does not load: {findings:?}"));
        for queue in &mut loaded.settings.queues {
            queue.choice = Choice::ALL[seed as usize % Choice::ALL.len()];
            queue.ring_at_once = [1, 1, 1, 2, 3][seed as usize % 5];
            queue.music_resumes = !seed.is_multiple_of(3);
            queue.comfort = comfort();
        }
        let now = Now { instant: Instant(0), wall: start };
        let mut engine_seed = [0; 32];
        engine_seed[..8].copy_from_slice(&seed.to_le_bytes());
        // Nor are experts watched at the end, of whom nobody answers here.
        let mut without_provider = loaded.settings.clone();
        without_provider.experts.clear();
        providers::add_to(&mut loaded.settings);
        let plans = Arc::new(providers::add_plans(&loaded.plans));
        let begin = Start { settings: Arc::new(loaded.settings), plans: plans.clone(), seed: engine_seed };
        let engine = Engine::new(begin.settings.clone(), begin.plans.clone(), begin.seed, now);
        let network = Network::new(&mut rng);
        let providers = Providers::new(Instant(0) + WITHOUT_PROVIDER, &mut rng);
        let (media, ports) = Media::new();
        let mut world = World {
            now: Instant(0),
            start,
            engine,
            media,
            bots: Bots::default(),
            network,
            sides: Vec::new(),
            providers,
            settings: without_provider,
            plans,
            meddling: BTreeMap::new(),
            journal: Vec::new(),
            began: BTreeSet::new(),
            ended: BTreeSet::new(),
            with: BTreeMap::new(),
            answered: BTreeSet::new(),
            talked: BTreeSet::new(),
            recordings: BTreeMap::new(),
            truth: Truth::default(),
            undelivered: Vec::new(),
            error_told: false,
            drain_at: None,
            draining: false,
            drained: false,
            steps: 0,
            narrate: false,
            snapshot_every: None,
            began_with: (begin, now),
            told,
            rng,
        };
        world.tell(Input::Media(ports));
        world.populate();
        world
    }

    fn populate(&mut self) {
        let rng = &mut self.rng;
        let mut trunk = Side::new(SocketAddr::from(([127, 0, 0, 2], 5060)), None, rng);
        let mut at = Instant(0) + Duration::from_secs(2);
        for _ in 0..CALLS {
            let [out, greets] = providers::NUMBERS;
            let numbers = [
                "600", "601", "601", "602", "602", "603", "604", "610", "610", "610", "611", "611", "620", "620",
                "999", out, greets,
            ];
            let number = numbers[below(rng, 17) as usize];
            trunk.plan(at, Act::Dial { number, late_offer: below(rng, 10) == 0 });
            at = at + Duration::from_millis(below_one_of(rng, [100, 3_000, 8_000]).into());
        }
        if below(rng, 8) == 0 {
            self.drain_at = Some(Instant(0) + Duration::from_millis(u64::from(40_000 + below(rng, 120_000))));
        }
        self.sides.push(trunk);
        // The company's telephony; at the second expert's place there is nobody.
        let mut expert = Side::new(EXPERT, Some("301"), rng);
        expert.registers = false;
        self.sides.push(expert);
        for (n, agent) in AGENTS.iter().enumerate() {
            let mut phone = Side::new(SocketAddr::from(([127, 0, 1, n as u8 + 1], 5060)), Some(agent), rng);
            phone.plan(Instant(0) + Duration::from_millis(below(rng, 30_000).into()), Act::Register { expires: 3_600 });
            if below(rng, 4) == 0 {
                phone.plan(at, Act::Register { expires: 0 });
            }
            self.sides.push(phone);
            for _ in 0..below(rng, 3) {
                let when =
                    Instant(0) + Duration::from_millis(u64::from(below(rng, 120_000))) + Duration::from_nanos(n as u64);
                let agent = AgentId::from(*agent);
                let (state, reason) = match below(rng, 3) {
                    0 => (AgentState::Paused, Some("break".to_owned())),
                    1 => (AgentState::LoggedOut, None),
                    _ => (AgentState::Available, None),
                };
                self.meddling.insert(when, ApiRequest::SetAgentState { agent, state, reason });
            }
        }
    }

    fn at(&self) -> Now {
        let elapsed = jiff::SignedDuration::from_nanos(self.now.0 as i64);
        Now { instant: self.now, wall: self.start + elapsed }
    }

    /// Runs until nothing is left to happen, then looks for what should not be there.
    pub fn run(&mut self) -> Result<(), String> {
        self.drain()?;
        self.run_until(Instant(0) + QUIET)?;
        // Nobody may be left who could keep a promise.
        let promised: Vec<CallbackId> = self.truth.promised().collect();
        for id in promised {
            self.input(Input::Api { id: RequestId(self.steps), request: ApiRequest::CancelCallBack { id } })?;
        }
        self.run_until(Instant(0) + QUIET + FORGOTTEN)?;
        self.nothing_left()
    }

    fn run_until(&mut self, end: Instant) -> Result<(), String> {
        while let Some(next) = self.next() {
            if next > end {
                break;
            }
            self.now = next.max(self.now);
            self.steps += 1;
            if self.steps > 200_000 {
                return Err(format!("still busy after {} steps at {:?}", self.steps, self.now));
            }
            self.step()?;
            if self.snapshot_every.is_some_and(|every| self.steps.is_multiple_of(every)) {
                let snapshot = serde_json::to_vec(&self.engine).map_err(|error| format!("snapshot: {error}"))?;
                self.engine = serde_json::from_slice(&snapshot).map_err(|error| format!("restore: {error}"))?;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<Instant> {
        let meddling = self.meddling.keys().next().copied();
        let undelivered = (!self.undelivered.is_empty()).then_some(self.now);
        [self.engine.poll_timeout(), self.media.next(), self.bots.next(), self.network.next(), meddling, self.drain_at]
            .into_iter()
            .chain(self.sides.iter().map(Side::next))
            .chain([self.providers.next(), undelivered])
            .flatten()
            .min()
    }

    /// Everything that is due now, each followed by what the engine makes of it.
    fn step(&mut self) -> Result<(), String> {
        if let Some(to) = self.undelivered.pop() {
            self.error_told = true;
            return self.input(Input::TransportError { to });
        }
        if self.drain_at.is_some_and(|at| at <= self.now) {
            self.drain_at = None;
            self.draining = true;
            return self.input(Input::Drain);
        }
        if let Some(packet) = self.network.receive(self.now) {
            return self.deliver(&packet);
        }
        if let Some(event) = self.media.poll(self.now) {
            return self.media_tells(event);
        }
        if let Some(input) = self.bots.poll(self.now, &mut self.rng) {
            return self.input(input);
        }
        if self.meddling.keys().next().is_some_and(|at| *at <= self.now)
            && let Some((_, request)) = self.meddling.pop_first()
        {
            return self.input(Input::Api { id: RequestId(self.steps), request });
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            return self.input(Input::Time);
        }
        if !self.providers.removed && self.providers.removed_at <= self.now {
            self.providers.removed = true;
            let settings = Arc::new(self.settings.clone());
            return self.input(Input::Reload { settings, plans: self.plans.clone() });
        }
        if self.providers.next().is_some_and(|at| at <= self.now) {
            self.providers.act(self.now, &mut self.rng);
            self.providers.send(&mut self.network, self.now, &mut self.rng);
            return Ok(());
        }
        for n in 0..self.sides.len() {
            if self.sides[n].next().is_some_and(|at| at <= self.now) {
                if let Some((port, key)) = self.sides[n].act(self.now, &mut self.rng) {
                    self.media.press(port, key, self.now);
                }
                self.side_sends(n);
                return Ok(());
            }
        }
        Ok(())
    }

    fn media_tells(&mut self, event: MediaEvent) -> Result<(), String> {
        let died = match &event {
            MediaEvent::Dead { leg } => self.truth.talk_of_agent(*leg).zip(Some(*leg)),
            _ => None,
        };
        self.input(Input::Media(event))?;
        died.map_or(Ok(()), |(call, leg)| self.truth.lost_agent(call, leg))
    }

    fn deliver(&mut self, packet: &Packet) -> Result<(), String> {
        let message = Message::parse(&packet.bytes).map_err(|error| {
            format!("unreadable message from {}: {error}\n{}", packet.from, String::from_utf8_lossy(&packet.bytes))
        })?;
        if self.narrate {
            let first = String::from_utf8_lossy(&packet.bytes).lines().next().unwrap_or_default().to_owned();
            println!("{:>10.3} {} -> {} {first}", self.now.0 as f64 / 1e9, packet.from, packet.to);
        }
        let flow = Flow { transport: Transport::Udp, local: packet.to, remote: packet.from, connection: None };
        if packet.to == SERVER {
            return self.input(Input::Sip { flow, message: Box::new(message) });
        }
        if let Some(n) = self.sides.iter().position(|side| side.address == packet.to) {
            self.sides[n].ua.handle_message(flow, message, self.now);
            self.side_sends(n);
        } else if self.providers.deliver(packet, message, self.now, &mut self.rng) {
            self.providers.send(&mut self.network, self.now, &mut self.rng);
        }
        Ok(())
    }

    fn side_sends(&mut self, n: usize) {
        let side = &mut self.sides[n];
        side.listen(self.now, &mut self.rng);
        while let Some(transmit) = side.ua.poll_transmit() {
            let packet = Packet { from: side.address, to: address(&transmit.to), bytes: transmit.bytes };
            self.network.send(packet, self.now, &mut self.rng);
        }
        side.listen(self.now, &mut self.rng);
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        if self.narrate && !matches!(input, Input::Sip { .. } | Input::Time) {
            println!("{:>10.3} {input:?}", self.now.0 as f64 / 1e9);
        }
        self.tell(input);
        self.drain()?;
        self.providers.check(self.line(), self.now)?;
        let mut counts = self.engine.counts();
        // The trunk's own; at the end of the run there must be none.
        counts.timers = counts.timers.saturating_sub(providers::TIMERS);
        self.truth.check(&counts, (&self.media, &self.bots), &self.sides, self.line(), self.now)
    }

    fn tell(&mut self, input: Input) {
        let at = self.at();
        if let Some(told) = &mut self.told {
            told.push((input.clone(), at));
        }
        self.engine.handle_input(input, at);
    }

    fn line(&self) -> Line {
        let loss = self.network.loss();
        Line { sound: loss <= 100, clear: loss <= 20, tells: !self.error_told }
    }

    fn drain(&mut self) -> Result<(), String> {
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Send(transmit) => {
                    // On a bad line some hosts say that the other is not there (ICMP port unreachable).
                    if !self.line().sound && below(&mut self.rng, 2_000) == 0 {
                        self.undelivered.push(transmit.to);
                        continue;
                    }
                    let packet = Packet { from: SERVER, to: address(&transmit.to), bytes: transmit.bytes };
                    self.network.send(packet, self.now, &mut self.rng);
                }
                Command::Media(command) => {
                    if self.narrate {
                        println!("{:>10.3} {command:?}", self.now.0 as f64 / 1e9);
                    }
                    self.bots.handle(&command, self.now, &mut self.rng)?;
                    self.media.handle(&command, self.now, &mut self.rng)?;
                }
                Command::Journal(entry) => self.written(entry)?,
                Command::Publish(change) => self.published(change)?,
                Command::Reply { .. } => {}
                Command::LookUp { call, look_up, .. } => self.bots.ask(call, look_up, self.now, &mut self.rng),
                Command::Log { text, .. } if self.narrate => println!("{:>10.3} log: {text}", self.now.0 as f64 / 1e9),
                Command::Drained => {
                    if !self.draining || std::mem::replace(&mut self.drained, true) || self.began != self.ended {
                        return Err("drained is told before its time, or twice".to_owned());
                    }
                }
                Command::Log { .. }
                | Command::Resolve { .. }
                | Command::AskHistory { .. }
                | Command::Tell(_)
                | Command::Configured(_) => {}
            }
        }
        self.one_call_an_agent()
    }

    fn written(&mut self, entry: Journal) -> Result<(), String> {
        match &entry {
            Journal::Began(record) if !self.began.insert(record.call_id) => {
                return Err(format!("call {} begins twice", record.call_id));
            }
            Journal::Began(record) if self.draining => {
                return Err(format!("call {} begins in a drain", record.call_id));
            }
            Journal::Ended(record) => {
                if !self.ended.insert(record.call_id) {
                    return Err(format!("call {} has two records", record.call_id));
                }
                if !self.began.contains(&record.call_id) {
                    return Err(format!("call {} ends and never began", record.call_id));
                }
                if record.outcome.is_none() || record.ended_by.is_none() || record.ended_at.is_none() {
                    return Err(format!("record without an end: {record:?}"));
                }
                let talked = record.legs.iter().any(|leg| leg.role == Party::Agent);
                if self.line().sound {
                    ended_by_people(record, &self.media)?;
                }
                if talked != record.agent.is_some() {
                    return Err(format!("record's agent and legs disagree: {record:?}"));
                }
            }
            Journal::Recording(recording) => {
                self.recordings.insert(recording.recording_id, recording.state);
            }
            Journal::RecordingDeleted(recording) => {
                self.recordings
                    .remove(recording)
                    .ok_or(format!("recording {recording} is deleted and was not there"))?;
            }
            Journal::Began(_)
            | Journal::Progress { .. }
            | Journal::Queued { .. }
            | Journal::WrapUp { .. }
            | Journal::LostPlace(_)
            | Journal::RecordingNoted { .. }
            | Journal::Surveyed { .. }
            | Journal::Disposed { .. }
            | Journal::Callback(_)
            | Journal::Agents(_)
            | Journal::Told(_) => {}
        }
        self.truth.written(&entry)?;
        self.journal.push(entry);
        Ok(())
    }

    /// By the API: the agent asks somebody, or hands the caller over without a word, and goes on from there.
    fn asks(&mut self, view: &CallView) {
        let (rng, call, by) = (&mut self.rng, view.call_id, view.agent.clone());
        let whom = |rng: &mut ChaCha12Rng| {
            let known =
                ["expert:301", "expert:301", "expert:302", "agent:202", "agent:204", "agent:206", "queue:support"];
            known[below(rng, 7) as usize].to_owned()
        };
        let briefing = |rng: &mut ChaCha12Rng| (below(rng, 3) == 0).then_some(Briefing::Wanted(true));
        let mut at = self.now + Duration::from_micros(u64::from(100_000 + below(rng, 4_000_000)));
        let mut steps = vec![match below(rng, 3) {
            0 => Steering::Transfer { to: whom(rng), priority: None, briefing: briefing(rng) },
            _ => Steering::Consult { to: whom(rng), briefing: briefing(rng) },
        }];
        for _ in 0..1 + below(rng, 3) {
            steps.push(match below(rng, 8) {
                0 | 1 => Steering::Complete,
                2 | 3 => Steering::Conference,
                4 => Steering::Cancel,
                5 => Steering::Swap,
                6 => Steering::Hold,
                _ => Steering::Consult { to: whom(rng), briefing: briefing(rng) },
            });
        }
        for action in steps {
            self.meddling.insert(at, ApiRequest::Steer { call, by: by.clone(), leg: None, action });
            let pause = 200_000 + below_one_of(rng, [300_000, 4_000_000, 15_000_000]);
            at = at + Duration::from_micros(pause.into());
        }
    }

    fn published(&mut self, change: Change) -> Result<(), String> {
        self.truth.published(&change, self.now)?;
        match change {
            Change::Call(view) => {
                // A supervisor ends some calls, the first seconds after the answer being the most delicate.
                if view.answered_at.is_some() && self.answered.insert(view.call_id) && below(&mut self.rng, 8) == 0 {
                    let at = self.now + Duration::from_micros(u64::from(below(&mut self.rng, 1_500_000)));
                    let request = ApiRequest::HangUp { call: view.call_id, leg: None, by: Party::Supervisor };
                    self.meddling.insert(at, request);
                }
                let talks = view.state == CallState::Talking && view.agent.is_some();
                if talks && self.talked.insert(view.call_id) && below(&mut self.rng, 6) == 0 {
                    self.asks(&view);
                }
                if self.ended.contains(&view.call_id) {
                    return Err(format!("call {} is shown as running after its end", view.call_id));
                }
                let agents = view
                    .legs
                    .iter()
                    .filter(|leg| leg.role == Party::Agent)
                    .map(|leg| AgentId::from(leg.address.as_str()));
                self.with.insert(view.call_id, agents.collect());
                Ok(())
            }
            Change::Ended(record) => {
                self.with.remove(&record.call_id);
                if !self.ended.contains(&record.call_id) {
                    return Err(format!("the end of call {} is told before its record is written", record.call_id));
                }
                Ok(())
            }
            Change::Voicemail(recording) if !self.recordings.contains_key(&recording.recording_id) => {
                Err(format!("message {} is told and not written", recording.recording_id))
            }
            Change::Voicemail(_)
            | Change::Conversation { .. }
            | Change::RecordingDeleted { .. }
            | Change::RecordingNoted { .. }
            | Change::Survey { .. }
            | Change::Disposition { .. } => Ok(()),
            Change::Agent(_)
            | Change::Queue(_)
            | Change::Expert(_)
            | Change::ExpertGone { .. }
            | Change::Callback(_)
            | Change::Reload(_) => Ok(()),
        }
    }

    fn one_call_an_agent(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for (call, agents) in &self.with {
            for agent in agents {
                if let Some(other) = seen.insert(agent, call) {
                    return Err(format!("agent {agent} has two calls at once: {other} and {call}"));
                }
            }
        }
        Ok(())
    }

    fn nothing_left(&self) -> Result<(), String> {
        let missing: Vec<_> = self.began.difference(&self.ended).collect();
        if !missing.is_empty() {
            return Err(format!("{} calls have no record: {missing:?}", missing.len()));
        }
        if self.recordings.values().any(|state| *state == RecordingState::Open) {
            return Err(format!("recordings that are open for ever: {:?}", self.recordings));
        }
        if !self.recordings.keys().eq(&self.media.files()) {
            return Err(format!("indexed are {:?}, there are {:?}", self.recordings, self.media.files()));
        }
        let counts = self.engine.counts();
        let clean = Counts { ports_free: usize::from(PORTS), ..Counts::default() };
        if counts != clean {
            return Err(format!("left over in the engine: {counts:?}"));
        }
        if self.media.legs() > 0 {
            return Err(format!("{} media legs are left over", self.media.legs()));
        }
        for side in &self.sides {
            if !side.sessions.is_empty() {
                return Err(format!("{} sessions are left over at {}", side.sessions.len(), side.address));
            }
        }
        self.truth.at_the_end()?;
        if self.draining != self.drained {
            return Err("a drain has no end".to_owned());
        }
        if self.began.is_empty() {
            return Err("no call got through: the run proves nothing".to_owned());
        }
        Ok(())
    }
}

pub fn address(to: &Destination) -> SocketAddr {
    match to {
        Destination::Flow(flow) => flow.remote,
        Destination::Address { address, .. } => *address,
    }
}
