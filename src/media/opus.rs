//! Opus (RFC 6716, RFC 7587) for a leg: to its far end it is Opus, to the worker the same voice in G.722, which is as wide, has
//! the clock of all the others and is mixed, recorded and recognised like them. Coded at 16 kHz, in packets of the leg's ptime.

use opusic_c::{Application, Bitrate, Channels, Decoder, Encoder, ErrorCode, InbandFec, SampleRate, Signal};

use crate::audio;
use crate::bridge::Stream;
use crate::rtp::{Header, View, is_rtcp, rewrite};
use crate::settings::Codec;

/// Units of Opus' RTP clock (48 kHz, RFC 7587 §4.1) in one of ours.
const CLOCK: u32 = 6;

/// Samples in an octet of G.722, and octets in a millisecond.
const SAMPLES: usize = 2;
const OCTETS_PER_MS: usize = 8;

/// The longest packet that is taken; our descriptions say so (`maxptime`).
const LONGEST_MS: usize = 60;
const LONGEST_OCTETS: usize = LONGEST_MS * OCTETS_PER_MS;
const LONGEST_SAMPLES: usize = LONGEST_OCTETS * SAMPLES;

/// Packets that are missing and made up for, at most; a longer gap is silence.
const MOST_MISSING: u16 = 3;

/// What speech needs at 16 kHz; RFC 7587 §3.1.1 names 16 to 20 kbit/s for wideband, and the redundancy needs its share.
const BITS_PER_SECOND: u32 = 28_000;

/// Of ten: what more costs in processor time is not heard in speech.
const COMPLEXITY: u8 = 5;

/// For what loss, in per cent, packets carry what was in the one before.
const EXPECTED_LOSS: u8 = 5;

/// Both ways of one leg.
pub(super) struct Transcoder {
    send_payload_type: u8,
    receive_payload_type: u8,
    to_far_end: ToFarEnd,
    from_far_end: FromFarEnd,
}

struct ToFarEnd {
    decoder: audio::Decoder,
    encoder: Encoder,
}

struct FromFarEnd {
    decoder: Decoder,
    encoder: audio::Encoder,
    /// The source, and its latest packet, by its numbers and as it was handed on.
    latest: Option<Latest>,
}

#[derive(Clone, Copy)]
struct Latest {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    handed: u32,
    /// Octets of what it said.
    octets: usize,
}

impl Transcoder {
    /// `None` where the library has no memory left.
    pub fn new(stream: &Stream) -> Option<Transcoder> {
        let encoder = || -> Result<Encoder, ErrorCode> {
            let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz16000, Application::Voip)?;
            encoder.set_bitrate(Bitrate::Value(BITS_PER_SECOND))?;
            encoder.set_complexity(COMPLEXITY)?;
            encoder.set_signal(Signal::Voice)?;
            encoder.set_inband_fec(InbandFec::Mode1)?;
            encoder.set_packet_loss(EXPECTED_LOSS)?;
            encoder.set_dtx(false)?;
            Ok(encoder)
        };
        Some(Transcoder {
            send_payload_type: stream.send_payload_type,
            receive_payload_type: stream.receive_payload_type,
            to_far_end: ToFarEnd { decoder: audio::Decoder::new(Codec::G722), encoder: encoder().ok()? },
            from_far_end: FromFarEnd {
                decoder: Decoder::new(Channels::Mono, SampleRate::Hz16000).ok()?,
                encoder: audio::Encoder::new(Codec::G722),
                latest: None,
            },
        })
    }

    /// The numbers of the payload types may change; the voice goes on.
    pub fn update(&mut self, stream: &Stream) {
        self.send_payload_type = stream.send_payload_type;
        self.receive_payload_type = stream.receive_payload_type;
    }

    /// What the worker sends, as the far end is to have it, in `out`; its length. `None` where it is not to be sent.
    pub fn send(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        let place = out.get_mut(..packet.len())?;
        place.copy_from_slice(packet);
        if is_rtcp(packet) {
            report_by_48_khz(place);
            return Some(packet.len());
        }
        let view = Header::parse(packet)?;
        let header = Header { timestamp: view.header.timestamp.wrapping_mul(CLOCK), ..view.header };
        if header.payload_type != self.send_payload_type {
            // A key: its time stamp is of the stream's clock, its duration of its own (RFC 4733 §2.3, §2.5.1.1).
            rewrite(place, &header);
            return Some(packet.len());
        }
        let mut pcm = [0i16; LONGEST_SAMPLES];
        let samples = self.to_far_end.decoder.decode(view.payload, &mut pcm);
        let mut words = [0u16; LONGEST_SAMPLES];
        words.iter_mut().zip(pcm).for_each(|(word, sample)| *word = sample as u16);
        let start = header.write(out)?;
        let coded = self.to_far_end.encoder.encode_to_slice(words.get(..samples)?, out.get_mut(start..)?).ok()?;
        Some(start + coded)
    }

    /// What the far end sends, as the worker is to have it: packet by packet, with what was lost before it made up for.
    pub fn receive(&mut self, packet: &mut [u8], pieces: &mut Pieces) {
        let view = Header::parse(packet).filter(|_| !is_rtcp(packet));
        match view {
            Some(view) if view.header.payload_type == self.receive_payload_type => {
                self.from_far_end.voice(&view.header, view.payload, pieces);
            }
            Some(View { header, .. }) => {
                let timestamp = self.from_far_end.handed_at(&header);
                rewrite(packet, &Header { timestamp, ..header });
                pieces.push(packet);
            }
            None => pieces.push(packet),
        }
    }
}

/// Packets for the worker that came of one.
pub(super) struct Pieces {
    packets: Box<[[u8; LONGEST_PACKET]; MOST_PIECES]>,
    lengths: [usize; MOST_PIECES],
    filled: usize,
    taken: usize,
}

/// A report may be longer than a voice.
const LONGEST_PACKET: usize = 1500;
const MOST_PIECES: usize = MOST_MISSING as usize + 1;

impl Pieces {
    pub fn new() -> Pieces {
        Pieces { packets: Box::new([[0; LONGEST_PACKET]; MOST_PIECES]), lengths: [0; MOST_PIECES], filled: 0, taken: 0 }
    }

    fn push(&mut self, packet: &[u8]) {
        let place = self.packets.get_mut(self.filled).and_then(|place| place.get_mut(..packet.len()));
        if let (Some(place), Some(length)) = (place, self.lengths.get_mut(self.filled)) {
            place.copy_from_slice(packet);
            *length = packet.len();
            self.filled += 1;
        }
    }

    /// The next one, in `into`; when there is none any more, the next packet's may come.
    pub fn take<'a>(&mut self, into: &'a mut [u8]) -> Option<&'a mut [u8]> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
            return None;
        }
        let length = *self.lengths.get(self.taken)?;
        let packet = self.packets.get(self.taken)?.get(..length)?;
        self.taken += 1;
        let into = into.get_mut(..length)?;
        into.copy_from_slice(packet);
        Some(into)
    }
}

impl FromFarEnd {
    fn voice(&mut self, header: &Header, payload: &[u8], pieces: &mut Pieces) {
        let known = self.latest.filter(|latest| latest.ssrc == header.ssrc);
        let ahead = known.map_or(1, |latest| header.sequence.wrapping_sub(latest.sequence) as i16);
        if ahead <= 0 && ahead > -1_000 {
            // Late: something stands in its place already.
            return;
        }
        let missing = (ahead - 1).clamp(0, i16::MAX) as u16;
        if let Some(latest) = known.filter(|_| (1..=MOST_MISSING).contains(&missing)) {
            for step in 1..=missing {
                // The packet behind a lost one may hold what it said (RFC 6716 §2.1.7); else it is guessed.
                let hint = if step == missing { payload } else { &[] };
                let lost = Header {
                    sequence: latest.sequence.wrapping_add(step),
                    timestamp: latest.handed.wrapping_add(u32::from(step) * latest.octets as u32),
                    marker: false,
                    ..*header
                };
                self.decode(&lost, hint, step == missing, latest.octets, pieces);
            }
        }
        let handed = self.handed_at(header);
        let octets = self.decode(&Header { timestamp: handed, ..*header }, payload, false, LONGEST_OCTETS, pieces);
        if octets > 0 {
            let Header { ssrc, sequence, timestamp, .. } = *header;
            self.latest = Some(Latest { ssrc, sequence, timestamp, handed, octets });
        }
    }

    /// A time stamp of the far end's on our clock.
    fn handed_at(&self, header: &Header) -> u32 {
        match self.latest {
            Some(latest) if latest.ssrc == header.ssrc => {
                let passed = header.timestamp.wrapping_sub(latest.timestamp) as i32 / CLOCK as i32;
                latest.handed.wrapping_add_signed(passed)
            }
            _ => header.timestamp / CLOCK,
        }
    }

    /// Hands on what a packet says, in pieces that the worker takes; returns the octets.
    fn decode(&mut self, header: &Header, payload: &[u8], redundant: bool, most: usize, pieces: &mut Pieces) -> usize {
        let mut words = [0u16; LONGEST_SAMPLES];
        let room = words.get_mut(..most * SAMPLES).unwrap_or_default();
        let samples = self.decoder.decode_to_slice(payload, room, redundant).unwrap_or(0);
        let pcm: [i16; LONGEST_SAMPLES] = words.map(|word| word as i16);
        let mut packet = [0u8; Header::LEN + LONGEST_OCTETS];
        let Some(start) = header.write(&mut packet) else { return 0 };
        let coded =
            self.encoder.encode(pcm.get(..samples).unwrap_or_default(), packet.get_mut(start..).unwrap_or_default());
        if coded > 0 {
            pieces.push(packet.get(..start + coded).unwrap_or_default());
        }
        coded
    }
}

/// A sender's report says what its time is on the stream's clock (RFC 3550 §6.4.1).
fn report_by_48_khz(report: &mut [u8]) {
    const SENDER_REPORT: u8 = 200;
    if report.get(1) == Some(&SENDER_REPORT)
        && let Some(place) = report.get_mut(16..20)
        && let Ok(octets) = <[u8; 4]>::try_from(&*place)
    {
        place.copy_from_slice(&u32::from_be_bytes(octets).wrapping_mul(CLOCK).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
