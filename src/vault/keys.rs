//! The centre's keys: a file of one key a line, 64 hexadecimal digits each. New recordings are sealed with the first; the
//! others open what was sealed before.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

/// More than a centre changes its key in its life.
const MOST: usize = 1_000;
/// Above what so many take, with a word on each.
const LARGEST: u64 = 256 * 1024;

/// Names a key without giving it away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

impl KeyId {
    fn of(key: &[u8; 32]) -> KeyId {
        let digest = Sha256::new().chain_update(b"relais recording key").chain_update(key).finalize();
        let mut id = [0; 8];
        id.iter_mut().zip(digest).for_each(|(to, octet)| *to = octet);
        KeyId(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// What is wrong with a key file. The messages follow the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("is no file")]
    NoFile,
    #[error("can be read by others: its mode is {0:03o}, and it is to be 600 or 400")]
    Open(u32),
    #[error("belongs to user {0}, who is neither this one nor root; chown it")]
    NotOurs(u32),
    #[error("is too large to be a key file: it has more than {LARGEST} octets or {MOST} keys")]
    TooLarge,
    #[error(
        "line {line}: a key is 64 hexadecimal digits, and this has {length} characters; 'relais recording new-key' makes one"
    )]
    Length { line: usize, length: usize },
    #[error("line {0}: a key is 64 hexadecimal digits, and this holds something else")]
    NotHex(usize),
    #[error(
        "line {0}: the key consists of the same octet over and over; 'relais recording new-key' makes one at random"
    )]
    Weak(usize),
    #[error("line {line}: the key stands in line {first} already")]
    Twice { line: usize, first: usize },
    #[error("holds no key")]
    Empty,
}

/// At least one key.
#[derive(Clone)]
pub struct Keyring {
    first: (KeyId, [u8; 32]),
    older: Vec<(KeyId, [u8; 32])>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl Keyring {
    /// Reads a key file that nobody else may read.
    pub fn read(path: &Path) -> Result<Keyring, KeyFileError> {
        let mut file = File::open(path).map_err(KeyFileError::Unreadable)?;
        let found = file.metadata().map_err(KeyFileError::Unreadable)?;
        if !found.is_file() {
            return Err(KeyFileError::NoFile);
        }
        if found.permissions().mode() & 0o077 != 0 {
            return Err(KeyFileError::Open(found.permissions().mode() & 0o777));
        }
        if ![0, rustix::process::geteuid().as_raw()].contains(&found.uid()) {
            return Err(KeyFileError::NotOurs(found.uid()));
        }
        let mut text = String::new();
        let read = Read::by_ref(&mut file).take(LARGEST + 1).read_to_string(&mut text);
        if read.map_err(KeyFileError::Unreadable)? as u64 > LARGEST {
            return Err(KeyFileError::TooLarge);
        }
        Keyring::parse(&text)
    }

    /// One key a line; empty lines and what follows `#` count for nothing.
    pub fn parse(text: &str) -> Result<Keyring, KeyFileError> {
        let mut keys: Vec<(usize, KeyId, [u8; 32])> = Vec::new();
        for (line, written) in (1..).zip(text.lines()) {
            let written = written.split('#').next().unwrap_or_default().trim();
            if written.is_empty() {
                continue;
            }
            let length = written.chars().count();
            if length != 64 {
                return Err(KeyFileError::Length { line, length });
            }
            let mut key = [0; 32];
            hex::decode_to_slice(written, &mut key).map_err(|_| KeyFileError::NotHex(line))?;
            if key.iter().all(|octet| Some(octet) == key.first()) {
                return Err(KeyFileError::Weak(line));
            }
            let id = KeyId::of(&key);
            if let Some((first, ..)) = keys.iter().find(|(_, known, _)| *known == id) {
                return Err(KeyFileError::Twice { line, first: *first });
            }
            if keys.len() >= MOST {
                return Err(KeyFileError::TooLarge);
            }
            keys.push((line, id, key));
        }
        let mut keys = keys.into_iter().map(|(_, id, key)| (id, key));
        let first = keys.next().ok_or(KeyFileError::Empty)?;
        Ok(Keyring { first, older: keys.collect() })
    }

    /// What new recordings are sealed with.
    pub(super) fn first(&self) -> (KeyId, &[u8; 32]) {
        (self.first.0, &self.first.1)
    }

    pub(super) fn find(&self, id: KeyId) -> Option<&[u8; 32]> {
        let mut all = std::iter::once(&self.first).chain(&self.older);
        all.find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    /// The first is the one in use.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        std::iter::once(&self.first).chain(&self.older).map(|(id, _)| *id)
    }
}

/// Puts a new key at the top of a key file, which is made if need be; gives its id. The file changes in one step and is
/// never seen by others.
pub fn new_key(path: &Path, about: &str) -> Result<KeyId, KeyFileError> {
    let earlier = match fs::symlink_metadata(path) {
        Ok(_) => {
            Keyring::read(path)?;
            fs::read_to_string(path).map_err(KeyFileError::Unreadable)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(KeyFileError::Unreadable(error)),
    };
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| KeyFileError::Unreadable(io::Error::other(error.to_string())))?;
    let id = KeyId::of(&key);
    let text = format!("{} # {id} {about}\n{earlier}", hex::encode(key));
    write_private(path, text.as_bytes()).map_err(KeyFileError::Unreadable)?;
    Ok(id)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let draft = path.with_extension("new");
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // Half a key file serves nobody.
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "200102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    #[test]
    fn the_first_line_is_in_use_and_the_others_still_open() {
        let text = format!("# the keys of our recordings\n\n{TWO} # since May\n{ONE}\n");
        let keys = Keyring::parse(&text).unwrap();
        let alone = Keyring::parse(ONE).unwrap();
        assert_eq!(keys.ids().count(), 2);
        assert_eq!(keys.ids().nth(1), alone.ids().next());
        assert!(keys.find(alone.first().0).is_some() && alone.find(keys.first().0).is_none());
        assert!(!format!("{keys:?}").contains("0203"), "{keys:?}");
    }

    #[test]
    fn what_is_no_key_is_named_with_its_line() {
        let said = |text: &str| Keyring::parse(text).unwrap_err().to_string();
        assert!(said("# nothing\n") == "holds no key");
        assert!(
            said(&format!("{ONE}\n{}", &ONE[1..]))
                .starts_with("line 2: a key is 64 hexadecimal digits, and this has 63")
        );
        assert!(said(&format!("{ONE}\n\n{ONE}")).starts_with("line 3: the key stands in line 1"));
        assert!(said(&"z".repeat(64)).contains("holds something else"));
        assert!(said(&"é".repeat(64)).contains("holds something else"));
        assert!(said(&"0".repeat(64)).contains("same octet"));
    }

    #[test]
    fn a_key_file_is_ours_alone_and_a_new_key_goes_to_its_top() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recordings.key");
        assert!(matches!(Keyring::read(&path), Err(KeyFileError::Unreadable(_))));
        let old = new_key(&path, "made by a test").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let new = new_key(&path, "made by a test").unwrap();
        assert_eq!(Keyring::read(&path).unwrap().ids().collect::<Vec<_>>(), [new, old]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keyring::read(&path), Err(KeyFileError::Open(0o640))));
        assert!(
            matches!(new_key(&path, ""), Err(KeyFileError::Open(_))),
            "a file that is open to others gets no new key"
        );
        assert!(matches!(Keyring::read(folder.path()), Err(KeyFileError::NoFile | KeyFileError::Open(_))));
    }
}
