//! What is said to those who wait, over the music, each thing at its own times. An operator's list says what; here is
//! whose turn it is. Nothing is said while something else is: it comes next, in the order in which it was due.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Things in one list.
pub const MOST_COMFORTS: usize = 10;

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comfort {
    pub words: Words,
    /// For the first time so long after the caller came into the queue.
    pub after: Duration,
    /// Then again and again; only once when `None`.
    pub every: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Words {
    /// Prompts, one after the other.
    Prompts(Vec<String>),
    /// The place in the queue as it is then.
    Position,
    /// How long the rest of the wait will probably be; nothing where that is not known.
    Estimate,
}

/// What says an estimate: between so many, and so many minutes.
pub const BETWEEN: &str = "wait-between";
pub const AND: &str = "wait-and";

impl Words {
    /// The prompts that have to be there for it, besides those of numbers.
    pub fn prompts(&self) -> Vec<&str> {
        match self {
            Words::Prompts(prompts) => prompts.iter().map(String::as_str).collect(),
            Words::Position => Vec::new(),
            Words::Estimate => vec![BETWEEN, AND],
        }
    }
}

/// What one caller who waits is told, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// When the caller came into the queue.
    since: Instant,
    to_come: Vec<(Instant, Comfort)>,
    /// What is due, and is said when nothing else is.
    next: VecDeque<Words>,
}

impl Telling {
    pub fn new(list: &[Comfort], since: Instant) -> Telling {
        let to_come = list.iter().map(|comfort| (since + comfort.after, comfort.clone())).collect();
        Telling { since, to_come, next: VecDeque::new() }
    }

    /// Another list for one who waits already: what it would have said before is passed over.
    pub fn change(&mut self, list: &[Comfort], now: Instant) {
        *self = Telling::new(list, self.since);
        self.come_due(now);
        self.next.clear();
    }

    /// When to call `come_due` next.
    pub fn due(&self) -> Option<Instant> {
        self.to_come.iter().map(|(due, _)| *due).min()
    }

    /// Takes in what has come due, the earlier first. What still waits to be said is not said twice.
    pub fn come_due(&mut self, now: Instant) {
        let mut due: Vec<(Instant, Words)> = Vec::new();
        self.to_come.retain_mut(|(at, comfort)| {
            if *at > now {
                return true;
            }
            due.push((*at, comfort.words.clone()));
            let Some(every) = comfort.every.filter(|every| !every.is_zero()) else { return false };
            // Of several times that have passed, one counts.
            let turns = now.since(*at).as_nanos() / every.as_nanos() + 1;
            *at = *at + every * u32::try_from(turns).unwrap_or(u32::MAX);
            true
        });
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().for_each(|(_, words)| self.add(words));
    }

    /// Something to be said as soon as nothing else is.
    pub fn add(&mut self, words: Words) {
        if !self.next.contains(&words) {
            self.next.push_back(words);
        }
    }

    /// What to say now that nothing else is said.
    pub fn take_next(&mut self) -> Option<Words> {
        self.next.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(0) + Duration::from_secs(1_000 + seconds)
    }

    fn prompt(name: &str, after: u64, every: Option<u64>) -> Comfort {
        let words = Words::Prompts(vec![name.to_owned()]);
        Comfort { words, after: Duration::from_secs(after), every: every.map(Duration::from_secs) }
    }

    /// What is said from the entry to then, by one who says a thing at once and in no time.
    fn told(list: &[Comfort], until: u64) -> Vec<(u64, String)> {
        let mut telling = Telling::new(list, at(0));
        let mut told = Vec::new();
        while let Some(due) = telling.due().filter(|due| *due <= at(until)) {
            telling.come_due(due);
            while let Some(Words::Prompts(names)) = telling.take_next() {
                told.push((due.since(at(0)).as_secs(), names.concat()));
            }
        }
        told
    }

    #[test]
    fn each_thing_is_said_at_its_own_times_and_at_one_time_in_the_order_of_the_list() {
        let list = [prompt("a", 20, Some(60)), prompt("b", 5, None), prompt("c", 80, Some(30)), prompt("d", 0, None)];
        let expected = [(0, "d"), (5, "b"), (20, "a"), (80, "a"), (80, "c"), (110, "c"), (140, "a"), (140, "c")];
        assert_eq!(told(&list, 140), expected.map(|(at, name)| (at, name.to_owned())));
    }

    #[test]
    fn what_comes_due_while_something_is_said_follows_in_the_order_of_its_times_and_once() {
        let mut telling = Telling::new(&[prompt("a", 10, Some(3)), prompt("b", 11, None)], at(0));
        // A long message is said until second 21.
        telling.add(Words::Position);
        for second in [10, 11, 13, 16, 19] {
            assert!(telling.due().is_some_and(|due| due <= at(second)));
            telling.come_due(at(second));
        }
        telling.add(Words::Position);
        let mut said = Vec::new();
        while let Some(words) = telling.take_next() {
            said.push(words);
        }
        let words = |name: &str| Words::Prompts(vec![name.to_owned()]);
        assert_eq!(said, [Words::Position, words("a"), words("b")]);
        assert_eq!(telling.due(), Some(at(22)), "its times stay what they were");
    }

    #[test]
    fn of_times_that_have_passed_together_one_counts() {
        let mut telling = Telling::new(&[prompt("a", 10, Some(5))], at(0));
        telling.come_due(at(27));
        assert_eq!((telling.take_next().is_some(), telling.take_next(), telling.due()), (true, None, Some(at(30))));
    }

    #[test]
    fn another_list_says_nothing_of_the_past() {
        let mut telling = Telling::new(&[prompt("a", 10, Some(5))], at(0));
        telling.add(Words::Position);
        telling.change(&[prompt("b", 5, Some(20)), prompt("c", 3, None)], at(12));
        assert_eq!((telling.take_next(), telling.due()), (None, Some(at(25))));
    }
}
