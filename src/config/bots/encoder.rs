//! The sentence encoder's files, and learning with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::callbot::encoder::{Encoder, FILES};

/// Weights are no larger; anything else is no weights.
const LARGEST: u64 = 64 << 20;

/// Reads an encoder from its folder, or says why it cannot be had and what to do.
pub fn read_encoder(folder: &Path) -> Result<Arc<Encoder>, String> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = folder.join(name);
        let size = std::fs::metadata(&path).map_err(|error| missing(folder, &format!("{name}: {error}")))?.len();
        if size > LARGEST {
            return Err(missing(folder, &format!("{name} is {size} bytes long")));
        }
        let octets = std::fs::read(&path).map_err(|error| missing(folder, &format!("{name}: {error}")))?;
        files.insert(name.to_owned(), octets);
    }
    Encoder::read(&files).map(Arc::new).map_err(|fault| missing(folder, &fault.to_string()))
}

fn missing(folder: &Path, why: &str) -> String {
    format!("no sentence encoder in {} ({why}): bots understand less; run deploy/fetch-encoder", folder.display())
}
