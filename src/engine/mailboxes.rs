//! Messages in their mailboxes, new ones and those that were listened to, and recordings that are held: what phones'
//! lamps and the end of a recording go by. The store has the index; this is the part of it that something is decided by.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::refusal;
use super::{Command, Engine, Journal, LogLevel};
use crate::ids::RecordingId;
use crate::record::KeptRecording;
use crate::time::Now;
use crate::views::{ApiError, Change};

/// Messages that are counted; beyond it the oldest of a mailbox is not, though it can be listened to as before.
const MOST: usize = 100_000;

/// How many messages a mailbox has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub fresh: usize,
    pub heard: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Mailbox {
    fresh: BTreeSet<RecordingId>,
    heard: BTreeSet<RecordingId>,
}

impl Mailbox {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.heard.is_empty()
    }

    fn remove(&mut self, message: RecordingId) -> bool {
        self.fresh.remove(&message) || self.heard.remove(&message)
    }

    fn forget_oldest(&mut self) -> bool {
        self.heard.pop_first().or_else(|| self.fresh.pop_first()).is_some()
    }
}

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Mailboxes {
    boxes: BTreeMap<String, Mailbox>,
    /// In all of them.
    messages: usize,
    held: BTreeSet<RecordingId>,
}

impl Mailboxes {
    pub fn has(&self, mailbox: &str) -> bool {
        self.boxes.contains_key(mailbox)
    }

    pub fn waiting(&self, mailbox: &str) -> Waiting {
        let counted = |mailbox: &Mailbox| Waiting { fresh: mailbox.fresh.len(), heard: mailbox.heard.len() };
        self.boxes.get(mailbox).map(counted).unwrap_or_default()
    }

    pub fn is_held(&self, recording: RecordingId) -> bool {
        self.held.contains(&recording)
    }

    fn add(&mut self, mailbox: &str, message: RecordingId, heard: bool) {
        let entry = self.boxes.entry(mailbox.to_owned()).or_default();
        if entry.remove(message) || (self.messages >= MOST && entry.forget_oldest()) {
            self.messages -= 1;
        }
        if self.messages < MOST {
            let side = if heard { &mut entry.heard } else { &mut entry.fresh };
            side.insert(message);
            self.messages += 1;
        } else if entry.is_empty() {
            self.boxes.remove(mailbox);
        }
    }

    /// The mailbox that a message is in.
    fn of(&self, message: RecordingId) -> Option<&str> {
        let found =
            self.boxes.iter().find(|(_, entry)| entry.fresh.contains(&message) || entry.heard.contains(&message));
        found.map(|(mailbox, _)| mailbox.as_str())
    }

    /// Takes it out; gives the mailbox it was in.
    fn remove(&mut self, message: RecordingId) -> Option<String> {
        let mailbox = self.of(message)?.to_owned();
        let entry = self.boxes.get_mut(&mailbox)?;
        if entry.remove(message) {
            self.messages -= 1;
        }
        if entry.is_empty() {
            self.boxes.remove(&mailbox);
        }
        Some(mailbox)
    }

    /// `true` where that is news.
    fn hold(&mut self, recording: RecordingId, held: bool) -> bool {
        if held { self.held.insert(recording) } else { self.held.remove(&recording) }
    }
}

impl Engine {
    /// What an earlier process kept.
    pub(super) fn kept(&mut self, recordings: Vec<KeptRecording>) {
        for kept in recordings {
            if let Some(mailbox) = &kept.mailbox {
                self.mailboxes.add(mailbox, kept.recording_id, kept.heard);
            }
            if kept.held {
                self.mailboxes.hold(kept.recording_id, true);
            }
        }
    }

    /// A message has been left.
    pub(super) fn message_came(&mut self, mailbox: &str, message: RecordingId, now: Now) {
        self.mailboxes.add(mailbox, message, false);
        self.light_mailbox(mailbox, now);
    }

    /// A recording is deleted; it may have been a message.
    pub(super) fn message_gone(&mut self, recording: RecordingId, now: Now) {
        self.mailboxes.hold(recording, false);
        if let Some(mailbox) = self.mailboxes.remove(recording) {
            self.light_mailbox(&mailbox, now);
        }
    }

    /// A message was listened to, or is to count as new again; a recording is to be held, or no longer. What is so
    /// already is no news.
    pub(super) fn note_recording(
        &mut self,
        recording: RecordingId,
        heard: Option<bool>,
        held: Option<bool>,
        by: &str,
        now: Now,
    ) -> Result<Value, ApiError> {
        let mailbox = self.mailboxes.of(recording).map(str::to_owned);
        if self.tapes.contains_key(&recording) {
            let message =
                format!("recording {recording} belongs to a call that is still up; come back when that has ended");
            return Err(refusal(409, "recording_open", message));
        }
        if heard.is_some() && mailbox.is_none() {
            let message = format!("recording {recording} is no message, so that nobody waits for it to be heard");
            return Err(refusal(409, "no_message", message));
        }
        let heard = heard.filter(|heard| self.is_heard(recording) != *heard);
        if let Some((mailbox, heard)) = mailbox.as_deref().zip(heard) {
            self.mailboxes.add(mailbox, recording, heard);
            self.light_mailbox(mailbox, now);
        }
        let held = held.filter(|held| self.mailboxes.hold(recording, *held));
        if let Some(held) = held {
            let what = if held { "held" } else { "held no longer" };
            self.log(LogLevel::Info, format!("recording {recording} is {what} by {by}"));
        }
        if heard.is_some() || held.is_some() {
            self.journal(Journal::RecordingNoted { recording, heard, held });
            self.commands.push_back(Command::Publish(Change::RecordingNoted { recording_id: recording, heard, held }));
        }
        let (heard, held) = (self.is_heard(recording), self.mailboxes.is_held(recording));
        Ok(json!({ "recording_id": recording, "heard": heard, "held": held }))
    }

    fn is_heard(&self, recording: RecordingId) -> bool {
        self.mailboxes.boxes.values().any(|entry| entry.heard.contains(&recording))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> RecordingId {
        RecordingId::new(1_764_328_000_000, number)
    }

    #[test]
    fn a_message_is_in_one_mailbox_once_and_an_empty_one_is_forgotten() {
        let mut boxes = Mailboxes::default();
        for number in 0..3 {
            boxes.add("sales", id(number), false);
        }
        boxes.add("sales", id(1), true);
        assert_eq!((boxes.waiting("sales"), boxes.messages), (Waiting { fresh: 2, heard: 1 }, 3));
        assert_eq!(boxes.waiting("support"), Waiting::default());
        assert_eq!(boxes.remove(id(9)), None);
        for number in 0..3 {
            assert_eq!(boxes.remove(id(number)).as_deref(), Some("sales"));
        }
        assert!(!boxes.has("sales") && boxes.messages == 0);
    }

    #[test]
    fn beyond_the_bound_the_oldest_that_were_heard_are_not_counted() {
        let mut boxes = Mailboxes::default();
        for number in 0..MOST as u128 {
            boxes.add("sales", id(number), number % 2 == 0);
        }
        boxes.add("sales", id(u128::MAX), false);
        assert_eq!(boxes.waiting("sales"), Waiting { fresh: MOST / 2 + 1, heard: MOST / 2 - 1 });
        boxes.add("support", id(1), false);
        assert!(!boxes.has("support") && boxes.messages == MOST);
    }
}
