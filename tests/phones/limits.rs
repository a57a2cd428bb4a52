//! Out of RTP ports, or over the limit of calls: the new call is told to come again later, and the running ones notice
//! nothing of it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::appliance::{Appliance, Setup, demo_anywhere, is_from, project};
use super::eventually;
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};

const OLD: &str = "33155661";
const OLD_HZ: u32 = 430;
const GAP: Duration = Duration::from_millis(40);

/// The demo, which takes two calls as `setup` is: the first one's audio goes on while others are refused, and when the
/// second ends there is room for one again.
fn takes_two_calls(appliance: &Appliance) {
    let ear = Endpoint::open();
    ear.say(OLD_HZ);
    let _old = Sipp::caller(OLD, "600", Duration::from_secs(120)).media(ear.address).start(appliance);
    // After its prompt, 600 is an echo.
    ear.await_tone(OLD_HZ);
    let second = Sipp::caller("33155662", "601", Duration::from_secs(8)).start(appliance);
    eventually(Duration::from_secs(5), "the second call is up", || appliance.call_from("33155662"));
    let since = Instant::now();
    for n in 0..6 {
        let refused = Sipp::new("caller_refused").key("caller", &format!("3315567{n}")).dial("600").calls(1);
        refused.start(appliance).succeeds(Duration::from_secs(5));
    }
    second.succeeds(Duration::from_secs(15));
    eventually(Duration::from_secs(5), "the second call is over", || {
        appliance.call_from("33155662").is_none().then_some(())
    });
    // The port rests for a moment before it is used again.
    std::thread::sleep(Duration::from_secs(1));
    Sipp::caller("33155663", "601", Duration::from_secs(2)).start(appliance).succeeds(Duration::from_secs(10));

    let (heard, said) = (ear.received(since), ear.sent(since - Duration::from_millis(500)));
    let (gap, late) = (rtp::worst_gap(&heard), rtp::talkers_fault(&said));
    assert!(gap <= GAP + late, "the old call's audio has a gap of {gap:?}, of which {late:?} were the talker's");
    let wanted = since.elapsed().as_millis() / 20;
    assert!(heard.len() as u128 + 10 >= wanted, "the old call hears {} frames of {wanted}", heard.len());
    ear.await_tone(OLD_HZ);
    assert!(appliance.call_from(OLD).is_some(), "the old call is still up");
    let refused = appliance.records().into_iter().filter(|record| is_from(record, "3315567")).count();
    assert_eq!(refused, 0, "a call that was not taken has no record");
}

#[test]
fn a_call_for_which_no_port_is_left_is_refused_and_the_others_go_on() {
    if sipp::missing("a_call_for_which_no_port_is_left_is_refused_and_the_others_go_on") {
        return;
    }
    takes_two_calls(&Setup::new(&project().join("deploy/demo/relais.toml")).rtp_ports(4).start());
}

/// The demo with a limit of two calls.
fn limited(folder: &std::path::Path) -> PathBuf {
    let demo = project().join("deploy/demo");
    let text = demo_anywhere().replace("plans/*.toml", &format!("{}/plans/*.toml", demo.display()));
    let limited = text.replace("[sip]\n", "[sip]\nmax_calls = 2\n");
    assert_ne!(text, limited, "the demo has a table [sip]");
    let path = folder.join("relais.toml");
    fs::write(&path, limited).expect("a writable folder");
    path
}

#[test]
fn a_call_over_the_limit_is_refused_and_the_others_go_on() {
    if sipp::missing("a_call_over_the_limit_is_refused_and_the_others_go_on") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    takes_two_calls(&Appliance::start(&limited(folder.path())));
}
