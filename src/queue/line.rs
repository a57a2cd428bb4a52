//! Those who wait in one queue, in order, with the position of each.

use serde::{Deserialize, Serialize};

use super::contact::Place;

/// Longer chunks are halved. Positions cost one addition a chunk, insertions at most one move of this many places.
const CHUNK: usize = 512;

/// A sorted list in chunks: a position in a line of 20,000 takes some 40 additions and a binary search.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Line {
    /// None is empty.
    chunks: Vec<Vec<Place>>,
}

impl Line {
    pub(super) fn insert(&mut self, place: Place) {
        let at = self.chunk_of(&place).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(at) else { return self.chunks.push(vec![place]) };
        let Err(within) = chunk.binary_search(&place) else { return };
        chunk.insert(within, place);
        if chunk.len() > CHUNK {
            let upper = chunk.split_off(CHUNK / 2);
            self.chunks.insert(at + 1, upper);
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        let at = self.chunk_of(place);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Ok(within) = chunk.binary_search(place) else { return };
        chunk.remove(within);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
    }

    /// Counted from 1.
    pub(super) fn position(&self, place: &Place) -> Option<usize> {
        let at = self.chunk_of(place);
        let within = self.chunks.get(at)?.binary_search(place).ok()?;
        Some(self.chunks.iter().take(at).map(Vec::len).sum::<usize>() + within + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.chunks.iter().flatten()
    }

    /// The chunk that holds the place, or would.
    fn chunk_of(&self, place: &Place) -> usize {
        self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last < place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CallId;
    use crate::time::Instant;
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};
    use std::collections::BTreeSet;

    #[test]
    fn a_line_keeps_order_and_positions_whatever_comes_and_goes() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut line = Line::default();
        let mut plain = BTreeSet::new();
        for arrival in 0..6_000 {
            let since = Instant(u64::from(rng.next_u32() % 1_000));
            let place = Place::new(CallId(arrival.into()), 0, None, since, arrival);
            line.insert(place);
            plain.insert(place);
            if rng.next_u32() % 3 == 0 {
                let nth = rng.next_u32() as usize % plain.len();
                let gone = *plain.iter().nth(nth).unwrap();
                line.remove(&gone);
                plain.remove(&gone);
                assert_eq!(line.position(&gone), None);
            }
        }
        assert_eq!(line.len(), plain.len());
        assert!(line.iter().eq(plain.iter()));
        assert!(line.chunks.len() > 4, "the test never split a chunk");
        for (n, place) in plain.iter().enumerate() {
            assert_eq!(line.position(place), Some(n + 1));
        }
        plain.iter().for_each(|place| line.remove(place));
        assert_eq!(line.len(), 0);
        assert!(line.chunks.is_empty());
    }
}
