//! HTTPS with real hand-shakes.

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};

use super::*;
use crate::tls::tests::Authority;
use crate::web::secure::Bounds;

/// A server that speaks TLS, and who vouches for it.
struct Secure {
    server: Server,
    authority: Authority,
    keys: Keys,
}

/// What a client speaks.
struct Speaks {
    versions: &'static [&'static SupportedProtocolVersion],
    protocols: &'static [&'static str],
}

const OLDER: &[&SupportedProtocolVersion] = &[&TLS12];
const NEWER: &[&SupportedProtocolVersion] = &[&TLS13];

/// As a browser.
const BROWSER: Speaks = Speaks { versions: &[&TLS13, &TLS12], protocols: &["h2", "http/1.1"] };

fn client(authority: &Authority, speaks: &Speaks) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority.ca_file()).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(crate::tls::provider())
        .with_protocol_versions(speaks.versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = speaks.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

impl Secure {
    async fn start(limits: Limits) -> Secure {
        let authority = Authority::new();
        let keys = Keys::new(authority.https(&["localhost"]));
        let server = Server::set_up(100, Engine::Obliging, limits, Some(keys.clone())).await;
        Secure { server, authority, keys }
    }

    async fn connect(&self, authority: &Authority, speaks: &Speaks) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.server.address).await?;
        let greeted = client(authority, speaks).connect("localhost".try_into().unwrap(), stream);
        timeout(PATIENCE, greeted).await.expect("an end of the hand-shake")
    }

    async fn browser(&self) -> TlsStream<TcpStream> {
        self.connect(&self.authority, &BROWSER).await.unwrap()
    }

    /// Sends a request as it is by a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        exchange(&mut self.browser().await, request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    async fn log_in(&self, headers: &str) -> Answer {
        let body = r#"{"user":"201","password":"demo-201"}"#;
        let head =
            "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
        self.ask(&format!("{head}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())).await
    }
}

async fn exchange(stream: &mut TlsStream<TcpStream>, request: &str) -> Answer {
    let exchange = async {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    Answer::parse(&timeout(PATIENCE, exchange).await.expect("an answer in time"))
}

async fn reads_to_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    bytes
}

fn hurried(patience: u64) -> Limits {
    let patience = Duration::from_millis(patience);
    let handshakes = Bounds { patience, haste: patience, ..Bounds::default() };
    Limits { handshakes, ..Limits::default() }
}

#[tokio::test]
async fn both_versions_of_tls_come_to_http_1_1() {
    let secure = Secure::start(Limits::default()).await;
    for (versions, version) in [
        (OLDER, ProtocolVersion::TLSv1_2),
        (NEWER, ProtocolVersion::TLSv1_3),
        (BROWSER.versions, ProtocolVersion::TLSv1_3),
    ] {
        for protocols in [BROWSER.protocols, &[]] {
            let mut stream = secure.connect(&secure.authority, &Speaks { versions, protocols }).await.unwrap();
            let (_, session) = stream.get_ref();
            let agreed = (!protocols.is_empty()).then_some(&b"http/1.1"[..]);
            assert_eq!((session.protocol_version(), session.alpn_protocol()), (Some(version), agreed));
            let answer =
                exchange(&mut stream, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    let other = Speaks { protocols: &["h2"], ..BROWSER };
    let refused = secure.connect(&secure.authority, &other).await.expect_err("nothing in common").to_string();
    assert!(refused.contains("NoApplicationProtocol"), "RFC 7301 §3.2: {refused}");
}

#[tokio::test]
async fn whoever_does_not_trust_us_does_not_come_in_and_others_do() {
    let secure = Secure::start(Limits::default()).await;
    secure.connect(&Authority::new(), &BROWSER).await.expect_err("a stranger");
    assert_eq!(secure.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn browsers_are_told_to_come_by_nothing_less_and_cookies_stay_in_it() {
    let secure = Secure::start(Limits::default()).await;
    for path in ["/", "/healthz", "/metrics", "/api/v1/calls", "/none"] {
        let answer = secure.get(path).await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}: {answer:?}");
    }
    // What others say of the way here changes nothing.
    for more in ["", "X-Forwarded-Proto: http\r\n", "Origin: https://localhost\r\n"] {
        let answer = secure.log_in(more).await;
        let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{more}: {cookie}");
    }
    let plain = Server::start().await;
    assert_eq!(plain.get("/healthz", None).await.header("strict-transport-security"), None);
}

#[tokio::test]
async fn a_page_that_came_in_the_clear_is_not_ours() {
    let secure = Secure::start(Limits::default()).await;
    for origin in ["http://localhost", "https://localhost:1", "https://evil.test", "null"] {
        let answer = secure.log_in(&format!("Origin: {origin}\r\n")).await;
        assert_eq!((answer.status, answer.refusal().0.as_str()), (403, "other_origin"), "{origin}");
    }
}

#[tokio::test]
async fn a_request_in_the_clear_is_led_to_https_or_refused_and_never_done() {
    let secure = Secure::start(Limits::default()).await;
    let page = secure.server.raw("GET /reports?a=b HTTP/1.1\r\nHost: localhost:1\r\n\r\n").await;
    assert_eq!((page.status, page.header("location")), (307, Some("https://localhost:1/reports?a=b")), "{page:?}");
    let admin = secure.server.token(Role::Admin);
    let asked = secure.server.send("DELETE", "/api/v1/agents/201/state", Some(&admin), None).await;
    assert_eq!((asked.status, asked.refusal().0.as_str()), (400, "https_needed"), "{asked:?}");
    assert!(secure.server.asked().is_empty(), "nothing was done");
    let socket = "GET /sip HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert_eq!(secure.server.raw(socket).await.status, 400);
    for rubbish in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "OPTIONS sip:a@b SIP/2.0\r\n\r\n"] {
        let mut stream = TcpStream::connect(secure.server.address).await.unwrap();
        stream.write_all(rubbish.as_bytes()).await.unwrap();
        let said = reads_to_the_end(stream).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400"), "{rubbish:?}: {}", said.escape_ascii());
    }
}

#[tokio::test]
async fn a_hand_shake_that_breaks_off_is_closed_and_harms_nobody() {
    let secure = Secure::start(hurried(300)).await;
    for begun in [&b"\x16"[..], b"\x16\x03\x01\x40\x00", b"\x16\x03\x01\x00\x05hello", b"\x16\xff\xff\xff\xff\xff"] {
        let mut stream = TcpStream::connect(secure.server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let said = reads_to_the_end(stream).await;
        assert!(said.is_empty() || said[0] == 21, "an alert at most: {}", said.escape_ascii());
    }
    assert_eq!(secure.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn who_is_silent_takes_no_place_of_those_who_are_served() {
    let secure = Secure::start(Limits { connections: 1, ..hurried(5_000) }).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(secure.server.address).await.unwrap());
    }
    let asked = std::time::Instant::now();
    assert_eq!(secure.get("/healthz").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "it was not waited for the silent ones");
    for stream in silent {
        assert!(reads_to_the_end(stream).await.is_empty());
    }
}

#[tokio::test]
async fn hand_shakes_over_the_bound_are_closed_and_those_who_are_in_stay() {
    let mut limits = hurried(60_000);
    limits.handshakes = Bounds { at_once: 2, from_one: 2, ..limits.handshakes };
    let secure = Secure::start(limits).await;
    let mut inside = secure.browser().await;
    // The one who is in holds no place at the door, once it has been served by.
    inside.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    timeout(PATIENCE, inside.read_exact(&mut start)).await.unwrap().unwrap();
    let silent = [0, 1].map(|_| TcpStream::connect(secure.server.address));
    let mut held = Vec::new();
    for stream in silent {
        held.push(stream.await.unwrap());
    }
    let third = TcpStream::connect(secure.server.address).await.unwrap();
    assert!(reads_to_the_end(third).await.is_empty());
    inside.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, inside.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.windows(12).any(|part| part == b"HTTP/1.1 200"));
    drop(held);
    let served = async { while secure.connect(&secure.authority, &BROWSER).await.is_err() {} };
    timeout(PATIENCE, served).await.expect("a place comes free");
}

#[tokio::test]
async fn a_connection_over_the_bound_is_told_so_behind_the_hand_shake() {
    let secure = Secure::start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = secure.browser().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    timeout(PATIENCE, first.read_exact(&mut start)).await.unwrap().unwrap();
    let answer = exchange(&mut secure.browser().await, "").await;
    assert_eq!((answer.status, answer.refusal().0.as_str()), (503, "too_many_connections"));
}

#[tokio::test]
async fn new_keys_serve_new_connections_and_old_ones_go_on() {
    let secure = Secure::start(Limits::default()).await;
    let mut before = secure.browser().await;
    let renewed = Authority::new();
    secure.keys.replace(renewed.https(&["localhost"]));
    secure.connect(&secure.authority, &BROWSER).await.expect_err("the old certificate is gone");
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut after = secure.connect(&renewed, &BROWSER).await.unwrap();
    for stream in [&mut before, &mut after] {
        assert_eq!(exchange(stream, request).await.status, 200);
    }
}

#[tokio::test]
async fn softphones_come_by_wss_and_are_known_to() {
    let secure = Secure::start(Limits::default()).await;
    let request = ClientRequestBuilder::new("wss://localhost/sip".parse().unwrap()).with_sub_protocol("sip");
    let (mut socket, _) = client_async(request, secure.browser().await).await.unwrap();
    socket.send(Message::text("OPTIONS")).await.unwrap();
    let frame = timeout(PATIENCE, socket.next()).await.expect("a frame in time").expect("a frame").unwrap();
    assert_eq!(frame, Message::text("OPTIONS"));
}

#[tokio::test]
async fn the_end_of_the_server_does_not_wait_for_hand_shakes() {
    let secure = Secure::start(hurried(600_000)).await;
    let silent = TcpStream::connect(secure.server.address).await.unwrap();
    assert_eq!(secure.get("/healthz").await.status, 200);
    secure.server.stop().await;
    assert!(reads_to_the_end(silent).await.is_empty());
}
