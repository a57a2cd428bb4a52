//! The experts: whether they can be asked, how old that knowledge is, and the word of a telephony with an API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Context;
use super::extract::{ApiJson, Id};
use super::refusal::{Refusal, quoted, suggestion};
use super::routes::ask;
use crate::ids::ExpertId;
use crate::time::Wall;
use crate::views::{ApiRequest, ExpertView, Presence};

/// All experts.
#[derive(Serialize, ToSchema)]
pub struct ExpertList {
    experts: Vec<ExpertView>,
    /// Everything up to this event is in the list; `/events?since=SEQ` goes on from here.
    seq: u64,
}

/// The experts, with their presence and how old that knowledge is. What is not known, or no longer, is `unknown` and never
/// `free`.
#[utoipa::path(get, path = "/experts", responses((status = 200, body = ExpertList)))]
pub(super) async fn experts(State(context): State<Arc<Context>>) -> Json<ExpertList> {
    let seq = context.views.latest();
    let now = Wall::now();
    let experts = context.views.experts().into_iter().map(|view| view.at(now)).collect();
    Json(ExpertList { experts, seq })
}

/// How an expert is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// `free`, `away`, `offline` or `busy`; `unknown` takes back what was said.
    state: Presence,
}

/// Says how an expert is, for a telephony that tells it by its own API. It counts beside what SIP tells, until it is told
/// anew or is stale (`told_stale_s` of the expert).
#[utoipa::path(post, path = "/experts/{id}/presence", params(("id" = String, Path, description = "The expert")),
    request_body = Told, responses(
    (status = 200, description = "The expert as they are now", body = ExpertView),
    (status = 404, description = "No such expert", body = super::refusal::ErrorBody),
    (status = 422, description = "No such state", body = super::refusal::ErrorBody)))]
pub(super) async fn presence(
    State(context): State<Arc<Context>>,
    Id(id): Id,
    body: ApiJson<Told>,
) -> Result<Json<Value>, Refusal> {
    let known = context.views.experts();
    if known.iter().all(|expert| expert.id.as_str() != id) {
        let hint = suggestion(&id, known.iter().map(|expert| expert.id.as_str()));
        let message = format!("there is no expert {}{hint}; GET /experts lists them", quoted(&id));
        return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_expert", message));
    }
    let Told { state } = body.required(r#"{"state":"busy"}"#)?;
    ask(&context, ApiRequest::SetPresence { expert: ExpertId::from(id.as_str()), presence: state }).await.map(Json)
}
