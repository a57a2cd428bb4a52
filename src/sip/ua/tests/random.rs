//! Calls that do anything at any moment over a network that loses, doubles and reorders; afterwards nothing is left.

use std::collections::BTreeMap;

use super::*;
use crate::sip::ua::Sdp;

/// What one side has in mind, to be done at a time.
#[derive(Clone, Debug)]
enum Act {
    Progress(u16, bool),
    Accept,
    Reject,
    Answer,
    Refuse,
    Offer,
    Info,
    HangUp,
}

struct Life {
    seed: u64,
    pair: Pair,
    /// What is to be done when, by which side in which session.
    plans: BTreeMap<(Instant, u64), (usize, SessionId, Act)>,
    /// Sessions by side: how many last events they had.
    ends: [BTreeMap<SessionId, u32>; 2],
    answered: u32,
    exchanged: u32,
}

impl Life {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut pair = Pair::seeded(seed, weather);
        if seed % 4 == 3 {
            // A stream keeps order and loses nothing.
            pair.transport = Transport::Tcp;
            pair.weather = Weather { delay: (20, 20), ..Weather::default() };
        }
        Life { seed, pair, plans: BTreeMap::new(), ends: Default::default(), answered: 0, exchanged: 0 }
    }

    fn plan(&mut self, side: usize, session: SessionId, act: Act, low: u32, high: u32) {
        let at = self.pair.now + ms(self.pair.between(low, high).into());
        self.pair.sequence += 1;
        self.plans.insert((at, self.pair.sequence), (side, session, act));
    }

    fn call(&mut self, from: usize) {
        let late = self.pair.chance(60);
        let session = self.pair.invite(from, (!late).then(|| sdp("offer")));
        self.ends[from].insert(session, 0);
        let end = if self.pair.chance(100) { (0, 1_500) } else { (5_000, 60_000) };
        self.plan(from, session, Act::HangUp, end.0, end.1);
    }

    fn on_event(&mut self, side: usize, event: Event) {
        let over =
            session_of(&event).is_some_and(|session| self.ends[side].get(&session).is_some_and(|ends| *ends > 0));
        assert!(!over, "seed {}: side {side} after the end: {event:?}", self.seed);
        match event {
            Event::Incoming { session, .. } => {
                self.ends[side].insert(session, 0);
                let rings = self.pair.between(0, 3);
                for _ in 0..rings {
                    let status = u16::try_from(self.pair.between(180, 183)).unwrap();
                    let with_sdp = self.pair.chance(128);
                    self.plan(side, session, Act::Progress(status, with_sdp), 0, 3_000);
                }
                let act = if self.pair.chance(40) { Act::Reject } else { Act::Accept };
                self.plan(side, session, act, 0, 4_000);
                self.plan(side, session, Act::HangUp, 0, 90_000);
                self.live(side, session);
            }
            Event::Progress { session, sdp: Some(Sdp::Offer(_)), .. } => self.plan(side, session, Act::Answer, 0, 100),
            Event::Progress { .. } | Event::Info { .. } | Event::Confirmed { .. } | Event::Referred { .. } => {}
            Event::Answered { session, sdp, .. } => {
                self.answered += 1;
                if let Some(Sdp::Offer(_)) = sdp {
                    self.plan(side, session, Act::Answer, 0, 2_000);
                }
                self.live(side, session);
            }
            Event::Reoffered { session, .. } => {
                let act = if self.pair.chance(40) { Act::Refuse } else { Act::Answer };
                self.plan(side, session, act, 0, 1_000);
            }
            Event::Reanswered { .. } => self.exchanged += 1,
            Event::OfferRefused { .. } => {}
            Event::Failed { session, .. } | Event::Ended { session, .. } => {
                let seed = self.seed;
                let ends = self.ends[side].get_mut(&session).unwrap_or_else(|| panic!("seed {seed}: a stranger ended"));
                *ends += 1;
                assert_eq!(*ends, 1, "seed {}: {session} of side {side} ended twice", self.seed);
            }
            Event::Request { .. }
            | Event::Response { .. }
            | Event::Notified { .. }
            | Event::Unsubscribed { .. }
            | Event::Watched { .. }
            | Event::Unwatched { .. } => panic!("seed {}: {event:?}", self.seed),
        }
    }

    /// Holds, resumes and keys in the life of a call.
    fn live(&mut self, side: usize, session: SessionId) {
        for _ in 0..self.pair.between(0, 3) {
            let act = if self.pair.chance(200) { Act::Offer } else { Act::Info };
            self.plan(side, session, act, 0, 20_000);
        }
    }

    fn perform(&mut self, side: usize, session: SessionId, act: Act) {
        let now = self.pair.now;
        let late = matches!(act, Act::Accept) && self.pair.chance(50);
        let agent = &mut self.pair.agents[side];
        match act {
            Act::Progress(status, with_sdp) => agent.progress(session, status, with_sdp.then(|| sdp("early")), now),
            Act::Accept => {
                agent.accept(session, sdp("answer"), Headers::default(), now);
                if late {
                    agent.hang_up(session, Headers::default(), now);
                }
            }
            Act::Reject => agent.reject(session, 486, None, Headers::default(), now),
            Act::Answer => agent.answer(session, sdp("reply"), now),
            Act::Refuse => agent.refuse(session, 488, now),
            Act::Offer => agent.offer(session, sdp("change"), now),
            Act::Info => agent.info(session, "text/plain", Bytes::from_static(b"x"), now),
            Act::HangUp => agent.hang_up(session, Headers::default(), now),
        }
    }

    fn run(&mut self) {
        loop {
            self.pair.collect();
            for side in [ALICE, BOB] {
                for event in std::mem::take(&mut self.pair.events[side]) {
                    self.on_event(side, event);
                }
            }
            let planned = self.plans.first_key_value().map(|((at, _), _)| *at);
            match (planned, self.pair.next()) {
                (None, None) => return,
                (Some(at), next) if next.is_none_or(|next| at <= next) => {
                    self.pair.now = self.pair.now.max(at);
                    let (_, (side, session, act)) = self.plans.pop_first().unwrap();
                    self.perform(side, session, act);
                }
                _ => {
                    self.pair.step();
                }
            }
            assert!(self.pair.now < Instant(1_000_000_000) + Duration::from_secs(3_600), "seed {}: no end", self.seed);
        }
    }

    fn check(&self) {
        for side in [ALICE, BOB] {
            let counts = self.pair.agents[side].counts();
            let left = || serde_json::to_string(&self.pair.agents[side]).unwrap();
            assert_eq!(counts, UaCounts::default(), "seed {}: side {side}: {}", self.seed, left());
            for (session, ends) in &self.ends[side] {
                assert_eq!(*ends, 1, "seed {}: {session} of side {side}", self.seed);
            }
        }
    }
}

fn session_of(event: &Event) -> Option<SessionId> {
    match event {
        Event::Incoming { session, .. }
        | Event::Progress { session, .. }
        | Event::Answered { session, .. }
        | Event::Confirmed { session, .. }
        | Event::Failed { session, .. }
        | Event::Reoffered { session, .. }
        | Event::Reanswered { session, .. }
        | Event::OfferRefused { session, .. }
        | Event::Info { session, .. }
        | Event::Referred { session, .. }
        | Event::Ended { session, .. } => Some(*session),
        Event::Request { .. }
        | Event::Response { .. }
        | Event::Notified { .. }
        | Event::Unsubscribed { .. }
        | Event::Watched { .. }
        | Event::Unwatched { .. } => None,
    }
}

fn lives(seeds: std::ops::Range<u64>, calls: u32, weather: Weather) {
    let (mut answered, mut exchanged) = (0, 0);
    for seed in seeds.clone() {
        let mut life = Life::new(seed, weather);
        for n in 0..calls {
            life.call(usize::try_from(n % 2).unwrap());
        }
        life.run();
        life.check();
        answered += life.answered;
        exchanged += life.exchanged;
    }
    let runs = u32::try_from(seeds.count()).unwrap();
    assert!(answered > runs, "{answered} calls answered in {runs} runs");
    assert!(exchanged > runs / 2, "{exchanged} offers answered in {runs} runs");
}

#[test]
fn nothing_is_left_after_calls_on_a_good_network() {
    lives(0..300, 4, Weather { delay: (5, 40), ..Weather::default() });
}

#[test]
fn nothing_is_left_after_calls_on_a_bad_network() {
    lives(1_000..1_400, 4, Weather { loss: 25, duplicates: 25, delay: (1, 300) });
}

#[test]
fn nothing_is_left_after_calls_on_a_terrible_network() {
    lives(2_000..2_300, 4, Weather { loss: 100, duplicates: 60, delay: (1, 2_500) });
}

/// The same seed gives the same run, packet for packet.
#[test]
fn a_run_is_its_seeds() {
    let ladders = [7, 7].map(|seed| {
        let mut life = Life::new(seed, Weather { loss: 25, duplicates: 25, delay: (1, 300) });
        life.call(ALICE);
        life.call(BOB);
        life.run();
        life.pair.ladder()
    });
    assert_eq!(ladders[0], ladders[1]);
}

/// A snapshot taken in the middle of a call goes on as if nothing had been.
#[test]
fn a_session_survives_serialisation() {
    let (mut pair, a, b) = Pair::established();
    let now = pair.now;
    pair.agents[ALICE].offer(a, sdp("hold"), now);
    pair.run_for(ms(15));
    pair.collect();
    for agent in &mut pair.agents {
        let text = serde_json::to_string(agent).unwrap();
        *agent = serde_json::from_str(&text).unwrap();
    }
    pair.run_for(ms(100));
    let now = pair.now;
    pair.agents[BOB].answer(b, sdp("held"), now);
    pair.run_for(ms(100));
    assert_eq!(pair.told(ALICE), ["reanswered(held)"]);
    let now = pair.now;
    pair.agents[BOB].hang_up(b, Headers::default(), now);
    pair.settle();
    pair.assert_nothing_left();
}
