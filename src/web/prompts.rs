//! The sounds that callers hear, as an operator sees to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Context;
use super::extract::Octets;
use super::plans::{By, at_bench, query};
use super::refusal::Refusal;
use super::routes::on_disk;
use crate::bench::prompts::{PromptList, Words};

/// Every prompt: what it says, its sounds, and what callers of each language hear of it.
#[utoipa::path(get, path = "/prompts", responses((status = 200, body = PromptList)))]
pub(super) async fn prompts(State(context): State<Arc<Context>>) -> Result<Json<PromptList>, Refusal> {
    at_bench(context, |bench| Ok(bench.prompts())).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Tongue {
    language: String,
}

/// What prompts say in a language, so that people can read what a caller heard. One that no catalogue tells of is missing.
#[utoipa::path(get, path = "/prompts/words", operation_id = "prompt_words", params(Tongue),
    responses((status = 200, body = Words)))]
pub(super) async fn words(
    State(context): State<Arc<Context>>,
    wanted: Result<Query<Tongue>, QueryRejection>,
) -> Result<Json<Words>, Refusal> {
    let Tongue { language } = query(wanted)?;
    on_disk(context, move |context| context.bench.words(&language)).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The prompt, such as `menu` or `music/default`.
    name: String,
    /// The language; left out for a sound that is the same in every one.
    #[serde(default)]
    language: Option<String>,
}

type Asked = Result<Query<Which>, QueryRejection>;

/// The sound of a prompt, as it is on the disk.
#[utoipa::path(get, path = "/prompts/sound", operation_id = "prompt_sound", params(Which), responses(
    (status = 200, description = "WAV, FLAC, Ogg, MP3, M4A or AAC", content(
        ("audio/wav"), ("audio/flac"), ("audio/ogg"), ("audio/mpeg"), ("audio/mp4"), ("audio/aac"))),
    (status = 404, description = "No such sound", body = super::refusal::ErrorBody)))]
pub(super) async fn sound(State(context): State<Arc<Context>>, wanted: Asked) -> Result<Response, Refusal> {
    let Which { name, language } = query(wanted)?;
    let sound = at_bench(context, move |bench| bench.sound(&name, language.as_deref())).await?;
    Ok(([(header::CONTENT_TYPE, sound.media_type)], sound.octets).into_response())
}

/// Takes a recording, at most 32 MiB and five minutes of it: a WAV, FLAC, Ogg Vorbis, MP3 or M4A. It is kept as one channel
/// at 16 kHz, and heard from then on in the place of what a voice made.
#[utoipa::path(put, path = "/prompts/sound", operation_id = "record_prompt", params(Which),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 204, description = "Callers hear it"),
    (status = 409, description = "There is a recording of another kind, which is to be removed first", body = super::refusal::ErrorBody),
    (status = 413, description = "Too large", body = super::refusal::ErrorBody),
    (status = 422, description = "No sound, too short, too long; or no such language or name", body = super::refusal::ErrorBody)))]
pub(super) async fn record(
    State(context): State<Arc<Context>>,
    By(by): By,
    wanted: Asked,
    Octets(octets): Octets,
) -> Result<StatusCode, Refusal> {
    let Which { name, language } = query(wanted)?;
    at_bench(context, move |bench| bench.record(&name, language.as_deref(), octets.to_vec(), &by)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a recording away; where a voice has made the prompt, that is heard again.
#[utoipa::path(delete, path = "/prompts/sound", operation_id = "remove_recording", params(Which), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such sound", body = super::refusal::ErrorBody),
    (status = 409, description = "A voice made it; there is no recording", body = super::refusal::ErrorBody)))]
pub(super) async fn remove(
    State(context): State<Arc<Context>>,
    By(by): By,
    wanted: Asked,
) -> Result<StatusCode, Refusal> {
    let Which { name, language } = query(wanted)?;
    at_bench(context, move |bench| bench.unrecord(&name, language.as_deref(), &by)).await?;
    Ok(StatusCode::NO_CONTENT)
}
