//! `[recordings]`: the key that they are sealed by, and how long they are kept.

use std::path::Path;
use std::time::Duration;

use super::files::resolve;
use crate::dialplan::reader::Table;
use crate::findings::Findings;
use crate::settings::{Keep, Recordings};
use crate::vault::{KeyFileError, Keyring};

/// A hundred years.
const MOST_DAYS: i64 = 36_500;

/// The settings, and the keys of the file they name.
pub(super) fn read(
    table: Option<Table<'_>>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> (Recordings, Option<Keyring>) {
    let Some(mut table) = table else { return Default::default() };
    let key_file = table.text("key_file", findings);
    let keep = read_keep(&mut table, ["keep_days", "keep_messages_days"], findings);
    table.finish(findings);
    let Some(key_file) = key_file else { return (Recordings { key_file: None, keep }, None) };
    let path = resolve(folder, &key_file.value);
    let keys = Keyring::read(&path).map_err(|fault| {
        let hint = hint(&fault, &path);
        findings.error(key_file.span, format!("recordings: key_file {} {fault}", path.display()), hint);
    });
    (Recordings { key_file: Some(path), keep }, keys.ok())
}

/// Of calls and of messages.
pub(super) fn read_keep(table: &mut Table<'_>, keys: [&'static str; 2], findings: &mut Findings<'_>) -> Keep {
    let [calls, messages] = keys.map(|key| {
        let days = table.integer(key, 1..=MOST_DAYS, findings)?;
        Some(Duration::from_hours(24 * days.value.unsigned_abs()))
    });
    Keep { calls, messages }
}

fn hint(fault: &KeyFileError, path: &Path) -> Option<String> {
    match fault {
        KeyFileError::Unreadable(_) | KeyFileError::Empty => {
            Some(format!("'relais recording new-key {}' makes one; keep a copy elsewhere", path.display()))
        }
        KeyFileError::Open(_) => Some(format!("chmod 600 {}", path.display())),
        _ => None,
    }
}
