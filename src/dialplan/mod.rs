//! Dialplans: the operator's plan files, checked and compiled, and the run of one call through a plan.

mod case;
mod condition;
pub mod driver;
mod flow;
mod inputs;
mod load;
mod plan;
pub mod reader;
mod run;
mod schema;
#[cfg(test)]
mod tests;
mod trail;

pub use crate::ivr::{Action as RunAction, Event as RunInput, Names, QueueOutcome, Target, TransferOutcome, Value};
pub use case::{Case, Miss};
pub use plan::{Level, Plan, Plans, Rule};
pub use run::{Facts, Run};
pub use schema::schema;
