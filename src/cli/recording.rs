//! `relais recording …`: the key file, the audio of a recording as a file, and whether all that is kept is as it was
//! written.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{BAD_USAGE, FAILED, count, print_findings};
use crate::config::{self, Overrides};
use crate::ids::RecordingId;
use crate::media::{find_recording, recording_named};
use crate::server::{open_recording, recordings_folder};
use crate::time::Wall;
use crate::vault::{Vault, new_key};
use crate::web::AudioFault;

#[derive(Debug, Args)]
pub struct RecordingArgs {
    #[command(subcommand)]
    pub command: RecordingCommand,
}

#[derive(Debug, Subcommand)]
pub enum RecordingCommand {
    /// Put a new key at the top of a key file, which is made if need be: what is recorded after the next start or reload
    /// is sealed with it, and the others still open what was sealed before
    NewKey(NewKeyArgs),
    /// Write the audio of a recording into a file, in FLAC
    Export(ExportArgs),
    /// Read every recording and name those that are not as they were written
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// The key file
    pub file: PathBuf,
}

/// Whose recordings they are.
#[derive(Debug, Args)]
pub struct Where {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// The data folder of the appliance, which may be running; that of the configuration where it is not given
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The recording, as call records and lists of messages name it
    #[arg(value_name = "ID", value_parser = parse_id)]
    pub id: RecordingId,
    /// The file, which is not there yet; - for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub of: Where,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub of: Where,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn parse_id(text: &str) -> Result<RecordingId, String> {
    let id = text.parse::<RecordingId>().ok().filter(|id| id.to_string() == text);
    id.ok_or_else(|| {
        "a recording_id is 32 hexadecimal digits in lower case; call records have it as 'recording'".to_owned()
    })
}

pub fn run(args: &RecordingArgs) -> ExitCode {
    match &args.command {
        RecordingCommand::NewKey(args) => add_key(&args.file),
        RecordingCommand::Export(args) => export(args),
        RecordingCommand::Check(args) => check(args),
    }
}

fn add_key(file: &Path) -> ExitCode {
    let about = format!("since {}", Wall::now().strftime("%Y-%m-%d"));
    match new_key(file, &about) {
        Ok(id) => {
            println!("{id}");
            eprintln!(
                "{} has a new key. Keep a copy elsewhere: without it nobody can hear what it seals.",
                file.display()
            );
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{} {fault}", file.display());
            ExitCode::from(FAILED)
        }
    }
}

/// The folder of recordings, and what opens them.
fn archive(of: &Where) -> Result<(PathBuf, Vault), ExitCode> {
    let overrides = Overrides { data: of.data.clone(), ..Overrides::default() };
    match config::load(&of.config, &overrides) {
        Ok(loaded) => Ok((recordings_folder(&loaded.settings.data), Vault::new(loaded.keys))),
        Err(findings) => {
            print_findings(&findings);
            Err(ExitCode::from(BAD_USAGE))
        }
    }
}

fn export(args: &ExportArgs) -> ExitCode {
    let (folder, vault) = match archive(&args.of) {
        Ok(found) => found,
        Err(code) => return code,
    };
    let done = open_recording(&folder, &vault, args.id).map_err(|fault| match fault {
        AudioFault::Missing => {
            format!("there is no recording {} in {}, or it has not ended", args.id, folder.display())
        }
        AudioFault::Unreadable(why) => why,
    });
    match done.and_then(|mut audio| write_out(&mut audio.content, &args.out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(FAILED)
        }
    }
}

/// All of it or nothing: half a file is taken away again.
fn write_out(content: &mut impl Read, out: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", out.display());
    if out == Path::new("-") {
        let mut to = io::stdout().lock();
        return io::copy(content, &mut to).and_then(|_| to.flush()).map_err(|error| format!("the recording: {error}"));
    }
    let mut to = File::options().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    let written = io::copy(content, &mut to).and_then(|_| to.sync_all());
    written.map_err(|error| {
        // What is there is not the recording.
        let _ = fs::remove_file(out);
        failed(error)
    })
}

/// What a check found.
#[derive(Default)]
struct Found {
    fine: usize,
    faults: Vec<(RecordingId, String)>,
}

fn check(args: &CheckArgs) -> ExitCode {
    let (folder, vault) = match archive(&args.of) {
        Ok(found) => found,
        Err(code) => return code,
    };
    let found = look_at_all(&folder, &vault);
    if args.json {
        let faults: Vec<_> =
            found.faults.iter().map(|(id, why)| json!({ "recording_id": id, "message": why })).collect();
        println!("{}", json!({ "fine": found.fine, "faults": faults }));
    } else {
        found.faults.iter().for_each(|(id, why)| println!("{id}: {why}"));
        println!("{} as written, {} not", count(found.fine, "recording"), found.faults.len());
    }
    if found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn look_at_all(folder: &Path, vault: &Vault) -> Found {
    let mut found = Found::default();
    let days = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut days: Vec<PathBuf> = days.map(|day| day.path()).filter(|day| !day.ends_with("under-way")).collect();
    days.sort();
    for day in days {
        let files = fs::read_dir(&day).into_iter().flatten().flatten();
        let named = files.filter_map(|file| Some((recording_named(file.file_name().to_str()?)?.0, file.path())));
        for (id, path) in named {
            // A file of another form beside it, or in another day's folder, is nobody's.
            match find_recording(folder, id).filter(|(known, _)| *known == path) {
                None => found.faults.push((id, format!("{} is no file that is listened to", path.display()))),
                Some(_) => match read_all(folder, vault, id) {
                    Ok(()) => found.fine += 1,
                    Err(why) => found.faults.push((id, why)),
                },
            }
        }
    }
    found
}

fn read_all(folder: &Path, vault: &Vault, id: RecordingId) -> Result<(), String> {
    let mut audio = match open_recording(folder, vault, id) {
        Ok(audio) => audio,
        // Deleted while this runs.
        Err(AudioFault::Missing) => return Ok(()),
        Err(AudioFault::Unreadable(why)) => return Err(why),
    };
    let mut begin = [0; 4];
    audio.content.read_exact(&mut begin).map_err(|error| error.to_string())?;
    if begin != *b"fLaC" {
        return Err("it does not begin as a FLAC file".to_owned());
    }
    io::copy(&mut audio.content, &mut io::sink()).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Form;
    use crate::vault::{Ending, Keyring, Sealer};

    #[test]
    fn a_check_names_what_was_altered_and_an_export_leaves_no_half_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recordings.key");
        new_key(&file, "").unwrap();
        let vault = Vault::new(Some(Keyring::read(&file).unwrap()));
        let audio = [b"fLaC".to_vec(), vec![7; 20_000]].concat();
        let id = |number| RecordingId::new(1_764_328_000_000, number);
        let place = |number, form: Form| folder.path().join("2025-11-28").join(name(id(number), form));
        fs::create_dir(folder.path().join("2025-11-28")).unwrap();
        fs::write(place(1, Form::Plain), &audio).unwrap();
        for number in [2, 3] {
            let sealed = File::options().write(true).create_new(true).open(place(number, Form::Sealed)).unwrap();
            let mut sealer = Sealer::begin(sealed, &vault.keys().unwrap(), id(number)).unwrap();
            sealer.write_all(&audio).unwrap();
            sealer.finish(Ending::Whole).unwrap();
        }
        let out = folder.path().join("out.flac");
        write_out(&mut open_recording(folder.path(), &vault, id(2)).unwrap().content, &out).unwrap();
        assert!(fs::read(&out).unwrap() == audio);
        fs::remove_file(&out).unwrap();
        let mut altered = fs::read(place(3, Form::Sealed)).unwrap();
        altered[15_000] ^= 1;
        fs::write(place(3, Form::Sealed), altered).unwrap();
        fs::write(place(2, Form::Plain), b"fLaC of somebody").unwrap();
        let found = look_at_all(folder.path(), &vault);
        let mut faults: Vec<_> = found.faults.iter().map(|(id, _)| *id).collect();
        faults.sort();
        assert_eq!((found.fine, faults), (2, vec![id(2), id(3)]));
        assert!(write_out(&mut open_recording(folder.path(), &vault, id(3)).unwrap().content, &out).is_err());
        assert!(!out.exists());
        let without = look_at_all(folder.path(), &Vault::default());
        assert!(without.faults.iter().any(|(_, why)| why.contains("names no key file")), "{:?}", without.faults);
    }

    fn name(id: RecordingId, form: Form) -> String {
        match form {
            Form::Plain => format!("{id}.flac"),
            Form::Sealed => format!("{id}.sealed"),
        }
    }
}
