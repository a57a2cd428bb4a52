//! STUN (RFC 8489) as far as ICE needs it: Binding requests and the responses to them, read and written.

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
const ICE_CONTROLLING: u16 = 0x802a;

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
const LONGEST_ANSWER: usize = 128;

/// The longest check of ours: both names, of which theirs may have 256 octets, and all that a request may say.
const LONGEST_CHECK: usize = 384;

/// Errors that a check may meet.
pub(super) const UNKNOWN_ATTRIBUTE: u16 = 420;
/// RFC 8445 §7.3.1.1.
pub(super) const ROLE_CONFLICT: u16 = 487;

pub(super) type Transaction = [u8; 12];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Request,
    Success,
    Error,
}

/// Who of the two says which path is used (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Controlling,
    Controlled,
}

impl Role {
    pub fn other(self) -> Role {
        match self {
            Role::Controlling => Role::Controlled,
            Role::Controlled => Role::Controlling,
        }
    }
}

/// A Binding request or response whose fingerprint is right; whether it is authentic is still to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub class: Class,
    pub transaction: Transaction,
    pub username: &'a [u8],
    /// What the pair would have as a candidate (RFC 8445 §7.1.1).
    pub priority: Option<u32>,
    /// This pair is to be used.
    pub nominates: bool,
    /// What the sender takes itself for, and its tie-breaker.
    pub role: Option<(Role, u64)>,
    /// Where the request came from, says who answers it.
    pub mapped: Option<SocketAddr>,
    pub error: Option<u16>,
    /// An attribute that we do not know and should.
    pub unknown: Option<u16>,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: usize,
}

impl<'a> Message<'a> {
    /// `None` for what is no Binding request or response with integrity and fingerprint.
    pub fn read(datagram: &'a [u8]) -> Option<Message<'a>> {
        let [t0, t1, l0, l1, cookie @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *datagram.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if cookie != COOKIE || datagram.len() != HEADER + length {
            return None;
        }
        let mut message = Message {
            class: match u16::from_be_bytes([t0, t1]) {
                BINDING_REQUEST => Class::Request,
                BINDING_SUCCESS => Class::Success,
                BINDING_ERROR => Class::Error,
                _ => return None,
            },
            transaction: *datagram.get(8..)?.first_chunk()?,
            username: &[],
            priority: None,
            nominates: false,
            role: None,
            mapped: None,
            error: None,
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
                return (last && right && message.integrity > 0).then_some(message);
            }
            // What stands behind the integrity is not covered by it (RFC 8489 §14.5).
            if message.integrity == 0 {
                message.take(kind, value, at)?;
            }
            at += ATTRIBUTE + length.next_multiple_of(4);
        }
        None
    }

    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        let number = || value.try_into().map(u64::from_be_bytes).ok();
        match kind {
            USERNAME => self.username = value,
            USE_CANDIDATE => self.nominates = true,
            PRIORITY => self.priority = Some(u32::from_be_bytes(value.try_into().ok()?)),
            ICE_CONTROLLED => self.role = Some((Role::Controlled, number()?)),
            ICE_CONTROLLING => self.role = Some((Role::Controlling, number()?)),
            XOR_MAPPED_ADDRESS => self.mapped = Some(unmasked(value, &self.transaction)?),
            ERROR_CODE => self.error = Some(error_of(value)?),
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

/// RFC 8489 §14.8: hundreds and the rest.
fn error_of(value: &[u8]) -> Option<u16> {
    let [_, _, hundreds, rest] = *value.first_chunk()?;
    Some(u16::from(hundreds & 7) * 100 + u16::from(rest))
}

/// What addresses are combined with (RFC 8489 §14.2).
fn mask(transaction: &Transaction) -> impl Iterator<Item = u8> {
    COOKIE.into_iter().chain(*transaction)
}

fn masked<const N: usize>(octets: [u8; N], transaction: &Transaction) -> [u8; N] {
    let mut masks = mask(transaction);
    octets.map(|octet| octet ^ masks.next().unwrap_or_default())
}

fn unmasked(value: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    let [_, family, p0, p1, address @ ..] = value else { return None };
    let port = u16::from_be_bytes(masked([*p0, *p1], transaction));
    let ip = match family {
        1 => IpAddr::from(masked::<4>(address.try_into().ok()?, transaction)),
        2 => IpAddr::from(masked::<16>(address.try_into().ok()?, transaction)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
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

/// A message of ours, `MOST` octets at most.
#[derive(Clone)]
pub(super) struct Written<const MOST: usize> {
    octets: [u8; MOST],
    length: usize,
}

/// A response.
pub(super) type Answer = Written<LONGEST_ANSWER>;

/// A request.
pub(super) type Check = Written<LONGEST_CHECK>;

/// What a check says (RFC 8445 §7.1).
pub(super) struct Asking<'a> {
    pub transaction: &'a Transaction,
    /// The name of who is asked, and our own.
    pub names: [&'a str; 2],
    pub priority: u32,
    pub role: Role,
    pub tie_breaker: u64,
    pub nominates: bool,
    /// Of who is asked.
    pub password: &'a str,
}

impl Check {
    pub fn new(asking: &Asking<'_>) -> Check {
        let mut check = Written::begin(BINDING_REQUEST, asking.transaction);
        let [whom, who] = asking.names.map(str::as_bytes);
        check.attribute(USERNAME, &[whom, b":", who]);
        check.attribute(PRIORITY, &[&asking.priority.to_be_bytes()]);
        let role = match asking.role {
            Role::Controlling => ICE_CONTROLLING,
            Role::Controlled => ICE_CONTROLLED,
        };
        check.attribute(role, &[&asking.tie_breaker.to_be_bytes()]);
        if asking.nominates {
            check.attribute(USE_CANDIDATE, &[]);
        }
        check.sealed(asking.password.as_bytes())
    }
}

impl Answer {
    /// The check has come through, from `mapped` (RFC 8445 §7.3.1.2).
    pub fn success(transaction: &Transaction, mapped: SocketAddr, password: &[u8]) -> Answer {
        let mut answer = Written::begin(BINDING_SUCCESS, transaction);
        let port = masked(mapped.port().to_be_bytes(), transaction);
        match mapped.ip() {
            IpAddr::V4(ip) => {
                answer.attribute(XOR_MAPPED_ADDRESS, &[&[0, 1], &port, &masked(ip.octets(), transaction)]);
            }
            IpAddr::V6(ip) => {
                answer.attribute(XOR_MAPPED_ADDRESS, &[&[0, 2], &port, &masked(ip.octets(), transaction)]);
            }
        }
        answer.sealed(password)
    }

    /// `unknown`: the attribute that an `UNKNOWN_ATTRIBUTE` is about.
    pub fn error(transaction: &Transaction, code: u16, unknown: Option<u16>, password: &[u8]) -> Answer {
        let mut answer = Written::begin(BINDING_ERROR, transaction);
        answer.attribute(ERROR_CODE, &[&[0, 0, (code / 100) as u8, (code % 100) as u8]]);
        if let Some(unknown) = unknown {
            answer.attribute(UNKNOWN_ATTRIBUTES, &[&unknown.to_be_bytes()]);
        }
        answer.sealed(password)
    }
}

impl<const MOST: usize> Written<MOST> {
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn begin(kind: u16, transaction: &Transaction) -> Self {
        let mut message = Written { octets: [0; MOST], length: 0 };
        message.push(&kind.to_be_bytes());
        message.push(&[0, 0]);
        message.push(&COOKIE);
        message.push(transaction);
        message
    }

    fn sealed(mut self, password: &[u8]) -> Self {
        let mac: [u8; INTEGRITY] = integrity(self.octets(), password).finalize().into_bytes().into();
        self.attribute(MESSAGE_INTEGRITY, &[&mac]);
        let crc = fingerprint(self.octets());
        self.attribute(FINGERPRINT, &[&crc.to_be_bytes()]);
        self
    }

    /// An attribute whose value is these parts, one behind the other.
    fn attribute(&mut self, kind: u16, value: &[&[u8]]) {
        let length: usize = value.iter().map(|part| part.len()).sum();
        self.push(&kind.to_be_bytes());
        self.push(&(length as u16).to_be_bytes());
        value.iter().for_each(|part| self.push(part));
        self.length = self.length.next_multiple_of(4);
        let length = self.length.saturating_sub(HEADER) as u16;
        if let Some(place) = self.octets.get_mut(2..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
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
            let mut request = Check::begin(BINDING_REQUEST, &[3; 12]);
            request.attribute(USERNAME, &[self.username.as_bytes()]);
            request.attribute(PRIORITY, &[&[0, 0, 0, 1]]);
            if self.nominates {
                request.attribute(USE_CANDIDATE, &[]);
            }
            if self.controlled {
                request.attribute(ICE_CONTROLLED, &[&[0; 8]]);
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
        let request = Message::read(&sample).unwrap();
        assert_eq!((request.class, request.username), (Class::Request, &b"evtj:h6vY"[..]));
        assert_eq!(request.role, Some((Role::Controlled, 0x932f_f9b1_5126_3b36)));
        assert_eq!(request.priority, Some(0x6e00_01ff));
        assert!(!request.nominates && request.unknown.is_none());
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
                let taken = Message::read(&altered).is_some_and(|request| request.is_authentic(&altered, PASSWORD));
                assert!(!taken, "bit {bit} of octet {at}");
            }
            assert_eq!(Message::read(&sample[..at]), None);
        }
        let longer = [&sample[..], &[0; 4]].concat();
        assert_eq!(Message::read(&longer), None);
    }

    #[test]
    fn an_attribute_that_must_be_known_and_is_not_is_told() {
        let mut request = Check::begin(BINDING_REQUEST, &[7; 12]);
        request.attribute(USERNAME, &[b"abcd:efgh"]);
        request.attribute(0x0031, &[&[1, 2, 3]]);
        request.attribute(USE_CANDIDATE, &[]);
        let request = request.sealed(PASSWORD);
        let read = Message::read(request.octets()).unwrap();
        assert_eq!((read.unknown, read.nominates, read.username), (Some(0x0031), true, &b"abcd:efgh"[..]));
    }

    /// RFC 5769 §2.2 and §2.3.
    #[test]
    fn the_responses_of_rfc_5769_are_read() {
        for (sample, mapped) in [
            (
                "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200008 0001a147e112a643
                 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96",
                "192.0.2.1:32853",
            ),
            (
                "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
                 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
                 80280004 c8fb0b4c",
                "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
            ),
        ] {
            let sample = hex(sample);
            let response = Message::read(&sample).unwrap();
            assert_eq!((response.class, response.mapped), (Class::Success, Some(mapped.parse().unwrap())));
            assert!(response.is_authentic(&sample, PASSWORD) && !response.is_authentic(&sample, b"another"));
        }
    }

    #[test]
    fn a_check_is_read_as_it_was_written() {
        let asking = Asking {
            transaction: &[9; 12],
            names: [&"t".repeat(256), "ours+one"],
            priority: 1_862_270_975,
            role: Role::Controlling,
            tie_breaker: u64::MAX - 1,
            nominates: true,
            password: "a password of theirs, long",
        };
        let check = Check::new(&asking);
        let read = Message::read(check.octets()).unwrap();
        assert_eq!((read.class, read.transaction, read.nominates), (Class::Request, [9; 12], true));
        assert_eq!(read.username, format!("{}:ours+one", "t".repeat(256)).as_bytes());
        assert_eq!((read.priority, read.role), (Some(1_862_270_975), Some((Role::Controlling, u64::MAX - 1))));
        assert!(read.is_authentic(check.octets(), asking.password.as_bytes()));
        let error = Answer::error(&[9; 12], ROLE_CONFLICT, None, PASSWORD);
        let read = Message::read(error.octets()).unwrap();
        assert_eq!((read.class, read.error), (Class::Error, Some(487)));
    }

    #[test]
    fn attributes_of_a_wrong_length_are_not_read() {
        for (kind, length) in
            [(PRIORITY, 3), (ICE_CONTROLLING, 7), (ICE_CONTROLLED, 9), (XOR_MAPPED_ADDRESS, 7), (ERROR_CODE, 3)]
        {
            let mut message = Check::begin(BINDING_SUCCESS, &[7; 12]);
            message.attribute(kind, &[&[1; 20][..length]]);
            assert_eq!(Message::read(message.sealed(PASSWORD).octets()), None, "{kind:#x}");
        }
    }
}
