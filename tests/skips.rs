//! The convention by which tests skip themselves, tried on this test: it starts itself anew and skips in the child.

mod support;

use std::process::{Command, Output};

const CHILD: &str = "RELAIS_SKIPS_CHILD";

fn child(strict: &str, list: &std::path::Path) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this test's program"));
    command.args(["--exact", "--nocapture", "a_skip_is_told_and_in_strict_mode_it_fails"]);
    command.env(CHILD, "1").env("RELAIS_STRICT", strict).env("RELAIS_SKIPS", list);
    command.output().expect("a child of this test")
}

#[test]
fn a_skip_is_told_and_in_strict_mode_it_fails() {
    if std::env::var_os(CHILD).is_some() {
        return support::skip("sipp", "not installed");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("skips");

    let lenient = child("0", &list);
    assert!(lenient.status.success());
    assert!(String::from_utf8_lossy(&lenient.stdout).contains("skipped: sipp: not installed\n"));
    assert_eq!(std::fs::read_to_string(&list).expect("the list"), "skipped: sipp: not installed\n");

    let strict = child("1", &list);
    assert!(!strict.status.success());
    assert!(String::from_utf8_lossy(&strict.stderr).contains("sipp may not be skipped here: not installed"));
}
