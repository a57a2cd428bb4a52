//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::fmt::Write;

use crate::sip::message::{Core, Method, NameAddr, Params, Request, Response, Uri};

/// RFC 3261 §8.1.1.7: the start of every branch that is unique by itself.
pub const BRANCH_COOKIE: &str = "z9hG4bK";

pub(super) fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
}

fn tag(address: &NameAddr) -> &str {
    param(&address.params, "tag").unwrap_or("")
}

/// §17.1.3: "the response has the same value of the branch parameter in the top Via header field as the branch parameter
/// in the top Via header field of the request […], and the method parameter in the CSeq header field matches". Our
/// branches differ between all transactions but a CANCEL and its INVITE.
pub(super) fn of_response(response: &Response) -> Option<String> {
    let branch = param(&response.core.via.first()?.params, "branch")?;
    Some(client(branch, response.core.cseq.method))
}

pub(super) fn client(branch: &str, method: Method) -> String {
    let mut key = String::with_capacity(branch.len() + 1);
    key.push_str(branch);
    if method == Method::Cancel {
        key.push('C');
    }
    key
}

/// §17.2.3: "1. the branch parameter in the request is the same as the one in the top Via header field of the request
/// that created the transaction, and 2. the sent-by value in the top Via of the request is equal […], and 3. the method
/// of the request matches the one that created the transaction, except for ACK, where the method of the request that
/// created the transaction is INVITE."
///
/// A repeated request has the Call-ID of the first, and so have its ACK and CANCEL (§9.1, §17.1.1.3): it is asked for as
/// well, because a client that uses one branch for everything would otherwise hear the answer to another request of its.
///
/// A branch without the cookie, or with nothing after it, is RFC 2543's: then Request-URI, From tag, Call-ID, CSeq and
/// top Via stand for it. The To tag is left out, because the ACK to a refusal carries one that the INVITE had not; the
/// other fields tell transactions apart as well.
pub(super) fn of_request(request: &Request, method: Method) -> String {
    let mut key = String::with_capacity(96);
    let method = if method == Method::Ack { Method::Invite } else { method };
    if let Some(via) = request.core.via.first() {
        let branch = param(&via.params, "branch").unwrap_or("");
        let unique = branch.len() > BRANCH_COOKIE.len()
            && branch.get(..BRANCH_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(BRANCH_COOKIE));
        let _ = write!(key, "{branch} {:?} {:?} {} ", via.host, via.port, request.core.call_id);
        if !unique {
            write_2543(&mut key, request);
        }
    } else {
        write_2543(&mut key, request);
    }
    let _ = write!(key, "{method}");
    key
}

fn write_2543(key: &mut String, request: &Request) {
    let core = &request.core;
    let _ = match &request.uri {
        Uri::Sip(uri) => write!(key, "{:?}@{:?}:{:?} ", uri.user, uri.host, uri.port),
        other => write!(key, "{other:?} "),
    };
    let _ = write!(key, "{} {} {} ", tag(&core.from), core.call_id, core.cseq.number);
}

/// §8.2.2.2: what two copies of one request that took different paths have in common. `None` inside a dialog: "If the
/// request has no tag in the To header field, the UAS core MUST check the request against ongoing transactions."
pub(super) fn merge(core: &Core) -> Option<String> {
    if param(&core.to.params, "tag").is_some() {
        return None;
    }
    let mut key = String::with_capacity(96);
    let _ = write!(key, "{} {} {} {}", tag(&core.from), core.call_id, core.cseq.number, core.cseq.method);
    Some(key)
}
