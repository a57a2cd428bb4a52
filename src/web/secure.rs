//! HTTPS: the hand-shake in front of a connection, within bounds of its own, and what is said to those who come without.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::access::PREFIX;
use super::limit::network;
use super::metrics::WEB_INSECURE;
use super::refusal::Refusal;
use crate::tls::Https;

/// RFC 8446 §5.1: the first octet of a record in which a hand-shake begins.
const HANDSHAKE: u8 = 22;
/// RFC 6797: a browser that was here once comes by nothing less for a year. It says nothing of other hosts.
pub(super) const ONLY_SECURE: &str = "max-age=31536000";

/// What the server proves itself by. New connections take what was set last.
#[derive(Clone, Debug)]
pub struct Keys(Arc<ArcSwap<ServerConfig>>);

impl Keys {
    pub fn new(https: Https) -> Keys {
        Keys(Arc::new(ArcSwap::new(https)))
    }

    pub fn replace(&self, https: Https) {
        self.0.store(https);
    }
}

/// Bounds of those who have not proved yet that they speak TLS.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Hand-shakes at once; the next one is closed.
    pub at_once: usize,
    /// The same from one address (an IPv6 /64); a whole centre may stand behind one.
    pub from_one: usize,
    /// How long one may take,
    pub patience: Duration,
    /// and how long while a quarter of the places are taken.
    pub haste: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { at_once: 256, from_one: 128, patience: Duration::from_secs(10), haste: Duration::from_secs(2) }
    }
}

/// Where connections become secure ones.
#[derive(Debug)]
pub(super) struct Door {
    keys: Keys,
    bounds: Bounds,
    /// Hand-shakes that are under way, by who makes them.
    under_way: Mutex<HashMap<IpAddr, usize>>,
}

impl Door {
    pub fn new(keys: Keys, bounds: Bounds) -> Door {
        Door { keys, bounds, under_way: Mutex::default() }
    }

    /// A place for one who comes from `address`; `None` where there are too many.
    pub fn enter(self: &Arc<Door>, address: IpAddr) -> Option<Place> {
        let of = network(address);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = under_way.values().sum();
        let own = under_way.get(&of).copied().unwrap_or(0);
        if all >= self.bounds.at_once || own >= self.bounds.from_one {
            return None;
        }
        under_way.insert(of, own + 1);
        let crowded = all * 4 >= self.bounds.at_once;
        let patience = if crowded { self.bounds.haste } else { self.bounds.patience };
        Some(Place { door: self.clone(), of, patience })
    }

    fn leave(&self, of: IpAddr) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.get_mut(&of) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(under_way.remove(&of)),
        }
    }
}

/// Somebody's place at the door, for a while. It is free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    door: Arc<Door>,
    of: IpAddr,
    pub patience: Duration,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.leave(self.of);
    }
}

impl Place {
    /// The hand-shake. `None`: it failed, took too long, or was none, and all that can be said has been said.
    pub async fn greet(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let greeted = timeout(self.patience, self.begin(stream)).await;
        let why = match greeted {
            Ok(Ok(greeted)) => return greeted,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no hand-shake within {} ms", self.patience.as_millis()),
        };
        metrics::counter!(WEB_INSECURE).increment(1);
        tracing::debug!("web: {} comes to no secure connection: {why}", self.of);
        None
    }

    async fn begin(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        match (stream.peek(&mut first).await?, first) {
            (0, _) => Ok(None),
            (_, [HANDSHAKE]) => TlsAcceptor::from(self.door.keys.0.load_full()).accept(stream).await.map(Some),
            _ => {
                send_over(stream, self.patience).await;
                Ok(None)
            }
        }
    }
}

/// One request in the clear is read and answered; nothing is done.
async fn send_over(stream: TcpStream, patience: Duration) {
    let answer = service_fn(|request: Request<Incoming>| async move { Ok::<_, Infallible>(elsewhere(&request)) });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!("web: a connection in the clear broke off: {error}");
    }
}

/// A browser that asks for a page is sent to its secure address. Programs are told: what they send in the clear, a token
/// among it, is to be noticed.
fn elsewhere<B>(request: &Request<B>) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let told = [header::AUTHORIZATION, header::UPGRADE].iter().any(|name| request.headers().contains_key(name));
    let page = reads && !told && !request.uri().path().starts_with(PREFIX);
    let mut response = match secure_address(request).filter(|_| page) {
        Some(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => {
            let message = "this port speaks HTTPS; ask by https://, or wss:// for WebSockets. What was sent in the clear \
                           was not looked at; a token that was in it is better replaced";
            Refusal::new(StatusCode::BAD_REQUEST, "https_needed", message).into_response()
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same address by https, as the client names this host.
fn secure_address<B>(request: &Request<B>) -> Option<HeaderValue> {
    let host: Authority = request.headers().get(header::HOST)?.to_str().ok()?.parse().ok()?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let fine = path.starts_with('/') && !host.as_str().contains('@');
    HeaderValue::try_from(format!("https://{host}{path}")).ok().filter(|_| fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::Authority;

    fn door(bounds: Bounds) -> Arc<Door> {
        Arc::new(Door::new(Keys::new(Authority::new().https(&["localhost"])), bounds))
    }

    fn host(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn places_are_bounded_for_all_and_for_each_and_come_free() {
        let door = door(Bounds { at_once: 5, from_one: 2, ..Bounds::default() });
        let first = [door.enter(host(1)), door.enter(host(1))];
        assert!(first.iter().all(Option::is_some) && door.enter(host(1)).is_none(), "two of one");
        let others = [door.enter(host(2)), door.enter(host(3)), door.enter(host(4))];
        assert!(others.iter().all(Option::is_some) && door.enter(host(5)).is_none(), "five of all");
        drop(first);
        let again = [door.enter(host(5)), door.enter(host(1))];
        assert!(again.iter().all(Option::is_some) && door.enter(host(6)).is_none());
        drop((others, again));
        assert!(door.under_way.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[test]
    fn whoever_comes_when_many_are_under_way_has_less_time() {
        let door = door(Bounds { at_once: 8, from_one: 8, ..Bounds::default() });
        let patience: Vec<_> = [1, 2, 3].map(|last| door.enter(host(last)).unwrap()).into_iter().collect();
        let seconds: Vec<_> = patience.iter().map(|place| place.patience.as_secs()).collect();
        assert_eq!(seconds, [10, 10, 2]);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let door = door(Bounds { at_once: 8, from_one: 1, ..Bounds::default() });
        let _place = door.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(door.enter("2001:db8::2".parse().unwrap()).is_none());
        assert!(door.enter("2001:db8:0:1::2".parse().unwrap()).is_some());
    }

    #[test]
    fn a_page_is_sent_to_its_secure_address_and_programs_are_told() {
        let none: &[(&str, &str)] = &[];
        for (method, path, headers, location) in [
            ("GET", "/", none, Some("https://desk.test:8080/")),
            ("HEAD", "/reports?from=a", none, Some("https://desk.test:8080/reports?from=a")),
            ("GET", "/metrics", none, Some("https://desk.test:8080/metrics")),
            ("POST", "/", none, None),
            ("GET", "/api/v1/calls", none, None),
            ("GET", "/metrics", &[("authorization", "Bearer x")], None),
            ("GET", "/sip", &[("upgrade", "websocket")], None),
            ("GET", "/", &[("host", "a@b")], None),
            ("GET", "/", &[("host", "a b")], None),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            if !headers.iter().any(|(name, _)| *name == "host") {
                request = request.header("host", "desk.test:8080");
            }
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let response = elsewhere(&request.body(()).unwrap());
            let said = response.headers().get(header::LOCATION).map(|value| value.to_str().unwrap());
            assert_eq!(said, location, "{method} {path} {headers:?}");
            assert_eq!(response.status(), if location.is_some() { 307 } else { 400 }, "{method} {path} {headers:?}");
            assert!(!response.headers().contains_key(header::STRICT_TRANSPORT_SECURITY), "RFC 6797 §7.2");
        }
        let nameless = Request::builder().uri("/").body(()).unwrap();
        assert_eq!(elsewhere(&nameless).status(), 400);
    }
}
