//! Dialplans: the operator's plan files, checked and compiled, and the run of one call through a plan.

#[cfg(test)]
mod agreement;
mod case;
mod computed;
mod condition;
mod declared;
mod distribution;
mod draft;
pub mod driver;
mod evaluate;
mod expression;
mod facts;
mod flow;
mod inputs;
mod load;
mod nested;
mod operand;
pub mod picture;
mod plan;
mod prompts;
pub mod reader;
mod run;
mod schema;
mod scope;
#[cfg(test)]
mod tests;
mod trail;
mod types;
mod typing;
mod variables;
mod verdict;

pub use crate::caller::CallerFacts;
pub use crate::ivr::{
    Action as RunAction, Answer, CallBackOutcome, Event as RunInput, HttpRequest, LookUp, MeetOutcome, Meeting,
    MessageEvent, Names, NoQueues, QueueFigures, QueueOutcome, Queues, Speech, Target, TransferOutcome, Value, Webhook,
};
pub use case::{Case, Miss};
pub use declared::Declared;
pub use facts::Facts;
pub use operand::Fault;
pub use plan::{Callee, Level, Number, Plan, Plans, Rule, Uses, Ways};
pub use run::Run;
pub use schema::schema;
pub use types::{Record, Type};
