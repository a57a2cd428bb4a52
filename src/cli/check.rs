//! `relais check`: everything that is wrong with the configuration, its plans and its prompts.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{CheckArgs, FAILED};
use crate::config::{self, Loaded, Overrides};
use crate::findings::Finding;

pub fn run(args: &CheckArgs) -> ExitCode {
    let loaded = config::load(&args.config, &Overrides::default());
    let findings = match &loaded {
        Ok(loaded) => &loaded.warnings,
        Err(findings) => findings,
    };
    // Whoever reads may have gone; the exit code says the rest.
    let _ = match args.json {
        true => print_json(findings, loaded.is_ok()),
        false => print(&args.config, &loaded, findings),
    };
    if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn print(config: &Path, loaded: &Result<Loaded, Vec<Finding>>, findings: &[Finding]) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    for finding in findings {
        writeln!(err, "{finding}")?;
    }
    match loaded {
        Ok(loaded) => writeln!(std::io::stdout(), "{}: {}", config.display(), summary(loaded)),
        Err(findings) => writeln!(err, "{}: refused: {}", config.display(), count(findings.len(), "finding")),
    }
}

fn print_json(findings: &[Finding], fine: bool) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::json!({ "ok": fine, "findings": findings }))
}

/// What was checked, in one line.
fn summary(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    let names = loaded.plans.names();
    let prompts: BTreeSet<&str> = names.prompts.values().flatten().map(String::as_str).collect();
    let languages: Vec<&str> = settings.languages.iter().map(|language| language.as_str()).collect();
    let numbers = loaded.plans.iter().map(|plan| plan.numbers.len()).sum();
    let warnings = match loaded.warnings.len() {
        0 => "all well".to_owned(),
        some => count(some, "warning"),
    };
    format!(
        "{} with {}, {}, {}, {}, {}, {} ({}): {warnings}",
        count(loaded.plans.iter().count(), "plan"),
        count(numbers, "number"),
        count(settings.trunks.len(), "trunk"),
        count(settings.queues.len(), "queue"),
        count(settings.agents.len(), "agent"),
        count(settings.experts.len(), "expert"),
        count(prompts.len(), "prompt"),
        languages.join(", "),
    )
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}
