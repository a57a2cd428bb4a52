//! How well callers are understood, and how soon they are answered, on real calls to the demo: SIP and RTP, spoken
//! sentences, two calls at once, on a clean line and in noise.
//!
//! `deploy/bench/calls` runs it: `cargo bench --bench calls -- [en] [ko] [fr] [noises] [--most N] [--sentences FILE]
//! [--lines clean,babble,street] [--seed N] [--misses]`. `RELAIS_BIN` names another binary than the one built with it.
//! Every figure has its 95 % interval: Wilson's of a share, the order statistics' of a quantile.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

#[path = "../../tests/phones/appliance.rs"]
#[allow(dead_code, reason = "the tests with phones use the rest")]
mod appliance;
#[path = "../../tests/support/audio.rs"]
#[allow(dead_code)]
mod audio;
#[path = "../../tests/phones/calling.rs"]
#[allow(dead_code)]
mod calling;
#[path = "../../tests/phones/rtp.rs"]
#[allow(dead_code)]
mod rtp;
#[path = "../../tests/phones/sound.rs"]
#[allow(dead_code, unused_imports)]
mod sound;
#[path = "../../tests/support/mod.rs"]
#[allow(dead_code)]
mod support;
#[path = "../../tests/support/voices.rs"]
#[allow(dead_code)]
mod voices;
#[path = "../../tests/support/words.rs"]
mod words;

mod figures;
mod line;
mod noises;
mod sentences;
mod speakers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;

use appliance::Appliance;
use line::Line;

#[derive(Parser)]
struct Arguments {
    /// What to measure: en, ko, fr, noises
    what: Vec<String>,
    /// Sentences with their intents instead of the usual ones, in English for `en` and in Korean for `ko`
    #[arg(long)]
    sentences: Option<PathBuf>,
    /// So many sentences, evenly out of the file
    #[arg(long, default_value_t = 60)]
    most: usize,
    #[arg(long, value_delimiter = ',', default_value = "clean,babble,street")]
    lines: Vec<Line>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print every sentence that was not understood, or answered after more than 0.7 s
    #[arg(long)]
    misses: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.what.is_empty() {
        arguments.what = ["en", "ko", "fr", "noises"].map(str::to_owned).to_vec();
    }
    for what in &arguments.what {
        let measured = match what.as_str() {
            "en" => sentences::english(&arguments),
            "ko" => sentences::korean(&arguments),
            "fr" => sentences::french(&arguments),
            "noises" => noises::measure(&arguments),
            other => Err(format!("'{other}' is none of en, ko, fr, noises")),
        };
        if let Err(missing) = measured {
            eprintln!("{what}: not measured: {missing}");
        }
    }
}

/// The demo, once its engines are ready: callers who come before measure the start of a worker.
fn demo() -> Appliance {
    const ENGINES: usize = 3;
    let appliance = Appliance::demo();
    let end = Instant::now() + Duration::from_secs(30);
    while appliance.log().matches("speech recognition is ready").count() < ENGINES && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    // And the bots have learnt their examples.
    std::thread::sleep(Duration::from_secs(3));
    appliance
}

/// Asks again until there is an answer; panics with `what` when there is none in time.
fn eventually<T>(within: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
