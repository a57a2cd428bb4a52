//! The user agent: sessions made by INVITE, and single requests, over the transactions of RFC 3261. Sans-IO: it is
//! handed messages and the time, and asked what to send, what happened and when to be called again.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::{Headers, Method, NameAddr, Request, Response, Uri};
use super::{Destination, Flow};
use crate::ids::SessionId;
use crate::settings::Credentials;

/// An INVITE to be sent.
#[derive(Clone, Debug)]
pub struct Invite {
    /// First hop.
    pub to: Destination,
    pub request_uri: Uri,
    /// The tag is added by the user agent.
    pub from: NameAddr,
    pub to_header: NameAddr,
    pub headers: Headers,
    /// The offer; `None` asks the far end for one (late offer).
    pub sdp: Option<Bytes>,
    /// Answer a 401 or 407 with these, at most twice in a row and only for our own realm's peer.
    pub credentials: Option<Credentials>,
}

/// A request outside any dialog: OPTIONS, REGISTER, …
#[derive(Clone, Debug)]
pub struct SingleRequest {
    pub method: Method,
    pub to: Destination,
    pub request_uri: Uri,
    pub from: NameAddr,
    pub to_header: NameAddr,
    pub headers: Headers,
    pub body: Bytes,
    pub credentials: Option<Credentials>,
}

/// A request of ours, or one of theirs, that waits for its final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestTicket(pub u64);

/// How a body with SDP takes part in offer/answer (RFC 3264, RFC 6337).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sdp {
    Offer(Bytes),
    Answer(Bytes),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// The peer sent BYE.
    Bye { q850: Option<u8> },
    /// The peer cancelled its INVITE before we answered.
    Cancelled,
    /// Our 2xx was never acknowledged, or a request in the dialog went unanswered (408, 481).
    Timeout,
    /// RFC 4028: nobody refreshed the session.
    Expired,
    /// The flow broke and there is no other way to the peer.
    TransportError,
    /// We ended it.
    Local,
}

/// What happened. Every session yields exactly one of `Failed` or `Ended` as its last event.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new call. Answer with `progress`, `accept` or `reject`; 100 has been sent.
    Incoming { session: SessionId, flow: Flow, request: Box<Request> },
    /// 101–199 to our INVITE.
    Progress { session: SessionId, status: u16, sdp: Option<Sdp> },
    /// 2xx to our INVITE. With `Sdp::Offer` (late offer) call `answer` to send the ACK; else the ACK is sent.
    Answered { session: SessionId, response: Box<Response>, sdp: Option<Sdp> },
    /// The ACK to our 2xx came; it carries the answer when we made the offer.
    Confirmed { session: SessionId, sdp: Option<Sdp> },
    /// A final refusal, a time-out (408) or an unreachable peer (503) of our INVITE.
    Failed { session: SessionId, status: u16, reason: String, q850: Option<u8> },
    /// re-INVITE or UPDATE from the peer. `None` asks for our offer. Reply with `answer` or `refuse`.
    Reoffered { session: SessionId, sdp: Option<Sdp> },
    /// The peer answered our `offer`.
    Reanswered { session: SessionId, sdp: Bytes },
    /// The peer refused our `offer`; what was agreed before stands. 491 is re-tried by the user agent itself.
    OfferRefused { session: SessionId, status: u16 },
    /// INFO in the dialog; it has been answered.
    Info { session: SessionId, content_type: String, body: Bytes },
    /// The session is over; nothing more is sent for it but retransmissions.
    Ended { session: SessionId, cause: EndCause },
    /// A request outside any dialog: REGISTER, OPTIONS, … Reply with `respond`.
    Request { ticket: RequestTicket, flow: Flow, request: Box<Request> },
    /// The final response to a `SingleRequest`; 408 when none came.
    Response { ticket: RequestTicket, response: Box<Response> },
}
