//! Messages and recordings: their list, their audio, their end.

use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::access::PREFIX;
use super::extract::{ApiJson, Id};
use super::refusal::{Refusal, quoted};
use super::routes::{ask, find_call, is_on_call, on_disk};
use super::tokens::{Identity, Role};
use crate::ids::{AgentId, RecordingId};
use crate::record::Recording;
use crate::views::{ApiRequest, RecordingWish};

/// Messages of one answer.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// Where recordings are kept. Its calls may wait for the disk.
pub trait Archive: Send + Sync {
    /// The latest messages, newest first; of one mailbox where it is given, and only those before `before`.
    fn voicemails(
        &self,
        mailbox: Option<&str>,
        before: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<Recording>, String>;

    /// Where the audio of a recording is, if there is such a recording.
    fn file(&self, recording: RecordingId) -> PathBuf;
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedRecording {
    state: RecordingWish,
}

/// Starts, pauses (silence stands for what is said), resumes or ends the recording of both sides of a call. An agent
/// does so in the call they are on. Who has refused to be recorded is not.
#[utoipa::path(post, path = "/calls/{id}/record", params(("id" = String, Path, description = "call_id")),
    request_body = WantedRecording, responses(
    (status = 200, description = "Done; `recording_id` names the recording"),
    (status = 403, description = "An agent, and not on this call", body = super::refusal::ErrorBody),
    (status = 404, description = "No such call", body = super::refusal::ErrorBody),
    (status = 409, description = "The caller has refused, or there is nothing to pause", body = super::refusal::ErrorBody)))]
pub(super) async fn record(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<WantedRecording>,
) -> Result<Json<Value>, Refusal> {
    let call = find_call(&context, &id)?;
    let wish = body.required(r#"{"state":"on"}"#)?.state;
    let agent = who.agent.as_ref().map_or("", AgentId::as_str);
    if who.role == Role::Agent && !is_on_call(&context, &call, agent) {
        return Err(Refusal::forbidden("an agent may record only the call they are on; ask a supervisor"));
    }
    ask(&context, ApiRequest::Record { call: call.call_id, wish }).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only messages of this mailbox.
    mailbox: Option<String>,
    /// Only messages before this `recording_id`: the last one of the page before.
    before: Option<String>,
    /// At most so many, up to 1000; 100 where it is not given.
    limit: Option<usize>,
}

/// Messages that callers have left.
#[derive(Serialize, ToSchema)]
pub struct Voicemails {
    voicemails: Vec<Recording>,
}

/// The messages that callers have left, newest first. Their audio is at `/recordings/{recording_id}`.
#[utoipa::path(get, path = "/voicemails", params(Wanted), responses(
    (status = 200, body = Voicemails),
    (status = 400, description = "A parameter that is not understood", body = super::refusal::ErrorBody)))]
pub(super) async fn voicemails(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Voicemails>, Refusal> {
    let Query(wanted) =
        wanted.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
    let before = match wanted.before.as_deref() {
        Some(before) => Some(parse(before).ok_or_else(|| {
            let message = format!("'before' is '{}'; it must be a recording_id", quoted(before));
            Refusal::new(StatusCode::BAD_REQUEST, "bad_before", message)
        })?),
        None => None,
    };
    let limit = wanted.limit.unwrap_or(USUAL).min(MOST);
    let listed =
        on_disk(context, move |context| context.archive.voicemails(wanted.mailbox.as_deref(), before, limit)).await?;
    let voicemails = listed.map_err(|error| {
        tracing::error!("the list of messages cannot be read: {error}");
        Refusal::unavailable("store_busy", "the list of messages cannot be read now; try again in a second")
    })?;
    Ok(Json(Voicemails { voicemails }))
}

/// The audio of a message or a call, in FLAC. Takes one `Range` of bytes.
#[utoipa::path(get, path = "/recordings/{id}", params(("id" = String, Path, description = "recording_id")), responses(
    (status = 200, description = "The whole file", content_type = "audio/flac"),
    (status = 206, description = "The range asked for", content_type = "audio/flac"),
    (status = 404, description = "No such recording, or it has not ended", body = super::refusal::ErrorBody),
    (status = 416, description = "The range lies outside", body = super::refusal::ErrorBody)))]
pub(super) async fn audio(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let recording = parse(&id).ok_or_else(|| unknown(&id))?;
    let mut file = File::open(context.archive.file(recording)).await.map_err(|_| unknown(&id))?;
    let size = file.metadata().await.map_err(|_| unknown(&id))?.len();
    tracing::info!(token = who.token_id, %recording, "a recording is listened to");
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).map(|range| range_of(range, size));
    let (status, first, length) = match asked {
        None | Some(Range::Ignored) => (StatusCode::OK, 0, size),
        Some(Range::Part { first, length }) => (StatusCode::PARTIAL_CONTENT, first, length),
        Some(Range::Outside) => {
            let message = format!("the file has {size} bytes; ask for a range within it");
            let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_outside", message);
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], refusal).into_response());
        }
    };
    file.seek(SeekFrom::Start(first)).await.map_err(|error| broken(&error))?;
    let body = Body::from_stream(ReaderStream::new(file.take(length)));
    let mut response = (status, body).into_response();
    let head = response.headers_mut();
    let mut put = |name, value: String| value.parse().map(|value| head.insert(name, value)).is_ok();
    put(header::CONTENT_TYPE, "audio/flac".to_owned());
    put(header::ACCEPT_RANGES, "bytes".to_owned());
    put(header::CONTENT_LENGTH, length.to_string());
    put(header::CONTENT_DISPOSITION, format!("inline; filename=\"{recording}.flac\""));
    if status == StatusCode::PARTIAL_CONTENT {
        put(header::CONTENT_RANGE, format!("bytes {first}-{}/{size}", first + length - 1));
    }
    Ok(response)
}

/// Deletes a message or the recording of a call that has ended; its audio is gone.
#[utoipa::path(delete, path = "/recordings/{id}", params(("id" = String, Path, description = "recording_id")), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "No such recording", body = super::refusal::ErrorBody),
    (status = 409, description = "Its call is still up", body = super::refusal::ErrorBody)))]
pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    let recording = parse(&id).ok_or_else(|| unknown(&id))?;
    tokio::fs::metadata(context.archive.file(recording)).await.map_err(|_| unknown(&id))?;
    ask(&context, ApiRequest::DeleteRecording { recording, by: who.token_id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Only the one way in which an id is written names a file.
fn parse(id: &str) -> Option<RecordingId> {
    id.parse::<RecordingId>().ok().filter(|parsed| parsed.to_string() == id)
}

fn unknown(id: &str) -> Refusal {
    let message = format!(
        "there is no recording '{}', or it is still being made; GET {PREFIX}/voicemails lists messages, and a call's \
         record names its recording",
        quoted(id)
    );
    Refusal::not_found("unknown_recording", message)
}

fn broken(error: &std::io::Error) -> Refusal {
    tracing::error!("a recording cannot be read: {error}");
    Refusal::internal("the recording cannot be read; see the server's log")
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Not one range of bytes: the whole file is a right answer (RFC 9110 §14.2).
    Ignored,
    Part {
        first: u64,
        length: u64,
    },
    Outside,
}

/// RFC 9110 §14.1.2: `bytes=0-499`, `bytes=500-`, `bytes=-500`.
fn range_of(value: &str, size: u64) -> Range {
    let Some((first, last)) = value.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Range::Ignored;
    };
    let part = |first: u64, last: u64| match first <= last {
        _ if first >= size => Range::Outside,
        true => Range::Part { first, length: last.min(size - 1) - first + 1 },
        false => Range::Ignored,
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => part(first, last),
        (Ok(first), Err(_)) if last.is_empty() => part(first, u64::MAX),
        (Err(_), Ok(0)) if first.is_empty() => Range::Outside,
        (Err(_), Ok(last)) if first.is_empty() => part(size.saturating_sub(last), u64::MAX),
        _ => Range::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file_and_what_is_no_range_is_ignored() {
        let part = |first, length| Range::Part { first, length };
        for (value, wanted) in [
            ("bytes=0-", part(0, 100)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 10)),
            ("bytes=90-1000", part(90, 10)),
            ("bytes=-10", part(90, 10)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=100-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=19-10", Range::Ignored),
            ("bytes=0-9,20-29", Range::Ignored),
            ("bytes=-", Range::Ignored),
            ("bytes=a-b", Range::Ignored),
            ("lines=1-2", Range::Ignored),
            ("bytes=18446744073709551615-18446744073709551615", Range::Outside),
            ("bytes=99999999999999999999-", Range::Ignored),
        ] {
            assert_eq!(range_of(value, 100), wanted, "{value}");
        }
        assert_eq!(range_of("bytes=0-", 0), Range::Outside);
    }

    #[test]
    fn an_id_has_one_form_and_never_leaves_its_folder() {
        let id = RecordingId::new(1_764_328_000_000, 5).to_string();
        assert!(parse(&id).is_some());
        for wrong in ["", "5", "../../etc/passwd", "+5", &id.to_uppercase(), &format!("0{id}"), &format!("{id}/..")] {
            assert_eq!(parse(wrong).filter(|_| wrong != id), None, "{wrong}");
        }
    }
}
