//! The operator's bench: the files of plans and bots as they stand, drafts of them looked at, tried and compared with what
//! runs, and put into use, with an entry of who did it and a way back.
//!
//! The files on the disk stay the truth. A draft is a set of changes that comes with each request; nothing of it is kept.

pub mod activate;
pub mod calls;
pub mod cases;
pub mod files;
pub mod minds;
pub mod prompts;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod written;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Serialize;
use utoipa::ToSchema;

pub use crate::dialplan::driver::queue_outcome;
pub use crate::dialplan::picture::{LevelPicture, Picture, RulePicture};
pub use crate::store::{Audited, Deed, Kept};

use crate::config::{self, Loaded, Overrides};
use crate::findings::{Finding, has_errors};
use crate::time::Wall;
use crate::views::ReloadView;
use calls::Samples;
use cases::Verdict;
use files::{Change, Draft};
use minds::BotMinds;

/// How long sample calls are tried when somebody waits for the comparison.
const PATIENCE: Duration = Duration::from_secs(8);

/// Takes the configuration anew; `None` where so many reloads wait that nothing came of it in time.
pub type Reload = Box<dyn Fn() -> Option<ReloadView> + Send + Sync>;

/// Why something of the bench is refused.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// What was asked for breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The file is not as it was when it was opened.
    #[error("{0}")]
    Changed(String),
    #[error("the files have faults, which stand in 'findings'; what was running goes on")]
    Findings(Vec<Finding>),
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Disk(String),
}

/// What `Bench` works with.
pub struct Bench {
    pub config: PathBuf,
    pub overrides: Overrides,
    /// Where the entries of who changed what are kept.
    pub data: PathBuf,
    /// As it was last taken.
    pub live: Arc<ArcSwap<Loaded>>,
    pub reload: Reload,
    /// One set of changes at a time is put into use.
    pub writing: Mutex<()>,
}

/// What `check` finds in a draft.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checked {
    /// It would be taken.
    pub ok: bool,
    pub findings: Vec<Finding>,
}

/// The tests of a draft.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tested {
    /// Every test passed.
    pub ok: bool,
    pub tests: Vec<Verdict>,
}

/// What a draft says and does otherwise than what runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Compared {
    /// Nothing differs.
    pub same: bool,
    pub files: Vec<FileText>,
    /// What is said otherwise, in the words of the files.
    pub changes: Vec<written::Change>,
    /// Which calls go otherwise.
    pub calls: Samples,
}

/// One file whose text differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileText {
    pub file: String,
    /// As it runs; null: it does not.
    pub running: Option<String>,
    /// As the draft has it; null: it is gone.
    pub draft: Option<String>,
}

impl Bench {
    /// What would be said of the files with the draft in their place.
    pub fn check(&self, changes: Vec<Change>) -> Result<Checked, BenchError> {
        let draft = self.draft(changes)?;
        let findings = match self.load(&draft) {
            Ok(loaded) => loaded.warnings,
            Err(BenchError::Findings(findings)) => findings,
            Err(other) => return Err(other),
        };
        Ok(Checked { ok: !has_errors(&findings), findings: draft.named(findings) })
    }

    /// The plan of a file, as a picture. A file without a plan has none.
    pub fn picture(&self, file: &str, changes: Vec<Change>) -> Result<Option<Picture>, BenchError> {
        let draft = self.draft(changes)?;
        let path = draft.path(file)?;
        let loaded = self.load(&draft)?;
        Ok(Picture::of_file(&loaded.plans, &path.display().to_string()))
    }

    /// The way of a call.
    pub fn trace(&self, call: &trace::Call, at: Option<Wall>, changes: Vec<Change>) -> Result<trace::Told, BenchError> {
        let loaded = self.load(&self.draft(changes)?)?;
        let traced = trace::trace(&loaded, call, at.unwrap_or_else(Wall::now), &BotMinds::new(&loaded, warn));
        traced.map(trace::Told::from).map_err(|error| BenchError::Unknown(error.to_string()))
    }

    /// Runs the tests of plans and bots.
    pub fn test(&self, changes: Vec<Change>) -> Result<Tested, BenchError> {
        let draft = self.draft(changes)?;
        let loaded = self.load(&draft)?;
        let mut tests: Vec<Verdict> = cases::of_plans(&loaded, &BotMinds::new(&loaded, warn)).collect();
        tests.extend(cases::of_bots(&loaded, || minds::encoder(&loaded, warn)));
        for test in &mut tests {
            test.file = draft.name(&test.file);
        }
        Ok(Tested { ok: tests.iter().all(|test| test.ok), tests })
    }

    /// The draft beside what runs.
    pub fn compare(&self, changes: Vec<Change>) -> Result<Compared, BenchError> {
        let draft = self.draft(changes)?;
        let (before, after) = (self.live.load_full(), self.load(&draft)?);
        let texts = |loaded: &Loaded| -> std::collections::BTreeMap<String, String> {
            loaded.sources().map(|source| (draft.name(&source.path), source.text.clone())).collect()
        };
        let (running, new) = (texts(&before), texts(&after));
        let names: std::collections::BTreeSet<&String> = running.keys().chain(new.keys()).collect();
        let files = names.into_iter().filter(|name| running.get(*name) != new.get(*name)).map(|name| FileText {
            file: name.clone(),
            running: running.get(name).cloned(),
            draft: new.get(name).cloned(),
        });
        let files: Vec<FileText> = files.collect();
        let changes = written::compare(&before, &after);
        let calls = calls::compare(&before, &after, Wall::now(), Some(Instant::now() + PATIENCE));
        Ok(Compared { same: files.is_empty() && changes.is_empty() && calls.different == 0, files, changes, calls })
    }

    /// The form of a kind of file, for editors: with the names that what runs knows.
    pub fn schema(&self, kind: config::Kind) -> serde_json::Value {
        match kind {
            config::Kind::Plan => crate::dialplan::schema(Some(&self.live.load().plans)),
            config::Kind::Bot => config::bots::bot_schema(),
            config::Kind::Examples => config::bots::examples_schema(),
        }
    }

    fn load(&self, draft: &Draft) -> Result<Loaded, BenchError> {
        let loaded = config::load_with(&self.config, &self.overrides, &draft.drafts);
        loaded.map_err(|findings| BenchError::Findings(draft.named(findings)))
    }
}

fn warn(message: &str) {
    tracing::warn!("{message}");
}

/// What a stranger sent may steer no terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
