//! `relais run`: the appliance.

use std::io::IsTerminal;
use std::process::ExitCode;

use super::RunArgs;
use crate::server;

pub fn run(args: &RunArgs) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RELAIS_LOG").unwrap_or_else(|_| "info".into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
    match server::run(&args.config, &args.overrides(), args.recording().as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
