//! What agents did, across the death of the process.

use super::*;
use crate::shift::{AgentChange, Cause, Membership, Resume};
use crate::views::AgentState;

fn change(agent: &str, second: i64, state: AgentState, cause: Cause) -> AgentChange {
    AgentChange {
        agent: agent.into(),
        at: Wall::from_second(1_760_000_000 + second).unwrap(),
        state,
        cause,
        reason: None,
        call_id: None,
        queue: None,
        member_of: None,
        resume: None,
        wanted: None,
    }
}

fn logs_in(agent: &str, second: i64) -> AgentChange {
    let member_of = Some(Membership { queues: vec!["sales".into()], skills: Default::default() });
    AgentChange { member_of, ..change(agent, second, AgentState::Available, Cause::PhoneRegistered) }
}

fn paused(agent: &str, second: i64) -> AgentChange {
    AgentChange { reason: Some("lunch".to_owned()), ..change(agent, second, AgentState::Paused, Cause::Asked) }
}

fn found(data: &Path, from: i64, until: i64) -> Vec<AgentChange> {
    let at = |second| Wall::from_second(1_760_000_000 + second).unwrap();
    let mut found = Vec::new();
    read_agent_changes(data, at(from), at(until), |change| {
        found.push(change);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    found
}

#[test]
fn what_agents_did_is_given_in_order_with_what_they_did_before() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    let talks = change("201", 30, AgentState::Talking, Cause::Answered);
    let ends = change("201", 60, AgentState::WrapUp, Cause::TalkEnded);
    store.append(Entry::Agents(vec![logs_in("201", 0), paused("202", 10)]));
    store.append(Entry::Agents(vec![change("201", 20, AgentState::Reserved, Cause::Offered), talks.clone()]));
    store.append(Entry::Agents(vec![ends.clone()]));
    let later = [logs_in("201", 0), talks.clone(), paused("202", 10), ends.clone()];
    let spooled = found(data.path(), 50, 70);
    assert_eq!(spooled.last(), Some(&ends), "also what is only in the spool");
    all_moved(&store);
    // For 201 also for whom they work; 202 has never told.
    assert_eq!(found(data.path(), 50, 70), later);
    assert_eq!(found(data.path(), 50, 60), later[..3]);
    assert_eq!(found(data.path(), 0, 30).len(), 3);
    store.append(Entry::Agents(vec![paused("201", 65)]));
    assert_eq!(found(data.path(), 50, 70).last(), Some(&paused("201", 65)));
    store.close();
}

#[test]
fn the_next_process_is_told_the_last_states_and_nobody_works_meanwhile() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, recovered) = Store::open(data.path()).unwrap();
    assert_eq!(recovered.agents, []);
    let out = change("203", 5, AgentState::LoggedOut, Cause::Asked);
    store.append(Entry::Agents(vec![logs_in("201", 0), paused("202", 1), logs_in("203", 2), out.clone()]));
    let killed = as_killed_now(data.path());
    drop(store);
    let (again, recovered) = Store::open(killed.path()).unwrap();
    assert_eq!(recovered.agents, [logs_in("201", 0), paused("202", 1), out.clone()]);
    drop(again);
    // Nothing happened before the second death: what the first left is still to be taken up.
    let (_, recovered) = Store::open(killed.path()).unwrap();
    let states: Vec<_> = recovered.agents.iter().map(|left| (left.state, left.cause, left.resumes())).collect();
    let stopped = (AgentState::LoggedOut, Cause::Stopped);
    assert_eq!(
        states,
        [
            (stopped.0, stopped.1, Some(Resume::Available)),
            (stopped.0, stopped.1, Some(Resume::Paused("lunch".to_owned()))),
            (AgentState::LoggedOut, Cause::Asked, None),
        ]
    );
    let told = found(killed.path(), 0, 1_000_000_000);
    assert_eq!(told.iter().filter(|change| change.cause == Cause::Stopped).count(), 2);
}

#[test]
fn records_between_two_moments_are_those_that_began_then() {
    let data = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(data.path()).unwrap();
    (0..700).for_each(|n| store.append(end(n)));
    all_moved(&store);
    (700..710).for_each(|n| store.append(end(n)));
    let count = |from: u64, until: u64| {
        let mut found = Vec::new();
        let each = |record: CallRecord| {
            found.push(record);
            std::ops::ControlFlow::Continue(())
        };
        read_records_between(data.path(), record(from).started_at, record(until).started_at, each).unwrap();
        assert!(
            found.iter().all(|found| (record(from).started_at..record(until).started_at).contains(&found.started_at))
        );
        found.len()
    };
    assert_eq!((count(0, 710), count(0, 700), count(10, 20), count(695, 705), count(800, 900)), (710, 700, 10, 10, 0));
}
