//! From a message to bytes.

use std::fmt::Write;

use bytes::Bytes;

use super::parse::to_wire;
use super::{Core, Headers, Message, Request, Response, StatusCode};

impl Message {
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    pub fn to_bytes(&self) -> Bytes {
        let mut text = String::with_capacity(512 + self.body.len());
        // Writing into a string cannot fail.
        let _ = write!(text, "{} {} SIP/2.0\r\n", self.method, self.uri);
        write_via(&mut text, &self.core);
        if let Some(max_forwards) = self.max_forwards {
            let _ = write!(text, "Max-Forwards: {max_forwards}\r\n");
        }
        write_core(&mut text, &self.core);
        finish(text, &self.headers, &self.body)
    }
}

impl Response {
    pub fn to_bytes(&self) -> Bytes {
        let mut text = String::with_capacity(512 + self.body.len());
        let _ = write!(text, "SIP/2.0 {} {}\r\n", self.status.code(), on_one_line(&self.reason));
        write_via(&mut text, &self.core);
        write_core(&mut text, &self.core);
        finish(text, &self.headers, &self.body)
    }
}

fn write_via(text: &mut String, core: &Core) {
    for via in &core.via {
        let _ = write!(text, "Via: {via}\r\n");
    }
}

fn write_core(text: &mut String, core: &Core) {
    let Core { from, to, call_id, cseq, .. } = core;
    let _ = write!(text, "From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {} {}\r\n", cseq.number, cseq.method);
}

fn finish(mut text: String, headers: &Headers, body: &Bytes) -> Bytes {
    for header in &headers.0 {
        let _ = write!(text, "{}: {}\r\n", on_one_line(&header.name), on_one_line(&header.value));
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n", body.len());
    let mut bytes = to_wire(&text);
    bytes.extend_from_slice(body);
    Bytes::from(bytes)
}

/// Whatever a value contains, it stays one header: nothing can begin a line of its own.
fn on_one_line(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(['\r', '\n', '\0']) {
        std::borrow::Cow::Owned(text.replace(['\r', '\n', '\0'], " "))
    } else {
        std::borrow::Cow::Borrowed(text)
    }
}

/// The usual words for a status (RFC 3261 §21). rsip knows them as one word: `BusyHere`.
pub(super) fn reason_phrase(status: &StatusCode) -> String {
    let text = status.to_string();
    let name = text.split_once(' ').map_or(text.as_str(), |(_, name)| name);
    if name == "OK" || name == "Ok" {
        return "OK".to_owned();
    }
    let mut phrase = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && phrase.ends_with(|last: char| last.is_ascii_lowercase()) {
            phrase.push(' ');
        }
        phrase.push(c);
    }
    phrase
}
