//! The WebSocket of events: nothing missing, nothing twice, and nobody waited for.

use super::*;

/// A client's end of a WebSocket.
pub(super) struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A frame of the server.
#[derive(Debug, PartialEq)]
enum Frame {
    Text(Value),
    /// Code and reason.
    Close(u16, String),
    Ping,
}

impl Socket {
    /// Opens it, or gives the server's refusal.
    pub(super) async fn open(server: &Server, path: &str, token: Option<&str>) -> Result<Socket, Answer> {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: relais\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{authorization}\r\n"
        );
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let read = timeout(PATIENCE, stream.read_buf(&mut bytes)).await.expect("an answer in time").unwrap();
            assert!(read > 0, "closed before an answer");
        };
        let unread = bytes.split_off(end);
        if !bytes.starts_with(b"HTTP/1.1 101 ") {
            bytes.extend(unread);
            return Err(Answer::parse(&bytes));
        }
        Ok(Socket { stream, unread })
    }

    async fn following(server: &Server, query: &str) -> Socket {
        let token = server.token(Role::Supervisor);
        Socket::open(server, &format!("/api/v1/events{query}"), Some(&token)).await.unwrap()
    }

    /// The next frame; `None` when the server closed the connection.
    async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.read()).await.expect("a frame in time")
    }

    async fn read(&mut self) -> Option<Frame> {
        let first = self.take(2).await?;
        // RFC 6455 §5.2: FIN and opcode, then MASK (never set by a server) and length.
        assert_eq!((first[0] & 0xf0, first[1] & 0x80), (0x80, 0), "whole, unmasked frames");
        let length = match first[1] {
            126 => u16::from_be_bytes(self.take(2).await?.try_into().unwrap()) as usize,
            127 => u64::from_be_bytes(self.take(8).await?.try_into().unwrap()) as usize,
            short => short as usize,
        };
        let payload = self.take(length).await?;
        Some(match first[0] & 0x0f {
            1 => Frame::Text(serde_json::from_slice(&payload).unwrap()),
            8 if payload.is_empty() => Frame::Close(1005, String::new()),
            8 => Frame::Close(
                u16::from_be_bytes([payload[0], payload[1]]),
                String::from_utf8(payload[2..].into()).unwrap(),
            ),
            9 => Frame::Ping,
            other => panic!("frame with opcode {other}"),
        })
    }

    async fn take(&mut self, wanted: usize) -> Option<Vec<u8>> {
        while self.unread.len() < wanted {
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
        let rest = self.unread.split_off(wanted);
        Some(std::mem::replace(&mut self.unread, rest))
    }

    async fn event(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Frame::Text(value)) => return value,
                Some(Frame::Ping) => {}
                other => panic!("no event: {other:?}"),
            }
        }
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some(Frame::Close(code, _)) => return code,
                Some(_) => {}
                None => panic!("closed without a close frame"),
            }
        }
    }

    /// An empty frame of the client, masked with zeros.
    async fn send_empty(&mut self, opcode: u8) {
        self.stream.write_all(&[0x80 | opcode, 0x80, 0, 0, 0, 0]).await.unwrap();
    }
}

fn publish(server: &Server, count: usize) {
    for _ in 0..count {
        server.views.publish(Change::Agent(sample::agent("201")), sample::at());
    }
}

#[tokio::test]
async fn events_come_in_order_from_the_moment_of_opening() {
    let server = Server::start().await;
    let before = server.views.latest();
    let mut socket = Socket::following(&server, "").await;
    publish(&server, 1);
    let call = sample::call(1);
    server.views.publish(Change::Call(Box::new(call.clone())), sample::at());
    server.views.publish(Change::Ended(Box::new(sample::record(&call))), sample::at());
    for (number, kind) in (1..).zip(["agent", "call", "ended"]) {
        let event = socket.event().await;
        assert_eq!((event["seq"].as_u64(), event["type"].as_str()), (Some(before + number), Some(kind)));
        assert_eq!(event["at"], "2026-11-23T10:00:00.000Z");
    }
}

#[tokio::test]
async fn since_resumes_without_a_gap_while_changes_go_on() {
    let server = Server::start().await;
    let before = server.views.latest();
    publish(&server, 70);
    let mut first = Socket::following(&server, &format!("?since={before}")).await;
    let mut last = before;
    for _ in 0..30 {
        let seq = first.event().await["seq"].as_u64().unwrap();
        assert_eq!(seq, last + 1);
        last = seq;
    }
    drop(first);
    let views = server.views.clone();
    let busy = std::thread::spawn(move || {
        for _ in 0..20 {
            views.publish(Change::Agent(sample::agent("202")), sample::at());
        }
    });
    let mut second = Socket::following(&server, &format!("?since={last}")).await;
    for wanted in last + 1..=before + 90 {
        assert_eq!(second.event().await["seq"], wanted);
    }
    busy.join().unwrap();
}

#[tokio::test]
async fn a_since_out_of_reach_is_said_so_and_the_stream_goes_on() {
    let server = Server::keeping(10, Engine::Obliging, Limits::default()).await;
    publish(&server, 50);
    // Before the ring, just before it, just after the latest, and far from everything.
    let places: [fn(u64) -> u64; 4] = [|_| 0, |latest| latest - 11, |latest| latest + 1, |_| u64::MAX];
    for place in places {
        let since = place(server.views.latest());
        let mut socket = Socket::following(&server, &format!("?since={since}")).await;
        let reset = socket.event().await;
        assert_eq!((reset["type"].as_str(), reset["seq"].as_u64()), (Some("reset"), Some(server.views.latest())));
        assert!(reset["message"].as_str().unwrap().contains("read /calls"), "{reset}");
        publish(&server, 1);
        assert_eq!(socket.event().await["seq"], server.views.latest());
    }
    let latest = server.views.latest();
    let mut reachable = Socket::following(&server, &format!("?since={}", latest - 10)).await;
    assert_eq!(reachable.event().await["seq"], latest - 9);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let limits = Limits { web_socket_send: Duration::from_millis(200), ..Limits::default() };
    let server = Server::keeping(1000, Engine::Obliging, limits).await;
    let slow = Socket::following(&server, "").await;
    let mut quick = Socket::following(&server, "").await;
    let mut call = sample::call(1);
    call.from = "x".repeat(60_000);
    // 60 MB: more than the kernel buffers for the one who does not read.
    for _ in 0..1000 {
        server.views.publish(Change::Call(Box::new(call.clone())), sample::at());
        assert_eq!(quick.event().await["seq"], server.views.latest());
    }
    let Socket { mut stream, .. } = slow;
    let mut read = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the slow client is dropped");
    assert!(end.is_err() || read.len() < 59_000_000, "everything was delivered: {}", read.len());
}

#[tokio::test]
async fn a_client_overrun_by_the_ring_is_told_to_come_back() {
    let server = Server::keeping(4, Engine::Obliging, Limits::default()).await;
    let mut socket = Socket::following(&server, "").await;
    let views = server.views.clone();
    let busy = tokio::task::spawn_blocking(move || {
        let mut call = sample::call(1);
        call.from = "x".repeat(1_000_000);
        for _ in 0..200 {
            views.publish(Change::Call(Box::new(call.clone())), sample::at());
        }
    });
    busy.await.unwrap();
    assert_eq!(socket.close_code().await, 1013);
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_one_that_answers_stays() {
    let limits = Limits { web_socket_beat: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let mut silent = Socket::following(&server, "").await;
    let mut alive = Socket::following(&server, "").await;
    let mut beats = 0;
    while beats < 5 {
        assert_eq!(alive.next().await, Some(Frame::Ping));
        alive.send_empty(10).await;
        beats += 1;
    }
    assert_eq!(silent.next().await, Some(Frame::Ping));
    assert_eq!(silent.next().await, None);
    publish(&server, 1);
    assert_eq!(alive.event().await["seq"], server.views.latest());
}

#[tokio::test]
async fn a_deleted_token_closes_its_stream() {
    let limits = Limits { web_socket_beat: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let token = server.token(Role::Supervisor);
    let mut socket = Socket::open(&server, "/api/v1/events", Some(&token)).await.unwrap();
    assert!(server.tokens.delete(token.split('-').nth(1).unwrap()).unwrap());
    assert_eq!(socket.close_code().await, 1008);
}

#[tokio::test]
async fn the_bound_on_streams_is_kept_and_a_place_comes_free() {
    let limits = Limits { web_sockets: 1, ..Limits::default() };
    let server = Server::with(Engine::Obliging, limits).await;
    let token = server.token(Role::Supervisor);
    let mut first = Socket::open(&server, "/api/v1/events", Some(&token)).await.unwrap();
    let Err(refused) = Socket::open(&server, "/api/v1/events", Some(&token)).await else {
        panic!("a second one is open")
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    first.send_empty(8).await;
    while first.next().await.is_some() {}
    let reopened = async {
        loop {
            if let Ok(socket) = Socket::open(&server, "/api/v1/events", Some(&token)).await {
                break socket;
            }
        }
    };
    timeout(PATIENCE, reopened).await.expect("the place comes free");
}

#[tokio::test]
async fn a_message_longer_than_a_client_has_any_use_for_ends_the_stream() {
    let server = Server::start().await;
    let mut socket = Socket::following(&server, "").await;
    // A text frame of 1 GB is announced.
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend(1_000_000_000u64.to_be_bytes());
    frame.extend([0; 4]);
    socket.stream.write_all(&frame).await.unwrap();
    while socket.next().await.is_some() {}
    assert_eq!(server.get("/healthz", None).await.status, 200);
}

#[tokio::test]
async fn a_stopping_server_says_goodbye() {
    let server = Server::start().await;
    let mut socket = Socket::following(&server, "").await;
    let goodbye = async {
        let code = socket.close_code().await;
        socket.send_empty(8).await;
        code
    };
    let (code, ()) = tokio::join!(goodbye, server.stop());
    assert_eq!(code, 1001);
}
