//! What agents do is told change by change, and taken up by the next process.

use super::*;
use crate::shift::{AgentChange, Resume};

/// What was told since the last look: the changes, and how wrap-ups ended.
fn told(centre: &mut Centre) -> (Vec<AgentChange>, Vec<String>) {
    let (mut changes, mut wrapped_up) = (Vec::new(), Vec::new());
    while let Some(event) = centre.acd.poll_event() {
        match event {
            AcdEvent::Entered(change) => changes.push(*change),
            AcdEvent::WrappedUp { contact, acw } => wrapped_up.push(format!("{} in {acw:?}", contact.0)),
            _ => {}
        }
    }
    (changes, wrapped_up)
}

fn steps(changes: &[AgentChange]) -> Vec<(AgentState, Cause)> {
    changes.iter().map(|change| (change.state, change.cause)).collect()
}

/// A process that begins `seconds` after the last one told what it left, with the same people.
fn next_process(centre: &Centre, left: &[AgentChange], seconds: u64, phones: &[&str]) -> Centre {
    let passed = jiff::SignedDuration::from_secs(seconds as i64);
    let now = Now { instant: Instant(0) + Duration::from_secs(86_400), wall: centre.now.wall + passed };
    let (queues, agents) = (centre.queues.clone(), centre.agents.clone());
    let mut acd = Acd::new(&queues, &agents, [8; 32], now);
    phones.iter().for_each(|agent| acd.set_reachable(&AgentId::from(*agent), true, now));
    let text = serde_json::to_string(left).unwrap();
    acd.take_up(&serde_json::from_str::<Vec<AgentChange>>(&text).unwrap(), now);
    Centre { acd, now, queues, agents }
}

#[test]
fn every_change_is_told_with_its_cause_also_those_of_one_instant() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.calls(2);
    centre.acd.agent_ringing(CallId(1), &AgentId::from("201"), centre.now);
    centre.fails(1, "201", NoAnswer::Declined);
    centre.answers(2);
    centre.pass(60.0);
    centre.ends(2);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    let (changes, _) = told(&mut centre);
    assert_eq!(
        steps(&changes),
        [
            (AgentState::Reserved, Cause::Offered),
            (AgentState::Ringing, Cause::PhoneRang),
            (AgentState::Available, Cause::OfferFailed(NoAnswer::Declined)),
            (AgentState::Reserved, Cause::Offered),
            (AgentState::Talking, Cause::Answered),
            (AgentState::WrapUp, Cause::TalkEnded),
            (AgentState::Paused, Cause::WrapUpEnded),
        ]
    );
    let of = |change: &AgentChange| (change.call_id, change.queue.clone());
    assert_eq!(of(&changes[1]), (Some(CallId(1)), Some("sales".into())));
    assert_eq!(of(&changes[5]), (Some(CallId(2)), Some("sales".into())), "the queue is known in the wrap-up");
    assert_eq!(of(&changes[6]), (None, None));
    assert_eq!(changes[6].reason.as_deref(), Some("lunch"));
}

#[test]
fn who_logs_in_or_is_given_other_queues_tells_for_whom_they_work() {
    let mut centre = Centre::new(vec![queue("sales"), queue("support")], vec![agent("201", &["sales"])]);
    centre.phone("201", false);
    centre.phone("201", true);
    let (changes, _) = told(&mut centre);
    assert_eq!(steps(&changes)[1], (AgentState::Available, Cause::PhoneRegistered));
    assert_eq!(changes[1].member_of.as_ref().map(|of| of.queues.clone()), Some(vec!["sales".into()]));
    centre.acd.configure(&centre.queues, &[agent("201", &["support"])], centre.now);
    let (changes, _) = told(&mut centre);
    assert_eq!(steps(&changes), [(AgentState::Available, Cause::Configured)]);
    assert_eq!(changes[0].member_of.as_ref().map(|of| of.queues.clone()), Some(vec!["support".into()]));
    centre.acd.configure(&centre.queues, &[], centre.now);
    assert_eq!(steps(&told(&mut centre).0), [(AgentState::LoggedOut, Cause::Dismissed)]);
}

#[test]
fn a_pause_and_a_log_out_are_there_again_when_the_process_is() {
    let mut centre = Centre::sales(&["201", "202", "203", "204"]);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    centre.asks("202", Wanted::LoggedOut);
    centre.phone("203", false);
    centre.asks("204", Wanted::Paused("training".to_owned()));
    centre.phone("204", false);
    let (left, _) = told(&mut centre);
    // Dead twice before any phone has registered.
    let stopped: Vec<AgentChange> = left.iter().map(|change| change.stopped(centre.now.wall)).collect();
    for left in [left.clone(), stopped] {
        let mut next = next_process(&centre, &left, 30, &["203"]);
        assert_eq!(next.state("201"), AgentState::LoggedOut, "no phone yet");
        for agent in ["201", "202", "203", "204"] {
            next.phone(agent, true);
        }
        let paused = |agent: &str| next.acd.agent_view(&AgentId::from(agent)).unwrap().reason;
        assert_eq!((next.state("201"), paused("201").as_deref()), (AgentState::Paused, Some("lunch")));
        assert_eq!(next.state("202"), AgentState::LoggedOut);
        assert_eq!(next.state("203"), AgentState::Available);
        assert_eq!((next.state("204"), paused("204").as_deref()), (AgentState::Paused, Some("training")));
    }
}

#[test]
fn one_who_was_not_responding_is_so_again() {
    let mut centre = Centre::sales(&["201"]);
    for contact in [1, 2] {
        centre.calls(contact);
        centre.fails(contact, "201", NoAnswer::Declined);
        centre.leaves(contact);
        centre.pass(11.0);
    }
    assert_eq!(centre.state("201"), AgentState::NotResponding);
    let (left, _) = told(&mut centre);
    let next = next_process(&centre, &left[left.len() - 1..], 5, &["201"]);
    assert_eq!(next.state("201"), AgentState::NotResponding);
}

#[test]
fn a_wrap_up_goes_on_to_its_end() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    centre.pass(30.0);
    centre.ends(1);
    let (left, _) = told(&mut centre);
    let last = &left[left.len() - 1..];
    // Two of the five seconds are over.
    let mut next = next_process(&centre, last, 2, &["201"]);
    assert_eq!(next.state("201"), AgentState::WrapUp);
    next.calls(2);
    next.pass(2.9);
    assert_eq!(next.state("201"), AgentState::WrapUp);
    next.pass(0.2);
    assert_eq!(next.state("201"), AgentState::Reserved);
    assert_eq!(told(&mut next).1, ["1 in 5s"]);
    // A minute later it is long over, and told as what it would have been.
    let mut late = next_process(&centre, last, 60, &["201"]);
    assert_eq!(late.state("201"), AgentState::Available);
    assert_eq!(told(&mut late).1, ["1 in 5s"]);
}

#[test]
fn what_brings_an_agent_back_is_told_by_the_state() {
    let mut centre = Centre::sales(&["201"]);
    centre.phone("201", false);
    let (changes, _) = told(&mut centre);
    assert_eq!(changes[0].resume, Some(Resume::Available));
    centre.phone("201", true);
    centre.asks("201", Wanted::LoggedOut);
    let (changes, _) = told(&mut centre);
    assert_eq!(changes.last().and_then(AgentChange::resumes), None, "who logs out stays out");
}

#[test]
fn what_was_asked_for_during_a_talk_outlives_the_process() {
    let mut centre = Centre::sales(&["201", "202", "203"]);
    let lunch = || Wanted::Paused("lunch".to_owned());
    for contact in 1..=3 {
        centre.calls(contact);
        centre.answers(contact);
    }
    let _ = told(&mut centre);
    centre.pass(10.0);
    centre.asks("201", lunch());
    centre.asks("202", Wanted::LoggedOut);
    centre.asks("203", lunch());
    centre.pass(1.0);
    centre.asks("203", Wanted::Available);
    let (left, _) = told(&mut centre);
    let told_of = |change: &AgentChange| (change.agent.to_string(), change.state, change.cause, change.wanted.clone());
    let asked = |agent: &str, wanted| (agent.to_owned(), AgentState::Talking, Cause::Asked, wanted);
    assert_eq!(
        left.iter().map(told_of).collect::<Vec<_>>(),
        [
            asked("201", Some(lunch())),
            asked("202", Some(Wanted::LoggedOut)),
            asked("203", Some(lunch())),
            asked("203", None),
        ]
    );
    let last = [left[0].clone(), left[1].clone(), left[3].clone()];
    // The store closes what was open; before any phone registers the process may die once more.
    let stopped: Vec<AgentChange> = last.iter().map(|change| change.stopped(centre.now.wall)).collect();
    for left in [last.to_vec(), stopped] {
        let mut next = next_process(&centre, &left, 20, &["201"]);
        ["202", "203"].iter().for_each(|agent| next.phone(agent, true));
        let states = ["201", "202", "203"].map(|agent| next.state(agent));
        assert_eq!(states, [AgentState::Paused, AgentState::LoggedOut, AgentState::Available]);
        assert_eq!(next.acd.agent_view(&"201".into()).unwrap().reason.as_deref(), Some("lunch"));
    }
}

#[test]
fn what_was_asked_for_comes_after_a_wrap_up_that_the_death_of_the_process_interrupted() {
    let mut centre = Centre::sales(&["201"]);
    centre.calls(1);
    centre.answers(1);
    centre.asks("201", Wanted::Paused("lunch".to_owned()));
    centre.ends(1);
    let (left, _) = told(&mut centre);
    let last = &left[left.len() - 1..];
    assert_eq!(last[0].state, AgentState::WrapUp);
    let mut next = next_process(&centre, last, 2, &["201"]);
    assert_eq!(next.state("201"), AgentState::WrapUp);
    next.pass(3.1);
    assert_eq!(next.state("201"), AgentState::Paused);
    assert_eq!(next_process(&centre, last, 60, &["201"]).state("201"), AgentState::Paused);
}
