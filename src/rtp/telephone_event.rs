//! Keys as RTP events (RFC 4733).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Header;

/// RFC 4733 §2.3: the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPacket {
    /// 0 to 15 are the keys 0–9 * # A–D.
    pub event: u8,
    pub end: bool,
    /// dBm0 with the sign dropped, 0 to 63.
    pub volume: u8,
    /// In timestamp units.
    pub duration: u16,
}

impl EventPacket {
    pub const LEN: usize = 4;

    /// The first event of a payload; `None` where it is no whole number of events.
    pub fn parse(payload: &[u8]) -> Option<EventPacket> {
        let [event, flags, d0, d1] = *payload.first_chunk::<{ EventPacket::LEN }>()?;
        if !payload.len().is_multiple_of(EventPacket::LEN) {
            return None;
        }
        let duration = u16::from_be_bytes([d0, d1]);
        Some(EventPacket { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    pub fn write(&self) -> [u8; EventPacket::LEN] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume.min(63), d0, d1]
    }
}

/// Keys whose packets may still straggle in.
const RECENT: usize = 8;

/// Tells keys from the packets of them: each key once, however its packets are repeated, reordered or lost.
///
/// All packets of a key carry the timestamp of its beginning (RFC 4733 §2.2.1), so a key is known by timestamp and code.
/// Two things look like a new key and are none: the next segment of a press over 8.19 s (§2.5.1.3), and the packets of
/// senders that let the timestamp run on with the duration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventReceiver {
    ssrc: u32,
    /// Newest last.
    recent: smallvec::SmallVec<[Press; RECENT]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Press {
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
}

impl EventReceiver {
    /// The event code (0 to 15) when this packet is the first sign of a key.
    pub fn receive(&mut self, header: &Header, payload: &[u8]) -> Option<u8> {
        let packet = EventPacket::parse(payload).filter(|packet| packet.event <= 15)?;
        if header.ssrc != self.ssrc {
            self.ssrc = header.ssrc;
            self.recent.clear();
        }
        let known = |press: &&mut Press| press.timestamp == header.timestamp && press.event == packet.event;
        if let Some(press) = self.recent.iter_mut().rev().find(known) {
            press.duration = press.duration.max(packet.duration);
            press.ended |= packet.end;
            return None;
        }
        let press =
            Press { timestamp: header.timestamp, event: packet.event, duration: packet.duration, ended: packet.end };
        if let Some(last) = self.recent.last_mut().filter(|last| !header.marker && last.goes_on_in(&press)) {
            *last = press;
            return None;
        }
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(press);
        Some(packet.event)
    }
}

impl Press {
    fn goes_on_in(&self, next: &Press) -> bool {
        let advance = next.timestamp.wrapping_sub(self.timestamp);
        let longer = u32::from(next.duration.saturating_sub(self.duration));
        let runs_on = advance == longer;
        let segment = (0xff00..=0x1_0000).contains(&advance);
        self.event == next.event && !self.ended && (runs_on || segment)
    }
}

/// One packet of a key that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    /// On the first packet only.
    pub marker: bool,
    /// The same for all packets of a key: when it began.
    pub timestamp: u32,
    pub payload: [u8; EventPacket::LEN],
}

/// Sends one key: an update every packet time, then the end three times (RFC 4733 §2.5.1.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventSender {
    event: u8,
    timestamp: u32,
    /// How long the key is to be held, in timestamp units.
    total: u16,
    elapsed: u16,
    started: bool,
    ends_left: u8,
}

impl EventSender {
    const ENDS: u8 = 3;
    /// The usual level of a key, in -dBm0.
    const VOLUME: u8 = 10;

    /// A key that begins at `timestamp` (8000 units a second); `duration` is held between 40 ms and 6 s.
    pub fn new(event: u8, timestamp: u32, duration: Duration) -> Self {
        let millis = duration.as_millis().clamp(40, 6000) as u16;
        EventSender { event, timestamp, total: millis * 8, elapsed: 0, started: false, ends_left: EventSender::ENDS }
    }

    /// The packet for the next `step` of timestamp units (160 for 20 ms); `None` when all are sent.
    pub fn packet(&mut self, step: u16) -> Option<OutgoingEvent> {
        if self.ends_left == 0 {
            return None;
        }
        self.elapsed = self.elapsed.saturating_add(step).min(self.total);
        let end = self.elapsed == self.total;
        self.ends_left -= u8::from(end);
        let marker = !std::mem::replace(&mut self.started, true);
        let packet = EventPacket { event: self.event, end, volume: EventSender::VOLUME, duration: self.elapsed };
        Some(OutgoingEvent { marker, timestamp: self.timestamp, payload: packet.write() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All packets of a key of 100 ms.
    fn press(event: u8, timestamp: u32) -> Vec<(Header, Vec<u8>)> {
        let mut sender = EventSender::new(event, timestamp, Duration::from_millis(100));
        let mut packets = Vec::new();
        while let Some(packet) = sender.packet(160) {
            let header = Header { marker: packet.marker, timestamp: packet.timestamp, ssrc: 5, ..Header::default() };
            packets.push((header, packet.payload.to_vec()));
        }
        packets
    }

    fn heard(packets: &[(Header, Vec<u8>)]) -> Vec<u8> {
        let mut receiver = EventReceiver::default();
        packets.iter().filter_map(|(header, payload)| receiver.receive(header, payload)).collect()
    }

    #[test]
    fn a_key_is_sent_with_one_marker_growing_duration_and_three_ends() {
        let packets = press(11, 4000);
        let read: Vec<EventPacket> = packets.iter().map(|(_, payload)| EventPacket::parse(payload).unwrap()).collect();
        assert_eq!(read.iter().map(|packet| packet.duration).collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800]);
        assert_eq!(read.iter().filter(|packet| packet.end).count(), 3);
        assert!(read.iter().all(|packet| packet.event == 11));
        assert!(packets.iter().all(|(header, _)| header.timestamp == 4000));
        let markers: Vec<bool> = packets.iter().map(|(header, _)| header.marker).collect();
        assert_eq!(markers, [true, false, false, false, false, false, false]);
    }

    #[test]
    fn durations_are_held_to_what_a_key_can_be() {
        let count = |duration| {
            let mut sender = EventSender::new(1, 0, duration);
            std::iter::from_fn(|| sender.packet(160)).count()
        };
        assert_eq!(count(Duration::ZERO), 2 - 1 + 3);
        assert_eq!(count(Duration::from_secs(3600)), 300 - 1 + 3);
    }

    #[test]
    fn two_keys_are_heard_once_each_under_every_pattern_of_loss() {
        let first = press(1, 1000);
        let again = press(1, 1000 + 800 + 400);
        let all: Vec<_> = first.iter().chain(&again).cloned().collect();
        assert_eq!(all.len(), 14);
        for lost in 0..1u32 << 14 {
            let left: Vec<_> = all
                .iter()
                .enumerate()
                .filter(|(at, _)| lost & (1 << at) == 0)
                .map(|(_, packet)| packet.clone())
                .collect();
            let keys = usize::from(lost & 0x7f != 0x7f) + usize::from(lost >> 7 != 0x7f);
            assert_eq!(heard(&left).len(), keys, "lost {lost:014b}");
        }
    }

    #[test]
    fn repeated_and_reordered_packets_make_no_second_key() {
        let mut packets = press(3, 1000);
        packets.extend(press(3, 1000));
        packets.reverse();
        assert_eq!(heard(&packets), [3]);
        let [first, second] = [press(4, 8000), press(5, 9600)];
        let interleaved: Vec<_> = first.iter().zip(&second).flat_map(|(a, b)| [b.clone(), a.clone()]).collect();
        assert_eq!(heard(&interleaved).len(), 2);
    }

    #[test]
    fn a_long_press_is_one_key() {
        let mut packets = Vec::new();
        for (segment, steps) in [(0u32, 409u16), (1, 409), (2, 50)] {
            for step in 1..=steps {
                let header = Header {
                    marker: segment == 0 && step == 1,
                    timestamp: 500 + segment * 0xffff,
                    ssrc: 5,
                    ..Header::default()
                };
                let end = segment == 2 && step == 50;
                let duration = if step == 409 { 0xffff } else { step * 160 };
                packets.push((header, EventPacket { event: 9, end, volume: 10, duration }.write().to_vec()));
            }
        }
        assert_eq!(heard(&packets), [9]);
        packets.extend(press(9, 500 + 3 * 0xffff));
        assert_eq!(heard(&packets), [9, 9], "the next press is a key again");
    }

    #[test]
    fn a_timestamp_that_runs_on_with_the_duration_is_one_key() {
        let packets: Vec<_> = (1..=8u16)
            .map(|step| {
                let header =
                    Header { marker: step == 1, timestamp: 1000 + u32::from(step) * 160, ssrc: 5, ..Header::default() };
                (header, EventPacket { event: 7, end: step == 8, volume: 10, duration: step * 160 }.write().to_vec())
            })
            .collect();
        assert_eq!(heard(&packets), [7]);
    }

    #[test]
    fn another_source_may_use_the_same_timestamp() {
        let mut packets = press(2, 1000);
        packets.extend(press(2, 1000).into_iter().map(|(header, payload)| (Header { ssrc: 6, ..header }, payload)));
        assert_eq!(heard(&packets), [2, 2]);
    }

    #[test]
    fn what_is_no_key_is_not_heard() {
        let header = Header::default();
        let mut receiver = EventReceiver::default();
        for payload in [&[][..], &[1, 0, 0], &[1, 0x80, 0, 160, 0], &[16, 0x80, 0, 160], &[36, 0, 0, 160]] {
            assert_eq!(receiver.receive(&header, payload), None, "{payload:?}");
        }
        assert_eq!(receiver.receive(&header, &[15, 0x80, 0, 160]), Some(15));
    }
}
