//! Killed at any moment: no record is lost or doubled, and callers get their place back.

use std::time::Duration;

use super::appliance::{Appliance, is_from};
use super::eventually;
use super::sipp::{self, Sipp};

#[test]
fn a_record_outlives_a_kill_right_after_its_call_ended() {
    if sipp::missing("a_record_outlives_a_kill_right_after_its_call_ended") {
        return;
    }
    let mut appliance = Appliance::demo();
    for round in 0..5 {
        let number = format!("3315563{round}");
        let caller = Sipp::caller(&number, "600", Duration::from_millis(300)).start(&appliance);
        caller.succeeds(Duration::from_secs(10));
        // The record is in the spool before the call leaves the published state.
        eventually(Duration::from_secs(5), "the call is over", || appliance.call_from(&number).is_none().then_some(()));
        appliance.kill();
        appliance.restart();
    }
    for round in 0..5 {
        let record = appliance.record_from(&format!("3315563{round}"));
        assert_eq!(record["ended_by"], "caller", "{record}");
    }
    assert_eq!(appliance.records().len(), 5);
}

#[test]
fn calls_up_at_a_kill_are_closed_as_failed_with_one_record_each() {
    if sipp::missing("calls_up_at_a_kill_are_closed_as_failed_with_one_record_each") {
        return;
    }
    let mut appliance = Appliance::demo();
    let callers: Vec<_> = ["600", "601", "610"]
        .into_iter()
        .enumerate()
        .map(|(n, to)| Sipp::caller(&format!("3315564{n}"), to, Duration::from_secs(60)).start(&appliance))
        .collect();
    eventually(Duration::from_secs(10), "three calls are up and answered", || {
        let calls = appliance.list("calls");
        (calls.len() == 3 && calls.iter().all(|call| call["answered_at"].is_string())).then_some(())
    });
    appliance.kill();
    drop(callers);
    appliance.restart();
    for n in 0..3 {
        let record = appliance.record_from(&format!("3315564{n}"));
        assert_eq!(
            (record["outcome"].as_str(), record["ended_by"].as_str()),
            (Some("failed"), Some("system")),
            "{record}"
        );
        assert!(record["ended_at"].is_string() && record["answered_at"].is_string(), "{record}");
    }
    // A second start has nothing left to close.
    appliance.kill();
    appliance.restart();
    assert_eq!(appliance.records().len(), 3);
    assert_eq!(appliance.list("calls").len(), 0);
}

#[test]
fn a_caller_who_rings_again_after_a_crash_regains_the_place() {
    if sipp::missing("a_caller_who_rings_again_after_a_crash_regains_the_place") {
        return;
    }
    let mut appliance = Appliance::demo();
    let dial = |appliance: &Appliance, number: &str| {
        let call = Sipp::caller(number, "610", Duration::from_secs(60)).start(appliance);
        eventually(Duration::from_secs(10), "the caller waits", || {
            appliance.call_from(number).filter(|call| call["state"] == "queued")
        });
        call
    };
    let (first, second) = ("33155651", "33155652");
    let before = [dial(&appliance, first), dial(&appliance, second)];
    appliance.kill();
    drop(before);
    appliance.restart();
    let _back = [dial(&appliance, "33155653"), dial(&appliance, second), dial(&appliance, first)];
    let position = |number: &str| appliance.call_from(number).and_then(|call| call["position"].as_u64());
    eventually(Duration::from_secs(5), "the old order, before the newcomer", || {
        ([position(first), position(second), position("33155653")] == [Some(1), Some(2), Some(3)]).then_some(())
    });
    let failed = appliance.records().into_iter().filter(|record| is_from(record, first)).count();
    assert_eq!(failed, 1, "the call that the crash cut has its record");
}
