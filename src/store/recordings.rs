//! The index of recordings: written with the records of calls, read while a server runs, or when none does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::entry::Entry;
use super::read::with_database;
use crate::ids::{CallId, RecordingId};
use crate::record::{Recording, RecordingKind, SurveyAnswer};

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

/// What is known of a recording now.
pub(super) async fn put(connection: &mut SqliteConnection, recording: &Recording) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO recording (recording_id, call_id, kind, state, mailbox, started_ms, entry)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (recording_id) DO UPDATE SET state = excluded.state, entry = excluded.entry",
    )
    .bind(recording.recording_id.to_string())
    .bind(recording.call_id.to_string())
    .bind(word(&recording.kind))
    .bind(word(&recording.state))
    .bind(recording.mailbox.as_deref())
    .bind(recording.started_at.as_millisecond())
    .bind(json(recording))
    .execute(connection)
    .await?;
    Ok(())
}

/// What a crash has cut off goes as far as it goes.
pub(super) async fn close_cut_off(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE recording SET state = 'incomplete', entry = json_set(entry, '$.state', 'incomplete')
         WHERE state = 'open'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The recording of a call that was cut off; a message before the call's own.
pub(super) async fn of_call(
    connection: &mut SqliteConnection,
    call_id: &str,
) -> Result<Option<RecordingId>, sqlx::Error> {
    let id: Option<String> = sqlx::query_scalar(
        "SELECT recording_id FROM recording WHERE call_id = ? ORDER BY kind = 'voicemail' DESC, recording_id DESC LIMIT 1",
    )
    .bind(call_id)
    .fetch_optional(connection)
    .await?;
    Ok(id.and_then(|id| id.parse().ok()))
}

pub(super) async fn delete(connection: &mut SqliteConnection, id: RecordingId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM recording WHERE recording_id = ?").bind(id.to_string()).execute(connection).await?;
    Ok(())
}

/// An answer of the caller after the call, beside those given before.
pub(super) async fn add_answer(
    connection: &mut SqliteConnection,
    call_id: CallId,
    answer: &SurveyAnswer,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE call SET survey = json_insert(coalesce(survey, '[]'), '$[#]', json(?)) WHERE call_id = ?")
        .bind(json(answer))
        .bind(call_id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> String {
    // Numbers, names and texts: nothing that JSON cannot hold.
    serde_json::to_string(value).unwrap_or_default()
}

/// The name of a variant, as JSON has it.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').to_owned()
}
