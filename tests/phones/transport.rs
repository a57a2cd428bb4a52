//! Callers by TCP, numbers that lead nowhere, and the end of the service.

use std::time::{Duration, Instant};

use super::appliance::Appliance;
use super::eventually;
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

#[test]
fn a_caller_by_tcp_is_echoed() {
    if sipp::missing("a_caller_by_tcp_is_echoed") {
        return;
    }
    let appliance = Appliance::demo();
    let caller = Endpoint::open();
    caller.say(430);
    let call =
        Sipp::caller("33155661", "600", Duration::from_secs(10)).over_tcp().media(caller.address).start(&appliance);
    caller.await_tone(430);
    call.succeeds(Duration::from_secs(20));
    let record = appliance.record_from("33155661");
    assert_eq!(record["ended_by"], "caller", "{record}");
}

#[test]
fn many_calls_share_one_tcp_connection() {
    if sipp::missing("many_calls_share_one_tcp_connection") {
        return;
    }
    let appliance = Appliance::demo();
    let callers =
        Sipp::new("caller").over_tcp().key("caller", "33155662").dial("600").pause(Duration::from_millis(500));
    callers.calls(40).rate(20, 40).start(&appliance).succeeds(Duration::from_secs(30));
    appliance.await_quiet();
    assert_eq!(appliance.records().len(), 40);
}

#[test]
fn sigterm_lets_the_running_call_end_and_takes_no_new_one() {
    if sipp::missing("sigterm_lets_the_running_call_end_and_takes_no_new_one") {
        return;
    }
    let appliance = Appliance::demo();
    let caller = Endpoint::open();
    caller.say(430);
    let call = Sipp::caller("33155663", "600", Duration::from_secs(9)).media(caller.address).start(&appliance);
    caller.await_tone(430);
    appliance.drain();
    let late = Sipp::caller("33155665", "600", Duration::ZERO).start(&appliance);
    let refused = eventually(Duration::from_secs(5), "a final answer", || late.received("SIP/2.0 5"));
    assert!(refused.line.starts_with("SIP/2.0 503"), "a new call gets {}", refused.line);
    let since = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    let heard = caller.received(since);
    assert!(heard.len() > 45, "the running call hears {} frames in a second", heard.len());
    call.succeeds(Duration::from_secs(15));
    let status = appliance.end();
    assert!(status.success(), "{status}");
}

#[test]
fn numbers_that_are_not_offered_get_404() {
    if sipp::missing("numbers_that_are_not_offered_get_404") {
        return;
    }
    let appliance = Appliance::demo();
    for number in ["999", "201", "301"] {
        let mut call = Sipp::caller("33155664", number, Duration::ZERO).start(&appliance);
        let refused = eventually(Duration::from_secs(5), "a final answer", || call.received("SIP/2.0 4"));
        assert!(refused.line.starts_with("SIP/2.0 404"), "{number}: {}", refused.line);
        eventually(Duration::from_secs(5), "SIPp gives up", || call.is_done().then_some(()));
    }
}
