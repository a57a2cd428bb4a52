//! `relais test`: runs the test cases that stand in the plans.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{FAILED, TestArgs, count, matrix, plain, print_findings, warn};
use crate::bench::cases::{self, Verdict};
use crate::bench::minds::{self, BotMinds};
use crate::config::{self, Overrides};

pub fn run(args: &TestArgs) -> ExitCode {
    let loaded = match config::load(&args.config, &Overrides::default()) {
        Ok(loaded) => loaded,
        Err(findings) => {
            if args.json {
                let _ = writeln!(std::io::stdout(), "{}", json!({ "ok": false, "findings": findings, "tests": [] }));
            }
            print_findings(&findings);
            return ExitCode::from(FAILED);
        }
    };
    if !args.bot_matrix.is_empty() {
        return matrix::run(args, &loaded);
    }
    let minds = BotMinds::new(&loaded, warn);
    let mut verdicts: Vec<Verdict> = cases::of_plans(&loaded, &minds).collect();
    let encoder = || if args.without_encoder { None } else { minds::encoder(&loaded, warn) };
    verdicts.extend(cases::of_bots(&loaded, encoder));
    let failed = verdicts.iter().filter(|verdict| !verdict.ok).count();
    // Whoever reads may have gone; the exit code says the rest.
    let _ = if args.json { print_json(&verdicts, failed == 0) } else { print(&verdicts, failed) };
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn print(verdicts: &[Verdict], failed: usize) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for Verdict { file, line, name, misses, .. } in verdicts {
        match misses.first() {
            None => writeln!(out, "ok   {file}:{line} {}", plain(name))?,
            Some(first) => {
                let told: Vec<String> = misses
                    .iter()
                    .map(|miss| format!("{}: expected {}, got {}", miss.what, plain(&miss.expected), plain(&miss.got)))
                    .collect();
                writeln!(out, "FAIL {file}:{} {}: {}", first.line, plain(name), told.join("; "))?;
            }
        }
    }
    let tests = count(verdicts.len(), "test");
    match (verdicts.len(), failed) {
        (0, _) => writeln!(out, "no plan has a test; write [[test]] into a plan file"),
        (_, 0) => writeln!(out, "{tests}, all passed"),
        (all, failed) => writeln!(out, "{tests}, {} passed, {failed} failed", all - failed),
    }
}

fn print_json(verdicts: &[Verdict], fine: bool) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", json!({ "ok": fine, "findings": [], "tests": verdicts }))
}
