//! A small JSON file in the data folder that several processes read and change: tokens, and the people who log in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file another process changed is looked at no more often than this, whoever asks.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Which version of the file is loaded: time, size and inode (each change is a new file).
type Stamp = (i64, i64, u64, u64);

/// Why a table cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{path}: {error}; the data folder must be writable by the user that runs relais", path = .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{path} is not a table of {what} ({error}); restore it, or move it away to start anew", path = .path.display())]
    Unreadable { path: PathBuf, what: &'static str, error: serde_json::Error },
}

/// The file and what is known of it. Changes of several processes are serialised by a lock file beside it.
#[derive(Debug)]
pub(super) struct Table {
    folder: PathBuf,
    what: &'static str,
    loaded: Mutex<(Option<Stamp>, Option<Instant>)>,
}

impl Table {
    /// The table of `what` in `folder`, which is made where it is not there.
    pub fn open(folder: &Path, what: &'static str) -> Result<Table, TableError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .map_err(|error| TableError::Io { path: folder.to_owned(), error })?;
        Ok(Table { folder: folder.to_owned(), what, loaded: Mutex::new((None, None)) })
    }

    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Holds other processes off until the file is dropped.
    pub fn lock(&self) -> Result<File, TableError> {
        let path = self.folder.join(format!("{}.lock", self.what));
        let locked = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| TableError::Io { path, error })
    }

    pub fn load<T: DeserializeOwned>(&self) -> Result<T, TableError> {
        let path = self.path();
        let text = fs::read(&path).map_err(|error| TableError::Io { path: path.clone(), error })?;
        serde_json::from_slice(&text).map_err(|error| TableError::Unreadable { path, what: self.what, error })
    }

    pub fn store(&self, table: &impl Serialize) -> Result<(), TableError> {
        let path = self.path();
        let text = serde_json::to_vec_pretty(table).map_err(|error| TableError::Unreadable {
            path: path.clone(),
            what: self.what,
            error,
        })?;
        write_private(&path, &text)
    }

    /// Reads the file, hands it to `take`, and remembers which version that was.
    pub fn read<T: DeserializeOwned>(&self, take: impl FnOnce(T)) -> Result<(), TableError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        take(self.load()?);
        *loaded = (stamp, Some(Instant::now()));
        Ok(())
    }

    /// Whether another process changed it since it was read; true once in a while only.
    pub fn has_changed(&self) -> bool {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.1.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL) {
            return false;
        }
        loaded.1 = Some(Instant::now());
        loaded.0 != self.stamp()
    }

    /// The same, looked at each time it is asked.
    pub fn has_changed_by_now(&self) -> bool {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).0 != self.stamp()
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.what))
    }

    fn stamp(&self) -> Option<Stamp> {
        let found = fs::metadata(self.path()).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
    }

    /// As if it had been read long ago.
    #[cfg(test)]
    pub fn age(&self) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).1 = None;
    }
}

/// Puts a file of mode 0600 at `path` in one step: nobody ever sees it half written or readable by others.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), TableError> {
    let draft = path.with_extension("new");
    let written = (|| {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    written.map_err(|error| TableError::Io { path: path.to_owned(), error })
}
