//! Several agents are rung at once for one contact.

use super::*;

const ALL: [&str; 4] = ["201", "202", "203", "204"];

/// Agents 201 to 204, of whom so many are rung at once.
fn ringing(at_once: usize) -> Centre {
    let sales = settings::Queue { ring_at_once: at_once, ..queue("sales") };
    Centre::new(vec![sales], ALL.iter().map(|id| agent(id, &["sales"])).collect())
}

fn states(centre: &Centre) -> [AgentState; 4] {
    ALL.map(|id| centre.state(id))
}

#[test]
fn the_first_to_answer_talks_and_the_others_are_free_again() {
    use AgentState::{Available, Reserved, Ringing, Talking};
    let mut centre = ringing(3);
    centre.calls(1);
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 1 to 202", "offer 1 to 203"]);
    centre.acd.agent_ringing(CallId(1), &"202".into(), centre.now);
    assert_eq!(states(&centre), [Reserved, Ringing, Reserved, Available]);
    assert!(!centre.answers_by(1, "204"), "204 is not rung");
    assert!(centre.answers_by(1, "203"));
    assert_eq!(centre.events(), ["withdraw 1 from 201", "withdraw 1 from 202"]);
    assert_eq!(states(&centre), [Available, Available, Talking, Available]);
    assert!(!centre.answers_by(1, "201"), "a second answer comes too late");
    centre.calls(2);
    assert_eq!(centre.events(), ["offer 2 to 201", "offer 2 to 202", "offer 2 to 204"], "idle time went on");
}

#[test]
fn each_of_them_has_the_reason_that_put_them_before_the_next() {
    let mut centre = ringing(2);
    centre.calls(1);
    let reasons: Vec<(String, Rule, usize)> = std::iter::from_fn(|| centre.acd.poll_event())
        .filter_map(|event| match event {
            AcdEvent::Offer { reason, .. } => Some((reason.agent.to_string(), reason.rule, reason.runners_up.len())),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [("201".to_owned(), Rule::LongestIdle, 3), ("202".to_owned(), Rule::LongestIdle, 2)]);
}

#[test]
fn one_who_declines_stops_nobody_and_only_when_all_have_the_next_are_rung() {
    let mut centre = ringing(2);
    centre.calls(1);
    centre.events();
    centre.fails(1, "201", NoAnswer::Declined);
    assert_eq!(centre.events(), Vec::<String>::new());
    centre.asks("202", Wanted::Paused("lunch".to_owned()));
    assert_eq!(centre.events(), ["withdraw 1 from 202", "offer 1 to 203", "offer 1 to 204"]);
    assert_eq!(centre.position(1), Some(1));
}

#[test]
fn all_who_ring_too_long_are_stopped_together() {
    let mut centre = ringing(2);
    centre.calls(1);
    centre.events();
    centre.pass(15.0);
    let stopped = ["withdraw 1 from 201", "withdraw 1 from 202", "offer 1 to 203", "offer 1 to 204"];
    assert_eq!(centre.events(), stopped);
    centre.pass(15.0);
    let again = ["withdraw 1 from 203", "withdraw 1 from 204", "offer 1 to 201", "offer 1 to 202"];
    assert_eq!(centre.events(), again, "one unanswered contact each");
}

#[test]
fn one_who_is_given_back_takes_who_waits_and_the_caller_who_leaves_frees_all() {
    let mut centre = ringing(4);
    centre.calls(1);
    centre.calls(2);
    centre.events();
    assert!(centre.answers_by(1, "202"));
    let events = centre.events();
    assert_eq!(events[3..], ["offer 2 to 201"], "the first who is free takes the next caller: {events:?}");
    assert_eq!(centre.state("203"), AgentState::Available);
    centre.calls(3);
    assert_eq!(centre.events(), ["offer 3 to 203", "offer 3 to 204"]);
    centre.leaves(3);
    assert_eq!(centre.events(), ["withdraw 3 from 203", "withdraw 3 from 204"]);
}

#[test]
fn an_agent_who_chooses_a_caller_is_rung_alone_and_so_is_one_for_a_call_back() {
    let mut centre = ringing(2);
    for id in ALL {
        centre.asks(id, Wanted::Paused("lunch".to_owned()));
    }
    centre.calls(1);
    centre.asks("204", Wanted::Available);
    centre.asks("203", Wanted::Available);
    centre.pass(1.0);
    centre.asks("202", Wanted::Available);
    assert_eq!(centre.events(), ["offer 1 to 204"]);
    let (acd, now) = (&mut centre.acd, centre.now);
    acd.enqueue_callback(CallId(2), &"sales".into(), &Demand::default(), now.instant, now).unwrap();
    assert_eq!(centre.events(), ["offer 2 to 203"]);
}
