//! Messages made from other messages: responses, the ACK to a refusal, CANCEL.

use std::sync::Arc;

use bytes::Bytes;

use super::{CSeq, Core, Headers, Method, NameAddr, Request, Response, StatusCode, Uri};

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u8 = 70;

impl Request {
    /// A request without Via and body (§8.1.1).
    pub fn new(
        method: Method,
        uri: Uri,
        from: NameAddr,
        to: NameAddr,
        call_id: impl Into<Arc<str>>,
        cseq: u32,
    ) -> Request {
        let core = Core { via: Vec::new(), from, to, call_id: call_id.into(), cseq: CSeq { number: cseq, method } };
        Request { method, uri, core, max_forwards: Some(MAX_FORWARDS), headers: Headers::default(), body: Bytes::new() }
    }

    /// §8.2.6: Via, From, To, Call-ID and CSeq are the request's. `to_tag` is added unless the request has one already or
    /// the response is 100. Record-Route goes into what may found a dialog (§12.1.1), Timestamp into 100.
    pub fn response(&self, status: StatusCode, to_tag: Option<&str>) -> Response {
        let mut core = self.core.clone();
        let code = status.code();
        if let Some(tag) = to_tag
            && code != 100
            && core.to.tag().is_none()
        {
            core.to.set_tag(tag);
        }
        let mut headers = Headers::default();
        let founds_dialog = matches!(self.method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify);
        if founds_dialog && (101..300).contains(&code) {
            copy(&self.headers, "Record-Route", &mut headers);
        }
        if code == 100 {
            copy(&self.headers, "Timestamp", &mut headers);
        }
        Response { reason: reason_phrase(code).to_owned(), status, core, headers, body: Bytes::new() }
    }

    /// The ACK to a 3xx–6xx of this INVITE, within its transaction (§17.1.1.3).
    pub fn ack_for(&self, response: &Response) -> Request {
        let mut ack = self.within_transaction(Method::Ack);
        ack.core.to = response.core.to.clone();
        ack
    }

    /// §9.1.
    pub fn cancel(&self) -> Request {
        self.within_transaction(Method::Cancel)
    }

    /// Same Request-URI, From, To, Call-ID, CSeq number and Route; the top Via alone.
    fn within_transaction(&self, method: Method) -> Request {
        let core = Core {
            via: self.core.via.first().cloned().into_iter().collect(),
            from: self.core.from.clone(),
            to: self.core.to.clone(),
            call_id: self.core.call_id.clone(),
            cseq: CSeq { number: self.core.cseq.number, method },
        };
        let mut headers = Headers::default();
        copy(&self.headers, "Route", &mut headers);
        Request { method, uri: self.uri.clone(), core, max_forwards: Some(MAX_FORWARDS), headers, body: Bytes::new() }
    }
}

impl Response {
    pub fn code(&self) -> u16 {
        self.status.code()
    }
}

fn copy(from: &Headers, name: &str, to: &mut Headers) {
    for value in from.get_all(name) {
        to.push(name, value);
    }
}

/// The phrase of the RFC that defines the code.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        _ => "Unknown",
    }
}
