//! `bots = ["bots/*.toml"]`: files of bots, with their examples and tests, to checked bots.

mod cases;
mod encoder;
mod examples;
mod notebook;
mod schema;
mod slots;
mod steps;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::files::{self, Drafts};
use super::people::check_id;
use crate::callbot::bot::{Bot, Intent, Thresholds, Times};
use crate::callbot::case::Case;
use crate::callbot::words;
use crate::dialplan::Names;
use crate::dialplan::reader::{self, At, Table};
use crate::findings::{Finding, Findings, Source, suggest};
use crate::ids::Language;

pub use encoder::read_encoder;
pub use notebook::Notebook;
pub use schema::{bot_schema, examples_schema};

/// The name of what is no wish, among the examples.
pub const NONE: &str = "none";

/// A bot and the test cases that stand in its file.
#[derive(Clone, Debug)]
pub struct Described {
    pub bot: Bot,
    pub cases: Vec<Case>,
    pub source: Source,
    /// The files of what callers say.
    pub examples: Vec<Source>,
}

/// Reads the bots that the patterns name. A bot with errors is left out.
pub(super) fn read_all(
    patterns: &[At<String>],
    (folder, drafts): (&Path, &Drafts),
    names: &Names,
    findings: &mut Findings<'_>,
    found: &mut Vec<Finding>,
) -> Vec<Described> {
    let mut bots: Vec<Described> = Vec::new();
    for source in files::sources("bots", patterns, (folder, drafts), findings) {
        let mut own = Findings::new(&source);
        let described = reader::parse(&mut own).and_then(|document| {
            let table = Table::new("bot", document.get_ref(), 0..0);
            read(table, (&source, drafts), names, &mut own, found)
        });
        if let Some((bot, cases, examples)) = described {
            if bots.iter().any(|other| other.bot.name == bot.name) {
                own.error(0..0, format!("there are two bots '{}'", bot.name), "give each a name of its own".to_owned());
            }
            bots.push(Described { bot, cases, source: source.clone(), examples });
        }
        found.extend(own.into_sorted());
    }
    bots
}

/// What a bot's parts may name.
pub(super) struct Known<'n> {
    pub names: &'n Names,
    pub languages: Vec<Language>,
    pub slots: Vec<String>,
    pub intents: Vec<String>,
    /// Fields of look-ups.
    pub fields: Vec<String>,
}

fn read(
    mut table: Table<'_>,
    (source, drafts): (&Source, &Drafts),
    names: &Names,
    findings: &mut Findings<'_>,
    found: &mut Vec<Finding>,
) -> Option<(Bot, Vec<Case>, Vec<Source>)> {
    let path = Path::new(&source.path);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("bot").to_owned();
    let name = table.text("name", findings).unwrap_or(At { value: stem, span: 0..0 });
    table.what = format!("bot '{}'", name.value);
    if let Err(fault) = check_id(&name.value) {
        findings.error(name.span.clone(), fault, None);
    }
    let languages = read_languages(&mut table, names, findings);
    let time_zone = read_zone(&mut table, names, findings);
    let misses = table.integer("misses", 1..=10, findings).map_or(2, |misses| misses.value);
    let thresholds = read_thresholds(&mut table, findings);
    let times = read_times(&mut table, findings);
    let example_files = table.texts("examples", findings).map(|texts| texts.value).unwrap_or_default();
    let slot_tables = table.tables("slot", findings);
    let intent_tables = table.tables("intent", findings);
    let mut known = Known { names, languages, slots: Vec::new(), intents: Vec::new(), fields: Vec::new() };
    known.slots = slots::names(&slot_tables, findings);
    known.intents = steps::names(&intent_tables, findings);
    known.fields = steps::fields(&intent_tables);
    let texts = texts::general(&mut table, &known, findings);
    let slots = slots::read_all(slot_tables, &known, findings);
    let intents = steps::read_all(intent_tables, &known, findings);
    if intents.is_empty() {
        let hint = "write [[intent]] with a name and steps".to_owned();
        findings.error(table.span.clone(), format!("{} has no intents", table.what), hint);
    }
    check_keys(&intents, &table, findings);
    let folder = path.parent().unwrap_or(Path::new(""));
    let learnt = examples::read_all(&example_files, (folder, drafts), &known, findings, found);
    examples::check(&learnt, &known, &table, findings);
    let cases = cases::read_all(&mut table, &known, findings);
    table.finish(findings);
    let bot = Bot {
        name: name.value,
        languages: known.languages,
        time_zone,
        misses: u32::try_from(misses).unwrap_or(2),
        thresholds,
        times,
        texts,
        slots,
        intents,
        listen_for: learnt.listen_for,
        anger: learnt.anger,
        examples: learnt.examples,
    };
    Some((bot, cases, learnt.sources))
}

fn read_languages(table: &mut Table<'_>, names: &Names, findings: &mut Findings<'_>) -> Vec<Language> {
    let mut languages = Vec::new();
    let given = table.texts("languages", findings);
    for text in given.iter().flat_map(|given| &given.value) {
        let language = Language::from(text.value.as_str());
        if words::of(&language).is_none() {
            let hint = format!("there are {}", words::LANGUAGES.join(", "));
            findings.error(text.span.clone(), format!("{}: no bot speaks '{language}' yet", table.what), hint);
        } else if !names.prompts.contains_key(&language) {
            let hint = format!("write languages = […, \"{language}\"] in the configuration");
            let message = format!("{}: callers of this centre never hear language '{language}'", table.what);
            findings.warning(text.span.clone(), message, hint);
        } else if !languages.contains(&language) {
            languages.push(language);
        }
    }
    if given.is_none() {
        languages.extend(names.default_language.clone());
    } else if languages.is_empty() {
        findings.error(table.span.clone(), format!("{}: languages names none that is spoken", table.what), None);
    }
    languages
}

fn read_zone(table: &mut Table<'_>, names: &Names, findings: &mut Findings<'_>) -> String {
    let Some(zone) = table.text("time_zone", findings) else { return names.time_zone.clone() };
    if jiff::tz::TimeZone::get(&zone.value).is_err() {
        let hint = "write it as \"Europe/Paris\"".to_owned();
        findings.error(zone.span, format!("{}: there is no time zone '{}'", table.what, zone.value), hint);
    }
    zone.value
}

fn read_thresholds(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Thresholds {
    let usual = Thresholds { accept: None, sure: 0.6, heard: 0.2 };
    let Some(mut own) = table.table("thresholds", findings) else { return usual };
    let mut percent = |key, findings: &mut Findings<'_>| {
        own.integer(key, 0..=100, findings).map(|percent| percent.value as f32 / 100.0)
    };
    let thresholds = Thresholds {
        accept: percent("accept_percent", findings),
        sure: percent("sure_percent", findings).unwrap_or(usual.sure),
        heard: percent("heard_percent", findings).unwrap_or(usual.heard),
    };
    own.finish(findings);
    thresholds
}

fn read_times(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Times {
    let mut times = Times {
        silence: Duration::from_secs(6),
        moment: Duration::from_secs(20),
        between_keys: Duration::from_secs(3),
        recogniser: Duration::from_secs(20),
        longest: Duration::from_secs(420),
        turns: 40,
    };
    let Some(mut own) = table.table("times", findings) else { return times };
    let mut millis = |key, low, high, place: &mut Duration, findings: &mut Findings<'_>| {
        if let Some(millis) = own.integer(key, low..=high, findings) {
            *place = Duration::from_millis(millis.value.unsigned_abs());
        }
    };
    millis("silence_ms", 1_000, 60_000, &mut times.silence, findings);
    millis("moment_ms", 1_000, 120_000, &mut times.moment, findings);
    millis("between_keys_ms", 500, 20_000, &mut times.between_keys, findings);
    millis("recogniser_ms", 2_000, 60_000, &mut times.recogniser, findings);
    if let Some(longest) = own.integer("longest_s", 30..=3_600, findings) {
        times.longest = Duration::from_secs(longest.value.unsigned_abs());
    }
    if let Some(turns) = own.integer("turns", 2..=200, findings) {
        times.turns = u32::try_from(turns.value).unwrap_or(times.turns);
    }
    own.finish(findings);
    times
}

/// A key chooses one intent, and 0 is a person's.
fn check_keys(intents: &[Intent], table: &Table<'_>, findings: &mut Findings<'_>) {
    let mut seen: BTreeMap<char, &str> = BTreeMap::new();
    for intent in intents {
        let Some(key) = intent.key.map(|key| key.key()) else { continue };
        if let Some(other) = seen.insert(key, &intent.name) {
            let message = format!("intents '{other}' and '{}' have the same key {key}", intent.name);
            findings.error(table.span.clone(), message, None);
        }
    }
}

/// An unknown name, with the nearest known one.
fn unknown(what: &str, kind: &str, name: &At<String>, known: &[String], findings: &mut Findings<'_>) {
    let hint = suggest(&name.value, known.iter().map(String::as_str));
    findings.error(name.span.clone(), format!("{what}: there is no {kind} '{}'", name.value), hint);
}
