//! Calendars against independent sources: PyPI's holidays, python-dateutil, Python's zoneinfo.

#[path = "support/oracle.rs"]
mod oracle;
mod support;

use std::collections::BTreeSet;

use oracle::Oracle;
use relais::ivr::{Calendar, Hours, easter, of_country};
use relais::time::Wall;

fn oracle(test: &str) -> Option<Oracle> {
    Oracle::start(test, "calendars.py", &["holidays", "dateutil"])
}

#[test]
fn easter_is_when_dateutil_says() {
    let Some(oracle) = oracle("easter_is_when_dateutil_says") else { return };
    let answers = oracle.ask(&["easter"]);
    let ours: Vec<String> = (1583..4100).map(|year| easter(year).expect("a date").to_string()).collect();
    assert_eq!(answers.lines().collect::<Vec<_>>(), ours);
}

#[test]
fn legal_holidays_of_france_are_those_of_the_library() {
    let Some(oracle) = oracle("legal_holidays_of_france_are_those_of_the_library") else { return };
    let theirs: BTreeSet<String> = oracle.ask(&["holidays"]).lines().map(str::to_owned).collect();
    let mut ours = BTreeSet::new();
    for country in ["fr", "fr-alsace-moselle"] {
        for holiday in of_country(country).expect("a known country") {
            let dates = (2008..2100).filter_map(|year| holiday.day.of_year(year));
            ours.extend(dates.map(|date| format!("{country}\t{date}")));
        }
    }
    assert!(theirs.len() > 2_000, "{}", theirs.len());
    assert_eq!(ours.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn openings_are_those_that_a_search_minute_by_minute_finds() {
    let Some(oracle) = oracle("openings_are_those_that_a_search_minute_by_minute_finds") else { return };
    let seed = oracle::seed();
    println!("seed {seed}: RELAIS_SEED={seed} repeats it");
    let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
    let hours = |texts: &[&str]| texts.iter().map(|text| Hours::parse(text).expect("hours")).collect::<Vec<_>>();
    for day in 0..5 {
        calendar.weekly[day] = hours(&["08:30-12:00", "13:30-18:15"]);
    }
    calendar.weekly[6] = hours(&["01:30-04:00"]);
    calendar.holidays = of_country("fr").expect("France");
    let answers = oracle.ask(&["openings", &seed.to_string()]);
    for line in answers.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [at, state, next] = fields.as_slice() else { panic!("{line}") };
        let moment = |text: &str| Wall::from_second(text.parse().expect("a number")).expect("a time");
        let opening = calendar.opening(moment(at));
        assert_eq!(opening.open, *state == "open", "{line}: {}", moment(at));
        let expected = (*state == "closed").then(|| moment(next));
        assert_eq!(opening.opens, expected, "{line}: {}", moment(at));
    }
    assert!(answers.lines().count() > 1_000);
}
