//! One leg as its thread sees it.

use std::net::SocketAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::audio::{Decoder, DtmfDetector, Encoder, Tone, sample_rate_hz};
use crate::bridge::{Group, RtpStats, Sources, Stream};
use crate::ids::LegId;
use crate::rtp::{Conditions, EventReceiver, EventSender, ReceiveStats, RtcpTimer, View, mos};
use crate::settings::Codec;
use crate::time::Instant;

use super::crossing::Recent;
use super::listening::Hearer;
use super::outgoing::Outgoing;
use super::overlay::Overlay;
use super::player::{OCTETS_PER_MS, Playing};
use super::recorder::Tap;
use super::seam::Seam;
use super::source::FarEnd;
use super::voice::{Ear, Frame, Voice, WIDE};

/// Keys that may wait to be sent on a leg; more are refused and counted.
const MAX_KEYS: usize = 32;

/// Between two keys (ITU-T Q.24 asks for 40 ms at least).
pub(super) const KEY_PAUSE: Duration = Duration::from_millis(60);

/// How a leg's sources reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hearing {
    #[default]
    Nothing,
    /// Packet by packet from the leg in this place.
    Relay(u32),
    /// Decoded and encoded on the tick of this room.
    Room(u32),
}

pub(super) struct Leg {
    pub id: LegId,
    pub group: Group,
    /// `None` until offer and answer are through.
    pub stream: Option<Stream>,
    pub rtp: FarEnd,
    pub rtcp: FarEnd,
    /// As commanded; what it comes to is in `hearing`.
    pub sources: Sources,
    pub hearing: Hearing,
    /// The legs to which this one's packets are relayed.
    pub relay_to: SmallVec<[u32; 4]>,
    pub play: Option<Playing>,
    /// What repeats, while something is said over it.
    pub aside: Option<Playing>,
    /// What is mixed into that which the leg hears.
    pub over: Option<Box<Overlay>>,
    pub seam: Seam,
    /// What its far end said of late, in G.722.
    pub came: Option<Box<Recent>>,
    pub keys: Option<Box<Keys>>,
    /// Nobody is sent the keys of this leg's far end.
    pub keeps_keys: bool,
    /// Where the wheel called last.
    pub called: Instant,
    pub out: Outgoing,
    /// What arrives, over all the SSRCs that the far end has had.
    pub arrivals: ReceiveStats,
    pub events: EventReceiver,
    pub in_band: Option<Box<InBand>>,
    pub voice: Option<Box<Voice>>,
    pub ear: Option<Box<Ear>>,
    /// What is recorded of this leg.
    pub taps: Vec<Tap>,
    /// Where what the far end says is recognised.
    pub hearer: Option<Box<Hearer>>,
    pub reports: Reports,
    /// When the far end was last heard, or was first expected to be.
    pub heard_at: Instant,
    /// How long it may be silent.
    pub dead_after: Duration,
    pub dead_told: bool,
}

/// When reports are due, and what the peer's reports said.
pub(super) struct Reports {
    pub cname: [u8; 16],
    pub timer: RtcpTimer,
    /// `None` until there is a stream.
    pub due: Option<Instant>,
    pub round_trip: Option<Duration>,
}

impl Leg {
    /// Octets of one packet that we make.
    pub fn packet_octets(&self) -> usize {
        let ptime = self.stream.as_ref().map_or(20, |stream| stream.ptime.as_millis());
        // Held to whole tens: the wheel's steps and the 20 ms frames of a room fit into them.
        let ptime = (ptime / 10 * 10).clamp(10, 60) as usize;
        ptime * OCTETS_PER_MS
    }

    /// Time of one packet that we make.
    pub fn packet_time(&self) -> Duration {
        Duration::from_millis((self.packet_octets() / OCTETS_PER_MS) as u64)
    }

    /// Where RTP may be sent to now, with the stream's terms.
    pub fn sending(&self) -> Option<(SocketAddr, &Stream)> {
        let stream = self.stream.as_ref().filter(|stream| stream.send)?;
        Some((self.rtp.destination()?, stream))
    }

    /// Where RTCP goes, and whether over the RTP port.
    pub fn reporting(&self) -> Option<(SocketAddr, bool)> {
        let stream = self.stream.as_ref()?;
        let to = if stream.rtcp_mux { self.rtp.destination() } else { self.rtcp.destination() }?;
        Some((to, stream.rtcp_mux))
    }

    /// Whether our own answer expects media from a far end that has an address.
    pub fn expects_media(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.receive && stream.remote.is_some())
    }

    /// Whether the leg makes packets of its own now, so that what its sources say is not heard.
    pub fn is_busy(&self) -> bool {
        self.play.is_some() || self.keys.as_ref().is_some_and(|keys| keys.is_sending())
    }

    /// Hands what the far end is sent to the recordings of this leg.
    pub fn tap_sent(&self, packet: &View<'_>, now: Instant) {
        if let Some(stream) = &self.stream {
            self.taps.iter().for_each(|tap| tap.near(stream.codec, packet.header.timestamp, packet.payload, now));
        }
    }

    pub fn figures(&self) -> RtpStats {
        let received = self.arrivals.received();
        let lost = self.arrivals.lost();
        let jitter = self.arrivals.jitter();
        let buffer = self.voice.as_ref().map_or(2 * jitter, |voice| voice.delay());
        let delay = self.reports.round_trip.unwrap_or_default() / 2 + buffer + self.packet_time();
        let quality = self.stream.as_ref().filter(|_| received > 0).map(|stream| {
            let loss = lost as f64 / (received + lost) as f64;
            mos(&Conditions { codec: stream.codec, loss, delay })
        });
        RtpStats {
            packets_sent: self.out.stats.packets(),
            packets_received: received,
            lost,
            jitter_ms: jitter.as_secs_f64() * 1000.0,
            mos: quality,
        }
    }
}

/// Hears keys in the audio of a far end that has no telephone-event.
pub(super) struct InBand {
    pub codec: Codec,
    decoder: Decoder,
    detector: DtmfDetector,
}

impl InBand {
    pub fn new(codec: Codec) -> Self {
        InBand { codec, decoder: Decoder::new(codec), detector: DtmfDetector::new(sample_rate_hz(codec)) }
    }

    /// The event code of a key that has become certain in this payload.
    pub fn hear(&mut self, payload: &[u8]) -> Option<u8> {
        let mut key = None;
        let mut pcm: Frame = [0; WIDE];
        for piece in payload.chunks(super::voice::FRAME_OCTETS) {
            let samples = self.decoder.decode(piece, &mut pcm);
            key = key.or(self.detector.detect(pcm.get(..samples).unwrap_or_default()));
        }
        key
    }
}

/// Keys being sent to the far end, and those that wait.
pub(super) struct Keys {
    waiting: SmallVec<[Key; 8]>,
    pub sending: Option<Sending>,
    /// For keys in band; made with the codec, since the tick does not allocate.
    codec: Codec,
    pub encoder: Encoder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub event: u8,
    pub duration: Duration,
}

pub(super) enum Sending {
    Event {
        sender: EventSender,
        payload_type: u8,
    },
    /// In band, and the octets left of it.
    Tone {
        tone: Tone,
        octets: usize,
    },
    Pause {
        octets: usize,
    },
}

impl Keys {
    pub fn new(codec: Codec) -> Self {
        Keys { waiting: SmallVec::new(), sending: None, codec, encoder: Encoder::new(codec) }
    }

    /// The leg has another codec from now on.
    pub fn change_codec(&mut self, codec: Codec) {
        if self.codec != codec {
            self.codec = codec;
            self.encoder = Encoder::new(codec);
        }
    }

    /// `false` when too many wait.
    pub fn push(&mut self, key: Key) -> bool {
        let room = self.waiting.len() < MAX_KEYS;
        if room {
            self.waiting.push(key);
        }
        room
    }

    /// As `push`, without allocating: for the path of arriving packets.
    pub fn push_in_place(&mut self, key: Key) -> bool {
        let room = self.waiting.len() < self.waiting.capacity();
        if room {
            self.waiting.push(key);
        }
        room
    }

    pub fn is_sending(&self) -> bool {
        self.sending.is_some() || !self.waiting.is_empty()
    }

    pub fn next(&mut self) -> Option<Key> {
        if self.waiting.is_empty() { None } else { Some(self.waiting.remove(0)) }
    }
}
