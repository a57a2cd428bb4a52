//! REGISTER of agents' phones: who proves to be an agent is reachable by the flow the request came by.

use super::Engine;
use crate::ids::AgentId;
use crate::sip::auth::Verdict;
use crate::sip::message::{Contacts, Method, Request, Response, Uri};
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
            self.went_astray(flow);
            self.loan_flow_lost(flow);
            self.unregister(flow, now);
        }
    }

    /// Nobody is reached by this connection any more.
    pub(super) fn unregister(&mut self, flow: &Flow, now: Now) {
        for user in self.registrar.flow_lost(flow) {
            self.acd.set_reachable(&AgentId::from(user), false, now);
        }
    }

    fn register(&mut self, flow: Flow, request: &Request, now: Now) -> Response {
        let Uri::Sip(aor) = &request.core.to.uri else { return request.response(404.into(), None) };
        let user = aor.user.clone().unwrap_or_default();
        // An unknown user is challenged and refused just as a wrong password is.
        match self.prove(request, &user, now) {
            Verdict::Accepted => {}
            Verdict::Challenge(headers) => {
                let mut response = request.response(401.into(), None);
                response.headers.extend(headers);
                return response;
            }
            Verdict::Refused => return request.response(403.into(), None),
            Verdict::Misdirected => return request.response(400.into(), None),
        }
        let loan = self.loan_of(request, &user);
        let until = loan.and_then(|name| self.loan_used(&name, flow));
        let response = self.registrar.handle(request, flow, &user, until, now.instant);
        let reachable = self.registrar.bindings(&user).next().is_some();
        if let Ok(Contacts::List(contacts)) = request.headers.contacts() {
            contacts.iter().for_each(|contact| self.came_back(&user, &contact.uri, flow, now));
        }
        self.acd.set_reachable(&AgentId::from(user), reachable, now);
        response
    }
}
