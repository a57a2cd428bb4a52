//! The rules at work, in a language of the tests' own. tests/spoken.rs has English and French.

use super::table::{Draft, Fault, Set};
use super::*;
use crate::time::Wall;

fn set(rules: &[(&str, &str)]) -> Set {
    let mut set = Set::default();
    for (base, text) in rules {
        match *base {
            "like" => set.like = Some((*text).to_owned()),
            "minus" => set.minus = Some(parse_rule(text).unwrap()),
            base => set.rules.push((Base::parse(base).unwrap(), parse_rule(text).unwrap())),
        }
    }
    set
}

fn draft(sets: &[(&str, &[(&str, &str)])]) -> Draft {
    Draft { sets: sets.iter().map(|(name, rules)| ((*name).to_owned(), set(rules))).collect(), ..Draft::default() }
}

fn table(sets: &[(&str, &[(&str, &str)])]) -> Table {
    draft(sets).build().unwrap()
}

fn said(table: &Table, set: &str, number: i64) -> String {
    let prompts = table.say(set, number).unwrap_or_else(|| vec!["nothing".to_owned()]);
    prompts.iter().map(|prompt| prompt.trim_start_matches(PREFIX)).collect::<Vec<_>>().join(" ")
}

fn messages(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.message.as_str()).collect()
}

const COUNTING: &[(&str, &[(&str, &str)])] = &[
    ("n", &[("0", "none"), ("1", "one"), ("2", "two"), ("10", "<ten ten [and >]"), ("minus", "less >")]),
    ("ten", &[("1", "one"), ("2", "two"), ("10", "many")]),
    ("things", &[("0", "=n things"), ("1", "one thing"), ("2", "=n things")]),
    ("clock", &[("0", "start"), ("60/60", "<n [past >n|sharp]")]),
    ("queue", &[("1", "@first"), ("2", "@folder/place =n"), ("3", "@wait")]),
    ("other", &[("like", "n"), ("2", "pair")]),
];

#[test]
fn the_rule_with_the_highest_base_holds() {
    let table = table(COUNTING);
    for (number, words) in [(0, "none"), (1, "one"), (2, "two"), (9, "two"), (10, "one ten"), (22, "two ten and two")] {
        assert_eq!(said(&table, "n", number), words, "{number}");
    }
    assert_eq!(said(&table, "n", 101), "many ten and one", "the quotient goes to the set that is named");
}

#[test]
fn another_set_says_the_same_number() {
    let table = table(COUNTING);
    assert_eq!(said(&table, "things", 1), "one thing");
    assert_eq!(said(&table, "things", 12), "one ten and two things");
}

#[test]
fn what_is_divided_evenly_says_the_second_of_two_alternatives() {
    let table = table(COUNTING);
    assert_eq!(said(&table, "clock", 60), "one sharp");
    assert_eq!(said(&table, "clock", 121), "two past one");
}

#[test]
fn rules_not_given_are_those_of_the_set_it_is_like_but_lead_into_its_own() {
    let table = table(COUNTING);
    assert_eq!(said(&table, "other", 1), "one");
    assert_eq!(said(&table, "other", 12), "one ten and pair");
    assert_eq!(said(&table, "other", -2), "less pair");
}

#[test]
fn the_largest_and_the_smallest_number_have_an_end() {
    let table = table(COUNTING);
    assert!(said(&table, "n", -11).starts_with("less one ten"));
    assert!(table.say("n", i64::MAX).is_some());
    assert!(table.say("n", i64::MIN).is_some());
    assert_eq!(table.say("things", -1), None, "without a rule for it nothing is said");
    assert_eq!(table.say("ten", 0), None);
}

#[test]
fn an_at_sign_names_a_prompt_as_it_stands() {
    let table = table(COUNTING);
    assert_eq!(table.say("queue", 1), Some(vec!["first".to_owned()]));
    assert_eq!(table.say("queue", 2), Some(vec!["folder/place".to_owned(), "spoken-two".to_owned()]));
}

#[test]
fn rules_that_do_not_hang_together_are_refused() {
    for (sets, expected) in [
        (&[("n", &[("0", "=x")][..])][..], "there are no rules 'x'"),
        (&[("n", &[("like", "m"), ("0", "zero")])], "there are no rules 'm' to be like"),
        (
            &[("a", &[("like", "b"), ("0", "x")]), ("b", &[("like", "a"), ("0", "x")])],
            "rules that are like 'b' are like themselves",
        ),
        (&[("n", &[("5", "five")])], "the first rule is to be for 0 or 1"),
        (&[("n", &[("0", "zero"), ("7", "seven >")])], "7 is not divided, so < and > mean nothing; write \"7/10\""),
        (
            &[("a", &[("0", "=b")]), ("b", &[("0", "x"), ("5", "[=a|=a]")])],
            "the rules for 5 lead back to themselves by =",
        ),
    ] {
        let faults = draft(sets).build().unwrap_err();
        assert!(messages(&faults).contains(&expected), "{expected}: {faults:?}");
    }
}

#[test]
fn sets_that_name_each_other_for_other_numbers_are_no_circle() {
    let table = table(&[("a", &[("0", "zero"), ("5", "=b")]), ("b", &[("0", "=a"), ("5", "five")])]);
    assert_eq!(said(&table, "a", 7), "five");
    assert_eq!(said(&table, "b", 3), "zero");
}

#[test]
fn rules_and_bases_are_read() {
    assert_eq!(Base::parse("0").unwrap(), Base { from: 0, divisor: 1 });
    assert_eq!(Base::parse("250").unwrap(), Base { from: 250, divisor: 100 });
    assert_eq!(Base::parse("62/20").unwrap(), Base { from: 62, divisor: 20 });
    for bad in ["", "-1", "1.5", "x", "10/1", "10/0", "10/", "/10", "1000000000000000000000"] {
        assert!(Base::parse(bad).is_err(), "{bad}");
    }
    for bad in ["", "  ", "[a", "zéro", "A", "=", "@", "a]b", "<é"] {
        assert!(parse_rule(bad).is_err(), "{bad}");
    }
    assert!(parse_format("month=months and weekday=days").is_ok());
    for bad in ["", "moon=months", "month="] {
        assert!(parse_format(bad).is_err(), "{bad}");
    }
}

#[test]
fn telephone_numbers_go_in_groups() {
    let groups = |phone: &Phone, number: &str| phone.groups(number).map(|groups| groups.join(" "));
    let formats = [("+33NNNNNNNNN", "0N NN NN NN NN"), ("118 NNN", "118 NNN")];
    let formats = formats.map(|(number, said)| PhoneFormat::parse(number, said).unwrap()).to_vec();
    let phone = Phone { formats, group: 2, between: Vec::new() };
    for (number, expected) in [
        ("+33142685300", Some("01 42 68 53 00")),
        ("tel:+33 1.42-68(53)00", Some("01 42 68 53 00")),
        ("118218", Some("118 218")),
        ("0142685300", Some("01 42 68 53 00")),
        ("3900", Some("39 00")),
        ("12345", Some("1 23 45")),
        ("*21#", Some("*2 1#")),
        ("anonymous", None),
        ("", None),
        ("+33 1 <script>", None),
    ] {
        assert_eq!(groups(&phone, number).as_deref(), expected, "{number}");
    }
    assert_eq!(groups(&phone, &"1".repeat(200)), None);
    for (number, said) in [("NN", "N"), ("", ""), ("N", "x"), ("A", "N")] {
        assert!(PhoneFormat::parse(number, said).is_err(), "{number} {said}");
    }
}

#[test]
fn values_are_told_from_what_is_none() {
    let fits = |kind: Kind, text: &str| Said { kind, set: Some("eur".to_owned()) }.fits(Amount::Text(text));
    for (kind, good, bad) in [
        (Kind::Number, &["3", " -4 "][..], &["", "3.5", "three", "99999999999999999999"][..]),
        (Kind::Position, &["1"], &["0", "-1"]),
        (Kind::Duration, &["0", "90"], &["-1", "1h"]),
        (
            Kind::Money,
            &["12.50", "12,5", "-3", "0.10", "12.5000"],
            &["", ".5", "12.505", "1e3", "12€", "99999999999999999999"],
        ),
        (
            Kind::Date,
            &["2026-12-25", "2026-12-25T09:00:00+01:00"],
            &["25.12.2026", "2026-13-01", "2026-02-30", "2026-12-25x"],
        ),
        (
            Kind::Time,
            &["18:05", "00:00", "2026-12-25T09:00:00+01:00", "09:00:30"],
            &["24:00", "9:00", "09:60", "09h00", "+9:00"],
        ),
        (Kind::When, &["2026-12-25T09:00:00+01:00", "2026-12-25 09:00"], &["09:00", "2026-12-25", "tomorrow"]),
        (Kind::Digits, &["4711", "*1#", "12 34"], &["", " ", "12a"]),
        (Kind::Phone, &["+33142685300"], &["", "sip:301@127.0.0.1"]),
    ] {
        good.iter().for_each(|text| assert!(fits(kind, text), "{kind:?} {text}"));
        bad.iter().for_each(|text| assert!(!fits(kind, text), "{kind:?} {text}"));
    }
}

#[test]
fn currencies_have_their_own_number_of_decimals() {
    let rules: &[(&str, &str)] = &[("0", "little"), ("1250", "right"), ("1251", "much")];
    let table = table(&[("eur", rules), ("jpy", rules), ("tnd", rules)]);
    let now: Wall = "2026-11-28T12:00:00Z".parse().unwrap();
    for (currency, sum) in [("eur", "12.5"), ("eur", "12.50"), ("jpy", "1250"), ("tnd", "1.25")] {
        let said = Said { kind: Kind::Money, set: Some(currency.to_owned()) };
        assert_eq!(said.prompts(Amount::Text(sum), &table, now).unwrap(), ["spoken-right"], "{sum} {currency}");
    }
    let yen = Said { kind: Kind::Money, set: Some("jpy".to_owned()) };
    assert_eq!(yen.prompts(Amount::Text("12.5"), &table, now), None);
    assert_eq!(yen.prompts(Amount::Integer(1250), &table, now).unwrap(), ["spoken-right"]);
}

/// Texts of all kinds never panic, and what fits is what can be said.
#[test]
fn hostile_values_are_refused_quietly() {
    let table = table(&[
        ("number", COUNTING[0].1),
        ("ten", COUNTING[1].1),
        ("digit", COUNTING[0].1),
        ("time", COUNTING[0].1),
        ("eur", COUNTING[0].1),
    ]);
    let now: Wall = "2026-11-28T12:00:00Z".parse().unwrap();
    let texts = [
        "é",
        "12é34567890",
        "2026-12-é5T09:00",
        "١٢",
        "\0",
        "2026-12-25T",
        "2026-12-25T0é:00",
        "+",
        "-",
        "--1",
        "[",
        "9223372036854775807",
    ];
    for kind in Kind::ALL {
        for text in texts {
            let said = Said { kind, set: (kind == Kind::Money).then(|| "eur".to_owned()) };
            let prompts = said.prompts(Amount::Text(text), &table, now);
            assert!(prompts.is_none() || said.fits(Amount::Text(text)), "{kind:?} {text}");
        }
        let _ = Said { kind, set: None }.prompts(Amount::Integer(i64::MIN), &table, now);
    }
}
