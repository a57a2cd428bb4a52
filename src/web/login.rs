//! People log in and out: a name and a password against a cookie.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::Context;
use super::extract::{ApiJson, Peer};
use super::limit::{Recent, network};
use super::refusal::Refusal;
use super::routes::on_disk;
use super::tokens::{Identity, NewToken, Role, Session};
use super::users::{LogIn, Person};
use crate::ids::{AgentId, Language};
use crate::record::millis;
use crate::time::Wall;

/// The cookie that a browser sends back.
pub(super) const COOKIE: &str = "relais_session";
/// A working day with its breaks; then the password is asked for again.
const SESSION: Duration = Duration::from_secs(12 * 3_600);
/// Longest name and password that are looked at, in bytes.
const LONGEST: usize = 1_024;

/// Failed log-ins in a window: of one name, and from one address (a whole centre may stand behind one).
const WINDOW: Duration = Duration::from_secs(900);
const OF_NAME: usize = 5;
const OF_ADDRESS: usize = 50;
/// Passwords that are looked at at once: each takes 19 MiB and a core for a while.
const AT_ONCE: usize = 2;
/// How long one may wait for its turn.
const TURN: Duration = Duration::from_secs(3);

/// Bounds of those who try passwords.
#[derive(Debug)]
pub(super) struct Attempts {
    failed: Mutex<Failed>,
    turns: Semaphore,
}

#[derive(Debug)]
struct Failed {
    by_name: Recent<String>,
    by_address: Recent<std::net::IpAddr>,
}

impl Default for Attempts {
    fn default() -> Attempts {
        let failed = Failed { by_name: Recent::new(WINDOW, 20_000), by_address: Recent::new(WINDOW, 20_000) };
        Attempts { failed: Mutex::new(failed), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Attempts {
    /// Counts an attempt as failed until it is known to be right. `Err`: how long to wait.
    fn begin(&self, name: &str, address: std::net::IpAddr, now: Instant) -> Result<(), Duration> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, address) = (name.to_owned(), network(address));
        let waits = [failed.by_name.wait(&name, OF_NAME, now), failed.by_address.wait(&address, OF_ADDRESS, now)];
        waits.into_iter().flatten().max().map_or(Ok(()), Err)?;
        failed.by_name.note(name, now);
        failed.by_address.note(address, now);
        Ok(())
    }

    fn was_right(&self, name: &str, address: std::net::IpAddr) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.by_name.forgive(&name.to_owned());
        failed.by_address.take_back(&network(address));
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    user: String,
    password: String,
    /// Six digits of the authenticator, for those who have one.
    #[serde(default)]
    code: Option<String>,
}

/// Who is asking.
#[derive(Serialize, ToSchema)]
pub struct Who {
    /// The name they log in with; null for a token.
    user: Option<String>,
    /// As others read it; null for a token.
    name: Option<String>,
    role: Role,
    /// The agent they act for; set for the role agent alone.
    #[schema(value_type = Option<String>)]
    agent: Option<AgentId>,
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// When the password is asked for again; null for a token.
    #[serde(with = "crate::record::optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Wall>,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    now: Wall,
}

/// Logs a person in. The session is in the cookie `relais_session`, which no script can read. Writes that come with it
/// need the header `X-Relais: 1`, which no page of another host can send.
#[utoipa::path(post, path = "/login", security(()), request_body = Credentials, responses(
    (status = 200, description = "Logged in; the cookie is in Set-Cookie", body = Who),
    (status = 401, description = "`wrong_password`, or `code_needed` where the authenticator's is missing", body = super::refusal::ErrorBody),
    (status = 429, description = "Too many failed log-ins of this name or from this address", body = super::refusal::ErrorBody)))]
pub(super) async fn log_in(
    State(context): State<Arc<Context>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: ApiJson<Credentials>,
) -> Result<Response, Refusal> {
    super::access::same_origin(&context, &headers)?;
    let given = body.required(r#"{"user":"ada","password":"…"}"#)?;
    if given.user.len() > LONGEST || given.password.len() > LONGEST {
        let message = format!("name and password have at most {LONGEST} bytes");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message));
    }
    let name = given.user.trim().to_ascii_lowercase();
    context.attempts.begin(&name, peer, Instant::now()).map_err(too_many)?;
    let person = match look(&context, &name, given).await? {
        LogIn::Welcome(person) => person,
        LogIn::CodeNeeded => {
            context.attempts.was_right(&name, peer);
            return Err(refused("code_needed", "give the code of your authenticator too"));
        }
        LogIn::Refused => {
            tracing::warn!(user = super::refusal::quoted(&name), address = %peer, "a log-in failed");
            return Err(refused("wrong_password", "name, password or code are not right"));
        }
    };
    context.attempts.was_right(&name, peer);
    tracing::info!(user = person.id, address = %peer, "logged in");
    let secure = context.is_secure(&headers);
    begin(context, person, secure).await
}

/// Looks at the password when it is its turn.
async fn look(context: &Arc<Context>, name: &str, given: Credentials) -> Result<LogIn, Refusal> {
    let Ok(Ok(_turn)) = tokio::time::timeout(TURN, context.attempts.turns.acquire()).await else {
        return Err(Refusal::crowded("many people log in just now; try again in a second"));
    };
    let name = name.to_owned();
    let asked =
        move |context: &Context| context.users.log_in(&name, &given.password, given.code.as_deref(), Wall::now());
    on_disk(context.clone(), asked).await
}

async fn begin(context: Arc<Context>, person: Person, secure: bool) -> Result<Response, Refusal> {
    let now = Wall::now();
    let expires_at = now + SESSION;
    let session = Session { user: person.id.clone(), key: person.key.clone(), expires_at };
    let wanted =
        NewToken { role: person.role, agent: person.agent.clone(), name: Some(format!("session of {}", person.id)) };
    let created = on_disk(context, move |context| context.tokens.begin_session(wanted, session, now)).await??;
    let who = Who {
        user: Some(person.id),
        name: Some(person.name),
        role: person.role,
        agent: person.agent,
        language: person.language,
        expires_at: Some(expires_at),
        now,
    };
    let mut response = Json(who).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&created.token, SESSION, secure)?);
    Ok(response)
}

/// Ends the session that the request comes with. A token is not touched.
#[utoipa::path(post, path = "/logout", operation_id = "end_session", responses((status = 204, description = "Logged out")))]
pub(super) async fn log_out(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if session.is_some() {
        super::softphone::take_back(&context, &who).await;
        let secure = context.is_secure(&headers);
        on_disk(context, move |context| context.tokens.delete(&who.token_id)).await??;
        response.headers_mut().insert(header::SET_COOKIE, cookie("", Duration::ZERO, secure)?);
    }
    Ok(response)
}

/// Who the request comes from, by its token or its session.
#[utoipa::path(get, path = "/session", responses((status = 200, body = Who)))]
pub(super) async fn session(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    session: Option<Extension<Session>>,
) -> Json<Who> {
    let session = session.map(|Extension(session)| session);
    let person = session.as_ref().and_then(|session| context.users.person(&session.user));
    let (name, language) = person.map_or((None, None), |person| (Some(person.name), person.language));
    Json(Who {
        user: session.as_ref().map(|session| session.user.clone()),
        name,
        role: who.role,
        agent: who.agent,
        language,
        expires_at: session.map(|session| session.expires_at),
        now: Wall::now(),
    })
}

/// The session a browser sends.
pub(super) fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn cookie(token: &str, age: Duration, secure: bool) -> Result<HeaderValue, Refusal> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", age.as_secs());
    HeaderValue::try_from(text).map_err(|_| Refusal::internal("the cookie cannot be written"))
}

/// A proxy on this machine says so.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

fn refused(code: &str, message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, code, message)
}

fn too_many(wait: Duration) -> Refusal {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1);
    let message = format!("too many log-ins failed; try again in {} minutes", seconds.div_ceil(60));
    Refusal { retry_after: Some(seconds), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_log_ins", message) }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_name_that_failed_five_times_waits_wherever_it_is_tried_from() {
        let attempts = Attempts::default();
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        for n in 0..5 {
            assert_eq!(attempts.begin("ada", host(n), at(u64::from(n))), Ok(()));
        }
        assert_eq!(attempts.begin("ada", host(9), at(5)), Err(Duration::from_secs(600)));
        assert_eq!(attempts.begin("bob", host(9), at(5)), Ok(()));
        assert_eq!(attempts.begin("ada", host(9), at(15)), Ok(()), "the first is over");
    }

    #[test]
    fn an_address_that_tries_many_names_waits_and_those_who_are_right_do_not_count() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for n in 0..200 {
            assert_eq!(attempts.begin(&format!("agent{n}"), host(1), now), Ok(()), "the morning's log-ins");
            attempts.was_right(&format!("agent{n}"), host(1));
        }
        for n in 0..OF_ADDRESS {
            assert_eq!(attempts.begin(&format!("guess{n}"), host(1), now), Ok(()));
        }
        assert_eq!(attempts.begin("other", host(1), now), Err(WINDOW));
        assert_eq!(attempts.begin("other", host(2), now), Ok(()));
    }

    #[test]
    fn the_cookie_is_found_among_others_and_by_its_whole_name() {
        let headers = |text: &str| HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(text).unwrap())]);
        assert_eq!(cookie_of(&headers("a=b; relais_session=relais-1-2; c=d")), Some("relais-1-2"));
        assert_eq!(cookie_of(&headers("xrelais_session=1; relais_sessions=2")), None);
        assert_eq!(cookie_of(&HeaderMap::new()), None);
    }
}
