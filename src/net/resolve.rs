//! Where a trunk's server is (RFC 3263): SRV records in their order, else the addresses of the name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RData};
use tokio::time::timeout;

use crate::settings::{Transport, TrunkServer};
use crate::sip::Destination;

/// A name that takes longer has no address, for now.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Addresses kept of one name.
const MOST_TARGETS: usize = 16;

pub struct Resolver {
    dns: Option<TokioResolver>,
}

impl Resolver {
    /// Uses the system's configuration; without one, names have no addresses and trunks need to be given by address.
    pub fn from_system() -> Resolver {
        let dns = TokioResolver::builder_tokio().ok().and_then(|builder| builder.build().ok());
        if dns.is_none() {
            tracing::warn!("no usable /etc/resolv.conf: trunks are reached only where they are given by address");
        }
        Resolver { dns }
    }

    /// Best first; empty when there is none. A `.invalid` name is never asked for (RFC 2606).
    pub async fn targets(&self, server: &TrunkServer) -> Vec<Destination> {
        let host = server.host.trim_end_matches('.').to_ascii_lowercase();
        let Some(dns) = self.dns.as_ref().filter(|_| !host.ends_with(".invalid")) else { return Vec::new() };
        let found = timeout(TIME_LIMIT, look_up(dns, &host, server)).await.unwrap_or_default();
        let to = |address| Destination::Address { transport: server.transport, address };
        found.into_iter().take(MOST_TARGETS).map(to).collect()
    }
}

/// RFC 3263 §4.2: a port in the configuration means no SRV.
async fn look_up(dns: &TokioResolver, host: &str, server: &TrunkServer) -> Vec<SocketAddr> {
    if let Some(port) = server.port {
        return addresses(dns, host, port).await;
    }
    let mut found = Vec::new();
    for (name, port) in services(dns, host, server.transport).await {
        found.extend(addresses(dns, &name, port).await);
    }
    if found.is_empty() { addresses(dns, host, default_port(server.transport)).await } else { found }
}

/// SRV targets by priority, heavier ones first (RFC 2782; the order within a priority is fixed, so that the first
/// server is the first for every call until it is down).
async fn services(dns: &TokioResolver, host: &str, transport: Transport) -> Vec<(String, u16)> {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws | Transport::Wss => return Vec::new(),
    };
    let Ok(name) = Name::from_ascii(format!("{service}.{host}.")) else { return Vec::new() };
    let Ok(lookup) = dns.srv_lookup(name).await else { return Vec::new() };
    let mut records: Vec<_> = lookup
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some((srv.priority, u16::MAX - srv.weight, srv.target.to_ascii(), srv.port)),
            _ => None,
        })
        .collect();
    records.sort();
    records.into_iter().take(MOST_TARGETS).map(|(_, _, target, port)| (target, port)).collect()
}

async fn addresses(dns: &TokioResolver, host: &str, port: u16) -> Vec<SocketAddr> {
    let Ok(lookup) = dns.lookup_ip(host).await else { return Vec::new() };
    let mut found: Vec<IpAddr> = lookup.iter().collect();
    found.sort();
    found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Tls | Transport::Wss => 5061,
        _ => 5060,
    }
}
