//! A plan file of an operator who makes mistakes: it is loaded, or every finding points into it. A plan that is loaded is
//! run to its end by a caller who presses keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relais::dialplan::driver::{Scenario, drive};
use relais::dialplan::{Names, Plans};
use relais::findings::Source;

fn names() -> Names {
    Names {
        default_language: Some("en".into()),
        queues: ["sales".into(), "support".into()].into(),
        agents: ["201".into()].into(),
        prompts: [("en".into(), ["menu", "closed", "goodbye"].map(str::to_owned).into())].into(),
        ..Names::default()
    }
}

fuzz_target!(|text: &str| {
    let source = Source { path: "plan.toml".to_owned(), text: text.to_owned() };
    match Plans::load(vec![source], names()) {
        Ok(plans) => plans.iter().for_each(|plan| run(&plans, &plan.id)),
        Err(findings) => {
            for finding in findings {
                let line = text.split('\n').nth(finding.line - 1);
                assert!(
                    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&finding.column)),
                    "{finding} points outside of the file"
                );
            }
        }
    }
});

fn run(plans: &Plans, plan: &relais::ids::PlanId) {
    let at = "2026-11-25T10:00:00Z".parse().expect("a time");
    let scenario = Scenario { digits: "12#9 12#9 12#9".to_owned(), ..Scenario::new("+33155501", "600", "en".into(), at) };
    let course = drive(plans, plan, &scenario);
    let _ = course.trace(plans);
}
