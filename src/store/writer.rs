//! The thread that moves entries from the spool to the database.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::database::{self, Database};
use super::entry::Entry;
use super::spool::SegmentFile;
use super::{Counters, StoreError};

/// Entries a transaction.
pub(super) const BATCH: usize = 500;
/// At most one commit in this time, so that each serves many entries.
const PACE: Duration = Duration::from_millis(250);
/// The spool is synchronised and the sign of life renewed this often.
const BEAT: Duration = Duration::from_secs(1);
/// After a failure the database is tried again, first after this time, then after ever longer ones.
pub(super) const RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// When the store closes the database gets this much more time to take what is left.
const CLOSING: Duration = Duration::from_secs(5);

pub(super) struct Job {
    pub(super) sequence: u64,
    pub(super) entry: Entry,
    /// What this entry counts for in `Counters::memory_bytes`.
    pub(super) memory_bytes: u64,
}

pub(super) struct Writer {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) data: PathBuf,
    /// `None` after a failure, until it is opened again.
    pub(super) database: Option<Database>,
    pub(super) inbox: Receiver<Job>,
    pub(super) applied: Arc<AtomicU64>,
    pub(super) counters: Arc<Counters>,
    pub(super) files: Vec<Arc<SegmentFile>>,
    pub(super) alive: File,
    pub(super) closing: Arc<AtomicBool>,
    pub(super) next_try: Instant,
    pub(super) retry: Duration,
}

impl Writer {
    /// Until the store is closed and everything has been moved, or the time for that is over.
    pub(super) fn run(mut self) {
        let mut batch: Vec<Job> = Vec::new();
        let mut next_beat = Instant::now();
        let mut give_up = None;
        loop {
            if Instant::now() >= next_beat {
                self.beat();
                next_beat = Instant::now() + BEAT;
            }
            if self.closing.load(Ordering::Acquire) {
                let deadline = *give_up.get_or_insert_with(|| Instant::now() + CLOSING);
                if Instant::now() >= deadline {
                    break;
                }
            }
            if batch.is_empty() {
                match self.inbox.recv_timeout(PACE) {
                    Ok(job) => batch.push(job),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            let more = self.attempt(&mut batch);
            if !more && (give_up.is_none() || !batch.is_empty()) {
                std::thread::sleep(PACE);
            }
        }
        self.beat();
        if let Some(database) = self.database.take() {
            self.runtime.block_on(database.close());
        }
        if !batch.is_empty() || !self.inbox.is_empty() {
            let left = batch.len() + self.inbox.len();
            tracing::warn!(
                left,
                "the database did not take all call records; those in the spool follow at the next start"
            );
        }
    }

    /// Fills the batch and moves it, unless the last failure is too fresh. True: there may be a full batch more.
    fn attempt(&mut self, batch: &mut Vec<Job>) -> bool {
        if Instant::now() < self.next_try {
            return false;
        }
        batch.extend(self.inbox.try_iter().take(BATCH.saturating_sub(batch.len())));
        let full = batch.len() >= BATCH;
        match self.move_entries(batch) {
            Ok(()) => {
                batch.clear();
                self.retry = RETRY;
                full
            }
            Err(error) => {
                self.failed(&error);
                self.next_try = Instant::now() + self.retry;
                self.retry = (self.retry * 2).min(LONGEST_RETRY);
                false
            }
        }
    }

    fn move_entries(&mut self, batch: &[Job]) -> Result<(), StoreError> {
        let Writer { runtime, database, data, .. } = self;
        let moved = runtime.block_on(async {
            let open = match database {
                Some(open) => open,
                None => database.insert(Database::open(data).await?),
            };
            open.apply(batch.iter().map(|job| (job.sequence, &job.entry))).await
        });
        if moved.is_err() {
            *database = None;
            return moved;
        }
        if let Some(last) = batch.last() {
            self.applied.store(last.sequence, Ordering::Release);
        }
        let memory = batch.iter().map(|job| job.memory_bytes).sum();
        self.counters.memory_bytes.fetch_sub(memory, Ordering::Relaxed);
        self.counters.waiting.fetch_sub(batch.len() as u64, Ordering::Relaxed);
        self.counters.moved.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if self.counters.database_down.swap(false, Ordering::Relaxed) {
            tracing::info!("the database takes call records again");
        }
        Ok(())
    }

    fn failed(&self, error: &StoreError) {
        self.counters.database_failures.fetch_add(1, Ordering::Relaxed);
        if !self.counters.database_down.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the database takes no call records; they wait in the spool");
        }
    }

    /// Brings the spool to the disk, shows that the process is alive, and publishes the figures.
    fn beat(&mut self) {
        for segment in &self.files {
            if segment.dirty.swap(false, Ordering::AcqRel)
                && let Err(error) = segment.file.sync_data()
            {
                tracing::warn!(%error, "the spool cannot be synchronised");
            }
        }
        if let Err(error) = self.alive.set_modified(SystemTime::now()) {
            tracing::warn!(%error, "the sign of life cannot be renewed");
        }
        // SQLite goes on writing into a file that somebody has deleted.
        if self.database.is_some() && !database::path(&self.data).exists() {
            tracing::error!("relais.db is gone; a new one is made");
            self.database = None;
        }
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let counters = &self.counters;
        metrics::counter!("relais_records_appended_total").absolute(read(&counters.appended));
        metrics::counter!("relais_records_moved_total").absolute(read(&counters.moved));
        metrics::counter!("relais_records_lost_total").absolute(read(&counters.lost));
        metrics::counter!("relais_records_database_failures_total").absolute(read(&counters.database_failures));
        metrics::gauge!("relais_records_waiting").set(read(&counters.waiting) as f64);
        metrics::gauge!("relais_records_memory_bytes").set(read(&counters.memory_bytes) as f64);
        let down = counters.database_down.load(Ordering::Relaxed);
        metrics::gauge!("relais_records_database_down").set(f64::from(u8::from(down)));
    }
}
