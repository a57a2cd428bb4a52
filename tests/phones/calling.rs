//! Callers with telephones of their own: SIP over UDP by the library's user agent, one socket for all of them. Their
//! voices are `rtp::Endpoint`s.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use relais::ids::SessionId;
use relais::settings::{Listen, Transport};
use relais::sip::message::{Headers, Message, NameAddr, Uri};
use relais::sip::ua::{EndCause, Event, Invite, UaSettings, UserAgent};
use relais::sip::{Destination, Flow};
use relais::time::Instant as Time;

use super::eventually;
use super::rtp::Endpoint;

/// Where a call stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Calling,
    Answered(Instant),
    /// The status of the refusal.
    Refused(u16),
    Over(EndCause),
}

struct Shared {
    ua: UserAgent,
    began: Instant,
    calls: BTreeMap<SessionId, Stage>,
}

pub struct Telephones {
    sip: SocketAddr,
    address: SocketAddr,
    socket: Arc<UdpSocket>,
    shared: Arc<Mutex<Shared>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Telephones {
    /// That call the appliance at `sip`.
    pub fn open(sip: SocketAddr) -> Telephones {
        let socket = Arc::new(UdpSocket::bind(("127.0.0.1", super::appliance::free_port())).expect("a free port"));
        let address = socket.local_addr().expect("an address");
        // Tokens of their own, so that no two calls to one appliance are taken for the same.
        let mut seed = [3; 32];
        seed[..2].copy_from_slice(&address.port().to_be_bytes());
        let settings = UaSettings::new("caller", vec![Listen { transport: Transport::Udp, address }]);
        let ua = UserAgent::new(settings, seed);
        let shared = Shared { ua, began: Instant::now(), calls: BTreeMap::new() };
        let (shared, stop) = (Arc::new(Mutex::new(shared)), Arc::new(AtomicBool::new(false)));
        let (theirs, stopped, own) = (socket.clone(), stop.clone(), shared.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            theirs.set_read_timeout(Some(Duration::from_millis(10))).expect("a timeout");
            while !stopped.load(Ordering::Relaxed) {
                let received = theirs.recv_from(&mut buffer).ok();
                let mut shared = own.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((length, remote)) = received
                    && let Ok(message) = Message::parse(&buffer[..length])
                {
                    let flow = Flow { transport: Transport::Udp, local: address, remote, connection: None };
                    let now = shared.now();
                    shared.ua.handle_message(flow, message, now);
                }
                shared.go_on(&theirs);
            }
        });
        Telephones { sip, address, socket, shared, stop, thread: Some(thread) }
    }

    /// Dials `to` as `from`, and speaks and hears by a new endpoint.
    pub fn dial(&self, from: &str, to: &str) -> Call<'_> {
        let endpoint = Endpoint::open();
        let uri = |user: &str, at: SocketAddr| -> Uri { format!("sip:{user}@{at}").parse().expect("a URI") };
        let name = |uri: Uri| NameAddr { display: None, uri, params: Default::default() };
        let invite = Invite {
            to: Destination::Address { transport: Transport::Udp, address: self.sip },
            request_uri: uri(to, self.sip),
            from: name(uri(from, self.address)),
            to_header: name(uri(to, self.sip)),
            headers: Headers::default(),
            sdp: Some(offer(endpoint.address)),
            credentials: None,
            first_word_within: None,
            max_forwards: 70,
        };
        let mut shared = self.shared();
        let now = shared.now();
        let session = shared.ua.invite(invite, now);
        shared.calls.insert(session, Stage::Calling);
        shared.go_on(&self.socket);
        Call { telephones: self, from: from.to_owned(), session, endpoint }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Telephones {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_nanos()).expect("a short run")) + Duration::from_secs(1)
    }

    /// Timers, events, and what is to be sent.
    fn go_on(&mut self, socket: &UdpSocket) {
        let now = self.now();
        if self.ua.poll_timeout().is_some_and(|at| at <= now) {
            self.ua.handle_timeout(now);
        }
        while let Some(event) = self.ua.poll_event() {
            let (session, stage) = match event {
                Event::Answered { session, .. } => (session, Stage::Answered(Instant::now())),
                Event::Failed { session, status, .. } => (session, Stage::Refused(status)),
                Event::Ended { session, cause } => (session, Stage::Over(cause)),
                _ => continue,
            };
            self.calls.insert(session, stage);
        }
        while let Some(transmit) = self.ua.poll_transmit() {
            let to = match transmit.to {
                Destination::Address { address, .. } => address,
                Destination::Flow(flow) => flow.remote,
            };
            // What is lost is sent again.
            let _ = socket.send_to(&transmit.bytes, to);
        }
    }
}

/// One call. It is hung up when it is dropped.
pub struct Call<'t> {
    telephones: &'t Telephones,
    pub from: String,
    session: SessionId,
    pub endpoint: Endpoint,
}

impl Call<'_> {
    pub fn stage(&self) -> Stage {
        self.telephones.shared().calls.get(&self.session).cloned().unwrap_or(Stage::Calling)
    }

    pub fn is_up(&self) -> bool {
        matches!(self.stage(), Stage::Answered(_))
    }

    /// Waits for the 200, and says when it came.
    pub fn answered(&self) -> Instant {
        eventually(Duration::from_secs(10), "the call is answered", || match self.stage() {
            Stage::Calling => None,
            Stage::Answered(at) => Some(at),
            other => panic!("the call of {} is not answered: {other:?}", self.from),
        })
    }

    pub fn hang_up(&self) {
        let mut shared = self.telephones.shared();
        let now = shared.now();
        shared.ua.hang_up(self.session, Headers::default(), now);
        shared.go_on(&self.telephones.socket);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn offer(media: SocketAddr) -> Bytes {
    let (ip, port) = (media.ip(), media.port());
    Bytes::from(format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
    ))
}
