//! The callbot's mind: what a caller says in their own words to what they want, and the conversation that follows from it.
//! Text in, actions out; nothing here hears or speaks.
//!
//! - `encoder`, `matching`, `understanding`: sentences to intents, from the operator's examples; METHODS.md has how the
//!   method was chosen.
//! - `slots`, `words`: numbers, dates, names and the like in what was said.
//! - `bot`: what an operator's file says; `config/bots` reads it.
//! - `dialogue`: one conversation; `case` plays one without a telephone.

pub mod bot;
pub mod case;
pub mod dialogue;
pub mod encoder;
pub mod matching;
pub mod privacy;
pub mod slots;
pub mod text;
pub mod understanding;
pub mod words;

#[cfg(test)]
mod tests;
