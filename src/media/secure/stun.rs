//! STUN (RFC 8489) as far as a lite side of ICE needs it: Binding requests are read, and answered.

use std::net::{IpAddr, SocketAddr};

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use hmac::{Hmac, Mac};
use sha1::Sha1;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;

/// Attributes below this must be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const ATTRIBUTE: usize = 4;
const INTEGRITY: usize = 20;

/// What the CRC is combined with (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554e;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// The longest answer of ours: an address of IPv6 or an error, integrity and fingerprint.
pub(super) const LONGEST: usize = 128;

/// Errors that a check may meet.
pub(super) const UNKNOWN_ATTRIBUTE: u16 = 420;
/// RFC 8445 §7.3.1.1.
pub(super) const ROLE_CONFLICT: u16 = 487;

/// A Binding request whose fingerprint is right; whether it is authentic is still to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub transaction: [u8; 12],
    pub username: &'a [u8],
    /// This pair is to be used.
    pub nominates: bool,
    /// The peer takes itself for the controlled side.
    pub controlled: bool,
    /// An attribute that we do not know and should.
    pub unknown: Option<u16>,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: usize,
}

impl<'a> Request<'a> {
    /// `None` for what is no Binding request with name, integrity and fingerprint.
    pub fn read(datagram: &'a [u8]) -> Option<Request<'a>> {
        let [t0, t1, l0, l1, cookie @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *datagram.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if u16::from_be_bytes([t0, t1]) != BINDING_REQUEST || cookie != COOKIE || datagram.len() != HEADER + length {
            return None;
        }
        let mut request = Request {
            transaction: *datagram.get(8..)?.first_chunk()?,
            username: &[],
            nominates: false,
            controlled: false,
            unknown: None,
            integrity: 0,
        };
        let mut at = HEADER;
        while at < datagram.len() {
            let [k0, k1, l0, l1] = *datagram.get(at..)?.first_chunk()?;
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let value = datagram.get(at + ATTRIBUTE..)?.get(..length)?;
            let kind = u16::from_be_bytes([k0, k1]);
            if kind == FINGERPRINT {
                let last = at + ATTRIBUTE + 4 == datagram.len();
                let right = value == fingerprint(datagram.get(..at)?).to_be_bytes();
                return (last && right && request.integrity > 0).then_some(request);
            }
            // What stands behind the integrity is not covered by it (RFC 8489 §14.5).
            if request.integrity == 0 {
                request.take(kind, value, at)?;
            }
            at += ATTRIBUTE + length.next_multiple_of(4);
        }
        None
    }

    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => self.username = value,
            USE_CANDIDATE => self.nominates = true,
            ICE_CONTROLLED => self.controlled = true,
            PRIORITY => {}
            MESSAGE_INTEGRITY if value.len() == INTEGRITY => self.integrity = at,
            MESSAGE_INTEGRITY => return None,
            unknown if unknown < OPTIONAL => self.unknown = self.unknown.or(Some(unknown)),
            _ => {}
        }
        Some(())
    }

    /// Whether who sent it knows the password.
    pub fn is_authentic(&self, datagram: &[u8], password: &[u8]) -> bool {
        let (Some(covered), Some(tag)) = (
            datagram.get(..self.integrity),
            datagram.get(self.integrity + ATTRIBUTE..).and_then(|rest| rest.get(..INTEGRITY)),
        ) else {
            return false;
        };
        integrity(covered, password).verify_slice(tag).is_ok()
    }
}

/// The MAC of a message whose integrity attribute is to follow `covered`: its length counts that, and nothing behind it.
fn integrity(covered: &[u8], password: &[u8]) -> Hmac<Sha1> {
    let mut mac: Hmac<Sha1> = Hmac::new_from_slice(password).expect("HMAC takes a key of any length");
    with_length(covered, ATTRIBUTE + INTEGRITY, |part| mac.update(part));
    mac
}

/// The CRC of a message whose fingerprint is to follow `covered`.
fn fingerprint(covered: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    with_length(covered, ATTRIBUTE + 4, |part| digest.update(part));
    digest.finalize() ^ FINGERPRINT_XOR
}

/// Hands on a message in parts, with the length that it has with `more` octets behind it.
fn with_length(covered: &[u8], more: usize, mut hand: impl FnMut(&[u8])) {
    let length = (covered.len() + more).saturating_sub(HEADER) as u16;
    hand(covered.get(..2).unwrap_or_default());
    hand(&length.to_be_bytes());
    hand(covered.get(4..).unwrap_or_default());
}

/// An answer under construction.
pub(super) struct Answer {
    octets: [u8; LONGEST],
    length: usize,
}

impl Answer {
    /// The check has come through, from `mapped` (RFC 8445 §7.3.1.2).
    pub fn success(transaction: &[u8; 12], mapped: SocketAddr, password: &[u8]) -> Answer {
        let mut answer = Answer::new(BINDING_SUCCESS, transaction);
        let port = (mapped.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes();
        let mut value = [0u8; 20];
        value[2..4].copy_from_slice(&port);
        let mask = COOKIE.iter().chain(transaction);
        match mapped.ip() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                let octets = ip.octets();
                value[4..8].iter_mut().zip(octets.iter().zip(mask)).for_each(|(to, (octet, mask))| *to = octet ^ mask);
                answer.attribute(XOR_MAPPED_ADDRESS, &value[..8]);
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                let octets = ip.octets();
                value[4..].iter_mut().zip(octets.iter().zip(mask)).for_each(|(to, (octet, mask))| *to = octet ^ mask);
                answer.attribute(XOR_MAPPED_ADDRESS, &value);
            }
        }
        answer.sealed(password)
    }

    /// `unknown`: the attribute that an `UNKNOWN_ATTRIBUTE` is about.
    pub fn error(transaction: &[u8; 12], code: u16, unknown: Option<u16>, password: &[u8]) -> Answer {
        let mut answer = Answer::new(BINDING_ERROR, transaction);
        answer.attribute(ERROR_CODE, &[0, 0, (code / 100) as u8, (code % 100) as u8]);
        if let Some(unknown) = unknown {
            answer.attribute(UNKNOWN_ATTRIBUTES, &unknown.to_be_bytes());
        }
        answer.sealed(password)
    }

    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn new(kind: u16, transaction: &[u8; 12]) -> Answer {
        let mut answer = Answer { octets: [0; LONGEST], length: 0 };
        answer.push(&kind.to_be_bytes());
        answer.push(&[0, 0]);
        answer.push(&COOKIE);
        answer.push(transaction);
        answer
    }

    fn sealed(mut self, password: &[u8]) -> Answer {
        let mac: [u8; INTEGRITY] = integrity(self.octets(), password).finalize().into_bytes().into();
        self.attribute(MESSAGE_INTEGRITY, &mac);
        let crc = fingerprint(self.octets());
        self.attribute(FINGERPRINT, &crc.to_be_bytes());
        self
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.push(&kind.to_be_bytes());
        self.push(&(value.len() as u16).to_be_bytes());
        self.push(value);
        self.length = self.length.next_multiple_of(4);
        let length = (self.length - HEADER) as u16;
        self.octets[2..4].copy_from_slice(&length.to_be_bytes());
    }

    fn push(&mut self, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.length..self.length + octets.len()) {
            place.copy_from_slice(octets);
            self.length += octets.len();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.split_whitespace().collect::<String>()).unwrap()
    }

    /// RFC 5769 §2.1.
    fn sample() -> Vec<u8> {
        hex("00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e2074657374 20636c69656e74
             00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a6836765920 2020
             00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf")
    }

    /// A check that a full side sends.
    pub struct Asked {
        pub username: String,
        pub password: String,
        pub nominates: bool,
        pub controlled: bool,
    }

    impl Asked {
        pub fn new(whom: &str, who: &str, password: &str) -> Asked {
            Asked {
                username: format!("{whom}:{who}"),
                password: password.to_owned(),
                nominates: false,
                controlled: false,
            }
        }

        pub fn octets(&self) -> Vec<u8> {
            let mut request = Answer::new(BINDING_REQUEST, &[3; 12]);
            request.attribute(USERNAME, self.username.as_bytes());
            request.attribute(PRIORITY, &[0, 0, 0, 1]);
            if self.nominates {
                request.attribute(USE_CANDIDATE, &[]);
            }
            if self.controlled {
                request.attribute(ICE_CONTROLLED, &[0; 8]);
            }
            request.sealed(self.password.as_bytes()).octets().to_vec()
        }
    }

    /// Whether an answer is a success that was made with this password.
    pub fn is_success(answer: &[u8], password: &str) -> bool {
        let at = answer.len() - 32;
        let authentic = integrity(&answer[..at], password.as_bytes()).verify_slice(&answer[at + 4..at + 24]).is_ok();
        authentic && answer[..2] == BINDING_SUCCESS.to_be_bytes()
    }

    #[test]
    fn the_request_of_rfc_5769_is_read() {
        let sample = sample();
        let request = Request::read(&sample).unwrap();
        assert_eq!(request.username, b"evtj:h6vY");
        assert!(request.controlled && !request.nominates && request.unknown.is_none());
        assert!(request.is_authentic(&sample, PASSWORD));
        assert!(!request.is_authentic(&sample, b"another"));
    }

    #[test]
    fn an_answer_is_that_of_rfc_5769_but_for_its_software() {
        let transaction = *hex("b7e7a701bc34d686fa87dfae").first_chunk().unwrap();
        let answer = Answer::success(&transaction, "192.0.2.1:32853".parse().unwrap(), PASSWORD);
        assert_eq!(answer.octets()[..8], hex("0101002c 2112a442"));
        assert_eq!(answer.octets()[20..32], hex("00200008 0001a147 e112a643"));
        let wide =
            Answer::success(&transaction, "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap(), PASSWORD);
        assert_eq!(wide.octets()[20..44], hex("00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9"));
        for answer in [answer, wide, Answer::error(&transaction, ROLE_CONFLICT, Some(9), PASSWORD)] {
            assert_eq!(answer.octets().len() % 4, 0);
            let at = answer.octets().len() - 8;
            assert_eq!(answer.octets()[at + 4..], fingerprint(&answer.octets()[..at]).to_be_bytes());
            let at = at - 24;
            assert!(
                integrity(&answer.octets()[..at], PASSWORD).verify_slice(&answer.octets()[at + 4..at + 24]).is_ok()
            );
        }
    }

    #[test]
    fn an_altered_request_is_none() {
        let sample = sample();
        for at in 0..sample.len() {
            for bit in 0..8 {
                let mut altered = sample.clone();
                altered[at] ^= 1 << bit;
                let taken = Request::read(&altered).is_some_and(|request| request.is_authentic(&altered, PASSWORD));
                assert!(!taken, "bit {bit} of octet {at}");
            }
            assert_eq!(Request::read(&sample[..at]), None);
        }
        let longer = [&sample[..], &[0; 4]].concat();
        assert_eq!(Request::read(&longer), None);
    }

    #[test]
    fn an_attribute_that_must_be_known_and_is_not_is_told() {
        let mut request = Answer::new(BINDING_REQUEST, &[7; 12]);
        request.attribute(USERNAME, b"abcd:efgh");
        request.attribute(0x0031, &[1, 2, 3]);
        request.attribute(USE_CANDIDATE, &[]);
        let request = request.sealed(PASSWORD);
        let read = Request::read(request.octets()).unwrap();
        assert_eq!((read.unknown, read.nominates, read.username), (Some(0x0031), true, &b"abcd:efgh"[..]));
    }
}
