//! The index of recordings: written with the records of calls, read while a server runs, or when none does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::entry::Entry;
use super::read::with_database;
use crate::ids::{CallId, QueueId, RecordingId};
use crate::record::{KeptRecording, Recording, RecordingKind, SurveyAnswer};
use crate::time::Wall;

/// What came with notes: `heard` and `held` are kept apart from the entry, which is written anew as a recording goes on.
const NOTES: &str = "
CREATE TABLE IF NOT EXISTS recording_note (
    recording_id TEXT NOT NULL PRIMARY KEY,
    heard INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS recording_by_start ON recording (started_ms, recording_id);
";

/// Messages that the engine is told of at the start; of more, the latest.
const MOST_KEPT: i64 = 100_000;

pub(super) async fn make(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(NOTES).execute(connection).await?;
    Ok(())
}

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
                    let known = found.get(&recording.recording_id).map(|known| (known.heard, known.held));
                    let (heard, held) = known.unwrap_or_default();
                    found.insert(recording.recording_id, Recording { heard, held, ..*recording });
                }
                Entry::RecordingDeleted { recording_id } => {
                    found.remove(&recording_id);
                }
                Entry::RecordingNoted { recording_id, heard, held } => {
                    if let Some(known) = found.get_mut(&recording_id) {
                        known.heard = heard.unwrap_or(known.heard);
                        known.held = held.unwrap_or(known.held);
                    }
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
        "SELECT entry, coalesce(heard, 0), coalesce(held, 0) FROM recording LEFT JOIN recording_note USING (recording_id)
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
            let (heard, held) = (row.try_get(1)?, row.try_get(2)?);
            found.insert(recording.recording_id, Recording { heard, held, ..recording });
        }
    }
    Ok(found)
}

/// A recording that may be too old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    pub recording_id: RecordingId,
    pub kind: RecordingKind,
    pub mailbox: Option<String>,
    pub queue: Option<QueueId>,
    pub started_at: Wall,
}

/// The oldest recordings that have ended and began before `before`, the oldest first, after `after`; at most `limit`.
/// Those that are held do not show.
pub fn read_old_recordings(
    data: &Path,
    before: Wall,
    after: Option<RecordingId>,
    limit: usize,
) -> Result<Vec<Old>, StoreError> {
    with_database(data, async |connection, _| {
        let after = after.unwrap_or(RecordingId(0));
        let rows = sqlx::query(
            "SELECT entry FROM recording LEFT JOIN recording_note USING (recording_id)
             WHERE (started_ms, recording_id) > (?, ?) AND started_ms < ? AND state != 'open' AND coalesce(held, 0) = 0
             ORDER BY started_ms, recording_id LIMIT ?",
        )
        .bind(after.unix_ms())
        .bind(after.to_string())
        .bind(before.as_millisecond())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
        let mut found = Vec::new();
        for row in &rows {
            if let Ok(Recording { recording_id, kind, mailbox, queue, started_at, .. }) =
                serde_json::from_str(row.try_get(0)?)
            {
                found.push(Old { recording_id, kind, mailbox, queue, started_at });
            }
        }
        Ok(found)
    })
}

/// What the engine is told at the start.
pub(super) async fn kept(connection: &mut SqliteConnection) -> Result<Vec<KeptRecording>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT recording_id, CASE kind WHEN 'voicemail' THEN mailbox END, coalesce(heard, 0), coalesce(held, 0)
         FROM recording LEFT JOIN recording_note USING (recording_id)
         WHERE kind = 'voicemail' OR held = 1
         ORDER BY coalesce(held, 0) DESC, started_ms DESC, recording_id DESC LIMIT ?",
    )
    .bind(MOST_KEPT)
    .fetch_all(connection)
    .await?;
    let mut kept = Vec::new();
    // The oldest first, so that they are the first to be forgotten.
    for row in rows.iter().rev() {
        let Ok(recording_id) = row.try_get::<&str, _>(0)?.parse() else { continue };
        let (mailbox, heard, held) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        kept.push(KeptRecording { recording_id, mailbox, heard, held });
    }
    Ok(kept)
}

/// What is not given stays.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    id: RecordingId,
    heard: Option<bool>,
    held: Option<bool>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO recording_note (recording_id, heard, held) VALUES (?1, coalesce(?2, 0), coalesce(?3, 0))
         ON CONFLICT (recording_id) DO UPDATE SET heard = coalesce(?2, heard), held = coalesce(?3, held)",
    )
    .bind(id.to_string())
    .bind(heard)
    .bind(held)
    .execute(connection)
    .await?;
    Ok(())
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
    for delete in ["DELETE FROM recording WHERE recording_id = ?", "DELETE FROM recording_note WHERE recording_id = ?"]
    {
        sqlx::query(delete).bind(id.to_string()).execute(&mut *connection).await?;
    }
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
