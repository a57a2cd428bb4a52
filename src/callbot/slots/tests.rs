use super::*;
use crate::callbot::words;

const TODAY: Date = jiff::civil::date(2026, 11, 28);

fn find(kind: &Kind, language: &str, said: &str) -> Option<String> {
    let language = Language::from(language);
    kind.find(said, words::of(&language).unwrap(), &language, TODAY, true)
}

fn order_number() -> Kind {
    Kind::Pattern(Pattern::parse("A?NNNNN").unwrap())
}

#[test]
fn order_numbers_are_found_however_they_are_said() {
    for (language, said, expected) in [
        ("en", "A 4 7 1 1 2", Some("A47112")),
        ("en", "a four seven one one two", Some("A47112")),
        ("en", "it's A47112", Some("A47112")),
        ("en", "number 58213 please", Some("58213")),
        ("en", "forty seven one hundred and twelve", Some("47112")),
        ("en", "I ordered on the fifth, number five eight two one three", Some("58213")),
        ("en", "four seven one one", None),
        ("en", "four seven one one two three", None),
        ("fr", "A quatre sept un un deux", Some("A47112")),
        ("fr", "c'est le quarante-sept cent douze", Some("47112")),
        ("ko", "에이 사칠일일이", Some("A47112")),
        ("ko", "오팔이일삼번이요", Some("58213")),
        ("en", "I don't know it", None),
    ] {
        assert_eq!(find(&order_number(), language, said).as_deref(), expected, "{said}");
    }
}

#[test]
fn forms_are_checked() {
    assert!(Pattern::parse("LLNNN?").is_ok());
    for wrong in ["", "?N", "N??", "N_N", &"N".repeat(33), "N?N?N?N?N?N?N?"] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_sums_and_digits() {
    let digits = Kind::Digits { least: 4, most: 6 };
    assert_eq!(find(&digits, "en", "one two three four").as_deref(), Some("1234"));
    assert_eq!(find(&digits, "en", "one two three"), None);
    let number = Kind::Number { least: 1, most: 20 };
    assert_eq!(find(&number, "fr", "il y en a douze").as_deref(), Some("12"));
    assert_eq!(find(&number, "en", "ninety"), None, "out of bounds");
    for (language, said, expected) in [
        ("en", "twelve pounds fifty", "12.50"),
        ("en", "12.50", "12.50"),
        ("fr", "douze euros cinquante", "12.50"),
        ("fr", "quatre-vingt-dix euros", "90"),
        ("ko", "오만 원이요", "50000"),
    ] {
        assert_eq!(find(&Kind::Amount, language, said).as_deref(), Some(expected), "{said}");
    }
}

#[test]
fn yes_and_no() {
    for (language, said, expected) in [
        ("en", "yes please", Some("yes")),
        ("en", "no that's wrong", Some("no")),
        ("en", "that's not right", Some("no")),
        ("en", "right", Some("yes")),
        ("en", "maybe", None),
        ("fr", "oui c'est ça", Some("yes")),
        ("fr", "non pas du tout", Some("no")),
        ("ko", "네 맞아요", Some("yes")),
        ("ko", "아니요", Some("no")),
    ] {
        assert_eq!(find(&Kind::YesNo, language, said).as_deref(), expected, "{said}");
    }
}

#[test]
fn one_of_a_list_is_found_also_when_misheard() {
    let phrases =
        |en: &[&str]| BTreeMap::from([(Language::from("en"), en.iter().map(|text| (*text).to_owned()).collect())]);
    let kind = Kind::Choice(BTreeMap::from([
        ("washer".to_owned(), phrases(&["washing machine", "washer"])),
        ("fridge".to_owned(), phrases(&["fridge", "refrigerator"])),
    ]));
    assert_eq!(find(&kind, "en", "it's the washing machine").as_deref(), Some("washer"));
    assert_eq!(find(&kind, "en", "my washing mashine").as_deref(), Some("washer"));
    assert_eq!(find(&kind, "en", "the refridgerator").as_deref(), Some("fridge"));
    assert_eq!(find(&kind, "en", "my car"), None);
    assert_eq!(kind.of_keys("2", TODAY).as_deref(), Some("washer"), "in the order of the names");
    assert_eq!(kind.of_keys("3", TODAY), None);
}

#[test]
fn addresses_and_telephone_numbers() {
    for (language, said, expected) in [
        ("en", "it's anna dot smith at example dot com", Some("anna.smith@example.com")),
        ("en", "Anna.Smith@Example.com.", Some("anna.smith@example.com")),
        ("en", "my email address is j o e forty two at mail dash box dot org", Some("joe42@mail-box.org")),
        ("fr", "c'est paul tiret durand arobase orange point fr", Some("paul-durand@orange.fr")),
        ("en", "I have none", None),
        ("en", "a@b", None),
    ] {
        assert_eq!(find(&Kind::Email, language, said).as_deref(), expected, "{said}");
    }
    assert_eq!(find(&Kind::Phone, "en", "oh one two three four five six").as_deref(), Some("0123456"));
    assert_eq!(
        find(&Kind::Phone, "fr", "plus trente-trois un cinquante-cinq cinquante douze trente-quatre").as_deref(),
        Some("+33155501234")
    );
    assert_eq!(find(&Kind::Phone, "en", "one two three"), None);
}

#[test]
fn keys_give_values_too() {
    assert_eq!(order_number().of_keys("47112", TODAY).as_deref(), Some("47112"));
    assert_eq!(order_number().of_keys("4711", TODAY), None);
    assert_eq!(Kind::YesNo.of_keys("1", TODAY).as_deref(), Some("yes"));
    assert_eq!(Kind::Date.of_keys("0512", TODAY).as_deref(), Some("2026-12-05"));
    assert_eq!(Kind::Date.of_keys("0101", TODAY).as_deref(), Some("2027-01-01"));
    assert_eq!(Kind::Date.of_keys("3213", TODAY), None);
    assert_eq!(Kind::Time.of_keys("1430", TODAY).as_deref(), Some("14:30"));
    assert_eq!(Kind::Time.of_keys("2500", TODAY), None);
}

#[test]
fn nothing_that_is_said_makes_it_panic() {
    let kinds = [
        order_number(),
        Kind::Digits { least: 1, most: 64 },
        Kind::Number { least: 0, most: u64::MAX },
        Kind::Amount,
        Kind::Date,
        Kind::Time,
        Kind::YesNo,
        Kind::Email,
        Kind::Phone,
        Kind::Text,
    ];
    let long = "million thousand hundred nine ".repeat(50);
    for said in [
        "",
        " ",
        "@",
        "@.@",
        "99999999999999999999999 31 february",
        "half past",
        "일일일일만만",
        "in 18446744073709551615 weeks",
        &long,
        "'''",
        "２３",
    ] {
        for kind in &kinds {
            for language in words::LANGUAGES {
                find(kind, language, said);
            }
            kind.of_keys(said, TODAY);
        }
    }
}
