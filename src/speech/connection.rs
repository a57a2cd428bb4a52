//! The way to a worker: Unix socket, TCP or TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::settings::{SpeechRemote, SpeechScheme};

/// A worker that does not take a connection in this time is not there.
pub const CONNECT: Duration = Duration::from_secs(2);

pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Where a worker listens.
#[derive(Clone, Debug)]
pub enum Place {
    Unix(PathBuf),
    Remote(SpeechRemote),
}

impl Place {
    /// A new connection, or why there is none.
    pub async fn dial(&self) -> Result<Box<dyn Socket>, String> {
        let dialled = async {
            match self {
                Place::Unix(path) => {
                    let stream = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
                    Ok(Box::new(stream) as Box<dyn Socket>)
                }
                Place::Remote(remote) => remote_socket(remote).await,
            }
        };
        let Ok(dialled) = tokio::time::timeout(CONNECT, dialled).await else {
            return Err(format!("no connection within {} ms", CONNECT.as_millis()));
        };
        dialled
    }

    /// The worker's token, read anew each time: it may have been changed.
    pub fn token(&self) -> Result<Option<String>, String> {
        match self {
            Place::Remote(SpeechRemote { token_file: Some(file), .. }) => read_token(file).map(Some),
            _ => Ok(None),
        }
    }
}

/// The secret in a file: one line.
pub fn read_token(file: &Path) -> Result<String, String> {
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().len() >= 16 => Ok(text.trim().to_owned()),
        Ok(_) => Err(format!("the token in {} is shorter than 16 bytes", file.display())),
        Err(error) => Err(format!("the token file {} cannot be read: {error}", file.display())),
    }
}

/// TCP to the host, with TLS over it where the scheme says so.
pub async fn remote_socket(remote: &SpeechRemote) -> Result<Box<dyn Socket>, String> {
    let stream = TcpStream::connect((remote.host.as_str(), remote.port)).await.map_err(|error| error.to_string())?;
    // Small frames, each of them awaited by a caller.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    if matches!(remote.scheme, SpeechScheme::Tcp | SpeechScheme::Ws) {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(remote.host.clone())
        .map_err(|_| format!("'{}' is no name that a certificate can have", remote.host))?;
    let config = crate::tls::trusting(remote.ca_file.as_deref(), None).map_err(|error| format!("TLS: {error}"))?;
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
    Ok(Box::new(stream))
}
