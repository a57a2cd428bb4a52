//! One recording being written.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flac_codec::encode::{FlacSampleWriter, Options};

use crate::audio::VoiceActivity;
use crate::bridge::{RecordTerms, Recorded, RecordingEvent};
use crate::ids::RecordingId;
use crate::settings::Codec;
use crate::vault::{Ending, Keyring};

use super::super::outgoing::units;
use super::super::voice::is_wide;
use super::files::{Form, file_name, private_folder, put_in_place, under_way};
use super::sink::Sink;
use super::timeline::{LAG, Timeline};
use super::{Chunk, Side, duration_of};

/// What is encoded at once: half a second at 8 kHz.
const BLOCK: u16 = 4096;

pub(super) struct Take {
    pub recording: RecordingId,
    pub began: std::time::Instant,
    terms: RecordTerms,
    per_unit: usize,
    far: Timeline,
    near: Option<Timeline>,
    /// `None` once it has failed.
    encoder: Option<FlacSampleWriter<Sink>>,
    sink: Sink,
    form: Form,
    failure: Option<String>,
    /// Units that are in the file; interleaved samples on the way there.
    written: u64,
    block: Vec<i32>,
    activity: VoiceActivity,
    voiced: u64,
    /// Where the far end last spoke.
    spoke_until: u64,
    /// Where the last of what has come ends: a packet that came just now lasts on.
    came_until: u64,
    silence_told: bool,
    full_told: bool,
}

impl Take {
    /// Opens the file, sealed where there are keys. The error names the file and what is wrong.
    pub fn begin(
        folder: &Path,
        keys: Option<&Keyring>,
        recording: RecordingId,
        terms: RecordTerms,
        codec: Codec,
        began: std::time::Instant,
    ) -> Result<Take, String> {
        let per_unit = if is_wide(codec) { 2 } else { 1 };
        let form = if keys.is_some() { Form::Sealed } else { Form::Plain };
        let path = under_way(folder).join(file_name(recording, form));
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        private_folder(&under_way(folder)).map_err(failed)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let sink = Sink::new(file, keys, recording).map_err(failed)?;
        let channels = if terms.both { 2 } else { 1 };
        let rate_hz = 8000 * per_unit as u32;
        let encoder = options().and_then(|options| {
            FlacSampleWriter::new(sink.clone(), options, rate_hz, 16, channels, None).map_err(|error| error.to_string())
        });
        let encoder = encoder.inspect_err(|_| {
            // Nothing is in it.
            let _ = fs::remove_file(&path);
        })?;
        Ok(Take {
            recording,
            began,
            terms,
            per_unit,
            far: Timeline::new(per_unit),
            near: terms.both.then(|| Timeline::new(per_unit)),
            encoder: Some(encoder),
            sink,
            form,
            failure: None,
            written: 0,
            block: Vec::with_capacity(usize::from(BLOCK)),
            activity: VoiceActivity::default(),
            voiced: 0,
            spoke_until: 0,
            came_until: 0,
            silence_told: false,
            full_told: false,
        })
    }

    pub fn put(&mut self, chunk: &Chunk) {
        let at = u64::from(chunk.at);
        let line = match chunk.side {
            Side::Far => Some(&mut self.far),
            Side::Near => self.near.as_mut(),
        };
        let Some(line) = line else { return };
        let placed = line.put(chunk.codec, chunk.timestamp, at, chunk.payload(), self.written);
        self.came_until = self.came_until.max(placed.end);
        let speaks = |pcm| chunk.side == Side::Far && self.activity.hear(pcm);
        if placed.pcm.get(..placed.samples).is_some_and(speaks) {
            self.voiced += (placed.samples / self.per_unit) as u64;
            self.spoke_until = self.spoke_until.max(placed.end);
        }
    }

    /// All that came up to `now` has been put: writes what is final; tells what is to be told.
    pub fn advance(&mut self, now: u64, tell: &mut impl FnMut(RecordingEvent)) {
        let longest = u64::from(units(self.terms.longest));
        self.write_until(now.saturating_sub(LAG).min(longest));
        if let Some(silence) = self.terms.silence
            && !self.silence_told
            && now.saturating_sub(self.spoke_until) >= u64::from(units(silence))
        {
            self.silence_told = true;
            tell(RecordingEvent::Silence);
        }
        if now >= longest && !self.full_told {
            self.full_told = true;
            tell(RecordingEvent::Full);
        }
    }

    fn write_until(&mut self, end: u64) {
        while self.written < end {
            let unit = self.written;
            for sample in 0..self.per_unit {
                self.block.push(self.far.take(unit, sample).into());
                if let Some(near) = &mut self.near {
                    self.block.push(near.take(unit, sample).into());
                }
            }
            self.written += 1;
            if self.block.len() >= usize::from(BLOCK) {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if let Some(encoder) = &mut self.encoder
            && let Err(error) = encoder.write(&self.block)
        {
            self.fail(error.to_string());
        }
        self.block.clear();
    }

    /// The file is kept as far as it goes.
    fn fail(&mut self, why: String) {
        if let Some(encoder) = self.encoder.take() {
            // Completes the header where it can, which may work though nothing can be added.
            drop(encoder);
        }
        self.failure.get_or_insert(why);
    }

    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Writes the rest and puts the file in its place.
    pub fn end(mut self, folder: &Path, now: u64) -> RecordingEvent {
        let end = now.max(self.came_until).min(u64::from(units(self.terms.longest)));
        self.write_until(end);
        self.flush();
        if self.written == 0 {
            self.fail("it ended as it began, and has no sound".to_owned());
        }
        if let Some(encoder) = self.encoder.take()
            && let Err(error) = encoder.finalize()
        {
            self.fail(error.to_string());
        }
        let path = under_way(folder).join(file_name(self.recording, self.form));
        let ending = if self.failure.is_none() { Ending::Whole } else { Ending::CutOff };
        let finished = self.sink.finish(ending);
        let octets = finished.as_ref().copied().unwrap_or_else(|_| fs::metadata(&path).map_or(0, |found| found.len()));
        let readable = finished.is_ok() || self.form == Form::Plain;
        if let Err(error) = finished {
            self.fail(error.to_string());
        }
        let recorded = Recorded {
            duration: duration_of(self.written),
            voiced: duration_of(self.voiced.min(self.written)),
            octets,
        };
        if self.written == 0 {
            let _ = fs::remove_file(&path);
        } else if readable && let Err(error) = put_in_place(folder, self.recording, self.form) {
            self.fail(format!("{}: {error}", path.display()));
        }
        match self.failure {
            Some(why) => RecordingEvent::Failed { why, recorded },
            None => RecordingEvent::Ended(recorded),
        }
    }
}

/// Fixed predictors: speech in G.711 gains little by better ones, and they cost a third.
fn options() -> Result<Options, String> {
    Options::fast().block_size(BLOCK).map_err(|error| error.to_string())
}
