//! Sentences as the telephone carries them: espeak-ng and Piper say them, people said some of them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::audio::{at_level, read, telephone};

/// Where deploy/test and deploy/run put models; `RELAIS_MODELS` names another folder.
pub fn models() -> PathBuf {
    let named = std::env::var_os("RELAIS_MODELS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models"))
}

fn carried(voice: &[i16]) -> Vec<i16> {
    telephone(&at_level(voice, -23.0))
}

/// By espeak-ng; what is missing otherwise.
pub fn espeak(voice: &str, text: &str) -> Result<Vec<i16>, String> {
    espeak_in_the_room(voice, SLOWLY, text).map(|voice| carried(&voice))
}

/// In words a minute; by itself espeak-ng speaks `QUICKLY`.
const SLOWLY: u32 = 140;
pub const QUICKLY: u32 = 175;

/// As nobody's telephone has carried it.
pub fn espeak_in_the_room(voice: &str, speed: u32, text: &str) -> Result<Vec<i16>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("said.wav");
    let speed = speed.to_string();
    let status = Command::new("espeak-ng").args(["-v", voice, "-s", &speed, "-w"]).arg(&path).arg(text).status();
    match status {
        Ok(status) if status.success() => Ok(read(&path)),
        Ok(status) => Err(format!("espeak-ng does not speak {voice}: {status}")),
        Err(error) => Err(format!("espeak-ng: {error}")),
    }
}

/// By Piper's English voice; what is missing otherwise.
pub fn piper(sentences: &[&str]) -> Result<Vec<Vec<i16>>, String> {
    Ok(piper_in_the_room(sentences)?.iter().map(|voice| carried(voice)).collect())
}

/// As nobody's telephone has carried it.
pub fn piper_in_the_room(sentences: &[&str]) -> Result<Vec<Vec<i16>>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("RELAIS_PIPER").map_or_else(|| root.join("target/voices/bin/python"), PathBuf::from);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |index: usize| folder.path().join(format!("{index}.wav"));
    let started = Command::new(&python)
        .arg(root.join("deploy/prompts/piper_voice.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut speaker = started.map_err(|error| format!("{}: {error}", python.display()))?;
    let mut input = speaker.stdin.take().expect("a pipe");
    for (index, text) in sentences.iter().enumerate() {
        writeln!(input, "{}\t{text}", path(index).display()).map_err(|error| format!("piper: {error}"))?;
    }
    drop(input);
    match speaker.wait() {
        Ok(status) if status.success() => Ok((0..sentences.len()).map(|index| read(&path(index))).collect()),
        status => Err(format!("piper does not speak: {status:?}")),
    }
}

/// A recorded sentence and its words; what is missing otherwise.
pub fn recorded(language: &str, name: &str) -> Result<(Vec<i16>, String), String> {
    recorded_in_the_room(language, name).map(|(voice, text)| (carried(&voice), text))
}

/// As nobody's telephone has carried it.
pub fn recorded_in_the_room(language: &str, name: &str) -> Result<(Vec<i16>, String), String> {
    let path = models().join("samples").join(language).join(name);
    let text = std::fs::read_to_string(path.with_extension("txt"));
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((read(&path.with_extension("wav")), text))
}
