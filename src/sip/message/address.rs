//! `name-addr` and `addr-spec` with their parameters (RFC 3261 §20.10, §20.20), and Via values (§20.42).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::cursor::{Cursor, is_blank, unquote, write_quoted};
use super::uri::{read_ipv6, read_port, write_host_port};
use super::{Host, Malformed, NameAddr, Params, Uri, Via};

impl NameAddr {
    /// Without display name and parameters.
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr { display: None, uri, params: Params::default() }
    }

    /// RFC 3261 §8.1.1.8, §12.1.1: who is asked for by a SIPS URI, or asks so, answers with one.
    pub fn secure_as(&mut self, others: &[&Uri]) {
        let secure = others.iter().any(|other| matches!(other, Uri::Sip(uri) if uri.secure));
        if let Uri::Sip(uri) = &mut self.uri {
            uri.secure |= secure;
        }
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag.to_owned()));
    }
}

impl FromStr for NameAddr {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        cursor.skip_blanks();
        let display = if cursor.rest.starts_with('"') {
            let quoted = cursor.quoted()?;
            cursor.skip_blanks();
            Some(unquote(quoted))
        } else {
            unquoted_display(&mut cursor)
        };
        let uri = if cursor.take('<') {
            let uri = cursor.take_while(|c| c != '>');
            if !cursor.take('>') {
                return Err(Malformed("'<' is not closed by '>'"));
            }
            uri
        } else if display.is_some() {
            return Err(Malformed("a display name is not followed by '<'"));
        } else {
            bare(&mut cursor)?
        };
        Ok(NameAddr { display, uri: uri.parse()?, params: Params::of_header(&mut cursor)? })
    }
}

/// What stands before `<`. More than the grammar's tokens is taken, because phones send names with dots, commas and accents
/// without quotes.
fn unquoted_display(cursor: &mut Cursor<'_>) -> Option<String> {
    let end = cursor.rest.find(['<', '"', ';', '>'])?;
    let (name, rest) = cursor.rest.split_at(end);
    if !rest.starts_with('<') {
        return None;
    }
    cursor.rest = rest;
    let name = name.trim_matches(is_blank);
    (!name.is_empty()).then(|| name.to_owned())
}

/// §20: without brackets, what follows `;` belongs to the header; a URI with `,` or `?` must stand in brackets.
fn bare<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Malformed> {
    let uri = cursor.take_while(|c| c != ';').trim_end_matches(is_blank);
    if uri.contains(['?', ',']) {
        return Err(Malformed("a URI with '?' or ',' must stand in '<' and '>'"));
    }
    Ok(uri)
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write_quoted(f, display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl Via {
    /// §8.1.1.7: the transaction's name.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// RFC 3581: the port the request came from, where a server has filled it in. Whether it was asked for says
    /// `params.contains("rport")`.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// The address the request came from, where a server has filled it in.
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        inner.parse().ok().or_else(|| read_ipv6(inner).map(IpAddr::V6))
    }
}

impl FromStr for Via {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const PROTOCOL: Malformed = Malformed("a Via does not begin with SIP/2.0/ and a transport");
        let mut cursor = Cursor::new(text);
        for _ in 0..2 {
            cursor.skip_blanks();
            let part = cursor.token();
            cursor.skip_blanks();
            if part.is_empty() || !cursor.take('/') {
                return Err(PROTOCOL);
            }
        }
        cursor.skip_blanks();
        let transport = cursor.token();
        if transport.is_empty() || !cursor.rest.starts_with(is_blank) {
            return Err(PROTOCOL);
        }
        cursor.skip_blanks();
        let host = sent_by(&mut cursor)?;
        cursor.skip_blanks();
        let port = if cursor.take(':') {
            cursor.skip_blanks();
            Some(read_port(cursor.take_while(|c| c.is_ascii_digit()))?)
        } else {
            None
        };
        Ok(Via { transport: transport.to_owned(), host, port, params: Params::of_header(&mut cursor)? })
    }
}

fn sent_by(cursor: &mut Cursor<'_>) -> Result<Host, Malformed> {
    let text = if cursor.rest.starts_with('[') {
        let end = cursor.rest.find(']').ok_or(Malformed("an IPv6 address is not closed by ']'"))?;
        let (host, rest) = cursor.rest.split_at(end + 1);
        cursor.rest = rest;
        host
    } else {
        cursor.take_while(|c| !is_blank(c) && !matches!(c, ':' | ';' | ','))
    };
    text.parse()
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} ", self.transport)?;
        write_host_port(f, &self.host, self.port)?;
        self.params.fmt(f)
    }
}
