//! What prompts say, as text: `prompts.toml`, and the fragments of spoken values.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ids::Language;
use crate::settings::Settings;
use crate::spoken::PREFIX;

/// By prompt, then by language.
pub(super) struct Texts {
    texts: BTreeMap<String, BTreeMap<String, String>>,
    default: String,
}

impl Texts {
    /// Files that cannot be read have been told of when the configuration was loaded.
    pub fn read(settings: &Settings) -> Texts {
        let mut texts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (prompt, said) in table(&settings.prompts.join("prompts.toml")) {
            let said = said.as_table().into_iter().flatten();
            let said = said.filter_map(|(language, text)| Some((language.clone(), text.as_str()?.to_owned())));
            texts.insert(prompt, said.collect());
        }
        for language in &settings.languages {
            let file = table(&settings.prompts.join(language.as_str()).join("spoken.toml"));
            let words = file.get("words").and_then(toml::Value::as_table).into_iter().flatten();
            for (name, word) in words {
                let text = word.as_str().or_else(|| word.get("text").and_then(toml::Value::as_str)).unwrap_or_default();
                let said = texts.entry(format!("{PREFIX}{name}")).or_default();
                said.insert(language.to_string(), text.to_owned());
            }
        }
        Texts { texts, default: settings.language.to_string() }
    }

    /// The texts of prompts, one behind the other; a prompt without a text is named.
    pub fn say(&self, prompts: &[String], language: &Language) -> String {
        let text = |prompt: &String| {
            let said = self.texts.get(prompt);
            let own = said.and_then(|said| said.get(language.as_str()).or_else(|| said.get(&self.default)));
            own.cloned().unwrap_or_else(|| format!("[{prompt}]"))
        };
        prompts.iter().map(text).collect::<Vec<_>>().join(" ")
    }
}

fn table(path: &Path) -> toml::Table {
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}
