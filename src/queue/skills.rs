//! Skills: what agents are good at, and what contacts ask for; with the sets that find the one for the other without
//! walking over everybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::agent::AgentIndex;
use super::contact::Place;
use crate::ids::Skill;

/// Of an agent: with the level, from 1 to 5. Of a contact: with the least level.
pub type Skills = BTreeMap<Skill, u8>;

pub(super) const HIGHEST_LEVEL: u8 = 5;

/// Whether an agent with these skills can take a contact that asks for those.
pub(super) fn meet(has: &Skills, asked: &Skills) -> bool {
    asked.iter().all(|(skill, least)| has.get(skill).is_some_and(|level| level >= least))
}

/// The contacts of a queue that wait and are not being offered. Those that ask the same stand in one group, so an agent
/// looks at the head of each group, however many wait; a group is filed under the first skill that it asks for, so an
/// agent looks at those of their own skills only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Unoffered {
    /// Those that ask for nothing.
    anybody: BTreeSet<Place>,
    /// In the order of what they ask for; none is empty.
    by_skill: BTreeMap<Skill, Vec<Group>>,
    /// Those that wait for one agent.
    held: BTreeMap<AgentIndex, BTreeSet<Place>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    asked: Skills,
    places: BTreeSet<Place>,
}

impl Unoffered {
    /// `held_for` is the one agent it waits for, if it does.
    pub(super) fn insert(&mut self, place: Place, asked: &Skills, held_for: Option<AgentIndex>) {
        let places = match (held_for, asked.keys().next()) {
            (Some(agent), _) => self.held.entry(agent).or_default(),
            (None, None) => &mut self.anybody,
            (None, Some(skill)) => {
                let groups = self.by_skill.entry(skill.clone()).or_default();
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

    pub(super) fn remove(&mut self, place: &Place, asked: &Skills, held_for: Option<AgentIndex>) {
        match (held_for, asked.keys().next()) {
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
            (None, Some(skill)) => {
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
        has: &'a Skills,
    ) -> impl Iterator<Item = &'a BTreeSet<Place>> {
        let by_skill = has.keys().filter_map(|skill| self.by_skill.get(skill)).flatten();
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
        let has = skills(&[("billing", 3), ("french", 5)]);
        for (asked, met) in [
            (skills(&[]), true),
            (skills(&[("billing", 3)]), true),
            (skills(&[("billing", 4)]), false),
            (skills(&[("billing", 1), ("french", 5)]), true),
            (skills(&[("billing", 1), ("german", 1)]), false),
        ] {
            assert_eq!(meet(&has, &asked), met, "{asked:?}");
        }
    }
}
