//! How the shipped languages say values: by examples, and against independent sources.

#[path = "support/oracle.rs"]
mod oracle;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oracle::Oracle;
use relais::config;
use relais::ids::Language;
use relais::spoken::{Amount, Kind, PREFIX, Said, Table};
use relais::time::Wall;

/// A language with the texts of its prompts.
struct Speaker {
    table: Table,
    texts: BTreeMap<String, String>,
}

impl Speaker {
    fn new(language: &str) -> Speaker {
        let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        let (mut tables, findings) = config::read_spoken(&prompts, &[Language::from(language)]);
        assert_eq!(findings, [], "{language}/spoken.toml");
        let mut texts = BTreeMap::new();
        for (name, said) in read(prompts.join("prompts.toml")) {
            texts.extend(said.get(language).and_then(toml::Value::as_str).map(|text| (name, text.to_owned())));
        }
        for (word, said) in read(prompts.join(language).join("spoken.toml"))["words"].as_table().expect("words") {
            let text = said.get("text").unwrap_or(said).as_str().expect("a text");
            texts.insert(format!("{PREFIX}{word}"), text.to_owned());
        }
        Speaker { table: tables.remove(language).expect("a table"), texts }
    }

    /// The prompts joined as text; a pause is a comma.
    fn say(&self, kind: Kind, set: Option<&str>, value: Amount<'_>) -> String {
        let now: Wall = "2026-11-28T11:00:00Z".parse().expect("a time");
        let said = Said { kind, set: set.map(str::to_owned) };
        let Some(prompts) = said.prompts(value, &self.table, now) else { return "nothing".to_owned() };
        let text = |prompt: &String| self.texts.get(prompt).unwrap_or_else(|| panic!("{prompt} has no text")).as_str();
        prompts.iter().map(text).collect::<Vec<_>>().join(" ").replace(" ,", ",")
    }

    fn number(&self, set: &str, number: i64) -> String {
        self.say(Kind::Number, Some(set), Amount::Integer(number))
    }

    fn check(&self, kind: Kind, set: Option<&str>, examples: &[(&str, &str)]) {
        for (value, words) in examples {
            assert_eq!(self.say(kind, set, Amount::Text(value)), *words, "{kind:?} {value}");
        }
    }
}

fn read(path: PathBuf) -> toml::Table {
    std::fs::read_to_string(&path).expect("a readable file").parse().expect("a TOML file")
}

#[test]
fn french_numbers() {
    let french = Speaker::new("fr");
    french.check(
        Kind::Number,
        None,
        &[
            ("0", "zéro"),
            ("21", "vingt et un"),
            ("22", "vingt deux"),
            ("60", "soixante"),
            ("70", "soixante dix"),
            ("71", "soixante et onze"),
            ("80", "quatre-vingts"),
            ("81", "quatre-vingt un"),
            ("91", "quatre-vingt onze"),
            ("97", "quatre-vingt dix-sept"),
            ("100", "cent"),
            ("200", "deux cents"),
            ("201", "deux cent un"),
            ("1000", "mille"),
            ("1001", "mille un"),
            ("2000", "deux mille"),
            ("80000", "quatre-vingt mille"),
            ("200000", "deux cent mille"),
            ("1000000", "un million"),
            ("2000080", "deux millions quatre-vingts"),
            ("200000000", "deux cents millions"),
            ("1000000000", "un milliard"),
            ("-7", "moins sept"),
        ],
    );
    french.check(Kind::Number, Some("feminine"), &[("1", "une"), ("21", "vingt et une"), ("81", "quatre-vingt une")]);
    french.check(
        Kind::Ordinal,
        None,
        &[
            ("1", "premier"),
            ("2", "deuxième"),
            ("21", "vingt et unième"),
            ("71", "soixante et onzième"),
            ("100", "centième"),
        ],
    );
    french.check(Kind::Ordinal, Some("ordinal-feminine"), &[("1", "première"), ("81", "quatre-vingt unième")]);
}

#[test]
fn french_things_and_times() {
    let french = Speaker::new("fr");
    french.check(
        Kind::Number,
        Some("minutes"),
        &[
            ("0", "zéro minute"),
            ("1", "une minute"),
            ("2", "deux minutes"),
            ("21", "vingt et une minutes"),
            ("80", "quatre-vingts minutes"),
        ],
    );
    french.check(
        Kind::Number,
        Some("hours"),
        &[("1", "une heure"), ("9", "neuf heures"), ("31", "trente et une heures")],
    );
    french.check(
        Kind::Time,
        None,
        &[
            ("00:00", "minuit"),
            ("00:30", "minuit trente"),
            ("01:01", "une heure une"),
            ("09:05", "neuf heures cinq"),
            ("12:00", "midi"),
            ("12:15", "midi quinze"),
            ("18:00", "dix-huit heures"),
            ("21:21", "vingt et une heures vingt et une"),
            ("2026-12-25T19:05:00+01:00", "dix-neuf heures cinq"),
        ],
    );
    french.check(
        Kind::Duration,
        None,
        &[
            ("0", "zéro seconde"),
            ("90", "une minute et trente secondes"),
            ("3660", "une heure et une minute"),
            ("86400", "un jour"),
        ],
    );
    french.check(Kind::Date, None, &[("2026-05-01", "vendredi premier mai deux mille vingt six")]);
    french.check(Kind::Day, None, &[("2026-12-25", "vendredi vingt cinq décembre"), ("2026-08-11", "mardi onze août")]);
    french.check(Kind::Weekday, None, &[("2026-11-29", "dimanche")]);
    french.check(
        Kind::When,
        None,
        &[
            ("2026-11-28T14:30:00+01:00", "aujourd'hui à quatorze heures trente"),
            ("2026-11-29T09:00:00+01:00", "demain à neuf heures"),
            ("2026-12-04T09:00:00+01:00", "vendredi à neuf heures"),
            ("2026-12-05T09:00:00+01:00", "samedi cinq décembre à neuf heures"),
            ("2026-11-27T09:00:00+01:00", "vendredi vingt sept novembre à neuf heures"),
        ],
    );
}

#[test]
fn french_sums_telephones_and_places() {
    let french = Speaker::new("fr");
    french.check(
        Kind::Money,
        Some("eur"),
        &[
            ("0", "zéro euro"),
            ("1", "un euro"),
            ("0.01", "un centime"),
            ("12.50", "douze euros et cinquante centimes"),
            ("21", "vingt et un euros"),
            ("1000000", "un million d'euros"),
            ("1000100", "un million cent euros"),
            ("-3.05", "moins trois euros et cinq centimes"),
        ],
    );
    french.check(Kind::Money, Some("gbp"), &[("21", "vingt et une livres"), ("0.01", "un penny")]);
    french.check(
        Kind::Phone,
        None,
        &[
            ("+33142685300", "zéro un, quarante deux, soixante huit, cinquante trois, zéro zéro"),
            ("0801020304", "zéro huit, zéro un, zéro deux, zéro trois, zéro quatre"),
            ("112", "un, douze"),
            ("anonymous", "nothing"),
        ],
    );
    french.check(Kind::Digits, None, &[("4711", "quatre sept un un"), ("*1#", "étoile un dièse")]);
    french.check(
        Kind::Position,
        None,
        &[
            ("1", "Vous êtes le prochain à être servi."),
            ("5", "Dans la file d'attente, vous êtes en position cinq"),
            ("20", "Dans la file d'attente, vous êtes en position vingt"),
            ("21", "Veuillez rester en ligne. Nous prendrons votre appel dès que possible."),
            ("0", "nothing"),
        ],
    );
}

#[test]
fn english_numbers_and_times() {
    let english = Speaker::new("en");
    english.check(
        Kind::Number,
        None,
        &[
            ("0", "zero"),
            ("21", "twenty one"),
            ("100", "one hundred"),
            ("101", "one hundred and one"),
            ("1005", "one thousand and five"),
            ("1200", "one thousand two hundred"),
            ("1000001", "one million and one"),
            ("-7", "minus seven"),
        ],
    );
    english.check(
        Kind::Ordinal,
        None,
        &[("1", "first"), ("22", "twenty second"), ("30", "thirtieth"), ("101", "one hundred and first")],
    );
    english.check(Kind::Number, Some("minutes"), &[("1", "one minute"), ("21", "twenty one minutes")]);
    english.check(
        Kind::Time,
        None,
        &[
            ("00:00", "midnight"),
            ("00:05", "twelve oh five a.m."),
            ("09:00", "nine a.m."),
            ("11:59", "eleven fifty nine a.m."),
            ("12:00", "noon"),
            ("12:30", "twelve thirty p.m."),
            ("13:00", "one p.m."),
            ("23:05", "eleven oh five p.m."),
        ],
    );
    english.check(
        Kind::Duration,
        None,
        &[("61", "one minute and one second"), ("7200", "two hours"), ("90000", "one day and one hour")],
    );
    english.check(
        Kind::Date,
        None,
        &[
            ("2026-12-25", "Friday December twenty fifth twenty twenty six"),
            ("2005-01-01", "Saturday January first two thousand and five"),
        ],
    );
    english.check(
        Kind::When,
        None,
        &[
            ("2026-11-28T14:30:00+00:00", "today at two thirty p.m."),
            ("2026-11-29T09:00:00Z", "tomorrow at nine a.m."),
            ("2026-11-30T09:00:00Z", "on Monday at nine a.m."),
            ("2026-12-25T09:00:00Z", "on Friday December twenty fifth at nine a.m."),
        ],
    );
}

#[test]
fn english_sums_telephones_and_places() {
    let english = Speaker::new("en");
    english.check(
        Kind::Money,
        Some("eur"),
        &[("12.50", "twelve euros and fifty cents"), ("1.01", "one euro and one cent"), ("0.99", "ninety nine cents")],
    );
    english.check(Kind::Money, Some("gbp"), &[("1.01", "one pound and one penny")]);
    english.check(
        Kind::Phone,
        None,
        &[
            ("+12125550123", "two one two, five five five, zero one two three"),
            ("+442079460958", "zero two zero seven nine, four six zero, nine five eight"),
        ],
    );
    english.check(
        Kind::Position,
        None,
        &[("1", "You are first in the queue."), ("12", "Your place in the queue is number twelve")],
    );
}

/// Every number to 10,000, and random ones to 10^9, with what each source says. Where sources differ one of them must
/// agree: ICU 72 writes "deux cent millions" and "cent-et-unième", num2words appends "ième" to a plural's s.
#[test]
fn numbers_are_spelled_out_as_independent_sources_do() {
    let Some(oracle) =
        Oracle::start("numbers_are_spelled_out_as_independent_sources_do", "spoken.py", &["icu", "num2words"])
    else {
        return;
    };
    let seed = oracle::seed();
    println!("seed {seed}: RELAIS_SEED={seed} repeats it");
    let answers = oracle.ask(&[&seed.to_string()]);
    let speakers = BTreeMap::from([("en", Speaker::new("en")), ("fr", Speaker::new("fr"))]);
    let (mut compared, mut disputed) = (BTreeMap::new(), 0);
    for line in answers.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [language, set, number, sources @ ..] = fields.as_slice() else { panic!("{line}") };
        let ours = plain(&speakers[language].number(set, number.parse().expect("a number")));
        let theirs: Vec<String> = sources.iter().map(|source| plain(source)).collect();
        assert!(
            !theirs.is_empty() && theirs.contains(&ours),
            "{language} {set} {number}: '{ours}', not one of {theirs:?}"
        );
        disputed += usize::from(theirs.iter().any(|words| *words != ours));
        *compared.entry(format!("{language} {set}")).or_insert(0) += 1;
    }
    println!("compared {compared:?}; of these the sources differ on {disputed}");
    for set in ["en number", "en ordinal", "en year", "fr number", "fr feminine", "fr ordinal", "fr ordinal-feminine"] {
        assert!(compared.get(set).is_some_and(|count| *count > 9_000 || set == "en year"), "{set}: {compared:?}");
    }
}

/// Words only: how they are hyphenated is not heard.
fn plain(text: &str) -> String {
    text.replace([',', '-', '\u{2011}', '\u{ad}'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}
