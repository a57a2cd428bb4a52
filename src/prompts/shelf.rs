//! The library that calls hear now. A reload puts a new one in its place.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Library;

/// Read on the media tick without waiting; replaced from a thread that may wait.
#[derive(Debug, Default)]
pub struct Shelf(ArcSwap<Library>);

impl Shelf {
    pub fn new(library: Library) -> Shelf {
        Shelf(ArcSwap::from_pointee(library))
    }

    pub fn library(&self) -> arc_swap::Guard<Arc<Library>> {
        self.0.load()
    }

    /// Puts `library` in the place of the present one. The old one is let go here and not on a media thread, where
    /// freeing its memory would be heard.
    pub fn replace(&self, library: Library) {
        let old = self.0.swap(Arc::new(library));
        while Arc::strong_count(&old) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
