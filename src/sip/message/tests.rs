use std::path::Path;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

fn torture(folder: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/sip-torture").join(folder);
    let Ok(entries) = std::fs::read_dir(&path) else {
        println!("skipped: torture messages: {} is not there", path.display());
        return None;
    };
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, std::fs::read(entry.path()).expect("a readable message"))
    };
    Some(entries.map(|entry| read(entry.expect("a readable entry"))).collect())
}

/// What must be refused or dropped by reading alone; every other message must be understood.
const NOT_READ: &[(&str, u16)] = &[
    ("badinv01.dat", 400),
    ("clerr.dat", 400),
    ("ncl.dat", 400),
    ("scalar02.dat", 400),
    ("scalarlg.dat", 0),
    ("quotbal.dat", 400),
    ("ltgtruri.dat", 400),
    ("lwsruri.dat", 400),
    ("escruri.dat", 400),
    ("regbadct.dat", 400),
    ("badaspec.dat", 400),
    ("baddn.dat", 400),
    ("badbranch.dat", 400),
    ("badvers.dat", 505),
    ("mismatch01.dat", 400),
    ("mismatch02.dat", 501),
    ("bigcode.dat", 0),
    ("insuf.dat", 400),
    ("multi01.dat", 400),
    ("mcl01.dat", 400),
    ("intmeth.dat", 501),
    ("esc02.dat", 501),
    ("test.dat", 0),
    ("ipv6-bad.dat", 400),
];

#[test]
fn torture_messages_are_read_or_refused_as_their_rfcs_say() {
    for folder in ["rfc4475", "rfc5118"] {
        for (name, bytes) in torture(folder).into_iter().flatten() {
            let expected = NOT_READ.iter().find(|(known, _)| *known == name).map(|(_, status)| *status);
            let got = Message::parse(&bytes).map_err(|error| error.status());
            assert_eq!(got.as_ref().err().copied(), expected, "{folder}/{name}: {:?}", Message::parse(&bytes).err());
        }
    }
}

#[test]
fn what_is_read_is_written_so_that_it_reads_the_same() {
    for folder in ["rfc4475", "rfc5118"] {
        for (name, bytes) in torture(folder).into_iter().flatten() {
            let Ok(message) = Message::parse(&bytes) else { continue };
            let again = Message::parse(&message.to_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again, message, "{name}");
            let recorded = serde_json::to_string(&message).expect("a message that serialises");
            assert_eq!(serde_json::from_str::<Message>(&recorded).expect("the same back"), message, "{name}");
        }
    }
}

fn invite(extra: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n\
         From: \"O'dd, One\" <sip:odd@127.0.0.2>;tag=o1\r\nTo: <sip:600@127.0.0.1>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\
         {extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn request(bytes: &[u8]) -> Request {
    match Message::parse(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

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
fn bytes_that_are_not_utf8_come_back_as_they_were() {
    let mut bytes = invite("", "");
    let at = bytes.windows(4).position(|w| w == b"O'dd").expect("the name");
    bytes[at] = 0xE9;
    let written = request(&bytes).to_bytes();
    assert!(written.windows(4).any(|w| w == b"\xE9'dd"), "{}", String::from_utf8_lossy(&written));
    let mut private = invite("Subject: \u{F7E9}\r\n", "");
    private.truncate(private.len());
    let written = request(&private).to_bytes();
    assert!(written.windows(3).any(|w| w == "\u{F7E9}".as_bytes()), "a private-use character is kept");
}

#[test]
fn a_body_past_content_length_is_left_out_and_a_short_one_refused() {
    let mut long = invite("", "v=0");
    long.extend_from_slice(b"INVITE sip:smuggled SIP/2.0");
    assert_eq!(request(&long).body, "v=0");
    let mut short = invite("", "v=0");
    short.pop();
    let error = Message::parse(&short).expect_err("a short body");
    assert_eq!(error.status(), 400);
    let refusal = error.refusal().expect("a refusal");
    let text = String::from_utf8(refusal.to_vec()).expect("text");
    assert!(text.starts_with("SIP/2.0 400 "), "{text}");
    for wanted in
        ["Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKa;rport\r\n", "Call-ID: c1\r\n", "CSeq: 1 INVITE\r\n", ";tag="]
    {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
}

#[test]
fn uris_are_read_and_written_back() {
    for text in [
        "sip:600@127.0.0.1",
        "sips:alice:secret@example.com:5061;transport=tcp;lr?subject=x",
        "sip:[2001:db8::10]:5070",
        "sip:user;par=u%40example.net@example.com",
        "sip:sips%3Auser%40example.com@example.net",
        "sip:null-%00-null@example.com",
        "tel:+33-1-23;phone-context=fr",
        "http://example.com/x?y",
        "sip:example.com",
    ] {
        let uri: Uri = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(uri.to_string().parse::<Uri>().expect("read again"), uri, "{text} became {uri}");
    }
    let Ok(Uri::Sip(uri)) = "sip:sips%3Auser%40example.com@example.net".parse() else { panic!("no SIP URI") };
    assert_eq!(uri.user.as_deref(), Some("sips:user@example.com"));
    assert!(!uri.secure);
    for text in [
        "",
        "600",
        "sip:",
        "sip:a@",
        "sip:@b",
        "sip:a b@c",
        "sip:2001:db8::10",
        "sip:a@[::1",
        "sip:a@h:99999",
        "<sip:a@b>",
    ] {
        assert!(text.parse::<Uri>().is_err(), "{text} is no URI");
    }
}

#[test]
fn hostile_values_stay_in_their_header() {
    let mut request = request(&invite("", ""));
    request.core.from.display = Some("a\"b\\c\r\nEvil: 1".to_owned());
    request.headers.push("Subject", "x\r\nEvil: 2");
    let again = self::request(&request.to_bytes());
    assert_eq!(again.headers.get("Evil"), None);
    assert_eq!(again.core.from.display.as_deref(), Some("a\"b\\c  Evil: 1"));
}

#[test]
fn responses_copy_what_the_rfc_says_and_get_one_tag() {
    let request = request(&invite("Record-Route: <sip:p;lr>\r\n", ""));
    let trying = request.response(100.into(), None);
    assert_eq!(trying.core.to.tag(), None);
    let ok = request.response(200.into(), Some("t1"));
    assert_eq!(ok.core.to.tag(), Some("t1"));
    assert_eq!(ok.headers.get("Record-Route"), Some("<sip:p;lr>"));
    assert_eq!((ok.reason.as_str(), ok.core.via.len()), ("OK", 1));
    let busy = request.response(486.into(), Some("t1"));
    assert_eq!((busy.reason.as_str(), busy.headers.get("Record-Route")), ("Busy Here", None));
    let ack = request.ack_for(&busy);
    assert_eq!((ack.method, ack.core.cseq.method, ack.core.to.tag()), (Method::Ack, Method::Ack, Some("t1")));
    assert_eq!(ack.core.via, request.core.via);
    assert_eq!(request.cancel().core.to.tag(), None);
}

#[test]
fn mutated_messages_never_panic() {
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let mut samples: Vec<Vec<u8>> =
        ["rfc4475", "rfc5118"].into_iter().flat_map(|f| torture(f).into_iter().flatten()).map(|(_, b)| b).collect();
    samples.push(invite("Contact: <sip:a@127.0.0.2>\r\n", "v=0"));
    for round in 0..20_000 {
        let mut bytes = samples[rng.next_u32() as usize % samples.len()].clone();
        for _ in 0..1 + rng.next_u32() % 8 {
            let at = rng.next_u32() as usize % bytes.len().max(1);
            match rng.next_u32() % 4 {
                0 if !bytes.is_empty() => bytes[at] = rng.next_u32() as u8,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"\r\n:;<>\"@,%[] "[rng.next_u32() as usize % 13]),
                _ => bytes.truncate(at),
            }
        }
        if let Ok(message) = Message::parse(&bytes) {
            let again = Message::parse(&message.to_bytes());
            assert!(again.is_ok(), "round {round}: {again:?}\n{}", String::from_utf8_lossy(&message.to_bytes()));
        }
    }
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
            framer.push(chunk);
            found.extend(std::iter::from_fn(|| framer.next()));
        }
        let message = Framed::Message(Bytes::from(one.clone()));
        assert_eq!(found, [Framed::Ping, message.clone(), message], "pieces of {size}");
        assert!(framer.is_empty());
    }
}

#[test]
fn after_a_bad_length_nothing_more_is_read_from_a_stream() {
    for length in ["4294967328", "-1", "x", "3\r\nContent-Length: 4", ""] {
        let good = invite("", "");
        let bad = String::from_utf8(good.clone())
            .expect("text")
            .replace("Content-Length: 0", &format!("Content-Length: {length}"));
        let mut framer = Framer::default();
        framer.push(bad.as_bytes());
        framer.push(&good);
        assert!(matches!(framer.next(), Some(Framed::Broken(_))), "{length}");
        assert_eq!(framer.next(), None, "{length}");
    }
    let mut endless = Framer::default();
    for _ in 0..100 {
        endless.push(&[b'a'; 1000]);
    }
    assert!(matches!(endless.next(), Some(Framed::Broken(None))));
}
