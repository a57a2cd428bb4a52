//! Reading a sealed file, and giving one that a crash has cut off its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::{CHUNK, Ending, HEAD, HEADER, Keyring, MARK, Part, SEALED_CHUNK, Seal, TAG, TRAILER, VaultError, place_of};
use crate::ids::RecordingId;

/// A sealed file, read as what it holds. What was altered cannot be read: an error comes in its place.
pub struct Reader {
    file: File,
    seal: Seal,
    ending: Ending,
    length: u64,
    /// Its beginning as it became.
    head: Vec<u8>,
    at: u64,
    /// The chunk that was read last.
    chunk: Option<(u64, Vec<u8>)>,
}

impl Reader {
    /// Opens the file of a recording if it is whole, as far as its header and trailer tell.
    pub fn open(file: File, keys: Option<&Keyring>, recording: RecordingId) -> Result<Reader, VaultError> {
        let seal = seal_of(&file, keys, recording)?;
        let size = file.metadata()?.len();
        let bounds = Bounds::of(&file, size)?;
        let mut trailer = read(&file, bounds.trailer_at, bounds.trailer)?;
        seal.open(Part::Trailer(bounds.chunks), &mut trailer).map_err(|_| VaultError::Unfinished)?;
        let (fixed, head) = trailer.split_at_checked(TRAILER).ok_or(VaultError::Altered)?;
        let (ending, length) = fixed.split_at(1);
        let length = u64::from_be_bytes(length.try_into().map_err(|_| VaultError::Altered)?);
        if length != bounds.length {
            return Err(VaultError::Altered);
        }
        let ending = if ending == [0] { Ending::Whole } else { Ending::CutOff };
        Ok(Reader { head: head.to_vec(), file, seal, ending, length, at: 0, chunk: None })
    }

    /// Of what can be read.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Reads all of it.
    pub fn verify(&mut self) -> Result<(), VaultError> {
        for number in 0..self.length.div_ceil(CHUNK as u64) {
            self.load(number)?;
        }
        Ok(())
    }

    fn load(&mut self, number: u64) -> Result<&[u8], VaultError> {
        if self.chunk.as_ref().is_none_or(|(known, _)| *known != number) {
            let begins = number * CHUNK as u64;
            let holds = usize::try_from(self.length.saturating_sub(begins)).unwrap_or(CHUNK).min(CHUNK);
            let mut chunk = read(&self.file, place_of(number), holds + TAG)?;
            let part = if holds == CHUNK { Part::Chunk(number) } else { Part::Short(number) };
            self.seal.open(part, &mut chunk)?;
            let head = usize::try_from(begins).ok().and_then(|begins| self.head.get(begins..)).unwrap_or_default();
            chunk.iter_mut().zip(head).for_each(|(to, octet)| *to = *octet);
            self.chunk = Some((number, chunk));
        }
        Ok(self.chunk.as_ref().map(|(_, chunk)| chunk.as_slice()).unwrap_or_default())
    }
}

impl Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length {
            return Ok(0);
        }
        let (number, within) = (self.at / CHUNK as u64, (self.at % CHUNK as u64) as usize);
        let chunk = self.load(number).map_err(|error| match error {
            VaultError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        })?;
        let rest = chunk.get(within..).unwrap_or_default();
        to.iter_mut().zip(rest).for_each(|(to, octet)| *to = *octet);
        let taken = rest.len().min(to.len());
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// Gives a file that has no end one, after the last chunk that is whole. `false` where it has its end.
pub fn recover(file: File, keys: Option<&Keyring>, recording: RecordingId) -> Result<bool, VaultError> {
    match Reader::open(file.try_clone()?, keys, recording) {
        Ok(_) => return Ok(false),
        Err(VaultError::Unfinished | VaultError::Altered) => {}
        Err(other) => return Err(other),
    }
    let seal = seal_of(&file, keys, recording)?;
    let size = file.metadata()?.len();
    let mut chunks = 0;
    while place_of(chunks) + SEALED_CHUNK as u64 <= size {
        let mut chunk = read(&file, place_of(chunks), SEALED_CHUNK)?;
        if seal.open(Part::Chunk(chunks), &mut chunk).is_err() {
            break;
        }
        chunks += 1;
    }
    let trailer = seal.trailer(Ending::CutOff, chunks, chunks * CHUNK as u64, &[])?;
    file.set_len(place_of(chunks))?;
    file.write_all_at(&trailer, place_of(chunks))?;
    file.sync_all()?;
    Ok(true)
}

fn seal_of(file: &File, keys: Option<&Keyring>, recording: RecordingId) -> Result<Seal, VaultError> {
    let mut header = [0; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => Seal::read(header, keys, recording),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(VaultError::Unfinished),
        Err(error) => Err(error.into()),
    }
}

fn read(file: &File, place: u64, length: usize) -> Result<Vec<u8>, VaultError> {
    let mut octets = vec![0; length];
    match file.read_exact_at(&mut octets, place) {
        Ok(()) => Ok(octets),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(VaultError::Altered),
        Err(error) => Err(error.into()),
    }
}

/// Where the parts of a file are, by its size and its mark.
struct Bounds {
    chunks: u64,
    /// Of what the chunks hold.
    length: u64,
    trailer_at: u64,
    trailer: usize,
}

impl Bounds {
    fn of(file: &File, size: u64) -> Result<Bounds, VaultError> {
        let mark_at = size.checked_sub(MARK as u64).filter(|at| *at >= HEADER as u64).ok_or(VaultError::Unfinished)?;
        let mut mark = [0; MARK];
        file.read_exact_at(&mut mark, mark_at)?;
        let trailer = u32::from_be_bytes(mark) as usize;
        if !(TRAILER + TAG..=TRAILER + TAG + HEAD).contains(&trailer) {
            return Err(VaultError::Unfinished);
        }
        let trailer_at = mark_at.checked_sub(trailer as u64).ok_or(VaultError::Unfinished)?;
        let body = trailer_at.checked_sub(HEADER as u64).ok_or(VaultError::Unfinished)?;
        let (whole, rest) = (body / SEALED_CHUNK as u64, body % SEALED_CHUNK as u64);
        let short = match rest.checked_sub(TAG as u64) {
            _ if rest == 0 => 0,
            Some(short) if short > 0 => short,
            _ => return Err(VaultError::Unfinished),
        };
        let (chunks, length) = (whole + u64::from(short > 0), whole * CHUNK as u64 + short);
        Ok(Bounds { chunks, length, trailer_at, trailer })
    }
}
