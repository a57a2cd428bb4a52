//! `relais talk`: converse with a callbot by text.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::texts::Texts;
use super::wav;
use super::{BAD_USAGE, FAILED, Moment, parse_lookup, parse_moment, plain, print_findings, warn};
use crate::bench::minds;
use crate::callbot::case::{Input, Talk};
use crate::callbot::dialogue::{Conversation, Ending, Mind};
use crate::config::bots::Described;
use crate::config::{self, Overrides};
use crate::findings::suggest;
use crate::ids::Language;
use crate::ivr::Value;
use crate::time::Wall;

/// Converse with a callbot by text on standard input
///
/// Each line is what the caller says. `/keys 12#` presses keys, `/silence` says nothing, `/noise` coughs, and
/// `/failure` takes speech recognition away.
#[derive(Debug, Args)]
pub struct TalkArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "relais.toml")]
    pub config: PathBuf,
    /// The bot: its name, or a language for the first bot that speaks it
    #[arg(long, value_name = "NAME")]
    pub bot: String,
    /// The language it begins in; the bot's first one where it is not given
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// What a service answers, as JSON: orders={"state":"shipped"}; no answer where nothing is said
    #[arg(long, value_name = "SERVICE=JSON", value_parser = parse_lookup)]
    pub lookup: Vec<(String, Value)>,
    /// When the call comes in, as 2026-11-25T11:00:00+01:00; now where it is not given
    #[arg(long, value_name = "RFC3339", value_parser = parse_moment)]
    pub at: Option<Moment>,
    /// Speech recognition is not at hand
    #[arg(long)]
    pub keypad: bool,
    /// What the caller says, as a sound file that the recogniser of the configuration hears; in place of standard input
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &TalkArgs) -> ExitCode {
    let loaded = match config::load(&args.config, &Overrides::default()) {
        Ok(loaded) => loaded,
        Err(findings) => {
            print_findings(&findings);
            return ExitCode::from(BAD_USAGE);
        }
    };
    let (described, language) = match find(&loaded.bots, &args.bot, args.language.as_deref()) {
        Ok(found) => found,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let understanding = minds::understanding(&described.bot, minds::encoder(&loaded, warn), &loaded);
    let names = loaded.plans.names();
    let mind = Mind { bot: &described.bot, understanding: &understanding, spoken: &names.spoken };
    let lines: Lines = match &args.wav {
        None => Box::new(std::io::stdin().lock().lines()),
        Some(file) => match wav::hear(file, &language, &loaded.settings) {
            Ok(spoken) => {
                say_what_was_heard(args, &spoken);
                Box::new([Ok(spoken.text)].into_iter())
            }
            Err(message) => {
                eprintln!("{message}");
                return ExitCode::from(FAILED);
            }
        },
    };
    match converse(args, mind, &language, &Texts::read(&loaded.settings), lines) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has gone.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standard input or output fails: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The bot of a name, or the first one that speaks a language of that name.
pub(super) fn find<'b>(
    bots: &'b [Described],
    name: &str,
    language: Option<&str>,
) -> Result<(&'b Described, Language), String> {
    let tag = Language::from(name);
    let by_name = bots.iter().find(|described| described.bot.name == name);
    let by_language = || bots.iter().find(|described| described.bot.languages.contains(&tag));
    let Some(described) = by_name.or_else(by_language) else {
        let mut known: Vec<&str> = bots.iter().map(|described| described.bot.name.as_str()).collect();
        known.extend(bots.iter().flat_map(|described| &described.bot.languages).map(|language| language.as_str()));
        let hint = suggest(name, known).unwrap_or_else(|| "write bots = [\"bots/*.toml\"]".to_owned());
        return Err(format!("there is no bot '{}' ({hint})", plain(name)));
    };
    let first = if by_name.is_some() { described.bot.languages.first().cloned() } else { Some(tag) };
    let wanted = language.map(Language::from).or(first).unwrap_or_else(|| Language::from("en"));
    match described.bot.language(&wanted) {
        Some(language) => Ok((described, language.clone())),
        None => {
            let known = described.bot.languages.iter().map(|language| language.as_str());
            let hint = suggest(wanted.as_str(), known).map(|hint| format!(" ({hint})")).unwrap_or_default();
            Err(format!("bot '{}' does not speak '{wanted}'{hint}", described.bot.name))
        }
    }
}

/// What the caller says, line by line.
type Lines = Box<dyn Iterator<Item = std::io::Result<String>>>;

fn say_what_was_heard(args: &TalkArgs, spoken: &wav::Spoken) {
    let wav::Spoken { text, confidence, engine, latency } = spoken;
    let latency = latency.as_millis();
    // Whoever reads may have gone; the conversation notices.
    let _ = match args.json {
        true => writeln!(
            std::io::stdout(),
            "{}",
            json!({ "heard": text, "confidence": confidence, "engine": engine, "latency_ms": u64::try_from(latency).ok() })
        ),
        false => writeln!(
            std::io::stdout(),
            "heard: {} ({:.2}, {engine}, {latency} ms)",
            plain(text),
            confidence.unwrap_or_default()
        ),
    };
}

fn converse(args: &TalkArgs, mind: Mind<'_>, language: &Language, texts: &Texts, lines: Lines) -> std::io::Result<()> {
    let at = args.at.as_ref().map_or_else(Wall::now, |at| at.wall);
    let mut talk = Talk::begin(mind, language, !args.keypad, at, look_ups(&args.lookup));
    let mut out = std::io::stdout().lock();
    bot_speaks(args, &mut out, &mut talk, texts)?;
    for line in lines {
        if talk.end.is_some() {
            break;
        }
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let input = match Input::parse(&line) {
            Ok(input) => input,
            Err(fault) => {
                eprintln!("{fault}");
                continue;
            }
        };
        let misses = talk.dialogue.packet(mind, None, talk.now()).misses.len();
        talk.input(&input);
        let missed = talk.dialogue.packet(mind, None, talk.now()).misses.len() > misses;
        let (intent, confidence) = taken_for(mind, &talk, missed);
        if args.json {
            writeln!(out, "{}", json!({ "said": line, "intent": intent, "confidence": confidence }))?;
        } else {
            writeln!(out, "intent: {intent} ({confidence:.2})")?;
        }
        bot_speaks(args, &mut out, &mut talk, texts)?;
    }
    let (ending, packet) = match talk.end.take() {
        Some((ending, packet)) => (Some(ending), packet),
        // The caller hangs up.
        None => (None, talk.dialogue.packet(mind, None, talk.now())),
    };
    finish(args, &mut out, ending, &packet)
}

/// What the last words were taken for: `none` where they were not understood, the intent at work where they answered.
fn taken_for(mind: Mind<'_>, talk: &Talk<'_>, missed: bool) -> (String, f32) {
    let at_work = talk.dialogue.intent(mind.bot).map(|(name, confidence)| (name.to_owned(), confidence));
    match talk.dialogue.last_guess(mind.bot) {
        Some((Some(name), confidence)) => (name, confidence),
        Some((None, confidence)) if missed || at_work.is_none() => ("none".to_owned(), confidence),
        _ => at_work.unwrap_or(("none".to_owned(), 0.0)),
    }
}

fn bot_speaks(args: &TalkArgs, out: &mut impl Write, talk: &mut Talk<'_>, texts: &Texts) -> std::io::Result<()> {
    let prompts = std::mem::take(&mut talk.heard);
    if !prompts.is_empty() {
        let text = texts.say(&prompts, talk.dialogue.language());
        if args.json {
            writeln!(out, "{}", json!({ "bot": text, "prompts": prompts, "language": talk.dialogue.language() }))?;
        } else {
            writeln!(out, "bot: {text}")?;
        }
    }
    out.flush()
}

fn finish(args: &TalkArgs, out: &mut impl Write, ending: Option<Ending>, packet: &Conversation) -> std::io::Result<()> {
    if args.json {
        let word = match ending {
            Some(Ending::HandOver(_)) => "handover",
            Some(Ending::Served) | None => "end",
        };
        return writeln!(out, "{}", json!({ "end": word, "reason": packet.reason, "packet": packet }));
    }
    match ending {
        Some(Ending::HandOver(reason)) => {
            writeln!(out, "handover: {}", reason.word())?;
            writeln!(out, "{}", serde_json::to_string_pretty(packet).unwrap_or_default())
        }
        Some(Ending::Served) | None => writeln!(out, "end"),
    }
}

fn look_ups(given: &[(String, Value)]) -> BTreeMap<String, BTreeMap<String, String>> {
    let fields = |value: &Value| match value {
        Value::Map(fields) => fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        other => BTreeMap::from([("result".to_owned(), other.to_string())]),
    };
    given.iter().map(|(service, value)| (service.clone(), fields(value))).collect()
}
