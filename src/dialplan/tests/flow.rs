//! Where a plan can go.

use super::{lines, load, plans};
use crate::findings::Severity;

const CALENDAR: &str = "[[level]]\nname = 'hours'\n[[level.rule]]\nmodule = 'calendar'\nin = { calendar = 'support' }\n\
                        out = { state = 'open' }\n";

fn warnings(levels: &str) -> Vec<String> {
    lines(plans(&format!("numbers = ['1']\n{CALENDAR}{levels}")).warnings())
}

#[test]
fn rules_that_cover_every_word_leave_nothing_over() {
    let both = "[[level]]\nname = 'r'\n[[level.rule]]\nwhen = \"open == 'closed'\"\nmodule = 'deter'\n[[level.rule]]\n\
                when = \"open == 'open'\"\nmodule = 'distribute'\nin = { queue = 'sales' }\n";
    assert_eq!(warnings(both), Vec::<String>::new());
    let one = both.replace("open == 'open'", "open == 'open' && call.from != ''");
    assert!(warnings(&one)[0].contains("counts as failed"), "{:?}", warnings(&one));
}

#[test]
fn conditions_that_never_hold_and_rules_behind_ones_that_always_do_are_told() {
    let never = "[[level]]\nname = 'r'\n[[level.rule]]\nwhen = \"open == 'open' && open == 'closed'\"\nmodule = 'deter'\n\
                 [[level.rule]]\nmodule = 'hangup'\n";
    assert_eq!(warnings(never), ["plans/a.toml:11:8: warning: this condition never holds"]);
    let behind = "[[level]]\nname = 'r'\n[[level.rule]]\nwhen = \"open in ['open', 'closed']\"\nmodule = 'deter'\n\
                  [[level.rule]]\nmodule = 'hangup'\n";
    let found = warnings(behind);
    assert!(found.len() == 1 && found[0].contains("13:1") && found[0].contains("never reached"), "{found:?}");
}

#[test]
fn a_variable_that_may_have_no_value_is_found_and_a_default_helps() {
    let levels = "[[level]]\nname = 'menu'\n[[level.rule]]\nwhen = \"open == 'open'\"\nmodule = 'menu'\n\
                  in = { prompt = 'menu', choices = { 1 = 'sales' } }\nout = { choice = 'wish' }\n[[level]]\nname = 'r'\n\
                  [[level.rule]]\nwhen = \"wish == 'sales'\"\nmodule = 'deter'\n[[level.rule]]\nmodule = 'hangup'\n";
    let text = format!("numbers = ['1']\n{CALENDAR}{levels}");
    let found = load(&text).unwrap_err();
    assert_eq!(found.len(), 1, "{:?}", lines(&found));
    assert_eq!((found[0].line, found[0].column, found[0].severity), (18, 8, Severity::Error));
    assert!(found[0].message.contains("'wish' may have no value here"));
    plans(&format!("numbers = ['1']\n[variables]\nwish = {{ default = '' }}\n{CALENDAR}{levels}"));
}

/// What a jump passes over is not set at its target.
#[test]
fn a_jump_brings_only_what_was_set_before_it() {
    let text = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"call.from == ''\"\nmodule = 'jump'\n\
                in = { level = 'c' }\n[[level]]\nname = 'b'\n[[level.rule]]\nmodule = 'set'\nin = { x = 1 }\n[[level]]\n\
                name = 'c'\n[[level.rule]]\nwhen = 'x == 1'\nmodule = 'deter'\n[[level.rule]]\nmodule = 'hangup'\n";
    let found = lines(&load(text).unwrap_err());
    assert!(found.len() == 1 && found[0].contains("16:8") && found[0].contains("'x' may have no value"), "{found:?}");
}

#[test]
fn variables_that_nothing_looks_at_are_told() {
    let text = "numbers = ['1']\n[variables]\nspare = { default = 1 }\n[[level]]\nname = 'a'\n[[level.rule]]\n\
                module = 'calendar'\nin = { calendar = 'support' }\nout = { state = 'open' }\n[[level]]\nname = 'b'\n\
                [[level.rule]]\nmodule = 'set'\nin = { idle = 1 }\n[[level]]\nname = 'c'\n[[level.rule]]\nmodule = 'deter'\n";
    let found = lines(plans(text).warnings());
    let places: Vec<&str> = found.iter().map(|line| line.split(" warning: ").next().unwrap()).collect();
    assert_eq!(places, ["plans/a.toml:3:1:", "plans/a.toml:9:17:", "plans/a.toml:14:15:"], "{found:?}");
}

#[test]
fn loops_that_take_too_long_are_told() {
    let text = |times: u32| {
        format!(
            "numbers = ['1']\n[[level]]\nname = 'one'\n[[level.rule]]\nmodule = 'jump'\nin = {{ level = 'one', times = \
             {times} }}\n[[level]]\nname = 'two'\n[[level.rule]]\nmodule = 'jump'\nin = {{ level = 'one', times = {times} \
             }}\n[[level]]\nname = 'end'\n[[level.rule]]\nmodule = 'deter'\n"
        )
    };
    assert_eq!(lines(plans(&text(20)).warnings()), Vec::<String>::new());
    let found = lines(plans(&text(30)).warnings());
    assert!(found.len() == 1 && found[0].contains("4:1") && found[0].contains("1922 levels"), "{found:?}");
}
