//! Where a peer says that it may be found (RFC 8839 §5.1), as far as our one socket can try it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtc_sdp::MediaDescription;

use super::stream::is_unicast;
use crate::security::IceCandidate;

/// Candidates that are kept.
const MOST: usize = 32;

/// `a=candidate` lines that are looked at.
const MOST_LINES: usize = 100;

/// RFC 8445 §14.2: how long a side waits from one check to the next, where neither asks for more.
const PACING: Duration = Duration::from_millis(50);
const SLOWEST: Duration = Duration::from_millis(1_000);

/// The candidates of a stream, each address once. Passed over are names (of mDNS, say: whoever hides behind one is known by
/// its checks), TCP, other components than RTP's, which carries RTCP too, and the other family.
pub(super) fn read(media: &MediaDescription, local: SocketAddr) -> Vec<IceCandidate> {
    let lines = media.attributes.iter().filter(|attribute| attribute.key.eq_ignore_ascii_case("candidate"));
    let mut found: Vec<IceCandidate> = Vec::new();
    for candidate in lines.take(MOST_LINES).filter_map(|line| candidate(line.value.as_deref()?, local)) {
        if let Some(known) = found.iter_mut().find(|known| known.address == candidate.address) {
            known.priority = known.priority.max(candidate.priority);
        } else if found.len() < MOST {
            found.push(candidate);
        }
    }
    found
}

/// `1 1 udp 2130706431 192.0.2.1 40000 typ host`.
fn candidate(text: &str, local: SocketAddr) -> Option<IceCandidate> {
    let mut fields = text.split_whitespace();
    let (_foundation, component, transport) = (fields.next()?, fields.next()?, fields.next()?);
    // RFC 8839 §5.1: 1 to 2^31 - 1.
    let priority: u32 =
        fields.next()?.parse().ok().filter(|priority| (1..=i32::MAX.unsigned_abs()).contains(priority))?;
    let ip = fields.next()?.parse::<IpAddr>().ok()?.to_canonical();
    let port: u16 = fields.next()?.parse().ok().filter(|port| *port != 0)?;
    let (typ, kind) = (fields.next()?, fields.next()?);
    let known = ["host", "srflx", "prflx", "relay"].into_iter().any(|known| kind.eq_ignore_ascii_case(known));
    let ours = component == "1" && transport.eq_ignore_ascii_case("udp") && typ.eq_ignore_ascii_case("typ") && known;
    let reachable = ip.is_ipv4() == local.is_ipv4() && !ip.is_unspecified() && is_unicast(ip);
    (ours && reachable).then_some(IceCandidate { address: SocketAddr::new(ip, port), priority })
}

/// RFC 8839 §5.5: of both sides' wishes the slower one is followed; ours is the usual one.
pub(super) fn pacing(theirs: Option<&str>) -> Duration {
    let theirs = theirs.and_then(|text| text.trim().parse().ok()).map_or(PACING, Duration::from_millis);
    theirs.clamp(PACING, SLOWEST)
}
