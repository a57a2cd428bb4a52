//! Call-backs that are promised: one row each, kept in the same transactions as the records.

use sqlx::{Row, SqliteConnection};

use crate::callback::Callback;

/// `callback` is the JSON of `Callback`; `open` is 0 once nothing more will come of it.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS callback (
    id TEXT NOT NULL PRIMARY KEY,
    open INTEGER NOT NULL,
    callback TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS callback_open ON callback (id) WHERE open = 1;
";

/// More are not taken up again; the engine keeps fewer at once.
const MOST: i64 = 100_000;

pub(super) async fn are_there(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = 'callback'").fetch_one(connection).await?;
    Ok(there == 1)
}

pub(super) async fn make(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(TABLES).execute(connection).await?;
    Ok(())
}

/// As it is now.
pub(super) async fn note(connection: &mut SqliteConnection, callback: &Callback) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO callback (id, open, callback) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET open = excluded.open, callback = excluded.callback",
    )
    .bind(callback.id.to_string())
    .bind(!callback.state.is_final())
    // Numbers, names and times: nothing that JSON cannot hold.
    .bind(serde_json::to_string(callback).unwrap_or_default())
    .execute(connection)
    .await?;
    Ok(())
}

/// Those that are still promised, in the order in which they were asked for.
pub(super) async fn promised(connection: &mut SqliteConnection) -> Result<Vec<Callback>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, callback FROM callback WHERE open = 1 ORDER BY id LIMIT ?")
        .bind(MOST)
        .fetch_all(connection)
        .await?;
    let mut promised = Vec::new();
    for row in rows {
        match serde_json::from_str(row.try_get(1)?) {
            Ok(callback) => promised.push(callback),
            Err(error) => {
                let id: &str = row.try_get(0)?;
                tracing::error!(id, %error, "a call-back that was promised cannot be read; it is passed over");
            }
        }
    }
    Ok(promised)
}
