//! RTCP: sender and receiver reports, SDES CNAME, BYE (RFC 3550 §6). Written into and read from the caller's slice:
//! reports fall due on the media tick, where nothing is allocated.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Wall;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const CNAME: u8 = 1;
const VERSION: u8 = 2 << 6;
const PADDING: u8 = 0x20;

/// RFC 3550 §6.4.1: a reception report block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Of the last interval, in 256ths.
    pub fraction_lost: u8,
    /// Of the whole session, 24 bits, negative when packets were repeated.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    pub last_sr: u32,
    /// In 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    const LEN: usize = 24;

    fn read(octets: &[u8; ReportBlock::LEN]) -> ReportBlock {
        let [lost0, lost1, lost2] = [octets[5], octets[6], octets[7]];
        ReportBlock {
            ssrc: word(octets, 0),
            fraction_lost: octets[4],
            // The sign of 24 bits is carried on.
            cumulative_lost: i32::from_be_bytes([lost0, lost1, lost2, 0]) >> 8,
            highest_sequence: word(octets, 8),
            jitter: word(octets, 12),
            last_sr: word(octets, 16),
            delay_since_last_sr: word(octets, 20),
        }
    }

    fn write(&self) -> [u8; ReportBlock::LEN] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ];
        let mut octets = [0; ReportBlock::LEN];
        for (place, word) in octets.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }
}

/// RFC 3550 §6.4.1: the sender's part of a sender report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderInfo {
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

impl SenderInfo {
    const LEN: usize = 20;

    fn read(octets: &[u8; SenderInfo::LEN]) -> SenderInfo {
        SenderInfo {
            ntp: u64::from(word(octets, 0)) << 32 | u64::from(word(octets, 4)),
            rtp_timestamp: word(octets, 8),
            packets: word(octets, 12),
            octets: word(octets, 16),
        }
    }
}

/// The big-endian word at an offset; 0 beyond the end, which no caller asks for.
fn word(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word))
}

/// One compound packet of ours: SR (or RR), SDES with CNAME, and BYE where the stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    pub ssrc: u32,
    pub sender: Option<SenderInfo>,
    pub block: Option<ReportBlock>,
    /// At most 255 octets; the rest is cut off.
    pub cname: &'a str,
    pub bye: bool,
}

impl Compound<'_> {
    /// Octets that any compound fits into: SR with a block, SDES with the longest name, BYE.
    pub const MAX_LEN: usize = 52 + 268 + 8;

    /// Writes it to the front of `out` and returns its length; `None` where `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer { out, at: 0 };
        let blocks = u8::from(self.block.is_some());
        let kind = if self.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let length = 8 + self.sender.map_or(0, |_| SenderInfo::LEN) + self.block.map_or(0, |_| ReportBlock::LEN);
        writer.head(blocks, kind, length)?;
        writer.word(self.ssrc)?;
        if let Some(sender) = &self.sender {
            writer.put(&sender.ntp.to_be_bytes())?;
            writer.word(sender.rtp_timestamp)?;
            writer.word(sender.packets)?;
            writer.word(sender.octets)?;
        }
        if let Some(block) = &self.block {
            writer.put(&block.write())?;
        }
        let name = cut(self.cname, 255).as_bytes();
        // At least one null ends the items, and more fill the word (RFC 3550 §6.5).
        let padding = 4 - (2 + name.len()) % 4;
        writer.head(1, SOURCE_DESCRIPTION, 4 + 4 + 2 + name.len() + padding)?;
        writer.word(self.ssrc)?;
        writer.put(&[CNAME, u8::try_from(name.len()).ok()?])?;
        writer.put(name)?;
        writer.put([0; 4].get(..padding)?)?;
        if self.bye {
            writer.head(1, GOODBYE, 8)?;
            writer.word(self.ssrc)?;
        }
        Some(writer.at)
    }
}

/// The longest beginning of at most `limit` octets.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at.checked_add(octets.len())?;
        self.out.get_mut(self.at..end)?.copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.put(&word.to_be_bytes())
    }

    /// `length` is the packet's in octets, a multiple of four; the field counts words less one.
    fn head(&mut self, count: u8, kind: u8, length: usize) -> Option<()> {
        self.put(&[VERSION | count, kind])?;
        self.put(&u16::try_from(length / 4 - 1).ok()?.to_be_bytes())
    }
}

/// What a compound packet of the peer's tells us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Who reports.
    pub ssrc: u32,
    pub sender: Option<SenderInfo>,
    /// What it says about the stream asked for.
    pub block: Option<ReportBlock>,
    pub bye: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum RtcpError {
    #[error("an RTCP packet does not fit its datagram")]
    Length,
    #[error("a compound RTCP packet must begin with a report of version 2 without padding")]
    First,
}

impl Incoming {
    /// Reads a compound packet (RFC 3550 App. A.2: strict; one fault refuses the whole); `own` is the SSRC whose report
    /// block we want.
    pub fn parse(datagram: &[u8], own: u32) -> Result<Incoming, RtcpError> {
        match datagram {
            [first, SENDER_REPORT | RECEIVER_REPORT, ..] if first & !0x1f == VERSION => {}
            _ => return Err(RtcpError::First),
        }
        let mut incoming = Incoming { ssrc: word(datagram, 4), ..Incoming::default() };
        let mut rest = datagram;
        while !rest.is_empty() {
            let head: &[u8; 4] = rest.first_chunk().ok_or(RtcpError::Length)?;
            let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
            let (packet, following) = rest.split_at_checked(length).ok_or(RtcpError::Length)?;
            rest = following;
            if head[0] & 0xc0 != VERSION {
                return Err(RtcpError::Length);
            }
            let body = without_padding(packet, rest.is_empty())?;
            incoming.take(head[1], usize::from(head[0] & 0x1f), body, own)?;
        }
        Ok(incoming)
    }

    /// `body` is what follows the head of four octets.
    fn take(&mut self, kind: u8, count: usize, body: &[u8], own: u32) -> Result<(), RtcpError> {
        let mut blocks = match kind {
            SENDER_REPORT => {
                let sender = body.get(4..).and_then(|rest| rest.first_chunk()).ok_or(RtcpError::Length)?;
                if word(body, 0) == self.ssrc {
                    self.sender = Some(SenderInfo::read(sender));
                }
                body.get(4 + SenderInfo::LEN..).ok_or(RtcpError::Length)?
            }
            RECEIVER_REPORT => body.get(4..).ok_or(RtcpError::Length)?,
            GOODBYE => {
                let sources = body.get(..4 * count).ok_or(RtcpError::Length)?;
                self.bye |= sources.chunks_exact(4).any(|source| word(source, 0) == self.ssrc);
                return Ok(());
            }
            _ => return Ok(()),
        };
        for _ in 0..count {
            let (block, following) = blocks.split_first_chunk().ok_or(RtcpError::Length)?;
            let block = ReportBlock::read(block);
            if block.ssrc == own {
                self.block = Some(block);
            }
            blocks = following;
        }
        Ok(())
    }
}

/// The body of a packet, less its head and padding; only the last of a compound may be padded, by a multiple of four.
fn without_padding(packet: &[u8], last: bool) -> Result<&[u8], RtcpError> {
    let (head, body) = packet.split_at_checked(4).ok_or(RtcpError::Length)?;
    if head.first().is_none_or(|first| first & PADDING == 0) {
        return Ok(body);
    }
    let padding = usize::from(body.last().copied().unwrap_or(0));
    if !last || padding == 0 || padding % 4 != 0 {
        return Err(RtcpError::Length);
    }
    body.len().checked_sub(padding).and_then(|end| body.get(..end)).ok_or(RtcpError::Length)
}

/// When the next report is due (RFC 3550 §6.2, §6.3 and App. A.7, for a session of two).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RtcpTimer {
    /// RTCP's share of the session, in octets a second.
    octets_per_second: f64,
    average_octets: f64,
    initial: bool,
}

impl RtcpTimer {
    const MEMBERS: f64 = 2.0;
    /// Seconds; half of it before the first report.
    const MIN_INTERVAL: f64 = 5.0;
    /// App. A.7: e - 1.5 makes up for the reconsideration that shortens intervals.
    const COMPENSATION: f64 = std::f64::consts::E - 1.5;
    /// IP and UDP heads count as well (§6.2).
    const LOWER_LAYERS: f64 = 28.0;

    /// `session_bits_per_second` of the RTP in one direction; 5 % of it are RTCP's.
    pub fn new(session_bits_per_second: u32) -> Self {
        RtcpTimer {
            octets_per_second: f64::from(session_bits_per_second.max(1)) / 8.0 * 0.05,
            average_octets: 100.0 + RtcpTimer::LOWER_LAYERS,
            initial: true,
        }
    }

    /// A compound packet came or went; its size moves the average (§6.3.3).
    pub fn packet(&mut self, octets: usize) {
        let size = octets.min(65_535) as f64 + RtcpTimer::LOWER_LAYERS;
        self.average_octets += (size - self.average_octets) / 16.0;
    }

    /// Time until our next report; `random` is even between 0 and 1.
    pub fn interval(&mut self, random: f64) -> Duration {
        let least = if self.initial { RtcpTimer::MIN_INTERVAL / 2.0 } else { RtcpTimer::MIN_INTERVAL };
        self.initial = false;
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.5 };
        let deterministic = (self.average_octets * RtcpTimer::MEMBERS / self.octets_per_second).max(least);
        Duration::from_secs_f64((deterministic * (random + 0.5) / RtcpTimer::COMPENSATION).min(3600.0))
    }
}

/// Seconds from the NTP epoch (1900) to the Unix epoch.
const NTP_EPOCH: i64 = 2_208_988_800;

/// The 64-bit NTP time of a wall-clock time (RFC 3550 §4); wraps in 2036 as NTP does.
pub fn ntp_time(wall: Wall) -> u64 {
    let nanos = wall.as_nanosecond();
    let seconds = (nanos.div_euclid(1_000_000_000) as i64).wrapping_add(NTP_EPOCH) as u32;
    let fraction = (nanos.rem_euclid(1_000_000_000) as u64) << 32;
    (u64::from(seconds) << 32) | (fraction / 1_000_000_000)
}

/// The middle 32 bits of an NTP time: what LSR carries.
pub fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// RFC 3550 §6.4.1: the round trip that a report block about our stream shows; `None` where it names no report of
/// ours, or one sent after it came (the peer's clock or word is wrong).
pub fn round_trip(block: &ReportBlock, received_at_ntp: u64) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let units = ntp_middle(received_at_ntp).wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
    i32::try_from(units).ok()?;
    Some(Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};
    use rtc_rtcp::goodbye::Goodbye;
    use rtc_rtcp::receiver_report::ReceiverReport;
    use rtc_rtcp::sender_report::SenderReport;
    use rtc_rtcp::source_description::{SdesType, SourceDescription};

    use super::*;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0xaaaa_bbbb,
        fraction_lost: 12,
        cumulative_lost: -3,
        highest_sequence: 0x1_0007,
        jitter: 44,
        last_sr: 0x1234_5678,
        delay_since_last_sr: 65_536,
    };
    const SENDER: SenderInfo = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 160, packets: 50, octets: 8000 };

    fn written(compound: &Compound<'_>) -> Vec<u8> {
        let mut out = [0xee; Compound::MAX_LEN];
        let length = compound.write(&mut out).unwrap();
        out[..length].to_vec()
    }

    fn compound() -> Compound<'static> {
        Compound { ssrc: 77, sender: Some(SENDER), block: Some(BLOCK), cname: "leg@relais", bye: true }
    }

    #[test]
    fn another_reader_reads_what_we_write() {
        let mut octets = Bytes::from(written(&compound()));
        let packets = rtc_rtcp::packet::unmarshal(&mut octets).unwrap();
        assert_eq!(packets.len(), 3);
        let report: &SenderReport = packets[0].as_any().downcast_ref().unwrap();
        assert_eq!((report.ssrc, report.ntp_time, report.rtp_time), (77, SENDER.ntp, 160));
        assert_eq!((report.packet_count, report.octet_count), (50, 8000));
        let block = &report.reports[0];
        assert_eq!((block.ssrc, block.fraction_lost, block.total_lost), (BLOCK.ssrc, 12, 0xff_fffd));
        assert_eq!((block.last_sequence_number, block.jitter), (0x1_0007, 44));
        assert_eq!((block.last_sender_report, block.delay), (0x1234_5678, 65_536));
        let names: &SourceDescription = packets[1].as_any().downcast_ref().unwrap();
        assert_eq!(names.chunks[0].source, 77);
        assert_eq!(names.chunks[0].items[0].sdes_type, SdesType::SdesCname);
        assert_eq!(&names.chunks[0].items[0].text[..], b"leg@relais");
        let bye: &Goodbye = packets[2].as_any().downcast_ref().unwrap();
        assert_eq!(bye.sources, [77]);

        let receiver = Compound { sender: None, block: None, bye: false, ..compound() };
        let packets = rtc_rtcp::packet::unmarshal(&mut Bytes::from(written(&receiver))).unwrap();
        let report: &ReceiverReport = packets[0].as_any().downcast_ref().unwrap();
        assert_eq!((report.ssrc, report.reports.len(), packets.len()), (77, 0, 2));
    }

    #[test]
    fn names_of_every_length_fill_whole_words() {
        for length in 0..=300 {
            let name = "x".repeat(length);
            let octets = written(&Compound { cname: &name, ..compound() });
            assert_eq!(octets.len() % 4, 0, "{length}");
            assert!(octets.len() <= Compound::MAX_LEN);
            assert!(Incoming::parse(&octets, BLOCK.ssrc).unwrap().bye, "{length}");
            let packets = rtc_rtcp::packet::unmarshal(&mut Bytes::from(octets)).unwrap();
            let names: &SourceDescription = packets[1].as_any().downcast_ref().unwrap();
            assert_eq!(names.chunks[0].items[0].text.len(), length.min(255));
        }
        assert_eq!(cut("éé", 3), "é");
    }

    #[test]
    fn what_we_write_reads_back() {
        let octets = written(&compound());
        let incoming = Incoming { ssrc: 77, sender: Some(SENDER), block: Some(BLOCK), bye: true };
        assert_eq!(Incoming::parse(&octets, BLOCK.ssrc), Ok(incoming));
        assert_eq!(Incoming::parse(&octets, 1).unwrap().block, None, "a block about somebody else");
    }

    #[test]
    fn every_cut_of_a_compound_is_refused_or_whole() {
        let octets = written(&compound());
        let boundaries = [52, 52 + 24];
        for length in 0..octets.len() {
            let parsed = Incoming::parse(&octets[..length], 1);
            assert_eq!(parsed.is_ok(), boundaries.contains(&length), "{length}: {parsed:?}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let good = written(&Compound { bye: false, ..compound() });
        let spoiled = |at: usize, value: u8| {
            let mut octets = good.clone();
            octets[at] = value;
            Incoming::parse(&octets, 1)
        };
        assert_eq!(spoiled(0, 0x82), Err(RtcpError::Length), "two blocks announced, one there");
        assert_eq!(spoiled(0, 0xa1), Err(RtcpError::First), "the first may not be padded");
        assert_eq!(spoiled(0, 0x41), Err(RtcpError::First), "version 1");
        assert_eq!(spoiled(1, 202), Err(RtcpError::First), "no report first");
        assert_eq!(spoiled(3, 5), Err(RtcpError::Length), "shorter than its sender part");
        assert_eq!(spoiled(3, 200), Err(RtcpError::Length));
        assert_eq!(spoiled(52, 0x01), Err(RtcpError::Length), "version 0 inside");
        let mut padded = [&good[..], &[0xa0, 203, 0, 1, 0, 0, 0, 4]].concat();
        assert!(Incoming::parse(&padded, 1).is_ok());
        *padded.last_mut().unwrap() = 3;
        assert_eq!(Incoming::parse(&padded, 1), Err(RtcpError::Length));
        *padded.last_mut().unwrap() = 8;
        assert_eq!(Incoming::parse(&padded, 1), Err(RtcpError::Length));
    }

    #[test]
    fn no_octets_whatever_bring_the_reader_down() {
        for seed in 0..20_000 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let mut octets = written(&compound());
            for _ in 0..1 + rng.next_u32() % 6 {
                let at = rng.next_u32() as usize % octets.len();
                octets[at] = rng.next_u32() as u8;
            }
            octets.truncate(rng.next_u32() as usize % (octets.len() + 1));
            let _ = Incoming::parse(&octets, BLOCK.ssrc);
        }
    }

    #[test]
    fn intervals_are_random_between_half_and_one_and_a_half() {
        let mut timer = RtcpTimer::new(64_000);
        let first = timer.interval(0.5).as_secs_f64();
        assert!((first - 2.5 / 1.21828).abs() < 0.001, "half the minimum before the first report: {first}");
        let low = timer.interval(0.0).as_secs_f64();
        let high = timer.interval(1.0).as_secs_f64();
        assert!((low - 2.5 / 1.21828).abs() < 0.001 && (high - 7.5 / 1.21828).abs() < 0.001, "{low} {high}");
        let mut narrow = RtcpTimer::new(800);
        narrow.interval(0.5);
        assert!(narrow.interval(0.5) > Duration::from_secs(30), "a narrow session reports seldom");
        assert!(narrow.interval(f64::NAN) > Duration::ZERO);
    }

    #[test]
    fn the_round_trip_is_what_is_left_of_the_time() {
        let sent = ntp_time("2026-01-02T03:04:05.5Z".parse().unwrap());
        let back = ntp_time("2026-01-02T03:04:07.75Z".parse().unwrap());
        let block = ReportBlock { last_sr: ntp_middle(sent), delay_since_last_sr: 2 << 16, ..BLOCK };
        assert_eq!(round_trip(&block, back), Some(Duration::from_millis(250)));
        assert_eq!(round_trip(&ReportBlock { last_sr: 0, ..block }, back), None);
        assert_eq!(
            round_trip(&ReportBlock { delay_since_last_sr: 3 << 16, ..block }, back),
            None,
            "before it was sent"
        );
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(ntp_time("1970-01-01T00:00:00.5Z".parse().unwrap()), 2_208_988_800 << 32 | 1 << 31);
    }
}
