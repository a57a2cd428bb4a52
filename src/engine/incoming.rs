//! A new INVITE: who sends it, what it may reach, and whether there is room for it.

use super::calls::NewCall;
use super::{Engine, LogLevel};
use crate::ids::{AgentId, ExpertId, PlanId, SessionId, TrunkId};
use crate::sip::Flow;
use crate::sip::auth::Verdict;
use crate::sip::message::{Headers, Request, Uri};
use crate::time::Now;

/// RFC 3261 §8.1.1.6: what a peer that does not count is taken to have begun with.
const MAX_FORWARDS: u8 = 70;

/// Who a call comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Trunk(TrunkId),
    /// An agent's phone that has proved who it is.
    Agent(AgentId),
}

/// What was dialled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Dialled {
    Plan(PlanId),
    /// Only agents reach each other directly.
    Agent(AgentId),
    /// And experts.
    Expert(ExpertId),
}

/// Why an INVITE is turned away.
#[derive(Debug, Default)]
struct Refusal {
    status: u16,
    headers: Headers,
}

impl Refusal {
    fn status(status: u16) -> Refusal {
        Refusal { status, headers: Headers::default() }
    }

    /// RFC 3261 §21.5.4: come again later.
    fn later() -> Refusal {
        let mut headers = Headers::default();
        headers.push("Retry-After", "10");
        Refusal { status: 503, headers }
    }
}

impl Engine {
    pub(super) fn incoming(&mut self, session: SessionId, flow: Flow, request: &Request, now: Now) {
        if let Err(refusal) = self.admit(session, flow, request, now) {
            self.ua.reject(session, refusal.status, None, refusal.headers, now.instant);
        }
    }

    fn admit(&mut self, session: SessionId, flow: Flow, request: &Request, now: Now) -> Result<(), Refusal> {
        let source = self.identify(flow, request, now)?;
        if self.draining {
            return Err(Refusal::later());
        }
        if let Some(replaces) = request.headers.get("Replaces") {
            let Source::Agent(agent) = &source else { return Err(Refusal::status(403)) };
            return self.replace_leg(session, flow, request, replaces, agent, now).map_err(Refusal::status);
        }
        let number = dialled_number(&request.uri).ok_or(Refusal::status(404))?;
        let dialled = self.route(&source, &number).ok_or(Refusal::status(404))?;
        if self.calls.len() >= self.settings.sip.max_calls {
            self.log(LogLevel::Warn, format!("call to {number} refused: max_calls is reached; raise sip.max_calls"));
            return Err(Refusal::later());
        }
        let from = caller_number(&request.core.from.uri);
        let call = NewCall {
            session,
            flow,
            source,
            dialled,
            from,
            to: number,
            headers: request.headers.clone(),
            sdp: request.body.clone(),
            max_forwards: request.max_forwards.unwrap_or(MAX_FORWARDS),
        };
        self.begin_call(call, now)
            .map_err(|status| if status == 503 { Refusal::later() } else { Refusal::status(status) })
    }

    /// An INVITE whose From is an agent's is challenged whatever its source; other calls come from a trunk's addresses;
    /// a stranger gets the same 403 whatever it asks for.
    fn identify(&mut self, flow: Flow, request: &Request, now: Now) -> Result<Source, Refusal> {
        let user = sip_user(&request.core.from.uri);
        let by_page = flow.transport.is_web_socket();
        let mut agents = self.settings.agents.iter().filter(|agent| agent.password.is_some() || by_page);
        if let Some(agent) = agents.find(|agent| user == Some(agent.id.as_str())) {
            let id = agent.id.clone();
            return match self.prove(request, id.as_str(), now) {
                Verdict::Accepted => Ok(Source::Agent(id)),
                Verdict::Challenge(headers) => Err(Refusal { status: 401, headers }),
                Verdict::Refused => Err(Refusal::status(403)),
                Verdict::Misdirected => Err(Refusal::status(400)),
            };
        }
        // A trunk is a telephone company's, known by its address: no page that a browser there has open.
        if by_page {
            return Err(Refusal::status(403));
        }
        let remote = flow.remote.ip();
        let trunk = self.settings.trunks.iter().find(|trunk| trunk.addresses.iter().any(|net| net.contains(&remote)));
        let trunk = trunk.map(|trunk| &trunk.id).or_else(|| self.trunks.at(remote));
        trunk.map(|trunk| Source::Trunk(trunk.clone())).ok_or(Refusal::status(403))
    }

    fn route(&self, source: &Source, number: &str) -> Option<Dialled> {
        match source {
            Source::Trunk(id) => {
                let trunk = self.settings.trunks.iter().find(|trunk| trunk.id == *id)?;
                self.plans.find(number, &trunk.plans).map(Dialled::Plan)
            }
            Source::Agent(caller) => {
                let agent =
                    self.settings.agents.iter().find(|agent| agent.id.as_str() == number && agent.id != *caller);
                let expert = self.settings.experts.iter().find(|expert| expert.id.as_str() == number);
                match (agent, expert) {
                    (Some(agent), _) => Some(Dialled::Agent(agent.id.clone())),
                    (None, Some(expert)) => Some(Dialled::Expert(expert.id.clone())),
                    (None, None) => self.plans.find(number, &[]).map(Dialled::Plan),
                }
            }
        }
    }
}

fn sip_user(uri: &Uri) -> Option<&str> {
    match uri {
        Uri::Sip(uri) => uri.user.as_deref(),
        _ => None,
    }
}

/// The number in a request-URI: the user part, or a `tel:` number without visual separators (RFC 3966 §3).
fn dialled_number(uri: &Uri) -> Option<String> {
    match uri {
        Uri::Sip(uri) => uri.user.as_deref().map(|user| user.split(';').next().unwrap_or(user).to_owned()),
        Uri::Tel { number, .. } => Some(number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect()),
        Uri::Other(_) => None,
    }
}

/// The caller as records show them: the number, or the whole URI where it has no user part.
fn caller_number(uri: &Uri) -> String {
    dialled_number(uri).unwrap_or_else(|| uri.to_string())
}
