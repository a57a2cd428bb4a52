//! Where recordings are, for those who write them and those who listen.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::ids::RecordingId;
use crate::media::{Form, find_recording};
use crate::record::Recording;
use crate::store::read_voicemails;
use crate::vault::{Reader, Vault};
use crate::web::{Archive, Audio, AudioFault};

/// The folder of recordings in the data folder.
pub fn folder(data: &Path) -> PathBuf {
    data.join("recordings")
}

/// The recordings of a data folder.
pub struct Recordings {
    pub data: PathBuf,
    pub vault: Vault,
}

impl Archive for Recordings {
    fn voicemails(
        &self,
        mailbox: Option<&str>,
        before: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<Recording>, String> {
        read_voicemails(&self.data, mailbox, before, limit).map_err(|error| error.to_string())
    }

    fn has(&self, recording: RecordingId) -> bool {
        find_recording(&folder(&self.data), recording).is_some()
    }

    fn open(&self, recording: RecordingId) -> Result<Audio, AudioFault> {
        open(&folder(&self.data), &self.vault, recording)
    }
}

/// The audio of a recording that has ended, whatever the form of its file.
pub fn open(folder: &Path, vault: &Vault, recording: RecordingId) -> Result<Audio, AudioFault> {
    let (path, form) = find_recording(folder, recording).ok_or(AudioFault::Missing)?;
    let broken = |error: &dyn std::fmt::Display| AudioFault::Unreadable(format!("{}: {error}", path.display()));
    let file = File::open(&path).map_err(|error| broken(&error))?;
    match form {
        Form::Plain => {
            let size = file.metadata().map_err(|error| broken(&error))?.len();
            Ok(Audio { size, content: Box::new(file) })
        }
        Form::Sealed => {
            let reader = Reader::open(file, vault.keys().as_deref(), recording).map_err(|error| broken(&error))?;
            Ok(Audio { size: reader.length(), content: Box::new(reader) })
        }
    }
}
