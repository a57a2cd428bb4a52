//! Whatever is wrong with a request, the answer is JSON and says what to do.

use std::sync::atomic::Ordering;

use super::*;

#[tokio::test]
async fn unknown_things_are_named_with_the_nearest() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (method, path, code, hint) in [
        ("GET", "/api/v1/call", "unknown_path", "did you mean '/api/v1/calls'?"),
        ("GET", "/metric", "unknown_path", "did you mean '/metrics'?"),
        ("GET", "/nothing/of/ours", "unknown_path", "/api/v1/openapi.json lists"),
        ("POST", "/api/v1/calls/1/hangup", "unknown_call", "GET /api/v1/calls lists"),
        ("GET", "/api/v1/calls/no-such-call", "unknown_call", "no-such-call"),
        ("GET", "/api/v1/calls/00000000000000000000000000000002", "unknown_call", "relais cdr"),
        ("DELETE", "/api/v1/agents/2022/state", "unknown_agent", "did you mean '202'?"),
        ("DELETE", "/api/v1/tokens/00000000", "unknown_token", "GET /api/v1/tokens lists"),
    ] {
        let answer = server.send(method, path, Some(&admin), None).await;
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        let (found, message) = answer.refusal();
        assert_eq!(found, code);
        assert!(message.contains(hint), "{method} {path}: {message}");
    }
}

#[tokio::test]
async fn another_method_gets_405_with_what_is_allowed() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (method, path, allowed) in [
        ("PUT", "/api/v1/calls", "GET,HEAD"),
        ("GET", "/api/v1/agents/201/state", "POST,DELETE"),
        ("DELETE", "/metrics", "GET,HEAD"),
        ("PATCH", "/api/v1/tokens", "GET,HEAD,POST"),
    ] {
        for token in [Some(admin.as_str()), None] {
            let answer = server.send(method, path, token, None).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
            assert_eq!(answer.refusal().0, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn bodies_are_held_to_their_form() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let long = format!(r#"{{"state":"paused","reason":"{}"}}"#, "x".repeat(101));
    let deep = "[".repeat(10_000);
    for (body, status, code, hint) in [
        ("{", 400, "malformed_json", "line 1 column 1"),
        ("\u{0}", 400, "malformed_json", "not valid JSON"),
        (deep.as_str(), 400, "malformed_json", "not valid JSON"),
        ("[]", 422, "invalid", "does not fit"),
        ("null", 422, "invalid", "does not fit"),
        ("{}", 422, "invalid", "missing field `state`"),
        (r#"{"state":"talking"}"#, 422, "invalid", "one of `available`, `paused`, `wrap_up`"),
        (r#"{"state":"paused","raeson":"x"}"#, 422, "invalid", "one of `state`, `reason`, `for_s`"),
        (r#"{"state":"wrap_up"}"#, 422, "invalid", "needs 'for_s', from 1 to 3600 seconds"),
        (r#"{"state":"wrap_up","for_s":3601}"#, 422, "invalid", "needs 'for_s', from 1 to 3600 seconds"),
        (r#"{"state":"paused","reason":""}"#, 422, "invalid", "1 to 100 characters"),
        (r#"{"state":"paused","reason":"a\u0000b"}"#, 422, "invalid", "control characters"),
        (long.as_str(), 422, "invalid", "1 to 100 characters"),
    ] {
        let answer = server.send("POST", "/api/v1/agents/201/state", Some(&admin), Some(body)).await;
        let (found, message) = answer.refusal();
        assert_eq!((answer.status, found.as_str()), (status, code), "{} {message}", &body[..body.len().min(60)]);
        assert!(message.contains(hint), "{message}");
    }
    let answer = server.send("POST", "/api/v1/agents/201/state", Some(&admin), None).await;
    assert_eq!((answer.status, answer.refusal().0.as_str()), (400, "body_missing"));
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn a_body_that_is_not_json_gets_415() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (kind, status) in [
        ("Content-Type: text/plain\r\n", 415),
        ("", 415),
        ("Content-Type: application/xml\r\n", 415),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", 200),
    ] {
        let body = r#"{"state":"paused"}"#;
        let request = format!(
            "POST /api/v1/agents/201/state HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = server.raw(&request).await;
        assert_eq!(answer.status, status, "{kind:?} {answer:?}");
        if status == 415 {
            assert!(answer.refusal().1.contains("Content-Type: application/json"));
        }
    }
}

#[tokio::test]
async fn a_body_over_64_kb_gets_413_whether_it_says_so_or_not() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let head = format!(
        "POST /api/v1/agents/201/state HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/json\r\n"
    );
    // The body is announced, and not even sent.
    let announced = server.raw(&format!("{head}Content-Length: 65537\r\n\r\n")).await;
    assert_eq!((announced.status, announced.refusal().0.as_str()), (413, "body_too_large"));
    let chunk = format!("{:x}\r\n{}\r\n", 65_537, " ".repeat(65_537));
    let chunked = server.raw(&format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    assert_eq!((chunked.status, chunked.refusal().0.as_str()), (413, "body_too_large"));
    let fitting = format!("{}{}", r#"{"state":"paused"}"#, " ".repeat(65_536 - 18));
    let answer = server.send("POST", "/api/v1/agents/201/state", Some(&admin), Some(&fitting)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_stream_that_is_none_and_a_bad_since_are_told() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let plain = server.get("/api/v1/events", Some(&admin)).await;
    assert_eq!((plain.status, plain.refusal().0.as_str()), (400, "not_a_websocket"));
    for since in ["x", "-1", "1e3", "", "99999999999999999999999"] {
        let answer = server.get(&format!("/api/v1/events?since={since}"), Some(&admin)).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (400, "bad_since"), "{since}");
    }
}

#[tokio::test]
async fn what_the_engine_says_is_passed_on() {
    let error =
        ApiError { status: 409, code: "on_a_call".into(), message: "201 is on a \"call\"; hang up first".into() };
    let server = Server::with(Engine::Refusing(error), Limits::default()).await;
    let admin = server.token(Role::Admin);
    let answer = server.send("DELETE", "/api/v1/agents/201/state", Some(&admin), None).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.refusal(), ("on_a_call".into(), "201 is on a \"call\"; hang up first".into()));
}

#[tokio::test]
async fn an_engine_that_is_full_gone_or_slow_is_told_apart() {
    let quick = || Limits { engine: Duration::from_millis(50), ..Limits::default() };
    for (engine, status, code, retry) in [
        (Engine::Full, 503, "busy", Some("1")),
        (Engine::Gone, 503, "stopping", Some("1")),
        (Engine::Silent, 504, "engine_slow", None),
    ] {
        let server = Server::with(engine, quick()).await;
        let admin = server.token(Role::Admin);
        let answer = server.send("DELETE", "/api/v1/agents/201/state", Some(&admin), None).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (status, code));
        assert_eq!(answer.header("retry-after"), retry);
    }
}

#[tokio::test]
async fn readiness_is_told_at_both_places() {
    let server = Server::start().await;
    for path in ["/readyz", "/api/v1/readyz"] {
        server.ready.store(true, Ordering::Release);
        assert_eq!(server.get(path, None).await.status, 200);
        server.ready.store(false, Ordering::Release);
        let answer = server.get(path, None).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(answer.refusal().0, "not_ready");
        assert_eq!(server.get("/healthz", None).await.status, 200);
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (path, status) in [("/healthz", 200), ("/metrics", 200), ("/api/v1/calls", 200), ("/nothing", 404)] {
        let answer = server.get(path, Some(&admin)).await;
        assert_eq!(answer.status, status);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn hostile_values_come_out_as_the_same_values() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let mut call = sample::call(9);
    call.from = "\"}]}\r\n\u{0}</script>\u{2029}\\".into();
    server.views.publish(Change::Call(Box::new(call.clone())), sample::at());
    let answer = server.get("/api/v1/calls", Some(&admin)).await;
    assert_eq!(answer.json()["calls"][1]["from"], call.from.as_str());
    for path in ["/api/v1/calls/%22%7D%0D%0A%00", "/api/v1/calls/%ff%fe", "/%22%0a", "/api/v1/calls/%E2%80%AE"] {
        let answer = server.get(path, Some(&admin)).await;
        let (_, message) = answer.refusal();
        assert!([400, 404].contains(&answer.status) && !message.contains(char::is_control), "{answer:?}");
    }
}

#[tokio::test]
async fn lists_say_from_which_event_to_go_on() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (path, name, ids) in [
        ("/api/v1/calls", "calls", vec!["00000000000000000000000000000001"]),
        ("/api/v1/agents", "agents", vec!["201", "202"]),
        ("/api/v1/queues", "queues", vec!["sales"]),
    ] {
        let body = server.get(path, Some(&admin)).await.json();
        assert_eq!(body["seq"], server.views.latest());
        let rows = body[name].as_array().unwrap();
        let found: Vec<_> =
            rows.iter().map(|row| row.get("id").or(row.get("call_id")).unwrap().as_str().unwrap()).collect();
        assert_eq!(found, ids);
    }
    let call = server.get("/api/v1/calls/00000000000000000000000000000001", Some(&admin)).await.json();
    assert_eq!(
        (call["from"].as_str(), call["started_at"].as_str()),
        (Some("33155501"), Some("2026-11-23T10:00:00.000Z"))
    );
}
