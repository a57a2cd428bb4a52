//! `[[service]]`: HTTP services outside that plans may ask (`lookup`) and tell (`webhook`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::files::resolve;
use super::people::check_id;
use crate::dialplan::reader::{At, Table, type_of};
use crate::findings::Findings;
use crate::ids::ServiceId;
use crate::ivr::http::check_header;
use crate::settings::Service;

/// Look-ups of one service at once, where nothing else is said.
const CONCURRENT: i64 = 32;
const CACHE_ENTRIES: i64 = 1_000;

pub(super) struct ServiceDraft {
    pub service: Service,
    pub id: At<String>,
}

pub(super) fn read(mut table: Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<ServiceDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("service".to_owned(), |id| format!("service '{}'", id.value));
    if let Some((id, Err(fault))) = id.as_ref().map(|id| (id, check_id(&id.value))) {
        findings.error(id.span.clone(), fault, None);
    }
    let any_url = table.flag("any_url", findings).is_some_and(|flag| flag.value);
    let base_url = read_base_url(&mut table, any_url, findings);
    let headers = read_headers(&mut table, findings);
    let token_file = read_file(&mut table, "token_file", folder, findings);
    let secret_file = read_file(&mut table, "secret_file", folder, findings);
    let ca_file = read_file(&mut table, "ca_file", folder, findings);
    let max_concurrent = table.integer("max_concurrent", 1..=1_000, findings).map_or(CONCURRENT, |most| most.value);
    let entries = table.integer("cache_entries", 0..=100_000, findings).map_or(CACHE_ENTRIES, |most| most.value);
    if let (Some(url), true) = (base_url.as_ref().and_then(open_to_ears), token_file.is_some()) {
        let hint = "use https".to_owned();
        findings.warning(url, format!("{}: the token is sent without encryption", table.what), hint);
    }
    table.finish(findings);
    let id = id?;
    let service = Service {
        id: ServiceId::from(id.value.as_str()),
        base_url: base_url.map(|url| url.value.as_str().trim_end_matches('/').to_owned()).unwrap_or_default(),
        any_url,
        headers,
        token_file,
        secret_file,
        ca_file,
        max_concurrent: usize::try_from(max_concurrent).unwrap_or(1),
        cache_entries: usize::try_from(entries).unwrap_or(0),
    };
    Some(ServiceDraft { service, id })
}

fn read_base_url(table: &mut Table<'_>, any_url: bool, findings: &mut Findings<'_>) -> Option<At<Url>> {
    if any_url {
        if let Some(base_url) = table.value("base_url") {
            let hint = "leave base_url out, or make it a service of its own".to_owned();
            findings.error(base_url.span(), format!("{}: any_url leaves base_url no meaning", table.what), hint);
        }
        return None;
    }
    let text = table.required_text("base_url", findings)?;
    let fault = match Url::parse(&text.value) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => "is neither http nor https",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "holds a password; put it into token_file or headers"
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "has a ? or # part",
        Ok(url) => return Some(At { value: url, span: text.span }),
        Err(_) => "is no URL",
    };
    let hint = "write \"https://crm.example.com/api\"".to_owned();
    findings.error(text.span, format!("{}: base_url '{}' {fault}", table.what, text.value), hint);
    None
}

/// Where the URL stands, when what is sent there can be read on the way.
fn open_to_ears(url: &At<Url>) -> Option<std::ops::Range<usize>> {
    let near = match url.value.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => true,
    };
    (url.value.scheme() == "http" && !near).then(|| url.span.clone())
}

fn read_headers(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let what = table.what.clone();
    let mut headers = BTreeMap::new();
    let Some(entries) = table.table("headers", findings) else { return headers };
    for (name, value) in entries.all() {
        let Some(text) = value.get_ref().as_str() else {
            let message = format!("{what}: header {} is {}, not a text", name.value, type_of(value.get_ref()));
            findings.error(value.span(), message, None);
            continue;
        };
        match check_header(name.value, text) {
            Ok(()) => {
                headers.insert(name.value.to_owned(), text.to_owned());
            }
            Err(fault) => findings.error(name.span, format!("{what}: {fault}"), None),
        }
    }
    headers
}

/// A file that must be there; what is in it is read by the shell that uses it.
pub(super) fn read_file(
    table: &mut Table<'_>,
    key: &'static str,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<PathBuf> {
    let file = table.text(key, findings)?;
    let path = resolve(folder, &file.value);
    match std::fs::read(&path) {
        Ok(content) if content.trim_ascii().is_empty() => {
            findings.error(file.span, format!("{}: {key}: {} is empty", table.what, path.display()), None);
        }
        Ok(_) => {}
        Err(error) => {
            let message = format!("{}: {key}: {} cannot be read: {error}", table.what, path.display());
            findings.error(file.span, message, None);
        }
    }
    Some(path)
}
