//! Addresses as operators write them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::settings::{Listen, Transport, TrunkServer};

/// Browsers come by the web's port, and nobody is called by a WebSocket of ours.
fn transport(name: &str) -> Option<Transport> {
    Transport::of_name(name).filter(|transport| !transport.is_web_socket())
}

/// `udp:ADDRESS:PORT`, `tcp:…` or `tls:…`; an IPv6 address stands in brackets.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    let example = "write udp:127.0.0.1:5060, tcp:127.0.0.1:5060 or tls:127.0.0.1:5061";
    let (name, address) = text.split_once(':').ok_or_else(|| format!("'{text}' names no transport; {example}"))?;
    let transport =
        transport(name).ok_or_else(|| format!("'{name}' is no transport that can be listened on; {example}"))?;
    let address = address.parse().map_err(|_| format!("'{address}' is no address with a port; {example}"))?;
    Ok(Listen { transport, address })
}

/// `ADDRESS:LOW-HIGH`.
pub fn parse_rtp(text: &str) -> Result<(IpAddr, u16, u16), String> {
    let example = "write 127.0.0.1:30000-39999";
    let (address, ports) = text.rsplit_once(':').ok_or_else(|| format!("'{text}' has no ports; {example}"))?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = address.parse().map_err(|_| format!("'{address}' is no IP address; {example}"))?;
    let (low, high) = ports.split_once('-').ok_or_else(|| format!("'{ports}' is no range of ports; {example}"))?;
    let port = |port: &str| port.parse::<u16>().map_err(|_| format!("'{port}' is no port; {example}"));
    let (low, high) = (port(low)?, port(high)?);
    check_ports(low, high)?;
    Ok((address, low, high))
}

/// RTP needs a pair of ports a leg; below 1024 are other people's.
pub(super) fn check_ports(low: u16, high: u16) -> Result<(), String> {
    if low < 1024 {
        return Err(format!("RTP ports begin at 1024 or above, not at {low}"));
    }
    if high < low || high - low < 3 {
        return Err(format!("RTP needs at least four ports; {low} to {high} are not enough"));
    }
    Ok(())
}

/// `host[:port][;udp|;tcp|;tls]`. Without a transport DNS chooses one.
pub(super) fn parse_server(text: &str) -> Result<TrunkServer, String> {
    let example = "write sip.example.com, 192.0.2.1:5060 or sip.example.com:5060;tcp";
    let (place, parameter) = match text.split_once(';') {
        Some((place, parameter)) => (place, Some(parameter.trim_start_matches("transport="))),
        None => (text, None),
    };
    let transport = match parameter {
        Some(name) => Some(transport(name).ok_or_else(|| format!("'{name}' is no transport; {example}"))?),
        None => None,
    };
    let place = place.trim();
    if let Ok(address) = place.parse::<SocketAddr>() {
        return Ok(TrunkServer { host: address.ip().to_string(), port: Some(address.port()), transport });
    }
    let bare = place.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(TrunkServer { host: bare.to_owned(), port: None, transport });
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => {
            let number = port.parse::<u16>().ok().filter(|port| *port > 0);
            (host, Some(number.ok_or_else(|| format!("'{port}' is no port; {example}"))?))
        }
        None => (place, None),
    };
    if !is_host_name(host) {
        return Err(format!("'{host}' is neither an address nor a host name; {example}"));
    }
    Ok(TrunkServer { host: host.to_ascii_lowercase(), port, transport })
}

/// RFC 1123 §2.1, without a look at whether it exists.
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    // Four numbers are an address; one that could not be parsed as such is a slip, not a name.
    let numbers = name.split('.').all(|part| part.chars().all(|c| c.is_ascii_digit()));
    name.len() <= 253 && !numbers && name.split('.').all(label)
}

/// Whether a SIP URI that `check_sip_uri` takes names its host by an IP address.
pub(super) fn has_ip_address(uri: &str) -> bool {
    let place = uri.split_once('@').map_or("", |(_, place)| place).split(';').next().unwrap_or_default();
    parse_server(place).is_ok_and(|server| server.host.parse::<IpAddr>().is_ok())
}

/// A SIP URI with a user and a host, as far as can be told without the SIP parser.
pub(super) fn check_sip_uri(text: &str) -> Result<(), String> {
    let example = "write sip:301@192.0.2.10 or sip:301@pbx.example.com:5060";
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"));
    let rest = rest.ok_or_else(|| format!("'{text}' does not begin with sip:; {example}"))?;
    let (user, place) = rest.split_once('@').ok_or_else(|| format!("'{text}' has no user and @; {example}"))?;
    let user_is_fine = !user.is_empty() && user.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"'));
    if !user_is_fine {
        return Err(format!("'{text}' has no proper user before the @; {example}"));
    }
    let place = place.split(';').next().unwrap_or_default();
    parse_server(place).map(|_| ()).map_err(|_| format!("'{place}' in '{text}' is no host; {example}"))
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(v6.is_loopback(), |v4| v4.is_loopback()),
        IpAddr::V4(v4) => v4.is_loopback(),
    }
}

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read() {
        let udp = parse_listen("udp:127.0.0.1:5060").unwrap();
        assert_eq!((udp.transport, udp.address.to_string().as_str()), (Transport::Udp, "127.0.0.1:5060"));
        assert_eq!(parse_listen("tcp:[::1]:5060").unwrap().address.to_string(), "[::1]:5060");
        for bad in ["", "udp", "udp:", "udp:localhost:5060", "udp:127.0.0.1", "udp:127.0.0.1:70000", "smoke:1.2.3.4:1"]
        {
            assert!(parse_listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rtp_ranges_are_read() {
        assert_eq!(parse_rtp("127.0.0.1:30000-30099"), Ok((LOOPBACK, 30_000, 30_099)));
        assert!(parse_rtp("[::1]:30000-30099").is_ok());
        for bad in ["", "127.0.0.1", "127.0.0.1:30000", "127.0.0.1:30099-30000", "127.0.0.1:1-99", "x:1024-2048"] {
            assert!(parse_rtp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn servers_are_read() {
        let read = |text| parse_server(text).map(|server| (server.host, server.port, server.transport));
        assert_eq!(read("sip.Example.com"), Ok(("sip.example.com".into(), None, None)));
        assert_eq!(read("192.0.2.1:5070;tcp"), Ok(("192.0.2.1".into(), Some(5070), Some(Transport::Tcp))));
        assert_eq!(read("[2001:db8::1]:5060"), Ok(("2001:db8::1".into(), Some(5060), None)));
        assert_eq!(read("[2001:db8::1]"), Ok(("2001:db8::1".into(), None, None)));
        assert_eq!(read("a.example;transport=tls"), Ok(("a.example".into(), None, Some(Transport::Tls))));
        for bad in ["", "a b", "192.0.2.999", "a.example:0", "a.example:x", "a.example;pigeon", "-a.example", "a..b"] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sip_uris_are_looked_at() {
        assert_eq!(check_sip_uri("sip:301@127.0.0.1:5090"), Ok(()));
        assert_eq!(check_sip_uri("sip:a@pbx.example.com;transport=tcp"), Ok(()));
        for bad in ["301@127.0.0.1", "sip:127.0.0.1", "sip:@127.0.0.1", "sip:a b@c.d", "sip:a@", "sip:a@b c"] {
            assert!(check_sip_uri(bad).is_err(), "{bad}");
        }
    }
}
