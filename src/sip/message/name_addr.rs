//! `"Name" <uri>;params`: From, To, Contact, Route, … (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::params::Params;
use super::uri::Uri;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddr {
    /// Without its quotes and escapes.
    pub display: Option<String>,
    pub uri: Uri,
    pub params: Params,
}

impl NameAddr {
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag.to_owned()));
    }
}

/// What is wrong with a value of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no name and address")]
pub struct NameAddrError(String);

impl FromStr for NameAddr {
    type Err = NameAddrError;

    fn from_str(text: &str) -> Result<NameAddr, NameAddrError> {
        read(text.trim()).ok_or_else(|| NameAddrError(text.chars().take(80).collect()))
    }
}

fn read(text: &str) -> Option<NameAddr> {
    let (display, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (display, rest) = unquote(quoted)?;
            (Some(display), rest.trim_start())
        }
        None => match text.find('<') {
            Some(at) => {
                let (display, rest) = text.split_at(at);
                let display = display.trim();
                // An open quote inside a name that is not quoted: the rest cannot be told apart.
                if display.contains('"') {
                    return None;
                }
                ((!display.is_empty()).then(|| display.to_owned()), rest)
            }
            None => (None, text),
        },
    };
    if let Some(inner) = rest.strip_prefix('<') {
        let (uri, params) = inner.split_once('>')?;
        return Some(NameAddr { display, uri: uri.trim().parse().ok()?, params: Params::parse(params)? });
    }
    if display.is_some() {
        return None;
    }
    // §20: without angle brackets, parameters belong to the header.
    let (uri, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let uri = uri.trim();
    if uri.contains('?') || uri.contains(',') {
        return None;
    }
    Some(NameAddr { display: None, uri: uri.parse().ok()?, params: Params::parse(params)? })
}

/// The text up to the closing quote, escapes undone, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str("\"")?;
            for c in display.chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    // Nothing may end the line that the name stands in.
                    c if c.is_control() => f.write_str(" ")?,
                    c => write!(f, "{c}")?,
                }
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
