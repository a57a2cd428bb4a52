//! Session descriptions that may be written down.

use bytes::Bytes;

/// The attributes that hold secrets, with what stands before them.
const SECRETS: [(&str, &str); 2] = [("a=crypto:", "inline:"), ("a=ice-pwd:", "")];

/// The description with other keys and passwords of the same length and form; `None` where it has none. What was agreed
/// by it can be followed, what was said under it cannot be heard.
pub fn hide_keys(sdp: &[u8]) -> Option<Bytes> {
    let mut hidden = Vec::new();
    let mut found = false;
    for line in sdp.split_inclusive(|octet| *octet == b'\n') {
        match secret(line) {
            Some(from) => {
                found = true;
                let (head, rest) = line.split_at(from);
                hidden.extend_from_slice(head);
                let mut covers = true;
                hidden.extend(rest.iter().map(|octet| {
                    // A key ends with its padding, a lifetime or the line.
                    covers &= octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
                    if covers { b'A' } else { *octet }
                }));
            }
            None => hidden.extend_from_slice(line),
        }
    }
    found.then(|| hidden.into())
}

/// Where in a line a secret begins.
fn secret(line: &[u8]) -> Option<usize> {
    let starts =
        |text: &[u8], with: &str| text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with.as_bytes()));
    let (attribute, before) = SECRETS.into_iter().find(|(attribute, _)| starts(line, attribute))?;
    let mut places = attribute.len()..=line.len().saturating_sub(before.len());
    let at = places.find(|at| line.get(*at..).is_some_and(|rest| starts(rest, before)))?;
    let rest = line.get(at + before.len()..)?;
    Some(at + before.len() + rest.iter().take_while(|octet| **octet == b' ').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_covered_and_the_rest_is_as_it_was() {
        let sdp = b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\n\
            A=ICE-PWD: asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\na=crypto:2 AEAD_AES_128_GCM INLINE:Zm9v+/==\na=x:inline:a";
        let hidden = hide_keys(sdp).unwrap();
        assert_eq!(
            hidden,
            &b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|2^20\r\n\
            A=ICE-PWD: AAAAAAAAAAAAAAAAAAAAAA\r\na=ice-ufrag:8hhY\r\na=crypto:2 AEAD_AES_128_GCM INLINE:AAAAAA==\na=x:inline:a"[..]
        );
    }

    #[test]
    fn a_description_without_secrets_is_left_alone() {
        for sdp in [&b""[..], b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=crypto:1 X\r\na=crypto", b"\n\n", b"a=crypto:"] {
            assert_eq!(hide_keys(sdp), None);
        }
    }
}
