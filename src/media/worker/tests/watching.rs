//! Dead legs, reports and last figures.

use super::*;
use crate::rtp::{Compound, Incoming, SenderInfo, is_rtcp};

#[test]
fn a_silent_far_end_is_told_dead_once() {
    let mut bench = Bench::with_legs(&[1]);
    bench.run(30_000);
    bench.rtp(1, header(1, 160), &[1; 160]);
    bench.run(59_800);
    assert_eq!(bench.events(), []);
    bench.run(400);
    assert_eq!(bench.events(), [MediaEvent::Dead { leg: LegId(1) }]);
    bench.run(200_000);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_leg_that_need_not_send_is_not_judged_and_its_clock_starts_when_it_must() {
    let mut bench = Bench::with_legs(&[1]);
    bench.configure(1, Stream { receive: false, ..stream(1, Codec::Pcmu) });
    bench.run(300_000);
    assert_eq!(bench.events(), []);
    bench.configure(1, stream(1, Codec::Pcmu));
    bench.run(59_000);
    assert_eq!(bench.events(), []);
    bench.run(1_200);
    assert_eq!(bench.events(), [MediaEvent::Dead { leg: LegId(1) }]);
}

#[test]
fn strangers_do_not_keep_a_leg_alive() {
    let mut bench = Bench::with_legs(&[1]);
    for sequence in 0..70 {
        bench.datagram(1, Flow::Rtp, "127.0.0.66:1".parse().unwrap(), &packet(header(sequence, 160), &[1; 160]));
        bench.run(1000);
    }
    assert_eq!(bench.events(), [MediaEvent::Dead { leg: LegId(1) }]);
}

#[test]
fn a_leg_whose_port_is_not_in_the_stock_is_told_dead_and_closed() {
    let mut bench = Bench::new();
    let port = MediaPort("127.0.0.1:1".parse().unwrap());
    bench.command(MediaCommand::Open { leg: LegId(1), call: CALL, port });
    let events = bench.events();
    assert!(matches!(events[..], [MediaEvent::Dead { .. }, MediaEvent::Closed { .. }]), "{events:?}");
    bench.open(2, stream(2, Codec::Pcmu));
    bench.hear(2, &[2]);
    bench.rtp(2, header(1, 160), b"fine");
    assert_eq!(bench.sent_by(2).len(), 1);
}

#[test]
fn a_closed_leg_gives_everything_back() {
    let mut bench = Bench::with_legs(&[1, 2, 3]);
    for leg in [1, 2, 3] {
        bench.hear(leg, &[1, 2, 3]);
        bench.play(leg, leg, vec![prompt("count")], true);
    }
    bench.run(100);
    for leg in [1, 2, 3] {
        bench.command(MediaCommand::Close { leg: LegId(leg) });
    }
    assert!(bench.worker.io.open.is_empty());
    assert!(bench.worker.places.is_empty() && bench.worker.groups.is_empty());
    assert!(bench.worker.rooms.iter().all(Option::is_none));
    assert_eq!(bench.worker.next_tick(), None);
    assert_eq!(bench.worker.tally.legs, 0);
    assert_eq!(bench.events().len(), 3);
}

#[test]
fn keys_leave_room_for_other_events_when_the_engine_takes_none() {
    let mut bench = Bench::with_legs(&[1]);
    for _ in 0..3000 {
        let digit = crate::bridge::Digit::new('1').unwrap();
        let source = crate::bridge::DigitSource::TelephoneEvent;
        bench.worker.tell(MediaEvent::Digit { leg: LegId(1), digit, source });
    }
    assert_eq!(bench.worker.events.len(), super::super::BACKLOG / 2);
    assert_eq!(bench.worker.tally.keys_lost, 3000 - super::super::BACKLOG as u64 / 2);
    bench.command(MediaCommand::Close { leg: LegId(1) });
    assert!(matches!(bench.worker.events.back(), Some(MediaEvent::Closed { .. })));
}

/// The reports that a leg's far end was sent, and when.
fn reports(bench: &mut Bench) -> Vec<(u64, SocketAddr, Incoming)> {
    let sent = std::mem::take(&mut bench.sent);
    let rtcp = sent.into_iter().filter(|sent| is_rtcp(&sent.datagram));
    rtcp.map(|sent| (sent.at_ms, sent.to, Incoming::parse(&sent.datagram, 0xaaaa).expect("RTCP"))).collect()
}

/// Echoes 10 s of speech of which every tenth packet is lost.
fn lossy_echo(bench: &mut Bench) {
    bench.hear(1, &[1]);
    for sequence in 0..500u16 {
        if sequence % 10 != 5 {
            bench.rtp(1, header(sequence, u32::from(sequence) * 160), &[1; 160]);
        }
        bench.run(20);
    }
}

#[test]
fn reports_tell_what_was_sent_and_lost_about_every_five_seconds() {
    let mut bench = Bench::with_legs(&[1]);
    lossy_echo(&mut bench);
    bench.run(30_000);
    let reports = reports(&mut bench);
    assert!((7..=18).contains(&reports.len()), "{} reports in 40 s", reports.len());
    let rtcp_of_far_end = stream(1, Codec::Pcmu).remote_rtcp.unwrap();
    assert!(reports.iter().all(|(_, to, _)| *to == rtcp_of_far_end));
    let gaps: Vec<u64> = reports.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (2000..=6500).contains(gap)), "{gaps:?}");
    let (_, _, last_heard) = reports.iter().rfind(|(_, _, report)| report.block.is_some()).unwrap();
    let block = last_heard.block.unwrap();
    assert!((45..=50).contains(&block.cumulative_lost), "{block:?}");
    assert!(reports[0].2.sender.is_some(), "an echo sends");
    assert!(reports.last().unwrap().2.sender.is_none(), "for a while it has not");
}

#[test]
fn a_leg_says_bye_and_its_last_figures() {
    let mut bench = Bench::with_legs(&[1]);
    lossy_echo(&mut bench);
    bench.sent.clear();
    bench.command(MediaCommand::Close { leg: LegId(1) });
    let reports = reports(&mut bench);
    assert!(reports.len() == 1 && reports[0].2.bye, "{reports:?}");
    let events = bench.events();
    let [MediaEvent::Closed { stats, .. }] = events[..] else { panic!("{events:?}") };
    assert_eq!((stats.packets_sent, stats.packets_received, stats.lost), (450, 450, 50));
    assert!(stats.mos.is_some_and(|mos| (1.0..3.5).contains(&mos)), "10 % lost: {:?}", stats.mos);
}

#[test]
fn reports_share_the_rtp_port_where_that_was_agreed_and_answer_the_peers() {
    let mut bench = Bench::new();
    bench.open(1, Stream { rtcp_mux: true, remote_rtcp: None, ..stream(1, Codec::Pcmu) });
    lossy_echo(&mut bench);
    bench.sent.clear();
    let sender = SenderInfo { ntp: 0x0001_0002_0003_0004, rtp_timestamp: 1, packets: 1, octets: 160 };
    let report = Compound { ssrc: 0xaaaa, sender: Some(sender), block: None, cname: "peer", bye: false };
    let mut datagram = [0; Compound::MAX_LEN];
    let length = report.write(&mut datagram).unwrap();
    bench.datagram(1, Flow::Rtp, "127.0.0.66:1".parse().unwrap(), &datagram[..length]);
    assert_eq!(bench.worker.tally.strangers, 1);
    bench.datagram(1, Flow::Rtp, far_end(1), &datagram[..length]);
    bench.rtp(1, header(500, 80_000), &[1; 160]);
    bench.run(7000);
    let reports = reports(&mut bench);
    assert!(reports.iter().all(|(_, to, _)| *to == far_end(1)));
    assert_eq!(reports[0].2.block.unwrap().last_sr, 0x0002_0003);
}

#[test]
fn a_way_that_is_lost_is_told() {
    let mut bench = Bench::with_legs(&[1]);
    bench.worker.io.lost = Some(Loss::Consent);
    bench.run(1_500);
    assert_eq!(bench.events(), [MediaEvent::Lost { leg: LegId(1), why: Loss::Consent }]);
}

#[test]
fn checks_go_out_in_time_between_the_rounds_of_the_slow_wheel() {
    let mut bench = Bench::with_legs(&[1, 2]);
    bench.run(2_000);
    assert!(
        !bench.worker.quick.is_scheduled(0) && !bench.worker.quick.is_scheduled(1),
        "who has none is not looked after"
    );
    bench.worker.io.checks_every = Some(Duration::from_millis(50));
    bench.worker.io.checks_due = Some(bench.now + Duration::from_millis(50));
    bench.worker.pace(0, bench.now);
    bench.run(1_000);
    let pauses: Vec<u128> = bench.worker.io.checked.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect();
    assert!(pauses.len() >= 15 && pauses.iter().all(|pause| (50..=60).contains(pause)), "{pauses:?}");
    bench.command(MediaCommand::Close { leg: LegId(1) });
    bench.command(MediaCommand::Close { leg: LegId(2) });
    assert_eq!(bench.worker.next_tick(), None);
}

#[test]
fn a_way_that_is_lost_between_two_rounds_is_told_once() {
    let mut bench = Bench::with_legs(&[1]);
    bench.run(2_000);
    bench.worker.io.lost = Some(Loss::Consent);
    bench.worker.io.checks_due = Some(bench.now + Duration::from_millis(20));
    bench.worker.pace(0, bench.now);
    bench.run(40);
    assert_eq!(bench.events(), [MediaEvent::Lost { leg: LegId(1), why: Loss::Consent }]);
    bench.run(2_000);
    assert_eq!(bench.events(), []);
}
