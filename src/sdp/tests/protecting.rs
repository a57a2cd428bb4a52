//! Offers and answers with keys: SDES, DTLS, ICE. What a browser says is a Chromium's own words, shortened.

use super::*;
use crate::security::{Dtls, Fingerprint, Ice, IceChecks, IceCredentials, MasterKey, Profile, Sdes, Secret, Security};
use crate::settings::IceSide;

const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn secret(number: u8) -> Secret {
    Secret([number; 32])
}

fn protection(offers: Offers) -> Protection {
    Protection {
        offers,
        sdes: true,
        required: false,
        fingerprint: Some(Fingerprint([0xaa; 32])),
        ice: IceSide::Lite,
        secret: secret(1),
    }
}

fn protected(offers: Offers) -> Negotiator {
    let codecs = [Codec::Pcma, Codec::Pcmu, Codec::G722];
    Negotiator::new(LocalAudio { protection: protection(offers), ..local(&codecs) })
}

/// Another system, which is offered to or offers.
fn other(offers: Offers) -> Negotiator {
    let protection = Protection { secret: secret(2), fingerprint: Some(Fingerprint([0xbb; 32])), ..protection(offers) };
    let address = "198.51.100.20:50000".parse().unwrap();
    Negotiator::new(LocalAudio { address, protection, ..local(&[Codec::Pcmu, Codec::Pcma]) })
}

fn sdes(agreed: &Agreed) -> Sdes {
    match &agreed.security {
        Security::Sdes(sdes) => *sdes,
        other => panic!("{other:?}"),
    }
}

fn dtls(agreed: &Agreed) -> Dtls {
    match &agreed.security {
        Security::Dtls(dtls) => (**dtls).clone(),
        other => panic!("{other:?}"),
    }
}

/// An offer of Chromium's; `direction` and the ICE credentials vary.
fn browser(direction: &str, ufrag: &str) -> Vec<u8> {
    let media =
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n";
    let ice = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:asd88fgpdd777uzjYhagZg1234\r\na=ice-options:trickle\r\n");
    let print = Fingerprint([0x5a; 32]);
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
         a=msid-semantic: WMS stream\r\n{media}{ice}a=fingerprint:{print}\r\na=setup:actpass\r\na=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na={direction}\r\na=msid:stream track\r\na=rtcp-mux\r\n\
         a=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:126 telephone-event/8000\r\na=ssrc:2214 cname:x\r\na=ssrc:2214 msid:stream track\r\n\
         a=candidate:1 1 udp 2113937151 0f6.local 51002 typ host generation 0 network-cost 999\r\n"
    )
    .into_bytes()
}

#[test]
fn a_key_in_an_offer_is_answered_with_one_of_ours_under_its_tag() {
    let offer = sdp(&[
        "m=audio 4000 RTP/SAVP 0",
        "a=crypto:1 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm",
        &format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20"),
        &format!("a=crypto:8 AES_CM_128_HMAC_SHA1_32 {KEY}"),
    ]);
    let mut negotiator = protected(Offers::Plain);
    let (answer, agreed) = negotiator.take_offer(&offer, Direction::BOTH).unwrap();
    let Sdes { profile, send, receive } = sdes(&agreed);
    assert_eq!(profile, Profile::Aes128CmSha1_80);
    assert_eq!(Some(receive), MasterKey::new(profile, b"YS___semctl () {\t220;}\n}\nunles"));
    assert_eq!(send, secret(1).master_key(profile, 0));
    let answer = text(&answer);
    assert!(answer.contains("m=audio 40000 RTP/SAVP 0\r\n"), "{answer}");
    assert_eq!(answer.matches("a=crypto:").count(), 1);
    assert!(answer.contains("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:"), "{answer}");
    assert!(!answer.contains("fingerprint") && !answer.contains("candidate"));
    let (again, kept) = negotiator.take_offer(&offer, Direction::BOTH).unwrap();
    assert_eq!(sdes(&kept), sdes(&agreed), "the key stays for as long as the suite does");
    assert_eq!(text(&again), answer);
}

#[test]
fn keys_that_cannot_be_used_are_488() {
    for line in [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=",
        &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4"),
        &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY};{KEY}"),
        &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"),
        &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} KDR=1"),
        &format!("a=crypto:x AES_CM_128_HMAC_SHA1_80 {KEY}"),
        &format!("a=crypto:1 AES_256_CM_HMAC_SHA1_80 {KEY}"),
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80",
        "a=crypto",
        "a=sendrecv",
    ] {
        let error = protected(Offers::Plain).take_offer(&sdp(&["m=audio 4000 RTP/SAVP 0", line]), Direction::BOTH);
        assert_eq!(error.unwrap_err().status(), 488, "{line}");
    }
    let fine = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} WSH=128");
    protected(Offers::Plain).take_offer(&sdp(&["m=audio 4000 RTP/SAVP 0", &fine]), Direction::BOTH).unwrap();
}

#[test]
fn keys_that_others_can_read_are_refused_and_say_so() {
    let mut open = Negotiator::new(LocalAudio {
        protection: Protection { sdes: false, ..protection(Offers::Plain) },
        ..local(&[Codec::Pcmu])
    });
    let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    let error = open.take_offer(&sdp(&["m=audio 4000 RTP/SAVP 0", &line]), Direction::BOTH).unwrap_err();
    assert!(error.to_string().contains("use TLS") && error.status() == 488, "{error}");
    let (answer, agreed) = open.take_offer(&sdp(&["m=audio 4000 RTP/AVP 0", &line]), Direction::BOTH).unwrap();
    assert_eq!(agreed.security, Security::Plain, "RFC 8643 §3.1: a key that was only hoped for is ignored");
    assert!(!text(&answer).contains("crypto"));
}

#[test]
fn what_must_be_protected_is_not_agreed_to_in_the_clear() {
    let required = Protection { required: true, ..protection(Offers::Sdes) };
    let mut negotiator = Negotiator::new(LocalAudio { protection: required, ..local(&[Codec::Pcmu]) });
    let error = negotiator.take_offer(&sdp(&["m=audio 4000 RTP/AVP 0"]), Direction::BOTH).unwrap_err();
    assert!(error.to_string().contains("RTP/SAVP") && error.status() == 488);
    let offer = text(&negotiator.offer(Direction::BOTH));
    assert!(offer.contains("m=audio 40000 RTP/SAVP 0 101\r\n"), "{offer}");
    let bare = negotiator.take_answer(&sdp(&["m=audio 4000 RTP/SAVP 0"])).unwrap_err();
    assert!(matches!(bare, SdpError::Protection(_)), "{bare}");
}

#[test]
fn two_systems_find_the_same_keys() {
    for offers in [Offers::Sdes, Offers::Opportunistic] {
        let (mut ours, mut theirs) = (protected(offers), other(Offers::Plain));
        let transport = if offers == Offers::Sdes { "RTP/SAVP" } else { "RTP/AVP" };
        for round in 0..3 {
            let offer = ours.offer(Direction::BOTH);
            assert!(text(&offer).contains(&format!("m=audio 40000 {transport} ")), "{}", text(&offer));
            let (answer, there) = theirs.take_offer(&offer, Direction::BOTH).unwrap();
            let here = ours.take_answer(&answer).unwrap();
            assert_eq!(sdes(&here).send, sdes(&there).receive, "{offers:?} {round}");
            assert_eq!(sdes(&here).receive, sdes(&there).send);
            assert_ne!(sdes(&here).send, sdes(&here).receive);
            // The other side offers what is spoken already.
            let offer = theirs.offer(Direction::BOTH);
            assert!(text(&offer).contains(&format!("m=audio 50000 {transport} ")), "{}", text(&offer));
            let (answer, here_again) = ours.take_offer(&offer, Direction::BOTH).unwrap();
            let there_again = theirs.take_answer(&answer).unwrap();
            assert_eq!((sdes(&here_again), sdes(&there_again)), (sdes(&here), sdes(&there)));
        }
    }
}

#[test]
fn a_hoped_for_key_may_be_left_out_of_the_answer() {
    let mut ours = protected(Offers::Opportunistic);
    assert!(text(&ours.offer(Direction::BOTH)).contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
    let agreed = ours.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8"])).unwrap();
    assert_eq!(agreed.security, Security::Plain);
    assert!(!text(&ours.offer(Direction::BOTH)).contains("a=crypto"), "and is not offered again");
}

#[test]
fn another_suite_gets_another_key() {
    let mut negotiator = protected(Offers::Plain);
    let mut offer = |suite: &str| {
        let line = format!("a=crypto:1 {suite} {KEY}");
        let (_, agreed) = negotiator.take_offer(&sdp(&["m=audio 4000 RTP/SAVP 0", &line]), Direction::BOTH).unwrap();
        sdes(&agreed).send
    };
    let first = offer("AES_CM_128_HMAC_SHA1_80");
    let second = offer("AES_CM_128_HMAC_SHA1_32");
    let third = offer("AES_CM_128_HMAC_SHA1_80");
    assert!(first != second && second != third && first != third, "a counter that begins anew needs a new key");
}

#[test]
fn a_browser_is_answered_as_rfc_8827_asks() {
    let mut negotiator = protected(Offers::Plain);
    let (answer, agreed) = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    let answer = text(&answer);
    for line in [
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 8 126",
        "a=mid:0",
        "a=rtcp-mux",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host",
        "a=end-of-candidates",
        "a=sendrecv",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line} is missing in\n{answer}");
    }
    assert!(answer.contains(&format!("a=fingerprint:{}\r\n", Fingerprint([0xaa; 32]))));
    assert!(!answer.contains("ice-options") && !answer.contains("extmap") && !answer.contains("crypto"));
    let Dtls { active, fingerprint, ice } = dtls(&agreed);
    assert!(!active);
    assert_eq!(fingerprint, Fingerprint([0x5a; 32]));
    let ice = ice.unwrap();
    assert_eq!((ice.remote.ufrag.as_str(), ice.remote.password.as_str()), ("abcd", "asd88fgpdd777uzjYhagZg1234"));
    assert!(answer.contains(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.local.ufrag, ice.local.password)));
    assert!((4..=256).contains(&ice.local.ufrag.len()) && (22..=256).contains(&ice.local.password.len()));
    assert!(agreed.rtcp_mux && agreed.remote.is_some() && !agreed.held_by_peer, "0.0.0.0 is not known yet, not hold");
    assert_eq!(agreed.direction, Direction::BOTH);
}

/// Trap 1: Chromium offers telephone-event at 48,000 and at 8,000 Hz.
#[test]
fn telephone_event_is_not_doubled() {
    let (answer, agreed) = protected(Offers::Plain).take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    assert_eq!(text(&answer).matches("telephone-event").count(), 1);
    assert_eq!((agreed.send_event_type, agreed.receive_event_type), (Some(126), Some(126)));
}

/// Trap 2: all the codecs of our offer stand in it, whichever was added first.
#[test]
fn an_offer_to_a_browser_names_every_codec() {
    let offer = text(&protected(Offers::Dtls).offer(Direction::BOTH));
    assert!(offer.contains("m=audio 40000 UDP/TLS/RTP/SAVPF 8 0 9 101\r\n"), "{offer}");
    for line in ["a=setup:actpass", "a=ice-lite", "a=mid:0", "a=group:BUNDLE 0", "a=rtcp-mux", "a=end-of-candidates"] {
        assert!(offer.contains(&format!("{line}\r\n")), "{line} is missing in\n{offer}");
    }
}

/// Trap 3: RTCP goes over the RTP port, so that no second component is to be named.
#[test]
fn no_candidate_of_a_second_component_is_written() {
    let (answer, _) = protected(Offers::Plain).take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    let offer = protected(Offers::Dtls).offer(Direction::BOTH);
    for sdp in [answer, offer] {
        let candidates: Vec<String> = lines_of(&sdp, 'a')
            .into_iter()
            .filter_map(|line| Some(line.strip_prefix("candidate:")?.to_owned()))
            .collect();
        assert_eq!(candidates.len(), 1);
        assert!(candidates.iter().all(|candidate| candidate.split(' ').nth(1) == Some("1")), "{candidates:?}");
    }
}

/// Trap 4.
#[test]
fn a_sendonly_offer_is_answered_with_its_reverse() {
    for (offered, answered) in
        [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")]
    {
        let (answer, _) = protected(Offers::Plain).take_offer(&browser(offered, "abcd"), Direction::BOTH).unwrap();
        assert!(text(&answer).contains(&format!("a={answered}\r\n")), "{offered}");
    }
}

/// Trap 5.
#[test]
fn who_was_inactive_is_heard_again_after_the_hold() {
    let mut negotiator = protected(Offers::Plain);
    let security = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap().1.security;
    let (_, held) = negotiator.take_offer(&browser("inactive", "abcd"), Direction::BOTH).unwrap();
    assert_eq!((held.direction, held.held_by_peer), (Direction::INACTIVE, true));
    let (_, back) = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    assert_eq!((back.direction, back.held_by_peer), (Direction::BOTH, false));
    assert_eq!((&held.security, &back.security), (&security, &security), "the keys are not touched by a hold");
}

/// Trap 8: the address of a NAT in front of us stands in the candidates and in `c=`, and the one behind it second.
#[test]
fn a_public_address_is_written_into_candidates_and_connection() {
    let inside = Some("10.0.0.2:40000".parse().unwrap());
    let mut negotiator =
        Negotiator::new(LocalAudio { inside, protection: protection(Offers::Plain), ..local(&[Codec::Pcmu]) });
    let (answer, _) = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    let answer = text(&answer);
    assert!(answer.contains("c=IN IP4 192.0.2.10\r\n"), "{answer}");
    assert!(answer.contains("a=candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host\r\n"), "{answer}");
    assert!(answer.contains("a=candidate:2 1 udp 2130706175 10.0.0.2 40000 typ host\r\n"), "{answer}");
}

#[test]
fn new_credentials_are_a_restart_and_get_new_ones() {
    let mut negotiator = protected(Offers::Plain);
    let mut ice = |ufrag: &str| {
        dtls(&negotiator.take_offer(&browser("sendrecv", ufrag), Direction::BOTH).unwrap().1).ice.unwrap()
    };
    let first = ice("abcd");
    assert_eq!(ice("abcd"), first);
    let second = ice("efgh");
    assert_ne!(second.local.ufrag, first.local.ufrag);
    assert_ne!(second.local.password, first.local.password);
    assert_eq!(second.remote.ufrag, "efgh");
}

#[test]
fn the_one_who_began_the_handshake_begins_it_again() {
    for (theirs, ours, active) in
        [("actpass", "passive", false), ("active", "passive", false), ("passive", "active", true)]
    {
        let mut negotiator = protected(Offers::Plain);
        let offer = text(&browser("sendrecv", "abcd")).replace("setup:actpass", &format!("setup:{theirs}"));
        let (answer, agreed) = negotiator.take_offer(offer.as_bytes(), Direction::BOTH).unwrap();
        assert!(text(&answer).contains(&format!("a=setup:{ours}\r\n")), "{theirs}");
        assert_eq!(dtls(&agreed).active, active);
        let (answer, _) = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
        assert!(text(&answer).contains(&format!("a=setup:{ours}\r\n")), "actpass after {theirs}");
    }
    for (answered, active) in [("active", false), ("passive", true)] {
        let mut negotiator = protected(Offers::Dtls);
        negotiator.offer(Direction::BOTH);
        let answer = text(&browser("sendrecv", "abcd")).replace("setup:actpass", &format!("setup:{answered}"));
        assert_eq!(dtls(&negotiator.take_answer(answer.as_bytes()).unwrap()).active, active);
    }
}

#[test]
fn what_a_browser_must_say_is_missed() {
    for (cut, instead) in [("a=fingerprint", "a=x"), ("a=rtcp-mux\r\n", ""), ("sha-256", "sha-1"), ("5A:5A", "5A5A")] {
        let offer = text(&browser("sendrecv", "abcd")).replace(cut, instead);
        let error = protected(Offers::Plain).take_offer(offer.as_bytes(), Direction::BOTH).unwrap_err();
        assert_eq!(error.status(), 488, "without {cut}: {error}");
    }
    let mut negotiator = Negotiator::new(LocalAudio {
        protection: Protection { fingerprint: None, ..protection(Offers::Plain) },
        ..local(&[Codec::Pcmu])
    });
    let error = negotiator.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap_err();
    assert!(matches!(error, SdpError::Protection(_)), "{error}");
}

#[test]
fn a_phone_with_dtls_and_no_ice_is_where_it_says() {
    let print = format!("a=fingerprint:{}", Fingerprint([9; 32]));
    let offer = sdp(&["m=audio 4000 UDP/TLS/RTP/SAVP 8", &print, "a=setup:actpass"]);
    let (answer, agreed) = protected(Offers::Plain).take_offer(&offer, Direction::BOTH).unwrap();
    assert_eq!(dtls(&agreed).ice, None);
    assert_eq!(agreed.remote, address("198.51.100.7:4000"));
    assert!(!text(&answer).contains("ice-") && !text(&answer).contains("candidate"), "{}", text(&answer));
    let held = sdp(&["m=audio 4000 UDP/TLS/RTP/SAVP 8", &print, "a=setup:actpass", "c=IN IP4 0.0.0.0"]);
    assert!(protected(Offers::Plain).take_offer(&held, Direction::BOTH).unwrap().1.held_by_peer);
}

#[test]
fn a_declined_video_keeps_its_name_and_leaves_the_bundle() {
    let mut offer = text(&browser("sendrecv", "abcd")).replace("BUNDLE 0", "BUNDLE 0 1");
    offer.push_str("m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n");
    let (answer, _) = protected(Offers::Plain).take_offer(offer.as_bytes(), Direction::BOTH).unwrap();
    let answer = text(&answer);
    assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
    assert!(answer.ends_with("m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n"), "{answer}");
}

#[test]
fn two_lite_sides_are_where_they_say() {
    let (mut ours, mut theirs) = (protected(Offers::Dtls), other(Offers::Plain));
    let (answer, there) = theirs.take_offer(&ours.offer(Direction::BOTH), Direction::BOTH).unwrap();
    let here = ours.take_answer(&answer).unwrap();
    assert_eq!((dtls(&here).ice, dtls(&there).ice), (None, None), "neither sends checks");
    assert_ne!(dtls(&here).active, dtls(&there).active);
    assert_eq!(dtls(&here).fingerprint, Fingerprint([0xbb; 32]));
    assert_eq!(here.remote, address("198.51.100.20:50000"));
}

#[test]
fn ice_names_and_passwords_are_held_to_their_form() {
    for (ufrag, password) in [
        ("abc", "asd88fgpdd777uzjYhagZg"),
        ("abcd", "short"),
        ("ab:d", "asd88fgpdd777uzjYhagZg"),
        ("abcd", "asd88fgpdd777uzj Yhagg"),
    ] {
        let offer = text(&browser("sendrecv", ufrag)).replace("asd88fgpdd777uzjYhagZg1234", password);
        let offer = offer.replace("c=IN IP4 0.0.0.0", "c=IN IP4 198.51.100.7");
        let (_, agreed) = protected(Offers::Plain).take_offer(offer.as_bytes(), Direction::BOTH).unwrap();
        assert_eq!(dtls(&agreed).ice, None, "{ufrag} {password}");
    }
    let credentials = IceCredentials { ufrag: "a".into(), password: "b".into() };
    assert!(!format!("{credentials:?}").contains("\"b\""));
}

#[test]
fn opus_is_offered_and_answered_as_rfc_7587_writes_it() {
    let codecs = [Codec::Opus, Codec::Pcmu];
    let with = |offers| Negotiator::new(LocalAudio { protection: protection(offers), ..local(&codecs) });
    let (answer, agreed) = with(Offers::Plain).take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    assert_eq!((agreed.codec, agreed.send_payload_type), (Codec::Opus, 111));
    assert_eq!(agreed.send_event_type, Some(126), "of 8,000 Hz, the one that is spoken here");
    assert!(text(&answer).contains("m=audio 40000 UDP/TLS/RTP/SAVPF 111 126\r\n"), "{}", text(&answer));
    assert!(text(&answer).contains("a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1;"), "{}", text(&answer));
    let offer = text(&with(Offers::Dtls).offer(Direction::BOTH));
    assert!(
        offer.contains("SAVPF 111 0 101\r\n") && offer.contains("a=rtpmap:101 telephone-event/8000\r\n"),
        "{offer}"
    );
    let odd = sdp(&["m=audio 4000 RTP/AVP 96 0", "a=rtpmap:96 opus/48000/1", "a=ptime:30"]);
    assert_eq!(
        with(Offers::Plain).take_offer(&odd, Direction::BOTH).unwrap().1.codec,
        Codec::Pcmu,
        "one channel is not Opus'"
    );
    let long = sdp(&["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 OPUS/48000/2", "a=ptime:30"]);
    assert_eq!(with(Offers::Plain).take_offer(&long, Direction::BOTH).unwrap().1.ptime, Duration::from_millis(20));
}

/// One of ours that sends checks.
fn full(offers: Offers) -> Negotiator {
    let protection = Protection { ice: IceSide::Full, ..protection(offers) };
    Negotiator::new(LocalAudio { protection, ..local(&[Codec::Pcma, Codec::Pcmu]) })
}

fn checks(agreed: &Agreed) -> IceChecks {
    dtls(agreed).ice.and_then(|ice| ice.checks).expect("checks of ours")
}

/// A browser's description with these lines behind it.
fn browser_with(ufrag: &str, lines: &[&str]) -> Vec<u8> {
    let mut sdp = text(&browser("sendrecv", ufrag));
    lines.iter().for_each(|line| sdp.push_str(&format!("{line}\r\n")));
    sdp.into_bytes()
}

#[test]
fn the_full_side_says_so_and_names_its_candidates_as_before() {
    let inside = Some("10.0.0.2:40000".parse().unwrap());
    let protection = Protection { ice: IceSide::Full, ..protection(Offers::Dtls) };
    let local = LocalAudio { inside, protection, ..local(&[Codec::Pcma]) };
    let (answer, _) = Negotiator::new(local.clone()).take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    for sdp in [text(&answer), text(&Negotiator::new(local).offer(Direction::BOTH))] {
        assert!(!sdp.contains("ice-lite") && sdp.contains("a=ice-options:ice2\r\n"), "{sdp}");
        assert!(!sdp.contains("trickle"), "candidates that come later are not read: {sdp}");
        assert!(sdp.contains("a=candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host\r\n"), "{sdp}");
        assert!(sdp.contains("a=candidate:2 1 udp 2130706175 10.0.0.2 40000 typ host\r\n"), "{sdp}");
        assert!(sdp.contains("a=end-of-candidates\r\n"), "{sdp}");
    }
}

#[test]
fn who_offered_first_controls_for_good() {
    let mut answering = full(Offers::Plain);
    let (_, first) = answering.take_offer(&browser("sendrecv", "abcd"), Direction::BOTH).unwrap();
    assert!(!checks(&first).controlling);
    answering.offer(Direction::BOTH);
    assert!(!checks(&answering.take_answer(&browser("sendrecv", "abcd")).unwrap()).controlling, "a hold of ours");
    let mut offering = full(Offers::Dtls);
    offering.offer(Direction::BOTH);
    assert!(checks(&offering.take_answer(&browser("sendrecv", "abcd")).unwrap()).controlling);
    let (_, restarted) = offering.take_offer(&browser("sendrecv", "efgh"), Direction::BOTH).unwrap();
    assert!(checks(&restarted).controlling, "RFC 8445 §6.1.1: a restart leaves the roles");
}

#[test]
fn a_full_side_controls_a_lite_peer_and_two_lite_ones_do_without() {
    let (mut ours, mut theirs) = (full(Offers::Plain), other(Offers::Dtls));
    let (answer, here) = ours.take_offer(&theirs.offer(Direction::BOTH), Direction::BOTH).unwrap();
    let there = theirs.take_answer(&answer).unwrap();
    let checks = checks(&here);
    assert!(checks.lite && checks.controlling, "though it offered");
    assert_eq!(
        checks.candidates.iter().map(|candidate| candidate.address).collect::<Vec<_>>(),
        ["198.51.100.20:50000".parse::<SocketAddr>().unwrap()]
    );
    let Ice { local, remote, checks } = dtls(&there).ice.expect("it answers our checks");
    assert_eq!(checks, None);
    let ours = dtls(&here).ice.unwrap();
    assert_eq!((local, remote), (ours.remote, ours.local));
}

#[test]
fn two_full_sides_offer_and_answer_checks() {
    let (mut ours, mut theirs) = (full(Offers::Dtls), full(Offers::Plain));
    let (answer, there) = theirs.take_offer(&ours.offer(Direction::BOTH), Direction::BOTH).unwrap();
    let here = ours.take_answer(&answer).unwrap();
    assert!(checks(&here).controlling && !checks(&there).controlling);
    assert!(!checks(&here).lite && !checks(&there).lite);
}

#[test]
fn candidates_are_read_as_far_as_our_socket_can_try_them() {
    let lines = [
        "a=candidate:1 1 udp 2122260223 192.168.1.9 51002 typ host generation 0 network-id 1",
        "a=candidate:2 1 UDP 1686052607 203.0.113.7 51002 typ srflx raddr 192.168.1.9 rport 51002",
        "a=candidate:3 1 udp 41885439 198.51.100.99 60000 typ relay raddr 203.0.113.7 rport 51002",
        "a=candidate:3 1 udp 9 198.51.100.99 60000 typ relay raddr 203.0.113.7 rport 51002",
        "a=candidate:4 2 udp 2122260222 192.168.1.9 51003 typ host",
        "a=candidate:5 1 tcp 1518280447 192.168.1.9 9 typ host tcptype active",
        "a=candidate:6 1 udp 2122260223 2001:db8::1 51002 typ host",
        "a=candidate:7 1 udp 2122260223 4f0c.local 51002 typ host",
        "a=candidate:8 1 udp 0 192.168.1.10 51002 typ host",
        "a=candidate:8 1 udp 4294967295 192.168.1.10 51002 typ host",
        "a=candidate:9 1 udp 5 192.168.1.11 0 typ host",
        "a=candidate:10 1 udp 5 0.0.0.0 5 typ host",
        "a=candidate:11 1 udp 5 224.0.0.1 5 typ host",
        "a=candidate:12 1 udp 5 255.255.255.255 5 typ host",
        "a=candidate:13 1 udp 5 192.168.1.12 5 typ other",
        "a=candidate:14 1 udp 5 192.168.1.12",
        "a=candidate:",
        "a=ice-pacing:70",
    ];
    let (_, agreed) = full(Offers::Plain).take_offer(&browser_with("abcd", &lines), Direction::BOTH).unwrap();
    let checks = checks(&agreed);
    let found: Vec<(String, u32)> =
        checks.candidates.iter().map(|candidate| (candidate.address.to_string(), candidate.priority)).collect();
    let expected = [
        ("192.168.1.9:51002", 2_122_260_223),
        ("203.0.113.7:51002", 1_686_052_607),
        ("198.51.100.99:60000", 41_885_439),
    ];
    assert_eq!(found, expected.map(|(address, priority)| (address.to_owned(), priority)));
    assert_eq!(checks.pacing, Duration::from_millis(70), "RFC 8839 §5.5: the slower wish");
}

#[test]
fn no_more_candidates_are_kept_than_can_be_tried() {
    let lines: Vec<String> =
        (0..200).map(|number| format!("a=candidate:1 1 udp {} 192.0.2.{number} 9 typ host", 1_000 - number)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (_, agreed) = full(Offers::Plain).take_offer(&browser_with("abcd", &lines), Direction::BOTH).unwrap();
    assert_eq!(checks(&agreed).candidates.len(), 32);
    assert_eq!(checks(&agreed).pacing, Duration::from_millis(50));
}

#[test]
fn a_restart_has_another_seed() {
    let mut negotiator = full(Offers::Plain);
    let mut seed =
        |ufrag: &str| checks(&negotiator.take_offer(&browser("sendrecv", ufrag), Direction::BOTH).unwrap().1).seed;
    let first = seed("abcd");
    assert_eq!(seed("abcd"), first);
    assert_ne!(seed("efgh"), first);
}
