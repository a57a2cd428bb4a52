//! Media without sound: ports, plays that end, figures at the close. It checks that the engine's commands make sense.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use relais::bridge::{
    Digit, DigitSource, Group, MediaCommand, MediaEvent, MediaPort, PlayItem, Recorded, RecordingEvent, RtpStats,
    Sources,
};
use relais::call::FIRST_ENGINE_PLAY;
use relais::ids::{CallId, LegId, PlayId, RecordingId};
use relais::time::Instant;

use crate::network::below;

pub const PORTS: u16 = 60;

/// One open leg: its port, with whom it is, and what it hears.
struct Ear {
    port: MediaPort,
    call: CallId,
    group: Group,
    sources: Sources,
    play: Option<PlayId>,
    /// What is said over it.
    said: Option<PlayId>,
    /// What offer and answer last said: whether we may send there. `None` before the first.
    send: Option<bool>,
}

pub struct Media {
    open: BTreeMap<LegId, Ear>,
    used: BTreeSet<MediaPort>,
    ever: BTreeSet<LegId>,
    /// Legs that were reported dead.
    died: BTreeSet<LegId>,
    /// Those that run, with their legs; and those whose files are there.
    recordings: BTreeMap<RecordingId, (LegId, Instant)>,
    recorded: BTreeSet<RecordingId>,
    recorded_calls: BTreeSet<CallId>,
    agenda: BTreeMap<(Instant, u64), MediaEvent>,
    sequence: u64,
}

impl Media {
    pub fn new() -> (Media, MediaEvent) {
        let media = Media {
            open: BTreeMap::new(),
            used: BTreeSet::new(),
            ever: BTreeSet::new(),
            died: BTreeSet::new(),
            recordings: BTreeMap::new(),
            recorded: BTreeSet::new(),
            recorded_calls: BTreeSet::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
        };
        let ports = (0..PORTS).map(|n| MediaPort(SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + 2 * n)))).collect();
        (media, MediaEvent::Ports(ports))
    }

    /// The files that are there, or will be.
    pub fn files(&self) -> BTreeSet<RecordingId> {
        self.recorded.iter().chain(self.recordings.keys()).copied().collect()
    }

    /// Something of this call was recorded.
    pub fn has_recorded(&self, call: CallId) -> bool {
        self.recorded_calls.contains(&call)
    }

    pub fn legs(&self) -> usize {
        self.open.len()
    }

    pub fn handle(&mut self, command: &MediaCommand, now: Instant, rng: &mut ChaCha12Rng) -> Result<(), String> {
        match command {
            MediaCommand::Open { leg, port, call } => {
                if !self.used.insert(*port) {
                    return Err(format!("port {} is given to leg {leg} while another leg has it", port.0));
                }
                if !self.ever.insert(*leg) {
                    return Err(format!("leg {leg} is opened twice"));
                }
                let ear = Ear {
                    port: *port,
                    call: *call,
                    group: Group::Call(*call),
                    sources: Sources::new(),
                    play: None,
                    said: None,
                    send: None,
                };
                self.open.insert(*leg, ear);
            }
            MediaCommand::Move { leg, group } => {
                let ear = self.ear(*leg)?;
                ear.group = *group;
                if let Group::Call(call) = group {
                    ear.call = *call;
                }
            }
            MediaCommand::Close { leg } => {
                let port = self.open.remove(leg).ok_or(format!("leg {leg} is closed and was not open"))?.port;
                let running: Vec<_> =
                    self.recordings.iter().filter(|(_, (of, _))| of == leg).map(|(recording, _)| *recording).collect();
                running.into_iter().for_each(|recording| self.end_recording(recording, now, rng));
                self.used.remove(&port);
                self.later(now, 1 + below(rng, 30), MediaEvent::Closed { leg: *leg, stats: RtpStats::default() });
                self.later(now, 31, MediaEvent::Ports(vec![port]));
            }
            MediaCommand::Play { leg, play, repeat, items } => {
                // An agent hears a tone where keys did nothing, as often as that happens.
                let tones = items.iter().all(|item| matches!(item, PlayItem::Tone { .. }));
                let ear = self.ear(*leg)?;
                let engines = play.0 >= FIRST_ENGINE_PLAY;
                if engines && !repeat && !tones && ear.said.is_some() {
                    return Err(format!("leg {leg} is told two things at once"));
                }
                (ear.play, ear.said) = match engines && !repeat {
                    true => (None, Some(*play)),
                    false => (Some(*play), None),
                };
                if !repeat {
                    let event = MediaEvent::PlayEnded { leg: *leg, play: *play };
                    self.later(now, 100 + below(rng, 4_000), event);
                }
            }
            MediaCommand::Interject { leg, play, .. } => {
                let ear = self.ear(*leg)?;
                if ear.said.is_some() || ear.play.is_none() {
                    return Err(format!("leg {leg} is told something over {:?} and {:?}", ear.play, ear.said));
                }
                ear.said = Some(*play);
                self.later(now, 100 + below(rng, 4_000), MediaEvent::PlayEnded { leg: *leg, play: *play });
            }
            MediaCommand::MixIn { leg, play, repeat, .. } => {
                self.ear(*leg)?;
                if !repeat {
                    self.later(now, 200, MediaEvent::PlayEnded { leg: *leg, play: *play });
                }
            }
            MediaCommand::StopPlay { leg, play } => {
                let ear = self.ear(*leg)?;
                ear.play.take_if(|running| running == play);
                ear.said.take_if(|running| running == play);
            }
            MediaCommand::Hear { leg, sources } => {
                let group = self.ear(*leg)?.group;
                if let Some(other) =
                    sources.iter().find(|source| self.open.get(source).is_none_or(|of| of.group != group))
                {
                    return Err(format!("leg {leg} is to hear leg {other}, which is closed or in another group"));
                }
                self.ear(*leg)?.sources = sources.clone();
            }
            MediaCommand::Configure { leg, stream } => {
                self.ear(*leg)?.send = Some(stream.send);
                // Now and then a far end goes dumb.
                if below(rng, 80) == 0 {
                    self.later(now, 5_000 + below(rng, 20_000), MediaEvent::Dead { leg: *leg });
                }
            }
            MediaCommand::SendDigit { leg, .. }
            | MediaCommand::Watch { leg, .. }
            | MediaCommand::KeepKeys { leg }
            | MediaCommand::Listen { leg, .. }
            | MediaCommand::Expect { leg, .. }
            | MediaCommand::StopListening { leg } => {
                self.ear(*leg)?;
            }
            MediaCommand::Record { leg, recording, terms } => {
                let call = self.ear(*leg)?.call;
                self.recorded_calls.insert(call);
                if self.recordings.insert(*recording, (*leg, now)).is_some() {
                    return Err(format!("recording {recording} begins twice"));
                }
                self.tell(*recording, now, below(rng, 30), RecordingEvent::Started);
                if terms.silence.is_some() {
                    self.tell(*recording, now, 2_000 + below(rng, 20_000), RecordingEvent::Silence);
                }
            }
            MediaCommand::PauseRecord { leg, recording, .. } => {
                self.ear(*leg)?;
                self.recordings.get(recording).ok_or(format!("recording {recording} is paused and does not run"))?;
            }
            MediaCommand::StopRecord { leg, recording } => {
                self.ear(*leg)?;
                self.recordings.get(recording).ok_or(format!("recording {recording} ends twice"))?;
                self.end_recording(*recording, now, rng);
            }
            MediaCommand::DiscardRecording(recording) => {
                if !self.recorded.remove(recording) {
                    return Err(format!("recording {recording} is deleted and was not there"));
                }
            }
        }
        Ok(())
    }

    /// Now and then the disk is slow, or full.
    fn end_recording(&mut self, recording: RecordingId, now: Instant, rng: &mut ChaCha12Rng) {
        let Some((_, began)) = self.recordings.remove(&recording) else { return };
        self.recorded.insert(recording);
        let duration = now.since(began);
        let voiced = duration * below(rng, 100) / 100;
        let recorded = Recorded { duration, voiced, octets: duration.as_millis() as u64 };
        let event = match below(rng, 10) {
            0 => RecordingEvent::Failed { why: "the disk is full".to_owned(), recorded },
            _ => RecordingEvent::Ended(recorded),
        };
        let slow = if below(rng, 10) == 0 { 2_000 } else { 30 };
        self.tell(recording, now, 1 + below(rng, slow), event);
    }

    fn tell(&mut self, recording: RecordingId, now: Instant, ms: u32, event: RecordingEvent) {
        self.later(now, ms, MediaEvent::Recording { recording, event });
    }

    fn ear(&mut self, leg: LegId) -> Result<&mut Ear, String> {
        self.open.get_mut(&leg).ok_or(format!("a command for leg {leg}, which is not open"))
    }

    pub fn open_legs(&self) -> impl Iterator<Item = LegId> {
        self.open.keys().copied()
    }

    pub fn is_open(&self, port: u16) -> bool {
        self.open.values().any(|ear| ear.port.0.port() == port)
    }

    pub fn port(&self, leg: LegId) -> Option<u16> {
        self.open.get(&leg).map(|ear| ear.port.0.port())
    }

    pub fn sources(&self, leg: LegId) -> &[LegId] {
        self.open.get(&leg).map_or(&[], |ear| &ear.sources)
    }

    /// Whether the far end last said that it wants to hear nothing of us.
    pub fn holds(&self, leg: LegId) -> Option<bool> {
        Some(!self.open.get(&leg)?.send?)
    }

    pub fn died(&self, leg: LegId) -> bool {
        self.died.contains(&leg)
    }

    /// Whether a prompt or music is heard.
    pub fn plays(&self, leg: LegId) -> bool {
        self.open.get(&leg).is_some_and(|ear| ear.play.is_some() || ear.said.is_some())
    }

    /// Whether somebody is told something for a moment, in the place of whom they would hear.
    pub fn is_told(&self, leg: LegId) -> bool {
        self.open.get(&leg).is_some_and(|ear| ear.play.is_none() && ear.said.is_some())
    }

    /// The one whose far end is this port presses a key.
    pub fn press(&mut self, port: u16, key: Digit, now: Instant) {
        let leg = self.open.iter().find(|(_, ear)| ear.port.0.port() == port).map(|(leg, _)| *leg);
        if let Some(leg) = leg {
            self.later(now, 1, MediaEvent::Digit { leg, digit: key, source: DigitSource::TelephoneEvent });
        }
    }

    fn later(&mut self, now: Instant, ms: u32, event: MediaEvent) {
        self.sequence += 1;
        self.agenda.insert((now + Duration::from_millis(ms.into()), self.sequence), event);
    }

    pub fn next(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// The next event that is due; ends of plays of closed legs, and of plays that were stopped or replaced, are
    /// forgotten, as the real threads do.
    pub fn poll(&mut self, now: Instant) -> Option<MediaEvent> {
        while self.next()? <= now {
            let (_, event) = self.agenda.pop_first()?;
            match &event {
                MediaEvent::Digit { leg, .. } | MediaEvent::Dead { leg } if !self.open.contains_key(leg) => {}
                MediaEvent::Recording { recording, event: RecordingEvent::Silence }
                    if !self.recordings.contains_key(recording) => {}
                MediaEvent::PlayEnded { leg, play } => {
                    let ear = self.open.get_mut(leg);
                    let ends = |running: &mut Option<PlayId>| running.take_if(|running| running == play).is_some();
                    if ear.is_some_and(|ear| ends(&mut ear.said) || ends(&mut ear.play)) {
                        return Some(event);
                    }
                }
                MediaEvent::Dead { leg } => {
                    self.died.insert(*leg);
                    return Some(event);
                }
                _ => return Some(event),
            }
        }
        None
    }
}
