//! Two sides and a network between them that delays, loses, and hides; in a time that the test makes up.

mod alone;
mod network;
mod pairs;

use super::*;
use crate::security::{IceCandidate, IceChecks, IceCredentials, Secret};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(ms: u64) -> Instant {
    Instant(1_000_000_000) + Duration::from_millis(ms)
}

fn credentials(name: &str, session: u32) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}{session}"), password: format!("password-{session}-of-{name}-for-ice") }
}

/// What a full side knows of the far end.
fn checks(controlling: bool, seed: u8, candidates: &[(&str, u32)]) -> IceChecks {
    let candidate =
        |(address, priority): &(&str, u32)| IceCandidate { address: address.parse().unwrap(), priority: *priority };
    IceChecks {
        controlling,
        lite: false,
        pacing: Duration::from_millis(50),
        candidates: candidates.iter().map(candidate).collect(),
        seed: Secret([seed; 32]),
    }
}

fn full(side: &Side) -> &Full {
    match side {
        Side::Full(full) => full,
        Side::Lite(_) => panic!("it is lite"),
    }
}
