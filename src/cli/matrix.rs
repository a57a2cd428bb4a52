//! `relais test --bot-matrix FILE`: how a bot understands sentences that are no examples of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use super::{BAD_USAGE, TestArgs, count, plain, talk, warn};
use crate::bench::minds;
use crate::callbot::understanding::{Understand, Understanding};
use crate::config::Loaded;
use crate::config::bots::NONE;

/// A file of sentences, each with what it stands for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentences {
    /// The file's name where it is not given.
    language: Option<String>,
    sentence: Vec<Sentence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    text: String,
    /// What a recogniser may have heard instead, likeliest first.
    #[serde(default)]
    or: Vec<String>,
    intent: String,
}

/// One sentence and what became of it.
struct Judged {
    text: String,
    meant: String,
    taken_for: String,
    confidence: f32,
}

pub(super) fn run(args: &TestArgs, loaded: &Loaded) -> ExitCode {
    let encoder = if args.without_encoder { None } else { minds::encoder(loaded, warn) };
    let mut learnt: BTreeMap<&str, Understanding> = BTreeMap::new();
    for path in &args.bot_matrix {
        let judged = read(path).and_then(|(language, sentences)| {
            let (described, language) = talk::find(&loaded.bots, &language, None)?;
            let bot = &described.bot;
            let understanding =
                learnt.entry(&bot.name).or_insert_with(|| minds::understanding(bot, encoder.clone(), loaded));
            let known = |intent: &str| intent == NONE || bot.intent(intent).is_some();
            if let Some(strange) = sentences.iter().find(|sentence| !known(&sentence.intent)) {
                return Err(format!("{}: bot '{}' has no intent '{}'", path.display(), bot.name, strange.intent));
            }
            let judge = |sentence: Sentence| {
                let guess = understanding.guess_heard(bot, &language, &sentence.text, &sentence.or);
                let accepted = guess.filter(|guess| guess.accepted).and_then(|guess| bot.intents.get(guess.intent));
                Judged {
                    text: sentence.text,
                    meant: sentence.intent,
                    taken_for: accepted.map_or(NONE, |intent| &intent.name).to_owned(),
                    confidence: guess.map_or(0.0, |guess| guess.confidence),
                }
            };
            Ok((understanding.threshold(bot, &language), sentences.into_iter().map(judge).collect::<Vec<_>>()))
        });
        match judged {
            // Whoever reads may have gone.
            Ok((threshold, judged)) => {
                let _ = if args.json { print_json(path, &judged) } else { print(path, threshold, &judged) };
            }
            Err(message) => {
                eprintln!("{message}");
                return ExitCode::from(BAD_USAGE);
            }
        }
    }
    ExitCode::SUCCESS
}

fn read(path: &Path) -> Result<(String, Vec<Sentence>), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: Sentences = toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.message()))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    Ok((file.language.unwrap_or(stem), file.sentence))
}

/// Of the sentences that `which` chooses how many fulfil `what`, and how many there are.
fn share(judged: &[Judged], which: impl Fn(&Judged) -> bool, what: impl Fn(&Judged) -> bool) -> (usize, usize) {
    let chosen: Vec<&Judged> = judged.iter().filter(|judged| which(judged)).collect();
    (chosen.iter().filter(|judged| what(judged)).count(), chosen.len())
}

/// Wilson's interval of a share, at 95 %.
fn wilson((some, all): (usize, usize)) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (z, n) = (1.959_964, all as f64);
    let p = some as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    ((middle - half) / whole, (middle + half) / whole)
}

fn shown(share: (usize, usize)) -> String {
    let (low, high) = wilson(share);
    let percent = |value: f64| value * 100.0;
    let exact = percent(share.0 as f64 / share.1.max(1) as f64);
    format!(
        "{exact:.1} % ({} of {}; 95 % interval {:.1} to {:.1})",
        share.0,
        share.1,
        percent(low.max(0.0)),
        percent(high)
    )
}

fn right(judged: &[Judged]) -> (usize, usize) {
    share(judged, |judged| judged.meant != NONE, |judged| judged.meant == judged.taken_for)
}

fn nonsense_taken(judged: &[Judged]) -> (usize, usize) {
    share(judged, |judged| judged.meant == NONE, |judged| judged.taken_for != NONE)
}

fn print(path: &Path, threshold: Option<f32>, judged: &[Judged]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: {}", path.display(), count(judged.len(), "sentence"))?;
    writeln!(out, "understood: {}", shown(right(judged)))?;
    writeln!(out, "nonsense taken for a wish: {}", shown(nonsense_taken(judged)))?;
    let wrong = share(
        judged,
        |judged| judged.meant != NONE,
        |judged| judged.taken_for != NONE && judged.taken_for != judged.meant,
    );
    writeln!(out, "taken for another wish: {}", shown(wrong))?;
    writeln!(out, "believed from a confidence of {:.2}", threshold.unwrap_or_default())?;
    let mut names: Vec<&str> = Vec::new();
    for name in judged.iter().flat_map(|judged| [judged.meant.as_str(), judged.taken_for.as_str()]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let width = names.iter().map(|name| name.len()).max().unwrap_or(4);
    let heads: Vec<String> = names.iter().map(|name| format!("{:>5}", name.get(..5).unwrap_or(name))).collect();
    writeln!(out, "\n{:width$} {}  (rows: meant; columns: taken for)", "", heads.join(" "))?;
    for meant in &names {
        let cells: Vec<String> = names
            .iter()
            .map(|taken| match share(judged, |judged| judged.meant == *meant, |judged| judged.taken_for == *taken).0 {
                0 => format!("{:>5}", "."),
                some => format!("{some:>5}"),
            })
            .collect();
        writeln!(out, "{meant:width$} {}", cells.join(" "))?;
    }
    writeln!(out, "\nnot understood, or taken for something else:")?;
    for judged in judged.iter().filter(|judged| judged.meant != judged.taken_for) {
        let Judged { text, meant, taken_for, confidence } = judged;
        writeln!(out, "  {meant} as {taken_for} ({confidence:.2}): {}", plain(text))?;
    }
    writeln!(out)
}

fn print_json(path: &Path, judged: &[Judged]) -> std::io::Result<()> {
    let share = |share: (usize, usize)| {
        let (low, high) = wilson(share);
        json!({ "count": share.0, "of": share.1, "low": low, "high": high })
    };
    let wrong: Vec<_> = judged
        .iter()
        .filter(|judged| judged.meant != judged.taken_for)
        .map(|judged| {
            json!({
                "text": judged.text,
                "meant": judged.meant,
                "taken_for": judged.taken_for,
                "confidence": judged.confidence,
            })
        })
        .collect();
    let all = json!({
        "file": path.display().to_string(),
        "understood": share(right(judged)),
        "nonsense_taken": share(nonsense_taken(judged)),
        "wrong": wrong,
    });
    writeln!(std::io::stdout(), "{all}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let (low, high) = wilson((95, 100));
        assert!((low - 0.8882).abs() < 1e-3 && (high - 0.9785).abs() < 1e-3, "{low} {high}");
        assert_eq!(wilson((0, 0)), (0.0, 1.0));
    }
}
