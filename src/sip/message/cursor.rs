//! Reading one header value from left to right.

use super::Malformed;

/// RFC 3261 §25.1, `token`.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// What is left of a value. Lines are unfolded before, so that white space is blanks and tabs.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Cursor { rest: text }
    }

    pub fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `c` if it is next.
    pub fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What stands before the first character that fails `wanted`; it may be empty.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub fn token(&mut self) -> &'a str {
        let end = self.rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A quoted string with its quotes (§25.1, `quoted-string`).
    pub fn quoted(&mut self) -> Result<&'a str, Malformed> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                '"' if at > 0 && !escaped => {
                    let (taken, rest) = self.rest.split_at(at + 1);
                    self.rest = rest;
                    return Ok(taken);
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        Err(Malformed("a quoted string is not closed"))
    }
}

/// The content of a quoted string, its escapes undone; text without quotes is returned as it is.
pub(super) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

/// Writes `text` as a quoted string. Line ends cannot be quoted (§25.1) and become blanks.
pub(super) fn write_quoted(f: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                f.write_char('\\')?;
                f.write_char(c)?;
            }
            '\r' | '\n' => f.write_char(' ')?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// The values of a comma list; commas in quotes or angle brackets do not part (RFC 3261 §7.3.1).
pub(super) struct List<'a> {
    rest: Option<&'a str>,
}

impl<'a> List<'a> {
    pub fn new(text: &'a str) -> Self {
        List { rest: Some(text) }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let (mut quoted, mut escaped, mut bracket) = (false, false, false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' if !bracket => quoted = !quoted,
                b'<' if !quoted => bracket = true,
                b'>' if !quoted => bracket = false,
                b',' if !quoted && !bracket => {
                    self.rest = text.get(at + 1..);
                    return text.get(..at).map(|value| value.trim_matches(is_blank));
                }
                _ => {}
            }
        }
        self.rest = None;
        Some(text.trim_matches(is_blank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_not_parted_in_quotes_or_brackets() {
        let text = r#""a,\"b" <sip:x,y@z>;p="1,2" , <sip:c> ,d"#;
        let values: Vec<_> = List::new(text).collect();
        assert_eq!(values, [r#""a,\"b" <sip:x,y@z>;p="1,2""#, "<sip:c>", "d"]);
    }

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        for text in ["", "plain", r#"a "b" \ c"#, "\\"] {
            let mut quoted = String::new();
            write_quoted(&mut quoted, text).unwrap();
            assert_eq!(unquote(&quoted), text);
            let mut cursor = Cursor::new(&quoted);
            assert_eq!(cursor.quoted(), Ok(quoted.as_str()));
            assert!(cursor.is_empty());
        }
    }
}
