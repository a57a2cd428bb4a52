//! What a packet costs: the whole shell on loopback sockets, everything on (source checks, figures, reports).
//!
//! `cargo bench --bench media -- ivr 400 10` plays to and hears 400 legs for 10 s; `bridge 200 10` relays between 200
//! pairs. The far ends are one thread of this process; the server's threads are told apart by their names, and only
//! their processor time is counted.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, bounded};
use relais::bridge::{Latch, MediaCommand, MediaEvent, MediaPort, PlayItem, Stream};
use relais::ids::{CallId, Language, LegId, PlayId};
use relais::media::{Deaf, Media, MediaSettings, PromptSource};
use relais::rtp::Header;
use relais::settings::Codec;

/// One prompt of 30 s.
struct Shelf(Bytes);

impl PromptSource for Shelf {
    fn encoded(&self, _: &str, _: &Language, _: Codec) -> Option<Bytes> {
        Some(self.0.clone())
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize, default| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(default);
    let (count, seconds) = (number(1, 200), number(2, 8) as u64);
    match words.first().map(String::as_str) {
        Some("ivr") => ivr(count, seconds),
        Some("bridge") => bridge(count, seconds),
        Some("mix") => mix(count, seconds),
        _ => {
            ivr(count, seconds);
            bridge(count, seconds);
            mix(count / 4, seconds);
        }
    }
}

/// Callers who speak and hear a prompt.
fn ivr(calls: usize, seconds: u64) {
    let mut scene = Scene::start();
    for call in 0..calls as u64 {
        scene.leg(call, call.into());
        let items = vec![PlayItem::Prompt { name: "any".to_owned(), language: Language::from("en") }];
        scene.media.send(MediaCommand::Play { leg: LegId(call), play: PlayId(call), items, repeat: true });
    }
    scene.measure("ivr", calls, seconds);
}

/// Pairs that hear each other.
fn bridge(calls: usize, seconds: u64) {
    let mut scene = Scene::start();
    for call in 0..calls as u64 {
        for leg in [2 * call, 2 * call + 1] {
            scene.leg(leg, call.into());
            scene.hear(leg, &[leg ^ 1]);
        }
    }
    scene.measure("bridge", calls, seconds);
}

/// Rooms of three.
fn mix(rooms: usize, seconds: u64) {
    let mut scene = Scene::start();
    for room in 0..rooms as u64 {
        let legs = [3 * room, 3 * room + 1, 3 * room + 2];
        for leg in legs {
            scene.leg(leg, room.into());
        }
        for leg in legs {
            scene.hear(leg, &legs.into_iter().filter(|other| *other != leg).collect::<Vec<_>>());
        }
    }
    scene.measure("mix", rooms, seconds);
}

struct Scene {
    media: Media,
    events: Receiver<MediaEvent>,
    free: Vec<MediaPort>,
    /// All far ends share one socket; the server's port tells them apart.
    socket: UdpSocket,
    legs: Vec<SocketAddr>,
    memory: u64,
}

impl Scene {
    fn start() -> Scene {
        let (sender, events) = bounded(16_384);
        let settings = MediaSettings {
            address: "127.0.0.1".parse().expect("an address"),
            ports: (20_000, 39_999),
            dead_leg: Duration::from_secs(60),
            threads: Some(1),
            recordings: std::env::temp_dir().join("relais-bench-recordings"),
            vault: Default::default(),
        };
        let media =
            Media::start(settings, Arc::new(Shelf(Bytes::from(vec![0x55; 8000 * 30]))), Arc::new(Deaf), sender.into())
                .expect("free ports");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20).expect("a large buffer");
        socket.set_nonblocking(true).expect("a socket that does not wait");
        Scene { media, events, free: Vec::new(), socket, legs: Vec::new(), memory: 0 }
    }

    fn leg(&mut self, leg: u64, call: u128) {
        while self.free.is_empty() {
            if let Ok(MediaEvent::Ports(ports)) = self.events.recv_timeout(Duration::from_secs(5)) {
                self.free.extend(ports);
            }
        }
        if self.memory == 0 {
            std::thread::sleep(Duration::from_millis(300));
            self.memory = resident_kb();
        }
        let port = self.free.remove(0);
        self.legs.push(port.0);
        self.media.send(MediaCommand::Open { leg: LegId(leg), call: CallId(call), port });
        let remote = self.socket.local_addr().expect("bound");
        let stream = Stream {
            remote: Some(remote),
            remote_rtcp: None,
            rtcp_mux: true,
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            send_event_type: Some(101),
            receive_event_type: Some(101),
            ptime: Duration::from_millis(20),
            send: true,
            receive: true,
            latch: Latch::Never,
            security: Default::default(),
        };
        self.media.send(MediaCommand::Configure { leg: LegId(leg), stream: Box::new(stream) });
    }

    fn hear(&self, leg: u64, sources: &[u64]) {
        let sources = sources.iter().map(|leg| LegId(*leg)).collect();
        self.media.send(MediaCommand::Hear { leg: LegId(leg), sources });
    }

    fn measure(mut self, name: &str, calls: usize, seconds: u64) {
        let mut far_ends = FarEnds::new(&self.socket, std::mem::take(&mut self.legs));
        far_ends.run(Duration::from_secs(1));
        let (before, counted) = (thread_seconds(), self.media.counters());
        far_ends.forget();
        far_ends.run(Duration::from_secs(seconds));
        let (after, now) = (thread_seconds(), self.media.counters());
        let cpu: f64 = after.iter().map(|(id, spent)| spent - before.get(id).unwrap_or(&0.0)).sum();
        let packets = now.packets_received + now.packets_sent - counted.packets_received - counted.packets_sent;
        let call_seconds = calls as f64 * seconds as f64;
        println!(
            "{name} {calls}: {:.2} us a packet in or out, {:.3} ms a call-second, {:.0} calls a core, {:.1} kB a leg, \
             late ticks {}, lost turns {}, strangers {}, send failures {}",
            cpu * 1e6 / packets as f64,
            cpu * 1e3 / call_seconds,
            call_seconds / cpu,
            (resident_kb() as f64 - self.memory as f64) / far_ends.legs.len() as f64,
            now.late_ticks - counted.late_ticks,
            now.lost_turns - counted.lost_turns,
            now.strangers,
            now.send_failures,
        );
        println!("    {}", far_ends.report());
        self.media.stop();
        drop(self.events);
    }
}

/// Everybody's phones: one packet every 20 ms each, spread over the time, with the time of sending in it.
struct FarEnds<'a> {
    socket: &'a UdpSocket,
    legs: Vec<SocketAddr>,
    begin: Instant,
    turns: u64,
    place: usize,
    received: u64,
    delays_us: Vec<u32>,
    last: BTreeMap<SocketAddr, u64>,
    jitter_us: Vec<u32>,
}

impl<'a> FarEnds<'a> {
    fn new(socket: &'a UdpSocket, legs: Vec<SocketAddr>) -> Self {
        FarEnds {
            socket,
            legs,
            begin: Instant::now(),
            turns: 0,
            place: 0,
            received: 0,
            delays_us: Vec::new(),
            last: BTreeMap::new(),
            jitter_us: Vec::new(),
        }
    }

    fn forget(&mut self) {
        self.received = 0;
        self.delays_us.clear();
        self.jitter_us.clear();
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_micros() as u64
    }

    fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.speak();
            self.listen();
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Sends what is due: leg n of N a fraction n/N into the turn.
    fn speak(&mut self) {
        loop {
            let due = self.turns * 20_000 + self.place as u64 * 20_000 / self.legs.len() as u64;
            if due > self.now() {
                return;
            }
            let mut packet = [0x55u8; 172];
            let header = Header {
                sequence: self.turns as u16,
                timestamp: self.turns as u32 * 160,
                ssrc: self.place as u32,
                ..Header::default()
            };
            header.write(&mut packet);
            packet[12..20].copy_from_slice(b"MRKPLOAD");
            packet[20..28].copy_from_slice(&self.now().to_le_bytes());
            let _ = self.socket.send_to(&packet, self.legs[self.place]);
            self.place += 1;
            if self.place == self.legs.len() {
                self.place = 0;
                self.turns += 1;
            }
        }
    }

    fn listen(&mut self) {
        let mut packet = [0u8; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            let Some(view) = Header::parse(&packet[..length]) else { continue };
            let now = self.now();
            self.received += 1;
            if let Some(before) = self.last.insert(from, now) {
                self.jitter_us.push((now - before).abs_diff(20_000) as u32);
            }
            if view.payload.starts_with(b"MRKPLOAD")
                && let Some(sent) = view.payload.get(8..16).and_then(|octets| octets.try_into().ok())
            {
                self.delays_us.push((now - u64::from_le_bytes(sent)) as u32);
            }
        }
    }

    fn report(&mut self) -> String {
        let quantiles = |values: &mut Vec<u32>| {
            values.sort_unstable();
            [0.5, 0.99, 1.0].map(|share| {
                let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
                values.get(at).copied().unwrap_or_default()
            })
        };
        let delays = quantiles(&mut self.delays_us);
        let jitter = quantiles(&mut self.jitter_us);
        format!("{} packets heard; delay p50, p99, max {delays:?} us; |gap - 20 ms| {jitter:?} us", self.received)
    }
}

/// Processor time of each media thread so far, in seconds.
fn thread_seconds() -> BTreeMap<String, f64> {
    let mut seconds = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("tasks").flatten() {
        let path = task.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let spent = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        if let Some(nanos) = spent.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok())
            && name.starts_with("rtp-")
        {
            seconds.insert(path.display().to_string(), nanos / 1e9);
        }
    }
    seconds
}

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}
