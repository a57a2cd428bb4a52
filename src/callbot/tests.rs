//! What the tests of this room share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::encoder::{Encoder, FILES};

/// The sentence encoder where `deploy/fetch-encoder` has put it; says so once where it is not there.
pub fn encoder() -> Option<&'static Encoder> {
    static ENCODER: OnceLock<Option<Encoder>> = OnceLock::new();
    let read = || {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("var/models/sentence-encoder");
        let files: Option<BTreeMap<String, Vec<u8>>> =
            FILES.into_iter().map(|name| Some((name.to_owned(), std::fs::read(folder.join(name)).ok()?))).collect();
        match files {
            Some(files) => Some(Encoder::read(&files).expect("the encoder's files are whole")),
            None => {
                println!("skipped: no sentence encoder in {}; deploy/fetch-encoder gets it", folder.display());
                None
            }
        }
    };
    ENCODER.get_or_init(read).as_ref()
}
