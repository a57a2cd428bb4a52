//! An HTTP server that notes what it is asked and misbehaves by path.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

type Log = Arc<Mutex<Vec<Seen>>>;

pub struct Server {
    pub url: String,
    log: Log,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Log::default();
        let app = Router::new().fallback(answer).with_state(log.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { url, log }
    }

    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.log.lock().unwrap().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.seen(path).len()
    }

    pub fn last(&self, path: &str) -> Seen {
        self.seen(path).pop().expect("a request")
    }
}

async fn answer(State(log): State<Log>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let path = parts.uri.path().to_owned();
    let attempts = {
        let mut log = log.lock().unwrap();
        log.push(Seen {
            path: path.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body: text(&body),
        });
        log.iter().filter(|seen| seen.path == path).count()
    };
    let json = |text: &str| ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response();
    match path.as_str() {
        "/missing" => StatusCode::NOT_FOUND.into_response(),
        "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response(),
        "/gone" => StatusCode::GONE.into_response(),
        "/later" if attempts < 3 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/wait" if attempts < 2 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "100")]).into_response(),
        "/empty" => StatusCode::NO_CONTENT.into_response(),
        "/page" => "<html>{\"customer\":{}}</html>".into_response(),
        "/deep" => json(&"[".repeat(100_000)),
        "/huge" => json(&format!("\"{}\"", "x".repeat(1 << 20))),
        "/redirect" => (StatusCode::FOUND, [(header::LOCATION, "/followed")]).into_response(),
        "/hang" => std::future::pending().await,
        // The head and a piece come, the rest never does.
        "/drip" => Response::new(pieces(vec![Ok(Bytes::from_static(b"{"))], true)),
        "/cut" => Response::new(pieces(vec![Ok(Bytes::from_static(b"{\"customer\":")), Err("cut")], false)),
        _ => json("{\"customer\":{\"tier\":\"gold\"}}"),
    }
}

/// A body of pieces, which then ends or hangs.
fn pieces(pieces: Vec<Result<Bytes, &'static str>>, hangs: bool) -> Body {
    Body::new(Pieces { pieces: pieces.into(), hangs })
}

struct Pieces {
    pieces: std::collections::VecDeque<Result<Bytes, &'static str>>,
    hangs: bool,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        match self.pieces.pop_front() {
            Some(piece) => std::task::Poll::Ready(Some(piece.map(hyper::body::Frame::data).map_err(Into::into))),
            None if self.hangs => std::task::Poll::Pending,
            None => std::task::Poll::Ready(None),
        }
    }
}

/// Takes connections and closes them in the middle of the status line.
pub async fn closing() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 20").await;
        }
    });
    url
}

pub fn data_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// HTTPS with a certificate of an authority that nobody knows.
pub async fn tls() -> String {
    super::super::install_crypto();
    let certificates = CertificateDer::pem_file_iter(data_file("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(data_file("server.key")).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = "{\"customer\":{\"tier\":\"gold\"}}";
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                let _ = stream.shutdown().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
        }
    });
    url
}
