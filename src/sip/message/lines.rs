//! The lines of a message's head, unfolded.

use std::borrow::Cow;

use super::cursor::is_blank;

/// Where the head ends (its last line's end included) and the body begins. Bare line feeds are taken as line ends.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    end_of_head_from(bytes, 0)
}

/// As [`end_of_head`], for bytes of which the first `from` were searched in vain before.
pub(super) fn end_of_head_from(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from.saturating_sub(3);
    while let Some(step) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        let next = at + step + 1;
        match bytes.get(next..) {
            Some([b'\n', ..]) => return Some((next, next + 1)),
            Some([b'\r', b'\n', ..]) => return Some((next, next + 2)),
            _ => at = next,
        }
    }
    None
}

/// Logical lines: a line that begins with white space continues the one before it (RFC 3261 §7.3.1).
pub(super) struct Lines<'a> {
    rest: Option<&'a str>,
}

impl<'a> Lines<'a> {
    pub fn new(head: &'a str) -> Self {
        Lines { rest: Some(head) }
    }

    fn physical(&mut self) -> Option<&'a str> {
        let text = self.rest.filter(|text| !text.is_empty())?;
        let (line, rest) = match text.split_once('\n') {
            Some((line, rest)) => (line, Some(rest)),
            None => (text, None),
        };
        self.rest = rest;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        let mut line = Cow::Borrowed(self.physical()?);
        while self.rest.is_some_and(|rest| rest.starts_with(is_blank)) {
            let Some(more) = self.physical() else { break };
            let joined = line.to_mut();
            joined.truncate(joined.trim_end_matches(is_blank).len());
            joined.push(' ');
            joined.push_str(more.trim_start_matches(is_blank));
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded() {
        let lines: Vec<_> = Lines::new("a: 1\r\nb: x\r\n  y \r\n\t z\nc:\n 2\n").collect();
        assert_eq!(lines, ["a: 1", "b: x y z", "c: 2"]);
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line() {
        assert_eq!(end_of_head(b"a\r\nb\r\n\r\nbody"), Some((6, 8)));
        assert_eq!(end_of_head(b"a\nb\n\nbody"), Some((4, 5)));
        assert_eq!(end_of_head(b"a\r\nb\r\n"), None);
        assert_eq!(end_of_head_from(b"a\r\nb\r\n\r\n", 7), Some((6, 8)));
    }
}
