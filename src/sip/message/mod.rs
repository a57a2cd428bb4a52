//! SIP messages in canonical form. This is the one place that names `rsip`, which gives methods, status codes and their
//! reason phrases; reading bytes off the wire is ours, because it must accept every valid message.

mod framer;
mod headers;
mod name_addr;
mod params;
mod parse;
mod serde_text;
#[cfg(test)]
mod tests;
mod uri;
mod validate;
mod via;
mod write;

use std::sync::Arc;

use bytes::Bytes;

pub use framer::{Framed, Framer};
pub use headers::{Contacts, Header, Headers};
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::ParseError;
pub use rsip::{Method, StatusCode};
pub use uri::{Host, SipUri, Uri, UriError};
pub use validate::{Capabilities, Refusal, validate};
pub use via::Via;

/// The largest message read (RFC 3261 §18.1.1 asks for at least what fits a datagram).
pub const LARGEST: usize = 65_535;

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

#[derive(Clone, Debug, PartialEq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

impl Request {
    /// A response with what RFC 3261 §8.2.6 copies: Via, From, To, Call-ID, CSeq, and Record-Route where it can make a
    /// dialog. `to_tag` is added to To where none is there yet.
    pub fn response(&self, status: StatusCode, to_tag: Option<&str>) -> Response {
        let mut core = self.core.clone();
        if let (Some(tag), None) = (to_tag, core.to.tag()) {
            core.to.set_tag(tag);
        }
        let mut headers = Headers::default();
        if (101..=299).contains(&status.code()) {
            for route in self.headers.get_all("Record-Route") {
                headers.push("Record-Route", route);
            }
        }
        let reason = write::reason_phrase(&status);
        Response { status, reason, core, headers, body: Bytes::new() }
    }

    /// The ACK to a response of 300 to 699 (§17.1.1.3): part of the INVITE's own transaction.
    pub fn ack_for(&self, response: &Response) -> Request {
        let mut ack = self.sibling(Method::Ack);
        ack.core.to = response.core.to.clone();
        ack
    }

    /// The CANCEL of this request (§9.1).
    pub fn cancel(&self) -> Request {
        self.sibling(Method::Cancel)
    }

    /// A request of the same transaction: same Request-URI, top Via, Call-ID, From, To, CSeq number and Route.
    fn sibling(&self, method: Method) -> Request {
        let mut core = self.core.clone();
        core.via.truncate(1);
        core.cseq.method = method;
        let mut headers = Headers::default();
        for route in self.headers.get_all("Route") {
            headers.push("Route", route);
        }
        Request { method, uri: self.uri.clone(), core, max_forwards: Some(70), headers, body: Bytes::new() }
    }
}

impl Response {
    pub fn code(&self) -> u16 {
        self.status.code()
    }
}
