//! RTCP: our reports, the peer's, and what they say together.

use std::net::SocketAddr;

use rand_core::RngCore;

use crate::media::io::{Flow, MediaIo};
use crate::rtp::{Compound, Incoming, round_trip};
use crate::time::Instant;

use super::{SLOW_STEP, Worker};

impl<Io: MediaIo> Worker<Io> {
    /// Sets the leg's first report (RFC 3550 §6.2: after half an interval) and its place on the slow wheel.
    pub(super) fn begin_reports(&mut self, place: u32, now: Instant) {
        let random = self.random();
        let Some(leg) = self.leg_mut(place) else { return };
        if leg.reports.due.is_none() {
            leg.reports.due = Some(now + leg.reports.timer.interval(random) / 2);
        }
        let mut next = leg.reports.due.unwrap_or(now);
        if leg.expects_media() {
            next = next.min(leg.heard_at + leg.dead_after);
        }
        if !self.io.is_ready(place) {
            next = next.min(now + SLOW_STEP);
        }
        self.slow.schedule(place, next);
    }

    pub(super) fn next_report(&mut self, place: u32, now: Instant) -> Instant {
        let random = self.random();
        let Some(leg) = self.leg_mut(place) else { return now };
        let due = now + leg.reports.timer.interval(random);
        leg.reports.due = Some(due);
        due
    }

    /// Sends what there is to report; `bye` at the end of the leg (RFC 3550 §6.6). Nothing where the far end has no
    /// address, and no BYE from a leg that never sent.
    pub(super) fn send_report(&mut self, place: u32, now: Instant, bye: bool) {
        let ntp = self.ntp(now);
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        let Some((to, muxed)) = leg.reporting() else { return };
        if bye && leg.out.stats.packets() == 0 && leg.arrivals.received() == 0 {
            return;
        }
        let compound = Compound {
            ssrc: leg.out.ssrc(),
            sender: leg.out.stats.report(ntp, now),
            block: leg.arrivals.report(now),
            cname: std::str::from_utf8(&leg.reports.cname).unwrap_or_default(),
            bye,
        };
        let mut datagram = [0u8; Compound::MAX_LEN];
        let Some(length) = compound.write(&mut datagram) else { return };
        leg.reports.timer.packet(length);
        let flow = if muxed { Flow::Rtp } else { Flow::Rtcp };
        self.send(place, flow, to, datagram.get(..length).unwrap_or_default());
    }

    pub(super) fn report_arrived(&mut self, place: u32, from: SocketAddr, muxed: bool, datagram: &[u8], now: Instant) {
        let ntp = self.ntp(now);
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        let Ok(report) = Incoming::parse(datagram, leg.out.ssrc()) else {
            self.tally.malformed += 1;
            return;
        };
        let far_end = if muxed { &mut leg.rtp } else { &mut leg.rtcp };
        if !far_end.accepts(from) {
            self.tally.strangers += 1;
            return;
        }
        if muxed {
            self.io.fix(place, Some(from));
        }
        leg.reports.timer.packet(datagram.len());
        if let Some(sender) = &report.sender {
            leg.arrivals.take_sender_report(report.ssrc, sender, now);
        }
        if let Some(trip) = report.block.as_ref().and_then(|block| round_trip(block, ntp)) {
            leg.reports.round_trip = Some(trip);
        }
    }

    /// NTP time (RFC 3550 §4): seconds since 1900 in the upper half, their fraction in the lower.
    fn ntp(&self, now: Instant) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        let fraction = ((now.0 % SECOND) << 32) / SECOND;
        self.ntp_at_zero.wrapping_add((now.0 / SECOND) << 32).wrapping_add(fraction)
    }

    /// Even between 0 and 1.
    fn random(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / f64::from(u32::MAX)
    }
}
