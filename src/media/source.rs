//! Which source a leg takes packets from, and where it sends to.

use std::net::SocketAddr;

use crate::bridge::Latch;

/// The far end of one flow (RTP or RTCP). The first source that qualifies is fixed: whoever comes later from elsewhere,
/// with whatever SSRC, is a stranger. Nothing is ever sent anywhere but to the negotiated or the fixed address.
#[derive(Clone, Copy, Debug)]
pub(super) struct FarEnd {
    negotiated: Option<SocketAddr>,
    latch: Latch,
    fixed: Option<SocketAddr>,
}

impl FarEnd {
    pub fn new() -> Self {
        FarEnd { negotiated: None, latch: Latch::Never, fixed: None }
    }

    /// Takes over what was agreed. Another address begins anew; the same one keeps the source that is fixed.
    pub fn negotiate(&mut self, address: Option<SocketAddr>, latch: Latch) {
        if (self.negotiated, self.latch) != (address, latch) {
            *self = FarEnd { negotiated: address, latch, fixed: None };
        }
    }

    /// Whether a well-formed packet of an agreed payload type is the far end's; fixes the first that is.
    pub fn accepts(&mut self, from: SocketAddr) -> bool {
        if let Some(fixed) = self.fixed {
            return fixed == from;
        }
        let Some(negotiated) = self.negotiated else { return false };
        let qualifies = negotiated == from || matches!(self.latch, Latch::Address(address) if address == from.ip());
        if qualifies {
            self.fixed = Some(from);
        }
        qualifies
    }

    /// The source that is fixed.
    pub fn fixed(&self) -> Option<SocketAddr> {
        self.fixed
    }

    /// Where to send; `None` while the far end has no address.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.negotiated.map(|negotiated| self.fixed.unwrap_or(negotiated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn far_end(latch: Latch) -> FarEnd {
        let mut far_end = FarEnd::new();
        far_end.negotiate(Some(address("127.0.0.2:4000")), latch);
        far_end
    }

    #[test]
    fn without_a_latch_only_the_negotiated_address_is_heard() {
        let mut far_end = far_end(Latch::Never);
        assert!(!far_end.accepts(address("127.0.0.2:4002")));
        assert!(!far_end.accepts(address("127.0.0.3:4000")));
        assert!(far_end.accepts(address("127.0.0.2:4000")));
        assert_eq!(far_end.destination(), Some(address("127.0.0.2:4000")));
    }

    #[test]
    fn the_first_port_of_the_latch_address_is_fixed() {
        let mut far_end = far_end(Latch::Address("127.0.0.9".parse().unwrap()));
        assert_eq!(far_end.destination(), Some(address("127.0.0.2:4000")));
        assert!(!far_end.accepts(address("127.0.0.8:5000")));
        assert!(far_end.accepts(address("127.0.0.9:5000")));
        assert!(!far_end.accepts(address("127.0.0.9:5002")), "a second port of the same address");
        assert!(!far_end.accepts(address("127.0.0.2:4000")), "the negotiated address, too late");
        assert_eq!(far_end.destination(), Some(address("127.0.0.9:5000")));
    }

    #[test]
    fn only_another_address_begins_anew() {
        let latch = Latch::Address("127.0.0.9".parse().unwrap());
        let mut far_end = far_end(latch);
        assert!(far_end.accepts(address("127.0.0.9:5000")));
        far_end.negotiate(Some(address("127.0.0.2:4000")), latch);
        assert!(!far_end.accepts(address("127.0.0.9:5002")));
        far_end.negotiate(Some(address("127.0.0.2:4004")), latch);
        assert!(far_end.accepts(address("127.0.0.9:5002")));
    }

    #[test]
    fn a_far_end_without_address_is_neither_heard_nor_sent_to() {
        let latch = Latch::Address("127.0.0.9".parse().unwrap());
        let mut far_end = far_end(latch);
        far_end.negotiate(None, latch);
        assert!(!far_end.accepts(address("127.0.0.9:5000")));
        assert_eq!(far_end.destination(), None);
    }
}
