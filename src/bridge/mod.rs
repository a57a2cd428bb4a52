//! Who hears whom, as data: what the engine tells the media threads, and what they tell it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::heard::Hints;
use crate::ids::{CallId, Language, LegId, PlayId, RecordingId, RoomId};
use crate::security::{Fingerprint, Secret, Security};
use crate::settings::Codec;

/// A bound RTP socket of the stock, named by its local address; RTCP is the next port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaPort(pub SocketAddr);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MediaCommand {
    /// Takes a port of the stock into use. The leg is in the group of its call.
    Open {
        leg: LegId,
        call: CallId,
        port: MediaPort,
    },
    /// The leg is one of another group from now on, with whatever its far end is sent going on without a break. Of
    /// those whom it hears it hears only who is in the group too.
    Move {
        leg: LegId,
        group: Group,
    },
    /// What offer and answer agreed on; may come again at any time (hold, codec change, new address).
    Configure {
        leg: LegId,
        stream: Box<Stream>,
    },
    /// From now on this leg hears these legs: none is silence, one is relayed, several are mixed. A leg may hear
    /// itself (echo). A running `Play` is heard instead until it ends.
    Hear {
        leg: LegId,
        sources: Sources,
    },
    /// Plays the items one after the other into the leg's ear, then reports `PlayEnded`; `repeat` plays for ever.
    /// Replaces a running play, which then reports nothing.
    Play {
        leg: LegId,
        play: PlayId,
        items: Vec<PlayItem>,
        repeat: bool,
    },
    /// As `Play`, once, but a running play that repeats is only set aside: it goes on from where it was when these items
    /// have ended or are stopped. `StopPlay` ends it there as well, unheard.
    Interject {
        leg: LegId,
        play: PlayId,
        items: Vec<PlayItem>,
    },
    /// Mixes the items into whatever the leg hears, 6 dB down, and takes nothing of it away; then reports `PlayEnded`.
    /// `repeat` goes on for ever. Takes the place of an earlier one, which then reports nothing. While something is played
    /// to the leg it goes on unheard. `StopPlay` ends it.
    MixIn {
        leg: LegId,
        play: PlayId,
        items: Vec<PlayItem>,
        repeat: bool,
    },
    /// Stops at once; reports nothing.
    StopPlay {
        leg: LegId,
        play: PlayId,
    },
    /// Sends one key by RFC 4733 (or in band where telephone-event was not agreed).
    SendDigit {
        leg: LegId,
        digit: Digit,
        duration: Duration,
    },
    /// `Dead` is told of this leg after so long a silence from now on; after the time of all legs where it is `None`.
    Watch {
        leg: LegId,
        silence: Option<Duration>,
    },
    /// From now on nobody is sent this leg's keys; they are told as before.
    KeepKeys {
        leg: LegId,
    },
    /// Writes down what the leg's far end says and, where the terms say so, what it is sent, until `StopRecord`, the
    /// longest time of the terms or the end of the leg. `RecordingEvent::Ended` or `Failed` follows in every case.
    Record {
        leg: LegId,
        recording: RecordingId,
        terms: RecordTerms,
    },
    /// While a recording is paused silence stands for what is said.
    PauseRecord {
        leg: LegId,
        recording: RecordingId,
        paused: bool,
    },
    StopRecord {
        leg: LegId,
        recording: RecordingId,
    },
    /// Hands what the leg's far end says to a recogniser of speech, until `StopListening`, another `Listen` or the end of the
    /// leg. What is heard comes from the recogniser itself, by the number of the listening.
    Listen {
        leg: LegId,
        listening: Box<Listening>,
    },
    /// What is likely to be said from now on, where the leg is listened to.
    Expect {
        leg: LegId,
        hints: Hints,
    },
    StopListening {
        leg: LegId,
    },
    /// Deletes a recording that has ended.
    DiscardRecording(RecordingId),
    /// Ends the leg, reports `Closed` with its last figures, and gives the port back to the stock.
    Close {
        leg: LegId,
    },
}

/// Legs that may hear each other, and so live on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Group {
    /// The legs of one call.
    Call(CallId),
    /// Legs of several calls that meet in a conference room. They come and go, so they are mixed even while they are two:
    /// from a relayed packet to a mixed one there is a step. Their keys are passed on to nobody.
    Room(RoomId),
}

impl MediaCommand {
    /// The leg that it is about.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            MediaCommand::Open { leg, .. }
            | MediaCommand::Move { leg, .. }
            | MediaCommand::Configure { leg, .. }
            | MediaCommand::Hear { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::Interject { leg, .. }
            | MediaCommand::MixIn { leg, .. }
            | MediaCommand::StopPlay { leg, .. }
            | MediaCommand::SendDigit { leg, .. }
            | MediaCommand::Watch { leg, .. }
            | MediaCommand::KeepKeys { leg }
            | MediaCommand::Record { leg, .. }
            | MediaCommand::PauseRecord { leg, .. }
            | MediaCommand::StopRecord { leg, .. }
            | MediaCommand::Listen { leg, .. }
            | MediaCommand::Expect { leg, .. }
            | MediaCommand::StopListening { leg }
            | MediaCommand::Close { leg } => Some(*leg),
            MediaCommand::DiscardRecording(_) => None,
        }
    }
}

/// How a leg is listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Tells this one from earlier ones.
    pub listen: u64,
    /// Who is to understand what is said.
    pub bot: String,
    pub language: Language,
    pub hints: Hints,
}

/// What is to be recorded of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordTerms {
    /// Two channels: what the far end says on the left, what it is sent on the right. Else what it says alone.
    pub both: bool,
    /// Nothing is written after this; `RecordingEvent::Full` says so.
    pub longest: Duration,
    /// `RecordingEvent::Silence` is told once when the far end has not spoken for this long.
    pub silence: Option<Duration>,
}

/// What becomes of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordingEvent {
    /// The file is open.
    Started,
    Silence,
    Full,
    /// The file is whole and in its place.
    Ended(Recorded),
    /// It could not be begun, or not be written to its end; what was written before is kept, but for a file without
    /// any sound.
    Failed {
        why: String,
        recorded: Recorded,
    },
}

/// The figures of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub duration: Duration,
    /// Of that, how long the far end spoke.
    pub voiced: Duration,
    /// The size of the file.
    pub octets: u64,
}

pub type Sources = SmallVec<[LegId; 2]>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PlayItem {
    /// A prompt by name in a language; where it is missing it is skipped with one log line.
    Prompt {
        name: String,
        language: Language,
    },
    Silence(Duration),
    /// Ring-back, busy, … as frequencies in Hz with on and off times.
    Tone {
        frequencies_hz: [u16; 2],
        on: Duration,
        off: Duration,
    },
}

impl PlayItem {
    /// A prompt in the caller's language, or in one of its own as `fr:hello`.
    pub fn prompt(prompt: &str, language: &Language) -> PlayItem {
        let (language, name) = match prompt.split_once(':') {
            Some((own, name)) => (Language::from(own), name),
            None => (language.clone(), prompt),
        };
        PlayItem::Prompt { name: name.to_owned(), language }
    }
}

/// One agreed audio stream (RFC 3264), from our side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Where RTP goes; `None` while the far end has none (0.0.0.0, port 0).
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes (the next port, or as `a=rtcp` says).
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    pub codec: Codec,
    /// Payload type of the codec that we send, and that we are sent.
    pub send_payload_type: u8,
    pub receive_payload_type: u8,
    /// telephone-event, likewise.
    pub send_event_type: Option<u8>,
    pub receive_event_type: Option<u8>,
    pub ptime: Duration,
    /// Whether we may send, and whether we expect to be sent.
    pub send: bool,
    pub receive: bool,
    pub latch: Latch,
    #[serde(default)]
    pub security: Security,
}

/// Which source RTP is accepted from besides the negotiated address. The first that qualifies is fixed for the leg
/// until it is configured anew with another remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latch {
    /// The negotiated address and port only.
    Never,
    /// Any port of this address: the one the signalling came from (a phone behind NAT).
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(char);

impl Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub fn new(key: char) -> Option<Digit> {
        let key = key.to_ascii_uppercase();
        matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Digit(key))
    }

    /// RFC 4733 §3.2: event codes 0 to 15.
    pub fn from_event(code: u8) -> Option<Digit> {
        "0123456789*#ABCD".chars().nth(usize::from(code)).map(Digit)
    }

    pub fn event(self) -> u8 {
        "0123456789*#ABCD".chars().position(|key| key == self.0).map_or(0, |at| at as u8)
    }

    pub fn key(self) -> char {
        self.0
    }
}

impl TryFrom<char> for Digit {
    type Error = String;

    fn try_from(key: char) -> Result<Self, Self::Error> {
        Digit::new(key).ok_or_else(|| format!("'{key}' is not a key of a telephone; use 0-9, *, # or A-D"))
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> char {
        digit.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigitSource {
    TelephoneEvent,
    InBand,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MediaEvent {
    /// Who we are to those with whom keys are agreed, and what our own keys are made of. Told once, before any port.
    Identity {
        fingerprint: Fingerprint,
        secret: Secret,
    },
    /// More ports are bound and free.
    Ports(Vec<MediaPort>),
    /// A key, reported once, when it is first certain.
    Digit {
        leg: LegId,
        digit: Digit,
        source: DigitSource,
    },
    PlayEnded {
        leg: LegId,
        play: PlayId,
    },
    /// Nothing came for the configured time though our answer expects media.
    Dead {
        leg: LegId,
    },
    /// There is no way to the far end any more, or none to the one that was meant.
    Lost {
        leg: LegId,
        why: Loss,
    },
    Recording {
        recording: RecordingId,
        event: RecordingEvent,
    },
    /// The last figures of a closed leg.
    Closed {
        leg: LegId,
        stats: RtpStats,
    },
}

/// Why a leg with agreed keys is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loss {
    /// Its connectivity checks have stopped, or never came (RFC 7675).
    Consent,
    /// The DTLS handshake came to nothing.
    Handshake,
    /// The certificate is not the one whose fingerprint its session description has.
    Certificate,
}

/// Figures of one leg's RTP (RFC 3550 §6.4, App. A); `mos` is estimated by ITU-T G.107 from loss and delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RtpStats {
    pub packets_sent: u64,
    pub packets_received: u64,
    pub lost: u64,
    pub jitter_ms: f64,
    pub mos: Option<f64>,
}
