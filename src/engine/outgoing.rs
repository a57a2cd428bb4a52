//! Calls to the outside through a trunk: which trunk may dial a number, and the leg that does.

use super::Engine;
use crate::bridge::{Latch, MediaCommand};
use crate::call::{Call, Leg, NewLeg};
use crate::callback::Origin;
use crate::ids::{CallId, LegId, TrunkId};
use crate::record::Party;
use crate::sdp::Direction;
use crate::settings::Trunk;
use crate::sip::Destination;
use crate::sip::message::{Headers, Host, NameAddr, SipUri, Uri};
use crate::sip::ua::Invite;
use crate::time::Now;

impl Engine {
    /// The trunks that may dial this number, the preferred one first. A number leaves only where a trunk's `allow` has its
    /// beginning.
    fn trunks_for(&self, number: &str, preferred: Option<&TrunkId>) -> Vec<&Trunk> {
        let numbering = &self.settings.numbering;
        let allows = |trunk: &&Trunk| {
            trunk.allow.iter().filter_map(|allow| numbering.normalise(allow)).any(|allow| number.starts_with(&allow))
        };
        let mut trunks: Vec<&Trunk> = self.settings.trunks.iter().filter(allows).collect();
        trunks.sort_by_key(|trunk| Some(&trunk.id) != preferred);
        trunks
    }

    /// Whether the number can be dialled, if not at this moment.
    pub(super) fn may_dial(&self, number: &str, preferred: Option<&TrunkId>, origin: Option<Origin>) -> bool {
        let back = |trunk: &&Trunk| origin.is_some() && Some(&trunk.id) == preferred;
        self.trunks_for(number, preferred).iter().any(|trunk| !trunk.servers.is_empty() || back(trunk))
    }

    /// The first trunk that is up, and where its calls go. A trunk without servers sends them back where the caller's own
    /// call came from.
    fn way_to(
        &self,
        number: &str,
        preferred: Option<&TrunkId>,
        origin: Option<Origin>,
    ) -> Option<(Trunk, Destination)> {
        self.trunks_for(number, preferred).into_iter().find_map(|trunk| {
            let back = origin.filter(|_| trunk.servers.is_empty() && Some(&trunk.id) == preferred);
            let back = back.map(|origin| Destination::Address { transport: origin.transport, address: origin.address });
            Some((trunk.clone(), self.trunks.way_out(&trunk.id).map(|(_, to)| to).or(back)?))
        })
    }

    /// A call that we begin: it stands among the others before its first leg.
    pub(super) fn begin_outgoing(&mut self, call: Call, _now: Now) {
        let id = call.id;
        let plans = self.plans.clone();
        self.calls.insert(id, super::Live { call, run: None, plans, shown: None, written: super::Written::default() });
        self.changed.insert(id);
        self.unwritten.insert(id);
    }

    /// Rings the outside for a call, whose caller's leg it becomes. `None`: no trunk or no port.
    pub(super) fn dial_out(
        &mut self,
        id: CallId,
        number: &str,
        preferred: Option<&TrunkId>,
        origin: Option<Origin>,
        now: Now,
    ) -> Option<LegId> {
        let (trunk, to) = self.way_to(number, preferred, origin)?;
        let shown = self.calls.get(&id)?.call.to.clone();
        let port = self.ports.pop_front()?;
        let leg_id = self.next_leg_id();
        let mut negotiator = self.negotiator(port, leg_id, &trunk.codecs);
        let sdp = negotiator.offer(Direction::BOTH);
        let request_uri = uri_at(number, &to);
        let invite = Invite {
            to,
            to_header: NameAddr { display: None, uri: request_uri.clone(), params: Default::default() },
            request_uri,
            from: self.own_address(&shown),
            headers: Headers::default(),
            sdp: Some(sdp),
            credentials: trunk.register.clone(),
        };
        let session = self.ua.invite(invite, now.instant);
        let leg = Leg::new(NewLeg {
            id: leg_id,
            role: Party::Caller,
            agent: None,
            address: number.to_owned(),
            session,
            port,
            negotiator,
            latch: Latch::Address(super::trunks::address_of(&to)),
        });
        self.media(MediaCommand::Open { leg: leg_id, call: id, port });
        self.sessions.insert(session, (id, leg_id));
        self.legs.insert(leg_id, id);
        let live = self.live(id)?;
        live.call.trunk = Some(trunk.id);
        live.call.caller = leg_id;
        live.call.legs.insert(leg_id, leg);
        Some(leg_id)
    }
}

/// `sip:+33155501234@192.0.2.1:5060`.
fn uri_at(number: &str, to: &Destination) -> Uri {
    let (address, transport) = match to {
        Destination::Flow(flow) => (flow.remote, flow.transport),
        Destination::Address { transport, address } => (*address, *transport),
    };
    let mut uri = SipUri {
        secure: false,
        user: Some(number.to_owned()),
        password: None,
        host: Host::Address(address.ip()),
        port: Some(address.port()),
        params: Default::default(),
        headers: None,
    };
    if transport.is_reliable() {
        uri.params.set("transport", Some(transport.name().to_owned()));
    }
    Uri::Sip(uri)
}
