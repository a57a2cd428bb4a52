//! Others come and go, and what one hears has no step; a sound is mixed in, and takes nothing away.

use std::f64::consts::TAU;

use super::rooms::{Speaker, amplitude, speak};
use super::*;
use crate::audio::{Decoder, sample_rate_hz};
use crate::bridge::{Digit, DigitSource, Group};
use crate::ids::RoomId;

const ROOM: Group = Group::Room(RoomId(9));

impl Bench {
    fn meet(&mut self, legs: &[u64]) {
        for leg in legs {
            self.command(MediaCommand::Move { leg: LegId(*leg), group: ROOM });
        }
    }

    fn mix_in(&mut self, leg: u64, play: u64, items: Vec<PlayItem>, repeat: bool) {
        self.command(MediaCommand::MixIn { leg: LegId(leg), play: PlayId(play), items, repeat });
    }

    fn rtp_of(&self, leg: u64) -> Vec<Sent> {
        self.sent.iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).cloned().collect()
    }
}

/// The largest difference between samples that follow each other in what a leg was sent. Over a pause in its timestamps the
/// far end conceals by itself.
fn largest_step(sent: &[Sent], codec: Codec) -> i32 {
    let mut decoder = Decoder::new(codec);
    let (mut last, mut end, mut largest) = (None, None, 0);
    for sent in sent {
        let mut pcm = [0i16; 960];
        let samples = decoder.decode(sent.payload(), &mut pcm);
        let header = sent.header();
        if end != Some(header.timestamp) {
            last = None;
        }
        for sample in &pcm[..samples] {
            let sample = i32::from(*sample);
            largest = largest.max(last.map_or(0, |last: i32| (sample - last).abs()));
            last = Some(sample);
        }
        end = Some(header.timestamp.wrapping_add(sent.payload().len() as u32));
    }
    largest
}

/// The steepest that sines of this level and these frequencies are together, what codecs round to included.
fn steepest(tones_hz: &[f64], codec: Codec) -> i32 {
    let rate = f64::from(sample_rate_hz(codec));
    let slopes: f64 = tones_hz.iter().map(|hz| 4_000.0 * TAU * hz / rate).sum();
    // A fade adds its own slope, 4,000 over 40 samples; G.711 rounds to 256 at this level, twice on the way; the quantiser
    // of G.722 follows a beginning with some noise.
    let noise = if codec == Codec::G722 { 1_100 } else { 600 };
    slopes as i32 + 200 * tones_hz.len() as i32 + noise
}

fn speakers(codec: Codec) -> Vec<Speaker> {
    [(1, 170.0), (2, 230.0), (3, 310.0)].map(|(leg, hz)| Speaker::new(leg, codec, hz)).into_iter().collect()
}

#[test]
fn who_comes_and_goes_makes_no_step_in_what_the_others_hear() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        for phase in 0..8 {
            let mut bench = Bench::new();
            (1..=3).for_each(|leg| bench.open(leg, stream(leg, codec)));
            bench.meet(&[1, 2]);
            let mut speakers = speakers(codec);
            bench.hear(1, &[2]);
            bench.hear(2, &[1]);
            speak(&mut bench, &mut speakers, 400 + 20 * phase);
            for _ in 0..3 {
                bench.meet(&[3]);
                for (leg, others) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
                    bench.hear(leg, &others);
                }
                speak(&mut bench, &mut speakers, 260);
                bench.command(MediaCommand::Move { leg: LegId(3), group: Group::Call(CALL) });
                bench.hear(1, &[2]);
                bench.hear(2, &[1]);
                speak(&mut bench, &mut speakers, 240);
            }
            for (leg, heard) in [(1, [230.0, 310.0]), (2, [170.0, 310.0])] {
                let sent = bench.rtp_of(leg);
                let (step, most) = (largest_step(&sent, codec), steepest(&heard, codec));
                assert!(
                    step <= most,
                    "{codec:?}, phase {phase}: leg {leg} hears a step of {step}, and {most} is steep"
                );
                assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1));
            }
        }
    }
}

/// What a far end hears, decoded in one go.
fn heard(sent: &[Sent], codec: Codec) -> Vec<i32> {
    let mut decoder = Decoder::new(codec);
    let mut audio = Vec::new();
    for sent in sent {
        let mut pcm = [0i16; 960];
        let samples = decoder.decode(sent.payload(), &mut pcm);
        audio.extend(pcm[..samples].iter().map(|sample| i32::from(*sample)));
    }
    audio
}

#[test]
fn a_soft_voice_after_a_loud_one_is_soft_from_its_first_word_and_a_loud_one_whole() {
    for codec in [Codec::Pcmu, Codec::G722] {
        for phase in 0..8 {
            let mut bench = Bench::new();
            (1..=4).for_each(|leg| bench.open(leg, stream(leg, codec)));
            let mut speakers: Vec<_> = [(2, 12_000.0, 530.0), (3, 400.0, 310.0), (4, 0.0, 100.0)]
                .map(|(leg, amplitude, hz)| Speaker::new(leg, codec, hz).at(amplitude))
                .into_iter()
                .collect();
            // One relayed after the other, then from a mix to a relay and back.
            for (hears, peak) in
                [(&[2][..], 12_000), (&[3], 400), (&[2], 12_000), (&[3, 4], 400), (&[2, 4], 12_000), (&[3], 400)]
            {
                bench.hear(1, hears);
                // What a mix is late by, and the fade.
                let late = if hears.len() > 1 { 100 } else { 20 };
                speak(&mut bench, &mut speakers, late);
                let before = bench.rtp_of(1).len();
                speak(&mut bench, &mut speakers, 300 + 20 * phase);
                let sent = bench.rtp_of(1);
                let audio = heard(&sent, codec);
                let per_packet = audio.len() / sent.len();
                let now = &audio[before * per_packet..];
                let most = now.iter().map(|sample| sample.abs()).max().unwrap_or(0);
                assert!(
                    (peak * 8 / 10..peak * 13 / 10 + 100).contains(&most),
                    "{codec:?}, phase {phase}: {hears:?} is heard with {most} and said with {peak}"
                );
            }
        }
    }
}

#[test]
fn a_leg_that_is_closed_in_the_midst_of_a_word_is_faded_out() {
    for phase in 0..10 {
        let mut bench = Bench::with_legs(&[1, 2, 3]);
        bench.meet(&[1, 2, 3]);
        let mut speakers = speakers(Codec::Pcmu);
        for (leg, others) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
            bench.hear(leg, &others);
        }
        speak(&mut bench, &mut speakers, 300 + 20 * phase);
        bench.command(MediaCommand::Close { leg: LegId(3) });
        // Another leg takes the place that is free now, before anybody is told whom to hear.
        bench.open(4, stream(4, Codec::Pcmu));
        bench.hear(1, &[2]);
        bench.hear(2, &[1]);
        speakers.pop();
        speak(&mut bench, &mut speakers, 300);
        let step = largest_step(&bench.rtp_of(1), Codec::Pcmu);
        let most = steepest(&[230.0, 310.0], Codec::Pcmu);
        assert!(step <= most, "phase {phase}: {step}, and {most} is steep");
        assert!(bench.worker.leaving.is_empty());
    }
}

#[test]
fn a_supervisors_change_of_mode_makes_no_step() {
    // 1 the caller, 2 the agent, 3 the supervisor.
    for phase in 0..8 {
        let mut bench = Bench::with_legs(&[1, 2, 3]);
        let mut speakers = speakers(Codec::Pcmu);
        bench.hear(1, &[2]);
        bench.hear(2, &[1]);
        bench.hear(3, &[1, 2]);
        speak(&mut bench, &mut speakers, 300 + 20 * phase);
        for (caller, agent) in [(&[2][..], &[1, 3][..]), (&[2, 3], &[1, 3]), (&[2], &[1, 3]), (&[2], &[1])] {
            bench.hear(1, caller);
            bench.hear(2, agent);
            speak(&mut bench, &mut speakers, 240);
        }
        for (leg, heard) in [(1, [230.0, 310.0]), (2, [170.0, 310.0])] {
            let (step, most) = (largest_step(&bench.rtp_of(leg), Codec::Pcmu), steepest(&heard, Codec::Pcmu));
            assert!(step <= most, "phase {phase}: leg {leg} hears a step of {step}, and {most} is steep");
        }
    }
}

#[test]
fn those_who_stay_keep_their_loudness_while_others_come_and_go() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    bench.meet(&[1, 2]);
    let mut speakers = speakers(Codec::Pcmu);
    bench.hear(1, &[2]);
    speak(&mut bench, &mut speakers, 600);
    for round in 0..10 {
        bench.meet(&[3]);
        bench.hear(1, &[2, 3]);
        bench.sent.clear();
        speak(&mut bench, &mut speakers, 400);
        let level = amplitude(&bench.rtp_of(1), Codec::Pcmu, 230.0);
        assert!((3_800.0..4_200.0).contains(&level), "round {round}: {level}");
        bench.command(MediaCommand::Move { leg: LegId(3), group: Group::Call(CALL) });
        bench.hear(1, &[2]);
        bench.sent.clear();
        speak(&mut bench, &mut speakers, 400);
        let level = amplitude(&bench.rtp_of(1), Codec::Pcmu, 230.0);
        assert!((3_800.0..4_200.0).contains(&level), "round {round}: {level}");
    }
}

#[test]
fn a_wide_voice_that_comes_does_not_interrupt_the_narrow_ones() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.open(3, stream(3, Codec::G722));
    bench.meet(&[1, 2]);
    let mut speakers = vec![Speaker::new(2, Codec::Pcmu, 230.0), Speaker::new(3, Codec::G722, 310.0)];
    bench.hear(1, &[2]);
    speak(&mut bench, &mut speakers, 600);
    bench.sent.clear();
    bench.meet(&[3]);
    bench.hear(1, &[2, 3]);
    speak(&mut bench, &mut speakers, 400);
    let sent = bench.rtp_of(1);
    assert!((19..=20).contains(&sent.len()), "{} packets of 20", sent.len());
    let (step, most) = (largest_step(&sent, Codec::Pcmu), steepest(&[230.0, 310.0], Codec::Pcmu));
    assert!(step <= most, "{step}, and {most} is steep");
}

#[test]
fn music_gives_way_to_a_voice_and_comes_back_without_a_step() {
    for phase in 0..8 {
        let mut bench = Bench::with_legs(&[1, 2]);
        bench.meet(&[1, 2]);
        let mut speakers = vec![Speaker::new(2, Codec::Pcmu, 230.0)];
        let tone = PlayItem::Tone { frequencies_hz: [300, 0], on: Duration::from_secs(60), off: Duration::ZERO };
        bench.play(1, 1, vec![tone.clone()], true);
        speak(&mut bench, &mut speakers, 200 + 20 * phase);
        bench.hear(1, &[2]);
        bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(1) });
        speak(&mut bench, &mut speakers, 300);
        bench.hear(1, &[]);
        bench.play(1, 2, vec![tone], true);
        speak(&mut bench, &mut speakers, 200);
        // The tone is louder than a speaker: 5,734 at its peak.
        let step = largest_step(&bench.rtp_of(1), Codec::Pcmu);
        assert!(step <= 5_734 * 300 / 1_273 + 1_000, "phase {phase}: {step}");
    }
}

fn beep(on_ms: u64, off_ms: u64) -> Vec<PlayItem> {
    let (on, off) = (Duration::from_millis(on_ms), Duration::from_millis(off_ms));
    vec![PlayItem::Tone { frequencies_hz: [1_400, 0], on, off }]
}

#[test]
fn a_sound_that_is_mixed_in_takes_nothing_of_what_is_heard() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let mut bench = Bench::new();
        bench.open(1, stream(1, codec));
        bench.open(2, stream(2, codec));
        bench.hear(1, &[2]);
        bench.hear(2, &[1]);
        let mut speakers = vec![Speaker::new(1, codec, 700.0), Speaker::new(2, codec, 500.0)];
        speak(&mut bench, &mut speakers, 400);
        bench.mix_in(1, 7, beep(60_000, 0), true);
        speak(&mut bench, &mut speakers, 300);
        bench.sent.clear();
        speak(&mut bench, &mut speakers, 1_000);
        let (voice, beep) = (amplitude(&bench.rtp_of(1), codec, 500.0), amplitude(&bench.rtp_of(1), codec, 1_400.0));
        assert!((3_600.0..4_400.0).contains(&voice), "{codec:?}: the voice at {voice}");
        assert!((2_300.0..3_600.0).contains(&beep), "{codec:?}: the beep at {beep}, 6 dB below a tone");
        let other = amplitude(&bench.rtp_of(2), codec, 1_400.0);
        assert!(other < 100.0, "{codec:?}: the other hears {other} of it");
        bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(7) });
        bench.sent.clear();
        speak(&mut bench, &mut speakers, 600);
        assert!(amplitude(&bench.rtp_of(1), codec, 1_400.0) < 100.0);
        assert_eq!(bench.worker.rooms.iter().flatten().count(), 0, "a pair is relayed again");
        assert_eq!(bench.events(), [], "one that is stopped reports nothing");
    }
}

#[test]
fn a_sound_of_one_time_ends_by_itself_and_is_told_of() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(1, &[2]);
    let mut speakers = vec![Speaker::new(2, Codec::Pcmu, 500.0)];
    speak(&mut bench, &mut speakers, 200);
    bench.mix_in(1, 7, beep(200, 0), false);
    speak(&mut bench, &mut speakers, 400);
    assert_eq!(bench.events(), [MediaEvent::PlayEnded { leg: LegId(1), play: PlayId(7) }]);
    bench.worker.settle();
    assert_eq!(bench.worker.rooms.iter().flatten().count(), 0, "a pair is relayed again");
    bench.mix_in(1, 8, vec![prompt("missing")], false);
    speak(&mut bench, &mut speakers, 40);
    assert_eq!(
        bench.events(),
        [MediaEvent::PlayEnded { leg: LegId(1), play: PlayId(8) }],
        "what is missing has no length"
    );
}

#[test]
fn who_hears_nobody_hears_the_sound_all_the_same_and_music_is_not_disturbed() {
    let mut bench = Bench::with_legs(&[1]);
    bench.mix_in(1, 7, beep(60_000, 0), true);
    bench.run(1_000);
    let sent = bench.rtp_of(1);
    assert!(sent.len() >= 48 && amplitude(&sent, Codec::Pcmu, 1_400.0) > 2_500.0, "{} packets", sent.len());
    bench.play(1, 8, vec![prompt("count")], true);
    bench.sent.clear();
    bench.run(1_000);
    let played = bench.rtp_of(1);
    assert!(played[1..].iter().all(|sent| sent.payload().iter().all(|octet| octet == &sent.payload()[0])));
}

#[test]
fn in_a_room_two_are_mixed_and_keys_are_for_the_plan_alone() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.meet(&[1, 2]);
    bench.hear(1, &[2]);
    bench.hear(2, &[1]);
    let mut speakers = vec![Speaker::new(1, Codec::Pcmu, 500.0), Speaker::new(2, Codec::Pcmu, 700.0)];
    speak(&mut bench, &mut speakers, 600);
    assert_eq!(bench.worker.tally.relayed, 0);
    assert!(amplitude(&bench.rtp_of(1), Codec::Pcmu, 700.0) > 3_000.0);
    let header = Header { payload_type: 101, ssrc: 1, ..header(30, 30 * 160) };
    bench.sent.clear();
    bench.rtp(1, header, &[5, 0x8a, 4, 0]);
    bench.run(400);
    let digit = Digit::new('5').unwrap();
    assert_eq!(bench.events(), [MediaEvent::Digit { leg: LegId(1), digit, source: DigitSource::TelephoneEvent }]);
    assert!(bench.rtp_of(2).iter().all(|sent| sent.header().payload_type == 0), "no key is passed on");
}
