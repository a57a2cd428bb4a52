//! An agent who asks an expert or a colleague, hands over and brings in: by the API, by the keys of the phone, by REFER.
//! Every phone says a tone of its own, and what each hears must hold exactly the tones that it should.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::appliance::{Appliance, demo_anywhere, free_port, project};
use super::baresip::{self, Baresip};
use super::desk::Desk;
use super::rtp::{Endpoint, FRAME};
use super::sipp::{self, Running, Sipp};
use super::{eventually, sound};

/// Where the music has next to nothing.
const CALLER_HZ: u32 = 2010;
const AGENT_HZ: u32 = 2470;
const OTHER_HZ: u32 = 2930;
const TONES: [u32; 3] = [CALLER_HZ, AGENT_HZ, OTHER_HZ];

/// The tone of a phone is sent at -16 dB.
const HEARD_DB: f64 = -24.0;
const SILENT_DB: f64 = -44.0;

/// The demo with the expert 301 at a free port, whose telephony is asked nothing.
fn config(folder: &Path, expert: u16) -> PathBuf {
    let address = format!("\"sip:301@127.0.0.1:{expert}\"\nsubscribe = false\noptions_interval_s = 0");
    let config = demo_anywhere().replace("\"sip:301@127.0.0.1:5090\"", &address);
    let plans = folder.join("plans");
    fs::create_dir_all(&plans).expect("a folder");
    for entry in fs::read_dir(project().join("deploy/demo/plans")).expect("the demo's plans").flatten() {
        fs::copy(entry.path(), plans.join(entry.file_name())).expect("a copy");
    }
    let path = folder.join("relais.toml");
    fs::write(&path, config).expect("a configuration");
    path
}

struct Centre {
    appliance: Appliance,
    caller: Endpoint,
    expert: Endpoint,
    expert_port: u16,
    _folder: tempfile::TempDir,
}

impl Centre {
    fn open() -> Centre {
        let folder = tempfile::tempdir().expect("a folder");
        let expert_port = free_port();
        let appliance = Appliance::start(&config(folder.path(), expert_port));
        let (caller, expert) = (Endpoint::open(), Endpoint::open());
        caller.say(CALLER_HZ);
        expert.say(OTHER_HZ);
        Centre { appliance, caller, expert, expert_port, _folder: folder }
    }

    /// The expert's phone, for so many calls, one after the other.
    fn expert_phone(&self, calls: u32) -> Running {
        let phone = Sipp::new("agent_answers").key("agent", "301").calls(calls).on_port(self.expert_port);
        phone.media(self.expert.address).start(&self.appliance)
    }

    /// Calls `sales` and hangs up after so long.
    fn calls(&self, from: &str, talk: Duration) -> Running {
        Sipp::caller(from, "610", talk).media(self.caller.address).start(&self.appliance)
    }

    /// The id of the caller's call.
    fn id(&self, from: &str) -> String {
        let call = self.appliance.call_from(from).expect("the call is up");
        call["call_id"].as_str().expect("an id").to_owned()
    }

    fn does(&self, call: &str, what: &str, body: &str) {
        let (status, answer) = self.appliance.api("POST", &format!("/calls/{call}/{what}"), Some(body));
        assert_eq!(status, 200, "{what}: {answer}");
    }

    fn await_state(&self, from: &str, state: &str) {
        eventually(Duration::from_secs(5), &format!("the consultation is {state}"), || {
            let call = self.appliance.call_from(from)?;
            (call["consult"]["state"] == state).then_some(())
        });
    }
}

/// What one hears now, as it must be: these tones, and none of the others.
fn hears(who: &str, heard: &[i16], tones: &[u32]) {
    assert!(heard.len() >= 10 * FRAME, "{who} hears {} samples in the last moments", heard.len());
    for hz in TONES {
        let level = sound::tone_level(heard, hz);
        let wanted = tones.contains(&hz);
        assert!(
            if wanted { level > HEARD_DB } else { level < SILENT_DB },
            "{who}: {hz} Hz at {level:.1} dB, where it is to be {}",
            if wanted { "heard" } else { "silent" }
        );
    }
}

/// After what was changed has had its time.
fn all_hear(ears: &[(&str, &Endpoint, &[u32])]) {
    std::thread::sleep(Duration::from_millis(900));
    for (who, ear, tones) in ears {
        hears(who, &ear.heard(Duration::from_millis(400)), tones);
    }
}

/// When a tone was first heard since `since`: in two frames one after the other.
fn first_heard(ear: &Endpoint, hz: u32, since: Instant) -> Instant {
    eventually(Duration::from_secs(5), &format!("a tone of {hz} Hz"), || {
        let packets = ear.received(since);
        let loud = |packet: &super::rtp::Packet| {
            let pcm: Vec<i16> = packet.payload.iter().map(|octet| sound::decode(*octet)).collect();
            sound::tone_level(&pcm, hz) > HEARD_DB
        };
        packets.windows(2).find(|pair| pair.iter().all(loud)).map(|pair| pair[0].at)
    })
}

fn leg<'r>(record: &'r Value, role: &str) -> &'r Value {
    let legs = record["legs"].as_array().expect("legs");
    let mut found = legs.iter().filter(|leg| leg["role"] == role);
    let first = found.next().unwrap_or_else(|| panic!("no leg of an {role}: {record}"));
    assert!(found.next().is_none(), "one leg of an {role}: {record}");
    first
}

/// A figure of a leg, in seconds.
fn seconds(of: &Value, figure: &str) -> f64 {
    of[figure].as_f64().unwrap_or_else(|| panic!("{figure}: {of}")) / 1000.0
}

fn near(what: &str, measured: f64, wanted: f64) {
    assert!((measured - wanted).abs() < 0.7, "{what}: {measured} s, and it took {wanted:.2} s");
}

#[test]
fn by_the_api_an_agent_asks_goes_back_asks_again_and_hands_over() {
    const NAME: &str = "by_the_api_an_agent_asks_goes_back_asks_again_and_hands_over";
    const FROM: &str = "33155801";
    if sipp::missing(NAME) {
        return;
    }
    let centre = Centre::open();
    let agent = Endpoint::open();
    agent.say(AGENT_HZ);
    let phone = sipp::phone(&centre.appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    let expert_phone = centre.expert_phone(2);
    let call = centre.calls(FROM, Duration::from_secs(16));
    let (caller, expert) = (&centre.caller, &centre.expert);
    caller.await_tone(AGENT_HZ);
    agent.await_tone(CALLER_HZ);
    let id = centre.id(FROM);

    let consults = || {
        centre.does(&id, "consult", r#"{"to":"expert:301"}"#);
        centre.await_state(FROM, "private");
        Instant::now()
    };
    let first = consults();
    all_hear(&[("caller", caller, &[]), ("agent", &agent, &[OTHER_HZ]), ("expert", expert, &[AGENT_HZ])]);
    centre.does(&id, "consult/swap", "{}");
    all_hear(&[("caller", caller, &[AGENT_HZ]), ("agent", &agent, &[CALLER_HZ]), ("expert", expert, &[])]);
    centre.does(&id, "consult/swap", "{}");
    all_hear(&[("caller", caller, &[]), ("agent", &agent, &[OTHER_HZ]), ("expert", expert, &[AGENT_HZ])]);
    centre.does(&id, "consult/cancel", "{}");
    let apart = first.elapsed();
    all_hear(&[("caller", caller, &[AGENT_HZ]), ("agent", &agent, &[CALLER_HZ])]);
    consults();
    centre.does(&id, "consult/complete", "{}");
    phone.succeeds(Duration::from_secs(3));
    centre.appliance.await_agent("201", "wrap_up");
    let handed = Instant::now();
    all_hear(&[("caller", caller, &[OTHER_HZ]), ("expert", expert, &[CALLER_HZ])]);
    call.succeeds(Duration::from_secs(20));
    let stayed = handed.elapsed().as_secs_f64();
    expert_phone.succeeds(Duration::from_secs(3));

    let record = centre.appliance.record_from(FROM);
    assert_eq!(record["call_id"], id.as_str(), "one contact, one call_id");
    assert_eq!((record["agent"].as_str(), record["outcome"].as_str()), (Some("201"), Some("handled")), "{record}");
    assert_eq!((&record["transfers"], &record["consults"]), (&1.into(), &2.into()), "{record}");
    assert_eq!(record["handed_over"][0]["kind"], "supervised", "{record}");
    assert_eq!(record["handed_over"][0]["to"], "expert:301", "{record}");
    let legs = record["legs"].as_array().expect("legs");
    let experts: Vec<&Value> = legs.iter().filter(|leg| leg["role"] == "expert").collect();
    assert_eq!((legs.len(), experts.len()), (4, 2), "the expert was asked twice: {record}");
    // Between the two swaps the agent talks with the caller.
    let swapped = seconds(experts[0], "hold_ms");
    near("the expert's consultation", seconds(experts[0], "consult_ms") + swapped, apart.as_secs_f64());
    near("the expert's talk with the caller", seconds(experts[1], "talk_ms"), stayed);
    let agents = leg(&record, "agent");
    near("the agent's consultations", seconds(agents, "consult_ms"), apart.as_secs_f64() - swapped);
    assert!(seconds(agents, "talk_ms") > 1.0 && seconds(agents, "conference_ms") == 0.0, "{agents}");
}

#[test]
fn by_the_keys_of_a_softphone_an_agent_makes_a_conference_and_leaves_the_two() {
    const NAME: &str = "by_the_keys_of_a_softphone_an_agent_makes_a_conference_and_leaves_the_two";
    const FROM: &str = "33155802";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let centre = Centre::open();
    let softphone = Baresip::start(&centre.appliance, "202", AGENT_HZ);
    let expert_phone = centre.expert_phone(2);
    let call = centre.calls(FROM, Duration::from_secs(18));
    let (caller, expert) = (&centre.caller, &centre.expert);
    caller.await_tone(AGENT_HZ);
    let id = centre.id(FROM);
    let ear = |tones: &[u32]| hears("the softphone", &softphone.ear(Duration::from_millis(400)), tones);

    softphone.does("sndcode", "*1301#");
    centre.await_state(FROM, "private");
    all_hear(&[("caller", caller, &[]), ("expert", expert, &[AGENT_HZ])]);
    ear(&[OTHER_HZ]);
    softphone.does("sndcode", "*5");
    all_hear(&[("caller", caller, &[AGENT_HZ]), ("expert", expert, &[])]);
    ear(&[CALLER_HZ]);
    softphone.does("sndcode", "*4");
    eventually(Duration::from_secs(5), "the expert is let go", || {
        centre.appliance.call_from(FROM)?["consult"].is_null().then_some(())
    });
    softphone.does("sndcode", "*1301#");
    centre.await_state(FROM, "private");
    std::thread::sleep(Duration::from_millis(500));
    softphone.does("sndcode", "*3");
    all_hear(&[("caller", caller, &[AGENT_HZ, OTHER_HZ]), ("expert", expert, &[CALLER_HZ, AGENT_HZ])]);
    ear(&[CALLER_HZ, OTHER_HZ]);
    softphone.does("hangup", "");
    centre.appliance.await_agent("202", "wrap_up");
    all_hear(&[("caller", caller, &[OTHER_HZ]), ("expert", expert, &[CALLER_HZ])]);
    call.succeeds(Duration::from_secs(20));
    expert_phone.succeeds(Duration::from_secs(3));

    let record = centre.appliance.record_from(FROM);
    assert_eq!(record["call_id"], id.as_str(), "one contact, one call_id");
    assert_eq!((record["agent"].as_str(), record["ended_by"].as_str()), (Some("202"), Some("caller")), "{record}");
    assert_eq!(record["handed_over"][0]["kind"], "conference", "{record}");
    let agents = leg(&record, "agent");
    // The keys take a part of the time.
    assert!(seconds(agents, "conference_ms") > 0.3 && seconds(agents, "consult_ms") > 1.0, "{agents}");
}

/// From the key to the three-way audio: at most 300 ms are wanted, and this machine may be busy.
#[test]
fn the_conference_is_heard_soon_after_the_key() {
    const NAME: &str = "the_conference_is_heard_soon_after_the_key";
    const FROM: &str = "33155803";
    if sipp::missing(NAME) {
        return;
    }
    let centre = Centre::open();
    let agent = Endpoint::open();
    agent.say(AGENT_HZ);
    let phone = sipp::phone(&centre.appliance, "201", Sipp::agent("agent_answers", "201").media(agent.address));
    let expert_phone = centre.expert_phone(1);
    let call = centre.calls(FROM, Duration::from_secs(10));
    let (caller, expert) = (&centre.caller, &centre.expert);
    caller.await_tone(AGENT_HZ);
    "*1301#".chars().for_each(|key| agent.press(key));
    centre.await_state(FROM, "private");
    agent.await_tone(OTHER_HZ);
    expert.await_tone(AGENT_HZ);
    let since = Instant::now();
    "*3".chars().for_each(|key| agent.press(key));
    let ears = [("the caller hears the expert", caller, OTHER_HZ), ("the expert hears the caller", expert, CALLER_HZ)];
    let heard = ears.map(|(what, ear, hz)| (what, first_heard(ear, hz, since)));
    assert!(agent.has_pressed());
    let key = agent.last_key().expect("a key");
    for (what, at) in heard {
        let took = at.saturating_duration_since(key);
        println!("from the key to what {what}: {} ms", took.as_millis());
        assert!(took < Duration::from_secs(1), "{what} only after {took:?}");
    }
    all_hear(&[
        ("caller", caller, &[AGENT_HZ, OTHER_HZ]),
        ("agent", &agent, &[CALLER_HZ, OTHER_HZ]),
        ("expert", expert, &[CALLER_HZ, AGENT_HZ]),
    ]);
    call.succeeds(Duration::from_secs(15));
    phone.succeeds(Duration::from_secs(3));
    expert_phone.succeeds(Duration::from_secs(3));
}

#[test]
fn by_refer_a_softphone_hands_the_caller_to_a_colleague() {
    const NAME: &str = "by_refer_a_softphone_hands_the_caller_to_a_colleague";
    const FROM: &str = "33155804";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let centre = Centre::open();
    let colleague = Endpoint::open();
    colleague.say(OTHER_HZ);
    let softphone = Baresip::start(&centre.appliance, "202", AGENT_HZ);
    let phone = sipp::phone(&centre.appliance, "205", Sipp::agent("agent_answers", "205").media(colleague.address));
    let call = centre.calls(FROM, Duration::from_secs(9));
    let caller = &centre.caller;
    caller.await_tone(AGENT_HZ);
    let id = centre.id(FROM);
    softphone.does("transfer", &format!("sip:205@{}", centre.appliance.sip));
    caller.await_tone(OTHER_HZ);
    centre.appliance.await_agent("202", "wrap_up");
    all_hear(&[("caller", caller, &[OTHER_HZ]), ("colleague", &colleague, &[CALLER_HZ])]);
    call.succeeds(Duration::from_secs(15));
    phone.succeeds(Duration::from_secs(3));
    let record = centre.appliance.record_from(FROM);
    assert_eq!((&record["call_id"], record["agent"].as_str()), (&id.as_str().into(), Some("202")), "{record}");
    let over = &record["handed_over"][0];
    assert_eq!(
        (&over["kind"], &over["to"], &over["by"]),
        (&"blind".into(), &"agent:205".into(), &"202".into()),
        "{record}"
    );
}

#[test]
fn by_refer_with_replaces_a_desk_phone_joins_its_two_calls() {
    const NAME: &str = "by_refer_with_replaces_a_desk_phone_joins_its_two_calls";
    const FROM: &str = "33155805";
    if sipp::missing(NAME) {
        return;
    }
    let centre = Centre::open();
    let (first, second) = (Endpoint::open(), Endpoint::open());
    first.say(AGENT_HZ);
    second.say(AGENT_HZ);
    let mut desk = Desk::register(&centre.appliance, "201");
    let expert_phone = centre.expert_phone(1);
    let call = centre.calls(FROM, Duration::from_secs(12));
    let (caller, expert) = (&centre.caller, &centre.expert);
    let talk = desk.answer(first.address);
    caller.await_tone(AGENT_HZ);
    let id = centre.id(FROM);
    desk.hold(talk);
    let (asked, far) = desk.dial("301", second.address);
    second.towards(far);
    desk.wait(Duration::from_millis(900));
    hears("the caller on hold", &caller.heard(Duration::from_millis(400)), &[]);
    hears("the expert", &expert.heard(Duration::from_millis(400)), &[AGENT_HZ]);
    hears("the agent", &second.heard(Duration::from_millis(400)), &[OTHER_HZ]);
    let told = desk.join(talk, asked, "301");
    assert_eq!(told.last(), Some(&200), "{told:?}");
    let joined = Instant::now();
    desk.await_end(talk);
    desk.await_end(asked);
    centre.appliance.await_agent("201", "wrap_up");
    all_hear(&[("caller", caller, &[OTHER_HZ]), ("expert", expert, &[CALLER_HZ])]);
    call.succeeds(Duration::from_secs(15));
    let stayed = joined.elapsed().as_secs_f64();
    expert_phone.succeeds(Duration::from_secs(3));
    let record = centre.appliance.record_from(FROM);
    assert_eq!((&record["call_id"], record["agent"].as_str()), (&id.as_str().into(), Some("201")), "{record}");
    assert_eq!(
        (&record["transfers"], &record["handed_over"][0]["kind"]),
        (&1.into(), &"supervised".into()),
        "{record}"
    );
    near("the expert's talk with the caller", seconds(leg(&record, "expert"), "talk_ms"), stayed);
}
