//! A peer that sends anything in any order: valid and senseless requests and responses with numbers, tags and branches
//! drawn from few, some of them damaged. The user agent neither panics nor keeps anything.

use std::collections::BTreeMap;

use super::*;
use crate::sip::message::Request;

const METHODS: [&str; 13] = [
    "INVITE",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "PRACK",
    "UPDATE",
    "INFO",
    "OPTIONS",
    "REGISTER",
    "REFER",
    "SUBSCRIBE",
    "MESSAGE",
];
const MORE: [&str; 12] = [
    "Require: 100rel\r\n",
    "Supported: 100rel, timer\r\n",
    "Session-Expires: 90;refresher=uac\r\n",
    "Session-Expires: 91;refresher=uas\r\nSupported: timer\r\n",
    "Session-Expires: 5\r\nSupported: timer\r\n",
    "Allow: INVITE, UPDATE, PRACK\r\n",
    "Expires: 3\r\n",
    "Record-Route: <sip:127.0.0.1;lr>, <sip:127.0.0.3>\r\n",
    "Contact: <sip:alice@elsewhere.invalid>\r\n",
    "Retry-After: 3\r\nMin-SE: 4000\r\n",
    "Reason: Q.850;cause=16\r\n",
    "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", stale=true\r\n",
];

struct Monkey {
    seed: u64,
    rng: ChaCha12Rng,
    agent: UserAgent,
    now: Instant,
    flow: Flow,
    /// Requests of the agent, to be answered or abused.
    heard: Vec<Request>,
    /// Tags, RSeqs the agent has used.
    tags: Vec<String>,
    rseqs: Vec<String>,
    ends: BTreeMap<SessionId, u32>,
}

impl Monkey {
    fn new(seed: u64) -> Self {
        let reliable = seed % 5 == 4;
        let transport = if reliable { Transport::Tcp } else { Transport::Udp };
        let connection = reliable.then_some(crate::ids::ConnectionId(3));
        Monkey {
            seed,
            rng: ChaCha12Rng::seed_from_u64(seed),
            agent: UserAgent::new(settings(BOB), [1; 32]),
            now: Instant(1_000_000_000),
            flow: Flow { transport, local: address(BOB), remote: address(ALICE), connection },
            heard: Vec::new(),
            tags: Vec::new(),
            rseqs: vec!["1".into()],
            ends: BTreeMap::new(),
        }
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.next_u32()).unwrap() % n.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn tag(&mut self) -> String {
        let at = self.below(self.tags.len() + 1);
        self.tags.get(at).map(|tag| format!(";tag={tag}")).unwrap_or_default()
    }

    fn more(&mut self) -> String {
        let mut more = String::new();
        for _ in 0..self.below(4) {
            more.push_str(self.pick(&MORE));
        }
        if self.below(3) == 0 {
            more.push_str("Content-Type: application/sdp\r\nContent-Length: 11\r\n\r\nv=0 monkey\n");
        } else {
            more.push_str("Content-Length: 0\r\n\r\n");
        }
        more
    }

    fn request(&mut self) -> String {
        let method = self.pick(&METHODS);
        let (cseq, branch, from, call) = (self.below(5), self.below(12), self.below(2), self.below(3));
        let (to, rseq, number) = (self.tag(), self.below(self.rseqs.len()), self.below(5));
        let rack = format!("RAck: {} {number} INVITE\r\n", self.rseqs[rseq]);
        let more = self.more();
        format!(
            "{method} sip:100@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{branch}\r\n\
             From: <sip:alice@x>;tag=a{from}\r\nTo: <sip:100@x>{to}\r\nCall-ID: c{call}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@127.0.0.1>\r\n{rack}{more}"
        )
    }

    /// A response to something the agent sent, often a fitting one.
    fn response(&mut self) -> Option<String> {
        let at = self.below(self.heard.len());
        let request = self.heard.get(at)?.clone();
        let statuses =
            ["100", "180", "183", "200", "200", "200", "401", "422", "481", "486", "491", "500", "503", "408"];
        let status = self.pick(&statuses);
        let tag = ["x1", "x2", "x3"][self.below(3)];
        let mut response = request.response(status.parse::<u16>().unwrap().into(), Some(tag));
        response.headers.push("Contact", "<sip:b@127.0.0.1>");
        if self.below(2) == 0 {
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", (1 + self.below(3)).to_string());
        }
        let text = String::from_utf8_lossy(&response.to_bytes()).into_owned();
        let more = self.more();
        Some(text.replace("Content-Length: 0\r\n\r\n", &more))
    }

    fn damaged(&mut self, text: String) -> Vec<u8> {
        let mut bytes = text.into_bytes();
        if self.below(10) == 0 {
            for _ in 0..=self.below(3) {
                let at = self.below(bytes.len());
                bytes[at] = [b' ', b';', b'\r', b'0', 0xff, b'<', b':', b'Z'][self.below(8)];
            }
        }
        bytes
    }

    fn act(&mut self, live: &[SessionId]) {
        let at = self.below(live.len());
        let Some(session) = live.get(at).copied() else { return };
        let (now, body) = (self.now, sdp("agent"));
        let choice = self.below(10);
        let status = u16::try_from(101 + self.below(99)).unwrap();
        let agent = &mut self.agent;
        match choice {
            0 | 1 => agent.progress(session, status, (status % 2 == 0).then_some(body), now),
            2 | 3 => agent.accept(session, body, Headers::default(), now),
            4 => agent.offer(session, body, now),
            5 | 6 => agent.answer(session, body, now),
            7 => agent.refuse(session, 488, now),
            8 => agent.info(session, "x/y", body, now),
            _ if status % 3 == 0 => agent.hang_up(session, Headers::default(), now),
            _ if status % 3 == 1 => agent.reject(session, 480, None, Headers::default(), now),
            _ => {}
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Incoming { session, .. } => {
                    self.ends.insert(session, 0);
                }
                Event::Ended { session, .. } | Event::Failed { session, .. } => {
                    let ends = self.ends.entry(session).or_default();
                    *ends += 1;
                    assert_eq!(*ends, 1, "seed {}: {session} ended twice", self.seed);
                }
                Event::Request { ticket, request, .. } => {
                    let response = request.response(crate::sip::message::StatusCode::Forbidden, None);
                    self.agent.respond(ticket, response, self.now);
                }
                _ => {}
            }
        }
        while let Some(sent) = self.agent.poll_transmit() {
            match Message::parse(&sent.bytes) {
                Ok(Message::Request(request)) => self.heard.push(request),
                Ok(Message::Response(response)) => {
                    self.tags.extend(response.core.to.tag().map(str::to_owned));
                    self.rseqs.extend(response.headers.get("RSeq").map(str::to_owned));
                }
                Err(error) => panic!("seed {}: we sent {:?}: {error}", self.seed, sent.bytes),
            }
        }
        let keep = |n: usize| n.saturating_sub(8);
        self.heard.drain(..keep(self.heard.len()));
        self.tags.drain(..keep(self.tags.len()));
        self.rseqs.drain(..keep(self.rseqs.len()));
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.agent.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.agent.handle_timeout(self.now);
            self.listen();
        }
        self.now = end;
    }

    fn live(&self) -> Vec<SessionId> {
        self.ends.iter().filter(|(_, ends)| **ends == 0).map(|(session, _)| *session).collect()
    }

    fn call(&mut self) {
        let invite = Invite {
            to: Destination::Flow(self.flow),
            request_uri: "sip:alice@127.0.0.1".parse().unwrap(),
            from: name_addr("<sip:100@x>"),
            to_header: name_addr("<sip:alice@x>"),
            headers: Headers::default(),
            sdp: (self.below(3) > 0).then(|| sdp("agent")),
            credentials: Some(crate::settings::Credentials { user: "u".into(), password: "p".into(), aor: "a".into() }),
            max_forwards: 70,
            first_word_within: None,
        };
        let session = self.agent.invite(invite, self.now);
        self.ends.insert(session, 0);
    }

    fn run(&mut self) {
        for _ in 0..300 {
            match self.below(12) {
                0 => self.call(),
                1..=4 => {
                    let live = self.live();
                    self.act(&live);
                }
                5..=7 => {
                    if let Some(text) = self.response() {
                        self.hear(text);
                    }
                }
                8..=10 => {
                    let text = self.request();
                    self.hear(text);
                }
                _ => {
                    let pause = self.below(if self.seed.is_multiple_of(2) { 300 } else { 20_000 });
                    self.wait(ms(u64::try_from(pause).unwrap()));
                }
            }
            self.listen();
        }
        for session in self.live() {
            self.agent.hang_up(session, Headers::default(), self.now);
        }
        self.listen();
        self.wait(Duration::from_secs(600));
    }

    fn hear(&mut self, text: String) {
        let bytes = self.damaged(text);
        if let Ok(message) = Message::parse(&bytes) {
            self.agent.handle_message(self.flow, message, self.now);
        }
    }
}

#[test]
fn a_senseless_peer_leaves_nothing_behind() {
    for seed in 0..600 {
        let mut monkey = Monkey::new(seed);
        monkey.run();
        let left = || serde_json::to_string(&monkey.agent).unwrap();
        assert_eq!(monkey.agent.counts(), UaCounts::default(), "seed {seed}: {}", left());
        assert_eq!(monkey.live(), [], "seed {seed}");
    }
}
