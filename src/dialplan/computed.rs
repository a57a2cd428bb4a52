//! Checks inputs that are worked out: `{ cel = "…" }`.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::condition::Computed;
use super::expression::Expression;
use super::inputs::{Checker, Takes};
use super::load::report;
use super::reader::At;
use super::types::Type;
use super::typing::typed;
use crate::findings::Findings;
use crate::ivr::Kind;

/// The text of `{ cel = "…" }`.
pub(super) fn expression_of<'v>(value: &'v Spanned<DeValue<'v>>) -> Option<At<&'v str>> {
    let table = value.get_ref().as_table().filter(|table| table.len() == 1)?;
    let expression = table.get("cel")?;
    Some(At { value: expression.get_ref().as_str()?, span: expression.span() })
}

impl Checker<'_> {
    /// The type of an expression; what is wrong in it becomes findings.
    pub(super) fn check_types(
        &self,
        expression: &Expression,
        span: &Range<usize>,
        what: &str,
        findings: &mut Findings<'_>,
    ) -> Type {
        let typed = typed(expression, &self.vocabulary);
        report(&typed.misuses, span, what, findings);
        typed.of
    }

    pub(super) fn check_computed(
        &self,
        name: &str,
        takes: Option<&Takes<'_>>,
        text: At<&str>,
        findings: &mut Findings<'_>,
    ) -> Option<Computed> {
        let computed = match Computed::compile(text.value) {
            Ok(computed) => computed,
            Err(misuses) => {
                report(&misuses, &text.span, name, findings);
                return None;
            }
        };
        let mut of = self.check_types(computed.expression(), &text.span, name, findings);
        // Of a constant the value is known, and so what it names.
        let constant = computed.text().trim().strip_prefix("params.").and_then(|param| self.params.get(param));
        if let Some(value) = constant {
            of = Type::of(value);
        }
        let Some(takes) = takes else { return Some(computed) };
        match (takes.kind, takes.declared) {
            (Some(kind), _) => self.check_type_of_kind(name, kind, &of, &text.span, findings),
            (None, Some(declared)) if !of.fits(&declared.of) => {
                findings.error(text.span, format!("{name} is {of}; it is to be {}", declared.of), None);
            }
            _ => {}
        }
        Some(computed)
    }

    /// Whether what is worked out can be of a kind; of texts that are known beforehand, each one.
    fn check_type_of_kind(&self, name: &str, kind: Kind, of: &Type, span: &Range<usize>, findings: &mut Findings<'_>) {
        let fits = match kind {
            _ if *of == Type::Any => true,
            Kind::Flag => *of == Type::Flag,
            Kind::Integer { .. } => *of == Type::Integer,
            Kind::Choices | Kind::Values => matches!(of, Type::Map(_)),
            Kind::Skills => matches!(of, Type::Map(_) | Type::List(_)),
            Kind::Widening | Kind::Comforts => matches!(of, Type::List(_)),
            Kind::Prompt | Kind::Lists => of.is_text() || matches!(of, Type::List(_)),
            _ => of.is_text(),
        };
        if !fits {
            findings.error(span.clone(), format!("{name} is {of}; it is to be {}", kind.describe()), None);
            return;
        }
        for word in of.words().into_iter().flatten() {
            match kind {
                Kind::Prompt => self.check_prompt(word, span.clone(), findings),
                // Nothing is a way to say that a key, a pattern or a text is not given.
                _ if word.is_empty() => {}
                _ => {
                    self.check_word(name, kind, word, span.clone(), findings);
                }
            }
        }
    }
}
