//! Views and records to publish.

use crate::ids::{AgentId, CallId, LegId, QueueId, TrunkId};
use crate::record::{CallRecord, Outcome, Party};
use crate::time::Wall;
use crate::views::{AgentState, AgentView, CallState, CallView, LegView, QueueView};

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
        call_id: None,
        reachable: true,
        handled: 3,
    }
}

pub fn queue(id: &str) -> QueueView {
    QueueView {
        id: QueueId::from(id),
        waiting: 2,
        callbacks: 0,
        longest_waiting_since: Some(at()),
        agents_available: 1,
        agents_logged_in: 2,
        offered: 10,
        handled: 7,
        abandoned: 1,
        overflowed: 0,
    }
}

/// A caller (leg 1) in talk with agent 201 (leg 2).
pub fn call(id: u128) -> CallView {
    let leg = |leg, role, address: &str| LegView { leg_id: LegId(leg), role, address: address.into(), on_hold: false };
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
        position: None,
        agent: Some(AgentId::from("201")),
        legs: vec![
            leg(1, Party::Caller, "sip:33155501@127.0.0.2:5070"),
            leg(2, Party::Agent, "sip:201@127.0.0.3:5080"),
        ],
    }
}

pub fn record(call: &CallView) -> CallRecord {
    CallRecord {
        call_id: call.call_id,
        trunk: call.trunk.clone(),
        from: call.from.clone(),
        to: call.to.clone(),
        started_at: call.started_at,
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
        acw_ms: None,
        transfers: 0,
        recording: None,
        path: Vec::new(),
        legs: Vec::new(),
    }
}
