//! The real workers with their real engines: words, deaths, overload. Each test says what it misses where an engine is not
//! installed (deploy/test installs them) and skips itself.

#[path = "../support/audio.rs"]
mod audio;
#[path = "../support/mod.rs"]
mod support;

mod centre;
mod deaths;
mod voices;
mod words;
