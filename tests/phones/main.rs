//! End to end with real peers over loopback: SIPp as trunk and as agents, baresip as an agent's phone, and RTP endpoints
//! of our own that measure what arrives. Each test starts its own appliance on free ports with its own data folder.
//!
//! Tools that are not installed, and material that is not there, skip their tests with a printed note; with
//! RELAIS_STRICT=1 a skip is a failure.

// Real time is what these tests are about.
#![allow(clippy::disallowed_methods)]

#[path = "../support/audio.rs"]
#[allow(dead_code, reason = "the tests of the end-pointer use the rest")]
mod audio;
#[path = "../support/browser.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod browser;
#[path = "../support/provider.rs"]
mod provider;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/voices.rs"]
#[allow(dead_code, reason = "the tests of the engines use the rest")]
mod voices;

mod appliance;
mod baresip;
mod calling;
mod desk;
mod rtp;
mod sipp;
mod sound;

mod agents;
mod bridged;
mod browsers;
mod callback;
mod callbots;
mod conference;
mod consult;
mod crash;
mod disk;
mod https;
mod hundred;
mod limits;
mod menu;
mod outside;
mod recordings;
mod reload;
mod replayed;
mod secure;
mod spoken;
mod torture;
mod transport;
mod trunk;
mod waiting;

use std::time::{Duration, Instant};

/// Asks again until there is an answer; panics with `what` when there is none in time.
pub fn eventually<T>(within: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
