//! The registrar (RFC 3261 §10.3): where each user can be reached, and by which flow (RFC 5626).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Flow;
use super::message::{Contacts, NameAddr, Request, Response, Uri};
use crate::time::{Deadlines, Instant};

/// Bindings a user may have; one more is refused.
const MOST_CONTACTS: usize = 10;

/// One way to a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    pub contact: Uri,
    pub flow: Flow,
    /// Thousandths; 1,000 unless the contact says otherwise (RFC 3261 §20.10).
    pub q: u16,
    pub expires_at: Instant,
    call_id: String,
    cseq: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registrar {
    min_expires: Duration,
    max_expires: Duration,
    users: BTreeMap<String, Vec<Binding>>,
    /// When the first binding of a user expires.
    deadlines: Deadlines<String>,
}

/// What a REGISTER asks of one contact.
struct Wish {
    contact: Uri,
    q: u16,
    expires: Duration,
}

impl Registrar {
    pub fn new(min_expires: Duration, max_expires: Duration) -> Registrar {
        Registrar { min_expires, max_expires, users: BTreeMap::new(), deadlines: Deadlines::default() }
    }

    /// Carries out a REGISTER whose sender has proved to be `user`. All of it is done, or none (§10.3, step 7).
    pub fn handle(&mut self, request: &Request, flow: Flow, user: &str, now: Instant) -> Response {
        let refusal = |status: u16| request.response(status.into(), None);
        match self.apply(request, flow, user, now) {
            Ok(()) => self.listing(request, user, now),
            Err(Fault::TooBrief) => {
                let mut response = refusal(423);
                response.headers.push("Min-Expires", &self.min_expires.as_secs().to_string());
                response
            }
            Err(Fault::OutOfOrder) => refusal(500),
            Err(Fault::TooMany) => refusal(403),
            Err(Fault::Unreadable) => refusal(400),
        }
    }

    fn apply(&mut self, request: &Request, flow: Flow, user: &str, now: Instant) -> Result<(), Fault> {
        let contacts = request.headers.contacts().map_err(|_| Fault::Unreadable)?;
        let default = request.headers.expires().map_or(self.max_expires, |s| Duration::from_secs(s.into()));
        let (call_id, cseq) = (request.core.call_id.to_string(), request.core.cseq.number);
        let mut bindings = self.users.get(user).cloned().unwrap_or_default();
        bindings.retain(|binding| binding.expires_at > now);
        match contacts {
            Contacts::All => {
                // §10.2.2: `*` goes with an expiry of zero only.
                if request.headers.expires() != Some(0) {
                    return Err(Fault::Unreadable);
                }
                if bindings.iter().any(|known| known.call_id == call_id && known.cseq >= cseq) {
                    return Err(Fault::OutOfOrder);
                }
                bindings.clear();
            }
            Contacts::List(list) => {
                for contact in &list {
                    let wish = self.wish(contact, default)?;
                    bind(&mut bindings, wish, flow, (&call_id, cseq), now)?;
                }
            }
        }
        self.store(user, bindings);
        Ok(())
    }

    /// §10.3 step 7: longer wishes are cut, shorter ones refused, zero removes.
    fn wish(&self, contact: &NameAddr, default: Duration) -> Result<Wish, Fault> {
        let asked = contact.params.get("expires").and_then(|expires| expires.parse::<u32>().ok());
        let asked = asked.map_or(default, |seconds| Duration::from_secs(seconds.into()));
        if !asked.is_zero() && asked < self.min_expires {
            return Err(Fault::TooBrief);
        }
        let q = contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        let q = (q.clamp(0.0, 1.0) * 1_000.0) as u16;
        Ok(Wish { contact: contact.uri.clone(), q, expires: asked.min(self.max_expires) })
    }

    fn store(&mut self, user: &str, mut bindings: Vec<Binding>) {
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        match bindings.iter().map(|binding| binding.expires_at).min() {
            Some(first) => {
                self.deadlines.set(user.to_owned(), first);
                self.users.insert(user.to_owned(), bindings);
            }
            None => {
                self.deadlines.clear(&user.to_owned());
                self.users.remove(user);
            }
        }
    }

    /// 200 with every current binding and the time it has left (§10.3, step 8).
    fn listing(&self, request: &Request, user: &str, now: Instant) -> Response {
        let mut response = request.response(200.into(), None);
        for binding in self.bindings(user) {
            let left = binding.expires_at.since(now).as_secs();
            response.headers.push("Contact", &format!("<{}>;expires={left}", binding.contact));
        }
        response
    }

    /// Best first.
    pub fn bindings(&self, user: &str) -> impl Iterator<Item = &Binding> {
        self.users.get(user).into_iter().flatten()
    }

    /// Removes what came by a connection that is gone; the users who cannot be reached any more.
    pub fn flow_lost(&mut self, flow: &Flow) -> Vec<String> {
        let affected: Vec<String> = self
            .users
            .iter()
            .filter(|(_, list)| list.iter().any(|b| b.flow == *flow))
            .map(|(user, _)| user.clone())
            .collect();
        for user in &affected {
            let left = self.users.get(user).into_iter().flatten().filter(|b| b.flow != *flow).cloned().collect();
            self.store(user, left);
        }
        affected.into_iter().filter(|user| !self.users.contains_key(user)).collect()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Forgets what has expired; the users whose last binding that was.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<String> {
        let mut gone = Vec::new();
        while let Some(user) = self.deadlines.expire(now) {
            let mut left = self.users.remove(&user).unwrap_or_default();
            left.retain(|binding| binding.expires_at > now);
            if left.is_empty() {
                gone.push(user);
            } else {
                self.store(&user, left);
            }
        }
        gone
    }
}

enum Fault {
    TooBrief,
    /// §10.3: the same Call-ID with a CSeq that is not higher.
    OutOfOrder,
    TooMany,
    Unreadable,
}

/// Updates, adds or removes one binding.
fn bind(bindings: &mut Vec<Binding>, wish: Wish, flow: Flow, order: (&str, u32), now: Instant) -> Result<(), Fault> {
    let (call_id, cseq) = order;
    let known = bindings.iter().position(|binding| binding.contact == wish.contact);
    if let Some(binding) = known.and_then(|at| bindings.get(at))
        && binding.call_id == call_id
        && binding.cseq >= cseq
    {
        return Err(Fault::OutOfOrder);
    }
    if let Some(at) = known {
        bindings.remove(at);
    }
    if wish.expires.is_zero() {
        return Ok(());
    }
    if bindings.len() >= MOST_CONTACTS {
        return Err(Fault::TooMany);
    }
    bindings.push(Binding {
        contact: wish.contact,
        flow,
        q: wish.q,
        expires_at: now + wish.expires,
        call_id: call_id.to_owned(),
        cseq,
    });
    Ok(())
}
