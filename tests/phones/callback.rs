//! Call-backs: the caller hangs up and keeps the place, and is rung when an agent is there.

use std::time::Duration;

use super::appliance::{Appliance, free_port, is_from};
use super::eventually;
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

const CUSTOMER_HZ: u32 = 430;
const AGENT_HZ: u32 = 770;

/// Dials the closed line, takes its offer of a call-back, and is gone.
fn asks_for_a_call_back(appliance: &Appliance, number: &str, port: u16) {
    let caller = Sipp::new("caller_wants_a_call_back").on_port(port).key("caller", number).dial("620").calls(1);
    caller.pause(Duration::from_millis(700)).start(appliance).succeeds(Duration::from_secs(40));
    let promised = appliance.list("callbacks");
    assert!(promised.iter().any(|promised| promised["number"] == number), "{promised:?}");
}

#[test]
fn a_caller_is_called_back_also_after_a_crash_and_both_hear_each_other() {
    if sipp::missing("a_caller_is_called_back_also_after_a_crash_and_both_hear_each_other") {
        return;
    }
    let mut appliance = Appliance::demo();
    let (number, port) = ("33155681", free_port());
    asks_for_a_call_back(&appliance, number, port);
    let first = appliance.record_from(number);
    assert_eq!((first["outcome"].as_str(), first["ended_by"].as_str()), (Some("callback"), Some("system")), "{first}");
    appliance.kill();
    appliance.restart();
    assert_eq!(appliance.list("callbacks").len(), 1, "the promise outlives the process");
    assert!(appliance.list("calls").is_empty(), "nobody is rung while no agent is there");

    let (ear, agent_ear) = (Endpoint::open(), Endpoint::open());
    ear.say(CUSTOMER_HZ);
    agent_ear.say(AGENT_HZ);
    let customer = Sipp::new("customer_confirms").on_port(port).media(ear.address).calls(1);
    let customer = customer.pause(Duration::from_secs(6)).start(&appliance);
    // The demo's support.
    let phone = Sipp::agent("agent_answers", "205").media(agent_ear.address);
    sipp::log_in(&appliance, "205", phone.port());
    let phone = phone.start(&appliance);
    let rung = eventually(Duration::from_secs(10), "the customer is rung", || customer.received("INVITE"));
    let answered = eventually(Duration::from_secs(10), "then the agent", || phone.received("INVITE"));
    assert!(rung.at < answered.at, "the agent was rung before anybody was there");
    agent_ear.await_tone(CUSTOMER_HZ);
    ear.await_tone(AGENT_HZ);
    customer.succeeds(Duration::from_secs(20));
    phone.succeeds(Duration::from_secs(5));
    let second = eventually(Duration::from_secs(5), "a record of the call-back", || {
        appliance.records().into_iter().find(|record| is_from(record, number) && record["agent"] == "205")
    });
    assert_eq!(
        (second["outcome"].as_str(), second["ended_by"].as_str()),
        (Some("handled"), Some("caller")),
        "{second}"
    );
    assert!(second["talk_ms"].as_u64() > Some(2_000), "{second}");
    assert_eq!(appliance.list("callbacks").len(), 0, "the promise is kept");
    let support = appliance.list("queues").into_iter().find(|queue| queue["id"] == "support").expect("a queue");
    assert_eq!((support["handled"].as_u64(), support["abandoned"].as_u64()), (Some(1), Some(0)), "{support}");
}

#[test]
fn a_customer_who_does_not_answer_is_rung_again_later_and_their_agent_is_free() {
    if sipp::missing("a_customer_who_does_not_answer_is_rung_again_later_and_their_agent_is_free") {
        return;
    }
    let appliance = Appliance::demo();
    let (number, port) = ("33155682", free_port());
    asks_for_a_call_back(&appliance, number, port);
    let customer = Sipp::agent("agent_busy", "customer").on_port(port).start(&appliance);
    sipp::log_in(&appliance, "205", free_port());
    eventually(Duration::from_secs(10), "the customer is rung", || customer.received("INVITE"));
    let promised = eventually(Duration::from_secs(5), "the attempt is over", || {
        appliance.list("callbacks").into_iter().find(|promised| promised["state"] == "scheduled")
    });
    assert_eq!((promised["attempts"].as_u64(), promised["last_failure"].as_str()), (Some(1), Some("busy")));
    appliance.await_agent("205", "available");
    // Who rings in first gets the place, and nobody calls back.
    let caller = Sipp::caller(number, "611", Duration::from_secs(30)).start(&appliance);
    eventually(Duration::from_secs(10), "the promise is taken back", || {
        appliance.list("callbacks").is_empty().then_some(())
    });
    drop(caller);
}

#[test]
fn a_web_page_may_ask_only_for_what_a_trunk_may_dial() {
    let appliance = Appliance::demo();
    // The demo's trunk has no servers: there is no way out for who has not called in.
    let (status, answer) = appliance.api("POST", "/callbacks", Some(r#"{"number":"+33155501234","queue":"sales"}"#));
    assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("not_allowed")), "{answer}");
    let (status, answer) = appliance.api("POST", "/callbacks", Some(r#"{"number":"+33155501234","queue":"salse"}"#));
    assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("unknown_queue")), "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("did you mean 'sales'?"), "{message}");
}

#[test]
fn an_agent_in_no_queue_can_be_called_back_at_their_own_phone() {
    if sipp::missing("an_agent_in_no_queue_can_be_called_back_at_their_own_phone") {
        return;
    }
    let appliance = Appliance::demo();
    // 205 takes calls of queues, and would be both ends of it.
    let (status, answer) = appliance.api("POST", "/callbacks", Some(r#"{"number":"205","queue":"support"}"#));
    assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("not_allowed")), "{answer}");
    let (ear, agent_ear) = (Endpoint::open(), Endpoint::open());
    ear.say(CUSTOMER_HZ);
    agent_ear.say(AGENT_HZ);
    let customer = Sipp::new("customer_confirms").media(ear.address).calls(1).pause(Duration::from_secs(4));
    sipp::register(&appliance, "209", customer.port());
    let customer = customer.start(&appliance);
    let phone = Sipp::agent("agent_answers", "205").media(agent_ear.address);
    sipp::log_in(&appliance, "205", phone.port());
    let phone = phone.start(&appliance);
    let (status, answer) = appliance.api("POST", "/callbacks", Some(r#"{"number":"209","queue":"support"}"#));
    assert!((200..300).contains(&status), "{answer}");
    let rung = eventually(Duration::from_secs(10), "the customer is rung", || customer.received("INVITE sip:209"));
    let answered = eventually(Duration::from_secs(10), "then the agent", || phone.received("INVITE"));
    assert!(rung.at < answered.at, "the agent was rung before anybody was there");
    agent_ear.await_tone(CUSTOMER_HZ);
    ear.await_tone(AGENT_HZ);
    customer.succeeds(Duration::from_secs(20));
    phone.succeeds(Duration::from_secs(5));
}
