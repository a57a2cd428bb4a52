//! Who of those that wait is next.

use super::*;

fn wants(priority: i32) -> Demand {
    Demand { priority, ..Demand::default() }
}

/// A queue whose target is so many seconds.
fn within(id: &str, seconds: u64) -> settings::Queue {
    settings::Queue { answer_within: Duration::from_secs(seconds), ..queue(id) }
}

fn stepped(id: &str, seconds: u64) -> settings::Queue {
    settings::Queue { priority_step: Some(Duration::from_secs(seconds)), ..queue(id) }
}

/// One agent, who talks and will take the next of these queues.
fn busy(queues: Vec<settings::Queue>) -> Centre {
    let names: Vec<String> = queues.iter().map(|queue| queue.id.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut centre = Centre::new(queues, vec![agent("201", &names)]);
    centre.acd.seize(&"201".into(), CallId(1), centre.now).unwrap();
    centre.answers(1);
    centre
}

fn comes(centre: &mut Centre, contact: u128, queue: &str, demand: &Demand) {
    centre.acd.enqueue(CallId(contact), &queue.into(), demand, centre.now.instant, centre.now).unwrap();
}

/// Whom the agent takes when the talk ends now, and by which rule.
fn next(centre: &mut Centre) -> (u128, Rule) {
    centre.events();
    centre.ends(1);
    let offer = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
        AcdEvent::Offer { contact, reason, .. } => Some((contact.0, reason.rule)),
        _ => None,
    });
    offer.expect("an offer")
}

#[test]
fn a_higher_priority_goes_before_those_who_came_a_little_earlier() {
    let mut centre = busy(vec![queue("sales")]);
    comes(&mut centre, 2, "sales", &wants(0));
    centre.pass(50.0);
    comes(&mut centre, 3, "sales", &wants(1));
    comes(&mut centre, 4, "sales", &wants(-1));
    assert_eq!((centre.position(3), centre.position(2), centre.position(4)), (Some(1), Some(2), Some(3)));
    assert_eq!(next(&mut centre), (3, Rule::Priority));
}

#[test]
fn one_step_of_priority_is_worth_the_queues_step_of_waiting() {
    for (settings, step) in [(queue("sales"), 60.0), (within("sales", 30), 90.0), (stepped("sales", 10), 10.0)] {
        for (early, first) in [(step * 2.0 - 0.1, 3), (step * 2.0 + 0.1, 2)] {
            let mut centre = busy(vec![settings.clone()]);
            comes(&mut centre, 2, "sales", &wants(0));
            centre.pass(early);
            comes(&mut centre, 3, "sales", &wants(2));
            assert_eq!(centre.position(first), Some(1), "{early} s earlier, of a step of {step} s");
            // Both age alike: nothing changes.
            centre.pass(1_000.0);
            assert_eq!(centre.position(first), Some(1));
            assert_eq!(next(&mut centre).0, first);
        }
    }
}

#[test]
fn where_the_step_is_zero_no_wait_makes_up_for_a_priority() {
    let mut centre = busy(vec![stepped("sales", 0)]);
    comes(&mut centre, 2, "sales", &wants(0));
    centre.pass(100_000.0);
    comes(&mut centre, 3, "sales", &wants(1));
    assert_eq!(next(&mut centre), (3, Rule::Priority));
}

#[test]
fn of_equal_priorities_in_two_queues_the_larger_part_of_the_target_goes_first() {
    let mut centre = busy(vec![within("slow", 100), within("fast", 10)]);
    comes(&mut centre, 2, "slow", &wants(3));
    centre.pass(30.0);
    comes(&mut centre, 3, "fast", &wants(3));
    centre.pass(3.0);
    // 33 of 100, and 3 of 10.
    centre.pass(0.3);
    assert_eq!(next(&mut centre), (2, Rule::ServiceLevel), "0.333 of its target is more than 0.33");
    let mut centre = busy(vec![within("slow", 100), within("fast", 10)]);
    comes(&mut centre, 2, "slow", &wants(3));
    centre.pass(30.0);
    comes(&mut centre, 3, "fast", &wants(3));
    centre.pass(3.4);
    assert_eq!(next(&mut centre), (3, Rule::ServiceLevel), "time has changed who is ahead");
}

#[test]
fn queues_that_do_not_age_compare_priority_then_ratio_then_wait() {
    let strict = |id, target| settings::Queue { priority_step: Some(Duration::ZERO), ..within(id, target) };
    let mut centre = busy(vec![strict("slow", 40), strict("fast", 10)]);
    comes(&mut centre, 2, "slow", &wants(0));
    centre.pass(30.0);
    comes(&mut centre, 3, "fast", &wants(0));
    centre.pass(10.0);
    assert_eq!(next(&mut centre), (2, Rule::LongestWait), "both have waited their whole target");
}

#[test]
fn queues_of_different_steps_compare_what_was_gained_by_waiting() {
    let mut centre = busy(vec![stepped("slow", 60), stepped("fast", 10)]);
    comes(&mut centre, 2, "slow", &wants(0));
    centre.pass(20.0);
    comes(&mut centre, 3, "fast", &wants(0));
    centre.pass(5.0);
    assert_eq!(next(&mut centre), (3, Rule::Ageing), "half a step is more than 25 sixtieths");
}

#[test]
fn of_those_who_wait_alike_the_agents_first_queue_goes_first() {
    let mut centre = busy(vec![queue("first"), queue("second")]);
    comes(&mut centre, 2, "second", &wants(0));
    comes(&mut centre, 3, "first", &wants(0));
    centre.pass(5.0);
    assert_eq!(next(&mut centre), (3, Rule::QueuePreference));
}

#[test]
fn the_reason_names_three_runners_up_with_what_was_compared() {
    let mut centre = busy(vec![queue("sales")]);
    for contact in 2..8 {
        comes(&mut centre, contact, "sales", &wants(0));
        centre.pass(1.0);
    }
    centre.events();
    centre.ends(1);
    let reason = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
        AcdEvent::Offer { reason, .. } => Some(reason),
        _ => None,
    });
    let reason = reason.unwrap();
    assert_eq!((reason.rule, reason.at), (Rule::LongestWait, centre.now.wall));
    let waits = |contact: u128, waited_s: u64| Candidate::Contact {
        call_id: CallId(contact),
        queue: "sales".into(),
        priority: rounded(waited_s as f64 / 60.0),
        ratio: rounded(waited_s as f64 / 20.0),
        waited_ms: waited_s * 1_000,
    };
    assert_eq!((reason.chosen, reason.runners_up), (waits(2, 6), vec![waits(3, 5), waits(4, 4), waits(5, 3)]));
}

#[test]
fn the_longest_wait_is_not_that_of_the_first_in_line() {
    let mut centre = busy(vec![queue("sales")]);
    comes(&mut centre, 2, "sales", &wants(0));
    centre.pass(30.0);
    comes(&mut centre, 3, "sales", &wants(5));
    assert_eq!(centre.acd.load("sales", centre.now).unwrap().longest_wait, Duration::from_secs(30));
    let since = centre.acd.queue_view(&"sales".into()).unwrap().longest_waiting_since.unwrap();
    assert_eq!(centre.now.wall.duration_since(since), jiff::SignedDuration::from_secs(30));
    centre.leaves(2);
    assert_eq!(centre.acd.load("sales", centre.now).unwrap().longest_wait, Duration::ZERO);
}

#[test]
fn a_changed_step_puts_those_who_wait_in_their_new_order() {
    let mut centre = busy(vec![stepped("sales", 60)]);
    comes(&mut centre, 2, "sales", &wants(0));
    centre.pass(30.0);
    comes(&mut centre, 3, "sales", &wants(1));
    assert_eq!(centre.position(3), Some(1));
    centre.acd.configure(&[stepped("sales", 20)], &centre.agents, centre.now);
    assert_eq!((centre.position(2), centre.position(3)), (Some(1), Some(2)));
    assert_eq!(next(&mut centre), (2, Rule::Priority));
}

/// How long an ordinary caller waits while callers of priority 3 come twice as fast as they can be served; `None` where
/// that takes more than an hour.
fn wait_in_a_flood(step_s: u64) -> Option<Duration> {
    let mut centre = busy(vec![settings::Queue { wrap_up: Duration::ZERO, ..stepped("sales", step_s) }]);
    let came = centre.now.instant;
    comes(&mut centre, 2, "sales", &wants(0));
    let mut talking = 1;
    for minute in 0..60 {
        for half in [0, 1] {
            comes(&mut centre, 3 + 2 * minute + half, "sales", &wants(3));
            centre.pass(30.0);
        }
        centre.ends(talking);
        let served = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
            AcdEvent::Offer { contact, .. } => Some(contact.0),
            _ => None,
        });
        talking = served.expect("somebody waits");
        if talking == 2 {
            return Some(centre.now.instant.since(came));
        }
        centre.answers(talking);
    }
    None
}

#[test]
fn a_flood_of_higher_priority_passes_an_ordinary_caller_for_a_bounded_time_only() {
    // Three steps of a minute: the six who come within them go first, and those who wait with the agent's talk.
    let wait = wait_in_a_flood(60).expect("an end of the wait");
    assert!(wait <= Duration::from_secs(8 * 60), "{wait:?}");
    assert_eq!(wait_in_a_flood(0), None, "without ageing there is no end");
}

#[test]
fn a_call_back_keeps_its_priority_with_its_place() {
    let mut centre = busy(vec![queue("sales")]);
    comes(&mut centre, 2, "sales", &wants(0));
    let now = centre.now;
    centre.acd.enqueue_callback(CallId(9), &"sales".into(), &wants(1), now.instant, now).unwrap();
    assert_eq!((centre.position(9), centre.position(2)), (Some(1), Some(2)));
    assert_eq!(next(&mut centre), (9, Rule::Priority));
}

/// As `busy`, but the agent goes by the order of the queues.
fn by_queue_order(queues: Vec<settings::Queue>) -> Centre {
    let mut centre = busy(queues);
    centre.agents[0].call_preference = settings::CallPreference::QueueOrder;
    centre.acd.configure(&centre.queues, &centre.agents, centre.now);
    centre
}

#[test]
fn who_goes_by_the_order_of_queues_takes_the_first_queue_of_equal_priorities() {
    // After 50 s support has the larger ratio and the longer wait.
    let comes_to_both = |centre: &mut Centre| {
        comes(centre, 2, "support", &wants(0));
        centre.pass(50.0);
        comes(centre, 3, "sales", &wants(0));
        centre.pass(5.0);
        next(centre)
    };
    let queues = || vec![queue("sales"), queue("support")];
    assert_eq!(comes_to_both(&mut busy(queues())), (2, Rule::ServiceLevel));
    assert_eq!(comes_to_both(&mut by_queue_order(queues())), (3, Rule::QueuePreference));
}

#[test]
fn a_higher_priority_outdoes_the_order_of_queues() {
    let mut centre = by_queue_order(vec![queue("sales"), queue("support")]);
    comes(&mut centre, 2, "sales", &wants(0));
    comes(&mut centre, 3, "support", &wants(1));
    assert_eq!(next(&mut centre), (3, Rule::Priority));
}

#[test]
fn a_whole_step_of_waiting_outdoes_the_order_of_queues() {
    for (waited, first) in [(59.9, 3), (60.0, 2)] {
        let mut centre = by_queue_order(vec![stepped("sales", 60), stepped("support", 60)]);
        comes(&mut centre, 2, "support", &wants(0));
        centre.pass(waited);
        comes(&mut centre, 3, "sales", &wants(0));
        assert_eq!(next(&mut centre).0, first, "after {waited} s");
    }
}

/// Another caller of the first queue always waits. The one of the second is passed for a step and a talk.
#[test]
fn nobody_starves_for_the_order_of_queues() {
    let mut centre = by_queue_order(vec![
        settings::Queue { wrap_up: Duration::ZERO, ..stepped("sales", 60) },
        settings::Queue { wrap_up: Duration::ZERO, ..stepped("support", 60) },
    ]);
    comes(&mut centre, 2, "support", &wants(0));
    let came = centre.now.instant;
    let mut contact = 1;
    for talk in 3..40 {
        comes(&mut centre, talk, "sales", &wants(0));
        centre.pass(20.0);
        centre.ends(contact);
        if centre.events().contains(&"offer 2 to 201".to_owned()) {
            let waited = centre.now.instant.since(came);
            assert!((60..=100).contains(&waited.as_secs()), "{waited:?}");
            return;
        }
        contact = (3..40).find(|known| !centre.acd.offered_agents(CallId(*known)).is_empty()).expect("an offer");
        centre.answers(contact);
    }
    panic!("the caller of the second queue starves");
}

/// One agent; a caller who spent 100 s with a bot comes after one who did not, and is served first.
#[test]
fn time_before_the_queue_counts_for_the_place_and_not_for_the_figures() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    centre.calls(2);
    centre.pass(5.0);
    let counted = Duration::from_secs(100);
    let demand = Demand { counted, ..Demand::default() };
    let since = centre.now.instant - counted;
    centre.acd.enqueue(CallId(3), &"sales".into(), &demand, since, centre.now).unwrap();
    assert_eq!((centre.position(3), centre.position(2)), (Some(1), Some(2)));
    centre.pass(10.0);
    centre.ends(1);
    centre.pass(5.0);
    assert_eq!(centre.acd.offered_agents(CallId(3)).len(), 1);
    centre.answers(3);
    // Both were answered within the 20 s of the queue: the first at once, this one after 15 s.
    assert_eq!(centre.acd.load("sales", centre.now).unwrap().service_level, Some(1.0));
}
