//! Dead legs, reports and last figures.

use super::*;

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
    assert!(bench.worker.places.is_empty() && bench.worker.calls.is_empty());
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
