//! Who called before, and what a plan wants told outside: tables beside the records, kept in the same transactions.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, QueryBuilder, Row, SqliteConnection};

use super::batch::ROWS;
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
        let rows =
            sqlx::query("SELECT call_id, record FROM call WHERE ended = 1 AND call_id > ? ORDER BY call_id LIMIT 500")
                .bind(&after)
                .fetch_all(&mut *connection)
                .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let texts: Vec<&str> = rows.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
        let records: Vec<CallRecord> = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        note(connection, &records.iter().collect::<Vec<_>>()).await?;
    }
}

/// The last digits of a number; `None` where it has hardly any.
pub(super) fn tail(number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    (digits.len() > 1).then(|| digits.iter().skip(digits.len().saturating_sub(TAIL)).collect())
}

/// Ended calls become contacts of their callers. Calls of agents are none.
pub(super) async fn note(connection: &mut SqliteConnection, records: &[&CallRecord]) -> Result<(), sqlx::Error> {
    let known = |record: &&&CallRecord| record.trunk.is_some() && record.from.len() <= LONGEST_CALLER;
    let told = records.iter().filter(known).filter_map(|record| Some((tail(&record.from)?, *record)));
    let contacts: Vec<(String, &CallRecord)> = told.collect();
    for rows in contacts.chunks(ROWS) {
        let mut insert = QueryBuilder::new(
            "INSERT OR REPLACE INTO contact (tail, started_ms, call_id, caller, outcome, agent, queue) ",
        );
        insert.push_values(rows, |mut row, (tail, record)| {
            row.push_bind(tail.as_str()).push_bind(record.started_at.as_millisecond());
            row.push_bind(record.call_id.to_string()).push_bind(record.from.as_str());
            row.push_bind(record.outcome.map(outcome));
            row.push_bind(record.agent.as_ref().map(|agent| agent.as_str()));
            row.push_bind(record.queue.as_ref().map(|queue| queue.as_str()));
        });
        insert.build().execute(&mut *connection).await?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CallId;
    use crate::record::{CallRecord, Outcome};
    use crate::store::{Entry, Store};

    fn wall(text: &str) -> Wall {
        text.parse().unwrap()
    }

    fn ended(n: u64, from: &str, at: &str, outcome: Outcome, agent: Option<&str>) -> Entry {
        let record = serde_json::json!({
            "call_id": CallId::new(n as i64, n.into()), "trunk": "acme", "from": from, "to": "610", "started_at": at,
            "answered_at": null, "ended_at": at, "outcome": outcome, "ended_by": "caller", "sip_status": 200, "q850": 16,
            "queue": agent.map(|_| "sales"), "agent": agent, "wait_ms": null, "talk_ms": null, "hold_ms": null,
            "acw_ms": null, "transfers": 0, "recording": null, "path": [], "legs": []
        });
        Entry::Ended(Box::new(serde_json::from_value::<CallRecord>(record).unwrap()))
    }

    fn france() -> Numbering {
        Numbering { country_code: "33".to_owned(), ..Numbering::default() }
    }

    /// The facts about `number` on 25 November at noon, from a store that holds `entries`.
    fn facts(entries: Vec<Entry>, number: &str) -> CallerFacts {
        let data = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(data.path()).unwrap();
        entries.into_iter().for_each(|entry| store.append(entry));
        store.close();
        asked(data.path(), number)
    }

    fn asked(data: &Path, number: &str) -> CallerFacts {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (now, today) = (wall("2026-11-25T12:00:00Z"), wall("2026-11-25T00:00:00+01:00"));
        runtime.block_on(async { History::open(data).of(number, &france(), now, today).await.unwrap() })
    }

    #[test]
    fn a_caller_is_known_by_earlier_contacts_however_the_number_was_dialled() {
        let entries = vec![
            ended(1, "0155501234", "2026-09-01T10:00:00Z", Outcome::Handled, Some("203")),
            ended(2, "+33155501234", "2026-11-20T10:00:00Z", Outcome::Handled, Some("201")),
            ended(3, "0033155501234", "2026-11-24T22:59:59Z", Outcome::Abandoned, None),
            ended(4, "33155501234", "2026-11-24T23:00:00Z", Outcome::Abandoned, None),
            ended(5, "+33155501234", "2026-11-25T11:00:00Z", Outcome::Deterred, None),
            ended(6, "+33255501234", "2026-11-25T11:30:00Z", Outcome::Handled, Some("202")),
        ];
        let expected = CallerFacts {
            known: true,
            number: "+33155501234".to_owned(),
            last_agent: "201".to_owned(),
            last_outcome: "deterred".to_owned(),
            last_contact_days: 0,
            contacts_30d: 4,
            calls_today: 2,
            abandoned_today: 1,
            ..CallerFacts::default()
        };
        assert_eq!(facts(entries, "+33155501234"), expected);
    }

    #[test]
    fn nothing_is_known_of_who_never_called_and_of_calls_that_no_caller_made() {
        let mut own = ended(1, "201", "2026-11-25T10:00:00Z", Outcome::Handled, None);
        if let Entry::Ended(record) = &mut own {
            record.trunk = None;
        }
        let entries = vec![own, ended(2, "anonymous", "2026-11-25T10:00:00Z", Outcome::Handled, None)];
        let unknown = CallerFacts { number: "201".to_owned(), ..CallerFacts::default() };
        assert_eq!(facts(entries, "201"), unknown);
    }

    #[test]
    fn very_many_contacts_are_not_all_read() {
        let entries = (0..1_200).map(|n| ended(n, "+33155501234", "2026-11-25T10:00:00Z", Outcome::Handled, None));
        assert_eq!(facts(entries.collect(), "+33155501234").contacts_30d, MOST_CONTACTS);
    }

    #[test]
    fn records_from_before_there_were_contacts_count_too() {
        let data = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(data.path()).unwrap();
        for n in 0..700 {
            let from = if n % 7 == 0 { "+33155501234" } else { "+33155509999" };
            store.append(ended(n, from, "2026-11-25T10:00:00Z", Outcome::Handled, None));
        }
        store.close();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(database::path(data.path()));
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql("DROP TABLE contact").execute(&mut connection).await.unwrap();
        });
        Store::open(data.path()).unwrap().0.close();
        assert_eq!(asked(data.path(), "+33155501234").contacts_30d, 100);
    }

    #[test]
    fn an_event_is_told_again_by_the_next_process_until_it_is_taken() {
        let data = tempfile::tempdir().unwrap();
        let event = |n: u32| Entry::Told { id: format!("c-{n}"), event: format!("event {n}") };
        let (mut store, recovered) = Store::open(data.path()).unwrap();
        assert!(recovered.untold.is_empty());
        [event(1), event(2), event(1), Entry::ToldOf { id: "c-1".to_owned() }, event(3)]
            .into_iter()
            .for_each(|entry| store.append(entry));
        store.close();
        let (mut store, recovered) = Store::open(data.path()).unwrap();
        assert_eq!(recovered.untold, ["event 2", "event 3"]);
        store.append(Entry::ToldOf { id: "c-2".to_owned() });
        store.append(Entry::ToldOf { id: "c-3".to_owned() });
        store.close();
        assert!(Store::open(data.path()).unwrap().1.untold.is_empty());
    }
}
