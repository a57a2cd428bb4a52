//! Inputs with values to be worked out inside them: a URL with `{call.from}` in it, a table with `{ cel = "…" }` in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::computed::expression_of;
use super::condition::Computed;
use super::inputs::Checker;
use super::reader::{At, contents, type_of, value_of};
use crate::findings::Findings;
use crate::ivr::http::{Part, check_header, parts, values_of};
use crate::ivr::{Fields, Kind, Module, Value};

/// Tables stand in one another so deep at most.
const DEEPEST: usize = 8;

/// A computed value and where among the inputs it goes: the input's name, then the keys of the tables in it, and the
/// places in lists, counted from 0.
#[derive(Debug)]
pub struct Nested {
    pub path: Vec<String>,
    pub computed: Computed,
}

/// Puts a value where `path` leads, through tables that are made where they are missing.
pub(super) fn put(values: &mut BTreeMap<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        values.insert(first.clone(), value);
        return;
    }
    let inner = values.entry(first.clone()).or_insert_with(|| Value::Map(BTreeMap::new()));
    put_inside(inner, rest, value);
}

fn put_inside(inner: &mut Value, path: &[String], value: Value) {
    match inner {
        Value::Map(entries) => put(entries, path, value),
        Value::List(items) => {
            let Some((at, rest)) = path.split_first() else { return };
            if let Some(item) = at.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                put_inside(item, rest, value);
            }
        }
        _ => {}
    }
}

impl Checker<'_> {
    /// An input that may have computed values in it: gives what is fixed of it, and adds the others to `nested`.
    pub(super) fn check_nested(
        &self,
        name: &str,
        kind: Kind,
        value: &Spanned<DeValue<'_>>,
        nested: &mut Vec<Nested>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        match (kind, value.get_ref()) {
            (Kind::Template, DeValue::String(text)) => self.check_template(name, text, value.span(), nested, findings),
            (Kind::Values, DeValue::Table(entries)) => {
                let table = self.check_table(&[name.to_owned()], entries, nested, findings)?;
                if name == "headers" {
                    check_headers(entries, findings);
                }
                Some(table)
            }
            (Kind::Fields, DeValue::Table(entries)) => check_fields(name, value, entries, findings),
            (kind, other) => {
                let message = format!("{name} is {}; it is to be {}", type_of(other), kind.describe());
                findings.error(value.span(), message, None);
                None
            }
        }
    }

    fn check_template(
        &self,
        name: &str,
        text: &str,
        span: Range<usize>,
        nested: &mut Vec<Nested>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let start = contents(&findings.source.text, &span);
        let at = |offset: usize| (start + offset).min(span.end.saturating_sub(1)).max(span.start)..span.end;
        let parts = match parts(text) {
            Ok(parts) => parts,
            Err((offset, fault)) => {
                findings.error(at(offset), format!("{name}: {fault}"), None);
                return None;
            }
        };
        let mut seen = BTreeSet::new();
        for part in parts {
            let Part::Value(expression, offset) = part else { continue };
            if !seen.insert(expression) {
                continue;
            }
            // The text's own quotes are taken off again where places are worked out.
            let quoted = At { value: expression, span: at(offset).start.saturating_sub(1)..span.end };
            if let Some(computed) = self.check_computed(name, None, quoted, findings) {
                nested.push(Nested { path: vec![values_of(name), expression.to_owned()], computed });
            }
        }
        Some(Value::from(text))
    }

    fn check_table(
        &self,
        path: &[String],
        entries: &DeTable<'_>,
        nested: &mut Vec<Nested>,
        findings: &mut Findings<'_>,
    ) -> Option<Value> {
        let mut table = BTreeMap::new();
        for (key, value) in entries {
            let name: &str = key.get_ref();
            let path: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
            if let Some(text) = expression_of(value) {
                if let Some(computed) = self.check_computed(name, None, text, findings) {
                    nested.push(Nested { path, computed });
                }
                continue;
            }
            let checked = match value.get_ref() {
                DeValue::Table(_) if path.len() > DEEPEST => None,
                DeValue::Table(inner) => self.check_table(&path, inner, nested, findings),
                other => value_of(other),
            };
            match checked {
                Some(checked) => {
                    table.insert(name.to_owned(), checked);
                }
                None if matches!(value.get_ref(), DeValue::Table(_)) && path.len() <= DEEPEST => {}
                None => {
                    let message = format!("{name} is {}, which cannot be sent", type_of(value.get_ref()));
                    findings.error(value.span(), message, None);
                }
            }
        }
        Some(Value::Map(table))
    }

    /// What of a request only makes sense together.
    pub(super) fn check_request(
        &self,
        module: Module,
        fixed: &BTreeMap<String, Value>,
        place: Range<usize>,
        findings: &mut Findings<'_>,
    ) {
        if !matches!(module, Module::Lookup | Module::Webhook) {
            return;
        }
        let name = module.spec().name;
        let text = |input: &str| fixed.get(input).and_then(Value::as_text);
        let url = text("url").unwrap_or_default();
        let any_url = text("service").and_then(|service| self.names.services.get(service)).copied();
        let whole = url.starts_with("https://") || url.starts_with("http://");
        match any_url {
            Some(false) if whole => {
                let hint = "write what follows the service's base_url, as \"/customers/{call.from}\"; a service with \
                            any_url = true takes whole URLs";
                findings.error(place.clone(), format!("{name}: the service takes no whole URL"), hint.to_owned());
            }
            Some(true) if !whole => {
                let hint = "write \"https://…\"; the host itself is not computed".to_owned();
                findings.error(place.clone(), format!("{name}: the service needs a whole URL"), hint);
            }
            Some(true) if host_is_computed(url) => {
                let hint = "write the host as it is; expressions may stand after the / that follows it".to_owned();
                findings.error(place.clone(), format!("{name}: the URL's host is computed"), hint);
            }
            Some(false) if !url.is_empty() && !url.starts_with(['/', '?']) => {
                let hint = format!("write \"/{url}\"");
                findings.error(place.clone(), format!("{name}: url begins with / or ?"), hint);
            }
            _ => {}
        }
        if module == Module::Lookup && fixed.contains_key("body") && text("method").unwrap_or("get") == "get" {
            let hint = "write method = \"post\"".to_owned();
            findings.error(place, "lookup: get sends no body".to_owned(), hint);
        }
    }
}

/// Whether an expression stands before the first `/` after the scheme.
fn host_is_computed(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.contains('{') || host.is_empty()
}

fn check_headers(entries: &DeTable<'_>, findings: &mut Findings<'_>) {
    for (key, value) in entries {
        let text = value.get_ref().as_str().unwrap_or_default();
        if let Err(fault) = check_header(key.get_ref(), text) {
            findings.error(key.span(), fault, None);
        }
    }
}

fn check_fields(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    entries: &DeTable<'_>,
    findings: &mut Findings<'_>,
) -> Option<Value> {
    let Some(fields) = value_of(value.get_ref()) else {
        let message = format!("{name}: a default is a text, a number, true or false, a list or a table");
        findings.error(value.span(), message, None);
        return None;
    };
    let span_of = |field: &str| entries.get(field).map_or(value.span(), Spanned::span);
    if let Err((field, fault)) = Fields::read(&fields) {
        findings.error(span_of(&field), format!("{name}: {field} {fault}"), None);
        return None;
    }
    for taken in Module::Lookup.spec().outputs.iter().map(|output| output.name) {
        if entries.contains_key(taken) {
            let message = format!("{name}: '{taken}' is an output of lookup itself; give the field another name");
            findings.error(span_of(taken), message, None);
        }
    }
    Some(fields)
}
