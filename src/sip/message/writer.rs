//! From a message to bytes.

use std::fmt::{self, Write};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::names::{self, Field};
use super::reader::{self, Origin, read_cseq};
use super::{CSeq, Core, Headers, Message, Request, Response, text};

/// Values pass through here: a line end within one would begin a header of somebody else's choice.
struct Value<'a>(&'a mut String);

impl Write for Value<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
            self.0.extend(text.chars().map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }));
        } else {
            self.0.push_str(text);
        }
        Ok(())
    }
}

fn line(out: &mut String, name: &str, value: impl fmt::Display) {
    let _ = write!(Value(out), "{name}: {value}");
    out.push_str("\r\n");
}

fn text_line(out: &mut String, name: &str, value: &str) {
    let _ = Value(out).write_str(name);
    out.push_str(": ");
    let _ = Value(out).write_str(value);
    out.push_str("\r\n");
}

fn finish(mut out: String, core: &Core, max_forwards: Option<u8>, headers: &Headers, body: &[u8]) -> Bytes {
    for via in &core.via {
        line(&mut out, "Via", via);
    }
    if let Some(max_forwards) = max_forwards {
        line(&mut out, "Max-Forwards", max_forwards);
    }
    line(&mut out, "From", &core.from);
    line(&mut out, "To", &core.to);
    text_line(&mut out, "Call-ID", &core.call_id);
    line(&mut out, "CSeq", &core.cseq);
    for header in headers.0.iter().filter(|header| !Field::is_one(header)) {
        text_line(&mut out, names::name_of(header), names::value_of(header));
    }
    line(&mut out, "Content-Length", body.len());
    out.push_str("\r\n");
    let mut bytes = text::encode(out);
    bytes.extend_from_slice(body);
    // Transactions keep what they sent for up to 32 s: not with room that nobody uses.
    Bytes::from(bytes.into_boxed_slice())
}

impl Request {
    pub fn to_bytes(&self) -> Bytes {
        let mut out = String::with_capacity(1_024 + self.body.len());
        let _ = write!(Value(&mut out), "{} {} SIP/2.0", self.method, self.uri);
        out.push_str("\r\n");
        finish(out, &self.core, self.max_forwards, &self.headers, &self.body)
    }
}

impl Response {
    pub fn to_bytes(&self) -> Bytes {
        let mut out = String::with_capacity(1_024 + self.body.len());
        let _ = write!(Value(&mut out), "SIP/2.0 {} {}", self.status.code(), self.reason);
        out.push_str("\r\n");
        finish(out, &self.core, None, &self.headers, &self.body)
    }
}

impl Message {
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

impl Serialize for CSeq {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CSeq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let cseq = read_cseq(&text).map_err(de::Error::custom)?;
        cseq.ok_or_else(|| de::Error::custom("CSeq: the method is not known"))
    }
}

fn restore<E: de::Error>(wire: String) -> Result<Message, E> {
    reader::read(&text::encode(wire), Origin::Stored).map_err(E::custom)
}

/// A message is kept as its wire text; bytes that are not UTF-8 are kept as described in `text`.
macro_rules! kept_as_wire_text {
    ($($kind:ident $pattern:pat => $value:expr;)*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&text::decode(&self.to_bytes()))
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match restore(String::deserialize(deserializer)?)? {
                    $pattern => Ok($value),
                    #[allow(unreachable_patterns)]
                    _ => Err(de::Error::custom(concat!("the stored message is not a ", stringify!($kind)))),
                }
            }
        }
    )*};
}

kept_as_wire_text! {
    Message message => message;
    Request Message::Request(request) => request;
    Response Message::Response(response) => response;
}
