//! PIDF (RFC 3863) with RPID's activities (RFC 4480): what a presence document says of one person.

use super::xml::{self, Unreadable};
use crate::views::Presence;

/// RPID §3.2: what takes a person's time and ear.
const BUSY: &[&str] = &[
    "on-the-phone",
    "busy",
    "meeting",
    "presentation",
    "appointment",
    "performance",
    "worship",
    // Not of the RFC, but written by telephony.
    "dnd",
    "do-not-disturb",
    "in-a-call",
];
/// And what takes them from their place.
const AWAY: &[&str] = &[
    "away",
    "vacation",
    "holiday",
    "sleeping",
    "permanent-absence",
    "travel",
    "in-transit",
    "steering",
    "meal",
    "breakfast",
    "dinner",
    "shopping",
    "playing",
    "tv",
    // Not of the RFC.
    "lunch",
    "be-right-back",
    "brb",
];

/// What the document says; `None` where it says nothing: no status, no activity that is known.
///
/// A tuple is one way to reach the person, and one that is open is enough. An activity makes an open one busy or away; of
/// several the one counts that keeps the person furthest from the phone. Where all are closed the person is offline, if
/// not on the phone.
pub(in super::super) fn read(body: &[u8]) -> Result<Option<Presence>, Unreadable> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let document = xml::parse(body)?;
    let root = document.root_element();
    if !xml::is(&root, "presence") {
        return Err(Unreadable::OtherRoot("presence"));
    }
    let basics = root.descendants().filter(|node| xml::is(node, "basic")).map(xml::text);
    let open = basics.filter_map(|basic| match basic.as_str() {
        "open" => Some(Presence::Free),
        "closed" => Some(Presence::Offline),
        _ => None,
    });
    let basic = open.min_by_key(|presence| presence.distance());
    let named = root.descendants().filter(|node| xml::is(node, "activities")).flat_map(|node| node.children());
    let activities = named.filter(roxmltree::Node::is_element).filter_map(|node| {
        let name = node.tag_name().name().to_ascii_lowercase();
        let listed = |names: &[&str]| names.contains(&name.as_str());
        match (listed(BUSY), listed(AWAY)) {
            (true, _) => Some(Presence::Busy),
            (_, true) => Some(Presence::Away),
            _ => None,
        }
    });
    Ok(activities.chain(basic).max_by_key(|presence| presence.distance()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(tuples: &str, activities: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
             entity=\"sip:301@example.com\">{tuples}<dm:person id=\"p\"><rpid:activities>{activities}</rpid:activities>\
             </dm:person></presence>"
        )
    }

    const OPEN: &str = "<tuple id='a'><status><basic> open </basic></status></tuple>";
    const CLOSED: &str = "<tuple id='b'><status><basic>closed</basic></status></tuple>";

    #[test]
    fn a_presence_document_becomes_one_word() {
        for (tuples, activities, wanted) in [
            (OPEN, "", Some(Presence::Free)),
            (CLOSED, "", Some(Presence::Offline)),
            (&format!("{CLOSED}{OPEN}"), "", Some(Presence::Free)),
            (OPEN, "<rpid:away/>", Some(Presence::Away)),
            (OPEN, "<rpid:on-the-phone/>", Some(Presence::Busy)),
            (OPEN, "<rpid:meal/><rpid:meeting/>", Some(Presence::Busy)),
            (OPEN, "<rpid:working/>", Some(Presence::Free)),
            (OPEN, "<rpid:unknown/>", Some(Presence::Free)),
            (CLOSED, "<rpid:away/>", Some(Presence::Offline)),
            (CLOSED, "<rpid:on-the-phone/>", Some(Presence::Busy)),
            ("", "<rpid:vacation/>", Some(Presence::Away)),
            ("", "", None),
            ("<tuple id='a'><status/></tuple>", "", None),
            ("<tuple id='a'><status><basic>perhaps</basic></status></tuple>", "", None),
        ] {
            assert_eq!(read(document(tuples, activities).as_bytes()), Ok(wanted), "{tuples} {activities}");
        }
    }

    #[test]
    fn what_is_no_presence_document_says_so_and_an_empty_body_says_nothing() {
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(b" \r\n"), Ok(None));
        assert_eq!(read(b"<dialog-info/>"), Err(Unreadable::OtherRoot("presence")));
        assert_eq!(read(b"<presence>"), Err(Unreadable::Malformed));
    }

    #[test]
    fn an_activity_elsewhere_or_in_words_counts_for_nothing() {
        let note = "<tuple id='a'><status><basic>open</basic></status><note>busy</note><away/></tuple>";
        assert_eq!(read(document(note, "").as_bytes()), Ok(Some(Presence::Free)));
    }
}
