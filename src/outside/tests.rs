//! Services of the test's own on 127.0.0.1: slow, hanging, huge, broken ones.

mod server;
mod webhooks;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::client::Services;
use super::lookup;
use crate::ids::ServiceId;
use crate::ivr::{Answer, Fields, HttpRequest, LookUp, LookUpResult, Method, Value};
use crate::settings::Service;
use server::{Server, data_file};

fn service(base_url: &str) -> Service {
    Service {
        id: ServiceId::from("crm"),
        base_url: base_url.to_owned(),
        any_url: false,
        headers: BTreeMap::from([("X-Key".to_owned(), "k".to_owned())]),
        token_file: None,
        secret_file: None,
        ca_file: None,
        max_concurrent: 4,
        cache_entries: 10,
    }
}

fn question(url: &str) -> LookUp {
    let field = |text: &str, default: &str| {
        Value::Map([("path".to_owned(), Value::from(text)), ("default".to_owned(), Value::from(default))].into())
    };
    let fields = Value::Map([("tier".to_owned(), field("customer.tier", "none"))].into());
    LookUp {
        request: HttpRequest {
            service: ServiceId::from("crm"),
            method: Method::Get,
            url: url.to_owned(),
            headers: BTreeMap::new(),
            body: None,
        },
        timeout: Duration::from_secs(5),
        cache: Duration::ZERO,
        fields: Fields::read(&fields).unwrap(),
    }
}

async fn ask(server: &Server, url: &str) -> Answer {
    lookup::answer(&Services::new(&[service(&server.url)], None), question(url)).await
}

#[tokio::test]
async fn an_answer_gives_its_fields() {
    let server = Server::start().await;
    let answer = ask(&server, "/customers/%2B331").await;
    assert_eq!((answer.result, answer.status), (LookUpResult::Ok, 200));
    assert_eq!(answer.values, BTreeMap::from([("tier".to_owned(), Value::from("gold"))]));
    let empty = ask(&server, "/empty").await;
    assert_eq!((empty.result, empty.values.len()), (LookUpResult::Ok, 0));
    let missing = ask(&server, "/missing").await;
    assert_eq!((missing.result, missing.status), (LookUpResult::NotFound, 404));
}

#[tokio::test]
async fn whatever_a_broken_service_does_the_look_up_fails_and_says_why() {
    let server = Server::start().await;
    let cases = [
        ("/broken", 500, "500 Internal Server Error"),
        ("/page", 200, "the answer is no JSON"),
        ("/deep", 200, "the answer is no JSON"),
        ("/huge", 200, "longer than 262144 bytes"),
        ("/redirect", 302, "redirects are not followed"),
    ];
    for (url, status, reason) in cases {
        let answer = ask(&server, url).await;
        assert_eq!((answer.result, answer.status), (LookUpResult::Failed, status), "{url}: {}", answer.reason);
        assert!(answer.reason.contains(reason) && !answer.reason.is_empty(), "{url}: {}", answer.reason);
        assert!(!answer.reason.contains("127.0.0.1"), "a URL may hold a number: {}", answer.reason);
    }
    // Whether the status is read before the connection breaks is a matter of luck.
    let cut = ask(&server, "/cut").await;
    assert!(cut.result == LookUpResult::Failed && !cut.reason.is_empty(), "{cut:?}");
    assert_eq!(server.count("/followed"), 0, "the redirect was followed");
    for url in [server::closing().await, "http://127.0.0.1:1".to_owned(), "http://nobody.invalid".to_owned()] {
        let answer = lookup::answer(&Services::new(&[service(&url)], None), question("/x")).await;
        assert_eq!((answer.result, answer.status), (LookUpResult::Failed, 0), "{url}");
        assert!(!answer.reason.is_empty());
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_waited_for_as_long_as_the_plan_says() {
    let server = Server::start().await;
    for url in ["/hang", "/drip"] {
        let began = Instant::now();
        let services = Services::new(&[service(&server.url)], None);
        let answer = lookup::answer(&services, LookUp { timeout: Duration::from_millis(200), ..question(url) }).await;
        assert_eq!(answer.result, LookUpResult::TimedOut, "{url}: {}", answer.reason);
        assert!((150..2_000).contains(&began.elapsed().as_millis()), "{url}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn more_look_ups_than_a_service_is_given_are_told_busy_at_once() {
    let server = Server::start().await;
    let services = Services::new(&[service(&server.url)], None);
    let hang = || LookUp { timeout: Duration::from_millis(500), ..question("/hang") };
    let one = || lookup::answer(&services, hang());
    let began = Instant::now();
    let (a, b, c, d, (busy, after)) = tokio::join!(one(), one(), one(), one(), async {
        let answer = one().await;
        (answer, began.elapsed())
    });
    assert!([a, b, c, d].iter().all(|answer| answer.result == LookUpResult::TimedOut));
    assert_eq!(busy.result, LookUpResult::Busy);
    assert!(after < Duration::from_millis(200), "{after:?}");
    assert_eq!(one().await.result, LookUpResult::TimedOut, "there is room again");
}

#[tokio::test]
async fn an_answer_is_used_again_where_the_plan_says_so() {
    let server = Server::start().await;
    let services = Services::new(&[service(&server.url)], None);
    let kept = || LookUp { cache: Duration::from_secs(60), ..question("/customers/1") };
    for _ in 0..3 {
        assert_eq!(lookup::answer(&services, kept()).await.values.len(), 1);
    }
    assert_eq!(server.count("/customers/1"), 1);
    let other = LookUp { cache: Duration::from_secs(60), ..question("/customers/2") };
    lookup::answer(&services, other).await;
    assert_eq!(server.count("/customers/2"), 1, "another question");
    lookup::answer(&services, question("/customers/1")).await;
    assert_eq!(server.count("/customers/1"), 2, "asked anew where nothing is said");
    for _ in 0..2 {
        lookup::answer(&services, LookUp { cache: Duration::from_secs(60), ..question("/broken") }).await;
    }
    assert_eq!(server.count("/broken"), 2, "a failure is not kept");
    let again = Services::new(&[service(&server.url)], Some(&services));
    lookup::answer(&again, kept()).await;
    assert_eq!(server.count("/customers/1"), 2, "a reload that changes nothing keeps the answers");
}

#[tokio::test]
async fn a_request_carries_headers_token_and_body_and_nothing_else_gets_in() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let settings = Service { token_file: Some(token.clone()), ..service(&server.url) };
    let services = Services::new(std::slice::from_ref(&settings), None);
    let mut asked = question("/echo?a=1%262");
    asked.request.method = Method::Post;
    asked.request.headers.insert("X-Name".to_owned(), "Zoé \"<x>\"".to_owned());
    asked.request.body = Some(r#"{"a":"b"}"#.to_owned());
    lookup::answer(&services, asked).await;
    let seen = server.last("/echo");
    assert_eq!((seen.query.as_str(), seen.body.as_str()), ("a=1%262", r#"{"a":"b"}"#));
    for (name, value) in [
        ("x-key", "k"),
        ("x-name", "Zoé \"<x>\""),
        ("authorization", "Bearer s3cret"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ] {
        assert_eq!(seen.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    std::fs::write(&token, "new").unwrap();
    let reloaded = Services::new(&[settings], Some(&services));
    lookup::answer(&reloaded, question("/echo")).await;
    assert_eq!(server.last("/echo").headers["authorization"], "Bearer new", "a changed secret is read anew");
}

#[tokio::test]
async fn what_no_header_can_hold_fails_and_is_not_sent() {
    let server = Server::start().await;
    let services = Services::new(&[service(&server.url)], None);
    let mut asked = question("/echo");
    asked.request.headers.insert("X-A".to_owned(), "b\r\nX-Evil: 1".to_owned());
    let answer = lookup::answer(&services, asked).await;
    assert_eq!(answer.result, LookUpResult::Failed);
    assert_eq!(server.count("/echo"), 0);
}

#[tokio::test]
async fn a_plan_asks_only_where_its_service_says() {
    let server = Server::start().await;
    let whole = format!("{}/customers/1", server.url);
    let within = Services::new(&[service(&server.url)], None);
    for url in [whole.as_str(), "@evil.example/x", "customers", ".evil.example"] {
        let answer = lookup::answer(&within, question(url)).await;
        assert!(answer.result != LookUpResult::Ok, "{url}");
    }
    lookup::answer(&within, question("//evil.example/x")).await;
    assert_eq!(server.count("//evil.example/x"), 1, "two slashes are a path of the service itself");
    let anywhere = Service { any_url: true, base_url: String::new(), ..service("") };
    let anywhere = Services::new(&[anywhere], None);
    assert_eq!(lookup::answer(&anywhere, question(&whole)).await.result, LookUpResult::Ok);
    for url in ["/customers/1", "file:///etc/passwd", "ftp://127.0.0.1/"] {
        assert_eq!(lookup::answer(&anywhere, question(url)).await.result, LookUpResult::Failed, "{url}");
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_trusted_and_one_of_the_configuration_is() {
    let url = server::tls().await;
    let stranger = lookup::answer(&Services::new(&[service(&url)], None), question("/customers/1")).await;
    assert_eq!((stranger.result, stranger.status), (LookUpResult::Failed, 0));
    assert!(stranger.reason.contains("certificate"), "{}", stranger.reason);
    let trusted = Service { ca_file: Some(data_file("ca.pem")), ..service(&url) };
    let answer = lookup::answer(&Services::new(&[trusted], None), question("/customers/1")).await;
    assert_eq!(answer.result, LookUpResult::Ok, "{}", answer.reason);
}

#[tokio::test]
async fn a_service_that_cannot_be_set_up_anew_stays_as_it_was() {
    let server = Server::start().await;
    let before = Services::new(&[service(&server.url)], None);
    let broken = Service { ca_file: Some("/nowhere/ca.pem".into()), ..service("https://127.0.0.1:1") };
    let after = Services::new(std::slice::from_ref(&broken), Some(&before));
    assert_eq!(lookup::answer(&after, question("/customers/1")).await.result, LookUpResult::Ok);
    let answer = lookup::answer(&Services::new(&[broken], None), question("/customers/1")).await;
    assert_eq!(answer.result, LookUpResult::Failed, "and without a former state it is not there");
}
