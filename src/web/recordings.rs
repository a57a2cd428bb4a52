//! Messages and recordings: their list, their audio, their end.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};

use super::access::PREFIX;
use super::extract::{ApiJson, Id};
use super::refusal::{Refusal, quoted};
use super::routes::{ask, find_call, is_on_call, on_disk};
use super::tokens::{Identity, Role};
use super::{Asked, Context};
use crate::ids::{AgentId, RecordingId};
use crate::record::Recording;
use crate::views::{ApiRequest, RecordingWish};

/// Messages of one answer.
const MOST: usize = 1_000;
const USUAL: usize = 100;
/// Audio that is read at once, in octets.
const PIECE: u64 = 64 * 1024;

/// Where recordings are kept. Its calls may wait for the disk.
pub trait Archive: Send + Sync {
    /// The latest messages, newest first; of one mailbox where it is given, and only those before `before`.
    fn voicemails(
        &self,
        mailbox: Option<&str>,
        before: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<Recording>, String>;

    /// Whether there is such a recording, and it has ended.
    fn has(&self, recording: RecordingId) -> bool;

    fn open(&self, recording: RecordingId) -> Result<Audio, AudioFault>;
}

/// What can be read of a recording, and read from any place.
pub trait Content: Read + Seek + Send {}

impl<T: Read + Seek + Send> Content for T {}

/// The audio of a recording. What was altered is not read: an error comes in its place.
pub struct Audio {
    /// In octets.
    pub size: u64,
    pub content: Box<dyn Content>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum AudioFault {
    Missing,
    /// It is there, and cannot be read: with what is wrong, for the log.
    Unreadable(String),
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

/// The audio of a message or a call, in FLAC. Takes one `Range` of bytes. A message that is listened to is new no longer.
#[utoipa::path(get, path = "/recordings/{id}", params(("id" = String, Path, description = "recording_id")), responses(
    (status = 200, description = "The whole file", content_type = "audio/flac"),
    (status = 206, description = "The range asked for", content_type = "audio/flac"),
    (status = 404, description = "No such recording, or it has not ended", body = super::refusal::ErrorBody),
    (status = 416, description = "The range lies outside", body = super::refusal::ErrorBody),
    (status = 500, description = "Its file was altered, or its key is gone", body = super::refusal::ErrorBody)))]
pub(super) async fn audio(
    State(context): State<Arc<Context>>,
    method: Method,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let recording = parse(&id).ok_or_else(|| unknown(&id))?;
    let opened = on_disk(context.clone(), move |context| context.archive.open(recording)).await?;
    let audio = opened.map_err(|fault| match fault {
        AudioFault::Missing => unknown(&id),
        AudioFault::Unreadable(why) => broken(recording, &why),
    })?;
    let size = audio.size;
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
    tracing::info!(token = who.token_id, %recording, "a recording is listened to");
    if method == Method::GET {
        heard(&context, recording, by(&who));
    }
    let body = Body::from_stream(pieces(recording, audio.content, first, length));
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

/// A part of the audio, read piece by piece where it hurts nobody. What cannot be read breaks the answer off, so that
/// nobody takes what came for the whole.
fn pieces(
    recording: RecordingId,
    content: Box<dyn Content>,
    first: u64,
    length: u64,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold((content, first, length), move |(mut content, at, left)| async move {
        let wanted = usize::try_from(left.min(PIECE)).unwrap_or_default();
        if wanted == 0 {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; wanted];
            let read = content.seek(SeekFrom::Start(at)).and_then(|_| content.read_exact(&mut piece));
            (content, read.map(|()| Bytes::from(piece)))
        });
        let (content, read) = match read.await {
            Ok((content, read)) => (content, read),
            Err(error) => (Box::new(io::empty()) as Box<dyn Content>, Err(io::Error::other(error))),
        };
        if let Err(error) = &read {
            tracing::error!("recording {recording} breaks off at octet {at}: {error}");
        }
        // After an error nothing more is asked for.
        let left = if read.is_ok() { left - wanted as u64 } else { 0 };
        Some((read, (content, at + wanted as u64, left)))
    })
}

/// Where it is a message, it is new no longer. Nobody waits for that; what is no message the engine refuses.
fn heard(context: &Context, recording: RecordingId, by: String) {
    let (reply, _) = oneshot::channel();
    let request = ApiRequest::NoteRecording { recording, heard: Some(true), held: None, by };
    if (context.requests)(Asked { request, reply }).is_err() {
        tracing::warn!("the engine has too much to do: recording {recording} goes on counting as new");
    }
}

/// What is to be changed of a recording; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingNote {
    /// Whether a message counts as listened to.
    heard: Option<bool>,
    /// Whether it is kept whatever its age, and deleted by nobody.
    held: Option<bool>,
}

/// Says that a message counts as new or as listened to, or that a recording is held: kept whatever its age.
#[utoipa::path(patch, path = "/recordings/{id}", params(("id" = String, Path, description = "recording_id")),
    request_body = RecordingNote, responses(
    (status = 200, description = "Done: `heard` and `held` as they are now"),
    (status = 404, description = "No such recording, or it has not ended", body = super::refusal::ErrorBody),
    (status = 409, description = "Its call is still up, or it is no message that could be heard", body = super::refusal::ErrorBody)))]
pub(super) async fn note(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
    body: ApiJson<RecordingNote>,
) -> Result<Json<Value>, Refusal> {
    let recording = find(&context, &id).await?;
    let RecordingNote { heard, held } = body.required(r#"{"held":true}"#)?;
    if heard.is_none() && held.is_none() {
        let message = r#"nothing is to be changed; send {"held":true}, {"heard":false} or both"#;
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing_asked", message));
    }
    ask(&context, ApiRequest::NoteRecording { recording, heard, held, by: by(&who) }).await.map(Json)
}

/// Deletes a message or the recording of a call that has ended; its audio is gone.
#[utoipa::path(delete, path = "/recordings/{id}", params(("id" = String, Path, description = "recording_id")), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "No such recording", body = super::refusal::ErrorBody),
    (status = 409, description = "Its call is still up, or it is held", body = super::refusal::ErrorBody)))]
pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    Extension(who): Extension<Identity>,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    let recording = find(&context, &id).await?;
    ask(&context, ApiRequest::DeleteRecording { recording, by: by(&who) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For the log.
fn by(who: &Identity) -> String {
    format!("token {}", who.token_id)
}

async fn find(context: &Arc<Context>, id: &str) -> Result<RecordingId, Refusal> {
    let recording = parse(id).ok_or_else(|| unknown(id))?;
    let there = on_disk(context.clone(), move |context| context.archive.has(recording)).await?;
    there.then_some(recording).ok_or_else(|| unknown(id))
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

fn broken(recording: RecordingId, why: &str) -> Refusal {
    tracing::error!("recording {recording} cannot be read: {why}");
    let message = format!(
        "recording {recording} cannot be read: its file was altered, or the key that it was sealed with is not in the key \
         file; the server's log says which, and so does 'relais recording check'"
    );
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "recording_unreadable", message)
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
    use futures_util::StreamExt;

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

    /// Audio whose second half cannot be read.
    struct Broken(io::Cursor<Vec<u8>>);

    impl Read for Broken {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let left = (PIECE + 100).saturating_sub(self.0.position());
            if left == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Read::by_ref(&mut self.0).take(left).read(to)
        }
    }

    impl Seek for Broken {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_breaks_the_answer_off() {
        let recording = RecordingId::new(1_764_328_000_000, 5);
        let content = Broken(io::Cursor::new(vec![7; 3 * PIECE as usize]));
        let got: Vec<_> = pieces(recording, Box::new(content), 0, 3 * PIECE).collect().await;
        let sizes: Vec<_> = got.iter().map(|piece| piece.as_ref().map(Bytes::len).map_err(io::Error::kind)).collect();
        assert_eq!(sizes, [Ok(PIECE as usize), Err(io::ErrorKind::InvalidData)]);
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
