//! The figures of a run, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::staffing::{AsRecorded, Calls, Estimate, Outcome, Performance, REPLAYS, Scenario};

pub struct Report<'r> {
    pub days: u32,
    pub scenario: &'r Scenario,
    pub outcome: &'r Outcome,
}

/// What stands beside the simulated figures.
enum Beside {
    Theory(Performance),
    Recorded(AsRecorded),
}

/// One figure: its name in JSON and for people.
struct Line<'r> {
    name: &'static str,
    title: String,
    estimate: &'r Estimate,
    beside: Option<f64>,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Share,
    Seconds,
}

impl Report<'_> {
    fn within(&self) -> f64 {
        self.scenario.queue.answer_within.as_secs_f64()
    }

    fn beside(&self) -> Beside {
        match &self.scenario.calls {
            Calls::Random(calls) => Beside::Theory(calls.theory(self.scenario.agents, self.within())),
            Calls::Recorded(recording) => Beside::Recorded(recording.as_recorded(self.scenario.queue.answer_within)),
        }
    }

    /// What the column beside is called.
    fn model(&self) -> &'static str {
        match &self.scenario.calls {
            Calls::Recorded(_) => "recorded",
            Calls::Random(calls) if calls.patience.is_some() => "Erlang A",
            Calls::Random(_) => "Erlang C",
        }
    }

    fn lines(&self, beside: &Beside) -> [Line<'_>; 8] {
        let [service_level, asa, waits, abandonment, occupancy] = match beside {
            Beside::Theory(theory) => {
                [theory.service_level, theory.asa_s, theory.wait_probability, theory.abandonment, theory.occupancy]
                    .map(Some)
            }
            Beside::Recorded(was) => [Some(was.service_level), Some(was.asa_s), None, Some(was.abandonment), None],
        };
        let of = self.outcome;
        let within = format!("service level ({} s)", self.within());
        let line =
            |name, title: &str, estimate, beside, unit| Line { name, title: title.to_owned(), estimate, beside, unit };
        [
            line("service_level", &within, &of.service_level, service_level, Unit::Share),
            line("asa_s", "ASA", &of.asa_s, asa, Unit::Seconds),
            line("wait_probability", "waits", &of.wait_probability, waits, Unit::Share),
            line("abandonment", "abandoned", &of.abandonment, abandonment, Unit::Share),
            line("occupancy", "occupancy", &of.occupancy, occupancy, Unit::Share),
            line("ewt_told", "EWT told", &of.told, None, Unit::Share),
            line("ewt_right", "EWT right", &of.told_right, None, Unit::Share),
            line("ewt_error_s", "EWT error", &of.told_error_s, None, Unit::Seconds),
        ]
    }

    /// A recording is played several times; these are the calls of one of them, on average.
    fn calls(&self) -> [(&'static str, f64); 4] {
        let runs = match self.scenario.calls {
            Calls::Random(_) => 1.0,
            Calls::Recorded(_) => f64::from(REPLAYS),
        };
        let Outcome { offered, handled, abandoned, overflowed, .. } = *self.outcome;
        [("offered", offered), ("handled", handled), ("abandoned", abandoned), ("overflowed", overflowed)]
            .map(|(name, calls)| (name, calls as f64 / runs))
    }

    pub fn as_json(&self) -> String {
        let beside = self.beside();
        let key = match beside {
            Beside::Theory(_) => "theory",
            Beside::Recorded(_) => "recorded",
        };
        let figure = |line: &Line<'_>| {
            let Estimate { value, half_width, batches_too_short } = *line.estimate;
            let mut figure = json!({
                "value": value,
                "low": half_width.map(|half| value - half),
                "high": half_width.map(|half| value + half),
                "half_width": half_width,
                "batches_too_short": batches_too_short,
                // Infinite is null.
                key: line.beside,
            });
            if let (Beside::Theory(_), Some(theory)) = (&beside, line.beside) {
                figure["theory_inside"] = json!(half_width.map(|_| line.estimate.holds(theory)));
            }
            (line.name.to_owned(), figure)
        };
        let figures: serde_json::Map<String, Value> = self.lines(&beside).iter().map(figure).collect();
        let Scenario { queue, agents, calls, seed } = self.scenario;
        let mut whole = json!({
            "queue": queue.id,
            "agents": agents,
            "aht_s": calls.aht(),
            "patience_s": calls.patience(),
            "calls_per_hour": calls.rate() * 3_600.0,
            "load_erlangs": calls.rate() * calls.aht(),
            "answer_within_s": self.within(),
            "seed": seed,
            "model": self.model(),
            "confidence": 0.99,
            "figures": figures,
        });
        for (name, calls) in self.calls() {
            whole[name] = json!(calls);
        }
        match &beside {
            Beside::Theory(_) => whole["days"] = json!(self.days),
            Beside::Recorded(was) => {
                whole["replays"] = json!(REPLAYS);
                whole["recorded"] = json!(was);
            }
        }
        format!("{whole}\n")
    }

    pub fn as_text(&self) -> String {
        let mut out = self.heading();
        for (name, calls) in self.calls() {
            if calls > 0.0 || name != "overflowed" {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{name:<22}{calls:>11.0}");
            }
        }
        let beside = self.beside();
        let theory = matches!(beside, Beside::Theory(_));
        let _ = writeln!(out, "\n{:<22}{:>11}{:>14}{:>12}", "", "simulated", "99 % ±", self.model());
        let (mut outside, mut short) = (false, false);
        for Line { title, estimate, beside, unit, .. } in self.lines(&beside) {
            let half_width = estimate.half_width.map_or_else(|| "unknown".to_owned(), |half| shown(half, unit));
            let known = beside.filter(|_| theory && estimate.half_width.is_some());
            let misses = known.is_some_and(|theory| !estimate.holds(theory));
            let beside = beside.map(|value| shown(value, unit)).unwrap_or_default();
            let mark = if misses { "  outside" } else { "" };
            let line = format!("{title:<22}{:>11}{half_width:>14}{beside:>12}{mark}", shown(estimate.value, unit));
            let _ = writeln!(out, "{}", line.trim_end());
            (outside, short) = (outside || misses, short || estimate.batches_too_short);
        }
        for note in self.notes(outside, short) {
            let _ = writeln!(out, "\nnote: {note}");
        }
        out
    }

    fn heading(&self) -> String {
        let Scenario { queue, agents, calls, seed } = self.scenario;
        let patience = match calls.patience() {
            None => "nobody gives up".to_owned(),
            Some(mean) => format!("patience {} s", (mean * 10.0).round() / 10.0),
        };
        let length = match calls {
            Calls::Random(_) => format!("{} days", self.days),
            Calls::Recorded(recording) => {
                let hours = recording.length().as_secs_f64() / 3_600.0;
                format!("{} recorded calls of {hours:.1} h, {REPLAYS} times", recording.calls())
            }
        };
        format!(
            "queue {}, {agents} agents; {:.1} calls/h, AHT {} s, {:.2} erlangs; {patience}; {length}, seed {seed}\n\n",
            queue.id,
            calls.rate() * 3_600.0,
            (calls.aht() * 10.0).round() / 10.0,
            calls.rate() * calls.aht(),
        )
    }

    /// Why simulation and what stands beside it may differ.
    fn notes(&self, outside: bool, short: bool) -> Vec<&'static str> {
        let (varies, one_day) = match &self.scenario.calls {
            Calls::Random(calls) => (outside && calls.profile.varies(), calls.periods == 1),
            Calls::Recorded(_) => (false, false),
        };
        let random = matches!(self.scenario.calls, Calls::Random(_));
        [
            (short, "neighbouring batches are alike, so the true intervals are wider; give more --days"),
            (
                random && self.outcome.overflowed > 0,
                "the queue's max_waiting turned calls away, which theory knows nothing of",
            ),
            (
                varies,
                "theory takes each interval as if it went on for ever; the simulation carries its line over into the next",
            ),
            (one_day, "one day tells no spread; give more --days for intervals"),
            (
                !random,
                "simulated agents answer at once and are there all the time; recorded waits have the ringing in them",
            ),
        ]
        .into_iter()
        .filter_map(|(holds, note)| holds.then_some(note))
        .collect()
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::Seconds if value.is_infinite() => "no end".to_owned(),
        Unit::Seconds => format!("{value:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::QueueId;
    use crate::settings;
    use crate::staffing::{Profile, RandomCalls, RecordedCall, RecordedEnd, Recording, run};
    use crate::time::Instant;

    fn scenario(calls: Calls) -> Scenario {
        let queue = settings::Queue {
            id: QueueId::from("sales"),
            ring_timeout: Duration::from_secs(15),
            wrap_up: Duration::from_secs(5),
            max_no_answer: 2,
            answer_within: Duration::from_secs(20),
            retry_delay: Duration::from_secs(10),
            music: "music/default".to_owned(),
            announce_position: Duration::from_secs(30),
            max_waiting: None,
            callback: settings::CallbackRules::default(),
        };
        Scenario { queue, agents: 6, calls, seed: 1 }
    }

    fn told(scenario: &Scenario) -> (String, Value) {
        let outcome = run(scenario, &mut |_| {}).unwrap();
        let report = Report { days: 5, scenario, outcome: &outcome };
        (report.as_text(), serde_json::from_str(&report.as_json()).unwrap())
    }

    fn line<'t>(text: &'t str, name: &str) -> &'t str {
        text.lines().rfind(|line| line.starts_with(name)).unwrap_or_default()
    }

    #[test]
    fn text_and_json_tell_the_same_run() {
        let profile = Profile::new(3_600.0, vec![60.0]).unwrap();
        let period = Duration::from_secs(4 * 3_600);
        let calls = RandomCalls { profile, aht: 240.0, patience: Some(90.0), periods: 30, period };
        let (text, json) = told(&scenario(Calls::Random(calls)));
        let figure = |name: &str, what: &str| json["figures"][name][what].as_f64().unwrap();
        assert!(line(&text, "occupancy").contains(&shown(figure("occupancy", "value"), Unit::Share)), "{text}");
        assert!(line(&text, "ASA").contains(&shown(figure("asa_s", "theory"), Unit::Seconds)), "{text}");
        assert!(
            line(&text, "EWT error").contains(&shown(figure("ewt_error_s", "half_width"), Unit::Seconds)),
            "{text}"
        );
        assert!(line(&text, "offered").ends_with(&format!(" {:.0}", json["offered"].as_f64().unwrap())), "{text}");
        assert!(text.contains("Erlang A") && json["model"] == "Erlang A" && json["days"] == 5);
    }

    #[test]
    fn a_replay_stands_beside_what_was_recorded() {
        let call = |nth: u64| RecordedCall {
            entered: Instant(0) + Duration::from_secs(30 * nth),
            waited: Duration::from_secs(25),
            end: if nth % 10 == 9 { RecordedEnd::Abandoned } else { RecordedEnd::Handled(Duration::from_secs(120)) },
        };
        let (text, json) = told(&scenario(Calls::Recorded(Recording::new((0..200).map(call).collect()).unwrap())));
        assert!(line(&text, "abandoned").ends_with("10.00 %"), "{text}");
        assert!(line(&text, "ASA").ends_with("25.00 s"), "{text}");
        assert!(text.contains("200 recorded calls of 1.7 h, 30 times"), "{text}");
        assert_eq!((&json["recorded"]["offered"], &json["offered"]), (&json!(200), &json!(200.0)));
        assert_eq!(json["figures"]["service_level"]["recorded"], 0.0);
        assert!(json["figures"]["service_level"].get("theory_inside").is_none());
    }
}
