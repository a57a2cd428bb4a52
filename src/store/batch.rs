//! Moving a batch of entries into the database: what it says of one call becomes one row, written once.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, QueryBuilder, SqliteConnection};

use super::entry::Entry;
use super::{LostPlace, agents, callbacks, contacts, database, recordings};
use crate::ids::{CallId, QueueId};
use crate::record::{CallRecord, Disposition, Progress, SurveyAnswer};
use crate::shift::AgentChange;
use crate::time::Wall;

/// Calls written by one statement.
pub(super) const ROWS: usize = 32;

/// All or nothing, each entry once: those up to the sequence number that was applied last are passed over.
pub(super) async fn apply<'a>(
    connection: &mut SqliteConnection,
    entries: impl Iterator<Item = (u64, &'a Entry)>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let applied: i64 = sqlx::query_scalar("SELECT sequence FROM applied").fetch_one(&mut *transaction).await?;
    let fresh: Vec<(u64, &Entry)> = entries.filter(|(sequence, _)| *sequence > applied as u64).collect();
    let Some((last, _)) = fresh.last() else { return transaction.commit().await };
    let mut batch = Batch::new(fresh.iter().map(|(_, entry)| *entry));
    for (_, entry) in &fresh {
        batch.take(&mut transaction, entry).await?;
    }
    batch.write(&mut transaction).await?;
    sqlx::query("UPDATE applied SET sequence = ?").bind(*last as i64).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// The rows of calls that are over. Each statement is a journey to the thread of the database: several rows share one.
pub(super) async fn end(connection: &mut SqliteConnection, records: &[&CallRecord]) -> Result<(), sqlx::Error> {
    for rows in records.chunks(ROWS) {
        let mut insert = QueryBuilder::new("INSERT INTO call (call_id, started_ms, ended, record) ");
        insert.push_values(rows, |mut row, record| {
            row.push_bind(record.call_id.to_string()).push_bind(record.started_at.as_millisecond());
            row.push("1").push_bind(text(record));
        });
        insert.push(
            " ON CONFLICT (call_id) DO UPDATE SET ended = 1, started_ms = excluded.started_ms,
                 record = excluded.record, queued_from = NULL, queued_in = NULL, queued_since = NULL",
        );
        insert.build().execute(&mut *connection).await?;
    }
    contacts::note(connection, records).await
}

#[derive(Default)]
struct Batch<'a> {
    /// Calls that end in this batch: what only serves recovery need not be written any more.
    ended: BTreeSet<CallId>,
    records: Vec<&'a CallRecord>,
    running: BTreeMap<CallId, Running>,
    acw_ms: BTreeMap<CallId, i64>,
    answers: Vec<(CallId, SurveyAnswer)>,
    dispositions: BTreeMap<CallId, &'a Disposition>,
    changes: Vec<&'a AgentChange>,
}

/// A call that is still up after this batch.
struct Running {
    /// `None`: the database has no such call that is up, or cannot read it.
    record: Option<CallRecord>,
    /// Who waits where, since when.
    place: Option<(String, QueueId, Wall)>,
}

impl<'a> Batch<'a> {
    fn new(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let ended = entries.filter_map(|entry| match entry {
            Entry::Ended(record) => Some(record.call_id),
            _ => None,
        });
        Batch { ended: ended.collect(), ..Batch::default() }
    }

    async fn take(&mut self, connection: &mut SqliteConnection, entry: &'a Entry) -> Result<(), sqlx::Error> {
        match entry {
            Entry::Began(record) if !self.ended.contains(&record.call_id) => {
                let known = self.running(connection, record.call_id).await?;
                known.record.get_or_insert_with(|| (**record).clone());
            }
            Entry::Progress { call_id, progress } if !self.ended.contains(call_id) => {
                let known = self.running(connection, *call_id).await?;
                if let Some(record) = &mut known.record {
                    record.follow(Progress::clone(progress));
                }
            }
            Entry::Queued { call_id, queue, from, since } => {
                forget_place(connection, from, queue).await?;
                if !self.ended.contains(call_id) {
                    let known = self.running(connection, *call_id).await?;
                    known.place = Some((from.clone(), queue.clone(), *since));
                }
            }
            Entry::LostPlace { queue, from, waiting_since, lost_at } => {
                let (waiting_since, lost_at) = (*waiting_since, *lost_at);
                let place = LostPlace { from: from.clone(), queue: queue.clone(), waiting_since, lost_at };
                database::remember_place(connection, &place).await?;
            }
            Entry::Began(_) | Entry::Progress { .. } => {}
            Entry::Ended(record) => self.records.push(record),
            Entry::Completed { call_id, acw_ms } => {
                let sum = self.acw_ms.entry(*call_id).or_default();
                *sum = sum.saturating_add(i64::try_from(*acw_ms).unwrap_or(i64::MAX));
            }
            Entry::Recording(recording) => recordings::put(connection, recording).await?,
            Entry::RecordingDeleted { recording_id } => recordings::delete(connection, *recording_id).await?,
            Entry::RecordingNoted { recording_id, heard, held } => {
                recordings::note(connection, *recording_id, *heard, *held).await?;
            }
            Entry::Surveyed { call_id, answer } => self.answers.push((*call_id, answer.clone())),
            Entry::Disposed { call_id, disposition } => {
                self.dispositions.insert(*call_id, disposition);
            }
            Entry::Callback(callback) => callbacks::note(connection, callback).await?,
            Entry::Told { id, event } => contacts::tell(connection, id, event).await?,
            Entry::ToldOf { id } => contacts::told(connection, id).await?,
            Entry::Agents(changes) => self.changes.extend(changes),
        }
        Ok(())
    }

    async fn running(&mut self, connection: &mut SqliteConnection, id: CallId) -> Result<&mut Running, sqlx::Error> {
        let vacant = match self.running.entry(id) {
            btree_map::Entry::Occupied(known) => return Ok(known.into_mut()),
            btree_map::Entry::Vacant(vacant) => vacant,
        };
        let record: Option<String> = sqlx::query_scalar("SELECT record FROM call WHERE call_id = ? AND ended = 0")
            .bind(id.to_string())
            .fetch_optional(connection)
            .await?;
        let record = record.and_then(|text| serde_json::from_str(&text).ok());
        Ok(vacant.insert(Running { record, place: None }))
    }

    async fn write(mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        end(connection, &self.records).await?;
        agents::note(connection, &self.changes).await?;
        for running in std::mem::take(&mut self.running).into_values() {
            let Some(record) = running.record else { continue };
            let (from, queue, since) = running.place.map_or((None, None, None), |(from, queue, since)| {
                (Some(from), Some(queue.as_str().to_owned()), Some(since.to_string()))
            });
            sqlx::query(
                "INSERT INTO call (call_id, started_ms, ended, record, queued_from, queued_in, queued_since)
                 VALUES (?, ?, 0, ?, ?, ?, ?)
                 ON CONFLICT (call_id) DO UPDATE SET record = excluded.record,
                     queued_from = coalesce(excluded.queued_from, queued_from),
                     queued_in = coalesce(excluded.queued_in, queued_in),
                     queued_since = coalesce(excluded.queued_since, queued_since)
                 WHERE ended = 0",
            )
            .bind(record.call_id.to_string())
            .bind(record.started_at.as_millisecond())
            .bind(text(&record))
            .bind(from)
            .bind(queue)
            .bind(since)
            .execute(&mut *connection)
            .await?;
        }
        // After every row is there: a wrap-up or an answer may be told before its call ends.
        for (id, answer) in &self.answers {
            recordings::add_answer(connection, *id, answer).await?;
        }
        for (id, disposition) in self.dispositions {
            sqlx::query("UPDATE call SET disposition = ? WHERE call_id = ?")
                .bind(recordings::json(disposition))
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
        }
        for (id, acw_ms) in self.acw_ms {
            sqlx::query("UPDATE call SET acw_ms = coalesce(acw_ms, 0) + ? WHERE call_id = ?")
                .bind(acw_ms)
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

/// Who waits again has regained the place.
async fn forget_place(connection: &mut SqliteConnection, from: &str, queue: &QueueId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM lost_place WHERE caller = ? AND queue = ?")
        .bind(from)
        .bind(queue.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

fn text(record: &CallRecord) -> String {
    // A record is numbers, names and texts: nothing that JSON cannot hold.
    serde_json::to_string(record).unwrap_or_default()
}
