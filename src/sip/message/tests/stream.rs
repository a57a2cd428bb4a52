use super::*;

fn frames(framer: &mut Framer, bytes: &[u8]) -> Vec<Framed> {
    framer.push(bytes);
    framer.collect()
}

#[test]
fn a_stream_is_cut_into_messages_wherever_it_breaks() {
    let one = invite("", "v=0");
    let mut stream = b"\r\n\r\n".to_vec();
    stream.extend_from_slice(&one);
    stream.extend_from_slice(b"\r\n");
    stream.extend_from_slice(&one);
    for size in [1, 2, 3, 7, 100, stream.len()] {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for chunk in stream.chunks(size) {
            found.extend(frames(&mut framer, chunk));
        }
        let message = Framed::Message(Bytes::from(one.clone()));
        assert_eq!(found, [Framed::Ping, message.clone(), message], "pieces of {size}");
        assert!(framer.is_empty());
    }
}

#[test]
fn after_a_bad_length_nothing_more_is_read() {
    for (length, status) in [
        ("Content-Length: 4294967328", "513"),
        ("Content-Length: 99999999999999999999999", "513"),
        ("Content-Length: 65536", "513"),
        ("Content-Length: -1", "400"),
        ("Content-Length: x", "400"),
        ("Content-Length: 3\r\nl: 3", "400"),
        ("Content-Length:", "400"),
        ("X: y", "400"),
    ] {
        let mut framer = Framer::default();
        let bytes = [invite_with("Content-Length: 0", length), invite("Subject: smuggled\r\n", "")].concat();
        let found = frames(&mut framer, &bytes);
        let [Framed::Broken(Some(refusal))] = &found[..] else { panic!("{length}: {found:?}") };
        let text = String::from_utf8_lossy(refusal);
        assert!(text.starts_with(&format!("SIP/2.0 {status} ")), "{length}: {text}");
        assert_eq!(text.matches("Via: ").count(), 1, "what follows is not read: {text}");
        assert_eq!(frames(&mut framer, &invite("", "")), []);
    }
}

#[test]
fn content_length_is_found_folded_and_compact() {
    for line in ["l:3", "CONTENT-LENGTH :\r\n 3", "L\t: 0003"] {
        let bytes = String::from_utf8(invite("", "v=0")).expect("text").replace("Content-Length: 3", line);
        assert_eq!(frames(&mut Framer::default(), bytes.as_bytes()), [Framed::Message(Bytes::from(bytes.clone()))]);
    }
    // A folded line is part of the one before, whatever it looks like.
    let bytes = invite("Subject: x\r\n Content-Length: 99\r\n", "v=0");
    assert_eq!(frames(&mut Framer::default(), &bytes), [Framed::Message(Bytes::from(bytes.clone()))]);
}

#[test]
fn a_head_without_end_is_given_up() {
    let mut framer = Framer::default();
    let mut pushed = 0;
    let found = loop {
        framer.push(&[b'a'; 1000]);
        pushed += 1000;
        if let Some(found) = framer.next() {
            break found;
        }
    };
    assert_eq!(found, Framed::Broken(None));
    assert!(pushed <= LARGEST + 2 * 1000, "{pushed} bytes held");
}

#[test]
fn a_broken_response_gets_no_answer() {
    let mut framer = Framer::default();
    assert_eq!(frames(&mut framer, b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h\r\n\r\n"), [Framed::Broken(None)]);
}

#[test]
fn keep_alives_are_told_from_padding_and_are_no_half_messages() {
    let mut framer = Framer::default();
    assert_eq!(frames(&mut framer, b"\r\n"), []);
    assert!(framer.is_empty(), "one CRLF is the answer to our own keep-alive");
    assert_eq!(frames(&mut framer, b"\r\n"), [Framed::Ping]);
    assert_eq!(frames(&mut framer, b"\r\n\r\n\r\n\r\n"), [Framed::Ping, Framed::Ping]);
    assert_eq!(frames(&mut framer, b"\n\r\r\n\n"), []);
    assert_eq!(frames(&mut framer, b"I"), []);
    assert!(!framer.is_empty());
    let rest = invite("", "");
    assert_eq!(frames(&mut framer, &rest[1..]), [Framed::Message(Bytes::from(rest.clone()))]);
}
