//! Contacts that ask for less as they wait.

use super::*;
use crate::demand::Widening;

fn skills(of: &[(&str, u8)]) -> Skills {
    of.iter().map(|(skill, level)| ((*skill).into(), *level)).collect()
}

fn rule(steps: &[(u64, u8)]) -> Vec<Widening> {
    steps.iter().map(|(after, level)| Widening { after: Duration::from_secs(*after), level: *level }).collect()
}

/// Agents of `sales` with a level of billing each; 0 is none.
fn centre(queue: settings::Queue, agents: &[(&str, u8)]) -> Centre {
    let skilled = |(id, level): &(&str, u8)| settings::Agent {
        skills: if *level == 0 { Skills::new() } else { skills(&[("billing", *level)]) },
        ..agent(id, &["sales"])
    };
    Centre::new(vec![queue], agents.iter().map(skilled).collect())
}

fn widening(steps: &[(u64, u8)]) -> settings::Queue {
    settings::Queue { widen: rule(steps), ..queue("sales") }
}

fn asks(centre: &mut Centre, contact: u128, level: u8, widen: Option<Vec<Widening>>) {
    asks_since(centre, contact, level, widen, 0);
}

fn asks_since(centre: &mut Centre, contact: u128, level: u8, widen: Option<Vec<Widening>>, waited_s: u64) {
    let demand = Demand { skills: skills(&[("billing", level)]), widen, ..Demand::default() };
    let since = centre.now.instant - Duration::from_secs(waited_s);
    centre.acd.enqueue(CallId(contact), &"sales".into(), &demand, since, centre.now).unwrap();
}

#[test]
fn a_lower_level_is_accepted_after_the_first_step_and_anybody_after_the_last() {
    let mut centre = centre(widening(&[(30, 2), (60, 0)]), &[("201", 0), ("202", 2)]);
    asks(&mut centre, 1, 4, None);
    asks(&mut centre, 2, 4, None);
    centre.pass(29.9);
    assert_eq!(centre.events(), [] as [&str; 0]);
    centre.pass(0.1);
    assert_eq!(centre.events(), ["offer 1 to 202"]);
    centre.answers(1);
    centre.pass(29.9);
    assert_eq!(centre.events(), [] as [&str; 0]);
    centre.pass(0.1);
    assert_eq!(centre.events(), ["offer 2 to 201"]);
}

#[test]
fn a_plans_rule_goes_before_the_queues_and_an_empty_one_never_widens() {
    let mut centre = centre(widening(&[(10, 0)]), &[("201", 0)]);
    asks(&mut centre, 1, 3, Some(Vec::new()));
    asks(&mut centre, 2, 3, Some(rule(&[(20, 0)])));
    centre.pass(19.9);
    assert_eq!(centre.events(), [] as [&str; 0]);
    centre.pass(0.1);
    assert_eq!(centre.events(), ["offer 2 to 201"]);
    centre.answers(2);
    centre.ends(2);
    centre.pass(1_000.0);
    assert_eq!(centre.events(), ["2 wrapped up in 5s"], "1 asks for billing for ever");
}

#[test]
fn a_level_that_is_already_lower_stays() {
    let mut centre = centre(widening(&[(10, 3)]), &[("201", 1)]);
    asks(&mut centre, 1, 2, None);
    centre.pass(100.0);
    assert_eq!(centre.events(), [] as [&str; 0]);
}

#[test]
fn the_whole_wait_counts_also_of_a_place_that_was_regained() {
    let mut centre = centre(widening(&[(30, 2), (60, 0)]), &[("201", 2), ("202", 0)]);
    asks_since(&mut centre, 1, 4, None, 45);
    centre.answers(1);
    asks_since(&mut centre, 2, 4, None, 45);
    centre.pass(15.0);
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 2 to 202"]);
}

#[test]
fn one_who_widens_while_a_phone_rings_is_offered_to_more_when_that_fails() {
    let mut centre = centre(widening(&[(5, 0)]), &[("201", 5), ("202", 0)]);
    asks(&mut centre, 1, 4, None);
    centre.pass(6.0);
    assert_eq!(centre.events(), ["offer 1 to 201"]);
    centre.fails(1, "201", NoAnswer::Declined);
    assert_eq!(centre.events(), ["offer 1 to 202"]);
}

#[test]
fn nothing_is_left_of_a_rule_when_the_contact_is_answered_or_gone() {
    let mut centre = centre(widening(&[(30, 2), (60, 0)]), &[("201", 5)]);
    asks(&mut centre, 1, 4, None);
    asks(&mut centre, 2, 4, None);
    centre.answers(1);
    centre.leaves(2);
    assert_eq!(centre.acd.timers.next(), None);
}
