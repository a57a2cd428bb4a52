//! Two legs of one codec: packets go through as they come.

use super::*;
use crate::rtp::Compound;

/// Speaks `packets` packets of 20 ms on a leg, from a sequence number on.
fn speak(bench: &mut Bench, leg: u64, ssrc: u32, from: u16, packets: u16) {
    for at in from..from + packets {
        let header = Header { ssrc, ..header(at, u32::from(at) * 160) };
        bench.rtp(leg, header, &[at as u8; 160]);
        bench.run(20);
    }
}

#[test]
fn a_packet_is_relayed_the_moment_it_arrives_under_our_own_header() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    bench.run(1234);
    bench.sent_by(2);
    bench.rtp(1, header(5, 800), b"payload");
    let sent = bench.sent_by(2);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, far_end(2));
    assert_eq!(sent[0].payload(), b"payload");
    assert_eq!(sent[0].at_ms, 1234);
    assert!(sent[0].header().marker, "a talkspurt begins");
    assert_ne!(sent[0].header().ssrc, 0xaaaa, "the SSRC is ours");
    bench.rtp(1, header(6, 960), b"payload");
    assert!(!bench.sent_by(2)[0].header().marker);
}

#[test]
fn gaps_and_reordering_pass_through_so_that_the_listener_can_conceal() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    for sequence in [10u16, 11, 14, 13, 15] {
        bench.rtp(1, header(sequence, u32::from(sequence) * 160), &[1; 160]);
    }
    let sent = bench.sent_by(2);
    assert_eq!(steps(&sent), [(1, 160), (3, 480), (u16::MAX, 0u32.wrapping_sub(160)), (2, 320)]);
}

#[test]
fn a_change_of_source_continues_sequence_and_time_with_a_marker() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 0x11, 65_500, 30);
    bench.hear(2, &[3]);
    bench.run(100);
    speak(&mut bench, 3, 0x33, 9, 3);
    let sent = bench.sent_by(2);
    assert_eq!(sent.len(), 33);
    let steps = steps(&sent);
    assert!(steps.iter().all(|(sequence, _)| *sequence == 1), "{steps:?}");
    // 20 ms to the end of the last packet, then 100 ms in which nobody spoke.
    assert_eq!(steps[29].1, 960);
    let markers: Vec<_> = sent.iter().enumerate().filter(|(_, sent)| sent.header().marker).map(|(at, _)| at).collect();
    assert_eq!(markers, [0, 30]);
    let ssrc = sent[0].header().ssrc;
    assert!(sent.iter().all(|sent| sent.header().ssrc == ssrc));
}

#[test]
fn a_new_ssrc_of_the_true_peer_is_accepted_and_continued() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 0x11, 100, 5);
    speak(&mut bench, 1, 0x22, 40_000, 5);
    let sent = bench.sent_by(2);
    assert_eq!(steps(&sent), [(1, 160); 9]);
    bench.command(MediaCommand::Close { leg: LegId(1) });
    let events = bench.events();
    assert!(
        matches!(&events[..], [MediaEvent::Closed { stats, .. }] if stats.packets_received == 10 && stats.lost == 0),
        "{events:?}"
    );
}

#[test]
fn many_changes_of_source_do_not_let_the_stream_run_ahead_of_time() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    let start = bench.now;
    let mut first = None;
    for turn in 0..100u16 {
        bench.hear(2, &[if turn % 2 == 0 { 1 } else { 3 }]);
        let source = if turn % 2 == 0 { 1 } else { 3 };
        bench.rtp(source, Header { ssrc: source as u32, ..header(turn, 0) }, &[0; 160]);
        bench.run(5);
        if let Some(sent) = bench.sent_by(2).last() {
            let timestamp = sent.header().timestamp;
            let first = *first.get_or_insert(timestamp);
            let told = i64::from(timestamp.wrapping_sub(first));
            let passed = (bench.now.since(start).as_millis() * 8) as i64;
            assert!(told - passed <= 240, "turn {turn}: {told} units told, {passed} passed");
        }
    }
}

#[test]
fn strangers_change_nothing() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    let stranger = "127.0.0.66:40002".parse().unwrap();
    bench.datagram(1, Flow::Rtp, stranger, &packet(header(1, 160), &[1; 160]));
    assert_eq!(bench.sent_by(2), []);
    speak(&mut bench, 1, 0xaaaa, 1, 3);
    // With the stolen SSRC and a sequence number of the future.
    bench.datagram(1, Flow::Rtp, stranger, &packet(header(900, 160_000), &[1; 160]));
    bench.datagram(1, Flow::Rtp, stranger, b"\x80");
    speak(&mut bench, 1, 0xaaaa, 4, 3);
    assert_eq!(steps(&bench.sent_by(2)), [(1, 160); 5]);
    assert_eq!(bench.worker.tally.strangers, 2);
    assert_eq!(bench.worker.tally.malformed, 1);
    assert!(bench.sent.iter().all(|sent| sent.to.ip() != "127.0.0.66".parse::<std::net::IpAddr>().unwrap()));
}

#[test]
fn a_latched_port_is_answered_and_no_other() {
    let mut bench = Bench::with_legs(&[1]);
    let public: SocketAddr = "127.0.0.77:5004".parse().unwrap();
    bench.open(2, Stream { latch: Latch::Address(public.ip()), ..stream(2, Codec::Pcmu) });
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 1, 1, 1);
    assert_eq!(bench.sent_by(2)[0].to, far_end(2), "until it is heard, the negotiated address");
    // Random octets of that address do not fix it; RTP of an agreed type does.
    bench.datagram(2, Flow::Rtp, "127.0.0.77:9".parse().unwrap(), b"hello");
    let unknown = Header { payload_type: 33, ..header(1, 160) };
    bench.datagram(2, Flow::Rtp, "127.0.0.77:9".parse().unwrap(), &packet(unknown, &[1; 160]));
    bench.datagram(2, Flow::Rtp, public, &packet(header(1, 160), &[1; 160]));
    bench.datagram(2, Flow::Rtp, "127.0.0.77:9".parse().unwrap(), &packet(header(2, 320), &[1; 160]));
    speak(&mut bench, 1, 1, 2, 1);
    assert_eq!(bench.sent_by(2)[0].to, public);
    assert_eq!((bench.worker.tally.strangers, bench.worker.tally.malformed), (1, 2));
}

#[test]
fn the_sockets_are_told_of_a_fixed_far_end_until_another_is_negotiated() {
    let mut bench = Bench::with_legs(&[1]);
    bench.datagram(1, Flow::Rtp, far_end(2), &packet(header(1, 160), b"stranger"));
    assert_eq!(bench.worker.io.fixed, []);
    bench.rtp(1, header(1, 160), b"far end");
    assert_eq!(bench.worker.io.fixed, [(0, far_end(1))]);
    bench.configure(1, stream(1, Codec::Pcma));
    assert_eq!(bench.worker.io.fixed, [(0, far_end(1))], "the same address");
    bench.configure(1, Stream { remote: Some(far_end(3)), ..stream(1, Codec::Pcmu) });
    assert_eq!(bench.worker.io.fixed, []);
}

#[test]
fn a_report_on_the_port_of_rtp_fixes_the_far_end_for_the_sockets_too() {
    let mut bench = Bench::new();
    bench.open(1, Stream { rtcp_mux: true, ..stream(1, Codec::Pcmu) });
    let report = Compound { ssrc: 9, sender: None, block: None, cname: "far@end", bye: false };
    let mut datagram = [0; Compound::MAX_LEN];
    let length = report.write(&mut datagram).unwrap();
    bench.datagram(1, Flow::Rtp, far_end(1), &datagram[..length]);
    assert_eq!(bench.worker.io.fixed, [(0, far_end(1))]);
}

#[test]
fn an_echo_returns_to_its_speaker() {
    let mut bench = Bench::with_legs(&[1]);
    bench.hear(1, &[1]);
    bench.rtp(1, header(5, 800), b"hello");
    let sent = bench.sent_by(1);
    assert_eq!((sent.len(), sent[0].to, sent[0].payload()), (1, far_end(1), &b"hello"[..]));
}

#[test]
fn one_packet_goes_to_every_listener() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    bench.hear(2, &[1]);
    bench.hear(3, &[1]);
    bench.rtp(1, header(5, 800), b"hello");
    let sent = std::mem::take(&mut bench.sent);
    let mut to: Vec<_> = sent.iter().map(|sent| sent.to).collect();
    to.sort();
    assert_eq!(to, [far_end(2), far_end(3)]);
    assert!(sent.iter().all(|sent| sent.payload() == b"hello"));
}

#[test]
fn a_held_leg_is_sent_nothing_and_what_it_still_says_is_not_heard() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    bench.hear(1, &[2]);
    bench.configure(1, Stream { send: false, receive: false, ..stream(1, Codec::Pcmu) });
    speak(&mut bench, 1, 1, 1, 2);
    speak(&mut bench, 2, 2, 1, 2);
    assert_eq!(bench.sent.iter().filter(|sent| sent.flow == Flow::Rtp).count(), 0);
    bench.configure(1, stream(1, Codec::Pcmu));
    speak(&mut bench, 1, 1, 3, 1);
    assert_eq!(bench.sent_by(2).len(), 1);
}

#[test]
fn a_leg_without_address_is_sent_nothing() {
    let mut bench = Bench::with_legs(&[1]);
    bench.open(2, Stream { remote: None, remote_rtcp: None, ..stream(2, Codec::Pcmu) });
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 1, 1, 3);
    bench.run(10_000);
    assert!(bench.sent.iter().all(|sent| sent.leg != LegId(2)));
}

#[test]
fn payload_types_are_those_each_side_asked_for() {
    let mut bench = Bench::with_legs(&[1]);
    bench.open(2, Stream { send_payload_type: 96, send_event_type: Some(97), ..stream(2, Codec::Pcmu) });
    bench.hear(2, &[1]);
    bench.rtp(1, header(1, 160), &[1; 160]);
    bench.rtp(1, Header { payload_type: 101, ..header(2, 320) }, &[5, 10, 0, 160]);
    bench.rtp(1, Header { payload_type: 13, ..header(3, 480) }, &[1]);
    let types: Vec<_> = bench.sent_by(2).iter().map(|sent| sent.header().payload_type).collect();
    assert_eq!(types, [96, 97], "comfort noise was not agreed on");
}

#[test]
fn legs_of_other_calls_are_not_heard() {
    let mut bench = Bench::with_legs(&[1]);
    let port = MediaPort("127.0.0.1:30000".parse().unwrap());
    bench.command(MediaCommand::Open { leg: LegId(2), call: CallId(8), port });
    bench.configure(2, stream(2, Codec::Pcmu));
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 1, 1, 3);
    assert_eq!(bench.sent_by(2), []);
}

#[test]
fn a_closed_source_leaves_silence_and_its_place_is_used_again() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.hear(2, &[1]);
    speak(&mut bench, 1, 1, 1, 2);
    bench.command(MediaCommand::Close { leg: LegId(1) });
    bench.sent_by(2);
    bench.open(3, stream(3, Codec::Pcmu));
    speak(&mut bench, 3, 3, 1, 2);
    assert_eq!(bench.sent_by(2), [], "the new leg in the old one's place is not heard");
    bench.hear(2, &[3]);
    speak(&mut bench, 3, 3, 3, 2);
    assert_eq!(bench.sent_by(2).len(), 2);
}

#[test]
fn a_leg_opened_after_it_was_named_is_heard_all_the_same() {
    let mut bench = Bench::with_legs(&[1]);
    bench.hear(1, &[2]);
    bench.open(2, stream(2, Codec::Pcmu));
    bench.rtp(2, header(1, 160), b"late");
    assert_eq!(bench.sent_by(1)[0].payload(), b"late");
}
