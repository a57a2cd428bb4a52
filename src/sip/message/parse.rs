//! From bytes to a message: any valid one is understood, any invalid one gets the right refusal or silence.
//!
//! Header lines are unfolded, compact names expanded and lists split; a byte that is not UTF-8 becomes a private-use
//! character and is written back as the byte it was.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::headers::{Header, Headers};
use super::name_addr::NameAddr;
use super::write::reason_phrase;
use super::{CSeq, Core, LARGEST, Message, Method, Request, Response, StatusCode, Uri, Via};

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {fault}")]
pub struct ParseError {
    /// The status a request deserves; 0 for what is dropped in silence.
    status: u16,
    fault: &'static str,
    /// Via, From, To, Call-ID and CSeq of the request as far as they can be read, for the refusal.
    copied: Vec<(&'static str, String)>,
}

impl ParseError {
    fn silent(fault: &'static str) -> ParseError {
        ParseError { status: 0, fault, copied: Vec::new() }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    /// The stateless answer to a request that cannot be read; `None` for what is dropped in silence: responses, what is
    /// no SIP at all, ACKs, and requests without a Via to answer by.
    pub fn refusal(&self) -> Option<Bytes> {
        if self.status == 0 || !self.copied.iter().any(|(name, _)| *name == "Via") {
            return None;
        }
        let phrase = reason_phrase(&StatusCode::from(self.status));
        let mut text = format!("SIP/2.0 {} {phrase}\r\n", self.status);
        for (name, value) in &self.copied {
            text.push_str(&format!("{name}: {value}\r\n"));
            if *name == "To" && !value.contains("tag=") {
                text.truncate(text.len() - 2);
                text.push_str(";tag=refused\r\n");
            }
        }
        text.push_str(&format!("Warning: 399 relais \"{}\"\r\nContent-Length: 0\r\n\r\n", self.fault));
        Some(Bytes::from(to_wire(&text)))
    }
}

impl Message {
    /// Reads one datagram, or one message that a [`super::Framer`] cut out of a stream.
    pub fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
        let bytes = skip_blank_lines(bytes);
        if bytes.is_empty() {
            return Err(ParseError::silent("a keep-alive"));
        }
        let (lines, body) = split_head(bytes);
        let (start, fields) = lines.split_first().ok_or(ParseError::silent("an empty message"))?;
        let fields = Fields::read(fields);
        if start.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("SIP/")) {
            read_response(start, &fields, body).map(Message::Response).map_err(ParseError::silent)
        } else {
            let fail = |(status, fault)| ParseError { status, fault, copied: fields.copied() };
            if bytes.len() > LARGEST {
                return Err(fail((513, "the message is larger than 64 kB")));
            }
            read_request(start, &fields, body).map(Message::Request).map_err(|fault| {
                // An ACK is never answered.
                if start.starts_with("ACK ") { ParseError::silent(fault.1) } else { fail(fault) }
            })
        }
    }
}

type Fault = (u16, &'static str);

fn read_request(start: &str, fields: &Fields, body: &[u8]) -> Result<Request, Fault> {
    let mut words = start.trim_end().split(' ');
    let (method, uri, version) = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(uri), Some(version), None) => (method, uri, version),
        _ => return Err((400, "the request line is not METHOD SP URI SP SIP/2.0")),
    };
    if !version.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("SIP/")) {
        return Err((400, "the request line does not end in SIP/2.0"));
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err((505, "only SIP/2.0 is spoken"));
    }
    if !is_token(method) {
        return Err((400, "the method is not a token"));
    }
    fields.fault()?;
    let known = method_named(method);
    let Some(method) = known else {
        fields.core(None)?;
        return Err((501, "the method is not known"));
    };
    let uri: Uri = uri.parse().map_err(|_| (400, "the Request-URI is not well-formed"))?;
    let core = fields.core(Some(method))?;
    let max_forwards = match fields.single("Max-Forwards")? {
        None => None,
        Some(value) => Some(value.trim().parse().map_err(|_| (400, "Max-Forwards is not a number up to 255"))?),
    };
    let body = fields.body(body)?;
    Ok(Request { method, uri, core, max_forwards, headers: fields.rest(), body })
}

fn read_response(start: &str, fields: &Fields, body: &[u8]) -> Result<Response, &'static str> {
    let (version, rest) = start.split_once(' ').ok_or("a status line without a status")?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = (code.len() == 3).then(|| code.parse::<u16>().ok()).flatten().filter(|code| (100..700).contains(code));
    let code = code.ok_or("a status that is not 100 to 699")?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err("only SIP/2.0 is spoken");
    }
    fields.fault().map_err(|(_, fault)| fault)?;
    let core = fields.core(None).map_err(|(_, fault)| fault)?;
    // RFC 3261 §18.1.2: a second Via shows that it was meant for somebody else.
    if core.via.len() != 1 {
        return Err("a response with more than one Via");
    }
    let body = fields.body(body).map_err(|(_, fault)| fault)?;
    let status = StatusCode::from(code);
    Ok(Response { status, reason: reason.trim().to_owned(), core, headers: fields.rest(), body })
}

/// The header lines, names in long form.
struct Fields<'a> {
    fields: Vec<(Cow<'static, str>, &'a str)>,
    fault: Option<&'static str>,
}

/// More header lines than any message has.
const MOST_LINES: usize = 512;

impl<'a> Fields<'a> {
    fn read(lines: &'a [String]) -> Fields<'a> {
        let mut fields = Vec::with_capacity(lines.len());
        let mut fault = (lines.len() > MOST_LINES).then_some("the message has more than 512 header lines");
        for line in lines.iter().take(MOST_LINES) {
            match line.split_once(':') {
                Some((name, value)) if is_token(name.trim_end()) => {
                    fields.push((long_name(name.trim_end()), value.trim()))
                }
                _ => fault = fault.or(Some("a header line has no name before a colon")),
            }
        }
        Fields { fields, fault }
    }

    fn fault(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), |fault| Err((400, fault)))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| *value)
    }

    /// A header that may stand once only.
    fn single(&self, name: &'static str) -> Result<Option<&'a str>, Fault> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err((400, "a header that may stand once stands twice")),
        }
    }

    fn required(&self, name: &'static str, missing: &'static str) -> Result<&'a str, Fault> {
        self.single(name)?.ok_or((400, missing))
    }

    /// `method` is the request's own, which CSeq must name; `None` for a response or a method that is not known.
    fn core(&self, method: Option<Method>) -> Result<Core, Fault> {
        let via: Option<Vec<Via>> = self.all("Via").flat_map(split_list).map(|value| value.parse().ok()).collect();
        let via = via.filter(|via| !via.is_empty()).ok_or((400, "Via is missing or not well-formed"))?;
        let from: NameAddr =
            self.required("From", "From is missing")?.parse().map_err(|_| (400, "From is not well-formed"))?;
        let to: NameAddr = self.required("To", "To is missing")?.parse().map_err(|_| (400, "To is not well-formed"))?;
        let call_id = self.required("Call-ID", "Call-ID is missing")?;
        if call_id.is_empty() {
            return Err((400, "Call-ID is empty"));
        }
        let cseq = self.required("CSeq", "CSeq is missing")?;
        let (number, name) = cseq.split_once(|c: char| c.is_ascii_whitespace()).ok_or((400, "CSeq has no method"))?;
        let number = number.parse().map_err(|_| (400, "CSeq's number is not below 2^32"))?;
        let named = method_named(name.trim());
        let method = match (method, named) {
            (Some(method), Some(named)) if method != named => {
                return Err((400, "CSeq names another method than the request"));
            }
            (Some(_), None) => return Err((400, "CSeq names another method than the request")),
            (_, Some(named)) => named,
            // Of a request or response whose method is not known: nobody will look at it.
            (None, None) => Method::Options,
        };
        Ok(Core { via, from, to, call_id: Arc::from(call_id), cseq: CSeq { number, method } })
    }

    fn body(&self, bytes: &[u8]) -> Result<Bytes, Fault> {
        let length = match self.single("Content-Length")? {
            None => bytes.len(),
            Some(text) => text.parse().map_err(|_| (400, "Content-Length is not a number"))?,
        };
        bytes.get(..length).map(Bytes::copy_from_slice).ok_or((400, "the body is shorter than Content-Length says"))
    }

    fn rest(&self) -> Headers {
        let mut headers = Vec::new();
        for (name, value) in &self.fields {
            match name.as_ref() {
                "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Max-Forwards" | "Content-Length" => {}
                name if is_list(name) => {
                    let values =
                        split_list(value).map(|value| Header { name: name.to_owned(), value: value.to_owned() });
                    headers.extend(values);
                }
                name => headers.push(Header { name: name.to_owned(), value: (*value).to_owned() }),
            }
        }
        Headers(headers)
    }

    fn copied(&self) -> Vec<(&'static str, String)> {
        let once = ["From", "To", "Call-ID", "CSeq"];
        let via = self.all("Via").flat_map(split_list).map(|value| ("Via", value.to_owned()));
        via.chain(once.into_iter().filter_map(|name| Some((name, self.all(name).next()?.to_owned())))).collect()
    }
}

fn skip_blank_lines(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// The lines before the empty one, unfolded, and what comes after it. A message that ends without an empty line has no
/// body.
fn split_head(bytes: &[u8]) -> (Vec<String>, &[u8]) {
    let mut lines: Vec<String> = Vec::with_capacity(16);
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = match end {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
            None => (rest, &[][..]),
        };
        rest = after;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return (lines, rest);
        }
        match (line.first(), lines.last_mut()) {
            // RFC 3261 §7.3.1: a line that begins with white space goes on the one before.
            (Some(b' ' | b'\t'), Some(last)) => {
                last.push(' ');
                last.push_str(from_wire(line).trim_matches([' ', '\t']));
            }
            _ => lines.push(from_wire(line)),
        }
    }
    (lines, &[])
}

/// Private-use characters stand for bytes 0x80 to 0xFF that are not part of UTF-8 text.
const BYTE_BASE: u32 = 0xF700;

fn from_wire(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_stand_in)
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_stand_in(c) {
                let mut buffer = [0; 4];
                text.extend(c.encode_utf8(&mut buffer).bytes().filter_map(stand_in));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(stand_in));
    }
    text
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(BYTE_BASE + u32::from(byte))
}

fn is_stand_in(c: char) -> bool {
    (BYTE_BASE + 0x80..=BYTE_BASE + 0xFF).contains(&u32::from(c))
}

/// The bytes of a message's text, stand-ins turned back into the bytes they came from.
pub(super) fn to_wire(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if is_stand_in(c) {
            bytes.push((u32::from(c) & 0xFF) as u8);
        } else {
            let mut buffer = [0; 4];
            bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
    bytes
}

/// RFC 3261 §25.1
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&c))
}

/// Methods are case-sensitive (RFC 3261 §7.1).
fn method_named(name: &str) -> Option<Method> {
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

/// Headers whose values are lists separated by commas (RFC 3261 §20 and its extensions).
const LISTS: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Call-Info",
    "Contact",
    "Content-Encoding",
    "Content-Language",
    "Diversion",
    "Error-Info",
    "History-Info",
    "In-Reply-To",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Proxy-Require",
    "Reason",
    "Record-Route",
    "Require",
    "Route",
    "Service-Route",
    "Supported",
    "Unsupported",
    "Warning",
];

fn is_list(name: &str) -> bool {
    LISTS.contains(&name)
}

/// The parts of a list: commas inside quotes or angle brackets do not count.
pub(super) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = list_end(text);
        let (part, after) = text.split_at(end);
        rest = after.strip_prefix(',');
        Some(part.trim())
    })
    .filter(|part| !part.is_empty())
}

fn list_end(text: &str) -> usize {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' if !quoted && !bracketed => return at,
            _ => {}
        }
    }
    text.len()
}

/// Headers known by name, in their usual spelling; others keep the spelling they came in.
const NAMES: &[&str] = &[
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Max-Forwards",
    "Content-Length",
    "Content-Type",
    "Contact",
    "Route",
    "Record-Route",
    "Require",
    "Supported",
    "Unsupported",
    "Allow",
    "Expires",
    "Min-Expires",
    "Accept",
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "User-Agent",
    "Server",
    "Session-Expires",
    "Min-SE",
    "RSeq",
    "RAck",
    "Reason",
    "Replaces",
    "Refer-To",
    "Referred-By",
    "Event",
    "Subscription-State",
    "Allow-Events",
    "Content-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Accept-Encoding",
    "Accept-Language",
    "Proxy-Require",
    "Retry-After",
    "Subject",
    "Date",
    "Warning",
    "Alert-Info",
    "Call-Info",
    "Error-Info",
    "In-Reply-To",
    "Organization",
    "Priority",
    "Reply-To",
    "Timestamp",
    "MIME-Version",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Privacy",
    "Diversion",
    "History-Info",
    "Path",
    "Service-Route",
    "User-to-User",
    "Identity",
    "Target-Dialog",
    "Join",
];

/// RFC 3261 §7.3.3 and its extensions.
fn long_name(name: &str) -> Cow<'static, str> {
    if let [letter] = name.as_bytes() {
        let long = match letter.to_ascii_lowercase() {
            b'a' => "Accept-Contact",
            b'b' => "Referred-By",
            b'c' => "Content-Type",
            b'd' => "Request-Disposition",
            b'e' => "Content-Encoding",
            b'f' => "From",
            b'i' => "Call-ID",
            b'j' => "Reject-Contact",
            b'k' => "Supported",
            b'l' => "Content-Length",
            b'm' => "Contact",
            b'n' => "Identity-Info",
            b'o' => "Event",
            b'r' => "Refer-To",
            b's' => "Subject",
            b't' => "To",
            b'u' => "Allow-Events",
            b'v' => "Via",
            b'x' => "Session-Expires",
            b'y' => "Identity",
            _ => return Cow::Owned(name.to_owned()),
        };
        return Cow::Borrowed(long);
    }
    let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known))
}
