//! SIP over UDP: one socket a listening address.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::counters::Counters;
use super::{Inbox, NetError};
use crate::settings::{Listen, Transport};
use crate::sip::Flow;

/// Asked of the system, so that a burst of calls is not lost while the engine works on the last one.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest datagram there can be.
const LARGEST: usize = 65_535;
/// Datagrams read in a row before other tasks get their turn.
const BATCH: usize = 64;

pub struct Datagrams {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
}

impl Datagrams {
    pub fn bind(listen: Listen, inbox: Inbox) -> Result<Datagrams, NetError> {
        let socket = open(listen.address).map_err(|error| NetError::bind(listen, error))?;
        let local = socket.local_addr().map_err(|error| NetError::bind(listen, error))?;
        let socket = Arc::new(socket);
        tokio::spawn(receive(socket.clone(), local, inbox));
        Ok(Datagrams { socket, local })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// A full socket buffer drops the datagram, as the network might: the transaction sends it again.
    pub fn send(&self, remote: SocketAddr, bytes: &[u8], counters: &Counters) -> bool {
        match self.socket.try_send_to(bytes, remote) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                counters.dropped();
                true
            }
            Err(_) => false,
        }
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system may grant less; that is no reason not to run.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, inbox: Inbox) {
    let mut buffer = vec![0; LARGEST];
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, remote)) => {
                    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
                    match inbox.admit(buffer.get(..length).unwrap_or_default(), flow) {
                        Ok(event) => inbox.tell(event),
                        Err(turned_away) => {
                            if let Some(answer) = turned_away.answer {
                                // As lost as any datagram may be.
                                let _ = socket.try_send_to(&answer, remote);
                            }
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier datagram: nothing is wrong with this socket.
                Err(_) => {}
            }
        }
    }
}
