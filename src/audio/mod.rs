//! Codecs, resampling, mixing, tones, keys in band and loss concealment. Linear audio is `i16`, mono; what runs every
//! 20 ms works on the caller's slices and allocates nothing after construction.

mod activity;
mod codec;
mod conceal;
mod dtmf;
mod echo;
mod endpoint;
mod g711;
mod g722;
mod mix;
mod pitch;
mod resample;
mod tone;

pub use activity::VoiceActivity;
pub use codec::{Decoder, Encoder, sample_rate_hz};
pub use conceal::Concealer;
pub use dtmf::{DtmfDetector, dtmf_frequencies};
pub use endpoint::{EndPointer, Turn, level};
pub use g722::SubBands;
pub use mix::Mixer;
pub use resample::{AudioError, Downsampler, Resampler, Upsampler};
pub use tone::Tone;
