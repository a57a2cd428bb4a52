//! Real sockets on the loopback.

mod frames;
mod secure;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use crossbeam_channel::{Receiver, bounded};
use tokio::runtime::Runtime;

use super::*;

const SOON: Duration = Duration::from_secs(5);

struct Bench {
    net: Net,
    events: Receiver<NetEvent>,
    /// Dropped last: the sockets' tasks run on it.
    runtime: Runtime,
}

fn bench(transport: Transport, room: usize, limits: Limits) -> Bench {
    bench_with(transport, Tls::default(), room, limits)
}

fn bench_with(transport: Transport, keys: Tls, room: usize, limits: Limits) -> Bench {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (sender, events) = bounded(room);
    let listen = [Listen { transport, address: ([127, 0, 0, 1], 0).into() }];
    let net = runtime.block_on(Net::bind_with(&listen, keys, sender.into(), limits)).expect("a port");
    Bench { net, events, runtime }
}

impl Bench {
    fn address(&self) -> SocketAddr {
        self.net.listening()[0].address
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a time-out");
        stream
    }

    fn message(&self) -> (Flow, Message) {
        match self.events.recv_timeout(SOON) {
            Ok(NetEvent::Message { flow, message }) => (flow, *message),
            other => panic!("no message: {other:?}"),
        }
    }

    fn error(&self) -> Destination {
        match self.events.recv_timeout(SOON) {
            Ok(NetEvent::TransportError { to }) => to,
            other => panic!("no transport error: {other:?}"),
        }
    }
}

fn datagrams() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(SOON)).expect("a time-out");
    socket
}

fn text(method: &str, n: u32) -> String {
    format!(
        "{method} sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP phone.invalid;branch=z9hG4bK{n};rport\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:600@b>\r\nCall-ID: c{n}\r\nCSeq: {n} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn answer_to(message: &Message) -> Bytes {
    match message {
        Message::Request(request) => request.response(200.into(), Some("t")).to_bytes(),
        Message::Response(response) => panic!("{response:?}"),
    }
}

fn received(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).expect("an answer, or the end");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_datagram_comes_with_its_source_and_is_answered_there() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    let phone = datagrams();
    phone.send_to(text("OPTIONS", 1).as_bytes(), bench.address()).expect("sent");
    let (flow, message) = bench.message();
    assert_eq!((flow.remote, flow.local, flow.connection), (phone.local_addr().expect("bound"), bench.address(), None));
    bench.net.send(Transmit { to: Destination::Flow(flow), bytes: answer_to(&message) });
    let mut buffer = [0; 4096];
    let (length, from) = phone.recv_from(&mut buffer).expect("an answer");
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert_eq!(from, bench.address());
    let wanted = format!("rport={};received=127.0.0.1", flow.remote.port());
    assert!(answer.contains(&wanted), "RFC 3581: {answer}");
}

#[test]
fn what_cannot_be_read_is_refused_or_dropped_without_the_engine() {
    let bench = bench(Transport::Udp, 16, Limits::default());
    let phone = datagrams();
    for silent in ["\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"] {
        phone.send_to(silent.as_bytes(), bench.address()).expect("sent");
    }
    phone.send_to(text("OPTIONS", 1).replace("CSeq: 1", "CSeq: x").as_bytes(), bench.address()).expect("sent");
    let mut buffer = [0; 4096];
    let length = phone.recv(&mut buffer).expect("an answer");
    assert!(buffer[..length].starts_with(b"SIP/2.0 400 "), "{}", buffer[..length].escape_ascii());
    assert!(bench.events.is_empty());
    assert_eq!(bench.net.figures().malformed, 4);
}

#[test]
fn a_busy_engine_gets_no_new_calls_and_a_full_queue_drops() {
    let bench = bench(Transport::Udp, 4, Limits::default());
    let phone = datagrams();
    for n in 0..4 {
        phone.send_to(text("OPTIONS", n).as_bytes(), bench.address()).expect("sent");
    }
    while bench.events.len() < 4 {
        std::thread::yield_now();
    }
    phone.send_to(text("INVITE", 9).as_bytes(), bench.address()).expect("sent");
    let mut buffer = [0; 4096];
    let length = phone.recv(&mut buffer).expect("an answer");
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("Retry-After: 5\r\n"), "{answer}");
    phone.send_to(text("OPTIONS", 10).as_bytes(), bench.address()).expect("sent");
    phone.send_to(text("INVITE", 11).as_bytes(), bench.address()).expect("sent");
    phone.recv(&mut buffer).expect("a second 503");
    assert_eq!((bench.net.figures().refused, bench.net.figures().dropped), (2, 1));
}

#[test]
fn a_connection_carries_messages_both_ways() {
    let bench = bench(Transport::Tcp, 16, Limits::default());
    let mut phone = bench.connect();
    phone.write_all(b"\r\n\r\n").expect("sent");
    assert_eq!(received(&mut phone), "\r\n", "RFC 5626 §3.5.1");
    phone.write_all(text("OPTIONS", 1).as_bytes()).expect("sent");
    let (flow, message) = bench.message();
    bench.net.send(Transmit { to: Destination::Flow(flow), bytes: answer_to(&message) });
    assert!(received(&mut phone).starts_with("SIP/2.0 200 OK"));
    let to = Destination::Address { transport: Transport::Tcp, address: flow.remote };
    bench.net.send(Transmit { to, bytes: Bytes::from_static(b"by the same connection") });
    assert_eq!(received(&mut phone), "by the same connection");
    assert_eq!(bench.net.figures().connections, 1);
    drop(phone);
    assert_eq!(bench.error(), Destination::Flow(flow), "its end is told");
    assert_eq!(bench.error(), to);
}

#[test]
fn a_connection_is_opened_on_demand_and_kept() {
    let bench = bench(Transport::Tcp, 16, Limits::default());
    let peer = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = Destination::Address { transport: Transport::Tcp, address: peer.local_addr().expect("bound") };
    for n in 1..=3 {
        bench.net.send(Transmit { to, bytes: Bytes::from(text("OPTIONS", n)) });
    }
    let (mut stream, _) = peer.accept().expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a time-out");
    let mut all = vec![0; text("OPTIONS", 1).len() * 3];
    stream.read_exact(&mut all).expect("three messages");
    stream.write_all(text("OPTIONS", 9).as_bytes()).expect("sent");
    let (flow, _) = bench.message();
    assert_eq!(flow.remote, peer.local_addr().expect("bound"));
    assert_eq!(bench.net.figures().connections, 1);
}

#[test]
fn a_refused_connection_is_told() {
    let bench = bench(Transport::Tcp, 16, Limits::default());
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let to = Destination::Address { transport: Transport::Tcp, address: free };
    bench.net.send(Transmit { to, bytes: Bytes::from_static(b"x") });
    assert_eq!(bench.error(), to);
    let flow = Flow {
        transport: Transport::Tcp,
        local: bench.address(),
        remote: free,
        connection: Some(crate::ids::ConnectionId(99)),
    };
    bench.net.send(Transmit { to: Destination::Flow(flow), bytes: Bytes::from_static(b"x") });
    assert_eq!(bench.error(), Destination::Flow(flow));
}

#[test]
fn a_stream_that_cannot_be_followed_is_refused_and_closed() {
    let bench = bench(Transport::Tcp, 16, Limits::default());
    let mut phone = bench.connect();
    let broken = text("OPTIONS", 1).replace("Content-Length: 0", "Content-Length: 4294967328");
    phone.write_all([broken, text("OPTIONS", 2)].concat().as_bytes()).expect("sent");
    assert!(received(&mut phone).starts_with("SIP/2.0 513 "));
    assert_eq!(received(&mut phone), "", "closed");
    assert!(bench.events.is_empty(), "what follows is never read");
}

#[test]
fn drips_keep_alives_and_garbage_do_not_keep_a_connection_open() {
    let limits = Limits { patience: Duration::from_millis(300), idle: SOON, ..Limits::default() };
    let bench = bench(Transport::Tcp, 16, limits);
    let garbage = text("OPTIONS", 1).replace("CSeq: 1", "CSeq: x");
    for (what, piece) in [("drips", "a"), ("keep-alives", "\r\n\r\n"), ("garbage", garbage.as_str())] {
        let mut phone = bench.connect();
        let begun = std::time::Instant::now();
        while phone.write_all(piece.as_bytes()).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
            assert!(begun.elapsed() < Duration::from_secs(3), "{what} keep it open");
        }
    }
    let mut silent = bench.connect();
    assert_eq!(silent.read(&mut [0; 16]).expect("the end"), 0);
    assert!(bench.events.is_empty(), "strangers are nothing to the engine");
}

#[test]
fn a_connection_that_has_carried_a_message_may_be_silent_longer() {
    let limits = Limits { patience: Duration::from_millis(200), idle: SOON, ..Limits::default() };
    let bench = bench(Transport::Tcp, 16, limits);
    let mut phone = bench.connect();
    phone.write_all(text("OPTIONS", 1).as_bytes()).expect("sent");
    bench.message();
    std::thread::sleep(Duration::from_millis(500));
    let second = text("OPTIONS", 2);
    let (start, rest) = second.split_at(100);
    phone.write_all(start.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(50));
    phone.write_all(rest.as_bytes()).expect("sent");
    bench.message();
    phone.write_all(start.as_bytes()).expect("sent");
    assert_eq!(phone.read(&mut [0; 16]).expect("the end"), 0, "half a message is not waited for");
}

#[test]
fn idle_connections_by_the_hundred_keep_nobody_out() {
    let limits = Limits { strangers: 10, hurry: Duration::from_millis(200), ..Limits::default() };
    let bench = bench(Transport::Tcp, 16, limits);
    let mut phone = bench.connect();
    phone.write_all(text("OPTIONS", 1).as_bytes()).expect("sent");
    bench.message();
    let idle: Vec<_> = (0..200).map(|_| bench.connect()).collect();
    let begun = std::time::Instant::now();
    while bench.net.figures().connections > 11 {
        assert!(begun.elapsed() < SOON, "{} connections are still open", bench.net.figures().connections);
        std::thread::sleep(Duration::from_millis(20));
    }
    phone.write_all(text("OPTIONS", 2).as_bytes()).expect("the phone that was known is not among them");
    bench.message();
    drop(idle);
}

#[test]
fn a_stream_waits_for_a_busy_engine_and_loses_nothing() {
    let bench = bench(Transport::Tcp, 2, Limits::default());
    let mut phone = bench.connect();
    let all: String = (1..=50).map(|n| text("OPTIONS", n)).collect();
    phone.write_all(all.as_bytes()).expect("sent");
    for n in 1..=50 {
        let (_, message) = bench.message();
        let Message::Request(request) = message else { panic!("{message:?}") };
        assert_eq!(request.core.cseq.number, n);
    }
    assert_eq!(bench.net.figures().dropped, 0);
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let first = bench(transport, 1, Limits::default());
        let listen = [Listen { transport, address: first.address() }];
        let error = first
            .runtime
            .block_on(Net::bind(&listen, Tls::default(), bounded(1).0.into()))
            .err()
            .expect("an error")
            .to_string();
        let port = first.address().port();
        assert!(error.contains(&format!("127.0.0.1:{port} is in use")) && error.contains("--sip"), "{error}");
    }
}
