//! The sounds that callers hear: what there is and what is missing in each language, and recordings taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use super::activate::{Actor, replace_octets};
use super::{Bench, BenchError, plain};
use crate::ids::Language;
/// The sounds there may be.
pub(crate) use crate::prompts::ENDINGS;
use crate::prompts::{Index, is_prompt_name, take_recording};
use crate::settings::Settings;
use crate::spoken::PREFIX;
use crate::store::Deed;

/// A recording is at least this long: less is a click on the wrong button.
const SHORTEST_MS: u64 = 200;
const LONGEST_MS: u64 = 5 * 60 * 1_000;
/// Above what a catalogue of prompts has, in bytes.
const LARGEST_CATALOGUE: u64 = 4 << 20;
/// Largest sound that is played at the bench, in bytes.
const LARGEST_SOUND: u64 = 16 << 20;

/// What callers of a language hear of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// A sound of its own.
    Own,
    /// The sound that is the same in every language.
    Same,
    /// That of the centre's first language, for want of one.
    Default,
    Nothing,
}

/// A sound file of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Take {
    /// Null: the same in every language.
    pub language: Option<String>,
    /// Below the folder of prompts.
    pub file: String,
    pub size: u64,
    /// Somebody recorded it; else a voice made it, and a recording takes its place.
    pub recorded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PromptView {
    pub name: String,
    /// What it says, by language, where the catalogue tells.
    pub texts: BTreeMap<String, String>,
    pub takes: Vec<Take>,
    /// By each language of the centre.
    pub heard: BTreeMap<String, Heard>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PromptList {
    /// The centre's own first.
    pub languages: Vec<String>,
    pub prompts: Vec<PromptView>,
}

/// What prompts say in a language, by their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PromptWords)]
pub struct Words {
    pub words: BTreeMap<String, String>,
}

/// A sound as it is on the disk.
pub struct Sound {
    pub octets: Vec<u8>,
    pub media_type: &'static str,
}

impl Bench {
    /// Every prompt that has a sound, or a text and none yet.
    pub fn prompts(&self) -> PromptList {
        let live = self.live.load();
        let settings = &live.settings;
        let index = index(settings);
        let mut texts = texts(&settings.prompts);
        let mut takes: BTreeMap<String, Vec<Take>> = BTreeMap::new();
        for (name, language, path) in index.files() {
            takes.entry(name.to_owned()).or_default().push(Take {
                language: language.map(ToString::to_string),
                file: path.strip_prefix(&settings.prompts).unwrap_or(path).to_string_lossy().into_owned(),
                size: path.metadata().map_or(0, |about| about.len()),
                recorded: !index.is_made(path),
            });
        }
        let names: BTreeSet<String> = takes.keys().chain(texts.keys()).cloned().collect();
        let prompts = names.into_iter().map(|name| {
            let takes = takes.remove(&name).unwrap_or_default();
            let heard = settings.languages.iter().map(|of| (of.to_string(), heard(&takes, of, &settings.language)));
            PromptView { texts: texts.remove(&name).unwrap_or_default(), heard: heard.collect(), takes, name }
        });
        PromptList {
            prompts: prompts.collect(),
            languages: settings.languages.iter().map(ToString::to_string).collect(),
        }
    }

    /// What each prompt says in a language of the centre's, fragments of values among them, where the catalogue tells.
    pub fn words(&self, language: &str) -> Words {
        let live = self.live.load();
        let settings = &live.settings;
        if !settings.languages.iter().any(|of| of.as_str() == language) {
            return Words { words: BTreeMap::new() };
        }
        let prompts = texts(&settings.prompts).into_iter();
        let prompts = prompts.filter_map(|(name, mut texts)| Some((name, texts.remove(language)?)));
        Words { words: prompts.chain(fragments(&settings.prompts, language)).collect() }
    }

    /// The sound of a prompt in a language, or the one that is the same in all.
    pub fn sound(&self, name: &str, language: Option<&str>) -> Result<Sound, BenchError> {
        let live = self.live.load();
        let path = find(&index(&live.settings), name, language)?;
        let failed = |error: std::io::Error| BenchError::Disk(format!("prompt '{}': {error}", plain(name)));
        let size = path.metadata().map_err(failed)?.len();
        if size > LARGEST_SOUND {
            let message = format!("prompt '{name}' has {size} bytes; the bench plays files of at most {LARGEST_SOUND}");
            return Err(BenchError::Invalid(message));
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let media_type = ENDINGS.iter().find(|(known, _)| *known == ending).map_or("audio/mp4", |(_, media)| media);
        Ok(Sound { octets: std::fs::read(&path).map_err(failed)?, media_type })
    }

    /// Takes a recording in the place of what a voice made, or of an earlier recording of the bench.
    pub fn record(&self, name: &str, language: Option<&str>, octets: Vec<u8>, by: &Actor) -> Result<(), BenchError> {
        let _writing = self.alone()?;
        let live = self.live.load_full();
        let place = place(&live.settings, name, language)?;
        let index = index(&live.settings);
        if let Ok(there) = find(&index, name, language)
            && there != place
            && !index.is_made(&there)
        {
            let file = there.display();
            let message = format!("prompt '{name}' is recorded in {file} already; remove that recording first");
            return Err(BenchError::Changed(message));
        }
        let recording = take_recording(octets)
            .map_err(|error| BenchError::Invalid(format!("the recording {error}; {}", error.hint())))?;
        if !(SHORTEST_MS..=LONGEST_MS).contains(&recording.milliseconds) {
            let message = format!(
                "the recording lasts {} ms; a prompt lasts {SHORTEST_MS} ms to {} minutes",
                recording.milliseconds,
                LONGEST_MS / 60_000
            );
            return Err(BenchError::Invalid(message));
        }
        let about = std::fs::symlink_metadata(&place);
        if about.is_ok_and(|about| !about.is_file()) {
            let message = format!("{} is a link or no plain file; the bench writes plain files only", place.display());
            return Err(BenchError::Invalid(message));
        }
        replace_octets(&place, &recording.wav)?;
        self.taken(Deed::PromptWritten, name, language, by)
    }

    /// Takes a recording away; where a voice has made the prompt, that is heard again.
    pub fn unrecord(&self, name: &str, language: Option<&str>, by: &Actor) -> Result<(), BenchError> {
        let _writing = self.alone()?;
        let live = self.live.load_full();
        let index = index(&live.settings);
        let path = find(&index, name, language)?;
        if index.is_made(&path) {
            let message = format!("prompt '{name}' was made by a voice; there is no recording to remove");
            return Err(BenchError::Changed(message));
        }
        std::fs::remove_file(&path).map_err(|error| BenchError::Disk(format!("{}: {error}", path.display())))?;
        self.taken(Deed::PromptRemoved, name, language, by)
    }

    fn taken(&self, what: Deed, name: &str, language: Option<&str>, by: &Actor) -> Result<(), BenchError> {
        let subject = language.map_or_else(|| name.to_owned(), |language| format!("{language}/{name}"));
        if let Err(error) = self.note(&by.did(what, &subject)) {
            tracing::error!("prompt {subject}: {what:?} by {} is not in the audit: {error}", by.who);
        }
        match (self.reload)() {
            Some(view) => match view.last.filter(|attempt| !attempt.taken) {
                None => Ok(()),
                // The file stands: what is wrong lies elsewhere.
                Some(attempt) => Err(BenchError::Findings(self.draft(Vec::new())?.named(attempt.findings))),
            },
            None => Err(BenchError::Busy("the file is written; reload to have it heard".to_owned())),
        }
    }
}

fn index(settings: &Settings) -> Index {
    Index::scan(std::slice::from_ref(&settings.prompts), &settings.languages).0
}

fn find(index: &Index, name: &str, language: Option<&str>) -> Result<PathBuf, BenchError> {
    let mut files = index.files();
    let found = files.find(|(known, of, _)| *known == name && of.map(Language::as_str) == language);
    found.map(|(_, _, path)| path.to_owned()).ok_or_else(|| {
        let language =
            language.map_or_else(|| "every language".to_owned(), |language| format!("'{}'", plain(language)));
        BenchError::Unknown(format!("there is no sound of prompt '{}' in {language}", plain(name)))
    })
}

/// Where a recording goes: `en/menu.wav`, or `music/default.wav` for one that is the same in every language.
fn place(settings: &Settings, name: &str, language: Option<&str>) -> Result<PathBuf, BenchError> {
    let shown = plain(&name.chars().take(100).collect::<String>());
    let bad = || {
        BenchError::Invalid(format!(
            "'{shown}' cannot be the name of a prompt: use small letters, digits, '-' and '_', at most 64"
        ))
    };
    let Some(language) = language else {
        let (group, stem) = name.split_once('/').ok_or_else(|| {
            BenchError::Invalid(format!("prompt '{shown}' is spoken; name the language in which it is recorded"))
        })?;
        if !is_prompt_name(group) || !is_prompt_name(stem) || !settings.prompts.join(group).is_dir() {
            return Err(bad());
        }
        return Ok(settings.prompts.join(group).join(format!("{stem}.wav")));
    };
    let Some(known) = settings.languages.iter().find(|known| known.as_str() == language) else {
        let known: Vec<&str> = settings.languages.iter().map(Language::as_str).collect();
        let message = format!("language '{}' is not spoken here; use one of {}", plain(language), known.join(", "));
        return Err(BenchError::Invalid(message));
    };
    if !is_prompt_name(name) {
        return Err(bad());
    }
    Ok(settings.prompts.join(known.as_str()).join(format!("{name}.wav")))
}

fn heard(takes: &[Take], language: &Language, default: &Language) -> Heard {
    let has = |language: Option<&Language>| {
        takes.iter().any(|take| take.language.as_deref() == language.map(Language::as_str))
    };
    match () {
        () if has(Some(language)) => Heard::Own,
        () if has(None) => Heard::Same,
        () if has(Some(default)) => Heard::Default,
        () => Heard::Nothing,
    }
}

/// A table of texts; what is wrong with it `check` tells.
fn table(path: &Path) -> toml::Table {
    if path.metadata().map_or(true, |about| about.len() > LARGEST_CATALOGUE) {
        return toml::Table::new();
    }
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What the fragments of values say.
fn fragments(prompts: &Path, language: &str) -> Vec<(String, String)> {
    let table = table(&prompts.join(language).join("spoken.toml"));
    let words = table.get("words").and_then(toml::Value::as_table).into_iter().flatten();
    words.filter_map(|(name, text)| Some((format!("{PREFIX}{name}"), text.as_str()?.to_owned()))).collect()
}

/// What the catalogue says of each prompt.
fn texts(prompts: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let table = table(&prompts.join("prompts.toml"));
    let said = |value: &toml::Value| -> Option<BTreeMap<String, String>> {
        let texts = value.as_table()?.iter();
        Some(texts.filter_map(|(language, text)| Some((language.clone(), text.as_str()?.to_owned()))).collect())
    };
    table.iter().filter_map(|(name, value)| Some((name.clone(), said(value)?))).collect()
}
