//! Plans for several numbers, and plans as modules of other plans.

use super::*;

fn sources(texts: &[(&str, &str)]) -> Vec<Source> {
    texts.iter().map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect()
}

fn load_all(texts: &[(&str, &str)]) -> Result<Plans, Vec<String>> {
    Plans::load(sources(texts), names()).map_err(|findings| lines(&findings))
}

const SHARED: &str = r#"
name = "shared"
numbers = ["1"]
[inputs]
queue = { type = "queue", default = "support", doc = "who answers" }
wait = { default = 60 }
[[number]]
number = "2"
in = { queue = "sales", wait = 5 }
[[number]]
number = "3"
in = { wait = 7 }
[[level]]
name = "route"
[[level.rule]]
module = "distribute"
in = { queue = { cel = "inputs.queue" }, max_wait_s = { cel = "inputs.wait" } }
[[level]]
name = "sorry"
[[level.rule]]
module = "deter"
"#;

#[test]
fn numbers_share_levels_with_inputs_of_their_own() {
    let plans = plans(SHARED);
    for (number, queue, wait) in [("1", "support", 60), ("2", "sales", 5), ("3", "support", 7)] {
        let call = Call::to(&plans, number).go("");
        let waits = call.actions.iter().find_map(|action| match action {
            RunAction::Distribute { max_wait, .. } => *max_wait,
            _ => None,
        });
        assert_eq!((call.distributed().as_str(), waits.unwrap().as_secs()), (queue, wait), "{number}");
    }
}

#[test]
fn what_a_number_gives_is_checked() {
    for (from, to, word) in [
        ("queue = \"sales\", wait", "queue = \"nobody\", wait", "there is no queue 'nobody'"),
        ("wait = 5 }", "wait = 'a' }", "wait is a text; it is to be a whole number"),
        ("wait = 5 }", "wiat = 5 }", "[inputs] has no 'wiat' (did you mean 'wait'?)"),
        ("default = \"support\", ", "", "number 1: input 'queue' has no default and is not given"),
        ("number = \"3\"", "number = \"2\"", "the number 2 is given twice"),
        ("wait = 7 }", "wait = { cel = \"1\" } }", "a number gives fixed values"),
    ] {
        let text = SHARED.replacen(from, to, 1);
        assert_ne!(text, SHARED);
        let found = lines(&load(&text).expect_err(to));
        assert!(found.iter().any(|line| line.contains(word)), "{to}: {found:?}");
    }
}

const OPENING: &str = r#"
name = "opening"
[inputs]
calendar = { type = "calendar" }
[outputs]
state = { words = ["open", "closed"] }
[[level]]
name = "look"
[[level.rule]]
module = "calendar"
in = { calendar = { cel = "inputs.calendar" } }
out = { state = "state" }
"#;

const DESK: &str = r#"
name = "desk"
numbers = ["1"]
[[level]]
name = "hours"
[[level.rule]]
module = "opening"
in = { calendar = "never" }
out = { state = "open" }
[[level]]
name = "route"
[[level.rule]]
when = "open == 'closed'"
module = "deter"
[[level.rule]]
module = "distribute"
in = { queue = "sales" }
"#;

#[test]
fn a_plan_runs_another_and_takes_its_outputs() {
    let plans = load_all(&[("desk.toml", DESK), ("opening.toml", OPENING)]).unwrap();
    assert_eq!(lines(plans.warnings()), Vec::<String>::new());
    let call = Call::to(&plans, "1").go("");
    assert_eq!(call.outcome(), Some(Outcome::Deterred));
    let path: Vec<(&str, &str, &str)> =
        call.run.path().iter().map(|step| (step.plan.as_str(), step.level.as_str(), step.module.as_str())).collect();
    assert_eq!(path, [("desk", "hours", "opening"), ("opening", "look", "calendar"), ("desk", "route", "deter")]);
    let open = load_all(&[
        ("desk.toml", &DESK.replace("'never'", "'support'").replace("\"never\"", "\"support\"")),
        ("opening.toml", OPENING),
    ]);
    assert_eq!(Call::to(&open.unwrap(), "1").go("").distributed(), "sales");
}

#[test]
fn what_ends_the_call_in_a_plan_that_is_run_ends_it() {
    let inner = OPENING
        .replace("out = { state = \"state\" }", "")
        .replace("[outputs]\nstate = { words = [\"open\", \"closed\"] }\n", "")
        .replace("module = \"calendar\"\nin = { calendar = { cel = \"inputs.calendar\" } }", "module = \"deter\"");
    let outer = DESK.replace("out = { state = \"open\" }\n", "").replace("when = \"open == 'closed'\"\n", "");
    let plans = load_all(&[("desk.toml", &outer), ("opening.toml", &inner)]).unwrap();
    assert!(lines(plans.warnings()).iter().any(|line| line.contains("level 'route' is never reached")));
    assert_eq!(Call::to(&plans, "1").go("").outcome(), Some(Outcome::Deterred));
}

#[test]
fn what_is_given_to_a_plan_and_taken_from_it_is_checked() {
    for (from, to, word) in [
        ("calendar = \"never\"", "calendar = \"nevr\"", "there is no calendar 'nevr'"),
        ("calendar = \"never\"", "calender = \"never\"", "opening has no input 'calender' (did you mean 'calendar'?)"),
        ("in = { calendar = \"never\" }\n", "", "opening: input 'calendar' is missing"),
        ("calendar = \"never\"", "calendar = { cel = \"size(call.from)\" }", "calendar is a whole number"),
        ("state = \"open\"", "stat = \"open\"", "opening has no output 'stat' (did you mean 'state'?)"),
        ("open == 'closed'", "open == 'clsed'", "open is never 'clsed' (did you mean 'closed'?)"),
        ("module = \"opening\"", "module = \"openning\"", "there is no module 'openning' (did you mean 'opening'?)"),
    ] {
        let desk = DESK.replacen(from, to, 1);
        assert_ne!(desk, DESK);
        let found = load_all(&[("desk.toml", &desk), ("opening.toml", OPENING)]).expect_err(to);
        assert!(found.iter().any(|line| line.contains(word)), "{to}: {found:?}");
    }
    let opening = OPENING.replace("words = [\"open\", \"closed\"]", "words = [\"open\"]");
    let found = load_all(&[("desk.toml", DESK), ("opening.toml", &opening)]).unwrap_err();
    assert!(found.iter().any(|line| line.contains("output 'state' can be 'closed', which is not")), "{found:?}");
    let opening = OPENING.replace("out = { state = \"state\" }", "");
    let found = load_all(&[("desk.toml", DESK), ("opening.toml", &opening)]).unwrap_err();
    assert!(found.iter().any(|line| line.contains("output 'state' may have no value at the end")), "{found:?}");
}

#[test]
fn a_plan_that_runs_itself_is_refused() {
    let plan = |name: &str, runs: &str| {
        format!("name = '{name}'\nnumbers = ['{name}']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = '{runs}'\n")
            .replace("numbers = ['a']", "numbers = ['1']")
            .replace("numbers = ['b']", "numbers = ['2']")
            .replace("numbers = ['c']", "numbers = ['3']")
    };
    let found = load_all(&[("a", &plan("a", "b")), ("b", &plan("b", "c")), ("c", &plan("c", "a"))]).unwrap_err();
    assert!(found.iter().any(|line| line.contains("a plan cannot run itself: a runs b runs c runs a")), "{found:?}");
    let found = load_all(&[("a", &plan("a", "a"))]).unwrap_err();
    assert!(found.iter().any(|line| line.contains("a plan cannot run itself: a runs a")), "{found:?}");
}

#[test]
fn plans_stand_in_one_another_only_so_deep() {
    let chain = |length: usize| -> Vec<(String, String)> {
        (0..length)
            .map(|n| {
                let module = if n + 1 < length { format!("p{}", n + 1) } else { "deter".to_owned() };
                let text = format!(
                    "name = 'p{n}'\nnumbers = ['{n}']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = '{module}'\n"
                );
                (format!("p{n}.toml"), text)
            })
            .collect()
    };
    let load = |length: usize| {
        let chain = chain(length);
        load_all(&chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>())
    };
    let plans = load(Run::DEEPEST).unwrap();
    assert_eq!(Call::to(&plans, "0").go("").outcome(), Some(Outcome::Deterred));
    let found = load(Run::DEEPEST + 1).unwrap_err();
    assert!(found[0].contains("more than 8 plans stand in one another"), "{found:?}");
}

/// The example of the routing matrix, with its skill.
#[test]
fn the_two_level_example_runs_as_it_stands() {
    let text = r#"numbers = ["1"]
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
in = { prompt = "closed" }
[[level.rule]]
when = "open == 'open'"
module = "distribute"
in = { queue = "support", skills = ["billing"] }
"#;
    let plans = plans(text);
    assert_eq!(lines(plans.warnings()), Vec::<String>::new());
    let day = Call::to(&plans, "1").go("");
    let skills = day.actions.iter().find_map(|action| match action {
        RunAction::Distribute { demand, .. } => Some(demand.skills.clone()),
        _ => None,
    });
    assert_eq!(skills, Some([("billing".into(), 1)].into()));
    let mut night = Call::to(&plans, "1");
    night.now.wall = "2026-11-25T03:00:00+01:00".parse().unwrap();
    assert_eq!(night.go("").outcome(), Some(Outcome::Deterred));
}

#[test]
fn what_plans_ask_to_be_told_is_known_when_they_are_loaded() {
    let inner = "name = 'inner'\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = 'caller.value > 5'\nmodule = 'deter'\n";
    let outer = "name = 'outer'\nnumbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"call.headers['x'] == 'a'\"\n\
                 module = 'inner'\n[[level.rule]]\nmodule = 'deter'\n";
    let plain = "name = 'plain'\nnumbers = ['2']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\n";
    let plans = load_all(&[("outer", outer), ("inner", inner), ("plain", plain)]).unwrap();
    let uses = |name: &str| plans.get(&name.into()).unwrap().uses;
    assert_eq!(uses("outer"), Uses { history: true, headers: true, ..Uses::default() });
    assert_eq!(uses("inner"), Uses { history: true, ..Uses::default() });
    assert_eq!(uses("plain"), Uses::default());
}
