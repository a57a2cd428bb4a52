//! Where a plan can go: what is never reached, what may have no value where it is used, which loops are too long, and
//! whether its levels can be exhausted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::declared::DeclaredDraft;
use super::draft::RuleDraft;
use super::inputs::Checker;
use super::plan::{Callee, Plan, Rule, Ways};
use super::reader::Table;
use super::run::Run;
use super::verdict::{Verdicts, verdicts};
use crate::findings::Findings;
use crate::ids::PlanId;
use crate::ivr::{Ends, Module, Value};

/// Where a level and its rules stand.
pub(super) struct Place {
    pub level: Range<usize>,
    pub rules: Vec<RulePlace>,
}

pub(super) struct RulePlace {
    pub rule: Range<usize>,
    when: Option<Range<usize>>,
    inputs: BTreeMap<String, Range<usize>>,
    /// By the output's name.
    outputs: BTreeMap<String, Range<usize>>,
}

impl RulePlace {
    pub(super) fn of(rule: &RuleDraft<'_>) -> RulePlace {
        let places = |table: &Option<Table<'_>>| {
            table.iter().flat_map(Table::all).map(|(key, value)| (key.value.to_owned(), value.span())).collect()
        };
        RulePlace {
            rule: rule.table.span.clone(),
            when: rule.when.as_ref().map(|when| when.span.clone()),
            inputs: places(&rule.inputs),
            outputs: places(&rule.outputs),
        }
    }
}

/// What the ways through a plan come to.
pub(super) struct Found {
    /// The levels can be exhausted.
    pub exhausted: bool,
    /// Of each level.
    pub ways: Vec<Ways>,
}

/// Says what is found.
pub(super) fn check(
    plan: &Plan,
    places: &[Place],
    declared: &[DeclaredDraft<'_>],
    checker: &Checker<'_>,
    findings: &mut Findings<'_>,
) -> Found {
    let graph = Graph::of(plan, checker);
    unreached(plan, places, &graph, findings);
    unset(plan, places, &graph, checker, findings);
    unused(plan, places, declared, findings);
    loops(plan, places, &graph, findings);
    let exhausted = graph.before.get(plan.levels.len()).is_some_and(Option::is_some);
    if let (true, false, Some(last)) = (exhausted, plan.numbers.is_empty(), places.last()) {
        checker.check_prompt("goodbye", last.level.clone(), findings);
        let hint =
            "end with a level whose last rule has no condition and is deter, hangup, or distribute without limit";
        let message = "after this level the plan may have nothing more to do; the caller then hears goodbye and the call \
                       counts as failed";
        findings.warning(last.level.clone(), message, hint.to_owned());
    }
    let reached = graph.before.iter().map(Option::is_some);
    let ways = graph.verdicts.into_iter().zip(reached).map(|(verdicts, reached)| Ways {
        reached,
        tried: verdicts.tried,
        falls_through: verdicts.falls_through,
    });
    Found { exhausted, ways: ways.collect() }
}

/// The levels of a plan as a graph; one past the last is the plan's end.
struct Graph<'p> {
    verdicts: Vec<Verdicts>,
    /// The variables that have a value whenever the level begins; `None` where it is never reached.
    before: Vec<Option<BTreeSet<&'p str>>>,
    /// From level to level.
    edges: BTreeSet<(usize, usize)>,
}

impl<'p> Graph<'p> {
    fn of(plan: &'p Plan, checker: &Checker<'_>) -> Graph<'p> {
        let verdicts = plan.levels.iter().map(|level| verdicts(level, &checker.vocabulary.variables)).collect();
        let mut graph = Graph { verdicts, before: vec![None; plan.levels.len() + 1], edges: BTreeSet::new() };
        let defaults = plan.variables.iter().filter(|(_, declared)| declared.default.is_some());
        let begins = defaults.map(|(name, _)| name.as_str()).chain(["result"]).collect();
        let mut open = VecDeque::from([(0, begins)]);
        while let Some((index, known)) = open.pop_front() {
            if graph.narrow(index, known) {
                graph.leave(index, plan, checker, &mut open);
            }
        }
        graph
    }

    /// Whether what is known before a level became less.
    fn narrow(&mut self, index: usize, known: BTreeSet<&'p str>) -> bool {
        let Some(before) = self.before.get_mut(index) else { return false };
        let narrowed = match before {
            None => known,
            Some(before) => before.intersection(&known).copied().collect(),
        };
        let changed = before.as_ref() != Some(&narrowed);
        *before = Some(narrowed);
        changed
    }

    /// Where the run goes from a level, and what has a value then.
    fn leave(
        &mut self,
        index: usize,
        plan: &'p Plan,
        checker: &Checker<'_>,
        open: &mut VecDeque<(usize, BTreeSet<&'p str>)>,
    ) {
        let (Some(level), Some(verdicts)) = (plan.levels.get(index), self.verdicts.get(index)) else { return };
        let Some(Some(before)) = self.before.get(index) else { return };
        for rule in verdicts.tried.iter().filter_map(|at| level.rules.get(*at)) {
            if let Some(target) = jump_target(rule).and_then(|name| plan.levels.iter().position(|l| l.name == name)) {
                self.edges.insert((index, target));
                open.push_back((target, before.clone()));
            }
            let returns = |plan: &PlanId| checker.plans.get(plan.as_str()).is_none_or(|plan| plan.returns);
            if passes(rule, returns) {
                let mut known = before.clone();
                known.extend(sets(rule));
                self.edges.insert((index, index + 1));
                open.push_back((index + 1, known));
            }
        }
        if verdicts.falls_through {
            self.edges.insert((index, index + 1));
            open.push_back((index + 1, before.clone()));
        }
    }

    /// The levels that can be reached from one.
    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(index) = open.pop() {
            for (_, to) in self.edges.range((index, 0)..=(index, usize::MAX)) {
                if reached.insert(*to) {
                    open.push(*to);
                }
            }
        }
        reached
    }
}

/// The variables that have a value after a rule.
fn sets(rule: &Rule) -> impl Iterator<Item = &str> {
    let is_set = rule.callee == Callee::Module(Module::Set);
    let inputs = rule.fixed.keys().chain(rule.computed.keys()).filter(move |_| is_set);
    rule.out.values().chain(inputs).map(String::as_str)
}

pub(super) fn jump_target(rule: &Rule) -> Option<&str> {
    rule.fixed.get("level").filter(|_| rule.callee == Callee::Module(Module::Jump)).and_then(Value::as_text)
}

/// Whether the next level can follow this rule; `returns` says whether a plan can be exhausted.
pub(super) fn passes(rule: &Rule, returns: impl Fn(&PlanId) -> bool) -> bool {
    let module = match &rule.callee {
        Callee::Module(module) => *module,
        Callee::Plan(plan) => return returns(plan),
    };
    match (module.spec().ends, module) {
        (Ends::Always, _) => false,
        (Ends::UnlessChosen, _) => rule.fixed.contains_key("offer") || rule.computed.contains_key("offer"),
        (Ends::WhenAnswered, Module::Distribute) => {
            let limited = |name| rule.fixed.contains_key(name) || rule.computed.contains_key(name);
            limited("max_wait_s") || limited("leave") || rule.computed.contains_key("queue")
        }
        _ => true,
    }
}

fn unreached(plan: &Plan, places: &[Place], graph: &Graph<'_>, findings: &mut Findings<'_>) {
    for (index, (level, place)) in plan.levels.iter().zip(places).enumerate() {
        if graph.before.get(index).is_some_and(Option::is_none) {
            findings.warning(place.level.clone(), format!("level '{}' is never reached", level.name), None);
        }
        let Some(verdicts) = graph.verdicts.get(index) else { continue };
        for (at, rule) in place.rules.iter().enumerate().filter(|(at, _)| !verdicts.tried.contains(at)) {
            if verdicts.never.contains(&at) {
                let span = rule.when.clone().unwrap_or(rule.rule.clone());
                findings.warning(span, "this condition never holds".to_owned(), None);
                continue;
            }
            let before = level.rules.iter().take(at).position(|rule| rule.when.is_none());
            let hint = match before {
                Some(always) => format!("rule {} of level '{}' has no condition", always + 1, level.name),
                None => format!("one of the rules of level '{}' before it always holds", level.name),
            };
            findings.warning(rule.rule.clone(), "this rule is never reached".to_owned(), hint);
        }
    }
}

/// Every use of a variable that may have no value there; the first use of each is told.
fn unset(plan: &Plan, places: &[Place], graph: &Graph<'_>, checker: &Checker<'_>, findings: &mut Findings<'_>) {
    let mut told = BTreeSet::new();
    let mut tell = |name: &str, span: Range<usize>, findings: &mut Findings<'_>| {
        if told.insert(name.to_owned()) {
            let message = format!("'{name}' may have no value here: not every way to it sets it");
            let hint = format!("set it before, or give it a default: [variables] with {name} = {{ default = … }}");
            findings.error(span, message, hint);
        }
    };
    for ((level, place), before) in plan.levels.iter().zip(places).zip(&graph.before) {
        let Some(before) = before else { continue };
        for (rule, place) in level.rules.iter().zip(&place.rules) {
            let when = rule.when.iter().map(|when| (when.expression(), place.when.clone()));
            let computed = rule.computed.iter().map(|(name, c)| (c.expression(), place.inputs.get(name).cloned()));
            let nested = rule.nested.iter().map(|nested| {
                let input = nested.path.first().and_then(|input| input.split('.').next()).unwrap_or_default();
                (nested.computed.expression(), place.inputs.get(input).cloned())
            });
            for (expression, span) in when.chain(computed).chain(nested) {
                // A name that nothing ever sets is told where types are checked.
                let known = |name: &&str| checker.vocabulary.variables.contains_key(*name);
                for name in expression.variables().filter(known).filter(|name| !before.contains(name)) {
                    tell(name, span.clone().unwrap_or(place.rule.clone()), findings);
                }
            }
        }
    }
    if let (Some(Some(end)), Some(last)) = (graph.before.last(), places.last()) {
        for name in plan.outputs.keys().filter(|name| !end.contains(name.as_str())) {
            if plan.variables.get(name).is_none_or(|declared| declared.default.is_none()) {
                let message = format!("output '{name}' may have no value at the end of the plan");
                let hint = "set a variable of that name on every way, or give it a default in [variables]".to_owned();
                findings.error(last.level.clone(), message, hint);
            }
        }
    }
}

/// Variables that are given a value that nothing looks at.
fn unused(plan: &Plan, places: &[Place], declared: &[DeclaredDraft<'_>], findings: &mut Findings<'_>) {
    let rules = || plan.levels.iter().flat_map(|level| &level.rules);
    let mut used: BTreeSet<&str> = plan.outputs.keys().map(String::as_str).collect();
    used.extend(rules().flat_map(Rule::expressions).flat_map(super::expression::Expression::variables));
    let mut told = BTreeSet::new();
    for (rule, place) in rules().zip(places.iter().flat_map(|place| &place.rules)) {
        let is_set = rule.callee == Callee::Module(Module::Set);
        let outputs = rule.out.iter().filter_map(|(output, variable)| Some((variable, place.outputs.get(output)?)));
        let inputs = rule.fixed.keys().chain(rule.computed.keys()).filter(|_| is_set);
        let inputs = inputs.filter_map(|name| Some((name, place.inputs.get(name)?)));
        for (variable, span) in outputs.chain(inputs) {
            if !used.contains(variable.as_str()) && told.insert(variable.as_str()) {
                findings.warning(span.clone(), format!("'{variable}' is set here and never used"), None);
            }
        }
    }
    for declared in declared {
        let name = declared.name.value.as_str();
        if !used.contains(name) && !told.contains(name) {
            findings.warning(declared.name.span.clone(), format!("'{name}' is declared and never used"), None);
        }
    }
}

/// Jumps that lie on a common way round multiply: a loop may take more steps than a call is given.
fn loops(plan: &Plan, places: &[Place], graph: &Graph<'_>, findings: &mut Findings<'_>) {
    if graph.edges.iter().all(|(from, to)| to > from) {
        return;
    }
    let reach: Vec<BTreeSet<usize>> = (0..plan.levels.len()).map(|index| graph.reach(index)).collect();
    let mut told = BTreeSet::new();
    for (index, place) in places.iter().enumerate() {
        let Some(around) = reach.get(index).filter(|reached| reached.contains(&index)) else { continue };
        let round: BTreeSet<usize> = around
            .iter()
            .copied()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(&index)))
            .collect();
        if !told.insert(round.clone()) {
            continue;
        }
        let levels = round.iter().filter_map(|index| plan.levels.get(*index));
        let jumps = levels.flat_map(|level| &level.rules).filter(|rule| jump_target(rule).is_some());
        let most = jumps.fold(1u64, |product, rule| product.saturating_mul(times(rule).saturating_add(1)));
        let steps = most.saturating_mul(round.len() as u64);
        if steps > u64::from(Run::MOST_STEPS) {
            let rules = plan.levels.get(index).map(|level| level.rules.as_slice()).unwrap_or_default();
            let jump = rules.iter().position(|rule| jump_target(rule).is_some());
            let span = jump.and_then(|at| place.rules.get(at)).map_or(place.level.clone(), |rule| rule.rule.clone());
            let message = format!(
                "a call may go round here for {steps} levels; after {} it ends as a technical fault",
                Run::MOST_STEPS
            );
            findings.warning(span, message, "give the jumps fewer times".to_owned());
        }
    }
}

fn times(rule: &Rule) -> u64 {
    let given = match rule.fixed.get("times") {
        Some(Value::Integer(times)) => u64::try_from(*times).ok(),
        _ => None,
    };
    let spec = Module::Jump.spec().input("times");
    let (default, most) = match spec.map(|input| (input.need, input.kind)) {
        Some((crate::ivr::Need::Integer(default), crate::ivr::Kind::Integer { max, .. })) => (default, max),
        _ => (1, 1),
    };
    let other = if rule.computed.contains_key("times") { most } else { default };
    given.unwrap_or(u64::try_from(other).unwrap_or(1))
}
