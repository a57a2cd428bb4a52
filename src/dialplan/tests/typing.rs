//! Types of conditions and computed inputs, and what is said of wrong ones.

use super::{lines, load, plans};

/// A plan whose `open` is a calendar's state, `wish` a menu's choice, and with a rule under test on line 32.
fn plan(rule: &str) -> String {
    format!(
        r#"name = "a"
numbers = ["1"]
time_zone = "Europe/Paris"
[params]
limit = 5
vips = ["+33155501"]
fallback = "sales"
[inputs]
queue = {{ type = "queue", default = "support" }}
[variables]
tier = {{ words = ["none", "gold"], default = "none" }}
[[level]]
name = "hours"
[[level.rule]]
module = "calendar"
in = {{ calendar = "support" }}
out = {{ state = "open" }}
[[level]]
name = "menu"
[[level.rule]]
module = "menu"
in = {{ prompt = "menu", choices = {{ 1 = "sales", 2 = "support" }}, default = "sales" }}
out = {{ choice = "wish" }}
[[level]]
name = "set"
[[level.rule]]
module = "set"
in = {{ count = 1, half = 0.5, greeting = {{ cel = "'dear ' + wish" }} }}
[[level]]
name = "test"
[[level.rule]]
{rule}
[[level]]
name = "use"
[[level.rule]]
when = "open == 'open' && wish == 'sales' && count == 1 && half == 0.5 && greeting != '' && tier == 'gold'"
module = "deter"
[[level.rule]]
module = "hangup"
"#
    )
}

/// Of each condition: the column in it where something is found, and what is said.
#[test]
fn wrong_conditions_are_found_at_their_places() {
    let cases = [
        ("open == 5", 0, "open is a text; compared with 5, a whole number"),
        ("open == 'opne'", 8, "open is never 'opne' (did you mean 'open'?)"),
        ("'opne' == open", 0, "open is never 'opne'"),
        ("open in ['open', 'clsed']", 17, "open is never 'clsed' (did you mean 'closed'?)"),
        ("wish == 'billing'", 8, "wish is never 'billing' (known: sales, support)"),
        ("tier == 'silver'", 8, "tier is never 'silver'"),
        ("count == '1'", 0, "count is a whole number; compared with '1', a text"),
        ("count < 'a'", 0, "count is a whole number; compared with 'a', a text"),
        ("call.from > 5", 0, "call.from is a text; compared with 5, a whole number (write int(call.from)"),
        ("open", 0, "a condition is true or false, and this is a text"),
        ("count + 1", 0, "a condition is true or false, and this is a whole number"),
        ("!open", 1, "open is a text, and ! takes true or false"),
        ("open && caller.known", 0, "open is a text, and && takes true or false"),
        ("count + half > 1.0", 6, "count is a whole number; + does not work between it and half"),
        ("call.from + count == 'x'", 10, "(write string(…) around the other one)"),
        ("call.fron == ''", 0, "there is no call.fron (did you mean 'from'?)"),
        ("caller.values > 5", 0, "there is no caller.values (did you mean 'value'?)"),
        ("now.weekday == 'monday'", 15, "now.weekday is never 'monday' (known: fri, mon,"),
        ("queue('suport').waiting > 5", 6, "there is no queue 'suport' (did you mean 'support'?)"),
        ("queue('support').wating > 5", 5, "there is no queue(…).wating (did you mean 'waiting'?)"),
        ("queue(count).waiting > 5", 6, "queue takes the name of a queue, and this is a whole number"),
        ("queue(wish).waiting > 'a'", 5, "queue(wish).waiting is a whole number; compared with 'a', a text"),
        ("params.limit == 'a'", 0, "params.limit is a whole number; compared with 'a', a text"),
        ("params.limt == 5", 0, "[params] has no 'limt' (did you mean 'limit'?)"),
        ("inputs.queu == ''", 0, "[inputs] has no 'queu' (did you mean 'queue'?)"),
        ("call.from in call.to", 13, "call.to is a text, and in takes a list or a table"),
        ("5 in params.vips", 0, "5 is a whole number, and an item of params.vips is a text"),
        ("params.vips.contains('a')", 6, "params.vips is a list, and contains takes texts (write 'item' in list)"),
        ("params.vips.exists(n, n == 5)", 22, "n is a text; compared with 5, a whole number"),
        ("open.state == 'a'", 0, "open is a text and has no field 'state'"),
        ("size(count) == 1", 5, "size does not take a whole number"),
        ("size(open, 1) == 1", 4, "size takes one value"),
        ("opne == 'open'", 0, "no rule sets 'opne' (did you mean 'open'?)"),
    ];
    let mut missed = Vec::new();
    for (condition, at, word) in cases {
        let rule = format!("module = \"deter\"\nwhen = \"{condition}\"");
        let findings = load(&plan(&rule)).expect_err(condition);
        let column = "when = \"".len() + at + 1;
        let whole = |line: usize, found: usize| line == 33 && (found == column || at == 0 && found == column - 1);
        let found =
            findings.iter().any(|finding| whole(finding.line, finding.column) && finding.to_string().contains(word));
        if !found {
            missed.push(format!("{condition}\nwanted 33:{column} {word}, found\n{}", lines(&findings).join("\n")));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn right_conditions_are_let_pass() {
    for condition in [
        "open == 'open' || open == 'closed'",
        "wish in ['sales', 'support'] && tier != 'gold'",
        "count >= 1 && half < 1 && count == 1.0",
        "int(call.from) > 5 || size(params.vips) == 2",
        "call.from in params.vips || params.vips.exists(vip, call.from.startsWith(vip))",
        "call.headers['X-Tier'] == 'gold' || call.headers.subject.contains('help')",
        "caller.known && caller.value > 100 && caller.last_agent != '' && caller.last_outcome == 'abandoned'",
        "queue('support').waiting > 5 && queue(inputs.queue).service_level < 0.8 && queue(wish).agents_available == 0",
        "has(call.from) && now.weekday in ['sat', 'sun'] && now.hour >= 18",
        "result == '' || greeting.startsWith('dear')",
        "(count > 1 ? 'a' : 'b') == 'a'",
        "call.attempt_today > 3 && call.digits == ''",
        "dyn(open) == 5 || type(count) == int",
    ] {
        let rule = format!("module = \"deter\"\nwhen = \"{condition}\"");
        plans(&plan(&rule));
    }
}

#[test]
fn a_queue_where_nobody_has_the_skills_is_a_warning() {
    for (skills, warned) in [("['billing']", false), ("{ billing = 3 }", false), ("{ billing = 4 }", true)] {
        let rule = format!("module = \"distribute\"\nin = {{ queue = 'sales', skills = {skills} }}");
        let warnings = lines(plans(&plan(&rule)).warnings()).join("\n");
        let told = warnings.contains("no agent of queue 'sales' has the skills billing as asked");
        assert_eq!(told, warned, "{skills}: {warnings}");
    }
}

#[test]
fn a_step_of_widening_that_comes_too_late_is_a_warning() {
    for (max_wait_s, warned) in [(10, true), (11, false)] {
        let rule = format!(
            "module = \"distribute\"\nin = {{ queue = 'sales', skills = ['billing'], max_wait_s = {max_wait_s}, \
             widen = [{{ after_s = 5, level = 1 }}, {{ after_s = 10, level = 0 }}] }}"
        );
        let warnings = lines(plans(&plan(&rule)).warnings()).join("\n");
        let told = warnings.contains("the step of widen after 10 s never comes, since max_wait_s is 10");
        assert_eq!(told, warned, "{max_wait_s}: {warnings}");
    }
}

#[test]
fn what_a_queue_can_never_give_is_a_warning() {
    for (inputs, told) in [
        ("prefer_agent = 'a42', prefer_s = 5", "agent 'a42' is preferred and is not of queue 'sales'"),
        ("prefer_agent = '202', prefer_s = 5", ""),
        ("prefer_agent = '201', prefer_s = 20, max_wait_s = 20", "no other agent is ever rung"),
        ("prefer_agent = '201', prefer_s = 20, max_wait_s = 21", ""),
        ("max_wait_s = 15", "agents of queue 'sales' ring for 15 s"),
        ("max_wait_s = 16", ""),
        ("skills = { billing = 3 }, widen = [{ after_s = 5, level = 3 }]", "after 5 s to level 3 asks for no less"),
        ("skills = { billing = 3 }, widen = [{ after_s = 5, level = 2 }]", ""),
    ] {
        let rule = format!("module = \"distribute\"\nin = {{ queue = 'sales', {inputs} }}");
        let warnings = lines(plans(&plan(&rule)).warnings());
        let distribute: Vec<&String> = warnings.iter().filter(|line| line.contains("distribute: ")).collect();
        assert!(distribute.len() == usize::from(!told.is_empty()), "{inputs}: {warnings:?}");
        assert!(distribute.iter().all(|line| line.contains(told)), "{inputs}: {warnings:?}");
    }
}

#[test]
fn computed_inputs_are_checked_for_what_they_are() {
    let cases = [
        ("{ queue = 'sales', max_wait_s = { cel = \"open\" } }", "max_wait_s is a text; it is to be a whole number"),
        ("{ queue = { cel = \"count\" } }", "queue is a whole number; it is to be the name of a queue"),
        ("{ queue = { cel = \"params.limit\" } }", "queue is a whole number; it is to be the name of a queue"),
        ("{ queue = { cel = \"open\" } }", "there is no queue 'closed'"),
        ("{ queue = { cel = \"open == 'open' ? 'sales' : 'nobody'\" } }", "there is no queue 'nobody'"),
        ("{ queue = 'sales', skills = ['biling'] }", "no agent has the skill 'biling' (did you mean 'billing'?)"),
        ("{ queue = 'sales', skills = { billing = 9 } }", "skills is to be a list of skills"),
        ("{ queue = 'sales', priority = 101 }", "priority is out of range; it goes from -100 to 100"),
        ("{ queue = 'sales', widen = [{ after_s = 9, level = 0 }] }", "widen means nothing without skills"),
        ("{ queue = 'sales', prefer_s = 9 }", "prefer_s means nothing without prefer_agent"),
        (
            "{ queue = 'sales', skills = ['billing'], widen = [{ after_s = 9, level = 2 }, { after_s = 9, level = 0 }] }",
            "each step comes later and asks for less",
        ),
        (
            "{ queue = 'sales', skills = ['billing'], widen = [{ after_s = 9, level = 2 }, { after_s = 10, level = 2 }] }",
            "each step comes later and asks for less",
        ),
        ("{ queue = 'sales', skills = ['billing'], widen = [{ after = 9, level = 2 }] }", "a step with 'after'"),
        ("{ queue = 'sales', skills = ['billing'], widen = [{ after_s = 9 }] }", "a step without level"),
        ("{ queue = 'sales', skills = ['billing'], widen = [{ after_s = 9, level = 6 }] }", "from 0 to 5"),
        (
            "{ queue = 'sales', skills = ['billing'], widen = 30 }",
            "widen is a whole number; it is to be a list of steps",
        ),
        ("{ queue = 'sales', comfort = [{ prompt = 'nothing', after_s = 9 }] }", "there is no prompt 'nothing'"),
        ("{ queue = 'sales', comfort = [{ say = 'estimate', after = 9 }] }", "comfort has an entry with 'after'"),
        ("{ queue = 'sales', comfort = [{ say = 'estimate' }] }", "an entry without after_s"),
        ("{ queue = 'sales', comfort = [{ after_s = 9 }] }", "both or none of prompt and say"),
        ("{ queue = 'sales', comfort = [{ prompt = [], after_s = 9 }] }", "neither a name nor a list of 1 to 10 names"),
        (
            "{ queue = 'sales', comfort = [{ say = 'time', after_s = 9 }] }",
            "says neither \"position\" nor \"estimate\"",
        ),
        ("{ queue = 'sales', comfort = [{ say = 'position', after_s = 9, every_s = 4 }] }", "from 5 to 86400"),
        ("{ queue = 'sales', comfort = 'please-wait' }", "comfort is a text; it is to be a list of what is said"),
        ("{ queue = 'sales', max_estimate_s = 0 }", "max_estimate_s is out of range"),
        ("{ queue = 'sales', waited_since = 'noon' }", "waited_since"),
        ("{ queue = 'sales', waited_s = 3601 }", "waited_s is out of range; it goes from 0 to 3600"),
        ("{ queue = 'sales', prefer_agent = '299' }", "there is no agent '299'"),
        ("{ queue = 'sales', prefer_skills = ['biling'] }", "no agent has the skill 'biling'"),
        ("{ queue = 'sales', skills = 'billing' }", "skills is a text; it is to be a list of skills"),
    ];
    for (inputs, word) in cases {
        let findings = load(&plan(&format!("module = \"distribute\"\nin = {inputs}"))).expect_err(inputs);
        assert!(lines(&findings).iter().any(|line| line.contains(word)), "{inputs}\n{}", lines(&findings).join("\n"));
    }
    for inputs in [
        "{ queue = { cel = \"wish\" }, skills = ['billing'], max_wait_s = { cel = \"params.limit\" } }",
        "{ queue = { cel = \"params.fallback\" }, skills = { billing = 3 }, max_wait_s = 1 }",
        "{ queue = { cel = \"inputs.queue\" }, max_wait_s = 5 }",
    ] {
        plans(&plan(&format!("module = \"distribute\"\nin = {inputs}")));
    }
}

#[test]
fn a_variable_is_of_one_type() {
    let rule = "module = \"set\"\nin = { count = 'many' }";
    let found = lines(&load(&plan(rule)).unwrap_err());
    assert!(
        found.iter().any(|line| line.contains("'count' is a text here and a whole number in line 28")),
        "{found:?}"
    );
    let rule = "module = \"set\"\nin = { tier = 'silver' }";
    let found = lines(&load(&plan(rule)).unwrap_err());
    assert!(found.iter().any(|line| line.contains("it cannot be 'silver'")), "{found:?}");
    let rule = "module = \"set\"\nin = { tier = 5 }";
    let found = lines(&load(&plan(rule)).unwrap_err());
    assert!(found.iter().any(|line| line.contains("it is declared as a text")), "{found:?}");
}

#[test]
fn now_needs_a_time_zone() {
    let text = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\nwhen = 'now.hour > 5'\n";
    let found = lines(&load(text).unwrap_err());
    assert!(found.iter().any(|line| line.contains("the plan names no time zone")), "{found:?}");
    let found = lines(&load(&text.replace("[[level]]", "time_zone = 'Europe/Pris'\n[[level]]")).unwrap_err());
    assert!(found.iter().any(|line| line.contains("there is no time zone 'Europe/Pris'")), "{found:?}");
}

#[test]
fn declarations_are_checked() {
    let cases = [
        ("[inputs]\nq = { type = 'queu' }", "there is no type 'queu' (did you mean 'queue'?)"),
        ("[inputs]\nq = { type = 'queue', default = 'nobody' }", "there is no queue 'nobody'"),
        ("[variables]\nq = { type = 'integer', default = 'a' }", "variables: q is a text; it is to be a whole number"),
        ("[variables]\nq = { words = ['a'], default = 'b' }", "variables: q cannot be 'b'"),
        ("[variables]\nq = { type = 'integer', words = ['b'] }", "words are for a text"),
        ("[variables]\nq = { doc = 'b' }", "has neither type nor default"),
        ("[variables]\ncall = { default = 'b' }", "has a meaning of its own"),
        ("[variables]\nq = 5", "variables: q is a whole number, not a table"),
        ("[variables]\nq = { defalt = 5 }", "unknown key 'defalt'"),
    ];
    for (declared, word) in cases {
        let text = format!("{declared}\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'deter'\n");
        let found = lines(&load(&text).expect_err(declared));
        assert!(found.iter().any(|line| line.contains(word)), "{declared}: {found:?}");
    }
}
