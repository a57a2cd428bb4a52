//! The offer/answer state of one leg.

use std::time::Duration;

use bytes::Bytes;
use rtc_sdp::SessionDescription;
use serde::{Deserialize, Serialize};

use super::protection::{Answered, Offered as Protected, Settled, tag_of};
use super::read::read;
use super::stream::{DEFAULT_PTIME, Format, RemoteAudio, encoding_name, static_format};
use super::write::{Audio, Keys, Line, Session};
use super::{Agreed, Direction, LocalAudio, Offers, SdpError};
use crate::security::{Profile, Security};
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
    settled: Settled,
    session: Session,
    offered: Option<Offered>,
    agreed: Option<Agreed>,
}

/// The payload types of our next offer. They never change meaning within a session (RFC 3264 §8.3.2), so those of the
/// peer's offers are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct PayloadTypes {
    pcmu: u8,
    pcma: u8,
    g722: u8,
    opus: u8,
    event: u8,
}

impl PayloadTypes {
    fn of(&mut self, format: Format) -> &mut u8 {
        match format {
            Format::Audio(Codec::Pcmu) => &mut self.pcmu,
            Format::Audio(Codec::Pcma) => &mut self.pcma,
            Format::Audio(Codec::G722) => &mut self.g722,
            Format::Audio(Codec::Opus) => &mut self.opus,
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
    rtcp_mux: bool,
    protected: Protected,
    answered: bool,
}

/// The stream of an offer that is taken.
struct Choice {
    at: usize,
    remote: RemoteAudio,
    codec: Codec,
    settled: Settled,
    answered: Answered,
}

impl Negotiator {
    pub fn new(local: LocalAudio) -> Self {
        let proto = match local.protection.offers {
            Offers::Plain | Offers::Opportunistic => "RTP/AVP",
            Offers::Sdes => "RTP/SAVP",
            Offers::Dtls => "UDP/TLS/RTP/SAVPF",
        };
        let mid = (local.protection.offers == Offers::Dtls).then(|| "0".to_owned());
        Negotiator {
            lines: vec![Line { media: "audio".to_owned(), proto: proto.to_owned(), format: "0".to_owned(), mid }],
            local,
            audio: 0,
            numbers: PayloadTypes { pcmu: 0, pcma: 8, g722: 9, opus: 111, event: 101 },
            settled: Settled::default(),
            session: Session::default(),
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
        let protected = self.protects();
        let rtcp_mux =
            protected == Protected::Dtls { ice: true } || self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp_mux);
        let audio = Audio {
            codecs: &codecs,
            event: Some(event),
            ptime: self.agreed.as_ref().map_or(DEFAULT_PTIME, |agreed| agreed.ptime),
            direction: wish,
            rtcp_mux,
            keys: match protected {
                Protected::Plain => Keys::None,
                Protected::Keys { .. } => Keys::Sdes(Profile::ALL.map(|ours| (tag_of(ours), ours)).to_vec()),
                Protected::Dtls { ice } => Keys::Dtls { offers: true, ice },
            },
        };
        let sdp = self.session.write(&self.local, &self.settled, &self.lines, self.audio, Some(&audio));
        self.offered = Some(Offered { wish, codecs, event, rtcp_mux, protected, answered: false });
        sdp
    }

    /// What an offer of ours asks for: what is spoken already, else what the leg is to offer first.
    fn protects(&self) -> Protected {
        let keys = || Protected::Keys { required: self.line().is_some_and(|line| line.demands_keys()) };
        match self.agreed.as_ref().map(|agreed| &agreed.security) {
            Some(Security::Dtls(dtls)) => Protected::Dtls { ice: dtls.ice.is_some() },
            Some(Security::Sdes(_)) => keys(),
            Some(Security::Plain) => Protected::Plain,
            None => match self.local.protection.offers {
                Offers::Plain => Protected::Plain,
                Offers::Opportunistic | Offers::Sdes => keys(),
                Offers::Dtls => Protected::Dtls { ice: true },
            },
        }
    }

    fn line(&self) -> Option<&Line> {
        self.lines.get(self.audio)
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
        let remote = RemoteAudio::read(&description, media, &self.local, known)?;
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
            let mut settled = self.settled.clone();
            let security = settled.take_answer(&self.local.protection, offered.protected, &remote.protection)?;
            if offered.protected == (Protected::Dtls { ice: true }) && !remote.rtcp_mux {
                return Err(SdpError::Answer("it has no a=rtcp-mux".to_owned()));
            }
            self.settled = settled;
            let send_event_type = remote.number_of(Format::Event);
            Agreed {
                remote: remote.address,
                remote_rtcp: remote.rtcp_address,
                // Only what was offered can be accepted (RFC 5761 §5.1.1).
                rtcp_mux: remote.rtcp_mux && offered.rtcp_mux,
                codec,
                send_payload_type,
                receive_payload_type,
                send_event_type,
                receive_event_type: send_event_type.map(|_| offered.event),
                ptime: packet_time(codec, remote.ptime),
                direction: offered.wish.and(remote.direction),
                // To an offer of ours that sends nothing no other answer is possible.
                held_by_peer: !remote.direction.send && (offered.wish.send || remote.address.is_none()),
                security,
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
        let (at, agreed, tag) = match self.choose(&description)? {
            Some(Choice { at, remote, codec, settled, answered }) => {
                let tag = answered.tag;
                let agreed = self.answered(&remote, codec, wish, answered.security)?;
                self.learn(&remote);
                self.settled = settled;
                (at, agreed, tag)
            }
            None => {
                let at = lines.iter().position(|line| line.media.eq_ignore_ascii_case("audio"));
                (at.ok_or(SdpError::NoAudio)?, self.without_stream().ok_or(SdpError::NoAudio)?, 0)
            }
        };
        let codecs = [(agreed.receive_payload_type, agreed.codec)];
        let audio = Audio {
            codecs: &codecs,
            event: agreed.receive_event_type,
            ptime: agreed.ptime,
            direction: agreed.direction,
            rtcp_mux: agreed.rtcp_mux,
            keys: match &agreed.security {
                Security::Plain => Keys::None,
                Security::Sdes(sdes) => Keys::Sdes(vec![(tag, sdes.profile)]),
                Security::Dtls(dtls) => Keys::Dtls { offers: false, ice: dtls.ice.is_some() },
            },
        };
        let has_stream = description.media_descriptions.get(at).is_some_and(|media| media.media_name.port.value != 0);
        self.session.read_groups(&description);
        let answer = self.session.write(&self.local, &self.settled, &lines, at, has_stream.then_some(&audio));
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
    fn choose(&self, description: &SessionDescription) -> Result<Option<Choice>, SdpError> {
        let mut refusal = None;
        let mut open = false;
        for (at, media) in description.media_descriptions.iter().enumerate() {
            open |= media.media_name.port.value != 0;
            if !media.media_name.media.eq_ignore_ascii_case("audio") || media.media_name.port.value == 0 {
                continue;
            }
            let remote = RemoteAudio::read(description, media, &self.local, static_format);
            let chosen = remote.and_then(|remote| {
                let codec = self.local.codecs.iter().find(|codec| remote.number_of(Format::Audio(**codec)).is_some());
                let codec = *codec.ok_or_else(|| self.no_common_codec())?;
                let mut settled = self.settled.clone();
                let answered = settled.answer(&self.local.protection, &remote.protection)?;
                if remote.protection.uses_ice() && !remote.rtcp_mux {
                    // Of our two ports one alone is named among the candidates.
                    return Err(SdpError::Protection(
                        "with ICE, RTCP must go over the same port; offer a=rtcp-mux".into(),
                    ));
                }
                Ok(Choice { at, remote, codec, settled, answered })
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

    fn answered(
        &self,
        remote: &RemoteAudio,
        codec: Codec,
        wish: Direction,
        security: Security,
    ) -> Result<Agreed, SdpError> {
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
            ptime: packet_time(codec, remote.ptime),
            direction: wish.and(remote.direction),
            held_by_peer: !remote.direction.send,
            security,
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
}

/// The first dynamic payload type (RFC 3551 §6) that is not taken; 101, the usual one of telephone-event, before all.
fn free_number(taken: impl Fn(u8) -> bool) -> u8 {
    std::iter::once(101).chain(96..=127).find(|number| !taken(*number)).unwrap_or(101)
}

/// A frame of Opus has 20, 40 or 60 ms, but not 30 (RFC 6716 §2.1.4).
fn packet_time(codec: Codec, wanted: Duration) -> Duration {
    if codec == Codec::Opus && wanted == Duration::from_millis(30) { DEFAULT_PTIME } else { wanted }
}
