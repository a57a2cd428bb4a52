//! Voicemail, recording, survey, and the offer of a deterrence.

use super::*;
use crate::views::RecordingWish;

fn message(event: MessageEvent) -> Event {
    Event::Message(event)
}

fn spoken(ms: u64) -> Event {
    message(MessageEvent::Ended { voiced: Duration::from_millis(ms) })
}

impl Bench {
    fn hung_up(&self) -> (Outcome, &str) {
        match &self.done {
            Some(Done::HangUp { outcome, result, .. }) => (*outcome, result),
            other => panic!("the call is not over: {other:?}"),
        }
    }

    /// The actions that are no plays.
    fn deeds(&mut self) -> Vec<Action> {
        let plays = |action: &Action| matches!(action, Action::Play { .. } | Action::StopPlay(_) | Action::Answer);
        self.actions().into_iter().filter(|action| !plays(action)).collect()
    }

    /// A voicemail that records.
    fn recording(inputs: &str) -> Bench {
        let mut bench = Bench::start(Module::Voicemail, inputs);
        bench.end_play();
        assert!(matches!(bench.deeds().as_slice(), [Action::RecordMessage { .. }]));
        bench
    }
}

#[test]
fn a_message_is_greeted_beeped_and_taken() {
    let mut bench = Bench::start(Module::Voicemail, "mailbox = 'support'\nmax_s = 60\nsilence_s = 4\nmin_ms = 500");
    let said = bench.said();
    assert_eq!(said[0], "en/voicemail-greeting");
    assert!(said[1].starts_with("Tone") && said.len() == 2, "{said:?}");
    assert!(bench.desk.answered);
    bench.end_play();
    let seconds = Duration::from_secs;
    let (mailbox, shortest) = (Some("support".to_owned()), Duration::from_millis(500));
    let record = Action::RecordMessage { mailbox, longest: seconds(60), shortest, silence: seconds(4), tell: None };
    assert_eq!(bench.deeds(), [record]);
    bench.press("12*");
    assert_eq!(bench.deeds(), [], "no key but # ends it");
    bench.press("#");
    assert_eq!(bench.deeds(), [Action::StopMessage]);
    bench.give(spoken(3_000));
    assert_eq!(bench.said(), ["en/voicemail-thanks"]);
    bench.end_play();
    assert_eq!(bench.hung_up(), (Outcome::Voicemail, "recorded"));
}

#[test]
fn silence_the_longest_time_and_a_recorder_that_says_nothing_end_a_message() {
    for event in [message(MessageEvent::Silence), message(MessageEvent::Full), Event::Timeout] {
        let mut bench = Bench::recording("");
        bench.give(event);
        assert_eq!(bench.deeds(), [Action::StopMessage]);
        bench.give(spoken(2_000));
        assert_eq!(bench.said(), ["en/voicemail-thanks"]);
    }
    // It ends by itself, as when the phone is gone for a while.
    let mut bench = Bench::recording("");
    bench.give(spoken(2_000));
    assert_eq!(bench.said(), ["en/voicemail-thanks"]);
    // Neither the end nor its figures come.
    let mut bench = Bench::recording("");
    bench.give(Event::Timeout);
    bench.give(Event::Timeout);
    assert_eq!(bench.said(), ["en/technical-difficulty"]);
    bench.end_play();
    assert_eq!(bench.hung_up(), (Outcome::Failed, "failed"));
}

#[test]
fn who_says_nothing_is_asked_again_and_then_let_go() {
    let mut bench = Bench::recording("tries = 2\nmin_ms = 1000");
    bench.give(message(MessageEvent::Silence));
    bench.give(spoken(999));
    assert_eq!(bench.deeds().len(), 2, "stopped and dropped");
    bench.end_play();
    bench.give(message(MessageEvent::Silence));
    bench.give(spoken(0));
    assert_eq!(bench.said(), ["en/goodbye"]);
    bench.end_play();
    assert_eq!(bench.hung_up(), (Outcome::Abandoned, "no_message"));
}

#[test]
fn a_caller_who_was_deterred_and_leaves_nothing_stays_deterred() {
    let mut bench = Bench::recording("tries = 1");
    bench.desk.deterred = true;
    bench.give(spoken(0));
    bench.end_play();
    assert_eq!(bench.hung_up(), (Outcome::Deterred, "no_message"));
}

#[test]
fn the_review_sends_records_again_and_takes_silence_for_consent() {
    let reviewed = || {
        let mut bench = Bench::recording("review = true");
        bench.press("#");
        bench.give(spoken(5_000));
        assert_eq!(bench.said(), ["en/voicemail-review"]);
        bench
    };
    let mut bench = reviewed();
    bench.press("1");
    assert_eq!(bench.said(), ["en/voicemail-thanks"]);

    let mut bench = reviewed();
    bench.end_play();
    bench.give(Event::Timeout);
    assert_eq!(bench.said(), ["en/voicemail-thanks"]);

    let mut bench = reviewed();
    bench.press("9");
    assert_eq!(bench.said(), ["en/voicemail-review"], "a wrong key hears it again");
    bench.press("2");
    assert!(bench.actions().contains(&Action::DropMessage));
    bench.end_play();
    assert!(matches!(bench.deeds().as_slice(), [Action::RecordMessage { .. }]));
}

#[test]
fn a_disk_that_fails_is_told_as_a_technical_difficulty() {
    let mut bench = Bench::recording("");
    bench.give(message(MessageEvent::Failed));
    assert_eq!(bench.said(), ["en/technical-difficulty"]);
    bench.end_play();
    assert_eq!(bench.hung_up().0, Outcome::Failed);
}

#[test]
fn the_end_key_skips_the_greeting_but_not_the_beep() {
    let mut bench = Bench::start(Module::Voicemail, "");
    bench.said();
    bench.press("#");
    let said = bench.said();
    assert!(said.len() == 1 && said[0].starts_with("Tone"), "{said:?}");
    bench.press("#");
    assert_eq!(bench.actions(), [], "the beep alone cannot be skipped");
    bench.end_play();
    assert!(matches!(bench.deeds().as_slice(), [Action::RecordMessage { .. }]));
}

#[test]
fn only_who_agrees_by_key_is_recorded_and_a_refusal_holds() {
    let on = Action::RecordCall(RecordingWish::On);
    let off = Action::RecordCall(RecordingWish::Off);
    let mut bench = Bench::start(Module::Record, "consent = 'key'");
    assert_eq!(bench.said(), ["en/record-consent"]);
    bench.press("91");
    assert_eq!((bench.deeds(), bench.output("result").as_str()), (vec![on.clone()], "recording"));

    for refusal in ["2", ""] {
        let mut bench = Bench::start(Module::Record, "consent = 'key'");
        bench.press(refusal);
        if refusal.is_empty() {
            bench.end_play();
            bench.give(Event::Timeout);
        }
        assert_eq!((bench.deeds(), bench.output("result").as_str()), (vec![off.clone()], "refused"));
        assert!(bench.desk.recording_refused);
    }

    let mut bench = Bench::start(Module::Record, "consent = 'objection'\nprompt = 'ask'");
    assert_eq!(bench.said(), ["en/ask"]);
    bench.end_play();
    assert_eq!((bench.deeds(), bench.output("result").as_str()), (vec![on], "recording"));
}

#[test]
fn who_has_refused_is_not_asked_again() {
    let mut desk_has_refused = Bench::start(Module::Record, "consent = 'key'");
    desk_has_refused.press("2");
    let mut bench = Bench { done: None, activity: None, ..desk_has_refused };
    bench.actions();
    let inputs = Inputs { module: Module::Record, values: BTreeMap::new() };
    let mut step = Step { now: bench.now, wall: WALL, names: &bench.names, queues: &NoQueues, desk: &mut bench.desk };
    let Started::Done(done) = Activity::start(Module::Record, &inputs, &mut step) else { panic!("it takes no time") };
    assert_eq!(done, Done::next("refused"));
    assert_eq!(bench.actions(), []);
}

#[test]
fn a_recording_is_paused_resumed_and_stopped() {
    for (action, wish, result) in [
        ("start", RecordingWish::On, "recording"),
        ("pause", RecordingWish::Paused, "paused"),
        ("resume", RecordingWish::On, "recording"),
        ("stop", RecordingWish::Off, "stopped"),
    ] {
        let mut bench = Bench::start(Module::Record, &format!("action = '{action}'"));
        assert_eq!(bench.deeds(), [Action::RecordCall(wish)]);
        assert_eq!(bench.output("result"), result);
    }
}

fn surveyed(score: i64) -> Action {
    Action::Surveyed { name: "csat".to_owned(), score, lowest: 1, highest: 5 }
}

#[test]
fn a_score_out_of_range_is_asked_again_then_kept() {
    let mut bench = Bench::start(Module::Survey, "when = 'now'");
    assert_eq!(bench.said(), ["en/survey-question"]);
    bench.press("7");
    assert_eq!(bench.said(), ["en/survey-invalid", "en/survey-question"]);
    bench.press("4");
    assert_eq!(bench.deeds(), [surveyed(4)]);
    bench.end_play();
    assert_eq!((bench.output("score").as_str(), bench.output("result").as_str()), ("4", "answered"));
}

#[test]
fn silence_and_too_many_wrong_scores_give_up() {
    let mut bench = Bench::start(Module::Survey, "when = 'now'");
    bench.end_play();
    bench.give(Event::Timeout);
    assert_eq!((bench.output("score").as_str(), bench.output("result").as_str()), ("", "gave_up"));

    let mut bench = Bench::start(Module::Survey, "when = 'now'\ntries = 2");
    bench.press("7*");
    assert_eq!(bench.output("result"), "gave_up");
    assert_eq!(bench.deeds(), []);
}

#[test]
fn a_score_of_two_digits_waits_for_the_second() {
    let score = |keys: &str| {
        let mut bench = Bench::start(Module::Survey, "when = 'now'\nmin = 0\nmax = 10");
        bench.press(keys);
        if bench.desk.deadline.is_some_and(|at| at > bench.now) && keys == "1" {
            bench.give(Event::Timeout);
        }
        bench.deeds().iter().find_map(|deed| match deed {
            Action::Surveyed { score, .. } => Some(*score),
            _ => None,
        })
    };
    assert_eq!(["10", "1", "1#", "0", "7"].map(score), [Some(10), Some(1), Some(1), Some(0), Some(7)]);
}

#[test]
fn an_armed_survey_is_asked_when_the_agent_has_hung_up() {
    let armed = Bench::start(Module::Survey, "");
    assert_eq!(armed.output("result"), "armed");
    let survey = armed.desk.survey.clone();
    assert!(survey.is_some());
    for module in [Module::Distribute, Module::Transfer] {
        let (inputs, answered, finished) = match module {
            Module::Distribute => {
                ("queue = 'sales'", Event::Queued(QueueOutcome::Answered), Event::Queued(QueueOutcome::Finished))
            }
            _ => (
                "to = 'agent:201'",
                Event::Transferred(TransferOutcome::Answered),
                Event::Transferred(TransferOutcome::Finished),
            ),
        };
        let mut bench = Bench::start(module, inputs);
        bench.desk.survey = survey.clone();
        bench.give(answered);
        bench.press("3");
        bench.actions();
        bench.give(finished);
        assert_eq!(bench.said(), ["en/survey-question"]);
        bench.press("5");
        assert_eq!(bench.deeds(), [surveyed(5)]);
        bench.end_play();
        assert_eq!(bench.hung_up(), (Outcome::Handled, "answered"));
    }
}

#[test]
fn nobody_answers_and_the_armed_survey_stays_for_the_next_talk() {
    let armed = Bench::start(Module::Survey, "");
    let mut bench = Bench::start(Module::Distribute, "queue = 'sales'");
    bench.desk.survey = armed.desk.survey.clone();
    bench.give(Event::Queued(QueueOutcome::TimedOut));
    assert_eq!(bench.output("result"), "timed_out");
    assert!(bench.desk.survey.is_some());
}

const OFFER: &str = "prompt = 'ask'\noffer = { 1 = 'voicemail', 2 = 'callback' }\noffer_prompt = 'no-input'";

#[test]
fn a_deterrence_offers_what_else_there_is_and_puts_the_choice_out() {
    let mut bench = Bench::start(Module::Deter, OFFER);
    assert_eq!(bench.said(), ["en/ask", "en/no-input"]);
    bench.press("7");
    assert_eq!(bench.said(), ["en/invalid", "en/no-input"]);
    bench.press("2");
    assert_eq!(bench.output("choice"), "callback");
    assert!(bench.desk.deterred);
}

#[test]
fn a_deterrence_ends_the_call_where_nothing_is_chosen() {
    let mut bench = Bench::start(Module::Deter, OFFER);
    assert!(!bench.desk.deterred, "nothing has been told yet");
    bench.end_play();
    assert!(bench.desk.deterred);
    bench.give(Event::Timeout);
    assert_eq!(bench.hung_up(), (Outcome::Deterred, "deterred"));

    let mut bench = Bench::start(Module::Deter, &format!("{OFFER}\ntries = 2"));
    bench.press("77");
    assert_eq!(bench.hung_up().0, Outcome::Deterred);

    let mut bench = Bench::start(Module::Deter, "prompt = 'ask'");
    bench.press("1");
    bench.end_play();
    assert_eq!(bench.hung_up(), (Outcome::Deterred, "deterred"));
}
