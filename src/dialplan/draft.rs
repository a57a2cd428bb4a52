//! Plan files as read, before they are checked: checks need to know every plan, level and variable.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::tz::TimeZone;

use super::case::{Case, read_cases};
use super::declared::{DeclaredDraft, read_declared};
use super::reader::{At, Table, type_of, value_of};
use crate::findings::{Findings, suggest};
use crate::ids::Language;
use crate::ivr::{Names, Pattern, Value};

/// Bounds of a plan file; far above what a person writes.
const MOST_LEVELS: usize = 1_000;
const MOST_RULES: usize = 1_000;

/// The numbers and names that are taken, with their places: two plans cannot have the same.
#[derive(Default)]
pub(super) struct Claims {
    /// As findings name a place: `file:line:column`.
    taken: BTreeMap<String, String>,
}

impl Claims {
    fn take(&mut self, what: String, span: Range<usize>, findings: &mut Findings<'_>) {
        if let Some(first) = self.taken.get(&what) {
            findings.error(span, format!("{what} is given twice"), format!("it is taken at {first}"));
        } else {
            let (line, column) = findings.position(span.start);
            self.taken.insert(what, format!("{}:{line}:{column}", findings.source.path));
        }
    }
}

/// A plan file as read.
pub(super) struct PlanDraft<'t> {
    pub name: At<String>,
    pub numbers: Vec<NumberDraft<'t>>,
    pub language: Option<Language>,
    pub zone: Option<TimeZone>,
    pub params: BTreeMap<String, Value>,
    pub inputs: Vec<DeclaredDraft<'t>>,
    pub outputs: Vec<DeclaredDraft<'t>>,
    pub variables: Vec<DeclaredDraft<'t>>,
    pub levels: Vec<LevelDraft<'t>>,
    pub cases: Vec<Case>,
}

/// A number with the inputs it gives.
pub(super) struct NumberDraft<'t> {
    pub pattern: Pattern,
    pub span: Range<usize>,
    pub inputs: Option<Table<'t>>,
}

pub(super) struct LevelDraft<'t> {
    pub name: At<String>,
    pub rules: Vec<RuleDraft<'t>>,
}

pub(super) struct RuleDraft<'t> {
    pub table: Table<'t>,
    pub module: Option<At<String>>,
    pub inputs: Option<Table<'t>>,
    pub outputs: Option<Table<'t>>,
    pub when: Option<At<String>>,
}

impl PlanDraft<'_> {
    pub(super) fn rules(&self) -> impl Iterator<Item = &RuleDraft<'_>> {
        self.levels.iter().flat_map(|level| &level.rules)
    }

    /// The languages a caller may hear by what stands in this file.
    pub(super) fn languages(&self) -> BTreeSet<Language> {
        let mut languages: BTreeSet<Language> = self.language.clone().into_iter().collect();
        for rule in self.rules() {
            let names_language = rule.module.as_ref().is_some_and(|module| module.value == "language");
            for (_, value) in rule.inputs.iter().filter(|_| names_language).flat_map(Table::all) {
                if let Some(Value::Text(language)) = value_of(value.get_ref()) {
                    languages.insert(Language::from(language));
                }
            }
        }
        languages
    }
}

pub(super) fn read_plan<'t>(
    mut table: Table<'t>,
    names: &Names,
    claims: &mut Claims,
    findings: &mut Findings<'_>,
) -> PlanDraft<'t> {
    let name = match table.text("name", findings) {
        Some(name) => name,
        None => At { value: stem(&findings.source.path), span: 0..0 },
    };
    table.what = format!("plan '{}'", name.value);
    claims.take(format!("the name '{}'", name.value), name.span.clone(), findings);
    let numbers = read_numbers(&mut table, claims, findings);
    let language = read_language(&mut table, names, findings);
    let zone = read_zone(&mut table, names, findings);
    let params = read_params(&mut table, findings);
    let [inputs, outputs, variables] =
        ["inputs", "outputs", "variables"].map(|key| read_declared(&mut table, key, findings));
    let level_tables = table.tables("level", findings);
    if level_tables.is_empty() && !table.has("level") {
        let hint = "write [[level]] with a name, and under it [[level.rule]] with a module".to_owned();
        findings.error(name.span.clone(), format!("{} has no levels", table.what), hint);
    }
    if level_tables.len() > MOST_LEVELS {
        findings.error(name.span.clone(), format!("{} has more than {MOST_LEVELS} levels", table.what), None);
    }
    let patterns: Vec<Pattern> = numbers.iter().map(|number| number.pattern.clone()).collect();
    let cases = read_cases(&mut table, &patterns, findings);
    table.finish(findings);
    let levels = read_levels(level_tables, findings);
    PlanDraft { name, numbers, language, zone, params, inputs, outputs, variables, levels, cases }
}

/// `numbers = ["610"]`, and `[[number]]` for those that give inputs.
fn read_numbers<'t>(table: &mut Table<'t>, claims: &mut Claims, findings: &mut Findings<'_>) -> Vec<NumberDraft<'t>> {
    let mut numbers = Vec::new();
    let mut take =
        |text: At<String>, inputs: Option<Table<'t>>, findings: &mut Findings<'_>| match Pattern::parse(&text.value) {
            Ok(pattern) => {
                claims.take(format!("the number {}", text.value), text.span.clone(), findings);
                numbers.push(NumberDraft { pattern, span: text.span, inputs });
            }
            Err(fault) => findings.error(text.span, format!("number: {fault}"), None),
        };
    for text in table.texts("numbers", findings).map(|texts| texts.value).unwrap_or_default() {
        take(text, None, findings);
    }
    for mut number in table.tables("number", findings) {
        let text = number.required_text("number", findings);
        let inputs = number.table("in", findings);
        number.finish(findings);
        if let Some(text) = text {
            take(text, inputs, findings);
        }
    }
    numbers
}

fn read_language(table: &mut Table<'_>, names: &Names, findings: &mut Findings<'_>) -> Option<Language> {
    let language = table.text("language", findings)?;
    if !names.prompts.contains_key(language.value.as_str()) {
        let hint = suggest(&language.value, names.prompts.keys().map(Language::as_str));
        findings.error(language.span, format!("there are no prompts in language '{}'", language.value), hint);
        return None;
    }
    Some(Language::from(language.value))
}

/// The plan's own time zone, or the centre's.
fn read_zone(table: &mut Table<'_>, names: &Names, findings: &mut Findings<'_>) -> Option<TimeZone> {
    let Some(zone) = table.text("time_zone", findings) else { return TimeZone::get(&names.time_zone).ok() };
    let found = TimeZone::get(&zone.value).ok();
    if found.is_none() {
        let hint = "write a name such as \"Europe/Paris\"".to_owned();
        findings.error(zone.span, format!("there is no time zone '{}'", zone.value), hint);
    }
    found
}

/// The file's name without folders and ending.
fn stem(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.strip_suffix(".toml").unwrap_or(file).to_owned()
}

fn read_params(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Value> {
    let mut params = BTreeMap::new();
    let Some(entries) = table.table("params", findings) else { return params };
    for (key, value) in entries.all() {
        match value_of(value.get_ref()) {
            Some(value) => {
                params.insert(key.value.to_owned(), value);
            }
            None => {
                findings.error(value.span(), format!("params: {} is {}", key.value, type_of(value.get_ref())), None)
            }
        }
    }
    params
}

fn read_levels<'t>(tables: Vec<Table<'t>>, findings: &mut Findings<'_>) -> Vec<LevelDraft<'t>> {
    let mut drafts: Vec<LevelDraft<'t>> = Vec::new();
    let mut names = BTreeSet::new();
    for mut table in tables.into_iter().take(MOST_LEVELS) {
        table.what = "level".to_owned();
        let name = table.required_text("name", findings);
        if let Some(name) = &name {
            table.what = format!("level '{}'", name.value);
            if !names.insert(name.value.clone()) {
                findings.error(name.span.clone(), format!("there are two levels '{}'", name.value), None);
            }
        }
        let rules = table.tables("rule", findings);
        if rules.is_empty() && !table.has("rule") {
            let hint = "write [[level.rule]] with a module under it".to_owned();
            findings.error(table.span.clone(), format!("{} has no rules", table.what), hint);
        }
        if rules.len() > MOST_RULES {
            findings.error(table.span.clone(), format!("{} has more than {MOST_RULES} rules", table.what), None);
        }
        let rules = rules.into_iter().take(MOST_RULES).map(|rule| read_rule(rule, findings)).collect();
        let name = name.unwrap_or(At { value: String::new(), span: table.span.clone() });
        table.finish(findings);
        drafts.push(LevelDraft { name, rules });
    }
    drafts
}

fn read_rule<'t>(mut table: Table<'t>, findings: &mut Findings<'_>) -> RuleDraft<'t> {
    let module = table.required_text("module", findings);
    let inputs = table.table("in", findings);
    let outputs = table.table("out", findings);
    let when = table.text("when", findings);
    RuleDraft { table, module, inputs, outputs, when }
}
