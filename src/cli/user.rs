//! `relais user`: who may log in to the web pages, also while the server runs.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{FAILED, UserAddArgs, UserCommand, plain};
use crate::ids::{AgentId, Language};
use crate::time::Wall;
use crate::web::Users;
use crate::web::users::{NewUser, UserError};

pub fn run(command: &UserCommand) -> ExitCode {
    let done = match command {
        UserCommand::Add(args) => add(args),
        UserCommand::Password(args) => set_password(&args.data, &args.name),
        UserCommand::Remove(args) => remove(&args.data, &args.name),
        UserCommand::List(args) => list(&args.data),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

fn add(args: &UserAddArgs) -> Result<(), String> {
    let users = open(&args.data)?;
    let wanted = NewUser {
        id: args.name.clone(),
        name: args.called.clone(),
        role: args.role.into(),
        agent: args.agent.as_deref().map(AgentId::from),
        language: args.language.as_deref().map(Language::from),
        password: read_password()?,
        totp: args.totp,
    };
    let address = users.add(wanted, Wall::now()).map_err(text)?;
    println!("user {} may log in", args.name.to_ascii_lowercase());
    if let Some(address) = address {
        println!("give this to an authenticator, as a QR code or by hand; it is shown once:\n{address}");
    }
    Ok(())
}

fn set_password(data: &Path, name: &str) -> Result<(), String> {
    let users = open(data)?;
    users.set_password(name, &read_password()?).map_err(text)
}

fn remove(data: &Path, name: &str) -> Result<(), String> {
    open(data)?.remove(name).map_err(text)
}

fn list(data: &Path) -> Result<(), String> {
    let mut out = io::stdout().lock();
    for user in open(data)?.list() {
        let second = if user.has_totp() { "second factor" } else { "" };
        let agent = user.agent.as_ref().map_or("", |agent| agent.as_str());
        let role = crate::settings::UserRole::name(user.role);
        // Whoever reads may have gone.
        let _ = writeln!(out, "{:<24} {role:<10} {agent:<8} {:<24} {second}", user.id, plain(&user.name));
    }
    Ok(())
}

fn open(data: &Path) -> Result<Users, String> {
    Users::open(data).map_err(text)
}

fn text(error: UserError) -> String {
    error.to_string()
}

/// The first line of standard input; at a terminal it does not show.
fn read_password() -> Result<String, String> {
    let failed = |error: io::Error| format!("the password cannot be read from standard input: {error}");
    let mut line = String::new();
    let input = io::stdin();
    let before = input.is_terminal().then(|| tcgetattr(&input).ok()).flatten();
    if let Some(before) = &before {
        eprint!("password: ");
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &hidden).map_err(|error| failed(error.into()))?;
    }
    let read = input.lock().read_line(&mut line).map_err(failed);
    if let Some(before) = &before {
        // The terminal is as it was, whatever was read.
        let _ = tcsetattr(&input, OptionalActions::Flush, before);
        eprintln!();
    }
    read.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
}
