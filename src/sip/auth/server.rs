//! Who asks us must prove who they are: challenges, and the check of what comes back.

use std::collections::HashMap;
use std::time::Duration;

use hex::FromHex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::digest::{Algorithm, Fields, quoted};
use super::resource::is_same_resource;
use crate::sip::message::{Headers, Request};
use crate::time::{Deadlines, Instant};

/// A nonce is good for this long after it was made; then the client is told `stale` and tries again by itself.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces whose use is remembered. When there are more the oldest is forgotten, and refused from then on as stale.
const MOST_NONCES: usize = 65_536;

#[derive(Debug)]
pub enum Verdict {
    Accepted,
    /// Answer 401 with these WWW-Authenticate headers.
    Challenge(Headers),
    /// Wrong password, unknown user or a stranger's name: answer 403, whichever it is.
    Refused,
    /// The right password for another request than this: answer 400 (RFC 7616 §3.4.6).
    Misdirected,
}

/// RFC 7616: nonces carry the time they were made and a keyed hash of it, so none can be forged; the count `nc` must
/// grow with every use, so none can be replayed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Authenticator {
    realm: String,
    secret: [u8; 32],
    issued: u64,
    /// The highest `nc` seen with each nonce.
    used: HashMap<u64, u32>,
    forget: Deadlines<u64>,
    /// Nonces up to this number are forgotten.
    forgotten: u64,
}

/// Whether the phone gives up as soon as any of the challenges is none it knows, against RFC 3261 §22.2: baresip until
/// 3.10, and what browsers speak SIP by (JsSIP 3.13, SIP.js 0.21), which keeps the last challenge alone and knows MD5.
/// Whoever claims to be one gains nothing by it, for MD5 is open to all.
fn stumbles(request: &Request) -> bool {
    let transport = request.core.via.first().map(|via| via.transport.to_ascii_uppercase());
    if matches!(transport.as_deref(), Some("WS" | "WSS")) {
        return true;
    }
    let version = request.headers.get("User-Agent").and_then(|agent| agent.strip_prefix("baresip v"));
    let mut numbers = version.unwrap_or_default().split(['.', ' ']).map(|number| number.parse::<u32>().ok());
    matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(major), Some(minor)) if (major, minor) < (3, 11))
}

impl Authenticator {
    pub fn new(realm: String, secret: [u8; 32]) -> Authenticator {
        Authenticator { realm, secret, issued: 0, used: HashMap::new(), forget: Deadlines::default(), forgotten: 0 }
    }

    /// Nonces whose use is remembered now.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.used.len()
    }

    /// The name that the sender gives with its proof, whatever that is worth.
    pub fn claimed(&self, request: &Request) -> Option<String> {
        let fields = request.headers.get_all("Authorization").filter_map(Fields::parse);
        let ours = fields.into_iter().find(|fields| fields.get("realm") == Some(&self.realm))?;
        ours.get("username").map(str::to_owned)
    }

    /// Judges a request that claims to come from `user`. `password` is `None` for a user who does not exist: the same
    /// work is done and the same answer given as for a wrong password.
    pub fn verify(&mut self, request: &Request, user: &str, password: Option<&str>, now: Instant) -> Verdict {
        while self.forget.expire(now).map(|nonce| self.used.remove(&nonce)).is_some() {}
        let ours = request.headers.get_all("Authorization").filter_map(Fields::parse);
        let Some(fields) = ours.into_iter().find(|fields| fields.get("realm") == Some(&self.realm)) else {
            return Verdict::Challenge(self.challenge(request, false, now));
        };
        match self.judge(&fields, request, user, password, now) {
            Judgement::Good => Verdict::Accepted,
            Judgement::Stale => Verdict::Challenge(self.challenge(request, true, now)),
            Judgement::Bad => Verdict::Refused,
            Judgement::Elsewhere => Verdict::Misdirected,
        }
    }

    fn judge(
        &mut self,
        fields: &Fields,
        request: &Request,
        user: &str,
        password: Option<&str>,
        now: Instant,
    ) -> Judgement {
        let method = request.method.to_string();
        // Nobody's password: no text that comes in over a wire has this character.
        let proof = fields.proof(&self.realm, &method, password.unwrap_or("\u{0}"));
        let (Some(proof), Some(response)) = (proof, fields.get("response")) else { return Judgement::Bad };
        let Some(number) = self.nonce_number(proof.nonce, now) else { return Judgement::Stale };
        let expected = proof.response();
        let right = bool::from(expected.as_bytes().ct_eq(response.to_ascii_lowercase().as_bytes()));
        if !right || password.is_none() || proof.user != user {
            return Judgement::Bad;
        }
        // Only now: who does not know the password learns nothing.
        if !is_same_resource(proof.uri, &request.uri, &self.realm) {
            return Judgement::Elsewhere;
        }
        let count = match proof.quality {
            None => 1,
            Some((nc, _)) => u32::from_str_radix(nc, 16).unwrap_or(0),
        };
        self.use_nonce(number, count, now)
    }

    /// A count that does not grow is a replay: the peer gets a new nonce and may try with that.
    fn use_nonce(&mut self, number: u64, count: u32, now: Instant) -> Judgement {
        if self.used.get(&number).is_some_and(|highest| count <= *highest) || count == 0 {
            return Judgement::Stale;
        }
        if self.used.insert(number, count).is_none() {
            self.forget.set(number, now + NONCE_LIFE);
            if self.used.len() > MOST_NONCES {
                self.forget_oldest();
            }
        }
        Judgement::Good
    }

    fn forget_oldest(&mut self) {
        let oldest = self.forget.keys().next().copied();
        if let Some(oldest) = oldest {
            self.forget.clear(&oldest);
            self.used.remove(&oldest);
            self.forgotten = self.forgotten.max(oldest);
        }
    }

    /// One challenge an algorithm, in order of preference (RFC 8760 §2.4). MD5 comes first, because phones from before
    /// RFC 8760 read one challenge only and never register when it is not theirs; newer ones choose for themselves.
    fn challenge(&mut self, request: &Request, stale: bool, now: Instant) -> Headers {
        let nonce = self.new_nonce(now);
        let mut headers = Headers::default();
        let algorithms: &[Algorithm] =
            if stumbles(request) { &[Algorithm::Md5] } else { &[Algorithm::Md5, Algorithm::Sha256] };
        for algorithm in algorithms {
            let stale = if stale { ", stale=true" } else { "" };
            let value = format!(
                "Digest realm={}, nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                quoted(&self.realm),
                algorithm.name()
            );
            headers.push("WWW-Authenticate", value);
        }
        headers
    }

    fn new_nonce(&mut self, now: Instant) -> String {
        self.issued += 1;
        let mut bytes = [0; 16];
        let (number, time) = bytes.split_at_mut(8);
        number.copy_from_slice(&self.issued.to_be_bytes());
        time.copy_from_slice(&now.0.to_be_bytes());
        let seal = self.seal(&bytes);
        format!("{}{}", hex::encode(bytes), hex::encode(seal))
    }

    /// The number of a nonce that we made and that is still good.
    fn nonce_number(&self, nonce: &str, now: Instant) -> Option<u64> {
        let bytes = <[u8; 32]>::from_hex(nonce).ok()?;
        let (head, seal) = bytes.split_first_chunk::<16>()?;
        if !bool::from(self.seal(head).ct_eq(seal)) {
            return None;
        }
        let (number, time) = head.split_first_chunk::<8>()?;
        let made = Instant(u64::from_be_bytes(time.try_into().ok()?));
        let number = u64::from_be_bytes(*number);
        (now.since(made) <= NONCE_LIFE && number > self.forgotten).then_some(number)
    }

    /// The secret stands on both sides of what is sealed, and all lengths are fixed: nothing can be appended.
    fn seal(&self, bytes: &[u8; 16]) -> [u8; 16] {
        let digest = Sha256::new().chain_update(self.secret).chain_update(bytes).chain_update(self.secret).finalize();
        let mut seal = [0; 16];
        seal.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[0; 16]));
        seal
    }
}

enum Judgement {
    Good,
    Stale,
    Bad,
    Elsewhere,
}
