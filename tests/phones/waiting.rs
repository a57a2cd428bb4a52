//! Who waits hears music, and what the queue says over it.

use std::time::{Duration, Instant};

use super::reload::{change, copy_of_the_demo};
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::{eventually, sound};

const CALLER_HZ: u32 = 430;
const SECOND: usize = 8_000;

/// A sound that is nowhere like itself: xorshift32.
fn noise(mut state: u32, seconds: usize) -> Vec<i16> {
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state % 16_000) as i16 - 8_000
    };
    (0..seconds * SECOND).map(|_| next()).collect()
}

#[test]
fn a_message_is_heard_over_the_music_which_goes_on_from_where_it_was() {
    const NAME: &str = "a_message_is_heard_over_the_music_which_goes_on_from_where_it_was";
    if sipp::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(&config, "announce_position_s = 30", "announce_position_s = 0");
    change(&config, "after_s = 45, every_s = 60", "after_s = 3, every_s = 10");
    change(&config, "music = \"music/default\"", "music = \"music/noise\"");
    let (music, message) = (noise(1, 12), noise(2, 2));
    sound::write_wav(&folder.path().join("prompts/music/noise.wav"), &music);
    sound::write_wav(&folder.path().join("prompts/en/please-wait.wav"), &message);
    let appliance = super::appliance::Appliance::start(&config);
    let caller = Endpoint::open();
    caller.say(CALLER_HZ);
    let begin = Instant::now();
    let call = Sipp::caller("33155711", "610", Duration::from_secs(10)).media(caller.address).start(&appliance);
    let heard = eventually(Duration::from_secs(20), "the music after the message", || {
        let heard = rtp::linear(&caller.received(begin));
        (heard.len() >= 15 * SECOND / 2).then_some(heard)
    });
    call.succeeds(Duration::from_secs(30));
    let record = appliance.record_from("33155711");
    assert_eq!(record["outcome"], "abandoned", "{record}");

    let (similar, at) = sound::correlation(&message, &heard);
    assert!(similar > 0.9, "the message is heard with a correlation of {similar:.3}");
    assert!(at.abs_diff(3 * SECOND) < SECOND / 4, "the message begins after {} ms", at / 8);
    let place = |from: usize| {
        let (similar, place) = sound::correlation(&heard[from..from + SECOND], &music);
        assert!(similar > 0.9, "the music is heard with a correlation of {similar:.3}");
        place
    };
    let (before, after) = (place(at - SECOND) + SECOND, place(at + message.len()));
    assert_eq!(before, after, "the music goes on from where it was");
}
