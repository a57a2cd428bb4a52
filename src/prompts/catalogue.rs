//! `prompts.toml`: what every prompt says, per language.
//!
//! ```toml
//! [menu]
//! en = "Press 1 for sales, 2 for support."
//! fr = "Tapez 1 pour les ventes, 2 pour l'assistance."
//! ```

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Finding;
use super::finding::Place;
use super::index::{is_language_tag, is_prompt_name};
use crate::ids::Language;
use crate::spoken::PREFIX;

pub(super) const CATALOGUE: &str = "prompts.toml";

/// Beside the sound files of a language: what its fragments say, under `[words]`.
const WORDS: &str = "spoken.toml";

const MAX_CATALOGUE_OCTETS: u64 = 4 * 1024 * 1024;

/// Where every text stands: prompt, then language.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub texts: BTreeMap<String, BTreeMap<Language, Place>>,
}

impl Catalogue {
    /// Adds the catalogue of a folder, if it has one. A prompt that an earlier folder told of is told anew.
    pub fn read(&mut self, folder: &Path, findings: &mut Vec<Finding>) {
        let file = folder.join(CATALOGUE);
        if !file.exists() {
            return;
        }
        let mut text = String::new();
        let read = std::fs::File::open(&file)
            .and_then(|opened| opened.take(MAX_CATALOGUE_OCTETS + 1).read_to_string(&mut text));
        match read {
            Ok(octets) if octets as u64 > MAX_CATALOGUE_OCTETS => {
                findings.push(Finding::of_file(&file, "is larger than 4 MiB", "keep only the texts of prompts in it"));
            }
            Ok(_) => self.parse(&file, &text, findings),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                findings.push(Finding::of_file(&file, message, "make it a UTF-8 text file that relais may read"));
            }
        }
    }

    /// Adds the fragments of `fr/spoken.toml`. What is wrong with that file is told where its rules are read.
    pub fn read_words(&mut self, folder: &Path, language: &Language) {
        let file = folder.join(language.as_str()).join(WORDS);
        let mut text = String::new();
        let read =
            std::fs::File::open(&file).and_then(|opened| opened.take(MAX_CATALOGUE_OCTETS).read_to_string(&mut text));
        if read.is_err() {
            return;
        }
        let (table, _) = DeTable::parse_recoverable(&text);
        let words = table.get_ref().get("words").and_then(|words| words.get_ref().as_table());
        for name in words.into_iter().flat_map(|words| words.keys()) {
            let place = Place::of_span(&file, &text, name.span());
            let places = self.texts.entry(format!("{PREFIX}{}", name.get_ref())).or_default();
            places.insert(language.clone(), place);
        }
    }

    pub fn parse(&mut self, file: &Path, text: &str, findings: &mut Vec<Finding>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = Place::of_span(file, text, error.span().unwrap_or_default());
            findings.push(Finding::at(
                &place,
                error.message(),
                "write it as TOML: [name] and lines like en = \"text\"",
            ));
        }
        for (name, value) in table.get_ref() {
            let place = Place::of_span(file, text, name.span());
            let name = name.get_ref().as_ref();
            if !is_prompt_name(name) {
                let message = format!("'{name}' is not the name of a prompt");
                findings.push(Finding::at(&place, message, "use small letters, digits, '-' and '_', at most 64"));
                continue;
            }
            match value.get_ref() {
                DeValue::Table(texts) => self.parse_prompt(file, text, name, texts, findings),
                _ => {
                    let hint = format!("write [{name}] and below it a line for each language: en = \"text\"");
                    findings.push(Finding::at(&place, format!("prompt '{name}' is not a table"), hint));
                }
            }
        }
    }

    fn parse_prompt(&mut self, file: &Path, text: &str, name: &str, texts: &DeTable<'_>, findings: &mut Vec<Finding>) {
        let mut places = BTreeMap::new();
        for (language, said) in texts {
            let tag = language.get_ref().as_ref();
            if !is_language_tag(tag) {
                let place = Place::of_span(file, text, language.span());
                let message = format!("prompt '{name}': '{tag}' is not a language tag");
                findings.push(Finding::at(&place, message, "name the language by its tag: en, fr, ko, fr-CA"));
                continue;
            }
            let place = Place::of_span(file, text, said.span());
            match said.get_ref() {
                DeValue::String(words) if !words.trim().is_empty() => {
                    places.insert(Language::from(tag), place);
                }
                _ => {
                    let message = format!("prompt '{name}': the text in '{tag}' is empty or no string");
                    findings.push(Finding::at(
                        &place,
                        message,
                        "write what the prompt says, in quotes, or remove the line",
                    ));
                }
            }
        }
        self.texts.insert(name.to_owned(), places);
    }
}
