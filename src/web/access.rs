//! Who may do what: one table of routes, rules and roles, and the layer that holds requests to it.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::tokens::{Identity, Role, Session};
use super::{Context, login};
use crate::time::Wall;

/// Whom a route serves.
///
/// | rule | no token | callback | presence | agent | supervisor | operator | admin |
/// |---|---|---|---|---|---|---|---|
/// | `Open` | yes | yes | yes | yes | yes | yes | yes |
/// | `Page` | 401 | yes, at a limited rate | 403 | yes | yes | yes | yes |
/// | `Tell` | 401 | 403 | yes | 403 | 403 | yes | yes |
/// | `Read` | 401 | 403 | 403 | yes | yes | yes | yes |
/// | `Own` | 401 | 403 | 403 | what is theirs, else 403 | yes | yes | yes |
/// | `Staff` | 401 | 403 | 403 | 403 | yes | yes | yes |
/// | `Operate` | 401 | 403 | 403 | 403 | 403 | yes | yes |
/// | `Admin` | 401 | 403 | 403 | 403 | 403 | 403 | yes |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Open,
    /// Fit for a web page, whose key everybody can read.
    Page,
    /// What another system knows of people, told to us.
    Tell,
    Read,
    /// An agent may change their own state, hang up, record or steer the call they are on, and say what it came to.
    Own,
    /// What callers said, what was promised to them, and how others work is not for every agent.
    Staff,
    /// The configuration.
    Operate,
    Admin,
}

/// Every route of the API, below `/api/v1`.
pub const ROUTES: &[(&str, &str, Rule)] = &[
    ("GET", "/healthz", Rule::Open),
    ("GET", "/readyz", Rule::Open),
    ("GET", "/metrics", Rule::Open),
    ("GET", "/openapi.json", Rule::Open),
    ("POST", "/login", Rule::Open),
    ("POST", "/logout", Rule::Read),
    ("GET", "/session", Rule::Read),
    ("GET", "/centre", Rule::Read),
    ("GET", "/calls", Rule::Read),
    ("GET", "/calls/{id}", Rule::Read),
    ("GET", "/calls/{id}/trace", Rule::Read),
    ("GET", "/calls/{id}/contacts", Rule::Own),
    ("POST", "/calls/{id}/hangup", Rule::Own),
    ("POST", "/calls/{id}/record", Rule::Own),
    ("POST", "/calls/{id}/supervise", Rule::Staff),
    ("POST", "/calls/{id}/hold", Rule::Own),
    ("POST", "/calls/{id}/resume", Rule::Own),
    ("POST", "/calls/{id}/mute", Rule::Own),
    ("POST", "/calls/{id}/answer", Rule::Own),
    ("POST", "/calls/{id}/digits", Rule::Own),
    ("POST", "/calls/{id}/transfer", Rule::Own),
    ("POST", "/calls/{id}/consult", Rule::Own),
    ("POST", "/calls/{id}/consult/swap", Rule::Own),
    ("POST", "/calls/{id}/consult/complete", Rule::Own),
    ("POST", "/calls/{id}/consult/cancel", Rule::Own),
    ("POST", "/calls/{id}/consult/conference", Rule::Own),
    ("POST", "/calls/{id}/disposition", Rule::Own),
    ("GET", "/queues", Rule::Read),
    ("GET", "/agents", Rule::Read),
    ("POST", "/agents/{id}/state", Rule::Own),
    ("DELETE", "/agents/{id}/state", Rule::Own),
    ("POST", "/agents/{id}/phone", Rule::Own),
    ("GET", "/experts", Rule::Read),
    ("POST", "/experts/{id}/presence", Rule::Tell),
    ("GET", "/events", Rule::Read),
    ("GET", "/voicemails", Rule::Staff),
    ("GET", "/recordings/{id}", Rule::Staff),
    ("PATCH", "/recordings/{id}", Rule::Staff),
    ("DELETE", "/recordings/{id}", Rule::Staff),
    ("GET", "/reports", Rule::Staff),
    ("GET", "/records", Rule::Staff),
    ("GET", "/callbacks", Rule::Read),
    ("POST", "/callbacks", Rule::Page),
    ("DELETE", "/callbacks/{id}", Rule::Staff),
    ("GET", "/plans", Rule::Operate),
    ("GET", "/plans/file", Rule::Operate),
    ("GET", "/plans/schema", Rule::Operate),
    ("POST", "/plans/check", Rule::Operate),
    ("POST", "/plans/picture", Rule::Operate),
    ("POST", "/plans/trace", Rule::Operate),
    ("POST", "/plans/tests", Rule::Operate),
    ("POST", "/plans/diff", Rule::Operate),
    ("POST", "/plans/activate", Rule::Operate),
    ("POST", "/plans/rollback", Rule::Operate),
    ("GET", "/plans/versions/{id}", Rule::Operate),
    ("GET", "/plans/versions/{id}/file", Rule::Operate),
    ("GET", "/prompts", Rule::Operate),
    ("GET", "/prompts/words", Rule::Read),
    ("GET", "/prompts/sound", Rule::Operate),
    ("PUT", "/prompts/sound", Rule::Operate),
    ("DELETE", "/prompts/sound", Rule::Operate),
    ("GET", "/audit", Rule::Operate),
    ("GET", "/reload", Rule::Operate),
    ("POST", "/reload", Rule::Operate),
    ("GET", "/users", Rule::Admin),
    ("POST", "/users", Rule::Admin),
    ("PATCH", "/users/{id}", Rule::Admin),
    ("DELETE", "/users/{id}", Rule::Admin),
    ("POST", "/users/{id}/password", Rule::Admin),
    ("POST", "/users/{id}/second-factor", Rule::Admin),
    ("DELETE", "/users/{id}/second-factor", Rule::Admin),
    ("DELETE", "/users/{id}/sessions", Rule::Admin),
    ("GET", "/tokens", Rule::Admin),
    ("POST", "/tokens", Rule::Admin),
    ("DELETE", "/tokens/{id}", Rule::Admin),
];

/// The routes that are at the root as well.
pub const AT_ROOT: &[&str] = &["/healthz", "/readyz", "/metrics"];
pub const PREFIX: &str = "/api/v1";
/// What writes of our pages come with.
const OUR_HEADER: &str = "x-relais";

fn rule_of(method: &Method, matched: &str) -> Option<Rule> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let path = matched.strip_prefix(PREFIX).unwrap_or(matched);
    ROUTES.iter().find(|route| route.0 == method && route.1 == path).map(|route| route.2)
}

/// Lets a request through to its handler, with its `Identity` as an extension, or refuses it.
pub(super) async fn authorise(State(context): State<Arc<Context>>, mut request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // A method the table does not have goes on to the router's 405.
    let rule = matched.and_then(|matched| rule_of(request.method(), matched)).unwrap_or(Rule::Open);
    if rule == Rule::Open {
        return next.run(request).await;
    }
    let (identity, session) = match identify(&context, &request) {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    if let Some(session) = session {
        request.extensions_mut().insert(session);
    }
    if rule != Rule::Page && identity.role == Role::Callback {
        let message = "a token with role callback may ask for call-backs and nothing else; use one with another role";
        return Refusal::forbidden(message).into_response();
    }
    if rule != Rule::Tell && identity.role == Role::Presence {
        let message = "a token with role presence may tell how experts are and nothing else; use one with another role";
        return Refusal::forbidden(message).into_response();
    }
    if rule == Rule::Tell && matches!(identity.role, Role::Agent | Role::Supervisor) {
        let role = identity.role.name();
        let message = format!("role {role} may not tell how experts are; use a token with role presence or operator");
        return Refusal::forbidden(message).into_response();
    }
    if rule == Rule::Admin && identity.role != Role::Admin {
        let message = format!("role {} may not see to users and tokens; use one with role admin", identity.role.name());
        return Refusal::forbidden(message).into_response();
    }
    if rule == Rule::Staff && identity.role == Role::Agent {
        let message = "an agent may not listen to messages and recordings, read reports, or take call-backs back; ask a supervisor";
        return Refusal::forbidden(message).into_response();
    }
    if rule == Rule::Operate && !matches!(identity.role, Role::Operator | Role::Admin) {
        let role = identity.role.name();
        let message = format!("role {role} may not see to the configuration; use a token with role operator or admin");
        return Refusal::forbidden(message).into_response();
    }
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        tracing::info!(token = identity.token_id, method = %request.method(), path = request.uri().path(), "api");
    }
    request.extensions_mut().insert(identity);
    next.run(request).await
}

fn identify(context: &Context, request: &Request) -> Result<(Identity, Option<Session>), Refusal> {
    let refuse = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        let Some(cookie) = login::cookie_of(request.headers()) else {
            return Err(refuse(
                "this needs a log-in or a token: send 'Authorization: Bearer TOKEN' (the first one is in DATA/admin.token)",
            ));
        };
        let (identity, session) =
            logged_in(context, cookie).ok_or_else(|| refuse("the session is over; log in again"))?;
        from_our_page(context, request)?;
        return Ok((identity, Some(session)));
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(token) = token else {
        return Err(refuse(
            "the Authorization header is not of the form 'Bearer TOKEN'; send the word Bearer, then the token",
        ));
    };
    let identity = context.tokens.identify(token).ok_or_else(|| {
        refuse("this token is not known or was deleted; make a new one with 'relais token create --role ROLE'")
    })?;
    Ok((identity, None))
}

/// A session ends with its time, and when the user is removed or has another password, role or number.
fn logged_in(context: &Context, cookie: &str) -> Option<(Identity, Session)> {
    let (identity, session) = context.tokens.session(cookie, Wall::now())?;
    let person = context.users.person(&session.user)?;
    (person.key == session.key).then_some((identity, session))
}

/// A browser sends the cookie whoever made it ask. A page of another host can neither send a header of ours nor pretend to
/// be of this one.
fn from_our_page(context: &Context, request: &Request) -> Result<(), Refusal> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !request.headers().contains_key(OUR_HEADER) {
        let message = format!("a write that comes with a cookie needs the header '{OUR_HEADER}: 1'");
        return Err(Refusal::new(StatusCode::FORBIDDEN, "not_our_page", message));
    }
    same_origin(context, request.headers())
}

/// Where a browser says which page asks, it must be one of this host. It always says so for a WebSocket.
pub(super) fn same_origin(context: &Context, headers: &HeaderMap) -> Result<(), Refusal> {
    known_origin(context, headers, &[])
}

/// The same, and it may be one of these others.
pub(super) fn known_origin(context: &Context, headers: &HeaderMap, others: &[String]) -> Result<(), Refusal> {
    check_origin(headers, context.door.is_some(), others)
}

/// Where our own pages come by TLS alone, one that says it came without it is somebody else's on the way here.
fn check_origin(headers: &HeaderMap, tls: bool, others: &[String]) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let page = origin.split_once("://").filter(|(scheme, _)| !tls || *scheme == "https").map(|(_, host)| host);
    if (page.is_some() && page == text(header::HOST)) || others.iter().any(|other| other == origin) {
        return Ok(());
    }
    let message = "a page of another host asks; where a proxy stands between, let it pass the header Host as it came";
    Err(Refusal::new(StatusCode::FORBIDDEN, "other_origin", message))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_of_this_host_may_ask_and_no_other() {
        let headers = |origin: &str| {
            let pairs = [(header::HOST, "relais.test:8080"), (header::ORIGIN, origin)];
            HeaderMap::from_iter(pairs.map(|(name, value)| (name, HeaderValue::from_str(value).unwrap())))
        };
        for (ours, tls) in [
            ("http://relais.test:8080", false),
            ("https://relais.test:8080", false),
            ("https://relais.test:8080", true),
        ] {
            assert!(check_origin(&headers(ours), tls, &[]).is_ok(), "{ours}");
        }
        assert!(check_origin(&headers("http://relais.test:8080"), true, &[]).is_err(), "a page that came in the clear");
        for other in ["http://relais.test", "http://evil.test:8080", "http://relais.test:8080.evil.test", "null", ""] {
            assert!(check_origin(&headers(other), false, &[]).is_err(), "{other}");
        }
        assert!(check_origin(&HeaderMap::new(), true, &[]).is_ok(), "no browser");
    }

    #[test]
    fn head_follows_the_rule_of_get_and_other_methods_have_none() {
        assert_eq!(rule_of(&Method::HEAD, "/api/v1/calls"), Some(Rule::Read));
        assert_eq!(rule_of(&Method::GET, "/metrics"), Some(Rule::Open));
        assert_eq!(rule_of(&Method::PUT, "/api/v1/tokens"), None);
    }
}
