//! What agents did: one row for each change of state, kept in the same transactions as the records.

use std::ops::ControlFlow;
use std::path::Path;

use sqlx::{Connection, QueryBuilder, Row, SqliteConnection};

use super::StoreError;
use super::batch::ROWS;
use super::entry::Entry;
use super::read::{applied, with_database};
use crate::shift::AgentChange;
use crate::time::Wall;
use crate::views::AgentState;

/// `change` is the JSON of `AgentChange`; `agent_state` names every agent there ever was, with the last one.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS agent_change (
    number INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    agent TEXT NOT NULL,
    joins INTEGER NOT NULL,
    change TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS agent_change_by_time ON agent_change (at_ms, number);
CREATE INDEX IF NOT EXISTS agent_change_by_agent ON agent_change (agent, at_ms, number);
CREATE INDEX IF NOT EXISTS agent_change_joins ON agent_change (agent, at_ms, number) WHERE joins = 1;
CREATE TABLE IF NOT EXISTS agent_state (agent TEXT NOT NULL PRIMARY KEY, change TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Rows read at once.
const PAGE: usize = 2_000;

pub(super) async fn make(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = 'agent_state'")
        .fetch_one(&mut *connection)
        .await?;
    if there == 0 {
        sqlx::raw_sql(TABLES).execute(connection).await?;
    }
    Ok(())
}

/// In order.
pub(super) async fn note(connection: &mut SqliteConnection, changes: &[&AgentChange]) -> Result<(), sqlx::Error> {
    for rows in changes.chunks(ROWS) {
        let mut insert = QueryBuilder::new("INSERT INTO agent_change (at_ms, agent, joins, change) ");
        insert.push_values(rows, |mut row, change| {
            row.push_bind(change.at.as_millisecond()).push_bind(change.agent.as_str().to_owned());
            row.push_bind(change.member_of.is_some()).push_bind(text(change));
        });
        insert.build().execute(&mut *connection).await?;
        // Of several changes of one agent the last one stays.
        let mut states = QueryBuilder::new("INSERT OR REPLACE INTO agent_state (agent, change) ");
        states.push_values(rows, |mut row, change| {
            row.push_bind(change.agent.as_str().to_owned()).push_bind(text(change));
        });
        states.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn text(change: &AgentChange) -> String {
    // Names, numbers and times: nothing that JSON cannot hold.
    serde_json::to_string(change).unwrap_or_default()
}

/// The process died at `at`: gives the last state of each agent, and ends the work of those who were at it.
pub(super) async fn stop(connection: &mut SqliteConnection, at: Wall) -> Result<Vec<AgentChange>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let rows = sqlx::query("SELECT change FROM agent_state ORDER BY agent").fetch_all(&mut *transaction).await?;
    let mut left: Vec<AgentChange> = Vec::new();
    for row in rows {
        left.extend(read(row.try_get(0)?));
    }
    let working = left.iter().filter(|change| change.state != AgentState::LoggedOut);
    let stopped: Vec<AgentChange> = working.map(|change| change.stopped(at)).collect();
    note(&mut transaction, &stopped.iter().collect::<Vec<_>>()).await?;
    transaction.commit().await?;
    Ok(left)
}

fn read(text: &str) -> Option<AgentChange> {
    let change = serde_json::from_str(text);
    if let Err(error) = &change {
        tracing::error!(%error, "what an agent did cannot be read; it is passed over");
    }
    change.ok()
}

/// Hands out, in order, what agents did from `from` on and before `until`; first, for each agent, the state they were
/// then in and, where that does not tell, for whom they worked. Until `each` breaks.
///
/// What is still in the spool counts as well.
pub fn read_agent_changes(
    data: &Path,
    from: Wall,
    until: Wall,
    mut each: impl FnMut(AgentChange) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    with_database(data, async |connection, entries| {
        // One view of the database throughout; it hinders no writer.
        let mut transaction = connection.begin().await?;
        let moved = applied(&mut transaction).await?;
        for change in before(&mut transaction, from).await? {
            if each(change).is_break() {
                return Ok(());
            }
        }
        if give_rows(&mut transaction, from, until, &mut each).await?.is_break() {
            return Ok(());
        }
        let fresh = entries.into_iter().filter(|(sequence, _)| *sequence > moved);
        let changes = fresh.filter_map(|(_, entry)| match entry {
            Entry::Agents(changes) => Some(changes),
            _ => None,
        });
        for change in changes.flatten().filter(|change| change.at < until) {
            if each(change).is_break() {
                break;
            }
        }
        Ok(())
    })
}

/// For each agent, the last change before `from` that tells for whom they work, and the last one of all.
async fn before(connection: &mut SqliteConnection, from: Wall) -> Result<Vec<AgentChange>, sqlx::Error> {
    let agents: Vec<String> =
        sqlx::query_scalar("SELECT agent FROM agent_state ORDER BY agent").fetch_all(&mut *connection).await?;
    const LAST: [&str; 2] = [
        "SELECT change FROM agent_change WHERE agent = ? AND at_ms < ? AND joins = 1
         ORDER BY at_ms DESC, number DESC LIMIT 1",
        "SELECT change FROM agent_change WHERE agent = ? AND at_ms < ? ORDER BY at_ms DESC, number DESC LIMIT 1",
    ];
    let mut found = Vec::new();
    for agent in agents {
        for last in LAST {
            let row =
                sqlx::query(last).bind(&agent).bind(from.as_millisecond()).fetch_optional(&mut *connection).await?;
            if let Some(row) = row {
                found.extend(read(row.try_get(0)?));
            }
        }
    }
    Ok(found)
}

async fn give_rows(
    connection: &mut SqliteConnection,
    from: Wall,
    until: Wall,
    each: &mut impl FnMut(AgentChange) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, sqlx::Error> {
    let mut after = (from.as_millisecond(), 0_i64);
    loop {
        let rows = sqlx::query(
            "SELECT at_ms, number, change FROM agent_change
             WHERE (at_ms, number) > (?, ?) AND at_ms < ? ORDER BY at_ms, number LIMIT ?",
        )
        .bind(after.0)
        .bind(after.1)
        .bind(until.as_millisecond())
        .bind(PAGE as i64)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            after = (row.try_get(0)?, row.try_get(1)?);
            if let Some(change) = read(row.try_get(2)?)
                && each(change).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        if rows.len() < PAGE {
            return Ok(ControlFlow::Continue(()));
        }
    }
}
