//! What two configurations say otherwise, in the words of their files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};
use utoipa::ToSchema;

use crate::config::Loaded;
use crate::prompts::Index;

/// One thing that is said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WrittenChange)]
pub struct Change {
    /// `plan front-desk`, `queue sales`
    pub subject: String,
    pub text: String,
}

/// Keys whose values are nobody's business.
const SECRET: [&str; 2] = ["password", "secret"];
/// Keys of a plan or configuration that say nothing to callers.
const SILENT: [&str; 2] = ["test", "name"];

pub fn compare(before: &Loaded, after: &Loaded) -> Vec<Change> {
    let mut changes = Vec::new();
    let configuration = |loaded: &Loaded| loaded.source.text.parse::<Table>().unwrap_or_default();
    compare_configurations(&configuration(before), &configuration(after), &mut changes);
    let (old, new) = (plans(before), plans(after));
    for name in union(old.keys(), new.keys()) {
        let subject = format!("plan {name}");
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => compare_plans(&subject, old, new, &mut changes),
            (Some(old), None) => say(&mut changes, &subject, format!("is gone{}", numbers(old))),
            (None, Some(new)) => say(&mut changes, &subject, format!("is new{}", numbers(new))),
            (None, None) => {}
        }
    }
    compare_prompts(before, after, &mut changes);
    changes
}

fn say(changes: &mut Vec<Change>, subject: &str, text: String) {
    changes.push(Change { subject: subject.to_owned(), text });
}

fn union<'a, T: Ord + ?Sized + 'a>(a: impl Iterator<Item = &'a T>, b: impl Iterator<Item = &'a T>) -> BTreeSet<&'a T> {
    a.chain(b).collect()
}

/// The plan files by the names of their plans.
fn plans(loaded: &Loaded) -> BTreeMap<String, Table> {
    let sources = loaded.plans.sources().iter();
    sources
        .map(|source| {
            let table = source.text.parse::<Table>().unwrap_or_default();
            let stem = Path::new(&source.path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let name = table.get("name").and_then(Value::as_str).map(str::to_owned).or(stem).unwrap_or_default();
            (name, table)
        })
        .collect()
}

fn numbers(plan: &Table) -> String {
    let numbers: Vec<&str> = texts(plan.get("numbers")).collect();
    if numbers.is_empty() { String::new() } else { format!(", with the numbers {}", numbers.join(", ")) }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn compare_configurations(old: &Table, new: &Table, changes: &mut Vec<Change>) {
    for key in union(old.keys(), new.keys()) {
        let (was, is) = (old.get(key), new.get(key));
        match (was, is, by_id(was), by_id(is)) {
            (_, _, Some(was), Some(is)) => compare_things(key, &was, &is, changes),
            (Some(Value::Table(was)), Some(Value::Table(is)), ..) => compare_tables(key, "", was, is, changes),
            // The plans themselves are compared.
            _ if key == "plans" => {}
            _ => compare_values("configuration", key, was, is, changes),
        }
    }
}

/// The tables of a list, where each has an id; a list that is not there is empty.
fn by_id(value: Option<&Value>) -> Option<BTreeMap<&str, &Table>> {
    let Some(value) = value else { return Some(BTreeMap::new()) };
    value
        .as_array()?
        .iter()
        .map(|item| {
            let table = item.as_table()?;
            Some((table.get("id")?.as_str()?, table))
        })
        .collect()
}

fn compare_things(kind: &str, old: &BTreeMap<&str, &Table>, new: &BTreeMap<&str, &Table>, changes: &mut Vec<Change>) {
    let ids: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for id in ids {
        let subject = format!("{kind} {id}");
        match (old.get(id), new.get(id)) {
            (Some(old), Some(new)) => compare_tables(&subject, "", old, new, changes),
            (Some(_), None) => say(changes, &subject, "is gone".to_owned()),
            (None, Some(_)) => say(changes, &subject, "is new".to_owned()),
            (None, None) => {}
        }
    }
}

fn compare_tables(subject: &str, place: &str, old: &Table, new: &Table, changes: &mut Vec<Change>) {
    for key in union(old.keys(), new.keys()) {
        let name = format!("{place}{key}");
        match (old.get(key), new.get(key)) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => {
                compare_tables(subject, &format!("{name}."), old, new, changes);
            }
            (was, is) => compare_values(subject, &name, was, is, changes),
        }
    }
}

fn compare_values(subject: &str, name: &str, was: Option<&Value>, is: Option<&Value>, changes: &mut Vec<Change>) {
    let key = name.rsplit('.').next().unwrap_or(name);
    let is_secret = SECRET.contains(&key);
    let text = match (was, is) {
        (was, is) if was == is => return,
        (Some(_), Some(_)) if is_secret => format!("{name}: another one"),
        (Some(was), Some(is)) => format!("{name}: {} → {}", brief(was), brief(is)),
        (Some(_), None) if is_secret => format!("{name} is not said any more"),
        (Some(was), None) => format!("{name} is not said any more (it was {})", brief(was)),
        (None, Some(_)) if is_secret => format!("{name} is said now"),
        (None, Some(is)) => format!("{name} is said now: {}", brief(is)),
        (None, None) => return,
    };
    say(changes, subject, text);
}

/// A value on one line.
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Value::Array(items) => format!("[{}]", items.iter().map(brief).collect::<Vec<_>>().join(", ")),
        Value::Table(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key} = {}", brief(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn compare_plans(subject: &str, old: &Table, new: &Table, changes: &mut Vec<Change>) {
    let (was, is): (BTreeSet<&str>, BTreeSet<&str>) =
        (texts(old.get("numbers")).collect(), texts(new.get("numbers")).collect());
    is.difference(&was).for_each(|number| say(changes, subject, format!("has the number {number} now")));
    was.difference(&is).for_each(|number| say(changes, subject, format!("has no number {number} any more")));
    for key in union(old.keys(), new.keys()) {
        if SILENT.contains(&key.as_str()) || matches!(key.as_str(), "numbers" | "level") {
            continue;
        }
        match (old.get(key), new.get(key)) {
            (Some(Value::Table(old)), Some(Value::Table(new))) => {
                compare_tables(subject, &format!("{key}."), old, new, changes);
            }
            (was, is) => compare_values(subject, key, was, is, changes),
        }
    }
    compare_levels(subject, &levels(old), &levels(new), changes);
}

type Level<'a> = (&'a str, Vec<&'a Table>);

/// The levels of a plan with their rules, in order.
fn levels(plan: &Table) -> Vec<Level<'_>> {
    let levels = tables(plan.get("level"));
    levels
        .map(|level| {
            (level.get("name").and_then(Value::as_str).unwrap_or_default(), tables(level.get("rule")).collect())
        })
        .collect()
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn compare_levels(subject: &str, old: &[Level<'_>], new: &[Level<'_>], changes: &mut Vec<Change>) {
    let of = |levels: &[Level<'_>], name: &str| levels.iter().any(|level| level.0 == name);
    for (name, _) in old.iter().filter(|(name, _)| !of(new, name)) {
        say(changes, subject, format!("level '{name}' is gone"));
    }
    for (at, (name, rules)) in new.iter().enumerate() {
        let Some((_, was)) = old.iter().find(|level| level.0 == *name) else {
            let after = at.checked_sub(1).and_then(|before| new.get(before));
            let place = after.map_or("first".to_owned(), |(after, _)| format!("after level '{after}'"));
            say(changes, subject, format!("level '{name}' is new, {place}"));
            for (index, rule) in rules.iter().enumerate() {
                say(changes, subject, format!("level '{name}', rule {}: {}", index + 1, sentence(rule)));
            }
            continue;
        };
        compare_rules(subject, name, was, rules, changes);
    }
    let common = |levels: &[Level<'_>], others: &[Level<'_>]| -> Vec<String> {
        levels.iter().filter(|(name, _)| of(others, name)).map(|(name, _)| (*name).to_owned()).collect()
    };
    let order = common(new, old);
    if order != common(old, new) {
        say(changes, subject, format!("the levels run in another order: {}", order.join(", ")));
    }
}

/// Rules that stayed are found first, as the longest part of both lists in the same order; what stands between them is
/// paired by place.
fn compare_rules(subject: &str, level: &str, old: &[&Table], new: &[&Table], changes: &mut Vec<Change>) {
    let (mut i, mut j) = (0, 0);
    let mut anchors = stayed(old, new);
    anchors.push((old.len(), new.len()));
    for (to_old, to_new) in anchors {
        while i < to_old || j < to_new {
            let place = |index: usize| format!("level '{level}', rule {}", index + 1);
            match (old.get(i).filter(|_| i < to_old), new.get(j).filter(|_| j < to_new)) {
                (Some(was), Some(is)) => {
                    compare_tables(subject, &format!("{}: ", place(j)), was, is, changes);
                }
                (Some(was), None) => say(changes, subject, format!("{} is gone: {}", place(i), sentence(was))),
                (None, Some(is)) => say(changes, subject, format!("{} is new: {}", place(j), sentence(is))),
                (None, None) => {}
            }
            i += usize::from(i < to_old);
            j += usize::from(j < to_new);
        }
        i = to_old + 1;
        j = to_new + 1;
    }
}

/// The longest common subsequence, as pairs of places. Levels have at most a thousand rules.
fn stayed(old: &[&Table], new: &[&Table]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut longest = vec![0u32; (old.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, was) in old.iter().enumerate().rev() {
        for (j, is) in new.iter().enumerate().rev() {
            let best = match was == is {
                true => at(&longest, i + 1, j + 1) + 1,
                false => at(&longest, i + 1, j).max(at(&longest, i, j + 1)),
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while let (Some(was), Some(is)) = (old.get(i), new.get(j)) {
        if was == is {
            pairs.push((i, j));
            i += 1;
            j += 1;
        } else if at(&longest, i + 1, j) >= at(&longest, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// A rule in one line: `distribute queue = 'sales', when wish == 'x'`.
fn sentence(rule: &Table) -> String {
    let module = rule.get("module").and_then(Value::as_str).unwrap_or_default();
    let inputs = rule.get("in").and_then(Value::as_table).into_iter().flatten();
    let inputs: Vec<String> = inputs.map(|(key, value)| format!("{key} = {}", brief(value))).collect();
    let when = rule.get("when").and_then(Value::as_str).map(|when| format!(", when {when}")).unwrap_or_default();
    format!("{module} {}{when}", inputs.join(", ")).trim().to_owned()
}

fn compare_prompts(before: &Loaded, after: &Loaded, changes: &mut Vec<Change>) {
    let index = |loaded: &Loaded| {
        let settings = &loaded.settings;
        Index::scan(std::slice::from_ref(&settings.prompts), &settings.languages).0
    };
    let (old, new) = (index(before), index(after));
    let files = |index: &Index| -> BTreeMap<String, std::path::PathBuf> {
        let named = index.files().map(|(name, language, path)| {
            let language = language.map(|language| format!(" ({language})")).unwrap_or_default();
            (format!("{name}{language}"), path.to_owned())
        });
        named.collect()
    };
    let (old, new) = (files(&old), files(&new));
    for name in union(old.keys(), new.keys()) {
        let subject = format!("prompt {name}");
        match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if was != is && std::fs::read(was).ok() != std::fs::read(is).ok() => {
                say(changes, &subject, "is another recording".to_owned());
            }
            (Some(_), None) => say(changes, &subject, "is gone".to_owned()),
            (None, Some(_)) => say(changes, &subject, "is new".to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<String> {
        let mut changes = Vec::new();
        compare_plans("plan a", &old.parse().unwrap(), &new.parse().unwrap(), &mut changes);
        changes.into_iter().map(|change| change.text).collect()
    }

    const PLAN: &str = r#"
numbers = ["1"]
[[level]]
name = "one"
[[level.rule]]
when = "a == 1"
module = "announce"
in = { prompt = "x" }
[[level.rule]]
module = "deter"
[[level]]
name = "two"
[[level.rule]]
module = "hangup"
"#;

    #[test]
    fn a_plan_is_like_itself_whatever_its_tests_and_comments() {
        assert_eq!(changes(PLAN, PLAN), Vec::<String>::new());
        let more = format!("{PLAN}\n# so\n[[test]]\nname = 't'\nexpect = {{}}\n");
        assert_eq!(changes(PLAN, &more), Vec::<String>::new());
    }

    #[test]
    fn changes_of_a_rule_are_told_at_their_place() {
        let new = PLAN.replace("a == 1", "a == 2").replace("prompt = \"x\"", "prompt = \"y\", repeat = true");
        assert_eq!(
            changes(PLAN, &new),
            [
                "level 'one', rule 1: in.prompt: 'x' → 'y'",
                "level 'one', rule 1: in.repeat is said now: true",
                "level 'one', rule 1: when: 'a == 1' → 'a == 2'",
            ]
        );
    }

    #[test]
    fn a_rule_that_comes_between_does_not_make_the_others_new() {
        let new = PLAN.replace(
            "[[level.rule]]\nmodule = \"deter\"",
            "[[level.rule]]\nwhen = \"b\"\nmodule = \"distribute\"\nin = { queue = \"sales\" }\n[[level.rule]]\nmodule = \"deter\"",
        );
        assert_eq!(changes(PLAN, &new), ["level 'one', rule 2 is new: distribute queue = 'sales', when b"]);
        assert_eq!(changes(&new, PLAN), ["level 'one', rule 2 is gone: distribute queue = 'sales', when b"]);
    }

    #[test]
    fn numbers_levels_and_their_order_are_told() {
        let new = PLAN.replace("numbers = [\"1\"]", "numbers = [\"2\"]").replace("name = \"two\"", "name = \"three\"");
        assert_eq!(
            changes(PLAN, &new),
            [
                "has the number 2 now",
                "has no number 1 any more",
                "level 'two' is gone",
                "level 'three' is new, after level 'one'",
                "level 'three', rule 1: hangup",
            ]
        );
        let (first, second) = PLAN.split_at(PLAN.rfind("[[level]]").unwrap());
        let turned = first.replace("[[level]]", &format!("{second}\n[[level]]"));
        assert_eq!(changes(PLAN, &turned), ["the levels run in another order: two, one"]);
    }

    #[test]
    fn secrets_are_not_told() {
        let mut found = Vec::new();
        let table = |text: &str| text.parse::<Table>().unwrap();
        let (old, new) = (
            table("[[agent]]\nid = '1'\npassword = 'old-secret'\n[[queue]]\nid = 'a'\nwrap_up_s = 5"),
            table("[[agent]]\nid = '1'\npassword = 'new-secret'\n[[queue]]\nid = 'b'\nwrap_up_s = 5"),
        );
        compare_configurations(&old, &new, &mut found);
        let told: Vec<String> = found.iter().map(|change| format!("{}: {}", change.subject, change.text)).collect();
        assert_eq!(told, ["agent 1: password: another one", "queue a: is gone", "queue b: is new"]);
    }
}
