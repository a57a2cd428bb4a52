//! Agents who do not take the call: the next one is rung, and the caller is never lost.

use std::time::Duration;

use super::appliance::Appliance;
use super::eventually;
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

/// The first agent, longest idle, plays `scenario`; the second takes the call within `patience`.
fn next_agent_after(scenario: &'static str, caller_number: &str, patience: Duration) {
    if sipp::missing(scenario) {
        return;
    }
    let appliance = Appliance::demo();
    let (ear, agent_ear) = (Endpoint::open(), Endpoint::open());
    let first = sipp::phone(&appliance, "201", Sipp::agent(scenario, "201"));
    let second = sipp::phone(&appliance, "202", Sipp::agent("agent_answers", "202").media(agent_ear.address));
    ear.say(430);
    agent_ear.say(770);
    let talk = patience + Duration::from_secs(3);
    let caller = Sipp::caller(caller_number, "610", talk).media(ear.address).start(&appliance);
    eventually(Duration::from_secs(10), "the first agent is rung", || first.received("INVITE"));
    ear.await_audio();
    let answered = eventually(patience, "the second agent is rung", || second.received("INVITE"));
    let rung = first.received("INVITE").expect("rung");
    assert!(rung.at < answered.at, "the second agent was rung before the first");
    ear.await_tone(770);
    agent_ear.await_tone(430);
    first.succeeds(Duration::from_secs(5));
    caller.succeeds(talk + Duration::from_secs(10));
    second.succeeds(Duration::from_secs(5));
    let record = appliance.record_from(caller_number);
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("202")), "{record}");
    let wait = record["wait_ms"].as_u64().expect("a waiting time");
    assert!(wait <= patience.as_millis() as u64 + 2000, "waited {wait} ms");
}

#[test]
fn an_agent_who_ignores_the_call_is_cancelled_and_the_next_is_rung() {
    // The demo's ring time-out is 15 s.
    next_agent_after("agent_ignores", "33155621", Duration::from_secs(20));
}

#[test]
fn a_busy_agent_is_passed_over() {
    next_agent_after("agent_busy", "33155622", Duration::from_secs(5));
}

#[test]
fn a_declining_agent_is_passed_over() {
    next_agent_after("agent_declines", "33155623", Duration::from_secs(5));
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_releases_the_agent() {
    if sipp::missing("a_caller_who_hangs_up_while_it_rings_releases_the_agent") {
        return;
    }
    let appliance = Appliance::demo();
    let phone = sipp::phone(&appliance, "201", Sipp::agent("agent_ignores", "201"));
    let caller = Sipp::caller("33155624", "610", Duration::from_secs(1)).start(&appliance);
    eventually(Duration::from_secs(10), "the agent is rung", || phone.received("INVITE"));
    caller.succeeds(Duration::from_secs(10));
    phone.succeeds(Duration::from_secs(2));
    appliance.await_agent("201", "available");
    let record = appliance.record_from("33155624");
    assert_eq!(
        (record["outcome"].as_str(), record["ended_by"].as_str()),
        (Some("abandoned"), Some("caller")),
        "{record}"
    );
    assert!(record["agent"].is_null() && record["queue"] == "sales", "{record}");
}

#[test]
fn two_unanswered_calls_in_a_row_take_an_agent_out_until_they_end_it() {
    if sipp::missing("two_unanswered_calls_in_a_row_take_an_agent_out_until_they_end_it") {
        return;
    }
    let appliance = Appliance::demo();
    let phone = sipp::phone(&appliance, "201", Sipp::new("agent_ignores").key("agent", "201").calls(2));
    let caller = Sipp::caller("33155625", "610", Duration::from_secs(50)).start(&appliance);
    appliance.await_agent("201", "ringing");
    eventually(Duration::from_secs(50), "the agent is not_responding", || {
        (appliance.agent("201")["state"] == "not_responding").then_some(())
    });
    assert!(appliance.call_from("33155625").is_some(), "the caller waits on");
    assert_eq!(phone.messages().iter().filter(|message| message.line.starts_with("CANCEL")).count(), 2);
    let (status, agent) = appliance.api("POST", "/agents/201/state", Some(r#"{"state":"available"}"#));
    assert_eq!((status, agent["state"] != "not_responding"), (200, true), "{agent}");
    drop(caller);
}
