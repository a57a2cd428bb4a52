//! Dialplans: the operator's plan files, checked and compiled, and the run of one call through a plan.

mod case;
mod condition;
mod flow;
mod inputs;
mod load;
mod nested;
mod plan;
pub mod reader;
mod run;
#[cfg(test)]
mod tests;

pub use crate::caller::CallerFacts;
pub use crate::ivr::{
    Action as RunAction, Answer, Event as RunInput, LookUp, MessageEvent, Names, QueueOutcome, Target, TransferOutcome,
    Value, Webhook,
};
pub use plan::{Plan, Plans, Uses};
pub use run::{Facts, Run};
