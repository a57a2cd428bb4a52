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

    /// Carries out a REGISTER whose sender has proved to be `user`, for as long as that holds. All of it is done, or none
    /// (§10.3, step 7).
    pub fn handle(
        &mut self,
        request: &Request,
        flow: Flow,
        user: &str,
        until: Option<Instant>,
        now: Instant,
    ) -> Response {
        let refusal = |status: u16| request.response(status.into(), None);
        let most = until.map_or(self.max_expires, |until| until.since(now).min(self.max_expires));
        match self.apply(request, flow, (user, most), now) {
            Ok(()) => self.listing(request, user, now),
            Err(Fault::TooBrief) => {
                let mut response = refusal(423);
                response.headers.push("Min-Expires", self.min_expires.as_secs().to_string());
                response
            }
            Err(Fault::OutOfOrder) => refusal(500),
            Err(Fault::TooMany) => refusal(403),
            Err(Fault::Unreadable) => refusal(400),
        }
    }

    fn apply(
        &mut self,
        request: &Request,
        flow: Flow,
        (user, most): (&str, Duration),
        now: Instant,
    ) -> Result<(), Fault> {
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
                    let wish = self.wish(contact, default, most)?;
                    bind(&mut bindings, wish, flow, (&call_id, cseq), now)?;
                }
            }
        }
        self.store(user, bindings);
        Ok(())
    }

    /// §10.3 step 7: longer wishes are cut, shorter ones refused, zero removes.
    fn wish(&self, contact: &NameAddr, default: Duration, most: Duration) -> Result<Wish, Fault> {
        let asked = contact.params.get("expires").and_then(|expires| expires.parse::<u32>().ok());
        let asked = asked.map_or(default, |seconds| Duration::from_secs(seconds.into()));
        if !asked.is_zero() && asked < self.min_expires {
            return Err(Fault::TooBrief);
        }
        let q = contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        let q = (q.clamp(0.0, 1.0) * 1_000.0) as u16;
        Ok(Wish { contact: contact.uri.clone(), q, expires: asked.min(most) })
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
            response.headers.push("Contact", format!("<{}>;expires={left}", binding.contact));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Transport;
    use crate::sip::message::Message;

    fn registrar() -> Registrar {
        Registrar::new(Duration::from_secs(60), Duration::from_secs(3600))
    }

    fn flow(port: u16) -> Flow {
        let address = |port| ([127, 0, 0, 1], port).into();
        Flow { transport: Transport::Udp, local: address(5060), remote: address(port), connection: None }
    }

    fn at(seconds: u64) -> Instant {
        Instant(0) + Duration::from_secs(seconds)
    }

    fn register(call_id: &str, cseq: u32, headers: &str) -> Request {
        let text = format!(
            "REGISTER sip:relais.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\r\n\
             From: <sip:201@relais.test>;tag=a\r\nTo: <sip:201@relais.test>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    fn status(registrar: &mut Registrar, request: &Request, now: Instant) -> u16 {
        registrar.handle(request, flow(6000), "201", None, now).code()
    }

    #[test]
    fn a_contact_is_kept_with_its_flow_until_it_expires() {
        let mut registrar = registrar();
        let request = register("c", 1, "Contact: <sip:201@127.0.0.1:6000>;expires=120\r\n");
        let response = registrar.handle(&request, flow(6001), "201", None, at(0));
        assert_eq!(response.headers.get("Contact"), Some("<sip:201@127.0.0.1:6000>;expires=120"));
        assert_eq!(registrar.bindings("201").map(|binding| binding.flow).collect::<Vec<_>>(), [flow(6001)]);
        assert!(registrar.handle_timeout(at(119)).is_empty());
        assert_eq!(registrar.poll_timeout(), Some(at(120)));
        assert_eq!(registrar.handle_timeout(at(120)), ["201"]);
        assert_eq!(registrar.bindings("201").count(), 0);
    }

    #[test]
    fn too_short_a_wish_gets_423_and_too_long_a_one_is_cut() {
        let mut registrar = registrar();
        let brief = register("c", 1, "Contact: <sip:201@127.0.0.1>;expires=59\r\n");
        let response = registrar.handle(&brief, flow(6000), "201", None, at(0));
        assert_eq!((response.code(), response.headers.get("Min-Expires")), (423, Some("60")));
        let long = register("c", 2, "Contact: <sip:201@127.0.0.1>\r\nExpires: 999999\r\n");
        let response = registrar.handle(&long, flow(6000), "201", None, at(0));
        assert_eq!(response.headers.get("Contact"), Some("<sip:201@127.0.0.1>;expires=3600"));
    }

    #[test]
    fn zero_removes_one_and_a_star_removes_all() {
        let mut registrar = registrar();
        let two = register("c", 1, "Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>;q=0.5\r\n");
        assert_eq!(status(&mut registrar, &two, at(0)), 200);
        assert_eq!(registrar.bindings("201").count(), 2);
        let one = register("c", 2, "Contact: <sip:a@127.0.0.1>;expires=0\r\n");
        assert_eq!(status(&mut registrar, &one, at(1)), 200);
        assert_eq!(registrar.bindings("201").map(|b| b.q).collect::<Vec<_>>(), [500]);
        let star_only = register("c", 3, "Contact: *\r\n");
        assert_eq!(status(&mut registrar, &star_only, at(1)), 400, "a star needs Expires: 0");
        let star = register("c", 4, "Contact: *\r\nExpires: 0\r\n");
        assert_eq!(status(&mut registrar, &star, at(1)), 200);
        assert_eq!(registrar.bindings("201").count(), 0);
        assert_eq!(registrar.poll_timeout(), None, "no deadline is left over");
    }

    #[test]
    fn an_older_request_of_the_same_call_changes_nothing() {
        let mut registrar = registrar();
        let newer = register("c", 5, "Contact: <sip:a@127.0.0.1>;expires=600\r\n");
        assert_eq!(status(&mut registrar, &newer, at(0)), 200);
        let older = register("c", 4, "Contact: <sip:b@127.0.0.1>, <sip:a@127.0.0.1>;expires=0\r\n");
        assert_eq!(status(&mut registrar, &older, at(1)), 500);
        assert_eq!(registrar.bindings("201").count(), 1, "all of a request is done, or nothing");
        let restarted = register("d", 1, "Contact: <sip:a@127.0.0.1>;expires=0\r\n");
        assert_eq!(status(&mut registrar, &restarted, at(1)), 200, "another Call-ID is a phone that began anew");
        assert_eq!(registrar.bindings("201").count(), 0);
    }

    #[test]
    fn the_best_contact_comes_first_and_their_number_is_bounded() {
        let mut registrar = registrar();
        for n in 0..MOST_CONTACTS as u32 {
            let contact = format!("Contact: <sip:p{n}@127.0.0.1>;q=0.{n}\r\n");
            assert_eq!(status(&mut registrar, &register("c", n + 1, &contact), at(0)), 200);
        }
        let one_more = register("c", 99, "Contact: <sip:more@127.0.0.1>\r\n");
        assert_eq!(status(&mut registrar, &one_more, at(0)), 403);
        let order: Vec<u16> = registrar.bindings("201").map(|binding| binding.q).collect();
        assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
    }

    #[test]
    fn a_connection_that_is_gone_takes_its_bindings_with_it() {
        let mut registrar = registrar();
        let request = register("c", 1, "Contact: <sip:a@127.0.0.1>;expires=600\r\n");
        registrar.handle(&request, flow(6000), "201", None, at(0));
        let request = register("d", 1, "Contact: <sip:b@127.0.0.1>;expires=600\r\n");
        registrar.handle(&request, flow(6001), "201", None, at(0));
        assert!(registrar.flow_lost(&flow(6000)).is_empty(), "another way is left");
        assert_eq!(registrar.flow_lost(&flow(6001)), ["201"]);
        assert_eq!(registrar.bindings("201").count(), 0);
    }

    #[test]
    fn a_query_lists_what_is_there() {
        let mut registrar = registrar();
        let request = register("c", 1, "Contact: <sip:a@127.0.0.1>;expires=600\r\n");
        assert_eq!(status(&mut registrar, &request, at(0)), 200);
        let response = registrar.handle(&register("c", 2, ""), flow(6000), "201", None, at(100));
        assert_eq!(response.headers.get("Contact"), Some("<sip:a@127.0.0.1>;expires=500"));
    }
}
