//! People log in, and what comes with their cookie.

use super::*;

const RIGHT: &str = r#"{"user":"201","password":"demo-201"}"#;
const WRONG: &str = r#"{"user":"201","password":"demo-202"}"#;

impl Server {
    /// The cookie of somebody who logs in.
    async fn log_in(&self, body: &str) -> String {
        let answer = self.send("POST", "/api/v1/login", None, Some(body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
        assert!(cookie.contains("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
        assert!(!answer.body.contains("relais-"), "no script sees the session: {answer:?}");
        cookie.split(';').next().expect("a pair").to_owned()
    }

    async fn with_cookie(&self, method: &str, path: &str, cookie: &str, more: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nCookie: {cookie}\r\n");
        self.raw(&format!("{head}{more}\r\n")).await
    }
}

const SESSION: &str = "/api/v1/session";
const STATE: &str = "/api/v1/agents/201/state";

#[tokio::test]
async fn a_cookie_has_the_role_of_the_person_until_they_log_out() {
    let server = Server::start().await;
    let cookie = server.log_in(RIGHT).await;
    let who = server.with_cookie("GET", SESSION, &cookie, "").await.json();
    assert_eq!((who["user"].as_str(), who["name"].as_str()), (Some("201"), Some("Person 201")));
    assert_eq!(
        (who["role"].as_str(), who["agent"].as_str(), who["language"].as_str()),
        (Some("agent"), Some("201"), Some("fr"))
    );
    assert_eq!(server.with_cookie("GET", "/api/v1/reports", &cookie, "").await.status, 403);
    assert_eq!(server.with_cookie("DELETE", STATE, &cookie, "X-Relais: 1\r\n").await.status, 200);
    let out = server.with_cookie("POST", "/api/v1/logout", &cookie, "X-Relais: 1\r\n").await;
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie")
            .is_some_and(|cookie| cookie.starts_with("relais_session=; ") && cookie.contains("Max-Age=0"))
    );
    assert_eq!(server.with_cookie("GET", SESSION, &cookie, "").await.status, 401);
}

#[tokio::test]
async fn a_write_with_a_cookie_needs_our_header_and_no_other_origin() {
    let server = Server::start().await;
    let cookie = server.log_in(RIGHT).await;
    for (more, status) in [
        ("", 403),
        ("Origin: http://evil.test\r\n", 403),
        ("X-Relais: 1\r\nOrigin: http://evil.test\r\n", 403),
        ("X-Relais: 1\r\nOrigin: null\r\n", 403),
        ("X-Relais: 1\r\nOrigin: http://relais\r\n", 200),
        ("X-Relais: 1\r\n", 200),
    ] {
        let answer = server.with_cookie("DELETE", STATE, &cookie, more).await;
        assert_eq!(answer.status, status, "{more:?}: {answer:?}");
        assert_eq!(server.asked().len(), usize::from(status == 200), "{more:?}");
    }
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let stolen = format!("{upgrade}Origin: http://evil.test\r\n");
    assert_eq!(server.with_cookie("GET", "/api/v1/events", &cookie, &stolen).await.status, 403);
}

#[tokio::test]
async fn a_page_of_another_host_logs_nobody_in() {
    let server = Server::start().await;
    let request = format!(
        "POST /api/v1/login HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nOrigin: http://evil.test\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{RIGHT}",
        RIGHT.len()
    );
    assert_eq!(server.raw(&request).await.status, 403);
}

#[tokio::test]
async fn five_wrong_passwords_are_enough_and_the_answer_says_for_how_long() {
    let server = Server::start().await;
    for _ in 0..5 {
        let answer = server.send("POST", "/api/v1/login", None, Some(WRONG)).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (401, "wrong_password"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    let answer = server.send("POST", "/api/v1/login", None, Some(RIGHT)).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    server.log_in(r#"{"user":"lead","password":"demo-lead"}"#).await;
}

#[tokio::test]
async fn a_session_is_no_token_and_a_token_no_session() {
    let server = Server::start().await;
    let cookie = server.log_in(RIGHT).await;
    let session = cookie.strip_prefix("relais_session=").unwrap();
    assert_eq!(server.get(SESSION, Some(session)).await.status, 401);
    let token = server.token(Role::Admin);
    assert_eq!(server.with_cookie("GET", SESSION, &format!("relais_session={token}"), "").await.status, 401);
    assert_eq!(server.get(SESSION, Some(&token)).await.json()["user"], Value::Null);
}

#[tokio::test]
async fn sessions_of_a_user_who_is_gone_or_has_another_role_are_over() {
    let server = Server::start().await;
    let cookie = server.log_in(r#"{"user":"LEAD ","password":"demo-lead"}"#).await;
    assert_eq!(server.with_cookie("GET", SESSION, &cookie, "").await.status, 200);
    let mut users = sample::users();
    users[1].role = crate::settings::UserRole::Admin;
    server.users.configure(users);
    assert_eq!(server.with_cookie("GET", SESSION, &cookie, "").await.status, 401);
    server.users.configure(Vec::new());
    assert_eq!(server.send("POST", "/api/v1/login", None, Some(RIGHT)).await.status, 401);
}

#[tokio::test]
async fn earlier_contacts_are_those_of_the_caller_without_the_call_itself() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    let path = format!("/api/v1/calls/{}/contacts", crate::ids::CallId(1));
    let contacts = server.get(&path, Some(&agent)).await.json();
    let records = contacts["records"].as_array().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["note"], "asked for the invoice");
    assert_eq!(records[0]["call_id"], crate::ids::CallId(9).to_string());
}
