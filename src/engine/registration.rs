//! REGISTER of agents' phones: who proves to be an agent is reachable by the flow the request came by.

use super::Engine;
use crate::ids::AgentId;
use crate::sip::auth::Verdict;
use crate::sip::message::{Method, Request, Uri};
use crate::sip::ua::RequestTicket;
use crate::sip::{Destination, Flow};
use crate::time::Now;

impl Engine {
    /// A request outside any dialog that the user agent leaves to us.
    pub(super) fn single_request(&mut self, ticket: RequestTicket, flow: Flow, request: &Request, now: Now) {
        let response = match request.method {
            Method::Subscribe => return self.subscribed(ticket, flow, request, now),
            Method::Register => self.register(flow, request, now),
            _ => request.response(405.into(), None),
        };
        self.ua.respond(ticket, response, now.instant);
    }

    /// What was sent could not be delivered. A phone that was reached by a connection that is gone is not reached any
    /// more, until it registers by a new one (RFC 5626 §5.3).
    pub(super) fn transport_error(&mut self, to: &Destination, now: Now) {
        self.ua.handle_transport_error(to, now.instant);
        if let Destination::Flow(flow) = to
            && flow.connection.is_some()
        {
            for user in self.registrar.flow_lost(flow) {
                self.acd.set_reachable(&AgentId::from(user), false, now);
            }
        }
    }

    fn register(&mut self, flow: Flow, request: &Request, now: Now) -> crate::sip::message::Response {
        let Uri::Sip(aor) = &request.core.to.uri else { return request.response(404.into(), None) };
        let user = aor.user.clone().unwrap_or_default();
        let password =
            self.settings.agents.iter().find(|agent| agent.id.as_str() == user).and_then(|a| a.password.clone());
        // An unknown user is challenged and refused just as a wrong password is.
        match self.authenticator.verify(request, &user, password.as_deref(), now.instant) {
            Verdict::Accepted => {}
            Verdict::Challenge(headers) => {
                let mut response = request.response(401.into(), None);
                response.headers.extend(headers);
                return response;
            }
            Verdict::Refused => return request.response(403.into(), None),
            Verdict::Misdirected => return request.response(400.into(), None),
        }
        let response = self.registrar.handle(request, flow, &user, now.instant);
        let reachable = self.registrar.bindings(&user).next().is_some();
        self.acd.set_reachable(&AgentId::from(user), reachable, now);
        response
    }
}
