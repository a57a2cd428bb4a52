//! SIP messages in canonical form. This is the one place that names `rsip`: it gives methods, status codes, header
//! names and header generation; reading bytes off the wire is ours, because it must accept every valid message.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use rsip::{Method, StatusCode};

use super::Transport;

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

/// What every message carries (RFC 3261 §8.1.1), parsed; all else stays in `headers`.
#[derive(Clone, Debug, PartialEq)]
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

/// The headers beside [`Core`], one entry a value, names in their long form, in wire order.
/// Content-Length is not among them: it is computed when a message is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(pub Vec<rsip::Header>);

#[derive(Clone, Debug, PartialEq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// Parameters in order; a flag has no value. Names compare case-insensitively.
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

impl SipUri {
    /// The transport parameter, or what the scheme implies.
    pub fn transport(&self) -> Option<Transport> {
        let named = self.params.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("transport"));
        match named.and_then(|(_, value)| value.as_deref()) {
            Some(value) if value.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
            Some(value) if value.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
            Some(value) if value.eq_ignore_ascii_case("tls") => Some(Transport::Tls),
            Some(value) if value.eq_ignore_ascii_case("ws") => Some(Transport::Ws),
            Some(value) if value.eq_ignore_ascii_case("wss") => Some(Transport::Wss),
            _ => None,
        }
    }
}
