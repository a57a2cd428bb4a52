//! Members of a queue in certain hours only.

use super::*;

fn open(mornings: bool) -> BTreeMap<String, Hours> {
    BTreeMap::from([("mornings".to_owned(), Hours { open: mornings, changes_at: None })])
}

/// 201 is always of sales; 202 of support, and of sales in the mornings.
fn centre() -> Centre {
    let mut extended = agent("202", &["sales", "support"]);
    extended.schedules.insert("sales".into(), "mornings".to_owned());
    Centre::new(vec![queue("sales"), queue("support")], vec![agent("201", &["sales"]), extended])
}

fn hours(centre: &mut Centre, mornings: bool) {
    centre.acd.set_hours(open(mornings), centre.now);
}

fn queues_of(centre: &Centre, agent: &str) -> Vec<String> {
    let view = centre.acd.agent_view(&AgentId::from(agent)).unwrap();
    view.queues.iter().map(ToString::to_string).collect()
}

#[test]
fn outside_their_hours_no_call_of_the_queue_is_offered_and_in_them_the_next_that_waits() {
    let mut centre = centre();
    hours(&mut centre, false);
    centre.calls(1);
    centre.calls(2);
    centre.calls_for(3, "support");
    assert_eq!(centre.events(), ["offer 1 to 201", "offer 3 to 202"]);
    centre.fails(3, "202", NoAnswer::Declined);
    centre.leaves(3);
    assert_eq!((centre.state("202"), queues_of(&centre, "202")), (AgentState::Available, vec!["support".to_owned()]));
    hours(&mut centre, true);
    assert_eq!(centre.events(), ["offer 2 to 202"]);
    assert_eq!(queues_of(&centre, "202"), ["sales", "support"], "in the order of preference");
}

#[test]
fn outside_their_hours_they_are_no_staff_of_the_queue() {
    let mut centre = centre();
    let counts = |centre: &Centre, queue: &str| {
        let view = centre.acd.queue_view(&queue.into()).unwrap();
        (view.agents_available, view.agents_logged_in, view.agents_off_schedule)
    };
    assert_eq!(counts(&centre, "sales"), (2, 2, 0), "nothing is known of the calendar");
    hours(&mut centre, false);
    assert_eq!((counts(&centre, "sales"), counts(&centre, "support")), ((1, 1, 1), (1, 1, 0)));
    centre.phone("201", false);
    assert_eq!(counts(&centre, "sales"), (0, 0, 1));
    assert_eq!(centre.acd.load("sales", centre.now).unwrap().agents_logged_in, 0, "nobody is there, say the plans");
    centre.phone("202", false);
    assert_eq!(counts(&centre, "sales"), (0, 0, 0));
    hours(&mut centre, true);
    centre.phone("202", true);
    assert_eq!(counts(&centre, "sales"), (1, 1, 0));
}

#[test]
fn what_was_offered_and_a_talk_go_on_over_the_end_of_the_hours() {
    let mut centre = centre();
    hours(&mut centre, true);
    centre.calls(1);
    centre.calls(2);
    centre.events();
    hours(&mut centre, false);
    assert_eq!(centre.events(), [""; 0], "202 still rings");
    assert!(centre.answers_by(1, "201") && centre.answers_by(2, "202"));
    centre.pass(600.0);
    assert_eq!(centre.state("202"), AgentState::Talking);
    centre.calls(3);
    centre.ends(2);
    centre.pass(10.0);
    assert_eq!(centre.events().last().map(String::as_str), Some("2 wrapped up in 5s"));
    assert_eq!((centre.state("202"), centre.position(3)), (AgentState::Available, Some(1)));
}

#[test]
fn nobody_waits_for_an_agent_whose_hours_are_over() {
    let mut centre = Centre::new(vec![queue("sales")], vec![agent("201", &["sales"]), agent("202", &["sales"])]);
    centre.agents[1].schedules.insert("sales".into(), "mornings".to_owned());
    centre.acd.reconfigure(&centre.queues, &centre.agents, open(true), centre.now);
    centre.calls(1);
    centre.answers_by(1, "201");
    centre.calls(2);
    assert!(centre.answers_by(2, "202"));
    centre.ends(1);
    centre.pass(5.0);
    let wait = Duration::from_secs(300);
    let prefers = PreferredAgent { agent: "202".into(), wait };
    let demand = Demand { prefer_agent: Some(prefers), ..Demand::default() };
    centre.acd.enqueue(CallId(3), &"sales".into(), &demand, centre.now.instant, centre.now).unwrap();
    centre.events();
    hours(&mut centre, false);
    assert_eq!(centre.events(), ["offer 3 to 201"]);
}

#[test]
fn a_change_of_membership_is_written_down() {
    let mut centre = centre();
    hours(&mut centre, false);
    let told = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
        AcdEvent::Entered(change) => Some(change),
        _ => None,
    });
    let told = told.expect("a change");
    assert_eq!((told.state, told.cause), (AgentState::Available, Cause::Scheduled));
    assert_eq!(told.member_of.expect("for whom they work").queues, [QueueId::from("support")]);
    hours(&mut centre, false);
    let more = std::iter::from_fn(|| centre.acd.poll_event()).any(|event| matches!(event, AcdEvent::Entered(_)));
    assert!(!more, "nothing has changed");
}

#[test]
fn a_reload_takes_the_hours_with_the_schedules() {
    let mut centre = centre();
    hours(&mut centre, true);
    centre.calls(1);
    centre.calls(2);
    centre.calls(3);
    centre.events();
    centre.answers_by(2, "202");
    centre.agents[1].schedules = [("sales".into(), "evenings".to_owned())].into();
    let closed = BTreeMap::from([("evenings".to_owned(), Hours { open: false, changes_at: None })]);
    centre.acd.reconfigure(&centre.queues, &centre.agents, closed, centre.now);
    centre.ends(2);
    centre.pass(5.0);
    assert_eq!((centre.state("202"), queues_of(&centre, "202")), (AgentState::Available, vec!["support".to_owned()]));
    centre.agents[1].schedules.clear();
    centre.acd.reconfigure(&centre.queues, &centre.agents, BTreeMap::new(), centre.now);
    assert!(centre.events().contains(&"offer 3 to 202".to_owned()), "always a member");
}

#[test]
fn the_view_and_the_reason_of_an_offer_name_the_schedule() {
    let mut centre = centre();
    let noon = centre.now.wall + jiff::SignedDuration::from_hours(2);
    let hours = Hours { open: true, changes_at: Some(noon) };
    centre.acd.set_hours(BTreeMap::from([("mornings".to_owned(), hours)]), centre.now);
    let view = centre.acd.agent_view(&"202".into()).unwrap();
    let [schedule] = &view.schedules[..] else { panic!("{view:?}") };
    assert_eq!((schedule.queue.as_str(), schedule.schedule.as_str()), ("sales", "mornings"));
    assert_eq!((schedule.member, schedule.changes_at), (true, Some(noon)));
    let reason = |centre: &mut Centre| {
        let offer = std::iter::from_fn(|| centre.acd.poll_event()).find_map(|event| match event {
            AcdEvent::Offer { reason, .. } => Some(reason),
            _ => None,
        });
        offer.expect("an offer")
    };
    centre.calls(1);
    let by = |candidate: &Candidate| match candidate {
        Candidate::Agent { agent, schedule, .. } => (agent.to_string(), schedule.clone()),
        Candidate::Contact { .. } => panic!("{candidate:?}"),
    };
    let first = reason(&mut centre);
    assert_eq!(by(&first.chosen), ("201".to_owned(), None));
    assert_eq!(by(&first.runners_up[0]), ("202".to_owned(), Some("mornings".to_owned())));
    assert_eq!(first.off_schedule, 0);
    centre.answers(1);
    centre.ends(1);
    centre.pass(5.0);
    centre.acd.set_hours(open(false), centre.now);
    centre.calls(2);
    let second = reason(&mut centre);
    assert_eq!((second.rule, second.off_schedule), (Rule::OnlyOne, 1), "202 is there, and these are not their hours");
}
