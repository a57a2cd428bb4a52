//! A hundred callers, one queue, ten agents: every call has exactly one record, and no agent two calls at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::appliance::{Appliance, free_port, project};
use super::sipp::{self, Logged, Sipp};

const CALLERS: u32 = 100;
const AGENTS: u16 = 10;

/// A centre of one queue, dialled by 610, whose agents stand at fixed addresses and never register.
fn centre(folder: &Path, ports: &[u16]) -> PathBuf {
    let root = project().display();
    let mut config = format!(
        "data = \"data\"\nprompts = \"{root}/prompts\"\nlanguages = [\"en\"]\nplans = [\"{root}/deploy/demo/plans/610-sales.toml\"]\n\
         [sip]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomain = \"relais.localhost\"\n\
         [rtp]\naddress = \"127.0.0.1\"\nports = [30000, 31999]\n[web]\nlisten = \"127.0.0.1:8080\"\n\
         [[trunk]]\nid = \"loopback\"\naddresses = [\"127.0.0.0/8\"]\ncodecs = [\"pcmu\"]\n\
         [[queue]]\nid = \"sales\"\nring_timeout_s = 10\nwrap_up_s = 1\nmusic = \"music/default\"\n"
    );
    for (number, port) in (1..).zip(ports) {
        let agent = format!("a{number}");
        let _ = write!(
            config,
            "[[agent]]\nid = \"{agent}\"\nname = \"{agent}\"\ncontact = \"sip:{agent}@127.0.0.1:{port}\"\nqueues = [\"sales\"]\n"
        );
    }
    let path = folder.join("relais.toml");
    fs::write(&path, config).expect("a writable folder");
    path
}

#[test]
fn a_hundred_callers_are_shared_among_ten_agents() {
    if sipp::missing("a_hundred_callers_are_shared_among_ten_agents") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ports: Vec<u16> = (0..AGENTS).map(|_| free_port()).collect();
    let appliance = Appliance::start(&centre(folder.path(), &ports));
    let phones: Vec<_> = (1..)
        .zip(&ports)
        .map(|(number, &port)| {
            let phone = Sipp::new("agent_hangs_up").key("agent", &format!("a{number}")).on_port(port);
            phone.pause(Duration::from_millis(700)).start(&appliance)
        })
        .collect();
    let callers = Sipp::new("patient_caller").key("caller", "331556").dial("610").calls(CALLERS).rate(20, CALLERS);
    callers.start(&appliance).succeeds(Duration::from_secs(120));
    appliance.await_quiet();

    let records = appliance.records();
    let ids: BTreeSet<_> = records.iter().map(|record| record["call_id"].as_str().expect("an id")).collect();
    assert_eq!((records.len(), ids.len()), (CALLERS as usize, CALLERS as usize));
    let from: BTreeSet<_> = records.iter().map(|record| record["from"].as_str().expect("a number")).collect();
    assert_eq!(from.len(), CALLERS as usize, "a record for each caller");
    for record in &records {
        assert_eq!(
            (record["outcome"].as_str(), record["ended_by"].as_str()),
            (Some("handled"), Some("agent")),
            "{record}"
        );
    }
    let mut answered = 0;
    for (phone, port) in phones.iter().zip(&ports) {
        let calls = stretches(&phone.messages());
        for pair in calls.windows(2) {
            assert!(pair[1].0 >= pair[0].1, "the agent at port {port} had two calls at once: {pair:?}");
        }
        answered += calls.len();
        assert!(!calls.is_empty(), "the agent at port {port} had no call");
    }
    assert_eq!(answered, CALLERS as usize, "each call rang one agent, once");
    // The last calls are wrapped up for a second.
    for number in 1..=AGENTS {
        let agent = format!("a{number}");
        appliance.await_agent(&agent, "available");
        assert!(appliance.agent(&agent)["call_id"].is_null(), "{agent} is still on a call");
    }
}

/// From the first INVITE to the last message of each call at one phone, in seconds, by beginning.
fn stretches(messages: &[Logged]) -> Vec<(f64, f64)> {
    let mut calls: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for message in messages {
        let call = calls.entry(&message.call_id).or_insert((message.at, message.at));
        // Answers to our BYE, and repeated ones, come after the agent is free again.
        if !(message.received && message.cseq.ends_with("BYE")) {
            call.1 = message.at;
        }
    }
    let mut calls: Vec<_> = calls.into_values().collect();
    calls.sort_by(|a, b| a.0.total_cmp(&b.0));
    calls
}
