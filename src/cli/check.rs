//! `relais check`: everything that is wrong with the configuration, its plans and its prompts.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{CheckArgs, FAILED, count, print_findings};
use crate::config::bots::read_encoder;
use crate::config::{self, Loaded, Overrides};
use crate::findings::{Finding, Severity, has_errors};
use crate::prompts::Library;
use crate::settings::Settings;

pub fn run(args: &CheckArgs) -> ExitCode {
    let (loaded, findings) = match config::load(&args.config, &Overrides::default()) {
        Ok(loaded) => {
            let findings = [loaded.warnings.clone(), prompts(&loaded.settings), encoder(&loaded)].concat();
            (Some(loaded), findings)
        }
        Err(findings) => (None, findings),
    };
    let refused = loaded.is_none() || has_errors(&findings);
    // Whoever reads may have gone; the exit code says the rest.
    let _ = match (args.json, &loaded) {
        (true, _) => print_json(&findings, !refused),
        (false, Some(loaded)) if !refused => print(&args.config, loaded, &findings),
        (false, _) => print_refusal(&args.config, &findings),
    };
    if refused { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

/// Reads every sound file, as a start would.
fn prompts(settings: &Settings) -> Vec<Finding> {
    let (_, findings) = Library::load(std::slice::from_ref(&settings.prompts), &settings.languages);
    findings.into_iter().map(Finding::from).collect()
}

/// Bots understand less without their encoder; that refuses nothing.
fn encoder(loaded: &Loaded) -> Vec<Finding> {
    if loaded.bots.is_empty() {
        return Vec::new();
    }
    let (message, hint) = match &loaded.settings.sentence_encoder {
        Some(folder) => match read_encoder(folder) {
            Ok(_) => return Vec::new(),
            Err(message) => (message, None),
        },
        None => (
            "bots understand less without a sentence encoder".to_owned(),
            Some("write sentence_encoder = \"…\" and run deploy/fetch-encoder".to_owned()),
        ),
    };
    let file = loaded.source.path.clone();
    vec![Finding { file, line: 1, column: 1, severity: Severity::Warning, message, hint }]
}

fn print(config: &Path, loaded: &Loaded, findings: &[Finding]) -> std::io::Result<()> {
    print_findings(findings);
    writeln!(std::io::stdout(), "{}: {}", config.display(), summary(loaded))
}

fn print_refusal(config: &Path, findings: &[Finding]) -> std::io::Result<()> {
    print_findings(findings);
    writeln!(std::io::stderr(), "{}: refused: {}", config.display(), count(findings.len(), "finding"))
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
    let bots = match loaded.bots.len() {
        0 => String::new(),
        some => format!(", {}", count(some, "bot")),
    };
    format!(
        "{} with {}, {}, {}, {}, {}, {} ({}){bots}: {warnings}",
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
