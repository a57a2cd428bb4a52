//! What one `m=audio` of the peer's says, checked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtc_sdp::description::common::{Attribute, ConnectionInformation};
use rtc_sdp::{MediaDescription, SessionDescription};

use super::error::shown;
use super::protection::{RemoteProtection, Transport};
use super::{Direction, LocalAudio, SdpError};
use crate::settings::Codec;

/// Packet times we speak, in ms.
const PTIMES: [u64; 5] = [10, 20, 30, 40, 60];
pub(super) const DEFAULT_PTIME: Duration = Duration::from_millis(20);

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Audio(Codec),
    /// telephone-event at 8000 Hz.
    Event,
}

/// One audio stream of the peer's.
#[derive(Clone, Debug)]
pub(super) struct RemoteAudio {
    /// `None`: 0.0.0.0, `::` or port 0.
    pub address: Option<SocketAddr>,
    pub rtcp_address: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// Payload types we know, in the peer's order.
    pub formats: Vec<(u8, Format)>,
    /// Every payload type it names, known or not.
    pub payload_types: Vec<u8>,
    pub ptime: Duration,
    /// From our side: whether it would hear us, and whether it would send.
    pub direction: Direction,
    pub protection: RemoteProtection,
}

/// RFC 8839 §4.2.1.1: where a peer that is found by ICE says to be while it does not know (the discard port).
const NOWHERE_PORT: u16 = 9;

impl RemoteAudio {
    /// Reads stream `media`. `known` gives the meaning of payload types without an rtpmap of their own.
    pub fn read(
        description: &SessionDescription,
        media: &MediaDescription,
        ours: &LocalAudio,
        known: impl Fn(u8) -> Option<Format>,
    ) -> Result<RemoteAudio, SdpError> {
        let local = ours.address;
        let proto = media.media_name.protos.join("/");
        let transport = Transport::of(&proto).ok_or_else(|| SdpError::Transport(shown(&proto)))?;
        let protection = RemoteProtection::read(description, media, transport, ours);
        let port = u16::try_from(media.media_name.port.value).unwrap_or(0);
        let address = match port {
            0 => None,
            port => {
                let connection = media.connection_information.as_ref().or(description.connection_information.as_ref());
                let connection = connection.ok_or(SdpError::Malformed { line: 1, fault: "no c= line".to_owned() })?;
                let host = host(connection, local);
                if protection.uses_ice() {
                    // Its checks will tell; what is written here may be anything.
                    Some(host.ok().flatten().map_or(nowhere(local), |ip| SocketAddr::new(ip, port)))
                } else {
                    host?.map(|ip| SocketAddr::new(ip, port))
                }
            }
        };
        let rtcp_mux = value(media, "rtcp-mux").is_some();
        let direction = direction(&media.attributes).or_else(|| direction(&description.attributes));
        let mut direction = direction.unwrap_or(Direction::BOTH).reversed();
        // RFC 2543's hold (RFC 3264 §8.4): nothing may be sent to 0.0.0.0.
        direction.send &= address.is_some();
        direction.receive &= port != 0;
        let payload_types: Vec<u8> =
            media.media_name.formats.iter().filter_map(|format| payload_type(format)).collect();
        Ok(RemoteAudio {
            address,
            rtcp_address: if rtcp_mux { address } else { rtcp_address(media, address, local) },
            rtcp_mux,
            formats: payload_types
                .iter()
                .filter_map(|&number| Some((number, meaning(media, number, &known)?)))
                .collect(),
            payload_types,
            ptime: packet_time(value(media, "ptime").flatten(), value(media, "maxptime").flatten()),
            direction,
            protection,
        })
    }

    /// The first payload type that stands for `format`.
    pub fn number_of(&self, format: Format) -> Option<u8> {
        self.formats.iter().find(|(_, known)| *known == format).map(|(number, _)| *number)
    }
}

/// In our own family.
fn nowhere(local: SocketAddr) -> SocketAddr {
    let host = if local.is_ipv4() { IpAddr::from([0, 0, 0, 0]) } else { IpAddr::from([0; 16]) };
    SocketAddr::new(host, NOWHERE_PORT)
}

/// RFC 3551 §6: payload types that need no rtpmap.
pub(super) fn static_format(number: u8) -> Option<Format> {
    match number {
        0 => Some(Format::Audio(Codec::Pcmu)),
        8 => Some(Format::Audio(Codec::Pcma)),
        9 => Some(Format::Audio(Codec::G722)),
        _ => None,
    }
}

/// Encoding name, clock and channels (RFC 3551; for Opus RFC 7587 §7, where they say nothing of what is sent).
fn encoding(codec: Codec) -> (&'static str, &'static str, &'static str) {
    match codec {
        Codec::Pcmu => ("PCMU", "8000", "1"),
        Codec::Pcma => ("PCMA", "8000", "1"),
        Codec::G722 => ("G722", "8000", "1"),
        Codec::Opus => ("opus", "48000", "2"),
    }
}

pub(super) fn encoding_name(codec: Codec) -> &'static str {
    encoding(codec).0
}

/// What stands behind the number in `a=rtpmap`.
pub(super) fn rtpmap(codec: Codec) -> String {
    match encoding(codec) {
        (name, clock, "1") => format!("{name}/{clock}"),
        (name, clock, channels) => format!("{name}/{clock}/{channels}"),
    }
}

/// The value of the first attribute of this name: `Some(None)` for a flag.
fn value<'a>(media: &'a MediaDescription, key: &str) -> Option<Option<&'a str>> {
    media.attributes.iter().find(|attribute| attribute.key.eq_ignore_ascii_case(key)).map(|a| a.value.as_deref())
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| {
        [Direction::BOTH, Direction::SEND_ONLY, Direction::RECEIVE_ONLY, Direction::INACTIVE]
            .into_iter()
            .find(|direction| attribute.key.eq_ignore_ascii_case(direction.attribute()))
    })
}

/// 72 to 76 cannot be told from RTCP (RFC 3551 §6).
fn payload_type(format: &str) -> Option<u8> {
    format.parse().ok().filter(|number| *number <= 127 && !(72..=76).contains(number))
}

/// The rtpmap of a payload type outranks its static meaning. Encoding names are case-insensitive (RFC 4855 §3).
fn meaning(media: &MediaDescription, number: u8, known: impl Fn(u8) -> Option<Format>) -> Option<Format> {
    let mapped =
        media.attributes.iter().filter(|attribute| attribute.key.eq_ignore_ascii_case("rtpmap")).find_map(|map| {
            let (mapped, encoding) = map.value.as_deref()?.split_once(char::is_whitespace)?;
            (mapped.parse() == Ok(number)).then(|| encoding.trim())
        });
    let Some(mapped) = mapped else { return known(number) };
    let mut parts = mapped.split('/').map(str::trim);
    let (name, clock, channels) = (parts.next()?, parts.next()?, parts.next().unwrap_or("1"));
    if name.eq_ignore_ascii_case("telephone-event") {
        return (clock == "8000" && channels == "1").then_some(Format::Event);
    }
    let is = |codec: &Codec| {
        let (known, rate, count) = encoding(*codec);
        name.eq_ignore_ascii_case(known) && clock == rate && channels == count
    };
    [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].into_iter().find(is).map(Format::Audio)
}

/// The host of a `c=` line (or of `a=rtcp`); `None` where it is the unspecified address.
fn host(connection: &ConnectionInformation, local: SocketAddr) -> Result<Option<IpAddr>, SdpError> {
    let text = connection.address.as_ref().map_or("", |address| address.address.as_str());
    let refused = || SdpError::Address(shown(text));
    if !connection.network_type.eq_ignore_ascii_case("IN") {
        return Err(refused());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().map_err(|_| refused())?.to_canonical();
    if ip.is_unspecified() {
        return Ok(None);
    }
    if !is_unicast(ip) || ip.is_ipv4() != local.is_ipv4() {
        return Err(refused());
    }
    Ok(Some(ip))
}

/// Neither multicast nor broadcast, nor of the ranges no host can have (0.0.0.0/8, 240.0.0.0/4).
pub(super) fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_multicast() && ip.octets()[0] != 0 && ip.octets()[0] < 240,
        IpAddr::V6(ip) => !ip.is_multicast(),
    }
}

/// RFC 3605: `a=rtcp:PORT [IN IP4 ADDRESS]`; the next port where it is absent or of no use.
fn rtcp_address(media: &MediaDescription, rtp: Option<SocketAddr>, local: SocketAddr) -> Option<SocketAddr> {
    let rtp = rtp?;
    let announced = value(media, "rtcp").flatten().and_then(|text| {
        let mut fields = text.split_whitespace();
        let port: u16 = fields.next()?.parse().ok().filter(|port| *port != 0)?;
        let host = match (fields.next(), fields.next(), fields.next()) {
            (Some(network), Some(family), Some(address)) => {
                let connection = ConnectionInformation {
                    network_type: network.to_owned(),
                    address_type: family.to_owned(),
                    address: Some(rtc_sdp::description::common::Address {
                        address: address.to_owned(),
                        ttl: None,
                        range: None,
                    }),
                };
                host(&connection, local).ok()??
            }
            _ => rtp.ip(),
        };
        Some(SocketAddr::new(host, port))
    });
    announced.or_else(|| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)))
}

/// The packet time asked for where we speak it, else 20 ms; never above `maxptime` where that leaves any.
fn packet_time(ptime: Option<&str>, maxptime: Option<&str>) -> Duration {
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
    let wanted = number(ptime).filter(|wanted| PTIMES.contains(wanted)).unwrap_or(DEFAULT_PTIME.as_millis() as u64);
    let most = number(maxptime).filter(|most| *most >= PTIMES[0]).unwrap_or(u64::MAX);
    let granted = PTIMES.into_iter().rfind(|ptime| *ptime <= wanted.min(most)).unwrap_or(wanted);
    Duration::from_millis(granted)
}
