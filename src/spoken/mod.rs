//! Values as words: which recorded fragments say a number, a price, a date, one after the other, in a caller's language.
//!
//! Each language is a [`Table`] of rules that the operator can write (`prompts/fr/spoken.toml`); nothing of a language is
//! in the code. The rules are those of the Unicode locale data for spelling numbers out (UTS #35, part 3, "Rule-Based
//! Number Formatting"), with fragments in the place of text. `config/spoken.rs` reads the files, and
//! `prompts/SPOKEN.md` tells operators how to write one.

mod phone;
mod rule;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use phone::{Format as PhoneFormat, Phone};
pub use rule::{Base, Field, FormatPart, Part, parse_format, parse_rule};
pub use table::{Draft, Fault, Set, Table};
pub use value::{Amount, Kind, Said};

/// A fragment `vingt` is the prompt `spoken-vingt`.
pub const PREFIX: &str = "spoken-";

/// No value that a caller can follow has more fragments.
const MOST_FRAGMENTS: usize = 200;
