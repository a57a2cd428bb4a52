//! Where recordings are, below their folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::ids::RecordingId;
use crate::time::Wall;

/// How a recording is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// By the centre's key: see `vault`.
    Sealed,
}

impl Form {
    pub const ALL: [Form; 2] = [Form::Sealed, Form::Plain];

    /// The end of the file's name.
    fn ending(self) -> &'static str {
        match self {
            Form::Plain => "flac",
            Form::Sealed => "sealed",
        }
    }
}

/// A recording's file below the folder of recordings: a folder a day (UTC), so that none grows too large. The name is our
/// own id, nothing of it comes from outside.
pub fn relative(recording: RecordingId, form: Form) -> PathBuf {
    let day = Wall::from_millisecond(recording.unix_ms()).unwrap_or_default().strftime("%Y-%m-%d").to_string();
    Path::new(&day).join(file_name(recording, form))
}

/// The file of a recording that has ended, if there is one.
pub fn find(folder: &Path, recording: RecordingId) -> Option<(PathBuf, Form)> {
    let mut places = Form::ALL.into_iter().map(|form| (folder.join(relative(recording, form)), form));
    places.find(|(path, _)| path.is_file())
}

/// What a file's name says, also of one that is under way.
pub fn named(name: &str) -> Option<(RecordingId, Form)> {
    let (id, ending) = name.split_once('.')?;
    let form = Form::ALL.into_iter().find(|form| form.ending() == ending)?;
    let id: RecordingId = id.parse().ok()?;
    (file_name(id, form) == name).then_some((id, form))
}

pub(super) fn under_way(folder: &Path) -> PathBuf {
    folder.join("under-way")
}

pub(super) fn file_name(recording: RecordingId, form: Form) -> String {
    format!("{recording}.{}", form.ending())
}

pub(super) fn put_in_place(folder: &Path, recording: RecordingId, form: Form) -> io::Result<()> {
    let place = folder.join(relative(recording, form));
    if let Some(day) = place.parent() {
        private_folder(day)?;
    }
    fs::rename(under_way(folder).join(file_name(recording, form)), place)
}

/// Makes a folder that only this user may look into.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_no_other_is_taken_for_one() {
        let id = RecordingId::new(1_764_328_000_000, 5);
        for form in Form::ALL {
            assert_eq!(named(&file_name(id, form)), Some((id, form)));
        }
        for wrong in ["5.flac", "a.flac", ".flac", &format!("{id}"), &format!("{id}.wav"), &format!("{id}.flac.new")] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
