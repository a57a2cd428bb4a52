//! Traces and reloads.

use std::sync::atomic::Ordering;

use super::*;
use crate::ids::CallId;

const UP: &str = "/api/v1/calls/00000000000000000000000000000001/trace";
const ON_RECORD: &str = "/api/v1/calls/00000000000000000000000000000009/trace";

#[tokio::test]
async fn the_trace_of_a_call_that_is_up_comes_from_the_engine() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    assert_eq!(server.get(UP, Some(&operator)).await.status, 200);
    assert_eq!(server.asked(), [ApiRequest::Trace { call: CallId(1) }]);
}

#[tokio::test]
async fn the_trace_of_a_call_that_is_over_comes_from_its_record() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    let answer = server.get(ON_RECORD, Some(&operator)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["ended_at"], "2026-11-23T10:00:00.000Z");
    assert_eq!(body["trace"]["levels"][0]["rules"][0]["values"]["open"], "closed");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_call_that_ended_while_its_trace_was_asked_for_is_looked_up_too() {
    let refusal = ApiError { status: 404, code: "unknown_call".into(), message: "gone".into() };
    let server = Server::with(Engine::Refusing(refusal), Limits::default()).await;
    let answer = server.get(UP, Some(&server.token(Role::Operator))).await;
    // This office has no record of call 1, so the refusal is its own.
    assert_eq!(answer.status, 404);
    assert!(answer.refusal().1.contains("relais cdr"), "{answer:?}");
}

#[tokio::test]
async fn an_unknown_call_has_no_trace() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    for id in ["x", "9", "00000000000000000000000000000002"] {
        let answer = server.get(&format!("/api/v1/calls/{id}/trace"), Some(&operator)).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (404, "unknown_call"), "{id}");
    }
}

#[tokio::test]
async fn a_reload_tells_what_runs_and_a_refused_one_why() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    let taken = server.send("POST", "/api/v1/reload", Some(&operator), None).await;
    assert_eq!((taken.status, taken.json()["last"]["taken"].as_bool()), (200, Some(true)));
    server.office.refuses.store(true, Ordering::Relaxed);
    let refused = server.send("POST", "/api/v1/reload", Some(&operator), None).await;
    assert_eq!((refused.status, refused.refusal().0.as_str()), (422, "refused"));
    let finding = &refused.json()["error"]["findings"][0];
    assert_eq!((finding["file"].as_str(), finding["line"].as_u64()), (Some("plans/a.toml"), Some(3)));
    assert_eq!(server.get("/api/v1/reload", Some(&operator)).await.json()["generation"], 1);
}
