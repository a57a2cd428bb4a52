//! What a caller hears who waits in a queue, and when the estimated wait takes them elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Engine, Timer};
use crate::bridge::{Digit, PlayItem};
use crate::call::Waiting;
use crate::comfort::{AND, BETWEEN, Comfort, Telling, Words};
use crate::dialplan::{Names, QueueOutcome};
use crate::ids::{CallId, Language, QueueId};
use crate::settings::Settings;
use crate::spoken::{Amount, Kind, Said};
use crate::time::Now;

/// The estimate of one who waits is looked at so often,
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// and takes them elsewhere when it has been over the limit by a quarter for so long.
const OVER_FOR: Duration = Duration::from_secs(15);

/// A wait is told in minutes; a shorter one is not worth words.
const SHORTEST_TOLD: Duration = Duration::from_secs(60);

/// What a plan says of a wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct WaitTerms {
    pub max_wait: Option<Duration>,
    pub max_estimate: Option<Duration>,
    pub leave: Vec<Digit>,
    pub comfort: Option<Vec<Comfort>>,
}

impl Engine {
    /// What the caller will hear who enters this queue now.
    pub(super) fn waiting(&self, id: CallId, queue: &QueueId, terms: &WaitTerms, now: Now) -> Waiting {
        let known = self.settings.queues.iter().find(|known| known.id == *queue);
        let left_before = self.calls.get(&id).is_some_and(|live| live.call.left_by_estimate.contains(queue));
        let list = terms.comfort.as_deref().or(known.map(|queue| queue.comfort.as_slice())).unwrap_or_default();
        Waiting {
            queue: queue.clone(),
            music: known.map_or_else(|| "music/default".to_owned(), |queue| queue.music.clone()),
            music_resumes: known.is_none_or(|queue| queue.music_resumes),
            leave: terms.leave.clone(),
            telling: Telling::new(list, now.instant),
            told_by_plan: terms.comfort.is_some(),
            max_estimate: terms.max_estimate.filter(|_| !left_before),
            over_since: None,
        }
    }

    /// The caller stands in line: the clock runs for what is said, and for the estimate.
    pub(super) fn watch_wait(&mut self, id: CallId, now: Now) {
        if let Some(limit) = self.calls.get(&id).and_then(|live| live.wait_terms.max_wait) {
            self.timers.set(Timer::Wait(id), now.instant + limit);
        }
        let Some(waiting) = self.calls.get_mut(&id).and_then(|live| live.call.waiting_mut()) else { return };
        if waiting.max_estimate.is_some() {
            self.timers.set(Timer::Look(id), now.instant + LOOK_EVERY);
        }
        self.set_comfort_timer(id);
    }

    /// The caller waits in no queue any more.
    pub(super) fn wait_no_longer(&mut self, id: CallId) {
        for timer in [Timer::Wait, Timer::Comfort, Timer::Look].map(|timer| timer(id)) {
            self.timers.clear(&timer);
        }
    }

    fn set_comfort_timer(&mut self, id: CallId) {
        let waiting = self.calls.get_mut(&id).and_then(|live| live.call.waiting_mut());
        match waiting.and_then(|waiting| waiting.telling.due()) {
            Some(due) => self.timers.set(Timer::Comfort(id), due),
            None => self.timers.clear(&Timer::Comfort(id)),
        }
    }

    pub(super) fn comfort_is_due(&mut self, id: CallId, now: Now) {
        let Some(waiting) = self.calls.get_mut(&id).and_then(|live| live.call.waiting_mut()) else { return };
        waiting.telling.come_due(now.instant);
        self.set_comfort_timer(id);
        self.say_next(id, now);
    }

    /// Says something to one who waits, as soon as nothing else is said.
    pub(super) fn say(&mut self, id: CallId, words: Words, now: Now) {
        if let Some(waiting) = self.calls.get_mut(&id).and_then(|live| live.call.waiting_mut()) {
            waiting.telling.add(words);
            self.say_next(id, now);
        }
    }

    /// What is to be said next is, where nothing else is being said.
    pub(super) fn say_next(&mut self, id: CallId, now: Now) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if !live.call.caller().is_some_and(|leg| leg.listens_to_music()) {
            return;
        }
        let language = live.call.language.clone();
        let (mut items, mut resumes) = (Vec::new(), true);
        while let Some(waiting) = live.call.waiting_mut() {
            resumes = waiting.music_resumes;
            let Some(words) = waiting.telling.take_next() else { break };
            let prompts = match words {
                Words::Prompts(prompts) => prompts,
                Words::Position => {
                    let position = self.acd.position(id);
                    position.map(|at| position_prompts(at, &language, self.plans.names(), now)).unwrap_or_default()
                }
                Words::Estimate => {
                    let rest = self.acd.remaining(id, now);
                    rest.map(|rest| estimate_prompts(rest, &language, self.plans.names(), now)).unwrap_or_default()
                }
            };
            items = prompts.iter().map(|prompt| PlayItem::prompt(prompt, &language)).collect();
            if !items.is_empty() {
                break;
            }
        }
        let mut out = Vec::new();
        if let Some(leg) = live.call.caller_mut().filter(|_| !items.is_empty()) {
            leg.announce(items, resumes, &mut self.next_play, &mut out);
        }
        out.into_iter().for_each(|command| self.media(command));
    }

    /// The middle of the range in which the rest of the caller's wait will probably lie, where they may be sent elsewhere
    /// for it, with the most that the plan allows.
    fn estimate(&mut self, id: CallId, now: Now) -> Option<(Duration, Duration)> {
        let most = self.calls.get_mut(&id)?.call.waiting_mut()?.max_estimate?;
        let (least, longest) = self.acd.remaining(id, now)?;
        Some(((least + longest) / 2, most))
    }

    pub(super) fn is_too_long_at_entry(&mut self, id: CallId, now: Now) -> bool {
        self.estimate(id, now).is_some_and(|(estimate, most)| estimate > most)
    }

    pub(super) fn look_at_estimate(&mut self, id: CallId, now: Now) {
        let over = self.estimate(id, now).is_some_and(|(estimate, most)| estimate > most + most / 4);
        let Some(waiting) = self.calls.get_mut(&id).and_then(|live| live.call.waiting_mut()) else { return };
        waiting.over_since = if over { waiting.over_since.or(Some(now.instant)) } else { None };
        if waiting.over_since.is_some_and(|since| now.instant.since(since) >= OVER_FOR) {
            return self.leave_by_estimate(id, now);
        }
        self.timers.set(Timer::Look(id), now.instant + LOOK_EVERY);
    }

    /// Not to be sent out of this queue for the same reason again.
    pub(super) fn leave_by_estimate(&mut self, id: CallId, now: Now) {
        if let Some(live) = self.live(id) {
            live.call.left_by_estimate.extend(live.call.queue.clone());
        }
        self.leave_queue(id, QueueOutcome::TooLong, now);
    }

    /// Who waits hears the music and the words that their queue has now.
    pub(super) fn wait_by_new_settings(&mut self, before: &Settings, now: Now) {
        let mut waits = Vec::new();
        let list = |settings: &Settings, queue: &QueueId| {
            settings.queues.iter().find(|known| known.id == *queue).map(|queue| queue.comfort.clone())
        };
        for live in self.calls.values_mut() {
            let Some(waiting) = live.call.waiting_mut() else { continue };
            let Some(new) = self.settings.queues.iter().find(|known| known.id == waiting.queue) else { continue };
            waiting.music.clone_from(&new.music);
            waiting.music_resumes = new.music_resumes;
            if !waiting.told_by_plan && list(before, &waiting.queue).as_ref() != Some(&new.comfort) {
                waiting.telling.change(&new.comfort, now.instant);
            }
            waits.push(live.call.id);
        }
        for id in waits {
            self.set_comfort_timer(id);
            self.wire(id, now);
        }
    }
}

/// The prompts that say a position; where the language has no words for it, only that one waits.
fn position_prompts(position: usize, language: &Language, names: &Names, now: Now) -> Vec<String> {
    let said = Said { kind: Kind::Position, set: None };
    let place = Amount::Integer(i64::try_from(position).unwrap_or(i64::MAX));
    let prompts = names.spoken(language).and_then(|table| said.prompts(place, table, now.wall));
    prompts.unwrap_or_else(|| vec!["please-wait".to_owned()])
}

/// Between so many, and so many minutes; nothing where that is too short, or the language has no words for it.
fn estimate_prompts((least, most): (Duration, Duration), language: &Language, names: &Names, now: Now) -> Vec<String> {
    if least < SHORTEST_TOLD {
        return Vec::new();
    }
    let least = least.as_secs() / 60;
    let most = most.as_secs().div_ceil(60).max(least + 1);
    let said = Said { kind: Kind::Number, set: Some("minutes".to_owned()) };
    let minutes = |minutes: u64| {
        let minutes = Amount::Integer(i64::try_from(minutes).unwrap_or(i64::MAX));
        names.spoken(language).and_then(|table| said.prompts(minutes, table, now.wall))
    };
    let (Some(least), Some(most)) = (minutes(least), minutes(most)) else { return Vec::new() };
    [vec![BETWEEN.to_owned()], least, vec![AND.to_owned()], most].concat()
}
