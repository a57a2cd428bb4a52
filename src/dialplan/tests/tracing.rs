//! What a run notes of its decisions, and the driver that plays scenarios.

use super::*;
use crate::dialplan::driver::{Course, End, Scenario, drive, queue_outcome};
use crate::trace::{PRIVATE, Trace, Verdict};

const DESK: &str = r#"
name = "desk"
numbers = ["1"]
[[level]]
name = "hours"
[[level.rule]]
module = "calendar"
in = { calendar = "support" }
out = { state = "open" }
[[level]]
name = "route"
[[level.rule]]
when = "open == 'closed'"
module = "deter"
[[level.rule]]
when = "open == 'open' && call.from.startsWith('+33')"
module = "distribute"
in = { queue = "support", max_wait_s = { cel = "50 + 10" } }
[[level]]
name = "sorry"
[[level.rule]]
when = "result == 'timed_out'"
module = "hangup"
"#;

fn play(plans: &Plans, change: impl FnOnce(&mut Scenario)) -> (Course, Trace) {
    let at = "2026-11-25T11:00:00+01:00".parse().unwrap();
    let mut scenario = Scenario::new("+33155501", "1", Language::from("en"), at);
    change(&mut scenario);
    let course = drive(plans, &plans.find("1", &[]).unwrap(), &scenario, &());
    let trace = course.trace(plans);
    (course, trace)
}

fn night(scenario: &mut Scenario) {
    scenario.at = "2026-11-25T03:00:00+01:00".parse().unwrap();
}

#[test]
fn the_trace_says_what_each_condition_saw_and_which_rule_was_taken() {
    let (course, trace) = play(&plans(DESK), |_| {});
    assert_eq!(course.end, End::Talking);
    let [hours, route] = &trace.levels[..] else { panic!("{trace:?}") };
    assert_eq!(
        (hours.taken, hours.outputs["open"].as_str(), hours.result.as_deref()),
        (Some(1), Some("open"), Some("open"))
    );
    let verdicts: Vec<_> = route.rules.iter().map(|rule| (rule.rule, rule.module.as_str(), rule.verdict)).collect();
    assert_eq!(verdicts, [(1, "deter", Verdict::False), (2, "distribute", Verdict::True)]);
    assert_eq!(route.rules[0].values["open"], "open");
    assert_eq!(route.rules[1].values["call.from"], "+33155501");
    assert_eq!(route.rules[1].when.as_deref(), Some("open == 'open' && call.from.startsWith('+33')"));
    assert_eq!((route.taken, route.module.as_deref()), (Some(2), Some("distribute")));
    assert_eq!(route.inputs["max_wait_s"], 60, "worked out");
    assert_eq!(route.result.as_deref(), Some("answered"));
}

#[test]
fn rules_behind_the_one_taken_were_not_looked_at() {
    let (course, trace) = play(&plans(DESK), night);
    assert_eq!(course.outcome(), Outcome::Deterred);
    assert_eq!(trace.levels[1].rules.len(), 1);
    assert_eq!(course.heard, ["closed"]);
}

#[test]
fn a_level_that_is_passed_over_is_in_the_trace_but_not_in_the_path() {
    let (course, trace) = play(&plans(DESK), |scenario| {
        scenario.queues.insert("support".into(), QueueOutcome::TimedOut);
        scenario.from = "+447700900123".into();
    });
    assert_eq!(course.levels(), ["hours"]);
    assert_eq!(trace.levels.iter().map(|level| level.taken).collect::<Vec<_>>(), [Some(1), None, None]);
}

#[test]
fn what_a_queue_made_of_the_caller_is_an_output_of_its_level() {
    let (_, trace) = play(&plans(DESK), |scenario| {
        scenario.queues.insert("support".into(), QueueOutcome::TimedOut);
    });
    assert_eq!(trace.levels[1].outputs["result"], "timed_out");
    assert_eq!(trace.levels[2].rules[0].values["result"], "timed_out");
    let waited = trace.levels[2].at.duration_since(trace.levels[1].at);
    assert_eq!(waited, jiff::SignedDuration::from_secs(60));
}

#[test]
fn a_condition_that_cannot_be_worked_out_says_why() {
    let plans = plans(
        "name = 'a'\nnumbers = ['1']\n[[level]]\nname = 'x'\n[[level.rule]]\nwhen = '1 / 0 == 1'\nmodule = 'deter'\n\
         [[level.rule]]\nmodule = 'hangup'",
    );
    let (_, trace) = play(&plans, |_| {});
    let rule = &trace.levels[0].rules[0];
    assert_eq!(rule.verdict, Verdict::Error);
    assert!(rule.error.as_ref().is_some_and(|error| !error.is_empty()), "{rule:?}");
}

const CARD: &str = r#"
name = "card"
numbers = ["1"]
[[level]]
name = "ask"
[[level.rule]]
module = "gather"
in = { prompt = "menu", max = 19 }
out = { digits = "card" }
[[level]]
name = "copy"
[[level.rule]]
module = "set"
in = { length = { cel = "size(card)" }, copy = { cel = "'x' + card" }, plain = "word" }
[[level]]
name = "again"
[[level.rule]]
module = "set"
in = { twice = { cel = "copy + copy" } }
[[level]]
name = "check"
[[level.rule]]
when = "twice == 'x' || card == 'y' || plain != 'word'"
module = "deter"
[[level.rule]]
module = "hangup"
"#;

#[test]
fn what_the_caller_typed_is_nowhere_in_the_trace_nor_what_was_made_of_it() {
    let plans = plans(CARD);
    let (course, trace) = play(&plans, |scenario| scenario.digits = "4970110000000062#".into());
    assert_eq!(course.run.variable("card"), Some(&Value::from("4970110000000062")), "the plan has it");
    let text = serde_json::to_string(&trace).unwrap();
    assert!(!text.contains("49701100"), "{text}");
    assert_eq!(trace.levels[0].outputs["card"], PRIVATE);
    assert_eq!(trace.levels[1].outputs["length"], PRIVATE);
    assert_eq!(trace.levels[2].outputs["twice"], PRIVATE);
    let values = &trace.levels[3].rules[0].values;
    assert_eq!(
        (&values["twice"], &values["card"], &values["plain"]),
        (&PRIVATE.into(), &PRIVATE.into(), &"word".into())
    );
}

#[test]
fn a_variable_that_is_given_something_else_is_shown_again() {
    let plans = plans(
        r#"
name = "a"
numbers = ["1"]
[[level]]
name = "ask"
[[level.rule]]
module = "gather"
in = { prompt = "menu" }
out = { digits = "x" }
[[level]]
name = "forget"
[[level.rule]]
module = "set"
in = { x = "gone" }
[[level]]
name = "look"
[[level.rule]]
when = "x == ''"
module = "deter"
[[level.rule]]
module = "hangup"
"#,
    );
    let (_, trace) = play(&plans, |scenario| scenario.digits = "12#".into());
    assert_eq!(
        (&trace.levels[0].outputs["x"], &trace.levels[2].rules[0].values["x"]),
        (&PRIVATE.into(), &"gone".into())
    );
}

#[test]
fn a_plan_that_goes_round_in_circles_leaves_a_bounded_trace() {
    let plans = plans(
        "name = 'a'\nnumbers = ['1']\n[[level]]\nname = 'x'\n[[level.rule]]\nwhen = \"call.from == ''\"\nmodule = 'deter'\n\
         [[level.rule]]\nmodule = 'jump'\nin = { level = 'x', times = 1000 }\n[[level]]\nname = 'y'\n[[level.rule]]\n\
         module = 'hangup'",
    );
    let (course, trace) = play(&plans, |_| {});
    assert_eq!(course.run.path().len(), 1_000);
    assert_eq!(
        trace.levels.len() as u64 + trace.omitted / 3,
        300 + 700,
        "{} and {}",
        trace.levels.len(),
        trace.omitted
    );
}

#[test]
fn long_and_hostile_values_are_cut_and_kept_as_they_are() {
    let plans = plans(DESK);
    let hostile = format!("+33\"\\<script>\n\u{1b}[2J{}", "é".repeat(60_000));
    let (_, trace) = play(&plans, |scenario| scenario.from = hostile.clone());
    let seen = trace.levels[1].rules[1].values["call.from"].as_str().unwrap();
    assert!(seen.chars().count() <= 201 && hostile.starts_with(seen.trim_end_matches('…')), "{seen}");
}

#[test]
fn a_run_that_was_kept_and_restored_tells_the_same() {
    let plans = plans(DESK);
    let (course, trace) = play(&plans, |_| {});
    let run: Run = serde_json::from_str(&serde_json::to_string(&course.run).unwrap()).unwrap();
    assert_eq!(run.trace(&plans), trace);
}

#[test]
fn a_space_is_a_pause_only_where_keys_could_go_on() {
    let plans = plans(
        r#"
name = "a"
numbers = ["1"]
[[level]]
name = "one"
[[level.rule]]
module = "menu"
in = { prompt = "menu", choices = { 1 = "short", 12 = "long", 3 = "three" } }
out = { choice = "first" }
[[level]]
name = "two"
[[level.rule]]
module = "menu"
in = { prompt = "menu", choices = { 2 = "two", 3 = "three" } }
out = { choice = "second" }
[[level]]
name = "end"
[[level.rule]]
module = "hangup"
"#,
    );
    for (digits, first, second) in
        [("12 3", "long", "three"), ("1 2", "short", "two"), ("3 2", "three", "two"), ("  3  3", "three", "three")]
    {
        let (course, _) = play(&plans, |scenario| scenario.digits = digits.into());
        let variable = |name| course.run.variable(name).cloned();
        assert_eq!((variable("first"), variable("second")), (Some(first.into()), Some(second.into())), "{digits}");
        assert_eq!(course.digits_left, "");
    }
}

#[test]
fn keys_that_nothing_asked_for_are_told() {
    let (course, _) = play(&plans(DESK), |scenario| scenario.digits = "12".into());
    assert_eq!(course.digits_left, "12");
}

#[test]
fn a_key_that_is_left_leaves_the_queue_where_it_may() {
    let plans = plans(
        "name = 'a'\nnumbers = ['1']\n[[level]]\nname = 'q'\n[[level.rule]]\nmodule = 'distribute'\n\
         in = { queue = 'sales', leave = '*' }\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'hangup'",
    );
    let (course, trace) = play(&plans, |scenario| scenario.digits = "*".into());
    assert_eq!((course.levels(), trace.levels[0].result.as_deref()), (vec!["q", "end"], Some("left")));
    assert_eq!(queue_outcome("too_long"), Some(QueueOutcome::TooLong));
    assert_eq!(queue_outcome("left:*"), Some(QueueOutcome::Left(Digit::new('*').unwrap())));
    assert_eq!(queue_outcome("left:12"), None);
}

fn case_of(expect: &str) -> Vec<crate::dialplan::Miss> {
    let text = format!("{DESK}\n[[test]]\nname = 't'\ncall = {{ from = '+33155501' }}\nexpect = {{ {expect} }}\n");
    let plans = plans(&text);
    let plan = plans.iter().next().unwrap();
    let case = &plan.cases()[0];
    case.run(&plans, &plan.id, &case.scenario(&Language::from("en"), None), &()).1
}

#[test]
fn a_test_holds_what_happened_against_what_was_expected() {
    for met in [
        "queue = 'support'",
        "outcome = 'handled'",
        "language = 'en'",
        "level = 'route'",
        "module = 'distribute'",
        "path = ['hours', 'route']",
        "plan = 'desk'",
        "status = 200",
        "variables = { open = 'open' }",
        "heard = []",
        "target = ''",
    ] {
        assert_eq!(case_of(met), [], "{met}");
    }
    for (missed, expected, got) in [
        ("queue = 'sales'", "'sales'", "'support'"),
        ("outcome = 'deterred'", "'deterred'", "'handled'"),
        ("path = ['hours']", "[hours]", "[hours, route]"),
        ("status = 486", "486", "200"),
        ("variables = { open = 'closed' }", "'closed'", "'open'"),
        ("variables = { other = 1 }", "1", "nothing"),
        ("heard = ['closed']", "[closed]", "[]"),
        ("language = 'fr'", "'fr'", "'en'"),
        ("target = 'agent:201'", "'agent:201'", "none"),
    ] {
        let misses = case_of(missed);
        assert_eq!(
            misses.iter().map(|miss| (miss.expected.as_str(), miss.got.as_str())).collect::<Vec<_>>(),
            [(expected, got)]
        );
    }
}

#[test]
fn prompts_are_heard_in_order_with_others_in_between() {
    let plans = Plans::load(shipped("deploy/demo/plans"), names()).unwrap();
    let at = "2026-11-25T11:00:00+01:00".parse().unwrap();
    let scenario = Scenario { digits: "9 2".into(), ..Scenario::new("+33155501", "601", Language::from("en"), at) };
    let course = drive(&plans, &plans.find("601", &[]).unwrap(), &scenario, &());
    assert_eq!(course.heard, ["greeting", "menu", "invalid", "menu"]);
    assert_eq!(course.queue, Some("support".into()));
}
