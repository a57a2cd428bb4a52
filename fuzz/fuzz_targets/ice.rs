//! Datagrams of a far end's with ICE and DTLS, at a guarded leg: the lite side and the full one get the same ones at the same
//! times. Some are sealed as one who knows the password would.

#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crc::{CRC_32_ISO_HDLC, Crc};
use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use relais::bridge::{Latch, MediaPort, Stream};
use relais::media::{Flow, Identity, MediaIo, Opened, SecureIo};
use relais::security::{Dtls, Fingerprint, Ice, IceCandidate, IceChecks, IceCredentials, Secret, Security};
use relais::settings::Codec;
use relais::time::Instant;
use sha1::Sha1;

static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| Arc::new(Identity::new().expect("a certificate")));
static ZERO: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

const PASSWORDS: [&str; 2] = ["password-of-ours-for-ice", "password-of-theirs-for-ice"];

/// What was sent last, from where the far end can take a transaction.
#[derive(Default)]
struct Wire {
    last: Vec<u8>,
    sent: usize,
}

impl MediaIo for Wire {
    type Sockets = ();

    fn open(&mut self, _: u32, _: MediaPort) -> bool {
        true
    }

    fn send(&mut self, _: u32, _: Flow, _: SocketAddr, datagram: &[u8]) -> bool {
        self.last = datagram.to_vec();
        self.sent += 1;
        true
    }

    fn take(&mut self, _: u32) -> Option<()> {
        Some(())
    }

    fn put(&mut self, _: u32, (): ()) -> bool {
        true
    }

    fn close(&mut self, _: u32) {}
}

fn far_end(number: u8) -> SocketAddr {
    ([192, 0, 2, number], 4000 + u16::from(number % 4)).into()
}

fn stream(session: u8, full: bool) -> Stream {
    let name = |name: &str, password: usize| IceCredentials {
        ufrag: format!("{name}{session}"),
        password: PASSWORDS[password].to_owned(),
    };
    let checks = full.then(|| IceChecks {
        controlling: session % 2 == 0,
        lite: session % 8 == 7,
        pacing: Duration::from_millis(50),
        candidates: (0..session % 5)
            .map(|number| IceCandidate { address: far_end(number), priority: 1 + u32::from(number) })
            .collect(),
        seed: Secret([session; 32]),
    });
    let ice = Some(Ice { local: name("ours", 0), remote: name("them", 1), checks });
    Stream {
        remote: Some(far_end(0)),
        remote_rtcp: None,
        rtcp_mux: true,
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        send_event_type: None,
        receive_event_type: None,
        ptime: Duration::from_millis(20),
        send: true,
        receive: true,
        latch: Latch::Never,
        security: Security::Dtls(Box::new(Dtls { active: false, fingerprint: Fingerprint([1; 32]), ice })),
    }
}

/// The message with its length, integrity and fingerprint as they have to be.
fn seal(message: &mut Vec<u8>, password: &str) {
    message.resize(message.len().clamp(20, 1_000).next_multiple_of(4), 0);
    message[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    let length = |message: &mut Vec<u8>, more: usize| {
        let length = (message.len() - 20 + more) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
    };
    length(message, 24);
    let mut mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).expect("any key");
    mac.update(message);
    message.extend([0, 8, 0, 20]);
    message.extend(mac.finalize().into_bytes());
    length(message, 8);
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(message) ^ 0x5354_554e;
    message.extend([0x80, 0x28, 0, 4]);
    message.extend(crc.to_be_bytes());
}

/// The input is a row of datagrams: how it is to be altered, its length, the pause before it in ten milliseconds, where it
/// is from.
fn datagrams(mut input: &[u8]) -> impl Iterator<Item = (u8, u64, SocketAddr, Vec<u8>)> {
    std::iter::from_fn(move || {
        let [how, length, pause, from, rest @ ..] = input else { return None };
        let (datagram, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        Some((*how, u64::from(*pause) * 10, far_end(*from), datagram.to_vec()))
    })
}

fn run(input: &[u8], full: bool) {
    let mut io = SecureIo::new(Wire::default(), IDENTITY.clone(), *ZERO);
    let mut now = Instant(1_000_000_000);
    let mut session = 2;
    io.protect(0, &stream(session, full), now);
    for (how, pause, from, mut datagram) in datagrams(input) {
        now = now + Duration::from_millis(pause);
        match how % 4 {
            0 => {}
            1 => seal(&mut datagram, PASSWORDS[0]),
            2 => {
                // An answer to what was sent last.
                if let (Some(to), Some(asked)) = (datagram.get_mut(8..20), io.io.last.get(8..20)) {
                    to.copy_from_slice(asked);
                }
                seal(&mut datagram, PASSWORDS[1]);
            }
            _ => {
                session = session.wrapping_add(1);
                io.protect(0, &stream(session, full), now);
            }
        }
        if let Opened::Media(..) = io.open(0, Flow::Rtp, from, &mut datagram, now) {
            panic!("media without a handshake");
        }
        let before = io.io.sent;
        let _ = io.look_after(0, now);
        assert!(io.io.sent - before < 400, "a burst of {}", io.io.sent - before);
        assert!(full || io.due(0).is_none());
    }
}

fuzz_target!(|input: &[u8]| {
    run(input, false);
    run(input, true);
});
