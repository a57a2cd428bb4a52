//! The vectors of RFC 3711 and RFC 7714, another implementation on the other side, and a hostile network.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use rtc_srtp::context::Context as Theirs;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::rtp::Header;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn key(profile: Profile) -> MasterKey {
    let octets: Vec<u8> = (0..profile.key_octets()).map(|at| at as u8 * 5 + 1).collect();
    MasterKey::new(profile, &octets).unwrap()
}

fn pair(profile: Profile) -> (Context, Context) {
    (Context::new(profile, &key(profile)), Context::new(profile, &key(profile)))
}

fn theirs(profile: Profile) -> Theirs {
    let profile_there = match profile {
        Profile::Aes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Profile::Aes128CmSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
    };
    let key = key(profile);
    let (key, salt) = key.octets(profile).split_at(KEY);
    let (rtp, rtcp) = (Some(srtp_replay_protection(64)), Some(srtcp_replay_protection(64)));
    let provider = rtc_crypto::default_provider().unwrap();
    Theirs::new(key, salt, profile_there, rtp, rtcp, provider.crypto()).unwrap()
}

fn rtp(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 8, sequence, timestamp: u32::from(sequence) * 160, ssrc };
    let mut packet = vec![0; Header::LEN];
    header.write(&mut packet).unwrap();
    packet.extend_from_slice(payload);
    packet
}

/// A receiver report without blocks, and a name.
fn rtcp() -> Vec<u8> {
    hex("80c90001 cafebabe 81ca0003 cafebabe 0104 6e616d65 0000")
}

fn protect(context: &mut Context, packet: &[u8]) -> Vec<u8> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + MOST_ADDED, 0xee);
    let is_rtcp = crate::rtp::is_rtcp(packet);
    let length = match is_rtcp {
        true => context.protect_rtcp(&mut room, packet.len()),
        false => context.protect_rtp(&mut room, packet.len()),
    };
    room.truncate(length.unwrap());
    room
}

fn unprotect(context: &mut Context, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let length = match crate::rtp::is_rtcp(&packet) {
        true => context.unprotect_rtcp(&mut packet),
        false => context.unprotect_rtp(&mut packet),
    }?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let derived = |label, length| {
        let mut out = vec![0; length];
        derive(&master, label, &mut out);
        out
    };
    assert_eq!(derived(ENCRYPTION, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derived(SALT, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(derived(AUTHENTICATION, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let counter = CounterMode {
        aes: Aes128::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap(),
        salt: hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap(),
        mac: keyed(&[0; 20]),
        tag: SHA1_80,
    };
    let mut stream = [0; 48];
    counter.apply(&mut stream, 0, 0);
    assert_eq!(
        stream.to_vec(),
        hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")
    );
}

#[test]
fn what_we_protect_another_implementation_reads_and_the_other_way_round() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let (mut their_sender, mut their_receiver) = (theirs(profile), theirs(profile));
        // Over the end of the sequence numbers.
        for step in 0..200u16 {
            let packet = rtp(65_500u16.wrapping_add(step), 7, &[step as u8; 160]);
            let protected = protect(&mut sender, &packet);
            assert_ne!(protected[12..100], packet[12..100]);
            assert_eq!(their_receiver.decrypt_rtp(&protected).unwrap(), packet, "{profile:?} {step}");
            let protected = their_sender.encrypt_rtp(&packet).unwrap();
            assert_eq!(unprotect(&mut receiver, &protected).unwrap(), packet, "{profile:?} {step}");
        }
        for _ in 0..3 {
            let protected = protect(&mut sender, &rtcp());
            assert_eq!(their_receiver.decrypt_rtcp(&protected).unwrap(), rtcp(), "{profile:?}");
            let protected = their_sender.encrypt_rtcp(&rtcp()).unwrap();
            assert_eq!(unprotect(&mut receiver, &protected).unwrap(), rtcp(), "{profile:?}");
        }
    }
}

#[test]
fn contributing_sources_and_extensions_stay_readable() {
    let mut packet = rtp(1, 9, &[]);
    packet[0] = 0x92;
    packet.extend(hex("00000001 00000002 bede0001 10aa0000"));
    packet.extend_from_slice(b"speech");
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let protected = protect(&mut sender, &packet);
        assert_eq!(protected[..28], packet[..28]);
        assert_ne!(protected[28..34], packet[28..34]);
        assert_eq!(unprotect(&mut receiver, &protected).unwrap(), packet);
        assert_eq!(theirs(profile).decrypt_rtp(&protected).unwrap(), packet);
    }
}

#[test]
fn a_packet_comes_through_once() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let packets: Vec<Vec<u8>> = (0..100).map(|at| protect(&mut sender, &rtp(at, 1, b"x"))).collect();
        let report = protect(&mut sender, &rtcp());
        assert!(unprotect(&mut receiver, &packets[99]).is_ok());
        assert!(unprotect(&mut receiver, &packets[36]).is_ok(), "the last one that is not too old");
        assert_eq!(unprotect(&mut receiver, &packets[35]), Err(SrtpError::Replayed), "too old to know");
        assert_eq!(unprotect(&mut receiver, &packets[99]), Err(SrtpError::Replayed));
        assert_eq!(unprotect(&mut receiver, &packets[36]), Err(SrtpError::Replayed));
        assert!(unprotect(&mut receiver, &report).is_ok());
        assert_eq!(unprotect(&mut receiver, &report), Err(SrtpError::Replayed));
    }
}

#[test]
fn an_altered_packet_changes_nothing() {
    for profile in Profile::ALL {
        for original in [rtp(5, 1, b"some words"), rtcp()] {
            let (mut sender, mut receiver) = pair(profile);
            let protected = protect(&mut sender, &original);
            for at in 0..protected.len() {
                for bit in 0..8 {
                    let mut altered = protected.clone();
                    altered[at] ^= 1 << bit;
                    let taken = unprotect(&mut receiver, &altered);
                    assert!(taken.is_err(), "{profile:?}: bit {bit} of octet {at}");
                }
            }
            for length in 0..protected.len() {
                assert!(unprotect(&mut receiver, &protected[..length]).is_err());
            }
            assert!(receiver.sources.is_empty(), "nothing is kept of what was not authentic");
            assert_eq!(unprotect(&mut receiver, &protected).unwrap(), original);
        }
    }
}

#[test]
fn numbers_go_round_many_times_with_losses_and_disorder() {
    let profile = Profile::Aes128Gcm;
    let (mut sender, mut receiver) = pair(profile);
    let rng = &mut ChaCha12Rng::seed_from_u64(1);
    let mut held: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut sequence = 60_000u16;
    for _ in 0..20_000 {
        // Steps of ten on average, so that the numbers go round three times.
        sequence = sequence.wrapping_add((rng.next_u32() % 20) as u16);
        let packet = rtp(sequence, 3, &sequence.to_be_bytes());
        if held.iter().any(|(known, _)| *known == packet) {
            continue;
        }
        let protected = protect(&mut sender, &packet);
        held.push((packet, protected));
        if held.len() > 3 {
            let (packet, protected) = held.swap_remove(rng.next_u32() as usize % held.len());
            match unprotect(&mut receiver, &protected) {
                Ok(plain) => assert_eq!(plain, packet),
                Err(error) => assert_eq!(error, SrtpError::Replayed, "behind the window"),
            }
        }
    }
    assert!(receiver.sources[0].rtp.highest > 2 << 16, "{}", receiver.sources[0].rtp.highest);
}

#[test]
fn only_the_latest_sources_are_kept() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_80);
    for ssrc in 0..40 {
        let protected = protect(&mut sender, &rtp(9, ssrc, b"x"));
        unprotect(&mut receiver, &protected).unwrap();
    }
    assert_eq!(receiver.sources.len(), SOURCES);
    assert!(receiver.source(39).is_some() && receiver.source(1).is_none());
}

#[test]
fn no_datagram_whatever_brings_a_context_down() {
    let rng = &mut ChaCha12Rng::seed_from_u64(2);
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for _ in 0..3_000 {
            let mut datagram = vec![0; rng.next_u32() as usize % 64];
            rng.fill_bytes(&mut datagram);
            if let Some(first) = datagram.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            assert!(receiver.unprotect_rtp(&mut datagram.clone()).is_err());
            assert!(receiver.unprotect_rtcp(&mut datagram.clone()).is_err());
            let length = datagram.len();
            let _ = sender.protect_rtp(&mut datagram.clone(), length);
            datagram.resize(length + 3, 0);
            let _ = sender.protect_rtcp(&mut datagram, length);
        }
    }
}
