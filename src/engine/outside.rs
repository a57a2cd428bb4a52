//! What a call's plan asks of the world outside: the caller's history, HTTP services. Each is a command out and an input
//! back; who does not answer in time is not waited for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Command, Engine, Timer};
use crate::caller::{CallerFacts, CallerNumber};
use crate::dialplan::{Answer, HttpRequest, LookUp, RunInput, Uses, Value, Webhook};
use crate::ids::CallId;
use crate::record::Recording;
use crate::time::{Instant, Now, Wall};

/// A plan begins with the caller's history, or after this long without it.
const HISTORY_WAIT: Duration = Duration::from_millis(200);

/// What history is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuestion {
    /// In one form.
    pub number: String,
    pub at: Wall,
    /// When the centre's day began.
    pub today: Wall,
}

/// An event for a service outside, with what identifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The same however often it is sent.
    pub id: String,
    pub call: CallId,
    #[serde(with = "crate::record::millis")]
    pub at: Wall,
    pub webhook: Webhook,
}

/// When the calls of each number came in, within the last hour. Bounded: of very many callers those are forgotten who
/// have not called for longest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct EarlierCalls {
    of_number: BTreeMap<String, VecDeque<Instant>>,
    /// By the last call of each.
    order: BTreeSet<(Instant, String)>,
}

impl EarlierCalls {
    const MOST_NUMBERS: usize = 20_000;
    const MOST_OF_ONE: usize = 50;
    const KEPT: Duration = Duration::from_secs(3_600);

    /// Notes a call, and says how long ago the earlier ones of its number were, in seconds, the latest first.
    fn note(&mut self, number: &str, now: Instant) -> Vec<u64> {
        self.forget(now);
        let calls = self.of_number.entry(number.to_owned()).or_default();
        if let Some(last) = calls.front() {
            self.order.remove(&(*last, number.to_owned()));
        }
        let earlier = calls.iter().map(|at| now.since(*at)).take_while(|ago| *ago < Self::KEPT);
        let earlier = earlier.map(|ago| ago.as_secs()).collect();
        calls.push_front(now);
        calls.truncate(Self::MOST_OF_ONE);
        self.order.insert((now, number.to_owned()));
        earlier
    }

    fn forget(&mut self, now: Instant) {
        while let Some((last, _)) = self.order.first()
            && (now.since(*last) >= Self::KEPT || self.order.len() >= Self::MOST_NUMBERS)
            && let Some((_, number)) = self.order.pop_first()
        {
            self.of_number.remove(&number);
        }
    }
}

impl Engine {
    /// How often the caller has called of late, where a plan asks for it.
    pub(super) fn note_call(&mut self, from: &str, uses: Uses, now: Now) -> Vec<u64> {
        if !self.plans.count_calls() {
            return Vec::new();
        }
        let CallerNumber::Known(number) = self.settings.numbering.read(from) else { return Vec::new() };
        let earlier = self.earlier_calls.note(&number, now.instant);
        if uses.earlier_calls { earlier } else { Vec::new() }
    }

    /// What is known of a caller without asking: the number in one form, where a plan speaks of the caller.
    pub(super) fn stranger(&self, from: &str, uses: Uses) -> CallerFacts {
        let number = if uses.history { self.settings.numbering.read(from).into_text() } else { String::new() };
        CallerFacts { number, ..CallerFacts::default() }
    }

    /// Asks for the caller's history, where the plan speaks of it and the number can be told; the plan begins when the
    /// answer comes. `false` where nothing is asked.
    pub(super) fn ask_history(&mut self, call: CallId, from: &str, uses: Uses, now: Now) -> bool {
        if !uses.history {
            return false;
        }
        let CallerNumber::Known(number) = self.settings.numbering.read(from) else { return false };
        let today = start_of_day(&self.settings.time_zone, now.wall);
        self.timers.set(Timer::History(call), now.instant + HISTORY_WAIT);
        let question = HistoryQuestion { number, at: now.wall, today };
        self.commands.push_back(Command::AskHistory { call, question });
        true
    }

    /// The answer, or `None` when it has not come in time. One that comes later is passed over.
    pub(super) fn history_told(&mut self, call: CallId, facts: Option<CallerFacts>, now: Now) {
        let waited = self.timers.get(&Timer::History(call)).is_some();
        if facts.is_some() && !waited {
            return;
        }
        self.timers.clear(&Timer::History(call));
        if let (Some(facts), Some(run)) = (facts, self.live(call).and_then(|live| live.run.as_mut())) {
            run.meet(facts);
        }
        self.run_plan(call, RunInput::Start, now);
    }

    pub(super) fn look_up_for_plan(&mut self, call: CallId, look_up: u64, question: Box<LookUp>) {
        self.commands.push_back(Command::LookUp { call, look_up, question });
    }

    pub(super) fn looked_up(&mut self, call: CallId, look_up: u64, answer: Answer, now: Now) {
        self.run_plan(call, RunInput::LookedUp { look_up, answer }, now);
    }

    pub(super) fn tell(&mut self, call: CallId, webhook: Webhook, now: Now) {
        self.told += 1;
        let id = format!("{call}-{}", self.told);
        self.commands.push_back(Command::Tell(Box::new(Told { id, call, at: now.wall, webhook })));
    }
}

/// The event of a message that was left.
pub(super) fn of_message(request: HttpRequest, message: &Recording) -> Webhook {
    let texts = [
        ("recording_id", message.recording_id.to_string()),
        ("mailbox", message.mailbox.clone().unwrap_or_default()),
        ("from", message.from.clone()),
        ("to", message.to.clone()),
        ("started_at", message.started_at.to_string()),
    ];
    let duration = message.duration_ms.and_then(|duration| i64::try_from(duration).ok());
    let texts = texts.map(|(name, text)| (name, Value::Text(text)));
    let data = texts.into_iter().chain(duration.map(|duration| ("duration_ms", Value::Integer(duration))));
    Webhook {
        request,
        event: "voicemail".to_owned(),
        data: data.map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Midnight by the local clock; where that does not exist, the first moment of the day. A zone that is not known is UTC.
fn start_of_day(zone: &str, at: Wall) -> Wall {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let date = zone.to_datetime(at).date();
    zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(at - SignedDuration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn earlier_calls_are_told_with_their_age_the_latest_first() {
        let mut calls = EarlierCalls::default();
        assert_eq!(calls.note("+331", at(0)), Vec::<u64>::new());
        assert_eq!(calls.note("+331", at(10)), [10]);
        assert_eq!(calls.note("+332", at(20)), Vec::<u64>::new());
        assert_eq!(calls.note("+331", at(3_605)), [3_595], "what is older than an hour no longer counts");
        assert_eq!(calls.note("+331", at(8_000)), Vec::<u64>::new());
        assert_eq!((calls.of_number.len(), calls.order.len()), (1, 1), "forgotten with its time");
    }

    #[test]
    fn neither_many_callers_nor_a_frequent_one_fill_the_memory() {
        let mut calls = EarlierCalls::default();
        for n in 0..200 {
            calls.note("+331", at(n));
        }
        assert_eq!(calls.note("+331", at(200)).len(), EarlierCalls::MOST_OF_ONE);
        for n in 0..30_000 {
            calls.note(&format!("+44{n}"), at(201));
        }
        assert!(calls.of_number.len() <= EarlierCalls::MOST_NUMBERS);
        assert_eq!(calls.of_number.len(), calls.order.len());
        assert!(calls.of_number.contains_key("+4429999"), "the latest caller is kept");
        assert!(!calls.of_number.contains_key("+331"), "who has not called for longest is forgotten");
    }

    #[test]
    fn the_day_begins_at_local_midnight() {
        let wall = |text: &str| -> Wall { text.parse().unwrap() };
        let cases = [
            ("Europe/Paris", "2026-11-25T11:00:00+01:00", "2026-11-25T00:00:00+01:00"),
            ("Europe/Paris", "2026-11-24T23:30:00Z", "2026-11-25T00:00:00+01:00"),
            ("Europe/Paris", "2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00"),
            // Midnight does not exist on this day in Beirut.
            ("Asia/Beirut", "2026-03-29T12:00:00+03:00", "2026-03-29T01:00:00+03:00"),
            ("No/Zone", "2026-11-25T11:00:00Z", "2026-11-25T00:00:00Z"),
        ];
        for (zone, at, expected) in cases {
            assert_eq!(start_of_day(zone, wall(at)), wall(expected), "{zone} {at}");
        }
    }
}
