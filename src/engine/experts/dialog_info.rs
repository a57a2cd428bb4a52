//! Dialog-info (RFC 4235): which calls a line has, told whole or as changes, numbered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::xml::{self, Unreadable};

/// Calls of one line at once; a document with more is refused.
const MOST_DIALOGS: usize = 256;
/// The longest id of a dialog that is kept, in bytes.
const LONGEST_ID: usize = 256;

/// The calls of a line, as its notifier tells them within one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Line {
    /// Of the last document taken; `None` before the first.
    version: Option<u32>,
    /// Ids of the dialogs that are not over.
    dialogs: BTreeSet<String>,
}

/// What a document was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Taken {
    /// The line is now known: busy or idle.
    Known { busy: bool },
    /// It is older than what is known.
    Old,
    /// Changes before it are missing: the whole has to be asked for.
    Gap,
}

impl Line {
    /// Takes a document. RFC 4235 §4.3: one with a lower version is discarded; changes (`partial`) build on the version just
    /// before, and where that is not the one known, "the subscriber […] SHOULD generate a refresh request".
    pub fn take(&mut self, body: &[u8]) -> Result<Taken, Unreadable> {
        let document = xml::parse(body)?;
        let root = document.root_element();
        if !xml::is(&root, "dialog-info") {
            return Err(Unreadable::OtherRoot("dialog-info"));
        }
        let version: u32 =
            root.attribute("version").and_then(|text| text.trim().parse().ok()).ok_or(Unreadable::NoVersion)?;
        let full = match root.attribute("state").map(str::trim) {
            Some("full") => true,
            Some("partial") => false,
            _ => return Err(Unreadable::NoVersion),
        };
        match self.version {
            // The NOTIFYs come in the order of their CSeq, so that one told twice by a device that does not count is the news.
            Some(known) if version < known || (version == known && !full) => return Ok(Taken::Old),
            Some(known) if !full && version - known > 1 => return Ok(Taken::Gap),
            None if !full => return Ok(Taken::Gap),
            _ => {}
        }
        let mut dialogs = if full { BTreeSet::new() } else { self.dialogs.clone() };
        for dialog in root.children().filter(|node| xml::is(node, "dialog")) {
            let id = dialog.attribute("id").unwrap_or_default();
            if id.len() > LONGEST_ID {
                return Err(Unreadable::TooLarge);
            }
            let state = dialog.children().find(|node| xml::is(node, "state")).map(xml::text);
            // One without a state is there; what rings takes the phone as well.
            if state.as_deref() == Some("terminated") {
                dialogs.remove(id);
            } else {
                dialogs.insert(id.to_owned());
            }
        }
        if dialogs.len() > MOST_DIALOGS {
            return Err(Unreadable::TooLarge);
        }
        (self.version, self.dialogs) = (Some(version), dialogs);
        Ok(Taken::Known { busy: !self.dialogs.is_empty() })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn document(version: u32, state: &str, dialogs: &[(&str, &str)]) -> String {
        let inner: String =
            dialogs.iter().map(|(id, state)| format!("<dialog id=\"{id}\"><state>{state}</state></dialog>")).collect();
        format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"{state}\" entity=\"sip:301@example.com\">{inner}</dialog-info>"
        )
    }

    const BUSY: Result<Taken, Unreadable> = Ok(Taken::Known { busy: true });
    const IDLE: Result<Taken, Unreadable> = Ok(Taken::Known { busy: false });

    #[test]
    fn a_line_follows_whole_documents_and_changes_by_their_numbers() {
        let mut line = Line::default();
        let mut told =
            |version, state, dialogs: &[(&str, &str)]| line.take(document(version, state, dialogs).as_bytes());
        assert_eq!(told(3, "partial", &[("a", "confirmed")]), Ok(Taken::Gap), "nothing whole came before");
        assert_eq!(told(4, "full", &[]), IDLE);
        assert_eq!(told(5, "partial", &[("a", "early")]), BUSY, "it rings");
        assert_eq!(told(6, "partial", &[("b", "trying")]), BUSY);
        assert_eq!(told(7, "partial", &[("a", "terminated")]), BUSY, "b goes on");
        assert_eq!(told(7, "partial", &[("b", "terminated")]), Ok(Taken::Old));
        assert_eq!(told(9, "partial", &[("b", "terminated")]), Ok(Taken::Gap));
        assert_eq!(told(8, "partial", &[("b", "terminated")]), IDLE);
        assert_eq!(told(2, "full", &[("c", "confirmed")]), Ok(Taken::Old));
        assert_eq!(told(20, "full", &[("c", "confirmed"), ("d", "terminated")]), BUSY, "a gap before a whole is none");
        assert_eq!(told(20, "full", &[]), IDLE, "from a device that does not count");
        assert_eq!(told(u32::MAX, "full", &[]), IDLE);
    }

    #[test]
    fn what_cannot_be_taken_changes_nothing() {
        let mut line = Line::default();
        assert_eq!(line.take(document(1, "full", &[("a", "confirmed")]).as_bytes()), BUSY);
        let before = line.clone();
        let ids: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "early")).collect();
        for (body, why) in [
            (String::new(), Unreadable::Malformed),
            ("<presence/>".to_owned(), Unreadable::OtherRoot("dialog-info")),
            ("<dialog-info state='full'/>".to_owned(), Unreadable::NoVersion),
            ("<dialog-info version='2'/>".to_owned(), Unreadable::NoVersion),
            ("<dialog-info version='-2' state='full'/>".to_owned(), Unreadable::NoVersion),
            ("<dialog-info version='4294967296' state='full'/>".to_owned(), Unreadable::NoVersion),
            (document(2, "full", &many), Unreadable::TooLarge),
            (document(2, "full", &[(&"x".repeat(300), "early")]), Unreadable::TooLarge),
        ] {
            assert_eq!(line.take(body.as_bytes()), Err(why), "{body:.80}");
            assert_eq!(line, before);
        }
    }

    /// Bytes changed, cut out and doubled: every outcome is a value, whatever comes.
    #[test]
    fn no_mutation_of_a_document_is_more_than_refused() {
        let seed = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_128);
        println!("RELAIS_SEED={seed}");
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut below = |most: usize| usize::try_from(rng.next_u32()).unwrap() % most.max(1);
        let pidf = "<presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple id='a'><status><basic>open</basic></status>\
                    </tuple><person><activities><away/></activities></person></presence>";
        let whole = document(7, "full", &[("a", "confirmed"), ("b", "terminated")]);
        let changes = document(8, "partial", &[("a", "terminated")]);
        let (mut read, mut refused) = (0, 0);
        for round in 0..30_000 {
            let mut line = Line::default();
            line.take(whole.as_bytes()).unwrap();
            let mut bytes = [pidf, &whole, &changes][round % 3].as_bytes().to_vec();
            for _ in 0..=below(4) {
                let (at, to) = (below(bytes.len()), below(bytes.len()));
                match below(4) {
                    0 => bytes[at] = u8::try_from(below(256)).unwrap(),
                    1 => drop(bytes.drain(at.min(to)..at.max(to))),
                    2 => bytes.insert(at, b"<>&'\"/=;! "[below(10)]),
                    _ => bytes.extend_from_within(at.min(to)..at.max(to)),
                }
                if bytes.is_empty() {
                    bytes.push(b'<');
                }
            }
            let outcomes = [line.take(&bytes).is_ok(), super::super::pidf::read(&bytes).is_ok()];
            read += outcomes.iter().filter(|ok| **ok).count();
            refused += outcomes.iter().filter(|ok| !**ok).count();
            assert!(line.dialogs.len() <= MOST_DIALOGS);
        }
        assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
    }
}
