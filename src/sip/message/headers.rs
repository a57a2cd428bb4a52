//! The headers beside those that every message has.

use std::str::FromStr;

use rsip::Header;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cursor::{Cursor, List};
use super::{Headers, Malformed, NameAddr, names};

/// What the Contact headers of a message say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: every binding (RFC 3261 §10.2.2).
    All,
    /// In wire order; empty when there is no Contact.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// Seconds that the first contact asks for, or was granted.
    pub fn expires(&self) -> Option<u32> {
        match self {
            Contacts::All => None,
            Contacts::List(list) => seconds(list.first()?.params.get("expires")?),
        }
    }
}

impl Headers {
    /// The first value under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|header| is(header, name)).map(names::value_of)
    }

    /// Every value under this name, in wire order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |header| is(header, name)).map(names::value_of)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|header| is(header, name))
    }

    /// Adds a header at the end. Via, From, To, Call-ID, CSeq, Max-Forwards and Content-Length are fields of the message:
    /// they are not written from here.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(names::header(name, value.into()));
    }

    /// Replaces every header of this name by one, which takes the place of the first.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let header = names::header(name, value.into());
        match self.0.iter().position(|known| is(known, name)) {
            Some(place) => {
                let mut at = 0;
                self.0.retain(|known| {
                    at += 1;
                    at - 1 == place || !is(known, name)
                });
                if let Some(known) = self.0.get_mut(place) {
                    *known = header;
                }
            }
            None => self.0.push(header),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|header| !is(header, name));
    }

    pub fn extend(&mut self, more: Headers) {
        self.0.extend(more.0);
    }

    /// Names and values in wire order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|header| (names::name_of(header), names::value_of(header)))
    }

    pub fn from_pairs<N: AsRef<str>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Headers {
        Headers(pairs.into_iter().map(|(name, value)| names::header(name.as_ref(), value.into())).collect())
    }

    /// The elements of a comma list, however it is spread over lines: `Supported`, `Require`, `Allow`, `Accept`, …
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.get_all(name).flat_map(List::new).filter(|token| !token.is_empty())
    }

    /// Is `token` in the list `name`? Parameters of the elements are left aside.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let bare = |element: &str| element.split(';').next().unwrap_or_default().trim_end().eq_ignore_ascii_case(token);
        self.tokens(name).any(bare)
    }

    /// Seconds of the Expires header. Values beyond 32 bits are cut to the largest (RFC 3261 §20.19).
    pub fn expires(&self) -> Option<u32> {
        seconds(self.get("Expires")?)
    }

    /// The media type of the body in lower case without its parameters: `application/sdp`.
    pub fn content_type(&self) -> Option<String> {
        let mut cursor = Cursor::new(self.get("Content-Type")?);
        let kind = cursor.take_while(|c| c != ';');
        Some(kind.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase())
    }

    pub fn contacts(&self) -> Result<Contacts, Malformed> {
        let mut list = Vec::new();
        let mut all = false;
        for value in self.get_all("Contact").flat_map(List::new) {
            if value == "*" {
                all = true;
            } else {
                list.push(value.parse()?);
            }
        }
        match (all, list.is_empty()) {
            (true, true) => Ok(Contacts::All),
            (true, false) => Err(Malformed("Contact '*' stands beside other contacts")),
            (false, _) => Ok(Contacts::List(list)),
        }
    }

    /// The first Contact with an address: a dialog's remote target.
    pub fn contact(&self) -> Option<NameAddr> {
        self.addresses("Contact").next()
    }

    /// Record-Route values in wire order; those that cannot be read are left out (the reader refuses such requests).
    pub fn record_route(&self) -> Vec<NameAddr> {
        self.addresses("Record-Route").collect()
    }

    /// Route values in wire order.
    pub fn route(&self) -> Vec<NameAddr> {
        self.addresses("Route").collect()
    }

    /// Every value of an address header (Refer-To, P-Asserted-Identity, …) that can be read.
    pub fn addresses<'a>(&'a self, name: &'a str) -> impl Iterator<Item = NameAddr> + 'a {
        self.get_all(name).flat_map(List::new).filter_map(|value| NameAddr::from_str(value).ok())
    }
}

fn is(header: &Header, name: &str) -> bool {
    names::name_of(header).eq_ignore_ascii_case(name)
}

/// `delta-seconds`, cut to 32 bits; `None` where it is not a number.
pub(super) fn seconds(text: &str) -> Option<u32> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(String, String)>::deserialize(deserializer).map(Headers::from_pairs)
    }
}
