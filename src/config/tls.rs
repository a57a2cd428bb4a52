//! `[sip.tls]`: what SIP over TLS proves itself by, and whom it trusts.

use std::path::Path;

use super::files::resolve;
use crate::dialplan::reader::Table;
use crate::findings::Findings;
use crate::time::Wall;
use crate::tls::{Identity, Tls};

/// A certificate and its key belong together; a `ca_file` may stand alone.
pub(super) fn read(table: Option<Table<'_>>, folder: &Path, findings: &mut Findings<'_>) -> Tls {
    let Some(mut table) = table else { return Tls::default() };
    let place = table.span.clone();
    let certificate = table.text("certificate", findings);
    let key = table.text("key", findings);
    let ca_file = table.text("ca_file", findings);
    table.finish(findings);
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let files = (resolve(folder, &certificate.value), resolve(folder, &key.value));
            let read = Identity::read(&files.0, &files.1, Wall::now());
            read.map_err(|fault| findings.error(certificate.span, format!("sip.tls: {fault}"), fault.remedy())).ok()
        }
        (None, None) => None,
        (Some(at), None) => {
            findings.error(at.span, "sip.tls: certificate is named without its key", "add key = \"FILE\"".to_owned());
            None
        }
        (None, Some(at)) => {
            let remedy = "add certificate = \"FILE\"".to_owned();
            findings.error(at.span, "sip.tls: key is named without its certificate", remedy);
            None
        }
    };
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
