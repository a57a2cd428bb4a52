//! Certificates made for each test, and what is said of those that do not do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;

/// Vouches for certificates, in files of a folder of its own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { issuer: Issuer::new(params, key), folder }
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The files of a certificate for these names and addresses, and of its key.
    pub fn issue(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        self.issue_until(names, 2_100)
    }

    pub fn issue_until(&self, names: &[&str], year: i32) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let stem = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2_020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let [certificate_file, key_file] = ["pem", "key"].map(|end| self.folder.path().join(format!("{stem}.{end}")));
        fs::write(&certificate_file, certificate.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        (certificate_file, key_file)
    }

    /// What a server of pages with these names proves itself by.
    pub fn https(&self, names: &[&str]) -> Https {
        let (certificate, key) = self.issue(names);
        https(&Identity::read(&certificate, &key, jiff::Timestamp::now()).unwrap()).unwrap()
    }

    /// What a server with these names proves itself by, and what trusts this authority.
    pub fn keys(&self, names: &[&str]) -> Tls {
        let (certificate, key) = self.issue(names);
        let identity = Identity::read(&certificate, &key, jiff::Timestamp::now()).unwrap();
        Tls::new(Some(&identity), Some(&self.ca_file())).unwrap()
    }
}

fn fault(certificate: &Path, key: &Path) -> String {
    let fault = Identity::read(certificate, key, "2026-11-29T10:00:00Z".parse().unwrap()).expect_err("a fault");
    format!("{fault}; {}", fault.remedy())
}

#[test]
fn a_certificate_with_its_key_serves() {
    let authority = Authority::new();
    let tls = authority.keys(&["pbx.example.com"]);
    assert!(tls.server.is_some() && tls.client().is_ok());
    assert!(Tls::default().server.is_none(), "nobody is served without one");
}

#[test]
fn what_is_missing_expired_or_not_fitting_is_said_with_the_remedy() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["pbx.example.com"]);
    let (other, other_key) = authority.issue(&["other.example.com"]);
    let none = authority.ca_file().with_file_name("none.pem");
    let (expired, expired_key) = authority.issue_until(&["old.example.com"], 2_025);
    let open = authority.issue(&["open.example.com"]);
    fs::set_permissions(&open.1, fs::Permissions::from_mode(0o644)).unwrap();
    for ((certificate, key), says) in [
        ((&none, &key), "cannot be read"),
        ((&key, &key), "holds no certificate"),
        ((&certificate, &certificate), "holds no private key"),
        ((&certificate, &other_key), "does not belong to the certificate"),
        ((&other, &key), "name the two files that were made together"),
        ((&expired, &expired_key), "expired on 2025-01-01T00:00:00Z; renew it"),
        ((&open.0, &open.1), "can be read by everybody; chmod 640"),
    ] {
        let fault = fault(certificate, key);
        assert!(fault.contains(says), "{fault}");
    }
    let early = Identity::read(&certificate, &key, "2019-01-01T00:00:00Z".parse().unwrap());
    assert!(matches!(early, Err(IdentityFault::NotYet(_))));
}

#[test]
fn a_ca_file_without_certificates_is_named() {
    let authority = Authority::new();
    let (_, key) = authority.issue(&["pbx.example.com"]);
    let fault = Tls::new(None, Some(&key)).expect_err("a fault");
    assert!(fault.contains("holds no certificate"), "{fault}");
}
