//! Look-ups, webhooks, screening and the caller's history in plans.

use super::*;
use crate::caller::CallerFacts;
use crate::ivr::{LookUpResult, Value};

const LOOKUP: &str = r#"
numbers = ["1"]
[[level]]
name = "customer"
[[level.rule]]
module = "lookup"
in = { service = "crm", url = "/customers/{call.from}?to={call.to}", headers = { X-Line = { cel = "call.to" } }, fields = { tier = { path = "tier", default = "none" }, orders = { path = "open", default = 0 } } }
out = { tier = "tier", orders = "orders", result = "crm" }
[[level]]
name = "route"
[[level.rule]]
when = "tier == 'gold' && orders > 1"
module = "distribute"
in = { queue = "support" }
[[level.rule]]
module = "distribute"
in = { queue = "sales" }
"#;

fn question(call: &mut Call<'_>) -> LookUp {
    call.give(RunInput::Start);
    let asked = call.actions.iter().find_map(|action| match action {
        RunAction::LookUp { question, .. } => Some((**question).clone()),
        _ => None,
    });
    asked.expect("a look-up")
}

#[test]
fn a_call_is_routed_by_the_fields_of_an_answer() {
    let plans = plans(LOOKUP);
    for (tier, orders, queue) in [("gold", 2, "support"), ("gold", 1, "sales"), ("plain", 2, "sales")] {
        let mut call = Call::to(&plans, "1");
        assert_eq!(question(&mut call).request.url, "/customers/%2B33155501?to=1");
        let values = [("tier".to_owned(), Value::from(tier)), ("orders".to_owned(), Value::Integer(orders))];
        let answer = Answer { result: LookUpResult::Ok, status: 200, values: values.into(), reason: String::new() };
        call.give(RunInput::LookedUp { look_up: 1, answer });
        assert_eq!(call.distributed(), queue, "{tier} {orders}");
        assert_eq!(call.run.variable("crm"), Some(&Value::from("ok")));
    }
    let mut late = Call::to(&plans, "1");
    question(&mut late);
    late.give(RunInput::Timeout);
    assert_eq!(late.distributed(), "sales", "with the defaults when nothing comes in time");
    assert_eq!(late.run.path()[0].result.as_deref(), Some("timed_out"));
}

#[test]
fn a_run_that_waits_for_an_answer_survives_a_snapshot_and_ends_by_its_own_time() {
    let plans = plans(LOOKUP);
    let mut call = Call::to(&plans, "1");
    question(&mut call);
    let text = serde_json::to_string(&call.run).unwrap();
    call.run = serde_json::from_str(&text).unwrap();
    assert!(call.run.poll_timeout().is_some());
    call.give(RunInput::Timeout);
    assert_eq!(call.distributed(), "sales");
}

#[test]
fn hostile_callers_reach_conditions_and_requests_without_harm() {
    let text = LOOKUP
        .replace("url = \"/customers/{call.from}?to={call.to}\"", "url = \"/c/{call.headers['x-name']}\", method = \"post\", body = { name = { cel = \"call.headers['x-name']\" }, deep = { er = [1], from = { cel = \"call.from\" } } }")
        .replace("tier == 'gold' && orders > 1", "call.headers['x-name'].contains('script') && tier == 'none'");
    let plans = plans(&text);
    for name in ["<script>alert('1')</script>\"\\", "' || true || '", "script\r\n{call.to}", "script\u{0}é"] {
        let mut call = Call::from_to(&plans, "\"; drop", "1");
        let mut facts = call.run.facts().clone();
        facts.take_headers([("X-Name", name)]);
        call.run = Run::new(&plans, call.run.plan(), facts);
        let asked = question(&mut call);
        let body: serde_json::Value = serde_json::from_str(asked.request.body.as_deref().unwrap()).unwrap();
        assert_eq!(body, serde_json::json!({ "name": name, "deep": { "er": [1], "from": "\"; drop" } }));
        let sent = asked.request.url.strip_prefix("/c/").unwrap();
        assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{sent}");
        call.give(RunInput::Timeout);
        let expected = if name.contains("script") { "support" } else { "sales" };
        assert_eq!(call.distributed(), expected, "{name:?}");
    }
    let mut call = Call::to(&plans, "1");
    let mut facts = call.run.facts().clone();
    facts.take_headers([("X-Name", "x".repeat(65_536).as_str())]);
    call.run = Run::new(&plans, call.run.plan(), facts);
    assert!(question(&mut call).request.url.len() < 4_096, "64 kB are cut long before");
}

#[test]
fn history_is_asked_only_where_a_plan_speaks_of_it() {
    let route = |when: &str| {
        format!(
            "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"{when}\"\nmodule = 'distribute'\n\
             in = {{ queue = 'support' }}\n[[level.rule]]\nmodule = 'distribute'\nin = {{ queue = 'sales' }}"
        )
    };
    let cases = [
        ("caller.value > 80", true),
        ("call.attempt_today > 2", true),
        ("caller.last_agent == '201' || caller.known", true),
        ("call.from == '+331'", false),
        ("call.language == 'fr'", false),
    ];
    for (when, history) in cases {
        let plans = plans(&route(when));
        let uses = plans.iter().next().unwrap().uses;
        assert_eq!((uses.history, uses.earlier_calls), (history, false), "{when}");
    }
    let nested = LOOKUP.replace("{call.from}", "{caller.last_agent}");
    assert!(plans(&nested).iter().next().unwrap().uses.history, "also within a URL");
    let screen = "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'screen'\nout = { verdict = 'v' }\n\
                  [[level]]\nname = 'b'\n[[level.rule]]\nwhen = \"v == 'spam'\"\nmodule = 'hangup'\n[[level.rule]]\n\
                  module = 'distribute'\nin = { queue = 'sales' }";
    let screened = plans(screen);
    assert!(screened.count_calls() && !screened.iter().next().unwrap().uses.history);
}

#[test]
fn a_run_meets_its_caller_before_it_begins_and_not_after() {
    let plans = plans(
        "numbers = ['1']\n[[level]]\nname = 'a'\n[[level.rule]]\nwhen = \"caller.contacts_30d > 0\"\n\
         module = 'distribute'\nin = { queue = 'support' }\n[[level.rule]]\nmodule = 'distribute'\nin = { queue = 'sales' }",
    );
    let known = CallerFacts { known: true, contacts_30d: 3, ..CallerFacts::default() };
    let mut call = Call::to(&plans, "1");
    call.run.meet(known.clone());
    assert_eq!(call.go("").distributed(), "support");
    let mut late = Call::to(&plans, "1").go("");
    late.run.meet(known);
    assert_eq!(late.run.facts().caller, CallerFacts::default());
    assert_eq!(late.distributed(), "sales");
}

/// Each fault alone, by what is said of it.
#[test]
fn faults_of_requests_are_found_at_their_places() {
    let cases = [
        ("service = \"crm\"", "service = \"crn\"", "there is no service 'crn' (did you mean 'crm'?)"),
        ("{call.to}", "{call.tо}", "token recognition error"),
        ("{call.to}", "{call.too}", "call.too"),
        ("?to={call.to}", "?to={call.to", "'{' is not closed by '}'"),
        ("\"/customers", "\"customers", "url begins with / or ?"),
        ("\"/customers/{call.from}", "\"https://crm.example/{call.from}", "the service takes no whole URL"),
        ("service = \"crm\", url", "service = \"anywhere\", url", "the service needs a whole URL"),
        (
            "service = \"crm\", url = \"/customers/{call.from}",
            "service = \"anywhere\", url = \"https://{call.from}.example/",
            "the URL's host is computed",
        ),
        ("headers = { X-Line", "headers = { Host", "header Host is HTTP's own"),
        ("{ cel = \"call.to\" }", "{ cel = \"caal.to\" }", "caal"),
        ("path = \"tier\", default", "path = \"tier\", defualt", "unknown key 'defualt'"),
        ("tier = { path", "result = { path", "'result' is an output of lookup itself"),
        ("out = { tier", "out = { teir", "lookup has no output 'teir' (did you mean 'tier'?)"),
        ("orders > 1", "orders == 'many'", "orders"),
        (
            "url = \"/customers/{call.from}?to={call.to}\"",
            "url = { cel = \"call.from\" }",
            "url cannot be computed as a whole",
        ),
        ("fields = {", "body = { a = 1 }, fields = {", "get sends no body"),
    ];
    assert!(load(LOOKUP).is_ok(), "{:?}", load(LOOKUP).map_err(|findings| lines(&findings)));
    for (from, to, expected) in cases {
        let text = LOOKUP.replacen(from, to, 1);
        assert_ne!(text, LOOKUP, "{from}");
        let found = load(&text).map_err(|findings| lines(&findings).join("\n"));
        let found = found.err().unwrap_or_default();
        assert!(found.contains(expected), "{from} -> {to}: {found}");
        assert!(found.starts_with("plans/a.toml:"), "{found}");
    }
}
