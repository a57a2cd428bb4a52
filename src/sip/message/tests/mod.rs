//! The messages of RFC 4475, RFC 5118 and PROTOS are read from files in `tests/sip_messages.rs`.

mod derived;
mod hostile;
mod reading;
mod stream;
mod values;

use super::*;

/// An INVITE with further header lines and a body.
fn invite(extra: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n\
         From: \"O'dd, One\" <sip:odd@127.0.0.2>;tag=o1\r\nTo: <sip:600@127.0.0.1>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\
         {extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// As [`invite`], with a piece of its text replaced.
fn invite_with(old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(invite("", "")).expect("text");
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1).into_bytes()
}

fn request(bytes: &[u8]) -> Request {
    match Message::parse(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn response(bytes: &[u8]) -> Response {
    match Message::parse(bytes) {
        Ok(Message::Response(response)) => response,
        other => panic!("no response: {other:?}"),
    }
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
}
