//! The real workers with their real engines: words, deaths, overload. Each test says what it misses where an engine is not
//! installed (deploy/test installs them) and skips itself.

// Time limits are real time.
#![allow(clippy::disallowed_methods)]

#[path = "../support/audio.rs"]
#[allow(dead_code, reason = "the tests of the end-pointer use the rest")]
mod audio;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/voices.rs"]
mod voices;
#[path = "../support/words.rs"]
mod word_errors;

mod centre;
mod deaths;
mod words;
