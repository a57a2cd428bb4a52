//! What runs for every packet and every tick allocates nothing: each kind of work is counted by an allocator of ours.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use relais::bridge::{Digit, Latch, Listening, MediaCommand, MediaPort, PlayItem, RecordTerms, Stream};
use relais::heard::Hints;
use relais::ids::{CallId, Language, LegId, PlayId, RecordingId};
use relais::media::{Ears, Flow, Identity, Listener, MediaIo, Opened, PromptSource, Recorder, SecureIo, Setup, Worker};
use relais::rtp::{EventPacket, Header, SrtpContext};
use relais::security::{Profile, Sdes, Secret, Security};
use relais::settings::Codec;
use relais::speech::sounds::{FromMedia, SOUNDS, Sound, ToTask, sounds};
use relais::time::Instant;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator as it is; counting touches a thread-local cell without a
// destructor and allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn note() {
    let _ = COUNT.try_with(|count| count.set(count.get().map(|calls| calls + 1)));
}

/// Calls of the allocator while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNT.with(|count| count.set(Some(0)));
    work();
    COUNT.with(|count| count.replace(None)).unwrap_or_default()
}

/// Sockets that only count.
#[derive(Default)]
struct Sink {
    sent: u64,
}

impl MediaIo for Sink {
    type Sockets = ();

    fn take(&mut self, _: u32) -> Option<()> {
        Some(())
    }

    fn put(&mut self, _: u32, (): ()) -> bool {
        true
    }

    fn open(&mut self, _: u32, _: MediaPort) -> bool {
        true
    }

    fn send(&mut self, _: u32, _: Flow, _: SocketAddr, _: &[u8]) -> bool {
        self.sent += 1;
        true
    }

    fn close(&mut self, _: u32) {}
}

struct Shelf;

impl PromptSource for Shelf {
    fn encoded(&self, _: &str, _: &Language, _: Codec) -> Option<Bytes> {
        Some(Bytes::from(vec![0x55; 8000]))
    }
}

/// Takes what is said as far as the task of a recogniser would.
struct Desk;

struct Line {
    to: ToTask,
    _from: FromMedia,
}

impl Listener for Desk {
    fn open(&self, _: LegId, _: &Listening, _: u32) -> Option<Box<dyn Ears>> {
        let (to, from) = sounds();
        Some(Box::new(Line { to, _from: from }))
    }
}

impl Ears for Line {
    fn hear(&self, pcm: &[i16], played: f32) {
        self.to.give(Sound::new(pcm, played));
    }

    fn expect(&self, _: Hints) {}
}

/// A worker whose legs are numbered as their places are: leg 1 is in place 0.
struct Scene {
    worker: Worker<Sink>,
    now: Instant,
    legs: Vec<Codec>,
    sequence: u16,
}

impl Scene {
    fn new(legs: &[Codec], events: bool) -> Scene {
        Scene::recorded_in(None, legs, events)
    }

    fn recorded_in(folder: Option<PathBuf>, legs: &[Codec], events: bool) -> Scene {
        let recorder = Recorder::new(folder, crossbeam_channel::bounded(64).0.into());
        let setup = Setup {
            dead_leg: Duration::from_secs(60),
            ntp_at_zero: 1 << 40,
            seed: [5; 32],
            prompts: Arc::new(Shelf),
            listener: Arc::new(Desk),
            recorder,
        };
        let mut worker = Worker::new(Sink::default(), setup, Instant(0));
        for (leg, codec) in (1..).zip(legs) {
            let port = MediaPort(SocketAddr::from(([127, 0, 0, 1], 20_000 + 2 * leg as u16)));
            worker.command(MediaCommand::Open { leg: LegId(leg), call: CallId(1), port }, Instant(0));
            let stream = Box::new(stream(leg, *codec, events));
            worker.command(MediaCommand::Configure { leg: LegId(leg), stream }, Instant(0));
        }
        worker.settle();
        Scene { worker, now: Instant(0), legs: legs.to_vec(), sequence: 0 }
    }

    fn hear(&mut self, leg: u64, sources: &[u64]) {
        let sources = sources.iter().map(|leg| LegId(*leg)).collect();
        self.worker.command(MediaCommand::Hear { leg: LegId(leg), sources }, self.now);
        self.worker.settle();
    }

    /// All legs speak for so many packets of 20 ms; the worker ticks as it asks for.
    fn speak(&mut self, packets: u16) {
        for _ in 0..packets {
            for place in 0..self.legs.len() {
                let codec = self.legs[place];
                let payload = [self.sequence as u8; 160];
                self.arrive(place, payload_type(codec), u32::from(self.sequence) * 160, &payload);
            }
            self.sequence = self.sequence.wrapping_add(1);
            let end = self.now + Duration::from_millis(20);
            while let Some(next) = self.worker.next_tick().filter(|next| *next <= end) {
                self.worker.tick(next);
            }
            self.now = end;
        }
    }

    fn arrive(&mut self, place: usize, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut packet = [0; 172];
        let header = Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: place as u32 };
        header.write(&mut packet);
        let packet = &mut packet[..Header::LEN + payload.len()];
        packet[Header::LEN..].copy_from_slice(payload);
        self.worker.packet(place as u32, Flow::Rtp, far_end(place as u64 + 1), packet, self.now);
    }

    /// The allocator's calls in ten seconds of everybody speaking, reports and source checks included.
    fn measure(&mut self) -> u64 {
        self.speak(50);
        self.worker.events.clear();
        let sent = self.worker.io.sent;
        let calls = allocations(|| self.speak(500));
        assert!(self.worker.io.sent > sent + 400, "nothing was at work");
        calls
    }
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

fn far_end(leg: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 40_000 + 2 * leg as u16))
}

fn stream(leg: u64, codec: Codec, events: bool) -> Stream {
    let remote = far_end(leg);
    Stream {
        remote: Some(remote),
        remote_rtcp: Some(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        codec,
        send_payload_type: payload_type(codec),
        receive_payload_type: payload_type(codec),
        send_event_type: events.then_some(101),
        receive_event_type: events.then_some(101),
        ptime: Duration::from_millis(20),
        send: true,
        receive: true,
        latch: Latch::Never,
        security: Default::default(),
    }
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) >= 2);
}

#[test]
fn a_relay_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu; 2], true);
    scene.hear(1, &[2]);
    scene.hear(2, &[1]);
    assert_eq!(scene.measure(), 0);
}

#[test]
fn recording_both_sides_of_a_relay_and_of_a_mix_allocates_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let codecs = [Codec::Pcmu, Codec::Pcmu, Codec::G722];
    let mut scene = Scene::recorded_in(Some(folder.path().to_owned()), &codecs, true);
    scene.hear(1, &[2]);
    scene.hear(3, &[1, 2]);
    for leg in [1, 3] {
        let terms = RecordTerms { both: true, longest: Duration::from_secs(3_600), silence: None };
        let recording = RecordingId::new(1_700_000_000_000, u128::from(leg));
        scene.worker.command(MediaCommand::Record { leg: LegId(leg), recording, terms }, scene.now);
    }
    // Past what the ring holds: a full ring must not allocate either.
    assert_eq!((0..10).map(|_| scene.measure()).sum::<u64>(), 0);
}

#[test]
fn a_play_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu], true);
    let tone =
        PlayItem::Tone { frequencies_hz: [425, 0], on: Duration::from_millis(500), off: Duration::from_millis(500) };
    let prompt = PlayItem::Prompt { name: "any".to_owned(), language: Language::from("en") };
    let items = vec![prompt, PlayItem::Silence(Duration::from_millis(333)), tone];
    scene.worker.command(MediaCommand::Play { leg: LegId(1), play: PlayId(1), items, repeat: true }, scene.now);
    assert_eq!(scene.measure(), 0);
}

#[test]
fn the_end_of_a_play_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu], true);
    let prompt = PlayItem::Prompt { name: "any".to_owned(), language: Language::from("en") };
    let play = MediaCommand::Play { leg: LegId(1), play: PlayId(1), items: vec![prompt], repeat: false };
    scene.worker.command(play, scene.now);
    assert_eq!(allocations(|| scene.speak(100)), 0);
    assert_eq!(scene.worker.events.len(), 1, "PlayEnded");
}

#[test]
fn a_mix_of_all_codecs_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu, Codec::Pcma, Codec::G722], true);
    scene.hear(1, &[2, 3]);
    scene.hear(2, &[1, 3]);
    scene.hear(3, &[1, 2]);
    assert_eq!(scene.measure(), 0);
}

#[test]
fn going_over_to_another_mix_and_sounds_mixed_in_allocate_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu, Codec::Pcma, Codec::G722], true);
    scene.hear(1, &[2, 3]);
    scene.hear(2, &[1, 3]);
    scene.speak(50);
    scene.hear(1, &[2]);
    let tone = |off| PlayItem::Tone { frequencies_hz: [1400, 0], on: Duration::from_millis(200), off };
    for (leg, repeat) in [(1, true), (2, false)] {
        let items = vec![tone(Duration::from_millis(300))];
        scene.worker.command(MediaCommand::MixIn { leg: LegId(leg), play: PlayId(leg), items, repeat }, scene.now);
    }
    scene.worker.settle();
    assert_eq!(allocations(|| scene.speak(100)), 0);
    assert_eq!(scene.worker.events.len(), 1, "the end of the one that does not repeat");
}

#[test]
fn a_pair_of_unlike_codecs_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu, Codec::G722], true);
    scene.hear(1, &[2]);
    scene.hear(2, &[1]);
    assert_eq!(scene.measure(), 0);
}

#[test]
fn listening_for_keys_in_band_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::G722, Codec::G722], false);
    scene.hear(1, &[2]);
    assert_eq!(scene.measure(), 0);
}

#[test]
fn keys_by_event_are_told_and_passed_on_without_allocating() {
    let mut scene = Scene::new(&[Codec::Pcmu, Codec::Pcma], true);
    scene.hear(2, &[1]);
    scene.speak(50);
    scene.worker.events.clear();
    let calls = allocations(|| {
        for key in 0..8u8 {
            let payload = EventPacket { event: key, end: false, volume: 10, duration: 160 }.write();
            let timestamp = u32::from(scene.sequence) * 160;
            scene.arrive(0, 101, timestamp, &payload);
            scene.sequence += 1;
            scene.speak(20);
        }
    });
    assert_eq!(calls, 0);
    assert_eq!(scene.worker.events.len(), 8);
}

#[test]
fn keys_that_are_sent_in_band_allocate_nothing_once_they_are_commanded() {
    let mut scene = Scene::new(&[Codec::G722], false);
    scene.hear(1, &[1]);
    scene.speak(50);
    for key in "0123456789".chars() {
        let digit = Digit::new(key).expect("a key");
        let duration = Duration::from_millis(100);
        scene.worker.command(MediaCommand::SendDigit { leg: LegId(1), digit, duration }, scene.now);
    }
    assert_eq!(allocations(|| scene.speak(100)), 0);
}

#[test]
fn listening_to_a_caller_who_is_played_something_allocates_nothing() {
    let mut scene = Scene::new(&[Codec::Pcmu, Codec::G722], true);
    for leg in [1, 2] {
        let prompt = PlayItem::Prompt { name: "any".to_owned(), language: Language::from("en") };
        let play = MediaCommand::Play { leg: LegId(leg), play: PlayId(leg), items: vec![prompt], repeat: true };
        scene.worker.command(play, scene.now);
        let hints = Hints::default();
        let listening = Listening { listen: leg, bot: "b".to_owned(), language: Language::from("en"), hints };
        scene.worker.command(MediaCommand::Listen { leg: LegId(leg), listening: Box::new(listening) }, scene.now);
    }
    // The recogniser takes nothing: its ring fills up, which is more than the 2 s that it holds.
    const { assert!(SOUNDS < 500) };
    assert_eq!(scene.measure(), 0);
}

#[test]
fn srtp_allocates_nothing() {
    for profile in Profile::ALL {
        let key = Secret([1; 32]).master_key(profile, 0);
        let (mut send, mut receive) = (SrtpContext::new(profile, &key), SrtpContext::new(profile, &key));
        let mut work = |sequences: std::ops::Range<u16>| {
            for sequence in sequences {
                let mut packet = [0u8; 220];
                let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 9 };
                header.write(&mut packet);
                let length = send.protect_rtp(&mut packet, 172).expect("room");
                receive.unprotect_rtp(&mut packet[..length]).expect("an authentic packet");
            }
        };
        work(0..2);
        assert_eq!(allocations(|| work(2..500)), 0, "{profile:?}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the handshake's library counts from an instant of its own")]
fn a_protected_leg_with_opus_allocates_nothing() {
    let identity = Arc::new(Identity::new().expect("a certificate"));
    let mut io = SecureIo::new(Sink::default(), identity, std::time::Instant::now());
    let profile = Profile::Aes128CmSha1_80;
    let key = Secret([1; 32]).master_key(profile, 0);
    let security = Security::Sdes(Sdes { profile, send: key, receive: key });
    let stream = Stream { security, ..stream(1, Codec::Opus, true) };
    io.protect(0, &stream, Instant(0));
    // What the far end says: protected by a context of its own.
    let mut theirs = SrtpContext::new(profile, &key);
    let mut said = Vec::new();
    for sequence in 0..200u16 {
        let header =
            Header { marker: false, payload_type: 111, sequence, timestamp: u32::from(sequence) * 960, ssrc: 3 };
        let mut packet = vec![0; 64];
        header.write(&mut packet);
        // A frame of Opus with nothing in it: 20 ms of wideband silence (RFC 6716 §3.1).
        packet[Header::LEN] = 9 << 3;
        let length = theirs.protect_rtp(&mut packet, Header::LEN + 1).expect("room");
        packet.truncate(length);
        said.push(packet);
    }
    let mut work = |range: std::ops::Range<u16>| {
        let mut pieces = 0;
        for sequence in range {
            let header = Header { marker: false, payload_type: 111, sequence, timestamp: 0, ssrc: 9 };
            let mut packet = [0x55u8; 172];
            header.write(&mut packet);
            assert!(io.send(0, Flow::Rtp, far_end(1), &packet));
            let mut into = [0u8; 2048];
            let heard = &mut said[usize::from(sequence)];
            if let Opened::Pieces(_) = io.open(0, Flow::Rtp, far_end(1), heard, Instant(0)) {
                while io.take_piece(&mut into).is_some() {
                    pieces += 1;
                }
            }
        }
        pieces
    };
    work(0..10);
    let mut pieces = 0;
    assert_eq!(allocations(|| pieces = work(10..200)), 0);
    assert_eq!(pieces, 190);
}
