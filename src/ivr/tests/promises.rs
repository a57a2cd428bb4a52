//! `callback`: the offer, the number, the promise.

use super::*;
use crate::ivr::callback::CallBackOutcome;

/// A caller with a number, or without.
fn start(from: &str, inputs: &str) -> Bench {
    let mut desk = Desk::new(Language::from("en"));
    desk.caller.from = from.to_owned();
    let mut bench = Bench { desk, names: names(), now: Instant(1_000_000_000), activity: None, done: None };
    let values: BTreeMap<String, Value> = toml::from_str(&format!("queue = 'sales'\n{inputs}")).expect("inputs");
    let inputs = Inputs { module: Module::Callback, values };
    let mut step = Step { now: bench.now, wall: WALL, names: &bench.names, queues: &NoQueues, desk: &mut bench.desk };
    match Activity::start(Module::Callback, &inputs, &mut step) {
        Started::Running(activity) => bench.activity = Some(activity),
        Started::Done(done) => bench.done = Some(done),
    }
    bench
}

fn asked_for(bench: &mut Bench) -> Vec<Option<String>> {
    let wishes = bench.actions().into_iter().filter_map(|action| match action {
        Action::CallBack { queue, number } => {
            assert_eq!(queue.as_str(), "sales");
            Some(number)
        }
        _ => None,
    });
    wishes.collect()
}

#[test]
fn one_key_is_enough_to_be_called_back_on_the_number_that_calls() {
    let mut bench = start("+33155501", "");
    assert_eq!(bench.said(), ["en/callback-offer"]);
    bench.press("1");
    assert_eq!(asked_for(&mut bench), [None]);
    bench.give(Event::CalledBack(CallBackOutcome::Agreed));
    assert_eq!(bench.said(), ["en/callback-agreed"]);
    bench.end_play();
    let end = bench.done.expect("the end of the call");
    assert!(matches!(end, Done::HangUp { outcome: Outcome::Callback, .. }), "{end:?}");
}

#[test]
fn another_number_is_typed_and_read_back() {
    let mut bench = start("+33155501", "");
    bench.press("2");
    assert_eq!(bench.said(), ["en/callback-offer", "en/callback-number"]);
    bench.press("0612#");
    // Without rules for it the number itself is left out.
    assert_eq!(bench.said(), ["en/callback-read-back", "en/callback-right"]);
    bench.press("2");
    assert_eq!(bench.said(), ["en/callback-number"], "not right: another one");
    bench.press("07");
    // Whoever has typed all does not always press the hash key.
    bench.give(Event::Timeout);
    bench.press("1");
    assert_eq!(asked_for(&mut bench), [Some("07".to_owned())]);
}

#[test]
fn a_caller_without_a_number_is_asked_for_one_at_once() {
    for from in ["anonymous", "", "sip:x@y"] {
        let mut bench = start(from, "");
        assert_eq!(bench.said(), ["en/callback-number"], "{from}");
        bench.press("0612#1");
        assert_eq!(asked_for(&mut bench), [Some("0612".to_owned())], "{from}");
    }
}

#[test]
fn nobody_is_called_back_against_their_will() {
    let mut bench = start("+33155501", "");
    bench.press("3");
    assert_eq!(bench.output("result"), "declined");
    let mut bench = start("+33155501", "");
    bench.press("20612#3");
    assert_eq!(bench.output("result"), "declined");
    let mut bench = start("+33155501", "tries = 2");
    for _ in 0..2 {
        bench.end_play();
        bench.give(Event::Timeout);
    }
    assert_eq!(bench.output("result"), "no_answer");
    assert!(asked_for(&mut bench).is_empty());
}

#[test]
fn what_cannot_be_promised_is_told_to_the_plan() {
    for (outcome, result) in [
        (CallBackOutcome::NotAllowed, "not_allowed"),
        (CallBackOutcome::Full, "full"),
        (CallBackOutcome::NoSuchQueue, "no_such_queue"),
    ] {
        let mut bench = start("+33155501", "");
        bench.press("1");
        bench.give(Event::CalledBack(outcome));
        assert_eq!(bench.output("result"), result);
    }
    let nowhere = Bench::start(Module::Callback, "queue = 'nowhere'");
    assert_eq!(nowhere.output("result"), "no_such_queue", "a queue that was computed, and is not there");
}

#[test]
fn a_short_or_endless_number_is_no_number() {
    let mut bench = start("+33155501", "");
    bench.press("27#");
    assert!(bench.said().contains(&"en/invalid".to_owned()));
    bench.press("123456789012345678");
    assert!(bench.said().contains(&"en/callback-right".to_owned()), "eighteen digits are the most");
}
