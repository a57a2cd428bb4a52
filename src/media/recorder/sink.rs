//! What the encoder writes into: a file as it is, or a sealed one.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::RecordingId;
use crate::vault::{Ending, Keyring, Sealer};

/// What waits before it is handed to the system: a crash of ours costs a second at most.
const BUFFER: usize = 4096;

/// The encoder owns one handle and keeps it to its end; the other one then ends the file. Nobody else waits for the lock.
#[derive(Clone)]
pub(super) struct Sink(Arc<Mutex<Kind>>);

enum Kind {
    Plain(BufWriter<File>),
    Sealed(Box<Sealer>),
}

impl Sink {
    /// Sealed where there are keys.
    pub fn new(file: File, keys: Option<&Keyring>, recording: RecordingId) -> io::Result<Sink> {
        let kind = match keys {
            Some(keys) => Kind::Sealed(Box::new(Sealer::begin(file, keys, recording)?)),
            None => Kind::Plain(BufWriter::with_capacity(BUFFER, file)),
        };
        Ok(Sink(Arc::new(Mutex::new(kind))))
    }

    /// Nothing is written after this. Gives the size of the audio; a sealed file without it cannot be opened.
    pub fn finish(&self, ending: Ending) -> io::Result<u64> {
        match &mut *self.kind() {
            Kind::Plain(file) => {
                let flushed = file.flush();
                let size = file.get_ref().metadata()?.len();
                flushed.map(|()| size)
            }
            Kind::Sealed(sealer) => sealer.finish(ending),
        }
    }

    fn kind(&self) -> MutexGuard<'_, Kind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match &mut *self.kind() {
            Kind::Plain(file) => file.write(octets),
            Kind::Sealed(sealer) => sealer.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *self.kind() {
            Kind::Plain(file) => file.flush(),
            Kind::Sealed(sealer) => sealer.flush(),
        }
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut *self.kind() {
            Kind::Plain(file) => file.seek(to),
            Kind::Sealed(sealer) => sealer.seek(to),
        }
    }
}
