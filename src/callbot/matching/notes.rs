//! What was learnt, as octets: scale, threshold, the number of examples and of classes, how many numbers a meaning has, then
//! the weights and the meanings. All are floats of 32 bits or whole numbers of 32 bits, little-endian.

use ndarray::Array2;

use super::{Example, Forms, Matcher, exact, texts};
use crate::callbot::encoder::DIMENSIONS;

const MARK: &[u8; 8] = b"relais1\n";

impl Matcher {
    pub fn noted(&self) -> Vec<u8> {
        let dimensions = self.meanings.as_ref().map_or(0, Array2::nrows);
        let sizes = [self.weights.nrows(), self.weights.ncols(), dimensions];
        let mut octets = MARK.to_vec();
        octets.extend([self.scale, self.threshold].iter().flat_map(|value| value.to_le_bytes()));
        octets.extend(sizes.iter().flat_map(|size| u32::try_from(*size).unwrap_or_default().to_le_bytes()));
        let meanings = self.meanings.iter().flatten();
        octets.extend(self.weights.iter().chain(meanings).flat_map(|value| value.to_le_bytes()));
        octets
    }

    /// Puts a matcher together from its examples and what was noted of them; `None` where that is not whole.
    pub fn recall(examples: &[Example], intents: usize, with_meanings: bool, octets: &[u8]) -> Option<Matcher> {
        let (head, values) = octets.strip_prefix(MARK)?.split_at_checked(20)?;
        let (head, values) = (head.as_chunks::<4>().0, values.as_chunks::<4>().0);
        let [scale, threshold, sizes @ ..] = head else { return None };
        let dimensions = if with_meanings { DIMENSIONS } else { 0 };
        let wanted = [examples.len(), intents + 1, dimensions];
        if sizes.iter().map(|size| u32::from_le_bytes(*size) as usize).ne(wanted) {
            return None;
        }
        let mut values = values.iter().map(|value| f32::from_le_bytes(*value));
        let weights = take(&mut values, examples.len(), intents + 1)?;
        let meanings = if with_meanings { Some(take(&mut values, DIMENSIONS, examples.len())?) } else { None };
        if values.next().is_some() {
            return None;
        }
        let (scale, threshold) = (f32::from_le_bytes(*scale), f32::from_le_bytes(*threshold));
        Some(Matcher {
            forms: Forms::of(&texts(examples)),
            meanings,
            weights,
            exact: exact(examples),
            scale,
            threshold,
        })
    }
}

fn take(values: &mut impl Iterator<Item = f32>, rows: usize, columns: usize) -> Option<Array2<f32>> {
    Array2::from_shape_vec((rows, columns), values.take(rows * columns).collect()).ok()
}
