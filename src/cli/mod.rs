//! The command line: arguments to resolved settings, one file a subcommand.

mod cdr;
mod check;
mod modules;
mod run;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Overrides, parse_listen, parse_rtp};
use crate::settings::Listen;

/// Exit codes: bad usage or configuration, and a failure while running.
pub const BAD_USAGE: u8 = 2;
pub const FAILED: u8 = 1;

#[derive(Debug, Parser)]
#[command(name = "relais", version, about = "A contact centre for the telephone")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the appliance
    Run(RunArgs),
    /// Check configuration, dialplans and prompts
    Check(CheckArgs),
    /// Print what the modules of a plan's rules take and give
    Modules(ModulesArgs),
    /// Print call records, oldest first
    Cdr(CdrArgs),
    /// Make a token for the HTTP API
    Token(TokenArgs),
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    pub command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it once; only its hash is kept
    Create(TokenCreateArgs),
}

#[derive(Debug, Args)]
pub struct TokenCreateArgs {
    /// What the token may do
    #[arg(long, value_name = "ROLE")]
    pub role: crate::web::tokens::Role,
    /// The agent whose token this is; needed with --role agent
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// What the token is for, shown in lists
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The data folder of the appliance
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Flags override the file.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// Listen for SIP here: udp:ADDR:PORT or tcp:ADDR:PORT; may be given several times
    #[arg(long, value_name = "TRANSPORT:ADDR:PORT", value_parser = parse_listen)]
    pub sip: Vec<Listen>,
    /// Address and ports for RTP
    #[arg(long, value_name = "ADDR:LOW-HIGH", value_parser = parse_rtp)]
    pub rtp: Option<(IpAddr, u16, u16)>,
    /// Listen for HTTP here
    #[arg(long, value_name = "ADDR:PORT")]
    pub web: Option<SocketAddr>,
    /// Folder for records, recordings and tokens
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl RunArgs {
    pub fn overrides(&self) -> Overrides {
        Overrides { sip: self.sip.clone(), rtp: self.rtp, web: self.web, data: self.data.clone() }
    }
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// Print the findings as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ModulesArgs {
    /// One module; all of them where it is not given
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct CdrArgs {
    /// The data folder of the appliance, which may be running
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Parses the arguments and does what they say. Bad usage is told by clap, with exit code 2.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Modules(args) => modules::run(&args),
        Command::Cdr(args) => cdr::run(&args.data, args.json),
        Command::Token(args) => match args.command {
            TokenCommand::Create(args) => token::run(&args),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_the_flags_of_the_contract() {
        let line = "relais run --config a.toml --sip udp:127.0.0.1:5060 --sip tcp:127.0.0.1:5060 \
                    --rtp 127.0.0.1:30000-30999 --web 127.0.0.1:8080 --data d";
        let Command::Run(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("not run");
        };
        let overrides = args.overrides();
        assert_eq!(overrides.sip.len(), 2);
        assert_eq!(overrides.rtp.map(|(_, low, high)| (low, high)), Some((30_000, 30_999)));
        assert_eq!(overrides.data, Some("d".into()));
    }

    #[test]
    fn bad_usage_is_refused() {
        for line in ["relais", "relais fly", "relais run --sip 5060", "relais run --rtp 127.0.0.1:9-1", "relais cdr"] {
            let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(BAD_USAGE), "{line}");
        }
    }
}
