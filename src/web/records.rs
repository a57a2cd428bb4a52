//! Calls that are over: the latest of the centre, and the earlier contacts of the caller whom an agent talks to.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::extract::Id;
use super::refusal::{Refusal, quoted};
use super::routes::{call_id, is_on_call, on_disk};
use super::tokens::{Identity, Role};
use crate::ids::{AgentId, CallId, QueueId, RecordingId};
use crate::record::{CallRecord, Outcome, Party, millis, optional_millis};
use crate::time::Wall;
use crate::views::CentreView;

/// Records of one answer.
const MOST: usize = 500;
const USUAL: usize = 50;
/// Earlier contacts that are told.
const CONTACTS: usize = 20;

/// Which records are asked for, the latest first.
#[derive(Clone, Debug, Default)]
pub struct RecordQuery {
    /// Only calls that came in before this one.
    pub before: Option<CallId>,
    pub queue: Option<String>,
    pub agent: Option<String>,
    /// A part of the caller's or the dialled number.
    pub number: Option<String>,
    pub outcome: Option<Outcome>,
    pub limit: usize,
}

impl RecordQuery {
    pub fn takes(&self, record: &CallRecord) -> bool {
        let same =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        let number = |part: &String| record.from.contains(part.as_str()) || record.to.contains(part.as_str());
        same(&self.queue, record.queue.as_ref().map(QueueId::as_str))
            && same(&self.agent, record.agent.as_ref().map(AgentId::as_str))
            && self.number.as_ref().is_none_or(number)
            && self.outcome.is_none_or(|wanted| record.outcome == Some(wanted))
    }
}

/// One call that is over.
#[derive(Serialize, ToSchema)]
pub struct RecordView {
    #[schema(value_type = String)]
    call_id: CallId,
    /// We rang the caller.
    outgoing: bool,
    from: String,
    to: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    started_at: Wall,
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Wall>,
    outcome: Option<Outcome>,
    ended_by: Option<Party>,
    #[schema(value_type = Option<String>)]
    queue: Option<QueueId>,
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    wait_ms: Option<u64>,
    talk_ms: Option<u64>,
    hold_ms: Option<u64>,
    acw_ms: Option<u64>,
    transfers: u32,
    disposition: Option<String>,
    resolved: Option<bool>,
    note: Option<String>,
    /// Its audio is at `/recordings/{recording_id}`, for supervisors.
    #[schema(value_type = Option<String>)]
    recording_id: Option<RecordingId>,
}

impl From<CallRecord> for RecordView {
    fn from(record: CallRecord) -> RecordView {
        RecordView {
            call_id: record.call_id,
            outgoing: record.outgoing,
            from: record.from,
            to: record.to,
            started_at: record.started_at,
            ended_at: record.ended_at,
            outcome: record.outcome,
            ended_by: record.ended_by,
            queue: record.queue,
            agent: record.agent,
            wait_ms: record.wait_ms,
            talk_ms: record.talk_ms,
            hold_ms: record.hold_ms,
            acw_ms: record.acw_ms,
            transfers: record.transfers,
            disposition: record.disposition,
            resolved: record.resolved,
            note: record.note,
            recording_id: record.recording,
        }
    }
}

/// Calls that are over, the latest first.
#[derive(Serialize, ToSchema)]
pub struct RecordList {
    records: Vec<RecordView>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only calls that came in before this `call_id`: the last one of the page before.
    before: Option<String>,
    queue: Option<String>,
    agent: Option<String>,
    /// A part of the caller's or the dialled number.
    number: Option<String>,
    outcome: Option<Outcome>,
    /// At most so many, up to 500; 50 where it is not given.
    limit: Option<usize>,
}

/// Calls that are over, the latest first. Of many that do not fit only the latest 20,000 are looked at.
#[utoipa::path(get, path = "/records", params(Wanted), responses(
    (status = 200, body = RecordList),
    (status = 400, description = "A parameter that is not understood", body = super::refusal::ErrorBody)))]
pub(super) async fn records(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<RecordList>, Refusal> {
    let Query(wanted) =
        wanted.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
    let before = wanted.before.as_deref().map(|id| {
        call_id(id).ok_or_else(|| {
            let message = format!("'before' is '{}'; it must be a call_id", quoted(id));
            Refusal::new(StatusCode::BAD_REQUEST, "bad_before", message)
        })
    });
    let query = RecordQuery {
        before: before.transpose()?,
        queue: wanted.queue,
        agent: wanted.agent,
        number: wanted.number,
        outcome: wanted.outcome,
        limit: wanted.limit.unwrap_or(USUAL).min(MOST),
    };
    let found = on_disk(context, move |context| context.office.records(&query)).await?;
    let records = found.map_err(unreadable)?.into_iter().map(RecordView::from).collect();
    Ok(Json(RecordList { records }))
}

/// Earlier contacts of the caller of a call, the latest first: at most 20. An agent sees those of the call that they are on,
/// are rung for or wrap up.
#[utoipa::path(get, path = "/calls/{id}/contacts", params(("id" = String, Path, description = "call_id")), responses(
    (status = 200, body = RecordList),
    (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody)))]
pub(super) async fn contacts(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
) -> Result<Json<RecordList>, Refusal> {
    let unknown = || {
        let message = format!("there is no call {}; GET /calls lists those that are up", quoted(&id));
        Refusal::not_found("unknown_call", message)
    };
    let call = call_id(&id).ok_or_else(unknown)?;
    let live = context.views.call(call);
    if who.role == Role::Agent {
        let agent = who.agent.as_ref().map_or("", AgentId::as_str);
        let has = context.views.agent(agent).is_some_and(|view| view.call_id == Some(call));
        if !has && !live.as_ref().is_some_and(|view| is_on_call(&context, view, agent)) {
            return Err(Refusal::forbidden("an agent may look up the caller of their own call only; ask a supervisor"));
        }
    }
    let found = on_disk(context, move |context| {
        let number = match live {
            Some(view) => Some(view.from),
            None => context.office.record(call)?.map(|record| record.from),
        };
        number.map(|number| context.office.contacts(&number, CONTACTS + 1)).transpose()
    });
    let mut records = found.await?.map_err(unreadable)?.ok_or_else(unknown)?;
    records.retain(|record| record.call_id != call);
    records.truncate(CONTACTS);
    Ok(Json(RecordList { records: records.into_iter().map(RecordView::from).collect() }))
}

fn unreadable(error: String) -> Refusal {
    tracing::error!("call records cannot be read: {error}");
    Refusal::unavailable("records_unreadable", "the call records cannot be read now; try again in a second")
}

/// What people choose among, and the terms of the queues.
#[utoipa::path(get, path = "/centre", responses((status = 200, body = CentreView)))]
pub(super) async fn centre(State(context): State<Arc<Context>>) -> Json<CentreView> {
    Json(context.office.centre())
}
