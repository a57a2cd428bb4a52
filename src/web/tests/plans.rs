//! The operator's bench over HTTP.

use serde_json::json;

use super::sample::{PLAN, PLAN_FILE};
use super::*;

async fn post(server: &Server, path: &str, token: &str, body: &Value) -> Answer {
    server.send("POST", &format!("/api/v1/plans/{path}"), Some(token), Some(&body.to_string())).await
}

/// The plan with another name of its level.
fn renamed() -> String {
    PLAN.replace("name = 'a'", "name = 'end'")
}

#[tokio::test]
async fn a_file_is_opened_changed_and_put_into_use_by_whom_the_audit_names() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    let opened = server.get(&format!("/api/v1/plans/file?file={PLAN_FILE}"), Some(&operator)).await;
    let etag = opened.json()["etag"].as_str().unwrap().to_owned();
    assert_eq!((opened.status, opened.header("etag")), (200, Some(format!("\"{etag}\"").as_str())));
    assert_eq!(opened.json()["text"], PLAN);
    let body = json!({ "changes": [{ "file": PLAN_FILE, "text": renamed(), "etag": etag }], "note": "clearer" });
    let activated = post(&server, "activate", &operator, &body).await;
    assert_eq!((activated.status, activated.json()["generation"].as_u64()), (200, Some(2)), "{activated:?}");
    let again = post(&server, "activate", &operator, &body).await;
    assert_eq!((again.status, again.refusal().0.as_str()), (409, "changed"), "{again:?}");
    let audit = server.get("/api/v1/audit?limit=1", Some(&operator)).await.json();
    let entry = &audit["entries"][0];
    assert_eq!((entry["what"].as_str(), entry["note"].as_str()), (Some("activated"), Some("clearer")));
    assert!(entry["who"].as_str().unwrap().starts_with("token "), "{entry}");
    let id = entry["id"].as_i64().unwrap();
    let before = server.get(&format!("/api/v1/plans/versions/{}", id - 1), Some(&operator)).await.json();
    assert_eq!(before["differs"][0]["file"], PLAN_FILE);
    let back = json!({ "entry": id - 1, "etag": before["etag"] });
    assert_eq!(post(&server, "rollback", &operator, &back).await.status, 200);
    let text = server.get(&format!("/api/v1/plans/file?file={PLAN_FILE}"), Some(&operator)).await;
    assert_eq!(text.json()["text"], PLAN);
}

#[tokio::test]
async fn faults_of_a_draft_come_with_their_places() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    let draft = json!({ "changes": [{ "file": PLAN_FILE, "text": PLAN.replace("hangup", "hangupp") }] });
    let checked = post(&server, "check", &operator, &draft).await;
    assert_eq!((checked.status, checked.json()["ok"].as_bool()), (200, Some(false)));
    assert_eq!(checked.json()["findings"][0]["line"], 6, "{checked:?}");
    for path in ["tests", "diff"] {
        let refused = post(&server, path, &operator, &draft).await;
        assert_eq!((refused.status, refused.refusal().0.as_str()), (422, "refused"), "{path}");
        assert_eq!(refused.json()["error"]["findings"][0]["file"], PLAN_FILE, "{path}");
    }
    let picture = post(&server, "picture", &operator, &json!({ "file": PLAN_FILE })).await;
    assert_eq!(picture.json()["picture"]["levels"][0]["rules"][0]["leads"], json!([{ "to": "over" }]), "{picture:?}");
}

#[tokio::test]
async fn what_is_asked_of_the_bench_is_bounded() {
    let server = Server::start().await;
    let operator = server.token(Role::Operator);
    let long = "x".repeat(2 * 1024 * 1024);
    let large = json!({ "changes": [{ "file": PLAN_FILE, "text": long }] });
    assert_eq!(post(&server, "check", &operator, &large).await.status, 413);
    let sentences: Vec<&str> = (0..41).map(|_| "hello").collect();
    for wrong in [
        json!({ "to": "6".repeat(65) }),
        json!({ "to": "600", "say": sentences }),
        json!({ "to": "600", "queues": { "sales": "nobody" } }),
        json!({ "to": "600", "at": "yesterday" }),
        json!({ "number": "600" }),
    ] {
        let refused = post(&server, "trace", &operator, &wrong).await;
        assert_eq!(refused.status, 422, "{wrong}: {refused:?}");
    }
    for path in ["file?file=../relais.toml", "file?file=nothing", "versions/x", "versions/99", "versions/1/file?file=x"]
    {
        let answer = server.get(&format!("/api/v1/plans/{path}"), Some(&operator)).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    for path in ["plans/file", "plans/schema?kind=nothing", "audit?limit=x"] {
        assert_eq!(server.get(&format!("/api/v1/{path}"), Some(&operator)).await.status, 400, "{path}");
    }
}
