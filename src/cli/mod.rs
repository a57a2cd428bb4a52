//! The command line: arguments to resolved settings, one file a subcommand.

mod cdr;
mod check;
mod demand;
mod diff;
mod matrix;
mod modules;
mod progress;
mod recording;
mod replay;
mod run;
mod schema;
mod simulate;
mod staff;
mod talk;
mod test;
mod texts;
mod token;
mod trace;
mod user;
mod wav;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::plain;
use crate::bridge::Digit;
use crate::config::{Overrides, parse_listen, parse_rtp};
use crate::dialplan::driver::{queue_outcome, transfer_outcome};
use crate::dialplan::{QueueOutcome, TransferOutcome, Value};
use crate::findings::Finding;
use crate::server::Recording;
use crate::settings::{Listen, UserRole};
use crate::time::Wall;

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
    /// Run the test cases that stand in the dialplans and the bots
    Test(TestArgs),
    Talk(talk::TalkArgs),
    /// Print the path a call would take through the matrix, and why; no call is made
    Trace(TraceArgs),
    /// Print the JSON Schema of plan files, of the configuration and of bots, for editors
    Schema(SchemaArgs),
    /// Say what a change of the files changes for callers
    Diff(DiffArgs),
    /// Print call records, oldest first
    Cdr(CdrArgs),
    /// Run the engine again on a recording of its inputs: who got which call, and why
    Replay(ReplayArgs),
    /// Make a token for the HTTP API
    Token(TokenArgs),
    /// Say who may log in to the web pages
    User(UserArgs),
    /// Recordings on the disk: their key, their audio, and whether they are as they were written
    Recording(recording::RecordingArgs),
    Staff(staff::StaffArgs),
    Simulate(simulate::SimulateArgs),
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

#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    pub command: UserCommand,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Let somebody log in; the password is read from standard input
    Add(UserAddArgs),
    /// Give a user another password, read from standard input; their sessions are over
    Password(UserNameArgs),
    /// Let a user log in no longer; their sessions are over
    Remove(UserNameArgs),
    /// Print who may log in
    List(UserListArgs),
}

#[derive(Debug, Args)]
pub struct UserAddArgs {
    /// The name to log in with
    pub name: String,
    /// What they may do
    #[arg(long, value_enum)]
    pub role: UserRoleArg,
    /// The agent's number; needed with --role agent
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// Their name as others read it
    #[arg(long = "called", value_name = "NAME")]
    pub called: Option<String>,
    /// The language of their pages: en or fr; the browser's where it is not given
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// Ask for a code of an authenticator as well
    #[arg(long)]
    pub totp: bool,
    /// The data folder of the appliance
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

#[derive(Debug, Args)]
pub struct UserNameArgs {
    pub name: String,
    /// The data folder of the appliance
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

#[derive(Debug, Args)]
pub struct UserListArgs {
    /// The data folder of the appliance
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum UserRoleArg {
    Agent,
    Supervisor,
    Operator,
    Admin,
}

impl From<UserRoleArg> for UserRole {
    fn from(role: UserRoleArg) -> UserRole {
        match role {
            UserRoleArg::Agent => UserRole::Agent,
            UserRoleArg::Supervisor => UserRole::Supervisor,
            UserRoleArg::Operator => UserRole::Operator,
            UserRoleArg::Admin => UserRole::Admin,
        }
    }
}

/// Flags override the file.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// Listen for SIP here: udp:ADDR:PORT, tcp:… or tls:…; may be given several times
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
    /// Record all that comes in, for `relais replay`; a file that is there already is kept, and nothing recorded
    #[arg(long, value_name = "FILE")]
    pub record_inputs: Option<PathBuf>,
    /// Size at which that recording ends
    #[arg(long, value_name = "MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    #[arg(requires = "record_inputs")]
    pub record_inputs_most: u64,
}

impl RunArgs {
    pub fn overrides(&self) -> Overrides {
        Overrides { sip: self.sip.clone(), rtp: self.rtp, web: self.web, data: self.data.clone() }
    }

    pub fn recording(&self) -> Option<Recording> {
        let file = self.record_inputs.clone()?;
        Some(Recording { file, most: self.record_inputs_most << 20 })
    }
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Instead of the tests, say how a bot understands the sentences of this file; may be given several times
    #[arg(long, value_name = "FILE")]
    pub bot_matrix: Vec<PathBuf>,
    /// The bots understand without the sentence encoder
    #[arg(long)]
    pub without_encoder: bool,
}

#[derive(Debug, Args)]
pub struct ModulesArgs {
    /// One module; all of them where it is not given
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// The number that is dialled
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// The caller's number; withheld where it is not given
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// The trunk that brings the call; the first one that offers the plan where it is not given
    #[arg(long, value_name = "ID")]
    pub trunk: Option<String>,
    /// The language the call begins in
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// When the call comes in, as 2026-11-25T11:00:00+01:00; now where it is not given
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment)]
    pub at: Option<Moment>,
    /// Keys that the caller presses when asked; a space is a pause
    #[arg(long, value_name = "KEYS", value_parser = parse_digits)]
    pub digits: Option<String>,
    /// What the caller says when asked; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub say: Vec<String>,
    /// What a look-up finds, as JSON; may be given several times
    #[arg(long, value_name = "NAME=JSON", value_parser = parse_lookup)]
    pub lookup: Vec<(String, Value)>,
    /// What becomes of the caller in a queue: answered (the default), full, timed_out, too_long, left:KEY
    #[arg(long, value_name = "QUEUE=WORD", value_parser = parse_queue)]
    pub queue: Vec<(String, QueueOutcome)>,
    /// What becomes of a transfer: answered (the default), busy, declined, no_answer, unreachable
    #[arg(long, value_name = "TARGET=WORD", value_parser = parse_transfer)]
    pub transfer: Vec<(String, TransferOutcome)>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of which file; one schema for plans and the configuration where it is not given
    #[arg(value_enum)]
    pub of: Option<SchemaOf>,
    /// Complete and check the names of this configuration too: queues, calendars, prompts, agents
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaOf {
    Plan,
    Config,
    Bot,
    BotExamples,
    /// The HTTP API, as OpenAPI
    Api,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The configuration as it is: a file, or a folder that holds relais.toml
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The configuration as it will be
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A point in time as it was written.
#[derive(Clone, Debug)]
pub struct Moment {
    pub wall: Wall,
    pub text: String,
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    match text.parse() {
        Ok(wall) => Ok(Moment { wall, text: text.to_owned() }),
        Err(_) => Err("this is no time with an offset; write 2026-11-25T11:00:00+01:00".to_owned()),
    }
}

fn parse_digits(text: &str) -> Result<String, String> {
    match text.chars().find(|c| *c != ' ' && Digit::new(*c).is_none()) {
        Some(bad) => Err(format!("'{bad}' is no key of a telephone; use 0-9, *, #, and a space for a pause")),
        None => Ok(text.to_owned()),
    }
}

fn parse_lookup(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=JSON")?;
    // A word without quotes is meant as a text.
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

fn parse_queue(text: &str) -> Result<(String, QueueOutcome), String> {
    let known = "write QUEUE=answered, QUEUE=full, QUEUE=timed_out, QUEUE=too_long or QUEUE=left:0";
    let (name, word) = text.split_once('=').ok_or(known)?;
    Ok((name.to_owned(), queue_outcome(word).ok_or(known)?))
}

fn parse_transfer(text: &str) -> Result<(String, TransferOutcome), String> {
    let known = "write agent:201=busy, or answered, declined, no_answer, unreachable";
    let (name, word) = text.split_once('=').ok_or(known)?;
    Ok((name.to_owned(), transfer_outcome(word).ok_or(known)?))
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

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What `relais run --record-inputs FILE` recorded
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Compare with the call records of this data folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON: one object a call, or the outcome of the comparison
    #[arg(long)]
    pub json: bool,
}

/// Parses the arguments and does what they say. Bad usage is told by clap, with exit code 2.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Modules(args) => modules::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Talk(args) => talk::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Cdr(args) => cdr::run(&args.data, args.json),
        Command::Replay(args) => replay::run(&args),
        Command::Token(args) => match args.command {
            TokenCommand::Create(args) => token::run(&args),
        },
        Command::User(args) => user::run(&args.command),
        Command::Recording(args) => recording::run(&args),
        Command::Staff(args) => staff::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    }
}

/// Said beside what was asked for.
fn warn(message: &str) {
    eprintln!("warning: {message}");
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// On standard error, one a line.
fn print_findings(findings: &[Finding]) {
    let mut err = std::io::stderr().lock();
    for finding in findings {
        // Nobody may be reading.
        let _ = writeln!(err, "{finding}");
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
