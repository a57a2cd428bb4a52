//! What is known of an expert from each source, and what that comes to.

use serde::{Deserialize, Serialize};

use crate::time::{Now, Wall};
use crate::views::{ExpertSource, Presence};

/// What a source said last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub presence: Presence,
    pub at: Wall,
}

/// How one event package stands at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    /// The far end does not offer it, or not to us: nothing is missing.
    Refused,
    /// It has not been granted yet, or was lost: what it would say is missing.
    Missing,
    /// Granted; `None` where it says nothing of the expert.
    Live(Option<Word>),
}

/// Everything known of one expert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Knowledge {
    pub presence: Standing,
    pub dialog: Standing,
    /// By `POST /experts/{id}/presence`, until it is stale.
    pub told: Option<Word>,
    /// By OPTIONS.
    pub options: Option<Word>,
    /// When anything was said last, also if it counts no more.
    pub last_word: Option<Wall>,
    /// The far end has granted a package at least once: what is missing now is a voice that was there.
    pub granted: bool,
}

/// What it all comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub presence: Presence,
    /// Who decided; `None` where nobody said anything.
    pub source: Option<ExpertSource>,
    pub at: Option<Wall>,
}

impl Knowledge {
    /// Nothing is known, and nothing is missing where nothing is subscribed to.
    pub fn none(subscribes: bool) -> Knowledge {
        let standing = if subscribes { Standing::Missing } else { Standing::Refused };
        Knowledge { presence: standing, dialog: standing, told: None, options: None, last_word: None, granted: false }
    }

    pub fn word(&mut self, presence: Presence, now: Now) -> Word {
        if presence != Presence::Unknown {
            self.last_word = Some(now.wall);
        }
        Word { presence, at: now.wall }
    }

    /// Of what `presence`, `dialog` and the API say now, the one counts that keeps the expert furthest from the phone: busy,
    /// then offline, then away, then free. So a busy line wins over everything, and an idle one hides nothing.
    ///
    /// Free needs every package that the far end offers: while one is missing, what it would say might be otherwise. What
    /// OPTIONS tells counts where nothing else does, and is never free: a phone answers 200 in the middle of a call as well.
    pub fn verdict(&self) -> Verdict {
        let live = |standing: Standing| match standing {
            Standing::Live(word) => word,
            Standing::Refused | Standing::Missing => None,
        };
        let said = [
            (live(self.dialog), ExpertSource::Dialog),
            (live(self.presence), ExpertSource::Presence),
            (self.told, ExpertSource::Api),
        ];
        let said = said.into_iter().filter_map(|(word, source)| Some((word?, source)));
        // Of equals the first: a line that is busy is seen, a person's word is told.
        let worst = said.rev().max_by_key(|(word, _)| word.presence.distance());
        let missing = self.presence == Standing::Missing || self.dialog == Standing::Missing;
        let worst = worst.filter(|(word, source)| {
            // A telephony that never granted anything has no other voice than the API.
            let alone = *source == ExpertSource::Api && !self.granted;
            word.presence != Presence::Free || !missing || alone
        });
        match worst.or(self.options.map(|word| (word, ExpertSource::Options))) {
            Some((word, source)) => Verdict { presence: word.presence, source: Some(source), at: Some(word.at) },
            None => Verdict { presence: Presence::Unknown, source: None, at: self.last_word },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    fn now() -> Now {
        Now { instant: Instant(1), wall: "2026-11-28T10:00:00Z".parse().unwrap() }
    }

    fn word(presence: Presence) -> Word {
        Word { presence, at: now().wall }
    }

    #[test]
    fn the_rule_that_combines_what_sources_say() {
        use ExpertSource as By;
        use Presence::*;
        use Standing::*;
        let says = |presence| Live(Some(word(presence)));
        // Presence, dialog, told by the API, OPTIONS; what it comes to, and by whom.
        let table = [
            (says(Free), says(Free), None, None, Free, Some(By::Dialog)),
            (says(Away), says(Free), None, None, Away, Some(By::Presence)),
            (says(Offline), says(Free), None, None, Offline, Some(By::Presence)),
            (says(Away), says(Busy), None, None, Busy, Some(By::Dialog)),
            (says(Free), says(Busy), None, None, Busy, Some(By::Dialog)),
            (says(Busy), says(Free), None, None, Busy, Some(By::Presence)),
            (Refused, says(Free), None, None, Free, Some(By::Dialog)),
            (says(Free), Refused, None, None, Free, Some(By::Presence)),
            // One that is missing might say otherwise; one that is granted and says nothing does not.
            (Missing, says(Free), None, None, Unknown, None),
            (says(Free), Missing, None, None, Unknown, None),
            (Missing, says(Busy), None, None, Busy, Some(By::Dialog)),
            (Live(None), says(Free), None, None, Free, Some(By::Dialog)),
            (Live(None), Live(None), None, None, Unknown, None),
            (Missing, Missing, None, None, Unknown, None),
            // The API beside them, and alone.
            (says(Free), says(Free), Some(Busy), None, Busy, Some(By::Api)),
            (says(Away), Refused, Some(Free), None, Away, Some(By::Presence)),
            (Refused, Refused, Some(Free), None, Free, Some(By::Api)),
            (Missing, Missing, Some(Free), None, Free, Some(By::Api)),
            (Missing, says(Free), Some(Free), None, Unknown, None),
            // OPTIONS where nothing else says anything.
            (Refused, Refused, None, Some(Unknown), Unknown, Some(By::Options)),
            (Refused, Refused, None, Some(Busy), Busy, Some(By::Options)),
            (says(Free), Refused, None, Some(Busy), Free, Some(By::Presence)),
            (Refused, Refused, None, None, Unknown, None),
        ];
        for (presence, dialog, told, options, wanted, by) in table {
            let (told, options) = (told.map(word), options.map(word));
            let granted = [presence, dialog].iter().any(|standing| matches!(standing, Live(_)));
            let known = Knowledge { presence, dialog, told, options, last_word: None, granted };
            let verdict = known.verdict();
            assert_eq!((verdict.presence, verdict.source), (wanted, by), "{known:?}");
        }
    }

    #[test]
    fn the_api_alone_frees_nobody_whose_telephony_was_heard_and_is_lost() {
        let told = Some(word(Presence::Free));
        let lost = Knowledge { told, granted: true, ..Knowledge::none(true) };
        assert_eq!(lost.verdict().presence, Presence::Unknown);
        let never_heard = Knowledge { granted: false, ..lost };
        assert_eq!(never_heard.verdict().presence, Presence::Free);
    }

    #[test]
    fn what_is_unknown_tells_how_old_the_last_word_is() {
        let mut known = Knowledge::none(true);
        assert_eq!(known.verdict().at, None);
        known.presence = Standing::Live(Some(known.clone().word(Presence::Free, now())));
        known.word(Presence::Free, now());
        known.presence = Standing::Missing;
        assert_eq!((known.verdict().presence, known.verdict().at), (Presence::Unknown, Some(now().wall)));
    }
}
