//! Spoken prompts and music: files to encoded audio, held once for all calls.
//!
//! A folder of prompts looks like this; `catalogue` reads the first line, `index` the rest, `decode` what the files
//! hold, and `library` keeps the result:
//!
//! ```text
//! prompts.toml          what every prompt says, per language
//! fr/spoken.toml        the fragments that values are said with, under [words]
//! made.tsv              the files that a voice made and nobody recorded (optional)
//! en/menu.flac          the prompt `menu` in English
//! fr/menu.wav           the same in French
//! music/default.flac    a sound that is the same in every language: `music/default`
//! ```

mod catalogue;
mod decode;
mod error;
mod finding;
mod index;
mod library;
mod shelf;
#[cfg(test)]
mod tests;

pub use decode::{Recording, read_sound, take_recording};
pub use error::PromptError;
pub use finding::Finding;
pub(crate) use index::ENDINGS;
pub use index::{Index, is_prompt_name};
pub use library::{Encoded, Library};
pub use shelf::Shelf;
