//! `relais modules`: what the rules of a plan can name.

use std::io::Write;
use std::process::ExitCode;

use super::{FAILED, ModulesArgs};
use crate::findings::suggest;
use crate::ivr::{Module, guide, section};

pub fn run(args: &ModulesArgs) -> ExitCode {
    let page = match &args.name {
        None => guide(),
        Some(name) => match Module::from_name(name) {
            Some(module) => section(module.spec()),
            None => {
                let hint = suggest(name, Module::ALL.map(|module| module.spec().name));
                let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                let _ = writeln!(std::io::stderr(), "there is no module '{name}'{hint}");
                return ExitCode::from(FAILED);
            }
        },
    };
    // Whoever reads may have gone.
    let _ = std::io::stdout().write_all(page.as_bytes());
    ExitCode::SUCCESS
}
