//! `[sip.tls]`: what SIP over TLS proves itself by, and whom it trusts. `[web.tls]`: what pages and the API prove themselves
//! by.

use std::path::Path;

use super::files::resolve;
use crate::dialplan::reader::Table;
use crate::findings::Findings;
use crate::time::Wall;
use crate::tls::{Https, Identity, Tls, https};

/// A certificate and its key belong together; a `ca_file` may stand alone.
pub(super) fn read(table: Option<Table<'_>>, folder: &Path, findings: &mut Findings<'_>) -> Tls {
    let Some(mut table) = table else { return Tls::default() };
    let place = table.span.clone();
    let identity = read_identity("sip.tls", &mut table, folder, findings);
    let ca_file = table.text("ca_file", findings);
    table.finish(findings);
    let roots = ca_file.as_ref().map(|file| resolve(folder, &file.value));
    match Tls::new(identity.as_ref(), roots.as_deref()) {
        Ok(tls) => tls,
        Err(fault) => {
            let span = ca_file.map_or(place, |file| file.span);
            let remedy = "name a file with the certificates, in PEM, of those who vouch for your trunks".to_owned();
            findings.error(span, format!("sip.tls: ca_file: {fault}"), remedy);
            Tls::default()
        }
    }
}

/// Both files are needed. `None`: there is a finding.
pub(super) fn read_https(mut table: Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Https> {
    table.what = "web.tls".to_owned();
    let place = table.span.clone();
    if !table.has("certificate") && !table.has("key") {
        let remedy = "write certificate = \"FILE\" and key = \"FILE\", or leave [web.tls] out".to_owned();
        findings.error(place.clone(), "web.tls: names no certificate", remedy);
    }
    let identity = read_identity("web.tls", &mut table, folder, findings);
    table.finish(findings);
    https(&identity?)
        .map_err(|fault| {
            let remedy = "name a certificate with its chain, and its key, each in PEM".to_owned();
            findings.error(place, format!("web.tls: {fault}"), remedy);
        })
        .ok()
}

/// `certificate` and `key`. `None` where neither is named, or there is a finding.
fn read_identity(what: &str, table: &mut Table<'_>, folder: &Path, findings: &mut Findings<'_>) -> Option<Identity> {
    let certificate = table.text("certificate", findings);
    let key = table.text("key", findings);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let files = (resolve(folder, &certificate.value), resolve(folder, &key.value));
            let read = Identity::read(&files.0, &files.1, Wall::now());
            read.map_err(|fault| findings.error(certificate.span, format!("{what}: {fault}"), fault.remedy())).ok()
        }
        (None, None) => None,
        (Some(at), None) => {
            let remedy = "add key = \"FILE\"".to_owned();
            findings.error(at.span, format!("{what}: certificate is named without its key"), remedy);
            None
        }
        (None, Some(at)) => {
            let remedy = "add certificate = \"FILE\"".to_owned();
            findings.error(at.span, format!("{what}: key is named without its certificate"), remedy);
            None
        }
    }
}
