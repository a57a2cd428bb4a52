//! `language`: changes the language of what the caller hears from now on.

use super::Inputs;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use crate::ids::Language;

pub const SPEC: Spec = Spec {
    name: "language",
    summary: "Changes the language of the prompts from here on.",
    inputs: &[Input { name: "language", kind: Kind::Language, need: Need::Required, doc: "a language of the prompts" }],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["set", "unknown"]),
        doc: "`set`, or `unknown` when there are no prompts in that language",
    }],
    ends: Ends::Never,
    free_inputs: false,
};

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    match inputs.text("language") {
        Some(language) if step.names.prompts.contains_key(language) => {
            step.desk.language = Language::from(language);
            Done::next("set")
        }
        _ => Done::next("unknown"),
    }
}
