//! What `relais check` says about a prompt.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One fault in a catalogue or a sound file, with its remedy. Lines and columns count from 1; a fault of a whole file
/// stands at 1:1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub hint: String,
}

impl Finding {
    /// About a file as a whole.
    pub(super) fn of_file(file: &Path, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Finding { file: file.to_owned(), line: 1, column: 1, message: message.into(), hint: hint.into() }
    }

    pub(super) fn at(place: &Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Finding {
            file: place.file.clone(),
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl From<Finding> for crate::findings::Finding {
    fn from(finding: Finding) -> Self {
        crate::findings::Finding {
            file: finding.file.display().to_string(),
            line: finding.line,
            column: finding.column,
            severity: crate::findings::Severity::Error,
            message: finding.message,
            hint: Some(finding.hint).filter(|hint| !hint.is_empty()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " (hint: {})", self.hint) }
    }
}

/// A place in a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Where the octets `span` of `text` begin; columns count characters.
    pub fn of_span(file: &Path, text: &str, span: Range<usize>) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { file: file.to_owned(), line, column }
    }
}
