//! Where a trunk's server is (RFC 3263): NAPTR says which transports it speaks, SRV which hosts serve them and in which
//! order, A and AAAA where those are.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;

use crate::settings::{Transport, TrunkServer};
use crate::sip::Destination;

/// A name that takes longer has no address, for now.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Addresses kept of one name, and records followed of one kind.
const MOST_TARGETS: usize = 16;

/// What our sockets speak, and what NAPTR and SRV call it (RFC 3263 §4.1, §9), dearest first.
const SPOKEN: [(Transport, &str, &str); 2] =
    [(Transport::Udp, "SIP+D2U", "_sip._udp"), (Transport::Tcp, "SIP+D2T", "_sip._tcp")];

pub struct Resolver {
    dns: Option<TokioResolver>,
}

/// One SRV question, and the transport whose hosts it asks for.
struct Service {
    transport: Transport,
    name: Name,
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
        let mut targets: Vec<Destination> = Vec::new();
        for (transport, address) in found {
            let to = Destination::Address { transport, address };
            if !targets.contains(&to) {
                targets.push(to);
            }
        }
        targets.truncate(MOST_TARGETS);
        targets
    }
}

type Found = Vec<(Transport, SocketAddr)>;

/// RFC 3263 §4.1 and §4.2. A port in the configuration means neither NAPTR nor SRV; a transport in it no NAPTR.
async fn look_up(dns: &TokioResolver, host: &str, server: &TrunkServer) -> Found {
    if let Some(port) = server.port {
        return addresses(dns, host, server.transport.unwrap_or(Transport::Udp), port).await;
    }
    let mut found = Vec::new();
    let mut has_services = false;
    for service in services(dns, host, server.transport).await {
        let Some(hosts) = hosts(dns, &service).await else { continue };
        has_services = true;
        for (name, port) in hosts {
            found.extend(addresses(dns, &name, service.transport, port).await);
        }
    }
    if has_services {
        return found;
    }
    // "If no SRV records are found, the client SHOULD use […] UDP for a SIP URI", and the port of that transport.
    let transport = server.transport.unwrap_or(Transport::Udp);
    addresses(dns, host, transport, transport.default_port()).await
}

/// Which SRV questions to ask, best first. §4.1: those that NAPTR names; "if no NAPTR records are found, the client
/// constructs SRV queries for those transport protocols it supports".
async fn services(dns: &TokioResolver, host: &str, transport: Option<Transport>) -> Vec<Service> {
    let asked = |(transport, _, service): &(Transport, &str, &str)| {
        let name = Name::from_ascii(format!("{service}.{host}.")).ok()?;
        Some(Service { transport: *transport, name })
    };
    if let Some(transport) = transport {
        let tls = (Transport::Tls, "SIPS+D2T", "_sips._tcp");
        let own = SPOKEN.iter().chain([&tls]).filter(|(spoken, ..)| *spoken == transport);
        return own.filter_map(asked).collect();
    }
    let named = naptr(dns, host).await;
    if named.is_empty() { SPOKEN.iter().filter_map(asked).collect() } else { named }
}

/// The NAPTR records that we can follow: flag `s` leads to SRV records (RFC 3263 §4.1). RFC 3403 §4.1: "once a match is
/// found the client MUST NOT consider records with a different Order but they MAY process records with the same Order but
/// different Preferences".
async fn naptr(dns: &TokioResolver, host: &str) -> Vec<Service> {
    let Ok(name) = Name::from_ascii(format!("{host}.")) else { return Vec::new() };
    let Ok(lookup) = dns.lookup(name, RecordType::NAPTR).await else { return Vec::new() };
    let mut records: Vec<&NAPTR> = lookup
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::NAPTR(naptr) => Some(naptr),
            _ => None,
        })
        .collect();
    records.sort_by_key(|naptr| (naptr.order, naptr.preference));
    let followed: Vec<_> = records.into_iter().filter_map(|naptr| Some((naptr.order, follow(naptr)?))).collect();
    let first = followed.first().map(|(order, _)| *order);
    followed
        .into_iter()
        .filter(|(order, _)| Some(*order) == first)
        .map(|(_, service)| service)
        .take(MOST_TARGETS)
        .collect()
}

fn follow(naptr: &NAPTR) -> Option<Service> {
    let service = std::str::from_utf8(&naptr.services).ok()?;
    let (transport, ..) = SPOKEN.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(service))?;
    let to_srv = naptr.flags.eq_ignore_ascii_case(b"s") && naptr.regexp.is_empty();
    to_srv.then(|| Service { transport: *transport, name: naptr.replacement.clone() })
}

/// SRV targets by priority, heavier ones first (RFC 2782; the order within a priority is fixed, so that the first
/// server is the first for every call until it is down). `None` where there is no SRV record; none of them where the
/// service is "decidedly not available at this domain".
async fn hosts(dns: &TokioResolver, service: &Service) -> Option<Vec<(String, u16)>> {
    let lookup = dns.srv_lookup(service.name.clone()).await.ok()?;
    let mut records: Vec<&SRV> = lookup
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(srv),
            _ => None,
        })
        .collect();
    if records.is_empty() {
        return None;
    }
    records.sort_by_key(|srv| (srv.priority, u16::MAX - srv.weight, srv.target.to_ascii(), srv.port));
    let hosts = records.into_iter().filter(|srv| !srv.target.is_root());
    Some(hosts.take(MOST_TARGETS).map(|srv| (srv.target.to_ascii(), srv.port)).collect())
}

async fn addresses(dns: &TokioResolver, host: &str, transport: Transport, port: u16) -> Found {
    let Ok(lookup) = dns.lookup_ip(host).await else { return Vec::new() };
    let mut found: Vec<IpAddr> = lookup.iter().collect();
    found.sort();
    found.into_iter().map(|ip| (transport, SocketAddr::new(ip, port))).collect()
}
