//! ITU-T G.711. Samples are linear in 16 bits, of which µ-law keeps 14 and A-law 13.

/// G.711's 33 of 8159, on the 16-bit scale.
const ULAW_BIAS: i32 = 33 << 2;
/// The largest magnitude that µ-law does not clip.
const ULAW_CLIP: u32 = 0x1fff << 2;

/// Octet to sample (G.711 Table 2a/2b).
const ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = ulaw_value(octet as u8);
        octet += 1;
    }
    table
};

/// Octet to sample (G.711 Table 1a/1b).
const ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = alaw_value(octet as u8);
        octet += 1;
    }
    table
};

/// All bits are sent inverted: sign, segment, interval.
const fn ulaw_value(octet: u8) -> i16 {
    let code = !octet;
    let segment = (code >> 4) & 7;
    let interval = (code & 0x0f) as i32;
    let magnitude = (((interval << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// The even bits are sent inverted: sign, segment, interval.
const fn alaw_value(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let segment = (code >> 4) & 7;
    let interval = ((code & 0x0f) as i32) << 4;
    let magnitude = match segment {
        0 => interval + 8,
        segment => (interval + 0x108) << (segment - 1),
    };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

pub fn ulaw_decode(octet: u8) -> i16 {
    ULAW[octet as usize]
}

pub fn alaw_decode(octet: u8) -> i16 {
    ALAW[octet as usize]
}

pub fn ulaw_encode(sample: i16) -> u8 {
    let (sign, magnitude) = sign_and_magnitude(sample);
    let biased = (magnitude + ULAW_BIAS as u32).min(ULAW_CLIP);
    // The highest bit set tells the segment: bit 7 is segment 0, bit 14 segment 7.
    let segment = 24 - biased.leading_zeros();
    let interval = (biased >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | interval as u8)
}

pub fn alaw_encode(sample: i16) -> u8 {
    let (sign, magnitude) = sign_and_magnitude(sample);
    let segment = 24u32.saturating_sub(magnitude.leading_zeros());
    let interval = (magnitude >> if segment == 0 { 4 } else { segment + 3 }) & 0x0f;
    ((sign ^ 0x80) | (segment << 4) as u8 | interval as u8) ^ 0x55
}

/// Negative samples are complemented bit by bit, as in the reference programs of ITU-T G.191: -1 is as near to zero as 0.
fn sign_and_magnitude(sample: i16) -> (u8, u32) {
    if sample < 0 { (0x80, u32::from(!sample as u16)) } else { (0, u32::from(sample as u16)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 2 in its own units (8159 is full scale): segment s starts at 33 * 2^s - 33 and has steps of 2^(s+1).
    fn ulaw_table(octet: u8) -> f64 {
        let code = 255 - octet;
        let (segment, interval) = (i32::from(code >> 4 & 7), f64::from(code & 15));
        let value = (2.0 * interval + 33.0) * 2f64.powi(segment) - 33.0;
        if code >= 128 { -value } else { value }
    }

    /// Table 1 in its own units (4096 is full scale).
    fn alaw_table(octet: u8) -> f64 {
        let code = octet ^ 0x55;
        let (segment, interval) = (i32::from(code >> 4 & 7), f64::from(code & 15));
        let value = if segment == 0 { 2.0 * interval + 1.0 } else { (2.0 * interval + 33.0) * 2f64.powi(segment - 1) };
        if code >= 128 { value } else { -value }
    }

    /// The decision values of column 3 of the tables, below which the magnitude must be for number n, scaled to 16 bits.
    fn decisions(first: &[(f64, f64, usize)]) -> Vec<f64> {
        let mut edges = vec![0.0];
        for (from, step, count) in first {
            edges.extend((1..=*count).map(|n| from + step * n as f64));
        }
        edges
    }

    #[test]
    fn decoding_is_the_recommendations_tables() {
        for octet in 0..=255 {
            assert_eq!(f64::from(ulaw_decode(octet)), ulaw_table(octet) * 4.0, "µ-law {octet:#x}");
            assert_eq!(f64::from(alaw_decode(octet)), alaw_table(octet) * 8.0, "A-law {octet:#x}");
        }
        assert_eq!((ulaw_decode(0x00), ulaw_decode(0x80), ulaw_decode(0xff)), (-32124, 32124, 0));
        assert_eq!((alaw_decode(0x2a), alaw_decode(0xaa), alaw_decode(0xd5)), (-32256, 32256, 8));
    }

    #[test]
    fn encoding_is_the_recommendations_decision_values() {
        // µ-law: 1, then 15 steps of 2 to 31, 16 of 4 to 95, ... 16 of 256 to 8159.
        let mut ulaw = vec![(0.0, 4.0, 1)];
        ulaw.extend((0..8).map(|s| {
            let start = if s == 0 { 1.0 } else { 32.0 * 2f64.powi(s) - 33.0 };
            (start * 4.0, 2f64.powi(s + 1) * 4.0, if s == 0 { 15 } else { 16 })
        }));
        // A-law: 32 steps of 2 to 64, 16 of 4 to 128, ... 16 of 128 to 4096.
        let mut alaw = vec![(0.0, 2.0 * 8.0, 32)];
        alaw.extend((1..7).map(|s| (32.0 * 2f64.powi(s) * 8.0, 2f64.powi(s + 1) * 8.0, 16)));
        let (ulaw, alaw) = (decisions(&ulaw), decisions(&alaw));
        assert_eq!((ulaw.len(), alaw.len()), (129, 129));
        for sample in i16::MIN..=i16::MAX {
            let magnitude = f64::from(if sample < 0 { -i32::from(sample) - 1 } else { i32::from(sample) });
            let number = |edges: &[f64]| (edges.iter().rposition(|edge| *edge <= magnitude).unwrap().min(127)) as u8;
            let negative = if sample < 0 { 0x80 } else { 0 };
            assert_eq!(ulaw_encode(sample), 255 - (negative | number(&ulaw)), "µ-law {sample}");
            assert_eq!(alaw_encode(sample), ((0x80 - negative) | number(&alaw)) ^ 0x55, "A-law {sample}");
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for octet in 0..=255 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet);
            // µ-law has two zeros.
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(ulaw_encode(ulaw_decode(octet)), expected);
        }
    }
}
