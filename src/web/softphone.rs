//! What the page's softphone registers with: a name and a password of its own, lent to the session for some minutes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::Id;
use super::refusal::Refusal;
use super::routes::ask;
use super::tokens::{Identity, Session};
use super::turn::IceServer;
use super::{Context, phones};
use crate::ids::AgentId;
use crate::record::millis;
use crate::time::Wall;
use crate::views::{ApiRequest, PhoneLoan};

/// The page asks again in half the time. What a session that ended without a log-out still has is worth no longer.
const LASTS: Duration = Duration::from_secs(600);

/// How the page's softphone registers.
#[derive(Serialize, ToSchema)]
pub struct Softphone {
    /// Its address of record, as `sip:201@pbx.example.com`.
    address: String,
    /// The name for digest authentication.
    user: String,
    password: String,
    /// The path of the WebSocket (RFC 7118).
    socket: &'static str,
    /// By which the page's voice may come where nothing else lets it through; empty where there is none.
    ice_servers: Vec<IceServer>,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Wall,
}

/// Lends the agent who asks what their page's softphone registers with, or lends it for longer. It is of no use for
/// anything but SIP as this agent, and ends with the session.
#[utoipa::path(post, path = "/agents/{id}/phone", params(("id" = String, Path, description = "The agent who asks")),
    responses(
    (status = 200, description = "Good until `expires_at`", body = Softphone),
    (status = 403, description = "Somebody else's phone", body = super::refusal::ErrorBody),
    (status = 409, description = "The agent's phone stands at a fixed address", body = super::refusal::ErrorBody)))]
pub(super) async fn lend(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    session: Option<Extension<Session>>,
    Id(id): Id,
) -> Result<Json<Softphone>, Refusal> {
    let Some(agent) = who.agent.clone().filter(|agent| agent.as_str() == id) else {
        return Err(Refusal::forbidden("an agent's softphone is lent to the agent alone; log in as them"));
    };
    let now = Wall::now();
    let left = session.map(|Extension(session)| session.expires_at.duration_since(now).unsigned_abs());
    let lasts = left.map_or(LASTS, |left| left.min(LASTS));
    let user = name_of(&agent, &who);
    let password = password()?;
    let ice_servers = context.turn.iter().map(|turn| turn.lend(agent.as_str(), now)).collect();
    let loan = PhoneLoan { agent, user: user.clone(), password: password.clone(), lasts };
    let lent = ask(&context, ApiRequest::LendPhone(loan)).await?;
    let address = lent.get("address").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Ok(Json(Softphone { address, user, password, socket: phones::PATH, ice_servers, expires_at: now + lasts }))
}

/// The session is over. Where the engine is too busy to hear of it, time ends the loan.
pub(super) async fn take_back(context: &Context, who: &Identity) {
    if let Some(agent) = &who.agent {
        let _ = ask(context, ApiRequest::TakePhoneBack { user: name_of(agent, who) }).await;
    }
}

/// One a session: two pages of one agent do not take each other's away.
fn name_of(agent: &AgentId, who: &Identity) -> String {
    format!("{agent}.{}", who.token_id)
}

fn password() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Refusal::internal("the system gives no randomness"))?;
    Ok(hex::encode(bytes))
}
