//! The experts by HTTP.

use super::*;
use crate::views::{ExpertView, Presence};

#[tokio::test]
async fn experts_are_listed_with_the_age_of_what_is_known() {
    let server = Server::start().await;
    let agent = server.token(Role::Agent);
    let answer = server.get("/api/v1/experts", Some(&agent)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expert = &answer.json()["experts"][0];
    assert_eq!((expert["id"].as_str(), expert["presence"].as_str()), (Some("301"), Some("free")));
    assert_eq!((expert["source"].as_str(), expert["competence"][0].as_str()), (Some("dialog"), Some("tax")));
    assert_eq!(expert["open"], true);
    // The sample was heard long ago, and published as new: the age is that of now.
    let heard = sample::at();
    let age = expert["presence_age_ms"].as_u64().unwrap();
    let real = ExpertView::age_ms(heard, Wall::now());
    assert!(age <= real && real - age < 60_000, "{age} {real}");

    let unknown = ExpertView { presence: Presence::Unknown, heard_at: None, source: None, ..sample::expert("302") };
    server.views.publish(Change::Expert(Box::new(unknown)), sample::at());
    server.views.publish(Change::ExpertGone { id: "301".into() }, sample::at());
    let answer = server.get("/api/v1/experts", Some(&agent)).await.json();
    assert_eq!(answer["experts"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["experts"][0]["presence"], "unknown");
    assert!(answer["experts"][0]["presence_age_ms"].is_null(), "{answer}");
}

#[tokio::test]
async fn a_telephony_tells_how_an_expert_is() {
    let server = Server::start().await;
    let token = server.token(Role::Presence);
    let path = "/api/v1/experts/301/presence";
    let answer = server.send("POST", path, Some(&token), Some(r#"{"state":"away"}"#)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.asked(), [ApiRequest::SetPresence { expert: "301".into(), presence: Presence::Away }]);
    for (path, body, status) in [
        ("/api/v1/experts/399/presence", Some(r#"{"state":"away"}"#), 404),
        (path, Some(r#"{"state":"asleep"}"#), 422),
        (path, Some(r#"{"state":"away","until":1}"#), 422),
        (path, None, 400),
    ] {
        let answer = server.send("POST", path, Some(&token), body).await;
        assert_eq!(answer.status, status, "{path} {body:?}: {answer:?}");
    }
    assert_eq!(server.asked(), [], "the engine hears nothing of what is refused");
}
