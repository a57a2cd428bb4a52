//! The modules a dialplan's rules name: announce, menu, gather, distribute, … one a file. Each declares its inputs
//! and outputs in a table ([`Spec`]) that checks the operator's files, and runs as a small machine without I/O.

mod announce;
mod answer;
mod calendar;
mod callback;
mod callbot;
mod comforts;
mod conference;
mod deter;
mod distribute;
mod echo;
mod estimate;
mod gather;
mod guide;
mod hangup;
pub mod http;
mod inputs;
mod jump;
mod language;
mod lookup;
mod menu;
pub mod outside;
mod pattern;
mod question;
mod queues;
mod record;
mod say;
mod screen;
mod set;
mod silence;
mod spec;
mod step;
mod survey;
mod transfer;
mod voicemail;
mod webhook;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bridge::{Digit, PlayItem};
use crate::callbot::dialogue::Utterance;
use crate::callbot::understanding::Understood;
use crate::comfort::Comfort;
use crate::conversation::Conversation;
use crate::demand::Demand;
use crate::heard::Hints;
use crate::ids::{AgentId, Language, PlayId, QueueId};
use crate::record::Outcome;
use crate::time::Now;
use crate::views::RecordingWish;

pub use answer::{Answer, Field, Fields, LookUpResult};
pub use calendar::{COUNTRIES, Calendar, Holiday, Hours, Opening, Reason, YearlyDay, easter, of_country};
pub use callback::CallBackOutcome;
pub use comforts::{comforts, unsayable};
pub use conference::{MeetOutcome, Meeting};
pub use deter::Farewell;
pub use distribute::demand_of;
pub use guide::{example, guide, section};
pub use http::{HttpRequest, Method};
pub use inputs::{Inputs, Names, Value, skills as skills_of, widenings};
pub use lookup::LookUp;
pub use pattern::Pattern;
pub use queues::{NoQueues, QueueFigures, Queues};
pub use record::default_prompt as consent_prompt;
pub use say::{KEYS as SAY_KEYS, amount_of, said_of};
pub use spec::{Ends, Input, Kind, Module, Need, Output, OutputKind, Spec};
pub use step::{Caller, Desk, Done, Step, TypeAhead};
pub use webhook::Webhook;

/// What a running plan is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The call came in; given once, first.
    Start,
    /// The caller pressed a key.
    Digit(Digit),
    /// A play ran to its end. One that was stopped or replaced reports nothing.
    PlayEnded(PlayId),
    /// The time asked for by `poll_timeout` has come.
    Timeout,
    /// What became of `Distribute`.
    Queued(QueueOutcome),
    /// What became of `Transfer`.
    Transferred(TransferOutcome),
    /// What becomes of `RecordMessage`.
    Message(MessageEvent),
    /// What became of `Meet`.
    Met(MeetOutcome),
    /// What became of `CallBack`.
    CalledBack(CallBackOutcome),
    /// What was answered to `LookUp`. One that comes after its time is passed over.
    LookedUp { look_up: u64, answer: Answer },
    /// What is heard of a caller who is listened to.
    Speech(Box<Speech>),
}

/// What is heard of a caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Speech {
    Started,
    /// An utterance, and what it was taken for; the bot's examples are not among the plan's own.
    Heard {
        utterance: Utterance,
        understood: Option<Understood>,
    },
    /// What had started was no speech after all.
    Nothing,
    /// There is no speech recognition, or it is there no longer.
    Gone,
}

/// What becomes of a message that the caller leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageEvent {
    /// Nobody has spoken for as long as was allowed.
    Silence,
    /// It is as long as it may be; nothing more is taken.
    Full,
    /// It is whole; somebody spoke for so long.
    Ended {
        voiced: Duration,
    },
    Failed,
}

impl Event {
    /// The other side ended a talk and the caller is still there.
    fn is_end_of_talk(&self) -> bool {
        matches!(self, Event::Queued(QueueOutcome::Finished) | Event::Transferred(TransferOutcome::Finished))
    }
}

/// What became of a caller who was distributed to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueOutcome {
    /// An agent answered; the talk began. The plan has done its part, and is told `Finished` later, or why the caller
    /// is nobody's any more should the agent's phone be lost.
    Answered,
    /// The agent's side ended the talk and the caller is still there.
    Finished,
    /// The queue takes nobody more.
    Full,
    /// There is no such queue (any more).
    NoSuchQueue,
    /// Waited as long as the plan allows.
    TimedOut,
    /// Would probably wait longer than the plan allows.
    TooLong,
    /// The caller pressed one of the keys that leave the queue.
    Left(Digit),
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferOutcome {
    /// The target answered; the talk began. `Finished` follows.
    Answered,
    /// The target ended the talk and the caller is still there.
    Finished,
    /// Busy, or not in a state to be called.
    Busy,
    Declined,
    /// Rang as long as the plan allows.
    NoAnswer,
    /// Not registered, or the phone does not respond.
    Unreachable,
    /// There is no such target (any more).
    NoSuchTarget,
    /// It may not be called from a plan.
    Refused,
}

/// Where a transfer goes. An expert is never one: callers reach experts through an agent only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    Agent(AgentId),
    /// A number that a trunk offers, as it is dialled.
    Outside(String),
}

/// What a running plan asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call (200). Asked for at most once; the plan goes on without waiting.
    Answer,
    /// Play to the caller. A new play replaces a running one, which then reports nothing.
    Play {
        play: PlayId,
        items: Vec<PlayItem>,
        repeat: bool,
    },
    StopPlay(PlayId),
    /// The caller hears himself, or no longer does.
    Echo(bool),
    /// Into a queue, with its music and announcements; the answer is `Event::Queued`. The call is answered before.
    Distribute {
        queue: QueueId,
        demand: Demand,
        /// Report `TimedOut` after this long unanswered; wait for ever when `None`.
        max_wait: Option<Duration>,
        /// Report `TooLong` where the rest of the wait will probably be longer.
        max_estimate: Option<Duration>,
        /// Keys that leave the queue, reported as `Left`.
        leave: Vec<Digit>,
        /// What is said meanwhile; by the queue's own list when `None`.
        comfort: Option<Vec<Comfort>>,
    },
    /// Ring the target and connect; the answer is `Event::Transferred`. Where the call is not answered yet the caller
    /// is sent 180, and 200 when the target answers.
    Transfer {
        to: Target,
        ring_timeout: Duration,
    },
    /// Into a conference room; `Event::Met` tells when the caller is there no more, or does not get in.
    Meet(Box<Meeting>),
    /// Out of the room.
    Part,
    /// The recording of the call, of both sides.
    RecordCall(RecordingWish),
    /// Record what the caller says; `Event::Message` tells what becomes of it. One that is neither dropped nor too
    /// short is delivered when the call ends, however it does.
    RecordMessage {
        /// The number dialled when `None`.
        mailbox: Option<String>,
        longest: Duration,
        shortest: Duration,
        silence: Duration,
        /// Who is told when it is delivered; without a body.
        tell: Option<Box<HttpRequest>>,
    },
    StopMessage,
    /// The message is not wanted.
    DropMessage,
    /// The caller has given a score.
    Surveyed {
        name: String,
        score: i64,
        lowest: i64,
        highest: i64,
    },
    /// Ask a service outside; the answer is `Event::LookedUp` with the same number, unless the time given is over
    /// before. Numbered within the run.
    LookUp {
        look_up: u64,
        question: Box<LookUp>,
    },
    /// Tell a service outside; nobody waits for it.
    Webhook(Box<Webhook>),
    /// Listen to the caller from now on, or expect something else of them; `Event::Speech` tells what is heard.
    Listen {
        bot: String,
        language: Language,
        hints: Hints,
    },
    StopListening,
    /// What is said from now on is private, or no longer: recordings that run pause meanwhile.
    PauseRecording(bool),
    /// A conversation with a bot is over.
    Conversed(Box<Conversation>),
    /// Promise to call back on the caller's own number, or on another one; the answer is `Event::CalledBack`.
    CallBack {
        queue: QueueId,
        number: Option<String>,
    },
    /// End the call: BYE where it is answered, else `status`. The last action of a plan. `outcome` holds unless the
    /// call was handled before (an agent talked to the caller).
    HangUp {
        status: u16,
        q850: u8,
        outcome: Outcome,
    },
}

/// A module at work on a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Activity {
    Announce(announce::Announce),
    CallBack(Box<callback::CallBack>),
    Callbot(Box<callbot::Callbot>),
    Conference(Box<conference::Conference>),
    Deter(Box<deter::Deter>),
    Farewell(Farewell),
    Distribute(distribute::Distribute),
    Echo(echo::Echo),
    Gather(gather::Gather),
    Lookup(lookup::Lookup),
    Menu(menu::Menu),
    Record(record::Record),
    Silence(silence::Silence),
    Survey(Box<survey::Survey>),
    Transfer(transfer::Transfer),
    Voicemail(Box<voicemail::Voicemail>),
}

/// What starting a module led to.
#[derive(Clone, Debug)]
pub enum Started {
    Running(Activity),
    Done(Done),
}

impl Activity {
    /// Starts `module`. A module that needs no time is done at once.
    pub fn start(module: Module, inputs: &Inputs, step: &mut Step<'_>) -> Started {
        let activity = match module {
            Module::Announce => Activity::Announce(announce::Announce::start(inputs, step)),
            Module::Calendar => return Started::Done(calendar::run(inputs, step)),
            Module::Callback => return callback::start(inputs, step),
            Module::Callbot => return callbot::start(inputs, step),
            Module::Conference => return conference::start(inputs, step),
            Module::Deter => return deter::start(inputs, step),
            Module::Distribute => return distribute::start(inputs, step),
            Module::Echo => Activity::Echo(echo::Echo::start(inputs, step)),
            Module::Estimate => return Started::Done(estimate::run(inputs, step)),
            Module::Gather => return gather::start(inputs, step),
            Module::Hangup => return Started::Done(hangup::run(inputs, step)),
            Module::Jump => return Started::Done(jump::run(inputs)),
            Module::Language => return Started::Done(language::run(inputs, step)),
            Module::Lookup => return lookup::start(inputs, step),
            Module::Menu => return menu::start(inputs, step),
            Module::Record => return record::start(inputs, step),
            Module::Screen => return Started::Done(screen::run(inputs, step)),
            Module::Set => return Started::Done(set::run(inputs)),
            Module::Silence => Activity::Silence(silence::Silence::start(inputs, step)),
            Module::Survey => return survey::start(inputs, step),
            Module::Transfer => return transfer::start(inputs, step),
            Module::Voicemail => Activity::Voicemail(Box::new(voicemail::start(inputs, step))),
            Module::Webhook => return Started::Done(webhook::run(inputs, step)),
        };
        Started::Running(activity)
    }

    /// Whether a key of the caller answers what it asked for.
    pub fn listens(&self) -> bool {
        match self {
            Activity::Callbot(_)
            | Activity::Gather(_)
            | Activity::Menu(_)
            | Activity::Record(_)
            | Activity::Survey(_) => true,
            Activity::Deter(deter) => deter.listens(),
            Activity::CallBack(call_back) => call_back.listens(),
            Activity::Voicemail(voicemail) => voicemail.listens(),
            Activity::Announce(_)
            | Activity::Conference(_)
            | Activity::Distribute(_)
            | Activity::Echo(_)
            | Activity::Farewell(_)
            | Activity::Lookup(_)
            | Activity::Silence(_)
            | Activity::Transfer(_) => false,
        }
    }

    /// Whether what the caller says is listened to.
    pub fn hears(&self) -> bool {
        matches!(self, Activity::Callbot(callbot) if callbot.hears())
    }

    /// What was said with a bot so far, where the caller hangs up now.
    pub fn conversation(&self, names: &Names, now: Now) -> Option<Conversation> {
        match self {
            Activity::Callbot(callbot) => callbot.conversation(names, now),
            _ => None,
        }
    }

    /// Gives the event to the module; `Some` when it is done.
    pub fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let done = match self {
            Activity::Announce(announce) => announce.handle(event, step),
            Activity::CallBack(call_back) => call_back.handle(event, step),
            Activity::Callbot(callbot) => callbot.handle(event, step),
            Activity::Conference(conference) => conference.handle(event, step),
            Activity::Deter(deter) => deter.handle(event, step),
            Activity::Farewell(farewell) => farewell.handle(event, step),
            Activity::Distribute(distribute) => distribute.handle(event, step),
            Activity::Echo(echo) => echo.handle(event, step),
            Activity::Gather(gather) => gather.handle(event, step),
            Activity::Lookup(lookup) => lookup.handle(event, step),
            Activity::Menu(menu) => menu.handle(event, step),
            Activity::Record(record) => record.handle(event, step),
            Activity::Silence(silence) => silence.handle(event, step),
            Activity::Survey(survey) => survey.handle(event, step),
            Activity::Transfer(transfer) => transfer.handle(event, step),
            Activity::Voicemail(voicemail) => voicemail.handle(event, step),
        };
        if event.is_end_of_talk()
            && let Some(mut survey) = step.desk.survey.take_if(|_| done.is_some())
        {
            survey.begin(step);
            *self = Activity::Survey(survey);
            return None;
        }
        done
    }
}
