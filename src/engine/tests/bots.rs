//! Callers who speak with a bot: what is heard goes to the plan, what was said stays with the call, and a recogniser that is
//! not there or dies costs nobody their call.

use super::decisions::centre;
use super::dial_out::{CALLER, from_caller, sdp};
use super::*;
use crate::bridge::{Digit, DigitSource, PlayItem};
use crate::callbot::bot::Bot;
use crate::callbot::matching::Guess;
use crate::callbot::tests::small_bot;
use crate::conversation::{Conversation, Reason};
use crate::heard::{Heard, SpeechFailure};
use crate::record::Outcome;

const PLAN: &str = "name = 'front'\nnumbers = ['700']\n[[level]]\nname = 'bot'\n[[level.rule]]\nmodule = 'callbot'\n\
    in = { bot = 'test' }\nout = { result = 'ended', intent = 'intent', reason = 'reason' }\n\
    [[level]]\nname = 'served'\n[[level.rule]]\nwhen = \"ended == 'served'\"\nmodule = 'hangup'\n\
    [[level]]\nname = 'person'\n[[level.rule]]\nmodule = 'distribute'\nin = { queue = 'sales' }\n";

/// A caller who has been greeted, and the tag of our end.
struct Talk {
    bench: Bench,
    tag: String,
}

impl Talk {
    fn new(settings: Settings) -> Talk {
        let mut bench = Bench::with_plan(settings.clone(), "");
        let bot: Bot = small_bot();
        let mut names = bench.engine.plans.names().clone();
        names.bots.insert(bot.name.clone(), Arc::new(bot.without_examples()));
        let source = Source { path: "plans/front.toml".to_owned(), text: PLAN.to_owned() };
        let plans = Plans::load(vec![source], names).unwrap_or_else(|findings| panic!("{findings:?}"));
        bench.input(Input::Reload { settings: Arc::new(settings), plans: Arc::new(plans) });
        bench.calls_700("70");
        let (_, tag) = bench.told();
        bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
        Talk { bench, tag }
    }

    /// What the media threads were told since the last look, as `listen`, `play greeting`, `stop`, ….
    fn media(&mut self) -> Vec<String> {
        let told = self.bench.media.drain(..).filter_map(|command| match command {
            MediaCommand::Listen { listening, .. } => Some(format!("listen {}", listening.language)),
            MediaCommand::Expect { .. } => Some("expect".to_owned()),
            MediaCommand::StopListening { .. } => Some("deaf".to_owned()),
            MediaCommand::StopPlay { .. } => Some("stop".to_owned()),
            MediaCommand::Play { items, repeat: false, .. } => {
                let names = items.iter().map(|item| match item {
                    PlayItem::Prompt { name, .. } => name.as_str(),
                    PlayItem::Silence(_) | PlayItem::Tone { .. } => "sound",
                });
                Some(format!("play {}", names.collect::<Vec<_>>().join(" ")))
            }
            _ => None,
        });
        told.collect()
    }

    fn leg(&self) -> LegId {
        self.bench.engine.calls.values().next().expect("a call").call.caller
    }

    fn hear(&mut self, listen: u64, hearing: Hearing, intent: Option<usize>) {
        let leg = self.leg();
        let guess =
            intent.map(|intent| Guess { intent, confidence: 0.9, second: None, accepted: true, indirect: false });
        let understood = Some(Understood { language: "en".into(), guess, known: false, likelier: None });
        self.bench.input(Input::Heard { leg, listen, hearing: Box::new(hearing), understood });
    }

    fn say(&mut self, text: &str, intent: Option<usize>) {
        self.hear(1, Hearing::Started, None);
        let heard = Heard { text: text.to_owned(), confidence: 0.9, ..Heard::default() };
        self.hear(1, Hearing::Final(heard), intent);
    }

    /// What plays has run to its end.
    fn end_play(&mut self) {
        let leg = self.leg();
        let play = self.bench.media.iter().rev().find_map(|command| match command {
            MediaCommand::Play { play, .. } => Some(*play),
            _ => None,
        });
        let play = play.expect("something plays");
        self.bench.input(Input::Media(MediaEvent::PlayEnded { leg, play }));
    }

    fn press(&mut self, keys: &str) {
        for digit in keys.chars().filter_map(Digit::new) {
            let (leg, source) = (self.leg(), DigitSource::TelephoneEvent);
            self.bench.input(Input::Media(MediaEvent::Digit { leg, digit, source }));
        }
    }

    fn published(&self) -> Vec<Conversation> {
        let changes = self.bench.other.iter().filter_map(|command| match command {
            Command::Publish(Change::Conversation { conversation, .. }) => Some((**conversation).clone()),
            _ => None,
        });
        changes.collect()
    }

    fn hang_up(&mut self) -> CallRecord {
        let tag = self.tag.clone();
        self.bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
        self.bench.wait(seconds(1.0));
        self.bench.records.pop().expect("a record")
    }
}

#[test]
fn a_caller_is_understood_and_served() {
    let mut talk = Talk::new(centre());
    assert_eq!(talk.media(), ["play greeting", "listen en"]);
    talk.hear(1, Hearing::Started, None);
    assert_eq!(talk.media(), ["stop"], "who speaks stops what is said");
    talk.bench.restore();
    let heard = Heard { text: "when are you open".to_owned(), confidence: 0.9, ..Heard::default() };
    talk.hear(1, Hearing::Final(heard), Some(1));
    assert_eq!(talk.media(), ["play hours anything-else", "expect"]);
    talk.say("no thank you", None);
    talk.media();
    let record = talk.hang_up();
    assert_eq!(record.outcome, Some(Outcome::SelfService));
    let said = &record.conversations[0];
    assert!(said.served && said.reason.is_none() && said.intent.as_deref() == Some("hours"), "{said:?}");
    assert_eq!(talk.published().len(), 1);
}

#[test]
fn what_the_bot_does_not_settle_goes_to_a_person_with_all_that_was_said() {
    let mut talk = Talk::new(centre());
    talk.say("glubber fnord", None);
    talk.say("xyzzy", None);
    talk.end_play();
    let (_, invite) = talk.bench.request(Method::Invite);
    let id = *talk.bench.engine.calls.keys().next().expect("the call");
    assert_eq!(invite.headers.get("X-Relais-Contact"), Some(id.to_string().as_str()));
    let user_to_user = invite.headers.get("User-to-User").expect("RFC 7433");
    assert_eq!(user_to_user, format!("{};encoding=hex;purpose=relais-contact", hex::encode(id.to_string())));
    let said = talk.published().pop().expect("the conversation is told");
    assert_eq!((said.reason, said.misses.len()), (Some(Reason::Misses), 2));
    let view = talk.bench.engine.calls.values().next().expect("the call").view();
    assert_eq!(view.conversations, [said]);
    assert!(talk.media().contains(&"deaf".to_owned()), "nobody listens to the talk with the agent");
}

#[test]
fn without_recognition_the_keypad_does_at_once() {
    let mut talk = Talk::new(centre());
    talk.media();
    let failure = SpeechFailure::Busy { engine: "e".to_owned(), streams: 2 };
    talk.hear(1, Hearing::Failed(failure), None);
    assert_eq!(talk.media(), ["deaf", "stop", "play keypad"]);
    talk.press("2");
    assert_eq!(talk.media(), ["stop", "play hours keypad"]);
    talk.press("0");
    talk.end_play();
    talk.bench.request(Method::Invite);
    assert_eq!(talk.published()[0].reason, Some(Reason::Key));
}

#[test]
fn a_recogniser_that_dies_in_the_middle_of_a_sentence_costs_no_call() {
    let mut talk = Talk::new(centre());
    talk.say("I want to pay my bill", Some(0));
    talk.hear(1, Hearing::Started, None);
    talk.media();
    talk.hear(1, Hearing::Failed(SpeechFailure::Died { engine: "e".to_owned() }), None);
    assert_eq!(talk.media(), ["deaf", "play type-it ask-card"]);
    // Whatever comes of the dead one afterwards is passed over.
    let heard = Heard { text: "agent".to_owned(), confidence: 0.9, ..Heard::default() };
    talk.hear(1, Hearing::Final(heard), None);
    assert_eq!(talk.media(), Vec::<String>::new());
    talk.press("1234#");
    assert!(
        talk.bench.other.iter().any(|command| matches!(command, Command::LookUp { .. })) || !talk.media().is_empty()
    );
}

#[test]
fn what_a_recogniser_tells_of_a_caller_who_has_gone_is_passed_over() {
    let mut talk = Talk::new(centre());
    let (tag, leg) = (talk.tag.clone(), talk.leg());
    talk.bench.receive(CALLER, from_caller("BYE", 2, &tag, "", ""));
    talk.media();
    let hearing = Box::new(Hearing::Failed(SpeechFailure::Died { engine: "e".to_owned() }));
    talk.bench.input(Input::Heard { leg, listen: 1, hearing, understood: None });
    assert_eq!(talk.media(), Vec::<String>::new(), "its leg is closed");
}

#[test]
fn a_recogniser_that_owes_its_text_is_not_waited_for_beyond_its_time() {
    let mut talk = Talk::new(centre());
    talk.hear(1, Hearing::Started, None);
    talk.media();
    talk.bench.wait(seconds(10.1));
    assert!(talk.media().contains(&"play keypad".to_owned()));
}

#[test]
fn a_caller_who_hangs_up_in_the_middle_leaves_what_was_said() {
    let mut talk = Talk::new(centre());
    talk.say("I want to pay my bill", Some(0));
    let record = talk.hang_up();
    let said = &record.conversations[0];
    assert_eq!((said.served, said.reason, said.intent.as_deref()), (false, None, Some("payment")));
    assert_eq!(record.outcome, Some(Outcome::Abandoned));
}

#[test]
fn an_agent_sends_the_caller_back_to_the_bot() {
    let mut talk = Talk::new(centre());
    talk.say("agent", None);
    talk.end_play();
    let (phone, invite) = talk.bench.request(Method::Invite);
    talk.bench.answer(&phone, &invite, 200, &sdp(6_000, "sendrecv"));
    talk.media();
    let id = *talk.bench.engine.calls.keys().next().expect("the call");
    let asked =
        talk.bench.engine.asking("700").and_then(|to| talk.bench.engine.transfer(id, &to, None, None, talk.bench.now));
    assert_eq!(asked, Ok(()));
    talk.bench.input(Input::Time);
    let media = talk.media();
    assert!(media.contains(&"play greeting".to_owned()) && media.contains(&"listen en".to_owned()), "{media:?}");
    talk.hear(2, Hearing::Started, None);
    let heard = Heard { text: "when are you open".to_owned(), confidence: 0.9, ..Heard::default() };
    talk.hear(2, Hearing::Final(heard), Some(1));
    let record = talk.hang_up();
    assert_eq!(record.outcome, Some(Outcome::Handled), "an agent has talked with them");
    assert_eq!(record.conversations.len(), 2);
    assert_eq!(record.transfers, 1);
    let modules: Vec<&str> = record.path.iter().map(|step| step.module.as_str()).collect();
    assert_eq!(modules, ["callbot", "distribute", "callbot"]);
}
