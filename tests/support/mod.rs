//! Shared by the tests that need something from outside: a program, a folder of test material.

use std::io::Write;

/// Says that a test cannot run here, and why; the test then returns. Under `RELAIS_STRICT=1` (deploy/test --strict) it
/// fails instead. deploy/test lists what was skipped: it names the file for that in `RELAIS_SKIPS`.
pub fn skip(name: &str, why: &str) {
    if std::env::var("RELAIS_STRICT").is_ok_and(|value| value == "1") {
        panic!("{name} may not be skipped here: {why}");
    }
    let line = format!("skipped: {name}: {why}\n");
    print!("{line}");
    if let Some(list) = std::env::var_os("RELAIS_SKIPS") {
        let listed = std::fs::OpenOptions::new().append(true).create(true).open(list);
        // One write a line, so that tests that run at once do not mix theirs.
        let written = listed.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the list of skipped tests can be written");
    }
}
