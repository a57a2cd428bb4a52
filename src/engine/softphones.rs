//! Softphones of pages: an agent who is logged in there is lent a name and a password of a few minutes for SIP, so that the
//! page never has the agent's own. It is lent anew as long as the session lasts, and ends with it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::refusal;
use super::{Engine, Timer};
use crate::ids::AgentId;
use crate::sip::Flow;
use crate::sip::auth::Verdict;
use crate::sip::message::Request;
use crate::time::{Instant, Now};
use crate::views::{ApiError, PhoneLoan};

/// More than have a page open at once.
const MOST: usize = 10_000;

/// What one session was lent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Loan {
    agent: AgentId,
    password: String,
    until: Instant,
    /// The connections by which its phone has registered.
    flows: BTreeSet<Flow>,
}

impl Engine {
    /// Lends, or lends for longer.
    pub(super) fn lend_phone(&mut self, loan: PhoneLoan, now: Now) -> Result<Value, ApiError> {
        let PhoneLoan { agent, user, password, lasts } = loan;
        let Some(known) = self.settings.agents.iter().find(|known| known.id == agent) else {
            return Err(refusal(404, "unknown_agent", format!("there is no agent {agent}")));
        };
        if known.contact.is_some() {
            let message = format!("the phone of agent {agent} stands at a fixed address; calls go there");
            return Err(refusal(409, "fixed_phone", message));
        }
        if self.loans.len() >= MOST && !self.loans.contains_key(&user) {
            return Err(refusal(429, "full", format!("{MOST} softphones are in use; close one")));
        }
        let until = now.instant + lasts;
        let flows = self.loans.remove(&user).map(|before| before.flows).unwrap_or_default();
        self.loans.insert(user.clone(), Loan { agent: agent.clone(), password, until, flows });
        self.timers.set(Timer::Loan(user.clone()), until);
        Ok(json!({ "address": self.own_address(agent.as_str()).uri.to_string(), "user": user }))
    }

    /// The session is over, or the time is: the phone is not reached any more. A call that it is on goes on.
    pub(super) fn take_phone_back(&mut self, user: &str, now: Now) {
        self.timers.clear(&Timer::Loan(user.to_owned()));
        let Some(loan) = self.loans.remove(user) else { return };
        for flow in &loan.flows {
            self.unregister(flow, now);
        }
    }

    /// Judges a request that claims to come from agent `user`, by their own password or one that a page was lent.
    pub(super) fn prove(&mut self, request: &Request, user: &str, now: Now) -> Verdict {
        if let Some(name) = self.loan_of(request, user) {
            let password = self.loans.get(&name).map(|loan| loan.password.clone());
            return self.authenticator.verify(request, &name, password.as_deref(), now.instant);
        }
        let agent = self.settings.agents.iter().find(|agent| agent.id.as_str() == user);
        let password = agent.and_then(|agent| agent.password.clone());
        self.authenticator.verify(request, user, password.as_deref(), now.instant)
    }

    /// By what was lent to a page of this agent the request wants to prove itself, if so.
    pub(super) fn loan_of(&self, request: &Request, user: &str) -> Option<String> {
        let name = self.authenticator.claimed(request)?;
        self.loans.get(&name).is_some_and(|loan| loan.agent.as_str() == user).then_some(name)
    }

    /// Until when a phone with this name may be registered; it is, by `flow`.
    pub(super) fn loan_used(&mut self, name: &str, flow: Flow) -> Option<Instant> {
        let loan = self.loans.get_mut(name)?;
        loan.flows.insert(flow);
        Some(loan.until)
    }

    pub(super) fn loan_flow_lost(&mut self, flow: &Flow) {
        for loan in self.loans.values_mut() {
            loan.flows.remove(flow);
        }
    }
}
