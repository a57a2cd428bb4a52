//! The figures of a run, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ids::QueueId;
use crate::staffing::{AsRecorded, Calls, Estimate, Outcome, Performance, Played, REPLAYS, Scenario};

pub struct Report<'r> {
    pub days: u32,
    pub scenario: &'r Scenario,
    pub played: &'r Played,
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
    /// The time within which an answer is in time; `None` where the queues differ.
    fn within(&self) -> Option<f64> {
        let mut within = self.scenario.queues.iter().map(|queue| queue.answer_within.as_secs_f64());
        let first = within.next()?;
        within.all(|other| other == first).then_some(first)
    }

    fn beside(&self) -> Beside {
        match &self.scenario.calls {
            Calls::Random(calls) => {
                let agents = u32::try_from(self.scenario.agents.len()).unwrap_or(u32::MAX);
                Beside::Theory(calls.theory(agents, self.within().unwrap_or_default()))
            }
            Calls::Recorded(_) => Beside::Recorded(self.recorded(None)),
        }
    }

    /// What was recorded of all queues, or of one.
    fn recorded(&self, of: Option<usize>) -> AsRecorded {
        let Calls::Recorded(recording) = &self.scenario.calls else { return AsRecorded::default() };
        let queues = &self.scenario.queues;
        let wanted = |queue: usize| of.is_none_or(|of| of == queue);
        recording.as_recorded(|nth| queues.get(nth).filter(|_| wanted(nth)).map(|queue| queue.answer_within))
    }

    /// The queues, where there are several.
    fn queues(&self) -> impl Iterator<Item = (&QueueId, &Outcome, AsRecorded)> {
        let several = self.played.queues.len() > 1;
        let queues = self.scenario.queues.iter().zip(&self.played.queues).enumerate();
        queues.filter(move |_| several).map(|(nth, (queue, outcome))| (&queue.id, outcome, self.recorded(Some(nth))))
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
        let of = &self.played.whole;
        let within = self.within().map(|within| format!(" ({within} s)")).unwrap_or_default();
        let within = format!("service level{within}");
        let line =
            |name, title: &str, estimate, beside, unit| Line { name, title: title.to_owned(), estimate, beside, unit };
        [
            line("service_level", &within, &of.service_level, service_level, Unit::Share),
            line("asa_s", "ASA", &of.asa_s, asa, Unit::Seconds),
            line("wait_probability", "waits", &of.wait_probability, waits, Unit::Share),
            line("abandonment", "abandoned", &of.abandonment, abandonment, Unit::Share),
            line("occupancy", "occupancy", &of.occupancy, occupancy, Unit::Share),
            line("ewt_told", "EWT told", &of.ewt_told, None, Unit::Share),
            line("ewt_right", "EWT right", &of.ewt_right, None, Unit::Share),
            line("ewt_error_s", "EWT error", &of.ewt_error_s, None, Unit::Seconds),
        ]
    }

    /// A recording is played several times; these are the calls of one of them, on average.
    fn calls(&self, of: &Outcome) -> [(&'static str, f64); 4] {
        let runs = match self.scenario.calls {
            Calls::Random(_) => 1.0,
            Calls::Recorded(_) => f64::from(REPLAYS),
        };
        let Outcome { offered, handled, abandoned, overflowed, .. } = *of;
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
        let Scenario { queues, agents, calls, seed } = self.scenario;
        let names: Vec<&QueueId> = queues.iter().map(|queue| &queue.id).collect();
        let mut whole = json!({
            "queues": names,
            "agents": agents.len(),
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
        for (name, calls) in self.calls(&self.played.whole) {
            whole[name] = json!(calls);
        }
        match &beside {
            Beside::Theory(_) => whole["days"] = json!(self.days),
            Beside::Recorded(was) => {
                whole["replays"] = json!(REPLAYS);
                whole["recorded"] = json!(was);
                whole["by_queue"] =
                    self.queues().map(|(id, outcome, was)| self.queue_json(id, outcome, &was)).collect();
            }
        }
        format!("{whole}\n")
    }

    fn queue_json(&self, id: &QueueId, outcome: &Outcome, was: &AsRecorded) -> Value {
        let mut simulated = json!(outcome);
        for (name, calls) in self.calls(outcome) {
            simulated[name] = json!(calls);
        }
        // Agents are those of all queues.
        simulated.as_object_mut().map(|figures| figures.remove("occupancy"));
        json!({ "queue": id, "simulated": simulated, "recorded": was })
    }

    pub fn as_text(&self) -> String {
        let mut out = self.heading();
        for (name, calls) in self.calls(&self.played.whole) {
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
        self.write_queues(&mut out);
        for note in self.notes(outside, short) {
            let _ = writeln!(out, "\nnote: {note}");
        }
        out
    }

    /// A line each, where there are several; recorded figures in brackets.
    fn write_queues(&self, out: &mut String) {
        for (nth, (id, outcome, was)) in self.queues().enumerate() {
            if nth == 0 {
                let _ = writeln!(
                    out,
                    "\n{:<16}{:>8}{:>32}{:>32}{:>32}",
                    "queue", "offered", "service level ± (recorded)", "ASA ± (recorded)", "abandoned ± (recorded)"
                );
            }
            let cell = |estimate: &Estimate, was: f64, unit| {
                let half_width = estimate.half_width.map_or_else(|| "unknown".to_owned(), |half| shown(half, unit));
                format!("{} ± {half_width} ({})", shown(estimate.value, unit), shown(was, unit))
            };
            let _ = writeln!(
                out,
                "{:<16}{:>8}{:>32}{:>32}{:>32}",
                id.as_str(),
                was.offered,
                cell(&outcome.service_level, was.service_level, Unit::Share),
                cell(&outcome.asa_s, was.asa_s, Unit::Seconds),
                cell(&outcome.abandonment, was.abandonment, Unit::Share),
            );
        }
    }

    fn heading(&self) -> String {
        let Scenario { queues, agents, calls, seed } = self.scenario;
        let names: Vec<&str> = queues.iter().map(|queue| queue.id.as_str()).collect();
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
            "queue {}, {} agents; {:.1} calls/h, AHT {} s, {:.2} erlangs; {patience}; {length}, seed {seed}\n\n",
            names.join(", "),
            agents.len(),
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
                random && self.played.whole.overflowed > 0,
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
    use crate::demand::Demand;
    use crate::settings;
    use crate::staffing::{Kind, Profile, RandomCalls, RecordedCall, RecordedEnd, Recording, run};
    use crate::time::Instant;

    fn queue() -> settings::Queue {
        settings::Queue {
            ring_timeout: Duration::from_secs(15),
            wrap_up: Duration::from_secs(5),
            ..settings::Queue::new("sales".into())
        }
    }

    fn scenario(calls: Calls) -> Scenario {
        Scenario::alike(queue(), 6, calls, 1)
    }

    fn told(scenario: &Scenario) -> (String, Value) {
        let played = run(scenario, &mut |_| {}).unwrap();
        let report = Report { days: 5, scenario, played: &played };
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

    /// A call every 30 s, to these queues in turn.
    fn recorded(queues: &[usize]) -> Recording {
        let call = |nth: usize| RecordedCall {
            kind: Kind { queue: queues[nth % queues.len()], demand: Demand::default() },
            entered: Instant(0) + Duration::from_secs(30 * nth as u64),
            waited: Duration::from_secs(25),
            end: if nth % 10 == 9 { RecordedEnd::Abandoned } else { RecordedEnd::Handled(Duration::from_secs(120)) },
        };
        Recording::new((0..200).map(call).collect()).unwrap()
    }

    #[test]
    fn several_queues_are_told_one_by_one() {
        let mut scenario = scenario(Calls::Recorded(recorded(&[0, 1])));
        let support = settings::Queue { id: "support".into(), answer_within: Duration::from_secs(30), ..queue() };
        scenario.queues.push(support);
        scenario.agents.iter_mut().for_each(|agent| agent.queues.push("support".into()));
        let (text, json) = told(&scenario);
        assert!(text.starts_with("queue sales, support, 6 agents;"), "{text}");
        assert!(line(&text, "support").contains("(80.00 %)") && line(&text, "sales").contains("(0.00 %)"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("service level  ")), "their targets differ: {text}");
        let of = |nth: usize, what: &str| json["by_queue"][nth][what]["offered"].as_f64().unwrap();
        assert_eq!((of(0, "recorded"), of(1, "simulated")), (100.0, 100.0));
    }

    #[test]
    fn a_replay_stands_beside_what_was_recorded() {
        let (text, json) = told(&scenario(Calls::Recorded(recorded(&[0]))));
        assert!(line(&text, "abandoned").ends_with("10.00 %"), "{text}");
        assert!(line(&text, "ASA").ends_with("25.00 s"), "{text}");
        assert!(text.contains("200 recorded calls of 1.7 h, 30 times"), "{text}");
        assert_eq!((&json["recorded"]["offered"], &json["offered"]), (&json!(200), &json!(200.0)));
        assert_eq!(json["figures"]["service_level"]["recorded"], 0.0);
        assert!(json["figures"]["service_level"].get("theory_inside").is_none());
    }
}
