//! Call-backs asked for by a web page.

use super::*;
use crate::ids::CallbackId;
use crate::views::CallbackView;

const WISH: &str = r#"{"number":"+33 1 55 50 12 34","queue":"sales","not_before":"2026-11-25T15:00:00+01:00"}"#;

#[tokio::test]
async fn the_engine_is_asked_as_the_page_wished() {
    let server = Server::start().await;
    let key = server.token(Role::Callback);
    let answer = server.send("POST", "/api/v1/callbacks", Some(&key), Some(WISH)).await;
    assert_eq!(answer.status, 201);
    let not_before = Some("2026-11-25T14:00:00Z".parse().unwrap());
    let wish = ApiRequest::CallBack { number: "+33 1 55 50 12 34".into(), queue: "sales".into(), not_before };
    assert_eq!(server.asked(), [wish]);
}

#[tokio::test]
async fn a_page_of_another_host_may_ask_and_read_the_answer() {
    let server = Server::start().await;
    let answer = server
        .raw(
            "OPTIONS /api/v1/callbacks HTTP/1.1\r\nHost: relais\r\nOrigin: https://shop.example\r\n\
        Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n\
        Connection: close\r\n\r\n",
        )
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    assert!(answer.header("access-control-allow-headers").is_some_and(|headers| headers.contains("authorization")));
    for token in [None, Some(server.token(Role::Callback))] {
        let answer = server.send("POST", "/api/v1/callbacks", token.as_deref(), Some(WISH)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "also of a refusal");
    }
    let other = server.get("/api/v1/queues", Some(&server.token(Role::Admin))).await;
    assert_eq!(other.header("access-control-allow-origin"), None, "nothing else is open to pages");
}

#[tokio::test]
async fn a_page_that_asks_too_often_is_told_when_to_ask_again_and_programs_are_not() {
    let server = Server::start().await;
    let key = server.token(Role::Callback);
    for _ in 0..3 {
        assert_eq!(server.send("POST", "/api/v1/callbacks", Some(&key), Some(WISH)).await.status, 201);
    }
    let answer = server.send("POST", "/api/v1/callbacks", Some(&key), Some(WISH)).await;
    assert_eq!((answer.status, answer.refusal().0.as_str()), (429, "too_many_wishes"));
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(server.asked().len(), 3, "the engine hears nothing of it");
    let program = server.token(Role::Operator);
    assert_eq!(server.send("POST", "/api/v1/callbacks", Some(&program), Some(WISH)).await.status, 201);
}

#[tokio::test]
async fn a_proxy_on_this_machine_says_who_asks() {
    let server = Server::start().await;
    let key = server.token(Role::Callback);
    for n in 0..30 {
        let body = format!(r#"{{"number":"331555{n:02}","queue":"sales"}}"#);
        let request = format!(
            "POST /api/v1/callbacks HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             X-Forwarded-For: 10.9.9.9, 198.51.100.{n}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(server.raw(&request).await.status, 201, "visitor {n}");
    }
}

#[tokio::test]
async fn wrong_wishes_are_refused_with_what_is_wrong() {
    let server = Server::start().await;
    let key = server.token(Role::Callback);
    let long = format!(r#"{{"number":"{}","queue":"sales"}}"#, "1".repeat(50));
    for (body, status, word) in [
        (r#"{"queue":"sales"}"#, 422, "number"),
        (r#"{"number":"+33155501"}"#, 422, "queue"),
        (r#"{"number":"+33155501","queue":"sales","not_before":"soon"}"#, 422, "not_before"),
        (r#"{"number":"+33155501","queue":"sales","when":"soon"}"#, 422, "when"),
        (&long, 422, "more than 40"),
        ("", 400, "empty"),
    ] {
        let body = Some(body).filter(|body| !body.is_empty());
        let answer = server.send("POST", "/api/v1/callbacks", Some(&key), body).await;
        let (_, message) = answer.refusal();
        assert!(answer.status == status && message.contains(word), "{body:?}: {} {message}", answer.status);
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_is_promised_is_listed_until_it_is_over() {
    let server = Server::start().await;
    let token = server.token(Role::Supervisor);
    let view = |n: u128, state| CallbackView {
        callback_id: CallbackId(n),
        call_id: None,
        wished: crate::callback::Wished::OnTheWeb,
        number: "+33155501".into(),
        queue: "sales".into(),
        state,
        asked_at: sample::at(),
        waiting_since: sample::at(),
        not_before: sample::at(),
        attempts: 0,
        last_failure: None,
    };
    use crate::callback::CallbackState::{Done, Scheduled, Waiting};
    for (n, state) in [(2, Scheduled), (1, Scheduled), (2, Waiting), (1, Done)] {
        server.views.publish(Change::Callback(view(n, state)), sample::at());
    }
    let list = server.get("/api/v1/callbacks", Some(&token)).await.json();
    let listed = list["callbacks"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &serde_json::json!("waiting")));
}
