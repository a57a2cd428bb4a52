//! SIP over TLS: the hand-shake of both sides, in bounded time, and whose name a server has to prove.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::Counters;
use crate::tls::Tls;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// What our connections prove themselves by and whom they trust. New ones take what was set last.
#[derive(Clone)]
pub(super) struct Secured {
    keys: Arc<ArcSwap<Tls>>,
    /// The names by which addresses were found (RFC 5922 §4: what is asked for is what the certificate has to name).
    names: Arc<DashMap<SocketAddr, String>>,
    counters: Arc<Counters>,
}

/// Addresses whose name is kept: more than trunks have.
const MOST_NAMES: usize = 4_096;

impl Secured {
    pub fn new(keys: Tls, counters: Arc<Counters>) -> Secured {
        Secured { keys: Arc::new(ArcSwap::from_pointee(keys)), names: Arc::default(), counters }
    }

    pub fn replace(&self, keys: Tls) {
        self.keys.store(Arc::new(keys));
    }

    /// `host` was looked up and is at `address`: who answers there has to be it.
    pub fn name(&self, address: SocketAddr, host: &str) {
        if self.names.contains_key(&address) || self.names.len() < MOST_NAMES {
            self.names.insert(address, host.to_owned());
        }
    }

    pub async fn accept(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        patience: Duration,
    ) -> Option<server::TlsStream<TcpStream>> {
        let config = self.keys.load().server.clone()?;
        match timeout(patience.min(HANDSHAKE), TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                self.counters.insecure();
                tracing::debug!("tls: {remote} comes to no secure connection: {error}");
                None
            }
            Err(_) => {
                self.counters.insecure();
                None
            }
        }
    }

    /// The one at `remote` has to prove the name it was found by, or its address where there was none.
    pub async fn connect(&self, stream: TcpStream, remote: SocketAddr) -> Option<client::TlsStream<TcpStream>> {
        let host = self.names.get(&remote).map_or_else(|| remote.ip().to_string(), |host| host.clone());
        match self.greet(stream, &host).await {
            Ok(stream) => Some(stream),
            Err(why) => {
                self.counters.insecure();
                tracing::warn!(
                    "tls: {remote} does not prove to be {host}: {why}; nothing is sent there. Its certificate has to name \
                     {host}, and be vouched for by this system or by ca_file of [sip.tls]"
                );
                None
            }
        }
    }

    async fn greet(&self, stream: TcpStream, host: &str) -> Result<client::TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "no certificate can have that name".to_owned())?;
        let config = self.keys.load().client()?;
        match timeout(HANDSHAKE, TlsConnector::from(config).connect(name, stream)).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no hand-shake within {} s", HANDSHAKE.as_secs())),
        }
    }
}
