//! Media with keys, as far as the engine has a say in it.

use super::dial_out::{CALLER, FIRST, TRANSFERS, acme, from_caller, sdp};
use super::sessions::{body_of_last, with_body};
use super::*;
use crate::bridge::{Loss, Stream};
use crate::security::{Fingerprint, Secret, Security};
use crate::settings::Srtp;

fn identity() -> Input {
    Input::Media(MediaEvent::Identity { fingerprint: Fingerprint([0xaa; 32]), secret: Secret([0xee; 32]) })
}

fn browser() -> String {
    let print = Fingerprint([0x5a; 32]);
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 126\r\n\
         c=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
         a=fingerprint:{print}\r\na=setup:actpass\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:126 telephone-event/8000\r\n"
    )
}

fn streams(bench: &Bench) -> Vec<(LegId, Stream)> {
    let of = |command: &MediaCommand| match command {
        MediaCommand::Configure { leg, stream } => Some((*leg, (**stream).clone())),
        _ => None,
    };
    bench.media.iter().filter_map(of).collect()
}

#[test]
fn a_browser_is_put_through_to_a_plain_trunk_and_lost_by_its_checks() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.input(identity());
    bench.receive(CALLER, with_body("INVITE", 1, "", &browser()));
    let invite = bench.invited(FIRST);
    let offer = String::from_utf8(invite.body.to_vec()).unwrap();
    assert!(offer.contains("m=audio 30002 RTP/AVP 0 101\r\n") && !offer.contains("crypto"), "{offer}");
    bench.answer(FIRST, &invite, 200, &sdp(5_000, "sendrecv"));
    let answer = body_of_last(&bench, 200);
    assert!(answer.contains(&format!("a=fingerprint:{}\r\n", Fingerprint([0xaa; 32]))), "{answer}");
    let (_, tag) = bench.told();
    bench.receive(CALLER, from_caller("ACK", 1, &tag, "", ""));
    let streams = streams(&bench);
    let [(caller, theirs), (_, far)] = &streams[..] else { panic!("{streams:?}") };
    assert!(matches!(theirs.security, Security::Dtls(_)), "{:?}", theirs.security);
    assert_eq!(far.security, Security::Plain);
    assert_eq!(theirs.codec, far.codec, "relayed as it comes");
    bench.input(Input::Media(MediaEvent::Lost { leg: *caller, why: Loss::Consent }));
    assert!(bench.logs.iter().any(|log| log.contains("ICE checks")), "{:?}", bench.logs);
    assert_eq!(bench.request(Method::Bye).0, CALLER);
}

#[test]
fn without_an_identity_no_browser_is_answered() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    bench.receive(CALLER, with_body("INVITE", 1, "", &browser()));
    assert!(bench.lines().iter().any(|line| line.ends_with("488 INVITE")));
}

#[test]
fn a_trunk_that_must_be_protected_is_offered_keys_and_nothing_else() {
    let mut settings = acme();
    settings.trunks.iter_mut().for_each(|trunk| trunk.srtp = Srtp::Require);
    let mut bench = Bench::with_plan(settings, TRANSFERS);
    bench.input(identity());
    bench.receive(CALLER, with_body("INVITE", 1, "", &sdp(4_000, "sendrecv")));
    assert!(
        bench.lines().iter().any(|line| line.ends_with("488 INVITE")),
        "its own calls come with keys, or not at all"
    );
    let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let offer = sdp(4_000, "sendrecv").replace("RTP/AVP", "RTP/SAVP") + line;
    bench.receive(CALLER, with_body("INVITE", 2, "", &offer));
    let invite = bench.invited(FIRST);
    let ours = String::from_utf8(invite.body.to_vec()).unwrap();
    assert!(
        ours.contains(" RTP/SAVP 0 101\r\n") && ours.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"),
        "{ours}"
    );
    let answer = sdp(5_000, "sendrecv").replace("RTP/AVP", "RTP/SAVP") + line;
    bench.answer(FIRST, &invite, 200, &answer);
    let streams = streams(&bench);
    assert_eq!(streams.len(), 2);
    assert!(streams.iter().all(|(_, stream)| matches!(stream.security, Security::Sdes(_))), "{streams:?}");
}

#[test]
fn nothing_secret_is_printed_with_the_commands_and_events() {
    let mut bench = Bench::with_plan(acme(), TRANSFERS);
    let shown = format!("{:?}", identity());
    assert!(!shown.contains("238"), "{shown}");
    bench.input(identity());
    bench.receive(CALLER, with_body("INVITE", 1, "", &browser()));
    let shown = format!("{:?}", bench.media);
    assert!(!shown.contains("asd88fgpdd777uzjYhagZg"), "{shown}");
}
