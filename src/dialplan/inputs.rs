//! Checks what a rule puts into its module against what the module declares.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::computed::expression_of;
use super::condition::Computed;
use super::declared::{Declared, signatures};
use super::distribution;
use super::draft::{NumberDraft, PlanDraft};
use super::load::{Signature, check_variable};
use super::nested::Nested;
use super::plan::Callee;
use super::reader::{Table, integer_of, type_of, value_of};
use super::types::Type;
use super::typing::Vocabulary;
use crate::bridge::Digit;
use crate::demand::widened;
use crate::findings::{Findings, suggest};
use crate::ids::{AgentId, Language, PlanId, QueueId, ServiceId, Skill};
use crate::ivr::{
    Kind, Module, Names, Need, Pattern, Value, comforts, consent_prompt, outside, skills_of, unsayable, widenings,
};

/// A key of a menu has at most so many digits.
const LONGEST_CHOICE: usize = 8;

/// What the rules of one plan may refer to.
pub(super) struct Checker<'a> {
    pub names: &'a Names,
    /// The plans that rules may run.
    pub plans: &'a BTreeMap<String, Signature>,
    pub levels: BTreeSet<String>,
    /// The languages a caller of the plan may hear.
    pub languages: BTreeSet<Language>,
    pub vocabulary: Vocabulary<'a>,
    /// Constants of the file.
    pub params: BTreeMap<String, Value>,
}

type Checked = (BTreeMap<String, Value>, BTreeMap<String, Computed>, Vec<Nested>);

/// What an input takes.
pub(super) struct Takes<'a> {
    pub kind: Option<Kind>,
    pub declared: Option<&'a Declared>,
    required: bool,
    doc: &'a str,
}

pub(super) fn check_inputs(
    callee: &Callee,
    inputs: Option<Table<'_>>,
    place: Range<usize>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> Checked {
    let accepted = checker.accepted(callee);
    let free = callee.module().is_some_and(|module| module.spec().free_inputs);
    let mut fixed = BTreeMap::new();
    let mut computed = BTreeMap::new();
    let mut nested = Vec::new();
    let mut given = BTreeSet::new();
    for (key, value) in inputs.iter().flat_map(Table::all) {
        given.insert(key.value);
        let takes = accepted.iter().find(|(name, _)| *name == key.value).map(|(_, takes)| takes);
        if takes.is_none() && !(free && check_variable(key.value, key.span.clone(), findings)) {
            if !free {
                let hint = suggest(key.value, accepted.iter().map(|(name, _)| *name));
                findings.error(key.span, format!("{} has no input '{}'", callee.name(), key.value), hint);
            }
            continue;
        }
        let kind = takes.and_then(|takes| takes.kind);
        if let (Some(kind @ (Kind::Template | Kind::Fields)), Some(text)) = (kind, expression_of(value)) {
            findings.error(text.span, format!("{} cannot be computed as a whole", key.value), kind.describe());
            continue;
        }
        if let Some(text) = expression_of(value) {
            if let Some(expression) = checker.check_computed(key.value, takes, text, findings) {
                computed.insert(key.value.to_owned(), expression);
            }
            continue;
        }
        let checked = match kind {
            Some(kind @ (Kind::Template | Kind::Values | Kind::Fields)) => {
                checker.check_nested(key.value, kind, value, &mut nested, findings)
            }
            Some(Kind::Prompt) => checker.check_prompts(key.value, value, &mut nested, findings),
            _ => checker.check_fixed(key.value, takes, value, findings),
        };
        if let Some(checked) = checked {
            fixed.insert(key.value.to_owned(), checked);
        }
    }
    for (name, takes) in accepted.iter().filter(|(name, _)| !given.contains(name)) {
        if takes.required {
            let what = takes.kind.map_or_else(
                || takes.declared.map(|declared| declared.of.to_string()).unwrap_or_default(),
                Kind::describe,
            );
            let hint = if takes.doc.is_empty() { what } else { format!("{}: {what}", takes.doc) };
            findings.error(place.clone(), format!("{}: input '{name}' is missing", callee.name()), hint);
        }
    }
    if let Callee::Module(module) = callee {
        checker.check_default_prompts(*module, &given, &place, findings);
        checker.check_consent(*module, &fixed, &given, &place, findings);
        check_together(*module, &fixed, place.clone(), findings);
        check_offer(*module, &given, &place, findings);
        check_needed(*module, &given, &place, findings);
        check_widening(&fixed, place.clone(), findings);
        distribution::check(*module, &fixed, checker.names, &place, findings);
        checker.check_skilled(*module, &fixed, &place, findings);
        checker.check_request(*module, &fixed, place, findings);
    }
    (fixed, computed, nested)
}

fn check_offer(module: Module, given: &BTreeSet<&str>, place: &Range<usize>, findings: &mut Findings<'_>) {
    if module == Module::Deter && given.contains("offer") && !given.contains("offer_prompt") {
        let hint = "name the prompt that says what the keys do".to_owned();
        findings.error(place.clone(), "deter: an offer needs an offer_prompt".to_owned(), hint);
    }
}

/// Inputs that say more of another one, which is not there.
fn check_needed(module: Module, given: &BTreeSet<&str>, place: &Range<usize>, findings: &mut Findings<'_>) {
    for (more, of) in [("widen", "skills"), ("prefer_s", "prefer_agent")] {
        if module == Module::Distribute && given.contains(more) && !given.contains(of) {
            let message = format!("distribute: {more} means nothing without {of}");
            findings.error(place.clone(), message, format!("give {of}, or leave {more} out"));
        }
    }
}

/// Steps of widening that come when the caller waits no more.
fn check_widening(fixed: &BTreeMap<String, Value>, place: Range<usize>, findings: &mut Findings<'_>) {
    let steps = fixed.get("widen").and_then(|rule| widenings(rule).ok()).unwrap_or_default();
    let Some(Value::Integer(most)) = fixed.get("max_wait_s") else { return };
    if let Some(late) = steps.iter().map(|step| step.after.as_secs()).find(|after| *after >= most.unsigned_abs()) {
        let message = format!("distribute: the step of widen after {late} s never comes, since max_wait_s is {most}");
        findings.warning(place, message, "give after_s below max_wait_s".to_owned());
    }
}

/// The inputs that a number gives.
pub(super) fn check_number(
    number: &NumberDraft<'_>,
    inputs: &BTreeMap<String, Declared>,
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Value> {
    let mut given = BTreeMap::new();
    for (key, value) in number.inputs.iter().flat_map(Table::all) {
        let Some(declared) = inputs.get(key.value) else {
            let hint = suggest(key.value, inputs.keys().map(String::as_str));
            findings.error(key.span, format!("[inputs] has no '{}'", key.value), hint);
            continue;
        };
        if expression_of(value).is_some() {
            let message = format!("{}: a number gives fixed values, and this is an expression", key.value);
            findings.error(value.span(), message, None);
            continue;
        }
        let takes = Takes { kind: declared.kind, declared: Some(declared), required: false, doc: "" };
        if let Some(checked) = checker.check_fixed(key.value, Some(&takes), value, findings) {
            given.insert(key.value.to_owned(), checked);
        }
    }
    for (name, declared) in inputs {
        if declared.default.is_none() && !given.contains_key(name) {
            let hint =
                format!("write [[number]] with number = \"{}\" and in = {{ {name} = … }}", number.pattern.as_str());
            let message = format!("number {}: input '{name}' has no default and is not given", number.pattern.as_str());
            findings.error(number.span.clone(), message, hint);
        }
    }
    given
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

impl<'a> Checker<'a> {
    pub(super) fn new(
        draft: &PlanDraft<'_>,
        languages: BTreeSet<Language>,
        names: &'a Names,
        plans: &'a BTreeMap<String, Signature>,
    ) -> Checker<'a> {
        let inputs = signatures(&draft.inputs).into_iter().map(|(name, declared)| (name, declared.of)).collect();
        let params = draft.params.iter().map(|(name, value)| (name.clone(), Type::of(value).open())).collect();
        let vocabulary =
            Vocabulary { names, variables: BTreeMap::new(), params, inputs, has_zone: draft.zone.is_some() };
        let levels = draft.levels.iter().map(|level| level.name.value.clone()).collect();
        Checker { names, plans, levels, languages, vocabulary, params: draft.params.clone() }
    }

    /// A module of that name, or else a plan.
    pub(super) fn callee(&self, name: &str) -> Option<Callee> {
        match Module::from_name(name) {
            Some(module) => Some(Callee::Module(module)),
            None => self.plans.contains_key(name).then(|| Callee::Plan(PlanId::from(name))),
        }
    }

    pub(super) fn output_names(&self, callee: &Callee) -> Vec<&str> {
        match callee {
            Callee::Module(module) => module.spec().outputs.iter().map(|output| output.name).collect(),
            Callee::Plan(plan) => self
                .plans
                .get(plan.as_str())
                .into_iter()
                .flat_map(|plan| plan.outputs.keys())
                .map(String::as_str)
                .collect(),
        }
    }

    fn accepted(&self, callee: &Callee) -> Vec<(&str, Takes<'_>)> {
        match callee {
            Callee::Module(module) => {
                let takes = |input: &'static crate::ivr::Input| {
                    let required = input.need == Need::Required;
                    (input.name, Takes { kind: Some(input.kind), declared: None, required, doc: input.doc })
                };
                module.spec().inputs.iter().map(takes).collect()
            }
            Callee::Plan(plan) => {
                let inputs = self.plans.get(plan.as_str()).into_iter().flat_map(|plan| &plan.inputs);
                let takes = |(name, declared): (&'a String, &'a Declared)| {
                    let required = declared.default.is_none();
                    let doc = declared.doc.as_str();
                    (name.as_str(), Takes { kind: declared.kind, declared: Some(declared), required, doc })
                };
                inputs.map(takes).collect()
            }
        }
    }

    /// The prompts a module says where the rule names no other.
    fn check_default_prompts(
        &self,
        module: Module,
        given: &BTreeSet<&str>,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) {
        for input in module.spec().inputs.iter().filter(|input| !given.contains(input.name)) {
            // Said only where something is offered.
            if module == Module::Deter && !given.contains("offer") && input.name != "prompt" {
                continue;
            }
            if let (Need::Text(prompt), Kind::Prompt) = (input.need, input.kind) {
                self.check_prompt(prompt, place.clone(), findings);
            }
        }
    }

    /// The question that a recording asks where the plan names no prompt.
    fn check_consent(
        &self,
        module: Module,
        fixed: &BTreeMap<String, Value>,
        given: &BTreeSet<&str>,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) {
        if module != Module::Record || given.contains("prompt") {
            return;
        }
        if let Some(consent) = fixed.get("consent").and_then(Value::as_text).filter(|consent| *consent != "none") {
            self.check_prompt(consent_prompt(consent), place.clone(), findings);
        }
    }

    fn check_fixed(
        &self,
        name: &str,
        takes: Option<&Takes<'_>>,
        value: &Spanned<DeValue<'_>>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let Some(takes) = takes else { return self.check_free(name, value, findings) };
        match (takes.kind, takes.declared) {
            (Some(kind), _) => self.check_kind(name, kind, value, findings),
            (None, declared) => {
                let checked = self.check_free(name, value, findings)?;
                if let Some(declared) = declared {
                    declared.takes(name, &checked, value.span(), findings);
                }
                Some(checked)
            }
        }
    }

    pub(super) fn check_free(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let checked = value_of(value.get_ref());
        if checked.is_none() {
            let message = format!(
                "{name} is {}; a variable is a text, a number, true or false, a list or a table",
                type_of(value.get_ref())
            );
            findings.error(value.span(), message, None);
        }
        checked
    }

    pub(super) fn check_kind(
        &self,
        name: &str,
        kind: Kind,
        value: &Spanned<DeValue<'_>>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let span = value.span();
        match (kind, value.get_ref()) {
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
            (Kind::Skills, DeValue::Array(_) | DeValue::Table(_)) => return self.check_skills(name, value, findings),
            (Kind::Widening, DeValue::Array(_)) => {
                let checked = value_of(value.get_ref())?;
                if let Err(fault) = widenings(&checked) {
                    findings.error(span, format!("{name} {fault}"), None);
                    return None;
                }
            }
            (Kind::Comforts, DeValue::Array(items)) => {
                let list = comforts(&value_of(value.get_ref())?).map_err(|fault| {
                    findings.error(span, format!("{name} {fault}"), None);
                });
                for (comfort, item) in list.ok()?.iter().zip(items.iter()) {
                    comfort.words.prompts().iter().for_each(|name| self.check_prompt(name, item.span(), findings));
                    let mut languages = self.languages.iter();
                    if let Some(fault) = languages.find_map(|one| unsayable(&comfort.words, one, self.names)) {
                        findings.error(item.span(), fault, None);
                    }
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
    pub(super) fn check_word(
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
            Kind::Agent => {
                let agent = text.strip_prefix("agent:").unwrap_or(text);
                let hint = || suggest(agent, self.names.agents.iter().map(AgentId::as_str));
                (!self.names.agents.contains(agent)).then(|| (format!("there is no agent '{agent}'"), hint()))
            }
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
            Kind::Bot if !self.names.bots.contains_key(text) => {
                let known = self.names.bots.keys().map(String::as_str);
                let none = || self.names.bots.is_empty().then(|| "write bots = [\"bots/*.toml\"]".to_owned());
                Some((format!("there is no bot '{text}'"), suggest(text, known).or_else(none)))
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

    /// Skills are those that some agent has.
    fn check_skills(&self, name: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Value> {
        let skills: Vec<(&str, Range<usize>)> = match value.get_ref() {
            DeValue::Array(items) => {
                items.iter().filter_map(|item| Some((item.get_ref().as_str()?, item.span()))).collect()
            }
            DeValue::Table(entries) => entries.keys().map(|key| (key.get_ref().as_ref(), key.span())).collect(),
            _ => Vec::new(),
        };
        for (skill, span) in skills {
            if !self.names.skills.contains(skill) {
                let hint = suggest(skill, self.names.skills.iter().map(Skill::as_str));
                findings.error(span, format!("no agent has the skill '{skill}'"), hint);
            }
        }
        let checked = value_of(value.get_ref()).filter(|value| Kind::Skills.fits(value));
        if checked.is_none() {
            findings.error(value.span(), format!("{name} is to be {}", Kind::Skills.describe()), None);
        }
        checked
    }

    /// Somebody in the queue has all the skills that are asked for.
    fn check_skilled(
        &self,
        module: Module,
        fixed: &BTreeMap<String, Value>,
        place: &Range<usize>,
        findings: &mut Findings<'_>,
    ) {
        let queue = fixed.get("queue").and_then(Value::as_text);
        let members = queue.and_then(|queue| self.names.members.get(queue)).filter(|members| !members.is_empty());
        let (Module::Distribute, Some(queue), Some(members), Some(skills)) =
            (module, queue, members, fixed.get("skills"))
        else {
            return;
        };
        let asked = skills_of(skills).unwrap_or_default();
        // What is asked for in the end counts.
        let steps = fixed.get("widen").and_then(|rule| widenings(rule).ok()).unwrap_or_default();
        let wanted = steps.last().map_or_else(|| asked.clone(), |step| widened(&asked, step.level));
        if !members.values().any(|agent| wanted.iter().all(|(skill, level)| agent.get(skill) >= Some(level))) {
            let wanted: Vec<&str> = asked.keys().map(Skill::as_str).collect();
            let message = format!("no agent of queue '{queue}' has the skills {} as asked", wanted.join(", "));
            findings.warning(
                place.clone(),
                message,
                "callers would wait until somebody who has them logs in".to_owned(),
            );
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

    /// A prompt is there in every language that a caller may hear, or in the one it names itself: `fr:hello`.
    pub fn check_prompt(&self, prompt: &str, span: Range<usize>, findings: &mut Findings<'_>) {
        let own = prompt.split_once(':').map(|(language, _)| BTreeSet::from([Language::from(language)]));
        let prompt = prompt.split_once(':').map_or(prompt, |(_, name)| name);
        for language in own.as_ref().unwrap_or(&self.languages) {
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
        Kind::Flag
            | Kind::Integer { .. }
            | Kind::Prompt
            | Kind::Choices
            | Kind::Skills
            | Kind::Widening
            | Kind::Comforts
            | Kind::Template
            | Kind::Values
            | Kind::Fields
    )
}

/// A SIP address without scheme, parameters and brackets, lower case; empty where it is none.
fn plain_address(address: &str) -> String {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>').to_ascii_lowercase();
    let plain = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| address.strip_prefix(scheme));
    plain.and_then(|plain| plain.split([';', '?', '>']).next()).unwrap_or_default().to_owned()
}
