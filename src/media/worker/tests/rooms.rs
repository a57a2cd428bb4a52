//! Mixes and unlike codecs.

use std::f64::consts::TAU;

use super::*;
use crate::audio::{Decoder, Encoder, sample_rate_hz};

/// A far end that speaks a sine of its own.
pub(super) struct Speaker {
    leg: u64,
    codec: Codec,
    hz: f64,
    amplitude: f64,
    encoder: Encoder,
    sequence: u16,
}

impl Speaker {
    pub(super) fn new(leg: u64, codec: Codec, hz: f64) -> Self {
        Speaker { leg, codec, hz, amplitude: 4000.0, encoder: Encoder::new(codec), sequence: 0 }
    }

    pub(super) fn at(self, amplitude: f64) -> Self {
        Speaker { amplitude, ..self }
    }

    fn speak(&mut self, bench: &mut Bench) {
        let rate = f64::from(sample_rate_hz(self.codec));
        let samples = rate as usize / 50;
        let begin = usize::from(self.sequence) * samples;
        let pcm: Vec<i16> = (begin..begin + samples)
            .map(|at| (self.amplitude * (TAU * self.hz * at as f64 / rate).sin()) as i16)
            .collect();
        let mut payload = [0; 160];
        assert_eq!(self.encoder.encode(&pcm, &mut payload), 160);
        let payload_type = stream(self.leg, self.codec).receive_payload_type;
        let header =
            Header { payload_type, ssrc: self.leg as u32, ..header(self.sequence, u32::from(self.sequence) * 160) };
        bench.rtp(self.leg, header, &payload);
        self.sequence += 1;
    }
}

/// Everybody speaks for a time, every 20 ms.
pub(super) fn speak(bench: &mut Bench, speakers: &mut [Speaker], ms: u64) {
    for _ in 0..ms / 20 {
        for speaker in speakers.iter_mut() {
            speaker.speak(bench);
        }
        bench.run(20);
    }
}

/// Decodes what a leg was sent and measures a frequency in its last 400 ms.
pub(super) fn amplitude(sent: &[Sent], codec: Codec, hz: f64) -> f64 {
    let mut decoder = Decoder::new(codec);
    let mut audio = Vec::new();
    for sent in sent {
        for piece in sent.payload().chunks(160) {
            let mut pcm = [0; 320];
            let samples = decoder.decode(piece, &mut pcm);
            audio.extend_from_slice(&pcm[..samples]);
        }
    }
    let rate = f64::from(sample_rate_hz(codec));
    let window = (rate * 0.4) as usize;
    let audio = &audio[audio.len() - window..];
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in audio.iter().enumerate() {
        let angle = TAU * hz * at as f64 / rate;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * re.hypot(im) / window as f64
}

#[test]
fn unlike_codecs_hear_each_other() {
    for (a, b) in [(Codec::Pcmu, Codec::Pcma), (Codec::Pcmu, Codec::G722), (Codec::G722, Codec::Pcma)] {
        let mut bench = Bench::new();
        bench.open(1, stream(1, a));
        bench.open(2, stream(2, b));
        bench.hear(1, &[2]);
        bench.hear(2, &[1]);
        let mut speakers = [Speaker::new(1, a, 400.0), Speaker::new(2, b, 700.0)];
        speak(&mut bench, &mut speakers, 2000);
        let all = std::mem::take(&mut bench.sent);
        for (leg, codec, heard, own) in [(1, a, 700.0, 400.0), (2, b, 400.0, 700.0)] {
            let sent: Vec<_> =
                all.iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).cloned().collect();
            assert!((95..=100).contains(&sent.len()), "{} packets", sent.len());
            assert!(steps(&sent).iter().all(|step| *step == (1, 160)), "{a:?} {b:?} {:?}", steps(&sent));
            let level = amplitude(&sent, codec, heard);
            assert!((3600.0..4400.0).contains(&level), "{a:?} to {b:?}: {level}");
            assert!(amplitude(&sent, codec, own) < 100.0);
        }
    }
}

#[test]
fn a_conference_hears_everyone_but_oneself() {
    for codecs in [[Codec::Pcmu; 3], [Codec::Pcmu, Codec::Pcma, Codec::G722]] {
        let mut bench = Bench::new();
        let tones = [500.0, 900.0, 1300.0];
        let mut speakers = Vec::new();
        for (leg, (codec, hz)) in (1..).zip(codecs.into_iter().zip(tones)) {
            bench.open(leg, stream(leg, codec));
            speakers.push(Speaker::new(leg, codec, hz));
        }
        for leg in 1..=3 {
            bench.hear(leg, &(1..=3).filter(|other| *other != leg).collect::<Vec<_>>());
        }
        speak(&mut bench, &mut speakers, 2000);
        let all = std::mem::take(&mut bench.sent);
        for (leg, codec) in (1..).zip(codecs) {
            let sent: Vec<_> =
                all.iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).cloned().collect();
            for (other, hz) in (1..).zip(tones) {
                let level = amplitude(&sent, codec, hz);
                let expected = if other == leg { 0.0..150.0 } else { 3400.0..4400.0 };
                assert!(expected.contains(&level), "leg {leg} hears {level} of leg {other}");
            }
        }
        assert_eq!(bench.worker.rooms.iter().flatten().count(), 1);
    }
}

#[test]
fn a_whisper_reaches_the_agent_alone() {
    // 1 the caller, 2 the agent, 3 the supervisor who hears both and is heard by the agent.
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    bench.hear(1, &[2]);
    bench.hear(2, &[1, 3]);
    bench.hear(3, &[1, 2]);
    let mut speakers: Vec<_> =
        [(1, 500.0), (2, 900.0), (3, 1300.0)].map(|(leg, hz)| Speaker::new(leg, Codec::Pcmu, hz)).into_iter().collect();
    speak(&mut bench, &mut speakers, 2000);
    let all = std::mem::take(&mut bench.sent);
    for (leg, heard) in [(1, [0, 1, 0]), (2, [1, 0, 1]), (3, [1, 1, 0])] {
        let sent: Vec<_> =
            all.iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).cloned().collect();
        for (hz, heard) in [500.0, 900.0, 1300.0].into_iter().zip(heard) {
            let level = amplitude(&sent, Codec::Pcmu, hz);
            assert_eq!(level > 3000.0, heard == 1, "leg {leg} hears {level} of {hz} Hz");
        }
    }
}

#[test]
fn every_ptime_gets_the_whole_mix() {
    for (ptime, octets) in [(10, 80), (30, 240), (40, 320), (60, 480)] {
        let mut bench = Bench::new();
        bench.open(1, Stream { ptime: Duration::from_millis(ptime), ..stream(1, Codec::Pcma) });
        bench.open(2, stream(2, Codec::Pcmu));
        bench.hear(1, &[2]);
        speak(&mut bench, &mut [Speaker::new(2, Codec::Pcmu, 700.0)], 3000);
        let sent = bench.sent_by(1);
        assert!(sent.len() as u64 >= 2900 / ptime, "{ptime} ms: {} packets", sent.len());
        assert!(steps(&sent).iter().all(|step| *step == (1, octets)), "{ptime} ms: {:?}", steps(&sent));
        let level = amplitude(&sent, Codec::Pcma, 700.0);
        assert!((3600.0..4400.0).contains(&level), "{ptime} ms: {level}");
    }
}

#[test]
fn nothing_is_sent_where_nobody_speaks() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    bench.hear(1, &[2, 3]);
    bench.run(2000);
    assert_eq!(bench.sent_by(1), []);
    speak(&mut bench, &mut [Speaker::new(2, Codec::Pcmu, 700.0)], 400);
    assert!(bench.sent_by(1)[0].header().marker);
    bench.run(1000);
    bench.sent_by(1);
    bench.run(1000);
    assert_eq!(bench.sent_by(1), [], "the far end fell silent");
}

#[test]
fn decoders_are_there_only_where_a_mix_needs_them() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    let decoding = |bench: &Bench| {
        let legs = bench.worker.legs.iter().flatten();
        legs.filter(|leg| leg.voice.is_some()).map(|leg| leg.id.0).collect::<Vec<_>>()
    };
    bench.hear(1, &[2]);
    bench.hear(2, &[1]);
    assert!(decoding(&bench).is_empty(), "a pair of one codec is relayed");
    bench.hear(1, &[2, 3]);
    assert_eq!(decoding(&bench), [2, 3]);
    bench.hear(1, &[2]);
    assert!(decoding(&bench).is_empty());
    assert_eq!(bench.worker.rooms.iter().flatten().count(), 0);
    assert!(bench.worker.legs.iter().flatten().all(|leg| leg.ear.is_none()));
}

#[test]
fn a_pair_becomes_a_conference_and_a_pair_again_without_a_break_in_the_numbers() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    let mut speakers: Vec<_> =
        [(1, 500.0), (2, 900.0), (3, 1300.0)].map(|(leg, hz)| Speaker::new(leg, Codec::Pcmu, hz)).into_iter().collect();
    bench.hear(1, &[2]);
    speak(&mut bench, &mut speakers, 500);
    bench.hear(1, &[2, 3]);
    speak(&mut bench, &mut speakers, 500);
    bench.hear(1, &[3]);
    speak(&mut bench, &mut speakers, 500);
    let sent = bench.sent_by(1);
    assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1));
    let times: Vec<_> = sent.iter().map(|sent| sent.at_ms).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 60), "{times:?}");
    assert!((72..=76).contains(&sent.len()), "{} packets", sent.len());
}

#[test]
fn a_play_is_heard_instead_of_the_conference_and_the_listener_still_speaks() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    for (leg, sources) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        bench.hear(leg, &sources);
    }
    bench.play(1, 1, vec![prompt("count")], true);
    let mut speakers: Vec<_> =
        [(1, 500.0), (2, 900.0)].map(|(leg, hz)| Speaker::new(leg, Codec::Pcmu, hz)).into_iter().collect();
    speak(&mut bench, &mut speakers, 1000);
    let all = std::mem::take(&mut bench.sent);
    let sent = |leg| -> Vec<Sent> {
        all.iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).cloned().collect()
    };
    assert!((49..=50).contains(&sent(1).len()));
    assert!(sent(1).iter().all(|sent| sent.payload().iter().all(|octet| octet == &sent.payload()[0])));
    assert!(amplitude(&sent(2), Codec::Pcmu, 500.0) > 3000.0);
}
