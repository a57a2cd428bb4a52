//! One call's run through a plan: a machine without I/O that the engine drives.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::facts::Facts;
use super::plan::{Callee, Level, Plan, Plans, Rule};
use super::scope::Scope;
use super::trail::{Trail, private};
use crate::caller::CallerFacts;
use crate::conversation::Conversation;
use crate::ids::{Language, PlanId};
use crate::ivr::{
    Action, Activity, Caller, Desk, Done, Event, Farewell, Inputs, Module, QueueOutcome, Queues, Started, Step,
    TransferOutcome, Value,
};
use crate::record::{Outcome, PathStep};
use crate::time::{Instant, Now};
use crate::trace::Trace;

/// The run of one call.
///
/// Plays are numbered from 1 and stay below `1 << 32`, so plays of the engine's own may be numbered from there.
///
/// A caller who hangs up during the run was served by the plan (`is_self_service`) when an announcement that answers
/// them was played to its end or cut short by their key, or the echo began. An announcement answers them when it
/// follows a choice in a menu or a number typed, or says so by `serves`. Who was put into a queue or transferred since
/// is not served: the queue decides what that call was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    plan: PlanId,
    facts: Facts,
    /// What stood in the places of N, X, Z and . of the plan's number.
    digits: String,
    /// The plan, and inside it the plans that its rules run; the last one is at work.
    frames: Vec<Frame>,
    activity: Option<Activity>,
    desk: Desk,
    steps: u32,
    path: Vec<PathStep>,
    trail: Trail,
    over: bool,
}

/// Where the run stands in one plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Frame {
    plan: PlanId,
    inputs: BTreeMap<String, Value>,
    variables: BTreeMap<String, Value>,
    /// Variables, and inputs as `inputs.NAME`, that hold what the caller typed or were worked out from it: no trace shows
    /// them.
    private: BTreeSet<String>,
    /// The place of the level in the trail, where it has one.
    visit: Option<usize>,
    /// Levels and rules counted from 0.
    level: usize,
    rule: usize,
    /// How often each jump was taken, by level and rule.
    jumps: BTreeMap<u64, u32>,
}

impl Frame {
    /// Inputs that are not given, and variables, begin with their declared defaults.
    fn new(id: &PlanId, plan: Option<&Plan>, given: BTreeMap<String, Value>) -> Frame {
        let mut inputs: BTreeMap<String, Value> = plan.map(|plan| defaults(&plan.inputs)).unwrap_or_default();
        inputs.extend(given);
        let variables = plan.map(|plan| defaults(&plan.variables)).unwrap_or_default();
        Frame {
            plan: id.clone(),
            inputs,
            variables,
            private: BTreeSet::new(),
            visit: None,
            level: 0,
            rule: 0,
            jumps: BTreeMap::new(),
        }
    }

    fn level<'p>(&self, plans: &'p Plans) -> Option<&'p Level> {
        plans.get(&self.plan)?.levels.get(self.level)
    }

    fn rule<'p>(&self, plans: &'p Plans) -> Option<&'p Rule> {
        self.level(plans)?.rules.get(self.rule)
    }

    /// Whether what an expression gives was made of what the caller typed.
    fn is_private(&self, expression: &Expression) -> bool {
        let of_input = |name: &str| {
            let input = name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
            self.private.contains(&input) || (input == "inputs" && self.private.iter().any(|name| name.contains('.')))
        };
        !self.private.is_empty()
            && (expression.variables().any(|name| self.private.contains(name))
                || expression.names().filter(|name| name.starts_with("inputs")).any(of_input))
    }

    /// Inputs of a rule that no trace may show.
    fn private_inputs(&self, rule: &Rule) -> BTreeSet<String> {
        if self.private.is_empty() {
            return BTreeSet::new();
        }
        let whole = rule.computed.iter().filter(|(_, computed)| self.is_private(computed.expression()));
        let within = rule.nested.iter().filter(|nested| self.is_private(nested.computed.expression()));
        let within = within.filter_map(|nested| nested.path.first());
        whole.map(|(name, _)| name).chain(within).cloned().collect()
    }

    /// `out` says which variable each output goes to. What nobody answered sets `result` besides.
    fn put_out<N: AsRef<str>>(
        &mut self,
        rule: &Rule,
        outputs: impl IntoIterator<Item = (N, Value)>,
        is_private: impl Fn(&str) -> bool,
        trail: &mut Trail,
    ) {
        for (name, value) in outputs {
            let name = name.as_ref();
            if let Some(variable) = rule.out.get(name) {
                self.assign(variable, value.clone(), is_private(name), trail);
            }
            if name == "result"
                && matches!(rule.callee.module(), Some(Module::Distribute | Module::Transfer | Module::Callback))
            {
                self.assign("result", value, false, trail);
            }
        }
    }

    fn assign(&mut self, variable: &str, value: Value, is_private: bool, trail: &mut Trail) {
        if is_private {
            self.private.insert(variable.to_owned());
            trail.put_out(self.visit, variable, &private());
        } else {
            self.private.remove(variable);
            trail.put_out(self.visit, variable, &value);
        }
        self.variables.insert(variable.to_owned(), value);
    }
}

fn defaults(declared: &BTreeMap<String, super::Declared>) -> BTreeMap<String, Value> {
    declared.iter().filter_map(|(name, declared)| Some((name.clone(), declared.default.clone()?))).collect()
}

impl Run {
    /// A run takes at most so many levels, loops counted; then it ends as a technical fault.
    pub const MOST_STEPS: u32 = 1_000;

    /// Plans stand in one another at most so deep.
    pub const DEEPEST: usize = 8;

    pub fn new(plans: &Plans, plan: &PlanId, facts: Facts) -> Run {
        let plan_of_call = plans.get(plan);
        let language = plan_of_call.and_then(|plan| plan.language.clone()).unwrap_or_else(|| facts.language.clone());
        let number = plan_of_call.and_then(|plan| plan.number(&facts.to));
        let digits = number.and_then(|number| number.pattern.capture(&facts.to)).unwrap_or_default();
        let given = number.map(|number| number.inputs.clone()).unwrap_or_default();
        Run {
            plan: plan.clone(),
            digits,
            frames: vec![Frame::new(plan, plan_of_call, given)],
            activity: None,
            desk: Desk {
                caller: Caller { from: facts.from.clone(), earlier_s: facts.earlier_calls_s.clone() },
                ..Desk::new(language)
            },
            steps: 0,
            path: Vec::new(),
            trail: Trail::default(),
            over: false,
            facts,
        }
    }

    /// The run of a call that has been through another plan: what ran there stands before.
    pub fn behind(mut self, path: Vec<PathStep>) -> Run {
        self.path = path;
        self
    }

    /// History has answered, before the run has begun.
    pub fn meet(&mut self, caller: CallerFacts) {
        if self.steps == 0 {
            self.facts.caller = caller;
        }
    }

    /// Takes one event; `queues` says how the queues are now. Then drain `poll_action`, and come back at `poll_timeout`
    /// with `Timeout`.
    pub fn handle(&mut self, plans: &Plans, input: Event, queues: &dyn Queues, now: Now) {
        if self.over || (input == Event::Timeout && self.desk.deadline.is_none_or(|at| at > now.instant)) {
            return;
        }
        let world = World { plans, queues, now };
        if input == Event::Start {
            if self.steps == 0 {
                self.desk.began_at = Some(now.instant);
                self.advance(&world);
            }
            return;
        }
        if input == Event::Timeout {
            // It has come; a module that does not care for it must not be asked again and again.
            self.desk.deadline = None;
        }
        if matches!(input, Event::Queued(QueueOutcome::Answered) | Event::Transferred(TransferOutcome::Answered)) {
            self.note("answered");
        }
        let mut step = world.step(&mut self.desk);
        match &mut self.activity {
            Some(activity) => {
                if let Some(done) = activity.handle(&input, &mut step) {
                    self.activity = None;
                    self.finish(&world, done);
                    self.advance(&world);
                }
            }
            None => {
                if let Event::Digit(digit) = input {
                    self.desk.typed.push(digit);
                }
            }
        }
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.desk.actions.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.over { None } else { self.desk.deadline }
    }

    /// The rules that ran.
    pub fn path(&self) -> &[PathStep] {
        &self.path
    }

    /// Why they ran: every level that was come to, with the conditions looked at and what they saw. `plans` are those
    /// that the run was driven with. What the caller typed is not in it.
    pub fn trace(&self, plans: &Plans) -> Trace {
        self.trail.told(plans)
    }

    /// Whether a key pressed now answers something that was asked for.
    pub fn listens(&self) -> bool {
        self.activity.as_ref().is_some_and(Activity::listens)
    }

    /// Whether what the caller says is listened to.
    pub fn hears(&self) -> bool {
        self.activity.as_ref().is_some_and(Activity::hears)
    }

    /// What was said with a bot so far, where the caller hangs up now.
    pub fn conversation(&self, plans: &Plans, now: Now) -> Option<Conversation> {
        self.activity.as_ref()?.conversation(plans.names(), now)
    }

    /// The language the caller is spoken to in now.
    pub fn language(&self) -> &Language {
        &self.desk.language
    }

    /// Whether a caller who hangs up now was served by the plan, rather than abandoned.
    pub fn is_self_service(&self) -> bool {
        self.desk.served
    }

    /// Whether the caller was told that nobody can take the call.
    pub fn is_deterred(&self) -> bool {
        self.desk.deterred
    }

    /// Whether the caller has refused to be recorded.
    pub fn recording_refused(&self) -> bool {
        self.desk.recording_refused
    }

    /// What to tell a run whose caller is still there after the other side ended the talk; `None` where nothing
    /// follows and the call is over.
    pub fn after_talk(&self) -> Option<Event> {
        self.desk.survey.as_ref()?;
        match &self.activity {
            Some(Activity::Distribute(_)) => Some(Event::Queued(QueueOutcome::Finished)),
            Some(Activity::Transfer(_)) => Some(Event::Transferred(TransferOutcome::Finished)),
            _ => None,
        }
    }

    /// Whether the plan has asked for the end of the call.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The plan that was dialled.
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The value of a variable of the plan that is at work.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.frames.last()?.variables.get(name)
    }

    /// Runs rules until one needs time or the plan is over.
    fn advance(&mut self, world: &World<'_>) {
        while !self.over && self.activity.is_none() {
            let Some(frame) = self.frames.last() else { return };
            let Some(level) = frame.level(world.plans) else {
                self.exhaust(world);
                continue;
            };
            if self.steps >= Self::MOST_STEPS {
                return self.give_up(world);
            }
            self.steps += 1;
            let mut trail = std::mem::take(&mut self.trail);
            let visit = trail.come_to(&frame.plan, frame.level, world.now.wall);
            let chosen = self.choose(frame, level, visit, &mut trail, world);
            self.trail = trail;
            let Some(frame) = self.frames.last_mut() else { return };
            frame.visit = visit;
            match chosen {
                None => frame.level += 1,
                Some((at, rule)) => {
                    frame.rule = at;
                    self.start(level, rule, world);
                }
            }
        }
    }

    /// The first rule of the level whose condition holds. Those behind it are not looked at.
    fn choose<'p>(
        &self,
        frame: &Frame,
        level: &'p Level,
        visit: Option<usize>,
        trail: &mut Trail,
        world: &World<'_>,
    ) -> Option<(usize, &'p Rule)> {
        let scope = self.scope(frame, world);
        let taken = level.rules.iter().position(|rule| {
            let outcome = match &rule.when {
                Some(condition) => condition.evaluate(&scope),
                None => Ok(true),
            };
            trail.note(visit, outcome)
        });
        trail.looked(visit, taken, &level.seen, |seen| match frame.is_private(seen) {
            true => Some(private()),
            false => seen.evaluate(&scope).ok().map(super::operand::Operand::into_value),
        });
        taken.and_then(|at| Some((at, level.rules.get(at)?)))
    }

    /// What the expressions of a plan see now.
    fn scope<'a>(&'a self, frame: &'a Frame, world: &World<'a>) -> Scope<'a> {
        Scope {
            plan: world.plans.get(&frame.plan),
            names: world.plans.names(),
            inputs: &frame.inputs,
            variables: &frame.variables,
            facts: &self.facts,
            digits: &self.digits,
            language: &self.desk.language,
            queues: world.queues,
            wall: world.now.wall,
        }
    }

    fn start(&mut self, level: &Level, rule: &Rule, world: &World<'_>) {
        let Some(frame) = self.frames.last() else { return };
        self.path.push(PathStep {
            plan: frame.plan.as_str().to_owned(),
            level: level.name.clone(),
            rule: frame.rule + 1,
            module: rule.callee.name().to_owned(),
            result: None,
        });
        let values = rule.inputs(&self.scope(frame, world));
        let hidden = frame.private_inputs(rule);
        let visit = frame.visit;
        self.trail.given(visit, &values, &hidden);
        match &rule.callee {
            Callee::Module(module) => {
                let inputs = Inputs { module: *module, values };
                let inputs = inputs.spell_out(world.plans.names(), &self.desk.language, world.now.wall);
                match Activity::start(*module, &inputs, &mut world.step(&mut self.desk)) {
                    Started::Running(activity) => self.activity = Some(activity),
                    Started::Done(done) => self.finish(world, done),
                }
            }
            // The check of plans refuses what stands deeper; this is for those that were not checked.
            Callee::Plan(_) if self.frames.len() >= Self::DEEPEST => self.give_up(world),
            Callee::Plan(plan) => {
                let private = hidden.iter().map(|name| format!("inputs.{name}")).collect();
                self.frames.push(Frame { private, ..Frame::new(plan, world.plans.get(plan), values) });
            }
        }
    }

    /// The rule that ran is done: takes its outputs and goes where it says.
    fn finish(&mut self, world: &World<'_>, done: Done) {
        self.desk.deadline = None;
        let trail = &mut self.trail;
        let Some(frame) = self.frames.last_mut() else { return };
        let rule = frame.rule(world.plans);
        let of_module = |name: &str| {
            let module = rule.and_then(|rule| rule.callee.module());
            module.is_some_and(|module| module.is_private(name))
        };
        match done {
            Done::Next { result, outputs } => {
                if let Some(rule) = rule {
                    frame.put_out(rule, outputs, of_module, trail);
                }
                frame.level += 1;
                self.note(&result);
            }
            Done::Found { result, outputs } => {
                if let Some(rule) = rule {
                    frame.put_out(rule, outputs, of_module, trail);
                }
                frame.level += 1;
                self.note(&result);
            }
            Done::Set(values) => {
                let hidden = rule.map(|rule| frame.private_inputs(rule)).unwrap_or_default();
                for (name, value) in values {
                    frame.assign(&name, value, hidden.contains(&name), trail);
                }
                frame.level += 1;
            }
            Done::Jump { level, times } => {
                let levels = world.plans.get(&frame.plan).map(|plan| plan.levels.as_slice()).unwrap_or_default();
                let target = levels.iter().position(|candidate| candidate.name == level);
                let taken = frame.jumps.entry((frame.level as u64) << 32 | frame.rule as u64).or_insert(0);
                match target {
                    Some(target) if *taken < times => {
                        *taken += 1;
                        frame.level = target;
                        self.note(&level);
                    }
                    _ => {
                        if let Some(rule) = rule {
                            frame.put_out(rule, [("result", "exhausted".into())], of_module, trail);
                        }
                        frame.level += 1;
                        self.note("exhausted");
                    }
                }
            }
            Done::HangUp { status, q850, outcome, result } => {
                self.note(&result);
                self.hang_up(status, q850, outcome);
            }
        }
    }

    fn note(&mut self, result: &str) {
        if result.is_empty() {
            return;
        }
        if let Some(step) = self.path.last_mut() {
            step.result = Some(result.to_owned());
        }
        self.trail.result(self.frames.last().and_then(|frame| frame.visit), result);
    }

    /// The levels are exhausted. A plan that another one runs hands its outputs over, and that one goes on. Else the call
    /// ends: who was answered is told goodbye; who was not gets the reason of the last refusal.
    fn exhaust(&mut self, world: &World<'_>) {
        if self.frames.len() > 1
            && let Some(inner) = self.frames.pop()
            && let Some(outer) = self.frames.last_mut()
        {
            let outputs = world.plans.get(&inner.plan).into_iter().flat_map(|plan| plan.outputs.keys());
            let outputs = outputs.filter_map(|name| Some((name.as_str(), inner.variables.get(name)?.clone())));
            if let Some(rule) = outer.rule(world.plans) {
                outer.put_out(rule, outputs, |name| inner.private.contains(name), &mut self.trail);
            }
            outer.level += 1;
            return;
        }
        if !self.desk.answered {
            let (status, q850) = self.desk.refusal;
            return self.hang_up(status, q850, Outcome::Failed);
        }
        self.say_farewell("goodbye", world);
    }

    /// The plan goes round in circles.
    fn give_up(&mut self, world: &World<'_>) {
        if !self.desk.answered {
            return self.hang_up(500, 41, Outcome::Failed);
        }
        self.say_farewell("technical-difficulty", world);
    }

    fn say_farewell(&mut self, prompt: &str, world: &World<'_>) {
        let farewell = Farewell::start(&[prompt.to_owned()], Outcome::Failed, "", &mut world.step(&mut self.desk));
        self.activity = Some(Activity::Farewell(farewell));
    }

    fn hang_up(&mut self, status: u16, q850: u8, outcome: Outcome) {
        self.over = true;
        self.activity = None;
        self.desk.deadline = None;
        self.desk.actions.push_back(Action::HangUp { status, q850, outcome });
    }
}

/// What a run is given to handle one event.
struct World<'a> {
    plans: &'a Plans,
    queues: &'a dyn Queues,
    now: Now,
}

impl<'a> World<'a> {
    fn step<'s>(&'s self, desk: &'s mut Desk) -> Step<'s> {
        Step { now: self.now.instant, wall: self.now.wall, names: self.plans.names(), queues: self.queues, desk }
    }
}
