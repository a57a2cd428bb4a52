//! How far the media of a leg is kept from others: by the way its signalling takes, and by what is configured.

use super::Engine;
use crate::bridge::{Loss, MediaPort};
use crate::ids::LegId;
use crate::sdp::{LocalAudio, Negotiator, Offers, Protection};
use crate::security::{Fingerprint, Secret};
use crate::settings::{Codec, Srtp, Transport};
use crate::time::Now;

/// What the media threads have told of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Identity {
    pub fingerprint: Fingerprint,
    pub secret: Secret,
}

/// By which transports a leg's descriptions may go, and what is configured for whoever is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    transport: Transport,
    srtp: Srtp,
}

impl Way {
    pub fn new(transport: Transport, srtp: Srtp) -> Way {
        Way { transport, srtp }
    }

    /// Several that are tried one after the other with the same offer: what it says must be fit for each.
    pub fn weakest(transports: impl IntoIterator<Item = Transport>, srtp: Srtp) -> Way {
        let worst = |a, b| if is_private(a) { b } else { a };
        Way { transport: transports.into_iter().reduce(worst).unwrap_or(Transport::Udp), srtp }
    }

    /// Whether keys may stand in descriptions.
    fn takes_keys(self) -> bool {
        match self.srtp {
            Srtp::ByTransport => is_private(self.transport),
            Srtp::Off => false,
            Srtp::Prefer | Srtp::Require => true,
        }
    }

    fn offers(self) -> Offers {
        match (self.transport, self.srtp) {
            // A browser.
            (Transport::Ws | Transport::Wss, _) => Offers::Dtls,
            (_, Srtp::Require) => Offers::Sdes,
            _ if self.takes_keys() => Offers::Opportunistic,
            _ => Offers::Plain,
        }
    }
}

/// Nobody on the way can read what is signalled.
fn is_private(transport: Transport) -> bool {
    matches!(transport, Transport::Tls | Transport::Wss)
}

impl Engine {
    pub(super) fn negotiator(&self, port: MediaPort, leg: LegId, codecs: &[Codec], way: Way) -> Negotiator {
        let public = self.settings.sip.public_address.filter(|public| *public != port.0.ip());
        let mut address = port.0;
        if let Some(public) = public {
            address.set_ip(public);
        }
        let mut codecs = codecs.to_vec();
        if way.offers() == Offers::Dtls && !codecs.contains(&Codec::Opus) {
            // What every browser likes best; behind what is configured, which needs less work where the other side speaks it.
            codecs.push(Codec::Opus);
        }
        let reachable = !port.0.ip().is_unspecified() && port.0.is_ipv4() == address.is_ipv4();
        Negotiator::new(LocalAudio {
            address,
            codecs,
            session_id: leg.0,
            inside: public.filter(|_| reachable).map(|_| port.0),
            protection: self.protection(leg, way),
        })
    }

    fn protection(&self, leg: LegId, way: Way) -> Protection {
        let required = way.srtp == Srtp::Require;
        let Some(Identity { fingerprint, secret }) = self.identity else {
            return Protection { required, ..Protection::NONE };
        };
        Protection {
            offers: way.offers(),
            sdes: way.takes_keys(),
            required,
            fingerprint: Some(fingerprint),
            ice: self.settings.rtp.ice,
            secret: secret.derive("leg", leg.0),
        }
    }

    /// There is no way to a far end any more.
    pub(super) fn leg_lost(&mut self, leg: LegId, why: Loss, now: Now) {
        let reason = match why {
            Loss::Consent => "its browser or phone sends and answers no ICE checks any more",
            Loss::Handshake => "its DTLS handshake came to nothing",
            Loss::Certificate => "its DTLS certificate is not the one of its session description",
        };
        self.leg_died(leg, reason, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_follows_from_transport_and_settings() {
        use Srtp::{ByTransport, Off, Prefer, Require};
        use Transport::{Tcp, Tls, Udp, Ws, Wss};
        for (transport, srtp, offers, keys) in [
            (Udp, ByTransport, Offers::Plain, false),
            (Tcp, ByTransport, Offers::Plain, false),
            (Tls, ByTransport, Offers::Opportunistic, true),
            (Ws, ByTransport, Offers::Dtls, false),
            (Wss, ByTransport, Offers::Dtls, true),
            (Udp, Prefer, Offers::Opportunistic, true),
            (Udp, Require, Offers::Sdes, true),
            (Tls, Off, Offers::Plain, false),
            (Tls, Require, Offers::Sdes, true),
            (Ws, Off, Offers::Dtls, false),
        ] {
            let way = Way::new(transport, srtp);
            assert_eq!((way.offers(), way.takes_keys()), (offers, keys), "{transport:?} {srtp:?}");
        }
    }

    #[test]
    fn an_offer_for_several_ways_is_fit_for_the_weakest() {
        let way = |transports: &[Transport]| Way::weakest(transports.iter().copied(), Srtp::ByTransport).offers();
        assert_eq!(way(&[Transport::Tls, Transport::Tls]), Offers::Opportunistic);
        assert_eq!(way(&[Transport::Tls, Transport::Udp]), Offers::Plain);
        assert_eq!(way(&[Transport::Udp, Transport::Tls]), Offers::Plain);
        assert_eq!(way(&[]), Offers::Plain);
    }
}
