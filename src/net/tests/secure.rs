//! SIP over TLS with real hand-shakes.

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::*;
use crate::tls::tests::Authority;

/// A phone that trusts `keys` and asks for `name`.
fn phone(bench: &Bench, keys: &Tls, name: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let client = ClientConnection::new(keys.client().expect("a client"), name).expect("a client");
    StreamOwned::new(client, bench.connect())
}

/// A server of a trunk; gives what it reads first, or the fault of its hand-shake.
fn server(keys: &Tls) -> (SocketAddr, std::thread::JoinHandle<Result<String, String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let config = keys.server.clone().expect("a server");
    let answers = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a time-out");
        let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a server"), stream);
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    });
    (address, answers)
}

fn secure(address: SocketAddr) -> Destination {
    Destination::Address { transport: Transport::Tls, address }
}

#[test]
fn a_phone_checks_our_name_and_its_messages_are_answered_by_its_connection() {
    let authority = Authority::new();
    let keys = authority.keys(&["pbx.example.com", "127.0.0.1"]);
    let bench = bench_with(Transport::Tls, keys.clone(), 16, Limits::default());
    for name in ["pbx.example.com", "127.0.0.1"] {
        let mut phone = phone(&bench, &keys, name);
        phone.write_all(text("REGISTER", 1).as_bytes()).expect("sent");
        let (flow, message) = bench.message();
        assert_eq!((flow.transport, flow.local), (Transport::Tls, bench.address()));
        bench.net.send(Transmit { to: Destination::Flow(flow), bytes: answer_to(&message) });
        let mut buffer = [0; 4096];
        let length = phone.read(&mut buffer).expect("an answer");
        assert!(buffer[..length].starts_with(b"SIP/2.0 200 OK"));
        drop(phone);
        assert_eq!(bench.error(), Destination::Flow(flow), "its end is told");
        bench.error();
    }
    let refused = phone(&bench, &keys, "other.example.com").write_all(b"x").expect_err("another name").to_string();
    assert!(refused.contains("not valid for name") || refused.contains("NotValidForName"), "{refused}");
}

#[test]
fn a_trunk_has_to_prove_the_name_it_was_found_by_or_its_address() {
    let authority = Authority::new();
    let ours = authority.keys(&["pbx.example.com"]);
    let bench = bench_with(Transport::Udp, ours, 16, Limits::default());
    for (names, host, goes) in [
        (&["sip.acme.example"][..], Some("sip.acme.example"), true),
        (&["sip.acme.example"], Some("sip.other.example"), false),
        (&["sip.acme.example"], None, false),
        (&["127.0.0.1"], None, true),
    ] {
        let (address, answers) = server(&authority.keys(names));
        if let Some(host) = host {
            bench.net.found(host, &[secure(address)]);
        }
        bench.net.send(Transmit { to: secure(address), bytes: Bytes::from(text("OPTIONS", 1)) });
        let read = answers.join().expect("a server");
        assert_eq!(read.as_deref() == Ok(&text("OPTIONS", 1)), goes, "{names:?} for {host:?}: {read:?}");
        if !goes {
            assert_eq!(bench.error(), secure(address), "and it is told");
        } else {
            bench.error();
            bench.error();
        }
    }
    assert_eq!(bench.net.figures().insecure, 2);
}

#[test]
fn whom_nobody_we_trust_vouches_for_gets_nothing() {
    let (ours, strangers) = (Authority::new(), Authority::new());
    let bench = bench_with(Transport::Udp, ours.keys(&["pbx.example.com"]), 16, Limits::default());
    let (address, answers) = server(&strangers.keys(&["127.0.0.1"]));
    bench.net.send(Transmit { to: secure(address), bytes: Bytes::from(text("OPTIONS", 1)) });
    assert!(answers.join().expect("a server").is_err());
    assert_eq!(bench.error(), secure(address));
}

#[test]
fn new_keys_serve_new_connections_and_old_ones_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let (old_keys, new_keys) = (old.keys(&["pbx.example.com"]), new.keys(&["pbx.example.com"]));
    let bench = bench_with(Transport::Tls, old_keys.clone(), 16, Limits::default());
    let mut before = phone(&bench, &old_keys, "pbx.example.com");
    before.write_all(text("OPTIONS", 1).as_bytes()).expect("sent");
    bench.message();
    bench.net.replace_keys(new_keys.clone());
    let mut after = phone(&bench, &new_keys, "pbx.example.com");
    after.write_all(text("OPTIONS", 2).as_bytes()).expect("sent");
    bench.message();
    before.write_all(text("OPTIONS", 3).as_bytes()).expect("the old connection goes on");
    bench.message();
    phone(&bench, &old_keys, "pbx.example.com").write_all(b"x").expect_err("the old certificate is gone");
}

#[test]
fn whoever_does_not_come_to_a_hand_shake_is_closed() {
    let limits = Limits { patience: Duration::from_millis(200), ..Limits::default() };
    let bench = bench_with(Transport::Tls, Authority::new().keys(&["pbx.example.com"]), 16, limits);
    let mut silent = bench.connect();
    assert_eq!(silent.read(&mut [0; 16]).expect("the end"), 0);
    let mut plain = bench.connect();
    plain.write_all(text("OPTIONS", 1).as_bytes()).expect("sent");
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"SIP/2.0"), "no answer in the clear: {rest:?}");
    assert!(bench.events.is_empty());
    let begun = std::time::Instant::now();
    while bench.net.figures().insecure < 2 {
        assert!(begun.elapsed() < SOON, "both are counted");
        std::thread::yield_now();
    }
}

#[test]
fn without_a_certificate_nothing_is_listened_on() {
    let runtime = Runtime::new().expect("a runtime");
    let listen = [Listen { transport: Transport::Tls, address: ([127, 0, 0, 1], 0).into() }];
    let bound = runtime.block_on(Net::bind(&listen, Tls::default(), bounded(1).0.into()));
    let said = bound.err().expect("an error").to_string();
    assert!(said.contains("name one in [sip.tls]"), "{said}");
}
