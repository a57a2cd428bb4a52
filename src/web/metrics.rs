//! Every figure the appliance gives to Prometheus: one table of names, units and descriptions.

use std::collections::BTreeMap;
use std::fmt::Write;

use metrics::{Counter, Gauge, Histogram, Unit};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::live::Views;
use crate::record::Outcome;
use crate::report::{FIGURES, Sums, Unit as Of, Value};
use crate::views::AgentState;

pub const CALLS_OFFERED: &str = "relais_calls_offered_total";
pub const CALLS_ANSWERED: &str = "relais_calls_answered_total";
/// Label `outcome`.
pub const CALLS_ENDED: &str = "relais_calls_ended_total";
pub const SIP_RECEIVED: &str = "relais_sip_messages_received_total";
pub const SIP_SENT: &str = "relais_sip_messages_sent_total";
pub const SIP_MALFORMED: &str = "relais_sip_messages_malformed_total";
pub const SIP_DROPPED: &str = "relais_sip_messages_dropped_total";
pub const SIP_INSECURE: &str = "relais_sip_tls_failed_total";
pub const WEB_INSECURE: &str = "relais_web_tls_failed_total";
pub const RTP_RECEIVED: &str = "relais_rtp_packets_received_total";
pub const RTP_SENT: &str = "relais_rtp_packets_sent_total";
pub const RTP_STRANGERS: &str = "relais_rtp_strangers_dropped_total";
pub const RTP_NOT_AUTHENTIC: &str = "relais_rtp_not_authentic_total";
pub const RTP_PORTS_FREE: &str = "relais_rtp_ports_free";
pub const RECORDINGS: &str = "relais_recordings_active";
pub const RECORDINGS_FAILED: &str = "relais_recordings_failed_total";
pub const RECORDING_DROPPED: &str = "relais_recording_pieces_dropped_total";
pub const RECORDS_WRITTEN: &str = "relais_records_written_total";
pub const RECORDS_WAITING: &str = "relais_records_waiting";
pub const RECORDS_MEMORY: &str = "relais_records_memory_bytes";
pub const RECORDS_LOST: &str = "relais_records_lost_total";
pub const DATABASE_FAILURES: &str = "relais_database_failures_total";
pub const TODAY_MISSED: &str = "relais_today_facts_missed_total";
pub const RELOADS_TAKEN: &str = "relais_reloads_taken_total";
pub const RELOADS_REFUSED: &str = "relais_reloads_refused_total";
pub const FILES_REFUSED: &str = "relais_files_refused";
pub const ENGINE_TURN: &str = "relais_engine_turn_seconds";
pub const ENGINE_WAITING: &str = "relais_engine_inputs_waiting";
pub const ENGINE_REFUSED: &str = "relais_engine_inputs_refused_total";

/// Labels `service`, `result`: `ok`, `not_found`, `timed_out`, `failed`, `busy`.
pub const LOOKUPS: &str = "relais_lookups_total";
/// Label `service`.
pub const LOOKUPS_CACHED: &str = "relais_lookups_cached_total";
/// Label `service`.
pub const LOOKUP_TIME: &str = "relais_lookup_seconds";
/// Labels `service`, `result`: `delivered`, `failed` (one attempt), `dropped`.
pub const WEBHOOKS: &str = "relais_webhooks_total";
pub const WEBHOOKS_WAITING: &str = "relais_webhooks_waiting";
/// Label `result`: `ok`, `timed_out`, `failed`, `busy`.
pub const HISTORY: &str = "relais_history_total";
pub const HISTORY_TIME: &str = "relais_history_seconds";
/// Label `reason`: the name of a `SpeechFailure`.
pub const SPEECH_REFUSED: &str = "relais_speech_streams_refused_total";
/// Label `reason`: the name of a `SpeechFailure`.
pub const SPEECH_FAILED: &str = "relais_speech_streams_failed_total";
/// Label `engine`.
pub const SPEECH_WORKERS_FAILED: &str = "relais_speech_workers_failed_total";
/// Label `engine`.
pub const SPEECH_TIME: &str = "relais_speech_answer_seconds";

/// Upper bounds in seconds of what is asked outside.
const OUTSIDE_BUCKETS: &[f64] = &[1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Upper bounds in seconds: a turn of the engine takes microseconds; a millisecond is slow, 20 ms are heard.
const TURN_BUCKETS: &[f64] = &[5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 1.0];

const COUNTERS: &[(&str, &str)] = &[
    (CALLS_OFFERED, "Calls that came in and were let in."),
    (CALLS_ANSWERED, "Calls answered by the appliance."),
    (CALLS_ENDED, "Calls that are over, by the outcome of their record."),
    (SIP_RECEIVED, "SIP messages received, whatever became of them."),
    (SIP_SENT, "SIP messages sent, retransmissions included."),
    (SIP_MALFORMED, "SIP messages received that were no valid messages."),
    (SIP_DROPPED, "SIP messages not handled because a queue was full or a limit reached."),
    (SIP_INSECURE, "Connections for SIP over TLS that failed at the hand-shake."),
    (WEB_INSECURE, "Connections for HTTPS that failed at the hand-shake."),
    (RTP_RECEIVED, "RTP packets accepted."),
    (RTP_SENT, "RTP packets sent."),
    (RTP_STRANGERS, "RTP packets dropped because their source was not the negotiated one."),
    (RTP_NOT_AUTHENTIC, "SRTP packets dropped because they were altered, sent before or by somebody without the keys."),
    (RECORDINGS_FAILED, "Recordings that could not be begun or not be written to their end; should be 0."),
    (RECORDING_DROPPED, "Pieces of 20 ms that are missing in recordings because the disk is too slow; should be 0."),
    (RECORDS_WRITTEN, "Entries of call records written to the database."),
    (RECORDS_LOST, "Entries of call records that fitted neither spool nor memory; should be 0."),
    (DATABASE_FAILURES, "Attempts to write to the database that failed."),
    (TODAY_MISSED, "Calls and changes of agents that are missing in the figures of today; should be 0."),
    (RELOADS_TAKEN, "Times the configuration was taken anew."),
    (RELOADS_REFUSED, "Times the configuration was read anew and refused."),
    (ENGINE_REFUSED, "Requests refused because the engine had too much to do."),
];

/// Those that appear when the first is counted.
const LABELLED: &[(&str, &str)] = &[
    (LOOKUPS, "Look-ups of HTTP services by plans, by their result."),
    (LOOKUPS_CACHED, "Look-ups that a kept answer served."),
    (WEBHOOKS, "Events told to HTTP services: delivered, attempts that failed, dropped ones."),
    (HISTORY, "Questions for the history of a caller, by their result."),
    (SPEECH_REFUSED, "Conversations that got no recognition, by the reason."),
    (SPEECH_FAILED, "Streams of recognition that ended before their conversation, by the reason."),
    (SPEECH_WORKERS_FAILED, "Times an engine of recognition was lost or could not be started."),
];

const GAUGES: &[(&str, Option<Unit>, &str)] = &[
    (RTP_PORTS_FREE, None, "Bound RTP ports in stock; at 0 new calls get 503."),
    (RECORDINGS, None, "Recordings that are being written."),
    (RECORDS_WAITING, None, "Entries of call records that the database has not taken yet."),
    (RECORDS_MEMORY, Some(Unit::Bytes), "Of those, held in memory because the spool is full; should be 0."),
    (FILES_REFUSED, None, "1 while the files were refused and an earlier configuration runs; should be 0."),
    (ENGINE_WAITING, None, "Inputs that wait for the engine."),
    (WEBHOOKS_WAITING, None, "Events that no HTTP service has taken yet."),
];

/// Makes the recorder of this process and describes every figure. Call once, before anything is counted.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let full = |name: &str| Matcher::Full(name.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(full(ENGINE_TURN), TURN_BUCKETS)?
        .set_buckets_for_metric(full(LOOKUP_TIME), OUTSIDE_BUCKETS)?
        .set_buckets_for_metric(full(HISTORY_TIME), OUTSIDE_BUCKETS)?
        .set_buckets_for_metric(full(SPEECH_TIME), OUTSIDE_BUCKETS)
}

fn describe() {
    for (name, text) in COUNTERS.iter().chain(LABELLED) {
        metrics::describe_counter!(*name, *text);
    }
    for (name, unit, text) in GAUGES {
        match unit {
            Some(unit) => metrics::describe_gauge!(*name, *unit, *text),
            None => metrics::describe_gauge!(*name, *text),
        }
    }
    metrics::describe_histogram!(LOOKUP_TIME, Unit::Seconds, "Time until an HTTP service answered a look-up.");
    metrics::describe_histogram!(HISTORY_TIME, Unit::Seconds, "Time until the history of a caller was there.");
    metrics::describe_histogram!(ENGINE_TURN, Unit::Seconds, "Time one input took in the engine, commands included.");
}

/// Handles for what the server's threads count: adding to one is an atomic addition, no look-up. Made once by
/// `register`, which also makes every figure appear from the start with 0.
#[derive(Clone)]
pub struct Meters {
    pub sip_received: Counter,
    pub sip_sent: Counter,
    pub sip_malformed: Counter,
    pub sip_dropped: Counter,
    pub sip_insecure: Counter,
    pub rtp_received: Counter,
    pub rtp_sent: Counter,
    pub rtp_strangers: Counter,
    pub rtp_not_authentic: Counter,
    pub rtp_ports_free: Gauge,
    pub recordings: Gauge,
    pub recordings_failed: Counter,
    pub recording_dropped: Counter,
    pub records_written: Counter,
    pub records_waiting: Gauge,
    /// Bytes.
    pub records_memory: Gauge,
    pub records_lost: Counter,
    pub database_failures: Counter,
    pub reloads_taken: Counter,
    pub reloads_refused: Counter,
    pub files_refused: Gauge,
    /// Seconds.
    pub engine_turn: Histogram,
    pub engine_waiting: Gauge,
    pub engine_refused: Counter,
}

impl Meters {
    pub fn register() -> Meters {
        gauge(WEBHOOKS_WAITING).set(0.0);
        counter(TODAY_MISSED).increment(0);
        counter(WEB_INSECURE).increment(0);
        Meters {
            sip_received: counter(SIP_RECEIVED),
            sip_sent: counter(SIP_SENT),
            sip_malformed: counter(SIP_MALFORMED),
            sip_dropped: counter(SIP_DROPPED),
            sip_insecure: counter(SIP_INSECURE),
            rtp_received: counter(RTP_RECEIVED),
            rtp_sent: counter(RTP_SENT),
            rtp_strangers: counter(RTP_STRANGERS),
            rtp_not_authentic: counter(RTP_NOT_AUTHENTIC),
            rtp_ports_free: gauge(RTP_PORTS_FREE),
            recordings: gauge(RECORDINGS),
            recordings_failed: counter(RECORDINGS_FAILED),
            recording_dropped: counter(RECORDING_DROPPED),
            records_written: counter(RECORDS_WRITTEN),
            records_waiting: gauge(RECORDS_WAITING),
            records_memory: gauge(RECORDS_MEMORY),
            records_lost: counter(RECORDS_LOST),
            database_failures: counter(DATABASE_FAILURES),
            reloads_taken: counter(RELOADS_TAKEN),
            reloads_refused: counter(RELOADS_REFUSED),
            files_refused: gauge(FILES_REFUSED),
            engine_turn: metrics::histogram!(ENGINE_TURN),
            engine_waiting: gauge(ENGINE_WAITING),
            engine_refused: counter(ENGINE_REFUSED),
        }
    }
}

fn counter(name: &'static str) -> Counter {
    let counter = metrics::counter!(name);
    counter.increment(0);
    counter
}

fn gauge(name: &'static str) -> Gauge {
    let gauge = metrics::gauge!(name);
    gauge.set(0.0);
    gauge
}

/// What `Views` counts as calls come, are answered and end.
pub(super) struct CallCounters {
    pub offered: Counter,
    pub answered: Counter,
    ended: [Counter; OUTCOMES.len()],
}

const OUTCOMES: [(Option<Outcome>, &str); 9] = [
    (Some(Outcome::Handled), "handled"),
    (Some(Outcome::Abandoned), "abandoned"),
    (Some(Outcome::Deterred), "deterred"),
    (Some(Outcome::Overflowed), "overflowed"),
    (Some(Outcome::Callback), "callback"),
    (Some(Outcome::Voicemail), "voicemail"),
    (Some(Outcome::SelfService), "self_service"),
    (Some(Outcome::Failed), "failed"),
    (None, "unknown"),
];

impl CallCounters {
    pub fn register() -> CallCounters {
        let ended = OUTCOMES.map(|(_, name)| {
            let counter = metrics::counter!(CALLS_ENDED, "outcome" => name);
            counter.increment(0);
            counter
        });
        CallCounters { offered: counter(CALLS_OFFERED), answered: counter(CALLS_ANSWERED), ended }
    }

    pub fn ended(&self, outcome: Option<Outcome>) {
        let place = OUTCOMES.iter().position(|(known, _)| *known == outcome);
        if let Some(counter) = place.and_then(|place| self.ended.get(place)) {
            counter.increment(1);
        }
    }
}

const STATES: [(AgentState, &str); 9] = [
    (AgentState::LoggedOut, "logged_out"),
    (AgentState::Available, "available"),
    (AgentState::Reserved, "reserved"),
    (AgentState::Ringing, "ringing"),
    (AgentState::Talking, "talking"),
    (AgentState::Holding, "holding"),
    (AgentState::WrapUp, "wrap_up"),
    (AgentState::Paused, "paused"),
    (AgentState::NotResponding, "not_responding"),
];

/// The whole page: what was counted, and the live figures, which are read now and so can never drift.
pub(super) fn page(handle: &PrometheusHandle, views: &Views, today: &BTreeMap<String, Sums>) -> String {
    let mut page = handle.render();
    let mut figure = |name: &str, text: &str, rows: &mut dyn Iterator<Item = (String, usize)>| {
        let _ = writeln!(page, "# HELP {name} {text}\n# TYPE {name} gauge");
        for (labels, value) in rows {
            let _ = writeln!(page, "{name}{labels} {value}");
        }
    };
    let mut calls = std::iter::once((String::new(), views.calls_active()));
    figure("relais_calls_active", "Calls that are up.", &mut calls);
    let agents = views.agents();
    let mut states = STATES.iter().map(|(state, name)| {
        (format!("{{state=\"{name}\"}}"), agents.iter().filter(|agent| agent.state == *state).count())
    });
    figure("relais_agents", "Agents, by state.", &mut states);
    let queues = views.queues();
    let labels = |queue: &str| format!("{{queue=\"{}\"}}", escaped(queue));
    let mut waiting = queues.iter().map(|queue| (labels(queue.id.as_str()), queue.waiting as usize));
    figure("relais_queue_waiting", "Callers that wait in a queue.", &mut waiting);
    let mut free = queues.iter().map(|queue| (labels(queue.id.as_str()), queue.agents_available as usize));
    figure("relais_queue_agents_available", "Agents of a queue that could take a call now.", &mut free);
    figures_of_today(&mut page, today);
    page
}

/// The figures of `/reports`, since midnight where the centre is; what is not known has no line.
fn figures_of_today(page: &mut String, today: &BTreeMap<String, Sums>) {
    for figure in FIGURES {
        let name = match figure.unit {
            Of::Count => format!("relais_queue_today_{}", figure.name),
            Of::Time => format!("relais_queue_today_{}_seconds", figure.name.trim_end_matches("_ms")),
            Of::Share => format!("relais_queue_today_{}_ratio", figure.name),
        };
        let (english, formula) = (figure.english, figure.formula);
        let _ = writeln!(page, "# HELP {name} Today, {english}: {formula}.\n# TYPE {name} gauge");
        for (queue, sums) in today {
            let value = match figure.value(sums) {
                Some(Value::Whole(ms)) if figure.unit == Of::Time => ms as f64 / 1e3,
                Some(Value::Whole(count)) => count as f64,
                Some(Value::Share(share)) => share,
                None => continue,
            };
            let _ = writeln!(page, "{name}{{queue=\"{}\"}} {value}", escaped(queue));
        }
    }
}

/// A label's value as the text format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::live::EVENTS_KEPT;
    use super::super::tests::sample;
    use super::*;
    use crate::views::Change;

    #[test]
    fn the_page_shows_what_was_counted_and_what_is_live() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        let (views, meters) = metrics::with_local_recorder(&recorder, || {
            describe();
            (Views::new(sample::at(), EVENTS_KEPT), Meters::register())
        });
        let call = sample::call(1);
        views.publish(Change::Call(Box::new(call.clone())), sample::at());
        views.publish(Change::Call(Box::new(call)), sample::at());
        let over = sample::call(2);
        views.publish(Change::Call(Box::new(over.clone())), sample::at());
        views.publish(Change::Ended(Box::new(sample::record(&over))), sample::at());
        views.publish(Change::Agent(sample::agent("201")), sample::at());
        views.publish(Change::Queue(sample::queue("a\"b\\")), sample::at());
        meters.sip_malformed.increment(3);
        meters.engine_turn.record(3e-5);
        let today =
            BTreeMap::from([("sales".to_owned(), Sums { answered: 4, answered_in_time: 3, ..Sums::default() })]);
        let page = page(&handle, &views, &today);
        for line in [
            "relais_calls_offered_total 2",
            "relais_calls_answered_total 2",
            "relais_calls_ended_total{outcome=\"handled\"} 1",
            "relais_calls_ended_total{outcome=\"failed\"} 0",
            "relais_calls_active 1",
            "relais_agents{state=\"available\"} 1",
            "relais_agents{state=\"talking\"} 0",
            "relais_queue_waiting{queue=\"a\\\"b\\\\\"} 2",
            "relais_sip_messages_malformed_total 3",
            "relais_engine_turn_seconds_bucket{le=\"0.00005\"} 1",
            "relais_engine_turn_seconds_bucket{le=\"0.00002\"} 0",
            "# TYPE relais_records_waiting gauge",
            "relais_queue_today_service_level_ratio{queue=\"sales\"} 0.75",
            "relais_queue_today_asa_seconds{queue=\"sales\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "'{line}' is missing in\n{page}");
        }
    }

    #[test]
    fn every_figure_has_a_description_and_a_name_by_the_rules() {
        let recorder = builder().unwrap().build_recorder();
        let page = metrics::with_local_recorder(&recorder, || {
            describe();
            let _meters = Meters::register();
            page(&recorder.handle(), &Views::new(sample::at(), 1), &BTreeMap::new())
        });
        let mut names = 0;
        for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            assert!(page.contains(&format!("# HELP {name} ")), "{name} has no description");
            assert!(name.starts_with("relais_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            names += 1;
        }
        assert!(names >= COUNTERS.len() + GAUGES.len(), "{names} figures");
    }
}
