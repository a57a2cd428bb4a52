//! We are asked to prove who we are: the same request again, with credentials.

use super::digest::{Algorithm, Fields, Proof, quoted};
use crate::settings::Credentials;
use crate::sip::message::{Headers, Request, Response};

/// Puts into `request` what the 401 or 407 to it asks for (RFC 3261 §22.2, §22.3). `false`: it cannot be answered, or
/// the credentials in `request` have just been refused; trying on would only lock the account. `cnonce` comes from the
/// caller's generator.
///
/// A request that has been answered once is answered again only where the peer says that no more than its nonce was old.
pub fn authorize(request: &mut Request, response: &Response, credentials: &Credentials, cnonce: &str) -> bool {
    let (asks, answers) = match response.code() {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => return false,
    };
    let Some((algorithm, fields)) = strongest(&response.headers, asks) else { return false };
    let stale = fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
    if request.headers.contains(answers) && !stale {
        return false;
    }
    let Some(value) = authorization(request, algorithm, &fields, credentials, cnonce) else { return false };
    request.headers.set(answers, value);
    true
}

fn authorization(
    request: &Request,
    algorithm: Algorithm,
    fields: &Fields,
    credentials: &Credentials,
    cnonce: &str,
) -> Option<String> {
    let (realm, nonce) = (fields.get("realm")?, fields.get("nonce")?);
    let auth = fields.get("qop").map(|qop| qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
    if auth == Some(false) {
        return None;
    }
    let quality = auth.map(|_| ("00000001", cnonce));
    let (method, uri) = (request.method.to_string(), request.uri.to_string());
    let proof = Proof {
        algorithm,
        user: &credentials.user,
        realm,
        password: &credentials.password,
        method: &method,
        uri: &uri,
        nonce,
        quality,
    };
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
        quoted(&credentials.user),
        quoted(realm),
        quoted(nonce),
        quoted(&uri),
        proof.response(),
        algorithm.name()
    );
    if let Some((nc, cnonce)) = quality {
        value.push_str(&format!(", qop=auth, nc={nc}, cnonce={}", quoted(cnonce)));
    }
    if let Some(opaque) = fields.get("opaque") {
        value.push_str(&format!(", opaque={}", quoted(opaque)));
    }
    Some(value)
}

/// The strongest challenge that we can answer; of equals the first.
fn strongest(headers: &Headers, name: &str) -> Option<(Algorithm, Fields)> {
    let challenges = headers.get_all(name).filter_map(Fields::parse);
    let known = challenges.filter_map(|fields| Some((Algorithm::named(fields.get("algorithm"))?, fields)));
    known.reduce(|best, next| if next.0 > best.0 { next } else { best })
}
