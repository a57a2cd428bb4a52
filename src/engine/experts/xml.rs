//! XML that a stranger sent: no DTD and so no entities of its own, no more than so many bytes, nodes and attributes.

use roxmltree::{Document, Node, ParsingOptions};

/// The longest document that is read, in bytes.
const LARGEST: usize = 32_768;
const MOST_NODES: u32 = 4_000;
/// Attributes of one element are compared with each other, so their number is bounded before.
const MOST_EQUALS: usize = 4_000;

/// Why a body says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum Unreadable {
    #[error("it is longer than {LARGEST} bytes, or has more than {MOST_NODES} nodes")]
    TooLarge,
    #[error("it is no well-formed XML in UTF-8 without a DTD")]
    Malformed,
    #[error("it is no {0} document")]
    OtherRoot(&'static str),
    #[error("its version or state is missing or wrong")]
    NoVersion,
}

pub(super) fn parse(body: &[u8]) -> Result<Document<'_>, Unreadable> {
    if body.len() > LARGEST || body.iter().filter(|byte| **byte == b'=').count() > MOST_EQUALS {
        return Err(Unreadable::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::Malformed)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text.trim_start_matches('\u{feff}').trim(), options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => Unreadable::TooLarge,
        _ => Unreadable::Malformed,
    })
}

/// Names are compared without their namespaces: telephony writes those of three generations of drafts.
pub(super) fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

pub(super) fn text(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hostile_is_refused_and_nothing_is_expanded() {
        let deep = format!("{}{}", "<a>".repeat(3_000), "</a>".repeat(3_000));
        assert!(parse(deep.as_bytes()).is_ok(), "deep, and within the bounds");
        let many = format!("<a>{}</a>", "<b/>".repeat(5_000));
        for (body, why) in [
            (many, Unreadable::TooLarge),
            (format!("<a{}/>", " b=''".repeat(5_000)), Unreadable::TooLarge),
            (format!("<a>{}</a>", "x".repeat(40_000)), Unreadable::TooLarge),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(), Unreadable::Malformed),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".to_owned(), Unreadable::Malformed),
            ("<a>&lol;</a>".to_owned(), Unreadable::Malformed),
            ("<a><b></a></b>".to_owned(), Unreadable::Malformed),
            (String::new(), Unreadable::Malformed),
            ("free".to_owned(), Unreadable::Malformed),
        ] {
            assert_eq!(parse(body.as_bytes()).err(), Some(why), "{:.60}", body);
        }
        assert_eq!(parse(b"<a>\xff</a>").err(), Some(Unreadable::Malformed));
    }
}
