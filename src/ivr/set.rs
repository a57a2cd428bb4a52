//! `set`: gives values to variables.

use super::Inputs;
use super::spec::{Ends, Spec};
use super::step::Done;

pub const SPEC: Spec = Spec {
    name: "set",
    summary: "Gives values to variables: in = { name = value, … }, where a value may be { cel = \"…\" }.",
    inputs: &[],
    outputs: &[],
    ends: Ends::Never,
    free_inputs: true,
};

pub(super) fn run(inputs: &Inputs) -> Done {
    Done::Set(inputs.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}
