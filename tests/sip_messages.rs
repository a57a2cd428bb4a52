//! Reading the messages of RFC 4475, RFC 5118 and PROTOS from files. What the user agent makes of those that can be read
//! is tested with a running appliance (`tests/phones/torture.rs`).

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use relais::sip::message::{Framed, Framer, Host, Message, Request, SipUri, Uri};

fn kit() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/sip-torture");
    if folder.is_dir() {
        return Some(folder);
    }
    support::skip("SIP torture messages", "../shared/sip-torture is not there");
    None
}

/// What reading alone decides: the status of the refusal, 0 for silence. All other messages must be read; their verdicts
/// are the user agent's (416, 420, 415, 406, 401, no transaction for a stray response).
const DECIDED_HERE: &[(&str, u16)] = &[
    // rsip has no way to name a method it does not know, so no further check can.
    ("rfc4475/intmeth.dat", 501),
    ("rfc4475/esc02.dat", 501),
    ("rfc4475/mismatch02.dat", 501),
    ("rfc4475/badinv01.dat", 400),
    ("rfc4475/clerr.dat", 400),
    ("rfc4475/ncl.dat", 400),
    ("rfc4475/scalar02.dat", 400),
    ("rfc4475/scalarlg.dat", 0),
    ("rfc4475/quotbal.dat", 400),
    ("rfc4475/ltgtruri.dat", 400),
    ("rfc4475/lwsruri.dat", 400),
    ("rfc4475/escruri.dat", 400),
    ("rfc4475/regbadct.dat", 400),
    ("rfc4475/badaspec.dat", 400),
    ("rfc4475/baddn.dat", 400),
    ("rfc4475/badvers.dat", 505),
    ("rfc4475/mismatch01.dat", 400),
    ("rfc4475/bigcode.dat", 0),
    ("rfc4475/badbranch.dat", 400),
    ("rfc4475/insuf.dat", 400),
    ("rfc4475/multi01.dat", 400),
    ("rfc4475/mcl01.dat", 400),
    ("rfc4475/test.dat", 0),
    ("rfc5118/ipv6-bad.dat", 400),
];

/// README.md of the kit: a number is that status, `A` any but 400 and 5xx, `L` any but 5xx, `S` silence.
fn allows(verdict: &str, status: u16) -> bool {
    verdict.split(',').any(|one| match one {
        "A" => status != 0 && status != 400 && status < 500,
        "L" => status != 0 && status < 500,
        "S" => status == 0,
        number => number.parse() == Ok(status),
    })
}

#[test]
fn torture_messages_are_read_or_refused_as_the_manifest_says() {
    let Some(kit) = kit() else { return };
    let decided: BTreeMap<_, _> = DECIDED_HERE.iter().copied().collect();
    let manifest = fs::read_to_string(kit.join("manifest.tsv")).expect("the manifest");
    let mut tried = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let [file, .., verdict] = columns[..] else { panic!("a line of the manifest: {line}") };
        let bytes = fs::read(kit.join(file)).expect("a message");
        let parsed = Message::parse(&bytes);
        let status = parsed.as_ref().err().map(|error| error.status());
        assert_eq!(status, decided.get(file).copied(), "{file}: {parsed:?}");
        if let (Some(status), Err(error)) = (status, &parsed) {
            assert!(allows(verdict, status), "{file}: the manifest says {verdict}, we say {error}");
            assert_eq!(error.refusal().is_some(), status != 0, "{file}");
        }
        if let Ok(message) = parsed {
            assert_eq!(
                Message::parse(&message.to_bytes()).as_ref(),
                Ok(&message),
                "{file}: reads the same when written"
            );
            let kept = serde_json::to_string(&message).expect("text");
            assert_eq!(serde_json::from_str::<Message>(&kept).expect("a message"), message, "{file}");
        }
        tried += 1;
    }
    assert!(tried > 60, "only {tried} messages");
}

fn request(kit: &Path, file: &str) -> Request {
    match Message::parse(&fs::read(kit.join(file)).expect("a message")) {
        Ok(Message::Request(request)) => request,
        other => panic!("{file}: {other:?}"),
    }
}

fn sip(uri: &Uri) -> &SipUri {
    match uri {
        Uri::Sip(uri) => uri,
        other => panic!("{other} is no SIP URI"),
    }
}

#[test]
fn torture_messages_mean_what_their_rfcs_say() {
    let Some(kit) = kit() else { return };

    let wsinv = request(&kit, "rfc4475/wsinv.dat");
    assert_eq!(wsinv.core.from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((wsinv.core.to.tag(), wsinv.max_forwards, wsinv.core.cseq.number), (Some("1918181833n"), Some(68), 9));
    let transports: Vec<_> = wsinv.core.via.iter().map(|via| via.transport.as_str()).collect();
    assert_eq!(transports, ["UDP", "TCP", "UDP"]);
    assert_eq!(wsinv.headers.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(wsinv.headers.get("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    assert_eq!(wsinv.headers.contact().expect("a contact").params.get("secondparam"), None);

    let esc01 = request(&kit, "rfc4475/esc01.dat");
    assert!(!sip(&esc01.uri).secure);
    assert_eq!(sip(&esc01.uri).user.as_deref(), Some("sips:user@example.com"));
    assert_eq!(sip(&esc01.core.to.uri).user.as_deref(), Some("user"));
    let contact = esc01.headers.contact().expect("a contact");
    assert!(sip(&contact.uri).params.contains("lr"));
    assert_eq!(sip(&contact.uri).params.get("name"), Some("value%2541"));

    let escnull = request(&kit, "rfc4475/escnull.dat");
    let users: Vec<_> = escnull.headers.addresses("Contact").map(|contact| sip(&contact.uri).user.clone()).collect();
    assert_eq!(users, [Some("%00".to_owned()), Some("%00%00".to_owned())]);

    assert_eq!(sip(&request(&kit, "rfc4475/semiuri.dat").uri).user.as_deref(), Some("user;par=u@example.net"));
    assert!(request(&kit, "rfc4475/mpart01.dat").body.contains(&0), "binary parts stay");
    assert!(request(&kit, "rfc4475/dblreq.dat").body.is_empty(), "what follows is not the body");
    assert_eq!(request(&kit, "rfc4475/longreq.dat").core.via.len(), 34);
    let cparam02 = request(&kit, "rfc4475/cparam02.dat").headers.contact().expect("a contact");
    assert!(sip(&cparam02.uri).params.contains("unknownparam") && cparam02.params.0.is_empty());
    assert!(matches!(request(&kit, "rfc4475/unkscm.dat").uri, Uri::Other(_)));

    let address = |text: &str| Host::Address(text.parse().expect("an address"));
    let ambiguous = request(&kit, "rfc5118/port-ambiguous.dat");
    assert_eq!((&sip(&ambiguous.uri).host, sip(&ambiguous.uri).port), (&address("2001:db8::10:5070"), None));
    let clear = request(&kit, "rfc5118/port-unambiguous.dat");
    assert_eq!((&sip(&clear.uri).host, sip(&clear.uri).port), (&address("2001:db8::10"), Some(5070)));
    for file in ["rfc5118/via-received-param-with-delim.dat", "rfc5118/via-received-param-no-delim.dat"] {
        let via = request(&kit, file).core.via.remove(0);
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok(), "{file}");
    }
    let colons = request(&kit, "rfc5118/ipv6-bug-abnf-3-colons.dat");
    assert_eq!(sip(&colons.uri).host, address("2001:db8::192.0.2.1"));
}

/// Over a stream every message of the kit is cut out as it stands, or the stream is given up; no refusal is made of what
/// stands behind the message.
#[test]
fn torture_messages_come_through_a_stream() {
    let Some(kit) = kit() else { return };
    for file in ["rfc4475/wsinv.dat", "rfc4475/esc01.dat", "rfc4475/mpart01.dat", "rfc5118/ipv6-good.dat"] {
        let bytes = fs::read(kit.join(file)).expect("a message");
        let mut framer = Framer::default();
        for byte in &bytes {
            framer.push(std::slice::from_ref(byte));
        }
        match framer.next() {
            Some(Framed::Message(found)) => assert_eq!(Message::parse(&found), Message::parse(&bytes), "{file}"),
            other => panic!("{file}: {other:?}"),
        }
    }
    for file in ["rfc4475/ncl.dat", "rfc4475/mcl01.dat"] {
        let mut framer = Framer::default();
        framer.push(&fs::read(kit.join(file)).expect("a message"));
        assert!(matches!(framer.next(), Some(Framed::Broken(Some(_)))), "{file}");
        assert_eq!(framer.next(), None, "{file}");
    }
}

/// The messages of a PROTOS case: each `LENGTH SPACE TEXT`, with `<Names>` in the text to be filled in.
fn protos_messages(case: &[u8]) -> Vec<Vec<u8>> {
    const NAMES: &[(&str, &str)] = &[
        ("<From-Address>", "127.0.0.2"),
        ("<From-IP>", "127.0.0.2"),
        ("<Local-Port>", "5060"),
        ("<Branch-ID>", "0001"),
        ("<Call-ID>", "protos-1"),
        ("<CSeq>", "1"),
        ("<Teardown-Method>", "CANCEL"),
        ("<From>", "protos@127.0.0.2"),
        ("<To>", "600@127.0.0.1"),
    ];
    let mut found = Vec::new();
    let mut rest = case;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.trim().parse::<usize>().ok());
        let Some(length) = length.map(|length| length.min(rest.len() - space - 1)) else { break };
        let (text, after) = rest[space + 1..].split_at(length);
        rest = after;
        let mut filled = NAMES.iter().fold(text.to_vec(), |text, (name, value)| replace(&text, name, value));
        let body = filled.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| filled.len() - at - 4);
        filled = replace(&filled, "<Content-Length>", &body.to_string());
        found.push(filled);
    }
    found
}

fn replace(text: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value.as_bytes());
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn protos_cases_are_read_or_refused() {
    let Some(kit) = kit() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unpacked = Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(kit.join("protos-even.tar.zst"))
        .arg("-C")
        .arg(folder.path())
        .output();
    if !unpacked.is_ok_and(|output| output.status.success()) {
        return support::skip("PROTOS cases", "tar cannot unpack them; install zstd");
    }
    let (mut read, mut refused, mut silent) = (0, 0, 0);
    for entry in fs::read_dir(folder.path()).expect("the cases") {
        let path = entry.expect("a case").path();
        let case = fs::read(&path).expect("a case");
        for bytes in protos_messages(&case) {
            match Message::parse(&bytes) {
                Ok(message) => {
                    read += 1;
                    assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Ok(&message), "{}", path.display());
                }
                Err(error) => match error.refusal() {
                    Some(refusal) => {
                        refused += 1;
                        assert!(refusal.starts_with(b"SIP/2.0 "), "{}", path.display());
                    }
                    None => silent += 1,
                },
            }
            let mut framer = Framer::default();
            framer.push(&bytes);
            assert!(framer.count() <= bytes.len());
        }
    }
    println!("{read} read, {refused} refused, {silent} dropped");
    assert!(read > 1_000 && refused > 500, "{read} read, {refused} refused, {silent} dropped");
}
