//! The files of a configuration: one read by name, plans found by pattern; drafts of them in their place.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::dialplan::reader::At;
use crate::findings::{Findings, Source};

/// Above what any person writes into one file.
const LARGEST: u64 = 4 << 20;

/// Texts that stand in the place of files of plans, bots and examples: what somebody writes and has not put there yet.
/// `None` stands for a file that is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drafts(pub BTreeMap<PathBuf, Option<String>>);

impl Drafts {
    /// Reads the draft of a file, or the file.
    pub(super) fn read(&self, path: &Path) -> Result<Source, String> {
        match self.0.get(path) {
            Some(Some(text)) => Ok(Source { path: path.display().to_string(), text: text.clone() }),
            Some(None) => Err("cannot be read: it is gone in the draft".to_owned()),
            None => read(path),
        }
    }

    /// The files that fit a pattern, as they are with the drafts.
    pub(super) fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let mut found = matching(pattern);
        found.retain(|path| !matches!(self.0.get(path), Some(None)));
        let new = self.0.iter().filter(|(path, text)| text.is_some() && is_of(pattern, path)).map(|(path, _)| path);
        found.extend(new.cloned());
        found.sort();
        found.dedup();
        found
    }
}

/// Whether a file of that name is one of those that a pattern names.
pub(super) fn is_of(pattern: &Path, path: &Path) -> bool {
    let names = pattern.file_name().and_then(|name| name.to_str()).zip(path.file_name().and_then(|name| name.to_str()));
    let fits = names.is_some_and(|(pattern, name)| !name.starts_with('.') && fits(pattern, name));
    fits && pattern.parent() == path.parent()
}

/// Reads a text file, or says why not.
pub(super) fn read(path: &Path) -> Result<Source, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > LARGEST {
        return Err(format!("is {size} bytes long; at most {LARGEST} are read"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|error| format!("is not UTF-8 text: {error}"))?;
    Ok(Source { path: path.display().to_string(), text })
}

/// `path` below `folder`, without the detours of `..`; an absolute path stays.
pub(super) fn resolve(folder: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(resolved.components().next_back(), Some(Component::Normal(_))) => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    resolved
}

/// The files that the patterns of a key name, in the order of the patterns and then of their names.
pub(super) fn sources(
    key: &str,
    patterns: &[At<String>],
    (folder, drafts): (&Path, &Drafts),
    findings: &mut Findings<'_>,
) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for pattern in patterns {
        let path = resolve(folder, &pattern.value);
        let matches = drafts.matching(&path);
        if matches.is_empty() {
            let hint = format!("{key} = [\"{key}/*.toml\"] names every file of a folder");
            findings.error(pattern.span.clone(), format!("{key}: no file fits '{}'", path.display()), hint);
        }
        for path in matches {
            match drafts.read(&path) {
                Ok(source) if sources.iter().all(|known| known.path != source.path) => sources.push(source),
                Ok(_) => {}
                Err(message) => {
                    findings.error(pattern.span.clone(), format!("{key}: {} {message}", path.display()), None);
                }
            }
        }
    }
    sources
}

/// The files of a folder whose names fit a name with `*` in it.
pub(super) fn matching(path: &Path) -> Vec<PathBuf> {
    let Some(pattern) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    if !pattern.contains('*') {
        return if path.is_file() { vec![path.to_owned()] } else { Vec::new() };
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| !name.starts_with('.') && fits(pattern, name)))
        .map(|entry| path.with_file_name(entry.file_name()))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

/// Whether `name` fits `pattern`, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}
