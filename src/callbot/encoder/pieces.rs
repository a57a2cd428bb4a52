//! SentencePiece's unigram model: text to the likeliest sequence of pieces (Kudo 2018, "Subword Regularization").

use super::Fault;
use super::charsmap::Charsmap;

/// The file's name.
pub(super) const MODEL: &str = "sp.model";

const UNKNOWN: u32 = 0;
const BEGIN: u32 = 1;
const END: u32 = 2;

/// No sentence of a caller is longer; the rest is cut off.
const MOST_CHARACTERS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Pieces {
    /// Sorted, so that pieces with a common beginning stand together.
    sorted: Vec<Piece>,
    unknown_score: f32,
    charsmap: Charsmap,
}

#[derive(Debug)]
struct Piece {
    text: Box<str>,
    id: u32,
    score: f32,
}

impl Pieces {
    pub fn parse(model: &[u8]) -> Result<Pieces, Fault> {
        let mut sorted = Vec::new();
        let mut charsmap = Charsmap::default();
        for field in Fields(model) {
            match field {
                // One piece: its text and its score.
                (1, Value::Octets(piece)) => {
                    let id = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
                    let mut entry = Piece { text: Box::default(), id, score: 0.0 };
                    for field in Fields(piece) {
                        match field {
                            (1, Value::Octets(text)) => entry.text = String::from_utf8_lossy(text).into(),
                            (2, Value::Four(score)) => entry.score = f32::from_le_bytes(score),
                            _ => {}
                        }
                    }
                    sorted.push(entry);
                }
                // How the model was trained; this old layout keeps the normaliser there.
                (3, Value::Octets(trainer)) => {
                    for field in Fields(trainer) {
                        if let (2, Value::Octets(blob)) = field {
                            charsmap = Charsmap::parse(blob).ok_or(Fault::Malformed(MODEL, "its normaliser is cut"))?;
                        }
                    }
                }
                _ => {}
            }
        }
        if sorted.len() <= END as usize {
            return Err(Fault::Malformed(MODEL, "it has no pieces"));
        }
        let lowest = sorted.iter().map(|piece| piece.score).fold(f32::INFINITY, f32::min);
        sorted.sort_by(|one, other| one.text.cmp(&other.text));
        Ok(Pieces { sorted, unknown_score: lowest - 10.0, charsmap })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The pieces of a text, between the marks of its beginning and its end.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let cut = text.char_indices().nth(MOST_CHARACTERS).map_or(text, |(at, _)| text.get(..at).unwrap_or_default());
        let normal = self.charsmap.normalise(cut);
        let mut ids = vec![BEGIN];
        ids.extend(self.likeliest(&normal));
        ids.push(END);
        ids
    }

    /// Viterbi: for every place in the text the best piece that ends there.
    fn likeliest(&self, text: &str) -> Vec<u32> {
        let mut best = vec![(f32::NEG_INFINITY, 0usize, UNKNOWN); text.len() + 1];
        if let Some(first) = best.first_mut() {
            first.0 = 0.0;
        }
        for (start, first) in text.char_indices() {
            let Some((so_far, ..)) = best.get(start).copied() else { break };
            let mut take = |length: usize, score: f32, id: u32| {
                if let Some(place) = best.get_mut(start + length)
                    && so_far + score > place.0
                {
                    *place = (so_far + score, start, id);
                }
            };
            let mut single = false;
            for (length, piece) in self.beginning(text.get(start..).unwrap_or_default()) {
                take(length, piece.score, piece.id);
                single |= length == first.len_utf8();
            }
            if !single {
                take(first.len_utf8(), self.unknown_score, UNKNOWN);
            }
        }
        let mut ids = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let Some((_, start, id)) = best.get(end).copied() else { break };
            ids.push(id);
            end = start;
        }
        if ids.is_empty() {
            ids.push(UNKNOWN);
        }
        ids.reverse();
        ids
    }

    /// The pieces that `text` begins with, the shortest first, with their lengths in octets.
    fn beginning<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'a Piece)> {
        let mut range = self.sorted.as_slice();
        let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        std::iter::from_fn(move || {
            loop {
                let prefix = text.get(..ends.next()?)?;
                let from = range.partition_point(|piece| *piece.text < *prefix);
                range = range.get(from..)?;
                let first = range.first().filter(|piece| piece.text.starts_with(prefix))?;
                if *first.text == *prefix {
                    return Some((prefix.len(), first));
                }
            }
        })
    }
}

/// What a field of a protocol buffer holds, as far as it matters here.
enum Value<'m> {
    Number,
    Four([u8; 4]),
    Eight,
    Octets(&'m [u8]),
}

/// The fields of a protocol buffer message (https://protobuf.dev/programming-guides/encoding); ends where it is cut.
struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (octet, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = (u64, Value<'m>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => self.varint().map(|_| Value::Number)?,
            1 => self.take(8).map(|_| Value::Eight)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Octets(self.take(length)?)
            }
            5 => Value::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}
