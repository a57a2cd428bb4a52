//! The people who log in, as an administrator sees to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Context;
use super::extract::{ApiJson, Id};
use super::plans::By;
use super::refusal::Refusal;
use super::routes::on_disk;
use super::users::{NewUser, Stored, UserChange, UserError};
use crate::bench::Deed;
use crate::bench::activate::Actor;
use crate::ids::{AgentId, Language};
use crate::record::optional_millis;
use crate::settings::{User, UserRole};
use crate::time::Wall;

impl From<UserError> for Refusal {
    fn from(error: UserError) -> Refusal {
        let (status, code) = match error {
            UserError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown_user"),
            UserError::Known(_) => (StatusCode::CONFLICT, "user_exists"),
            UserError::Configured(_) => (StatusCode::CONFLICT, "in_configuration"),
            UserError::Full => (StatusCode::CONFLICT, "too_many_users"),
            UserError::BadName(_)
            | UserError::BadCalled
            | UserError::BadPassword
            | UserError::AgentMissing
            | UserError::AgentNotWanted(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            UserError::Table(_) | UserError::Entropy(_) | UserError::Hash(_) | UserError::Totp(_) => {
                return Refusal::internal(error.to_string());
            }
        };
        Refusal::new(status, code, error.to_string())
    }
}

/// Somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    /// The name they log in with.
    id: String,
    /// As others read it.
    name: String,
    role: UserRole,
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// They may not log in for now.
    disabled: bool,
    /// A code of an authenticator is asked for.
    second_factor: bool,
    /// They stand in the configuration and are changed there.
    configured: bool,
    /// Null for those of the configuration.
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Wall>,
    /// Where they are logged in now.
    sessions: usize,
}

impl UserView {
    fn of(stored: Stored, sessions: &BTreeMap<String, usize>) -> UserView {
        UserView {
            second_factor: stored.has_totp(),
            sessions: sessions.get(&stored.id).copied().unwrap_or(0),
            id: stored.id,
            name: stored.name,
            role: stored.role,
            agent: stored.agent,
            language: stored.language,
            disabled: stored.disabled,
            configured: false,
            created_at: Some(stored.created_at),
        }
    }

    fn configured(user: User, sessions: &BTreeMap<String, usize>) -> UserView {
        UserView {
            sessions: sessions.get(&user.id).copied().unwrap_or(0),
            id: user.id,
            name: user.name,
            role: user.role,
            agent: user.agent,
            language: user.language,
            disabled: false,
            second_factor: false,
            configured: true,
            created_at: None,
        }
    }
}

/// Everybody who may log in, by name.
#[derive(Serialize, ToSchema)]
pub struct UserList {
    users: Vec<UserView>,
}

fn everybody(context: &Context) -> Vec<UserView> {
    let mut sessions: BTreeMap<String, usize> = BTreeMap::new();
    let now = Wall::now();
    for session in context.tokens.list().into_iter().filter_map(|token| token.session) {
        if now < session.expires_at {
            *sessions.entry(session.user).or_default() += 1;
        }
    }
    let stored = context.users.list().into_iter().map(|stored| UserView::of(stored, &sessions));
    let configured = context.users.configured().into_iter().map(|user| UserView::configured(user, &sessions));
    let mut all: Vec<UserView> = stored.chain(configured).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

fn one(context: &Context, id: &str) -> Result<UserView, Refusal> {
    everybody(context).into_iter().find(|user| user.id == id).ok_or_else(|| UserError::Unknown(id.to_owned()).into())
}

/// Everybody who may log in.
#[utoipa::path(get, path = "/users", responses((status = 200, body = UserList)))]
pub(super) async fn users(State(context): State<Arc<Context>>) -> Result<Json<UserList>, Refusal> {
    Ok(Json(UserList { users: on_disk(context, everybody).await? }))
}

/// Somebody who is to log in from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserBody {
    /// 1 to 64 small letters, digits, `.`, `_`, `-`, `@`.
    id: String,
    /// As others read it; the same as `id` where it is left out.
    #[serde(default)]
    name: Option<String>,
    role: UserRole,
    /// The agent's number: for the role agent, and no other.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// 8 to 256 characters.
    password: String,
    /// Ask for a code of an authenticator at each log-in.
    #[serde(default)]
    second_factor: bool,
}

/// A user, and what their authenticator is given: it is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct NewUserView {
    user: UserView,
    /// `otpauth://…`, where a second factor was asked for.
    second_factor_url: Option<String>,
}

/// Adds somebody.
#[utoipa::path(post, path = "/users", operation_id = "add_user", request_body = NewUserBody, responses(
    (status = 201, body = NewUserView),
    (status = 409, description = "There is a user of that name", body = super::refusal::ErrorBody),
    (status = 422, description = "Name, role, number or password do not fit", body = super::refusal::ErrorBody)))]
pub(super) async fn add(
    State(context): State<Arc<Context>>,
    By(by): By,
    body: ApiJson<NewUserBody>,
) -> Result<(StatusCode, Json<NewUserView>), Refusal> {
    let body = body.required(r#"{"id":"ada","role":"supervisor","password":"…"}"#)?;
    let id = body.id.to_ascii_lowercase();
    let wanted = NewUser {
        id: body.id,
        name: body.name,
        role: body.role,
        agent: body.agent,
        language: body.language,
        password: body.password,
        totp: body.second_factor,
    };
    on_disk(context, move |context| {
        let second_factor_url = context.users.add(wanted, Wall::now())?;
        note(context, &by, Deed::UserAdded, &id);
        Ok((StatusCode::CREATED, Json(NewUserView { user: one(context, &id)?, second_factor_url })))
    })
    .await?
}

/// A field that may be left out, or be null to say that there is to be none.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// What is to be otherwise; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    role: Option<UserRole>,
    /// Null with a role that has no number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    agent: Option<Option<AgentId>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<Language>>,
    /// They may not log in, until this is false again.
    #[serde(default)]
    disabled: Option<bool>,
}

/// Changes somebody. With another role or number, or disabled, their sessions are over.
#[utoipa::path(patch, path = "/users/{id}", operation_id = "change_user", params(("id" = String, Path, description = "The name they log in with")),
    request_body = UserPatch, responses(
    (status = 200, body = UserView),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody),
    (status = 409, description = "They stand in the configuration, or it is you", body = super::refusal::ErrorBody),
    (status = 422, description = "Role and number do not fit", body = super::refusal::ErrorBody)))]
pub(super) async fn change(
    State(context): State<Arc<Context>>,
    By(by): By,
    Id(id): Id,
    body: ApiJson<UserPatch>,
) -> Result<Json<UserView>, Refusal> {
    let patch = body.required(r#"{"role":"supervisor","agent":null}"#)?;
    if patch.role.is_some_and(|role| role != UserRole::Admin) || patch.disabled == Some(true) {
        not_oneself(&by, &id)?;
    }
    let ends = patch.role.is_some() || patch.agent.is_some() || patch.disabled == Some(true);
    let change = UserChange {
        name: patch.name,
        role: patch.role,
        agent: patch.agent,
        language: patch.language,
        disabled: patch.disabled,
    };
    on_disk(context, move |context| {
        context.users.alter(&id, change)?;
        note(context, &by, Deed::UserChanged, &id);
        if ends && by.who != id {
            context.tokens.end_sessions(&id)?;
        }
        one(context, &id).map(Json)
    })
    .await?
}

/// Removes somebody; their sessions are over.
#[utoipa::path(delete, path = "/users/{id}", operation_id = "remove_user", params(("id" = String, Path, description = "The name they log in with")),
    responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody),
    (status = 409, description = "They stand in the configuration, or it is you", body = super::refusal::ErrorBody)))]
pub(super) async fn remove(State(context): State<Arc<Context>>, By(by): By, Id(id): Id) -> Result<StatusCode, Refusal> {
    not_oneself(&by, &id)?;
    on_disk(context, move |context| {
        context.users.remove(&id)?;
        note(context, &by, Deed::UserRemoved, &id);
        context.tokens.end_sessions(&id)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await?
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// 8 to 256 characters.
    password: String,
}

/// Gives somebody another password; their sessions are over.
#[utoipa::path(post, path = "/users/{id}/password", operation_id = "set_password", params(("id" = String, Path, description = "The name they log in with")),
    request_body = PasswordBody, responses(
    (status = 204, description = "Set"),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody),
    (status = 409, description = "They stand in the configuration", body = super::refusal::ErrorBody),
    (status = 422, description = "Too short or too long", body = super::refusal::ErrorBody)))]
pub(super) async fn password(
    State(context): State<Arc<Context>>,
    By(by): By,
    Id(id): Id,
    body: ApiJson<PasswordBody>,
) -> Result<StatusCode, Refusal> {
    let PasswordBody { password } = body.required(r#"{"password":"…"}"#)?;
    on_disk(context, move |context| {
        context.users.set_password(&id, &password)?;
        note(context, &by, Deed::PasswordSet, &id);
        context.tokens.end_sessions(&id)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await?
}

/// What an authenticator is given, as a QR code or by hand: it is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct SecondFactor {
    url: String,
}

/// Asks somebody for the code of a new authenticator at each log-in.
#[utoipa::path(post, path = "/users/{id}/second-factor", operation_id = "set_second_factor",
    params(("id" = String, Path, description = "The name they log in with")), responses(
    (status = 200, body = SecondFactor),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody),
    (status = 409, description = "They stand in the configuration", body = super::refusal::ErrorBody)))]
pub(super) async fn set_second_factor(
    State(context): State<Arc<Context>>,
    By(by): By,
    Id(id): Id,
) -> Result<Json<SecondFactor>, Refusal> {
    on_disk(context, move |context| {
        let url = context.users.set_second_factor(&id)?;
        note(context, &by, Deed::SecondFactorSet, &id);
        Ok(Json(SecondFactor { url }))
    })
    .await?
}

/// Asks somebody for their password alone.
#[utoipa::path(delete, path = "/users/{id}/second-factor", operation_id = "remove_second_factor",
    params(("id" = String, Path, description = "The name they log in with")), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody),
    (status = 409, description = "They stand in the configuration", body = super::refusal::ErrorBody)))]
pub(super) async fn remove_second_factor(
    State(context): State<Arc<Context>>,
    By(by): By,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    on_disk(context, move |context| {
        context.users.remove_second_factor(&id)?;
        note(context, &by, Deed::SecondFactorRemoved, &id);
        Ok(StatusCode::NO_CONTENT)
    })
    .await?
}

/// Logs somebody out everywhere.
#[utoipa::path(delete, path = "/users/{id}/sessions", operation_id = "end_sessions",
    params(("id" = String, Path, description = "The name they log in with")), responses(
    (status = 204, description = "None is left"),
    (status = 404, description = "No such user", body = super::refusal::ErrorBody)))]
pub(super) async fn end_sessions(
    State(context): State<Arc<Context>>,
    By(by): By,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    on_disk(context, move |context| {
        one(context, &id)?;
        context.tokens.end_sessions(&id)?;
        note(context, &by, Deed::SessionsEnded, &id);
        Ok(StatusCode::NO_CONTENT)
    })
    .await?
}

/// Nobody locks themselves out: there would be nobody to let them in again.
fn not_oneself(by: &Actor, id: &str) -> Result<(), Refusal> {
    if by.who == id {
        let message = "you cannot remove or disable yourself, nor take your own role away; ask another administrator";
        return Err(Refusal::new(StatusCode::CONFLICT, "oneself", message));
    }
    Ok(())
}

/// What was done stands, also where it cannot be noted.
fn note(context: &Context, by: &Actor, what: Deed, id: &str) {
    if let Err(error) = context.bench.note(&by.did(what, id)) {
        tracing::error!("user {id}: {what:?} by {} is not in the audit: {error}", by.who);
    }
}
