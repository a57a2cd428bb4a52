//! A description of ours: its lines, and what the one of our audio says.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rtc_sdp::description::common::{Address, Attribute, ConnectionInformation};
use rtc_sdp::description::media::{MediaName, RangedPort};
use rtc_sdp::description::session::{Origin, TimeDescription};
use rtc_sdp::{MediaDescription, SessionDescription};
use serde::{Deserialize, Serialize};

use super::protection::{Settled, Transport, crypto_line};
use super::stream::rtpmap;
use super::{Direction, LocalAudio, Offers};
use crate::security::{ICE_HOST, Profile, ice_priority};
use crate::settings::{Codec, IceSide};

/// A name of a stream is repeated up to this length.
const LONGEST_MID: usize = 32;

/// A host candidate, and one that is tried after it.
const PRIORITY: u32 = ice_priority(ICE_HOST, 65_535);
const SECOND_PRIORITY: u32 = ice_priority(ICE_HOST, 65_534);

/// What all our descriptions of one session have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The description we sent last, and its version.
    sent: Bytes,
    version: u64,
    /// The streams that the peer has offered to send over one port (RFC 9143).
    bundled: Vec<String>,
}

/// One `m=` line, as far as it is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub media: String,
    pub proto: String,
    pub format: String,
    /// The name of the stream (RFC 5888).
    pub mid: Option<String>,
}

/// What our audio line says.
pub(super) struct Audio<'a> {
    pub codecs: &'a [(u8, Codec)],
    pub event: Option<u8>,
    pub ptime: Duration,
    pub direction: Direction,
    pub rtcp_mux: bool,
    pub keys: Keys,
}

pub(super) enum Keys {
    None,
    /// One `a=crypto` for each, with its tag.
    Sdes(Vec<(u32, Profile)>),
    Dtls {
        offers: bool,
        ice: bool,
    },
}

impl Session {
    /// Keeps what the peer's description says of streams that belong together.
    pub fn read_groups(&mut self, description: &SessionDescription) {
        let groups = description.attributes.iter().filter(|attribute| attribute.key.eq_ignore_ascii_case("group"));
        let bundle = groups.filter_map(|group| group.value.as_deref()?.strip_prefix("BUNDLE")).next();
        self.bundled = bundle.unwrap_or_default().split_whitespace().filter_map(mid).collect();
    }

    /// Writes a description with these lines, all declined but the audio. The version in `o=` grows only when the
    /// description differs from the last one.
    pub fn write(
        &mut self,
        local: &LocalAudio,
        settled: &Settled,
        lines: &[Line],
        at: usize,
        audio: Option<&Audio<'_>>,
    ) -> Bytes {
        let media_descriptions = lines
            .iter()
            .enumerate()
            .map(|(index, line)| match audio {
                Some(audio) if index == at => audio.describe(line, local, settled),
                _ => line.declined(),
            })
            .collect();
        let mut description = self.frame(local);
        description.media_descriptions = media_descriptions;
        description.attributes = self.attributes(local, lines.get(at), audio);
        let mut text = description.to_string();
        if text.as_bytes() != self.sent {
            self.version += 1;
            description.origin.session_version = self.version;
            text = description.to_string();
            self.sent = Bytes::from(text.into_bytes().into_boxed_slice());
        }
        self.sent.clone()
    }

    fn frame(&self, local: &LocalAudio) -> SessionDescription {
        let family = if local.address.is_ipv4() { "IP4" } else { "IP6" };
        let host = local.address.ip().to_string();
        SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                // Kept within the 63 bits that every reader has.
                session_id: local.session_id & (u64::MAX >> 1),
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
            ..Default::default()
        }
    }

    /// Of the session: that we are lite (RFC 8839 §5.3) or speak ICE as RFC 8445 has it (§5.6), and the one stream that is
    /// left of a bundle.
    fn attributes(&self, local: &LocalAudio, line: Option<&Line>, audio: Option<&Audio<'_>>) -> Vec<Attribute> {
        let ice = audio.is_some_and(|audio| matches!(audio.keys, Keys::Dtls { ice: true, .. }));
        let ours = self.bundled.is_empty() && local.protection.offers == Offers::Dtls;
        let mid = line.and_then(|line| line.mid.as_ref()).filter(|mid| ours || self.bundled.contains(mid));
        let mid = mid.filter(|_| audio.is_some());
        let side = ice.then(|| match local.protection.ice {
            IceSide::Lite => Attribute::new("ice-lite".to_owned(), None),
            IceSide::Full => Attribute::new("ice-options".to_owned(), Some("ice2".to_owned())),
        });
        let group = mid.map(|mid| Attribute::new("group".to_owned(), Some(format!("BUNDLE {mid}"))));
        side.into_iter().chain(group).collect()
    }
}

/// A name that can be repeated: a token (RFC 5888 §4).
fn mid(text: &str) -> Option<String> {
    let token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&c);
    (text.len() <= LONGEST_MID && !text.is_empty() && text.bytes().all(token)).then(|| text.to_owned())
}

impl Line {
    pub fn of(media: &MediaDescription) -> Line {
        let name = media.attributes.iter().find(|attribute| attribute.key.eq_ignore_ascii_case("mid"));
        Line {
            media: media.media_name.media.clone(),
            proto: media.media_name.protos.join("/"),
            format: media.media_name.formats.first().cloned().unwrap_or_default(),
            mid: name.and_then(|name| mid(name.value.as_deref()?)),
        }
    }

    /// Its transport is SRTP whatever the answer says.
    pub fn demands_keys(&self) -> bool {
        Transport::of(&self.proto).is_some_and(|transport| transport != Transport::Plain)
    }

    fn name(&self, port: u16, formats: Vec<String>) -> MediaName {
        MediaName {
            media: self.media.clone(),
            port: RangedPort { value: isize::try_from(port).unwrap_or(0), range: None },
            protos: self.proto.split('/').map(str::to_owned).collect(),
            formats,
        }
    }

    fn mid_attribute(&self) -> Option<Attribute> {
        self.mid.clone().map(|mid| Attribute::new("mid".to_owned(), Some(mid)))
    }

    /// RFC 3264 §6: a stream is declined by port 0.
    fn declined(&self) -> MediaDescription {
        MediaDescription {
            media_name: self.name(0, vec![self.format.clone()]),
            attributes: self.mid_attribute().into_iter().collect(),
            ..Default::default()
        }
    }
}

impl Audio<'_> {
    fn describe(&self, line: &Line, local: &LocalAudio, settled: &Settled) -> MediaDescription {
        let numbers = self.codecs.iter().map(|(number, _)| *number).chain(self.event);
        let mut media = MediaDescription {
            media_name: line.name(local.address.port(), numbers.map(|number| number.to_string()).collect()),
            attributes: line.mid_attribute().into_iter().collect(),
            ..Default::default()
        };
        let mut attribute = |key: &str, value: Option<String>| {
            media.attributes.push(Attribute::new(key.to_owned(), value));
        };
        for (number, codec) in self.codecs {
            attribute("rtpmap", Some(format!("{number} {}", rtpmap(*codec))));
            if *codec == Codec::Opus {
                // RFC 7587 §6.1: packets may hold what was in the one before; silence is sent like speech; we hear one channel.
                attribute("fmtp", Some(format!("{number} useinbandfec=1;usedtx=0;stereo=0;maxplaybackrate=16000")));
            }
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
        media.attributes.extend(self.keys.attributes(local, settled));
        media
    }
}

impl Keys {
    fn attributes(&self, local: &LocalAudio, settled: &Settled) -> Vec<Attribute> {
        let protection = &local.protection;
        let with = |key: &str, value: String| Attribute::new(key.to_owned(), Some(value));
        match self {
            Keys::None => Vec::new(),
            Keys::Sdes(lines) => {
                let line = |(tag, profile): &(u32, Profile)| {
                    with("crypto", crypto_line(*tag, *profile, &settled.key(protection.secret, *profile)))
                };
                lines.iter().map(line).collect()
            }
            Keys::Dtls { offers, ice } => {
                let fingerprint =
                    protection.fingerprint.map(|fingerprint| with("fingerprint", fingerprint.to_string()));
                let setup = with("setup", settled.setup(*offers).to_owned());
                let mut attributes: Vec<Attribute> = fingerprint.into_iter().chain([setup]).collect();
                if *ice {
                    let ours = settled.credentials(protection.secret);
                    attributes.push(with("ice-ufrag", ours.ufrag));
                    attributes.push(with("ice-pwd", ours.password));
                    let inside = local.inside.map(|address| (2, SECOND_PRIORITY, address));
                    for (foundation, priority, address) in [(1, PRIORITY, local.address)].into_iter().chain(inside) {
                        attributes.push(with("candidate", candidate(foundation, priority, address)));
                    }
                    attributes.push(Attribute::new("end-of-candidates".to_owned(), None));
                    // A page hears a stream by its name (RFC 8830).
                    attributes.push(with("msid", "relais audio".to_owned()));
                }
                attributes
            }
        }
    }
}

/// RFC 8839 §5.1: a host candidate of the one component there is.
fn candidate(foundation: u32, priority: u32, address: SocketAddr) -> String {
    format!("{foundation} 1 udp {priority} {} {} typ host", address.ip(), address.port())
}
