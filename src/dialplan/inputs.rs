//! Checks what a rule puts into its module against what the module declares.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::condition::{Computed, GIVEN, Reference};
use super::load::{check_variable, report};
use super::nested::Nested;
use super::reader::{At, Table, contents, integer_of, type_of, value_of};
use crate::bridge::Digit;
use crate::findings::{Findings, suggest};
use crate::ids::{AgentId, Language, QueueId, ServiceId};
use crate::ivr::{Kind, Module, Names, Need, Pattern, Value, consent_prompt, outside};

/// A key of a menu has at most so many digits.
const LONGEST_CHOICE: usize = 8;

/// What the rules of one plan may refer to.
pub(super) struct Checker<'a> {
    pub names: &'a Names,
    pub levels: BTreeSet<String>,
    /// The languages a caller of the plan may hear.
    pub languages: BTreeSet<Language>,
    pub variables: BTreeSet<String>,
    pub params: BTreeSet<String>,
}

type Checked = (BTreeMap<String, Value>, BTreeMap<String, Computed>, Vec<Nested>);

pub(super) fn check_inputs(
    module: Module,
    inputs: Option<Table<'_>>,
    place: Range<usize>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> Checked {
    let spec = module.spec();
    let mut fixed = BTreeMap::new();
    let mut computed = BTreeMap::new();
    let mut nested = Vec::new();
    let mut given = BTreeSet::new();
    for (key, value) in inputs.iter().flat_map(Table::all) {
        given.insert(key.value);
        let kind = match spec.input(key.value) {
            Some(input) => Some(input.kind),
            None if spec.free_inputs => {
                check_variable(key.value, key.span, findings);
                None
            }
            None => {
                let hint = suggest(key.value, spec.inputs.iter().map(|input| input.name));
                findings.error(key.span, format!("{} has no input '{}'", spec.name, key.value), hint);
                continue;
            }
        };
        if let (Some(Kind::Template | Kind::Fields), Some(text)) = (kind, expression_of(value)) {
            let hint = kind.map(Kind::describe);
            findings.error(text.span, format!("{} cannot be computed as a whole", key.value), hint);
            continue;
        }
        if let Some(text) = expression_of(value) {
            if let Some(expression) = checker.check_computed(key.value, text, findings) {
                computed.insert(key.value.to_owned(), expression);
            }
            continue;
        }
        let checked = match kind {
            Some(kind @ (Kind::Template | Kind::Values | Kind::Fields)) => {
                checker.check_nested(key.value, kind, value, &mut nested, findings)
            }
            Some(kind) => checker.check_kind(key.value, kind, value, findings),
            None => checker.check_free(key.value, value, findings),
        };
        if let Some(checked) = checked {
            fixed.insert(key.value.to_owned(), checked);
        }
    }
    for input in spec.inputs.iter().filter(|input| !given.contains(input.name)) {
        match (input.need, input.kind) {
            (Need::Required, kind) => {
                let hint = format!("{}: {}", input.doc, kind.describe());
                findings.error(place.clone(), format!("{}: input '{}' is missing", spec.name, input.name), hint);
            }
            // Said only where something is offered.
            (_, Kind::Prompt) if module == Module::Deter && !given.contains("offer") && input.name != "prompt" => {}
            (Need::Text(prompt), Kind::Prompt) => {
                checker.check_prompt(prompt, place.clone(), findings);
            }
            _ => {}
        }
    }
    if module == Module::Record && !given.contains("prompt") {
        let consent = fixed.get("consent").and_then(Value::as_text).filter(|consent| *consent != "none");
        consent
            .map(consent_prompt)
            .into_iter()
            .for_each(|prompt| checker.check_prompt(prompt, place.clone(), findings));
    }
    if module == Module::Deter && given.contains("offer") && !given.contains("offer_prompt") {
        let hint = "name the prompt that says what the keys do".to_owned();
        findings.error(place.clone(), "deter: an offer needs an offer_prompt".to_owned(), hint);
    }
    check_together(module, &fixed, place.clone(), findings);
    checker.check_request(module, &fixed, place, findings);
    (fixed, computed, nested)
}

/// What only makes sense together.
fn check_together(module: Module, fixed: &BTreeMap<String, Value>, place: Range<usize>, findings: &mut Findings<'_>) {
    let default = |name| match module.spec().input(name).map(|input| input.need) {
        Some(Need::Integer(default)) => default,
        _ => 0,
    };
    let integer = |name| match fixed.get(name) {
        Some(Value::Integer(integer)) => *integer,
        _ => default(name),
    };
    if module == Module::Gather && integer("min") > integer("max") {
        let message = format!("gather: min is {} and max is {}", integer("min"), integer("max"));
        findings.error(place, message, "min is at most max".to_owned());
    } else if module == Module::Survey && integer("min") >= integer("max") {
        let message = format!("survey: min is {} and max is {}", integer("min"), integer("max"));
        findings.error(place, message, "min is below max".to_owned());
    }
}

/// The text of `{ cel = "…" }`.
pub(super) fn expression_of<'v>(value: &'v Spanned<DeValue<'v>>) -> Option<At<&'v str>> {
    let table = value.get_ref().as_table().filter(|table| table.len() == 1)?;
    let expression = table.get("cel")?;
    Some(At { value: expression.get_ref().as_str()?, span: expression.span() })
}

impl Checker<'_> {
    pub(super) fn check_computed(&self, name: &str, text: At<&str>, findings: &mut Findings<'_>) -> Option<Computed> {
        match Computed::compile(text.value) {
            Ok(computed) => {
                self.check_names(&computed.references(), &text.span, name, findings);
                Some(computed)
            }
            Err(faults) => {
                report(&faults, &text.span, name, findings);
                None
            }
        }
    }

    /// Every name in an expression is given, or some rule sets it.
    pub fn check_names(&self, references: &[Reference], span: &Range<usize>, what: &str, findings: &mut Findings<'_>) {
        const CALL: [&str; 6] = ["digits", "from", "id", "language", "to", "trunk"];
        let start = contents(&findings.source.text, span);
        for reference in references {
            let at = (start + reference.offset).min(span.end.saturating_sub(1)).max(span.start);
            let field = reference.field.as_deref();
            let name = reference.name.as_str();
            if !GIVEN.contains(&name) && !self.variables.contains(name) {
                let known = GIVEN.into_iter().chain(self.variables.iter().map(String::as_str));
                let message = format!("{what}: no rule sets '{name}'");
                findings.error(at..span.end, message, suggest(name, known));
            } else if let ("call", Some(field)) = (name, field.filter(|field| !CALL.contains(field))) {
                findings.error(at..span.end, format!("{what}: there is no call.{field}"), suggest(field, CALL));
            } else if let ("params", Some(field)) = (name, field.filter(|field| !self.params.contains(*field))) {
                let hint = suggest(field, self.params.iter().map(String::as_str));
                findings.error(at..span.end, format!("{what}: [params] has no '{field}'"), hint);
            }
        }
    }

    fn check_free(&self, name: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Value> {
        let checked = value_of(value.get_ref());
        if checked.is_none() {
            let message = format!(
                "{name} is {}; a variable is a text, a whole number, true or false, a list or a table",
                type_of(value.get_ref())
            );
            findings.error(value.span(), message, None);
        }
        checked
    }

    fn check_kind(
        &self,
        name: &str,
        kind: Kind,
        value: &Spanned<DeValue<'_>>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let span = value.span();
        match (kind, value.get_ref()) {
            (Kind::Prompt, DeValue::String(prompt)) => {
                self.check_prompt(prompt, span, findings);
            }
            (Kind::Prompt, DeValue::Array(items)) if !items.is_empty() => {
                for item in items.iter() {
                    self.check_kind(name, kind, item, findings).filter(|item| item.as_text().is_some())?;
                }
            }
            (Kind::Flag, DeValue::Boolean(_)) => {}
            (Kind::Integer { min, max }, number @ DeValue::Integer(_)) => {
                if !integer_of(number).is_some_and(|number| (min..=max).contains(&number)) {
                    findings.error(span, format!("{name} is out of range; it goes from {min} to {max}"), None);
                    return None;
                }
            }
            (Kind::Lists, DeValue::Array(items)) if !items.is_empty() => {
                for item in items.iter() {
                    self.check_kind(name, kind, item, findings).filter(|item| item.as_text().is_some())?;
                }
            }
            (Kind::Choices, DeValue::Table(_)) => return self.check_choices(name, value, findings),
            (kind, DeValue::String(text)) if is_word(kind) => self.check_word(name, kind, text, span, findings)?,
            (kind, other) => {
                let message = format!("{name} is {}; it is to be {}", type_of(other), kind.describe());
                findings.error(span, message, None);
                return None;
            }
        }
        value_of(value.get_ref())
    }

    /// A text that names something.
    fn check_word(
        &self,
        name: &str,
        kind: Kind,
        text: &str,
        span: Range<usize>,
        findings: &mut Findings<'_>,
    ) -> Option<()> {
        let fault = match kind {
            Kind::Queue => self.queue_fault(text),
            Kind::Target => self.target_fault(text),
            Kind::Calendar if !self.names.calendars.contains_key(text) => {
                let known = self.names.calendars.keys().map(String::as_str);
                Some((format!("there is no calendar '{text}'"), suggest(text, known)))
            }
            Kind::Level if !self.levels.contains(text) => {
                Some((format!("there is no level '{text}'"), suggest(text, self.levels.iter().map(String::as_str))))
            }
            Kind::Language if !self.names.prompts.contains_key(text) => {
                let known = self.names.prompts.keys().map(Language::as_str);
                Some((format!("there are no prompts in language '{text}'"), suggest(text, known)))
            }
            Kind::Service if !self.names.services.contains_key(text) => {
                let known = self.names.services.keys().map(ServiceId::as_str);
                Some((format!("there is no service '{text}'"), suggest(text, known)))
            }
            Kind::Lists if !self.names.lists.contains_key(text) => {
                let known = self.names.lists.keys().map(String::as_str);
                Some((format!("there is no list '{text}'"), suggest(text, known)))
            }
            Kind::Keys => text
                .chars()
                .find(|c| Digit::new(*c).is_none())
                .map(|c| (format!("{name}: '{c}' is not a key of a telephone"), Some("use 0-9, *, #".to_owned()))),
            Kind::Pattern => Pattern::parse(text).err().map(|fault| (format!("{name}: {fault}"), None)),
            Kind::Word(words) if !words.contains(&text) => {
                Some((format!("{name} cannot be '{text}'"), suggest(text, words.iter().copied())))
            }
            _ => None,
        };
        match fault {
            Some((message, hint)) => {
                findings.error(span, message, hint);
                None
            }
            None => Some(()),
        }
    }

    fn queue_fault(&self, queue: &str) -> Option<(String, Option<String>)> {
        if self.names.queues.contains(queue) {
            return None;
        }
        self.expert_fault(queue).or_else(|| {
            let known = self.names.queues.iter().map(QueueId::as_str);
            Some((format!("there is no queue '{queue}'"), suggest(queue, known)))
        })
    }

    fn target_fault(&self, target: &str) -> Option<(String, Option<String>)> {
        if let Some(fault) = self.expert_fault(target) {
            return Some(fault);
        }
        match target.strip_prefix("agent:") {
            Some(agent) if self.names.agents.contains(agent) => None,
            Some(agent) => {
                let hint = suggest(agent, self.names.agents.iter().map(AgentId::as_str));
                Some((format!("there is no agent '{agent}'"), hint))
            }
            None => match target.strip_prefix("tel:").map(outside::number) {
                Some(Some(number)) => self.number_fault(target, &number),
                _ => {
                    let hint = "write an agent as \"agent:201\", a number as \"tel:+33155501\"".to_owned();
                    Some((format!("'{target}' cannot be the target of a transfer"), Some(hint)))
                }
            },
        }
    }

    /// A number leaves only through a trunk that offers it, and not to come back.
    fn number_fault(&self, target: &str, number: &str) -> Option<(String, Option<String>)> {
        if self.names.is_experts(number) {
            let message = format!("'{target}' is an expert's number, and an expert is never the target of a plan");
            return Some((message, Some("let an agent of a queue consult the expert".to_owned())));
        }
        if self.names.agents.contains(number) {
            let message = format!("'{target}' is an agent, who is not outside");
            return Some((message, Some(format!("write the agent as \"agent:{number}\""))));
        }
        if self.names.is_offered(number) {
            return None;
        }
        let hint = match &self.names.allowed[..] {
            [] => "no trunk lets plans call out; write allow = [\"+33\"] at a [[trunk]] with servers".to_owned(),
            allowed => format!("the trunks allow numbers that begin with {}", allowed.join(", ")),
        };
        Some((format!("no trunk offers '{target}'"), Some(hint)))
    }

    /// An expert by number, or by their own SIP address: a caller reaches one through an agent only.
    pub fn expert_fault(&self, target: &str) -> Option<(String, Option<String>)> {
        let bare = target.split_once(':').filter(|(scheme, _)| matches!(*scheme, "expert" | "agent"));
        let number = bare.map_or(target, |(_, number)| number);
        let address = plain_address(target);
        let found = self
            .names
            .experts
            .iter()
            .find(|(id, at)| id.as_str() == number || (!address.is_empty() && plain_address(at) == address));
        let named = target.starts_with("expert:");
        match found {
            Some((id, _)) => Some(format!("'{target}' is expert {id}, and an expert is never the target of a plan")),
            None if named => Some(format!("'{target}' is an expert, and an expert is never the target of a plan")),
            None => None,
        }
        .map(|message| (message, Some("let an agent of a queue consult the expert".to_owned())))
    }

    fn check_choices(&self, name: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Value> {
        let entries = value.get_ref().as_table()?;
        if entries.is_empty() {
            findings.error(value.span(), format!("{name} is empty"), Some(Kind::Choices.describe()));
        }
        for (key, choice) in entries {
            let keys: &str = key.get_ref();
            if keys.is_empty() || keys.len() > LONGEST_CHOICE || keys.chars().any(|c| Digit::new(c).is_none()) {
                let hint = format!("use 0-9, *, # (in quotes), at most {LONGEST_CHOICE} of them");
                findings.error(key.span(), format!("{name}: '{keys}' is not a key of a telephone"), hint);
            }
            match choice.get_ref() {
                DeValue::String(choice_text) => {
                    if let Some((message, hint)) = self.expert_fault(choice_text) {
                        findings.error(choice.span(), message, hint);
                    }
                }
                DeValue::Integer(_) => {}
                other => {
                    let message = format!("{name}: what '{keys}' means is {}; it is to be a text", type_of(other));
                    findings.error(choice.span(), message, None);
                }
            }
        }
        value_of(value.get_ref())
    }

    pub fn check_prompt(&self, prompt: &str, span: Range<usize>, findings: &mut Findings<'_>) {
        for language in &self.languages {
            let there = self.names.prompts.get(language);
            if !there.is_some_and(|there| there.contains(prompt)) {
                let hint = there.and_then(|there| suggest(prompt, there.iter().map(String::as_str)));
                findings.error(span.clone(), format!("there is no prompt '{prompt}' in language '{language}'"), hint);
            }
        }
    }
}

fn is_word(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Flag | Kind::Integer { .. } | Kind::Prompt | Kind::Choices | Kind::Template | Kind::Values | Kind::Fields
    )
}

/// A SIP address without scheme, parameters and brackets, lower case; empty where it is none.
fn plain_address(address: &str) -> String {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>').to_ascii_lowercase();
    let plain = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| address.strip_prefix(scheme));
    plain.and_then(|plain| plain.split([';', '?', '>']).next()).unwrap_or_default().to_owned()
}
