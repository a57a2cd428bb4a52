//! The write-ahead spool: a ring of preallocated files that hold entries in frames.
//!
//! A frame is `length u32, CRC-32 u32, sequence u64, entry as JSON`, little endian; the CRC (ISO-HDLC, as in zlib)
//! covers length, sequence and entry. A segment is written from its start each time round; what still stands behind the
//! newest frame was moved long ago, as its sequence numbers tell. A torn or damaged frame ends the reading of a segment.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::entry::Entry;
use super::{Sizes, StoreError};

const HEADER: usize = 16;
/// More than the spool can hold.
const MOST_FRAMES: u64 = 1 << 24;
/// Longer lengths are damage.
const LONGEST: usize = 64 << 20;

static CRC: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

/// A file of the ring, shared with the thread that synchronises it.
pub(super) struct SegmentFile {
    pub(super) file: File,
    /// Written to since it was last synchronised.
    pub(super) dirty: AtomicBool,
}

struct Segment {
    file: Arc<SegmentFile>,
    /// The highest sequence number in it; it may be overwritten once that one is moved.
    last: u64,
}

pub(super) struct Spool {
    segments: Vec<Segment>,
    size: u64,
    current: usize,
    offset: u64,
    /// The last sequence number given out.
    sequence: u64,
    /// The highest sequence number in the database.
    applied: Arc<AtomicU64>,
    frame: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    ToSpool,
    /// The frame's length. The spool is full, or cannot be written.
    NotForWantOfSpace(u64),
}

fn path(data: &Path, number: usize) -> PathBuf {
    data.join("spool").join(format!("segment-{number}"))
}

impl Spool {
    /// Everything in the files must have been moved: they are overwritten from the first one on. Sequence numbers begin
    /// well above `applied`, so that a frame which could not be read, because one before it is damaged, never bears the
    /// number of a new one.
    pub(super) fn open(data: &Path, sizes: Sizes, applied: Arc<AtomicU64>) -> Result<Spool, StoreError> {
        let folder = data.join("spool");
        std::fs::create_dir_all(&folder).map_err(|error| StoreError::File { path: folder.clone(), error })?;
        let mut segments = Vec::new();
        for number in 0..sizes.segments {
            let path = path(data, number);
            let file = allocate(&path, sizes.segment).map_err(|error| StoreError::File { path, error })?;
            let file = Arc::new(SegmentFile { file, dirty: AtomicBool::new(false) });
            segments.push(Segment { file, last: 0 });
        }
        let sequence = applied.load(Ordering::Acquire) + MOST_FRAMES;
        Ok(Spool { segments, size: sizes.segment, current: 0, offset: 0, sequence, applied, frame: Vec::new() })
    }

    pub(super) fn files(&self) -> Vec<Arc<SegmentFile>> {
        self.segments.iter().map(|segment| segment.file.clone()).collect()
    }

    /// Gives the entry's sequence number, and whether it is in the spool.
    pub(super) fn append(&mut self, entry: &Entry) -> (u64, Written) {
        self.sequence += 1;
        encode(&mut self.frame, self.sequence, entry);
        let length = self.frame.len() as u64;
        let full = Written::NotForWantOfSpace(length);
        if self.offset + length > self.size && !self.next_segment(length) {
            return (self.sequence, full);
        }
        let Some(segment) = self.segments.get_mut(self.current) else { return (self.sequence, full) };
        if segment.file.file.write_all_at(&self.frame, self.offset).is_err() {
            return (self.sequence, full);
        }
        segment.file.dirty.store(true, Ordering::Release);
        segment.last = self.sequence;
        self.offset += length;
        (self.sequence, Written::ToSpool)
    }

    /// Goes on to the next file if all of it has been moved.
    fn next_segment(&mut self, length: u64) -> bool {
        if self.segments.is_empty() || length > self.size {
            return false;
        }
        let next = (self.current + 1) % self.segments.len();
        let free = self.segments.get(next).is_some_and(|segment| segment.last <= self.applied.load(Ordering::Acquire));
        if free {
            self.current = next;
            self.offset = 0;
        }
        free
    }
}

/// The whole file is written once, so that its blocks are there when the disk is full.
fn allocate(path: &Path, size: u64) -> std::io::Result<File> {
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    let present = file.metadata()?.len();
    if present < size {
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(present))?;
        let zeros = vec![0; 1 << 16];
        let mut missing = size - present;
        while missing > 0 {
            let now = missing.min(zeros.len() as u64);
            file.write_all(zeros.get(..now as usize).unwrap_or(&zeros))?;
            missing -= now;
        }
        file.sync_all()?;
    }
    Ok(file)
}

fn encode(frame: &mut Vec<u8>, sequence: u64, entry: &Entry) {
    frame.clear();
    frame.extend_from_slice(&[0; HEADER]);
    // Numbers, names and texts: an entry has nothing that JSON cannot hold.
    let _ = serde_json::to_writer(&mut *frame, entry);
    let length = (frame.len() - HEADER) as u32;
    let crc = checksum(length, sequence, frame.get(HEADER..).unwrap_or_default());
    let header =
        frame.iter_mut().zip(length.to_le_bytes().into_iter().chain(crc.to_le_bytes()).chain(sequence.to_le_bytes()));
    header.for_each(|(to, from)| *to = from);
}

fn checksum(length: u32, sequence: u64, entry: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&length.to_le_bytes());
    digest.update(&sequence.to_le_bytes());
    digest.update(entry);
    digest.finalize()
}

/// The entries with a higher sequence number than `applied`, in order. May run while another process appends: what was
/// whole before is found whole, unless it has been moved since.
pub(super) fn read(data: &Path, applied: u64) -> Result<Vec<(u64, Entry)>, StoreError> {
    let mut entries = Vec::new();
    for number in 0.. {
        let path = path(data, number);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(StoreError::File { path, error }),
        };
        read_segment(file, applied, &mut entries).map_err(|error| StoreError::File { path, error })?;
    }
    entries.sort_unstable_by_key(|(sequence, _)| *sequence);
    Ok(entries)
}

fn read_segment(file: File, applied: u64, entries: &mut Vec<(u64, Entry)>) -> std::io::Result<()> {
    let size = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut left = size;
    let mut payload = Vec::new();
    while let Some(sequence) = read_frame(&mut file, &mut left, &mut payload)? {
        if sequence > applied {
            match serde_json::from_slice(&payload) {
                Ok(entry) => entries.push((sequence, entry)),
                Err(error) => {
                    tracing::error!(sequence, %error, "an entry of the spool is whole but not understood; it is passed over");
                }
            }
        }
    }
    Ok(())
}

/// The next frame's sequence number, its entry in `payload`; `None` at the end, or where a frame is torn.
fn read_frame(file: &mut impl Read, left: &mut u64, payload: &mut Vec<u8>) -> std::io::Result<Option<u64>> {
    let mut header = [0; HEADER];
    if *left < HEADER as u64 || !read_whole(file, &mut header)? {
        return Ok(None);
    }
    *left -= HEADER as u64;
    let [l0, l1, l2, l3, c0, c1, c2, c3, sequence @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let sequence = u64::from_le_bytes(sequence);
    if length == 0 || length as usize > LONGEST || u64::from(length) > *left {
        return Ok(None);
    }
    payload.resize(length as usize, 0);
    if !read_whole(file, payload)? {
        return Ok(None);
    }
    *left -= u64::from(length);
    let whole = checksum(length, sequence, payload) == u32::from_le_bytes([c0, c1, c2, c3]);
    Ok(whole.then_some(sequence))
}

/// False where the file ends before the buffer is full.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
