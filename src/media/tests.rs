//! The whole shell on loopback sockets.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::*;
use crate::bridge::{Latch, MediaPort, PlayItem, Stream};
use crate::ids::{CallId, LegId, PlayId};
use crate::rtp::{Header, is_rtcp};

struct Shelf;

impl PromptSource for Shelf {
    fn encoded(&self, name: &str, _: &Language, _: Codec) -> Option<Bytes> {
        (name == "count").then(|| (0..50u8).flat_map(|packet| [packet; 160]).collect())
    }
}

/// A shell on its own ports, with what the engine would know of it.
struct Shell {
    media: Media,
    events: Receiver<MediaEvent>,
    free: Vec<MediaPort>,
}

impl Shell {
    fn start(ports: (u16, u16)) -> Shell {
        let (sender, events) = bounded(1024);
        let settings = MediaSettings {
            address: "127.0.0.1".parse().unwrap(),
            ports,
            dead_leg: Duration::from_secs(60),
            threads: Some(2),
            recordings: "/nonexistent".into(),
            vault: Default::default(),
        };
        let media = Media::start(settings, Arc::new(Shelf), Arc::new(Deaf), sender.into()).unwrap();
        let mut shell = Shell { media, events, free: Vec::new() };
        shell.until("ports", |shell| !shell.free.is_empty());
        shell
    }

    /// Takes events until something holds; keeps the ports.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Shell) -> bool) -> Vec<MediaEvent> {
        let end = Instant::now() + Duration::from_secs(10);
        let mut others = Vec::new();
        while !holds(self) {
            assert!(Instant::now() < end, "no {what} within 10 s; {others:?}");
            match self.events.recv_timeout(Duration::from_millis(10)) {
                Ok(MediaEvent::Ports(ports)) => self.free.extend(ports),
                Ok(event) => others.push(event),
                Err(_) => {}
            }
        }
        others
    }

    fn event(&mut self, what: &str, wanted: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(Instant::now() < end, "no {what} within 10 s");
            match self.events.recv_timeout(Duration::from_millis(10)) {
                Ok(event) if wanted(&event) => return event,
                Ok(MediaEvent::Ports(ports)) => self.free.extend(ports),
                _ => {}
            }
        }
    }

    /// Opens a leg to a far end of the test's own.
    fn leg(&mut self, leg: u64, call: u128) -> FarEnd {
        let port = self.free.remove(0);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let remote = socket.local_addr().unwrap();
        self.media.send(MediaCommand::Open { leg: LegId(leg), call: CallId(call), port });
        self.media.send(MediaCommand::Configure { leg: LegId(leg), stream: Box::new(stream(remote)) });
        FarEnd { socket, port }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.media.stop();
    }
}

struct FarEnd {
    socket: UdpSocket,
    port: MediaPort,
}

impl FarEnd {
    fn send(&self, sequence: u16, payload: &[u8]) {
        let header = Header { sequence, timestamp: u32::from(sequence) * 160, ssrc: 1, ..Header::default() };
        let mut packet = vec![0; Header::LEN];
        header.write(&mut packet).unwrap();
        packet.extend_from_slice(payload);
        self.socket.send_to(&packet, self.port.0).unwrap();
    }

    fn receive(&self) -> (Header, Vec<u8>, SocketAddr) {
        let mut packet = [0; 2048];
        let (mut length, mut from) = self.socket.recv_from(&mut packet).expect("a packet within 10 s");
        while is_rtcp(&packet[..length]) {
            (length, from) = self.socket.recv_from(&mut packet).expect("a packet within 10 s");
        }
        let view = Header::parse(&packet[..length]).unwrap();
        (view.header, view.payload.to_vec(), from)
    }
}

fn stream(remote: SocketAddr) -> Stream {
    Stream {
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
    }
}

#[test]
fn a_bridged_pair_hears_each_other_from_the_ports_that_were_announced() {
    let mut shell = Shell::start((42_000, 42_199));
    let (a, b) = (shell.leg(1, 7), shell.leg(2, 7));
    shell.media.send(MediaCommand::Hear { leg: LegId(1), sources: [LegId(2)].into_iter().collect() });
    shell.media.send(MediaCommand::Hear { leg: LegId(2), sources: [LegId(1)].into_iter().collect() });
    // Commands and packets come by different ways: speak until it is through.
    a.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut packet = [0; 2048];
    let mut sequence = 0;
    let through = (0..500).any(|_| {
        sequence += 1;
        b.send(sequence, b"from b");
        a.socket.recv_from(&mut packet).is_ok_and(|(_, from)| from == a.port.0)
    });
    assert!(through);
    a.send(1, b"from a");
    let (header, payload, from) = b.receive();
    assert_eq!((payload.as_slice(), from, header.payload_type), (&b"from a"[..], b.port.0, 0));
    shell.media.send(MediaCommand::Close { leg: LegId(1) });
    let closed = shell.event("Closed", |event| matches!(event, MediaEvent::Closed { .. }));
    assert!(matches!(closed, MediaEvent::Closed { leg: LegId(1), stats } if stats.packets_received == 1), "{closed:?}");
}

#[test]
fn a_prompt_arrives_whole_and_in_time() {
    let mut shell = Shell::start((42_200, 42_399));
    let far_end = shell.leg(1, 3);
    let items = vec![PlayItem::Prompt { name: "count".to_owned(), language: Language::from("en") }];
    shell.media.send(MediaCommand::Play { leg: LegId(1), play: PlayId(5), items, repeat: false });
    let begin = Instant::now();
    for packet in 0..50u8 {
        let (_, payload, _) = far_end.receive();
        assert_eq!(payload, [packet; 160]);
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(970), "paced by the clock, not {took:?}");
    shell.event("PlayEnded", |event| matches!(event, MediaEvent::PlayEnded { play: PlayId(5), .. }));
}

#[test]
fn a_closed_legs_port_comes_back_and_old_packets_do_not() {
    // One pair of ports in the whole range.
    let mut shell = Shell::start((42_400, 42_401));
    let far_end = shell.leg(1, 1);
    let port = far_end.port;
    assert!(shell.free.is_empty());
    shell.media.send(MediaCommand::Close { leg: LegId(1) });
    far_end.send(1, b"too late");
    shell.until("returned port", |shell| shell.free == [port]);
    far_end.send(2, b"later still");
    std::thread::sleep(Duration::from_millis(20));
    let again = shell.leg(2, 2);
    shell.media.send(MediaCommand::Hear { leg: LegId(2), sources: [LegId(2)].into_iter().collect() });
    again.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut packet = [0; 2048];
    assert!(
        (1..200).any(|sequence| {
            again.send(sequence, b"echo");
            again.socket.recv_from(&mut packet).is_ok()
        }),
        "the port is in use again"
    );
    assert_eq!(&packet[Header::LEN..Header::LEN + 4], b"echo");
    assert_eq!(shell.media.counters().strangers, 0, "nothing old was found on the port");
}

/// Sends on `from` until `to` hears it; commands and packets come by different ways.
fn speak_until_heard(from: &FarEnd, to: &FarEnd, words: &[u8]) {
    to.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut packet = [0; 2048];
    let heard = (1..500).any(|sequence| {
        from.send(sequence, words);
        to.socket.recv_from(&mut packet).is_ok_and(|(length, _)| packet[..length].ends_with(words))
    });
    assert!(heard, "{}", String::from_utf8_lossy(words));
}

#[test]
fn a_stranger_is_not_heard_and_a_newly_negotiated_far_end_is() {
    let mut shell = Shell::start((43_200, 43_399));
    let (a, b) = (shell.leg(1, 7), shell.leg(2, 7));
    shell.media.send(MediaCommand::Hear { leg: LegId(1), sources: [LegId(2)].into_iter().collect() });
    speak_until_heard(&b, &a, b"from b");
    let moved = FarEnd { socket: UdpSocket::bind("127.0.0.1:0").unwrap(), port: b.port };
    for sequence in 1..20 {
        moved.send(sequence, b"stranger");
    }
    let mut packet = [0; 2048];
    while let Ok((length, _)) = a.socket.recv_from(&mut packet) {
        assert!(!packet[..length].ends_with(b"stranger"));
    }
    let remote = moved.socket.local_addr().unwrap();
    shell.media.send(MediaCommand::Configure { leg: LegId(2), stream: Box::new(stream(remote)) });
    speak_until_heard(&moved, &a, b"from a new address");
}

#[test]
fn a_far_end_that_was_gone_for_a_while_misses_only_that_while() {
    let mut shell = Shell::start((43_000, 43_199));
    let (a, b) = (shell.leg(1, 7), shell.leg(2, 7));
    for (leg, source) in [(1, 2), (2, 1)] {
        shell.media.send(MediaCommand::Hear { leg: LegId(leg), sources: [LegId(source)].into_iter().collect() });
    }
    speak_until_heard(&a, &b, b"from a");
    speak_until_heard(&b, &a, b"from b");
    let (address, port) = (a.socket.local_addr().unwrap(), a.port);
    drop(a);
    let sent = |shell: &Shell| shell.media.counters().packets_sent;
    // Every one of these is answered with an error by the kernel, which the next send or receive is told.
    for sequence in 1000..1010 {
        let before = sent(&shell);
        b.send(sequence, b"to nobody");
        shell.until("sent packet", |shell| sent(shell) > before);
    }
    let a = FarEnd { socket: UdpSocket::bind(address).unwrap(), port };
    a.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    b.send(1010, b"back again");
    assert_eq!(a.receive().1, b"back again");
    assert_eq!(shell.media.counters().send_failures, 0);
}

#[test]
fn ports_that_others_hold_are_left_out() {
    let held = UdpSocket::bind("127.0.0.1:42602").unwrap();
    let beside = UdpSocket::bind("127.0.0.1:42605").unwrap();
    let mut shell = Shell::start((42_600, 42_607));
    shell.until("all ports", |shell| shell.free.len() == 2);
    let ports: Vec<_> = shell.free.iter().map(|port| port.0.port()).collect();
    assert_eq!(ports, [42_600, 42_606]);
    drop((held, beside));
    shell.until("the rest", |shell| shell.free.len() == 4);
    assert_eq!(shell.media.counters().ports_free, 4);
}

#[test]
fn the_stock_is_filled_ahead_of_need() {
    let mut shell = Shell::start((44_000, 47_999));
    shell.until("low-water mark", |shell| shell.free.len() >= 512);
    let ports: Vec<_> = shell.free.drain(..300).collect();
    for (leg, port) in (1..).zip(ports) {
        shell.media.send(MediaCommand::Open { leg: LegId(leg), call: CallId(u128::from(leg)), port });
    }
    shell.until("more ports", |shell| shell.free.len() >= 512);
    shell.until("all legs", |shell| shell.media.counters().legs == 300);
}

#[test]
fn wrong_ports_are_named() {
    let start = |address: &str, ports| {
        let settings = MediaSettings {
            address: address.parse().unwrap(),
            ports,
            dead_leg: Duration::from_secs(60),
            threads: Some(1),
            recordings: "/nonexistent".into(),
            vault: Default::default(),
        };
        let (sender, _events) = bounded(16);
        match Media::start(settings, Arc::new(Shelf), Arc::new(Deaf), sender.into()) {
            Ok(media) => {
                media.stop();
                String::new()
            }
            Err(error) => error.to_string(),
        }
    };
    assert!(start("127.0.0.1", (42_801, 42_801)).starts_with("rtp.ports 42801-42801: no even port"));
    assert!(start("192.0.2.1", (42_800, 42_801)).starts_with("rtp.address 192.0.2.1: not an address of this machine"));
    let _held = UdpSocket::bind("127.0.0.1:42800").unwrap();
    assert!(start("127.0.0.1", (42_800, 42_801)).contains("every pair of ports is in use"));
}
