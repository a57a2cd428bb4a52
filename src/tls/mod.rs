//! Certificates and keys in files, to what connections over TLS need (RFC 8446, RFC 5922).

mod files;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub use files::{Identity, IdentityFault};

/// What a server of pages proves itself by.
pub type Https = Arc<ServerConfig>;

/// What we prove ourselves by, and whom we trust. Without either it serves nobody and trusts whom this system trusts.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// For connections that come in; `None` without a certificate of ours.
    pub server: Option<Arc<ServerConfig>>,
    client: Option<Arc<ClientConfig>>,
}

/// The cryptography below TLS; the program has no other.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Tls {
    /// `ca_file` holds those who vouch for the servers we call, in PEM; those of this system where it is `None`. An
    /// identity is shown to servers as well, where they ask for one.
    pub fn new(identity: Option<&Identity>, ca_file: Option<&Path>) -> Result<Tls, String> {
        let server = identity.map(Identity::serve).transpose()?.map(Arc::new);
        let client = trusting(ca_file, identity)?;
        Ok(Tls { server, client: Some(Arc::new(client)) })
    }

    /// For connections that we open.
    pub fn client(&self) -> Result<Arc<ClientConfig>, String> {
        match &self.client {
            Some(client) => Ok(client.clone()),
            None => trusting(None, None).map(Arc::new),
        }
    }
}

/// For pages and the API. Of what clients would speak behind the hand-shake it takes HTTP/1.1 alone (RFC 7301), by which
/// WebSockets are opened.
pub fn https(identity: &Identity) -> Result<Https, String> {
    let mut config = identity.serve()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A client that takes certificates vouched for by those of `ca_file`, or of this system.
pub fn trusting(ca_file: Option<&Path>, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match ca_file {
        Some(file) => builder.with_root_certificates(roots(file)?),
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| error.to_string())?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    match identity {
        Some(identity) => identity.show(builder),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| said(&error))? {
        roots.add(certificate.map_err(|error| said(&error))?).map_err(|error| said(&error))?;
    }
    if roots.is_empty() {
        return Err(said(&"holds no certificate in PEM"));
    }
    Ok(roots)
}
