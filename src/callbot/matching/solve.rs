//! Kernel ridge regression: scores that are 1 at the examples of a class, -1 at the others, and as smooth as can be
//! between them (Saunders et al. 1998). The system is solved by conjugate gradients (Hestenes & Stiefel 1952), a column a
//! class, all columns at once.

use ndarray::{Array1, Array2, Axis};

/// Two thousand sentences need fifty.
const MOST_STEPS: usize = 250;

/// The weights of the examples: `(kernel + ridge) · weights = targets`, until what remains is `near` of what was there.
/// The kernel is symmetric.
pub(super) fn solve(kernel: &Array2<f32>, ridge: f32, targets: &Array2<f32>, near: f32) -> Array2<f32> {
    let mut weights = Array2::zeros(targets.raw_dim());
    let mut rest = targets.clone();
    let mut direction = rest.clone();
    let mut length = squares(&rest);
    let goal: Array1<f32> = length.mapv(|length| length * near * near);
    for _ in 0..MOST_STEPS {
        if length.iter().zip(&goal).all(|(length, goal)| length <= goal) {
            break;
        }
        let image = kernel.dot(&direction) + &direction * ridge;
        let along = (&direction * &image).sum_axis(Axis(0));
        let step = ratio(&length, &along);
        weights += &(&direction * &step);
        rest -= &(&image * &step);
        let next = squares(&rest);
        direction = &rest + &(&direction * &ratio(&next, &length));
        length = next;
    }
    weights
}

fn squares(columns: &Array2<f32>) -> Array1<f32> {
    (columns * columns).sum_axis(Axis(0))
}

/// A column that is done has nothing left to divide.
fn ratio(above: &Array1<f32>, below: &Array1<f32>) -> Array1<f32> {
    above.iter().zip(below).map(|(above, below)| if *below > f32::MIN_POSITIVE { above / below } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_system_is_solved() {
        let kernel = array![[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]];
        let targets = array![[1.0, -1.0], [-1.0, 1.0], [0.5, 0.0]];
        let weights = solve(&kernel, 0.2, &targets, 1e-3);
        let back = kernel.dot(&weights) + &weights * 0.2;
        let apart = (&back - &targets).mapv(f32::abs).sum();
        assert!(apart < 1e-2, "{back}");
        assert!(solve(&kernel, 0.2, &Array2::zeros((3, 2)), 1e-3).iter().all(|weight| *weight == 0.0));
    }
}
