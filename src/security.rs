//! How the packets of a stream are kept from others (SRTP, RFC 3711): what offer and answer settle for the media threads.
//! Nothing here shows a key when it is printed.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// SRTP's transforms that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// RFC 7714: AES-128 in Galois counter mode, a tag of 16 octets.
    Aes128Gcm,
    /// RFC 3711: AES-128 in counter mode, HMAC-SHA1 cut to 10 octets. Everybody speaks this one.
    Aes128CmSha1_80,
    /// The same, cut to 4 octets for RTP.
    Aes128CmSha1_32,
}

impl Profile {
    /// In our order of preference.
    pub const ALL: [Profile; 3] = [Profile::Aes128CmSha1_80, Profile::Aes128Gcm, Profile::Aes128CmSha1_32];

    /// The crypto-suite of `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).
    pub fn suite(self) -> &'static str {
        match self {
            Profile::Aes128Gcm => "AEAD_AES_128_GCM",
            Profile::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Profile::Aes128CmSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    pub fn from_suite(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| name.eq_ignore_ascii_case(profile.suite()))
    }

    /// Octets of the master salt.
    pub fn salt_octets(self) -> usize {
        match self {
            Profile::Aes128Gcm => 12,
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => 14,
        }
    }

    /// Octets of master key and salt together, as they stand behind `inline:`.
    pub fn key_octets(self) -> usize {
        KEY + self.salt_octets()
    }
}

/// Octets of an AES-128 key.
pub const KEY: usize = 16;

/// The longest master key and salt.
const LONGEST: usize = KEY + 14;

/// A master key with its salt behind it; what a shorter salt leaves over is zero.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey([u8; LONGEST]);

impl MasterKey {
    /// `None` where the octets are not as many as the profile wants.
    pub fn new(profile: Profile, octets: &[u8]) -> Option<MasterKey> {
        let mut key = [0; LONGEST];
        let fits = octets.len() == profile.key_octets();
        key.get_mut(..octets.len()).filter(|_| fits)?.copy_from_slice(octets);
        Some(MasterKey(key))
    }

    /// Key and salt, as long as the profile wants.
    pub fn octets(&self, profile: Profile) -> &[u8] {
        self.0.get(..profile.key_octets()).unwrap_or(&self.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(not shown)")
    }
}

/// What keys and passwords are made of. One for the whole process, and from it one for each leg: who knows a leg's knows
/// that leg's keys alone.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub [u8; 32]);

impl Secret {
    /// Another secret, of which this one cannot be told (HMAC-SHA256 as a pseudo-random function).
    pub fn derive(&self, label: &str, number: u64) -> Secret {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return *self };
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(&number.to_be_bytes());
        Secret(mac.finalize().into_bytes().into())
    }

    /// A master key for what we send.
    pub fn master_key(&self, profile: Profile, number: u64) -> MasterKey {
        let Secret(octets) = self.derive(profile.suite(), number);
        let mut key = [0; LONGEST];
        let length = profile.key_octets();
        key.iter_mut().zip(octets).take(length).for_each(|(to, from)| *to = from);
        MasterKey(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// SHA-256 of a certificate (RFC 8122 §5): the only hash that is spoken here, and which everybody must speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads `sha-256 AB:CD:…`; `None` for another hash and for what is no fingerprint.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let (hash, value) = text.trim().split_once(char::is_whitespace)?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return None;
        }
        let mut octets = [0; 32];
        let mut pairs = value.trim().split(':');
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Fingerprint(octets))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (at, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// One side's name and password of ICE (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCredentials {
    pub ufrag: String,
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// How a stream is kept from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    /// It is not.
    #[default]
    Plain,
    /// SRTP with keys from the session description (RFC 4568).
    Sdes(Sdes),
    /// SRTP with keys from a DTLS handshake (RFC 5764).
    Dtls(Box<Dtls>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdes {
    pub profile: Profile,
    pub send: MasterKey,
    pub receive: MasterKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dtls {
    /// We begin the handshake; else we wait for it.
    pub active: bool,
    /// Of the far end's certificate.
    pub fingerprint: Fingerprint,
    /// Where the far end is found by its connectivity checks; else it is where its description says.
    pub ice: Option<Ice>,
}

/// Which side of ICE (RFC 8445 §2.5) we are for browsers, and for phones that speak it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IceSide {
    /// Checks are answered. Whoever calls must be able to reach us.
    #[default]
    Lite,
    /// Checks are sent as well: what stands in our way is opened from this side too.
    Full,
}

impl IceSide {
    pub const ALL: [IceSide; 2] = [IceSide::Lite, IceSide::Full];

    /// As it is configured.
    pub fn name(self) -> &'static str {
        match self {
            IceSide::Lite => "lite",
            IceSide::Full => "full",
        }
    }
}

/// The names and passwords of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ice {
    pub local: IceCredentials,
    pub remote: IceCredentials,
    /// What the full side goes by; a lite side sends no checks of its own.
    #[serde(default)]
    pub checks: Option<IceChecks>,
}

/// How the far end is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceChecks {
    /// We say which path is used, until a conflict shows that both sides mean to (RFC 8445 §6.1.1).
    pub controlling: bool,
    /// The far end is lite: it answers, and never says which path is used.
    pub lite: bool,
    /// From one check to the next.
    pub pacing: Duration,
    /// Where the far end says that it may be; more is learnt from its checks.
    pub candidates: Vec<IceCandidate>,
    /// What names and times of checks are made of.
    pub seed: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCandidate {
    pub address: SocketAddr,
    pub priority: u32,
}

/// RFC 8445 §5.1.2.1, for the one component there is: the kind of the candidate first, then our own preference.
#[must_use]
pub const fn ice_priority(kind: u8, preference: u16) -> u32 {
    ((kind as u32) << 24) | ((preference as u32) << 8) | 255
}

/// The kinds of candidates that we have (RFC 8445 §5.1.2.2): of our own socket, and those that others see.
pub const ICE_HOST: u8 = 126;
pub const ICE_REFLEXIVE: u8 = 110;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_shown() {
        let secret = Secret([0xab; 32]);
        let sdes = Sdes {
            profile: Profile::Aes128Gcm,
            send: secret.master_key(Profile::Aes128Gcm, 1),
            receive: MasterKey::new(Profile::Aes128Gcm, &[0xcd; 28]).unwrap(),
        };
        let credentials = IceCredentials { ufrag: "name".into(), password: "geheim".into() };
        let dtls = Dtls {
            active: false,
            fingerprint: Fingerprint([1; 32]),
            ice: Some(Ice { local: credentials.clone(), remote: credentials, checks: None }),
        };
        let shown = format!("{:?} {:?} {secret:?}", Security::Sdes(sdes), Security::Dtls(Box::new(dtls)));
        assert!(!shown.contains("171") && !shown.contains("205") && !shown.contains("geheim"), "{shown}");
    }

    #[test]
    fn every_key_of_a_secret_is_another() {
        let secret = Secret([7; 32]);
        let keys = [
            secret.master_key(Profile::Aes128CmSha1_80, 0),
            secret.master_key(Profile::Aes128CmSha1_80, 1),
            secret.master_key(Profile::Aes128CmSha1_32, 0),
            secret.derive("leg", 1).master_key(Profile::Aes128CmSha1_80, 0),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != key));
        }
        assert_eq!(secret.master_key(Profile::Aes128Gcm, 0).octets(Profile::Aes128Gcm).len(), 28);
    }

    #[test]
    fn a_fingerprint_reads_back() {
        let fingerprint = Fingerprint(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
        assert_eq!(Fingerprint::parse(&fingerprint.to_string().to_lowercase()), Some(fingerprint));
        for bad in ["", "sha-256", "sha-1 00", "sha-256 00:11", "sha-256 0:1", "sha-512 00"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
        assert_eq!(Fingerprint::parse(&format!("{fingerprint}:00")), None);
        assert_eq!(Fingerprint::parse(&fingerprint.to_string().replace("07", "+7")), None);
    }

    #[test]
    fn a_master_key_has_the_length_of_its_profile() {
        assert!(MasterKey::new(Profile::Aes128CmSha1_80, &[1; 30]).is_some());
        for wrong in [0, 28, 29, 31, 200] {
            assert!(MasterKey::new(Profile::Aes128CmSha1_80, &vec![1; wrong]).is_none());
        }
    }
}
