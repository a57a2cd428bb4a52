//! Frames between the server and a worker: a length, a kind, and JSON or samples. PROTOCOL.md has the format.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder};

/// The most that may follow a length.
pub const LARGEST: usize = 262_144;
const MESSAGE: u8 = b'J';
const AUDIO: u8 = b'A';

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One JSON object.
    Message(Bytes),
    /// Samples, signed 16 bit, little-endian, mono.
    Audio(Bytes),
}

#[derive(Debug, Error)]
pub enum WireError {
    #[error("a frame of {0} bytes; 1 to {LARGEST} are allowed")]
    Length(usize),
    #[error("a frame of the unknown kind {0:#04x}; 'J' and 'A' are known")]
    Kind(u8),
    #[error("audio of {0} bytes, which is half a sample too much")]
    OddAudio(usize),
    #[error("the connection ended within a frame")]
    CutOff,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Frame {
    /// At most 32,767 samples: two seconds at 16 kHz.
    pub fn audio(pcm: &[i16]) -> Frame {
        let mut bytes = BytesMut::with_capacity(pcm.len() * 2);
        pcm.iter().for_each(|sample| bytes.put_i16_le(*sample));
        Frame::Audio(bytes.freeze())
    }
}

/// The samples of an audio frame.
pub fn samples(audio: &[u8]) -> Vec<i16> {
    audio.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// Frames of a byte stream, either way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wire;

impl Decoder for Wire {
    type Item = Frame;
    type Error = WireError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, WireError> {
        let Some(length) = bytes.first_chunk().map(|length| u32::from_be_bytes(*length)) else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length == 0 || length > LARGEST {
            return Err(WireError::Length(length));
        }
        if bytes.len() < 4 + length {
            bytes.reserve(4 + length - bytes.len());
            return Ok(None);
        }
        bytes.advance(4);
        let mut payload = bytes.split_to(length).freeze();
        let kind = payload.get_u8();
        match kind {
            MESSAGE => Ok(Some(Frame::Message(payload))),
            AUDIO if payload.len() % 2 == 1 => Err(WireError::OddAudio(payload.len())),
            AUDIO => Ok(Some(Frame::Audio(payload))),
            kind => Err(WireError::Kind(kind)),
        }
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, WireError> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => Err(WireError::CutOff),
            frame => Ok(frame),
        }
    }
}

impl Encoder<Frame> for Wire {
    type Error = WireError;

    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), WireError> {
        let (kind, payload) = match frame {
            Frame::Message(payload) => (MESSAGE, payload),
            Frame::Audio(payload) => (AUDIO, payload),
        };
        let length = payload.len() + 1;
        if length > LARGEST {
            return Err(WireError::Length(length));
        }
        out.reserve(4 + length);
        out.put_u32(length as u32);
        out.put_u8(kind);
        out.put_slice(&payload);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn encoded(frames: &[Frame]) -> BytesMut {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| Wire.encode(frame.clone(), &mut bytes).unwrap());
        bytes
    }

    fn random_frame(random: &mut ChaCha8Rng) -> Frame {
        let length = (random.next_u32() % 3_000) as usize;
        let mut payload = vec![0; length];
        random.fill_bytes(&mut payload);
        if random.next_u32().is_multiple_of(2) {
            Frame::Message(payload.into())
        } else {
            payload.truncate(length & !1);
            Frame::Audio(payload.into())
        }
    }

    #[test]
    fn frames_come_back_however_the_bytes_are_cut() {
        for seed in 0..200 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let sent: Vec<Frame> = (0..random.next_u32() % 8).map(|_| random_frame(&mut random)).collect();
            let stream = encoded(&sent);
            let (mut bytes, mut got, mut at) = (BytesMut::new(), Vec::new(), 0);
            while at < stream.len() {
                let next = (at + 1 + (random.next_u32() % 2_000) as usize).min(stream.len());
                bytes.extend_from_slice(&stream[at..next]);
                at = next;
                while let Some(frame) = Wire.decode(&mut bytes).unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!(got, sent, "seed {seed}");
            assert!(Wire.decode_eof(&mut bytes).unwrap().is_none(), "seed {seed}");
        }
    }

    #[test]
    fn any_bytes_are_frames_or_an_error_and_never_more_than_the_limit_is_kept() {
        for seed in 0..2_000 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut noise = vec![0; (random.next_u32() % 400) as usize];
            random.fill_bytes(&mut noise);
            // Half of them with a length that could be true.
            if random.next_u32().is_multiple_of(2) && noise.len() > 8 {
                noise[..4].copy_from_slice(&(random.next_u32() % 300).to_be_bytes());
            }
            let mut bytes = BytesMut::from(&noise[..]);
            while let Ok(Some(_)) = Wire.decode(&mut bytes) {}
            assert!(bytes.capacity() <= LARGEST + 4 + 1024, "seed {seed}: {} bytes kept", bytes.capacity());
        }
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let fault = |bytes: &[u8]| Wire.decode(&mut BytesMut::from(bytes)).unwrap_err().to_string();
        assert!(fault(&[0, 0, 0, 0]).contains("a frame of 0 bytes"));
        assert!(fault(&[0, 4, 0, 1, b'J']).contains("a frame of 262145 bytes"));
        assert!(fault(&[0, 0, 0, 1, b'X']).contains("unknown kind 0x58"));
        assert!(fault(&[0, 0, 0, 2, b'A', 1]).contains("half a sample"));
        let cut = Wire.decode_eof(&mut BytesMut::from(&[0, 0, 0, 9, b'J'][..])).unwrap_err();
        assert!(matches!(cut, WireError::CutOff));
        let large = Frame::Message(vec![b' '; LARGEST].into());
        assert!(matches!(Wire.encode(large, &mut BytesMut::new()), Err(WireError::Length(262_145))));
    }

    #[test]
    fn samples_survive_the_wire() {
        let pcm = [0, 1, -1, i16::MAX, i16::MIN];
        let Frame::Audio(bytes) = Frame::audio(&pcm) else { panic!("no audio") };
        assert_eq!(samples(&bytes), pcm);
    }
}
