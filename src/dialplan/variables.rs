//! The types of a plan's variables: from what rules put into them and what `[variables]` says.

use std::collections::BTreeMap;
use std::ops::Range;

use super::computed::expression_of;
use super::condition::Computed;
use super::declared::Declared;
use super::draft::{PlanDraft, RuleDraft};
use super::inputs::Checker;
use super::plan::Callee;
use super::reader::{Table, value_of};
use super::types::Type;
use super::typing::typed;
use crate::findings::Findings;
use crate::ivr::{Fields, Module, OutputKind, Value};

/// Types of computed values depend on one another; after so many rounds what is not settled is of any type.
const MOST_ROUNDS: usize = 8;

/// What gives a variable a value.
enum Source {
    Known(Type),
    Computed(Box<Computed>),
}

struct Definition {
    variable: String,
    source: Source,
    span: Range<usize>,
}

/// The type of every variable. One that is of unlike types, or not of its declared one, is a finding.
pub(super) fn types(
    draft: &PlanDraft<'_>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Type> {
    let definitions: Vec<Definition> = draft.rules().flat_map(|rule| definitions(rule, checker)).collect();
    let declared: BTreeMap<&str, (Declared, bool)> = draft
        .variables
        .iter()
        .map(|declared| (declared.name.value.as_str(), (declared.signature(), declared.is_typed())))
        .collect();
    let mut types = BTreeMap::new();
    let mut settled = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let mut vocabulary = checker.vocabulary.with(types.clone());
        vocabulary.variables.entry("result".to_owned()).or_insert(Type::Any);
        settled = definitions
            .iter()
            .map(|definition| match &definition.source {
                Source::Known(of) => of.clone(),
                Source::Computed(computed) => typed(computed.expression(), &vocabulary).of,
            })
            .collect();
        let next = join(&definitions, &settled, &declared);
        if next == types {
            break;
        }
        types = next;
    }
    compare(&definitions, &settled, &declared, findings);
    types
}

/// The variables that go out are of the declared types.
pub(super) fn outputs(draft: &PlanDraft<'_>, checker: &Checker<'_>, findings: &mut Findings<'_>) {
    for output in &draft.outputs {
        let name = output.name.value.as_str();
        let declared = output.signature().of;
        if let Some(of) = checker.vocabulary.variables.get(name).filter(|of| !of.fits(&declared)) {
            let never = of.words().zip(declared.words()).and_then(|(of, words)| of.difference(words).next());
            let message = match never {
                Some(word) => format!("output '{name}' can be '{word}', which is not among its words"),
                None => format!("output '{name}' is declared as {declared}, and the variable is {of}"),
            };
            findings.error(output.name.span.clone(), message, None);
        }
    }
}

fn join(
    definitions: &[Definition],
    settled: &[Type],
    declared: &BTreeMap<&str, (Declared, bool)>,
) -> BTreeMap<String, Type> {
    // `result` is an empty text until something sets it.
    let mut types = BTreeMap::from([("result".to_owned(), Type::word([""]))]);
    for (name, (declared, is_typed)) in declared {
        let default = declared.default.as_ref().map_or(Type::Any, Type::of);
        types.insert((*name).to_owned(), if *is_typed { declared.of.clone() } else { default });
    }
    for (definition, of) in definitions.iter().zip(settled) {
        if declared.get(definition.variable.as_str()).is_some_and(|(_, is_typed)| *is_typed) {
            continue;
        }
        let joined = match types.remove(&definition.variable) {
            Some(known) => known.join(of.clone()),
            None => of.clone(),
        };
        types.insert(definition.variable.clone(), joined);
    }
    types
}

fn compare(
    definitions: &[Definition],
    settled: &[Type],
    declared: &BTreeMap<&str, (Declared, bool)>,
    findings: &mut Findings<'_>,
) {
    let mut first: BTreeMap<&str, (Type, Option<&Range<usize>>)> = declared
        .iter()
        .filter(|(_, (declared, _))| declared.of != Type::Any)
        .map(|(name, (declared, _))| (*name, (declared.of.clone(), None)))
        .collect();
    for (definition, of) in definitions.iter().zip(settled).filter(|(_, of)| **of != Type::Any) {
        let name = definition.variable.as_str();
        match (first.get(name), declared.get(name)) {
            (_, Some((declared, true))) if !of.fits(&declared.of) => {
                let never = of.words().zip(declared.of.words());
                let message = match never.and_then(|(given, words)| given.difference(words).next()) {
                    Some(word) => format!("'{name}' is declared otherwise: it cannot be '{word}'"),
                    None => format!("'{name}' is given {of} here; it is declared as {}", declared.of),
                };
                findings.error(definition.span.clone(), message, "change [variables]".to_owned());
            }
            (_, Some((_, true))) => {}
            (Some((known, place)), _) if !known.compares_with(of) => {
                let place = place.map(|span| findings.position(span.start).0);
                let place = place.map_or("in [variables]".to_owned(), |line| format!("in line {line}"));
                let message = format!("'{name}' is {of} here and {known} {place}");
                findings.error(definition.span.clone(), message, "give one of them another name".to_owned());
            }
            (Some(_), _) => {}
            (None, _) => {
                first.insert(name, (of.clone(), Some(&definition.span)));
            }
        }
    }
}

/// What one rule gives values to.
fn definitions(rule: &RuleDraft<'_>, checker: &Checker<'_>) -> Vec<Definition> {
    let mut definitions = Vec::new();
    let callee = rule.module.as_ref().and_then(|module| checker.callee(&module.value));
    let Some(callee) = callee else { return loose(rule) };
    for (key, value) in rule.outputs.iter().flat_map(Table::all) {
        if let Some(Value::Text(variable)) = value_of(value.get_ref()) {
            let source = Source::Known(output_type(&callee, key.value, rule, checker));
            definitions.push(Definition { variable, source, span: value.span() });
        }
    }
    if let (Callee::Module(module @ (Module::Distribute | Module::Transfer | Module::Callback)), Some(place)) =
        (&callee, &rule.module)
    {
        let of = module.spec().output("result").map_or(Type::Text, |output| Type::of_output(output.kind));
        let span = place.span.clone();
        definitions.push(Definition { variable: "result".to_owned(), source: Source::Known(of), span });
    }
    if callee == Callee::Module(Module::Set) {
        for (key, value) in rule.inputs.iter().flat_map(Table::all) {
            let source = match expression_of(value) {
                // What is wrong in it is told where its rule is checked.
                Some(text) => Computed::compile(text.value)
                    .map_or(Source::Known(Type::Any), |computed| Source::Computed(Box::new(computed))),
                None => Source::Known(value_of(value.get_ref()).map_or(Type::Any, |value| Type::of(&value))),
            };
            definitions.push(Definition { variable: key.value.to_owned(), source, span: key.span });
        }
    }
    definitions
}

/// Of a rule whose module is not known, so that its variables are not told as unset besides.
fn loose(rule: &RuleDraft<'_>) -> Vec<Definition> {
    let named = rule.outputs.iter().flat_map(Table::all).filter_map(|(_, value)| {
        let variable = value_of(value.get_ref())?.as_text()?.to_owned();
        Some(Definition { variable, source: Source::Known(Type::Any), span: value.span() })
    });
    named.collect()
}

fn output_type(callee: &Callee, name: &str, rule: &RuleDraft<'_>, checker: &Checker<'_>) -> Type {
    match callee {
        Callee::Module(module) => match module.spec().output(name).map(|output| output.kind) {
            Some(OutputKind::Choice(input)) => choice(*module, input, rule),
            Some(kind) => Type::of_output(kind),
            None => field(name, rule),
        },
        Callee::Plan(plan) => {
            let output = checker.plans.get(plan.as_str()).and_then(|plan| plan.outputs.get(name));
            output.map_or(Type::Any, |output| output.of.clone())
        }
    }
}

/// What a look-up takes out of an answer is of the type of its default.
fn field(name: &str, rule: &RuleDraft<'_>) -> Type {
    let fields = rule.inputs.iter().flat_map(Table::all).find(|(key, _)| key.value == "fields");
    let fields = fields.and_then(|(_, value)| value_of(value.get_ref())).and_then(|fields| Fields::read(&fields).ok());
    let field = fields.as_ref().and_then(|fields| fields.0.get(name));
    field.map_or(Type::Any, |field| match &field.default {
        Value::List(_) => Type::list(Type::Any),
        Value::Map(_) => Type::map(Type::Any),
        // What a service says is no word that is known beforehand.
        default => Type::of(default).open(),
    })
}

/// What a menu can put out: the meanings of its keys, and its default.
fn choice(module: Module, input: &str, rule: &RuleDraft<'_>) -> Type {
    let inputs = rule.inputs.iter().flat_map(Table::all);
    let given: BTreeMap<&str, Option<Value>> = inputs
        .map(|(key, value)| (key.value, value_of(value.get_ref()).filter(|_| expression_of(value).is_none())))
        .collect();
    let Some(Some(Value::Map(choices))) = given.get(input) else { return Type::Text };
    let default = match given.get("default") {
        None => module.spec().input("default").map(|_| String::new()),
        Some(Some(default)) => Some(default.to_string()),
        Some(None) => return Type::Text,
    };
    let meanings: Vec<String> = choices.values().map(ToString::to_string).chain(default).collect();
    Type::word(meanings.iter().map(String::as_str))
}
