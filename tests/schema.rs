//! `relais schema` against every shipped file and many spoilt ones, by a validator that is not ours.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Reads `{schema, files: [[name, value]]}` and prints the names of those that are not valid.
const VALIDATOR: &str = "
import json, sys, jsonschema
work = json.load(sys.stdin)
validator = jsonschema.Draft7Validator(work['schema'])
jsonschema.Draft7Validator.check_schema(work['schema'])
for name, value in work['files']:
    errors = [error.message for error in validator.iter_errors(value)]
    if errors:
        print(name + '\t' + errors[0][:200].replace('\\n', ' '))
";

/// The files that are not valid, each with why; `None` where there is no validator.
fn invalid(schema: &Value, files: &[(String, Value)]) -> Option<Vec<String>> {
    let mut python = Command::new("python3")
        .args(["-c", VALIDATOR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let work = serde_json::to_vec(&json!({ "schema": schema, "files": files })).expect("JSON");
    // A validator that ends early says why on its own.
    let _ = python.stdin.take().expect("a pipe").write_all(&work);
    let done = python.wait_with_output().expect("a process that ends");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if said.contains("ModuleNotFoundError") {
        return None;
    }
    assert!(done.status.success(), "{said}");
    Some(String::from_utf8_lossy(&done.stdout).lines().map(str::to_owned).collect())
}

fn skip(name: &str) {
    support::skip(name, "python3 has no jsonschema; apt-get install python3-jsonschema");
}

fn parse(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).expect("JSON")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The TOML files of a folder: plans, and configurations.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect()
}

fn read(path: &Path) -> (String, Value) {
    (path.display().to_string(), parse(&std::fs::read_to_string(path).expect("a readable file")))
}

/// Files by name, as they are read.
type Files = Vec<(String, Value)>;

fn shipped() -> (Files, Files) {
    let folders = ["deploy/demo", "deploy/demo/plans", "deploy/bench", "deploy/bench/plans", "dialplans"];
    let (configurations, plans): (Vec<PathBuf>, Vec<PathBuf>) =
        folders.iter().flat_map(|folder| files(folder)).partition(|path| path.ends_with("relais.toml"));
    (configurations.iter().map(|path| read(path)).collect(), plans.iter().map(|path| read(path)).collect())
}

#[test]
fn every_shipped_file_has_the_form_that_the_schema_says() {
    let (configurations, plans) = shipped();
    assert!(configurations.len() >= 3 && plans.len() >= 10);
    let Some(wrong) = invalid(&relais::config::schema(), &configurations) else { return skip("schema") };
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(invalid(&relais::dialplan::schema(None), &plans), Some(Vec::new()));
    let both = Command::new(env!("CARGO_BIN_EXE_relais")).arg("schema").output().expect("relais runs");
    let both: Value = serde_json::from_slice(&both.stdout).expect("JSON");
    assert_eq!(invalid(&both, &[configurations, plans].concat()), Some(Vec::new()), "one schema for both");
}

#[test]
fn the_names_of_a_configuration_are_held_to() {
    let demo = root().join("deploy/demo/relais.toml");
    let loaded = relais::config::load(&demo, &Default::default()).expect("the demo loads");
    let schema = relais::dialplan::schema(Some(&loaded.plans));
    let plans: Vec<_> = files("deploy/demo/plans").iter().map(|path| read(path)).collect();
    let Some(wrong) = invalid(&schema, &plans) else { return skip("schema with names") };
    assert_eq!(wrong, Vec::<String>::new());
    let rule = "[[level]]\nname = 'a'\n[[level.rule]]\nmodule = 'distribute'\nin = { queue = 'salse' }";
    assert_eq!(invalid(&schema, &[("salse".to_owned(), parse(rule))]).map(|wrong| wrong.len()), Some(1));
}

/// What operators get wrong.
#[test]
fn spoilt_files_are_refused() {
    let rule = |text: &str| format!("[[level]]\nname = 'a'\n[[level.rule]]\n{text}\n");
    let plans = [
        "level = 3".to_owned(),
        "nmae = 'x'".to_owned(),
        "numbers = ['6a0']".to_owned(),
        "[[level]]\nrule = []".to_owned(),
        rule("module = 'anounce'"),
        rule("when = 'true'"),
        rule("module = 'announce'"),
        rule("module = 'announce'\nin = { promt = 'a' }"),
        rule("module = 'announce'\nin = { prompt = 5 }"),
        rule("module = 'announce'\nin = { prompt = 'a', barge_in = 'yes' }"),
        rule("module = 'menu'\nin = { prompt = 'a', choices = { x = 'sales' } }"),
        rule("module = 'menu'\nin = { prompt = 'a', choices = { 1 = 'b' }, tries = 0 }"),
        rule("module = 'calendar'\nin = { calendar = 'a' }\nout = { stat = 'open' }"),
        rule("module = 'calendar'\nin = { calendar = 'a' }\nout = { state = '9' }"),
        rule("module = 'hangup'\nin = { outcome = 'happy' }"),
        rule("module = 'hangup'\n[[test]]\nname = 'a'"),
        rule("module = 'hangup'\n[[test]]\nname = 'a'\nexpect = { queu = 'x' }"),
        rule("module = 'hangup'\n[[test]]\nname = 'a'\ndigits = 'x'\nexpect = {}"),
        rule("module = 'hangup'\n[[test]]\nname = 'a'\nqueues = { a = 'gone' }\nexpect = {}"),
    ];
    let named = |text: &str| (text.replace('\n', " | "), parse(text));
    let spoilt: Vec<_> = plans.iter().map(|text| named(text)).collect();
    let Some(refused) = invalid(&relais::dialplan::schema(None), &spoilt) else {
        return skip("schema of spoilt files");
    };
    let passed: Vec<_> =
        spoilt.iter().filter(|(name, _)| !refused.iter().any(|line| line.starts_with(name.as_str()))).collect();
    assert_eq!(passed, Vec::<&(String, Value)>::new(), "plans that should not pass");
    let configurations = [
        "queus = []",
        "languages = [1]",
        "languages = 'en'",
        "[sip]\nlisten = []",
        "[sip]\nmax_calls = 0",
        "[rtp]\nports = [1]",
        "[[queue]]\nring_timeout_s = 20",
        "[[queue]]\nid = 'a'\nring_timeout_s = 1",
        "[[queue]]\nid = 'a'\nwrap_up = 5",
        "[[trunk]]\nid = 'a'\ncodecs = ['gsm']",
        "[[calendar]]\nid = 'a'",
        "[[calendar]]\nid = 'a'\ntime_zone = 'UTC'\nhours = { mon = '9-18' }",
        "[[agent]]\nname = 'a'",
        "[[expert]]\nid = 'a'",
    ];
    let spoilt: Vec<_> = configurations.iter().map(|text| named(text)).collect();
    let refused = invalid(&relais::config::schema(), &spoilt).expect("a validator");
    let passed: Vec<_> =
        spoilt.iter().filter(|(name, _)| !refused.iter().any(|line| line.starts_with(name.as_str()))).collect();
    assert_eq!(passed, Vec::<&(String, Value)>::new(), "configurations that should not pass");
}
