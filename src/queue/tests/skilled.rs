//! Contacts that ask for skills, and what is known of a queue's load.

use super::*;

fn skills(of: &[(&str, u8)]) -> Skills {
    of.iter().map(|(skill, level)| ((*skill).into(), *level)).collect()
}

fn skilled(id: &str, of: &[(&str, u8)]) -> settings::Agent {
    settings::Agent { skills: skills(of), ..agent(id, &["sales"]) }
}

fn asks_for(centre: &mut Centre, contact: u128, of: &[(&str, u8)]) {
    centre
        .acd
        .enqueue(
            CallId(contact),
            &"sales".into(),
            &Demand { skills: skills(of), ..Demand::default() },
            centre.now.instant,
            centre.now,
        )
        .unwrap();
}

#[test]
fn only_an_agent_with_the_skills_is_rung_however_long_others_are_idle() {
    let agents = vec![skilled("201", &[]), skilled("202", &[("billing", 2)]), skilled("203", &[("billing", 4)])];
    let mut centre = Centre::new(vec![queue("sales")], agents);
    asks_for(&mut centre, 1, &[("billing", 3)]);
    assert_eq!(centre.events(), ["offer 1 to 203"]);
    asks_for(&mut centre, 2, &[("billing", 3)]);
    asks_for(&mut centre, 3, &[("billing", 1)]);
    assert_eq!(centre.events(), ["offer 3 to 202"], "201 stays idle while 2 waits");
    assert_eq!(centre.state("201"), AgentState::Available);
}

#[test]
fn an_agent_who_comes_free_passes_over_those_who_ask_for_what_they_lack() {
    let agents = vec![skilled("201", &[("billing", 5)])];
    let mut centre = Centre::new(vec![queue("sales")], agents);
    asks_for(&mut centre, 1, &[]);
    centre.answers(1);
    asks_for(&mut centre, 2, &[("french", 1)]);
    centre.pass(1.0);
    asks_for(&mut centre, 3, &[("billing", 5)]);
    centre.pass(1.0);
    asks_for(&mut centre, 4, &[]);
    centre.events();
    centre.ends(1);
    centre.asks("201", Wanted::Available);
    assert!(centre.events().contains(&"offer 3 to 201".to_owned()), "the longest waiting of those that fit");
    assert_eq!(centre.position(2), Some(1), "and who does not fit keeps the place");
}

#[test]
fn skills_that_change_in_the_configuration_bring_waiting_contacts_to_agents() {
    let mut centre = Centre::new(vec![queue("sales")], vec![skilled("201", &[])]);
    asks_for(&mut centre, 1, &[("billing", 1)]);
    assert_eq!(centre.events(), Vec::<String>::new());
    centre.acd.configure(&centre.queues, &[skilled("201", &[("billing", 1)])], centre.now);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
}

#[test]
fn the_load_of_a_queue_is_told() {
    let mut centre = Centre::sales(&["201"]);
    let load = centre.acd.load("sales", centre.now).unwrap();
    assert_eq!((load.waiting, load.agents_available, load.service_level), (0, 1, None));
    assert_eq!(load.estimate, Some((Duration::ZERO, Duration::ZERO)), "an agent is free");
    for contact in 1..=8 {
        centre.calls(contact);
    }
    for contact in 1..=6 {
        centre.answers(contact);
        centre.pass(60.0);
        centre.ends(contact);
        centre.pass(0.0);
        centre.asks("201", Wanted::Available);
    }
    let load = centre.acd.load("sales", centre.now).unwrap();
    assert_eq!((load.waiting, load.longest_wait, load.agents_available), (2, Duration::from_secs(360), 0));
    assert_eq!(load.service_level, Some(1.0 / 6.0), "one was answered within 20 s");
    let (least, most) = load.estimate.unwrap();
    assert!(least < Duration::from_secs(180) && most > Duration::from_secs(180), "{least:?} to {most:?}");
    assert_eq!(centre.acd.load("nowhere", centre.now), None);
}
