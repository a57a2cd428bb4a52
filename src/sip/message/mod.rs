//! SIP messages in canonical form. This folder is the one place that names `rsip`: it gives methods, status codes and
//! header types; reading bytes off the wire is ours, because it must accept every valid message.

mod address;
mod cursor;
mod derive;
mod fault;
mod framer;
mod headers;
mod lines;
mod names;
mod params;
mod reader;
mod text;
mod uri;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use derive::reason_phrase;
pub use fault::{Fault, ParseError};
pub use framer::{Framed, Framer};
pub use headers::Contacts;
pub use rsip::{Method, StatusCode};

/// The longest message that is read, head and body.
pub const LARGEST: usize = 65_535;

/// The grammar's rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    /// Reads a datagram, or one message that a [`Framer`] has cut out of a stream.
    pub fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
        reader::read(bytes, reader::Origin::Wire)
    }
}

/// What every message carries (RFC 3261 §8.1.1), parsed; all else stays in `headers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Core {
    /// Top first. Never empty in a message read from the wire.
    pub via: Vec<Via>,
    pub from: NameAddr,
    pub to: NameAddr,
    pub call_id: Arc<str>,
    pub cseq: CSeq,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub core: Core,
    pub max_forwards: Option<u8>,
    pub headers: Headers,
    pub body: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: StatusCode,
    pub reason: String,
    pub core: Core,
    pub headers: Headers,
    pub body: Bytes,
}

/// The headers beside [`Core`], names in their long form, in wire order. Addresses are one entry a value; token lists
/// (`Allow`, `Supported`, `Require`, …) stay on their line and are read by `tokens` and `lists`.
/// Content-Length is not among them: it is computed when a message is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(pub Vec<rsip::Header>);

#[derive(Clone, Debug, PartialEq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// Parameters in order; a flag has no value. Names compare case-insensitively. A value stands as written, a quoted one
/// with its quotes; `get` takes them off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Params(pub Vec<(String, Option<String>)>);

/// One Via value (RFC 3261 §20.42).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// As written: `UDP`, `TCP`, `SCTP`, …
    pub transport: String,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
}

/// `From`, `To`, `Contact`, `Route`, `Record-Route`, `Refer-To`… (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddr {
    pub display: Option<String>,
    pub uri: Uri,
    pub params: Params,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Uri {
    Sip(SipUri),
    /// RFC 3966: the number as written, visual separators kept; parameters apart.
    Tel {
        number: String,
        params: Params,
    },
    /// Any other scheme, as written (`http:…`, `nobodyKnowsThisScheme:…`).
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SipUri {
    pub secure: bool,
    /// Unescaped user part; `%00` and the like stay escaped so that nothing is cut.
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
    /// What stood behind `?`, as written; never obeyed.
    pub headers: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Host {
    /// Lower case.
    Name(String),
    Address(std::net::IpAddr),
}

#[cfg(test)]
mod tests;
