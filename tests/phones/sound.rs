//! Sound for measuring: G.711 µ-law, tones, levels, prompts as files, correlation. Written apart from the appliance's own
//! audio code, so that a fault there is not repeated here.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use super::appliance::project;

/// ITU-T G.711 µ-law.
pub fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let exponent = (0..8).rev().find(|e| magnitude >> (e + 7) != 0).unwrap_or(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

pub fn decode(octet: u8) -> i16 {
    let octet = !octet;
    let magnitude = (((i32::from(octet & 0x0f) << 3) + 132) << ((octet >> 4) & 7)) - 132;
    if octet & 0x80 != 0 { -magnitude as i16 } else { magnitude as i16 }
}

/// µ-law samples of a sine at -16 dBFS, from sample `from` of an endless one.
pub fn tone(hz: u32, from: usize, samples: usize) -> Vec<u8> {
    let sine = |at: usize| (5193.0 * (TAU * f64::from(hz) * at as f64 / 8000.0).sin()) as i16;
    (from..from + samples).map(|at| encode(sine(at))).collect()
}

/// The level of one frequency in dB below full scale (a sine of full amplitude is 0), by Goertzel.
pub fn tone_level(samples: &[i16], hz: u32) -> f64 {
    let turn = 2.0 * (TAU * f64::from(hz) / 8000.0).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for &sample in samples {
        let zero = f64::from(sample) / 32768.0 + turn * one - two;
        two = one;
        one = zero;
    }
    let power = one * one + two * two - turn * one * two;
    20.0 * (2.0 * power.max(1e-20).sqrt() / samples.len().max(1) as f64).log10()
}

/// A prompt file as linear audio at 8 kHz. It is read once: who waits for one looks often, and takes nobody's time with it.
pub fn prompt(language: &str, name: &str) -> Arc<[i16]> {
    static READ: LazyLock<Mutex<HashMap<String, Arc<[i16]>>>> = LazyLock::new(Mutex::default);
    let file = format!("prompts/{language}/{name}.flac");
    let mut read = READ.lock().expect("no reader has failed");
    let prompt = read.entry(file).or_insert_with_key(|file| {
        let (rate, samples) = flac(&project().join(file));
        match rate {
            8000 => samples.into(),
            16_000 => halved(&samples).into(),
            other => panic!("{file}: {other} Hz"),
        }
    });
    prompt.clone()
}

/// Decodes a FLAC file: its rate and samples, interleaved.
pub fn flac(path: &Path) -> (u32, Vec<i16>) {
    use symphonia::core::codecs::audio::AudioDecoderOptions;
    use symphonia::core::formats::TrackType;
    use symphonia::core::io::MediaSourceStream;
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Default::default(), stream, Default::default(), Default::default())
        .expect("a sound file");
    let track = format.default_track(TrackType::Audio).expect("a track");
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio()).expect("sound").clone();
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .expect("a decoder");
    let mut samples: Vec<i16> = Vec::new();
    while let Ok(Some(packet)) = format.next_packet() {
        let mut some: Vec<i16> = Vec::new();
        decoder.decode(&packet).expect("a sound packet").copy_to_vec_interleaved(&mut some);
        samples.extend(some);
    }
    (parameters.sample_rate.expect("a rate"), samples)
}

/// From 16 to 8 kHz: a windowed-sinc low pass at 3.6 kHz, then every other sample.
fn halved(samples: &[i16]) -> Vec<i16> {
    const HALF: i64 = 40;
    let taps: Vec<f64> = (-HALF..=HALF)
        .map(|n| {
            let x = TAU / 2.0 * n as f64 * 2.0 * 3600.0 / 16_000.0;
            let sinc = if n == 0 { 1.0 } else { x.sin() / x };
            let window = 0.54 + 0.46 * (TAU / 2.0 * n as f64 / HALF as f64).cos();
            sinc * window * 2.0 * 3600.0 / 16_000.0
        })
        .collect();
    let at = |index: i64| usize::try_from(index).ok().and_then(|index| samples.get(index)).copied().unwrap_or(0);
    (0..samples.len() as i64)
        .step_by(2)
        .map(|centre| (-HALF..).zip(&taps).map(|(n, tap)| tap * f64::from(at(centre + n))).sum::<f64>() as i16)
        .collect()
}

/// The best normalised correlation of `wanted` anywhere in `heard`, and where it starts (in samples).
pub fn correlation(wanted: &[i16], heard: &[i16]) -> (f64, usize) {
    if heard.len() < wanted.len() || wanted.is_empty() {
        return (0.0, 0);
    }
    // The loudest eighth of a second finds the place, the whole prompt is then judged there.
    let probe = 1000.min(wanted.len());
    let energy = |from: usize| wanted[from..from + probe].iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
    let start = (0..=wanted.len() - probe).step_by(200).max_by(|&a, &b| energy(a).total_cmp(&energy(b))).unwrap_or(0);
    let mut best = (f64::MIN, start);
    for at in start..=start + heard.len() - wanted.len() {
        let similar = cosine(&wanted[start..start + probe], &heard[at..at + probe]);
        if similar > best.0 {
            best = (similar, at);
        }
    }
    let place = best.1 - start;
    (cosine(wanted, &heard[place..place + wanted.len()]), place)
}

fn cosine(a: &[i16], b: &[i16]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0i64, 0i64, 0i64);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (i64::from(x), i64::from(y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa == 0 || bb == 0 { 0.0 } else { ab as f64 / (aa as f64 * bb as f64).sqrt() }
}

/// A WAV file (PCM, 16 bit, mono, 8 kHz).
pub fn write_wav(path: &Path, samples: &[i16]) {
    let octets = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend(b"RIFF");
    file.extend((36 + octets).to_le_bytes());
    file.extend(b"WAVEfmt ");
    for part in
        [&16u32.to_le_bytes()[..], &[1, 0, 1, 0], &8000u32.to_le_bytes(), &16_000u32.to_le_bytes(), &[2, 0, 16, 0]]
    {
        file.extend(part);
    }
    file.extend(b"data");
    file.extend(octets.to_le_bytes());
    samples.iter().for_each(|sample| file.extend(sample.to_le_bytes()));
    std::fs::write(path, file).expect("a writable folder");
}

/// The samples of such a file; also where its writer did not get to the lengths in its header.
pub fn read_wav(path: &Path) -> Vec<i16> {
    let file = std::fs::read(path).unwrap_or_default();
    let data = file.windows(4).position(|name| name == b"data").map_or(file.len(), |at| at + 8);
    file[data.min(file.len())..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_the_standards() {
        // G.711 table 2a: the ends, the middle, and a round trip of every code.
        assert_eq!((decode(0x80), decode(0x00), decode(0xff), decode(0x7f)), (32_124, -32_124, 0, 0));
        for octet in 0..=255u8 {
            let again = encode(decode(octet));
            assert!(again == octet || octet == 0x7f, "{octet:#x} became {again:#x}");
        }
    }

    #[test]
    fn a_tone_is_measured_at_its_level_and_no_other_is_heard() {
        let heard: Vec<_> = tone(430, 77, 4000).into_iter().map(decode).collect();
        assert!((tone_level(&heard, 430) + 16.0).abs() < 0.5, "{}", tone_level(&heard, 430));
        assert!(tone_level(&heard, 770) < -50.0, "{}", tone_level(&heard, 770));
    }

    #[test]
    fn a_prompt_is_found_where_it_is_and_not_where_it_is_not() {
        let mut state = 1u32;
        let mut noise = |count: usize| -> Vec<i16> {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 / 4
            };
            (0..count).map(next).collect()
        };
        let (before, wanted, other) = (noise(1234), noise(8000), noise(12_000));
        let coded: Vec<_> = wanted.iter().map(|&sample| decode(encode(sample))).collect();
        let heard = [before, coded, noise(500)].concat();
        let (similar, at) = correlation(&wanted, &heard);
        assert!(similar > 0.99 && at == 1234, "{similar} at {at}");
        assert!(correlation(&wanted, &other).0 < 0.2);
    }

    #[test]
    fn a_prompt_file_is_read_at_8_khz() {
        if !project().join("prompts/en/menu.flac").is_file() {
            return super::super::support::skip("a_prompt_file_is_read_at_8_khz", "prompts/en/menu.flac is not there");
        }
        let (menu, greeting) = (prompt("en", "menu"), prompt("en", "greeting"));
        assert!((3 * 8000..20 * 8000).contains(&menu.len()), "{} samples", menu.len());
        let loudest = menu.iter().map(|sample| sample.unsigned_abs()).max().expect("samples");
        assert!(loudest > 3000, "at most {loudest}");
        let heard: Vec<_> = [greeting.clone(), menu.clone()].concat().into_iter().map(|s| decode(encode(s))).collect();
        let (similar, at) = correlation(&menu, &heard);
        assert!(similar > 0.98 && at.abs_diff(greeting.len()) < 3, "{similar} at {at}, not {}", greeting.len());
    }
}
