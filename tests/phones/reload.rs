//! The files change under a running appliance: what is fit is taken, what is not is refused whole, and nobody on the
//! telephone notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::appliance::{Appliance, demo_anywhere, project};
use super::eventually;
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

const AGENT_HZ: u32 = 770;
const CALLER_HZ: u32 = 430;

/// A copy of the demo that may be changed.
pub fn copy_of_the_demo(folder: &Path) -> PathBuf {
    let demo = project().join("deploy/demo");
    let to = folder.join("deploy/demo");
    fs::create_dir_all(to.join("plans")).expect("a folder");
    for path in fs::read_dir(demo.join("plans")).expect("plans").map(|entry| entry.expect("an entry").path()) {
        fs::copy(&path, to.join("plans").join(path.file_name().expect("a name"))).expect("a copy");
    }
    let copy_folder = |name: &str| {
        let (from, to) = (project().join("prompts").join(name), folder.join("prompts").join(name));
        fs::create_dir_all(&to).expect("a folder");
        for path in fs::read_dir(from).expect("prompts").map(|entry| entry.expect("an entry").path()) {
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
        }
    };
    ["en", "fr", "ko", "music"].into_iter().for_each(copy_folder);
    // All but the prompts stands where it is.
    let text = demo_anywhere()
        .replace(&format!("prompts = \"{}/prompts\"", project().display()), "prompts = \"../../prompts\"");
    fs::write(to.join("relais.toml"), text.replace("watch = true", "watch = false")).expect("a copy");
    to.join("relais.toml")
}

pub fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{} has no {from}", path.display());
    fs::write(path, text.replace(from, to)).expect("a writable file");
}

#[test]
fn a_plan_is_taken_whole_or_not_at_all_and_a_talk_goes_on() {
    const NAME: &str = "a_plan_is_taken_whole_or_not_at_all_and_a_talk_goes_on";
    if sipp::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    let plan = config.with_file_name("plans").join("610-sales.toml");
    let appliance = Appliance::start(&config);
    let (caller, agent) = (Endpoint::open(), Endpoint::open());
    let _phone = sipp::phone(&appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    caller.say(CALLER_HZ);
    agent.say(AGENT_HZ);
    let call = Sipp::caller("33155701", "610", Duration::from_secs(8)).media(caller.address).start(&appliance);
    agent.await_tone(CALLER_HZ);

    fs::write(
        &plan,
        "name = \"direct-sales\"\nnumbers = [\"610\"]\n[[level]]\nname = \"x\"\n[[level.rule]]\nmodule = \"no\"\n",
    )
    .expect("a writable file");
    let (status, body) = appliance.api("POST", "/reload", None);
    assert_eq!((status, body["error"]["code"].as_str()), (422, Some("refused")), "{body}");
    let finding = &body["error"]["findings"][0];
    assert!(finding["file"].as_str().is_some_and(|file| file.ends_with("610-sales.toml")), "{body}");
    assert_eq!(finding["line"], 6, "{body}");
    let (_, state) = appliance.api("GET", "/reload", None);
    assert_eq!((state["generation"].as_u64(), state["last"]["taken"].as_bool()), (Some(1), Some(false)), "{state}");

    fs::write(&plan, "name = \"direct-sales\"\nnumbers = [\"612\"]\n[[level]]\nname = \"gone\"\n[[level.rule]]\nmodule = \"deter\"\n")
        .expect("a writable file");
    change(&config, "wrap_up_s = 5", "wrap_up_s = 7");
    let (status, state) = appliance.api("POST", "/reload", None);
    assert_eq!(
        (status, state["generation"].as_u64(), state["last"]["by"].as_str()),
        (200, Some(2), Some("api")),
        "{state}"
    );

    let id = appliance.call_from("33155701").expect("the talk goes on")["call_id"].as_str().expect("an id").to_owned();
    let (_, told) = appliance.api("GET", &format!("/calls/{id}/trace"), None);
    assert_eq!(told["trace"]["levels"][0]["level"], "sales", "it keeps the plan it began with: {told}");
    assert_eq!(told["trace"]["levels"][0]["result"], "answered", "{told}");
    caller.await_tone(AGENT_HZ);
    call.succeeds(Duration::from_secs(20));
    let record = appliance.record_from("33155701");
    assert_eq!((record["outcome"].as_str(), record["agent"].as_str()), (Some("handled"), Some("201")), "{record}");
    assert_eq!(record["trace"]["levels"][0]["module"], "distribute", "{record}");
    let (status, after) = appliance.api("GET", &format!("/calls/{id}/trace"), None);
    assert_eq!((status, &after["trace"]), (200, &record["trace"]), "from the record now");
    assert_ne!(appliance.agent("201")["state"], "logged_out");

    let new = Sipp::caller("33155702", "612", Duration::from_secs(20)).start(&appliance);
    let record = eventually(Duration::from_secs(30), "the new plan's record", || {
        appliance.records().into_iter().find(|record| record["to"] == "612")
    });
    assert_eq!((record["outcome"].as_str(), record["path"][0]["level"].as_str()), (Some("deterred"), Some("gone")));
    drop(new);
}

#[test]
fn a_change_is_taken_by_itself_and_a_new_recording_is_heard_by_the_next_call() {
    const NAME: &str = "a_change_is_taken_by_itself_and_a_new_recording_is_heard_by_the_next_call";
    if sipp::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(&config, "watch = false", "watch = true");
    let appliance = Appliance::start(&config);
    let sound = folder.path().join("prompts/en/echo.wav");
    write_tone(&sound, AGENT_HZ);
    eventually(Duration::from_secs(30), "the change is taken", || {
        let (_, state) = appliance.api("GET", "/reload", None);
        (state["generation"] == 2 && state["last"]["by"] == "files").then_some(())
    });
    let caller = Endpoint::open();
    caller.say(CALLER_HZ);
    let call = Sipp::caller("33155703", "600", Duration::from_secs(5)).media(caller.address).start(&appliance);
    caller.await_tone(AGENT_HZ);
    call.succeeds(Duration::from_secs(15));
}

/// Two seconds of a tone as WAV: 8 kHz, mono, 16 bits.
fn write_tone(path: &Path, hz: u32) {
    let samples: Vec<i16> = (0..16_000u32)
        .map(|at| ((f64::from(at * hz) / 8_000.0 * std::f64::consts::TAU).sin() * 12_000.0) as i16)
        .collect();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + data.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000u32.to_le_bytes());
    wav.extend(16_000u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    fs::write(path, wav).expect("a writable file");
}
