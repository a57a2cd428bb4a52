//! The sentence encoder's files, and learning with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use crate::callbot::encoder::{Encoder, FILES};

/// Weights are no larger; anything else is no weights.
const LARGEST: u64 = 64 << 20;

/// The one that was read last, for as long as somebody uses it: a plan that is tried beside the running system needs no second
/// one, which would be thirty megabytes and half a second.
static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

struct Known {
    folder: PathBuf,
    stamps: Vec<Stamp>,
    encoder: Weak<Encoder>,
}

/// A file's length and when it was written: other files are another encoder.
#[derive(Debug, PartialEq)]
struct Stamp {
    length: u64,
    written: Option<SystemTime>,
}

/// The encoder in a folder, or why it cannot be had and what to do.
pub fn read_encoder(folder: &Path) -> Result<Arc<Encoder>, String> {
    let stamps = FILES.iter().map(|name| stamp(folder, name)).collect::<Result<Vec<_>, _>>()?;
    // Who asks while it is being read waits, and has it too.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let same = known.as_ref().filter(|known| known.folder == folder && known.stamps == stamps);
    if let Some(encoder) = same.and_then(|known| known.encoder.upgrade()) {
        return Ok(encoder);
    }
    let encoder = Arc::new(read(folder)?);
    *known = Some(Known { folder: folder.to_owned(), stamps, encoder: Arc::downgrade(&encoder) });
    Ok(encoder)
}

fn stamp(folder: &Path, name: &str) -> Result<Stamp, String> {
    let metadata =
        std::fs::metadata(folder.join(name)).map_err(|error| missing(folder, &format!("{name}: {error}")))?;
    if metadata.len() > LARGEST {
        return Err(missing(folder, &format!("{name} is {} bytes long", metadata.len())));
    }
    Ok(Stamp { length: metadata.len(), written: metadata.modified().ok() })
}

fn read(folder: &Path) -> Result<Encoder, String> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let octets = std::fs::read(folder.join(name)).map_err(|error| missing(folder, &format!("{name}: {error}")))?;
        files.insert(name.to_owned(), octets);
    }
    Encoder::read(&files).map_err(|fault| missing(folder, &fault.to_string()))
}

fn missing(folder: &Path, why: &str) -> String {
    format!("no sentence encoder in {} ({why}): bots understand less; run deploy/fetch-encoder", folder.display())
}
