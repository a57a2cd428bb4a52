//! Media without sound: ports, plays that end, figures at the close. It checks that the engine's commands make sense.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use relais::bridge::{Digit, DigitSource, MediaCommand, MediaEvent, MediaPort, RtpStats};
use relais::ids::LegId;
use relais::time::Instant;

use crate::network::below;

pub const PORTS: u16 = 60;

pub struct Media {
    open: BTreeMap<LegId, MediaPort>,
    used: BTreeSet<MediaPort>,
    ever: BTreeSet<LegId>,
    agenda: BTreeMap<(Instant, u64), MediaEvent>,
    sequence: u64,
}

impl Media {
    pub fn new() -> (Media, MediaEvent) {
        let media = Media {
            open: BTreeMap::new(),
            used: BTreeSet::new(),
            ever: BTreeSet::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
        };
        let ports = (0..PORTS).map(|n| MediaPort(SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + 2 * n)))).collect();
        (media, MediaEvent::Ports(ports))
    }

    pub fn legs(&self) -> usize {
        self.open.len()
    }

    pub fn handle(&mut self, command: &MediaCommand, now: Instant, rng: &mut ChaCha12Rng) -> Result<(), String> {
        match command {
            MediaCommand::Open { leg, port, .. } => {
                if !self.used.insert(*port) {
                    return Err(format!("port {} is given to leg {leg} while another leg has it", port.0));
                }
                if !self.ever.insert(*leg) {
                    return Err(format!("leg {leg} is opened twice"));
                }
                self.open.insert(*leg, *port);
            }
            MediaCommand::Close { leg } => {
                let port = self.open.remove(leg).ok_or(format!("leg {leg} is closed and was not open"))?;
                self.used.remove(&port);
                self.later(now, 1 + below(rng, 30), MediaEvent::Closed { leg: *leg, stats: RtpStats::default() });
                self.later(now, 31, MediaEvent::Ports(vec![port]));
            }
            MediaCommand::Play { leg, play, repeat: false, .. } => {
                let event = MediaEvent::PlayEnded { leg: *leg, play: *play };
                self.expect_open(*leg)?;
                self.later(now, 100 + below(rng, 4_000), event);
            }
            MediaCommand::Configure { leg, .. }
            | MediaCommand::Hear { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::StopPlay { leg, .. }
            | MediaCommand::SendDigit { leg, .. } => self.expect_open(*leg)?,
        }
        if let MediaCommand::Hear { leg, sources } = command {
            for source in sources {
                if !self.open.contains_key(source) {
                    return Err(format!("leg {leg} is to hear leg {source}, which is not open"));
                }
            }
        }
        Ok(())
    }

    fn expect_open(&self, leg: LegId) -> Result<(), String> {
        self.open.contains_key(&leg).then_some(()).ok_or(format!("a command for leg {leg}, which is not open"))
    }

    /// The caller whose far end is this port presses a key.
    pub fn press(&mut self, port: u16, key: Digit, now: Instant) {
        let leg = self.open.iter().find(|(_, at)| at.0.port() == port).map(|(leg, _)| *leg);
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

    /// The next event that is due; ends of plays of closed legs are forgotten, as the real threads do.
    pub fn poll(&mut self, now: Instant) -> Option<MediaEvent> {
        while self.next()? <= now {
            let (_, event) = self.agenda.pop_first()?;
            match &event {
                MediaEvent::PlayEnded { leg, .. } | MediaEvent::Digit { leg, .. } if !self.open.contains_key(leg) => {}
                _ => return Some(event),
            }
        }
        None
    }
}
