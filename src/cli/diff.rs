//! `relais diff`: what a change of the files changes for callers: what the files say otherwise, and which sample calls
//! go otherwise.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::{BAD_USAGE, DiffArgs, FAILED, count, plain, print_findings};
use crate::bench::calls::{self, Samples};
use crate::bench::written::{self, Change};
use crate::config::{self, Loaded, Overrides};
use crate::time::Wall;

/// Exit code 0 where nothing differs, 1 where something does, 2 where one of the two is no valid configuration.
pub fn run(args: &DiffArgs) -> ExitCode {
    let (Some(before), Some(after)) = (load(&args.before), load(&args.after)) else {
        return ExitCode::from(BAD_USAGE);
    };
    let changes = written::compare(&before, &after);
    let samples = calls::compare(&before, &after, Wall::now(), None);
    let same = changes.is_empty() && samples.differences.is_empty();
    // Whoever reads may have gone; the exit code says the rest.
    let _ = match args.json {
        true => writeln!(std::io::stdout(), "{}", json!({ "same": same, "changes": changes, "calls": samples })),
        false => print(&changes, &samples),
    };
    if same { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// A configuration by its file, or by its folder.
fn load(path: &Path) -> Option<Loaded> {
    let file: PathBuf = if path.is_dir() { path.join("relais.toml") } else { path.to_owned() };
    match config::load(&file, &Overrides::default()) {
        Ok(loaded) => Some(loaded),
        Err(findings) => {
            print_findings(&findings);
            None
        }
    }
}

fn print(changes: &[Change], samples: &Samples) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut subject = "";
    for change in changes {
        if change.subject != subject {
            subject = &change.subject;
            writeln!(out, "{}", plain(subject))?;
        }
        writeln!(out, "  {}", plain(&change.text))?;
    }
    if changes.is_empty() {
        writeln!(out, "The files say the same.")?;
    }
    writeln!(out)?;
    if samples.differences.is_empty() {
        return writeln!(out, "Of {} none goes otherwise.", count(samples.tried, "sample call"));
    }
    let verb = if samples.different == 1 { "goes" } else { "go" };
    writeln!(out, "Of {} {} {verb} otherwise:", count(samples.tried, "sample call"), samples.different)?;
    for difference in &samples.differences {
        writeln!(out, "  {} ({})", plain(&difference.example), count(difference.calls, "call"))?;
        writeln!(out, "    before  {}", plain(&difference.before))?;
        writeln!(out, "    after   {}", plain(&difference.after))?;
    }
    if samples.not_listed > 0 {
        writeln!(out, "  … and {} in other ways", count(samples.not_listed, "call"))?;
    }
    Ok(())
}
