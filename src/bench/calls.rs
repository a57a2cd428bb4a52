//! Which sample calls go otherwise in two configurations: every number at telling times, from a few callers, with the
//! keys that the plans offer, with agents who answer and with none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use super::trace::trunk_that_offers;
use crate::config::Loaded;
use crate::dialplan::driver::{Course, End, Scenario, drive};
use crate::dialplan::{Plan, QueueOutcome, Value};
use crate::time::Wall;

/// Bounds of the grid, and of what is listed.
const MOST_CALLS: usize = 20_000;
const MOST_KEYS: usize = 40;
const MOST_CALLERS: usize = 6;
const MOST_LISTED: usize = 25;

/// What became of the sample calls.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Samples {
    pub tried: usize,
    pub different: usize,
    pub differences: Vec<Difference>,
    /// Calls that differ in ways that are not listed.
    pub not_listed: usize,
}

/// Calls to one number that differ in the same way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    pub to: String,
    pub before: String,
    pub after: String,
    pub calls: usize,
    /// The first one, in words.
    pub example: String,
}

/// Tries the calls on both sides; after `until` no more of them are tried.
pub fn compare(before: &Loaded, after: &Loaded, now: Wall, until: Option<Instant>) -> Samples {
    let sides = [before, after];
    let mut samples = Samples::default();
    let mut found: BTreeMap<(String, String, String), Difference> = BTreeMap::new();
    let times = times(sides, now);
    for to in numbers(sides) {
        let plans: Vec<&Plan> =
            sides.iter().filter_map(|side| side.plans.find(&to, &[]).and_then(|plan| side.plans.get(&plan))).collect();
        for call in grid(&to, &plans, &times) {
            if samples.tried >= MOST_CALLS || until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            samples.tried += 1;
            let (was, is) = (call.told(before), call.told(after));
            if was == is {
                continue;
            }
            samples.different += 1;
            let key = (to.clone(), was.clone(), is.clone());
            let first = || Difference { to: to.clone(), before: was, after: is, calls: 0, example: call.to_string() };
            found.entry(key).or_insert_with(first).calls += 1;
        }
    }
    samples.differences = found.into_values().collect();
    samples.differences.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.to.cmp(&b.to)));
    let rest = samples.differences.split_off(samples.differences.len().min(MOST_LISTED));
    samples.not_listed = rest.iter().map(|difference| difference.calls).sum();
    samples
}

/// One call of the grid.
struct Sample<'a> {
    to: &'a str,
    from: String,
    at: Wall,
    keys: String,
    /// Nobody answers: whoever waits has waited too long.
    unanswered: bool,
}

impl Sample<'_> {
    /// What becomes of it, in words.
    fn told(&self, side: &Loaded) -> String {
        let Some(plan) = side.plans.find(self.to, &[]) else { return "no plan has this number: 404".to_owned() };
        let settings = &side.settings;
        let scenario = Scenario {
            trunk: trunk_that_offers(settings, &plan).map(|trunk| trunk.id.clone()),
            digits: self.keys.clone(),
            queues: match self.unanswered {
                true => settings.queues.iter().map(|q| (q.id.to_string(), QueueOutcome::TimedOut)).collect(),
                false => BTreeMap::new(),
            },
            ..Scenario::new(&self.from, self.to, settings.language.clone(), self.at)
        };
        in_words(&drive(&side.plans, &plan, &scenario, &()))
    }
}

impl std::fmt::Display for Sample<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = if self.from.is_empty() { "a withheld number" } else { &self.from };
        write!(f, "{}, such as from {from} on {}", self.to, self.at.strftime("%A %Y-%m-%d %H:%M UTC"))?;
        if !self.keys.is_empty() {
            write!(f, ", keys {}", self.keys)?;
        }
        if self.unanswered { f.write_str(", nobody answers") } else { Ok(()) }
    }
}

fn in_words(course: &Course) -> String {
    let end = match (course.end, &course.queue, &course.target) {
        (End::Talking, _, Some(target)) => format!("{target} answers"),
        (End::Talking, Some(queue), _) => format!("an agent of queue {queue} answers"),
        (End::HungUp { status, .. }, ..) if !course.answered => format!("refused with {status}"),
        (_, Some(queue), _) => format!("{} after queue {queue}", course.outcome().name()),
        _ => course.outcome().name().to_owned(),
    };
    let heard = if course.heard.is_empty() { String::new() } else { format!("; hears {}", course.heard.join(", ")) };
    format!("{end}, in {}{heard}", course.run.language())
}

/// A number of every pattern.
fn numbers(sides: [&Loaded; 2]) -> BTreeSet<String> {
    let plans = sides.iter().flat_map(|side| side.plans.iter());
    plans.flat_map(|plan| plan.numbers.iter().map(|number| number.pattern.example())).collect()
}

/// Times at which the calendars of the two sides stand differently to each other: two of each constellation within a
/// year, the week to come looked at every half an hour.
fn times(sides: [&Loaded; 2], now: Wall) -> Vec<Wall> {
    let half_hour = Duration::from_secs(1_800);
    let start = now.as_second() - now.as_second().rem_euclid(1_800);
    let Ok(start) = Wall::from_second(start) else { return vec![now] };
    let week = (0..7 * 48).map(|step| step * half_hour);
    let year = (7 * 12..366 * 12).map(|step| step * half_hour * 4);
    let mut seen: BTreeMap<Vec<bool>, u8> = BTreeMap::new();
    let mut times = Vec::new();
    for step in week.chain(year) {
        let Ok(at) = start.checked_add(jiff::SignedDuration::try_from(step).unwrap_or_default()) else { break };
        let calendars = sides.iter().flat_map(|side| side.plans.names().calendars.values());
        let times_seen = seen.entry(calendars.map(|calendar| calendar.is_open(at)).collect()).or_insert(0);
        if *times_seen < 2 {
            *times_seen += 1;
            times.push(at);
        }
    }
    times
}

/// The calls to one number.
fn grid<'a>(to: &'a str, plans: &[&Plan], times: &[Wall]) -> Vec<Sample<'a>> {
    let mut calls = Vec::new();
    for keys in keys(plans) {
        for from in callers(plans) {
            for at in times {
                for unanswered in [false, true] {
                    calls.push(Sample { to, from: from.clone(), at: *at, keys: keys.clone(), unanswered });
                }
            }
        }
    }
    calls
}

/// No key, every key that a menu offers, and each two of them one after the other.
fn keys(plans: &[&Plan]) -> Vec<String> {
    let rules = plans.iter().flat_map(|plan| &plan.levels).flat_map(|level| &level.rules);
    let menus = rules.filter_map(|rule| match rule.fixed.get("choices") {
        Some(Value::Map(choices)) => Some(choices.keys().cloned()),
        _ => None,
    });
    let single: BTreeSet<String> = menus.flatten().collect();
    let pairs = single.iter().flat_map(|first| single.iter().map(move |second| format!("{first} {second}")));
    std::iter::once(String::new()).chain(single.iter().cloned()).chain(pairs).take(MOST_KEYS).collect()
}

/// A caller from two countries, one who hides the number, and those whom conditions name.
fn callers(plans: &[&Plan]) -> BTreeSet<String> {
    let mut callers = BTreeSet::from(["", "+33155501", "+447700900123"].map(str::to_owned));
    let rules = plans.iter().flat_map(|plan| &plan.levels).flat_map(|level| &level.rules);
    for word in rules.filter_map(|rule| rule.when.as_ref()).flat_map(|when| when.text().split(['\'', '"'])) {
        let digits = word.strip_prefix('+').unwrap_or(word);
        if callers.len() < MOST_CALLERS && digits.len() > 1 && digits.chars().all(|c| c.is_ascii_digit()) {
            callers.insert(if digits.len() < 6 { format!("{word}155501") } else { word.to_owned() });
        }
    }
    callers
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::{self, Overrides};

    fn load(path: &Path) -> Loaded {
        config::load(path, &Overrides::default()).unwrap_or_else(|findings| panic!("{findings:?}"))
    }

    /// A copy of the demo with one file changed.
    fn changed(folder: &Path, file: &str, from: &str, to: &str) -> PathBuf {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo");
        std::fs::create_dir_all(folder.join("plans")).unwrap();
        for path in std::fs::read_dir(demo.join("plans")).unwrap().map(|entry| entry.unwrap().path()) {
            std::fs::copy(&path, folder.join("plans").join(path.file_name().unwrap())).unwrap();
        }
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        let text = std::fs::read_to_string(demo.join("relais.toml")).unwrap();
        let text = text.replace("\"../../prompts\"", &format!("\"{}\"", prompts.display()));
        let text = text.replace("../../dialplans/", concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/"));
        std::fs::write(folder.join("relais.toml"), text).unwrap();
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
        folder.join("relais.toml")
    }

    fn now() -> Wall {
        "2026-11-25T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_same_files_give_the_same_calls() {
        let demo = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml"));
        let samples = compare(&demo, &demo, now(), None);
        assert!(samples.tried > 100 && samples.different == 0, "{samples:?}");
    }

    #[test]
    fn a_key_that_leads_elsewhere_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let demo = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo/relais.toml"));
        let other = load(&changed(
            folder.path(),
            "plans/601-menu.toml",
            "1 = \"sales\", 2 = \"support\"",
            "1 = \"support\", 2 = \"sales\"",
        ));
        let samples = compare(&demo, &other, now(), None);
        let to: BTreeSet<&str> = samples.differences.iter().map(|difference| difference.to.as_str()).collect();
        assert_eq!(to, BTreeSet::from(["601"]), "{samples:?}");
        let swapped =
            |difference: &&Difference| difference.before.contains("support") && difference.after.contains("sales");
        assert!(samples.differences.iter().find(swapped).is_some(), "{samples:?}");
        assert!(samples.differences.iter().all(|difference| difference.example.contains("keys")), "{samples:?}");
    }

    #[test]
    fn hours_that_change_are_found_at_the_time_that_matters() {
        let folder = tempfile::tempdir().unwrap();
        let plan = "plans/611-support.toml";
        let path = changed(folder.path(), plan, "[[level]]", HOURS);
        let before = load(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("09:00-18:00", "09:00-17:30", 1)).unwrap();
        let samples = compare(&before, &load(&path), now(), None);
        assert!(samples.different > 0 && samples.different < samples.tried / 2, "{samples:?}");
        let first = &samples.differences[0];
        assert_eq!(first.to, "611");
        assert!(first.after.starts_with("deterred") && first.example.contains("16:30 UTC"), "{first:?}");
    }

    const HOURS: &str = "[[level]]\nname = \"hours\"\n[[level.rule]]\nmodule = \"calendar\"\n\
        in = { calendar = \"support\" }\nout = { state = \"open\" }\n[[level]]\nname = \"closed\"\n[[level.rule]]\n\
        when = \"open == 'closed'\"\nmodule = \"deter\"\n\n[[level]]";
}
