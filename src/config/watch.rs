//! What to look at for changes of the operator's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::{Drafts, resolve};
use super::listed::Listed;

/// The files of a configuration with its plans, bots, lists, keys, certificates and prompts, and what tells that one was
/// written anew: its time and size. Two that are equal were taken of the same files. It is cheap enough to be taken every
/// second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, Option<(SystemTime, u64)>>);

/// More sound files than any library has are not looked at.
const MOST_FILES: usize = 20_000;

impl Fingerprint {
    /// Of the configuration file as it stands, its plans and its prompts. One that is no TOML at the moment names none.
    pub fn of(config: &Path) -> Fingerprint {
        let mut found = Fingerprint::default();
        found.add(config.to_owned());
        let folder = config.parent().unwrap_or(Path::new(""));
        let table: toml::Table =
            std::fs::read_to_string(config).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
        for path in Listed::of(config, &Drafts::default()).files.into_keys() {
            found.add(path);
        }
        let lists = table.get("list").and_then(toml::Value::as_array).into_iter().flatten();
        for of in lists.chain(table.get("customers")) {
            if let Some(file) = of.get("file").and_then(toml::Value::as_str) {
                found.add(resolve(folder, file));
            }
        }
        let key_file = table.get("recordings").and_then(|recordings| recordings.get("key_file"));
        if let Some(file) = key_file.and_then(toml::Value::as_str) {
            found.add(resolve(folder, file));
        }
        let tls = ["sip", "web"].map(|of| table.get(of)?.get("tls")?.as_table());
        for file in tls.into_iter().flatten().flat_map(|tls| tls.values()).filter_map(toml::Value::as_str) {
            found.add(resolve(folder, file));
        }
        let prompts = table.get("prompts").and_then(toml::Value::as_str).unwrap_or("prompts");
        found.add_folder(&resolve(folder, prompts), 2);
        found
    }

    fn add(&mut self, path: PathBuf) {
        let about = std::fs::metadata(&path).ok();
        let stamp = about.and_then(|about| Some((about.modified().ok()?, about.len())));
        self.0.insert(path, stamp);
    }

    fn add_folder(&mut self, folder: &Path, depth: usize) {
        for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
            if self.0.len() >= MOST_FILES {
                return;
            }
            if depth > 0 && path.is_dir() {
                self.add_folder(&path, depth - 1);
            } else {
                self.add(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let config = at("relais.toml");
        std::fs::create_dir_all(at("plans")).unwrap();
        std::fs::create_dir_all(at("sounds/en")).unwrap();
        std::fs::write(&config, "plans = [\"plans/*.toml\"]\nprompts = \"sounds\"\n[web.tls]\nkey = \"web.key\"\n")
            .unwrap();
        std::fs::write(at("plans/a.toml"), "a").unwrap();
        let mut last = Fingerprint::of(&config);
        assert_eq!(last, Fingerprint::of(&config), "nothing has changed");
        let changes: [(&str, &dyn Fn()); 7] = [
            ("a key came", &|| std::fs::write(at("web.key"), "x").unwrap()),
            ("a plan was written", &|| std::fs::write(at("plans/a.toml"), "ab").unwrap()),
            ("a plan came", &|| std::fs::write(at("plans/b.toml"), "b").unwrap()),
            ("a plan went", &|| std::fs::remove_file(at("plans/b.toml")).unwrap()),
            ("a recording came", &|| std::fs::write(at("sounds/en/menu.wav"), "x").unwrap()),
            ("a recording was replaced", &|| std::fs::write(at("sounds/en/menu.wav"), "xy").unwrap()),
            ("the configuration was written", &|| std::fs::write(&config, "prompts = \"sounds\"").unwrap()),
        ];
        for (what, change) in changes {
            change();
            let now = Fingerprint::of(&config);
            assert_ne!(last, now, "{what}");
            last = now;
        }
        std::fs::write(at("notes.txt"), "x").unwrap();
        assert_eq!(last, Fingerprint::of(&config), "a file of nobody's");
        std::fs::write(&config, "[[[").unwrap();
        assert_ne!(last, Fingerprint::of(&config), "broken, and noticed");
    }
}
