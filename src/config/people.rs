//! `[[agent]]`, `[[queue]]` and `[[expert]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::address::check_sip_uri;
use super::recordings::read_keep;
use super::trunk::read_codecs;
use crate::comfort::{Comfort, Words};
use crate::demand::Widening;
use crate::dialplan::reader::{At, Table, integer_of, type_of, value_of};
use crate::findings::{Findings, suggest};
use crate::ids::{AgentId, Language, QueueId, Skill, TrunkId};
use crate::ivr::{comforts, widenings};
use crate::settings::{
    AbandonedRule, Agent, CallPreference, CallbackRules, Choice, Codec, Cold, Expert, OCCUPANCY_BAND, Queue, Srtp,
    SupervisionNotice,
};

/// A caller rings at so many agents' phones at once.
const MOST_AT_ONCE: i64 = 20;
/// A range of agents holds at most so many.
const MOST_AGENTS: u64 = 10_000;

/// An expert's telephony is asked at least this often, so that its death shows within a minute.
const LONGEST_WATCH_S: i64 = 40;

/// The level of a skill that is named without one.
const HIGHEST_LEVEL: u8 = 5;

/// One `[[agent]]`, which may stand for many, and the places of what is checked later.
pub(super) struct AgentDraft {
    pub agents: Vec<Agent>,
    pub id: At<String>,
    pub password: Option<At<String>>,
    pub queues: Vec<At<String>>,
    pub schedule: Schedule,
    pub language: Option<At<String>>,
}

/// The hours in which an agent is a member of queues, by the names of calendars.
#[derive(Default)]
pub(super) struct Schedule {
    /// Of all queues that are not named.
    pub all: Option<At<String>>,
    /// Of the queues named.
    pub queues: Vec<(At<String>, At<String>)>,
}

impl Schedule {
    fn of(&self, queue: &str) -> Option<&At<String>> {
        let own = self.queues.iter().find(|(named, _)| named.value == queue).map(|(_, calendar)| calendar);
        own.or(self.all.as_ref())
    }

    /// Every calendar that is named.
    pub fn calendars(&self) -> impl Iterator<Item = &At<String>> {
        self.all.iter().chain(self.queues.iter().map(|(_, calendar)| calendar))
    }
}

pub(super) struct QueueDraft {
    pub queue: Queue,
    pub id: At<String>,
    pub music: Option<At<String>>,
    /// What its comfort messages say.
    pub said: Vec<At<Words>>,
    /// The hours of its call-backs, and of those for callers who gave up.
    pub calendars: Vec<At<String>>,
    /// What is said where a supervisor comes.
    pub announcement: Option<At<String>>,
}

pub(super) struct ExpertDraft {
    pub expert: Expert,
    pub id: At<String>,
    pub address: At<String>,
    pub calendar: Option<At<String>>,
    pub trunk: Option<At<String>>,
}

pub(super) fn read_agent(
    mut table: Table<'_>,
    default_language: &Language,
    findings: &mut Findings<'_>,
) -> Option<AgentDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("agent".to_owned(), |id| format!("agent '{}'", id.value));
    let ids = id.as_ref().map(|id| expand(&id.value).map_err(|fault| (fault, id.span.clone())));
    let name = table.text("name", findings);
    let password = table.text("password", findings);
    if let Some(password) = password.as_ref().filter(|password| password.value.is_empty()) {
        let hint = "give a password, or leave the key out and give a contact".to_owned();
        findings.error(password.span.clone(), format!("{}: password is empty", table.what), hint);
    }
    let contact = table.text("contact", findings);
    if let Some(contact) = &contact
        && let Err(fault) = check_sip_uri(&contact.value.replace("{id}", "1"))
    {
        findings.error(contact.span.clone(), format!("{}: contact: {fault}", table.what), None);
    }
    if !table.has("password") && !table.has("contact") {
        let hint = "give a password to register with, or the contact of a phone that stands there always".to_owned();
        findings.error(table.span.clone(), format!("{} has neither password nor contact", table.what), hint);
    }
    let queues = table.texts("queues", findings).map(|texts| texts.value).unwrap_or_default();
    let schedule = read_schedule(&mut table, &queues, findings);
    let call_preference = read_call_preference(&mut table, findings);
    let skills = read_skills(&mut table, findings);
    let codecs = read_codecs(&mut table, findings).unwrap_or_else(|| vec![Codec::Pcmu, Codec::Pcma, Codec::G722]);
    let language = table.text("language", findings);
    let srtp = read_srtp(&mut table, findings);
    table.finish(findings);
    let ids = match ids? {
        Ok(ids) => ids,
        Err((fault, span)) => {
            findings.error(span, fault, "write \"201\", or \"201..209\" for a range".to_owned());
            return None;
        }
    };
    let scheduled =
        |queue: &At<String>| Some((QueueId::from(queue.value.as_str()), schedule.of(&queue.value)?.value.clone()));
    let schedules: BTreeMap<QueueId, String> = queues.iter().filter_map(scheduled).collect();
    let spell = |text: &str, id: &str| text.replace("{id}", id);
    let agents = ids.iter().map(|id| Agent {
        id: AgentId::from(id.as_str()),
        name: name.as_ref().map_or_else(|| format!("Agent {id}"), |name| spell(&name.value, id)),
        password: password.as_ref().map(|password| spell(&password.value, id)),
        contact: contact.as_ref().map(|contact| spell(&contact.value, id)),
        queues: queues.iter().map(|queue| QueueId::from(queue.value.as_str())).collect(),
        schedules: schedules.clone(),
        call_preference,
        skills: skills.clone(),
        codecs: codecs.clone(),
        language: language.as_ref().map_or_else(|| default_language.clone(), |at| Language::from(at.value.as_str())),
        srtp,
    });
    Some(AgentDraft { agents: agents.collect(), id: id?, password, queues, schedule, language })
}

/// `schedule = "mornings"` for all queues; `schedule = { sales = "mornings" }` says for which.
fn read_schedule(table: &mut Table<'_>, queues: &[At<String>], findings: &mut Findings<'_>) -> Schedule {
    let what = table.what.clone();
    let Some(value) = table.value("schedule") else { return Schedule::default() };
    let hint = "write the name of a calendar, or { sales = \"mornings\" } for one queue only".to_owned();
    match value.get_ref() {
        DeValue::String(name) => {
            Schedule { all: Some(At { value: name.clone().into_owned(), span: value.span() }), queues: Vec::new() }
        }
        DeValue::Table(entries) => {
            let mut schedule = Schedule::default();
            for (queue, calendar) in entries.iter() {
                let DeValue::String(name) = calendar.get_ref() else {
                    let message =
                        format!("{what}: schedule of '{}' is {}", queue.get_ref(), type_of(calendar.get_ref()));
                    findings.error(calendar.span(), message, hint.clone());
                    continue;
                };
                let queue = At { value: queue.get_ref().clone().into_owned(), span: queue.span() };
                if queues.iter().all(|own| own.value != queue.value) {
                    let message = format!("{what}: schedule names queue '{}', which is none of theirs", queue.value);
                    let nearest = suggest(&queue.value, queues.iter().map(|own| own.value.as_str()));
                    findings.error(queue.span.clone(), message, nearest);
                }
                schedule.queues.push((queue, At { value: name.clone().into_owned(), span: calendar.span() }));
            }
            schedule
        }
        other => {
            findings.error(value.span(), format!("{what}: schedule is {}", type_of(other)), hint);
            Schedule::default()
        }
    }
}

/// `call_preference = "queue_order"`.
fn read_call_preference(table: &mut Table<'_>, findings: &mut Findings<'_>) -> CallPreference {
    one_of("call_preference", &CallPreference::ALL, CallPreference::name, table, findings)
}

/// `srtp = "require"`.
pub(super) fn read_srtp(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Srtp {
    one_of("srtp", &Srtp::ALL, Srtp::name, table, findings)
}

/// A key whose value is one of several words.
pub(super) fn one_of<T: Copy + Default>(
    key: &'static str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> T {
    let Some(given) = table.text(key, findings) else { return T::default() };
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    let known = all.iter().copied().find(|one| name(*one) == given.value);
    known.unwrap_or_else(|| {
        let nearest = suggest(&given.value, names.iter().copied());
        let hint = nearest.unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        findings.error(given.span, format!("{}: {key} cannot be '{}'", table.what, given.value), hint);
        T::default()
    })
}

/// `skills = ["billing"]` gives the highest level; `skills = { billing = 3 }` says which.
fn read_skills(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<Skill, u8> {
    let what = table.what.clone();
    let Some(value) = table.value("skills") else { return BTreeMap::new() };
    let given: Option<Vec<(&str, std::ops::Range<usize>, i64)>> = match value.get_ref() {
        DeValue::Array(items) => {
            let skill = |item: &'_ toml::Spanned<DeValue<'_>>| item.span();
            items.iter().map(|item| Some((item.get_ref().as_str()?, skill(item), i64::from(HIGHEST_LEVEL)))).collect()
        }
        DeValue::Table(entries) => entries
            .iter()
            .map(|(name, level)| Some((name.get_ref().as_ref(), level.span(), integer_of(level.get_ref())?)))
            .collect(),
        _ => None,
    };
    let hint = "write [\"billing\"], or { billing = 3 } with a level from 1 to 5";
    let Some(given) = given else {
        findings.error(
            value.span(),
            format!("{what}: skills is to be a list of names, or a table of levels"),
            hint.to_owned(),
        );
        return BTreeMap::new();
    };
    let mut skills = BTreeMap::new();
    for (name, span, level) in given {
        if let Err(fault) = check_id(name) {
            findings.error(span.clone(), format!("{what}: skill {fault}"), None);
        }
        match u8::try_from(level).ok().filter(|level| (1..=HIGHEST_LEVEL).contains(level)) {
            None => {
                findings.error(span, format!("{what}: the level of skill '{name}' goes from 1 to 5"), hint.to_owned())
            }
            Some(level) => {
                if skills.insert(Skill::from(name), level).is_some() {
                    findings.error(span, format!("{what}: skill '{name}' stands twice"), None);
                }
            }
        }
    }
    skills
}

/// `201`, or every id of `201..209` or `a1..a500`. Leading zeros keep their width.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    let Some((first, last)) = text.split_once("..") else {
        return check_id(text).map(|()| vec![text.to_owned()]);
    };
    let split = |id: &str| {
        let digits = id.len() - id.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, number) = id.split_at(id.len() - digits);
        (stem.to_owned(), number.to_owned())
    };
    let ((stem, low), (other_stem, high)) = (split(first), split(last));
    let (Ok(from), Ok(to)) = (low.parse::<u64>(), high.parse::<u64>()) else {
        return Err(format!("the range '{text}' does not end in numbers"));
    };
    if stem != other_stem || from > to {
        return Err(format!("'{text}' is no range"));
    }
    if to - from >= MOST_AGENTS {
        return Err(format!("the range '{text}' holds more than {MOST_AGENTS} agents"));
    }
    let width = if low.starts_with('0') { low.len() } else { 0 };
    let ids: Vec<String> = (from..=to).map(|number| format!("{stem}{number:0width$}")).collect();
    ids.iter().try_for_each(|id| check_id(id))?;
    Ok(ids)
}

/// Ids of people are the users of their SIP addresses, and are dialled.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    if id.is_empty() || id.len() > 32 || !id.chars().all(fine) {
        return Err(format!("'{id}' cannot be an id: use up to 32 letters, digits, '.', '_', '-', '+'"));
    }
    Ok(())
}

pub(super) fn read_queue(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<QueueDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("queue".to_owned(), |id| format!("queue '{}'", id.value));
    if let Some(Err(fault)) = id.as_ref().map(|id| check_id(&id.value)) {
        findings.error(table.span.clone(), fault, None);
    }
    let usual = Queue::new(id.as_ref().map_or("", |id| &id.value).into());
    let mut seconds = |key, low: i64, high: i64, default: Duration, findings: &mut Findings<'_>| {
        let given = table.integer(key, low..=high, findings);
        given.map_or(default, |seconds| Duration::from_secs(seconds.value.unsigned_abs()))
    };
    let ring_timeout = seconds("ring_timeout_s", 3, 300, usual.ring_timeout, findings);
    let wrap_up = seconds("wrap_up_s", 0, 3_600, usual.wrap_up, findings);
    let answer_within = seconds("answer_within_s", 1, 3_600, usual.answer_within, findings);
    let retry_delay = seconds("retry_delay_s", 1, 600, usual.retry_delay, findings);
    let announce_position = seconds("announce_position_s", 0, 3_600, usual.announce_position, findings);
    let priority_step = table.integer("priority_step_s", 0..=86_400, findings);
    let widen = read_widen(&mut table, findings);
    let choice = one_of("choice", &Choice::ALL, Choice::name, &mut table, findings);
    let occupancy_band = read_band(&mut table, findings);
    let ring_at_once = table.integer("ring_at_once", 1..=MOST_AT_ONCE, findings);
    let max_no_answer = table.integer("max_no_answer", 1..=100, findings);
    let music = table.text("music", findings);
    let (comfort, said) = read_comfort(&mut table, findings);
    let music_resumes = table.flag("music_resumes", findings).map_or(usual.music_resumes, |flag| flag.value);
    let max_waiting = table.integer("max_waiting", 1..=1_000_000, findings);
    let keep = read_keep(&mut table, ["keep_recordings_days", "keep_messages_days"], findings);
    let what = format!("{}: callback", table.what);
    let (callback, calendars) = match table.table("callback", findings) {
        Some(rules) => read_callback(rules, what, findings),
        None => (CallbackRules::default(), Vec::new()),
    };
    let what = format!("{}: supervision", table.what);
    let supervision = table.table("supervision", findings).map(|notice| read_supervision(notice, what, findings));
    let (supervision, announcement) = supervision.unzip();
    let script = read_script(&mut table, findings);
    table.finish(findings);
    let id = id?;
    let queue = Queue {
        script,
        supervision,
        callback,
        ring_timeout,
        wrap_up,
        answer_within,
        priority_step: priority_step.map(|seconds| Duration::from_secs(seconds.value.unsigned_abs())),
        widen,
        choice,
        ring_at_once: ring_at_once.and_then(|count| count.value.try_into().ok()).unwrap_or(usual.ring_at_once),
        max_no_answer: max_no_answer.and_then(|count| count.value.try_into().ok()).unwrap_or(usual.max_no_answer),
        retry_delay,
        music: music.as_ref().map_or_else(|| usual.music.clone(), |music| music.value.clone()),
        announce_position,
        occupancy_band,
        comfort,
        music_resumes,
        max_waiting: max_waiting.and_then(|count| usize::try_from(count.value).ok()),
        keep,
        id: usual.id,
    };
    Some(QueueDraft { queue, id, music, said, calendars, announcement: announcement.flatten() })
}

/// Longest script, in characters: more than that nobody reads while a caller waits.
const LONGEST_SCRIPT: usize = 4_000;

/// `script = { en = "…", fr = "…" }`: what agents say, by language.
fn read_script(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<Language, String> {
    let what = format!("{}: script", table.what);
    let mut script = BTreeMap::new();
    for (language, text) in table.table("script", findings).iter().flat_map(Table::all) {
        match text.get_ref().as_str().map(str::trim) {
            Some(words) if (1..=LONGEST_SCRIPT).contains(&words.chars().count()) => {
                script.insert(Language::from(language.value), words.to_owned());
            }
            Some(_) => {
                let message = format!("{what}: the text in '{}' has 1 to {LONGEST_SCRIPT} characters", language.value);
                findings.error(text.span(), message, None);
            }
            None => {
                let hint = "write script = { en = \"…\", fr = \"…\" }".to_owned();
                findings.error(text.span(), format!("{what}: '{}' is no text", language.value), hint);
            }
        }
    }
    script
}

/// `[supervision]` or `[queue.supervision]`, and where it says what is announced.
pub(super) fn read_supervision(
    mut table: Table<'_>,
    what: String,
    findings: &mut Findings<'_>,
) -> (SupervisionNotice, Option<At<String>>) {
    table.what = what;
    let announcement = table.text("announcement", findings);
    let beep = table.integer("beep_every_s", 0..=3_600, findings);
    table.finish(findings);
    let notice = SupervisionNotice {
        announcement: announcement.as_ref().map(|prompt| prompt.value.clone()),
        beep_every: beep.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.value.unsigned_abs())),
    };
    (notice, announcement)
}

/// `comfort = [{ prompt = "please-wait", after_s = 20, every_s = 60 }]`, and what it says where.
fn read_comfort(table: &mut Table<'_>, findings: &mut Findings<'_>) -> (Vec<Comfort>, Vec<At<Words>>) {
    let Some(given) = table.value("comfort") else { return Default::default() };
    let read = value_of(given.get_ref()).ok_or_else(|| format!("is {}", type_of(given.get_ref())));
    let list = read.and_then(|value| comforts(&value)).unwrap_or_else(|fault| {
        findings.error(given.span(), format!("{}: comfort {fault}", table.what), None);
        Vec::new()
    });
    let places = given.get_ref().as_array().into_iter().flat_map(|items| items.iter().map(Spanned::span));
    let said = list.iter().zip(places).map(|(comfort, span)| At { value: comfort.words.clone(), span }).collect();
    (list, said)
}

/// `occupancy_band = [60, 80]`.
fn read_band(table: &mut Table<'_>, findings: &mut Findings<'_>) -> (u8, u8) {
    let Some(value) = table.value("occupancy_band") else { return OCCUPANCY_BAND };
    let percent =
        |item: &toml::Spanned<DeValue<'_>>| integer_of(item.get_ref()).and_then(|number| u8::try_from(number).ok());
    let given: Option<Vec<u8>> = value.get_ref().as_array().and_then(|items| items.iter().map(percent).collect());
    match given.as_deref() {
        Some(&[low, high]) if low < high && high <= 100 => (low, high),
        _ => {
            let message = format!("{}: occupancy_band is to be two whole percentages, the lower one first", table.what);
            findings.error(value.span(), message, "write occupancy_band = [60, 80]".to_owned());
            OCCUPANCY_BAND
        }
    }
}

/// `widen = [{ after_s = 30, level = 2 }, { after_s = 60, level = 0 }]`.
fn read_widen(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<Widening> {
    let Some(given) = table.value("widen") else { return Vec::new() };
    let read = value_of(given.get_ref()).ok_or_else(|| format!("is {}", type_of(given.get_ref())));
    read.and_then(|value| widenings(&value)).unwrap_or_else(|fault| {
        findings.error(given.span(), format!("{}: widen {fault}", table.what), None);
        Vec::new()
    })
}

/// `[queue.callback]`, with the places of the calendars it names.
fn read_callback(mut table: Table<'_>, what: String, findings: &mut Findings<'_>) -> (CallbackRules, Vec<At<String>>) {
    table.what = what;
    let mut rules = CallbackRules::default();
    let mut calendars: Vec<At<String>> = table.text("calendar", findings).into_iter().collect();
    rules.calendar = calendars.first().map(|calendar| calendar.value.clone());
    let mut seconds = |key, range, into: &mut Duration, findings: &mut Findings<'_>| {
        if let Some(given) = table.integer(key, range, findings) {
            *into = Duration::from_secs(given.value.unsigned_abs());
        }
    };
    seconds("retry_s", 10..=86_400, &mut rules.retry, findings);
    seconds("retry_busy_s", 10..=86_400, &mut rules.retry_busy, findings);
    seconds("ring_timeout_s", 5..=120, &mut rules.ring_timeout, findings);
    seconds("idle_s", 0..=3_600, &mut rules.idle, findings);
    seconds("hold_back_s", 0..=86_400, &mut rules.hold_back, findings);
    rules.cold = one_of("cold", &Cold::ALL, Cold::name, &mut table, findings);
    if let Some(attempts) = table.integer("attempts", 1..=20, findings) {
        rules.attempts = u32::try_from(attempts.value).unwrap_or(rules.attempts);
    }
    if let Some(most) = table.integer("most", 0..=10_000, findings) {
        rules.most = usize::try_from(most.value).unwrap_or(rules.most);
    }
    if let Some(abandoned) = table.table("abandoned", findings) {
        let what = format!("{}: abandoned", table.what);
        rules.abandoned = read_abandoned(abandoned, what, &mut calendars, findings);
    }
    table.finish(findings);
    (rules, calendars)
}

/// `[queue.callback.abandoned]`. Who did not ask to be called back is not rung at any hour.
fn read_abandoned(
    mut table: Table<'_>,
    what: String,
    calendars: &mut Vec<At<String>>,
    findings: &mut Findings<'_>,
) -> Option<AbandonedRule> {
    table.what = what;
    if !table.has("after_s") {
        table.missing("after_s", findings);
    }
    let after = table.integer("after_s", 1..=3_600, findings);
    let calendar = table.text("calendar", findings);
    if calendar.is_none() && calendars.is_empty() {
        let hint = "give it a calendar of the hours in which people may be rung who have not asked for it".to_owned();
        findings.error(table.span.clone(), format!("{}: no calendar says when", table.what), hint);
    }
    table.finish(findings);
    let name = calendar.as_ref().map(|calendar| calendar.value.clone());
    calendars.extend(calendar);
    Some(AbandonedRule { after: Duration::from_secs(after?.value.unsigned_abs()), calendar: name })
}

pub(super) fn read_expert(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<ExpertDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("expert".to_owned(), |id| format!("expert '{}'", id.value));
    if let Some(Err(fault)) = id.as_ref().map(|id| check_id(&id.value)) {
        findings.error(table.span.clone(), fault, None);
    }
    let name = table.text("name", findings);
    let address = table.required_text("address", findings);
    if let Some((address, Err(fault))) = address.as_ref().map(|address| (address, check_sip_uri(&address.value))) {
        findings.error(address.span.clone(), format!("{}: address: {fault}", table.what), None);
    }
    let competence = read_competence(&mut table, findings);
    let calendar = table.text("calendar", findings);
    let trunk = table.text("trunk", findings);
    let subscribe = table.flag("subscribe", findings).is_none_or(|subscribe| subscribe.value);
    let mut seconds = |key, range, usual: Duration, findings: &mut Findings<'_>| {
        table.integer(key, range, findings).map_or(usual, |given| Duration::from_secs(given.value.unsigned_abs()))
    };
    let usual = Expert::new(id.as_ref().map_or("", |id| &id.value).into(), String::new());
    let options_interval = seconds("options_interval_s", 0..=LONGEST_WATCH_S, usual.options_interval, findings);
    let told_stale = seconds("told_stale_s", 10..=604_800, usual.told_stale, findings);
    table.finish(findings);
    let (id, address) = (id?, address?);
    let expert = Expert {
        name: name.map_or(usual.name, |name| name.value),
        address: address.value.clone(),
        competence,
        calendar: calendar.as_ref().map(|calendar| calendar.value.clone()),
        trunk: trunk.as_ref().map(|trunk| TrunkId::from(trunk.value.as_str())),
        subscribe,
        options_interval,
        told_stale,
        id: usual.id,
    };
    Some(ExpertDraft { expert, id, address, calendar, trunk })
}

/// `competence = ["tax", "inheritance law"]`.
fn read_competence(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for text in table.texts("competence", findings).map(|texts| texts.value).unwrap_or_default() {
        let field = text.value.trim();
        if field.is_empty() || field.chars().count() > 100 || field.chars().any(char::is_control) {
            let message = format!("{}: competence: a field has from 1 to 100 characters on one line", table.what);
            findings.error(text.span, message, None);
        } else if fields.iter().any(|known| known == field) {
            findings.error(text.span, format!("{}: competence '{field}' stands twice", table.what), None);
        } else {
            fields.push(field.to_owned());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_agents_are_spelt_out() {
        assert_eq!(expand("201"), Ok(vec!["201".into()]));
        assert_eq!(expand("a9..a11"), Ok(vec!["a9".into(), "a10".into(), "a11".into()]));
        assert_eq!(expand("008..010"), Ok(vec!["008".into(), "009".into(), "010".into()]));
        for bad in ["", "a b", "a1..b3", "3..1", "a..b", "1..20000", "1..", "..", "99999999999999999999..1"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }
}
