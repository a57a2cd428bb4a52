//! Which agent a contact is offered to.

use super::*;
use crate::demand::PreferredAgent;
use crate::settings::Choice;

fn skills(of: &[(&str, u8)]) -> Skills {
    of.iter().map(|(skill, level)| ((*skill).into(), *level)).collect()
}

fn skilled(id: &str, of: &[(&str, u8)]) -> settings::Agent {
    settings::Agent { skills: skills(of), ..agent(id, &["sales"]) }
}

fn choosing(choice: Choice, agents: Vec<settings::Agent>) -> Centre {
    Centre::new(vec![settings::Queue { choice, wrap_up: Duration::ZERO, ..queue("sales") }], agents)
}

/// Whom the contact is offered to, and why.
fn offered(centre: &mut Centre, contact: u128, demand: &Demand) -> Option<crate::trace::Decision> {
    centre.events();
    centre.acd.enqueue(CallId(contact), &"sales".into(), demand, centre.now.instant, centre.now).unwrap();
    std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
        AcdEvent::Offer { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn to(decision: Option<crate::trace::Decision>) -> (String, Rule) {
    let decision = decision.expect("an offer");
    (decision.agent.to_string(), decision.rule)
}

/// A talk of so many seconds.
fn talk(centre: &mut Centre, agent: &str, seconds: f64) {
    centre.acd.seize(&agent.into(), CallId(1_000), centre.now).unwrap();
    centre.answers(1_000);
    centre.pass(seconds);
    centre.ends(1_000);
}

#[test]
fn round_robin_goes_round_from_the_one_after_the_last_served() {
    let mut centre =
        choosing(Choice::RoundRobin, ["201", "202", "203"].iter().map(|id| agent(id, &["sales"])).collect());
    let mut served = Vec::new();
    for contact in 1..=7 {
        let (agent, rule) = to(offered(&mut centre, contact, &Demand::default()));
        assert_eq!(rule, Rule::RoundRobin);
        served.push(agent);
        centre.answers(contact);
        centre.ends(contact);
    }
    assert_eq!(served, ["201", "202", "203", "201", "202", "203", "201"]);
    centre.asks("202", Wanted::Paused("lunch".to_owned()));
    assert_eq!(to(offered(&mut centre, 8, &Demand::default())).0, "203", "who is away is passed over");
}

#[test]
fn the_least_occupied_is_who_worked_least_lately_however_long_others_are_idle() {
    let mut centre = choosing(Choice::LeastOccupied, vec![agent("201", &["sales"]), agent("202", &["sales"])]);
    talk(&mut centre, "201", 600.0);
    centre.pass(100.0);
    talk(&mut centre, "202", 300.0);
    let decision = offered(&mut centre, 1, &Demand::default()).unwrap();
    assert_eq!((decision.agent.as_str(), decision.rule), ("202", Rule::LeastOccupied));
    let occupancy = |candidate: &Candidate| match candidate {
        Candidate::Agent { occupancy, .. } => occupancy.unwrap(),
        Candidate::Contact { .. } => panic!("not an agent"),
    };
    let (chosen, next) = (occupancy(&decision.chosen), occupancy(&decision.runners_up[0]));
    assert!(0.0 < chosen && chosen < next && next < 1.0, "{chosen} and {next}");
}

#[test]
fn equally_occupied_agents_are_told_apart_by_idle_time() {
    let mut centre = choosing(Choice::LeastOccupied, vec![agent("201", &["sales"]), agent("202", &["sales"])]);
    assert_eq!(to(offered(&mut centre, 1, &Demand::default())), ("201".to_owned(), Rule::LongestIdle));
}

#[test]
fn best_skill_takes_the_highest_levels_in_all_that_is_asked() {
    let agents = vec![
        skilled("201", &[("billing", 3), ("french", 2)]),
        skilled("202", &[("billing", 5), ("french", 1)]),
        skilled("203", &[("billing", 4), ("french", 4)]),
        skilled("204", &[("billing", 5)]),
    ];
    let mut centre = choosing(Choice::BestSkill, agents);
    let both = Demand { skills: skills(&[("billing", 1), ("french", 1)]), ..Demand::default() };
    let decision = offered(&mut centre, 1, &both).unwrap();
    assert_eq!((decision.agent.as_str(), decision.rule), ("203", Rule::BestSkill));
    let fits: Vec<(String, Option<u32>)> = std::iter::once(&decision.chosen)
        .chain(&decision.runners_up)
        .map(|candidate| match candidate {
            Candidate::Agent { agent, fit, .. } => (agent.to_string(), *fit),
            Candidate::Contact { .. } => panic!("not an agent"),
        })
        .collect();
    assert_eq!(fits, [("203".into(), Some(8)), ("202".into(), Some(6)), ("201".into(), Some(5))]);
    let one = Demand { skills: skills(&[("billing", 1)]), ..Demand::default() };
    assert_eq!(to(offered(&mut centre, 2, &one)), ("202".to_owned(), Rule::LongestIdle), "two at level 5");
}

#[test]
fn preferred_skills_choose_among_those_who_can_be_had_and_exclude_nobody() {
    let agents = vec![
        skilled("201", &[("billing", 2)]),
        skilled("202", &[("billing", 2), ("german", 1)]),
        skilled("203", &[("billing", 2), ("german", 4), ("vip", 1)]),
        skilled("204", &[("german", 5), ("vip", 5)]),
    ];
    let mut centre = choosing(Choice::LongestIdle, agents);
    let demand = |preferred: &[(&str, u8)]| Demand {
        skills: skills(&[("billing", 1)]),
        prefer_skills: skills(preferred),
        ..Demand::default()
    };
    let german = demand(&[("german", 1), ("vip", 1)]);
    assert_eq!(to(offered(&mut centre, 1, &german)), ("203".to_owned(), Rule::PreferredSkills));
    assert_eq!(to(offered(&mut centre, 2, &demand(&[("german", 2)]))), ("201".to_owned(), Rule::LongestIdle));
    assert_eq!(to(offered(&mut centre, 3, &german)), ("202".to_owned(), Rule::OnlyOne));
}

fn prefers(agent: &str, wait_s: u64) -> Demand {
    let prefer_agent = Some(PreferredAgent { agent: agent.into(), wait: Duration::from_secs(wait_s) });
    Demand { prefer_agent, ..Demand::default() }
}

#[test]
fn the_preferred_agent_is_rung_however_long_others_are_idle() {
    let mut centre = Centre::sales(&["201", "202", "203"]);
    let decision = offered(&mut centre, 1, &prefers("203", 0)).unwrap();
    assert_eq!((decision.agent.as_str(), decision.rule), ("203", Rule::PreferredAgent));
    assert_eq!(decision.runners_up.len(), 2, "those whom it could have had besides");
}

#[test]
fn a_busy_preferred_agent_is_waited_for_and_then_anybody_is_rung() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.answers(1);
    assert_eq!(offered(&mut centre, 2, &prefers("201", 20)), None, "202 is free");
    assert_eq!(offered(&mut centre, 3, &prefers("201", 60)), None);
    centre.pass(19.9);
    assert_eq!(centre.events(), [] as [&str; 0]);
    centre.pass(0.1);
    assert_eq!(centre.events(), ["offer 2 to 202"]);
    centre.ends(1);
    centre.pass(5.0);
    assert_eq!(centre.events(), ["1 wrapped up in 5s", "offer 3 to 201"]);
}

#[test]
fn an_agent_who_is_not_at_work_in_the_queue_is_not_waited_for() {
    for away in ["paused", "logged out", "unknown", "elsewhere"] {
        let mut centre = Centre::new(
            vec![queue("sales"), queue("support")],
            vec![agent("201", &["sales"]), agent("202", &["sales"]), agent("203", &["support"])],
        );
        let preferred = match away {
            "paused" => {
                centre.asks("201", Wanted::Paused("lunch".to_owned()));
                "201"
            }
            "logged out" => {
                centre.phone("201", false);
                "201"
            }
            "unknown" => "999",
            _ => "203",
        };
        let (agent, rule) = to(offered(&mut centre, 1, &prefers(preferred, 60)));
        assert_ne!((agent.as_str(), rule), (preferred, Rule::PreferredAgent), "{away}");
    }
}

#[test]
fn who_waits_for_one_agent_goes_to_others_when_that_one_leaves_or_does_not_answer() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.answers(1);
    assert_eq!(offered(&mut centre, 2, &prefers("201", 600)), None);
    centre.ends(1);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    assert_eq!(centre.events(), ["1 wrapped up in 0ns", "offer 2 to 202"]);
    let mut centre = Centre::sales(&["201", "202"]);
    assert_eq!(to(offered(&mut centre, 1, &prefers("202", 600))).0, "202");
    centre.fails(1, "202", NoAnswer::Declined);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
}

#[test]
fn who_waits_for_one_agent_goes_to_others_when_the_configuration_takes_that_one_away() {
    let mut centre = Centre::sales(&["201", "202"]);
    centre.calls(1);
    centre.answers(1);
    assert_eq!(offered(&mut centre, 2, &prefers("201", 600)), None);
    let agents = vec![agent("201", &[]), agent("202", &["sales"])];
    centre.acd.configure(&centre.queues, &agents, centre.now);
    assert_eq!(centre.events(), ["offer 2 to 202"]);
}

#[test]
fn a_preferred_agent_takes_the_others_in_their_order_too() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    centre.calls(2);
    centre.pass(1.0);
    assert_eq!(offered(&mut centre, 3, &prefers("201", 600)), None);
    centre.ends(1);
    centre.pass(5.0);
    assert!(centre.events().contains(&"offer 2 to 201".to_owned()), "to be preferred is no priority");
}

#[test]
fn a_changed_choice_holds_for_those_who_are_idle_already() {
    let mut centre = Centre::sales(&["201", "202"]);
    talk(&mut centre, "201", 100.0);
    talk(&mut centre, "202", 50.0);
    let queues = [settings::Queue { choice: Choice::LeastOccupied, ..queue("sales") }];
    centre.acd.configure(&queues, &centre.agents, centre.now);
    assert_eq!(to(offered(&mut centre, 1, &Demand::default())), ("202".to_owned(), Rule::LeastOccupied));
}
