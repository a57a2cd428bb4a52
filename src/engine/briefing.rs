//! Warm words: who is called for an agent hears who calls and why before they are connected. A key of theirs ends it.
//!
//! The words are prompts: the caller's number as the language says it, then the reason: a prompt that the agent names, else
//! what the plan has put into its variable `briefing`, as the name of a prompt or a list of names.

use std::time::Duration;

use super::consult::{Asking, Unasked};
use super::{Engine, Timer};
use crate::bridge::{MediaCommand, PlayItem};
use crate::call::talk::Event;
use crate::dialplan::{Run, Value};
use crate::findings::suggest;
use crate::ids::{CallId, Language, LegId, PlayId};
use crate::record::Party;
use crate::spoken::{Amount, Kind, Said};
use crate::time::Now;
use crate::views::Briefing;

/// Nobody is kept waiting for longer, whatever the prompts hold.
const LONGEST: Duration = Duration::from_secs(60);
/// More prompts of a plan are not said.
const MOST_PROMPTS: usize = 10;

const CALLER: &str = "briefing-caller";
const WITHHELD: &str = "briefing-withheld";

impl Engine {
    /// What is said to the one who is to be called; nothing where no words are wanted.
    pub(super) fn briefing_words(
        &self,
        id: CallId,
        to: &Asking,
        wanted: Option<&Briefing>,
        now: Now,
    ) -> Result<Vec<PlayItem>, Unasked> {
        let why = match wanted {
            None | Some(Briefing::Wanted(false)) => return Ok(Vec::new()),
            Some(Briefing::Wanted(true)) => None,
            Some(Briefing::Why(prompt)) => Some(prompt),
        };
        let language = self.language_of(to);
        let live = self.calls.get(&id).ok_or(Unasked::NoTalk)?;
        let there = |prompt: &str| self.has_prompt(prompt, &language);
        let reason = match why {
            Some(prompt) if there(prompt) => vec![prompt.clone()],
            Some(prompt) => return Err(self.no_such_prompt(prompt, &language)),
            None => live.run.as_ref().map(words_of_plan).unwrap_or_default(),
        };
        let mut prompts = self.words_of_caller(&self.number_of(&live.call), &language, now);
        prompts.extend(reason.into_iter().filter(|prompt| there(prompt)));
        Ok(prompts.iter().map(|prompt| PlayItem::prompt(prompt, &language)).collect())
    }

    /// Agents are told in their own language, others in the centre's.
    fn language_of(&self, to: &Asking) -> Language {
        let agent = match to {
            Asking::Agent(agent) => self.settings.agents.iter().find(|known| known.id == *agent),
            _ => None,
        };
        agent.map_or(&self.settings.language, |agent| &agent.language).clone()
    }

    fn words_of_caller(&self, number: &str, language: &Language, now: Now) -> Vec<String> {
        if number.is_empty() {
            return vec![WITHHELD.to_owned()];
        }
        let said = |kind| {
            let table = self.plans.names().spoken(language)?;
            Said { kind, set: None }.prompts(Amount::Text(number), table, now.wall)
        };
        let digits = said(Kind::Phone).or_else(|| said(Kind::Digits)).unwrap_or_default();
        std::iter::once(CALLER.to_owned()).chain(digits).collect()
    }

    fn has_prompt(&self, prompt: &str, language: &Language) -> bool {
        let (language, name) = match prompt.split_once(':') {
            Some((own, name)) => (Language::from(own), name),
            None => (language.clone(), prompt),
        };
        self.plans.names().prompts.get(&language).is_some_and(|prompts| prompts.contains(name))
    }

    fn no_such_prompt(&self, prompt: &str, language: &Language) -> Unasked {
        let known = self.plans.names().prompts.get(language).into_iter().flatten().map(String::as_str);
        let hint = suggest(prompt, known).map(|hint| format!(" ({hint})")).unwrap_or_default();
        let message = format!(
            "briefing: there is no prompt '{prompt}' in language '{language}'{hint}; name one, or write true for the \
             caller's number and what the plan says"
        );
        Unasked::Cannot(422, "unknown_prompt", message)
    }

    /// The one who has answered is told.
    pub(super) fn begin_briefing(&mut self, id: CallId, leg: LegId, items: Vec<PlayItem>, now: Now) {
        let play = PlayId(self.next_play);
        self.next_play += 1;
        if let Some(live) = self.live(id) {
            live.briefing = Some((leg, play));
        }
        self.media(MediaCommand::Play { leg, play, items, repeat: false });
        self.timers.set(Timer::Briefing(id), now.instant + LONGEST);
    }

    /// It has been said to its end; `false` where the play was another.
    pub(super) fn briefing_ended(&mut self, id: CallId, leg: LegId, play: PlayId, now: Now) -> bool {
        let is_it = self.calls.get(&id).is_some_and(|live| live.briefing == Some((leg, play)));
        if is_it {
            if let Some(live) = self.live(id) {
                live.briefing = None;
            }
            self.briefed(id, now);
        }
        is_it
    }

    /// A key of the one who is told ends it; `false` where the leg is not theirs.
    pub(super) fn briefing_cut_short(&mut self, id: CallId, leg: LegId, now: Now) -> bool {
        let is_it = self.calls.get(&id).is_some_and(|live| live.briefing.is_some_and(|(told, _)| told == leg));
        if is_it {
            self.briefed(id, now);
        }
        is_it
    }

    /// They are connected.
    pub(super) fn briefed(&mut self, id: CallId, now: Now) {
        // The machine refuses it where nobody is being told any more.
        let _ = self.happens(id, Event::Briefed, Party::System, now);
        self.tidy_briefing(id);
    }

    /// Nothing is said to one who is no longer to hear it.
    pub(super) fn tidy_briefing(&mut self, id: CallId) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let told = live.call.talking().and_then(|talk| talk.briefed());
        if told.is_some() && live.briefing.is_some_and(|(leg, _)| Some(leg) == told) {
            return;
        }
        let stop = live.briefing.take().filter(|(leg, _)| live.call.legs.get(leg).is_some_and(|leg| leg.is_up()));
        if told.is_none() {
            self.timers.clear(&Timer::Briefing(id));
        }
        if let Some((leg, play)) = stop {
            self.media(MediaCommand::StopPlay { leg, play });
        }
    }
}

/// What the plan has put into `briefing`.
fn words_of_plan(run: &Run) -> Vec<String> {
    match run.variable("briefing") {
        Some(Value::Text(prompt)) => vec![prompt.clone()],
        Some(Value::List(prompts)) => {
            prompts.iter().filter_map(Value::as_text).take(MOST_PROMPTS).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
