//! A provider's server, without sockets: it answers OPTIONS, and takes registrations from who knows the password. What it
//! is called with is left to the test.

use std::net::SocketAddr;
use std::time::Duration;

use relais::settings::{Credentials, Listen, Transport};
use relais::sip::auth::{Authenticator, Verdict};
use relais::sip::message::{Message, Method, Request, Response};
use relais::sip::registrar::Registrar;
use relais::sip::ua::{Event, UaSettings, UserAgent};
use relais::sip::{Flow, Transmit};
use relais::time::Instant;

pub const DOMAIN: &str = "acme.test";
const USER: &str = "33155500";
const PASSWORD: &str = "not-to-be-guessed";

/// What the centre needs to know to register.
pub fn credentials() -> Credentials {
    Credentials { user: USER.to_owned(), password: PASSWORD.to_owned(), aor: format!("sip:{USER}@{DOMAIN}") }
}

pub struct Provider {
    pub address: SocketAddr,
    pub ua: UserAgent,
    authenticator: Authenticator,
    registrar: Registrar,
    /// REGISTERs that were challenged, taken and refused.
    pub challenged: usize,
    pub taken: usize,
    pub refused: usize,
    /// OPTIONS that came.
    pub watched: usize,
}

impl Provider {
    /// Grants registrations for no longer than `expires`.
    pub fn new(address: SocketAddr, expires: Duration, seed: [u8; 32]) -> Provider {
        let settings = UaSettings::new("provider", vec![Listen { transport: Transport::Udp, address }]);
        Provider {
            address,
            ua: UserAgent::new(settings, seed),
            authenticator: Authenticator::new(DOMAIN.to_owned(), seed),
            registrar: Registrar::new(Duration::from_secs(1), expires),
            challenged: 0,
            taken: 0,
            refused: 0,
            watched: 0,
        }
    }

    /// A message from `remote`. What is no registration is told by `poll_event`.
    pub fn receive(&mut self, remote: SocketAddr, message: Message, now: Instant) {
        if matches!(&message, Message::Request(request) if request.method == Method::Options) {
            self.watched += 1;
        }
        let flow = Flow { transport: Transport::Udp, local: self.address, remote, connection: None };
        self.ua.handle_message(flow, message, now);
    }

    /// What happened beside registrations.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        loop {
            match self.ua.poll_event()? {
                Event::Request { ticket, flow, request } => {
                    let response = self.answer(&request, flow, now);
                    self.ua.respond(ticket, response, now);
                }
                other => return Some(other),
            }
        }
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.ua.poll_transmit()
    }

    fn answer(&mut self, request: &Request, flow: Flow, now: Instant) -> Response {
        if request.method != Method::Register {
            return request.response(405.into(), None);
        }
        match self.authenticator.verify(request, USER, Some(PASSWORD), now) {
            Verdict::Accepted => {
                self.taken += 1;
                self.registrar.handle(request, flow, USER, None, now)
            }
            Verdict::Challenge(headers) => {
                self.challenged += 1;
                let mut response = request.response(401.into(), None);
                response.headers.extend(headers);
                response
            }
            Verdict::Refused | Verdict::Misdirected => {
                self.refused += 1;
                request.response(403.into(), None)
            }
        }
    }

    /// Where the centre is to be called, as far as this server knows.
    pub fn contact(&self, now: Instant) -> Option<String> {
        let current = self.registrar.bindings(USER).find(|binding| binding.expires_at > now);
        current.map(|binding| binding.contact.to_string())
    }
}
