//! Guards before sockets that keep what they are given, in a time that the test makes up.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::stun::tests::{Asked, is_success};
use super::*;
use crate::bridge::{Latch, Loss};
use crate::rtp::Header;
use crate::security::{Dtls, Fingerprint, Ice, IceCandidate, IceChecks, IceCredentials, Profile, Sdes, Secret};
use crate::settings::Codec;

#[derive(Default)]
struct Wire(Vec<(Flow, SocketAddr, Vec<u8>)>);

impl MediaIo for Wire {
    type Sockets = ();

    fn open(&mut self, _: u32, _: MediaPort) -> bool {
        true
    }

    fn send(&mut self, _: u32, flow: Flow, to: SocketAddr, datagram: &[u8]) -> bool {
        self.0.push((flow, to, datagram.to_vec()));
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

/// One end, with one leg.
struct Side {
    io: SecureIo<Wire>,
    address: SocketAddr,
    now: Instant,
    lost: Vec<Loss>,
}

const PLACE: u32 = 3;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(ms: u64) -> Instant {
    Instant(0) + Duration::from_millis(ms)
}

impl Side {
    fn new(own: &str) -> Side {
        let identity = Arc::new(Identity::new().unwrap());
        let io = SecureIo::new(Wire::default(), identity, std::time::Instant::now());
        Side { io, address: address(own), now: at(0), lost: Vec::new() }
    }

    fn fingerprint(&self) -> Fingerprint {
        self.io.identity.fingerprint
    }

    fn protect(&mut self, remote: &str, security: Security) {
        let stream = Stream { security, ..stream(remote) };
        self.io.protect(PLACE, &stream, self.now);
    }

    /// What the worker is given of a datagram.
    fn open(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        match self.io.open(PLACE, Flow::Rtp, from, &mut datagram.to_vec(), self.now) {
            Opened::Media(from, plain) => Some((from, plain.to_vec())),
            Opened::Pieces(_) | Opened::Handled | Opened::Refused => None,
        }
    }

    fn send(&mut self, datagram: &[u8]) -> Vec<u8> {
        assert!(self.io.send(PLACE, Flow::Rtp, address("203.0.113.1:9"), datagram));
        self.io.io.0.pop().map(|(_, _, datagram)| datagram).unwrap_or_default()
    }

    fn sent(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.io.io.0).into_iter().map(|(_, to, datagram)| (to, datagram)).collect()
    }

    fn ready(&self) -> bool {
        self.io.is_ready(PLACE)
    }

    fn pass(&mut self, now: Instant) {
        self.now = now;
        self.lost.extend(self.io.look_after(PLACE, now).lost);
    }
}

fn stream(remote: &str) -> Stream {
    Stream {
        remote: Some(address(remote)),
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
        security: Security::Plain,
    }
}

fn rtp(sequence: u16) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 8, sequence, timestamp: 160, ssrc: 77 };
    let mut packet = vec![0; Header::LEN];
    header.write(&mut packet).unwrap();
    packet.extend([0xd5; 160]);
    packet
}

fn rtcp() -> Vec<u8> {
    hex::decode("80c90001cafebabe").unwrap()
}

fn sdes(profile: Profile, send: u8, receive: u8) -> Security {
    let key = |number| Secret([number; 32]).master_key(profile, 0);
    Security::Sdes(Sdes { profile, send: key(send), receive: key(receive) })
}

fn dtls(active: bool, fingerprint: Fingerprint, ice: Option<Ice>) -> Security {
    Security::Dtls(Box::new(Dtls { active, fingerprint, ice }))
}

fn ice(number: u32) -> Ice {
    let side = |name: &str| IceCredentials {
        ufrag: format!("{name}{number}"),
        password: format!("{name}-password-{number}-of-ice"),
    };
    Ice { local: side("ours"), remote: side("them"), checks: None }
}

/// Passes datagrams to and fro until nobody has any more; `drops` the first so many of them.
fn exchange(a: &mut Side, b: &mut Side, mut drops: usize) {
    loop {
        let (from_a, from_b) = (a.sent(), b.sent());
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        for (_, datagram) in from_a {
            if drops > 0 {
                drops -= 1;
            } else {
                b.open(a.address, &datagram);
            }
        }
        for (_, datagram) in from_b {
            if drops > 0 {
                drops -= 1;
            } else {
                a.open(b.address, &datagram);
            }
        }
    }
}

/// A phone that begins, and one of ours that waits; neither has ICE.
fn pair() -> (Side, Side) {
    let (mut a, mut b) = (Side::new("192.0.2.1:4000"), Side::new("192.0.2.2:5000"));
    let (of_a, of_b) = (a.fingerprint(), b.fingerprint());
    b.protect("192.0.2.1:4000", dtls(false, of_a, None));
    a.protect("192.0.2.2:5000", dtls(true, of_b, None));
    (a, b)
}

fn assert_they_hear_each_other(a: &mut Side, b: &mut Side) {
    for (sequence, plain) in [(1, rtp(1)), (2, rtp(2)), (0, rtcp())] {
        let protected = a.send(&plain);
        assert_ne!(protected, plain);
        assert_eq!(b.open(a.address, &protected), Some((a.address, plain.clone())), "{sequence}");
        assert_eq!(b.open(a.address, &protected), None, "a second time");
        let protected = b.send(&plain);
        assert_eq!(a.open(b.address, &protected), Some((b.address, plain)));
    }
}

#[test]
fn a_leg_without_protection_is_handed_through() {
    let mut side = Side::new("192.0.2.1:4000");
    side.protect("192.0.2.2:5000", Security::Plain);
    assert!(side.ready());
    for datagram in [rtp(1), rtcp(), vec![0, 1], vec![22; 30], Vec::new()] {
        assert_eq!(side.open(address("192.0.2.9:1"), &datagram), Some((address("192.0.2.9:1"), datagram.clone())));
        assert_eq!(side.send(&datagram), datagram);
    }
}

#[test]
fn keys_of_the_description_protect_both_ways() {
    for profile in Profile::ALL {
        let (mut a, mut b) = (Side::new("192.0.2.1:4000"), Side::new("192.0.2.2:5000"));
        a.protect("192.0.2.2:5000", sdes(profile, 1, 2));
        b.protect("192.0.2.1:4000", sdes(profile, 2, 1));
        assert!(a.ready());
        assert_they_hear_each_other(&mut a, &mut b);
        assert_eq!(b.open(a.address, &rtp(9)), None, "in the clear");
        assert_eq!(b.open(a.address, b"\x16\xfe\xff"), None);
    }
}

#[test]
fn keys_that_stay_keep_their_counters_and_others_begin_anew() {
    let (mut a, mut b) = (Side::new("192.0.2.1:4000"), Side::new("192.0.2.2:5000"));
    let profile = Profile::Aes128CmSha1_80;
    a.protect("192.0.2.2:5000", sdes(profile, 1, 2));
    b.protect("192.0.2.1:4000", sdes(profile, 2, 1));
    let first = a.send(&rtp(1));
    assert!(b.open(a.address, &first).is_some());
    b.protect("192.0.2.1:4000", sdes(profile, 2, 1));
    assert_eq!(b.open(a.address, &first), None, "a hold does not make what was heard new again");
    a.protect("192.0.2.2:5000", sdes(profile, 3, 2));
    let second = a.send(&rtp(2));
    assert_eq!(b.open(a.address, &second), None);
    b.protect("192.0.2.1:4000", sdes(profile, 2, 3));
    assert!(b.open(a.address, &second).is_some());
}

#[test]
fn a_handshake_brings_the_keys() {
    let (mut a, mut b) = pair();
    assert!(!a.ready() && !b.ready());
    assert!(a.io.send(PLACE, Flow::Rtp, b.address, &rtp(1)), "not a failure: nobody is there yet");
    exchange(&mut a, &mut b, 0);
    assert!(a.ready() && b.ready());
    assert_they_hear_each_other(&mut a, &mut b);
    a.pass(at(20_000));
    assert!(a.lost.is_empty());
    assert_they_hear_again(&mut a, &mut b);
}

fn assert_they_hear_again(a: &mut Side, b: &mut Side) {
    let protected = a.send(&rtp(3));
    assert_eq!(b.open(a.address, &protected), Some((a.address, rtp(3))));
}

#[test]
fn a_handshake_gets_over_losses() {
    for drops in 1..8 {
        let (mut a, mut b) = pair();
        exchange(&mut a, &mut b, drops);
        for step in 1..80 {
            if a.ready() && b.ready() {
                break;
            }
            a.pass(at(100 * step));
            b.pass(at(100 * step));
            exchange(&mut a, &mut b, 0);
        }
        assert!(a.ready() && b.ready(), "{drops} lost");
        assert!(a.lost.is_empty() && b.lost.is_empty());
        assert_they_hear_each_other(&mut a, &mut b);
    }
}

#[test]
fn another_certificate_than_the_descriptions_ends_the_leg() {
    let (mut a, mut b) = (Side::new("192.0.2.1:4000"), Side::new("192.0.2.2:5000"));
    let of_b = b.fingerprint();
    b.protect("192.0.2.1:4000", dtls(false, Fingerprint([1; 32]), None));
    a.protect("192.0.2.2:5000", dtls(true, of_b, None));
    exchange(&mut a, &mut b, 0);
    assert!(!b.ready());
    b.pass(at(100));
    b.pass(at(200));
    assert_eq!(b.lost, [Loss::Certificate], "told once");
    let protected = a.send(&rtp(1));
    assert_eq!(b.open(a.address, &protected), None);
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let (mut a, _) = pair();
    for step in 1..200 {
        a.pass(at(100 * step));
    }
    assert_eq!(a.lost, [Loss::Handshake]);
    assert!(a.sent().len() < 10, "and has not asked for ever");
}

#[test]
fn hold_and_thread_change_leave_the_keys_alone() {
    let (mut a, mut b) = pair();
    exchange(&mut a, &mut b, 0);
    let of_b = b.fingerprint();
    a.protect("192.0.2.2:5000", dtls(true, of_b, None));
    assert!(a.sent().is_empty(), "no second handshake");
    let sockets = a.io.take(PLACE).unwrap();
    assert!(a.io.guard(PLACE).is_none());
    assert!(a.io.put(PLACE, sockets));
    assert_they_hear_each_other(&mut a, &mut b);
}

/// A browser's checks of a leg of ours.
fn browser_leg() -> Side {
    let mut side = Side::new("192.0.2.2:5000");
    let fingerprint = side.fingerprint();
    side.protect("0.0.0.0:9", dtls(false, fingerprint, Some(ice(1))));
    side
}

fn check(side: &mut Side, from: &str, number: u32, nominates: bool) -> Option<Vec<u8>> {
    let ice = ice(number);
    let asked = Asked { nominates, ..Asked::new(&ice.local.ufrag, &ice.remote.ufrag, &ice.local.password) };
    side.open(address(from), asked.octets().as_slice());
    let (to, answer) = side.sent().pop()?;
    assert_eq!(to, address(from));
    Some(answer)
}

#[test]
fn a_check_is_answered_and_a_nomination_is_followed() {
    let mut side = browser_leg();
    let answer = check(&mut side, "198.51.100.1:6000", 1, false).unwrap();
    assert!(is_success(&answer, &ice(1).local.password));
    assert_eq!(side.io.guard(PLACE).unwrap().destination(None), Some(address("198.51.100.1:6000")));
    check(&mut side, "198.51.100.2:6000", 1, true).unwrap();
    check(&mut side, "198.51.100.1:6000", 1, false).unwrap();
    assert_eq!(side.io.guard(PLACE).unwrap().destination(None), Some(address("198.51.100.2:6000")));
    check(&mut side, "198.51.100.3:7000", 1, true).unwrap();
    assert_eq!(
        side.io.guard(PLACE).unwrap().destination(None),
        Some(address("198.51.100.3:7000")),
        "the network has changed"
    );
}

#[test]
fn nobody_is_answered_who_does_not_know_the_password() {
    let mut side = browser_leg();
    let Ice { local, remote, .. } = ice(1);
    for (ours, theirs, password) in [
        (local.ufrag.as_str(), remote.ufrag.as_str(), "wrong"),
        (&local.ufrag, "other", &local.password),
        ("other", &remote.ufrag, &local.password),
        (&local.ufrag, "", &local.password),
        (&remote.ufrag, &local.ufrag, &local.password),
    ] {
        side.open(address("198.51.100.1:6000"), &Asked::new(ours, theirs, password).octets());
        assert!(side.sent().is_empty(), "{ours} {theirs}");
    }
    assert_eq!(side.open(address("198.51.100.1:6000"), b"\x16\xfe\xff\0"), None, "no check, no handshake");
    assert!(side.sent().is_empty());
}

#[test]
fn a_controlled_far_end_is_told_to_control() {
    let mut side = browser_leg();
    let Ice { local, remote, .. } = ice(1);
    let asked = Asked { controlled: true, ..Asked::new(&local.ufrag, &remote.ufrag, &local.password) };
    side.open(address("198.51.100.1:6000"), &asked.octets());
    let (_, answer) = side.sent().pop().unwrap();
    assert!(!is_success(&answer, &local.password));
    assert_eq!(answer[20..28], [0, 9, 0, 4, 0, 0, 4, 87]);
    assert_eq!(side.io.guard(PLACE).unwrap().destination(None), None);
}

#[test]
fn a_browser_that_falls_silent_is_seen_in_time() {
    let mut side = browser_leg();
    let mut browser = Side::new("198.51.100.1:6000");
    let ours = side.fingerprint();
    browser.protect("192.0.2.2:5000", dtls(true, ours, None));
    let theirs = browser.fingerprint();
    side.protect("0.0.0.0:9", dtls(false, theirs, Some(ice(1))));
    check(&mut side, "198.51.100.1:6000", 1, true).unwrap();
    exchange(&mut browser, &mut side, 0);
    assert!(side.ready());
    for step in 1..400 {
        side.pass(at(100 * step));
        if step <= 100 && step % 25 == 0 {
            check(&mut side, "198.51.100.1:6000", 1, true).unwrap();
        }
        assert_eq!(side.lost.is_empty(), step < 220, "at {step}");
    }
    assert_eq!(side.lost, [Loss::Consent], "told once");
}

#[test]
fn what_a_browser_says_comes_from_the_far_end_by_its_name() {
    let mut side = browser_leg();
    let mut browser = Side::new("198.51.100.1:6000");
    let (ours, theirs) = (side.fingerprint(), browser.fingerprint());
    side.protect("0.0.0.0:9", dtls(false, theirs, Some(ice(1))));
    browser.protect("192.0.2.2:5000", dtls(true, ours, None));
    browser.sent();
    check(&mut side, "198.51.100.1:6000", 1, true).unwrap();
    browser.pass(at(600));
    exchange(&mut browser, &mut side, 0);
    assert!(side.ready() && browser.ready());
    let protected = browser.send(&rtp(1));
    assert_eq!(side.open(address("198.51.100.66:6000"), &protected), None, "from where no check came");
    assert_eq!(side.open(browser.address, &protected), Some((address("0.0.0.0:9"), rtp(1))));
    side.send(&rtp(1));
    check(&mut side, "198.51.100.7:6001", 1, true).unwrap();
    side.io.send(PLACE, Flow::Rtp, address("0.0.0.0:9"), &rtp(2));
    let (to, protected) = side.sent().pop().unwrap();
    assert_eq!(to, address("198.51.100.7:6001"));
    assert_eq!(browser.open(side.address, &protected), Some((side.address, rtp(2))));
}

#[test]
fn a_restart_changes_the_password_and_nothing_else() {
    let mut side = browser_leg();
    let fingerprint = side.fingerprint();
    check(&mut side, "198.51.100.1:6000", 1, true).unwrap();
    side.protect("0.0.0.0:9", dtls(false, fingerprint, Some(ice(2))));
    assert_eq!(side.io.guard(PLACE).unwrap().destination(None), Some(address("198.51.100.1:6000")));
    assert!(check(&mut side, "198.51.100.1:6000", 1, false).is_some(), "until it has moved over");
    let answer = check(&mut side, "198.51.100.9:6000", 2, true).unwrap();
    assert!(is_success(&answer, &ice(2).local.password));
    assert!(check(&mut side, "198.51.100.1:6000", 1, false).is_none());
    assert_eq!(side.io.guard(PLACE).unwrap().destination(None), Some(address("198.51.100.9:6000")));
}

/// A full side by the number of its session, the far end at this place.
fn full_ice(ours: &str, theirs: &str, far: &str) -> Ice {
    let side = |name: &str| IceCredentials { ufrag: format!("{name}1"), password: format!("{name}-password-of-ice") };
    let checks = IceChecks {
        controlling: ours == "aaaa",
        lite: false,
        pacing: Duration::from_millis(50),
        candidates: vec![IceCandidate { address: address(far), priority: 2_130_706_431 }],
        seed: Secret([ours.as_bytes()[0]; 32]),
    };
    Ice { local: side(ours), remote: side(theirs), checks: Some(checks) }
}

#[test]
fn two_full_sides_check_shake_hands_and_talk() {
    let (mut a, mut b) = (Side::new("192.0.2.1:4000"), Side::new("192.0.2.2:5000"));
    let (of_a, of_b) = (a.fingerprint(), b.fingerprint());
    a.protect("0.0.0.0:9", dtls(false, of_b, Some(full_ice("aaaa", "bbbb", "192.0.2.2:5000"))));
    assert_eq!(a.sent().len(), 1, "a check, and no handshake yet");
    assert!(a.io.due(PLACE).is_some_and(|due| due <= at(500)));
    b.protect("0.0.0.0:9", dtls(true, of_a, Some(full_ice("bbbb", "aaaa", "192.0.2.1:4000"))));
    // That check is lost. What the handshake says meanwhile is kept until there is a way for it.
    for step in 1..100 {
        exchange(&mut a, &mut b, 0);
        a.pass(at(10 * step));
        b.pass(at(10 * step));
    }
    assert!(a.ready() && b.ready());
    let protected = a.send(&rtp(1));
    assert_eq!(b.open(a.address, &protected), Some((address("0.0.0.0:9"), rtp(1))));
    assert_eq!(b.open(address("198.51.100.66:6000"), &protected), None, "from where nothing was heard");
    a.send(&rtp(2));
    for step in 100..2_000 {
        a.pass(at(10 * step));
        let _ = a.sent();
    }
    assert_eq!(a.lost, [Loss::Consent], "no answers come any more");
    assert!(a.io.send(PLACE, Flow::Rtp, b.address, &rtp(3)) && a.sent().is_empty(), "RFC 7675: nothing is sent to it");
    assert_eq!(a.io.due(PLACE), None);
}

#[test]
fn a_lite_leg_has_no_checks_to_send() {
    let mut side = browser_leg();
    check(&mut side, "198.51.100.1:6000", 1, true).unwrap();
    assert_eq!(side.io.due(PLACE), None);
    side.pass(at(5_000));
    assert!(side.sent().is_empty());
}

#[test]
fn no_datagram_whatever_brings_a_guard_down() {
    let rng = &mut ChaCha12Rng::seed_from_u64(3);
    for round in 0..60 {
        let (mut a, mut b) = pair();
        let mut real: Vec<Vec<u8>> = a.sent().into_iter().map(|(_, datagram)| datagram).collect();
        for step in 0..40u64 {
            let mut datagram = real[rng.next_u32() as usize % real.len()].clone();
            for _ in 0..rng.next_u32() % 6 {
                let at = rng.next_u32() as usize % datagram.len();
                match rng.next_u32() % 3 {
                    0 => datagram[at] = rng.next_u32() as u8,
                    1 => datagram.truncate(at.max(1)),
                    _ => datagram.extend_from_within(at..),
                }
            }
            datagram.truncate(2_000);
            b.open(a.address, &datagram);
            b.pass(at(step * 50));
            for (_, sent) in b.sent() {
                a.open(b.address, &sent);
            }
            real.extend(a.sent().into_iter().map(|(_, datagram)| datagram));
        }
        assert!(b.lost.is_empty() || !b.ready(), "round {round}");
    }
}
