//! We are asked to prove who we are: answers to 401 and 407, a bounded number of times.

use serde::{Deserialize, Serialize};

use super::digest::{Algorithm, Fields, Proof, quoted};
use crate::settings::Credentials;
use crate::sip::message::{Headers, Response};

/// The state of one request's authentication: how often we tried, and with which nonce.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientAuth {
    credentials: Credentials,
    tries: u32,
    last_nonce: Option<String>,
    count: u32,
}

/// What a challenge calls for.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    /// Send the request again with this header.
    Answer { name: &'static str, value: String },
    /// Our password was refused, or the far end asks for what we cannot do; trying on would only lock the account.
    GiveUp,
}

/// One try, and one more where the peer says that only the nonce was old.
const MOST_TRIES: u32 = 2;

/// What the response covers.
pub struct Challenged<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    /// From the caller's generator.
    pub cnonce: &'a str,
}

impl ClientAuth {
    pub fn new(credentials: Credentials) -> ClientAuth {
        ClientAuth { credentials, tries: 0, last_nonce: None, count: 0 }
    }

    /// Answers a 401 or 407 (RFC 3261 §22.2, §22.3).
    pub fn answer(&mut self, response: &Response, challenged: &Challenged<'_>) -> Attempt {
        let (asks, answers) = match u16::from(response.status.clone()) {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return Attempt::GiveUp,
        };
        let Some((algorithm, fields)) = strongest(&response.headers, asks) else { return Attempt::GiveUp };
        let stale = fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        if self.tries >= MOST_TRIES || (self.tries > 0 && !stale) {
            return Attempt::GiveUp;
        }
        match self.authorization(algorithm, &fields, challenged) {
            Some(value) => {
                self.tries += 1;
                Attempt::Answer { name: answers, value }
            }
            None => Attempt::GiveUp,
        }
    }

    fn authorization(&mut self, algorithm: Algorithm, fields: &Fields, challenged: &Challenged<'_>) -> Option<String> {
        let (realm, nonce) = (fields.get("realm")?, fields.get("nonce")?);
        if self.last_nonce.as_deref() != Some(nonce) {
            self.last_nonce = Some(nonce.to_owned());
            self.count = 0;
        }
        self.count += 1;
        let nc = format!("{:08x}", self.count);
        let auth = fields.get("qop").map(|qop| qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
        if auth == Some(false) {
            return None;
        }
        let quality = auth.map(|_| (nc.as_str(), challenged.cnonce));
        let proof = Proof {
            algorithm,
            user: &self.credentials.user,
            realm,
            password: &self.credentials.password,
            method: challenged.method,
            uri: challenged.uri,
            nonce,
            quality,
        };
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
            quoted(&self.credentials.user),
            quoted(realm),
            quoted(nonce),
            quoted(challenged.uri),
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
}

/// The strongest challenge that we can answer; of equals the first.
fn strongest(headers: &Headers, name: &str) -> Option<(Algorithm, Fields)> {
    let challenges = headers.get_all(name).filter_map(Fields::parse);
    let known = challenges.filter_map(|fields| Some((Algorithm::named(fields.get("algorithm"))?, fields)));
    known.reduce(|best, next| if next.0 > best.0 { next } else { best })
}
