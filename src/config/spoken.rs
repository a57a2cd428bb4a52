//! `prompts/fr/spoken.toml`: how values are said in a language.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::files;
use crate::dialplan::reader::{self, At, Table, type_of, value_of};
use crate::findings::{Finding, Findings, suggest};
use crate::ids::Language;
use crate::ivr::Value;
use crate::spoken::{self, Base, Draft, FormatPart, Part, PhoneFormat, parse_format, parse_rule};

const FILE: &str = "spoken.toml";

/// Far above what a language needs.
const MOST_RULES: usize = 2_000;
const MOST_PHONE_FORMATS: usize = 100;

/// The tables of the languages that have one (`prompts/fr/spoken.toml`), and what is wrong with the files.
pub fn read_all(prompts: &Path, languages: &[Language]) -> (BTreeMap<Language, spoken::Table>, Vec<Finding>) {
    let mut tables = BTreeMap::new();
    let mut all = Vec::new();
    for language in languages {
        let path = prompts.join(language.as_str()).join(FILE);
        if !path.exists() {
            continue;
        }
        let source = match files::read(&path) {
            Ok(source) => source,
            Err(message) => {
                all.push(super::about_file(&path, message));
                continue;
            }
        };
        let mut findings = Findings::new(&source);
        if let Some(document) = reader::parse(&mut findings) {
            let table = Table::new("spoken values", document.get_ref(), 0..0);
            tables.extend(read(table, &mut findings).map(|table| (language.clone(), table)));
        }
        all.extend(findings.into_sorted());
    }
    (tables, all)
}

/// Where rules and formats stand, for what shows only when they are put together.
#[derive(Default)]
struct Places {
    /// A set or format by its name, and a rule of a set by its base.
    places: BTreeMap<(String, Option<u64>), Range<usize>>,
    /// Every fragment a rule names.
    words: Vec<At<String>>,
}

fn read(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<spoken::Table> {
    let mut draft = Draft::default();
    let mut places = Places::default();
    if let Some(sets) = table.table("rules", findings) {
        for (name, value) in sets.all() {
            let Some(set) = Table::of(&format!("rules '{}'", name.value), value, findings) else { continue };
            places.places.insert((name.value.to_owned(), None), name.span);
            draft.sets.insert(name.value.to_owned(), read_set(name.value, &set, &mut places, findings));
        }
    }
    read_formats(&mut table, &mut draft, &mut places, findings);
    read_phone(&mut table, &mut draft, &mut places, findings);
    if let Some(symbols) = table.table("symbols", findings) {
        for (name, value) in symbols.all() {
            let mut characters = name.value.chars();
            match (characters.next(), characters.next()) {
                (Some(symbol @ ('+' | '*' | '#')), None) => {
                    let parts = read_words("symbols", value, &mut places, findings);
                    draft.symbols.extend(parts.map(|parts| (symbol, parts)));
                }
                _ => findings.error(name.span, format!("'{}' is no symbol; there are +, * and #", name.value), None),
            }
        }
    }
    let words = table.table("words", findings);
    check_words(words.as_ref(), &places, findings);
    table.finish(findings);
    match draft.build() {
        Ok(table) => Some(table),
        Err(faults) => {
            for fault in faults {
                let whole = || places.places.get(&(fault.place.clone(), None));
                let place = places.places.get(&(fault.place.clone(), fault.base)).or_else(whole);
                let known = places.places.keys().filter(|(_, base)| base.is_none()).map(|(name, _)| name.as_str());
                let hint = fault.unknown.as_deref().and_then(|unknown| suggest(unknown, known));
                findings.error(place.cloned().unwrap_or_default(), format!("{}: {}", fault.place, fault.message), hint);
            }
            None
        }
    }
}

fn read_set(name: &str, table: &Table<'_>, places: &mut Places, findings: &mut Findings<'_>) -> spoken::Set {
    let mut set = spoken::Set::default();
    for (key, value) in table.all() {
        let DeValue::String(text) = value.get_ref() else {
            let message = format!("rules '{name}': {} is {}; it is to be a text", key.value, type_of(value.get_ref()));
            findings.error(value.span(), message, None);
            continue;
        };
        if key.value == "like" {
            set.like = Some(text.clone().into_owned());
            continue;
        }
        let parts = match parse_rule(text) {
            Ok(parts) => parts,
            Err(fault) => {
                findings.error(value.span(), format!("rules '{name}': {}: {fault}", key.value), None);
                continue;
            }
        };
        note_words(&parts, value.span(), places);
        if key.value == "minus" {
            set.minus = Some(parts);
            continue;
        }
        match Base::parse(key.value) {
            Ok(base) if set.rules.iter().any(|(known, _)| known.from == base.from) => {
                findings.error(key.span, format!("rules '{name}': there are two rules for {}", base.from), None);
            }
            Ok(base) => {
                places.places.insert((name.to_owned(), Some(base.from)), key.span);
                set.rules.push((base, parts));
            }
            Err(fault) => {
                let hint =
                    "write the number from which the rule holds, as 20 or \"60/20\", or like or minus".to_owned();
                findings.error(key.span, format!("rules '{name}': {fault}"), hint);
            }
        }
    }
    if set.rules.len() > MOST_RULES {
        findings.error(table.span.clone(), format!("rules '{name}' are more than {MOST_RULES}"), None);
        set.rules.truncate(MOST_RULES);
    }
    set
}

fn read_formats(table: &mut Table<'_>, draft: &mut Draft, places: &mut Places, findings: &mut Findings<'_>) {
    let Some(formats) = table.table("formats", findings) else { return };
    const KNOWN: [&str; 7] = ["date", "day", "later", "this-week", "today", "tomorrow", "weekday"];
    for (name, value) in formats.all() {
        if !KNOWN.contains(&name.value) {
            let hint = suggest(name.value, KNOWN);
            findings.error(name.span, format!("formats: there is no format '{}'", name.value), hint);
            continue;
        }
        let text = value.get_ref().as_str().unwrap_or_default();
        match parse_format(text) {
            Ok(parts) => {
                for part in &parts {
                    if let FormatPart::Word(word) = part {
                        places.words.push(At { value: word.clone(), span: value.span() });
                    }
                }
                places.places.insert((name.value.to_owned(), None), name.span);
                draft.formats.insert(name.value.to_owned(), parts);
            }
            Err(fault) => findings.error(value.span(), format!("formats: {}: {fault}", name.value), None),
        }
    }
}

fn read_phone(table: &mut Table<'_>, draft: &mut Draft, places: &mut Places, findings: &mut Findings<'_>) {
    let Some(mut phone) = table.table("phone", findings) else { return };
    if let Some(group) = phone.integer("group", 1..=8, findings) {
        draft.phone.group = usize::try_from(group.value).unwrap_or(3);
    }
    if let Some(value) = phone.value("between") {
        draft.phone.between = read_words("phone", value, places, findings).unwrap_or_default();
    }
    if let Some(value) = phone.value("formats") {
        let pairs = value.get_ref().as_array();
        if pairs.is_none_or(|pairs| pairs.len() > MOST_PHONE_FORMATS) {
            let hint = "write formats = [[\"+33NNNNNNNNN\", \"0N NN NN NN NN\"]]".to_owned();
            let message = format!("phone: formats is to be a list of at most {MOST_PHONE_FORMATS} pairs");
            findings.error(value.span(), message, hint);
        }
        for pair in pairs.into_iter().flat_map(|pairs| pairs.iter().take(MOST_PHONE_FORMATS)) {
            let texts = value_of(pair.get_ref());
            let texts = match &texts {
                Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
                _ => Vec::new(),
            };
            let format = match texts.as_slice() {
                [number, said] => PhoneFormat::parse(number, said),
                _ => Err("a format is a pair: the number, and the groups in which it is said".to_owned()),
            };
            match format {
                Ok(format) => draft.phone.formats.push(format),
                Err(fault) => findings.error(pair.span(), format!("phone: formats: {fault}"), None),
            }
        }
    }
    phone.finish(findings);
}

/// Fragments only, without numbers.
fn read_words(
    what: &str,
    value: &Spanned<DeValue<'_>>,
    places: &mut Places,
    findings: &mut Findings<'_>,
) -> Option<Vec<Part>> {
    let parts = parse_rule(value.get_ref().as_str().unwrap_or_default());
    match parts {
        Ok(parts) if parts.iter().all(|part| matches!(part, Part::Word(_) | Part::Prompt(_))) => {
            note_words(&parts, value.span(), places);
            Some(parts)
        }
        Ok(_) => {
            findings.error(value.span(), format!("{what}: only fragments can stand here"), None);
            None
        }
        Err(fault) => {
            findings.error(value.span(), format!("{what}: {fault}"), None);
            None
        }
    }
}

fn note_words(parts: &[Part], span: Range<usize>, places: &mut Places) {
    for part in parts {
        match part {
            Part::Word(word) => places.words.push(At { value: word.clone(), span: span.clone() }),
            Part::Left { some, none } => {
                note_words(some, span.clone(), places);
                note_words(none, span.clone(), places);
            }
            _ => {}
        }
    }
}

/// Every fragment has a text. Whether it has a sound is told where prompts are read.
fn check_words(words: Option<&Table<'_>>, places: &Places, findings: &mut Findings<'_>) {
    let mut known = BTreeSet::new();
    for (name, value) in words.iter().flat_map(|words| words.all()) {
        known.insert(name.value);
        if let Err(fault) = text_of(value) {
            findings.error(value.span(), format!("words: {}: {fault}", name.value), None);
        }
    }
    for word in places.words.iter().filter(|word| !known.contains(word.value.as_str())) {
        let hint = suggest(&word.value, known.iter().copied())
            .unwrap_or_else(|| format!("write under [words] what it says: {} = \"…\"", word.value));
        findings.error(word.span.clone(), format!("[words] has no '{}'", word.value), hint);
    }
    let used: BTreeSet<&str> = places.words.iter().map(|word| word.value.as_str()).collect();
    for (name, _) in words.iter().flat_map(|words| words.all()).filter(|(name, _)| !used.contains(name.value)) {
        findings.warning(name.span, format!("words: no rule says '{}'", name.value), None);
    }
}

/// `"vingt"`, or `{ text = "vingt", voice = "vinte" }`.
fn text_of(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    let full =
        |text: &str| if text.trim().is_empty() { Err("the text is empty".to_owned()) } else { Ok(text.to_owned()) };
    match value.get_ref() {
        DeValue::String(text) => full(text),
        DeValue::Table(entries) => {
            let known = |key: &str| matches!(key, "text" | "voice");
            if let Some(key) = entries.keys().find(|key| !known(key.get_ref())) {
                return Err(format!("unknown key '{}'; there are text and voice", key.get_ref()));
            }
            full(entries.get("text").and_then(|text| text.get_ref().as_str()).unwrap_or_default())
        }
        other => Err(format!("it is {}, not a text", type_of(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("xx")).unwrap();
        std::fs::write(folder.path().join("xx").join(FILE), text).unwrap();
        read_all(folder.path(), &[Language::from("xx"), Language::from("yy")]).1
    }

    #[test]
    fn a_small_language_is_enough() {
        let text = "[rules.number]\n0 = 'none'\n1 = '[one|none]'\n[symbols]\n'+' = 'one'\n[formats]\n\
                    weekday = 'weekday=number'\n[phone]\ngroup = 2\nbetween = 'none'\nformats = [['0N', '0 N']]\n\
                    [words]\nnone = 'ei'\none = { text = 'yksi', voice = 'üksi' }\n";
        assert_eq!(findings(text), []);
    }

    #[test]
    fn every_fault_is_found_at_its_place() {
        let words = "\n[words]\none = 'one'\n";
        for (text, place, word) in [
            ("[rules.n]\n0 = 'oen'", (2, 5), "did you mean 'one'?"),
            ("[rules.n]\n0 = 'eleven'", (2, 5), "[words] has no 'eleven'"),
            ("[rules.n]\n0 = 1", (2, 5), "is a whole number; it is to be a text"),
            ("[rules.n]\n0 = '[one'", (2, 5), "is not closed"),
            ("[rules.n]\nzero = 'one'", (2, 1), "'zero' is no whole number"),
            ("[rules.n]\n0 = 'one'\n'00' = 'one'", (3, 1), "two rules for 0"),
            ("[rules.n]\n0 = 'one'\n5 = '=m'", (3, 1), "there are no rules 'm'"),
            ("[rules.number]\n0 = 'one'\n[rules.m]\nlike = 'nubmer'", (3, 8), "did you mean 'number'?"),
            ("[rules.n]\n0 = '=n'", (1, 8), "lead back to themselves"),
            ("[rules.n]\n0 = 'one'\n[formats]\ndates = 'one'", (4, 1), "did you mean 'date'?"),
            ("[rules.n]\n0 = 'one'\n[formats]\ndate = 'moon=n'", (4, 8), "'moon' is no field"),
            ("[rules.n]\n0 = 'one'\n[formats]\ndate = 'day=m'", (4, 1), "there are no rules 'm'"),
            ("[rules.n]\n0 = 'one'\n[symbols]\n'x' = 'one'", (4, 1), "is no symbol"),
            ("[rules.n]\n0 = 'one'\n[symbols]\n'+' = '=n'", (4, 7), "only fragments"),
            ("[rules.n]\n0 = 'one'\n[phone]\nformats = [['0N', 'NN']]", (4, 12), "has 1 N and what is said has 2"),
            ("[rules.n]\n0 = 'one'\n[phone]\nformats = '0N'", (4, 11), "list of at most"),
            ("[rules.n]\n0 = 'one'\n[rule.m]\n0 = 'one'", (3, 7), ""),
            ("[rules.n]\n0 = @", (2, 5), ""),
        ] {
            let found = findings(&format!("{text}{words}"));
            let fits =
                |finding: &Finding| (finding.line, finding.column) == place && finding.to_string().contains(word);
            assert!(found.iter().any(fits) || (word.is_empty() && !found.is_empty()), "{text}\n{found:?}");
        }
        let unused = findings("[rules.n]\n0 = 'one'\n[words]\none = 'one'\ntwo = ''\n");
        assert!(unused.iter().any(|finding| finding.to_string().contains("no rule says 'two'")), "{unused:?}");
        assert!(unused.iter().any(|finding| finding.to_string().contains("the text is empty")), "{unused:?}");
    }
}
