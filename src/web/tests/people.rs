//! Users over HTTP, as an administrator sees to them.

use serde_json::json;

use super::*;

async fn send(server: &Server, method: &str, path: &str, token: &str, body: Value) -> Answer {
    let body = (!body.is_null()).then(|| body.to_string());
    server.send(method, &format!("/api/v1/users{path}"), Some(token), body.as_deref()).await
}

/// Logs in; gives the cookie of the session.
async fn log_in(server: &Server, user: &str, password: &str) -> Result<String, Answer> {
    let body = json!({ "user": user, "password": password }).to_string();
    let answer = server.send("POST", "/api/v1/login", None, Some(&body)).await;
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    cookie.ok_or(answer)
}

/// The status of a request with that cookie.
async fn session(server: &Server, cookie: &str) -> u16 {
    let head = "GET /api/v1/session HTTP/1.1\r\nHost: relais\r\nConnection: close\r\n";
    server.raw(&format!("{head}Cookie: {cookie}\r\n\r\n")).await.status
}

#[tokio::test]
async fn a_user_is_added_changed_and_removed_and_their_sessions_end_with_it() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let ada = json!({ "id": "Ada", "name": "Ada M.", "role": "agent", "agent": "201", "password": "correct horse" });
    let added = send(&server, "POST", "", &admin, ada.clone()).await;
    assert_eq!((added.status, added.json()["user"]["id"].as_str()), (201, Some("ada")), "{added:?}");
    assert!(!added.body.contains("correct horse") && !added.body.contains("argon2"), "{added:?}");
    assert_eq!(send(&server, "POST", "", &admin, ada).await.refusal().0, "user_exists");

    let cookie = log_in(&server, "ada", "correct horse").await.unwrap();
    assert_eq!(session(&server, &cookie).await, 200);
    let raised = send(&server, "PATCH", "/ada", &admin, json!({ "role": "supervisor", "agent": null })).await;
    assert_eq!((raised.status, raised.json()["role"].as_str()), (200, Some("supervisor")), "{raised:?}");
    assert_eq!(session(&server, &cookie).await, 401, "the session of the agent is over");

    let cookie = log_in(&server, "ada", "correct horse").await.unwrap();
    assert_eq!(
        send(&server, "POST", "/ada/password", &admin, json!({ "password": "battery staple" })).await.status,
        204
    );
    assert_eq!(session(&server, &cookie).await, 401);
    assert_eq!(log_in(&server, "ada", "correct horse").await.unwrap_err().status, 401);

    let cookie = log_in(&server, "ada", "battery staple").await.unwrap();
    assert_eq!(send(&server, "DELETE", "/ada/sessions", &admin, Value::Null).await.status, 204);
    assert_eq!(session(&server, &cookie).await, 401);

    let cookie = log_in(&server, "ada", "battery staple").await.unwrap();
    assert_eq!(send(&server, "PATCH", "/ada", &admin, json!({ "disabled": true })).await.status, 200);
    assert_eq!(session(&server, &cookie).await, 401);
    assert_eq!(log_in(&server, "ada", "battery staple").await.unwrap_err().status, 401);
    assert_eq!(send(&server, "DELETE", "/ada", &admin, Value::Null).await.status, 204);
    assert_eq!(send(&server, "DELETE", "/ada", &admin, Value::Null).await.status, 404);
    let audit = server.get("/api/v1/audit", Some(&admin)).await.json();
    let deeds: Vec<&str> = audit["entries"].as_array().unwrap().iter().map(|e| e["what"].as_str().unwrap()).collect();
    assert_eq!(deeds, ["user_removed", "user_changed", "sessions_ended", "password_set", "user_changed", "user_added"]);
    assert!(audit["entries"].as_array().unwrap().iter().all(|entry| entry["subject"] == "ada"));
}

#[tokio::test]
async fn a_second_factor_is_shown_once_and_asked_for_until_it_is_removed() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let body = json!({ "id": "bob", "role": "admin", "password": "correct horse", "second_factor": true });
    let added = send(&server, "POST", "", &admin, body).await.json();
    assert!(added["second_factor_url"].as_str().unwrap().starts_with("otpauth://totp/"), "{added}");
    let listed = server.get("/api/v1/users", Some(&admin)).await;
    assert!(!listed.body.contains("otpauth") && !listed.body.contains("argon2"), "{listed:?}");
    assert_eq!(log_in(&server, "bob", "correct horse").await.unwrap_err().refusal().0, "code_needed");
    let again = send(&server, "POST", "/bob/second-factor", &admin, Value::Null).await.json();
    assert_ne!(again["url"], added["second_factor_url"]);
    assert_eq!(send(&server, "DELETE", "/bob/second-factor", &admin, Value::Null).await.status, 204);
    assert!(log_in(&server, "bob", "correct horse").await.is_ok());
}

#[tokio::test]
async fn nobody_locks_themselves_out_and_who_stands_in_the_configuration_is_changed_there() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let body = json!({ "id": "root", "role": "admin", "password": "correct horse" });
    assert_eq!(send(&server, "POST", "", &admin, body).await.status, 201);
    let cookie = log_in(&server, "root", "correct horse").await.unwrap();
    let as_root = async |method: &str, path: &str, body: &str| {
        let head =
            format!("{method} /api/v1/users{path} HTTP/1.1\r\nHost: relais\r\nConnection: close\r\nX-Relais: 1\r\n");
        let about = format!("Cookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        server.raw(&format!("{head}{about}\r\n{body}")).await
    };
    for (method, body) in [("DELETE", ""), ("PATCH", r#"{"disabled":true}"#), ("PATCH", r#"{"role":"operator"}"#)] {
        let refused = as_root(method, "/root", body).await;
        assert_eq!((refused.status, refused.refusal().0.as_str()), (409, "oneself"), "{method} {body}");
    }
    assert_eq!(as_root("PATCH", "/root", r#"{"name":"The root"}"#).await.status, 200);
    let configured = send(&server, "PATCH", "/201", &admin, json!({ "disabled": true })).await;
    assert_eq!((configured.status, configured.refusal().0.as_str()), (409, "in_configuration"), "{configured:?}");
    let users = server.get("/api/v1/users", Some(&admin)).await.json();
    let known = users["users"].as_array().unwrap();
    assert!(known.iter().any(|user| user["id"] == "201" && user["configured"] == true), "{users}");
    assert!(known.iter().any(|user| user["id"] == "root" && user["sessions"] == 1), "{users}");
}

#[tokio::test]
async fn users_who_make_no_sense_are_refused_with_the_rule() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    for (wrong, rule) in [
        (json!({ "id": "a b", "role": "admin", "password": "correct horse" }), "1 to 64"),
        (json!({ "id": "a", "role": "agent", "password": "correct horse" }), "number"),
        (
            json!({ "id": "a", "role": "admin", "agent": "201", "password": "correct horse" }),
            "only a user with role agent",
        ),
        (json!({ "id": "a", "role": "admin", "password": "short" }), "8 to 256"),
        (json!({ "id": "a", "role": "owner", "password": "correct horse" }), "does not fit"),
        (json!({ "id": "a", "role": "admin" }), "does not fit"),
    ] {
        let refused = send(&server, "POST", "", &admin, wrong.clone()).await;
        assert_eq!(refused.status, 422, "{wrong}: {refused:?}");
        assert!(refused.refusal().1.contains(rule), "{wrong}: {refused:?}");
    }
}
