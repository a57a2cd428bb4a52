//! The checks of a request that need no state (RFC 3261 §8.2.1 to §8.2.3).

use super::{Headers, Method, Request, Uri};

/// What this user agent can do.
pub struct Capabilities<'a> {
    pub methods: &'a [Method],
    /// Option tags for Supported.
    pub extensions: &'a [&'a str],
    /// Body types that are understood.
    pub bodies: &'a [&'a str],
}

#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub headers: Headers,
}

impl Refusal {
    fn with(status: u16, headers: &[(&str, String)]) -> Refusal {
        let mut refusal = Refusal { status, headers: Headers::default() };
        for (name, value) in headers {
            refusal.headers.push(name, value.clone());
        }
        refusal
    }
}

/// Method, Request-URI scheme, required extensions, body type, accepted answer, in the order of §8.2.
pub fn validate(request: &Request, able: &Capabilities<'_>) -> Result<(), Refusal> {
    // §8.2.2.3 and §22: ACK is never refused, CANCEL only when it matches nothing.
    if matches!(request.method, Method::Ack | Method::Cancel) {
        return Ok(());
    }
    if !able.methods.contains(&request.method) {
        let allow = able.methods.iter().map(Method::to_string).collect::<Vec<_>>().join(", ");
        return Err(Refusal::with(405, &[("Allow", allow)]));
    }
    if matches!(request.uri, Uri::Other(_)) {
        return Err(Refusal::with(416, &[]));
    }
    let unknown: Vec<&str> = request
        .headers
        .tokens("Require")
        .filter(|tag| !able.extensions.iter().any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    if !unknown.is_empty() {
        return Err(Refusal::with(420, &[("Unsupported", unknown.join(", "))]));
    }
    check_body(request, able)?;
    check_accept(request)
}

fn check_body(request: &Request, able: &Capabilities<'_>) -> Result<(), Refusal> {
    if request.body.is_empty() {
        return Ok(());
    }
    let optional = request.headers.get("Content-Disposition").is_some_and(|value| value.contains("handling=optional"));
    let encoded =
        request.headers.get("Content-Encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let known = able.bodies.iter().any(|body| body.eq_ignore_ascii_case(kind));
    if optional || (known && !encoded) {
        return Ok(());
    }
    Err(Refusal::with(415, &[("Accept", able.bodies.join(", ")), ("Accept-Encoding", "identity".to_owned())]))
}

/// An INVITE that takes no SDP in answer cannot be answered (§8.2.6, RFC 4475 §3.3.15).
fn check_accept(request: &Request) -> Result<(), Refusal> {
    if request.method != Method::Invite || request.headers.get("Accept").is_none() {
        return Ok(());
    }
    let takes_sdp = request.headers.tokens("Accept").any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        ["application/sdp", "application/*", "*/*"].iter().any(|fine| fine.eq_ignore_ascii_case(kind))
    });
    if takes_sdp { Ok(()) } else { Err(Refusal::with(406, &[])) }
}
