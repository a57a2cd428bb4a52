//! `;name=value` lists of URIs and headers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Parameters in order; a flag has no value. Names compare case-insensitively; a quoted value keeps its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Params(pub Vec<(String, Option<String>)>);

/// More than any header has; what carries more is not read.
const MOST: usize = 128;

impl Params {
    /// Reads `;a=b;c` (the leading semicolon included); `None` when it is not well-formed.
    pub(super) fn parse(text: &str) -> Option<Params> {
        let mut params = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            rest = rest.strip_prefix(';')?.trim_start();
            let end = end_of_param(rest)?;
            let (one, after) = rest.split_at_checked(end)?;
            rest = after;
            let one = one.trim();
            if one.is_empty() {
                continue;
            }
            if params.len() >= MOST {
                return None;
            }
            match one.split_once('=') {
                Some((name, value)) => params.push((name.trim().to_owned(), Some(value.trim().to_owned()))),
                None => params.push((one.to_owned(), None)),
            }
        }
        Some(Params(params))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The value; `None` for a flag or where the parameter is not there. Quotes are taken off.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let value = value.as_deref()?;
        Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
    }

    /// Sets or adds; `None` makes a flag.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

/// Where the parameter that begins `text` ends: at the next semicolon outside quotes. `None`: a quote stays open.
fn end_of_param(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}
