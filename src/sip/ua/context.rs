//! What every session and request needs: settings, randomness, the transactions, deadlines and the events on their way.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use super::{Event, RequestTicket, SubscriptionId, UaSettings, WatcherId};
use crate::ids::SessionId;
use crate::settings::Listen;
use crate::sip::message::{Headers, Host, Message, NameAddr, Params, Request, Response, SipUri, Uri, Via};
use crate::sip::transaction::{BRANCH_COOKIE, Timing, TransactionId, Transactions};
use crate::sip::{Destination, Flow, Transport};
use crate::time::{Deadlines, Instant};

/// What we understand inside a dialog (RFC 3261 §20.5).
pub(super) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER";
/// Outside a dialog there are those too that the engine decides.
pub(super) const ALLOW_OUTSIDE: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, PUBLISH";
/// RFC 3262, RFC 4028, RFC 3891 and RFC 4488.
pub(super) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";
/// What a body may be.
pub(super) const ACCEPT: &str = "application/sdp, multipart/mixed";

/// Whose a client transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientUse {
    Session(SessionId, Purpose),
    Single(RequestTicket),
    Subscription(SubscriptionId),
    Watcher(WatcherId),
}

/// What a session sent a request for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The INVITE that makes the session.
    Invite,
    Cancel,
    Prack,
    Reinvite,
    Update,
    Info,
    Notify,
    Bye,
}

/// Whose a server transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ServerUse {
    Invite(SessionId),
    Reinvite(SessionId),
    Other,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Wake {
    /// RFC 3261 §13.3.1.4: repeat the 2xx, and give up.
    Repeat2xx,
    Unacknowledged,
    /// RFC 3262 §3: repeat the reliable provisional response, and give up.
    RepeatProvisional,
    Unpracked,
    /// Nothing has come back to our INVITE as soon as was wished.
    NoWord,
    /// RFC 3261 §9.1: no final response came after the CANCEL.
    CancelFruitless,
    /// RFC 3261 §13.3.1.1: tell proxies that it still rings.
    KeepRinging,
    /// RFC 3261 §13.3.1: the invitation's Expires is past.
    InvitationExpired,
    /// Our re-INVITE was answered provisionally and then no more.
    ReinviteFruitless,
    /// RFC 3261 §14.1: try the offer again.
    Glare,
    /// RFC 4028 §10.
    Refresh,
    SessionExpired,
}

impl Wake {
    pub(super) const ALL: [Wake; 12] = [
        Wake::Repeat2xx,
        Wake::Unacknowledged,
        Wake::RepeatProvisional,
        Wake::Unpracked,
        Wake::NoWord,
        Wake::CancelFruitless,
        Wake::KeepRinging,
        Wake::InvitationExpired,
        Wake::ReinviteFruitless,
        Wake::Glare,
        Wake::Refresh,
        Wake::SessionExpired,
    ];
}

#[derive(Serialize, Deserialize)]
pub(super) struct Context {
    pub settings: UaSettings,
    rng: ChaCha12Rng,
    /// Makes the tags of stateless responses, equal for equal requests (RFC 3261 §8.2.7).
    secret: u64,
    pub transactions: Transactions<ClientUse, ServerUse>,
    pub deadlines: Deadlines<(SessionId, Wake)>,
    pub events: VecDeque<Event>,
    /// New calls. Those that get no other response at once get a 100 before anything else is sent.
    pub unanswered: Vec<(SessionId, Instant)>,
}

impl Context {
    pub fn new(settings: UaSettings, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let timing = Timing { t1: settings.t1, t2: settings.t2, t4: settings.t4 };
        Context {
            settings,
            secret: rng.next_u64(),
            rng,
            transactions: Transactions::new(timing),
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            unanswered: Vec::new(),
        }
    }

    pub fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// A token of 64 random bits: a tag, or part of a Call-ID or branch.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    /// A whole number of `step`s in `0..=most`.
    pub fn random_delay(&mut self, most: Duration, step: Duration) -> Duration {
        let steps = u32::try_from(most.as_nanos() / step.as_nanos().max(1)).unwrap_or(u32::MAX);
        step * (self.rng.next_u32() % (steps.saturating_add(1)).max(1))
    }

    /// RFC 3262 §3: the first RSeq, "chosen uniformly between 1 and 2**31 - 1".
    pub fn random_rseq(&mut self) -> u32 {
        (self.rng.next_u32() >> 1).max(1)
    }

    pub fn patience(&self) -> Duration {
        self.transactions.timing().patience()
    }

    pub fn wake(&mut self, session: SessionId, wake: Wake, at: Instant) {
        self.deadlines.set((session, wake), at);
    }

    pub fn forget(&mut self, session: SessionId, wake: Wake) {
        self.deadlines.clear(&(session, wake));
    }

    /// Starts a client transaction; sets Via and User-Agent.
    pub fn request(&mut self, mut request: Request, to: Destination, owner: ClientUse, now: Instant) -> TransactionId {
        let branch = format!("{BRANCH_COOKIE}{}", self.token());
        request.core.via = vec![self.via(to, branch.clone())];
        self.request_on_branch(request, &branch, to, owner, now)
    }

    /// As `request`, where the Via is there already: a CANCEL has its INVITE's.
    pub fn request_on_branch(
        &mut self,
        mut request: Request,
        branch: &str,
        to: Destination,
        owner: ClientUse,
        now: Instant,
    ) -> TransactionId {
        if request.headers.get("User-Agent").is_none() {
            request.headers.push("User-Agent", self.settings.product.clone());
        }
        let bytes = request.to_bytes();
        self.transactions.request(request.method, branch, to, bytes, owner, now)
    }

    /// A request as it was sent, and where it went.
    pub fn sent(&self, id: TransactionId) -> Option<(Destination, Request)> {
        let (to, bytes) = self.transactions.sent(id)?;
        match Message::parse(&bytes) {
            Ok(Message::Request(request)) => Some((to, request)),
            _ => None,
        }
    }

    /// RFC 3261 §13.2.2.4: the ACK to a 2xx has no transaction and a branch of its own.
    pub fn ack(&mut self, mut ack: Request, to: Destination) -> Bytes {
        let branch = format!("{BRANCH_COOKIE}{}", self.token());
        ack.core.via = vec![self.via(to, branch)];
        let bytes = ack.to_bytes();
        self.transactions.send(to, bytes.clone());
        bytes
    }

    /// RFC 3261 §18.1.1, RFC 3581 §3: our sent-by, and the wish to be answered at the port we send from.
    fn via(&self, to: Destination, branch: String) -> Via {
        let (transport, address) = self.local(to);
        Via {
            transport: transport.in_via().to_owned(),
            host: Host::Address(address.ip()),
            port: Some(address.port()),
            params: Params(vec![("rport".to_owned(), None), ("branch".to_owned(), Some(branch))]),
        }
    }

    /// Our own address as the far end at `to` sees it.
    fn local(&self, to: Destination) -> (Transport, SocketAddr) {
        let (transport, near) = match to {
            Destination::Flow(flow) => (flow.transport, flow.local),
            Destination::Address { transport, address } => (transport, address),
        };
        let mut bound = self.listening(transport, near).unwrap_or_else(|| match to {
            Destination::Flow(_) => near,
            // What comes back comes by the connection that we open (RFC 5923); the address is ours all the same.
            Destination::Address { .. } => self.beside(transport, near),
        });
        if bound.ip().is_unspecified() && (near.ip().is_loopback() || matches!(to, Destination::Flow(_))) {
            bound.set_ip(near.ip());
        }
        match self.settings.public_address {
            Some(ip) if !bound.ip().is_loopback() => (transport, SocketAddr::new(ip, bound.port())),
            _ => (transport, bound),
        }
    }

    /// The bound address we are to be reached at: `near` itself when we listen there, else the first of its kind, on the
    /// same side of the loopback interface if there is one. A connection we opened has a local port nobody listens on.
    fn listening(&self, transport: Transport, near: SocketAddr) -> Option<SocketAddr> {
        let kin = |listen: &&Listen| listen.transport == transport && listen.address.is_ipv4() == near.is_ipv4();
        let all = || self.settings.listen.iter().filter(kin).map(|listen| listen.address);
        let sided = |address: &SocketAddr| address.ip().is_loopback() == near.ip().is_loopback();
        all().find(|address| *address == near).or_else(|| all().find(sided)).or_else(|| all().next())
    }

    /// Where we would listen by a transport that we do not listen by.
    fn beside(&self, transport: Transport, near: SocketAddr) -> SocketAddr {
        let others = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let other = others.into_iter().find_map(|other| self.listening(other, near));
        SocketAddr::new(other.unwrap_or(near).ip(), transport.default_port())
    }

    /// RFC 3261 §8.1.1.8: where we can be reached in the dialog.
    pub fn contact(&self, to: Destination, user: Option<String>) -> NameAddr {
        let (transport, address) = self.local(to);
        let params = transport.in_uri().map(|name| ("transport".to_owned(), Some(name.to_owned())));
        let uri = SipUri {
            secure: false,
            user,
            password: None,
            host: Host::Address(address.ip()),
            port: Some(address.port()),
            params: Params(params.into_iter().collect()),
            headers: None,
        };
        NameAddr { display: None, uri: Uri::Sip(uri), params: Params::default() }
    }

    /// Answers by a server transaction.
    pub fn respond(&mut self, id: TransactionId, mut response: Response, now: Instant) -> Bytes {
        self.sign(&mut response.headers);
        let bytes = response.to_bytes();
        self.transactions.respond(id, response.status.code(), bytes.clone(), now);
        bytes
    }

    /// RFC 3261 §8.2.7: answers and forgets. What asks again is answered again, with the same tag.
    pub fn respond_stateless(&mut self, request: &Request, mut response: Response, flow: Flow) {
        if response.core.to.tag().is_none() {
            response.core.to.set_tag(&self.stateless_tag(request));
        }
        self.sign(&mut response.headers);
        self.transactions.send(Destination::Flow(flow), response.to_bytes());
    }

    fn stateless_tag(&self, request: &Request) -> String {
        let mut hasher = DefaultHasher::new();
        self.secret.hash(&mut hasher);
        request.core.call_id.hash(&mut hasher);
        request.core.from.tag().hash(&mut hasher);
        request.core.cseq.number.hash(&mut hasher);
        if let Some(via) = request.core.via.first() {
            via.branch().hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    fn sign(&self, headers: &mut Headers) {
        if headers.get("Server").is_none() {
            headers.push("Server", self.settings.product.clone());
        }
    }
}

/// The user part of a URI, for our Contact.
pub(super) fn user_of(uri: &Uri) -> Option<String> {
    match uri {
        Uri::Sip(uri) => uri.user.clone(),
        Uri::Tel { .. } | Uri::Other(_) => None,
    }
}
