use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

#[test]
fn hostile_values_stay_in_their_header() {
    let mut made = request(&invite("", ""));
    made.core.from.display = Some("a\"b\\c\r\nEvil: 1".to_owned());
    made.core.to.params.set("x", Some("y\r\nEvil: 2".to_owned()));
    made.core.call_id = "c\nEvil:3".into();
    made.headers.push("Subject", "x\r\nEvil: 4");
    made.headers.push("X\r\nEvil: 5\r\nY", "z");
    if let Uri::Sip(uri) = &mut made.uri {
        uri.user = Some("a\r\nEvil: 6\r\nb".to_owned());
        uri.host = Host::Name("h\r\nEvil: 7\r\n".to_owned());
    }
    let bytes = made.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.lines().any(|line| line.starts_with("Evil")), "{text}");
    let mut response = request(&invite("", "")).response(200.into(), None);
    response.reason = "OK\r\nEvil: 8".to_owned();
    assert!(!String::from_utf8_lossy(&response.to_bytes()).lines().any(|line| line.starts_with("Evil")));
}

#[test]
fn what_is_a_field_is_not_written_twice() {
    let mut made = request(&invite("", "v=0"));
    for name in ["Via", "v", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "l"] {
        made.headers.push(name, "1");
    }
    assert_eq!(request(&made.to_bytes()), request(&invite("", "v=0")));
}

/// Pieces that mean something to a reader.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\r\nm: ",
    b":",
    b";",
    b",",
    b"=",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"\\\"",
    b"@",
    b"%",
    b"%25",
    b"%41",
    b"%00",
    b"%ff",
    b"[",
    b"]",
    b" ",
    b"\t",
    b"\0",
    b"\x7f",
    b"?",
    b"*",
    b"/",
    b"0",
    b"sip:",
    b"tel:+1",
    b";tag=",
    b"SIP/2.0",
    b"z9hG4bK",
    b"\xe9",
    b"\xf4",
    b"\xf4\x8f\x9f\xbf",
    b"\xc2\x85",
    b"\xc2\xa0",
];

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha12Rng) {
    let mut below = |limit: usize| rng.next_u32() as usize % limit.max(1);
    for _ in 0..1 + below(3) {
        let at = below(bytes.len());
        match below(5) {
            0 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            2 => {
                let piece: Vec<u8> = bytes[at..(at + below(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            3 if below(20) == 0 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, PIECES[below(PIECES.len())].iter().copied())),
        }
    }
}

/// Whatever is read is written so that it reads the same, and is kept the same; whatever is refused is refused legibly.
#[test]
fn mutated_messages_never_panic_and_what_is_read_is_canonical() {
    const SEED: u64 = 5;
    println!("seed {SEED}");
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    let samples = [
        invite(
            "Contact: \"A\" <sip:a@127.0.0.2;transport=tcp>;+sip.instance=\"<urn:x>\"\r\nRoute: <sip:r1;lr>, <sip:r2>\r\n",
            "v=0",
        ),
        invite_with("INVITE sip:600@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK"),
        invite_with("sip:600@127.0.0.1", "sip:u%40x;y=1:pw@[2001:db8::1]:5070;lr;n=v"),
        invite_with("<sip:600@127.0.0.1>", "tel:+33-1-23;tag=x"),
    ];
    let mut read = 0;
    for round in 0..10_000 {
        let mut bytes = samples[round % samples.len()].clone();
        mutate(&mut bytes, &mut rng);
        let mut framer = Framer::default();
        framer.push(&bytes);
        assert!(framer.by_ref().count() <= bytes.len());
        match Message::parse(&bytes) {
            Ok(message) => {
                read += 1;
                let told = || format!("round {round}: {}", bytes.escape_ascii());
                assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{}", told());
                let text = serde_json::to_string(&message).expect("text");
                assert_eq!(serde_json::from_str::<Message>(&text).expect("a message"), message, "{}", told());
            }
            Err(error) => {
                if let Some(refusal) = error.refusal() {
                    assert!(refusal.starts_with(b"SIP/2.0 ") && refusal.ends_with(b"\r\n\r\n"), "round {round}");
                }
            }
        }
    }
    assert!(read > 1_000, "only {read} mutated messages were read: the mutations are too coarse to test anything");
}
