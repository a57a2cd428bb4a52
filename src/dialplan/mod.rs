//! Dialplans: the operator's plan files, checked and compiled, and the run of one call through a plan.

mod case;
mod condition;
pub mod driver;
mod flow;
mod inputs;
mod load;
mod nested;
mod plan;
pub mod reader;
mod run;
mod schema;
#[cfg(test)]
mod tests;
mod trail;

pub use crate::caller::CallerFacts;
pub use crate::ivr::{
    Action as RunAction, Answer, Event as RunInput, LookUp, Names, QueueOutcome, Target, TransferOutcome, Value,
    Webhook,
};
pub use case::{Case, Miss};
pub use plan::{Level, Plan, Plans, Rule, Uses};
pub use run::{Facts, Run};
pub use schema::schema;
