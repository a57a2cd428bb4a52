//! Pages by TLS: the certificate, and its change under a running appliance.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::appliance::{Appliance, Setup, binary};
use super::eventually;
use super::reload::{change, copy_of_the_demo};
use super::secure::certify;

/// What GET /healthz says to one who trusts those of `authority`.
fn health(appliance: &Appliance, authority: &[u8]) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(appliance.web).expect("the web port");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut stream = StreamOwned::new(session, stream);
    let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    asked.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

fn check(config: &Path) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(["check", "--config"]).arg(config).output().expect("relais check");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn pages_come_by_tls_and_a_certificate_is_renewed_or_refused_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(
        &config,
        "[[trunk]]\nid = \"loopback\"",
        "[web.tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n\n[[trunk]]\nid = \"loopback\"",
    );
    let first = fs::read(certify(&config)).expect("an authority");
    let appliance = Setup::new(&config).start();
    let answer = health(&appliance, &first).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");

    // The key of another certificate: refused, and what was running goes on.
    let key = config.with_file_name("own.key");
    let fitting = fs::read(&key).expect("a key");
    certify(&config);
    fs::write(&key, fitting).expect("a writable file");
    let (code, said) = check(&config);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("web.tls: the key in") && said.contains("made together"), "{said}");
    appliance.read_files_anew();
    eventually(Duration::from_secs(10), "the files are refused", || {
        appliance.log().contains("what was running goes on").then_some(())
    });
    assert!(health(&appliance, &first).is_ok());

    let second = fs::read(certify(&config)).expect("an authority");
    appliance.read_files_anew();
    eventually(Duration::from_secs(10), "the new files are taken", || {
        appliance.log().contains("configuration reloaded").then_some(())
    });
    assert!(health(&appliance, &second).expect("an answer").starts_with("HTTP/1.1 200"));
    health(&appliance, &first).expect_err("the old certificate is gone");
}
