//! The index of recordings, read while a server runs, or when none does.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::entry::Entry;
use super::read::with_database;
use crate::ids::RecordingId;
use crate::record::{Recording, RecordingKind};

/// The latest messages that callers have left, newest first, at most `limit`; only those of `mailbox` where one is
/// given, and only those before `before`.
pub fn read_voicemails(
    data: &Path,
    mailbox: Option<&str>,
    before: Option<RecordingId>,
    limit: usize,
) -> Result<Vec<Recording>, StoreError> {
    with_database(data, async |connection, entries| {
        let mut found = stored(connection, mailbox, before, limit).await?;
        // What is in the spool only comes over what is in the database.
        for (_, entry) in entries {
            match entry {
                Entry::Recording(recording) if fits(&recording, mailbox, before) => {
                    found.insert(recording.recording_id, *recording);
                }
                Entry::RecordingDeleted { recording_id } => {
                    found.remove(&recording_id);
                }
                _ => {}
            }
        }
        Ok(found.into_values().rev().take(limit).collect())
    })
}

fn fits(recording: &Recording, mailbox: Option<&str>, before: Option<RecordingId>) -> bool {
    recording.kind == RecordingKind::Voicemail
        && mailbox.is_none_or(|mailbox| recording.mailbox.as_deref() == Some(mailbox))
        && before.is_none_or(|before| recording.recording_id < before)
}

/// Ids made later sort later, so their order is that of the messages.
async fn stored(
    connection: &mut SqliteConnection,
    mailbox: Option<&str>,
    before: Option<RecordingId>,
    limit: usize,
) -> Result<BTreeMap<RecordingId, Recording>, sqlx::Error> {
    let before = before.unwrap_or(RecordingId(u128::MAX));
    let rows = sqlx::query(
        "SELECT entry FROM recording
         WHERE kind = 'voicemail' AND started_ms <= ? AND recording_id < ? AND (? IS NULL OR mailbox = ?)
         ORDER BY started_ms DESC, recording_id DESC LIMIT ?",
    )
    .bind(before.unix_ms())
    .bind(before.to_string())
    .bind(mailbox)
    .bind(mailbox)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        if let Ok(recording) = serde_json::from_str::<Recording>(row.try_get(0)?) {
            found.insert(recording.recording_id, recording);
        }
    }
    Ok(found)
}
