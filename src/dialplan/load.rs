//! From plan files to checked plans: reads every file, says everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::case::read_cases;
use super::condition::{Condition, Fault};
use super::flow;
use super::inputs::{Checker, check_inputs};
use super::plan::{Level, Plan, Rule, Uses};
use super::reader::{At, Table, contents, parse, type_of, value_of};
use crate::findings::{Finding, Findings, Source, suggest};
use crate::ids::{Language, PlanId};
use crate::ivr::{Fields, Module, Names, Pattern, Value};

/// Bounds of a plan file; far above what a person writes.
const MOST_LEVELS: usize = 1_000;
const MOST_RULES: usize = 1_000;

/// Words that cannot be variables: they are given, or mean something in CEL or to later modules.
const RESERVED: [&str; 12] =
    ["call", "caller", "params", "queue", "agent", "true", "false", "null", "in", "size", "has", "result_of"];

/// The numbers and names that are taken, with their places: two plans cannot have the same.
struct Claims<'s> {
    sources: &'s [Source],
    /// Index of the source, and where in it.
    taken: BTreeMap<String, (usize, Range<usize>)>,
    /// The source being read.
    current: usize,
}

impl Claims<'_> {
    fn take(&mut self, what: String, span: Range<usize>, findings: &mut Findings<'_>) {
        if let Some((source, first)) = self.taken.get(&what) {
            let place = self.sources.get(*source).map(|source| {
                let (line, column) = source.position(first.start);
                format!("it is taken at {}:{line}:{column}", source.path)
            });
            findings.error(span, format!("{what} is given twice"), place);
        } else {
            self.taken.insert(what, (self.current, span));
        }
    }
}

pub(super) fn load(sources: &[Source], names: &Names) -> (Vec<Plan>, Vec<Finding>) {
    let mut plans = Vec::new();
    let mut all = Vec::new();
    let mut claims = Claims { sources, taken: BTreeMap::new(), current: 0 };
    for (index, source) in sources.iter().enumerate() {
        claims.current = index;
        let mut findings = Findings::new(source);
        if let Some(document) = parse(&mut findings) {
            let table = Table::new("plan", document.get_ref(), 0..0);
            plans.push(read_plan(table, names, &mut claims, &mut findings));
        }
        all.extend(findings.into_sorted());
    }
    (plans, all)
}

fn read_plan(mut table: Table<'_>, names: &Names, claims: &mut Claims<'_>, findings: &mut Findings<'_>) -> Plan {
    let name = match table.text("name", findings) {
        Some(name) => name,
        None => At { value: stem(&findings.source.path), span: 0..0 },
    };
    table.what = format!("plan '{}'", name.value);
    claims.take(format!("the name '{}'", name.value), name.span.clone(), findings);
    let numbers = read_numbers(&mut table, claims, findings);
    let language = read_language(&mut table, names, findings);
    let params = read_params(&mut table, findings);
    let level_tables = table.tables("level", findings);
    if level_tables.is_empty() && !table.has("level") {
        let hint = "write [[level]] with a name, and under it [[level.rule]] with a module".to_owned();
        findings.error(name.span.clone(), format!("{} has no levels", table.what), hint);
    }
    if level_tables.len() > MOST_LEVELS {
        findings.error(name.span.clone(), format!("{} has more than {MOST_LEVELS} levels", table.what), None);
    }
    let cases = read_cases(&mut table, &numbers, findings);
    table.finish(findings);

    let drafts = read_levels(level_tables, findings);
    let checker = Checker {
        names,
        levels: drafts.iter().map(|draft| draft.name.value.clone()).collect(),
        languages: languages(&drafts, language.as_ref().or(names.default_language.as_ref())),
        variables: variables(&drafts),
        params: params.keys().cloned().collect(),
    };
    let (levels, places) = check_levels(drafts, &checker, findings);
    let rules = || levels.iter().flat_map(|level| &level.rules);
    let uses = Uses {
        history: rules().any(Rule::asks_history),
        earlier_calls: rules().any(|rule| rule.module == Module::Screen),
    };
    let plan = Plan { id: PlanId::from(name.value), numbers, language, params, levels, uses, cases };
    let complete = plan.levels.iter().zip(&places).all(|(level, place)| level.rules.len() == place.rules.len());
    if complete && !plan.levels.is_empty() {
        flow::check(&plan, &places, &checker, findings);
    }
    plan
}

fn read_numbers(table: &mut Table<'_>, claims: &mut Claims<'_>, findings: &mut Findings<'_>) -> Vec<Pattern> {
    if !table.has("numbers") {
        let hint = "write numbers = [\"610\"]".to_owned();
        findings.warning(0..0, format!("{} has no numbers, so nobody reaches it", table.what), hint);
    }
    let mut numbers = Vec::new();
    for text in table.texts("numbers", findings).map(|texts| texts.value).unwrap_or_default() {
        match Pattern::parse(&text.value) {
            Ok(pattern) => {
                claims.take(format!("the number {}", text.value), text.span, findings);
                numbers.push(pattern);
            }
            Err(fault) => findings.error(text.span, format!("{}: {fault}", table.what), None),
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

fn check_levels(
    drafts: Vec<Draft<'_>>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> (Vec<Level>, Vec<flow::Place>) {
    let mut levels = Vec::new();
    let mut places = Vec::new();
    for draft in drafts.into_iter().take(MOST_LEVELS) {
        let mut rules = Vec::new();
        let mut rule_places = Vec::new();
        for rule in draft.rules {
            rule_places.push(rule.table.span.clone());
            rules.extend(check_rule(rule, checker, findings));
        }
        places.push(flow::Place { level: draft.name.span, rules: rule_places });
        levels.push(Level::new(draft.name.value, rules));
    }
    (levels, places)
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

/// A level whose rules are not checked yet: checks need to know every level and variable.
struct Draft<'t> {
    name: At<String>,
    rules: Vec<RuleDraft<'t>>,
}

struct RuleDraft<'t> {
    table: Table<'t>,
    module: Option<At<String>>,
    inputs: Option<Table<'t>>,
    outputs: Option<Table<'t>>,
    when: Option<At<String>>,
}

fn read_levels<'t>(tables: Vec<Table<'t>>, findings: &mut Findings<'_>) -> Vec<Draft<'t>> {
    let mut drafts: Vec<Draft<'t>> = Vec::new();
    for mut table in tables {
        table.what = "level".to_owned();
        let name = table.required_text("name", findings);
        if let Some(name) = &name {
            table.what = format!("level '{}'", name.value);
            if drafts.iter().any(|draft| draft.name.value == name.value) {
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
        drafts.push(Draft { name, rules });
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

/// The languages a caller of this plan may hear.
fn languages(drafts: &[Draft<'_>], first: Option<&Language>) -> BTreeSet<Language> {
    let mut languages: BTreeSet<Language> = first.cloned().into_iter().collect();
    for rule in drafts.iter().flat_map(|draft| &draft.rules) {
        let names_language = rule.module.as_ref().is_some_and(|module| module.value == "language");
        for (_, value) in rule.inputs.iter().filter(|_| names_language).flat_map(Table::all) {
            if let Some(Value::Text(language)) = value_of(value.get_ref()) {
                languages.insert(Language::from(language));
            }
        }
    }
    languages
}

/// Every variable that some rule gives a value.
fn variables(drafts: &[Draft<'_>]) -> BTreeSet<String> {
    let mut variables = BTreeSet::new();
    for rule in drafts.iter().flat_map(|draft| &draft.rules) {
        for (_, value) in rule.outputs.iter().flat_map(Table::all) {
            if let Some(Value::Text(variable)) = value_of(value.get_ref()) {
                variables.insert(variable);
            }
        }
        let sets = rule.module.as_ref().is_some_and(|module| module.value == "set");
        variables.extend(rule.inputs.iter().filter(|_| sets).flat_map(Table::all).map(|(key, _)| key.value.to_owned()));
    }
    variables
}

fn check_rule(draft: RuleDraft<'_>, checker: &Checker<'_>, findings: &mut Findings<'_>) -> Option<Rule> {
    let RuleDraft { table, module: named, inputs, outputs, when } = draft;
    let place = named.as_ref().map_or(table.span.clone(), |module| module.span.clone());
    table.finish(findings);
    let module = named.and_then(|name| {
        let module = Module::from_name(&name.value);
        if module.is_none() {
            let hint = suggest(&name.value, Module::ALL.map(|module| module.spec().name));
            findings.error(name.span, format!("there is no module '{}'", name.value), hint);
        }
        module
    });
    let when = when.map(|when| match Condition::compile(&when.value) {
        Ok(condition) => {
            checker.check_names(&condition.references(), &when.span, "when", findings);
            Some(condition)
        }
        Err(faults) => {
            report(&faults, &when.span, "when", findings);
            None
        }
    });
    let module = module?;
    let (fixed, computed, nested) = check_inputs(module, inputs, place, checker, findings);
    let out = outputs.map(|outputs| check_outputs(module, &fixed, &outputs, findings)).unwrap_or_default();
    let when = match when {
        // A rule whose condition is no condition must not look like one that always runs.
        Some(None) => return None,
        Some(when) => when,
        None => None,
    };
    Some(Rule { module, when, fixed, computed, nested, out })
}

fn check_outputs(
    module: Module,
    fixed: &BTreeMap<String, Value>,
    outputs: &Table<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, String> {
    let spec = module.spec();
    let fields = fixed.get("fields").and_then(|fields| Fields::read(fields).ok()).unwrap_or_default();
    let mut out = BTreeMap::new();
    for (key, value) in outputs.all() {
        if !spec.has_output(key.value) && !fields.0.contains_key(key.value) {
            let fields = fields.0.keys().map(String::as_str);
            let hint = suggest(key.value, spec.outputs.iter().map(|output| output.name).chain(fields));
            findings.error(key.span.clone(), format!("{} has no output '{}'", spec.name, key.value), hint);
        }
        match value_of(value.get_ref()) {
            Some(Value::Text(variable)) => {
                if check_variable(&variable, value.span(), findings) {
                    out.insert(key.value.to_owned(), variable);
                }
            }
            _ => {
                let message = format!("out: {} is to name a variable, not {}", key.value, type_of(value.get_ref()));
                findings.error(value.span(), message, format!("write {} = \"name\"", key.value));
            }
        }
    }
    out
}

/// Whether a name can be a variable.
pub(super) fn check_variable(name: &str, span: Range<usize>, findings: &mut Findings<'_>) -> bool {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !begins || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') || name.len() > 64 {
        let hint = "use letters, digits and _, beginning with a letter".to_owned();
        findings.error(span, format!("'{name}' cannot be the name of a variable"), hint);
        return false;
    }
    if RESERVED.contains(&name) {
        findings.error(span, format!("'{name}' has a meaning of its own and cannot be a variable"), None);
        return false;
    }
    true
}

/// Faults of an expression, at their places in the file.
pub(super) fn report(faults: &[Fault], span: &Range<usize>, what: &str, findings: &mut Findings<'_>) {
    let start = contents(&findings.source.text, span);
    for fault in faults {
        let at = (start + fault.offset).min(span.end.saturating_sub(1)).max(span.start);
        findings.error(at..span.end, format!("{what}: {}", fault.message), None);
    }
}
