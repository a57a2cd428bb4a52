//! The messages of RFC 4475 and RFC 5118 with their verdicts, and the PROTOS cases, over real UDP: after each the
//! appliance is alive, and a call beside them goes on.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::appliance::{Appliance, project};
use super::rtp::{self, Endpoint};
use super::sipp::{self, Sipp};
use super::{sound, support};

fn material() -> PathBuf {
    project().join("../shared/sip-torture")
}

/// A peer at an address of its own with port 5060, to which answers go whose Via names no other, and with the other ports
/// that are named.
struct Peer {
    server: SocketAddr,
    sockets: Vec<UdpSocket>,
    pings: u32,
}

impl Peer {
    fn new(server: SocketAddr, other_ports: &BTreeSet<u16>) -> Peer {
        let free = (2..250).find_map(|last| {
            let ip = Ipv4Addr::new(127, 0, 9, last);
            let ports = std::iter::once(5060).chain(other_ports.iter().copied().filter(|&port| port != 5060));
            ports.map(|port| UdpSocket::bind((ip, port)).ok()).collect::<Option<Vec<_>>>()
        });
        let sockets = free.expect("an address of 127.0.9.0/24 with port 5060 free");
        sockets.iter().for_each(|socket| socket.set_nonblocking(true).expect("a socket"));
        Peer { server, sockets, pings: 0 }
    }

    fn ip(&self) -> String {
        self.sockets[0].local_addr().expect("bound").ip().to_string()
    }

    fn send(&self, bytes: &[u8]) {
        // A full buffer or a refused message is the network's loss; what counts is that the server lives.
        let _ = self.sockets[0].send_to(bytes, self.server);
    }

    /// The next message at any of the sockets.
    fn receive(&self, until: Instant) -> Option<Vec<u8>> {
        let mut buffer = [0; 65_535];
        loop {
            for socket in &self.sockets {
                if let Ok((length, _)) = socket.recv_from(&mut buffer) {
                    return Some(buffer[..length].to_vec());
                }
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Whether OPTIONS is answered; what else comes meanwhile is given to `other`.
    fn is_alive(&mut self, mut other: impl FnMut(&Peer, &[u8])) -> bool {
        self.pings += 1;
        let (ip, id) = (self.ip(), format!("alive-{}", self.pings));
        for attempt in 0..4 {
            self.send(
                format!(
                    "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{id}\r\nFrom: <sip:p@{ip}>;tag={id}\r\n\
                     To: <sip:{0}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                    self.server
                )
                .as_bytes(),
            );
            let until = Instant::now() + Duration::from_millis(500 << attempt);
            while let Some(message) = self.receive(until) {
                if status(&message).is_some() && contains(&message, id.as_bytes()) {
                    return true;
                }
                other(self, &message);
            }
        }
        false
    }

    /// Ends what a final answer to an INVITE began: ACK, and BYE where it was a 2xx.
    fn end(&self, answer: &[u8]) {
        let (Some(status), Some(cseq)) = (status(answer), header(answer, "cseq", "cseq")) else { return };
        if status < 200 || !cseq.to_ascii_uppercase().ends_with("INVITE") {
            return;
        }
        let number: u32 = cseq.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(1);
        let field = |name, short| header(answer, name, short).unwrap_or_default();
        let (from, to, id) = (field("from", "f"), field("to", "t"), field("call-id", "i"));
        let request = |method: &str, number: u32, via: &str| {
            self.send(
                format!(
                    "{method} sip:{} SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\n\
                     CSeq: {number} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                    self.server
                )
                .as_bytes(),
            );
        };
        if status >= 300 {
            return request("ACK", number, &field("via", "v"));
        }
        let via = |kind| format!("SIP/2.0/UDP {}:5060;branch=z9hG4bK{kind}{number}{}", self.ip(), self.pings);
        request("ACK", number, &via("a"));
        request("BYE", number.saturating_add(1), &via("b"));
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The status of a response.
fn status(message: &[u8]) -> Option<u16> {
    let code = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// The first value of a header by its name or compact name.
fn header(message: &[u8], name: &str, short: &str) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next()?;
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(found, _)| {
        let found = found.trim();
        found.eq_ignore_ascii_case(name) || found.eq_ignore_ascii_case(short)
    });
    values.next().map(|(_, value)| value.trim().to_owned())
}

/// The port that the first Via of a message names.
fn via_port(message: &[u8]) -> Option<u16> {
    let via = header(message, "via", "v")?;
    let sent_by = via.split_once(char::is_whitespace)?.1.split([';', ',']).next()?;
    sent_by.rsplit_once(':')?.1.trim().parse().ok()
}

struct Case {
    file: PathBuf,
    name: String,
    /// What is right, by comma: a status, `A` any final but 400 and 5xx, `L` any but 5xx, `S` silence.
    right: String,
}

fn cases(manifest: &str) -> Vec<Case> {
    let rows = manifest.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.len() >= 7)
        .map(|row| Case { file: material().join(row[0]), name: row[0].to_owned(), right: row[6].to_owned() })
        .collect()
}

fn is_right(right: &str, finals: &[u16]) -> bool {
    right.split(',').any(|kind| match kind.trim() {
        "S" => finals.is_empty(),
        "A" => !finals.is_empty() && finals.iter().all(|&code| code != 400 && !(500..600).contains(&code)),
        "L" => !finals.is_empty() && finals.iter().all(|code| !(500..600).contains(code)),
        code => code.parse().is_ok_and(|code: u16| finals.contains(&code)),
    })
}

/// Sends one message and collects the final answers that are its own.
fn replay(peer: &mut Peer, message: &[u8]) -> (Vec<u16>, bool) {
    let id = header(message, "call-id", "i").filter(|id| !id.is_empty());
    let mut finals = BTreeSet::new();
    let mut take = |peer: &Peer, answer: &[u8]| {
        let own = match &id {
            Some(id) => contains(answer, id.as_bytes()),
            None => header(answer, "call-id", "i").is_none_or(|id| id.is_empty()),
        };
        if let Some(status) = status(answer).filter(|&status| own && status >= 200) {
            finals.insert(status);
        }
        peer.end(answer);
    };
    peer.send(message);
    let until = Instant::now() + Duration::from_millis(400);
    while let Some(answer) = peer.receive(until) {
        take(peer, &answer);
    }
    let alive = peer.is_alive(&mut take);
    (finals.into_iter().collect(), alive)
}

#[test]
fn torture_messages_get_the_right_answers_and_harm_nothing() {
    const NAME: &str = "torture_messages_get_the_right_answers_and_harm_nothing";
    let Ok(manifest) = fs::read_to_string(material().join("manifest.tsv")) else {
        return support::skip(NAME, "../shared/sip-torture is not there");
    };
    let cases = cases(&manifest);
    assert!(cases.len() >= 60, "{} cases in the manifest", cases.len());
    let messages: Vec<_> = cases.iter().map(|case| fs::read(&case.file).expect("a message of the manifest")).collect();
    let ports = messages.iter().filter_map(|message| via_port(message)).filter(|&port| port >= 1024).collect();
    let appliance = Appliance::demo();
    let mut peer = Peer::new(appliance.sip, &ports);
    let mut wrong = Vec::new();
    for (case, message) in cases.iter().zip(&messages) {
        let (finals, alive) = replay(&mut peer, message);
        assert!(alive, "{}: OPTIONS is not answered after it (it got {finals:?})", case.name);
        if !is_right(&case.right, &finals) {
            wrong.push(format!("{}: {finals:?}, right is {}", case.name, case.right));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The messages of a PROTOS case: each `LENGTH SPACE TEXT`, where the text has places to fill in.
fn protos_messages(case: &[u8]) -> Vec<&[u8]> {
    let mut rest = case;
    let mut messages = Vec::new();
    while let Some(space) = rest.iter().position(|&octet| octet == b' ') {
        let length = std::str::from_utf8(&rest[..space]).ok().and_then(|digits| digits.trim().parse::<usize>().ok());
        let Some(text) = length.and_then(|length| rest.get(space + 1..space + 1 + length)) else { break };
        messages.push(text);
        rest = &rest[space + 1 + text.len()..];
    }
    messages
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend(&rest[..at]);
        out.extend(to);
        rest = &rest[at + from.len()..];
    }
    out.extend(rest);
    out
}

/// Fills in one message; its body's length is known when all else is.
fn fill(template: &[u8], ip: &str, server: SocketAddr, number: usize, teardown: &str) -> Vec<u8> {
    let (to, id) = (format!("600@{server}"), format!("protos{number}"));
    let mut text = template.to_vec();
    for (place, value) in [
        ("<From-Address>", ip),
        ("<From-IP>", ip),
        ("<From>", &format!("33155670@{ip}")),
        ("<To>", &to),
        ("<Local-Port>", "5060"),
        ("<Branch-ID>", &id),
        ("<Call-ID>", &id),
        ("<CSeq>", "1"),
        ("<Teardown-Method>", teardown),
    ] {
        text = replace(&text, place.as_bytes(), value.as_bytes());
    }
    let body = |separator: &[u8]| {
        let at = text.windows(separator.len()).position(|window| window == separator)?;
        Some(text.len() - at - separator.len())
    };
    let length = body(b"\r\n\r\n").or_else(|| body(b"\n\n")).unwrap_or(0);
    replace(&text, b"<Content-Length>", length.to_string().as_bytes())
}

fn unpack(archive: &Path, into: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("tar").arg("--zstd").arg("-xf").arg(archive).arg("-C").arg(into).output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => return Err(format!("tar with zstd fails: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => return Err(format!("tar cannot be run: {error}")),
    }
    let entries = fs::read_dir(into).map_err(|error| error.to_string())?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

#[test]
fn protos_cases_harm_neither_the_appliance_nor_a_call_beside_them() {
    const NAME: &str = "protos_cases_harm_neither_the_appliance_nor_a_call_beside_them";
    let archive = material().join("protos-even.tar.zst");
    if !archive.is_file() {
        return support::skip(NAME, "../shared/sip-torture/protos-even.tar.zst is not there");
    }
    if sipp::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = match unpack(&archive, folder.path()) {
        Ok(files) => files,
        Err(why) => return support::skip(NAME, &why),
    };
    assert!(files.len() > 2000, "{} cases", files.len());
    let mut appliance = Appliance::demo();
    let beside = Endpoint::open();
    beside.say(430);
    let call = Sipp::caller("33155671", "600", Duration::from_secs(600)).media(beside.address).start(&appliance);
    beside.await_tone(430);
    let mut peer = Peer::new(appliance.sip, &BTreeSet::new());
    let ip = peer.ip();
    let since = Instant::now();
    for (number, file) in files.iter().enumerate() {
        let case = fs::read(file).expect("a case");
        let messages = protos_messages(&case);
        assert!(!messages.is_empty(), "{}: no message in it", file.display());
        for (place, message) in messages.iter().enumerate() {
            let teardowns: &[&str] = if place == 0 { &[""] } else { &["CANCEL", "ACK"] };
            for teardown in teardowns {
                peer.send(&fill(message, &ip, appliance.sip, number, teardown));
            }
        }
        let alive = peer.is_alive(|peer, message| peer.end(message));
        assert!(alive && appliance.is_running(), "{}: OPTIONS is not answered after it", file.display());
    }
    let heard = beside.received(since);
    let level = sound::tone_level(&rtp::linear(&heard), 430);
    assert!(level > -18.0, "the call beside hears itself at {level:.1} dB");
    let lost = heard.windows(2).filter(|pair| pair[1].sequence != pair[0].sequence.wrapping_add(1)).count();
    assert_eq!(lost, 0, "the call beside misses frames");
    assert!(appliance.call_from("33155671").is_some(), "the call beside is up");
    drop(call);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protos_case_is_its_messages_filled_in() {
        let packed = |text: &str| format!("{} {text}", text.len());
        let case = packed("INVITE <To>\r\nl: <Content-Length>\r\n\r\nv=0") + &packed("<Teardown-Method> x");
        let case = case.into_bytes();
        let messages = protos_messages(&case);
        assert_eq!(messages[1], b"<Teardown-Method> x");
        let filled = fill(messages[0], "127.0.9.2", "127.0.0.1:5070".parse().unwrap(), 7, "");
        assert_eq!(String::from_utf8(filled).unwrap(), "INVITE 600@127.0.0.1:5070\r\nl: 3\r\n\r\nv=0");
    }

    #[test]
    fn verdicts_are_read_as_the_manifest_means_them() {
        assert!(is_right("S", &[]) && !is_right("S", &[400]));
        assert!(is_right("A", &[404]) && !is_right("A", &[400]) && !is_right("A", &[500]) && !is_right("A", &[]));
        assert!(is_right("L", &[400]) && !is_right("L", &[503]));
        assert!(is_right("501,400", &[400]) && !is_right("501,400", &[404]));
    }

    #[test]
    fn the_port_of_a_via_is_found() {
        assert_eq!(via_port(b"X\r\nv: SIP / 2.0 / UDP h:5070;branch=1\r\n\r\n"), Some(5070));
        assert_eq!(via_port(b"X\r\nVia: SIP/2.0/UDP [2001:db8::1]:5071;branch=1\r\n\r\n"), Some(5071));
        assert_eq!(via_port(b"X\r\nVia: SIP/2.0/UDP host;branch=1\r\n\r\n"), None);
    }
}
