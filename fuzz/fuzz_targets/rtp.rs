//! Packets of a stream: RTP, RTCP and telephone-events, through everything that looks at them.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use relais::rtp::{
    EventPacket, EventReceiver, Header, Incoming, JitterBuffer, JitterLimits, ReceiveStats, View, is_rtcp, rewrite,
};
use relais::time::Instant;

/// The input is a row of packets, each with its length and the milliseconds since the one before.
fn packets(mut input: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let [length, pause, rest @ ..] = input else { return None };
        let (packet, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        Some((u64::from(*pause), packet))
    })
}

fuzz_target!(|input: &[u8]| {
    let mut now = Instant(1_000_000_000);
    let mut jitter = JitterBuffer::new(JitterLimits::default());
    let mut figures = ReceiveStats::new(8_000);
    let mut events = EventReceiver::default();
    let mut out = [0; 2_048];
    for (pause, packet) in packets(input) {
        now = now + Duration::from_millis(pause);
        if is_rtcp(packet) {
            if let Ok(incoming) = Incoming::parse(packet, 1)
                && let Some(sender) = &incoming.sender
            {
                figures.take_sender_report(incoming.ssrc, sender, now);
            }
        } else if let Some(view) = View::parse(packet) {
            figures.receive(&view.header, now);
            jitter.insert(&view, now);
            let _ = EventPacket::parse(view.payload);
            events.receive(&view.header, view.payload);
            let mut copy = packet.to_vec();
            let header = Header { ssrc: 7, ..view.header };
            assert!(rewrite(&mut copy, &header));
            assert_eq!(View::parse(&copy).map(|view| view.header.ssrc), Some(7));
        }
        jitter.take(&mut out, now);
        figures.report(now);
    }
});
