//! Views and records to publish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bench::Bench;
use crate::findings::{Finding, Severity};
use crate::ids::{AgentId, CallId, LegId, QueueId, RecordingId, TrunkId};
use crate::record::{CallRecord, Outcome, Party, Recording, RecordingKind, RecordingState};
use crate::report::{Query, Report, Tally};
use crate::settings::{User, UserRole};
use crate::time::Wall;
use crate::trace::{LevelTrace, RuleTrace, Trace, Verdict};
use crate::views::{
    AgentState, AgentView, CallState, CallView, CentreView, ExpertSource, ExpertView, LegView, Presence, QueueView,
    ReloadAttempt, ReloadBy, ReloadView,
};
use crate::web::reports::ReportFailure;
use crate::web::{Archive, Archives, Audio, AudioFault, Busy, HungUp, Line, Phones, RecordQuery};

pub fn at() -> Wall {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

pub fn agent(id: &str) -> AgentView {
    AgentView {
        id: AgentId::from(id),
        name: format!("Agent {id}"),
        state: AgentState::Available,
        reason: None,
        since: at(),
        queues: vec![QueueId::from("sales")],
        skills: [("french".into(), 4)].into(),
        schedules: Vec::new(),
        call_id: None,
        reachable: true,
        handled: 3,
    }
}

pub fn expert(id: &str) -> ExpertView {
    ExpertView {
        id: id.into(),
        name: format!("Expert {id}"),
        competence: vec!["tax".to_owned()],
        presence: Presence::Free,
        presence_age_ms: Some(0),
        heard_at: Some(at()),
        since: at(),
        source: Some(ExpertSource::Dialog),
        reachable: Some(true),
        open: true,
    }
}

pub fn queue(id: &str) -> QueueView {
    QueueView {
        id: QueueId::from(id),
        waiting: 2,
        callbacks: 0,
        callbacks_held_back: 0,
        longest_waiting_since: Some(at()),
        agents_available: 1,
        agents_logged_in: 2,
        agents_off_schedule: 0,
        occupancy: None,
        occupancy_band: None,
        offered: 10,
        handled: 7,
        abandoned: 1,
        overflowed: 0,
    }
}

/// A caller (leg 1) in talk with agent 201 (leg 2).
pub fn call(id: u128) -> CallView {
    let leg = |leg, role, address: &str| LegView {
        leg_id: LegId(leg),
        role,
        address: address.into(),
        on_hold: false,
        muted: false,
    };
    CallView {
        call_id: CallId(id),
        state: CallState::Talking,
        trunk: Some(TrunkId::from("demo")),
        outgoing: false,
        from: "33155501".into(),
        to: "610".into(),
        started_at: at(),
        answered_at: Some(at()),
        queue: Some(QueueId::from("sales")),
        waiting_since: Some(at()),
        wait_ms: Some(1_200),
        position: None,
        agent: Some(AgentId::from("201")),
        consult: None,
        recording: None,
        conversations: Vec::new(),
        legs: vec![
            leg(1, Party::Caller, "sip:33155501@127.0.0.2:5070"),
            leg(2, Party::Agent, "sip:201@127.0.0.3:5080"),
        ],
    }
}

pub fn record(call: &CallView) -> CallRecord {
    CallRecord {
        trunk: call.trunk.clone(),
        answered_at: call.answered_at,
        ended_at: Some(at()),
        outcome: Some(Outcome::Handled),
        ended_by: Some(Party::Caller),
        sip_status: Some(200),
        q850: Some(16),
        queue: call.queue.clone(),
        agent: call.agent.clone(),
        wait_ms: Some(1200),
        talk_ms: Some(30_000),
        hold_ms: Some(0),
        ..CallRecord::new(call.call_id, &call.from, &call.to, call.started_at)
    }
}

/// People of the configuration: an agent and a supervisor.
pub fn users() -> Vec<User> {
    let user = |id: &str, role, agent: Option<&str>| User {
        id: id.to_owned(),
        name: format!("Person {id}"),
        role,
        agent: agent.map(AgentId::from),
        language: Some("fr".into()),
        password: format!("demo-{id}"),
    };
    vec![user("201", UserRole::Agent, Some("201")), user("lead", UserRole::Supervisor, None)]
}

/// The one message there is.
pub const RECORDING: RecordingId = RecordingId(0x5000_0000_0000_0000_0000_0000_0001);

/// What stands for its audio.
pub fn audio() -> Vec<u8> {
    (0..200).map(|n| b' ' + n % 90).collect()
}

pub fn message() -> Recording {
    Recording {
        recording_id: RECORDING,
        kind: RecordingKind::Voicemail,
        state: RecordingState::Complete,
        call_id: CallId(1),
        mailbox: Some("support".into()),
        queue: Some("support".into()),
        from: "33155501".into(),
        to: "620".into(),
        started_at: at(),
        duration_ms: Some(5_000),
        voiced_ms: Some(4_000),
        octets: Some(200),
        heard: false,
        held: false,
    }
}

/// An archive with one message.
pub struct Shelf;

impl Archive for Shelf {
    fn voicemails(
        &self,
        mailbox: Option<&str>,
        before: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<Recording>, String> {
        let fits = mailbox.is_none_or(|mailbox| mailbox == "support") && before.is_none_or(|before| RECORDING < before);
        Ok([message()].into_iter().filter(|_| fits).take(limit).collect())
    }

    fn has(&self, recording: RecordingId) -> bool {
        recording == RECORDING
    }

    fn open(&self, recording: RecordingId) -> Result<Audio, AudioFault> {
        let audio = Audio { size: 200, content: Box::new(std::io::Cursor::new(audio())) };
        self.has(recording).then_some(audio).ok_or(AudioFault::Missing)
    }
}

/// An office that has one record, of call 9, and takes every configuration until it is told to refuse.
#[derive(Default)]
pub struct Office {
    pub refuses: AtomicBool,
}

impl crate::web::Office for Office {
    fn record(&self, id: CallId) -> Result<Option<CallRecord>, String> {
        Ok((id == CallId(9)).then(|| CallRecord { trace: trace(), ..record(&call(9)) }))
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<CallRecord>, String> {
        let known = [9, 8].map(|id| record(&call(id)));
        Ok(known.into_iter().filter(|record| query.takes(record)).take(query.limit).collect())
    }

    fn contacts(&self, number: &str, limit: usize) -> Result<Vec<CallRecord>, String> {
        let note = Some("asked for the invoice".to_owned());
        let known = [9, 1].map(|id| CallRecord { note: note.clone(), ..record(&call(id)) });
        Ok(known.into_iter().filter(|record| record.from == number).take(limit).collect())
    }

    fn centre(&self) -> CentreView {
        CentreView {
            domain: "relais.test".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            languages: vec!["en".into()],
            pause_reasons: vec!["lunch".to_owned()],
            dispositions: vec!["sale".to_owned()],
            queues: Vec::new(),
        }
    }

    fn reload(&self) -> Result<ReloadView, Busy> {
        let taken = !self.refuses.load(Ordering::Relaxed);
        let finding = Finding {
            file: "plans/a.toml".into(),
            line: 3,
            column: 1,
            severity: Severity::Error,
            message: "there is no module 'anounce'".into(),
            hint: None,
        };
        let findings = if taken { Vec::new() } else { vec![finding] };
        let last =
            ReloadAttempt { at: at(), by: ReloadBy::Api, taken, took_ms: 4, findings, after_restart: Vec::new() };
        Ok(ReloadView { last: Some(last), ..self.reload_state() })
    }

    fn reload_state(&self) -> ReloadView {
        ReloadView { generation: 1, running_since: at(), last: None }
    }
}

pub fn trace() -> Trace {
    let rule = RuleTrace {
        rule: 1,
        module: "deter".into(),
        when: Some("open == 'closed'".into()),
        verdict: Verdict::True,
        error: None,
        values: [("open".to_owned(), "closed".into())].into(),
    };
    let level = LevelTrace {
        plan: "support".into(),
        level: "route".into(),
        at: at(),
        rules: vec![rule],
        taken: Some(1),
        module: Some("deter".into()),
        inputs: Default::default(),
        outputs: Default::default(),
        result: Some("deterred".into()),
    };
    Trace { levels: vec![level], ..Trace::default() }
}

pub fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("Europe/Paris").unwrap()
}

/// A past with one call, of call 9.
pub struct Past;

impl Archives for Past {
    fn report(&self, query: Query) -> Result<Report, ReportFailure> {
        let until = query.until;
        let mut tally = Tally::new(query)?;
        tally.call(&record(&call(9)))?;
        Ok(tally.finish(until)?)
    }

    fn time_zone(&self) -> jiff::tz::TimeZone {
        zone()
    }
}

/// Gives each frame back; hangs up where it reads `rubbish`.
pub struct Operator {
    /// The server speaks TLS itself.
    pub tls: bool,
}

pub struct Echo;

impl Phones for Operator {
    fn connect(&self, secure: bool, _: SocketAddr, remote: SocketAddr) -> Option<Box<dyn Line>> {
        let proxied = !remote.ip().is_loopback();
        assert_eq!(secure, self.tls || proxied, "the test's proxy speaks for others, and by TLS");
        Some(Box::new(Echo))
    }
}

#[async_trait::async_trait]
impl Line for Echo {
    async fn take(&mut self, frame: &[u8]) -> Result<Option<axum::body::Bytes>, HungUp> {
        if frame == b"rubbish" { Err(HungUp) } else { Ok(Some(frame.to_vec().into())) }
    }

    async fn next(&mut self) -> Option<axum::body::Bytes> {
        std::future::pending().await
    }

    fn due(&self) -> Option<std::time::Instant> {
        None
    }
}

/// The file of the bench's one plan, and its text.
pub const PLAN_FILE: &str = "plans/front.toml";
pub const PLAN: &str = "name = 'front'\nnumbers = ['600']\n[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'hangup'\n";

/// A bench with one plan, below this folder. Its reloads read the files and take them.
pub fn bench(folder: &std::path::Path) -> Arc<Bench> {
    let folder = folder.join("centre");
    std::fs::create_dir_all(folder.join("plans")).unwrap();
    let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts");
    std::fs::write(folder.join("relais.toml"), format!("prompts = '{prompts}'\n")).unwrap();
    std::fs::write(folder.join(PLAN_FILE), PLAN).unwrap();
    Arc::new(Bench::of_files(&folder.join("relais.toml"), &folder))
}
