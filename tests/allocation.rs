//! What runs on the 20 ms tick allocates nothing once it is built: counted, not believed.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use relais::audio::{Concealer, Decoder, Downsampler, DtmfDetector, Encoder, Mixer, Tone, Upsampler};
use relais::rtp::{
    Compound, EventReceiver, EventSender, Header, Incoming, JitterBuffer, JitterLimits, ReceiveStats, RtcpTimer,
    SendStats, Taken, rewrite,
};
use relais::settings::Codec;
use relais::time::Instant;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends has no counter any more, and nobody to read it.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is the system allocator's; counting touches nothing of the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations_of(|| drop(std::hint::black_box(vec![1u8]))), 1);
}

#[test]
fn codecs_concealment_and_filters_allocate_nothing() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let rate = relais::audio::sample_rate_hz(codec);
        let block = rate as usize / 50;
        let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
        let mut concealer = Concealer::new(rate);
        let mut tone = Tone::new(rate, [425, 0], Duration::from_millis(500), Duration::from_millis(500));
        let mut detector = DtmfDetector::new(rate);
        let mut mixer = Mixer::new(block);
        let (mut up, mut down) = (Upsampler::new(), Downsampler::new());
        let mut pcm = vec![0i16; block];
        let mut doubled = vec![0i16; 2 * block];
        let mut octets = [0; 160];
        let allocations = allocations_of(|| {
            for tick in 0..500 {
                tone.fill(&mut pcm);
                encoder.encode(&pcm, &mut octets);
                decoder.decode(&octets, &mut pcm);
                if tick % 7 < 2 {
                    concealer.lost(&mut pcm)
                } else {
                    concealer.received(&mut pcm)
                }
                detector.detect(&pcm);
                up.process(&pcm, &mut doubled);
                down.process(&doubled, &mut pcm);
                mixer.clear();
                mixer.add(&pcm);
                mixer.hear(None, &mut pcm);
            }
        });
        assert_eq!(allocations, 0, "{codec:?}");
    }
}

#[test]
fn packets_reports_keys_and_the_jitter_buffer_allocate_nothing() {
    let mut buffer = JitterBuffer::new(JitterLimits::default());
    let (mut receive, mut send) = (ReceiveStats::new(8000), SendStats::new(8000));
    let mut timer = RtcpTimer::new(64_000);
    let mut keys = EventReceiver::default();
    let allocations = allocations_of(|| {
        let mut packet = [0x55; 172];
        for tick in 0..2000u16 {
            let now = Instant(0) + Duration::from_millis(20) * u32::from(tick);
            let mut header = Header { sequence: tick, timestamp: u32::from(tick) * 160, ssrc: 1, ..Header::default() };
            header.write(&mut packet);
            if tick % 11 != 0 {
                let view = Header::parse(&packet).expect("what was just written");
                receive.receive(&view.header, now);
                buffer.insert(&view, now);
            }
            header.ssrc = 2;
            assert!(rewrite(&mut packet, &header));
            send.sent(header.timestamp, 160, now);
            let mut octets = [0; 160];
            let mut left = octets.len();
            while left > 0 {
                let taken = buffer.take(&mut octets[..left], now);
                let (Taken::Audio { octets, .. } | Taken::Lost { octets } | Taken::Idle { octets }) = taken;
                left -= octets;
            }
            if tick % 50 == 0 {
                let compound = Compound {
                    ssrc: 2,
                    sender: send.report(u64::from(tick), now),
                    block: receive.report(now),
                    cname: "leg@relais",
                    bye: false,
                };
                let mut report = [0; Compound::MAX_LEN];
                let length = compound.write(&mut report).expect("room for any compound");
                Incoming::parse(&report[..length], 1).expect("what was just written");
                timer.packet(length);
                timer.interval(0.5);
                let mut sender = EventSender::new(5, u32::from(tick), Duration::from_millis(100));
                while let Some(event) = sender.packet(160) {
                    let header = Header { timestamp: event.timestamp, ..Header::default() };
                    keys.receive(&header, &event.payload);
                }
            }
        }
    });
    assert_eq!(allocations, 0);
}
