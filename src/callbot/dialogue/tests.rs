use super::*;
use crate::callbot::bot::{Act, Piece};
use crate::callbot::privacy::HIDDEN;
use crate::callbot::tests::small_bot;
use crate::callbot::understanding::{Understand, Understanding, Understood};
use crate::spoken::{Base, Draft, Kind, Said, Set, parse_rule};

/// A dialogue, its mind and a clock.
struct Bench {
    bot: Bot,
    understanding: Understanding,
    spoken: BTreeMap<Language, Table>,
    dialogue: Option<Dialogue>,
    now: Now,
}

impl Bench {
    fn new(there: bool) -> (Bench, Vec<Action>) {
        let bot = small_bot();
        let understanding = Understanding::new(&bot, None, None);
        let now = Now { instant: Instant(5_000_000_000), wall: "2026-11-28T10:00:00Z".parse().unwrap() };
        let mut bench = Bench { bot, understanding, spoken: BTreeMap::new(), dialogue: None, now };
        bench.dialogue = Some(Dialogue::start(bench.mind(), &Language::from("en"), there, now));
        let actions = bench.drain();
        (bench, actions)
    }

    fn mind(&self) -> Mind<'_> {
        Mind { bot: &self.bot, understanding: &self.understanding, spoken: &self.spoken }
    }

    fn drain(&mut self) -> Vec<Action> {
        let dialogue = self.dialogue.as_mut().unwrap();
        std::iter::from_fn(|| dialogue.poll_action()).collect()
    }

    fn give(&mut self, event: Event) -> Vec<Action> {
        let mut dialogue = self.dialogue.take().unwrap();
        dialogue.handle(event, self.mind(), self.now);
        self.dialogue = Some(dialogue);
        self.drain()
    }

    fn hear(&mut self, text: &str) -> Vec<Action> {
        self.give(Event::Heard(Utterance { text: text.to_owned(), ..Utterance::default() }))
    }

    fn wait(&mut self, seconds: u64) -> Vec<Action> {
        self.now.instant = self.now.instant + Duration::from_secs(seconds);
        self.give(Event::Timeout)
    }

    fn state(&self) -> &State {
        &self.dialogue.as_ref().unwrap().state
    }
}

/// The number of the last thing said, and its prompts.
fn said(actions: &[Action]) -> (u64, Vec<&str>) {
    let last = actions.iter().rev().find_map(|action| match action {
        Action::Say { say, prompts, .. } => Some((*say, prompts.iter().map(String::as_str).collect())),
        _ => None,
    });
    last.unwrap_or_else(|| panic!("nothing is said: {actions:?}"))
}

#[test]
fn speech_stops_what_is_being_said_and_the_recogniser_owes_a_text() {
    let (mut bench, actions) = Bench::new(true);
    let (say, prompts) = said(&actions);
    assert_eq!(prompts, ["greeting"]);
    assert_eq!(bench.give(Event::SpeechStarted), [Action::StopSaying(say)]);
    assert_eq!(bench.give(Event::Said(say)), [], "one that was stopped has not ended");
    let actions = bench.wait(10);
    assert!(actions.contains(&Action::StopListening), "{actions:?}");
    assert_eq!(said(&actions).1, ["keypad"], "a recogniser that gives no text is none");
}

#[test]
fn who_reads_a_conversation_reads_the_example_that_was_heard_and_no_words_that_mean_nothing() {
    let transcript = |text: &str, other: &str| {
        let (mut bench, _) = Bench::new(true);
        let alternatives = vec![other.to_owned()];
        bench.give(Event::Heard(Utterance { text: text.to_owned(), alternatives, ..Utterance::default() }));
        let dialogue = bench.dialogue.unwrap();
        let texts = dialogue.transcript.iter().filter_map(|turn| match turn {
            Turn::Caller { text, .. } => Some(text.clone()),
            Turn::Bot { .. } => None,
        });
        texts.collect::<Vec<_>>()
    };
    let example = small_bot().examples[&Language::from("en")][0].0.clone();
    assert_eq!(transcript("zebra umbrella", &example), [example.as_str()]);
    assert_eq!(transcript("zebra umbrella", "no example at all"), ["zebra umbrella"]);
    assert_eq!(transcript("when are you open", &example), ["when are you open"], "it says something by itself");
}

#[test]
fn a_wish_is_expected_where_one_may_be_said_and_yes_or_no_where_that_is_asked() {
    let expected = |actions: Vec<Action>| -> Vec<Expect> {
        let expect = |action| if let Action::Listen { expect, .. } = action { Some(expect) } else { None };
        actions.into_iter().filter_map(expect).collect()
    };
    let (mut bench, actions) = Bench::new(true);
    assert_eq!(expected(actions), [Expect::Wish]);
    let mut dialogue = bench.dialogue.take().unwrap();
    dialogue.ask(bench.mind(), &Text::new(), State::Offered, bench.now);
    dialogue.ask_for_more(bench.mind(), bench.now);
    bench.dialogue = Some(dialogue);
    assert_eq!(expected(bench.drain()), [Expect::YesOrNo, Expect::Wish]);
}

#[test]
fn a_cough_is_no_miss() {
    let (mut bench, _) = Bench::new(true);
    for _ in 0..3 {
        bench.give(Event::SpeechStarted);
        assert_eq!(said(&bench.hear("")).1, ["go-ahead"]);
    }
    assert_eq!(said(&bench.hear("...")).1, ["still-there", "go-ahead"], "the fourth counts as silence");
    assert_eq!(bench.dialogue.as_ref().unwrap().misses, 0);
}

#[test]
fn hello_is_no_miss_and_goodbye_is_the_end() {
    let (mut bench, _) = Bench::new(true);
    assert_eq!(said(&bench.hear("hello? um, hello")).1, ["go-ahead"]);
    bench.hear("when are you open");
    assert_eq!(said(&bench.hear("great, thanks, bye")).1, ["goodbye"]);
    assert_eq!(bench.dialogue.as_ref().unwrap().misses, 0);
}

#[test]
fn who_asks_for_the_same_where_something_is_offered_gets_a_person() {
    let (mut bench, _) = Bench::new(true);
    bench.hear("I want to pay my bill");
    bench.hear("1234");
    bench.give(Event::LookedUp { look_up: 1, fields: Some(BTreeMap::new()) });
    assert_eq!(*bench.state(), State::Offered);
    bench.hear("how can I pay the bill");
    assert_eq!(*bench.state(), State::Ending(Ending::HandOver(Reason::Repeated)));
}

#[test]
fn who_does_not_have_what_is_asked_for_gets_a_person() {
    let (mut bench, _) = Bench::new(true);
    bench.hear("I want to pay my bill");
    bench.hear("I don't have it here");
    assert_eq!(*bench.state(), State::Ending(Ending::HandOver(Reason::Intent)));
}

#[test]
fn a_time_out_that_comes_too_early_is_none() {
    let (mut bench, actions) = Bench::new(true);
    let (say, _) = said(&actions);
    bench.give(Event::Said(say));
    assert_eq!(bench.wait(5), []);
    assert_eq!(said(&bench.wait(1)).1, ["still-there", "go-ahead"]);
}

#[test]
fn what_is_private_stands_nowhere_and_is_not_recorded() {
    let (mut bench, _) = Bench::new(true);
    let actions = bench.hear("I want to pay my bill");
    assert!(actions.contains(&Action::PauseRecording(true)), "{actions:?}");
    let actions = bench.hear("one two three four five six");
    let asked = actions.iter().find_map(|action| match action {
        Action::LookUp { look_up, request } => Some((*look_up, request.clone())),
        _ => None,
    });
    let (look_up, request) = asked.unwrap();
    assert_eq!(request.values.get("card").map(String::as_str), Some("123456"), "the service is given it");
    let actions = bench.give(Event::LookedUp { look_up, fields: None });
    assert_eq!(said(&actions).1, ["paid", "receipt"]);
    assert!(actions.contains(&Action::PauseRecording(false)), "{actions:?}");
    let packet = bench.dialogue.as_ref().unwrap().packet(bench.mind(), None, bench.now);
    let shown = serde_json::to_string(&packet).unwrap();
    assert!(shown.contains(HIDDEN) && !shown.contains("one two") && !shown.contains("123456"), "{shown}");
}

#[test]
fn a_private_value_that_is_said_later_stands_nowhere_either() {
    let (mut bench, _) = Bench::new(true);
    let rules = vec![(Base::parse("0").unwrap(), parse_rule("some").unwrap())];
    let draft = Draft { sets: [("number".to_owned(), Set { rules, ..Set::default() })].into(), ..Draft::default() };
    bench.spoken.insert("en".into(), draft.build().unwrap());
    let said_aloud = Piece::Value { said: Said { kind: Kind::Number, set: None }, of: "card".to_owned() };
    bench.bot.intents[0].steps[2].act = Act::Answer(vec![Piece::Prompt("paid".to_owned()), said_aloud]);
    bench.hear("I want to pay my bill");
    bench.hear("1234");
    let actions = bench.give(Event::LookedUp { look_up: 1, fields: None });
    assert_eq!(said(&actions).1, ["paid", "spoken-some", "receipt"], "the caller hears it");
    let packet = bench.dialogue.as_ref().unwrap().packet(bench.mind(), None, bench.now);
    let shown = serde_json::to_string(&packet).unwrap();
    assert!(shown.contains("paid") && !shown.contains("spoken-some"), "{shown}");
}

/// A bot that asks for six digits and reads them back.
fn asks_for_an_order() -> Bench {
    let (mut bench, _) = Bench::new(true);
    let rules = vec![(Base::parse("0").unwrap(), parse_rule("some").unwrap())];
    let draft = Draft { sets: [("number".to_owned(), Set { rules, ..Set::default() })].into(), ..Draft::default() };
    bench.spoken.insert("en".into(), draft.build().unwrap());
    let order = bench.bot.slots.get_mut("card").unwrap();
    order.private = false;
    order.kind = crate::callbot::slots::Kind::Digits { least: 6, most: 6 };
    let said_aloud = Piece::Value { said: Said { kind: Kind::Number, set: None }, of: "card".to_owned() };
    bench.bot.intents[0].steps[1].act = Act::Answer(vec![said_aloud]);
    bench.hear("I want to pay my bill");
    bench
}

#[test]
fn a_card_number_that_is_typed_where_something_shorter_is_asked_for_stands_nowhere() {
    let number = "4012888888881881";
    let mut bench = asks_for_an_order();
    let press = |bench: &mut Bench, keys: &str, pause_ms: u64| {
        for key in keys.chars() {
            bench.now.instant = bench.now.instant + Duration::from_millis(pause_ms);
            bench.give(Event::Digit(Digit::new(key).unwrap()));
        }
    };
    press(&mut bench, number, 700);
    bench.wait(3);
    let packet = bench.dialogue.as_ref().unwrap().packet(bench.mind(), None, bench.now);
    let shown = serde_json::to_string(&packet).unwrap();
    for piece in ["401288", "8888", "1881", "88", "spoken-some"] {
        assert!(!shown.contains(piece), "{piece}: {shown}");
    }
    assert!(
        packet.transcript.iter().any(|turn| matches!(turn, Turn::Caller { text, .. } if text == HIDDEN)),
        "{shown}"
    );

    // The same keys with a pause in between, as answers to questions that were heard out, are what they are.
    let mut bench = asks_for_an_order();
    press(&mut bench, "401288", 700);
    bench.now.instant = bench.now.instant + Duration::from_secs(4);
    press(&mut bench, "1", 700);
    let packet = bench.dialogue.as_ref().unwrap().packet(bench.mind(), None, bench.now);
    assert_eq!(packet.slots.get("card").map(String::as_str), Some("401288"));
    let shown = serde_json::to_string(&packet).unwrap();
    assert!(shown.contains("spoken-some") && !shown.contains(HIDDEN), "{shown}");
}

#[test]
fn an_answer_that_comes_too_late_is_passed_over() {
    let (mut bench, _) = Bench::new(true);
    bench.hear("I want to pay my bill");
    bench.hear("1234");
    assert!(matches!(bench.state(), State::LookingUp(1)));
    assert_eq!(said(&bench.wait(2)).1, ["paid", "receipt"]);
    let late = Event::LookedUp { look_up: 1, fields: Some(BTreeMap::new()) };
    assert_eq!(bench.give(late), []);
}

#[test]
fn someone_who_wants_something_else_in_the_middle_gets_it() {
    let (mut bench, _) = Bench::new(true);
    bench.hear("I want to pay my bill");
    assert_eq!(said(&bench.hear("when are you open")).1, ["hours", "anything-else"]);
}

#[test]
fn a_caller_is_put_through_in_every_such_case() {
    let end = |actions: &[Action]| match bench_end(actions) {
        Some(Ending::HandOver(reason)) => reason,
        other => panic!("{other:?} in {actions:?}"),
    };
    for (lines, reason) in [
        (&["glubber fnord", "xyzzy plugh"][..], Reason::Misses),
        (&["an agent please"], Reason::Agent),
        (&["damn this"], Reason::Anger),
        (&["when are you open", "what are your opening hours"], Reason::Repeated),
    ] {
        let (mut bench, _) = Bench::new(true);
        let mut last = Vec::new();
        for line in lines {
            last = bench.hear(line);
        }
        assert_eq!(said(&last).1.last(), Some(&"hand-over"), "{lines:?}");
        let (say, _) = said(&last);
        assert_eq!(end(&bench.give(Event::Said(say))), reason);
        assert!(bench.dialogue.as_ref().unwrap().is_over());
        assert_eq!(bench.hear("hello"), [], "nothing comes behind the end");
    }
    let (mut bench, _) = Bench::new(true);
    let actions = bench.give(Event::Digit(Digit::new('0').unwrap()));
    let (say, _) = said(&actions);
    assert_eq!(end(&bench.give(Event::Said(say))), Reason::Key);
}

fn bench_end(actions: &[Action]) -> Option<Ending> {
    actions.iter().find_map(|action| match action {
        Action::End { ending, packet } => {
            assert_eq!(packet.reason.is_some(), matches!(ending, Ending::HandOver(_)));
            Some(*ending)
        }
        _ => None,
    })
}

#[test]
fn where_only_what_it_may_have_been_instead_is_a_wish_the_bot_asks_back() {
    let asked = |indirect: bool, sure: f32| {
        let (mut bench, actions) = Bench::new(true);
        bench.give(Event::Said(said(&actions).0));
        bench.bot.thresholds.sure = sure;
        let hours = bench.understanding.guess(&bench.bot, &Language::from("en"), "when are you open").unwrap();
        let guess = Guess { confidence: 0.7, indirect, ..hours };
        let language = Language::from("en");
        let understood = Some(Understood { guess: Some(guess), known: false, likelier: None, language });
        let mut dialogue = bench.dialogue.take().unwrap();
        let heard = Event::Heard(Utterance { text: "wen a you hope".to_owned(), ..Utterance::default() });
        dialogue.handle(heard, Mind { understanding: &understood, ..bench.mind() }, bench.now);
        matches!(dialogue.state, State::SureOf(intent) if intent == hours.intent)
    };
    assert!(asked(true, 0.6), "it is likely enough, but was not heard");
    assert!(!asked(false, 0.6) && asked(false, 0.8));
    assert!(!asked(true, 0.0), "this bot never asks back");
}

#[test]
fn words_that_the_recogniser_is_not_sure_of_are_a_miss() {
    let (mut bench, _) = Bench::new(true);
    let unsure = Utterance { text: "when are you open".to_owned(), confidence: Some(0.1), ..Utterance::default() };
    assert_eq!(said(&bench.give(Event::Heard(unsure))).1, ["not-understood", "go-ahead"]);
}

#[test]
fn the_keypad_does_without_a_recogniser() {
    let (mut bench, actions) = Bench::new(false);
    assert_eq!(said(&actions).1, ["keypad"]);
    let key = |key: char| Event::Digit(Digit::new(key).unwrap());
    assert_eq!(said(&bench.give(key('1'))).1, ["type-it", "ask-card"]);
    for digit in "1234".chars() {
        assert_eq!(bench.give(key(digit)).iter().filter(|action| matches!(action, Action::LookUp { .. })).count(), 0);
    }
    let actions = bench.give(key('#'));
    assert!(actions.iter().any(|action| matches!(action, Action::LookUp { .. })), "{actions:?}");
    bench.give(Event::LookedUp { look_up: 1, fields: None });
    assert_eq!(said(&bench.give(key('2'))).1, ["keypad"], "no receipt; the menu again");
}

#[test]
fn a_pause_ends_a_typed_number() {
    let (mut bench, _) = Bench::new(true);
    bench.hear("I want to pay my bill");
    for digit in "4711".chars() {
        bench.give(Event::Digit(Digit::new(digit).unwrap()));
    }
    let actions = bench.wait(3);
    assert!(actions.iter().any(|action| matches!(action, Action::LookUp { .. })), "{actions:?}");
}

#[test]
fn the_conversation_is_over_in_time() {
    let (mut bench, actions) = Bench::new(true);
    let (say, _) = said(&actions);
    bench.give(Event::Said(say));
    for _ in 0..40 {
        if bench.dialogue.as_ref().unwrap().is_over() {
            return;
        }
        let at = bench.dialogue.as_ref().unwrap().poll_timeout().unwrap();
        bench.now.instant = at;
        bench.give(Event::Timeout);
    }
    panic!("time-outs alone lead nowhere: {:?}", bench.state());
}
