//! The test cases that stand in the files of plans and bots, and their verdicts.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::minds;
use super::trace::trunk_that_offers;
use crate::callbot::case::Case as BotCase;
use crate::callbot::dialogue::Mind;
use crate::callbot::encoder::Encoder;
use crate::config::Loaded;
use crate::dialplan::driver::Minds;
use crate::dialplan::{Case, Miss, Plan};

/// One test that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TestVerdict)]
pub struct Verdict {
    /// The plan or bot it stands in.
    #[serde(rename = "plan")]
    pub of: String,
    pub file: String,
    pub line: usize,
    pub name: String,
    pub ok: bool,
    pub misses: Vec<Miss>,
}

impl Verdict {
    fn new(of: &str, (file, line): (&str, usize), name: &str, misses: Vec<Miss>) -> Verdict {
        let (of, file, name) = (of.to_owned(), file.to_owned(), name.to_owned());
        Verdict { of, file, line, name, ok: misses.is_empty(), misses }
    }
}

/// Plays the tests of the plans.
pub fn of_plans<'l>(loaded: &'l Loaded, minds: &'l dyn Minds) -> impl Iterator<Item = Verdict> + 'l {
    let cases = loaded.plans.iter().flat_map(|plan| plan.cases().iter().map(move |case| (plan, case)));
    cases.map(|(plan, case)| play(plan, case, loaded, minds))
}

/// Plays the tests of the bots; `encoder` is asked for where there are any.
pub fn of_bots(loaded: &Loaded, encoder: impl FnOnce() -> Option<Arc<Encoder>>) -> Vec<Verdict> {
    let with_tests = loaded.bots.iter().filter(|described| !described.cases.is_empty());
    let with_tests: Vec<_> = with_tests.collect();
    let encoder = if with_tests.is_empty() { None } else { encoder() };
    let mut verdicts = Vec::new();
    for described in with_tests {
        let understanding = minds::understanding(&described.bot, encoder.clone(), loaded);
        let mind = Mind { bot: &described.bot, understanding: &understanding, spoken: &loaded.plans.names().spoken };
        for case in &described.cases {
            let BotCase { name, file, line, .. } = case;
            let misses = case.run(mind).into_iter().map(|miss| Miss {
                line: *line,
                what: miss.what,
                expected: miss.expected,
                got: miss.got,
            });
            verdicts.push(Verdict::new(&described.bot.name, (file, *line), name, misses.collect()));
        }
    }
    verdicts
}

/// Dials the number of the test, as a call by the trunk that offers the plan would.
fn play(plan: &Plan, case: &Case, loaded: &Loaded, minds: &dyn Minds) -> Verdict {
    let settings = &loaded.settings;
    let trunk = trunk_that_offers(settings, &plan.id);
    let scenario = case.scenario(&settings.language, trunk.map(|trunk| trunk.id.clone()));
    let reached = match plan.numbers.is_empty() {
        true => Some(plan.id.clone()),
        false => loaded.plans.find(case.dials(), &[]),
    };
    let miss = |got: String| Miss { line: case.line, what: "plan".to_owned(), expected: plan.id.to_string(), got };
    let misses = match reached {
        None => vec![miss(format!("no plan for the number {}", case.dials()))],
        Some(reached) => {
            let (_, mut misses) = case.run(&loaded.plans, &reached, &scenario, minds);
            if reached != plan.id {
                misses.insert(0, miss(reached.to_string()));
            }
            misses
        }
    };
    Verdict::new(plan.id.as_str(), (&case.file, case.line), &case.name, misses)
}
