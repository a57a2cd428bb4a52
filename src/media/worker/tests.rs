//! A worker with packets and time that the test makes up.

mod joining;
mod keys;
mod playing;
mod relaying;
mod rooms;
mod watching;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Setup, Worker};
use crate::bridge::{Latch, Loss, MediaCommand, MediaEvent, MediaPort, PlayItem, Stream};
use crate::ids::{CallId, Language, LegId, PlayId};
use crate::media::io::{Flow, MediaIo, Watch};
use crate::media::{Deaf, PromptSource, Recorder};
use crate::rtp::Header;
use crate::settings::Codec;
use crate::time::Instant;

const CALL: CallId = CallId(7);

/// What was sent, with the time at which the test had the worker.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    leg: LegId,
    flow: Flow,
    to: SocketAddr,
    at_ms: u64,
    datagram: Vec<u8>,
}

impl Sent {
    fn header(&self) -> Header {
        Header::parse(&self.datagram).expect("RTP").header
    }

    fn payload(&self) -> &[u8] {
        Header::parse(&self.datagram).expect("RTP").payload
    }
}

/// Sockets that keep what they are given.
#[derive(Default)]
struct Wire {
    sent: Vec<(u32, Flow, SocketAddr, Vec<u8>)>,
    open: Vec<u32>,
    /// The places whose far end is fixed now.
    fixed: Vec<(u32, SocketAddr)>,
    /// Keys are still being agreed on, of every leg.
    unready: bool,
    lost: Option<Loss>,
    /// Checks go out this often, of every leg; and when they did.
    checks_every: Option<Duration>,
    checks_due: Option<Instant>,
    checked: Vec<Instant>,
}

impl MediaIo for Wire {
    type Sockets = ();

    fn take(&mut self, place: u32) -> Option<()> {
        self.close(place);
        Some(())
    }

    fn put(&mut self, place: u32, (): ()) -> bool {
        self.open.push(place);
        true
    }

    fn is_ready(&self, _: u32) -> bool {
        !self.unready
    }

    fn look_after(&mut self, _: u32, now: Instant) -> Watch {
        if self.checks_due.is_some_and(|due| due <= now) {
            self.checked.push(now);
            self.checks_due = self.checks_every.map(|pause| now + pause);
        }
        Watch { lost: self.lost.take(), again: None }
    }

    fn due(&self, _: u32) -> Option<Instant> {
        self.checks_due
    }

    fn open(&mut self, place: u32, port: MediaPort) -> bool {
        self.open.push(place);
        port.0.port() != 1
    }

    fn fix(&mut self, place: u32, far_end: Option<SocketAddr>) {
        self.fixed.retain(|(fixed, _)| *fixed != place);
        self.fixed.extend(far_end.map(|far_end| (place, far_end)));
    }

    fn send(&mut self, place: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) -> bool {
        self.sent.push((place, flow, to, datagram.to_vec()));
        true
    }

    fn close(&mut self, place: u32) {
        self.open.retain(|open| *open != place);
    }
}

/// "count" is 1 s whose octets count up in every packet of 20 ms: 0, 1, 2, …
struct Shelf;

impl PromptSource for Shelf {
    fn encoded(&self, name: &str, _: &Language, _: Codec) -> Option<Bytes> {
        match name {
            "count" => Some((0..50u8).flat_map(|packet| [packet; 160]).collect()),
            "short" => Some(Bytes::from(vec![7; 240])),
            _ => None,
        }
    }
}

struct Bench {
    worker: Worker<Wire>,
    now: Instant,
    sent: Vec<Sent>,
}

impl Bench {
    fn new() -> Self {
        Bench::with_seed([1; 32])
    }

    fn with_seed(seed: [u8; 32]) -> Self {
        let recorder = Recorder::new(None, crossbeam_channel::bounded(1).0.into());
        let setup = Setup {
            dead_leg: Duration::from_secs(60),
            ntp_at_zero: 0x1234_0000_0000,
            seed,
            prompts: Arc::new(Shelf),
            listener: Arc::new(Deaf),
            recorder,
        };
        Bench { worker: Worker::new(Wire::default(), setup, Instant(0)), now: Instant(0), sent: Vec::new() }
    }

    /// A bench on which these legs, all PCMU with telephone-event 101, are up.
    fn with_legs(legs: &[u64]) -> Self {
        let mut bench = Bench::new();
        for leg in legs {
            bench.open(*leg, stream(*leg, Codec::Pcmu));
        }
        bench
    }

    fn open(&mut self, leg: u64, stream: Stream) {
        let port = MediaPort(format!("127.0.0.1:{}", 20_000 + 2 * leg).parse().unwrap());
        self.command(MediaCommand::Open { leg: LegId(leg), call: CALL, port });
        self.configure(leg, stream);
    }

    fn configure(&mut self, leg: u64, stream: Stream) {
        self.command(MediaCommand::Configure { leg: LegId(leg), stream: Box::new(stream) });
    }

    fn hear(&mut self, leg: u64, sources: &[u64]) {
        let sources = sources.iter().map(|leg| LegId(*leg)).collect();
        self.command(MediaCommand::Hear { leg: LegId(leg), sources });
    }

    fn play(&mut self, leg: u64, play: u64, items: Vec<PlayItem>, repeat: bool) {
        self.command(MediaCommand::Play { leg: LegId(leg), play: PlayId(play), items, repeat });
    }

    fn command(&mut self, command: MediaCommand) {
        self.worker.command(command, self.now);
        self.worker.settle();
        self.collect();
    }

    /// A datagram from anywhere to a leg's port.
    fn datagram(&mut self, leg: u64, flow: Flow, from: SocketAddr, datagram: &[u8]) {
        let place = self.worker.places[&LegId(leg)];
        self.worker.packet(place, flow, from, &mut datagram.to_vec(), self.now);
        self.collect();
    }

    /// RTP of the leg's own far end.
    fn rtp(&mut self, leg: u64, header: Header, payload: &[u8]) {
        self.datagram(leg, Flow::Rtp, far_end(leg), &packet(header, payload));
    }

    /// Lets time pass, ticking whenever the worker asks for it.
    fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(next) = self.worker.next_tick().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.worker.tick(self.now);
            self.collect();
        }
        self.now = end;
    }

    fn collect(&mut self) {
        for (place, flow, to, datagram) in std::mem::take(&mut self.worker.io.sent) {
            // A leg that is closing has left the table already; its place tells nothing any more.
            let leg = self.worker.leg(place).map_or(LegId(0), |leg| leg.id);
            self.sent.push(Sent { leg, flow, to, at_ms: self.now.0 / 1_000_000, datagram });
        }
    }

    /// What RTP a leg has sent since the last call; the rest is forgotten.
    fn sent_by(&mut self, leg: u64) -> Vec<Sent> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().filter(|sent| sent.leg == LegId(leg) && sent.flow == Flow::Rtp).collect()
    }

    fn events(&mut self) -> Vec<MediaEvent> {
        self.worker.events.drain(..).collect()
    }
}

/// Where the far end of a leg is.
fn far_end(leg: u64) -> SocketAddr {
    format!("127.0.0.9:{}", 40_000 + 2 * leg).parse().unwrap()
}

fn stream(leg: u64, codec: Codec) -> Stream {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    };
    let remote = far_end(leg);
    Stream {
        remote: Some(remote),
        remote_rtcp: Some(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        codec,
        send_payload_type: payload_type,
        receive_payload_type: payload_type,
        send_event_type: Some(101),
        receive_event_type: Some(101),
        ptime: Duration::from_millis(20),
        send: true,
        receive: true,
        latch: Latch::Never,
        security: Default::default(),
    }
}

fn header(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 0xaaaa }
}

fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; Header::LEN];
    header.write(&mut packet).unwrap();
    packet.extend_from_slice(payload);
    packet
}

fn prompt(name: &str) -> PlayItem {
    PlayItem::Prompt { name: name.to_owned(), language: Language::from("en") }
}

/// Sequence numbers and timestamps as distances from one packet to the next.
fn steps(sent: &[Sent]) -> Vec<(u16, u32)> {
    let headers: Vec<_> = sent.iter().map(Sent::header).collect();
    headers
        .windows(2)
        .map(|pair| {
            (pair[1].sequence.wrapping_sub(pair[0].sequence), pair[1].timestamp.wrapping_sub(pair[0].timestamp))
        })
        .collect()
}
