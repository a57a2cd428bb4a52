//! Mixing: everyone is summed once, and each hears the sum less their own voice.

use serde::{Deserialize, Serialize};

/// The sum of one 20 ms block (160 or 320 samples).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mixer {
    sum: Vec<i32>,
}

impl Mixer {
    /// `block` is the number of samples of a block.
    pub fn new(block: usize) -> Self {
        Mixer { sum: vec![0; block] }
    }

    /// Begins the next block.
    pub fn clear(&mut self) {
        self.sum.fill(0);
    }

    /// Adds one voice; a shorter one counts as silent at its end.
    pub fn add(&mut self, voice: &[i16]) {
        let _ = voice;
    }

    /// What one hears: the sum, less their own voice where they were added, softly limited.
    pub fn hear(&self, own: Option<&[i16]>, out: &mut [i16]) {
        let _ = own;
        out.fill(0);
    }
}
