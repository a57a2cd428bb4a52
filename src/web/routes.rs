//! The routes of the API and what each does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::access::{AT_ROOT, PREFIX, ROUTES, authorise};
use super::extract::{ApiJson, Id};
use super::refusal::{Refusal, quoted, suggestion};
use super::secure::ONLY_SECURE;
use super::tokens::{Created, Identity, NewToken, Role, TokenInfo};
use super::{
    Asked, Context, callbacks, consult, events, experts, login, metrics, openapi, operator, pages, people, phones,
    plans, prompts, recordings, records, reports, softphone, today, wrap_up,
};
use crate::ids::{AgentId, CallId, LegId};
use crate::record::Party;
use crate::time::Wall;
use crate::views::{AgentState, AgentView, ApiRequest, CallView, QueueView};

/// Longest pause reason, in characters.
const REASON_LIMIT: usize = 100;
const CALLBACKS: &str = "/api/v1/callbacks";
/// No answer takes longer, whatever happens.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) fn router(context: Arc<Context>) -> Router {
    let api = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/openapi.json", get(openapi_document))
        .route("/calls", get(calls))
        .route("/calls/{id}", get(call))
        .route("/calls/{id}/trace", get(operator::trace))
        .route("/calls/{id}/contacts", get(records::contacts))
        .route("/calls/{id}/hangup", post(hang_up))
        .route("/calls/{id}/record", post(recordings::record))
        .route("/calls/{id}/supervise", post(consult::supervise))
        .route("/calls/{id}/hold", post(consult::hold))
        .route("/calls/{id}/resume", post(consult::resume))
        .route("/calls/{id}/mute", post(consult::mute))
        .route("/calls/{id}/answer", post(consult::answer))
        .route("/calls/{id}/digits", post(consult::digits))
        .route("/calls/{id}/transfer", post(consult::transfer))
        .route("/calls/{id}/consult", post(consult::consult))
        .route("/calls/{id}/consult/swap", post(consult::swap))
        .route("/calls/{id}/consult/complete", post(consult::complete))
        .route("/calls/{id}/consult/cancel", post(consult::cancel))
        .route("/calls/{id}/consult/conference", post(consult::conference))
        .route("/calls/{id}/disposition", post(wrap_up::dispose))
        .route("/queues", get(queues))
        .route("/agents", get(agents))
        .route("/agents/{id}/state", post(set_agent_state).delete(log_out))
        .route("/agents/{id}/phone", post(softphone::lend))
        .route("/experts", get(experts::experts))
        .route("/experts/{id}/presence", post(experts::presence))
        .route("/events", get(events::open))
        .route("/voicemails", get(recordings::voicemails))
        .route("/recordings/{id}", get(recordings::audio).patch(recordings::note).delete(recordings::delete))
        .route("/callbacks", get(callbacks::callbacks).post(callbacks::call_back).options(callbacks::preflight))
        .route("/callbacks/{id}", delete(callbacks::cancel))
        .route("/reports", get(reports::reports))
        .route("/records", get(records::records))
        .route("/centre", get(records::centre))
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/session", get(login::session))
        .route("/plans", get(plans::files))
        .route("/plans/file", get(plans::file))
        .route("/plans/schema", get(plans::schema))
        .route("/plans/check", post(plans::check))
        .route("/plans/picture", post(plans::picture))
        .route("/plans/trace", post(plans::traced))
        .route("/plans/tests", post(plans::tests))
        .route("/plans/diff", post(plans::compare))
        .route("/plans/activate", post(plans::activate))
        .route("/plans/rollback", post(plans::roll_back))
        .route("/plans/versions/{id}", get(plans::version))
        .route("/plans/versions/{id}/file", get(plans::version_file))
        .route("/prompts", get(prompts::prompts))
        .route("/prompts/words", get(prompts::words))
        .route("/prompts/sound", get(prompts::sound).put(prompts::record).delete(prompts::remove))
        .route("/audit", get(plans::audit))
        .route("/users", get(people::users).post(people::add))
        .route("/users/{id}", patch(people::change).delete(people::remove))
        .route("/users/{id}/password", post(people::password))
        .route("/users/{id}/second-factor", post(people::set_second_factor).delete(people::remove_second_factor))
        .route("/users/{id}/sessions", delete(people::end_sessions))
        .route("/reload", get(operator::reload_state).post(operator::reload))
        .route("/tokens", get(tokens).post(create_token))
        .route("/tokens/{id}", delete(delete_token));
    let tls = context.door.is_some();
    let router = Router::new()
        .nest(PREFIX, api)
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route(phones::PATH, get(phones::open))
        .route_layer(from_fn_with_state(context.clone(), authorise))
        .fallback(page_or_nothing)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(bound_time))
        .layer(from_fn(security_headers))
        .with_state(context);
    if tls { router.layer(from_fn(only_secure)) } else { router }
}

async fn only_secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_SECURE));
    response
}

async fn bound_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::unavailable("timeout", "this took too long and was given up; try again").into_response(),
    }
}

async fn security_headers(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let for_pages = request.uri().path() == CALLBACKS;
    let mut response = next.run(request).await;
    if for_pages {
        let (name, value) = callbacks::OPEN_TO_PAGES;
        response.headers_mut().insert(name, value);
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn page_or_nothing(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    pages::find(&method, uri.path(), &headers).unwrap_or_else(|| unknown_path(&uri).into_response())
}

fn unknown_path(uri: &Uri) -> Refusal {
    let known =
        ROUTES.iter().map(|route| format!("{PREFIX}{}", route.1)).chain(AT_ROOT.iter().map(|&path| path.into()));
    let known: Vec<String> = known.collect();
    let hint = suggestion(uri.path(), known.iter().map(String::as_str));
    let message =
        format!("there is nothing at {}{hint}; {PREFIX}/openapi.json lists what is there", quoted(uri.path()));
    Refusal::not_found("unknown_path", message)
}

async fn method_not_allowed(request: Request) -> Refusal {
    let message = format!(
        "{} does not take {}; the header Allow names what it takes",
        quoted(request.uri().path()),
        quoted(request.method().as_str())
    );
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", security(()), responses((status = 200, description = "`{\"status\":\"ok\"}`")))]
pub(super) async fn healthz() -> Json<Value> {
    Json(serde_json::json!({ "status": "ok" }))
}

/// Whether new calls are taken.
#[utoipa::path(get, path = "/readyz", security(()), responses(
    (status = 200, description = "`{\"status\":\"ready\"}`"),
    (status = 503, description = "Starting or draining", body = super::refusal::ErrorBody)))]
pub(super) async fn readyz(State(context): State<Arc<Context>>) -> Result<Json<Value>, Refusal> {
    if context.ready.load(Ordering::Acquire) {
        Ok(Json(serde_json::json!({ "status": "ready" })))
    } else {
        Err(Refusal::unavailable(
            "not_ready",
            "not ready for calls: starting or draining; send calls elsewhere until it is",
        ))
    }
}

/// Figures for Prometheus, in its text format.
#[utoipa::path(get, path = "/metrics", security(()), responses(
    (status = 200, description = "Prometheus text format 0.0.4", content_type = "text/plain")))]
pub(super) async fn metrics_page(State(context): State<Arc<Context>>) -> Response {
    let page = metrics::page(&context.metrics, &context.views, &context.today.queues(Wall::now()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn openapi_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(openapi::document())).into_response()
}

/// All calls that are up.
#[derive(Serialize, ToSchema)]
pub struct Calls {
    calls: Vec<CallView>,
    /// Everything up to this event is in the list; `/events?since=SEQ` goes on from here.
    seq: u64,
}

/// The calls that are up, oldest first.
#[utoipa::path(get, path = "/calls", responses((status = 200, body = Calls)))]
pub(super) async fn calls(State(context): State<Arc<Context>>) -> Json<Calls> {
    let seq = context.views.latest();
    Json(Calls { calls: context.views.calls(), seq })
}

/// One call that is up.
#[utoipa::path(get, path = "/calls/{id}", params(("id" = String, Path, description = "call_id")), responses(
    (status = 200, body = CallView),
    (status = 404, description = "No such call is up", body = super::refusal::ErrorBody)))]
pub(super) async fn call(State(context): State<Arc<Context>>, Id(id): Id) -> Result<Json<CallView>, Refusal> {
    find_call(&context, &id).map(Json)
}

/// The id of a call as it is written; there is one way only.
pub(super) fn call_id(id: &str) -> Option<CallId> {
    id.parse::<CallId>().ok().filter(|parsed| parsed.to_string() == id.to_ascii_lowercase())
}

pub(super) fn find_call(context: &Context, id: &str) -> Result<CallView, Refusal> {
    call_id(id).and_then(|id| context.views.call(id)).ok_or_else(|| {
        let message = format!(
            "no call {} is up; GET {PREFIX}/calls lists those that are, 'relais cdr' those that ended",
            quoted(id)
        );
        Refusal::not_found("unknown_call", message)
    })
}

/// Which leg to hang up.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HangUp {
    /// May be left out by the agent on the call, and by others where the call has exactly one agent leg.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    leg_id: Option<LegId>,
}

/// Hangs up one leg. An agent hangs up their own; others name the leg.
#[utoipa::path(post, path = "/calls/{id}/hangup", params(("id" = String, Path, description = "call_id")),
    request_body = Option<HangUp>, responses(
    (status = 200, description = "Done"),
    (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call or leg", body = super::refusal::ErrorBody),
    (status = 409, description = "The leg must be named", body = super::refusal::ErrorBody)))]
pub(super) async fn hang_up(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<HangUp>,
) -> Result<Json<Value>, Refusal> {
    let call = find_call(&context, &id)?;
    let wanted = body.0.unwrap_or_default().leg_id;
    let (leg, by) = match who.role {
        Role::Callback | Role::Presence => {
            return Err(Refusal::forbidden(
                "a key of this role may not steer calls; use one of an agent or a supervisor",
            ));
        }
        Role::Agent => (own_leg(&context, &call, &who, wanted)?, Party::Agent),
        Role::Supervisor => (named_leg(&call, wanted)?, Party::Supervisor),
        Role::Operator | Role::Admin => (named_leg(&call, wanted)?, Party::System),
    };
    ask(&context, ApiRequest::HangUp { call: call.call_id, leg: Some(leg), by }).await?;
    Ok(Json(serde_json::json!({ "call_id": call.call_id, "leg_id": leg })))
}

/// The leg of the agent who asks.
fn own_leg(context: &Context, call: &CallView, who: &Identity, wanted: Option<LegId>) -> Result<LegId, Refusal> {
    let agent = who.agent.as_ref().map_or("", AgentId::as_str);
    if !is_on_call(context, call, agent) {
        return Err(Refusal::forbidden("an agent may hang up only the call they are on; ask a supervisor"));
    }
    let legs: Vec<_> = call.legs.iter().filter(|leg| leg.role == Party::Agent).collect();
    let own = match legs.as_slice() {
        [only] => Some(*only),
        several => several.iter().copied().find(|leg| user_part(&leg.address) == agent),
    };
    let Some(own) = own else {
        let message = "your phone is not on this call yet, or no longer; decline or hang up on the phone";
        return Err(Refusal::new(StatusCode::CONFLICT, "no_agent_leg", message));
    };
    match wanted {
        Some(other) if other != own.leg_id => {
            let message = format!("an agent may hang up only their own leg, {}; ask a supervisor", own.leg_id);
            Err(Refusal::forbidden(message))
        }
        _ => Ok(own.leg_id),
    }
}

pub(super) fn is_on_call(context: &Context, call: &CallView, agent: &str) -> bool {
    call.agent.as_ref().is_some_and(|on| on.as_str() == agent)
        || context.views.agent(agent).is_some_and(|view| view.call_id == Some(call.call_id))
}

/// `201` of `sip:201@host`, or the text itself.
fn user_part(address: &str) -> &str {
    let rest = address.split_once(':').map_or(address, |(_, rest)| rest);
    rest.split_once('@').map_or(rest, |(user, _)| user)
}

/// The leg another role names, or the only agent leg.
fn named_leg(call: &CallView, wanted: Option<LegId>) -> Result<LegId, Refusal> {
    let listed =
        || call.legs.iter().map(|leg| format!("{} ({})", leg.leg_id, leg.address)).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        return match call.legs.iter().find(|leg| leg.leg_id == wanted) {
            Some(leg) => Ok(leg.leg_id),
            None => {
                let message = format!("this call has no leg {wanted}; its legs are {}", listed());
                Err(Refusal::not_found("unknown_leg", message))
            }
        };
    }
    let mut agents = call.legs.iter().filter(|leg| leg.role == Party::Agent);
    match (agents.next(), agents.next()) {
        (Some(only), None) => Ok(only.leg_id),
        _ => {
            let message = format!("name the leg to hang up as 'leg_id': this call has {}", listed());
            Err(Refusal::new(StatusCode::CONFLICT, "leg_needed", message))
        }
    }
}

/// A queue as it is, and its figures.
#[derive(Serialize, ToSchema)]
pub struct QueueNow {
    #[serde(flatten)]
    view: QueueView,
    /// The figures of `/reports` since midnight where the centre is: calls that have ended, and agents until now.
    #[schema(value_type = Object)]
    today: serde_json::Map<String, Value>,
}

/// An agent as they are, and their figures.
#[derive(Serialize, ToSchema)]
pub struct AgentNow {
    #[serde(flatten)]
    view: AgentView,
    /// Since midnight where the centre is, named as in `/reports`.
    #[schema(value_type = Object)]
    today: serde_json::Map<String, Value>,
}

/// All queues.
#[derive(Serialize, ToSchema)]
pub struct Queues {
    queues: Vec<QueueNow>,
    /// Everything up to this event is in the list; `/events?since=SEQ` goes on from here.
    seq: u64,
}

/// The queues and who waits in them.
#[utoipa::path(get, path = "/queues", responses((status = 200, body = Queues)))]
pub(super) async fn queues(State(context): State<Arc<Context>>) -> Json<Queues> {
    let seq = context.views.latest();
    let sums = context.today.queues(Wall::now());
    let queues = context.views.queues().into_iter().map(|view| {
        let today = today::of_queue(sums.get(view.id.as_str()));
        QueueNow { view, today }
    });
    Json(Queues { queues: queues.collect(), seq })
}

/// All agents.
#[derive(Serialize, ToSchema)]
pub struct Agents {
    agents: Vec<AgentNow>,
    /// Everything up to this event is in the list; `/events?since=SEQ` goes on from here.
    seq: u64,
}

/// The agents and their states.
#[utoipa::path(get, path = "/agents", responses((status = 200, body = Agents)))]
pub(super) async fn agents(State(context): State<Arc<Context>>) -> Json<Agents> {
    let seq = context.views.latest();
    let sums = context.today.by_agent(Wall::now());
    let agents = context.views.agents().into_iter().map(|view| {
        let today = today::of_agent(sums.get(view.id.as_str()));
        AgentNow { view, today }
    });
    Json(Agents { agents: agents.collect(), seq })
}

/// The state an agent is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedState {
    state: Settable,
    /// Why they pause, one of the configured reasons.
    #[serde(default)]
    reason: Option<String>,
    /// How long the wrap-up they are in lasts from now on, in seconds: 1 to 3600.
    #[serde(default)]
    for_s: Option<u64>,
}

/// The states that can be asked for; the others come of calls.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settable {
    Available,
    Paused,
    WrapUp,
}

/// Makes an agent available (which also logs in, and ends `not_responding` and `wrap_up`), pauses them, or makes the
/// wrap-up they are in longer or shorter.
#[utoipa::path(post, path = "/agents/{id}/state", params(("id" = String, Path, description = "The agent's number")),
    request_body = WantedState, responses(
    (status = 200, description = "The agent as they are now", body = AgentView),
    (status = 403, description = "An agent, and not this one", body = super::refusal::ErrorBody),
    (status = 404, description = "No such agent", body = super::refusal::ErrorBody),
    (status = 409, description = "Without a phone, or in no wrap-up", body = super::refusal::ErrorBody),
    (status = 422, description = "Not a state, reason or time that can be asked for", body = super::refusal::ErrorBody)))]
pub(super) async fn set_agent_state(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<WantedState>,
) -> Result<Json<AgentView>, Refusal> {
    let agent = find_agent(&context, &who, &id)?;
    let wanted = body.required(r#"{"state":"paused","reason":"lunch"}"#)?;
    let fine =
        |reason: &String| (1..=REASON_LIMIT).contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
    if !wanted.reason.as_ref().is_none_or(fine) {
        let message = format!("'reason' must have 1 to {REASON_LIMIT} characters without control characters");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message));
    }
    let set = |state| ApiRequest::SetAgentState { agent: agent.clone(), state, reason: wanted.reason };
    let request = match wanted.state {
        Settable::Available => set(AgentState::Available),
        Settable::Paused => set(AgentState::Paused),
        Settable::WrapUp => ApiRequest::ExtendWrapUp { agent: agent.clone(), by: wrap_up::length(wanted.for_s)? },
    };
    ask(&context, request).await?;
    agent_now(&context, &agent)
}

/// Logs an agent out; a phone that refreshes its registration does not undo it.
#[utoipa::path(delete, path = "/agents/{id}/state", params(("id" = String, Path, description = "The agent's number")),
    responses(
    (status = 200, description = "The agent as they are now", body = AgentView),
    (status = 403, description = "An agent, and not this one", body = super::refusal::ErrorBody),
    (status = 404, description = "No such agent", body = super::refusal::ErrorBody)))]
pub(super) async fn log_out(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
) -> Result<Json<AgentView>, Refusal> {
    let agent = find_agent(&context, &who, &id)?;
    ask(&context, ApiRequest::LogOut { agent: agent.clone() }).await?;
    agent_now(&context, &agent)
}

fn find_agent(context: &Context, who: &Identity, id: &str) -> Result<AgentId, Refusal> {
    if who.role == Role::Agent && who.agent.as_ref().is_none_or(|own| own.as_str() != id) {
        return Err(Refusal::forbidden("an agent may change only their own state; ask a supervisor"));
    }
    if context.views.agent(id).is_some() {
        return Ok(AgentId::from(id));
    }
    let agents = context.views.agents();
    let hint = suggestion(id, agents.iter().map(|agent| agent.id.as_str()));
    let message = format!("there is no agent '{}'{hint}; GET {PREFIX}/agents lists them", quoted(id));
    Err(Refusal::not_found("unknown_agent", message))
}

fn agent_now(context: &Context, id: &AgentId) -> Result<Json<AgentView>, Refusal> {
    let view = context.views.agent(id.as_str());
    view.map(Json).ok_or_else(|| Refusal::not_found("unknown_agent", format!("agent '{id}' is no longer there")))
}

/// Hands a request to the engine and waits for its answer; the engine publishes what changed before it answers.
pub(super) async fn ask(context: &Context, request: ApiRequest) -> Result<Value, Refusal> {
    let (reply, answer) = oneshot::channel();
    if (context.requests)(Asked { request, reply }).is_err() {
        return Err(Refusal::unavailable(
            "busy",
            "too many requests wait already; nothing was done, try again in a second",
        ));
    }
    match tokio::time::timeout(context.limits.engine, answer).await {
        Ok(Ok(result)) => Ok(result?),
        Ok(Err(_)) => Err(Refusal::unavailable("stopping", "the appliance is stopping; nothing was done")),
        Err(_) => {
            let message = "the engine has not answered in time; look whether it was done before you ask again";
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "engine_slow", message))
        }
    }
}

/// All tokens, without their secrets.
#[derive(Serialize, ToSchema)]
pub struct TokenList {
    tokens: Vec<TokenInfo>,
}

/// The tokens there are, oldest first.
#[utoipa::path(get, path = "/tokens", responses((status = 200, body = TokenList)))]
pub(super) async fn tokens(State(context): State<Arc<Context>>) -> Json<TokenList> {
    Json(TokenList { tokens: context.tokens.list() })
}

/// Makes a token. It is in the answer, and shown never again.
#[utoipa::path(post, path = "/tokens", request_body = NewToken, responses(
    (status = 201, body = Created),
    (status = 422, description = "Role and agent do not fit", body = super::refusal::ErrorBody)))]
pub(super) async fn create_token(
    State(context): State<Arc<Context>>,
    body: ApiJson<NewToken>,
) -> Result<(StatusCode, Json<Created>), Refusal> {
    let wanted = body.required(r#"{"role":"supervisor","name":"wallboard"}"#)?;
    let created = on_disk(context, move |context| context.tokens.create(wanted, Wall::now())).await??;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Deletes a token; from then on it is refused, and its WebSockets are closed.
#[utoipa::path(delete, path = "/tokens/{id}", params(("id" = String, Path, description = "The token's id")), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "No such token", body = super::refusal::ErrorBody)))]
pub(super) async fn delete_token(State(context): State<Arc<Context>>, Id(id): Id) -> Result<StatusCode, Refusal> {
    let wanted = id.clone();
    if on_disk(context.clone(), move |context| context.tokens.delete(&wanted)).await?? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let known = context.tokens.list();
    let hint = suggestion(&id, known.iter().map(|token| token.id.as_str()));
    let message = format!("there is no token '{}'{hint}; GET {PREFIX}/tokens lists them", quoted(&id));
    Err(Refusal::not_found("unknown_token", message))
}

/// Runs what waits for the disk outside the threads that serve requests.
pub(super) async fn on_disk<T: Send + 'static>(
    context: Arc<Context>,
    work: impl FnOnce(&Context) -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(move || work(&context))
        .await
        .map_err(|_| Refusal::internal("the work on the disk broke off; see the server's log"))
}
