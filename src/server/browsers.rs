//! The softphones of browsers: what the web shell takes from WebSockets goes to the sockets of SIP.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::net::{Frames, Net};
use crate::web::{HungUp, Line, Phones};

pub struct Browsers(pub Arc<Net>);

impl Phones for Browsers {
    fn connect(&self, secure: bool, local: SocketAddr, remote: SocketAddr) -> Option<Box<dyn Line>> {
        self.0.web_socket(secure, local, remote).map(|frames| Box::new(frames) as Box<dyn Line>)
    }
}

#[async_trait]
impl Line for Frames {
    async fn take(&mut self, frame: &[u8]) -> Result<Option<Bytes>, HungUp> {
        Frames::take(self, frame).await.map_err(|_| HungUp)
    }

    async fn next(&mut self) -> Option<Bytes> {
        Frames::next(self).await
    }

    fn due(&self) -> Option<std::time::Instant> {
        Frames::due(self).map(tokio::time::Instant::into_std)
    }
}
