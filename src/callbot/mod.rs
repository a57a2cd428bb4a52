//! The callbot's mind: what a caller says in their own words to what they want, and the conversation that follows from it.
//! Text in, actions out; nothing here hears or speaks.
//!
//! - `encoder`, `matching`: sentences to intents, from the operator's examples.
//! - `slots`, `words`: numbers, dates, names and the like in what was said.
//! - `bot`: what an operator's file says.
//! - `dialogue`: one conversation.

pub mod encoder;
pub mod matching;
pub mod text;

#[cfg(test)]
mod tests;
