//! Which agents a contact may be offered to, the best first.
//!
//! An agent fits better the more of the preferred skills they have; where the queue chooses by skill, the higher their
//! levels are in all that is asked and preferred. Of those who fit alike the queue's order decides. The search looks at
//! sets of agents, the most promising first, and ends when no later one can hold anybody better.

use std::cmp::Reverse;

use smallvec::SmallVec;

use super::Acd;
use super::agent::AgentIndex;
use super::contact::Contact;
use super::idle::{Rank, Round};
use super::matching::{KEPT, millis};
use super::queues::Queue;
use super::skills::{HIGHEST_LEVEL, Numbered, SkillNumber, level_of, meet};
use crate::settings::Choice;
use crate::time::Instant;
use crate::trace::{Candidate, Rule, rounded};

/// An agent who could be chosen. `Less` is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fitting {
    fit: Reverse<u32>,
    /// Of a round that began behind the last one served: those before the beginning.
    round_again: bool,
    rank: Rank,
}

impl Fitting {
    pub(super) fn agent(&self) -> AgentIndex {
        self.rank.idle.agent
    }
}

struct Search<'a> {
    acd: &'a Acd,
    contact: &'a Contact,
    by_level: bool,
    /// Who has been idle for a shorter time cannot be had.
    idle_since: Option<Instant>,
    start: Rank,
    now: Instant,
    most: usize,
    first: SmallVec<[Fitting; KEPT]>,
}

impl Acd {
    /// The idle agents of the queue who can take the contact, the best first; `most` of them.
    pub(super) fn fitting(
        &self,
        queue: &Queue,
        contact: &Contact,
        most: usize,
        now: Instant,
    ) -> SmallVec<[Fitting; KEPT]> {
        let mut search = Search {
            acd: self,
            contact,
            by_level: queue.settings.choice == Choice::BestSkill,
            idle_since: contact.cold.then(|| queue.idle_since(now)),
            start: queue.round_begins(),
            now,
            most,
            first: SmallVec::new(),
        };
        if !queue.idle.is_empty() {
            search.look(queue);
        }
        search.first
    }

    /// What puts one before another.
    pub(super) fn rule_of(&self, queue: &Queue, chosen: &Fitting, next: Option<&Fitting>) -> Rule {
        let Some(next) = next else { return Rule::OnlyOne };
        let (ahead, behind) = (&chosen.rank.idle, &next.rank.idle);
        match queue.settings.choice {
            Choice::BestSkill if chosen.fit != next.fit => Rule::BestSkill,
            _ if chosen.fit != next.fit => Rule::PreferredSkills,
            Choice::LeastOccupied if chosen.rank.work != next.rank.work => Rule::LeastOccupied,
            Choice::RoundRobin => Rule::RoundRobin,
            _ if ahead.since != behind.since => Rule::LongestIdle,
            _ if ahead.logged_in != behind.logged_in => Rule::FirstLoggedIn,
            _ => Rule::Lot,
        }
    }

    pub(super) fn agent_candidate(
        &self,
        queue: &Queue,
        contact: &Contact,
        agent: AgentIndex,
        now: Instant,
    ) -> Option<Candidate> {
        let agent = self.agents.get(&agent)?;
        let choice = queue.settings.choice;
        let looked_at_fit = !contact.preferred.is_empty() || (choice == Choice::BestSkill && !contact.asked.is_empty());
        Some(Candidate::Agent {
            agent: agent.id.clone(),
            idle_ms: millis(now.since(agent.idle_since)),
            occupancy: (choice == Choice::LeastOccupied).then(|| rounded(agent.work.share(now))),
            fit: looked_at_fit.then(|| fit(&agent.has, contact, choice == Choice::BestSkill)),
            schedule: contact.queue.and_then(|queue| agent.schedule_of(queue)).cloned(),
        })
    }
}

impl<'a> Search<'a> {
    fn look(&mut self, queue: &'a Queue) {
        let contact = self.contact;
        let (asked, preferred) = (&contact.asked, &contact.preferred);
        let most = |skills: usize| u32::from(HIGHEST_LEVEL) * skills as u32;
        match (self.by_level, queue.idle.scarcest(asked)) {
            (true, Some((skill, least))) => {
                let others = most(asked.len() - 1 + preferred.len());
                for level in (least..=HIGHEST_LEVEL).rev() {
                    self.among(Round::new(queue.idle.at(skill, level), self.start), u32::from(level) + others);
                }
            }
            (true, None) => {
                for (n, (skill, least)) in preferred.iter().enumerate() {
                    let others = most(preferred.len() - n - 1);
                    for level in (*least..=HIGHEST_LEVEL).rev() {
                        self.among(Round::new(queue.idle.at(*skill, level), self.start), u32::from(level) + others);
                    }
                }
                self.among(Round::new(queue.idle.all(), self.start), 0);
            }
            (false, scarcest) => {
                for (n, (skill, least)) in preferred.iter().enumerate() {
                    let sets = queue.idle.at_least(*skill, *least);
                    self.among(Round::new(sets, self.start), (preferred.len() - n) as u32);
                }
                let sets = scarcest.map_or(queue.idle.all(), |(skill, least)| queue.idle.at_least(skill, least));
                self.among(Round::new(sets, self.start), 0);
            }
        }
    }

    /// Looks at agents in their order. Of those not seen before, none fits better than `most`.
    fn among(&mut self, agents: Round<'_>, most: u32) {
        for rank in agents {
            let round_again = rank < self.start;
            let best = Fitting { fit: Reverse(most), round_again, rank };
            if self.first.len() == self.most && self.first.last().is_some_and(|last| *last <= best) {
                return;
            }
            let Some(agent) = self.acd.agents.get(&rank.idle.agent) else { continue };
            let known = self.first.iter().any(|known| known.rank == rank);
            let rests = self.idle_since.is_some_and(|since| rank.idle.since > since);
            if known
                || rests
                || !meet(&agent.has, &self.contact.asked)
                || self.contact.is_barred(rank.idle.agent, self.now)
            {
                continue;
            }
            let fitting = Fitting { fit: Reverse(fit(&agent.has, self.contact, self.by_level)), ..best };
            let at = self.first.partition_point(|better| *better < fitting);
            if at < self.most {
                self.first.truncate(self.most - 1);
                self.first.insert(at, fitting);
            }
        }
    }
}

/// How well an agent fits who may take the contact.
fn fit(has: &Numbered, contact: &Contact, by_level: bool) -> u32 {
    let level =
        |(skill, least): &(SkillNumber, u8)| level_of(has, *skill).filter(|level| level >= least).map(u32::from);
    let preferred = contact.preferred.iter().filter_map(level);
    if by_level { contact.asked.iter().filter_map(level).chain(preferred).sum() } else { preferred.count() as u32 }
}
