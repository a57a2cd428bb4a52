//! Recordings of all that goes into the engine, and their replay: the same inputs at the same times lead to the same
//! decisions, so that "why did this caller get that agent" can be asked again a week later, of the very engine.
//!
//! A recording is JSON, one object a line, in the order in which the engine took things in:
//!
//! | line | holds |
//! |---|---|
//! | the first | `Heading`: what this is, the version of the format, the version of Relais |
//! | the second | `Happening::Start`: settings, plans and seed that the engine began with |
//! | each one after | `Happening::Input`, numbered, with the time on both clocks; reloads bring settings and plans with them |
//! | the last | `Happening::End`; missing where the process died or the disk was full |
//!
//! No password is in it, nor what was made of one: the engine's passwords are replaced by one stand-in, and the answers
//! of phones by what the stand-in would have answered (`sip::auth::disguise`). Nor is a key of anybody's media in it, nor
//! what ours are made of. The rest is there as it came: numbers of
//! callers, the keys they pressed, what services said of them.

mod reader;
mod replay;
mod secrets;
mod writer;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dialplan::Plans;
use crate::engine::Input;
use crate::settings::Settings;
use crate::time::Now;

pub use reader::{ReadError, Recorded, open};
pub use replay::{Replayed, replay};
pub use writer::{BeginError, Bounds, InputLog};

/// Of the format. Another one is not read.
const VERSION: u32 = 1;
/// The longest line: settings and plans of a large centre have a tenth of it.
const LONGEST: usize = 64 << 20;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// The version of the format.
    pub relais_inputs: u32,
    /// The Relais that recorded. Another one may decide otherwise.
    pub relais: String,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Counted from 1.
    pub n: u64,
    pub at: Now,
    pub what: Happening,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    Start(Box<Start>),
    Input(Input),
    End(End),
}

/// What `Engine::new` was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub settings: Arc<Settings>,
    pub plans: Arc<Plans>,
    pub seed: [u8; 32],
}

/// Why a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With the process.
    Stopped,
    /// It has the size that was allowed.
    Full,
    /// The disk did not keep up.
    TooSlow,
}
