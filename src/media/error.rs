//! Why media does not start.

use std::net::IpAddr;

/// Each names what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("rtp.ports {low}-{high}: no even port with the next one beside it; give a range like 20000-29999")]
    Range { low: u16, high: u16 },
    #[error("rtp.address {address}: not an address of this machine ({source}); give one that is, or 0.0.0.0")]
    Address { address: IpAddr, source: std::io::Error },
    #[error(
        "rtp.ports {low}-{high} on {address}: every pair of ports is in use; stop the other program or move the range"
    )]
    InUse { address: IpAddr, low: u16, high: u16 },
    #[error("no socket for RTP: {0}; raise the limit of open files (ulimit -n)")]
    Socket(std::io::Error),
    #[error("cannot wait for RTP: {0}")]
    Poll(std::io::Error),
    #[error("cannot start a media thread: {0}")]
    Thread(std::io::Error),
    #[error("the system gives no random numbers, which SSRCs are made of")]
    Entropy,
    #[error("no certificate could be made for the handshakes of SRTP: {0}")]
    Certificate(String),
    #[error("the engine takes no events before the first call")]
    Deaf,
}
