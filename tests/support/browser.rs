//! A browser's media without the browser: ICE that checks and controls, DTLS that begins, SRTP, all of it by libraries that
//! the server does not use for its own side of them. It says a tone in G.711 and keeps what it hears.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use relais::audio::{Decoder, Encoder};
use relais::settings::Codec;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_ice::agent::Agent;
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{CandidateConfig, unmarshal_candidate};
use rtc_shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc_srtp::config::Config as SrtpConfig;
use rtc_srtp::context::Context;
use rtc_srtp::option::srtp_replay_protection;
use rtc_srtp::protection_profile::ProtectionProfile;
use sansio::Protocol;
use sha2::{Digest, Sha256};

/// Samples of a packet: 20 ms.
const FRAME: usize = 160;

/// One media session of a page.
pub struct Browser {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    tone_hz: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    fingerprint: String,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    ice: Agent,
    /// Connectivity checks go on; else the browser is as if it had been closed.
    alive: bool,
    remote: Option<Remote>,
    srtp: Option<(Context, Context)>,
    /// When each packet came, and what it said.
    heard: Vec<(Instant, Vec<u8>)>,
    sequence: u16,
    version: u64,
}

struct Remote {
    fingerprint: String,
    payload_type: u8,
}

impl Browser {
    pub fn open() -> Browser {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        let provider = rtc_crypto::default_provider().expect("a provider");
        let certificate =
            Certificate::generate_self_signed(vec!["browser".into()], provider.crypto()).expect("a certificate");
        let fingerprint = print_of(&certificate.certificate[0]);
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_flight_interval(Duration::from_millis(100))
            .build(true, Some(address))
            .expect("a configuration");
        let ice = Agent::new(
            Instant::now(),
            Arc::new(AgentConfig { keepalive_interval: Some(Duration::from_secs(2)), ..AgentConfig::default() }),
            provider,
        );
        let mut ice = ice.expect("an agent");
        let own = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".into(),
                address: address.ip().to_string(),
                port: address.port(),
                component: 1,
                ..CandidateConfig::default()
            },
            ..CandidateHostConfig::default()
        };
        ice.add_local_candidate(own.new_candidate_host().expect("a candidate")).expect("room for one");
        let shared = Shared { ice, alive: true, remote: None, srtp: None, heard: Vec::new(), sequence: 1, version: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let (stop, tone_hz) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let peer = Peer {
            socket,
            address,
            shared: shared.clone(),
            tone_hz: tone_hz.clone(),
            dtls: Endpoint::new(address, TransportProtocol::UDP, None),
            config: Arc::new(config),
            far_end: None,
            said: 0,
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || peer.run(&stopped));
        Browser { address, shared, tone_hz, stop, fingerprint, thread: Some(thread) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its description, as Chromium writes one: an offer with `actpass`, an answer with `active`.
    pub fn describe(&self, setup: &str, direction: &str) -> String {
        let mut shared = self.shared();
        shared.version += 1;
        let own = shared.ice.get_local_credentials();
        let (ufrag, password, version) = (own.ufrag.clone(), own.pwd.clone(), shared.version);
        format!(
            "v=0\r\no=- 4611731400430051336 {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\n\
             a=ice-pwd:{password}\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=mid:0\r\n\
             a={direction}\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n",
            self.fingerprint
        )
    }

    /// Takes in the other side's offer or answer, and begins.
    pub fn take(&self, sdp: &str) {
        let value =
            |key: &str| sdp.lines().find_map(|line| line.strip_prefix(&format!("a={key}:"))).unwrap_or_default();
        let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("audio");
        let payload_type = media.split(' ').nth(2).and_then(|number| number.parse().ok()).expect("a payload type");
        let fingerprint = value("fingerprint").strip_prefix("sha-256 ").expect("a fingerprint").to_owned();
        let mut shared = self.shared();
        let first = shared.remote.is_none();
        shared.remote = Some(Remote { fingerprint, payload_type });
        let (ufrag, password) = (value("ice-ufrag").to_owned(), value("ice-pwd").to_owned());
        if !first {
            return shared.ice.set_remote_credentials(ufrag, password).expect("credentials");
        }
        assert!(sdp.contains("a=ice-lite\r\n") || sdp.contains("a=ice-options:ice2\r\n"), "{sdp}");
        for candidate in sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
            shared.ice.add_remote_candidate(unmarshal_candidate(candidate).expect("a candidate")).expect("room for it");
        }
        shared.ice.start_connectivity_checks(Instant::now(), true, ufrag, password).expect("checks");
    }

    /// Says a tone; silence at 0 Hz.
    pub fn say(&self, tone_hz: u32) {
        self.tone_hz.store(tone_hz, Ordering::Relaxed);
    }

    /// As when the page is closed without a word.
    pub fn vanish(&self) {
        self.shared().alive = false;
    }

    pub fn is_connected(&self) -> bool {
        self.shared().srtp.is_some()
    }

    pub fn first_audio(&self) -> Option<Instant> {
        self.shared().heard.first().map(|(at, _)| *at)
    }

    pub fn packets(&self) -> usize {
        self.shared().heard.len()
    }

    /// What it has heard lately, in linear samples of 8 kHz.
    pub fn heard(&self, length: Duration) -> Vec<i16> {
        let since = Instant::now().checked_sub(length).expect("the machine runs longer than that");
        let shared = self.shared();
        let pcma = shared.remote.as_ref().is_some_and(|remote| remote.payload_type == 8);
        let lately = shared.heard.iter().filter(|(at, _)| *at >= since);
        let payload: Vec<u8> = lately.flat_map(|(_, payload)| payload.iter().copied()).collect();
        let mut pcm = vec![0; payload.len()];
        Decoder::new(if pcma { Codec::Pcma } else { Codec::Pcmu }).decode(&payload, &mut pcm);
        pcm
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's part.
struct Peer {
    socket: UdpSocket,
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    tone_hz: Arc<AtomicU32>,
    dtls: Endpoint,
    config: Arc<HandshakeConfig>,
    far_end: Option<SocketAddr>,
    said: usize,
}

impl Peer {
    fn run(mut self, stop: &AtomicBool) {
        self.socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        let mut buffer = [0; 2048];
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let received = self.socket.recv_from(&mut buffer).ok();
            let shared = self.shared.clone();
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if !shared.alive {
                continue;
            }
            let now = Instant::now();
            if let Some((length, from)) = received {
                self.receive(&mut shared, &buffer[..length], from, now);
            }
            self.go_on(&mut shared, now);
            if now >= next {
                next += Duration::from_millis(20);
                self.speak(&mut shared);
            }
        }
    }

    fn receive(&mut self, shared: &mut Shared, datagram: &[u8], from: SocketAddr, now: Instant) {
        let transport = TransportContext {
            local_addr: self.address,
            peer_addr: from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        match datagram[0] {
            0..=3 => {
                let _ = shared.ice.handle_read(TransportMessage { now, transport, message: BytesMut::from(datagram) });
            }
            20..=63 => {
                let events = self.dtls.read(now, from, None, BytesMut::from(datagram)).expect("a sound handshake");
                if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
                    self.take_keys(shared, from);
                }
            }
            _ => {
                let Some((_, receive)) = &mut shared.srtp else { return };
                if matches!(datagram[1], 192..=223) {
                    receive.decrypt_rtcp(datagram).expect("an authentic report");
                } else {
                    let plain = receive.decrypt_rtp(datagram).expect("an authentic packet");
                    shared.heard.push((now, plain[12..].to_vec()));
                }
            }
        }
    }

    fn take_keys(&mut self, shared: &mut Shared, from: SocketAddr) {
        let state = self.dtls.get_connection_state(from).expect("a handshake");
        let remote = shared.remote.as_ref().expect("a description");
        assert_eq!(print_of(&state.peer_certificates[0]), remote.fingerprint, "the certificate of the description");
        let mut config = SrtpConfig { profile: ProtectionProfile::Aes128CmHmacSha1_80, ..SrtpConfig::default() };
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], config.keying_material_len());
        config
            .set_session_keys_from_keying_material(material.expect("keys").as_ref(), true)
            .expect("keys of their length");
        let provider = rtc_crypto::default_provider().expect("a provider");
        let keys = &config.keys;
        let context = |key: &[u8], salt: &[u8], replay| {
            Context::new(key, salt, config.profile, replay, None, provider.crypto()).expect("a context")
        };
        shared.srtp = Some((
            context(&keys.local_master_key, &keys.local_master_salt, None),
            context(&keys.remote_master_key, &keys.remote_master_salt, Some(srtp_replay_protection(64))),
        ));
    }

    fn go_on(&mut self, shared: &mut Shared, now: Instant) {
        if shared.ice.poll_timeout().is_some_and(|at| at <= now) {
            let _ = shared.ice.handle_timeout(now);
        }
        while let Some(message) = shared.ice.poll_write() {
            let _ = self.socket.send_to(&message.message, message.transport.peer_addr);
        }
        let selected = shared.ice.get_selected_candidate_pair().map(|(_, remote)| remote.addr());
        if let Some(far_end) = selected.filter(|_| self.far_end.is_none()) {
            self.far_end = Some(far_end);
            self.dtls.connect(now, far_end, self.config.clone(), None).expect("a first flight");
        }
        if let Some(far_end) = self.far_end {
            let _ = self.dtls.handle_timeout(far_end, now);
        }
        while let Some(message) = self.dtls.poll_transmit() {
            let _ = self.socket.send_to(&message.message, message.transport.peer_addr);
        }
    }

    fn speak(&mut self, shared: &mut Shared) {
        let Shared { srtp: Some((send, _)), remote: Some(remote), sequence, .. } = shared else { return };
        let Some(far_end) = self.far_end else { return };
        let hz = self.tone_hz.load(Ordering::Relaxed);
        let mut packet = vec![0x80, remote.payload_type];
        *sequence += 1;
        packet.extend(sequence.to_be_bytes());
        packet.extend((self.said as u32).to_be_bytes());
        packet.extend(0x5eed_5eedu32.to_be_bytes());
        let sample = |at: usize| {
            let phase = 2.0 * std::f64::consts::PI * f64::from(hz) * (at as f64) / 8000.0;
            (phase.sin() * 8000.0) as i16
        };
        let pcm: Vec<i16> = (self.said..self.said + FRAME).map(sample).collect();
        let mut payload = [0; FRAME];
        let codec = if remote.payload_type == 8 { Codec::Pcma } else { Codec::Pcmu };
        Encoder::new(codec).encode(&pcm, &mut payload);
        packet.extend(payload);
        self.said += FRAME;
        if let Ok(protected) = send.encrypt_rtp(&packet) {
            let _ = self.socket.send_to(&protected, far_end);
        }
    }
}

fn print_of(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}
