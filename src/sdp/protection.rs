//! What a description says of keys: `a=crypto` (RFC 4568), and DTLS with ICE (RFC 8842, RFC 8839). What is agreed of it.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rtc_sdp::description::common::Attribute;
use rtc_sdp::{MediaDescription, SessionDescription};
use serde::{Deserialize, Serialize};

use super::{LocalAudio, Protection, SdpError, candidates};
use crate::security::{
    Dtls, Fingerprint, Ice, IceCandidate, IceChecks, IceCredentials, MasterKey, Profile, Sdes, Secret, Security,
};
use crate::settings::IceSide;

/// RFC 8839 §5.4: names have 4 to 256 characters, passwords 22 to 256.
const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD: std::ops::RangeInclusive<usize> = 22..=256;

/// `a=crypto` lines that are read.
const MOST_KEYS: usize = 16;

/// What stands third on an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// RTP/AVP and RTP/AVPF.
    Plain,
    /// RTP/SAVP and RTP/SAVPF.
    Secure,
    /// UDP/TLS/RTP/SAVP and UDP/TLS/RTP/SAVPF.
    Dtls,
}

impl Transport {
    pub fn of(proto: &str) -> Option<Transport> {
        const KNOWN: [(&str, Transport); 6] = [
            ("RTP/AVP", Transport::Plain),
            ("RTP/AVPF", Transport::Plain),
            ("RTP/SAVP", Transport::Secure),
            ("RTP/SAVPF", Transport::Secure),
            ("UDP/TLS/RTP/SAVP", Transport::Dtls),
            ("UDP/TLS/RTP/SAVPF", Transport::Dtls),
        ];
        KNOWN.into_iter().find(|(name, _)| proto.eq_ignore_ascii_case(name)).map(|(_, transport)| transport)
    }
}

/// One `a=crypto` line that can be used: no MKI, no session parameters that change the transform.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crypto {
    pub tag: u32,
    pub profile: Profile,
    pub key: MasterKey,
}

/// Who begins the handshake (RFC 4145 §4, RFC 8842 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    /// Whichever the other likes.
    ActPass,
}

/// What the peer says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteProtection {
    pub transport: Transport,
    pub keys: Vec<Crypto>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    pub ice: Option<IceCredentials>,
    /// It sends no checks.
    lite: bool,
    candidates: Vec<IceCandidate>,
    pacing: Duration,
}

impl RemoteProtection {
    pub fn read(
        description: &SessionDescription,
        media: &MediaDescription,
        transport: Transport,
        ours: &LocalAudio,
    ) -> RemoteProtection {
        let value = |key| text(&media.attributes, key).or_else(|| text(&description.attributes, key));
        let fingerprints = media.attributes.iter().chain(&description.attributes);
        let fingerprints = fingerprints.filter(|attribute| attribute.key.eq_ignore_ascii_case("fingerprint"));
        let lite = description.attributes.iter().any(|attribute| attribute.key.eq_ignore_ascii_case("ice-lite"));
        let keys = media.attributes.iter().filter(|attribute| attribute.key.eq_ignore_ascii_case("crypto"));
        RemoteProtection {
            transport,
            keys: keys.take(MOST_KEYS).filter_map(|line| crypto(line.value.as_deref()?)).collect(),
            fingerprint: fingerprints.filter_map(|line| Fingerprint::parse(line.value.as_deref()?)).next(),
            setup: value("setup").and_then(setup),
            // Two lite sides send no checks (RFC 8445 §6.1.1): each is where its description says.
            ice: credentials(value("ice-ufrag"), value("ice-pwd"))
                .filter(|_| !lite || ours.protection.ice == IceSide::Full),
            lite,
            candidates: candidates::read(media, ours.address),
            pacing: candidates::pacing(value("ice-pacing")),
        }
    }

    /// DTLS, whether the transport says so or the fingerprint alone (as older browsers do in RTP/SAVPF).
    pub fn is_dtls(&self) -> bool {
        match self.transport {
            Transport::Dtls => true,
            Transport::Secure => self.fingerprint.is_some() && self.keys.is_empty(),
            Transport::Plain => false,
        }
    }

    /// Found by connectivity checks.
    pub fn uses_ice(&self) -> bool {
        self.is_dtls() && self.ice.is_some()
    }
}

fn text<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.key.eq_ignore_ascii_case(key))?.value.as_deref()
}

fn setup(value: &str) -> Option<Setup> {
    const NAMES: [(&str, Setup); 3] =
        [("active", Setup::Active), ("passive", Setup::Passive), ("actpass", Setup::ActPass)];
    NAMES.into_iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, setup)| setup)
}

fn credentials(ufrag: Option<&str>, password: Option<&str>) -> Option<IceCredentials> {
    let ice_chars = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/');
    let (ufrag, password) = (ufrag?, password?);
    let fits = UFRAG.contains(&ufrag.len()) && PASSWORD.contains(&password.len());
    (fits && ice_chars(ufrag) && ice_chars(password))
        .then(|| IceCredentials { ufrag: ufrag.to_owned(), password: password.to_owned() })
}

/// RFC 4568 §9.1: `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4 WSH=64`.
fn crypto(value: &str) -> Option<Crypto> {
    let mut fields = value.split_whitespace();
    let tag = fields.next()?;
    let tag = tag.parse().ok().filter(|_| tag.len() <= 9 && tag.bytes().all(|c| c.is_ascii_digit()))?;
    let profile = Profile::from_suite(fields.next()?)?;
    let method = fields.next()?;
    let inline = method.get(.."inline:".len()).filter(|name| name.eq_ignore_ascii_case("inline:"))?;
    let mut parts = method.get(inline.len()..)?.split('|');
    let octets = BASE64_STANDARD.decode(parts.next()?).ok()?;
    // A lifetime is 2^48 or less, which we keep anyway; an MKI (with its colon) would stand in every packet.
    if parts.any(|part| part.contains(':')) || method.contains(';') {
        return None;
    }
    let harmless = |field: &str| field.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="));
    fields.all(harmless).then_some(())?;
    Some(Crypto { tag, profile, key: MasterKey::new(profile, &octets)? })
}

/// What came of protection so far, for one leg.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settled {
    /// Counts our keys: no key is used anew after another has been.
    keys: u64,
    /// Counts our ICE passwords: one for each restart (RFC 8839 §4.4.1).
    ice: u64,
    /// The suite that was agreed on last.
    profile: Option<Profile>,
    /// The peer's ICE credentials, for a restart to be seen.
    remote_ice: Option<IceCredentials>,
    /// Whether we began the handshake; stays so (RFC 8842 §5.5).
    active: Option<bool>,
    /// Whether we offered first, and so say which path is used; stays so, restarts included (RFC 8445 §6.1.1).
    #[serde(default)]
    controls: Option<bool>,
}

/// What an answer of ours says, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answered {
    pub security: Security,
    /// The tag of the `a=crypto` line that was chosen.
    pub tag: u32,
}

fn refused(why: &str) -> SdpError {
    SdpError::Protection(why.to_owned())
}

impl Settled {
    /// What we answer to an offer.
    pub fn answer(&mut self, local: &Protection, remote: &RemoteProtection) -> Result<Answered, SdpError> {
        if remote.is_dtls() {
            let dtls = self.dtls(local, remote, false)?;
            return Ok(Answered { security: Security::Dtls(Box::new(dtls)), tag: 0 });
        }
        let chosen = Profile::ALL.into_iter().find_map(|ours| remote.keys.iter().find(|key| key.profile == ours));
        match (remote.transport, chosen.filter(|_| local.sdes)) {
            (_, Some(chosen)) => {
                let security = Security::Sdes(self.sdes(local.secret, chosen));
                Ok(Answered { security, tag: chosen.tag })
            }
            (Transport::Plain, None) if local.required => {
                Err(refused("protection is required here; offer RTP/SAVP with a=crypto over TLS"))
            }
            (Transport::Plain, None) => Ok(Answered { security: Security::Plain, tag: 0 }),
            _ if !local.sdes => Err(refused("its keys came over signalling that others can read; use TLS")),
            _ => Err(refused("no a=crypto line can be used; offer AES_CM_128_HMAC_SHA1_80")),
        }
    }

    /// What the peer's answer to an offer of ours means.
    pub fn take_answer(
        &mut self,
        local: &Protection,
        offered: Offered,
        remote: &RemoteProtection,
    ) -> Result<Security, SdpError> {
        match offered {
            Offered::Dtls { .. } => Ok(Security::Dtls(Box::new(self.dtls(local, remote, true)?))),
            Offered::Plain => Ok(Security::Plain),
            Offered::Keys { required } => {
                let ours = |key: &&Crypto| tag_of(key.profile) == key.tag;
                match (remote.keys.iter().find(ours), required) {
                    (Some(key), _) => Ok(Security::Sdes(self.sdes(local.secret, key))),
                    (None, true) => Err(refused("the answer takes none of our keys")),
                    (None, false) => Ok(Security::Plain),
                }
            }
        }
    }

    fn sdes(&mut self, secret: Secret, theirs: &Crypto) -> Sdes {
        let profile = theirs.profile;
        if self.profile.replace(profile).is_some_and(|before| before != profile) {
            self.keys += 1;
        }
        Sdes { profile, send: self.key(secret, profile), receive: theirs.key }
    }

    /// Our key for a suite.
    pub fn key(&self, secret: Secret, profile: Profile) -> MasterKey {
        secret.master_key(profile, self.keys)
    }

    fn dtls(&mut self, local: &Protection, remote: &RemoteProtection, answers: bool) -> Result<Dtls, SdpError> {
        local.fingerprint.ok_or(refused("DTLS is not spoken here; offer RTP/AVP or RTP/SAVP"))?;
        let fingerprint = remote.fingerprint.ok_or(refused("it has no a=fingerprint of sha-256"))?;
        let active = match remote.setup {
            Some(Setup::Active) => false,
            Some(Setup::Passive) => true,
            // The peer of a browser's kind begins; who has begun before begins again.
            Some(Setup::ActPass) | None => self.active.unwrap_or(false),
        };
        self.active = Some(active);
        if self.remote_ice.is_some() && self.remote_ice != remote.ice && !answers {
            self.ice += 1;
        }
        self.remote_ice.clone_from(&remote.ice);
        let controls = *self.controls.get_or_insert(answers);
        let ice = remote.ice.clone().map(|theirs| Ice {
            local: self.credentials(local.secret),
            remote: theirs,
            checks: (local.ice == IceSide::Full).then(|| self.checks(local.secret, remote, controls)),
        });
        Ok(Dtls { active, fingerprint, ice })
    }

    /// How the full side looks for the peer. Towards a lite one it always controls (RFC 8445 §6.1.1).
    fn checks(&self, secret: Secret, remote: &RemoteProtection, controls: bool) -> IceChecks {
        IceChecks {
            controlling: controls || remote.lite,
            lite: remote.lite,
            pacing: remote.pacing,
            candidates: remote.candidates.clone(),
            seed: secret.derive("ice-checks", self.ice),
        }
    }

    /// Our name and password of ICE.
    pub fn credentials(&self, secret: Secret) -> IceCredentials {
        let text = |label, octets: usize| {
            let Secret(random) = secret.derive(label, self.ice);
            BASE64_STANDARD.encode(random.get(..octets).unwrap_or(&random))
        };
        // Multiples of three octets: base64 without padding is made of ICE's characters alone.
        IceCredentials { ufrag: text("ice-ufrag", 6), password: text("ice-pwd", 24) }
    }

    /// `a=setup` of an offer or answer.
    pub fn setup(&self, offers: bool) -> &'static str {
        match (offers, self.active) {
            (true, _) => "actpass",
            (false, Some(true)) => "active",
            (false, _) => "passive",
        }
    }
}

/// What an offer of ours asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Offered {
    Plain,
    Keys { required: bool },
    Dtls { ice: bool },
}

/// The tag that a suite has in our offers.
pub(super) fn tag_of(profile: Profile) -> u32 {
    match profile {
        Profile::Aes128CmSha1_80 => 1,
        Profile::Aes128Gcm => 2,
        Profile::Aes128CmSha1_32 => 3,
    }
}

/// `a=crypto` with a key of ours.
pub(super) fn crypto_line(tag: u32, profile: Profile, key: &MasterKey) -> String {
    format!("{tag} {} inline:{}", profile.suite(), BASE64_STANDARD.encode(key.octets(profile)))
}
