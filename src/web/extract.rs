//! What comes in with a request, read with bounds and refused in our own words.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// Largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The same of a draft: the texts of several files.
pub const DRAFT_LIMIT: usize = 2 * 1024 * 1024;
/// The same of a sound file: five minutes of a WAV at 48 kHz in one channel.
pub const SOUND_LIMIT: usize = 32 * 1024 * 1024;
/// A body must be here by then.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body; `None` where the request has no body at all.
pub struct ApiJson<T>(pub Option<T>);

impl<T> ApiJson<T> {
    /// The body, for requests that need one; `example` shows what it looks like.
    pub fn required(self, example: &str) -> Result<T, Refusal> {
        self.0.ok_or_else(|| {
            let message = format!("the body is empty; send JSON such as {example}");
            Refusal::new(StatusCode::BAD_REQUEST, "body_missing", message)
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        json_within(request, BODY_LIMIT).await.map(ApiJson)
    }
}

/// A JSON body with the texts of files in it.
pub struct DraftJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for DraftJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let body = json_within(request, DRAFT_LIMIT).await?;
        ApiJson(body).required(r#"{"changes":[]}"#).map(DraftJson)
    }
}

/// A body of other octets, such as a sound file.
pub struct Octets(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Octets {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        read(request.into_body(), SOUND_LIMIT).await.map(Octets)
    }
}

async fn json_within<T: DeserializeOwned>(request: Request, limit: usize) -> Result<Option<T>, Refusal> {
    let (parts, body) = request.into_parts();
    let body = read(body, limit).await?;
    if body.is_empty() {
        return Ok(None);
    }
    if !is_json(&parts.headers) {
        let message = "the body must be JSON; send 'Content-Type: application/json'";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
    }
    serde_json::from_slice(&body).map(Some).map_err(malformed)
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body is too large; at most {limit} bytes are taken");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit + 1)).await {
        Ok(Ok(bytes)) if bytes.len() <= limit => Ok(bytes),
        Ok(Ok(_)) => Err(too_large()),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => {
            let message = "the body broke off; send it whole, with its true Content-Length";
            Err(Refusal::new(StatusCode::BAD_REQUEST, "body_broken", message))
        }
        Err(_) => {
            let message = format!("the body was not here within {} s; send it faster", BODY_TIMEOUT.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_slow", message))
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn malformed(error: serde_json::Error) -> Refusal {
    if error.is_data() {
        let message = format!("the body does not fit: {error}; see /api/v1/openapi.json");
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    } else {
        Refusal::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not valid JSON: {error}"))
    }
}

/// Who sends the request: the far end of its connection, or whom a proxy on this machine says it is.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// A proxy appends the address it was called from; what stands before was written by others.
    pub fn of(connection: IpAddr, headers: &HeaderMap) -> Peer {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        let last = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        Peer(last.filter(|_| connection.is_loopback()).unwrap_or(connection))
    }
}

/// Both ends of the connection that a request comes by.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// The `{id}` of the path, percent-decoded.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| {
            let message = "the id in the path is not UTF-8; percent-encode its UTF-8 bytes";
            Refusal::new(StatusCode::BAD_REQUEST, "bad_path", message)
        })?;
        Ok(Id(id))
    }
}
