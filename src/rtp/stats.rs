//! Sequence numbers, loss and jitter of what is received, and counts of what is sent (RFC 3550 App. A.1, A.3, A.8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rtcp::{ReportBlock, SenderInfo, ntp_middle};
use super::{Header, clock_units};
use crate::time::Instant;

/// RFC 3550 App. A.1: a jump ahead up to this is a gap, beyond it the source may have started anew.
const MAX_DROPOUT: u16 = 3000;
/// RFC 3550 App. A.1: a jump back up to this is reordering.
const MAX_MISORDER: u16 = 100;

/// What a packet's sequence number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrival {
    /// The next one, or one after a gap.
    New,
    /// Late, but the first of its number.
    Old,
    /// Its number was seen before.
    Repeated,
    /// Far off: the source may have started anew. It is not counted unless a second one follows it.
    Suspect,
    /// The source did start anew; `received` and `lost` keep what was counted before.
    Restarted,
}

/// Figures of the packets of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiveStats {
    clock_hz: u32,
    source: Option<Source>,
    /// Lost before the source started anew.
    lost_before: u64,
    received: u64,
    /// 16 times the jitter, as in RFC 3550 App. A.8.
    jitter: u64,
    sender_report: Option<(u32, Instant)>,
}

/// The state of RFC 3550 App. A.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Source {
    ssrc: u32,
    base: u16,
    highest: u16,
    cycles: u32,
    suspect: Option<u16>,
    received: u64,
    repeated: u64,
    /// Which of the 64 numbers up to `highest` were seen; bit 0 is `highest`.
    seen: u64,
    expected_prior: u64,
    received_prior: u64,
    transit: u32,
    timestamp: u32,
}

impl Source {
    fn new(header: &Header, transit: u32) -> Source {
        Source {
            ssrc: header.ssrc,
            base: header.sequence,
            highest: header.sequence,
            cycles: 0,
            suspect: None,
            received: 1,
            repeated: 0,
            seen: 1,
            expected_prior: 0,
            received_prior: 0,
            transit,
            timestamp: header.timestamp,
        }
    }

    fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_shl(16) | u32::from(self.highest)
    }

    fn expected(&self) -> u64 {
        (u64::from(self.cycles) << 16) + u64::from(self.highest) + 1 - u64::from(self.base)
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received - self.repeated)
    }

    fn arrive(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest);
        let behind = self.highest.wrapping_sub(sequence);
        if ahead != 0 && ahead < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1);
            }
            self.highest = sequence;
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        } else if behind <= MAX_MISORDER {
            self.received += 1;
            self.suspect = None;
            let bit = 1u64.checked_shl(u32::from(behind)).unwrap_or(0);
            // Older than the window cannot be told; it counts as repeated so that no loss is hidden.
            if self.seen & bit != 0 || bit == 0 {
                self.repeated += 1;
                return Arrival::Repeated;
            }
            self.seen |= bit;
            return Arrival::Old;
        } else if self.suspect == Some(sequence) {
            return Arrival::Restarted;
        } else {
            self.suspect = Some(sequence.wrapping_add(1));
            return Arrival::Suspect;
        }
        self.suspect = None;
        self.received += 1;
        Arrival::New
    }
}

impl ReceiveStats {
    /// `clock_hz` is the RTP clock: 8000 for G.722 too (RFC 3551 §4.5.2).
    pub fn new(clock_hz: u32) -> Self {
        ReceiveStats { clock_hz, source: None, lost_before: 0, received: 0, jitter: 0, sender_report: None }
    }

    /// Counts a packet. Another SSRC is a source that started anew.
    pub fn receive(&mut self, header: &Header, now: Instant) -> Arrival {
        let transit = clock_units(now, self.clock_hz).wrapping_sub(header.timestamp);
        let Some(source) = &mut self.source else {
            self.received += 1;
            self.source = Some(Source::new(header, transit));
            return Arrival::New;
        };
        let arrival = if source.ssrc == header.ssrc { source.arrive(header.sequence) } else { Arrival::Restarted };
        match arrival {
            Arrival::New | Arrival::Old => {
                self.received += 1;
                // Events repeat their timestamp (RFC 4733 §2.2.1), which would look like jitter.
                if source.timestamp != header.timestamp {
                    let change = u64::from((transit.wrapping_sub(source.transit) as i32).unsigned_abs());
                    // A jump of over a second is a new time line of the source's and no jitter.
                    if change <= u64::from(self.clock_hz) {
                        self.jitter = (self.jitter + change).saturating_sub((self.jitter + 8) >> 4);
                    }
                    source.transit = transit;
                    source.timestamp = header.timestamp;
                }
            }
            Arrival::Repeated => self.received += 1,
            Arrival::Suspect => {}
            Arrival::Restarted => {
                self.received += 1;
                self.lost_before += source.lost();
                *source = Source::new(header, transit);
                self.sender_report = None;
            }
        }
        arrival
    }

    /// The source last heard.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Packets received, repeated ones included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets expected and never received; repeated ones never make it less.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.source.as_ref().map_or(0, Source::lost)
    }

    /// RFC 3550 App. A.8.
    pub fn jitter(&self) -> Duration {
        let nanos = (self.jitter >> 4).saturating_mul(1_000_000_000) / u64::from(self.clock_hz.max(1));
        Duration::from_nanos(nanos)
    }

    /// The peer's sender report came; our next block answers it (LSR and DLSR). Ignored when it is another source's.
    pub fn take_sender_report(&mut self, ssrc: u32, sender: &SenderInfo, now: Instant) {
        if self.ssrc() == Some(ssrc) {
            self.sender_report = Some((ntp_middle(sender.ntp), now));
        }
    }

    /// The block for our next report; `None` when nothing came since the last (RFC 3550 §6.4). Starts the next interval
    /// of `fraction_lost`.
    pub fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let source = self.source.as_mut().filter(|source| source.received != source.received_prior)?;
        let expected = source.expected();
        let expected_interval = expected.saturating_sub(source.expected_prior);
        let received_interval = source.received - source.received_prior;
        source.expected_prior = expected;
        source.received_prior = source.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (lost_interval << 8).checked_div(expected_interval).unwrap_or(0);
        let cumulative =
            i64::try_from(expected).unwrap_or(i64::MAX) - i64::try_from(source.received).unwrap_or(i64::MAX);
        let (last_sr, delay) = self.sender_report.map_or((0, Duration::ZERO), |(lsr, at)| (lsr, now.since(at)));
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(cumulative.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest_sequence: source.extended_highest(),
            jitter: u32::try_from(self.jitter >> 4).unwrap_or(u32::MAX),
            last_sr,
            delay_since_last_sr: u32::try_from((delay.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX),
        })
    }
}

/// Figures of the packets we send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendStats {
    clock_hz: u32,
    packets: u64,
    octets: u64,
    last: Option<(u32, Instant)>,
    /// Packets sent at the last report and at the one before.
    reported: [u64; 2],
}

impl SendStats {
    /// `clock_hz` is the RTP clock.
    pub fn new(clock_hz: u32) -> Self {
        SendStats { clock_hz, packets: 0, octets: 0, last: None, reported: [0; 2] }
    }

    pub fn sent(&mut self, timestamp: u32, payload_octets: usize, now: Instant) {
        self.packets += 1;
        self.octets = self.octets.wrapping_add(payload_octets as u64);
        self.last = Some((timestamp, now));
    }

    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// For our next sender report; `None`, and a receiver report is due instead, when nothing was sent since the last
    /// but one (RFC 3550 §6.4). `ntp` is the wall-clock time of `now`.
    pub fn report(&mut self, ntp: u64, now: Instant) -> Option<SenderInfo> {
        let [last, before] = self.reported;
        self.reported = [self.packets, last];
        let (timestamp, at) = self.last.filter(|_| self.packets != before)?;
        let since = clock_units(now, self.clock_hz).wrapping_sub(clock_units(at, self.clock_hz));
        Some(SenderInfo {
            ntp,
            rtp_timestamp: timestamp.wrapping_add(since),
            packets: self.packets as u32,
            octets: self.octets as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn header(sequence: u16) -> Header {
        Header { sequence, timestamp: u32::from(sequence).wrapping_mul(160), ssrc: 7, ..Header::default() }
    }

    /// Feeds these sequence numbers 20 ms apart.
    fn fed(sequences: impl IntoIterator<Item = u16>) -> (ReceiveStats, Vec<Arrival>) {
        let mut stats = ReceiveStats::new(8000);
        let mut now = Instant(1_000_000_000);
        let mut arrivals = Vec::new();
        for sequence in sequences {
            arrivals.push(stats.receive(&header(sequence), now));
            now = now + TICK;
        }
        (stats, arrivals)
    }

    #[test]
    fn the_sequence_goes_on_over_the_wrap() {
        let (mut stats, arrivals) = fed((65_530..=65_535).chain(0..10));
        assert!(arrivals.iter().all(|arrival| *arrival == Arrival::New));
        assert_eq!((stats.received(), stats.lost()), (16, 0));
        assert_eq!(stats.report(Instant(0)).unwrap().highest_sequence, 65_536 + 9);
    }

    #[test]
    fn repeated_packets_hide_no_loss() {
        let (stats, arrivals) = fed([1, 2, 2, 2, 5, 4, 4]);
        assert_eq!(
            arrivals[2..],
            [Arrival::Repeated, Arrival::Repeated, Arrival::New, Arrival::Old, Arrival::Repeated]
        );
        assert_eq!((stats.received(), stats.lost()), (7, 1), "3 never came");
    }

    #[test]
    fn a_report_tells_the_loss_of_its_interval() {
        let (mut stats, _) = fed((0..100).filter(|sequence| sequence % 4 != 3));
        let first = stats.report(Instant(0)).unwrap();
        assert_eq!((first.cumulative_lost, first.ssrc), (24, 7), "the last lost one is not yet known to be");
        assert_eq!(first.fraction_lost, (24 * 256 / 99) as u8);
        assert_eq!(stats.report(Instant(0)), None, "nothing came since");
        stats.receive(&header(99), Instant(0));
        let second = stats.report(Instant(0)).unwrap();
        assert_eq!((second.cumulative_lost, second.fraction_lost), (24, 0));
    }

    #[test]
    fn repeated_packets_make_the_reports_loss_negative_as_the_rfc_has_it() {
        let (mut stats, _) = fed([1, 1, 1, 2]);
        let report = stats.report(Instant(0)).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (-2, 0));
        assert_eq!(stats.lost(), 0);
    }

    #[test]
    fn a_source_that_starts_anew_is_believed_the_second_time() {
        let (stats, arrivals) = fed([10, 11, 13, 40_000, 14, 40_001, 40_002, 40_003, 40_004]);
        assert_eq!(arrivals[3], Arrival::Suspect);
        assert_eq!(arrivals[4], Arrival::New);
        assert_eq!(arrivals[5..], [Arrival::Suspect, Arrival::Restarted, Arrival::New, Arrival::New]);
        assert_eq!(stats.lost(), 1, "what was lost before stays lost");
    }

    #[test]
    fn another_ssrc_starts_anew_at_once() {
        let (mut stats, _) = fed([1, 2, 4]);
        let other = Header { ssrc: 8, ..header(3) };
        assert_eq!(stats.receive(&other, Instant(0)), Arrival::Restarted);
        assert_eq!((stats.ssrc(), stats.received(), stats.lost()), (Some(8), 4, 1));
    }

    #[test]
    fn jitter_settles_at_the_mean_change_of_the_transit() {
        let mut stats = ReceiveStats::new(8000);
        for sequence in 0..2000u16 {
            let delay = Duration::from_millis(if sequence % 2 == 0 { 0 } else { 10 });
            let at = Instant(0) + TICK * u32::from(sequence) + delay;
            stats.receive(&header(sequence), at);
        }
        let jitter = stats.jitter().as_secs_f64() * 1000.0;
        assert!((jitter - 10.0).abs() < 0.5, "every transit differs by 10 ms from the last: {jitter} ms");
    }

    #[test]
    fn events_and_new_time_lines_are_no_jitter() {
        let mut stats = ReceiveStats::new(8000);
        for sequence in 0..50u16 {
            let at = Instant(0) + TICK * u32::from(sequence);
            let timestamp = match sequence {
                0..20 => u32::from(sequence) * 160,
                20..30 => 20 * 160,
                _ => 0x8000_0000 + u32::from(sequence) * 160,
            };
            stats.receive(&Header { sequence, timestamp, ssrc: 7, ..Header::default() }, at);
        }
        assert_eq!(stats.jitter(), Duration::ZERO);
    }

    #[test]
    fn the_answer_to_a_sender_report_names_it() {
        let (mut stats, _) = fed([1, 2]);
        let sender = SenderInfo { ntp: 0x1111_2222_3333_4444, ..SenderInfo::default() };
        stats.take_sender_report(99, &sender, Instant(0));
        assert_eq!(stats.clone().report(Instant(0)).unwrap().last_sr, 0, "of another source");
        stats.take_sender_report(7, &sender, Instant(500_000_000));
        let block = stats.report(Instant(2_000_000_000)).unwrap();
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0x2222_3333, 3 << 15));
    }

    #[test]
    fn a_sender_that_fell_silent_reports_as_receiver() {
        let mut stats = SendStats::new(8000);
        assert_eq!(stats.report(1, Instant(0)), None);
        stats.sent(1600, 160, Instant(0));
        stats.sent(1760, 160, Instant(20_000_000));
        let report = stats.report(5, Instant(1_020_000_000)).unwrap();
        assert_eq!(report, SenderInfo { ntp: 5, rtp_timestamp: 1760 + 8000, packets: 2, octets: 320 });
        assert!(stats.report(6, Instant(2_000_000_000)).is_some(), "sent since the last but one");
        assert_eq!(stats.report(7, Instant(3_000_000_000)), None);
    }
}
