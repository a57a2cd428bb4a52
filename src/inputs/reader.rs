//! Reading a recording, entry by entry. It may be damaged, or made by somebody who means ill: lines are bounded, and what
//! is wrong is told with its line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::{Entry, Happening, Heading, LONGEST, VERSION};
use crate::time::{Instant, Now};

/// No process runs so long: 20 years in nanoseconds.
const LATEST: Instant = Instant(20 * 366 * 86_400 * 1_000_000_000);

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot be read: {0}")]
    File(io::Error),
    #[error("line {line}: {error}")]
    Read { line: u64, error: io::Error },
    #[error("this is no recording of inputs; `relais run --record-inputs FILE` makes one")]
    Foreign,
    #[error("the recording has format {found}, and this relais reads {VERSION}; replay it with relais {by}")]
    Version { found: u32, by: String },
    #[error("line {line} is longer than {LONGEST} octets; the recording is damaged from there on")]
    TooLong { line: u64 },
    #[error("line {line} is not understood: {error}; the recording is damaged there")]
    Damaged { line: u64, error: serde_json::Error },
    #[error("line {line} has the entry {found} where {expected} is due; lines are missing, or not in their order")]
    Number { line: u64, found: u64, expected: u64 },
    #[error("line {line}, entry {n}: {why}")]
    Wrong { line: u64, n: u64, why: &'static str },
}

/// The entries of a recording, in order. The first is the start; there is none behind the end. A last line that is cut
/// off is left out: the process died while it wrote.
pub struct Recorded<R> {
    pub heading: Heading,
    from: R,
    line: u64,
    /// Of the last entry.
    n: u64,
    last: Option<Now>,
    over: bool,
}

/// Opens a recording.
pub fn open(path: &Path) -> Result<Recorded<BufReader<File>>, ReadError> {
    let file = File::open(path).map_err(ReadError::File)?;
    Recorded::new(BufReader::with_capacity(1 << 16, file))
}

impl<R: BufRead> Recorded<R> {
    pub fn new(mut from: R) -> Result<Recorded<R>, ReadError> {
        let first = read_line(&mut from, 1, 4_096).map_err(|error| match error {
            ReadError::TooLong { .. } => ReadError::Foreign,
            error => error,
        })?;
        let heading: Heading = first.and_then(|line| serde_json::from_slice(&line).ok()).ok_or(ReadError::Foreign)?;
        if heading.relais_inputs != VERSION {
            return Err(ReadError::Version { found: heading.relais_inputs, by: heading.relais });
        }
        Ok(Recorded { heading, from, line: 1, n: 0, last: None, over: false })
    }

    fn read(&mut self) -> Result<Option<Entry>, ReadError> {
        self.line += 1;
        let line = self.line;
        let Some(text) = read_line(&mut self.from, line, LONGEST)? else { return Ok(None) };
        let entry: Entry = serde_json::from_slice(&text).map_err(|error| ReadError::Damaged { line, error })?;
        let expected = self.n + 1;
        if entry.n != expected {
            return Err(ReadError::Number { line, found: entry.n, expected });
        }
        self.n = expected;
        let starts = matches!(entry.what, Happening::Start(_));
        let why = match self.last {
            _ if starts != (expected == 1) => Some("a recording has one start, and it is the first entry"),
            Some(last) if entry.at.instant < last.instant => Some("its time is before that of the entry before it"),
            _ if entry.at.instant > LATEST => Some("its time is not that of any process"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(ReadError::Wrong { line, n: entry.n, why });
        }
        self.last = Some(entry.at);
        self.over = matches!(entry.what, Happening::End(_));
        Ok(Some(entry))
    }
}

impl<R: BufRead> Iterator for Recorded<R> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let entry = self.read().transpose();
        self.over |= !matches!(entry, Some(Ok(_)));
        entry
    }
}

/// `None` at the end, also where the last line has none.
fn read_line(from: &mut impl BufRead, line: u64, most: usize) -> Result<Option<Vec<u8>>, ReadError> {
    let mut text = Vec::new();
    let read = from.by_ref().take(most as u64 + 1).read_until(b'\n', &mut text);
    read.map_err(|error| ReadError::Read { line, error })?;
    match text.pop() {
        Some(b'\n') => Ok(Some(text)),
        Some(_) if text.len() >= most => Err(ReadError::TooLong { line }),
        _ => Ok(None),
    }
}
