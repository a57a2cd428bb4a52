//! What is wrong with the operator's files, and where: `file:line:column: message (hint)`.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A file of the operator's, as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As it is to be named in findings.
    pub path: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub severity: Severity,
    /// Names the thing and the rule.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Findings about one file.
#[derive(Debug)]
pub struct Findings<'s> {
    pub source: &'s Source,
    /// Where each line begins; read off once somebody asks for a place.
    lines: OnceCell<Vec<usize>>,
    found: Vec<Finding>,
}

impl<'s> Findings<'s> {
    pub fn new(source: &'s Source) -> Self {
        Findings { source, lines: OnceCell::new(), found: Vec::new() }
    }

    pub fn error(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, span, message.into(), hint.into());
    }

    pub fn warning(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, span, message.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, span: Range<usize>, message: String, hint: Option<String>) {
        let (line, column) = self.position(span.start);
        self.found.push(Finding { file: self.source.path.clone(), line, column, severity, message, hint });
    }

    /// Line and column of a byte offset, both counted from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let text = self.source.text.as_str();
        let end = text.floor_char_boundary(offset);
        let lines =
            self.lines.get_or_init(|| [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        let line = lines.partition_point(|start| *start <= end);
        let start = line.checked_sub(1).and_then(|before| lines.get(before)).copied().unwrap_or_default();
        (line, text.get(start..end).unwrap_or_default().chars().count() + 1)
    }

    /// In the order of the file.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|finding| (finding.line, finding.column));
        self.found
    }
}

/// Whether any of them refuses the configuration.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// A hint naming the known name nearest to an unknown one, or all of them where they are few.
pub fn suggest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase()), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 3);
    match (nearest, known.len()) {
        (Some((_, name)), _) => Some(format!("did you mean '{name}'?")),
        (None, 0) => None,
        (None, 1..=12) => Some(format!("known: {}", known.join(", "))),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source { path: "a.toml".into(), text: "é = 1\nname = 'b'\n".into() };
        let findings = Findings::new(&source);
        assert_eq!(findings.position(0), (1, 1));
        assert_eq!(findings.position("é ".len()), (1, 3));
        assert_eq!(findings.position("é = 1".len()), (1, 6), "the line's end is the line's");
        assert_eq!(findings.position("é = 1\nname".len()), (2, 5));
        assert_eq!(findings.position(1), (1, 1), "inside a character");
        assert_eq!(findings.position(9_999), (3, 1), "past the end");
    }

    #[test]
    fn a_finding_is_one_line_that_editors_can_follow() {
        let source = Source { path: "plans/a.toml".into(), text: "x".into() };
        let mut findings = Findings::new(&source);
        findings.error(0..1, "queue 'salse' does not exist", suggest("salse", ["sales", "support"]));
        findings.warning(0..1, "nobody is in queue 'sales'", None);
        let lines: Vec<String> = findings.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(lines[0], "plans/a.toml:1:1: queue 'salse' does not exist (did you mean 'sales'?)");
        assert_eq!(lines[1], "plans/a.toml:1:1: warning: nobody is in queue 'sales'");
    }

    #[test]
    fn a_far_name_is_not_suggested_but_few_are_listed() {
        assert_eq!(suggest("zzz", ["sales", "support"]), Some("known: sales, support".into()));
        assert_eq!(suggest("zzz", []), None);
    }
}
