//! A packet comes in: is it ours, what does it say, and who hears it at once.

use std::net::SocketAddr;
use std::time::Duration;

use crate::bridge::{Digit, DigitSource, Group, MediaEvent};
use crate::media::crossing::Recent;
use crate::media::io::{Flow, MediaIo};
use crate::media::leg::{Hearing, Key, Leg};
use crate::media::seam::Source;
use crate::media::voice::MAX_PTIME_OCTETS;
use crate::rtp::{Arrival, Header, View, is_rtcp, rewrite};
use crate::settings::Codec;
use crate::time::Instant;

use super::Worker;

/// How long a key sounds that we make anew because the far end could not be sent it as it came.
const KEY: Duration = Duration::from_millis(120);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Event,
}

impl<Io: MediaIo> Worker<Io> {
    /// A datagram has come on a leg's port. Its header is overwritten if it is relayed.
    pub fn packet(&mut self, place: u32, flow: Flow, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        self.tally.packets_in += 1;
        let Some(leg) = self.leg(place) else { return };
        let Some(stream) = &leg.stream else {
            self.tally.early += 1;
            return;
        };
        let muxed = stream.rtcp_mux;
        match flow {
            Flow::Rtp if is_rtcp(datagram) && muxed => self.report_arrived(place, from, true, datagram, now),
            Flow::Rtp => self.rtp_arrived(place, from, datagram, now),
            Flow::Rtcp => self.report_arrived(place, from, false, datagram, now),
        }
    }

    fn rtp_arrived(&mut self, place: u32, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        let Some(view) = Header::parse(datagram) else {
            self.tally.malformed += 1;
            return;
        };
        let Some(kind) = kind(leg, view.header.payload_type) else {
            self.tally.malformed += 1;
            return;
        };
        let fixed = leg.rtp.fixed().is_some();
        if !leg.rtp.accepts(from) {
            self.tally.strangers += 1;
            return;
        }
        if !fixed {
            self.io.fix(place, Some(from));
        }
        leg.heard_at = now;
        leg.dead_told = false;
        let arrival = leg.arrivals.receive(&view.header, now);
        let heard = leg.stream.as_ref().is_some_and(|stream| stream.receive);
        if !heard || arrival == Arrival::Suspect {
            // We said that we would not listen (hold): what is still under way is for nobody's ear. Or a number far
            // off the others: the next one tells whether the far end has started anew.
            return;
        }
        let digit = take_in(leg, kind, &view, arrival == Arrival::Restarted, now);
        let (header, octets, id, keeps) = (view.header, view.payload.len(), leg.id, leg.keeps_keys);
        let in_room = matches!(leg.group, Group::Room(_));
        if let Some((digit, source)) = digit {
            self.tell(MediaEvent::Digit { leg: id, digit, source });
            if source == DigitSource::TelephoneEvent && !keeps && !in_room {
                self.pass_on_key(place, digit, now);
            }
        }
        if keeps && kind == Kind::Event {
            return self.leave_out(place);
        }
        self.relay(place, kind, &header, octets, datagram, now);
    }

    /// Sends the packet to every leg that hears this one alone and in the same codec.
    fn relay(&mut self, place: u32, kind: Kind, header: &Header, octets: usize, datagram: &mut [u8], now: Instant) {
        // Taken out while its listeners are served, and put back: a pointer moves.
        let mut came = self.leg_mut(place).and_then(|leg| leg.came.take());
        let mut at = 0;
        while let Some(&listener) = self.leg(place).and_then(|leg| leg.relay_to.get(at)) {
            at += 1;
            let Some(leg) = self.legs.get_mut(listener as usize).and_then(Option::as_deref_mut) else { continue };
            if leg.is_busy() {
                continue;
            }
            let Some((to, stream)) = leg.sending() else { continue };
            let codec = stream.codec;
            let payload_type = match kind {
                Kind::Audio => Some(stream.send_payload_type),
                Kind::Event => stream.send_event_type,
            };
            let Some(payload_type) = payload_type else { continue };
            let Some(header) = leg.out.relayed(place, header, payload_type, octets, now) else { continue };
            rewrite(datagram, &header);
            let mut own = [0u8; Header::LEN + MAX_PTIME_OCTETS];
            let from = Origin { source: Source::Relay(place), before: came.as_deref() };
            let datagram = match kind {
                Kind::Audio => seamless(leg, &from, codec, datagram, &mut own, now),
                Kind::Event => &*datagram,
            };
            if kind == Kind::Audio
                && !leg.taps.is_empty()
                && let Some(view) = Header::parse(datagram)
            {
                leg.tap_sent(&view, now);
            }
            self.tally.relayed += 1;
            self.send(listener, Flow::Rtp, to, datagram);
        }
        if let (Kind::Audio, Some(came), Some(view)) = (kind, &mut came, Header::parse(datagram)) {
            came.push(view.payload);
        }
        if let Some(leg) = self.leg_mut(place) {
            leg.came = came;
        }
    }

    /// Those who are relayed this leg's packets do not get this one, and see no gap.
    fn leave_out(&mut self, place: u32) {
        let mut at = 0;
        while let Some(&listener) = self.leg(place).and_then(|leg| leg.relay_to.get(at)) {
            at += 1;
            if let Some(leg) = self.leg_mut(listener) {
                leg.out.pause_source();
            }
        }
    }

    /// Makes a key anew for the legs that hear this one but are not sent its event packets: those that have no
    /// telephone-event, or another codec.
    fn pass_on_key(&mut self, place: u32, digit: Digit, now: Instant) {
        let mut at = 0;
        while let Some(&listener) = self.leg(place).and_then(|leg| leg.relay_to.get(at)) {
            at += 1;
            let lacks = self
                .leg(listener)
                .and_then(|leg| leg.stream.as_ref())
                .is_some_and(|stream| stream.send_event_type.is_none());
            if lacks {
                self.send_key_anew(listener, digit, now);
            }
        }
        // A listener in a room of its own: there is one source, and it is this one.
        let mut at = 0;
        while let Some(listener) = self.sole_listener(place, at) {
            at += 1;
            if let Some(listener) = listener {
                self.send_key_anew(listener, digit, now);
            }
        }
    }

    /// The ear in this place of the leg's group, if it hears only that leg and through a room; the outer `None` when
    /// the group has no more legs.
    fn sole_listener(&self, place: u32, at: usize) -> Option<Option<u32>> {
        let source = self.leg(place)?;
        let listener = *self.groups.get(&source.group)?.get(at)?;
        let hears = self.leg(listener).is_some_and(|leg| {
            matches!(leg.hearing, Hearing::Room(_)) && leg.sources.as_slice() == [source.id].as_slice()
        });
        Some(hears.then_some(listener))
    }

    fn send_key_anew(&mut self, listener: u32, digit: Digit, now: Instant) {
        let Some(leg) = self.leg_mut(listener) else { return };
        let Some(keys) = &mut leg.keys else { return };
        if !keys.push_in_place(Key { event: digit.event(), duration: KEY }) {
            self.tally.keys_lost += 1;
        }
        self.wake(listener, now);
    }

    pub(super) fn send(&mut self, place: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) {
        if self.io.send(place, flow, to, datagram) {
            self.tally.packets_out += 1;
        } else {
            self.tally.send_failures += 1;
        }
    }
}

/// Where a packet comes from, and what came from there before it.
struct Origin<'a> {
    source: Source,
    before: Option<&'a Recent>,
}

/// The packet as this leg is sent it. The first one after another source is a copy without the step between the two.
fn seamless<'a>(
    leg: &mut Leg,
    from: &Origin<'_>,
    codec: Codec,
    datagram: &'a [u8],
    own: &'a mut [u8],
    now: Instant,
) -> &'a [u8] {
    let Some(View { header, payload }) = Header::parse(datagram) else { return datagram };
    let open = leg.seam.is_open(from.source, codec, now);
    let end = Header::LEN + payload.len();
    let Some(copy) = own.get_mut(..end).filter(|_| open) else {
        leg.seam.sent(from.source, codec, payload, now);
        return datagram;
    };
    header.write(copy);
    let rest = copy.get_mut(Header::LEN..).unwrap_or_default();
    rest.copy_from_slice(payload);
    leg.seam.close(from.source, rest, from.before, now);
    leg.seam.sent(from.source, codec, rest, now);
    copy
}

fn kind(leg: &Leg, payload_type: u8) -> Option<Kind> {
    let stream = leg.stream.as_ref()?;
    if payload_type == stream.receive_payload_type {
        Some(Kind::Audio)
    } else if stream.receive_event_type == Some(payload_type) {
        Some(Kind::Event)
    } else {
        None
    }
}

/// What the leg itself makes of the packet: a key it tells, and the audio for whoever mixes it.
fn take_in(leg: &mut Leg, kind: Kind, view: &View<'_>, restarted: bool, now: Instant) -> Option<(Digit, DigitSource)> {
    if kind == Kind::Event {
        let code = leg.events.receive(&view.header, view.payload)?;
        return Some((Digit::from_event(code)?, DigitSource::TelephoneEvent));
    }
    if let Some(stream) = &leg.stream {
        leg.taps.iter().for_each(|tap| tap.far(stream.codec, view.header.timestamp, view.payload, now));
    }
    if let Some(hearer) = &mut leg.hearer {
        hearer.far(view, now);
    }
    if let Some(voice) = &mut leg.voice {
        if restarted {
            voice.reset();
        }
        voice.insert(view, now);
    }
    let code = leg.in_band.as_mut()?.hear(view.payload)?;
    Some((Digit::from_event(code)?, DigitSource::InBand))
}
