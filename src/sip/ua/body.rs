//! Bodies: a session description stands alone or inside a multipart (RFC 3261 §7.4, RFC 5621).

use bytes::Bytes;

use crate::sip::message::Headers;

/// What a message's body is to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Sdp(Bytes),
    /// Of a type we do not read, and not optional: 415.
    Unsupported,
}

/// Parts of a multipart that are looked at.
const MAX_PARTS: usize = 16;

pub(super) fn of(headers: &Headers, body: &Bytes) -> Body {
    if body.is_empty() {
        return Body::None;
    }
    // RFC 3261 §20.11, §8.2.3: "handling=optional" may be ignored, an encoding we do not know may not.
    let optional = headers.get("Content-Disposition").is_some_and(is_optional);
    let encoded = headers.get("Content-Encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"));
    let Some(kind) = headers.get("Content-Type") else { return Body::Unsupported };
    let found = if encoded { None } else { sdp_in(kind, body) };
    match found {
        Some(sdp) => Body::Sdp(sdp),
        None if optional => Body::None,
        None => Body::Unsupported,
    }
}

fn sdp_in(kind: &str, body: &Bytes) -> Option<Bytes> {
    let outer = media_type(kind);
    if outer.eq_ignore_ascii_case("application/sdp") {
        return Some(body.clone());
    }
    let multipart = outer.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
    if !multipart {
        return None;
    }
    parts(body, &boundary(kind)?).into_iter().find_map(|part| {
        let (head, content) = split_head(&part)?;
        let kind = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.trim();
            (name.eq_ignore_ascii_case("Content-Type") || name.eq_ignore_ascii_case("c")).then_some(value)
        })?;
        media_type(kind).eq_ignore_ascii_case("application/sdp").then_some(content)
    })
}

fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or("").trim()
}

fn is_optional(disposition: &str) -> bool {
    disposition.split(';').skip(1).any(|param| {
        param.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("handling") && value.trim().eq_ignore_ascii_case("optional")
        })
    })
}

fn boundary(kind: &str) -> Option<String> {
    kind.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty() && value.len() <= 70)
            .then(|| format!("--{value}"))
    })
}

/// RFC 2046 §5.1.1: the parts between delimiter lines.
fn parts(body: &Bytes, delimiter: &str) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut begin: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        let delimits = line
            .strip_prefix(delimiter.as_bytes())
            .is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'-'));
        if delimits {
            if let Some(begin) = begin.filter(|begin| *begin <= at) {
                parts.push(without_last_line_end(body.slice(begin..at)));
            }
            begin = Some(end);
            if parts.len() >= MAX_PARTS {
                break;
            }
        }
        at = end;
    }
    parts
}

/// The line end before a delimiter belongs to the delimiter; SDP wants its own, so it keeps one.
fn without_last_line_end(part: Bytes) -> Bytes {
    if part.ends_with(b"\r\n\r\n") { part.slice(..part.len() - 2) } else { part }
}

/// The header lines of a part, and its content.
fn split_head(part: &Bytes) -> Option<(String, Bytes)> {
    let (at, gap) = [&b"\r\n\r\n"[..], b"\n\n"]
        .into_iter()
        .find_map(|gap| part.windows(gap.len()).position(|window| window == gap).map(|at| (at, gap.len())))?;
    let head = String::from_utf8_lossy(part.get(..at)?).into_owned();
    Some((head, part.slice((at + gap).min(part.len())..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], body: &'static str) -> Body {
        of(
            &Headers::from_pairs(pairs.iter().map(|(name, value)| (*name, *value))),
            &Bytes::from_static(body.as_bytes()),
        )
    }

    #[test]
    fn sdp_is_found_alone_or_in_a_multipart_in_either_line_end() {
        let sdp = Body::Sdp(Bytes::from_static(b"v=0\r\n"));
        assert_eq!(read(&[("Content-Type", "Application/SDP; charset=x")], "v=0\r\n"), sdp);
        let kind = [("Content-Type", "multipart/mixed; boundary=\"b 1\"")];
        let body = "preamble\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nx\r\n--b 1\r\n\
                    content-type:application/sdp\r\nX: y\r\n\r\nv=0\r\n\r\n--b 1--\r\n";
        assert_eq!(read(&kind, body), sdp);
        let body = "--b 1\nContent-Type: application/sdp\n\nv=0\n--b 1--";
        assert_eq!(read(&kind, body), Body::Sdp(Bytes::from_static(b"v=0\n")));
    }

    #[test]
    fn what_cannot_be_read_is_refused_unless_it_is_optional() {
        assert_eq!(read(&[], ""), Body::None);
        assert_eq!(read(&[], "v=0"), Body::Unsupported);
        let kind = ("Content-Type", "text/plain");
        assert_eq!(read(&[kind], "x"), Body::Unsupported);
        assert_eq!(read(&[kind, ("Content-Disposition", "render; handling=optional")], "x"), Body::None);
        let sdp = ("Content-Type", "application/sdp");
        assert_eq!(read(&[sdp, ("Content-Encoding", "gzip")], "x"), Body::Unsupported);
        let multipart = ("Content-Type", "multipart/mixed;boundary=x");
        for broken in ["--x", "--x\r\n", "--x\r\n--x--", "--x\r\nContent-Type: application/sdp\r\n--x--", "x"] {
            assert_eq!(read(&[multipart], broken), Body::Unsupported, "{broken}");
        }
        assert_eq!(read(&[("Content-Type", "multipart/mixed")], "--\r\n"), Body::Unsupported);
    }
}
