//! The offer/answer state of one leg.

use std::time::Duration;

use bytes::Bytes;
use rtc_sdp::description::common::{Address, Attribute, ConnectionInformation};
use rtc_sdp::description::media::{MediaName, RangedPort};
use rtc_sdp::description::session::{Origin, TimeDescription};
use rtc_sdp::{MediaDescription, SessionDescription};
use serde::{Deserialize, Serialize};

use super::read::read;
use super::stream::{DEFAULT_PTIME, Format, RemoteAudio, encoding_name, static_format};
use super::{Agreed, Direction, LocalAudio, SdpError};
use crate::settings::Codec;

/// Offers, answers and what came of them, for one leg's whole life. A refused exchange leaves what was agreed as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Negotiator {
    local: LocalAudio,
    /// The `m=` lines of the session, which every later description repeats in order (RFC 3264 §8).
    lines: Vec<Line>,
    /// Which of them is our audio.
    audio: usize,
    numbers: PayloadTypes,
    /// The description we sent last, and its version.
    sent: Bytes,
    version: u64,
    offered: Option<Offered>,
    agreed: Option<Agreed>,
}

/// One `m=` line, as far as it is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    media: String,
    proto: String,
    format: String,
}

/// The payload types of our next offer. They never change meaning within a session (RFC 3264 §8.3.2), so those of the
/// peer's offers are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct PayloadTypes {
    pcmu: u8,
    pcma: u8,
    g722: u8,
    event: u8,
}

impl PayloadTypes {
    fn of(&mut self, format: Format) -> &mut u8 {
        match format {
            Format::Audio(Codec::Pcmu) => &mut self.pcmu,
            Format::Audio(Codec::Pcma) => &mut self.pcma,
            Format::Audio(Codec::G722) => &mut self.g722,
            Format::Event => &mut self.event,
        }
    }
}

/// Our offer that was answered last or waits for its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Offered {
    wish: Direction,
    /// With the numbers we gave them.
    codecs: Vec<(u8, Codec)>,
    event: u8,
    answered: bool,
}

impl Negotiator {
    pub fn new(local: LocalAudio) -> Self {
        Negotiator {
            local,
            lines: vec![Line { media: "audio".to_owned(), proto: "RTP/AVP".to_owned(), format: "0".to_owned() }],
            audio: 0,
            numbers: PayloadTypes { pcmu: 0, pcma: 8, g722: 9, event: 101 },
            sent: Bytes::new(),
            version: 0,
            offered: None,
            agreed: None,
        }
    }

    /// The codecs of the next offer or answer, best first: to match the other leg and spare transcoding.
    pub fn set_codecs(&mut self, codecs: Vec<Codec>) {
        self.local.codecs = codecs;
    }

    /// Our offer. The version in `o=` grows only when the description differs from the last one we sent.
    pub fn offer(&mut self, wish: Direction) -> Bytes {
        let (codecs, event) = self.own_formats();
        let audio = Audio {
            codecs: &codecs,
            event: Some(event),
            ptime: self.agreed.as_ref().map_or(DEFAULT_PTIME, |agreed| agreed.ptime),
            direction: wish,
            rtcp_mux: self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp_mux),
        };
        let lines = self.lines.clone();
        let sdp = self.write(&lines, self.audio, Some(&audio));
        self.offered = Some(Offered { wish, codecs, event, answered: false });
        sdp
    }

    /// The peer's answer to our last offer. May be called again for the same offer, as forked responses each bring an
    /// answer of their own (RFC 3261 §13.2.2.4). An error leaves the offer open and what was agreed before as it was.
    pub fn take_answer(&mut self, sdp: &[u8]) -> Result<Agreed, SdpError> {
        let offered = self.offered.as_ref().ok_or(SdpError::NoOffer)?;
        let description = read(sdp)?;
        let media = description
            .media_descriptions
            .get(self.audio)
            .filter(|media| media.media_name.media.eq_ignore_ascii_case("audio"))
            .ok_or_else(|| SdpError::Answer(format!("its m= line {} is not our audio", self.audio + 1)))?;
        // Some phones leave out the rtpmap of a number that our offer explained.
        let known = |number| {
            let ours = offered.codecs.iter().find(|(ours, _)| *ours == number).map(|(_, codec)| Format::Audio(*codec));
            ours.or((number == offered.event).then_some(Format::Event)).or(static_format(number))
        };
        let remote = RemoteAudio::read(&description, media, self.local.address, known)?;
        let agreed = if media.media_name.port.value == 0 {
            self.without_stream().ok_or(SdpError::NoAudio)?
        } else {
            // RFC 3264 §7: the first format of the answer is the one to use.
            let (send_payload_type, receive_payload_type, codec) = remote
                .formats
                .iter()
                .find_map(|(theirs, format)| {
                    let ours = offered.codecs.iter().find(|(_, codec)| *format == Format::Audio(*codec))?;
                    Some((*theirs, ours.0, ours.1))
                })
                .ok_or_else(|| self.no_common_codec())?;
            let send_event_type = remote.number_of(Format::Event);
            Agreed {
                remote: remote.address,
                remote_rtcp: remote.rtcp_address,
                // Only what was offered can be accepted (RFC 5761 §5.1.1).
                rtcp_mux: remote.rtcp_mux && self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp_mux),
                codec,
                send_payload_type,
                receive_payload_type,
                send_event_type,
                receive_event_type: send_event_type.map(|_| offered.event),
                ptime: remote.ptime,
                direction: offered.wish.and(remote.direction),
                // To an offer of ours that sends nothing no other answer is possible.
                held_by_peer: !remote.direction.send && (offered.wish.send || remote.address.is_none()),
            }
        };
        if let Some(offered) = &mut self.offered {
            offered.answered = true;
        }
        self.agreed = Some(agreed.clone());
        Ok(agreed)
    }

    /// The peer's offer: gives our answer and what it means. An error leaves what was agreed before as it was, and the
    /// offer is to be refused with its status.
    pub fn take_offer(&mut self, sdp: &[u8], wish: Direction) -> Result<(Bytes, Agreed), SdpError> {
        if self.offered.as_ref().is_some_and(|offered| !offered.answered) {
            return Err(SdpError::OfferPending);
        }
        let description = read(sdp)?;
        let lines: Vec<Line> = description.media_descriptions.iter().map(Line::of).collect();
        let (at, agreed) = match self.choose(&description)? {
            Some((at, remote, codec)) => {
                let agreed = self.answered(&remote, codec, wish)?;
                self.learn(&remote);
                (at, agreed)
            }
            None => {
                let at = lines.iter().position(|line| line.media.eq_ignore_ascii_case("audio"));
                (at.ok_or(SdpError::NoAudio)?, self.without_stream().ok_or(SdpError::NoAudio)?)
            }
        };
        let codecs = [(agreed.receive_payload_type, agreed.codec)];
        let audio = Audio {
            codecs: &codecs,
            event: agreed.receive_event_type,
            ptime: agreed.ptime,
            direction: agreed.direction,
            rtcp_mux: agreed.rtcp_mux,
        };
        let has_stream = description.media_descriptions.get(at).is_some_and(|media| media.media_name.port.value != 0);
        let answer = self.write(&lines, at, has_stream.then_some(&audio));
        self.lines = lines;
        self.audio = at;
        self.offered = None;
        self.agreed = Some(agreed.clone());
        Ok((answer, agreed))
    }

    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Our offer was refused or withdrawn: what was agreed before it stands.
    pub fn offer_refused(&mut self) {
        self.offered = None;
    }

    /// The first audio stream of an offer that we can take, and its codec: the first of our own order that it has.
    /// `None` where a session that runs is offered no stream at all any more, some phones' way to hold.
    fn choose(&self, description: &SessionDescription) -> Result<Option<(usize, RemoteAudio, Codec)>, SdpError> {
        let mut refusal = None;
        let mut open = false;
        for (at, media) in description.media_descriptions.iter().enumerate() {
            open |= media.media_name.port.value != 0;
            if !media.media_name.media.eq_ignore_ascii_case("audio") || media.media_name.port.value == 0 {
                continue;
            }
            let remote = RemoteAudio::read(description, media, self.local.address, static_format);
            let chosen = remote.and_then(|remote| {
                let codec = self.local.codecs.iter().find(|codec| remote.number_of(Format::Audio(**codec)).is_some());
                let codec = *codec.ok_or_else(|| self.no_common_codec())?;
                Ok((at, remote, codec))
            });
            match chosen {
                Ok(chosen) => return Ok(Some(chosen)),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(error) => Err(error),
            // Fax alone, say: the session goes on as it was (RFC 3261 §14.2).
            None if open => Err(SdpError::NoAudio),
            None => Ok(None),
        }
    }

    fn answered(&self, remote: &RemoteAudio, codec: Codec, wish: Direction) -> Result<Agreed, SdpError> {
        // The answer uses the offer's numbers, so both directions have the same (RFC 3264 §6.1).
        let number = remote.number_of(Format::Audio(codec)).ok_or_else(|| self.no_common_codec())?;
        let event = remote.number_of(Format::Event);
        Ok(Agreed {
            remote: remote.address,
            remote_rtcp: remote.rtcp_address,
            rtcp_mux: remote.rtcp_mux,
            codec,
            send_payload_type: number,
            receive_payload_type: number,
            send_event_type: event,
            receive_event_type: event,
            ptime: remote.ptime,
            direction: wish.and(remote.direction),
            held_by_peer: !remote.direction.send,
        })
    }

    /// What was agreed, with the stream taken away by port 0.
    fn without_stream(&self) -> Option<Agreed> {
        let agreed = self.agreed.clone()?;
        Some(Agreed { remote: None, remote_rtcp: None, direction: Direction::INACTIVE, held_by_peer: true, ..agreed })
    }

    fn no_common_codec(&self) -> SdpError {
        let ours: Vec<&str> = self.local.codecs.iter().map(|codec| encoding_name(*codec)).collect();
        SdpError::NoCommonCodec { ours: ours.join(", ") }
    }

    /// Takes the peer's payload types over, and gets out of the way of those that mean something else to it.
    fn learn(&mut self, remote: &RemoteAudio) {
        for (number, format) in remote.formats.iter().rev() {
            *self.numbers.of(*format) = *number;
        }
        if remote.number_of(Format::Event).is_none() && remote.payload_types.contains(&self.numbers.event) {
            self.numbers.event = free_number(|number| remote.payload_types.contains(&number));
        }
    }

    /// The formats of our offer, each with a number of its own, whatever the peer may have called them.
    fn own_formats(&mut self) -> (Vec<(u8, Codec)>, u8) {
        let mut codecs: Vec<(u8, Codec)> = Vec::with_capacity(self.local.codecs.len());
        for codec in self.local.codecs.clone() {
            if codecs.iter().any(|(_, listed)| *listed == codec) {
                continue;
            }
            let number = self.numbers.of(Format::Audio(codec));
            if codecs.iter().any(|(taken, _)| taken == number) {
                *number = free_number(|number| codecs.iter().any(|(taken, _)| *taken == number));
            }
            codecs.push((*number, codec));
        }
        if codecs.iter().any(|(taken, _)| *taken == self.numbers.event) {
            self.numbers.event = free_number(|number| codecs.iter().any(|(taken, _)| *taken == number));
        }
        (codecs, self.numbers.event)
    }

    /// Writes a description with these lines, all declined but the audio, and counts its version.
    fn write(&mut self, lines: &[Line], at: usize, audio: Option<&Audio<'_>>) -> Bytes {
        let media_descriptions = lines
            .iter()
            .enumerate()
            .map(|(index, line)| match audio {
                Some(audio) if index == at => audio.describe(line, self.local.address.port()),
                _ => line.declined(),
            })
            .collect();
        let family = if self.local.address.is_ipv4() { "IP4" } else { "IP6" };
        let host = self.local.address.ip().to_string();
        let mut description = SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                // Kept within the 63 bits that every reader has.
                session_id: self.local.session_id & (u64::MAX >> 1),
                session_version: self.version,
                network_type: "IN".to_owned(),
                address_type: family.to_owned(),
                unicast_address: host.clone(),
            },
            session_name: "-".to_owned(),
            connection_information: Some(ConnectionInformation {
                network_type: "IN".to_owned(),
                address_type: family.to_owned(),
                address: Some(Address { address: host, ttl: None, range: None }),
            }),
            time_descriptions: vec![TimeDescription::default()],
            media_descriptions,
            ..Default::default()
        };
        let mut text = description.to_string();
        if text.as_bytes() != self.sent {
            self.version += 1;
            description.origin.session_version = self.version;
            text = description.to_string();
            self.sent = Bytes::from(text.into_bytes().into_boxed_slice());
        }
        self.sent.clone()
    }
}

/// The first dynamic payload type (RFC 3551 §6) that is not taken; 101, the usual one of telephone-event, before all.
fn free_number(taken: impl Fn(u8) -> bool) -> u8 {
    std::iter::once(101).chain(96..=127).find(|number| !taken(*number)).unwrap_or(101)
}

impl Line {
    fn of(media: &MediaDescription) -> Line {
        Line {
            media: media.media_name.media.clone(),
            proto: media.media_name.protos.join("/"),
            format: media.media_name.formats.first().cloned().unwrap_or_default(),
        }
    }

    fn name(&self, port: u16, formats: Vec<String>) -> MediaName {
        MediaName {
            media: self.media.clone(),
            port: RangedPort { value: isize::try_from(port).unwrap_or(0), range: None },
            protos: self.proto.split('/').map(str::to_owned).collect(),
            formats,
        }
    }

    /// RFC 3264 §6: a stream is declined by port 0.
    fn declined(&self) -> MediaDescription {
        MediaDescription { media_name: self.name(0, vec![self.format.clone()]), ..Default::default() }
    }
}

/// What our audio line says.
struct Audio<'a> {
    codecs: &'a [(u8, Codec)],
    event: Option<u8>,
    ptime: Duration,
    direction: Direction,
    rtcp_mux: bool,
}

impl Audio<'_> {
    fn describe(&self, line: &Line, port: u16) -> MediaDescription {
        let numbers = self.codecs.iter().map(|(number, _)| *number).chain(self.event);
        let mut media = MediaDescription {
            media_name: line.name(port, numbers.map(|number| number.to_string()).collect()),
            ..Default::default()
        };
        let mut attribute = |key: &str, value: Option<String>| {
            media.attributes.push(Attribute::new(key.to_owned(), value));
        };
        for (number, codec) in self.codecs {
            attribute("rtpmap", Some(format!("{number} {}/8000", encoding_name(*codec))));
        }
        if let Some(number) = self.event {
            attribute("rtpmap", Some(format!("{number} telephone-event/8000")));
            attribute("fmtp", Some(format!("{number} 0-16")));
        }
        attribute("ptime", Some(self.ptime.as_millis().to_string()));
        // The longest packet that the jitter buffer takes.
        attribute("maxptime", Some("60".to_owned()));
        attribute(self.direction.attribute(), None);
        if self.rtcp_mux {
            attribute("rtcp-mux", None);
        }
        media
    }
}
