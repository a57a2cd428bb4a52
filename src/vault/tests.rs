//! What is sealed is read again, and whatever is done to a file is noticed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::*;

const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn keys(text: &str) -> Keyring {
    Keyring::parse(text).unwrap()
}

fn id(number: u128) -> RecordingId {
    RecordingId::new(1_764_328_000_000, number)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("a")
    }

    fn begin(&self) -> Sealer {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(self.path()).unwrap();
        Sealer::begin(file, &keys(ONE), id(1)).unwrap()
    }

    /// Writes it in pieces and ends it.
    fn sealed(&self, content: &[u8]) -> PathBuf {
        let mut sealer = self.begin();
        content.chunks(1_000).for_each(|piece| sealer.write_all(piece).unwrap());
        assert_eq!(sealer.finish(Ending::Whole).unwrap(), content.len() as u64);
        self.path()
    }
}

fn open(path: &Path, text: &str, recording: RecordingId) -> Result<Reader, VaultError> {
    Reader::open(File::open(path).unwrap(), Some(&keys(text)), recording)
}

fn read_all(path: &Path) -> Result<Vec<u8>, String> {
    let mut reader = open(path, ONE, id(1)).map_err(|error| error.to_string())?;
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(content)
}

#[test]
fn what_is_sealed_is_read_again_at_every_length_and_from_every_place() {
    let folder = Folder::new();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 77] {
        let content = content(length);
        let path = folder.sealed(&content);
        assert_eq!(read_all(&path).unwrap(), content, "{length}");
        let on_disk = fs::read(&path).unwrap();
        if length > 100 {
            assert!(!on_disk.windows(32).any(|part| part == &content[40..72]), "{length}: it can be read on the disk");
        }
        for from in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 5, length].into_iter().filter(|from| *from <= length) {
            let mut reader = open(&path, ONE, id(1)).unwrap();
            assert_eq!((reader.length(), reader.ending()), (length as u64, Ending::Whole));
            reader.seek(SeekFrom::Start(from as u64)).unwrap();
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert!(rest == content[from..], "{length} from {from}");
        }
    }
}

#[test]
fn the_beginning_may_be_written_anew_and_nothing_else() {
    let folder = Folder::new();
    let mut content = content(4 * CHUNK);
    let mut sealer = folder.begin();
    sealer.write_all(&content).unwrap();
    sealer.seek(SeekFrom::Start(4)).unwrap();
    sealer.write_all(&[0xab; CHUNK]).unwrap();
    content[4..4 + CHUNK].fill(0xab);
    sealer.seek(SeekFrom::Start(HEAD as u64)).unwrap();
    assert!(sealer.write_all(b"no").is_err());
    sealer.seek(SeekFrom::End(0)).unwrap();
    sealer.write_all(b"the end").unwrap();
    content.extend(b"the end");
    sealer.finish(Ending::Whole).unwrap();
    assert!(read_all(&folder.path()).unwrap() == content);
}

/// Every octet changed, every length cut, every two chunks exchanged: nothing that was not written is ever read.
#[test]
fn what_is_altered_cut_or_moved_is_never_read_as_whole() {
    let folder = Folder::new();
    let content = content(3 * CHUNK + 100);
    let path = folder.sealed(&content);
    let whole = fs::read(&path).unwrap();
    let noticed = |altered: &[u8], what: &str| {
        fs::write(&path, altered).unwrap();
        let opened = Reader::open(File::open(&path).unwrap(), Some(&keys(ONE)), id(1));
        if let Ok(mut reader) = opened {
            let mut read = Vec::new();
            assert!(reader.read_to_end(&mut read).is_err(), "{what} is not noticed");
            assert!(content.starts_with(&read), "{what}: something else is read before it is noticed");
            assert!(reader.verify().is_err(), "{what}");
        }
    };
    for at in (0..whole.len()).step_by(7).chain(whole.len() - 140..whole.len()).chain(0..HEADER) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        noticed(&altered, &format!("octet {at}"));
    }
    for length in (0..whole.len()).step_by(13).chain(whole.len() - 40..whole.len()) {
        noticed(&whole[..length], &format!("cut at {length}"));
    }
    let place = |chunk: usize| HEADER + chunk * SEALED_CHUNK..HEADER + (chunk + 1) * SEALED_CHUNK;
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let mut altered = whole.clone();
        altered[place(one)].copy_from_slice(&whole[place(other)]);
        noticed(&altered, "a chunk in another's place");
        altered[place(other)].copy_from_slice(&whole[place(one)]);
        noticed(&altered, "two that changed places");
    }
    let without = [&whole[..HEADER + SEALED_CHUNK], &whole[HEADER + 2 * SEALED_CHUNK..]].concat();
    noticed(&without, "one left out");
    let twice = [&whole[..HEADER + SEALED_CHUNK], &whole[HEADER..]].concat();
    noticed(&twice, "one that comes twice");
    noticed(&[&whole[..], b"more"].concat(), "something after the end");
    let other = folder.sealed(&content);
    let other = fs::read(other).unwrap();
    noticed(&[&whole[..HEADER], &other[HEADER..]].concat(), "the body of another file");
}

#[test]
fn keys_that_are_not_there_and_files_of_others_are_named() {
    let folder = Folder::new();
    let path = folder.sealed(b"sound");
    assert!(matches!(open(&path, TWO, id(1)), Err(VaultError::UnknownKey(_))));
    assert!(open(&path, &format!("{TWO}\n{ONE}"), id(1)).is_ok(), "an older key still opens");
    assert!(matches!(open(&path, ONE, id(2)), Err(VaultError::Altered)), "the file of another recording");
    let file = || File::open(&path).unwrap();
    assert!(matches!(Reader::open(file(), None, id(1)), Err(VaultError::NoKeys)));
    fs::write(&path, "fLaC and so on").unwrap();
    assert!(open(&path, ONE, id(1)).is_err(), "what is not sealed is none of ours");
}

#[test]
fn what_a_crash_cuts_off_is_readable_up_to_its_last_whole_chunk() {
    let folder = Folder::new();
    let content = content(5 * CHUNK);
    for (written, left) in [(3 * CHUNK + 50, 0), (4 * CHUNK, 900), (CHUNK, 0)] {
        let mut sealer = folder.begin();
        sealer.write_all(&content[..written]).unwrap();
        drop(sealer);
        // Half a chunk was on its way.
        let path = folder.path();
        File::options().append(true).open(&path).unwrap().write_all(&vec![1; left]).unwrap();
        assert!(read_all(&path).is_err(), "{written}: without an end it is not read");
        let file = || File::options().read(true).write(true).open(&path).unwrap();
        assert!(recover(file(), Some(&keys(ONE)), id(1)).unwrap());
        let whole = written / CHUNK * CHUNK;
        assert!(read_all(&path).unwrap() == content[..whole], "{written}");
        assert_eq!(open(&path, ONE, id(1)).unwrap().ending(), Ending::CutOff);
        let once = fs::read(&path).unwrap();
        assert!(!recover(file(), Some(&keys(ONE)), id(1)).unwrap(), "it has its end now");
        assert_eq!(fs::read(&path).unwrap(), once);
    }
}
