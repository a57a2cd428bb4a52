//! Prompts, music and tones.

use super::*;

fn ended(bench: &mut Bench) -> Vec<u64> {
    let ended = |event| match event {
        MediaEvent::PlayEnded { play, .. } => Some(play.0),
        _ => None,
    };
    bench.events().into_iter().filter_map(ended).collect()
}

#[test]
fn a_prompt_goes_out_packet_by_packet_and_its_end_is_told() {
    let mut bench = Bench::with_legs(&[1]);
    bench.run(500);
    bench.play(1, 9, vec![prompt("count")], false);
    bench.run(990);
    assert!(ended(&mut bench).is_empty());
    bench.run(50);
    assert_eq!(ended(&mut bench), [9]);
    let sent = bench.sent_by(1);
    assert_eq!(sent.len(), 50);
    assert!(sent[0].at_ms <= 520, "the first packet comes soon: {} ms", sent[0].at_ms);
    for (at, sent) in sent.iter().enumerate() {
        assert_eq!(sent.payload(), [at as u8; 160]);
        assert_eq!(sent.header().marker, at == 0);
        assert_eq!(sent.header().payload_type, 0);
    }
    assert_eq!(steps(&sent), [(1, 160); 49]);
    assert!(sent.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
}

#[test]
fn every_ptime_is_honoured() {
    for (ptime, octets) in [(10, 80), (20, 160), (30, 240), (40, 320), (60, 480)] {
        let mut bench = Bench::new();
        bench.open(1, Stream { ptime: Duration::from_millis(ptime), ..stream(1, Codec::Pcmu) });
        bench.play(1, 9, vec![prompt("count")], true);
        bench.run(1200);
        let sent = bench.sent_by(1);
        let packets = 1200 / ptime;
        assert!((packets - 1..=packets).contains(&(sent.len() as u64)), "{ptime} ms: {}", sent.len());
        assert!(sent.iter().all(|sent| sent.payload().len() == octets as usize));
        assert!(steps(&sent).iter().all(|step| *step == (1, octets)), "{ptime} ms: {:?}", steps(&sent));
        assert!(sent.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == ptime));
        let audio: Vec<u8> = sent.iter().flat_map(|sent| sent.payload().to_vec()).collect();
        let expected: Vec<u8> = (0..50u8).flat_map(|packet| [packet; 160]).cycle().take(audio.len()).collect();
        assert_eq!(audio, expected, "{ptime} ms");
    }
}

#[test]
fn the_last_packet_is_filled_up_with_silence() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 9, vec![prompt("short")], false);
    bench.run(100);
    let sent = bench.sent_by(1);
    assert_eq!(sent.len(), 2);
    let silence = bench.worker.studio.silence(Codec::Pcmu).clone();
    assert_eq!(sent[1].payload()[..80], [7; 80]);
    assert_eq!(sent[1].payload()[80..], silence[..80]);
    assert_eq!(ended(&mut bench), [9]);
}

#[test]
fn music_goes_round_for_ever_and_tells_nothing() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 9, vec![prompt("count"), prompt("short")], true);
    bench.run(60_000);
    assert!((2999..=3000).contains(&bench.sent_by(1).len()));
    assert!(ended(&mut bench).is_empty());
}

#[test]
fn a_play_replaces_another_which_tells_nothing() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], false);
    bench.run(200);
    bench.play(1, 2, vec![prompt("short")], false);
    bench.run(2000);
    assert_eq!(ended(&mut bench), [2]);
    let sent = bench.sent_by(1);
    assert!(steps(&sent).iter().all(|step| *step == (1, 160)), "{:?}", steps(&sent));
}

#[test]
fn stopping_a_play_is_heard_at_once_and_stopping_another_changes_nothing() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(1, &[2]);
    bench.play(1, 1, vec![prompt("count")], true);
    bench.run(100);
    bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(99) });
    bench.rtp(2, header(1, 160), b"unheard");
    bench.sent_by(1);
    bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(1) });
    bench.run(100);
    assert_eq!(bench.sent_by(1), []);
    bench.rtp(2, header(6, 960), b"heard");
    let sent = bench.sent_by(1);
    assert_eq!((sent.len(), sent[0].payload()), (1, &b"heard"[..]));
    assert!(sent[0].header().marker);
    assert!(ended(&mut bench).is_empty());
}

#[test]
fn sources_are_heard_again_when_a_play_has_ended() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(1, &[2]);
    bench.play(1, 1, vec![prompt("short")], false);
    for sequence in 0..10 {
        bench.rtp(2, header(sequence, u32::from(sequence) * 160), &[99; 160]);
        bench.run(20);
    }
    let sent = bench.sent_by(1);
    // Behind the 5 ms in which the one goes over into the other.
    let kinds: Vec<u8> = sent.iter().map(|sent| sent.payload()[60]).collect();
    assert_eq!(kinds[..2], [7, 7]);
    assert!(kinds.len() >= 8 && kinds[2..].iter().all(|kind| *kind == 99), "{kinds:?}");
    assert!(steps(&sent).iter().all(|(sequence, _)| *sequence == 1));
}

#[test]
fn a_play_waits_for_the_answer() {
    let mut bench = Bench::new();
    let port = MediaPort("127.0.0.1:20002".parse().unwrap());
    bench.command(MediaCommand::Open { leg: LegId(1), call: CALL, port });
    bench.play(1, 1, vec![prompt("count")], false);
    bench.run(1000);
    assert_eq!(bench.sent_by(1), []);
    bench.configure(1, stream(1, Codec::Pcmu));
    bench.run(100);
    assert_eq!(bench.sent_by(1)[0].payload(), [0; 160], "from its beginning");
}

#[test]
fn a_play_runs_on_unheard_while_the_leg_is_held() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], false);
    bench.run(100);
    bench.configure(1, Stream { send: false, ..stream(1, Codec::Pcmu) });
    bench.sent_by(1);
    bench.run(500);
    assert_eq!(bench.sent_by(1), []);
    bench.configure(1, stream(1, Codec::Pcmu));
    bench.run(100);
    let sent = bench.sent_by(1);
    assert!(sent[0].payload()[0] >= 29, "{:?}", sent[0].payload()[0]);
    assert!(sent[0].header().marker);
    bench.run(400);
    assert_eq!(ended(&mut bench), [1]);
}

#[test]
fn plays_without_audio_end_at_once_or_stay_silent() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.play(1, 1, vec![prompt("missing")], false);
    bench.play(2, 2, vec![prompt("missing"), prompt("missing")], true);
    bench.run(1000);
    assert_eq!(ended(&mut bench), [1]);
    assert_eq!(bench.sent.iter().filter(|sent| sent.flow == Flow::Rtp).count(), 0);
    assert_eq!(bench.worker.take_missing().len(), 3);
    bench.play(2, 3, vec![prompt("short")], false);
    bench.run(100);
    assert_eq!(ended(&mut bench), [3]);
}

#[test]
fn a_standstill_is_not_made_up_by_a_burst() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], true);
    bench.run(1000);
    let before = bench.sent_by(1).last().unwrap().header().timestamp;
    bench.now = bench.now + Duration::from_secs(10);
    bench.worker.tick(bench.now);
    bench.collect();
    let sent = bench.sent_by(1);
    assert!(sent.len() <= 4, "{} packets at once", sent.len());
    bench.run(100);
    let sent = [sent, bench.sent_by(1)].concat();
    let passed = sent[0].header().timestamp.wrapping_sub(before);
    assert!((79_000..=81_000).contains(&passed), "time went on for {passed} units");
    assert!(bench.worker.tally.lost_turns > 100);
    assert_eq!(bench.worker.tally.late_ticks, 1);
}

#[test]
fn legs_are_spread_over_the_turn() {
    let legs: Vec<u64> = (1..=100).collect();
    let mut bench = Bench::with_legs(&legs);
    for leg in legs {
        bench.play(leg, leg, vec![prompt("count")], true);
    }
    bench.run(1000);
    let mut slots = [0; 10];
    for sent in bench.sent.iter().filter(|sent| sent.flow == Flow::Rtp && (980..1000).contains(&sent.at_ms)) {
        slots[(sent.at_ms / 2 % 10) as usize] += 1;
    }
    assert!(slots.iter().all(|slot| (8..=12).contains(slot)), "{slots:?}");
}

#[test]
fn the_same_inputs_and_seed_give_the_same_packets() {
    let run = |seed| {
        let mut bench = Bench::with_seed([seed; 32]);
        bench.open(1, stream(1, Codec::Pcmu));
        bench.play(1, 1, vec![prompt("count")], true);
        bench.run(20_000);
        bench.sent
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

/// What is heard of leg 1 in so long, to the octet.
fn heard(bench: &mut Bench, ms: u64) -> Vec<u8> {
    bench.run(ms);
    bench.sent_by(1).iter().flat_map(|packet| packet.payload().to_vec()).collect()
}

fn interject(bench: &mut Bench, play: u64, name: &str) {
    let items = vec![prompt(name)];
    bench.command(MediaCommand::Interject { leg: LegId(1), play: PlayId(play), items });
}

#[test]
fn music_goes_on_from_where_it_was_after_something_was_said_over_it() {
    let mut whole = Bench::with_legs(&[1]);
    whole.play(1, 1, vec![prompt("count"), prompt("count")], true);
    let music = heard(&mut whole, 600);
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count"), prompt("count")], true);
    let before = heard(&mut bench, 200);
    interject(&mut bench, 9, "short");
    let mut after = heard(&mut bench, 300);
    assert_eq!(ended(&mut bench), [9]);
    // Of a prompt that fills no whole number of packets, the rest is silence.
    let said = after.drain(..after.iter().position(|octet| *octet == music[before.len()]).unwrap()).count();
    assert!(said.is_multiple_of(160) && said >= 160, "{said}");
    let both = [before, after].concat();
    assert!(both.len() > 3_000);
    assert_eq!(both, music[..both.len()]);
}

#[test]
fn what_is_said_over_music_is_replaced_by_what_is_said_next_and_the_music_waits() {
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], true);
    bench.run(40);
    interject(&mut bench, 8, "count");
    bench.run(40);
    interject(&mut bench, 9, "short");
    bench.run(1_000);
    assert_eq!(ended(&mut bench), [9]);
    bench.sent_by(1);
    assert_eq!(heard(&mut bench, 200).len(), 1600, "the music is heard");
    bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(1) });
    assert!(heard(&mut bench, 200).is_empty());
}

#[test]
fn music_that_is_stopped_while_something_is_said_over_it_does_not_come_back() {
    for stopped in [[1, 9], [9, 1]] {
        let mut bench = Bench::with_legs(&[1]);
        bench.play(1, 1, vec![prompt("count")], true);
        bench.run(40);
        interject(&mut bench, 9, "count");
        bench.run(40);
        bench.sent_by(1);
        for play in stopped {
            bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(play) });
        }
        assert!(heard(&mut bench, 400).is_empty(), "{stopped:?}");
        assert!(ended(&mut bench).is_empty());
    }
    let mut bench = Bench::with_legs(&[1]);
    bench.play(1, 1, vec![prompt("count")], true);
    interject(&mut bench, 9, "short");
    bench.command(MediaCommand::StopPlay { leg: LegId(1), play: PlayId(1) });
    bench.run(400);
    bench.sent_by(1);
    assert_eq!((ended(&mut bench), heard(&mut bench, 200)), (vec![9], vec![]));
}

#[test]
fn said_over_nothing_it_is_a_play_like_any_other() {
    let mut bench = Bench::with_legs(&[1]);
    interject(&mut bench, 9, "short");
    bench.run(400);
    bench.sent_by(1);
    assert_eq!((ended(&mut bench), heard(&mut bench, 200)), (vec![9], vec![]));
}

#[test]
fn a_prompt_waits_for_the_keys_and_begins_at_its_beginning() {
    let mut bench = Bench::with_legs(&[1]);
    bench.worker.io.unready = true;
    bench.play(1, 1, vec![prompt("count")], false);
    bench.run(400);
    assert!(bench.sent_by(1).is_empty());
    bench.worker.io.unready = false;
    bench.run(100);
    assert_eq!(bench.sent_by(1)[0].payload()[0], 0);
    bench.run(1_000);
    assert_eq!(bench.events(), [MediaEvent::PlayEnded { leg: LegId(1), play: PlayId(1) }]);
}
