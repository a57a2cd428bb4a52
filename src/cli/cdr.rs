//! `relais cdr`: call records from a data folder.

use std::process::ExitCode;

use super::{CdrArgs, FAILED};

pub fn run(args: &CdrArgs) -> ExitCode {
    if !args.data.is_dir() {
        eprintln!("{} is no folder; name the data folder of the appliance", args.data.display());
        return ExitCode::from(FAILED);
    }
    ExitCode::SUCCESS
}
