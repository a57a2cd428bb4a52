//! What a plan file declares with a type: `[inputs]`, `[outputs]` and `[variables]`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::inputs::Checker;
use super::load::{check_name, check_variable};
use super::reader::{At, Table};
use super::types::Type;
use crate::findings::{Findings, suggest};
use crate::ivr::{Kind, Value};

/// `name = { type = "…", default = …, words = […], doc = "…" }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub of: Type,
    /// Values are names of this kind (`queue`, `prompt`, …), and are checked as such.
    pub kind: Option<Kind>,
    pub default: Option<Value>,
    pub doc: String,
}

/// A declaration with the places of what is checked later.
pub(super) struct DeclaredDraft<'t> {
    pub name: At<String>,
    of: Option<Type>,
    kind: Option<Kind>,
    default: Option<&'t toml::Spanned<toml::de::DeValue<'t>>>,
    doc: String,
}

/// What `type` may say: a type, and the kind where its values are names.
static TYPES: [(&str, Type, Option<Kind>); 13] = [
    ("agent", Type::Text, Some(Kind::Target)),
    ("calendar", Type::Text, Some(Kind::Calendar)),
    ("decimal", Type::Double, None),
    ("flag", Type::Flag, None),
    ("integer", Type::Integer, None),
    ("keys", Type::Text, Some(Kind::Keys)),
    ("language", Type::Text, Some(Kind::Language)),
    ("list", Type::Any, None),
    ("prompt", Type::Any, Some(Kind::Prompt)),
    ("queue", Type::Text, Some(Kind::Queue)),
    ("skills", Type::Any, Some(Kind::Skills)),
    ("table", Type::Any, None),
    ("text", Type::Text, None),
];

/// The words that `type` may say.
pub(super) fn type_names() -> Vec<&'static str> {
    TYPES.iter().map(|(name, ..)| *name).collect()
}

/// Reads `[key]`. Types may be left out only where there is a default.
pub(super) fn read_declared<'t>(
    plan: &mut Table<'t>,
    key: &'static str,
    findings: &mut Findings<'_>,
) -> Vec<DeclaredDraft<'t>> {
    let mut drafts = Vec::new();
    let Some(entries) = plan.table(key, findings) else { return drafts };
    for (name, value) in entries.all() {
        let named = match key {
            // They are seen as `inputs.NAME`, so no word is taken.
            "inputs" => check_name(name.value, name.span.clone(), findings),
            _ => check_variable(name.value, name.span.clone(), findings),
        };
        let what = format!("{key}: {}", name.value);
        let Some(mut table) = Table::of(&what, value, findings) else { continue };
        let given = table.text("type", findings);
        let known = given.as_ref().and_then(|given| {
            let known = TYPES.iter().find(|(known, ..)| *known == given.value);
            if known.is_none() {
                let hint = suggest(&given.value, TYPES.iter().map(|(known, ..)| *known));
                findings.error(given.span.clone(), format!("{what}: there is no type '{}'", given.value), hint);
            }
            known
        });
        let words = table.texts("words", findings);
        let default = table.value("default");
        let doc = table.text("doc", findings).map(|doc| doc.value).unwrap_or_default();
        if let (Some(words), Some((known, ..))) = (&words, known.filter(|(known, ..)| *known != "text")) {
            findings.error(words.span.clone(), format!("{what}: words are for a text, and this is {known}"), None);
        }
        if given.is_none() && words.is_none() && default.is_none() {
            let hint = "write type = \"text\", or another type".to_owned();
            findings.error(value.span(), format!("{what} has neither type nor default"), hint);
        }
        table.finish(findings);
        let of = match (words, known) {
            (Some(words), _) => Some(Type::word(words.value.iter().map(|word| word.value.as_str()))),
            (None, Some(("list", ..))) => Some(Type::list(Type::Any)),
            (None, Some(("table", ..))) => Some(Type::map(Type::Any)),
            (None, Some((_, of, _))) => Some(of.clone()),
            (None, None) => None,
        };
        if named {
            let name = name.map(str::to_owned);
            drafts.push(DeclaredDraft { name, of, kind: known.and_then(|(.., kind)| *kind), default, doc });
        }
    }
    drafts
}

impl DeclaredDraft<'_> {
    /// What is declared, without its default; before names are checked.
    pub(super) fn signature(&self) -> Declared {
        let of = self.of.clone().or_else(|| {
            self.default.and_then(|value| super::reader::value_of(value.get_ref())).map(|value| Type::of(&value).open())
        });
        Declared {
            of: of.unwrap_or(Type::Any),
            kind: self.kind,
            default: self.default.and_then(|value| super::reader::value_of(value.get_ref())),
            doc: self.doc.clone(),
        }
    }

    /// Says itself what type it is of.
    pub(super) fn is_typed(&self) -> bool {
        self.of.is_some()
    }

    /// Checks the default: its type, and the thing it names.
    pub(super) fn check(&self, key: &str, checker: &Checker<'_>, findings: &mut Findings<'_>) {
        let Some(default) = self.default else { return };
        let what = format!("{key}: {}", self.name.value);
        let value = match self.kind {
            Some(kind) => checker.check_kind(&what, kind, default, findings),
            None => checker.check_free(&what, default, findings),
        };
        let declared = self.signature();
        if let Some(value) = value.filter(|_| self.kind.is_none()) {
            declared.takes(&what, &value, default.span(), findings);
        }
    }
}

impl Declared {
    /// Says where a value is not of the declared type.
    pub(super) fn takes(&self, what: &str, value: &Value, span: Range<usize>, findings: &mut Findings<'_>) {
        let of = Type::of(value);
        if of.fits(&self.of) {
            return;
        }
        match (self.of.words(), value) {
            (Some(words), Value::Text(text)) => {
                let hint = suggest(text, words.iter().map(String::as_str));
                findings.error(span, format!("{what} cannot be '{text}'"), hint);
            }
            _ => findings.error(span, format!("{what} is {}; it is to be {}", value.describe(), self.of), None),
        }
    }
}

/// Declarations by name.
pub(super) fn signatures(drafts: &[DeclaredDraft<'_>]) -> BTreeMap<String, Declared> {
    drafts.iter().map(|draft| (draft.name.value.clone(), draft.signature())).collect()
}
