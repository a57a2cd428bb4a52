//! The RTP header (RFC 3550 §5.1), read in place, written in place.

use serde::{Deserialize, Serialize};

/// The fixed part of the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    /// Octets of a header without contributing sources and extension: what `write` writes.
    pub const LEN: usize = 12;

    /// Reads a datagram; `None` unless it is RTP version 2 whose sources, extension and padding all fit into it.
    pub fn parse(datagram: &[u8]) -> Option<View<'_>> {
        let fixed: &[u8; Header::LEN] = datagram.first_chunk()?;
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if first >> 6 != VERSION {
            return None;
        }
        let mut start = Header::LEN + 4 * usize::from(first & 0x0f);
        if first & EXTENSION != 0 {
            let head: &[u8; 4] = datagram.get(start..)?.first_chunk()?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            start += 4 + 4 * words;
        }
        let mut end = datagram.len();
        if first & PADDING != 0 {
            // The last octet counts the padding, itself included (RFC 3550 §5.1).
            let padding = usize::from(*datagram.last()?);
            if padding == 0 {
                return None;
            }
            end = end.checked_sub(padding)?;
        }
        let payload = datagram.get(start..end)?;
        let header = Header {
            marker: second & MARKER != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        };
        Some(View { header, payload })
    }

    /// Writes a header without contributing sources, extension or padding to the front of `out` and returns its
    /// length; `None` where `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let fixed: &mut [u8; Header::LEN] = out.first_chunk_mut()?;
        fixed[0] = VERSION << 6;
        self.write_fields(fixed);
        Some(Header::LEN)
    }

    fn write_fields(&self, fixed: &mut [u8; Header::LEN]) {
        fixed[1] = self.payload_type & 0x7f | if self.marker { MARKER } else { 0 };
        fixed[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// A packet in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    pub header: Header,
    /// Without padding; may be empty.
    pub payload: &'a [u8],
}

/// Gives a packet another header and leaves its payload (and contributing sources, extension, padding) as it is:
/// the relay's way. The packet must have been parsed before; `false` where it is too short to be one.
pub fn rewrite(packet: &mut [u8], header: &Header) -> bool {
    match packet.first_chunk_mut() {
        Some(fixed) => {
            header.write_fields(fixed);
            true
        }
        None => false,
    }
}

/// Whether a datagram on a port shared by rtcp-mux is RTCP (RFC 5761 §4: packet types 192 to 223).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == VERSION)
}

const VERSION: u8 = 2;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const MARKER: u8 = 0x80;

#[cfg(test)]
mod tests {
    use rtc_shared::marshal::Marshal;

    use super::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 101, sequence: 0xfffe, timestamp: 0xdead_beef, ssrc: 0x0102_0304 };

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; Header::LEN];
        HEADER.write(&mut packet).unwrap();
        packet[0] = first;
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn a_written_header_reads_back() {
        let packet = packet(0x80, b"payload");
        assert_eq!(Header::parse(&packet), Some(View { header: HEADER, payload: b"payload" }));
    }

    #[test]
    fn sources_extension_and_padding_are_taken_off_the_payload() {
        // Two contributing sources, an extension of one word, three octets of padding.
        let rest = [1, 1, 1, 1, 2, 2, 2, 2, 0xbe, 0xde, 0, 1, 9, 9, 9, 9, b'a', b'b', 0, 0, 3];
        assert_eq!(Header::parse(&packet(0xb2, &rest)).unwrap().payload, b"ab");
    }

    #[test]
    fn another_writers_packets_read_the_same() {
        for csrc in 0..=15u32 {
            let mut theirs = rtc_rtp::header::Header {
                version: 2,
                marker: true,
                payload_type: 96,
                sequence_number: 513,
                timestamp: 0x8000_0001,
                ssrc: 9,
                csrc: (0..csrc).collect(),
                ..Default::default()
            };
            theirs.set_extension(1, bytes::Bytes::from_static(b"level")).unwrap();
            let mut packet = theirs.marshal().unwrap().to_vec();
            packet.extend_from_slice(b"audio");
            let header = Header { marker: true, payload_type: 96, sequence: 513, timestamp: 0x8000_0001, ssrc: 9 };
            assert_eq!(Header::parse(&packet), Some(View { header, payload: b"audio" }));
        }
    }

    #[test]
    fn what_does_not_fit_its_datagram_is_no_packet() {
        assert_eq!(Header::parse(&[]), None);
        assert_eq!(Header::parse(&packet(0x80, b"")[..11]), None);
        assert_eq!(Header::parse(&packet(0x40, b"x")), None, "version 1");
        assert_eq!(Header::parse(&packet(0x83, &[0; 11])), None, "three sources, eleven octets");
        assert_eq!(Header::parse(&packet(0x90, &[0, 0, 0])), None, "half an extension header");
        assert_eq!(Header::parse(&packet(0x90, &[0, 0, 0, 2, 1, 1, 1, 1])), None, "extension longer than the datagram");
        assert_eq!(Header::parse(&packet(0x90, &[0, 0, 0xff, 0xff])), None);
        assert_eq!(Header::parse(&packet(0xa0, &[1, 2, 0])), None, "padding of zero");
        assert_eq!(Header::parse(&packet(0xa0, &[1, 2, 4])), None, "padding longer than the payload");
        assert_eq!(Header::parse(&packet(0xa0, &[1, 2, 3])).unwrap().payload, b"");
    }

    #[test]
    fn rewriting_keeps_everything_behind_the_fixed_header() {
        let mut relayed = packet(0xb1, &[7, 7, 7, 7, 0, 0, 0, 0, 5, 6, 1]);
        let other = Header { marker: false, payload_type: 8, sequence: 1, timestamp: 2, ssrc: 3 };
        let before = relayed.clone();
        assert!(rewrite(&mut relayed, &other));
        assert_eq!(relayed[0], before[0]);
        assert_eq!(relayed[12..], before[12..]);
        assert_eq!(Header::parse(&relayed).unwrap().header, other);
        assert!(!rewrite(&mut [0; 11], &other));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_type() {
        assert!(is_rtcp(&[0x80, 200]));
        assert!(is_rtcp(&[0x81, 201, 0]));
        assert!(!is_rtcp(&[0x80, 0]));
        assert!(!is_rtcp(&[0x80, 0x80 | 8]));
        assert!(!is_rtcp(&[0x00, 200]), "not version 2");
        assert!(!is_rtcp(&[0x80]));
    }
}
