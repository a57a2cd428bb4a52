use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::audio::Tone;
use crate::bridge::Latch;

const FRAME: usize = 160;

fn stream() -> Stream {
    Stream {
        remote: None,
        remote_rtcp: None,
        rtcp_mux: true,
        codec: Codec::Opus,
        send_payload_type: 111,
        receive_payload_type: 109,
        send_event_type: Some(126),
        receive_event_type: Some(126),
        ptime: Duration::from_millis(20),
        send: true,
        receive: true,
        latch: Latch::Never,
        security: Default::default(),
    }
}

fn transcoder() -> Transcoder {
    Transcoder::new(&stream()).unwrap()
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 5 };
    let mut packet = vec![0; Header::LEN];
    header.write(&mut packet).unwrap();
    packet.extend_from_slice(payload);
    packet
}

/// The share of a tone in the power of what is heard, at 16 kHz.
fn share(pcm: &[i16], hz: f64, rate_hz: f64) -> f64 {
    let (mut re, mut im, mut power) = (0.0, 0.0, 1.0);
    for (at, sample) in pcm.iter().enumerate() {
        let phase = 2.0 * std::f64::consts::PI * hz * at as f64 / rate_hz;
        let sample = f64::from(*sample);
        re += sample * phase.cos();
        im += sample * phase.sin();
        power += sample * sample;
    }
    2.0 * (re * re + im * im) / (power * pcm.len() as f64)
}

/// A tone by a far end of its own encoder, packet by packet, at 48 kHz.
fn far_end_says(packets: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).unwrap();
    encoder.set_bitrate(Bitrate::Value(32_000)).unwrap();
    encoder.set_inband_fec(InbandFec::Mode1).unwrap();
    encoder.set_packet_loss(20).unwrap();
    let mut tone = Tone::new(48_000, [1_000, 0], Duration::from_secs(60), Duration::ZERO);
    let coded = (0..packets).map(|_| {
        let mut pcm = [0i16; 960];
        tone.fill(&mut pcm);
        let mut payload = [0u8; 400];
        let length = encoder.encode_to_slice(&pcm.map(|sample| sample as u16), &mut payload).unwrap();
        payload[..length].to_vec()
    });
    coded.collect()
}

/// What the worker is handed.
fn received(transcoder: &mut Transcoder, packet: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut pieces = Pieces::new();
    transcoder.receive(&mut packet.to_vec(), &mut pieces);
    let mut into = [0u8; 2_000];
    let mut all = Vec::new();
    while let Some(piece) = pieces.take(&mut into) {
        let view = Header::parse(piece).unwrap();
        all.push((view.header, view.payload.to_vec()));
    }
    all
}

/// Trap 10 of a browser's voice: the stream has a clock of 48 kHz.
#[test]
fn what_we_say_is_opus_with_its_own_clock() {
    let mut transcoder = transcoder();
    let mut tone = Tone::new(16_000, [1_000, 0], Duration::from_secs(60), Duration::ZERO);
    let mut encoder = audio::Encoder::new(Codec::G722);
    let mut decoder = Decoder::new(Channels::Mono, SampleRate::Hz48000).unwrap();
    let mut heard = Vec::new();
    for step in 0..50u32 {
        let mut pcm = [0i16; 2 * FRAME];
        tone.fill(&mut pcm);
        let mut payload = [0u8; FRAME];
        encoder.encode(&pcm, &mut payload);
        let mut out = [0u8; 1_500];
        let timestamp = (u32::MAX - 1_000).wrapping_add(step * 160);
        let length = transcoder.send(&packet(111, step as u16, timestamp, &payload), &mut out).unwrap();
        let view = Header::parse(&out[..length]).unwrap();
        assert_eq!((view.header.payload_type, view.header.sequence), (111, step as u16));
        assert_eq!(view.header.timestamp, timestamp.wrapping_mul(6));
        assert!(view.payload.len() < FRAME, "{} octets are more than G.722", view.payload.len());
        let mut words = [0u16; 960];
        assert_eq!(decoder.decode_to_slice(view.payload, &mut words, false).unwrap(), 960);
        heard.extend(words.map(|word| word as i16));
    }
    assert!(share(&heard[9_600..], 1_000.0, 48_000.0) > 0.95);
}

#[test]
fn what_the_far_end_says_is_carried_as_g722() {
    let mut transcoder = transcoder();
    let mut decoder = audio::Decoder::new(Codec::G722);
    let mut heard = Vec::new();
    let mut last = None;
    for (step, payload) in far_end_says(50).into_iter().enumerate() {
        let timestamp = 0xffff_f000u32.wrapping_add(step as u32 * 960);
        let handed = received(&mut transcoder, &packet(109, step as u16, timestamp, &payload));
        let [(header, voice)] = &handed[..] else { panic!("one packet each: {handed:?}") };
        assert_eq!((header.payload_type, header.sequence, voice.len()), (109, step as u16, FRAME));
        if let Some(last) = last.replace(header.timestamp) {
            assert_eq!(
                header.timestamp.wrapping_sub(last),
                160,
                "a clock of 8 kHz that does not jump with the other's end"
            );
        }
        let mut pcm = [0i16; 2 * FRAME];
        decoder.decode(voice, &mut pcm);
        heard.extend(pcm);
    }
    assert!(share(&heard[3_200..], 1_000.0, 16_000.0) > 0.95);
}

#[test]
fn a_lost_packet_is_made_up_for_by_the_next() {
    let mut transcoder = transcoder();
    let mut decoder = audio::Decoder::new(Codec::G722);
    let mut heard = Vec::new();
    let mut numbers = Vec::new();
    for (step, payload) in far_end_says(60).into_iter().enumerate() {
        if step == 40 || step == 50 || step == 51 {
            continue;
        }
        for (header, voice) in received(&mut transcoder, &packet(109, step as u16, step as u32 * 960, &payload)) {
            numbers.push((header.sequence, header.timestamp));
            let mut pcm = [0i16; 2 * FRAME];
            decoder.decode(&voice, &mut pcm);
            heard.extend(pcm);
        }
    }
    let wanted: Vec<(u16, u32)> = (0..60).map(|step| (step, u32::from(step) * 160)).collect();
    assert_eq!(numbers, wanted);
    let power = |piece: usize| {
        heard[piece * 320..(piece + 1) * 320].iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
    };
    // Of two that are missing the first is guessed, and the second what the redundancy holds.
    for lost in [40, 50] {
        assert!(power(lost) > 0.2 * power(30), "{lost}: what is made up is as loud as what was said");
    }
}

#[test]
fn late_packets_are_left_out_and_long_gaps_are_gaps() {
    let mut transcoder = transcoder();
    let said = far_end_says(40);
    let mut take =
        |step: usize| received(&mut transcoder, &packet(109, step as u16, step as u32 * 960, &said[step])).len();
    assert_eq!((take(0), take(2), take(1), take(2)), (1, 2, 0, 0));
    assert_eq!(take(20), 1, "17 are missing");
    assert_eq!(take(21), 1);
}

/// Trap 10: a key's time stamp is of Opus' clock, its duration of 8 kHz.
#[test]
fn keys_have_the_clock_of_the_stream_and_a_duration_of_their_own() {
    let mut transcoder = transcoder();
    let event = [5, 0x8a, 0x03, 0x20];
    let mut out = [0u8; 100];
    let length = transcoder.send(&packet(126, 1, 1_000, &event), &mut out).unwrap();
    let view = Header::parse(&out[..length]).unwrap();
    assert_eq!((view.header.timestamp, view.payload), (6_000, &event[..]));
    let said = far_end_says(1);
    let voice = received(&mut transcoder, &packet(109, 7, 96_000, &said[0]));
    let key = received(&mut transcoder, &packet(126, 8, 96_960, &event));
    assert_eq!(key.len(), 1);
    assert_eq!(key[0].1, event);
    assert_eq!(key[0].0.timestamp, voice[0].0.timestamp + 160);
}

#[test]
fn a_senders_report_is_by_the_clock_of_its_stream() {
    let mut transcoder = transcoder();
    let report = hex::decode("80c80006000000050102030405060708000003e80000000100000002").unwrap();
    let mut out = [0u8; 100];
    let length = transcoder.send(&report, &mut out).unwrap();
    assert_eq!(out[16..20], 6_000u32.to_be_bytes());
    assert_eq!((&out[..16], &out[20..length]), (&report[..16], &report[20..]));
    let theirs = hex::decode("80c9000100000005").unwrap();
    let mut pieces = Pieces::new();
    transcoder.receive(&mut theirs.clone(), &mut pieces);
    assert_eq!(pieces.take(&mut [0; 100]).map(|piece| piece.to_vec()), Some(theirs));
}

#[test]
fn no_payload_whatever_brings_a_transcoder_down() {
    let rng = &mut ChaCha12Rng::seed_from_u64(4);
    let mut transcoder = transcoder();
    let said = far_end_says(20);
    for round in 0..3_000usize {
        let mut payload = said[round % said.len()].clone();
        for _ in 0..rng.next_u32() % 5 {
            let at = rng.next_u32() as usize % payload.len();
            payload[at] = rng.next_u32() as u8;
        }
        payload.truncate(rng.next_u32() as usize % (payload.len() + 1));
        let sequence = (round as u16).wrapping_add(rng.next_u32() as u16 % 4);
        let all = received(&mut transcoder, &packet(109, sequence, rng.next_u32(), &payload));
        assert!(all.len() <= MOST_PIECES && all.iter().all(|(_, voice)| voice.len() <= LONGEST_OCTETS));
        let mut noise = vec![0; rng.next_u32() as usize % 700];
        rng.fill_bytes(&mut noise);
        let _ = transcoder.send(&packet(111, sequence, 0, &noise), &mut [0; 2_000]);
    }
}
