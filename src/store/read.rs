//! Reading call records while a server runs, or when none does.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::entry::Entry;
use super::{StoreError, contacts, database, spool};
use crate::ids::CallId;
use crate::record::{CallRecord, Disposition, SurveyAnswer};
use crate::time::Wall;

/// Rows read at once.
const PAGE: usize = 500;

/// Hands out the record of every ended call once, the oldest first, until `each` breaks. Gives the number of records
/// that could not be understood. Entries that are still in the spool count as well; calls that are up do not show.
///
/// The spool is read before the database: an entry that is moved in between is found in the database.
pub fn read_records(data: &Path, each: impl FnMut(CallRecord) -> ControlFlow<()>) -> Result<u64, StoreError> {
    with_database(data, async |connection, entries| read_merged(connection, entries, i64::MIN..i64::MAX, each).await)
}

/// The same of the calls that came in from `from` on and before `until`.
pub fn read_records_between(
    data: &Path,
    from: Wall,
    until: Wall,
    each: impl FnMut(CallRecord) -> ControlFlow<()>,
) -> Result<u64, StoreError> {
    let span = from.as_millisecond()..until.as_millisecond();
    with_database(data, async |connection, entries| read_merged(connection, entries, span, each).await)
}

/// The record of one ended call, wherever it is; `None` where there is none.
pub fn read_record(data: &Path, call: CallId) -> Result<Option<CallRecord>, StoreError> {
    with_database(data, async |connection, entries| {
        let overlay = Overlay::new(entries, 0);
        if let Some(record) = overlay.ended.values().find(|record| record.call_id == call) {
            return Ok(Some(overlay.complete(record.clone(), Stored::default())));
        }
        let row = sqlx::query("SELECT record, acw_ms, survey, disposition FROM call WHERE call_id = ? AND ended = 1")
            .bind(call.to_string())
            .fetch_optional(connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let stored = Stored::of(&row, 1)?;
        let record = serde_json::from_str(row.try_get(0)?).ok();
        Ok(record.map(|record| overlay.complete(record, stored)))
    })
}

/// Records that are looked at for those that somebody asks for.
const MOST_LOOKED_AT: usize = 20_000;

/// The latest calls that have ended and that `takes` takes, the latest first: those that came in before `before`.
pub fn read_latest(
    data: &Path,
    before: Option<CallId>,
    limit: usize,
    takes: impl Fn(&CallRecord) -> bool,
) -> Result<Vec<CallRecord>, StoreError> {
    with_database(data, async |connection, entries| {
        let overlay = Overlay::new(entries, 0);
        let upper = before.map_or("~".to_owned(), |call| call.to_string());
        let mut found: BTreeMap<Reverse<String>, CallRecord> = BTreeMap::new();
        for record in overlay.ended.values() {
            let id = record.call_id.to_string();
            if id < upper && takes(record) {
                found.insert(Reverse(id), overlay.complete(record.clone(), Stored::default()));
            }
        }
        let (mut after, mut looked_at, mut taken) = (upper, 0, 0);
        while taken < limit && looked_at < MOST_LOOKED_AT {
            let rows = sqlx::query(
                "SELECT call_id, record, acw_ms, survey, disposition FROM call WHERE ended = 1 AND call_id < ?
                 ORDER BY call_id DESC LIMIT ?",
            )
            .bind(&after)
            .bind(PAGE as i64)
            .fetch_all(&mut *connection)
            .await?;
            for row in &rows {
                after = row.try_get(0)?;
                let Ok(record) = serde_json::from_str::<CallRecord>(row.try_get(1)?) else { continue };
                if takes(&record) {
                    found.insert(Reverse(after.clone()), overlay.complete(record, Stored::of(row, 2)?));
                    taken += 1;
                }
            }
            looked_at += rows.len();
            if rows.len() < PAGE {
                break;
            }
        }
        Ok(found.into_values().take(limit).collect())
    })
}

/// The latest calls of a caller that have ended, the latest first; `is_theirs` says whether a number is the caller's,
/// however it was dialled.
pub fn read_contacts(
    data: &Path,
    number: &str,
    limit: usize,
    is_theirs: impl Fn(&str) -> bool,
) -> Result<Vec<CallRecord>, StoreError> {
    let Some(tail) = contacts::tail(number) else { return Ok(Vec::new()) };
    with_database(data, async |connection, entries| {
        let overlay = Overlay::new(entries, 0);
        let mut found: BTreeMap<Reverse<(i64, CallId)>, CallRecord> = BTreeMap::new();
        for (key, record) in overlay.ended.iter().filter(|(_, record)| is_theirs(&record.from)) {
            found.insert(Reverse(*key), overlay.complete(record.clone(), Stored::default()));
        }
        let rows = sqlx::query(
            "SELECT call.record, call.acw_ms, call.survey, call.disposition FROM contact JOIN call USING (call_id)
             WHERE contact.tail = ? ORDER BY contact.started_ms DESC LIMIT ?",
        )
        .bind(tail)
        .bind(PAGE as i64)
        .fetch_all(connection)
        .await?;
        for row in &rows {
            let Ok(record) = serde_json::from_str::<CallRecord>(row.try_get(0)?) else { continue };
            if is_theirs(&record.from) {
                let key = (record.started_at.as_millisecond(), record.call_id);
                found.insert(Reverse(key), overlay.complete(record, Stored::of(row, 1)?));
            }
        }
        Ok(found.into_values().take(limit).collect())
    })
}

/// Opens the database for reading, and gives what of the spool is not in it yet.
pub(super) fn with_database<T>(
    data: &Path,
    read: impl AsyncFnOnce(&mut SqliteConnection, Vec<(u64, Entry)>) -> Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    if !data.is_dir() {
        return Err(StoreError::NoFolder { data: data.to_owned() });
    }
    let path = database::path(data);
    if !path.is_file() {
        return Err(StoreError::NoRecords { data: data.to_owned() });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::File { path: data.to_owned(), error })?;
    let failed = |error| StoreError::Database { path: path.clone(), error };
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(failed)?;
        let found = async {
            let schema = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
            match schema {
                0 => return Err(StoreError::NoRecords { data: data.to_owned() }),
                database::SCHEMA.. => {}
                found => return Err(StoreError::Older { path: path.clone(), found, known: database::SCHEMA }),
            }
            let moved = applied(&mut connection).await.map_err(failed)?;
            let entries = spool::read(data, moved)?;
            read(&mut connection, entries).await.map_err(failed)
        };
        let found = found.await;
        // Dropped, it would still be open for a moment.
        let _ = connection.close().await;
        found
    })
}

pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let applied: i64 = sqlx::query_scalar("SELECT sequence FROM applied").fetch_one(connection).await?;
    Ok(applied as u64)
}

/// What the spool knows and the database does not.
#[derive(Default)]
struct Overlay {
    /// By start and id.
    ended: BTreeMap<(i64, CallId), CallRecord>,
    acw_ms: BTreeMap<CallId, u64>,
    survey: BTreeMap<CallId, Vec<SurveyAnswer>>,
    dispositions: BTreeMap<CallId, Disposition>,
}

/// What completes a record, as the database has it.
#[derive(Default)]
struct Stored {
    acw_ms: Option<i64>,
    survey: Option<String>,
    disposition: Option<String>,
}

impl Stored {
    /// From the columns `acw_ms, survey, disposition`, the first of which is at `at`.
    fn of(row: &SqliteRow, at: usize) -> Result<Stored, sqlx::Error> {
        Ok(Stored { acw_ms: row.try_get(at)?, survey: row.try_get(at + 1)?, disposition: row.try_get(at + 2)? })
    }
}

impl Overlay {
    fn new(entries: Vec<(u64, Entry)>, applied: u64) -> Overlay {
        let mut overlay = Overlay::default();
        for (_, entry) in entries.into_iter().filter(|(sequence, _)| *sequence > applied) {
            match entry {
                Entry::Ended(record) => {
                    overlay.ended.insert((record.started_at.as_millisecond(), record.call_id), *record);
                }
                Entry::Completed { call_id, acw_ms } => {
                    let sum = overlay.acw_ms.entry(call_id).or_default();
                    *sum = sum.saturating_add(acw_ms);
                }
                Entry::Surveyed { call_id, answer } => overlay.survey.entry(call_id).or_default().push(answer),
                Entry::Disposed { call_id, disposition } => {
                    overlay.dispositions.insert(call_id, disposition);
                }
                Entry::Began(_)
                | Entry::Progress { .. }
                | Entry::Queued { .. }
                | Entry::LostPlace { .. }
                | Entry::Recording(_)
                | Entry::RecordingDeleted { .. }
                | Entry::RecordingNoted { .. }
                | Entry::Callback(_)
                | Entry::Agents(_)
                | Entry::Told { .. }
                | Entry::ToldOf { .. } => {}
            }
        }
        overlay
    }

    fn complete(&self, mut record: CallRecord, stored: Stored) -> CallRecord {
        let answers = stored.survey.and_then(|survey| serde_json::from_str::<Vec<SurveyAnswer>>(&survey).ok());
        let answers = answers.into_iter().chain(self.survey.get(&record.call_id).cloned()).flatten();
        let answers: Vec<_> = record.survey.take().into_iter().flatten().chain(answers).collect();
        record.survey = (!answers.is_empty()).then_some(answers);
        let disposition = stored.disposition.and_then(|text| serde_json::from_str::<Disposition>(&text).ok());
        if let Some(disposition) = self.dispositions.get(&record.call_id).cloned().or(disposition) {
            record.disposition = Some(disposition.code);
            record.resolved = disposition.resolved;
            record.note = disposition.note;
        }
        let stored = stored.acw_ms.and_then(|ms| u64::try_from(ms).ok());
        let parts = [record.acw_ms, stored, self.acw_ms.get(&record.call_id).copied()];
        record.acw_ms = parts.into_iter().flatten().reduce(u64::saturating_add);
        record
    }
}

async fn read_merged(
    connection: &mut SqliteConnection,
    entries: Vec<(u64, Entry)>,
    span: Range<i64>,
    mut each: impl FnMut(CallRecord) -> ControlFlow<()>,
) -> Result<u64, sqlx::Error> {
    // One view of the database throughout; it hinders no writer.
    let mut transaction = connection.begin().await?;
    let mut overlay = Overlay::new(entries, applied(&mut transaction).await?);
    overlay.ended.retain(|(started, _), _| span.contains(started));
    let mut unreadable = 0;
    let mut after = (span.start, String::new());
    loop {
        let rows = sqlx::query(
            "SELECT started_ms, call_id, record, acw_ms, survey, disposition FROM call
             WHERE ended = 1 AND (started_ms, call_id) > (?, ?) AND started_ms < ? ORDER BY started_ms, call_id LIMIT ?",
        )
        .bind(after.0)
        .bind(&after.1)
        .bind(span.end)
        .bind(PAGE as i64)
        .fetch_all(&mut *transaction)
        .await?;
        for row in &rows {
            after = (row.try_get(0)?, row.try_get(1)?);
            let Ok(record) = serde_json::from_str::<CallRecord>(row.try_get(2)?) else {
                unreadable += 1;
                continue;
            };
            let key = (after.0, record.call_id);
            while overlay.ended.first_key_value().is_some_and(|(first, _)| *first < key) {
                let Some((_, earlier)) = overlay.ended.pop_first() else { break };
                if give(&mut transaction, &overlay, earlier, &mut each).await?.is_break() {
                    return Ok(unreadable);
                }
            }
            let stored = Stored::of(row, 3)?;
            if !overlay.ended.contains_key(&key) && each(overlay.complete(record, stored)).is_break() {
                return Ok(unreadable);
            }
        }
        if rows.len() < PAGE {
            break;
        }
    }
    while let Some((_, record)) = overlay.ended.pop_first() {
        if give(&mut transaction, &overlay, record, &mut each).await?.is_break() {
            break;
        }
    }
    Ok(unreadable)
}

/// A record of the spool; a wrap-up or a score that came first may be in the database already.
async fn give(
    connection: &mut SqliteConnection,
    overlay: &Overlay,
    record: CallRecord,
    each: &mut impl FnMut(CallRecord) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, sqlx::Error> {
    let row = sqlx::query("SELECT acw_ms, survey, disposition FROM call WHERE call_id = ?")
        .bind(record.call_id.to_string())
        .fetch_optional(connection)
        .await?;
    let stored = match row {
        Some(row) => Stored::of(&row, 0)?,
        None => Stored::default(),
    };
    Ok(each(overlay.complete(record, stored)))
}
