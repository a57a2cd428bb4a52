//! What expressions see: `call`, `caller`, `now`, `queue(…)`, `params`, `inputs`, `result`, and the plan's variables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::evaluate::{Fault, Operand};
use super::facts::Facts;
use super::plan::Plan;
use super::types::{Record, Type};
use crate::ids::Language;
use crate::ivr::{Names, QueueFigures, Queues, Value};
use crate::time::Wall;

/// A field that is given: `call.from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    CallId,
    From,
    To,
    Trunk,
    CallLanguage,
    Digits,
    AttemptToday,
    Headers,
    Known,
    LastAgent,
    LastQueue,
    LastOutcome,
    Contacts30d,
    CallsToday,
    AbandonedToday,
    CustomerValue,
    Segment,
    CallerName,
    CallerNumber,
    CallerLanguage,
    LastContactDays,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Weekday,
    Date,
    Time,
}

/// A field: of which record, its name, what it is, and its type.
type Field = (Record, &'static str, Given, fn() -> Type);

/// Every given field with its type. `call.headers` is a table from names in lower case.
#[rustfmt::skip]
pub(super) const GIVEN: [Field; 29] = [
    (Record::Call, "id", Given::CallId, || Type::Text),
    (Record::Call, "from", Given::From, || Type::Text),
    (Record::Call, "to", Given::To, || Type::Text),
    (Record::Call, "trunk", Given::Trunk, || Type::Text),
    (Record::Call, "language", Given::CallLanguage, || Type::Text),
    (Record::Call, "digits", Given::Digits, || Type::Text),
    (Record::Call, "attempt_today", Given::AttemptToday, || Type::Integer),
    (Record::Call, "headers", Given::Headers, || Type::map(Type::Text)),
    (Record::Caller, "known", Given::Known, || Type::Flag),
    (Record::Caller, "last_agent", Given::LastAgent, || Type::Text),
    (Record::Caller, "last_queue", Given::LastQueue, || Type::Text),
    (Record::Caller, "last_outcome", Given::LastOutcome, last_outcome),
    (Record::Caller, "contacts_30d", Given::Contacts30d, || Type::Integer),
    (Record::Caller, "calls_today", Given::CallsToday, || Type::Integer),
    (Record::Caller, "abandoned_today", Given::AbandonedToday, || Type::Integer),
    (Record::Caller, "value", Given::CustomerValue, || Type::Integer),
    (Record::Caller, "segment", Given::Segment, || Type::Text),
    (Record::Caller, "name", Given::CallerName, || Type::Text),
    (Record::Caller, "number", Given::CallerNumber, || Type::Text),
    (Record::Caller, "language", Given::CallerLanguage, || Type::Text),
    (Record::Caller, "last_contact_days", Given::LastContactDays, || Type::Integer),
    (Record::Now, "year", Given::Year, || Type::Integer),
    (Record::Now, "month", Given::Month, || Type::Integer),
    (Record::Now, "day", Given::Day, || Type::Integer),
    (Record::Now, "hour", Given::Hour, || Type::Integer),
    (Record::Now, "minute", Given::Minute, || Type::Integer),
    (Record::Now, "weekday", Given::Weekday, weekday),
    (Record::Now, "date", Given::Date, || Type::Text),
    (Record::Now, "time", Given::Time, || Type::Text),
];

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn weekday() -> Type {
    Type::word(WEEKDAYS)
}

fn last_outcome() -> Type {
    Type::word([
        "",
        "handled",
        "abandoned",
        "deterred",
        "overflowed",
        "callback",
        "voicemail",
        "self_service",
        "failed",
    ])
}

/// A figure of a queue: `queue('support').waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Waiting,
    LongestWait,
    AgentsAvailable,
    AgentsLoggedIn,
    /// The upper end of the estimated wait; without a value where it is not known.
    Estimate,
    /// Without a value where nobody has been answered yet.
    ServiceLevel,
}

pub(super) const FIGURES: [(&str, Figure, Type); 6] = [
    ("waiting", Figure::Waiting, Type::Integer),
    ("longest_wait_s", Figure::LongestWait, Type::Integer),
    ("agents_available", Figure::AgentsAvailable, Type::Integer),
    ("agents_logged_in", Figure::AgentsLoggedIn, Type::Integer),
    ("ewt_s", Figure::Estimate, Type::Integer),
    ("service_level", Figure::ServiceLevel, Type::Double),
];

impl Figure {
    pub(super) fn value(self, figures: &QueueFigures) -> Option<Operand<'static>> {
        let integer = |number: u64| Some(Operand::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
        match self {
            Figure::Waiting => integer(figures.waiting),
            Figure::LongestWait => integer(figures.longest_wait_s),
            Figure::AgentsAvailable => integer(figures.agents_available),
            Figure::AgentsLoggedIn => integer(figures.agents_logged_in),
            Figure::Estimate => figures.estimate_s.and_then(|(_, longest)| integer(longest)),
            Figure::ServiceLevel => figures.service_level.map(Operand::Double),
        }
    }
}

/// What the expressions of a plan see at one moment of a call.
pub(super) struct Scope<'a> {
    pub plan: Option<&'a Plan>,
    pub names: &'a Names,
    pub inputs: &'a BTreeMap<String, Value>,
    pub variables: &'a BTreeMap<String, Value>,
    pub facts: &'a Facts,
    pub digits: &'a str,
    pub language: &'a Language,
    pub queues: &'a dyn Queues,
    pub wall: Wall,
}

impl<'a> Scope<'a> {
    pub(super) fn given(&self, given: Given) -> Operand<'a> {
        let caller = &self.facts.caller;
        let text = |text: &'a str| Operand::Text(Cow::Borrowed(text));
        match given {
            Given::CallId => Operand::Text(Cow::Owned(self.facts.call_id.to_string())),
            Given::From => text(&self.facts.from),
            Given::To => text(&self.facts.to),
            Given::Trunk => text(self.facts.trunk.as_ref().map_or("", |trunk| trunk.as_str())),
            Given::CallLanguage => text(self.language.as_str()),
            Given::Digits => text(self.digits),
            Given::AttemptToday => Operand::Integer(caller.calls_today.saturating_add(1)),
            Given::Headers => Operand::Map(Cow::Owned(
                self.facts.headers.iter().map(|(name, value)| (name.clone(), Value::Text(value.clone()))).collect(),
            )),
            Given::Known => Operand::Flag(caller.known),
            Given::LastAgent => text(&caller.last_agent),
            Given::LastQueue => text(&caller.last_queue),
            Given::LastOutcome => text(&caller.last_outcome),
            Given::Contacts30d => Operand::Integer(caller.contacts_30d),
            Given::CallsToday => Operand::Integer(caller.calls_today),
            Given::AbandonedToday => Operand::Integer(caller.abandoned_today),
            Given::CustomerValue => Operand::Integer(caller.value),
            Given::Segment => text(&caller.segment),
            Given::CallerName => text(&caller.name),
            Given::CallerNumber => text(&caller.number),
            Given::CallerLanguage => text(&caller.language),
            Given::LastContactDays => Operand::Integer(caller.last_contact_days),
            local => self.local(local),
        }
    }

    /// The local time in the plan's time zone.
    fn local(&self, given: Given) -> Operand<'a> {
        let zone = self.plan.and_then(|plan| plan.zone.as_ref());
        let local = zone.map_or_else(|| TimeZone::UTC.to_datetime(self.wall), |zone| zone.to_datetime(self.wall));
        match given {
            Given::Year => Operand::Integer(local.year().into()),
            Given::Month => Operand::Integer(local.month().into()),
            Given::Day => Operand::Integer(local.day().into()),
            Given::Hour => Operand::Integer(local.hour().into()),
            Given::Minute => Operand::Integer(local.minute().into()),
            Given::Weekday => {
                let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
                Operand::Text(Cow::Borrowed(WEEKDAYS.get(day).copied().unwrap_or_default()))
            }
            Given::Date => Operand::Text(Cow::Owned(local.date().to_string())),
            _ => Operand::Text(Cow::Owned(format!("{:02}:{:02}", local.hour(), local.minute()))),
        }
    }

    /// A header of the INVITE, by its name in lower case; an empty text where there is none.
    pub(super) fn header(&self, name: &str) -> &'a str {
        self.facts.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn param(&self, name: &str) -> Result<&'a Value, Fault> {
        self.plan.and_then(|plan| plan.params.get(name)).ok_or_else(|| Fault::NoKey(name.to_owned()))
    }

    pub(super) fn input(&self, name: &str) -> Result<&'a Value, Fault> {
        self.inputs.get(name).ok_or_else(|| Fault::NoKey(name.to_owned()))
    }

    /// `result` is an empty text until something sets it.
    pub(super) fn variable(&self, name: &str) -> Result<Operand<'a>, Fault> {
        match self.variables.get(name) {
            Some(value) => Ok(Operand::from(value)),
            None if name == "result" => Ok(Operand::Text(Cow::Borrowed(""))),
            None => Err(Fault::Unset(name.to_owned())),
        }
    }

    pub(super) fn figure(&self, queue: &str, figure: Figure) -> Result<Operand<'a>, Fault> {
        let Some(figures) = self.queues.figures(queue) else { return Err(Fault::NoQueue(queue.to_owned())) };
        let name = FIGURES.iter().find(|(_, known, _)| *known == figure).map_or("", |(name, _, _)| name);
        figure.value(&figures).ok_or_else(|| Fault::NotKnown(format!("queue('{queue}').{name}")))
    }

    /// A whole record as a table, for expressions that cel evaluates.
    pub(super) fn record(&self, record: Record) -> BTreeMap<String, Value> {
        let of_record = GIVEN.iter().filter(|(of, ..)| *of == record);
        match record {
            Record::Params => self.plan.map(|plan| plan.params.clone()).unwrap_or_default(),
            Record::Inputs => self.inputs.clone(),
            Record::Queue => self.names.queues.iter().filter_map(|queue| self.queue(queue.as_str())).collect(),
            _ => of_record.map(|(_, name, given, _)| ((*name).to_owned(), self.given(*given).into_value())).collect(),
        }
    }

    /// A queue's figures as a table; one that is not known is not in it.
    fn queue(&self, queue: &str) -> Option<(String, Value)> {
        let figures = self.queues.figures(queue)?;
        let entries = FIGURES
            .iter()
            .filter_map(|(name, figure, _)| Some(((*name).to_owned(), figure.value(&figures)?.into_value())));
        Some((queue.to_owned(), Value::Map(entries.collect())))
    }
}
