//! Events on their way to a service.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, bounded};
use tokio::runtime::Handle;

use super::super::client::Services;
use super::super::sign::Secret;
use super::super::webhook::{MOST_WAITING, Webhooks};
use super::server::Server;
use super::service;
use crate::engine::{Input, Told};
use crate::ids::{CallId, ServiceId};
use crate::ivr::{HttpRequest, Method, Value, Webhook};
use crate::outbox::Outbox;
use crate::time::Wall;

const SECRET: &str = "a secret of some length";

fn told(n: u32, url: &str) -> Told {
    let request = HttpRequest {
        service: ServiceId::from("crm"),
        method: Method::Post,
        url: url.to_owned(),
        headers: BTreeMap::new(),
        body: None,
    };
    let data = BTreeMap::from([("from".to_owned(), Value::from("<script>\"\r\n"))]);
    let webhook = Webhook { request, event: "call.closed".to_owned(), data };
    Told { id: format!("e-{n}"), call: CallId(7), at: Wall::now(), webhook }
}

fn start(url: &str, secret: Option<&Path>, untold: Vec<String>) -> (Webhooks, Receiver<Input>) {
    let settings = crate::settings::Service { secret_file: secret.map(Path::to_owned), ..service(url) };
    let services = Arc::new(ArcSwap::from_pointee(Services::new(&[settings], None)));
    let (answers, done) = bounded(MOST_WAITING + 10);
    (Webhooks::start(&Handle::current(), services, Outbox::from(answers), untold), done)
}

/// The ids of the events that are done, once there are `count`.
async fn done(answers: &Receiver<Input>, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..2_000 {
        ids.extend(answers.try_iter().map(|input| match input {
            Input::ToldOf(id) => id,
            other => panic!("{other:?}"),
        }));
        if ids.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ids.sort();
    ids
}

#[tokio::test]
async fn an_event_is_posted_with_its_id_and_signature() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let (webhooks, answers) = start(&server.url, Some(&secret), Vec::new());
    webhooks.tell(told(1, "/events"));
    assert_eq!(done(&answers, 1).await, ["e-1"]);
    let seen = server.last("/events");
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!((body["id"].as_str(), body["type"].as_str()), (Some("e-1"), Some("call.closed")));
    assert_eq!(body["data"]["from"], "<script>\"\r\n");
    assert_eq!(body["call_id"], CallId(7).to_string());
    let timestamp: i64 = seen.headers["webhook-timestamp"].parse().unwrap();
    assert!((Wall::now().as_second() - timestamp).abs() < 60);
    let expected = Secret::read(SECRET).unwrap().signature("e-1", timestamp, &seen.body);
    assert_eq!((&seen.headers["webhook-id"], &seen.headers["webhook-signature"]), (&"e-1".to_owned(), &expected));
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_with_the_same_id() {
    let server = Server::start().await;
    let (webhooks, answers) = start(&server.url, None, Vec::new());
    webhooks.tell(told(1, "/later"));
    webhooks.tell(told(2, "/events"));
    assert_eq!(done(&answers, 2).await, ["e-1", "e-2"]);
    let ids: Vec<String> = server.seen("/later").iter().map(|seen| seen.headers["webhook-id"].clone()).collect();
    assert_eq!(ids, ["e-1"; 3]);
    assert!(!server.last("/later").headers.contains_key("webhook-signature"), "without a secret there is none");
}

#[tokio::test]
async fn an_event_that_nobody_wants_any_more_or_that_is_too_old_is_given_up() {
    let server = Server::start().await;
    let old = Told { at: Wall::now() - jiff::SignedDuration::from_hours(25), ..told(3, "/broken") };
    let (webhooks, answers) =
        start(&server.url, None, vec![serde_json::to_string(&old).unwrap(), "no JSON".to_owned()]);
    webhooks.tell(told(1, "/gone"));
    webhooks.tell(told(2, "/broken"));
    assert_eq!(done(&answers, 2).await, ["e-1", "e-3"], "and an event that may still be taken is kept");
    assert_eq!(server.count("/gone"), 1);
}

#[tokio::test]
async fn a_pause_that_the_service_asks_for_is_kept() {
    let server = Server::start().await;
    let (webhooks, answers) = start(&server.url, None, Vec::new());
    webhooks.tell(told(1, "/wait"));
    webhooks.tell(told(2, "/events"));
    assert_eq!(done(&answers, 1).await, ["e-2"]);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(server.count("/wait"), 1, "tried again after a second although it asked for 100");
}

#[tokio::test]
async fn events_of_an_earlier_process_are_told() {
    let server = Server::start().await;
    let untold = [told(1, "/events"), told(2, "/events")].map(|told| serde_json::to_string(&told).unwrap());
    let (_webhooks, answers) = start(&server.url, None, untold.into());
    assert_eq!(done(&answers, 2).await, ["e-1", "e-2"]);
}

#[tokio::test]
async fn a_dead_service_fills_no_memory_and_holds_nobody_up() {
    let (webhooks, answers) = start("http://127.0.0.1:1", None, Vec::new());
    let began = std::time::Instant::now();
    for n in 0..30_000 {
        webhooks.tell(told(n, "/events"));
        if n % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(5), "telling waited: {:?}", began.elapsed());
    assert!(done(&answers, 10_000).await.len() >= 10_000, "what does not fit is told to be dropped");
}
