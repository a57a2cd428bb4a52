use std::time::Duration;

use super::*;
use crate::settings::Credentials;
use crate::sip::message::{Message, Request, Response};
use crate::time::Instant;

const REALM: &str = "relais.test";

fn register(user: &str, authorization: Option<&str>) -> Request {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let text = format!(
        "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKa\r\nFrom: <sip:{user}@{REALM}>;tag=a\r\n\
         To: <sip:{user}@{REALM}>\r\nCall-ID: c1\r\nCSeq: 1 REGISTER\r\n{authorization}Content-Length: 0\r\n\r\n"
    );
    match Message::parse(text.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn at(seconds: u64) -> Instant {
    Instant(0) + Duration::from_secs(seconds)
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.to_owned(), aor: format!("sip:{user}@{REALM}") }
}

/// The client's answer to the server's challenge: the request with it, and its header value.
fn answer(server: &mut Authenticator, user: &str, password: &str, now: Instant) -> (Request, String) {
    let mut request = register(user, None);
    let response = challenge(server, &request, user, now);
    assert!(authorize(&mut request, &response, &credentials(user, password), "abc"), "no answer to {response:?}");
    let value = request.headers.get("Authorization").expect("a header").to_owned();
    (request, value)
}

fn challenge(server: &mut Authenticator, request: &Request, user: &str, now: Instant) -> Response {
    let Verdict::Challenge(headers) = server.verify(&register(user, None), user, Some("secret"), now) else {
        panic!("no challenge")
    };
    let mut response = request.response(401.into(), Some("t"));
    response.headers.extend(headers);
    response
}

fn verdict(server: &mut Authenticator, user: &str, value: &str, password: Option<&str>, now: Instant) -> &'static str {
    match server.verify(&register(user, Some(value)), user, password, now) {
        Verdict::Accepted => "accepted",
        Verdict::Challenge(headers) if headers.get("WWW-Authenticate").is_some_and(|v| v.contains("stale=true")) => {
            "stale"
        }
        Verdict::Challenge(_) => "challenge",
        Verdict::Refused => "refused",
        Verdict::Misdirected => "misdirected",
    }
}

/// A client's answer made by hand, with what the test wants to be wrong about it.
struct Answer<'a> {
    algorithm: Algorithm,
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    quality: Option<(&'a str, &'a str)>,
}

impl Answer<'_> {
    fn header(&self) -> String {
        let proof = digest::Proof {
            algorithm: self.algorithm,
            user: "201",
            realm: REALM,
            password: "secret",
            method: self.method,
            uri: self.uri,
            nonce: self.nonce,
            quality: self.quality,
        };
        let mut value = format!(
            "Digest username=\"201\", realm=\"{REALM}\", nonce=\"{}\", uri=\"{}\", response=\"{}\", algorithm={}",
            self.nonce,
            self.uri,
            proof.response(),
            self.algorithm.name()
        );
        if let Some((nc, cnonce)) = self.quality {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        value
    }
}

fn nonce_of(server: &mut Authenticator, now: Instant) -> String {
    let response = challenge(server, &register("201", None), "201", now);
    let value = response.headers.get("WWW-Authenticate").expect("a challenge");
    digest::Fields::parse(value).and_then(|fields| fields.get("nonce").map(str::to_owned)).expect("a nonce")
}

fn uri() -> String {
    format!("sip:{REALM}")
}

#[test]
fn the_right_password_is_accepted_and_any_other_refused_alike() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let right = answer(&mut server, "201", "secret", at(1)).1;
    assert!(right.contains("algorithm=SHA-256"), "the stronger algorithm is chosen: {right}");
    assert_eq!(verdict(&mut server, "201", &right, Some("secret"), at(1)), "accepted");
    let wrong = answer(&mut server, "201", "guess", at(1)).1;
    assert_eq!(verdict(&mut server, "201", &wrong, Some("secret"), at(1)), "refused");
    let nobody = answer(&mut server, "299", "secret", at(1)).1;
    assert_eq!(verdict(&mut server, "299", &nobody, None, at(1)), "refused");
}

#[test]
fn a_phone_that_reads_one_challenge_only_is_asked_for_md5() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let Verdict::Challenge(headers) = server.verify(&register("201", None), "201", Some("secret"), at(1)) else {
        panic!("no challenge")
    };
    let first = headers.get("WWW-Authenticate").unwrap();
    assert!(first.contains("algorithm=MD5"), "{first}");
}

#[test]
fn a_phone_that_stumbles_over_sha_256_is_not_shown_it() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    for (agent, challenges) in [
        ("baresip v1.0.0 (x86_64/linux)", 1),
        ("baresip v3.10.1 (x86_64/Linux)", 1),
        ("baresip v3.11.0 (x86_64/Linux)", 2),
        ("baresip v4", 2),
        ("Linphone/5.0", 2),
    ] {
        let mut request = register("201", None);
        request.headers.push("User-Agent", agent);
        let Verdict::Challenge(headers) = server.verify(&request, "201", Some("secret"), at(1)) else {
            panic!("no challenge")
        };
        assert_eq!(headers.get_all("WWW-Authenticate").count(), challenges, "{agent}");
    }
    let mut browser = register("201", None);
    browser.core.via[0].transport = "WSS".to_owned();
    let Verdict::Challenge(headers) = server.verify(&browser, "201", Some("secret"), at(1)) else {
        panic!("no challenge")
    };
    let challenges: Vec<_> = headers.get_all("WWW-Authenticate").collect();
    assert!(matches!(challenges[..], [only] if only.contains("algorithm=MD5")), "{challenges:?}");
}

#[test]
fn an_answer_is_good_for_its_own_user_only() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let theirs = answer(&mut server, "202", "secret", at(1)).1;
    assert_eq!(verdict(&mut server, "201", &theirs, Some("secret"), at(1)), "refused");
}

#[test]
fn an_answer_cannot_be_used_twice_nor_for_ever() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let once = answer(&mut server, "201", "secret", at(1)).1;
    assert_eq!(verdict(&mut server, "201", &once, Some("secret"), at(1)), "accepted");
    assert_eq!(verdict(&mut server, "201", &once, Some("secret"), at(2)), "stale");
    let late = answer(&mut server, "201", "secret", at(1)).1;
    assert_eq!(verdict(&mut server, "201", &late, Some("secret"), at(302)), "stale");
}

#[test]
fn a_nonce_of_somebody_elses_making_is_stale() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let mut other = Authenticator::new(REALM.to_owned(), [8; 32]);
    let forged = answer(&mut other, "201", "secret", at(1)).1;
    assert_eq!(verdict(&mut server, "201", &forged, Some("secret"), at(1)), "stale");
}

#[test]
fn broken_answers_are_refused_or_challenged_never_accepted() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    for value in [
        "Digest realm=\"relais.test\"",
        "Digest realm=\"elsewhere\", username=\"201\"",
        "NoOneKnowsThisScheme opaque-data=here",
        "Digest username=\"201\", realm=\"relais.test\", nonce=\"\", uri=\"sip:x\", response=\"\", algorithm=SHA-512",
        "Digest username=\"201\", realm=\"relais.test\", nonce=\"00\", uri=\"sip:x\", response=\"\", qop=auth-int",
    ] {
        assert_ne!(verdict(&mut server, "201", value, Some("secret"), at(1)), "accepted", "{value}");
    }
}

#[test]
fn a_client_whose_password_is_refused_gives_up_whatever_nonce_it_is_given() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let (mut request, _) = answer(&mut server, "201", "wrong", at(1));
    let again = challenge(&mut server, &request, "201", at(2));
    assert!(!authorize(&mut request, &again, &credentials("201", "wrong"), "abd"));
}

#[test]
fn a_client_whose_nonce_was_old_tries_with_the_new_one() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let (mut request, _) = answer(&mut server, "201", "secret", at(1));
    let Verdict::Challenge(headers) = server.verify(&request, "201", Some("secret"), at(400)) else {
        panic!("no challenge")
    };
    let mut response = request.response(401.into(), Some("t"));
    response.headers.extend(headers);
    assert!(authorize(&mut request, &response, &credentials("201", "secret"), "abd"));
    assert_eq!(request.headers.get_all("Authorization").count(), 1);
    assert!(matches!(server.verify(&request, "201", Some("secret"), at(400)), Verdict::Accepted));
}

#[test]
fn remembered_nonces_are_forgotten_in_time() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    for n in 0..100 {
        let value = answer(&mut server, "201", "secret", at(n)).1;
        assert_eq!(verdict(&mut server, "201", &value, Some("secret"), at(n)), "accepted");
    }
    assert_eq!(server.remembered(), 100);
    server.verify(&register("201", None), "201", Some("secret"), at(1_000));
    assert_eq!(server.remembered(), 0);
}

#[test]
fn the_right_password_for_another_resource_is_no_answer() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    for (target, expected) in [
        (uri(), "accepted"),
        (format!("sip:{REALM}:5060;transport=tcp"), "accepted"),
        (format!("sip:610@{REALM}"), "misdirected"),
        ("sip:elsewhere.test".to_owned(), "misdirected"),
    ] {
        let nonce = nonce_of(&mut server, at(1));
        let quality = Some(("00000001", "abc"));
        let answer = Answer { algorithm: Algorithm::Sha256, method: "REGISTER", uri: &target, nonce: &nonce, quality };
        assert_eq!(verdict(&mut server, "201", &answer.header(), Some("secret"), at(1)), expected, "{target}");
        assert_eq!(verdict(&mut server, "201", &answer.header(), Some("other"), at(1)), "refused", "{target}");
    }
}

#[test]
fn an_answer_to_another_method_is_refused() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let nonce = nonce_of(&mut server, at(1));
    let quality = Some(("00000001", "abc"));
    let answer = Answer { algorithm: Algorithm::Md5, method: "INVITE", uri: &uri(), nonce: &nonce, quality };
    assert_eq!(verdict(&mut server, "201", &answer.header(), Some("secret"), at(1)), "refused");
}

#[test]
fn a_nonce_serves_again_as_long_as_its_count_grows() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    let nonce = nonce_of(&mut server, at(1));
    for (nc, now, expected) in [
        ("00000000", 1, "stale"),
        ("00000001", 2, "accepted"),
        ("00000003", 3, "accepted"),
        ("00000003", 4, "stale"),
        ("00000002", 4, "stale"),
        ("not-hexa", 4, "stale"),
        ("0000000a", 5, "accepted"),
        ("00000010", 300, "accepted"),
        ("00000011", 302, "stale"),
    ] {
        let quality = Some((nc, "abc"));
        let answer = Answer { algorithm: Algorithm::Md5, method: "REGISTER", uri: &uri(), nonce: &nonce, quality };
        let value = answer.header();
        assert_eq!(verdict(&mut server, "201", &value, Some("secret"), at(now)), expected, "nc={nc} at {now} s");
    }
}

#[test]
fn a_peer_without_qop_may_use_a_nonce_once() {
    let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let nonce = nonce_of(&mut server, at(1));
        let answer = Answer { algorithm, method: "REGISTER", uri: &uri(), nonce: &nonce, quality: None };
        assert_eq!(verdict(&mut server, "201", &answer.header(), Some("secret"), at(1)), "accepted");
        assert_eq!(verdict(&mut server, "201", &answer.header(), Some("secret"), at(1)), "stale");
    }
}

/// What we answer to a challenge, as its fields; `None` where we do not.
fn ours(challenges: &[&str]) -> Option<digest::Fields> {
    let mut request = register("201", None);
    let mut response = request.response(401.into(), Some("t"));
    challenges.iter().for_each(|challenge| response.headers.push("WWW-Authenticate", *challenge));
    authorize(&mut request, &response, &credentials("201", "secret"), "abc")
        .then(|| digest::Fields::parse(request.headers.get("Authorization").unwrap()).unwrap())
}

#[test]
fn old_and_new_peers_are_answered_each_in_their_own_way() {
    for (challenge, algorithm, quality) in [
        ("Digest realm=\"x\", nonce=\"n\"", Algorithm::Md5, None),
        ("Digest realm=\"x\", nonce=\"n\", algorithm=md5", Algorithm::Md5, None),
        ("Digest realm=\"x\", nonce=\"n\", qop=\"auth-int, auth\"", Algorithm::Md5, Some(("00000001", "abc"))),
        ("Digest realm=\"x\", nonce=\"n\", algorithm=SHA-256", Algorithm::Sha256, None),
        ("Digest realm=\"x\", nonce=\"n\", algorithm=SHA-256, qop=auth", Algorithm::Sha256, Some(("00000001", "abc"))),
    ] {
        let fields = ours(&[challenge]).unwrap_or_else(|| panic!("no answer to {challenge}"));
        let proof = digest::Proof {
            algorithm,
            user: "201",
            realm: "x",
            password: "secret",
            method: "REGISTER",
            uri: &uri(),
            nonce: "n",
            quality,
        };
        assert_eq!(fields.get("response"), Some(proof.response().as_str()), "{challenge}");
        assert_eq!(fields.get("qop").is_some(), quality.is_some(), "{challenge}");
        assert_eq!(fields.get("nc"), quality.map(|(nc, _)| nc), "{challenge}");
    }
}

#[test]
fn challenges_that_cannot_be_answered_are_not() {
    for challenge in [
        "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256",
        "Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess",
        "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"x\"",
        "Basic realm=\"x\"",
    ] {
        assert!(ours(&[challenge]).is_none(), "{challenge}");
    }
    let strongest = ours(&[
        "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256",
        "Digest realm=\"x\", nonce=\"n\", algorithm=MD5",
        "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-256",
    ]);
    assert_eq!(strongest.unwrap().get("algorithm"), Some("SHA-256"));
}

#[test]
fn a_disguised_request_gets_the_same_verdict_by_the_stand_in_and_holds_nothing_of_the_password() {
    const STAND_IN: &str = "not recorded";
    // The verdict on what is told apart must not depend on the password that it is checked against.
    for (user, typed, expected) in
        [("201", "secret", "accepted"), ("201", "guess", "refused"), ("201", STAND_IN, "refused")]
    {
        for lines in
            ["", "Authorization: Basic c2VjcmV0\r\n", "Proxy-Authorization: Digest realm=\"x\", response=\"ab\"\r\n"]
        {
            let mut server = Authenticator::new(REALM.to_owned(), [7; 32]);
            let value = answer(&mut server, user, typed, at(1)).1;
            let text = String::from_utf8(register(user, Some(&value)).to_bytes().to_vec()).unwrap();
            let text = text.replace("Content-Length", &format!("{lines}Content-Length"));
            let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
            let mut disguised = request.clone();
            disguise(&mut disguised, REALM, STAND_IN, |name| (name == "201").then_some("secret"));
            let snapshot = serde_json::to_string(&server).unwrap();
            let judge = |request: &Request, password| {
                let mut server: Authenticator = serde_json::from_str(&snapshot).unwrap();
                match server.verify(request, user, Some(password), at(1)) {
                    Verdict::Accepted => "accepted",
                    Verdict::Challenge(_) => "challenge",
                    Verdict::Refused => "refused",
                    Verdict::Misdirected => "misdirected",
                }
            };
            assert_eq!(judge(&request, "secret"), expected, "{typed} {lines}");
            assert_eq!(judge(&disguised, STAND_IN), expected, "{typed} {lines}: {disguised:?}");
            let response = digest::Fields::parse(&value).and_then(|fields| fields.get("response").map(str::to_owned));
            let written = String::from_utf8(disguised.to_bytes().to_vec()).unwrap();
            for hidden in [response.as_deref().unwrap(), "c2VjcmV0", "response=\"ab\""] {
                assert!(!written.contains(hidden), "{hidden} is in {written}");
            }
        }
    }
}

#[test]
fn a_request_without_credentials_is_not_touched_by_the_disguise() {
    let mut request = register("201", None);
    let before = request.clone();
    disguise(&mut request, REALM, "not recorded", |_| Some("secret"));
    assert_eq!(request, before);
}
