//! The whole control plane as one deterministic machine: inputs and the time go in, commands come out. No sockets, no
//! threads, no clock; what takes time outside is a command out and an input back.

mod agents;
mod api;
mod astray;
mod bots;
mod briefing;
mod callbacks;
mod calls;
mod consult;
mod dial_out;
mod direct;
mod experts;
mod incoming;
mod journal;
mod keys;
mod lamps;
mod mailboxes;
mod outside;
mod pairs;
mod plan;
mod protection;
mod recordings;
mod refer;
mod registration;
mod rooms;
mod schedules;
mod sessions;
mod softphones;
mod supervise;
#[cfg(test)]
mod tests;
mod trunks;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::bridge::{MediaCommand, MediaEvent, MediaPort};
use crate::call::talk::State;
use crate::call::{Call, FIRST_ENGINE_PLAY};
use crate::callback::Callback;
use crate::callbot::understanding::Understood;
use crate::caller::CallerFacts;
use crate::comfort::Words;
use crate::dialplan::{Answer, LookUp, Plans, Run};
use crate::heard::Hearing;
use crate::ids::{AgentId, CallId, ExpertId, LegId, PlayId, QueueId, RecordingId, RequestId, SessionId, TrunkId};
use crate::queue::{Acd, AcdCounts, AcdEvent, Callbacks};
use crate::record::KeptRecording;
use crate::settings::{Settings, TrunkServer};
use crate::shift::AgentChange;
use crate::sip::auth::Authenticator;
use crate::sip::message::Message;
use crate::sip::registrar::Registrar;
use crate::sip::ua::{Event, UaCounts, UaSettings, UserAgent};
use crate::sip::{Destination, Flow, Transmit};
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::trace::Trace;
use crate::views::{ApiError, ApiRequest, CallView, CallbackView, Change, ConsultState, ConsultView, ExpertView};
use consult::{Asked, Guest};
use dial_out::Outgoing;
use experts::{Experts, Package};
pub use journal::Journal;
use journal::Written;
use keys::Typed;
use lamps::Lamps;
use mailboxes::Mailboxes;
use outside::EarlierCalls;
pub use outside::{HistoryQuestion, Told};
use protection::Identity;
use recordings::Tape;
use rooms::Rooms;
use softphones::Loan;
pub use trunks::ServerId;
use trunks::{TargetId, Trunks};
use waiting::WaitTerms;

/// What happens to the engine. With the time of each, a run can be recorded and replayed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    Sip {
        flow: Flow,
        message: Box<Message>,
    },
    /// What was sent there could not be delivered.
    TransportError {
        to: Destination,
    },
    Media(MediaEvent),
    Api {
        id: RequestId,
        request: ApiRequest,
    },
    /// Checked anew by the shell; calls keep the plan they began with.
    Reload {
        settings: Arc<Settings>,
        plans: Arc<Plans>,
    },
    /// Callers who lost their place in a queue when the process died.
    LostPlaces(Vec<LostPlace>),
    /// Call-backs that an earlier process promised and has not kept.
    Callbacks(Vec<Callback>),
    /// The last state of each agent in an earlier process.
    Agents(Vec<AgentChange>),
    /// Messages and held recordings of earlier processes.
    Kept(Vec<KeptRecording>),
    /// The answer to `Command::Resolve`; empty when the name has no address.
    Resolved {
        id: ServerId,
        targets: Vec<Destination>,
    },
    /// The answer to `Command::AskHistory`.
    History {
        call: CallId,
        facts: Box<CallerFacts>,
    },
    /// The answer to `Command::LookUp`.
    LookedUp {
        call: CallId,
        look_up: u64,
        answer: Box<Answer>,
    },
    /// What a recogniser tells of a leg that is listened to.
    Heard {
        leg: LegId,
        listen: u64,
        hearing: Box<Hearing>,
        /// What words were taken for.
        understood: Option<Understood>,
    },
    /// `Command::Tell` is done: the service took the event, or it was given up.
    ToldOf(String),
    /// No new calls; the present ones go on.
    Drain,
    /// Every call ends now.
    Stop,
    /// Only time has passed.
    Time,
}

/// A place in a queue, to be regained by a caller who rings again soon enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostPlace {
    pub from: String,
    pub queue: QueueId,
    pub waiting_since: Wall,
    pub lost_at: Wall,
}

/// What the engine wants done, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Send(Transmit),
    Media(MediaCommand),
    /// To the spool, before anything that follows.
    Journal(Journal),
    Publish(Change),
    Reply {
        id: RequestId,
        result: Result<serde_json::Value, ApiError>,
    },
    /// Look a trunk's server up (RFC 3263) and bring `Input::Resolved`.
    Resolve {
        id: ServerId,
        server: TrunkServer,
    },
    /// What is known of a caller; bring `Input::History`. The plan waits for it no longer than 200 ms.
    AskHistory {
        call: CallId,
        question: HistoryQuestion,
    },
    /// Ask an HTTP service; bring `Input::LookedUp`.
    LookUp {
        call: CallId,
        look_up: u64,
        question: Box<LookUp>,
    },
    /// Write down and send, until it is taken; then bring `Input::ToldOf`.
    Tell(Box<Told>),
    /// The settings are new: what the shells made of the earlier ones is to be made anew.
    Configured(Arc<Settings>),
    Log {
        level: LogLevel,
        text: String,
    },
    /// A drain is over: the last call has ended.
    Drained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    Info,
    Warn,
}

/// A point in time at which the engine wants to act.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Timer {
    /// The dialplan run of a call.
    Plan(CallId),
    /// The longest wait that the plan allows in a queue.
    Wait(CallId),
    /// Something is to be said to one who waits.
    Comfort(CallId),
    /// Whether the estimate of one who waits is still within what the plan allows.
    Look(CallId),
    /// A directly dialled party has rung long enough.
    Dial(CallId),
    /// The one who is asked for an agent has rung long enough.
    Consult(CallId),
    /// The one who is told why they are called has been told for long enough.
    Briefing(CallId),
    /// A browser that was lost in a talk has not come back.
    Astray(LegId),
    /// What a page was lent for its softphone.
    Loan(String),
    /// An agent's keys have not become a command.
    Keys(CallId, LegId),
    /// The last figures of a call's media have not come; the record is written without them.
    Finish(CallId),
    /// The caller's history has not come; the plan begins without it.
    History(CallId),
    LookUp(ServerId),
    Options(TargetId),
    Register(TrunkId),
    Subscribe(ExpertId, Package),
    ExpertOptions(ExpertId),
    /// An expert's telephony has not answered in time.
    ExpertSilent(ExpertId),
    /// What was told of an expert by the API counts no more.
    ToldStale(ExpertId),
    /// The hours of experts may begin or end.
    ExpertHours,
    /// A calendar that agents' schedules name opens or closes.
    Schedules,
}

impl Timer {
    /// Experts are watched as long as they are configured, calls or none.
    fn watches_expert(&self) -> bool {
        use Timer::{ExpertHours, ExpertOptions, ExpertSilent, Subscribe, ToldStale};
        matches!(self, Subscribe(..) | ExpertOptions(_) | ExpertSilent(_) | ToldStale(_) | ExpertHours)
    }
}

/// So many at the front of a queue have their position published whenever it changes; further back it is that of the last
/// change of the call, so that the work does not grow with the queue.
const FRONT: usize = 50;

/// A caller who rings again within this time of a crash regains the place.
const PLACE_KEPT: Duration = Duration::from_secs(300);
/// The media threads answer within a tick or two; a record never waits longer for their figures.
const FINISH_WAIT: Duration = Duration::from_millis(250);

#[derive(Serialize, Deserialize)]
pub struct Engine {
    settings: Arc<Settings>,
    plans: Arc<Plans>,
    ua: UserAgent,
    authenticator: Authenticator,
    registrar: Registrar,
    /// What pages were lent for their softphones, by the name for SIP.
    loans: BTreeMap<String, Loan>,
    /// Legs whose far end was heard last by a connection that is gone.
    astray: BTreeMap<LegId, Flow>,
    acd: Acd,
    rng: ChaCha12Rng,
    #[serde(with = "pairs")]
    calls: BTreeMap<CallId, Box<Live>>,
    sessions: HashMap<SessionId, (CallId, LegId)>,
    legs: HashMap<LegId, CallId>,
    /// Who the media shell is to those with whom it agrees on keys.
    #[serde(default)]
    identity: Option<Identity>,
    /// Bound ports of the media shell that no leg uses.
    ports: VecDeque<MediaPort>,
    timers: Deadlines<Timer>,
    lost_places: Vec<LostPlace>,
    /// Calls of the agents who were asked or brought in, by what the distributor knows their part as.
    tickets: HashMap<CallId, CallId>,
    callbacks: Callbacks,
    trunks: Trunks,
    experts: Experts,
    rooms: Rooms,
    lamps: Lamps,
    mailboxes: Mailboxes,
    #[serde(with = "pairs")]
    tapes: BTreeMap<RecordingId, Tape>,
    earlier_calls: EarlierCalls,
    /// Events told to services outside, for their ids.
    told: u64,
    next_leg: u64,
    next_play: u64,
    next_listen: u64,
    draining: bool,
    drained: bool,
    /// To be published when the input has been taken in.
    changed: BTreeSet<CallId>,
    /// To be written down then, where there is news.
    unwritten: BTreeSet<CallId>,
    /// And then also: what agents went into.
    entered: Vec<AgentChange>,
    commands: VecDeque<Command>,
}

/// A call with the plan it runs by.
#[derive(Serialize, Deserialize)]
struct Live {
    call: Call,
    /// `None` for a call that an agent's phone dialled directly, and for a call-back.
    run: Option<Run>,
    plans: Arc<Plans>,
    /// How the caller is listened to.
    listens: Option<bots::Listens>,
    /// A number outside that is being reached.
    outgoing: Option<Outgoing>,
    /// The one whom the agent asks, while they ring.
    asked: Option<Asked>,
    /// What is being said to the one who has answered, before they are connected.
    briefing: Option<(LegId, PlayId)>,
    /// The last one who was asked.
    consulted: Option<String>,
    /// The expert who was asked last, as they were then.
    asked_expert: Option<Box<ExpertView>>,
    /// The agent's phone that asked for a transfer by REFER, until it is told how it went.
    referral: Option<SessionId>,
    /// Agents who were brought in.
    guests: Vec<Guest>,
    /// Keys of agents that may become a command.
    #[serde(with = "pairs")]
    typed: BTreeMap<LegId, Typed>,
    /// What the plan says of the wait in the present queue, or the last.
    wait_terms: WaitTerms,
    /// They had given up before, and would have been called back.
    owed: bool,
    /// The position in a queue that was published last.
    shown: Option<usize>,
    written: Written,
}

impl Live {
    fn new(call: Call, run: Option<Run>, plans: Arc<Plans>) -> Live {
        Live {
            call,
            run,
            plans,
            listens: None,
            outgoing: None,
            asked: None,
            briefing: None,
            consulted: None,
            asked_expert: None,
            referral: None,
            guests: Vec::new(),
            typed: BTreeMap::new(),
            wait_terms: WaitTerms::default(),
            owed: false,
            shown: None,
            written: Written::default(),
        }
    }

    fn view(&self) -> CallView {
        let consult = self.consulted.clone().and_then(|to| {
            let state = match self.call.talking()?.state() {
                State::Calling => ConsultState::Ringing,
                State::Briefing => ConsultState::Briefing,
                State::Private => ConsultState::Private,
                State::Swapped => ConsultState::Swapped,
                State::Handing | State::Warming => ConsultState::HandingOver,
                State::Talk | State::Conference | State::Held | State::Handed => return None,
            };
            let expert = self.asked_expert.as_deref();
            Some(ConsultView {
                to,
                state,
                presence: expert.map(|expert| expert.presence),
                open: expert.map(|expert| expert.open),
                warning: expert.and_then(ExpertView::warning),
            })
        });
        CallView { consult, ..self.call.view(self.shown) }
    }

    /// Why the call went the way it did, so far.
    fn trace(&self) -> Trace {
        self.call.trace(self.run.as_ref().map(|run| run.trace(&self.plans)).unwrap_or_default())
    }
}

/// What is alive, for leak checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub calls: usize,
    pub legs: usize,
    pub sessions: usize,
    /// But those by which experts are watched.
    pub timers: usize,
    pub ports_free: usize,
    pub tapes: usize,
    pub rooms: usize,
    pub ua: UaCounts,
    pub acd: AcdCounts,
}

impl Engine {
    /// `seed` comes from the operating system's entropy: tags, branches and nonces are drawn from it.
    pub fn new(settings: Arc<Settings>, plans: Arc<Plans>, seed: [u8; 32], now: Now) -> Engine {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut derive = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        let ua = UserAgent::new(ua_settings(&settings), derive());
        let authenticator = Authenticator::new(settings.sip.domain.clone(), derive());
        let acd = Acd::new(&settings.queues, &settings.agents, derive(), now);
        let registrar = Registrar::new(settings.sip.min_expires, settings.sip.max_expires);
        let mut engine = Engine {
            settings,
            plans,
            ua,
            authenticator,
            registrar,
            loans: BTreeMap::new(),
            astray: BTreeMap::new(),
            acd,
            rng,
            calls: BTreeMap::new(),
            sessions: HashMap::new(),
            legs: HashMap::new(),
            identity: None,
            ports: VecDeque::new(),
            timers: Deadlines::default(),
            lost_places: Vec::new(),
            tickets: HashMap::new(),
            callbacks: Callbacks::default(),
            trunks: Trunks::default(),
            experts: Experts::default(),
            rooms: Rooms::default(),
            lamps: Lamps::default(),
            mailboxes: Mailboxes::default(),
            tapes: BTreeMap::new(),
            earlier_calls: EarlierCalls::default(),
            told: 0,
            next_leg: 1,
            next_play: FIRST_ENGINE_PLAY,
            next_listen: 0,
            draining: false,
            drained: false,
            changed: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            entered: Vec::new(),
            commands: VecDeque::new(),
        };
        engine.keep_schedules(now);
        engine.reach_fixed_phones(now);
        engine.watch_trunks(now);
        engine.watch_experts(now);
        engine.settle(now);
        engine.send();
        engine
    }

    pub fn handle_input(&mut self, input: Input, now: Now) {
        let mut reply = None;
        match input {
            Input::Sip { flow, message } => self.ua.handle_message(flow, *message, now.instant),
            Input::TransportError { to } => self.transport_error(&to, now),
            Input::Media(event) => self.handle_media(event, now),
            Input::Api { id, request } => reply = Some(self.handle_api(id, request, now)),
            Input::Reload { settings, plans } => self.reload(settings, plans, now),
            Input::LostPlaces(places) => self.lost_places.extend(places),
            Input::Callbacks(callbacks) => self.callbacks.restore(callbacks, now),
            Input::Agents(left) => self.acd.take_up(&left, now),
            Input::Kept(recordings) => self.kept(recordings),
            Input::Resolved { id, targets } => self.trunk_found(id, targets, now),
            Input::History { call, facts } => self.history_told(call, Some(*facts), now),
            Input::LookedUp { call, look_up, answer } => self.looked_up(call, look_up, *answer, now),
            Input::Heard { leg, listen, hearing, understood } => self.heard(leg, listen, *hearing, understood, now),
            Input::ToldOf(id) => self.journal(Journal::Told(id)),
            Input::Drain => self.draining = true,
            Input::Stop => self.stop(now),
            Input::Time => {}
        }
        self.expire(now);
        self.settle(now);
        if !self.astray.is_empty() {
            self.look_for_astray(now);
            self.settle(now);
        }
        // Whoever is answered finds published what came of it.
        self.send();
        self.commands.extend(reply);
    }

    /// When to call `handle_input(Input::Time, …)` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rooms = [self.ua.poll_timeout(), self.acd.poll_timeout(), self.registrar.poll_timeout()];
        rooms.into_iter().chain([self.timers.next(), self.callbacks.poll_timeout()]).flatten().min()
    }

    /// The next thing to do; call until `None`.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Those that are up, or whose record is still to be written.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.keys().copied()
    }

    pub fn counts(&self) -> Counts {
        Counts {
            calls: self.calls.len(),
            legs: self.legs.len(),
            sessions: self.sessions.len(),
            timers: self.timers.keys().filter(|timer| !timer.watches_expert()).count(),
            ports_free: self.ports.len(),
            tapes: self.tapes.len(),
            rooms: self.rooms.len(),
            ua: self.ua.counts(),
            acd: self.acd.counts(),
        }
    }

    /// Views of everything, for a shell that starts or restores.
    pub fn publish_all(&mut self) {
        let agents: Vec<AgentId> = self.acd.agents().cloned().collect();
        let queues: Vec<QueueId> = self.acd.queues().cloned().collect();
        agents.iter().for_each(|agent| self.publish_agent(agent));
        queues.iter().for_each(|queue| self.publish_queue(queue));
        self.changed.extend(self.calls.keys());
        let callbacks: Vec<CallbackView> = self.callbacks.iter().map(CallbackView::from).collect();
        self.commands.extend(callbacks.into_iter().map(|view| Command::Publish(Change::Callback(view))));
        let experts = self.experts.shown().map(|view| Command::Publish(Change::Expert(Box::new(view))));
        self.commands.extend(experts.collect::<Vec<_>>());
        self.publish_changed();
    }

    fn expire(&mut self, now: Now) {
        self.ua.handle_timeout(now.instant);
        self.acd.handle_timeout(now);
        for agent in self.registrar.handle_timeout(now.instant) {
            self.acd.set_reachable(&AgentId::from(agent), false, now);
        }
        self.line_up_callbacks(now);
        while let Some(timer) = self.timers.expire(now.instant) {
            match timer {
                Timer::Plan(call) => self.plan_timed_out(call, now),
                Timer::Wait(call) => self.wait_is_over(call, now),
                Timer::Comfort(call) => self.comfort_is_due(call, now),
                Timer::Look(call) => self.look_at_estimate(call, now),
                Timer::Dial(call) => self.dial_timed_out(call, now),
                Timer::Consult(call) => self.asked_timed_out(call, now),
                Timer::Briefing(call) => self.briefed(call, now),
                Timer::Astray(leg) => self.astray_too_long(leg, now),
                Timer::Loan(user) => self.take_phone_back(&user, now),
                Timer::Keys(call, leg) => self.keys_timed_out(call, leg),
                Timer::Finish(call) => self.finish(call, now),
                Timer::History(call) => self.history_told(call, None, now),
                Timer::LookUp(server) => self.look_up(server, now),
                Timer::Options(target) => self.ask_options(target, now),
                Timer::Register(trunk) => self.register_at(&trunk, now),
                Timer::Subscribe(expert, package) => self.subscribe(&expert, package, now),
                Timer::ExpertOptions(expert) => self.ask_expert(&expert, now),
                Timer::ExpertSilent(expert) => self.expert_silent(&expert, now),
                Timer::ToldStale(expert) => self.told_is_stale(&expert, now),
                Timer::ExpertHours => self.hours_passed(now),
                Timer::Schedules => self.keep_schedules(now),
            }
        }
    }

    /// Lets the rooms talk to each other until none has anything more to say.
    fn settle(&mut self, now: Now) {
        loop {
            if let Some(event) = self.ua.poll_event() {
                self.handle_session_event(event, now);
            } else if let Some(event) = self.acd.poll_event() {
                self.handle_acd_event(event, now);
            } else {
                break;
            }
        }
        self.tell_agent_changes();
        self.tell_callbacks();
        self.write_down_changes();
        self.publish_changed();
    }

    /// Lets the messages go, and says so once the last call has gone.
    fn send(&mut self) {
        while let Some(transmit) = self.ua.poll_transmit() {
            self.commands.push_back(Command::Send(transmit));
        }
        if self.draining && self.calls.is_empty() && !self.drained {
            self.drained = true;
            self.commands.push_back(Command::Drained);
        }
    }

    fn handle_session_event(&mut self, event: Event, now: Now) {
        match event {
            Event::Incoming { session, flow, request } => self.incoming(session, flow, &request, now),
            Event::Progress { session, status, sdp } => self.leg_progress(session, status, sdp, now),
            Event::Answered { session, sdp, .. } => self.leg_answered(session, sdp, now),
            Event::Confirmed { session, sdp } => self.leg_confirmed(session, sdp, now),
            Event::Failed { session, status, q850, .. } => self.leg_failed(session, status, q850, now),
            Event::Reoffered { session, sdp } => self.leg_reoffered(session, sdp, now),
            Event::Reanswered { session, sdp } => self.leg_reanswered(session, &sdp, now),
            Event::OfferRefused { session, .. } => self.leg_offer_refused(session),
            Event::Referred { session, referral } => self.referred(session, &referral, now),
            Event::Info { session, content_type, body } => self.leg_info(session, &content_type, &body, now),
            Event::Ended { session, cause } => self.leg_ended(session, &cause, now),
            Event::Request { ticket, flow, request } => self.single_request(ticket, flow, &request, now),
            Event::Response { ticket, response } => {
                if !self.expert_answered(ticket, response.code(), now) {
                    self.trunk_answered(ticket, &response, now);
                }
            }
            Event::Notified { subscription, active, body } => self.expert_notified(subscription, active, &body, now),
            Event::Unsubscribed { subscription, why } => self.expert_unsubscribed(subscription, &why, now),
            Event::Watched { watcher } => self.watched(watcher, now),
            Event::Unwatched { watcher } => self.unwatched(watcher),
        }
    }

    fn handle_acd_event(&mut self, event: AcdEvent, now: Now) {
        match event {
            AcdEvent::Offer { contact, agent, reason } => self.offered(contact, &agent, *reason, now),
            AcdEvent::Withdraw { contact, agent } => self.offer_withdrawn(contact, &agent, now),
            AcdEvent::Announce { contact, .. } => self.say(contact, Words::Position, now),
            AcdEvent::WrappedUp { contact, acw } => {
                let contact = self.call_of(contact);
                self.journal(Journal::WrapUp { call: contact, acw_ms: crate::call::millis(acw) });
            }
            AcdEvent::Entered(mut change) => {
                change.call_id = change.call_id.map(|contact| self.call_of(contact));
                self.entered.push(*change);
            }
            AcdEvent::AgentChanged(agent) => {
                self.publish_agent(&agent);
                self.light_lamps(&agent, now);
            }
            AcdEvent::QueueChanged(queue) => {
                self.publish_queue(&queue);
                self.light_queue(&queue, now);
                self.note_moved(&queue);
            }
        }
    }

    /// Those at the front who moved up, or back behind one who regained a place, are published again.
    fn note_moved(&mut self, queue: &QueueId) {
        for (position, id) in (1..).zip(self.acd.front(queue, FRONT)) {
            if self.live(id).is_some_and(|live| live.shown != Some(position)) {
                self.changed.insert(id);
            }
        }
    }

    fn reload(&mut self, settings: Arc<Settings>, plans: Arc<Plans>, now: Now) {
        let hours = schedules::hours(&settings, &plans, &Default::default(), now);
        self.acd.reconfigure(&settings.queues, &settings.agents, hours, now);
        self.commands.push_back(Command::Configured(settings.clone()));
        let before = std::mem::replace(&mut self.settings, settings);
        self.plans = plans;
        self.wake_for_schedules(now);
        self.reach_fixed_phones(now);
        self.watch_trunks(now);
        self.watch_experts(now);
        self.look_at_watchers(now);
        self.wait_by_new_settings(&before, now);
    }

    /// The live call, and the engine's parts that act on it, apart from each other.
    fn live(&mut self, call: CallId) -> Option<&mut Live> {
        self.calls.get_mut(&call).map(Box::as_mut)
    }

    fn media(&mut self, command: MediaCommand) {
        self.commands.push_back(Command::Media(command));
    }

    fn log(&mut self, level: LogLevel, text: String) {
        self.commands.push_back(Command::Log { level, text });
    }

    fn publish_agent(&mut self, agent: &AgentId) {
        if let Some(mut view) = self.acd.agent_view(agent) {
            view.call_id = view.call_id.map(|contact| self.call_of(contact));
            self.commands.push_back(Command::Publish(Change::Agent(view)));
        }
    }

    fn publish_queue(&mut self, queue: &QueueId) {
        if let Some(view) = self.acd.queue_view(queue) {
            self.commands.push_back(Command::Publish(Change::Queue(view)));
        }
    }

    fn publish_changed(&mut self) {
        for id in std::mem::take(&mut self.changed) {
            let Some(live) = self.calls.get_mut(&id) else { continue };
            live.shown = self.acd.position(id);
            let view = live.view();
            self.commands.push_back(Command::Publish(Change::Call(Box::new(view))));
        }
    }
}

fn ua_settings(settings: &Settings) -> UaSettings {
    UaSettings {
        session_expires: settings.sip.session_expires,
        public_address: settings.sip.public_address,
        ..UaSettings::new(concat!("Relais/", env!("CARGO_PKG_VERSION")), settings.sip.listen.clone())
    }
}
