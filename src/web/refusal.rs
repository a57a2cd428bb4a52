//! Refusals: whatever goes wrong, the client gets `{"error":{"code":…,"message":…}}` that says what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::tokens::TokenError;
use crate::findings::Finding;
use crate::views::ApiError;

/// Longest piece of a client's own text that a message repeats, in characters.
const QUOTED: usize = 64;

/// An HTTP error with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: String,
    pub message: String,
    /// Seconds after which asking again makes sense.
    pub retry_after: Option<u32>,
    /// What is wrong with the operator's files, where that is the reason.
    pub findings: Vec<Finding>,
}

/// The body of every answer with status 400 and above.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorText,
}

#[derive(Serialize, ToSchema)]
struct ErrorText {
    /// Stable, for programs.
    code: String,
    /// For people: what is wrong, and what to do.
    message: String,
    /// What is wrong with the operator's files, where that is the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status, code: code.to_owned(), message: message.into(), retry_after: None, findings: Vec::new() }
    }

    pub fn not_found(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, code, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 503: come again in a second.
    pub fn unavailable(code: &str, message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(1), ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// 429: too many want this at once; come again in a second.
    pub fn crowded(message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(1), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "busy", message) }
    }

    pub fn internal(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: ErrorText { code: self.code, message: self.message, findings: self.findings } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750 §3
            let challenge = HeaderValue::from_static("Bearer realm=\"relais\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        match StatusCode::from_u16(error.status) {
            Ok(StatusCode::SERVICE_UNAVAILABLE) => Refusal::unavailable(&error.code, error.message),
            Ok(status) if status.is_client_error() => Refusal::new(status, &error.code, error.message),
            _ => Refusal::internal(error.message),
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Refusal {
        let (status, code) = match error {
            TokenError::UnknownRole(_)
            | TokenError::AgentMissing
            | TokenError::AgentNotWanted(_)
            | TokenError::BadName => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            TokenError::Full => (StatusCode::CONFLICT, "too_many_tokens"),
            TokenError::Table(_) | TokenError::Entropy(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Refusal::new(status, code, error.to_string())
    }
}

/// A client's text as a message repeats it: short, without control characters.
pub fn quoted(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(QUOTED).collect();
    if text.chars().nth(QUOTED).is_some() {
        short.push('…');
    }
    short
}

/// `; did you mean 'x'?` for the name that is nearest to `wrong`, or nothing where none is near.
pub fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let wrong = quoted(wrong);
    let near = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min();
    near.map(|(_, name)| format!("; did you mean '{name}'?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggestion("2O1", ["201", "202"]), "; did you mean '201'?");
        assert_eq!(suggestion("zzzzzz", ["201", "202"]), "");
        assert_eq!(suggestion("/api/v1/call", ["/api/v1/calls", "/metrics"]), "; did you mean '/api/v1/calls'?");
    }

    #[test]
    fn what_a_client_wrote_is_repeated_short_and_harmless() {
        assert_eq!(quoted("a\r\nb"), "a\u{fffd}\u{fffd}b");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), QUOTED + 1);
    }
}
