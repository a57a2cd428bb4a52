//! How many agents a queue needs: what queueing theory says, and what the distributor itself does with the same calls
//! on a virtual clock.
//!
//! `erlang` has the formulas and `profile` the calls of a day. `simulation` plays a `scenario`: callers whom chance brings
//! (`callers`) or who were recorded (`recording`) against `queue::Acd` (`distributor`). `outcome` counts what becomes of
//! them, and `estimate` says how far a simulated figure can be trusted. Lengths of time are seconds, shares lie between
//! 0 and 1.

mod callers;
mod distributor;
mod erlang;
mod estimate;
mod outcome;
mod profile;
mod recording;
mod scenario;
mod simulation;

pub use callers::RandomCalls;
pub use erlang::{MOST_AGENTS, Performance, Target, Traffic};
pub use estimate::Estimate;
pub use outcome::{Outcome, Played};
pub use profile::Profile;
pub use recording::{AsRecorded, RecordedCall, RecordedEnd, Recording};
pub use scenario::{Calls, Kind, Scenario};
pub use simulation::{Fault, REPLAYS, run};
