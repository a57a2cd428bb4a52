//! Legs that are listened to: what their far ends say goes to a recogniser.

use crate::audio::sample_rate_hz;
use crate::bridge::Listening;
use crate::heard::Hints;
use crate::ids::LegId;
use crate::media::io::MediaIo;
use crate::media::listening::Hearer;
use crate::settings::Codec;
use crate::time::Instant;

use super::{SLOW_STEP, Worker};

impl<Io: MediaIo> Worker<Io> {
    pub(super) fn listen_to(&mut self, id: LegId, listening: Listening, now: Instant) {
        let Some(&place) = self.places.get(&id) else { return };
        let listener = self.listener.clone();
        let Some(leg) = self.leg_mut(place) else { return };
        let codec = leg.stream.as_ref().map_or(Codec::Pcmu, |stream| stream.codec);
        // An earlier recogniser goes before the next one comes: it may take its place.
        leg.hearer = None;
        let ears = listener.open(id, &listening, sample_rate_hz(codec));
        leg.hearer = ears.map(|ears| Box::new(Hearer::new(listening, codec, ears, now)));
        self.slow.schedule(place, now + SLOW_STEP);
    }

    /// Another codec has another rate; a recogniser keeps the one it began with.
    pub(super) fn listen_anew(&mut self, place: u32, now: Instant) {
        let Some(leg) = self.leg(place) else { return };
        let codec = leg.stream.as_ref().map(|stream| stream.codec);
        let changed = leg.hearer.as_ref().filter(|hearer| codec.is_some_and(|codec| codec != hearer.codec));
        if let Some(listening) = changed.map(|hearer| hearer.listening.clone()) {
            self.listen_to(leg.id, listening, now);
        }
    }

    pub(super) fn expect(&mut self, id: LegId, hints: Hints) {
        let Some(hearer) = self.hearer(id) else { return };
        hearer.listening.hints.clone_from(&hints);
        hearer.expect(hints);
    }

    pub(super) fn stop_listening(&mut self, id: LegId) {
        if let Some(&place) = self.places.get(&id)
            && let Some(leg) = self.leg_mut(place)
        {
            leg.hearer = None;
        }
    }

    fn hearer(&mut self, id: LegId) -> Option<&mut Hearer> {
        let place = *self.places.get(&id)?;
        self.leg_mut(place)?.hearer.as_deref_mut()
    }
}
