//! Requests without what their senders made of their passwords, for who writes down what came in: from an answer to a
//! challenge a password can be guessed at leisure.

use subtle::ConstantTimeEq;

use super::digest::Fields;
use crate::sip::message::{Headers, Request};

/// As long as an answer by MD5, and the answer of no password.
const WRONG: &str = "00000000000000000000000000000000";
/// Stands for credentials of other schemes: whoever reads them finds none, as before.
const UNREAD: &str = "hidden";

/// Whoever checks the request against `stand_in` as the password of every user comes to the verdict that it had against
/// the users' own passwords: right answers to challenges of `realm` become those of the stand-in, and all others wrong
/// ones.
pub fn disguise<'p>(request: &mut Request, realm: &str, stand_in: &str, password: impl Fn(&str) -> Option<&'p str>) {
    if !request.headers.iter().any(|(name, _)| bears_credentials(name)) {
        return;
    }
    let method = request.method.to_string();
    let disguised = |value: &str| {
        let Some(fields) = Fields::parse(value) else { return UNREAD.to_owned() };
        let own = fields.get("username").and_then(&password).filter(|_| fields.get("realm") == Some(realm));
        let right = own.and_then(|own| fields.proof(realm, &method, own)).is_some_and(|proof| {
            let given = fields.get("response").unwrap_or_default().to_ascii_lowercase();
            proof.response().as_bytes().ct_eq(given.as_bytes()).into()
        });
        let answer = fields.proof(realm, &method, stand_in).filter(|_| right).map(|proof| proof.response());
        fields.with_response(answer.as_deref().unwrap_or(WRONG))
    };
    let headers = request.headers.iter().map(|(name, value)| {
        let value = if bears_credentials(name) { disguised(value) } else { value.to_owned() };
        (name.to_owned(), value)
    });
    request.headers = Headers::from_pairs(headers.collect::<Vec<_>>());
}

fn bears_credentials(name: &str) -> bool {
    name.eq_ignore_ascii_case("Authorization") || name.eq_ignore_ascii_case("Proxy-Authorization")
}
