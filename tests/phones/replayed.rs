//! Three hundred callers, a hundred agents with skills, two queues: what came in is recorded, and replayed it gives every
//! call the same agent for the same reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::appliance::{Appliance, Setup, binary, free_port, project};
use super::eventually;
use super::sipp::{self, Sipp};

/// Each SIPp is the phones of so many agents.
const AGENTS_A_SIPP: usize = 10;
const AGENTS: usize = 100;
const CALLS_A_NUMBER: u32 = 60;

/// What is dialled, and what its rule asks the distributor for.
const NUMBERS: [(&str, &str); 5] = [
    ("700", r#"queue = "sales", prefer_skills = { billing = 4 }"#),
    // Few can do this, so callers wait until the queue widens.
    ("701", r#"queue = "sales", skills = { vip = 4 }, priority = 1"#),
    ("702", r#"queue = "sales", skills = { billing = 2 }, prefer_agent = "a40", prefer_s = 3"#),
    ("703", r#"queue = "support", skills = { french = 3 }"#),
    ("704", r#"queue = "support", skills = { french = 2, network = 2 }"#),
];

/// Ranges of agents, their queues and their skills.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("a1..a4", r#""sales""#, "vip = 5, billing = 1"),
    ("a5..a12", r#""sales""#, "vip = 2, billing = 3"),
    ("a13..a40", r#""sales""#, "billing = 4"),
    ("a41..a60", r#""sales", "support""#, "billing = 2, french = 3"),
    ("a61..a64", r#""support", "sales""#, "network = 3, french = 2"),
    ("a65..a100", r#""support""#, "french = 4"),
];

fn password(agent: &str) -> String {
    format!("secret-of-{agent}")
}

fn centre(folder: &Path) -> PathBuf {
    let root = project().display();
    let mut config = format!(
        "data = \"data\"\nprompts = \"{root}/prompts\"\nlanguages = [\"en\"]\nplans = [\"plan.toml\"]\n\
         pause_reasons = [\"break\"]\n\
         [sip]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomain = \"relais.localhost\"\n\
         [rtp]\naddress = \"127.0.0.1\"\nports = [30000, 31999]\n[web]\nlisten = \"127.0.0.1:8080\"\n\
         [[trunk]]\nid = \"loopback\"\naddresses = [\"127.0.0.0/8\"]\ncodecs = [\"pcmu\"]\n\
         [[queue]]\nid = \"sales\"\nwrap_up_s = 1\nanswer_within_s = 5\nchoice = \"least_occupied\"\n\
         widen = [{{ after_s = 6, level = 2 }}]\n\
         [[queue]]\nid = \"support\"\nwrap_up_s = 2\nanswer_within_s = 8\nchoice = \"best_skill\"\n"
    );
    for (range, queues, skills) in PEOPLE {
        let _ = write!(
            config,
            "[[agent]]\nid = \"{range}\"\nname = \"Agent {{id}}\"\npassword = \"{}\"\nqueues = [{queues}]\n\
             skills = {{ {skills} }}\n",
            password("{id}")
        );
    }
    let mut plan = String::from("name = \"skills\"\nnumbers = [\"70X\"]\n[[level]]\nname = \"by number\"\n");
    for (number, wanted) in NUMBERS {
        let _ = write!(
            plan,
            "[[level.rule]]\nwhen = \"call.to == '{number}'\"\nmodule = \"distribute\"\nin = {{ {wanted} }}\n"
        );
    }
    fs::write(folder.join("plan.toml"), plan).expect("a writable folder");
    let path = folder.join("relais.toml");
    fs::write(&path, config).expect("a writable folder");
    path
}

/// Logs ten agents in and plays their phones, which talk for a while and hang up.
fn phones(appliance: &Appliance, first: usize) -> sipp::Running {
    let agents = (first..first + AGENTS_A_SIPP).map(|number| format!("a{number}"));
    let mut people = String::from("SEQUENTIAL\n");
    for agent in agents {
        let _ = writeln!(people, "{agent};[authentication username={agent} password={}]", password(&agent));
    }
    let file = appliance.scratch().join(format!("people-{first}"));
    fs::write(&file, people).expect("a writable folder");
    let port = free_port();
    let file = file.to_str().expect("a UTF-8 path");
    let register = Sipp::new("register_many").on_port(port).calls(AGENTS_A_SIPP as u32).with(&["-inf", file]);
    register.start(appliance).succeeds(Duration::from_secs(20));
    // From there on SIPp takes ports for what its calls send.
    let streams = ["-mi", "127.0.0.1", "-mp", &(28_000 + 40 * first).to_string()];
    let phone = Sipp::new("agent_talks").on_port(port).key("agent", "phones").with(&streams);
    phone.pause(Duration::from_millis(1_500)).start(appliance)
}

/// Callers of the nth number, who send back what they hear.
fn callers(appliance: &Appliance, nth: usize) -> sipp::Running {
    let number = NUMBERS[nth].0;
    // SIPp takes the one after the next as well.
    let media = 32_400 + 4 * nth as u16;
    let echo = ["-rtp_echo", "-mi", "127.0.0.1", "-mp", &media.to_string()];
    let callers = Sipp::new("patient_caller").key("caller", &format!("33{number}")).dial(number).with(&echo);
    let callers = callers.media(([127, 0, 0, 1], media).into()).calls(CALLS_A_NUMBER);
    callers.rate(4, CALLS_A_NUMBER).start(appliance)
}

fn replay(file: &Path, arguments: &[&str]) -> Output {
    Command::new(binary()).arg("replay").arg(file).args(arguments).output().expect("relais replay")
}

#[test]
fn three_hundred_calls_to_a_hundred_agents_replay_to_the_same_decisions() {
    if sipp::missing("three_hundred_calls_to_a_hundred_agents_replay_to_the_same_decisions") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("inputs"));
    let config = centre(folder.path());
    let appliance = Setup::new(&config).data(&data).record_inputs(&file).start();
    // Half a second of a tone, as µ-law.
    let voice: Vec<u8> = (0..4_000).map(|n| if n / 8 % 2 == 0 { 0xA0 } else { 0x20 }).collect();
    fs::write(appliance.scratch().join("voice"), voice).expect("a writable folder");
    let phones: Vec<_> = (0..AGENTS / AGENTS_A_SIPP).map(|n| phones(&appliance, 1 + n * AGENTS_A_SIPP)).collect();
    assert_eq!(appliance.list("agents").iter().filter(|agent| agent["state"] == "available").count(), AGENTS);

    let callers: Vec<_> = (0..NUMBERS.len()).map(|nth| callers(&appliance, nth)).collect();
    // People pause, and the configuration is taken anew, while the calls run.
    for agent in ["a2", "a61", "a62"] {
        let paused =
            appliance.api("POST", &format!("/agents/{agent}/state"), Some(r#"{"state":"paused","reason":"break"}"#));
        assert_eq!(paused.0, 200, "{}", paused.1);
    }
    std::thread::sleep(Duration::from_secs(4));
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text.replace("least_occupied", "longest_idle")).expect("a writable folder");
    let (status, reload) = appliance.api("POST", "/reload", None);
    assert_eq!((status, &reload["last"]["taken"]), (200, &Value::Bool(true)), "{reload}");
    let back = appliance.api("POST", "/agents/a2/state", Some(r#"{"state":"available"}"#));
    assert_eq!(back.0, 200, "{}", back.1);
    callers.into_iter().for_each(|callers| callers.succeeds(Duration::from_secs(180)));
    appliance.await_quiet();
    drop(phones);

    let records = appliance.records();
    check_calls(&records);
    assert!(appliance.log().contains("all inputs are recorded in"), "the log says nothing of it");
    assert_eq!(fs::metadata(&file).expect("the recording").permissions().mode() & 0o777, 0o600);
    appliance.drain();
    assert!(appliance.end().success());

    let same = replay(&file, &["--data", data.to_str().expect("a UTF-8 path"), "--json"]);
    let said: Value = serde_json::from_slice(&same.stdout).unwrap_or_default();
    let (calls, decisions) = (said["calls"].as_u64(), said["decisions"].as_u64().unwrap_or(0));
    println!("{said} {}", String::from_utf8_lossy(&same.stderr));
    assert!(same.status.success() && said["same"] == true, "{said} {}", String::from_utf8_lossy(&same.stderr));
    assert_eq!((calls, decisions >= 300), (Some(300), true), "{said}");
    the_replay_names_who_got_which_call(&file, &records);
    a_changed_recording_is_noticed(folder.path(), &file, &data);
    let text = fs::read_to_string(&file).expect("JSON");
    assert!(!text.contains("secret-of-"), "a password is in the recording");
}

/// Everybody was served, by somebody who may, with sound both ways; by every way of choosing.
fn check_calls(records: &[Value]) {
    let ids: BTreeSet<_> = records.iter().map(|record| record["call_id"].as_str().expect("an id")).collect();
    assert_eq!((records.len(), ids.len()), (300, 300));
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let mut silent = 0;
    for record in records {
        assert_eq!(record["outcome"], "handled", "{record}");
        for leg in record["legs"].as_array().expect("legs") {
            silent += usize::from(leg["rtp"]["packets_received"].as_u64().unwrap_or(0) == 0);
        }
        for decision in record["trace"]["decisions"].as_array().expect("decisions") {
            *rules.entry(decision["rule"].as_str().expect("a rule")).or_default() += 1;
        }
    }
    println!("decided by {rules:?}; {silent} legs without sound");
    let agents: BTreeSet<_> = records.iter().filter_map(|record| record["agent"].as_str()).collect();
    assert!(agents.len() > 50, "only {} agents had a call", agents.len());
    let queues: BTreeSet<_> = records.iter().filter_map(|record| record["queue"].as_str()).collect();
    assert_eq!(queues, BTreeSet::from(["sales", "support"]));
    let waited = records.iter().filter(|record| record["wait_ms"].as_u64() > Some(1_000)).count();
    assert!(waited > 20, "only {waited} callers waited: nobody had to choose among callers");
    // Both ways: callers among whom an agent chose, and agents among whom a caller did.
    for rule in ["longest_idle", "preferred_agent", "longest_wait", "only_one"] {
        assert!(rules.contains_key(rule), "nothing was decided by {rule}: {rules:?}");
    }
    assert!(silent < 15, "{silent} of 600 legs were never heard");
}

fn the_replay_names_who_got_which_call(file: &Path, records: &[Value]) {
    let printed = replay(file, &["--json"]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).expect("UTF-8");
    let decided = |call: &Value| (call["agent"].clone(), call["trace"]["decisions"].clone());
    let recorded: BTreeMap<_, _> = records.iter().map(|call| (call["call_id"].as_str(), decided(call))).collect();
    let mut calls = 0;
    for line in text.lines() {
        let call: Value = serde_json::from_str(line).expect("an object a line");
        let replayed = (call["agent"].clone(), call["decisions"].clone());
        assert_eq!(recorded.get(&call["call_id"].as_str()), Some(&replayed), "{line}");
        calls += 1;
    }
    assert_eq!(calls, 300);
}

/// The comparison can fail: one agent is given another level.
fn a_changed_recording_is_noticed(folder: &Path, file: &Path, data: &Path) {
    let text = fs::read_to_string(file).expect("JSON");
    let changed = folder.join("changed");
    let other = text.replacen("\"skills\":{\"billing\":1,\"vip\":5}", "\"skills\":{\"billing\":1,\"vip\":1}", 1);
    assert_ne!(other, text, "the recording has no such agent");
    fs::write(&changed, other).expect("a writable folder");
    let differs = replay(&changed, &["--data", data.to_str().expect("a UTF-8 path")]);
    let said = String::from_utf8_lossy(&differs.stdout).into_owned();
    assert_eq!(differs.status.code(), Some(1), "{said}");
    assert!(said.contains("differ; the first: call ") && said.contains("decision 1: recorded "), "{said}");
}

#[test]
fn a_recording_that_is_there_already_is_kept_and_calls_are_taken_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inputs");
    fs::write(&file, "of an earlier run").expect("a writable folder");
    let appliance = Setup::new(&centre(folder.path())).record_inputs(&file).start();
    assert_eq!(fs::read_to_string(&file).expect("the file"), "of an earlier run");
    eventually(Duration::from_secs(5), "the log says so", || {
        appliance.log().contains("inputs are not recorded").then_some(())
    });
}
