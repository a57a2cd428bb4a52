//! `relais run`: the appliance.

use std::process::ExitCode;

use super::{BAD_USAGE, RunArgs};
use crate::config;

pub fn run(args: &RunArgs) -> ExitCode {
    let Err(findings) = config::load(&args.config, &args.overrides()) else { return ExitCode::SUCCESS };
    for finding in findings {
        eprintln!("{finding}");
    }
    ExitCode::from(BAD_USAGE)
}
