//! Dialplans: the operator's plan files, checked and compiled, and the run of one call through a plan.

mod case;
mod condition;
mod flow;
mod inputs;
mod load;
mod plan;
mod prompts;
pub mod reader;
mod run;
#[cfg(test)]
mod tests;

pub use crate::ivr::{Action as RunAction, Event as RunInput, Names, QueueOutcome, Target, TransferOutcome, Value};
pub use plan::{Plan, Plans};
pub use run::{Facts, Run};
