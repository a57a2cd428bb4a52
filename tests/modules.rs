//! The modules as operators meet them: their page, and the prompts they say of their own accord.

use std::path::Path;

use relais::ivr::{Kind, Module, Need, guide};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_page_on_modules_is_up_to_date() {
    let page = std::fs::read_to_string(root().join("dialplans/MODULES.md")).unwrap_or_default();
    assert!(page == guide(), "dialplans/MODULES.md is old: relais modules > dialplans/MODULES.md makes it anew");
}

#[test]
fn what_modules_say_by_default_is_there_in_english_and_french() {
    let catalogue = std::fs::read_to_string(root().join("prompts/prompts.toml")).expect("the catalogue");
    let catalogue: toml::Table = catalogue.parse().expect("a TOML file");
    let of_modules =
        Module::ALL.into_iter().flat_map(|module| module.spec().inputs).filter_map(|input| match input.need {
            Need::Text(prompt) if input.kind == Kind::Prompt => Some(prompt),
            _ => None,
        });
    // The engine's own words.
    let own = [
        "please-wait",
        "position-first",
        "position-number",
        "wait-between",
        "wait-and",
        "goodbye",
        "technical-difficulty",
    ];
    for prompt in of_modules.chain(own) {
        for language in ["en", "fr"] {
            let text = catalogue.get(prompt).and_then(|texts| texts.get(language)).and_then(toml::Value::as_str);
            assert!(text.is_some_and(|text| !text.is_empty()), "'{prompt}' has no text in '{language}'");
            let sound = root().join("prompts").join(language).join(format!("{prompt}.flac"));
            assert!(sound.is_file(), "{} is not there", sound.display());
        }
    }
}
