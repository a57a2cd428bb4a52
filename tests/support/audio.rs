//! Voices of the stock prompts, noises, and what the telephone makes of them.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

pub const RATE_HZ: u32 = 8_000;

/// A FLAC or WAV file as linear mono audio at 8 kHz.
pub fn read(path: &Path) -> Vec<i16> {
    use symphonia::core::codecs::audio::AudioDecoderOptions;
    use symphonia::core::formats::TrackType;
    use symphonia::core::io::MediaSourceStream;
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Default::default(), stream, Default::default(), Default::default())
        .expect("a known format");
    let track = format.default_track(TrackType::Audio).expect("an audio track");
    let parameters = track.codec_params.clone().expect("parameters");
    let parameters = parameters.audio().expect("audio parameters");
    let rate = parameters.sample_rate.expect("a rate");
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .expect("a decoder");
    let mut samples: Vec<i16> = Vec::new();
    while let Ok(Some(packet)) = format.next_packet() {
        let decoded = decoder.decode(&packet).expect("whole packets");
        let mut some: Vec<i16> = Vec::new();
        decoded.copy_to_vec_interleaved(&mut some);
        samples.extend(some);
    }
    relais::audio::Resampler::convert(&samples, rate, RATE_HZ).expect("a rate that can be converted")
}

/// A stock prompt.
pub fn prompt(language: &str, name: &str) -> Vec<i16> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("prompts/{language}/{name}.flac")))
}

/// Through G.711 µ-law and back.
pub fn telephone(pcm: &[i16]) -> Vec<i16> {
    use relais::audio::{Decoder, Encoder};
    use relais::settings::Codec;
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcmu), Decoder::new(Codec::Pcmu));
    let mut heard = Vec::new();
    for piece in pcm.chunks(160) {
        let (mut octets, mut back) = ([0; 160], [0; 160]);
        let written = encoder.encode(piece, &mut octets);
        let samples = decoder.decode(&octets[..written], &mut back);
        heard.extend_from_slice(&back[..samples]);
    }
    heard
}

pub fn silence(seconds: f64) -> Vec<i16> {
    vec![0; (seconds * f64::from(RATE_HZ)) as usize]
}

/// The mean square of samples in dB below full scale.
pub fn level_db(pcm: &[i16]) -> f64 {
    let power = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64;
    10.0 * (power / 32_768.0_f64.powi(2)).max(1e-12).log10()
}

/// So much louder or softer that it has this level.
pub fn at_level(pcm: &[i16], db: f64) -> Vec<i16> {
    let gain = 10.0_f64.powf((db - level_db(pcm)) / 20.0);
    pcm.iter().map(|sample| (f64::from(*sample) * gain).clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// The second repeated over the whole of the first.
pub fn mixed(pcm: &[i16], other: &[i16]) -> Vec<i16> {
    pcm.iter().zip(other.iter().cycle()).map(|(a, b)| a.saturating_add(*b)).collect()
}

pub fn noise(seconds: f64, db: f64, seed: u64) -> Vec<i16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let samples: Vec<i16> = silence(seconds).iter().map(|_| (random.next_u32() >> 18) as i16 - 8_192).collect();
    at_level(&samples, db)
}

/// A number from 0 to 1.
pub fn share(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / f64::from(u32::MAX)
}

/// Engines far away, and cars that pass: a rumble that falls by 6 dB an octave, and the hiss of tyres about 900 Hz that
/// comes and goes every few seconds.
pub fn street(samples: usize, seed: u64) -> Vec<i16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let rate = f64::from(RATE_HZ);
    let mut cars = Vec::new();
    let mut next = 3.0 * share(&mut random);
    while next < samples as f64 / rate + 3.0 {
        cars.push((next, 0.6 + 0.6 * share(&mut random)));
        next += 2.5 + 1.5 * share(&mut random);
    }
    let (mut rumble, mut low, mut band) = (0.0, 0.0, 0.0);
    let sound = (0..samples).map(|at| {
        let (first, second) = (share(&mut random) - 0.5, share(&mut random) - 0.5);
        rumble += std::f64::consts::TAU * 40.0 / rate * (12.0 * first - rumble);
        // Two poles: below 1.4 kHz, and without what is below 500 Hz.
        low += std::f64::consts::TAU * 1_400.0 / rate * 0.6 * (second - low);
        band += std::f64::consts::TAU * 500.0 / rate * (low - band);
        let time = at as f64 / rate;
        let near: f64 = cars.iter().map(|(passes, lasts)| (-((time - passes) / lasts).powi(2)).exp()).sum();
        ((rumble + 1.5 * near * (low - band)) * 8_000.0) as i16
    });
    sound.collect()
}

/// A cough: a burst of noise in the range of a throat, steep at its start, over in a quarter of a second.
pub fn cough(seed: u64) -> Vec<i16> {
    let raw = noise(0.26, -12.0, seed);
    let mut low = 0.0;
    let shaped = raw.iter().enumerate().map(|(at, sample)| {
        // One pole at about 1.2 kHz.
        low += 0.6 * (f64::from(*sample) - low);
        let time = at as f64 / f64::from(RATE_HZ);
        (low * (-time / 0.07).exp() * (time / 0.004).min(1.0)) as i16
    });
    at_level(&shaped.collect::<Vec<_>>(), -20.0)
}

/// A key for so many seconds.
pub fn key(event: u8, seconds: f64) -> Vec<i16> {
    let [low, high] = relais::audio::dtmf_frequencies(event).expect("a key");
    let turn = |hz: u16, at: usize| (std::f64::consts::TAU * f64::from(hz) * at as f64 / f64::from(RATE_HZ)).sin();
    (0..silence(seconds).len()).map(|at| ((turn(low, at) + turn(high, at)) * 4_000.0) as i16).collect()
}
