//! Where recordings are, for those who write them and those who listen.

use std::path::{Path, PathBuf};

use crate::ids::RecordingId;
use crate::media::recording_file;
use crate::record::Recording;
use crate::store::read_voicemails;
use crate::web::Archive;

/// The folder of recordings in the data folder.
pub fn folder(data: &Path) -> PathBuf {
    data.join("recordings")
}

/// The recordings of a data folder.
pub struct Recordings {
    pub data: PathBuf,
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

    fn file(&self, recording: RecordingId) -> PathBuf {
        folder(&self.data).join(recording_file(recording))
    }
}
