//! A media thread's work without its sockets and its clock: legs, and what is done for them when a command, a packet or
//! the time comes. Given the same inputs and seed it does the same.

mod arrive;
mod listen;
mod plan;
mod record;
mod report;
mod tick;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use smallvec::SmallVec;

use crate::audio::Mixer;
use crate::bridge::{Digit, Group, MediaCommand, MediaEvent, MediaPort, RtpStats, Sources, Stream};
use crate::ids::{Language, LegId, PlayId};
use crate::rtp::{EventReceiver, ReceiveStats, RtcpTimer};
use crate::settings::Codec;
use crate::time::Instant;

use super::PromptSource;
use super::io::MediaIo;
use super::leg::{Hearing, InBand, Key, Keys, Leg, Reports};
use super::listening::Listener;
use super::outgoing::{CLOCK_HZ, Outgoing};
use super::overlay::Overlay;
use super::player::{Playing, Studio};
use super::recorder::Recorder;
use super::seam::Seam;
use super::source::FarEnd;
use super::voice::{NARROW, Voice, WIDE};
use super::wheel::Wheel;
use plan::Room;

/// The wheel's step: legs of one ptime are spread over ten of them.
const STEP: Duration = Duration::from_millis(2);

/// Slots of the wheel: 64 ms, more than the longest packet.
const SLOTS: usize = 32;

/// Slots of a 20 ms turn, over which new legs are spread.
const TURN: usize = 10;

/// The slow wheel is for reports and dead legs: 6.4 s in steps of 100 ms.
const SLOW_STEP: Duration = Duration::from_millis(100);
const SLOW_SLOTS: usize = 64;

/// The quick wheel is for checks of the full side of ICE, which are 50 ms apart: 640 ms in steps of 10 ms.
const QUICK_STEP: Duration = Duration::from_millis(10);
const QUICK_SLOTS: usize = 64;

/// Events that may wait while the engine does not take any. Keys are refused at half of it, so that what the engine
/// cannot do without (`Closed`, `PlayEnded`, `Dead`) still has room.
const BACKLOG: usize = 2048;

/// What a worker is given once.
pub struct Setup {
    pub dead_leg: Duration,
    /// 64-bit NTP time at instant zero.
    pub ntp_at_zero: u64,
    pub seed: [u8; 32],
    pub prompts: Arc<dyn PromptSource>,
    pub listener: Arc<dyn Listener>,
    pub recorder: Recorder,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub packets_in: u64,
    pub packets_out: u64,
    pub relayed: u64,
    /// From a source that was neither negotiated nor latched.
    pub strangers: u64,
    /// For a leg that was not configured yet.
    pub early: u64,
    /// Neither RTP nor RTCP, or of a payload type that was not agreed on.
    pub malformed: u64,
    /// To a protected leg: altered, sent before, or by somebody else.
    pub not_authentic: u64,
    /// The kernel took no more.
    pub send_failures: u64,
    /// Ticks that came more than one step late.
    pub late_ticks: u64,
    /// Turns of the wheel that were skipped after a standstill.
    pub lost_turns: u64,
    /// Keys that found no room, to the engine or to the far end.
    pub keys_lost: u64,
    /// Events that found no room.
    pub events_lost: u64,
    pub legs: u64,
}

impl Tally {
    /// All counts in the order of their declaration, for a table of atomics.
    pub(super) fn to_array(self) -> [u64; 13] {
        [
            self.packets_in,
            self.packets_out,
            self.relayed,
            self.strangers,
            self.early,
            self.malformed,
            self.not_authentic,
            self.send_failures,
            self.late_ticks,
            self.lost_turns,
            self.keys_lost,
            self.events_lost,
            self.legs,
        ]
    }

    pub(super) fn from_array(counts: [u64; 13]) -> Self {
        let [
            packets_in,
            packets_out,
            relayed,
            strangers,
            early,
            malformed,
            not_authentic,
            send_failures,
            late_ticks,
            lost_turns,
            keys_lost,
            events_lost,
            legs,
        ] = counts;
        Tally {
            packets_in,
            packets_out,
            relayed,
            strangers,
            early,
            malformed,
            not_authentic,
            send_failures,
            late_ticks,
            lost_turns,
            keys_lost,
            events_lost,
            legs,
        }
    }
}

/// One thread's legs.
pub struct Worker<Io> {
    pub io: Io,
    pub tally: Tally,
    /// For the engine, oldest first.
    pub events: VecDeque<MediaEvent>,
    legs: Vec<Option<Box<Leg>>>,
    free_places: Vec<u32>,
    places: HashMap<LegId, u32>,
    groups: HashMap<Group, SmallVec<[u32; 4]>>,
    rooms: Vec<Option<Box<Room>>>,
    /// Plays that the tick has ended; `settle` frees them.
    ended: Vec<Playing>,
    /// Groups whose plan is to be made anew.
    changed: Vec<Group>,
    /// Voices whose legs have left their group since then: they are faded out.
    leaving: Vec<(LegId, Box<Voice>)>,
    /// Entries: legs at twice their place, rooms at twice theirs plus one.
    wheel: Wheel<SLOTS>,
    slow: Wheel<SLOW_SLOTS>,
    quick: Wheel<QUICK_SLOTS>,
    mixers: [Mixer; 4],
    studio: Studio,
    rng: ChaCha12Rng,
    dead_leg: Duration,
    ntp_at_zero: u64,
    prompts: Arc<dyn PromptSource>,
    listener: Arc<dyn Listener>,
    recorder: Recorder,
}

fn leg_entry(place: u32) -> u32 {
    place * 2
}

fn room_entry(place: u32) -> u32 {
    place * 2 + 1
}

impl<Io: MediaIo> Worker<Io> {
    pub fn new(io: Io, setup: Setup, now: Instant) -> Self {
        Worker {
            io,
            tally: Tally::default(),
            events: VecDeque::with_capacity(BACKLOG),
            legs: Vec::new(),
            free_places: Vec::new(),
            places: HashMap::new(),
            groups: HashMap::new(),
            rooms: Vec::new(),
            ended: Vec::with_capacity(BACKLOG),
            changed: Vec::with_capacity(TURN),
            leaving: Vec::new(),
            wheel: Wheel::new(STEP, now),
            slow: Wheel::new(SLOW_STEP, now),
            quick: Wheel::new(QUICK_STEP, now),
            mixers: [Mixer::new(NARROW), Mixer::new(NARROW), Mixer::new(WIDE), Mixer::new(WIDE)],
            studio: Studio::new(),
            rng: ChaCha12Rng::from_seed(setup.seed),
            dead_leg: setup.dead_leg,
            ntp_at_zero: setup.ntp_at_zero,
            prompts: setup.prompts,
            listener: setup.listener,
            recorder: setup.recorder,
        }
    }

    /// Carries out a command. `settle` must follow before the next packet or tick; several commands may come first.
    pub fn command(&mut self, command: MediaCommand, now: Instant) {
        self.wheel.keep_up(now);
        self.slow.keep_up(now);
        self.quick.keep_up(now);
        match command {
            MediaCommand::Open { leg, call, port } => self.open(leg, Group::Call(call), port, now),
            MediaCommand::Move { leg, group } => self.move_to(leg, group),
            MediaCommand::Configure { leg, stream } => self.configure(leg, *stream, now),
            MediaCommand::Hear { leg, sources } => self.hear(leg, sources),
            MediaCommand::Play { leg, play, items, repeat } => {
                self.play(leg, Playing::new(play, items, repeat), false, now);
            }
            MediaCommand::Interject { leg, play, items } => {
                self.play(leg, Playing::new(play, items, false), true, now);
            }
            MediaCommand::MixIn { leg, play, items, repeat } => self.mix_in(leg, Playing::new(play, items, repeat)),
            MediaCommand::StopPlay { leg, play } => self.stop_play(leg, play),
            MediaCommand::SendDigit { leg, digit, duration } => self.send_digit(leg, digit, duration, now),
            MediaCommand::Watch { leg, silence } => self.watch(leg, silence, now),
            MediaCommand::KeepKeys { leg } => self.keep_keys(leg),
            MediaCommand::Record { leg, recording, terms } => self.record(leg, recording, terms, now),
            MediaCommand::PauseRecord { leg, recording, paused } => self.pause_record(leg, recording, paused),
            MediaCommand::StopRecord { leg, recording } => self.stop_record(leg, recording),
            MediaCommand::Listen { leg, listening } => self.listen_to(leg, *listening, now),
            MediaCommand::Expect { leg, hints } => self.expect(leg, hints),
            MediaCommand::StopListening { leg } => self.stop_listening(leg),
            MediaCommand::DiscardRecording(recording) => self.recorder.discard(recording),
            MediaCommand::Close { leg } => self.close(leg, now),
        }
    }

    /// Prompts that were asked for and not there, since the last call.
    pub fn take_missing(&mut self) -> Vec<(String, Language)> {
        self.studio.take_missing()
    }

    /// When `tick` is to be called next.
    pub fn next_tick(&self) -> Option<Instant> {
        [self.wheel.next(), self.slow.next(), self.quick.next()].into_iter().flatten().min()
    }

    fn leg(&self, place: u32) -> Option<&Leg> {
        self.legs.get(place as usize)?.as_deref()
    }

    fn leg_mut(&mut self, place: u32) -> Option<&mut Leg> {
        self.legs.get_mut(place as usize)?.as_deref_mut()
    }

    fn open(&mut self, id: LegId, group: Group, port: MediaPort, now: Instant) {
        if self.places.contains_key(&id) {
            return;
        }
        let place = self.free_places.pop().unwrap_or(self.legs.len() as u32);
        if !self.io.open(place, port) {
            self.free_places.push(place);
            if place as usize == self.legs.len() {
                self.legs.push(None);
            }
            // A port that is not in the stock: the leg cannot live, and the engine is to know.
            self.tell(MediaEvent::Dead { leg: id });
            self.tell(MediaEvent::Closed { leg: id, stats: RtpStats::default() });
            return;
        }
        let leg = self.new_leg(id, group, now);
        self.settle_in(place, Box::new(leg));
    }

    fn settle_in(&mut self, place: u32, leg: Box<Leg>) {
        let (id, group) = (leg.id, leg.group);
        if place as usize == self.legs.len() {
            self.legs.push(None);
        }
        if let Some(slot) = self.legs.get_mut(place as usize) {
            *slot = Some(leg);
        }
        self.places.insert(id, place);
        self.groups.entry(group).or_default().push(place);
        let entries = 2 * self.legs.len().max(self.rooms.len());
        self.wheel.grow(entries);
        self.slow.grow(self.legs.len());
        self.quick.grow(self.legs.len());
        self.tally.legs += 1;
        self.changed.push(group);
    }

    /// The leg belongs to another group from now on, on this same thread.
    fn move_to(&mut self, id: LegId, group: Group) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        let before = std::mem::replace(&mut leg.group, group);
        let voice = leg.voice.take();
        self.leaves(id, place, before, voice);
        self.groups.entry(group).or_default().push(place);
        self.changed.push(group);
    }

    /// The leg is in this group no longer; its voice is faded out there.
    fn leaves(&mut self, id: LegId, place: u32, group: Group, voice: Option<Box<Voice>>) {
        if let Some(places) = self.groups.get_mut(&group) {
            places.retain(|other| *other != place);
        }
        self.leaving.extend(voice.map(|voice| (id, voice)));
        self.changed.push(group);
    }

    /// Takes a leg out, to go on elsewhere.
    pub(super) fn release(&mut self, id: LegId) -> Option<(Box<Leg>, Io::Sockets)> {
        let place = self.places.remove(&id)?;
        let mut leg = self.legs.get_mut(place as usize).and_then(Option::take)?;
        self.wheel.cancel(leg_entry(place));
        self.slow.cancel(place);
        self.quick.cancel(place);
        self.free_places.push(place);
        self.tally.legs -= 1;
        let voice = leg.voice.take();
        self.leaves(id, place, leg.group, voice);
        leg.hearing = Hearing::Nothing;
        leg.relay_to.clear();
        leg.out.pause_source();
        Some((leg, self.io.take(place)?))
    }

    /// Takes in a leg that was released elsewhere.
    pub(super) fn adopt(&mut self, mut leg: Box<Leg>, sockets: Io::Sockets, group: Group, now: Instant) {
        let place = self.free_places.pop().unwrap_or(self.legs.len() as u32);
        if !self.io.put(place, sockets) {
            self.free_places.push(place);
            if place as usize == self.legs.len() {
                self.legs.push(None);
            }
            self.tell(MediaEvent::Dead { leg: leg.id });
            return self.tell(MediaEvent::Closed { leg: leg.id, stats: leg.figures() });
        }
        leg.group = group;
        let has_stream = leg.stream.is_some();
        self.settle_in(place, leg);
        self.wake(place, now);
        if has_stream {
            self.begin_reports(place, now);
        }
        self.pace(place, now);
    }

    fn new_leg(&mut self, id: LegId, group: Group, now: Instant) -> Leg {
        let mut random = [0u8; 8];
        self.rng.fill_bytes(&mut random);
        let mut cname = [0u8; 16];
        // RFC 7022 §4.2: a short-term name from random bits, so that calls cannot be linked by it.
        let _ = hex::encode_to_slice(random, &mut cname);
        // Not near the end of the numbers: whoever misses the first rollover has lost count of it (RFC 3711 §3.3.1).
        let sequence = self.rng.next_u32() as u16 >> 1;
        let out = Outgoing::new(self.rng.next_u32(), sequence, self.rng.next_u32());
        Leg {
            id,
            group,
            stream: None,
            rtp: FarEnd::new(),
            rtcp: FarEnd::new(),
            sources: Sources::new(),
            hearing: Hearing::Nothing,
            relay_to: SmallVec::new(),
            play: None,
            aside: None,
            over: None,
            seam: Seam::default(),
            came: None,
            keys: None,
            keeps_keys: false,
            called: Instant(0),
            out,
            arrivals: ReceiveStats::new(CLOCK_HZ),
            events: EventReceiver::default(),
            in_band: None,
            voice: None,
            ear: None,
            taps: Vec::new(),
            hearer: None,
            reports: Reports { cname, timer: RtcpTimer::new(64_000), due: None, round_trip: None },
            heard_at: now,
            dead_after: self.dead_leg,
            dead_told: false,
        }
    }

    /// The slow wheel comes round within the shortest time that makes sense.
    fn watch(&mut self, id: LegId, silence: Option<Duration>, now: Instant) {
        let dead_leg = self.dead_leg;
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        leg.dead_after = silence.unwrap_or(dead_leg);
        leg.dead_told = false;
        self.slow.schedule(place, now);
    }

    fn configure(&mut self, id: LegId, stream: Stream, now: Instant) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        let expected = leg.expects_media();
        leg.rtp.negotiate(stream.remote, stream.latch);
        self.io.fix(place, leg.rtp.fixed());
        leg.rtcp.negotiate(stream.remote_rtcp, stream.latch);
        self.io.protect(place, &stream, now);
        // What is Opus outside is something else from here on.
        let stream = Stream { codec: stream.codec.carried(), ..stream };
        let codec = stream.codec;
        let in_band = stream.receive_event_type.is_none();
        leg.stream = Some(stream);
        leg.seam.set_codec(codec);
        leg.came = (codec == Codec::G722).then(|| leg.came.take().unwrap_or_default());
        if !expected && leg.expects_media() {
            leg.heard_at = now;
            leg.dead_told = false;
        }
        if !in_band {
            leg.in_band = None;
        } else if leg.in_band.as_ref().is_none_or(|in_band| in_band.codec != codec) {
            leg.in_band = Some(Box::new(InBand::new(codec)));
        }
        if let Some(keys) = &mut leg.keys {
            keys.change_codec(codec);
        }
        for play in leg.play.iter_mut().chain(&mut leg.aside) {
            play.encode(codec, &mut self.studio, self.prompts.as_ref());
        }
        self.changed.push(leg.group);
        self.wake(place, now);
        self.begin_reports(place, now);
        self.listen_anew(place, now);
        self.pace(place, now);
    }

    fn hear(&mut self, id: LegId, sources: Sources) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        leg.sources = sources;
        let group = leg.group;
        self.changed.push(group);
    }

    /// `over`: what repeats goes on afterwards.
    fn play(&mut self, id: LegId, mut new: Playing, over: bool, now: Instant) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.legs.get_mut(place as usize).and_then(Option::as_deref_mut) else { return };
        if let Some(stream) = &leg.stream {
            new.encode(stream.codec, &mut self.studio, self.prompts.as_ref());
        }
        let replaced = leg.play.replace(new);
        leg.aside = match replaced.filter(Playing::repeats) {
            _ if !over => None,
            Some(repeats) => Some(repeats),
            None => leg.aside.take(),
        };
        self.wake(place, now);
    }

    fn mix_in(&mut self, id: LegId, new: Playing) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        leg.over = Some(Box::new(Overlay::new(new)));
        let group = leg.group;
        self.changed.push(group);
    }

    fn stop_play(&mut self, id: LegId, play: PlayId) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        if leg.over.take_if(|over| over.play() == play).is_some() {
            let group = leg.group;
            self.changed.push(group);
        } else if leg.play.as_ref().is_some_and(|playing| playing.play == play) {
            leg.play = leg.aside.take();
        } else {
            leg.aside.take_if(|aside| aside.play == play);
        }
    }

    fn send_digit(&mut self, id: LegId, digit: Digit, duration: Duration, now: Instant) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some(leg) = self.leg_mut(place) else { return };
        let codec = leg.stream.as_ref().map_or(Codec::Pcmu, |stream| stream.codec);
        let keys = leg.keys.get_or_insert_with(|| Box::new(Keys::new(codec)));
        if !keys.push(Key { event: digit.event(), duration }) {
            self.tally.keys_lost += 1;
        }
        self.wake(place, now);
    }

    fn keep_keys(&mut self, id: LegId) {
        let Some(&place) = self.places.get(&id) else { return };
        if let Some(leg) = self.leg_mut(place) {
            leg.keeps_keys = true;
        }
    }

    fn close(&mut self, id: LegId, now: Instant) {
        let Some(place) = self.places.remove(&id) else { return };
        self.send_report(place, now, true);
        let Some(mut leg) = self.legs.get_mut(place as usize).and_then(Option::take) else { return };
        self.wheel.cancel(leg_entry(place));
        self.slow.cancel(place);
        self.quick.cancel(place);
        self.io.close(place);
        self.free_places.push(place);
        self.tally.legs -= 1;
        let stats = leg.figures();
        self.leaves(id, place, leg.group, leg.voice.take());
        self.tell(MediaEvent::Closed { leg: id, stats });
    }

    /// Puts a leg whose checks have something to do soon on the quick wheel; the slow one comes round for the others.
    pub fn pace(&mut self, place: u32, now: Instant) {
        const WITHIN: Duration = QUICK_STEP.saturating_mul(QUICK_SLOTS as u32);
        if let Some(at) = self.io.due(place).filter(|at| *at < now + WITHIN) {
            self.quick.keep_up(now);
            self.quick.schedule(place, at);
        }
    }

    /// Puts a leg that makes packets of its own on the wheel, where it is not yet: in step with its last packets if
    /// those are recent, else where there is the least to do.
    fn wake(&mut self, place: u32, now: Instant) {
        let Some(leg) = self.leg(place) else { return };
        if leg.stream.is_none() || !leg.is_busy() || self.wheel.is_scheduled(leg_entry(place)) {
            return;
        }
        let in_step = leg.called + leg.packet_time();
        let recent = leg.called.0 > 0 && in_step > now;
        self.wheel.keep_up(now);
        if recent {
            self.wheel.schedule(leg_entry(place), in_step);
        } else {
            self.wheel.schedule_where_idle(leg_entry(place), TURN);
        }
    }

    /// An event for the engine, within the bounds of the backlog.
    fn tell(&mut self, event: MediaEvent) {
        let is_key = matches!(event, MediaEvent::Digit { .. });
        let bound = if is_key { BACKLOG / 2 } else { BACKLOG };
        if self.events.len() < bound {
            self.events.push_back(event);
        } else if is_key {
            self.tally.keys_lost += 1;
        } else {
            self.tally.events_lost += 1;
        }
    }
}
