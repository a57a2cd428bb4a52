//! One call's run through a plan: a machine without I/O that the engine drives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::Scope;
use super::plan::{Level, Plan, Plans, Rule};
use crate::caller::CallerFacts;
use crate::ids::{CallId, Language, PlanId, TrunkId};
use crate::ivr::{
    Action, Activity, Caller, Desk, Done, Event, Farewell, Inputs, Module, QueueOutcome, Started, Step,
    TransferOutcome, Value,
};
use crate::record::{Outcome, PathStep};
use crate::time::{Instant, Now};

/// What is known of the call when its plan begins; conditions see it as `call.from`, `call.to`, …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub call_id: CallId,
    /// The caller's number; empty when withheld.
    pub from: String,
    /// The number dialled.
    pub to: String,
    pub trunk: Option<TrunkId>,
    /// The centre's language; a plan that names its own begins in that.
    pub language: Language,
    /// What history says of the caller. A run that begins before it is known is told by `Run::meet`.
    pub caller: CallerFacts,
    /// How long ago the earlier calls of this number came in, in seconds, the latest first.
    pub earlier_calls_s: Vec<u64>,
}

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
    variables: BTreeMap<String, Value>,
    /// Where the run stands: levels and rules counted from 0.
    level: usize,
    rule: usize,
    activity: Option<Activity>,
    desk: Desk,
    /// How often each jump was taken, by level and rule.
    jumps: BTreeMap<u64, u32>,
    steps: u32,
    path: Vec<PathStep>,
    over: bool,
}

impl Run {
    /// A run takes at most so many levels, loops counted; then it ends as a technical fault.
    pub const MOST_STEPS: u32 = 1_000;

    pub fn new(plans: &Plans, plan: &PlanId, facts: Facts) -> Run {
        let plan_of_call = plans.get(plan);
        let language = plan_of_call.and_then(|plan| plan.language.clone()).unwrap_or_else(|| facts.language.clone());
        Run {
            plan: plan.clone(),
            variables: BTreeMap::new(),
            level: 0,
            rule: 0,
            activity: None,
            desk: Desk {
                caller: Caller { from: facts.from.clone(), earlier_s: facts.earlier_calls_s.clone() },
                ..Desk::new(language)
            },
            jumps: BTreeMap::new(),
            steps: 0,
            path: Vec::new(),
            over: false,
            facts,
        }
    }

    /// History has answered, before the run has begun.
    pub fn meet(&mut self, caller: CallerFacts) {
        if self.steps == 0 {
            self.facts.caller = caller;
        }
    }

    /// Takes one event. Then drain `poll_action`, and come back at `poll_timeout` with `Timeout`.
    pub fn handle(&mut self, plans: &Plans, input: Event, now: Now) {
        if self.over || (input == Event::Timeout && self.desk.deadline.is_none_or(|at| at > now.instant)) {
            return;
        }
        if input == Event::Start {
            if self.steps == 0 {
                self.advance(plans, now);
            }
            return;
        }
        if input == Event::Timeout {
            // It has come; a module that does not care for it must not be asked again and again.
            self.desk.deadline = None;
        }
        let mut step = Step { now: now.instant, wall: now.wall, names: plans.names(), desk: &mut self.desk };
        match &mut self.activity {
            Some(activity) => {
                if let Some(done) = activity.handle(&input, &mut step) {
                    self.activity = None;
                    self.finish(plans, done);
                    self.advance(plans, now);
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

    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The value of a variable that a rule put out.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    /// Runs rules until one needs time or the plan is over.
    fn advance(&mut self, plans: &Plans, now: Now) {
        let plan = plans.get(&self.plan);
        while !self.over && self.activity.is_none() {
            let Some(level) = plan.and_then(|plan| plan.levels.get(self.level)) else {
                self.exhaust(plans, now);
                return;
            };
            if self.steps >= Self::MOST_STEPS {
                self.give_up(plans, now);
                return;
            }
            self.steps += 1;
            let Some((at, rule)) = self.choose(plan, level) else {
                self.level += 1;
                continue;
            };
            self.rule = at;
            self.start(plans, plan, level, rule, now);
        }
    }

    /// The first rule of the level whose condition holds.
    fn choose<'p>(&self, plan: Option<&Plan>, level: &'p Level) -> Option<(usize, &'p Rule)> {
        let scope = Scope::new(plan, &self.facts, &self.desk.language, &self.variables);
        level.rules.iter().enumerate().find(|(_, rule)| match &rule.when {
            Some(condition) => condition.holds(&scope),
            None => true,
        })
    }

    fn start(&mut self, plans: &Plans, plan: Option<&Plan>, level: &Level, rule: &Rule, now: Now) {
        self.path.push(PathStep {
            plan: self.plan.as_str().to_owned(),
            level: level.name.clone(),
            rule: self.rule + 1,
            module: rule.module.spec().name.to_owned(),
            result: None,
        });
        let inputs = {
            let scope = Scope::new(plan, &self.facts, &self.desk.language, &self.variables);
            Inputs { module: rule.module, values: rule.inputs(&scope) }
        };
        let mut step = Step { now: now.instant, wall: now.wall, names: plans.names(), desk: &mut self.desk };
        match Activity::start(rule.module, &inputs, &mut step) {
            Started::Running(activity) => self.activity = Some(activity),
            Started::Done(done) => self.finish(plans, done),
        }
    }

    /// The rule that ran is done: takes its outputs and goes where it says.
    fn finish(&mut self, plans: &Plans, done: Done) {
        self.desk.deadline = None;
        let plan = plans.get(&self.plan);
        let rule = plan.and_then(|plan| plan.levels.get(self.level)).and_then(|level| level.rules.get(self.rule));
        match done {
            Done::Next { result, outputs } => {
                self.note(&result);
                if let Some(rule) = rule {
                    self.put_out(rule, outputs);
                }
                self.level += 1;
            }
            Done::Found { result, outputs } => {
                self.note(&result);
                if let Some(rule) = rule {
                    self.put_out(rule, outputs);
                }
                self.level += 1;
            }
            Done::Set(values) => {
                self.variables.extend(values);
                self.level += 1;
            }
            Done::Jump { level, times } => {
                let target = plan.and_then(|plan| plan.levels.iter().position(|candidate| candidate.name == level));
                let taken = self.jumps.entry((self.level as u64) << 32 | self.rule as u64).or_insert(0);
                match target {
                    Some(target) if *taken < times => {
                        *taken += 1;
                        self.level = target;
                        self.note(&level);
                    }
                    _ => {
                        self.note("exhausted");
                        if let Some(rule) = rule {
                            self.put_out(rule, vec![("result", "exhausted".into())]);
                        }
                        self.level += 1;
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
        if let (Some(step), false) = (self.path.last_mut(), result.is_empty()) {
            step.result = Some(result.to_owned());
        }
    }

    /// `out` says which variable each output goes to. What nobody answered sets `result` besides.
    fn put_out<N: AsRef<str>>(&mut self, rule: &Rule, outputs: impl IntoIterator<Item = (N, Value)>) {
        for (name, value) in outputs {
            let name = name.as_ref();
            if let Some(variable) = rule.out.get(name) {
                self.variables.insert(variable.clone(), value.clone());
            }
            if name == "result" && matches!(rule.module, Module::Distribute | Module::Transfer) {
                self.variables.insert("result".to_owned(), value);
            }
        }
    }

    /// The levels are exhausted. Who was answered is told goodbye; who was not gets the reason of the last refusal.
    fn exhaust(&mut self, plans: &Plans, now: Now) {
        if !self.desk.answered {
            let (status, q850) = self.desk.refusal;
            self.hang_up(status, q850, Outcome::Failed);
            return;
        }
        let mut step = Step { now: now.instant, wall: now.wall, names: plans.names(), desk: &mut self.desk };
        let farewell = Farewell::start(&["goodbye".to_owned()], Outcome::Failed, "", &mut step);
        self.activity = Some(Activity::Farewell(farewell));
    }

    /// The plan goes round in circles.
    fn give_up(&mut self, plans: &Plans, now: Now) {
        if !self.desk.answered {
            self.hang_up(500, 41, Outcome::Failed);
            return;
        }
        let mut step = Step { now: now.instant, wall: now.wall, names: plans.names(), desk: &mut self.desk };
        let prompt = ["technical-difficulty".to_owned()];
        self.activity = Some(Activity::Farewell(Farewell::start(&prompt, Outcome::Failed, "", &mut step)));
    }

    fn hang_up(&mut self, status: u16, q850: u8, outcome: Outcome) {
        self.over = true;
        self.activity = None;
        self.desk.deadline = None;
        self.desk.actions.push_back(Action::HangUp { status, q850, outcome });
    }
}
