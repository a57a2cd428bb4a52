//! What operators ask for: why a call went the way it did, and the configuration taken anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::access::PREFIX;
use super::extract::Id;
use super::refusal::{Refusal, quoted};
use super::routes::{ask, call_id, on_disk};
use super::{Busy, Context};
use crate::views::{ApiRequest, CallTrace, ReloadView};

/// The decisions of a call's plan: every level it came to, the conditions looked at with the values they saw, the rule
/// taken, what its module was given and gave. Of a call that is up, so far; of one that is over, from its record. What
/// the caller typed is not in it.
#[utoipa::path(get, path = "/calls/{id}/trace", params(("id" = String, Path, description = "call_id")), responses(
    (status = 200, body = CallTrace),
    (status = 404, description = "No such call is up or on record", body = super::refusal::ErrorBody)))]
pub(super) async fn trace(State(context): State<Arc<Context>>, Id(id): Id) -> Result<Json<Value>, Refusal> {
    let unknown = || {
        let message = format!(
            "there is no call {}; GET {PREFIX}/calls lists those that are up, 'relais cdr' those that ended",
            quoted(&id)
        );
        Refusal::not_found("unknown_call", message)
    };
    let call = call_id(&id).ok_or_else(unknown)?;
    if context.views.call(call).is_some() {
        match ask(&context, ApiRequest::Trace { call }).await {
            // It ended just now: its record is there.
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {}
            answer => return answer.map(Json),
        }
    }
    let record = on_disk(context, move |context| context.office.record(call)).await?;
    let record = record.map_err(|error| Refusal::unavailable("records_unreadable", error))?.ok_or_else(unknown)?;
    Ok(Json(json!(CallTrace {
        call_id: record.call_id,
        from: record.from,
        to: record.to,
        started_at: record.started_at,
        ended_at: record.ended_at,
        trace: record.trace,
    })))
}

/// Reads configuration, dialplans and prompts anew. Everything is checked first: with any error nothing changes. Calls
/// keep the plan they began with; who waits, waits on by the new settings of the queue; agents stay logged in.
#[utoipa::path(post, path = "/reload", responses(
    (status = 200, description = "Taken", body = ReloadView),
    (status = 422, description = "Refused; what was running goes on. The findings say why", body = super::refusal::ErrorBody)))]
pub(super) async fn reload(State(context): State<Arc<Context>>) -> Result<Json<ReloadView>, Refusal> {
    let view = on_disk(context, |context| context.office.reload()).await?;
    let view =
        view.map_err(|Busy| Refusal::crowded("other reloads are under way; GET /reload tells what became of them"))?;
    match view.last.as_ref().filter(|attempt| !attempt.taken) {
        None => Ok(Json(view)),
        Some(attempt) => Err(Refusal {
            findings: attempt.findings.clone(),
            ..Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "refused",
                "the files have faults, which stand in 'findings'; what was running goes on",
            )
        }),
    }
}

/// Which configuration runs, and what became of the last attempt to change it.
#[utoipa::path(get, path = "/reload", responses((status = 200, body = ReloadView)))]
pub(super) async fn reload_state(State(context): State<Arc<Context>>) -> Json<ReloadView> {
    Json(context.office.reload_state())
}
