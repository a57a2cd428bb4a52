//! Who changed what of the centre: one row each, and the texts of files as they were, so that they can be put back.
//!
//! It is written by whoever serves the change, beside the writer of records and in short transactions of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use utoipa::ToSchema;

use super::{StoreError, database};
use crate::record::millis;
use crate::time::Wall;

/// `entry` is the JSON of `Audited`, `manifest` that of the files by their names, each with the key of its text.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    entry TEXT NOT NULL,
    manifest TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS file_text (hash TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Older entries are forgotten, and with them the texts that no other entry names.
const KEPT: i64 = 2_000;
/// Of those, so many know the files as they were.
const VERSIONS_KEPT: i64 = 300;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The files were found otherwise than the last entry left them: somebody changed them on the disk.
    Found,
    /// Files were written and taken.
    Activated,
    /// The files of an earlier entry were put back.
    RolledBack,
    PromptWritten,
    PromptRemoved,
    UserAdded,
    UserChanged,
    UserRemoved,
    PasswordSet,
    SecondFactorSet,
    SecondFactorRemoved,
    SessionsEnded,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum Outcome {
    /// It was begun; where nothing else follows, the process died.
    Begun,
    Done,
    /// It was refused when it was tried, and everything put back.
    Refused,
}

/// One file that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileChange {
    pub file: String,
    /// The etag of its text before; null: it was not there.
    pub before: Option<String>,
    /// The etag of its text after; null: it is gone.
    pub after: Option<String>,
}

/// One change, with who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audited {
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Wall,
    /// The user, or the token by its name.
    pub who: String,
    /// Their role.
    pub role: String,
    pub what: Deed,
    pub outcome: Outcome,
    /// Whom or what it was done to, where it is not files.
    pub subject: Option<String>,
    /// Why, in their own words.
    pub note: Option<String>,
    #[serde(default)]
    pub files: Vec<FileChange>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Kept {
    pub id: i64,
    #[serde(flatten)]
    pub entry: Audited,
    /// The files as they were then are known, and can be put back.
    pub has_version: bool,
}

/// Every file by its name, with the etag of its text.
pub type Manifest = BTreeMap<String, String>;

/// The files, with their texts by their etags.
type Version = (Manifest, BTreeMap<String, String>);

/// Adds an entry; with a manifest, the texts it names come by their etags. Gives the number of the entry.
pub fn write_audit(
    data: &Path,
    entry: &Audited,
    version: Option<(&Manifest, &BTreeMap<String, String>)>,
) -> Result<i64, StoreError> {
    with_writable(data, async |connection| {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let manifest = version.map(|(manifest, _)| json(manifest));
        let added = sqlx::query("INSERT INTO audit (at_ms, entry, manifest) VALUES (?, ?, ?)")
            .bind(entry.at.as_millisecond())
            .bind(json(entry))
            .bind(manifest)
            .execute(&mut *transaction)
            .await?;
        for (hash, text) in version.into_iter().flat_map(|(_, texts)| texts) {
            sqlx::query("INSERT INTO file_text (hash, text) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(hash)
                .bind(text)
                .execute(&mut *transaction)
                .await?;
        }
        forget(&mut transaction).await?;
        transaction.commit().await?;
        Ok(added.last_insert_rowid())
    })
}

/// Says how an entry went.
pub fn settle_audit(data: &Path, id: i64, entry: &Audited) -> Result<(), StoreError> {
    with_writable(data, async |connection| {
        sqlx::query("UPDATE audit SET entry = ? WHERE id = ?").bind(json(entry)).bind(id).execute(connection).await?;
        Ok(())
    })
}

/// The latest entries, the latest first: those before `before`, where one is named.
pub fn read_audit(data: &Path, before: Option<i64>, limit: usize) -> Result<Vec<Kept>, StoreError> {
    with_writable(data, async |connection| {
        let rows =
            sqlx::query("SELECT id, entry, manifest IS NOT NULL FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?")
                .bind(before.unwrap_or(i64::MAX))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await?;
        let mut kept = Vec::new();
        for row in rows {
            let id = row.try_get(0)?;
            match serde_json::from_str(row.try_get(1)?) {
                Ok(entry) => kept.push(Kept { id, entry, has_version: row.try_get(2)? }),
                Err(error) => tracing::error!(id, %error, "an entry of the audit cannot be read; it is passed over"),
            }
        }
        Ok(kept)
    })
}

/// The files as an entry left them, with their texts by their etags; `None` where that is not known.
pub fn read_version(data: &Path, id: i64) -> Result<Option<Version>, StoreError> {
    with_writable(data, async |connection| {
        let manifest: Option<String> =
            sqlx::query_scalar("SELECT manifest FROM audit WHERE id = ? AND manifest IS NOT NULL")
                .bind(id)
                .fetch_optional(&mut *connection)
                .await?;
        let Some(manifest) = manifest.and_then(|text| serde_json::from_str::<Manifest>(&text).ok()) else {
            return Ok(None);
        };
        let mut texts = BTreeMap::new();
        for hash in manifest.values() {
            let text: Option<String> = sqlx::query_scalar("SELECT text FROM file_text WHERE hash = ?")
                .bind(hash)
                .fetch_optional(&mut *connection)
                .await?;
            texts.extend(text.map(|text| (hash.clone(), text)));
        }
        Ok(manifest.values().all(|hash| texts.contains_key(hash)).then_some((manifest, texts)))
    })
}

/// The manifest of the last entry that has one and was carried out.
pub fn read_last_manifest(data: &Path) -> Result<Option<Manifest>, StoreError> {
    with_writable(data, async |connection| {
        let manifest: Option<String> = sqlx::query_scalar(
            "SELECT manifest FROM audit
             WHERE manifest IS NOT NULL AND json_extract(entry, '$.outcome') = 'done' ORDER BY id DESC LIMIT 1",
        )
        .fetch_optional(connection)
        .await?;
        Ok(manifest.and_then(|text| serde_json::from_str(&text).ok()))
    })
}

/// Lets go of what is too old, and of texts that nothing names any more.
async fn forget(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?")
        .bind(KEPT)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE audit SET manifest = NULL WHERE manifest IS NOT NULL AND id NOT IN
         (SELECT id FROM audit WHERE manifest IS NOT NULL ORDER BY id DESC LIMIT ?)",
    )
    .bind(VERSIONS_KEPT)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM file_text WHERE hash NOT IN
         (SELECT value FROM audit, json_each(audit.manifest) WHERE manifest IS NOT NULL)",
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn json(value: &impl Serialize) -> String {
    // Names, times and texts: nothing that JSON cannot hold.
    serde_json::to_string(value).unwrap_or_default()
}

/// Opens the database for a moment, also beside the writer of a running server: waits two seconds at most for it.
fn with_writable<T>(
    data: &Path,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    let path = database::path(data);
    let failed = |error| StoreError::Database { path: path.clone(), error };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::File { path: data.to_owned(), error })?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(2))
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(failed)?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await.map_err(failed)?;
        let done = work(&mut connection).await.map_err(failed);
        // What was committed is on the disk; closing says nothing more.
        let _ = connection.close().await;
        done
    })
}
