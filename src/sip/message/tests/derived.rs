use super::*;

#[test]
fn responses_copy_what_the_rfc_says_and_get_one_tag() {
    let request = request(&invite("Record-Route: <sip:p;lr>\r\nTimestamp: 54\r\n", ""));
    let trying = request.response(100.into(), Some("t1"));
    assert_eq!((trying.core.to.tag(), trying.headers.get("Timestamp")), (None, Some("54")));
    let ok = request.response(200.into(), Some("t1"));
    assert_eq!(ok.core.to.tag(), Some("t1"));
    assert_eq!(ok.headers.get("Record-Route"), Some("<sip:p;lr>"));
    assert_eq!((ok.reason.as_str(), ok.core.via.len()), ("OK", 1));
    let busy = request.response(486.into(), Some("t1"));
    assert_eq!((busy.reason.as_str(), busy.headers.get("Record-Route")), ("Busy Here", None));
    let mut within = request.clone();
    within.core.to.set_tag("theirs");
    assert_eq!(within.response(200.into(), Some("t1")).core.to.tag(), Some("theirs"));
}

#[test]
fn the_ack_to_a_refusal_and_the_cancel_belong_to_the_transaction() {
    let mut invite = request(&invite("Route: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\nSubject: x\r\n", "v=0"));
    invite.core.via.push("SIP/2.0/UDP below".parse().expect("a Via"));
    let ack = invite.ack_for(&invite.response(486.into(), Some("t1")));
    assert_eq!((ack.method, ack.core.cseq.method, ack.core.to.tag()), (Method::Ack, Method::Ack, Some("t1")));
    let cancel = invite.cancel();
    assert_eq!((cancel.method, cancel.core.cseq.method, cancel.core.to.tag()), (Method::Cancel, Method::Cancel, None));
    for derived in [ack, cancel] {
        assert_eq!(derived.core.via, invite.core.via[..1]);
        assert_eq!(
            (&derived.uri, &derived.core.call_id, derived.core.cseq.number),
            (&invite.uri, &invite.core.call_id, 1)
        );
        assert_eq!(derived.headers.iter().map(|(_, value)| value).collect::<Vec<_>>(), ["<sip:r1;lr>", "<sip:r2;lr>"]);
        assert!(derived.body.is_empty());
    }
}

#[test]
fn messages_are_kept_as_their_wire_text() {
    let mut kept = request(&invite("Contact: <sip:a@h>\r\n", "\u{0}\u{1}v=0"));
    kept.body = Bytes::from_static(b"\x00\xff\xf4\x8f\x9f\xbf\r\n\r\n");
    let text = serde_json::to_string(&kept).expect("text");
    assert!(text.contains("INVITE sip:600@127.0.0.1 SIP/2.0"), "{text}");
    assert_eq!(serde_json::from_str::<Request>(&text).expect("a request"), kept);
    // A response on its way to a proxy has two Vias, a request that was not sent yet has none.
    kept.core.via.push("SIP/2.0/UDP proxy".parse().expect("a Via"));
    let response = kept.response(180.into(), Some("t"));
    let text = serde_json::to_string(&response).expect("text");
    assert_eq!(serde_json::from_str::<Response>(&text).expect("a response"), response);
    assert!(serde_json::from_str::<Request>(&text).is_err(), "a response is no request");
    kept.core.via.clear();
    let text = serde_json::to_string(&Message::Request(kept.clone())).expect("text");
    assert_eq!(serde_json::from_str::<Message>(&text).expect("a message"), Message::Request(kept));
}

#[test]
fn a_new_request_is_complete_once_it_has_its_via() {
    let mut made = Request::new(
        Method::Options,
        uri("sip:peer"),
        NameAddr::new(uri("sip:us@here")),
        NameAddr::new(uri("sip:peer")),
        "id-1",
        7,
    );
    assert!(Message::parse(&made.to_bytes()).is_err());
    made.core.via.push("SIP/2.0/UDP here;branch=z9hG4bK1".parse().expect("a Via"));
    assert_eq!(request(&made.to_bytes()), made);
    assert_eq!(made.max_forwards, Some(70));
}

#[test]
fn refusals_copy_what_is_readable() {
    let error = Message::parse(&invite("Contact: <sip:a@b\r\n", "")).expect_err("an open bracket");
    let text = String::from_utf8(error.refusal().expect("a refusal").to_vec()).expect("text");
    assert!(text.starts_with("SIP/2.0 400 Contact cannot be read"), "{text}");
    let read = response(text.as_bytes());
    let sent = request(&invite("", ""));
    assert_eq!(
        (&read.core.via, &read.core.from, &read.core.call_id),
        (&sent.core.via, &sent.core.from, &sent.core.call_id)
    );
    assert_eq!(read.core.cseq, sent.core.cseq);
    assert!(read.core.to.tag().is_some_and(|tag| tag.len() == 16));
    let again = Message::parse(&invite("Contact: <sip:a@b\r\n", "")).expect_err("an open bracket");
    assert_eq!(again, error, "§8.2.7: the same tag for a retransmission");
    let tagged = Message::parse(&invite_with("600@127.0.0.1>\r\nCall", "600@127.0.0.1>;tag=x\r\nx\r\nCall"))
        .expect_err("no colon");
    assert_eq!(response(&tagged.refusal().expect("a refusal")).core.to.tag(), Some("x"));
}

#[test]
fn acks_responses_and_what_names_no_via_are_never_answered() {
    let text = String::from_utf8(invite("Expires: x\r\n", "")).expect("text");
    let silent = |text: String| Message::parse(text.as_bytes()).expect_err("an error").refusal().is_none();
    assert!(!silent(text.clone()));
    assert!(silent(text.replace("INVITE", "ACK")));
    assert!(silent(text.replace("Via:", "Viva:")));
    assert!(silent(text.replace("CSeq: 1 INVITE", "CSeq: 1 ACK")));
    assert!(silent(text.replacen("INVITE sip:600@127.0.0.1 SIP/2.0", "SIP/2.0 999 Odd", 1)));
}
