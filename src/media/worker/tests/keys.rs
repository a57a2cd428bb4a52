//! Keys, received and sent.

use super::*;
use crate::audio::{Decoder, DtmfDetector, Encoder, Tone};
use crate::bridge::{Digit, DigitSource};
use crate::rtp::{EventPacket, EventReceiver};

/// The packets of a key of 100 ms by telephone-event, each every 20 ms.
fn press(bench: &mut Bench, leg: u64, event: u8, sequence: u16, timestamp: u32) {
    for at in 0..8u16 {
        let duration = (at.min(4) + 1) * 160;
        let payload = EventPacket { event, end: at >= 5, volume: 10, duration }.write();
        let header = Header { payload_type: 101, marker: at == 0, ..header(sequence + at, timestamp) };
        bench.rtp(leg, header, &payload);
        bench.run(20);
    }
}

fn digits(bench: &mut Bench) -> Vec<(u64, char, DigitSource)> {
    let digit = |event| match event {
        MediaEvent::Digit { leg, digit, source } => Some((leg.0, digit.key(), source)),
        _ => None,
    };
    bench.events().into_iter().filter_map(digit).collect()
}

fn send_digit(bench: &mut Bench, leg: u64, key: char, ms: u64) {
    let digit = Digit::new(key).unwrap();
    bench.command(MediaCommand::SendDigit { leg: LegId(leg), digit, duration: Duration::from_millis(ms) });
}

/// The keys that a far end makes of what it is sent.
fn received(sent: &[Sent]) -> Vec<char> {
    let mut receiver = EventReceiver::default();
    sent.iter()
        .filter(|sent| sent.header().payload_type == 101)
        .filter_map(|sent| receiver.receive(&sent.header(), sent.payload()))
        .filter_map(Digit::from_event)
        .map(Digit::key)
        .collect()
}

fn detected(sent: &[Sent], codec: Codec) -> Vec<char> {
    let rate = crate::audio::sample_rate_hz(codec);
    let (mut decoder, mut detector) = (Decoder::new(codec), DtmfDetector::new(rate));
    let mut found = Vec::new();
    for sent in sent.iter().filter(|sent| sent.header().payload_type != 101) {
        let mut pcm = [0; 320];
        let samples = decoder.decode(sent.payload(), &mut pcm);
        found.extend(detector.detect(&pcm[..samples]).and_then(Digit::from_event).map(Digit::key));
    }
    found
}

#[test]
fn a_key_is_told_once_and_relayed_under_the_other_sides_type() {
    let mut bench = Bench::with_legs(&[1]);
    bench.open(2, Stream { send_event_type: Some(96), ..stream(2, Codec::Pcmu) });
    bench.hear(2, &[1]);
    press(&mut bench, 1, 5, 100, 16_000);
    assert_eq!(digits(&mut bench), [(1, '5', DigitSource::TelephoneEvent)]);
    let sent = bench.sent_by(2);
    assert_eq!(sent.len(), 8);
    assert!(sent.iter().all(|sent| sent.header().payload_type == 96));
    assert!(sent.iter().all(|sent| sent.header().timestamp == sent.header().timestamp));
    assert!(steps(&sent).iter().all(|step| *step == (1, 0)), "one key, one timestamp: {:?}", steps(&sent));
    assert_eq!(EventPacket::parse(sent[7].payload()).unwrap().event, 5);
}

#[test]
fn a_key_for_a_side_without_telephone_event_is_sounded() {
    let mut bench = Bench::with_legs(&[1]);
    bench.open(2, Stream { send_event_type: None, receive_event_type: None, ..stream(2, Codec::Pcmu) });
    bench.hear(2, &[1]);
    press(&mut bench, 1, 7, 100, 16_000);
    bench.run(300);
    let sent = bench.sent_by(2);
    assert!(sent.iter().all(|sent| sent.header().payload_type == 0));
    assert_eq!(detected(&sent, Codec::Pcmu), ['7']);
}

#[test]
fn a_key_for_a_side_of_another_codec_is_made_anew() {
    let mut bench = Bench::with_legs(&[1]);
    bench.open(2, stream(2, Codec::Pcma));
    bench.hear(2, &[1]);
    press(&mut bench, 1, 11, 100, 16_000);
    bench.run(500);
    assert_eq!(digits(&mut bench), [(1, '#', DigitSource::TelephoneEvent)]);
    assert_eq!(received(&bench.sent_by(2)), ['#']);
}

#[test]
fn keys_in_band_are_heard_where_no_telephone_event_was_agreed() {
    for agreed in [false, true] {
        let mut bench = Bench::new();
        let event_type = agreed.then_some(101);
        bench.open(1, Stream { send_event_type: event_type, receive_event_type: event_type, ..stream(1, Codec::Pcma) });
        let (mut tone, mut encoder) = (Tone::key(8000, 3), Encoder::new(Codec::Pcma));
        for sequence in 0..20u16 {
            let mut pcm = [0; 160];
            if (5..12).contains(&sequence) {
                tone.fill(&mut pcm);
            }
            let mut payload = [0; 160];
            encoder.encode(&pcm, &mut payload);
            let header = Header { payload_type: 8, ..header(sequence, u32::from(sequence) * 160) };
            bench.rtp(1, header, &payload);
            bench.run(20);
        }
        let expected: &[_] = if agreed { &[] } else { &[(1, '3', DigitSource::InBand)] };
        assert_eq!(digits(&mut bench), expected);
    }
}

#[test]
fn keys_are_sent_one_after_the_other_with_pauses() {
    let mut bench = Bench::with_legs(&[1]);
    for key in "12#".chars() {
        send_digit(&mut bench, 1, key, 100);
    }
    bench.run(2000);
    let sent = bench.sent_by(1);
    assert_eq!(received(&sent), ['1', '2', '#']);
    assert_eq!(sent.iter().filter(|sent| sent.header().marker).count(), 3);
    assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1));
    let ends = sent.iter().filter(|sent| EventPacket::parse(sent.payload()).unwrap().end).count();
    assert_eq!(ends, 9, "the end of each key is said three times");
}

#[test]
fn a_key_in_band_sounds_for_its_time() {
    let mut bench = Bench::new();
    bench.open(1, Stream { send_event_type: None, receive_event_type: None, ..stream(1, Codec::G722) });
    send_digit(&mut bench, 1, 'D', 200);
    bench.run(1000);
    let sent = bench.sent_by(1);
    assert_eq!(sent.len(), 10);
    assert_eq!(detected(&sent, Codec::G722), ['D']);
}

#[test]
fn a_play_pauses_for_a_key_and_goes_on_where_it_was() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], false);
    bench.run(200);
    send_digit(&mut bench, 1, '1', 100);
    bench.run(2000);
    let sent = bench.sent_by(1);
    assert_eq!(received(&sent), ['1']);
    let audio: Vec<u8> =
        sent.iter().filter(|sent| sent.header().payload_type == 0).map(|sent| sent.payload()[0]).collect();
    assert_eq!(audio, (0..50).collect::<Vec<u8>>());
    assert!(bench.events().iter().any(|event| matches!(event, MediaEvent::PlayEnded { .. })));
}

#[test]
fn relayed_speech_is_left_out_while_a_key_is_sent_and_the_stream_stays_whole() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    for sequence in 0..40u16 {
        if sequence == 10 {
            send_digit(&mut bench, 2, '9', 100);
        }
        bench.rtp(1, header(sequence, u32::from(sequence) * 160), &[1; 160]);
        bench.run(20);
    }
    let sent = bench.sent_by(2);
    assert_eq!(received(&sent), ['9']);
    assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1), "{:?}", steps(&sent));
    let first = sent.first().unwrap().header().timestamp;
    let last = sent.last().unwrap().header().timestamp;
    let told = last.wrapping_sub(first);
    assert!((39 * 160 - 240..=39 * 160 + 240).contains(&told), "{told} units for 780 ms");
}

#[test]
fn too_many_keys_are_refused_and_counted() {
    let mut bench = Bench::with_legs(&[1]);
    for _ in 0..40 {
        send_digit(&mut bench, 1, '1', 40);
    }
    assert_eq!(bench.worker.tally.keys_lost, 8);
}
