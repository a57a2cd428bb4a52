//! What can be wrong with a message, and the stateless answer to it.

use std::fmt::Write;

use bytes::Bytes;

use super::lines::Lines;
use super::names::Field;
use super::{Malformed, text};

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 §4.4.1).
    #[error("a keep-alive, no message")]
    KeepAlive,
    /// A response, or what cannot be answered: dropped in silence (RFC 3261 §16.3, §18.1.2).
    #[error("dropped: {0}")]
    Dropped(Fault),
    /// A request that gets an answer.
    #[error("refused with {}: {fault}", .fault.status())]
    Refused { fault: Fault, refusal: Bytes },
}

impl ParseError {
    /// The status of the refusal; 0 for what is dropped in silence.
    pub fn status(&self) -> u16 {
        match self {
            ParseError::Refused { fault, .. } => fault.status(),
            ParseError::KeepAlive | ParseError::Dropped(_) => 0,
        }
    }

    /// The answer to be sent back by the way the request came; `None`: stay silent.
    pub fn refusal(&self) -> Option<Bytes> {
        match self {
            ParseError::Refused { refusal, .. } => Some(refusal.clone()),
            ParseError::KeepAlive | ParseError::Dropped(_) => None,
        }
    }

    /// Answers the request that `head` began, if it can be answered.
    pub(super) fn of_request(fault: Fault, head: &str) -> ParseError {
        match refusal(&fault, head) {
            Some(refusal) => ParseError::Refused { fault, refusal },
            None => ParseError::Dropped(fault),
        }
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the start line is neither a request's nor a response's")]
    StartLine,
    #[error("the SIP version is not 2.0")]
    Version,
    #[error("the method is not known here")]
    Method,
    #[error("the status code is not one of 100 to 699")]
    Status,
    #[error("the Request-URI cannot be read: {0}")]
    RequestUri(Malformed),
    #[error("no empty line ends the headers")]
    NoEnd,
    #[error("a header line has no colon, or its name is not a token")]
    HeaderLine,
    #[error("there are more headers than are read")]
    TooManyHeaders,
    #[error("{0} cannot be read: {1}")]
    Header(&'static str, Malformed),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} stands there twice")]
    Twice(&'static str),
    #[error("CSeq names another method than the start line")]
    MethodMismatch,
    #[error("Content-Length is more than there is")]
    TooShort,
    #[error("the message is longer than is read")]
    TooLong,
}

impl Fault {
    /// The status of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Fault::Version => 505,
            Fault::Method => 501,
            Fault::TooLong => 513,
            _ => 400,
        }
    }
}

/// RFC 3261 §8.2.6, §8.2.7: Via, From, To, Call-ID and CSeq as far as they are readable. `None` where there is no Via, and
/// for ACK, which is never answered.
fn refusal(fault: &Fault, head: &str) -> Option<Bytes> {
    let mut lines = Lines::new(head);
    let start = lines.next()?;
    if start.split(' ').next()?.eq_ignore_ascii_case("ACK") {
        return None;
    }
    let mut out = String::with_capacity(head.len().min(1_024) + 128);
    let _ = write!(out, "SIP/2.0 {} {fault}\r\n", fault.status());
    let (mut seen, mut vias) = (Vec::new(), false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (field, value) = (Field::by_name(name.trim()), value.trim());
        let name = match field {
            Some(Field::Via) => "Via",
            Some(Field::From) => "From",
            Some(Field::To) => "To",
            Some(Field::CallId) => "Call-ID",
            Some(Field::CSeq) => "CSeq",
            _ => continue,
        };
        if field == Some(Field::CSeq) && value.ends_with("ACK") {
            return None;
        }
        let again = seen.contains(&name);
        if value.is_empty() || value.contains('\r') || (again && name != "Via") {
            continue;
        }
        seen.push(name);
        vias |= name == "Via";
        let _ = write!(out, "{name}: {value}");
        if name == "To" && !has_tag(value) {
            let _ = write!(out, ";tag={:016x}", digest(head));
        }
        out.push_str("\r\n");
    }
    out.push_str("Content-Length: 0\r\n\r\n");
    vias.then(|| Bytes::from(text::encode(out)))
}

fn has_tag(to: &str) -> bool {
    let after = to.rsplit('>').next().unwrap_or_default();
    after
        .split(';')
        .skip(1)
        .any(|param| param.trim_start().get(..3).is_some_and(|name| name.eq_ignore_ascii_case("tag")))
}

/// FNV-1a: §8.2.7 asks for the same tag in the answer to each copy of a request.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
