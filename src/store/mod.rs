//! Call records that survive the death of the process at any moment.
//!
//! ```text
//! engine's thread -- append --> spool (files, preallocated) -----------------------+
//!                       |                                                          | read at the next start
//!                       +--> channel --> writer thread --> relais.db (SQLite, WAL) <+
//! ```
//!
//! `append` encodes an entry, writes it into the spool with one `pwrite` and hands it to the writer. It waits for
//! nobody: not for the database, not for a disk to be synchronised. What `append` has written is there after
//! `kill -9`. A loss of power can cost the last second, after which the writer synchronises the spool.
//!
//! The writer moves entries to the database in batches. Each entry has a sequence number; the highest number moved is
//! kept in the database and changes in the same transaction, so every entry is applied exactly once, however often the
//! process dies. The space of moved entries is used again. While the database is locked or gone entries stay in the
//! spool; when the spool is full they are kept in memory up to a bound, and what goes beyond is counted as lost.

mod agents;
mod audit;
mod batch;
mod callbacks;
mod contacts;
mod database;
mod entry;
mod read;
mod recordings;
mod spool;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

pub use agents::read_agent_changes;
pub use audit::{
    Audited, Deed, FileChange, Kept, Manifest, Outcome as AuditOutcome, read_audit, read_last_manifest, read_version,
    settle_audit, write_audit,
};
pub use contacts::History;
pub use entry::Entry;
pub use read::{read_contacts, read_latest, read_record, read_records, read_records_between};
pub use recordings::{Old, read_old_recordings, read_voicemails};

use crate::callback::Callback;
use crate::ids::QueueId;
use crate::record::{CallRecord, KeptRecording};
use crate::shift::AgentChange;
use crate::time::Wall;
use database::Database;
use spool::{Spool, Written};
use writer::{Job, Writer};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: {error}; the data folder must be a folder that this user can write to")]
    File { path: PathBuf, error: std::io::Error },
    #[error("{data}: another relais is running with this data folder; stop it, or give this one another --data")]
    InUse { data: PathBuf },
    #[error(
        "{path}: {error}; see that the disk has room and that no other program holds the file; if it is damaged, move it \
         away: a new one is made, and what is still in the spool goes there"
    )]
    Database { path: PathBuf, error: sqlx::Error },
    #[error("{path}: made by a newer relais (schema {found}, this one knows {known}); run that one")]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path}: made by an older relais (schema {found}, this one reads {known}); start `relais run` with this data \
         folder once, and it is brought up to date with everything in it"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("{data}: no such folder; give --data the folder that `relais run` uses")]
    NoFolder { data: PathBuf },
    #[error("{data}: no call records here (no relais.db); give --data the folder that `relais run` uses")]
    NoRecords { data: PathBuf },
}

/// A place in a queue that a caller lost when the process died.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostPlace {
    pub from: String,
    pub queue: QueueId,
    pub waiting_since: Wall,
    /// When the process was last known to be alive.
    pub lost_at: Wall,
}

/// What the last process left behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// The records of the calls that it cut off, closed as `failed` and already in the database.
    pub cut_off: Vec<CallRecord>,
    /// Places lost within the last minutes and not regained, also those of earlier crashes.
    pub lost_places: Vec<LostPlace>,
    /// Events for services outside that none has taken, as they were written down, the oldest first.
    pub untold: Vec<String>,
    /// Call-backs that were promised and not kept.
    pub callbacks: Vec<Callback>,
    /// The last state of each agent.
    pub agents: Vec<AgentChange>,
    /// Messages, and recordings that are held.
    pub kept: Vec<KeptRecording>,
    /// Entries that were in the spool only.
    pub replayed: u64,
}

/// Live figures of the store; read by anybody, at any time.
#[derive(Debug, Default)]
pub struct Counters {
    pub appended: AtomicU64,
    /// In the database.
    pub moved: AtomicU64,
    /// Not yet in the database.
    pub waiting: AtomicU64,
    /// Of those, in memory only because the spool is full or cannot be written; in bytes.
    pub memory_bytes: AtomicU64,
    /// Did not fit into memory either.
    pub lost: AtomicU64,
    /// Attempts to write to the database that failed.
    pub database_failures: AtomicU64,
    pub database_down: AtomicBool,
}

/// The sizes of the spool and of what may wait in memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub segments: usize,
    pub segment: u64,
    pub memory: u64,
}

impl Default for Sizes {
    /// 64 MB of each: some 20,000 calls that the database need not take.
    fn default() -> Self {
        Sizes { segments: 4, segment: 16 << 20, memory: 64 << 20 }
    }
}

/// The engine's thread owns it.
pub struct Store {
    spool: Spool,
    sizes: Sizes,
    jobs: crossbeam_channel::Sender<Job>,
    counters: Arc<Counters>,
    closing: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens the store in the folder `data`, which is made if need be; one process at a time. Moves what the last
    /// process left in the spool and closes the calls it cut off.
    pub fn open(data: &Path) -> Result<(Store, Recovered), StoreError> {
        Store::open_sized(data, Sizes::default())
    }

    pub fn open_sized(data: &Path, sizes: Sizes) -> Result<(Store, Recovered), StoreError> {
        std::fs::create_dir_all(data).map_err(|error| StoreError::File { path: data.to_owned(), error })?;
        let (lock, last_alive) = lock(data)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::File { path: data.to_owned(), error })?;
        let mut database = runtime.block_on(Database::open(data))?;
        let (recovered, applied) = runtime.block_on(recover(&mut database, data, last_alive))?;
        let applied = Arc::new(AtomicU64::new(applied));
        let spool = Spool::open(data, sizes, applied.clone())?;
        let counters = Arc::new(Counters::default());
        let closing = Arc::new(AtomicBool::new(false));
        let (jobs, inbox) = crossbeam_channel::unbounded();
        let writer = Writer {
            runtime,
            data: data.to_owned(),
            database: Some(database),
            inbox,
            applied,
            counters: counters.clone(),
            files: spool.files(),
            alive: lock.try_clone().map_err(|error| StoreError::File { path: data.to_owned(), error })?,
            closing: closing.clone(),
            next_try: std::time::Instant::now(),
            retry: writer::RETRY,
        };
        let writer = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::File { path: data.to_owned(), error })?;
        Ok((Store { spool, sizes, jobs, counters, closing, writer: Some(writer), _lock: lock }, recovered))
    }

    /// When this returns the entry is in the spool and survives the process. Some microseconds; never waits.
    /// Where the spool is full or cannot be written the entry is kept in memory.
    pub fn append(&mut self, mut entry: Entry) {
        entry.make_finite();
        let counters = &self.counters;
        counters.appended.fetch_add(1, Ordering::Relaxed);
        let (sequence, written) = self.spool.append(&entry);
        let memory_bytes = match written {
            Written::ToSpool => 0,
            Written::NotForWantOfSpace(bytes) => {
                let held = counters.memory_bytes.load(Ordering::Relaxed);
                // Without the database or the spool, what only serves recovery gives way to what has ended.
                let room = if entry.ends_something() { self.sizes.memory } else { self.sizes.memory / 2 };
                if held + bytes > room {
                    counters.lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                counters.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
                bytes
            }
        };
        counters.waiting.fetch_add(1, Ordering::Relaxed);
        // The writer ends only when this sender is dropped.
        let _ = self.jobs.send(Job { sequence, entry, memory_bytes });
    }

    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Moves what is left to the database, for some seconds at most; what does not get there stays in the spool.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        let (closed, _) = crossbeam_channel::bounded(0);
        drop(std::mem::replace(&mut self.jobs, closed));
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// One process at a time uses the folder. The lock file's time says when the last one was alive.
fn lock(data: &Path) -> Result<(File, Wall), StoreError> {
    let path = data.join("relais.lock");
    let failed = |error| StoreError::File { path: path.clone(), error };
    let existed = path.exists();
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { data: data.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let touched = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    let now = Wall::now();
    let last_alive = if existed { Wall::try_from(touched).unwrap_or(now).min(now) } else { now };
    Ok((file, last_alive))
}

/// Gives what was recovered, and the highest sequence number in use.
async fn recover(database: &mut Database, data: &Path, last_alive: Wall) -> Result<(Recovered, u64), StoreError> {
    let applied = database.applied().await?;
    let entries = spool::read(data, applied)?;
    let replayed = entries.len() as u64;
    let highest = entries.last().map_or(applied, |(sequence, _)| *sequence);
    for batch in entries.chunks(writer::BATCH) {
        database.apply(batch.iter().map(|(sequence, entry)| (*sequence, entry))).await?;
    }
    let (cut_off, lost_places) = database.close_cut_off(last_alive).await?;
    let untold = database.untold().await?;
    let callbacks = database.promised().await?;
    let agents = database.stop_agents(last_alive).await?;
    let kept = database.kept().await?;
    Ok((Recovered { cut_off, lost_places, untold, callbacks, agents, kept, replayed }, highest))
}

#[cfg(test)]
mod tests;
