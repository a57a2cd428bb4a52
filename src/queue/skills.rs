//! Skills: what agents are good at, and what contacts ask for; with the sets that find the one for the other without
//! walking over everybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::agent::AgentIndex;
use super::contact::Place;
use crate::ids::Skill;

/// Of an agent: with the level, from 1 to 5. Of a contact: with the least level.
pub type Skills = BTreeMap<Skill, u8>;

pub(super) const HIGHEST_LEVEL: u8 = 5;

/// Stands for the name of a skill. Names are compared when somebody comes, numbers in every decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SkillNumber(u32);

impl SkillNumber {
    /// Of every skill that no agent was ever configured with.
    const NOBODYS: SkillNumber = SkillNumber(u32::MAX);
}

/// The numbers of the skills that agents have. What contacts ask for adds none, so that only the configuration lets them
/// grow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SkillNumbers(HashMap<Skill, SkillNumber>);

impl SkillNumbers {
    /// Numbers those that are new. Whether there are any.
    pub(super) fn learn<'s>(&mut self, names: impl IntoIterator<Item = &'s Skill>) -> bool {
        let before = self.0.len();
        for name in names {
            let next = SkillNumber(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
            self.0.entry(name.clone()).or_insert(next);
        }
        self.0.len() > before
    }

    pub(super) fn of(&self, skills: &Skills) -> Numbered {
        let number = |skill| self.0.get(skill).copied().unwrap_or(SkillNumber::NOBODYS);
        let mut numbered: Numbered = skills.iter().map(|(skill, level)| (number(skill), *level)).collect();
        numbered.sort_unstable();
        numbered
    }
}

/// Skills by number, in order, with levels.
pub(super) type Numbered = SmallVec<[(SkillNumber, u8); 5]>;

pub(super) fn level_of(has: &Numbered, skill: SkillNumber) -> Option<u8> {
    has.iter().find(|(own, _)| *own == skill).map(|(_, level)| *level)
}

/// Whether an agent with these skills can take a contact that asks for those.
pub(super) fn meet(has: &Numbered, asked: &Numbered) -> bool {
    asked.iter().all(|(skill, least)| level_of(has, *skill).is_some_and(|level| level >= *least))
}

/// The contacts of a queue that wait and are not being offered. Those that ask the same stand in one group, so an agent
/// looks at the head of each group, however many wait; a group is filed under the first skill that it asks for, so an
/// agent looks at those of their own skills only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Unoffered {
    /// Those that ask for nothing.
    anybody: BTreeSet<Place>,
    /// In the order of what they ask for; none is empty.
    by_skill: BTreeMap<SkillNumber, Vec<Group>>,
    /// Those that wait for one agent.
    held: BTreeMap<AgentIndex, BTreeSet<Place>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    asked: Numbered,
    places: BTreeSet<Place>,
}

impl Unoffered {
    /// `held_for` is the one agent it waits for, if it does.
    pub(super) fn insert(&mut self, place: Place, asked: &Numbered, held_for: Option<AgentIndex>) {
        let places = match (held_for, asked.first()) {
            (Some(agent), _) => self.held.entry(agent).or_default(),
            (None, None) => &mut self.anybody,
            (None, Some((skill, _))) => {
                let groups = self.by_skill.entry(*skill).or_default();
                let at = groups.binary_search_by(|group| group.asked.cmp(asked)).unwrap_or_else(|at| {
                    groups.insert(at, Group { asked: asked.clone(), places: BTreeSet::new() });
                    at
                });
                let Some(group) = groups.get_mut(at) else { return };
                &mut group.places
            }
        };
        places.insert(place);
    }

    pub(super) fn remove(&mut self, place: &Place, asked: &Numbered, held_for: Option<AgentIndex>) {
        match (held_for, asked.first()) {
            (Some(agent), _) => {
                let Some(places) = self.held.get_mut(&agent) else { return };
                places.remove(place);
                if places.is_empty() {
                    self.held.remove(&agent);
                }
            }
            (None, None) => {
                self.anybody.remove(place);
            }
            (None, Some((skill, _))) => {
                let Some(groups) = self.by_skill.get_mut(skill) else { return };
                let Ok(at) = groups.binary_search_by(|group| group.asked.cmp(asked)) else { return };
                let Some(group) = groups.get_mut(at) else { return };
                group.places.remove(place);
                if group.places.is_empty() {
                    groups.remove(at);
                }
                if groups.is_empty() {
                    self.by_skill.remove(skill);
                }
            }
        }
    }

    /// The places of each group that an agent can take, in order within the group.
    pub(super) fn groups_for<'a>(
        &'a self,
        agent: AgentIndex,
        has: &'a Numbered,
    ) -> impl Iterator<Item = &'a BTreeSet<Place>> {
        let by_skill = has.iter().filter_map(|(skill, _)| self.by_skill.get(skill)).flatten();
        let fitting = by_skill.filter(|group| meet(has, &group.asked)).map(|group| &group.places);
        std::iter::once(&self.anybody).chain(self.held.get(&agent)).chain(fitting)
    }

    /// Those that wait for this agent.
    pub(super) fn held_for(&self, agent: AgentIndex) -> impl Iterator<Item = &Place> {
        self.held.get(&agent).into_iter().flatten()
    }

    /// Everyone that waits for one agent.
    pub(super) fn held(&self) -> impl Iterator<Item = (AgentIndex, &Place)> {
        self.held.iter().flat_map(|(agent, places)| places.iter().map(|place| (*agent, place)))
    }

    /// Everyone, group by group.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        let groups = self.by_skill.values().flatten().flat_map(|group| &group.places);
        self.anybody.iter().chain(groups).chain(self.held.values().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skills(of: &[(&str, u8)]) -> Skills {
        of.iter().map(|(skill, level)| (Skill::from(*skill), *level)).collect()
    }

    #[test]
    fn every_skill_asked_for_is_needed_at_its_level() {
        let mut numbers = SkillNumbers::default();
        let has = skills(&[("billing", 3), ("french", 5)]);
        assert!(numbers.learn(has.keys()));
        for (asked, met) in [
            (skills(&[]), true),
            (skills(&[("billing", 3)]), true),
            (skills(&[("billing", 4)]), false),
            (skills(&[("billing", 1), ("french", 5)]), true),
            (skills(&[("billing", 1), ("german", 1)]), false),
            (skills(&[("german", 1), ("spanish", 1)]), false),
        ] {
            assert_eq!(meet(&numbers.of(&has), &numbers.of(&asked)), met, "{asked:?}");
        }
    }

    #[test]
    fn a_skill_keeps_its_number_when_others_are_learnt() {
        let mut numbers = SkillNumbers::default();
        let (first, all) = (skills(&[("french", 5)]), skills(&[("billing", 3), ("french", 5)]));
        assert!(numbers.learn(first.keys()));
        let before = numbers.of(&first);
        assert!(numbers.learn(all.keys()));
        assert!(!numbers.learn(all.keys()), "nothing is new");
        assert_eq!(numbers.of(&first), before);
    }
}
