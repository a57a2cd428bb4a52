//! The handshake by which SRTP's keys are agreed (DTLS 1.2, RFC 5764). The certificates are made for this: what is trusted
//! is the fingerprint in the session description, and nobody's signature.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ring::digest::{SHA256, digest};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use crate::media::MediaError;
use crate::security::{Fingerprint, KEY, MasterKey, Profile, Secret};

/// How long to wait for the answer to a flight before it is sent again; seven times at most.
const FLIGHT: Duration = Duration::from_millis(500);

/// What a handshake may bring in all. A whole one has a few thousand octets; what is kept of one that never ends must not
/// grow.
const MOST_OCTETS: usize = 64 * 1024;

/// RFC 5764 §4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";

/// The library tells associations apart by their far ends. There is one here, and it may move.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// Who we are to browsers, for as long as the process lives.
pub struct Identity {
    pub fingerprint: Fingerprint,
    /// What keys in session descriptions and ICE's passwords are made of.
    pub secret: Secret,
    waits: Arc<HandshakeConfig>,
    begins: Arc<HandshakeConfig>,
}

impl Identity {
    /// Makes a key pair (ECDSA, P-256), its certificate, and the secret.
    pub fn new() -> Result<Identity, MediaError> {
        let fault = |error: &dyn std::fmt::Display| MediaError::Certificate(error.to_string());
        let provider = rtc_crypto::default_provider().map_err(|error| fault(&error))?;
        let certificate = Certificate::generate_self_signed(vec!["relais".to_owned()], provider.crypto())
            .map_err(|error| fault(&error))?;
        let der = certificate.certificate.first().map(|der| der.as_ref()).unwrap_or_default();
        let fingerprint = fingerprint_of(der);
        let config = |client: bool| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(vec![
                    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                ])
                .with_extended_master_secret(ExtendedMasterSecretType::Require)
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                // Nobody has signed it. Whose it is follows from the fingerprint, which `Handshake` looks at.
                .with_insecure_skip_verify(true)
                .with_flight_interval(FLIGHT)
                .build(client, Some(PEER))
                .map(Arc::new)
                .map_err(|error| fault(&error))
        };
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| MediaError::Entropy)?;
        Ok(Identity { fingerprint, secret: Secret(secret), waits: config(false)?, begins: config(true)? })
    }
}

/// Of a certificate's DER.
fn fingerprint_of(der: &[u8]) -> Fingerprint {
    let hash = digest(&SHA256, der);
    Fingerprint(std::array::from_fn(|at| hash.as_ref().get(at).copied().unwrap_or_default()))
}

/// What a handshake comes to.
pub(super) struct Agreed {
    pub profile: Profile,
    pub send: MasterKey,
    pub receive: MasterKey,
    /// Of the far end's certificate.
    pub fingerprint: Fingerprint,
}

pub(super) struct Handshake {
    endpoint: Endpoint,
    active: bool,
    octets: usize,
    broken: bool,
}

impl Handshake {
    /// One that waits for the far end to begin, or begins as soon as `begin` says.
    pub fn new(identity: &Identity, active: bool) -> Handshake {
        let waits = (!active).then(|| identity.waits.clone());
        Handshake { endpoint: Endpoint::new(PEER, TransportProtocol::UDP, waits), active, octets: 0, broken: false }
    }

    /// Sends the first flight, where that is our part.
    pub fn begin(&mut self, identity: &Identity, now: std::time::Instant) {
        if self.active && self.endpoint.get_connection_state(PEER).is_none() {
            self.contained(|endpoint| drop(endpoint.connect(now, PEER, identity.begins.clone(), None)));
        }
    }

    /// Takes in what the far end sends; gives out the keys once they are known.
    pub fn read(&mut self, datagram: &[u8], now: std::time::Instant) -> Option<Agreed> {
        self.octets = self.octets.saturating_add(datagram.len());
        let begun = !self.active || self.endpoint.get_connection_state(PEER).is_some();
        if self.octets > MOST_OCTETS || !begun {
            return None;
        }
        let mut complete = false;
        self.contained(|endpoint| {
            // An error is one datagram's. Whether anything comes of the handshake is a question of time.
            let events = endpoint.read(now, PEER, None, BytesMut::from(datagram)).unwrap_or_default();
            complete = events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete));
        });
        if complete { self.agreed() } else { None }
    }

    /// The time has come to send a flight again.
    pub fn pass(&mut self, now: std::time::Instant) {
        self.contained(|endpoint| drop(endpoint.handle_timeout(PEER, now)));
    }

    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    /// A fault of the library's in what a far end sends ends this handshake, and not the thread with everybody's calls.
    fn contained(&mut self, work: impl FnOnce(&mut Endpoint)) {
        if !self.broken {
            let endpoint = &mut self.endpoint;
            self.broken = catch_unwind(AssertUnwindSafe(|| work(endpoint))).is_err();
        }
    }

    fn agreed(&self) -> Option<Agreed> {
        let state = self.endpoint.get_connection_state(PEER)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::Aes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1_80,
            _ => return None,
        };
        let salt = profile.salt_octets();
        let material = state.export_keying_material(EXPORTER, &[], 2 * (KEY + salt)).ok()?;
        let material = material.as_ref();
        // The keys of both sides come first, then their salts; the client's before the server's.
        let of = |server: usize| {
            let key = material.get(server * KEY..(server + 1) * KEY)?;
            let salts = material.get(2 * KEY..)?;
            MasterKey::new(profile, &[key, salts.get(server * salt..(server + 1) * salt)?].concat())
        };
        let (client, server) = (of(0)?, of(1)?);
        let (send, receive) = if self.active { (client, server) } else { (server, client) };
        Some(Agreed { profile, send, receive, fingerprint: fingerprint_of(state.peer_certificates.first()?) })
    }
}
