//! `callbot`: the caller says in their own words what they want, and the bot answers it or learns who should.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{Fields, LookUpResult};
use super::http::{self, Method, RequestFault, values_of};
use super::lookup::LookUp;
use super::spec::{Ends, Input, Kind, Module, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Speech, Started, Value};
use crate::bridge::PlayItem;
use crate::callbot::bot::{Bot, ListenFor};
use crate::callbot::dialogue::{self, Dialogue, Expect, Mind};
use crate::callbot::matching::Example;
use crate::callbot::understanding::Understood;
use crate::callbot::words;
use crate::conversation::{Conversation, Ending, Reason};
use crate::heard::Hints;
use crate::ids::{Language, PlayId};
use crate::time::Now;

pub const SPEC: Spec = Spec {
    name: "callbot",
    summary: "Lets the caller say in their own words what they want. A bot answers what is simple; it hands the rest to a \
              person with everything that was said: see bots/BOTS.md. Keys work at any time, and alone where no speech \
              recognition is at hand.",
    inputs: &[
        Input { name: "bot", kind: Kind::Bot, need: Need::Required, doc: "which bot of the configuration speaks" },
        Input {
            name: "language",
            kind: Kind::Language,
            need: Need::Optional,
            doc: "the language it begins in; the caller's, if not given. Prompts are in the language it ends in from then on",
        },
    ],
    outputs: &[
        Output {
            name: "result",
            kind: OutputKind::Word(&["served", "hand_over"]),
            doc: "`served`: the caller has what they wanted; `hand_over`: a person is to go on",
        },
        Output {
            name: "reason",
            kind: OutputKind::Word(REASONS),
            doc: "why a person is to go on; `none` where the caller was served",
        },
        Output {
            name: "intent",
            kind: OutputKind::Text,
            doc: "what the caller wants; an empty text where that is not known",
        },
        Output { name: "slots", kind: OutputKind::Map, doc: "what the caller told; private values are hidden" },
        Output { name: "language", kind: OutputKind::Text, doc: "the language that was spoken at the end" },
        Output { name: "misses", kind: OutputKind::Integer, doc: "how often the caller was not understood" },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

const REASONS: &[&str] =
    &["none", "misses", "agent", "key", "anger", "repeated", "silence", "recogniser", "too_long", "intent"];

/// A conversation under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Callbot {
    bot: String,
    dialogue: Dialogue,
    /// What is being said, as the dialogue and as the run number it.
    saying: Option<(u64, PlayId)>,
    /// What is being looked up, as the run and as the dialogue number it.
    look_up: Option<(u64, u64)>,
    listening: bool,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let name = inputs.text("bot").unwrap_or_default();
    let language = inputs.text("language").map_or_else(|| step.desk.language.clone(), Language::from);
    step.answer();
    let nothing: Option<Understood> = None;
    let Some(mind) = mind(name, &nothing, step) else {
        return Started::Done(done(Ending::HandOver(Reason::Recogniser), None, &language));
    };
    let dialogue = Dialogue::start(mind, &language, true, now(step));
    let mut callbot = Callbot { bot: name.to_owned(), dialogue, saying: None, look_up: None, listening: false };
    match callbot.settle(&nothing, step) {
        Some(done) => Started::Done(done),
        None => Started::Running(Activity::Callbot(Box::new(callbot))),
    }
}

fn now(step: &Step<'_>) -> Now {
    Now { instant: step.now, wall: step.wall }
}

fn mind<'a>(bot: &str, understood: &'a Option<Understood>, step: &Step<'a>) -> Option<Mind<'a>> {
    let names = step.names;
    Some(Mind { bot: names.bots.get(bot)?, understanding: understood, spoken: &names.spoken })
}

impl Callbot {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let mut understood = None;
        let told = match event {
            Event::Digit(digit) => dialogue::Event::Digit(*digit),
            Event::Timeout => dialogue::Event::Timeout,
            Event::PlayEnded(play) => match self.saying {
                Some((say, own)) if own == *play => {
                    self.saying = None;
                    dialogue::Event::Said(say)
                }
                _ => return None,
            },
            Event::LookedUp { look_up, answer } => match self.look_up {
                Some((asked, own)) if asked == *look_up => {
                    self.look_up = None;
                    dialogue::Event::LookedUp { look_up: own, fields: fields(answer) }
                }
                _ => return None,
            },
            Event::Speech(speech) => match &**speech {
                Speech::Started => dialogue::Event::SpeechStarted,
                Speech::Heard { utterance, understood: found } => {
                    understood.clone_from(found);
                    dialogue::Event::Heard(utterance.clone())
                }
                Speech::Nothing => dialogue::Event::Heard(Default::default()),
                Speech::Gone => {
                    self.listening = false;
                    dialogue::Event::Recogniser { there: false }
                }
            },
            _ => return None,
        };
        let now = now(step);
        match mind(&self.bot, &understood, step) {
            Some(mind) => self.dialogue.handle(told, mind, now),
            // Calls keep the plans they began with, and these their bots.
            None => return Some(done(Ending::HandOver(Reason::Recogniser), None, self.dialogue.language())),
        }
        self.settle(&understood, step)
    }

    /// Does what the dialogue asks for; `Some` when it is over.
    fn settle(&mut self, understood: &Option<Understood>, step: &mut Step<'_>) -> Option<Done> {
        while let Some(action) = self.dialogue.poll_action() {
            if let dialogue::Action::End { ending, packet } = action {
                self.stop_listening(step);
                step.stop_waiting();
                step.desk.served = ending == Ending::Served;
                let done = done(ending, Some(&packet), self.dialogue.language());
                step.ask(Action::Conversed(packet));
                return Some(done);
            }
            self.act(action, understood, step);
        }
        step.desk.language = self.dialogue.language().clone();
        step.desk.chose |= self.dialogue.has_understood();
        step.desk.served = self.dialogue.has_served();
        step.desk.deadline = self.dialogue.poll_timeout();
        None
    }

    fn act(&mut self, action: dialogue::Action, understood: &Option<Understood>, step: &mut Step<'_>) {
        match action {
            dialogue::Action::Say { say, prompts, language } => {
                let items = prompts.iter().map(|prompt| PlayItem::prompt(prompt, &language)).collect();
                self.saying = Some((say, step.play_items(items, false)));
            }
            dialogue::Action::StopSaying(say) => {
                if let Some((_, play)) = self.saying.take_if(|(saying, _)| *saying == say) {
                    step.ask(Action::StopPlay(play));
                }
            }
            dialogue::Action::Listen { language, expect } => {
                self.listening = true;
                let hints = hints(&expect, &language, step.names.bots.get(&self.bot).map(AsRef::as_ref));
                step.ask(Action::Listen { bot: self.bot.clone(), language, hints });
            }
            // The stream is kept for the next question: another caller could take its place.
            dialogue::Action::StopListening if self.listening => {}
            dialogue::Action::StopListening => self.stop_listening(step),
            dialogue::Action::PauseRecording(pause) => step.ask(Action::PauseRecording(pause)),
            dialogue::Action::LookUp { look_up, request } => self.look_up(look_up, &request, understood, step),
            // Taken care of by who drains the actions.
            dialogue::Action::End { .. } => {}
        }
    }

    fn stop_listening(&mut self, step: &mut Step<'_>) {
        if std::mem::take(&mut self.listening) {
            step.ask(Action::StopListening);
        }
    }

    fn look_up(&mut self, own: u64, wanted: &dialogue::LookUp, understood: &Option<Understood>, step: &mut Step<'_>) {
        let look_up = step.desk.next_look_up;
        step.desk.next_look_up += 1;
        match question(wanted, step) {
            Ok(question) => {
                self.look_up = Some((look_up, own));
                step.ask(Action::LookUp { look_up, question: Box::new(question) });
            }
            // As one that was not answered.
            Err(_) => {
                let now = now(step);
                if let Some(mind) = mind(&self.bot, understood, step) {
                    self.dialogue.handle(dialogue::Event::LookedUp { look_up: own, fields: None }, mind, now);
                }
            }
        }
    }

    /// What was said so far, where the caller hangs up now.
    pub(super) fn conversation(&self, names: &super::Names, now: Now) -> Option<Conversation> {
        let nothing: Option<Understood> = None;
        let mind = Mind { bot: names.bots.get(&self.bot)?, understanding: &nothing, spoken: &names.spoken };
        Some(self.dialogue.packet(mind, None, now))
    }

    /// Whether speech is listened to now.
    pub(super) fn hears(&self) -> bool {
        self.listening
    }
}

fn question(wanted: &dialogue::LookUp, step: &Step<'_>) -> Result<LookUp, RequestFault> {
    if !step.names.services.contains_key(wanted.service.as_str()) {
        return Err(RequestFault::NoSuchService(wanted.service.clone()));
    }
    let map = |values: &BTreeMap<String, String>| {
        Value::Map(values.iter().map(|(name, value)| (name.clone(), Value::Text(value.clone()))).collect())
    };
    let values = BTreeMap::from([
        ("service".to_owned(), Value::Text(wanted.service.clone())),
        ("url".to_owned(), Value::Text(wanted.url.clone())),
        (values_of("url"), map(&wanted.values)),
    ]);
    let inputs = Inputs { module: Module::Lookup, values };
    let (method, body) = match wanted.body.is_empty() {
        true => (Method::Get, None),
        false => (Method::Post, Some(http::json(Some(&map(&wanted.body)))?)),
    };
    let field = |(path, default): &(String, String)| {
        Value::Map(
            [("path", path), ("default", default)]
                .map(|(key, text)| (key.to_owned(), Value::Text(text.clone())))
                .into(),
        )
    };
    let fields = wanted.fields.iter().map(|(name, wanted)| (name.clone(), field(wanted)));
    Ok(LookUp {
        request: http::request(&inputs, method, body)?,
        timeout: wanted.timeout,
        cache: std::time::Duration::ZERO,
        // Checked when the bot was read.
        fields: Fields::read(&Value::Map(fields.collect())).unwrap_or_default(),
    })
}

/// What a service said; nothing where it gave no answer.
fn fields(answer: &super::Answer) -> Option<BTreeMap<String, String>> {
    if !matches!(answer.result, LookUpResult::Ok | LookUpResult::NotFound) {
        return None;
    }
    let mut fields: BTreeMap<String, String> =
        answer.values.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    fields.insert(dialogue::RESULT.to_owned(), answer.result.word().to_owned());
    Some(fields)
}

/// What the recogniser is told of the answer that will come. Anything else may be said all the same.
fn hints(expect: &Expect, language: &Language, bot: Option<&Bot>) -> Hints {
    let words = words::of(language);
    match expect {
        Expect::Anything => Hints::default(),
        Expect::Wish => {
            let known = bot.and_then(|bot| Some((bot.listen_for.get(language)?, bot.intents.len())));
            let Some((ListenFor { phrases, also }, intents)) = known else { return Hints::default() };
            let ((phrases, groups), (also, also_groups)) = (by_intent(phrases, intents), by_intent(also, intents));
            Hints { phrases, groups, also, also_groups, near: true, ..Hints::default() }
        }
        Expect::YesOrNo => {
            let [yes, no] = words.map(|words| [words.yes.clone(), words.no.clone()]).unwrap_or_default();
            let groups = vec![yes.len(), no.len()];
            Hints { phrases: [yes, no].concat(), groups, whole: true, ..Hints::default() }
        }
        // A digit is seldom the only one.
        Expect::Spelled => {
            let phrases = words.iter().flat_map(|words| words.numbers.keys()).cloned().collect();
            Hints { phrases, ..Hints::default() }
        }
        Expect::Phrases(phrases) => Hints { phrases: phrases.clone(), whole: true, ..Hints::default() },
    }
}

/// Those of the first intent, then those of the second, and so on, with how many there are of each; behind them what is no wish.
fn by_intent(sentences: &[Example], intents: usize) -> (Vec<String>, Vec<usize>) {
    let of = |wanted: Option<usize>| {
        sentences.iter().filter(move |(_, intent)| *intent == wanted).map(|(text, _)| text.clone())
    };
    let groups = (0..intents).map(|intent| of(Some(intent)).count()).collect();
    (((0..intents).map(Some)).chain([None]).flat_map(of).collect(), groups)
}

fn done(ending: Ending, conversation: Option<&Conversation>, language: &Language) -> Done {
    let (result, reason) = match ending {
        Ending::Served => ("served", "none"),
        Ending::HandOver(reason) => ("hand_over", reason.word()),
    };
    let intent = conversation.and_then(|said| said.intent.clone()).unwrap_or_default();
    let slots = conversation.map(|said| said.slots.clone()).unwrap_or_default();
    let misses = conversation.map_or(0, |said| said.misses.len());
    let outputs = vec![
        ("result", Value::from(result)),
        ("reason", Value::from(reason)),
        ("intent", Value::Text(intent)),
        ("slots", Value::Map(slots.into_iter().map(|(name, value)| (name, Value::Text(value))).collect())),
        ("language", Value::Text(language.to_string())),
        ("misses", Value::Integer(i64::try_from(misses).unwrap_or(i64::MAX))),
    ];
    let result = if ending == Ending::Served { result.to_owned() } else { format!("{result}: {reason}") };
    Done::Next { result, outputs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbot::tests::small_bot;

    #[test]
    fn a_recogniser_is_told_of_the_bots_short_sentences_and_that_others_may_be_said() {
        let (mut bot, korean) = (small_bot(), Language::from("ko"));
        let intents = bot.intents.len();
        let (of, last) = (|text: &str, intent| (text.to_owned(), intent), Some(intents - 1));
        let phrases =
            vec![of("여보세요", None), of("상담원", last), of("주문 조회", Some(0)), of("배송 조회", Some(0))];
        let also = vec![of("비가 와요", None), of("사람이요", last)];
        bot.listen_for.insert(korean.clone(), ListenFor { phrases, also });
        let wish = hints(&Expect::Wish, &korean, Some(&bot));
        assert!(wish.near && !wish.whole, "{wish:?}");
        assert_eq!(wish.phrases, ["주문 조회", "배송 조회", "상담원", "여보세요"]);
        assert_eq!((wish.groups.len(), wish.groups[0], wish.groups[intents - 1]), (intents, 2, 1));
        assert_eq!(wish.also, ["사람이요", "비가 와요"]);
        assert_eq!((wish.also_groups.len(), wish.also_groups[0], wish.also_groups[intents - 1]), (intents, 0, 1));
        assert_eq!(hints(&Expect::Wish, &Language::from("en"), Some(&bot)), Hints::default());
        let answer = hints(&Expect::YesOrNo, &korean, Some(&bot));
        assert!(answer.whole && !answer.near && answer.also.is_empty(), "{answer:?}");
        let (yes, no) = answer.phrases.split_at(answer.groups[0]);
        assert!(yes.contains(&"네".to_owned()) && no.contains(&"아니요".to_owned()), "{answer:?}");
        assert_eq!(no.len(), answer.groups[1]);
    }
}
