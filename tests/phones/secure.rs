//! Phones by TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::appliance::Setup;
use super::baresip::{self, Baresip};
use super::eventually;
use super::reload::{change, copy_of_the_demo};
use super::rtp::Endpoint;
use super::sipp::{self, Sipp};

const AGENT_HZ: u32 = 770;
const CALLER_HZ: u32 = 430;

/// Writes a certificate of a new authority for this machine, and its key, where the configuration names them; gives the
/// authority's file.
pub fn certify(config: &Path) -> PathBuf {
    let at = |name: &str| config.with_file_name(name);
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    fs::write(at("ca.pem"), params.self_signed(&authority_key).expect("a certificate").pem()).expect("a file");
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("parameters");
    fs::write(at("own.pem"), own.signed_by(&key, &issuer).expect("a certificate").pem()).expect("a file");
    fs::write(at("own.key"), key.serialize_pem()).expect("a file");
    fs::set_permissions(at("own.key"), fs::Permissions::from_mode(0o600)).expect("our own file");
    at("ca.pem")
}

#[test]
fn a_phone_by_tls_registers_and_talks_and_new_certificates_are_taken() {
    const NAME: &str = "a_phone_by_tls_registers_and_talks_and_new_certificates_are_taken";
    if sipp::missing(NAME) || baresip::missing(NAME) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = copy_of_the_demo(folder.path());
    change(&config, "[rtp]\n", "[sip.tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n\n[rtp]\n");
    let authority = certify(&config);
    let appliance = Setup::new(&config).tls().start();
    let phone = Baresip::by_tls(&appliance, &authority, "201", AGENT_HZ);
    let caller = Endpoint::open();
    caller.say(CALLER_HZ);
    let call = Sipp::caller("33155901", "610", Duration::from_secs(6)).media(caller.address).start(&appliance);
    caller.await_tone(AGENT_HZ);
    call.succeeds(Duration::from_secs(20));
    let record = appliance.record_from("33155901");
    assert_eq!((&record["outcome"], &record["ended_by"]), (&"handled".into(), &"caller".into()), "{record}");
    drop(phone);

    // The files are renewed; SIGHUP takes them without a restart.
    let renewed = certify(&config);
    appliance.read_files_anew();
    eventually(Duration::from_secs(10), "the new files are taken", || {
        appliance.log().contains("configuration reloaded").then_some(())
    });
    Baresip::by_tls(&appliance, &renewed, "202", AGENT_HZ);
}
