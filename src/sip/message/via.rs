//! One Via value (RFC 3261 §20.42).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::params::Params;
use super::uri::{Host, host_and_port};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// As written: `UDP`, `TCP`, `SCTP`, …
    pub transport: String,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
}

impl Via {
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// RFC 3581: the port the request came from, once the receiver has filled it in.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    pub fn received(&self) -> Option<std::net::IpAddr> {
        self.params.get("received")?.trim_matches(['[', ']']).parse().ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no Via")]
pub struct ViaError(String);

impl FromStr for Via {
    type Err = ViaError;

    fn from_str(text: &str) -> Result<Via, ViaError> {
        read(text).ok_or_else(|| ViaError(text.chars().take(80).collect()))
    }
}

/// `SIP / 2.0 / UDP host:port ;params`, with white space almost anywhere.
fn read(text: &str) -> Option<Via> {
    let (protocol, rest) = text.split_once('/')?;
    let (_version, rest) = rest.split_once('/')?;
    if !protocol.trim().eq_ignore_ascii_case("SIP") {
        return None;
    }
    let rest = rest.trim_start();
    let (transport, rest) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace())?);
    let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let (host, port) = host_and_port(sent_by).ok()?;
    Some(Via { transport: transport.to_owned(), host, port, params: Params::parse(params)? })
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}
