//! Cold work: to agents who have been idle for long enough, while they are not too busy, and never too late.

use super::*;
use crate::views::OccupancyBand;

/// Sales, whose cold work goes to agents idle for 10 s and is held back for five minutes at most.
fn sales(agents: &[&str]) -> Centre {
    let callback = settings::CallbackRules {
        idle: Duration::from_secs(10),
        hold_back: Duration::from_secs(300),
        ..settings::CallbackRules::default()
    };
    let agents = agents.iter().map(|id| agent(id, &["sales"])).collect();
    let mut centre = Centre::new(vec![settings::Queue { callback, ..queue("sales") }], agents);
    centre.pass(60.0);
    centre
}

fn promises(centre: &mut Centre, contact: u128) {
    let now = centre.now;
    centre.acd.enqueue_cold_callback(CallId(contact), &"sales".into(), &Demand::default(), now.instant, now).unwrap();
}

fn view(centre: &Centre) -> crate::views::QueueView {
    centre.acd.queue_view(&"sales".into()).unwrap()
}

/// 201 talks all the time, with callers who come at once, for so many minutes.
fn works(centre: &mut Centre, contacts: std::ops::Range<u128>) {
    for contact in contacts {
        centre.calls(contact);
        centre.answers(contact);
        centre.pass(60.0);
        centre.ends(contact);
        centre.pass(5.0);
    }
}

#[test]
fn it_goes_at_once_to_one_who_has_been_idle_for_long() {
    let mut centre = sales(&["201"]);
    promises(&mut centre, 9);
    assert_eq!(centre.events(), ["offer 9 to 201"]);
    assert_eq!(centre.acd.reached(CallId(9), centre.now), Some("201".into()));
    centre.answers(9);
    let view = view(&centre);
    assert_eq!((view.callbacks, view.callbacks_held_back, view.offered, view.handled), (0, 0, 1, 1));
}

#[test]
fn who_comes_free_takes_callers_first_and_cold_work_when_idle_for_long_enough() {
    let mut centre = sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    promises(&mut centre, 9);
    assert_eq!((view(&centre).callbacks, view(&centre).callbacks_held_back), (1, 1));
    centre.pass(20.0);
    centre.calls(2);
    assert_eq!((centre.position(2), centre.position(9)), (Some(1), None), "nobody stands behind what is held back");
    centre.ends(1);
    centre.events();
    centre.pass(5.0);
    assert_eq!(centre.events(), ["1 wrapped up in 5s", "offer 2 to 201"], "though the call-back was promised before");
    centre.answers(2);
    centre.ends(2);
    centre.pass(14.9);
    assert_eq!(centre.events(), ["2 wrapped up in 5s"], "idle for 9.9 s");
    centre.pass(1.1);
    assert_eq!(centre.events(), ["offer 9 to 201"]);
}

#[test]
fn while_the_agents_are_too_busy_it_waits_and_is_done_when_they_are_not() {
    let mut centre = sales(&["201"]);
    works(&mut centre, 1..15);
    centre.pass(60.0);
    centre.events();
    let busy = view(&centre);
    assert!(busy.occupancy.unwrap() > 0.9, "{busy:?}");
    assert_eq!(busy.occupancy_band, Some(OccupancyBand::Above));
    promises(&mut centre, 9);
    centre.pass(100.0);
    assert_eq!(centre.events(), [""; 0], "idle for long enough, and still above 80 %");
    // So long as a minute after the other is idle.
    centre.pass(150.0);
    assert_eq!(centre.events(), ["offer 9 to 201"]);
    assert_eq!(view(&centre).occupancy_band, Some(OccupancyBand::Within));
    assert!((0.6..0.8).contains(&view(&centre).occupancy.unwrap()), "{:?}", view(&centre));
}

/// Nobody is ever idle for long enough, and the agents are busy all the time: a promise is kept all the same.
#[test]
fn a_promise_is_held_back_for_a_bounded_time_only() {
    let mut centre = sales(&["201"]);
    works(&mut centre, 1..15);
    centre.calls(20);
    centre.answers(20);
    promises(&mut centre, 9);
    let promised = centre.now.instant;
    let mut contact = 20;
    centre.events();
    loop {
        // One more waits always, so that the agent is never idle.
        centre.calls(contact + 1);
        centre.pass(30.0);
        centre.ends(contact);
        centre.pass(5.0);
        let waited = centre.now.instant.since(promised);
        if centre.events().contains(&"offer 9 to 201".to_owned()) {
            assert!(waited >= Duration::from_secs(300), "{waited:?}: the bound was not met before");
            assert!(waited <= Duration::from_secs(300 + 35), "{waited:?}: then it is the first who has waited");
            return;
        }
        assert!(waited < Duration::from_secs(600), "it starves");
        contact += 1;
        assert!(centre.answers_by(contact, "201"));
    }
}

#[test]
fn one_that_keeps_a_place_is_no_cold_work() {
    let mut centre = sales(&["201"]);
    works(&mut centre, 1..15);
    let now = centre.now;
    centre.events();
    centre.acd.enqueue_callback(CallId(9), &"sales".into(), &Demand::default(), now.instant, now).unwrap();
    assert_eq!(centre.events(), ["offer 9 to 201"]);
}

#[test]
fn what_loses_its_agent_is_held_back_again_and_who_is_reached_without_one_is_a_caller() {
    let mut centre = sales(&["201", "202"]);
    centre.asks("202", Wanted::Paused("lunch".to_owned()));
    promises(&mut centre, 9);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    assert_eq!(centre.events(), ["offer 9 to 201", "withdraw 9 from 201"]);
    assert_eq!((view(&centre).callbacks_held_back, centre.position(9)), (1, None));
    centre.asks("202", Wanted::Available);
    assert_eq!(centre.events(), [""; 0], "202 has not been idle for long enough");
    assert_eq!(centre.acd.reached(CallId(9), centre.now), None);
    assert_eq!(centre.events(), ["offer 9 to 202"], "but somebody waits on the line");
    centre.answers(9);
    centre.ends(9);
    centre.pass(1_000.0);
    assert_eq!(centre.acd.counts(), AcdCounts::default());
}

#[test]
fn held_back_or_not_it_is_nobodys_wait_on_the_line() {
    let mut centre = sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    promises(&mut centre, 9);
    centre.pass(60.0);
    let load = centre.acd.load("sales", centre.now).unwrap();
    assert_eq!((load.waiting, load.longest_wait), (0, Duration::ZERO));
    centre.leaves(9);
    let view = view(&centre);
    assert_eq!((view.callbacks, view.offered, view.abandoned, view.overflowed), (0, 1, 0, 0));
}
