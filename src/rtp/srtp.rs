//! SRTP and SRTCP (RFC 3711; with AES-GCM: RFC 7714): packets are protected and unprotected where they stand, and nothing
//! is allocated on the way. Key derivation rate 0, no MKI.

use aes::Aes128;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;
use smallvec::SmallVec;

use crate::security::{KEY, MasterKey, Profile};

/// The most that protection adds to a packet: an SRTCP index and the tag of GCM.
pub const MOST_ADDED: usize = INDEX + GCM_TAG;

/// Octets of the SRTCP index and its E-flag (RFC 3711 §3.4).
const INDEX: usize = 4;

/// The E-flag: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Octets of the header that SRTCP leaves in the clear (RFC 3711 §3.4).
const RTCP_CLEAR: usize = 8;

const SHA1_80: usize = 10;
const SHA1_32: usize = 4;
const GCM_TAG: usize = 16;

/// Sources of one far end whose numbers are kept. One more takes the place of the one that was heard longest ago.
const SOURCES: usize = 8;

/// Numbers behind the highest that may still come (RFC 3711 §3.3.2 asks for 64 at least).
const WINDOW: u64 = 64;

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpError {
    /// Too short, or no RTP or RTCP at all.
    Malformed,
    /// The tag is another one: somebody else's packet, or an altered one.
    NotAuthentic,
    /// It came before, or is too old to know.
    Replayed,
    /// There is no room for the tag, or all numbers of this key are used up.
    Full,
}

/// One direction of a stream under one master key.
pub struct Context {
    cipher: Cipher,
    sources: SmallVec<[Source; 2]>,
    /// Counts packets, to know which source was heard last.
    clock: u64,
}

/// What is kept of one SSRC (RFC 3711 §3.2.3).
#[derive(Clone, Copy, Default)]
struct Source {
    ssrc: u32,
    used: u64,
    rtp: Window,
    rtcp: Window,
}

/// The highest number so far, and which of those behind it have come.
#[derive(Clone, Copy, Default)]
struct Window {
    begun: bool,
    highest: u64,
    /// Bit n: `highest - n`.
    seen: u64,
}

impl Window {
    /// The index of a packet: its rollover counter and sequence number (RFC 3711 §3.3.1).
    fn index(&self, sequence: u16) -> u64 {
        if !self.begun {
            return u64::from(sequence);
        }
        let distance = sequence.wrapping_sub(self.highest as u16) as i16;
        // Before the first rollover there is nothing lower to belong to.
        self.highest.checked_add_signed(i64::from(distance)).unwrap_or(u64::from(sequence))
    }

    fn is_new(&self, index: u64) -> bool {
        if !self.begun || index > self.highest {
            return true;
        }
        let behind = self.highest - index;
        behind < WINDOW && self.seen & (1 << behind) == 0
    }

    fn note(&mut self, index: u64) {
        if !self.begun {
            *self = Window { begun: true, highest: index, seen: 1 };
        } else if index > self.highest {
            let ahead = index - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = index;
        } else if self.highest - index < WINDOW {
            self.seen |= 1 << (self.highest - index);
        }
    }
}

/// RFC 3711 §9.2: so many packets one key may protect.
const MOST_RTP: u64 = 1 << 48;
const MOST_RTCP: u64 = 1 << 31;

impl Context {
    pub fn new(profile: Profile, key: &MasterKey) -> Context {
        Context { cipher: Cipher::new(profile, key.octets(profile)), sources: SmallVec::new(), clock: 0 }
    }

    /// Protects the RTP packet in the first `length` octets, and returns how long it is then.
    pub fn protect_rtp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let plain = packet.get(..length).ok_or(SrtpError::Full)?;
        let header = header_length(plain).ok_or(SrtpError::Malformed)?;
        let (sequence, ssrc) = numbers(plain).ok_or(SrtpError::Malformed)?;
        let index = self.source(ssrc).map_or(u64::from(sequence), |source| source.rtp.index(sequence));
        if index >= MOST_RTP {
            return Err(SrtpError::Full);
        }
        let protected = self.cipher.protect_rtp(packet, header, length, ssrc, index)?;
        self.note(ssrc).rtp.note(index);
        Ok(protected)
    }

    /// Unprotects an RTP packet, and returns how long it is then. A packet that is refused is not to be used: its octets
    /// may have changed.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let header = header_length(packet).ok_or(SrtpError::Malformed)?;
        let (sequence, ssrc) = numbers(packet).ok_or(SrtpError::Malformed)?;
        let source = self.source(ssrc);
        let index = source.map_or(u64::from(sequence), |source| source.rtp.index(sequence));
        if source.is_some_and(|source| !source.rtp.is_new(index)) {
            return Err(SrtpError::Replayed);
        }
        let length = self.cipher.unprotect_rtp(packet, header, ssrc, index)?;
        // Only now: what is not authentic changes nothing.
        self.note(ssrc).rtp.note(index);
        Ok(length)
    }

    /// Protects the RTCP compound in the first `length` octets, and returns how long it is then.
    pub fn protect_rtcp(&mut self, packet: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let ssrc = packet.get(..length).and_then(reporter).ok_or(SrtpError::Malformed)?;
        let next = self.source(ssrc).filter(|source| source.rtcp.begun).map_or(0, |source| source.rtcp.highest + 1);
        if next >= MOST_RTCP {
            return Err(SrtpError::Full);
        }
        let protected = self.cipher.protect_rtcp(packet, length, ssrc, next as u32)?;
        self.note(ssrc).rtcp.note(next);
        Ok(protected)
    }

    /// Unprotects an SRTCP packet, and returns how long it is then.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = reporter(packet).ok_or(SrtpError::Malformed)?;
        let word = self.cipher.index_word(packet).ok_or(SrtpError::Malformed)?;
        let index = word & !ENCRYPTED;
        if self.source(ssrc).is_some_and(|source| !source.rtcp.is_new(u64::from(index))) {
            return Err(SrtpError::Replayed);
        }
        let length = self.cipher.unprotect_rtcp(packet, ssrc, word)?;
        self.note(ssrc).rtcp.note(u64::from(index));
        Ok(length)
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc)
    }

    /// The source of an authentic packet.
    fn note(&mut self, ssrc: u32) -> &mut Source {
        self.clock += 1;
        let known = self.sources.iter().position(|source| source.ssrc == ssrc);
        let at = known.unwrap_or_else(|| {
            let new = Source { ssrc, ..Source::default() };
            if self.sources.len() < SOURCES {
                self.sources.push(new);
                return self.sources.len() - 1;
            }
            let oldest = self.sources.iter().enumerate().min_by_key(|(_, source)| source.used).map_or(0, |(at, _)| at);
            self.sources[oldest] = new;
            oldest
        });
        let source = &mut self.sources[at];
        source.used = self.clock;
        source
    }
}

/// Octets of the RTP header with contributing sources and extension (RFC 3550 §5.1, §5.3.1); `None` where it does not fit.
fn header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let [_, _, high, low] = *packet.get(length..)?.first_chunk()?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    }
    (first >> 6 == 2 && length <= packet.len()).then_some(length)
}

/// Sequence number and SSRC.
fn numbers(packet: &[u8]) -> Option<(u16, u32)> {
    let [_, _, s0, s1, _, _, _, _, r0, r1, r2, r3] = *packet.first_chunk()?;
    Some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([r0, r1, r2, r3])))
}

/// The SSRC of whoever made an RTCP packet.
fn reporter(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, r0, r1, r2, r3] = *packet.first_chunk()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([r0, r1, r2, r3]))
}

/// The transform and its session keys (RFC 3711 §4.3).
#[allow(clippy::large_enum_variant, reason = "two for each leg with keys, and the smaller one is not small either")]
enum Cipher {
    CounterMode { rtp: CounterMode, rtcp: CounterMode },
    Gcm { rtp: Gcm, rtcp: Gcm },
}

struct CounterMode {
    aes: Aes128,
    salt: [u8; 14],
    mac: Hmac<Sha1>,
    tag: usize,
}

struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

/// Labels of RFC 3711 §4.3.1 and §4.3.2; those of SRTCP are three more.
const ENCRYPTION: u8 = 0;
const AUTHENTICATION: u8 = 1;
const SALT: u8 = 2;
const FOR_RTCP: u8 = 3;

impl Cipher {
    /// `master`: key and salt.
    fn new(profile: Profile, master: &[u8]) -> Cipher {
        match profile {
            Profile::Aes128Gcm => Cipher::Gcm { rtp: Gcm::new(master, 0), rtcp: Gcm::new(master, FOR_RTCP) },
            // The tag of SRTCP is long in both (RFC 4568 §6.2.2).
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => Cipher::CounterMode {
                rtp: CounterMode::new(master, 0, if profile == Profile::Aes128CmSha1_80 { SHA1_80 } else { SHA1_32 }),
                rtcp: CounterMode::new(master, FOR_RTCP, SHA1_80),
            },
        }
    }

    fn protect_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        length: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, SrtpError> {
        match self {
            Cipher::CounterMode { rtp, .. } => {
                let end = length + rtp.tag;
                let packet = packet.get_mut(..end).ok_or(SrtpError::Full)?;
                let (plain, tag) = packet.split_at_mut(length);
                rtp.apply(plain.get_mut(header..).unwrap_or_default(), ssrc, index);
                let mac = rtp.mac(plain, &rollovers(index));
                tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
                Ok(end)
            }
            Cipher::Gcm { rtp, .. } => {
                let end = length + GCM_TAG;
                let packet = packet.get_mut(..end).ok_or(SrtpError::Full)?;
                let (clear, rest) = packet.split_at_mut(header);
                rtp.seal(&rtp_nonce(ssrc, index), clear, rest)?;
                Ok(end)
            }
        }
    }

    fn unprotect_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Result<usize, SrtpError> {
        match self {
            Cipher::CounterMode { rtp, .. } => {
                let end = packet.len().checked_sub(rtp.tag).filter(|end| *end >= header).ok_or(SrtpError::Malformed)?;
                let (sealed, tag) = packet.split_at_mut(end);
                rtp.check(sealed, &rollovers(index), tag)?;
                rtp.apply(sealed.get_mut(header..).unwrap_or_default(), ssrc, index);
                Ok(end)
            }
            Cipher::Gcm { rtp, .. } => {
                let (clear, rest) = packet.split_at_mut(header);
                Ok(header + rtp.open(&rtp_nonce(ssrc, index), clear, rest)?)
            }
        }
    }

    /// The E-flag and index of an SRTCP packet.
    fn index_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Cipher::CounterMode { rtcp, .. } => rtcp.tag,
            Cipher::Gcm { .. } => 0,
        };
        let at = packet.len().checked_sub(behind + INDEX).filter(|at| *at >= RTCP_CLEAR)?;
        packet.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
    }

    fn protect_rtcp(&self, packet: &mut [u8], length: usize, ssrc: u32, index: u32) -> Result<usize, SrtpError> {
        let word = (index | ENCRYPTED).to_be_bytes();
        match self {
            Cipher::CounterMode { rtcp, .. } => {
                let end = length + INDEX + rtcp.tag;
                let packet = packet.get_mut(..end).ok_or(SrtpError::Full)?;
                let (plain, tag) = packet.split_at_mut(length + INDEX);
                let (report, place) = plain.split_at_mut(length);
                rtcp.apply(report.get_mut(RTCP_CLEAR..).unwrap_or_default(), ssrc, u64::from(index));
                place.copy_from_slice(&word);
                let mac = rtcp.mac(plain, &[]);
                tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
                Ok(end)
            }
            Cipher::Gcm { rtcp, .. } => {
                let end = length + GCM_TAG + INDEX;
                let packet = packet.get_mut(..end).ok_or(SrtpError::Full)?;
                let (sealed, place) = packet.split_at_mut(length + GCM_TAG);
                place.copy_from_slice(&word);
                let (clear, rest) = sealed.split_at_mut(RTCP_CLEAR);
                rtcp.seal(&rtcp_nonce(ssrc, index), &gcm_associated(clear, word), rest)?;
                Ok(end)
            }
        }
    }

    fn unprotect_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, SrtpError> {
        let index = word & !ENCRYPTED;
        let encrypted = word & ENCRYPTED != 0;
        match self {
            Cipher::CounterMode { rtcp, .. } => {
                let end = packet.len().checked_sub(rtcp.tag).ok_or(SrtpError::Malformed)?;
                let (sealed, tag) = packet.split_at_mut(end);
                rtcp.check(sealed, &[], tag)?;
                let length = end.checked_sub(INDEX).filter(|end| *end >= RTCP_CLEAR).ok_or(SrtpError::Malformed)?;
                if encrypted {
                    let report = sealed.get_mut(RTCP_CLEAR..length).unwrap_or_default();
                    rtcp.apply(report, ssrc, u64::from(index));
                }
                Ok(length)
            }
            // RFC 7714 §9.3 has a form that is authenticated and not encrypted; nobody sends it.
            Cipher::Gcm { .. } if !encrypted => Err(SrtpError::Malformed),
            Cipher::Gcm { rtcp, .. } => {
                let end = packet.len().checked_sub(INDEX).filter(|end| *end >= RTCP_CLEAR);
                let sealed = packet.get_mut(..end.ok_or(SrtpError::Malformed)?).unwrap_or_default();
                let (clear, rest) = sealed.split_at_mut(RTCP_CLEAR);
                let associated = gcm_associated(clear, word.to_be_bytes());
                Ok(RTCP_CLEAR + rtcp.open(&rtcp_nonce(ssrc, index), &associated, rest)?)
            }
        }
    }
}

/// The rollover counter, which is authenticated and not sent (RFC 3711 §4.2).
fn rollovers(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

impl CounterMode {
    fn new(master: &[u8], labels: u8, tag: usize) -> CounterMode {
        let mut authentication = [0; 20];
        derive(master, labels + AUTHENTICATION, &mut authentication);
        let mut salt = [0; 14];
        derive(master, labels + SALT, &mut salt);
        CounterMode { aes: aes(master, labels), salt, mac: keyed(&authentication), tag }
    }

    /// Encrypts or decrypts: the same in counter mode. RFC 3711 §4.1.1: the counter begins at the salt, the SSRC and the
    /// index, each in its place.
    fn apply(&self, octets: &mut [u8], ssrc: u32, index: u64) {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt);
        counter[4..8].iter_mut().zip(ssrc.to_be_bytes()).for_each(|(to, from)| *to ^= from);
        let [_, _, index @ ..] = index.to_be_bytes();
        counter[8..14].iter_mut().zip(index).for_each(|(to, from)| *to ^= from);
        let core: CtrCore<&Aes128, Ctr128BE> = CtrCore::inner_iv_init(&self.aes, &counter.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
    }

    fn mac(&self, octets: &[u8], more: &[u8]) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(octets);
        mac.update(more);
        mac.finalize().into_bytes().into()
    }

    fn check(&self, octets: &[u8], more: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let mut mac = self.mac.clone();
        mac.update(octets);
        mac.update(more);
        // In constant time.
        mac.verify_truncated_left(tag).map_err(|_| SrtpError::NotAuthentic)
    }
}

impl Gcm {
    fn new(master: &[u8], labels: u8) -> Gcm {
        let mut key = [0; KEY];
        derive(master, labels + ENCRYPTION, &mut key);
        let mut salt = [0; 12];
        derive(master, labels + SALT, &mut salt);
        let key = UnboundKey::new(&AES_128_GCM, &key).expect("a key of 16 octets is one of AES-128");
        Gcm { key: LessSafeKey::new(key), salt }
    }

    fn nonce(&self, input: &[u8; 12]) -> Nonce {
        Nonce::assume_unique_for_key(std::array::from_fn(|at| self.salt[at] ^ input[at]))
    }

    /// `rest`: what is to be sealed, and room for the tag.
    fn seal(&self, nonce: &[u8; 12], associated: &[u8], rest: &mut [u8]) -> Result<(), SrtpError> {
        let at = rest.len().checked_sub(GCM_TAG).ok_or(SrtpError::Full)?;
        let (plain, place) = rest.split_at_mut(at);
        let tag = self.key.seal_in_place_separate_tag(self.nonce(nonce), Aad::from(associated), plain);
        place.copy_from_slice(tag.map_err(|_| SrtpError::Full)?.as_ref());
        Ok(())
    }

    /// `rest`: what was sealed, and its tag. Returns how long it is without.
    fn open(&self, nonce: &[u8; 12], associated: &[u8], rest: &mut [u8]) -> Result<usize, SrtpError> {
        let opened = self.key.open_in_place(self.nonce(nonce), Aad::from(associated), rest);
        opened.map(|plain| plain.len()).map_err(|_| SrtpError::NotAuthentic)
    }
}

/// RFC 7714 §8.1: two octets of zero, the SSRC, the rollover counter and the sequence number.
fn rtp_nonce(ssrc: u32, index: u64) -> [u8; 12] {
    let [_, _, index @ ..] = index.to_be_bytes();
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&index);
    nonce
}

/// RFC 7714 §9.1: two octets of zero, the SSRC, two of zero, the index.
fn rtcp_nonce(ssrc: u32, index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    nonce
}

/// RFC 7714 §9.2: the clear part of the header and the word of the index.
fn gcm_associated(clear: &[u8], word: [u8; INDEX]) -> [u8; RTCP_CLEAR + INDEX] {
    let mut associated = [0; RTCP_CLEAR + INDEX];
    associated.iter_mut().zip(clear.iter().copied().chain(word)).for_each(|(to, from)| *to = from);
    associated
}

fn aes(master: &[u8], labels: u8) -> Aes128 {
    let mut key = [0; KEY];
    derive(master, labels + ENCRYPTION, &mut key);
    Aes128::new(&key.into())
}

fn keyed(key: &[u8; 20]) -> Hmac<Sha1> {
    <Hmac<Sha1> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// RFC 3711 §4.3.3: AES in counter mode over the master salt with the label in it. A shorter salt (RFC 7714 §11) has
/// zeros behind it.
fn derive(master: &[u8], label: u8, out: &mut [u8]) {
    let (key, salt) = master.split_at(KEY.min(master.len()));
    let mut counter = [0; 16];
    counter.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
    counter[7] ^= label;
    let mut master = [0; KEY];
    master.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let core: CtrCore<Aes128, Ctr128BE> = CtrCore::inner_iv_init(Aes128::new(&master.into()), &counter.into());
    out.fill(0);
    StreamCipherCoreWrapper::from_core(core).apply_keystream(out);
}

#[cfg(test)]
mod tests;
