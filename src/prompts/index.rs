//! Which file is which prompt in which language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Finding;
use super::catalogue::Catalogue;
use crate::ids::Language;

/// Endings that are read, the preferred first, and their media types.
pub(crate) const ENDINGS: [(&str, &str); 8] = [
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("mp4", "audio/mp4"),
    ("aac", "audio/aac"),
];
/// Endings of sound files that are not read: they are found, not passed over in silence.
const UNREAD_ENDINGS: [&str; 8] = ["opus", "webm", "wma", "aif", "aiff", "gsm", "amr", "ulaw"];

const MAX_FILES: usize = 10_000;
const MAX_NAME_OCTETS: usize = 64;

/// The manifest that `deploy/make-prompts` keeps; its first column is the path of a file that a voice made.
const MADE: &str = "made.tsv";

/// The files of some folders, sorted out but not opened.
#[derive(Debug, Default)]
pub struct Index {
    languages: Vec<Language>,
    /// Prompt, then its file per language; `None` is for every language.
    files: BTreeMap<String, BTreeMap<Option<Language>, PathBuf>>,
    /// Those that a voice made and nobody recorded.
    made: BTreeSet<PathBuf>,
}

impl Index {
    /// Looks through `folders`; where two hold the same prompt the later one wins. The first of `languages` is the
    /// default; other languages' files are left alone.
    pub fn scan(folders: &[PathBuf], languages: &[Language]) -> (Index, Vec<Finding>) {
        let mut index = Index::default();
        for language in languages {
            if !index.languages.contains(language) {
                index.languages.push(language.clone());
            }
        }
        let mut catalogue = Catalogue::default();
        let mut findings = Vec::new();
        for folder in folders {
            catalogue.read(folder, &mut findings);
            index.languages.iter().for_each(|language| catalogue.read_words(folder, language));
            index.scan_folder(folder, &mut findings);
        }
        index.compare(&catalogue, &mut findings);
        findings.sort();
        (index, findings)
    }

    /// The prompts that callers in each language hear, be it in the default language or in none.
    pub fn names(&self) -> BTreeMap<Language, BTreeSet<String>> {
        let heard = |language: &Language| -> BTreeSet<String> {
            let playable = self.files.iter().filter(|(_, takes)| self.choose(takes, language).is_some());
            playable.map(|(name, _)| name.clone()).collect()
        };
        self.languages.iter().map(|language| (language.clone(), heard(language))).collect()
    }

    pub(super) fn languages(&self) -> &[Language] {
        &self.languages
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, Option<&Language>, &Path)> {
        self.files.iter().flat_map(|(name, takes)| {
            takes.iter().map(|(language, path)| (name.as_str(), language.as_ref(), path.as_path()))
        })
    }

    /// Whether a voice made this file: a recording beside it is played instead.
    pub fn is_made(&self, path: &Path) -> bool {
        self.made.contains(path)
    }

    fn choose<'a>(&self, takes: &'a BTreeMap<Option<Language>, PathBuf>, language: &Language) -> Option<&'a PathBuf> {
        let default = self.languages.first().and_then(|default| takes.get(&Some(default.clone())));
        takes.get(&Some(language.clone())).or_else(|| takes.get(&None)).or(default)
    }

    fn scan_folder(&mut self, folder: &Path, findings: &mut Vec<Finding>) {
        let made = made_files(folder);
        let mut candidates: BTreeMap<(String, Option<Language>), Vec<PathBuf>> = BTreeMap::new();
        let mut count = 0;
        for directory in list(folder, findings).into_iter().filter(|path| path.is_dir()) {
            let Some(group) = file_name(&directory) else { continue };
            let language = is_language_tag(group).then(|| Language::from(group));
            if language.as_ref().is_some_and(|language| !self.languages.contains(language)) {
                continue;
            }
            for path in list(&directory, findings) {
                count += 1;
                if count > MAX_FILES {
                    let message = format!("holds more than {MAX_FILES} files; the rest is not read");
                    findings.push(Finding::of_file(folder, message, "remove what no plan plays"));
                    return;
                }
                let Some(stem) = prompt_stem(&path, findings) else { continue };
                let name = if language.is_some() { stem } else { format!("{group}/{stem}") };
                candidates.entry((name, language.clone())).or_default().push(path);
            }
        }
        for ((name, language), paths) in candidates {
            let chosen = choose_recorded(&name, paths, &made, findings);
            self.files.entry(name).or_default().extend(chosen.map(|path| (language, path)));
        }
        self.made.extend(made);
    }

    /// Finds the texts that nobody has spoken.
    fn compare(&self, catalogue: &Catalogue, findings: &mut Vec<Finding>) {
        for (name, texts) in &catalogue.texts {
            for (language, place) in texts.iter().filter(|(language, _)| self.languages.contains(language)) {
                let takes = self.files.get(name);
                if takes.is_some_and(|takes| takes.contains_key(&Some(language.clone())) || takes.contains_key(&None)) {
                    continue;
                }
                let message = format!("prompt '{name}' has a text in '{language}' but no sound file");
                let hint = format!("record {language}/{name}.wav beside this catalogue, or run deploy/make-prompts");
                findings.push(Finding::at(place, message, hint));
            }
        }
    }
}

/// The entries of a folder in a stable order, hidden ones left out.
fn list(folder: &Path, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the folder of prompts cannot be read: {error}");
            findings.push(Finding::of_file(folder, message, "correct the path `prompts` of the configuration"));
            return Vec::new();
        }
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| file_name(path).is_none_or(|name| !name.starts_with('.'))).take(MAX_FILES + 1).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// The name of the prompt that a file is for; `None` for files that are no sound or whose name is unfit.
fn prompt_stem(path: &Path, findings: &mut Vec<Finding>) -> Option<String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)?;
    if UNREAD_ENDINGS.contains(&ending.as_str()) {
        let message = format!("sound files of the kind '{ending}' are not read");
        findings.push(Finding::of_file(path, message, "convert it to WAV, FLAC, Ogg Vorbis, MP3 or M4A"));
        return None;
    }
    if !ENDINGS.iter().any(|(known, _)| *known == ending) {
        return None;
    }
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if is_prompt_name(stem) => Some(stem.to_owned()),
        _ => {
            let hint = "name it by small letters, digits, '-' and '_', at most 64";
            findings.push(Finding::of_file(path, "the file's name is not the name of a prompt", hint));
            None
        }
    }
}

/// Of several files for one prompt the recorded one is played, not one that a voice made.
fn choose_recorded(
    name: &str,
    paths: Vec<PathBuf>,
    made: &BTreeSet<PathBuf>,
    findings: &mut Vec<Finding>,
) -> Option<PathBuf> {
    let (spoken, mut recorded): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| made.contains(path));
    let rank = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        ENDINGS.iter().position(|(known, _)| ending.as_deref() == Some(*known))
    };
    recorded.sort_by_key(rank);
    if let [first, second, ..] = recorded.as_slice() {
        let message = format!("prompt '{name}' has a second file, {}, which is played instead", first.display());
        findings.push(Finding::of_file(second, message, "keep one of the two"));
    }
    recorded.into_iter().chain(spoken).next()
}

/// The files that `made.tsv` lists.
fn made_files(folder: &Path) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(folder.join(MADE)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').next()).map(|path| folder.join(path)).collect()
}

/// `menu`, `position-first`.
pub fn is_prompt_name(name: &str) -> bool {
    let fit = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_');
    (1..=MAX_NAME_OCTETS).contains(&name.len()) && name.bytes().all(fit)
}

/// `en`, `fra`, `fr-CA`: two or three small letters and maybe a region (BCP 47).
pub(super) fn is_language_tag(name: &str) -> bool {
    let (language, region) = name.split_once('-').unwrap_or((name, "XX"));
    let letters = |part: &str| part.bytes().all(|octet| octet.is_ascii_lowercase());
    (2..=3).contains(&language.len())
        && letters(language)
        && (2..=3).contains(&region.len())
        && region.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit())
}
