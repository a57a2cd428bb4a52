//! Independent sources of truth: Python programs of tests/oracles with published libraries, installed by deploy/test.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Oracle {
    python: PathBuf,
    program: PathBuf,
}

impl Oracle {
    /// `None`, and a printed note, where Python or one of the `modules` is not there.
    pub fn start(test: &str, program: &str, modules: &[&str]) -> Option<Oracle> {
        let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("oracles/bin/python");
        let python = if own.exists() { own } else { PathBuf::from("python3") };
        let probe = format!("import {}", modules.join(", "));
        let found = Command::new(&python).args(["-c", &probe]).output().is_ok_and(|output| output.status.success());
        if !found {
            crate::support::skip(test, &format!("{} has not all of {}", python.display(), modules.join(", ")));
            return None;
        }
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(program);
        Some(Oracle { python, program })
    }

    /// What the program prints.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.python).arg(&self.program).args(arguments).output().expect("Python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// `RELAIS_SEED`, or a random one.
pub fn seed() -> u64 {
    let given = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 1)
}
