//! The real distributor against theory at a few loads; `benches/theory.rs` has the wide grid.

use super::*;
use crate::ids::QueueId;

const AHT: f64 = 240.0;

fn queue() -> settings::Queue {
    settings::Queue {
        id: QueueId::from("sales"),
        ring_timeout: Duration::from_secs(15),
        wrap_up: Duration::from_secs(5),
        max_no_answer: 2,
        answer_within: Duration::from_secs(20),
        retry_delay: Duration::from_secs(10),
        music: "music/default".to_owned(),
        announce_position: Duration::from_secs(30),
        max_waiting: None,
        callback: settings::CallbackRules::default(),
    }
}

/// So many calls, in 30 periods, at a load of `rho` an agent.
fn scenario(agents: u32, rho: f64, patience: Option<f64>, calls: f64) -> Scenario {
    let rate = rho * f64::from(agents) / AHT;
    Scenario {
        queue: queue(),
        agents,
        profile: Profile::new(3_600.0, vec![rate * 3_600.0]).unwrap(),
        aht: AHT,
        patience,
        periods: 30,
        period: Duration::from_secs_f64(calls / rate / 30.0),
        seed: 1,
    }
}

#[test]
fn the_distributor_does_what_theory_says() {
    let mut faults = Vec::new();
    for (agents, rho, patience) in [
        (5, 0.5, None),
        (5, 0.8, Some(90.0)),
        (10, 0.7, None),
        (10, 1.1, Some(90.0)),
        (30, 0.8, None),
        (50, 0.9, Some(90.0)),
    ] {
        let scenario = scenario(agents, rho, patience, 40_000.0);
        let (outcome, theory) = (run(&scenario).unwrap(), scenario.theory());
        // A wide interval holds everything: the last number says how wide it may be.
        for (name, estimate, theory, most) in [
            ("service level", outcome.service_level, theory.service_level, 0.05),
            ("ASA", outcome.asa_s, theory.asa_s, 0.5 * theory.asa_s),
            ("probability of wait", outcome.wait_probability, theory.wait_probability, 0.05),
            ("abandonment", outcome.abandonment, theory.abandonment, 0.02),
            ("occupancy", outcome.occupancy, theory.occupancy, 0.02),
        ] {
            if !estimate.holds(theory) || estimate.half_width.is_none_or(|half_width| half_width > most) {
                let seed = scenario.seed;
                faults
                    .push(format!("seed {seed}, {agents} agents, {rho}, {patience:?}, {name}: {estimate:?}, {theory}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_run_is_decided_by_its_seed() {
    let scenario = scenario(5, 0.9, Some(90.0), 3_000.0);
    let outcome = run(&scenario).unwrap();
    assert_eq!(run(&scenario).unwrap(), outcome);
    assert_ne!(run(&Scenario { seed: 2, ..scenario }).unwrap(), outcome);
}

#[test]
fn other_numbers_of_agents_meet_the_same_callers() {
    let few = scenario(5, 0.9, Some(90.0), 3_000.0);
    let many = Scenario { agents: 8, ..few.clone() };
    let (few, many) = (run(&few).unwrap(), run(&many).unwrap());
    assert_eq!(few.offered, many.offered);
    assert!(few.abandoned > 2 * many.abandoned && few.asa_s.value > 2.0 * many.asa_s.value, "{few:?}\n{many:?}");
}

#[test]
fn every_call_ends_in_one_way() {
    let crowded = scenario(5, 2.0, Some(300.0), 3_000.0);
    let outcome = run(&Scenario { queue: settings::Queue { max_waiting: Some(3), ..queue() }, ..crowded }).unwrap();
    assert!(outcome.overflowed > 0 && outcome.abandoned > 0, "{outcome:?}");
    assert_eq!(outcome.offered, outcome.handled + outcome.abandoned + outcome.overflowed);
}

#[test]
fn a_day_with_a_quiet_hour_is_repeated_and_each_day_is_a_batch() {
    let profile = Profile::new(3_600.0, vec![60.0, 0.0, 90.0]).unwrap();
    let scenario =
        Scenario { profile, periods: 20, period: Duration::from_secs(3 * 3_600), ..scenario(8, 0.5, Some(90.0), 1.0) };
    let outcome = run(&scenario).unwrap();
    let expected = 20.0 * 150.0;
    assert!((outcome.offered as f64 - expected).abs() < 5.0 * f64::sqrt(expected), "{outcome:?}");
    assert!(outcome.abandonment.half_width.is_some());
    let one_day = run(&Scenario { periods: 1, ..scenario }).unwrap();
    assert_eq!(one_day.service_level.half_width, None, "one batch tells no spread");
}

/// A run in which all agents are idle.
fn begun(scenario: &Scenario) -> Run<'_> {
    let mut run = Run::new(scenario);
    run.follow_offers().unwrap();
    run
}

fn waits() -> Waiting {
    Waiting { since: Instant(0), handling: Duration::from_secs(60), batch: None }
}

#[test]
fn what_a_distributor_must_never_do_is_noticed() {
    let scenario = scenario(2, 0.5, None, 100.0);
    let (first, second) = (CallId(1), CallId(2));
    let agent = AgentId::from("1");

    let mut idle = begun(&scenario);
    idle.waiting.insert(first, waits());
    assert_eq!(idle.check_idleness(), Err(Fault::IdleAgents { waiting: 1, idle: 2 }));

    let mut unfair = begun(&scenario);
    unfair.waiting.extend([(first, waits()), (second, waits())]);
    let overtaken = Fault::Overtaken { call: second, agent: agent.clone(), first };
    assert_eq!(unfair.agent_answers(second, agent.clone()), Err(overtaken));

    let mut twice = begun(&scenario);
    twice.busy.insert(agent.clone());
    twice.waiting.insert(first, waits());
    assert_eq!(twice.agent_answers(first, agent.clone()), Err(Fault::TwoCalls { agent: agent.clone(), call: first }));

    let mut unknown = begun(&scenario);
    assert_eq!(
        unknown.agent_answers(first, agent.clone()),
        Err(Fault::NotWaiting { call: first, agent: agent.clone() })
    );

    let mut invented = begun(&scenario);
    invented.waiting.insert(first, waits());
    assert_eq!(invented.agent_answers(first, agent.clone()), Err(Fault::OfferNotValid { call: first, agent }));
}
