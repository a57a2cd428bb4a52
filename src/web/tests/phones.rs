//! SIP over WebSocket as far as it is the web's: who may connect, and frames both ways.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

type Socket = WebSocketStream<TcpStream>;

/// Opens `/sip` with these headers; the server's status and message where it refuses.
async fn open(server: &Server, protocol: Option<&str>, headers: &[(&str, &str)]) -> Result<Socket, (u16, String)> {
    let mut request = ClientRequestBuilder::new(format!("ws://{}/sip", server.address).parse().unwrap());
    for (name, value) in headers {
        request = request.with_header(*name, *value);
    }
    if let Some(protocol) = protocol {
        request = request.with_sub_protocol(protocol);
    }
    let stream = TcpStream::connect(server.address).await.unwrap();
    match timeout(PATIENCE, client_async(request, stream)).await.unwrap() {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "sip", "RFC 7118 §4.1");
            Ok(socket)
        }
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
        }
        Err(other) => panic!("{other}"),
    }
}

async fn received(socket: &mut Socket) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("a frame in time").expect("a frame").unwrap()
}

#[tokio::test]
async fn text_and_binary_frames_are_messages_and_what_is_no_text_goes_out_binary() {
    let server = Server::start().await;
    let mut socket = open(&server, Some("sip"), &[]).await.unwrap();
    for (sent, comes) in [
        (Message::text("OPTIONS é"), Message::text("OPTIONS é")),
        (Message::binary("OPTIONS"), Message::text("OPTIONS")),
        (Message::binary(vec![0xff, 0xfe]), Message::binary(vec![0xff, 0xfe])),
    ] {
        socket.send(sent).await.unwrap();
        assert_eq!(received(&mut socket).await, comes);
    }
    socket.send(Message::text("rubbish")).await.unwrap();
    let Message::Close(Some(frame)) = received(&mut socket).await else { panic!("not closed") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Protocol, "a frame is no SIP message"));
}

#[tokio::test]
async fn the_subprotocol_is_required_and_a_page_of_another_host_is_kept_out() {
    let server = Server::start().await;
    let host = server.address.to_string();
    let ours = format!("http://{host}");
    for (protocol, origin, status, says) in [
        (None, None, 400, "the subprotocol 'sip'"),
        (Some("mqtt"), None, 400, "the subprotocol 'sip'"),
        (Some("sip"), Some("http://evil.example"), 403, "origins of [web]"),
        (Some("sip"), Some("null"), 403, "origins of [web]"),
        (Some("sip"), Some("https://desk.example.com.evil.example"), 403, "origins of [web]"),
    ] {
        let headers: Vec<_> = origin.iter().map(|origin| ("Origin", *origin)).collect();
        let (got, message) = open(&server, protocol, &headers).await.expect_err("a refusal");
        assert!(got == status && message.contains(says), "{protocol:?} {origin:?}: {got} {message}");
    }
    assert!(open(&server, Some("sip"), &[("Origin", &ours)]).await.is_ok(), "our own page");
    assert_eq!(server.get("/sip", None).await.status, 400, "no WebSocket");
}

#[tokio::test]
async fn behind_a_proxy_the_browser_is_who_the_proxy_says_and_comes_by_tls() {
    let server = Server::start().await;
    let proxied = [("Origin", "https://desk.example.com"), ("X-Forwarded-For", "192.0.2.9")];
    let mut socket = open(&server, Some("sip"), &proxied).await.unwrap();
    socket.send(Message::text("x")).await.unwrap();
    assert_eq!(received(&mut socket).await, Message::text("x"));
}

#[tokio::test]
async fn a_browser_that_gives_no_sign_of_life_is_dropped_and_one_that_does_stays() {
    let limits = Limits { phone_beat: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let mut alive = open(&server, Some("sip"), &[]).await.unwrap();
    // Its client does not read, and so does not answer pings.
    let dead = open(&server, Some("sip"), &[]).await.unwrap();
    for _ in 0..5 {
        assert_eq!(received(&mut alive).await, Message::Ping(Default::default()));
    }
    let mut raw = dead.into_inner();
    let mut rest = Vec::new();
    timeout(PATIENCE, raw.read_to_end(&mut rest)).await.expect("closed").unwrap();
}

#[tokio::test]
async fn a_frame_longer_than_any_message_ends_the_connection() {
    let server = Server::start().await;
    let mut socket = open(&server, Some("sip"), &[]).await.unwrap();
    socket.send(Message::text("x".repeat(65_535))).await.unwrap();
    assert_eq!(received(&mut socket).await.len(), 65_535);
    socket.send(Message::text("x".repeat(65_536))).await.unwrap();
    assert!(!matches!(timeout(PATIENCE, socket.next()).await.expect("an end"), Some(Ok(Message::Text(_)))));
}
