//! Plans as operators write them: what is found wrong, and what calls do in them.

use std::path::{Path, PathBuf};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

mod flow;
mod modules;
mod outside;
mod tracing;
mod typing;

use super::*;
use crate::bridge::{Digit, PlayItem};
use crate::caller::{NumberList, Numbering};
use crate::findings::{Finding, Severity, Source};
use crate::ids::{CallId, Language, PlanId, PlayId};
use crate::ivr::{Calendar, Holiday, Hours, Module, YearlyDay, of_country};
use crate::record::Outcome;
use crate::time::{Instant, Now};

/// The shipped prompts have texts in every language, and the music none.
fn prompts() -> std::collections::BTreeSet<String> {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/prompts.toml");
    let catalogue: toml::Table = std::fs::read_to_string(catalogue).unwrap().parse().unwrap();
    catalogue.keys().cloned().chain(["music/default".to_owned()]).collect()
}

fn names() -> Names {
    let members = [("201".into(), [("billing".into(), 3)].into()), ("202".into(), [].into())].into();
    let agents = ["201", "202", "a1", "a42", "a500"];
    let mut calendars = std::collections::BTreeMap::from([
        ("support".to_owned(), Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() }),
        ("never".to_owned(), Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() }),
    ]);
    for day in Calendar::days("mon-fri").unwrap() {
        calendars.get_mut("support").unwrap().weekly[day] = vec![Hours::parse("09:00-18:00").unwrap()];
    }
    let mut company = calendars["support"].clone();
    let eve = YearlyDay::Date { month: 12, day: 24 };
    let eve = Holiday { name: "eve".to_owned(), day: eve, hours: vec![Hours::parse("09:00-12:00").unwrap()] };
    company.holidays = of_country("fr").unwrap().into_iter().chain([eve]).collect();
    company.holidays.retain(|holiday| holiday.name != "whit-monday");
    calendars.insert("company".to_owned(), company);
    Names {
        calendars,
        default_language: Some(Language::from("en")),
        queues: ["sales", "support", "bench", "slow", "priority"].map(Into::into).into(),
        agents: agents.map(Into::into).into(),
        members: [("sales".into(), members)].into(),
        ring_timeouts: [("sales".into(), std::time::Duration::from_secs(15))].into(),
        skills: ["billing".into()].into(),
        allowed: vec!["+33".to_owned()],
        experts: [("301".into(), "sip:301@127.0.0.1:5090".to_owned())].into(),
        services: [("crm".into(), false), ("anywhere".into(), true)].into(),
        lists: [("spam".to_owned(), NumberList::default())].into(),
        numbering: Numbering::default(),
        bots: bots(),
        time_zone: String::new(),
        prompts: ["en", "fr", "ko"].map(|language| (Language::from(language), prompts())).into(),
        spoken: ["en", "fr", "ko"].map(|language| (Language::from(language), prompts::tests::table())).into(),
    }
}

fn source(text: &str) -> Source {
    Source { path: "plans/a.toml".to_owned(), text: text.to_owned() }
}

fn load(text: &str) -> Result<Plans, Vec<Finding>> {
    Plans::load(vec![source(text)], names())
}

fn plans(text: &str) -> Plans {
    load(text).unwrap_or_else(|findings| panic!("{}", lines(&findings).join("\n")))
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// The shipped plan files of a folder below the project's root.
fn shipped(folder: &str) -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml") && !path.ends_with("relais.toml"));
    paths.sort();
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.file_name().unwrap().to_string_lossy().into_owned(),
    };
    paths.into_iter().map(read).collect()
}

fn all_shipped() -> Vec<Vec<Source>> {
    ["deploy/demo/plans", "deploy/bench/plans", "dialplans"].map(shipped).into()
}

/// Everybody of `support` is busy, and nothing is known of the others.
struct Centre;

impl Queues for Centre {
    fn figures(&self, queue: &str) -> Option<QueueFigures> {
        let busy = QueueFigures { waiting: 4, longest_wait_s: 90, agents_logged_in: 2, ..QueueFigures::default() };
        (queue == "support").then_some(busy)
    }
}

/// A call in a plan. What is played ends at once; keys are pressed when something waits for one.
struct Call<'p> {
    plans: &'p Plans,
    queues: Centre,
    run: Run,
    now: Now,
    said: Vec<String>,
    playing: Option<PlayId>,
    actions: Vec<RunAction>,
}

impl<'p> Call<'p> {
    fn to(plans: &'p Plans, number: &str) -> Call<'p> {
        Call::from_to(plans, "+33155501", number)
    }

    fn from_to(plans: &'p Plans, from: &str, number: &str) -> Call<'p> {
        let plan = plans.find(number, &[]).unwrap_or_else(|| panic!("no plan for {number}"));
        let facts = Facts {
            call_id: CallId(7),
            from: from.to_owned(),
            to: number.to_owned(),
            trunk: Some("trunk".into()),
            language: Language::from("en"),
            headers: std::collections::BTreeMap::new(),
            caller: CallerFacts::default(),
            earlier_calls_s: Vec::new(),
        };
        let now = Now { instant: Instant(0), wall: "2026-11-25T11:00:00+01:00".parse().unwrap() };
        let run = Run::new(plans, &plan, facts);
        Call { plans, queues: Centre, run, now, said: Vec::new(), playing: None, actions: Vec::new() }
    }

    fn give(&mut self, input: RunInput) {
        if let (RunInput::Timeout, Some(at)) = (&input, self.run.poll_timeout()) {
            self.now.instant = at;
        }
        if matches!(input, RunInput::PlayEnded(_)) {
            self.playing = None;
        }
        self.run.handle(self.plans, input, &self.queues, self.now);
        while let Some(action) = self.run.poll_action() {
            match &action {
                RunAction::Play { play, repeat, .. } => self.playing = (!repeat).then_some(*play),
                RunAction::StopPlay(_) => self.playing = None,
                _ => {}
            }
            if let RunAction::Play { items, .. } = &action {
                self.said.extend(items.iter().filter_map(|item| match item {
                    PlayItem::Prompt { name, .. } => Some(name.clone()),
                    _ => None,
                }));
            }
            self.actions.push(action);
        }
        // A run is kept in snapshots.
        let text = serde_json::to_string(&self.run).unwrap();
        self.run = serde_json::from_str(&text).unwrap();
    }

    /// Presses the keys one after the other where the plan listens, ends every play, and is silent at last. Stops
    /// where the call is with somebody else, hears himself, or is over.
    fn go(mut self, digits: &str) -> Call<'p> {
        let mut digits = digits.chars().filter_map(Digit::new);
        let mut pending = digits.next();
        self.give(RunInput::Start);
        for _ in 0..5_000 {
            if self.run.is_over() || !self.distributed().is_empty() || self.actions.contains(&RunAction::Echo(true)) {
                return self;
            }
            let listens =
                self.run.path().last().is_some_and(|step| {
                    ["menu", "gather", "deter", "survey", "record"].contains(&step.module.as_str())
                });
            match (pending, self.playing) {
                (Some(digit), _) if listens => {
                    pending = digits.next();
                    self.give(RunInput::Digit(digit));
                }
                (_, Some(play)) => self.give(RunInput::PlayEnded(play)),
                (_, None) if self.run.poll_timeout().is_some() => self.give(RunInput::Timeout),
                _ => return self,
            }
        }
        panic!("no end: {:?}", self.run.path());
    }

    fn distributed(&self) -> String {
        let queue = self.actions.iter().rev().find_map(|action| match action {
            RunAction::Distribute { queue, .. } => Some(queue.to_string()),
            _ => None,
        });
        queue.unwrap_or_default()
    }

    fn outcome(&self) -> Option<Outcome> {
        match self.actions.last() {
            Some(RunAction::HangUp { outcome, .. }) => Some(*outcome),
            _ => None,
        }
    }

    fn levels(&self) -> Vec<&str> {
        self.run.path().iter().map(|step| step.level.as_str()).collect()
    }
}

#[test]
fn the_shipped_plans_are_accepted_without_a_warning() {
    for sources in all_shipped() {
        assert!(!sources.is_empty());
        let plans = Plans::load(sources, names()).unwrap_or_else(|findings| panic!("{}", lines(&findings).join("\n")));
        assert_eq!(lines(plans.warnings()), Vec::<String>::new());
    }
}

/// The front desk of the demo, number 601.
#[test]
fn the_front_desk_sends_each_key_where_it_says() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    for (digits, queue, said) in [
        ("1", "sales", vec!["greeting", "menu"]),
        ("2", "support", vec!["greeting", "menu"]),
        ("0", "sales", vec!["greeting", "menu"]),
        ("32", "support", vec!["greeting", "menu", "hours", "menu"]),
        ("92", "support", vec!["greeting", "menu", "invalid", "menu"]),
        ("987", "sales", vec!["greeting", "menu", "invalid", "menu", "invalid", "menu"]),
        ("", "sales", vec!["greeting", "menu", "no-input", "menu", "no-input", "menu"]),
    ] {
        let call = Call::to(&plans, "601").go(digits);
        assert_eq!(call.distributed(), queue, "{digits}");
        assert_eq!(call.said, said, "{digits}");
        assert_eq!(call.actions.first(), Some(&RunAction::Answer));
    }
}

#[test]
fn a_key_during_the_greeting_is_the_menus() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    let mut call = Call::to(&plans, "601");
    call.give(RunInput::Start);
    call.give(RunInput::Digit(Digit::new('2').unwrap()));
    assert_eq!(call.distributed(), "support");
    assert_eq!(call.said, ["greeting"]);
}

#[test]
fn the_hours_may_be_asked_for_so_often_and_then_somebody_is_found() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    let call = Call::to(&plans, "601").go(&"3".repeat(40));
    assert_eq!(call.said.iter().filter(|prompt| *prompt == "hours").count(), 21);
    assert_eq!(call.distributed(), "sales");
}

#[test]
fn who_heard_the_hours_and_hangs_up_was_served_and_who_heard_the_menu_was_not() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    let mut call = Call::to(&plans, "601");
    call.give(RunInput::Start);
    call.give(RunInput::PlayEnded(PlayId(1)));
    assert!(!call.run.is_self_service(), "greeted only");
    call.give(RunInput::Digit(Digit::new('3').unwrap()));
    assert!(!call.run.is_self_service(), "the hours have begun only");
    call.give(RunInput::PlayEnded(PlayId(3)));
    assert!(call.run.is_self_service());
    call.give(RunInput::Digit(Digit::new('1').unwrap()));
    assert!(!call.run.is_self_service(), "in the queue the queue decides");
}

#[test]
fn the_other_numbers_of_the_demo_answer_as_they_should() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    let echo = Call::to(&plans, "600").go("");
    assert_eq!(echo.said, ["echo"]);
    assert!(echo.run.is_self_service());
    assert_eq!(Call::to(&plans, "610").go("").distributed(), "sales");
    assert_eq!(Call::to(&plans, "611").go("").distributed(), "support");
    let closed = Call::to(&plans, "620").go("");
    assert_eq!(
        (closed.said.join(" "), closed.outcome()),
        ("closed-always offer-voicemail-callback".into(), Some(Outcome::Deterred))
    );
    let message = Call::to(&plans, "620").go("1");
    assert!(message.actions.iter().any(|action| matches!(action, RunAction::RecordMessage { .. })));
    assert_eq!(plans.find("999", &[]), None);
    assert_eq!(plans.find("601", &[PlanId::from("echo")]), None, "a trunk that does not offer it");
}

#[test]
fn the_bench_rings_the_agent_in_the_number() {
    let plans = Plans::load(shipped("deploy/bench/plans"), names()).unwrap();
    let mut call = Call::to(&plans, "71042");
    call.give(RunInput::Start);
    let to_agent = |agent: &str| Target::Agent(agent.into());
    assert!(
        matches!(&call.actions[..], [RunAction::Transfer { to, .. }] if *to == to_agent("a42")),
        "{:?}",
        call.actions
    );
    call.give(RunInput::Transferred(TransferOutcome::Busy));
    let refused = RunAction::HangUp { status: 486, q850: 17, outcome: Outcome::Failed };
    assert_eq!(call.actions.last(), Some(&refused), "never answered, so refused as the agent did");

    let hangup = Call::to(&plans, "500").go("");
    assert!(matches!(
        &hangup.actions[..],
        [RunAction::Answer, RunAction::HangUp { outcome: Outcome::SelfService, .. }]
    ));
}

#[test]
fn the_company_desk_speaks_the_callers_language_and_overflows() {
    let plans = Plans::load(shipped("dialplans"), names()).unwrap();
    let mut call = Call::to(&plans, "33155500100").go("2 2");
    assert_eq!((call.distributed().as_str(), call.run.language().as_str()), ("support", "fr"));
    let wait = call.actions.iter().find_map(|action| match action {
        RunAction::Distribute { max_wait, .. } => *max_wait,
        _ => None,
    });
    assert_eq!(wait, Some(std::time::Duration::from_secs(180)), "computed from params");
    call.give(RunInput::Queued(QueueOutcome::TimedOut));
    assert_eq!(call.distributed(), "sales");
    call.give(RunInput::Queued(QueueOutcome::Full));
    assert!(call.said.ends_with(&["nobody-free".to_owned(), "offer-voicemail-callback".to_owned()]), "{:?}", call.said);
}

/// The guide to the modules shows rules that are accepted.
#[test]
fn the_examples_of_the_modules_are_accepted() {
    for module in Module::ALL {
        let rule = crate::ivr::example(module.spec());
        let text = format!(
            "numbers = ['1']\n[[level]]\nname = 'menu'\n{rule}[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'\n"
        );
        plans(&text);
    }
}

/// A bot of the shipped one's name.
fn bots() -> std::collections::BTreeMap<String, std::sync::Arc<crate::callbot::bot::Bot>> {
    let bot = crate::callbot::bot::Bot { name: "service-desk".to_owned(), ..crate::callbot::tests::small_bot() };
    [(bot.name.clone(), std::sync::Arc::new(bot))].into()
}

/// What its callers say must be understood, which tests/bot does.
fn has_a_bot(plan: &Plan) -> bool {
    let rules = plan.levels.iter().flat_map(|level| &level.rules);
    rules.into_iter().any(|rule| rule.callee.module() == Some(Module::Callbot))
}

/// The cases that stand in the shipped plans themselves.
#[test]
fn the_test_cases_of_the_shipped_plans_hold() {
    let mut cases = 0;
    for sources in all_shipped() {
        let plans = Plans::load(sources, names()).unwrap();
        for plan in plans.iter().filter(|plan| !has_a_bot(plan)) {
            for case in plan.cases() {
                cases += 1;
                let reached = plans.find(case.dials(), &[]);
                assert_eq!(reached.as_ref(), Some(&plan.id), "{}: {}", case.file, case.name);
                let (_, misses) = case.run(&plans, &plan.id, &case.scenario(&Language::from("en"), None), &());
                assert_eq!(misses, [], "{}: {}", case.file, case.name);
            }
        }
    }
    assert!(cases >= 10);
}

const ROUTED: &str = r#"
name = "routed"
numbers = ["1"]
[[level]]
name = "ask"
[[level.rule]]
module = "menu"
in = { prompt = "menu", choices = { 1 = "sales" } }
out = { choice = "wish", result = "how" }
[[level]]
name = "try"
[[level.rule]]
when = "wish == 'sales' && call.from.startsWith('+33')"
module = "distribute"
in = { queue = "sales", max_wait_s = 60 }
[[level]]
name = "after"
[[level.rule]]
when = "result == 'timed_out'"
module = "announce"
in = { prompt = "closed" }
"#;

#[test]
fn an_unanswered_distribute_sets_result_and_the_next_level_runs() {
    let plans = plans(ROUTED);
    let mut call = Call::to(&plans, "1").go("1");
    call.give(RunInput::Queued(QueueOutcome::TimedOut));
    assert_eq!(call.levels(), ["ask", "try", "after"]);
    assert_eq!(call.run.path()[1].result.as_deref(), Some("timed_out"));
    assert_eq!(call.run.variable("how"), Some(&Value::from("chosen")));
}

#[test]
fn a_plan_that_runs_out_says_goodbye_and_fails() {
    let plans = plans(ROUTED);
    assert!(lines(plans.warnings()).iter().any(|line| line.contains("counts as failed")));
    let call = Call::to(&plans, "1").go("");
    assert_eq!(call.said.last().map(String::as_str), Some("goodbye"));
    assert_eq!(call.outcome(), Some(Outcome::Failed));
    assert_eq!(call.levels(), ["ask"], "a level without a true condition is passed over");
}

#[test]
fn an_answered_call_ends_handled_and_nothing_more_runs() {
    let plans = plans(ROUTED);
    let mut call = Call::to(&plans, "1").go("1");
    call.give(RunInput::Queued(QueueOutcome::Answered));
    call.give(RunInput::Queued(QueueOutcome::Finished));
    assert_eq!(call.outcome(), Some(Outcome::Handled));
    let before = call.actions.len();
    call.give(RunInput::Digit(Digit::new('1').unwrap()));
    call.give(RunInput::Start);
    assert_eq!(call.actions.len(), before);
}

/// A run-time error counts as false.
#[test]
fn a_condition_that_cannot_be_worked_out_is_false() {
    let plans = plans(
        r#"
name = "a"
numbers = ["1"]
[[level]]
name = "one"
[[level.rule]]
when = "size(call.from) / (size(call.digits)) == 1"
module = "deter"
[[level.rule]]
when = "queue('sales').waiting > 0"
module = "deter"
[[level.rule]]
when = "queue('support').ewt_s > 0"
module = "deter"
[[level.rule]]
module = "set"
in = { wish = "x", count = { cel = "size(call.from) + 1" } }
[[level]]
name = "two"
[[level.rule]]
when = "wish == 'x' && count == 10 && call.trunk == 'trunk' && call.digits == ''"
module = "hangup"
in = { outcome = "overflowed", answer = true }
"#,
    );
    let call = Call::to(&plans, "1").go("");
    assert_eq!(call.outcome(), Some(Outcome::Overflowed));
    assert_eq!((call.run.path()[0].rule, call.run.path()[1].rule), (4, 1));
}

#[test]
fn an_endless_loop_ends_as_a_fault() {
    let plans = plans(
        r#"
name = "a"
numbers = ["1"]
[[level]]
name = "one"
[[level.rule]]
module = "jump"
in = { level = "one", times = 1000 }
[[level]]
name = "two"
[[level.rule]]
module = "jump"
in = { level = "one", times = 1000 }
"#,
    );
    let call = Call::to(&plans, "1").go("");
    assert_eq!(call.actions.last(), Some(&RunAction::HangUp { status: 500, q850: 41, outcome: Outcome::Failed }));
    assert_eq!(call.run.path().len(), Run::MOST_STEPS as usize);
}

#[test]
fn the_functions_of_conditions_are_there() {
    let holds = [
        "bool('true')",
        "bytes('a') == b'a'",
        "'abc'.contains('b')",
        "double('1.5') == 1.5",
        "dyn(1) == 1",
        "'abc'.endsWith('c')",
        "int('042') == 42",
        "size('abc') == 3",
        "'abc'.startsWith('a')",
        "string(7) == '7'",
        "type(1) == int",
        "uint(7) == 7u",
        "has(call.from)",
        "[1, 2].exists(n, n == 2)",
        "call.to in ['1', '2']",
    ];
    for condition in holds {
        let text = format!(
            "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"\"\"{condition}\"\"\"\nmodule = 'deter'\n\
             [[level.rule]]\nmodule = 'hangup'\n"
        );
        let call = Call::to(&plans(&text), "1").go("").outcome();
        assert_eq!(call, Some(Outcome::Deterred), "{condition}");
    }
}

#[test]
fn of_several_patterns_the_most_fixed_one_is_meant() {
    let text = |name: &str, numbers: &str| Source {
        path: format!("{name}.toml"),
        text: format!(
            "name = '{name}'\nnumbers = {numbers}\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\n"
        ),
    };
    let sources = vec![text("any", "['N.']"), text("six", "['6NN']"), text("exact", "['610']")];
    let plans = Plans::load(sources, names()).unwrap();
    for (number, plan) in [("610", "exact"), ("611", "six"), ("711", "any"), ("6110", "any")] {
        assert_eq!(plans.find(number, &[]).as_ref().map(PlanId::as_str), Some(plan), "{number}");
    }
    assert_eq!(plans.find("610", &["any".into(), "six".into()]), Some("six".into()));
}

#[test]
fn plans_survive_serialisation() {
    let plans = plans(ROUTED);
    let back: Plans = serde_json::from_str(&serde_json::to_string(&plans).unwrap()).unwrap();
    assert_eq!(back, plans);
    assert_eq!(Call::to(&back, "1").go("1").distributed(), "sales");
}

/// Each fault alone in an otherwise good plan: where it is found, and a word of what is said.
#[test]
fn every_fault_is_found_at_its_place() {
    let rule = |rule: &str| format!("name = 'a'\nnumbers = ['1']\n[[level]]\nname = 'l'\n[[level.rule]]\n{rule}\n");
    let cases: Vec<(String, (usize, usize), &str)> = vec![
        (rule("module = 'anounce'"), (6, 10), "did you mean 'announce'?"),
        (rule("module = 'announce'"), (6, 10), "input 'prompt' is missing"),
        (rule("modul = 'deter'"), (6, 1), "did you mean 'module'?"),
        (rule("module = 'announce'\nin = { prompt = 'gretting' }"), (7, 17), "did you mean 'greeting'?"),
        (rule("module = 'announce'\nin = { prompt = ['menu', 'nosuch'] }"), (7, 26), "nosuch"),
        (rule("module = 'announce'\nin = { prompt = 7 }"), (7, 17), "prompt is a whole number"),
        (rule("module = 'announce'\nin = { promt = 'menu', prompt = 'menu' }"), (7, 8), "did you mean 'prompt'?"),
        (rule("module = 'distribute'\nin = { queue = 'salesx' }"), (7, 16), "did you mean 'sales'?"),
        (rule("module = 'distribute'\nin = { queue = 'expert:301' }"), (7, 16), "expert"),
        (rule("module = 'transfer'\nin = { to = 'expert:301' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = 'expert:999' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = 'agent:301' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = 'sip:301@127.0.0.1:5090' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = '<sip:301@127.0.0.1:5090;transport=udp>' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = 'agent:203' }"), (7, 13), "there is no agent '203'"),
        (rule("module = 'transfer'\nin = { to = 'tel:+44155501' }"), (7, 13), "no trunk offers 'tel:+44155501'"),
        (rule("module = 'transfer'\nin = { to = 'tel:*21*+33155501#' }"), (7, 13), "cannot be the target"),
        (rule("module = 'transfer'\nin = { to = 'sip:+33155501@192.0.2.9' }"), (7, 13), "cannot be the target"),
        (rule("module = 'transfer'\nin = { to = '+33155501' }"), (7, 13), "cannot be the target"),
        (rule("module = 'transfer'\nin = { to = 'tel:301' }"), (7, 13), "expert"),
        (rule("module = 'transfer'\nin = { to = 'tel:201' }"), (7, 13), "is an agent, who is not outside"),
        (rule("module = 'menu'\nin = { prompt = 'menu', choices = {} }"), (7, 35), "choices is empty"),
        (rule("module = 'menu'\nin = { prompt = 'menu', choices = { x = 'a' } }"), (7, 37), "not a key of a telephone"),
        (rule("module = 'menu'\nin = { prompt = 'menu', choices = { 1 = 'expert:301' } }"), (7, 41), "expert"),
        (rule("module = 'menu'\nin = { prompt = 'menu', choices = { 1 = 'a' }, tries = 0 }"), (7, 56), "from 1 to 20"),
        (rule("module = 'gather'\nin = { prompt = 'menu', min = 9, max = 3 }"), (6, 10), "min is 9 and max is 3"),
        (rule("module = 'gather'\nin = { prompt = 'menu', pattern = '12a' }"), (7, 35), "'a' has no meaning"),
        (rule("module = 'calendar'\nin = { calendar = 'suport' }"), (7, 19), "did you mean 'support'?"),
        (rule("module = 'jump'\nin = { level = 'k' }"), (7, 16), "there is no level 'k'"),
        (rule("module = 'language'\nin = { language = 'de' }"), (7, 19), "no prompts in language 'de'"),
        (rule("module = 'hangup'\nin = { outcome = 'handled' }"), (7, 18), "cannot be 'handled'"),
        (rule("module = 'set'\nin = { call = 'x' }"), (7, 8), "meaning of its own"),
        (rule("module = 'set'\nin = { a = 2026-11-25 }"), (7, 12), "a date or time"),
        (rule("module = 'deter'\nwhen = 'wich == 1'"), (7, 9), "no rule sets 'wich'"),
        (rule("module = 'deter'\nwhen = \"call.fron == ''\""), (7, 9), "there is no call.fron"),
        (rule("module = 'deter'\nwhen = \"params.x == ''\""), (7, 9), "[params] has no 'x'"),
        (rule("module = 'deter'\nwhen = \"call.from.startWith('+')\""), (7, 28), "did you mean 'startsWith'?"),
        (rule("module = 'deter'\nwhen = \"[1].all(a, [1].all(b, [1].all(c, true)))\""), (7, 38), "in one another"),
        (rule("module = 'deter'\nwhen = '1 +'"), (7, 12), "when:"),
        (rule("module = 'deter'\nwhen = ''"), (7, 9), "the expression is empty"),
        (rule("module = 'deter'\nout = { result = 'x' }"), (7, 9), "deter has no output 'result'"),
        (rule("module = 'echo'\nout = { result = 'a b' }"), (7, 18), "cannot be the name of a variable"),
        (rule("module = 'deter'\n[[level]]\nname = 'l'\n[[level.rule]]\nmodule = 'deter'"), (8, 8), "two levels 'l'"),
        ("name = 'a'\nnumbers = ['1']\n".into(), (1, 8), "has no levels"),
        ("name = 'a'\nnumbers = ['1']\n[[level]]\nname = 'x'\n".into(), (3, 1), "level 'x' has no rules"),
        ("numbers = ['1', '1']\n".into(), (1, 17), "the number 1 is given twice"),
        ("numbers = ['6a']\n".into(), (1, 12), "'a' has no meaning in a number"),
        ("numbers = ['1']\nlanguage = 'xx'\n".into(), (2, 12), "no prompts in language 'xx'"),
        ("numbers = ['1'\n".into(), (1, 15), ""),
        ("numbrs = ['1']\n".into(), (1, 1), "did you mean 'numbers'?"),
        (rule("module = 'deter'\n[[test]]\nexpect = { queue = 'x' }"), (7, 1), "name is missing"),
        (rule("module = 'deter'\n[[test]]\nname = 't'\nexpect = { queu = 'x' }"), (9, 12), "did you mean 'queue'?"),
        (rule("module = 'deter'\n[[test]]\nname = 't'\nat = 'noon'\nexpect = {}"), (9, 6), "at is not a time"),
        (rule("module = 'deter'\n[[test]]\nname = 't'\ndigits = '1x'\nexpect = {}"), (9, 10), "no key of a telephone"),
    ];
    for (text, (line, column), word) in cases {
        let findings = load(&text).expect_err(&text);
        let found = findings
            .iter()
            .any(|finding| (finding.line, finding.column) == (line, column) && finding.to_string().contains(word));
        assert!(found, "{text}\nwanted {line}:{column} {word}, found\n{}", lines(&findings).join("\n"));
    }
}

#[test]
fn all_findings_come_at_once() {
    let text = "name = 'a'\nnumbers = ['1', 'q']\nbogus = 1\n[[level]]\nname = 'l'\n[[level.rule]]\nmodule = 'deter'\n\
                in = { prompt = 'none' }\nwhen = 'nothing'\n";
    let findings = load(text).unwrap_err();
    assert_eq!(findings.iter().filter(|finding| finding.severity == Severity::Error).count(), 4);
}

#[test]
fn a_number_of_two_plans_is_found_with_the_place_of_the_first() {
    let text = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\n";
    let sources = ["a.toml", "b.toml"].map(|path| Source { path: path.to_owned(), text: text.to_owned() });
    let findings = Plans::load(sources.into(), names()).unwrap_err();
    assert_eq!(lines(&findings), ["b.toml:1:12: the number 1 is given twice (it is taken at a.toml:1:12)"]);
}

#[test]
fn what_is_never_reached_is_told() {
    let text = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\n[[level.rule]]\n\
                module = 'hangup'\n[[level]]\nname = 'b'\n[[level.rule]]\nmodule = 'deter'\n";
    let warnings = plans(text).warnings().to_vec();
    assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let places: Vec<(usize, bool)> =
        warnings.iter().map(|warning| (warning.line, warning.message.contains("never reached"))).collect();
    assert_eq!(places, [(6, true), (9, true)]);
}

#[test]
fn names_bound_in_a_condition_are_not_unknown() {
    let text = "numbers = ['1']\n[params]\nvip = ['+33155501']\n[[level]]\nname = 'a'\n[[level.rule]]\n\
                when = \"params.vip.exists(number, number == call.from)\"\nmodule = 'distribute'\n\
                in = { queue = 'sales' }\n[[level.rule]]\nmodule = 'deter'\n";
    let plans = plans(text);
    assert_eq!(Call::to(&plans, "1").go("").distributed(), "sales");
}

/// However a plan file is damaged, loading it neither panics nor points outside of it.
#[test]
fn a_damaged_file_is_survived() {
    let seed = 0x706c616e;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let originals: Vec<String> = all_shipped().concat().into_iter().map(|source| source.text).collect();
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "=",
        "\n",
        ".",
        "[[level]]",
        "in = ",
        "é",
        "\0",
        "cel",
        "((((",
        "99999999999999999999",
    ];
    for round in 0..3_000 {
        let mut text = originals[rng.next_u32() as usize % originals.len()].clone();
        for _ in 0..=rng.next_u32() % 3 {
            let mut at = rng.next_u32() as usize % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match rng.next_u32() % 3 {
                0 => text.insert_str(at, pieces[rng.next_u32() as usize % pieces.len()]),
                1 => text.truncate(at),
                _ => {
                    let end =
                        text[at..].char_indices().nth(rng.next_u32() as usize % 12).map_or(text.len(), |(i, _)| at + i);
                    text.replace_range(at..end, "");
                }
            }
        }
        let Err(findings) = load(&text) else { continue };
        for finding in findings {
            let line = text.split('\n').nth(finding.line - 1);
            let fits = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&finding.column));
            assert!(fits, "seed {seed:#x} round {round}: {finding}\n{text}");
        }
    }
}

/// Conditions come from files, but their parser is a foreigner: nothing it is given ends the process.
#[test]
fn damaged_conditions_are_survived() {
    let seed = 0x63656c;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let pieces = [
        "wish", "==", "'", "\"", "(", ")", "[", "]", "{", "}", ".", "call", "from", "1", "-", "?", ":", "&&", "||",
        "!", "in", "has", "exists", ",", " ", "\\", "\\u", "é", "0x", "1.5e", "r'", "b\"", "//", "\n", "size",
    ];
    for _ in 0..3_000 {
        let length = rng.next_u32() % 12;
        let text: String = (0..length).map(|_| pieces[rng.next_u32() as usize % pieces.len()]).collect();
        if let Err(faults) = condition::Condition::compile(&text) {
            assert!(faults.iter().all(|fault| fault.offset <= text.len()), "seed {seed:#x}: {text:?}");
        }
    }
    for deep in ["(", "[", "!", "-", "a.", "a?", "{1:"] {
        assert!(condition::Condition::compile(&deep.repeat(1_999 / deep.len())).is_err(), "{deep}");
    }
}
