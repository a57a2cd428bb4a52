//! Messages out of a byte stream (RFC 3261 §18.3): Content-Length says where each ends.

use bytes::{Buf, Bytes, BytesMut};

use super::{LARGEST, Message};

/// What was found in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    Message(Bytes),
    /// CRLF CRLF between messages: answer with one CRLF (RFC 5626 §3.5.1).
    Ping,
    /// Where the next message begins cannot be known: send the refusal if there is one, and close.
    Broken(Option<Bytes>),
}

/// Holds what has come of a message that is not whole yet; never more than one message may be long.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    broken: bool,
}

impl Framer {
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Nothing of a message has come.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole message. After `Broken` nothing more comes: what follows is never read as a message.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Framed> {
        if self.broken {
            return None;
        }
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Some(Framed::Ping);
        }
        // A single CRLF between messages is nothing; the first half of a ping is waited for.
        while self.buffer.len() > 2 && self.buffer.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(&self.buffer) {
            self.buffer.advance(2);
        }
        let Some(head) = head_length(&self.buffer) else {
            return (self.buffer.len() > LARGEST).then(|| self.fail(None));
        };
        let whole = match content_length(self.buffer.get(..head).unwrap_or_default()) {
            Ok(body) => head.saturating_add(body),
            Err(()) => {
                let refusal =
                    Message::parse(self.buffer.get(..head).unwrap_or_default()).err().and_then(|e| e.refusal());
                return Some(self.fail(refusal));
            }
        };
        if whole > LARGEST {
            return Some(self.fail(None));
        }
        (self.buffer.len() >= whole).then(|| Framed::Message(self.buffer.split_to(whole).freeze()))
    }

    fn fail(&mut self, refusal: Option<Bytes>) -> Framed {
        self.broken = true;
        self.buffer.clear();
        Framed::Broken(refusal)
    }
}

/// The length of the head with its empty line, once that has come.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        let line = bytes.get(at..end)?;
        if line.is_empty() || line == b"\r" {
            if at > 0 {
                return Some(end + 1);
            }
        }
        at = end + 1;
    }
}

/// The one Content-Length of a head. In a stream it must be there (RFC 3261 §20.14).
fn content_length(head: &[u8]) -> Result<usize, ()> {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii_end();
        if name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l") {
            let value = std::str::from_utf8(value.get(1..).unwrap_or_default()).map_err(|_| ())?.trim();
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let length = digits.then(|| value.parse::<usize>().ok()).flatten().ok_or(())?;
            if found.replace(length).is_some() {
                return Err(());
            }
        }
    }
    found.ok_or(())
}
