//! URIs (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::text::stands_for_a_byte;
use super::{Host, Malformed, Params, SipUri, Uri};
use crate::settings::Transport;

impl FromStr for Uri {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let outside = |byte: u8| byte <= b' ' || byte == 0x7F || matches!(byte, b'<' | b'>' | b'"');
        if text.bytes().any(outside) || (!text.is_ascii() && text.chars().any(|c| c.is_whitespace() || c.is_control()))
        {
            return Err(Malformed("a URI contains white space, brackets or quotes"));
        }
        let Some((scheme, rest)) = text.split_once(':') else { return Err(Malformed("a URI has no scheme")) };
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::read(false, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::read(true, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            read_tel(rest)
        } else if is_scheme(scheme) && !rest.is_empty() {
            Ok(Uri::Other(text.to_owned()))
        } else {
            Err(Malformed("a URI's scheme is not one"))
        }
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// RFC 3966 §3: digits, `*`, `#`, hexadecimal digits in local numbers, a leading `+`, and visual separators.
fn read_tel(rest: &str) -> Result<Uri, Malformed> {
    let (number, params) = match rest.split_once(';') {
        Some((number, params)) => (number, Params::of_uri(params)?),
        None => (rest, Params::default()),
    };
    let digits = number.strip_prefix('+').unwrap_or(number);
    let fits = |byte: u8| byte.is_ascii_hexdigit() || b"*#-.()".contains(&byte);
    if !digits.bytes().all(fits) || !digits.bytes().any(|byte| byte.is_ascii_hexdigit() || b"*#".contains(&byte)) {
        return Err(Malformed("a tel URI has no telephone number"));
    }
    Ok(Uri::Tel { number: number.to_owned(), params })
}

impl Uri {
    /// Whether both lead to the same place: RFC 3261 §19.1.4, where most parameters that only one of them has do not
    /// matter, as `ob` of RFC 5626, which browsers give in a dialog and not when they register.
    pub fn is_place(&self, other: &Uri) -> bool {
        match (self, other) {
            (Uri::Sip(a), Uri::Sip(b)) => a.user == b.user && a.host == b.host && a.port == b.port,
            (a, b) => a == b,
        }
    }
}

impl SipUri {
    /// What the URI itself says of the way there; `None` leaves the choice to RFC 3263. With `sips:` it is TLS, over TCP or
    /// below a WebSocket (RFC 3261 §26.2.2, RFC 7118 §5.2).
    pub fn transport(&self) -> Option<Transport> {
        let named = self.params.get("transport").and_then(Transport::of_name);
        match named {
            None | Some(Transport::Tcp) if self.secure => Some(Transport::Tls),
            Some(Transport::Ws) if self.secure => Some(Transport::Wss),
            named => named,
        }
    }

    /// What stands after `sip:` or `sips:`.
    fn read(secure: bool, rest: &str) -> Result<SipUri, Malformed> {
        let (user_info, rest) = match rest.split_once('@') {
            Some((user_info, rest)) => (Some(user_info), rest),
            None => (None, rest),
        };
        if rest.contains('@') {
            return Err(Malformed("a SIP URI has two '@'; escape the one in the user part as %40"));
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (host_port, params) = match rest.split_once(';') {
            Some((host_port, params)) => (host_port, Params::of_uri(params)?),
            None => (rest, Params::default()),
        };
        let (host, port) = Host::with_port(host_port)?;
        let (user, password) = match user_info {
            None => (None, None),
            Some(user_info) => match user_info.split_once(':') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(user_info), None),
            },
        };
        if user.is_some_and(str::is_empty) {
            return Err(Malformed("a SIP URI has nothing before its '@'"));
        }
        let user = user.map(unescape).transpose()?;
        let password = password.map(unescape).transpose()?;
        Ok(SipUri {
            secure,
            user: user.map(Cow::into_owned),
            password: password.map(Cow::into_owned),
            host,
            port,
            params,
            headers,
        })
    }
}

impl Host {
    /// `host`, `host:port`, `[v6]`, `[v6]:port`; nothing before or after.
    pub(super) fn with_port(text: &str) -> Result<(Host, Option<u16>), Malformed> {
        let (host, port) = if text.starts_with('[') {
            match text.split_once(']') {
                Some((_, "")) => (text, None),
                Some((inside, after)) => {
                    let port = after.strip_prefix(':').ok_or(Malformed("something other than a port follows ']'"))?;
                    (text.get(..inside.len() + 1).unwrap_or(text), Some(port))
                }
                None => return Err(Malformed("an IPv6 address is not closed by ']'")),
            }
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = port.map(read_port).transpose()?;
        Ok((host.parse()?, port))
    }
}

pub(super) fn read_port(text: &str) -> Result<u16, Malformed> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed("a port is not a number"));
    }
    text.parse().map_err(|_| Malformed("a port is above 65535"))
}

/// An IPv6 address without its brackets. RFC 5118 §4.10: a wrong grammar of RFC 3261 made some write three colons.
pub(super) fn read_ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| text.replacen(":::", "::", 1).parse().ok())
}

impl FromStr for Host {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(read_ipv6);
            return address.map(|v6| Host::Address(IpAddr::V6(v6))).ok_or(Malformed("an IPv6 address is not one"));
        }
        if text.starts_with(|c: char| c.is_ascii_digit())
            && let Ok(v4) = text.parse()
        {
            return Ok(Host::Address(IpAddr::V4(v4)));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(fits) {
            return Err(Malformed("a host name is empty or has characters that host names have not"));
        }
        Ok(Host::Name(text.to_ascii_lowercase()))
    }
}

/// Undoes `%xx` where that can be undone: controls, `%` itself and bytes that are not UTF-8 stay escaped (in capitals), so
/// that writing it again means the same and nothing is cut at a zero byte.
fn unescape(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut run: Vec<u8> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '%' {
            let byte = rest.get(1..3).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            run.push(byte.ok_or(Malformed("'%' is not followed by two hexadecimal digits"))?);
            rest = rest.get(3..).unwrap_or_default();
        } else {
            flush(&mut run, &mut out);
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    flush(&mut run, &mut out);
    Ok(Cow::Owned(out))
}

fn flush(run: &mut Vec<u8>, out: &mut String) {
    for chunk in run.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '%' || stands_for_a_byte(c).is_some() {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_escaped(out, byte));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| push_escaped(out, *byte));
    }
    run.clear();
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        out.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0').into());
    }
}

/// Writes a user or password part, escaping what must be; an escape that was kept is written as it is.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, reserved: &[u8]) -> fmt::Result {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte) || reserved.contains(&byte);
    if text.bytes().all(plain) {
        return f.write_str(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (at, c) in text.char_indices() {
        let kept = |hex: &str| hex.bytes().all(|digit| digit.is_ascii_hexdigit());
        if u8::try_from(c).is_ok_and(|byte| byte < 0x80 && plain(byte))
            || stands_for_a_byte(c).is_some()
            || (c == '%' && text.get(at + 1..at + 3).is_some_and(kept))
        {
            out.push(c);
        } else {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_escaped(&mut out, byte));
        }
    }
    f.write_str(&out)
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
            write_escaped(f, user, b";?/")?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                write_escaped(f, password, b"")?;
            }
            f.write_str("@")?;
        }
        write_host_port(f, &self.host, self.port)?;
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

pub(super) fn write_host_port(f: &mut fmt::Formatter<'_>, host: &Host, port: Option<u16>) -> fmt::Result {
    write!(f, "{host}")?;
    match port {
        Some(port) => write!(f, ":{port}"),
        None => Ok(()),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}
