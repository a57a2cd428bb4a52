//! Drafts put into use, and earlier files put back: written whole or not at all, taken by a reload, and told in the audit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use super::files::{Change, Draft, etag, read};
use super::{Bench, BenchError};
use crate::findings::Finding;
use crate::store::{self, AuditOutcome, Audited, Deed, FileChange, Kept, Manifest};
use crate::time::Wall;

/// Longest note, in characters.
const LONGEST_NOTE: usize = 500;
/// Entries given at once.
pub const MOST_ENTRIES: usize = 200;
/// What a new file may be read by: those who could read the others.
const MODE: u32 = 0o644;

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user, or the token by its name.
    pub who: String,
    pub role: String,
}

impl Actor {
    /// An entry of something that is no file and is done.
    pub fn did(&self, what: Deed, subject: &str) -> Audited {
        Audited {
            at: Wall::now(),
            who: self.who.clone(),
            role: self.role.clone(),
            what,
            outcome: AuditOutcome::Done,
            subject: Some(subject.to_owned()),
            note: None,
            files: Vec::new(),
        }
    }
}

/// What came of putting files into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Activated {
    /// The number of the entry in the audit.
    pub entry: i64,
    /// How often a configuration was taken since the start.
    pub generation: u64,
    pub files: Vec<FileChange>,
    /// What works but is probably not meant so.
    pub warnings: Vec<Finding>,
}

/// The files as an entry left them, beside those of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Version {
    pub id: i64,
    /// The files that are otherwise now; putting the version back changes these.
    pub differs: Vec<FileChange>,
    /// Of the files as they are now: to be given when the version is put back.
    pub etag: String,
}

/// The files of now.
struct Snapshot {
    manifest: Manifest,
    texts: BTreeMap<String, String>,
}

impl Bench {
    /// Writes the files of a draft and takes them. Refused, with nothing changed, where a file is not as it was opened,
    /// where `check` finds errors, and where the reload refuses them.
    pub fn activate(&self, changes: Vec<Change>, by: Actor, note: Option<String>) -> Result<Activated, BenchError> {
        let note = checked_note(note)?;
        let _writing = self.alone()?;
        let draft = self.draft(changes)?;
        if draft.changes.is_empty() {
            return Err(BenchError::Invalid("the draft changes nothing; name the files with their texts".to_owned()));
        }
        let now = self.snapshot()?;
        check_etags(&draft, &now)?;
        self.load(&draft)?;
        self.put(&draft, now, (Deed::Activated, None), by, note)
    }

    /// Puts the files back as an entry left them. `seen` is the etag of the files that the version was compared with.
    pub fn roll_back(&self, id: i64, seen: &str, by: Actor, note: Option<String>) -> Result<Activated, BenchError> {
        let note = checked_note(note)?;
        let _writing = self.alone()?;
        let now = self.snapshot()?;
        if set_etag(&now.manifest) != seen {
            let message = "files have changed since the version was compared with them; compare again";
            return Err(BenchError::Changed(message.to_owned()));
        }
        let (manifest, texts) = self.kept(id)?;
        let text = |file: &String| manifest.get(file).and_then(|hash| texts.get(hash)).cloned();
        let changes = differing(&now.manifest, &manifest).into_iter().map(|change| Change {
            text: text(&change.file),
            file: change.file,
            etag: change.before,
        });
        let draft = Draft::unbounded(&self.config, changes.collect())?;
        if draft.changes.is_empty() {
            return Err(BenchError::Invalid(format!(
                "the files are as entry {id} left them; nothing is to be put back"
            )));
        }
        self.load(&draft)?;
        self.put(&draft, now, (Deed::RolledBack, Some(id.to_string())), by, note)
    }

    /// Who changed what, the latest first.
    pub fn history(&self, before: Option<i64>, limit: usize) -> Result<Vec<Kept>, BenchError> {
        store::read_audit(&self.data, before, limit.min(MOST_ENTRIES)).map_err(disk)
    }

    /// What would change if the files were put back as an entry left them.
    pub fn version(&self, id: i64) -> Result<Version, BenchError> {
        let now = self.snapshot()?;
        let (manifest, _) = self.kept(id)?;
        Ok(Version { id, differs: differing(&now.manifest, &manifest), etag: set_etag(&now.manifest) })
    }

    /// The text of a file as an entry left it.
    pub fn version_text(&self, id: i64, file: &str) -> Result<String, BenchError> {
        let (manifest, mut texts) = self.kept(id)?;
        let text = manifest.get(file).and_then(|hash| texts.remove(hash));
        text.ok_or_else(|| {
            BenchError::Unknown(format!("entry {id} knows no such file; GET it without a name to see which differ"))
        })
    }

    /// Notes something that is no file.
    pub fn note(&self, entry: &Audited) -> Result<(), BenchError> {
        store::write_audit(&self.data, entry, None).map(|_| ()).map_err(disk)
    }

    fn kept(&self, id: i64) -> Result<(Manifest, BTreeMap<String, String>), BenchError> {
        store::read_version(&self.data, id).map_err(disk)?.ok_or_else(|| {
            BenchError::Unknown(format!(
                "entry {id} of the history has no files to go back to; choose one that has a version"
            ))
        })
    }

    pub(super) fn alone(&self) -> Result<std::sync::MutexGuard<'_, ()>, BenchError> {
        match self.writing.try_lock() {
            Ok(guard) => Ok(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => {
                Err(BenchError::Busy("somebody else puts files into use just now; try again in a moment".to_owned()))
            }
        }
    }

    fn snapshot(&self) -> Result<Snapshot, BenchError> {
        let draft = self.draft(Vec::new())?;
        let mut now = Snapshot { manifest: Manifest::new(), texts: BTreeMap::new() };
        for path in draft.listed.files.keys() {
            let name = draft.name_of(path);
            // What the bench cannot read it does not change either.
            if let Ok(text) = read(path, &name) {
                let hash = etag(&text);
                now.manifest.insert(name, hash.clone());
                now.texts.insert(hash, text);
            }
        }
        Ok(now)
    }

    /// Writes, takes, and tells. The entry stands before anything is written, so that a crash loses no text.
    fn put(
        &self,
        draft: &Draft,
        now: Snapshot,
        (what, subject): (Deed, Option<String>),
        by: Actor,
        note: Option<String>,
    ) -> Result<Activated, BenchError> {
        let last = store::read_last_manifest(&self.data).map_err(disk)?;
        if last.as_ref() != Some(&now.manifest) {
            let files = differing(last.as_ref().unwrap_or(&Manifest::new()), &now.manifest);
            let found = Actor { who: String::new(), role: String::new() }.did(Deed::Found, "");
            let found = Audited { subject: None, files, ..found };
            store::write_audit(&self.data, &found, Some((&now.manifest, &now.texts))).map_err(disk)?;
        }
        let (after, texts) = with_changes(draft, &now);
        let files = differing(&now.manifest, &after);
        let mut entry =
            Audited { subject, note, files: files.clone(), outcome: AuditOutcome::Begun, ..by.did(what, "") };
        let id = store::write_audit(&self.data, &entry, Some((&after, &texts))).map_err(disk)?;
        let taken = self.write_and_take(draft, &now);
        entry.outcome = if taken.is_ok() { AuditOutcome::Done } else { AuditOutcome::Refused };
        if let Err(error) = store::settle_audit(&self.data, id, &entry) {
            tracing::error!("what came of entry {id} of the audit is not noted: {error}");
        }
        let (generation, warnings) = taken?;
        tracing::info!(who = entry.who, entry = id, "{} files put into use", files.len());
        Ok(Activated { entry: id, generation, files, warnings: draft.named(warnings) })
    }

    fn write_and_take(&self, draft: &Draft, now: &Snapshot) -> Result<(u64, Vec<Finding>), BenchError> {
        let before = |path: &Path| {
            let hash = now.manifest.get(&draft.name_of(path))?;
            now.texts.get(hash).cloned()
        };
        let texts = |text: &dyn Fn(&Path, &Change) -> Option<String>| -> Vec<(PathBuf, Option<String>)> {
            draft.changes.iter().map(|(path, change)| (path.clone(), text(path, change))).collect()
        };
        let back = || replace(&texts(&|path, _| before(path)));
        let unchanged = || {
            let is_as_seen = |path: &PathBuf| match before(path) {
                Some(text) => read(path, "").is_ok_and(|found| found == text),
                None => !path.exists(),
            };
            draft.changes.keys().all(is_as_seen)
        };
        if !unchanged() {
            return Err(BenchError::Changed("a file changed at this very moment; open it again".to_owned()));
        }
        if let Err(error) = replace(&texts(&|_, change| change.text.clone())) {
            put_back(back);
            return Err(error);
        }
        match (self.reload)() {
            Some(view) => match view.last {
                Some(attempt) if !attempt.taken => {
                    put_back(back);
                    (self.reload)();
                    Err(BenchError::Findings(draft.named(attempt.findings)))
                }
                last => Ok((view.generation, last.map(|attempt| attempt.findings).unwrap_or_default())),
            },
            None => {
                put_back(back);
                (self.reload)();
                Err(BenchError::Busy(
                    "the reload did not come to its end in time, so the files are as before; try again".to_owned(),
                ))
            }
        }
    }
}

fn put_back(back: impl FnOnce() -> Result<(), BenchError>) {
    if let Err(error) = back() {
        tracing::error!("files could not be put back: {error}; the history of the bench has their texts");
    }
}

fn disk(error: store::StoreError) -> BenchError {
    BenchError::Disk(error.to_string())
}

fn checked_note(note: Option<String>) -> Result<Option<String>, BenchError> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(BenchError::Invalid(format!("the note is too long; write at most {LONGEST_NOTE} characters")));
    }
    Ok(note)
}

/// What tells two sets of files apart.
pub(super) fn set_etag(manifest: &Manifest) -> String {
    let lines: Vec<String> = manifest.iter().map(|(file, hash)| format!("{hash} {file}")).collect();
    etag(&lines.join("\n"))
}

fn differing(before: &Manifest, after: &Manifest) -> Vec<FileChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing
        .map(|name| FileChange {
            file: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

/// The files as they will be, and the texts that are new.
fn with_changes(draft: &Draft, now: &Snapshot) -> (Manifest, BTreeMap<String, String>) {
    let (mut manifest, mut texts) = (now.manifest.clone(), now.texts.clone());
    for (path, change) in &draft.changes {
        let name = draft.name_of(path);
        match &change.text {
            Some(text) => {
                let hash = etag(text);
                manifest.insert(name, hash.clone());
                texts.insert(hash, text.clone());
            }
            None => drop(manifest.remove(&name)),
        }
    }
    (manifest, texts)
}

/// Every file is as it was when somebody opened it.
fn check_etags(draft: &Draft, now: &Snapshot) -> Result<(), BenchError> {
    for (path, change) in &draft.changes {
        let name = draft.name_of(path);
        let found = now.manifest.get(&name);
        // A link or a pipe, or no text: it is neither read nor written over.
        if found.is_none() && path.symlink_metadata().is_ok() {
            read(path, &name)?;
        }
        if found == change.etag.as_ref() {
            continue;
        }
        let how = match (found, &change.etag) {
            (None, _) => "is not there any more",
            (Some(_), None) => "is there already",
            (Some(_), Some(_)) => "was changed by somebody else since it was opened",
        };
        return Err(BenchError::Changed(format!("file '{name}' {how}; open it again and put your changes in there")));
    }
    Ok(())
}

/// Puts texts in the place of files; `None` takes a file away. Everything is written beside them first, so that what is
/// left to go wrong is a renaming.
fn replace(files: &[(PathBuf, Option<String>)]) -> Result<(), BenchError> {
    let failed = |path: &Path, error: io::Error| {
        let message =
            format!("{}: {error}; relais must be able to write there, and the disk needs room", path.display());
        BenchError::Disk(message)
    };
    let mut staged = Vec::new();
    let mut staging = Ok(());
    for (path, text) in files {
        if let Some(text) = text {
            let beside = beside(path);
            staging = stage(path, &beside, text.as_bytes()).map_err(|error| failed(path, error));
            staged.push(beside);
            if staging.is_err() {
                break;
            }
        }
    }
    if let Err(error) = staging {
        // Nobody reads what is left of them: their names begin with a dot.
        staged.iter().for_each(|beside| drop(fs::remove_file(beside)));
        return Err(error);
    }
    for (path, text) in files {
        let done = match text {
            Some(_) => fs::rename(beside(path), path),
            None => fs::remove_file(path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        done.map_err(|error| failed(path, error))?;
    }
    let folders: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
    for folder in folders {
        let folder = if folder == Path::new("") { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, error))?;
    }
    Ok(())
}

/// Puts octets in the place of a file, whole or not at all.
pub(super) fn replace_octets(path: &Path, octets: &[u8]) -> Result<(), BenchError> {
    let beside = beside(path);
    let done = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| stage(path, &beside, octets));
    done.and_then(|()| fs::rename(&beside, path)).map_err(|error| {
        // Nobody reads what is left of it: its name begins with a dot.
        let _ = fs::remove_file(&beside);
        BenchError::Disk(format!(
            "{}: {error}; relais must be able to write there, and the disk needs room",
            path.display()
        ))
    })
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.new"))
}

/// Writes it with the rights of the file that it will be.
fn stage(path: &Path, beside: &Path, octets: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(MODE, |about| about.permissions().mode() & 0o777);
    // What a process left here that died is of no use.
    let _ = fs::remove_file(beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(beside)?;
    file.write_all(octets)?;
    file.sync_all()
}
