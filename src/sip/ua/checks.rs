//! What every request is checked for before it means anything (RFC 3261 §8.2, §16.3).

use crate::sip::message::{Method, Request, Response, StatusCode, Uri};

/// What `Require` may name (RFC 3262, RFC 4028).
const UNDERSTOOD: [&str; 2] = ["100rel", "timer"];

/// The refusal, if there is one. The caller has seen to it that the request is no ACK.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    // §8.2.2.1: "If the Request-URI uses a scheme not supported by the UAS, it SHOULD reject the request with a 416."
    if matches!(request.uri, Uri::Other(_)) {
        return Some(request.response(StatusCode::UnsupportedUriScheme, None));
    }
    // §16.3: "If the Max-Forwards header field […] has a value of zero, the element MUST NOT forward"; we are where the
    // request was to go, but a caller who counts to zero at us is looping. OPTIONS at zero is a traceroute and answered.
    if request.max_forwards == Some(0) && !matches!(request.method, Method::Options | Method::Cancel) {
        return Some(request.response(StatusCode::TooManyHops, None));
    }
    // §8.2.2.3: "If a UAS does not understand an option-tag listed in a Require header field, it MUST respond by generating
    // a response with status code 420 (Bad Extension). The UAS MUST add an Unsupported header field, and list in it those
    // options it does not understand." Not for CANCEL.
    if request.method != Method::Cancel {
        let unknown: Vec<_> = request
            .headers
            .tokens("Require")
            .filter(|tag| !UNDERSTOOD.iter().any(|known| known.eq_ignore_ascii_case(tag)))
            .collect();
        if !unknown.is_empty() {
            let mut response = request.response(StatusCode::BadExtension, None);
            response.headers.push("Unsupported", unknown.join(", "));
            return Some(response);
        }
    }
    not_acceptable(request)
}

/// §20.1, §21.4.7: a caller whose Accept leaves no room for SDP cannot be answered.
fn not_acceptable(request: &Request) -> Option<Response> {
    let applies = matches!(request.method, Method::Invite | Method::Update) && request.headers.contains("Accept");
    let takes = ["application/sdp", "application/*", "*/*"].iter().any(|kind| request.headers.lists("Accept", kind));
    (applies && !takes).then(|| request.response(StatusCode::NotAcceptable, None))
}
