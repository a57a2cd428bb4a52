//! The jitter buffer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delay::Lateness;
use super::{View, clock_units};
use crate::time::Instant;

/// Packets held at once; a further one pushes the oldest out.
const SLOTS: usize = 16;
/// 60 ms.
const SLOT_OCTETS: usize = 480;
/// Octets and timestamp units in a second.
const CLOCK_HZ: u32 = 8000;
const PER_MS: i32 = 8;
/// A packet this far from what is played belongs to another time line.
const FAR: i32 = 2000 * PER_MS;
/// After so much without any packet the far end is taken to be silent.
const STARVED: usize = 60 * PER_MS as usize;
/// Delay over the target that is borne, and for how many packets; then it is shortened by one cut.
const SLACK: i32 = 20 * PER_MS;
const PATIENCE: u32 = 50;
const CUT: u32 = 10 * PER_MS as u32;

/// Bounds of the delay that the buffer adds to even out the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JitterLimits {
    pub min: Duration,
    pub max: Duration,
}

impl Default for JitterLimits {
    fn default() -> Self {
        JitterLimits { min: Duration::from_millis(20), max: Duration::from_millis(200) }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inserted {
    Stored,
    Duplicate,
    /// Its time has passed.
    Late,
    /// Empty, longer than 60 ms, or far from the stream's time; a second one like it begins the stream anew.
    Refused,
}

/// What stands in the caller's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// So many octets of payload, to be decoded.
    Audio { octets: usize, payload_type: u8 },
    /// So many octets are missing: conceal them.
    Lost { octets: usize },
    /// The far end sends nothing: silence of this length.
    Idle { octets: usize },
}

/// Puts packets in order and hands out their payload evenly. For codecs with one octet per timestamp unit (PCMU, PCMA
/// and G.722 at 64 kbit/s, all 8 per millisecond), so a packet of any length may be taken in pieces of any length.
///
/// The delay follows the lateness of nearly all packets of the last seconds. It grows where the buffer runs dry (the
/// gap is concealed, nothing is thrown away) and in silences; it shrinks in silences, and by 10 ms at a time when it
/// has been too long for a second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JitterBuffer {
    min: i32,
    max: i32,
    slots: Vec<Slot>,
    /// The payload of slot n is the nth piece of `SLOT_OCTETS`.
    payload: Vec<u8>,
    playing: Option<Playing>,
    /// Where nothing is played: when to begin.
    start_at: Option<Instant>,
    lateness: Lateness,
    /// The sequence number that would confirm a new time line.
    suspect: Option<u16>,
    last_take: Instant,
    late: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    used: bool,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    octets: usize,
    arrived: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Playing {
    /// The timestamp of the next octet.
    cursor: u32,
    /// Of the packet played last.
    sequence: u16,
    /// Octets given out since a packet was there.
    starved: usize,
    /// How long a packet as fast as the fastest waits now, in clock units.
    delay: i32,
    /// Packets in a row that found the delay too long.
    excess: u32,
}

impl JitterBuffer {
    pub fn new(limits: JitterLimits) -> Self {
        let units = |limit: Duration| i32::try_from(limit.as_millis().min(1000)).unwrap_or(1000) * PER_MS;
        JitterBuffer {
            min: units(limits.min),
            max: units(limits.max.max(limits.min)),
            slots: vec![Slot::default(); SLOTS],
            payload: vec![0; SLOTS * SLOT_OCTETS],
            playing: None,
            start_at: None,
            lateness: Lateness::new(),
            suspect: None,
            last_take: Instant(0),
            late: 0,
        }
    }

    /// Stores a packet of audio (not of events: they repeat their timestamp).
    pub fn insert(&mut self, packet: &View<'_>, now: Instant) -> Inserted {
        let header = packet.header;
        let octets = packet.payload.len();
        if octets == 0 || octets > SLOT_OCTETS || !self.fits(header.timestamp, header.sequence) {
            return Inserted::Refused;
        }
        let same = |slot: &Slot| slot.used && (slot.sequence == header.sequence || slot.timestamp == header.timestamp);
        if self.slots.iter().any(same) {
            return Inserted::Duplicate;
        }
        let transit = clock_units(now, CLOCK_HZ).wrapping_sub(header.timestamp);
        let behind = self.lateness.note(transit, now);
        let target = self.target_units();
        if let Some(playing) = &mut self.playing {
            let lead = header.timestamp.wrapping_sub(playing.cursor) as i32;
            if lead + octets as i32 <= 0 {
                self.late += 1;
                return Inserted::Late;
            }
            // The cursor moves in steps of a tick; what has passed of the present tick is no wait any more.
            let passed = now.since(self.last_take).as_millis().min(100) as i32 * PER_MS;
            playing.delay = lead - passed + behind;
            playing.excess = if playing.delay > target + SLACK { playing.excess + 1 } else { 0 };
        } else if self.start_at.is_none() {
            self.start_at = Some(now + Duration::from_millis((target / PER_MS) as u64));
        }
        self.store(packet, now);
        Inserted::Stored
    }

    /// Whether a packet is near what is played or stored. One that is not begins a new time line when its successor
    /// follows it.
    fn fits(&mut self, timestamp: u32, sequence: u16) -> bool {
        let reference = self.playing.map(|playing| playing.cursor).or_else(|| self.oldest().map(|slot| slot.timestamp));
        let near = reference.is_none_or(|reference| {
            let distance = timestamp.wrapping_sub(reference) as i32;
            (-FAR..=FAR).contains(&distance)
        });
        if !near && self.suspect != Some(sequence) {
            self.suspect = Some(sequence.wrapping_add(1));
            return false;
        }
        if !near {
            self.reset();
        }
        self.suspect = None;
        true
    }

    fn store(&mut self, packet: &View<'_>, now: Instant) {
        let free = self.slots.iter().position(|slot| !slot.used).or_else(|| {
            let oldest = self.oldest()?.timestamp;
            let at = self.slots.iter().position(|slot| slot.timestamp == oldest)?;
            self.slots.get_mut(at)?.used = false;
            // Nobody takes: what is given out next is the oldest that is left.
            let next = self.oldest().map(|slot| slot.timestamp);
            if let (Some(playing), Some(next)) = (&mut self.playing, next) {
                playing.cursor = next;
            }
            Some(at)
        });
        let Some(at) = free else { return };
        let place = self.payload.get_mut(at * SLOT_OCTETS..).and_then(|rest| rest.get_mut(..packet.payload.len()));
        if let (Some(slot), Some(place)) = (self.slots.get_mut(at), place) {
            place.copy_from_slice(packet.payload);
            *slot = Slot {
                used: true,
                sequence: packet.header.sequence,
                timestamp: packet.header.timestamp,
                payload_type: packet.header.payload_type,
                octets: packet.payload.len(),
                arrived: now,
            };
        }
    }

    /// The stored packet that is played first.
    fn oldest(&self) -> Option<&Slot> {
        let reference = self.slots.iter().find(|slot| slot.used)?.timestamp;
        let used = self.slots.iter().filter(|slot| slot.used);
        used.min_by_key(|slot| slot.timestamp.wrapping_sub(reference) as i32)
    }

    /// Fills the front of `out`, never more than it holds and never nothing (unless `out` is empty). Call again for the
    /// rest until the tick's 160 octets (20 ms) are complete.
    pub fn take(&mut self, out: &mut [u8], now: Instant) -> Taken {
        let wanted = out.len();
        self.last_take = now;
        if self.playing.is_none() && !self.begin(now) {
            return Taken::Idle { octets: wanted };
        }
        let target = self.target_units();
        let Some(playing) = &mut self.playing else { return Taken::Idle { octets: wanted } };
        if playing.excess >= PATIENCE {
            playing.cursor = playing.cursor.wrapping_add(CUT);
            playing.delay -= CUT as i32;
            // The next cut comes after ten more packets.
            playing.excess = PATIENCE - 10;
        }
        let cursor = playing.cursor;
        for slot in &mut self.slots {
            slot.used &= slot.timestamp.wrapping_sub(cursor).wrapping_add(slot.octets as u32) as i32 > 0;
        }
        let Some(next) = self.oldest().copied() else {
            return self.run_dry(wanted, target);
        };
        let gap = next.timestamp.wrapping_sub(cursor) as i32;
        if gap <= 0 {
            return self.copy(&next, gap.unsigned_abs() as usize, out);
        }
        let Some(playing) = &mut self.playing else { return Taken::Idle { octets: wanted } };
        if next.sequence == playing.sequence.wrapping_add(1) {
            // No packet is missing: the far end was silent. Its speech begins anew, with the delay that is right now.
            self.playing = None;
            self.start_at = Some(next.arrived + Duration::from_millis((target / PER_MS) as u64));
            return self.take(out, now);
        }
        let octets = wanted.min(gap.unsigned_abs() as usize);
        playing.cursor = playing.cursor.wrapping_add(octets as u32);
        playing.starved += octets;
        if playing.starved > STARVED { Taken::Idle { octets } } else { Taken::Lost { octets } }
    }

    /// Begins to play where it is time.
    fn begin(&mut self, now: Instant) -> bool {
        if self.start_at.is_none_or(|start_at| now < start_at) {
            return false;
        }
        let Some(oldest) = self.oldest() else { return false };
        let waited = now.since(oldest.arrived).as_millis().min(1000) as i32 * PER_MS;
        self.playing = Some(Playing {
            cursor: oldest.timestamp,
            sequence: oldest.sequence.wrapping_sub(1),
            starved: 0,
            delay: waited,
            excess: 0,
        });
        self.start_at = None;
        true
    }

    /// Gives out stored payload from `skip` octets into the packet.
    fn copy(&mut self, slot: &Slot, skip: usize, out: &mut [u8]) -> Taken {
        let octets = out.len().min(slot.octets.saturating_sub(skip));
        let at = self.slots.iter().position(|other| other == slot).unwrap_or(0);
        let stored = self.payload.get(at * SLOT_OCTETS + skip..).and_then(|rest| rest.get(..octets));
        if let (Some(stored), Some(place)) = (stored, out.get_mut(..octets)) {
            place.copy_from_slice(stored);
        }
        if let Some(playing) = &mut self.playing {
            playing.cursor = playing.cursor.wrapping_add(octets as u32);
            playing.sequence = slot.sequence;
            playing.starved = 0;
        }
        Taken::Audio { octets, payload_type: slot.payload_type }
    }

    /// Nothing is stored. Where the delay is too short for the network, time stands still for what will yet come;
    /// where it is long enough, the packet is lost.
    fn run_dry(&mut self, wanted: usize, target: i32) -> Taken {
        let Some(playing) = &mut self.playing else { return Taken::Idle { octets: wanted } };
        playing.starved += wanted;
        if playing.starved > STARVED {
            self.playing = None;
            return Taken::Idle { octets: wanted };
        }
        if playing.delay < target {
            playing.delay += wanted as i32;
        } else {
            playing.cursor = playing.cursor.wrapping_add(wanted as u32);
        }
        Taken::Lost { octets: wanted }
    }

    fn target_units(&self) -> i32 {
        self.lateness.wait().clamp(self.min, self.max)
    }

    /// The delay aimed at now.
    pub fn target(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.target_units() / PER_MS).unwrap_or(0))
    }

    /// Packets that came too late to be played; to the listener they are lost.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// The far end changed its SSRC or codec: forgets what is stored, keeps what it knows of the network.
    pub fn reset(&mut self) {
        self.slots.fill(Slot::default());
        self.playing = None;
        self.start_at = None;
        self.suspect = None;
        self.lateness.restart();
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::super::Header;
    use super::*;

    /// The network's fixed delay in the simulations.
    const FIRST: Instant = Instant(1_000_000_000);

    /// A packet of the stream: arrival in ms after `FIRST`, sequence number; its octets are the low bits of it.
    #[derive(Clone, Copy)]
    struct Sent {
        arrives_ms: u64,
        sequence: u16,
        timestamp: u32,
        octets: usize,
    }

    fn stream(count: u16, mut jitter_ms: impl FnMut(u16) -> u64) -> Vec<Sent> {
        let packet = |n: u16| Sent {
            arrives_ms: u64::from(n) * 20 + jitter_ms(n),
            sequence: n.wrapping_add(65_500),
            timestamp: u32::from(n).wrapping_mul(160).wrapping_sub(5000),
            octets: 160,
        };
        let mut packets: Vec<Sent> = (0..count).map(packet).collect();
        packets.sort_by_key(|packet| packet.arrives_ms);
        packets
    }

    #[derive(Debug, Default, PartialEq)]
    struct Heard {
        /// Index of the packet behind each 20 ms of audio, as its first octet says.
        audio: Vec<u8>,
        lost: usize,
        idle: usize,
        late: usize,
    }

    fn put(buffer: &mut JitterBuffer, sent: &Sent, now: Instant) -> Inserted {
        let header = Header { sequence: sent.sequence, timestamp: sent.timestamp, ..Header::default() };
        let payload = vec![sent.sequence.wrapping_sub(65_500) as u8; sent.octets];
        buffer.insert(&View { header, payload: &payload }, now)
    }

    /// Plays a stream tick by tick, `phase_ms` off the sender's time.
    fn play(buffer: &mut JitterBuffer, packets: &[Sent], phase_ms: u64, ticks: u64) -> Heard {
        let mut heard = Heard::default();
        let mut waiting = packets.iter().peekable();
        for tick in 0..ticks {
            let elapsed_ms = tick * 20 + phase_ms;
            while let Some(sent) = waiting.next_if(|sent| sent.arrives_ms <= elapsed_ms) {
                let at = FIRST + Duration::from_millis(sent.arrives_ms);
                heard.late += usize::from(put(buffer, sent, at) == Inserted::Late);
            }
            let mut left = 160;
            while left > 0 {
                let mut out = [0; 160];
                let now = FIRST + Duration::from_millis(elapsed_ms);
                left -= match buffer.take(&mut out[..left], now) {
                    Taken::Audio { octets, .. } => {
                        if heard.audio.last() != Some(&out[0]) {
                            heard.audio.push(out[0]);
                        }
                        assert!(out[..octets].iter().all(|octet| *octet == out[0]));
                        octets
                    }
                    Taken::Lost { octets } => {
                        heard.lost += octets;
                        octets
                    }
                    Taken::Idle { octets } => {
                        heard.idle += octets;
                        octets
                    }
                };
            }
        }
        heard
    }

    fn buffer() -> JitterBuffer {
        JitterBuffer::new(JitterLimits::default())
    }

    #[test]
    fn an_even_stream_is_played_whole_after_the_least_delay() {
        for phase in 0..20 {
            let heard = play(&mut buffer(), &stream(200, |_| 0), phase, 199);
            assert_eq!(heard.lost + heard.late, 0, "phase {phase}");
            assert!((1..=2).contains(&(heard.idle / 160)), "phase {phase}: {}", heard.idle);
            let whole: Vec<u8> = (0..heard.audio.len() as u8).collect();
            assert_eq!(heard.audio, whole, "phase {phase}");
        }
    }

    #[test]
    fn packets_of_any_length_are_taken_evenly() {
        for (octets, ms) in [(80usize, 10u64), (240, 30), (320, 40), (480, 60)] {
            let packets: Vec<Sent> = (0..100u16)
                .map(|n| Sent {
                    arrives_ms: u64::from(n) * ms,
                    sequence: n.wrapping_add(65_500),
                    timestamp: u32::from(n) * octets as u32,
                    octets,
                })
                .collect();
            let heard = play(&mut buffer(), &packets, 7, 100 * ms / 20);
            assert_eq!((heard.lost, heard.late), (0, 0), "{ms} ms");
            assert!(heard.audio.len() >= 96, "{ms} ms: {}", heard.audio.len());
        }
    }

    #[test]
    fn reordered_packets_are_put_in_order() {
        let mut packets = stream(100, |_| 0);
        for pair in packets[10..].chunks_exact_mut(4) {
            let [_, b, c, _] = pair else { continue };
            std::mem::swap(&mut b.sequence, &mut c.sequence);
            std::mem::swap(&mut b.timestamp, &mut c.timestamp);
        }
        let mut buffer = JitterBuffer::new(JitterLimits { min: Duration::from_millis(60), ..JitterLimits::default() });
        let heard = play(&mut buffer, &packets, 5, 100);
        assert_eq!((heard.lost, heard.late), (0, 0));
        assert!(heard.audio.windows(2).all(|pair| pair[1] == pair[0] + 1), "{:?}", heard.audio);
    }

    #[test]
    fn duplicates_are_dropped() {
        let mut buffer = buffer();
        let packets = stream(3, |_| 0);
        assert_eq!(put(&mut buffer, &packets[0], FIRST), Inserted::Stored);
        assert_eq!(put(&mut buffer, &packets[0], FIRST), Inserted::Duplicate);
        let mut doubled: Vec<Sent> = stream(100, |_| 0).iter().flat_map(|packet| [*packet, *packet]).collect();
        doubled[1].arrives_ms += 1;
        let heard = play(&mut self::buffer(), &doubled, 3, 99);
        assert_eq!(heard.lost, 0);
        assert!(heard.audio.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }

    #[test]
    fn a_gap_is_lost_once_and_nothing_else() {
        let mut buffer = JitterBuffer::new(JitterLimits { min: Duration::from_millis(40), ..JitterLimits::default() });
        let packets: Vec<Sent> =
            stream(100, |_| 0).into_iter().enumerate().filter(|(n, _)| n % 10 != 5).map(|(_, packet)| packet).collect();
        let heard = play(&mut buffer, &packets, 5, 102);
        assert_eq!(heard.lost, 10 * 160);
        assert_eq!(heard.audio.len(), 90);
    }

    #[test]
    fn jitter_of_every_kind_costs_few_packets_once_the_delay_has_adapted() {
        type Model = fn(&mut ChaCha12Rng, u16) -> u64;
        let models: [(&str, Model, u64); 4] = [
            ("even over 40 ms", |rng, _| u64::from(rng.next_u32() % 40), 60),
            ("even over 100 ms", |rng, _| u64::from(rng.next_u32() % 100), 130),
            (
                "10 ms, every 20th up to 150 ms",
                |rng, n| if n % 20 == 0 { u64::from(rng.next_u32() % 150) } else { u64::from(rng.next_u32() % 10) },
                160,
            ),
            ("a slow swing of 60 ms", |_, n| (30.0 + 30.0 * (f64::from(n) / 40.0).sin()) as u64, 90),
        ];
        for (name, model, most_ms) in models {
            for seed in 0..20 {
                let rng = &mut ChaCha12Rng::seed_from_u64(seed);
                let mut buffer = buffer();
                let warm_up = stream(600, |n| model(rng, n));
                play(&mut buffer, &warm_up, 3, 600);
                let target = buffer.target();
                assert!(target <= Duration::from_millis(most_ms), "{name}, seed {seed}: {target:?}");
                buffer.reset();
                let heard = play(&mut buffer, &stream(1000, |n| model(rng, n)), 3, 1000);
                let share = heard.late as f64 / 1000.0;
                assert!(share < 0.06, "{name}, seed {seed}: {share} late with {target:?}");
                assert!(heard.lost < 1000 * 160 * 8 / 100, "{name}, seed {seed}: lost {}", heard.lost / 160);
            }
        }
    }

    #[test]
    fn the_delay_comes_down_when_the_network_calms() {
        let rng = &mut ChaCha12Rng::seed_from_u64(1);
        let packets = stream(4000, |n| if n < 1000 { u64::from(rng.next_u32() % 120) } else { 0 });
        let mut buffer = buffer();
        play(&mut buffer, &packets, 9, 4000);
        assert!(buffer.target() <= Duration::from_millis(20), "{:?}", buffer.target());
        let delay = buffer.playing.unwrap().delay / PER_MS;
        assert!(delay <= 50, "{delay} ms");
    }

    #[test]
    fn a_delay_spike_is_bridged_and_the_stream_goes_on() {
        let packets = stream(300, |n| if (100..110).contains(&n) { u64::from(110 - n) * 20 } else { 0 });
        let heard = play(&mut buffer(), &packets, 5, 300);
        assert!(heard.audio.contains(&111) && heard.audio.len() > 280, "{}", heard.audio.len());
        assert!(heard.lost <= 5 * 160, "concealed {}", heard.lost / 160);
    }

    #[test]
    fn silence_of_the_far_end_is_no_loss() {
        let mut packets = stream(200, |_| 0);
        for packet in &mut packets[100..] {
            packet.arrives_ms += 1000;
            packet.timestamp = packet.timestamp.wrapping_add(8000);
        }
        let heard = play(&mut buffer(), &packets, 5, 251);
        assert!(heard.lost <= 60 * 8, "only until it is known to be silent: {}", heard.lost);
        assert_eq!(heard.audio.len(), 200);
        assert!(heard.idle >= 45 * 160, "{}", heard.idle / 160);
    }

    #[test]
    fn a_new_time_line_is_taken_up_with_its_second_packet() {
        let mut packets = stream(200, |_| 0);
        for packet in &mut packets[100..] {
            packet.timestamp = packet.timestamp.wrapping_add(0x4000_0000);
            packet.sequence = packet.sequence.wrapping_add(256);
        }
        let heard = play(&mut buffer(), &packets, 5, 203);
        assert!(heard.audio.len() >= 197, "{}", heard.audio.len());
        let mut stray = packets[150];
        stray.timestamp ^= 0x8000_0000;
        let mut buffer = buffer();
        put(&mut buffer, &packets[0], FIRST);
        assert_eq!(put(&mut buffer, &stray, FIRST), Inserted::Refused);
        assert_eq!(put(&mut buffer, &packets[1], FIRST), Inserted::Stored, "one stray changes nothing");
    }

    #[test]
    fn clocks_that_drift_are_followed_both_ways() {
        for drift in [-200i64, 200] {
            // 200 ppm over ten minutes are 120 ms.
            let packets: Vec<Sent> = (0..30_000u32)
                .map(|n| Sent {
                    arrives_ms: (i64::from(n) * 20 + 200 + i64::from(n) * 20 * drift / 1_000_000) as u64,
                    sequence: (n as u16).wrapping_add(65_500),
                    timestamp: n * 160,
                    octets: 160,
                })
                .collect();
            let mut buffer = buffer();
            let heard = play(&mut buffer, &packets, 0, 29_900);
            assert!(heard.lost <= 160 * 20, "{drift} ppm: concealed {}", heard.lost / 160);
            assert!(heard.late <= 8, "{drift} ppm: {} late", heard.late);
            let delay = buffer.playing.unwrap().delay / PER_MS;
            assert!(delay <= 70, "{drift} ppm: {delay} ms");
        }
    }

    #[test]
    fn a_buffer_that_nobody_takes_from_keeps_the_newest() {
        let mut buffer = buffer();
        let packets = stream(100, |_| 0);
        for packet in &packets {
            put(&mut buffer, packet, FIRST + Duration::from_millis(packet.arrives_ms));
        }
        let mut out = [0; 160];
        let taken = buffer.take(&mut out, FIRST + Duration::from_secs(2));
        assert_eq!(taken, Taken::Audio { octets: 160, payload_type: 0 });
        assert_eq!(out[0], 84, "the oldest of the last sixteen");
    }

    #[test]
    fn what_is_no_audio_packet_is_refused() {
        let mut buffer = buffer();
        let view = |payload| View { header: Header::default(), payload };
        assert_eq!(buffer.insert(&view(&[]), FIRST), Inserted::Refused);
        assert_eq!(buffer.insert(&view(&[0; 481]), FIRST), Inserted::Refused);
        assert_eq!(buffer.take(&mut [], FIRST), Taken::Idle { octets: 0 });
    }

    #[test]
    fn no_stream_whatever_brings_the_buffer_down() {
        for seed in 0..300 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let mut buffer = buffer();
            let mut now = FIRST;
            for _ in 0..500 {
                now = now + Duration::from_millis(u64::from(rng.next_u32() % 30));
                let spread = [3, 100, 65_536, u32::MAX][rng.next_u32() as usize % 4];
                let header = Header {
                    sequence: (rng.next_u32() % spread) as u16,
                    timestamp: (rng.next_u32() % spread).wrapping_mul(80),
                    ..Header::default()
                };
                let payload = vec![0; rng.next_u32() as usize % 500];
                buffer.insert(&View { header, payload: &payload }, now);
                let mut out = [0; 200];
                let wanted = 1 + rng.next_u32() as usize % 200;
                let (Taken::Audio { octets, .. } | Taken::Lost { octets } | Taken::Idle { octets }) =
                    buffer.take(&mut out[..wanted], now);
                assert!((1..=wanted).contains(&octets), "seed {seed}");
            }
        }
    }
}
