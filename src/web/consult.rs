//! What an agent does with the talk they are in: hold, ask another, hand over, bring in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Context;
use super::extract::{ApiJson, Id};
use super::refusal::Refusal;
use super::routes::{ask, find_call, is_on_call};
use super::tokens::{Identity, Role};
use crate::bridge::Digit;
use crate::ids::{AgentId, LegId};
use crate::views::{ApiRequest, Briefing, CallView, Steering, SupervisionMode};

/// Whose talk it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// The agent's leg. May be left out by the agent, and by others where the call has exactly one agent leg.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsultWhom {
    /// `expert:301`, `agent:205` or `tel:+33…`
    to: String,
    /// What they hear before they are connected: true for the caller's number and what the plan says, or the name of a
    /// prompt that says why. A key of theirs ends it.
    #[serde(default)]
    briefing: Option<Briefing>,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferTo {
    /// `expert:301`, `agent:205`, `queue:support` or `tel:+33…`
    to: String,
    /// In the queue; that of the call where it is left out.
    #[serde(default)]
    priority: Option<i32>,
    /// What they hear before they are connected: true for the caller's number and what the plan says, or the name of a
    /// prompt that says why. A key of theirs ends it. Nothing in a queue.
    #[serde(default)]
    briefing: Option<Briefing>,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Muted {
    /// Whether nobody is to hear the agent; true where it is left out.
    #[serde(default = "yes")]
    muted: bool,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

impl Default for Muted {
    fn default() -> Muted {
        Muted { muted: true, leg_id: None }
    }
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Supervision {
    mode: SupervisionMode,
    /// The supervisor's phone: `sip:201@pbx.example.com`, or with the address of a phone in a trunk's network.
    leg: String,
}

/// A supervisor listens to a talk, whispers to its agent, or joins it aloud. Their phone is rung; again with the same phone
/// the mode changes. Hanging up ends it, and nobody else notices.
#[utoipa::path(post, path = "/calls/{id}/supervise", params(("id" = String, Path, description = "call_id")),
    request_body = Supervision, responses(
    (status = 200, description = "`leg_id` is the supervisor's leg"),
    (status = 403, description = "An agent; or a phone that is none of ours", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "Nobody talks on this call, or the phone is not registered", body = super::refusal::ErrorBody),
    (status = 422, description = "No SIP address", body = super::refusal::ErrorBody)))]
pub(super) async fn supervise(
    State(context): State<Arc<Context>>,
    Id(id): Id,
    body: ApiJson<Supervision>,
) -> Result<Json<Value>, Refusal> {
    let call = find_call(&context, &id)?;
    let Supervision { mode, leg } = body.required(r#"{"mode":"listen","leg":"sip:201@pbx.example.com"}"#)?;
    ask(&context, ApiRequest::Supervise { call: call.call_id, mode, phone: leg }).await.map(Json)
}

type Asked = (State<Arc<Context>>, Extension<Identity>, Id);

async fn steer(asked: Asked, leg: Option<LegId>, action: Steering) -> Result<Json<Value>, Refusal> {
    let (State(context), Extension(who), Id(id)) = asked;
    let call = find_call(&context, &id)?;
    let by = match who.role {
        Role::Agent => {
            let agent = who.agent.as_ref().map_or("", AgentId::as_str);
            if !is_on_call(&context, &call, agent) {
                return Err(Refusal::forbidden("an agent may do this only in the call they are on; ask a supervisor"));
            }
            who.agent
        }
        Role::Callback | Role::Presence => {
            return Err(Refusal::forbidden(
                "a key of this role may not steer calls; use one of an agent or a supervisor",
            ));
        }
        Role::Supervisor | Role::Operator | Role::Admin => None,
    };
    ask(&context, ApiRequest::Steer { call: call.call_id, by, leg, action }).await.map(Json)
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $action:expr;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, params(("id" = String, Path, description = "call_id")),
            request_body = Option<Whose>, responses(
            (status = 200, description = "The call as it is now", body = CallView),
            (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
            (status = 404, description = "No such call", body = super::refusal::ErrorBody),
            (status = 409, description = "Not as the talk stands now", body = super::refusal::ErrorBody)))]
        pub(super) async fn $name(
            context: State<Arc<Context>>,
            who: Extension<Identity>,
            id: Id,
            body: ApiJson<Whose>,
        ) -> Result<Json<Value>, Refusal> {
            steer((context, who, id), body.0.unwrap_or_default().leg_id, $action).await
        }
    )*};
}

acts! {
    /// The caller hears music until `/resume`; so does whoever else is alone.
    hold, "/calls/{id}/hold", Steering::Hold;
    /// The talk goes on.
    resume, "/calls/{id}/resume", Steering::Resume;
    /// The agent goes from the one asked to the caller, or back.
    swap, "/calls/{id}/consult/swap", Steering::Swap;
    /// The one asked has the caller, the agent is out and wraps up. While it still rings there the caller hears that; when
    /// nobody answers, the agent is rung again.
    complete, "/calls/{id}/consult/complete", Steering::Complete;
    /// The one asked is let go, the agent is back with the caller.
    cancel, "/calls/{id}/consult/cancel", Steering::Cancel;
    /// All of them talk together.
    conference, "/calls/{id}/consult/conference", Steering::Conference;
}

/// Nobody hears the agent, or they are heard again.
#[utoipa::path(post, path = "/calls/{id}/mute", params(("id" = String, Path, description = "call_id")),
    request_body = Option<Muted>, responses(
    (status = 200, description = "The call as it is now", body = CallView),
    (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "Not as the talk stands now", body = super::refusal::ErrorBody)))]
pub(super) async fn mute(
    context: State<Arc<Context>>,
    who: Extension<Identity>,
    id: Id,
    body: ApiJson<Muted>,
) -> Result<Json<Value>, Refusal> {
    let Muted { muted, leg_id } = body.0.unwrap_or_default();
    steer((context, who, id), leg_id, Steering::Mute(muted)).await
}

/// Which agent's phone is to answer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    /// Needed of other roles than the agent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
}

/// Asks the agent's phone that rings with this call to answer it: by NOTIFY `talk`, which desk phones know that say
/// `Allow-Events: talk`.
#[utoipa::path(post, path = "/calls/{id}/answer", params(("id" = String, Path, description = "call_id")),
    request_body = Option<Answering>, responses(
    (status = 200, description = "It was asked; the call tells when it has answered. `leg_id` is its leg"),
    (status = 403, description = "An agent, and not their call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "No phone rings, or it does not answer when asked: `phone_cannot`", body = super::refusal::ErrorBody),
    (status = 422, description = "No agent is named", body = super::refusal::ErrorBody)))]
pub(super) async fn answer(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<Answering>,
) -> Result<Json<Value>, Refusal> {
    let call = find_call(&context, &id)?;
    let Answering { agent } = body.0.unwrap_or_default();
    let agent = match (who.role, who.agent, agent) {
        (Role::Agent, Some(own), named) => {
            if named.is_some_and(|named| named != own) || !is_on_call(&context, &call, own.as_str()) {
                return Err(Refusal::forbidden(
                    "an agent may answer only what rings at their own phone; ask a supervisor",
                ));
            }
            own
        }
        (Role::Supervisor | Role::Operator | Role::Admin, _, Some(named)) => named,
        (Role::Supervisor | Role::Operator | Role::Admin, _, None) => call.agent.clone().ok_or_else(|| {
            Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "agent_needed",
                "name the agent whose phone rings as 'agent'",
            )
        })?,
        (Role::Agent | Role::Callback | Role::Presence, ..) => {
            return Err(Refusal::forbidden("a key of this role may not answer calls; use one of an agent"));
        }
    };
    ask(&context, ApiRequest::Answer { call: call.call_id, agent }).await.map(Json)
}

/// Keys that the agent presses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pressed {
    /// 1 to 32 of `0`-`9`, `*`, `#` and `A`-`D`.
    digits: String,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

/// As many as an account or a card number has, and some more.
const MOST_KEYS: usize = 32;

/// Sends keys, as RFC 4733 has them, to those with whom the agent talks. None of them is a command.
#[utoipa::path(post, path = "/calls/{id}/digits", params(("id" = String, Path, description = "call_id")),
    request_body = Pressed, responses(
    (status = 200, description = "The call as it is now", body = CallView),
    (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "Nobody talks on this call", body = super::refusal::ErrorBody),
    (status = 422, description = "No keys, too many, or no keys of a telephone", body = super::refusal::ErrorBody)))]
pub(super) async fn digits(
    context: State<Arc<Context>>,
    who: Extension<Identity>,
    id: Id,
    body: ApiJson<Pressed>,
) -> Result<Json<Value>, Refusal> {
    let Pressed { digits, leg_id } = body.required(r#"{"digits":"12#"}"#)?;
    let fine = (1..=MOST_KEYS).contains(&digits.chars().count()) && digits.chars().all(|key| Digit::new(key).is_some());
    if !fine {
        let message = format!("'digits' are 1 to {MOST_KEYS} keys of a telephone: 0-9, *, #, A-D");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message));
    }
    steer((context, who, id), leg_id, Steering::Keys(digits)).await
}

/// The agent asks somebody while the caller waits with music.
#[utoipa::path(post, path = "/calls/{id}/consult", params(("id" = String, Path, description = "call_id")),
    request_body = ConsultWhom, responses(
    (status = 200, description = "It rings there; the call as it is now", body = CallView),
    (status = 403, description = "An agent, and not on this call; or a number that may not be called", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call, expert or agent", body = super::refusal::ErrorBody),
    (status = 409, description = "Not as the talk stands now, or nobody can be rung there", body = super::refusal::ErrorBody),
    (status = 422, description = "Neither an expert, an agent nor a number; or no such prompt", body = super::refusal::ErrorBody)))]
pub(super) async fn consult(
    context: State<Arc<Context>>,
    who: Extension<Identity>,
    id: Id,
    body: ApiJson<ConsultWhom>,
) -> Result<Json<Value>, Refusal> {
    let ConsultWhom { to, briefing, leg_id } = body.required(r#"{"to":"expert:301"}"#)?;
    steer((context, who, id), leg_id, Steering::Consult { to, briefing }).await
}

/// The agent hands the caller over without asking before. The caller hears it ring there; when nobody answers, the agent is
/// rung again.
#[utoipa::path(post, path = "/calls/{id}/transfer", params(("id" = String, Path, description = "call_id")),
    request_body = TransferTo, responses(
    (status = 200, description = "It rings there, or the caller waits in the queue; the call as it is now", body = CallView),
    (status = 403, description = "An agent, and not on this call; or a number that may not be called", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call, expert, agent or queue", body = super::refusal::ErrorBody),
    (status = 409, description = "Not as the talk stands now, or nobody can be rung there", body = super::refusal::ErrorBody),
    (status = 422, description = "Neither an expert, an agent, a queue nor a number; or no such prompt", body = super::refusal::ErrorBody)))]
pub(super) async fn transfer(
    context: State<Arc<Context>>,
    who: Extension<Identity>,
    id: Id,
    body: ApiJson<TransferTo>,
) -> Result<Json<Value>, Refusal> {
    let TransferTo { to, priority, briefing, leg_id } = body.required(r#"{"to":"agent:202"}"#)?;
    steer((context, who, id), leg_id, Steering::Transfer { to, priority, briefing }).await
}
