//! One user agent subscribes, the other grants: over good networks and bad ones.

use super::*;
use crate::sip::ua::{Subscribe, SubscriptionId, Terms, WatcherId};

/// Bob's state, which he tells to whoever watches.
struct Watching {
    pair: Pair,
    watchers: Vec<WatcherId>,
    state: u32,
    /// What Alice heard.
    heard: Vec<String>,
    ended: Vec<String>,
}

impl Watching {
    fn new(seed: u64, weather: Weather) -> Watching {
        let pair = Pair::seeded(seed, weather);
        Watching { pair, watchers: Vec::new(), state: 0, heard: Vec::new(), ended: Vec::new() }
    }

    fn subscribe(&mut self, seconds: u64) -> SubscriptionId {
        let wish = Subscribe {
            to: Destination::Address { transport: Transport::Udp, address: address(BOB) },
            request_uri: format!("sip:bob@{}", address(BOB)).parse().unwrap(),
            from: name_addr("<sip:alice@example.com>"),
            to_header: name_addr("<sip:bob@example.com>"),
            event: "presence".to_owned(),
            accept: "text/plain".to_owned(),
            expires: Duration::from_secs(seconds),
            credentials: None,
        };
        self.pair.agents[ALICE].subscribe(wish, self.pair.now)
    }

    fn state(&self) -> Bytes {
        Bytes::from(self.state.to_string())
    }

    fn react(&mut self) {
        for event in std::mem::take(&mut self.pair.events[BOB]) {
            let (now, state) = (self.pair.now, self.state());
            let bob = &mut self.pair.agents[BOB];
            match event {
                Event::Request { ticket, flow, request } => {
                    let terms = Terms { least: Duration::from_secs(60), most: Duration::from_secs(120) };
                    if let Some(watcher) = bob.grant(ticket, &request, flow, "text/plain", terms, now) {
                        bob.notify(watcher, state, now);
                        self.watchers.push(watcher);
                    }
                }
                Event::Watched { watcher } => bob.notify(watcher, state, now),
                Event::Unwatched { watcher } => self.watchers.retain(|known| *known != watcher),
                other => panic!("{other:?}"),
            }
        }
        for event in std::mem::take(&mut self.pair.events[ALICE]) {
            match event {
                Event::Notified { body, active, .. } => {
                    assert!(active);
                    self.heard.push(String::from_utf8(body.to_vec()).unwrap());
                }
                Event::Unsubscribed { why, .. } => self.ended.push(format!("{why:?}")),
                other => panic!("{other:?}"),
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            self.pair.run_for(ms(100));
            self.react();
        }
    }

    fn change(&mut self) {
        self.state += 1;
        let (now, state) = (self.pair.now, self.state());
        for watcher in self.watchers.clone() {
            self.pair.agents[BOB].notify(watcher, state.clone(), now);
        }
    }
}

#[test]
fn a_subscription_lives_by_refreshes_until_it_is_taken_back() {
    let mut watching = Watching::new(1, Weather { delay: (10, 10), ..Weather::default() });
    let id = watching.subscribe(30);
    watching.run(ms(1_000));
    assert_eq!(watching.heard, ["0"], "thirty seconds are raised to the sixty that Bob insists on");
    assert!(watching.pair.ladder[1].starts_with("B->A 423 SUBSCRIBE"), "{:?}", watching.pair.ladder);
    watching.run(Duration::from_secs(600));
    assert!(watching.heard.len() >= 19, "every refresh brings the state: {:?}", watching.heard);
    watching.heard.clear();
    watching.change();
    watching.run(ms(1_000));
    assert_eq!((watching.heard.as_slice(), watching.ended.len()), (&["1".to_owned()][..], 0));
    watching.pair.agents[ALICE].unsubscribe(id, watching.pair.now);
    watching.run(Duration::from_secs(40));
    assert_eq!((watching.heard.len(), watching.ended.len(), watching.watchers.len()), (1, 0, 0));
    for agent in &watching.pair.agents {
        assert_eq!(agent.counts(), UaCounts::default());
    }
}

#[test]
fn over_a_bad_network_the_last_word_arrives_and_nothing_is_left_over() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut watching = Watching::new(seed, Weather { loss: 50, duplicates: 30, delay: (5, 400) });
        watching.subscribe(120);
        for _ in 0..20 {
            watching.run(Duration::from_secs(17));
            watching.change();
        }
        watching.run(Duration::from_secs(70));
        let last = watching.state.to_string();
        if watching.ended.is_empty() {
            assert_eq!(watching.heard.last(), Some(&last), "seed {seed}: {:?}", watching.heard);
        }
        // An empty one is the last word of a subscription that has run out.
        let told = watching.heard.iter().filter(|text| !text.is_empty());
        let numbers: Vec<u32> = told.map(|text| text.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "seed {seed}: what came late was taken: {numbers:?}");
        // Bob's machine goes.
        watching.pair.weather.loss = 256;
        watching.run(Duration::from_secs(400));
        assert_eq!((watching.ended.len(), watching.watchers.len()), (1, 0), "seed {seed}: {:?}", watching.ended);
        for agent in &watching.pair.agents {
            assert_eq!(agent.counts(), UaCounts::default(), "seed {seed}");
        }
    }
}
