//! The state two user agents share for a while (RFC 3261 §12): sequence numbers, route set, remote target, and the path
//! requests take.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::{CSeq, Core, Headers, Host, Method, NameAddr, Request, Uri};
use super::{Destination, Flow, Transport};

/// RFC 3261 §8.1.1.6: the recommended start of Max-Forwards.
const MAX_FORWARDS: u8 = 70;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dialog {
    pub call_id: Arc<str>,
    /// Ourselves, with our tag.
    pub local: NameAddr,
    /// The peer; without a tag where it speaks RFC 2543.
    pub remote: NameAddr,
    pub local_cseq: u32,
    /// Empty until the peer sends a request.
    pub remote_cseq: Option<u32>,
    /// The peer's Contact.
    pub target: Uri,
    /// First hop first.
    pub routes: Vec<NameAddr>,
    /// Where the peer was last heard, or where the first request went.
    pub path: Destination,
}

impl Dialog {
    /// §12.1.1: as the UAS, from a request that may open a dialog; `local` carries our new tag.
    pub fn from_request(request: &Request, local: NameAddr, flow: Flow) -> Self {
        let core = &request.core;
        Dialog {
            call_id: core.call_id.clone(),
            local,
            remote: core.from.clone(),
            local_cseq: 0,
            remote_cseq: Some(core.cseq.number),
            target: request.headers.contact().map_or_else(|| core.from.uri.clone(), |contact| contact.uri),
            // "The route set MUST be set to the list of URIs in the Record-Route header field from the request, taken in
            // order and preserving all URI parameters."
            routes: request.headers.record_route(),
            path: Destination::Flow(flow),
        }
    }

    /// §12.1.2: as the UAC, what a response makes of the request we sent.
    pub fn from_response(response: &super::message::Response, request_uri: &Uri, cseq: u32, flow: Flow) -> Self {
        let core = &response.core;
        // "The route set MUST be set to the list of URIs in the Record-Route header field from the response, taken in
        // reverse order and preserving all URI parameters."
        let mut routes = response.headers.record_route();
        routes.reverse();
        Dialog {
            call_id: core.call_id.clone(),
            local: core.from.clone(),
            remote: core.to.clone(),
            local_cseq: cseq,
            remote_cseq: None,
            target: response.headers.contact().map_or_else(|| request_uri.clone(), |contact| contact.uri),
            routes,
            path: Destination::Flow(flow),
        }
    }

    pub fn remote_tag(&self) -> Option<&str> {
        self.remote.tag()
    }

    /// §12.2.2: whether a request of the peer (no ACK, no CANCEL) comes in order. "If the remote sequence number is not
    /// empty, but the sequence number of the request is lower than the remote sequence number, the request is out of
    /// order and MUST be rejected with a 500 (Server Internal Error) response."
    pub fn takes(&mut self, cseq: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| cseq < last) {
            return false;
        }
        self.remote_cseq = Some(cseq);
        true
    }

    /// §12.2: a target refresh request or its 2xx "replaces the dialog's remote target URI with the URI from the Contact
    /// header field, if present".
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(contact) = headers.contact() {
            self.target = contact.uri;
        }
    }

    /// §12.2.1.1: a new request in the dialog; "requests within a dialog MUST contain strictly monotonically increasing
    /// and contiguous CSeq sequence numbers (increasing-by-one) in each direction". Via is for the sender to add.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.request_numbered(method, self.local_cseq)
    }

    /// The ACK to a 2xx of the INVITE `cseq` (§13.2.2.4: "the sequence number of the CSeq header field MUST be the same
    /// as the INVITE being acknowledged").
    pub fn ack(&self, cseq: u32) -> Request {
        self.request_numbered(Method::Ack, cseq)
    }

    fn request_numbered(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = self.routing();
        let mut headers = Headers::default();
        for route in &routes {
            headers.push("Route", route.to_string());
        }
        let core = Core {
            via: Vec::new(),
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq: CSeq { number, method },
        };
        Request { method, uri, core, max_forwards: Some(MAX_FORWARDS), headers, body: Bytes::new() }
    }

    /// §12.2.1.1: Request-URI and Route. "If the route set is not empty, and the first URI in the route set contains the
    /// lr parameter, the UAC MUST place the remote target URI into the Request-URI and MUST include a Route header field
    /// containing the route set values in order. If […] its first URI does not contain the lr parameter, the UAC MUST
    /// place the first URI from the route set into the Request-URI […] MUST add a Route header field containing the
    /// remainder of the route set values in order […] and MUST then place the remote target URI into the Route header
    /// field as the last value."
    fn routing(&self) -> (Uri, Vec<NameAddr>) {
        match self.routes.split_first() {
            None => (self.target.clone(), Vec::new()),
            Some((first, _)) if is_loose(&first.uri) => (self.target.clone(), self.routes.clone()),
            Some((first, rest)) => {
                let mut routes = rest.to_vec();
                routes.push(NameAddr { display: None, uri: self.target.clone(), params: Default::default() });
                (without_forbidden_parts(&first.uri), routes)
            }
        }
    }

    /// The address in the first route or the remote target, where it is one.
    pub fn hop(&self) -> Option<Destination> {
        let Uri::Sip(uri) = self.routes.first().map_or(&self.target, |route| &route.uri) else { return None };
        let Host::Address(ip) = uri.host else { return None };
        let transport = uri.transport().unwrap_or(Transport::Udp);
        let address = SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port()));
        (!ip.is_unspecified() && address.port() != 0).then_some(Destination::Address { transport, address })
    }

    /// Where a request of ours goes. By rule to the address in the first route or the remote target; but by the path
    /// the peer was last heard on where that cannot be reached: a name (`.invalid` too, RFC 7118 §5), a stream that is
    /// open, or an address behind a NAT.
    pub fn destination(&self) -> Destination {
        let Some(hop @ Destination::Address { transport, address }) = self.hop() else { return self.path };
        let Destination::Flow(flow) = self.path else { return hop };
        let (here, there) = (address.ip(), flow.remote.ip());
        let behind_nat = here != there && is_private(here) && !is_private(there);
        if flow.connection.is_some() || behind_nat {
            self.path
        } else if transport == flow.transport && address.is_ipv4() == flow.local.is_ipv4() {
            Destination::Flow(Flow { remote: address, ..flow })
        } else {
            hop
        }
    }
}

fn is_loose(uri: &Uri) -> bool {
    match uri {
        Uri::Sip(uri) => uri.params.contains("lr"),
        Uri::Tel { .. } | Uri::Other(_) => true,
    }
}

/// §19.1.1, table 1: the method parameter and headers are not allowed in a Request-URI.
fn without_forbidden_parts(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    if let Uri::Sip(sip) = &mut uri {
        sip.headers = None;
        sip.params.0.retain(|(name, _)| !name.eq_ignore_ascii_case("method"));
    }
    uri
}

/// Addresses that cannot be reached from the open network.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
