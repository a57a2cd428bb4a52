//! Callers who speak with bots, and their recognisers: killed in mid-sentence, overrun, not installed. No call ends for it,
//! and nobody is left without an answer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::appliance::{Appliance, binary, demo_anywhere, is_from, project};
use super::calling::{Call, Telephones};
use super::rtp::{self, Endpoint, linear};
use super::voices::{espeak, piper};
use super::{eventually, sound, support};

/// A worker that dies is to be noticed, and the caller to hear what the keys do, within this.
const FALLS_BACK: Duration = Duration::from_secs(2);
/// So much of a prompt tells which one it is.
const PROBE: usize = 8_000;

/// What of the demo's engines is missing, if anything.
pub fn missing(test: &str) -> bool {
    let programs = ["relais-speech", "relais-whisper"].map(|name| binary().with_file_name(name));
    let folders = ["vosk-ko", "whisper-tiny.en", "whisper-base"].map(|name| project().join("models").join(name));
    let gone =
        programs.iter().filter(|path| !path.is_file()).chain(folders.iter().filter(|path| !path.is_dir())).next();
    if let Some(path) = gone {
        support::skip(test, &format!("{} is not there", path.display()));
    }
    gone.is_some()
}

/// Waits until a worker of this name has become ready so many times.
pub fn await_ready(appliance: &Appliance, engine: &str, times: usize) {
    let what = format!("{engine} is ready for the {times}. time");
    eventually(Duration::from_secs(60), &what, || {
        (appliance.log().matches(&format!("speech recognition is ready: {engine}")).count() >= times).then_some(())
    });
}

/// The worker of the appliance that runs this model.
fn worker(appliance: &Appliance, model: &str) -> Pid {
    let processes = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let process: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent: u32 = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (parent == appliance.process() && command.contains(model)).then_some(process)
    });
    let found: Vec<i32> = processes.collect();
    assert_eq!(found.len(), 1, "workers with {model}: {found:?}");
    Pid::from_raw(found[0]).expect("a process")
}

/// What may have come before it was known that the call is answered.
const MISSED: usize = 5 * rtp::FRAME;

/// Whether a prompt is heard from its beginning in what came since, and when.
pub fn hears(call: &Call<'_>, since: Instant, language: &str, prompt: &str) -> Option<Duration> {
    let packets = call.endpoint.received(since);
    let start = packets.iter().position(|packet| is_audible(&packet.payload))?;
    let heard = linear(packets.get(start..)?);
    let whole = sound::prompt(language, prompt);
    let first = whole.chunks(rtp::FRAME).position(|frame| level(frame) > -50.0)? * rtp::FRAME;
    let wanted = whole.get(first + MISSED..first + MISSED + PROBE)?;
    let room = heard.get(..(PROBE + 4_000).min(heard.len()))?;
    (sound::correlation(wanted, room).0 > 0.8).then(|| packets[start].at - since)
}

fn is_audible(payload: &[u8]) -> bool {
    level(&payload.iter().map(|octet| sound::decode(*octet)).collect::<Vec<_>>()) > -50.0
}

/// In dB below full scale.
fn level(pcm: &[i16]) -> f64 {
    let power = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64;
    10.0 * (power / 32_768.0_f64.powi(2)).max(1e-12).log10()
}

fn await_prompt(call: &Call<'_>, since: Instant, language: &str, prompt: &str, within: Duration) -> Duration {
    let what = format!("{} hears {prompt}", call.from);
    eventually(within, &what, || hears(call, since, language, prompt))
}

#[test]
fn workers_killed_in_mid_sentence_end_no_call_and_the_keys_take_over() {
    let name = "workers_killed_in_mid_sentence_end_no_call_and_the_keys_take_over";
    if missing(name) {
        return;
    }
    let english = piper(&["I would like to know where the washing machine is that I ordered two weeks ago."]);
    let (english, korean) =
        match (english, espeak("ko", "지난주에 주문한 세탁기가 지금 어디쯤 오고 있는지 알고 싶습니다"))
        {
            (Ok(english), Ok(korean)) => (english.concat(), korean),
            (Err(missing), _) | (_, Err(missing)) => return support::skip(name, &missing),
        };
    let (mut deaths, mut calls, mut slowest) = (0, 0, Duration::ZERO);
    // The waits before a new start double, so the deaths are those of several appliances.
    for _ in 0..5 {
        let appliance = Appliance::demo();
        let telephones = Telephones::open(appliance.sip);
        for death in 1..=2 {
            await_ready(&appliance, "whisper whisper-tiny.en", death);
            await_ready(&appliance, "vosk", death);
            let callers: Vec<Call<'_>> = [("602", 0), ("602", 1), ("603", 2), ("603", 3)]
                .map(|(number, caller)| telephones.dial(&format!("3315569{death}{caller}"), number))
                .into();
            callers.iter().for_each(|call| call.endpoint.await_audio());
            std::thread::sleep(Duration::from_millis(600));
            for (call, voice) in callers.iter().zip([&english, &english, &korean, &korean]) {
                call.endpoint.speak(&[voice.as_slice(), &[0; 80_000]].concat());
            }
            std::thread::sleep(Duration::from_millis(1_200));
            let killed = Instant::now();
            for model in ["whisper-tiny.en", "vosk-ko"] {
                kill_process(worker(&appliance, model), Signal::KILL).expect("a worker of the appliance");
                deaths += 1;
            }
            for (call, language) in callers.iter().zip(["en", "en", "ko", "ko"]) {
                let took = await_prompt(call, killed, language, "bot-keypad", FALLS_BACK + Duration::from_secs(3));
                assert!(took < FALLS_BACK, "{} hears of the keys after {took:?}", call.from);
                slowest = slowest.max(took);
                assert!(call.is_up(), "{}: {:?}", call.from, call.stage());
                calls += 1;
            }
            // And the keys do what they say: opening hours.
            let pressed = Instant::now();
            callers[0].endpoint.press('3');
            await_prompt(&callers[0], pressed, "en", "hours", Duration::from_secs(5));
            callers.iter().for_each(|call| assert!(call.is_up(), "{}: {:?}", call.from, call.stage()));
            drop(callers);
            appliance.await_quiet();
            let ours = |record: &&serde_json::Value| is_from(record, &format!("3315569{death}"));
            for record in appliance.records().iter().filter(ours) {
                assert_eq!(record["ended_by"].as_str(), Some("caller"), "{record}");
            }
        }
    }
    println!("{deaths} deaths in {calls} calls; what the keys do is heard after {slowest:?} at worst");
}

const CALLERS: usize = 100;
const STREAMS: usize = 2;
const ECHO_HZ: u32 = 430;

#[test]
fn a_hundred_callers_for_two_streams_have_the_keys_at_once_and_no_other_call_notices() {
    let name = "a_hundred_callers_for_two_streams_have_the_keys_at_once_and_no_other_call_notices";
    if missing(name) {
        return;
    }
    let appliance = Appliance::demo();
    await_ready(&appliance, "whisper whisper-tiny.en", 1);
    let telephones = Telephones::open(appliance.sip);
    let others: Vec<Call<'_>> = ["33155680", "33155681"].map(|from| telephones.dial(from, "600")).into();
    for call in &others {
        call.endpoint.say(ECHO_HZ);
        call.endpoint.await_tone(ECHO_HZ);
    }
    let since = Instant::now();
    let dial = |caller: usize| (Instant::now(), telephones.dial(&format!("331557{caller:03}"), "602"));
    let callers: Vec<(Instant, Call<'_>)> = (0..CALLERS).map(dial).collect();
    let mut slowest = Duration::ZERO;
    let mut spoken_with = 0;
    // Whoever is listened to hears the whole greeting, and the keys never.
    std::thread::sleep(Duration::from_secs(5));
    let answered = callers.iter().map(|(dialled, call)| {
        let answered = call.answered();
        assert!(call.is_up() && answered - *dialled < Duration::from_secs(3), "{}: {:?}", call.from, call.stage());
        answered
    });
    let answered: Vec<Instant> = answered.collect();
    // What they hear is compared afterwards: it takes a while, and who sends nothing for a minute is hung up.
    for ((_, call), answered) in callers.iter().zip(answered) {
        match hears_keys(call, answered) {
            Some(took) => slowest = slowest.max(took),
            None => spoken_with += 1,
        }
    }
    println!(
        "{} callers hear of the keys, after {slowest:?} at worst; {spoken_with} are listened to",
        CALLERS - spoken_with
    );
    assert_eq!(spoken_with, STREAMS, "callers who are listened to");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    for call in &others {
        undisturbed(&call.endpoint, since);
    }
}

/// When the prompt with the keys begins, which may be behind a word of the greeting.
fn hears_keys(call: &Call<'_>, answered: Instant) -> Option<Duration> {
    let packets = call.endpoint.received(answered);
    let heard = linear(&packets);
    let whole = sound::prompt("en", "bot-keypad");
    let (likeness, at) = sound::correlation(whole.get(..PROBE)?, heard.get(..heard.len().min(28_000))?);
    (likeness > 0.8).then(|| packets.get(at / rtp::FRAME).map(|packet| packet.at - answered))?
}

/// An echo that goes on as if nobody else were there.
fn undisturbed(ear: &Endpoint, since: Instant) {
    let (heard, said) = (ear.received(since), ear.sent(since - Duration::from_millis(500)));
    let (gap, late) = (rtp::worst_gap(&heard), rtp::talkers_fault(&said));
    println!("an echo's longest gap is {gap:?}, of which {late:?} were the talker's");
    assert!(gap <= Duration::from_millis(80) + late, "a gap of {gap:?}, of which {late:?} were the talker's");
    let wanted = since.elapsed().as_millis() / 20;
    assert!(heard.len() as u128 + 10 >= wanted, "{} frames of {wanted}", heard.len());
}

/// The demo where nothing that recognises speech is installed.
fn deaf(folder: &Path) -> std::path::PathBuf {
    let demo = project().join("deploy/demo");
    let text = demo_anywhere().replace("plans/*.toml", &format!("{}/plans/*.toml", demo.display()));
    let deaf = text.replace(&format!("\"{}/models/", project().display()), "\"nowhere/");
    assert_ne!(text, deaf, "the demo names models");
    let path = folder.join("relais.toml");
    fs::write(&path, deaf).expect("a writable folder");
    path
}

#[test]
fn without_an_engine_callers_have_the_keys_and_the_log_says_so_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = deaf(folder.path());
    let checked =
        std::process::Command::new(binary()).args(["check", "--config"]).arg(&config).output().expect("relais check");
    let findings = String::from_utf8_lossy(&checked.stderr).into_owned();
    for language in ["en", "ko", "fr"] {
        assert!(findings.contains(&format!("until then {language} is by keypad only")), "{language}: {findings}");
    }
    let appliance = Appliance::start(&config);
    let telephones = Telephones::open(appliance.sip);
    for caller in 0..3 {
        for (number, language) in [("602", "en"), ("604", "fr")] {
            let call = telephones.dial(&format!("33155669{caller}"), number);
            let answered = call.answered();
            await_prompt(&call, answered, language, "bot-keypad", Duration::from_secs(5));
            let pressed = Instant::now();
            call.endpoint.press('3');
            await_prompt(&call, pressed, language, "hours", Duration::from_secs(5));
        }
    }
    appliance.await_quiet();
    let log = appliance.log();
    for engine in ["whisper-en", "whisper"] {
        let said =
            log.lines().filter(|line| line.contains(&format!("speech '{engine}'")) && line.contains("keypad")).count();
        assert_eq!(said, 1, "'{engine}' in the log:\n{log}");
    }
}
