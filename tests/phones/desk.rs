//! An agent's desk phone with several lines, for what neither SIPp nor baresip can be told in mid-call: it holds, dials a
//! second call and joins the two by REFER with Replaces (RFC 3891). It knows as much SIP as that takes, over UDP.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use super::appliance::{Appliance, free_port};
use super::sipp;

const PATIENCE: Duration = Duration::from_secs(10);

/// A message as lines and body.
#[derive(Clone, Debug)]
struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Message> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Some(Message { start, headers: headers.collect(), body: body.to_owned() })
    }

    fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }
}

/// A parameter of a header.
fn parameter(value: &str, name: &str) -> Option<String> {
    let rest = value.split(&format!("{name}=")).nth(1)?;
    Some(rest.trim_start_matches('"').split([';', '"', ',', '>', ' ']).next()?.to_owned())
}

fn uri(value: &str) -> String {
    value.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or(value).to_owned()
}

/// One of its lines.
#[derive(Clone, Debug)]
struct Line {
    call_id: String,
    /// With tags.
    us: String,
    them: String,
    target: String,
    cseq: u32,
    media: SocketAddr,
    ended: bool,
    /// What NOTIFYs of a REFER told: statuses.
    told: Vec<u16>,
}

pub struct Desk {
    socket: UdpSocket,
    address: SocketAddr,
    relais: SocketAddr,
    agent: String,
    lines: Vec<Line>,
    branches: u32,
}

impl Desk {
    /// Registers the agent's phone.
    pub fn register(appliance: &Appliance, agent: &str) -> Desk {
        let port = free_port();
        sipp::register(appliance, agent, port);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let socket = UdpSocket::bind(address).expect("the port that was registered");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
        Desk { socket, address, relais: appliance.sip, agent: agent.to_owned(), lines: Vec::new(), branches: 0 }
    }

    /// Answers the call that comes, with its voice at `media`; gives the line.
    pub fn answer(&mut self, media: SocketAddr) -> usize {
        let invite = self.await_message("an INVITE", |message| message.method() == "INVITE");
        self.respond(&invite, 180, "Ringing", "");
        // The caller hears music meanwhile, by which both voices find their way.
        self.wait(Duration::from_millis(400));
        let tag = format!("desk{}", self.lines.len());
        self.respond_as(&invite, 200, "OK", &tag, &sdp(media, "sendrecv"));
        self.lines.push(Line {
            call_id: invite.get("call-id").to_owned(),
            us: format!("{};tag={tag}", invite.get("to")),
            them: invite.get("from").to_owned(),
            target: uri(invite.get("contact")),
            cseq: 1,
            media,
            ended: false,
            told: Vec::new(),
        });
        self.await_message("the ACK", |message| message.method() == "ACK");
        self.lines.len() - 1
    }

    /// Calls a number and talks; gives the line, and where the far end wants the voice.
    pub fn dial(&mut self, number: &str, media: SocketAddr) -> (usize, SocketAddr) {
        let line = self.lines.len();
        let target = format!("sip:{number}@{}", self.relais);
        self.lines.push(Line {
            call_id: format!("desk-{number}-{line}"),
            us: format!("<sip:{}@{}>;tag=desk{line}", self.agent, self.relais),
            them: format!("<{target}>"),
            target,
            cseq: 0,
            media,
            ended: false,
            told: Vec::new(),
        });
        let answered = self.invite(line, "sendrecv");
        self.lines[line].them = answered.get("to").to_owned();
        self.lines[line].target = uri(answered.get("contact"));
        self.acknowledge(line, "");
        let port =
            answered.body.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        (line, SocketAddr::from(([127, 0, 0, 1], port.expect("a port for audio"))))
    }

    /// Puts a line on hold (RFC 3264 §8.4).
    pub fn hold(&mut self, line: usize) {
        self.invite(line, "sendonly");
        self.acknowledge(line, "");
    }

    /// An INVITE that is answered with 200 in the end, by a password where it is asked for.
    fn invite(&mut self, line: usize, direction: &str) -> Message {
        let body = sdp(self.lines[line].media, direction);
        let mut credentials = String::new();
        loop {
            let more = format!("Content-Type: application/sdp\r\n{credentials}");
            let cseq = self.request(line, "INVITE", &more, &body);
            let response = self.await_response(cseq, "INVITE");
            match response.status() {
                Some(200) => return response,
                Some(status @ (401 | 407)) if credentials.is_empty() => {
                    let target = self.lines[line].target.clone();
                    self.acknowledge(line, response.get("to"));
                    credentials = self.credentials(&response, status, "INVITE", &target);
                }
                other => panic!("the desk phone's INVITE is answered with {other:?}: {}", response.start),
            }
        }
    }

    fn credentials(&self, challenge: &Message, status: u16, method: &str, target: &str) -> String {
        let (asks, gives) = match status {
            401 => ("www-authenticate", "Authorization"),
            _ => ("proxy-authenticate", "Proxy-Authorization"),
        };
        let asked = challenge.all(asks).find(|value| parameter(value, "algorithm").is_none_or(|by| by == "MD5"));
        let asked = asked.expect("a challenge by MD5");
        let of = |name: &str| parameter(asked, name).unwrap_or_default();
        let md5 = |text: String| hex::encode(Md5::digest(text));
        let (realm, nonce) = (of("realm"), of("nonce"));
        let own = md5(format!("{}:{realm}:demo-{}", self.agent, self.agent));
        let what = md5(format!("{method}:{target}"));
        let response = md5(format!("{own}:{nonce}:00000001:desk:auth:{what}"));
        format!(
            "{gives}: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", algorithm=MD5, \
             qop=auth, nc=00000001, cnonce=\"desk\", response=\"{response}\"\r\n",
            self.agent
        )
    }

    /// Asks to have the far end of `line` joined with that of `other`, whom `number` names; gives the statuses that were
    /// told, the last one final.
    pub fn join(&mut self, line: usize, other: usize, number: &str) -> Vec<u16> {
        let replaced = self.lines[other].clone();
        let tag = |value: &str| parameter(value, "tag").expect("a tag");
        let escaped = replaced.call_id.replace('@', "%40");
        let to = format!(
            "<sip:{number}@{}?Replaces={escaped}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
            self.relais,
            tag(&replaced.them),
            tag(&replaced.us)
        );
        let more = format!("Refer-To: {to}\r\nReferred-By: <sip:{}@{}>\r\n", self.agent, self.relais);
        let cseq = self.request(line, "REFER", &more, "");
        let response = self.await_response(cseq, "REFER");
        assert_eq!(response.status(), Some(202), "{response:?}");
        let end = Instant::now() + PATIENCE;
        while self.lines[line].told.last().is_none_or(|status| *status < 200) {
            assert!(Instant::now() < end, "no final word on the transfer: {:?}", self.lines[line].told);
            self.turn();
        }
        self.lines[line].told.clone()
    }

    /// Whether the far end has hung up by now; waits for it.
    pub fn await_end(&mut self, line: usize) {
        let end = Instant::now() + PATIENCE;
        while !self.lines[line].ended {
            assert!(Instant::now() < end, "line {line} of the desk phone is still up");
            self.turn();
        }
    }

    /// Deals with what comes for a while.
    pub fn wait(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn();
        }
    }

    fn request(&mut self, line: usize, method: &str, more: &str, body: &str) -> u32 {
        self.branches += 1;
        let known = &mut self.lines[line];
        known.cseq += 1;
        let cseq = known.cseq;
        let text = self.text(line, method, cseq, more, body);
        self.send(&text);
        cseq
    }

    /// The ACK to the last INVITE; `to` where it has a tag of its own, after a refusal.
    fn acknowledge(&mut self, line: usize, to: &str) {
        if to.is_empty() {
            // A transaction of its own (RFC 3261 §13.2.2.4).
            self.branches += 1;
        }
        let before = self.lines[line].them.clone();
        if !to.is_empty() {
            self.lines[line].them = to.to_owned();
        }
        let text = self.text(line, "ACK", self.lines[line].cseq, "", "");
        self.lines[line].them = before;
        self.send(&text);
    }

    fn text(&self, line: usize, method: &str, cseq: u32, more: &str, body: &str) -> String {
        let Line { call_id, us, them, target, .. } = &self.lines[line];
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bKdesk{1}\r\nFrom: {us}\r\nTo: {them}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{2}@{0}>\r\nMax-Forwards: 70\r\n{more}\
             Content-Length: {3}\r\n\r\n{body}",
            self.address,
            self.branches,
            self.agent,
            body.len()
        )
    }

    fn respond(&self, request: &Message, status: u16, reason: &str, body: &str) {
        self.respond_as(request, status, reason, "", body);
    }

    fn respond_as(&self, request: &Message, status: u16, reason: &str, tag: &str, body: &str) {
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let vias: String = request.all("via").map(|via| format!("Via: {via}\r\n")).collect();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "SIP/2.0 {status} {reason}\r\n{vias}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:{}@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            request.get("from"),
            request.get("to"),
            request.get("call-id"),
            request.get("cseq"),
            self.agent,
            self.address,
            body.len()
        );
        self.send(&text);
    }

    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.relais).expect("loopback takes it");
    }

    fn await_response(&mut self, cseq: u32, method: &str) -> Message {
        let wanted = format!("{cseq} {method}");
        self.await_message(&format!("a response to {wanted}"), |message| {
            message.status().is_some_and(|status| status >= 200) && message.get("cseq") == wanted
        })
    }

    /// Deals with what comes until this comes.
    fn await_message(&mut self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "the desk phone gets {what} in time");
            if let Some(message) = self.receive() {
                if is_it(&message) {
                    return message;
                }
                self.take(&message);
            }
        }
    }

    fn turn(&mut self) {
        if let Some(message) = self.receive() {
            self.take(&message);
        }
    }

    fn receive(&self) -> Option<Message> {
        let mut buffer = [0; 8192];
        let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
        Message::parse(&buffer[..length])
    }

    /// A request in one of the lines.
    fn take(&mut self, message: &Message) {
        let Some(line) = self.lines.iter_mut().find(|line| line.call_id == message.get("call-id")) else { return };
        match message.method() {
            "BYE" => line.ended = true,
            "NOTIFY" => line
                .told
                .extend(message.body.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok())),
            "INVITE" => {
                let body = sdp(line.media, "sendrecv");
                return self.respond(message, 200, "OK", &body);
            }
            "ACK" | "SIP/2.0" => return,
            _ => {}
        }
        self.respond(message, 200, "OK", "");
    }
}

fn sdp(media: SocketAddr, direction: &str) -> String {
    format!(
        "v=0\r\no=desk 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio {1} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n",
        media.ip(),
        media.port()
    )
}
