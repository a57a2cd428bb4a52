//! Skills: what agents are good at, and what contacts ask for; with the sets that find the one for the other without
//! walking over everybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::agent::Idle;
use super::contact::Place;
use crate::ids::Skill;

/// Of an agent: with the level, from 1 to 5. Of a contact: with the least level.
pub type Skills = BTreeMap<Skill, u8>;

/// Whether an agent with these skills can take a contact that asks for those.
pub(super) fn meet(has: &Skills, asked: &Skills) -> bool {
    asked.iter().all(|(skill, least)| has.get(skill).is_some_and(|level| level >= least))
}

/// The agents of a queue who can be offered a contact, the first one first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct IdleAgents {
    all: BTreeSet<Idle>,
    by_skill: BTreeMap<Skill, BTreeSet<Idle>>,
}

impl IdleAgents {
    pub(super) fn insert(&mut self, idle: Idle, has: &Skills) {
        self.all.insert(idle);
        for skill in has.keys() {
            self.by_skill.entry(skill.clone()).or_default().insert(idle);
        }
    }

    pub(super) fn remove(&mut self, idle: &Idle, has: &Skills) {
        self.all.remove(idle);
        for skill in has.keys() {
            if let Some(with) = self.by_skill.get_mut(skill) {
                with.remove(idle);
                if with.is_empty() {
                    self.by_skill.remove(skill);
                }
            }
        }
    }

    /// Those who have every skill asked for, in order, and perhaps others: levels are not looked at. The scarcest skill
    /// says whom to look at.
    pub(super) fn with(&self, asked: &Skills) -> impl Iterator<Item = &Idle> {
        let nobody = || -> Option<&BTreeSet<Idle>> { None };
        let sets = asked.keys().map(|skill| self.by_skill.get(skill));
        let scarcest = sets.min_by_key(|with| with.map_or(0, BTreeSet::len));
        match scarcest {
            None => Some(&self.all),
            Some(with) => with.or_else(nobody),
        }
        .into_iter()
        .flatten()
    }
}

/// The contacts of a queue that wait and are not being offered, by what they ask for: those that ask the same stand in
/// one group, so an agent looks at the head of each group, however many wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Unoffered {
    /// In the order of what they ask for; none is empty.
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    asked: Skills,
    places: BTreeSet<Place>,
}

impl Unoffered {
    pub(super) fn insert(&mut self, place: Place, asked: &Skills) {
        match self.groups.binary_search_by(|group| group.asked.cmp(asked)) {
            Ok(at) => {
                if let Some(group) = self.groups.get_mut(at) {
                    group.places.insert(place);
                }
            }
            Err(at) => self.groups.insert(at, Group { asked: asked.clone(), places: BTreeSet::from([place]) }),
        }
    }

    pub(super) fn remove(&mut self, place: &Place, asked: &Skills) {
        let Ok(at) = self.groups.binary_search_by(|group| group.asked.cmp(asked)) else { return };
        let Some(group) = self.groups.get_mut(at) else { return };
        group.places.remove(place);
        if group.places.is_empty() {
            self.groups.remove(at);
        }
    }

    /// The places of each group that an agent with these skills can take, in order within the group.
    pub(super) fn groups_for<'a>(&'a self, has: &'a Skills) -> impl Iterator<Item = &'a BTreeSet<Place>> {
        self.groups.iter().filter(|group| meet(has, &group.asked)).map(|group| &group.places)
    }

    /// Everyone, group by group.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.groups.iter().flat_map(|group| &group.places)
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
