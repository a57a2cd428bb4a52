//! What agents do after a call: they say what it came to, and take the time they need.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Context;
use super::extract::{ApiJson, Id};
use super::refusal::{Refusal, quoted};
use super::routes::{ask, call_id, is_on_call};
use super::tokens::{Identity, Role};
use crate::ids::AgentId;
use crate::record::Disposition;
use crate::views::ApiRequest;

/// Longest wrap-up that can be asked for, in seconds.
const LONGEST_S: u64 = 3_600;
/// Longest note, in characters.
const LONGEST_NOTE: usize = 2_000;

/// How long a wrap-up is to last from now on.
pub(super) fn length(for_s: Option<u64>) -> Result<Duration, Refusal> {
    match for_s {
        Some(seconds @ 1..=LONGEST_S) => Ok(Duration::from_secs(seconds)),
        _ => {
            let message =
                format!(r#"a wrap-up needs 'for_s', from 1 to {LONGEST_S} seconds: {{"state":"wrap_up","for_s":60}}"#);
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message))
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CameTo {
    /// One of the configured dispositions.
    code: String,
    /// Whether the caller's matter is settled with this call.
    #[serde(default)]
    resolved: Option<bool>,
    /// For whoever talks to the caller next: at most 2,000 characters.
    #[serde(default)]
    note: Option<String>,
}

/// Says what a call came to: a code of the operator's list, and whether the caller's matter is settled with it (first-contact
/// resolution). While the call is up or wrapped up; the last word counts, and stands in the call's record.
#[utoipa::path(post, path = "/calls/{id}/disposition", params(("id" = String, Path, description = "call_id")),
    request_body = CameTo, responses(
    (status = 200, description = "It is written down"),
    (status = 403, description = "An agent, and neither on this call nor wrapping it up", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "No agent has it now", body = super::refusal::ErrorBody),
    (status = 422, description = "No such disposition", body = super::refusal::ErrorBody)))]
pub(super) async fn dispose(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<CameTo>,
) -> Result<Json<Value>, Refusal> {
    let Some(call) = call_id(&id) else {
        let message = format!("{} is no call_id; GET /calls lists the calls that are up", quoted(&id));
        return Err(Refusal::not_found("unknown_call", message));
    };
    let CameTo { code, resolved, note } = body.required(r#"{"code":"sale","resolved":true}"#)?;
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        let message = format!("'note' has more than {LONGEST_NOTE} characters; make it shorter");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message));
    }
    let agent = who.agent.as_ref().map_or("", AgentId::as_str);
    let wraps_up = || context.views.agent(agent).is_some_and(|view| view.call_id == Some(call));
    let is_on = || context.views.call(call).is_some_and(|view| is_on_call(&context, &view, agent));
    if who.role == Role::Agent && !wraps_up() && !is_on() {
        let message = "an agent may say only what the call came to that they are on or wrap up; ask a supervisor";
        return Err(Refusal::forbidden(message));
    }
    ask(&context, ApiRequest::Dispose { call, disposition: Disposition { code, resolved, note } }).await.map(Json)
}
