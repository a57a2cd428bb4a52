//! A certificate and its key, read from PEM files and checked against each other and the clock.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::provider;
use crate::time::Wall;

/// Above what a chain of certificates takes.
const LARGEST: u64 = 1 << 20;

/// What we prove ourselves by.
#[derive(Debug)]
pub struct Identity {
    /// Our own first, then those that vouch for it.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// What is wrong with a certificate or its key. The messages name the file.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFault {
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{0} is larger than a certificate or a key")]
    TooLarge(PathBuf),
    #[error("{file} is not PEM as certificates and keys are written: {error}")]
    NotPem { file: PathBuf, error: pem::Error },
    #[error("{0} holds no certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(PathBuf),
    #[error("{0} holds no private key (-----BEGIN PRIVATE KEY-----)")]
    NoKey(PathBuf),
    #[error("{0} can be read by everybody")]
    Open(PathBuf),
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {file} expired on {on}")]
    Expired { file: PathBuf, on: String },
    #[error("the certificate in {0} is not valid yet")]
    NotYet(PathBuf),
    #[error("the certificate in {file} cannot be used: {error}")]
    Unusable { file: PathBuf, error: Error },
}

impl IdentityFault {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            IdentityFault::Open(file) => format!("chmod 640 {}", file.display()),
            IdentityFault::Mismatch { .. } => "name the two files that were made together".to_owned(),
            IdentityFault::Expired { .. } => "renew it; SIGHUP takes the new one without a restart".to_owned(),
            IdentityFault::NotYet(_) => "look at this machine's clock".to_owned(),
            _ => "name the certificate with its chain, and its key, each in PEM".to_owned(),
        }
    }
}

impl Identity {
    /// Reads and checks both; `now` decides whether the certificate is valid.
    pub fn read(certificate: &Path, key: &Path, now: Wall) -> Result<Identity, IdentityFault> {
        let chain = certificates(certificate)?;
        let private = private_key(key)?;
        let Some(own) = chain.first() else { return Err(IdentityFault::NoCertificate(certificate.to_owned())) };
        let unusable = |error| IdentityFault::Unusable { file: certificate.to_owned(), error };
        check_dates(own, now).map_err(|fault| match fault {
            Dates::Expired(on) => IdentityFault::Expired { file: certificate.to_owned(), on },
            Dates::NotYet => IdentityFault::NotYet(certificate.to_owned()),
            Dates::Unreadable(error) => unusable(error),
        })?;
        match CertifiedKey::from_der(chain.clone(), private.clone_key(), &provider()) {
            Ok(_) => Ok(Identity { chain, key: private }),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(IdentityFault::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// For connections that come in; nobody is asked to prove themselves by a certificate.
    pub(super) fn serve(&self) -> Result<ServerConfig, String> {
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|error| error.to_string())
    }

    pub(super) fn show(&self, builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig, String> {
        builder.with_client_auth_cert(self.chain.clone(), self.key.clone_key()).map_err(|error| error.to_string())
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityFault> {
    let bytes = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.map_err(|error| IdentityFault::NotPem { file: file.to_owned(), error })
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, IdentityFault> {
    let bytes = read(file)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => IdentityFault::NoKey(file.to_owned()),
        error => IdentityFault::NotPem { file: file.to_owned(), error },
    })?;
    let mode = fs::metadata(file).map_or(0, |about| about.permissions().mode());
    if mode & 0o007 == 0 { Ok(key) } else { Err(IdentityFault::Open(file.to_owned())) }
}

fn read(file: &Path) -> Result<Vec<u8>, IdentityFault> {
    let unreadable = |error| IdentityFault::Unreadable { file: file.to_owned(), error };
    if fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
        return Err(IdentityFault::TooLarge(file.to_owned()));
    }
    fs::read(file).map_err(unreadable)
}

enum Dates {
    Expired(String),
    NotYet,
    Unreadable(Error),
}

/// A verifier looks at the dates of a certificate before it looks at who vouches for it; the rest of its verdict is for
/// those who call us.
fn check_dates(own: &CertificateDer<'static>, now: Wall) -> Result<(), Dates> {
    let mut roots = RootCertStore::empty();
    roots.add(own.clone()).map_err(Dates::Unreadable)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| Dates::Unreadable(Error::General(error.to_string())))?;
    let seconds = std::time::Duration::from_secs(now.as_second().unsigned_abs());
    let anybody = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
    match verifier.verify_server_cert(own, &[], &anybody, &[], UnixTime::since_unix_epoch(seconds)) {
        Err(Error::InvalidCertificate(CertificateError::Expired)) => Err(Dates::Expired("a day that is past".into())),
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            let at = i64::try_from(not_after.as_secs()).ok().and_then(|at| Wall::from_second(at).ok());
            Err(Dates::Expired(at.map_or_else(|| "a day that is past".to_owned(), |at| at.to_string())))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => {
            Err(Dates::NotYet)
        }
        Err(error @ Error::InvalidCertificate(CertificateError::BadEncoding)) => Err(Dates::Unreadable(error)),
        _ => Ok(()),
    }
}
