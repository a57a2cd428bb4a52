//! Sound files to linear audio, by symphonia: WAV (PCM, µ-law, A-law, ADPCM), FLAC, Ogg Vorbis, MP3, M4A and AAC.
//!
//! Files are the operator's, yet nothing in them is trusted: sizes, lengths, channels and packets have bounds, and a
//! decoder that panics costs only its own file.

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::PromptError;
use crate::audio::Resampler;

pub(super) const MAX_FILE_OCTETS: u64 = 64 * 1024 * 1024;
pub(super) const MAX_SECONDS: u32 = 15 * 60;
pub(super) const MAX_CHANNELS: usize = 8;

/// Samples kept while decoding one file, whatever its rate: 15 minutes at 48 kHz, 86 MB.
const MAX_SAMPLES: usize = MAX_SECONDS as usize * 48_000;
/// A packet of 20 ms or more each; a file that goes on past this with smaller ones is a trap.
const MAX_PACKETS: usize = 2_000_000;
/// The longest packet of any format read here is 65,535 frames (FLAC).
const MAX_FRAMES_PER_PACKET: u64 = 1 << 17;
/// Damaged packets are left out, as players do, until there are this many.
const MAX_DAMAGED_PACKETS: usize = 100;

/// Mono linear audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pcm {
    pub rate_hz: u32,
    pub samples: Vec<i16>,
}

/// Reads and decodes one file.
pub(super) fn decode_file(path: &Path) -> Result<Pcm, PromptError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    decode(read(path)?, ending)
}

/// A sound file as linear audio of one channel at this rate.
pub fn read_sound(path: &Path, rate_hz: u32) -> Result<Vec<i16>, PromptError> {
    let pcm = decode_file(path)?;
    Ok(Resampler::convert(&pcm.samples, pcm.rate_hz, rate_hz)?)
}

/// The rate of recordings that are taken in: what the widest of our codecs keeps.
const RECORDING_HZ: u32 = 16_000;

/// A recording that somebody sends, decoded and written anew: one channel of 16 bits at 16 kHz. Nothing else of what was
/// sent is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub wav: Vec<u8>,
    pub milliseconds: u64,
}

/// Takes a sound file of any kind that is read.
pub fn take_recording(octets: Vec<u8>) -> Result<Recording, PromptError> {
    let pcm = decode(octets, "")?;
    let samples = Resampler::convert(&pcm.samples, pcm.rate_hz, RECORDING_HZ)?;
    let milliseconds = samples.len() as u64 * 1_000 / u64::from(RECORDING_HZ);
    let size = u32::try_from(samples.len() * 2).map_err(|_| PromptError::TooLong)?;
    let mut wav = Vec::with_capacity(samples.len() * 2 + 44);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(size + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    for field in [1_u16, 1] {
        wav.extend_from_slice(&field.to_le_bytes());
    }
    wav.extend_from_slice(&RECORDING_HZ.to_le_bytes());
    wav.extend_from_slice(&(RECORDING_HZ * 2).to_le_bytes());
    for field in [2_u16, 16] {
        wav.extend_from_slice(&field.to_le_bytes());
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&size.to_le_bytes());
    samples.iter().for_each(|sample| wav.extend_from_slice(&sample.to_le_bytes()));
    Ok(Recording { wav, milliseconds })
}

fn read(path: &Path) -> Result<Vec<u8>, PromptError> {
    // Asked before opening: opening a named pipe would wait for a writer.
    let metadata = path.metadata()?;
    if !metadata.is_file() {
        return Err(PromptError::NotAFile);
    }
    if metadata.len() > MAX_FILE_OCTETS {
        return Err(PromptError::FileTooLarge);
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    File::open(path)?.take(MAX_FILE_OCTETS + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_FILE_OCTETS {
        return Err(PromptError::FileTooLarge);
    }
    Ok(octets)
}

/// Decodes a whole file to mono at its own rate; `ending` (`wav`, `mp3`, …) is only a hint to its format.
pub(super) fn decode(octets: Vec<u8>, ending: &str) -> Result<Pcm, PromptError> {
    catch_unwind(AssertUnwindSafe(|| decode_trusting(octets, ending))).unwrap_or(Err(PromptError::DecoderFailed))
}

fn decode_trusting(octets: Vec<u8>, ending: &str) -> Result<Pcm, PromptError> {
    let stream = MediaSourceStream::new(Box::new(Cursor::new(octets)), Default::default());
    let mut hint = Hint::new();
    hint.with_extension(ending);
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(malformed)?;
    let (track, mut decoder) = open_track(format.as_ref())?;
    let mut pcm = Pcm { rate_hz: 0, samples: Vec::new() };
    let mut damaged = 0;
    for _ in 0..MAX_PACKETS {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // A file cut short, and what follows in a chained stream, end the prompt.
            Ok(None) | Err(Error::ResetRequired) => return finish(pcm),
            Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => return finish(pcm),
            Err(error) => return Err(malformed(error)),
        };
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                let mut interleaved: Vec<f32> = Vec::new();
                buffer.copy_to_vec_interleaved(&mut interleaved);
                append(&mut pcm, &interleaved, buffer.spec().rate(), buffer.spec().channels().count())?;
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) if damaged < MAX_DAMAGED_PACKETS => damaged += 1,
            Err(error) => return Err(malformed(error)),
        }
    }
    Err(PromptError::TooLong)
}

/// The first sound track and its decoder, once its parameters are found to be sane.
fn open_track(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>), PromptError> {
    let track = format.default_track(TrackType::Audio).ok_or(PromptError::NoTrack)?;
    let parameters =
        track.codec_params.as_ref().and_then(|parameters| parameters.audio()).ok_or(PromptError::NoTrack)?;
    check(parameters)?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| PromptError::UnsupportedCodec(error.to_string()))?;
    Ok((track.id, decoder))
}

fn check(parameters: &AudioCodecParameters) -> Result<(), PromptError> {
    if parameters.codec == CODEC_ID_OPUS {
        return Err(PromptError::Opus);
    }
    if let Some(channels) = parameters.channels.as_ref().map(|channels| channels.count())
        && !(1..=MAX_CHANNELS).contains(&channels)
    {
        return Err(PromptError::Channels(channels));
    }
    if parameters.max_frames_per_packet.is_some_and(|frames| frames > MAX_FRAMES_PER_PACKET) {
        return Err(PromptError::Malformed("its packets are too long".to_owned()));
    }
    Ok(())
}

/// Mixes one packet down to a channel, each with the same weight.
fn append(pcm: &mut Pcm, interleaved: &[f32], rate_hz: u32, channels: usize) -> Result<(), PromptError> {
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(PromptError::Channels(channels));
    }
    if rate_hz == 0 {
        return Err(PromptError::NoRate);
    }
    if pcm.rate_hz != 0 && pcm.rate_hz != rate_hz {
        return Err(PromptError::Malformed("its sample rate changes in the middle".to_owned()));
    }
    pcm.rate_hz = rate_hz;
    let frames = interleaved.len() / channels;
    let longest = MAX_SAMPLES.min(MAX_SECONDS as usize * rate_hz as usize);
    if pcm.samples.len() + frames > longest {
        return Err(PromptError::TooLong);
    }
    let weight = 32_768.0 / channels as f32;
    let mono = interleaved.chunks_exact(channels).map(|frame| (frame.iter().sum::<f32>() * weight).round() as i16);
    pcm.samples.extend(mono);
    Ok(())
}

fn finish(pcm: Pcm) -> Result<Pcm, PromptError> {
    if pcm.samples.is_empty() { Err(PromptError::Empty) } else { Ok(pcm) }
}

fn malformed(error: Error) -> PromptError {
    match error {
        Error::Unsupported(what) => PromptError::UnsupportedCodec(what.to_owned()),
        error => PromptError::Malformed(error.to_string()),
    }
}
