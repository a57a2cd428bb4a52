//! Why a sound file cannot be used. Each error has its remedy.

use std::io;

use thiserror::Error;

use super::decode::{MAX_CHANNELS, MAX_FILE_OCTETS, MAX_SECONDS};
use super::library::MAX_LIBRARY_OCTETS;
use crate::audio::AudioError;

#[derive(Debug, Error)]
pub enum PromptError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is not a regular file")]
    NotAFile,
    #[error("is larger than {} MiB", MAX_FILE_OCTETS / (1024 * 1024))]
    FileTooLarge,
    #[error("lasts longer than {} minutes", MAX_SECONDS / 60)]
    TooLong,
    #[error("is no sound file that can be read: {0}")]
    Malformed(String),
    #[error("holds Opus, which is not supported as a prompt")]
    Opus,
    #[error("holds a codec that is not supported: {0}")]
    UnsupportedCodec(String),
    #[error("holds no sound track")]
    NoTrack,
    #[error("has {0} channels; one to {MAX_CHANNELS} are supported")]
    Channels(usize),
    #[error("does not say its sample rate")]
    NoRate,
    #[error("holds no sound at all")]
    Empty,
    #[error("broke its decoder")]
    DecoderFailed,
    #[error(transparent)]
    Audio(#[from] AudioError),
    #[error("does not fit: all prompts together take more than {} MiB of memory", MAX_LIBRARY_OCTETS / (1024 * 1024))]
    LibraryFull,
}

impl PromptError {
    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            PromptError::Unreadable(_) | PromptError::NotAFile => {
                "give the user that runs relais a plain file it may read"
            }
            PromptError::FileTooLarge => "store it compressed: `sox in.wav -r 16000 -c 1 out.flac`",
            PromptError::TooLong | PromptError::LibraryFull => "cut it shorter, or remove prompts that no plan plays",
            PromptError::Opus => "convert it to FLAC: `opusdec in.opus - | sox - -r 16000 -c 1 out.flac`",
            PromptError::Malformed(_)
            | PromptError::UnsupportedCodec(_)
            | PromptError::NoTrack
            | PromptError::NoRate
            | PromptError::DecoderFailed => "save it anew as WAV, FLAC, Ogg Vorbis, MP3 or M4A",
            PromptError::Channels(_) => "mix it down to one channel: `sox in.wav -c 1 out.wav`",
            PromptError::Empty => "record it again, or remove the file",
            PromptError::Audio(_) => "convert it to 16 kHz: `sox in.wav -r 16000 out.wav`",
        }
    }
}
