//! Which files there are, and what may be asked for of them: names are looked up and never followed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::activate::set_etag;
use super::{Bench, BenchError, plain};
use crate::config::{Drafts, Kind, Listed};
use crate::findings::{Finding, suggest};

/// Bounds of a draft and of what is listed.
pub const MOST_CHANGES: usize = 64;
pub const LARGEST: usize = 512 * 1024;
const MOST_FILES: usize = 2_000;
const LONGEST_NAME: usize = 100;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Plan,
    Bot,
    /// What callers say to a bot.
    Examples,
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> FileKind {
        match kind {
            Kind::Plan => FileKind::Plan,
            Kind::Bot => FileKind::Bot,
            Kind::Examples => FileKind::Examples,
        }
    }
}

impl From<FileKind> for Kind {
    fn from(kind: FileKind) -> Kind {
        match kind {
            FileKind::Plan => Kind::Plan,
            FileKind::Bot => Kind::Bot,
            FileKind::Examples => Kind::Examples,
        }
    }
}

/// One file of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its name, as it is listed, or a new one in a folder that is listed.
    pub file: String,
    /// What is to stand in it; null takes it away.
    pub text: Option<String>,
    /// Of the text that was opened; null for a file that was not there. Only looked at when the draft is put into use.
    #[serde(default)]
    pub etag: Option<String>,
}

/// A file as it stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileView {
    /// From the folder of the configuration on.
    pub file: String,
    pub kind: FileKind,
    /// Of its text on the disk.
    pub etag: String,
    pub size: usize,
    /// Whether this text is what runs.
    pub runs: bool,
    /// The plan in it, with the numbers that reach it, as it runs.
    pub plan: Option<String>,
    pub numbers: Vec<String>,
    pub findings: Vec<Finding>,
}

/// A folder in which there can be files of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FolderView {
    pub kind: FileKind,
    /// New files of it are called `FOLDER/NAME`, or `NAME` where this is empty.
    pub folder: String,
    /// What their names must fit, with `*` for anything.
    pub fits: String,
}

/// Everything that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileList {
    pub files: Vec<FileView>,
    pub folders: Vec<FolderView>,
    /// Findings that stand in none of these files.
    pub findings: Vec<Finding>,
    /// Changes with any of the files.
    pub etag: String,
    /// By which trunks calls come, as it runs.
    pub trunks: Vec<String>,
}

/// A file with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Opened {
    pub file: String,
    pub kind: FileKind,
    pub text: String,
    pub etag: String,
    /// The text that runs, where it is another one; null where no such file runs.
    pub running: Option<String>,
}

/// The files with a draft in the place of some.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    pub listed: Listed,
    pub drafts: Drafts,
    /// The changes by their paths.
    pub changes: BTreeMap<PathBuf, Change>,
}

/// What tells two texts apart.
pub fn etag(text: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.truncate(32);
    digest
}

impl Draft {
    /// Takes the changes, with the files that they name. Every one of them must be, or become, one of the listed.
    pub fn new(config: &Path, changes: Vec<Change>) -> Result<Draft, BenchError> {
        if changes.len() > MOST_CHANGES {
            let message = format!("a draft changes at most {MOST_CHANGES} files; put these into use in several steps");
            return Err(BenchError::Invalid(message));
        }
        Draft::unbounded(config, changes)
    }

    /// The same for as many files as there are.
    pub(super) fn unbounded(config: &Path, changes: Vec<Change>) -> Result<Draft, BenchError> {
        let folder = config.parent().unwrap_or(Path::new("")).to_owned();
        let listed = Listed::of(config, &Drafts::default());
        let mut draft = Draft { folder, listed, drafts: Drafts::default(), changes: BTreeMap::new() };
        for change in changes {
            let path = draft.place_of(&change)?;
            let message = || format!("file '{}' stands twice in the draft; send one text of it", plain(&change.file));
            if draft.drafts.0.insert(path.clone(), change.text.clone()).is_some() {
                return Err(BenchError::Invalid(message()));
            }
            draft.changes.insert(path, change);
        }
        // A bot of the draft may name files of examples that nothing named before.
        draft.listed = Listed::of(config, &draft.drafts);
        Ok(draft)
    }

    fn place_of(&self, change: &Change) -> Result<PathBuf, BenchError> {
        let name = plain(&change.file.chars().take(2 * LONGEST_NAME).collect::<String>());
        if change.text.as_ref().is_some_and(|text| text.len() > LARGEST) {
            let message = format!("file '{name}': a file has at most {LARGEST} bytes; divide it");
            return Err(BenchError::Invalid(message));
        }
        if let Ok(path) = self.path(&change.file) {
            return Ok(path);
        }
        if change.text.is_none() {
            return Err(self.unknown(&change.file));
        }
        self.new_place(&change.file, &name)
    }

    /// Where a file that is not there yet would stand.
    fn new_place(&self, file: &str, shown: &str) -> Result<PathBuf, BenchError> {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let stem = name.strip_suffix(".toml").unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if stem.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(fine) {
            let message = format!(
                "file '{shown}': a new file is called NAME.toml, of letters, digits, '-', '_' and '.', with at most \
                 {LONGEST_NAME} of them, and does not begin with '.'"
            );
            return Err(BenchError::Invalid(message));
        }
        let patterns = self.listed.patterns.iter().filter(|(_, pattern)| self.folder_of(pattern) == folder);
        let places = patterns.map(|(_, pattern)| pattern.with_file_name(name));
        let mut fitting = places.filter(|path| self.listed.kind_of(path).is_some());
        fitting.next().ok_or_else(|| {
            let known = self.folders().into_iter().map(|view| match view.folder.is_empty() {
                true => view.fits,
                false => format!("{}/{}", view.folder, view.fits),
            });
            let known: Vec<String> = known.collect();
            BenchError::Invalid(format!(
                "file '{shown}' stands where no plan or bot is read; use {}",
                known.join(" or ")
            ))
        })
    }

    /// The file of a name that is listed.
    pub fn path(&self, file: &str) -> Result<PathBuf, BenchError> {
        let of_draft = self.drafts.0.iter().filter(|(_, text)| text.is_some()).map(|(path, _)| path);
        let mut known = self.listed.files.keys().chain(of_draft);
        known.find(|path| self.name_of(path) == file).cloned().ok_or_else(|| self.unknown(file))
    }

    fn unknown(&self, file: &str) -> BenchError {
        let names: Vec<String> = self.listed.files.keys().map(|path| self.name_of(path)).collect();
        let short: String = file.chars().take(LONGEST_NAME).collect();
        let hint = suggest(&short, names.iter().map(String::as_str)).map(|hint| format!(" ({hint})"));
        let shown = plain(&short);
        BenchError::Unknown(format!("there is no file '{shown}' of plans or bots{}", hint.unwrap_or_default()))
    }

    /// How a file is called: from the folder of the configuration on, where it stands below it.
    pub fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).to_string_lossy().into_owned()
    }

    fn folder_of(&self, path: &Path) -> String {
        path.parent().map(|folder| self.name_of(folder)).unwrap_or_default()
    }

    /// The same of a path as findings name it.
    pub fn name(&self, path: &str) -> String {
        self.name_of(Path::new(path))
    }

    /// Findings with the names of the files in the place of their paths.
    pub fn named(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        for finding in &mut findings {
            finding.file = self.name(&finding.file);
        }
        findings
    }

    pub fn folders(&self) -> Vec<FolderView> {
        let patterns =
            self.listed.patterns.iter().filter(|(_, pattern)| pattern.extension().is_some_and(|e| e == "toml"));
        let views = patterns.map(|(kind, pattern)| FolderView {
            kind: (*kind).into(),
            folder: self.folder_of(pattern),
            fits: pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        });
        views.filter(|view| view.fits.contains('*')).collect()
    }
}

/// Reads one file as it stands. Only plain files are read: no link leads elsewhere, and no pipe is waited for.
pub(super) fn read(path: &Path, name: &str) -> Result<String, BenchError> {
    let failed = |error: std::io::Error| BenchError::Disk(format!("file '{name}' cannot be read: {error}"));
    let about = std::fs::symlink_metadata(path).map_err(failed)?;
    if !about.is_file() {
        let message = format!("file '{name}' is a link or no plain file; the bench reads and writes plain files only");
        return Err(BenchError::Invalid(message));
    }
    if about.len() > LARGEST as u64 {
        let message = format!("file '{name}' has {} bytes; the bench opens files of at most {LARGEST}", about.len());
        return Err(BenchError::Invalid(message));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|_| BenchError::Invalid(format!("file '{name}' is not UTF-8 text; save it as such")))
}

impl Bench {
    pub(super) fn draft(&self, changes: Vec<Change>) -> Result<Draft, BenchError> {
        Draft::new(&self.config, changes)
    }

    /// Every file, with what is found in it. One that the bench cannot read is left out, with a finding that says so.
    pub fn list(&self) -> Result<FileList, BenchError> {
        let draft = self.draft(Vec::new())?;
        let live = self.live.load_full();
        let running: BTreeMap<String, &str> =
            live.sources().map(|source| (draft.name(&source.path), source.text.as_str())).collect();
        let mut findings = match self.load(&draft) {
            Ok(loaded) => draft.named(loaded.warnings),
            Err(BenchError::Findings(findings)) => findings,
            Err(other) => return Err(other),
        };
        let mut files = Vec::new();
        for (path, kind) in draft.listed.files.iter().take(MOST_FILES) {
            let name = draft.name_of(path);
            let text = match read(path, &name) {
                Ok(text) => text,
                Err(error) => {
                    findings.push(unreadable(&name, &error));
                    continue;
                }
            };
            let (own, others) = findings.into_iter().partition(|finding: &Finding| finding.file == name);
            findings = others;
            let plan = live.plans.iter().find(|plan| draft.name(&plan.file) == name);
            let numbers = plan.into_iter().flat_map(|plan| &plan.numbers);
            files.push(FileView {
                kind: (*kind).into(),
                etag: etag(&text),
                size: text.len(),
                runs: running.get(&name) == Some(&text.as_str()),
                plan: plan.map(|plan| plan.id.to_string()),
                numbers: numbers.map(|number| number.pattern.as_str().to_owned()).collect(),
                findings: own,
                file: name,
            });
        }
        let manifest = files.iter().map(|view| (view.file.clone(), view.etag.clone())).collect();
        let trunks = live.settings.trunks.iter().map(|trunk| trunk.id.to_string()).collect();
        Ok(FileList { files, folders: draft.folders(), findings, etag: set_etag(&manifest), trunks })
    }

    /// One file with its text.
    pub fn open(&self, file: &str) -> Result<Opened, BenchError> {
        let draft = self.draft(Vec::new())?;
        let path = draft.path(file)?;
        let text = read(&path, &draft.name_of(&path))?;
        let live = self.live.load_full();
        let running = live.sources().find(|source| Path::new(&source.path) == path).map(|source| source.text.clone());
        Ok(Opened {
            file: draft.name_of(&path),
            kind: draft.listed.files.get(&path).copied().unwrap_or(Kind::Plan).into(),
            etag: etag(&text),
            running,
            text,
        })
    }
}

fn unreadable(name: &str, error: &BenchError) -> Finding {
    Finding {
        file: name.to_owned(),
        line: 1,
        column: 1,
        severity: crate::findings::Severity::Error,
        message: error.to_string(),
        hint: None,
    }
}
