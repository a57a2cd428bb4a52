//! From plan files to checked plans: reads every file, says everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::condition::Condition;
use super::declared::{Declared, signatures};
use super::draft::{Claims, LevelDraft, PlanDraft, RuleDraft, read_plan};
use super::evaluate::is_type;
use super::expression::{Expression, Misuse};
use super::inputs::{Checker, check_inputs, check_number};
use super::plan::{Callee, Level, Number, Plan, Rule, Uses, Ways};
use super::reader::{Table, contents, parse, type_of, value_of};
use super::run::Run;
use super::trail::Vocabulary;
use super::types::Type;
use super::{flow, variables};
use crate::findings::{Finding, Findings, Source, suggest};
use crate::ids::{Language, PlanId};
use crate::ivr::{Fields, Module, Names, Value};

/// Words that cannot be variables: they are given, or mean something in CEL or to later modules.
const RESERVED: [&str; 14] = [
    "call",
    "caller",
    "params",
    "inputs",
    "now",
    "queue",
    "agent",
    "true",
    "false",
    "null",
    "in",
    "size",
    "has",
    "result_of",
];

/// What a plan is to those that run it.
pub(super) struct Signature {
    pub inputs: BTreeMap<String, Declared>,
    pub outputs: BTreeMap<String, Declared>,
    /// Its levels can be exhausted, so that the calling plan goes on.
    pub returns: bool,
    pub uses: Uses,
}

impl Signature {
    /// By the plan's name; as it says itself, before it is checked.
    fn declared(draft: &PlanDraft<'_>) -> (String, Signature) {
        let (inputs, outputs) = (signatures(&draft.inputs), signatures(&draft.outputs));
        (draft.name.value.clone(), Signature { inputs, outputs, returns: true, uses: Uses::default() })
    }
}

pub(super) fn load(sources: &[Source], names: &Names) -> (Vec<Plan>, Vec<Finding>) {
    let mut findings: Vec<Findings<'_>> = sources.iter().map(Findings::new).collect();
    let documents: Vec<_> = findings.iter_mut().map(parse).collect();
    let mut claims = Claims::default();
    let mut drafts = Vec::new();
    for (document, findings) in documents.iter().zip(&mut findings) {
        let draft = document
            .as_ref()
            .map(|document| read_plan(Table::new("plan", document.get_ref(), 0..0), names, &mut claims, findings));
        drafts.push(draft);
    }
    let calls = calls(&drafts);
    let order = order(&drafts, &calls, &mut findings);
    let languages = languages(&drafts, &calls, names);
    // Of plans that run themselves, one is checked before the other is known.
    let mut known: BTreeMap<String, Signature> = drafts.iter().flatten().map(Signature::declared).collect();
    let mut plans: Vec<Option<Plan>> = drafts.iter().map(|_| None).collect();
    let called: BTreeSet<usize> = calls.values().flatten().copied().collect();
    for index in order {
        let (Some(draft), Some(findings)) = (drafts.get_mut(index).and_then(Option::take), findings.get_mut(index))
        else {
            continue;
        };
        if draft.numbers.is_empty() && !called.contains(&index) {
            let hint = "write numbers = [\"610\"], or run it as a module of another plan".to_owned();
            findings.warning(0..0, format!("plan '{}' has no numbers, so nobody reaches it", draft.name.value), hint);
        }
        let languages = languages.get(index).cloned().unwrap_or_default();
        let (plan, returns) = check_plan(draft, languages, names, &known, findings);
        let signature =
            Signature { inputs: plan.inputs.clone(), outputs: plan.outputs.clone(), returns, uses: plan.uses };
        known.insert(plan.id.as_str().to_owned(), signature);
        if let Some(place) = plans.get_mut(index) {
            *place = Some(plan);
        }
    }
    (plans.into_iter().flatten().collect(), findings.into_iter().flat_map(Findings::into_sorted).collect())
}

/// Which plans run which, by their places among the sources.
fn calls(drafts: &[Option<PlanDraft<'_>>]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        if let Some(draft) = draft {
            by_name.entry(draft.name.value.as_str()).or_insert(index);
        }
    }
    let callees = |draft: &PlanDraft<'_>| {
        let named = draft.rules().filter_map(|rule| rule.module.as_ref());
        named
            .filter(|name| Module::from_name(&name.value).is_none())
            .filter_map(|name| by_name.get(name.value.as_str()).copied())
            .collect()
    };
    let drafts = drafts.iter().enumerate();
    drafts.filter_map(|(index, draft)| Some((index, callees(draft.as_ref()?)))).collect()
}

/// The drafts, those that are run before those that run them. Who would run themselves is told so.
fn order(
    drafts: &[Option<PlanDraft<'_>>],
    calls: &BTreeMap<usize, BTreeSet<usize>>,
    findings: &mut [Findings<'_>],
) -> Vec<usize> {
    let mut order = Vec::new();
    let mut depths: BTreeMap<usize, usize> = BTreeMap::new();
    for index in 0..drafts.len() {
        visit(index, drafts, calls, &mut Vec::new(), &mut depths, &mut order, findings);
    }
    order
}

/// How many plans stand in one another at most, this one counted.
fn visit(
    index: usize,
    drafts: &[Option<PlanDraft<'_>>],
    calls: &BTreeMap<usize, BTreeSet<usize>>,
    above: &mut Vec<usize>,
    depths: &mut BTreeMap<usize, usize>,
    order: &mut Vec<usize>,
    findings: &mut [Findings<'_>],
) -> usize {
    if let Some(depth) = depths.get(&index) {
        return *depth;
    }
    let Some(Some(draft)) = drafts.get(index) else { return 0 };
    above.push(index);
    let mut deepest = 0;
    for callee in calls.get(&index).into_iter().flatten() {
        let round = above.iter().position(|outer| outer == callee);
        let depth = match round {
            Some(_) => 0,
            None => visit(*callee, drafts, calls, above, depths, order, findings),
        };
        deepest = deepest.max(depth);
        let name = |index: &usize| drafts.get(*index).and_then(Option::as_ref).map_or("", |draft| &draft.name.value);
        let fault = match round {
            Some(first) => {
                let chain = above.iter().skip(first).chain([callee]).map(name).collect::<Vec<_>>().join(" runs ");
                Some(format!("a plan cannot run itself: {chain}"))
            }
            None if depth >= Run::DEEPEST => {
                Some(format!("more than {} plans stand in one another here", Run::DEEPEST))
            }
            None => None,
        };
        let place = draft.rules().filter_map(|rule| rule.module.as_ref()).find(|module| module.value == name(callee));
        if let (Some(fault), Some(place), Some(findings)) = (fault, place, findings.get_mut(index)) {
            findings.error(place.span.clone(), fault, None);
        }
    }
    above.pop();
    depths.insert(index, deepest + 1);
    order.push(index);
    deepest + 1
}

/// What callers may hear in each plan: a plan speaks the languages of those that run it, and of those it runs.
fn languages(
    drafts: &[Option<PlanDraft<'_>>],
    calls: &BTreeMap<usize, BTreeSet<usize>>,
    names: &Names,
) -> Vec<BTreeSet<Language>> {
    let own = |draft: &PlanDraft<'_>| {
        let mut languages = draft.languages();
        if draft.language.is_none() && !draft.numbers.is_empty() {
            languages.extend(names.default_language.clone());
        }
        languages
    };
    let mut languages: Vec<BTreeSet<Language>> =
        drafts.iter().map(|draft| draft.as_ref().map(own).unwrap_or_default()).collect();
    let mut changed = true;
    while changed {
        changed = false;
        for (caller, callees) in calls {
            for callee in callees {
                let both: BTreeSet<Language> =
                    [caller, callee].into_iter().filter_map(|index| languages.get(*index)).flatten().cloned().collect();
                for index in [caller, callee] {
                    if let Some(known) = languages.get_mut(*index).filter(|known| **known != both) {
                        *known = both.clone();
                        changed = true;
                    }
                }
            }
        }
    }
    // A plan that nobody reaches is checked as if it were reached by the centre's callers.
    for known in languages.iter_mut().filter(|known| known.is_empty()) {
        known.extend(names.default_language.clone());
    }
    languages
}

/// The plan, and whether its levels can be exhausted.
fn check_plan(
    draft: PlanDraft<'_>,
    languages: BTreeSet<Language>,
    names: &Names,
    known: &BTreeMap<String, Signature>,
    findings: &mut Findings<'_>,
) -> (Plan, bool) {
    let mut checker = Checker::new(&draft, languages, names, known);
    for (key, declared) in [("inputs", &draft.inputs), ("outputs", &draft.outputs), ("variables", &draft.variables)] {
        declared.iter().for_each(|declared| declared.check(key, &checker, findings));
    }
    checker.vocabulary.variables = variables::types(&draft, &checker, findings);
    variables::outputs(&draft, &checker, findings);
    let inputs = signatures(&draft.inputs);
    let numbers = draft.numbers.into_iter().map(|number| {
        let given = check_number(&number, &inputs, &checker, findings);
        Number { pattern: number.pattern, inputs: given }
    });
    let numbers = numbers.collect();
    let (levels, places) = check_levels(draft.levels, &checker, findings);
    let mut plan = Plan {
        id: PlanId::from(draft.name.value),
        file: findings.source.path.clone(),
        numbers,
        language: draft.language,
        zone: draft.zone,
        params: draft.params,
        inputs,
        outputs: signatures(&draft.outputs),
        variables: signatures(&draft.variables),
        levels,
        returns: true,
        uses: Uses::default(),
        cases: draft.cases,
    };
    plan.uses = uses(&plan, known);
    let complete = plan.levels.iter().zip(&places).all(|(level, place)| level.rules.len() == place.rules.len());
    if complete && !plan.levels.is_empty() {
        let found = flow::check(&plan, &places, &draft.variables, &checker, findings);
        plan.returns = found.exhausted;
        plan.levels.iter_mut().zip(found.ways).for_each(|(level, ways)| level.ways = ways);
    }
    let returns = plan.returns;
    (plan, returns)
}

/// What the plan, or one it runs, asks to be told of a call.
fn uses(plan: &Plan, known: &BTreeMap<String, Signature>) -> Uses {
    let mut uses = Uses::default();
    for rule in plan.levels.iter().flat_map(|level| &level.rules) {
        for name in rule.expressions().flat_map(Expression::names) {
            uses.history |= name.starts_with("caller") || name == "call.attempt_today" || name == "call";
            uses.headers |= name.starts_with("call.headers") || name == "call";
        }
        uses.earlier_calls |= rule.callee == Callee::Module(Module::Screen);
        if let Callee::Plan(callee) = &rule.callee
            && let Some(callee) = known.get(callee.as_str())
        {
            uses.history |= callee.uses.history;
            uses.headers |= callee.uses.headers;
            uses.earlier_calls |= callee.uses.earlier_calls;
        }
    }
    uses
}

fn check_levels(
    drafts: Vec<LevelDraft<'_>>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> (Vec<Level>, Vec<flow::Place>) {
    let mut levels = Vec::new();
    let mut places = Vec::new();
    let mut vocabulary = Vocabulary::default();
    for draft in drafts {
        let mut rules = Vec::new();
        let mut rule_places = Vec::new();
        for rule in draft.rules {
            rule_places.push(flow::RulePlace::of(&rule));
            rules.extend(check_rule(rule, checker, findings));
        }
        let (line, _) = findings.position(draft.name.span.start);
        places.push(flow::Place { level: draft.name.span, rules: rule_places });
        let seen = vocabulary.seen(&rules);
        levels.push(Level { name: draft.name.value, line, rules, ways: Ways::default(), seen });
    }
    (levels, places)
}

fn check_rule(draft: RuleDraft<'_>, checker: &Checker<'_>, findings: &mut Findings<'_>) -> Option<Rule> {
    let RuleDraft { table, module: named, inputs, outputs, when } = draft;
    let place = named.as_ref().map_or(table.span.clone(), |module| module.span.clone());
    table.finish(findings);
    let (line, _) = findings.position(place.start);
    let callee = named.and_then(|name| {
        let callee = checker.callee(&name.value);
        if callee.is_none() {
            let plans = checker.plans.keys().map(String::as_str);
            let hint = suggest(&name.value, Module::ALL.map(|module| module.spec().name).into_iter().chain(plans));
            findings.error(name.span, format!("there is no module '{}'", name.value), hint);
        }
        callee
    });
    let when = when.map(|when| match Condition::compile(&when.value) {
        Ok(condition) => {
            let of = checker.check_types(condition.expression(), &when.span, "when", findings);
            if !matches!(of, Type::Flag | Type::Any) {
                let hint = "compare it with something, as in a == 'b'".to_owned();
                let message = format!("when: a condition is true or false, and this is {of}");
                findings.error(when.span.clone(), message, hint);
            }
            Some(condition)
        }
        Err(misuses) => {
            report(&misuses, &when.span, "when", findings);
            None
        }
    });
    let callee = callee?;
    let (fixed, computed, nested) = check_inputs(&callee, inputs, place, checker, findings);
    let out = outputs.map(|outputs| check_outputs(&callee, &fixed, &outputs, checker, findings)).unwrap_or_default();
    let when = match when {
        // A rule whose condition is no condition must not look like one that always runs.
        Some(None) => return None,
        Some(when) => when,
        None => None,
    };
    Some(Rule { line, callee, when, fixed, computed, nested, out })
}

fn check_outputs(
    callee: &Callee,
    fixed: &BTreeMap<String, Value>,
    outputs: &Table<'_>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, String> {
    // A look-up puts out the fields it declares itself.
    let fields = fixed.get("fields").and_then(|fields| Fields::read(fields).ok()).unwrap_or_default();
    let known: Vec<&str> =
        checker.output_names(callee).into_iter().chain(fields.0.keys().map(String::as_str)).collect();
    let mut out = BTreeMap::new();
    for (key, value) in outputs.all() {
        if !known.contains(&key.value) {
            let hint = suggest(key.value, known.iter().copied());
            findings.error(key.span.clone(), format!("{} has no output '{}'", callee.name(), key.value), hint);
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
    if RESERVED.contains(&name) || is_type(name) {
        findings.error(span, format!("'{name}' has a meaning of its own and cannot be a variable"), None);
        return false;
    }
    check_name(name, span, findings)
}

/// Whether a name can stand in an expression.
pub(super) fn check_name(name: &str, span: Range<usize>, findings: &mut Findings<'_>) -> bool {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let fine = begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') && name.len() <= 64;
    if !fine {
        let hint = "use letters, digits and _, beginning with a letter".to_owned();
        findings.error(span, format!("'{name}' cannot be the name of a variable"), hint);
    }
    fine
}

/// What is wrong with an expression, at its places in the file.
pub(super) fn report(misuses: &[Misuse], span: &Range<usize>, what: &str, findings: &mut Findings<'_>) {
    let start = contents(&findings.source.text, span);
    for misuse in misuses {
        let at = (start + misuse.offset).min(span.end.saturating_sub(1)).max(span.start);
        findings.error(at..span.end, format!("{what}: {}", misuse.message), misuse.hint.clone());
    }
}
