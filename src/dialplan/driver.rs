//! Driving a plan without a telephone: a scenario says who calls, when and what everybody does, and the course says
//! what became of it. `relais trace`, `relais test` and `relais diff` look at plans with it. It is pure: the clock is
//! the scenario's.

use std::collections::{BTreeMap, VecDeque};

use super::facts::Facts;
use super::plan::Plans;
use super::run::Run;
use crate::bridge::{Digit, PlayItem};
use crate::callbot::dialogue::Utterance;
use crate::callbot::understanding::Understood;
use crate::caller::CallerFacts;
use crate::conversation::Conversation;
use crate::ids::{CallId, Language, PlanId, PlayId, QueueId, TrunkId};
use crate::ivr::{
    Action, Answer, CallBackOutcome, Event, LookUp, LookUpResult, MeetOutcome, MessageEvent, QueueFigures,
    QueueOutcome, Queues, Speech, Target, TransferOutcome, Value,
};
use crate::record::Outcome;
use crate::time::{Instant, Now, Wall};
use crate::trace::Trace;

/// How long a caller speaks who leaves a message, within what the plan allows.
const MESSAGE: std::time::Duration = std::time::Duration::from_secs(10);

/// A call as it is imagined.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub from: String,
    pub to: String,
    pub trunk: Option<TrunkId>,
    pub language: Language,
    pub at: Wall,
    /// Keys, pressed one after the other whenever something asks for one. A space is a pause.
    pub digits: String,
    /// What the caller says, one answer after the other whenever something listens to speech.
    pub say: Vec<String>,
    /// What look-ups find, by the service they ask; they fail where nothing is said.
    pub lookups: BTreeMap<String, Value>,
    /// What history says of the caller.
    pub caller: CallerFacts,
    /// What becomes of callers in a queue; an agent answers at once where nothing is said.
    pub queues: BTreeMap<String, QueueOutcome>,
    /// How queues stand; nobody waits and an agent is there where nothing is said.
    pub figures: BTreeMap<String, QueueFigures>,
    /// Headers of the INVITE.
    pub headers: BTreeMap<String, String>,
    /// What becomes of transfers to a target (`agent:201`); they are answered where nothing is said.
    pub transfers: BTreeMap<String, TransferOutcome>,
}

impl Scenario {
    /// A call at this moment, in which nobody presses a key and everybody answers.
    pub fn new(from: &str, to: &str, language: Language, at: Wall) -> Scenario {
        Scenario {
            from: from.to_owned(),
            to: to.to_owned(),
            trunk: None,
            language,
            at,
            digits: String::new(),
            say: Vec::new(),
            lookups: BTreeMap::new(),
            caller: CallerFacts::default(),
            queues: BTreeMap::new(),
            figures: BTreeMap::new(),
            headers: BTreeMap::new(),
            transfers: BTreeMap::new(),
        }
    }
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Course {
    pub run: Run,
    pub end: End,
    /// The prompts that were begun, in order.
    pub heard: Vec<String>,
    /// The last queue entered.
    pub queue: Option<QueueId>,
    /// The last target rung: `agent:201`.
    pub target: Option<String>,
    pub answered: bool,
    /// Keys that nothing asked for.
    pub digits_left: String,
    /// Answers that nothing listened to.
    pub not_said: Vec<String>,
    /// What was said with bots.
    pub conversations: Vec<Conversation>,
}

/// How a course ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The plan ended the call: BYE, or `status` where it was not answered.
    HungUp { status: u16, q850: u8, outcome: Outcome },
    /// Somebody talks with the caller.
    Talking,
    /// Nothing more happens unless the caller hangs up.
    CallerLeaves,
    /// It went on past any bound.
    Endless,
}

impl Course {
    /// What the call's record would say, were it over now.
    pub fn outcome(&self) -> Outcome {
        match self.end {
            End::HungUp { outcome, .. } => outcome,
            End::Talking => Outcome::Handled,
            End::CallerLeaves if self.run.is_self_service() && self.queue.is_none() => Outcome::SelfService,
            End::CallerLeaves => Outcome::Abandoned,
            End::Endless => Outcome::Failed,
        }
    }

    /// The final status of the INVITE.
    pub fn status(&self) -> u16 {
        match self.end {
            End::HungUp { status, .. } if !self.answered => status,
            _ if self.answered => 200,
            _ => 487,
        }
    }

    pub fn trace(&self, plans: &Plans) -> Trace {
        self.run.trace(plans)
    }

    /// The levels in which a rule ran.
    pub fn levels(&self) -> Vec<&str> {
        self.run.path().iter().map(|step| step.level.as_str()).collect()
    }
}

/// Understands what is said to bots: what a sentence is taken for.
pub trait Minds {
    fn understand(&self, bot: &str, language: &Language, text: &str) -> Option<Understood>;
}

/// Of nobody who understands.
impl Minds for () {
    fn understand(&self, _: &str, _: &Language, _: &str) -> Option<Understood> {
        None
    }
}

/// Plays `scenario` in `plan` to its end; `minds` understand what the caller says.
pub fn drive(plans: &Plans, plan: &PlanId, scenario: &Scenario, minds: &dyn Minds) -> Course {
    let mut facts = Facts {
        call_id: CallId::new(scenario.at.as_millisecond(), 0),
        from: scenario.from.clone(),
        to: scenario.to.clone(),
        trunk: scenario.trunk.clone(),
        language: scenario.language.clone(),
        caller: scenario.caller.clone(),
        earlier_calls_s: Vec::new(),
        headers: BTreeMap::new(),
    };
    facts.take_headers(scenario.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut driver = Driver {
        plans,
        scenario,
        minds,
        says: scenario.say.iter().cloned().collect(),
        listens: None,
        conversations: Vec::new(),
        run: Run::new(plans, plan, facts),
        now: Now { instant: Instant(0), wall: scenario.at },
        keys: scenario.digits.chars().collect(),
        pressed: false,
        playing: None,
        heard: Vec::new(),
        queue: None,
        target: None,
        answered: false,
        end: None,
        owed: VecDeque::new(),
    };
    driver.give(Event::Start);
    // Each step is one event; a run of its own bound of levels never needs so many.
    for _ in 0..MOST_EVENTS {
        if driver.end.is_some() || !driver.step() {
            break;
        }
    }
    driver.finish()
}

const MOST_EVENTS: usize = 50_000;

struct Driver<'a> {
    plans: &'a Plans,
    scenario: &'a Scenario,
    minds: &'a dyn Minds,
    /// What the caller has still to say.
    says: VecDeque<String>,
    /// The bot that listens, and the language.
    listens: Option<(String, Language)>,
    conversations: Vec<Conversation>,
    run: Run,
    now: Now,
    keys: VecDeque<char>,
    /// A key was pressed since the last prompt: a pause means something.
    pressed: bool,
    /// The play that will end by itself.
    playing: Option<PlayId>,
    heard: Vec<String>,
    queue: Option<QueueId>,
    target: Option<String>,
    answered: bool,
    end: Option<End>,
    /// Answers to what the run asked for.
    owed: VecDeque<Event>,
}

/// The queues as the scenario says.
struct Standing<'a> {
    scenario: &'a Scenario,
    plans: &'a Plans,
}

impl Queues for Standing<'_> {
    fn figures(&self, queue: &str) -> Option<QueueFigures> {
        if !self.plans.names().queues.contains(queue) {
            return None;
        }
        let usual = QueueFigures {
            agents_available: 1,
            agents_logged_in: 1,
            estimate_s: Some((0, 0)),
            ..QueueFigures::default()
        };
        Some(self.scenario.figures.get(queue).copied().unwrap_or(usual))
    }
}

impl Driver<'_> {
    /// Lets the next thing happen; `false` when nothing more will.
    fn step(&mut self) -> bool {
        let event = if let Some(event) = self.owed.pop_front() {
            event
        } else if let Some(play) = self.playing.take() {
            Event::PlayEnded(play)
        } else if self.run.poll_timeout().is_none() {
            return false;
        } else if let (true, Some(key)) = (self.run.listens(), self.next_key()) {
            self.pressed = true;
            Event::Digit(key)
        } else if let Some(speech) = self.next_words() {
            Event::Speech(Box::new(speech))
        } else {
            self.pressed = false;
            Event::Timeout
        };
        self.give(event);
        true
    }

    /// The next key to press; `None` where there is none, or a pause comes first.
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

    /// What the caller says next, where something listens.
    fn next_words(&mut self) -> Option<Speech> {
        let (bot, language) = self.listens.clone().filter(|_| self.run.hears())?;
        let text = self.says.pop_front()?;
        let understood = self.minds.understand(&bot, &language, &text);
        Some(Speech::Heard { utterance: Utterance { text, ..Utterance::default() }, understood })
    }

    fn give(&mut self, event: Event) {
        if let (Event::Timeout, Some(at)) = (&event, self.run.poll_timeout()) {
            self.pass(at.since(self.now.instant));
        }
        let answered =
            matches!(event, Event::Queued(QueueOutcome::Answered) | Event::Transferred(TransferOutcome::Answered));
        self.run.handle(self.plans, event, &Standing { scenario: self.scenario, plans: self.plans }, self.now);
        while let Some(action) = self.run.poll_action() {
            self.act(action);
        }
        if answered {
            self.answered = true;
            self.end = Some(End::Talking);
        }
    }

    fn pass(&mut self, time: std::time::Duration) {
        self.now.instant = self.now.instant + time;
        let time = jiff::SignedDuration::try_from(time).unwrap_or_default();
        self.now.wall = self.now.wall.checked_add(time).unwrap_or(self.now.wall);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Answer => self.answered = true,
            Action::Play { play, items, repeat } => {
                self.pressed = false;
                self.playing = (!repeat).then_some(play);
                self.heard.extend(items.into_iter().filter_map(|item| match item {
                    PlayItem::Prompt { name, .. } => Some(name),
                    PlayItem::Tone { .. } | PlayItem::Silence(_) => None,
                }));
            }
            Action::StopPlay(_) => self.playing = None,
            Action::Echo(on) => {
                if on {
                    self.end = Some(End::CallerLeaves);
                }
            }
            Action::Distribute { queue, max_wait, leave, .. } => {
                let outcome = self.in_queue(&queue, &leave);
                if let (QueueOutcome::TimedOut, Some(wait)) = (outcome, max_wait) {
                    self.pass(wait);
                }
                self.owed.push_back(Event::Queued(outcome));
                self.queue = Some(queue);
            }
            Action::Transfer { to, ring_timeout } => {
                let target = match to {
                    Target::Agent(agent) => format!("agent:{agent}"),
                    Target::Outside(number) => format!("tel:{number}"),
                };
                let outcome = self.scenario.transfers.get(&target).copied().unwrap_or(TransferOutcome::Answered);
                if outcome == TransferOutcome::NoAnswer {
                    self.pass(ring_timeout);
                }
                self.owed.push_back(Event::Transferred(outcome));
                self.target = Some(target);
            }
            Action::LookUp { look_up, question } => {
                let answer = self.answer(&question);
                self.owed.push_back(Event::LookedUp { look_up, answer });
            }
            Action::CallBack { queue, .. } => {
                self.owed.push_back(Event::CalledBack(CallBackOutcome::Agreed));
                self.queue = Some(queue);
            }
            // Who is asked for a message leaves one.
            Action::RecordMessage { longest, shortest, .. } => {
                let voiced = MESSAGE.clamp(shortest, longest.max(shortest));
                self.pass(voiced);
                self.owed.push_back(Event::Message(MessageEvent::Ended { voiced }));
            }
            Action::Listen { bot, language, .. } => self.listens = Some((bot, language)),
            Action::StopListening => self.listens = None,
            Action::Meet(meeting) => match self.key_that_leaves(&meeting.leave) {
                Some(key) => self.owed.push_back(Event::Met(MeetOutcome::Left(key))),
                None => self.end = Some(End::CallerLeaves),
            },
            // Nobody waits for what comes of these.
            Action::Conversed(conversation) => self.conversations.push(*conversation),
            Action::PauseRecording(_)
            | Action::Webhook(_)
            | Action::Part
            | Action::RecordCall(_)
            | Action::StopMessage
            | Action::DropMessage
            | Action::Surveyed { .. } => {}
            Action::HangUp { status, q850, outcome } => self.end = Some(End::HungUp { status, q850, outcome }),
        }
    }

    fn answer(&self, question: &LookUp) -> Answer {
        let service = question.request.service.as_str();
        let stated = match self.scenario.lookups.get(service) {
            Some(stated) => Answer::stated(stated, &question.fields),
            None => Err(format!("nothing is said of what service '{service}' answers")),
        };
        stated.unwrap_or_else(|fault| Answer::without(LookUpResult::Failed, fault))
    }

    /// What becomes of the caller in a queue: as the scenario says; else a key that is left and leaves the queue is
    /// pressed; else an agent answers.
    fn in_queue(&mut self, queue: &QueueId, leave: &[Digit]) -> QueueOutcome {
        if let Some(outcome) = self.scenario.queues.get(queue.as_str()) {
            return *outcome;
        }
        self.key_that_leaves(leave).map_or(QueueOutcome::Answered, QueueOutcome::Left)
    }

    /// The next key to press, where it is one of these.
    fn key_that_leaves(&mut self, leave: &[Digit]) -> Option<Digit> {
        self.pressed = false;
        let key = self.keys.iter().copied().find_map(Digit::new).filter(|key| leave.contains(key));
        key.and_then(|_| self.next_key())
    }

    fn finish(self) -> Course {
        let idle = self.run.poll_timeout().is_none() && self.playing.is_none();
        let end = self.end.unwrap_or(if idle { End::CallerLeaves } else { End::Endless });
        Course {
            run: self.run,
            end,
            heard: self.heard,
            queue: self.queue,
            target: self.target,
            answered: self.answered,
            digits_left: self.keys.into_iter().filter(|key| *key != ' ').collect(),
            not_said: self.says.into(),
            conversations: self.conversations,
        }
    }
}

/// `answered`, `full`, `timed_out`, `too_long`, or `left:0` with the key that the caller leaves by.
pub fn queue_outcome(word: &str) -> Option<QueueOutcome> {
    match word {
        "answered" => Some(QueueOutcome::Answered),
        "full" => Some(QueueOutcome::Full),
        "timed_out" => Some(QueueOutcome::TimedOut),
        "too_long" => Some(QueueOutcome::TooLong),
        word => {
            let mut keys = word.strip_prefix("left:")?.chars();
            let key = Digit::new(keys.next()?)?;
            keys.next().is_none().then_some(QueueOutcome::Left(key))
        }
    }
}

/// `answered`, `busy`, `declined`, `no_answer` or `unreachable`.
pub fn transfer_outcome(word: &str) -> Option<TransferOutcome> {
    match word {
        "answered" => Some(TransferOutcome::Answered),
        "busy" => Some(TransferOutcome::Busy),
        "declined" => Some(TransferOutcome::Declined),
        "no_answer" => Some(TransferOutcome::NoAnswer),
        "unreachable" => Some(TransferOutcome::Unreachable),
        _ => None,
    }
}
