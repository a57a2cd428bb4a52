//! The real distributor against theory at a few loads; `benches/theory.rs` has the wide grid.

use super::super::{Outcome, Performance, Profile, RandomCalls, RecordedCall, RecordedEnd, Recording};
use super::*;
use crate::demand::{Demand, PreferredAgent};
use crate::ids::QueueId;
use crate::queue::Skills;
use crate::settings;

const AHT: f64 = 240.0;

fn queue() -> settings::Queue {
    settings::Queue {
        ring_timeout: Duration::from_secs(15),
        wrap_up: Duration::from_secs(5),
        ..settings::Queue::new("sales".into())
    }
}

/// So many calls, in 30 periods, at a load of `rho` an agent.
fn drawn(agents: u32, rho: f64, patience: Option<f64>, calls: f64) -> RandomCalls {
    let rate = rho * f64::from(agents) / AHT;
    RandomCalls {
        profile: Profile::new(3_600.0, vec![rate * 3_600.0]).unwrap(),
        aht: AHT,
        patience,
        periods: 30,
        period: Duration::from_secs_f64(calls / rate / 30.0),
    }
}

fn random(agents: u32, calls: RandomCalls) -> Scenario {
    Scenario::alike(queue(), agents, Calls::Random(calls), 1)
}

fn scenario(agents: u32, rho: f64, patience: Option<f64>, calls: f64) -> Scenario {
    random(agents, drawn(agents, rho, patience, calls))
}

fn theory(scenario: &Scenario) -> Performance {
    let Calls::Random(calls) = &scenario.calls else { panic!("no theory of a recording") };
    calls.theory(scenario.agents.len() as u32, 20.0)
}

fn play(scenario: &Scenario) -> Outcome {
    run(scenario, &mut |_| {}).unwrap().whole
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
        let (outcome, theory) = (play(&scenario), theory(&scenario));
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
    let outcome = play(&scenario);
    assert_eq!(play(&scenario), outcome);
    assert_ne!(play(&Scenario { seed: 2, ..scenario }), outcome);
}

#[test]
fn other_numbers_of_agents_meet_the_same_callers() {
    let few = scenario(5, 0.9, Some(90.0), 3_000.0);
    let many = scenario(8, 0.9 * 5.0 / 8.0, Some(90.0), 3_000.0);
    let (few, many) = (play(&few), play(&many));
    assert_eq!(few.offered, many.offered);
    assert!(few.abandoned > 2 * many.abandoned && few.asa_s.value > 2.0 * many.asa_s.value, "{few:?}\n{many:?}");
}

#[test]
fn every_call_ends_in_one_way() {
    let crowded = scenario(5, 2.0, Some(300.0), 3_000.0);
    let outcome = play(&Scenario { queues: vec![settings::Queue { max_waiting: Some(3), ..queue() }], ..crowded });
    assert!(outcome.overflowed > 0 && outcome.abandoned > 0, "{outcome:?}");
    assert_eq!(outcome.offered, outcome.handled + outcome.abandoned + outcome.overflowed);
}

#[test]
fn a_day_with_a_quiet_hour_is_repeated_and_each_day_is_a_batch() {
    let profile = Profile::new(3_600.0, vec![60.0, 0.0, 90.0]).unwrap();
    let period = Duration::from_secs(3 * 3_600);
    let calls = RandomCalls { profile, aht: AHT, patience: Some(90.0), periods: 20, period };
    let outcome = play(&random(8, calls.clone()));
    let expected = 20.0 * 150.0;
    assert!((outcome.offered as f64 - expected).abs() < 5.0 * f64::sqrt(expected), "{outcome:?}");
    assert!(outcome.abandonment.half_width.is_some());
    let one_day = play(&random(8, RandomCalls { periods: 1, ..calls }));
    assert_eq!(one_day.service_level.half_width, None, "one batch tells no spread");
}

#[test]
fn how_far_it_is_grows_up_to_the_whole() {
    let mut told = Vec::new();
    run(&scenario(5, 0.9, Some(90.0), 30_000.0), &mut |done| told.push(done)).unwrap();
    assert!(told.len() > 2 && told.is_sorted() && told.iter().all(|done| (0.0..=1.0).contains(done)), "{told:?}");
}

/// One agent: the first call is answered at once, the second when the first is over, the third gives up.
fn recording() -> Recording {
    let seconds = Duration::from_secs;
    let kind = Kind { queue: 0, demand: Demand::default() };
    let call = |entered, waited, end| RecordedCall {
        kind: kind.clone(),
        entered: Instant(0) + seconds(entered),
        waited: seconds(waited),
        end,
    };
    Recording::new(vec![
        call(500, 0, RecordedEnd::Handled(seconds(100))),
        call(510, 90, RecordedEnd::Handled(seconds(60))),
        call(520, 30, RecordedEnd::Abandoned),
        call(525, 10, RecordedEnd::Elsewhere),
    ])
    .unwrap()
}

#[test]
fn a_recording_that_is_replayed_as_it_was_gives_what_was() {
    let recording = recording().with_patience(None);
    let was = recording.as_recorded(|_| Some(Duration::from_secs(20)));
    let outcome = play(&Scenario::alike(queue(), 1, Calls::Recorded(recording), 1));
    let each = |calls: u64| calls / u64::from(REPLAYS);
    assert_eq!((each(outcome.offered), each(outcome.handled)), (was.offered, was.handled));
    assert_eq!((each(outcome.abandoned), each(outcome.overflowed)), (was.abandoned, was.overflowed));
    assert_eq!((outcome.service_level.value, outcome.asa_s.value), (was.service_level, was.asa_s));
    assert_eq!(outcome.occupancy.value, 1.0);
}

#[test]
fn other_staffing_makes_another_day_of_a_recording() {
    let recorded = |agents| Scenario::alike(queue(), agents, Calls::Recorded(recording()), 1);
    let outcome = play(&recorded(4));
    assert_eq!((outcome.handled, outcome.asa_s.value), (outcome.offered, 0.0));
    let outcome = play(&recorded(2));
    assert_eq!(outcome.abandoned, u64::from(REPLAYS), "two agents are busy until the third call gives up");
    assert_eq!(outcome, play(&recorded(2)));
}

/// Two queues, one agent in each and one in both; two skills.
#[test]
fn recorded_calls_go_to_the_agents_of_their_queue_who_have_the_skills() {
    let french = |level| Skills::from([("french".into(), level)]);
    let agent = |id: &str, queues: &[&str], skills: Skills| settings::Agent {
        queues: queues.iter().map(|id| QueueId::from(*id)).collect(),
        skills,
        id: id.into(),
        ..Scenario::alike(queue(), 1, Calls::Recorded(recording()), 1).agents[0].clone()
    };
    let call = |queue, skills: &Skills, entered, handling| RecordedCall {
        kind: Kind { queue, demand: Demand { skills: skills.clone(), ..Demand::default() } },
        entered: Instant(0) + Duration::from_secs(entered),
        waited: Duration::ZERO,
        end: RecordedEnd::Handled(Duration::from_secs(handling)),
    };
    let (any, fluent) = (Skills::new(), french(3));
    let calls = vec![
        // Only agent 3 can take it.
        call(0, &fluent, 0, 200),
        call(0, &any, 10, 100),
        // Waits for agent 3, while agent 1 comes free.
        call(0, &fluent, 20, 50),
        call(1, &any, 30, 50),
    ];
    let scenario = Scenario {
        queues: vec![queue(), settings::Queue { id: QueueId::from("support"), ..queue() }],
        agents: vec![
            agent("1", &["sales"], french(2)),
            agent("2", &["support"], french(5)),
            agent("3", &["sales", "support"], french(3)),
        ],
        calls: Calls::Recorded(Recording::new(calls).unwrap()),
        seed: 1,
    };
    let Played { whole, queues } = run(&scenario, &mut |_| {}).unwrap();
    let each = u64::from(REPLAYS);
    assert_eq!((whole.handled, queues[0].handled, queues[1].handled), (4 * each, 3 * each, each));
    assert_eq!((queues[0].asa_s.value, queues[1].asa_s.value), (60.0, 0.0));
    assert_eq!(whole.wait_probability.value, 0.25);
}

/// The wait is told before it begins, so it can be held to what came of it.
#[test]
fn most_of_those_who_are_told_a_wait_find_it_true() {
    for (agents, rho) in [(5, 0.8), (20, 0.9)] {
        let outcome = play(&scenario(agents, rho, None, 40_000.0));
        assert!(outcome.ewt_told.value > 0.9, "{agents} agents, {rho}: {outcome:?}");
        assert!((0.72..0.88).contains(&outcome.ewt_right.value), "{agents} agents, {rho}: {outcome:?}");
    }
}

/// A run in which all agents are idle.
fn begun(scenario: &Scenario) -> Run<'_> {
    let counted = Counted { from: Instant(0), period: Duration::from_secs(60), periods: 1 };
    let mut run = Run::new(scenario, 0, Box::new(std::iter::empty()), counted);
    run.follow_offers().unwrap();
    run
}

/// A call waits of which the distributor knows nothing.
fn waits(run: &mut Run<'_>, call: CallId) {
    let handling = Duration::from_secs(60);
    let caller = Caller { at: Instant(0), kind: 0, handling, patience: None, goes_elsewhere: false };
    run.wait_begins(call, Waiting { caller, promise: None, batch: None });
}

#[test]
fn what_a_distributor_must_never_do_is_noticed() {
    let scenario = scenario(2, 0.5, None, 100.0);
    let (first, second) = (CallId(1), CallId(2));
    let agent = AgentId::from("1");

    let mut idle = begun(&scenario);
    waits(&mut idle, first);
    assert_eq!(idle.check_idleness(), Err(Fault::IdleAgents { waiting: 1 }));

    let mut unfair = begun(&scenario);
    waits(&mut unfair, first);
    waits(&mut unfair, second);
    let overtaken = Fault::Overtaken { call: second, agent: agent.clone(), first };
    assert_eq!(unfair.agent_answers(second, agent.clone()), Err(overtaken));

    let mut twice = begun(&scenario);
    twice.busy.insert(agent.clone());
    waits(&mut twice, first);
    assert_eq!(twice.agent_answers(first, agent.clone()), Err(Fault::TwoCalls { agent: agent.clone(), call: first }));

    let mut unknown = begun(&scenario);
    assert_eq!(
        unknown.agent_answers(first, agent.clone()),
        Err(Fault::NotWaiting { call: first, agent: agent.clone() })
    );

    let mut invented = begun(&scenario);
    waits(&mut invented, first);
    assert_eq!(invented.agent_answers(first, agent.clone()), Err(Fault::OfferNotValid { call: first, agent }));
}

/// One agent, busy until second 200; three calls wait, of whom the last has the highest priority.
#[test]
fn recorded_calls_are_served_by_their_priority() {
    let call = |priority, entered, handling| RecordedCall {
        kind: Kind { queue: 0, demand: Demand { priority, ..Demand::default() } },
        entered: Instant(0) + Duration::from_secs(entered),
        waited: Duration::ZERO,
        end: RecordedEnd::Handled(Duration::from_secs(handling)),
    };
    // Waits of 190 + 10, 180 + 110, and 170 s where the last one comes first; 190, 280 and 370 s in the order of arrival.
    let waits = |priority| {
        let calls = vec![call(0, 0, 200), call(0, 10, 100), call(0, 20, 100), call(priority, 30, 10)];
        let calls = Calls::Recorded(Recording::new(calls).unwrap());
        play(&Scenario::alike(queue(), 1, calls, 1)).asa_s.value * 4.0
    };
    assert_eq!(waits(9).round(), 200.0 + 290.0 + 170.0);
    assert_eq!(waits(0).round(), 190.0 + 280.0 + 370.0);
}

/// Agent 1 talks until second 60 when a call comes that prefers them; agent 2 is idle all the time.
#[test]
fn recorded_calls_wait_for_their_preferred_agent_and_no_longer() {
    let call = |prefers: Option<(&str, u64)>, entered, handling| {
        let prefer =
            |(agent, wait): (&str, u64)| PreferredAgent { agent: agent.into(), wait: Duration::from_secs(wait) };
        RecordedCall {
            kind: Kind { queue: 0, demand: Demand { prefer_agent: prefers.map(prefer), ..Demand::default() } },
            entered: Instant(0) + Duration::from_secs(entered),
            waited: Duration::ZERO,
            end: RecordedEnd::Handled(Duration::from_secs(handling)),
        }
    };
    for (wait, waited) in [(0, 0.0), (20, 20.0), (100, 50.0)] {
        let calls = vec![call(Some(("1", 0)), 0, 60), call(Some(("1", wait)), 10, 30)];
        let calls = Calls::Recorded(Recording::new(calls).unwrap());
        let outcome = play(&Scenario::alike(queue(), 2, calls, 1));
        assert_eq!(outcome.asa_s.value * 2.0, waited, "who waits up to {wait} s");
    }
}
