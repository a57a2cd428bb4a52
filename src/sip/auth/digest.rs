//! The arithmetic of a digest, and the header's `name=value` list.

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// Without the parameter it is MD5 (RFC 2617 §3.2.1).
    pub fn named(name: Option<&str>) -> Option<Algorithm> {
        match name {
            None => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => hex::encode(Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex::encode(Sha256::digest(text.as_bytes())),
        }
    }
}

/// What goes into a response (RFC 7616 §3.4.1).
pub struct Proof<'a> {
    pub algorithm: Algorithm,
    pub user: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    /// `nc` and `cnonce` where qop is `auth`; a peer of RFC 2069 has neither.
    pub quality: Option<(&'a str, &'a str)>,
}

impl Proof<'_> {
    pub fn response(&self) -> String {
        let a1 = self.algorithm.hash(&format!("{}:{}:{}", self.user, self.realm, self.password));
        let a2 = self.algorithm.hash(&format!("{}:{}", self.method, self.uri));
        match self.quality {
            Some((nc, cnonce)) => self.algorithm.hash(&format!("{a1}:{}:{nc}:{cnonce}:auth:{a2}", self.nonce)),
            None => self.algorithm.hash(&format!("{a1}:{}:{a2}", self.nonce)),
        }
    }
}

/// The parameters of a `Digest …` header value; `None` when it is of another scheme or not well-formed.
pub struct Fields(Vec<(String, String)>);

/// More parameters than any scheme has: such a header is not read.
const MOST_FIELDS: usize = 32;

impl Fields {
    pub fn parse(value: &str) -> Option<Fields> {
        let value = value.trim();
        let (scheme, mut rest) = value.split_once(|c: char| c.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
            if rest.is_empty() {
                return Some(Fields(fields));
            }
            let (name, after) = rest.split_once('=')?;
            let (text, after) = take_value(after.trim_start())?;
            fields.push((name.trim().to_ascii_lowercase(), text));
            if fields.len() > MOST_FIELDS {
                return None;
            }
            rest = after;
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What these fields of an answer prove, if `password` is its user's. `None`: a field is missing, or of a kind that
    /// is not known here.
    pub fn proof<'a>(&'a self, realm: &'a str, method: &'a str, password: &'a str) -> Option<Proof<'a>> {
        let quality = match self.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Some((self.get("nc")?, self.get("cnonce")?)),
            Some(_) => return None,
        };
        let algorithm = Algorithm::named(self.get("algorithm"))?;
        let (user, nonce, uri) = (self.get("username")?, self.get("nonce")?, self.get("uri")?);
        Some(Proof { algorithm, user, realm, password, method, uri, nonce, quality })
    }

    /// The header value with another `response`.
    pub fn with_response(&self, response: &str) -> String {
        let fields = self.0.iter().map(|(name, value)| match name.as_str() {
            "response" => format!("response={}", quoted(response)),
            name => format!("{name}={}", quoted(value)),
        });
        format!("Digest {}", fields.collect::<Vec<_>>().join(", "))
    }
}

/// A token or a quoted string, and what follows it.
fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return Some((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// A quoted string; what would end it is escaped.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc7616(algorithm: Algorithm) -> String {
        let proof = Proof {
            algorithm,
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            quality: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        };
        proof.response()
    }

    #[test]
    fn responses_are_those_of_rfc_7616_section_3_9_1() {
        assert_eq!(rfc7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(rfc7616(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn a_response_without_qop_is_that_of_rfc_2069() {
        let proof = Proof {
            algorithm: Algorithm::Md5,
            user: "Mufasa",
            realm: "testrealm@host.com",
            password: "CircleOfLife",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            quality: None,
        };
        assert_eq!(proof.response(), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn fields_are_read_with_quotes_commas_and_escapes() {
        let fields = Fields::parse("Digest realm=\"a, \\\"b\\\"\" , nonce=\"x=y\",qop=auth,  nc=00000001").unwrap();
        assert_eq!(fields.get("realm"), Some("a, \"b\""));
        assert_eq!(fields.get("nonce"), Some("x=y"));
        assert_eq!(fields.get("qop"), Some("auth"));
        assert_eq!(fields.get("nc"), Some("00000001"));
        assert_eq!(fields.get("opaque"), None);
    }

    #[test]
    fn other_schemes_and_broken_values_are_not_read() {
        for value in ["Basic abc=", "Digest realm=\"open", "Digest realm", "", "Digest"] {
            assert!(Fields::parse(value).is_none(), "{value}");
        }
    }
}
