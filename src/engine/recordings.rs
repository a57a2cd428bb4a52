//! Recordings of calls and messages: begun and ended by plans, settled when their call ends.

use std::time::Duration;

use rand_core::RngCore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::refusal;
use super::outside::of_message;
use super::{Command, Engine, Journal, LogLevel};
use crate::bridge::{MediaCommand, RecordTerms, Recorded, RecordingEvent};
use crate::call::millis;
use crate::dialplan::{HttpRequest, MessageEvent, Run, RunInput, Webhook};
use crate::ids::{CallId, LegId, RecordingId};
use crate::record::{Outcome, Recording, RecordingKind, RecordingState, SurveyAnswer};
use crate::time::{Instant, Now};
use crate::views::{ApiError, Change, RecordingWish};

/// The longest recording of a call.
const LONGEST_CALL: Duration = Duration::from_hours(12);

/// A recording that has begun and is not settled yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tape {
    pub(super) entry: Recording,
    leg: LegId,
    began: Instant,
    /// How long somebody must have spoken for it to be a message.
    shortest: Duration,
    /// Told to end.
    stopped: bool,
    /// To be deleted as soon as it has ended.
    dropped: bool,
    /// The service that is told of the message.
    tell: Option<Box<HttpRequest>>,
}

/// What a plan wants of a message.
#[derive(Default)]
pub(super) struct Message {
    /// The number dialled when `None`.
    pub mailbox: Option<String>,
    pub shortest: Duration,
    pub tell: Option<Box<HttpRequest>>,
}

impl Tape {
    fn has_ended(&self) -> bool {
        self.entry.duration_ms.is_some()
    }

    /// Neither ended nor told to.
    fn goes_on(&self) -> bool {
        !self.has_ended() && !self.stopped
    }

    fn take_figures(&mut self, recorded: &Recorded, state: RecordingState) {
        self.entry.state = state;
        self.entry.duration_ms = Some(millis(recorded.duration));
        self.entry.voiced_ms = Some(millis(recorded.voiced));
        self.entry.octets = Some(recorded.octets);
    }

    /// How a service is told of it, where one is.
    pub(super) fn webhook(&self) -> Option<Webhook> {
        self.tell.as_deref().map(|request| of_message(request.clone(), &self.entry))
    }

    /// Whether this is a message: by what was heard, or, while that is not known, by the time it took.
    fn is_long_enough(&self, now: Now) -> bool {
        match self.entry.voiced_ms {
            Some(voiced_ms) => self.entry.duration_ms > Some(0) && voiced_ms >= millis(self.shortest),
            None => now.instant.since(self.began) >= self.shortest,
        }
    }
}

impl Engine {
    /// The recording of both sides of a call is to begin, pause, go on or end. A caller who has refused is not recorded.
    pub(super) fn record_call(&mut self, id: CallId, wish: RecordingWish, now: Now) {
        let Some(live) = self.calls.get(&id) else { return };
        let refused = live.run.as_ref().is_some_and(Run::recording_refused);
        let earlier = live.call.recording;
        let running = earlier.filter(|id| self.tapes.get(id).is_some_and(Tape::goes_on));
        let leg = live.call.caller;
        match (wish, running) {
            (RecordingWish::On, _) if refused => {}
            (RecordingWish::On, None) => {
                let terms = RecordTerms { both: true, longest: LONGEST_CALL, silence: None };
                let tape = self.begin_tape(id, RecordingKind::Call, Message::default(), terms, now);
                if let Some(live) = self.live(id) {
                    live.call.recording = tape;
                }
                self.taped(id, tape.map(|_| wish));
                earlier.into_iter().for_each(|earlier| self.release(earlier, now));
            }
            (RecordingWish::On | RecordingWish::Paused, Some(recording)) => {
                let paused = wish == RecordingWish::Paused;
                self.media(MediaCommand::PauseRecord { leg, recording, paused });
                self.taped(id, Some(wish));
            }
            (RecordingWish::Off, Some(recording)) => {
                if let Some(tape) = self.tapes.get_mut(&recording) {
                    tape.stopped = true;
                }
                self.media(MediaCommand::StopRecord { leg, recording });
                self.taped(id, None);
            }
            (RecordingWish::Paused | RecordingWish::Off, None) => {}
        }
    }

    /// What the caller says is private, or no longer: a recording that runs is silent meanwhile.
    pub(super) fn pause_for_privacy(&mut self, id: CallId, paused: bool) {
        let Some(live) = self.calls.get(&id) else { return };
        let leg = live.call.caller;
        let running = live.call.recording.filter(|id| self.tapes.get(id).is_some_and(Tape::goes_on));
        if let Some(recording) = running {
            self.media(MediaCommand::PauseRecord { leg, recording, paused });
        }
    }

    pub(super) fn record_message(&mut self, id: CallId, message: Message, terms: RecordTerms, now: Now) {
        self.drop_message(id, now);
        let Some(live) = self.calls.get(&id) else { return };
        let mailbox = message.mailbox.or_else(|| Some(live.call.to.clone()));
        let tape = self.begin_tape(id, RecordingKind::Voicemail, Message { mailbox, ..message }, terms, now);
        if let Some(live) = self.live(id) {
            live.call.message = tape;
        }
    }

    fn begin_tape(
        &mut self,
        id: CallId,
        kind: RecordingKind,
        message: Message,
        terms: RecordTerms,
        now: Now,
    ) -> Option<RecordingId> {
        let random = u128::from(self.rng.next_u64()) << 16 | u128::from(self.rng.next_u32() as u16);
        let recording = RecordingId::new(now.wall.as_millisecond(), random);
        let call = &self.calls.get(&id)?.call;
        let leg = call.caller;
        let entry = Recording {
            recording_id: recording,
            kind,
            state: RecordingState::Open,
            call_id: id,
            mailbox: message.mailbox,
            queue: call.queue.clone(),
            from: call.from.clone(),
            to: call.to.clone(),
            started_at: now.wall,
            duration_ms: None,
            voiced_ms: None,
            octets: None,
            heard: false,
            held: false,
        };
        self.media(MediaCommand::Record { leg, recording, terms });
        self.journal(Journal::Recording(Box::new(entry.clone())));
        let (shortest, tell) = (message.shortest, message.tell);
        let (stopped, dropped) = (false, false);
        self.tapes.insert(recording, Tape { entry, leg, began: now.instant, shortest, stopped, dropped, tell });
        Some(recording)
    }

    pub(super) fn stop_message(&mut self, id: CallId) {
        let Some(recording) = self.calls.get(&id).and_then(|live| live.call.message) else { return };
        if let Some(tape) = self.tapes.get_mut(&recording).filter(|tape| tape.goes_on()) {
            tape.stopped = true;
            let leg = tape.leg;
            self.media(MediaCommand::StopRecord { leg, recording });
        }
    }

    /// The message is not wanted: it goes as soon as it has ended.
    pub(super) fn drop_message(&mut self, id: CallId, now: Now) {
        self.stop_message(id);
        let Some(recording) = self.live(id).and_then(|live| live.call.message.take()) else { return };
        self.drop_tape(recording, now);
    }

    fn drop_tape(&mut self, recording: RecordingId, now: Now) {
        let Some(tape) = self.tapes.get_mut(&recording) else { return };
        tape.dropped = true;
        if tape.has_ended() {
            self.drop_tape_now(recording, now);
        }
    }

    fn drop_tape_now(&mut self, recording: RecordingId, now: Now) {
        self.tapes.remove(&recording);
        self.delete(recording, now);
    }

    fn delete(&mut self, recording: RecordingId, now: Now) {
        self.media(MediaCommand::DiscardRecording(recording));
        self.journal(Journal::RecordingDeleted(recording));
        self.message_gone(recording, now);
    }

    pub(super) fn recording_event(&mut self, recording: RecordingId, event: RecordingEvent, now: Now) {
        let Some(tape) = self.tapes.get_mut(&recording) else { return };
        let call = tape.entry.call_id;
        let told = match event {
            RecordingEvent::Started => return,
            RecordingEvent::Silence => MessageEvent::Silence,
            RecordingEvent::Full => MessageEvent::Full,
            RecordingEvent::Ended(recorded) => {
                tape.take_figures(&recorded, RecordingState::Complete);
                MessageEvent::Ended { voiced: recorded.voiced }
            }
            RecordingEvent::Failed { why, recorded } => {
                tape.take_figures(&recorded, RecordingState::Incomplete);
                self.log(LogLevel::Warn, format!("call {call}: recording {recording} failed: {why}"));
                MessageEvent::Failed
            }
        };
        if self.tapes.get(&recording).is_some_and(Tape::has_ended) {
            self.tape_ended(recording, now);
        }
        if self.calls.get(&call).is_some_and(|live| live.call.message == Some(recording)) {
            self.run_plan(call, RunInput::Message(told), now);
        }
        self.finish_if_complete(call, now);
    }

    fn tape_ended(&mut self, recording: RecordingId, now: Now) {
        let Some(tape) = self.tapes.get_mut(&recording) else { return };
        if tape.dropped {
            return self.drop_tape_now(recording, now);
        }
        let call = self.calls.get(&tape.entry.call_id).map(|live| &live.call);
        if let Some(queue) = call.and_then(|call| call.queue.as_ref()) {
            tape.entry.queue = Some(queue.clone());
        }
        let entry = tape.entry.clone();
        let wanted = call.is_some_and(|call| [call.recording, call.message].contains(&Some(recording)));
        if call.is_some_and(|call| call.recording == Some(recording)) {
            self.taped(entry.call_id, None);
        }
        self.journal(Journal::Recording(Box::new(entry)));
        if !wanted {
            self.release(recording, now);
        }
    }

    fn taped(&mut self, id: CallId, taped: Option<RecordingWish>) {
        if let Some(live) = self.live(id)
            && live.call.taped != taped
        {
            live.call.taped = taped;
            self.changed.insert(id);
        }
    }

    /// Whether something of this call is still being written.
    pub(super) fn is_recording(&self, id: CallId) -> bool {
        let Some(live) = self.calls.get(&id) else { return false };
        let running = |recording: Option<RecordingId>| {
            recording.and_then(|id| self.tapes.get(&id)).is_some_and(|tape| !tape.has_ended())
        };
        running(live.call.recording) || running(live.call.message)
    }

    /// The call is over: a message that is long enough is delivered and decides what the call was, any other goes. What
    /// has not ended by now is settled by the time it took, and its figures follow.
    pub(super) fn settle_recordings(&mut self, id: CallId, now: Now) -> Option<Tape> {
        let live = self.calls.get_mut(&id)?;
        let (message, recording) = (live.call.message, live.call.recording);
        let silent = recording.filter(|id| self.tapes.get(id).is_some_and(|tape| tape.entry.duration_ms == Some(0)));
        if silent.is_some() {
            live.call.recording = None;
        }
        let kept = message.and_then(|id| self.tapes.get(&id)).filter(|tape| tape.is_long_enough(now));
        let delivered = kept.cloned();
        match (&delivered, message) {
            (Some(_), _) => {
                if let Some(ending) = live.call.ending.as_mut().filter(|_| live.call.agent.is_none()) {
                    ending.outcome = Outcome::Voicemail;
                }
            }
            (None, Some(message)) => {
                live.call.message = None;
                self.drop_tape(message, now);
            }
            (None, None) => {}
        }
        if let Some((message, mailbox)) =
            delivered.as_ref().and_then(|message| Some((message, message.entry.mailbox.as_ref()?)))
        {
            self.message_came(mailbox, message.entry.recording_id, now);
        }
        for recording in delivered.iter().map(|message| message.entry.recording_id).chain(recording) {
            self.release(recording, now);
        }
        delivered
    }

    /// The call needs this tape no more; one that runs is released when it has ended. One that failed before it had any
    /// sound is no recording.
    fn release(&mut self, recording: RecordingId, now: Now) {
        let Some(tape) = self.tapes.get(&recording) else { return };
        if tape.entry.duration_ms == Some(0) {
            self.drop_tape_now(recording, now);
        } else if tape.has_ended() {
            self.tapes.remove(&recording);
        }
    }

    pub(super) fn surveyed(&mut self, id: CallId, answer: SurveyAnswer) {
        let Some(live) = self.calls.get(&id) else { return };
        let (queue, agent) = (live.call.queue.clone(), live.call.agent.clone());
        self.journal(Journal::Surveyed { call: id, answer: answer.clone() });
        self.commands.push_back(Command::Publish(Change::Survey { call_id: id, queue, agent, answer }));
    }

    pub(super) fn api_record(&mut self, id: CallId, wish: RecordingWish, now: Now) -> Result<Value, ApiError> {
        let Some(live) = self.calls.get(&id).filter(|live| live.call.ending.is_none()) else {
            let message = format!("call {id} is not running; GET /calls lists those that are");
            return Err(refusal(404, "unknown_call", message));
        };
        if wish == RecordingWish::On && live.run.as_ref().is_some_and(Run::recording_refused) {
            let message =
                format!("the caller of call {id} has refused to be recorded; nobody can overrule that in this call");
            return Err(refusal(409, "recording_refused", message));
        }
        if live.call.answered_at.is_none() {
            let message = format!("call {id} is not answered yet; record it when it is");
            return Err(refusal(409, "not_answered", message));
        }
        let running = live.call.recording.is_some_and(|id| self.tapes.get(&id).is_some_and(Tape::goes_on));
        if wish == RecordingWish::Paused && !running {
            let message =
                format!("call {id} is not being recorded, so that there is nothing to pause; ask for on first");
            return Err(refusal(409, "not_recording", message));
        }
        self.record_call(id, wish, now);
        let recording = self.calls.get(&id).and_then(|live| live.call.recording);
        Ok(json!({ "call_id": id, "state": wish, "recording_id": recording }))
    }

    pub(super) fn delete_recording(&mut self, recording: RecordingId, by: &str, now: Now) -> Result<Value, ApiError> {
        if self.tapes.contains_key(&recording) {
            let message =
                format!("recording {recording} belongs to a call that is still up; delete it when that has ended");
            return Err(refusal(409, "recording_open", message));
        }
        if self.mailboxes.is_held(recording) {
            let message = format!("recording {recording} is held; take the hold off before you delete it");
            return Err(refusal(409, "recording_held", message));
        }
        self.log(LogLevel::Info, format!("recording {recording} is deleted by {by}"));
        self.delete(recording, now);
        self.commands.push_back(Command::Publish(Change::RecordingDeleted { recording_id: recording }));
        Ok(json!({ "recording_id": recording }))
    }
}
