//! What a caller hears is what the prompt files hold.

use std::time::{Duration, Instant};

use super::appliance::{Appliance, project};
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::{sound, support};

#[test]
fn the_menus_prompts_are_heard_as_recorded() {
    const NAME: &str = "the_menus_prompts_are_heard_as_recorded";
    if sipp::missing(NAME) {
        return;
    }
    if !project().join("prompts/en/menu.flac").is_file() {
        return support::skip(NAME, "prompts/en/menu.flac is not there (deploy/make-prompts makes it)");
    }
    let (greeting, menu) = (sound::prompt("en", "greeting"), sound::prompt("en", "menu"));
    let length = Duration::from_millis((greeting.len() + menu.len()) as u64 / 8 + 1500);
    let appliance = Appliance::demo();
    let ear = Endpoint::open();
    let begin = Instant::now();
    let caller = Sipp::caller("33155601", "601", length).media(ear.address).start(&appliance);
    caller.succeeds(length + Duration::from_secs(10));
    let heard = rtp::linear(&ear.received(begin));
    let (similar, greeting_at) = sound::correlation(&greeting, &heard);
    assert!(similar > 0.95, "the greeting is heard with a correlation of {similar:.3}");
    let (similar, menu_at) = sound::correlation(&menu, &heard);
    assert!(similar > 0.95, "the menu is heard with a correlation of {similar:.3}");
    assert!(
        menu_at >= greeting_at + greeting.len(),
        "the menu at {menu_at} begins before the greeting at {greeting_at} ends"
    );
    let packets = ear.received(begin);
    // Between the prompts the time stamps jump over the silence; a frame lost within one would spoil its correlation.
    let waits = |within: bool| {
        let pairs = packets.windows(2).filter(move |pair| (steps_between(pair) == 1) == within);
        pairs.map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
    };
    let (gap, pause) = (waits(true), waits(false));
    // How punctual packets are, benches/media.rs says: here others are at work on the same cores.
    assert!(gap < Duration::from_millis(150), "a prompt with a gap of {gap:?}");
    assert!(pause < Duration::from_millis(250), "a pause of {pause:?} between the prompts");
    let steps = packets.windows(2).all(|pair| {
        pair[1].sequence == pair[0].sequence.wrapping_add(1)
            && pair[1].timestamp.wrapping_sub(pair[0].timestamp) == rtp::FRAME as u32 * steps_between(pair)
    });
    assert!(steps, "sequence numbers and time stamps go on evenly (RFC 3550 §5.1)");
    let record = appliance.record_from("33155601");
    assert_eq!(record["ended_by"], "caller", "{record}");
    assert!(!record["path"].as_array().expect("a path").is_empty(), "{record}");
}

/// Frames from one packet to the next by their arrival: silence between prompts may be left out (a jump in time stamps).
fn steps_between(pair: &[rtp::Packet]) -> u32 {
    let jump = pair[1].timestamp.wrapping_sub(pair[0].timestamp) / rtp::FRAME as u32;
    if (pair[1].at - pair[0].at) > Duration::from_millis(30) { jump.max(1) } else { 1 }
}
