//! Callers and agents: each side is a user agent of its own, with people behind it who do as they please.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use relais::bridge::Digit;
use relais::ids::SessionId;
use relais::settings::{Credentials, Listen, Transport};
use relais::sip::Destination;
use relais::sip::message::{Headers, Method, NameAddr, Uri};
use relais::sip::ua::{Event, Invite, Sdp, SingleRequest, UaSettings, UserAgent};
use relais::time::Instant;

use crate::network::{below, below_one_of};

pub const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

const RINGS_AT_MOST: Duration = Duration::from_secs(180);

/// What somebody is going to do.
#[derive(Clone, Debug)]
pub enum Act {
    Dial {
        number: &'static str,
        late_offer: bool,
    },
    Press(SessionId, char),
    /// The same by INFO.
    PressByInfo(SessionId, char),
    HangUp(SessionId),
    Hold(SessionId, bool),
    Register {
        expires: u32,
    },
    Answer(SessionId),
    Refuse(SessionId, u16),
}

/// One end of the line: the trunk with all its callers, or one agent's phone.
pub struct Side {
    pub address: SocketAddr,
    pub ua: UserAgent,
    /// The agent whose phone this is, or the expert.
    pub agent: Option<String>,
    /// An agent's phone registers, and its user asks others; an expert's stands where it is.
    pub registers: bool,
    pub agenda: BTreeMap<(Instant, u64), Act>,
    /// Sessions that have not ended, with the far end's RTP port once it is known.
    pub sessions: BTreeMap<SessionId, Talk>,
    sequence: u64,
    pub dialled: usize,
}

#[derive(Default)]
pub struct Talk {
    pub far_port: Option<u16>,
    pub up: bool,
    offer: Option<Bytes>,
    version: u32,
}

impl Side {
    pub fn new(address: SocketAddr, agent: Option<&str>, rng: &mut ChaCha12Rng) -> Side {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let settings = UaSettings::new("peer", vec![Listen { transport: Transport::Udp, address }]);
        Side {
            address,
            ua: UserAgent::new(settings, seed),
            agent: agent.map(str::to_owned),
            registers: agent.is_some(),
            agenda: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sequence: 0,
            dialled: 0,
        }
    }

    pub fn plan(&mut self, at: Instant, act: Act) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), act);
    }

    pub fn next(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|(at, _)| *at).into_iter().chain(self.ua.poll_timeout()).min()
    }

    /// Does what is due. Returns a key that was pressed, with the RTP port it goes to.
    pub fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Option<(u16, Digit)> {
        self.ua.handle_timeout(now);
        if self.agenda.keys().next().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, act) = self.agenda.pop_first()?;
        match act {
            Act::Dial { number, late_offer } => self.dial(number, late_offer, now, rng),
            Act::Press(session, key) => {
                let port = self.sessions.get(&session).filter(|talk| talk.up).and_then(|talk| talk.far_port);
                return port.zip(Digit::new(key));
            }
            Act::PressByInfo(session, key) if self.sessions.get(&session).is_some_and(|talk| talk.up) => {
                let body = Bytes::from(format!("Signal={key}\r\nDuration=160\r\n"));
                self.ua.info(session, "application/dtmf-relay", body, now);
            }
            Act::HangUp(session) if self.sessions.contains_key(&session) => {
                self.ua.hang_up(session, Headers::default(), now);
            }
            Act::Hold(session, on) => self.hold(session, on, now),
            Act::Register { expires } => self.register(expires, now),
            Act::Answer(session) => self.answer(session, now),
            Act::Refuse(session, status) if self.sessions.get(&session).is_some_and(|talk| !talk.up) => {
                self.ua.reject(session, status, None, Headers::default(), now);
            }
            Act::HangUp(_) | Act::Refuse(..) | Act::PressByInfo(..) => {}
        }
        None
    }

    fn dial(&mut self, number: &str, late_offer: bool, now: Instant, rng: &mut ChaCha12Rng) {
        self.dialled += 1;
        let port = 20_000 + 2 * self.dialled as u16;
        let invite = Invite {
            to: Destination::Address { transport: Transport::Udp, address: SERVER },
            request_uri: uri(&format!("sip:{number}@{SERVER}")),
            from: name_addr(&format!("sip:331555{:05}@{}", self.dialled, self.address.ip())),
            to_header: name_addr(&format!("sip:{number}@{SERVER}")),
            headers: Headers::default(),
            sdp: (!late_offer).then(|| sdp(self.address, port, 1, "sendrecv")),
            credentials: None,
            max_forwards: 70,
            first_word_within: None,
        };
        let session = self.ua.invite(invite, now);
        self.sessions.insert(
            session,
            Talk { offer: Some(sdp(self.address, port, 1, "sendrecv")), version: 1, ..Talk::default() },
        );
        let patience = match below(rng, 4) {
            // Whoever speaks with a bot may stay for longer than it does.
            0 if matches!(number, "602" | "603" | "604") => 900_000,
            0 => 200_000 + below(rng, 200_000),
            _ => 200 + below_one_of(rng, [300, 5_000, 60_000]),
        };
        self.plan(now + Duration::from_millis(patience.into()), Act::HangUp(session));
        if number == "620" && below(rng, 2) == 0 {
            // Wants to be called back, on this number.
            let at = now + Duration::from_millis(u64::from(500 + below(rng, 2_000)));
            self.plan(at, Act::Press(session, '2'));
            self.plan(at + Duration::from_millis(u64::from(500 + below(rng, 2_000))), Act::Press(session, '1'));
        }
        for _ in 0..below(rng, 4) {
            let at = Duration::from_millis(u64::from(500 + below(rng, 15_000)));
            let key = ['1', '2', '3', '0', '9', '#'][below(rng, 6) as usize];
            let by_info = below(rng, 3) == 0;
            self.plan(now + at, if by_info { Act::PressByInfo(session, key) } else { Act::Press(session, key) });
        }
        if below(rng, 4) == 0 {
            let at = now + Duration::from_millis(u64::from(1_000 + below(rng, 20_000)));
            self.plan(at, Act::Hold(session, true));
            self.plan(at + Duration::from_millis(u64::from(below(rng, 4_000))), Act::Hold(session, false));
        }
    }

    fn hold(&mut self, session: SessionId, on: bool, now: Instant) {
        let address = self.address;
        let Some(talk) = self.sessions.get_mut(&session).filter(|talk| talk.up) else { return };
        talk.version += 1;
        let direction = if on { ["sendonly", "inactive"][talk.version as usize % 2] } else { "sendrecv" };
        let offer = sdp(address, 30_000, talk.version, direction);
        self.ua.offer(session, offer, now);
    }

    fn answer(&mut self, session: SessionId, now: Instant) {
        let address = self.address;
        let Some(talk) = self.sessions.get_mut(&session) else { return };
        talk.up = true;
        self.ua.accept(session, sdp(address, 40_000, 1, "sendrecv"), Headers::default(), now);
    }

    fn register(&mut self, expires: u32, now: Instant) {
        let Some(agent) = self.agent.clone().filter(|_| self.registers) else { return };
        let mut headers = Headers::default();
        headers.push("Contact", format!("<sip:{agent}@{}>;expires={expires}", self.address));
        let aor = format!("sip:{agent}@{SERVER}");
        let request = SingleRequest {
            method: Method::Register,
            to: Destination::Address { transport: Transport::Udp, address: SERVER },
            request_uri: uri(&format!("sip:{SERVER}")),
            from: name_addr(&aor),
            to_header: name_addr(&aor),
            headers,
            body: Bytes::new(),
            credentials: Some(Credentials { user: agent.clone(), password: format!("demo-{agent}"), aor }),
        };
        self.ua.request(request, now);
    }

    /// What came of what was sent, and of what came in.
    pub fn listen(&mut self, now: Instant, rng: &mut ChaCha12Rng) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                Event::Incoming { session, request, .. } => self.rung(session, &request.body, now, rng),
                Event::Answered { session, sdp: answer, .. } => self.connected(session, answer, now),
                Event::Progress { .. } | Event::Confirmed { .. } | Event::Info { .. } | Event::Referred { .. } => {}
                Event::Reoffered { session, sdp: offer } => {
                    let port = if self.agent.is_some() { 40_000 } else { 20_000 };
                    let _ = offer;
                    self.ua.answer(session, sdp(self.address, port, 1, "sendrecv"), now);
                }
                Event::Reanswered { .. } | Event::OfferRefused { .. } | Event::Response { .. } => {}
                Event::Notified { .. }
                | Event::Unsubscribed { .. }
                | Event::Watched { .. }
                | Event::Unwatched { .. } => {}
                Event::Failed { session, .. } | Event::Ended { session, .. } => {
                    self.sessions.remove(&session);
                }
                Event::Request { ticket, request, .. } => {
                    self.ua.respond(ticket, request.response(405.into(), None), now);
                }
            }
        }
    }

    fn connected(&mut self, session: SessionId, answer: Option<Sdp>, now: Instant) {
        let Some(talk) = self.sessions.get_mut(&session) else { return };
        talk.up = true;
        match answer {
            Some(Sdp::Answer(answer)) => talk.far_port = audio_port(&answer),
            Some(Sdp::Offer(offer)) => {
                talk.far_port = audio_port(&offer);
                let own = talk.offer.take().unwrap_or_default();
                self.ua.answer(session, own, now);
            }
            None => {}
        }
    }

    /// A customer is called back: most answer, and most of these press a key to say that they are there.
    fn called_back(&mut self, session: SessionId, now: Instant, rng: &mut ChaCha12Rng) {
        let at = now + Duration::from_millis(below(rng, 9_000).into());
        match below(rng, 8) {
            0 => return self.plan(at, Act::Refuse(session, [486, 480, 603, 404][below(rng, 4) as usize])),
            1 => return self.plan(now + RINGS_AT_MOST, Act::Refuse(session, 480)),
            _ => self.plan(at, Act::Answer(session)),
        }
        let later = |ms: u32| at + Duration::from_millis(ms.into());
        if below(rng, 4) > 0 {
            let key = if below(rng, 6) == 0 { '7' } else { '1' };
            self.plan(later(50 + below(rng, 15_000)), Act::PressByInfo(session, key));
        }
        let talk = below_one_of(rng, [3_000, 60_000, 200_000]);
        self.plan(later(talk), Act::HangUp(session));
    }

    /// By the keys of the phone: asks an expert or a colleague, and then hands over, brings in, lets go, goes back and forth.
    fn asks(&mut self, session: SessionId, answered: Instant, rng: &mut ChaCha12Rng) {
        let whom = ["301", "301", "302", "202", "204", "206"][below(rng, 6) as usize];
        let mut at = answered + Duration::from_millis(u64::from(300 + below(rng, 8_000)));
        let mut said = vec![format!("*1{whom}#")];
        for _ in 0..1 + below(rng, 3) {
            said.push(["*2", "*2", "*3", "*3", "*4", "*5"][below(rng, 6) as usize].to_owned());
        }
        for keys in said {
            for key in keys.chars() {
                self.plan(at, Act::Press(session, key));
                at = at + Duration::from_millis(60);
            }
            at = at + Duration::from_millis(below_one_of(rng, [300, 4_000, 20_000]).into());
        }
    }

    /// A phone rings: most agents answer, some are busy, refuse, or let it ring; some answer and hang up.
    fn rung(&mut self, session: SessionId, offer: &Bytes, now: Instant, rng: &mut ChaCha12Rng) {
        self.sessions.insert(session, Talk { far_port: audio_port(offer), ..Talk::default() });
        let soon = |rng: &mut ChaCha12Rng, ms: u32| now + Duration::from_millis(below(rng, ms).into());
        // A phone stops ringing by itself, however much of what the centre says is lost.
        self.plan(now + RINGS_AT_MOST, Act::Refuse(session, 480));
        if below(rng, 10) > 0 {
            self.ua.progress(session, 180, None, now);
        }
        if self.agent.is_none() {
            return self.called_back(session, now, rng);
        }
        match below(rng, 20) {
            0 | 1 => self.plan(soon(rng, 100), Act::Refuse(session, 486)),
            2 => self.plan(soon(rng, 3_000), Act::Refuse(session, 603)),
            3 => self.plan(soon(rng, 3_000), Act::Refuse(session, 480)),
            4 | 5 => {}
            _ => {
                let at = soon(rng, 9_000);
                self.plan(at, Act::Answer(session));
                match below(rng, 24) {
                    // Phones that lie: a second answer, one after a hang-up, a registration anew in mid-call, or its end.
                    0 => self.plan(at + Duration::from_millis(below(rng, 800).into()), Act::Answer(session)),
                    1 => {
                        self.plan(at, Act::HangUp(session));
                        self.plan(at, Act::Answer(session));
                    }
                    2 => self.plan(at + Duration::from_secs(1), Act::Register { expires: 3_600 }),
                    3 => {
                        self.plan(at, Act::Register { expires: 0 });
                        self.plan(at + Duration::from_secs(6), Act::Register { expires: 3_600 });
                    }
                    _ => {}
                }
                if below(rng, 2) == 0 {
                    let talk = below_one_of(rng, [50, 2_000, 30_000]);
                    self.plan(at + Duration::from_millis(talk.into()), Act::HangUp(session));
                }
                if self.registers && below(rng, 5) == 0 {
                    self.asks(session, at, rng);
                }
                if below(rng, 5) == 0 {
                    let hold = at + Duration::from_millis(below(rng, 3_000).into());
                    self.plan(hold, Act::Hold(session, true));
                    self.plan(hold + Duration::from_millis(below(rng, 3_000).into()), Act::Hold(session, false));
                }
            }
        }
    }
}

pub fn sdp(address: SocketAddr, port: u16, version: u32, direction: &str) -> Bytes {
    let ip = address.ip();
    Bytes::from(format!(
        "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ))
}

fn audio_port(sdp: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(sdp).ok()?;
    text.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}

fn uri(text: &str) -> Uri {
    text.parse().expect("a URI of the test's own")
}

fn name_addr(text: &str) -> NameAddr {
    NameAddr { display: None, uri: uri(text), params: Default::default() }
}
