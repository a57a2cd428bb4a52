//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §4.4.1).

use bytes::{Bytes, BytesMut};

use super::fault::{Fault, ParseError};
use super::lines::{Lines, end_of_head_from};
use super::names::Field;
use super::{LARGEST, Malformed, text};

/// What came out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// One whole message, to be given to `Message::parse`.
    Message(Bytes),
    /// A keep-alive; the answer is one CRLF.
    Ping,
    /// The stream cannot be followed any further: send the refusal, if there is one, and close. Nothing more comes.
    Broken(Option<Bytes>),
}

/// Holds what has come of the next message. It never holds more than the longest message and one `push`.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer has been searched for the end of the head.
    searched: usize,
    /// Length of the message at the front, once its head is there.
    length: Option<usize>,
    broken: bool,
}

impl Framer {
    /// Takes what was read. Call `next` until `None` after each.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// No part of a message is waiting for its rest.
    pub fn is_empty(&self) -> bool {
        matches!(&self.buffer[..], b"" | b"\r" | b"\r\n" | b"\r\n\r")
    }

    fn give_up(&mut self, fault: Fault) -> Option<Framed> {
        self.broken = true;
        let held = std::mem::take(&mut self.buffer);
        // What follows the head is its body or somebody's next message: never read.
        let end = end_of_head_from(&held, 0).map_or(LARGEST.min(held.len()), |(end, _)| end);
        let head = text::decode(held.get(..end).unwrap_or_default());
        let is_response = head.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/"));
        Some(Framed::Broken(if is_response { None } else { ParseError::of_request(fault, &head).refusal() }))
    }

    /// Line ends between messages: two are a keep-alive, one alone is the answer to ours or padding.
    fn skip_line_ends(&mut self) -> Option<Framed> {
        loop {
            match &self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    let _ = self.buffer.split_to(4);
                    return Some(Framed::Ping);
                }
                // The rest of a keep-alive may be on its way.
                [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r' | b'\n', ..] => {
                    let _ = self.buffer.split_to(1);
                }
                _ => return None,
            }
        }
    }
}

impl Iterator for Framer {
    type Item = Framed;

    fn next(&mut self) -> Option<Framed> {
        if self.length.is_none() {
            if let Some(ping) = self.skip_line_ends() {
                return Some(ping);
            }
            if self.broken || self.is_empty() {
                return None;
            }
            let Some((head_end, body)) = end_of_head_from(&self.buffer, self.searched) else {
                self.searched = self.buffer.len();
                return if self.buffer.len() > LARGEST { self.give_up(Fault::TooLong) } else { None };
            };
            let head = text::decode(self.buffer.get(..head_end).unwrap_or_default());
            let length = content_length(&head);
            match length {
                Ok(length) if body.saturating_add(length) > LARGEST => return self.give_up(Fault::TooLong),
                Ok(length) => self.length = Some(body + length),
                Err(fault) => return self.give_up(fault),
            }
        }
        let length = self.length.filter(|length| *length <= self.buffer.len())?;
        (self.length, self.searched) = (None, 0);
        Some(Framed::Message(self.buffer.split_to(length).freeze()))
    }
}

/// §20.14: over a stream it must be there, once, and be a number.
fn content_length(head: &str) -> Result<usize, Fault> {
    const NAME: &str = "Content-Length";
    let mut found = None;
    for line in Lines::new(head).skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if Field::by_name(name.trim()) != Some(Field::ContentLength) {
            continue;
        }
        let value = value.trim();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::Header(NAME, Malformed("it is not a number")));
        }
        // More digits than fit is more than is read.
        if found.replace(value.parse().unwrap_or(usize::MAX)).is_some() {
            return Err(Fault::Twice(NAME));
        }
    }
    found.ok_or(Fault::Missing(NAME))
}
