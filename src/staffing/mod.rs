//! How many agents a queue needs: what queueing theory says, and what the distributor itself does with the same calls
//! on a virtual clock.
//!
//! `erlang` has the formulas, `profile` the calls of a day, `simulation` runs `queue::Acd`, and `estimate` says how far
//! a simulated figure can be trusted. Lengths of time are seconds, shares lie between 0 and 1.

mod erlang;
mod estimate;
mod profile;
mod simulation;

pub use erlang::{MOST_AGENTS, Performance, Target, Traffic};
pub use estimate::Estimate;
pub use profile::Profile;
pub use simulation::{Fault, Outcome, Scenario, run};
