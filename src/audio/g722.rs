//! ITU-T G.722 at 64 kbit/s: 16 kHz linear audio, one octet for two samples. The names are the Recommendation's
//! (clause 6 and its flow charts). Written out here, and compared bit for bit with `ezk-g722` in the tests, because that
//! crate allocates for every packet.

use serde::{Deserialize, Serialize};

/// Impulse response of the QMF, every second coefficient (Table 11).
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Logarithmic to linear scale factor (Table 15, the part that both bands use).
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// Decision levels of the 6-bit quantizer of the lower band.
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output codes for negative and positive differences.
const ILN: [u8; 32] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
    4, 0,
];
const ILP: [u8; 32] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34,
    33, 32, 0,
];
/// Log scale multipliers and their selection, lower band.
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const RL42: [u8; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
/// The same for the higher band.
const WH: [i32; 3] = [0, -214, 798];
const RH2: [u8; 4] = [2, 1, 2, 1];
/// Inverse quantizers: 2 bits for the higher band, 4 for the adaptation of the lower one, 6 for its output.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// Highest log scale factors.
const NBL_MAX: i32 = 18432;
const NBH_MAX: i32 = 22528;

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// The adaptive predictor and scale factor of one band.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Band {
    /// Predicted signal, and the part of it from the zeros.
    s: i32,
    sz: i32,
    /// Reconstructed signal, the present one first.
    r: [i32; 3],
    /// Partially reconstructed signal.
    p: [i32; 3],
    /// Poles.
    a: [i32; 3],
    /// Quantized differences and zeros.
    d: [i32; 7],
    b: [i32; 7],
    /// Scale factor, logarithmic and linear.
    nb: i32,
    det: i32,
}

impl Band {
    fn new(det: i32) -> Self {
        Band { s: 0, sz: 0, r: [0; 3], p: [0; 3], a: [0; 3], d: [0; 7], b: [0; 7], nb: 0, det }
    }

    /// LOGSCL and SCALEL, or LOGSCH and SCALEH.
    fn scale(&mut self, multiplier: i32, max: i32, offset: i32) {
        self.nb = (((self.nb * 127) >> 7) + multiplier).clamp(0, max);
        let mantissa = ILB[(self.nb >> 6 & 31) as usize];
        let shift = offset - (self.nb >> 11);
        self.det = if shift < 0 { mantissa << -shift } else { mantissa >> shift } << 2;
    }

    /// Block 4: adapts the predictor to the quantized difference and predicts the next sample.
    fn adapt(&mut self, d: i32) {
        // RECONS, PARREC
        self.d[0] = d;
        self.r[0] = saturate(self.s + d);
        self.p[0] = saturate(self.sz + d);
        self.adapt_poles();
        self.adapt_zeros(d);
        // DELAYA
        self.r.copy_within(0..2, 1);
        self.p.copy_within(0..2, 1);
        // FILTEP, FILTEZ, PREDIC
        let pole = |a: i32, r: i32| (a * saturate(r + r)) >> 15;
        let sp = saturate(pole(self.a[1], self.r[1]) + pole(self.a[2], self.r[2]));
        let zeros = self.b.iter().zip(&self.d).skip(1).map(|(b, d)| (b * saturate(d + d)) >> 15);
        self.sz = saturate(zeros.sum());
        self.s = saturate(sp + self.sz);
    }

    /// UPPOL2, UPPOL1
    fn adapt_poles(&mut self) {
        let same = |p: i32, q: i32| (p >> 15) == (q >> 15);
        let a1 = saturate(self.a[1] << 2);
        let turned = if same(self.p[0], self.p[1]) { (-a1).min(32767) } else { a1 };
        let step = if same(self.p[0], self.p[2]) { 128 } else { -128 };
        let second = ((turned >> 7) + step + ((self.a[2] * 32512) >> 15)).clamp(-12288, 12288);
        let step = if same(self.p[0], self.p[1]) { 192 } else { -192 };
        let bound = saturate(15360 - second);
        let first = saturate(step + ((self.a[1] * 32640) >> 15));
        self.a[1] = first.clamp(-bound, bound);
        self.a[2] = second;
    }

    /// UPZERO, and DELAYA of the differences
    fn adapt_zeros(&mut self, d: i32) {
        let step = if d == 0 { 0 } else { 128 };
        for at in (1..7).rev() {
            let same = (self.d[at] >> 15) == (d >> 15);
            self.b[at] = saturate(if same { step } else { -step } + ((self.b[at] * 32640) >> 15));
            self.d[at] = self.d[at - 1];
        }
    }
}

/// The two bands of a stream, 8 kHz each, without the filters: what an encoder and the decoder at its other end both keep.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubBands {
    low: Band,
    high: Band,
}

impl Default for SubBands {
    fn default() -> Self {
        // At reset nb is 0, whose linear values are these (Table 15).
        SubBands { low: Band::new(32), high: Band::new(8) }
    }
}

impl SubBands {
    /// One sample of each band, lower and higher, for one octet.
    pub fn decode(&mut self, octet: u8) -> [i32; 2] {
        [SubBands::decode_low(&mut self.low, octet & 0x3f), SubBands::decode_high(&mut self.high, octet >> 6)]
    }

    /// The octet for one sample of each band.
    pub fn encode(&mut self, [low, high]: [i32; 2]) -> u8 {
        SubBands::encode_high(&mut self.high, high) << 6 | SubBands::encode_low(&mut self.low, low)
    }

    fn encode_low(band: &mut Band, x: i32) -> u8 {
        let el = saturate(x - band.s);
        let wd = if el >= 0 { el } else { -(el + 1) };
        let level = (1..30).find(|level| wd < (Q6[*level] * band.det) >> 12).unwrap_or(30);
        let code = if el < 0 { ILN[level] } else { ILP[level] };
        let coarse = usize::from(code >> 2);
        let dl = (band.det * QM4[coarse]) >> 15;
        band.scale(WL[usize::from(RL42[coarse])], NBL_MAX, 8);
        band.adapt(dl);
        code
    }

    fn encode_high(band: &mut Band, x: i32) -> u8 {
        let eh = saturate(x - band.s);
        let wd = if eh >= 0 { eh } else { -(eh + 1) };
        let outer = wd >= (564 * band.det) >> 12;
        let code: u8 = match (eh < 0, outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        let dh = (band.det * QM2[usize::from(code)]) >> 15;
        band.scale(WH[usize::from(RH2[usize::from(code)])], NBH_MAX, 10);
        band.adapt(dh);
        code
    }

    fn decode_low(band: &mut Band, code: u8) -> i32 {
        let r = (band.s + ((band.det * QM6[usize::from(code)]) >> 15)).clamp(-16384, 16383);
        let coarse = usize::from(code >> 2);
        let dl = (band.det * QM4[coarse]) >> 15;
        band.scale(WL[usize::from(RL42[coarse])], NBL_MAX, 8);
        band.adapt(dl);
        r
    }

    fn decode_high(band: &mut Band, code: u8) -> i32 {
        let dh = (band.det * QM2[usize::from(code)]) >> 15;
        let r = (dh + band.s).clamp(-16384, 16383);
        band.scale(WH[usize::from(RH2[usize::from(code)])], NBH_MAX, 10);
        band.adapt(dh);
        r
    }
}

/// Both bands and the memory of the QMF.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    x: [i32; 24],
    bands: SubBands,
}

impl State {
    fn new() -> Self {
        State { x: [0; 24], bands: SubBands::default() }
    }

    /// Takes two samples in and gives the filter's two halves.
    fn qmf(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.x.copy_within(2.., 0);
        self.x[22] = first;
        self.x[23] = second;
        let mut odd = 0;
        let mut even = 0;
        for (at, pair) in self.x.chunks_exact(2).enumerate() {
            odd += pair[0] * QMF[at];
            even += pair[1] * QMF[11 - at];
        }
        (even, odd)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoder(State);

impl Encoder {
    pub fn new() -> Self {
        Encoder(State::new())
    }

    /// One octet for two samples.
    pub fn encode(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = self.0.qmf(i32::from(first), i32::from(second));
        self.0.bands.encode([(even + odd) >> 14, (even - odd) >> 14])
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decoder(State);

impl Decoder {
    pub fn new() -> Self {
        Decoder(State::new())
    }

    /// Two samples for one octet.
    pub fn decode(&mut self, octet: u8) -> [i16; 2] {
        let [low, high] = self.0.bands.decode(octet);
        let (second, first) = self.0.qmf(low + high, low - high);
        [saturate(second >> 11) as i16, saturate(first >> 11) as i16]
    }
}

#[cfg(test)]
mod tests {
    use ezk_g722::libg722::{Bitrate, decoder, encoder};
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    /// Silence, tones, noise and full-scale square waves, one after the other.
    fn signal(seed: u64) -> Vec<i16> {
        let rng = &mut ChaCha12Rng::seed_from_u64(seed);
        (0..32_000)
            .map(|at: i32| {
                let time = f64::from(at) / 16_000.0;
                match at / 4000 {
                    0 => 0,
                    1 => (8000.0 * (time * 440.0 * std::f64::consts::TAU).sin()) as i16,
                    2 => (rng.next_u32() % 2000) as i16 - 1000,
                    3 => (16_000.0 * (time * 5000.0 * std::f64::consts::TAU).sin()) as i16,
                    4 => {
                        if at / 40 % 2 == 0 {
                            i16::MAX
                        } else {
                            i16::MIN
                        }
                    }
                    5 => rng.next_u32() as i16,
                    6 => 1,
                    _ => (3000.0 * (time * time * 3000.0 * std::f64::consts::TAU).sin()) as i16,
                }
            })
            .collect()
    }

    /// The other codec begins with scale factors of 0 where the Recommendation has 32 and 8.
    fn unscaled() -> State {
        State { bands: SubBands { low: Band::new(0), high: Band::new(0) }, ..State::new() }
    }

    #[test]
    fn the_encoder_agrees_bit_for_bit_with_another() {
        for seed in 0..4 {
            let pcm = signal(seed);
            let mut ours = Encoder(unscaled());
            let octets: Vec<u8> = pcm.chunks_exact(2).map(|pair| ours.encode(pair[0], pair[1])).collect();
            let theirs = encoder::Encoder::new(Bitrate::Mode1_64000, false, false).encode(&pcm);
            assert_eq!(octets.len(), theirs.len());
            let differ = octets.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            assert_eq!(differ, None, "seed {seed}");
        }
    }

    #[test]
    fn the_decoder_agrees_bit_for_bit_with_another() {
        for seed in 0..4 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let mut octets = encoder::Encoder::new(Bitrate::Mode1_64000, false, false).encode(&signal(seed));
            octets.extend((0..20_000).map(|_| rng.next_u32() as u8));
            let mut ours = Decoder(unscaled());
            let pcm: Vec<i16> = octets.iter().flat_map(|octet| ours.decode(*octet)).collect();
            let theirs = decoder::Decoder::new(Bitrate::Mode1_64000, false, false).decode(&octets);
            assert_eq!(pcm.len(), theirs.len());
            let differ = pcm.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            assert_eq!(differ, None, "seed {seed}");
        }
    }

    #[test]
    fn speech_band_tones_come_back_clean() {
        for hz in [200.0, 440.0, 1000.0, 2500.0, 6000.0] {
            let pcm: Vec<i16> = (0..16_000)
                .map(|at| (8000.0 * (f64::from(at) / 16_000.0 * hz * std::f64::consts::TAU).sin()) as i16)
                .collect();
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let heard: Vec<i16> =
                pcm.chunks_exact(2).flat_map(|pair| decoder.decode(encoder.encode(pair[0], pair[1]))).collect();
            // The two filters delay by 22 samples.
            let (mut signal, mut noise) = (0.0, 0.0);
            for (sent, heard) in pcm[2000..].iter().zip(&heard[2022..]) {
                signal += f64::from(*sent).powi(2);
                noise += (f64::from(*sent) - f64::from(*heard)).powi(2);
            }
            let snr = 10.0 * (signal / noise).log10();
            assert!(snr > if hz > 4000.0 { 12.0 } else { 30.0 }, "{hz} Hz: {snr} dB");
        }
    }
}
