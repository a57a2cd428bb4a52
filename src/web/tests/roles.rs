//! Every route with every role.

use super::*;
use crate::ids::{CallId, LegId};
use crate::record::Party;
use crate::web::access::{ROUTES, Rule};

const CALL: &str = "00000000000000000000000000000001";

/// The plan of the bench as it stands, so that it can be put into use over and over.
const ACTIVATE: &str = concat!(
    r#"{"changes":[{"file":"plans/front.toml","etag":"d95c26e0d1e99fc00e58ef049252c8da","text":"#,
    r#""name = 'front'\nnumbers = ['600']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n"}]}"#
);

/// Who asks, in the order of the columns below.
fn askers(server: &Server) -> [Option<String>; 8] {
    [
        None,
        Some(server.token(Role::Callback)),
        Some(server.token(Role::Presence)),
        Some(server.token_of(Role::Agent, Some("201"))),
        Some(server.token_of(Role::Agent, Some("202"))),
        Some(server.token(Role::Supervisor)),
        Some(server.token(Role::Operator)),
        Some(server.token(Role::Admin)),
    ]
}

/// The statuses a route gives: no token, a page's key, a telephony, agent 201 (whom it concerns), agent 202, supervisor, operator, admin.
fn expected(method: &str, path: &str) -> [u16; 8] {
    match (method, path) {
        ("GET", "/healthz" | "/readyz" | "/metrics" | "/openapi.json") => [200; 8],
        ("GET", "/calls" | "/calls/{id}" | "/calls/{id}/trace" | "/queues" | "/agents" | "/experts" | "/callbacks") => {
            [401, 403, 403, 200, 200, 200, 200, 200]
        }
        ("POST", "/login") => [200; 8],
        ("POST", "/logout") => [401, 403, 403, 204, 204, 204, 204, 204],
        ("GET", "/session" | "/centre" | "/prompts/words") => [401, 403, 403, 200, 200, 200, 200, 200],
        ("GET", "/calls/{id}/contacts") => [401, 403, 403, 200, 403, 200, 200, 200],
        ("POST", "/experts/{id}/presence") => [401, 403, 200, 403, 403, 403, 200, 200],
        ("GET", "/events") => [401, 403, 403, 101, 101, 101, 101, 101],
        ("POST", "/calls/{id}/supervise") => [401, 403, 403, 403, 403, 200, 200, 200],
        ("POST", path) if path.starts_with("/calls/{id}/") => [401, 403, 403, 200, 403, 200, 200, 200],
        ("POST" | "DELETE", "/agents/{id}/state") => [401, 403, 403, 200, 403, 200, 200, 200],
        ("POST", "/agents/{id}/phone") => [401, 403, 403, 200, 403, 403, 403, 403],
        ("GET", "/voicemails" | "/recordings/{id}" | "/reports" | "/records") => {
            [401, 403, 403, 403, 403, 200, 200, 200]
        }
        ("PATCH", "/recordings/{id}") => [401, 403, 403, 403, 403, 200, 200, 200],
        ("DELETE", "/recordings/{id}") => [401, 403, 403, 403, 403, 204, 204, 204],
        ("POST", "/plans/rollback") => [401, 403, 403, 403, 403, 403, 409, 409],
        ("GET" | "POST", path) if path.starts_with("/plans") => [401, 403, 403, 403, 403, 403, 200, 200],
        ("GET", "/prompts") => [401, 403, 403, 403, 403, 403, 200, 200],
        // No sound in the body, and no such prompt: it is asked who asks first.
        ("PUT", "/prompts/sound") => [401, 403, 403, 403, 403, 403, 422, 422],
        ("GET" | "DELETE", "/prompts/sound") => [401, 403, 403, 403, 403, 403, 404, 404],
        ("GET", "/audit") => [401, 403, 403, 403, 403, 403, 200, 200],
        ("GET" | "POST", "/reload") => [401, 403, 403, 403, 403, 403, 200, 200],
        ("POST", "/callbacks") => [401, 201, 403, 201, 201, 201, 201, 201],
        ("DELETE", "/callbacks/{id}") => [401, 403, 403, 403, 403, 204, 204, 204],
        ("GET", "/users") => [401, 403, 403, 403, 403, 403, 403, 200],
        ("POST", "/users") => [401, 403, 403, 403, 403, 403, 403, 201],
        // Nobody of that name: it is asked who asks before anything is looked for.
        (_, path) if path.starts_with("/users/{id}") => [401, 403, 403, 403, 403, 403, 403, 404],
        ("GET", "/tokens") => [401, 403, 403, 403, 403, 403, 403, 200],
        ("POST", "/tokens") => [401, 403, 403, 403, 403, 403, 403, 201],
        ("DELETE", "/tokens/{id}") => [401, 403, 403, 403, 403, 403, 403, 204],
        other => panic!("say here what {other:?} gives"),
    }
}

async fn status(server: &Server, method: &str, path: &str, token: Option<&str>) -> u16 {
    let (id, body) = match path {
        "/plans/versions/{id}" | "/plans/versions/{id}/file" => ("1".to_owned(), None),
        "/users" => {
            (String::new(), (method == "POST").then_some(r#"{"id":"ada","role":"admin","password":"correct horse"}"#))
        }
        "/users/{id}" => ("nobody".to_owned(), (method == "PATCH").then_some(r#"{"disabled":true}"#)),
        "/users/{id}/password" => ("nobody".to_owned(), Some(r#"{"password":"battery staple"}"#)),
        path if path.starts_with("/users/{id}") => ("nobody".to_owned(), None),
        "/plans/picture" => (String::new(), Some(r#"{"file":"plans/front.toml"}"#)),
        "/plans/trace" => (String::new(), Some(r#"{"to":"600"}"#)),
        "/plans/activate" => (String::new(), Some(ACTIVATE)),
        "/plans/rollback" => (String::new(), Some(r#"{"entry":1,"etag":"x"}"#)),
        "/plans/check" | "/plans/tests" | "/plans/diff" => (String::new(), Some("{}")),
        "/calls/{id}/record" => (CALL.to_owned(), Some(r#"{"state":"on"}"#)),
        "/calls/{id}/disposition" => (CALL.to_owned(), Some(r#"{"code":"sale","resolved":true}"#)),
        "/calls/{id}/supervise" => (CALL.to_owned(), Some(r#"{"mode":"listen","leg":"sip:201@relais.test"}"#)),
        "/calls/{id}/digits" => (CALL.to_owned(), Some(r#"{"digits":"12#"}"#)),
        "/calls/{id}/consult" => (CALL.to_owned(), Some(r#"{"to":"expert:301"}"#)),
        "/experts/{id}/presence" => ("301".to_owned(), Some(r#"{"state":"busy"}"#)),
        "/calls/{id}/transfer" => (CALL.to_owned(), Some(r#"{"to":"agent:202"}"#)),
        path if path.starts_with("/calls/{id}") => (CALL.to_owned(), None),
        "/login" => (String::new(), Some(r#"{"user":"201","password":"demo-201"}"#)),
        "/callbacks" => (String::new(), (method == "POST").then_some(r#"{"number":"+33155501","queue":"sales"}"#)),
        "/callbacks/{id}" => (CALL.to_owned(), None),
        "/agents/{id}/state" => ("201".to_owned(), (method == "POST").then_some(r#"{"state":"available"}"#)),
        "/agents/{id}/phone" => ("201".to_owned(), None),
        "/recordings/{id}" => (sample::RECORDING.to_string(), (method == "PATCH").then_some(r#"{"held":true}"#)),
        "/tokens/{id}" => {
            let token = server.token(Role::Operator);
            (token.split('-').nth(1).unwrap().to_owned(), None)
        }
        "/tokens" => (String::new(), (method == "POST").then_some(r#"{"role":"supervisor"}"#)),
        _ => (String::new(), None),
    };
    let query = match path {
        "/plans/file" | "/plans/versions/{id}/file" => "?file=plans/front.toml",
        "/plans/schema" => "?kind=plan",
        "/prompts/words" => "?language=en",
        "/prompts/sound" => "?name=nobody-has-this&language=en",
        _ => "",
    };
    let path = format!("/api/v1{}{query}", path.replace("{id}", &id));
    if path.ends_with("/events") {
        return stream::Socket::open(server, &path, token).await.map_or_else(|answer| answer.status, |_| 101);
    }
    server.send(method, &path, token, body).await.status
}

#[tokio::test]
async fn every_route_serves_the_roles_it_should_and_no_other() {
    let server = Server::start().await;
    let askers = askers(&server);
    for (method, path, _) in ROUTES {
        let wanted = expected(method, path);
        for (asker, wanted) in askers.iter().zip(wanted) {
            let got = status(&server, method, path, asker.as_deref()).await;
            let whose =
                asker.as_deref().map_or("no token".into(), |token| format!("{:?}", server.tokens.identify(token)));
            assert_eq!(got, wanted, "{method} {path} by {whose}");
        }
    }
}

#[tokio::test]
async fn the_engine_hears_nothing_of_a_refused_request() {
    let server = Server::start().await;
    let [_, _, _, _, other, ..] = askers(&server);
    for asker in [None, Some("relais-00000000-00"), other.as_deref()] {
        for (method, path, rule) in ROUTES {
            if *rule == Rule::Own {
                status(&server, method, path, asker).await;
            }
        }
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn wrong_tokens_of_every_shape_get_401_with_a_challenge() {
    let server = Server::start().await;
    let good = server.token(Role::Admin);
    let head = "GET /api/v1/calls HTTP/1.1\r\nHost: relais\r\nConnection: close\r\n";
    for value in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer wrong", &good, &format!("Bearer {good}x")] {
        let answer = server.raw(&format!("{head}Authorization: {value}\r\n\r\n")).await;
        assert_eq!(answer.status, 401, "{value:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"relais\""));
        assert!(answer.refusal().1.contains("oken"), "{answer:?}");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(server.raw(&format!("{head}Authorization: {scheme} {good}\r\n\r\n")).await.status, 200);
    }
}

#[tokio::test]
async fn an_agent_hangs_up_their_own_leg_and_the_record_will_say_so() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    let path = format!("/api/v1/calls/{CALL}/hangup");
    assert_eq!(server.send("POST", &path, Some(&agent), None).await.status, 200);
    let hang_up = |leg, by| ApiRequest::HangUp { call: CallId(1), leg: Some(LegId(leg)), by };
    assert_eq!(server.asked(), [hang_up(2, Party::Agent)]);
    let answer = server.send("POST", &path, Some(&agent), Some(r#"{"leg_id":1}"#)).await;
    assert_eq!((answer.status, server.asked().len()), (403, 0), "{answer:?}");
    let supervisor = server.token(Role::Supervisor);
    assert_eq!(server.send("POST", &path, Some(&supervisor), Some(r#"{"leg_id":1}"#)).await.status, 200);
    let operator = server.token(Role::Operator);
    assert_eq!(server.send("POST", &path, Some(&operator), Some("{}")).await.status, 200);
    assert_eq!(server.asked(), [hang_up(1, Party::Supervisor), hang_up(2, Party::System)]);
}

#[tokio::test]
async fn a_leg_must_be_named_where_the_call_has_not_exactly_one_agent() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let mut waiting = sample::call(5);
    waiting.agent = None;
    waiting.legs.truncate(1);
    let mut two = sample::call(6);
    two.legs.push(crate::views::LegView {
        leg_id: LegId(3),
        address: "sip:202@127.0.0.4".into(),
        ..two.legs[1].clone()
    });
    for call in [&waiting, &two] {
        server.views.publish(Change::Call(Box::new(call.clone())), sample::at());
        let path = format!("/api/v1/calls/{}/hangup", call.call_id);
        let answer = server.send("POST", &path, Some(&admin), None).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.refusal().1.contains("1 (sip:33155501@127.0.0.2:5070)"), "{answer:?}");
        let answer = server.send("POST", &path, Some(&admin), Some(r#"{"leg_id":9}"#)).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (404, "unknown_leg"));
    }
    // Agent 202 is the second agent of call 6: their own leg is found by its address.
    let view = crate::views::AgentView { call_id: Some(two.call_id), ..sample::agent("202") };
    server.views.publish(Change::Agent(view), sample::at());
    let token = server.token_of(Role::Agent, Some("202"));
    let path = format!("/api/v1/calls/{}/hangup", two.call_id);
    assert_eq!(server.send("POST", &path, Some(&token), None).await.status, 200);
    let wanted = ApiRequest::HangUp { call: two.call_id, leg: Some(LegId(3)), by: Party::Agent };
    assert_eq!(server.asked(), [wanted]);
}

#[tokio::test]
async fn agents_are_paused_made_available_and_logged_out() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    let path = "/api/v1/agents/201/state";
    let paused = server.send("POST", path, Some(&agent), Some(r#"{"state":"paused","reason":"lunch"}"#)).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    assert_eq!((paused.json()["state"].as_str(), paused.json()["reason"].as_str()), (Some("paused"), Some("lunch")));
    let out = server.send("DELETE", path, Some(&agent), None).await;
    assert_eq!((out.status, out.json()["state"].as_str()), (200, Some("logged_out")));
    let id = AgentId::from("201");
    assert_eq!(
        server.asked(),
        [
            ApiRequest::SetAgentState { agent: id.clone(), state: AgentState::Paused, reason: Some("lunch".into()) },
            ApiRequest::LogOut { agent: id },
        ]
    );
}

#[tokio::test]
async fn an_agent_says_what_a_call_came_to_also_when_it_is_over_and_takes_the_time_for_it() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    // A call that is no longer up, which the agent wraps up.
    let over: crate::ids::CallId = "01a21225e0d511f14ca1cd8d254202c6".parse().unwrap();
    let path = format!("/api/v1/calls/{over}/disposition");
    let body = Some(r#"{"code":"complaint","resolved":false}"#);
    let answer = server.send("POST", &path, Some(&agent), body).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let view = crate::views::AgentView { call_id: Some(over), state: AgentState::WrapUp, ..sample::agent("201") };
    server.views.publish(Change::Agent(view), sample::at());
    assert_eq!(server.send("POST", &path, Some(&agent), body).await.status, 200);
    for (body, status) in [
        (r#"{"state":"wrap_up","for_s":90}"#, 200),
        (r#"{"state":"wrap_up"}"#, 422),
        (r#"{"state":"wrap_up","for_s":0}"#, 422),
        (r#"{"state":"wrap_up","for_s":3601}"#, 422),
    ] {
        let answer = server.send("POST", "/api/v1/agents/201/state", Some(&agent), Some(body)).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let disposition = crate::record::Disposition { code: "complaint".to_owned(), resolved: Some(false), note: None };
    let by = std::time::Duration::from_secs(90);
    let wanted =
        [ApiRequest::Dispose { call: over, disposition }, ApiRequest::ExtendWrapUp { agent: "201".into(), by }];
    assert_eq!(server.asked(), wanted);
}

#[tokio::test]
async fn a_token_made_by_the_api_works_until_it_is_deleted() {
    let server = Server::start().await;
    let admin = server.token(Role::Admin);
    let made = server.send("POST", "/api/v1/tokens", Some(&admin), Some(r#"{"role":"agent","agent":"202"}"#)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (token, id) =
        (made.json()["token"].as_str().unwrap().to_owned(), made.json()["id"].as_str().unwrap().to_owned());
    assert_eq!(server.get("/api/v1/calls", Some(&token)).await.status, 200);
    let list = server.get("/api/v1/tokens", Some(&admin)).await;
    assert!(list.body.contains(&id) && !list.body.contains(&token) && !list.body.contains("sha256"), "{list:?}");
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(server.send("DELETE", &path, Some(&admin), None).await.status, 204);
    assert_eq!(server.get("/api/v1/calls", Some(&token)).await.status, 401);
    assert_eq!(server.send("DELETE", &path, Some(&admin), None).await.status, 404);
}

#[tokio::test]
async fn keys_are_sent_by_the_agent_on_the_call_and_are_keys_of_a_telephone() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    let path = format!("/api/v1/calls/{CALL}/digits");
    let long = format!(r#"{{"digits":"{}"}}"#, "1".repeat(33));
    for wrong in [r#"{"digits":""}"#, r#"{"digits":"1x"}"#, &long, "{}"] {
        assert_eq!(server.send("POST", &path, Some(&agent), Some(wrong)).await.status, 422, "{wrong}");
    }
    assert_eq!(server.asked(), []);
    assert_eq!(server.send("POST", &path, Some(&agent), Some(r#"{"digits":"12#"}"#)).await.status, 200);
    let action = crate::views::Steering::Keys("12#".to_owned());
    assert_eq!(server.asked(), [ApiRequest::Steer { call: CallId(1), by: Some("201".into()), leg: None, action }]);
}

#[tokio::test]
async fn a_phone_is_asked_to_answer_by_its_agent_or_by_who_names_them() {
    let server = Server::start().await;
    let path = format!("/api/v1/calls/{CALL}/answer");
    let agent = server.token(Role::Agent);
    assert_eq!(server.send("POST", &path, Some(&agent), None).await.status, 200);
    assert_eq!(server.send("POST", &path, Some(&agent), Some(r#"{"agent":"202"}"#)).await.status, 403);
    let supervisor = server.token(Role::Supervisor);
    assert_eq!(server.send("POST", &path, Some(&supervisor), Some(r#"{"agent":"202"}"#)).await.status, 200);
    let answer = |agent: &str| ApiRequest::Answer { call: CallId(1), agent: agent.into() };
    assert_eq!(server.asked(), [answer("201"), answer("202")]);
}
