//! `relais test`: runs the test cases that stand in the plans.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::trace::trunk_that_offers;
use super::{FAILED, TestArgs, count, matrix, plain, print_findings, talk};
use crate::callbot::case::Case as BotCase;
use crate::callbot::dialogue::Mind;
use crate::config::{self, Loaded, Overrides};
use crate::dialplan::{Case, Miss, Plan};

/// One test that was run.
struct Verdict<'p> {
    /// The plan or bot it stands in.
    of: &'p str,
    file: &'p str,
    line: usize,
    name: &'p str,
    misses: Vec<Miss>,
}

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
    let mut verdicts: Vec<Verdict<'_>> =
        loaded.plans.iter().flat_map(|plan| plan.cases().iter().map(|case| play(plan, case, &loaded))).collect();
    verdicts.extend(converse(args, &loaded));
    let failed = verdicts.iter().filter(|verdict| !verdict.misses.is_empty()).count();
    // Whoever reads may have gone; the exit code says the rest.
    let _ = if args.json { print_json(&verdicts, failed == 0) } else { print(&verdicts, failed) };
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Plays the tests of the bots.
fn converse<'l>(args: &TestArgs, loaded: &'l Loaded) -> Vec<Verdict<'l>> {
    let with_tests = loaded.bots.iter().filter(|described| !described.cases.is_empty());
    let with_tests: Vec<_> = with_tests.collect();
    let encoder = if args.without_encoder || with_tests.is_empty() { None } else { talk::encoder(loaded) };
    let mut verdicts = Vec::new();
    for described in with_tests {
        let understanding = talk::understanding(&described.bot, encoder.clone(), loaded);
        let mind = Mind { bot: &described.bot, understanding: &understanding, spoken: &loaded.plans.names().spoken };
        for case in &described.cases {
            let BotCase { name, file, line, .. } = case;
            let misses = case.run(mind).into_iter().map(|miss| Miss {
                line: *line,
                what: miss.what,
                expected: miss.expected,
                got: miss.got,
            });
            verdicts.push(Verdict { of: &described.bot.name, file, line: *line, name, misses: misses.collect() });
        }
    }
    verdicts
}

/// Dials the number of the test, as a call by the trunk that offers the plan would.
fn play<'p>(plan: &'p Plan, case: &'p Case, loaded: &Loaded) -> Verdict<'p> {
    let settings = &loaded.settings;
    let trunk = trunk_that_offers(settings, &plan.id);
    let scenario = case.scenario(&settings.language, trunk.map(|trunk| trunk.id.clone()));
    let reached = match plan.numbers.is_empty() {
        true => Some(plan.id.clone()),
        false => loaded.plans.find(case.dials(), &[]),
    };
    let miss = |got: String| Miss { line: case.line, what: "plan".to_owned(), expected: plan.id.to_string(), got };
    let misses = match reached {
        None => vec![miss(format!("no plan for the number {}", case.dials()))],
        Some(reached) => {
            let (_, mut misses) = case.run(&loaded.plans, &reached, &scenario);
            if reached != plan.id {
                misses.insert(0, miss(reached.to_string()));
            }
            misses
        }
    };
    Verdict { of: plan.id.as_str(), file: &case.file, line: case.line, name: &case.name, misses }
}

fn print(verdicts: &[Verdict<'_>], failed: usize) -> std::io::Result<()> {
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

fn print_json(verdicts: &[Verdict<'_>], fine: bool) -> std::io::Result<()> {
    let tests: Vec<_> = verdicts
        .iter()
        .map(|Verdict { of, file, line, name, misses }| {
            json!({
                "plan": of,
                "file": file,
                "line": line,
                "name": name,
                "ok": misses.is_empty(),
                "misses": misses,
            })
        })
        .collect();
    writeln!(std::io::stdout(), "{}", json!({ "ok": fine, "findings": [], "tests": tests }))
}
