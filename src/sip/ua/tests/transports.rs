//! What we call ourselves by each transport: Via and Contact.

use super::*;
use crate::ids::ConnectionId;
use crate::sip::message::Request;

/// The INVITE that goes `to`, and its Contact.
fn invite(to: Destination, uri: &str) -> (Request, String) {
    let mut agent = UserAgent::new(settings(ALICE), [1; 32]);
    let invite = Invite {
        to,
        request_uri: uri.parse().unwrap(),
        from: name_addr("<sip:600@relais.test>"),
        to_header: name_addr("<sip:201@relais.test>"),
        headers: Headers::default(),
        sdp: Some(sdp("offer")),
        credentials: None,
        max_forwards: 70,
        first_word_within: None,
    };
    agent.invite(invite, Instant(1_000_000_000));
    let sent = agent.poll_transmit().unwrap();
    assert_eq!(sent.to, to);
    let Ok(Message::Request(request)) = Message::parse(&sent.bytes) else { panic!("{:?}", sent.bytes) };
    let contact = request.headers.contact().unwrap().uri.to_string();
    (request, contact)
}

fn flow(transport: Transport) -> Flow {
    let local = "127.0.0.1:8080".parse().unwrap();
    Flow { transport, local, remote: "192.0.2.9:40000".parse().unwrap(), connection: Some(ConnectionId(1)) }
}

#[test]
fn a_browser_is_called_by_its_connection_and_told_that_one() {
    for (transport, via) in [(Transport::Ws, "SIP/2.0/WS "), (Transport::Wss, "SIP/2.0/WSS ")] {
        let (request, contact) =
            invite(Destination::Flow(flow(transport)), "sip:x7f@df7jal23ls0d.invalid;transport=ws");
        let written = request.core.via[0].to_string();
        assert!(written.starts_with(&format!("{via}127.0.0.1:8080;")), "{written}");
        assert_eq!(contact, "sip:600@127.0.0.1:8080;transport=ws");
        assert_eq!(request.uri.to_string(), "sip:x7f@df7jal23ls0d.invalid;transport=ws");
    }
}

#[test]
fn who_is_called_by_tls_hears_our_address_though_we_do_not_listen_there() {
    let to = Destination::Address { transport: Transport::Tls, address: "127.0.0.9:5061".parse().unwrap() };
    let (request, contact) = invite(to, "sip:+33155@acme.example");
    let via = request.core.via[0].to_string();
    assert!(via.starts_with("SIP/2.0/TLS 127.0.0.1:5061;"), "{via}");
    assert_eq!(contact, "sip:600@127.0.0.1:5061;transport=tls");
}

#[test]
fn a_sips_uri_is_met_with_one() {
    let to = Destination::Address { transport: Transport::Tls, address: "127.0.0.9:5061".parse().unwrap() };
    let (_, contact) = invite(to, "sips:201@127.0.0.9");
    assert_eq!(contact, "sips:600@127.0.0.1:5061;transport=tls", "RFC 3261 §8.1.1.8");
    let mut agent = UserAgent::new(settings(ALICE), [1; 32]);
    let text = "INVITE sips:600@relais.test SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bKa\r\n\
        From: <sips:a@b>;tag=1\r\nTo: <sips:600@relais.test>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
        Contact: <sips:a@192.0.2.9>\r\nContent-Length: 0\r\n\r\n";
    agent.handle_message(flow(Transport::Tls), Message::parse(text.as_bytes()).unwrap(), Instant(1_000_000_000));
    let Some(Event::Incoming { session, .. }) = agent.poll_event() else { panic!("no call") };
    agent.accept(session, sdp("offer"), Headers::default(), Instant(1_000_000_000));
    let answer = std::iter::from_fn(|| agent.poll_transmit()).last().unwrap();
    let Ok(Message::Response(response)) = Message::parse(&answer.bytes) else { panic!("{:?}", answer.bytes) };
    let contact = response.headers.contact().unwrap().uri.to_string();
    assert!(contact.starts_with("sips:600@"), "RFC 3261 §12.1.1: {contact}");
}

#[test]
fn a_phone_that_comes_back_by_another_connection_is_reached_by_that() {
    let mut agent = UserAgent::new(settings(ALICE), [1; 32]);
    let now = Instant(1_000_000_000);
    let text = "INVITE sip:600@relais.test SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKa\r\n\
        From: <sip:201@relais.test>;tag=1\r\nTo: <sip:600@relais.test>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:x7f@x.invalid;transport=ws;ob>\r\nContent-Length: 0\r\n\r\n";
    let old = flow(Transport::Ws);
    agent.handle_message(old, Message::parse(text.as_bytes()).unwrap(), now);
    let Some(Event::Incoming { session, .. }) = agent.poll_event() else { panic!("no call") };
    agent.accept(session, sdp("offer"), Headers::default(), now);
    assert_eq!(agent.sessions_by(&old), [session]);
    let new = Flow { remote: "192.0.2.9:40001".parse().unwrap(), connection: Some(ConnectionId(2)), ..old };
    assert!(!agent.move_to(session, &"sip:other@x.invalid;transport=ws".parse().unwrap(), new), "somebody else");
    assert!(agent.move_to(session, &"sip:x7f@x.invalid;transport=ws".parse().unwrap(), new));
    assert_eq!((agent.sessions_by(&old), agent.path(session)), (Vec::new(), Some(Destination::Flow(new))));
    let ack = text.replace("INVITE", "ACK").replace("z9hG4bKa", "z9hG4bKb");
    let tag = std::iter::from_fn(|| agent.poll_transmit()).find_map(|sent| match Message::parse(&sent.bytes) {
        Ok(Message::Response(response)) if response.code() == 200 => response.core.to.tag().map(str::to_owned),
        _ => None,
    });
    let ack = ack.replace("To: <sip:600@relais.test>", &format!("To: <sip:600@relais.test>;tag={}", tag.unwrap()));
    agent.handle_message(new, Message::parse(ack.as_bytes()).unwrap(), now);
    agent.hang_up(session, Headers::default(), now);
    assert_eq!(agent.poll_transmit().unwrap().to, Destination::Flow(new), "the BYE");
}
