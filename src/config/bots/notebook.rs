//! What bots have learnt from their examples, in files: the next process begins with it at once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::callbot::understanding::Notes;
use crate::settings::Settings;

/// One is about five megabytes for two thousand sentences; anything larger is no note of ours.
const LARGEST: u64 = 256 << 20;
/// Bots times languages, with room for earlier versions of their examples; the oldest go.
const MOST: usize = 24;

/// A folder of notes. What cannot be read or written is done without.
#[derive(Debug)]
pub struct Notebook {
    folder: PathBuf,
}

impl Notebook {
    /// Beside the encoder, without which learning takes no time; else with the data.
    pub fn of(settings: &Settings) -> Notebook {
        let beside = settings.sentence_encoder.as_deref().and_then(Path::parent);
        Notebook::within(beside.unwrap_or(&settings.data))
    }

    fn within(folder: &Path) -> Notebook {
        Notebook { folder: folder.join("learnt") }
    }

    fn place(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.bot"))
    }

    fn tidy_up(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let age = |entry: &fs::DirEntry| entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let mut notes: Vec<_> = entries.filter_map(|entry| Some((age(&entry)?, entry.path()))).collect();
        notes.sort();
        let superfluous = notes.len().saturating_sub(MOST);
        for (_, path) in notes.iter().take(superfluous) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Notes for Notebook {
    fn read(&self, key: &str) -> Option<Vec<u8>> {
        let place = self.place(key);
        let size = fs::metadata(&place).ok()?.len();
        if size > LARGEST { None } else { fs::read(place).ok() }
    }

    fn write(&self, key: &str, octets: &[u8]) {
        // Whoever reads sees a whole note or none.
        let new = self.folder.join(format!("{key}.{}.new", std::process::id()));
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&new, octets))
            .and_then(|()| fs::rename(&new, self.place(key)));
        if let Err(error) = written {
            tracing::debug!("what a bot has learnt cannot be kept in {}: {error}", self.folder.display());
            let _ = fs::remove_file(new);
        }
        self.tidy_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept_and_the_oldest_go() {
        let data = tempfile::tempdir().unwrap();
        let notebook = Notebook::within(data.path());
        assert_eq!(notebook.read("a"), None);
        for key in 0..MOST + 5 {
            notebook.write(&key.to_string(), &[key as u8]);
        }
        let last = (MOST + 4).to_string();
        assert_eq!(notebook.read(&last), Some(vec![(MOST + 4) as u8]));
        assert_eq!(fs::read_dir(data.path().join("learnt")).unwrap().count(), MOST);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_fault() {
        let data = tempfile::NamedTempFile::new().unwrap();
        let notebook = Notebook::within(data.path());
        notebook.write("a", &[1]);
        assert_eq!(notebook.read("a"), None);
    }
}
