//! `[numbering]`: how numbers are dialled here; `[[list]]`: numbers to deny or allow.

use std::path::Path;

use super::files::{self, resolve};
use crate::caller::{NumberList, Numbering};
use crate::dialplan::reader::{At, Table};
use crate::findings::{Finding, Findings, Severity};

/// Entries of one list, many times what an operator keeps.
const MOST_ENTRIES: usize = 200_000;
/// Lines of one file that are told to be wrong.
pub(super) const MOST_TOLD: usize = 20;

pub(super) struct ListDraft {
    pub list: NumberList,
    pub id: At<String>,
}

pub(super) fn read_numbering(table: Option<Table<'_>>, findings: &mut Findings<'_>) -> Numbering {
    let mut numbering = Numbering::default();
    let Some(mut table) = table else { return numbering };
    let mut digits = |key, most, into: &mut String, findings: &mut Findings<'_>| {
        let Some(text) = table.text(key, findings) else { return };
        if text.value.len() > most || !text.value.bytes().all(|byte| byte.is_ascii_digit()) {
            let hint = format!("write at most {most} digits, without +");
            findings.error(text.span, format!("numbering: {key} is '{}'", text.value), hint);
        } else {
            *into = text.value;
        }
    };
    digits("country_code", 3, &mut numbering.country_code, findings);
    digits("national_prefix", 4, &mut numbering.national_prefix, findings);
    digits("international_prefix", 5, &mut numbering.international_prefix, findings);
    table.finish(findings);
    numbering
}

/// A line of a file that cannot be taken is told and passed over: one wrong line must not keep the centre from starting.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    numbering: &Numbering,
    findings: &mut Findings<'_>,
    in_files: &mut Vec<Finding>,
) -> Option<ListDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("list".to_owned(), |id| format!("list '{}'", id.value));
    let mut list = NumberList::default();
    for entry in table.texts("numbers", findings).map(|texts| texts.value).unwrap_or_default() {
        if !list.add(&entry.value, numbering) {
            findings.error(entry.span, format!("{}: '{}' is no number", table.what, entry.value), hint());
        }
    }
    if let Some(file) = table.text("file", findings) {
        let path = resolve(folder, &file.value);
        match files::read(&path) {
            Ok(source) => read_lines(&source.path, &source.text, numbering, &mut list, in_files),
            Err(fault) => {
                findings.error(file.span, format!("{}: {} {fault}", table.what, path.display()), None);
            }
        }
    } else if !table.has("numbers") {
        let hint = "write file = \"spam.txt\" with a number a line, or numbers = [\"+33899*\"]".to_owned();
        findings.error(table.span.clone(), format!("{} has neither file nor numbers", table.what), hint);
    }
    if list.len() > MOST_ENTRIES {
        findings.error(table.span.clone(), format!("{} has more than {MOST_ENTRIES} entries", table.what), None);
    }
    table.finish(findings);
    Some(ListDraft { list, id: id? })
}

fn read_lines(path: &str, text: &str, numbering: &Numbering, list: &mut NumberList, in_files: &mut Vec<Finding>) {
    let mut wrong = 0;
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let entry = text.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() || list.add(entry, numbering) {
            continue;
        }
        wrong += 1;
        if wrong <= MOST_TOLD {
            let message = format!("'{entry:.40}' is no number; the line is passed over");
            in_files.push(passed_over(path, line, message, Some(hint())));
        }
    }
    if wrong > MOST_TOLD {
        in_files.push(passed_over(path, 1, format!("{wrong} such lines in all"), Some(hint())));
    }
}

pub(super) fn passed_over(path: &str, line: usize, message: String, hint: Option<String>) -> Finding {
    Finding { file: path.to_owned(), line, column: 1, severity: Severity::Warning, message, hint }
}

fn hint() -> String {
    "write +33155501234, 0155501234, or +33899* for every number that begins so".to_owned()
}
