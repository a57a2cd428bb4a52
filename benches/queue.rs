//! What a decision of the distributor costs: 10,000 agents of five skills and four queues each, 200 queues with every
//! choice, 20,000 contacts that wait.
//!
//! `cargo bench --bench queue` prints the median and the 99th percentile of one decision, in microseconds: a call comes,
//! or an agent comes free; with everybody busy, and with almost everybody idle. And what memory the distributor takes for
//! each contact that came while the line grew. Then what a day of 1,000,000 calls takes in such a centre.

// A measurement asks the clock.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use relais::demand::{Demand, Widening};
use relais::ids::{CallId, QueueId, Skill};
use relais::queue::{Acd, AcdEvent, Skills};
use relais::settings::{self, Choice, Codec};
use relais::time::{Deadlines, Instant, Now};

const AGENTS: usize = 10_000;
const QUEUES: usize = 200;
const SKILLS: usize = 40;
const WAITING: u64 = 20_000;
const DECISIONS: usize = 20_000;

const CALLS: u32 = 1_000_000;
const DAY: f64 = 86_400.0;
/// In seconds, at the mean: eight agents of ten are busy.
const TALK: f64 = 690.0;
const PATIENCE: f64 = 120.0;

struct Centre {
    acd: Acd,
    rng: ChaCha12Rng,
    now: Now,
    next: u128,
    talking: VecDeque<CallId>,
    waiting: VecDeque<CallId>,
}

fn skills(rng: &mut ChaCha12Rng, count: usize) -> Skills {
    let mut skills = Skills::new();
    while skills.len() < count {
        let skill = Skill::from(format!("skill-{}", rng.next_u32() as usize % SKILLS));
        skills.insert(skill, 1 + (rng.next_u32() % 5) as u8);
    }
    skills
}

fn queue(n: usize) -> settings::Queue {
    settings::Queue {
        wrap_up: Duration::ZERO,
        answer_within: Duration::from_secs([10, 20, 60][n % 3]),
        widen: vec![
            Widening { after: Duration::from_secs(300), level: 2 },
            Widening { after: Duration::from_secs(600), level: 0 },
        ],
        choice: Choice::ALL[n % 4],
        announce_position: Duration::ZERO,
        ..settings::Queue::new(format!("queue-{n}").into())
    }
}

impl Centre {
    fn new() -> Centre {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let queues: Vec<settings::Queue> = (0..QUEUES).map(queue).collect();
        let agents: Vec<settings::Agent> = (0..AGENTS)
            .map(|n| settings::Agent {
                id: format!("{n}").into(),
                name: format!("Agent {n}"),
                password: None,
                contact: None,
                queues: (0..4).map(|_| queues[rng.next_u32() as usize % QUEUES].id.clone()).collect(),
                schedules: Default::default(),
                call_preference: Default::default(),
                srtp: Default::default(),
                skills: skills(&mut rng, 5),
                codecs: vec![Codec::Pcmu],
                language: "en".into(),
            })
            .collect();
        let now = Now { instant: Instant(1_000_000_000), wall: "2026-11-25T10:00:00Z".parse().expect("a time") };
        let acd = Acd::new(&queues, &agents, [1; 32], now);
        let (talking, waiting) = (VecDeque::new(), VecDeque::new());
        let mut centre = Centre { acd, rng, now, next: 1, talking, waiting };
        for agent in &agents {
            centre.acd.set_reachable(&agent.id, true, centre.now);
            centre.pass(1);
        }
        centre.take_in();
        centre
    }

    fn pass(&mut self, millis: u64) {
        self.now.instant = self.now.instant + Duration::from_millis(millis);
        self.now.wall += jiff::SignedDuration::from_millis(millis as i64);
    }

    /// Agents answer at once.
    fn take_in(&mut self) {
        while let Some(event) = self.acd.poll_event() {
            if let AcdEvent::Offer { contact, agent, .. } = event {
                assert!(self.acd.agent_answered(contact, &agent, self.now));
                self.talking.push_back(contact);
            }
        }
    }

    fn demand(&mut self) -> Demand {
        let count = [0, 1, 1, 2][self.rng.next_u32() as usize % 4];
        let priority = [0, 0, 0, 1, 3][self.rng.next_u32() as usize % 5];
        let preferred = [0, 0, 1][self.rng.next_u32() as usize % 3];
        let (skills, prefer_skills) = (skills(&mut self.rng, count), skills(&mut self.rng, preferred));
        Demand { skills, priority, prefer_skills, ..Demand::default() }
    }

    fn call(&mut self) -> Duration {
        let took = self.come();
        self.pass(1);
        took
    }

    /// Gives how long the decision took.
    fn come(&mut self) -> Duration {
        let contact = CallId(self.next);
        self.next += 1;
        let queue = QueueId::from(format!("queue-{}", self.rng.next_u32() as usize % QUEUES));
        let demand = self.demand();
        let begin = std::time::Instant::now();
        let queued = self.acd.enqueue(contact, &queue, &demand, self.now.instant, self.now);
        let took = begin.elapsed();
        assert_eq!(queued, Ok(()));
        self.waiting.push_back(contact);
        self.take_in();
        took
    }

    fn end(&mut self) -> Option<Duration> {
        let nth = self.rng.next_u32() as usize % self.talking.len().max(1);
        let contact = self.talking.remove(nth)?;
        let begin = std::time::Instant::now();
        self.acd.talk_ended(contact, self.now);
        let took = begin.elapsed();
        self.take_in();
        self.pass(1);
        Some(took)
    }

    /// Somebody who waits gives up.
    fn leave(&mut self) {
        while let Some(contact) = self.waiting.pop_front() {
            if self.acd.position(contact).is_some() {
                self.acd.leave(contact, self.now);
                return self.take_in();
            }
        }
    }

    fn waits(&self) -> u64 {
        self.acd.queues().filter_map(|queue| self.acd.queue_view(queue)).map(|view| view.waiting).sum()
    }
}

/// What happens next in a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Ends(CallId),
    GivesUp(CallId),
    Calls,
}

impl Centre {
    /// Exponential.
    fn draw(&mut self, mean: f64) -> Duration {
        let uniform = (f64::from(self.rng.next_u32()) + 1.0) / (f64::from(u32::MAX) + 2.0);
        Duration::from_secs_f64(-mean * uniform.ln())
    }

    /// Gives how many were answered, and gave up.
    fn day(&mut self) -> (u32, u32) {
        let mut steps = Deadlines::default();
        let (mut came, mut answered, mut gave_up) = (0, 0, 0);
        steps.set(Step::Calls, self.now.instant);
        while let Some(next) = steps.next() {
            let next = self.acd.poll_timeout().map_or(next, |due| due.min(next));
            let passed = next.since(self.now.instant);
            self.now.instant = next;
            self.now.wall += jiff::SignedDuration::try_from(passed).expect("less than a day");
            self.acd.handle_timeout(self.now);
            match steps.expire(next) {
                Some(Step::Ends(contact)) => self.acd.talk_ended(contact, self.now),
                Some(Step::GivesUp(contact)) => {
                    self.acd.leave(contact, self.now);
                    gave_up += 1;
                }
                Some(Step::Calls) => {
                    let contact = CallId(self.next);
                    steps.set(Step::GivesUp(contact), next + self.draw(PATIENCE));
                    self.come();
                    came += 1;
                    if came < CALLS {
                        steps.set(Step::Calls, next + self.draw(DAY / f64::from(CALLS)));
                    }
                }
                None => {}
            }
            self.take_in();
            while let Some(contact) = self.talking.pop_front() {
                answered += 1;
                steps.clear(&Step::GivesUp(contact));
                steps.set(Step::Ends(contact), next + self.draw(TALK));
            }
            self.waiting.clear();
        }
        (answered, gave_up)
    }
}

/// Of this process, in seconds; 0 where the system does not tell.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Of this process, in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4_096
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!("{what:<44} {:>8.1} {:>8.1} {:>8.1}", at(0.5), at(0.99), at(1.0));
}

fn main() {
    println!("{:<44} {:>8} {:>8} {:>8}", "a decision, in microseconds", "median", "p99", "most");
    let mut centre = Centre::new();
    let idle = (0..DECISIONS).map(|_| {
        let took = centre.call();
        if centre.talking.len() > AGENTS / 10 {
            centre.end();
        }
        took
    });
    print("a call comes, nine agents of ten are idle", idle.collect());
    let (before, first) = (resident(), centre.next);
    while centre.waits() < WAITING {
        for _ in 0..1_000 {
            centre.call();
        }
    }
    println!("{} wait, {} talk", centre.waits(), centre.talking.len());
    let came = (centre.next - first) as u64;
    println!("{} bytes for each contact that came", resident().saturating_sub(before) / came);
    let mut calls = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..DECISIONS {
        calls.push(centre.call());
        ends.extend(centre.end());
        if calls.len() % 16 == 0 {
            centre.leave();
        }
    }
    print("a call comes, everybody is busy", calls);
    print("an agent comes free, 20,000 wait", ends);
    println!("{} wait, {} talk", centre.waits(), centre.talking.len());

    let mut centre = Centre::new();
    let began = cpu();
    let (answered, gave_up) = centre.day();
    println!("a day of {CALLS} calls: {:.1} CPU seconds; {answered} answered, {gave_up} gave up", cpu() - began);
}
