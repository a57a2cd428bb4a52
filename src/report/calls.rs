//! What one call record adds to which line of a report.

use super::sums::Sums;
use super::{By, Terms};
use crate::conversation::{Conversation, Reason};
use crate::record::{CallRecord, Outcome, Party, QueueVisit, VisitEnd};

/// The target where the record does not say: of calls that were recorded before it did.
const USUAL_TARGET_MS: u64 = 20_000;

/// What the record adds, for each line; `None` is the line of what belongs to no queue, agent or skill.
pub(super) fn contributions(record: &CallRecord, by: By, terms: &Terms) -> Vec<(Option<String>, Sums)> {
    match by {
        By::All => vec![(None, whole(record, terms))],
        By::Number => vec![(Some(record.to.clone()), whole(record, terms))],
        By::Queue => of_queues(record, terms),
        By::Skill => of_skills(record, terms),
        By::Agent => of_agents(record, terms),
    }
}

fn whole(record: &CallRecord, terms: &Terms) -> Sums {
    let mut sums = of_contact(record);
    let visits = visits(record);
    visits.iter().for_each(|visit| sums.add(&of_wait(record, visit, terms)));
    if record.outgoing {
        sums.callback_attempts = 1;
        sums.callbacks_kept = u64::from(visits.iter().any(|visit| visit.end == Some(VisitEnd::Answered)));
        return sums;
    }
    sums.offered = 1;
    let waited = visits.last().and_then(|visit| visit.wait_ms);
    let there = record.ended_at.map(|at| at.as_millisecond() - record.started_at.as_millisecond());
    let lasted = waited.or(there.and_then(|ms| u64::try_from(ms).ok()));
    let count = match record.outcome {
        Some(Outcome::Handled) => &mut sums.handled,
        Some(Outcome::Abandoned) if lasted.is_some_and(|ms| ms < terms.short_ms) => &mut sums.abandoned_short,
        Some(Outcome::Abandoned) => &mut sums.abandoned,
        Some(Outcome::Deterred) => &mut sums.deterred,
        Some(Outcome::Overflowed) => &mut sums.overflowed,
        Some(Outcome::Callback) => &mut sums.callbacks,
        Some(Outcome::Voicemail) => &mut sums.voicemail,
        Some(Outcome::SelfService) => &mut sums.self_service,
        Some(Outcome::Failed) | None => &mut sums.failed,
    };
    *count = 1;
    sums
}

/// Each wait counts in its queue; what agents did, and what the caller said of it, in the queue that was answered last.
fn of_queues(record: &CallRecord, terms: &Terms) -> Vec<(Option<String>, Sums)> {
    let visits = visits(record);
    if visits.is_empty() {
        let queue = record.queue.as_ref().filter(|_| record.outgoing || record.outcome == Some(Outcome::Callback));
        return vec![(queue.map(ToString::to_string), whole(record, terms))];
    }
    let answered = visits.iter().rposition(|visit| visit.end == Some(VisitEnd::Answered));
    let bears = answered.unwrap_or(visits.len() - 1);
    let lines = visits.iter().enumerate().map(|(at, visit)| {
        let mut sums = of_visit(record, visit, at + 1 == visits.len(), terms);
        if at == bears {
            sums.add(&of_contact(record));
            sums.callback_attempts = u64::from(record.outgoing);
        }
        (Some(visit.queue.to_string()), sums)
    });
    lines.collect()
}

fn of_skills(record: &CallRecord, terms: &Terms) -> Vec<(Option<String>, Sums)> {
    let mut lines = Vec::new();
    let visits = visits(record);
    let answered = visits.iter().rposition(|visit| visit.end == Some(VisitEnd::Answered));
    for (at, visit) in visits.iter().enumerate() {
        let mut sums = of_visit(record, visit, at + 1 == visits.len(), terms);
        if Some(at) == answered {
            sums.add(&of_contact(record));
        }
        lines.extend(visit.skills.keys().map(|skill| (Some(skill.to_string()), sums.clone())));
    }
    lines
}

/// Each agent who talked; the wrap-up and what the caller said count for the last one.
fn of_agents(record: &CallRecord, terms: &Terms) -> Vec<(Option<String>, Sums)> {
    let joined = record.legs.iter().filter(|leg| leg.role == Party::Agent && leg.joined_at.is_some());
    let mut lines: Vec<(Option<String>, Sums)> = joined
        .map(|leg| {
            let (handled, callbacks_kept) = if record.outgoing { (0, 1) } else { (1, 0) };
            let own = Sums { handled, callbacks_kept, talk_ms: leg.talk_ms, hold_ms: leg.hold_ms, ..Sums::default() };
            (Some(leg.address.clone()), own)
        })
        .collect();
    if let Some(agent) = &record.agent {
        let last = Sums { talk_ms: 0, hold_ms: 0, ..of_contact(record) };
        lines.push((Some(agent.to_string()), last));
    }
    for visit in visits(record) {
        if let Some(agent) = &visit.agent {
            lines.push((Some(agent.to_string()), of_wait(record, &visit, terms)));
        }
    }
    lines
}

/// One wait in one queue, as a call that was offered to it.
fn of_visit(record: &CallRecord, visit: &QueueVisit, last: bool, terms: &Terms) -> Sums {
    let mut sums = of_wait(record, visit, terms);
    if record.outgoing {
        sums.callbacks_kept = u64::from(visit.end == Some(VisitEnd::Answered));
        return sums;
    }
    sums.offered = 1;
    let promised = last && record.outcome == Some(Outcome::Callback) && record.queue.as_ref() == Some(&visit.queue);
    let count = match visit.end {
        Some(VisitEnd::Answered) => &mut sums.handled,
        Some(VisitEnd::Abandoned) if is_short(visit, terms) => &mut sums.abandoned_short,
        Some(VisitEnd::Abandoned) => &mut sums.abandoned,
        Some(VisitEnd::Overflowed) if promised => &mut sums.callbacks,
        Some(VisitEnd::Overflowed) => &mut sums.overflowed,
        Some(VisitEnd::Failed) | None => &mut sums.failed,
    };
    *count = 1;
    sums
}

/// The wait itself. Who is called back did not wait on the line before.
fn of_wait(record: &CallRecord, visit: &QueueVisit, terms: &Terms) -> Sums {
    let mut sums = Sums::default();
    if record.outgoing {
        return sums;
    }
    sums.queued = 1;
    let Some(wait) = visit.wait_ms else { return sums };
    let in_time = u64::from(wait <= terms.within_ms.unwrap_or(visit.target_ms));
    match visit.end {
        Some(VisitEnd::Answered) => {
            sums.answered = 1;
            sums.answered_in_time = in_time;
            sums.answered_wait_ms = wait;
            sums.longest_wait_ms = wait;
            if let Some((least, most)) = visit.estimate_ms {
                sums.estimated = 1;
                sums.estimated_within = u64::from((least..=most).contains(&wait));
                sums.estimate_error_ms = wait.abs_diff(least.midpoint(most));
            }
        }
        Some(VisitEnd::Abandoned) => {
            let short = u64::from(is_short(visit, terms));
            (sums.lost, sums.lost_short) = (1 - short, short);
            sums.lost_in_time = in_time;
            sums.lost_wait_ms = wait;
            sums.longest_wait_ms = wait;
        }
        _ => {}
    }
    sums
}

fn is_short(visit: &QueueVisit, terms: &Terms) -> bool {
    visit.wait_ms.is_some_and(|wait| wait < terms.short_ms)
}

fn count(conversation: &Conversation, sums: &mut Sums) {
    sums.bot_conversations += 1;
    sums.bot_served += u64::from(conversation.served);
    sums.bot_misses += conversation.misses.len() as u64;
    let Some(reason) = conversation.reason else { return };
    sums.bot_to_person += 1;
    *match reason {
        Reason::Misses => &mut sums.bot_after_misses,
        Reason::Agent | Reason::Key => &mut sums.bot_on_request,
        Reason::Anger => &mut sums.bot_after_anger,
        Reason::Repeated => &mut sums.bot_after_repetition,
        Reason::Silence => &mut sums.bot_after_silence,
        Reason::Recogniser => &mut sums.bot_without_recogniser,
        Reason::TooLong => &mut sums.bot_too_long,
        Reason::Intent => &mut sums.bot_by_intent,
    } += 1;
}

/// What agents did for the contact, and what the caller said of it.
fn of_contact(record: &CallRecord) -> Sums {
    let mut sums = Sums {
        talk_ms: record.talk_ms.unwrap_or(0),
        hold_ms: record.hold_ms.unwrap_or(0),
        acw_ms: record.acw_ms.unwrap_or(0),
        transfers: u64::from(record.transfers),
        consultations: u64::from(record.consults),
        judged: u64::from(record.resolved.is_some()),
        judged_resolved: u64::from(record.resolved == Some(true)),
        ..Sums::default()
    };
    record.conversations.iter().for_each(|conversation| count(conversation, &mut sums));
    for answer in record.survey.iter().flatten() {
        let width = answer.max.saturating_sub(answer.min);
        let Some(above) = u64::try_from(answer.score.saturating_sub(answer.min)).ok().filter(|_| width > 0) else {
            continue;
        };
        let points = (above.saturating_mul(1_000) / width.unsigned_abs()).min(1_000);
        match answer.name.as_str() {
            "csat" => {
                sums.csat_scores += 1;
                sums.csat_points += points;
                sums.csat_satisfied += u64::from(points >= 750);
            }
            "ces" => {
                sums.ces_scores += 1;
                sums.ces_points += points;
            }
            "fcr" => {
                sums.fcr_answers += 1;
                sums.fcr_resolved += u64::from(points == 1_000);
            }
            _ => {}
        }
    }
    sums
}

/// The waits of a call. A record from before they were noted, or of a call that was cut off, tells of one.
fn visits(record: &CallRecord) -> Vec<QueueVisit> {
    if !record.visits.is_empty() {
        return record.visits.clone();
    }
    let (Some(queue), Some(wait_ms)) = (&record.queue, record.wait_ms) else { return Vec::new() };
    let end = match record.outcome {
        _ if record.agent.is_some() => VisitEnd::Answered,
        Some(Outcome::Abandoned) => VisitEnd::Abandoned,
        Some(Outcome::Failed) | None => VisitEnd::Failed,
        Some(_) => VisitEnd::Overflowed,
    };
    vec![QueueVisit {
        queue: queue.clone(),
        waiting_since: record.started_at,
        counted_ms: 0,
        wait_ms: Some(wait_ms),
        end: Some(end),
        agent: record.agent.clone(),
        target_ms: USUAL_TARGET_MS,
        skills: Default::default(),
        estimate_ms: None,
    }]
}
