//! SentencePiece's normaliser: a double-array trie from character sequences to what stands for them (NFKC and the
//! like), as it is packed into a model. https://github.com/google/sentencepiece, `normalizer.cc`.

/// What a space is within pieces.
pub(super) const SPACE: char = '\u{2581}';

/// The compiled map. Every index is checked: the file comes from outside.
#[derive(Debug, Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    texts: Vec<u8>,
}

impl Charsmap {
    /// `blob` is the length of the trie in octets, the trie, and the texts, each ended by a zero.
    pub fn parse(blob: &[u8]) -> Option<Charsmap> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (trie, texts) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let (units, odd) = trie.as_chunks::<4>();
        odd.is_empty().then(|| Charsmap {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            texts: texts.to_vec(),
        })
    }

    /// The longest sequence at the beginning of `text` that has a text of its own: that text, and the sequence's length.
    fn longest<'a>(&'a self, text: &str) -> Option<(&'a str, usize)> {
        let mut found = None;
        let mut node = offset(*self.units.first()?);
        for (at, octet) in text.bytes().enumerate() {
            node ^= usize::from(octet);
            let Some(unit) = self.units.get(node).filter(|unit| **unit & 0x8000_00ff == u32::from(octet)) else {
                break;
            };
            node ^= offset(*unit);
            if unit & 0x100 != 0 {
                let value = self.units.get(node).map(|leaf| (leaf & 0x7fff_ffff) as usize);
                found = value.map(|value| (value, at + 1)).or(found);
            }
        }
        let (value, length) = found?;
        let rest = self.texts.get(value..)?;
        let end = rest.iter().position(|octet| *octet == 0)?;
        // A key that ends within a character is none.
        text.is_char_boundary(length).then_some(())?;
        Some((std::str::from_utf8(rest.get(..end)?).ok()?, length))
    }

    /// `text` as the pieces are written: with a mark for each space, one before the first word, and no two together.
    pub fn normalise(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        out.push(SPACE);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let own = rest.split_at(first.len_utf8()).0;
            let (piece, length) = self.longest(rest).unwrap_or((own, own.len()));
            for c in piece.chars() {
                match c {
                    ' ' if out.ends_with(SPACE) => {}
                    ' ' => out.push(SPACE),
                    c => out.push(c),
                }
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        while out.ends_with(SPACE) {
            out.pop();
        }
        out
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 0x200) >> 6)) as usize
}
