//! The operator's bench: the files of plans and bots, drafts of them, and the way of both into use and back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::extract::{DraftJson, Id};
use super::refusal::{Refusal, quoted};
use super::routes::on_disk;
use super::tokens::{Identity, Session};
use crate::bench::activate::{Activated, Actor, MOST_ENTRIES, Version};
use crate::bench::files::{Change, FileKind, FileList, Opened};
use crate::bench::{Bench, BenchError, Checked, Compared, Kept, Picture, Tested, trace};
use crate::time::Wall;

/// Drafts that are looked at at once: each takes a core for a while.
pub(super) const AT_ONCE: usize = 2;
/// How long one may wait for its turn.
const TURN: Duration = Duration::from_secs(4);
/// Bounds of a call that is traced, in characters and in sentences.
const LONGEST_NUMBER: usize = 64;
const LONGEST_SENTENCE: usize = 500;
const MOST_SENTENCES: usize = 40;
const MOST_NAMES: usize = 40;
const USUAL_ENTRIES: usize = 50;

impl From<BenchError> for Refusal {
    fn from(error: BenchError) -> Refusal {
        let message = error.to_string();
        match error {
            BenchError::Unknown(_) => Refusal::not_found("unknown_file", message),
            BenchError::Invalid(_) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message),
            BenchError::Changed(_) => Refusal::new(StatusCode::CONFLICT, "changed", message),
            BenchError::Findings(findings) => {
                Refusal { findings, ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message) }
            }
            BenchError::Busy(_) => Refusal::crowded(message),
            BenchError::Disk(_) => {
                tracing::error!("bench: {message}");
                Refusal::unavailable("disk", message)
            }
        }
    }
}

/// Who asks, as the audit names them.
pub(super) struct By(pub Actor);

impl FromRequestParts<Arc<Context>> for By {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Refusal> {
        let Some(identity) = parts.extensions.get::<Identity>() else {
            return Err(Refusal::internal("the request came here without anybody who asks"));
        };
        let user = parts.extensions.get::<Session>().map(|session| session.user.clone());
        let token = || {
            let known = context.tokens.list().into_iter().find(|token| token.id == identity.token_id);
            let name = known.and_then(|token| token.name).unwrap_or_default();
            format!("token {} {name}", identity.token_id).trim_end().to_owned()
        };
        Ok(By(Actor { who: user.unwrap_or_else(token), role: identity.role.name().to_owned() }))
    }
}

/// Does it with the bench, outside the threads that serve requests, when it is its turn.
pub(super) async fn at_bench<T: Send + 'static>(
    context: Arc<Context>,
    work: impl FnOnce(&Bench) -> Result<T, BenchError> + Send + 'static,
) -> Result<T, Refusal> {
    let turns = context.clone();
    let Ok(Ok(_turn)) = tokio::time::timeout(TURN, turns.drafts.acquire()).await else {
        return Err(Refusal::crowded("other drafts are looked at just now; try again in a second"));
    };
    on_disk(context, move |context| work(&context.bench)).await?.map_err(Refusal::from)
}

pub(super) fn query<T>(wanted: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    let Query(wanted) =
        wanted.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
    Ok(wanted)
}

/// The files of plans, bots and their examples, with what `check` finds in each.
#[utoipa::path(get, path = "/plans", responses((status = 200, body = FileList)))]
pub(super) async fn files(State(context): State<Arc<Context>>) -> Result<Json<FileList>, Refusal> {
    at_bench(context, Bench::list).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// The file, as `/plans` lists it.
    file: String,
}

/// One file with its text. Its etag is needed to put another text in its place.
#[utoipa::path(get, path = "/plans/file", operation_id = "open_file", params(Named), responses(
    (status = 200, body = Opened, headers(("ETag" = String, description = "Of the text"))),
    (status = 404, description = "No such file", body = super::refusal::ErrorBody)))]
pub(super) async fn file(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<Named>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Named { file } = query(wanted)?;
    let opened = at_bench(context, move |bench| bench.open(&file)).await?;
    let tag = HeaderValue::try_from(format!("\"{}\"", opened.etag));
    let mut response = Json(opened).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKind {
    kind: FileKind,
}

/// The JSON schema of a kind of file, for editors, with the names that what runs knows.
#[utoipa::path(get, path = "/plans/schema", operation_id = "file_schema", params(OfKind), responses(
    (status = 200, description = "JSON schema, draft 7", body = Object)))]
pub(super) async fn schema(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<OfKind>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let OfKind { kind } = query(wanted)?;
    at_bench(context, move |bench| Ok(bench.schema(kind.into()))).await.map(Json)
}

/// A draft: at most 64 files of 512 KiB, 2 MiB in all. Those that are not in it stand as they are on the disk.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftBody {
    #[serde(default)]
    changes: Vec<Change>,
}

/// What `relais check` would say of the files with a draft in their place. Nothing is written.
#[utoipa::path(post, path = "/plans/check", operation_id = "check_draft", request_body = DraftBody, responses(
    (status = 200, body = Checked),
    (status = 422, description = "The draft names what is no plan or bot, or is too large", body = super::refusal::ErrorBody)))]
pub(super) async fn check(
    State(context): State<Arc<Context>>,
    DraftJson(draft): DraftJson<DraftBody>,
) -> Result<Json<Checked>, Refusal> {
    at_bench(context, move |bench| bench.check(draft.changes)).await.map(Json)
}

/// A file of a draft.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PictureBody {
    /// The file whose plan is wanted.
    file: String,
    #[serde(default)]
    changes: Vec<Change>,
}

/// The picture of a plan, or none where the file holds none.
#[derive(Serialize, ToSchema)]
pub struct PictureOf {
    picture: Option<Picture>,
}

/// The plan of a file as a picture: levels and rules with their lines, and where each can lead.
#[utoipa::path(post, path = "/plans/picture", operation_id = "draw_plan", request_body = PictureBody, responses(
    (status = 200, body = PictureOf),
    (status = 404, description = "No such file", body = super::refusal::ErrorBody),
    (status = 422, description = "The files have faults", body = super::refusal::ErrorBody)))]
pub(super) async fn picture(
    State(context): State<Arc<Context>>,
    DraftJson(wanted): DraftJson<PictureBody>,
) -> Result<Json<PictureOf>, Refusal> {
    let drawn = at_bench(context, move |bench| bench.picture(&wanted.file, wanted.changes)).await?;
    Ok(Json(PictureOf { picture: drawn }))
}

/// A call that nobody makes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceBody {
    /// The number that is dialled.
    to: String,
    /// Who calls; left out: the number is withheld.
    #[serde(default)]
    from: String,
    /// When; now where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Wall>,
    /// The trunk by which it comes; the first one that offers the number's plan where it is left out.
    #[serde(default)]
    trunk: Option<String>,
    #[serde(default)]
    language: Option<String>,
    /// The keys that the caller presses, such as `1 2 3#`.
    #[serde(default)]
    digits: String,
    /// What the caller says, one sentence after the other.
    #[serde(default)]
    say: Vec<String>,
    /// What becomes of waiting in a queue, by its id: `answered` (where nothing is said), `full`, `timed_out`,
    /// `too_long`, or `left:0` with the key by which the caller leaves.
    #[serde(default)]
    queues: BTreeMap<String, String>,
    #[serde(default)]
    changes: Vec<Change>,
}

impl TraceBody {
    fn call(&self) -> Result<trace::Call, Refusal> {
        let bounded = |name: &str, text: &str, most: usize| match text.chars().count() <= most {
            true => Ok(text.to_owned()),
            false => Err(invalid(format!("'{name}' has at most {most} characters"))),
        };
        if self.say.len() > MOST_SENTENCES || self.queues.len() > MOST_NAMES {
            let message = format!("at most {MOST_SENTENCES} sentences are said, and {MOST_NAMES} queues named");
            return Err(invalid(message));
        }
        let queues = self.queues.iter().map(|(queue, word)| match crate::bench::queue_outcome(word) {
            Some(outcome) => Ok((queue.clone(), outcome)),
            None => Err(invalid(format!(
                "'{}' is nothing that becomes of waiting; use answered, full, timed_out, too_long or left:KEY",
                quoted(word)
            ))),
        });
        Ok(trace::Call {
            to: bounded("to", &self.to, LONGEST_NUMBER)?,
            from: bounded("from", &self.from, LONGEST_NUMBER)?,
            trunk: self.trunk.clone(),
            language: self.language.clone(),
            digits: bounded("digits", &self.digits, LONGEST_SENTENCE)?,
            say: self.say.iter().map(|said| bounded("say", said, LONGEST_SENTENCE)).collect::<Result<_, _>>()?,
            queues: queues.collect::<Result<_, _>>()?,
            ..trace::Call::default()
        })
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
}

/// The path that a call would take through the matrix: level, rule, values, why. No call is made.
#[utoipa::path(post, path = "/plans/trace", operation_id = "trace_draft", request_body = TraceBody, responses(
    (status = 200, body = trace::Told),
    (status = 404, description = "No plan has the number, or there is no such trunk", body = super::refusal::ErrorBody),
    (status = 422, description = "The files have faults", body = super::refusal::ErrorBody)))]
pub(super) async fn traced(
    State(context): State<Arc<Context>>,
    DraftJson(wanted): DraftJson<TraceBody>,
) -> Result<Json<trace::Told>, Refusal> {
    let call = wanted.call()?;
    at_bench(context, move |bench| bench.trace(&call, wanted.at, wanted.changes)).await.map(Json)
}

/// Runs the test cases that stand in the files of plans and bots.
#[utoipa::path(post, path = "/plans/tests", operation_id = "test_draft", request_body = DraftBody, responses(
    (status = 200, body = Tested),
    (status = 422, description = "The files have faults", body = super::refusal::ErrorBody)))]
pub(super) async fn tests(
    State(context): State<Arc<Context>>,
    DraftJson(draft): DraftJson<DraftBody>,
) -> Result<Json<Tested>, Refusal> {
    at_bench(context, move |bench| bench.test(draft.changes)).await.map(Json)
}

/// What a draft says and does otherwise than what runs: the texts, what they say, and which sample calls go otherwise.
#[utoipa::path(post, path = "/plans/diff", operation_id = "compare_draft", request_body = DraftBody, responses(
    (status = 200, body = Compared),
    (status = 422, description = "The files have faults", body = super::refusal::ErrorBody)))]
pub(super) async fn compare(
    State(context): State<Arc<Context>>,
    DraftJson(draft): DraftJson<DraftBody>,
) -> Result<Json<Compared>, Refusal> {
    at_bench(context, move |bench| bench.compare(draft.changes)).await.map(Json)
}

/// A draft that is to be used from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateBody {
    /// Each with the etag of the text that was opened.
    changes: Vec<Change>,
    /// Why, for those who read the audit: at most 500 characters.
    #[serde(default)]
    note: Option<String>,
}

/// Writes the files of a draft and takes them, all or none, and notes who did it. Calls keep the plan they began with.
#[utoipa::path(post, path = "/plans/activate", operation_id = "activate_draft", request_body = ActivateBody, responses(
    (status = 200, description = "Taken", body = Activated),
    (status = 409, description = "A file is not as it was opened; nothing was done", body = super::refusal::ErrorBody),
    (status = 422, description = "The files have faults; nothing was done", body = super::refusal::ErrorBody)))]
pub(super) async fn activate(
    State(context): State<Arc<Context>>,
    By(by): By,
    DraftJson(wanted): DraftJson<ActivateBody>,
) -> Result<Json<Activated>, Refusal> {
    at_bench(context, move |bench| bench.activate(wanted.changes, by, wanted.note)).await.map(Json)
}

/// Who changed what, the latest first.
#[derive(Serialize, ToSchema)]
pub struct AuditList {
    entries: Vec<Kept>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Only entries before this one.
    #[serde(default)]
    before: Option<i64>,
    /// At most so many, 1 to 200; 50 where it is left out.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Who changed what of plans, bots, prompts and users, the latest first.
#[utoipa::path(get, path = "/audit", params(AuditQuery), responses((status = 200, body = AuditList)))]
pub(super) async fn audit(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditList>, Refusal> {
    let AuditQuery { before, limit } = query(wanted)?;
    let limit = limit.unwrap_or(USUAL_ENTRIES).clamp(1, MOST_ENTRIES);
    let entries = at_bench(context, move |bench| bench.history(before, limit)).await?;
    Ok(Json(AuditList { entries }))
}

/// The number of an entry, from the path.
fn entry(id: &str) -> Result<i64, Refusal> {
    let unknown =
        || Refusal::not_found("unknown_entry", format!("there is no entry '{}'; GET /audit lists them", quoted(id)));
    id.parse().map_err(|_| unknown())
}

/// What would change if the files were put back as an entry left them.
#[utoipa::path(get, path = "/plans/versions/{id}", params(("id" = i64, Path, description = "The entry of the audit")), responses(
    (status = 200, body = Version),
    (status = 404, description = "No such entry, or its files are not known", body = super::refusal::ErrorBody)))]
pub(super) async fn version(State(context): State<Arc<Context>>, Id(id): Id) -> Result<Json<Version>, Refusal> {
    let id = entry(&id)?;
    at_bench(context, move |bench| bench.version(id)).await.map(Json)
}

/// The text of a file then.
#[derive(Serialize, ToSchema)]
pub struct VersionText {
    file: String,
    text: String,
}

/// A file as an entry left it.
#[utoipa::path(get, path = "/plans/versions/{id}/file", operation_id = "version_file",
    params(("id" = i64, Path, description = "The entry of the audit"), Named), responses(
    (status = 200, body = VersionText),
    (status = 404, description = "No such entry or file", body = super::refusal::ErrorBody)))]
pub(super) async fn version_file(
    State(context): State<Arc<Context>>,
    Id(id): Id,
    wanted: Result<Query<Named>, QueryRejection>,
) -> Result<Json<VersionText>, Refusal> {
    let (id, Named { file }) = (entry(&id)?, query(wanted)?);
    let name = file.clone();
    let text = at_bench(context, move |bench| bench.version_text(id, &name)).await?;
    Ok(Json(VersionText { file, text }))
}

/// An earlier version that is to be used again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackBody {
    /// The entry whose files are wanted.
    entry: i64,
    /// Of the files that it was compared with, from `/plans/versions/{id}`.
    etag: String,
    #[serde(default)]
    note: Option<String>,
}

/// Puts the files back as an entry of the audit left them, and takes them.
#[utoipa::path(post, path = "/plans/rollback", operation_id = "roll_back", request_body = RollBackBody, responses(
    (status = 200, description = "Taken", body = Activated),
    (status = 404, description = "No such entry, or its files are not known", body = super::refusal::ErrorBody),
    (status = 409, description = "Files have changed since they were compared; nothing was done", body = super::refusal::ErrorBody),
    (status = 422, description = "Nothing to put back, or the files have faults", body = super::refusal::ErrorBody)))]
pub(super) async fn roll_back(
    State(context): State<Arc<Context>>,
    By(by): By,
    DraftJson(wanted): DraftJson<RollBackBody>,
) -> Result<Json<Activated>, Refusal> {
    at_bench(context, move |bench| bench.roll_back(wanted.entry, &wanted.etag, by, wanted.note)).await.map(Json)
}
