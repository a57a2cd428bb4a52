//! Messages, recordings and surveys: what was said is what can be heard afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::appliance::{Appliance, binary, demo_anywhere, is_from, project};
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::{eventually, sound, support};

/// The beep before a message.
const BEEP_HZ: u32 = 1000;
const CALLER_HZ: u32 = 430;
const AGENT_HZ: u32 = 770;

/// The demo with a plan of the test's own besides.
fn demo_with(folder: &Path, plan: &str) -> PathBuf {
    let demo = project().join("deploy/demo");
    let config = demo_anywhere();
    let plans = folder.join("plans");
    fs::create_dir_all(&plans).expect("a folder");
    for entry in fs::read_dir(demo.join("plans")).expect("the demo's plans").flatten() {
        fs::copy(entry.path(), plans.join(entry.file_name())).expect("a copy");
    }
    fs::write(plans.join("test.toml"), plan).expect("a plan");
    let path = folder.join("relais.toml");
    fs::write(&path, config).expect("a configuration");
    path
}

fn prompts_missing(test: &str) -> bool {
    let missing = !project().join("prompts/en/voicemail-greeting.flac").is_file();
    if missing {
        support::skip(test, "prompts/en/voicemail-greeting.flac is not there (deploy/make-prompts makes it)");
    }
    missing
}

/// Some seconds of speech.
fn speech() -> Vec<i16> {
    [sound::prompt("fr", "hours"), sound::prompt("en", "closed")].concat()
}

/// The caller has dialled 620, taken the offer and heard the beep.
fn at_the_beep(caller: &Endpoint) {
    caller.await_audio();
    std::thread::sleep(Duration::from_millis(500));
    caller.press('1');
    // The greeting is skipped where the caller knows it.
    std::thread::sleep(Duration::from_millis(700));
    caller.press('#');
    caller.await_tone(BEEP_HZ);
    std::thread::sleep(Duration::from_millis(700));
}

fn say(caller: &Endpoint, samples: &[i16]) {
    caller.speak(samples);
    eventually(Duration::from_secs(60), "all is said", || caller.has_spoken().then_some(()));
}

/// The message of a caller, by the API.
fn message_from(appliance: &Appliance, caller: &str) -> Value {
    let (status, body) = appliance.api("GET", "/voicemails?mailbox=support", None);
    assert_eq!(status, 200, "{body}");
    let list = body["voicemails"].as_array().expect("a list");
    let found: Vec<_> = list.iter().filter(|message| is_from(message, caller)).cloned().collect();
    assert_eq!(found.len(), 1, "one message of {caller}: {body}");
    found.into_iter().next().expect("one")
}

/// What can be heard in a file is what was said.
fn assert_heard(path: &Path, said: &[i16]) {
    let (rate, heard) = sound::flac(path);
    assert_eq!(rate, 8000);
    let (similar, _) = sound::correlation(said, &heard);
    assert!(similar > 0.95, "{}: a correlation of {similar:.3}", path.display());
    println!("{}: correlation {similar:.4}", path.display());
    let checked = Command::new("flac").args(["--silent", "--test"]).arg(path).output();
    if let Ok(checked) = checked {
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn a_message_is_what_the_caller_said() {
    const NAME: &str = "a_message_is_what_the_caller_said";
    if sipp::missing(NAME) || prompts_missing(NAME) {
        return;
    }
    let appliance = Appliance::demo();
    let caller = Endpoint::open();
    let call = Sipp::new("patient_caller").key("caller", "33155701").dial("620").calls(1).media(caller.address);
    let call = call.start(&appliance);
    at_the_beep(&caller);
    let said = speech();
    let since = Instant::now();
    say(&caller, &said);
    println!("the talker was late by {:?} at worst", rtp::talkers_fault(&caller.sent(since)));
    caller.press('#');
    call.succeeds(Duration::from_secs(20));
    let record = appliance.record_from("33155701");
    assert_eq!(
        (record["outcome"].as_str(), record["ended_by"].as_str()),
        (Some("voicemail"), Some("system")),
        "{record}"
    );
    let message = message_from(&appliance, "33155701");
    assert_eq!((&message["recording_id"], &message["call_id"]), (&record["recording"], &record["call_id"]));
    assert_eq!((message["state"].as_str(), message["mailbox"].as_str()), (Some("complete"), Some("support")));
    let id = record["recording"].as_str().expect("a recording");
    let path = appliance.recording(id);
    assert_heard(&path, &said);
    let metadata = fs::metadata(&path).expect("the file");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let length = said.len() as u64 / 8;
    let told = message["duration_ms"].as_u64().expect("a length");
    assert!((length..length + 2_500).contains(&told), "{told} ms of {length}");

    let file = fs::read(&path).expect("the file");
    assert_eq!(appliance.fetch(&format!("/recordings/{id}"), ""), (200, file.clone()));
    let part = appliance.fetch(&format!("/recordings/{id}"), "Range: bytes=1000-1999\r\n");
    assert_eq!(part, (206, file[1000..2000].to_vec()));
    assert_eq!(appliance.api("DELETE", &format!("/recordings/{id}"), None).0, 204);
    eventually(Duration::from_secs(5), "the file is gone", || (!path.exists()).then_some(()));
    assert_eq!(appliance.fetch(&format!("/recordings/{id}"), "").0, 404);
    let (_, body) = appliance.api("GET", "/voicemails", None);
    assert_eq!(body["voicemails"].as_array().map(Vec::len), Some(0), "{body}");
}

#[test]
fn a_caller_who_hangs_up_leaves_what_was_said_and_silence_is_no_message() {
    const NAME: &str = "a_caller_who_hangs_up_leaves_what_was_said_and_silence_is_no_message";
    if sipp::missing(NAME) || prompts_missing(NAME) {
        return;
    }
    let appliance = Appliance::demo();
    let said = speech();
    let said = &said[..6 * 8000];
    for (number, speaks) in [("33155702", true), ("33155703", false)] {
        let caller = Endpoint::open();
        let call = Sipp::caller(number, "620", Duration::from_secs(14)).media(caller.address).start(&appliance);
        at_the_beep(&caller);
        if speaks {
            say(&caller, said);
        }
        call.succeeds(Duration::from_secs(30));
        let record = appliance.record_from(number);
        assert_eq!(record["ended_by"].as_str(), Some("caller"), "{record}");
        if speaks {
            assert_eq!(record["outcome"].as_str(), Some("voicemail"), "{record}");
            assert_heard(&appliance.recording(record["recording"].as_str().expect("a recording")), said);
        } else {
            assert_eq!(
                (record["outcome"].as_str(), &record["recording"]),
                (Some("deterred"), &Value::Null),
                "{record}"
            );
        }
    }
    assert_eq!(message_from(&appliance, "33155702")["state"].as_str(), Some("complete"));
    eventually(Duration::from_secs(5), "silence is deleted", || {
        (files(&appliance.data.join("recordings")).len() == 1).then_some(())
    });
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

const SURVEY: &str = "
name = 'survey'
numbers = ['630']

[[level]]
name = 'arm'
[[level.rule]]
module = 'survey'

[[level]]
name = 'record'
[[level.rule]]
module = 'record'

[[level]]
name = 'sales'
[[level.rule]]
module = 'distribute'
in = { queue = 'sales' }
";

#[test]
fn a_score_out_of_range_is_asked_again_and_the_talk_is_recorded_on_two_channels() {
    const NAME: &str = "a_score_out_of_range_is_asked_again_and_the_talk_is_recorded_on_two_channels";
    if sipp::missing(NAME) || prompts_missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let appliance = Appliance::start(&demo_with(folder.path(), SURVEY));
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let phone = Sipp::agent("agent_hangs_up", "201").pause(Duration::from_secs(5)).media(agent.address);
    let phone = sipp::phone(&appliance, "201", phone);
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::new("patient_caller").key("caller", "33155704").dial("630").calls(1).media(caller.address);
    let call = call.start(&appliance);
    caller.await_tone(AGENT_HZ);
    phone.succeeds(Duration::from_secs(15));
    let asked = Instant::now();
    appliance.await_agent("201", "wrap_up");
    std::thread::sleep(Duration::from_secs(1));
    caller.press('7');
    std::thread::sleep(Duration::from_millis(2_500));
    caller.press('4');
    call.succeeds(Duration::from_secs(20));
    let heard = rtp::linear(&caller.received(asked));
    let again = sound::prompt("en", "survey-invalid");
    let (similar, _) = sound::correlation(&again, &heard);
    assert!(similar > 0.95, "after 7 the caller is told and asked again: {similar:.3}");

    let record = appliance.record_from("33155704");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("201")), "{record}");
    let survey = record["survey"].as_array().expect("a survey").clone();
    assert_eq!(survey.len(), 1, "{record}");
    assert_eq!((survey[0]["name"].as_str(), survey[0]["score"].as_i64()), (Some("csat"), Some(4)), "{record}");
    let id = record["recording"].as_str().expect("a recording");
    let (rate, samples) = sound::flac(&appliance.recording(id));
    assert_eq!(rate, 8000);
    let side = |number: usize| samples.iter().skip(number).step_by(2).copied().collect::<Vec<i16>>();
    let (left, right) = (side(0), side(1));
    // Somewhere in it the two talk for four seconds.
    let talk = (0..left.len().saturating_sub(8000)).step_by(4000).filter(|&at| {
        let level = |side: &[i16], hz| sound::tone_level(&side[at..at + 8000], hz);
        level(&left, CALLER_HZ) > -18.0
            && level(&right, AGENT_HZ) > -18.0
            && level(&left, AGENT_HZ) < -50.0
            && level(&right, CALLER_HZ) < -50.0
    });
    assert!(talk.count() >= 7, "the talk is on both channels, each alone on its own");
}

/// A small disk that is unmounted when the test ends.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<SmallDisk> {
        fs::create_dir_all(at).ok()?;
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    const NAME: &str = "a_full_disk_ends_the_recording_and_not_the_call";
    if sipp::missing(NAME) || prompts_missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let appliance = Appliance::start(&demo_with(folder.path(), SURVEY));
    let Some(_disk) = SmallDisk::mount(&appliance.data.join("recordings"), "40k") else {
        return support::skip(NAME, "a tmpfs cannot be mounted here");
    };
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let phone = sipp::phone(&appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::caller("33155705", "630", Duration::from_secs(16)).media(caller.address).start(&appliance);
    caller.await_tone(AGENT_HZ);
    let since = Instant::now();
    eventually(Duration::from_secs(12), "the disk is full and the recording has failed", || {
        let (_, page) = appliance.fetch("/metrics", "");
        String::from_utf8_lossy(&page).contains("relais_recordings_failed_total 1").then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
    for (ear, mouth, hz, who) in [(&agent, &caller, CALLER_HZ, "the agent"), (&caller, &agent, AGENT_HZ, "the caller")]
    {
        let heard = ear.received(since);
        let late = rtp::talkers_fault(&mouth.sent(since - Duration::from_millis(500)));
        let gap = rtp::worst_gap(&heard);
        assert!(gap <= Duration::from_millis(40) + late, "{who}: a gap of {gap:?}, the talker late by {late:?}");
        assert!((sound::tone_level(&rtp::linear(&heard), hz) + 16.0).abs() < 1.0, "{who} hears the other");
    }
    call.succeeds(Duration::from_secs(30));
    phone.succeeds(Duration::from_secs(10));
    let record = appliance.record_from("33155705");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("201")), "{record}");
}

/// A command of the binary about recordings: whether it went well, and what it printed.
fn recording(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(binary()).arg("recording").args(arguments).output().expect("relais recording");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Rate and samples of what the API gives.
fn fetched(appliance: &Appliance, id: &str) -> (u32, Vec<i16>) {
    let (status, audio) = appliance.fetch(&format!("/recordings/{id}"), "");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&audio));
    let path = appliance.scratch().join("fetched.flac");
    fs::write(&path, audio).expect("a file");
    sound::flac(&path)
}

#[test]
fn a_recording_is_sealed_on_the_disk_heard_by_the_api_and_readable_after_a_crash() {
    const NAME: &str = "a_recording_is_sealed_on_the_disk_heard_by_the_api_and_readable_after_a_crash";
    if sipp::missing(NAME) || prompts_missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = demo_with(folder.path(), SURVEY);
    let key = folder.path().join("recordings.key");
    let (made, said) = recording(&["new-key", key.to_str().expect("UTF-8")]);
    assert!(made, "{said}");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, format!("{text}\n[recordings]\nkey_file = \"recordings.key\"\n")).expect("a configuration");
    let mut appliance = Appliance::start(&config);
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let phone = sipp::phone(&appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::caller("33155706", "630", Duration::from_secs(9)).media(caller.address).start(&appliance);
    caller.await_tone(AGENT_HZ);
    call.succeeds(Duration::from_secs(20));
    phone.succeeds(Duration::from_secs(5));
    let record = appliance.record_from("33155706");
    let id = record["recording"].as_str().expect("a recording").to_owned();
    let sealed =
        files(&appliance.data.join("recordings")).into_iter().find(|path| path.ends_with(format!("{id}.sealed")));
    let sealed = sealed.expect("a sealed file");
    let on_disk = fs::read(&sealed).expect("the file");
    assert!(!on_disk.windows(4).any(|part| part == b"fLaC"), "it can be read on the disk");
    let (rate, samples) = fetched(&appliance, &id);
    let second = |side: usize| {
        let side: Vec<i16> = samples.iter().skip(side).step_by(2).copied().collect();
        side[side.len() - 3 * 8000..side.len() - 2 * 8000].to_vec()
    };
    assert_eq!(rate, 8000);
    let level = |side: usize, hz| sound::tone_level(&second(side), hz);
    assert!(
        level(0, CALLER_HZ) > -18.0 && level(1, AGENT_HZ) > -18.0,
        "{} {}",
        level(0, CALLER_HZ),
        level(1, AGENT_HZ)
    );
    let whole = appliance.fetch(&format!("/recordings/{id}"), "").1;
    let part = appliance.fetch(&format!("/recordings/{id}"), "Range: bytes=5000-14999\r\n");
    assert_eq!(part, (206, whole[5000..15_000].to_vec()));

    let of = ["--config", config.to_str().expect("UTF-8"), "--data", appliance.data.to_str().expect("UTF-8")];
    let out = folder.path().join("out.flac");
    let export = |out: &Path| recording(&[&["export", &id, "--out", out.to_str().expect("UTF-8")], &of[..]].concat());
    let (exported, said) = export(&out);
    assert!(exported && fs::read(&out).expect("the export") == whole, "{said}");
    assert!(recording(&[&["check"], &of[..]].concat()).0);
    let mut altered = on_disk.clone();
    altered[on_disk.len() / 2] ^= 1;
    fs::write(&sealed, altered).expect("the file");
    let (_, cut) = appliance.fetch(&format!("/recordings/{id}"), "");
    assert!(cut.len() < whole.len() && whole.starts_with(&cut), "what was altered is not served as whole");
    let (fine, said) = recording(&[&["check"], &of[..]].concat());
    assert!(!fine && said.contains(&id), "{said}");
    assert!(!export(&folder.path().join("again.flac")).0);
    fs::write(&sealed, &on_disk).expect("the file");

    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let phone = sipp::phone(&appliance, "202", Sipp::agent("agent_answers", "202").media(agent.address));
    let call = Sipp::caller("33155707", "630", Duration::from_secs(20)).media(caller.address).start(&appliance);
    eventually(Duration::from_secs(10), "a recording that runs", || {
        let under_way = files(&appliance.data.join("recordings/under-way"));
        let size = fs::metadata(under_way.first()?).ok()?.len();
        (size > 60_000).then_some(())
    });
    appliance.kill();
    drop((call, phone));
    appliance.restart();
    let record = appliance.record_from("33155707");
    assert_eq!(record["outcome"].as_str(), Some("failed"), "{record}");
    let (_, samples) = fetched(&appliance, record["recording"].as_str().expect("a recording"));
    assert!(samples.len() > 2 * 3 * 8000, "{} samples are left", samples.len());
}
