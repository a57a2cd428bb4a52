//! Which files are plans, bots and examples: by the patterns of the configuration and the bots, as they stand now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{Drafts, is_of, resolve};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Plan,
    Bot,
    /// What callers say to a bot.
    Examples,
}

/// The files, and the patterns that name them. A configuration that is no TOML at the moment names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub files: BTreeMap<PathBuf, Kind>,
    pub patterns: BTreeSet<(Kind, PathBuf)>,
}

impl Listed {
    pub fn of(config: &Path, drafts: &Drafts) -> Listed {
        let mut listed = Listed::default();
        let folder = config.parent().unwrap_or(Path::new(""));
        let table = read(config, &Drafts::default());
        let plans = match table.get("plans") {
            Some(_) => texts(&table, "plans"),
            None => vec!["plans/*.toml".to_owned()],
        };
        for pattern in plans {
            listed.add(Kind::Plan, resolve(folder, &pattern), drafts);
        }
        for pattern in texts(&table, "bots") {
            for bot in listed.add(Kind::Bot, resolve(folder, &pattern), drafts) {
                let folder = bot.parent().unwrap_or(Path::new(""));
                for pattern in texts(&read(&bot, drafts), "examples") {
                    listed.add(Kind::Examples, resolve(folder, &pattern), drafts);
                }
            }
        }
        listed
    }

    /// What a file would be, by the first pattern that it fits.
    pub fn kind_of(&self, path: &Path) -> Option<Kind> {
        let fitting = self.patterns.iter().find(|(_, pattern)| is_of(pattern, path)).map(|(kind, _)| *kind);
        self.files.get(path).copied().or(fitting)
    }

    fn add(&mut self, kind: Kind, pattern: PathBuf, drafts: &Drafts) -> Vec<PathBuf> {
        let found = drafts.matching(&pattern);
        for path in &found {
            self.files.entry(path.clone()).or_insert(kind);
        }
        self.patterns.insert((kind, pattern));
        found
    }
}

fn read(path: &Path, drafts: &Drafts) -> toml::Table {
    drafts.read(path).ok().and_then(|source| source.text.parse().ok()).unwrap_or_default()
}

fn texts(table: &toml::Table, key: &str) -> Vec<String> {
    let texts = table.get(key).and_then(toml::Value::as_array).into_iter().flatten();
    texts.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}
