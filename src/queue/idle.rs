//! The agents of a queue who can be offered a contact, in the order of the queue's choice, with sets that find those
//! with a skill at a level without walking over everybody.

use std::collections::{BTreeMap, BTreeSet, btree_set};
use std::iter::{Chain, Peekable};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::agent::{AgentIndex, Idle};
use super::occupancy::Work;
use super::skills::{HIGHEST_LEVEL, Numbered, SkillNumber};
use crate::settings::Choice;

/// The order in which agents are chosen; what a queue's choice does not look at is equal for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Rank {
    pub(super) work: Work,
    /// In the order of the configuration, counted from 1.
    pub(super) turn: u32,
    pub(super) idle: Idle,
}

impl Rank {
    pub(super) fn new(choice: Choice, idle: Idle, work: Work) -> Rank {
        match choice {
            Choice::LongestIdle | Choice::BestSkill => Rank { work: Work::default(), turn: 0, idle },
            Choice::LeastOccupied => Rank { work, turn: 0, idle },
            Choice::RoundRobin => Rank { work: Work::default(), turn: turn(idle.agent), idle },
        }
    }

    /// Before whoever comes behind this agent in a round.
    pub(super) fn behind(agent: AgentIndex) -> Rank {
        Rank { work: Work::default(), turn: turn(agent).saturating_add(1), idle: Idle::default() }
    }
}

fn turn(agent: AgentIndex) -> u32 {
    agent.0.saturating_add(1)
}

type Set = BTreeSet<Rank>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct IdleAgents {
    all: Set,
    /// By level, 1 to 5. No skill stands here that nobody has.
    by_skill: BTreeMap<SkillNumber, [Set; HIGHEST_LEVEL as usize]>,
}

impl IdleAgents {
    pub(super) fn insert(&mut self, rank: Rank, has: &Numbered) {
        self.all.insert(rank);
        for (skill, level) in has {
            if let Some(set) = self.by_skill.entry(*skill).or_default().get_mut(place_of(*level)) {
                set.insert(rank);
            }
        }
    }

    pub(super) fn remove(&mut self, rank: &Rank, has: &Numbered) {
        self.all.remove(rank);
        for (skill, level) in has {
            let Some(levels) = self.by_skill.get_mut(skill) else { continue };
            if let Some(set) = levels.get_mut(place_of(*level)) {
                set.remove(rank);
            }
            if levels.iter().all(BTreeSet::is_empty) {
                self.by_skill.remove(skill);
            }
        }
    }

    pub(super) fn all(&self) -> &[Set] {
        std::slice::from_ref(&self.all)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those who have a skill at this level or above, a set a level.
    pub(super) fn at_least(&self, skill: SkillNumber, least: u8) -> &[Set] {
        let levels = self.by_skill.get(&skill).map(|levels| levels.get(place_of(least)..).unwrap_or_default());
        levels.unwrap_or_default()
    }

    /// Those who have it at this level.
    pub(super) fn at(&self, skill: SkillNumber, level: u8) -> &[Set] {
        self.at_least(skill, level).get(..1).unwrap_or_default()
    }

    /// The skill asked for that the fewest have at its level.
    pub(super) fn scarcest(&self, asked: &Numbered) -> Option<(SkillNumber, u8)> {
        let count =
            |skill: SkillNumber, least: u8| self.at_least(skill, least).iter().map(BTreeSet::len).sum::<usize>();
        asked.iter().copied().min_by_key(|(skill, least)| count(*skill, *least))
    }
}

fn place_of(level: u8) -> usize {
    usize::from(level.clamp(1, HIGHEST_LEVEL) - 1)
}

type BehindThenBefore<'a> = Chain<btree_set::Range<'a, Rank>, btree_set::Range<'a, Rank>>;

/// Several sets as one, in their order, beginning at `start` and going round to what lies before it.
pub(super) struct Round<'a> {
    start: Rank,
    sets: SmallVec<[Peekable<BehindThenBefore<'a>>; HIGHEST_LEVEL as usize]>,
}

impl<'a> Round<'a> {
    pub(super) fn new(sets: &'a [Set], start: Rank) -> Round<'a> {
        let round = |set: &'a Set| set.range(start..).chain(set.range(..start)).peekable();
        Round { start, sets: sets.iter().filter(|set| !set.is_empty()).map(round).collect() }
    }
}

impl Iterator for Round<'_> {
    type Item = Rank;

    fn next(&mut self) -> Option<Rank> {
        let start = self.start;
        let heads = self.sets.iter_mut().enumerate();
        let heads = heads.filter_map(|(n, set)| set.peek().map(|rank| (**rank < start, **rank, n)));
        let (_, _, n) = heads.min()?;
        self.sets.get_mut(n)?.next().copied()
    }
}
