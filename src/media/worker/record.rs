//! Recordings of legs: begun, paused and ended by command; the audio goes by the taps of the leg.

use crate::bridge::RecordTerms;
use crate::ids::{LegId, RecordingId};
use crate::media::io::MediaIo;
use crate::media::leg::Leg;
use crate::settings::Codec;
use crate::time::Instant;

use super::Worker;

impl<Io: MediaIo> Worker<Io> {
    pub(super) fn record(&mut self, id: LegId, recording: RecordingId, terms: RecordTerms, now: Instant) {
        let leg =
            self.places.get(&id).and_then(|place| self.legs.get_mut(*place as usize)).and_then(Option::as_deref_mut);
        let Some(leg) = leg else {
            self.recorder.fail(recording, "its leg is closed".to_owned());
            return;
        };
        let codec = leg.stream.as_ref().map_or(Codec::Pcmu, |stream| stream.codec);
        leg.taps.extend(self.recorder.begin(recording, terms, codec, now));
    }

    pub(super) fn pause_record(&mut self, id: LegId, recording: RecordingId, paused: bool) {
        let Some(leg) = self.recorded(id) else { return };
        for tap in leg.taps.iter_mut().filter(|tap| tap.recording == recording) {
            tap.paused = paused;
        }
    }

    pub(super) fn stop_record(&mut self, id: LegId, recording: RecordingId) {
        let Some(leg) = self.recorded(id) else { return };
        leg.taps.retain(|tap| tap.recording != recording);
        if leg.taps.is_empty() {
            leg.taps = Vec::new();
        }
    }

    fn recorded(&mut self, id: LegId) -> Option<&mut Leg> {
        let place = *self.places.get(&id)?;
        self.leg_mut(place)
    }
}
