//! Parameters of header values and URIs.

use std::fmt;

use super::cursor::{Cursor, is_blank};
use super::{Malformed, Params};

impl Params {
    /// The value, its quotes taken off; `None` for a flag and for what is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.find(name)?.1.as_deref()?;
        Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
    }

    /// Is it there, with or without a value?
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets the parameter in its place, or adds it at the end. A value that is not a token must come quoted.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The `;name=value` after a header value, up to its end (RFC 3261 §25.1, `generic-param`).
    pub(super) fn of_header(cursor: &mut Cursor<'_>) -> Result<Params, Malformed> {
        let mut params = Params::default();
        loop {
            cursor.skip_blanks();
            if cursor.is_empty() {
                return Ok(params);
            }
            if !cursor.take(';') {
                return Err(Malformed("a parameter does not begin with ';'"));
            }
            cursor.skip_blanks();
            let name = cursor.token();
            if name.is_empty() {
                return Err(Malformed("a parameter has no name"));
            }
            cursor.skip_blanks();
            let value = if cursor.take('=') { Some(header_value(cursor)?.to_owned()) } else { None };
            params.0.push((name.to_owned(), value));
        }
    }

    /// The parameters of a URI, `text` being what stands after its first `;`.
    pub(super) fn of_uri(text: &str) -> Result<Params, Malformed> {
        let mut params = Params::default();
        for param in text.split(';') {
            let (name, value) = match param.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (param, None),
            };
            if name.is_empty() {
                return Err(Malformed("a URI parameter has no name"));
            }
            params.0.push((undo_needless_escapes(name), value.map(undo_needless_escapes)));
        }
        Ok(params)
    }
}

/// RFC 3261 §19.1.4, RFC 3986 §6.2.2.2: an escaped letter, digit or mark is that character (`%6C%72` is `lr`). Other escapes
/// stay as they are.
fn undo_needless_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte)) {
            Some(byte) => {
                out.push(byte.into());
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn header_value<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Malformed> {
    cursor.skip_blanks();
    if cursor.rest.starts_with('"') {
        return cursor.quoted();
    }
    let value = cursor.take_while(|c| !is_blank(c) && !matches!(c, ';' | ',' | '"' | '<' | '>'));
    if value.is_empty() { Err(Malformed("a parameter has no value after '='")) } else { Ok(value) }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            f.write_str(";")?;
            f.write_str(name)?;
            if let Some(value) = value {
                f.write_str("=")?;
                f.write_str(value)?;
            }
        }
        Ok(())
    }
}
