//! The modules, one event at a time on a clock of the test's own.

mod conference;
mod messages;
mod promises;

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::caller::{NumberList, Numbering};
use crate::ids::Language;
use crate::time::{Instant, Wall};

const WALL: Wall = Wall::UNIX_EPOCH;

/// One module at work.
struct Bench {
    desk: Desk,
    names: Names,
    now: Instant,
    activity: Option<Activity>,
    done: Option<Done>,
}

fn names() -> Names {
    let prompts = ["ask", "invalid", "no-input"].map(str::to_owned);
    Names {
        default_language: Some(Language::from("en")),
        queues: ["sales".into()].into(),
        calendars: BTreeMap::new(),
        agents: ["201".into()].into(),
        skills: ["billing".into()].into(),
        experts: [("301".into(), "sip:301@127.0.0.1:5090".to_owned())].into(),
        services: [("crm".into(), false)].into(),
        lists: lists(),
        numbering: Numbering { country_code: "33".to_owned(), ..Numbering::default() },
        allowed: vec!["+33".to_owned(), "3".to_owned(), "2".to_owned()],
        time_zone: String::new(),
        prompts: ["en", "fr"].map(|language| (Language::from(language), prompts.clone().into())).into(),
        ..Names::default()
    }
}

fn lists() -> BTreeMap<String, NumberList> {
    let list = |entries: &[&str]| {
        let mut list = NumberList::default();
        entries.iter().for_each(|entry| assert!(list.add(entry, &Numbering::default())));
        list
    };
    BTreeMap::from([("friends".to_owned(), list(&["+33155501"])), ("spam".to_owned(), list(&["+33899*", "+33155501"]))])
}

impl Bench {
    fn start(module: Module, inputs: &str) -> Bench {
        Bench::start_typed(module, inputs, "")
    }

    /// With keys typed before the module began.
    fn start_typed(module: Module, inputs: &str, typed: &str) -> Bench {
        let mut desk = Desk::new(Language::from("en"));
        typed.chars().filter_map(Digit::new).for_each(|digit| desk.typed.push(digit));
        let mut bench = Bench { desk, names: names(), now: Instant(1_000_000_000), activity: None, done: None };
        let values: BTreeMap<String, Value> = toml::from_str(inputs).expect("inputs as TOML");
        let inputs = Inputs { module, values };
        let mut step =
            Step { now: bench.now, wall: WALL, names: &bench.names, queues: &NoQueues, desk: &mut bench.desk };
        match Activity::start(module, &inputs, &mut step) {
            Started::Running(activity) => bench.activity = Some(activity),
            Started::Done(done) => bench.done = Some(done),
        }
        bench
    }

    fn give(&mut self, event: Event) {
        let Some(activity) = &mut self.activity else { return };
        if event == Event::Timeout {
            self.now = self.desk.deadline.expect("a deadline to reach");
        }
        let mut step = Step { now: self.now, wall: WALL, names: &self.names, queues: &NoQueues, desk: &mut self.desk };
        // A module's state is kept in snapshots: it must come back as it was.
        let text = serde_json::to_string(activity).expect("a state that serialises");
        *activity = serde_json::from_str(&text).expect("a state that reads back");
        self.done = activity.handle(&event, &mut step);
        if self.done.is_some() {
            self.activity = None;
        }
    }

    fn press(&mut self, keys: &str) {
        keys.chars().filter_map(Digit::new).for_each(|digit| self.give(Event::Digit(digit)));
    }

    fn actions(&mut self) -> Vec<Action> {
        self.desk.actions.drain(..).collect()
    }

    /// The prompts of the plays asked for since the last look.
    fn said(&mut self) -> Vec<String> {
        let plays = self.actions().into_iter().filter_map(|action| match action {
            Action::Play { items, .. } => Some(items),
            _ => None,
        });
        plays
            .flatten()
            .map(|item| match item {
                PlayItem::Prompt { name, language } => format!("{language}/{name}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn end_play(&mut self) {
        self.give(Event::PlayEnded(PlayId(self.desk.next_play - 1)));
    }

    fn output(&self, name: &str) -> String {
        match &self.done {
            Some(Done::Next { outputs, .. }) => outputs
                .iter()
                .find(|(output, _)| *output == name)
                .map(|(_, value)| value.to_string())
                .unwrap_or_default(),
            other => panic!("not done with outputs: {other:?}"),
        }
    }
}

const MENU: &str = "prompt = 'ask'\nchoices = { 1 = 'sales', 2 = 'support', 45 = 'long' }\ndefault = 'sales'";

#[test]
fn a_computed_value_of_the_wrong_kind_does_not_fit() {
    let number = Kind::Integer { min: 1, max: 9 };
    let cases = [
        (number, Value::Integer(9), true),
        (number, Value::Integer(10), false),
        (number, Value::from("9"), false),
        (Kind::Flag, Value::Flag(true), true),
        (Kind::Flag, Value::Integer(1), false),
        (Kind::Prompt, Value::List(vec![Value::from("menu")]), true),
        (Kind::Prompt, Value::List(vec![Value::Integer(1)]), false),
        (Kind::Target, Value::from("agent:201"), true),
        (Kind::Target, Value::Integer(201), false),
        (Kind::Word(&["a"]), Value::from("b"), false),
        (Kind::Choices, Value::Map([("1".to_owned(), Value::from("x"))].into()), true),
        (Kind::Choices, Value::Map([("x".to_owned(), Value::from("x"))].into()), false),
    ];
    for (kind, value, fits) in cases {
        assert_eq!(kind.fits(&value), fits, "{kind:?} {value}");
    }
}

#[test]
fn every_module_is_listed_once_and_documented() {
    for module in Module::ALL {
        let spec = module.spec();
        assert_eq!(Module::from_name(spec.name), Some(module));
        assert!(spec.summary.ends_with('.') || spec.summary.ends_with('…'), "{}", spec.name);
        for input in spec.inputs {
            assert!(!input.doc.is_empty(), "{}.{}", spec.name, input.name);
            let fits = match (input.need, input.kind) {
                (Need::Integer(default), Kind::Integer { min, max }) => (min..=max).contains(&default),
                (Need::Integer(_), _) => false,
                (Need::Flag(_), kind) => kind == Kind::Flag,
                (Need::Text(_), kind) => !matches!(kind, Kind::Flag | Kind::Integer { .. } | Kind::Choices),
                (Need::Required | Need::Optional, _) => true,
            };
            assert!(fits, "{}.{}: the default is not of its type", spec.name, input.name);
        }
    }
}

#[test]
fn announce_answers_and_plays_in_the_callers_language() {
    let mut bench = Bench::start(Module::Announce, "prompt = ['ask', 'invalid']");
    assert_eq!(bench.desk.actions.front(), Some(&Action::Answer));
    assert_eq!(bench.said(), ["en/ask", "en/invalid"]);
    bench.end_play();
    assert_eq!(bench.output("result"), "played");
    assert!(!bench.desk.served, "a greeting is no service");
}

#[test]
fn a_key_interrupts_an_announcement_and_is_kept_for_the_menu() {
    let mut bench = Bench::start(Module::Announce, "prompt = 'ask'");
    bench.press("1");
    assert_eq!(bench.actions().last(), Some(&Action::StopPlay(PlayId(1))));
    assert_eq!(bench.output("result"), "interrupted");
    assert_eq!(bench.desk.typed.take(), Digit::new('1'));
}

#[test]
fn without_barge_in_a_key_waits_for_the_end() {
    let mut bench = Bench::start(Module::Announce, "prompt = 'ask'\nbarge_in = false");
    bench.press("1");
    assert!(bench.done.is_none());
    bench.end_play();
    assert_eq!(bench.output("result"), "played");
    assert_eq!(bench.desk.typed.take(), Digit::new('1'));
}

#[test]
fn the_end_of_another_play_ends_nothing() {
    let mut bench = Bench::start(Module::Announce, "prompt = 'ask'");
    bench.give(Event::PlayEnded(PlayId(99)));
    assert!(bench.done.is_none());
}

#[test]
fn a_play_that_never_reports_its_end_is_given_up() {
    let mut bench = Bench::start(Module::Announce, "prompt = 'ask'");
    bench.give(Event::Timeout);
    assert_eq!(bench.output("result"), "played");
}

#[test]
fn what_follows_a_choice_serves_the_caller() {
    for (inputs, chose, served) in
        [("", true, true), ("", false, false), ("serves = true", false, true), ("serves = false", true, false)]
    {
        let mut bench = Bench::start(Module::Silence, "");
        bench.desk.chose = chose;
        let values: BTreeMap<String, Value> = toml::from_str(&format!("prompt = 'ask'\n{inputs}")).unwrap();
        let inputs = Inputs { module: Module::Announce, values };
        let mut step =
            Step { now: bench.now, wall: WALL, names: &bench.names, queues: &NoQueues, desk: &mut bench.desk };
        let Started::Running(activity) = Activity::start(Module::Announce, &inputs, &mut step) else { panic!() };
        bench.activity = Some(activity);
        bench.end_play();
        assert_eq!(bench.desk.served, served, "{inputs:?} {chose}");
    }
}

#[test]
fn a_menu_takes_a_key_while_the_prompt_still_plays() {
    let mut bench = Bench::start(Module::Menu, MENU);
    assert_eq!(bench.said(), ["en/ask"]);
    bench.press("2");
    assert_eq!(bench.actions(), [Action::StopPlay(PlayId(1))]);
    assert_eq!((bench.output("choice").as_str(), bench.output("key").as_str()), ("support", "2"));
    assert_eq!(bench.output("result"), "chosen");
    assert_eq!(bench.desk.deadline, None);
}

#[test]
fn a_menu_tells_a_wrong_key_and_silence_and_asks_again() {
    let mut bench = Bench::start(Module::Menu, MENU);
    bench.press("9");
    assert_eq!(bench.said(), ["en/ask", "en/invalid", "en/ask"]);
    bench.end_play();
    bench.give(Event::Timeout);
    assert_eq!(bench.said(), ["en/no-input", "en/ask"]);
    bench.press("1");
    assert_eq!(bench.output("choice"), "sales");
}

#[test]
fn a_key_during_the_invalid_prompt_counts_and_three_misses_give_the_default() {
    let mut bench = Bench::start(Module::Menu, MENU);
    bench.press("999");
    assert_eq!((bench.output("choice").as_str(), bench.output("result").as_str()), ("sales", "no_choice"));
    assert_eq!(bench.output("key"), "");
}

#[test]
fn silence_counts_from_the_end_of_the_prompt() {
    let mut bench = Bench::start(Module::Menu, &format!("{MENU}\ntimeout_ms = 4000"));
    bench.end_play();
    assert_eq!(bench.desk.deadline, Some(bench.now + Duration::from_millis(4_000)));
}

#[test]
fn a_key_of_two_digits_waits_for_the_second() {
    let mut bench = Bench::start(Module::Menu, &format!("{MENU}\ninter_digit_ms = 1000"));
    bench.press("4");
    assert!(bench.done.is_none());
    assert_eq!(bench.desk.deadline, Some(bench.now + Duration::from_secs(1)));
    bench.press("5");
    assert_eq!(bench.output("choice"), "long");

    let mut half = Bench::start(Module::Menu, MENU);
    half.press("4");
    half.give(Event::Timeout);
    assert_eq!(half.said(), ["en/ask", "en/invalid", "en/ask"]);
}

#[test]
fn keys_typed_before_the_menu_are_taken_without_its_prompt() {
    let mut bench = Bench::start_typed(Module::Menu, MENU, "2");
    assert_eq!(bench.output("choice"), "support");
    assert_eq!(bench.actions(), [Action::Answer]);

    let mut wrong = Bench::start_typed(Module::Menu, MENU, "9");
    assert!(wrong.done.is_none());
    assert_eq!(wrong.said(), ["en/invalid", "en/ask"]);
}

#[test]
fn a_menu_without_barge_in_takes_the_key_when_the_prompt_has_ended() {
    let mut bench = Bench::start(Module::Menu, &format!("{MENU}\nbarge_in = false"));
    bench.press("2");
    assert!(bench.done.is_none());
    bench.end_play();
    assert_eq!(bench.output("choice"), "support");
}

/// Whatever the caller does, a menu ends within its tries.
#[test]
fn a_menu_always_ends() {
    let seed = 0x6d656e75;
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    for round in 0..2_000 {
        let tries = rng.next_u32() % 20 + 1;
        let barge_in = rng.next_u32() % 2 == 0;
        let mut bench = Bench::start(Module::Menu, &format!("{MENU}\ntries = {tries}\nbarge_in = {barge_in}"));
        let mut plays = 0;
        for _ in 0..10_000 {
            plays += bench.actions().iter().filter(|action| matches!(action, Action::Play { .. })).count();
            if bench.done.is_some() {
                break;
            }
            assert!(bench.desk.deadline.is_some(), "seed {seed:#x} round {round}: it waits for nothing");
            match rng.next_u32() % 4 {
                0 => bench.press(&format!("{}", rng.next_u32() % 10)),
                1 => bench.press("*"),
                2 => bench.end_play(),
                _ => bench.give(Event::Timeout),
            }
        }
        assert!(bench.done.is_some(), "seed {seed:#x} round {round}: no end");
        assert!(plays <= tries as usize, "seed {seed:#x} round {round}: {plays} plays in {tries} tries");
        let choice = bench.output("choice");
        assert!(["sales", "support", "long"].contains(&choice.as_str()), "seed {seed:#x} round {round}: {choice}");
    }
}

#[test]
fn gather_ends_by_length_terminator_or_time() {
    let cases = [
        ("max = 4", "1234", false, "1234"),
        ("max = 4", "12#", false, "12"),
        ("max = 4", "12", true, "12"),
        ("terminator = '*'\nmax = 4", "1#2*", false, "1#2"),
        ("pattern = 'NN'", "42#", false, "42"),
    ];
    for (inputs, keys, times_out, expected) in cases {
        let mut bench = Bench::start(Module::Gather, &format!("prompt = 'ask'\n{inputs}"));
        bench.press(keys);
        if times_out {
            bench.give(Event::Timeout);
        }
        assert_eq!(bench.output("digits"), expected, "{inputs} {keys}");
        assert_eq!(bench.output("result"), "entered");
    }
}

#[test]
fn gather_asks_again_for_what_does_not_fit_and_gives_up() {
    let mut bench = Bench::start(Module::Gather, "prompt = 'ask'\nmin = 3\ntries = 2");
    bench.press("12#");
    assert_eq!(bench.said(), ["en/ask", "en/invalid", "en/ask"]);
    bench.end_play();
    bench.give(Event::Timeout);
    assert_eq!((bench.output("digits").as_str(), bench.output("result").as_str()), ("", "no_input"));

    let mut silent = Bench::start(Module::Gather, "prompt = 'ask'\nfirst_digit_ms = 2000");
    silent.end_play();
    assert_eq!(silent.desk.deadline, Some(silent.now + Duration::from_secs(2)));
    silent.give(Event::Timeout);
    assert_eq!(silent.said(), ["en/ask", "en/no-input", "en/ask"]);
}

#[test]
fn gather_counts_digits_typed_before_it_began() {
    let bench = Bench::start_typed(Module::Gather, "prompt = 'ask'\nmax = 4", "12345");
    assert_eq!(bench.output("digits"), "1234");
    assert!(!bench.desk.typed.is_empty(), "the fifth is the next one's");
}

#[test]
fn distribute_answers_and_says_what_became_of_the_caller() {
    let mut bench = Bench::start(
        Module::Distribute,
        "queue = 'sales'\nskills = ['billing']\npriority = 2\nmax_wait_s = 90\nleave = '*'",
    );
    let expected = Action::Distribute {
        queue: "sales".into(),
        demand: Demand { skills: [("billing".into(), 1)].into(), priority: 2, ..Demand::default() },
        max_wait: Some(Duration::from_secs(90)),
        max_estimate: None,
        leave: vec![Digit::new('*').unwrap()],
        comfort: None,
    };
    assert_eq!(bench.actions(), [Action::Answer, expected]);
    bench.give(Event::Queued(QueueOutcome::Left(Digit::new('*').unwrap())));
    assert_eq!((bench.output("result").as_str(), bench.output("key").as_str()), ("left", "*"));
}

#[test]
fn an_answered_distribute_ends_the_plan_as_handled() {
    let mut bench = Bench::start(Module::Distribute, "queue = 'sales'");
    bench.give(Event::Queued(QueueOutcome::Answered));
    assert!(bench.done.is_none());
    bench.give(Event::Queued(QueueOutcome::Finished));
    assert!(matches!(bench.done, Some(Done::HangUp { outcome: Outcome::Handled, q850: 16, .. })));
}

#[test]
fn a_caller_who_lost_the_agent_and_finds_the_queue_full_goes_on() {
    let mut bench = Bench::start(Module::Distribute, "queue = 'sales'");
    bench.give(Event::Queued(QueueOutcome::Answered));
    bench.give(Event::Queued(QueueOutcome::Full));
    assert_eq!(bench.output("result"), "full");
}

#[test]
fn a_queue_that_is_not_there_is_told_without_answering() {
    let mut bench = Bench::start(Module::Distribute, "queue = 'nowhere'");
    assert_eq!(bench.output("result"), "no_such_queue");
    assert_eq!(bench.actions(), []);
}

#[test]
fn a_transfer_does_not_answer_and_keeps_why_nobody_did() {
    let cases = [
        (TransferOutcome::Busy, "busy", (486, 17)),
        (TransferOutcome::Declined, "declined", (603, 21)),
        (TransferOutcome::NoAnswer, "no_answer", (480, 19)),
        (TransferOutcome::Unreachable, "unreachable", (480, 20)),
        (TransferOutcome::NoSuchTarget, "no_such_target", (404, 1)),
        (TransferOutcome::Refused, "refused", (403, 21)),
    ];
    for (outcome, result, refusal) in cases {
        let mut bench = Bench::start(Module::Transfer, "to = 'agent:201'\nring_timeout_s = 9");
        let ring_timeout = Duration::from_secs(9);
        assert_eq!(bench.actions(), [Action::Transfer { to: Target::Agent("201".into()), ring_timeout }]);
        bench.give(Event::Transferred(outcome));
        assert_eq!(bench.output("result"), result);
        assert_eq!(bench.desk.refusal, refusal);
    }
}

/// A target may be computed from what the caller typed.
#[test]
fn a_transfer_reaches_agents_and_the_numbers_that_a_trunk_offers() {
    let ring_timeout = Duration::from_secs(30);
    for (to, target) in [
        ("agent:201", Target::Agent("201".into())),
        ("tel:+33155501", Target::Outside("+33155501".into())),
        ("+33-1-55-501", Target::Outside("+33155501".into())),
    ] {
        let mut bench = Bench::start(Module::Transfer, &format!("to = '{to}'"));
        assert_eq!(bench.actions(), [Action::Transfer { to: target, ring_timeout }], "{to}");
    }
    for (to, result) in [
        ("agent:301", "no_such_target"),
        ("agent:", "no_such_target"),
        ("expert:301", "refused"),
        ("sip:301@127.0.0.1:5090", "refused"),
        ("sip:+33155501@192.0.2.9", "refused"),
        ("tel:301", "refused"),
        ("301", "refused"),
        ("201", "refused"),
        ("", "refused"),
        ("tel:+44155501", "refused"),
        ("tel:+33155501;phone-context=x", "refused"),
        ("*21*+33155501#", "refused"),
    ] {
        let mut bench = Bench::start(Module::Transfer, &format!("to = '{to}'"));
        assert_eq!(bench.output("result"), result, "{to}");
        assert_eq!(bench.actions(), [], "{to}");
    }
}

#[test]
fn echo_and_silence_have_an_end() {
    let mut echo = Bench::start(Module::Echo, "max_s = 10");
    assert_eq!(echo.actions(), [Action::Answer, Action::Echo(true)]);
    assert_eq!(echo.desk.deadline, Some(echo.now + Duration::from_secs(10)));
    assert!(echo.desk.served);
    echo.give(Event::Timeout);
    assert_eq!(echo.actions(), [Action::Echo(false)]);
    assert!(echo.done.is_some());

    let mut silence = Bench::start(Module::Silence, "max_s = 10");
    assert_eq!(silence.actions(), [Action::Answer]);
    silence.give(Event::Timeout);
    assert!(silence.done.is_some());
}

#[test]
fn hangup_ends_as_it_says_or_as_fits() {
    let cases = [
        ("", (480, 31, Outcome::Failed)),
        ("status = 404\nq850 = 1", (404, 1, Outcome::Failed)),
        ("answer = true", (480, 16, Outcome::SelfService)),
        ("outcome = 'overflowed'\nanswer = true", (480, 16, Outcome::Overflowed)),
    ];
    for (inputs, expected) in cases {
        let bench = Bench::start(Module::Hangup, inputs);
        let Some(Done::HangUp { status, q850, outcome, .. }) = bench.done else { panic!("{inputs}") };
        assert_eq!((status, q850, outcome), expected, "{inputs}");
    }
}

#[test]
fn deter_tells_the_reason_and_hangs_up() {
    let mut bench = Bench::start(Module::Deter, "");
    assert_eq!(bench.said(), ["en/closed"]);
    bench.press("1");
    assert!(bench.done.is_none());
    bench.end_play();
    assert!(matches!(bench.done, Some(Done::HangUp { outcome: Outcome::Deterred, .. })));
}

#[test]
fn language_changes_what_is_heard_and_refuses_unknown_ones() {
    let bench = Bench::start(Module::Language, "language = 'fr'");
    assert_eq!((bench.output("result").as_str(), bench.desk.language.as_str()), ("set", "fr"));
    let bench = Bench::start(Module::Language, "language = 'xx'");
    assert_eq!((bench.output("result").as_str(), bench.desk.language.as_str()), ("unknown", "en"));
}

#[test]
fn type_ahead_is_bounded() {
    let mut typed = TypeAhead::default();
    (0..100).filter_map(|_| Digit::new('1')).for_each(|digit| typed.push(digit));
    assert_eq!(std::iter::from_fn(|| typed.take()).count(), TypeAhead::CAPACITY);
}

const LOOKUP: &str = "service = 'crm'\nurl = '/customers/{call.from}'\ntimeout_ms = 800\n\
                      fields = { tier = { path = 'tier', default = 'none' }, orders = { path = 'open', default = 0 } }\n\
                      'url.values' = { 'call.from' = '+33 1/2' }\n";

impl Bench {
    fn question(&mut self) -> Box<LookUp> {
        let asked = self.actions().into_iter().find_map(|action| match action {
            Action::LookUp { look_up: 1, question } => Some(question),
            _ => None,
        });
        asked.expect("a look-up")
    }

    fn found(&self) -> BTreeMap<String, String> {
        match &self.done {
            Some(Done::Found { outputs, .. }) => {
                outputs.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
            }
            other => panic!("not done with fields: {other:?}"),
        }
    }
}

fn answer(result: LookUpResult, values: &[(&str, Value)]) -> Answer {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Answer { result, status: 200, values, reason: String::new() }
}

#[test]
fn a_look_up_asks_and_takes_what_is_answered() {
    let mut bench = Bench::start(Module::Lookup, LOOKUP);
    let question = bench.question();
    assert_eq!(question.request.url, "/customers/%2B33%201%2F2");
    assert_eq!((question.request.method, question.timeout), (Method::Get, Duration::from_millis(800)));
    let late = answer(LookUpResult::Ok, &[("tier", Value::from("late"))]);
    bench.give(Event::LookedUp { look_up: 7, answer: late });
    assert!(bench.done.is_none(), "the answer to another question");
    bench.press("5");
    let gold = answer(LookUpResult::Ok, &[("tier", Value::from("gold"))]);
    bench.give(Event::LookedUp { look_up: 1, answer: gold });
    let found = bench.found();
    assert_eq!((found["result"].as_str(), found["status"].as_str()), ("ok", "200"));
    assert_eq!(
        (found["tier"].as_str(), found["orders"].as_str()),
        ("gold", "0"),
        "with the default of what is missing"
    );
    assert_eq!(bench.desk.typed.take(), Digit::new('5'), "keys pressed meanwhile are kept for the next menu");
    assert_eq!(bench.desk.deadline, None);
    assert!(!bench.desk.answered, "a caller is not answered for a look-up");
}

#[test]
fn a_look_up_that_takes_too_long_ends_by_its_own_time() {
    let mut bench = Bench::start(Module::Lookup, LOOKUP);
    bench.give(Event::Timeout);
    assert_eq!(bench.now, Instant(1_000_000_000) + Duration::from_millis(800));
    let found = bench.found();
    assert_eq!((found["result"].as_str(), found["tier"].as_str()), ("timed_out", "none"));
}

#[test]
fn a_prompt_runs_while_a_look_up_waits_and_stops_with_the_answer() {
    for repeat in [false, true] {
        let mut bench = Bench::start(Module::Lookup, &format!("{LOOKUP}prompt = 'ask'\nrepeat = {repeat}"));
        let actions = bench.actions();
        assert!(matches!(actions[1], Action::Play { repeat: plays, .. } if plays == repeat), "{actions:?}");
        assert_eq!(
            bench.desk.deadline,
            Some(bench.now + Duration::from_millis(800)),
            "of the look-up, not of the prompt"
        );
        bench.give(Event::LookedUp { look_up: 1, answer: answer(LookUpResult::Ok, &[]) });
        assert!(matches!(bench.actions()[..], [Action::StopPlay(_)]));
        assert!(bench.done.is_some());
    }
    let mut bench = Bench::start(Module::Lookup, &format!("{LOOKUP}prompt = 'ask'"));
    bench.actions();
    bench.end_play();
    bench.give(Event::Timeout);
    assert_eq!(bench.actions(), [], "a prompt that has ended is not stopped");
}

#[test]
fn a_look_up_that_cannot_be_asked_fails_with_its_defaults() {
    let cases = [
        (LOOKUP.replace("call.from' =", "other' ="), "the URL needs {call.from}, which has no value"),
        (LOOKUP.replace("+33 1/2", ".."), "a value would lead out of the URL's path"),
        (LOOKUP.replace("'crm'", "'gone'"), "there is no service 'gone'"),
    ];
    for (inputs, reason) in cases {
        let bench = Bench::start(Module::Lookup, &inputs);
        let found = bench.found();
        assert_eq!((found["result"].as_str(), found["tier"].as_str()), ("failed", "none"));
        assert_eq!(found["reason"], reason);
        assert!(bench.desk.actions.is_empty());
    }
}

#[test]
fn a_post_sends_its_body_as_json() {
    let mut bench = Bench::start(Module::Lookup, "service = 'crm'\nmethod = 'post'\nbody = { a = { b = 'c\"d' } }");
    let question = bench.question();
    assert_eq!(
        (question.request.method, question.request.body.as_deref()),
        (Method::Post, Some(r#"{"a":{"b":"c\"d"}}"#))
    );
}

#[test]
fn a_webhook_is_told_and_the_plan_goes_on_at_once() {
    let inputs = "service = 'crm'\nurl = '/events'\nevent = 'call.closed'\ndata = { number = '+331', n = 2 }";
    let mut bench = Bench::start(Module::Webhook, inputs);
    assert_eq!(bench.output("result"), "queued");
    let [Action::Webhook(webhook)] = &bench.actions()[..] else { panic!("no webhook") };
    assert_eq!((webhook.request.url.as_str(), webhook.event.as_str()), ("/events", "call.closed"));
    assert_eq!(webhook.data["n"], Value::Integer(2));
    for refused in [inputs.replace("crm", "gone"), inputs.replace("+331", &"9".repeat(40_000))] {
        let mut bench = Bench::start(Module::Webhook, &refused);
        assert_eq!((bench.output("result").as_str(), bench.actions().len()), ("refused", 0));
    }
}

fn screened(from: &str, earlier_s: &[u64], inputs: &str) -> (String, String) {
    let mut desk = Desk::new(Language::from("en"));
    desk.caller = Caller { from: from.to_owned(), earlier_s: earlier_s.to_vec() };
    let names = names();
    let inputs = Inputs { module: Module::Screen, values: toml::from_str(inputs).unwrap() };
    let mut step = Step { now: Instant(0), wall: WALL, names: &names, queues: &NoQueues, desk: &mut desk };
    let Started::Done(Done::Next { outputs, .. }) = Activity::start(Module::Screen, &inputs, &mut step) else {
        panic!("screen takes no time")
    };
    (outputs[0].1.to_string(), outputs[1].1.to_string())
}

#[test]
fn callers_are_screened_by_lists_looks_and_rate() {
    let lists = "deny = 'spam'\nallow = ['friends']";
    let cases = [
        ("0899123456", &[][..], lists, "spam", "deny"),
        ("+33155501", &[], lists, "pass", "allow"),
        ("+33155501", &[], "deny = ['friends', 'spam']", "spam", "deny"),
        ("+33155502", &[], lists, "pass", "none"),
        ("+33155502", &[], "deny = 'gone'", "pass", "none"),
        ("", &[], "", "pass", "none"),
        ("anonymous", &[], "anonymous = true", "spam", "anonymous"),
        ("<script>", &[], "", "spam", "malformed"),
        ("<script>", &[], "malformed = false", "pass", "none"),
        ("+33155502", &[10, 20, 599], "most_calls = 3", "spam", "rate"),
        ("+33155502", &[10, 20, 600], "most_calls = 3", "pass", "none"),
        ("+33155502", &[10, 20, 600], "most_calls = 3\nwindow_s = 601", "spam", "rate"),
        ("+33155501", &[1, 2, 3], "most_calls = 1\nallow = 'friends'", "pass", "allow"),
    ];
    for (from, earlier, inputs, verdict, reason) in cases {
        assert_eq!(
            screened(from, earlier, inputs),
            (verdict.to_owned(), reason.to_owned()),
            "{from} {earlier:?} {inputs}"
        );
    }
}
