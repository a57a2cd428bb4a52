//! Writing a sealed file.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::{CHUNK, Ending, HEAD, Keyring, Part, SEALED_CHUNK, Seal, place_of};
use crate::ids::RecordingId;

/// Chunks that are given up so that a full disk has room for the trailer: it takes less than three.
const GIVEN_UP: u64 = 3;

/// What is written here is sealed. It may go back to its beginning, and nowhere else. Without `finish` the file has no end
/// and cannot be opened.
pub struct Sealer {
    file: File,
    seal: Seal,
    /// Of the last chunk, less than a whole one.
    pending: Vec<u8>,
    /// Whole chunks in the file.
    chunks: u64,
    /// What is written first, as it became; up to where it was changed later.
    head: Vec<u8>,
    changed: usize,
    length: u64,
    at: u64,
}

impl Sealer {
    /// `file` is empty.
    pub fn begin(file: File, keys: &Keyring, recording: RecordingId) -> io::Result<Sealer> {
        let seal = Seal::new(keys, recording)?;
        file.write_all_at(&seal.header, 0)?;
        let (pending, head) = (Vec::with_capacity(SEALED_CHUNK), Vec::new());
        Ok(Sealer { file, seal, pending, chunks: 0, head, changed: 0, length: 0, at: 0 })
    }

    /// Gives the file its end, and the length of what can be read in it. Where the disk is full the last chunks are given
    /// up, and it is cut off.
    pub fn finish(&mut self, ending: Ending) -> io::Result<u64> {
        match self.close(ending) {
            Ok(()) => Ok(self.length),
            Err(error) => self.close_short().map_err(|_| error),
        }
    }

    fn close(&mut self, ending: Ending) -> io::Result<()> {
        let mut place = place_of(self.chunks);
        let mut chunks = self.chunks;
        if !self.pending.is_empty() {
            let mut last = self.pending.clone();
            let part = if last.len() == CHUNK { Part::Chunk(chunks) } else { Part::Short(chunks) };
            self.seal.seal(part, &mut last)?;
            self.file.write_all_at(&last, place)?;
            place += last.len() as u64;
            chunks += 1;
        }
        self.end_with(ending, chunks, self.length, place)
    }

    fn close_short(&mut self) -> io::Result<u64> {
        self.pending.clear();
        let mut failed = io::Error::other("there is no room");
        for _ in 0..=GIVEN_UP.min(self.chunks) {
            self.length = self.chunks * CHUNK as u64;
            let place = place_of(self.chunks);
            match self.file.set_len(place).and_then(|()| self.end_with(Ending::CutOff, self.chunks, self.length, place))
            {
                Ok(()) => return Ok(self.length),
                Err(error) => failed = error,
            }
            self.chunks = self.chunks.saturating_sub(1);
        }
        Err(failed)
    }

    fn end_with(&self, ending: Ending, chunks: u64, length: u64, place: u64) -> io::Result<()> {
        let head = self.head.get(..self.changed).unwrap_or_default();
        let trailer = self.seal.trailer(ending, chunks, length, head)?;
        self.file.write_all_at(&trailer, place)
    }

    fn append(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.pending.len() == CHUNK {
            self.seal_pending()?;
        }
        let taken = octets.get(..octets.len().min(CHUNK - self.pending.len())).unwrap_or_default();
        self.pending.extend(taken);
        if let Some(room) = HEAD.checked_sub(self.head.len()) {
            self.head.extend(taken.iter().take(room));
        }
        self.length += taken.len() as u64;
        self.at = self.length;
        if self.pending.len() == CHUNK {
            self.seal_pending()?;
        }
        Ok(taken.len())
    }

    /// What cannot be written stays pending.
    fn seal_pending(&mut self) -> io::Result<()> {
        let mut chunk = Vec::with_capacity(SEALED_CHUNK);
        chunk.extend(&self.pending);
        self.seal.seal(Part::Chunk(self.chunks), &mut chunk)?;
        self.file.write_all_at(&chunk, place_of(self.chunks))?;
        self.chunks += 1;
        self.pending.clear();
        Ok(())
    }

    /// Changes what was written before.
    fn change(&mut self, octets: &[u8]) -> io::Result<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        let place = self.head.get_mut(at..).filter(|place| !place.is_empty());
        let place = place.ok_or_else(|| io::Error::other("only the beginning of a sealed file can be written anew"))?;
        let taken = octets.len().min(place.len());
        place.iter_mut().zip(octets).for_each(|(to, octet)| *to = *octet);
        self.changed = self.changed.max(at + taken);
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Write for Sealer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if octets.is_empty() {
            return Ok(0);
        }
        if self.at == self.length { self.append(octets) } else { self.change(octets) }
    }

    /// A chunk is sealed when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sealer {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let place = place.filter(|place| *place <= self.length);
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
