//! The headers that a message carries beside its core.

use super::name_addr::NameAddr;
use super::parse::split_list;

/// One value of one header, the name in its usual long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// The headers beside [`super::Core`], one entry a value, names in their long form, in wire order.
/// Content-Length is not among them: it is computed when a message is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<Header>);

/// What the Contact headers of a request name.
#[derive(Clone, Debug, PartialEq)]
pub enum Contacts {
    /// `Contact: *` (RFC 3261 §10.2.2).
    All,
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The `expires` parameter of the first contact.
    pub fn expires(&self) -> Option<u32> {
        match self {
            Contacts::All => None,
            Contacts::List(list) => list.first()?.params.get("expires")?.parse().ok(),
        }
    }
}

/// A header that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} header is not well-formed")]
pub struct Malformed(pub &'static str);

impl Headers {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(Header { name: name.to_owned(), value: value.into() });
    }

    /// Replaces every value of a header by one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|header| !header.name.eq_ignore_ascii_case(name));
    }

    pub fn extend(&mut self, other: Headers) {
        self.0.extend(other.0);
    }

    /// Whether a header that is a list of tokens has this one.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|known| known.eq_ignore_ascii_case(token))
    }

    /// The tokens of a list header, over all its values.
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.get_all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
    }

    pub fn contacts(&self) -> Result<Contacts, Malformed> {
        let values: Vec<&str> = self.get_all("Contact").collect();
        if values.iter().any(|value| value.trim() == "*") {
            return if values.len() == 1 { Ok(Contacts::All) } else { Err(Malformed("Contact")) };
        }
        self.name_addrs("Contact").map(Contacts::List).ok_or(Malformed("Contact"))
    }

    pub fn routes(&self) -> Result<Vec<NameAddr>, Malformed> {
        self.name_addrs("Route").ok_or(Malformed("Route"))
    }

    pub fn record_routes(&self) -> Result<Vec<NameAddr>, Malformed> {
        self.name_addrs("Record-Route").ok_or(Malformed("Record-Route"))
    }

    fn name_addrs(&self, name: &str) -> Option<Vec<NameAddr>> {
        self.get_all(name).flat_map(split_list).map(|value| value.parse().ok()).collect()
    }

    /// Seconds; a number too large to hold counts as the largest (RFC 3261 §20.19).
    pub fn expires(&self) -> Option<u32> {
        let value = self.get("Expires")?.trim();
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| value.parse().unwrap_or(u32::MAX))
    }

    pub fn to_pairs(&self) -> Vec<(String, String)> {
        self.0.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
    }

    pub fn from_pairs(pairs: Vec<(String, String)>) -> Headers {
        Headers(pairs.into_iter().map(|(name, value)| Header { name, value }).collect())
    }
}
