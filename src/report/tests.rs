//! Samples computed by hand, days on which the clocks change, and intervals that add up.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Value as Json, json};

use super::grid::Grid;
use super::*;
use crate::ids::{CallId, LegId};
use crate::record::{CallRecord, LegRecord, Outcome, Party, QueueVisit, SurveyAnswer, VisitEnd};
use crate::shift::{AgentChange, Cause, Membership, NoAnswer};
use crate::views::AgentState;

fn paris() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap()
}

fn at(text: &str) -> Wall {
    text.parse().unwrap()
}

fn query(from: &str, until: &str, interval: Interval, by: By) -> Query {
    let terms = Terms::default();
    Query { from: at(from), until: at(until), interval, by, only: None, terms, zone: paris() }
}

fn morning(interval: Interval, by: By) -> Query {
    query("2026-11-25T09:00:00Z", "2026-11-25T11:00:00Z", interval, by)
}

fn call(started: &str, outcome: Outcome) -> CallRecord {
    let started_at = at(started);
    CallRecord {
        answered_at: Some(started_at),
        ended_at: Some(started_at + SignedDuration::from_secs(300)),
        outcome: Some(outcome),
        ended_by: Some(Party::Caller),
        sip_status: Some(200),
        q850: Some(16),
        ..CallRecord::new(CallId::new(started_at.as_millisecond(), 1), "33155501", "610", started_at)
    }
}

fn visit(queue: &str, wait_s: u64, end: VisitEnd) -> QueueVisit {
    QueueVisit {
        queue: queue.into(),
        waiting_since: at("2026-11-25T09:00:00Z"),
        counted_ms: 0,
        wait_ms: Some(wait_s * 1_000),
        end: Some(end),
        agent: (end == VisitEnd::Answered).then(|| "201".into()),
        target_ms: 20_000,
        skills: Default::default(),
        estimate_ms: None,
    }
}

fn waited(started: &str, queue: &str, wait_s: u64, end: VisitEnd, outcome: Outcome) -> CallRecord {
    CallRecord { queue: Some(queue.into()), visits: vec![visit(queue, wait_s, end)], ..call(started, outcome) }
}

fn handled(started: &str, wait_s: u64, talk_s: u64, hold_s: u64, acw_s: u64) -> CallRecord {
    let leg = LegRecord {
        leg_id: LegId(2),
        role: Party::Agent,
        address: "201".to_owned(),
        joined_at: Some(at(started)),
        left_at: Some(at(started)),
        rtp: None,
        talk_ms: talk_s * 1_000,
        hold_ms: hold_s * 1_000,
        consult_ms: 0,
        conference_ms: 0,
    };
    CallRecord {
        agent: Some("201".into()),
        talk_ms: Some(talk_s * 1_000),
        hold_ms: Some(hold_s * 1_000),
        acw_ms: Some(acw_s * 1_000),
        legs: vec![leg],
        ..waited(started, "sales", wait_s, VisitEnd::Answered, Outcome::Handled)
    }
}

fn change(time: &str, state: AgentState, cause: Cause) -> AgentChange {
    AgentChange {
        agent: "201".into(),
        at: at(time),
        state,
        cause,
        reason: None,
        call_id: None,
        queue: None,
        member_of: None,
        resume: None,
        wanted: None,
    }
}

fn with_call(change: AgentChange) -> AgentChange {
    AgentChange { call_id: Some(CallId(7)), queue: Some("sales".into()), ..change }
}

fn logged_in(time: &str) -> AgentChange {
    let skills = [("french".into(), 4)].into();
    let member_of = Some(Membership { queues: vec!["sales".into(), "support".into()], skills });
    AgentChange { member_of, ..change(time, AgentState::Available, Cause::PhoneRegistered) }
}

fn report(query: Query, calls: &[CallRecord], changes: &[AgentChange]) -> Json {
    let until = query.until;
    let mut tally = Tally::new(query).unwrap();
    calls.iter().for_each(|call| tally.call(call).unwrap());
    changes.iter().for_each(|change| tally.agent(change.clone()).unwrap());
    tally.finish(until).unwrap().json()
}

#[track_caller]
fn assert_figures(row: &Json, wanted: Json) {
    for (name, wanted) in wanted.as_object().unwrap() {
        assert_eq!(&row[name], wanted, "{name} in {row}");
    }
}

/// Ten callers of a queue with a target of 20 s: six are answered, after 5, 10, 15, 20, 30 and 40 s; three give up,
/// after 2, 12 and 60 s; one leaves by a key after 50 s.
fn ten_callers() -> Vec<CallRecord> {
    let time = "2026-11-25T09:20:00Z";
    let mut calls: Vec<CallRecord> =
        [5, 10, 15, 20, 30, 40].into_iter().map(|wait| handled(time, wait, 180, 30, 24)).collect();
    calls.extend([2, 12, 60].map(|wait| waited(time, "sales", wait, VisitEnd::Abandoned, Outcome::Abandoned)));
    calls.push(waited(time, "sales", 50, VisitEnd::Overflowed, Outcome::Voicemail));
    calls
}

#[test]
fn the_service_level_in_all_its_variants() {
    let report = report(morning(Interval::Quarter, By::Queue), &ten_callers(), &[]);
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
    let row = &report["rows"][0];
    assert_figures(
        row,
        json!({
            "from": "2026-11-25T10:15:00+01:00", "to": "2026-11-25T10:30:00+01:00", "queue": "sales",
            "offered": 10, "handled": 6, "abandoned": 2, "abandoned_short": 1, "overflowed": 1, "queued": 10,
            "answered_in_time": 4, "lost": 2, "lost_short": 1,
            // 4 / (6 + 2); 4 / (6 + 3); 4 / (6 + 3 - 2); (4 + 2) / (6 + 3); 4 / 6; 4 / 10
            "service_level": 0.5,
            "service_level_all_abandoned": 0.4444,
            "service_level_abandons_ignored": 0.5714,
            "service_level_abandons_positive": 0.6667,
            "service_level_answered": 0.6667,
            "service_level_offered": 0.4,
            "abandon_rate": 0.25,
            // 120 / 6; 74 / 3
            "asa_ms": 20_000, "abandon_wait_ms": 24_667, "longest_wait_ms": 60_000,
            "aht_ms": 234_000, "aht_talk_ms": 180_000, "aht_hold_ms": 30_000, "aht_acw_ms": 24_000,
        }),
    );
    let terms = Terms { within_ms: Some(10_000), short_ms: 15_000 };
    let narrower = Query { terms, ..morning(Interval::Day, By::Queue) };
    let row = &self::report(narrower, &ten_callers(), &[])["rows"][0];
    assert_figures(row, json!({ "abandoned": 1, "abandoned_short": 2, "service_level": 0.2857 }));
}

#[test]
fn a_call_through_two_queues_counts_in_each_and_once_in_all() {
    let mut through = handled("2026-11-25T09:00:00Z", 70, 100, 0, 0);
    through.visits = vec![visit("support", 40, VisitEnd::Overflowed), visit("sales", 70, VisitEnd::Answered)];
    let calls = [through];
    let rows = report(morning(Interval::Day, By::Queue), &calls, &[])["rows"].clone();
    assert_figures(&rows[0], json!({ "queue": "sales", "offered": 1, "handled": 1, "aht_ms": 100_000 }));
    assert_figures(
        &rows[1],
        json!({ "queue": "support", "offered": 1, "overflowed": 1, "handled": 0, "aht_ms": null }),
    );
    let all = report(morning(Interval::Day, By::All), &calls, &[])["rows"].clone();
    assert_figures(&all[0], json!({ "offered": 1, "handled": 1, "overflowed": 0, "queued": 2, "aht_ms": 100_000 }));
    let number = report(morning(Interval::Day, By::Number), &calls, &[])["rows"].clone();
    assert_figures(&number[0], json!({ "number": "610", "offered": 1, "handled": 1 }));
}

#[test]
fn what_reached_no_queue_has_a_line_without_a_name() {
    let calls = [call("2026-11-25T09:00:00Z", Outcome::Deterred), call("2026-11-25T09:00:00Z", Outcome::SelfService)];
    let rows = report(morning(Interval::Day, By::Queue), &calls, &[])["rows"].clone();
    assert_figures(&rows[0], json!({ "queue": null, "offered": 2, "deterred": 1, "self_service": 1 }));
}

#[test]
fn a_call_back_is_neither_abandoned_nor_offered_again() {
    let asked = waited("2026-11-25T09:00:00Z", "sales", 30, VisitEnd::Overflowed, Outcome::Callback);
    let mut nobody = CallRecord { outgoing: true, ..call("2026-11-25T09:10:00Z", Outcome::Failed) };
    nobody.queue = Some("sales".into());
    let mut kept = CallRecord { outgoing: true, ..handled("2026-11-25T09:20:00Z", 3, 60, 0, 0) };
    kept.wait_ms = Some(3_000);
    let mut hung_up = waited("2026-11-25T09:30:00Z", "sales", 3, VisitEnd::Overflowed, Outcome::Abandoned);
    hung_up.outgoing = true;
    let rows = report(morning(Interval::Day, By::Queue), &[asked, nobody, kept, hung_up], &[])["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_figures(
        &rows[0],
        json!({
            "offered": 1, "callbacks": 1, "abandoned": 0, "abandoned_short": 0, "overflowed": 0, "failed": 0, "queued": 1,
            "callback_attempts": 3, "callbacks_kept": 1, "aht_ms": 60_000, "asa_ms": null,
        }),
    );
}

#[test]
fn an_agents_day_is_split_over_intervals_and_queues() {
    let changes = [
        logged_in("2026-11-25T08:50:00Z"),
        with_call(change("2026-11-25T09:10:00Z", AgentState::Reserved, Cause::Offered)),
        with_call(change("2026-11-25T09:10:00Z", AgentState::Ringing, Cause::PhoneRang)),
        with_call(change("2026-11-25T09:10:30Z", AgentState::Talking, Cause::Answered)),
        with_call(change("2026-11-25T09:40:30Z", AgentState::WrapUp, Cause::TalkEnded)),
        change("2026-11-25T09:45:00Z", AgentState::Available, Cause::WrapUpEnded),
        with_call(change("2026-11-25T09:50:00Z", AgentState::Reserved, Cause::Offered)),
        change("2026-11-25T09:50:15Z", AgentState::Available, Cause::OfferFailed(NoAnswer::Timeout)),
        change("2026-11-25T10:00:00Z", AgentState::LoggedOut, Cause::PhoneLost),
    ];
    let by_agent = report(morning(Interval::Half, By::Agent), &[], &changes);
    let (first, second) = (&by_agent["rows"][0], &by_agent["rows"][1]);
    // 10 min available, 30 s ringing, 19.5 min talking.
    assert_figures(
        first,
        json!({ "available_ms": 600_000, "ringing_ms": 30_000, "talking_ms": 1_170_000, "occupancy": 0.65 }),
    );
    assert_figures(
        second,
        json!({
            "talking_ms": 630_000, "wrap_up_ms": 270_000, "reserved_ms": 15_000, "available_ms": 885_000, "occupancy": 0.5,
            "offers": 1, "unanswered": 1, "non_response": 1.0, "staffed_ms": 1_800_000,
        }),
    );
    assert_figures(&by_agent["totals"][0], json!({ "offers": 2, "non_response": 0.5, "staffed_ms": 3_600_000 }));
    let by_queue = report(morning(Interval::Day, By::Queue), &[], &changes)["rows"].clone();
    assert_figures(&by_queue[0], json!({ "queue": "sales", "talking_ms": 1_800_000, "offers": 2, "unanswered": 1 }));
    let support =
        json!({ "queue": "support", "talking_ms": 0, "available_ms": 1_485_000, "offers": 0, "occupancy": 0.0 });
    assert_figures(&by_queue[1], support);
    let by_skill = report(morning(Interval::Day, By::Skill), &[], &changes)["rows"].clone();
    assert_figures(&by_skill[0], json!({ "skill": "french", "staffed_ms": 3_600_000, "offers": 2 }));
}

#[test]
fn what_callers_said_is_counted_and_what_nobody_said_is_not_known() {
    let score = |name: &str, score, max| SurveyAnswer {
        name: name.to_owned(),
        score,
        min: 1,
        max,
        at: at("2026-11-25T09:00:00Z"),
    };
    let mut calls = [(5, Some(true)), (4, Some(false)), (2, None)].map(|(csat, resolved)| {
        let survey = Some(vec![score("csat", csat, 5), score("fcr", i64::from(csat > 3) + 1, 2)]);
        CallRecord { survey, resolved, ..handled("2026-11-25T09:00:00Z", 1, 60, 0, 0) }
    });
    for by in [By::Queue, By::Agent, By::All] {
        let rows = report(morning(Interval::Day, by), &calls, &[])["rows"].clone();
        // (4 + 3 + 1) / (3 * 4)
        let wanted = json!({ "csat": 0.6667, "csat_scores": 3, "csat_mean": 0.6667, "fcr": 0.6667, "fcr_agents": 0.5, "ces_mean": null });
        assert_figures(&rows[0], wanted);
    }
    calls.iter_mut().for_each(|call| (call.survey, call.resolved) = (None, None));
    let rows = report(morning(Interval::Day, By::Queue), &calls, &[])["rows"].clone();
    assert_figures(
        &rows[0],
        json!({ "csat": null, "fcr": null, "fcr_agents": null, "consultations": 0, "estimate_error_ms": null }),
    );
}

#[test]
fn the_error_of_the_estimated_wait() {
    let calls = [60, 150].map(|wait| {
        let mut call = handled("2026-11-25T09:00:00Z", wait, 60, 0, 0);
        call.visits.iter_mut().for_each(|visit| visit.estimate_ms = Some((50_000, 110_000)));
        call
    });
    let rows = report(morning(Interval::Day, By::Queue), &calls, &[])["rows"].clone();
    // 20 s and 70 s from the middle.
    assert_figures(&rows[0], json!({ "estimate_error_ms": 45_000, "estimate_within": 0.5 }));
}

#[test]
fn records_from_before_waits_were_noted_tell_of_one() {
    let mut old = handled("2026-11-25T09:00:00Z", 0, 60, 0, 0);
    (old.visits, old.wait_ms) = (Vec::new(), Some(25_000));
    let rows = report(morning(Interval::Day, By::Queue), &[old], &[])["rows"].clone();
    assert_figures(&rows[0], json!({ "handled": 1, "asa_ms": 25_000, "service_level": 0.0 }));
}

#[test]
fn days_on_which_the_clocks_change_are_longer_and_shorter() {
    let grid = |from: &str, until: &str, interval| Grid::new(at(from), at(until), interval, &paris()).unwrap();
    let count = |grid: &Grid| (0..).map_while(|n| grid.bounds(n)).count();
    // Spring: 29 March 2026 has 23 hours; autumn: 25 October 2026 has 25.
    let (spring, autumn) =
        (("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
    for ((from, until), hours) in [(spring, 23), (autumn, 25)] {
        assert_eq!(count(&grid(from, until, Interval::Day)), 1);
        assert_eq!(count(&grid(from, until, Interval::Hour)), hours);
        assert_eq!(count(&grid(from, until, Interval::Quarter)), hours * 4);
    }
    // Both hours that the clocks call two are there, each with its calls.
    let twice = ["2026-10-25T00:10:00Z", "2026-10-25T01:10:00Z"].map(|time| call(time, Outcome::Deterred));
    let rows = report(query(autumn.0, autumn.1, Interval::Hour, By::All), &twice, &[])["rows"].clone();
    assert_eq!(
        (&rows[0]["from"], &rows[1]["from"]),
        (&"2026-10-25T02:00:00+02:00".into(), &"2026-10-25T02:00:00+01:00".into())
    );
    // Half an hour of change: the last interval of the day is half an hour.
    let zone = TimeZone::get("Australia/Lord_Howe").unwrap();
    let day = Grid::new(at("2026-04-04T13:00:00Z"), at("2026-04-05T13:30:00Z"), Interval::Hour, &zone).unwrap();
    let last = (0..).map_while(|n| day.bounds(n)).last().unwrap();
    assert_eq!((count(&day), last), (25, (at("2026-04-05T13:00:00Z"), at("2026-04-05T13:30:00Z"))));
}

#[test]
fn the_first_and_the_last_interval_are_cut_to_what_was_asked_for() {
    let grid = Grid::new(at("2026-11-25T09:10:00Z"), at("2026-11-25T10:05:00Z"), Interval::Half, &paris()).unwrap();
    let bounds: Vec<(Wall, Wall)> = (0..).map_while(|n| grid.bounds(n)).collect();
    let times = ["09:10", "09:30", "10:00", "10:05"].map(|time| at(&format!("2026-11-25T{time}:00Z")));
    assert_eq!(bounds, [(times[0], times[1]), (times[1], times[2]), (times[2], times[3])]);
    assert_eq!(grid.at(times[0] - SignedDuration::from_millis(1)), None);
    assert_eq!((grid.at(times[0]), grid.at(times[1]), grid.at(times[3])), (Some(0), Some(1), None));
}

/// Random days: whatever the interval, the sums of the intervals are those of the day, and every call has one end.
#[test]
fn intervals_add_up_to_the_day() {
    let days = [("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), ("2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z")];
    for seed in 0..40u64 {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut below = |most: u64| rng.next_u64() % most;
        let (from, until) = days[(seed % 2) as usize];
        let moment = |second: u64| (at(from) + SignedDuration::from_secs(second as i64)).to_string();
        let mut calls = Vec::new();
        for _ in 0..200 {
            let (time, wait) = (moment(below(90_000)), below(120));
            calls.push(match below(5) {
                0 => waited(&time, "sales", wait, VisitEnd::Abandoned, Outcome::Abandoned),
                1 => waited(&time, "support", wait, VisitEnd::Overflowed, Outcome::Callback),
                2 => call(&time, Outcome::Deterred),
                _ => handled(&time, wait, below(600), below(60), below(60)),
            });
        }
        let mut times: Vec<u64> = (0..200).map(|_| below(90_000)).collect();
        times.sort_unstable();
        let states =
            [AgentState::Available, AgentState::Talking, AgentState::WrapUp, AgentState::Paused, AgentState::LoggedOut];
        let mut changes = vec![logged_in("2026-01-01T00:00:00Z")];
        for time in times {
            let state = states[below(5) as usize];
            let next = change(&moment(time), state, if below(3) == 0 { Cause::Offered } else { Cause::Asked });
            changes.push(if state == AgentState::Talking { with_call(next) } else { next });
        }
        for by in By::ALL {
            let made = |interval| {
                let mut tally = Tally::new(query(from, until, interval, by)).unwrap();
                calls.iter().for_each(|call| tally.call(call).unwrap());
                changes.iter().for_each(|change| tally.agent(change.clone()).unwrap());
                tally.finish(at(until)).unwrap()
            };
            let day = made(Interval::Day);
            for interval in Interval::ALL {
                assert_eq!(made(interval).totals, day.totals, "seed {seed}, {by:?}, {interval:?}");
            }
            for Line { sums, key, .. } in day.totals.iter().filter(|_| by != By::Agent) {
                let ends = sums.handled + sums.abandoned + sums.abandoned_short + sums.deterred + sums.overflowed;
                let ends = ends + sums.callbacks + sums.voicemail + sums.self_service + sums.failed;
                assert_eq!(ends, sums.offered, "seed {seed}, {by:?}, {key:?}");
            }
            if by == By::Agent {
                let staffed: u64 = day.totals.iter().map(|line| line.sums.staffed_ms()).sum();
                let day_ms = (at(until).as_millisecond() - at(from).as_millisecond()) as u64;
                assert!(staffed <= day_ms && staffed > day_ms / 4, "seed {seed}: {staffed} of {day_ms}");
            }
        }
    }
}

#[test]
fn too_much_is_refused_with_the_remedy() {
    let years = Tally::new(query("2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Quarter, By::Queue));
    assert!(years.unwrap_err().to_string().contains("interval=day"));
    let year = query("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Quarter, By::Number);
    let mut tally = Tally::new(year).unwrap();
    let mut n = 0;
    let refused = loop {
        let call = CallRecord { to: format!("6{n}"), ..call("2025-06-01T00:00:00Z", Outcome::Deterred) };
        n += 1;
        match tally.call(&call) {
            Ok(()) => assert!(n <= MOST_CELLS, "no bound"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(n == MOST_CELLS + 1 && refused.contains("one number by 'number='"), "{n}: {refused}");
    let backwards = Tally::new(query("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Day, By::All));
    assert!(matches!(backwards, Err(ReportError::Backwards { .. })));
}

#[test]
fn a_name_is_no_formula_in_a_spreadsheet_and_breaks_no_line() {
    let names = ["+33155501", "+1+cmd", "=1+1", "a\"b,c\r\nd"];
    let calls = names.map(|to| CallRecord { to: to.to_owned(), ..call("2026-11-25T09:00:00Z", Outcome::Deterred) });
    let mut tally = Tally::new(morning(Interval::Day, By::Number)).unwrap();
    calls.iter().for_each(|call| tally.call(call).unwrap());
    let text = tally.finish(at("2026-11-25T11:00:00Z")).unwrap().csv(Heading::English);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().get(3), Some("offered"));
    let read: Vec<String> = reader.records().map(|record| record.unwrap()[2].to_owned()).collect();
    assert_eq!(read, ["'+1+cmd", "+33155501", "'=1+1", "a\"b,c\r\nd"]);
}

#[test]
fn the_page_on_figures_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/FIGURES.md");
    if std::env::var_os("RELAIS_WRITE_PAGES").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == page(), "FIGURES.md is old: RELAIS_WRITE_PAGES=1 with this test makes it anew");
}

#[test]
fn every_figure_has_a_name_of_its_own_in_each_language() {
    for of in [|figure: &Figure| figure.name, |figure: &Figure| figure.english] {
        let names: std::collections::BTreeSet<&str> = FIGURES.iter().map(of).collect();
        assert_eq!(names.len(), FIGURES.len());
    }
    assert!(FIGURES.iter().all(|figure| !figure.french.is_empty() && !figure.formula.is_empty()));
}
