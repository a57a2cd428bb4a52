use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

mod protecting;

fn local(codecs: &[Codec]) -> LocalAudio {
    LocalAudio {
        address: "192.0.2.10:40000".parse().unwrap(),
        codecs: codecs.to_vec(),
        session_id: 4711,
        inside: None,
        protection: Protection::NONE,
    }
}

fn negotiator(codecs: &[Codec]) -> Negotiator {
    Negotiator::new(local(codecs))
}

fn all() -> Negotiator {
    negotiator(&[Codec::Pcma, Codec::Pcmu, Codec::G722])
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

/// A description with these lines after the usual head.
fn sdp(lines: &[&str]) -> Vec<u8> {
    let mut text = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n".to_owned();
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn text(sdp: &[u8]) -> String {
    String::from_utf8(sdp.to_vec()).unwrap()
}

fn lines_of(sdp: &[u8], kind: char) -> Vec<String> {
    text(sdp).lines().filter_map(|line| Some(line.strip_prefix(kind)?.strip_prefix('=')?.to_owned())).collect()
}

fn version(sdp: &[u8]) -> u64 {
    lines_of(sdp, 'o')[0].split(' ').nth(2).unwrap().parse().unwrap()
}

fn answer_to(lines: &[&str]) -> (String, Agreed) {
    let (answer, agreed) = all().take_offer(&sdp(lines), Direction::BOTH).unwrap();
    (text(&answer), agreed)
}

fn refusal_of(lines: &[&str]) -> SdpError {
    all().take_offer(&sdp(lines), Direction::BOTH).unwrap_err()
}

#[test]
fn our_offer_is_written_out() {
    assert_eq!(
        text(&negotiator(&[Codec::Pcma, Codec::G722]).offer(Direction::BOTH)),
        "v=0\r\no=- 4711 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n"
    );
}

#[test]
fn a_static_payload_type_needs_no_rtpmap() {
    let (answer, agreed) = answer_to(&["m=audio 49217 RTP/AVP 0 12"]);
    assert_eq!(agreed.codec, Codec::Pcmu);
    assert_eq!(agreed.remote, address("198.51.100.7:49217"));
    assert_eq!(agreed.remote_rtcp, address("198.51.100.7:49218"));
    assert_eq!((agreed.send_payload_type, agreed.receive_payload_type), (0, 0));
    assert_eq!((agreed.send_event_type, agreed.receive_event_type), (None, None));
    assert_eq!(agreed.ptime, Duration::from_millis(20));
    assert!(answer.contains("m=audio 40000 RTP/AVP 0\r\n"), "{answer}");
    assert!(!answer.contains("telephone-event"), "what was not offered is not answered: {answer}");
}

#[test]
fn our_order_chooses_among_the_offered_codecs() {
    let mut negotiator = negotiator(&[Codec::G722, Codec::Pcmu]);
    let offer = sdp(&["m=audio 4000 RTP/AVP 8 0 9"]);
    assert_eq!(negotiator.take_offer(&offer, Direction::BOTH).unwrap().1.codec, Codec::G722);
    negotiator.set_codecs(vec![Codec::Pcma]);
    assert_eq!(negotiator.take_offer(&offer, Direction::BOTH).unwrap().1.codec, Codec::Pcma);
}

#[test]
fn dynamic_numbers_and_any_case_are_answered_with_the_offers_numbers() {
    let (answer, agreed) = answer_to(&[
        "m=audio 4000 RTP/AVP 97 98 99",
        "a=rtpmap:97 pcmA/8000/1",
        "a=RTPMAP:98 Telephone-Event/8000",
        "a=rtpmap:99 telephone-event/48000",
        "a=fmtp:98 0-15",
    ]);
    assert_eq!((agreed.codec, agreed.send_payload_type, agreed.receive_payload_type), (Codec::Pcma, 97, 97));
    assert_eq!((agreed.send_event_type, agreed.receive_event_type), (Some(98), Some(98)));
    assert!(answer.contains("m=audio 40000 RTP/AVP 97 98\r\na=rtpmap:97 PCMA/8000\r\n"), "{answer}");
    assert!(answer.contains("a=fmtp:98 0-16\r\n"), "{answer}");
}

#[test]
fn an_rtpmap_outranks_the_static_meaning() {
    let (_, agreed) = answer_to(&["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 PCMA/8000"]);
    assert_eq!(agreed.codec, Codec::Pcma);
    assert!(matches!(
        refusal_of(&["m=audio 4000 RTP/AVP 0 8", "a=rtpmap:0 PCMU/16000", "a=rtpmap:8 PCMA/8000/2"]),
        SdpError::NoCommonCodec { .. }
    ));
}

#[test]
fn a_codec_keeps_its_number_for_the_whole_session() {
    let mut negotiator = all();
    let offer = sdp(&["m=audio 4000 RTP/AVP 97 101 96", "a=rtpmap:97 PCMU/8000", "a=rtpmap:101 opus/48000/2"]);
    negotiator.take_offer(&offer, Direction::BOTH).unwrap();
    let next = text(&negotiator.offer(Direction::BOTH));
    assert!(
        next.contains("m=audio 40000 RTP/AVP 8 97 9 98\r\n"),
        "101 is opus and 96 something else to the peer: {next}"
    );
    assert!(next.contains("a=rtpmap:98 telephone-event/8000\r\n"), "{next}");
}

#[test]
fn streams_are_answered_in_order_and_in_number() {
    let (answer, agreed) = answer_to(&[
        "m=video 5000 RTP/AVP 31",
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 4002 RTP/AVP 18",
        "m=audio 4004 RTP/AVPF 8",
        "m=audio 4006 RTP/AVP 0",
        "m=image 4008 udptl t38",
        "m=application 4010 TCP/MRCPv2 1",
        "m=x-unknown 4012 foo/bar 99",
    ]);
    assert_eq!(agreed.remote, address("198.51.100.7:4004"));
    assert_eq!(
        lines_of(answer.as_bytes(), 'm'),
        [
            "video 0 RTP/AVP 31",
            "audio 0 RTP/SAVP 0",
            "audio 0 RTP/AVP 18",
            "audio 40000 RTP/AVPF 8",
            "audio 0 RTP/AVP 0",
            "image 0 udptl t38",
            "application 0 TCP/MRCPv2 1",
            "x-unknown 0 foo/bar 99"
        ]
    );
}

#[test]
fn a_later_offer_of_ours_keeps_the_streams_in_place() {
    let mut negotiator = all();
    negotiator.take_offer(&sdp(&["m=video 5000 RTP/AVP 31", "m=audio 4000 RTP/AVPF 8"]), Direction::BOTH).unwrap();
    let offer = negotiator.offer(Direction::SEND_ONLY);
    assert_eq!(lines_of(&offer, 'm'), ["video 0 RTP/AVP 31", "audio 40000 RTP/AVPF 8 0 9 101"]);
    let answer = sdp(&["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVPF 8", "a=recvonly"]);
    let agreed = negotiator.take_answer(&answer).unwrap();
    assert_eq!(agreed.direction, Direction::SEND_ONLY);
    assert!(!agreed.held_by_peer);
    let misplaced = sdp(&["m=audio 4000 RTP/AVPF 8", "m=video 0 RTP/AVP 31"]);
    assert!(matches!(negotiator.take_answer(&misplaced), Err(SdpError::Answer(_))));
}

#[test]
fn the_version_grows_only_with_the_description() {
    let mut negotiator = all();
    assert_eq!(version(&negotiator.offer(Direction::BOTH)), 1);
    assert_eq!(version(&negotiator.offer(Direction::BOTH)), 1);
    assert_eq!(version(&negotiator.offer(Direction::SEND_ONLY)), 2);
    negotiator.offer_refused();
    let again = negotiator.offer(Direction::SEND_ONLY);
    assert_eq!(version(&again), 2);
    negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"])).unwrap();
    let offer = sdp(&["m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"]);
    let first = negotiator.take_offer(&offer, Direction::BOTH).unwrap().0;
    assert_eq!(version(&first), 3);
    let refresh = negotiator.take_offer(&offer, Direction::BOTH).unwrap().0;
    assert_eq!(first, refresh);
    assert_eq!(lines_of(&first, 'o')[0].split(' ').nth(1), Some("4711"));
}

#[test]
fn the_three_forms_of_hold_are_answered() {
    let audio = "m=audio 4000 RTP/AVP 8";
    for (offer, answered, direction) in [
        (vec![audio, "a=sendonly"], "a=recvonly", Direction::RECEIVE_ONLY),
        (vec!["a=sendonly", audio], "a=recvonly", Direction::RECEIVE_ONLY),
        (vec![audio, "a=inactive"], "a=inactive", Direction::INACTIVE),
        (vec!["a=inactive", audio], "a=inactive", Direction::INACTIVE),
        (vec![audio, "c=IN IP4 0.0.0.0"], "a=recvonly", Direction::RECEIVE_ONLY),
        (vec![audio, "c=IN IP4 0.0.0.0", "a=recvonly"], "a=inactive", Direction::INACTIVE),
        (vec![audio, "c=IN IP4 0.0.0.0", "a=inactive"], "a=inactive", Direction::INACTIVE),
    ] {
        let mut negotiator = all();
        negotiator.take_offer(&sdp(&[audio]), Direction::BOTH).unwrap();
        let (answer, agreed) = negotiator.take_offer(&sdp(&offer), Direction::BOTH).unwrap();
        assert!(text(&answer).contains(answered), "{offer:?}: {}", text(&answer));
        assert_eq!(agreed.direction, direction, "{offer:?}");
        assert!(agreed.held_by_peer, "{offer:?}");
        assert_eq!(agreed.remote.is_none(), offer.contains(&"c=IN IP4 0.0.0.0"));
        let (answer, agreed) = negotiator.take_offer(&sdp(&[audio, "a=sendrecv"]), Direction::BOTH).unwrap();
        assert!(text(&answer).contains("a=sendrecv"));
        assert_eq!((agreed.direction, agreed.held_by_peer), (Direction::BOTH, false));
    }
}

#[test]
fn the_media_level_direction_outranks_the_sessions() {
    let (_, agreed) = answer_to(&["a=inactive", "m=audio 4000 RTP/AVP 8", "a=sendrecv"]);
    assert_eq!(agreed.direction, Direction::BOTH);
}

#[test]
fn a_stream_taken_away_by_port_0_is_a_hold_and_comes_back() {
    let mut negotiator = all();
    negotiator.take_offer(&sdp(&["m=audio 4000 RTP/AVP 8"]), Direction::BOTH).unwrap();
    let (answer, agreed) = negotiator.take_offer(&sdp(&["m=audio 0 RTP/AVP 8"]), Direction::BOTH).unwrap();
    assert_eq!(lines_of(&answer, 'm'), ["audio 0 RTP/AVP 8"]);
    assert_eq!((agreed.remote, agreed.direction, agreed.held_by_peer), (None, Direction::INACTIVE, true));
    let (answer, agreed) = negotiator.take_offer(&sdp(&["m=audio 4000 RTP/AVP 8"]), Direction::BOTH).unwrap();
    assert_eq!(lines_of(&answer, 'm'), ["audio 40000 RTP/AVP 8"]);
    assert_eq!((agreed.remote, agreed.held_by_peer), (address("198.51.100.7:4000"), false));
}

#[test]
fn fax_alone_is_refused_and_the_voice_stays() {
    let mut negotiator = all();
    let (_, before) = negotiator.take_offer(&sdp(&["m=audio 4000 RTP/AVP 8"]), Direction::BOTH).unwrap();
    let fax = sdp(&["m=audio 0 RTP/AVP 8", "m=image 4002 udptl t38"]);
    assert_eq!(negotiator.take_offer(&fax, Direction::BOTH).unwrap_err().status(), 488);
    assert_eq!(negotiator.take_offer(&sdp(&["m=image 4002 udptl t38"]), Direction::BOTH).unwrap_err().status(), 488);
    assert_eq!(negotiator.take_offer(&sdp(&[]), Direction::BOTH).unwrap_err().status(), 488);
    assert_eq!(negotiator.agreed(), Some(&before));
    assert_eq!(lines_of(&negotiator.offer(Direction::BOTH), 'm').len(), 1);
}

#[test]
fn packet_times_are_as_asked_within_what_we_speak() {
    for (attributes, granted) in [
        (&["a=ptime:10"][..], 10),
        (&["a=ptime:30"], 30),
        (&["a=ptime:40"], 40),
        (&["a=ptime:60"], 60),
        (&["a=ptime:0"], 20),
        (&["a=ptime:1"], 20),
        (&["a=ptime:25"], 20),
        (&["a=ptime:65535"], 20),
        (&["a=ptime:-5"], 20),
        (&["a=ptime:99999999999999999999"], 20),
        (&["a=ptime"], 20),
        (&["a=ptime:60", "a=maxptime:50"], 40),
        (&["a=maxptime:10"], 10),
        (&["a=maxptime:0"], 20),
        (&["a=ptime:30", "a=maxptime:-1"], 30),
        (&["a=ptime:30", "a=maxptime:150"], 30),
    ] {
        let mut lines = vec!["m=audio 4000 RTP/AVP 8"];
        lines.extend(attributes);
        let (answer, agreed) = answer_to(&lines);
        assert_eq!(agreed.ptime, Duration::from_millis(granted), "{attributes:?}");
        assert!(answer.contains(&format!("a=ptime:{granted}\r\n")), "{attributes:?}: {answer}");
    }
}

#[test]
fn rtcp_goes_where_it_is_wanted() {
    let rtcp = |line: &str| answer_to(&["m=audio 4000 RTP/AVP 8", line]).1.remote_rtcp;
    assert_eq!(rtcp("a=rtcp:53020"), address("198.51.100.7:53020"));
    assert_eq!(rtcp("a=rtcp:53020 IN IP4 203.0.113.4"), address("203.0.113.4:53020"));
    assert_eq!(rtcp("a=rtcp:53020 IN IP4 224.0.0.1"), address("198.51.100.7:4001"), "multicast is not used");
    assert_eq!(rtcp("a=rtcp:0"), address("198.51.100.7:4001"));
    assert_eq!(rtcp("a=rtcp:junk"), address("198.51.100.7:4001"));
    assert_eq!(answer_to(&["m=audio 65535 RTP/AVP 8"]).1.remote_rtcp, None);
    let (answer, agreed) = answer_to(&["m=audio 4000 RTP/AVP 8", "a=rtcp-mux", "a=rtcp:53020"]);
    assert!(agreed.rtcp_mux && answer.contains("a=rtcp-mux\r\n"));
    assert_eq!(agreed.remote_rtcp, agreed.remote);
}

#[test]
fn rtcp_mux_stays_in_our_later_offers() {
    let mut negotiator = all();
    assert!(!text(&negotiator.offer(Direction::BOTH)).contains("rtcp-mux"));
    let answer = sdp(&["m=audio 4000 RTP/AVP 8", "a=rtcp-mux"]);
    assert!(!negotiator.take_answer(&answer).unwrap().rtcp_mux, "what was not offered cannot be accepted");
    negotiator.take_offer(&answer, Direction::BOTH).unwrap();
    assert!(text(&negotiator.offer(Direction::BOTH)).contains("a=rtcp-mux\r\n"));
    assert!(negotiator.take_answer(&answer).unwrap().rtcp_mux);
}

#[test]
fn transports_and_codecs_we_do_not_speak_are_488() {
    for lines in [
        &["m=audio 4000 RTP/SAVP 0"][..],
        &["m=audio 4000 RTP/SAVPF 0"],
        &["m=audio 4000 UDP/TLS/RTP/SAVPF 0"],
        &["m=audio 4000 RTP/AVP 18"],
        &["m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        &["m=audio 0 RTP/AVP 0"],
        &["m=video 4000 RTP/AVP 31"],
        &["m=audio 4000 RTP/AVP 200 -1 x 72", "a=rtpmap:72 PCMU/8000"],
        &[],
    ] {
        assert_eq!(refusal_of(lines).status(), 488, "{lines:?}");
    }
}

#[test]
fn only_unicast_addresses_of_our_family_are_sent_to() {
    for host in [
        "IN IP4 224.2.1.1/127",
        "IN IP4 239.255.255.250",
        "IN IP4 255.255.255.255",
        "IN IP4 250.1.1.1",
        "IN IP4 0.1.2.3",
        "IN IP4 pc33.example.com",
        "IN IP4 198.51.100.7/24",
        "IN IP6 2001:db8::20",
        "IN IP6 ff02::1",
        "ATM NSAP 47.0091",
    ] {
        let connection = format!("c={host}");
        let error = refusal_of(&["m=audio 4000 RTP/AVP 0", &connection]);
        assert!(matches!(error, SdpError::Address(_)), "{host}: {error}");
        assert_eq!(error.status(), 488);
    }
    let (_, agreed) = answer_to(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 ::ffff:192.0.2.2"]);
    assert_eq!(agreed.remote, address("192.0.2.2:4000"), "a mapped address is the IPv4 address");
    assert_eq!(answer_to(&["m=audio 1 RTP/AVP 0"]).1.remote, address("198.51.100.7:1"));
}

#[test]
fn ipv6_is_spoken_on_an_ipv6_leg() {
    let mut negotiator = Negotiator::new(LocalAudio {
        address: "[2001:db8::10]:40000".parse().unwrap(),
        codecs: vec![Codec::Pcmu],
        session_id: 1,
        inside: None,
        protection: Protection::NONE,
    });
    let offer =
        b"v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed for today's meeting\r\n\
        c=IN IP6 2001:db8::20\r\nt=3338481189 3370017201\r\nm=audio 6000 RTP/AVP 0\r\nm=video 6024 RTP/AVP 107\r\n\
        a=rtpmap:107 H263-1998/90000\r\n";
    let (answer, agreed) = negotiator.take_offer(offer, Direction::BOTH).unwrap();
    assert_eq!(agreed.remote, address("[2001:db8::20]:6000"));
    assert!(text(&answer).contains("c=IN IP6 2001:db8::10\r\n"));
    assert_eq!(lines_of(&answer, 'm'), ["audio 40000 RTP/AVP 0", "video 0 RTP/AVP 107"]);
    let unspecified = sdp(&["m=audio 6000 RTP/AVP 0", "c=IN IP6 ::"]);
    assert!(negotiator.take_offer(&unspecified, Direction::BOTH).unwrap().1.held_by_peer);
}

#[test]
fn addresses_of_both_families_are_taken_per_stream() {
    let offer =
        b"v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\nm=audio 22334 RTP/AVP 0\r\n\
        c=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n";
    let (_, agreed) = all().take_offer(offer, Direction::BOTH).unwrap();
    assert_eq!(agreed.remote, address("192.0.2.1:22334"));
}

#[test]
fn careless_descriptions_are_understood() {
    for careless in [
        // Bare line feeds.
        "v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\nm=audio 4000 RTP/AVP 8\n",
        // No s=, no t=, no end of the last line.
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 8",
        // A session id over 64 bits, an unknown line, a line without '=', empty lines, spaces.
        "v=0 \r\no=x 99999999999999999999999 1 IN IP4 h\r\ns= \r\ny=1\r\nnonsense\r\n\r\nc= IN  IP4 198.51.100.7 \r\n\
         t=0 0\r\nm=audio 4000/2 RTP/AVP  8 \r\n",
        // Lines out of order.
        "v=0\r\nt=0 0\r\nc=IN IP4 198.51.100.7\r\ns=-\r\no=- 1 1 IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 8\r\n",
    ] {
        let (_, agreed) = all().take_offer(careless.as_bytes(), Direction::BOTH).expect(careless);
        assert_eq!((agreed.codec, agreed.remote), (Codec::Pcma, address("198.51.100.7:4000")), "{careless}");
    }
    let latin = [b"v=0\r\ns=caf\xe9\r\n".to_vec(), sdp(&["m=audio 4000 RTP/AVP 8"])].concat();
    all().take_offer(&latin, Direction::BOTH).unwrap();
}

#[test]
fn what_cannot_be_read_is_400() {
    let many_lines = [sdp(&["m=audio 4000 RTP/AVP 8"]), b"a=x\r\n".repeat(600)].concat();
    let many_streams = sdp(&["m=audio 4000 RTP/AVP 8"; 17]);
    for bad in [
        &b""[..],
        b"hello",
        b"v=1\r\nm=audio 4000 RTP/AVP 8\r\n",
        b"v=0\r\nc=IN IP4\r\nm=audio 4000 RTP/AVP 8\r\n",
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP\r\n",
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 70000 RTP/AVP 8\r\n",
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio -4 RTP/AVP 8\r\n",
        b"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\nm=vid\x00eo 0 RTP/AVP 8\r\n",
        b"v=0\r\nm=audio 4000 RTP/AVP 8\r\n",
        &many_lines,
        &many_streams,
        &vec![b'a'; 20_000],
    ] {
        let error = all().take_offer(bad, Direction::BOTH).unwrap_err();
        assert_eq!(error.status(), 400, "{:?}: {error}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn errors_show_only_a_short_piece_of_visible_text() {
    let long = "x".repeat(10_000);
    for host in ["a\rContact: <sip:eve@example.com>", "h\u{e9}\0st", &long] {
        let connection = format!("c=IN IP4 {host}");
        let message = refusal_of(&["m=audio 4000 RTP/AVP 0", &connection]).to_string();
        assert!(message.len() < 250 && message.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{message:?}");
        let line = format!("m=audio {host} RTP/AVP 0");
        let message = refusal_of(&[&line]).to_string();
        assert!(message.len() < 250 && message.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{message:?}");
    }
}

#[test]
fn an_answer_needs_an_offer_and_an_offer_waits_for_its_answer() {
    let mut negotiator = all();
    let peer = sdp(&["m=audio 4000 RTP/AVP 8"]);
    assert_eq!(negotiator.take_answer(&peer), Err(SdpError::NoOffer));
    negotiator.offer(Direction::BOTH);
    assert_eq!(negotiator.take_offer(&peer, Direction::BOTH).unwrap_err().status(), 491);
    negotiator.take_answer(&peer).unwrap();
    let fork = sdp(&["m=audio 5000 RTP/AVP 0"]);
    assert_eq!(negotiator.take_answer(&fork).unwrap().remote, address("198.51.100.7:5000"), "another fork's answer");
    negotiator.take_offer(&peer, Direction::BOTH).unwrap();
    assert_eq!(negotiator.take_answer(&peer), Err(SdpError::NoOffer));
}

#[test]
fn a_refused_offer_leaves_what_was_agreed() {
    let mut negotiator = all();
    let (_, before) = negotiator.take_offer(&sdp(&["m=audio 4000 RTP/AVP 8"]), Direction::BOTH).unwrap();
    negotiator.offer(Direction::INACTIVE);
    negotiator.offer_refused();
    assert_eq!(negotiator.agreed(), Some(&before));
    assert_eq!(negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8"])), Err(SdpError::NoOffer));
}

#[test]
fn an_answer_may_number_formats_its_own_way() {
    let mut negotiator = all();
    negotiator.offer(Direction::BOTH);
    let answer = sdp(&[
        "m=audio 4000 RTP/AVP 110 96",
        "a=rtpmap:110 PCMU/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=ptime:40",
    ]);
    let agreed = negotiator.take_answer(&answer).unwrap();
    assert_eq!((agreed.codec, agreed.send_payload_type, agreed.receive_payload_type), (Codec::Pcmu, 110, 0));
    assert_eq!((agreed.send_event_type, agreed.receive_event_type), (Some(96), Some(101)));
    assert_eq!(agreed.ptime, Duration::from_millis(40));
    negotiator.offer(Direction::BOTH);
    let bare = negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8 101"])).unwrap();
    assert_eq!(bare.send_event_type, Some(101), "our own rtpmap explains it");
    negotiator.offer(Direction::BOTH);
    let foreign = negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 18"]));
    assert!(matches!(foreign, Err(SdpError::NoCommonCodec { .. })));
    assert_eq!(negotiator.agreed(), Some(&bare));
}

#[test]
fn our_own_hold_is_not_the_peers() {
    let mut negotiator = all();
    negotiator.offer(Direction::INACTIVE);
    let agreed = negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8", "a=inactive"])).unwrap();
    assert_eq!((agreed.direction, agreed.held_by_peer), (Direction::INACTIVE, false));
    negotiator.offer(Direction::BOTH);
    let agreed = negotiator.take_answer(&sdp(&["m=audio 4000 RTP/AVP 8", "a=sendonly"])).unwrap();
    assert_eq!((agreed.direction, agreed.held_by_peer), (Direction::RECEIVE_ONLY, true));
}

#[test]
fn the_state_survives_serialisation() {
    let mut negotiator = all();
    negotiator.take_offer(&sdp(&["m=video 1 RTP/AVP 31", "m=audio 4000 RTP/AVP 8"]), Direction::BOTH).unwrap();
    negotiator.offer(Direction::SEND_ONLY);
    let mut back: Negotiator = serde_json::from_str(&serde_json::to_string(&negotiator).unwrap()).unwrap();
    assert_eq!(back, negotiator);
    assert_eq!(back.offer(Direction::BOTH), negotiator.offer(Direction::BOTH));
}

fn pick<'a, T>(rng: &mut ChaCha12Rng, from: &'a [T]) -> &'a T {
    &from[rng.next_u32() as usize % from.len()]
}

const DIRECTIONS: [Direction; 4] =
    [Direction::BOTH, Direction::SEND_ONLY, Direction::RECEIVE_ONLY, Direction::INACTIVE];

#[test]
fn two_negotiators_always_agree() {
    let orders: &[&[Codec]] = &[
        &[Codec::Pcmu],
        &[Codec::Pcma, Codec::Pcmu],
        &[Codec::G722, Codec::Pcma],
        &[Codec::Pcmu, Codec::Pcma, Codec::G722],
        &[Codec::G722],
    ];
    for seed in 0..500 {
        let rng = &mut ChaCha12Rng::seed_from_u64(seed);
        let mut sides = [
            Negotiator::new(local(pick::<&[Codec]>(rng, orders))),
            Negotiator::new(LocalAudio {
                address: "198.51.100.20:50000".parse().unwrap(),
                codecs: pick(rng, orders).to_vec(),
                session_id: seed,
                inside: None,
                protection: Protection::NONE,
            }),
        ];
        let mut versions = [0, 0];
        for round in 0..8 {
            let offerer = rng.next_u32() as usize % 2;
            let [first, second] = &mut sides;
            let (a, b) = if offerer == 0 { (first, second) } else { (second, first) };
            let wishes = [*pick(rng, &DIRECTIONS), *pick(rng, &DIRECTIONS)];
            if rng.next_u32().is_multiple_of(4) {
                b.set_codecs(pick(rng, orders).to_vec());
            }
            let offer = a.offer(wishes[0]);
            let before = (a.agreed().cloned(), b.agreed().cloned());
            let at = format!("seed {seed} round {round}: {}", text(&offer));
            match b.take_offer(&offer, wishes[1]) {
                Ok((answer, theirs)) => {
                    let ours = a.take_answer(&answer).expect(&at);
                    assert_eq!(ours.codec, theirs.codec, "{at}");
                    assert_eq!(ours.direction, theirs.direction.reversed(), "{at}");
                    assert_eq!(ours.direction, wishes[0].and(wishes[1].reversed()), "{at}");
                    assert_eq!(ours.send_payload_type, theirs.receive_payload_type, "{at}");
                    assert_eq!(ours.receive_payload_type, theirs.send_payload_type, "{at}");
                    assert_eq!(ours.send_event_type, theirs.receive_event_type, "{at}");
                    assert_eq!(ours.ptime, theirs.ptime, "{at}");
                    assert_eq!(ours.rtcp_mux, theirs.rtcp_mux, "{at}");
                    assert_eq!((a.agreed(), b.agreed()), (Some(&ours), Some(&theirs)), "{at}");
                    for (side, sdp) in [(offerer, &offer), (1 - offerer, &answer)] {
                        assert!(version(sdp) >= versions[side], "{at}");
                        versions[side] = version(sdp);
                    }
                }
                Err(error) => {
                    assert_eq!(error.status(), 488, "{at}");
                    a.offer_refused();
                    assert_eq!((a.agreed().cloned(), b.agreed().cloned()), before, "{at}");
                }
            }
        }
    }
}

/// Cuts, repeats, swaps and spoils octets and lines of good descriptions.
fn mutate(rng: &mut ChaCha12Rng, sdp: &mut Vec<u8>) {
    const PIECES: &[&[u8]] = &[
        b"m=audio 0 RTP/AVP 0\r\n",
        b"c=IN IP4 0.0.0.0\r\n",
        b"a=inactive\r\n",
        b"a=rtpmap:",
        b"\xff\xfe",
        b"\r",
        b"=",
        b"/",
        b":",
        b" ",
        b"\0",
        b"99999999999999999999",
        b"-1",
        "é".as_bytes(),
    ];
    for _ in 0..1 + rng.next_u32() % 8 {
        let at = rng.next_u32() as usize % (sdp.len() + 1);
        let end = (at + rng.next_u32() as usize % 40).min(sdp.len());
        match rng.next_u32() % 4 {
            0 => drop(sdp.drain(at..end)),
            1 => drop(sdp.splice(at..at, pick(rng, PIECES).iter().copied())),
            2 => sdp[at..end].reverse(),
            _ => {
                let piece = sdp[at..end].to_vec();
                let to = rng.next_u32() as usize % (sdp.len() + 1);
                sdp.splice(to..to, piece);
            }
        }
    }
}

#[test]
fn no_description_whatever_brings_a_negotiator_down() {
    for seed in 0..4000 {
        let rng = &mut ChaCha12Rng::seed_from_u64(seed);
        let mut negotiator = all();
        for _ in 0..4 {
            let mut hostile = sdp(&[
                "m=audio 4000 RTP/AVP 97 8 0 101",
                "a=rtpmap:97 G722/8000",
                "a=rtpmap:101 telephone-event/8000",
                "a=ptime:30",
                "a=rtcp:4005 IN IP4 198.51.100.9",
                "a=rtcp-mux",
                "a=sendonly",
                "m=video 5000 RTP/AVP 31",
            ]);
            mutate(rng, &mut hostile);
            let wish = *pick(rng, &DIRECTIONS);
            if rng.next_u32().is_multiple_of(2) {
                negotiator.offer(wish);
                let _ = negotiator.take_answer(&hostile);
                negotiator.offer_refused();
            } else if let Ok((answer, agreed)) = negotiator.take_offer(&hostile, wish) {
                // Whatever we answer is well-formed and within what was agreed.
                let read = super::read::read(&answer).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                let open = read.media_descriptions.iter().filter(|media| media.media_name.port.value != 0).count();
                assert!(open <= 1, "seed {seed}");
                assert!(agreed.remote.is_none_or(|remote| remote.port() != 0), "seed {seed}");
                assert!(wish.send || !agreed.direction.send, "seed {seed}");
            }
        }
    }
}
