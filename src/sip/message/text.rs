//! Bytes as text and back without loss. SIP is UTF-8 (RFC 3261 §7), yet phones send Latin-1 in display names. A byte that
//! is not UTF-8 becomes a private-use character and is written back as that byte.

use std::borrow::Cow;

/// Byte `b` (0x80–0xFF) stands at `BASE + b`. When one of these characters really is on the wire its own bytes are mapped
/// one by one, so that the way back is exact.
const BASE: u32 = 0x10_F700;
/// First byte of the UTF-8 form of every character that stands for a byte.
const LEAD: u8 = 0xF4;

pub(super) fn stands_for_a_byte(c: char) -> Option<u8> {
    let offset = u32::from(c).checked_sub(BASE)?;
    u8::try_from(offset).ok().filter(|byte| *byte >= 0x80)
}

fn push_byte(out: &mut String, byte: u8) {
    out.push(char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER));
}

pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&LEAD) => Cow::Borrowed(text),
        _ => Cow::Owned(decode_odd(bytes)),
    }
}

fn decode_odd(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if stands_for_a_byte(c).is_some() {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(&mut out, byte));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut out, *byte));
    }
    out
}

pub(super) fn encode(text: String) -> Vec<u8> {
    if !text.as_bytes().contains(&LEAD) {
        return text.into_bytes();
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stands_for_a_byte(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(encode(decode(&all).into_owned()), all);
    }

    #[test]
    fn a_character_that_stands_for_a_byte_comes_back_as_itself_when_it_was_sent() {
        let sent = "a\u{10F7E9}b\u{10F700}é\u{10FFFF}".as_bytes();
        assert_eq!(encode(decode(sent).into_owned()), sent);
    }

    #[test]
    fn plain_utf_8_is_not_copied() {
        assert!(matches!(decode("Zoë <sip:zoe@example.com>".as_bytes()), Cow::Borrowed(_)));
    }
}
