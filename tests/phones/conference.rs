//! A conference room with SIPp callers: each hears the tones of the others and not the own one, whoever comes and goes.

use std::time::{Duration, Instant};

use super::appliance::{Appliance, project};
use super::eventually;
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::sound;

const ROOM: &str = "80042";
const CALLERS: [&str; 3] = ["33155681", "33155682", "33155683"];
const TONES_HZ: [u32; 3] = [430, 770, 1_150];
/// A tone that is there is at -16 dBFS; one that is not is below this.
const SILENT_DB: f64 = -50.0;

#[test]
fn three_callers_meet_and_hear_each_other_and_two_go_on() {
    if sipp::missing("three_callers_meet_and_hear_each_other_and_two_go_on") {
        return;
    }
    let appliance = Appliance::start(&project().join("deploy/bench/relais.toml"));
    let ears: Vec<Endpoint> = TONES_HZ
        .iter()
        .map(|hz| {
            let ear = Endpoint::open();
            ear.say(*hz);
            ear
        })
        .collect();
    let stays = [18, 18, 6];
    let calls: Vec<_> = CALLERS
        .iter()
        .zip(&ears)
        .zip(stays)
        .map(|((caller, ear), seconds)| {
            let call = Sipp::caller(caller, ROOM, Duration::from_secs(seconds)).media(ear.address).start(&appliance);
            ear.await_audio();
            call
        })
        .collect();
    for (own, ear) in ears.iter().enumerate() {
        let others = TONES_HZ.iter().enumerate().filter(|(other, _)| *other != own);
        others.for_each(|(_, hz)| ear.await_tone(*hz));
    }
    std::thread::sleep(Duration::from_secs(1));
    for (own, ear) in ears.iter().enumerate() {
        let level = sound::tone_level(&ear.heard(Duration::from_millis(500)), TONES_HZ[own]);
        assert!(level < SILENT_DB, "caller {own} hears the own tone at {level:.0} dB");
    }
    let states: Vec<_> = appliance.list("calls").iter().map(|call| call["state"].clone()).collect();
    assert_eq!(states, ["conference"; 3]);
    let since = Instant::now();
    eventually(Duration::from_secs(20), "the third caller leaves", || {
        appliance.call_from(CALLERS[2]).is_none().then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    let heard = ears[0].heard(Duration::from_millis(500));
    let levels = TONES_HZ.map(|hz| sound::tone_level(&heard, hz));
    assert!(levels[1] > -28.0 && levels[0] < SILENT_DB && levels[2] < SILENT_DB, "{levels:?}");
    let (packets, said) = (ears[0].received(since), ears[1].sent(since));
    let (gap, late) = (rtp::worst_gap(&packets), rtp::talkers_fault(&said));
    assert!(gap <= Duration::from_millis(40) + late, "a gap of {gap:?}, of which {late:?} were the talker's");
    calls.into_iter().for_each(|call| call.succeeds(Duration::from_secs(40)));
    appliance.await_quiet();
    let record = appliance.record_from(CALLERS[2]);
    assert_eq!(record["outcome"], "self_service");
    let together = record["legs"][0]["conference_ms"].as_u64().expect("a figure");
    assert!((4_500..7_000).contains(&together), "{together} ms together, of 6 s");
}
