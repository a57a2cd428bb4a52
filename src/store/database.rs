//! `relais.db`: one row a call, in SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::batch::{self, end};
use super::entry::Entry;
use super::{LostPlace, StoreError, agents, callbacks, contacts, recordings};
use crate::callback::Callback;
use crate::ids::QueueId;
use crate::record::{CallRecord, KeptRecording};
use crate::shift::AgentChange;
use crate::time::Wall;

pub(super) const SCHEMA: i64 = 3;

/// Places older than this are forgotten. Longer than any caller is waited for.
const PLACE_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// `record` is the JSON of `CallRecord`; `acw_ms` completes it, also when it comes first. `ended` is 0 while a call is
/// up, 1 after it, 2 for one that was cut off and whose record this version cannot read.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS call (
    call_id TEXT NOT NULL PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    record TEXT NOT NULL,
    acw_ms INTEGER,
    queued_from TEXT,
    queued_in TEXT,
    queued_since TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS call_by_start ON call (started_ms, call_id) WHERE ended = 1;
CREATE INDEX IF NOT EXISTS call_running ON call (call_id) WHERE ended = 0;
CREATE TABLE IF NOT EXISTS lost_place (
    caller TEXT NOT NULL,
    queue TEXT NOT NULL,
    waiting_since TEXT NOT NULL,
    lost_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS applied (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL) STRICT;
INSERT INTO applied (one, sequence) VALUES (1, 0) ON CONFLICT DO NOTHING;
";

/// What came with schema 2. `survey` is a JSON array of scores; `entry` the JSON of `Recording`.
const SURVEYS_AND_RECORDINGS: &str = "
ALTER TABLE call ADD COLUMN survey TEXT;
CREATE TABLE recording (
    recording_id TEXT NOT NULL PRIMARY KEY,
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    mailbox TEXT,
    started_ms INTEGER NOT NULL,
    entry TEXT NOT NULL
) STRICT;
CREATE INDEX recording_by_call ON recording (call_id);
CREATE INDEX recording_open ON recording (recording_id) WHERE state = 'open';
CREATE INDEX voicemail_by_start ON recording (started_ms, recording_id) WHERE kind = 'voicemail';
";

/// What came with schema 3: the JSON of `Disposition`.
const DISPOSITIONS: &str = "ALTER TABLE call ADD COLUMN disposition TEXT";

pub(super) struct Database {
    path: PathBuf,
    connection: SqliteConnection,
}

pub(super) fn path(data: &Path) -> PathBuf {
    data.join("relais.db")
}

impl Database {
    /// Opens or makes it. A commit is on the disk when it returns, because the spool's space is used again after it.
    pub(super) async fn open(data: &Path) -> Result<Database, StoreError> {
        let path = path(data);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(2))
            .disable_statement_logging();
        let failed = |error| StoreError::Database { path: path.clone(), error };
        let mut connection = options.connect().await.map_err(failed)?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
        if found > SCHEMA {
            return Err(StoreError::Newer { path, found, known: SCHEMA });
        }
        if found < SCHEMA {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            if found < 1 {
                sqlx::raw_sql(TABLES).execute(&mut *transaction).await.map_err(failed)?;
            }
            if found < 2 {
                sqlx::raw_sql(SURVEYS_AND_RECORDINGS).execute(&mut *transaction).await.map_err(failed)?;
            }
            sqlx::raw_sql(DISPOSITIONS).execute(&mut *transaction).await.map_err(failed)?;
            sqlx::raw_sql("PRAGMA user_version = 3").execute(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        if !contacts::are_there(&mut connection).await.map_err(failed)? {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            contacts::make(&mut transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        if !callbacks::are_there(&mut connection).await.map_err(failed)? {
            callbacks::make(&mut connection).await.map_err(failed)?;
        }
        agents::make(&mut connection).await.map_err(failed)?;
        recordings::make(&mut connection).await.map_err(failed)?;
        Ok(Database { path, connection })
    }

    /// Returns when the files are no longer open.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed well");
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), error }
    }

    /// The highest sequence number that has been applied.
    pub(super) async fn applied(&mut self) -> Result<u64, StoreError> {
        let sequence = sqlx::query_scalar("SELECT sequence FROM applied").fetch_one(&mut self.connection).await;
        sequence.map(|sequence: i64| sequence as u64).map_err(|error| self.failed(error))
    }

    /// Events that no service has taken.
    pub(super) async fn untold(&mut self) -> Result<Vec<String>, StoreError> {
        let untold = contacts::untold(&mut self.connection).await;
        untold.map_err(|error| self.failed(error))
    }

    /// Call-backs that are not kept.
    pub(super) async fn promised(&mut self) -> Result<Vec<Callback>, StoreError> {
        let promised = callbacks::promised(&mut self.connection).await;
        promised.map_err(|error| self.failed(error))
    }

    /// The last state of each agent before `at`, when the process died; nobody has worked since then.
    pub(super) async fn stop_agents(&mut self, at: Wall) -> Result<Vec<AgentChange>, StoreError> {
        let left = agents::stop(&mut self.connection, at).await;
        left.map_err(|error| self.failed(error))
    }

    /// Messages, and recordings that are held.
    pub(super) async fn kept(&mut self) -> Result<Vec<KeptRecording>, StoreError> {
        let kept = recordings::kept(&mut self.connection).await;
        kept.map_err(|error| self.failed(error))
    }

    /// All or nothing, each entry once: those that were applied before are passed over.
    pub(super) async fn apply<'a>(
        &mut self,
        entries: impl Iterator<Item = (u64, &'a Entry)>,
    ) -> Result<(), StoreError> {
        let done = batch::apply(&mut self.connection, entries).await;
        done.map_err(|error| self.failed(error))
    }

    /// Ends the calls that were up when the process died, at the time it was last alive; remembers the places of those
    /// who waited, and gives those that are still fresh.
    pub(super) async fn close_cut_off(&mut self, at: Wall) -> Result<(Vec<CallRecord>, Vec<LostPlace>), StoreError> {
        let done = close_cut_off(&mut self.connection, at).await;
        done.map_err(|error| self.failed(error))
    }
}

async fn close_cut_off(
    connection: &mut SqliteConnection,
    at: Wall,
) -> Result<(Vec<CallRecord>, Vec<LostPlace>), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let running = sqlx::query(
        "SELECT record, queued_from, queued_in, queued_since, call_id FROM call WHERE ended = 0
         ORDER BY started_ms, call_id",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut cut_off = Vec::new();
    for row in running {
        let Ok(mut record) = serde_json::from_str::<CallRecord>(row.try_get(0)?) else {
            let call_id: &str = row.try_get(4)?;
            tracing::error!(call_id, "the record of a call that was cut off cannot be read; it is set aside");
            sqlx::query("UPDATE call SET ended = 2 WHERE call_id = ?").bind(call_id).execute(&mut *transaction).await?;
            continue;
        };
        let queued: (Option<String>, Option<String>, Option<Wall>) = (
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get::<Option<String>, _>(3)?.and_then(|since| since.parse().ok()),
        );
        if let (Some(from), Some(queue), Some(since)) = queued {
            record.queue = Some(QueueId::from(queue.as_str()));
            let waited = at.duration_since(since).as_millis();
            record.wait_ms = record.wait_ms.or(Some(u64::try_from(waited).unwrap_or(0)));
            let queue = QueueId::from(queue.as_str());
            let place = LostPlace { from, queue, waiting_since: since, lost_at: at };
            remember_place(&mut transaction, &place).await?;
        }
        record.recording = recordings::of_call(&mut transaction, row.try_get(4)?).await?;
        record.cut_off(at);
        end(&mut transaction, &[&record]).await?;
        cut_off.push(record);
    }
    recordings::close_cut_off(&mut transaction).await?;
    let lost_places = fresh_places(&mut transaction).await?;
    transaction.commit().await?;
    Ok((cut_off, lost_places))
}

pub(super) async fn remember_place(connection: &mut SqliteConnection, place: &LostPlace) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO lost_place (caller, queue, waiting_since, lost_at) VALUES (?, ?, ?, ?)")
        .bind(&place.from)
        .bind(place.queue.as_str())
        .bind(place.waiting_since.to_string())
        .bind(place.lost_at.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// The places that may still be regained; the others are deleted.
async fn fresh_places(connection: &mut SqliteConnection) -> Result<Vec<LostPlace>, sqlx::Error> {
    let rows = sqlx::query("SELECT rowid, caller, queue, waiting_since, lost_at FROM lost_place ORDER BY rowid")
        .fetch_all(&mut *connection)
        .await?;
    let now = Wall::now();
    let mut places = Vec::new();
    for row in rows {
        let time = |column: usize| row.try_get::<&str, _>(column).ok().and_then(|time| time.parse::<Wall>().ok());
        match (time(3), time(4)) {
            (Some(waiting_since), Some(lost_at)) if now.duration_since(lost_at) <= PLACE_KEPT => {
                let queue = QueueId::from(row.try_get::<&str, _>(2)?);
                places.push(LostPlace { from: row.try_get(1)?, queue, waiting_since, lost_at });
            }
            _ => {
                let rowid: i64 = row.try_get(0)?;
                sqlx::query("DELETE FROM lost_place WHERE rowid = ?").bind(rowid).execute(&mut *connection).await?;
            }
        }
    }
    Ok(places)
}
