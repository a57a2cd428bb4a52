//! From bytes to a message in canonical form: unfolded, long names, one entry a value, the body cut to its length.

use std::sync::Arc;

use bytes::Bytes;
use rsip::Header;

use super::cursor::{List, is_blank, is_token};
use super::fault::{Fault, ParseError};
use super::lines::{Lines, end_of_head};
use super::names::{self, Field};
use super::{CSeq, Core, Headers, Malformed, Message, Method, NameAddr, Request, Response, StatusCode, Uri, Via, text};

/// More values than any honest message has; a datagram of empty headers would else become a thousand times its size.
const MOST_HEADERS: usize = 512;

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Wire,
    /// Written by us and kept: it may lack what is added on sending.
    Stored,
}

pub(super) fn read(bytes: &[u8], origin: Origin) -> Result<Message, ParseError> {
    // RFC 3261 §7.5: line ends before the start line are ignored.
    let skipped = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let bytes = bytes.get(skipped..).unwrap_or_default();
    if bytes.is_empty() {
        return Err(ParseError::KeepAlive);
    }
    let (head, body, whole) = match end_of_head(bytes) {
        Some((end, body)) => (bytes.get(..end), bytes.get(body..), true),
        None => (Some(bytes), None, false),
    };
    let head = text::decode(head.unwrap_or_default());
    let body = body.unwrap_or_default();
    let mut lines = Lines::new(&head);
    let start = lines.next().unwrap_or_default();
    if start.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/")) {
        let response = read_status_line(&start).and_then(|line| {
            let parts = if whole { Parts::read(lines, body, origin)? } else { return Err(Fault::NoEnd) };
            parts.into_response(line, origin)
        });
        return response.map(Message::Response).map_err(ParseError::Dropped);
    }
    let request = read_request_line(&start).and_then(|line| {
        let parts = if whole { Parts::read(lines, body, origin)? } else { return Err(Fault::NoEnd) };
        parts.into_request(line, origin)
    });
    request.map(Message::Request).map_err(|fault| ParseError::of_request(fault, &head))
}

/// §7.1. White space around the parts is forgiven; within the URI it is not.
fn read_request_line(line: &str) -> Result<(Method, Uri), Fault> {
    let line = line.trim_end_matches(is_blank);
    let (method, rest) = line.split_once(is_blank).ok_or(Fault::StartLine)?;
    let (uri, version) = rest.rsplit_once(is_blank).ok_or(Fault::StartLine)?;
    if !is_token(method) || !version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/")) {
        return Err(Fault::StartLine);
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Fault::Version);
    }
    let method = method_by_name(method).ok_or(Fault::Method)?;
    let uri: Uri = uri.trim_matches(is_blank).parse().map_err(Fault::RequestUri)?;
    match &uri {
        // §19.1.1: a Request-URI has no headers; RFC 4475 §3.1.2.11.
        Uri::Sip(sip) if sip.headers.is_some() => Err(Fault::RequestUri(Malformed("it carries headers behind '?'"))),
        _ => Ok((method, uri)),
    }
}

/// §7.2. A missing reason is forgiven, and so is its blank.
fn read_status_line(line: &str) -> Result<(StatusCode, String), Fault> {
    let (version, rest) = line.split_once(is_blank).ok_or(Fault::StartLine)?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Fault::Version);
    }
    if rest.contains('\r') {
        return Err(Fault::StartLine);
    }
    let rest = rest.trim_start_matches(is_blank);
    let (code, reason) = rest.split_once(is_blank).unwrap_or((rest, ""));
    let code = Some(code).filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.and_then(|code| code.parse::<u16>().ok()).filter(|code| (100..700).contains(code));
    Ok((StatusCode::from(code.ok_or(Fault::Status)?), reason.trim_matches(is_blank).to_owned()))
}

/// §7.1: methods are case-sensitive.
fn method_by_name(name: &str) -> Option<Method> {
    Some(match name {
        "ACK" => Method::Ack,
        "BYE" => Method::Bye,
        "CANCEL" => Method::Cancel,
        "INFO" => Method::Info,
        "INVITE" => Method::Invite,
        "MESSAGE" => Method::Message,
        "NOTIFY" => Method::Notify,
        "OPTIONS" => Method::Options,
        "PRACK" => Method::PRack,
        "PUBLISH" => Method::Publish,
        "REFER" => Method::Refer,
        "REGISTER" => Method::Register,
        "SUBSCRIBE" => Method::Subscribe,
        "UPDATE" => Method::Update,
        _ => return None,
    })
}

/// The header fields and the body.
#[derive(Default)]
struct Parts {
    via: Vec<Via>,
    from: Option<NameAddr>,
    to: Option<NameAddr>,
    call_id: Option<Arc<str>>,
    cseq: Option<CSeq>,
    max_forwards: Option<u8>,
    content_length: Option<usize>,
    headers: Headers,
    body: Bytes,
}

impl Parts {
    fn read(lines: Lines<'_>, body: &[u8], origin: Origin) -> Result<Parts, Fault> {
        let mut parts = Parts { headers: Headers(Vec::with_capacity(16)), ..Parts::default() };
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Fault::HeaderLine)?;
            let (name, value) = (name.trim_end_matches(is_blank), value.trim_matches(is_blank));
            if !is_token(name) || value.contains('\r') {
                return Err(Fault::HeaderLine);
            }
            match Field::by_name(name) {
                Some(field) => parts.take_field(field, value)?,
                None => parts.take_header(name, value, origin)?,
            }
            if parts.via.len() + parts.headers.0.len() > MOST_HEADERS {
                return Err(Fault::TooManyHeaders);
            }
        }
        // §18.3: over a datagram transport what lies beyond Content-Length is padding, and without one the body is the rest.
        let body = match parts.content_length {
            Some(length) => body.get(..length).ok_or(Fault::TooShort)?,
            None => body,
        };
        parts.body = Bytes::copy_from_slice(body);
        Ok(parts)
    }

    fn take_field(&mut self, field: Field, value: &str) -> Result<(), Fault> {
        match field {
            Field::Via => {
                for via in List::new(value) {
                    self.via.push(via.parse().map_err(|fault| Fault::Header("Via", fault))?);
                }
                Ok(())
            }
            Field::From => once(&mut self.from, "From", value.parse()),
            Field::To => once(&mut self.to, "To", value.parse()),
            Field::CallId => once(&mut self.call_id, "Call-ID", read_call_id(value)),
            Field::CSeq => {
                // An unknown method in a CSeq is one that the start line does not have, or an unknown request's.
                let cseq = read_cseq(value).map_err(|fault| Fault::Header("CSeq", fault))?;
                once(&mut self.cseq, "CSeq", cseq.ok_or(Fault::MethodMismatch).map(Ok)?)
            }
            Field::MaxForwards => once(&mut self.max_forwards, "Max-Forwards", read_number(value)),
            Field::ContentLength => once(&mut self.content_length, "Content-Length", read_number(value)),
        }
    }

    fn take_header(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), Fault> {
        let header = names::header(name, value.to_owned());
        if origin == Origin::Stored {
            self.headers.0.push(header);
            return Ok(());
        }
        if names::is_single(&header) && self.headers.contains(names::name_of(&header)) {
            return Err(Fault::Twice("a header that may be there once"));
        }
        if names::is_list(&header) && value.contains(',') {
            let values = List::new(value).filter(|value| !value.is_empty());
            let room = MOST_HEADERS.saturating_sub(self.headers.0.len()) + 1;
            self.headers.0.extend(values.take(room).map(|value| names::header(name, value.to_owned())));
        } else {
            self.headers.0.push(header);
        }
        Ok(())
    }

    /// §8.1.1: the fields that every message has.
    fn core(&mut self, origin: Origin) -> Result<Core, Fault> {
        let via = std::mem::take(&mut self.via);
        if via.is_empty() && origin == Origin::Wire {
            return Err(Fault::Missing("Via"));
        }
        Ok(Core {
            via,
            from: self.from.take().ok_or(Fault::Missing("From"))?,
            to: self.to.take().ok_or(Fault::Missing("To"))?,
            call_id: self.call_id.take().ok_or(Fault::Missing("Call-ID"))?,
            cseq: self.cseq.take().ok_or(Fault::Missing("CSeq"))?,
        })
    }

    fn into_request(mut self, line: (Method, Uri), origin: Origin) -> Result<Request, Fault> {
        let core = self.core(origin)?;
        let (method, uri) = line;
        if core.cseq.method != method {
            return Err(Fault::MethodMismatch);
        }
        if origin == Origin::Wire {
            check_request(&core, &self.headers)?;
        }
        Ok(Request { method, uri, core, max_forwards: self.max_forwards, headers: self.headers, body: self.body })
    }

    fn into_response(mut self, line: (StatusCode, String), origin: Origin) -> Result<Response, Fault> {
        let core = self.core(origin)?;
        let (status, reason) = line;
        Ok(Response { status, reason, core, headers: self.headers, body: self.body })
    }
}

/// Requests whose addresses cannot be read are refused here, so that the rooms behind need not.
fn check_request(core: &Core, headers: &Headers) -> Result<(), Fault> {
    headers.contacts().map_err(|fault| Fault::Header("Contact", fault))?;
    for header in &headers.0 {
        let name = match header {
            Header::Route(_) => "Route",
            Header::RecordRoute(_) => "Record-Route",
            Header::Expires(expires)
                if super::headers::seconds(rsip::headers::UntypedHeader::value(expires)).is_none() =>
            {
                return Err(Fault::Header("Expires", Malformed("it is not a number of seconds")));
            }
            _ => continue,
        };
        names::value_of(header).parse::<NameAddr>().map_err(|fault| Fault::Header(name, fault))?;
    }
    // §8.1.1.7, RFC 4475 §3.2.1: the cookie alone makes every transaction look the same.
    if core.via.first().and_then(Via::branch).is_some_and(|branch| branch.eq_ignore_ascii_case("z9hG4bK")) {
        return Err(Fault::Header("Via", Malformed("its branch has nothing after z9hG4bK")));
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, name: &'static str, value: Result<T, Malformed>) -> Result<(), Fault> {
    let value = value.map_err(|fault| Fault::Header(name, fault))?;
    match place.replace(value) {
        Some(_) => Err(Fault::Twice(name)),
        None => Ok(()),
    }
}

fn read_call_id(value: &str) -> Result<Arc<str>, Malformed> {
    if value.is_empty() || value.contains(is_blank) {
        return Err(Malformed("it is empty or has white space"));
    }
    Ok(Arc::from(value))
}

/// §20.16: a number below 2**32 and a method; `None` stands for an unknown method.
pub(super) fn read_cseq(value: &str) -> Result<Option<CSeq>, Malformed> {
    let (number, method) = value.split_once(is_blank).ok_or(Malformed("it is not a number and a method"))?;
    let method = method.trim_matches(is_blank);
    if !is_token(method) {
        return Err(Malformed("its method is not a token"));
    }
    let number = read_number(number)?;
    Ok(method_by_name(method).map(|method| CSeq { number, method }))
}

/// Digits only, leading zeroes allowed.
fn read_number<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed("it is not a number"));
    }
    text.parse().map_err(|_| Malformed("its number is too large"))
}
