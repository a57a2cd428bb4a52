//! Recordings sealed on the disk: the keys of the centre, and a file format that shows every alteration.
//!
//! ```text
//! header   magic 8 | key id 8 | recording id 16 | salt 32
//! chunks   4096 octets of audio + tag 16 each, the last one shorter if need be
//! trailer  ending 1 | length 8 | the first octets of the audio as they became, or none | tag 16
//!          length of the trailer 4
//! ```
//!
//! Each file has a key of its own: HKDF-SHA256 (RFC 5869) of the centre's key with the salt. Chunks and trailer are sealed
//! by AES-256-GCM with the header as associated data and a nonce of the kind of chunk and its number, so that none can be
//! left out, moved, taken from another file or passed off as another recording. The trailer says how long the whole is: a
//! file without it, or with another length, is not whole. A file only grows, and no nonce serves twice; what the writer of
//! audio changes in its beginning at the end (FLAC: the number of samples) goes into the trailer. After a crash `recover`
//! gives the whole chunks of a file a trailer that says so.

mod keys;
mod reader;
mod sealer;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

use crate::ids::RecordingId;

pub use keys::{KeyFileError, KeyId, Keyring, new_key};
pub use reader::{Reader, recover};
pub use sealer::Sealer;

const MAGIC: [u8; 8] = *b"RelaisR1";
const HEADER: usize = 64;
const SALT: usize = 32;
/// Octets of audio sealed at once: half a second of a call, about, which is what a crash costs.
const CHUNK: usize = 4096;
const TAG: usize = 16;
const SEALED_CHUNK: usize = CHUNK + TAG;
/// So much of the beginning may be written anew; FLAC's blocks before the audio take 4142 octets.
const HEAD: usize = 8192;
/// Ending and length.
const TRAILER: usize = 9;
/// The length of the trailer, at the very end.
const MARK: usize = 4;

/// What is wrong with a sealed file.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is sealed with key {0}, which is not in the key file; put that key back as a further line of the file")]
    UnknownKey(KeyId),
    #[error("it is sealed, and the configuration names no key file; name it in [recordings] as key_file")]
    NoKeys,
    #[error("it has no end: it is still being written, or was cut off")]
    Unfinished,
    #[error("it is not what was written: a part is missing, moved or changed")]
    Altered,
}

/// How the writing of a file came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// What was to follow could not be written, or the process died.
    CutOff,
}

/// The keys that are in use now; a reload changes them for what begins afterwards. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vault(Arc<ArcSwapOption<Keyring>>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.keys()).finish()
    }
}

impl Vault {
    pub fn new(keys: Option<Keyring>) -> Vault {
        Vault(Arc::new(ArcSwapOption::from_pointee(keys)))
    }

    pub fn replace(&self, keys: Option<Keyring>) {
        self.0.store(keys.map(Arc::new));
    }

    /// `None`: recordings are written as they are.
    pub fn keys(&self) -> Option<Arc<Keyring>> {
        self.0.load_full()
    }
}

/// What seals and opens the parts of one file.
struct Seal {
    header: [u8; HEADER],
    key: LessSafeKey,
}

/// The kinds of what is sealed; a part of the nonce.
#[derive(Clone, Copy)]
enum Part {
    /// With its number from 0.
    Chunk(u64),
    /// The last chunk, where it is shorter.
    Short(u64),
    /// With the number of chunks.
    Trailer(u64),
}

impl Part {
    fn nonce(self) -> Nonce {
        let (kind, number) = match self {
            Part::Chunk(number) => (0u32, number),
            Part::Short(number) => (1, number),
            Part::Trailer(number) => (2, number),
        };
        let mut nonce = [0; NONCE_LEN];
        let (kind_at, number_at) = nonce.split_at_mut(4);
        kind_at.copy_from_slice(&kind.to_be_bytes());
        number_at.copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Seal {
    /// For a new file, under the first key.
    fn new(keys: &Keyring, recording: RecordingId) -> io::Result<Seal> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
        let (id, key) = keys.first();
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(id.0);
        header.extend(recording.0.to_be_bytes());
        header.extend(salt);
        let header = header.try_into().map_err(|_| io::Error::other("a header of another size"))?;
        Seal::of(header, key).map_err(|error| io::Error::other(error.to_string()))
    }

    /// By what a file begins with.
    fn read(header: [u8; HEADER], keys: Option<&Keyring>, recording: RecordingId) -> Result<Seal, VaultError> {
        let (magic, rest) = header.split_at(MAGIC.len());
        let (id, rest) = rest.split_at(8);
        let (named, _) = rest.split_at(16);
        if magic != MAGIC || named != recording.0.to_be_bytes() {
            return Err(VaultError::Altered);
        }
        let id = KeyId(id.try_into().map_err(|_| VaultError::Altered)?);
        let key = keys.ok_or(VaultError::NoKeys)?.find(id).ok_or(VaultError::UnknownKey(id))?;
        Seal::of(header, key)
    }

    fn of(header: [u8; HEADER], key: &[u8; 32]) -> Result<Seal, VaultError> {
        let (_, salt) = header.split_at(HEADER - SALT);
        let secret = Salt::new(HKDF_SHA256, salt).extract(key);
        let about: [&[u8]; 1] = [b"relais recording"];
        let derived = secret.expand(&about, &AES_256_GCM).map_err(|_| VaultError::Altered)?;
        Ok(Seal { header, key: LessSafeKey::new(UnboundKey::from(derived)) })
    }

    /// Appends the tag.
    fn seal(&self, part: Part, octets: &mut Vec<u8>) -> io::Result<()> {
        let sealed = self.key.seal_in_place_append_tag(part.nonce(), Aad::from(self.header), octets);
        sealed.map_err(|_| io::Error::other("it cannot be sealed"))
    }

    /// Takes the tag off.
    fn open(&self, part: Part, octets: &mut Vec<u8>) -> Result<(), VaultError> {
        let opened = self.key.open_in_place(part.nonce(), Aad::from(self.header), octets);
        let length = opened.map_err(|_| VaultError::Altered)?.len();
        octets.truncate(length);
        Ok(())
    }

    fn trailer(&self, ending: Ending, chunks: u64, length: u64, head: &[u8]) -> io::Result<Vec<u8>> {
        let mut trailer = vec![u8::from(ending == Ending::CutOff)];
        trailer.extend(length.to_be_bytes());
        trailer.extend(head);
        self.seal(Part::Trailer(chunks), &mut trailer)?;
        let mark = trailer.len() as u32;
        trailer.extend(mark.to_be_bytes());
        Ok(trailer)
    }
}

/// Where a chunk begins.
fn place_of(chunk: u64) -> u64 {
    HEADER as u64 + chunk * SEALED_CHUNK as u64
}
