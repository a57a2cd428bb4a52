//! Requests of the web shell: done whole or refused whole, with a sentence that says what to do.

use std::time::Duration;

use serde_json::{Value, json};

use super::callbacks::Wish;
use super::consult::Unasked;
use super::{Command, Engine, Journal};
use crate::bridge::Digit;
use crate::call::talk::{Event, Refused};
use crate::callback::Wished;
use crate::caller::CallerNumber;
use crate::dialplan::CallBackOutcome;
use crate::findings::suggest;
use crate::ids::{AgentId, CallId, CallbackId, LegId, QueueId, RequestId};
use crate::queue::Wanted;
use crate::record::{Disposition, Party};
use crate::time::{Now, Wall};
use crate::views::{AgentState, ApiError, ApiRequest, CallTrace, CallbackView, Change, Steering};

/// The latest time that a call-back can be asked for.
const LATEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

impl Engine {
    pub(super) fn handle_api(&mut self, id: RequestId, request: ApiRequest, now: Now) -> Command {
        let result = match request {
            ApiRequest::SetAgentState { agent, state, reason } => self.set_agent_state(&agent, state, reason, now),
            ApiRequest::LogOut { agent } => self.change_agent(&agent, Wanted::LoggedOut, now),
            ApiRequest::SetPresence { expert, presence } => self.api_presence(&expert, presence, now),
            ApiRequest::Record { call, wish } => self.api_record(call, wish, now),
            ApiRequest::DeleteRecording { recording, by } => self.delete_recording(recording, &by, now),
            ApiRequest::NoteRecording { recording, heard, held, by } => {
                self.note_recording(recording, heard, held, &by, now)
            }
            ApiRequest::ExtendWrapUp { agent, by } => self.extend_wrap_up(&agent, by, now),
            ApiRequest::Dispose { call, disposition } => self.api_dispose(call, disposition),
            ApiRequest::CallBack { number, queue, not_before } => self.api_call_back(&number, queue, not_before, now),
            ApiRequest::CancelCallBack { id } => self.api_cancel(id, now),
            ApiRequest::HangUp { call, leg, by } => self.api_hang_up(call, leg, by, now),
            ApiRequest::Steer { call, by, leg, action } => self.api_steer(call, by.as_ref(), leg, action, now),
            ApiRequest::Answer { call, agent } => self.api_answer(call, &agent, now),
            ApiRequest::Supervise { call, mode, phone } => self
                .supervise(call, mode, &phone, now)
                .map(|leg| json!({ "call_id": call, "leg_id": leg }))
                .map_err(Into::into),
            ApiRequest::Trace { call } => self.api_trace(call),
            ApiRequest::LendPhone(loan) => self.lend_phone(loan, now),
            ApiRequest::TakePhoneBack { user } => {
                self.take_phone_back(&user, now);
                Ok(Value::Null)
            }
        };
        Command::Reply { id, result }
    }

    fn api_call_back(
        &mut self,
        number: &str,
        queue: QueueId,
        not_before: Option<Wall>,
        now: Now,
    ) -> Result<Value, ApiError> {
        if self.draining {
            return Err(refusal(503, "draining", "the appliance is stopping; ask again in a minute".to_owned()));
        }
        let CallerNumber::Known(number) = self.settings.numbering.read(number) else {
            let message = "'number' is no telephone number; write it as +33155501234".to_owned();
            return Err(refusal(422, "invalid_number", message));
        };
        let not_before = not_before.unwrap_or(now.wall).max(now.wall);
        if not_before.duration_since(now.wall) > LATEST {
            let message = format!("'not_before' is more than {} days away; name a sooner time", LATEST.as_hours() / 24);
            return Err(refusal(422, "too_late", message));
        }
        let wish = Wish {
            call: None,
            by: Wished::OnTheWeb,
            number: number.clone(),
            queue: queue.clone(),
            demand: Default::default(),
            language: self.settings.language.clone(),
            trunk: None,
            origin: None,
            dialled: None,
            waiting_since: not_before,
            not_before,
        };
        match self.promise(wish, now) {
            Ok(id) => {
                let view = self.callbacks.iter().find(|callback| callback.id == id).map(CallbackView::from);
                Ok(json!(view))
            }
            Err(CallBackOutcome::NoSuchQueue) => {
                let known = self.settings.queues.iter().map(|queue| queue.id.as_str());
                let hint = suggest(queue.as_str(), known).map(|hint| format!(" ({hint})")).unwrap_or_default();
                Err(refusal(422, "unknown_queue", format!("there is no queue '{queue}'{hint}")))
            }
            Err(CallBackOutcome::Full) => {
                let message = format!("queue '{queue}' takes no more call-backs now; try again later");
                Err(ApiError { status: 429, code: "full".to_owned(), message })
            }
            Err(_) => {
                let message = format!(
                    "{number} cannot be called from here; its beginning must stand in a trunk's allow, or it must be the \
                     number of an agent who is in no queue"
                );
                Err(refusal(422, "not_allowed", message))
            }
        }
    }

    fn api_cancel(&mut self, id: CallbackId, now: Now) -> Result<Value, ApiError> {
        let Some(taken) = self.callbacks.cancel(id) else {
            let message = format!("no call-back {id} is promised; GET /callbacks lists those that are");
            return Err(refusal(404, "unknown_callback", message));
        };
        self.drop_promises(vec![taken], now);
        Ok(json!({ "callback_id": id }))
    }

    fn set_agent_state(
        &mut self,
        agent: &AgentId,
        state: AgentState,
        reason: Option<String>,
        now: Now,
    ) -> Result<Value, ApiError> {
        let wanted = match state {
            AgentState::Available => Wanted::Available,
            AgentState::LoggedOut => Wanted::LoggedOut,
            AgentState::Paused => Wanted::Paused(self.pause_reason(reason)?),
            _ => {
                return Err(refusal(
                    422,
                    "state_not_settable",
                    "only available, paused and logged_out can be set; the other states follow from calls".to_owned(),
                ));
            }
        };
        self.change_agent(agent, wanted, now)
    }

    fn pause_reason(&self, reason: Option<String>) -> Result<String, ApiError> {
        let known = &self.settings.pause_reasons;
        let message = match reason {
            Some(reason) if known.contains(&reason) => return Ok(reason),
            Some(reason) => format!("pause reason '{reason}' is not configured{}", self.reasons(Some(&reason))),
            None => format!("a pause needs a reason{}", self.reasons(None)),
        };
        Err(refusal(422, "unknown_reason", message))
    }

    /// The nearest pause reason, where one is meant, and all that there are.
    fn reasons(&self, meant: Option<&str>) -> String {
        let known = &self.settings.pause_reasons;
        if known.is_empty() {
            return "; list them in relais.toml: pause_reasons = [\"break\"]".to_owned();
        }
        let known = known.iter().map(String::as_str);
        let nearest = meant.and_then(|meant| suggest(meant, known.clone())).filter(|hint| hint.starts_with("did"));
        let begin = nearest.map_or("; use".to_owned(), |hint| format!("; {hint} Use"));
        format!("{begin} one of {}", known.collect::<Vec<_>>().join(", "))
    }

    fn change_agent(&mut self, agent: &AgentId, wanted: Wanted, now: Now) -> Result<Value, ApiError> {
        self.acd
            .set_state(agent, wanted, now)
            .map_err(|error| refusal(error.status(), error.code(), error.to_string()))?;
        Ok(json!(self.acd.agent_view(agent)))
    }

    fn extend_wrap_up(&mut self, agent: &AgentId, by: Duration, now: Now) -> Result<Value, ApiError> {
        self.acd
            .extend_wrap_up(agent, by, now)
            .map_err(|error| refusal(error.status(), error.code(), error.to_string()))?;
        Ok(json!(self.acd.agent_view(agent)))
    }

    fn api_dispose(&mut self, call: CallId, disposition: Disposition) -> Result<Value, ApiError> {
        let known = &self.settings.dispositions;
        if !known.contains(&disposition.code) {
            let hint = match suggest(&disposition.code, known.iter().map(String::as_str)) {
                _ if known.is_empty() => " (list them in relais.toml: dispositions = [\"sale\"])".to_owned(),
                Some(hint) => format!(" ({hint})"),
                None => String::new(),
            };
            let message = format!("disposition '{}' is not configured{hint}", disposition.code);
            return Err(refusal(422, "unknown_disposition", message));
        }
        let in_hand = self.calls.get(&call).is_some_and(|live| live.call.handled) || self.acd.wraps_up(call).is_some();
        if !in_hand {
            let message = format!("no agent has call {call} now; say what it came to before its wrap-up is over");
            return Err(refusal(409, "not_in_hand", message));
        }
        self.journal(Journal::Disposed { call, disposition: disposition.clone() });
        // What the agent wrote is for who reads the record, not for all who follow the events.
        let Disposition { code, resolved, note: _ } = disposition;
        let told = Change::Disposition { call_id: call, disposition: code.clone(), resolved };
        self.commands.push_back(Command::Publish(told));
        Ok(json!({ "call_id": call, "disposition": code, "resolved": resolved }))
    }

    /// Of several phones that ring the first one that can is asked: the others stop when it answers.
    fn api_answer(&mut self, id: CallId, agent: &AgentId, now: Now) -> Result<Value, ApiError> {
        let call = &self.calls.get(&id).ok_or_else(|| unknown_call(id))?.call;
        let rings = call.legs.values().filter(|leg| !leg.is_up() && leg.agent.as_ref() == Some(agent));
        let sessions: Vec<_> = rings.map(|leg| (leg.id, leg.session)).collect();
        if sessions.is_empty() {
            let message = format!("no phone of agent {agent} rings with call {id}");
            return Err(refusal(409, "not_ringing", message));
        }
        match sessions.into_iter().find(|(_, session)| self.ua.ask_to_answer(*session, now.instant)) {
            Some((leg, _)) => Ok(json!({ "call_id": id, "leg_id": leg })),
            None => {
                let message = "the phone does not say that it answers when it is asked (Allow-Events: talk); lift its \
                               handset, or turn remote control on in its settings";
                Err(refusal(409, "phone_cannot", message.to_owned()))
            }
        }
    }

    fn api_hang_up(&mut self, call: CallId, leg: Option<LegId>, by: Party, now: Now) -> Result<Value, ApiError> {
        let Some(live) = self.live(call) else { return Err(unknown_call(call)) };
        let leg = match leg {
            Some(leg) if live.call.legs.contains_key(&leg) => leg,
            Some(leg) => {
                return Err(refusal(
                    404,
                    "unknown_leg",
                    format!("call {call} has no leg {leg}; GET /calls/{call} lists them"),
                ));
            }
            None => live.call.caller,
        };
        self.hang_up_leg(call, leg, by, 16, now);
        Ok(json!({ "call_id": call, "leg_id": leg }))
    }

    fn api_steer(
        &mut self,
        id: CallId,
        by: Option<&AgentId>,
        leg: Option<LegId>,
        action: Steering,
        now: Now,
    ) -> Result<Value, ApiError> {
        let steers = self.steering_leg(id, by, leg)?;
        match action {
            Steering::Hold => self.steer(id, Event::Hold, now)?,
            Steering::Resume => self.steer(id, Event::Resume, now)?,
            Steering::Swap => self.steer(id, Event::Swap, now)?,
            Steering::Complete => self.steer(id, Event::Complete, now)?,
            Steering::Cancel => self.steer(id, Event::Cancel, now)?,
            Steering::Conference => self.steer(id, Event::Join, now)?,
            Steering::Mute(on) => self.mute(id, steers, on, now),
            Steering::Keys(keys) => self.pass_on(id, steers, &pressed(&keys)?),
            Steering::Consult { to, briefing } => {
                let to = self.asking(&to)?;
                self.consult(id, &to, briefing.as_ref(), now)?;
            }
            Steering::Transfer { to, priority, briefing } => {
                let to = self.asking(&to)?;
                self.transfer(id, &to, priority, briefing.as_ref(), now)?;
            }
        }
        let live = self.calls.get(&id).ok_or_else(|| unknown_call(id))?;
        Ok(json!(live.view()))
    }

    /// The leg of the agent who steers the talk, if that is who asks, or whose leg is named.
    fn steering_leg(&self, id: CallId, by: Option<&AgentId>, leg: Option<LegId>) -> Result<LegId, ApiError> {
        let call = &self.calls.get(&id).ok_or_else(|| unknown_call(id))?.call;
        let talk = call.talking().ok_or(Unasked::NoTalk)?;
        let steers = talk.agent().ok_or(Unasked::Refused(Refused::NoAgent))?;
        let agents: Vec<String> = call
            .legs
            .values()
            .filter(|leg| leg.is_up() && call.is_agent(leg.id))
            .map(|leg| format!("{} ({})", leg.id, leg.address))
            .collect();
        match (by, leg) {
            (Some(agent), _) => {
                let own = call.legs.get(&steers).and_then(|leg| leg.agent.as_ref()) == Some(agent);
                if own {
                    Ok(steers)
                } else {
                    Err(refusal(409, "not_steering", "another agent steers this talk now".to_owned()))
                }
            }
            (None, Some(leg)) if leg == steers => Ok(steers),
            (None, Some(leg)) => {
                let message = format!("leg {leg} does not steer this talk; leg {steers} does");
                Err(refusal(409, "not_steering", message))
            }
            (None, None) if agents.len() == 1 => Ok(steers),
            (None, None) => {
                let message = format!("name the agent's leg as 'leg_id': this call has {}", agents.join(", "));
                Err(refusal(409, "leg_needed", message))
            }
        }
    }

    fn mute(&mut self, id: CallId, leg: LegId, on: bool, now: Now) {
        if let Some(leg) = self.live(id).and_then(|live| live.call.legs.get_mut(&leg)) {
            leg.muted = on;
        }
        self.wire(id, now);
    }

    fn api_trace(&self, id: CallId) -> Result<Value, ApiError> {
        let live = self.calls.get(&id).ok_or_else(|| unknown_call(id))?;
        let trace = live.trace();
        Ok(json!(CallTrace {
            call_id: id,
            from: live.call.from.clone(),
            to: live.call.to.clone(),
            started_at: live.call.started_at,
            ended_at: None,
            trace,
        }))
    }
}

fn pressed(keys: &str) -> Result<Vec<Digit>, ApiError> {
    let keys: Result<Vec<Digit>, String> = keys.chars().map(Digit::try_from).collect();
    keys.map_err(|why| refusal(422, "invalid", why))
}

fn unknown_call(call: CallId) -> ApiError {
    refusal(404, "unknown_call", format!("call {call} is not running; GET /calls lists those that are"))
}

pub(super) fn refusal(status: u16, code: &str, message: String) -> ApiError {
    ApiError { status, code: code.to_owned(), message }
}
