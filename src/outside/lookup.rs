//! Asking an HTTP service for JSON.

use std::time::Instant;

use metrics::{counter, histogram};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::time::timeout;

use super::client::{Connected, Kept, Services, describe, headers};
use crate::ivr::{Answer, HttpRequest, LookUp, LookUpResult, Method};
use crate::web::metrics::{LOOKUP_TIME, LOOKUPS, LOOKUPS_CACHED};

/// A longer answer is none.
pub(super) const LARGEST_ANSWER: usize = 256 << 10;

/// Comes within the question's own time limit.
pub(super) async fn answer(services: &Services, question: LookUp) -> Answer {
    let id = question.request.service.clone();
    let answer = match services.get(&id) {
        Some(service) => ask(&service, question).await,
        None => Answer::without(LookUpResult::Failed, "the service is not there; see the log of the start"),
    };
    counter!(LOOKUPS, "service" => id.to_string(), "result" => answer.result.word()).increment(1);
    if !matches!(answer.result, LookUpResult::Ok | LookUpResult::NotFound) {
        tracing::warn!(service = %id, result = answer.result.word(), "look-up: {}", answer.reason);
    }
    answer
}

async fn ask(service: &Connected, question: LookUp) -> Answer {
    let cached = !question.cache.is_zero();
    if let Some(kept) = cached.then(|| service.kept(&question.request)).flatten() {
        counter!(LOOKUPS_CACHED, "service" => service.settings.id.to_string()).increment(1);
        return taken(&kept, &question);
    }
    let Ok(_permit) = service.permits.try_acquire() else {
        let most = service.settings.max_concurrent;
        let reason = format!("{most} look-ups are under way; max_concurrent says how many may be");
        return Answer::without(LookUpResult::Busy, reason);
    };
    let began = Instant::now();
    let asked = timeout(question.timeout, send(service, &question.request)).await;
    histogram!(LOOKUP_TIME, "service" => service.settings.id.to_string()).record(began.elapsed());
    match asked {
        Err(_) => Answer::without(LookUpResult::TimedOut, format!("no answer within {:?}", question.timeout)),
        Ok(Err((status, reason))) => Answer { status, ..Answer::without(LookUpResult::Failed, reason) },
        Ok(Ok(kept)) => {
            let answer = taken(&kept, &question);
            if cached {
                service.keep(question.request, kept, question.cache);
            }
            answer
        }
    }
}

fn taken(kept: &Kept, question: &LookUp) -> Answer {
    Answer { result: kept.result, status: kept.status, values: question.fields.take(&kept.json), reason: String::new() }
}

/// Sends and reads the whole answer; `Err` holds the status (0 where there is none) and why there is no JSON.
async fn send(service: &Connected, request: &HttpRequest) -> Result<Kept, (u16, String)> {
    let none = |reason: String| (0, reason);
    let url = service.url(request).map_err(none)?;
    let mut builder = match request.method {
        Method::Get => service.client.get(url),
        Method::Post => service.client.post(url),
    };
    builder = builder.headers(headers(request).map_err(none)?).header(ACCEPT, "application/json");
    if let Some(body) = &request.body {
        builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
    }
    let mut response = builder.send().await.map_err(|error| none(describe(error)))?;
    let status = response.status();
    let code = status.as_u16();
    if matches!(code, 404 | 410) {
        return Ok(Kept { result: LookUpResult::NotFound, status: code, json: Default::default() });
    }
    if status.is_redirection() {
        return Err((code, format!("{status}: redirects are not followed; configure the address it leads to")));
    }
    if !status.is_success() {
        return Err((code, status.to_string()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| (code, describe(error)))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err((code, format!("the answer is longer than {LARGEST_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let json = if body.trim_ascii().is_empty() {
        serde_json::Value::Null
    } else {
        serde_json::from_slice(&body).map_err(|error| (code, format!("the answer is no JSON: {error}")))?
    };
    Ok(Kept { result: LookUpResult::Ok, status: code, json: json.into() })
}
