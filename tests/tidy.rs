//! The tree checks its own rules: which room may name which, and what pure rooms may not touch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that decide and do no I/O.
const PURE: &[&str] = &[
    "sip", "sdp", "rtp", "audio", "call", "dialplan", "ivr", "queue", "bridge", "engine", "report", "spoken",
    "staffing", "callbot",
];

/// Value types at the root, open to every room.
const VALUES: &[&str] = &[
    "callback",
    "caller",
    "comfort",
    "conversation",
    "demand",
    "outbox",
    "findings",
    "heard",
    "ids",
    "record",
    "security",
    "settings",
    "shift",
    "time",
    "trace",
    "views",
];

/// Which rooms a room may name, besides itself and the value types.
fn edges() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("sip", &[][..]),
        ("sdp", &[]),
        ("rtp", &[]),
        ("audio", &[]),
        ("bridge", &[]),
        ("queue", &[]),
        ("report", &[]),
        ("spoken", &[]),
        ("staffing", &["queue"]),
        ("ivr", &["bridge", "callbot", "spoken"]),
        ("dialplan", &["bridge", "callbot", "ivr", "spoken"]),
        ("call", &["sip", "sdp", "bridge"]),
        ("callbot", &["bridge", "spoken"]),
        ("engine", &["sip", "sdp", "rtp", "audio", "call", "callbot", "dialplan", "ivr", "queue", "bridge", "spoken"]),
        ("bench", &["callbot", "config", "dialplan", "ivr", "prompts", "spoken", "store"]),
        ("config", &["bridge", "callbot", "dialplan", "ivr", "prompts", "spoken", "tls", "vault"]),
        ("inputs", &["bridge", "dialplan", "engine", "sdp", "sip"]),
        ("net", &["sip", "tls"]),
        ("media", &["rtp", "audio", "bridge", "prompts", "vault"]),
        ("outside", &["config", "engine", "ivr", "store", "web"]),
        ("prompts", &["audio", "bridge", "spoken"]),
        ("speech", &["audio", "tls", "web"]),
        ("store", &[]),
        ("tls", &[]),
        ("vault", &[]),
        ("web", &["bench", "engine", "bridge", "report", "tls"]),
        ("server", &["*"]),
        ("cli", &["*"]),
        // The root: value types name only each other and the plain data of `bridge`.
        ("callback", &[]),
        ("caller", &[]),
        ("comfort", &[]),
        ("conversation", &[]),
        ("demand", &[]),
        ("findings", &[]),
        ("heard", &[]),
        ("ids", &[]),
        ("outbox", &[]),
        ("time", &[]),
        ("trace", &[]),
        ("security", &[]),
        ("settings", &[]),
        ("shift", &[]),
        ("record", &["bridge"]),
        ("views", &[]),
        ("lib", &[]),
        ("main", &["*"]),
    ])
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            if path.ends_with("app") {
                continue;
            }
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("a path below src");
    let first = below.iter().next().and_then(|part| part.to_str()).expect("a UTF-8 path");
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Names that follow `crate::` (or `relais::` in the binary), also those in braces: `use crate::{ids::X, sip}`.
fn named_rooms(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for prefix in ["crate::", "relais::"] {
        for (at, _) in text.match_indices(prefix) {
            let rest = &text[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(list) => {
                    let mut depth = 0;
                    let mut word = String::new();
                    let mut taken = false;
                    for c in list.chars() {
                        match c {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => {
                                names.push(std::mem::take(&mut word));
                                taken = false;
                            }
                            ':' if depth == 0 => taken = true,
                            c if depth == 0 && !taken && (c.is_alphanumeric() || c == '_') => word.push(c),
                            _ => {}
                        }
                    }
                    names.push(word);
                }
                None => names.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()),
            }
        }
    }
    names.retain(|name| root().join(name).is_dir() || root().join(format!("{name}.rs")).is_file());
    names
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn rooms_name_only_their_neighbours() {
    let edges = edges();
    let mut faults = Vec::new();
    for path in sources(&root()) {
        let room = room_of(&path);
        if room == "bin" {
            continue;
        }
        let Some(allowed) = edges.get(room.as_str()) else {
            faults.push(format!("{}: room '{room}' is not in the table of tests/tidy.rs", path.display()));
            continue;
        };
        let text = without_comments(&fs::read_to_string(&path).expect("a readable source"));
        for name in named_rooms(&text) {
            let fine = name == room
                || VALUES.contains(&name.as_str())
                || allowed.contains(&"*")
                || allowed.contains(&name.as_str());
            if !fine {
                faults.push(format!("{}: '{room}' may not name '{name}'", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn pure_rooms_touch_no_outside() {
    const FORBIDDEN: &[&str] = &[
        "tokio",
        "std::net::UdpSocket",
        "std::net::TcpStream",
        "std::fs",
        "std::thread",
        "dashmap",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "getrandom",
        "rand::rng",
        "static mut",
        "tracing::",
        "metrics::",
    ];
    let mut faults = Vec::new();
    for path in sources(&root()) {
        if !PURE.contains(&room_of(&path).as_str()) {
            continue;
        }
        let text = without_comments(&fs::read_to_string(&path).expect("a readable source"));
        for word in FORBIDDEN {
            let a_test = path.ends_with("tests.rs") || path.iter().any(|folder| folder == "tests");
            if text.contains(word) && !a_test {
                faults.push(format!("{}: a pure room names {word}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn pure_rooms_forbid_unsafe_code_and_clocks() {
    let lib = fs::read_to_string(root().join("lib.rs")).expect("lib.rs");
    for room in PURE {
        let wanted = format!("#[forbid(unsafe_code)]\npub mod {room};");
        assert!(lib.contains(&wanted), "lib.rs: write\n{wanted}");
    }
    assert!(lib.contains("#![deny(unsafe_code)]"), "lib.rs: deny(unsafe_code) is missing");
}

#[test]
fn only_the_message_folder_names_rsip() {
    for path in sources(&root()) {
        if path.starts_with(root().join("sip/message")) {
            continue;
        }
        let text = without_comments(&fs::read_to_string(&path).expect("a readable source"));
        assert!(!text.contains("rsip::"), "{}: only sip/message/ names rsip", path.display());
    }
}

#[test]
fn files_read_in_one_sitting() {
    for path in sources(&root()) {
        let lines = fs::read_to_string(&path).expect("a readable source").lines().count();
        assert!(lines <= 800, "{}: {lines} lines; split it (at most 800)", path.display());
    }
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).expect("a readable source");
        for mark in marks {
            assert!(!text.contains(mark), "{}: contains {mark}", path.display());
        }
    }
}
