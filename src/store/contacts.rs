//! Who called before, and what a plan wants told outside: tables beside the records, kept in the same transactions.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::{StoreError, database};
use crate::caller::{CallerFacts, CallerNumber, Numbering};
use crate::record::CallRecord;
use crate::time::Wall;

/// `contact` holds one row for each ended call from outside, together by the last digits of the caller's number: these
/// are the same however the number is dialled, so the index does not depend on the configuration. `told` holds events
/// that no service has taken yet.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS contact (
    tail TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    call_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    outcome TEXT,
    agent TEXT,
    queue TEXT,
    PRIMARY KEY (tail, started_ms, call_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL
) STRICT;
";

/// The shortest national numbers have so many digits.
const TAIL: usize = 6;
/// The latest contacts that are looked at.
const MOST_CONTACTS: i64 = 1_000;
/// Events of an earlier process that are taken up again.
const MOST_TOLD: i64 = 10_000;
const LONGEST_CALLER: usize = 64;
const DAY_MS: i64 = 86_400_000;

pub(super) async fn are_there(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name IN ('contact', 'told')")
        .fetch_one(connection)
        .await?;
    Ok(there == 2)
}

/// Makes the tables, and fills the contacts from the records that are there.
pub(super) async fn make(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
    let mut after = String::new();
    loop {
        let rows = sqlx::query("SELECT call_id, record FROM call WHERE ended = 1 AND call_id > ? ORDER BY call_id LIMIT 500")
            .bind(&after)
            .fetch_all(&mut *connection)
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for row in &rows {
            if let Ok(record) = serde_json::from_str::<CallRecord>(row.try_get(1)?) {
                note(connection, &record).await?;
            }
        }
    }
}

/// The last digits of a number; `None` where it has hardly any.
fn tail(number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    (digits.len() > 1).then(|| digits.iter().skip(digits.len().saturating_sub(TAIL)).collect())
}

/// An ended call becomes a contact of its caller. Calls of agents are none.
pub(super) async fn note(connection: &mut SqliteConnection, record: &CallRecord) -> Result<(), sqlx::Error> {
    let known = tail(&record.from).filter(|_| record.trunk.is_some() && record.from.len() <= LONGEST_CALLER);
    let Some(tail) = known else { return Ok(()) };
    sqlx::query(
        "INSERT OR REPLACE INTO contact (tail, started_ms, call_id, caller, outcome, agent, queue)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(tail)
    .bind(record.started_at.as_millisecond())
    .bind(record.call_id.to_string())
    .bind(&record.from)
    .bind(record.outcome.map(outcome))
    .bind(record.agent.as_ref().map(|agent| agent.as_str()))
    .bind(record.queue.as_ref().map(|queue| queue.as_str()))
    .execute(connection)
    .await?;
    Ok(())
}

/// As records spell it.
fn outcome(outcome: crate::record::Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) async fn tell(connection: &mut SqliteConnection, id: &str, event: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO told (id, event) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(event)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn told(connection: &mut SqliteConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM told WHERE id = ?").bind(id).execute(connection).await?;
    Ok(())
}

/// Events that no service has taken, the oldest first.
pub(super) async fn untold(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT event FROM told ORDER BY rowid LIMIT ?").bind(MOST_TOLD).fetch_all(connection).await
}

/// Answers what is known of a caller, beside the thread that writes.
#[derive(Clone)]
pub struct History {
    pool: SqlitePool,
}

impl History {
    /// Opens the database of a store that is open.
    pub fn open(data: &Path) -> History {
        let options = SqliteConnectOptions::new()
            .filename(database::path(data))
            .read_only(true)
            .busy_timeout(Duration::from_millis(100))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(1));
        History { pool: pool.connect_lazy_with(options) }
    }

    /// What earlier contacts tell of `number`, which is in one form. `today` is when the centre's day began.
    pub async fn of(
        &self,
        number: &str,
        numbering: &Numbering,
        now: Wall,
        today: Wall,
    ) -> Result<CallerFacts, StoreError> {
        let mut facts = CallerFacts { number: number.to_owned(), ..CallerFacts::default() };
        let Some(tail) = tail(number) else { return Ok(facts) };
        let rows = sqlx::query(
            "SELECT started_ms, caller, outcome, agent, queue FROM contact WHERE tail = ?
             ORDER BY started_ms DESC LIMIT ?",
        )
        .bind(tail)
        .bind(MOST_CONTACTS)
        .fetch_all(&self.pool)
        .await;
        let failed = |error| StoreError::Database { path: "relais.db".into(), error };
        for row in &rows.map_err(failed)? {
            let from: &str = row.try_get(1).map_err(failed)?;
            // Others may have a number that ends alike.
            if numbering.read(from) == CallerNumber::Known(number.to_owned()) {
                let word = |column: usize| row.try_get::<Option<String>, _>(column).ok().flatten().unwrap_or_default();
                let contact = Contact {
                    started_ms: row.try_get(0).map_err(failed)?,
                    outcome: word(2),
                    agent: word(3),
                    queue: word(4),
                };
                contact.count(&mut facts, now.as_millisecond(), today.as_millisecond());
            }
        }
        Ok(facts)
    }
}

struct Contact {
    started_ms: i64,
    outcome: String,
    agent: String,
    queue: String,
}

impl Contact {
    /// Contacts come the latest first.
    fn count(self, facts: &mut CallerFacts, now_ms: i64, today_ms: i64) {
        if !facts.known {
            facts.known = true;
            facts.last_contact_days = (now_ms - self.started_ms).max(0) / DAY_MS;
            facts.last_outcome = self.outcome.clone();
            facts.last_queue = self.queue;
        }
        if facts.last_agent.is_empty() {
            facts.last_agent = self.agent;
        }
        facts.contacts_30d += i64::from(self.started_ms > now_ms - 30 * DAY_MS);
        if self.started_ms >= today_ms {
            facts.calls_today += 1;
            facts.abandoned_today += i64::from(self.outcome == "abandoned");
        }
    }
}
