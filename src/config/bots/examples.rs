//! Files of what callers say: one a language, sentences by intent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::{Known, NONE, unknown};
use crate::callbot::bot::ListenFor;
use crate::callbot::matching::Example;
use crate::callbot::text::{LONGEST, plain};
use crate::config::files::{self, Drafts};
use crate::dialplan::reader::{self, At, Table};
use crate::findings::{Finding, Findings, Source};
use crate::ids::Language;

/// What learning is made for; the time it takes grows with the square.
const MOST_EXAMPLES: usize = 6_000;

/// The more phrases a recogniser listens for, the more of them are alike.
const MOST_SHORT: usize = 300;
/// What may be listened for, in characters.
const LONGEST_SHORT: usize = 40;
/// By so many other examples, of so many characters, is told what is none of these.
const MOST_OTHERS: usize = 2_500;
const LONGEST_OTHER: usize = 20;

/// Fewer of them teach little.
const FEW: usize = 8;

/// What the files hold.
#[derive(Default)]
pub(super) struct Learnt {
    pub examples: BTreeMap<Language, Vec<Example>>,
    pub listen_for: BTreeMap<Language, ListenFor>,
    pub anger: BTreeMap<Language, Vec<String>>,
    pub sources: Vec<Source>,
}

pub(super) fn read_all(
    patterns: &[At<String>],
    (folder, drafts): (&Path, &Drafts),
    known: &Known<'_>,
    findings: &mut Findings<'_>,
    found: &mut Vec<Finding>,
) -> Learnt {
    let mut learnt = Learnt::default();
    for source in files::sources("examples", patterns, (folder, drafts), findings) {
        let mut own = Findings::new(&source);
        if let Some(document) = reader::parse(&mut own) {
            read(Table::new("examples", document.get_ref(), 0..0), known, &mut learnt, &mut own);
        }
        found.extend(own.into_sorted());
        learnt.sources.push(source);
    }
    for (language, listen_for) in &mut learnt.listen_for {
        let examples = learnt.examples.get(language).map(Vec::as_slice).unwrap_or_default();
        listen_for.also = others(examples, &listen_for.phrases);
    }
    learnt
}

/// Short examples that are not listened for, evenly from all of them.
fn others(examples: &[Example], phrases: &[Example]) -> Vec<Example> {
    if phrases.is_empty() {
        return Vec::new();
    }
    let phrases: BTreeSet<&str> = phrases.iter().map(|(text, _)| text.as_str()).collect();
    let short = |(text, _): &Example| text.chars().count() <= LONGEST_OTHER && !phrases.contains(text.as_str());
    let all: Vec<Example> = examples.iter().map(|(text, intent)| (plain(text), *intent)).filter(short).collect();
    let count = all.len();
    // Each keeps its place in the row of all, of which MOST_OTHERS remain.
    let kept =
        all.into_iter().enumerate().filter(|(place, _)| place * MOST_OTHERS % count.max(MOST_OTHERS) < MOST_OTHERS);
    kept.map(|(_, example)| example).collect()
}

fn read(mut table: Table<'_>, known: &Known<'_>, learnt: &mut Learnt, findings: &mut Findings<'_>) {
    let Some(language) = table.required_text("language", findings) else { return };
    let language = Language::from(language.value.as_str());
    // One that the centre does not speak is told of where the bot names it.
    let spoken = known.languages.contains(&language);
    let mut own = Own::default();
    for of in [("examples", false), ("listen_for", true)] {
        for (intent, value) in table.table(of.0, findings).iter().flat_map(Table::all) {
            own.read(of, intent, value, known, findings);
        }
    }
    if own.examples.len() > MOST_EXAMPLES {
        findings.error(table.span.clone(), format!("examples: more than {MOST_EXAMPLES} in one language"), None);
        own.examples.truncate(MOST_EXAMPLES);
    }
    if own.listen_for.len() > MOST_SHORT {
        let message = format!("listen_for: more than {MOST_SHORT} in one language");
        findings.error(table.span.clone(), message, "the fewer there are, the surer each is heard".to_owned());
        own.listen_for.truncate(MOST_SHORT);
    }
    let anger = table.table("words", findings).map(|mut words| {
        let anger = words.texts("anger", findings).map(|texts| texts.value).unwrap_or_default();
        words.finish(findings);
        anger.iter().map(|word| plain(&word.value)).filter(|word| !word.is_empty()).collect::<Vec<_>>()
    });
    table.finish(findings);
    if spoken {
        learnt.examples.entry(language.clone()).or_default().extend(own.examples);
        learnt.listen_for.entry(language.clone()).or_default().phrases.extend(own.listen_for);
        learnt.anger.entry(language).or_default().extend(anger.unwrap_or_default());
    }
}

/// What one file teaches.
#[derive(Default)]
struct Own {
    examples: Vec<Example>,
    listen_for: Vec<Example>,
    /// What each sentence stands for, by its plain form.
    seen: BTreeMap<String, String>,
}

impl Own {
    /// The sentences of one intent. What is listened for is an example as well, whether or not it stands there too.
    fn read(
        &mut self,
        (key, is_short): (&'static str, bool),
        intent: At<&str>,
        value: &Spanned<DeValue<'_>>,
        known: &Known<'_>,
        findings: &mut Findings<'_>,
    ) {
        let place = known.intents.iter().position(|known| known == intent.value);
        if place.is_none() && intent.value != NONE {
            let names: Vec<String> = known.intents.iter().cloned().chain([NONE.to_owned()]).collect();
            let name = At { value: intent.value.to_owned(), span: intent.span.clone() };
            unknown(key, "intent", &name, &names, findings);
            return;
        }
        let DeValue::Array(items) = value.get_ref() else {
            findings.error(value.span(), format!("{key}: {} is to be a list of texts", intent.value), None);
            return;
        };
        let longest = if is_short { LONGEST_SHORT } else { LONGEST };
        for item in items.iter() {
            let text = item.get_ref().as_str().unwrap_or_default();
            let form = plain(text);
            if form.is_empty() || text.chars().count() > longest {
                let message = format!("{key}: {}: a sentence has 1 to {longest} characters", intent.value);
                findings.error(item.span(), message, None);
                continue;
            }
            if is_short && !self.listen_for.iter().any(|(known, _)| *known == form) {
                self.listen_for.push((form.clone(), place));
            }
            match self.seen.insert(form, intent.value.to_owned()) {
                Some(other) if other != intent.value => {
                    let message = format!("{key}: \"{text}\" stands for '{other}' and for '{}'", intent.value);
                    findings.error(item.span(), message, "keep it where it belongs".to_owned());
                }
                Some(_) if !is_short => {
                    findings.warning(item.span(), format!("{key}: \"{text}\" stands twice"), None);
                }
                Some(_) => {}
                None => self.examples.push((text.to_owned(), place)),
            }
        }
    }
}

/// Every intent has enough examples in every language, and there are some of what is no wish.
pub(super) fn check(learnt: &Learnt, known: &Known<'_>, bot: &Table<'_>, findings: &mut Findings<'_>) {
    for language in &known.languages {
        let examples = learnt.examples.get(language).map(Vec::as_slice).unwrap_or_default();
        let mut few: BTreeSet<&str> = BTreeSet::new();
        for (place, intent) in known.intents.iter().enumerate() {
            if examples.iter().filter(|(_, of)| *of == Some(place)).count() < FEW {
                few.insert(intent);
            }
        }
        if !few.is_empty() {
            let few: Vec<&str> = few.into_iter().collect();
            let message = format!("{}: fewer than {FEW} examples in {language} of {}", bot.what, few.join(", "));
            let hint = "thirty of them, each said another way, are a good beginning".to_owned();
            findings.warning(bot.span.clone(), message, hint);
        }
        if !examples.iter().any(|(_, of)| of.is_none()) {
            let message = format!("{}: no examples in {language} of `{NONE}`, what is no wish", bot.what);
            let hint = "without them the bot tells small talk from a wish less well".to_owned();
            findings.warning(bot.span.clone(), message, hint);
        }
    }
}
