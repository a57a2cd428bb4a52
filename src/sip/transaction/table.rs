//! The transactions that are alive, found by the messages that belong to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::client_invite::ClientInvite;
use super::client_non_invite::ClientNonInvite;
use super::server_invite::ServerInvite;
use super::server_non_invite::ServerNonInvite;
use super::{Actions, Step, Timer, Timing, TransactionId, key};
use crate::sip::message::{Method, Request, Response};
use crate::sip::{Destination, Transmit};
use crate::time::{Deadlines, Instant};

/// `C` and `S` say whose a client or a server transaction is; the table only keeps them.
#[derive(Serialize, Deserialize)]
pub struct Transactions<C, S> {
    timing: Timing,
    last: u64,
    clients: BTreeMap<TransactionId, Client<C>>,
    servers: BTreeMap<TransactionId, Server<S>>,
    client_keys: HashMap<String, TransactionId>,
    server_keys: HashMap<String, TransactionId>,
    merge_keys: HashMap<String, TransactionId>,
    /// The clients that send to one place, for when it is found to be dead.
    #[serde(with = "pairs")]
    destinations: HashMap<Destination, BTreeSet<TransactionId>>,
    deadlines: Deadlines<(TransactionId, Timer)>,
    outbox: VecDeque<Transmit>,
    closed: VecDeque<Closed<C>>,
}

#[derive(Serialize, Deserialize)]
struct Client<C> {
    key: String,
    machine: ClientMachine,
    owner: C,
}

#[derive(Serialize, Deserialize)]
enum ClientMachine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

#[derive(Serialize, Deserialize)]
struct Server<S> {
    key: String,
    merge_key: Option<String>,
    machine: ServerMachine,
    owner: S,
}

#[derive(Serialize, Deserialize)]
enum ServerMachine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

/// A client transaction is over. Each one says so exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed<C> {
    pub id: TransactionId,
    pub owner: C,
    pub why: Why,
    /// The request, for another try elsewhere.
    pub request: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// A final response was had and the time for its repetitions is past.
    Done,
    /// RFC 3261 §8.1.3.1: a time-out counts as a 408.
    Timeout,
    /// RFC 3261 §8.1.3.1: a fatal transport error counts as a 503.
    TransportError,
    /// RFC 3261 §9.1: given up after a CANCEL that brought nothing.
    Abandoned,
}

/// What a request is to the server transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A retransmission, or the ACK to a refusal: it has been dealt with.
    Absorbed,
    /// An ACK that belongs to an INVITE answered 2xx.
    Ack,
    /// RFC 3261 §8.2.2.2: a second copy by another path, to be answered 482.
    Merged,
    New,
}

impl<C, S> Transactions<C, S> {
    pub fn new(timing: Timing) -> Self {
        Transactions {
            timing,
            last: 0,
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            client_keys: HashMap::new(),
            server_keys: HashMap::new(),
            merge_keys: HashMap::new(),
            destinations: HashMap::new(),
            deadlines: Deadlines::default(),
            outbox: VecDeque::new(),
            closed: VecDeque::new(),
        }
    }

    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Transactions alive, and timers set.
    pub fn counts(&self) -> (usize, usize) {
        (self.clients.len() + self.servers.len(), self.deadlines.len())
    }

    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    pub fn poll_closed(&mut self) -> Option<Closed<C>> {
        self.closed.pop_front()
    }

    /// Sends without a transaction: the ACK to a 2xx, a 2xx again, a stateless refusal.
    pub fn send(&mut self, to: Destination, bytes: Bytes) {
        self.outbox.push_back(Transmit { to, bytes });
    }

    /// Starts a client transaction; `branch` is that of the request's top Via and used by no other transaction.
    pub fn request(
        &mut self,
        method: Method,
        branch: &str,
        to: Destination,
        bytes: Bytes,
        owner: C,
        now: Instant,
    ) -> TransactionId {
        let id = self.next_id();
        let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
        let machine = match method {
            Method::Invite => ClientMachine::Invite(ClientInvite::start(to, bytes, actions)),
            _ => ClientMachine::NonInvite(ClientNonInvite::start(to, bytes, actions)),
        };
        let key = key::client(branch, method);
        self.client_keys.insert(key.clone(), id);
        self.destinations.entry(to).or_default().insert(id);
        self.clients.insert(id, Client { key, machine, owner });
        id
    }

    /// The transaction whose user is to see this response; `None` when it is a repetition or belongs to nothing.
    /// `ack` makes the ACK to a refused INVITE from the INVITE's bytes.
    pub fn receive_response(
        &mut self,
        response: &Response,
        ack: impl FnOnce(&Bytes) -> Option<Bytes>,
        now: Instant,
    ) -> Option<TransactionId> {
        let id = *self.client_keys.get(&key::of_response(response)?)?;
        let client = self.clients.get_mut(&id)?;
        let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
        let status = response.status.code();
        let step = match &mut client.machine {
            ClientMachine::Invite(machine) if response.core.cseq.method == Method::Invite => {
                let request = machine.request.clone();
                machine.receive(status, || ack(&request), actions)
            }
            ClientMachine::NonInvite(machine) if response.core.cseq.method != Method::Invite => {
                machine.receive(status, actions)
            }
            _ => Step::QUIET,
        };
        step.pass_up.then_some(id)
    }

    pub fn owner(&self, id: TransactionId) -> Option<&C> {
        self.clients.get(&id).map(|client| &client.owner)
    }

    /// The request as it was sent, and where to.
    pub fn sent(&self, id: TransactionId) -> Option<(Destination, Bytes)> {
        self.clients.get(&id).map(|client| match &client.machine {
            ClientMachine::Invite(machine) => (machine.to, machine.request.clone()),
            ClientMachine::NonInvite(machine) => (machine.to, machine.request.clone()),
        })
    }

    /// Ends a client INVITE transaction that has no final response (RFC 3261 §9.1).
    pub fn abandon(&mut self, id: TransactionId) {
        let unanswered = self.clients.get(&id).is_some_and(|client| match &client.machine {
            ClientMachine::Invite(machine) => !machine.is_final(),
            ClientMachine::NonInvite(_) => false,
        });
        if unanswered {
            self.close_client(id, Why::Abandoned);
        }
    }

    /// What was sent to `to` does not arrive: its client transactions fail. Server transactions live on; their
    /// retransmissions may find a way (RFC 3261 §17.2.4 lets the user decide, and ours waits for its own timers).
    pub fn fail(&mut self, to: &Destination) {
        for id in self.destinations.get(to).cloned().unwrap_or_default() {
            let waiting = self.clients.get(&id).is_some_and(|client| match &client.machine {
                ClientMachine::Invite(machine) => machine.state != super::client_invite::State::Accepted,
                ClientMachine::NonInvite(machine) => machine.state != super::client_non_invite::State::Completed,
            });
            if waiting {
                let answered = self.clients.get(&id).is_some_and(|client| match &client.machine {
                    ClientMachine::Invite(machine) => machine.is_final(),
                    ClientMachine::NonInvite(_) => false,
                });
                self.close_client(id, if answered { Why::Done } else { Why::TransportError });
            }
        }
    }

    /// Matches a request with the server transactions.
    pub fn receive_request(&mut self, request: &Request, now: Instant) -> Received {
        let found = self.server_keys.get(&key::of_request(request, request.method)).copied();
        let Some((id, server)) = found.and_then(|id| self.servers.get_mut(&id).map(|server| (id, server))) else {
            let merged = request.method != Method::Ack
                && key::merge(&request.core).is_some_and(|merge| self.merge_keys.contains_key(&merge));
            return if merged { Received::Merged } else { Received::New };
        };
        let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
        match &mut server.machine {
            ServerMachine::Invite(machine) if request.method == Method::Ack => {
                let step = machine.receive_ack(actions);
                if step.terminated {
                    self.close_server(id);
                }
                if step.pass_up { Received::Ack } else { Received::Absorbed }
            }
            ServerMachine::Invite(machine) => {
                machine.receive_again(actions);
                Received::Absorbed
            }
            ServerMachine::NonInvite(machine) => {
                machine.receive_again(actions);
                Received::Absorbed
            }
        }
    }

    /// Starts a server transaction for a request that is `New`.
    pub fn serve(&mut self, request: &Request, to: Destination, owner: S, now: Instant) -> TransactionId {
        let id = self.next_id();
        let machine = match request.method {
            Method::Invite => {
                let actions = actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
                ServerMachine::Invite(ServerInvite::start(to, &actions))
            }
            _ => ServerMachine::NonInvite(ServerNonInvite::start(to)),
        };
        let key = key::of_request(request, request.method);
        let merge_key = key::merge(&request.core);
        self.server_keys.insert(key.clone(), id);
        if let Some(merge) = &merge_key {
            self.merge_keys.insert(merge.clone(), id);
        }
        self.servers.insert(id, Server { key, merge_key, machine, owner });
        id
    }

    /// Sends a response by its server transaction.
    pub fn respond(&mut self, id: TransactionId, status: u16, bytes: Bytes, now: Instant) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
        let step = match &mut server.machine {
            ServerMachine::Invite(machine) => {
                machine.respond(status, bytes, actions);
                Step::QUIET
            }
            ServerMachine::NonInvite(machine) => machine.respond(status, bytes, actions),
        };
        if step.terminated {
            self.close_server(id);
        }
    }

    /// RFC 3261 §9.2: the INVITE server transaction a CANCEL is for, its owner, and whether it is still unanswered.
    pub fn cancelled_by(&self, cancel: &Request) -> Option<(&S, bool)> {
        let id = self.server_keys.get(&key::of_request(cancel, Method::Invite))?;
        let server = self.servers.get(id)?;
        match &server.machine {
            ServerMachine::Invite(machine) => Some((&server.owner, !machine.is_final())),
            ServerMachine::NonInvite(_) => None,
        }
    }

    /// No response has been given to this INVITE.
    pub fn is_silent(&self, id: TransactionId) -> bool {
        let machine = self.servers.get(&id).map(|server| &server.machine);
        matches!(machine, Some(ServerMachine::Invite(machine)) if machine.is_silent())
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((id, timer)) = self.deadlines.expire(now) {
            if let Some(client) = self.clients.get_mut(&id) {
                let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
                let step = match &mut client.machine {
                    ClientMachine::Invite(machine) => machine.expire(timer, actions),
                    ClientMachine::NonInvite(machine) => machine.expire(timer, actions),
                };
                if step.terminated {
                    self.close_client(id, if step.timed_out { Why::Timeout } else { Why::Done });
                }
            } else if let Some(server) = self.servers.get_mut(&id) {
                let actions = &mut actions(id, now, self.timing, &mut self.deadlines, &mut self.outbox);
                let step = match &mut server.machine {
                    ServerMachine::Invite(machine) => machine.expire(timer, actions),
                    ServerMachine::NonInvite(machine) => machine.expire(timer),
                };
                if step.terminated {
                    self.close_server(id);
                }
            }
        }
    }

    /// Whether no trace of any transaction is left.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.counts() == (0, 0)
            && self.client_keys.is_empty()
            && self.server_keys.is_empty()
            && self.merge_keys.is_empty()
            && self.destinations.is_empty()
    }

    fn next_id(&mut self) -> TransactionId {
        self.last += 1;
        TransactionId(self.last)
    }

    fn close_client(&mut self, id: TransactionId, why: Why) {
        let Some(client) = self.clients.remove(&id) else { return };
        for timer in [Timer::A, Timer::B, Timer::D, Timer::E, Timer::F, Timer::K, Timer::M] {
            self.deadlines.clear(&(id, timer));
        }
        self.client_keys.remove(&client.key);
        let (to, request) = match client.machine {
            ClientMachine::Invite(machine) => (machine.to, machine.request),
            ClientMachine::NonInvite(machine) => (machine.to, machine.request),
        };
        if let Some(ids) = self.destinations.get_mut(&to) {
            ids.remove(&id);
            if ids.is_empty() {
                self.destinations.remove(&to);
            }
        }
        self.closed.push_back(Closed { id, owner: client.owner, why, request });
    }

    fn close_server(&mut self, id: TransactionId) {
        let Some(server) = self.servers.remove(&id) else { return };
        for timer in [Timer::G, Timer::H, Timer::I, Timer::J, Timer::L] {
            self.deadlines.clear(&(id, timer));
        }
        self.server_keys.remove(&server.key);
        if let Some(merge) = &server.merge_key {
            self.merge_keys.remove(merge);
        }
    }
}

fn actions<'a>(
    id: TransactionId,
    now: Instant,
    timing: Timing,
    deadlines: &'a mut Deadlines<(TransactionId, Timer)>,
    outbox: &'a mut VecDeque<Transmit>,
) -> Actions<'a> {
    Actions { id, now, timing, deadlines, outbox }
}

/// A map whose keys are no strings, written as a list of pairs.
mod pairs {
    use std::collections::{BTreeSet, HashMap};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::sip::Destination;
    use crate::sip::transaction::TransactionId;

    type Map = HashMap<Destination, BTreeSet<TransactionId>>;

    pub(super) fn serialize<S: Serializer>(map: &Map, serializer: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map, D::Error> {
        Ok(Vec::<(Destination, BTreeSet<TransactionId>)>::deserialize(deserializer)?.into_iter().collect())
    }
}
