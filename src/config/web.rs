//! `[web]`: where pages and the API are listened for, and by what way browsers' voices come.

use std::net::SocketAddr;
use std::path::Path;

use super::Overrides;
use super::address::LOOPBACK;
use super::services::read_file;
use super::tls;
use crate::dialplan::reader::{At, Table};
use crate::findings::Findings;
use crate::settings::{Turn, Web};
use crate::tls::Https;

pub(super) fn read(
    table: Option<Table<'_>>,
    folder: &Path,
    overrides: &Overrides,
    findings: &mut Findings<'_>,
) -> (Web, Option<Https>) {
    let mut web = Web { listen: SocketAddr::new(LOOPBACK, 8080), tls: false, origins: Vec::new(), turn: None };
    let mut https = None;
    if let Some(mut table) = table {
        if let Some(listen) = table.text("listen", findings) {
            match listen.value.parse() {
                Ok(address) => web.listen = address,
                Err(_) => {
                    let hint = "write \"127.0.0.1:8080\"".to_owned();
                    findings.error(listen.span, format!("web: '{}' is no address with a port", listen.value), hint);
                }
            }
        }
        for origin in table.texts("origins", findings).map(|texts| texts.value).unwrap_or_default() {
            match read_origin(&origin.value) {
                Some(read) => web.origins.push(read),
                None => {
                    let message = format!("web: '{}' is no origin of a page", origin.value);
                    findings.error(origin.span, message, "write \"https://desk.example.com\"".to_owned());
                }
            }
        }
        web.tls = table.has("tls");
        https = table.table("tls", findings).and_then(|table| tls::read_https(table, folder, findings));
        web.turn = table.table("turn", findings).and_then(|table| read_turn(table, folder, findings));
        table.finish(findings);
    }
    web.listen = overrides.web.unwrap_or(web.listen);
    (web, https)
}

/// RFC 6454 §6.2, as browsers send it: a scheme, a host, and a port where it is not the scheme's own.
fn read_origin(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (bare && matches!(url.scheme(), "http" | "https")).then(|| url.origin().ascii_serialization())
}

fn read_turn(mut table: Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Turn> {
    table.what = "web.turn".to_owned();
    let urls: Vec<At<String>> = table.texts("urls", findings).map(|texts| texts.value).unwrap_or_default();
    if urls.is_empty() {
        let hint = "write urls = [\"turn:turn.example.com:3478\"]".to_owned();
        findings.error(table.span.clone(), "web.turn: urls names no server".to_owned(), hint);
    }
    for url in &urls {
        if let Some(fault) = fault_of(&url.value) {
            let hint =
                "write \"turn:turn.example.com:3478\" or \"turns:turn.example.com:443?transport=tcp\"".to_owned();
            findings.error(url.span.clone(), format!("web.turn: '{}' {fault}", url.value), hint);
        }
    }
    let secret_file = read_file(&mut table, "secret_file", folder, findings);
    if secret_file.is_none() {
        let hint =
            "write secret_file = \"turn.secret\", with the secret that the server has (coturn: static-auth-secret)";
        findings.error(table.span.clone(), "web.turn: secret_file is missing".to_owned(), hint.to_owned());
    }
    table.finish(findings);
    Some(Turn { urls: urls.into_iter().map(|url| url.value).collect(), secret_file: secret_file? })
}

/// What is wrong with the URI of a TURN server (RFC 7065 §3.1).
fn fault_of(text: &str) -> Option<&'static str> {
    let Some(rest) = text.strip_prefix("turn:").or_else(|| text.strip_prefix("turns:")) else {
        return Some("does not begin with turn: or turns:");
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    if !query.is_none_or(|query| matches!(query, "transport=udp" | "transport=tcp")) {
        return Some("has more behind the ? than transport=udp or transport=tcp");
    }
    // Any other scheme that has a host and a port, to read these two.
    match url::Url::parse(&format!("ws://{place}/")) {
        Ok(url) if url.username().is_empty() && url.password().is_none() && url.path() == "/" => None,
        _ => Some("names no host"),
    }
}
