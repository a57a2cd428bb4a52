//! The time comes: packets that we make ourselves, of plays, keys and mixes.

use crate::audio::{Encoder, Mixer, Tone, sample_rate_hz};
use crate::bridge::MediaEvent;
use crate::media::io::{Flow, MediaIo, Watch};
use crate::media::leg::{KEY_PAUSE, Key, Keys, Leg, Sending};
use crate::media::outgoing::units;
use crate::media::seam::Source;
use crate::media::voice::{Frame, MAX_PTIME_OCTETS, WIDE, cross_fade};
use crate::rtp::{EventPacket, EventSender, Header, View};
use crate::settings::Codec;
use crate::time::Instant;

use super::plan::{Mix, Room};
use super::{SLOW_STEP, STEP, Worker, leg_entry, room_entry};

/// One packet under construction: header and payload.
type Packet = [u8; Header::LEN + MAX_PTIME_OCTETS];

/// What became of a leg's turn.
enum Turn {
    /// The leg is to be called again in a packet's time.
    Again,
    /// Likewise, and so many octets of payload of the codec stand in the packet.
    Audio(usize),
    /// A whole packet of this length.
    Whole(usize),
    /// The leg makes nothing any more.
    Done,
}

impl<Io: MediaIo> Worker<Io> {
    /// Does everything that is due at `now`. Allocates, locks and logs nothing.
    pub fn tick(&mut self, now: Instant) {
        self.tally.lost_turns += self.wheel.skip_lost_turns(now);
        let mut late = false;
        while let Some((entry, due)) = self.wheel.expire(now) {
            late |= now.since(due) > STEP;
            let place = entry / 2;
            if entry == leg_entry(place) { self.leg_turn(place, due) } else { self.room_turn(place, due) }
        }
        self.tally.late_ticks += u64::from(late);
        while let Some((place, _)) = self.slow.expire(now) {
            self.look_after(place, now);
        }
        while let Some((place, _)) = self.quick.expire(now) {
            self.guard(place, now);
        }
    }

    fn leg_turn(&mut self, place: u32, due: Instant) {
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        leg.called = due;
        let mut packet: Packet = [0; Header::LEN + MAX_PTIME_OCTETS];
        let octets = leg.packet_octets();
        if !self.io.is_ready(place) {
            // Who is called hears a prompt from its beginning, however long the keys took.
            let next = due + leg.packet_time();
            return self.wheel.schedule(leg_entry(place), next);
        }
        let turn = match key_turn(leg, &mut packet, due) {
            Some(turn) => turn,
            None => play_turn(leg, packet.get_mut(Header::LEN..Header::LEN + octets).unwrap_or_default()),
        };
        let length = match turn {
            // What was set aside goes on in the same turn.
            Turn::Done if self.end_play(place) => return self.leg_turn(place, due),
            Turn::Done => return,
            Turn::Again => None,
            Turn::Whole(length) => Some(length),
            Turn::Audio(filled) => {
                self.fill_up(place, &mut packet, filled, octets);
                self.frame(place, Source::Made, &mut packet, octets, due)
            }
        };
        if let (Some(length), Some((to, _))) = (length, self.leg(place).and_then(Leg::sending)) {
            self.send(place, Flow::Rtp, to, packet.get(..length).unwrap_or_default());
        }
        let Some(leg) = self.leg(place) else { return };
        let next = due + leg.packet_time();
        self.wheel.schedule(leg_entry(place), next);
    }

    /// Whether something plays on.
    fn end_play(&mut self, place: u32) -> bool {
        let Some(leg) = self.leg_mut(place) else { return false };
        let id = leg.id;
        let ended = std::mem::replace(&mut leg.play, leg.aside.take());
        let goes_on = leg.play.is_some();
        if let Some(ended) = ended {
            self.tell(MediaEvent::PlayEnded { leg: id, play: ended.play });
            // Freed between ticks. More than a list of them end only while nobody settles.
            if self.ended.len() < self.ended.capacity() {
                self.ended.push(ended);
            }
        }
        goes_on
    }

    /// The rest of the last packet of a play is silence.
    fn fill_up(&self, place: u32, packet: &mut Packet, filled: usize, octets: usize) {
        let Some(stream) = self.leg(place).and_then(|leg| leg.stream.as_ref()) else { return };
        let (from, to) = (Header::LEN + filled, Header::LEN + octets);
        if let (Some(rest), Some(silence)) =
            (packet.get_mut(from..to), self.studio.silence(stream.codec).get(..octets - filled))
        {
            rest.copy_from_slice(silence);
        }
    }

    /// Puts the header before a payload that we made; the packet's length, or `None` where it is not to be sent.
    fn frame(&mut self, place: u32, source: Source, packet: &mut Packet, octets: usize, due: Instant) -> Option<usize> {
        let leg = self.leg_mut(place)?;
        let (_, stream) = leg.sending()?;
        let (payload_type, codec) = (stream.send_payload_type, stream.codec);
        let header = leg.out.generated(payload_type, octets, due)?;
        let length = header.write(packet)? + octets;
        let payload = packet.get_mut(Header::LEN..length).unwrap_or_default();
        if leg.seam.is_open(source, codec, due) {
            leg.seam.close(source, payload, None, due);
        }
        leg.seam.sent(source, codec, payload, due);
        if let Some(hearer) = &mut leg.hearer {
            hearer.near(packet.get(Header::LEN..length).unwrap_or_default(), due);
        }
        if !leg.taps.is_empty() {
            leg.tap_sent(&View { header, payload: packet.get(Header::LEN..length).unwrap_or_default() }, due);
        }
        Some(length)
    }

    fn room_turn(&mut self, place: u32, due: Instant) {
        // Taken out while its legs are worked on, and put back: a pointer moves, nothing is allocated.
        let Some(mut room) = self.rooms.get_mut(place as usize).and_then(Option::take) else { return };
        self.listen(&mut room, due);
        let [narrow, narrow_part, wide, wide_part] = &mut self.mixers;
        let (all, part) = if room.wide { (wide, wide_part) } else { (narrow, narrow_part) };
        all.clear();
        for (frame, spoke) in room.frames.iter().zip(&room.spoke).take(room.voices.len()) {
            if *spoke {
                all.add(samples(frame, room.wide));
            }
        }
        let Room { seats, frames, spoke, voices, wide, .. } = &mut *room;
        let tick = Tick { frames, spoke, live: voices.len(), wide: *wide };
        for seat in seats {
            let Some(leg) = self.legs.get_mut(seat.place as usize).and_then(Option::as_deref_mut) else { continue };
            let mut heard: Frame = [0; WIDE];
            let mut speaks = tick.hear(&seat.mix, all, part, &mut heard);
            if std::mem::take(&mut seat.fades) {
                speaks |= tick.go_over(&seat.before, part, &mut heard);
            }
            if let Some(over) = &mut leg.over {
                speaks = true;
                over.mix_into(samples_mut(&mut heard, *wide));
            }
            let busy = leg.is_busy();
            if let Some(ear) = &mut leg.ear {
                if speaks && !busy { ear.push(&heard) } else { ear.clear() }
            }
        }
        for seat in &room.seats {
            self.send_heard(seat.place, due);
            self.end_over(seat.place);
        }
        if let Some(slot) = self.rooms.get_mut(place as usize) {
            *slot = Some(room);
        }
        self.wheel.schedule(room_entry(place), due + 10 * STEP);
    }

    /// A sound that was mixed in to its end is told of, and the plan made anew without it.
    fn end_over(&mut self, place: u32) {
        let Some(leg) = self.leg_mut(place) else { return };
        let Some(play) = leg.over.as_mut().and_then(|over| over.take_end()) else { return };
        let (leg, group) = (leg.id, leg.group);
        self.tell(MediaEvent::PlayEnded { leg, play });
        // Where there is no room to say so without allocating, the next change does it.
        if self.changed.len() < self.changed.capacity() {
            self.changed.push(group);
        }
    }

    /// Takes this tick's audio of every voice.
    fn listen(&mut self, room: &mut Room, due: Instant) {
        let Room { voices, gone, frames, spoke, fading, .. } = room;
        let mut ticks = frames.iter_mut().zip(spoke);
        for (place, (frame, spoke)) in voices.iter().zip(ticks.by_ref()) {
            let leg = self.legs.get_mut(*place as usize).and_then(Option::as_deref_mut);
            let voice = leg.and_then(|leg| leg.voice.as_mut());
            *spoke = voice.is_some_and(|voice| voice.frame(due, frame));
        }
        if std::mem::take(fading) {
            for (voice, (frame, spoke)) in gone.iter_mut().zip(ticks) {
                *spoke = voice.frame(due, frame);
            }
        }
    }

    fn send_heard(&mut self, place: u32, due: Instant) {
        let mut packet: Packet = [0; Header::LEN + MAX_PTIME_OCTETS];
        let Some(octets) = self.leg(place).map(Leg::packet_octets) else { return };
        while self
            .leg_mut(place)
            .and_then(|leg| leg.ear.as_mut())
            .zip(packet.get_mut(Header::LEN..Header::LEN + octets))
            .is_some_and(|(ear, payload)| ear.pop(payload))
        {
            let Some(length) = self.frame(place, Source::Mix, &mut packet, octets, due) else { continue };
            let Some((to, _)) = self.leg(place).and_then(Leg::sending) else { continue };
            self.send(place, Flow::Rtp, to, packet.get(..length).unwrap_or_default());
        }
    }

    /// The slow wheel's visit: reports, and legs that have fallen silent.
    fn look_after(&mut self, place: u32, now: Instant) {
        let Some(leg) = self.leg_mut(place) else { return };
        let mut next = now + 10 * SLOW_STEP;
        if let Some(hearer) = &mut leg.hearer {
            hearer.pass(now);
            next = now + SLOW_STEP;
        }
        if leg.expects_media() && !leg.dead_told {
            let dead_at = leg.heard_at + leg.dead_after;
            leg.dead_told = dead_at <= now;
            next = next.min(dead_at);
            if leg.dead_told {
                let id = leg.id;
                self.tell(MediaEvent::Dead { leg: id });
            }
        }
        next = self.guard(place, now).map_or(next, |again| next.min(again));
        let mut report_at = self.leg(place).and_then(|leg| leg.reports.due);
        if report_at.is_some_and(|due| due <= now) {
            self.send_report(place, now, false);
            report_at = Some(self.next_report(place, now));
        }
        self.slow.schedule(place, report_at.map_or(next, |due| next.min(due)));
    }

    /// What the way to the far end needs by the time; gives out when to look again.
    fn guard(&mut self, place: u32, now: Instant) -> Option<Instant> {
        let Watch { lost, again } = self.io.look_after(place, now);
        if let Some((why, leg)) = lost.zip(self.leg(place).map(|leg| leg.id)) {
            self.tell(MediaEvent::Lost { leg, why });
        }
        self.pace(place, now);
        again
    }
}

fn samples(frame: &Frame, wide: bool) -> &[i16] {
    if wide { frame } else { frame.get(..WIDE / 2).unwrap_or_default() }
}

fn samples_mut(frame: &mut Frame, wide: bool) -> &mut [i16] {
    if wide { frame } else { frame.get_mut(..WIDE / 2).unwrap_or_default() }
}

/// What all the voices of a room said in one tick.
struct Tick<'a> {
    frames: &'a [Frame],
    spoke: &'a [bool],
    /// So many of them are there; those behind are on their way out.
    live: usize,
    wide: bool,
}

impl Tick<'_> {
    fn spoke(&self, at: usize) -> bool {
        self.spoke.get(at).copied().unwrap_or_default()
    }

    fn frame(&self, at: usize) -> &[i16] {
        self.frames.get(at).map(|frame| samples(frame, self.wide)).unwrap_or_default()
    }

    /// What an ear hears; `false` if it is nothing.
    fn hear(&self, mix: &Mix, all: &Mixer, part: &mut Mixer, heard: &mut Frame) -> bool {
        let heard = samples_mut(heard, self.wide);
        let mut live = self.spoke.iter().take(self.live).enumerate();
        match mix {
            Mix::One(one) => {
                heard.copy_from_slice(self.frame(*one));
                self.spoke(*one)
            }
            Mix::All => {
                all.hear(None, heard);
                live.any(|(_, spoke)| *spoke)
            }
            Mix::AllBut(own) => {
                all.hear(self.spoke(*own).then(|| self.frame(*own)), heard);
                live.any(|(at, spoke)| *spoke && at != *own)
            }
            Mix::Some(some) => self.add_up(some, part, heard),
        }
    }

    fn add_up(&self, some: &[usize], part: &mut Mixer, heard: &mut [i16]) -> bool {
        part.clear();
        for at in some.iter().filter(|at| self.spoke(**at)) {
            part.add(self.frame(*at));
        }
        part.hear(None, heard);
        some.iter().any(|at| self.spoke(*at))
    }

    /// Goes over to what is heard now from what was heard until now; `false` if that is nothing.
    fn go_over(&self, before: &[usize], part: &mut Mixer, heard: &mut Frame) -> bool {
        let mut old: Frame = [0; WIDE];
        let spoke = self.add_up(before, part, samples_mut(&mut old, self.wide));
        cross_fade(&old, heard, self.wide);
        spoke
    }
}

fn play_turn(leg: &mut Leg, payload: &mut [u8]) -> Turn {
    let Some(play) = &mut leg.play else { return Turn::Done };
    match play.take(payload) {
        // For ever, but nothing to hear: it is silent until it is stopped.
        0 if play.repeats() => Turn::Again,
        0 => Turn::Done,
        filled => Turn::Audio(filled),
    }
}

/// The next packet of the keys that are being sent; `None` when there are none.
fn key_turn(leg: &mut Leg, packet: &mut Packet, due: Instant) -> Option<Turn> {
    let octets = leg.packet_octets();
    let (codec, event_type) = leg.stream.as_ref().map(|stream| (stream.codec, stream.send_event_type))?;
    let Leg { keys, out, .. } = leg;
    let keys = keys.as_mut()?;
    loop {
        match &mut keys.sending {
            None => match keys.next() {
                Some(key) => keys.sending = Some(begin(key, codec, event_type, || out.begin_key(due))),
                None => return None,
            },
            Some(Sending::Event { sender, payload_type }) => {
                let Some(event) = sender.packet(octets as u16) else {
                    pause(keys);
                    continue;
                };
                let header = out.key(*payload_type, event.timestamp, event.marker, EventPacket::LEN, due);
                let Some(length) = header.write(packet) else { return Some(Turn::Again) };
                if let Some(payload) = packet.get_mut(length..length + EventPacket::LEN) {
                    payload.copy_from_slice(&event.payload);
                }
                return Some(Turn::Whole(length + EventPacket::LEN));
            }
            Some(Sending::Tone { tone, octets: left }) => {
                if *left == 0 {
                    pause(keys);
                    continue;
                }
                *left = left.saturating_sub(octets);
                let payload = packet.get_mut(Header::LEN..Header::LEN + octets).unwrap_or_default();
                return Some(Turn::Audio(sound(tone, &mut keys.encoder, codec, payload)));
            }
            Some(Sending::Pause { octets: left }) => {
                if *left == 0 {
                    keys.sending = None;
                    continue;
                }
                *left = left.saturating_sub(octets);
                return Some(Turn::Again);
            }
        }
    }
}

fn begin(key: Key, codec: Codec, event_type: Option<u8>, timestamp: impl FnOnce() -> u32) -> Sending {
    match event_type {
        Some(payload_type) => {
            Sending::Event { sender: EventSender::new(key.event, timestamp(), key.duration), payload_type }
        }
        None => {
            Sending::Tone { tone: Tone::key(sample_rate_hz(codec), key.event), octets: units(key.duration) as usize }
        }
    }
}

fn pause(keys: &mut Keys) {
    keys.sending = Some(Sending::Pause { octets: units(KEY_PAUSE) as usize });
}

/// Encodes the next part of a tone; returns the octets written.
fn sound(tone: &mut Tone, encoder: &mut Encoder, codec: Codec, payload: &mut [u8]) -> usize {
    let per_octet = (sample_rate_hz(codec) / 8000) as usize;
    let mut pcm = [0i16; 2 * MAX_PTIME_OCTETS];
    let pcm = pcm.get_mut(..payload.len() * per_octet).unwrap_or_default();
    tone.fill(pcm);
    encoder.encode(pcm, payload)
}
