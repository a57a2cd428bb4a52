//! A plan file of an operator who makes mistakes: it is loaded, or every finding points into it. A plan that is loaded is
//! run to its end by a caller who presses keys.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use relais::bridge::Digit;
use relais::dialplan::{Facts, Names, NoQueues, Plans, Run, RunAction, RunInput};
use relais::findings::Source;
use relais::ids::CallId;
use relais::time::{Instant, Now};

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
    let mut now = Now { instant: Instant(1), wall: "2026-11-25T10:00:00Z".parse().expect("a time") };
    let facts = Facts {
        call_id: CallId(1),
        from: "+33155501".to_owned(),
        to: "600".to_owned(),
        trunk: None,
        language: "en".into(),
        headers: Default::default(),
        caller: Default::default(),
        earlier_calls_s: Vec::new(),
    };
    let mut run = Run::new(plans, plan, facts);
    run.handle(plans, RunInput::Start, &NoQueues, now);
    for turn in 0..40u32 {
        let mut input = None;
        while let Some(action) = run.poll_action() {
            if let RunAction::Play { play, repeat: false, .. } = action {
                input = Some(RunInput::PlayEnded(play));
            }
        }
        if run.is_over() {
            return;
        }
        now.instant = now.instant + Duration::from_secs(1);
        let key = Digit::new(['1', '2', '#', '9'][turn as usize % 4]).map(RunInput::Digit);
        let timeout = run.poll_timeout().map(|at| {
            now.instant = now.instant.max(at);
            RunInput::Timeout
        });
        let next = if turn % 3 == 0 { key } else { input.or(timeout) };
        run.handle(plans, next.unwrap_or(RunInput::Timeout), &NoQueues, now);
    }
}
