use super::*;

#[test]
fn compact_names_folds_lists_and_blanks_come_out_canonical() {
    let plain = request(&invite("Contact: <sip:a@127.0.0.2>\r\nRoute: <sip:r1;lr>, <sip:r2;lr>\r\n", "v=0"));
    let odd = "INVITE sip:600@127.0.0.1 SIP/2.0\nv  :  SIP / 2.0 /UDP \t127.0.0.2:5060 ; branch = z9hG4bKa\n ;rport\nMAX-FORWARDS:70\n\
               f:\n  \"O'dd, One\"\n\t<sip:odd@127.0.0.2> ; tag = o1\nt: <sip:600@127.0.0.1>\ni: c1\nCSeq:   0001     INVITE \n\
               m:<sip:a@127.0.0.2>\nroute: <sip:r1;lr>\nRoute:<sip:r2;lr>\nl: 3\n\nv=0";
    assert_eq!(request(odd.as_bytes()), plain);
    assert_eq!(plain.headers.get_all("Route").collect::<Vec<_>>(), ["<sip:r1;lr>", "<sip:r2;lr>"]);
    assert_eq!(plain.core.from.display.as_deref(), Some("O'dd, One"));
}

#[test]
fn every_compact_name_stands_for_its_long_one() {
    for (compact, long) in [
        ("e", "Content-Encoding"),
        ("c", "Content-Type"),
        ("m", "Contact"),
        ("s", "Subject"),
        ("k", "Supported"),
        ("o", "Event"),
        ("u", "Allow-Events"),
        ("r", "Refer-To"),
        ("b", "Referred-By"),
        ("x", "Session-Expires"),
        ("a", "Accept-Contact"),
        ("j", "Reject-Contact"),
        ("d", "Request-Disposition"),
        ("y", "Identity"),
        ("n", "Identity-Info"),
    ] {
        for name in [compact.to_owned(), compact.to_ascii_uppercase()] {
            let read = request(&invite(&format!("{name} : <sip:x@y>\r\n"), ""));
            assert_eq!(read.headers.iter().collect::<Vec<_>>(), [(long, "<sip:x@y>")]);
        }
    }
}

#[test]
fn headers_that_are_lists_are_parted_and_others_are_not() {
    let read = request(&invite(
        "Contact: \"a, b\" <sip:a@h;x=1,2>;q=0.5,<sip:b@h>\r\nSubject: one, two\r\nReason: SIP;cause=200;text=\"a,b\", Q.850;cause=16\r\n\
         Supported: timer, replaces\r\nSupported: 100rel\r\nAuthorization: Digest a=\"1\", b=2\r\n",
        "",
    ));
    let all = |name| read.headers.get_all(name).collect::<Vec<_>>();
    assert_eq!(all("Contact"), ["\"a, b\" <sip:a@h;x=1,2>;q=0.5", "<sip:b@h>"]);
    assert_eq!(all("Reason"), ["SIP;cause=200;text=\"a,b\"", "Q.850;cause=16"]);
    assert_eq!(all("Subject"), ["one, two"]);
    assert_eq!(all("Authorization"), ["Digest a=\"1\", b=2"]);
    assert_eq!(read.headers.tokens("Supported").collect::<Vec<_>>(), ["timer", "replaces", "100rel"]);
    assert!(read.headers.lists("supported", "100REL") && !read.headers.lists("Supported", "rel"));
}

#[test]
fn what_must_be_there_once_may_not_be_missing_nor_doubled() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let text = String::from_utf8(invite("", "")).expect("text");
        let without: String = text.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect();
        let error = Message::parse(without.as_bytes()).expect_err(name);
        assert!(error.to_string().contains(&format!("{name} is missing")), "{error}");
    }
    for line in [
        "From: <sip:x@y>;tag=2",
        "To: <sip:x@y>",
        "Call-ID: c1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        "Content-Length: 0",
        "Content-Type: a/b\r\nContent-Type: a/b",
        "Expires: 1\r\nExpires: 1",
    ] {
        let error = Message::parse(&invite(&format!("{line}\r\n"), "")).expect_err(line);
        assert_eq!(error.status(), 400, "{line}: {error}");
    }
}

#[test]
fn numbers_are_bounded() {
    for (old, new) in [
        ("CSeq: 1 ", "CSeq: 4294967296 "),
        ("CSeq: 1 ", "CSeq: -1 "),
        ("CSeq: 1 ", "CSeq: +1 "),
        ("CSeq: 1 INVITE", "CSeq: 1"),
        ("Max-Forwards: 70", "Max-Forwards: 256"),
        ("Max-Forwards: 70", "Max-Forwards: x"),
        ("Content-Length: 0", "Content-Length: 18446744073709551616"),
        ("Content-Length: 0", "Content-Length: -1"),
        ("Content-Length: 0", "Content-Length: 0\r\nExpires: soon"),
    ] {
        assert_eq!(Message::parse(&invite_with(old, new)).expect_err(new).status(), 400, "{new}");
    }
    assert_eq!(request(&invite_with("CSeq: 1 ", "CSeq: 4294967295 ")).core.cseq.number, u32::MAX);
    assert_eq!(request(&invite("Expires: 99999999999\r\n", "")).headers.expires(), Some(u32::MAX));
}

#[test]
fn start_lines_are_read_strictly_where_it_matters() {
    for (line, status) in [
        ("INVITE sip:600@127.0.0.1 SIP/3.0", 505),
        ("INVITE sip:600@127.0.0.1 HTTP/1.1", 0),
        ("INVITE sip:600@127.0.0.1", 0),
        ("invite sip:600@127.0.0.1 SIP/2.0", 501),
        ("IN<VITE sip:600@127.0.0.1 SIP/2.0", 0),
        ("INVITE sip:600@127.0.0.1; lr SIP/2.0", 400),
        ("INVITE <sip:600@127.0.0.1> SIP/2.0", 400),
        ("INVITE sip:600@127.0.0.1?Route=%3Csip:x%3E SIP/2.0", 400),
        ("BYE sip:600@127.0.0.1 SIP/2.0", 400),
    ] {
        let error = Message::parse(&invite_with("INVITE sip:600@127.0.0.1 SIP/2.0", line)).expect_err(line);
        assert_eq!(error.status(), if status == 0 { 400 } else { status }, "{line}: {error}");
    }
    request(&invite_with("INVITE sip:600@127.0.0.1 SIP/2.0", "INVITE  sip:600@127.0.0.1 \t sip/2.0 "));
    request(&[b"\r\n\r\n", &invite("", "")[..]].concat());
    assert_eq!(Message::parse(b"\r\n\r\n"), Err(ParseError::KeepAlive));
    assert_eq!(Message::parse(b""), Err(ParseError::KeepAlive));
    assert_eq!(Message::parse(&[0; 100]).expect_err("zeroes").refusal(), None);
}

#[test]
fn a_datagram_that_was_cut_is_refused() {
    let whole = invite("Contact: <sip:a@127.0.0.2>\r\n", "v=0");
    for length in 1..whole.len() {
        assert!(Message::parse(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn the_body_is_what_content_length_says() {
    let mut long = invite("", "v=0");
    long.extend_from_slice(b"INVITE sip:smuggled SIP/2.0");
    assert_eq!(request(&long).body, "v=0");
    let without = invite_with("Content-Length: 0\r\n\r\n", "\r\nall that follows");
    assert_eq!(request(&without).body, "all that follows");
}

#[test]
fn status_lines_are_read_with_and_without_a_reason() {
    let text = String::from_utf8(invite("", "")).expect("text");
    let with = |line: &str| text.replacen("INVITE sip:600@127.0.0.1 SIP/2.0", line, 1).into_bytes();
    let read = response(&with("SIP/2.0 486 Busy  Here "));
    assert_eq!((read.code(), read.reason.as_str()), (486, "Busy  Here"));
    for line in ["SIP/2.0 100 ", "SIP/2.0 100"] {
        assert_eq!(response(&with(line)).reason, "");
    }
    assert_eq!(response(&with("SIP/2.0 299 Odd")).code(), 299);
    for line in ["SIP/2.0 99 X", "SIP/2.0 700 X", "SIP/2.0 4294967301 X", "SIP/2.0 +20 X", "SIP/3.0 200 OK", "SIP/2.0"]
    {
        assert_eq!(Message::parse(&with(line)).expect_err(line).refusal(), None, "{line}");
    }
}

#[test]
fn bytes_that_are_not_utf8_come_back_as_they_were() {
    let bytes = invite("", "");
    let at = bytes.windows(4).position(|w| w == b"O'dd").expect("the name");
    for odd in [&b"\xE9"[..], b"\xF4\x8F\x9F\xA9", b"\xF4\x8F", b"\xC0\x80", "é\u{10F7FF}".as_bytes()] {
        let mut bytes = bytes.clone();
        bytes.splice(at..at + 1, odd.iter().copied());
        let written = request(&bytes).to_bytes();
        assert!(written.windows(odd.len()).any(|w| w == odd), "{}", written.escape_ascii());
        let read = request(&bytes);
        let kept: Request = serde_json::from_str(&serde_json::to_string(&read).expect("text")).expect("a request");
        assert_eq!(kept, read);
    }
}

#[test]
fn addresses_that_cannot_be_read_are_refused_before_anybody_asks_for_them() {
    for line in [
        "Contact: <sip:a@b>;;q=1",
        "Contact: sip:a@b?Route=x",
        "Contact: *, <sip:a@b>",
        "Contact: \"open <sip:a@b>",
        "Route: sip:",
        "Record-Route: <sip:a@b",
    ] {
        assert_eq!(Message::parse(&invite(&format!("{line}\r\n"), "")).expect_err(line).status(), 400, "{line}");
    }
    let star = request(&invite("m: *\r\n", ""));
    assert_eq!(star.headers.contacts(), Ok(Contacts::All));
}

#[test]
fn too_many_headers_are_refused() {
    let many = "a: b\r\n".repeat(600);
    assert_eq!(Message::parse(&invite(&many, "")).expect_err("600 headers").status(), 400);
    let list = format!("Contact: <sip:a@b>{}\r\n", ", <sip:a@b>".repeat(600));
    assert_eq!(Message::parse(&invite(&list, "")).expect_err("600 contacts").status(), 400);
}
