//! What follows from what was understood: an intent's steps, look-ups, misses and silences.

use std::collections::BTreeMap;

use super::{Act, Action, Dialogue, Ending, Expect, LookUp, MOST_MISSES_KEPT, Mind, Now, Reason, State, Text};
use crate::callbot::bot::{Question, Step, Then};
use crate::callbot::words;

/// The result of a look-up, among its fields.
pub const RESULT: &str = "result";

impl Dialogue {
    /// Takes up an intent, with what `said` tells of its slots already.
    pub(super) fn begin(&mut self, mind: Mind<'_>, intent: usize, confidence: f32, said: &str, now: Now) {
        self.understood();
        self.fields.clear();
        let slots = asked_slots(mind, intent);
        let told = self.told(mind, &slots, said, now);
        // Who asks for the same again right after the answer, and tells nothing new, has not got what they need.
        if self.answered == Some(intent) && told.iter().all(|(name, value)| self.slots.get(name) == Some(value)) {
            return self.hand_over(mind, Reason::Repeated, now);
        }
        self.intent = Some(intent);
        self.confidence = confidence;
        self.step = 0;
        slots.iter().for_each(|name| {
            self.slots.remove(*name);
        });
        self.slots.extend(told);
        self.advance(mind, now);
    }

    /// Values that stand out in a sentence and that the intent would ask for.
    fn told(&self, mind: Mind<'_>, slots: &[&str], said: &str, now: Now) -> BTreeMap<String, String> {
        let Some(words) = words::of(&self.language) else { return BTreeMap::new() };
        let today = self.today(mind, now.wall);
        let value = |name: &&str| {
            let kind = &mind.bot.slots.get(*name)?.kind;
            let found = kind.stands_out().then(|| kind.find(said, words, &self.language, today, false))?;
            Some(((*name).to_owned(), found?))
        };
        slots.iter().filter_map(value).collect()
    }

    /// Goes on with the steps of the intent until one needs the caller, or all are done.
    pub(super) fn advance(&mut self, mind: Mind<'_>, now: Now) {
        let steps = self.intent.and_then(|intent| mind.bot.intents.get(intent)).map(|intent| intent.steps.as_slice());
        let steps = steps.unwrap_or_default();
        while let Some(step) = steps.get(self.step) {
            self.step += 1;
            if self.holds(step) && self.act(mind, &step.act, now) {
                return;
            }
        }
        self.answered = self.intent;
        self.ask_for_more(mind, now);
    }

    fn holds(&self, step: &Step) -> bool {
        step.when.iter().all(|(name, wanted)| {
            let value = self.slots.get(name).or_else(|| self.fields.get(name)).map_or("", String::as_str);
            wanted.iter().any(|wanted| wanted == value)
        })
    }

    /// Does one step; whether it waits for something.
    fn act(&mut self, mind: Mind<'_>, act: &Act, now: Now) -> bool {
        match act {
            Act::Ask(slot) if self.slots.contains_key(slot) => false,
            Act::Ask(slot) => {
                self.ask_for(mind, slot, now);
                true
            }
            Act::Confirm(slot) => match mind.bot.slots.get(slot) {
                Some(form) if self.slots.contains_key(slot) => {
                    self.ask(mind, &form.confirm, State::Confirming(slot.clone()), now);
                    true
                }
                _ => false,
            },
            Act::LookUp(question) => {
                self.look_up(mind, question, now);
                true
            }
            Act::Answer(text) => {
                self.pending.extend(self.prompts(mind, text, now));
                false
            }
            Act::Offer { text, .. } => {
                self.ask(mind, text, State::Offered, now);
                true
            }
            Act::HandOver(text) => {
                let text = if text.is_empty() { &mind.bot.texts.hand_over } else { text };
                let asked_for = self.intent.and_then(|intent| mind.bot.intents.get(intent));
                let reason = match asked_for {
                    Some(intent) if intent.name == "agent" => Reason::Agent,
                    _ => Reason::Intent,
                };
                self.end_with(mind, text, Ending::HandOver(reason), now);
                true
            }
            Act::End(text) => {
                let text = if text.is_empty() { &mind.bot.texts.goodbye } else { text };
                self.end_with(mind, text, Ending::Served, now);
                true
            }
        }
    }

    pub(super) fn ask_for(&mut self, mind: Mind<'_>, slot: &str, now: Now) {
        let Some(form) = mind.bot.slots.get(slot) else { return self.advance(mind, now) };
        if self.by_keys {
            if !form.kind.has_keys() {
                return self.hand_over(mind, Reason::Recogniser, now);
            }
            self.pending.extend(self.prompts(mind, &mind.bot.texts.type_it, now));
        }
        self.ask(mind, &form.ask, State::Asking(slot.to_owned()), now);
    }

    fn look_up(&mut self, mind: Mind<'_>, question: &Question, now: Now) {
        let look_up = self.next_look_up;
        self.next_look_up += 1;
        self.state = State::LookingUp(look_up);
        self.expect = Expect::Anything;
        let value = |name: &String| Some((name.clone(), self.slots.get(name)?.clone()));
        let request = LookUp {
            service: question.service.clone(),
            url: question.url.clone(),
            values: self.slots.clone(),
            body: question.body.iter().filter_map(value).collect(),
            fields: question.fields.clone(),
            timeout: question.timeout,
        };
        let mut prompts = std::mem::take(&mut self.pending);
        prompts.extend(self.prompts(mind, &question.text, now));
        self.actions.push_back(Action::StopListening);
        if !prompts.is_empty() {
            self.speak(prompts, now);
        }
        self.deadline = Some(now.instant + question.timeout);
        self.actions.push_back(Action::LookUp { look_up, request });
    }

    pub(super) fn looked_up(
        &mut self,
        look_up: u64,
        fields: Option<BTreeMap<String, String>>,
        mind: Mind<'_>,
        now: Now,
    ) {
        if self.state != State::LookingUp(look_up) {
            return;
        }
        self.stop_speaking();
        let result = if fields.is_some() { "ok" } else { "failed" };
        let mut fields = fields.unwrap_or_default();
        fields.entry(RESULT.to_owned()).or_insert_with(|| result.to_owned());
        for (name, (_, default)) in self.asked_fields(mind) {
            fields.entry(name.clone()).or_insert_with(|| default.clone());
        }
        self.fields.extend(fields);
        self.advance(mind, now);
    }

    /// The fields of the look-up that is under way.
    fn asked_fields<'m>(&self, mind: Mind<'m>) -> impl Iterator<Item = (&'m String, &'m (String, String))> + use<'m> {
        let step = self.intent.and_then(|intent| mind.bot.intents.get(intent));
        let step = step.and_then(|intent| intent.steps.get(self.step.checked_sub(1)?));
        let fields = step.and_then(|step| match &step.act {
            Act::LookUp(question) => Some(&question.fields),
            _ => None,
        });
        fields.into_iter().flatten()
    }

    /// What the offer that was made leads to.
    pub(super) fn after_offer(&mut self, mind: Mind<'_>, accepted: bool, now: Now) {
        self.understood();
        let step = self.intent.and_then(|intent| mind.bot.intents.get(intent));
        let step = step.and_then(|intent| intent.steps.get(self.step.checked_sub(1)?));
        let Some(Act::Offer { yes, no, .. }) = step.map(|step| &step.act) else { return self.advance(mind, now) };
        match if accepted { yes } else { no } {
            Then::GoOn => self.advance(mind, now),
            Then::HandOver => self.hand_over(mind, Reason::Intent, now),
            Then::End => self.end_with(mind, &mind.bot.texts.goodbye, Ending::Served, now),
            Then::Intent(intent) => {
                self.answered = None;
                self.begin(mind, *intent, 1.0, "", now);
            }
        }
    }

    /// What was said made sense.
    pub(super) fn understood(&mut self) {
        self.misses = 0;
        self.silences = 0;
    }

    /// What was said or typed made no sense here.
    pub(super) fn miss(&mut self, mind: Mind<'_>, said: &str, before: &Text, now: Now) {
        self.misses += 1;
        if self.missed.len() < MOST_MISSES_KEPT {
            self.missed.push(self.shown(mind, said));
        }
        if self.misses >= mind.bot.misses {
            self.hand_over(mind, Reason::Misses, now);
        } else {
            let before = if before.is_empty() { &mind.bot.texts.not_understood } else { before };
            self.ask_again(mind, before, now);
        }
    }

    pub(super) fn said(&mut self, mind: Mind<'_>, now: Now) {
        self.saying = None;
        match self.state {
            State::Ending(ending) => self.over(mind, ending, now),
            // Its own time goes on.
            State::LookingUp(_) => {}
            _ if self.speaking => {}
            _ if self.paused => self.deadline = Some(now.instant + mind.bot.times.moment),
            _ => self.deadline = Some(now.instant + mind.bot.times.silence),
        }
    }

    pub(super) fn timeout(&mut self, mind: Mind<'_>, now: Now) {
        if self.deadline.is_none_or(|deadline| now.instant < deadline) {
            return;
        }
        match self.state {
            State::Ending(ending) => {
                self.stop_speaking();
                self.over(mind, ending, now);
            }
            _ if now.instant >= self.last_moment(mind) => self.hand_over(mind, Reason::TooLong, now),
            State::LookingUp(look_up) => self.looked_up(look_up, None, mind, now),
            // The recogniser owes a text.
            _ if self.speaking => self.recogniser(false, mind, now),
            _ if self.saying.is_some() => {
                self.stop_speaking();
                self.said(mind, now);
            }
            _ if !self.keys.is_empty() => self.typed(mind, now),
            _ => self.silent(mind, now),
        }
    }

    /// Nobody has spoken: asked once whether somebody is there, then a person looks.
    pub(super) fn silent(&mut self, mind: Mind<'_>, now: Now) {
        self.silences += 1;
        self.noises = 0;
        if self.silences > 1 {
            self.hand_over(mind, Reason::Silence, now);
        } else {
            self.ask_again(mind, &mind.bot.texts.still_there, now);
        }
    }

    /// Without a recogniser the conversation goes on by keypad, where it can.
    pub(super) fn recogniser(&mut self, there: bool, mind: Mind<'_>, now: Now) {
        if there != self.by_keys || matches!(self.state, State::Ending(_)) {
            return;
        }
        self.by_keys = !there;
        self.speaking = false;
        if there {
            // What was asked for by key may be answered by voice as well.
            self.actions.push_back(Action::Listen { language: self.language.clone(), expect: self.expect.clone() });
            return;
        }
        if matches!(self.state, State::LookingUp(_)) {
            return;
        }
        self.stop_speaking();
        self.actions.push_back(Action::StopListening);
        match self.state.clone() {
            State::Asking(slot) => self.ask_for(mind, &slot, now),
            State::SureOf(_) | State::Confirming(_) | State::Offered => {
                let (text, before) = (mind.bot.texts.one_or_two.clone(), self.question.clone());
                let prompts = before.into_iter().chain(self.prompts(mind, &text, now)).collect();
                self.speak(prompts, now);
            }
            _ if self.can_go_on_by_keys(mind) => self.ask_for_wish(mind, now),
            _ => self.hand_over(mind, Reason::Recogniser, now),
        }
    }
}

/// The slots that an intent asks for, in order.
fn asked_slots<'m>(mind: Mind<'m>, intent: usize) -> Vec<&'m str> {
    let steps = mind.bot.intents.get(intent).map(|intent| intent.steps.as_slice()).unwrap_or_default();
    let slots = steps.iter().filter_map(|step| match &step.act {
        Act::Ask(slot) => Some(slot.as_str()),
        _ => None,
    });
    slots.collect()
}
