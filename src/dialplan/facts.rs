//! What is known of a call when its plan begins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::caller::CallerFacts;
use crate::ids::{CallId, Language, TrunkId};

/// What is known of the call when its plan begins; conditions see it as `call.from`, `call.to`, …, `caller.value`, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub call_id: CallId,
    /// The caller's number; empty when withheld.
    pub from: String,
    /// The number dialled.
    pub to: String,
    pub trunk: Option<TrunkId>,
    /// The centre's language; a plan that names its own begins in that.
    pub language: Language,
    /// Headers of the INVITE, by their names in lower case; only where a plan asks for some ([`super::Plan::uses`]).
    pub headers: BTreeMap<String, String>,
    /// What history says of the caller. A run that begins before it is known is told by `Run::meet`.
    pub caller: CallerFacts,
    /// How long ago the earlier calls of this number came in, in seconds, the latest first.
    pub earlier_calls_s: Vec<u64>,
}

impl Facts {
    /// A header is kept up to so many bytes, and so many headers of a call.
    pub const LONGEST_HEADER: usize = 1_024;
    pub const MOST_HEADERS: usize = 64;

    /// Takes headers in: names in lower case, several of one name joined by `, `, credentials left out. What is longer
    /// than the bounds is cut.
    pub fn take_headers<'h>(&mut self, headers: impl IntoIterator<Item = (&'h str, &'h str)>) {
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "authorization" | "proxy-authorization") {
                continue;
            }
            if self.headers.len() >= Self::MOST_HEADERS && !self.headers.contains_key(&name) {
                continue;
            }
            let kept = self.headers.entry(name).or_default();
            if !kept.is_empty() {
                kept.push_str(", ");
            }
            kept.push_str(value);
            let mut end = kept.len().min(Self::LONGEST_HEADER);
            while !kept.is_char_boundary(end) {
                end -= 1;
            }
            kept.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            call_id: CallId(1),
            from: String::new(),
            to: "1".to_owned(),
            trunk: None,
            language: Language::from("en"),
            headers: BTreeMap::new(),
            caller: CallerFacts::default(),
            earlier_calls_s: Vec::new(),
        }
    }

    #[test]
    fn headers_are_bounded_and_without_credentials() {
        let mut facts = facts();
        let long = "é".repeat(40_000);
        facts.take_headers([
            ("X-Tier", "gold"),
            ("x-tier", "silver"),
            ("Authorization", "Digest …"),
            ("X-Long", &long),
        ]);
        assert_eq!(facts.headers["x-tier"], "gold, silver");
        assert_eq!(facts.headers["x-long"].len(), Facts::LONGEST_HEADER);
        assert!(!facts.headers.contains_key("authorization"));
        let many: Vec<String> = (0..500).map(|n| format!("x-{n}")).collect();
        facts.take_headers(many.iter().map(|name| (name.as_str(), "1")));
        assert_eq!(facts.headers.len(), Facts::MOST_HEADERS);
    }
}
