//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966); others are kept as they are written.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::params::Params;
use crate::sip::Transport;

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
    /// Unescaped user part; escaped control characters such as `%00` stay escaped, so that nothing is cut.
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
    Address(IpAddr),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no URI: {fault}")]
pub struct UriError {
    text: String,
    fault: &'static str,
}

impl SipUri {
    /// The transport parameter, where it names one that we know.
    pub fn transport(&self) -> Option<Transport> {
        let named = self.params.get("transport")?;
        let known = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        known.into_iter().find(|transport| named.eq_ignore_ascii_case(transport.name()))
    }

    fn parse(text: &str, secure: bool) -> Result<SipUri, &'static str> {
        let (user_info, rest) = match text.find('@') {
            Some(at) => (text.get(..at), text.get(at + 1..).unwrap_or_default()),
            None => (None, text),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let end = rest.find(';').unwrap_or(rest.len());
        let (host_port, params) = rest.split_at(end);
        let (host, port) = host_and_port(host_port)?;
        let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some(("", _)) => return Err("the user part before '@' is empty"),
            Some((user, "")) => (Some(unescape(user)), None),
            Some((user, password)) => (Some(unescape(user)), Some(password.to_owned())),
            None => (None, None),
        };
        let params = Params::parse(params).ok_or("its parameters are not well-formed")?;
        Ok(SipUri { secure, user, password, host, port, params, headers })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
pub(super) fn host_and_port(text: &str) -> Result<(Host, Option<u16>), &'static str> {
    let text = text.trim();
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (address, after) = inner.split_once(']').ok_or("an IPv6 address lacks its ']'")?;
        let port = match after.trim() {
            "" => None,
            after => Some(after.strip_prefix(':').ok_or("something follows the IPv6 address")?),
        };
        (Host::Address(IpAddr::V6(ipv6(address).ok_or("the IPv6 address is not one")?)), port)
    } else {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name.trim(), Some(port)),
            None => (text, None),
        };
        (host_name(name).ok_or("the host is not a name or an address")?, port)
    };
    match port.map(|port| port.trim().parse::<u16>()) {
        None => Ok((host, None)),
        Some(Ok(port)) => Ok((host, Some(port))),
        Some(Err(_)) => Err("the port is not a number up to 65535"),
    }
}

/// RFC 5118 §4.10: three colons before an IPv4 part come from a faulty grammar and are to be understood.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| text.replace(":::", "::").parse().ok())
}

fn host_name(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse() {
        return Some(Host::Address(IpAddr::V4(address)));
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!text.is_empty() && text.len() <= 255 && text.chars().all(fine)).then(|| Host::Name(text.to_ascii_lowercase()))
}

/// Undoes `%xx`, except where it would bring in a control character or break UTF-8.
fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => hex_pair(*high, *low).filter(|code| !code.is_ascii_control()),
            _ => None,
        };
        match code {
            Some(code) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// RFC 3261 §25.1: `unreserved` and `user-unreserved` stand for themselves; so does an escape that was kept.
fn write_user(user: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let bytes = user.as_bytes();
    for (at, c) in user.char_indices() {
        let kept_escape = c == '%'
            && matches!((bytes.get(at + 1), bytes.get(at + 2)), (Some(h), Some(l)) if hex_pair(*h, *l).is_some());
        if c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(c) || kept_escape {
            write!(f, "{c}")?;
        } else {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        }
    }
    Ok(())
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Uri, UriError> {
        let fail = |fault| UriError { text: text.chars().take(80).collect(), fault };
        let (scheme, rest) = text.split_once(':').ok_or(fail("it has no scheme"))?;
        let mut letters = scheme.chars();
        let begins_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
        if !begins_well || !letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
            return Err(fail("it has no scheme"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"')) {
            return Err(fail("it has a blank, a quote or an angle bracket"));
        }
        if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            let secure = scheme.len() == 4;
            return SipUri::parse(rest, secure).map(Uri::Sip).map_err(fail);
        }
        if scheme.eq_ignore_ascii_case("tel") {
            let (number, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
            let params = Params::parse(params).ok_or(fail("its parameters are not well-formed"))?;
            return match number {
                "" => Err(fail("it has no number")),
                number => Ok(Uri::Tel { number: number.to_owned(), params }),
            };
        }
        Ok(Uri::Other(text.to_owned()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel { number, params } => write!(f, "tel:{number}{params}"),
            Uri::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            write_user(user, f)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}
