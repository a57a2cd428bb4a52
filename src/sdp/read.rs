//! Octets to a description. The parser of `rtc-sdp` holds to the order of RFC 4566 and refuses a whole description for
//! a missing `s=` or `t=`, an unknown line, a large session id or a Latin-1 octet, all of which phones send; so lines
//! are read here, leniently, into its types. Only what an answer depends on (`v=`, `c=`, `m=`) can be malformed.

use rtc_sdp::description::common::{Address, Attribute, ConnectionInformation};
use rtc_sdp::description::media::{MediaName, RangedPort};
use rtc_sdp::{MediaDescription, SessionDescription};

use super::SdpError;
use super::error::shown;

const MAX_OCTETS: usize = 16 * 1024;
const MAX_LINES: usize = 500;
/// Every one of them has to be answered.
const MAX_STREAMS: usize = 16;
const MAX_FORMATS: usize = 64;

/// Reads a description; line ends are CRLF or LF, octets that are not UTF-8 are replaced.
pub(super) fn read(sdp: &[u8]) -> Result<SessionDescription, SdpError> {
    if sdp.len() > MAX_OCTETS {
        return Err(SdpError::TooLarge { size: sdp.len(), limit: MAX_OCTETS });
    }
    let text = String::from_utf8_lossy(sdp);
    let mut description = SessionDescription::default();
    let mut recognised = false;
    for (at, line) in text.lines().enumerate() {
        if at >= MAX_LINES {
            return Err(SdpError::TooMany { what: "lines".to_owned(), limit: MAX_LINES });
        }
        let Some((kind, value)) = line.trim().split_once('=') else { continue };
        let malformed =
            |fault: &str| SdpError::Malformed { line: at + 1, fault: format!("{fault} in '{}'", shown(line)) };
        match kind {
            "v" if value.trim() == "0" => recognised = true,
            "v" => return Err(malformed("only version 0 of SDP exists (RFC 4566 §5.1)")),
            "c" => {
                let connection =
                    connection(value).ok_or_else(|| malformed("a network, a family and an address are needed"))?;
                match description.media_descriptions.last_mut() {
                    Some(media) => media.connection_information = Some(connection),
                    None => description.connection_information = Some(connection),
                }
            }
            "m" => {
                if description.media_descriptions.len() == MAX_STREAMS {
                    return Err(SdpError::TooMany { what: "media streams".to_owned(), limit: MAX_STREAMS });
                }
                let media_name = media_name(value)
                    .ok_or_else(|| malformed("a medium, a port, a transport and a format are needed"))?;
                description.media_descriptions.push(MediaDescription { media_name, ..Default::default() });
            }
            "a" => {
                let attribute = attribute(value);
                match description.media_descriptions.last_mut() {
                    Some(media) => media.attributes.push(attribute),
                    None => description.attributes.push(attribute),
                }
            }
            _ => {}
        }
    }
    if !recognised && description.media_descriptions.is_empty() {
        return Err(SdpError::Malformed { line: 1, fault: "neither v=0 nor an m= line: this is no SDP".to_owned() });
    }
    Ok(description)
}

/// RFC 4566 §5.7.
fn connection(value: &str) -> Option<ConnectionInformation> {
    let mut fields = value.split_whitespace();
    let network_type = fields.next()?.to_owned();
    let address_type = fields.next()?.to_owned();
    let address = Address { address: fields.next()?.to_owned(), ttl: None, range: None };
    Some(ConnectionInformation { network_type, address_type, address: Some(address) })
}

/// RFC 4566 §5.14. The fields are echoed in our answer, so they must be visible ASCII.
fn media_name(value: &str) -> Option<MediaName> {
    if !value.trim().chars().all(|c| c.is_ascii_graphic() || c == ' ' || c == '\t') {
        return None;
    }
    let mut fields = value.split_whitespace();
    let media = fields.next()?.to_owned();
    let port: u16 = fields.next()?.split('/').next()?.parse().ok()?;
    let protos: Vec<String> = fields.next()?.split('/').map(str::to_owned).collect();
    let formats: Vec<String> = fields.take(MAX_FORMATS).map(str::to_owned).collect();
    if formats.is_empty() {
        return None;
    }
    Some(MediaName { media, port: RangedPort { value: isize::try_from(port).ok()?, range: None }, protos, formats })
}

fn attribute(value: &str) -> Attribute {
    match value.split_once(':') {
        Some((key, value)) => Attribute::new(key.trim().to_owned(), Some(value.trim().to_owned())),
        None => Attribute::new(value.trim().to_owned(), None),
    }
}
